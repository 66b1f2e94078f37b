//! Which task stands beside which contact, in HubSpot's two shapes of associations (v3 and v4).
//!
//! Must not know: sockets, clocks, faults; other kinds of objects.

use super::{
    Crm, Done,
    contacts::no_content,
    refusal::Refusal,
    route::{Ends, Kind, Link, Version},
};
use crate::wire::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// HubSpot's numbers of the two directions.
const TASK_TO_CONTACT: u64 = 204;
const CONTACT_TO_TASK: u64 = 203;

/// An association that a new object asks for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    to: Id,
    #[serde(default)]
    types: Vec<Spec>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    association_type_id: u64,
}

/// An id, which clients write as text or as a number.
#[derive(Clone, Deserialize)]
struct Id {
    id: Value,
}

impl Id {
    fn text(&self) -> String {
        match &self.id {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Inputs {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(alias = "id")]
    from: Value,
    /// One in most calls, several where v4 removes.
    #[serde(default)]
    to: Value,
}

/// A contact and a task.
#[derive(Clone, Copy)]
struct Pair {
    contact: u64,
    task: u64,
}

/// Which of the two an association starts from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Contact,
    Task,
}

impl Start {
    fn of(ends: Ends) -> Result<Self, Refusal> {
        match (ends.from, ends.to) {
            (Kind::Contact, Kind::Task) => Ok(Self::Contact),
            (Kind::Task, Kind::Contact) => Ok(Self::Task),
            (Kind::Contact | Kind::Task | Kind::Other, _) => {
                Err(Refusal::invalid("this double keeps associations between contacts and tasks only"))
            }
        }
    }

    const fn type_id(self) -> u64 {
        match self {
            Self::Contact => CONTACT_TO_TASK,
            Self::Task => TASK_TO_CONTACT,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact_to_task",
            Self::Task => "task_to_contact",
        }
    }
}

impl Crm {
    pub(super) fn associations(&mut self, now_ms: u64, ends: Ends, link: &Link, request: &Request) -> Done {
        let start = Start::of(ends)?;
        let answer = |status: u16, body: &Value| Ok((Response::json(status, body), Vec::new()));
        match link {
            Link::List(from) => answer(200, &json!({ "results": self.ends_v4(start, from)? })),
            Link::Put { from, to, bare } => {
                let pair = self.pair(start, from, to)?;
                self.join(pair.contact, &[pair.task]);
                let put = if *bare { both_ways(pair) } else { vec![labelled(start, from, to)] };
                match (bare, put.into_iter().next()) {
                    (true, _) => answer(200, &self.batch(now_ms, both_ways(pair))),
                    (false, one) => answer(201, &one.unwrap_or_default()),
                }
            }
            Link::Remove { from, to } => {
                let pair = self.pair(start, from, to)?;
                self.part(pair);
                Ok((no_content(), Vec::new()))
            }
            Link::BatchRead(version) => {
                let results = self.read_ends(start, *version, &inputs(request)?)?;
                answer(200, &self.batch(now_ms, results))
            }
            Link::BatchPut { version, bare } => {
                let mut results = Vec::new();
                for (from, to) in pairs(&inputs(request)?) {
                    let pair = self.pair(start, &from, &to)?;
                    self.join(pair.contact, &[pair.task]);
                    match (version, bare) {
                        (Version::V3, _) => {
                            results.push(json!({ "from": { "id": from }, "to": { "id": to }, "type": start.name() }));
                        }
                        (Version::V4, true) => results.extend(both_ways(pair)),
                        (Version::V4, false) => results.push(labelled(start, &from, &to)),
                    }
                }
                answer(if *bare { 200 } else { 201 }, &self.batch(now_ms, results))
            }
            Link::BatchRemove(_) => {
                for (from, to) in pairs(&inputs(request)?) {
                    let pair = self.pair(start, &from, &to)?;
                    self.part(pair);
                }
                Ok((no_content(), Vec::new()))
            }
        }
    }

