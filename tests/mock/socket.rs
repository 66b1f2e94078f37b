//! The doubles over real HTTP, on free ports of the loopback interface.

use hookdrill::{
    history::record::{Call, Effect},
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesError, DoublesOptions},
    },
    plan::model::Outage,
    scenario::fault::Double,
};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

struct Running {
    doubles: Doubles,
    calls: UnboundedReceiver<(u64, Call)>,
    now_ms: Arc<AtomicU64>,
}

/// `PANIC` as the time makes the clock panic.
const PANIC: u64 = u64::MAX;

async fn start(outages: Vec<Outage>, crm_listen: Option<SocketAddr>) -> Result<Running, DoublesError> {
    let (sender, calls) = unbounded_channel();
    let now_ms = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now_ms);
    let read = move || match clock.load(Ordering::SeqCst) {
        PANIC => panic!("the clock is broken (asked for by a test)"),
        now_ms => now_ms,
    };
    let doubles = Doubles::start(DoublesOptions {
        listen: crm_listen.map(|address| (Double::Crm, address)).into_iter().collect(),
        models: ModelOptions::default(),
        outages,
        now_ms: Arc::new(read),
        calls: sender,
    });
    Ok(Running { doubles: doubles.await?, calls, now_ms })
}

async fn send(method: &str, url: &str, body: Value) -> Option<(u16, Option<String>, Value)> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = hyper::Request::builder()
        .method(method)
        .uri(url)
        .header("Authorization", "Bearer test")
        .header("Content-Type", "application/json")
        .body(Full::from(body.to_string()))
        .expect("a request");
    let response = client.request(request).await.ok()?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, retry_after, serde_json::from_slice(&body).ok()?))
}

async fn create(running: &Running, email: &str) -> Option<(u16, Option<String>, Value)> {
    let url = format!("{}/crm/v3/objects/contacts", running.doubles.crm_url());
    send("POST", &url, json!({ "properties": { "email": email } })).await
}

fn outage(of: Double, until_ms: u64, answer: Option<u16>, delay_ms: u64) -> Outage {
    Outage { of, from_ms: 0, until_ms, answer, retry_after_s: answer.map(|_| 3), delay_ms }
}

#[tokio::test]
async fn creates_conflicts_and_tickets_are_answered_and_reported() {
    let mut running = start(Vec::new(), None).await.expect("doubles");
    let given = running.doubles.give_contact(BTreeMap::from([("email".into(), "given@example.com".into())]));
    running.now_ms.store(40, Ordering::SeqCst);
    assert_eq!(create(&running, "anna@example.com").await.expect("an answer").0, 201);
    let (status, _, body) = create(&running, "GIVEN@example.com").await.expect("an answer");
    assert_eq!(
        (status, body["message"].as_str()),
        (409, Some(format!("Contact already exists. Existing ID: {given}").as_str()))
    );
    let tickets = format!("{}/api/v2/tickets.json", running.doubles.support_url());
    let ticket = json!({ "ticket": { "external_id": "in/1 ä", "comment": { "body": "help" } } });
    assert_eq!(send("POST", &tickets, ticket).await.expect("an answer").0, 201);
    // The query is decoded on the way in.
    let (_, _, listed) =
        send("GET", &format!("{tickets}?external_id=in%2F1+%C3%A4"), Value::Null).await.expect("an answer");
    assert_eq!(listed["count"], 1);
    let read = format!("{}/crm/v3/objects/contacts/anna%40example.com?idProperty=email", running.doubles.crm_url());
    assert_eq!(send("GET", &read, Value::Null).await.expect("an answer").0, 200);

    let mut reported = Vec::new();
    while let Ok((at_ms, call)) = running.calls.try_recv() {
        reported.push((at_ms, call.double, call.operation, call.status, call.faulted, call.effects.len()));
    }
    let wanted = [
        (40, Double::Crm, "create_contact", 201, false, 1),
        (40, Double::Crm, "create_contact", 409, false, 0),
        (40, Double::Support, "create_ticket", 201, false, 1),
        (40, Double::Support, "list_tickets", 200, false, 0),
        (40, Double::Crm, "get_contact", 200, false, 0),
    ];
    assert_eq!(
        reported,
        wanted.map(|(at, of, operation, status, faulted, effects)| (
            at,
            of,
            operation.to_owned(),
            status,
            faulted,
            effects
        ))
    );
    let (contacts, tickets) = running.doubles.ledger();
    assert_eq!((contacts.len(), tickets.len()), (2, 1));
}

