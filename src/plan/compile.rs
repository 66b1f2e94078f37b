//! Scenario and seed to plan. Pure: the same inputs give the same plan, byte for byte.
//!
//! Must not know: targets, clocks, how one fault works (that is `faults`).

use super::{
    cast::{Draft, Stage, cast, millis},
    clean::Clean,
    controls::controls,
    faults,
    model::{
        Action, Busy, ClockOff, Delivery, DeliveryKind, Instance, Kill, KillAt, Outage, PLAN_VERSION, Phase, Plan,
        PlannedContact, PlannedStep, PlannedTicket, StripeEvent,
    },
};
use crate::{
    id::{DeliveryId, EventId, InstanceId},
    scenario::{
        criterion::Criterion,
        fault::{EventSelector, Fault, FaultKind},
        model::{GivenContact, MAX_DELIVERIES, Scenario, Step},
    },
    time::Timestamp,
};
use rand::RngExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The end of the year 9999, in Unix seconds.
const LAST_EPOCH: i64 = 253_402_300_799;

/// Why a scenario cannot be compiled. But for the epoch, none of these comes from a scenario file that was loaded: loading checks them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A tie, a step or a contact names no story (a tie: no story above).
    #[error("compile the plan: `{story}` names the story `{named}`, which there is not above it")]
    UnknownStory {
        /// Where it is named.
        story: String,
        /// What is named.
        named: String,
    },
    /// A story continues one with fewer instances.
    #[error("compile the plan: `{story}` has more instances than the story that it continues")]
    CountMismatch {
        /// Which.
        story: String,
    },
    /// A story without events.
    #[error("compile the plan: the recording of `{story}` has no events")]
    EmptyRecording {
        /// Which.
        story: String,
    },
    /// A contact takes an e-mail or a user that the recording does not name.
    #[error(
        "compile the plan: the contact of `{instance}` takes `{{{placeholder}}}`, which the recording does not name"
    )]
    NothingToFillIn {
        /// Whose contact.
        instance: String,
        /// What it takes.
        placeholder: String,
    },
    /// A payload epoch that no calendar has.
    #[error(
        "compile the plan: the payload epoch {epoch} is no date between 1970 and 9999; give Unix seconds, as \
         `--epoch 1767225600`"
    )]
    Epoch {
        /// Unix seconds.
        epoch: i64,
    },
    /// More deliveries than a plan may have.
    #[error("compile the plan: {count} deliveries, more than {MAX_DELIVERIES}")]
    TooLarge {
        /// How many.
        count: usize,
    },
}

/// The customers of a scenario with their re-keyed events, from which a plan for any seed of faults is made at little cost.
pub struct Cast<'s>(Stage<'s>);

impl std::fmt::Debug for Cast<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cast").field("keys", &self.0.keys).finish_non_exhaustive()
    }
}

impl<'s> Cast<'s> {
    /// The customers of `seed`.
    ///
    /// # Errors
    /// [`PlanError`], only for scenarios that were not loaded from a file.
    pub fn new(scenario: &'s Scenario, seed: u64, epoch: Timestamp) -> Result<Self, PlanError> {
        cast(scenario, seed, epoch).map(Self)
    }

    /// The plan of these customers with the faults of `seed`.
    ///
    /// # Errors
    /// [`PlanError`], only for scenarios that were not loaded from a file.
    pub fn plan(&self, seed: u64, epoch: Timestamp) -> Result<Plan, PlanError> {
        let stage = Stage { streams: crate::rng::Streams::new(seed), ..self.0.clone() };
        directed(stage, seed, epoch, false)
    }
}

/// As [`compile`], for an app that reads Stripe's objects: the plan holds Stripe's timeline whatever the scenario asks for.
///
/// # Errors
/// As [`compile`].
pub fn compile_timed(scenario: &Scenario, seed: u64, epoch: Timestamp) -> Result<Plan, PlanError> {
    directed(cast_at(scenario, seed, epoch)?, seed, epoch, true)
}

/// Compiles a scenario. `epoch` is the payload time on which the last event of each chain of stories falls.
///
/// # Errors
/// [`PlanError`], only for scenarios that were not loaded from a file.
pub fn compile(scenario: &Scenario, seed: u64, epoch: Timestamp) -> Result<Plan, PlanError> {
    directed(cast_at(scenario, seed, epoch)?, seed, epoch, false)
}

