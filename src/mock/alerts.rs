//! Pure model of a receiver of alerts: takes every POST of JSON and keeps what it was told.
//!
//! Must not know: sockets, clocks, faults, when an alert is right.

use super::{answer::Answered, effect::Effect};
use crate::wire::{Request, Response};
use serde_json::{Value, json};

/// An alert as it was received.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// Value of `alert`: its kind.
    pub alert: String,
    /// Value of `key`: what makes two reports one alert.
    pub key: Option<String>,
    /// When it came, milliseconds after the start of the run.
    pub at_ms: u64,
}

/// The receiver's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alerts {
    received: Vec<Received>,
}

impl Alerts {
    /// What the history calls this request.
    pub fn operation(request: &Request) -> &'static str {
        if request.method == "POST" { "raise_alert" } else { "unknown" }
    }

    /// Everything received, in order.
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// Answers one call at `now_ms`.
    pub fn handle(&mut self, now_ms: u64, request: &Request) -> Answered {
        let operation = Self::operation(request);
        let refusal = |status, what: &str| Answered {
            operation,
            response: Response::json(status, &json!({"error": what})),
            effects: Vec::new(),
        };
        if request.method != "POST" {
            return refusal(405, "alerts are posted");
        }
        let body = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let Some(alert) = body["alert"].as_str() else { return refusal(400, "expected JSON with `alert`") };
        let received =
            Received { alert: alert.to_owned(), key: body["key"].as_str().map(str::to_owned), at_ms: now_ms };
        let effect = Effect::AlertRaised { alert: received.alert.clone(), key: received.key.clone() };
        self.received.push(received);
        Answered { operation, response: Response::json(200, &json!({"ok": true})), effects: vec![effect] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &str) -> Request {
        Request { method: "POST".into(), path: "/".into(), body: body.as_bytes().to_vec(), ..Request::default() }
    }

    #[test]
    fn alerts_are_kept_and_anything_else_is_refused() {
        let mut alerts = Alerts::default();
        let answered = alerts.handle(7, &post(r#"{"alert": "activation_late", "key": "cs_1", "text": "…"}"#));
        assert_eq!((answered.response.status, answered.effects.len()), (200, 1));
        assert_eq!(alerts.received()[0].at_ms, 7);
        assert_eq!(alerts.handle(8, &post("{")).response.status, 400);
        let get = Request { method: "GET".into(), ..post("") };
        assert_eq!(alerts.handle(9, &get).response.status, 405);
        assert_eq!(alerts.received().len(), 1);
    }
}
