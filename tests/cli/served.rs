//! `hookdrill serve` as it is deployed: told by the environment, watched from outside, ended by a signal.

use super::{hookdrill, scratch};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap};
use hookdrill::{
    redact::{Redactor, leaks},
    stripe::signature::sign,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(super) const WEBHOOK: &str = "whsec_served_0123456789abcdef";
const SECRETS: [(&str, &str); 6] = [
    ("STRIPE_WEBHOOK_SECRET", WEBHOOK),
    ("HOOKDRILL_CRM_TOKEN", "crm-token-served-4711"),
    ("HOOKDRILL_SUPPORT_TOKEN", "desk-token-served-4712"),
    ("HOOKDRILL_ADMIN_TOKEN", "admin-token-served-4713"),
    ("HOOKDRILL_METRICS_TOKEN", "metrics-token-served-4714"),
    ("HOOKDRILL_SESSION_KEY", "session-key-served-4715"),
];

/// The running binary; killed when dropped.
pub(super) struct Served {
    child: Child,
    pub(super) address: String,
    /// What it has printed since.
    said: Arc<Mutex<String>>,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Served {
    pub(super) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookdrill"));
        for name in ["RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            command.env_remove(name);
        }
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(SECRETS)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut errors = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text).expect("text")
        });
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().and_then(Result::ok).expect("a first line");
        let said = Arc::<Mutex<String>>::default();
        let keep = Arc::clone(&said);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| *keep.lock().expect("kept") += &line));
        let address = first.strip_prefix("listening on http://").expect("an address").trim().to_owned();
        Self { child, address, said, log: Some(log) }
    }

    /// The address of the support double.
    pub(super) fn desk(&self) -> String {
        for _ in 0..500 {
            let said = self.said.lock().expect("kept").clone();
            if let Some((_, rest)) = said.split_once("support at http://") {
                return rest.split(',').next().expect("an address").to_owned();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not say where the support double is");
    }

    /// The whole answer: status line, headers and body.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        ask(&self.address, method, path, headers, body)
    }

    pub(super) fn deliver(&self, body: &str) -> String {
        let at = now();
        let header = format!("t={at},v1={}", sign(WEBHOOK, at, body.as_bytes()));
        self.ask("POST", "/webhooks/stripe", &[("stripe-signature", &header)], body.as_bytes())
    }

    /// Until no job waits.
    pub(super) fn settle(&self) {
        for _ in 0..500 {
            if self.ask("GET", "/internal/status", &[], b"").contains("\"pending\":0") {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("jobs stay");
    }

    /// Asks it to end, as a deployment does; how it ended and its log.
    fn terminate(mut self) -> (i32, String) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill");
        assert!(told.success());
        let ended = self.child.wait().expect("it ends");
        let log = self.log.take().expect("once").join().expect("a log");
        (ended.code().unwrap_or(-1), log)
    }
}

/// The whole answer: status line, headers and body.
pub(super) fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).expect("sent");
    // A service that refuses a large body may close before it has read all of it.
    let _ = stream.write_all(body);
    let mut raw = Vec::new();
    let _ = stream.read_to_end(&mut raw);
    String::from_utf8_lossy(&raw).into_owned()
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "signs for the service's real clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

/// A purchase as it is recorded.
pub(super) fn purchase() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/checkout-subscription");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a story").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("text")).collect()
}

#[test]
fn a_secret_that_is_missing_or_empty_is_named_before_anything_starts() {
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let with = |extra: &[&str], environment: &[(&str, &str)]| hookdrill(&[&serve[..], extra].concat(), environment);
    let webhook = SECRETS[0];
    let cases = [
        (with(&[], &[]), "STRIPE_WEBHOOK_SECRET"),
        (with(&[], &[("STRIPE_WEBHOOK_SECRET", "")]), "STRIPE_WEBHOOK_SECRET"),
        (with(&[], &[webhook, ("HOOKDRILL_CRM_TOKEN", "")]), "HOOKDRILL_CRM_TOKEN"),
        (with(&[], &[webhook, ("HOOKDRILL_ADMIN_TOKEN", " ")]), "HOOKDRILL_ADMIN_TOKEN"),
        (with(&[], &[webhook, ("HOOKDRILL_ADMIN_TOKEN", "short")]), "HOOKDRILL_ADMIN_TOKEN"),
        (with(&["--crm-url", "http://127.0.0.1:9"], &[webhook]), "HOOKDRILL_CRM_TOKEN"),
    ];
    for (done, variable) in cases {
        assert_eq!(done.code, 3, "{done}");
        assert!(done.stderr.contains(variable), "{variable}: {done}");
    }
    let done = with(&["--log-level", "hookdrill=loud"], &[webhook]);
    assert!(done.code == 3 && done.stderr.contains("is no log level"), "{done}");
}

