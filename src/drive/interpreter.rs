//! What comes next: retries, phases, budgets and probes as one machine without clock or socket, for every body.
//!
//! `poll(now)` gives one directive to carry out at once, or says until when to wait; `on(now, input)` tells it what
//! happened. Same inputs at the same times, same directives. Must not know: HTTP, processes, how long anything takes.

mod clean;
mod lanes;

pub use super::directive::{Abilities, Directive, Input, Sending};

use crate::{
    history::record::{Outcome, RunPhase},
    plan::model::{Delivery, Instance, KillAt, Phase, Plan, Reaction},
};
use lanes::Lanes;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    hash::{Hash, Hasher},
};

/// Gap between two readings of one customer while waiting for activation: fine against an objective of minutes.
const ACTIVATION_POLL_MS: u64 = 100;
/// Whoever has waited long is asked less often: a gap is at most this part of the wait, so that days take hundreds of
/// readings and not millions.
const POLLS_OF_A_WAIT: u64 = 100;
/// Gap between two readings of the queue in a quiet phase.
const QUEUE_POLL_MS: u64 = 50;
/// The longer a queue drains, the less often it is asked for: at most this part of the time so far.
const QUEUE_POLLS_OF_A_WAIT: u64 = 10;
/// A target that does not report its queue is quiet once it has called no double for this long.
const SETTLE_MS: u64 = 1_500;
/// Probes under way at once: more would be a load test of the probe.
const PROBES_AT_ONCE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Due {
    Restart,
    StartOne { process: usize, life: u64 },
    Kill { restart_after_ms: u64, lot: Option<u32> },
    Stop { restart_after_ms: u64 },
    NoteOff(usize),
    NoteOn(usize),
    Lock(bool),
    Clock { offset_ms: i64 },
    Step(usize),
    Attempt { delivery: usize, attempt: u32 },
    Poll { instance: usize },
    Act { lane: usize },
    Turn { lane: usize, instance: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    NotStarted,
    Sending(RunPhase),
    Draining(RunPhase),
    Reading(RunPhase),
    Over,
}

/// The machine. Order of what is due at the same time: restarts, kills, stops, ends of faults, beginnings of faults, store and
/// clock, steps, attempts by delivery number, polls.
#[derive(Clone, Debug)]
pub struct Interpreter<'p> {
    plan: &'p Plan,
    abilities: Abilities,
    stage: Stage,
    due: BinaryHeap<Reverse<(u64, Due)>>,
    now_do: Vec<Directive>,
    in_flight: BTreeMap<usize, u32>,
    open_steps: usize,
    unfinished: BTreeSet<usize>,
    kills_left: BTreeMap<usize, u64>,
    down: bool,
    down_until_ms: u64,
    /// All were told to stop and have not ended yet: when they have, they stay away for so long.
    stopping: Option<u64>,
    /// Faults that lock the store now.
    locks: u32,
    /// What the service's clock is wrong by now.
    clock_ms: i64,
    /// Processes that were killed one by one and do not answer yet, with the number of the kill.
    away: BTreeMap<usize, u64>,
    kills: u64,
    polling: BTreeMap<usize, bool>,
    must_open: BTreeSet<usize>,
    polling_since: BTreeMap<usize, u64>,
    to_read: Vec<usize>,
    reading: usize,
    drain_from_ms: u64,
    drain_until_ms: u64,
    last_activity_ms: u64,
    queue_asked: bool,
    queue_next_ms: u64,
    queue_empty: bool,
    last_queue_read: bool,
    /// The people of the clean part.
    lanes: Lanes,
    /// Lanes whose state is being asked for, by instance.
    turning: BTreeMap<usize, usize>,
}

