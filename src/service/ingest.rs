//! One event into the store: the event, the state that it changes and the jobs that follow, in one transaction.
//!
//! Must not know: HTTP, signatures, clocks, downstream services.

use super::{
    account::{self, Account, bonds},
    alerts,
    config::Settings,
    core::Incoming,
    defects::Defect,
    job::{FollowUp, Job, Task},
    known, objection, queue, race,
    reading::{self, CheckoutEnd, Fact, PAYMENT_PARTY, Reading},
    snapshot::Subscription,
    state::Party,
    store::{ContactRow, Identity, StoreError, Tx},
    trail,
};
use crate::{stripe::event::Event, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event was known already; nothing was done.
    pub duplicate: bool,
}

/// The parts of taking an event in. The sound service does all in one transaction; some defects tear them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Stop when the event is known.
    pub check: bool,
    /// Write the event.
    pub mark: bool,
    /// Change the state.
    pub apply: bool,
    /// Write the jobs.
    pub jobs: bool,
    /// Its customer was not known when this event came.
    pub first: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Self = Self { check: true, mark: true, apply: true, jobs: true, first: false };

    /// Only the look whether the event is known.
    pub const NONE: Self = Self { check: true, mark: false, apply: false, jobs: false, first: false };
}

/// Takes one event in. A known one changes nothing: its first delivery committed all of this.
///
/// # Errors
/// The store's; nothing is kept then, and the delivery must not be acknowledged.
pub fn ingest(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    incoming: &Incoming,
    parts: Parts,
) -> Result<Accepted, StoreError> {
    let event = &incoming.event;
    let id = event.id.as_str();
    let (deliveries, before) = match parts.mark {
        true => tx.record_event(event, now).map(|deliveries| (deliveries, deliveries.saturating_sub(1)))?,
        false => tx.deliveries(id).map(|deliveries| (deliveries, deliveries))?,
    };
    if parts.check && known::is_known(tx, now, incoming, before, &settings.defects)? {
        return Ok(Accepted { duplicate: true });
    }
    if parts.mark {
        known::note(tx, now, incoming, &settings.defects)?;
    }
    let reading = incoming.reading(&settings.defects);
    if let Some(why) = objection::to(event, reading, settings) {
        return Err(StoreError::Refuse(why.to_owned()));
    }
    if is_foreign(event, settings) {
        return Ok(Accepted { duplicate: false });
    }
    let Some(reading) = reading else { return Ok(Accepted { duplicate: false }) };
    let repeat = parts.mark && deliveries > 1;
    let (party, strays) = bonds::home(tx, &reading.payments, &reading.party)?;
    let parts = race::run(tx, &party, event, parts, &settings.defects)?;
    let mut disputes: BTreeSet<String> = BTreeSet::new();
    let new = settings.alerting.is_some() && tx.party(&party)?.is_none_or(|party| !party.from_stripe);
    let before = parts.apply.then(|| account::of_party(tx, &party)).transpose()?;
    if parts.apply {
        disputes.extend(learn(tx, reading, &party, strays, event.created, repeat, settings)?);
    }
    let account = account::of_party(tx, &party)?;
    // A payment that nobody is known for is nobody's state.
    if let Some(before) = before.as_ref().filter(|_| !party.starts_with(PAYMENT_PARTY)) {
        trail::note(tx, now, id, &party, before.as_ref(), account.as_ref())?;
    }
    if parts.jobs {
        let nonce = repeat.then(|| deliveries.to_string());
        // `before` is not known where a defect tears the parts asunder.
        let news = reading.is_dealing()
            || before.is_none_or(|before| for_the_crm(before.as_ref()) != for_the_crm(account.as_ref()));
        if news {
            enqueue_contacts(tx, now, settings, event, reading, account.as_ref(), nonce.as_deref())?;
        }
        enqueue_tickets(tx, now, reading, &party, nonce)?;
        enqueue_disputes(tx, now, reading, &party, disputes)?;
        enqueue_follow_ups(tx, now, reading, &party)?;
        if reading.facts.iter().any(is_bought) {
            watch_onboarding(tx, now, settings, &party)?;
        }
        alerts::watch(tx, now, settings, (reading, &party, new), account.as_ref())?;
    }
    Ok(Accepted { duplicate: false })
}

/// Another mode's or a connected account's event: stored and acknowledged, never applied (bug class 63).
pub(super) fn is_foreign(event: &Event, settings: &Settings) -> bool {
    let has = |defect| settings.defects.has(defect);
    let other_account = event.account.is_some() && !has(Defect::AccountNotChecked);
    let other_mode = settings.livemode.is_some_and(|mode| mode != event.livemode) && !has(Defect::LivemodeNotChecked);
    other_account || other_mode
}