#[tokio::test]
async fn an_outage_answers_instead_of_the_model_until_it_ends_or_is_ended() {
    let outages = vec![outage(Double::Crm, 100, Some(503), 0), outage(Double::Crm, 1_000, Some(429), 0)];
    let mut running = start(outages, None).await.expect("doubles");
    let (status, retry_after, _) = create(&running, "anna@example.com").await.expect("an answer");
    assert_eq!((status, retry_after.as_deref()), (503, Some("3")));
    let (_, call) = running.calls.recv().await.expect("a call");
    assert_eq!(
        (call.operation.as_str(), call.status, call.faulted, call.effects.len()),
        ("create_contact", 503, true, 0)
    );
    assert_eq!(running.doubles.ledger().0, []);

    running.now_ms.store(100, Ordering::SeqCst);
    let (status, _, body) = create(&running, "anna@example.com").await.expect("an answer");
    assert_eq!((status, body["errorType"].as_str()), (429, Some("RATE_LIMIT")));
    running.doubles.faults_off();
    assert_eq!(create(&running, "anna@example.com").await.expect("an answer").0, 201);
    let (_, second) = running.calls.recv().await.expect("a call");
    let (_, third) = running.calls.recv().await.expect("a call");
    assert!(second.faulted && !third.faulted);
    assert!(matches!(third.effects.as_slice(), [Effect::ContactCreated { .. }]));
}

#[tokio::test]
async fn a_slow_double_works_at_once_and_answers_later_without_holding_up_others() {
    let mut running = start(vec![outage(Double::Crm, 1_000, None, 600_000)], None).await.expect("doubles");
    // The answer takes ten minutes: nobody waits for it here, but the work is done and other calls go through.
    let url = format!("{}/crm/v3/objects/contacts", running.doubles.crm_url());
    let slow =
        tokio::spawn(async move { send("POST", &url, json!({ "properties": { "email": "anna@example.com" } })).await });
    let (_, call) = running.calls.recv().await.expect("a call");
    assert_eq!((call.status, call.faulted, running.doubles.ledger().0.len()), (201, false, 1));
    running.now_ms.store(1_000, Ordering::SeqCst);
    let quick = tokio::time::timeout(Duration::from_secs(60), create(&running, "bo@example.com")).await;
    assert_eq!(quick.expect("not held up").expect("an answer").0, 201);
    assert!(!slow.is_finished(), "answered in spite of the delay");
    slow.abort();
}

#[tokio::test]
async fn two_pairs_run_side_by_side_and_a_taken_port_is_named() {
    let first = start(Vec::new(), None).await.expect("doubles");
    let second = start(Vec::new(), None).await.expect("doubles");
    assert_eq!(create(&first, "anna@example.com").await.expect("an answer").0, 201);
    assert_eq!(create(&second, "anna@example.com").await.expect("an answer").0, 201);
    assert_eq!(create(&second, "bo@example.com").await.expect("an answer").0, 201);
    assert_eq!((first.doubles.ledger().0.len(), second.doubles.ledger().0.len()), (1, 2));

    let url = first.doubles.crm_url();
    let address: SocketAddr = url.strip_prefix("http://").and_then(|rest| rest.parse().ok()).expect("an address");
    assert!(address.ip().is_loopback());
    let error = start(Vec::new(), Some(address)).await.map(|_| ()).expect_err("the port is taken");
    assert!(matches!(error, DoublesError::PortTaken { double: Double::Crm, .. }));
    let text = error.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("CRM") && text.contains("choose another port"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused_by_name() {
    let elsewhere: SocketAddr = "203.0.113.1:4610".parse().expect("an address of the documentation range");
    let error = start(Vec::new(), Some(elsewhere)).await.map(|_| ()).expect_err("no such interface");
    assert!(matches!(error, DoublesError::Listen { double: Double::Crm, .. }));
    assert!(error.to_string().starts_with("listen on 203.0.113.1:4610 for the CRM double: "), "{error}");
}

#[tokio::test]
async fn a_call_that_panics_takes_no_other_with_it() {
    let running = start(Vec::new(), None).await.expect("doubles");
    running.now_ms.store(PANIC, Ordering::SeqCst);
    assert_eq!(create(&running, "anna@example.com").await, None);
    running.now_ms.store(5, Ordering::SeqCst);
    assert_eq!(create(&running, "anna@example.com").await.expect("an answer").0, 201);
    assert_eq!(running.doubles.ledger().0.len(), 1);
}

/// Each fault of a whole double, with the test that looks at it from the caller's side.
pub(crate) const RECEIVED: &[(&str, fn())] = &[
    ("outage", an_outage_answers_instead_of_the_model_until_it_ends_or_is_ended),
    ("slow", a_slow_double_works_at_once_and_answers_later_without_holding_up_others),
];
