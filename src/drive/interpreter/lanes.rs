//! The clean part of a plan as the interpreter goes through it: each person's deliveries and steps one after another. The next
//! one comes when its time has come, the one before it was answered, and a moment has passed in which the app could act on it.
//!
//! Must not know: clocks, sockets, what is compared.

use crate::plan::model::Plan;

/// Time that an app is given after each event before it is asked what it holds now.
const GAP_MS: u64 = 400;
/// All those times together, for one person, at most.
const GAPS_MS: u64 = 20_000;
/// An event that is not acknowledged is sent so often in all: without faults once should do.
const TRIES: u32 = 3;
/// Between two of those.
pub(super) const AGAIN_MS: u64 = 1_000;

/// Something that a person lives through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Act {
    /// A step, by its number in the plan. At the same time it comes first.
    Step(usize),
    /// A delivery, by its number in the plan.
    Deliver(usize),
}

/// Everybody of the clean part.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    began_ms: u64,
}

#[derive(Clone, Debug, Hash)]
struct Lane {
    acts: Vec<(u64, Act)>,
    next: usize,
    /// Attempt of the delivery that is next, from 1.
    attempt: u32,
}

impl Lanes {
    /// One lane for each person; none without a clean part.
    pub(super) fn new(plan: &Plan) -> Self {
        let part = plan.clean_part();
        let mut people: Vec<_> = part.instances.iter().map(|instance| &instance.person).collect();
        people.dedup();
        people.sort();
        people.dedup();
        let person = |id: &crate::id::InstanceId| {
            let of = part.instances.iter().find(|instance| instance.id == *id)?;
            people.binary_search(&&of.person).ok()
        };
        let mut lanes = vec![Lane { acts: Vec::new(), next: 0, attempt: 1 }; people.len()];
        for (n, delivery) in part.deliveries.iter().enumerate() {
            let lane = person(&delivery.instance).and_then(|at| lanes.get_mut(at));
            lane.into_iter().for_each(|l| l.acts.push((delivery.at_ms, Act::Deliver(plan.deliveries.len() + n))));
        }
        for (n, step) in part.steps.iter().enumerate() {
            let lane = person(&step.instance).and_then(|at| lanes.get_mut(at));
            lane.into_iter().for_each(|l| l.acts.push((step.at_ms, Act::Step(plan.steps.len() + n))));
        }
        // Deliveries of one time stay in recorded order: they are numbered in it.
        lanes.iter_mut().for_each(|lane| lane.acts.sort_unstable());
        lanes.retain(|lane| !lane.acts.is_empty());
        Self { lanes, began_ms: 0 }
    }

    /// Begins: when each lane is to act first.
    pub(super) fn begin(&mut self, now_ms: u64) -> Vec<(u64, usize)> {
        self.began_ms = now_ms;
        (0..self.lanes.len()).map(|lane| (self.due_ms(lane), lane)).collect()
    }

    /// Whether anybody has something before them.
    pub(super) fn busy(&self) -> bool {
        self.lanes.iter().any(|lane| lane.next < lane.acts.len())
    }

    /// What comes next in a lane, when it was planned, and which attempt it is.
    pub(super) fn current(&self, lane: usize) -> Option<(Act, u64, u32)> {
        let of = self.lanes.get(lane)?;
        let (_, act) = of.acts.get(of.next)?;
        Some((*act, self.due_ms(lane), of.attempt))
    }

    /// The lane whose next act is this delivery.
    pub(super) fn of(&self, delivery: usize) -> Option<usize> {
        (0..self.lanes.len()).find(|lane| self.current(*lane).is_some_and(|(act, ..)| act == Act::Deliver(delivery)))
    }

    /// Notes that the delivery that is next must be tried again; false when it was tried often enough.
    pub(super) fn again(&mut self, lane: usize) -> bool {
        let Some(of) = self.lanes.get_mut(lane).filter(|of| of.attempt < TRIES) else { return false };
        of.attempt += 1;
        true
    }

    /// Goes on in a lane; when it is to act again, or nothing when it is through.
    pub(super) fn go_on(&mut self, lane: usize) -> Option<u64> {
        let of = self.lanes.get_mut(lane)?;
        (of.next, of.attempt) = (of.next + 1, 1);
        (of.next < of.acts.len()).then(|| self.due_ms(lane))
    }

    /// How long an app is left alone after each act of a lane.
    pub(super) fn gap_ms(&self, lane: usize) -> u64 {
        let acts = self.lanes.get(lane).map_or(1, |lane| lane.acts.len().max(1) as u64);
        GAP_MS.min(GAPS_MS / acts)
    }

    fn due_ms(&self, lane: usize) -> u64 {
        let of = self.lanes.get(lane);
        of.and_then(|of| of.acts.get(of.next)).map_or(self.began_ms, |(at_ms, _)| self.began_ms + at_ms)
    }
}
