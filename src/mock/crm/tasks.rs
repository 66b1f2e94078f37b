//! Tasks of the CRM's people: made once each time they are asked for, since no property of a task is unique; read at once,
//! searched late.
//!
//! Must not know: sockets, clocks, faults.

use super::{
    Crm, Done, Stored, Version,
    properties::{Body, View, text_of},
    refusal::Refusal,
    search::Search,
};
use crate::{
    mock::{effect::Effect, lagged::Lagged},
    wire::{Request, Response},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// First task id; later ones count up. Apart from those of contacts, so that nobody can take one for the other.
const FIRST_ID: u64 = 50_001;

/// What HubSpot lets a task's status and type be.
const STATUSES: [&str; 5] = ["NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"];
const TYPES: [&str; 3] = ["TODO", "EMAIL", "CALL"];

/// What HubSpot shows of a task when no properties are asked for.
const DEFAULT: [&str; 3] = ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"];

/// A task and the contacts that it stands beside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub(super) stored: Stored,
    pub(super) contacts: Vec<u64>,
}

impl Crm {
    /// Tasks by id: their properties, and the first contact that each stands beside.
    pub fn tasks(&self) -> Vec<(String, BTreeMap<String, String>, Option<String>)> {
        let one = |(id, task): (&u64, &Task)| {
            let contact = task.contacts.first().map(|id| self.living(*id).to_string());
            (id.to_string(), task.stored.versions.current().properties.clone(), contact)
        };
        self.tasks.iter().map(one).collect()
    }

    pub(super) fn create_task(&mut self, now_ms: u64, request: &Request) -> Done {
        let body = Body::read(&request.body)?;
        let mut properties = BTreeMap::new();
        for (name, value) in body.properties {
            properties.extend(text_of(&name, value)?.map(|value| (name, value)));
        }
        check(&properties)?;
        let contacts = self.contacts_to_join(&body.associations)?;
        let id = self.tasks.last_key_value().map_or(FIRST_ID, |(last, _)| last + 1);
        let subject = properties.get("hs_task_subject").cloned().unwrap_or_default();
        let seen_from = now_ms.saturating_add(self.search_lag_ms);
        let versions = Lagged::new(seen_from, Version { properties, updated_ms: now_ms, archived: false });
        let contact = contacts.first().map(u64::to_string);
        self.tasks.insert(id, Task { stored: Stored { versions, created_ms: now_ms, given: false }, contacts });
        let effect = Effect::TaskCreated { task: id.to_string(), contact, subject };
        Ok((self.shown_task(201, id, &[]), vec![effect]))
    }

    pub(super) fn read_task(&self, key: &str, request: &Request) -> Done {
        let id = key.parse().ok().filter(|id| self.tasks.contains_key(id));
        let id = id.ok_or_else(|| Refusal::not_found("resource not found"))?;
        let wanted = request.query.iter().filter(|(name, _)| name == "properties");
        let mut wanted: Vec<String> = wanted.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect();
        if wanted.is_empty() {
            wanted.extend(DEFAULT.map(str::to_owned));
        }
        Ok((self.shown_task(200, id, &wanted), Vec::new()))
    }

    pub(super) fn search_tasks(&self, now_ms: u64, request: &Request) -> Done {
        let search = Search::parse(&request.body)?;
        let indexed = self.tasks.iter().filter_map(|(id, task)| {
            let version = task.stored.versions.indexed(now_ms)?;
            Some(self.view(*id, &task.stored, version))
        });
        Ok((Response::json(200, &search.answer(indexed, &DEFAULT.map(str::to_owned))), Vec::new()))
    }

    fn shown_task(&self, status: u16, id: u64, wanted: &[String]) -> Response {
        let shown = |task: &Task| -> Value {
            let view: View<'_> = self.view(id, &task.stored, task.stored.versions.current());
            view.json(wanted)
        };
        Response::json(status, &self.tasks.get(&id).map_or(Value::Null, shown))
    }
}

fn check(properties: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if !properties.contains_key("hs_timestamp") {
        return Err(Refusal::invalid("Property values were not valid: `hs_timestamp` is required"));
    }
    for (name, known) in [("hs_task_status", &STATUSES[..]), ("hs_task_type", &TYPES[..])] {
        if let Some(value) = properties.get(name)
            && !known.contains(&value.as_str())
        {
            let message = format!("Property values were not valid: `{value}` is not one of {}", known.join(", "));
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}
