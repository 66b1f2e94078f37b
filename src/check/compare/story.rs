//! The clean delivery of a story, event by event: what the app held after each, and what that says of a customer who ended
//! otherwise. It takes the place of a truth written by hand.
//!
//! Must not know: how values are read or masked.

use super::{
    super::{
        anomaly::Anomaly,
        case::{Case, Chain, EndState},
        diagnosis::{self, Races, acked_sends},
    },
    held,
    mask::{Difference, Mask, differences, visible},
    names::Names,
};
use crate::{
    history::record::{Effect, Probe, RunPhase},
    id::EventId,
    plan::model::Delivery,
};
use serde_json::Value;

/// What a clean delivery of one customer's stories led to after an event.
#[derive(Clone, Debug)]
pub(super) struct Turn<'a> {
    /// Place of the event's story in the chain, and of the event in the story.
    pub(super) place: (usize, usize),
    /// The delivery.
    pub(super) delivery: &'a Delivery,
    /// What the app held then; absent when it was not read.
    pub(super) state: Option<Value>,
    /// Whether access was open then.
    pub(super) access: Option<bool>,
}

/// The turns of a customer without faults, in order.
pub(super) fn turns<'a>(
    case: &Case<'a>,
    chain: &Chain<'a>,
    names: &Names,
    (mask, whole): (&Mask, bool),
) -> Vec<Turn<'a>> {
    let Some(clean) = &case.clean else { return Vec::new() };
    let mut turns = Vec::new();
    for (link, instance) in chain.links.iter().enumerate() {
        let events = clean.plan.events.get(&instance.id).map_or(&[][..], Vec::as_slice);
        let deliveries = clean.plan.deliveries.iter().filter(|delivery| delivery.instance == instance.id);
        for delivery in deliveries {
            let Some(at) = events.iter().position(|event| delivery.event.as_ref() == Some(event)) else { continue };
            let probe = after(case, chain, delivery);
            let state = probe.map(|probe| visible(&names.value(&held::answer(probe, whole)), mask));
            let access = probe.and_then(|probe| probe.access);
            turns.push(Turn { place: (link, at), delivery, state, access });
        }
    }
    turns
}

/// The first reading of a customer after a delivery was answered, before anything else was sent to them.
fn after<'a>(case: &Case<'a>, chain: &Chain<'a>, delivery: &Delivery) -> Option<&'a Probe> {
    let answered = case.seen.sent(&delivery.id).last()?.reply?.n;
    let probes = chain.links.iter().flat_map(|link| case.seen.probes(&link.id));
    let later = probes.filter(|probe| probe.n > answered && probe.phase == Some(RunPhase::Clean));
    let first = later.min_by_key(|probe| probe.n)?;
    (first.what.error.is_none() && first.what.known.is_some()).then_some(first.what)
}

/// A customer who ended otherwise.
pub(super) struct Other<'c, 'a> {
    pub(super) case: &'c Case<'a>,
    pub(super) chain: &'c Chain<'a>,
    pub(super) end: &'c EndState<'a>,
    pub(super) turns: &'c [Turn<'a>],
}

impl Other<'_, '_> {
    /// What explains the state that was found instead of the clean one.
    pub(super) fn state(&self, found: &Value, access: Option<bool>, wrong: &[Difference]) -> Anomaly {
        if let Some(anomaly) = diagnosis::unheard(self.case, self.chain).or_else(|| diagnosis::not_held(self.case)) {
            return anomaly;
        }
        let events = self.events();
        let like: Vec<bool> = self.turns.iter().map(|turn| fits(turn, found, wrong)).collect();
        // What came after the last turn that fits is what has no effect; all of it where none fits.
        let applied = like.iter().rposition(|fits| *fits).map_or(0, |at| at + 1);
        if events[applied.min(events.len())..].iter().any(|event| diagnosis::poisoned(self.case, event)) {
            return Anomaly::Poisoned;
        }
        let races = Races::new(self.case, self.end.phase, &events);
        if access == Some(true) && self.revived(&races) {
            return Anomaly::Resurrected;
        }
        let pairs = (0..like.len()).flat_map(|older| (older + 1..like.len()).map(move |newer| (older, newer)));
        let mut pairs = pairs.filter(|(older, newer)| like[*older] && !like[*newer]);
        if pairs.any(|(older, newer)| races.of_a_kind(older, newer)) {
            return Anomaly::Stale;
        }
        match !like.contains(&true) && wrong.iter().any(Difference::is_more) {
            true => Anomaly::Duplicate,
            false => Anomaly::Lost,
        }
    }

