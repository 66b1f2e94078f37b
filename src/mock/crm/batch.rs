//! Several contacts in one call; some of them may fail while the others are done (207).
//!
//! A batch is refused whole when one of its inputs cannot be done, unless each input has an `objectWriteTraceId`: then HubSpot
//! does what it can and tells the rest by those ids. Inputs that name no contact are told apart in any case.
//! Must not know: sockets, clocks, who decides what fails.

use super::{
    Crm, Done,
    contacts::{asks_for_archived, no_content},
    properties::{default_names, email_key, written},
    refusal::Refusal,
    route::Verb,
};
use crate::{
    mock::effect::Effect,
    wire::{Request, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Most inputs of one call (HubSpot's guide to contacts, "limits").
const MOST: usize = 100;

const MISSING: &str = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.";

#[derive(Deserialize)]
struct Batch {
    inputs: Vec<Input>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    #[serde(default)]
    id: String,
    id_property: Option<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    object_write_trace_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    inputs: Vec<Id>,
    #[serde(default)]
    properties: Vec<String>,
    id_property: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// What became of the inputs of a batch.
#[derive(Default)]
struct Outcome {
    results: Vec<Value>,
    effects: Vec<Effect>,
    errors: Vec<Value>,
    /// Inputs that name no contact.
    missing: Vec<String>,
}

impl Crm {
    /// Makes or changes each contact but the last `fails`, which are told as errors.
    pub(super) fn write_batch(&mut self, now_ms: u64, verb: Verb, request: &Request, fails: usize) -> Done {
        let inputs = inputs(verb, request)?;
        let done = inputs.len().saturating_sub(fails);
        // A batch that is refused whole leaves nothing behind.
        let before = inputs.iter().any(|input| input.object_write_trace_id.is_none()).then(|| self.clone());
        let mut outcome = Outcome::default();
        for input in &inputs[..done] {
            match (self.write_one(now_ms, verb, input), &input.object_write_trace_id) {
                (Ok(Some((result, effect))), _) => {
                    outcome.results.push(result);
                    outcome.effects.extend(effect);
                }
                (Ok(None), None) => outcome.missing.push(input.id.clone()),
                (Ok(None), Some(trace)) => {
                    let context = json!({ "ids": [input.id], "objectWriteTraceId": [trace] });
                    outcome.errors.push(Refusal::not_found(MISSING).of_input(&context));
                }
                (Err(refusal), Some(trace)) if before.is_none() => {
                    outcome.errors.push(refusal.of_input(&json!({ "objectWriteTraceId": [trace] })));
                }
                (Err(refusal), _) => {
                    if let Some(before) = before {
                        *self = before;
                    }
                    return Err(refusal);
                }
            }
        }
        if done < inputs.len() {
            let ids: Vec<&str> = inputs[done..].iter().map(|input| input.id.as_str()).collect();
            let traces = inputs[done..].iter().filter_map(|input| input.object_write_trace_id.as_deref());
            let context = json!({ "ids": ids, "objectWriteTraceId": traces.collect::<Vec<_>>() });
            outcome.errors.push(Refusal::invalid("these inputs could not be written").of_input(&context));
        }
        let status = if verb == Verb::Create { 201 } else { 200 };
        Ok(self.told(now_ms, status, outcome))
    }

    fn write_one(
        &mut self,
        now_ms: u64,
        verb: Verb,
        input: &Input,
    ) -> Result<Option<(Value, Option<Effect>)>, Refusal> {
        let writes = written(&self.definitions, input.properties.clone())?;
        let property = input.id_property.as_deref();
        let known = match verb {
            Verb::Create => None,
            Verb::Read | Verb::Update | Verb::Upsert | Verb::Archive => self.known(&input.id, property)?,
        };
        let (id, effect) = match (known, verb, property) {
            (Some(id), _, _) => (id, self.change(now_ms, id, writes)?),
            (None, Verb::Create, _) => self.make(now_ms, writes).map(|(id, effect)| (id, Some(effect)))?,
            (None, Verb::Upsert, Some(name)) if !matches!(name, "" | "hs_object_id") => {
                let own = written(&self.definitions, Map::from_iter([(name.to_owned(), json!(input.id))]))?;
                self.make(now_ms, own.into_iter().chain(writes).collect()).map(|(id, effect)| (id, Some(effect)))?
            }
            (None, _, _) => return Ok(None),
        };
        let mut result = self.json(id, &[]);
        if verb == Verb::Upsert {
            result["new"] = known.is_none().into();
        }
        if let Some(trace) = &input.object_write_trace_id {
            result["objectWriteTraceId"] = json!(trace);
        }
        Ok(Some((result, effect)))
    }

    /// The contact that an input names, when there is one.
    fn known(&self, id: &str, property: Option<&str>) -> Result<Option<u64>, Refusal> {
        match self.find(id, property, false) {
            Ok(id) => Ok(Some(id)),
            Err(refusal) if refusal == Refusal::not_found("resource not found") => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) fn read_batch(&self, now_ms: u64, request: &Request) -> Done {
        let asked: Reading = parsed(request)?;
        let archived = asks_for_archived(request);
        let wanted = if asked.properties.is_empty() { default_names() } else { asked.properties };
        counted(asked.inputs.len())?;
        let mut outcome = Outcome::default();
        let mut seen = BTreeSet::new();
        for Id { id } in asked.inputs {
            match self.find(&id, asked.id_property.as_deref(), archived) {
                Ok(found) if seen.insert(found) => outcome.results.push(self.json(found, &wanted)),
                Ok(_) => {}
                Err(refusal) if refusal == Refusal::not_found("resource not found") => outcome.missing.push(id),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(self.told(now_ms, 200, outcome))
    }

    pub(super) fn archive_batch(&mut self, now_ms: u64, request: &Request) -> Done {
        let inputs = inputs(Verb::Archive, request)?;
        let ids: Vec<u64> = inputs.iter().filter_map(|input| self.find(&input.id, None, false).ok()).collect();
        Ok((no_content(), ids.into_iter().map(|id| self.put_away(now_ms, id)).collect()))
    }

    fn told(&self, now_ms: u64, status: u16, outcome: Outcome) -> (Response, Vec<Effect>) {
        let Outcome { results, effects, mut errors, missing } = outcome;
        if !missing.is_empty() {
            errors.push(Refusal::not_found(MISSING).of_input(&json!({ "ids": missing })));
        }
        let at = self.at(now_ms);
        let mut answer = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
        if errors.is_empty() {
            return (Response::json(status, &answer), effects);
        }
        answer["numErrors"] = errors.len().into();
        answer["errors"] = Value::Array(errors);
        (Response::json(207, &answer), effects)
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))
}

fn counted(inputs: usize) -> Result<(), Refusal> {
    if (1..=MOST).contains(&inputs) {
        Ok(())
    } else {
        Err(Refusal::invalid(format!("a batch holds 1 to {MOST} inputs, this one {inputs}")))
    }
}

fn inputs(verb: Verb, request: &Request) -> Result<Vec<Input>, Refusal> {
    let Batch { inputs } = parsed(request)?;
    counted(inputs.len())?;
    if verb == Verb::Create {
        return Ok(inputs);
    }
    let mut seen = BTreeSet::new();
    for input in &inputs {
        if input.id.is_empty() {
            return Err(Refusal::invalid("each input of the batch needs an `id`"));
        }
        if !seen.insert((input.id_property.as_deref(), email_key(&input.id))) {
            let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", input.id);
            return Err(Refusal::invalid(message));
        }
    }
    Ok(inputs)
}