/// Adds what an event says to the facts of `home`, with what `strays` had kept about its payments; answers the disputes that
/// came with these.
fn learn(
    tx: &mut Tx<'_>,
    reading: &Reading,
    home: &str,
    strays: BTreeSet<String>,
    at: i64,
    repeat: bool,
    settings: &Settings,
) -> Result<Vec<String>, StoreError> {
    let mut party = tx.party(home)?.map(Arc::unwrap_or_clone).unwrap_or_default();
    let mut disputes = Vec::new();
    for stray in strays {
        let Some(kept) = tx.party(&stray)? else { continue };
        disputes.extend(kept.ledger.disputes.keys().cloned());
        party.adopt(&kept);
        tx.put_party(&stray, &Party { moved: Some(home.to_owned()), ..Party::default() })?;
    }
    party.learn(reading, at, repeat, &settings.defects);
    tx.put_party(home, &party)?;
    let single = [
        (Identity::User, &reading.user),
        (Identity::Email, &reading.email),
        (Identity::Chat, &reading.chat),
        (Identity::Session, &reading.session),
    ];
    let single = single.into_iter().filter_map(|(identity, key)| Some((identity, key.as_ref()?)));
    for (identity, key) in single.chain(reading.payments.iter().map(|payment| (Identity::Payment, payment))) {
        tx.link(identity, key, home)?;
    }
    Ok(disputes)
}

/// What the CRM is told of an account: our fields, and the e-mails that may be a contact's.
fn for_the_crm(account: Option<&Account>) -> Option<(BTreeMap<String, String>, Vec<&str>)> {
    account.filter(|account| account.is_from_stripe()).map(|account| (account.fields(), account.emails()))
}

fn enqueue_contacts(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    event: &Event,
    reading: &Reading,
    account: Option<&Account>,
    nonce: Option<&str>,
) -> Result<(), StoreError> {
    let emails = match account {
        Some(account) if account.is_from_stripe() => account.contact_emails(tx)?,
        Some(_) => Vec::new(),
        None => reading.email.iter().cloned().collect(),
    };
    if !settings.defects.has(Defect::ContactOnEveryEvent) {
        return reserve_contacts(tx, now, emails);
    }
    for email in emails {
        let event = format!("{}{}", event.id, nonce.unwrap_or_default());
        queue::enqueue(tx, now, Task::LooseContact { email, event })?;
    }
    Ok(())
}

/// One ticket for each invoice that failed.
fn enqueue_tickets(
    tx: &mut Tx<'_>,
    now: Timestamp,
    reading: &Reading,
    party: &str,
    nonce: Option<String>,
) -> Result<(), StoreError> {
    for fact in &reading.facts {
        if let Fact::InvoiceFailed(invoice) = fact {
            let task = Task::Ticket { invoice: invoice.clone(), party: party.to_owned(), nonce: nonce.clone() };
            queue::enqueue(tx, now, task)?;
        }
    }
    Ok(())
}

/// Whether a contact that follows from an event is still to be brought in line (deliberate defect 41).
///
/// # Errors
/// The store's.
pub(super) fn awaits_crm(tx: &mut Tx<'_>, settings: &Settings, incoming: &Incoming) -> Result<bool, StoreError> {
    let Some(reading) = incoming.reading(&settings.defects) else { return Ok(false) };
    let Some(account) = account::of_party(tx, &reading.party)? else { return Ok(false) };
    let mut waits = false;
    for email in account.contact_emails(tx)? {
        waits |= tx.job_by_key(&Task::Contact { email }.key())?.is_some_and(|job: Job| job.is_pending());
    }
    Ok(waits)
}

/// How long a dispute waits for somebody to say whose payment it is, before its ticket is opened without a name.
const NAMELESS: Duration = Duration::from_secs(300);

/// One ticket a dispute, whichever of its events comes first; at the latest when its customer is known.
fn enqueue_disputes(
    tx: &mut Tx<'_>,
    now: Timestamp,
    reading: &Reading,
    party: &str,
    mut disputes: BTreeSet<String>,
) -> Result<(), StoreError> {
    for fact in &reading.facts {
        if let Fact::Dispute(id, _) = fact {
            disputes.insert(id.clone());
        }
    }
    for dispute in disputes {
        let task = Task::Dispute { dispute, party: party.to_owned() };
        if party.starts_with(PAYMENT_PARTY) {
            queue::schedule(tx, now + NAMELESS, task)?;
        } else {
            queue::enqueue(tx, now, task)?;
        }
    }
    Ok(())
}

