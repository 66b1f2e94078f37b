//! The whole service over real sockets: port 0, the real clock, peers behind HTTP.

use super::{
    peers::{Peers, Trouble},
    stories::{completed, event, invoice, subscription},
};
use axum::{Router, extract::State};
use hmac::{Hmac, KeyInit, Mac};
use hookdrill::{
    service::{
        Config, Defect, Secret, ServiceError,
        config::{Backoff, Database},
        run,
    },
    stripe::event::Event,
    wire::Request,
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub(super) const SECRET: &str = "whsec_of_the_test";

pub(super) type Shared = Arc<Mutex<Peers>>;

async fn peer(State(peers): State<Shared>, request: axum::extract::Request) -> axum::response::Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body").to_vec();
    let query = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: query.map(|(k, v)| (k.to_owned(), v.replace("%3A", ":"))).collect(),
        headers: head.headers.iter().map(|(k, v)| (k.to_string(), v.to_str().expect("text").to_owned())).collect(),
        body,
    };
    assert_eq!(request.header("authorization").map(|token| token.starts_with("Bearer ")), Some(true));
    let answer = peers.lock().expect("peers").call(&request);
    match answer {
        Ok(answer) => {
            let mut response = axum::response::Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(name, value);
            }
            response.body(answer.body.into()).expect("a response")
        }
        // The answer never comes: the caller's time-out decides.
        Err(_) => std::future::pending().await,
    }
}

pub(super) struct Running {
    pub(super) address: String,
    pub(super) peers: Shared,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<Result<(), ServiceError>>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) raw_head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

impl Running {
    pub(super) async fn start(database: Database, peers: &Shared, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(peer).with_state(peers.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut config = Config::new(Secret::new(SECRET), url.clone(), url);
        config.database = database;
        config.settings.lease = Duration::from_secs(1);
        config.settings.backoff = Backoff { first: Duration::from_millis(5), ..Backoff::default() };
        config.call_timeout = Duration::from_millis(300);
        change(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(run(listener, config, async move {
            let _ = stopped.await;
        }));
        Self { address, peers: peers.clone(), stop: Some(stop), ended }
    }

    pub(super) async fn memory() -> Self {
        Self::start(Database::Memory, &Shared::default(), |_| {}).await
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.expect("connected");
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.expect("sent");
        // A service that refuses a large body may close before it has read all of it.
        let _ = stream.write_all(body).await;
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw).await;
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Answer { status, head: head.to_lowercase(), raw_head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"").await
    }

    pub(super) async fn post_signed(&self, body: &[u8]) -> Answer {
        let header = signature(SECRET, now(), body);
        self.ask("POST", "/webhooks/stripe", &[("stripe-signature", &header)], body).await
    }

    pub(super) async fn deliver(&self, event: &Event) {
        let answer = self.post_signed(event.body.as_bytes()).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"received": true})), "{}", event.id);
    }

    /// Until no job is left.
    pub(super) async fn settle(&self) {
        for _ in 0..1000 {
            if self.get("/internal/status").await.json()["pending"] == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("jobs stay: {}", self.get("/internal/status").await.body);
    }

    pub(super) async fn stop(mut self) -> Shared {
        self.stop.take().expect("running").send(()).expect("listening");
        let ended = tokio::time::timeout(Duration::from_secs(10), self.ended).await.expect("in time");
        ended.expect("no panic").expect("a clean end");
        self.peers
    }
}

#[expect(clippy::disallowed_methods, reason = "signs for the service's real clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    let mac = mac.chain_update(format!("{at}.")).chain_update(body);
    format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}

