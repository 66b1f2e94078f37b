//! What the simulated server does with a delivery: it arrives, is verified, waits for the next commit, and is answered.
//!
//! Like the live writer a process has one commit under way at a time; what arrives meanwhile shares the next one.
//! Must not know: what is right, what workers do.

use super::{
    happening::Happening,
    point::Point,
    way,
    world::{Answer, Owner, Sent, World},
};
use crate::{
    history::record::Outcome,
    service::{
        Incoming,
        alerts::Answered,
        core::{Received, Rest},
        door,
        store::StoreError,
    },
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A genuine delivery that a process has, from its signature's being good until its commit.
#[derive(Clone)]
struct Held {
    sent: Sent,
    incoming: Arc<Incoming>,
}

/// The event follows from the delivery.
impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sent.hash(state);
    }
}

/// The deliveries that a process has.
#[derive(Clone, Default, Hash)]
pub(super) struct Intake {
    /// For the next commit.
    waiting: Vec<Held>,
    /// In the commit under way; none when there is none.
    committing: Vec<Held>,
}

impl Intake {
    /// Whether nothing waits and nothing is being committed.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.committing.is_empty()
    }
}

impl World<'_> {
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
        let planned = self.plan.delivery(sent.delivery);
        let body = self.plan.bodies.get(&planned.body).map_or("", String::as_str);
        if let Some((status, what)) = door::turned_away(&way::knock(sent.how, body), &self.setup.settings.defects) {
            return self.answer(exchange, by, status, what);
        }
        let now = self.now();
        if !self.setup.is_genuine(&planned.body, body, planned.signature, sent.signed_at, now.secs()) {
            let process = &mut self.processes[by.process].process;
            process.note(now, Answered::Refused, 1);
            drop(process.forged(&mut self.store.0, now, body));
            return self.answer(exchange, by, 400, "the signature does not fit");
        }
        let Some(incoming) = self.setup.event(&planned.body, body) else {
            let (status, what) = door::no_event(&self.setup.settings.defects);
            return self.answer(exchange, by, status, what);
        };
        let incoming = self.setup.came(incoming, planned.signature, sent.signed_at, now.secs());
        self.processes[by.process].intake.waiting.push(Held { sent, incoming });
        self.take_batch(by);
    }

    /// What waits becomes the next batch, unless a commit is under way: then it waits for that.
    fn take_batch(&mut self, by: Owner) {
        let running = &mut self.processes[by.process];
        let intake = &mut running.intake;
        if !intake.committing.is_empty() || intake.waiting.is_empty() {
            return;
        }
        let most = running.process.settings().batch.min(intake.waiting.len());
        intake.committing = intake.waiting.drain(..most).collect();
        let at_us = self.now_us + self.step_us();
        self.at(at_us, Happening::Commit { by });
        self.passes(Point::BatchTaken, by);
    }

    pub(super) fn commit(&mut self, by: Owner) {
        if self.is_gone(by) {
            return;
        }
        let now = self.now();
        let running = &mut self.processes[by.process];
        let held = std::mem::take(&mut running.intake.committing);
        let batch: Vec<_> = held.iter().map(|held| Arc::clone(&held.incoming)).collect();
        let outcomes = running.process.receive_batch(&mut self.store.0, now, &batch);
        if self.passes(Point::IngestCommitted, by) {
            return;
        }
        for (held, outcome) in held.iter().zip(outcomes) {
            self.settle(held.sent.exchange, by, outcome);
            if self.is_gone(by) {
                return;
            }
        }
        self.take_batch(by);
    }

    fn settle(&mut self, exchange: u64, by: Owner, received: Result<Received, StoreError>) {
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
            Err(error) => {
                self.trouble(exchange, by, &error);
                if self.setup.settings.alerting.is_some() && !self.is_gone(by) {
                    self.ring(by.process);
                }
            }
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
            (Some(exchange), Ok(received)) => self.settle(exchange, by, Ok(received)),
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
        let outcome = if (200..300).contains(&status) { Outcome::Acked } else { Outcome::Refused };
        self.leave(exchange, by, Answer { outcome, status: Some(status), text, reason: None });
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
}
