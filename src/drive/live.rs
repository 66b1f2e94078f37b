//! The live body: carries out the interpreter's directives with real sockets and the real clock, and writes the history.
//!
//! Sends are open-loop: each leaves at its planned time whatever became of those before it. Must not know: what comes
//! next (the interpreter does), what is right.

mod asked;
mod fleet;

use super::{
    ask::Asker,
    clock::{RunClock, wall_now},
    http::{Answer, Sender},
    interpreter::{Abilities, Directive, Input, Interpreter, Sending},
    preflight::{Evidence, Suspicion},
    process::{Came, Fleet, StartError},
    target::Target,
    transport::{self, Altered, Parcel},
};
use crate::{
    history::{
        file::Writer,
        record::{Attempt, Call, HISTORY_VERSION, ProcessEvent, Record, Reply, RunPhase, Start},
    },
    mock::socket::Doubles,
    plan::model::Plan,
    redact::Redactor,
};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Everything that a live run needs.
pub struct LiveRun<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// To whom: one for each process, or the one that is not ours.
    pub targets: Vec<Target>,
    /// The child processes, when they are ours.
    pub service: Option<Fleet>,
    /// Of each child process: which target it is, if webhooks go to it.
    pub serves: Vec<Option<usize>>,
    /// The doubles, when the target uses them.
    pub doubles: &'a Doubles,
    /// Calls as the doubles see them, with their time.
    pub calls: UnboundedReceiver<(u64, Call)>,
    /// Started before the doubles.
    pub clock: RunClock,
    /// What the deliveries before the run have made suspicious.
    pub suspicion: Option<Suspicion>,
    /// The history file.
    pub history: Writer,
    /// Further effective options for the first record.
    pub options: BTreeMap<String, String>,
    /// Finds secrets, stack traces and internals in answers.
    pub redactor: Redactor,
    /// Locks the service's store, when it is ours.
    pub lock_store: Option<LockStore>,
    /// What is looked at besides, while the target still runs.
    pub measure: Option<Measure<'a>>,
}

impl LiveRun<'_> {
    /// Whether the processes are those of the embedded service.
    fn embedded(&self) -> bool {
        self.lock_store.is_some()
    }
}

/// Measures what no delivery shows, given the webhook's URL, once the plan is carried out; its records are written before the
/// last one.
pub type Measure<'a> = Box<dyn FnOnce(String) -> Pin<Box<dyn Future<Output = Vec<Record>> + 'a>> + 'a>;

/// Locks the store of the service against every writer, as another program would that does not let go, until what it
/// returns is dropped; or says why it cannot. Blocks.
pub type LockStore = Arc<dyn Fn() -> Result<Box<dyn Send>, String> + Send + Sync>;

/// Why a live run broke.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The history cannot be written.
    #[error("cannot write the history: {0}")]
    History(#[from] std::io::Error),
    /// The service did not come back after a kill.
    #[error(transparent)]
    Service(#[from] StartError),
    /// The service's store cannot be locked, as a fault wants it.
    #[error("cannot lock the service's store: {0}")]
    Store(String),
    /// A seed or a reset failed: the stories would begin from something else than they should.
    #[error("{what} failed: {why}")]
    Seed {
        /// Which, and for whom.
        what: String,
        /// Why.
        why: String,
    },
    /// Whatever is rightly signed is refused as what is badly signed: no verdict on the app.
    #[error("{0}")]
    Refused(String),
    /// The database that a probe reads is not there any more.
    #[error("the probe's database is gone, so nothing can be said of the app: {0}")]
    Database(String),
    /// A planned request cannot be written as HTTP.
    #[error("{0}")]
    Request(String),
    /// Nothing answers at the target.
    #[error("nothing answers at {url}: {why}; start the service, or correct `webhook` in the project file")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
}

/// What a finished task reports.
enum Event {
    Happened(Input, Record),
    /// One process was started by a fault, or by whoever watches over it.
    Started(usize, Result<Came, StartError>, By),
    /// All were started, one after the other.
    AllStarted(Result<Came, StartError>),
    /// The database of a probe that is judged is not there.
    Gone(String),
    /// Every process that was told to stop has ended.
    Stopped,
    Broken(String),
}

/// Who started a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A fault had killed it.
    Plan,
    /// It had died by itself.
    Supervisor,
}

