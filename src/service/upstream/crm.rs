//! Calls to the CRM: HubSpot's contacts and tasks API, version 3.
//!
//! Must not know: sockets, jobs, clocks.

use super::{Call, CallResult, Parts, id_text};
use serde_json::{Value, json};

/// The most alternatives in one CRM search; HubSpot takes five filter groups.
const SEARCH_GROUPS: usize = 5;

const CONTACTS: &str = "/crm/v3/objects/contacts";
const TASKS: &str = "/crm/v3/objects/tasks";

/// Our property of tasks, a single-line text that is to be defined in HubSpot beforehand.
const TASK_KEY: &str = "sync_key";

/// HubSpot's number of the association from a task to a contact.
const TASK_TO_CONTACT: u32 = 204;

/// The call as HTTP; a call to another peer reads as one that nothing answers.
pub(super) fn parts(call: &Call) -> Parts {
    match call {
        Call::SearchContact { email, customers } => {
            ("POST", format!("{CONTACTS}/search"), vec![], Some(search(email, customers)))
        }
        Call::CreateContact { properties } => {
            ("POST", CONTACTS.to_owned(), vec![], Some(json!({"properties": properties})))
        }
        Call::UpdateContact { id, fields } => {
            ("PATCH", format!("{CONTACTS}/{id}"), vec![], Some(json!({"properties": fields})))
        }
        Call::FindTask { key } => {
            let body = json!({"filterGroups": [group(TASK_KEY, key)], "properties": [TASK_KEY], "limit": 10});
            ("POST", format!("{TASKS}/search"), vec![], Some(body))
        }
        Call::CreateTask { .. } => ("POST", TASKS.to_owned(), vec![], Some(task(call))),
        _ => ("GET", CONTACTS.to_owned(), vec![], None),
    }
}

fn group(name: &str, value: &str) -> Value {
    json!({"filters": [{"propertyName": name, "operator": "EQ", "value": value}]})
}

fn task(call: &Call) -> Value {
    let Call::CreateTask { key, subject, body, due, contact } = call else { return Value::Null };
    let properties = json!({
        "hs_task_subject": subject,
        "hs_task_body": body,
        "hs_timestamp": due.to_string(),
        "hs_task_status": "NOT_STARTED",
        "hs_task_type": "TODO",
        TASK_KEY: key,
    });
    let association = |id: &String| {
        let kind = json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT});
        json!({"to": {"id": id}, "types": [kind]})
    };
    json!({"properties": properties, "associations": contact.iter().map(association).collect::<Vec<_>>()})
}

pub(super) fn search(email: &str, customers: &[String]) -> Value {
    let customers = customers.iter().map(|customer| group("stripe_customer_id", customer));
    let groups: Vec<_> = std::iter::once(group("email", email)).chain(customers).take(SEARCH_GROUPS).collect();
    json!({"filterGroups": groups, "properties": ["email", "stripe_customer_id"], "limit": 10})
}

/// What a 2xx means.
pub(super) fn success(call: &Call, body: &Value) -> Option<CallResult> {
    match call {
        Call::SearchContact { email, .. } => {
            let results = body["results"].as_array()?;
            let same = |result: &&Value| {
                result["properties"]["email"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(email))
            };
            let best = results.iter().find(same).or_else(|| results.iter().min_by_key(|result| age(result)));
            Some(CallResult::Found(best.and_then(|result| id_text(&result["id"]))))
        }
        Call::CreateContact { .. } => id_text(&body["id"]).map(CallResult::Created),
        // Of a contact that was merged away HubSpot answers with the one that is left, under its own id: that is ours now.
        Call::UpdateContact { id, .. } => Some(match id_text(&body["id"]).filter(|other| other != id) {
            Some(other) => CallResult::Conflict(other),
            None => CallResult::Updated,
        }),
        Call::FindTask { .. } => {
            let oldest = body["results"].as_array()?.iter().min_by_key(|result| age(result));
            Some(CallResult::Found(oldest.and_then(|result| id_text(&result["id"]))))
        }
        Call::CreateTask { .. } => id_text(&body["id"]).map(CallResult::Created),
        _ => None,
    }
}

/// CRM ids are numbers that grow: the smallest is the oldest contact.
fn age(result: &Value) -> u64 {
    id_text(&result["id"]).and_then(|id| id.parse().ok()).unwrap_or(u64::MAX)
}

/// `"Contact already exists. Existing ID: 123"`
pub(super) fn existing_id(body: &Value) -> Option<String> {
    let (_, rest) = body["message"].as_str()?.split_once("Existing ID:")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    id_text(&Value::String(digits))
}
