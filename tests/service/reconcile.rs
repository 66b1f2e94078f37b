//! Reconciliation over the core: what was lost is fetched once, whatever goes wrong on the way.

use super::stories::{completed, invoice, subscription};
use hookdrill::{
    service::{
        Received, Service, Settings,
        store::Store,
        upstream::{Call, CallResult, Transport, outcome, request},
    },
    stripe::event::Event,
    time::Timestamp,
    wire::{Request, Response},
};
use serde_json::json;
use std::time::Duration;

const ROUND: Duration = Duration::from_secs(30);

/// Stripe's list, newest last here; pages of three so that there are several.
struct Stripe {
    events: Vec<String>,
    asked: u32,
}

impl Stripe {
    fn answer(&mut self, request: &Request) -> Response {
        if request.path != "/v1/events" {
            return Response::json(200, &json!({"results": [], "id": "1"}));
        }
        self.asked += 1;
        let newest: Vec<&String> = self.events.iter().rev().collect();
        let id = |body: &str| Event::parse(body).map(|event| event.id.to_string()).unwrap_or_default();
        let from = request
            .query("starting_after")
            .map_or(0, |after| newest.iter().position(|body| id(body) == after).expect("an event of the list") + 1);
        let page: Vec<&str> = newest.iter().skip(from).take(3).map(|body| body.as_str()).collect();
        let more = newest.len() > from + 3;
        let body = format!(r#"{{"object": "list", "has_more": {more}, "data": [{}]}}"#, page.join(","));
        Response { status: 200, body: body.into_bytes(), ..Response::default() }
    }
}

struct World {
    service: Service,
    stripe: Stripe,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let settings = Settings { reconcile: Some(ROUND), ..Settings::default() };
        let service = Service::new(Store::memory(), settings);
        let stripe = Stripe { events: Vec::new(), asked: 0 };
        let mut world = Self { service, stripe, now: Timestamp::from_secs(1000) };
        // The first look is at an empty list: all that follows is new.
        world.work(Duration::from_secs(1));
        world
    }

    fn work(&mut self, span: Duration) {
        self.work_through(span, |_| None);
    }

    /// Works for a while; `trouble` may answer a call of reconciliation instead of Stripe.
    fn work_through(&mut self, span: Duration, mut trouble: impl FnMut(u32) -> Option<CallResult>) {
        let end = self.now + span;
        loop {
            while let Some((lease, call)) = self.service.begin(self.now, "worker").expect("begin") {
                let spoilt = if matches!(call, Call::Look(_)) { trouble(self.stripe.asked) } else { None };
                let result = spoilt.unwrap_or_else(|| {
                    let response = self.stripe.answer(&request(&call, "key"));
                    outcome(&call, Ok::<_, Transport>(&response))
                });
                self.service.finish(self.now, &lease, &result).expect("finish");
            }
            match self.service.next_ready().expect("next") {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = end;
    }

    fn made(&mut self, event: &Event) {
        self.stripe.events.push(event.body.to_string());
    }

    fn arrives(&mut self, event: &Event) {
        assert!(matches!(self.service.receive(self.now, event), Ok(Received::Settled(_))));
    }

    fn access(&mut self) -> bool {
        self.service.customer("cus_1").expect("read").is_some_and(|view| view.access)
    }

    fn repaired(&mut self) -> (u64, u64) {
        let view = self.service.audit().expect("read");
        (view.reconcile.repaired, view.reconcile.skipped)
    }
}

fn purchase() -> [Event; 3] {
    [
        invoice("evt_1", "paid", 100, "cus_1", "in_1", Some("ada@example.com")),
        completed("evt_2", "cus_1", Some("ada"), "ada@example.com"),
        subscription("evt_3", "created", 101, "cus_1", "active"),
    ]
}

#[test]
fn what_never_arrived_is_fetched_once_and_what_arrived_is_left_alone() {
    let mut world = World::new();
    for event in &purchase() {
        world.made(event);
    }
    world.arrives(&purchase()[1]);
    assert!(!world.access());
    world.work(ROUND);
    assert!(world.access());
    assert_eq!(world.repaired(), (2, 0));
    world.arrives(&purchase()[0]);
    world.work(10 * ROUND);
    assert_eq!((world.repaired(), world.service.status().expect("read").events), ((2, 0), 3));
}

#[test]
fn failed_polls_delay_it_by_less_than_two_minutes() {
    for status in [429_u16, 500] {
        let mut world = World::new();
        for event in &purchase() {
            world.made(event);
        }
        let mut failures = 4;
        let after = (status == 429).then(|| Duration::from_secs(20));
        world.work_through(Duration::from_secs(120), |_| {
            failures -= 1;
            (failures >= 0).then(|| CallResult::Later { what: status.to_string(), after })
        });
        assert!(world.access(), "{status}");
        let status = world.service.status().expect("read");
        assert_eq!((status.pending, status.dead), (0, 0));
    }
}

#[test]
fn a_list_of_many_pages_is_walked_and_a_crash_repeats_nothing() {
    let mut world = World::new();
    for n in 0..20 {
        world.made(&subscription(&format!("evt_p{n}"), "updated", 100 + n, "cus_9", "active"));
    }
    for event in &purchase() {
        world.made(event);
    }
    for crash_at in 0..4 {
        world.now = world.now + ROUND;
        for _ in 0..crash_at {
            let Some((lease, call)) = world.service.begin(world.now, "worker").expect("begin") else { break };
            let response = world.stripe.answer(&request(&call, "key"));
            let result = outcome(&call, Ok::<_, Transport>(&response));
            world.service.finish(world.now, &lease, &result).expect("finish");
        }
        let crashed = std::mem::replace(&mut world.service, Service::new(Store::memory(), Settings::default()));
        world.service = crashed.restarted();
    }
    world.work(2 * ROUND);
    assert!(world.access());
    assert_eq!((world.repaired().0, world.service.status().expect("read").events), (23, 23));
}

#[test]
fn what_is_not_ours_or_no_event_is_passed_over() {
    let mut world = World::new();
    let other = purchase()[0].body.replace("\"livemode\":false", "\"livemode\":true").replace("evt_1", "evt_live");
    world.stripe.events.extend([other, r#"{"id": "evt_odd", "created": 5}"#.to_owned()]);
    for event in &purchase() {
        world.made(event);
    }
    world.work(ROUND);
    assert!(world.access());
    assert_eq!(world.repaired(), (3, 2));
}

#[test]
fn an_empty_database_does_not_drag_the_past_in_unless_asked() {
    for (backfill, events) in [(false, 0), (true, 3)] {
        let settings = Settings { reconcile: Some(ROUND), backfill, ..Settings::default() };
        let mut world = World::new();
        world.service = Service::new(Store::memory(), settings);
        // An hour between each: beyond the overlap.
        for (n, event) in (0..).zip(purchase()) {
            let later =
                event.body.replace(&format!("\"created\":{},", event.created), &format!("\"created\":{},", n * 3600));
            world.stripe.events.push(later);
        }
        world.work(Duration::from_secs(1));
        assert_eq!(world.service.status().expect("read").events, events, "backfill: {backfill}");
    }
}
