//! The jobs behind alerts: a look at a Checkout when its time is over, and the post of an alert that was raised.
//!
//! Must not know: sockets, clocks, when an alert is right.

use crate::{
    service::{
        alerts,
        config::Settings,
        job::Job,
        store::{StoreError, Tx},
        upstream::{Call, CallResult},
    },
    time::Timestamp,
};

/// Needs no call: the alert that it may raise is a job of its own.
pub(super) fn look(tx: &mut Tx<'_>, now: Timestamp, session: &str, settings: &Settings) -> Result<(), StoreError> {
    if settings.alerting.is_some() { alerts::activation(tx, now, session) } else { Ok(()) }
}

pub(super) fn call(tx: &mut Tx<'_>, raised: &str, settings: &Settings) -> Result<Option<Call>, StoreError> {
    if settings.alerting.is_none() {
        return Ok(None);
    }
    Ok(alerts::posted(tx, raised)?.map(Call::PostAlert))
}

pub(super) fn answer(
    tx: &mut Tx<'_>,
    now: Timestamp,
    job: &mut Job,
    raised: &str,
    (result, settings): (&CallResult, &Settings),
) -> Result<(), StoreError> {
    if *result == CallResult::Updated {
        alerts::sent(tx, now, raised)?;
    }
    super::plain_answer(now, job, result, settings);
    Ok(())
}
