//! The calls to the CRM (HubSpot-shaped), the support desk (Zendesk-shaped), Stripe and the receiver of alerts as values, and what their answers mean.
//!
//! Must not know: sockets, jobs, clocks.

mod alerts;
mod crm;
mod desk;
mod look;
mod scope;
pub mod stripe;

use crate::time::Timestamp;
use crate::wire::{Request, Response};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

pub use alerts::Posted;
pub use look::{ContactSeen, EventPage, Listed, Look, Seen, SubscriptionSeen, TicketSeen};

/// Our CRM fields by name.
pub type Fields = BTreeMap<String, String>;

/// Which peer a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// The CRM.
    Crm,
    /// The support desk.
    Desk,
    /// Stripe's API.
    Stripe,
    /// The receiver of alerts.
    Alerts,
}

/// One upstream call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Look for a contact by e-mail or by any of the Stripe customers. The index behind it lags.
    SearchContact {
        /// E-mail in lower case.
        email: String,
        /// Stripe customer ids.
        customers: Vec<String>,
    },
    /// Make a contact.
    CreateContact {
        /// Everything to write, `email` included.
        properties: Fields,
    },
    /// Write our own fields of a contact.
    UpdateContact {
        /// The CRM's id.
        id: String,
        /// Our fields.
        fields: Fields,
    },
    /// Look for a task by our key. The index behind it lags.
    FindTask {
        /// Our key.
        key: String,
    },
    /// Make a task for the people at the CRM.
    CreateTask {
        /// Our key.
        key: String,
        /// Subject line.
        subject: String,
        /// What there is to do.
        body: String,
        /// When it is due.
        due: Timestamp,
        /// The CRM's id of the contact that it is about.
        contact: Option<String>,
    },
    /// Look for a ticket by our key; this listing does not lag.
    FindTicket {
        /// Our key.
        external_id: String,
    },
    /// Open a ticket.
    CreateTicket {
        /// Our key.
        external_id: String,
        /// Whether the key is sent as `Idempotency-Key` too.
        keyed: bool,
        /// Subject line.
        subject: String,
        /// First comment.
        body: String,
        /// Tags, the queue among them.
        tags: Vec<String>,
        /// Requester's e-mail.
        requester: Option<String>,
    },
    /// Read only.
    Look(Look),
    /// Raise an alert.
    PostAlert(Posted),
}

/// How a call failed on the way: whether the peer has done it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// No answer in time.
    TimedOut,
    /// No connection, a reset, or an answer that breaks off.
    Broken,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallResult {
    /// A search: the id, if there is one.
    Found(Option<String>),
    /// Made; its id.
    Created(String),
    /// There already; its id.
    Conflict(String),
    /// Written.
    Updated,
    /// What a look found.
    Seen(Seen),
    /// The thing to write to is gone.
    Missing,
    /// Not now, or not known: later, and not before `after` when the peer said so.
    Later {
        /// Why, without anything from the answer's body.
        what: String,
        /// `Retry-After`.
        after: Option<Duration>,
    },
    /// Never.
    Rejected {
        /// Why, without anything from the answer's body.
        what: String,
    },
}

impl Call {
    /// Its name in traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SearchContact { .. } => "search_contact",
            Self::CreateContact { .. } => "create_contact",
            Self::UpdateContact { .. } => "update_contact",
            Self::FindTask { .. } => "find_task",
            Self::CreateTask { .. } => "create_task",
            Self::FindTicket { .. } => "find_ticket",
            Self::CreateTicket { .. } => "create_ticket",
            Self::Look(_) => "look",
            Self::PostAlert(_) => "post_alert",
        }
    }

    /// Which peer it goes to.
    pub const fn upstream(&self) -> Upstream {
        match self {
            Self::Look(look) => look.upstream(),
            Self::PostAlert(_) => Upstream::Alerts,
            Self::SearchContact { .. }
            | Self::CreateContact { .. }
            | Self::UpdateContact { .. }
            | Self::FindTask { .. }
            | Self::CreateTask { .. } => Upstream::Crm,
            Self::FindTicket { .. } | Self::CreateTicket { .. } => Upstream::Desk,
        }
    }
}

