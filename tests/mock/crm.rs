//! Rules of the CRM model.

use super::{call, json};
use hookdrill::{
    mock::{
        answer::Answered,
        crm::{Crm, CrmOptions},
        effect::Effect,
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CONTACTS: &str = "/crm/v3/objects/contacts";

fn crm() -> Crm {
    Crm::new(&CrmOptions { search_lag_ms: 100, epoch: Timestamp::from_secs(1_767_225_600), ..CrmOptions::default() })
}

fn create(crm: &mut Crm, now_ms: u64, properties: Value) -> Answered {
    crm.handle(now_ms, &call("POST", CONTACTS, &json!({ "properties": properties })))
}

fn update(crm: &mut Crm, now_ms: u64, id: &str, properties: Value) -> Answered {
    crm.handle(now_ms, &call("PATCH", &format!("{CONTACTS}/{id}"), &json!({ "properties": properties })))
}

fn search(crm: &mut Crm, now_ms: u64, body: &Value) -> Value {
    let answered = crm.handle(now_ms, &call("POST", &format!("{CONTACTS}/search"), body));
    assert_eq!((answered.operation, answered.response.status), ("search_contacts", 200));
    assert!(answered.effects.is_empty());
    json(&answered.response)
}

fn filter(property: &str, operator: &str, value: Value) -> Value {
    let field = if value.is_array() { "values" } else { "value" };
    let mut filter = json!({ "propertyName": property, "operator": operator });
    if !value.is_null() {
        filter[field] = value;
    }
    json!({ "filterGroups": [{ "filters": [filter] }] })
}

fn ids(found: &Value) -> Vec<&str> {
    found["results"].as_array().expect("results").iter().filter_map(|contact| contact["id"].as_str()).collect()
}

#[test]
fn a_create_is_answered_like_hubspot_and_counted() {
    let mut crm = crm();
    let answered =
        create(&mut crm, 1_500, json!({ "email": "anna@example.com", "seats": 3, "vip": true, "phone": null }));
    assert_eq!((answered.operation, answered.response.status), ("create_contact", 201));
    let shown = json(&answered.response);
    assert_eq!(shown["createdAt"], "2026-01-01T00:00:01.500Z");
    assert_eq!(shown["properties"]["seats"], "3");
    assert_eq!(shown["properties"]["vip"], "true");
    assert_eq!(shown["properties"].get("phone"), None);
    assert_eq!(shown["properties"]["hs_object_id"], shown["id"]);
    let id = shown["id"].as_str().expect("an id").to_owned();
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(answered.effects, [Effect::ContactCreated { contact: id, email: Some("anna@example.com".into()) }]);
    assert_eq!(crm.contacts().len(), 1);
}

#[test]
fn an_email_belongs_to_one_contact_whatever_its_letter_case() {
    let mut crm = crm();
    let id = json(&create(&mut crm, 0, json!({ "email": "Anna@Example.com" })).response)["id"].clone();
    let id = id.as_str().expect("an id");
    // At once: the search index lags, the check for uniqueness does not.
    let conflict = create(&mut crm, 0, json!({ "email": " anna@example.COM" }));
    assert_eq!(conflict.response.status, 409);
    assert_eq!(conflict.effects, []);
    let body = json(&conflict.response);
    assert_eq!(body["message"], format!("Contact already exists. Existing ID: {id}"));
    assert_eq!((body["category"].as_str(), body["status"].as_str()), (Some("CONFLICT"), Some("error")));
    assert_eq!(body["correlationId"].as_str().map(str::len), Some(36));

    let other = json(&create(&mut crm, 0, json!({ "email": "bo@example.com" })).response)["id"].clone();
    let taken =
        update(&mut crm, 1, other.as_str().expect("an id"), json!({ "email": "ANNA@example.com", "plan": "pro" }));
    assert_eq!((taken.response.status, taken.effects.len()), (409, 0));
    assert_eq!(crm.contacts()[1].properties, BTreeMap::from([("email".into(), "bo@example.com".into())]));
}

#[test]
fn an_email_that_was_given_up_is_free_again() {
    let mut crm = crm();
    create(&mut crm, 0, json!({ "email": "a@example.com" }));
    assert_eq!(update(&mut crm, 1, "1001", json!({ "email": "b@example.com" })).response.status, 200);
    assert_eq!(create(&mut crm, 2, json!({ "email": "a@example.com" })).response.status, 201);
    assert_eq!(create(&mut crm, 3, json!({ "email": "b@example.com" })).response.status, 409);
    assert_eq!(update(&mut crm, 4, "1001", json!({ "email": "" })).response.status, 200);
    assert_eq!(create(&mut crm, 5, json!({ "email": "b@example.com" })).response.status, 201);
}

#[test]
fn an_update_counts_only_what_is_another_value_now() {
    let mut crm = crm();
    create(&mut crm, 0, json!({ "email": "Anna@example.com", "plan": "basic", "seats": "3" }));
    let equal =
        update(&mut crm, 10, "1001", json!({ "email": "anna@example.com", "plan": "basic", "seats": 3, "phone": "" }));
    assert_eq!((equal.operation, equal.response.status), ("update_contact", 200));
    assert_eq!(equal.effects, []);
    assert_eq!(json(&equal.response)["updatedAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(crm.contacts()[0].properties["email"], "Anna@example.com");

    let changed = update(&mut crm, 20, "1001", json!({ "plan": "pro", "seats": null, "email": "anna@example.com" }));
    let wanted = BTreeMap::from([
        ("plan".to_owned(), (Some("basic".to_owned()), Some("pro".to_owned()))),
        ("seats".to_owned(), (Some("3".to_owned()), None)),
    ]);
    assert_eq!(changed.effects, [Effect::ContactUpdated { contact: "1001".into(), changed: wanted }]);
    assert_eq!(json(&changed.response)["updatedAt"], "2026-01-01T00:00:00.020Z");
    assert_eq!(crm.contacts()[0].properties.get("seats"), None);
}

#[test]
fn search_lags_behind_creates_and_updates_and_reads_do_not() {
    let mut crm = crm();
    create(&mut crm, 1_000, json!({ "email": "anna@example.com", "plan": "basic" }));
    let by_email = filter("email", "EQ", json!("ANNA@example.com"));
    assert_eq!(search(&mut crm, 1_099, &by_email)["total"], 0);
    assert_eq!(search(&mut crm, 1_100, &by_email)["total"], 1);
    let read =
        crm.handle(1_000, &call("GET", &format!("{CONTACTS}/ANNA%40example.com?idProperty=email"), &Value::Null));
    assert_eq!((read.operation, json(&read.response)["id"].as_str()), ("get_contact", Some("1001")));

    update(&mut crm, 2_000, "1001", json!({ "plan": "pro" }));
    let wanted = |plan: &str| {
        let mut body = filter("plan", "EQ", json!(plan));
        body["properties"] = json!(["plan", "nickname"]);
        body
    };
    assert_eq!(ids(&search(&mut crm, 2_099, &wanted("pro"))), [""; 0]);
    let old = search(&mut crm, 2_099, &wanted("basic"));
    assert_eq!(old["results"][0]["properties"]["plan"], "basic");
    assert_eq!(old["results"][0]["properties"]["nickname"], Value::Null);
    assert_eq!(ids(&search(&mut crm, 2_100, &wanted("pro"))), ["1001"]);
    assert_eq!(ids(&search(&mut crm, 2_100, &wanted("basic"))), [""; 0]);
}

#[test]
fn filters_of_a_group_all_hold_and_one_group_is_enough() {
    let mut crm = crm();
    for (email, plan) in [("a@example.com", "basic"), ("b@example.com", "pro"), ("c@other.example", "pro")] {
        crm.give(BTreeMap::from([("email".into(), email.into()), ("plan".into(), plan.into())]));
    }
    crm.give(BTreeMap::from([("firstname".into(), "Dora Lind".into())]));
    let cases = [
        (filter("email", "IN", json!(["A@example.com", "x@example.com"])), vec!["1001"]),
        (filter("plan", "EQ", json!("PRO")), vec![]),
        (filter("plan", "NEQ", json!("pro")), vec!["1001"]),
        (filter("plan", "NOT_IN", json!(["pro", "free"])), vec!["1001"]),
        (filter("email", "HAS_PROPERTY", Value::Null), vec!["1001", "1002", "1003"]),
        (filter("email", "NOT_HAS_PROPERTY", Value::Null), vec!["1004"]),
        (filter("email", "CONTAINS_TOKEN", json!("*@example.com")), vec!["1001", "1002"]),
        (filter("firstname", "CONTAINS_TOKEN", json!("lind")), vec!["1004"]),
        (filter("email", "NOT_CONTAINS_TOKEN", json!("other")), vec!["1001", "1002"]),
        (filter("hs_object_id", "EQ", json!(1003)), vec!["1003"]),
        (json!({ "query": "dora" }), vec!["1004"]),
        (
            json!({ "sorts": [{ "propertyName": "email", "direction": "DESCENDING" }], "limit": 2 }),
            vec!["1003", "1002"],
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(ids(&search(&mut crm, 0, &body)), wanted, "{body}");
    }
    let pro = json!({ "propertyName": "plan", "operator": "EQ", "value": "pro" });
    let b = json!({ "propertyName": "email", "operator": "EQ", "value": "b@example.com" });
    let both = json!({ "filterGroups": [{ "filters": [pro, b] }] });
    assert_eq!(ids(&search(&mut crm, 0, &both)), ["1002"]);
    let either = json!({ "filterGroups": [{ "filters": [pro] }, { "filters": [b] }] });
    assert_eq!(ids(&search(&mut crm, 0, &either)), ["1002", "1003"]);
}

#[test]
fn a_search_comes_in_pages() {
    let mut crm = crm();
    for number in 0..25 {
        crm.give(BTreeMap::from([("email".into(), format!("p{number}@example.com"))]));
    }
    let mut after = Value::Null;
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let found = search(&mut crm, 0, &json!({ "after": after }));
        assert_eq!(found["total"], 25);
        seen.extend(ids(&found).into_iter().map(str::to_owned));
        after = found["paging"]["next"]["after"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    let counted = search(&mut crm, 0, &json!({ "limit": 0 }));
    assert_eq!((counted["total"].as_u64(), counted.get("paging")), (Some(25), None));
}

#[test]
fn given_contacts_are_seen_at_once_and_never_twice() {
    let mut crm = crm();
    let id = crm.give(BTreeMap::from([("email".into(), "Anna@example.com".into()), ("owner".into(), "7".into())]));
    assert_eq!(search(&mut crm, 0, &filter("email", "EQ", json!("anna@example.com")))["results"][0]["id"], id);
    assert_eq!(
        crm.give(BTreeMap::from([("email".into(), "anna@example.com".into()), ("vip".into(), "yes".into())])),
        id
    );
    let contacts = crm.contacts();
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0].given && contacts[0].properties["owner"] == "7" && contacts[0].properties["vip"] == "yes");
    assert_eq!(create(&mut crm, 5, json!({ "email": "ANNA@EXAMPLE.COM" })).response.status, 409);
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let mut crm = crm();
    create(&mut crm, 0, json!({ "email": "anna@example.com" }));
    let before = crm.clone();
    let one = format!("{CONTACTS}/1001");
    let properties = |value: Value| json!({ "properties": value });
    let cases = [
        ("POST", CONTACTS, json!("text"), 400),
        ("POST", CONTACTS, json!({ "email": "x@example.com" }), 400),
        ("POST", CONTACTS, properties(json!({ "email": ["x@example.com"] })), 400),
        ("POST", CONTACTS, properties(json!({ "email": "no address" })), 400),
        ("POST", CONTACTS, properties(json!({ "hs_object_id": "5" })), 400),
        ("PATCH", one.as_str(), properties(json!({ "plan": {} })), 400),
        ("PATCH", "/crm/v3/objects/contacts/999", properties(json!({ "plan": "pro" })), 404),
        ("GET", "/crm/v3/objects/contacts/anna@example.com", Value::Null, 404),
        ("GET", "/crm/v3/objects/contacts/1001?idProperty=plan", Value::Null, 400),
        ("PUT", CONTACTS, Value::Null, 405),
        ("PUT", one.as_str(), Value::Null, 405),
        ("GET", "/crm/v3/objects/deals", Value::Null, 404),
    ];
    for (method, path, body, status) in cases {
        let answered = crm.handle(9, &call(method, path, &body));
        assert_eq!(answered.response.status, status, "{method} {path} {body}");
        let error = json(&answered.response);
        assert!(error["message"].is_string() && error["category"].is_string() && error["status"] == "error", "{error}");
        assert!(answered.effects.is_empty());
    }
    let mut cut = call("POST", CONTACTS, &Value::Null);
    cut.body = b"{\"properties\":".to_vec();
    assert_eq!(crm.handle(9, &cut).response.status, 400);
    let mut anonymous = call("POST", CONTACTS, &properties(json!({ "email": "x@example.com" })));
    anonymous.headers.clear();
    let refused = crm.handle(9, &anonymous);
    assert_eq!((refused.operation, refused.response.status), ("create_contact", 401));
    assert_eq!(crm.handle(9, &call("GET", "/", &Value::Null)).operation, "unknown");
    assert_eq!(crm, before);
}
