//! Reads the faults that add deliveries, or change how one is written or signed.
//!
//! Must not know: files, plans, how a fault is carried out.

use super::{
    error::ScenarioErrorKind as Kind,
    fault::FaultKind,
    forms::{BodyForm, Foreign, GoodSignature},
    read_faults::Reading,
};
use std::time::Duration;

/// How much later a second event comes when nothing is said.
const DEFAULT_SPACING: Duration = Duration::from_millis(50);

pub(super) fn body(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let how = on.fields.need_word("how", BodyForm::WORDS, on.mistakes);
    Some(FaultKind::Body { of: of?, how: how? })
}

pub(super) fn signed(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let how = on.fields.need_word("how", GoodSignature::WORDS, on.mistakes);
    Some(FaultKind::Signed { of: of?, how: how? })
}

pub(super) fn burst(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let at = on.fields.need_duration("at", on.mistakes)?;
    if at.value < Duration::from_millis(100) {
        on.mistakes.add(&at.span, Kind::OutOfRange, "`at` must be 100ms or later");
    }
    Some(FaultKind::Burst { of: of?, at: at.value })
}

pub(super) fn second_event(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let spacing = on.fields.duration("spacing", DEFAULT_SPACING, on.mistakes);
    Some(FaultKind::SecondEvent { of: of?, spacing })
}

pub(super) fn second_endpoint(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    Some(FaultKind::SecondEndpoint { of: of? })
}

pub(super) fn foreign(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let before = on.selector("before");
    let how = on.fields.need_word("how", Foreign::WORDS, on.mistakes);
    Some(FaultKind::Foreign { before: before?, how: how? })
}
