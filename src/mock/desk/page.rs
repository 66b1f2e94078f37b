//! Pages of a list, by number or by cursor, with addresses that a client can follow.
//!
//! Must not know: what is listed.

use super::refusal::Refusal;
use crate::wire::{Request, Response};
use serde_json::{Value, json};

/// Most entries on one page, as with Zendesk.
const MOST_ON_PAGE: usize = 100;

/// One page of a list in Zendesk's shape: by number, or by cursor when `page[size]` is asked for (then the cursor is the
/// number of tickets before it).
pub(super) fn page(name: &str, all: Vec<Value>, request: &Request) -> Result<Response, Refusal> {
    let number = |parameter: &str, default: usize| match request.query(parameter) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| Refusal::invalid_attribute(parameter)),
    };
    let count = all.len();
    if request.query("page[size]").is_some() || request.query("page[after]").is_some() {
        let size = number("page[size]", MOST_ON_PAGE)?.clamp(1, MOST_ON_PAGE);
        let from = number("page[after]", 0)?;
        let next = from.saturating_add(size);
        let more = next < count;
        let shown: Vec<Value> = all.into_iter().skip(from).take(size).collect();
        let cursor = more.then(|| next.to_string());
        let link = more.then(|| link(request, &format!("page[size]={size}&page[after]={next}")));
        let meta = json!({ "has_more": more, "after_cursor": cursor, "before_cursor": null });
        return Ok(Response::json(200, &json!({ name: shown, "meta": meta, "links": { "next": link, "prev": null } })));
    }
    let size = number("per_page", MOST_ON_PAGE)?.clamp(1, MOST_ON_PAGE);
    let at = number("page", 1)?.max(1);
    let from = (at - 1).saturating_mul(size);
    let next = (from.saturating_add(size) < count).then(|| link(request, &format!("per_page={size}&page={}", at + 1)));
    let previous = (at > 1).then(|| link(request, &format!("per_page={size}&page={}", at - 1)));
    let shown: Vec<Value> = all.into_iter().skip(from).take(size).collect();
    Ok(Response::json(200, &json!({ name: shown, "count": count, "next_page": next, "previous_page": previous })))
}

/// The same request with another page, as an address that a client can follow.
fn link(request: &Request, page: &str) -> String {
    let host = request.header("host").unwrap_or("localhost");
    let kept = request.query.iter().filter(|(name, _)| !name.starts_with("page") && name != "per_page");
    let kept: String = kept.map(|(name, value)| format!("{}={}&", encoded(name), encoded(value))).collect();
    format!("http://{host}{}?{kept}{}", request.path, page.replace('[', "%5B").replace(']', "%5D"))
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}
