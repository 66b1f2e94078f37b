//! What no table can know by itself: evidence for every criterion, the size of the whole, faults that work together.
//!
//! A green line without evidence misleads, so a criterion that this scenario can never show is a mistake of the file.
//! Must not know: TOML, files, how a criterion is judged.

use super::{
    criterion::{AccessIs, Criterion},
    error::ScenarioErrorKind as Kind,
    fault::{ALL_ATTEMPTS, Double, DuplicateSpacing, EventSelector, Fault, FaultKind, is_beyond_tolerance},
    forms::Expects,
    model::{DeliveryOptions, Doubles, GivenContact, MAX_DELIVERIES, Step, StoryUse},
    raw::{At, Mistakes, Span},
    transport::Treatment,
};
use crate::{id::DoubleName, stripe::recording::Expectation};
use std::{collections::BTreeSet, time::Duration};

/// All parts that were read without a mistake, with the places that messages need.
pub(super) struct Parts<'a> {
    pub(super) stories: &'a [StoryUse],
    pub(super) steps: &'a [At<Step>],
    pub(super) given: &'a [GivenContact],
    pub(super) faults: &'a [At<Fault>],
    pub(super) delivery: &'a DeliveryOptions,
    pub(super) doubles: Doubles,
    pub(super) declared: &'a [DoubleName],
    pub(super) criteria: &'a [At<Criterion>],
    /// Place of the largest story.
    pub(super) largest: Span,
}

/// The type that a failed payment of an invoice sends.
const PAYMENT_FAILED: &str = "invoice.payment_failed";
const DELETED: &str = "customer.subscription.deleted";

/// Runs every check over the whole.
pub(super) fn check(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    size(parts, mistakes);
    attempts(parts, mistakes);
    absent_doubles(parts, mistakes);
    kills(parts, mistakes);
    clocks(parts, mistakes);
    let mut seen = BTreeSet::new();
    for criterion in parts.criteria {
        if !seen.insert(identity(&criterion.value)) {
            let message = format!("there is a criterion {} already", identity(&criterion.value));
            mistakes.add(&criterion.span, Kind::DuplicateName, message);
        }
        if let Err((message, help)) = evidence(&criterion.value, parts) {
            let message = format!("`{}` can never be judged here: {message}", criterion.value.name());
            mistakes.add_help(&criterion.span, Kind::NoEvidence, message, help);
        }
    }
}

/// What two criteria of one scenario must not share: reports name them by it.
fn identity(criterion: &Criterion) -> String {
    match criterion {
        Criterion::ProbeValue { name, .. } => format!("`probe_value` of `{name}`"),
        Criterion::Lighthouse { url, .. } => format!("`lighthouse` of `{url}`"),
        Criterion::EffectsPerCustomer { of, story, .. } => {
            let story = story.as_ref().map_or(String::new(), |story| format!(" in `{story}`"));
            format!("`effects_per_customer` of `{of}`{story}")
        }
        Criterion::TicketsPerFailedInvoice { queue, .. } => format!("`tickets_per_failed_invoice` in `{queue}`"),
        other => format!("`{}`", other.name()),
    }
}

fn in_scope<'a>(fault: &'a Fault, stories: &'a [StoryUse]) -> impl Iterator<Item = &'a StoryUse> {
    stories.iter().filter(|story| fault.story.as_ref().is_none_or(|name| *name == story.name))
}

/// How many events of all instances a selector of a fault names.
fn named(fault: &Fault, selector: &EventSelector, stories: &[StoryUse]) -> u64 {
    in_scope(fault, stories)
        .map(|story| {
            let picked = selector.picks(story.kinds()).into_iter().filter(|picked| *picked).count();
            picked as u64 * u64::from(story.instances)
        })
        .sum()
}

fn genuine(stories: &[StoryUse]) -> u64 {
    stories.iter().map(|story| story.recording.events.len() as u64 * u64::from(story.instances)).sum()
}

