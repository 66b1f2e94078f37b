//! Durability that no kill can see: the system calls of a real run, read by a checker. No 200 to a webhook may leave before
//! the `fdatasync` that covers the write of its row into the write-ahead log has ended.

use super::child::{Connection, command, event_id};
use hookdrill::drive::process::{Process, ServiceCommand};
use std::{collections::BTreeMap, path::Path};

/// What a trace says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Traced {
    /// Webhooks that were answered 200.
    answered: usize,
    /// Those of them whose row was not yet on disk.
    early: Vec<String>,
}

/// Events of the trace by their place in it; `usize::MAX` until it has ended.
#[derive(Default)]
struct Seen {
    /// Request under way by the number of its socket; strace does not always know what a new socket stands for.
    asked: BTreeMap<String, String>,
    /// By event: when the first write of its row into the log had ended.
    written: BTreeMap<String, usize>,
    /// When it was known to be on disk.
    synced: BTreeMap<String, usize>,
    traced: Traced,
}

/// A system call: name, the descriptor with what it stands for, the rest of the arguments; when it began.
#[derive(Clone)]
struct SystemCall {
    name: String,
    on: String,
    text: String,
    began: usize,
}

impl SystemCall {
    fn number(&self) -> &str {
        self.on.split('<').next().unwrap_or_default()
    }
}

