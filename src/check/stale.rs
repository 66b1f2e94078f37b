//! What must look stale to a service whose clock is far ahead: whatever comes meanwhile, however genuine.
//!
//! Must not know: how a signature is made.

use super::case::Case;
use crate::{
    history::{
        lookup::Sent,
        record::{Outcome, RunPhase},
    },
    plan::model::{Delivery, Phase, Signing},
    scenario::fault::TOLERANCE,
};

/// So long after its time a service surely has its wrong clock.
const TOLD_WITHIN_MS: u64 = 80;

/// Every attempt that was under way only while the clock was so far ahead that its signature was stale.
pub(super) fn attempts<'c, 'h>(case: &'c Case<'h>) -> Vec<(&'c Delivery, &'c Sent<'h>)> {
    let far = case.plan.clock.iter().any(|clock| is_far_ahead(clock.offset_ms));
    let began = case.seen.phases.iter().find(|(phase, ..)| *phase == RunPhase::Faults).map(|(_, _, at_ms)| *at_ms);
    let Some(began_ms) = began.filter(|_| far) else { return Vec::new() };
    let signed = |delivery: &&Delivery| match delivery.signature {
        Signing::Genuine | Signing::Rolled(_) | Signing::Good(_) => delivery.phase == Phase::Faults,
        Signing::SecondEndpoint | Signing::Bad(_) => false,
    };
    let stale = |sent: &&Sent<'_>| {
        let Some(reply) = sent.reply else { return false };
        let from_ms = sent.attempt.at_ms.saturating_sub(began_ms);
        let until_ms = reply.at_ms.saturating_sub(began_ms);
        from_ms >= TOLD_WITHIN_MS
            && [from_ms - TOLD_WITHIN_MS, from_ms, until_ms].into_iter().all(|at_ms| is_far_ahead(off_at(case, at_ms)))
    };
    let all = case.plan.deliveries.iter().filter(signed);
    all.flat_map(|delivery| case.seen.sent(&delivery.id).iter().filter(stale).map(move |sent| (delivery, sent)))
        .collect()
}

/// Whether an attempt was acknowledged.
pub(super) fn was_acked(sent: &Sent<'_>) -> bool {
    sent.reply.is_some_and(|reply| reply.what.outcome == Outcome::Acked)
}

/// Times of signatures are whole seconds: one more than the tolerance is beyond it for sure. Of signatures of the future
/// libraries judge differently, so a clock that is behind asks for nothing.
fn is_far_ahead(offset_ms: i64) -> bool {
    i128::from(offset_ms) > TOLERANCE.as_millis() as i128 + 1_000
}

/// What the clock was wrong by at a time after the faults began.
fn off_at(case: &Case<'_>, at_ms: u64) -> i64 {
    let on =
        case.plan.clock.iter().filter(|c| at_ms >= c.from_ms && c.until_ms.is_none_or(|until_ms| at_ms < until_ms));
    on.map(|clock| clock.offset_ms).sum()
}