fn size(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    let mut total = genuine(parts.stories);
    let mut span = &parts.largest;
    for At { value: fault, span: at } in parts.faults {
        let before = total;
        total += match &fault.kind {
            FaultKind::Duplicate { of, copies, .. } => named(fault, of, parts.stories) * u64::from(copies - 1),
            FaultKind::Forged { of: events, .. }
            | FaultKind::Malformed { before: events, .. }
            | FaultKind::UnknownType { before: events }
            | FaultKind::SecondEvent { of: events, .. }
            | FaultKind::SecondEndpoint { of: events }
            | FaultKind::Foreign { before: events, .. } => named(fault, events, parts.stories),
            FaultKind::Reorder { .. }
            | FaultKind::Delay { .. }
            | FaultKind::Drop { .. }
            | FaultKind::SecretRoll { .. }
            | FaultKind::Body { .. }
            | FaultKind::Signed { .. }
            | FaultKind::Burst { .. }
            | FaultKind::Outage { .. }
            | FaultKind::Slow { .. }
            | FaultKind::Kill { .. }
            | FaultKind::Down { .. }
            | FaultKind::Crash { .. }
            | FaultKind::StoreBusy { .. }
            | FaultKind::RandomKills { .. }
            | FaultKind::Stop { .. }
            | FaultKind::Clock { .. }
            | FaultKind::Transport(_)
            | FaultKind::Downstream(_)
            | FaultKind::KillAtCall(_) => 0,
        };
        if before <= MAX_DELIVERIES && total > MAX_DELIVERIES {
            span = at;
        }
    }
    if total > MAX_DELIVERIES {
        let message = format!("the plan would have {total} deliveries, more than {MAX_DELIVERIES}");
        mistakes.add_help(span, Kind::TooLarge, message, "fewer instances or fewer copies");
    }
    steps_size(parts, mistakes);
}

fn steps_size(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    let mut total = 0;
    for step in parts.steps {
        let (story, times) = match &step.value {
            Step::SignUp { story, .. } => (story, 1),
            Step::Visit { story, times, .. } | Step::Ask { story, times, .. } => (story, *times),
        };
        let people = parts.stories.iter().find(|one| one.name == *story).map_or(0, |one| one.instances);
        let before = total;
        total += u64::from(people) * u64::from(times);
        if before <= MAX_DELIVERIES && total > MAX_DELIVERIES {
            let message = format!("the plan would have {total} steps, more than {MAX_DELIVERIES}");
            mistakes.add_help(&step.span, Kind::TooLarge, message, "fewer instances or fewer times");
        }
    }
}

/// Events of which the first so many attempts fail, or may fail and be right.
fn failing(kind: &FaultKind) -> Option<(&EventSelector, u64)> {
    match kind {
        FaultKind::Drop { first: ALL_ATTEMPTS, .. } => None,
        FaultKind::Drop { of, first } => Some((of, u64::from(*first))),
        FaultKind::Transport(fault) if fault.how.treatment() != Treatment::Accept => {
            Some((&fault.of, fault.first.map_or(u64::MAX >> 8, u64::from)))
        }
        _ => None,
    }
}

/// The sender makes one attempt more than its schedule has waits; an event of which all are lost never arrives.
fn attempts(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    let attempts = parts.delivery.retry.waits.len() as u64 + 1;
    for story in parts.stories {
        let mut lost = vec![0_u64; story.recording.events.len()];
        for At { value: fault, span } in parts.faults {
            let Some((of, first)) = failing(&fault.kind) else { continue };
            if fault.story.as_ref().is_some_and(|name| *name != story.name) {
                continue;
            }
            let mut never = None;
            for (n, _) in of.picks(story.kinds()).into_iter().enumerate().filter(|(_, picked)| *picked) {
                let before = lost[n];
                lost[n] += first;
                if before < attempts && lost[n] >= attempts {
                    never = never.or(Some((n, lost[n])));
                }
            }
            if let Some((n, lost)) = never {
                let kind = &story.recording.events[n].event.kind;
                let message = format!("`{kind}` would never arrive: {lost} attempts are lost and {attempts} are made");
                let help = "lose fewer, or write a longer `retry` in [delivery]";
                mistakes.add_help(span, Kind::NeverArrives, message, help);
            }
        }
    }
}

