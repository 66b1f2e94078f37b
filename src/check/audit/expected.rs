//! What an export of events says about each customer, by the rules of `docs/audit.md`. Where it does not reach back far enough
//! that is what it says: unknown, never a guess.
//!
//! Must not know: what anybody else says, how an app reads events.

use crate::stripe::event::Event;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a shop's own rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Nobody has more than one subscription, so one that ended in the export was the only one.
    pub one_subscription: bool,
    /// A payment that failed keeps access while Stripe tries again.
    pub past_due_keeps: bool,
}

/// Something that the export says, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// It says so, in these events.
    Known(T, Vec<String>),
    /// Why it does not say.
    Unknown(String),
}

/// What is right for one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `cus_…`
    pub customer: String,
    /// Addresses that the events tell, the newest last, in lower case.
    pub emails: Vec<String>,
    /// The app's own id of the person, if the events carry it.
    pub user: Option<String>,
    /// The subscription that counts.
    pub subscription: Option<String>,
    /// The newest Checkout session.
    pub session: Option<String>,
    /// Status of the subscription that counts; `none` without one.
    pub status: Fact<String>,
    /// Whether the customer may use what they pay for.
    pub access: Fact<bool>,
    /// What an app may call the plan: price, lookup key, nickname, product, `metadata.plan`.
    pub plans: BTreeSet<String>,
    /// Events that make a contact due.
    pub contact_due: Vec<String>,
    /// Events by type and object, for rules about tickets.
    pub seen: Vec<Seen>,
    /// Whether Stripe has deleted the customer.
    pub deleted: bool,
    /// `created` of the newest event.
    pub newest: i64,
}

/// One event about a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `evt_…`
    pub event: String,
    /// Its type.
    pub kind: String,
    /// Id of its object.
    pub object: String,
}

/// One state of a subscription.
struct Snapshot {
    event: String,
    at: i64,
    deleted: bool,
    first: bool,
    status: String,
    before: Option<String>,
    plans: BTreeSet<String>,
    born: i64,
}

/// All that is gathered about one customer.
#[derive(Default)]
struct File {
    emails: Vec<(i64, String)>,
    user: Option<String>,
    session: Option<String>,
    subscriptions: BTreeMap<String, Vec<Snapshot>>,
    /// Subscription and the event that tells of its payment; with its time.
    paid: BTreeMap<String, (i64, String)>,
    /// Subscriptions whose Checkout is complete and not paid.
    unpaid: BTreeMap<String, String>,
    /// When money went back, and what tells so.
    back: Option<(i64, String)>,
    last_payment: i64,
    bought_once: bool,
    born: bool,
    deleted: Option<String>,
    contact_due: Vec<String>,
    seen: Vec<Seen>,
    newest: i64,
}

/// Derives what is right for every customer that the export names.
pub fn derive(events: &[Event], rules: Rules) -> Vec<Expected> {
    let from = events.iter().map(|event| event.created).min().unwrap_or(0);
    let any_subscription = events.iter().any(|event| event.kind.starts_with("customer.subscription."));
    let objects: Vec<(&Event, Value)> = events.iter().map(|event| (event, event.object())).collect();
    let owners = owners(&objects);
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    for (event, object) in &objects {
        let Some(customer) = customer(object).or_else(|| payment(object).and_then(|id| owners.get(&id).cloned()))
        else {
            continue;
        };
        files.entry(customer).or_default().add(event, object, from);
    }
    files.into_iter().map(|(customer, file)| file.expected(customer, from, any_subscription, rules)).collect()
}

/// Whose a payment is: refunds and disputes name the payment alone.
fn owners(objects: &[(&Event, Value)]) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for (_, object) in objects {
        let Some(customer) = customer(object) else { continue };
        for id in ["id", "charge", "payment_intent", "latest_charge"].iter().filter_map(|key| id(&object[*key])) {
            owners.insert(id, customer.clone());
        }
    }
    owners
}

fn customer(object: &Value) -> Option<String> {
    if object["object"] == "customer" { id(&object["id"]) } else { id(&object["customer"]) }
}

fn payment(object: &Value) -> Option<String> {
    id(&object["charge"]).or_else(|| id(&object["payment_intent"]))
}

/// An id, or the id of an object in its place.
fn id(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["id"].as_str()).map(str::to_owned)
}

fn text<'v>(object: &'v Value, path: &str) -> Option<&'v str> {
    object.pointer(path)?.as_str().filter(|text| !text.is_empty())
}

/// The subscription of an invoice, before and after 2025-03-31.
fn of_invoice(object: &Value) -> Option<String> {
    id(&object["subscription"]).or_else(|| id(object.pointer("/parent/subscription_details/subscription")?))
}

