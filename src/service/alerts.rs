//! When somebody has to be told: too many webhooks that fail, a Checkout that brings no access, customers that double.
//!
//! An alert is a document, written at most once for its key, and the job that posts it. Deliveries are counted in the
//! process first, since they also fail when the store does; the counts reach the store with the next job that is looked for.
//! Must not know: HTTP, clocks, who is told.

use super::{
    account::Account,
    config::Settings,
    job::Task,
    queue,
    reading::{CheckoutEnd, Fact, Reading},
    store::{Identity, Shelf, StoreError, Tx},
    upstream::Posted,
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Over how long webhooks are counted, minutes.
const WINDOW_MINUTES: i64 = 15;

/// Failures that are tolerated, as one part in so many.
const TOLERATED: u64 = 100;

/// Fewer failures than this page nobody, whatever their share: one of three is bad luck.
const LEAST_FAILURES: u64 = 5;

/// Duplicate customers that a day may have.
const MOST_DUPLICATES: usize = 3;

/// Longest that good deliveries are counted in the process alone.
const KEPT: Duration = Duration::from_secs(10);

/// What may have to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    /// More than one per cent of the webhooks of a quarter of an hour failed.
    WebhookFailures,
    /// A Checkout is completed and there is no access.
    ActivationLate,
    /// More than three duplicate customers in a day.
    DuplicateCustomers,
}

impl Alert {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebhookFailures => "webhook_failures",
            Self::ActivationLate => "activation_late",
            Self::DuplicateCustomers => "duplicate_customers",
        }
    }
}

/// An alert that was raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Its kind.
    pub alert: String,
    /// What makes two of them one.
    pub key: String,
    /// In a sentence; ids and counts, never a person.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// When the receiver had it.
    pub sent: Option<Timestamp>,
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Refuse(error.to_string())
}

/// Raises an alert, unless there is one of that kind and key.
fn raise(tx: &mut Tx<'_>, now: Timestamp, alert: Alert, key: String, text: String) -> Result<(), StoreError> {
    let raised = format!("{}/{key}", alert.name());
    if tx.doc(Shelf::Alert, &raised)?.is_some() {
        return Ok(());
    }
    let document = Raised { alert: alert.name().to_owned(), key, text, at: now, sent: None };
    put(tx, &raised, &document)?;
    queue::enqueue(tx, now, Task::Alert { raised })
}

fn put(tx: &mut Tx<'_>, key: &str, document: &Raised) -> Result<(), StoreError> {
    let text = serde_json::to_string(document).map_err(|error| unreadable(&error))?;
    tx.put_doc(Shelf::Alert, key, &text)
}

fn read(tx: &mut Tx<'_>, key: &str) -> Result<Option<Raised>, StoreError> {
    Ok(tx.doc(Shelf::Alert, key)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// All alerts that were raised, the newest first.
///
/// # Errors
/// The store's.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Raised>, StoreError> {
    let documents = tx.docs(Shelf::Alert, "")?;
    let mut all: Vec<Raised> = documents.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| (&a.alert, &a.key).cmp(&(&b.alert, &b.key))));
    Ok(all)
}

/// What is posted for an alert.
pub(super) fn posted(tx: &mut Tx<'_>, key: &str) -> Result<Option<Posted>, StoreError> {
    let posted =
        |raised: Raised| Posted { alert: raised.alert, key: raised.key, text: raised.text, at: raised.at.to_string() };
    Ok(read(tx, key)?.map(posted))
}

/// The receiver has it.
pub(super) fn sent(tx: &mut Tx<'_>, now: Timestamp, key: &str) -> Result<(), StoreError> {
    match read(tx, key)? {
        Some(raised) => put(tx, key, &Raised { sent: Some(now), ..raised }),
        None => Ok(()),
    }
}

/// Watches what an event brings. `new` says that Stripe had told nothing of this customer before.
pub(super) fn watch(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    (reading, party, new): (&Reading, &str, bool),
    account: Option<&Account>,
) -> Result<(), StoreError> {
    let Some(alerting) = settings.alerting else { return Ok(()) };
    let subscribes =
        reading.facts.iter().any(|fact| matches!(fact, Fact::Bill(_, bill) if bill.subscription.is_some()));
    for fact in &reading.facts {
        if let Fact::Checkout { session, end: CheckoutEnd::Paid | CheckoutEnd::Free } = fact
            && subscribes
        {
            queue::schedule(tx, now + alerting.activation_within, Task::Activation { session: session.clone() })?;
        }
    }
    let doubled = new && account.is_some_and(|account| account.customers().count() > 1);
    if doubled { duplicate(tx, now, party) } else { Ok(()) }
}

