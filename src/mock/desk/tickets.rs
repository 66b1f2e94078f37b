//! Tickets one by one: made (once for a key), read, listed, changed, commented, tagged, deleted.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    Desk, Done, IDEMPOTENCY_KEY_MS, Kept, LONGEST_KEY, Stored,
    fields::{Fields, Requester, Writes},
    page::page,
    query::Query,
    refusal::Refusal,
    route::TagChange,
    users::{AGENT, User},
};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::{Request, Response},
};
use serde_json::{Value, json};

/// Results that a search gives at most, over all pages.
const MOST_RESULTS: usize = 1_000;

impl Desk {
    /// A create, made at most once for one idempotency key. Only a create that worked is kept: one that was refused made
    /// nothing, so a corrected request may use its key.
    pub(super) fn create_once(&mut self, now_ms: u64, request: &Request) -> Done {
        let Some(key) = request.header("idempotency-key") else { return self.create(now_ms, request) };
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(Refusal::bad_key(format!("an idempotency key has 1 to {LONGEST_KEY} characters")));
        }
        self.keys.retain(|_, kept| now_ms.saturating_sub(kept.at_ms) < IDEMPOTENCY_KEY_MS);
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| Refusal::no_json(&error))?;
        if let Some(kept) = self.keys.get(key) {
            if kept.request != body {
                return Err(Refusal::bad_key("the key was used before with another request body".to_owned()));
            }
            let mut again = Response::json(201, &Value::Null);
            again.body.clone_from(&kept.answer);
            again.headers.push(("x-idempotency-lookup".into(), "hit".into()));
            return Ok((again, Vec::new()));
        }
        let (mut response, effects) = self.create(now_ms, request)?;
        let kept = Kept { at_ms: now_ms, request: body, answer: response.body.clone() };
        self.keys.insert(key.to_owned(), kept);
        response.headers.push(("x-idempotency-lookup".into(), "miss".into()));
        Ok((response, effects))
    }

    fn create(&mut self, now_ms: u64, request: &Request) -> Done {
        let (id, effect) = self.make(now_ms, &Writes::parse(&request.body)?)?;
        let mut response = self.told(now_ms, 201, id);
        let host = request.header("host").unwrap_or("localhost");
        response.headers.push(("location".to_owned(), format!("http://{host}/api/v2/tickets/{id}.json")));
        Ok((response, vec![effect]))
    }

    /// Makes a ticket, and the person who asks when nobody knows them.
    pub(super) fn make(&mut self, now_ms: u64, writes: &Writes) -> Result<(u64, Effect), Refusal> {
        let mut fields = writes.create(now_ms)?;
        self.settle(now_ms, writes, &mut fields)?;
        let id = self.tickets.last_key_value().map_or(1, |(last, _)| last + 1);
        let effect = Effect::TicketCreated {
            ticket: id.to_string(),
            external_id: fields.external_id.clone(),
            queue: fields.queue(),
        };
        if let Some(external) = &fields.external_id {
            self.by_external_id.entry(external.clone()).or_default().push(id);
        }
        let versions = Lagged::new(now_ms.saturating_add(self.options.search_lag_ms), fields);
        self.tickets.insert(id, Stored { versions, created_ms: now_ms });
        Ok((id, effect))
    }

    /// Who the requester is, by e-mail or by id.
    fn settle(&mut self, now_ms: u64, writes: &Writes, fields: &mut Fields) -> Result<(), Refusal> {
        let id = match writes.requester()? {
            None => return Ok(()),
            Some(Requester::Id(id)) => {
                let unknown = || Refusal::record_invalid("requester", "InvalidValue", "Requester: is unknown");
                self.users.contains_key(&id).then_some(id).ok_or_else(unknown)?
            }
            Some(Requester::Email { email, name }) => match self.with_email(&email) {
                Some(id) => id,
                None => {
                    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
                    self.add_user(now_ms, User::new(&name, Some(&email), now_ms))
                }
            },
        };
        fields.requester_id = id;
        fields.requester = self.users.get(&id).and_then(|user| user.current().email.clone());
        Ok(())
    }

    pub(super) fn read(&self, id: &str) -> Done {
        let (id, stored) = self.find(id)?;
        let shown = self.json(id, stored, stored.versions.current());
        Ok((Response::json(200, &json!({ "ticket": shown })), Vec::new()))
    }

    pub(super) fn update(&mut self, now_ms: u64, id: &str, request: &Request) -> Done {
        let (id, effect) = self.change(now_ms, id, &Writes::parse(&request.body)?)?;
        Ok((self.told(now_ms, 200, id), effect.into_iter().collect()))
    }

    /// Writes to a ticket; no effect when nothing is another value afterwards.
    pub(super) fn change(&mut self, now_ms: u64, id: &str, writes: &Writes) -> Result<(u64, Option<Effect>), Refusal> {
        let (id, stored) = self.find(id)?;
        let before = stored.versions.current().clone();
        writes.is_safe(&self.at(before.updated_ms))?;
        let mut after = writes.update(&before, now_ms)?;
        self.settle(now_ms, writes, &mut after)?;
        Ok((id, self.write(now_ms, id, &before, after)))
    }

    fn write(&mut self, now_ms: u64, id: u64, before: &Fields, mut after: Fields) -> Option<Effect> {
        if after == *before {
            return None;
        }
        after.updated_ms = now_ms;
        if after.external_id != before.external_id {
            let (old, new) = (before.external_id.clone(), after.external_id.clone());
            self.by_external_id.entry(old.unwrap_or_default()).or_default().retain(|other| *other != id);
            if let Some(new) = new {
                self.by_external_id.entry(new).or_default().push(id);
            }
        }
        let lag_ms = self.options.search_lag_ms;
        if let Some(stored) = self.tickets.get_mut(&id) {
            stored.versions.write(now_ms, lag_ms, after);
        }
        Some(Effect::TicketUpdated { ticket: id.to_string() })
    }

    /// Into the list of deleted tickets, where nothing here finds it.
    pub(super) fn delete(&mut self, now_ms: u64, id: &str) -> Done {
        let (id, stored) = self.find(id)?;
        let before = stored.versions.current().clone();
        let effect = self.write(now_ms, id, &before, Fields { deleted: true, ..before.clone() });
        Ok((Response { status: 204, ..Response::default() }, effect.into_iter().collect()))
    }

    pub(super) fn comments(&self, id: &str, request: &Request) -> Done {
        let (_, stored) = self.find(id)?;
        let one = |comment: &super::fields::Comment| comment.json(self.at(comment.at_ms));
        let comments = stored.versions.current().comments.iter().map(one).collect();
        page("comments", comments, request).map(|response| (response, Vec::new()))
    }

    pub(super) fn tags(&self, id: &str) -> Done {
        let (_, stored) = self.find(id)?;
        Ok((Response::json(200, &json!({ "tags": stored.versions.current().tags })), Vec::new()))
    }

    pub(super) fn change_tags(&mut self, now_ms: u64, id: &str, change: TagChange, request: &Request) -> Done {
        let given = Writes::bare(&request.body)?.tags()?.unwrap_or_default();
        let (id, stored) = self.find(id)?;
        let before = stored.versions.current().clone();
        let mut after = before.clone();
        match change {
            TagChange::Set => after.tags = given,
            TagChange::Add => {
                let new: Vec<String> = given.into_iter().filter(|tag| !before.tags.contains(tag)).collect();
                after.tags.extend(new);
            }
            TagChange::Remove => after.tags.retain(|tag| !given.contains(tag)),
        }
        let tags = after.tags.clone();
        let effect = self.write(now_ms, id, &before, after);
        let status = if change == TagChange::Set { 201 } else { 200 };
        Ok((Response::json(status, &json!({ "tags": tags })), effect.into_iter().collect()))
    }

    pub(super) fn list(&self, request: &Request, of: Option<&str>) -> Done {
        let of = of.map(|id| self.find_user(id)).transpose()?;
        let ids: Vec<u64> = match request.query("external_id") {
            Some(external) => {
                let mut ids = self.by_external_id.get(external).cloned().unwrap_or_default();
                ids.sort_unstable();
                ids
            }
            None => self.tickets.keys().copied().collect(),
        };
        let found = ids.into_iter().filter_map(|id| Some((id, self.tickets.get(&id)?)));
        let found = found.map(|(id, stored)| (id, stored, stored.versions.current()));
        let found = found.filter(|(_, _, fields)| !fields.deleted && of.is_none_or(|of| fields.requester_id == of));
        page("tickets", self.sorted(found.collect(), request), request).map(|response| (response, Vec::new()))
    }

    pub(super) fn count(&self) -> Done {
        let count = self.tickets.values().filter(|stored| !stored.versions.current().deleted).count();
        Ok((Response::json(200, &json!({ "count": { "value": count, "refreshed_at": self.at(0) } })), Vec::new()))
    }

    pub(super) fn show_many(&self, request: &Request) -> Done {
        let found = listed_ids(request, "ids").into_iter().filter_map(|id| self.find(&id).ok());
        let shown = found.map(|(id, stored)| self.json(id, stored, stored.versions.current())).collect();
        page("tickets", shown, request).map(|response| (response, Vec::new()))
    }

    fn found(&self, now_ms: u64, request: &Request) -> Result<Vec<Value>, Refusal> {
        let query = Query::parse(request.query("query").unwrap_or_default())?;
        let indexed = self.tickets.iter().filter_map(|(id, stored)| {
            let fields = stored.versions.indexed(now_ms).filter(|fields| !fields.deleted)?;
            let (created, updated) = (self.at(stored.created_ms), self.at(fields.updated_ms));
            query.matches(fields, &created, &updated).then_some((*id, stored, fields))
        });
        Ok(self.sorted(indexed.collect(), request))
    }

    pub(super) fn search(&self, now_ms: u64, request: &Request) -> Done {
        let mut found = self.found(now_ms, request)?;
        for one in &mut found {
            one["result_type"] = json!("ticket");
        }
        let number = |name: &str| request.query(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(100);
        if number("page").unwrap_or(1).saturating_sub(1).saturating_mul(size) >= MOST_RESULTS {
            return Err(Refusal::bad_query("Requested response size was greater than Search Response Limits"));
        }
        page("results", found, request).map(|response| (response, Vec::new()))
    }

    pub(super) fn search_count(&self, now_ms: u64, request: &Request) -> Done {
        Ok((Response::json(200, &json!({ "count": self.found(now_ms, request)?.len() })), Vec::new()))
    }

    /// In the order that the call asks for: by `sort_by` and `sort_order`, or by `sort` with a minus.
    fn sorted(&self, mut found: Vec<(u64, &Stored, &Fields)>, request: &Request) -> Vec<Value> {
        let sort = request.query("sort").unwrap_or_default();
        let by = request.query("sort_by").unwrap_or_else(|| sort.trim_start_matches('-'));
        match by {
            "created_at" => found.sort_by_key(|(id, stored, _)| (stored.created_ms, *id)),
            "updated_at" => found.sort_by_key(|(id, _, fields)| (fields.updated_ms, *id)),
            _ => {}
        }
        if sort.starts_with('-') || request.query("sort_order") == Some("desc") {
            found.reverse();
        }
        found.into_iter().map(|(id, stored, fields)| self.json(id, stored, fields)).collect()
    }

    pub(super) fn find(&self, id: &str) -> Result<(u64, &Stored), Refusal> {
        let id = id.parse().map_err(|_| Refusal::no_such_record())?;
        let found = self.tickets.get(&id).filter(|stored| !stored.versions.current().deleted);
        found.map(|stored| (id, stored)).ok_or_else(Refusal::no_such_record)
    }

    fn json(&self, id: u64, stored: &Stored, fields: &Fields) -> Value {
        fields.json(id, &self.at(stored.created_ms), &self.at(fields.updated_ms))
    }

    /// The ticket, and the record of what was done to it.
    fn told(&self, now_ms: u64, status: u16, id: u64) -> Response {
        let Some(stored) = self.tickets.get(&id) else { return Refusal::no_such_record().response() };
        let fields = stored.versions.current();
        let number = id * 1_000 + fields.comments.len() as u64;
        let last = fields.comments.last().filter(|comment| comment.at_ms == now_ms);
        let mut events: Vec<Value> = last.map(|comment| comment.json(self.at(comment.at_ms))).into_iter().collect();
        let change = json!({ "id": number * 10, "type": "Change", "field_name": "status", "value": fields.status });
        events.push(change);
        let audit = json!({
            "id": number,
            "ticket_id": id,
            "author_id": AGENT,
            "created_at": self.at(fields.updated_ms),
            "via": { "channel": "api" },
            "metadata": { "system": {}, "custom": {} },
            "events": events,
        });
        let ticket = self.json(id, stored, fields);
        Response::json(status, &json!({ "ticket": ticket, "audit": audit }))
    }
}

/// Ids in one parameter with commas between them.
pub(super) fn listed_ids(request: &Request, name: &str) -> Vec<String> {
    let given = request.query(name).unwrap_or_default();
    given.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
}