impl File {
    fn add(&mut self, event: &Event, object: &Value, from: i64) {
        let name = event.id.as_str().to_owned();
        self.newest = self.newest.max(event.created);
        self.seen.push(Seen {
            event: name.clone(),
            kind: event.kind.clone(),
            object: id(&object["id"]).unwrap_or_default(),
        });
        self.person(event, object);
        match event.kind.as_str() {
            "customer.created" => self.born = true,
            "customer.deleted" => self.deleted = Some(name),
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => self.checkout(event, object),
            "invoice.paid" | "invoice.payment_succeeded" => self.paid_invoice(event, object),
            "charge.refunded" if object["refunded"] == true => self.money_back(event),
            "charge.dispute.closed" if object["status"] == "lost" => self.money_back(event),
            "refund.created" | "refund.updated" if object["status"] != "failed" => self.money_back(event),
            kind if kind.starts_with("customer.subscription.") => self.subscription(event, object),
            _ => {}
        }
        let is_young =
            object["object"] == "customer" && object["created"].as_i64().is_some_and(|created| created >= from);
        self.born |= is_young && event.kind != "customer.deleted";
        let tells =
            ["checkout.session.completed", "invoice.paid", "invoice.payment_failed"].contains(&event.kind.as_str());
        if tells && email(object).is_some() {
            self.contact_due.push(event.id.as_str().to_owned());
        }
    }

    fn person(&mut self, event: &Event, object: &Value) {
        if let Some(email) = email(object) {
            self.emails.push((event.created, email.trim().to_lowercase()));
        }
        let user = text(object, "/client_reference_id").or_else(|| text(object, "/metadata/user_id"));
        if let Some(user) = user.or_else(|| text(object, "/metadata/userId")) {
            self.user = Some(user.to_owned());
        }
    }

    fn checkout(&mut self, event: &Event, object: &Value) {
        self.session = id(&object["id"]);
        let paid = object["payment_status"] != "unpaid";
        let name = event.id.as_str().to_owned();
        match id(&object["subscription"]) {
            Some(subscription) if paid => self.pay(subscription, event),
            Some(subscription) => drop(self.unpaid.insert(subscription, name)),
            None => self.bought_once |= paid,
        }
    }

    fn paid_invoice(&mut self, event: &Event, object: &Value) {
        match of_invoice(object) {
            Some(subscription) => {
                self.pay(subscription, event);
                // An invoice of nothing is no payment: it buys nothing back after a refund.
                if object["amount_paid"].as_i64().unwrap_or(0) > 0 {
                    self.last_payment = self.last_payment.max(event.created);
                }
            }
            None => self.bought_once = true,
        }
    }

    fn pay(&mut self, subscription: String, event: &Event) {
        self.unpaid.remove(&subscription);
        self.paid.insert(subscription, (event.created, event.id.as_str().to_owned()));
    }

    fn money_back(&mut self, event: &Event) {
        if self.back.as_ref().is_none_or(|(at, _)| *at <= event.created) {
            self.back = Some((event.created, event.id.as_str().to_owned()));
        }
    }

    fn subscription(&mut self, event: &Event, object: &Value) {
        let Some(subscription) = id(&object["id"]) else { return };
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let before = body.pointer("/data/previous_attributes/status").and_then(Value::as_str).map(str::to_owned);
        let snapshot = Snapshot {
            event: event.id.as_str().to_owned(),
            at: event.created,
            deleted: event.kind == "customer.subscription.deleted",
            first: event.kind == "customer.subscription.created",
            status: object["status"].as_str().unwrap_or("none").to_owned(),
            before,
            plans: plans(object),
            born: object["created"].as_i64().unwrap_or(event.created),
        };
        self.subscriptions.entry(subscription).or_default().push(snapshot);
    }

    fn expected(mut self, customer: String, from: i64, any_subscription: bool, rules: Rules) -> Expected {
        self.emails.sort();
        let mut emails: Vec<String> = Vec::new();
        for (_, email) in std::mem::take(&mut self.emails) {
            emails.retain(|known| *known != email);
            emails.push(email);
        }
        let (subscription, status, access, plans) = self.state(from, any_subscription, rules);
        Expected {
            customer,
            emails,
            user: self.user,
            subscription,
            session: self.session,
            status,
            access,
            plans,
            contact_due: if self.deleted.is_some() { Vec::new() } else { self.contact_due },
            seen: self.seen,
            deleted: self.deleted.is_some(),
            newest: self.newest,
        }
    }