fn cast_at(scenario: &Scenario, seed: u64, epoch: Timestamp) -> Result<Stage<'_>, PlanError> {
    if !(0..=LAST_EPOCH).contains(&epoch.secs()) {
        return Err(PlanError::Epoch { epoch: epoch.secs() });
    }
    cast(scenario, seed, epoch)
}

/// `timed`: whether Stripe's timeline is wanted where the scenario has no use for it.
fn directed(mut stage: Stage<'_>, seed: u64, epoch: Timestamp, timed: bool) -> Result<Plan, PlanError> {
    let scenario = stage.scenario;
    // Before any fault: what Stripe itself knows.
    let made = (timed || scenario.doubles.stripe).then(|| made(&stage));
    for (n, fault) in scenario.faults.iter().enumerate() {
        faults::apply(&mut stage, n, fault);
        if stage.drafts.len() as u64 > MAX_DELIVERIES {
            return Err(PlanError::TooLarge { count: stage.drafts.len() });
        }
    }
    faults::settle(&mut stage);
    let steps = steps(&stage)?;
    let given = given(&stage)?;
    let mut drafts = std::mem::take(&mut stage.drafts);
    let ignored = scenario.criteria.iter().find_map(|criterion| match criterion {
        Criterion::DifferencesFromClean { ignore, .. } => Some(ignore.clone()),
        _ => None,
    });
    let clean = match ignored {
        Some(ignored) => Some(Clean { ignored, ..controls(&mut stage, &drafts, &steps, made.is_some())? }),
        None => None,
    };
    drafts.sort_by_key(|draft| (draft.phase, draft.at_ms, draft.life, draft.index, rank(draft.kind)));
    let kills = kills(&stage, &drafts);
    let outages = scenario.faults.iter().enumerate().filter_map(|(n, fault)| outage(&stage, n, fault)).collect();
    let deliveries = deliveries(&stage, drafts);
    let events = made.map(|made| timeline(made, &deliveries));
    let sent = deliveries.iter().chain(clean.iter().flat_map(|clean| &clean.deliveries));
    let bodies = used(std::mem::take(&mut stage.bodies.0), sent, events.as_deref());
    let (stripe, timeline) = if scenario.doubles.stripe { (events, None) } else { (None, events) };
    Ok(Plan {
        version: PLAN_VERSION,
        scenario: scenario.name.clone(),
        seed,
        epoch,
        retry_waits_ms: scenario.delivery.retry.waits.iter().map(|wait| millis(*wait)).collect(),
        timeout_ms: millis(scenario.delivery.timeout),
        quiet_budget_ms: millis(scenario.quiet.budget),
        stripe,
        timeline,
        clean,
        alerts: scenario.doubles.alerts,
        declared: scenario.declared.clone(),
        quiet_least_ms: millis(scenario.quiet.least),
        recovers_within_ms: 0,
        store_busy: scenario.faults.iter().filter_map(busy).collect(),
        clock: scenario.faults.iter().filter_map(clock).collect(),
        deliveries,
        steps,
        outages,
        troubles: super::troubles::troubles(&stage),
        kills,
        given,
        faults: scenario.faults.iter().map(Fault::describe).collect(),
        instances: stage.lives.into_iter().map(|life| life.instance).chain(stage.ghosts).collect(),
        bodies,
    })
}

/// A fault may have replaced a body by another.
fn used<'d>(
    mut bodies: BTreeMap<String, String>,
    deliveries: impl Iterator<Item = &'d Delivery>,
    events: Option<&[StripeEvent]>,
) -> BTreeMap<String, String> {
    let listed = events.unwrap_or_default().iter().map(|event| event.body.as_str());
    let used: BTreeSet<&str> = deliveries.map(|delivery| delivery.body.as_str()).chain(listed).collect();
    bodies.retain(|hash, _| used.contains(hash.as_str()));
    bodies
}

/// A genuine event as Stripe makes it.
struct Made {
    at_ms: u64,
    event: Option<EventId>,
    body: String,
    /// Whose: what is told of one person follows one after the other.
    person: InstanceId,
}

/// Every genuine event at the time at which it would be sent if nothing went wrong, in that order.
fn made(stage: &Stage<'_>) -> Vec<Made> {
    let mut drafts: Vec<&Draft> = stage.drafts.iter().collect();
    drafts.sort_by_key(|draft| (draft.at_ms, draft.life, draft.index));
    let made = |draft: &Draft| Made {
        at_ms: draft.at_ms,
        event: draft.event.clone(),
        body: draft.body.clone(),
        person: stage.lives[draft.life].instance.person.clone(),
    };
    drafts.into_iter().map(made).collect()
}