/// So long before an event is sent it is to be read from Stripe's API.
const EVENT_LEAD_MS: u64 = 10;
/// Bytes of an answer's text that a record keeps.
pub(super) const KEPT_TEXT: usize = 400;
/// Longest sleep between two looks at the child process.
const LOOK_MS: u64 = 200;

struct Driver<'a> {
    run: LiveRun<'a>,
    sender: Sender,
    asker: Asker,
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    lateness_us: Vec<u64>,
    /// The lock on the service's store, while a fault holds it.
    store_lock: Option<Box<dyn Send>>,
}

struct Shared {
    targets: Vec<Target>,
    /// Of each target: whether it answers. When none does, all are asked, and refuse.
    up: Vec<AtomicBool>,
    turn: AtomicUsize,
    clock: RunClock,
    redactor: Redactor,
}

/// Carries out the plan and writes the history to its end.
///
/// # Errors
/// [`DriveError`] when the run broke: then the history ends early and nothing may be judged from what is missing.
pub async fn drive(run: LiveRun<'_>) -> Result<(), DriveError> {
    let (events, mut inbox) = unbounded_channel();
    let shared = Arc::new(Shared {
        targets: run.targets.clone(),
        up: run.targets.iter().map(|_| AtomicBool::new(true)).collect(),
        turn: AtomicUsize::new(0),
        clock: run.clock,
        redactor: run.redactor.clone(),
    });
    let sender = Sender::new();
    let asker = Asker::new(sender.clone());
    let mut driver = Driver { run, sender, asker, shared, events, lateness_us: Vec::new(), store_lock: None };
    driver.write_start()?;
    driver.reset().await?;
    driver.seed().await?;
    let target = driver.shared.target();
    let abilities = Abilities {
        probe: target.probe.is_some(),
        queue: target.queue.is_some(),
        processes: driver.run.service.as_ref().map_or(0, Fleet::len),
    };
    let plan = driver.run.plan;
    let mut interpreter = Interpreter::new(plan, abilities);
    loop {
        driver.take_calls(&mut interpreter)?;
        while let Ok(event) = inbox.try_recv() {
            driver.take_event(&mut interpreter, event)?;
        }
        match interpreter.poll(driver.run.clock.now_ms()) {
            Directive::Wait { until_ms } => {
                driver.look_at_the_children()?;
                let now_ms = driver.run.clock.now_ms();
                let nap = driver.run.clock.until(until_ms.min(now_ms + LOOK_MS));
                tokio::select! {
                    Some(event) = inbox.recv() => driver.take_event(&mut interpreter, event)?,
                    Some((at_ms, call)) = driver.run.calls.recv() => driver.take_call(&mut interpreter, at_ms, call)?,
                    () = tokio::time::sleep(nap) => {}
                }
            }
            Directive::Done { incomplete } => return driver.finish(incomplete).await,
            directive => driver.carry_out(directive).await?,
        }
    }
}

