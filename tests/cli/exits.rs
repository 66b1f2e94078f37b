//! Each exit code, shown by the real binary.

use super::{hookdrill, scratch};
use std::path::Path;

fn scenario(name: &str) -> String {
    format!("scenarios/{name}.toml")
}

fn run(arguments: &[&str]) -> super::Finished {
    let folder = scratch();
    let reports = folder.path().join("reports");
    let mut all = vec!["run", "--reports", reports.to_str().expect("text")];
    all.extend(arguments);
    hookdrill(&all, &[])
}

#[test]
fn zero_when_every_criterion_passed() {
    let done = run(&[&scenario("secret-roll")]);
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn one_when_a_criterion_failed() {
    let done = run(&[&scenario("contact-created-once"), "--defect", "no-dedupe"]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("probe_value"), "{done}");
}

#[test]
fn two_when_the_evidence_is_too_thin() {
    let folder = scratch();
    let file = folder.path().join("thin.toml");
    let text = "version = 1\nname = \"thin\"\nabout = \"The CRM takes longer than the quiet phase may last.\"\n\
        [quiet]\nbudget = \"300ms\"\n\
        [[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\n\
        [[fault]]\nslow = { of = \"crm\", from = \"0s\", for = \"1s\", by = \"3s\" }\n\
        [[criterion]]\ncontacts_per_customer = { exactly = 1 }\n";
    std::fs::write(&file, text).expect("written");
    let done = run(&[file.to_str().expect("text")]);
    assert_eq!(done.code, 2, "{done}");
    assert!(done.stdout.contains("quiet"), "says what is missing: {done}");
}

#[test]
fn three_for_bad_usage_bad_scenario_and_bad_recording() {
    for arguments in
        [&["run", "--no-such-flag"][..], &["nonsense"], &["run", "no/such/file.toml"], &["check", "no/such/run"]]
    {
        let done = hookdrill(arguments, &[]);
        assert_eq!(done.code, 3, "{arguments:?}: {done}");
        assert!(!done.stderr.is_empty(), "{done}");
    }
    let folder = scratch();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "version = 1\nname = \"x\"\nabuot = \"typo\"\n").expect("written");
    let done = run(&[bad.to_str().expect("text")]);
    assert_eq!(done.code, 3, "{done}");
    assert!(done.stderr.contains("about"), "names the nearest word: {done}");
    let cut = folder.path().join("cut.json");
    std::fs::write(&cut, "{\"id\": \"evt_1\", \"object\": \"ev").expect("written");
    let done = run(&[cut.to_str().expect("text")]);
    assert_eq!(done.code, 3, "{done}");
    assert!(done.stderr.contains("cut.json:1:"), "located: {done}");
    assert!(!folder.path().join("reports").exists(), "nothing was begun");
}

#[test]
fn four_when_the_run_broke() {
    let folder = scratch();
    // A port that was free a moment ago and where nothing listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let project = crate::apps::project(folder.path(), port);
    let scenario = crate::apps::here("replay.toml");
    let reports = folder.path().join("reports");
    let arguments = [
        "run",
        scenario.to_str().expect("text"),
        "--target",
        project.to_str().expect("text"),
        "--reports",
        reports.to_str().expect("text"),
    ];
    let done = hookdrill(&arguments, &[("SHOP_SECRET", "whsec_x")]);
    assert_eq!(done.code, 4, "{done}");
    assert!(done.stdout.contains("nothing answers"), "{done}");
}

#[test]
fn an_endpoint_that_hangs_has_lost_the_events() {
    let folder = scratch();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // Connections are kept open and never answered.
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let project = folder.path().join("hookdrill.toml");
    let target = format!("[target]\nwebhook = \"http://127.0.0.1:{port}/\"\nsecret_env = \"SHOP_SECRET\"\n");
    std::fs::write(&project, target).expect("written");
    let scenario = folder.path().join("hang.toml");
    let text = "version = 1\nname = \"hang\"\nabout = \"Nobody answers.\"\n\
        [delivery]\nretry = [\"100ms\"]\ntimeout = \"200ms\"\n\
        [[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\n\
        [[criterion]]\nevents_lost = { exactly = 0 }\n";
    std::fs::write(&scenario, text).expect("written");
    let reports = folder.path().join("reports");
    let paths = [&scenario, &project, &reports].map(|p| p.to_str().expect("text"));
    let done =
        hookdrill(&["run", paths[0], "--target", paths[1], "--reports", paths[2]], &[("SHOP_SECRET", "whsec_x")]);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("events_lost"), "{done}");
}

#[test]
fn seventy_for_a_bug_of_ours() {
    let done = hookdrill(&["lint"], &[("HOOKDRILL_PANIC", "on purpose")]);
    assert_eq!(done.code, 70, "{done}");
    assert!(done.stderr.contains("bug in hookdrill"), "{done}");
}

#[test]
fn the_shipped_scenarios_and_recordings_are_valid() {
    let done = hookdrill(&["lint"], &[]);
    assert_eq!(done.code, 0, "{done}");
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").is_dir());
}
