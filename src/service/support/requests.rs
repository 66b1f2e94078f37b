//! A request to support as it is taken in: validated, routed and stored with its job in one transaction.
//!
//! Kept on the shelf `Support`: `request|<id>` the request, `key|<hash>` what an idempotency key stands for, `unrouted|<id>` a
//! request in no queue, `onboarding|<party>` the job whose ticket a stuck beginning has. Must not know: HTTP, clocks.

use super::{
    rules::{Condition, Queue},
    triage::{Question, route},
};
use crate::{
    service::{
        account::{self, Account, Flag},
        config::Settings,
        defects::Defect,
        job::Task,
        queue, reading,
        store::{Identity, Shelf, StoreError, Tx},
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Longest message, characters.
pub const LONGEST_MESSAGE: usize = 5_000;

/// Longest idempotency key, bytes.
pub const LONGEST_KEY: usize = 255;

/// What a person asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// In their words.
    pub message: String,
    /// What they chose on the form.
    #[serde(default)]
    pub category: Option<Queue>,
    /// The app's own user id.
    #[serde(default)]
    pub user: Option<String>,
    /// Where to answer.
    #[serde(default)]
    pub email: Option<String>,
}

impl Asked {
    /// Why it cannot be taken, if so.
    pub fn objection(&self) -> Option<&'static str> {
        let length = self.message.chars().count();
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if self.message.trim().is_empty() || length > LONGEST_MESSAGE || self.message.chars().any(control) {
            return Some("`message` is 1 to 5000 characters of text");
        }
        let odd = |text: &str| text.chars().any(|c| c.is_control() || c.is_whitespace());
        if self.user.as_ref().is_some_and(|user| user.is_empty() || user.len() > 128 || odd(user)) {
            return Some("`user` is 1 to 128 bytes without blanks");
        }
        if self.email.as_ref().is_some_and(|email| !is_email(email) || odd(email)) {
            return Some("`email` is not an e-mail address");
        }
        (self.user.is_none() && self.email.is_none()).then_some("say who asks: `user` or `email`")
    }
}

fn is_email(text: &str) -> bool {
    let halves: Vec<&str> = text.split('@').collect();
    text.len() <= 254 && matches!(halves.as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty())
}

/// A request as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When it came, Unix milliseconds.
    pub at_ms: i64,
    /// What was asked.
    pub asked: Asked,
    /// Where to answer, as far as known.
    pub requester: Option<String>,
    /// The Stripe customer, as far as known.
    pub customer: Option<String>,
    /// Its queue; every request of the sound service has one.
    pub queue: Option<Queue>,
    /// The rule that chose it, `default` when none spoke.
    pub rule: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is stored, now or by an earlier call with the same key; its id.
    Taken(String),
    /// The key was used for another request.
    KeyUsed,
}

#[derive(Serialize, Deserialize)]
struct Keyed {
    request: String,
    body: String,
}

/// Stores a request and the job that opens its one ticket. The same `key` with the same request is the same request.
///
/// # Errors
/// The store's; nothing is kept then.
pub fn submit(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    asked: &Asked,
    key: Option<&str>,
) -> Result<Submitted, StoreError> {
    let body = hash(&[&text(asked)?]);
    let key = key.map(|key| format!("key|{}", hash(&[key])));
    if let Some(known) = key.as_ref().map(|key| tx.doc(Shelf::Support, key)).transpose()?.flatten() {
        let known: Keyed = read(&known)?;
        return Ok(if known.body == body { Submitted::Taken(known.request) } else { Submitted::KeyUsed });
    }
    let number = tx.next_job_id()?;
    let id = format!("req_{}", &hash(&[&number.to_string(), &now.millis().to_string(), &body])[..20]);
    let kept = kept(tx, now, settings, asked)?;
    if kept.queue.is_none() {
        tx.put_doc(Shelf::Support, &format!("unrouted|{id}"), "{}")?;
    }
    tx.put_doc(Shelf::Support, &format!("request|{id}"), &text(&kept)?)?;
    if let Some(key) = key {
        tx.put_doc(Shelf::Support, &key, &text(&Keyed { request: id.clone(), body })?)?;
    }
    queue::enqueue(tx, now, Task::Request { request: id.clone() })?;
    Ok(Submitted::Taken(id))
}

