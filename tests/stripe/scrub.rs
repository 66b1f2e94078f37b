//! Scrubbing leaves nobody, breaks no reference and touches nothing else.

use super::planted;
use hookdrill::stripe::{event::Event, scrub::Scrubber};
use serde_json::Value;
use std::collections::BTreeMap;

fn scrubbed(bodies: &[String]) -> Vec<String> {
    let mut scrubber = Scrubber::new([7; 32]);
    for body in bodies {
        scrubber.learn(body);
    }
    bodies.iter().map(|body| scrubber.scrub(body).text).collect()
}

/// Every string and number of a body with its path.
fn leaves(path: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| leaves(&format!("{path}/{key}"), value, into)),
        Value::Array(items) => items.iter().for_each(|value| leaves(&format!("{path}/-"), value, into)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
            into.push((path.to_owned(), value.clone()))
        }
    }
}

fn all_leaves(bodies: &[String]) -> Vec<(String, Value)> {
    let mut into = Vec::new();
    for body in bodies {
        leaves("", &serde_json::from_str(body).expect("JSON"), &mut into);
    }
    into
}

#[test]
fn none_of_two_hundred_planted_values_is_left() {
    let (values, bodies) = (planted::values(), planted::bodies());
    assert_eq!((values.len(), values.iter().collect::<std::collections::BTreeSet<_>>().len()), (200, 200));
    let before = planted::found(&bodies.join("\n"), &values);
    let missed: Vec<_> = values.iter().filter(|value| !before.contains(value.as_str())).collect();
    assert!(missed.is_empty(), "the search is blind for {missed:?}");
    let after = scrubbed(&bodies).join("\n");
    assert_eq!(planted::found(&after, &values), std::collections::BTreeSet::new(), "{after}");
}

#[test]
fn the_search_sees_each_value_in_every_spelling() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let values = planted::values();
    for value in &values {
        let escaped: String = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let percent: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let inner = Value::from(format!("{{\"a\":{}}}", Value::from(value.as_str()))).to_string();
        let encoded = STANDARD.encode(format!("who is {value}?"));
        for text in [value.to_uppercase(), format!("\"{escaped}\""), percent, format!("{{\"x\":{inner}}}"), encoded] {
            assert!(planted::found(&text, std::slice::from_ref(value)).len() == 1, "{value} in {text}");
        }
    }
}

#[test]
fn references_outlive_it_and_nothing_else_changes() {
    let bodies = planted::bodies();
    let (before, after) = (all_leaves(&bodies), all_leaves(&scrubbed(&bodies)));
    assert_eq!(before.len(), after.len());
    let (mut became, mut stands_for) = (BTreeMap::new(), BTreeMap::new());
    for ((path, old), (new_path, new)) in before.iter().zip(&after) {
        assert_eq!(path, new_path);
        if !old.is_string() {
            assert_eq!(old, new, "{path}");
            continue;
        }
        let (old, new) = (old.as_str().expect("text"), new.as_str().expect("text"));
        assert_eq!(*became.entry(old).or_insert(new), new, "{path}: {old}");
        assert_eq!(*stands_for.entry(new).or_insert(old), old, "{path}: {new}");
        let last = path.rsplit('/').next().unwrap_or_default();
        let is_still = [
            "id",
            "object",
            "type",
            "customer",
            "subscription",
            "payment_intent",
            "status",
            "country",
            "brand",
            "user_id",
            "plan",
            "client_reference_id",
            "number",
            "price",
            "seller_message",
            "idempotency_key",
            "key",
            "mode",
        ];
        if is_still.contains(&last) {
            assert_eq!(old, new, "{path}");
        }
    }
    for person in planted::people() {
        let name = format!("{} {}", person.of("first"), person.of("last"));
        let new = became[name.as_str()];
        let told =
            before.iter().zip(&after).filter(|((_, old), _)| old.as_str().is_some_and(|old| old.contains(&name)));
        let told: Vec<_> = told.map(|(_, (path, new))| (path, new.as_str().expect("text"))).collect();
        assert!(told.len() > 8, "{told:?}");
        for (path, text) in told {
            assert!(text.contains(new), "{path}: {text} without {new}");
        }
    }
}

