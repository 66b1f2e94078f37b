//! The service in the simulated world: what its server and its workers do, step by step, each step a point where it may
//! die or another process may go on.
//!
//! Like the live server it takes each request, commits, answers and rings for a worker; a worker claims, calls, writes
//! down and looks again. Processes that did not hear the bell look at the latest after a second, as the live ones do.
//! Must not know: what is right.

pub(super) use crate::service::job::Lease;

use super::{
    Setup,
    point::Point,
    way,
    world::{Answer, Happening, Owner, Sent, World},
};
use crate::{
    drive::interpreter::Input,
    history::record::{Call as CallRecord, Outcome, Record},
    mock::{
        answer::Answered,
        script::{Break, Called},
    },
    scenario::fault::Double,
    service::{
        core::{Process, Received, Rest},
        store::StoreError,
        upstream::{self, Call, CallResult, Transport, Upstream},
    },
};
use rand::RngExt;
use std::hash::{Hash, Hasher};

/// Longest that an idle process does not look for jobs that another has written.
const IDLE_US: u64 = 1_000_000;

/// Shortest sleep of a worker.
const NAP_US: u64 = 1_000;

/// A process of the service.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) up: bool,
    pub(super) life: u64,
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
        (self.process.remembered(), self.up, self.life, &self.workers).hash(state);
    }
}

impl Running {
    pub(super) fn new(setup: &Setup) -> Self {
        let workers = vec![Worker::LooksAt(None); setup.simulation.workers as usize];
        Self { process: Process::new(setup.settings.clone()), up: false, life: 0, workers }
    }
}

impl World<'_> {
    /// Starts every process that is not up.
    pub(super) fn wake_everyone(&mut self) {
        for process in 0..self.processes.len() {
            if self.processes[process].up {
                continue;
            }
            let life = self.processes[process].life + 1;
            self.processes[process] = Running { up: true, life, ..Running::new(self.setup) };
            self.ring(process);
        }
    }

    /// The process is gone with all that it remembers; who waits for its answer sees the connection break.
    pub(super) fn die(&mut self, process: usize) {
        if !self.processes[process].up {
            return;
        }
        self.processes[process].up = false;
        let held = |owner: Option<Owner>| owner.is_some_and(|owner| owner.process == process);
        let broken: Vec<u64> = self.exchanges.iter().filter(|(_, e)| held(e.held_by)).map(|(id, _)| *id).collect();
        for exchange in broken {
            let reason = "broken off: connection closed before message completed".to_owned();
            let answer = Answer::none(Outcome::Indefinite, reason);
            self.in_a_network_time(Happening::Answer { exchange, answer });
        }
    }

    pub(super) fn is_gone(&self, owner: Owner) -> bool {
        let running = &self.processes[owner.process];
        !running.up || running.life != owner.life
    }

    /// One of the processes that are up, drawn when there are several.
    pub(super) fn any_process(&mut self) -> Option<Owner> {
        let up: Vec<usize> = (0..self.processes.len()).filter(|process| self.processes[*process].up).collect();
        let process = match up.as_slice() {
            [] => return None,
            [only] => *only,
            several => several[self.draws.interleave.random_range(0..several.len())],
        };
        Some(Owner { process, life: self.processes[process].life })
    }

    pub(super) fn arrive(&mut self, sent: Sent) {
        let exchange = sent.exchange;
        let Some(by) = self.any_process() else {
            let answer = Answer::none(Outcome::Refused, "no connection: connection refused".to_owned());
            return self.in_a_network_time(Happening::Answer { exchange, answer });
        };
        if let Some(open) = self.exchanges.get_mut(&exchange) {
            open.held_by = Some(by);
        }
        if !self.passes(Point::DeliveryArrived, by) {
            let at_us = self.now_us + self.step_us();
            self.at(at_us, Happening::Receive { sent, by });
        }
    }

    pub(super) fn receive(&mut self, sent: Sent, by: Owner) {
        let exchange = sent.exchange;
        if self.is_gone(by) {
            return;
        }
        if let Some((status, what)) = way::refusal(sent.how) {
            return self.answer(exchange, by, status, what);
        }
        let planned = &self.plan.deliveries[sent.delivery];
        let body = self.plan.bodies.get(&planned.body).map_or("", String::as_str);
        let now = self.now();
        if !self.setup.is_genuine(&planned.body, body, planned.signature, sent.signed_at, now.secs()) {
            return self.answer(exchange, by, 400, "the signature does not fit");
        }
        let Some(incoming) = self.setup.event(&planned.body, body) else {
            return self.answer(exchange, by, 400, "the body is not an event");
        };
        let received = self.processes[by.process].process.receive(&mut self.store.0, now, &incoming);
        if self.passes(Point::IngestCommitted, by) {
            return;
        }
        match received {
            Ok(Received::Settled(_)) => self.acknowledge(exchange, by),
            Ok(Received::Torn(rest)) => {
                let at_us = self.now_us + u64::try_from(rest.after.as_micros()).unwrap_or(0);
                let (acked, waiting) = (rest.acked, (!rest.acked).then_some(exchange));
                self.at(at_us, Happening::Resume { exchange: waiting, by, rest });
                if acked {
                    self.acknowledge(exchange, by);
                } else {
                    self.ring(by.process);
                }
            }
            Err(error) => self.trouble(exchange, by, &error),
        }
    }

    pub(super) fn resume(&mut self, exchange: Option<u64>, by: Owner, rest: &Rest) {
        if self.is_gone(by) {
            return;
        }
        let now = self.now();
        let done = self.processes[by.process].process.resume(&mut self.store.0, now, rest);
        if self.passes(Point::RestCommitted, by) {
            return;
        }
        match (exchange, done) {
            (Some(exchange), Ok(_)) => self.acknowledge(exchange, by),
            (Some(exchange), Err(error)) => self.trouble(exchange, by, &error),
            (None, _) => self.ring(by.process),
        }
    }

    fn acknowledge(&mut self, exchange: u64, by: Owner) {
        let answer = Answer { outcome: Outcome::Acked, status: Some(200), text: String::new(), reason: None };
        self.ring(by.process);
        self.leave(exchange, by, answer);
    }

    fn answer(&mut self, exchange: u64, by: Owner, status: u16, what: &str) {
        let text = format!("{{\"error\":\"{what}\"}}");
        self.leave(exchange, by, Answer { outcome: Outcome::Refused, status: Some(status), text, reason: None });
    }

    fn trouble(&mut self, exchange: u64, by: Owner, error: &StoreError) {
        match error {
            StoreError::Retry(_) | StoreError::Broken(_) => {
                self.answer(exchange, by, 503, "not available at the moment");
            }
            StoreError::Refuse(_) => self.answer(exchange, by, 500, "the request cannot be stored"),
        }
    }

    fn leave(&mut self, exchange: u64, by: Owner, answer: Answer) {
        if let Some(open) = self.exchanges.get_mut(&exchange) {
            open.held_by = None;
        }
        self.in_a_network_time(Happening::Answer { exchange, answer });
        self.passes(Point::AnswerSent, by);
    }

    /// There may be a job: a worker of this process looks at once, one of each other process within a second.
    pub(super) fn ring(&mut self, process: usize) {
        for other in 0..self.processes.len() {
            if !self.processes[other].up {
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
        let Called { answered, breaks, faulted, fault, kill_ms } = called;
        let Answered { operation, response, effects } = answered;
        let (status, operation, delay) = (response.status, operation.to_owned(), response.delay);
        self.record(Record::Call(CallRecord { double, operation, status, faulted, fault, effects }));
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
