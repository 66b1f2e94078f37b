//! The core over memory: jobs from event to effect, trouble on the way, crashes, and what each defect does.

use super::{
    peers::{Peers, Trouble, drain},
    stories::{completed, event, invoice, subscription},
};
use hookdrill::{
    service::{Defect, Received, Service, Settings, store::Store},
    stripe::event::Event,
    time::Timestamp,
};
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const EMAIL: &str = "ada@example.com";

struct World {
    service: Service,
    peers: Peers,
    now: Timestamp,
}

impl World {
    fn new(defects: &[Defect]) -> Self {
        let settings = Settings { defects: defects.iter().copied().collect(), ..Settings::default() };
        let service = Service::new(Store::memory(), settings);
        Self { service, peers: Peers::default(), now: Timestamp::from_secs(1000) }
    }

    /// Delivers, with whatever a defect leaves for later done at once.
    fn deliver(&mut self, event: &Event) {
        if let Some(rest) = self.receive(event) {
            self.service.resume(self.now, &rest).expect("resumed");
        }
    }

    fn receive(&mut self, event: &Event) -> Option<hookdrill::service::core::Rest> {
        match self.service.receive(self.now, event).expect("received") {
            Received::Settled(_) => None,
            Received::Torn(rest) => Some(rest),
        }
    }

    fn crash(&mut self) {
        let service = std::mem::replace(&mut self.service, Service::new(Store::memory(), Settings::default()));
        self.service = service.restarted();
    }

    fn drain(&mut self) {
        self.now = drain(&mut self.service, &mut self.peers, self.now, 5 * MINUTE);
    }

    fn count(&self, call: &str) -> usize {
        self.peers.calls.iter().filter(|made| *made == call).count()
    }
}

fn purchase() -> [Event; 3] {
    [
        invoice("evt_1", "paid", 100, "cus_1", "in_1", Some("Ada@Example.com")),
        completed("evt_2", "cus_1", Some("ada"), EMAIL),
        subscription("evt_3", "created", 101, "cus_1", "active"),
    ]
}

fn failed(id: &str) -> Event {
    invoice(id, "payment_failed", 500, "cus_1", "in_2", Some(EMAIL))
}

#[test]
fn a_purchase_makes_one_contact_and_the_state_that_it_says() {
    let mut world = World::new(&[]);
    for event in purchase() {
        world.deliver(&event);
        world.deliver(&event);
    }
    world.drain();
    let view = world.service.customer("ada").expect("read").expect("known");
    assert_eq!(Some(&view), world.service.customer("cus_1").expect("read").as_ref());
    assert_eq!((view.access, view.status.as_str(), view.plan.as_str(), view.purchases), (true, "active", "pro", 1));
    assert_eq!((view.crm_contact.as_deref(), view.support_status), (Some("1"), "none"));
    assert_eq!(world.peers.contacts.len(), 1);
    let contact = &world.peers.contacts[0];
    for (name, value) in [("email", EMAIL), ("access", "true"), ("app_user_id", "ada"), ("stripe_customer_id", "cus_1")]
    {
        assert_eq!(contact.get(name).map(String::as_str), Some(value), "{name}");
    }
    let status = world.service.status().expect("read");
    assert_eq!((status.pending, status.dead, status.drift, status.events), (0, 0, 0, 3));
    let calls = world.peers.calls.len();
    world.deliver(&event("evt_4", "charge.refunded", 102, json!({"customer": "cus_1", "refunded": false})));
    world.drain();
    assert_eq!(world.peers.calls.len(), calls, "nothing to write, nothing called");
}

#[test]
fn three_customers_of_one_person_are_one_contact() {
    let mut world = World::new(&[]);
    for (n, customer) in ["cus_1", "cus_2", "cus_3"].into_iter().enumerate() {
        world.deliver(&subscription(&format!("evt_s{n}"), "created", 100, customer, "active"));
        world.deliver(&completed(&format!("evt_c{n}"), customer, None, EMAIL));
    }
    world.drain();
    assert_eq!(world.peers.contacts.len(), 1);
    let view = world.service.customer("cus_2").expect("read").expect("known");
    assert_eq!((view.access, view.purchases), (true, 3));
    world.deliver(&subscription("evt_d", "deleted", 200, "cus_3", "canceled"));
    assert!(world.service.customer("cus_3").expect("read").is_some_and(|view| view.access), "two are still good");
}

