//! What a buyer saw.

use super::script::{Script, probe};
use hookdrill::{
    check::verdict::Validity::{Fail, Inconclusive, Pass},
    history::record::{Record, Visit},
    scenario::criterion::{Bound, Criterion},
};

const NONE: Criterion = Criterion::FailedVisits(Bound::Exactly(0));

#[test]
fn a_page_shows_pending_and_then_active() {
    let mut script = Script::sound(1);
    // Access was probed open 140 ms after the start.
    script.visit(120, Some("pending"), |_| {});
    script.visit(140, Some("pending"), |_| {});
    script.visit(200, Some("active"), |_| {});
    assert_eq!(script.is(NONE, Pass).seen, "3 visits of 3 planned: 0 failed");
    script.visit(201, Some("pending"), |_| {});
    let fallen = script.is(NONE, Fail);
    assert!(fallen.why.contains("shows `pending` although access was open before"), "{}", fallen.why);
    assert!(!fallen.chain.is_empty());
}

#[test]
fn a_page_that_says_active_while_access_is_closed_lies() {
    let closed = |at| {
        let mut record = probe("buy/1", false);
        if let Record::Probe(probe) = &mut record {
            (probe.known, probe.access) = (Some(false), Some(false));
        }
        (at, record)
    };
    let shown = |probes: Vec<(u64, Record)>| {
        let mut script = Script::sound(1);
        script.visit(100, Some("active"), |_| {});
        let visit = script.records.iter().position(|(_, r)| matches!(r, Record::Visit(_))).expect("the visit");
        let visit = script.records.remove(visit);
        // Before the purchase's own probe, which finds access open.
        script.records.splice(2..2, [vec![visit], probes].concat());
        script
    };
    shown(vec![closed(104)]).is(NONE, Pass);
    let lied = shown(vec![closed(104), closed(110)]).is(NONE, Fail);
    assert!(lied.why.contains("shows `active` although access was still closed"), "{}", lied.why);
}

#[test]
fn what_a_buyer_must_not_see() {
    type Spoiled = (Option<&'static str>, fn(&mut Visit));
    let spoiled: [Spoiled; 5] = [
        (None, |_| {}),
        (Some("error"), |_| {}),
        (Some("active"), |visit| visit.status = Some(500)),
        (Some("active"), |visit| visit.error = Some("time-out".into())),
        (Some("active"), |visit| visit.leaks = vec!["secret".into()]),
    ];
    for (shows, change) in spoiled {
        let mut script = Script::sound(1);
        script.visit(120, shows, change);
        script.is(NONE, Fail);
        script.is(Criterion::FailedVisits(Bound::AtMost(1)), Pass);
        script.cut_short();
        script.is(NONE, Fail);
    }
}

#[test]
fn no_visit_or_one_that_was_not_made_shows_nothing() {
    let mut script = Script::sound(1);
    script.is(NONE, Inconclusive);
    script.visit(120, Some("active"), |_| {});
    script.plan.steps.push(script.plan.steps[0].clone());
    script.is(NONE, Inconclusive);
    script.unable("pages");
    script.is(NONE, Inconclusive);
}
