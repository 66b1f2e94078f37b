//! What each fault does to the deliveries: one function a fault, applied in scenario order to a list of drafts.
//!
//! A fault that draws does so from its own stream, so that another fault more or less does not change what it draws.
//! Must not know: targets, clocks, what the service answers.

use super::{
    cast::{Draft, Stage, millis},
    extras::{self, extra, other_id},
    model::{DeliveryKind, Instance, Phase, Reaction, Signing, TransportStep},
};
use crate::{
    id::EventId,
    rng::Streams,
    scenario::{
        downstream::Which,
        fault::{ALL_ATTEMPTS, DuplicateSpacing, EventSelector, Fault, FaultKind, MalformedBody, Order},
        model::Between,
        transport::TransportFault,
    },
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// An extra delivery leaves this long before the genuine one that it goes with.
pub const BEFORE_MS: u64 = 20;

/// Gap between two deliveries of the full replay.
pub const REPLAY_GAP_MS: u64 = 10;

/// A type that Stripe does not have, of the form that a new one would have.
pub const UNKNOWN_TYPE: &str = "customer.constellation.aligned";

/// JSON that Stripe sends elsewhere, but that is no event.
const NOT_AN_EVENT: &str = r#"{"object":"list","data":[],"has_more":false,"url":"/v1/events"}"#;

/// Which events a fault is about: for each customer, for each event of their recording.
pub(super) struct Picks(Vec<Vec<bool>>);

impl Picks {
    /// What `selector` names of the genuine deliveries as they are planned so far. Chances are drawn from a stream of this
    /// fault alone, one for each event that the type names, so that no other limit changes what another event draws.
    fn new(stage: &Stage<'_>, n: usize, fault: &Fault, selector: &EventSelector) -> Self {
        let by_story: Vec<Vec<bool>> = stage
            .scenario
            .stories
            .iter()
            .map(|story| if in_scope(fault, &story.name) { selector.picks(story.kinds()) } else { Vec::new() })
            .collect();
        let named = |draft: &Draft| by_story[draft.story].get(draft.index) == Some(&true);
        let limits = &selector.limits;
        let (from_ms, until_ms) = (millis(limits.from), limits.lasts.map(|lasts| millis(limits.from + lasts)));
        let mut rng = stage.streams.stream(&format!("fault/{n}/picked"));
        let mut left = Vec::new();
        for draft in stage.drafts.iter().filter(|draft| draft.kind == DeliveryKind::Genuine && named(draft)) {
            let drawn = limits.probability >= 1.0 || rng.random::<f64>() < limits.probability;
            let within = draft.at_ms >= from_ms && until_ms.is_none_or(|until_ms| draft.at_ms < until_ms);
            let number = number_of(&stage.lives[draft.life].instance);
            if drawn && within && limits.customer.is_none_or(|customer| number == Some(customer)) {
                left.push((draft.at_ms, draft.life, draft.index));
            }
        }
        left.sort_unstable();
        let mut picks = vec![Vec::new(); stage.lives.len()];
        for (place, (_, life, index)) in left.into_iter().enumerate() {
            let meant = match limits.which {
                Which::All => true,
                Which::First(first) => place < first as usize,
                Which::Nth(nth) => place + 1 == nth as usize,
            };
            if meant {
                let of_life: &mut Vec<bool> = &mut picks[life];
                of_life.resize(of_life.len().max(index + 1), false);
                of_life[index] = true;
            }
        }
        Self(picks)
    }

    fn has(&self, draft: &Draft) -> bool {
        self.0.get(draft.life).and_then(|life| life.get(draft.index)).copied().unwrap_or(false)
    }

    /// Indices of the genuine deliveries.
    pub(super) fn genuine(&self, drafts: &[Draft]) -> Vec<usize> {
        let wanted = |n: &usize| drafts[*n].kind == DeliveryKind::Genuine && self.has(&drafts[*n]);
        (0..drafts.len()).filter(wanted).collect()
    }

    /// Indices of every delivery of these events within the run, copies too.
    pub(super) fn within_run(&self, drafts: &[Draft]) -> Vec<usize> {
        (0..drafts.len()).filter(|n| within_run(&drafts[*n]) && self.has(&drafts[*n])).collect()
    }
}

/// The number of a customer among those of their story, from 1.
pub(super) fn number_of(instance: &Instance) -> Option<u32> {
    instance.id.as_str().rsplit_once('/')?.1.parse().ok()
}

fn in_scope(fault: &Fault, story: &str) -> bool {
    fault.story.as_deref().is_none_or(|name| name == story)
}

/// Applies fault number `n` of the scenario.
pub(super) fn apply(stage: &mut Stage<'_>, n: usize, fault: &Fault) {
    let Some(named) = fault.kind.of() else {
        if let FaultKind::Reorder { order } = &fault.kind {
            reorder(stage, n, fault, order);
        }
        return;
    };
    let picks = Picks::new(stage, n, fault, named);
    let expects = fault.expects();
    match &fault.kind {
        FaultKind::Duplicate { copies, spacing, body, .. } => {
            let rng = stage.streams.stream(&format!("fault/{n}/spacing"));
            let genuine = stage.drafts.len();
            duplicate(&mut stage.drafts, n, &picks, *copies, (*spacing, rng));
            for copy in &mut stage.drafts[genuine..] {
                if let Some(how) = body {
                    copy.body = extras::formed(&mut stage.bodies, &copy.body, *how);
                }
            }
        }
        FaultKind::Delay { by, .. } => delay(&mut stage.drafts, n, &picks, millis(*by)),
        FaultKind::Drop { first, .. } => {
            let fetched = stage.scenario.doubles.stripe;
            drop_first(&mut stage.drafts, n, &picks, (*first, fetched));
        }
        FaultKind::Forged { signature, .. } => extras::forged(stage, n, &picks, *signature, expects),
        FaultKind::Malformed { body, .. } => malformed(stage, n, &picks, *body, extras::reaction(expects)),
        FaultKind::UnknownType { .. } => unknown_type(stage, n, &picks, extras::reaction(expects)),
        FaultKind::Body { how, .. } => extras::body(stage, n, &picks, *how),
        FaultKind::Signed { how, .. } => extras::signed(stage, n, &picks, *how),
        FaultKind::Burst { at, .. } => extras::burst(stage, n, &picks, *at),
        FaultKind::Foreign { how, .. } => extras::foreign(stage, n, &picks, *how, expects),
        FaultKind::SecondEvent { spacing, .. } => extras::second_event(stage, n, &picks, *spacing, expects),
        FaultKind::SecondEndpoint { .. } => extras::second_endpoint(stage, n, &picks, expects),
        FaultKind::Transport(fault) => {
            let streams = stage.streams;
            transport(&mut stage.drafts, n, &picks, fault, streams);
        }
        // A roll of the secret is about times, which are only known at the end: see `settle`. The others do not change a
        // delivery: the doubles and the process are at fault.
        FaultKind::Reorder { .. }
        | FaultKind::SecretRoll { .. }
        | FaultKind::Outage { .. }
        | FaultKind::Slow { .. }
        | FaultKind::Kill { .. }
        | FaultKind::Down { .. }
        | FaultKind::Crash { .. }
        | FaultKind::StoreBusy { .. }
        | FaultKind::RandomKills { .. }
        | FaultKind::Stop { .. }
        | FaultKind::Clock { .. }
        | FaultKind::Downstream(_)
        | FaultKind::KillAtCall(_) => {}
    }
}

/// The spacing of copies, and the stream from which a range of it is drawn.
type Spacing = (DuplicateSpacing, ChaCha8Rng);

/// A span between two, in milliseconds.
pub(super) fn draw_ms(span: Between, rng: &mut ChaCha8Rng) -> u64 {
    let (least, most) = (millis(span.least), millis(span.most));
    if least == most { least } else { rng.random_range(least..=most) }
}

/// Further copies of the genuine deliveries. Those within the run inherit time and losses, those of the replay do not:
/// the faults are over then.
fn duplicate(drafts: &mut Vec<Draft>, n: usize, picks: &Picks, copies: u32, mut spacing: Spacing) {
    for genuine in picks.genuine(drafts) {
        let mut drawn = 0_u64;
        for copy in 1..copies {
            let mut draft = Draft { kind: DeliveryKind::Duplicate, ..drafts[genuine].clone() };
            match spacing.0 {
                DuplicateSpacing::After(gap) => {
                    draft.at_ms = draft.at_ms.saturating_add(millis(gap).saturating_mul(u64::from(copy)));
                    draft.faults.push(n);
                }
                DuplicateSpacing::Drawn(gap) => {
                    drawn = drawn.saturating_add(draw_ms(gap, &mut spacing.1));
                    draft.at_ms = draft.at_ms.saturating_add(drawn);
                    draft.faults.push(n);
                }
                DuplicateSpacing::AfterEverything => {
                    draft.phase = Phase::Replay;
                    draft.drop_first = 0;
                    draft.transport = Vec::new();
                    draft.faults = vec![n];
                    draft.genuine = Some(genuine);
                    draft.pass = copy - 1;
                }
            }
            drafts.push(draft);
        }
    }
}

/// Later, with every copy that exists so far: were the copies not late, the event would not be.
fn delay(drafts: &mut [Draft], n: usize, picks: &Picks, by_ms: u64) {
    for draft in drafts.iter_mut().filter(|draft| within_run(draft) && picks.has(draft)) {
        draft.at_ms = draft.at_ms.saturating_add(by_ms);
        draft.faults.push(n);
    }
}

/// The first attempts are lost, with those of every copy that exists so far. Of an event that never arrives nothing is
/// owed, unless it can be fetched.
fn drop_first(drafts: &mut [Draft], n: usize, picks: &Picks, (first, fetched): (u32, bool)) {
    for draft in drafts.iter_mut().filter(|draft| within_run(draft) && picks.has(draft)) {
        draft.drop_first = draft.drop_first.saturating_add(first);
        draft.owed &= first != ALL_ATTEMPTS || fetched;
        draft.faults.push(n);
    }
}

/// Something happens on the way, to every copy that exists so far. Each draws by itself, in the order of the drafts.
fn transport(drafts: &mut [Draft], n: usize, picks: &Picks, fault: &TransportFault, streams: Streams) {
    let mut rng = streams.stream(&format!("fault/{n}/transport"));
    for draft in drafts.iter_mut().filter(|draft| within_run(draft) && picks.has(draft)) {
        if rng.random::<f64>() < fault.probability {
            draft.transport.push(TransportStep { how: fault.how, attempts: fault.first });
            draft.faults.push(n);
        }
    }
}

fn within_run(draft: &Draft) -> bool {
    match draft.kind {
        DeliveryKind::Genuine | DeliveryKind::Duplicate => draft.phase == Phase::Faults,
        DeliveryKind::Forged(_)
        | DeliveryKind::OddlySigned(_)
        | DeliveryKind::Malformed(_)
        | DeliveryKind::UnknownType
        | DeliveryKind::SecondEvent
        | DeliveryKind::SecondEndpoint
        | DeliveryKind::Foreign(_) => false,
    }
}

/// Permutes which genuine delivery takes which of the times that the deliveries of its instance have; duplicates keep
/// their own.
fn reorder(stage: &mut Stage<'_>, n: usize, fault: &Fault, order: &Order) {
    let mut by_life: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, draft) in stage.drafts.iter().enumerate() {
        if draft.kind == DeliveryKind::Genuine && in_scope(fault, &stage.scenario.stories[draft.story].name) {
            by_life.entry(draft.life).or_default().push(at);
        }
    }
    for (life, mut drafts) in by_life {
        drafts.sort_by_key(|at| (stage.drafts[*at].at_ms, stage.drafts[*at].index));
        let slots: Vec<u64> = drafts.iter().map(|at| stage.drafts[*at].at_ms).collect();
        let site = format!("fault/{n}/shuffle/{}", stage.lives[life].instance.id);
        let drafts = match order {
            Order::First(first) => first_order(&stage.drafts, drafts, first),
            Order::Shuffle { window } => shuffled(drafts, *window, stage.streams, &site),
            Order::Reverse => drafts.into_iter().rev().collect(),
            Order::Swap(one, other) => swapped(&stage.drafts, drafts, (one, other)),
        };
        for (at, slot) in drafts.into_iter().zip(slots) {
            let draft = &mut stage.drafts[at];
            if draft.at_ms != slot {
                draft.at_ms = slot;
                draft.faults.push(n);
            }
        }
    }
}

