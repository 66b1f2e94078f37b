//! What the live body asks of the target and of what is around it: probes, the queue, people's steps, seeds and resets.
//!
//! Must not know: what comes next, what is right.

use super::{DriveError, Driver, Event, Shared, activation_shown};
use crate::{
    drive::{
        ask::{Answered, AskError, Asker, SIDE_REQUEST_TIMEOUT},
        browser::user_agent,
        directive::Input,
        http::{Answer, Sender},
        template::{fill_plain, fill_url},
    },
    history::record::{Probe, Queue, Record, Visit},
    plan::model::{Action, Instance, PlannedStep},
    scenario::model::Page,
};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::Arc};

/// What a probe read, with the app's whole answer where there was one.
pub(super) struct Reading {
    pub(super) probe: Probe,
    /// Everything that the app says of the customer.
    pub(super) answer: Option<Value>,
    /// The database that was to be asked is not there.
    pub(super) gone: Option<String>,
}

impl Driver<'_> {
    pub(super) fn step(&self, index: usize) {
        let step = self.run.plan.step(index).clone();
        let Some(instance) = self.run.plan.everybody().find(|i| i.id == step.instance).cloned() else { return };
        let (sender, shared, events) = (self.sender.clone(), Arc::clone(&self.shared), self.events.clone());
        tokio::spawn(async move {
            let visit = shared.visit(&sender, &instance, &step).await;
            drop(events.send(Event::Happened(Input::Stepped, Record::Visit(visit))));
        });
    }

    pub(super) fn probe(&self, index: usize, last: bool) {
        let instance = self.run.plan.instance(index).clone();
        let kept = self.run.plan.keeps_answers(index, last);
        let (asker, shared, events) = (self.asker.clone(), Arc::clone(&self.shared), self.events.clone());
        tokio::spawn(async move {
            let Reading { mut probe, answer, gone } = shared.probe(&asker, &instance, last).await;
            if let Some(answer) = answer.filter(|_| kept) {
                probe.keep_answer(&answer);
            }
            let event = match gone.filter(|_| last) {
                Some(why) => Event::Gone(why),
                None => {
                    let input = Input::Probed { instance: index, access: probe.access, last };
                    Event::Happened(input, Record::Probe(probe))
                }
            };
            drop(events.send(event));
        });
    }

    pub(super) fn read_queue(&self, last: bool) {
        let (sender, shared, events) = (self.sender.clone(), Arc::clone(&self.shared), self.events.clone());
        tokio::spawn(async move {
            let queue = shared.queue(&sender, last).await;
            let pending = queue.as_ref().map(|q| q.pending);
            let record =
                queue.unwrap_or(Queue { pending: u64::MAX, dead: 0, drift: None, unrouted: 0, events: 0, last: false });
            drop(events.send(Event::Happened(Input::Queue { pending, last }, Record::Queue(record))));
        });
    }

    /// Before a scenario.
    pub(super) async fn reset(&self) -> Result<(), DriveError> {
        let target = &self.run.targets[0];
        for (number, reset) in target.resets.iter().enumerate() {
            self.asker.tell(reset, &target.given, None).await.map_err(|error| DriveError::Seed {
                what: format!("reset {} ({})", number + 1, reset.words()),
                why: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// Before the stories: for each customer in turn, since an app may count its users. What two of them share (a person with
    /// two stories) is done once; what a story has not (a user where nobody signs up) is left out.
    pub(super) async fn seed(&self) -> Result<(), DriveError> {
        let target = &self.run.targets[0];
        let mut done = BTreeSet::new();
        let customers = self.run.plan.everybody().filter(|i| !i.ghost && i.continues.is_none());
        for instance in customers {
            for (number, seed) in target.seeds.iter().enumerate() {
                let failed = |error: AskError| DriveError::Seed {
                    what: format!("seed {} ({}) for {}", number + 1, seed.words(), instance.id),
                    why: error.to_string(),
                };
                match seed.identity(&target.given, Some(instance)) {
                    Ok(identity) if !done.insert((number, identity.clone())) => {}
                    Ok(_) => self.asker.tell(seed, &target.given, Some(instance)).await.map_err(failed)?,
                    Err(AskError::Lacking(_)) => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(())
    }
}

impl Shared {
    async fn visit(&self, sender: &Sender, instance: &Instance, step: &PlannedStep) -> Visit {
        let mut visit = Visit::unanswered(instance.id.clone(), step);
        let agent = ("user-agent", user_agent(step.agent).to_owned());
        let sent = match step.action {
            Action::Ask => self.ask(sender, instance, step, agent).await,
            Action::SignUp => self.sign_up(sender, instance, agent).await,
            Action::Visit(Page::Success) => match &self.target().success_page {
                Some(page) => match fill_url(page, &self.target().given, Some(instance)) {
                    Ok(url) => send_text(sender, "GET", &url, &[agent], Bytes::new()).await,
                    Err(why) => Err(why),
                },
                None => Err("the target has no success page".to_owned()),
            },
        };
        match sent {
            Ok(answer) => {
                visit.status = answer.status;
                visit.shows = activation_shown(&answer.text);
                visit.leaks = self.redactor.leaks(&answer.text);
                visit.error = answer.reason;
            }
            Err(why) => visit.error = Some(why),
        }
        visit
    }

    async fn ask(
        &self,
        sender: &Sender,
        instance: &Instance,
        step: &PlannedStep,
        agent: (&'static str, String),
    ) -> Result<Answer, String> {
        let url = self.target().support_form.as_ref().ok_or("the target takes no requests for help")?;
        let ticket = step.ticket.as_ref().ok_or("the step has no request")?;
        let json = serde_json::json!({
            "message": ticket.message,
            "category": ticket.category,
            "user": instance.user,
            "email": instance.email,
        });
        let headers = [agent, ("content-type", "application/json".to_owned()), ("idempotency-key", ticket.key.clone())];
        send_text(sender, "POST", url, &headers, Bytes::from(json.to_string())).await
    }

    async fn sign_up(
        &self,
        sender: &Sender,
        instance: &Instance,
        agent: (&'static str, String),
    ) -> Result<Answer, String> {
        let spec = self.target().sign_up.as_ref().ok_or("the target has no sign-up")?;
        let given = &self.target().given;
        let url = fill_url(&spec.url, given, Some(instance))?;
        let mut json = serde_json::Map::new();
        for (name, text) in &spec.json {
            let value = fill_plain(text, given, Some(instance))?;
            json.insert(name.clone(), Value::String(value));
        }
        let headers = [agent, ("content-type", "application/json".to_owned())];
        send_text(sender, "POST", &url, &headers, Bytes::from(Value::Object(json).to_string())).await
    }

    /// The one place where an app's answer is read.
    async fn probe(&self, asker: &Asker, instance: &Instance, last: bool) -> Reading {
        let mut reading = Reading { probe: Probe::unread(instance.id.clone(), last), answer: None, gone: None };
        let target = self.target();
        let Some(spec) = &target.probe else { return reading };
        match asker.read(&spec.ask, &target.given, Some(instance)).await {
            Ok(Answered::Unknown) => reading.probe.known = Some(false),
            Ok(Answered::Known { text, value }) => {
                spec.read(&value, &mut reading.probe);
                reading.probe.digest = Some(hex::encode(Sha256::digest(text.as_bytes())));
                reading.answer = Some(value);
            }
            Err(error) => {
                reading.probe.error = Some(self.redactor.excerpt(&error.to_string(), super::KEPT_TEXT));
                reading.gone = match error {
                    AskError::Gone(why) => Some(why),
                    AskError::Lacking(_) | AskError::Failed(_) => None,
                };
            }
        }
        reading
    }

    async fn queue(&self, sender: &Sender, last: bool) -> Option<Queue> {
        let whole = self.target().queue.as_ref()?;
        let url = if last { whole.clone() } else { format!("{whole}?brief") };
        let answer = send_text(sender, "GET", &url, &[], Bytes::new()).await.ok()?;
        let body: Value = serde_json::from_str(&answer.text).ok()?;
        let number = |name: &str| body[name].as_u64();
        Some(Queue {
            pending: number("pending")?,
            dead: number("dead")?,
            drift: if last { Some(number("drift")?) } else { None },
            unrouted: number("unrouted")?,
            events: number("events")?,
            last,
        })
    }
}

async fn send_text(
    sender: &Sender,
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: Bytes,
) -> Result<Answer, String> {
    sender.send(method, url, headers, body, SIDE_REQUEST_TIMEOUT).await.map_err(|error| error.to_string())
}
