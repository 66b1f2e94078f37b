//! What a model answers to one call, and the small parts of HTTP that both models read.
//!
//! Must not know: which API is doubled.

use super::effect::Effect;
use crate::wire::{Request, Response};
use sha2::{Digest, Sha256};

/// The operation of a declared double, as far as its model knows.
pub const DECLARED: &str = "declared";

/// What a model answers to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Name of the operation for the history: `create_contact`, `search_tickets`, …, or `unknown`; [`DECLARED`]
    /// where the project file has a name for it, which [`super::models::Models::operation`] gives.
    pub operation: &'static str,
    /// The answer, without delay.
    pub response: Response,
    /// What the call did; empty for reads, refusals and writes that change nothing.
    pub effects: Vec<Effect>,
}

/// Parts of a path, percent-decoded; a slash at the end makes no part.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/').split('/').map(percent_decoded).collect()
}

/// `anna%40example.com` is `anna@example.com`; what is no escape stays as it stands.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let mut escaped = [0_u8];
        let is_escape = *byte == b'%'
            && bytes.get(at + 1..at + 3).is_some_and(|pair| hex::decode_to_slice(pair, &mut escaped).is_ok());
        out.push(if is_escape { escaped[0] } else { *byte });
        at += if is_escape { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the call carries credentials. Any will do: a double has no accounts.
pub(super) fn has_credentials(request: &Request) -> bool {
    request.header("authorization").is_some_and(|value| !value.trim().is_empty())
}

/// A UUID-shaped number for one call, derived from the call alone so that reading leaves a model as it was.
pub(super) fn correlation_id(now_ms: u64, request: &Request) -> String {
    let mut hash = Sha256::new();
    hash.update(now_ms.to_be_bytes());
    hash.update(request.method.as_bytes());
    hash.update(request.path.as_bytes());
    hash.update(&request.body);
    let text = hex::encode(hash.finalize());
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_part_by_part() {
        assert_eq!(segments("/a/anna%40example.com/"), ["a", "anna@example.com"]);
        assert_eq!(segments("/a%2Fb/%zz/%4"), ["a/b", "%zz", "%4"]);
        assert_eq!(segments("/%C3%A4"), ["ä"]);
    }

    #[test]
    fn a_correlation_id_belongs_to_the_call() {
        let request = Request { method: "GET".into(), path: "/a".into(), ..Request::default() };
        let id = correlation_id(5, &request);
        assert_eq!(id.len(), 36);
        assert_eq!(id, correlation_id(5, &request));
        assert_ne!(id, correlation_id(6, &request));
    }
}
