//! The service in the simulated world: how its processes start and die and what their workers do, step by step, each step
//! a point where a process may die or another may go on.
//!
//! Like a live worker a worker here claims, calls, writes down and looks again. Processes that did not hear the bell look at the latest after a second, as the live ones do.
//! Must not know: what is right.

pub(super) use crate::service::job::Lease;

use super::{
    Setup,
    happening::Happening,
    intake::Intake,
    point::Point,
    world::{Answer, Owner, World},
};
use crate::{
    drive::interpreter::Input,
    history::record::{Call as CallRecord, Outcome, ProcessEvent, Record},
    mock::{
        answer::Answered,
        script::{Break, Called},
    },
    scenario::fault::Double,
    service::{
        core::Process,
        upstream::{self, Call, CallResult, Transport, Upstream},
    },
};
use rand::RngExt;
use std::hash::{Hash, Hasher};

/// Longest that an idle process does not look for jobs that another has written.
const IDLE_US: u64 = 1_000_000;

/// Longest that a process which was told to stop waits for the answer to a call, as the live service does.
const LINGER_US: u64 = 2_000_000;

/// Shortest sleep of a worker.
const NAP_US: u64 = 1_000;

/// A process of the service.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) up: bool,
    /// Told to stop: takes nothing new, finishes what it has begun.
    pub(super) stopping: bool,
    pub(super) life: u64,
    pub(super) intake: Intake,
    /// Of each worker: at work, or when it looks next.
    workers: Vec<Worker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Worker {
    Busy,
    LooksAt(Option<u64>),
}

impl Hash for Running {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (
            self.stopping,
            self.process.remembered(),
            self.process.memory(),
            self.up,
            self.life,
            &self.intake,
            &self.workers,
        )
            .hash(state);
    }
}

impl Running {
    pub(super) fn new(setup: &Setup) -> Self {
        let workers = vec![Worker::LooksAt(None); setup.simulation.workers as usize];
        Self {
            process: Process::new(setup.settings.clone()),
            up: false,
            stopping: false,
            life: 0,
            intake: Intake::default(),
            workers,
        }
    }
}