/// One more customer who is there already: another Stripe customer of one account, or a second contact of one person.
pub(super) fn duplicate(tx: &mut Tx<'_>, now: Timestamp, which: &str) -> Result<(), StoreError> {
    let day: String = now.to_string().chars().take(10).collect();
    let prefix = format!("duplicate/{day}/");
    tx.put_doc(Shelf::Counter, &format!("{prefix}{which}"), "1")?;
    let count = tx.docs(Shelf::Counter, &prefix)?.len();
    if count <= MOST_DUPLICATES {
        return Ok(());
    }
    let text = format!("more than {MOST_DUPLICATES} duplicate customers on {day}, the last: {which}");
    raise(tx, now, Alert::DuplicateCustomers, day, text)
}

/// The time is over: is there access, or is it over again by Stripe's word?
pub(super) fn activation(tx: &mut Tx<'_>, now: Timestamp, session: &str) -> Result<(), StoreError> {
    let party = tx.linked(Identity::Session, session)?.into_iter().next();
    let account = match &party {
        Some(party) => super::account::of_party(tx, party)?,
        None => None,
    };
    let ended = |account: &Account| {
        account.access() || account.is_refunded() || matches!(account.status(), "canceled" | "incomplete_expired")
    };
    if account.as_ref().is_some_and(ended) {
        return Ok(());
    }
    let customer = party.as_deref().unwrap_or("unknown");
    let text = format!("Checkout {session} of {customer} is completed, and there is no access");
    raise(tx, now, Alert::ActivationLate, session.to_owned(), text)
}

/// How a delivery was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Taken in.
    Well,
    /// Not, by the service's own fault.
    Failed,
    /// Not, for its signature does not fit.
    Refused,
}

/// Answers of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Minute {
    well: u64,
    failed: u64,
    refused: u64,
}

impl Minute {
    fn add(&mut self, other: Self) {
        self.well += other.well;
        self.failed += other.failed;
        self.refused += other.refused;
    }
}

/// What the process has counted and the store does not know yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    minutes: BTreeMap<i64, Minute>,
    since: Option<Timestamp>,
}

impl Tally {
    /// Nothing counted.
    pub const fn new() -> Self {
        Self { minutes: BTreeMap::new(), since: None }
    }

    /// Counts answers.
    pub fn note(&mut self, now: Timestamp, answered: Answered, number: u64) {
        if number == 0 {
            return;
        }
        self.since.get_or_insert(now);
        let minute = self.minutes.entry(minute_of(now)).or_default();
        match answered {
            Answered::Well => minute.well += number,
            Answered::Failed => minute.failed += number,
            Answered::Refused => minute.refused += number,
        }
        // A store that is down for hours must not make the process grow.
        while self.minutes.len() > usize::try_from(WINDOW_MINUTES + 1).unwrap_or(usize::MAX) {
            self.minutes.pop_first();
        }
    }

    /// Whether it should reach the store now: failures at once, successes now and then.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let troubled = self.minutes.values().any(|minute| minute.failed + minute.refused > 0);
        troubled || self.since.is_some_and(|since| now.since(since) >= KEPT)
    }

    /// Adds it to the store's counts, and raises the alert that they ask for.
    ///
    /// # Errors
    /// The store's; nothing was added then.
    pub fn write(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut all: BTreeMap<i64, Minute> = BTreeMap::new();
        let first = minute_of(now) - WINDOW_MINUTES;
        for (key, text) in tx.docs(Shelf::Counter, "webhook/")? {
            let minute = key.rsplit('/').next().and_then(|text| text.parse().ok());
            match minute.filter(|minute| *minute > first) {
                Some(minute) => drop(all.insert(minute, serde_json::from_str(&text).unwrap_or_default())),
                None => tx.remove_doc(Shelf::Counter, &key)?,
            }
        }
        for (minute, counted) in self.minutes.range(first + 1..) {
            let sum = all.entry(*minute).or_default();
            sum.add(*counted);
            let text = serde_json::to_string(sum).map_err(|error| unreadable(&error))?;
            tx.put_doc(Shelf::Counter, &format!("webhook/{minute:012}"), &text)?;
        }
        let mut window = Minute::default();
        all.values().for_each(|minute| window.add(*minute));
        failing(tx, now, window)
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.secs().div_euclid(60)
}

