//! Re-keying over every recording at hand: instances share nothing of the customer, and everything else stays.
//!
//! What belongs to the customer is decided here anew, from the looks of a value and the keys above it, and not by
//! asking the rekeyer.

use super::{events::event_files, inside};
use hookdrill::stripe::{
    event::Event,
    import::{ImportOptions, from_text, load},
    recording::Recording,
    rekey::Rekeyer,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Keys whose values belong to the account, the catalogue, the bank, the API or the device.
const NOT_THE_CUSTOMERS: &[&str] = &[
    "api_version",
    "routing_number",
    "certificate",
    "root_certificate_authorities",
    "directory_server_id",
    "unit_amount_decimal",
    "amount_decimal",
    "unit_amount_excluding_tax",
    "customer_purchase_ip",
    "ip_address",
    "swift_code",
    "value",
    "coupon",
    "plan",
    "price",
    "product",
    "type",
    "footer",
    "lookup_key",
    "created",
    "controller",
];
const CATALOGUE: &[&str] = &["account", "price", "product", "plan", "coupon", "sku", "tax_rate", "payment_link"];
const KEPT_PREFIXES: &[&str] = &["price_", "prod_", "acct_", "txr_", "plan_", "pr_", "sk_", "pmc_", "feat_", "promo_"];

fn recordings() -> Vec<Recording> {
    let options = ImportOptions { allow_livemode: true };
    let mut found: Vec<Recording> = event_files().iter().filter_map(|file| load(file, options).ok()).collect();
    for entry in fs::read_dir(inside("fixtures")).expect("readable") {
        let folder = entry.expect("readable").path();
        if folder.join("story.toml").is_file() {
            found.push(load(&folder, options).unwrap_or_else(|errors| panic!("{errors}")));
        }
    }
    found
}

fn rekeyed(recording: &Recording, seed: u64, name: &str) -> Vec<Event> {
    let rekeyer = Rekeyer::new(seed, name, name, recording);
    recording.events.iter().map(|recorded| rekeyer.rekey(&recorded.event, 0)).collect()
}

/// Words of a body that look like somebody's: addresses, and words of eight and more characters with a digit.
fn personal(events: &[Event]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for event in events {
        let body: Value = serde_json::from_str(&event.body).expect("a rekeyed body is JSON");
        collect(&body, "", &mut found);
    }
    found
}

fn collect(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let kind = object.get("object").and_then(Value::as_str).unwrap_or_default();
            for (key, value) in object {
                if !(key == "id" && CATALOGUE.contains(&kind)) {
                    collect(value, key, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, found)),
        Value::String(text) if !NOT_THE_CUSTOMERS.contains(&key) => {
            let apart = |c: char| !(c.is_alphanumeric() || "_-@.".contains(c));
            let words = text.split(apart).filter(|word| {
                let telling = key == "fingerprint" || word.bytes().any(|b| b.is_ascii_digit());
                let opaque = word.len() >= 8 && telling;
                (opaque || word.contains('@')) && !KEPT_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
            });
            found.extend(words.map(str::to_owned));
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[test]
fn two_instances_share_nothing_of_the_customer() {
    let (mut values, mut shared) = (0, Vec::new());
    for recording in &recordings() {
        let original: Vec<Event> = recording.events.iter().map(|recorded| recorded.event.clone()).collect();
        let (one, two) = (rekeyed(recording, 1, "buy/1"), rekeyed(recording, 1, "buy/2"));
        let sets = [personal(&original), personal(&one), personal(&two)];
        values += sets[0].len();
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            shared.extend(sets[a].intersection(&sets[b]).map(|value| format!("{}: {value}", recording.name)));
        }
    }
    println!("{values} values of customers");
    assert!(shared.is_empty(), "{} shared: {shared:#?}", shared.len());
}

#[test]
fn the_seed_decides_and_nothing_else() {
    for recording in &recordings() {
        assert_eq!(rekeyed(recording, 1, "a"), rekeyed(recording, 1, "a"), "{}", recording.name);
        let ids = |seed| -> Vec<_> { rekeyed(recording, seed, "a").into_iter().map(|event| event.id).collect() };
        assert_ne!(ids(1), ids(2), "{}", recording.name);
    }
}

/// Pairs of old and new value at the same place; checks on the way that nothing but strings changed.
fn pairs(old: &Value, new: &Value, found: &mut Vec<(String, String)>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()));
            a.values().zip(b.values()).for_each(|(a, b)| pairs(a, b, found));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| pairs(a, b, found));
        }
        (Value::String(a), Value::String(b)) => found.push((a.clone(), b.clone())),
        (a, b) => assert_eq!(a, b),
    }
}