/// A fault of a double that the service is not given would do nothing.
fn absent_doubles(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    for At { value: fault, span } in parts.faults {
        let of = match &fault.kind {
            FaultKind::Outage { of, .. } | FaultKind::Slow { of, .. } => *of,
            FaultKind::Downstream(downstream) => downstream.calls.of,
            FaultKind::KillAtCall(kill) => kill.at.of,
            _ => continue,
        };
        let there = match of {
            Double::Crm | Double::Support => true,
            Double::Stripe => parts.doubles.stripe,
            Double::Alerts => parts.doubles.alerts,
            // What is not listed is refused where it is read.
            Double::Declared(_) => true,
        };
        if !there {
            let word = of.word();
            let message = format!("the service is not given the `{word}` double, so nothing would happen");
            mistakes.add_help(span, Kind::Conflict, message, format!("write {word} = true under [doubles]"));
        }
    }
}

/// A dead process cannot be killed again by the same acknowledgement.
fn kills(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    let mut seen = BTreeSet::new();
    for At { value: fault, span } in parts.faults {
        let FaultKind::Kill { on_ack_of, .. } = &fault.kind else { continue };
        let first = in_scope(fault, parts.stories).find_map(|story| {
            on_ack_of.picks(story.kinds()).into_iter().position(|picked| picked).map(|n| (story.name.clone(), n))
        });
        if first.is_some() && !seen.insert(first) {
            let message = format!("another fault kills the service on the same acknowledgement of `{on_ack_of}`");
            mistakes.add_help(span, Kind::Conflict, message, "name another event, like \"invoice.paid#2\"");
        }
    }
}

/// While the clock is far off nothing can be accepted: the sender must still be trying when it is right again.
fn clocks(parts: &Parts<'_>, mistakes: &mut Mistakes) {
    let patience: Duration = parts.delivery.retry.waits.iter().sum();
    for At { value: fault, span } in parts.faults {
        let FaultKind::Clock { offset_ms, lasts, .. } = &fault.kind else { continue };
        let (message, help) = match lasts {
            _ if !is_beyond_tolerance(*offset_ms) => continue,
            Some(lasts) if *lasts <= patience => continue,
            None => ("with a clock so far off nothing would ever be accepted", "say `for` how long it is wrong"),
            Some(_) => (
                "what comes while the clock is wrong would never be accepted: the retries end before it is right again",
                "write a longer `retry` in [delivery], or a shorter `for`",
            ),
        };
        mistakes.add_help(span, Kind::NeverArrives, message, help);
    }
}

type Lack = (&'static str, &'static str);

fn lack(message: &'static str, help: &'static str) -> Result<(), Lack> {
    Err((message, help))
}

