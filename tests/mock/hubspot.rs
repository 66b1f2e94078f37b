//! Rules of the CRM model beyond single contacts: lists, batches, definitions of properties, associations, limits.

use super::{call, json};
use hookdrill::mock::{
    answer::Answered,
    crm::{Crm, CrmOptions, Scopes},
    effect::Effect,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CONTACTS: &str = "/crm/v3/objects/contacts";

fn crm_with(change: impl FnOnce(&mut CrmOptions)) -> Crm {
    let mut options = CrmOptions { search_lag_ms: 100, scopes: Scopes::all(), ..CrmOptions::default() };
    change(&mut options);
    Crm::new(&options)
}

fn crm() -> Crm {
    crm_with(|_| {})
}

fn post(crm: &mut Crm, path: &str, body: Value) -> (u16, Value) {
    let answered = crm.handle(0, &call("POST", path, &body));
    (answered.response.status, json(&answered.response))
}

fn create(crm: &mut Crm, properties: Value) -> (u16, Value) {
    post(crm, CONTACTS, json!({ "properties": properties }))
}

fn get(crm: &mut Crm, path: &str) -> (u16, Value) {
    let answered = crm.handle(0, &call("GET", path, &Value::Null));
    assert!(answered.effects.is_empty());
    (answered.response.status, json(&answered.response))
}

fn batch(crm: &mut Crm, verb: &str, body: Value) -> Answered {
    crm.handle(0, &call("POST", &format!("{CONTACTS}/batch/{verb}"), &body))
}

fn emails(results: &Value) -> Vec<&str> {
    let results = results["results"].as_array().expect("results");
    results.iter().filter_map(|one| one["properties"]["email"].as_str()).collect()
}

#[test]
fn a_list_comes_in_pages_by_the_id_of_the_next() {
    let mut crm = crm();
    for n in 0..5 {
        create(&mut crm, json!({ "email": format!("p{n}@example.com") }));
    }
    let (status, first) = get(&mut crm, &format!("{CONTACTS}?limit=2&properties=email,phone"));
    assert_eq!((status, emails(&first)), (200, vec!["p0@example.com", "p1@example.com"]));
    assert_eq!(first["results"][0]["properties"]["phone"], Value::Null);
    assert_eq!(first["paging"]["next"]["after"], "1003");
    // One that was made since does not move the pages.
    crm.handle(0, &call("DELETE", &format!("{CONTACTS}/1001"), &Value::Null));
    let (_, second) = get(&mut crm, &format!("{CONTACTS}?limit=2&after=1003"));
    assert_eq!(emails(&second), ["p2@example.com", "p3@example.com"]);
    let (_, last) = get(&mut crm, &format!("{CONTACTS}?limit=2&after=1005"));
    assert_eq!((emails(&last), last.get("paging")), (vec!["p4@example.com"], None));
    assert_eq!(get(&mut crm, &format!("{CONTACTS}?limit=101")).0, 400);
}

#[test]
fn what_is_archived_is_found_by_who_asks_for_it_alone_and_frees_its_email() {
    let mut crm = crm();
    create(&mut crm, json!({ "email": "anna@example.com" }));
    let path = format!("{CONTACTS}/1001");
    let gone = crm.handle(5, &call("DELETE", &path, &Value::Null));
    assert_eq!((gone.operation, gone.response.status, gone.response.body.len()), ("delete_contact", 204, 0));
    assert!(
        matches!(gone.effects.as_slice(), [Effect::ContactUpdated { changed, .. }] if changed.contains_key("archived"))
    );
    assert!(crm.contacts().is_empty());
    assert_eq!(get(&mut crm, &path).0, 404);
    let (status, shown) = get(&mut crm, &format!("{path}?archived=true"));
    assert_eq!((status, &shown["archived"], shown["archivedAt"].is_string()), (200, &json!(true), true));
    assert_eq!(emails(&get(&mut crm, CONTACTS).1), [""; 0]);
    assert_eq!(emails(&get(&mut crm, &format!("{CONTACTS}?archived=true")).1), ["anna@example.com"]);
    assert_eq!(crm.handle(5, &call("PATCH", &path, &json!({ "properties": { "phone": "1" } }))).response.status, 404);
    // Twice is the same answer and no effect.
    let again = crm.handle(6, &call("DELETE", &path, &Value::Null));
    assert_eq!((again.response.status, again.effects.len()), (204, 0));
    assert_eq!(create(&mut crm, json!({ "email": "anna@example.com" })).0, 201);
}

#[test]
fn a_batch_of_creates_is_made_whole_or_not_at_all() {
    let mut crm = crm();
    let inputs = |emails: &[&str]| json!({ "inputs": emails.iter().map(|e| json!({ "properties": { "email": e } })).collect::<Vec<_>>() });
    let made = batch(&mut crm, "create", inputs(&["a@example.com", "b@example.com"]));
    assert_eq!((made.operation, made.response.status, made.effects.len()), ("create_contacts", 201, 2));
    assert_eq!(json(&made.response)["status"], "COMPLETE");
    let refused = batch(&mut crm, "create", inputs(&["c@example.com", "A@example.com"]));
    assert_eq!((refused.response.status, refused.effects.len(), crm.contacts().len()), (409, 0, 2));
    assert_eq!(json(&refused.response)["message"], "Contact already exists. Existing ID: 1001");
    // Where each input can be told apart, what can be done is done.
    let traced = |email: &str, trace: &str| json!({ "properties": { "email": email }, "objectWriteTraceId": trace });
    let inputs = json!({ "inputs": [traced("c@example.com", "one"), traced("a@example.com", "two")] });
    let partly = batch(&mut crm, "create", inputs);
    let told = json(&partly.response);
    assert_eq!((partly.response.status, partly.effects.len(), &told["numErrors"]), (207, 1, &json!(1)));
    assert_eq!(told["errors"][0]["context"]["objectWriteTraceId"], json!(["two"]));
    assert_eq!(
        (&told["errors"][0]["category"], &told["results"][0]["objectWriteTraceId"]),
        (&json!("CONFLICT"), &json!("one"))
    );
    assert_eq!(batch(&mut crm, "create", json!({ "inputs": [] })).response.status, 400);
    assert_eq!(
        batch(&mut crm, "create", json!({ "inputs": vec![json!({ "properties": {} }); 101] })).response.status,
        400
    );
}

#[test]
fn a_batch_of_reads_or_updates_tells_which_it_did_not_find() {
    let mut crm = crm();
    create(&mut crm, json!({ "email": "a@example.com", "phase": "x" }));
    let ask = json!({ "inputs": [{ "id": "A@example.com" }, { "id": "no@example.com" }], "idProperty": "email", "properties": ["phase"] });
    let read = batch(&mut crm, "read", ask);
    let told = json(&read.response);
    assert_eq!((read.operation, read.response.status), ("get_contacts", 207));
    assert_eq!((&told["results"][0]["properties"]["phase"], &told["numErrors"]), (&json!("x"), &json!(1)));
    assert_eq!(
        (&told["errors"][0]["category"], &told["errors"][0]["context"]["ids"]),
        (&json!("OBJECT_NOT_FOUND"), &json!(["no@example.com"]))
    );
    let write = |id: &str| json!({ "id": id, "properties": { "phase": "y" } });
    let updated = batch(&mut crm, "update", json!({ "inputs": [write("1001"), write("999")] }));
    assert_eq!((updated.response.status, updated.effects.len()), (207, 1));
    assert_eq!(batch(&mut crm, "update", json!({ "inputs": [write("1001"), write("1001")] })).response.status, 400);
    let gone = batch(&mut crm, "archive", json!({ "inputs": [{ "id": "1001" }, { "id": "999" }] }));
    assert_eq!((gone.operation, gone.response.status, gone.effects.len()), ("delete_contacts", 204, 1));
}

#[test]
fn an_upsert_makes_or_changes_by_email_or_by_an_own_unique_property() {
    let mut crm = crm_with(|options| options.unique_properties = BTreeSet::from(["stripe_id".to_owned()]));
    let input = |id: &str, property: &str, plan: &str| json!({ "id": id, "idProperty": property, "properties": { "plan": plan } });
    let made = batch(
        &mut crm,
        "upsert",
        json!({ "inputs": [input("a@example.com", "email", "x"), input("cus_1", "stripe_id", "x")] }),
    );
    let told = json(&made.response);
    assert_eq!((made.response.status, made.effects.len(), &told["results"][1]["new"]), (200, 2, &json!(true)));
    assert_eq!(told["results"][1]["properties"]["stripe_id"], "cus_1");
    let again = batch(&mut crm, "upsert", json!({ "inputs": [input("cus_1", "stripe_id", "y")] }));
    assert_eq!((json(&again.response)["results"][0]["new"].clone(), crm.contacts().len()), (json!(false), 2));
    // By the record's own id there is nothing to make.
    let unknown = batch(&mut crm, "upsert", json!({ "inputs": [{ "id": "77", "properties": {} }] }));
    assert_eq!((unknown.response.status, unknown.effects.len()), (207, 0));
    assert_eq!(batch(&mut crm, "upsert", json!({ "inputs": [input("x", "plan", "y")] })).response.status, 400);
    let (status, taken) = create(&mut crm, json!({ "stripe_id": "cus_1" }));
    assert_eq!((status, &taken["errors"][0]["code"]), (400, &json!("CONFLICTING_UNIQUE_VALUE")));
    assert_eq!(get(&mut crm, &format!("{CONTACTS}/cus_1?idProperty=stripe_id")).1["id"], "1002");
}

#[test]
fn all_that_is_wrong_with_properties_is_told_at_once_in_hubspots_shape() {
    let mut crm = crm_with(|options| options.properties = Some(BTreeSet::from(["plan".to_owned()])));
    let (status, told) = create(
        &mut crm,
        json!({ "email": "nobody", "colour": "red", "hs_object_id": "5", "lifecyclestage": "lost", "plan": "x" }),
    );
    assert_eq!((status, &told["category"]), (400, &json!("VALIDATION_ERROR")));
    let code =
        |n: usize| (told["errors"][n]["code"].as_str(), told["errors"][n]["context"]["propertyName"][0].as_str());
    let wanted = [
        ("INVALID_EMAIL", "email"),
        ("PROPERTY_DOESNT_EXIST", "colour"),
        ("READ_ONLY_VALUE", "hs_object_id"),
        ("INVALID_OPTION", "lifecyclestage"),
    ];
    assert_eq!([code(0), code(1), code(2), code(3)], wanted.map(|(code, name)| (Some(code), Some(name))));
    // Clients read the same from the message, where it stands as JSON.
    let message = told["message"].as_str().expect("a message");
    let list = message.strip_prefix("Property values were not valid: ").expect("HubSpot's words");
    let list: Value = serde_json::from_str(list).expect("JSON");
    assert_eq!(
        (&list[1]["error"], &list[1]["isValid"], &list[1]["name"]),
        (&json!("PROPERTY_DOESNT_EXIST"), &json!(false), &json!("colour"))
    );
    assert_eq!(list[1]["message"], "Property \"colour\" does not exist");
    assert_eq!(create(&mut crm, json!({ "email": "a@example.com", "plan": "x", "lifecyclestage": "lead" })).0, 201);
    // Without a list of the account's own properties every name is taken.
    assert_eq!(create(&mut self::crm(), json!({ "colour": "red" })).0, 201);
}

#[test]
fn a_property_that_was_defined_is_listed_and_holds_its_values_to_its_type() {
    let mut crm = crm();
    const PROPERTIES: &str = "/crm/v3/properties/contacts";
    assert_eq!(get(&mut crm, &format!("{PROPERTIES}/plan")).0, 404);
    let define = |name: &str, kind: &str, options: Value| json!({ "name": name, "label": name, "type": kind, "fieldType": "select", "groupName": "contactinformation", "options": options });
    let options = json!([{ "label": "Pro", "value": "pro" }]);
    let (status, made) = post(&mut crm, PROPERTIES, define("plan", "enumeration", options.clone()));
    assert_eq!((status, &made["options"][0]["value"], &made["hubspotDefined"]), (201, &json!("pro"), &json!(false)));
    let (status, again) = post(&mut crm, PROPERTIES, define("plan", "string", json!([])));
    assert_eq!((status, again["message"].as_str()), (409, Some("A property named 'plan' already exists.")));
    for bad in
        [define("Plan", "string", json!([])), define("x", "text", json!([])), define("x", "enumeration", json!([]))]
    {
        assert_eq!(post(&mut crm, PROPERTIES, bad).0, 400);
    }
    assert_eq!(get(&mut crm, &format!("{PROPERTIES}/email")).1["hasUniqueValue"], true);
    let (_, all) = get(&mut crm, PROPERTIES);
    let names: Vec<&str> =
        all["results"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"plan") && names.contains(&"email") && names.is_sorted(), "{names:?}");
    assert_eq!(create(&mut crm, json!({ "plan": "basic" })).1["errors"][0]["code"], "INVALID_OPTION");
    assert_eq!(create(&mut crm, json!({ "plan": "pro" })).0, 201);
    for (kind, wrong, right) in [
        ("number", "many", "3.5"),
        ("date", "soon", "2026-02-03"),
        ("datetime", "x", "1767225600000"),
        ("bool", "yes", "true"),
    ] {
        post(&mut crm, PROPERTIES, define(&format!("own_{kind}"), kind, json!([])));
        let own = |value: &str| json!({ format!("own_{kind}"): value });
        assert_eq!(create(&mut crm, own(wrong)).0, 400, "{kind}");
        assert_eq!(create(&mut crm, own(right)).0, 201, "{kind}");
    }
}

