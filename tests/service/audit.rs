//! The comparison over the core: what disagrees is found, told and, where it can be, healed.

use super::{
    peers::{Peers, Trouble, drain},
    stories::{completed, invoice, subscription},
};
use hookdrill::{
    service::{
        Received, Service, Settings,
        audit::{AuditView, Kind, Place},
        store::Store,
    },
    time::Timestamp,
};
use std::time::Duration;

const ROUND: Duration = Duration::from_secs(300);

struct World {
    service: Service,
    peers: Peers,
    now: Timestamp,
}

impl World {
    /// `customers` who bought and one failed invoice of the first, all settled downstream.
    fn new(customers: usize) -> Self {
        let settings = Settings { audit: Some(ROUND), ..Settings::default() };
        let service = Service::new(Store::memory(), settings);
        let mut world = Self { service, peers: Peers::default(), now: Timestamp::from_secs(1000) };
        let mut events = vec![invoice("evt_f", "payment_failed", 50, "cus_0", "in_f", None)];
        for n in 0..customers {
            let (customer, email) = (format!("cus_{n}"), format!("a{n}@example.com"));
            events.push(invoice(&format!("evt_i{n}"), "paid", 100, &customer, &format!("in_{n}"), Some(&email)));
            events.push(completed(&format!("evt_c{n}"), &customer, Some(&format!("user{n}")), &email));
            events.push(subscription(&format!("evt_s{n}"), "created", 101, &customer, "active"));
        }
        for event in &events {
            assert!(matches!(world.service.receive(world.now, event), Ok(Received::Settled(_))));
        }
        world.pass(Duration::from_secs(60));
        world
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        drain(&mut self.service, &mut self.peers, self.now, span);
        self.now = end;
    }

    fn view(&mut self) -> AuditView {
        self.service.audit().expect("read")
    }
}

#[test]
fn agreement_finds_nothing_and_says_who_was_compared() {
    let mut world = World::new(12);
    assert_eq!((world.view().never, world.view().compared.len()), (12, 0));
    world.pass(ROUND);
    assert_eq!(world.view().compared.len(), 5, "a few customers a round");
    world.pass(3 * ROUND);
    let view = world.view();
    assert_eq!((view.findings.len(), view.compared.len(), view.never), (0, 12, 0));
    assert!(view.whole_ms.is_some());
    let status = world.service.status().expect("read");
    assert_eq!((status.pending, status.dead, status.drift), (0, 0, 0));
}

#[test]
fn a_field_that_differs_is_told_and_healed() {
    let mut world = World::new(2);
    world.peers.contacts[1].insert("plan".to_owned(), "free".to_owned());
    world.service.audit_now(world.now).expect("asked");
    assert!(world.view().running);
    world.pass(Duration::from_secs(1));
    let view = world.view();
    assert_eq!((view.findings.len(), view.running), (1, false));
    let found = &view.findings[0].disagreements[0];
    assert_eq!((found.place, found.kind, found.what.as_str()), (Place::Crm, Kind::Mismatched, "contact 2: plan"));
    assert_eq!((found.ours.as_deref(), found.theirs.as_deref()), (Some("pro"), Some("free")));
    assert_eq!(world.peers.contacts[1]["plan"], "pro", "its own job wrote it anew");
    world.service.audit_now(world.now).expect("asked");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.view().findings, []);
}

#[test]
fn what_is_missing_or_doubled_stays_until_a_person_has_looked() {
    let mut world = World::new(1);
    let double = world.peers.contacts[0].clone();
    world.peers.contacts.push(double);
    world.peers.tickets.clear();
    world.service.audit_now(world.now).expect("asked");
    world.pass(Duration::from_secs(1));
    let first = world.view().findings;
    let kinds: Vec<_> = first[0].disagreements.iter().map(|one| (one.place, one.kind)).collect();
    assert_eq!(kinds, [(Place::Crm, Kind::Duplicated), (Place::Desk, Kind::Missing)]);
    world.pass(2 * ROUND);
    let later = world.view().findings;
    assert_eq!(later[0].first_seen, first[0].first_seen);
    assert!(later[0].last_seen > first[0].last_seen);
}

#[test]
fn a_peer_that_is_down_leaves_it_open_and_makes_no_finding() {
    let mut world = World::new(1);
    world.peers.troubles.push_back(Trouble::Answer(503, None));
    world.service.audit_now(world.now).expect("asked");
    world.pass(Duration::from_secs(2));
    let view = world.view();
    assert_eq!((view.findings.len(), view.never, view.failed), (0, 1, 1));
    assert_eq!(view.why.as_deref(), Some("503"));
    world.pass(2 * ROUND);
    assert_eq!(world.view().never, 0, "the next round compares");
}
