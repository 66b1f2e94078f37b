//! The simulated world: clock, event heap, service processes over one store, doubles, and the record of what happened.
//!
//! Order of equal times: what completes (answers, time-outs) comes first, then the service's own work, then what newly
//! arrives, then what the interpreter has planned; among things of one rank a number drawn from the stream
//! `sim/interleave` decides, then the order in which they were put on the heap. Every latency has a stream of its own.
//! Must not know: what is right.

use super::{
    Ran, Setup,
    happening::{Happening, Rank},
    point::Point,
    process::{Lease, Running},
    way::{self, OnTheWay},
};
use crate::{
    drive::{
        interpreter::{Abilities, Directive, Input, Interpreter, Sending},
        live::{KEPT_TEXT, never_happened, percentile_99},
    },
    history::{
        file::History,
        record::{Attempt, Entry, HISTORY_VERSION, Outcome, ProcessEvent, Record, Reply, RunPhase, Start},
    },
    mock::{
        models::{ModelOptions, Models},
        script::Script,
    },
    plan::model::{KillAt, Plan},
    rng::Streams,
    scenario::{model::Between, transport::Transport},
    service::store::Store,
    time::Timestamp,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// A crash of the process that passes a certain scheduling point, right after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Number of the point, from 1.
    pub at_point: u64,
    /// Time until the process is started again.
    pub restart_after_ms: u64,
}

/// Time in microseconds, rank, drawn number, order of entry.
type Place = (u64, Rank, u32, u64);

/// One life of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) process: usize,
    pub(super) life: u64,
}

/// The sender's view of how an attempt ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) text: String,
    pub(super) reason: Option<String>,
}

/// A delivery on the wire, as the service gets it; the sender may have given it up meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) exchange: u64,
    pub(super) delivery: usize,
    /// Unix second of the signature.
    pub(super) signed_at: i64,
    /// What happens to it on its way.
    pub(super) how: Option<Transport>,
}

/// An attempt under way, as the sender sees it.
#[derive(Clone, Debug, Hash)]
pub(super) struct Exchange {
    pub(super) delivery: usize,
    pub(super) attempt: u32,
    pub(super) planned_ms: u64,
    /// Who has it, from its arrival until the answer has left.
    pub(super) held_by: Option<Owner>,
}

/// Random streams, one for each kind of decision.
#[derive(Clone)]
pub(super) struct Draws {
    pub(super) interleave: ChaCha8Rng,
    pub(super) network: ChaCha8Rng,
    pub(super) step: ChaCha8Rng,
    pub(super) call: ChaCha8Rng,
}

impl Draws {
    fn new(streams: Streams, room: &str) -> Self {
        let stream = |name: &str| streams.stream(&format!("{room}{name}"));
        Self {
            interleave: stream("interleave"),
            network: stream("network"),
            step: stream("step"),
            call: stream("call"),
        }
    }
}

/// A store in memory that can be copied.
pub(super) struct Rows(pub(super) Store);

impl Clone for Rows {
    fn clone(&self) -> Self {
        // The world makes its store in memory, and one in memory can be copied.
        Self(self.0.snapshot().unwrap_or_else(Store::memory))
    }
}

/// A simulated run at one moment. A clone goes on exactly as the original would.
#[derive(Clone)]
pub struct World<'p> {
    pub(super) setup: &'p Setup,
    pub(super) plan: &'p Plan,
    pub(super) interpreter: Interpreter<'p>,
    pub(super) now_us: u64,
    heap: BTreeMap<Place, Happening>,
    entered: u64,
    pub(super) draws: Draws,
    pub(super) store: Rows,
    pub(super) processes: Vec<Running>,
    pub(super) models: Models,
    pub(super) script: Script,
    pub(super) exchanges: BTreeMap<u64, Exchange>,
    /// Every process was told to stop; the last has not ended yet.
    pub(super) stopping: bool,
    /// What the service's clock is wrong by.
    pub(super) clock_ms: i64,
    /// The faults have not begun: what happens is not theirs, and no crash comes.
    clean: bool,
    lateness_us: Vec<u64>,
    points: Vec<Point>,
    crashes: Vec<Crash>,
    records: Vec<Entry>,
    over: bool,
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now_us", &self.now_us)
            .field("points", &self.points.len())
            .finish_non_exhaustive()
    }
}

