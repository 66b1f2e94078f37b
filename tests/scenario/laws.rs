//! Laws that every plan keeps, whatever the faults and the seed.

use super::{good::EVERYTHING, recordings::scenario};
use hookdrill::{
    plan::{
        compile::{compile, compile_timed},
        model::{Delivery, DeliveryKind, Instance, Phase, Plan, Reaction, Signing},
    },
    scenario::{
        fault::MalformedBody,
        forms::{BodyForm, Foreign},
        model::Scenario,
    },
    stripe::event::Event,
    time::Timestamp,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const EPOCH: Timestamp = Timestamp::from_secs(1_780_315_200);

fn with_faults(instances: u32, faults: &[String]) -> Scenario {
    let mut text = format!(
        r#"
version = 1
name = "laws"
about = "Made by a test."
[[story]]
name = "purchase"
recording = "purchase"
instances = {instances}
[[story]]
name = "renewal"
recording = "renewal-failed"
continues = "purchase"
instances = {instances}
[[criterion]]
events_lost = {{ exactly = 0 }}
"#
    );
    for fault in faults {
        text += &format!("[[fault]]\n{fault}\n");
    }
    scenario(&text)
}

fn plan(scenario: &Scenario, seed: u64) -> Plan {
    compile(scenario, seed, EPOCH).expect("compiles")
}

/// Genuine deliveries of an instance in the order of the plan: positions in the recording.
fn order(plan: &Plan, original: &Plan, instance: &str) -> Vec<usize> {
    let genuine = |plan: &Plan| -> Vec<String> {
        let of = |d: &&Delivery| d.kind == DeliveryKind::Genuine && d.instance.as_str() == instance;
        plan.deliveries.iter().filter(of).filter_map(|d| d.event.as_ref().map(ToString::to_string)).collect()
    };
    let recorded = genuine(original);
    genuine(plan).iter().map(|id| recorded.iter().position(|other| other == id).expect("the same events")).collect()
}

/// Faults of every kind that touches deliveries, each with a number drawn for it.
fn any_fault() -> impl Strategy<Value = String> {
    prop_oneof![
        (2..5_u32, 0..300_u32)
            .prop_map(|(n, gap)| format!("duplicate = {{ of = \"*\", copies = {n}, spacing = \"{gap}ms\" }}")),
        Just("duplicate = { of = \"invoice.*\", copies = 2, spacing = \"after everything\" }".to_owned()),
        (2..8_u32).prop_map(|n| format!("reorder = {{ shuffle = {n} }}")),
        Just("reorder = { reverse = true }".to_owned()),
        Just("reorder = { first = [\"invoice.paid\", \"customer.*\"] }".to_owned()),
        (0..5000_u32).prop_map(|n| format!("delay = {{ of = \"invoice.*\", by = \"{n}ms\" }}")),
        Just("drop = { of = \"customer.created\", first = 1 }".to_owned()),
        Just("forged = { of = \"invoice.paid\", signature = \"garbage\" }".to_owned()),
        Just("malformed = { before = \"*\", body = \"truncated_json\" }".to_owned()),
        Just("unknown_type = { before = \"invoice.paid\" }".to_owned()),
        proptest::sample::select(BodyForm::WORDS)
            .prop_filter("too large for many cases", |(_, how)| *how != BodyForm::Large)
            .prop_map(|(word, _)| format!("body = {{ of = \"*\", how = \"{word}\" }}")),
        proptest::sample::select(Foreign::WORDS)
            .prop_map(|(word, _)| format!("foreign = {{ before = \"invoice.*\", how = \"{word}\" }}")),
        Just("forged = { of = \"*\", signature = \"upper_case_hex\" }".to_owned()),
        Just("second_event = { of = \"*\" }".to_owned()),
        Just("second_endpoint = { of = { type = \"*\", probability = 0.5 } }".to_owned()),
        Just("burst = { of = \"invoice.*\", at = \"1s\" }".to_owned()),
        Just("reorder = { swap = [\"invoice.paid\", \"customer.created\"] }".to_owned()),
        (0..300_u32).prop_map(|n| format!("secret_roll = {{ from = \"{n}ms\", good = \"first\" }}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_event_moves_by_the_window_or_more(seed: u64, window in 2..8_usize) {
        let straight = plan(&with_faults(2, &[]), seed);
        let shuffled = plan(&with_faults(2, &[format!("reorder = {{ shuffle = {window} }}")]), seed);
        for instance in ["purchase/1", "purchase/2", "renewal/1", "renewal/2"] {
            for (now, before) in order(&shuffled, &straight, instance).into_iter().enumerate() {
                prop_assert!(now.abs_diff(before) < window, "{instance}: {before} to {now}");
            }
        }
        let times = |plan: &Plan| plan.deliveries.iter().map(|d| d.at_ms).collect::<Vec<_>>();
        prop_assert_eq!(times(&straight), times(&shuffled), "the slots stay");
    }

    #[test]
    fn duplicates_are_the_same_event_so_many_times(seed: u64, copies in 2..5_usize, gap in 0..100_u64) {
        let fault = format!("duplicate = {{ of = \"invoice.*\", copies = {copies}, spacing = \"{gap}ms\" }}");
        let plan = plan(&with_faults(2, &[fault]), seed);
        let mut by_event: BTreeMap<String, Vec<&Delivery>> = BTreeMap::new();
        for delivery in &plan.deliveries {
            by_event.entry(delivery.event.as_ref().expect("an event").to_string()).or_default().push(delivery);
        }
        for deliveries in by_event.values() {
            let wanted = if deliveries[0].event_type.starts_with("invoice.") { copies } else { 1 };
            prop_assert_eq!(deliveries.len(), wanted);
            prop_assert!(deliveries.iter().all(|d| d.body == deliveries[0].body && d.owed));
            let first = deliveries.iter().find(|d| d.kind == DeliveryKind::Genuine).expect("a genuine one").at_ms;
            let late: BTreeSet<u64> = deliveries.iter().map(|d| d.at_ms - first).collect();
            prop_assert_eq!(late, (0..wanted as u64).map(|n| n * gap).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn every_plan_keeps_the_laws(seed: u64, faults in proptest::collection::vec(any_fault(), 0..5)) {
        let scenario = with_faults(2, &faults.iter().enumerate().filter(|(n, f)| {
            // Losing every attempt of an event is refused when the file is read.
            !f.starts_with("drop") || faults[..*n].iter().filter(|g| g.starts_with("drop")).count() < 4
        }).map(|(_, f)| f.clone()).collect::<Vec<_>>());
        let plan = plan(&scenario, seed);
        keeps_laws(&plan, 20);
    }

    #[test]
    fn one_more_fault_does_not_change_what_the_others_draw(seed: u64, last in any_fault()) {
        let first = vec!["reorder = { shuffle = 5 }".to_owned(), "unknown_type = { before = \"*\" }".to_owned()];
        let more: Vec<String> = first.iter().cloned().chain([last.clone()]).collect();
        prop_assume!(!last.starts_with("reorder") && !last.starts_with("delay") && !last.starts_with("burst"));
        let (few, more) = (plan(&with_faults(2, &first), seed), plan(&with_faults(2, &more), seed));
        let drawn = |plan: &Plan| -> Vec<(u64, Option<String>)> {
            let of = |d: &&Delivery| d.kind == DeliveryKind::Genuine
                || (d.kind == DeliveryKind::UnknownType && d.faults.first() == Some(&1));
            plan.deliveries.iter().filter(of).map(|d| (d.at_ms, d.event.as_ref().map(ToString::to_string))).collect()
        };
        prop_assert_eq!(drawn(&few), drawn(&more));
    }
}

pub(crate) fn keeps_laws(plan: &Plan, genuine: usize) {
    let owed: Vec<&Delivery> = plan.deliveries.iter().filter(|d| d.kind == DeliveryKind::Genuine).collect();
    assert_eq!(owed.len(), genuine, "each event once");
    assert!(owed.iter().all(|d| d.owed && d.expect == Reaction::Accept && d.phase == Phase::Faults));
    let ids: BTreeSet<_> = owed.iter().map(|d| d.event.as_ref().expect("an event")).collect();
    assert_eq!(ids.len(), genuine);
    let sorted = |d: &Delivery| (d.phase, d.at_ms, d.id.clone());
    assert!(plan.deliveries.is_sorted_by_key(sorted), "sorted by phase, time and id");
    for delivery in &plan.deliveries {
        let body = &plan.bodies[&delivery.body];
        match delivery.kind {
            DeliveryKind::Malformed(
                MalformedBody::NotAnEvent | MalformedBody::Empty | MalformedBody::TruncatedJson,
            ) => {
                assert!(Event::parse(body).is_err(), "{body}");
                assert!(!delivery.owed && delivery.expect == Reaction::Refuse);
            }
            DeliveryKind::Forged(_) => assert!(!delivery.owed && delivery.expect == Reaction::Refuse),
            DeliveryKind::UnknownType => assert!(!delivery.owed && delivery.expect == Reaction::Accept),
            DeliveryKind::SecondEvent => assert!(!delivery.owed && delivery.expect == Reaction::Accept),
            DeliveryKind::OddlySigned(_) | DeliveryKind::SecondEndpoint => {
                assert!(!delivery.owed && delivery.expect == Reaction::Either);
            }
            DeliveryKind::Foreign(how) => {
                let is_event = !matches!(how, Foreign::Thin | Foreign::EventBridge);
                assert!(!delivery.owed && Event::parse(body).is_ok() == is_event, "{body}");
            }
            DeliveryKind::Genuine | DeliveryKind::Duplicate => assert!(delivery.owed),
        }
        if let Some(event) = &delivery.event {
            let parsed = Event::parse(body).expect("an event");
            assert_eq!((&parsed.id, &parsed.kind), (event, &delivery.event_type));
            assert!(parsed.created <= EPOCH.secs(), "nothing comes from the future");
        }
    }
    let all = plan.deliveries.iter().chain(plan.clean_part().deliveries);
    let used: BTreeSet<&String> = all.map(|d| &d.body).collect();
    assert!(plan.bodies.keys().all(|hash| used.contains(hash)), "no body is kept for nothing");
}

/// Every text in a body that looks like an id of the customer.
fn ids_in(value: &serde_json::Value, ids: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::String(text)
            if ["cus_", "sub_", "in_", "evt_", "cs_", "user_"].iter().any(|p| text.starts_with(p))
                || text.contains('@') =>
        {
            ids.insert(text.clone());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| ids_in(item, ids)),
        serde_json::Value::Object(map) => map.values().for_each(|item| ids_in(item, ids)),
        _ => {}
    }
}

fn ids_of<'d>(plan: &Plan, deliveries: impl Iterator<Item = &'d Delivery>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for delivery in deliveries {
        ids_in(&serde_json::from_str(&plan.bodies[&delivery.body]).unwrap_or_default(), &mut ids);
    }
    ids
}

#[test]
fn ghosts_share_nothing_with_customers_but_the_event_id() {
    let plan = plan(&scenario(EVERYTHING), 3);
    keeps_laws(&plan, 2 * (6 + 4 + 1 + 6));
    let forged = |d: &&Delivery| matches!(d.kind, DeliveryKind::Forged(_));
    let ghosts: Vec<&Instance> = plan.instances.iter().filter(|instance| instance.ghost).collect();
    assert_eq!(ghosts.len(), 8, "one for each instance, however often it is forged");
    let real = ids_of(&plan, plan.deliveries.iter().filter(|d| !forged(d)));
    let false_ones = ids_of(&plan, plan.deliveries.iter().filter(forged));
    let shared: BTreeSet<&String> = real.intersection(&false_ones).collect();
    let imitated: BTreeSet<String> =
        plan.deliveries.iter().filter(forged).filter_map(|d| d.event.as_ref().map(ToString::to_string)).collect();
    assert!(!imitated.is_empty());
    assert_eq!(shared, imitated.iter().collect::<BTreeSet<_>>());
    let customers: BTreeSet<_> = plan.instances.iter().filter(|i| !i.ghost).map(|i| &i.customer).collect();
    assert!(ghosts.iter().all(|ghost| !customers.contains(&ghost.customer)));
    for delivery in plan.deliveries.iter().filter(forged) {
        let genuine = plan.deliveries.iter().find(|d| d.kind == DeliveryKind::Genuine && d.event == delivery.event);
        assert_eq!(genuine.expect("what it imitates").at_ms, delivery.at_ms + 20, "just before it");
        assert!(ghosts.iter().any(|ghost| ghost.id == delivery.instance));
        assert!(matches!(delivery.signature, Signing::Bad(_)));
    }
}

#[test]
fn a_chain_is_one_customer_and_ends_at_the_epoch() {
    let plan = plan(&scenario(EVERYTHING), 3);
    let get = |id: &str| plan.instances.iter().find(|i| i.id.as_str() == id).expect(id);
    let (purchase, renewal, cancel, again) = (get("purchase/2"), get("renewal/2"), get("cancel/2"), get("again/2"));
    assert!(
        purchase.customer.is_some() && purchase.customer == renewal.customer && purchase.customer == cancel.customer
    );
    assert_eq!(renewal.continues.as_ref(), Some(&purchase.id));
    assert_ne!(purchase.customer, get("purchase/1").customer);
    assert_ne!(purchase.customer, again.customer);
    assert_eq!((&purchase.user, &purchase.email), (&again.user, &again.email));
    assert_eq!((&again.person, &cancel.person), (&purchase.id, &purchase.id));
    assert_eq!(renewal.failed_invoices.len(), 1, "one invoice that failed twice");
    assert!(purchase.failed_invoices.is_empty());
    assert!(purchase.completes_with.is_some() && renewal.completes_with.is_none());
    let newest = |story: &str| {
        let of = |d: &&Delivery| d.kind == DeliveryKind::Genuine && d.instance.as_str().starts_with(story);
        let created = |d: &Delivery| Event::parse(&plan.bodies[&d.body]).expect("an event").created;
        plan.deliveries.iter().filter(of).map(created).max()
    };
    assert_eq!((newest("cancel/"), newest("again/")), (Some(EPOCH.secs()), Some(EPOCH.secs())));
    // Recorded 27 days before the cancellation in one time base, and so it stays.
    assert_eq!(newest("purchase/"), Some(EPOCH.secs() - (1_771_249_600 - 1_768_471_204)));
}

#[test]
fn times_follow_the_scenario() {
    let plan = plan(&with_faults(3, &[]), 1);
    let at = |instance: &str| -> Vec<u64> {
        plan.deliveries.iter().filter(|d| d.instance.as_str() == instance).map(|d| d.at_ms).collect()
    };
    assert_eq!(at("purchase/1"), [100, 120, 140, 160, 180, 200]);
    assert_eq!(at("purchase/3"), [110, 130, 150, 170, 190, 210]);
    assert_eq!(at("renewal/3"), [230, 250, 270, 290]);
    let replay = with_faults(2, &["duplicate = { of = \"*\", spacing = \"after everything\" }".to_owned()]);
    let plan = compile(&replay, 1, EPOCH).expect("compiles");
    let events = |phase: Phase| -> Vec<_> {
        plan.deliveries.iter().filter(|d| d.phase == phase).map(|d| d.event.clone()).collect()
    };
    assert_eq!(events(Phase::Replay), events(Phase::Faults), "the replay keeps the planned order");
}

/// What a run may leave in an app's database: ids and e-mails of its people and events.
fn identities(plan: &Plan) -> BTreeSet<String> {
    let of = |i: &Instance| {
        let ids = [i.customer.as_ref().map(ToString::to_string), i.user.as_ref().map(ToString::to_string)];
        ids.into_iter().flatten().chain(i.email.clone()).collect::<Vec<_>>()
    };
    let events = plan.deliveries.iter().filter_map(|d| d.event.as_ref()).map(ToString::to_string);
    plan.instances.iter().flat_map(of).chain(events).collect()
}

/// Scenarios run one after another against one database, and again tomorrow with the same seed.
#[test]
fn no_two_scenarios_and_no_two_epochs_share_an_id() {
    let one = with_faults(2, &[]);
    let mut other = one.clone();
    other.name = "another".to_owned();
    let plans = [
        plan(&one, 1),
        plan(&other, 1),
        compile(&one, 1, EPOCH + std::time::Duration::from_millis(1)).expect("compiles"),
        plan(&one, 2),
    ];
    for (n, first) in plans.iter().enumerate() {
        assert!(!identities(first).is_empty());
        for second in &plans[n + 1..] {
            assert!(identities(first).is_disjoint(&identities(second)));
        }
    }
}

/// Genuine deliveries that come before their event has happened by Stripe's own timeline.
fn too_early(plan: &Plan) -> usize {
    let happened: BTreeMap<&str, u64> =
        plan.timeline.iter().flatten().map(|event| (event.body.as_str(), event.at_ms)).collect();
    let genuine = plan.deliveries.iter().filter(|d| d.kind == DeliveryKind::Genuine && d.phase == Phase::Faults);
    genuine.filter(|d| happened.get(d.body.as_str()).is_some_and(|at_ms| d.at_ms < *at_ms)).count()
}

#[test]
fn nothing_is_delivered_before_it_has_happened() {
    for fault in ["reorder = { shuffle = 6 }", "reorder = { reverse = true }", "reorder = { first = [\"customer.*\"] }"]
    {
        let scenario = with_faults(3, &[fault.to_owned()]);
        for seed in 0..20 {
            let mut plan = compile_timed(&scenario, seed, EPOCH).expect("compiles");
            assert_eq!(too_early(&plan), 0, "{fault}, seed {seed}");
            let events = plan.timeline.as_ref().expect("a timeline");
            assert!(events.is_sorted_by_key(|event| event.at_ms), "{fault}, seed {seed}");
            // The timeline as it would be without the fault does not keep the law.
            plan.timeline = compile_timed(&with_faults(3, &[]), seed, EPOCH).expect("compiles").timeline;
            assert!(too_early(&plan) > 0 || seed > 0, "{fault}: the fault sends nothing earlier");
        }
    }
}