#[test]
fn tasks_are_joined_to_contacts_in_both_shapes_of_the_api() {
    let mut crm = crm();
    create(&mut crm, json!({ "email": "a@example.com" }));
    let task = json!({ "properties": { "hs_timestamp": "2026-01-01T00:00:00Z", "hs_task_subject": "call" } });
    assert_eq!(post(&mut crm, "/crm/v3/objects/tasks", task).0, 201);
    let list = "/crm/v4/objects/contacts/1001/associations/tasks";
    assert_eq!(get(&mut crm, list).1["results"], json!([]));
    let path = "/crm/v4/objects/tasks/50001/associations/default/contacts/1001";
    let joined = crm.handle(0, &call("PUT", path, &Value::Null));
    assert_eq!((joined.operation, joined.response.status), ("create_association", 200));
    assert_eq!(json(&joined.response)["results"][0]["associationSpec"]["associationTypeId"], 203);
    assert_eq!(get(&mut crm, list).1["results"][0]["associationTypes"][0]["typeId"], 203);
    let with = get(&mut crm, &format!("{CONTACTS}/1001?associations=tasks")).1;
    assert_eq!(with["associations"]["tasks"]["results"][0]["id"], "50001");
    let (_, read) =
        post(&mut crm, "/crm/v3/associations/tasks/contacts/batch/read", json!({ "inputs": [{ "id": "50001" }] }));
    assert_eq!(read["results"][0]["to"][0], json!({ "id": "1001", "type": "task_to_contact" }));
    assert_eq!(crm.tasks()[0].2.as_deref(), Some("1001"));
    let gone = crm.handle(0, &call("DELETE", "/crm/v4/objects/contacts/1001/associations/tasks/50001", &Value::Null));
    assert_eq!((gone.response.status, get(&mut crm, list).1["results"].clone()), (204, json!([])));
    let (status, put) = post(
        &mut crm,
        "/crm/v3/associations/contacts/tasks/batch/create",
        json!({ "inputs": [{ "from": { "id": "1001" }, "to": { "id": "50001" }, "type": "contact_to_task" }] }),
    );
    assert_eq!((status, &put["results"][0]["to"]["id"]), (201, &json!("50001")));
    assert_eq!(get(&mut crm, "/crm/v4/objects/contacts/1001/associations/deals").0, 400);
    assert_eq!(get(&mut crm, "/crm/v4/objects/tasks/9/associations/contacts").0, 404);
}

