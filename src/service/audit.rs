//! What Stripe, own state, CRM and desk hold of one person, compared; and what came of it, for those who operate the service.
//!
//! Must not know: HTTP, clocks, jobs but the one that compares.

use super::{
    account::{self, Account},
    config::Settings,
    job::{Job, JobState, Task},
    reconcile::Progress,
    store::{Shelf, StoreError, Tx},
    upstream::{ContactSeen, Fields, Look, Seen, TicketSeen},
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a disagreement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Stripe's subscriptions.
    Stripe,
    /// Contacts of the CRM.
    Crm,
    /// Tickets of the desk.
    Desk,
}

/// What kind of disagreement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One side does not have it.
    Missing,
    /// Both have it, with different values.
    Mismatched,
    /// There are several.
    Duplicated,
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Where.
    pub place: Place,
    /// Of what kind.
    pub kind: Kind,
    /// About what: `contact`, `contact 12: plan`, `subscription sub_1`, `ticket invoice:in_1`.
    pub what: String,
    /// What our own state says; absent when it has nothing.
    pub ours: Option<String>,
    /// What the peer holds; absent when it has nothing.
    pub theirs: Option<String>,
}

/// The disagreements of one customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stripe customer id, or the party's.
    pub customer: String,
    /// All that were there at the last comparison.
    pub disagreements: Vec<Disagreement>,
    /// When the first of them was seen.
    pub first_seen: Timestamp,
    /// When they were seen last.
    pub last_seen: Timestamp,
}

/// What is expected of the peers, from our own state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Stripe customers, each with its subscriptions and their status.
    pub customers: BTreeMap<String, BTreeMap<String, String>>,
    /// E-mails that have a contact, each with its id in the CRM.
    pub contacts: BTreeMap<String, Option<String>>,
    /// What each contact should say.
    pub fields: Fields,
    /// Keys of the tickets that must be there.
    pub tickets: Vec<String>,
}

/// Finding, keyed as it is stored: by the first party of the account, which stays the same while it grows.
pub(super) fn key_of(account: &Account) -> String {
    account.parties.keys().next().cloned().unwrap_or_default()
}

/// What is expected of an account's peers. What a job still has to bring there is not expected yet.
///
/// # Errors
/// The store's.
pub fn expected(tx: &mut Tx<'_>, account: &Account) -> Result<Expected, StoreError> {
    let mut expected = Expected { fields: account.fields(), ..Expected::default() };
    for customer in account.customers() {
        let party = account.parties.get(customer);
        let subscriptions = party.into_iter().flat_map(|party| &party.subscriptions);
        let statuses = subscriptions.map(|(id, subscription)| (id.to_string(), subscription.status().to_owned()));
        expected.customers.insert(customer.to_owned(), statuses.collect());
    }
    for email in account.contact_emails(tx)? {
        if !is_pending(tx, &Task::Contact { email: email.clone() })? {
            let id = tx.contact(&email)?.and_then(|row| row.id);
            expected.contacts.insert(email, id);
        }
    }
    for invoice in account.failed() {
        let task = Task::Ticket { invoice: invoice.clone(), party: String::new(), nonce: None };
        if tx.job_by_key(&task.key())?.is_some_and(|job| job.state == JobState::Done) {
            expected.tickets.push(task.external_id());
        }
    }
    Ok(expected)
}

fn is_pending(tx: &mut Tx<'_>, task: &Task) -> Result<bool, StoreError> {
    Ok(tx.job_by_key(&task.key())?.is_some_and(|job| job.is_pending()))
}

/// What to look at so that an account can be compared, in order.
pub fn looks(expected: &Expected, settings: &Settings) -> Vec<Look> {
    let customers: Vec<String> = expected.customers.keys().cloned().collect();
    let subscriptions = customers.iter().filter(|_| settings.stripe);
    let subscriptions = subscriptions.map(|customer| Look::Subscriptions { customer: customer.clone() });
    let contacts = expected.contacts.keys();
    let contacts = contacts.map(|email| Look::Contacts { email: email.clone(), customers: customers.clone() });
    let tickets = expected.tickets.iter().map(|key| Look::Tickets { external_id: key.clone() });
    subscriptions.chain(contacts).chain(tickets).collect()
}

