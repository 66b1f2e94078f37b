//! The doubles: rules of the models, invariants under random calls, and the same over real sockets.

mod clients;
mod crm;
mod declared;
mod desk;
mod hubspot;
mod intercom;
mod random;
pub(crate) mod relay;
pub(crate) mod socket;
mod zendesk;

use hookdrill::wire::{Request, Response};
use serde_json::Value;

/// A call with credentials; `path` may carry a query (not encoded), an empty `body` is none.
fn call(method: &str, path: &str, body: &Value) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Request {
        method: method.into(),
        path: path.into(),
        query: query.split('&').filter_map(pair).collect(),
        headers: vec![("authorization".into(), "Bearer test".into())],
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    }
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("a JSON answer")
}
