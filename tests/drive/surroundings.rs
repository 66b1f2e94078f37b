//! Faults of the process family from the receiving side: what a sender with a plain socket sees of a service that is killed,
//! told to stop, whose clock is wrong, or whose store is locked.

use crate::{
    cli::scratch,
    service::child::{Connection, body, command},
};
use hookdrill::{
    drive::process::{Fleet, Process, Start},
    service::store::Store,
    stripe::signature::{header, sign},
};
use std::{
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SECRET: &str = "whsec_of_the_durability_tests";
const NOBODY: &str = "http://127.0.0.1:9";

async fn started(folder: &Path) -> Process {
    Process::start(command(folder, NOBODY, NOBODY, &[])).await.expect("the service starts")
}

async fn status(url: &str, number: u64) -> Result<u16, ErrorKind> {
    Connection::to(url).deliver(number).await.map_err(|error| error.kind())
}

fn address(service: &Process) -> String {
    service.url().replace("http://", "")
}

/// A request of which all but the last byte has been sent, and that byte.
#[expect(clippy::disallowed_methods, reason = "signs for the service's real clock")]
async fn in_flight(service: &Process, number: u64) -> (TcpStream, u8) {
    let body = body(number);
    let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let at = i64::try_from(at).expect("a time");
    let signature = header(at, &[sign(SECRET, at, body.as_bytes())]);
    let (first, last) = body.as_bytes().split_at(body.len() - 1);
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: service\r\nstripe-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address(service)).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(first).await.expect("written");
    // Until the service has surely begun to read.
    tokio::time::sleep(Duration::from_millis(100)).await;
    (stream, last[0])
}

async fn rest_of(stream: &mut TcpStream) -> Result<String, ErrorKind> {
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_service_breaks_off_what_is_under_way_and_refuses_what_comes() {
    let folder = scratch();
    let mut service = started(folder.path()).await;
    assert_eq!(status(&service.url(), 0).await, Ok(200));
    let (mut stream, _) = in_flight(&service, 2).await;
    service.kill().await;
    let broken = rest_of(&mut stream).await;
    assert!(matches!(broken.as_deref(), Ok("") | Err(ErrorKind::ConnectionReset)), "no answer: {broken:?}");
    assert_eq!(status(&service.url(), 2).await, Err(ErrorKind::ConnectionRefused));
    service.start_again().await.expect("it starts");
    assert_eq!(status(&service.url(), 2).await, Ok(200), "on the port that it had");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_told_to_stop_answers_what_is_under_way_and_refuses_what_comes() {
    let folder = scratch();
    let mut service = started(folder.path()).await;
    let (mut stream, last) = in_flight(&service, 0).await;
    let number = service.terminate().expect("it runs");
    let mut refused = Ok(200);
    for _ in 0..100 {
        refused = TcpStream::connect(address(&service)).await.map(|_| 200).map_err(|error| error.kind());
        // One that was in the queue of the listener when that was closed is reset.
        if refused == Err(ErrorKind::ConnectionRefused) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(refused, Err(ErrorKind::ConnectionRefused), "nobody new is let in");
    assert!(!service.has_ended(number), "it waits for the request that is under way");
    stream.write_all(&[last]).await.expect("written");
    let answer = rest_of(&mut stream).await.expect("a whole answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    wait_for_the_end(&mut service, number).await;
    service.start_again().await.expect("it starts");
    let asked = Connection::to(&service.url()).ask("GET", "/internal/status", "", "").await.expect("an answer");
    assert!(asked.1.contains("\"events\":1"), "what was answered is kept: {}", asked.1);
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a stop takes")]
async fn wait_for_the_end(service: &mut Process, number: u32) {
    let started = Instant::now();
    while !service.has_ended(number) {
        assert!(started.elapsed() < Duration::from_secs(5), "a service without work ends at once");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_makes_genuine_deliveries_stale_only_beyond_the_tolerance() {
    let folder = scratch();
    let mut service = started(folder.path()).await;
    let told = || tokio::time::sleep(Duration::from_millis(200));
    for (n, (offset_ms, expected)) in
        [(60_000, 200), (-60_000, 200), (400_000, 400), (-400_000, 400), (0, 200)].iter().enumerate()
    {
        service.set_clock(*offset_ms).await;
        told().await;
        assert_eq!(status(&service.url(), 2 * n as u64).await, Ok(*expected), "{offset_ms} ms");
    }
    service.set_clock(400_000).await;
    service.kill().await;
    service.start_again().await.expect("it starts");
    told().await;
    assert_eq!(status(&service.url(), 20).await, Ok(400), "the next process has the wrong clock too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_is_a_503_and_nothing_is_acknowledged_that_is_not_kept() {
    let folder = scratch();
    let service = started(folder.path()).await;
    assert_eq!(status(&service.url(), 0).await, Ok(200));
    let mut lock = Store::sqlite(&folder.path().join("service.db")).expect("the store opens");
    lock.hold().expect("locked");
    assert_eq!(status(&service.url(), 2).await, Ok(503));
    drop(lock);
    assert_eq!(status(&service.url(), 2).await, Ok(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_is_killed_and_the_others_answer() {
    let folder = scratch();
    let fleet = Fleet::start(vec![Start::from(command(folder.path(), NOBODY, NOBODY, &[])); 2], folder.path())
        .await
        .expect("two processes");
    let urls = fleet.urls().await;
    let slots: Vec<_> = fleet.slots().collect();
    slots[0].lock().await.kill().await;
    assert_eq!(status(&urls[0], 0).await, Err(ErrorKind::ConnectionRefused));
    assert_eq!(status(&urls[1], 0).await, Ok(200));
    slots[0].lock().await.start_again().await.expect("it starts");
    assert_eq!(status(&urls[0], 0).await, Ok(200), "the same port, the same store");
}

/// Each fault of the family, with the test that looks at it from the sender's side.
pub(super) const RECEIVED: &[(&str, fn())] = &[
    ("kill", a_killed_service_breaks_off_what_is_under_way_and_refuses_what_comes),
    ("down", a_killed_service_breaks_off_what_is_under_way_and_refuses_what_comes),
    ("random_kills", one_of_several_is_killed_and_the_others_answer),
    ("stop", a_service_that_is_told_to_stop_answers_what_is_under_way_and_refuses_what_comes),
    ("clock", a_wrong_clock_makes_genuine_deliveries_stale_only_beyond_the_tolerance),
    ("store_busy", a_locked_store_is_a_503_and_nothing_is_acknowledged_that_is_not_kept),
];