    /// What explains that an effect is missing.
    pub(super) fn missing(&self) -> Anomaly {
        let unheard = diagnosis::unheard(self.case, self.chain).or_else(|| diagnosis::not_held(self.case));
        let poisoned = || self.events().iter().any(|event| diagnosis::poisoned(self.case, event));
        unheard.unwrap_or_else(|| if poisoned() { Anomaly::Poisoned } else { Anomaly::Lost })
    }

    /// What explains that a contact says something else: an older value that won, if it ever was one.
    pub(super) fn contact(&self, was_older: bool) -> Anomaly {
        if let Some(anomaly) = diagnosis::unheard(self.case, self.chain).or_else(|| diagnosis::not_held(self.case)) {
            return anomaly;
        }
        let events = self.events();
        let races = Races::new(self.case, self.end.phase, &events);
        let mut pairs = (0..events.len()).flat_map(|older| (older + 1..events.len()).map(move |newer| (older, newer)));
        let raced = pairs.any(|(older, newer)| races.of_a_kind(older, newer) && races.overtaken(older, newer));
        if was_older && raced { Anomaly::Stale } else { Anomaly::Lost }
    }

    /// The customer's own events, in the order of the turns.
    fn events(&self) -> Vec<&EventId> {
        let events = self.case.clean.as_ref().map(|clean| &clean.plan.events);
        let own = |turn: &Turn<'_>| {
            let (link, at) = turn.place;
            events?.get(&self.chain.links.get(link)?.id)?.get(at)
        };
        self.turns.iter().filter_map(own).collect()
    }

    /// Whether what had ended is live: the end came, and something from before it came later.
    fn revived(&self, races: &Races) -> bool {
        let open = self.turns.iter().rposition(|turn| turn.access == Some(true));
        let Some(ending) = open.map(|at| at + 1).filter(|at| *at < self.turns.len()) else { return false };
        let events = self.events();
        let Some(event) = events.get(ending) else { return false };
        let answered = acked_sends(self.case, event, self.end.phase).into_iter().map(|(_, answered)| answered).min();
        let Some(answered) = answered else { return false };
        let probes = self.chain.links.iter().flat_map(|link| self.case.seen.probes(&link.id));
        let mut closed = probes.filter(|probe| probe.n > answered && probe.what.access == Some(false));
        let terminal = self.turns[ending].delivery.event_type == "customer.subscription.deleted";
        closed.any(|probe| self.end.ledger.is_none_or(|ledger| probe.n < ledger.n))
            || (terminal && (0..ending).any(|older| races.overtaken(older, ending)))
    }
}

/// Whether a turn holds what was found, in all in which that is wrong.
fn fits(turn: &Turn<'_>, found: &Value, wrong: &[Difference]) -> bool {
    let Some(state) = &turn.state else { return false };
    let differ = differences(state, found, "$");
    let under = |path: &str, above: &str| {
        path == above || path.starts_with(&format!("{above}.")) || path.starts_with(&format!("{above}["))
    };
    let touched =
        |wrong: &Difference| differ.iter().any(|d| under(&d.path, &wrong.path) || under(&wrong.path, &d.path));
    !wrong.is_empty() && !wrong.iter().any(touched)
}

/// Values that fields of a clean customer's contacts had before their last ones.
pub(super) fn older_values(case: &Case<'_>, contacts: &[String]) -> Vec<(String, String)> {
    let mut older = Vec::new();
    for effect in case.seen.clean_calls.iter().flat_map(|call| &call.what.effects) {
        let Effect::ContactUpdated { contact, changed } = effect else { continue };
        if contacts.contains(contact) {
            older.extend(changed.iter().filter_map(|(name, (before, _))| Some((name.clone(), before.clone()?))));
        }
    }
    older
}
