//! Faults of the downstream family from the side of the caller: what a client on the wire sees, and what the double did.

use hookdrill::{
    history::record::Call,
    mock::{
        models::ModelOptions,
        relay::MARK,
        socket::{Doubles, DoublesOptions},
    },
    plan::model::{CallDoes, CallTrouble, Kill, KillAt, PLAN_VERSION, Plan},
    scenario::{
        downstream::{AtCall, Moment, Which},
        fault::Double,
    },
    time::Timestamp,
};
use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

struct Running {
    doubles: Doubles,
    calls: UnboundedReceiver<(u64, Call)>,
    _runtime: tokio::runtime::Runtime,
}

pub(crate) fn plan(troubles: Vec<CallTrouble>, kills: Vec<Kill>) -> Plan {
    Plan {
        stripe: None,
        clean: None,
        alerts: false,
        declared: Vec::new(),
        timeline: None,
        quiet_least_ms: 0,
        recovers_within_ms: 0,
        store_busy: Vec::new(),
        clock: Vec::new(),
        version: PLAN_VERSION,
        scenario: "relay".to_owned(),
        seed: 1,
        epoch: Timestamp::from_secs(0),
        retry_waits_ms: Vec::new(),
        timeout_ms: 1_000,
        quiet_budget_ms: 1_000,
        instances: Vec::new(),
        deliveries: Vec::new(),
        steps: Vec::new(),
        outages: Vec::new(),
        troubles,
        kills,
        given: Vec::new(),
        faults: Vec::new(),
        bodies: BTreeMap::new(),
    }
}

fn trouble(does: CallDoes, which: Which) -> CallTrouble {
    let (operation, about) = (Some("create_contact".to_owned()), Vec::new());
    let (fault, of, probability) = (0, Double::Crm, 1.0);
    CallTrouble { fault, of, operation, about, which, from_ms: 0, until_ms: None, probability, does }
}

fn following(plan: &Plan) -> Running {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (sender, calls) = unbounded_channel();
    let options = DoublesOptions {
        listen: BTreeMap::new(),
        models: ModelOptions::default(),
        outages: Vec::new(),
        now_ms: Arc::new(|| 7),
        calls: sender,
    };
    let doubles = runtime.block_on(Doubles::start(options)).expect("doubles");
    doubles.follow(plan);
    Running { doubles, calls, _runtime: runtime }
}

fn first(does: CallDoes) -> Running {
    following(&plan(vec![trouble(does, Which::First(1))], Vec::new()))
}

impl Running {
    fn connect(&self) -> TcpStream {
        let address = self.doubles.crm_url().replace("http://", "");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
        stream
    }

    fn call(&mut self) -> Call {
        self.calls.try_recv().expect("a call is recorded").1
    }

    fn contacts(&self) -> usize {
        self.doubles.ledger().0.len()
    }
}

fn write_create(stream: &mut TcpStream, email: &str) {
    let body = format!("{{\"properties\":{{\"email\":\"{email}\"}}}}");
    let request = format!(
        "POST /crm/v3/objects/contacts HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer x\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("written");
}

/// Everything until the connection ends, and how it ends; `Ok` when an answer is whole.
fn read(stream: &mut TcpStream) -> (String, Result<&'static str, ErrorKind>) {
    let (mut all, mut chunk) = (Vec::new(), [0_u8; 4096]);
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if told(&text).is_some_and(|(told, came)| came >= told) {
            return (text, Ok("whole"));
        }
        match stream.read(&mut chunk) {
            Ok(0) => return (text, Ok("end")),
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(error) => return (text, Err(error.kind())),
        }
    }
}

/// `Content-Length`, and how much of it has come.
fn told(text: &str) -> Option<(usize, usize)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let line =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    Some((line, body.len()))
}

fn create(running: &Running, email: &str) -> (String, Result<&'static str, ErrorKind>) {
    let mut stream = running.connect();
    write_create(&mut stream, email);
    read(&mut stream)
}