/// First what the selectors name, in their order; then the rest as recorded.
fn first_order(all: &[Draft], mut drafts: Vec<usize>, first: &[EventSelector]) -> Vec<usize> {
    drafts.sort_by_key(|at| all[*at].index);
    let picks: Vec<Vec<bool>> =
        first.iter().map(|selector| selector.picks(drafts.iter().map(|at| all[*at].event_type.as_str()))).collect();
    let rank = |place: usize| picks.iter().position(|picked| picked[place]).unwrap_or(picks.len());
    let mut ranked: Vec<(usize, usize)> = drafts.iter().enumerate().map(|(place, at)| (rank(place), *at)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, at)| at).collect()
}

/// The first that each of the two names change places; where one names nothing all stay.
fn swapped(all: &[Draft], mut drafts: Vec<usize>, (one, other): (&EventSelector, &EventSelector)) -> Vec<usize> {
    let mut recorded: Vec<usize> = drafts.clone();
    recorded.sort_by_key(|at| all[*at].index);
    let first = |selector: &EventSelector| {
        let picked = selector.picks(recorded.iter().map(|at| all[*at].event_type.as_str()));
        recorded.iter().zip(picked).find(|(_, picked)| *picked).map(|(at, _)| *at)
    };
    let place = |draft: Option<usize>| drafts.iter().position(|at| Some(*at) == draft);
    if let (Some(one), Some(other)) = (place(first(one)), place(first(other))) {
        drafts.swap(one, other);
    }
    drafts
}