/// Compares what was expected with what was seen; a look that was not made says nothing.
pub fn compare(expected: &Expected, seen: &[(Look, Seen)]) -> Vec<Disagreement> {
    let mut all = Vec::new();
    for (look, seen) in seen {
        match (look, seen) {
            (Look::Subscriptions { customer }, Seen::Subscriptions(theirs)) => {
                let Some(ours) = expected.customers.get(customer) else { continue };
                let theirs = theirs
                    .as_ref()
                    .map(|all| all.iter().map(|one| (one.id.clone(), one.status.clone())).collect::<BTreeMap<_, _>>());
                subscriptions(&mut all, customer, ours, theirs.as_ref());
            }
            (Look::Contacts { email, .. }, Seen::Contacts(theirs)) => contacts(&mut all, expected, email, theirs),
            (Look::Tickets { external_id }, Seen::Tickets(seen)) => tickets(&mut all, external_id, seen),
            _ => {}
        }
    }
    all
}

fn disagree(place: Place, what: String, ours: Option<&str>, theirs: Option<&str>) -> Disagreement {
    let kind = if ours.is_some() && theirs.is_some() { Kind::Mismatched } else { Kind::Missing };
    Disagreement { place, kind, what, ours: ours.map(str::to_owned), theirs: theirs.map(str::to_owned) }
}

fn subscriptions(
    all: &mut Vec<Disagreement>,
    customer: &str,
    ours: &BTreeMap<String, String>,
    theirs: Option<&BTreeMap<String, String>>,
) {
    let Some(theirs) = theirs else {
        return all.push(disagree(Place::Stripe, format!("customer {customer}"), Some("known"), None));
    };
    let ids: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for id in ids {
        // A subscription of which only payments are known so far has no status of its own.
        let our = ours.get(id).map(String::as_str).filter(|status| *status != "none");
        let their = theirs.get(id).map(String::as_str);
        if our != their {
            all.push(disagree(Place::Stripe, format!("subscription {id}"), our, their));
        }
    }
}

fn contacts(all: &mut Vec<Disagreement>, expected: &Expected, email: &str, theirs: &[ContactSeen]) {
    let id = expected.contacts.get(email).and_then(Option::as_ref);
    if theirs.len() > 1 {
        let ids: Vec<&str> = theirs.iter().map(|contact| contact.id.as_str()).collect();
        all.push(Disagreement {
            place: Place::Crm,
            kind: Kind::Duplicated,
            what: "contact".to_owned(),
            ours: Some(id.cloned().unwrap_or_else(|| "one".to_owned())),
            theirs: Some(ids.join(", ")),
        });
    }
    let held = theirs.iter().find(|contact| id.is_none_or(|id| contact.id == *id));
    let Some(held) = held else {
        return all.push(disagree(Place::Crm, "contact".to_owned(), Some(id.map_or("due", String::as_str)), None));
    };
    for (name, ours) in &expected.fields {
        let their = held.properties.get(name).map(String::as_str).filter(|text| !text.is_empty());
        if their != Some(ours) {
            all.push(disagree(Place::Crm, format!("contact {}: {name}", held.id), Some(ours), their));
        }
    }
}

fn tickets(all: &mut Vec<Disagreement>, key: &str, seen: &[TicketSeen]) {
    let what = format!("ticket {key}");
    match seen {
        [] => all.push(disagree(Place::Desk, what, Some("opened"), None)),
        [_] => {}
        several => all.push(Disagreement {
            place: Place::Desk,
            kind: Kind::Duplicated,
            what,
            ours: Some("one".to_owned()),
            theirs: Some(several.iter().map(|ticket| ticket.id.as_str()).collect::<Vec<_>>().join(", ")),
        }),
    }
}

/// Key of the document of the round.
const ROUND: &str = "audit";

/// Prefix of the documents that say when a customer was compared.
const COMPARED: &str = "compared/";

