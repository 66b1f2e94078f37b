//! Rules of the desk model beyond single tickets: people, comments, tags, jobs, safe updates, limits.

use super::{call, json};
use hookdrill::mock::{
    desk::{Desk, DeskOptions, Scopes},
    effect::Effect,
};
use serde_json::{Value, json};

fn desk_with(rate_limit: Option<u32>) -> Desk {
    Desk::new(DeskOptions { search_lag_ms: 100, scopes: Scopes::all(), rate_limit, ..DeskOptions::default() })
}

fn desk() -> Desk {
    desk_with(None)
}

fn ask(desk: &mut Desk, now_ms: u64, method: &str, path: &str, body: Value) -> (u16, Value, Vec<Effect>) {
    let answered = desk.handle(now_ms, &call(method, &format!("/api/v2/{path}"), &body));
    let body = if answered.response.body.is_empty() { Value::Null } else { json(&answered.response) };
    (answered.response.status, body, answered.effects)
}

fn open(desk: &mut Desk, subject: &str, email: &str) -> u64 {
    let ticket = json!({ "ticket": { "subject": subject, "comment": { "body": "help" }, "requester": { "name": "N", "email": email } } });
    let (status, told, effects) = ask(desk, 0, "POST", "tickets.json", ticket);
    assert_eq!((status, effects.len(), told["audit"]["ticket_id"].clone()), (201, 1, told["ticket"]["id"].clone()));
    told["ticket"]["id"].as_u64().expect("an id")
}

#[test]
fn a_requester_is_one_person_by_email_and_can_be_named_by_id() {
    let mut desk = desk();
    open(&mut desk, "one", "Ada@example.com");
    open(&mut desk, "two", "ada@example.com");
    let (_, first, _) = ask(&mut desk, 0, "GET", "tickets/1", Value::Null);
    let id = first["ticket"]["requester_id"].as_u64().expect("an id");
    let (status, user, _) = ask(&mut desk, 0, "GET", &format!("users/{id}.json"), Value::Null);
    assert_eq!(
        (status, &user["user"]["email"], &user["user"]["role"]),
        (200, &json!("ada@example.com"), &json!("end-user"))
    );
    let ticket = json!({ "ticket": { "comment": { "body": "help" }, "requester_id": id } });
    assert_eq!(ask(&mut desk, 0, "POST", "tickets", ticket).0, 201);
    assert_eq!(desk.tickets()[2].requester.as_deref(), Some("ada@example.com"));
    let (_, own, _) = ask(&mut desk, 0, "GET", &format!("users/{id}/tickets/requested.json"), Value::Null);
    assert_eq!(own["count"], 3);
    let unknown = json!({ "ticket": { "comment": { "body": "help" }, "requester_id": 5 } });
    assert_eq!(ask(&mut desk, 0, "POST", "tickets", unknown).0, 422);
}

#[test]
fn people_are_made_or_changed_and_searched_late() {
    let mut desk = desk();
    let ada = json!({ "user": { "name": "Ada", "email": "ada@example.com", "external_id": "cus_1" } });
    let (status, made, _) = ask(&mut desk, 0, "POST", "users/create_or_update.json", ada.clone());
    let id = made["user"]["id"].clone();
    assert_eq!(status, 201);
    let (status, again, _) = ask(
        &mut desk,
        1,
        "POST",
        "users/create_or_update",
        json!({ "user": { "email": "ADA@example.com", "name": "Ada L" } }),
    );
    assert_eq!((status, &again["user"]["id"], &again["user"]["name"]), (200, &id, &json!("Ada L")));
    let (status, refused, effects) = ask(&mut desk, 1, "POST", "users", ada);
    assert_eq!((status, effects.len(), &refused["details"]["email"][0]["error"]), (422, 0, &json!("DuplicateValue")));
    for bad in [json!({ "user": { "email": "x@example.com" } }), json!({ "user": { "name": "X", "email": "x" } })] {
        assert_eq!(ask(&mut desk, 1, "POST", "users", bad).0, 422);
    }
    let found = |desk: &mut Desk, now_ms, query: &str| {
        ask(desk, now_ms, "GET", &format!("users/search?{query}"), Value::Null).1["count"].clone()
    };
    assert_eq!(
        (found(&mut desk, 99, "external_id=cus_1"), found(&mut desk, 101, "external_id=cus_1")),
        (json!(0), json!(1))
    );
    assert_eq!(found(&mut desk, 200, "query=email:ada@example.com"), 1);
    assert_eq!(ask(&mut desk, 0, "GET", "users/me", Value::Null).1["user"]["role"], "admin");
    let (status, changed, _) = ask(&mut desk, 300, "PUT", &format!("users/{id}"), json!({ "user": { "phone": "1" } }));
    assert_eq!((status, &changed["user"]["phone"]), (200, &json!("1")));
    assert_eq!(ask(&mut desk, 0, "GET", "users?external_ids=cus_1", Value::Null).1["count"], 1);
}