#[test]
fn a_contact_of_others_is_found_and_only_our_fields_are_written() {
    let mut world = World::new(&[]);
    let theirs = [("email", EMAIL), ("owner", "sales"), ("lifecyclestage", "lead")];
    world.peers.contacts.push(theirs.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    for event in purchase() {
        world.deliver(&event);
    }
    world.peers.troubles.push_back(Trouble::Lag);
    world.drain();
    assert_eq!(world.peers.contacts.len(), 1, "the search lagged, and the 409 named the contact");
    assert_eq!(world.peers.contacts[0]["owner"], "sales");
    assert_eq!(world.peers.contacts[0]["plan"], "pro");
}

#[test]
fn trouble_on_the_way_makes_no_second_contact_or_ticket() {
    let troubles = [
        Trouble::LostReply,
        Trouble::Unreached,
        Trouble::Answer(503, None),
        Trouble::Answer(429, Some(2)),
        Trouble::Lag,
    ];
    for first in &troubles {
        for second in &troubles {
            for position in 0..4 {
                let mut world = World::new(&[]);
                for event in purchase() {
                    world.deliver(&event);
                }
                world.deliver(&failed("evt_4"));
                world.deliver(&failed("evt_5"));
                // The listing of tickets has no lag; everything else can go wrong anywhere.
                let clean = std::iter::repeat_n(Trouble::Answer(500, None), position);
                world.peers.troubles = clean.chain([first.clone(), second.clone()]).collect();
                world.drain();
                let case = format!("{first:?} {second:?} {position}");
                assert_eq!((world.peers.contacts.len(), world.peers.tickets.len()), (1, 1), "{case}");
                let status = world.service.status().expect("read");
                assert_eq!((status.pending, status.dead, status.drift), (0, 0, 0), "{case}");
            }
        }
    }
}

#[test]
fn a_ticket_has_its_queue_and_its_requester() {
    let mut world = World::new(&[]);
    world.deliver(&failed("evt_4"));
    assert_eq!(world.service.customer("cus_1").expect("read").expect("known").support_status, "pending");
    world.drain();
    let ticket = &world.peers.tickets[0];
    assert_eq!((ticket.external_id.as_str(), ticket.requester.as_deref()), ("invoice:in_2", Some(EMAIL)));
    assert!(ticket.tags.iter().any(|tag| tag == "queue_billing"));
    assert_eq!(world.service.customer("cus_1").expect("read").expect("known").support_status, "open");
}

#[test]
fn a_worker_that_dies_after_the_call_leaves_one_ticket() {
    for (defects, tickets) in [(&[][..], 1), (&[Defect::TicketNotKeyed], 2)] {
        let mut world = World::new(defects);
        world.deliver(&failed("evt_4"));
        // The first call may be the contact's: run all of them up to the ticket's, which is made but never finished.
        while world.count("POST /api/v2/tickets") == 0 {
            let (lease, call) = world.service.begin(world.now, "a").expect("begin").expect("a job");
            let answer = world.peers.call(&hookdrill::service::upstream::request(&call, "t"));
            let result = hookdrill::service::upstream::outcome(&call, answer.as_ref().map_err(|e| *e));
            if world.count("POST /api/v2/tickets") == 0 {
                world.service.finish(world.now, &lease, &result).expect("finish");
            }
        }
        world.crash();
        world.drain();
        assert_eq!(world.peers.tickets.len(), tickets, "{defects:?}");
    }
}

#[test]
fn an_answer_after_the_lease_is_dropped() {
    use hookdrill::service::{upstream::CallResult, worker::Finished};
    let mut world = World::new(&[]);
    world.deliver(&failed("evt_4"));
    let (old, call) = world.service.begin(world.now, "slow").expect("begin").expect("a job");
    let late = world.now + Duration::from_secs(11);
    world.service.begin(late, "quick").expect("begin").expect("the ticket, ready for longer");
    let (new, again) = world.service.begin(late, "quick").expect("begin").expect("taken over");
    assert_eq!((old.job, call), (new.job, again));
    let found = CallResult::Found(Some("77".into()));
    assert_eq!(world.service.finish(late, &old, &found), Ok(Finished::Stale));
    assert_eq!(world.service.finish(late, &new, &found), Ok(Finished::Taken));
}

#[test]
fn an_uncertain_write_is_never_taken_for_confirmed() {
    let mut world = World::new(&[]);
    for event in purchase() {
        world.deliver(&event);
    }
    world.drain();
    // Past due reaches the CRM, its reply is lost, and before the next attempt the state is back where it was.
    world.deliver(&subscription("evt_5", "updated", 200, "cus_1", "past_due"));
    world.peers.troubles.push_back(Trouble::LostReply);
    let (lease, call) = world.service.begin(world.now, "a").expect("begin").expect("a job");
    let answer = world.peers.call(&hookdrill::service::upstream::request(&call, "t"));
    let result = hookdrill::service::upstream::outcome(&call, answer.as_ref().map_err(|e| *e));
    world.service.finish(world.now, &lease, &result).expect("finish");
    assert_eq!(world.peers.contacts[0]["subscription_status"], "past_due");
    world.deliver(&subscription("evt_6", "updated", 300, "cus_1", "active"));
    world.drain();
    assert_eq!(world.peers.contacts[0]["subscription_status"], "active");
}

#[test]
fn a_second_email_learned_before_the_first_call_is_no_second_contact() {
    let mut world = World::new(&[]);
    let late = event(
        "evt_1",
        "checkout.session.completed",
        500,
        json!({"id": "cs_1", "customer": "cus_1",
        "client_reference_id": "ada", "customer_details": {"email": "new@example.com"}, "created": 499}),
    );
    world.deliver(&late);
    world.deliver(&completed("evt_2", "cus_1", Some("ada"), EMAIL));
    world.drain();
    assert_eq!(world.peers.contacts.len(), 1);
    assert_eq!(world.service.customer("cus_1").expect("read").expect("known").email.as_deref(), Some(EMAIL));
}

#[test]
fn a_contact_that_is_gone_is_made_again_and_a_circle_ends() {
    let mut world = World::new(&[]);
    for event in purchase() {
        world.deliver(&event);
    }
    world.drain();
    world.peers.contacts.clear();
    world.deliver(&subscription("evt_5", "updated", 200, "cus_1", "past_due"));
    world.drain();
    assert_eq!(world.peers.contacts.len(), 1);
    assert_eq!(world.peers.contacts[0]["subscription_status"], "past_due");

    world.deliver(&subscription("evt_6", "updated", 300, "cus_1", "active"));
    // The search goes on to show what the CRM no longer has.
    world.peers.troubles = std::iter::repeat_n(Trouble::Ghost, 300).collect();
    drain(&mut world.service, &mut world.peers, world.now, 4 * MINUTE);
    assert_eq!(world.service.status().expect("read").dead, 1);
}

#[test]
fn given_up_jobs_come_back_when_the_peer_heals() {
    let mut world = World::new(&[]);
    world.deliver(&failed("evt_4"));
    world.peers.troubles = std::iter::repeat_n(Trouble::Answer(503, None), 24).collect();
    world.now = drain(&mut world.service, &mut world.peers, world.now, 3 * MINUTE);
    let status = world.service.status().expect("read");
    assert_eq!(
        (status.dead, status.pending, status.drift),
        (3, 0, 1),
        "contact, ticket, and the task that waits for a contact"
    );
    world.drain();
    assert_eq!((world.peers.tickets.len(), world.peers.contacts.len(), world.peers.tasks.len()), (1, 1, 1));
    assert_eq!(world.service.status().expect("read").dead, 0);
}

#[test]
fn strangers_events_change_nothing() {
    let mut world = World::new(&[]);
    let body = purchase()[1].body.replace("\"livemode\":false", "\"livemode\":true");
    world.deliver(&Event::parse(&body).expect("an event"));
    let body = purchase()[0].body.replacen('{', "{\"account\":\"acct_other\",", 1);
    world.deliver(&Event::parse(&body).expect("an event"));
    world.deliver(&event("evt_9", "something.new", 1, json!({})));
    world.drain();
    assert_eq!(world.service.customer("cus_1"), Ok(None));
    let status = world.service.status().expect("read");
    assert_eq!((status.events, status.pending, world.peers.calls.len()), (3, 0, 0));
}

#[test]
fn signing_up_is_idempotent_and_reaches_the_crm_only_with_a_purchase() {
    let mut world = World::new(&[]);
    assert_eq!(world.service.sign_up(world.now, "ada", "Ada@example.com"), Ok(true));
    assert_eq!(world.service.sign_up(world.now, "ada", EMAIL), Ok(false));
    world.drain();
    assert_eq!(world.peers.calls.len(), 0);
    let orphan = subscription("evt_3", "created", 101, "cus_1", "trialing");
    world.deliver(&orphan);
    assert_eq!(world.service.status().expect("read").drift, 1, "a subscriber tied to nobody");
    world.deliver(&completed("evt_2", "cus_1", Some("ada"), "other@example.com"));
    world.drain();
    assert_eq!(world.peers.contacts.len(), 1);
    assert_eq!(world.peers.contacts[0]["email"], EMAIL, "the person's own word for where to write to");
    assert_eq!(world.service.status().expect("read").drift, 0);
}

#[test]
fn the_success_page_shows_what_is_so() {
    let mut world = World::new(&[]);
    let [paid, session, active] = purchase();
    assert_eq!(world.service.is_active("cs_cus_1"), Ok(false));
    world.deliver(&session);
    assert_eq!(world.service.is_active("cs_cus_1"), Ok(false), "a Checkout alone tells no subscription");
    world.deliver(&active);
    world.deliver(&paid);
    assert_eq!(world.service.is_active("cs_cus_1"), Ok(true));
}

#[test]
fn defects_that_count_twice() {
    for defect in [Defect::NoDedupe, Defect::CheckThenInsert, Defect::DedupeInMemory] {
        let mut world = World::new(&[defect]);
        let (session, bill) = (purchase()[1].clone(), failed("evt_4"));
        for event in [&session, &bill] {
            let first = world.receive(event);
            if defect == Defect::DedupeInMemory {
                world.crash();
            }
            let second = world.receive(event);
            for rest in [first, second].into_iter().flatten() {
                world.service.resume(world.now, &rest).expect("resumed");
            }
        }
        world.drain();
        let view = world.service.customer("cus_1").expect("read").expect("known");
        assert_eq!((view.purchases, world.peers.tickets.len()), (2, 2), "{}", defect.name());
    }
}

#[test]
fn defects_that_lose_what_was_promised() {
    for (defect, state, contacts) in
        [(Defect::AckBeforePersist, false, 0), (Defect::SeenIsApplied, false, 0), (Defect::JobAfterCommit, true, 0)]
    {
        let mut world = World::new(&[defect]);
        let session = purchase()[1].clone();
        let rest = world.receive(&session).expect("torn apart");
        assert_eq!(rest.acked, defect == Defect::AckBeforePersist);
        world.crash();
        if !rest.acked {
            assert_eq!(world.receive(&session), None, "the retry is taken for a duplicate");
        }
        world.drain();
        let known = world.service.customer("cus_1").expect("read").is_some();
        assert_eq!((known, world.peers.contacts.len()), (state, contacts), "{}", defect.name());
    }
}

#[test]
fn the_other_defects_show() {
    let mut world = World::new(&[Defect::ContactOnEveryEvent]);
    purchase().iter().for_each(|event| world.deliver(event));
    world.drain();
    assert_eq!(world.peers.contacts.len(), 3);

    let mut world = World::new(&[Defect::JobBeforeCommit]);
    let rest = world.receive(&purchase()[1]).expect("torn apart");
    world.drain();
    world.service.resume(world.now, &rest).expect("resumed");
    world.drain();
    assert_eq!(world.peers.contacts.len(), 0, "the worker was there first and dropped the job");

    let mut world = World::new(&[Defect::LeaseNeverReclaimed]);
    world.deliver(&failed("evt_4"));
    world.service.begin(world.now, "dies").expect("begin").expect("a job");
    world.service.begin(world.now, "dies").expect("begin").expect("a job");
    world.crash();
    world.drain();
    assert_eq!((world.peers.tickets.len(), world.peers.contacts.len()), (0, 0));
}