impl<'p> Interpreter<'p> {
    /// A machine at the start of `plan`.
    pub fn new(plan: &'p Plan, abilities: Abilities) -> Self {
        let index = |id: &crate::id::DeliveryId| plan.deliveries.iter().position(|d| d.id == *id);
        Self {
            plan,
            abilities,
            stage: Stage::NotStarted,
            due: BinaryHeap::new(),
            now_do: Vec::new(),
            in_flight: BTreeMap::new(),
            open_steps: 0,
            unfinished: BTreeSet::new(),
            kills_left: plan
                .kills
                .iter()
                .filter_map(|kill| match &kill.at {
                    KillAt::OnAckOf(delivery) => Some((index(delivery)?, kill.restart_after_ms)),
                    KillAt::AtMs(_) | KillAt::StopAt(_) | KillAt::AtPoint(_) | KillAt::AtCall(_) => None,
                })
                .collect(),
            down: false,
            down_until_ms: 0,
            stopping: None,
            locks: 0,
            clock_ms: 0,
            away: BTreeMap::new(),
            kills: 0,
            polling: BTreeMap::new(),
            must_open: must_open(plan),
            polling_since: BTreeMap::new(),
            to_read: Vec::new(),
            reading: 0,
            drain_from_ms: 0,
            drain_until_ms: 0,
            last_activity_ms: 0,
            queue_asked: false,
            queue_next_ms: 0,
            queue_empty: false,
            last_queue_read: false,
            lanes: Lanes::new(plan),
            turning: BTreeMap::new(),
        }
    }

    /// Feeds all that decides what comes next to `state`; the plan is not part of it.
    pub fn hash_state<H: Hasher>(&self, state: &mut H) {
        let mut due: Vec<_> = self.due.iter().map(|Reverse(due)| due).collect();
        due.sort_unstable();
        (self.abilities, self.stage, due, &self.now_do, &self.in_flight, self.open_steps).hash(state);
        (&self.unfinished, &self.kills_left, self.down, self.down_until_ms, &self.away, self.kills).hash(state);
        (&self.polling, &self.polling_since, &self.to_read, self.reading, self.drain_from_ms, self.drain_until_ms)
            .hash(state);
        (self.stopping, self.locks, self.clock_ms, &self.lanes, &self.turning).hash(state);
        let queue = (self.queue_asked, self.queue_next_ms, self.queue_empty, self.last_queue_read);
        (self.last_activity_ms, queue).hash(state);
    }

    /// One directive to carry out at once, or until when to wait.
    pub fn poll(&mut self, now_ms: u64) -> Directive {
        loop {
            if !self.now_do.is_empty() {
                return self.now_do.remove(0);
            }
            if let Some(directive) = self.take_due(now_ms) {
                return directive;
            }
            match self.stage {
                Stage::NotStarted if self.plan.clean.is_some() => self.begin_clean(now_ms),
                Stage::NotStarted => self.begin(RunPhase::Faults, Phase::Faults, now_ms),
                Stage::Sending(phase) => match self.sending(phase, now_ms) {
                    Some(wait) => return wait,
                    None => continue,
                },
                Stage::Draining(phase) => match self.draining(phase, now_ms) {
                    Some(directive) => return directive,
                    None => continue,
                },
                Stage::Reading(phase) => match self.reading(phase, now_ms) {
                    Some(directive) => return directive,
                    None => continue,
                },
                Stage::Over => return Directive::Done { incomplete: None },
            }
        }
    }

    /// Tells the machine what happened.
    pub fn on(&mut self, now_ms: u64, input: Input) {
        match input {
            Input::Ended { delivery, outcome } => self.ended(delivery, outcome, now_ms),
            Input::Probed { instance, access, last: false } => match self.turning.remove(&instance) {
                Some(lane) => self.go_on(lane, now_ms),
                None => self.polled(instance, access, now_ms),
            },
            Input::Probed { last: true, .. } => self.reading = self.reading.saturating_sub(1),
            Input::Queue { pending, last } => {
                self.queue_asked = false;
                let waited_ms = now_ms.saturating_sub(self.drain_from_ms);
                self.queue_next_ms = now_ms + QUEUE_POLL_MS.max(waited_ms / QUEUE_POLLS_OF_A_WAIT);
                self.queue_empty = pending == Some(0);
                if let Stage::Reading(phase) = self.stage
                    && !self.queue_empty
                    && last
                {
                    // Work that came late (an event that was still in memory, say): the phase is not over.
                    self.stage = Stage::Draining(phase);
                }
            }
            Input::Stepped => self.open_steps = self.open_steps.saturating_sub(1),
            Input::Called => self.last_activity_ms = now_ms,
            Input::Stopped => {
                if let Some(restart_after_ms) = self.stopping.take() {
                    self.went_down(now_ms, restart_after_ms);
                }
            }
            // All of them were started.
            Input::Up => (self.down, self.away) = (false, BTreeMap::new()),
            Input::OneUp(process) => drop(self.away.remove(&process)),
            Input::Crashed { restart_after_ms } => self.went_down(now_ms, restart_after_ms),
            Input::Held { restart_after_ms } => {
                self.now_do.push(Directive::Kill);
                self.went_down(now_ms, restart_after_ms);
            }
        }
    }

