//! Alerts: exactly those that should be, each once.

use super::script::Script;
use hookdrill::{
    check::verdict::Validity,
    history::record::{Call, Effect, ProcessEvent, Record, RunPhase},
    scenario::{criterion::Criterion, fault::Double},
};

fn wanted(kinds: &[&str]) -> Criterion {
    Criterion::Alerts(kinds.iter().map(|kind| (*kind).to_owned()).collect())
}

fn raised(script: &mut Script, kind: &str, key: &str, fault: Option<&str>) {
    let effects = vec![Effect::AlertRaised { alert: kind.to_owned(), key: Some(key.to_owned()) }];
    let (operation, fault) = ("raise_alert".to_owned(), fault.map(str::to_owned));
    let call =
        Call { double: Double::Alerts, operation, status: 200, faulted: false, fault, about: Vec::new(), effects };
    script.before(RunPhase::Quiet, vec![(40_000, Record::Call(call))]);
}

#[test]
fn silence_passes_where_silence_is_wanted_and_fails_where_it_is_not() {
    let script = Script::sound(3);
    script.is(wanted(&[]), Validity::Pass);
    let verdict = script.is(wanted(&["activation_late"]), Validity::Fail);
    assert!(verdict.why.contains("never raised"), "{verdict:?}");
}

#[test]
fn the_very_set_is_wanted_each_once_for_its_key() {
    let mut script = Script::sound(3);
    raised(&mut script, "activation_late", "cs_1", None);
    raised(&mut script, "activation_late", "cs_2", None);
    script.is(wanted(&["activation_late"]), Validity::Pass);
    script.is(wanted(&[]), Validity::Fail);
    script.is(wanted(&["activation_late", "webhook_failures"]), Validity::Fail);
    raised(&mut script, "activation_late", "cs_2", None);
    let verdict = script.is(wanted(&["activation_late"]), Validity::Fail);
    assert!(verdict.why.contains("activation_late cs_2 2 times"), "{verdict:?}");
}

#[test]
fn whoever_could_not_know_may_post_again() {
    let mut lost = Script::sound(3);
    raised(&mut lost, "activation_late", "cs_1", Some("the answer is lost"));
    raised(&mut lost, "activation_late", "cs_1", None);
    lost.is(wanted(&["activation_late"]), Validity::Pass);
    let mut killed = Script::sound(3);
    raised(&mut killed, "activation_late", "cs_1", None);
    let death = Record::Process { event: ProcessEvent::Killed, detail: None };
    killed.before(RunPhase::Quiet, vec![(41_000, death)]);
    raised(&mut killed, "activation_late", "cs_1", None);
    killed.is(wanted(&["activation_late"]), Validity::Pass);
}

#[test]
fn a_run_that_was_cut_short_shows_no_silence() {
    let mut script = Script::sound(3);
    script.cut_short();
    script.is(wanted(&[]), Validity::Inconclusive);
    script.is(wanted(&["activation_late"]), Validity::Inconclusive);
    let mut script = Script::sound(3);
    script.unable("alerts");
    script.is(wanted(&[]), Validity::Inconclusive);
}
