//! One contact at a time: made, read, listed, changed, archived. Batches do the same to each of their inputs.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    Crm, Done, Stored, Version,
    properties::{self, Body, Writes, differences, email_key, written},
    refusal::{Problem, Refusal},
    search::Search,
};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::{Request, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Contacts on a page of the list when nothing is said, and at most.
const ON_PAGE: usize = 10;
const MOST_ON_PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Purged {
    object_id: String,
    id_property: Option<String>,
}

impl Crm {
    pub(super) fn search(&self, now_ms: u64, request: &Request) -> Done {
        let search = Search::parse(&request.body)?;
        let indexed = self.contacts.iter().filter_map(|(id, stored)| {
            let version = stored.versions.indexed(now_ms).filter(|version| !version.archived)?;
            Some(self.view(*id, stored, version))
        });
        Ok((Response::json(200, &search.answer(indexed, &properties::default_names())), Vec::new()))
    }

    pub(super) fn create(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = Body::read(&request.body)?;
        let writes = written(&self.definitions, body.properties)?;
        let tasks = self.tasks_to_join(&body.associations)?;
        let (id, effect) = self.make(now_ms, writes)?;
        self.join(id, &tasks);
        Ok((self.shown(201, id, &[]), vec![effect]))
    }

    /// Makes a contact, when nobody has what must be its alone.
    pub(super) fn make(&mut self, now_ms: u64, writes: Writes) -> Result<(u64, Effect), Refusal> {
        self.nobody_has(&writes, None)?;
        let properties: BTreeMap<String, String> =
            writes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let email = properties.get("email").cloned();
        let id = self.next_id();
        let version = Version { properties, updated_ms: now_ms, archived: false };
        let versions = Lagged::new(now_ms.saturating_add(self.search_lag_ms), version);
        self.store(id, Stored { versions, created_ms: now_ms, given: false });
        Ok((id, Effect::ContactCreated { contact: id.to_string(), email }))
    }

    pub(super) fn read(&self, key: &str, request: &Request) -> Done {
        let archived = asks_for_archived(request);
        let id = self.find(key, request.query("idProperty"), archived)?;
        let mut shown = self.json(id, &wanted(request));
        self.add_associations(id, request, &mut shown);
        Ok((Response::json(200, &shown), Vec::new()))
    }

    /// Contacts by id; the cursor is the id of the next one.
    pub(super) fn list(&self, request: &Request) -> Done {
        let number = |name: &str, default: usize| match request.query(name).filter(|text| !text.is_empty()) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Refusal::invalid(format!("`{name}` must be a number"))),
        };
        let limit = number("limit", ON_PAGE)?;
        if !(1..=MOST_ON_PAGE).contains(&limit) {
            return Err(Refusal::invalid(format!("`limit` must be 1 to {MOST_ON_PAGE}")));
        }
        let from = number("after", 0)? as u64;
        let archived = asks_for_archived(request);
        let wanted = wanted(request);
        let mut left = self.contacts.range(from..).filter(|(_, stored)| stored.is_archived() == archived);
        let page: Vec<u64> = left.by_ref().take(limit).map(|(id, _)| *id).collect();
        let shown = |id: u64| {
            let mut shown = self.json(id, &wanted);
            self.add_associations(id, request, &mut shown);
            shown
        };
        let mut answer = json!({ "results": page.into_iter().map(shown).collect::<Vec<_>>() });
        if let Some((next, _)) = left.next() {
            answer["paging"] = json!({ "next": { "after": next.to_string(), "link": next_link(request, *next) } });
        }
        Ok((Response::json(200, &answer), Vec::new()))
    }

    pub(super) fn update(&mut self, now_ms: u64, key: &str, request: &Request) -> Done {
        let id = self.find(key, request.query("idProperty"), false)?;
        let writes = written(&self.definitions, Body::read(&request.body)?.properties)?;
        let effect = self.change(now_ms, id, writes)?;
        Ok((self.shown(200, id, &[]), effect.into_iter().collect()))
    }

    /// Writes to a contact; no effect when nothing is another value afterwards.
    pub(super) fn change(&mut self, now_ms: u64, id: u64, writes: Writes) -> Result<Option<Effect>, Refusal> {
        let before = self.contacts.get(&id).map(|stored| stored.versions.current().properties.clone());
        let mut properties = before.unwrap_or_default();
        let changed = differences(&properties, writes);
        if changed.is_empty() {
            return Ok(None);
        }
        let new = changed.iter().map(|(name, (_, new))| (name.clone(), new.clone())).collect();
        self.nobody_has(&new, Some(id))?;
        if let Some((old, new)) = changed.get("email") {
            self.emails.remove(&email_key(old.as_deref().unwrap_or_default()));
            self.emails.extend(new.as_deref().map(|email| (email_key(email), id)));
        }
        for (name, value) in new {
            match value {
                Some(value) => properties.insert(name, value),
                None => properties.remove(&name),
            };
        }
        if let Some(stored) = self.contacts.get_mut(&id) {
            let version = Version { properties, updated_ms: now_ms, archived: false };
            stored.versions.write(now_ms, self.search_lag_ms, version);
        }
        Ok(Some(Effect::ContactUpdated { contact: id.to_string(), changed }))
    }

    /// Whether no contact but `owner` has what must be one contact's alone: the e-mail, and properties defined so.
    fn nobody_has(&self, writes: &Writes, owner: Option<u64>) -> Result<(), Refusal> {
        let email = writes.get("email").and_then(Option::as_deref);
        if let Some(other) = email.and_then(|email| self.emails.get(&email_key(email)))
            && Some(*other) != owner
        {
            return Err(Refusal::contact_exists(*other));
        }
        let taken = |name: &&str| {
            let value = writes.get(*name).and_then(Option::as_deref);
            value.and_then(|value| self.whose(name, value)).is_some_and(|other| Some(other) != owner)
        };
        let problem = |name: &str| {
            let value = writes.get(name).and_then(Option::as_deref).unwrap_or_default();
            Problem::new(name, "CONFLICTING_UNIQUE_VALUE", format!("{value} already exists."))
        };
        let problems: Vec<Problem> = self.definitions.unique().filter(taken).map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(Refusal::properties(problems)) }
    }

    /// The contact with this value of a property that is one contact's alone.
    fn whose(&self, name: &str, value: &str) -> Option<u64> {
        let has = |stored: &Stored| {
            let version = stored.versions.current();
            !version.archived && version.properties.get(name).is_some_and(|own| own == value)
        };
        self.contacts.iter().find(|(_, stored)| has(stored)).map(|(id, _)| *id)
    }

    pub(super) fn archive(&mut self, now_ms: u64, key: &str, request: &Request) -> Done {
        let effects = match self.find(key, request.query("idProperty"), false) {
            Ok(id) => vec![self.put_away(now_ms, id)],
            // HubSpot answers alike whether there was anything to delete.
            Err(_) => Vec::new(),
        };
        Ok((no_content(), effects))
    }

    /// Into the recycle bin; its e-mail is free again.
    pub(super) fn put_away(&mut self, now_ms: u64, id: u64) -> Effect {
        if let Some(stored) = self.contacts.get_mut(&id) {
            let version = Version { archived: true, updated_ms: now_ms, ..stored.versions.current().clone() };
            stored.versions.write(now_ms, self.search_lag_ms, version);
        }
        self.emails.retain(|_, owner| *owner != id);
        let changed = BTreeMap::from([("archived".to_owned(), (None, Some("true".to_owned())))]);
        Effect::ContactUpdated { contact: id.to_string(), changed }
    }

    /// For ever, for data protection.
    pub(super) fn purge(&mut self, request: &Request) -> Done {
        let body: Purged = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))?;
        let Ok(id) = self.find(&body.object_id, body.id_property.as_deref(), false) else {
            return Ok((no_content(), Vec::new()));
        };
        self.contacts.remove(&id);
        self.emails.retain(|_, owner| *owner != id);
        let changed = BTreeMap::from([("deleted".to_owned(), (None, Some("true".to_owned())))]);
        Ok((no_content(), vec![Effect::ContactUpdated { contact: id.to_string(), changed }]))
    }

    /// The id of a contact by its id or by a property that is one contact's alone.
    pub(super) fn find(&self, key: &str, property: Option<&str>, archived: bool) -> Result<u64, Refusal> {
        let id = match property {
            None | Some("" | "hs_object_id") => key.parse().ok().map(|id| self.living(id)),
            Some("email") => self.emails.get(&email_key(key)).copied(),
            Some(own) if self.definitions.unique().any(|unique| unique == own) => self.whose(own, key),
            Some(other) => return Err(Refusal::invalid(format!("`{other}` is not a unique property of contacts"))),
        };
        let there = |id: &u64| self.contacts.get(id).is_some_and(|stored| stored.is_archived() == archived);
        id.filter(there).ok_or_else(|| Refusal::not_found("resource not found"))
    }

    /// The contact as it is now; all its properties when `wanted` is empty.
    pub(super) fn json(&self, id: u64, wanted: &[String]) -> Value {
        let shown = |stored: &Stored| self.view(id, stored, stored.versions.current()).json(wanted);
        self.contacts.get(&id).map_or(Value::Null, shown)
    }

    pub(super) fn shown(&self, status: u16, id: u64, wanted: &[String]) -> Response {
        Response::json(status, &self.json(id, wanted))
    }
}

/// Properties that a read asks for, named with commas or one by one.
fn wanted(request: &Request) -> Vec<String> {
    let asked = request.query.iter().filter(|(name, _)| name == "properties");
    let wanted: Vec<String> = asked
        .flat_map(|(_, value)| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|n| !n.is_empty())
        .collect();
    if wanted.is_empty() { properties::default_names() } else { wanted }
}

/// Python's client writes `True`.
pub(super) fn asks_for_archived(request: &Request) -> bool {
    request.query("archived").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn no_content() -> Response {
    Response { status: 204, ..Response::default() }
}

fn next_link(request: &Request, next: u64) -> String {
    let host = request.header("host").unwrap_or("localhost");
    format!("http://{host}{}?after={next}", request.path)
}