    fn begin(&mut self, run_phase: RunPhase, phase: Phase, now_ms: u64) {
        self.now_do.push(Directive::Enter(run_phase));
        if phase == Phase::Faults {
            let planned = self.plan.faults.iter().enumerate();
            self.now_do.extend(planned.map(|(n, what)| Directive::Note { what: format!("[{n}] {what}"), on: true }));
        }
        for (index, delivery) in self.plan.deliveries.iter().enumerate().filter(|(_, d)| d.phase == phase) {
            self.unfinished.insert(index);
            self.due.push(Reverse((now_ms + delivery.at_ms, Due::Attempt { delivery: index, attempt: 1 })));
        }
        if phase == Phase::Faults && self.abilities.probe {
            // Access that is open before anything was delivered says nothing about what was delivered.
            let first = |i: &Instance| !i.ghost && i.continues.is_none() && i.person == i.id;
            let instances = self.plan.instances.iter().enumerate().filter(|(_, i)| first(i));
            self.now_do.extend(instances.map(|(instance, _)| Directive::Probe { instance, last: false }));
        }
        if phase == Phase::Faults {
            for (index, step) in self.plan.steps.iter().enumerate() {
                self.due.push(Reverse((now_ms + step.at_ms, Due::Step(index))));
            }
            for (index, window) in self.plan.windows().iter().enumerate() {
                self.due.push(Reverse((now_ms + window.from_ms, Due::NoteOn(index))));
                let end = window.until_ms.map(|until_ms| Reverse((now_ms + until_ms, Due::NoteOff(index))));
                self.due.extend(end);
            }
        }
        if phase == Phase::Faults {
            self.surroundings(now_ms);
        }
        self.stage = Stage::Sending(run_phase);
    }

    /// What happens to the service's processes, store and clock at times of the plan.
    fn surroundings(&mut self, now_ms: u64) {
        for kill in &self.plan.kills {
            let (restart_after_ms, lot) = (kill.restart_after_ms, kill.lot);
            match kill.at {
                KillAt::AtMs(at_ms) => self.due.push(Reverse((now_ms + at_ms, Due::Kill { restart_after_ms, lot }))),
                KillAt::StopAt(at_ms) => self.due.push(Reverse((now_ms + at_ms, Due::Stop { restart_after_ms }))),
                KillAt::OnAckOf(_) | KillAt::AtPoint(_) | KillAt::AtCall(_) => {}
            }
        }
        for busy in &self.plan.store_busy {
            self.due.push(Reverse((now_ms + busy.from_ms, Due::Lock(true))));
            self.due.push(Reverse((now_ms + busy.until_ms, Due::Lock(false))));
        }
        for clock in &self.plan.clock {
            let (on, off) = (clock.offset_ms, clock.offset_ms.saturating_neg());
            self.due.push(Reverse((now_ms + clock.from_ms, Due::Clock { offset_ms: on })));
            let until = clock.until_ms.map(|until_ms| Reverse((now_ms + until_ms, Due::Clock { offset_ms: off })));
            self.due.extend(until);
        }
    }

    fn take_due(&mut self, now_ms: u64) -> Option<Directive> {
        loop {
            let Reverse((at_ms, _)) = self.due.peek()?;
            if *at_ms > now_ms {
                return None;
            }
            let Reverse((at_ms, due)) = self.due.pop()?;
            let directive = self.take(due, at_ms, now_ms);
            if directive.is_some() {
                return directive;
            }
        }
    }