fn is_made(answer: &(String, Result<&'static str, ErrorKind>)) {
    assert!(answer.0.starts_with("HTTP/1.1 201 ") && answer.1 == Ok("whole"), "{answer:?}");
    assert!(!answer.0.to_lowercase().contains(MARK), "the caller sees no mark: {answer:?}");
}

#[test]
fn a_reset_is_a_reset_and_nothing_is_done() {
    let mut running = first(CallDoes::Reset);
    assert_eq!(create(&running, "a@example.com"), (String::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(running.contacts(), 0);
    let call = running.call();
    assert_eq!((call.operation.as_str(), call.faulted, call.effects.len()), ("create_contact", true, 0));
    assert_eq!(call.fault.as_deref(), Some("connection reset, nothing done"));
    is_made(&create(&running, "b@example.com"));
    let second = running.call();
    assert_eq!((second.faulted, second.fault, second.status), (false, None, 201));
}

#[test]
fn a_lost_reply_is_a_reset_and_the_ledger_has_the_effect() {
    let mut running = first(CallDoes::LostReply);
    assert_eq!(create(&running, "a@example.com"), (String::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(running.contacts(), 1);
    let call = running.call();
    assert_eq!((call.status, call.faulted, call.effects.len()), (201, true, 1));
}

#[test]
fn what_a_library_repeats_at_once_is_the_same_call_and_the_next_one_is_the_second() {
    let running = first(CallDoes::LostReply);
    // The clock of this test stands still, so every repetition comes at once.
    for _ in 0..3 {
        assert_eq!(create(&running, "a@example.com").1, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(running.contacts(), 1, "a repetition meets the contact that is there");
    let (text, end) = create(&running, "a@example.com");
    assert!(text.starts_with("HTTP/1.1 409 ") && end == Ok("whole"), "{text}");
}

#[test]
fn a_hang_is_silence_until_the_caller_goes_and_holds_up_nobody() {
    let mut running = first(CallDoes::Hang);
    let mut stuck = running.connect();
    stuck.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
    write_create(&mut stuck, "a@example.com");
    let (text, end) = read(&mut stuck);
    assert!(text.is_empty() && matches!(end, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{text} {end:?}");
    is_made(&create(&running, "b@example.com"));
    assert_eq!((running.contacts(), running.call().effects.len()), (1, 0));
}

#[test]
fn a_cut_off_answer_tells_of_more_than_it_brings() {
    let mut running = first(CallDoes::TruncatedAnswer);
    let (text, end) = create(&running, "a@example.com");
    let (told, came) = told(&text).expect("a length");
    assert!(text.starts_with("HTTP/1.1 201 ") && end == Ok("end"), "{text} {end:?}");
    assert!(came > 0 && came < told, "{came} of {told}");
    assert_eq!((running.contacts(), running.call().faulted), (1, true));
}

#[test]
fn broken_json_is_a_whole_answer_and_an_error_is_in_the_words_of_the_api() {
    let running = first(CallDoes::MalformedJson);
    let answer = create(&running, "a@example.com");
    is_made(&answer);
    let body = answer.0.split_once("\r\n\r\n").expect("a body").1;
    assert!(serde_json::from_str::<serde_json::Value>(body).is_err(), "{body}");
    assert_eq!(running.contacts(), 1);
    for (status, word) in [(401, "INVALID_AUTHENTICATION"), (403, "MISSING_SCOPES"), (429, "TEN_SECONDLY_ROLLING")] {
        let running = first(CallDoes::Answer { status, retry_after_s: Some(3) });
        let (text, _) = create(&running, "a@example.com");
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(word), "{text}");
        assert!(text.to_lowercase().contains("retry-after: 3\r\n") && running.contacts() == 0, "{text}");
    }
}

#[test]
fn one_connection_is_kept_over_calls_that_no_fault_breaks() {
    let running = first(CallDoes::Slow { least_ms: 0, most_ms: 0 });
    let mut stream = running.connect();
    for email in ["a@example.com", "b@example.com"] {
        write_create(&mut stream, email);
        is_made(&read(&mut stream));
    }
    assert_eq!(running.contacts(), 2);
}

#[test]
fn a_held_call_asks_for_the_kill_and_is_silent_until_its_caller_is_dead() {
    for (moment, made) in [(Moment::Before, 0), (Moment::After, 1)] {
        let at = AtCall { of: Double::Crm, operation: Some("create_contact".to_owned()), nth: 1, moment };
        let kill = Kill { at: KillAt::AtCall(at), restart_after_ms: 250, lot: None };
        let running = following(&plan(Vec::new(), vec![kill]));
        assert_eq!(running.doubles.take_kill(), None);
        let mut held = running.connect();
        held.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
        write_create(&mut held, "a@example.com");
        assert!(matches!(read(&mut held).1, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)));
        assert_eq!((running.doubles.take_kill(), running.doubles.take_kill()), (Some(250), None));
        assert_eq!(running.contacts(), made, "{moment:?}");
        // The process that comes after it calls again, as a call of its own.
        let again = create(&running, "a@example.com").0;
        assert!(again.starts_with(if made == 0 { "HTTP/1.1 201 " } else { "HTTP/1.1 409 " }), "{again}");
    }
}

#[test]
fn the_quiet_phase_ends_every_trouble() {
    let running = following(&plan(vec![trouble(CallDoes::Reset, Which::All)], Vec::new()));
    assert_eq!(create(&running, "a@example.com").1, Err(ErrorKind::ConnectionReset));
    running.doubles.faults_off();
    is_made(&create(&running, "a@example.com"));
}

#[test]
fn a_batch_in_part_is_told_as_207_and_the_rest_is_done() {
    let does = CallDoes::PartialBatch { fails: 1 };
    let trouble = CallTrouble { operation: None, ..trouble(does, Which::First(1)) };
    let mut running = following(&plan(vec![trouble], Vec::new()));
    let input = |email: &str| format!("{{\"id\":\"{email}\",\"idProperty\":\"email\",\"properties\":{{}}}}");
    let body = format!("{{\"inputs\":[{},{}]}}", input("a@example.com"), input("b@example.com"));
    let batch = |running: &Running| {
        let mut stream = running.connect();
        let request = format!(
            "POST /crm/v3/objects/contacts/batch/upsert HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer x\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("written");
        read(&mut stream).0
    };
    let text = batch(&running);
    assert!(text.starts_with("HTTP/1.1 207 ") && text.contains("\"numErrors\":1"), "{text}");
    assert_eq!((running.contacts(), running.call().effects.len()), (1, 1));
    let text = batch(&running);
    assert!(text.starts_with("HTTP/1.1 200 ") && !text.contains("numErrors"), "{text}");
    assert_eq!(running.contacts(), 2, "the application's own repetition makes it good");
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
#[test]
fn a_slow_answer_comes_late_and_whole() {
    for does in [CallDoes::Slow { least_ms: 200, most_ms: 300 }, CallDoes::LongTail { p50_ms: 200, p99_ms: 200 }] {
        let running = first(does);
        let started = std::time::Instant::now();
        is_made(&create(&running, "a@example.com"));
        assert!(started.elapsed() >= Duration::from_millis(190), "{does:?}");
        assert_eq!(running.contacts(), 1);
    }
}

#[test]
fn a_lagging_index_shows_what_was_made_by_id_and_not_yet_to_a_search() {
    let running = first(CallDoes::LaggingIndex { by_ms: 60_000 });
    is_made(&create(&running, "a@example.com"));
    let ask = |method: &str, path: &str, body: &str| {
        let mut stream = running.connect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: crm\r\nAuthorization: Bearer x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("written");
        read(&mut stream).0
    };
    let search = r#"{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"a@example.com"}]}]}"#;
    let found = ask("POST", "/crm/v3/objects/contacts/search", search);
    assert!(found.contains("\"total\":0"), "{found}");
    let read = ask("GET", "/crm/v3/objects/contacts/a@example.com?idProperty=email", "");
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
}

/// Each trouble of a call, with the test that looks at it from the caller's side.
pub(crate) const RECEIVED: &[(&str, fn())] = &[
    ("overtaken", crate::contract::stripe_faults::a_slow_read_is_overtaken_by_the_next_event),
    ("stale_read", crate::contract::stripe_faults::a_stale_read_shows_what_was),
    ("answer", broken_json_is_a_whole_answer_and_an_error_is_in_the_words_of_the_api),
    ("slow", a_slow_answer_comes_late_and_whole),
    ("hang", a_hang_is_silence_until_the_caller_goes_and_holds_up_nobody),
    ("reset", a_reset_is_a_reset_and_nothing_is_done),
    ("lost_reply", a_lost_reply_is_a_reset_and_the_ledger_has_the_effect),
    ("malformed_json", broken_json_is_a_whole_answer_and_an_error_is_in_the_words_of_the_api),
    ("truncated_answer", a_cut_off_answer_tells_of_more_than_it_brings),
    ("lagging_index", a_lagging_index_shows_what_was_made_by_id_and_not_yet_to_a_search),
    ("partial_batch", a_batch_in_part_is_told_as_207_and_the_rest_is_done),
];
