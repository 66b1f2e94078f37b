//! A running service and those who operate it, over sockets: requests to support and their tickets, dead letters, the audit.

use super::{
    hookdrill, scratch,
    served::{Served, admin, ask, purchase},
};
use axum::{Router, http::StatusCode};
use serde_json::Value;
use std::time::Duration;

const JSON: (&str, &str) = ("content-type", "application/json");

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body: {answer}"));
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// The row of a queue on the admin screen: open, then solved.
fn row(served: &Served, cookie: &str, queue: &str) -> Vec<String> {
    let screen = served.ask("GET", "/admin", &[("cookie", cookie)], b"");
    let (_, tickets) = screen.split_once("Tickets by queue").expect("the section");
    let (_, row) = tickets.split_once(&format!(">{queue}</th>")).unwrap_or_else(|| panic!("no {queue}: {tickets}"));
    let row = row.split("</tr>").next().expect("a row");
    row.split("<td").skip(1).filter_map(|cell| Some(cell.split_once('>')?.1.split_once('<')?.0.to_owned())).collect()
}

#[test]
fn a_request_becomes_one_ticket_that_the_screen_follows_until_it_is_solved() {
    let folder = scratch();
    let rules = folder.path().join("rules.toml");
    let text = "version = 1\ndefault = \"feedback\"\n[[rule]]\nname = \"stripes\"\nqueue = \"onboarding\"\nweight = 9\n\
                words = [\"zebra\"]\n";
    std::fs::write(&rules, text).expect("written");
    let served = Served::start(&["--rules", rules.to_str().expect("text"), "--audit", "1s"], &[]);
    let request =
        |key: &str, text: &str| served.ask("POST", "/api/support", &[JSON, ("idempotency-key", key)], text.as_bytes());
    let first = request("k1", r#"{"message":"a zebra in my invoice","user":"u1","email":"ada@example.com"}"#);
    assert!(first.starts_with("HTTP/1.1 202"), "{first}");
    let again = request("k1", r#"{"message":"a zebra in my invoice","user":"u1","email":"ada@example.com"}"#);
    assert_eq!(body(&first)["id"], body(&again)["id"]);
    assert!(request("k1", r#"{"message":"else","user":"u1","email":"ada@example.com"}"#).starts_with("HTTP/1.1 409"));
    for bad in ["{", "[]", r#"{"message":"x","category":"zoo"}"#, r#"{"message":"x","colour":1}"#, r#"{"message":" "}"#]
    {
        let refused = request("k2", bad);
        assert!(refused.starts_with("HTTP/1.1 400") && body(&refused)["error"].is_string(), "{bad}: {refused}");
    }
    served.settle();
    let entered = admin(&served);
    let (_, cookie) = entered[2].split_once("set-cookie: ").expect("a session");
    let cookie = cookie.split(';').next().expect("a cookie");
    assert_eq!(row(&served, cookie, "Onboarding")[..2], ["1", "0"]);
    let desk = served.desk();
    let token = ("authorization", "Bearer desk-token-served-4712");
    let path = format!("/api/v2/tickets.json?external_id=request:{}", body(&first)["id"].as_str().expect("an id"));
    let tickets = body(&ask(&desk, "GET", &path, &[token], b""))["tickets"].clone();
    assert_eq!(tickets.as_array().map(Vec::len), Some(1), "{tickets}");
    let solve = format!("/api/v2/tickets/{}", tickets[0]["id"]);
    let solved = ask(&desk, "PUT", &solve, &[token, JSON], br#"{"ticket":{"status":"solved"}}"#);
    assert!(solved.starts_with("HTTP/1.1 200"), "{solved}");
    for _ in 0..100 {
        if row(&served, cookie, "Onboarding")[..2] == ["0", "1"] {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the screen never shows the solution: {:?}", row(&served, cookie, "Onboarding"));
}

#[test]
fn a_dead_letter_says_why_and_is_requeued_by_its_number() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let crm = format!("http://{}", listener.local_addr().expect("an address"));
    let refuses = Router::new().fallback(async || (StatusCode::BAD_REQUEST, "{}"));
    runtime.spawn(async move { axum::serve(listener, refuses).await });
    let served = Served::start(&["--crm-url", &crm], &[]);
    for event in purchase() {
        assert!(served.deliver(&event).contains("200 OK"));
    }
    let dead = || body(&served.ask("GET", "/internal/dead", &[], b""));
    for _ in 0..500 {
        if dead().as_array().is_some_and(|dead| !dead.is_empty()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let letters = dead();
    let number = letters[0]["job"].as_u64().unwrap_or_else(|| panic!("a number: {letters}"));
    assert!(letters[0].to_string().contains("400"), "its cause: {letters}");
    let requeue = |query: &str| served.ask("POST", &format!("/internal/requeue{query}"), &[], b"");
    for (query, status) in [("?job=x", 400), ("?work=1", 400), ("?job=999999", 404)] {
        assert!(requeue(query).starts_with(&format!("HTTP/1.1 {status}")), "{query}");
    }
    assert_eq!(body(&requeue(&format!("?job={number}")))["requeued"], 1);
}

#[test]
fn the_audit_is_printed_with_its_exit_code() {
    let served = Served::start(&[], &[]);
    let url = format!("http://{}", served.address);
    let clean = hookdrill(&["audit", "--url", &url, "--now"], &[]);
    assert_eq!(clean.code, 0, "{clean}");
    for event in purchase() {
        assert!(served.deliver(&event).contains("200 OK"));
    }
    served.settle();
    // The Stripe double never sold this: what the webhook told is not what Stripe's API has.
    let found = hookdrill(&["audit", "--url", &url, "--now"], &[]);
    assert_eq!(found.code, 1, "{found}");
    for word in ["CUSTOMER", "Stripe", "missing", "1 customers in disagreement"] {
        assert!(found.stdout.contains(word), "{word}: {found}");
    }
    let json = hookdrill(&["audit", "--url", &url, "--now", "--json"], &[]);
    let view: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(view["findings"].as_array().map(Vec::len), Some(1), "{json}");
    drop(served);
    let gone = hookdrill(&["audit", "--url", &url], &[]);
    assert!(gone.code == 4 && gone.stderr.contains("hookdrill serve"), "{gone}");
}
