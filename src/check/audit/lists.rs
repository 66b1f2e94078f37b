//! People and tickets as CRMs and desks export them: CSV or JSON, of whatever shape, as long as an e-mail stands in it.
//!
//! Must not know: which tool it was.

use serde_json::Value;

/// A contact, or a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its id there; its place in the list when it has none.
    pub id: String,
    /// Whose it is, in lower case.
    pub email: Option<String>,
    /// A Stripe customer that it names.
    pub customer: Option<String>,
    /// The key under which whoever made it would find it again.
    pub key: Option<String>,
}

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// People.
    Contacts,
    /// Tickets.
    Tickets,
}

/// Reads an export.
///
/// # Errors
/// What is missing, in words.
pub fn read(text: &str, of: Of) -> Result<Vec<Entry>, String> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let entries = if start.starts_with(['{', '[']) { json(start, of)? } else { table(start)? };
    if entries.iter().all(|entry| entry.email.is_none()) && !entries.is_empty() {
        return Err("no e-mail in any of its entries; export it with the column of the address".to_owned());
    }
    Ok(entries)
}

fn json(text: &str, of: Of) -> Result<Vec<Entry>, String> {
    // One value, or one a line.
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    let values = values.map_err(|error| format!("not valid JSON: {error}"))?;
    let mut entries = Vec::new();
    for value in &values {
        gather(value, of, "", &mut entries);
    }
    Ok(entries)
}

/// Objects that have an address, themselves or under `properties`, `requester` or the like. Of a file that holds both
/// people and tickets, only those asked for.
fn gather(value: &Value, of: Of, below: &str, entries: &mut Vec<Entry>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, of, below, entries)),
        Value::Object(object) => {
            let other = match of {
                Of::Contacts => ["tickets", "conversations", "cases"],
                Of::Tickets => ["contacts", "leads", "people"],
            };
            let own = match of {
                Of::Contacts => ["contacts", "people", "leads"],
                Of::Tickets => ["tickets", "conversations", "cases"],
            };
            if let Some((key, list)) = own.iter().find_map(|key| object.get_key_value(*key)) {
                return gather(list, of, key, entries);
            }
            let is_entry = address(value).is_some() || own.contains(&below) && object.contains_key("id");
            if is_entry {
                entries.push(entry(value, entries.len()));
                return;
            }
            for (key, inner) in object.iter().filter(|(key, _)| !other.contains(&key.as_str())) {
                gather(inner, of, key, entries);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn entry(value: &Value, number: usize) -> Entry {
    let words = |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string()));
    let at =
        |key: &str| words(&value[key]).or_else(|| words(&value["properties"][key])).filter(|text| !text.is_empty());
    Entry {
        id: ["id", "hs_object_id", "record_id", "ticket_id"]
            .iter()
            .find_map(|key| at(key))
            .unwrap_or_else(|| (number + 1).to_string()),
        email: address(value),
        customer: customer(value),
        key: ["external_id", "idempotency_key", "key"].iter().find_map(|key| at(key)),
    }
}

fn address(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let own = object.iter().find(|(key, value)| is_email_key(key) && value.as_str().is_some_and(is_address));
    let inner = ["properties", "requester", "contact", "customer", "source", "author"];
    own.and_then(|(_, value)| value.as_str().map(clean))
        .or_else(|| object.get("requester").and_then(Value::as_str).filter(|text| is_address(text)).map(clean))
        .or_else(|| inner.iter().find_map(|key| address(object.get(*key)?)))
}

/// A Stripe customer under whatever key.
fn customer(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.starts_with("cus_") => Some(text.clone()),
        Value::Object(object) => object.values().find_map(customer),
        _ => None,
    }
}

fn table(text: &str) -> Result<Vec<Entry>, String> {
    let first = text.lines().next().unwrap_or_default();
    let delimiter =
        [b',', b';', b'\t'].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count()).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let heads = reader.headers().map_err(|error| format!("not a table: {error}"))?.clone();
    let column = |is: &dyn Fn(&str) -> bool| heads.iter().position(|head| is(&head.trim().to_lowercase()));
    let email = column(&|head| is_email_key(head))
        .or_else(|| column(&|head| head.contains("email") || head.contains("e-mail")));
    let email = email.ok_or_else(|| {
        format!("no column with an e-mail; there are: {}", heads.iter().collect::<Vec<_>>().join(", "))
    })?;
    let id =
        column(&|head| matches!(head, "id" | "record id" | "contact id" | "ticket id" | "ticket_id" | "record_id"));
    let key = column(&|head| matches!(head, "external id" | "external_id" | "key"));
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| format!("not a table: {error}"))?;
        let cell = |column: Option<usize>| row.get(column?).map(str::trim).filter(|text| !text.is_empty());
        entries.push(Entry {
            id: cell(id).map_or_else(|| (entries.len() + 1).to_string(), str::to_owned),
            email: cell(Some(email)).filter(|text| is_address(text)).map(clean),
            customer: row.iter().find(|text| text.trim().starts_with("cus_")).map(|text| text.trim().to_owned()),
            key: cell(key).map(str::to_owned),
        });
    }
    Ok(entries)
}

fn is_email_key(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    matches!(
        plain.as_str(),
        "email" | "emailaddress" | "mail" | "primaryemail" | "requesteremail" | "customeremail" | "contactemail"
    )
}

fn is_address(text: &str) -> bool {
    text.trim().split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
}

fn clean(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> Vec<(String, String)> {
        let entries = read(text, Of::Contacts).expect("reads");
        entries.into_iter().map(|entry| (entry.id, entry.email.unwrap_or_default())).collect()
    }

    #[test]
    fn tables_and_json_of_many_shapes() {
        let expected = [("7".to_owned(), "ada@x.org".to_owned()), ("8".to_owned(), "bob@x.org".to_owned())];
        for text in [
            "\u{feff}Record ID,First Name,Email\n7,\"Ada, \"\"L\"\"\",Ada@x.org\n8,Bob,bob@x.org\n",
            "id;E-Mail\n7;ADA@x.org \n8;bob@x.org",
            r#"{"results":[{"id":"7","properties":{"email":"ada@x.org"}},{"id":8,"properties":{"email":"bob@x.org"}}]}"#,
            "{\"id\":7,\"email\":\"ada@x.org\"}\n{\"id\":8,\"email\":\"bob@x.org\"}\n",
            r#"{"tickets":[{"id":"1","requester":"z@x.org"}],"contacts":[{"id":7,"email":"ada@x.org"},{"id":8,"email":"bob@x.org"}]}"#,
        ] {
            assert_eq!(people(text), expected, "{text}");
        }
        let tickets = read(
            r#"{"contacts":[{"email":"a@x.org"}],"tickets":[{"id":"1","requester":"z@x.org","external_id":"k"}]}"#,
            Of::Tickets,
        );
        assert_eq!(
            tickets.expect("reads"),
            [Entry { id: "1".into(), email: Some("z@x.org".into()), customer: None, key: Some("k".into()) }]
        );
        assert_eq!(people("[]"), []);
    }

    #[test]
    fn what_has_no_address_is_refused_in_words() {
        assert!(read("id,name\n1,Ada\n", Of::Contacts).expect_err("refused").contains("there are: id, name"));
        assert!(read("{\"contacts\":[{\"id\":1}]}", Of::Contacts).expect_err("refused").contains("no e-mail"));
        assert!(read("{\"a\":", Of::Contacts).expect_err("refused").contains("not valid JSON"));
    }
}
