//! Which properties contacts have, and which values each may take.
//!
//! An account's own properties are not ours to know, so every name is taken unless the project file lists them. One that an app
//! defines through the API is held to its definition in any case.
//! Must not know: contacts.

use super::{
    Crm, Done,
    refusal::{Problem, Refusal},
};
use crate::wire::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Properties that HubSpot gives every account: name, label, type, field type. Those that a sync is likely to write.
const STANDARD: &[(&str, &str, &str, &str)] = &[
    ("address", "Street Address", "string", "text"),
    ("annualrevenue", "Annual Revenue", "string", "text"),
    ("city", "City", "string", "text"),
    ("company", "Company Name", "string", "text"),
    ("country", "Country/Region", "string", "text"),
    ("createdate", "Create Date", "datetime", "date"),
    ("date_of_birth", "Date of birth", "string", "text"),
    ("email", "Email", "string", "text"),
    ("fax", "Fax Number", "string", "text"),
    ("firstname", "First Name", "string", "text"),
    ("hs_additional_emails", "Additional email addresses", "enumeration", "checkbox"),
    ("hs_lead_status", "Lead Status", "enumeration", "radio"),
    ("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox"),
    ("hs_object_id", "Record ID", "number", "number"),
    ("hubspot_owner_id", "Contact owner", "enumeration", "select"),
    ("industry", "Industry", "string", "text"),
    ("jobtitle", "Job Title", "string", "text"),
    ("lastmodifieddate", "Last Modified Date", "datetime", "date"),
    ("lastname", "Last Name", "string", "text"),
    ("lifecyclestage", "Lifecycle Stage", "enumeration", "radio"),
    ("message", "Message", "string", "textarea"),
    ("mobilephone", "Mobile Phone Number", "string", "phonenumber"),
    ("numemployees", "Number of Employees", "enumeration", "select"),
    ("phone", "Phone Number", "string", "phonenumber"),
    ("salutation", "Salutation", "string", "text"),
    ("state", "State/Region", "string", "text"),
    ("website", "Website URL", "string", "text"),
    ("zip", "Postal Code", "string", "text"),
];

/// HubSpot's lifecycle stages; a wrong one is refused where the account's properties are listed.
const STAGES: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

/// Properties that the CRM itself keeps; writing one is refused.
pub(super) const READ_ONLY: [&str; 3] = ["createdate", "hs_object_id", "lastmodifieddate"];

/// What a property may be.
const TYPES: [&str; 8] =
    ["string", "number", "bool", "enumeration", "date", "datetime", "phone_number", "object_coordinates"];

/// The properties of contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Definitions {
    /// Whether those that are not defined are refused.
    closed: bool,
    own: BTreeMap<String, Definition>,
}

/// A property that the account has defined itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    field_type: String,
    group_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(skip)]
    made_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
struct Choice {
    label: String,
    value: String,
}

impl Definitions {
    /// Those that an account has: `listed` besides HubSpot's own, or any when `None`; `unique` ones hold a value once.
    pub(super) fn new(listed: Option<&BTreeSet<String>>, unique: &BTreeSet<String>) -> Self {
        let names = listed.into_iter().flatten().chain(unique);
        let own = names.map(|name| (name.clone(), Definition::text(name, unique.contains(name)))).collect();
        Self { closed: listed.is_some(), own }
    }

    /// Names of properties of which no two contacts have the same value, the e-mail aside.
    pub(super) fn unique(&self) -> impl Iterator<Item = &str> {
        self.own.values().filter(|own| own.has_unique_value).map(|own| own.name.as_str())
    }

    /// What is wrong with writing `text` to the property `name`.
    pub(super) fn problem(&self, name: &str, text: &str) -> Option<Problem> {
        if READ_ONLY.contains(&name) {
            let message = format!("\"{name}\" is a read only property; its value cannot be set.");
            return Some(Problem::new(name, "READ_ONLY_VALUE", message));
        }
        let standard = STANDARD.iter().any(|(known, ..)| *known == name);
        let own = self.own.get(name);
        if self.closed && !standard && own.is_none() {
            return Some(Problem::new(name, "PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist")));
        }
        if text.is_empty() {
            return None;
        }
        if name == "email" && !super::properties::is_email(text) {
            return Some(Problem::new(name, "INVALID_EMAIL", format!("Email address {text} is invalid")));
        }
        if self.closed && name == "lifecyclestage" && !STAGES.contains(&text) {
            return Some(not_allowed(name, text, &STAGES.join(", ")));
        }
        own.and_then(|own| own.problem(text))
    }

    fn json(&self, name: &str, at: &impl Fn(u64) -> String) -> Option<Value> {
        if let Some(own) = self.own.get(name) {
            return Some(own.json(&at(own.made_ms)));
        }
        let (name, label, kind, field) = STANDARD.iter().find(|(known, ..)| *known == name)?;
        let options: Vec<Choice> = match *name {
            "lifecyclestage" => STAGES.iter().map(|stage| Choice::new(stage)).collect(),
            _ => Vec::new(),
        };
        let kept = READ_ONLY.contains(name);
        Some(json!({
            "name": name, "label": label, "type": kind, "fieldType": field, "groupName": "contactinformation",
            "description": "", "options": choices(&options), "displayOrder": -1, "calculated": false,
            "externalOptions": false, "hasUniqueValue": matches!(*name, "email" | "hs_object_id"), "hidden": false,
            "hubspotDefined": true, "formField": true, "archived": false,
            "modificationMetadata": { "archivable": false, "readOnlyDefinition": true, "readOnlyValue": kept },
        }))
    }
}