#[test]
fn an_update_adds_a_comment_and_tags_and_a_safe_one_is_refused_when_it_is_late() {
    let mut desk = desk();
    open(&mut desk, "one", "ada@example.com");
    let update = |desk: &mut Desk, now_ms, ticket: Value| {
        ask(desk, now_ms, "PUT", "tickets/1.json", json!({ "ticket": ticket }))
    };
    let (status, told, effects) = update(
        &mut desk,
        5_000,
        json!({ "comment": { "body": "more", "public": false }, "additional_tags": ["queue_billing"], "group_id": 7 }),
    );
    assert_eq!(
        (status, effects.len(), &told["ticket"]["tags"], &told["ticket"]["group_id"]),
        (200, 1, &json!(["queue_billing"]), &json!(7))
    );
    assert_eq!(told["audit"]["events"][0]["body"], "more");
    let (_, comments, _) = ask(&mut desk, 5_000, "GET", "tickets/1/comments.json", Value::Null);
    assert_eq!((&comments["count"], &comments["comments"][1]["public"]), (&json!(2), &json!(false)));
    let late = json!({ "status": "solved", "safe_update": true, "updated_stamp": "2026-01-01T00:00:04Z" });
    let (status, refused, effects) = update(&mut desk, 6_000, late);
    assert_eq!((status, &refused["error"], effects.len()), (409, &json!("UpdateConflict"), 0));
    let known = json!({ "status": "solved", "safe_update": true, "updated_stamp": "2026-01-01T00:00:05Z" });
    assert_eq!(update(&mut desk, 6_000, known).0, 200);
    assert_eq!(update(&mut desk, 6_000, json!({ "safe_update": true })).0, 400);

    let (status, tags, _) =
        ask(&mut desk, 7_000, "PUT", "tickets/1/tags.json", json!({ "tags": ["a", "queue_billing"] }));
    assert_eq!((status, &tags["tags"]), (200, &json!(["queue_billing", "a"])));
    let (_, tags, effects) = ask(&mut desk, 7_000, "DELETE", "tickets/1/tags", json!({ "tags": ["b"] }));
    assert_eq!((&tags["tags"], effects.len()), (&json!(["queue_billing", "a"]), 0));
    assert_eq!(ask(&mut desk, 7_000, "POST", "tickets/1/tags", json!({ "tags": ["c"] })).1["tags"], json!(["c"]));
}

#[test]
fn a_job_does_what_it_can_and_is_asked_for_its_results() {
    let mut desk = desk();
    let ticket = |external: &str| json!({ "subject": "s", "external_id": external, "comment": { "body": "help" } });
    let many = json!({ "tickets": [ticket("in_1"), { "subject": "no comment" }, ticket("in_2")] });
    let (status, queued, effects) = ask(&mut desk, 0, "POST", "tickets/create_many.json", many);
    assert_eq!((status, &queued["job_status"]["status"], effects.len()), (200, &json!("queued"), 2));
    let id = queued["job_status"]["id"].as_str().expect("an id").to_owned();
    let (_, done, _) = ask(&mut desk, 0, "GET", &format!("job_statuses/{id}.json"), Value::Null);
    let results = &done["job_status"]["results"];
    assert_eq!(
        (&done["job_status"]["status"], &results[0]["success"], &results[1]["error"]),
        (&json!("completed"), &json!(true), &json!("RecordInvalid"))
    );
    let (_, _, effects) =
        ask(&mut desk, 5, "PUT", "tickets/update_many?ids=1,2,9", json!({ "ticket": { "status": "solved" } }));
    assert_eq!(effects.len(), 2);
    let own = json!({ "tickets": [{ "id": 1, "status": "open" }, { "id": 2, "status": "solved" }] });
    assert_eq!(ask(&mut desk, 6, "PUT", "tickets/update_many.json", own).2.len(), 1);
    assert_eq!(ask(&mut desk, 6, "GET", "job_statuses.json", Value::Null).1["count"], 3);
    assert_eq!(ask(&mut desk, 6, "GET", "job_statuses/nothing", Value::Null).0, 404);
    assert_eq!(ask(&mut desk, 6, "POST", "tickets/create_many", json!({ "tickets": [] })).1["error"], "TooManyValues");
}

