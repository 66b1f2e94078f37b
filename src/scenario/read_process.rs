//! Reads `stop = { … }` and `clock = { … }`.
//!
//! Must not know: files, plans, how a fault is carried out.

use super::{
    error::ScenarioErrorKind as Kind,
    fault::FaultKind,
    raw::duration,
    read_downstream::lasting,
    read_faults::{DEFAULT_RESTART, Reading},
    shape::{Shape, Tie},
};
use std::time::Duration;

/// A clock that is further off than a month is broken, not wrong.
const FURTHEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

pub(super) fn stop(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let at = on.fields.need_duration("at", on.mistakes);
    let restart_after = on.fields.duration("restart_after", DEFAULT_RESTART, on.mistakes);
    Some(FaultKind::Stop { at: at?.value, restart_after })
}

/// `clock = { ahead = "60s" }`, `clock = { behind = "400s", from = "1s", for = "2s" }`
pub(super) fn clock(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    on.fields.tie(Tie::Exactly(&["ahead", "behind"]));
    let (ahead, behind) = (on.fields.get_as("ahead", Shape::Positive), on.fields.get_as("behind", Shape::Positive));
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    let lasts = lasting(&mut on.fields, on.mistakes);
    let (value, key, sign) = match (ahead, behind) {
        (Some(ahead), None) => (ahead, "`ahead`", 1),
        (None, Some(behind)) => (behind, "`behind`", -1),
        _ => {
            let message = "a clock is `ahead` or `behind`, neither none nor both";
            on.mistakes.add_help(on.fields.span(), Kind::NotOneChoice, message, "clock = { ahead = \"60s\" }");
            return None;
        }
    };
    let off = duration(value, key, on.mistakes)?;
    if off.value.is_zero() || off.value > FURTHEST {
        on.mistakes.add(&off.span, Kind::OutOfRange, format!("{key} must be longer than 0s and at most 31d"));
    }
    let offset_ms = i64::try_from(off.value.as_millis()).ok()? * sign;
    Some(FaultKind::Clock { offset_ms, from, lasts })
}