#[test]
fn every_byte_around_an_exchange_stays() {
    let body = "{\"id\":\"evt_1\" , \"object\":\"event\",\"created\":1.50e9,\"type\":\"x.y\",\n\t\"data\":{\"object\":{\
        \"name\":\"Ad\\u0061\",\"a\":\"\\u003c\\/tag\\u003e\",\"n\":1.0,\"email\":\"a\\u0040b.org\",\"b\":[ ]}}}";
    let new = &scrubbed(&[body.to_owned()])[0];
    let rest = |text: &str| {
        let text = text.split_once("\"name\":\"").expect("a name");
        let (name, rest) = text.1.split_once('"').expect("an end");
        assert!(!name.is_empty());
        let (middle, rest) = rest.split_once("\"email\":\"").expect("an e-mail");
        format!("{}|{middle}|{}", text.0, rest.split_once('"').expect("an end").1)
    };
    assert_eq!(rest(new), rest(body));
    assert!(new.contains("@example.com\"") && !new.contains("Ad\\u0061"), "{new}");
}

#[test]
fn a_name_that_becomes_known_later_is_found_in_what_was_written_before() {
    let early = r#"{"object":"customer","metadata":{"ref":"order-quillfeather-7"}}"#;
    let mut scrubber = Scrubber::new([3; 32]);
    scrubber.learn(early);
    let first = scrubber.scrub(early);
    assert!(first.text.contains("quillfeather") && first.loose.contains("quillfeather"), "{first:?}");
    let new = scrubber.learn(r#"{"object":"customer","name":"Zoë Quillfeather"}"#);
    assert!(new.contains("quillfeather"), "{new:?}");
    let again = scrubber.scrub_words(&first.text, &new).text;
    assert!(!again.contains("quillfeather") && again.contains("order-") && again.contains("-7"), "{again}");
}

#[test]
fn repeated_keys_and_odd_bodies_are_scrubbed_too() {
    let twice = r#"{"email":"a@private.org","email":"b@private.org","metadata":{"c@private.org":"x"}}"#;
    let new = &scrubbed(&[twice.to_owned()])[0];
    assert!(!new.contains("private"), "{new}");
    let dob = r#"{"object":"person","dob":{"day":31,"month":12,"year":1907},"relationship":{"title":"Aunt Prudence"}}"#;
    let new = &scrubbed(&[dob.to_owned()])[0];
    assert!(!new.contains("1907") && !new.contains("Prudence"), "{new}");
    serde_json::from_str::<Value>(new).expect("still JSON");
}

#[test]
fn the_shipped_recordings_stay_events() {
    for entry in std::fs::read_dir(super::inside("fixtures")).expect("fixtures").flatten() {
        let Ok(files) = std::fs::read_dir(entry.path()) else { continue };
        let files: Vec<_> =
            files.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "json")).collect();
        let bodies: Vec<String> =
            files.iter().map(|file| std::fs::read_to_string(file.path()).expect("text")).collect();
        for (old, new) in bodies.iter().zip(scrubbed(&bodies)) {
            let Ok(event) = Event::parse(old) else { continue };
            let new = Event::parse(&new).expect("an event");
            assert_eq!((event.id, event.kind, event.created), (new.id.clone(), new.kind.clone(), new.created));
            assert!(!new.body.contains("ada@example.com"));
            let status =
                |body: &str| serde_json::from_str::<Value>(body).expect("JSON").pointer("/data/object/status").cloned();
            assert_eq!(status(old), status(&new.body));
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_json_breaks_it(text in ".*", key in "[a-zA-Z_]{0,12}", number in proptest::num::f64::NORMAL) {
        let body = serde_json::json!({ (key.clone()): text, "metadata": { (text.clone()): [text, number] }, "dob": { (key): number } }).to_string();
        let new = &scrubbed(&[body])[0];
        proptest::prop_assert!(serde_json::from_str::<Value>(new).is_ok(), "{new}");
        let _ = scrubbed(&[text]);
    }
}

#[test]
fn a_link_in_a_text_hides_nothing_around_it() {
    for text in [
        "Zelda Quux 84 ordered at https://shop.test/o/17 for 49 EUR",
        "(https://shop.test/o/17) Zelda Quux",
        "zelda@quux.test see https://shop.test/o/17",
        "https://shop.test/o/17 zelda@quux.test",
        "<https://shop.test/o/17|Zelda Quux>",
        "[Zelda Quux](https://shop.test/o/17)",
        "/login?name=Zelda&mail=zelda%40quux.test&next=https://shop.test/o/17",
        "/login?name=zelda&mail=zelda@quux.test",
        "name=Zelda&next=https://shop.test/o/17",
        "https://shop.test/login?next=https://shop.test/o?name=Zelda&x=1",
        "Zelda saved 100%20 at https://shop.test/o/17",
        "file:///home/Zelda/x://y",
        "Call +49 30 1234567 from Zelda, https://shop.test/o/17 or https://shop.test/o/18",
    ] {
        for key in ["description", "note", "name", "source", "next_url"] {
            let body = serde_json::json!({ "object": "charge", "metadata": { key: text } }).to_string();
            let new = scrubbed(&[body])[0].to_lowercase();
            for word in ["zelda", "quux", "1234567"] {
                assert!(!new.contains(word), "{key}: {text}: {new}");
            }
            let kept = text.contains("shop.test/o/17") && !text.contains("://y");
            assert!(!kept || new.contains("https://shop.test/o/17"), "{key}: {text}: {new}");
        }
    }
    let body = serde_json::json!({ "object": "charge", "description": "for Zelda Quux, https://shop.test/o/17" });
    let new = scrubbed(&[body.to_string()])[0].to_lowercase();
    assert!(!new.contains("zelda") && new.contains("https://shop.test/o/17"), "{new}");
}

#[test]
fn what_an_app_reads_by_stays() {
    let id = "pi_3Sx00Qp7RtVb2aaaaaaaa";
    let body = serde_json::json!({
        "object": "payment_intent", "client_secret": format!("{id}_secret_aB3dE0fGhIjKlMn"),
        "metadata": { "note for us": "Zelda said hi", "Zelda Quux": 1, "dob": "1961-02-11", "born": "31/12/1961",
                      "log": "Zelda came on 1961-02-11 at noon", "start": "1961-02-11", "slack": "@mrs_quux9" },
        "invoice_settings": { "custom_fields": [{ "name": "Contact", "value": "Zelda Quux" }] },
        "shipping": { "tracking_number": "1Z999AA10123456784", "name": "Zelda Quux" }, "locale": "tr_TR",
    });
    let new = scrubbed(&[body.to_string()])[0].clone();
    for gone in ["Zelda", "Quux", "quux9", "aB3dE0", "1961-02-11", "31/12/1961", "1Z999", "came"] {
        assert!(!new.contains(gone), "{gone} in {new}");
    }
    let new: Value = serde_json::from_str(&new).expect("JSON");
    assert!(new["client_secret"].as_str().expect("a text").starts_with(&format!("{id}_secret_")), "{new}");
    assert!(new["metadata"]["note for us"].is_string() && new["locale"] == "tr_TR", "{new}");
    assert_eq!(new["invoice_settings"]["custom_fields"][0]["name"], "Contact");
    let metadata = &new["metadata"];
    let (dob, born) = (metadata["dob"].as_str().expect("a day"), metadata["born"].as_str().expect("a day"));
    assert!(metadata["log"].as_str().expect("a text").contains(dob) && metadata["start"] == dob, "{new}");
    let part = |text: &str, range: std::ops::Range<usize>| text[range].parse::<u16>().expect("a number");
    for (year, month, day) in
        [(part(dob, 0..4), part(dob, 5..7), part(dob, 8..10)), (part(born, 6..10), part(born, 3..5), part(born, 0..2))]
    {
        assert!((1940..2000).contains(&year) && (1..13).contains(&month) && (1..13).contains(&day), "{dob} {born}");
    }
}