impl Driver<'_> {
    fn record(&mut self, record: Record) -> Result<(), DriveError> {
        let at_ms = self.run.clock.now_ms();
        self.run.history.append(at_ms, record)?;
        Ok(())
    }

    fn write_start(&mut self) -> Result<(), DriveError> {
        let plan = self.run.plan;
        let start = Start {
            version: HISTORY_VERSION,
            hookdrill: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: plan.scenario.clone(),
            seed: plan.seed,
            epoch: plan.epoch,
            started: self.run.clock.started(),
            body: "live".to_owned(),
            target: self.shared.target().name.clone(),
            abilities: self.shared.target().abilities(),
            options: self.run.options.clone(),
        };
        self.record(Record::Start(start))
    }

    async fn carry_out(&mut self, directive: Directive) -> Result<(), DriveError> {
        match directive {
            Directive::Enter(phase) => {
                match phase {
                    RunPhase::Clean => self.give_events(self.run.plan.listed_clean())?,
                    RunPhase::Faults => {
                        self.run.doubles.faults_begin();
                        self.give_events(self.run.plan.listed())?;
                    }
                    RunPhase::Quiet => self.run.doubles.faults_off(),
                    RunPhase::Replay => self.run.doubles.faults_over(),
                    RunPhase::QuietAfterReplay => {}
                }
                self.record(Record::Phase { phase })
            }
            Directive::Send(sending) => self.send(sending),
            Directive::Lose(sending) => {
                let attempt = self.attempt(sending, true);
                self.record(Record::Attempt(attempt))
            }
            Directive::Step(index) => {
                self.step(index);
                Ok(())
            }
            Directive::Note { what, on } => self.record(Record::Fault { what, on }),
            Directive::Kill => self.kill().await,
            Directive::Stop => self.stop().await,
            Directive::LockStore(on) => self.lock_store(on).await,
            Directive::SetClock(offset_ms) => {
                self.set_clock(offset_ms).await;
                Ok(())
            }
            Directive::Restart => self.restart(),
            Directive::KillOne(process) => self.kill_one(process).await,
            Directive::StartOne(process) => self.start_one(process),
            Directive::Probe { instance, last } => {
                self.probe(instance, last);
                Ok(())
            }
            Directive::ReadQueue { last } => {
                self.read_queue(last);
                Ok(())
            }
            Directive::Ledger => {
                let (contacts, tickets) = self.run.doubles.ledger();
                self.record(Record::Ledger { contacts, tickets })
            }
            Directive::Wait { .. } | Directive::Done { .. } => Ok(()),
        }
    }

    /// Stripe's list of events, for whoever asks.
    fn give_events<'e>(&self, events: impl Iterator<Item = (u64, &'e str)>) -> Result<(), DriveError> {
        // Stripe makes an event before it sends it.
        let now_ms = self.run.clock.now_ms().saturating_sub(EVENT_LEAD_MS);
        for (at_ms, body) in events {
            let given = self.run.doubles.give_event(now_ms + at_ms, body);
            given.map_err(|error| DriveError::Request(error.to_string()))?;
        }
        Ok(())
    }

    fn attempt(&mut self, sending: Sending, dropped: bool) -> Attempt {
        let late_us = self.run.clock.now_us().saturating_sub(sending.planned_ms * 1000);
        if !dropped {
            self.lateness_us.push(late_us);
        }
        let planned = self.run.plan.delivery(sending.delivery);
        let fault = planned.on_the_way(sending.attempt).map(|how| how.word().to_owned());
        let (delivery, attempt, planned_ms) = (planned.id.clone(), sending.attempt, sending.planned_ms);
        let faults = planned.faults.clone();
        Attempt { delivery, attempt, planned_ms, late_us, dropped, fault, faults }
    }

    fn send(&mut self, sending: Sending) -> Result<(), DriveError> {
        let attempt = self.attempt(sending, false);
        self.record(Record::Attempt(attempt))?;
        let planned = self.run.plan.delivery(sending.delivery);
        let body = self.run.plan.bodies.get(&planned.body).map_or("", String::as_str);
        let how = planned.on_the_way(sending.attempt);
        let Altered { signed, sent } = transport::altered(how, body.as_bytes());
        let signatures = self.shared.target().secrets.headers(planned.signature, wall_now().secs(), &signed);
        let headers = crate::stripe::headers::delivery_headers(&signatures);
        let (sender, shared, events) = (self.sender.clone(), Arc::clone(&self.shared), self.events.clone());
        let (delivery, timeout) = (planned.id.clone(), Duration::from_millis(self.run.plan.timeout_ms));
        tokio::spawn(async move {
            let url = &shared.target().webhook;
            let sent = match how {
                None => sender.send("POST", url, &headers, sent, timeout).await,
                Some(how) => transport::send(&sender, how, Parcel { url, headers, body: sent }, timeout).await,
            };
            let latency_us = shared.clock.now_us().saturating_sub(sending.planned_ms * 1000);
            let event = match sent {
                Ok(answer) => {
                    let input = Input::Ended { delivery: sending.delivery, outcome: answer.outcome };
                    let reply = shared.reply(delivery, sending.attempt, latency_us, &answer);
                    Event::Happened(input, Record::Reply(reply))
                }
                Err(error) => Event::Broken(error.to_string()),
            };
            // The receiver is gone only when the run is over.
            drop(events.send(event));
        });
        Ok(())
    }

    fn take_event(&mut self, interpreter: &mut Interpreter<'_>, event: Event) -> Result<(), DriveError> {
        match event {
            Event::Happened(input, record) => {
                // A queue that did not answer is no reading; waiting for it is the interpreter's business.
                let unread = matches!(&input, Input::Queue { pending: None, .. });
                let weighed = self.weigh(&record);
                if !unread {
                    self.record(record)?;
                }
                weighed?;
                interpreter.on(self.run.clock.now_ms(), input);
                Ok(())
            }
            Event::Started(process, started, by) => self.started(interpreter, process, started, by),
            Event::AllStarted(started) => self.all_started(interpreter, started),
            Event::Gone(why) => Err(DriveError::Database(why)),
            Event::Stopped => {
                self.record(Record::Process { event: ProcessEvent::Stopped, detail: None })?;
                interpreter.on(self.run.clock.now_ms(), Input::Stopped);
                Ok(())
            }
            Event::Broken(what) => Err(DriveError::Request(what)),
        }
    }

    /// What a reply says of the suspicion that the secret is wrong.
    fn weigh(&mut self, record: &Record) -> Result<(), DriveError> {
        let (Some(suspicion), Record::Reply(reply)) = (self.run.suspicion.as_mut(), record) else { return Ok(()) };
        match suspicion.weigh(self.run.plan, reply) {
            Evidence::None => {}
            Evidence::Cleared => self.run.suspicion = None,
            Evidence::Confirmed => return Err(DriveError::Refused(suspicion.words())),
        }
        Ok(())
    }

    fn take_calls(&mut self, interpreter: &mut Interpreter<'_>) -> Result<(), DriveError> {
        while let Ok((at_ms, call)) = self.run.calls.try_recv() {
            self.take_call(interpreter, at_ms, call)?;
        }
        Ok(())
    }

    fn take_call(&mut self, interpreter: &mut Interpreter<'_>, at_ms: u64, call: Call) -> Result<(), DriveError> {
        self.run.history.append(at_ms, Record::Call(call))?;
        let now_ms = self.run.clock.now_ms();
        interpreter.on(now_ms, Input::Called);
        if let Some(restart_after_ms) = self.run.doubles.take_kill() {
            interpreter.on(now_ms, Input::Held { restart_after_ms });
        }
        Ok(())
    }

    async fn finish(mut self, incomplete: Option<String>) -> Result<(), DriveError> {
        if let Some(suspicion) = &self.run.suspicion {
            // Nothing has shown that the app takes anything at all.
            return Err(DriveError::Refused(suspicion.words()));
        }
        for what in self.run.doubles.unused_faults() {
            self.record(Record::Fault { what: never_happened(&what), on: false })?;
        }
        if let (Some(measure), None) = (self.run.measure.take(), &incomplete) {
            for record in measure(self.shared.target().webhook.clone()).await {
                self.record(record)?;
            }
        }
        if let Some(fleet) = self.run.service.take() {
            for slot in fleet.slots() {
                slot.lock().await.kill().await;
            }
            self.record(Record::Process { event: ProcessEvent::Stopped, detail: None })?;
        }
        self.lateness_us.sort_unstable();
        let lateness_p99_us = percentile_99(&self.lateness_us);
        self.record(Record::End { incomplete, lateness_p99_us })
    }
}

