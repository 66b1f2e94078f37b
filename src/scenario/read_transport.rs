//! Reads `transport = { … }`.
//!
//! Must not know: files, plans, how a fault is carried out.

use super::{
    error::ScenarioErrorKind as Kind,
    fault::FaultKind,
    raw::{At, Fields, Mistakes, duration, wrong_type},
    read_faults::{MAX_DROPS, Reading},
    shape::Shape,
    transport::{Transport, TransportFault, Treatment},
};
use std::time::Duration;
use toml::de::DeValue;

/// Longest upload and longest wait after one: a sender that lasts longer is a scenario of its own.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn transport(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let how = on.fields.need_word("how", Transport::WORDS, on.mistakes);
    let over_ms = own_time(on, how, "over", "slow_upload");
    let after_ms = own_time(on, how, "after", "give_up");
    let first = on.fields.some_count("first", 1..MAX_DROPS + 1, on.mistakes);
    let probability = probability(&mut on.fields, on.mistakes);
    let how = match how? {
        Transport::SlowUpload { over_ms: usual } => Transport::SlowUpload { over_ms: over_ms.unwrap_or(usual) },
        Transport::GiveUp { after_ms: usual } => Transport::GiveUp { after_ms: after_ms.unwrap_or(usual) },
        other => other,
    };
    // What may fail does so once, or the event would never arrive; what must be accepted is so however often.
    let first = match (first, how.treatment()) {
        (Some(first), _) => Some(u32::try_from(first.value).ok()?),
        (None, Treatment::Accept) => None,
        (None, Treatment::Refuse | Treatment::Either | Treatment::Indefinite) => Some(1),
    };
    Some(FaultKind::Transport(TransportFault { of: of?, how, first, probability }))
}

/// A time that only one way of going wrong has.
fn own_time(on: &mut Reading<'_, '_>, how: Option<Transport>, key: &'static str, owner: &'static str) -> Option<u64> {
    let value = on.fields.get_as(key, Shape::Duration)?;
    let At { value: time, span } = duration(value, &format!("`{key}`"), on.mistakes)?;
    if how.is_some_and(|how| how.word() != owner) {
        let message = format!("`{key}` means nothing here");
        on.mistakes.add_help(&span, Kind::Conflict, message, format!("it goes with how = \"{owner}\""));
    }
    if time > LONGEST {
        on.mistakes.add(&span, Kind::OutOfRange, format!("`{key}` must be 60s or less"));
    }
    u64::try_from(time.as_millis()).ok()
}

/// A chance above 0 and at most 1; 1 when absent. A wrong one is reported and gives 1: nothing is built then.
pub(super) fn probability(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> f64 {
    let Some(value) = fields.get_as("probability", Shape::Share { one: true }) else { return 1.0 };
    let number = match value.get_ref() {
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
        _ => {
            wrong_type(value, "`probability`", "a number", mistakes);
            return 1.0;
        }
    };
    let chance = number.filter(|chance| *chance > 0.0 && *chance <= 1.0);
    if chance.is_none() {
        let message = "`probability` is above 0 and at most 1";
        mistakes.add_help(&value.span(), Kind::OutOfRange, message, "for one in four write probability = 0.25");
    }
    chance.unwrap_or(1.0)
}
