//! The clean part of a plan: everybody goes through it at their own pace, and what the app holds is read after each event.
//!
//! Must not know: how the lanes are laid out, what is compared.

use super::{
    Directive, Due, Interpreter, Sending, Stage,
    lanes::{AGAIN_MS, Act},
};
use crate::history::record::{Outcome, RunPhase};
use std::cmp::Reverse;

impl Interpreter<'_> {
    pub(super) fn begin_clean(&mut self, now_ms: u64) {
        self.now_do.push(Directive::Enter(RunPhase::Clean));
        let lanes = self.lanes.begin(now_ms);
        self.due.extend(lanes.into_iter().map(|(at_ms, lane)| Reverse((at_ms, Due::Act { lane }))));
        self.stage = Stage::Sending(RunPhase::Clean);
    }

    /// Does what comes next for somebody of the clean part.
    pub(super) fn act(&mut self, lane: usize, now_ms: u64) -> Option<Directive> {
        match self.lanes.current(lane)? {
            (Act::Deliver(delivery), planned_ms, attempt) => {
                self.in_flight.insert(delivery, attempt);
                // It leaves when the one before it is done with, which is not lateness.
                let planned_ms = if attempt == 1 { planned_ms.max(now_ms) } else { now_ms };
                Some(Directive::Send(Sending { delivery, attempt, planned_ms }))
            }
            (Act::Step(step), ..) => {
                self.open_steps += 1;
                let gap_ms = self.lanes.gap_ms(lane);
                self.go_on(lane, now_ms + gap_ms);
                Some(Directive::Step(step))
            }
        }
    }

    pub(super) fn go_on(&mut self, lane: usize, from_ms: u64) {
        let next = self.lanes.go_on(lane);
        self.due.extend(next.map(|at_ms| Reverse((at_ms.max(from_ms), Due::Act { lane }))));
    }

    /// An attempt of the clean part ended.
    pub(super) fn ended_clean(&mut self, delivery: usize, outcome: Outcome, now_ms: u64) {
        let Some(lane) = self.lanes.of(delivery) else { return };
        if outcome != Outcome::Acked && self.lanes.again(lane) {
            return self.due.push(Reverse((now_ms + AGAIN_MS, Due::Act { lane })));
        }
        let id = &self.plan.delivery(delivery).instance;
        let instance = self.plan.everybody().position(|instance| instance.id == *id).unwrap_or(0);
        self.due.push(Reverse((now_ms + self.lanes.gap_ms(lane), Due::Turn { lane, instance })));
    }

    /// Asks what the app holds after an event of the clean part.
    pub(super) fn turn(&mut self, lane: usize, instance: usize, now_ms: u64) -> Option<Directive> {
        if !self.abilities.probe {
            self.go_on(lane, now_ms);
            return None;
        }
        self.turning.insert(instance, lane);
        Some(Directive::Probe { instance, last: false })
    }
}

/// The phase in which a service comes to rest after another.
pub(super) const fn quiet_after(phase: RunPhase) -> RunPhase {
    match phase {
        RunPhase::Clean => RunPhase::Clean,
        RunPhase::Replay | RunPhase::QuietAfterReplay => RunPhase::QuietAfterReplay,
        RunPhase::Faults | RunPhase::Quiet => RunPhase::Quiet,
    }
}