    fn take(&mut self, due: Due, at_ms: u64, now_ms: u64) -> Option<Directive> {
        match due {
            Due::Attempt { delivery, attempt } => Some(self.attempt(delivery, attempt, at_ms, now_ms)),
            Due::Step(index) => {
                self.open_steps += 1;
                Some(Directive::Step(index))
            }
            Due::NoteOn(index) => Some(self.note(index, true)),
            Due::NoteOff(index) => Some(self.note(index, false)),
            Due::Restart => (self.down && now_ms >= self.down_until_ms).then_some(Directive::Restart),
            Due::StartOne { process, life } => {
                (!self.down && self.away.get(&process) == Some(&life)).then_some(Directive::StartOne(process))
            }
            Due::Stop { restart_after_ms } => {
                // Who is away or going already is told nothing.
                let told = !self.down && self.stopping.is_none();
                told.then(|| {
                    self.stopping = Some(restart_after_ms);
                    Directive::Stop
                })
            }
            Due::Lock(on) => {
                let before = self.locks;
                self.locks = if on { before + 1 } else { before.saturating_sub(1) };
                ((before == 0) != (self.locks == 0)).then_some(Directive::LockStore(on))
            }
            Due::Clock { offset_ms } => {
                self.clock_ms = self.clock_ms.saturating_add(offset_ms);
                Some(Directive::SetClock(self.clock_ms))
            }
            Due::Kill { restart_after_ms, lot: Some(lot) } => self.kill_one(now_ms, restart_after_ms, lot),
            Due::Kill { restart_after_ms, lot: None } => {
                self.went_down(now_ms, restart_after_ms);
                Some(Directive::Kill)
            }
            Due::Poll { instance } => self.poll_activation(instance),
            Due::Act { lane } => self.act(lane, now_ms),
            Due::Turn { lane, instance } => self.turn(lane, instance, now_ms),
        }
    }

    fn note(&self, index: usize, on: bool) -> Directive {
        let what = self.plan.windows().into_iter().nth(index).map(|window| window.what).unwrap_or_default();
        Directive::Note { what, on }
    }

    fn attempt(&mut self, delivery: usize, attempt: u32, planned_ms: u64, now_ms: u64) -> Directive {
        let planned = &self.plan.deliveries[delivery];
        let sending = Sending { delivery, attempt, planned_ms };
        if attempt == 1 {
            self.watch_activation(planned, now_ms);
        }
        if attempt <= planned.drop_first {
            self.again_or_give_up(delivery, attempt, now_ms);
            return Directive::Lose(sending);
        }
        self.in_flight.insert(delivery, attempt);
        Directive::Send(sending)
    }

    fn ended(&mut self, delivery: usize, outcome: Outcome, now_ms: u64) {
        self.last_activity_ms = now_ms;
        let Some(attempt) = self.in_flight.remove(&delivery) else { return };
        if delivery >= self.plan.deliveries.len() {
            return self.ended_clean(delivery, outcome, now_ms);
        }
        match outcome {
            Outcome::Acked => {
                self.unfinished.remove(&delivery);
                if let Some(restart_after_ms) = self.kills_left.remove(&delivery) {
                    self.now_do.push(Directive::Kill);
                    self.went_down(now_ms, restart_after_ms);
                }
            }
            Outcome::Refused | Outcome::Indefinite => self.again_or_give_up(delivery, attempt, now_ms),
        }
    }

    /// Nobody, when no process is up.
    fn kill_one(&mut self, now_ms: u64, restart_after_ms: u64, lot: u32) -> Option<Directive> {
        let up: Vec<usize> = (0..self.abilities.processes).filter(|process| !self.away.contains_key(process)).collect();
        if self.down || up.is_empty() {
            return None;
        }
        let process = up[lot as usize % up.len()];
        self.kills += 1;
        let life = self.kills;
        self.away.insert(process, life);
        self.due.push(Reverse((now_ms + restart_after_ms, Due::StartOne { process, life })));
        Some(Directive::KillOne(process))
    }

    /// Several kills may overlap: the last restart counts.
    fn went_down(&mut self, now_ms: u64, restart_after_ms: u64) {
        self.down = true;
        self.down_until_ms = self.down_until_ms.max(now_ms + restart_after_ms);
        self.due.push(Reverse((now_ms + restart_after_ms, Due::Restart)));
    }

    /// Stripe repeats what was not acknowledged; an attacker's imitation or a malformed body comes once.
    fn again_or_give_up(&mut self, delivery: usize, attempt: u32, now_ms: u64) {
        let repeats = self.plan.deliveries[delivery].expect == Reaction::Accept;
        let wait = self.plan.retry_waits_ms.get(attempt as usize - 1).filter(|_| repeats);
        match wait {
            Some(wait_ms) => {
                self.due.push(Reverse((now_ms + wait_ms, Due::Attempt { delivery, attempt: attempt + 1 })));
            }
            None => {
                self.unfinished.remove(&delivery);
            }
        }
    }

