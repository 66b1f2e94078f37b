//! What goes wrong with calls of the service to doubles: faults of the downstream family, addressed to the customers of a plan.
//!
//! Must not know: doubles, sockets, clocks; which calls a service makes.

use super::{
    cast::{Stage, millis},
    model::{CallDoes, CallTrouble, Instance},
};
use crate::{
    id::{CustomerId, InvoiceId, SubscriptionId, UserId},
    scenario::{
        downstream::{DownstreamFault, Trouble},
        fault::{Fault, FaultKind},
    },
};

/// Every fault of the downstream family, in scenario order.
pub(super) fn troubles(stage: &Stage<'_>) -> Vec<CallTrouble> {
    let trouble = |(n, fault): (usize, &Fault)| match &fault.kind {
        FaultKind::Downstream(downstream) => Some(trouble(stage, n, fault, downstream)),
        _ => None,
    };
    stage.scenario.faults.iter().enumerate().filter_map(trouble).collect()
}

fn trouble(stage: &Stage<'_>, n: usize, fault: &Fault, downstream: &DownstreamFault) -> CallTrouble {
    let calls = &downstream.calls;
    let from_ms = millis(calls.from);
    CallTrouble {
        fault: n,
        of: calls.of,
        operation: calls.operation.clone(),
        about: about(stage, fault, calls.customer),
        which: calls.which,
        from_ms,
        until_ms: calls.lasts.map(|lasts| from_ms.saturating_add(millis(lasts))),
        probability: calls.probability,
        does: does(downstream.does),
    }
}

/// What names the customers in question; empty for everybody.
fn about(stage: &Stage<'_>, fault: &Fault, customer: Option<u32>) -> Vec<String> {
    if fault.story.is_none() && customer.is_none() {
        return Vec::new();
    }
    let mut names = Vec::new();
    for story in stage.scenario.stories.iter().filter(|used| fault.story.as_ref().is_none_or(|name| *name == used.name))
    {
        let lives = stage.lives.iter().filter(|life| life.instance.story == story.name);
        let wanted = |place: usize| customer.is_none_or(|number| number as usize == place + 1);
        for (_, life) in lives.enumerate().filter(|(place, _)| wanted(*place)) {
            names.extend(own_names(&life.instance));
        }
    }
    names.sort();
    names.dedup();
    // Nobody has an empty name: a fault about nobody is about no call.
    if names.is_empty() { vec![String::new()] } else { names }
}

fn own_names(instance: &Instance) -> Vec<String> {
    let ids = [
        instance.customer.as_ref().map(CustomerId::as_str),
        instance.subscription.as_ref().map(SubscriptionId::as_str),
        instance.user.as_ref().map(UserId::as_str),
        instance.email.as_deref(),
        instance.session.as_deref(),
    ];
    let invoices = instance.failed_invoices.iter().map(InvoiceId::as_str);
    ids.into_iter().flatten().chain(invoices).map(str::to_owned).collect()
}

fn does(trouble: Trouble) -> CallDoes {
    match trouble {
        Trouble::Answer { status, retry_after } => {
            CallDoes::Answer { status, retry_after_s: retry_after.map(|after| after.as_secs()) }
        }
        Trouble::Slow { by } => CallDoes::Slow { least_ms: millis(by.least), most_ms: millis(by.most) },
        Trouble::LongTail { p50, p99 } => CallDoes::LongTail { p50_ms: millis(p50), p99_ms: millis(p99) },
        Trouble::PartialBatch { fails } => CallDoes::PartialBatch { fails },
        Trouble::Hang => CallDoes::Hang,
        Trouble::Reset => CallDoes::Reset,
        Trouble::LostReply => CallDoes::LostReply,
        Trouble::MalformedJson => CallDoes::MalformedJson,
        Trouble::TruncatedAnswer => CallDoes::TruncatedAnswer,
        Trouble::LaggingIndex { by } => CallDoes::LaggingIndex { by_ms: millis(by) },
        Trouble::Overtaken { by } => CallDoes::Overtaken { by_ms: millis(by) },
        Trouble::StaleRead { by } => CallDoes::StaleRead { by_ms: millis(by) },
    }
}
