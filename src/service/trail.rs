//! The audit trail: one entry for each change of what a person sees of their account, in the transaction that made it.
//!
//! Entries are only ever added. An entry is kept with the party whose event it was; the history of an account is that of all
//! its parties by time. Must not know: why a state is what it is.

use super::{
    account::{Account, Visible},
    store::{Shelf, StoreError, Tx},
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When the service took it in, Unix milliseconds.
    pub at_ms: i64,
    /// The same in words, UTC.
    pub at: String,
    /// Stripe's event, or what else caused it (`sign-up`, `chat`).
    pub cause: String,
    /// The party whose facts changed.
    pub party: String,
    /// What was seen before; absent when nothing was known of the party.
    pub before: Option<Visible>,
    /// What is seen since.
    pub after: Visible,
}

/// Notes what `cause` changed of the account of `party`, if it changed anything.
///
/// # Errors
/// The store's.
pub fn note(
    tx: &mut Tx<'_>,
    now: Timestamp,
    cause: &str,
    party: &str,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<(), StoreError> {
    let Some(after) = after.map(Account::visible) else { return Ok(()) };
    let before = before.map(Account::visible);
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    let entry = Entry {
        at_ms: now.millis(),
        at: now.to_string(),
        cause: cause.to_owned(),
        party: party.to_owned(),
        before,
        after,
    };
    let text = serde_json::to_string(&entry).map_err(|error| StoreError::Refuse(error.to_string()))?;
    // Several within a millisecond keep the order in which they were committed.
    let moment = format!("{party}|{:015}|", now.millis());
    for number in 0_u32.. {
        let key = format!("{moment}{number:06}");
        if tx.doc(Shelf::Trail, &key)?.is_none() {
            return tx.put_doc(Shelf::Trail, &key, &text);
        }
    }
    Ok(())
}

/// The changes of an account, oldest first.
///
/// # Errors
/// The store's; [`StoreError::Broken`] when an entry cannot be read.
pub fn of_account(tx: &mut Tx<'_>, account: &Account) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for party in account.parties.keys() {
        for (key, text) in tx.docs(Shelf::Trail, &format!("{party}|"))? {
            let read = |error| StoreError::Broken(format!("an entry of the trail cannot be read: {error}"));
            let entry: Entry = serde_json::from_str(&text).map_err(read)?;
            // A party's id may itself be the beginning of another's key.
            if entry.party == *party {
                entries.push((entry.at_ms, key, entry));
            }
        }
    }
    entries.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    Ok(entries.into_iter().map(|(_, _, entry)| entry).collect())
}