    fn watch_activation(&mut self, planned: &Delivery, now_ms: u64) {
        if !self.abilities.probe || planned.event.is_none() {
            return;
        }
        let completes =
            |i: &Instance| i.id == planned.instance && i.completes_with.is_some() && i.completes_with == planned.event;
        let Some(instance) = self.plan.instances.iter().position(completes) else { return };
        if let std::collections::btree_map::Entry::Vacant(slot) = self.polling.entry(instance) {
            slot.insert(true);
            self.polling_since.insert(instance, now_ms);
            self.due.push(Reverse((now_ms, Due::Poll { instance })));
        }
    }

    fn poll_activation(&self, instance: usize) -> Option<Directive> {
        let waiting = self.polling.get(&instance).copied().unwrap_or(false);
        let over = matches!(self.stage, Stage::Reading(_) | Stage::Over);
        if !waiting || over {
            return None;
        }
        Some(Directive::Probe { instance, last: false })
    }

    fn polled(&mut self, instance: usize, access: Option<bool>, now_ms: u64) {
        if !self.polling.contains_key(&instance) {
            return;
        }
        if access == Some(true) {
            self.polling.insert(instance, false);
        } else {
            // Many customers share the probe's time: at most one reading in two milliseconds over all of them.
            let waiting = self.polling.values().filter(|waits| **waits).count() as u64;
            let waited_ms = now_ms - self.polling_since.get(&instance).copied().unwrap_or(now_ms).min(now_ms);
            let gap_ms = ACTIVATION_POLL_MS.max(waiting * 2).max(waited_ms / POLLS_OF_A_WAIT);
            self.due.push(Reverse((now_ms + gap_ms, Due::Poll { instance })));
        }
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether anything but retries and polls is still to come in this phase.
    fn plan_left(&self) -> bool {
        self.due.iter().any(|Reverse((_, due))| match due {
            Due::Restart
            | Due::StartOne { .. }
            | Due::Kill { .. }
            | Due::Stop { .. }
            | Due::Lock(_)
            | Due::Clock { .. }
            | Due::NoteOff(_)
            | Due::NoteOn(_)
            | Due::Step(_)
            | Due::Act { .. }
            | Due::Turn { .. } => true,
            Due::Attempt { attempt, .. } => *attempt == 1,
            Due::Poll { .. } => false,
        })
    }

    fn sending(&mut self, phase: RunPhase, now_ms: u64) -> Option<Directive> {
        // What a stopping service still answers belongs to the faults.
        let clean_left = phase == RunPhase::Clean && self.lanes.busy();
        if self.plan_left() || self.stopping.is_some() || clean_left {
            return Some(self.wait(now_ms, now_ms + 60_000));
        }
        let quiet = clean::quiet_after(phase);
        if quiet != RunPhase::Clean {
            self.now_do.push(Directive::Enter(quiet));
        }
        let recovery_ms = if quiet == RunPhase::Quiet { self.plan.recovers_within_ms } else { 0 };
        self.drain_from_ms = now_ms.saturating_add(recovery_ms);
        self.drain_until_ms = self.drain_from_ms.saturating_add(self.plan.quiet_budget_ms);
        self.queue_empty = false;
        self.queue_next_ms = now_ms;
        self.stage = Stage::Draining(quiet);
        None
    }

    fn draining(&mut self, phase: RunPhase, now_ms: u64) -> Option<Directive> {
        if self.drained(now_ms) {
            self.stage = Stage::Reading(phase);
            self.last_queue_read = !self.abilities.queue;
            let all = if phase == RunPhase::Clean {
                self.plan.instances.len()..self.plan.everybody().count()
            } else {
                0..self.plan.instances.len()
            };
            self.to_read = if self.abilities.probe { all.rev().collect() } else { Vec::new() };
            return None;
        }
        if now_ms >= self.drain_until_ms {
            self.stage = Stage::Over;
            let before = if phase == RunPhase::Clean { "already without faults, " } else { "" };
            return Some(Directive::Done { incomplete: Some(format!("{before}{}", self.what_is_left())) });
        }
        let idle = self.unfinished.is_empty() && self.in_flight.is_empty() && self.is_up();
        if self.abilities.queue && idle && !self.queue_asked && now_ms >= self.queue_next_ms {
            self.queue_asked = true;
            return Some(Directive::ReadQueue { last: false });
        }
        let mut until = self.drain_until_ms;
        if self.abilities.queue && idle && !self.queue_asked {
            until = until.min(self.queue_next_ms);
        }
        if !self.abilities.queue {
            let rested_ms = self.drain_from_ms.saturating_add(self.plan.quiet_least_ms);
            until = until.min((self.last_activity_ms + SETTLE_MS).max(rested_ms).max(now_ms + 1));
        }
        Some(self.wait(now_ms, until))
    }

    /// Every process is.
    fn is_up(&self) -> bool {
        !self.down && self.stopping.is_none() && self.away.is_empty()
    }

    fn drained(&self, now_ms: u64) -> bool {
        if now_ms < self.drain_from_ms.saturating_add(self.plan.quiet_least_ms) {
            return false;
        }
        let sender_idle =
            self.unfinished.is_empty() && self.in_flight.is_empty() && self.open_steps == 0 && self.is_up();
        let service_idle = if self.abilities.queue {
            self.queue_empty && !self.queue_asked
        } else {
            // It may work on without calling a double: whoever must get access is waited for, within the budget.
            let waiting = self.must_open.iter().any(|i| self.polling.get(i) == Some(&true));
            now_ms >= self.last_activity_ms + SETTLE_MS && (!waiting || now_ms >= self.drain_until_ms)
        };
        sender_idle && service_idle
    }

    fn what_is_left(&self) -> String {
        format!(
            "the quiet budget of {} ms was used up: {} deliveries not settled, {} in flight, {}",
            self.plan.quiet_budget_ms,
            self.unfinished.len(),
            self.in_flight.len(),
            match (!self.is_up(), self.abilities.queue, self.queue_empty) {
                (true, _, _) => "the service is down",
                (_, true, false) => "the service still has jobs waiting",
                _ => "the service is not yet quiet",
            }
        )
    }

    fn reading(&mut self, phase: RunPhase, now_ms: u64) -> Option<Directive> {
        if self.reading < PROBES_AT_ONCE
            && let Some(instance) = self.to_read.pop()
        {
            self.reading += 1;
            return Some(Directive::Probe { instance, last: true });
        }
        if self.reading > 0 || self.queue_asked {
            return Some(Directive::Wait { until_ms: now_ms + 60_000 });
        }
        if !self.last_queue_read {
            self.queue_asked = true;
            self.last_queue_read = true;
            return Some(Directive::ReadQueue { last: true });
        }
        self.due.retain(|Reverse((_, due))| !matches!(due, Due::Poll { .. }));
        self.now_do.push(Directive::Ledger);
        let more = self.plan.deliveries.iter().any(|d| d.phase == Phase::Replay);
        match phase {
            // What is to be done first is done first: the ledger, then what the next phase begins with.
            RunPhase::Clean => self.begin(RunPhase::Faults, Phase::Faults, now_ms),
            RunPhase::Quiet if more => self.begin(RunPhase::Replay, Phase::Replay, now_ms),
            RunPhase::Quiet | RunPhase::Faults | RunPhase::Replay | RunPhase::QuietAfterReplay => {
                self.stage = Stage::Over;
            }
        }
        None
    }

    fn wait(&self, now_ms: u64, until_ms: u64) -> Directive {
        let until_ms = self.next_due_ms().map_or(until_ms, |due| due.min(until_ms));
        Directive::Wait { until_ms: until_ms.max(now_ms + 1) }
    }
}

/// Customers who have access when all is over: nobody's story goes on from theirs, and it says so.
fn must_open(plan: &Plan) -> BTreeSet<usize> {
    let goes_on = |i: &Instance| plan.instances.iter().any(|other| other.continues.as_ref() == Some(&i.id));
    let granted = |i: &Instance| i.end.as_ref().is_some_and(|end| end.access.is_open());
    plan.instances.iter().enumerate().filter(|(_, i)| granted(i) && !goes_on(i)).map(|(index, _)| index).collect()
}