#[test]
fn what_is_deleted_is_gone_from_lists_and_searches() {
    let mut desk = desk();
    open(&mut desk, "one", "ada@example.com");
    open(&mut desk, "two", "ada@example.com");
    let (status, _, effects) = ask(&mut desk, 500, "DELETE", "tickets/1.json", Value::Null);
    assert_eq!((status, effects), (204, vec![Effect::TicketUpdated { ticket: "1".into() }]));
    assert_eq!((ask(&mut desk, 500, "GET", "tickets/1", Value::Null).0, desk.tickets().len()), (404, 1));
    assert_eq!(ask(&mut desk, 500, "GET", "tickets/count", Value::Null).1["count"]["value"], 1);
    assert_eq!(ask(&mut desk, 500, "GET", "tickets/show_many?ids=1,2", Value::Null).1["count"], 1);
    let found =
        |desk: &mut Desk, now_ms| ask(desk, now_ms, "GET", "search?query=type:ticket", Value::Null).1["count"].clone();
    assert_eq!((found(&mut desk, 599), found(&mut desk, 600)), (json!(2), json!(1)));
}

#[test]
fn searches_know_words_dates_and_orders() {
    let mut desk = desk();
    open(&mut desk, "Payment failed", "ada@example.com");
    desk.handle(
        86_400_000,
        &call(
            "POST",
            "/api/v2/tickets",
            &json!({ "ticket": { "subject": "A wish", "priority": "low", "comment": { "body": "payment by card" } } }),
        ),
    );
    let mut found = |query: &str| {
        let (status, told, _) = ask(&mut desk, 90_000_000, "GET", &format!("search.json?{query}"), Value::Null);
        assert_eq!(status, 200, "{query}: {told}");
        told["results"].as_array().expect("results").iter().map(|one| one["id"].to_string()).collect::<String>()
    };
    assert_eq!(found("query=payment"), "12");
    assert_eq!(found("query=payment&sort_by=created_at&sort_order=desc"), "21");
    assert_eq!(found("query=payment -priority:low"), "1");
    assert_eq!(found("query=created>2026-01-01"), "2");
    assert_eq!(found("query=created>=2026-01-01 created<2026-01-02"), "1");
    assert_eq!(found("query=requester:ada@example.com subject:payment"), "1");
    let (status, told, _) = ask(&mut desk, 0, "GET", "search?query=x&page=11", Value::Null);
    assert_eq!((status, &told["error"]), (422, &json!("invalid")));
    assert_eq!(ask(&mut desk, 90_000_000, "GET", "search/count?query=payment", Value::Null).1["count"], 2);
}

#[test]
fn a_limit_answers_429_with_the_time_to_wait() {
    let mut desk = desk_with(Some(2));
    let me = call("GET", "/api/v2/users/me", &Value::Null);
    let first = desk.handle(0, &me);
    assert_eq!((first.response.status, first.response.header("x-rate-limit-remaining")), (200, Some("1")));
    desk.handle(1_000, &me);
    let refused =
        desk.handle(2_500, &call("POST", "/api/v2/tickets", &json!({ "ticket": { "comment": { "body": "help" } } })));
    assert_eq!(
        (refused.response.status, refused.response.header("retry-after"), refused.effects.len()),
        (429, Some("58"), 0)
    );
    assert_eq!(json(&refused.response)["error"], "APIRateLimitExceeded");
    assert_eq!(desk.handle(60_000, &me).response.status, 200);
}