#[test]
fn references_hold_formatting_stays_and_lengths_are_kept() {
    for recording in &recordings() {
        let mut found = Vec::new();
        for (recorded, event) in recording.events.iter().zip(rekeyed(recording, 3, "a")) {
            let old = &recorded.event;
            assert_eq!(Event::parse(&event.body).expect("still an event"), event, "{}", recording.name);
            assert_eq!((&event.kind, event.created), (&old.kind, old.created));
            pairs(
                &serde_json::from_str(&old.body).expect("JSON"),
                &serde_json::from_str(&event.body).expect("JSON"),
                &mut found,
            );
            let frame = |body: &str| -> String { body.chars().filter(|c| !c.is_alphanumeric() && *c != '.').collect() };
            if !old.body.contains('@') && old.body.len() == event.body.len() {
                assert_eq!(frame(&old.body), frame(&event.body), "{}", recording.name);
            }
        }
        let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
        for (old, new) in found {
            // Ids that are too short to keep a thousand customers apart may grow.
            let full =
                old.rsplit('_').next().is_some_and(|body| body.len() >= 12 && body.chars().all(char::is_alphanumeric));
            let stripes = old.contains('_') && !old.contains(['@', ' ', '/']) && full;
            assert!(!stripes || old.len() == new.len(), "{}: {old} became {new}", recording.name);
            if stripes || old.contains('@') {
                assert_eq!(there.entry(old.clone()).or_insert(new.clone()), &new, "{}: {old}", recording.name);
                assert_eq!(back.entry(new.clone()).or_insert(old.clone()), &old, "{}: {new}", recording.name);
            }
        }
    }
}

/// A story that goes on is about the same customer: what stands in both recordings becomes the same in both.
#[test]
fn stories_that_go_on_fit_together() {
    let all = recordings();
    let named = |name: &str| all.iter().find(|recording| recording.name == name && recording.story.is_some());
    let mut compared = 0;
    for second in &all {
        let Some(first) = second.story.as_ref().and_then(|story| named(story.continues.as_deref()?)) else { continue };
        let mut there = BTreeMap::new();
        for recording in [first, second] {
            let mut found = Vec::new();
            for (recorded, event) in recording.events.iter().zip(rekeyed(recording, 5, "chain")) {
                let read = |body: &str| -> Value { serde_json::from_str(body).expect("JSON") };
                pairs(&read(&recorded.event.body), &read(&event.body), &mut found);
            }
            for (old, new) in found {
                assert_eq!(there.entry(old).or_insert(new.clone()), &new, "{} and {}", first.name, second.name);
            }
        }
        compared += 1;
    }
    println!("{compared} stories go on from another one");
}

