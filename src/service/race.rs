//! What a defective service makes of events of one customer that come at the same time. The sound one takes them in one after
//! the other, and each finds what the one before it has written.
//!
//! Must not know: HTTP, what an event means.

use super::{
    core::Incoming,
    defects::{Defect, Defects},
    ingest::Parts,
    store::{StoreError, Tx},
};
use crate::stripe::event::Event;
use std::sync::Arc;

/// What of an event is done, given what others have done since it came.
///
/// # Errors
/// The event fails.
pub(super) fn run(
    tx: &mut Tx<'_>,
    party: &str,
    event: &Event,
    parts: Parts,
    defects: &Defects,
) -> Result<Parts, StoreError> {
    let is_child = |kind: &str| kind.starts_with("invoice.") || kind.starts_with("customer.subscription.");
    let needs_parent = defects.has(Defect::ChildNeedsParent) && is_child(&event.kind);
    if !parts.first && !needs_parent {
        return Ok(parts);
    }
    let is_there = tx.party(party)?.is_some();
    if needs_parent && !is_there {
        return Err(StoreError::Refuse("no such customer".to_owned()));
    }
    match parts.first && is_there {
        true if defects.has(Defect::CreateCollides) => Err(StoreError::Refuse("duplicate key".to_owned())),
        true if defects.has(Defect::LoserGoesOn) => Ok(Parts { apply: false, ..parts }),
        true | false => Ok(parts),
    }
}

/// Whether looking for the customer and making it are two steps.
pub(super) fn is_torn(defects: &Defects) -> bool {
    defects.has(Defect::CreateCollides) || defects.has(Defect::LoserGoesOn)
}

/// Whether nobody knows the customer of an event yet.
pub(super) fn is_first(tx: &mut Tx<'_>, incoming: &Incoming, defects: &Defects) -> Result<bool, StoreError> {
    match incoming.reading(defects) {
        Some(reading) => Ok(tx.party(&reading.party)?.is_none()),
        None => Ok(false),
    }
}

/// Whether the last of these events is locked out by another one of its customer; never in the sound service.
pub(super) fn is_locked_out(events: &[Arc<Incoming>], defects: &Defects) -> bool {
    let Some((last, others)) = events.split_last().filter(|_| defects.has(Defect::LocksCross)) else { return false };
    let party = |incoming: &Arc<Incoming>| incoming.reading(defects).map(|reading| reading.party.clone());
    let wanted = party(last);
    wanted.is_some() && others.iter().any(|other| party(other) == wanted)
}