pub(super) fn purchase() -> [Event; 4] {
    [
        completed("evt_2", "cus_1", Some("ada"), "ada@example.com"),
        subscription("evt_3", "created", 101, "cus_1", "active"),
        invoice("evt_1", "paid", 100, "cus_1", "in_1", None),
        invoice("evt_4", "payment_failed", 500, "cus_1", "in_2", Some("ada@example.com")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn from_signed_deliveries_to_contact_ticket_and_page() {
    let running = Running::memory().await;
    let page = running.get("/checkout/success?session_id=cs_cus_1").await;
    assert!(page.body.contains("data-activation=\"pending\"") && page.head.contains("cache-control: no-store"));
    let troubles = [Trouble::Answer(429, Some(0)), Trouble::LostReply, Trouble::Answer(503, None)];
    running.peers.lock().expect("peers").troubles.extend(troubles);
    for event in purchase() {
        running.deliver(&event).await;
        running.deliver(&event).await;
    }
    running.settle().await;
    let view = running.get("/api/customers/cus_1").await.json();
    assert_eq!((&view["access"], &view["plan"], &view["purchases"]), (&json!(true), &json!("pro"), &json!(1)));
    assert_eq!((&view["crm_contact"], &view["support_status"]), (&json!("1"), &json!("open")));
    assert_eq!(view, running.get("/api/customers/ada").await.json());
    let page = running.get("/checkout/success?session_id=cs_cus_1").await;
    assert!(page.body.contains("data-activation=\"active\""), "{}", page.body);
    let status = running.get("/internal/status").await.json();
    assert_eq!(status, json!({"pending": 0, "dead": 0, "drift": 0, "unrouted": 0, "events": 4}));
    let peers = running.stop().await;
    let peers = peers.lock().expect("peers");
    assert_eq!((peers.contacts.len(), peers.tickets.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_genuine_or_not_an_event_is_refused_and_leaves_no_trace() {
    let running = Running::memory().await;
    let genuine = purchase()[0].clone();
    let body = genuine.body.as_bytes();
    let hook = "/webhooks/stripe";
    for header in [signature("whsec_other", now(), body), signature(SECRET, now() - 400, body), "nonsense".into()] {
        let answer = running.ask("POST", hook, &[("stripe-signature", &header)], body).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (400, true));
    }
    assert_eq!(running.ask("POST", hook, &[], body).await.status, 400);
    for broken in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"object\":\"event\"}"] {
        assert_eq!(running.post_signed(broken).await.status, 400);
    }
    assert_eq!(running.post_signed(&vec![b' '; 513 * 1024]).await.status, 413);
    assert_eq!(running.get("/internal/status").await.json()["events"], 0);
    // The id of a forgery is not taken for known (bug class 50), and a near-miss URL is no redirect (42).
    let header = signature(SECRET, now(), body);
    assert_eq!(running.ask("POST", "/webhooks/stripe/", &[("stripe-signature", &header)], body).await.status, 200);
    assert_eq!(running.get("/api/customers/cus_1").await.status, 200);
    running.deliver(&event("evt_8", "something.new", 3, json!({"odd": [1]}))).await;
    // A thin event would come again for three days if it were refused; it is kept as something that says nothing.
    let thin = br#"{"id":"evt_9","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-01-15T10:00:00Z"}"#;
    assert_eq!(running.post_signed(thin).await.status, 200);
    assert_eq!(running.get("/internal/status").await.json()["events"], 3);
    let history = running.get("/api/customers/cus_1/history").await.json();
    assert_eq!((&history[0]["cause"], &history[0]["before"]), (&json!(genuine.id.as_str()), &Value::Null));
    assert_eq!(running.get("/api/customers/cus_none/history").await.status, 404);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_up_is_strict_and_idempotent() {
    let running = Running::memory().await;
    let json = [("content-type", "application/json")];
    let sign_up = async |body: &str| running.ask("POST", "/api/signup", &json, body.as_bytes()).await.status;
    assert_eq!(sign_up(r#"{"user":"ada","email":"ada@example.com"}"#).await, 201);
    assert_eq!(sign_up(r#"{"user":"ada","email":"ada@example.com"}"#).await, 200);
    for wrong in [
        "{",
        r#"{"user":"ada"}"#,
        r#"{"user":"","email":"a@b"}"#,
        r#"{"user":"ada","email":"no"}"#,
        r#"{"user":"ada","email":"a@b","admin":true}"#,
        r#"{"user":"a b","email":"a@b"}"#,
    ] {
        assert_eq!(sign_up(wrong).await, 400, "{wrong}");
    }
    let plain = running.ask("POST", "/api/signup", &[("content-type", "text/plain")], b"{}").await;
    assert_eq!(plain.status, 415, "a form of another site cannot send it");
    assert_eq!(running.get("/api/customers/ada").await.json()["access"], false);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_guarded_and_says_nothing_of_the_inside() {
    let running = Running::memory().await;
    for path in ["/", "/healthz", "/style.css", "/checkout/success", "/api/customers/cus_none", "/internal/status"] {
        let answer = running.ask("GET", path, &[("origin", "https://evil.example")], b"").await;
        for header in ["x-content-type-options: nosniff", "content-security-policy: default-src 'none'"] {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
        assert!(!answer.head.contains("access-control-"), "{path}");
        assert!(!answer.body.contains(SECRET) && !answer.body.contains(".rs"), "{path}");
    }
    assert_eq!(running.get("/api/customers/cus_none").await.status, 404);
    assert_eq!(running.ask("DELETE", "/webhooks/stripe", &[], b"").await.status, 405);
    running.stop().await;
}

async fn on_file(path: &Path, peers: &Shared) -> Running {
    Running::start(Database::File(path.to_owned()), peers, |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("service.db");
    let peers = Shared::default();
    let running = on_file(&file, &peers).await;
    running.deliver(&purchase()[0]).await;
    running.ended.abort();
    let _ = running.ended.await;
    let again = on_file(&file, &peers).await;
    assert_eq!(again.get("/api/customers/cus_1").await.status, 200);
    again.settle().await;
    assert_eq!(peers.lock().expect("peers").contacts.len(), 1);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_service_acknowledges_before_it_has_the_event() {
    let torn = |config: &mut Config| config.settings.defects = [Defect::AckBeforePersist].into_iter().collect();
    let running = Running::start(Database::Memory, &Shared::default(), torn).await;
    running.deliver(&purchase()[0]).await;
    for _ in 0..500 {
        if running.get("/api/customers/cus_1").await.status == 200 {
            running.settle().await;
            running.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the rest was never done");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_at_the_same_time_have_one_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Arc::new(on_file(&folder.path().join("service.db"), &Shared::default()).await);
    let mut deliveries = tokio::task::JoinSet::new();
    for event in purchase() {
        for _ in 0..8 {
            let (running, event) = (running.clone(), event.clone());
            deliveries.spawn(async move { running.deliver(&event).await });
        }
    }
    while let Some(done) = deliveries.join_next().await {
        done.expect("delivered");
    }
    running.settle().await;
    assert_eq!(running.get("/api/customers/ada").await.json()["purchases"], 1);
    {
        let peers = running.peers.lock().expect("peers");
        assert_eq!((peers.contacts.len(), peers.tickets.len()), (1, 1));
    }
    Arc::into_inner(running).expect("nobody else").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_is_put_back_by_hand() {
    let running = Running::memory().await;
    running.peers.lock().expect("peers").troubles.push_back(Trouble::Answer(400, None));
    running.deliver(&purchase()[0]).await;
    running.settle().await;
    let status = running.get("/internal/status").await.json();
    assert_eq!((&status["dead"], &status["drift"]), (&json!(1), &json!(1)));
    assert_eq!(running.ask("POST", "/internal/requeue", &[], b"").await.json(), json!({"requeued": 1}));
    running.settle().await;
    let status = running.get("/internal/status").await.json();
    assert_eq!((&status["dead"], &status["drift"]), (&json!(0), &json!(0)));
    running.stop().await;
}

#[tokio::test]
async fn it_does_not_start_unsafe() {
    let config = || Config::new(Secret::new(SECRET), "http://127.0.0.1:9", "http://127.0.0.1:9");
    let open = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let refused = run(open, config(), std::future::ready(())).await;
    assert!(matches!(refused, Err(ServiceError::NotLoopback(_))), "{refused:?}");
    let local = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let unsigned = Config { secrets: vec![Secret::new("")], ..config() };
    assert!(matches!(run(local, unsigned, std::future::ready(())).await, Err(ServiceError::Unsafe(_))));
}
