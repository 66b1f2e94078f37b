//! What those who operate the service ask for, over real sockets: readiness, metrics, allowances, the admin screen, its end.

use super::{
    peers::Trouble,
    server::{Answer, Running, Shared, purchase},
};
use hookdrill::service::{Config, Secret, config::Database};
use serde_json::json;
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ADMIN: &str = "an admin token of the test";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn with(change: impl FnOnce(&mut Config)) -> Running {
    Running::start(Database::Memory, &Shared::default(), change).await
}

fn admin(config: &mut Config) {
    config.admin_token = Some(Secret::new(ADMIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_in_the_metrics_and_no_customer_is() {
    let running = with(|_| {}).await;
    assert_eq!(running.get("/readyz").await.json(), json!({"ready": true}));
    for event in purchase() {
        running.deliver(&event).await;
        running.deliver(&event).await;
    }
    running.ask("POST", "/webhooks/stripe", &[("stripe-signature", "t=1,v1=00")], b"{}").await;
    running.post_signed(b"{").await;
    running.settle().await;
    let answer = running.get("/metrics").await;
    assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
    for line in [
        "hookdrill_webhooks_total{outcome=\"accepted\"} 4",
        "hookdrill_webhooks_total{outcome=\"duplicate\"} 4",
        "hookdrill_webhooks_total{outcome=\"forged\"} 1",
        "hookdrill_webhooks_total{outcome=\"unreadable\"} 1",
        "hookdrill_webhook_ack_seconds_count 10",
        "hookdrill_batch_size_count ",
        "hookdrill_upstream_calls_total{peer=\"crm\",result=\"ok\"}",
        "hookdrill_upstream_calls_total{peer=\"desk\",result=\"ok\"}",
        "hookdrill_dead_letters 0",
        "hookdrill_jobs{kind=\"pending\"} 0",
    ] {
        assert!(answer.body.contains(line), "{line} is not in\n{}", answer.body);
    }
    for word in ["ada@", "cus_1", "evt_", "whsec_"] {
        assert!(!answer.body.contains(word), "{word} is in\n{}", answer.body);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_service_shows_numbers_to_the_token_alone_and_internal_routes_to_nobody() {
    let running = with(|config| {
        config.public = true;
        config.metrics_token = Some(Secret::new("a metrics token"));
    })
    .await;
    let ask = async |path: &str, token: &str| running.ask("GET", path, &[("authorization", token)], b"").await.status;
    assert_eq!(running.get("/healthz").await.status, 200);
    assert_eq!(running.get("/readyz").await.status, 200);
    for path in ["/metrics", "/internal/status", "/api/customers/cus_1", "/admin", "/admin/login"] {
        assert_eq!(running.get(path).await.status, 404, "{path}");
    }
    assert_eq!(ask("/metrics", "Bearer a metrics token").await, 200);
    assert_eq!(ask("/metrics", "Bearer a metrics tokem").await, 404);
    assert_eq!(ask("/internal/status", "Bearer a metrics token").await, 404);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_point_here_opens_nothing_inside() {
    let running = with(|_| {}).await;
    for path in ["/metrics", "/internal/status", "/api/customers/cus_1"] {
        let mut stream = TcpStream::connect(&running.address).await.expect("connected");
        let head = format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_money_is_limited_and_the_webhook_never() {
    let running = with(|config| config.rate_limit = NonZeroU32::new(3)).await;
    let json = [("content-type", "application/json")];
    let mut answers = Vec::new();
    for n in 0..5 {
        let body = format!(r#"{{"user":"u{n}","email":"u{n}@example.com"}}"#);
        answers.push(running.ask("POST", "/api/signup", &json, body.as_bytes()).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 201, 201, 429, 429]);
    assert!(answers[4].head.contains("retry-after: 20"), "{}", answers[4].head);
    // Not believed without being told to: anybody can write such a header.
    let named = [json[0], ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(running.ask("POST", "/api/signup", &named, b"{}").await.status, 429);
    for _ in 0..3 {
        for event in purchase() {
            running.deliver(&event).await;
        }
    }
    let text = running.get("/metrics").await.body;
    assert!(text.contains("hookdrill_rate_limited_total{kind=\"sign_up\"} 3"), "{text}");
    running.stop().await;

    let behind = with(|config| (config.rate_limit, config.trust_proxy) = (NonZeroU32::new(1), true)).await;
    for hop in ["192.0.2.1", "192.0.2.2"] {
        let named = [json[0], ("x-forwarded-for", hop)];
        assert_eq!(behind.ask("POST", "/api/signup", &named, b"{}").await.status, 400, "{hop}");
        assert_eq!(behind.ask("POST", "/api/signup", &named, b"{}").await.status, 429, "{hop}");
    }
    behind.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_are_refused_before_anything_is_read() {
    let running = with(admin).await;
    let cross = [("content-type", "application/json"), ("sec-fetch-site", "cross-site")];
    for path in ["/api/signup", "/internal/requeue", "/admin/login", "/signup"] {
        assert_eq!(running.ask("POST", path, &cross, b"{}").await.status, 403, "{path}");
        let evil = [("origin", "https://evil.example")];
        assert_eq!(running.ask("POST", path, &evil, b"{}").await.status, 403, "{path}");
    }
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    let answer = running.ask("OPTIONS", "/api/signup", &preflight, b"").await;
    assert_eq!((answer.status, answer.head.contains("access-control-")), (403, false));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_headers_too_slowly_is_hung_up_on() {
    let running = with(|config| config.header_timeout = Duration::from_millis(200)).await;
    let mut slow = TcpStream::connect(&running.address).await.expect("connected");
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await.expect("sent");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection stays open");
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    running.stop().await;
}

fn cookie(answer: &Answer) -> String {
    let line = answer.raw_head.lines().find(|line| line.to_lowercase().starts_with("set-cookie: ")).expect("a cookie");
    for word in ["HttpOnly", "SameSite=Strict", "Path=/admin"] {
        assert!(line.contains(word), "{line}");
    }
    line[12..].split(';').next().expect("a value").to_owned()
}

fn token(answer: &Answer) -> String {
    let (_, rest) =
        answer.body.split_once("name=\"token\" value=\"").unwrap_or_else(|| panic!("no form: {}", answer.body));
    rest.split('"').next().expect("a value").to_owned()
}

async fn post(running: &Running, path: &str, cookie: &str, form: &str) -> Answer {
    running.ask("POST", path, &[FORM, ("cookie", cookie)], form.as_bytes()).await
}

async fn log_in(running: &Running) -> String {
    let shown = running.get("/admin/login").await;
    let form = format!("token={}&admin_token={}", token(&shown), ADMIN.replace(' ', "+"));
    let answer = post(running, "/admin/login", &cookie(&shown), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    cookie(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_logged_in_and_pressed_our_button_puts_a_dead_letter_back() {
    let running = with(admin).await;
    running.peers.lock().expect("peers").troubles.push_back(Trouble::Answer(400, None));
    running.deliver(&purchase()[0]).await;
    running.settle().await;
    assert_eq!(running.get("/admin").await.status, 303, "to the log-in");

    let shown = running.get("/admin/login").await;
    let (form_cookie, form_token) = (cookie(&shown), token(&shown));
    let wrong = post(&running, "/admin/login", &form_cookie, &format!("token={form_token}&admin_token=guessed")).await;
    assert_eq!((wrong.status, wrong.body.contains("guessed")), (403, false));
    let right = format!("token={form_token}&admin_token={}", ADMIN.replace(' ', "+"));
    assert_eq!(post(&running, "/admin/login", "", &right).await.status, 403, "a form without its cookie");
    // The cookie of the form opens nothing.
    assert_eq!(running.ask("GET", "/admin", &[("cookie", &form_cookie)], b"").await.status, 303);

    let session = log_in(&running).await;
    let page = running.ask("GET", "/admin", &[("cookie", &session)], b"").await;
    assert!(page.body.contains("ada@example.com") && page.body.contains("Put all 1 back to work"), "{}", page.body);
    assert!(page.head.contains("form-action 'self'") && !page.body.contains("<script"), "{}", page.head);
    let (id, button) = ("1", format!("token={}", token(&page)));
    let path = format!("/admin/jobs/{id}/requeue");
    for (cookie, form) in [("", button.as_str()), (&session, "token=00"), (&session, ""), (&form_cookie, &button)] {
        assert_eq!(post(&running, &path, cookie, form).await.status, 403);
    }
    assert_eq!(running.get("/internal/status").await.json()["dead"], 1, "nothing happened so far");
    let done = post(&running, &path, &session, &button).await;
    assert!(done.status == 303 && done.head.contains("location: /admin?requeued=1"), "{}", done.head);
    running.settle().await;
    assert_eq!(running.get("/internal/status").await.json()["dead"], 0);
    let page = running.ask("GET", "/admin?requeued=1", &[("cookie", &session)], b"").await;
    assert!(page.body.contains("put job 1 back to work") && page.body.contains("No job was given up"), "{}", page.body);
    assert!(running.get("/metrics").await.body.contains("hookdrill_manual_steps 1"));

    assert_eq!(post(&running, "/admin/logout", &session, &button).await.status, 303);
    assert_eq!(running.ask("GET", "/admin", &[("cookie", &session)], b"").await.status, 303, "the session has ended");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_token_is_not_guessed_at_speed() {
    let running = with(admin).await;
    let shown = running.get("/admin/login").await;
    let form = format!("token={}&admin_token=guessed", token(&shown));
    let mut refused = 0;
    for _ in 0..12 {
        refused += u32::from(post(&running, "/admin/login", &cookie(&shown), &form).await.status == 429);
    }
    assert_eq!(refused, 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "measures how long an end takes")]
async fn a_call_under_way_at_the_end_is_put_back_for_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, peers) = (folder.path().join("service.db"), Shared::default());
    let patient = |config: &mut Config| {
        config.settings.lease = Duration::from_secs(60);
        config.call_timeout = Duration::from_secs(50);
    };
    // Its answer never comes.
    peers.lock().expect("peers").troubles.push_back(Trouble::LostReply);
    let first = Running::start(Database::File(file.clone()), &peers, patient).await;
    first.deliver(&purchase()[0]).await;
    while !peers.lock().expect("peers").troubles.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    first.stop().await;
    let second = Running::start(Database::File(file), &peers, patient).await;
    second.settle().await;
    assert!(began.elapsed() < Duration::from_secs(20), "nobody waited for the lease: {:?}", began.elapsed());
    assert_eq!(peers.lock().expect("peers").contacts.len(), 1);
    second.stop().await;
}
