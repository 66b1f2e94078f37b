//! Reads of one object, and of what stands below it.
//!
//! Must not know: lists and their filters, who asks.

use super::{Done, Stripe, expand::Asked, form::Form, kinds::Kind, refusal::Refusal, versions, view::Held};
use crate::wire::{Request, Response};
use serde_json::{Value, json};

impl Stripe {
    /// `GET /v1/<kind>/<id>`.
    pub(super) fn read(&self, asked: Asked<'_>, kind: Kind, id: &str, form: &Form) -> Done {
        form.only(&["expand"])?;
        self.shown(asked, kind, id, form)
    }

    /// An object as an answer, in the version that was asked for, expanded.
    pub(super) fn shown(&self, asked: Asked<'_>, kind: Kind, id: &str, form: &Form) -> Done {
        let held = self.of_kind(asked, kind, id)?;
        let object = self.rendered(asked.now_ms, held, asked.version);
        self.expanded(asked, object, form)
    }

    /// An object of a kind; `resource_missing` when there is none.
    pub(super) fn of_kind(&self, asked: Asked<'_>, kind: Kind, id: &str) -> Result<Held, Refusal> {
        let row = kind.row();
        let missing = || Refusal::no_such(404, row.noun, id, row.param);
        if kind == Kind::Plan {
            // Plans are prices in older words.
            let Held { object, version } = self.of_kind(asked, Kind::Price, id).map_err(|_| missing())?;
            return Ok(Held { object: versions::plan(&object), version });
        }
        let held = Some(id).filter(|id| Kind::of_id(id) == Some(kind)).and_then(|id| self.held(asked.now_ms, id));
        held.ok_or_else(missing)
    }

    /// `GET /v1/invoices/<id>/lines`.
    pub(super) fn lines(&self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["limit", "starting_after", "ending_before", "expand"])?;
        let held = self.of_kind(asked, Kind::Invoice, id)?;
        let mut lines = self.rendered(asked.now_ms, held, asked.version)["lines"].take();
        lines["url"] = format!("/v1/invoices/{id}/lines").into();
        self.expanded(asked, lines, form)
    }

    /// `GET /v1/checkout/sessions/<id>/line_items`.
    pub(super) fn session_items(&self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["limit", "starting_after", "ending_before", "expand"])?;
        let session = self.of_kind(asked, Kind::Session, id)?.object;
        let url = format!("/v1/checkout/sessions/{id}/line_items");
        let items = json!({"object": "list", "data": self.bought(asked, &session), "has_more": false, "url": url});
        self.expanded(asked, items, form)
    }

    /// `GET /v1/customers/<id>/<kind>`.
    pub(super) fn of_customer(&self, asked: Asked<'_>, kind: Kind, id: &str, form: &Form) -> Done {
        self.of_kind(asked, Kind::Customer, id)?;
        self.list(asked, kind, form, Some(("customer", id)))
    }

    /// What Stripe answers to a read of something that is not to be seen yet: 404, in the words for what the path names.
    pub fn not_visible(request: &Request) -> Response {
        let segments = super::segments(&request.path);
        let named = segments.iter().rev().find_map(|id| Some((Kind::of_id(id)?, id)));
        let refusal = match named {
            Some((kind, id)) => Refusal::no_such(404, kind.row().noun, id, kind.row().param),
            None => Refusal::unknown_url(&request.method, &request.path),
        };
        let mut response = refusal.response();
        response.headers.push(("request-id".to_owned(), "req_scriptedoutage".to_owned()));
        response
    }

    /// The version that an answer has when none is asked for: that of the newest event, so that of the recordings.
    pub(super) fn account_version(&self, now_ms: u64) -> String {
        let newest = self.events.newest(now_ms);
        let event: Option<Value> = newest.and_then(|body| serde_json::from_str(body).ok());
        let version = event.and_then(|event| event["api_version"].as_str().map(str::to_owned));
        version.unwrap_or_else(|| super::API_VERSION.to_owned())
    }
}
