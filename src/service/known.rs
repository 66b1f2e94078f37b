//! Whether an event was taken in before. The sound service goes by the event's id, for ever; the deliberate defects ask by
//! something else, or forget.
//!
//! Must not know: what an event means.

use super::{
    core::Incoming,
    defects::{Defect, Defects},
    store::{Shelf, StoreError, Tx},
};
use crate::time::Timestamp;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a forgetful service remembers an event: a day, while Stripe repeats for three.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Whether the event was taken in before; it was recorded `before` times.
pub(super) fn is_known(
    tx: &mut Tx<'_>,
    now: Timestamp,
    incoming: &Incoming,
    before: u64,
    defects: &Defects,
) -> Result<bool, StoreError> {
    if before == 0 || defects.has(Defect::NoDedupe) {
        return Ok(false);
    }
    let Some(key) = other_key(incoming, defects) else { return Ok(true) };
    let seen = tx.doc(Shelf::Cursor, &key)?.and_then(|secs| secs.parse().ok()).map(Timestamp::from_secs);
    let expires = defects.has(Defect::DedupeExpires);
    Ok(seen.is_some_and(|seen| !expires || now < seen + REMEMBERED))
}

/// Notes that the event is taken in, where its id alone does not tell.
pub(super) fn note(tx: &mut Tx<'_>, now: Timestamp, incoming: &Incoming, defects: &Defects) -> Result<(), StoreError> {
    match other_key(incoming, defects) {
        Some(key) => tx.put_doc(Shelf::Cursor, &key, &now.secs().to_string()),
        None => Ok(()),
    }
}

/// Under what else than its id a defective service knows an event.
fn other_key(incoming: &Incoming, defects: &Defects) -> Option<String> {
    let event = &incoming.event;
    if defects.has(Defect::DedupeByBody) {
        return Some(format!("seen body {}", hex::encode(Sha256::digest(event.body.as_bytes()))));
    }
    if defects.has(Defect::EndpointsCounted) {
        return Some(format!("seen {} at endpoint {}", event.id, incoming.endpoint));
    }
    defects.has(Defect::DedupeExpires).then(|| format!("seen {}", event.id))
}
