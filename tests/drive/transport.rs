//! Faults of the transport family from the receiving side: what a peer on the wire really sees of each.

use bytes::Bytes;
use hookdrill::{
    drive::{
        http::{Answer, Sender},
        transport::{Altered, Parcel, altered, send},
    },
    history::record::Outcome,
    scenario::transport::Transport,
    stripe::headers::delivery_headers,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

const BODY: &str = "{\"id\":\"evt_1\",\"type\":\"invoice.paid\",\"data\":{}}";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LONG: Duration = Duration::from_secs(10);

/// What a peer saw of one connection.
#[derive(Debug)]
struct Saw {
    head: String,
    body: Vec<u8>,
    /// How reading ended: when the whole body had come, at the end of the stream, or with an error.
    end: Result<&'static str, ErrorKind>,
    /// When each piece of the body came, after the first byte of the head.
    pieces: Vec<Duration>,
    /// How the connection ended after the answer, if one was written.
    after: Option<Result<usize, ErrorKind>>,
}

impl Saw {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn length(&self) -> usize {
        self.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// A peer that takes `connections` connections, one after the other, and answers each whole request with `answer`.
fn peer(connections: usize, answer: &'static str) -> (String, Receiver<Saw>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (tell, saw) = channel();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let Ok((stream, _)) = listener.accept() else { return };
            if tell.send(watch(stream, answer)).is_err() {
                return;
            }
        }
    });
    (url, saw)
}

#[expect(clippy::disallowed_methods, reason = "a test measures how slowly a body comes")]
fn watch(mut stream: TcpStream, answer: &str) -> Saw {
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    let (mut all, mut chunk, mut pieces) = (Vec::new(), [0_u8; 65_536], Vec::new());
    let started = Instant::now();
    let end = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break Ok("end"),
            Ok(n) => {
                all.extend_from_slice(&chunk[..n]);
                if split(&all).is_some_and(|(_, body)| !body.is_empty()) {
                    pieces.push(started.elapsed());
                }
                if is_whole(&all) {
                    break Ok("whole");
                }
            }
            Err(error) => break Err(error.kind()),
        }
    };
    let (head, body) = split(&all).map_or((String::new(), Vec::new()), |(head, body)| (head, body.to_vec()));
    let after = (end.is_ok() && stream.write_all(answer.as_bytes()).is_ok()).then(|| {
        stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out");
        stream.read(&mut chunk).map_err(|error| error.kind())
    });
    Saw { head, body, end, pieces, after }
}

fn split(all: &[u8]) -> Option<(String, &[u8])> {
    let at = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&all[..at]).into_owned(), &all[at + 4..]))
}

fn is_whole(all: &[u8]) -> bool {
    let Some((head, body)) = split(all) else { return false };
    let saw = Saw { head, body: Vec::new(), end: Ok("whole"), pieces: Vec::new(), after: None };
    match saw.header("transfer-encoding") {
        Some(_) => body.ends_with(b"0\r\n\r\n"),
        None => body.len() >= saw.length(),
    }
}

fn deliver(sender: &Sender, url: &str, how: Transport, timeout: Duration) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Altered { sent, .. } = altered(Some(how), BODY.as_bytes());
    let parcel = Parcel { url, headers: delivery_headers(&["t=1,v1=aa".to_owned()]), body: sent };
    runtime.block_on(send(sender, how, parcel, timeout)).expect("a request")
}

fn one(how: Transport) -> (Answer, Saw) {
    let (url, saw) = peer(1, OK);
    let answer = deliver(&Sender::new(), &url, how, LONG);
    (answer, saw.recv_timeout(LONG).expect("a connection"))
}

#[test]
fn a_reset_before_the_reply_is_a_reset_after_the_whole_request() {
    let (answer, saw) = one(Transport::ResetBeforeReply);
    assert_eq!((answer.outcome, answer.status), (Outcome::Indefinite, None), "{answer:?}");
    assert_eq!((saw.end, saw.body.as_slice()), (Ok("whole"), BODY.as_bytes()));
    assert_eq!(saw.after, Some(Err(ErrorKind::ConnectionReset)), "a reset, not an end");
}