/// Stripe's own timeline. Nothing is delivered before it has happened: a fault that sends an event earlier means that the event,
/// and all of the same person before it, had happened by then, or an app that asks Stripe would be told an older state than the
/// event has.
fn timeline(mut made: Vec<Made>, deliveries: &[Delivery]) -> Vec<StripeEvent> {
    let mut first: BTreeMap<&EventId, u64> = BTreeMap::new();
    for delivery in deliveries.iter().filter(|d| d.phase == Phase::Faults && tells(d.kind)) {
        if let Some(event) = &delivery.event {
            let at_ms = first.entry(event).or_insert(delivery.at_ms);
            *at_ms = delivery.at_ms.min(*at_ms);
        }
    }
    let mut before: BTreeMap<InstanceId, u64> = BTreeMap::new();
    for made in made.iter_mut().rev() {
        let told = made.event.as_ref().and_then(|event| first.get(event)).copied();
        let next = before.entry(made.person.clone()).or_insert(u64::MAX);
        made.at_ms = made.at_ms.min(told.unwrap_or(u64::MAX)).min(*next);
        *next = made.at_ms;
    }
    made.sort_by_key(|made| made.at_ms);
    made.into_iter().map(|made| StripeEvent { at_ms: made.at_ms, body: made.body }).collect()
}

/// Whether a delivery brings the genuine event itself.
const fn tells(kind: DeliveryKind) -> bool {
    match kind {
        DeliveryKind::Genuine
        | DeliveryKind::Duplicate
        | DeliveryKind::OddlySigned(_)
        | DeliveryKind::SecondEndpoint => true,
        DeliveryKind::Forged(_)
        | DeliveryKind::Malformed(_)
        | DeliveryKind::UnknownType
        | DeliveryKind::SecondEvent
        | DeliveryKind::Foreign(_) => false,
    }
}

fn busy(fault: &Fault) -> Option<Busy> {
    let FaultKind::StoreBusy { from, lasts } = &fault.kind else { return None };
    let from_ms = millis(*from);
    Some(Busy { from_ms, until_ms: from_ms.saturating_add(millis(*lasts)) })
}

fn clock(fault: &Fault) -> Option<ClockOff> {
    let FaultKind::Clock { offset_ms, from, lasts } = &fault.kind else { return None };
    let until_ms = lasts.map(|lasts| millis(*from).saturating_add(millis(lasts)));
    Some(ClockOff { from_ms: millis(*from), until_ms, offset_ms: *offset_ms })
}

/// Of deliveries at the same time, what should come first.
const fn rank(kind: DeliveryKind) -> u8 {
    match kind {
        DeliveryKind::Forged(_) => 0,
        DeliveryKind::Malformed(_) => 1,
        DeliveryKind::UnknownType => 2,
        DeliveryKind::OddlySigned(_) | DeliveryKind::Foreign(_) => 3,
        DeliveryKind::Genuine => 4,
        DeliveryKind::Duplicate => 5,
        DeliveryKind::SecondEndpoint | DeliveryKind::SecondEvent => 6,
    }
}

/// Digits of a delivery id: as many as the plan needs, so that ids sort as the plan does.
fn delivery_id(place: usize, total: usize) -> DeliveryId {
    let digits = total.to_string().len().max(4);
    DeliveryId::new(format!("d{:0digits$}", place + 1))
}

fn deliveries(stage: &Stage<'_>, drafts: Vec<Draft>) -> Vec<Delivery> {
    let total = drafts.len();
    let instance = |draft: &Draft| -> InstanceId {
        let ghost = draft.ghost.and_then(|ghost| stage.ghosts.get(ghost));
        ghost.map_or_else(|| stage.lives[draft.life].instance.id.clone(), |ghost| ghost.id.clone())
    };
    drafts
        .into_iter()
        .enumerate()
        .map(|(place, draft)| Delivery {
            id: delivery_id(place, total),
            instance: instance(&draft),
            event: draft.event,
            event_type: draft.event_type,
            kind: draft.kind,
            body: draft.body,
            at_ms: draft.at_ms,
            phase: draft.phase,
            signature: draft.signature,
            drop_first: draft.drop_first,
            transport: draft.transport,
            expect: draft.expect,
            owed: draft.owed,
            faults: draft.faults,
        })
        .collect()
}

