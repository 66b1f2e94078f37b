//! Chances are what the file says, one fault's draws have nothing to do with another's, and a fault more or less changes
//! nobody else's.

use super::recordings::scenario;
use hookdrill::{
    mock::{
        models::{ModelOptions, Models},
        script::Script,
    },
    plan::{
        compile::compile,
        model::{Delivery, DeliveryKind, Plan},
    },
    scenario::fault::Double,
    time::Timestamp,
    wire::Request,
};
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: u64 = 200;

fn plan(faults: &[&str], seed: u64) -> Plan {
    let mut text = "version = 1\nname = \"chances\"\nabout = \"Made by a test.\"\n[[story]]\nname = \"purchase\"\n\
                    recording = \"purchase\"\ninstances = 20\n[[criterion]]\nevents_lost = { exactly = 0 }\n"
        .to_owned();
    for fault in faults {
        text += &format!("[[fault]]\n{fault}\n");
    }
    compile(&scenario(&text), seed, Timestamp::from_secs(1_780_315_200)).expect("compiles")
}

/// Genuine deliveries of one type, in the order of their customers, and the faults that each has.
fn faults_of(plan: &Plan, kind: &str) -> Vec<BTreeSet<usize>> {
    let of = |d: &&Delivery| d.kind == DeliveryKind::Genuine && d.event_type == kind;
    let by_customer: BTreeMap<&str, &Delivery> =
        plan.deliveries.iter().filter(of).map(|d| (d.instance.as_str(), d)).collect();
    by_customer.values().map(|d| d.faults.iter().copied().collect()).collect()
}

/// `expected` of `tried`, give or take five standard deviations: a right program fails once in two million times, and
/// the seeds are fixed, so it fails never or always.
fn is_near(found: u64, tried: u64, chance: f64) {
    let (mean, deviation) = (tried as f64 * chance, (tried as f64 * chance * (1.0 - chance)).sqrt());
    assert!((found as f64 - mean).abs() < 5.0 * deviation, "{found} of {tried} instead of {mean:.0} ± {deviation:.0}");
}

const TWO: [&str; 2] = [
    "delay = { of = { type = \"invoice.paid\", probability = 0.3 }, by = \"1s\" }",
    "body = { of = { type = \"invoice.paid\", probability = 0.3 }, how = \"extra_fields\" }",
];

#[test]
fn two_chances_of_events_meet_as_often_as_independent_ones_do() {
    let (mut tried, mut one, mut other, mut both) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        for faults in faults_of(&plan(&TWO, seed), "invoice.paid") {
            let (first, second) = (faults.contains(&0), faults.contains(&1));
            tried += 1;
            one += u64::from(first);
            other += u64::from(second);
            both += u64::from(first && second);
        }
    }
    assert_eq!(tried, SEEDS * 20);
    is_near(one, tried, 0.3);
    is_near(other, tried, 0.3);
    is_near(both, tried, 0.09);
}

#[test]
fn three_families_meet_as_often_as_independent_ones_do() {
    let faults = [
        "transport = { of = \"invoice.paid\", how = \"chunked\", probability = 0.5 }",
        "signed = { of = { type = \"invoice.paid\", probability = 0.5 }, how = \"with_v0\" }",
        "drop = { of = { type = \"invoice.paid\", probability = 0.2 }, first = 1 }",
    ];
    let all = BTreeSet::from([0, 1, 2]);
    let (mut tried, mut met) = (0, 0);
    for seed in 0..SEEDS {
        let found = faults_of(&plan(&faults, seed), "invoice.paid");
        tried += found.len() as u64;
        met += found.iter().filter(|faults| **faults == all).count() as u64;
    }
    is_near(met, tried, 0.05);
}

#[test]
fn one_fault_more_changes_what_no_other_draws() {
    let more = [
        TWO[0],
        TWO[1],
        "delay = { of = { type = \"*\", probability = 0.5 }, by = \"10ms\" }",
        "downstream = { of = \"crm\", does = \"reset\", probability = 0.5 }",
        "random_kills = { times = 3, for = \"2s\" }",
    ];
    for seed in 0..20 {
        let few: Vec<_> = faults_of(&plan(&TWO, seed), "invoice.paid");
        let of_two = |faults: BTreeSet<usize>| faults.into_iter().filter(|fault| *fault < 2).collect::<BTreeSet<_>>();
        let many: Vec<_> = faults_of(&plan(&more, seed), "invoice.paid").into_iter().map(of_two).collect();
        assert_eq!(few, many, "seed {seed}");
    }
}

/// For each of `calls` calls, which of the troubles happened to it: each slows it by an amount of its own.
fn happened(troubles: &[&str], seed: u64, calls: u64) -> Vec<Vec<String>> {
    let plan = plan(troubles, seed);
    let (mut script, mut models) = (Script::new(&plan), Models::new(&ModelOptions::default()));
    let call = |n: u64| Request {
        method: "POST".to_owned(),
        path: "/crm/v3/objects/contacts".to_owned(),
        headers: vec![("authorization".to_owned(), "Bearer x".to_owned())],
        body: format!("{{\"properties\":{{\"email\":\"c{n}@example.com\"}}}}").into_bytes(),
        ..Request::default()
    };
    let said = |n| script.call(&mut models, Double::Crm, n * 100, &call(n)).fault.unwrap_or_default();
    (0..calls).map(said).map(|said| said.split("; ").map(str::to_owned).collect()).collect()
}

#[test]
fn two_chances_of_calls_meet_as_often_as_independent_ones_do() {
    let two = [
        "downstream = { of = \"crm\", does = \"slow\", by = \"1s\", probability = 0.3 }",
        "downstream = { of = \"crm\", does = \"slow\", by = \"2s\", probability = 0.3 }",
    ];
    let (mut tried, mut one, mut both) = (0, 0, 0);
    for seed in 0..50 {
        for said in happened(&two, seed, 100) {
            let (first, second) =
                (said.iter().any(|s| s.contains("1.000s")), said.iter().any(|s| s.contains("2.000s")));
            tried += 1;
            one += u64::from(first);
            both += u64::from(first && second);
        }
    }
    is_near(one, tried, 0.3);
    is_near(both, tried, 0.09);
    let alone: Vec<bool> =
        happened(&two[..1], 3, 100).iter().map(|said| said.iter().any(|s| s.contains("1.000s"))).collect();
    let beside: Vec<bool> =
        happened(&two, 3, 100).iter().map(|said| said.iter().any(|s| s.contains("1.000s"))).collect();
    assert_eq!(alone, beside, "a second fault changes nothing of the first");
}

#[test]
fn a_window_a_count_and_a_chance_hold_together_for_every_family_of_calls() {
    for double in ["crm", "support", "stripe", "alerts"] {
        let fault = format!(
            "downstream = {{ of = \"{double}\", does = \"reset\", first = 2, from = \"1s\", for = \"2s\", probability = 0.5 }}"
        );
        let text = format!(
            "version = 1\nname = \"each\"\nabout = \"Made by a test.\"\n[doubles]\nstripe = true\nalerts = true\n[[story]]\n\
             name = \"purchase\"\nrecording = \"purchase\"\n[[fault]]\n{fault}\n[[criterion]]\nevents_lost = {{ exactly = 0 }}\n"
        );
        let plan = compile(&scenario(&text), 1, Timestamp::from_secs(1_780_315_200)).expect("compiles");
        let [trouble] = plan.troubles.as_slice() else { panic!("one trouble") };
        assert_eq!((trouble.of.word(), trouble.from_ms, trouble.until_ms), (double, 1_000, Some(3_000)));
    }
}