#[test]
fn searches_compare_numbers_and_times_and_take_every_way_of_sorting() {
    let mut crm = crm();
    for (email, seats, at) in [
        ("a@example.com", "9", "2026-01-02"),
        ("b@example.com", "10", "2026-01-01"),
        ("c@example.com", "2", "1767400000000"),
    ] {
        create(&mut crm, json!({ "email": email, "seats": seats, "since": at }));
    }
    create(&mut crm, json!({ "email": "d@example.com" }));
    let mut found = |body: Value| {
        let answered = crm.handle(500, &call("POST", &format!("{CONTACTS}/search"), &body));
        assert_eq!(answered.response.status, 200, "{body}");
        emails(&json(&answered.response)).into_iter().map(|email| email[..1].to_owned()).collect::<String>()
    };
    let filter = |name: &str, operator: &str, value: &str| json!({ "filterGroups": [{ "filters": [{ "propertyName": name, "operator": operator, "value": value, "highValue": "10" }] }], "sorts": ["email"] });
    assert_eq!(found(filter("seats", "GT", "9")), "b");
    assert_eq!(found(filter("seats", "GTE", "9")), "ab");
    assert_eq!(found(filter("seats", "LT", "9")), "c");
    assert_eq!(found(filter("seats", "LTE", "9")), "ac");
    assert_eq!(found(filter("seats", "BETWEEN", "9")), "ab");
    assert_eq!(found(filter("since", "GTE", "2026-01-02T00:00:00Z")), "ac", "text and milliseconds are one time");
    let seats = |direction: &str| json!([{ "propertyName": "seats", "direction": direction }]);
    assert_eq!(found(json!({ "sorts": seats("ASCENDING") })), "dcab");
    assert_eq!(found(json!({ "sorts": seats("DESCENDING") })), "bacd");
    assert_eq!(found(json!({ "sorts": ["-seats"] })), "bacd");
    assert_eq!(found(json!({ "sorts": [seats("DESCENDING")[0].to_string()] })), "bacd");
}