/// One task in the CRM for each subscription that ends and for each invoice that fails.
fn enqueue_follow_ups(tx: &mut Tx<'_>, now: Timestamp, reading: &Reading, party: &str) -> Result<(), StoreError> {
    let ends = |fact: &Fact| matches!(fact, Fact::Subscription(..) | Fact::Deleted(_));
    let facts = reading.facts.iter().any(ends).then(|| tx.party(party)).transpose()?.flatten();
    let mut about = Vec::new();
    for fact in &reading.facts {
        if let Fact::InvoiceFailed(invoice) = fact {
            about.push(FollowUp::FailedPayment(invoice.clone()));
        }
    }
    if let Some(facts) = facts {
        let ended = |subscription: &Subscription| facts.deleted.is_some() || subscription.status() == "canceled";
        let ended = facts.subscriptions.iter().filter(|(_, subscription)| ended(subscription));
        about.extend(ended.map(|(id, _)| FollowUp::Churn(id.clone())));
    }
    for about in about {
        queue::enqueue(tx, now, Task::FollowUp { about, party: party.to_owned() })?;
    }
    Ok(())
}

fn is_bought(fact: &Fact) -> bool {
    matches!(fact, Fact::Checkout { end: CheckoutEnd::Free | CheckoutEnd::Paid, .. })
}

/// Whoever has begun is looked at again when they should be active. Those who are already, too: what is queued must not depend
/// on the order of events.
fn watch_onboarding(tx: &mut Tx<'_>, now: Timestamp, settings: &Settings, party: &str) -> Result<(), StoreError> {
    queue::schedule(tx, now + settings.onboarding_after, Task::Onboarding { party: party.to_owned() })
}

/// The contact rows are made here, not by the worker: from now on the account keeps to these e-mails, so that another one,
/// learned before the first call, does not become a second contact.
fn reserve_contacts(tx: &mut Tx<'_>, now: Timestamp, emails: Vec<String>) -> Result<(), StoreError> {
    for email in emails {
        if tx.contact(&email)?.is_none() {
            tx.put_contact(&email, &ContactRow::default())?;
        }
        queue::enqueue(tx, now, Task::Contact { email })?;
    }
    Ok(())
}

/// A person chats without having signed up: answers whether the session is new.
///
/// The session is the app's word for who somebody is, as a user id is: it must not be guessable, and a new one begins when a
/// person signs out. Ids begin with [`reading::CHAT_PREFIX`] where they are to be known in a `client_reference_id`.
///
/// # Errors
/// The store's.
pub fn chat_started(tx: &mut Tx<'_>, now: Timestamp, chat: &str) -> Result<bool, StoreError> {
    let id = reading::chat_party(chat);
    let before = account::of_party(tx, &id)?;
    if before.is_some() {
        return Ok(false);
    }
    tx.put_party(&id, &Party { chats: BTreeSet::from([chat.to_owned()]), ..Party::default() })?;
    tx.link(Identity::Chat, chat, &id)?;
    let after = account::of_party(tx, &id)?;
    trail::note(tx, now, "chat", &id, None, after.as_ref())?;
    Ok(true)
}

/// A person signs up, maybe after an anonymous chat in the same browser: answers whether they are new. Signing up again
/// changes nothing but what is told newly.
///
/// # Errors
/// The store's.
pub fn sign_up(
    tx: &mut Tx<'_>,
    now: Timestamp,
    settings: &Settings,
    user: &str,
    email: &str,
    chat: Option<&str>,
) -> Result<bool, StoreError> {
    let (id, email) = (reading::user_party(user), reading::fold_email(email));
    if let Some(chat) = chat {
        chat_started(tx, now, chat)?;
    }
    let known = tx.party(&id)?;
    // A party may be there from Stripe before the person has signed up.
    let new = known.as_ref().is_none_or(|party| party.own_emails.is_empty());
    let before = account::of_party(tx, &id)?;
    let mut party: Party = known.map(Arc::unwrap_or_clone).unwrap_or_default();
    party.signed_up(user, &email, chat, now.secs());
    tx.put_party(&id, &party)?;
    tx.link(Identity::User, user, &id)?;
    tx.link(Identity::Email, &email, &id)?;
    if let Some(chat) = chat {
        tx.link(Identity::Chat, chat, &id)?;
    }
    let after = account::of_party(tx, &id)?;
    trail::note(tx, now, "sign-up", &id, before.as_ref(), after.as_ref())?;
    watch_onboarding(tx, now, settings, &id)?;
    if let Some(account) = after.filter(Account::is_from_stripe) {
        let emails = account.contact_emails(tx)?;
        reserve_contacts(tx, now, emails)?;
    }
    Ok(new)
}