#[test]
fn an_abort_in_the_middle_of_the_body_is_a_reset() {
    let (answer, saw) = one(Transport::AbortMidBody);
    assert_eq!((answer.outcome, answer.status), (Outcome::Refused, None), "{answer:?}");
    assert_eq!(saw.end, Err(ErrorKind::ConnectionReset), "a reset, not an end");
    assert_eq!((saw.length(), saw.body.as_slice()), (BODY.len(), &BODY.as_bytes()[..BODY.len() / 2]));
}

#[test]
fn a_truncated_body_ends_before_its_length_and_its_answer_is_read() {
    let (answer, saw) = one(Transport::Truncated);
    assert_eq!(saw.end, Ok("end"), "an end, not a reset");
    assert_eq!((saw.length(), saw.body.len()), (BODY.len(), BODY.len() / 2));
    assert_eq!((answer.outcome, answer.status, answer.text.as_str()), (Outcome::Acked, Some(200), "ok"));
    assert_eq!(saw.header("stripe-signature"), Some("t=1,v1=aa"));
}

#[test]
fn who_gives_up_has_sent_everything_and_ends_the_connection() {
    let (answer, saw) = one(Transport::GiveUp { after_ms: 0 });
    assert_eq!((answer.outcome, answer.status), (Outcome::Indefinite, None), "{answer:?}");
    assert_eq!((saw.end, saw.body.as_slice()), (Ok("whole"), BODY.as_bytes()));
    // An answer within the time is an answer.
    let (answer, saw) = one(Transport::GiveUp { after_ms: 5_000 });
    assert_eq!((answer.outcome, answer.status), (Outcome::Acked, Some(200)), "{answer:?}");
    assert_eq!(saw.after, Some(Ok(0)), "an end, not a reset");
}

#[test]
fn giving_up_is_an_end_when_nothing_has_come_back() {
    let (url, saw) = peer(1, "");
    let answer = deliver(&Sender::new(), &url, Transport::GiveUp { after_ms: 100 }, LONG);
    let saw = saw.recv_timeout(LONG).expect("a connection");
    assert_eq!((answer.outcome, saw.end, saw.after), (Outcome::Indefinite, Ok("whole"), Some(Ok(0))));
}

#[test]
fn a_slow_upload_comes_in_pieces_over_its_time_with_its_length_told() {
    let (answer, saw) = one(Transport::SlowUpload { over_ms: 700 });
    assert_eq!((answer.outcome, saw.end, saw.body.as_slice()), (Outcome::Acked, Ok("whole"), BODY.as_bytes()));
    assert_eq!((saw.length(), saw.header("transfer-encoding")), (BODY.len(), None));
    let (first, last) = (saw.pieces[0], saw.pieces[saw.pieces.len() - 1]);
    assert!(saw.pieces.len() >= 6, "{:?}", saw.pieces);
    assert!(last - first >= Duration::from_millis(600), "{:?}", saw.pieces);
}

#[test]
fn a_slow_upload_has_its_time_on_top_of_the_time_out() {
    let (url, saw) = peer(1, OK);
    let how = Transport::SlowUpload { over_ms: 600 };
    let answer = deliver(&Sender::new(), &url, how, Duration::from_millis(400));
    assert_eq!(answer.outcome, Outcome::Acked, "{answer:?}");
    drop(saw);
}

#[test]
fn chunked_is_chunked() {
    let (answer, saw) = one(Transport::Chunked);
    assert_eq!(answer.outcome, Outcome::Acked, "{answer:?}");
    assert_eq!((saw.header("transfer-encoding"), saw.header("content-length")), (Some("chunked"), None));
    let text = String::from_utf8(saw.body).expect("text");
    let mut lines = text.split("\r\n");
    let mut body = String::new();
    let mut chunks = 0;
    while let (Some(size), Some(data)) = (lines.next(), lines.next()) {
        assert_eq!(usize::from_str_radix(size, 16).expect("a size"), data.len());
        body.push_str(data);
        chunks += usize::from(!data.is_empty());
    }
    assert!(body == BODY && chunks > 1, "{chunks} chunks: {text}");
}