impl<'p> World<'p> {
    /// A world at the start of `plan`. `crash` comes on top of the kills of the plan.
    pub fn new(setup: &'p Setup, plan: &'p Plan, crash: Option<Crash>) -> Self {
        let streams = Streams::new(plan.seed);
        let has = |ability: &str| setup.target.abilities().iter().any(|a| a == ability);
        let processes = setup.simulation.processes as usize;
        let abilities = Abilities { probe: has("access_probe"), queue: has("queue"), processes };
        let planned = plan.kills.iter().filter_map(|kill| match kill.at {
            KillAt::AtPoint(at_point) => Some(Crash { at_point, restart_after_ms: kill.restart_after_ms }),
            KillAt::OnAckOf(_) | KillAt::AtMs(_) | KillAt::StopAt(_) | KillAt::AtCall(_) => None,
        });
        let mut models = Models::new(&ModelOptions::at(plan.epoch));
        for given in plan.all_given() {
            models.crm.give(given.properties.clone());
        }
        let mut world = Self {
            setup,
            plan,
            interpreter: Interpreter::new(plan, abilities),
            now_us: 0,
            heap: BTreeMap::new(),
            entered: 0,
            draws: Draws::new(streams, if plan.clean.is_some() { "sim/clean/" } else { "sim/" }),
            clean: plan.clean.is_some(),
            store: Rows(Store::memory()),
            processes: (0..setup.simulation.processes).map(|_| Running::new(setup)).collect(),
            models,
            script: Script::new(plan),
            exchanges: BTreeMap::new(),
            stopping: false,
            clock_ms: 0,
            lateness_us: Vec::new(),
            points: Vec::new(),
            crashes: planned.chain(crash).collect(),
            records: Vec::new(),
            over: false,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.record(Record::Start(Start {
            version: HISTORY_VERSION,
            hookdrill: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: self.plan.scenario.clone(),
            seed: self.plan.seed,
            epoch: self.plan.epoch,
            started: self.plan.epoch,
            body: "simulated".to_owned(),
            target: self.setup.target.name.clone(),
            abilities: self.setup.target.abilities(),
            options: self.setup.options.clone(),
        }));
        self.wake_everyone();
    }

    /// Does the next thing; false when the run is over.
    pub fn advance(&mut self) -> bool {
        if self.over {
            return false;
        }
        if self.heap.first_key_value().is_some_and(|((at_us, ..), _)| *at_us <= self.now_us) {
            if let Some((_, happening)) = self.heap.pop_first() {
                self.happen(happening);
                self.stop_whoever_is_idle();
            }
            return true;
        }
        match self.interpreter.poll(self.now_ms()) {
            Directive::Wait { until_ms } => {
                let until_us = until_ms.saturating_mul(1000);
                let next = self.heap.first_key_value().map_or(until_us, |((at_us, ..), _)| until_us.min(*at_us));
                self.now_us = self.now_us.max(next);
            }
            Directive::Done { incomplete } => self.finish(incomplete),
            directive => self.carry_out(directive),
        }
        true
    }

    /// From here on faults count, and the random streams are those of a run without a clean part.
    fn begin_faults(&mut self) {
        if self.clean {
            self.clean = false;
            self.script.begin(self.now_ms());
            self.draws = Draws::new(Streams::new(self.plan.seed), "sim/");
        }
        self.give_events();
    }

    /// Stripe's list of events, for whoever asks.
    fn give_events(&mut self) {
        let now_ms = self.now_ms();
        let listed: Vec<(u64, &str)> =
            if self.clean { self.plan.listed_clean().collect() } else { self.plan.listed().collect() };
        for (at_ms, body) in listed {
            // A planned body is an event; a saved plan that somebody changed lists what it can.
            drop(self.models.stripe.give_event(now_ms + at_ms, body));
        }
    }

    /// What happened, once the run is over.
    pub fn ran(self) -> Ran {
        Ran { history: History { entries: self.records, truncated: false }, points: self.points }
    }

    /// A number of everything that decides what comes next: clock, heap, interpreter, store, processes, doubles, attempts
    /// under way, coming crashes, and how far each random stream is. Not of what was recorded, nor of the setup and the
    /// plan. Event bodies go by their id. Equal worlds have equal numbers on every machine with the same build.
    pub fn digest(&self) -> u64 {
        let mut state = DefaultHasher::new();
        (self.now_us, self.entered, self.over, self.stopping, self.clock_ms, self.clean).hash(&mut state);
        self.script.hash_state(&mut state);
        for (place, happening) in &self.heap {
            place.hash(&mut state);
            happening.hash(&mut state);
        }
        self.interpreter.hash_state(&mut state);
        self.store.0.hash_rows(&mut state);
        (&self.processes, &self.models, &self.exchanges).hash(&mut state);
        let coming = self.crashes.iter().filter(|crash| crash.at_point > self.points.len() as u64);
        coming.for_each(|crash| (crash.at_point, crash.restart_after_ms).hash(&mut state));
        (!self.crashes.is_empty()).then_some(self.points.len()).hash(&mut state);
        let draws = &self.draws;
        for rng in [&draws.interleave, &draws.network, &draws.step, &draws.call] {
            rng.get_word_pos().hash(&mut state);
        }
        state.finish()
    }

    pub(super) const fn now_ms(&self) -> u64 {
        self.now_us / 1000
    }

    /// What the service's clock says.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall().millis().saturating_add(self.clock_ms))
    }

