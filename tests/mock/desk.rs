//! Rules of the desk model.

use super::{call, json};
use hookdrill::{
    mock::{
        answer::Answered,
        desk::{Desk, DeskOptions, IDEMPOTENCY_KEY_MS, Scopes},
        effect::Effect,
    },
    time::Timestamp,
};
use serde_json::{Value, json};

const TICKETS: &str = "/api/v2/tickets.json";

fn desk() -> Desk {
    Desk::new(DeskOptions {
        search_lag_ms: 100,
        epoch: Timestamp::from_secs(1_767_225_600),
        scopes: Scopes::all(),
        ..DeskOptions::default()
    })
}

fn ticket(external_id: &str) -> Value {
    json!({ "ticket": {
        "subject": "Payment failed",
        "external_id": external_id,
        "comment": { "body": "The card was declined." },
        "requester": { "name": "Anna", "email": "Anna@example.com" },
        "tags": ["stripe", "queue_billing", "queue_other"],
    } })
}

fn create(desk: &mut Desk, now_ms: u64, key: Option<&str>, body: &Value) -> Answered {
    let mut request = call("POST", TICKETS, body);
    request.headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
    desk.handle(now_ms, &request)
}

fn get(desk: &mut Desk, now_ms: u64, path: &str) -> Value {
    let answered = desk.handle(now_ms, &call("GET", path, &Value::Null));
    assert_eq!(answered.response.status, 200, "{path}");
    assert!(answered.effects.is_empty());
    json(&answered.response)
}

#[test]
fn a_create_is_answered_like_zendesk_and_counted() {
    let mut desk = desk();
    let answered = desk.handle(1_999, &call("POST", "/api/v2/tickets", &ticket("in_1")));
    assert_eq!((answered.operation, answered.response.status), ("create_ticket", 201));
    assert_eq!(answered.response.header("x-idempotency-lookup"), None);
    let shown = json(&answered.response);
    assert_eq!((shown["ticket"]["id"].as_u64(), shown["ticket"]["status"].as_str()), (Some(1), Some("new")));
    assert_eq!(shown["ticket"]["created_at"], "2026-01-01T00:00:01Z");
    let wanted =
        Effect::TicketCreated { ticket: "1".into(), external_id: Some("in_1".into()), queue: Some("billing".into()) };
    assert_eq!(answered.effects, [wanted]);
    let kept = &desk.tickets()[0];
    assert_eq!((kept.requester.as_deref(), kept.created_ms), (Some("anna@example.com"), 1_999));
    assert_eq!(
        get(&mut desk, 2_000, "/api/v2/tickets/1")["ticket"],
        get(&mut desk, 2_000, "/api/v2/tickets/1.json")["ticket"]
    );
}

#[test]
fn an_external_id_is_not_unique() {
    let mut desk = desk();
    create(&mut desk, 0, Some("a"), &ticket("in_1"));
    create(&mut desk, 0, Some("b"), &ticket("in_1"));
    create(&mut desk, 0, None, &ticket("in_1"));
    assert_eq!(desk.tickets().len(), 3);
    assert_eq!(get(&mut desk, 0, "/api/v2/tickets.json?external_id=in_1")["count"], 3);
}

#[test]
fn an_idempotency_key_makes_one_ticket() {
    let mut desk = desk();
    let first = create(&mut desk, 0, Some("k"), &ticket("in_1"));
    assert_eq!(first.response.header("x-idempotency-lookup"), Some("miss"));
    // The same request in another spelling of the same JSON, and after the ticket changed.
    desk.handle(10, &call("PUT", "/api/v2/tickets/1", &json!({ "ticket": { "status": "solved" } })));
    let mut again = call("POST", TICKETS, &Value::Null);
    again.headers.push(("idempotency-key".into(), "k".into()));
    again.body = serde_json::to_vec_pretty(&ticket("in_1")).expect("JSON");
    let second = desk.handle(20, &again);
    assert_eq!((second.response.status, second.response.header("x-idempotency-lookup")), (201, Some("hit")));
    assert_eq!(second.response.body, first.response.body);
    assert_eq!((second.effects.len(), desk.tickets().len()), (0, 1));

    let other = create(&mut desk, 30, Some("k"), &ticket("in_2"));
    assert_eq!((other.response.status, desk.tickets().len()), (400, 1));
    assert_eq!(json(&other.response)["error"], "IdempotentRequestError");
}

