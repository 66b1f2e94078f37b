//! Requests to support, tasks, merged contacts and scopes: the core against the doubles' own models.

use super::stories::{completed, invoice, subscription};
use hookdrill::{
    mock::{
        crm,
        desk::{self, Desk},
        models::{ModelOptions, Models},
    },
    scenario::fault::Double,
    service::{
        Received, Service, Settings,
        store::Store,
        support::requests::{Asked, Submitted},
        upstream::{Upstream, outcome, request},
    },
    stripe::event::Event,
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

const EMAIL: &str = "ada@example.com";
const HOUR: Duration = Duration::from_secs(3600);

struct World {
    service: Service,
    models: Models,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let service = Service::new(Store::memory(), Settings::default());
        let models = Models::new(&ModelOptions::default());
        Self { service, models, now: Timestamp::from_secs(1000) }
    }

    fn bought() -> Self {
        let mut world = Self::new();
        world.deliver(&subscription("evt_1", "created", 100, "cus_1", "active"));
        world.deliver(&invoice("evt_2", "paid", 100, "cus_1", "in_1", Some(EMAIL)));
        world.deliver(&completed("evt_3", "cus_1", Some("ada"), EMAIL));
        world
    }

    fn deliver(&mut self, event: &Event) {
        assert!(matches!(self.service.receive(self.now, event), Ok(Received::Settled(_))));
    }

    fn ask(&mut self, message: &str, key: Option<&str>) -> Submitted {
        let asked = Asked { message: message.into(), category: None, user: None, email: Some(EMAIL.into()) };
        assert_eq!(asked.objection(), None);
        self.service.ask(self.now, &asked, key).expect("taken")
    }

    /// Works off what becomes ready within `span`.
    fn drain(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            while let Some((lease, call)) = self.service.begin(self.now, "w").expect("begin") {
                let double = match call.upstream() {
                    Upstream::Crm => Double::Crm,
                    Upstream::Desk => Double::Support,
                    Upstream::Stripe => Double::Stripe,
                    Upstream::Alerts => Double::Alerts,
                };
                let now_ms = u64::try_from(self.now.millis()).expect("after 1970");
                let answered = self.models.handle(double, now_ms, &request(&call, "token"));
                let result = outcome(&call, Ok(&answered.response));
                self.service.finish(self.now, &lease, &result).expect("finish");
            }
            match self.service.next_ready().expect("next") {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
    }
}

#[test]
fn one_request_is_one_ticket_that_names_queue_and_rule() {
    let mut world = World::new();
    let first = world.ask("Please refund my last invoice", Some("k1"));
    assert_eq!(world.ask("Please refund my last invoice", Some("k1")), first);
    assert_eq!(world.ask("Something else", Some("k1")), Submitted::KeyUsed);
    assert_ne!(world.ask("Please refund my last invoice", None), first, "without a key each is a request of its own");
    world.drain(HOUR);
    let tickets = world.models.desk.tickets();
    assert_eq!(tickets.len(), 2);
    assert_eq!((tickets[0].queue.as_deref(), tickets[0].requester.as_deref()), (Some("billing"), Some(EMAIL)));
    assert!(tickets[0].tags.contains(&"rule_money-words".to_owned()), "{:?}", tickets[0].tags);
    assert_eq!(world.service.status().expect("read").unrouted, 0);
}

#[test]
fn stuck_beginnings_open_one_ticket_and_active_ones_none() {
    let mut world = World::bought();
    world.service.sign_up(world.now, "ada", EMAIL).expect("signed up");
    world.service.sign_up(world.now, "bob", "bob@example.com").expect("signed up");
    world.service.sign_up(world.now, "bob", "bob@example.com").expect("again");
    world.drain(23 * HOUR);
    assert_eq!(world.models.desk.tickets().len(), 0);
    world.drain(100 * HOUR);
    let tickets = world.models.desk.tickets();
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    assert_eq!(
        (tickets[0].queue.as_deref(), tickets[0].requester.as_deref()),
        (Some("onboarding"), Some("bob@example.com"))
    );
}

#[test]
fn churn_and_failure_leave_one_task_each_beside_the_contact() {
    let mut world = World::bought();
    world.deliver(&invoice("evt_4", "payment_failed", 200, "cus_1", "in_2", Some(EMAIL)));
    world.deliver(&subscription("evt_5", "deleted", 300, "cus_1", "canceled"));
    world.deliver(&subscription("evt_5", "deleted", 300, "cus_1", "canceled"));
    world.drain(HOUR);
    let tasks = world.models.crm.tasks();
    let contact = world.models.crm.contacts()[0].id.clone();
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    assert!(tasks.iter().all(|(_, _, beside)| beside.as_ref() == Some(&contact)));
}

#[test]
fn a_contact_that_was_merged_is_followed() {
    let mut world = World::bought();
    world.drain(HOUR);
    let old = world.models.crm.contacts()[0].id.clone();
    let own = BTreeMap::from([("email".to_owned(), "a.lovelace@example.com".to_owned()), ("phone".into(), "1".into())]);
    let other = world.models.crm.give(own);
    let now_ms = u64::try_from(world.now.millis()).expect("after 1970");
    let merged = world.models.crm.merge(now_ms, &other, &old).expect("merged");
    world.deliver(&subscription("evt_9", "updated", 900, "cus_1", "past_due"));
    world.drain(HOUR);
    let contacts = world.models.crm.contacts();
    assert_eq!((contacts.len(), contacts[0].id.as_str()), (1, merged.as_str()));
    assert_eq!(contacts[0].properties["subscription_status"], "past_due");
    assert_eq!(contacts[0].properties["phone"], "1", "what others wrote stays");
    let view = world.service.customer("cus_1").expect("read").expect("known");
    assert_eq!(view.crm_contact.as_deref(), Some(merged.as_str()));
}

#[test]
fn a_missing_scope_is_named_by_the_dead_letter_and_heals_when_granted() {
    let mut world = World::bought();
    world.models.crm.grant(crm::Scopes::of(&[crm::Scope::ContactsRead]));
    world.models.desk.grant(desk::Scopes::NONE);
    world.ask("refund", None);
    world.drain(Duration::from_secs(240));
    let dead = world.service.dead().expect("read");
    let errors: Vec<&str> = dead.iter().filter_map(|job| job.error.as_deref()).collect();
    assert!(errors.contains(&"403: the token lacks the scope crm.objects.contacts.write"), "{errors:?}");
    assert!(errors.contains(&"403: the token lacks the scope tickets:read"), "{errors:?}");
    assert!(!serde_json::to_string(&dead).expect("JSON").contains('@'), "no address");

    world.models.crm.grant(crm::Scopes::all());
    world.models.desk.grant(desk::Scopes::all());
    assert_eq!(world.service.requeue_one(world.now, dead[0].job), Ok(true));
    assert_eq!(world.service.requeue_one(world.now, 999), Ok(false));
    world.drain(HOUR);
    assert_eq!(world.service.dead().expect("read").len(), 0);
    assert_eq!((world.models.crm.contacts().len(), world.models.desk.tickets().len()), (1, 1));
}

#[test]
fn the_service_uses_just_the_scopes_that_the_doubles_grant_it() {
    let mut world = World::bought();
    world.deliver(&invoice("evt_4", "payment_failed", 200, "cus_1", "in_2", Some(EMAIL)));
    world.ask("refund", None);
    // Both answers are lost: what was made is looked for.
    for _ in 0..3 {
        while world.service.begin(world.now, "dies").expect("begin").is_some() {}
        world.drain(Duration::from_secs(120));
    }
    assert_eq!(world.models.crm.scopes_used(), ["crm.objects.contacts.read", "crm.objects.contacts.write"]);
    let used: Vec<String> = Desk::scopes_used(&world.models.desk);
    assert!(used.iter().all(|scope| scope == "tickets:read" || scope == "tickets:write"), "{used:?}");
    assert_eq!(world.service.status().expect("read").dead, 0);
}