const BODY: &str = r#"{"id":"evt_3SpnLRQmZ4vTe8Ra0Kd8eOis","object":"event","account":"acct_1SOafFQmZ4vTe8Ra","created":1768471200,
 "type":"invoice.paid", "data":{"object":{"id":"in_1SpnLRQmZ4vTe8RaLt7tudsq","object":"invoice","status":"in_progress",
 "customer":"cus_TZbnffBNpdag7f","customer_email":"ada@example.com","amount_due":1768471200,"weird":1.0e+2,
 "created":1768471200,"due_date":null,"period_end":1769680800,"number":"7C1E9A42-0001","client_reference_id":"u-7",
 "description":"Update of sub_1SpnLRQmZ4vTe8RaIlLd2y35, \u00fcber \/ cus_TZbnffBNpdag7f\nsub_1SpnLRQmZ4vTe8RaIlLd2y35.",
 "metadata":{"user_id":"u-7","seats":"u-7x","note":"see ada@example.com"},
 "client_secret":"pi_3SpnLRQmZ4vTe8Ra0Kd8eOis_secret_km90rPoTblvR93Dq093JZRMWH","payment_intent":"pi_3SpnLRQmZ4vTe8Ra0Kd8eOis",
 "lines":{"data":[{"price":{"id":"gold-2024","object":"price"},"plan":"gold-2024","product":"prod_TQrNBUCQQGT39B"}]},
 "hosted_invoice_url":"https://invoice.stripe.com/i/acct_1SOafFQmZ4vTe8Ra/test_0CLxpXmoJhy2kQ89bpPD7qb?s=ap#%2FABCdef0123456789xyz"
 }},"livemode":false,"request":{"id":null,"idempotency_key":"1ac6bd2a-1a20-4d0b-b888-1370389de891"}}"#;

fn sample() -> Recording {
    let events = from_text("a.json", BODY, ImportOptions::default()).expect("an event");
    Recording { name: "a".to_owned(), events, story: None }
}

#[test]
fn each_kind_of_value_is_treated_as_its_own() {
    let recording = sample();
    let rekeyer = Rekeyer::new(1, "chain", "person", &recording);
    let event = rekeyer.rekey(&recording.events[0].event, 3600);
    let object = event.object();
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    assert_eq!((event.created, object["created"].as_i64()), (1_768_474_800, Some(1_768_474_800)));
    assert_eq!(
        (object["period_end"].as_i64(), object["amount_due"].as_i64()),
        (Some(1_769_684_400), Some(1_768_471_200))
    );
    assert!(event.body.contains("\"weird\":1.0e+2,") && event.body.contains("\\u00fcber \\/ cus_"));
    assert!(event.body.contains("\"type\":\"invoice.paid\", \"data\"") && text("status") == "in_progress");
    assert_eq!(event.account.as_deref(), Some("acct_1SOafFQmZ4vTe8Ra"));
    assert!(event.id.as_str().starts_with("evt_3") && event.id.as_str() != "evt_3SpnLRQmZ4vTe8Ra0Kd8eOis");
    let subscription = rekeyer.token("sub_1SpnLRQmZ4vTe8RaIlLd2y35");
    let customer = rekeyer.token("cus_TZbnffBNpdag7f");
    assert_eq!(text("customer"), customer);
    assert_eq!(text("description"), format!("Update of {subscription}, über / {customer}\n{subscription}."));
    assert_eq!(text("customer_email"), rekeyer.token("ada@example.com"));
    assert!(text("customer_email").ends_with("@example.com"));
    assert_eq!(object["metadata"]["note"], format!("see {}", text("customer_email")));
    assert_eq!(
        (object["metadata"]["user_id"].as_str(), text("client_reference_id")),
        (Some(&*rekeyer.token("u-7")), rekeyer.token("u-7"))
    );
    assert_eq!(object["metadata"]["seats"], "u-7x");
    assert!(text("number").ends_with("-0001") && !text("number").starts_with("7C1E9A42"));
    assert!(text("client_secret").starts_with(&format!("{}_secret_", text("payment_intent"))));
    let line = &object["lines"]["data"][0];
    assert_eq!(
        (&line["plan"], &line["price"]["id"], &line["product"]),
        (&"gold-2024".into(), &"gold-2024".into(), &"prod_TQrNBUCQQGT39B".into())
    );
    let url = text("hosted_invoice_url");
    assert!(
        url.starts_with("https://invoice.stripe.com/i/acct_1SOafFQmZ4vTe8Ra/test_") && url.contains("?s=ap#%2F"),
        "{url}"
    );
    assert!(!url.contains("0CLxpXmoJhy2") && !url.contains("ABCdef0123"), "{url}");
}

