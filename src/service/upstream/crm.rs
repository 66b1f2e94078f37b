//! Calls to the CRM: HubSpot's contacts API, version 3.
//!
//! Must not know: sockets, jobs, clocks.

use super::{Call, CallResult, Parts, id_text};
use serde_json::{Value, json};

/// The most alternatives in one CRM search; HubSpot takes five filter groups.
const SEARCH_GROUPS: usize = 5;

const CONTACTS: &str = "/crm/v3/objects/contacts";

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
        _ => ("GET", CONTACTS.to_owned(), vec![], None),
    }
}

pub(super) fn search(email: &str, customers: &[String]) -> Value {
    let group =
        |name: &str, value: &str| json!({"filters": [{"propertyName": name, "operator": "EQ", "value": value}]});
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
        Call::UpdateContact { .. } => Some(CallResult::Updated),
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