#[test]
fn bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for() {
    let (_, saw) = one(Transport::WrongContentType);
    assert_eq!((saw.header("content-type"), saw.body.as_slice()), (Some("text/plain"), BODY.as_bytes()));
    let (_, saw) = one(Transport::Gzip);
    assert_eq!(saw.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(saw.body.as_slice()).read_to_string(&mut text).expect("gzip");
    assert_eq!((text.as_str(), saw.length()), (BODY, saw.body.len()));
    let (_, saw) = one(Transport::Empty);
    assert_eq!((saw.header("content-length"), saw.body.len()), (Some("0"), 0));
    let (_, saw) = one(Transport::OverSize);
    assert!(saw.body.starts_with(BODY.as_bytes()) && saw.body.len() == BODY.len() + 1024 * 1024);
    let (_, saw) = one(Transport::InvalidUtf8);
    assert!(std::str::from_utf8(&saw.body).is_err() && saw.body.len() == BODY.len() + 1);
    let (_, saw) = one(Transport::OtherSlash);
    assert!(saw.head.starts_with("POST /hook/ HTTP/1.1"), "{}", saw.head);
    let (_, saw) = one(Transport::PlainHttp);
    assert_eq!(saw.header("x-forwarded-proto"), Some("http"));
}

#[test]
fn a_redirect_is_a_refusal_that_nobody_follows() {
    let (url, saw) = peer(2, "HTTP/1.1 308 Permanent Redirect\r\nlocation: /hook\r\ncontent-length: 0\r\n\r\n");
    let answer = deliver(&Sender::new(), &url, Transport::OtherSlash, LONG);
    assert_eq!((answer.outcome, answer.status), (Outcome::Refused, Some(308)), "{answer:?}");
    saw.recv_timeout(LONG).expect("a connection");
    assert!(saw.recv_timeout(Duration::from_millis(300)).is_err(), "nobody comes again");
}

/// How many connections two requests in a row take.
fn connections(how: Option<Transport>) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (tell, opened) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            if tell.send(()).is_err() {
                return;
            }
            std::thread::spawn(move || {
                let mut chunk = [0_u8; 4096];
                while stream.read(&mut chunk).is_ok_and(|n| n > 0) {
                    if stream.write_all(OK.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let sender = Sender::new();
        for _ in 0..2 {
            let (headers, body) = (delivery_headers(&[]), Bytes::from_static(BODY.as_bytes()));
            let answer = match how {
                None => sender.send("POST", &url, &headers, body, LONG).await,
                Some(how) => send(&sender, how, Parcel { url: &url, headers, body }, LONG).await,
            };
            assert_eq!(answer.expect("a request").outcome, Outcome::Acked);
            // A connection goes back to its pool a moment after its answer.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    opened.try_iter().count()
}

#[test]
fn a_fresh_connection_is_one_of_its_own_and_otherwise_it_is_kept() {
    assert_eq!(connections(None), 1);
    assert_eq!(connections(Some(Transport::FreshConnection)), 2);
}

#[test]
fn where_nobody_listens_a_faulty_attempt_is_refused_too() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    for (_, how) in Transport::WORDS {
        let answer = deliver(&Sender::new(), &format!("http://{free}/hook"), *how, LONG);
        assert_eq!((answer.outcome, answer.status), (Outcome::Refused, None), "{how:?}: {answer:?}");
    }
}

/// Each fault of the family, with the test that looks at it from the receiving side.
pub(super) const RECEIVED: &[(&str, fn())] = &[
    ("slow_upload", a_slow_upload_comes_in_pieces_over_its_time_with_its_length_told),
    ("fresh_connection", a_fresh_connection_is_one_of_its_own_and_otherwise_it_is_kept),
    ("chunked", chunked_is_chunked),
    ("wrong_content_type", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("gzip", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("other_slash", a_redirect_is_a_refusal_that_nobody_follows),
    ("plain_http", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("over_size", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("truncated", a_truncated_body_ends_before_its_length_and_its_answer_is_read),
    ("empty", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("invalid_utf8", bodies_and_headers_are_wrong_in_the_one_way_that_was_asked_for),
    ("abort_mid_body", an_abort_in_the_middle_of_the_body_is_a_reset),
    ("reset_before_reply", a_reset_before_the_reply_is_a_reset_after_the_whole_request),
    ("give_up", who_gives_up_has_sent_everything_and_ends_the_connection),
];