/// Each event draws a number below `window` and is sorted by that plus its place: no event can pass one that stands
/// `window` or more places away, so none moves by `window` places or more.
fn shuffled(drafts: Vec<usize>, window: u32, streams: Streams, site: &str) -> Vec<usize> {
    let mut rng = streams.stream(site);
    let mut keyed: Vec<(u64, usize)> = drafts
        .into_iter()
        .enumerate()
        .map(|(place, at)| (((place as u64) << 32) + u64::from(rng.random::<u32>()) * u64::from(window), at))
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, at)| at).collect()
}

fn malformed(stage: &mut Stage<'_>, n: usize, picks: &Picks, body: MalformedBody, expect: Reaction) {
    let Stage { drafts, bodies, .. } = stage;
    for at in picks.genuine(drafts) {
        let genuine = drafts[at].clone();
        let text = match body {
            MalformedBody::TruncatedJson => first_half(bodies.get(&genuine.body)).to_owned(),
            MalformedBody::Empty => String::new(),
            MalformedBody::NotAnEvent => NOT_AN_EVENT.to_owned(),
        };
        drafts.push(Draft {
            event: None,
            event_type: body.word().to_owned(),
            body: bodies.keep(&text),
            ..extra(&genuine, at, DeliveryKind::Malformed(body), expect, n)
        });
    }
}

