//! What is asked of the simulated service from outside: probes, the queue, people's steps. The answers are those of the
//! live service, read the same way.
//!
//! Must not know: what is right.

use super::{happening::Happening, point::Point, world::World};
use crate::{
    drive::live::activation_shown,
    history::record::{Probe, Queue, Visit},
    plan::model::Action,
    service::{
        ingest, pages, person, status,
        store::Tx,
        support::{
            requests::{self, Asked, Submitted},
            rules::Queue as SupportQueue,
        },
    },
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const NO_CONNECTION: &str = "no connection: connection refused";

impl World<'_> {
    pub(super) fn probe(&mut self, index: usize, last: bool) {
        let probe = Box::new(self.reading(index, last));
        self.in_a_network_time(Happening::Probed { instance: index, last, probe });
    }

    fn reading(&mut self, index: usize, last: bool) -> Probe {
        let instance = self.plan.instance(index);
        let mut probe = Probe::unread(instance.id.clone(), last);
        let kept = self.plan.keeps_answers(index, last);
        let key = instance.customer.as_ref().map(crate::id::CustomerId::as_str);
        let Some(key) = key.or(instance.user.as_ref().map(crate::id::UserId::as_str)) else {
            probe.error = Some(format!("the story of {} has no {{key}}", instance.id));
            return probe;
        };
        if self.any_process().is_none() {
            probe.error = Some(NO_CONNECTION.to_owned());
            return probe;
        }
        match self.store.0.transact(|tx| status::customer(tx, key)) {
            Ok(Some(view)) => {
                let text = serde_json::to_vec(&view).unwrap_or_default();
                if kept {
                    probe.keep_answer(&serde_json::to_value(&view).unwrap_or_default());
                }
                probe.known = Some(true);
                probe.access = Some(view.access);
                let purchases = i64::try_from(view.purchases).unwrap_or(i64::MAX);
                probe.values =
                    BTreeMap::from([("paid".to_owned(), view.paid_minor), ("purchases".to_owned(), purchases)]);
                (probe.status, probe.plan) = (Some(view.status), Some(view.plan));
                probe.digest = Some(hex::encode(Sha256::digest(text)));
            }
            Ok(None) => probe.known = Some(false),
            Err(_) => probe.error = Some("answered 503".to_owned()),
        }
        probe
    }

    pub(super) fn read_queue(&mut self, last: bool) {
        let up = self.any_process().is_some();
        let look = |tx: &mut Tx<'_>| match last {
            true => {
                status::status(tx).map(|view| (Some(view.drift), view.pending, view.dead, view.unrouted, view.events))
            }
            false => status::brief(tx).map(|view| (None, view.pending, view.dead, view.unrouted, view.events)),
        };
        let view = up.then(|| self.store.0.transact(look).ok()).flatten();
        let queue =
            view.map(|(drift, pending, dead, unrouted, events)| Queue { pending, dead, drift, unrouted, events, last });
        self.in_a_network_time(Happening::Queued { last, queue });
    }

    pub(super) fn visit(&mut self, index: usize) {
        let step = self.plan.step(index);
        let mut visit = Visit::unanswered(step.instance.clone(), step);
        match self.visited(index) {
            Ok((status, page)) => {
                visit.status = Some(status);
                visit.shows = activation_shown(&page);
                visit.leaks = self.setup.redactor.leaks(&page);
            }
            Err(why) => visit.error = Some(why),
        }
        self.in_a_network_time(Happening::Visited { visit: Box::new(visit) });
    }

    /// Status and text of the answer, or why there is none.
    fn visited(&mut self, index: usize) -> Result<(u16, String), String> {
        let step = self.plan.step(index);
        let instance = self.plan.everybody().find(|i| i.id == step.instance);
        let instance = instance.ok_or_else(|| format!("there is no {}", step.instance))?;
        let lacks = |name: &str| format!("the story of {} has no {{{name}}}", instance.id);
        let by = self.any_process().ok_or(NO_CONNECTION)?;
        match step.action {
            Action::SignUp => {
                let user = instance.user.as_ref().ok_or_else(|| lacks("user"))?;
                let email = instance.email.as_deref().ok_or_else(|| lacks("email"))?;
                let (now, settings) = (self.now(), &self.setup.settings);
                let signed = self.store.0.transact(|tx| ingest::sign_up(tx, now, settings, user.as_str(), email, None));
                if self.passes(Point::SignUpCommitted, by) {
                    return Err("broken off: connection closed before message completed".to_owned());
                }
                self.ring(by.process);
                Ok((signed.map_or(503, |new| if new { 201 } else { 200 }), String::new()))
            }
            Action::Ask => {
                let ticket = step.ticket.as_ref().ok_or("the step has no request")?;
                let asked = Asked {
                    message: ticket.message.clone().unwrap_or_default(),
                    category: ticket.category.as_deref().and_then(SupportQueue::named),
                    user: instance.user.as_ref().map(ToString::to_string),
                    email: instance.email.clone(),
                };
                let (now, settings) = (self.now(), &self.setup.settings);
                let key = Some(ticket.key.as_str());
                let done = self.store.0.transact(|tx| requests::submit(tx, now, settings, &asked, key));
                if self.passes(Point::RequestCommitted, by) {
                    return Err("broken off: connection closed before message completed".to_owned());
                }
                self.ring(by.process);
                let status = match done {
                    Ok(Submitted::Taken(_)) => 202,
                    Ok(Submitted::KeyUsed) => 409,
                    Err(_) => 503,
                };
                Ok((status, String::new()))
            }
            Action::Visit(crate::scenario::model::Page::Success) => {
                let session = instance.session.as_deref().ok_or_else(|| lacks("session"))?;
                let now = self.now();
                let state = self.store.0.transact(|tx| person::activation(tx, now, session));
                let status = if state.is_ok() { 200 } else { 503 };
                Ok((status, pages::success(state.unwrap_or(person::Activation::Pending))))
            }
        }
    }
}