fn kept(tx: &mut Tx<'_>, now: Timestamp, settings: &Settings, asked: &Asked) -> Result<Kept, StoreError> {
    let email = asked.email.as_deref().map(reading::fold_email);
    let account = match asked.user.as_deref() {
        Some(user) => match tx.linked(Identity::User, user)?.first() {
            Some(party) => account::of_party(tx, party)?,
            None => None,
        },
        None => None,
    };
    let account = match (account, &email) {
        (None, Some(email)) => account::of_email(tx, email)?,
        (account, _) => account,
    };
    let known = account.as_ref().map(conditions).unwrap_or_default();
    let question = Question { message: &asked.message, category: asked.category, account: known };
    let routed = route(&settings.rules, &question);
    let lost = routed.rule.is_none() && settings.defects.has(Defect::NoDefaultQueue);
    let own = account.as_ref().and_then(|account| account.emails().first().map(|email| (*email).to_owned()));
    Ok(Kept {
        at_ms: now.millis(),
        asked: asked.clone(),
        requester: email.or(own),
        customer: account.as_ref().and_then(|account| account.customer().map(str::to_owned)),
        queue: (!lost).then_some(routed.queue),
        rule: routed.rule.unwrap_or_else(|| "default".to_owned()),
    })
}

fn conditions(account: &Account) -> BTreeSet<Condition> {
    let failed = account.flags().contains(&Flag::PaymentDue) || matches!(account.status(), "past_due" | "unpaid");
    let waiting = account.user().is_some() && !account.access();
    let all = [(Condition::PaymentFailed, failed), (Condition::SignedUpNotActive, waiting)];
    all.into_iter().filter(|(_, holds)| *holds).map(|(condition, _)| condition).collect()
}

/// The stored request of that id.
///
/// # Errors
/// The store's.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Kept>, StoreError> {
    tx.doc(Shelf::Support, &format!("request|{id}"))?.map(|document| read(&document)).transpose()
}

/// Requests in no queue.
///
/// # Errors
/// The store's.
pub fn unrouted(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    Ok(tx.docs(Shelf::Support, "unrouted|")?.len() as u64)
}

/// Notes that the ticket of a stuck beginning is the business of job `job`; answers whether it is, and not another's of the
/// same account.
///
/// # Errors
/// The store's.
pub fn claim_onboarding(tx: &mut Tx<'_>, account: &Account, job: u64) -> Result<bool, StoreError> {
    let mine = job.to_string();
    let keys: Vec<String> = account.parties.keys().map(|party| format!("onboarding|{party}")).collect();
    for key in &keys {
        if tx.doc(Shelf::Support, key)?.is_some_and(|held| held != mine) {
            return Ok(false);
        }
    }
    for key in &keys {
        tx.put_doc(Shelf::Support, key, &mine)?;
    }
    Ok(true)
}

fn text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refuse(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, StoreError> {
    serde_json::from_str(document)
        .map_err(|error| StoreError::Broken(format!("a request to support cannot be read: {error}")))
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let sound =
            Asked { message: "Hello\nthere".into(), category: None, user: None, email: Some("ada@example.com".into()) };
        assert_eq!(sound.objection(), None);
        assert_eq!(Asked { user: Some("ada".into()), email: None, ..sound.clone() }.objection(), None);
        for broken in [
            Asked { message: " \n".into(), ..sound.clone() },
            Asked { message: "x".repeat(5_001), ..sound.clone() },
            Asked { message: "a\u{0}b".into(), ..sound.clone() },
            Asked { email: Some("ada".into()), ..sound.clone() },
            Asked { email: Some("a@b@c".into()), ..sound.clone() },
            Asked { email: Some("a b@c".into()), ..sound.clone() },
            Asked { user: Some(" ".into()), ..sound.clone() },
            Asked { email: None, ..sound.clone() },
        ] {
            assert!(broken.objection().is_some(), "{broken:?}");
        }
    }
}