    /// What the sender's clock says, which is right.
    fn wall(&self) -> Timestamp {
        self.plan.epoch + Duration::from_millis(self.now_ms())
    }

    pub(super) fn record(&mut self, record: Record) {
        let n = self.records.len() as u64 + 1;
        self.records.push(Entry { n, at_ms: self.now_ms(), record });
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.interpreter.on(self.now_ms(), input);
    }

    pub(super) fn at(&mut self, at_us: u64, happening: Happening) {
        let tie = self.draws.interleave.random::<u32>();
        self.entered += 1;
        self.heap.insert((at_us, happening.rank(), tie, self.entered), happening);
    }

    pub(super) fn network_us(&mut self) -> u64 {
        draw_us(self.setup.simulation.network, &mut self.draws.network)
    }

    pub(super) fn step_us(&mut self) -> u64 {
        draw_us(self.setup.simulation.step, &mut self.draws.step)
    }

    pub(super) fn call_us(&mut self) -> u64 {
        draw_us(self.setup.simulation.call, &mut self.draws.call)
    }

    pub(super) fn in_a_network_time(&mut self, happening: Happening) {
        let at_us = self.now_us + self.network_us();
        self.at(at_us, happening);
    }

    /// Passes a point; true when the process has crashed at it.
    pub(super) fn passes(&mut self, point: Point, by: Owner) -> bool {
        if self.clean {
            return false;
        }
        self.points.push(point);
        let number = self.points.len() as u64;
        let Some(crash) = self.crashes.iter().find(|crash| crash.at_point == number).copied() else { return false };
        if self.is_gone(by) {
            return false;
        }
        self.die(by.process);
        let detail = Some(format!("crashed at scheduling point {number}: {}", point.name()));
        self.record(Record::Process { event: ProcessEvent::Killed, detail });
        self.tell(Input::Crashed { restart_after_ms: crash.restart_after_ms });
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { sent } => self.arrive(sent),
            Happening::Receive { sent, by } => self.receive(sent, by),
            Happening::Commit { by } => self.commit(by),
            Happening::Resume { exchange, by, rest } => self.resume(exchange, by, &rest),
            Happening::Answer { exchange, answer } => self.answered(exchange, &answer),
            Happening::Look { by, worker } => self.look(by, worker),
            Happening::Lingered { by } => self.lingered(by),
            Happening::Call { by, worker, lease, call, sent_us } => self.call(by, worker, lease, &call, sent_us),
            Happening::Called { by, worker, lease, result } => self.called(by, worker, &lease, &result),
            Happening::Probe { instance, last } => self.probe(instance, last),
            Happening::ReadQueue { last } => self.read_queue(last),
            Happening::Visit { step } => self.visit(step),
            Happening::Probed { instance, last, probe } => {
                let access = probe.access;
                self.record(Record::Probe(*probe));
                self.tell(Input::Probed { instance, access, last });
            }
            Happening::Queued { last, queue } => {
                let pending = queue.as_ref().map(|queue| queue.pending);
                if let Some(queue) = queue {
                    self.record(Record::Queue(queue));
                }
                self.tell(Input::Queue { pending, last });
            }
            Happening::Visited { visit } => {
                self.record(Record::Visit(*visit));
                self.tell(Input::Stepped);
            }
        }
    }

    fn carry_out(&mut self, directive: Directive) {
        match directive {
            Directive::Enter(phase) => {
                match phase {
                    RunPhase::Clean => self.give_events(),
                    RunPhase::Faults => self.begin_faults(),
                    RunPhase::Quiet => self.script.drain(),
                    RunPhase::Replay => self.script.end(),
                    RunPhase::QuietAfterReplay => {}
                }
                self.record(Record::Phase { phase });
            }
            Directive::Send(sending) => self.send(sending),
            Directive::Lose(sending) => self.attempt(sending, true),
            Directive::Step(step) => self.in_a_network_time(Happening::Visit { step }),
            Directive::Note { what, on } => self.record(Record::Fault { what, on }),
            Directive::Kill => {
                (0..self.processes.len()).for_each(|process| self.die(process));
                self.record(Record::Process { event: ProcessEvent::Killed, detail: None });
            }
            Directive::Stop => {
                self.record(Record::Process { event: ProcessEvent::Stopping, detail: None });
                self.stop_everyone();
            }
            Directive::LockStore(on) => self.store.0.busy(on),
            Directive::SetClock(offset_ms) => {
                self.clock_ms = offset_ms;
                // Whoever sleeps until a time looks at the clock again within a second.
                (0..self.processes.len()).for_each(|process| self.ring(process));
            }
            Directive::Restart => {
                self.record(Record::Process { event: ProcessEvent::Started, detail: None });
                self.wake_everyone();
                self.record(Record::Process { event: ProcessEvent::Ready, detail: None });
                self.tell(Input::Up);
            }
            Directive::KillOne(process) => {
                self.die(process);
                self.record_process(ProcessEvent::Killed, process);
            }
            Directive::StartOne(process) => {
                self.record_process(ProcessEvent::Started, process);
                self.wake(process);
                self.record_process(ProcessEvent::Ready, process);
                self.tell(Input::OneUp(process));
            }
            Directive::Probe { instance, last } => self.in_a_network_time(Happening::Probe { instance, last }),
            Directive::ReadQueue { last } => self.in_a_network_time(Happening::ReadQueue { last }),
            Directive::Ledger => {
                let (contacts, tickets) = (self.models.crm.contacts(), self.models.desk.tickets());
                self.record(Record::Ledger { contacts, tickets });
            }
            Directive::Wait { .. } | Directive::Done { .. } => {}
        }
    }

    fn record_process(&mut self, event: ProcessEvent, process: usize) {
        let detail = Some(format!("process {} of {}", process + 1, self.processes.len()));
        self.record(Record::Process { event, detail });
    }

    fn attempt(&mut self, sending: Sending, dropped: bool) {
        let late_us = self.now_us.saturating_sub(sending.planned_ms * 1000);
        if !dropped {
            self.lateness_us.push(late_us);
        }
        let planned = self.plan.delivery(sending.delivery);
        let fault = planned.on_the_way(sending.attempt).map(|how| how.word().to_owned());
        let (delivery, attempt, planned_ms) = (planned.id.clone(), sending.attempt, sending.planned_ms);
        let faults = planned.faults.clone();
        self.record(Record::Attempt(Attempt { delivery, attempt, planned_ms, late_us, dropped, fault, faults }));
    }

    fn send(&mut self, sending: Sending) {
        self.attempt(sending, false);
        let exchange = self.entered + 1;
        let Sending { delivery, attempt, planned_ms } = sending;
        let signed_at = self.wall().secs();
        let how = self.plan.delivery(delivery).on_the_way(attempt);
        self.exchanges.insert(exchange, Exchange { delivery, attempt, planned_ms, held_by: None });
        let network_us = self.network_us();
        let OnTheWay { arrives_us, ends_us, answer } = way::on_the_way(how, self.plan.timeout_ms, network_us);
        if let Some(arrives_us) = arrives_us {
            self.at(self.now_us + arrives_us, Happening::Arrive { sent: Sent { exchange, delivery, signed_at, how } });
        }
        self.at(self.now_us + ends_us, Happening::Answer { exchange, answer });
    }

    /// The first end of an attempt counts; what comes after it has nobody to tell.
    fn answered(&mut self, exchange: u64, answer: &Answer) {
        let Some(ended) = self.exchanges.remove(&exchange) else { return };
        let planned = self.plan.delivery(ended.delivery);
        let seen = way::seen(planned.on_the_way(ended.attempt), answer);
        let answer = seen.as_ref().unwrap_or(answer);
        let good = answer.outcome == Outcome::Acked;
        let redactor = &self.setup.redactor;
        let reply = Reply {
            delivery: planned.id.clone(),
            attempt: ended.attempt,
            outcome: answer.outcome,
            status: answer.status,
            latency_us: self.now_us.saturating_sub(ended.planned_ms * 1000),
            reason: answer.reason.clone(),
            text: (!good && !answer.text.is_empty()).then(|| redactor.excerpt(&answer.text, KEPT_TEXT)),
            leaks: if good { super::no_leaks().to_vec() } else { redactor.leaks(&answer.text) },
        };
        self.record(Record::Reply(reply));
        self.tell(Input::Ended { delivery: ended.delivery, outcome: answer.outcome });
    }

    /// Leases that a process holds for calls that are out.
    pub(super) fn leases_of(&self, owner: Owner) -> Vec<Lease> {
        let held = |happening: &Happening| match happening {
            Happening::Call { by, lease, .. } | Happening::Called { by, lease, .. } if *by == owner => {
                Some(lease.clone())
            }
            _ => None,
        };
        self.heap.values().filter_map(held).collect()
    }

    fn finish(&mut self, incomplete: Option<String>) {
        for what in self.script.unused() {
            self.record(Record::Fault { what: never_happened(&what), on: false });
        }
        self.record(Record::Process { event: ProcessEvent::Stopped, detail: None });
        self.lateness_us.sort_unstable();
        let lateness_p99_us = percentile_99(&self.lateness_us);
        self.record(Record::End { incomplete, lateness_p99_us });
        self.over = true;
    }
}

impl Answer {
    pub(super) fn none(outcome: Outcome, reason: String) -> Self {
        Self { outcome, status: None, text: String::new(), reason: Some(reason) }
    }
}

/// Both ends included, in microseconds.
fn draw_us(span: Between, rng: &mut ChaCha8Rng) -> u64 {
    let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    if span.least == span.most { us(span.least) } else { rng.random_range(us(span.least)..=us(span.most)) }
}