/// Scheduling points that a delivery leads to, roughly: what a crash at any point is drawn from.
const POINTS_EACH: u64 = 8;

/// Of each kill: the genuine delivery that leaves first among those of the first instance of the first story that has
/// one. One kill is one kill, however many customers there are.
fn kills(stage: &Stage<'_>, sorted: &[Draft]) -> Vec<Kill> {
    let find = |fault: &Fault, on_ack_of: &EventSelector| {
        stage.scenario.stories.iter().enumerate().find_map(|(story, used)| {
            if fault.story.as_ref().is_some_and(|name| *name != used.name) {
                return None;
            }
            let picks = on_ack_of.picks(used.kinds());
            let life = stage.lives.iter().position(|life| life.instance.story == used.name)?;
            sorted.iter().position(|draft| {
                let genuine = draft.kind == DeliveryKind::Genuine && draft.phase == Phase::Faults;
                genuine && draft.story == story && draft.life == life && picks.get(draft.index) == Some(&true)
            })
        })
    };
    let kill = |(n, fault): (usize, &Fault)| {
        let (at, pause) = match &fault.kind {
            FaultKind::Kill { on_ack_of, restart_after } => {
                (KillAt::OnAckOf(delivery_id(find(fault, on_ack_of)?, sorted.len())), restart_after)
            }
            FaultKind::Stop { at, restart_after } => (KillAt::StopAt(millis(*at)), restart_after),
            FaultKind::Down { from, lasts } => (KillAt::AtMs(millis(*from)), lasts),
            FaultKind::Crash { restart_after } => {
                let most = sorted.iter().filter(|draft| draft.phase == Phase::Faults).count() as u64 * POINTS_EACH;
                let mut rng = stage.streams.stream(&format!("fault/{n}/crash"));
                (KillAt::AtPoint(rng.random_range(1..=most.max(1))), restart_after)
            }
            FaultKind::RandomKills { .. } => return Some(random_kills(stage, n, &fault.kind)),
            FaultKind::KillAtCall(kill) => (KillAt::AtCall(kill.at.clone()), &kill.restart_after),
            _ => return None,
        };
        Some(vec![Kill { at, restart_after_ms: millis(*pause), lot: None }])
    };
    stage.scenario.faults.iter().enumerate().filter_map(kill).flatten().collect()
}

/// The moments, pauses and lots of kills of one process each, in order of time.
fn random_kills(stage: &Stage<'_>, n: usize, fault: &FaultKind) -> Vec<Kill> {
    let FaultKind::RandomKills { times, from, lasts, restart_after } = fault else { return Vec::new() };
    let mut rng = stage.streams.stream(&format!("fault/{n}/random_kills"));
    let (first, last) = (millis(*from), millis(*from + *lasts));
    let mut kills: Vec<_> = (0..*times)
        .map(|_| {
            let at_ms = rng.random_range(first..last.max(first + 1));
            let pause = rng.random_range(millis(restart_after.least)..=millis(restart_after.most));
            (at_ms, pause, rng.random::<u32>())
        })
        .collect();
    kills.sort_unstable();
    let kill = |(at_ms, restart_after_ms, lot)| Kill { at: KillAt::AtMs(at_ms), restart_after_ms, lot: Some(lot) };
    kills.into_iter().map(kill).collect()
}

fn outage(stage: &Stage<'_>, n: usize, fault: &Fault) -> Option<Outage> {
    let window = |of, from: &Duration, lasts: &Duration| Outage {
        of,
        from_ms: millis(*from),
        until_ms: millis(*from).saturating_add(millis(*lasts)),
        answer: None,
        retry_after_s: None,
        delay_ms: 0,
    };
    let drawn = |span| {
        let mut rng = stage.streams.stream(&format!("fault/{n}/from"));
        Duration::from_millis(faults::draw_ms(span, &mut rng))
    };
    match &fault.kind {
        FaultKind::Outage { of, from, lasts, answer, retry_after } => Some(Outage {
            answer: Some(*answer),
            retry_after_s: retry_after.map(|after| after.as_secs()),
            ..window(*of, &drawn(*from), lasts)
        }),
        FaultKind::Slow { of, from, lasts, by } => Some(Outage { delay_ms: millis(*by), ..window(*of, from, lasts) }),
        FaultKind::Duplicate { .. }
        | FaultKind::Reorder { .. }
        | FaultKind::Delay { .. }
        | FaultKind::Drop { .. }
        | FaultKind::Forged { .. }
        | FaultKind::Malformed { .. }
        | FaultKind::UnknownType { .. }
        | FaultKind::SecretRoll { .. }
        | FaultKind::Body { .. }
        | FaultKind::Signed { .. }
        | FaultKind::Burst { .. }
        | FaultKind::SecondEvent { .. }
        | FaultKind::SecondEndpoint { .. }
        | FaultKind::Foreign { .. }
        | FaultKind::Kill { .. }
        | FaultKind::Down { .. }
        | FaultKind::Crash { .. }
        | FaultKind::StoreBusy { .. }
        | FaultKind::RandomKills { .. }
        | FaultKind::Stop { .. }
        | FaultKind::Clock { .. }
        | FaultKind::Transport(_)
        | FaultKind::Downstream(_)
        | FaultKind::KillAtCall(_) => None,
    }
}