    fn state(
        &self,
        from: i64,
        any_subscription: bool,
        rules: Rules,
    ) -> (Option<String>, Fact<String>, Fact<bool>, BTreeSet<String>) {
        if let Some(event) = &self.deleted {
            let why = vec![event.clone()];
            return (None, Fact::Known("none".to_owned(), why.clone()), Fact::Known(false, why), BTreeSet::new());
        }
        let whole = self.born || rules.one_subscription;
        let mut newest = Vec::new();
        for (subscription, snapshots) in &self.subscriptions {
            match latest(snapshots) {
                Some(snapshot) => newest.push((subscription, snapshot)),
                None => {
                    let why =
                        format!("two states of {subscription} in the same second, and nothing tells which came later");
                    return (
                        Some(subscription.clone()),
                        Fact::Unknown(why.clone()),
                        Fact::Unknown(why),
                        BTreeSet::new(),
                    );
                }
            }
        }
        let rank = |status: &str| ["active", "trialing", "past_due"].iter().rev().position(|known| *known == status);
        // The one that lives speaks; among those that ended, the youngest.
        let Some((subscription, snapshot)) = newest.iter().max_by_key(|(_, s)| (rank(&s.status), s.born, s.at)) else {
            let (status, access) = self.without_subscription(whole, any_subscription);
            return (None, status, access, BTreeSet::new());
        };
        let lives = rank(&snapshot.status).is_some();
        let elsewhere = || format!("another subscription from before the export (it begins at {from}) may count");
        let status = match whole || snapshot.status == "active" {
            true => Fact::Known(snapshot.status.clone(), vec![snapshot.event.clone()]),
            false => Fact::Unknown(elsewhere()),
        };
        let access = match (lives, whole) {
            (true, _) => self.access(subscription, snapshot, from, whole, rules),
            (false, true) => Fact::Known(false, vec![snapshot.event.clone()]),
            (false, false) => Fact::Unknown(elsewhere()),
        };
        (Some((*subscription).clone()), status, access, snapshot.plans.clone())
    }

    fn without_subscription(&self, whole: bool, any_subscription: bool) -> (Fact<String>, Fact<bool>) {
        if !whole || !any_subscription {
            let why = "the export holds no event about a subscription of theirs".to_owned();
            return (Fact::Unknown(why.clone()), Fact::Unknown(why));
        }
        let access = match self.bought_once || !self.paid.is_empty() {
            true => Fact::Unknown(
                "bought something that is no subscription; what it opens is the app's own rule".to_owned(),
            ),
            false => Fact::Known(false, Vec::new()),
        };
        (Fact::Known("none".to_owned(), Vec::new()), access)
    }

    fn access(&self, subscription: &str, snapshot: &Snapshot, from: i64, whole: bool, rules: Rules) -> Fact<bool> {
        if let Some((at, event)) = &self.back
            && *at >= self.last_payment
        {
            return Fact::Unknown(format!("money went back ({event}); what that takes away is the app's own rule"));
        }
        let past_due = snapshot.status == "past_due";
        if past_due && !rules.past_due_keeps {
            return match whole {
                true => Fact::Known(false, vec![snapshot.event.clone()]),
                false => {
                    Fact::Unknown("past due, and another subscription from before the export may count".to_owned())
                }
            };
        }
        if let Some((_, paid)) = self.paid.get(subscription) {
            return Fact::Known(true, vec![snapshot.event.clone(), paid.clone()]);
        }
        if let Some(event) = self.unpaid.get(subscription).filter(|_| whole && !past_due) {
            return Fact::Known(false, vec![snapshot.event.clone(), event.clone()]);
        }
        match snapshot.born < from {
            true => Fact::Known(true, vec![snapshot.event.clone()]),
            false => Fact::Unknown(format!("the export holds no payment of {subscription}")),
        }
    }
}

fn email(object: &Value) -> Option<&str> {
    let places = ["/customer_details/email", "/customer_email"];
    let own = if object["object"] == "customer" { text(object, "/email") } else { None };
    own.or_else(|| places.iter().find_map(|place| text(object, place)))
}

/// The newest of several states. `created` has whole seconds, so two may share it: then the end comes last, the beginning
/// first, and what another one names as its past is older. `None` when nothing decides.
fn latest(snapshots: &[Snapshot]) -> Option<&Snapshot> {
    if let Some(end) = snapshots.iter().find(|snapshot| snapshot.deleted) {
        return Some(end);
    }
    let at = snapshots.iter().map(|snapshot| snapshot.at).max()?;
    let mut tied: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| snapshot.at == at).collect();
    if tied.iter().any(|snapshot| !snapshot.first) {
        tied.retain(|snapshot| !snapshot.first);
    }
    let statuses: BTreeSet<&str> = tied.iter().map(|snapshot| &*snapshot.status).collect();
    if statuses.len() == 1 {
        return tied.last().copied();
    }
    let past: BTreeSet<&str> = tied.iter().filter_map(|snapshot| snapshot.before.as_deref()).collect();
    let mut open = tied.into_iter().filter(|snapshot| !past.contains(&*snapshot.status));
    open.next().filter(|_| open.next().is_none())
}

/// The names that an app may have for the plan.
fn plans(object: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let items = object.pointer("/items/data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for item in items.iter().chain([object]) {
        for holder in ["price", "plan"].iter().map(|key| &item[*key]) {
            let own = ["/id", "/lookup_key", "/nickname", "/product", "/product/id", "/product/name", "/metadata/plan"];
            names.extend(own.iter().filter_map(|place| text(holder, place)).map(str::to_lowercase));
            names.extend(holder.as_str().map(str::to_lowercase));
        }
    }
    names.extend(text(object, "/metadata/plan").map(str::to_lowercase));
    names
}