#[test]
fn an_idempotency_key_lasts_two_hours() {
    let mut desk = desk();
    create(&mut desk, 5, Some("k"), &ticket("in_1"));
    create(&mut desk, 5 + IDEMPOTENCY_KEY_MS - 1, Some("k"), &ticket("in_1"));
    assert_eq!(desk.tickets().len(), 1);
    let late = create(&mut desk, 5 + IDEMPOTENCY_KEY_MS, Some("k"), &ticket("in_1"));
    assert_eq!((late.response.header("x-idempotency-lookup"), desk.tickets().len()), (Some("miss"), 2));
}

#[test]
fn a_refused_create_leaves_its_key_free() {
    let mut desk = desk();
    assert_eq!(create(&mut desk, 0, Some("k"), &json!({ "ticket": { "subject": "x" } })).response.status, 422);
    assert_eq!(create(&mut desk, 0, Some("k"), &ticket("in_1")).response.status, 201);
    assert_eq!(create(&mut desk, 0, Some(&"k".repeat(256)), &ticket("in_1")).response.status, 400);
    assert_eq!(create(&mut desk, 0, Some(""), &ticket("in_1")).response.status, 400);
}

#[test]
fn search_lags_and_the_list_does_not() {
    let mut desk = desk();
    create(&mut desk, 1_000, None, &ticket("in_1"));
    let search = r#"/api/v2/search.json?query=type:ticket external_id:"in_1""#;
    assert_eq!(get(&mut desk, 1_000, "/api/v2/tickets.json?external_id=in_1")["tickets"][0]["id"], 1);
    assert_eq!(get(&mut desk, 1_099, search)["count"], 0);
    let found = get(&mut desk, 1_100, search);
    assert_eq!((found["count"].as_u64(), found["results"][0]["result_type"].as_str()), (Some(1), Some("ticket")));
    desk.handle(2_000, &call("PUT", "/api/v2/tickets/1", &json!({ "ticket": { "status": "solved" } })));
    let unsolved = "/api/v2/search?query=tags:queue_billing status<solved -subject:refund requester:anna@example.com";
    assert_eq!(get(&mut desk, 2_099, unsolved)["count"], 1);
    assert_eq!(get(&mut desk, 2_100, unsolved)["count"], 0);
    assert_eq!(get(&mut desk, 2_100, "/api/v2/search?query=external_id:in_2")["count"], 0);
}

#[test]
fn an_update_counts_only_what_changes() {
    let mut desk = desk();
    create(&mut desk, 0, None, &ticket("in_1"));
    let mut put = |now_ms: u64, fields: Value| {
        let answered = desk.handle(now_ms, &call("PUT", "/api/v2/tickets/1.json", &json!({ "ticket": fields })));
        assert_eq!((answered.operation, answered.response.status), ("update_ticket", 200));
        (answered.effects.len(), json(&answered.response)["ticket"]["updated_at"].clone())
    };
    assert_eq!(put(5_000, json!({ "status": "new", "subject": "Payment failed" })), (0, json!("2026-01-01T00:00:00Z")));
    assert_eq!(put(6_000, json!({ "status": "open", "tags": "queue_refunds" })), (1, json!("2026-01-01T00:00:06Z")));
    assert_eq!(put(7_000, json!({ "comment": { "body": "Paid by now." } })).0, 1);
    assert_eq!(put(8_000, json!({ "external_id": "in_9" })).0, 1);
    assert_eq!(put(9_000, json!({ "status": "closed" })).0, 1);
    assert_eq!(desk.tickets()[0].queue.as_deref(), Some("refunds"));
    assert_eq!(get(&mut desk, 9_000, "/api/v2/tickets?external_id=in_1")["count"], 0);
    assert_eq!(get(&mut desk, 9_000, "/api/v2/tickets?external_id=in_9")["count"], 1);
    let closed = desk.handle(10_000, &call("PUT", "/api/v2/tickets/1", &json!({ "ticket": { "status": "open" } })));
    assert_eq!((closed.response.status, closed.effects.len()), (422, 0));
}

