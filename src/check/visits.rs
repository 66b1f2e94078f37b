//! What a buyer saw: every page answers, shows that activation is under way or done, and never falls back.
//!
//! Must not know: how a page is made.

use super::{anomaly::Anomaly, case::Case, finding::Finding, finding::exceeds, words};
use crate::{
    history::{lookup::Seen, record::Visit},
    id::InstanceId,
    plan::model::{Action, Instance, PlannedStep},
    scenario::criterion::Bound,
    stripe::recording::Access,
};

/// Steps of people that did not show what a buyer must see.
pub(super) fn failed(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(words::bound(bound, "failed visit"));
    let visits = &case.seen.visits;
    let planned = case.plan.steps.len();
    let mut failures: Vec<(String, u64)> = Vec::new();
    let mut named = Vec::new();
    for visit in visits {
        if let Some((what, anomaly)) = failure(case, visit) {
            failures.push((format!("{} at {}: {what}", visit.what.instance, words::span(visit.at_ms)), visit.n));
            let is = |id| id == &visit.what.instance;
            named.push((anomaly, case.people.iter().position(|p| p.instances.iter().any(|i| is(&i.id)))));
        }
    }
    let seen = format!("{} of {planned} planned: {} failed", words::count(visits.len(), "visit"), failures.len());
    let finding = finding.seeing(seen).evidence(failures.iter().map(|(_, n)| *n)).named(named);
    let texts: Vec<String> = failures.iter().map(|(text, _)| text.clone()).collect();
    if exceeds(bound, failures.len() as u64) {
        return finding.fail(words::few(&texts));
    }
    if visits.is_empty() {
        let why = "nobody visited a page in this run".to_owned();
        return finding.inconclusive(case.gap.clone().unwrap_or(why));
    }
    if visits.len() < planned {
        let missing = planned - visits.len();
        return finding.inconclusive(case.gap.clone().unwrap_or(format!("{missing} planned visits were not made")));
    }
    finding.counted(case, bound, failures.len() as u64, "visits failed")
}

/// What a buyer saw wrong, and what it is called.
fn failure(case: &Case<'_>, seen: &Seen<'_, Visit>) -> Option<(String, Anomaly)> {
    let visit = seen.what;
    if let Some(error) = &visit.error {
        return Some((format!("no answer: {error}"), Anomaly::Late));
    }
    match visit.status {
        Some(200..=299) => {}
        Some(status) => return Some((format!("answered {status}"), Anomaly::UnsafeError)),
        None => return Some(("no answer".to_owned(), Anomaly::Late)),
    }
    if !visit.leaks.is_empty() {
        return Some((format!("the page shows: {}", visit.leaks.join(", ")), Anomaly::UnsafeError));
    }
    match (visit.action, visit.shows.as_deref()) {
        (Action::SignUp | Action::Ask, _) => None,
        (Action::Visit(_), Some("active")) => {
            let probe = closed_after(case, seen)?;
            let what = format!("shows `active` although access was still closed afterwards (record {probe})");
            Some((what, Anomaly::Premature))
        }
        (Action::Visit(_), Some("pending")) => {
            let probe = open_before(case, seen)?;
            let what = format!("shows `pending` although access was open before (record {probe})");
            Some((what, Anomaly::Stale))
        }
        (Action::Visit(_), Some(other)) => {
            Some((format!("shows `{other}`, neither `pending` nor `active`"), Anomaly::Lost))
        }
        (Action::Visit(_), None) => Some(("shows neither `pending` nor `active`".to_owned(), Anomaly::Lost)),
    }
}

/// The probe that found access open for this person before the visit began, when none found it closed since.
fn open_before(case: &Case<'_>, visit: &Seen<'_, Visit>) -> Option<u64> {
    let began = planned(case, visit).map_or(visit.at_ms, |planned| planned.min(visit.at_ms));
    let mut before = case.seen.probes(&visit.what.instance).iter().filter(|probe| probe.at_ms < began);
    let last = before.rfind(|probe| probe.what.access.is_some())?;
    (last.what.access == Some(true)).then_some(last.n)
}

/// The probe that found access closed although the page had said `active` before. One that is recorded right after the
/// visit may have been answered before it: the second shows it, for one customer is read one time after the other.
fn closed_after(case: &Case<'_>, visit: &Seen<'_, Visit>) -> Option<u64> {
    let mine = |i: &&Instance| i.id == visit.what.instance;
    let granted = |i: &Instance| i.end.as_ref().is_some_and(|end| end.access == Access::Granted);
    case.plan.instances.iter().find(mine).filter(|instance| granted(instance))?;
    let later = case.seen.probes(&visit.what.instance).iter().filter(|probe| probe.n > visit.n);
    let closed = later.take_while(|probe| probe.what.access != Some(true)).filter(|p| p.what.error.is_none());
    closed.map(|probe| probe.n).nth(1)
}

/// Planned time of a visit: it cannot have begun before, whereas its record is written at its end.
fn planned(case: &Case<'_>, visit: &Seen<'_, Visit>) -> Option<u64> {
    let same = |instance: &InstanceId, action: Action| *instance == visit.what.instance && action == visit.what.action;
    let earlier = case.seen.visits.iter().filter(|v| v.n < visit.n && same(&v.what.instance, v.what.action)).count();
    let mut steps: Vec<&PlannedStep> = case.plan.steps.iter().filter(|s| same(&s.instance, s.action)).collect();
    steps.sort_by_key(|step| step.at_ms);
    steps.get(earlier).map(|step| case.faults_from_ms + step.at_ms)
}
