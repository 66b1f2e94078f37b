//! Properties of a contact: as a caller writes them, as they are compared, as they are shown.
//!
//! Must not know: other contacts.

use super::{
    Version,
    definitions::{Definitions, READ_ONLY},
    refusal::{Problem, Refusal},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::BTreeMap};

/// What HubSpot shows of a contact when no properties are asked for.
const DEFAULT: [&str; 6] = ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"];

/// Names of the properties that are shown when none are asked for.
pub(super) fn default_names() -> Vec<String> {
    DEFAULT.map(str::to_owned).to_vec()
}

/// What makes two e-mails the same one: HubSpot ignores letter case and the blanks around it.
pub(super) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// What a create or update writes; `None` clears a property (`null` and the empty text do).
pub(super) type Writes = BTreeMap<String, Option<String>>;

/// The body of a create or update of one object.
#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) properties: Map<String, Value>,
    #[serde(default)]
    pub(super) associations: Vec<super::associations::Wanted>,
}

impl Body {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))
    }
}

/// Properties that a create or update writes. Everything that is wrong with them is told at once.
pub(super) fn written(definitions: &Definitions, properties: Map<String, Value>) -> Result<Writes, Refusal> {
    let (mut writes, mut problems) = (Writes::new(), Vec::new());
    for (name, value) in properties {
        let text = text_of(&name, value)?;
        problems.extend(definitions.problem(&name, text.as_deref().unwrap_or_default()));
        writes.insert(name, text);
    }
    if problems.is_empty() { Ok(writes) } else { Err(Refusal::properties(problems)) }
}

pub(super) fn text_of(name: &str, value: Value) -> Result<Option<String>, Refusal> {
    if name.is_empty() {
        let problem = Problem::new(name, "PROPERTY_DOESNT_EXIST", "Property \"\" does not exist".to_owned());
        return Err(Refusal::properties(vec![problem]));
    }
    let text = match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value,
        Value::Array(_) | Value::Object(_) => {
            return Err(Refusal::invalid(format!(
                "invalid input JSON: `properties.{name}` must be a text, number or boolean"
            )));
        }
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

pub(super) fn is_email(text: &str) -> bool {
    let parts = text.trim().split_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.trim().contains(char::is_whitespace)
    })
}

/// Whether two values of a property are the same to the CRM.
pub(super) fn same(name: &str, a: &str, b: &str) -> bool {
    if name == "email" { email_key(a) == email_key(b) } else { a == b }
}

/// Property: value before, value now.
pub(super) type Changed = BTreeMap<String, (Option<String>, Option<String>)>;

/// What `writes` would change: only properties whose value is another one afterwards.
pub(super) fn differences(now: &BTreeMap<String, String>, writes: Writes) -> Changed {
    let change = |(name, new): (String, Option<String>)| {
        let old = now.get(&name).cloned();
        let equal = match (&old, &new) {
            (Some(old), Some(new)) => same(&name, old, new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (!equal).then_some((name, (old, new)))
    };
    writes.into_iter().filter_map(change).collect()
}

/// One version of one object, as it is shown and searched.
pub(super) struct View<'a> {
    pub(super) id: u64,
    pub(super) version: &'a Version,
    pub(super) created: String,
    pub(super) updated: String,
}

impl View<'_> {
    /// Value of a property, the CRM's own ones included.
    pub(super) fn property(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "hs_object_id" => Some(Cow::Owned(self.id.to_string())),
            "createdate" => Some(Cow::Borrowed(&self.created)),
            "lastmodifieddate" => Some(Cow::Borrowed(&self.updated)),
            other => self.version.properties.get(other).map(|value| Cow::Borrowed(value.as_str())),
        }
    }

    /// The object in HubSpot's shape with the `wanted` properties (`null` where unset); all when it is empty.
    pub(super) fn json(&self, wanted: &[String]) -> Value {
        let names: Vec<&str> = if wanted.is_empty() {
            self.version.properties.keys().map(String::as_str).chain(READ_ONLY).collect()
        } else {
            wanted.iter().map(String::as_str).chain(READ_ONLY).collect()
        };
        let properties: Map<String, Value> =
            names.into_iter().map(|name| (name.to_owned(), json!(self.property(name)))).collect();
        let mut shown = json!({
            "id": self.id.to_string(),
            "properties": properties,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "archived": self.version.archived,
        });
        if self.version.archived {
            shown["archivedAt"] = json!(self.updated);
        }
        shown
    }
}
