//! A sender that could not keep to its plan says so, and nothing is judged from such a run.

use crate::cli::scratch;
use hookdrill::{
    check::{judge, verdict::Validity},
    drive::{
        clock::RunClock,
        live::{LiveRun, LockStore, drive},
        signing::SigningSecrets,
        target::Target,
    },
    history::{file, record::Record},
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    plan::compile::compile,
    redact::Redactor,
    report::{RunReport, ScenarioReport, exit_code, terminal},
    scenario::load::load,
    stripe::import::ImportOptions,
};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

const SCENARIO: &str = r#"
version = 1
name = "late"
about = "The sender is held up in the middle of its plan."
[delivery]
retry = []
[[story]]
name = "purchase"
recording = "checkout-subscription"
[[fault]]
store_busy = { from = "10ms", for = "50ms" }
[[criterion]]
events_lost = { exactly = 0 }
"#;

/// Answers every request with 200.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut chunk = [0_u8; 65_536];
                while stream.read(&mut chunk).is_ok_and(|read| read > 0) {
                    if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn target(webhook: String) -> Target {
    Target {
        name: "a receiver".to_owned(),
        webhook,
        secrets: SigningSecrets::new("whsec_of_a_receiver", 1),
        probe: None,
        event_probe: None,
        queue: None,
        success_page: None,
        sign_up: None,
        support_form: None,
        crm: false,
        support: false,
        stripe: false,
        fetches_events: false,
        recovers_within: std::time::Duration::ZERO,
        alerts: false,
        declared: Vec::new(),
        process: false,
        clock: false,
        store: false,
        seeds: Vec::new(),
        resets: Vec::new(),
        given: hookdrill::drive::template::Given::default(),
    }
}

/// The run of [`SCENARIO`] with a lock that is only had after `held_up`.
fn run(held_up: Duration) -> (Validity, String, u8, String) {
    let folder = scratch();
    let path = folder.path().join("late.toml");
    std::fs::write(&path, SCENARIO).expect("written");
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    let scenario = load(&path, &[fixtures], ImportOptions { allow_livemode: false }).unwrap_or_else(|e| panic!("{e}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let file = folder.path().join("history.jsonl");
    let lock: LockStore = Arc::new(move || {
        std::thread::sleep(held_up);
        Ok(Box::new(()))
    });
    let plan = runtime.block_on(async {
        let clock = RunClock::start();
        let plan = compile(&scenario, 1, clock.started()).expect("compiles");
        let (sender, calls) = tokio::sync::mpsc::unbounded_channel();
        let options = DoublesOptions {
            listen: BTreeMap::new(),
            models: ModelOptions::default(),
            outages: Vec::new(),
            now_ms: Arc::new(move || clock.now_ms()),
            calls: sender,
        };
        let doubles = Doubles::start(options).await.expect("doubles");
        let run = LiveRun {
            plan: &plan,
            targets: vec![target(receiver())],
            service: None,
            serves: Vec::new(),
            suspicion: None,
            doubles: &doubles,
            calls,
            clock,
            history: file::Writer::create(&file).expect("a file"),
            options: BTreeMap::new(),
            redactor: Redactor::new(&[]),
            lock_store: Some(lock),
            measure: None,
        };
        drive(run).await.expect("the run ends");
        plan
    });
    let history = file::read(&file).expect("a history");
    let verdicts = judge(&scenario, &plan, &history);
    let end = history.entries.iter().find_map(|entry| match &entry.record {
        Record::End { lateness_p99_us, .. } => Some(*lateness_p99_us),
        _ => None,
    });
    let verdict = verdicts.verdicts[0].clone();
    let report = ScenarioReport { verdicts: Some(verdicts), lateness_p99_us: end, ..ScenarioReport::default() };
    let whole = RunReport::new(plan.epoch, "a receiver", vec![report], &Redactor::new(&[]));
    (verdict.validity, verdict.why, exit_code(&whole), terminal::table(&whole, terminal::Style::default()))
}

#[test]
fn a_plan_that_was_not_delivered_in_time_is_inconclusive_and_the_summary_says_how_late_it_was() {
    let (validity, why, code, summary) = run(Duration::from_millis(2_500));
    assert_eq!((validity, code), (Validity::Inconclusive, 2), "{why}");
    assert!(why.contains("the plan was not delivered in time: sends left up to 2."), "{why}");
    assert!(summary.contains("Sends left at most 2") && summary.contains("99th percentile"), "{summary}");
    let (validity, why, code, summary) = run(Duration::ZERO);
    assert_eq!((validity, code), (Validity::Pass, 0), "{why}");
    assert!(summary.contains("ms after their time (99th percentile"), "{summary}");
}