/// Method, path, query and body of a call.
type Parts = (&'static str, String, Vec<(String, String)>, Option<Value>);

/// The call as an HTTP request, relative to the peer's base URL.
pub fn request(call: &Call, token: &str) -> Request {
    let (method, path, query, body) = match (call, call.upstream()) {
        (Call::Look(look), _) => look::parts(look),
        (Call::PostAlert(posted), _) => alerts::parts(posted),
        (_, Upstream::Crm) => crm::parts(call),
        (_, Upstream::Desk) => desk::parts(call),
        (_, Upstream::Stripe | Upstream::Alerts) => ("GET", "/".to_owned(), vec![], None),
    };
    let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
    if !token.is_empty() {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    if let Call::CreateTicket { external_id, keyed: true, .. } = call {
        headers.push(("idempotency-key".to_owned(), external_id.clone()));
    }
    if let Call::PostAlert(posted) = call {
        headers.push(("idempotency-key".to_owned(), posted.identity()));
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    Request { method: method.to_owned(), path, query, headers, body }
}

/// What the peer's answer means for the call.
pub fn outcome(call: &Call, answer: Result<&Response, Transport>) -> CallResult {
    let response = match answer {
        Ok(response) => response,
        Err(Transport::TimedOut) => return later("no answer in time", None),
        Err(Transport::Broken) => return later("the connection broke", None),
    };
    let body = || serde_json::from_slice::<Value>(&response.body).ok();
    let after = retry_after(response);
    let status = response.status;
    match status {
        200..=299 if matches!(call, Call::PostAlert(_)) => CallResult::Updated,
        200..=299 => {
            if let Call::Look(look) = call {
                let seen = look::success(look, &response.body).map(CallResult::Seen);
                return seen.unwrap_or_else(|| later(&format!("{status} with a body that does not read"), None));
            }
            let read = body().and_then(|body| success(call, &body));
            read.unwrap_or_else(|| later(&format!("{status} with a body that does not read"), None))
        }
        409 => {
            let id = body().as_ref().and_then(crm::existing_id).filter(|_| matches!(call, Call::CreateContact { .. }));
            id.map_or_else(|| later("409 without an existing id", after), CallResult::Conflict)
        }
        404 if matches!(call, Call::UpdateContact { .. } | Call::CreateTask { .. }) => CallResult::Missing,
        403 => {
            let lacks = body().as_ref().map(scope::missing).unwrap_or_default();
            later(&format!("403{lacks}"), after)
        }
        // A wrong token or a rate limit heals; so may a redirect, which is never followed.
        401 | 408 | 425 | 429 => later(&format!("{status}"), after),
        400..=499 => no_such(call, body()).unwrap_or_else(|| CallResult::Rejected { what: format!("{status}") }),
        _ => later(&format!("{status}"), after),
    }
}

/// `Retry-After`, in seconds or as a date; a date is held against the answer's own `Date`, so that no clocks are compared.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(secs) = text.parse() {
        return Some(Duration::from_secs(secs));
    }
    let date = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let (until, now) = (date(text)?, date(response.header("date")?)?);
    Some(until.duration_since(now).unwrap_or_default())
}

/// Stripe says of an id that it does not have: `resource_missing`.
fn no_such(call: &Call, body: Option<Value>) -> Option<CallResult> {
    let Call::Look(look) = call else { return None };
    let missing = body?["error"]["code"] == "resource_missing";
    missing.then(|| look::missing(look)).flatten().map(CallResult::Seen)
}

fn later(what: &str, after: Option<Duration>) -> CallResult {
    CallResult::Later { what: what.to_owned(), after }
}

fn success(call: &Call, body: &Value) -> Option<CallResult> {
    match call.upstream() {
        Upstream::Crm => crm::success(call, body),
        Upstream::Desk => desk::success(call, body),
        Upstream::Stripe | Upstream::Alerts => None,
    }
}

/// An id that may stand in a path: digits, letters, dashes.
fn id_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fits = !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn create() -> Call {
        Call::CreateContact { properties: Fields::from([("email".into(), "ada@example.com".into())]) }
    }

    fn update() -> Call {
        Call::UpdateContact { id: "7".into(), fields: Fields::new() }
    }

    fn find() -> Call {
        Call::SearchContact { email: "ada@example.com".into(), customers: vec!["cus_1".into()] }
    }

    fn open(keyed: bool) -> Call {
        Call::CreateTicket {
            external_id: "invoice:in_1".into(),
            keyed,
            subject: "s".into(),
            body: "b".into(),
            tags: vec!["queue_billing".into()],
            requester: Some("ada@example.com".into()),
        }
    }

    fn answer(call: &Call, status: u16, body: &Value) -> CallResult {
        outcome(call, Ok(&Response::json(status, body)))
    }

    #[test]
    fn requests_have_the_shape_of_the_peers() {
        let search = request(&find(), "tok");
        assert_eq!((search.method.as_str(), search.path.as_str()), ("POST", "/crm/v3/objects/contacts/search"));
        assert_eq!(search.header("authorization"), Some("Bearer tok"));
        let body: Value = serde_json::from_slice(&search.body).expect("JSON");
        assert_eq!(body["filterGroups"][1]["filters"][0]["value"], "cus_1");
        let patch = request(&update(), "tok");
        assert_eq!((patch.method.as_str(), patch.path.as_str()), ("PATCH", "/crm/v3/objects/contacts/7"));
        let ticket = request(&open(true), "tok");
        assert_eq!(ticket.header("idempotency-key"), Some("invoice:in_1"));
        let body: Value = serde_json::from_slice(&ticket.body).expect("JSON");
        assert_eq!(body["ticket"]["requester"]["email"], "ada@example.com");
        assert_eq!(request(&open(false), "tok").header("idempotency-key"), None);
        let listed = request(&Call::FindTicket { external_id: "invoice:in_1".into() }, "tok");
        assert_eq!((listed.query("external_id"), listed.body.len()), (Some("invoice:in_1"), 0));
    }

    #[test]
    fn answers_are_read_and_doubts_are_later() {
        let made = json!({"id": "12", "properties": {}});
        assert_eq!(answer(&create(), 201, &made), CallResult::Created("12".into()));
        let taken = json!({"message": "Contact already exists. Existing ID: 123", "category": "CONFLICT"});
        assert_eq!(answer(&create(), 409, &taken), CallResult::Conflict("123".into()));
        assert!(matches!(answer(&create(), 409, &json!({})), CallResult::Later { .. }));
        assert_eq!(answer(&update(), 404, &json!({})), CallResult::Missing);
        assert!(matches!(answer(&create(), 404, &json!({})), CallResult::Rejected { .. }));
        assert!(matches!(answer(&update(), 400, &json!({})), CallResult::Rejected { .. }));
        assert!(matches!(answer(&create(), 201, &json!({"id": "../x"})), CallResult::Later { .. }));
        let ticket = json!({"ticket": {"id": 35}});
        assert_eq!(answer(&open(true), 201, &ticket), CallResult::Created("35".into()));
        assert!(matches!(outcome(&create(), Err(Transport::TimedOut)), CallResult::Later { after: None, .. }));
        for status in [301, 401, 403, 408, 429, 500, 503] {
            assert!(matches!(answer(&create(), status, &json!({})), CallResult::Later { .. }), "{status}");
        }
        let mut busy = Response::json(429, &json!({}));
        busy.headers.push(("retry-after".into(), "3".into()));
        let expected = CallResult::Later { what: "429".into(), after: Some(Duration::from_secs(3)) };
        assert_eq!(outcome(&create(), Ok(&busy)), expected);
        let after = |retry: &str, date: Option<&str>| {
            let mut busy = Response::json(503, &json!({}));
            busy.headers.push(("retry-after".into(), retry.into()));
            busy.headers.extend(date.map(|date| ("date".into(), date.into())));
            retry_after(&busy)
        };
        let (now, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(after(later, Some(now)), Some(Duration::from_secs(30)));
        assert_eq!(after(now, Some(later)), Some(Duration::ZERO), "past already");
        assert_eq!((after(later, None), after("soon", Some(now))), (None, None));
    }

    #[test]
    fn of_several_contacts_the_same_email_wins_then_the_oldest() {
        let contact = |id: &str, email: &str| json!({"id": id, "properties": {"email": email}});
        let found = |results: Value| answer(&find(), 200, &json!({"total": 2, "results": results}));
        let both = json!([contact("3", "x@example.com"), contact("9", "Ada@Example.com")]);
        assert_eq!(found(both), CallResult::Found(Some("9".into())));
        let others = json!([contact("30", "x@example.com"), contact("4", "y@example.com")]);
        assert_eq!(found(others), CallResult::Found(Some("4".into())));
        assert_eq!(found(json!([])), CallResult::Found(None));
    }
}