#[test]
fn a_limit_answers_429_in_hubspots_shape_until_the_window_has_rolled_on() {
    let mut crm = crm_with(|options| options.rate_limit = Some(7));
    let list = call("GET", CONTACTS, &Value::Null);
    let left = |answered: &Answered| answered.response.header("x-hubspot-ratelimit-remaining").map(str::to_owned);
    let first = crm.handle(0, &list);
    assert_eq!((first.response.status, left(&first).as_deref()), (200, Some("6")));
    assert_eq!(first.response.header("x-hubspot-ratelimit-interval-milliseconds"), Some("10000"));
    let search = call("POST", &format!("{CONTACTS}/search"), &json!({}));
    for _ in 0..5 {
        let answered = crm.handle(10, &search);
        assert_eq!((answered.response.status, left(&answered)), (200, None), "searches carry no headers about limits");
    }
    let sixth = crm.handle(10, &search);
    assert_eq!(
        (sixth.response.status, json(&sixth.response)["message"].as_str()),
        (429, Some("You have reached your secondly limit."))
    );
    assert_eq!(crm.handle(20, &list).response.status, 200);
    let refused = crm.handle(30, &call("POST", CONTACTS, &json!({ "properties": { "email": "a@example.com" } })));
    assert_eq!((refused.response.status, refused.effects.len(), left(&refused).as_deref()), (429, 0, Some("0")));
    let told = json(&refused.response);
    assert_eq!(
        (&told["policyName"], &told["errorType"], &told["status"]),
        (&json!("TEN_SECONDLY_ROLLING"), &json!("RATE_LIMIT"), &json!("error"))
    );
    assert_eq!(crm.handle(9_999, &list).response.status, 429);
    assert_eq!(crm.handle(10_000, &list).response.status, 200);
}
