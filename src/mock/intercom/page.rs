//! Pages of lists and searches, with a cursor that a client hands back.
//!
//! Must not know: what is listed.

use super::refusal::Refusal;
use crate::wire::Request;
use serde_json::{Map, Value, json};

/// Entries on a page when nothing is said, and at most, as with Intercom.
const ON_PAGE: usize = 50;
const MOST_ON_PAGE: usize = 150;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    size: usize,
    from: usize,
}

impl Page {
    /// From the query of a list.
    pub(super) fn of_list(request: &Request) -> Result<Self, Refusal> {
        Self::new(request.query("per_page"), request.query("starting_after"))
    }

    /// From the body of a search.
    pub(super) fn of_search(body: &Map<String, Value>) -> Result<Self, Refusal> {
        let asked = body.get("pagination").unwrap_or(&Value::Null);
        let text = |name: &str| super::text_of(asked.get(name));
        Self::new(text("per_page").as_deref(), text("starting_after").as_deref())
    }

    fn new(size: Option<&str>, after: Option<&str>) -> Result<Self, Refusal> {
        let size = match size.filter(|text| !text.is_empty()) {
            None => Some(ON_PAGE),
            Some(text) => text.parse().ok().filter(|size| (1..=MOST_ON_PAGE).contains(size)),
        };
        let size = size.ok_or_else(|| Refusal::invalid(format!("per_page must be 1 to {MOST_ON_PAGE}")))?;
        let from = match after.filter(|text| !text.is_empty()) {
            None => Some(0),
            Some(text) => text.strip_prefix("after_").and_then(|text| text.parse().ok()),
        };
        let from = from.ok_or_else(|| Refusal::invalid("starting_after is no cursor of this list"))?;
        Ok(Self { size, from })
    }

    /// The page of `all` in Intercom's shape: `data` or the plural name of what is listed.
    pub(super) fn of(self, kind: &str, name: &str, all: Vec<Value>) -> Value {
        let total = all.len();
        let next = self.from.saturating_add(self.size);
        let shown: Vec<Value> = all.into_iter().skip(self.from).take(self.size).collect();
        let mut pages = json!({
            "type": "pages",
            "page": self.from / self.size + 1,
            "per_page": self.size,
            "total_pages": total.div_ceil(self.size),
        });
        if next < total {
            pages["next"] = json!({ "per_page": self.size, "starting_after": format!("after_{next}") });
        }
        json!({ "type": kind, name: shown, "total_count": total, "pages": pages })
    }
}