/// What the history says of a fault for which no call came.
pub(super) fn never_happened(what: &str) -> String {
    format!("never happened: {what}")
}

/// Nearest-rank 99th percentile of sorted values; 0 of none.
pub(super) fn percentile_99(sorted: &[u64]) -> u64 {
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

impl Shared {
    fn mark(&self, process: usize, up: bool) {
        if let Some(mark) = self.up.get(process) {
            mark.store(up, Ordering::Relaxed);
        }
    }

    /// In turn one of those that answer, as a load balancer does.
    fn target(&self) -> &Target {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let many = self.targets.len();
        let next = (0..many).map(|n| (turn + n) % many).find(|n| self.up[*n].load(Ordering::Relaxed));
        &self.targets[next.unwrap_or(turn % many)]
    }

    fn reply(&self, delivery: crate::id::DeliveryId, attempt: u32, latency_us: u64, answer: &Answer) -> Reply {
        let good = answer.status.is_some_and(crate::stripe::retry::is_success);
        Reply {
            delivery,
            attempt,
            outcome: answer.outcome,
            status: answer.status,
            latency_us,
            reason: answer.reason.clone(),
            text: (!good && !answer.text.is_empty()).then(|| self.redactor.excerpt(&answer.text, KEPT_TEXT)),
            leaks: self.redactor.leaks(&answer.text),
        }
    }
}

/// What a page says of the activation: the value of `data-activation`.
pub(super) fn activation_shown(page: &str) -> Option<String> {
    let (_, after) = page.split_once("data-activation=\"")?;
    after.split_once('"').map(|(value, _)| value.to_owned())
}
