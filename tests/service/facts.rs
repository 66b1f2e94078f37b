//! Facts that come apart and in the wrong order, with what follows for desk, CRM and the trail.

use super::{
    peers::{Peers, drain},
    stories::{completed, event, invoice, subscription},
};
use hookdrill::{
    service::{Service, Settings, reading, store::Store},
    stripe::event::Event,
    time::Timestamp,
};
use serde_json::{Value, json};
use std::time::Duration;

const EMAIL: &str = "ada@example.com";

struct World {
    service: Service,
    peers: Peers,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let service = Service::new(Store::memory(), Settings::default());
        Self { service, peers: Peers::default(), now: Timestamp::from_secs(1_800_000_000) }
    }

    fn deliver(&mut self, events: &[Event]) {
        for event in events {
            self.now = self.now + Duration::from_millis(1);
            self.service.receive(self.now, event).expect("taken in");
        }
    }

    fn drain(&mut self, time: Duration) {
        self.now = drain(&mut self.service, &mut self.peers, self.now, time);
    }

    fn access(&mut self) -> bool {
        self.service.customer("cus_1").expect("read").is_some_and(|view| view.access)
    }
}

fn purchase() -> [Event; 3] {
    [
        invoice("evt_1", "paid", 100, "cus_1", "in_1", Some(EMAIL)),
        completed("evt_2", "cus_1", Some("ada"), EMAIL),
        subscription("evt_3", "created", 101, "cus_1", "active"),
    ]
}

fn dispute(id: &str, kind: &str, status: &str) -> Event {
    let claim = json!({"id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 4900, "currency": "jpy",
        "status": status});
    event(id, &format!("charge.dispute.{kind}"), 300, claim)
}

fn charged() -> Event {
    let charge = json!({"id": "ch_1", "customer": "cus_1", "payment_intent": "pi_1", "created": 101, "amount": 4900, "currency": "jpy",
        "status": "succeeded"});
    event("evt_5", "charge.succeeded", 101, charge)
}

#[test]
fn a_dispute_before_its_customer_waits_for_the_name_and_opens_one_ticket() {
    let mut world = World::new();
    world.deliver(&[
        dispute("evt_7", "created", "needs_response"),
        dispute("evt_8", "funds_withdrawn", "needs_response"),
    ]);
    world.drain(Duration::from_secs(30));
    assert_eq!(world.peers.tickets.len(), 0, "nobody knows yet whose payment it is");
    world.deliver(&purchase());
    world.deliver(&[charged()]);
    world.drain(Duration::from_secs(30));
    assert_eq!(world.peers.tickets.len(), 1);
    let ticket = &world.peers.tickets[0];
    assert_eq!((ticket.external_id.as_str(), ticket.requester.as_deref()), ("dispute:dp_1", Some(EMAIL)));
    assert!(world.access(), "open");
    world.deliver(&[dispute("evt_9", "closed", "lost")]);
    world.drain(Duration::from_secs(600));
    assert!(!world.access(), "lost");
    assert_eq!(world.peers.tickets.len(), 1);
    assert_eq!(world.service.customer("cus_1").expect("read").expect("known").support_status, "open");
}

#[test]
fn a_ticket_finds_its_customer_through_every_name_of_the_payment() {
    // First the tie of invoice and payment, under the invoice's name; whose it is tells the payment alone.
    let tie = json!({"id": "inpay_1", "invoice": "in_1", "payment": {"payment_intent": "pi_1"}});
    let mut world = World::new();
    world.deliver(&[event("evt_4", "invoice_payment.paid", 115, tie), dispute("evt_7", "created", "needs_response")]);
    world.deliver(&[event("evt_6", "customer.created", 99, json!({"id": "cus_1", "email": EMAIL}))]);
    world.deliver(&[charged()]);
    world.drain(Duration::from_secs(30));
    let ticket = &world.peers.tickets[0];
    assert_eq!((world.peers.tickets.len(), ticket.requester.as_deref()), (1, Some(EMAIL)));
}

#[test]
fn a_dispute_of_nobodys_payment_gets_its_ticket_all_the_same() {
    let mut world = World::new();
    world.deliver(&[dispute("evt_7", "created", "a_word_of_tomorrow")]);
    world.drain(Duration::from_secs(600));
    assert_eq!((world.peers.tickets.len(), world.peers.tickets[0].requester.as_deref()), (1, None));
    assert_eq!(world.service.status().expect("read").drift, 0);
}

#[test]
fn what_is_seen_of_an_account_leaves_a_trail_of_its_changes() {
    let mut world = World::new();
    world.service.sign_up(world.now, "ada", EMAIL).expect("signed up");
    world.deliver(&purchase());
    world.deliver(&purchase());
    world.deliver(&[subscription("evt_6", "updated", 200, "cus_1", "past_due")]);
    world.deliver(&[subscription("evt_7", "deleted", 300, "cus_1", "canceled")]);
    let trail = world.service.history("cus_1").expect("read").expect("known");
    let seen: Vec<_> = trail.iter().map(|entry| (entry.cause.as_str(), entry.after.status.as_str())).collect();
    let wanted =
        [("sign-up", "none"), ("evt_1", "none"), ("evt_3", "active"), ("evt_6", "past_due"), ("evt_7", "canceled")];
    // Only what changes what is seen: neither a copy, nor a Checkout that tells what was known.
    assert_eq!(seen, wanted);
    let (paid, gone) = (&trail[2], &trail[4]);
    assert_eq!(paid.before.as_ref().map(|before| before.access), Some(false));
    assert!(paid.after.access && gone.before.as_ref().is_some_and(|before| before.access) && !gone.after.access);
    assert_eq!(world.service.history("cus_none"), Ok(None));
    assert_eq!(world.service.history("ada").expect("read").as_ref(), Some(&trail));
}

#[test]
fn another_address_at_stripe_is_the_same_contact() {
    let mut world = World::new();
    world.deliver(&purchase());
    world.drain(Duration::from_secs(30));
    let customer = json!({"id": "cus_1", "email": "Ada.King@example.com"});
    world.deliver(&[event("evt_6", "customer.updated", 200, customer)]);
    world.drain(Duration::from_secs(30));
    assert_eq!(world.peers.contacts.len(), 1);
    let contact = &world.peers.contacts[0];
    assert_eq!((contact["email"].as_str(), contact["billing_email"].as_str()), (EMAIL, "ada.king@example.com"));
    let view = world.service.customer("cus_1").expect("read").expect("known");
    assert_eq!(view.email.as_deref(), Some("ada.king@example.com"));
    assert_eq!(world.service.status().expect("read").drift, 0);
}

#[test]
fn a_customer_object_alone_is_no_contact() {
    let mut world = World::new();
    world.deliver(&[event("evt_6", "customer.created", 99, json!({"id": "cus_1", "email": EMAIL}))]);
    world.drain(Duration::from_secs(30));
    assert_eq!((world.peers.contacts.len(), world.service.status().expect("read").drift), (0, 0));
    world.deliver(&purchase());
    world.drain(Duration::from_secs(30));
    assert_eq!(world.peers.contacts.len(), 1);
}

#[test]
fn what_is_ignored_is_stored_and_poisons_nothing() {
    let mut world = World::new();
    let thin: Value = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": false});
    let thin = reading::event(&thin.to_string()).expect("kept");
    world.deliver(&[thin.clone(), thin]);
    assert_eq!(world.service.status().expect("read").events, 1);
    world.deliver(&purchase());
    assert!(world.access(), "the genuine event of that id is not taken for known");
    assert_eq!(world.service.status().expect("read").events, 4);
}
