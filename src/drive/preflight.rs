//! Whether the app takes what is rightly signed: two deliveries before a run, one signed well and one badly, of an event of a type
//! that nobody has. They leave no trace that is counted: their ids are nobody's.
//!
//! A wrong secret must not end in the verdict that events were lost. But an app may rightly or wrongly refuse this very event and
//! take others, or verify another spelling of the body than the one that came. So what looks like a wrong secret is a suspicion:
//! the run goes on, and stops as soon as every type of event in its plan was refused the same way. Any other answer to a genuine
//! event ends the suspicion. Must not know: verdicts.

use super::{clock::wall_now, http::Sender, target::Target};
use crate::{
    history::record::Reply,
    id::DeliveryId,
    plan::model::{Phase, Plan, Reaction, Signing},
    scenario::forms::BadSignature,
    stripe::headers::delivery_headers,
    time::Timestamp,
};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, time::Duration};

/// Its type begins as nobody's does.
pub const EVENT_TYPE: &str = "hookdrill.preflight";

/// An app that does not answer in time is not suspected of anything.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// In words, for the history.
    pub words: String,
    /// When the good one was refused as the bad one.
    pub suspicion: Option<Suspicion>,
}

/// What is wrongly signed is refused with this status, and so was what is rightly signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    status: u16,
    refused: BTreeSet<String>,
}

/// Sends both. `nonce` makes the ids another run's never are.
pub async fn preflight(sender: &Sender, target: &Target, nonce: &str) -> Preflight {
    let now = wall_now();
    let event = event(nonce, now);
    let compact = event.to_string();
    let good = post(sender, target, Signing::Genuine, &compact, now).await;
    if good.is_none() {
        return Preflight { words: "an event of an unknown type was not answered".to_owned(), suspicion: None };
    }
    let bad = post(sender, target, Signing::Bad(BadSignature::WrongSecret), &compact, now).await;
    let words = format!("an event of an unknown type was answered {}, badly signed {}", said(good), said(bad));
    let refused_alike = |good: Option<u16>| good == bad && bad.is_some_and(|status| (400..500).contains(&status));
    let mut suspicion = None;
    if refused_alike(good) {
        suspicion = bad.map(|status| Suspicion { status, refused: BTreeSet::new() });
        // An app that writes the body anew before it verifies takes the spelling that it writes itself.
        for spelling in [spaced(&event), format!("{event:#}")] {
            if !refused_alike(post(sender, target, Signing::Genuine, &spelling, now).await) {
                suspicion = None;
            }
        }
    }
    Preflight { words, suspicion }
}

/// Keys are in the order of the alphabet, and no character is one that anybody escapes: writers of JSON differ in spaces alone.
fn event(nonce: &str, now: Timestamp) -> Value {
    let tail = hex::encode(Sha256::digest(nonce.as_bytes()));
    json!({
        "account": null,
        "api_version": "2025-03-31.basil",
        "created": now.secs(),
        "data": { "object": { "id": format!("preflight_{}", &tail[..24]), "object": "hookdrill.preflight" } },
        "id": format!("evt_{}", &tail[..24]),
        "livemode": false,
        "object": "event",
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": EVENT_TYPE,
    })
}

/// As Python writes it.
fn spaced(event: &Value) -> String {
    match event {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("\"{name}\": {}", spaced(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => event.to_string(),
    }
}

async fn post(sender: &Sender, target: &Target, signing: Signing, body: &str, now: Timestamp) -> Option<u16> {
    let signatures = target.secrets.headers(signing, now.secs(), body.as_bytes());
    let headers = delivery_headers(&signatures);
    let body = Bytes::from(body.to_owned());
    let sent = sender.send("POST", &target.webhook, &headers, body, ANSWERS_WITHIN).await;
    sent.ok().and_then(|answer| answer.status)
}

fn said(status: Option<u16>) -> String {
    status.map_or_else(|| "not at all".to_owned(), |status| status.to_string())
}

/// What a reply says of a suspicion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing yet.
    None,
    /// It was wrong.
    Cleared,
    /// Every type of event was refused the same way.
    Confirmed,
}

impl Suspicion {
    /// Takes a reply to a delivery of the plan into account.
    pub fn weigh(&mut self, plan: &Plan, reply: &Reply) -> Evidence {
        let Some(event_type) = genuine(plan, &reply.delivery) else { return Evidence::None };
        match reply.status {
            None => Evidence::None,
            Some(status) if status != self.status => Evidence::Cleared,
            Some(_) => {
                self.refused.insert(event_type.to_owned());
                let wanted = plan.deliveries.iter().filter(|d| d.phase == Phase::Faults);
                let all = wanted.filter_map(|d| genuine(plan, &d.id)).all(|wanted| self.refused.contains(wanted));
                if all { Evidence::Confirmed } else { Evidence::None }
            }
        }
    }

    /// What is said to the person.
    pub fn words(&self) -> String {
        let why = match self.status {
            404 | 405 => "nothing takes webhooks at this address: correct `webhook` in the project file",
            401 | 403 | 407 => {
                "something in front of the app (a login, a firewall, protection against CSRF) refuses everything, or the signing secret is not the app's"
            }
            429 => "something in front of the app limits how often it may be called",
            _ => {
                "the signing secret is not the one that the app has, or the app verifies something else than the bytes that came; correct `secret_env` or `secret_file` in the project file"
            }
        };
        format!("whatever is rightly signed is answered {}, as is what is badly signed: {why}", self.status)
    }
}

/// The type of a delivery that the app must take.
fn genuine<'p>(plan: &'p Plan, id: &DeliveryId) -> Option<&'p str> {
    let delivery = plan.deliveries.iter().find(|delivery| delivery.id == *id)?;
    (delivery.expect == Reaction::Accept && delivery.event.is_some() && delivery.owed).then_some(&delivery.event_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_of_json_differ_in_spaces_alone() {
        let event = event("nonce", Timestamp::from_secs(1));
        let compact = event.to_string();
        let sorted: std::collections::BTreeMap<String, Value> = serde_json::from_str(&compact).expect("an object");
        assert_eq!(serde_json::to_string(&sorted).expect("JSON"), compact, "in the order of the alphabet");
        assert!(!compact.contains(['/', '<', '>', '&', '\\']), "{compact}");
        assert!(spaced(&event).starts_with("{\"account\": null, \"api_version\": \"2025"), "{}", spaced(&event));
        assert_eq!(serde_json::from_str::<Value>(&spaced(&event)).expect("JSON"), event);
    }
}