    fn batch(&self, now_ms: u64, results: Vec<Value>) -> Value {
        let at = self.at(now_ms);
        json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at })
    }

    fn read_ends(&self, start: Start, version: Version, inputs: &[Input]) -> Result<Vec<Value>, Refusal> {
        let mut results = Vec::new();
        for input in inputs {
            let from = id_text(&input.from);
            let to = match version {
                Version::V3 => {
                    let one = |id: u64| json!({ "id": id.to_string(), "type": start.name() });
                    self.ends(start, &from)?.into_iter().map(one).collect()
                }
                Version::V4 => self.ends_v4(start, &from)?,
            };
            if !to.is_empty() {
                results.push(json!({ "from": { "id": from }, "to": to }));
            }
        }
        Ok(results)
    }

    fn ends_v4(&self, start: Start, from: &str) -> Result<Vec<Value>, Refusal> {
        let one = |id: u64| {
            let kind = json!({ "category": "HUBSPOT_DEFINED", "typeId": start.type_id(), "label": null });
            json!({ "toObjectId": id, "associationTypes": [kind] })
        };
        Ok(self.ends(start, from)?.into_iter().map(one).collect())
    }

    /// Ids at the other end.
    fn ends(&self, start: Start, from: &str) -> Result<Vec<u64>, Refusal> {
        match start {
            Start::Contact => {
                let contact = self.find(from, None, false)?;
                let beside = |contacts: &[u64]| contacts.iter().any(|id| self.living(*id) == contact);
                Ok(self.tasks.iter().filter(|(_, task)| beside(&task.contacts)).map(|(id, _)| *id).collect())
            }
            Start::Task => {
                let task = self.task(from)?;
                let contacts = self.tasks.get(&task).into_iter().flat_map(|task| &task.contacts);
                Ok(contacts.map(|id| self.living(*id)).filter(|id| self.is_there(*id)).collect())
            }
        }
    }

    fn is_there(&self, contact: u64) -> bool {
        self.contacts.get(&contact).is_some_and(|stored| !stored.is_archived())
    }

    fn task(&self, key: &str) -> Result<u64, Refusal> {
        let id = key.parse().ok().filter(|id| self.tasks.contains_key(id));
        id.ok_or_else(|| Refusal::not_found("resource not found"))
    }

    fn pair(&self, start: Start, from: &str, to: &str) -> Result<Pair, Refusal> {
        let (contact, task) = match start {
            Start::Contact => (from, to),
            Start::Task => (to, from),
        };
        Ok(Pair { contact: self.find(contact, None, false)?, task: self.task(task)? })
    }

    /// From now on the tasks stand beside the contact.
    pub(super) fn join(&mut self, contact: u64, tasks: &[u64]) {
        for id in tasks {
            if let Some(task) = self.tasks.get_mut(id).filter(|task| !task.contacts.contains(&contact)) {
                task.contacts.push(contact);
            }
        }
    }

    fn part(&mut self, Pair { contact, task }: Pair) {
        let merged: Vec<u64> =
            self.merged.keys().copied().filter(|id| self.living(*id) == contact).chain([contact]).collect();
        if let Some(task) = self.tasks.get_mut(&task) {
            task.contacts.retain(|id| !merged.contains(id));
        }
    }

    /// Tasks that a new contact is to stand beside.
    pub(super) fn tasks_to_join(&self, wanted: &[Wanted]) -> Result<Vec<u64>, Refusal> {
        let one = |Wanted { to, types }: &Wanted| {
            if !types.iter().all(|kind| kind.association_type_id == CONTACT_TO_TASK) {
                return Err(Refusal::invalid("this double joins a contact to tasks only (association type 203)"));
            }
            self.task(&to.text())
        };
        wanted.iter().map(one).collect()
    }

    /// Contacts that a new task is to stand beside; one that was merged away stands for the one that is left.
    pub(super) fn contacts_to_join(&self, wanted: &[Wanted]) -> Result<Vec<u64>, Refusal> {
        let one = |Wanted { to, types }: &Wanted| {
            if !types.iter().any(|kind| kind.association_type_id == TASK_TO_CONTACT) {
                return Err(Refusal::invalid("this double joins a task to contacts only (association type 204)"));
            }
            let found = self.find(&to.text(), None, false);
            found.map_err(|_| Refusal::not_found("the contact of the association does not exist"))
        };
        wanted.iter().map(one).collect()
    }

    /// Adds the tasks of a contact to what is shown of it, when the call asks for them.
    pub(super) fn add_associations(&self, contact: u64, request: &Request, shown: &mut Value) {
        let mut asked = request.query.iter().filter(|(name, _)| name == "associations");
        if !asked.any(|(_, value)| value.split(',').any(|name| Kind::of(name.trim()) == Kind::Task)) {
            return;
        }
        let tasks = self.ends(Start::Contact, &contact.to_string()).unwrap_or_default();
        let one = |id: u64| json!({ "id": id.to_string(), "type": Start::Contact.name() });
        if !tasks.is_empty() {
            shown["associations"] = json!({ "tasks": { "results": tasks.into_iter().map(one).collect::<Vec<_>>() } });
        }
    }
}

fn inputs(request: &Request) -> Result<Vec<Input>, Refusal> {
    let inputs: Result<Inputs, _> = serde_json::from_slice(&request.body);
    inputs.map(|body| body.inputs).map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))
}

/// The id in `"5"`, `5` or `{"id": "5"}`.
fn id_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => members.get("id").map(id_text).unwrap_or_default(),
        other => other.to_string(),
    }
}

fn pairs(inputs: &[Input]) -> Vec<(String, String)> {
    let of = |input: &Input| -> Vec<(String, String)> {
        let from = id_text(&input.from);
        match &input.to {
            Value::Array(many) => many.iter().map(|to| (from.clone(), id_text(to))).collect(),
            one => vec![(from, id_text(one))],
        }
    };
    inputs.iter().flat_map(of).collect()
}

fn both_ways(Pair { contact, task }: Pair) -> Vec<Value> {
    let one = |from: u64, to: u64, type_id: u64| {
        json!({
            "from": { "id": from.to_string() },
            "to": { "id": to.to_string() },
            "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id },
        })
    };
    vec![one(contact, task, CONTACT_TO_TASK), one(task, contact, TASK_TO_CONTACT)]
}

fn labelled(start: Start, from: &str, to: &str) -> Value {
    let (from_type, to_type) = match start {
        Start::Contact => ("0-1", "0-27"),
        Start::Task => ("0-27", "0-1"),
    };
    json!({
        "fromObjectTypeId": from_type,
        "fromObjectId": from,
        "toObjectTypeId": to_type,
        "toObjectId": to,
        "labels": [],
    })
}