/// What the counts of a window say, if they say anything. Bad signatures alone are a stranger's doing; where nothing else
/// comes at all, it is the secret that is wrong.
fn failing(tx: &mut Tx<'_>, now: Timestamp, window: Minute) -> Result<(), StoreError> {
    let deaf = window.well + window.failed == 0;
    let failed = if deaf { window.refused } else { window.failed };
    let all = if deaf { window.refused } else { window.well + window.failed };
    if failed < LEAST_FAILURES || failed * TOLERATED <= all {
        return Ok(());
    }
    // The same failures stay in the window for its whole length: they are told once.
    let last = tx.docs(Shelf::Alert, &format!("{}/", Alert::WebhookFailures.name()))?.pop();
    let last = last.and_then(|(_, text)| serde_json::from_str::<Raised>(&text).ok());
    let window_secs = u64::try_from(WINDOW_MINUTES * 60).unwrap_or(0);
    if last.is_some_and(|last| now.since(last.at) < Duration::from_secs(window_secs)) {
        return Ok(());
    }
    let why = if deaf { ": no signature fits, so the webhook secret may be wrong" } else { "" };
    let text = format!("{failed} of {all} webhooks failed within {WINDOW_MINUTES} minutes{why}");
    raise(tx, now, Alert::WebhookFailures, format!("{:012}", minute_of(now)), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::store::Store;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Counts at each second so many good, failed and refused ones; gives what was raised.
    fn raised(counts: &[(i64, u64, u64, u64)]) -> Vec<Raised> {
        let mut store = Store::memory();
        for (secs, well, failed, refused) in counts {
            let mut tally = Tally::default();
            for (answered, number) in [(Answered::Well, well), (Answered::Failed, failed), (Answered::Refused, refused)]
            {
                tally.note(at(*secs), answered, *number);
            }
            store.transact(|tx| tally.write(tx, at(*secs))).expect("written");
        }
        store.transact(all).expect("read")
    }

    #[test]
    fn more_than_one_per_cent_and_enough_of_them_are_told_once_a_window() {
        assert_eq!(raised(&[(0, 3, 1, 0)]), [], "one of four is bad luck");
        assert_eq!(raised(&[(0, 500, 0, 0), (60, 0, 5, 0)]), [], "5 of 505 are less than one per cent");
        assert_eq!(raised(&[(0, 495, 0, 0), (60, 0, 5, 0)]), [], "one per cent is not above it");
        assert_eq!(raised(&[(0, 494, 0, 0), (60, 0, 5, 0)]).len(), 1);
        assert_eq!(raised(&[(0, 0, 5, 0), (60, 0, 5, 0), (840, 0, 1, 0)]).len(), 1, "told already");
        assert_eq!(raised(&[(0, 0, 5, 0), (1000, 100, 4, 0)]).len(), 1, "what is old does not count");
        assert_eq!(raised(&[(0, 0, 5, 0), (1000, 100, 5, 0)]).len(), 2);
    }

    #[test]
    fn bad_signatures_count_only_where_nothing_else_comes() {
        assert_eq!(raised(&[(0, 1, 0, 500)]), []);
        let deaf = raised(&[(0, 0, 0, 5)]);
        assert!(deaf[0].text.contains("secret"), "{deaf:?}");
    }

    #[test]
    fn a_tally_is_due_at_once_with_failures_and_keeps_a_window_at_most() {
        let mut tally = Tally::default();
        tally.note(at(0), Answered::Well, 1);
        assert!(!tally.is_due(at(9)) && tally.is_due(at(10)));
        tally.note(at(1), Answered::Failed, 1);
        assert!(tally.is_due(at(1)));
        (0..100).for_each(|minute| tally.note(at(minute * 60), Answered::Failed, 1));
        assert_eq!(tally.minutes.len(), 16);
    }

    #[test]
    fn the_fourth_duplicate_of_a_day_is_told_once() {
        let mut store = Store::memory();
        let mut add = |secs: i64, which: &str| {
            store.transact(|tx| duplicate(tx, at(secs), which)).expect("counted");
            store.transact(all).expect("read").len()
        };
        let day = 86_400;
        for which in ["cus_1", "cus_2", "cus_3", "cus_3"] {
            assert_eq!(add(10, which), 0);
        }
        assert_eq!((add(11, "cus_4"), add(12, "cus_5"), add(day, "cus_6")), (1, 1, 1));
    }
}
