//! The facts about one party (a Stripe customer, or a user without one) and how a reading adds to them.
//!
//! Every field is a set or a maximum, so that order, copies and late arrivals of events make no difference.
//! Must not know: storage, other parties, downstream services.

use super::{
    defects::Defects,
    reading::{Fact, Reading, Settled},
    snapshot::Subscription,
};
use crate::id::{InvoiceId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All facts about one party.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Hash)]
pub struct Party {
    /// User ids of the app that it was seen with.
    pub users: BTreeSet<String>,
    /// E-mails that it was seen with, and the earliest second (Unix) of each.
    pub emails: BTreeMap<String, i64>,
    /// Its subscriptions.
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// Its Checkout sessions that are settled.
    pub purchases: BTreeSet<String>,
    /// Purchases counted again for a copy of an event; stays zero in the sound service.
    #[serde(default)]
    pub recounted: u64,
    /// Invoices that could not be collected at least once.
    pub failed: BTreeSet<InvoiceId>,
    /// Newest payment, Unix seconds.
    pub paid_at: Option<i64>,
    /// Newest creation time (Unix seconds) of a charge that was refunded in full.
    pub refunded_through: Option<i64>,
    /// Whether Stripe has told anything of it; false for a person who only signed up.
    pub from_stripe: bool,
}

impl Party {
    /// A person who signed up.
    pub fn signed_up(&mut self, user: &str, email: &str) {
        self.users.insert(user.to_owned());
        // Before anything that Stripe may say: the person's own word for where to write to.
        self.emails.insert(email.to_owned(), i64::MIN);
    }

    /// Adds what one event says. `at` is its time in Unix seconds; `repeat` says that the very event was counted before,
    /// which only a defective service lets through.
    pub fn learn(&mut self, reading: &Reading, at: i64, repeat: bool, defects: &Defects) {
        self.from_stripe = true;
        self.users.extend(reading.user.clone());
        if let Some(email) = &reading.email {
            self.emails.entry(email.clone()).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
        match &reading.fact {
            Fact::Checkout { session, opened, subscription, settled, at } => {
                if *settled == Settled::No {
                    return;
                }
                self.purchases.insert(session.clone());
                self.recounted += u64::from(repeat);
                if *settled == Settled::Paid {
                    self.paid_at = self.paid_at.max(Some(*at));
                }
                self.pays(subscription.as_ref(), *opened);
            }
            Fact::Subscription(id, snapshot) => {
                self.subscriptions.entry(id.clone()).or_default().observe(snapshot.clone(), defects);
            }
            Fact::InvoicePaid { subscription, created, paid_at } => {
                self.paid_at = self.paid_at.max(*paid_at);
                self.pays(subscription.as_ref(), *created);
            }
            Fact::InvoiceFailed(invoice) => {
                self.failed.insert(invoice.clone());
            }
            Fact::Refunded(charged) => self.refunded_through = self.refunded_through.max(Some(*charged)),
        }
    }

    fn pays(&mut self, subscription: Option<&SubscriptionId>, made: i64) {
        if let Some(id) = subscription {
            let paid = &mut self.subscriptions.entry(id.clone()).or_default().paid;
            *paid = (*paid).max(Some(made));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{service::reading::read, stripe::event::Event};
    use proptest::{prelude::*, sample::Index};
    use serde_json::{Value, json};

    fn event(id: &str, kind: &str, created: i64, object: Value, previous: Value) -> Event {
        let mut data = json!({"object": object});
        if !previous.is_null() {
            data["previous_attributes"] = previous;
        }
        let body = json!({"id": id, "object": "event", "type": kind, "created": created, "data": data});
        Event::parse(&body.to_string()).expect("an event")
    }

    fn story() -> Vec<Event> {
        let sub = |status: &str, end: i64| {
            json!({"id": "sub_1", "customer": "cus_1", "status": status, "metadata": {"user_id": "u1"},
                "items": {"data": [{"price": {"metadata": {"plan": "pro"}}, "current_period_end": end}]}})
        };
        let invoice = |id: &str, made: i64, paid: i64| {
            json!({"id": id, "customer": "cus_1", "customer_email": "Ada@example.com", "created": made,
                "amount_paid": paid, "parent": {"subscription_details": {"subscription": "sub_1"}}})
        };
        let session = json!({"id": "cs_1", "customer": "cus_1", "client_reference_id": "u1", "created": 90,
            "payment_status": "paid", "subscription": "sub_1", "customer_details": {"email": "ada@example.com"}});
        let created = |status| sub(status, 500);
        vec![
            event("evt_5", "customer.subscription.created", 100, created("incomplete"), Value::Null),
            event("evt_1", "customer.subscription.updated", 100, created("active"), json!({"status": "incomplete"})),
            event("evt_7", "invoice.paid", 100, invoice("in_1", 100, 9), Value::Null),
            event("evt_8", "invoice.payment_succeeded", 100, invoice("in_1", 100, 9), Value::Null),
            event("evt_2", "checkout.session.completed", 101, session, Value::Null),
            event("evt_4", "customer.subscription.updated", 500, sub("active", 900), json!({"items": 1})),
            event("evt_3", "invoice.payment_failed", 501, invoice("in_2", 500, 0), Value::Null),
            event("evt_0", "customer.subscription.updated", 501, sub("past_due", 900), json!({"status": "active"})),
            event("evt_9", "customer.subscription.updated", 501, sub("active", 900), json!({"status": "past_due"})),
            event(
                "evt_6",
                "charge.refunded",
                600,
                json!({"id": "ch_1", "customer": "cus_1", "refunded": true,
                "created": 100}),
                Value::Null,
            ),
        ]
    }

    fn party(events: &[Event]) -> Party {
        let mut party = Party::default();
        for event in events {
            let reading = read(event).expect("the story has no empty event");
            party.learn(&reading, event.created, false, &Defects::none());
        }
        party
    }

    proptest! {
        #[test]
        fn order_and_copies_make_no_difference(
            order in Just(story()).prop_shuffle(),
            copies in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..12),
        ) {
            let mut events = order;
            for (from, to) in copies {
                let copy = events[from.index(events.len())].clone();
                events.insert(to.index(events.len() + 1), copy);
            }
            prop_assert_eq!(party(&events), party(&story()));
        }
    }

    #[test]
    fn the_story_ends_as_its_events_say() {
        let party = party(&story());
        let subscription = &party.subscriptions[&"sub_1".into()];
        assert_eq!((subscription.plan().as_str(), subscription.period_end()), ("pro", Some(900)));
        assert_eq!((party.purchases.len(), party.failed.len(), party.refunded_through), (1, 1, Some(100)));
        assert!(!subscription.grants_access(party.refunded_through), "the only payment was given back");
        assert!(subscription.grants_access(None));
    }

    #[test]
    fn a_purchase_is_recounted_only_when_told_so() {
        let mut party = Party::default();
        let story = story();
        let reading = read(&story[4]).expect("a reading");
        party.learn(&reading, 101, false, &Defects::none());
        party.learn(&reading, 101, true, &Defects::none());
        assert_eq!((party.purchases.len(), party.recounted), (1, 1));
    }
}
