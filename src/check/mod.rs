//! The judges: scenario, plan and history in, verdicts out. Pure, and sharing no code with the service or the doubles.
//!
//! One function per criterion, in files by family. A judge that panics becomes inconclusive: never a pass.
//! Must not know: targets, sockets, how the service works.

mod alerts;
pub mod anomaly;
pub mod audit;
mod case;
mod cause;
mod compare;
mod contacts;
mod declared;
mod delivery;
mod diagnosis;
mod effect;
mod finding;
mod forgery;
mod gates;
mod latency;
mod manual;
pub mod needs;
mod owner;
mod replay;
mod requests;
mod sample;
mod stale;
mod state;
mod steps;
mod tally;
mod tasks;
mod tickets;
pub mod verdict;
mod visits;
mod words;

use self::{
    anomaly::Anomaly,
    case::Case,
    finding::Finding,
    verdict::{VERDICTS_VERSION, Validity, Verdict, Verdicts},
};
use crate::{
    history::file::History,
    plan::model::Plan,
    scenario::{criterion::Criterion, model::Scenario},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Records that a verdict names as evidence, at most: enough to look it up, few enough to read.
const MOST_EVIDENCE: usize = 5;

/// Judges a run: one verdict for each criterion, in scenario order. Never panics.
pub fn judge(scenario: &Scenario, plan: &Plan, history: &History) -> Verdicts {
    let case = catch_unwind(AssertUnwindSafe(|| Case::new(plan, &scenario.faults, history))).ok();
    let verdicts = scenario.criteria.iter().map(|criterion| {
        let finding = safely(|| case.as_ref().map(|case| finding(criterion, case)));
        verdict(criterion, finding, case.as_ref())
    });
    let (version, scenario, seed) = (VERDICTS_VERSION, plan.scenario.clone(), plan.seed);
    let mut all = Verdicts { version, scenario, seed, verdicts: verdicts.collect() };
    // Only an alert that nobody expected is left without a name: it tells of what the others found, else of nothing.
    let others = all.anomaly().unwrap_or(Anomaly::Premature);
    for verdict in all.verdicts.iter_mut().filter(|v| v.validity == Validity::Fail && v.anomaly.is_none()) {
        verdict.anomaly = Some(others);
        verdict.anomalies.insert(others, 1);
    }
    all
}

fn verdict(criterion: &Criterion, finding: Finding, case: Option<&Case<'_>>) -> Verdict {
    let mut evidence = finding.evidence;
    let all: BTreeSet<u64> = evidence.iter().copied().collect();
    evidence.sort_unstable();
    evidence.dedup();
    evidence.truncate(MOST_EVIDENCE);
    let mut verdict = Verdict {
        criterion: criterion.name().to_owned(),
        expected: finding.expected,
        seen: finding.seen,
        validity: finding.validity,
        why: finding.why,
        evidence,
        anomaly: None,
        anomalies: BTreeMap::new(),
        chain: Vec::new(),
    };
    if verdict.validity != Validity::Fail {
        return verdict;
    }
    for (anomaly, _) in &finding.named {
        *verdict.anomalies.entry(*anomaly).or_default() += 1;
    }
    if let Some(usual) = usual(criterion).filter(|_| verdict.anomalies.is_empty()) {
        verdict.anomalies.insert(usual, 1);
    }
    verdict.anomaly = anomaly::main_of(&verdict.anomalies);
    // The customer who is told about shows what the verdict goes by.
    let main = |named: &&(Anomaly, Option<usize>)| Some(named.0) == verdict.anomaly;
    let mut shows = finding.named.iter().filter(main).filter_map(|(_, person)| *person);
    if let (Some(case), Some(person)) = (case, shows.next().or(finding.about)) {
        verdict.chain = safely_told(case, person, &all);
    }
    verdict
}

/// What a criterion that fails mostly shows, where its judge named nothing in particular; nothing for alerts.
fn usual(criterion: &Criterion) -> Option<Anomaly> {
    let usual = match criterion {
        Criterion::SuccessRate { .. }
        | Criterion::EventsLost(_)
        | Criterion::AckedWithoutEffect(_)
        | Criterion::ContactFieldsOverwritten(_)
        | Criterion::ManualSteps(_) => Anomaly::Lost,
        Criterion::ContactsPerCustomer(_)
        | Criterion::TicketsPerFailedInvoice { .. }
        | Criterion::TicketsPerRequest(_)
        | Criterion::CrmTasks(_)
        | Criterion::ReplayEffects(_)
        | Criterion::EffectsPerCustomer { .. }
        | Criterion::ProbeValue { .. } => Anomaly::Duplicate,
        Criterion::Access { .. } | Criterion::CustomerState | Criterion::FailedVisits(_) => Anomaly::Stale,
        Criterion::Activation { .. } | Criterion::AckLatency { .. } | Criterion::Lighthouse { .. } => Anomaly::Late,
        Criterion::DifferencesFromClean { .. } => Anomaly::Lost,
        Criterion::ForgeryTraces(_) => Anomaly::Forged,
        Criterion::UnsafeErrors(_) | Criterion::SecretsFound { .. } => Anomaly::UnsafeError,
        Criterion::Alerts(_) => return None,
    };
    Some(usual)
}

/// What `judge` finds; inconclusive when it panics or has nothing to work with.
fn safely(judge: impl FnOnce() -> Option<Finding>) -> Finding {
    catch_unwind(AssertUnwindSafe(judge)).ok().flatten().unwrap_or_else(|| {
        Finding::expecting("a judgement").seeing("nothing").inconclusive(
            "the judge of this criterion broke, which is a bug in hookdrill; nothing was shown either way",
        )
    })
}

fn safely_told(case: &Case<'_>, person: usize, evidence: &BTreeSet<u64>) -> Vec<String> {
    catch_unwind(AssertUnwindSafe(|| cause::chain(case, person, evidence))).unwrap_or_default()
}

fn finding(criterion: &Criterion, case: &Case<'_>) -> Finding {
    if let Some(refusal) = needs::missing(criterion, case) {
        return refusal;
    }
    match criterion {
        Criterion::SuccessRate { above } => delivery::success_rate(case, *above),
        Criterion::EventsLost(bound) => delivery::events_lost(case, *bound),
        Criterion::AckedWithoutEffect(bound) => delivery::acked_without_effect(case, *bound),
        Criterion::ContactsPerCustomer(bound) => contacts::per_customer(case, *bound),
        Criterion::ContactFieldsOverwritten(bound) => contacts::fields_overwritten(case, *bound),
        Criterion::TicketsPerFailedInvoice { bound, queue } => tickets::per_failed_invoice(case, *bound, queue),
        Criterion::TicketsPerRequest(bound) => requests::tickets(case, *bound),
        Criterion::CrmTasks(bound) => tasks::per_cause(case, *bound),
        Criterion::Access { is } => state::access(case, *is),
        Criterion::CustomerState => state::customer_state(case),
        Criterion::Activation { p95_within } => latency::activation(case, *p95_within),
        Criterion::AckLatency { p95_within } => latency::ack_latency(case, *p95_within),
        Criterion::ForgeryTraces(bound) => forgery::traces(case, *bound),
        Criterion::UnsafeErrors(bound) => forgery::unsafe_errors(case, *bound),
        Criterion::ManualSteps(bound) => manual::steps(case, *bound),
        Criterion::ReplayEffects(bound) => replay::effects(case, *bound),
        Criterion::FailedVisits(bound) => visits::failed(case, *bound),
        Criterion::EffectsPerCustomer { of, story, bound } => {
            declared::per_customer(case, of, story.as_deref(), *bound)
        }
        Criterion::Alerts(kinds) => alerts::raised(case, kinds),
        Criterion::SecretsFound { paths, bound } => gates::secrets(case, paths, *bound),
        Criterion::Lighthouse { url, at_least, .. } => gates::lighthouse(case, url, *at_least),
        Criterion::ProbeValue { name, bound } => state::probe_value(case, name, *bound),
        Criterion::DifferencesFromClean { bound, ignore } => compare::differences(case, *bound, ignore),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_panics_is_inconclusive() {
        let finding = safely(|| panic!("a planted one"));
        assert_eq!(finding.validity, Validity::Inconclusive);
        assert!(finding.why.contains("bug in hookdrill"), "{}", finding.why);
    }
}
