//! Every customer of an export against what the app, the CRM and the desk hold of them.
//!
//! Must not know: how they were asked.

use super::{
    expected::{Expected, Fact},
    lists::Entry,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is not there.
    Missing,
    /// It is there and says something else.
    Mismatched,
    /// It is there more than once.
    Duplicated,
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Stripe itself.
    Stripe,
    /// The app's state of the customer.
    App,
    /// The app's store of events.
    Events,
    /// The CRM.
    Crm,
    /// The support desk.
    Desk,
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `cus_…`
    pub customer: String,
    /// Their address, all but hidden.
    pub email: Option<String>,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub kind: Kind,
    /// With what: `access`, `status`, `contact`, …
    pub what: String,
    /// What Stripe's events say.
    pub stripe: Option<String>,
    /// What the other side says.
    pub theirs: Option<String>,
    /// Events that show it.
    pub events: Vec<String>,
}

/// Something that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    /// `cus_…`
    pub customer: String,
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// What the app says of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It knows them.
    Known {
        /// Whether access is open.
        access: bool,
        /// The subscription's status, if the probe reads it.
        status: Option<String>,
        /// The plan, if the probe reads it.
        plan: Option<String>,
    },
    /// It does not.
    Stranger,
    /// It could not be asked.
    Failed(String),
}

/// What the other sides hold; those that were not asked are absent.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// The app, by customer.
    pub app: Option<BTreeMap<String, Reading>>,
    /// Whether the probe reads status and plan.
    pub reads: Reads,
    /// Whether the app has stored an event, or why that is not known.
    pub events: Option<BTreeMap<String, Result<bool, String>>>,
    /// Types of which every event must be stored; otherwise those of which any is.
    pub every: BTreeSet<String>,
    /// People in the CRM.
    pub contacts: Option<Vec<Entry>>,
    /// Tickets on the desk.
    pub tickets: Option<Vec<Entry>>,
    /// Types of events that open a ticket for each object.
    pub ticket_for: BTreeSet<String>,
    /// What any event calls a plan, in lower case.
    pub plans: BTreeSet<String>,
}

/// What a probe reads beside access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The status.
    pub status: bool,
    /// The plan.
    pub plan: bool,
}

/// When the export and the answers were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Unix seconds at which the export was made.
    pub exported_at: i64,
    /// Unix seconds at which the sides were asked.
    pub asked_at: i64,
    /// How long an event may take to have its effect, seconds.
    pub settle: i64,
    /// How much later than the export the sides may be asked, seconds.
    pub fresh: i64,
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Format, 1.
    pub version: u32,
    /// Customers that the export names.
    pub customers: usize,
    /// What disagrees.
    pub findings: Vec<Finding>,
    /// What was not compared.
    pub not_compared: Vec<Open>,
    /// What is worth knowing and wrong with nobody.
    pub notes: Vec<String>,
}

struct Comparison<'a> {
    sides: &'a Sides,
    times: Times,
    report: Report,
}

/// Compares all.
pub fn compare(expected: &[Expected], sides: &Sides, times: Times) -> Report {
    let report = Report { version: 1, customers: expected.len(), ..Report::default() };
    let mut comparison = Comparison { sides, times, report };
    let stored = comparison.stored_types(expected);
    let mut by_email: BTreeMap<&str, Vec<&Expected>> = BTreeMap::new();
    for one in expected {
        for email in &one.emails {
            by_email.entry(email).or_default().push(one);
        }
    }
    for one in expected {
        comparison.stripe(one, &by_email);
        comparison.app(one);
        comparison.events(one, &stored);
        comparison.crm(one, &by_email);
        comparison.desk(one, &by_email);
    }
    let report = &mut comparison.report;
    report
        .findings
        .sort_by(|a, b| (&a.customer, a.place, a.kind, &a.what).cmp(&(&b.customer, b.place, b.kind, &b.what)));
    comparison.report
}