impl World<'_> {
    /// Starts every process that is not up.
    pub(super) fn wake_everyone(&mut self) {
        (0..self.processes.len()).for_each(|process| self.wake(process));
    }

    /// Starts a process, unless it is up.
    pub(super) fn wake(&mut self, process: usize) {
        if self.processes[process].up {
            return;
        }
        let life = self.processes[process].life + 1;
        self.processes[process] = Running { up: true, life, ..Running::new(self.setup) };
        self.ring(process);
    }

    /// The process is gone with all that it remembers; who waits for its answer sees the connection break.
    pub(super) fn die(&mut self, process: usize) {
        if !self.processes[process].up {
            return;
        }
        self.processes[process].up = false;
        self.processes[process].intake = Intake::default();
        let held = |owner: Option<Owner>| owner.is_some_and(|owner| owner.process == process);
        let broken: Vec<u64> = self.exchanges.iter().filter(|(_, e)| held(e.held_by)).map(|(id, _)| *id).collect();
        for exchange in broken {
            let reason = "broken off: connection closed before message completed".to_owned();
            let answer = Answer::none(Outcome::Indefinite, reason);
            self.in_a_network_time(Happening::Answer { exchange, answer });
        }
    }

    /// Every process that is up is told to stop.
    pub(super) fn stop_everyone(&mut self) {
        self.stopping = true;
        for process in 0..self.processes.len() {
            let running = &mut self.processes[process];
            if running.up {
                running.stopping = true;
                let by = Owner { process, life: running.life };
                self.at(self.now_us + LINGER_US, Happening::Lingered { by });
            }
        }
        self.stop_whoever_is_idle();
    }

    /// A process that was told to stop ends when nothing that it has begun is left.
    pub(super) fn stop_whoever_is_idle(&mut self) {
        if !self.stopping {
            return;
        }
        for process in 0..self.processes.len() {
            let answers = self.exchanges.values().any(|e| e.held_by.is_some_and(|by| by.process == process));
            let running = &self.processes[process];
            let works = running.workers.contains(&Worker::Busy);
            if running.up && running.stopping && !answers && !works && running.intake.is_empty() {
                self.die(process);
            }
        }
        if !self.processes.iter().any(|running| running.up && running.stopping) {
            self.stopping = false;
            self.record(Record::Process { event: ProcessEvent::Stopped, detail: None });
            self.tell(Input::Stopped);
        }
    }

    /// Calls that are still out are not waited for any longer: their jobs are put back, as the live service does.
    pub(super) fn lingered(&mut self, by: Owner) {
        if self.is_gone(by) {
            return;
        }
        let now = self.now();
        for lease in self.leases_of(by) {
            // An error leaves the job under its lease, which runs out.
            drop(self.processes[by.process].process.release(&mut self.store.0, now, &lease));
        }
        self.processes[by.process].workers.fill(Worker::LooksAt(None));
    }

    pub(super) fn is_gone(&self, owner: Owner) -> bool {
        let running = &self.processes[owner.process];
        !running.up || running.life != owner.life
    }

    /// One of the processes that are up, drawn when there are several.
    pub(super) fn any_process(&mut self) -> Option<Owner> {
        let takes = |process: &usize| self.processes[*process].up && !self.processes[*process].stopping;
        let up: Vec<usize> = (0..self.processes.len()).filter(takes).collect();
        let process = match up.as_slice() {
            [] => return None,
            [only] => *only,
            several => several[self.draws.interleave.random_range(0..several.len())],
        };
        Some(Owner { process, life: self.processes[process].life })
    }

    /// There may be a job: a worker of this process looks at once, one of each other process within a second.
    pub(super) fn ring(&mut self, process: usize) {
        for other in 0..self.processes.len() {
            if !self.processes[other].up || self.processes[other].stopping {
                continue;
            }
            let wait_us =
                if other == process { self.step_us() } else { self.draws.step.random_range(NAP_US..=IDLE_US) };
            self.look_by(other, self.now_us + wait_us);
        }
    }

    /// The idle worker that would look last looks at `at_us`, if that is sooner.
    fn look_by(&mut self, process: usize, at_us: u64) {
        let latest = |worker: &Worker| match worker {
            Worker::Busy => 0,
            Worker::LooksAt(at) => at.unwrap_or(u64::MAX),
        };
        let workers = &self.processes[process].workers;
        let Some(worker) = (0..workers.len()).rev().max_by_key(|worker| latest(&workers[*worker])) else { return };
        if latest(&workers[worker]) > at_us {
            self.looks_at(process, worker, Some(at_us));
        }
    }

    fn looks_at(&mut self, process: usize, worker: usize, at_us: Option<u64>) {
        self.processes[process].workers[worker] = Worker::LooksAt(at_us);
        if let Some(at_us) = at_us {
            let by = Owner { process, life: self.processes[process].life };
            self.at(at_us, Happening::Look { by, worker });
        }
    }

    pub(super) fn look(&mut self, by: Owner, worker: usize) {
        let expected = Worker::LooksAt(Some(self.now_us));
        if self.is_gone(by) || self.processes[by.process].workers[worker] != expected {
            return;
        }
        if self.processes[by.process].stopping {
            return self.looks_at(by.process, worker, None);
        }
        let owner = format!("{}/{}", by.process + 1, worker + 1);
        let now = self.now();
        let begun = self.processes[by.process].process.begin(&mut self.store.0, now, &owner);
        match begun {
            Ok(Some((lease, call))) => {
                self.processes[by.process].workers[worker] = Worker::Busy;
                if self.passes(Point::JobClaimed, by) {
                    return;
                }
                self.ring(by.process);
                let (sent_us, at_us) = (self.now_us, self.now_us + self.call_us());
                self.at(at_us, Happening::Call { by, worker, lease, call, sent_us });
                self.passes(Point::CallSent, by);
            }
            Ok(None) => {
                let ready = self.processes[by.process].process.next_ready(&mut self.store.0).ok().flatten();
                let next = ready.map(|at| {
                    let wait_us = u64::try_from(at.since(now).as_micros()).unwrap_or(u64::MAX);
                    self.now_us.saturating_add(wait_us.max(NAP_US))
                });
                self.looks_at(by.process, worker, next);
                self.passes(Point::QueueLooked, by);
            }
            Err(_) => self.looks_at(by.process, worker, Some(self.now_us + IDLE_US)),
        }
    }

    /// The call is at the double. The process may be gone: the double does not know.
    pub(super) fn call(&mut self, by: Owner, worker: usize, lease: Lease, call: &Call, sent_us: u64) {
        let request = upstream::request(call, "simulated");
        let (now_ms, double) = (self.now_ms(), double_of(call.upstream()));
        let called = self.script.call(&mut self.models, double, now_ms, &request);
        let Called { operation, answered, breaks, faulted, fault, about, kill_ms } = called;
        let Answered { response, effects, .. } = answered;
        let (status, operation, delay) = (response.status, operation.into_owned(), response.delay);
        self.record(Record::Call(CallRecord { double, operation, status, faulted, fault, about, effects }));
        self.tell(Input::Called);
        if let Some(restart_after_ms) = kill_ms {
            self.tell(Input::Held { restart_after_ms });
        }
        let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let back_us = self.now_us.saturating_add(micros(delay)).saturating_add(self.call_us());
        let given_up_us = sent_us + micros(self.setup.call_timeout);
        let (at_us, answer) = match breaks {
            Some(Break::Silence) => (given_up_us, Err(Transport::TimedOut)),
            _ if back_us > given_up_us => (given_up_us, Err(Transport::TimedOut)),
            Some(Break::Reset | Break::CutOff) => (back_us, Err(Transport::Broken)),
            None => (back_us, Ok(&response)),
        };
        let result = upstream::outcome(call, answer);
        self.at(at_us.max(self.now_us), Happening::Called { by, worker, lease, result });
        self.passes(Point::CallTookEffect, by);
    }

    pub(super) fn called(&mut self, by: Owner, worker: usize, lease: &Lease, result: &CallResult) {
        if self.is_gone(by) || self.passes(Point::CallAnswered, by) {
            return;
        }
        let now = self.now();
        // An error leaves the job under its lease, which runs out.
        drop(self.processes[by.process].process.finish(&mut self.store.0, now, lease, result));
        if self.passes(Point::JobFinished, by) {
            return;
        }
        let at_us = self.now_us + self.step_us();
        self.looks_at(by.process, worker, Some(at_us));
    }
}

/// Which double stands for an upstream.
const fn double_of(upstream: Upstream) -> Double {
    match upstream {
        Upstream::Crm => Double::Crm,
        Upstream::Desk => Double::Support,
        Upstream::Stripe => Double::Stripe,
        Upstream::Alerts => Double::Alerts,
    }
}