impl Choice {
    fn new(value: &str) -> Self {
        Self { label: value.to_owned(), value: value.to_owned() }
    }
}

fn choices(options: &[Choice]) -> Vec<Value> {
    let one = |(place, choice): (usize, &Choice)| json!({ "label": choice.label, "value": choice.value, "displayOrder": place, "hidden": false });
    options.iter().enumerate().map(one).collect()
}

fn not_allowed(name: &str, text: &str, allowed: &str) -> Problem {
    Problem::new(name, "INVALID_OPTION", format!("{text} was not one of the allowed options: [{allowed}]"))
}

impl Definition {
    /// A line of text that the project file names.
    fn text(name: &str, unique: bool) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            kind: "string".to_owned(),
            field_type: "text".to_owned(),
            group_name: "contactinformation".to_owned(),
            description: String::new(),
            options: Vec::new(),
            has_unique_value: unique,
            made_ms: 0,
        }
    }

    fn problem(&self, text: &str) -> Option<Problem> {
        let (name, day) = (self.name.as_str(), text.get(..10).unwrap_or_default());
        let is_time = text.parse::<i64>().is_ok()
            || (day.len() == 10
                && day
                    .bytes()
                    .enumerate()
                    .all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() }));
        match self.kind.as_str() {
            "number" if text.parse::<f64>().is_err() => {
                Some(Problem::new(name, "INVALID_LONG", format!("{text} was not a valid long.")))
            }
            "date" | "datetime" if !is_time => {
                Some(Problem::new(name, "INVALID_LONG", format!("{text} was not a valid long.")))
            }
            "bool" if !matches!(text, "true" | "false") => Some(not_allowed(name, text, "true, false")),
            "enumeration" => {
                let known = |value: &str| self.options.iter().any(|choice| choice.value == value);
                let labels: Vec<&str> = self.options.iter().map(|choice| choice.label.as_str()).collect();
                let many = self.field_type == "checkbox";
                let fits = if many { text.split(';').all(|one| one.is_empty() || known(one)) } else { known(text) };
                (!fits).then(|| not_allowed(name, text, &labels.join(", ")))
            }
            _ => None,
        }
    }

    fn json(&self, at: &str) -> Value {
        json!({
            "name": self.name, "label": self.label, "type": self.kind, "fieldType": self.field_type,
            "groupName": self.group_name, "description": self.description, "options": choices(&self.options),
            "displayOrder": -1, "calculated": false, "externalOptions": false, "hasUniqueValue": self.has_unique_value,
            "hidden": false, "hubspotDefined": false, "formField": false, "archived": false,
            "createdAt": at, "updatedAt": at,
            "modificationMetadata": { "archivable": true, "readOnlyDefinition": false, "readOnlyValue": false },
        })
    }
}

impl Crm {
    pub(super) fn list_definitions(&self) -> Done {
        let at = |ms| self.at(ms);
        let names: BTreeSet<&str> =
            STANDARD.iter().map(|(name, ..)| *name).chain(self.definitions.own.keys().map(String::as_str)).collect();
        let all: Vec<Value> = names.into_iter().filter_map(|name| self.definitions.json(name, &at)).collect();
        Ok((Response::json(200, &json!({ "results": all })), Vec::new()))
    }

    pub(super) fn read_definition(&self, name: &str) -> Done {
        let found = self.definitions.json(name, &|ms| self.at(ms));
        let found = found.ok_or_else(|| Refusal::not_found(format!("Property with name '{name}' does not exist")))?;
        Ok((Response::json(200, &found), Vec::new()))
    }

    pub(super) fn define(&mut self, now_ms: u64, request: &Request) -> Done {
        let mut made: Definition = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))?;
        let name_fits = made.name.starts_with(|c: char| c.is_ascii_lowercase())
            && made.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !name_fits {
            return Err(Refusal::invalid(format!(
                "the name `{}` must be lower case letters, digits and underscores and begin with a letter",
                made.name
            )));
        }
        if !TYPES.contains(&made.kind.as_str()) {
            return Err(Refusal::invalid(format!("the type `{}` is not one of {}", made.kind, TYPES.join(", "))));
        }
        if made.kind == "enumeration" && made.options.is_empty() {
            return Err(Refusal::invalid("a property of type enumeration needs `options`"));
        }
        if self.definitions.json(&made.name, &|_| String::new()).is_some() {
            return Err(Refusal::property_exists(&made.name));
        }
        made.made_ms = now_ms;
        let shown = made.json(&self.at(now_ms));
        self.definitions.own.insert(made.name.clone(), made);
        Ok((Response::json(201, &shown), Vec::new()))
    }
}
