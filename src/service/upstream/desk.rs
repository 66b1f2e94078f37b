//! Calls to the support desk: Zendesk's tickets API, version 2.
//!
//! Must not know: sockets, jobs, clocks.

use super::{Call, CallResult, Parts, id_text};
use serde_json::{Value, json};

/// The call as HTTP; a call to another peer reads as one that nothing answers.
pub(super) fn parts(call: &Call) -> Parts {
    match call {
        Call::FindTicket { external_id } => {
            let query = vec![("external_id".to_owned(), external_id.clone())];
            ("GET", "/api/v2/tickets.json".to_owned(), query, None)
        }
        _ => ("POST", "/api/v2/tickets".to_owned(), vec![], Some(ticket(call))),
    }
}

fn ticket(call: &Call) -> Value {
    let Call::CreateTicket { external_id, subject, body, tags, requester, .. } = call else { return Value::Null };
    let mut ticket = json!({"subject": subject, "comment": {"body": body}, "external_id": external_id, "tags": tags});
    if let Some(email) = requester {
        ticket["requester"] = json!({"name": email, "email": email});
    }
    json!({"ticket": ticket})
}

/// What a 2xx means.
pub(super) fn success(call: &Call, body: &Value) -> Option<CallResult> {
    match call {
        Call::FindTicket { .. } => {
            Some(CallResult::Found(body["tickets"].as_array()?.first().and_then(|ticket| id_text(&ticket["id"]))))
        }
        Call::CreateTicket { .. } => id_text(&body["ticket"]["id"]).map(CallResult::Created),
        _ => None,
    }
}
