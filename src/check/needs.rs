//! Names of the criteria, and what each needs to be told of the target before it can be judged.
//!
//! Must not know: how a criterion is judged.

use super::{case::Case, finding::Finding};
use crate::scenario::criterion::{Criterion, Need};

/// The criterion's name in the scenario file.
pub fn name(criterion: &Criterion) -> &'static str {
    match criterion {
        Criterion::SuccessRate { .. } => "success_rate",
        Criterion::EventsLost(_) => "events_lost",
        Criterion::AckedWithoutEffect(_) => "acked_without_effect",
        Criterion::ContactsPerCustomer(_) => "contacts_per_customer",
        Criterion::ContactFieldsOverwritten(_) => "contact_fields_overwritten",
        Criterion::TicketsPerFailedInvoice { .. } => "tickets_per_failed_invoice",
        Criterion::Access { .. } => "access",
        Criterion::CustomerState => "customer_state",
        Criterion::Activation { .. } => "activation",
        Criterion::AckLatency { .. } => "ack_latency",
        Criterion::ForgeryTraces(_) => "forgery_traces",
        Criterion::UnsafeErrors(_) => "unsafe_errors",
        Criterion::ManualSteps(_) => "manual_steps",
        Criterion::ReplayEffects(_) => "replay_effects",
        Criterion::FailedVisits(_) => "failed_visits",
        Criterion::ProbeValue { .. } => "probe_value",
    }
}

/// What a criterion cannot be judged without. `success_rate` of imported traffic, which has no written truth, counts
/// acknowledgements alone and needs nothing.
pub fn needs(criterion: &Criterion) -> &'static [Need] {
    match criterion {
        Criterion::SuccessRate { .. } | Criterion::AckedWithoutEffect(_) => &[Need::AccessProbe],
        Criterion::Access { .. } | Criterion::Activation { .. } => &[Need::AccessProbe],
        Criterion::ContactsPerCustomer(_) | Criterion::ContactFieldsOverwritten(_) => &[Need::Crm],
        Criterion::TicketsPerFailedInvoice { .. } => &[Need::Support],
        Criterion::CustomerState => &[Need::StateProbe],
        Criterion::ManualSteps(_) => &[Need::Queue],
        Criterion::FailedVisits(_) => &[Need::Pages],
        Criterion::ProbeValue { .. } => &[Need::ValueProbe],
        Criterion::ReplayEffects(_) => &[Need::Crm],
        Criterion::EventsLost(_)
        | Criterion::AckLatency { .. }
        | Criterion::ForgeryTraces(_)
        | Criterion::UnsafeErrors(_) => &[],
    }
}

/// The need as it stands among the abilities of a history, and in words.
fn ability(need: Need) -> (&'static str, &'static str) {
    match need {
        Need::AccessProbe => ("access_probe", "probe that reads a customer's access"),
        Need::StateProbe => ("state_probe", "probe that reads a customer's status and plan"),
        Need::ValueProbe => ("value_probe", "probe that reads named values"),
        Need::Crm => ("crm", "CRM double"),
        Need::Support => ("support", "support double"),
        Need::Pages => ("pages", "pages that a person can visit"),
        Need::Queue => ("queue", "report of its queue"),
        Need::Process => ("process", "process that hookdrill started"),
    }
}

/// The refusal to judge, when the target lacks what the criterion needs.
pub(super) fn missing(criterion: &Criterion, case: &Case<'_>) -> Option<Finding> {
    let refusal = |why: String| {
        let expected = format!("{} to be judged", name(criterion));
        Some(Finding::expecting(expected).seeing("nothing that could be judged").inconclusive(why))
    };
    if case.seen.start.is_none() {
        return refusal("the history has no start record: nothing is known of the run".to_owned());
    }
    let by_acks_alone = matches!(criterion, Criterion::SuccessRate { .. }) && case.nothing_is_written();
    let lacking = needs(criterion).iter().map(|need| ability(*need)).find(|(name, _)| !case.seen.able(name));
    match lacking {
        Some((_, words)) if !by_acks_alone => refusal(format!("the target has no {words}")),
        _ => None,
    }
}