/// Where the comparison stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    /// The last party that was looked at.
    pub(super) position: Option<String>,
    /// The account that is being compared, by one of its parties.
    pub(super) party: Option<String>,
    /// What was seen of it so far.
    pub(super) seen: Vec<Seen>,
    /// Accounts still to compare in this round.
    pub(super) left: u32,
    /// A full round was asked for and is not over yet.
    pub(super) full: bool,
    /// When a round over all customers ended last.
    pub(super) whole: Option<Timestamp>,
    /// Comparisons that could not be made since then, and why the last one could not.
    pub(super) failed: u64,
    pub(super) why: Option<String>,
}

fn refused(error: &serde_json::Error) -> StoreError {
    StoreError::Refuse(error.to_string())
}

impl Round {
    pub(super) fn read(tx: &mut Tx<'_>) -> Result<Self, StoreError> {
        Ok(tx.doc(Shelf::Cursor, ROUND)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub(super) fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).map_err(|error| refused(&error))?;
        tx.put_doc(Shelf::Cursor, ROUND, &text)
    }
}

/// Writes what a comparison found, or takes a finding away that has healed.
pub(super) fn note(
    tx: &mut Tx<'_>,
    now: Timestamp,
    account: &Account,
    disagreements: Vec<Disagreement>,
) -> Result<(), StoreError> {
    let key = key_of(account);
    tx.put_doc(Shelf::Cursor, &format!("{COMPARED}{key}"), &now.millis().to_string())?;
    // Accounts that have become one since are one finding.
    for other in account.parties.keys().filter(|other| **other != key) {
        tx.remove_doc(Shelf::Finding, other)?;
        tx.remove_doc(Shelf::Cursor, &format!("{COMPARED}{other}"))?;
    }
    if disagreements.is_empty() {
        return tx.remove_doc(Shelf::Finding, &key);
    }
    let before = tx.doc(Shelf::Finding, &key)?.and_then(|text| serde_json::from_str::<Finding>(&text).ok());
    let finding = Finding {
        customer: account.customer().unwrap_or(&key).to_owned(),
        disagreements,
        first_seen: before.map_or(now, |before| before.first_seen),
        last_seen: now,
    };
    let text = serde_json::to_string(&finding).map_err(|error| refused(&error))?;
    tx.put_doc(Shelf::Finding, &key, &text)
}

/// Reconciliation, as those who operate the service see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileView {
    /// When the last round ended, UTC.
    pub ended: Option<String>,
    /// Failed calls since the last good one.
    pub failures: u32,
    /// Events that had not arrived and were taken from Stripe's list.
    pub repaired: u64,
    /// Entries that were passed over.
    pub skipped: u64,
}

/// What the comparison has found, as `GET /internal/audit` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Customers in disagreement.
    pub findings: Vec<Finding>,
    /// When each customer was compared last, UTC.
    pub compared: BTreeMap<String, String>,
    /// Customers that were never compared.
    pub never: u64,
    /// When a comparison of all customers ended last, milliseconds since 1970.
    pub whole_ms: Option<i64>,
    /// Whether one that was asked for is under way.
    pub running: bool,
    /// Comparisons of that one that could not be made.
    pub failed: u64,
    /// Why the last of them could not.
    pub why: Option<String>,
    /// How reconciliation fares.
    pub reconcile: ReconcileView,
}

/// What the comparison has found.
///
/// # Errors
/// The store's.
pub fn view(tx: &mut Tx<'_>) -> Result<AuditView, StoreError> {
    let findings = tx.docs(Shelf::Finding, "")?;
    let findings = findings.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
    let mut compared = BTreeMap::new();
    for (key, text) in tx.docs(Shelf::Cursor, COMPARED)? {
        let at = Timestamp::from_millis(text.parse().unwrap_or_default());
        compared.insert(key[COMPARED.len()..].to_owned(), at.to_string());
    }
    let mut never = 0;
    for id in tx.party_ids()? {
        if compared.contains_key(&id) {
            continue;
        }
        let account = account::of_party(tx, &id)?.filter(Account::is_from_stripe);
        never += u64::from(account.is_some_and(|account| key_of(&account) == id));
    }
    let round = Round::read(tx)?;
    let Progress { failures, ended, repaired, skipped, .. } = Progress::read(tx)?;
    let ended = ended.map(|at| at.to_string());
    Ok(AuditView {
        findings,
        compared,
        never,
        whole_ms: round.whole.map(Timestamp::millis),
        running: round.full,
        failed: round.failed,
        why: round.why,
        reconcile: ReconcileView { ended, failures, repaired, skipped },
    })
}

