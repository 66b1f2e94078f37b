//! Tags: names with a number, put on contacts, conversations and tickets.
//!
//! Must not know: what is tagged.

use super::{Done, Intercom, members, refusal::Refusal, text_of};
use crate::wire::{Request, Response};
use serde_json::{Value, json};

/// First number of a tag.
const FIRST: u64 = 101;

impl Intercom {
    pub(super) fn tag_json(&self, tag: u64) -> Value {
        json!({
            "type": "tag", "id": tag.to_string(), "name": self.tags.get(&tag), "applied_at": self.secs(0),
            "applied_by": { "type": "admin", "id": super::ADMIN },
        })
    }

    pub(super) fn all_tags(&self) -> Value {
        let tags: Vec<Value> = self.tags.keys().map(|tag| self.tag_json(*tag)).collect();
        json!({ "type": "list", "data": tags })
    }

    /// Makes a tag; one of this name that is there is the one.
    pub(super) fn make_tag(&mut self, request: &Request) -> Done {
        let name = text_of(members(request)?.get("name")).ok_or_else(|| Refusal::missing("name is needed"))?;
        let known =
            self.tags.iter().find(|(_, known)| known.to_lowercase() == name.to_lowercase()).map(|(tag, _)| *tag);
        let tag = known.unwrap_or_else(|| self.tags.last_key_value().map_or(FIRST, |(last, _)| last + 1));
        self.tags.entry(tag).or_insert(name);
        Ok((Response::json(200, &self.tag_json(tag)), Vec::new()))
    }

    /// The tag that a body or a path names.
    pub(super) fn tag(&self, id: &str) -> Result<u64, Refusal> {
        let tag = id.parse().ok().filter(|tag| self.tags.contains_key(tag));
        tag.ok_or_else(|| Refusal::not_found("Resource Not Found"))
    }

    pub(super) fn tag_asked(&self, request: &Request) -> Result<u64, Refusal> {
        let id = text_of(members(request)?.get("id")).ok_or_else(|| Refusal::missing("id of the tag is needed"))?;
        self.tag(&id)
    }
}