#[test]
fn the_apps_own_ids_are_exchanged_where_the_story_names_them() {
    let story = r#"version=1
name="a"
about=""
provenance="synthetic"
api_version=""
source=""
user="user_2fAbCdEfGhIjK"
rekey.paths=["metadata.club","lines.data.0.ref"]
end={access="none",status="none",plan="none",contacts=0}"#;
    let body = BODY.replace("\"u-7\"", "\"user_2fAbCdEfGhIjK\"").replace(
        "\"seats\":\"u-7x\"",
        "\"seats\":\"35\",\"club\":\"35\",\"mail\":\"https://x.y/?to=ada%40example.com\"",
    );
    let events = from_text("a.json", &body, ImportOptions::default()).expect("an event");
    let story = Some(toml::from_str(story).expect("a story"));
    let recording = Recording { name: "a".to_owned(), events, story };
    let rekeyer = Rekeyer::new(1, "i", "p", &recording);
    let metadata = rekeyer.rekey(&recording.events[0].event, 0).object()["metadata"].clone();
    let user = rekeyer.token("user_2fAbCdEfGhIjK");
    assert!(user.starts_with("user_") && user != "user_2fAbCdEfGhIjK" && user.len() == 18, "{user}");
    assert_eq!(metadata["user_id"], user);
    assert_eq!((metadata["seats"].as_str(), metadata["club"].as_str()), (Some("35"), Some(&*rekeyer.token("35"))));
    let mail = rekeyer.token("ada@example.com").replace('@', "%40");
    assert_eq!(metadata["mail"], format!("https://x.y/?to={mail}"));
}

#[test]
fn instance_and_person_are_told_apart() {
    let recording = sample();
    let tokens = |instance: &str, person: &str| {
        let rekeyer = Rekeyer::new(1, instance, person, &recording);
        ["cus_TZbnffBNpdag7f", "ada@example.com", "u-7"].map(|token| rekeyer.token(token))
    };
    let (a, other_instance, other_person) = (tokens("i", "p"), tokens("j", "p"), tokens("i", "q"));
    assert!(a[0] != other_instance[0] && a[1..] == other_instance[1..]);
    assert!(a[0] == other_person[0] && a[1] != other_person[1] && a[2] != other_person[2]);
}

#[test]
fn a_thousand_customers_stay_apart_even_with_short_ids() {
    let body = BODY.replace("cus_TZbnffBNpdag7f", "cus_123").replace("\"u-7\"", "\"10\"");
    let events = from_text("a.json", &body, ImportOptions::default()).expect("an event");
    let recording = Recording { name: "a".to_owned(), events, story: None };
    let mut seen = BTreeSet::new();
    for number in 0..1000 {
        let name = format!("buy/{number}");
        let rekeyer = Rekeyer::new(1, &name, &name, &recording);
        let event = rekeyer.rekey(&recording.events[0].event, 0);
        seen.insert(event.id.as_str().to_owned());
        seen.extend(["cus_123", "ada@example.com", "10"].map(|token| rekeyer.token(token)));
    }
    assert_eq!(seen.len(), 4000);
}

proptest::proptest! {
    #[test]
    fn any_text_is_rekeyed_to_an_event_of_the_same_frame(
        text in r#"([a-zA-Z0-9_%@. /é😀\"\\\n-]|sub_1SpnLRQmZ4vTe8Ra|ada@example\.com|%40|https://pay\.stripe\.com/|_secret_){0,12}"#,
        key in "description|id|number|url|fingerprint|client_reference_id|reference",
    ) {
        let value = Value::from(text.as_str()).to_string();
        let body = BODY.replace("\"status\":\"in_progress\"", &format!("\"status\":\"x\",\"more\":{{\"{key}\":{value}}}"));
        let events = from_text("a.json", &body, ImportOptions::default()).expect("an event");
        let recording = Recording { name: "a".to_owned(), events, story: None };
        let event = Rekeyer::new(1, "i", "p", &recording).rekey(&recording.events[0].event, 7);
        let again = Event::parse(&event.body).expect("still an event");
        proptest::prop_assert_eq!(&again, &event);
        let blanks = |text: &str| text.matches(char::is_whitespace).count();
        proptest::prop_assert_eq!(blanks(again.object()["more"][&key].as_str().expect("a text")), blanks(&text));
    }
}