/// Asks for a comparison of every customer, now.
///
/// # Errors
/// The store's.
pub fn ask(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
    let before = Round::read(tx)?;
    Round { full: true, whole: before.whole, ..Round::default() }.write(tx)?;
    match tx.job_by_key(&Task::Audit.key())? {
        Some(mut job) => {
            job.restart(now);
            tx.put_job(&job)
        }
        None => {
            let id = tx.next_job_id()?;
            tx.put_job(&Job::new(id, Task::Audit, now))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::upstream::SubscriptionSeen;

    fn expected() -> Expected {
        Expected {
            customers: [("cus_1".to_owned(), [("sub_1".to_owned(), "active".to_owned())].into())].into(),
            contacts: [("ada@x".to_owned(), Some("7".to_owned()))].into(),
            fields: [("plan".to_owned(), "pro".to_owned())].into(),
            tickets: vec!["invoice:in_1".to_owned()],
        }
    }

    fn ticket(id: &str) -> TicketSeen {
        TicketSeen { id: id.to_owned(), solved_at: None }
    }

    fn contact(id: &str, plan: &str) -> ContactSeen {
        ContactSeen { id: id.to_owned(), properties: [("plan".to_owned(), plan.to_owned())].into() }
    }

    fn told(seen: [Seen; 3]) -> Vec<(Place, Kind, String)> {
        let settings = Settings { stripe: true, ..Settings::default() };
        let looks = looks(&expected(), &settings);
        let seen: Vec<_> = looks.into_iter().zip(seen).collect();
        compare(&expected(), &seen).into_iter().map(|one| (one.place, one.kind, one.what)).collect()
    }

    fn agreeing() -> [Seen; 3] {
        let subscription = SubscriptionSeen { id: "sub_1".into(), status: "active".into() };
        [
            Seen::Subscriptions(Some(vec![subscription])),
            Seen::Contacts(vec![contact("7", "pro")]),
            Seen::Tickets(vec![ticket("1")]),
        ]
    }

    #[test]
    fn those_who_agree_say_nothing() {
        assert_eq!(told(agreeing()), []);
    }

    #[test]
    fn what_is_missing_mismatched_or_doubled_is_told_with_its_place() {
        let with = |at: usize, seen: Seen| {
            let mut all = agreeing();
            all[at] = seen;
            told(all)
        };
        let one = |place, kind, what: &str| vec![(place, kind, what.to_owned())];
        assert_eq!(with(0, Seen::Subscriptions(None)), one(Place::Stripe, Kind::Missing, "customer cus_1"));
        let none = Seen::Subscriptions(Some(vec![]));
        assert_eq!(with(0, none), one(Place::Stripe, Kind::Missing, "subscription sub_1"));
        let other = SubscriptionSeen { id: "sub_1".into(), status: "canceled".into() };
        let other = Seen::Subscriptions(Some(vec![other]));
        assert_eq!(with(0, other), one(Place::Stripe, Kind::Mismatched, "subscription sub_1"));
        assert_eq!(with(1, Seen::Contacts(vec![])), one(Place::Crm, Kind::Missing, "contact"));
        let stale = Seen::Contacts(vec![contact("7", "free")]);
        assert_eq!(with(1, stale), one(Place::Crm, Kind::Mismatched, "contact 7: plan"));
        let two = Seen::Contacts(vec![contact("7", "pro"), contact("9", "free")]);
        assert_eq!(with(1, two), one(Place::Crm, Kind::Duplicated, "contact"));
        assert_eq!(with(2, Seen::Tickets(vec![])), one(Place::Desk, Kind::Missing, "ticket invoice:in_1"));
        let two = Seen::Tickets(vec![ticket("1"), ticket("2")]);
        assert_eq!(with(2, two), one(Place::Desk, Kind::Duplicated, "ticket invoice:in_1"));
    }
}