type Kept = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A small receiver of OTLP over HTTP, and what it was sent.
fn receiver() -> (tokio::runtime::Runtime, String, Kept) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kept = Kept::default();
    let keep = async |State(kept): State<Kept>, headers: HeaderMap, body: Bytes| {
        kept.lock().expect("kept").push((headers, body));
    };
    let app = Router::new().route("/v1/traces", axum::routing::post(keep)).with_state(kept.clone());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move { axum::serve(listener, app).await });
    (runtime, url, kept)
}

fn spans(kept: &Kept) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let kept = kept.lock().expect("kept");
    let requests = kept.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).expect("OTLP"));
    let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

#[test]
fn spans_arrive_where_the_standard_variable_says_and_nowhere_without_it() {
    let (_runtime, url, kept) = receiver();
    let bodies = purchase();
    let silent = Served::start(&[], &[]);
    for body in &bodies {
        assert!(silent.deliver(body).contains("200 OK"));
    }
    silent.settle();
    assert_eq!(silent.terminate().0, 0);
    assert!(kept.lock().expect("kept").is_empty(), "nobody asked for traces");

    let traced = Served::start(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_BSP_SCHEDULE_DELAY", "100")]);
    for body in &bodies {
        assert!(traced.deliver(body).contains("200 OK"));
    }
    traced.settle();
    let (code, log) = traced.terminate();
    assert_eq!(code, 0, "{log}");
    let spans = spans(&kept);
    for name in ["webhook.receive", "webhook.commit", "job.run", "upstream.call"] {
        assert!(spans.iter().any(|span| span.name == name), "no span {name}");
    }
    let parent = |child: &str| {
        let child = spans.iter().find(|span| span.name == child).expect("a span");
        let parent = spans.iter().find(|span| span.span_id == child.parent_span_id).expect("its parent");
        assert_eq!(parent.trace_id, child.trace_id);
        parent.name.clone()
    };
    assert_eq!((parent("webhook.commit"), parent("upstream.call")), ("webhook.receive".into(), "job.run".into()));
    let sent = format!("{spans:?}");
    assert!(sent.contains("accepted") && sent.contains("checkout.session.completed"), "attributes are there");
    for word in ["@example.com", "served-47", WEBHOOK, "v1="] {
        assert!(!sent.contains(word), "{word} is in a span");
    }
}

/// Secrets of the run that must be nowhere.
fn secrets() -> Vec<&'static str> {
    SECRETS.iter().map(|(_, secret)| *secret).collect()
}

/// What a text lets out, the reflected signatures of this test included.
fn found(text: &str) -> Vec<String> {
    let mut found = leaks(text, &secrets());
    let plain = Redactor::new(&[]).text(text);
    if plain != text {
        found.push("a signature, a bearer header or a key".to_owned());
    }
    found
}

/// Answers to everything that can be asked, well and badly.
fn crawl(served: &Served) -> Vec<String> {
    let paths = [
        "/",
        "/signup",
        "/billing",
        "/billing/cancel",
        "/chat",
        "/checkout/success",
        "/checkout/success?session_id=%00'%22",
        "/api/signup",
        "/api/support",
        "/api/chat/entitlement",
        "/api/customers/cus_none",
        "/api/customers/%ff",
        "/api/customers/cus_none/history",
        "/internal/status",
        "/internal/requeue",
        "/healthz",
        "/readyz",
        "/metrics",
        "/webhooks/stripe",
        "/webhooks/stripe/",
        "/admin",
        "/admin/login",
        "/admin/logout",
        "/admin/requeue",
        "/admin/jobs/x/requeue",
        "/admin/jobs/1/requeue",
        "/style.css",
        "/nothing",
        "/../../etc/passwd",
        "/%2e%2e/x",
    ];
    let (json, form) = (("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded"));
    let bearer = ("authorization", "Bearer metrics-token-served-4714");
    let wrong = ("authorization", "Bearer somebody-elses-token-0001");
    let signed = ("stripe-signature", "t=1,v1=0000000000000000000000000000000000000000000000000000000000000000");
    let bad_cookie = ("cookie", "hookdrill_admin=x.y; hookdrill_person=x.y");
    let bodies: [&[u8]; 6] = [b"", b"{", b"{\"user\":1}", b"[[[[[[", b"token=%ff&admin_token=x", b"\xff\xfe\x00"];
    let mut answers = Vec::new();
    for path in paths {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
            answers.push(served.ask(method, path, &[bearer, bad_cookie], b""));
        }
        for body in bodies {
            answers.push(served.ask("POST", path, &[json, wrong, signed], body));
            answers.push(served.ask("POST", path, &[form, bad_cookie, ("origin", "https://evil.example")], body));
        }
        answers.push(served.ask("POST", path, &[json], &vec![b'['; 600 * 1024]));
    }
    answers
}