/// `strace -f -yy` prints one line a call, or two when another thread came between. A thread that has ended a call goes on
/// only after strace has seen the end, and begins one only after strace has seen the beginning: the order of the lines is
/// an order that the calls truly had.
fn check(trace: &str) -> Traced {
    let mut seen = Seen::default();
    let mut open: BTreeMap<&str, SystemCall> = BTreeMap::new();
    for (place, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("<... ") {
            let Some(mut call) = open.remove(thread) else { continue };
            // What a reading call read is told at its end only.
            call.text.push_str(rest);
            seen.end(&call, place);
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let on: String = descriptor(arguments).to_owned();
        let call = SystemCall { name: name.to_owned(), text: arguments[on.len()..].to_owned(), on, began: place };
        seen.begin(&call);
        if rest.ends_with("<unfinished ...>") {
            open.insert(thread, call);
        } else {
            seen.end(&call, place);
        }
    }
    seen.traced
}

/// `12<TCP:[127.0.0.1:1->127.0.0.1:2]>` of the arguments that begin with it; the name may hold `->`.
fn descriptor(arguments: &str) -> &str {
    let end = arguments.find([',', ')']).unwrap_or(arguments.len());
    arguments[..end].trim_end_matches(" <unfinished ...>")
}

fn events(text: &str) -> impl Iterator<Item = String> {
    let length = event_id(0).len();
    let prefix = event_id(0).trim_end_matches('0').to_owned();
    let starts: Vec<usize> = text.match_indices(&prefix).map(|(at, _)| at).collect();
    starts
        .into_iter()
        .filter_map(move |at| text.get(at..at + length).map(str::to_owned))
        .collect::<Vec<_>>()
        .into_iter()
}

impl Seen {
    fn begin(&mut self, call: &SystemCall) {
        let sends = matches!(call.name.as_str(), "write" | "writev" | "sendto" | "sendmsg");
        if sends && call.text.contains("HTTP/1.1 200") {
            // Answers to other requests have no event.
            if let Some(event) = self.asked.remove(call.number()) {
                self.traced.answered += 1;
                if !self.synced.contains_key(&event) {
                    self.traced.early.push(event);
                }
            }
        }
    }

    fn end(&mut self, call: &SystemCall, place: usize) {
        let log = call.on.contains("-wal");
        match call.name.as_str() {
            // The head may come in a piece of its own; the event's id tells the request.
            "read" | "recvfrom" if !call.on.contains("service.db") => {
                self.asked.extend(events(&call.text).next().map(|event| (call.number().to_owned(), event)));
            }
            "pwrite64" | "write" if log => {
                for event in events(&call.text) {
                    self.written.entry(event).or_insert(place);
                }
            }
            "fdatasync" | "fsync" if log => {
                let covered = self.written.iter().filter(|(_, written)| **written < call.began);
                for (event, _) in covered {
                    self.synced.entry(event.clone()).or_insert(place);
                }
            }
            _ => {}
        }
    }
}

/// `command` under strace, which writes into `trace`.
fn traced(command: ServiceCommand, trace: &Path) -> ServiceCommand {
    let calls = "trace=fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg,read,recvfrom";
    let options = ["-f", "-yy", "-s", "65536", "-e", calls, "-o", &trace.display().to_string()];
    let mut arguments: Vec<String> = options.map(str::to_owned).into();
    arguments.push(command.program.display().to_string());
    arguments.extend(command.arguments);
    ServiceCommand { program: "strace".into(), arguments, ..command }
}

const EVENTS: u64 = 60;

/// A run under load, traced; `None` where it cannot be.
async fn run(test: &str, defects: &[&str]) -> Option<Traced> {
    match std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).status() {
        Ok(status) if status.success() => {}
        // A sandbox may forbid it for good, so that no installation helps.
        Ok(_) => {
            crate::loudly(&format!("SKIPPED: {test}: no program may be traced here"));
            return None;
        }
        Err(_) => {
            crate::skip(test, "strace is not here");
            return None;
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    // Nobody answers there: the jobs wait, which is no matter here.
    let nobody = "http://127.0.0.1:9";
    let command = traced(command(folder.path(), nobody, nobody, defects), &trace);
    let mut service = Process::start(command).await.expect("started");
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..6 {
        let mut connection = Connection::to(&service.url());
        senders.spawn(async move {
            for number in (sender..EVENTS).step_by(6) {
                assert_eq!(connection.deliver(number).await.expect("an answer"), 200);
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.expect("all delivered");
    }
    service.kill().await;
    // strace is gone; what it wrote is there.
    Some(check(&std::fs::read_to_string(&trace).expect("a trace")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_webhook_is_acknowledged_before_its_row_is_on_disk() {
    let Some(traced) = run("acknowledged after fdatasync", &[]).await else { return };
    assert_eq!(traced, Traced { answered: EVENTS as usize, early: Vec::new() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_shows_a_commit_that_is_not_synced() {
    let Some(traced) = run("acknowledged before fdatasync", &["commit-not-synced"]).await else { return };
    assert_eq!(traced.answered, EVENTS as usize);
    assert!(traced.early.len() > EVENTS as usize / 2, "{traced:?}");
}

#[test]
fn the_checker_tells_the_order_of_calls_that_overlap() {
    let id = event_id(1);
    let read = format!("7  recvfrom(9<TCP:[a->b]>, \"POST /webhooks/stripe {{{id}}}\", 8192, 0, NULL, NULL) = 99\n");
    let write = format!("8  pwrite64(5</db-wal>, \"x{id}y\", 4096, 32) = 4096\n");
    let (begin, end) = ("8  fdatasync(5</db-wal> <unfinished ...>\n", "8  <... fdatasync resumed>) = 0\n");
    let sync = "8  fdatasync(5</db-wal>) = 0\n";
    let answer = "7  writev(9<TCP:[a->b]>, [{iov_base=\"HTTP/1.1 200 OK\\r\\n\", iov_len=9}], 1) = 9\n";
    let early = |trace: &[&str]| {
        let traced = check(&trace.concat());
        assert_eq!(traced.answered, 1);
        !traced.early.is_empty()
    };
    assert!(!early(&[&read, &write, sync, answer]));
    assert!(!early(&[&read, &write, begin, end, answer]));
    assert!(early(&[&read, &write, answer, sync]));
    assert!(early(&[&read, &write, begin, answer, end]), "the sync had not ended");
    assert!(early(&[&read, begin, &write, end, answer]), "the sync had begun before the write");
    assert!(early(&[&read, sync, &write, answer]));
    assert!(early(&[&read, &write, &sync.replace("-wal", ""), answer]), "another file");
    let cut = format!("8  pwrite64(5</db-wal>, \"x{id}y\", 4096, 32 <unfinished ...>\n");
    assert!(early(&[&read, &cut, "9  fdatasync(5</db-wal>) = 0\n", "8  <... pwrite64 resumed>) = 4096\n", answer]));
}