impl Comparison<'_> {
    /// A disagreement, unless time explains it.
    fn finding(
        &mut self,
        one: &Expected,
        place: Place,
        kind: Kind,
        what: &str,
        says: (Option<String>, Option<String>),
        events: &[String],
    ) {
        let Times { exported_at, asked_at, settle, fresh } = self.times;
        let why = if asked_at - exported_at > fresh {
            Some(format!(
                "the export is {} min older than the answer; things may have changed since",
                (asked_at - exported_at) / 60
            ))
        } else if exported_at - one.newest < settle {
            Some("their newest event is so young that its effect may be under way".to_owned())
        } else {
            None
        };
        // What is there twice stays so.
        if let Some(why) = why.filter(|_| kind != Kind::Duplicated) {
            return self.open(one, place, what, why);
        }
        let email = one.emails.last().map(|email| hidden(email));
        let (stripe, theirs) = says;
        let finding = Finding {
            customer: one.customer.clone(),
            email,
            place,
            kind,
            what: what.to_owned(),
            stripe,
            theirs,
            events: events.to_vec(),
        };
        if !self.report.findings.contains(&finding) {
            self.report.findings.push(finding);
        }
    }

    fn open(&mut self, one: &Expected, place: Place, what: &str, why: String) {
        self.report.not_compared.push(Open { customer: one.customer.clone(), place, what: what.to_owned(), why });
    }

    /// Two customers with one address who both pay.
    fn stripe(&mut self, one: &Expected, by_email: &BTreeMap<&str, Vec<&Expected>>) {
        let pays = |one: &Expected| matches!(&one.status, Fact::Known(status, _) if status == "active" || status == "trialing");
        let Some(email) = one.emails.last().filter(|_| pays(one)) else { return };
        let mut others: Vec<String> =
            by_email[email.as_str()].iter().filter(|other| pays(other)).map(|other| other.customer.clone()).collect();
        others.dedup();
        if others.len() > 1 {
            let events = match &one.status {
                Fact::Known(_, events) => events.clone(),
                Fact::Unknown(_) => Vec::new(),
            };
            let says = (Some(others.join(", ")), None);
            self.finding(one, Place::Stripe, Kind::Duplicated, "paying customer of one e-mail", says, &events);
        }
    }

    fn app(&mut self, one: &Expected) {
        let Some(app) = &self.sides.app else { return };
        match app.get(&one.customer).cloned() {
            Some(Reading::Known { access, status, plan }) => {
                self.access(one, access);
                if self.sides.reads.status {
                    self.status(one, status);
                }
                if self.sides.reads.plan {
                    self.plan(one, plan);
                }
            }
            Some(Reading::Stranger) => self.stranger(one),
            Some(Reading::Failed(why)) => self.open(one, Place::App, "customer", why),
            None => self.open(one, Place::App, "customer", "not asked".to_owned()),
        }
    }

    /// An app that does not know somebody is wrong when they pay, or did.
    fn stranger(&mut self, one: &Expected) {
        match (&one.status, &one.access) {
            (Fact::Known(status, events), _) if status != "none" => {
                self.finding(one, Place::App, Kind::Missing, "customer", (Some(status.clone()), None), events);
            }
            (_, Fact::Known(true, events)) => {
                self.finding(one, Place::App, Kind::Missing, "customer", (Some("access".to_owned()), None), events);
            }
            (Fact::Known(..), Fact::Known(..)) => {}
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => self.open(one, Place::App, "customer", why.clone()),
        }
    }

    fn access(&mut self, one: &Expected, theirs: bool) {
        let word = |open: bool| Some(if open { "open" } else { "closed" }.to_owned());
        match &one.access {
            Fact::Known(ours, events) if *ours != theirs => {
                self.finding(one, Place::App, Kind::Mismatched, "access", (word(*ours), word(theirs)), events);
            }
            Fact::Known(..) => {}
            Fact::Unknown(why) => self.open(one, Place::App, "access", why.clone()),
        }
    }

    fn status(&mut self, one: &Expected, theirs: Option<String>) {
        match &one.status {
            Fact::Known(ours, events) if plain(Some(ours)) != plain(theirs.as_deref()) => {
                self.finding(one, Place::App, Kind::Mismatched, "status", (Some(ours.clone()), theirs), events);
            }
            Fact::Known(..) => {}
            Fact::Unknown(why) => self.open(one, Place::App, "status", why.clone()),
        }
    }

    /// Apps have names of their own for plans: wrong is what is the name of another plan.
    fn plan(&mut self, one: &Expected, theirs: Option<String>) {
        let Fact::Known(status, events) = &one.status else { return };
        if plain(Some(status)) == "none" || one.plans.is_empty() {
            return;
        }
        let ours = one.plans.iter().cloned().collect::<Vec<_>>().join(" or ");
        match theirs.as_ref().map(|plan| plan.to_lowercase()) {
            Some(plan) if one.plans.contains(&plan) => {}
            Some(plan) if self.sides.plans.contains(&plan) => {
                self.finding(one, Place::App, Kind::Mismatched, "plan", (Some(ours), theirs), events);
            }
            Some(plan) => self.open(one, Place::App, "plan", format!("no event calls a plan `{plan}`")),
            None => self.finding(one, Place::App, Kind::Missing, "plan", (Some(ours), None), events),
        }
    }

    /// Types of events of which the app stores any: those that it handles.
    fn stored_types(&mut self, expected: &[Expected]) -> BTreeSet<String> {
        let Some(events) = &self.sides.events else { return BTreeSet::new() };
        let mut stored = self.sides.every.clone();
        let mut absent: BTreeMap<&str, usize> = BTreeMap::new();
        let seen = || expected.iter().flat_map(|one| &one.seen);
        stored.extend(seen().filter(|seen| events.get(&seen.event) == Some(&Ok(true))).map(|seen| seen.kind.clone()));
        for seen in seen().filter(|seen| !stored.contains(&seen.kind) && events.get(&seen.event) == Some(&Ok(false))) {
            *absent.entry(&seen.kind).or_default() += 1;
        }
        for (kind, count) in absent {
            self.report.notes.push(format!(
                "none of {count} events of type {kind} is stored: taken for a type that the app does not handle"
            ));
        }
        stored
    }

    fn events(&mut self, one: &Expected, stored: &BTreeSet<String>) {
        let Some(events) = &self.sides.events else { return };
        for seen in &one.seen {
            match events.get(&seen.event).cloned() {
                Some(Ok(true)) => {}
                Some(Ok(false)) if stored.contains(&seen.kind) => {
                    let says = (Some(seen.kind.clone()), None);
                    self.finding(
                        one,
                        Place::Events,
                        Kind::Missing,
                        &seen.event,
                        says,
                        std::slice::from_ref(&seen.event),
                    );
                }
                Some(Ok(false)) => {}
                Some(Err(why)) => self.open(one, Place::Events, &seen.event, why),
                None => self.open(one, Place::Events, &seen.event, "not asked".to_owned()),
            }
        }
    }

    fn crm(&mut self, one: &Expected, by_email: &BTreeMap<&str, Vec<&Expected>>) {
        let Some(contacts) = &self.sides.contacts else { return };
        let Some(current) = one.emails.last() else {
            if !one.contact_due.is_empty() {
                self.open(one, Place::Crm, "contact", "no event tells their e-mail".to_owned());
            }
            return;
        };
        let of = |email: &String| {
            contacts.iter().filter(move |entry| entry.email.as_ref() == Some(email)).collect::<Vec<_>>()
        };
        let own = of(current);
        let earlier: Vec<&Entry> = one.emails.iter().filter(|email| *email != current).flat_map(of).collect();
        let ids =
            |entries: &[&Entry]| Some(entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>().join(", "));
        if own.len() > 1 {
            self.finding(
                one,
                Place::Crm,
                Kind::Duplicated,
                "contact",
                (Some("one".to_owned()), ids(&own)),
                &one.contact_due,
            );
        }
        if own.is_empty() && !earlier.is_empty() {
            let theirs = earlier[0].email.as_deref().map(hidden);
            self.finding(
                one,
                Place::Crm,
                Kind::Mismatched,
                "e-mail of the contact",
                (Some(hidden(current)), theirs),
                &one.contact_due,
            );
        } else if own.is_empty() && !one.contact_due.is_empty() {
            self.finding(one, Place::Crm, Kind::Missing, "contact", (Some("one".to_owned()), None), &one.contact_due);
        }
        let theirs: BTreeSet<&str> = by_email[current.as_str()].iter().map(|other| other.customer.as_str()).collect();
        let foreign =
            own.iter().filter_map(|entry| entry.customer.clone()).find(|customer| !theirs.contains(customer.as_str()));
        if let Some(foreign) = foreign {
            let says = (Some(one.customer.clone()), Some(foreign));
            self.finding(one, Place::Crm, Kind::Mismatched, "Stripe customer of the contact", says, &one.contact_due);
        }
    }

    fn desk(&mut self, one: &Expected, by_email: &BTreeMap<&str, Vec<&Expected>>) {
        let Some(tickets) = &self.sides.tickets else { return };
        let is_theirs = |entry: &&Entry| match (&entry.customer, &entry.email) {
            (Some(customer), _) => *customer == one.customer,
            (None, Some(email)) => one.emails.contains(email),
            (None, None) => false,
        };
        let own: Vec<&Entry> = tickets.iter().filter(is_theirs).collect();
        let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in &own {
            if let Some(key) = &entry.key {
                keys.entry(key).or_default().push(&entry.id);
            }
        }
        for (key, ids) in keys.into_iter().filter(|(_, ids)| ids.len() > 1) {
            let says = (Some(format!("one ticket {key}")), Some(ids.join(", ")));
            self.finding(one, Place::Desk, Kind::Duplicated, &format!("ticket {key}"), says, &[]);
        }
        let causes = self.causes(one);
        if causes.is_empty() {
            return;
        }
        let events: Vec<String> = causes.values().cloned().collect();
        let shared = one.emails.iter().any(|email| by_email[email.as_str()].len() > 1);
        let says = (Some(format!("{} due", causes.len())), Some(own.len().to_string()));
        if own.is_empty() || own.len() < causes.len() && !shared {
            self.finding(one, Place::Desk, Kind::Missing, "ticket", says, &events);
        }
    }

    /// What a ticket is due for: each object once, however many events it has.
    fn causes(&self, one: &Expected) -> BTreeMap<String, String> {
        let due = one.seen.iter().filter(|seen| self.sides.ticket_for.contains(&seen.kind));
        let mut causes = BTreeMap::new();
        for seen in due {
            causes.entry(seen.object.clone()).or_insert_with(|| seen.event.clone());
        }
        causes
    }
}

/// A status as it is compared: what has ended and what never was give the same rights.
fn plain(status: Option<&str>) -> String {
    match status.unwrap_or("none").to_lowercase().as_str() {
        "" | "none" | "canceled" | "cancelled" | "inactive" | "ended" | "expired" | "incomplete_expired" | "null" => {
            "none".to_owned()
        }
        "trial" => "trialing".to_owned(),
        other => other.replace([' ', '-'], "_"),
    }
}

/// An address that those who have it recognise, and nobody else.
fn hidden(email: &str) -> String {
    let (name, domain) = email.split_once('@').unwrap_or((email, ""));
    let first: String = name.chars().take(1).collect();
    format!("{first}…@{domain}")
}