#[test]
fn lists_come_in_pages_that_can_be_followed() {
    let mut desk = desk();
    for _ in 0..5 {
        create(&mut desk, 0, None, &ticket("in 1"));
    }
    let first = get(&mut desk, 0, "/api/v2/tickets?external_id=in 1&per_page=2");
    assert_eq!((first["tickets"].as_array().map(Vec::len), first["count"].as_u64()), (Some(2), Some(5)));
    assert_eq!(first["next_page"], "http://localhost/api/v2/tickets?external_id=in%201&per_page=2&page=2");
    let last = get(&mut desk, 0, "/api/v2/tickets?per_page=2&page=3");
    assert_eq!((last["tickets"][0]["id"].as_u64(), last["next_page"].is_null()), (Some(5), true));
    let cursor = get(&mut desk, 0, "/api/v2/tickets?page[size]=4");
    assert_eq!(
        (cursor["meta"]["has_more"].as_bool(), cursor["meta"]["after_cursor"].as_str()),
        (Some(true), Some("4"))
    );
    let rest = get(&mut desk, 0, "/api/v2/tickets?page[size]=4&page[after]=4");
    assert_eq!((rest["tickets"].as_array().map(Vec::len), rest["meta"]["has_more"].as_bool()), (Some(1), Some(false)));
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let mut desk = desk();
    create(&mut desk, 0, None, &ticket("in_1"));
    let before = desk.clone();
    let with = |name: &str, value: Value| {
        let mut body = ticket("in_2");
        body["ticket"][name] = value;
        body
    };
    let cases = [
        ("POST", TICKETS, json!({ "ticket": {} }), 422),
        ("POST", TICKETS, with("comment", json!({ "body": "  " })), 422),
        ("POST", TICKETS, with("status", json!("lost")), 422),
        ("POST", TICKETS, with("priority", json!("soon")), 422),
        ("POST", TICKETS, with("requester", json!({ "email": "nobody" })), 422),
        ("POST", TICKETS, with("comment", json!(5)), 400),
        ("POST", TICKETS, with("tags", json!([5])), 400),
        ("POST", TICKETS, with("subject", json!({})), 400),
        ("POST", TICKETS, json!({ "subject": "x" }), 400),
        ("POST", TICKETS, Value::Null, 422),
        ("GET", "/api/v2/tickets/7.json", Value::Null, 404),
        ("GET", "/api/v2/tickets/abc", Value::Null, 404),
        ("PUT", "/api/v2/tickets/7", json!({ "ticket": { "status": "open" } }), 404),
        ("GET", "/api/v2/search.json?query=assignee:me", Value::Null, 422),
        ("GET", "/api/v2/tickets?per_page=x", Value::Null, 400),
        ("GET", "/api/v2/macros", Value::Null, 404),
        ("DELETE", "/api/v2/tickets/7", Value::Null, 404),
    ];
    for (method, path, body, status) in cases {
        let answered = desk.handle(9, &call(method, path, &body));
        assert_eq!(answered.response.status, status, "{method} {path} {body}");
        assert!(json(&answered.response).get("error").is_some() && answered.effects.is_empty());
    }
    let mut anonymous = call("POST", TICKETS, &ticket("in_2"));
    anonymous.headers.clear();
    let refused = desk.handle(9, &anonymous);
    assert_eq!((refused.operation, refused.response.status), ("create_ticket", 401));
    assert_eq!(desk, before);
}
