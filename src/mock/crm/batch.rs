//! Several contacts in one call, made or changed by their e-mail; some of them may fail while the others are done (207).
//!
//! Must not know: sockets, clocks, who decides what fails.

use super::{
    Crm, Done, Lagged, Stored, Version,
    properties::{differences, email_key, written},
    refusal::Refusal,
};
use crate::{
    mock::effect::Effect,
    wire::{Request, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, time::Duration};

/// Most inputs of one call (HubSpot's guide to contacts, "limits").
const MOST: usize = 100;

#[derive(Deserialize)]
struct Batch {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    id: String,
    id_property: Option<String>,
    properties: Map<String, Value>,
}

impl Crm {
    /// Makes or changes each contact but the last `fails`, which are told as errors. An input that can never be done
    /// refuses the whole batch before anything is done.
    pub(super) fn upsert(&mut self, now_ms: u64, request: &Request, fails: usize) -> Done {
        let batch: Batch = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))?;
        let inputs = checked(batch)?;
        let done = inputs.len().saturating_sub(fails);
        let (mut results, mut effects) = (Vec::new(), Vec::new());
        for (email, properties) in &inputs[..done] {
            let (result, effect) = self.upsert_one(now_ms, email, properties)?;
            results.push(result);
            effects.extend(effect);
        }
        let failed: Vec<&str> = inputs[done..].iter().map(|(email, _)| email.as_str()).collect();
        let at = (self.options.epoch + Duration::from_millis(now_ms)).to_string();
        let mut answer = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
        if failed.is_empty() {
            return Ok((Response::json(200, &answer), effects));
        }
        let error = json!({
            "status": "error",
            "category": "VALIDATION_ERROR",
            "message": "these inputs could not be written",
            "context": { "id": failed },
        });
        answer["numErrors"] = failed.len().into();
        answer["errors"] = json!([error]);
        Ok((Response::json(207, &answer), effects))
    }

    fn upsert_one(
        &mut self,
        now_ms: u64,
        email: &str,
        input: &Map<String, Value>,
    ) -> Result<(Value, Option<Effect>), Refusal> {
        let body = json!({ "properties": input });
        let mut writes = written(body.to_string().as_bytes())?;
        let known = self.emails.get(&email_key(email)).copied();
        if known.is_none() {
            writes.entry("email".to_owned()).or_insert_with(|| Some(email.to_owned()));
        }
        let id = known.unwrap_or_else(|| self.next_id());
        let before = self.contacts.get(&id).map(|stored| stored.versions.current().properties.clone());
        let before = before.unwrap_or_default();
        let changed = differences(&before, writes);
        if let Some((_, Some(new))) = changed.get("email") {
            self.email_is_free(Some(new), known)?;
        }
        let mut properties = before;
        for (name, (_, new)) in &changed {
            match new {
                Some(value) => properties.insert(name.clone(), value.clone()),
                None => properties.remove(name),
            };
        }
        let version = Version { properties, updated_ms: now_ms };
        let lag_ms = self.options.search_lag_ms;
        let effect = match (known, changed.is_empty()) {
            (Some(_), true) => None,
            (Some(_), false) => {
                if changed.contains_key("email") {
                    self.emails.remove(&email_key(email));
                    self.emails.extend(version.properties.get("email").map(|email| (email_key(email), id)));
                }
                if let Some(stored) = self.contacts.get_mut(&id) {
                    stored.versions.write(now_ms, lag_ms, version);
                }
                Some(Effect::ContactUpdated { contact: id.to_string(), changed })
            }
            (None, _) => {
                let email = version.properties.get("email").cloned();
                let versions = Lagged::new(now_ms.saturating_add(lag_ms), version);
                self.store(id, Stored { versions, created_ms: now_ms, given: false });
                Some(Effect::ContactCreated { contact: id.to_string(), email })
            }
        };
        let shown = |stored: &Stored| self.view(id, stored, stored.versions.current()).json(&[]);
        let mut result = self.contacts.get(&id).map_or(Value::Null, shown);
        if let Some(result) = result.as_object_mut() {
            result.insert("new".to_owned(), known.is_none().into());
        }
        Ok((result, effect))
    }
}

/// The e-mail of an input, and what it writes.
type Named = (String, Map<String, Value>);

/// The inputs of a batch of which each can be done.
fn checked(batch: Batch) -> Result<Vec<Named>, Refusal> {
    if batch.inputs.is_empty() || batch.inputs.len() > MOST {
        return Err(Refusal::invalid(format!("a batch holds 1 to {MOST} inputs")));
    }
    let mut seen = BTreeSet::new();
    for input in &batch.inputs {
        if input.id_property.as_deref() != Some("email") {
            return Err(Refusal::invalid("this double upserts contacts by `idProperty` `email` only"));
        }
        if !seen.insert(email_key(&input.id)) {
            return Err(Refusal::invalid(format!("the batch names `{}` twice", input.id)));
        }
        // What is no property refuses the whole, before anything is done.
        written(json!({ "properties": input.properties }).to_string().as_bytes())?;
        written(json!({ "properties": { "email": input.id } }).to_string().as_bytes())?;
    }
    Ok(batch.inputs.into_iter().map(|input| (input.id, input.properties)).collect())
}