/// Every step of every person, from the start of the instance without faults.
fn steps(stage: &Stage<'_>) -> Result<Vec<PlannedStep>, PlanError> {
    let mut planned = Vec::new();
    for (number, step) in stage.scenario.steps.iter().enumerate() {
        let (story, at, action, times, every, agent) = match step {
            Step::SignUp { story, at, agent, .. } => (story, at, Action::SignUp, 1, Duration::ZERO, agent),
            Step::Ask { story, at, times, every, agent, .. } => (story, at, Action::Ask, *times, *every, agent),
            Step::Visit { story, page, at, times, every, agent } => {
                (story, at, Action::Visit(*page), *times, *every, agent)
            }
        };
        known(stage, "a step", story)?;
        for (place, life) in stage.lives.iter().enumerate().filter(|(_, life)| life.instance.story == *story) {
            for time in 0..times {
                let at_ms = life.start_ms + millis(*at) + u64::from(time) * millis(every);
                let instance = life.instance.id.clone();
                let ticket = ticket(step, &format!("{instance}#{}", number + 1));
                planned.push((at_ms, place, PlannedStep { at_ms, instance, action, agent: *agent, ticket }));
            }
        }
    }
    planned.sort_by_key(|(at_ms, place, _)| (*at_ms, *place));
    Ok(planned.into_iter().map(|(_, _, step)| step).collect())
}

/// The ticket that a step must lead to.
fn ticket(step: &Step, key: &str) -> Option<PlannedTicket> {
    let key = key.to_owned();
    match step {
        Step::SignUp { ticket: Some(queue), .. } => {
            Some(PlannedTicket { key, queue: queue.clone(), message: None, category: None })
        }
        Step::Ask { message, category, queue, .. } => {
            let (message, category) = (Some(message.clone()), category.clone());
            Some(PlannedTicket { key, queue: queue.clone(), message, category })
        }
        Step::SignUp { ticket: None, .. } | Step::Visit { .. } => None,
    }
}

fn known(stage: &Stage<'_>, what: &str, story: &str) -> Result<(), PlanError> {
    match stage.scenario.stories.iter().any(|used| used.name == story) {
        true => Ok(()),
        false => Err(PlanError::UnknownStory { story: what.to_owned(), named: story.to_owned() }),
    }
}

fn given(stage: &Stage<'_>) -> Result<Vec<PlannedContact>, PlanError> {
    let mut planned = Vec::new();
    for contact in &stage.scenario.given {
        known(stage, "a contact", &contact.story)?;
        for life in stage.lives.iter().filter(|life| life.instance.story == contact.story) {
            planned.push(given_to(&life.instance, contact)?);
        }
    }
    Ok(planned)
}

pub(super) fn given_to(instance: &Instance, contact: &GivenContact) -> Result<PlannedContact, PlanError> {
    let values =
        [("email", instance.email.as_deref()), ("user", instance.user.as_ref().map(crate::id::UserId::as_str))];
    let fill = |text: &String| {
        values.iter().try_fold(text.clone(), |text, (name, value)| {
            let place = format!("{{{name}}}");
            match value {
                _ if !text.contains(&place) => Ok(text),
                Some(value) => Ok(text.replace(&place, value)),
                None => Err(PlanError::NothingToFillIn {
                    instance: instance.id.to_string(),
                    placeholder: (*name).to_owned(),
                }),
            }
        })
    };
    let properties = contact.properties.iter().map(|(name, text)| Ok((name.clone(), fill(text)?)));
    Ok(PlannedContact { instance: instance.id.clone(), properties: properties.collect::<Result<_, _>>()? })
}