/// Whether the scenario can give evidence for a criterion; what is lacking and what to write when not. A sample that is
/// too small to pass is no mistake of the file: it may still show a failure, and is inconclusive otherwise.
fn evidence(criterion: &Criterion, parts: &Parts<'_>) -> Result<(), Lack> {
    match criterion {
        Criterion::ContactsPerCustomer(_) if !ends(parts).any(|end| end.contacts > 0) => {
            lack("no story says that there is a contact", "`contacts` under [end] in a story.toml says so")
        }
        Criterion::ContactFieldsOverwritten(_) if parts.given.is_empty() => {
            lack("the CRM's own people wrote nothing", "add a [[given]] contact")
        }
        Criterion::TicketsPerFailedInvoice { .. } if !has_kind(parts, PAYMENT_FAILED) => {
            lack("no invoice fails", "add a story with an `invoice.payment_failed`")
        }
        Criterion::Access { is: AccessIs::AsStory } | Criterion::CustomerState if ends(parts).next().is_none() => {
            lack("no recording has a story.toml that says what is right", "write a story.toml with [end]")
        }
        Criterion::Activation { .. } if !completes(parts) => {
            lack("no story has a `completes_with`", "it names the event that completes the Checkout in story.toml")
        }
        Criterion::ForgeryTraces(_) if !leaves_no_trace(parts) => lack("nothing is forged", "add a [[fault]] `forged`"),
        Criterion::UnsafeErrors(_) if !has_fault(parts, is_bad_payload) => {
            lack("no bad payload is sent", "add a [[fault]] `malformed` or `forged`")
        }
        Criterion::ReplayEffects(_) if !has_fault(parts, is_replay) => {
            lack("nothing is replayed", "add a [[fault]] `duplicate` with spacing = \"after everything\"")
        }
        Criterion::Alerts(_) if !parts.doubles.alerts => {
            lack("nobody receives alerts", "write alerts = true under [doubles]")
        }
        Criterion::EffectsPerCustomer { of, .. } if !parts.declared.contains(&of.double) => {
            lack("its double is not listed", "write declared = [\"…\"] with its name under [doubles]")
        }
        Criterion::EffectsPerCustomer { story: Some(story), .. }
            if !parts.stories.iter().any(|known| known.name == *story) =>
        {
            lack("there is no such story", "name one of the [[story]] tables, or leave `story` out")
        }
        Criterion::FailedVisits(_) if !parts.steps.iter().any(|step| matches!(step.value, Step::Visit { .. })) => {
            lack("nobody visits a page", "add a [[step]] `visit`")
        }
        Criterion::CrmTasks(_) if !has_kind(parts, PAYMENT_FAILED) && !has_kind(parts, DELETED) => {
            lack("nobody leaves and no invoice fails", "add a story with a `customer.subscription.deleted`")
        }
        Criterion::TicketsPerRequest(_) if !parts.steps.iter().any(|step| leads_to_a_ticket(&step.value)) => {
            lack("nobody asks for help", "add a [[step]] `ask`, or a `sign_up` with a `ticket`")
        }
        Criterion::CrmTasks(_)
        | Criterion::DifferencesFromClean { .. }
        | Criterion::TicketsPerRequest(_)
        | Criterion::SuccessRate { .. }
        | Criterion::EventsLost(_)
        | Criterion::AckedWithoutEffect(_)
        | Criterion::ContactsPerCustomer(_)
        | Criterion::ContactFieldsOverwritten(_)
        | Criterion::TicketsPerFailedInvoice { .. }
        | Criterion::Access { .. }
        | Criterion::CustomerState
        | Criterion::Activation { .. }
        | Criterion::AckLatency { .. }
        | Criterion::ForgeryTraces(_)
        | Criterion::UnsafeErrors(_)
        | Criterion::ManualSteps(_)
        | Criterion::ReplayEffects(_)
        | Criterion::FailedVisits(_)
        | Criterion::Alerts(_)
        | Criterion::SecretsFound { .. }
        | Criterion::Lighthouse { .. }
        | Criterion::EffectsPerCustomer { .. }
        | Criterion::ProbeValue { .. } => Ok(()),
    }
}

fn leads_to_a_ticket(step: &Step) -> bool {
    match step {
        Step::Ask { .. } => true,
        Step::SignUp { ticket, .. } => ticket.is_some(),
        Step::Visit { .. } => false,
    }
}

fn ends<'a>(parts: &'a Parts<'_>) -> impl Iterator<Item = &'a Expectation> {
    parts.stories.iter().filter_map(|story| story.recording.story.as_ref()).map(|truth| &truth.end)
}

fn completes(parts: &Parts<'_>) -> bool {
    parts.stories.iter().filter_map(|story| story.recording.story.as_ref()).any(|truth| truth.completes_with.is_some())
}

fn has_kind(parts: &Parts<'_>, wanted: &str) -> bool {
    parts.stories.iter().any(|story| story.kinds().any(|kind| kind == wanted))
}

fn has_fault(parts: &Parts<'_>, wanted: impl Fn(&FaultKind) -> bool) -> bool {
    parts.faults.iter().any(|fault| wanted(&fault.value.kind))
}

/// Something comes of which no trace may be left.
fn leaves_no_trace(parts: &Parts<'_>) -> bool {
    parts.faults.iter().any(|fault| match &fault.value.kind {
        FaultKind::Forged { .. } => fault.value.expects() == Expects::Refuse,
        FaultKind::Foreign { how, .. } => how.is_of_nobody(),
        FaultKind::Clock { offset_ms, .. } => *offset_ms > 0 && is_beyond_tolerance(*offset_ms),
        _ => false,
    })
}

fn is_bad_payload(kind: &FaultKind) -> bool {
    match kind {
        FaultKind::Malformed { .. } | FaultKind::Forged { .. } => true,
        FaultKind::Transport(fault) => fault.how.is_bad_payload(),
        _ => false,
    }
}

fn is_replay(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Duplicate { spacing: DuplicateSpacing::AfterEverything, .. })
}