#[test]
fn no_answer_and_no_line_of_the_log_lets_a_secret_or_a_trace_out() {
    let folder = scratch();
    let database = folder.path().join("service.db");
    let arguments =
        ["--database", database.to_str().expect("text"), "--log", "json", "--log-level", "trace", "--rate-limit", "0"];
    let served = Served::start(&arguments, &[("RUST_BACKTRACE", "1")]);
    let mut answers = Vec::new();
    for body in purchase() {
        answers.push(served.deliver(&body));
        answers.push(served.deliver(&body.replace("\"object\"", "\"objekt\"")));
    }
    served.settle();
    answers.extend(admin(&served));
    answers.extend(crawl(&served));
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert!(log.lines().count() > 20 && log.lines().all(|line| line.starts_with('{')), "JSON lines: {log}");
    assert!(
        answers.iter().any(|a| a.contains("200 OK")) && answers.iter().any(|a| a.contains("hookdrill_webhooks_total"))
    );
    for text in answers.iter().chain([&log]) {
        assert!(found(text).is_empty(), "{:?} in\n{text}", found(text));
    }
}

/// The admin's way: the form, a wrong token, the right one, the screen.
pub(super) fn admin(served: &Served) -> Vec<String> {
    let between = |text: &str, from: &str, to: char| {
        let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} is not in {text}"));
        rest.split(to).next().expect("a value").to_owned()
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    let shown = served.ask("GET", "/admin/login", &[], b"");
    let cookie = between(&shown, "set-cookie: ", ';');
    let token = between(&shown, "name=\"token\" value=\"", '"');
    let typed = |word: &str| {
        served.ask(
            "POST",
            "/admin/login",
            &[form, ("cookie", &cookie)],
            format!("token={token}&admin_token={word}").as_bytes(),
        )
    };
    let (wrong, right) = (typed("admin-token-served-471x"), typed("admin-token-served-4713"));
    let session = between(&right, "set-cookie: ", ';');
    let screen = served.ask("GET", "/admin", &[("cookie", &session)], b"");
    assert!(screen.contains("Steps by hand"), "{screen}");
    vec![shown, wrong, right, screen]
}

#[test]
fn the_scanner_finds_one_of_each_kind_that_is_planted() {
    let mut planted: Vec<String> = secrets().iter().map(|secret| format!("{{\"error\":\"with {secret}\"}}")).collect();
    planted.extend(
        [
            "postgresql://app:pg-password-served@db/app said: Bearer abcdefghijklmnop",
            "t=1,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
            "sk_test_0123456789abcdef",
            "thread 'main' panicked at src/service/x.rs:1:2",
            "stack backtrace:\n   0: x",
            "at handler (/app/server.js:10:5)",
        ]
        .map(str::to_owned),
    );
    for text in planted {
        assert!(!found(&text).is_empty(), "{text}");
    }
    assert!(found("{\"error\":\"there is nothing here\"}").is_empty());
}

#[test]
fn a_password_of_the_database_is_in_no_error() {
    let url = "postgresql://app:pg-password-served@127.0.0.1:9/app?connect_timeout=1";
    let environment = [SECRETS[0], ("DATABASE_URL", url)];
    let done = hookdrill(
        &["serve", "--listen", "127.0.0.1:0", "--database", "postgres", "--log-level", "trace"],
        &environment,
    );
    assert_eq!(done.code, 4, "{done}");
    assert!(!done.stderr.contains("pg-password-served") && !done.stdout.contains("pg-password-served"), "{done}");
}
