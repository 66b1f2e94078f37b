//! Transport and downstream faults from the file to the plan: what each attempt meets, which calls are meant, and how it reads.

use super::recordings::find;
use hookdrill::{
    mock::models::{ModelOptions, Models},
    plan::{compile::compile, model::Plan, text::timeline},
    scenario::{fault::Double, load::parse, transport::Transport},
    time::Timestamp,
    wire::Request,
};
use std::path::Path;

fn text(faults: &str) -> String {
    format!(
        "version = 1\nname = \"ways\"\nabout = \"Made by a test.\"\n[doubles]\nstripe = true\n[delivery]\nretry = [\"10ms\", \"10ms\", \"10ms\", \"10ms\"]\n\
         [[story]]\nname = \"purchase\"\nrecording = \"purchase\"\ninstances = 40\n{faults}\n\
         [[criterion]]\nevents_lost = {{ exactly = 0 }}\n"
    )
}

fn plan(faults: &str, seed: u64) -> Plan {
    let scenario = parse(&text(faults), Path::new("ways.toml"), &mut find).unwrap_or_else(|errors| panic!("{errors}"));
    compile(&scenario, seed, Timestamp::from_secs(1_780_315_200)).expect("compiles")
}

const FAULTS: &str = r#"
[[fault]]
drop = { of = "invoice.paid", first = 1 }
[[fault]]
transport = { of = "invoice.paid", how = "truncated", first = 2 }
[[fault]]
transport = { of = "invoice.paid", how = "slow_upload", over = "300ms" }
[[fault]]
transport = { of = "customer.created", how = "reset_before_reply", probability = 0.5 }
[[fault]]
duplicate = { of = "invoice.paid", copies = 2, spacing = "after everything" }
[[fault]]
downstream = { of = "crm", operation = "create_contact", customer = 2, does = "lost_reply", first = 2, from = "1s", for = "2s" }
[[fault]]
downstream = { of = "support", answer = 429, retry_after = "2s", probability = 0.25 }
[[fault]]
kill = { at_call = { of = "support", operation = "create_ticket", nth = 3, moment = "before" } }
"#;

#[test]
fn faults_of_one_event_follow_each_other_over_its_attempts() {
    let plan = plan(FAULTS, 1);
    let paid = plan.deliveries.iter().find(|d| d.event_type == "invoice.paid").expect("a delivery");
    let ways: Vec<_> = (1..=5).map(|attempt| paid.on_the_way(attempt)).collect();
    let (cut, slow) = (Some(Transport::Truncated), Some(Transport::SlowUpload { over_ms: 300 }));
    assert_eq!(ways, [None, cut, cut, slow, slow], "the first is lost, and nothing happens on its way");
    assert!(paid.owed, "it stays owed");
    let replayed = plan.deliveries.iter().find(|d| d.at_ms == 0).expect("a replay");
    assert_eq!((replayed.drop_first, replayed.on_the_way(1)), (0, None), "the faults are over in the replay");
}

#[test]
fn a_chance_is_drawn_for_each_delivery_from_a_stream_of_its_own() {
    let hit = |plan: &Plan| -> Vec<bool> {
        let created = plan.deliveries.iter().filter(|d| d.event_type == "customer.created");
        created.map(|delivery| delivery.on_the_way(1).is_some()).collect()
    };
    let hits = hit(&plan(FAULTS, 1));
    let count = hits.iter().filter(|hit| **hit).count();
    assert!(hits.len() == 40 && (10..=30).contains(&count), "{count} of {}", hits.len());
    assert_eq!(hits, hit(&plan(FAULTS, 1)));
    assert_ne!(hits, hit(&plan(FAULTS, 2)));
    let more = format!("{FAULTS}[[fault]]\ntransport = {{ of = \"*\", how = \"chunked\", probability = 0.5 }}\n");
    assert_eq!(hits, hit(&plan(&more, 1)).iter().zip(&hits).map(|(now, then)| *now && *then).collect::<Vec<_>>());
}

#[test]
fn calls_are_addressed_by_what_names_a_customer_and_a_saved_plan_says_it_all() {
    let plan = plan(FAULTS, 1);
    let [lost, limited] = plan.troubles.as_slice() else { panic!("two troubles") };
    let second = plan.instances.iter().find(|i| i.id.as_str() == "purchase/2").expect("the second customer");
    assert!(lost.about.contains(second.email.as_ref().expect("an e-mail")), "{lost:?}");
    let others = plan.instances.iter().filter(|i| i.id != second.id).filter_map(|i| i.email.as_ref());
    assert!(others.into_iter().all(|email| !lost.about.contains(email)), "nobody else: {lost:?}");
    assert_eq!((lost.from_ms, lost.until_ms), (1_000, Some(3_000)));
    assert_eq!((limited.about.len(), limited.until_ms, limited.probability), (0, None, 0.25));
    let json = serde_json::to_string(&plan).expect("saved");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("read"), plan);
}