fn first_half(text: &str) -> &str {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle -= 1;
    }
    &text[..middle]
}

/// The envelope and the object of the genuine event under a type that nobody knows, as a new type of Stripe would be:
/// a service that goes by the object and not by the type shows itself.
fn unknown_type(stage: &mut Stage<'_>, n: usize, picks: &Picks, expect: Reaction) {
    let Stage { drafts, bodies, streams, .. } = stage;
    for at in picks.genuine(drafts) {
        let genuine = drafts[at].clone();
        let id = other_id(genuine.event.as_ref().map_or("", EventId::as_str), n, *streams);
        // A re-keyed event is JSON with an object at its top: `Event::parse` has read it.
        let mut body: serde_json::Value = serde_json::from_str(bodies.get(&genuine.body)).unwrap_or_default();
        if let Some(envelope) = body.as_object_mut() {
            envelope.insert("id".to_owned(), id.clone().into());
            envelope.insert("type".to_owned(), UNKNOWN_TYPE.into());
        }
        let text = format!("{body:#}");
        drafts.push(Draft {
            event: Some(EventId::new(id)),
            event_type: UNKNOWN_TYPE.to_owned(),
            body: bodies.keep(&text),
            ..extra(&genuine, at, DeliveryKind::UnknownType, expect, n)
        });
    }
}

/// Gives the deliveries that go with a genuine one their times, now that all faults have been applied, and signs with
/// two secrets what leaves while the secret is rolled.
pub(super) fn settle(stage: &mut Stage<'_>) {
    for at in 0..stage.drafts.len() {
        if let (Phase::Faults, Some(genuine)) = (stage.drafts[at].phase, stage.drafts[at].genuine) {
            let offset_ms = stage.drafts[at].offset_ms;
            stage.drafts[at].at_ms = stage.drafts[genuine].at_ms.saturating_add_signed(offset_ms);
        }
    }
    settle_replay(&mut stage.drafts);
    for (n, fault) in stage.scenario.faults.iter().enumerate() {
        let FaultKind::SecretRoll { from, good } = &fault.kind else { continue };
        for draft in &mut stage.drafts {
            let rolled = draft.phase == Phase::Replay || draft.at_ms >= millis(*from);
            let genuine = matches!(draft.signature, Signing::Genuine | Signing::Rolled(_));
            if rolled && genuine && in_scope(fault, &stage.scenario.stories[draft.story].name) {
                draft.signature = Signing::Rolled(*good);
                draft.faults.push(n);
            }
        }
    }
}

/// The replay sends once more in the order in which the genuine ones were planned, pass after pass.
fn settle_replay(drafts: &mut [Draft]) {
    let mut replayed: Vec<usize> = (0..drafts.len()).filter(|at| drafts[*at].phase == Phase::Replay).collect();
    let order = |at: &usize| {
        let draft = &drafts[*at];
        let first_ms = draft.genuine.map_or(0, |genuine| drafts[genuine].at_ms);
        (draft.faults.first().copied(), draft.pass, first_ms, draft.life, draft.index)
    };
    replayed.sort_by_key(order);
    for (place, at) in replayed.into_iter().enumerate() {
        drafts[at].at_ms = place as u64 * REPLAY_GAP_MS;
    }
}
