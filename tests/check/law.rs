//! What holds for every judge: order, evidence, no panic, no pass without evidence, monotony.

use super::script::{Script, scenario};
use hookdrill::{
    check::{
        judge,
        verdict::Validity::{self, Fail, Inconclusive, Pass},
    },
    history::{
        file::History,
        record::{Outcome, Record},
    },
    scenario::criterion::{AccessIs, Bound, Criterion},
};
use proptest::prelude::*;
use std::time::Duration;

fn all() -> Vec<Criterion> {
    let (none, long) = (Bound::Exactly(0), Duration::from_secs(3600));
    vec![
        Criterion::SuccessRate { above: 0.5 },
        Criterion::EventsLost(none),
        Criterion::AckedWithoutEffect(none),
        Criterion::ContactsPerCustomer(Bound::Exactly(1)),
        Criterion::ContactFieldsOverwritten(none),
        Criterion::TicketsPerFailedInvoice { bound: Bound::Exactly(1), queue: "billing".into() },
        Criterion::Access { is: AccessIs::AsStory },
        Criterion::CustomerState,
        Criterion::Activation { p95_within: long },
        Criterion::AckLatency { p95_within: long },
        Criterion::ForgeryTraces(none),
        Criterion::UnsafeErrors(none),
        Criterion::ManualSteps(none),
        Criterion::ReplayEffects(none),
        Criterion::FailedVisits(none),
        Criterion::ProbeValue { name: "seats".into(), bound: Bound::Exactly(3) },
    ]
}

fn validities(script: &Script, history: &History) -> Vec<Validity> {
    let verdicts = judge(&scenario(all()), &script.plan, history);
    assert!(verdicts.verdicts.iter().all(|v| v.evidence.len() <= 5 && v.chain.len() <= 12), "{verdicts:#?}");
    verdicts.verdicts.iter().map(|v| v.validity).collect()
}

#[test]
fn no_evidence_is_never_a_pass() {
    let script = Script::sound(3);
    assert!(validities(&script, &History::default()).iter().all(|v| *v == Inconclusive));
    let start = History { entries: script.history().entries[..1].to_vec(), truncated: false };
    assert!(validities(&script, &start).iter().all(|v| *v == Inconclusive));
}

#[test]
fn names_are_those_of_the_scenario_file_in_its_order() {
    let script = Script::sound(1);
    let verdicts = judge(&scenario(all()), &script.plan, &script.history());
    let names: Vec<&str> = verdicts.verdicts.iter().map(|v| v.criterion.as_str()).collect();
    assert_eq!((names[0], names[5], names[15]), ("success_rate", "tickets_per_failed_invoice", "probe_value"));
    assert_eq!((verdicts.scenario.as_str(), verdicts.seed), ("by hand", 7));
}

#[test]
fn a_long_chain_keeps_what_tells_most() {
    let mut script = Script::sound(1);
    for _ in 0..30 {
        let copy = script.plan_delivery("buy/1", "evt_1_0", "customer.created", 900);
        script.resent(&copy, &[Some(Outcome::Acked)]);
    }
    script.probes(|probe| probe.access = Some(false));
    let verdict = script.is(Criterion::Access { is: AccessIs::AsStory }, Fail);
    assert_eq!(verdict.chain.len(), 12);
    let has = |text: &str| verdict.chain.iter().any(|line| line.contains(text));
    assert!(has("more steps") && has("final probe of buy/1: access closed") && has("made contact 1"), "{verdict:#?}");
    assert!(has("owed: access open, status active, plan pro, 1 contact"), "{verdict:#?}");
}

#[test]
fn any_cut_of_a_sound_history_never_fails_and_passes_only_at_its_end() {
    let mut script = Script::sound(2);
    script.replay();
    let whole = script.history();
    let passes = |validities: Vec<Validity>| validities.iter().filter(|v| **v == Pass).count();
    assert_eq!(passes(validities(&script, &whole)), 11);
    for cut in 0..whole.entries.len() {
        let history = History { entries: whole.entries[..cut].to_vec(), truncated: true };
        assert!(validities(&script, &history).iter().all(|v| *v == Inconclusive), "cut at {cut}");
    }
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![Just(None), Just(Some(Outcome::Acked)), Just(Some(Outcome::Refused)), Just(Some(Outcome::Indefinite))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_successful_retry_never_makes_a_pass_a_fail(
        outcomes in prop::collection::vec(outcome(), 1..3),
        delivery in 1..=6_usize,
    ) {
        let mut script = Script::sound(2);
        let id = format!("d{delivery:04}");
        script.resent(&id, &outcomes);
        let before = validities(&script, &script.history());
        script.resent(&id, &[outcomes, vec![Some(Outcome::Acked)]].concat());
        let after = validities(&script, &script.history());
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(*before == Fail || *after != Fail);
        }
        prop_assert_eq!(after[1], Pass);
    }

    #[test]
    fn records_in_any_order_never_panic(order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut script = Script::sound(3);
        script.replay();
        let records: Vec<(u64, Record)> = order.iter().filter_map(|i| script.records.get(*i).cloned()).collect();
        script.records.splice(1.., records);
        let history = script.history();
        let verdicts = judge(&scenario(all()), &script.plan, &history);
        prop_assert!(verdicts.verdicts.iter().all(|v| !v.why.contains("bug in hookdrill")));
    }
}