#[test]
fn the_timeline_shows_each_fault_and_what_stays_owed() {
    let shown = timeline(&plan(FAULTS, 1));
    for line in [
        "each of the first 2 attempts of `invoice.paid` goes cut off before its length; \
         such an attempt must not be accepted; everything stays owed",
        "first attempt lost, first 2 attempts cut off before its length, each attempt then uploaded slowly, over 300ms",
        "zero or one effect until a later one is acknowledged, never two",
        "crm does what is asked, and the reply is lost; everything stays owed",
        "done, but the reply is lost [5]",
        "support any call",
        "each, chance 0.25",
        "answers 429, Retry-After 2 [6]",
        "before `create_ticket` number 3 takes effect in support",
    ] {
        assert!(shown.contains(line), "lacks `{line}`:\n{shown}");
    }
}

#[test]
fn a_file_may_name_every_operation_that_a_double_tells_apart() {
    let (contact, ticket) = ("/crm/v3/objects/contacts", "/api/v2/tickets");
    let calls = [
        (Double::Crm, "POST", contact.to_owned()),
        (Double::Crm, "POST", format!("{contact}/search")),
        (Double::Crm, "GET", format!("{contact}/1")),
        (Double::Crm, "PATCH", format!("{contact}/1")),
        (Double::Crm, "POST", format!("{contact}/batch/upsert")),
        (Double::Stripe, "GET", "/v1/events".to_owned()),
        (Double::Stripe, "GET", "/v1/events/evt_1".to_owned()),
        (Double::Stripe, "POST", "/v1/customers".to_owned()),
        (Double::Stripe, "GET", "/v1/customers/cus_1".to_owned()),
        (Double::Stripe, "POST", "/v1/checkout/sessions".to_owned()),
        (Double::Stripe, "GET", "/v1/checkout/sessions/cs_1".to_owned()),
        (Double::Stripe, "POST", "/v1/checkout/sessions/cs_1/expire".to_owned()),
        (Double::Stripe, "GET", "/v1/subscriptions/sub_1".to_owned()),
        (Double::Stripe, "POST", "/v1/subscriptions/sub_1".to_owned()),
        (Double::Stripe, "DELETE", "/v1/subscriptions/sub_1".to_owned()),
        (Double::Support, "POST", ticket.to_owned()),
        (Double::Support, "GET", ticket.to_owned()),
        (Double::Support, "GET", format!("{ticket}/1")),
        (Double::Support, "PUT", format!("{ticket}/1")),
        (Double::Support, "GET", "/api/v2/search.json".to_owned()),
    ];
    for (of, method, path) in calls {
        let operation = Models::new(&ModelOptions::default())
            .operation(of, &Request { method: method.to_owned(), path, ..Request::default() });
        assert_ne!(operation, "unknown", "{method}");
        let word = of.word();
        plan(
            &format!("[[fault]]\ndownstream = {{ of = \"{word}\", operation = \"{operation}\", does = \"hang\" }}"),
            1,
        );
    }
}

#[test]
fn what_happens_to_the_service_is_in_the_plan_and_in_its_timeline() {
    let faults = r#"
[[fault]]
stop = { at = "1s", restart_after = "300ms" }
[[fault]]
clock = { behind = "60s", from = "1s" }
[[fault]]
store_busy = { from = "2s", for = "1s" }
[[fault]]
downstream = { of = "crm", does = "slow", by = { p50 = "20ms", p99 = "2s" } }
[[fault]]
downstream = { of = "crm", does = "partial_batch", fails = 2 }
"#;
    let plan = plan(faults, 1);
    let json = serde_json::to_string(&plan).expect("saved");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("read"), plan);
    let shown = timeline(&plan);
    for line in [
        "the service is told to stop at 1s, started again 300ms after it has ended; everything stays owed",
        "the service's clock is 1m behind from 1s on; nothing may change; everything stays owed",
        "told to stop at 1.000s  started again 0.300s later",
        "1.000s to the end  the service's clock is 1m behind",
        "2.000s to 3.000s   the store is locked",
        "takes mostly 0.020s, rarely 2.000s",
        "does a batch but for its last 2",
    ] {
        assert!(shown.contains(line), "lacks `{line}`:\n{shown}");
    }
}
