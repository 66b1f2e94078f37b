//! `teeth`: exit codes, what it says, the shape of its JSON; that it tells the truth is shown on small suites.

use super::{Finished, hookdrill, scratch};
use serde_json::Value;
use std::path::Path;

const TWO_CHANGES: &str = "scenarios/same-second-in-both-orders.toml";

/// Only what shows at once, unless a test asks for more.
fn teeth(arguments: &[&str]) -> Finished {
    let mut all = vec!["teeth", "--seeds", "1", "--crashes", "0"];
    all.extend(arguments);
    hookdrill(&all, &[])
}

fn json(arguments: &[&str]) -> (Finished, Value) {
    let mut all = vec!["--json"];
    all.extend(arguments);
    let done = teeth(&all);
    let value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    (done, value)
}

fn written(folder: &Path, name: &str, criterion: &str) -> String {
    let text = format!(
        "version = 1\nname = \"{name}\"\nabout = \"Each event twice.\"\ncovers = [1]\n\
         [[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\n\
         [[fault]]\nduplicate = {{ of = \"*\", copies = 2, spacing = \"50ms\" }}\n\
         [[criterion]]\n{criterion}\n"
    );
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("text").to_owned()
}

#[test]
fn zero_when_each_defect_is_caught() {
    let (done, found) = json(&[TWO_CHANGES, "--defect", "strictly-newer-wins", "--defect", "last-arrival-wins"]);
    assert_eq!(done.code, 0, "{done}");
    let defects = found["defects"].as_array().expect("defects");
    let names: Vec<_> = defects.iter().map(|defect| defect["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["last-arrival-wins", "strictly-newer-wins"], "by class");
    for defect in defects {
        assert_eq!(defect["caught"], true);
        assert_eq!(defect["by"], "two changes within one second, in both orders");
        assert_eq!(defect["criterion"], "customer_state");
        assert_eq!(defect["expected_anomaly"], "stale");
        assert!(defect["deliveries"].as_u64().is_some_and(|sent| sent > 20), "{defect}");
    }
    assert_eq!(defects[1]["class"], 13);
    assert_eq!(found["sound"]["runs"], 1);
    assert_eq!(found["sound"]["failed"], 0);
    assert_eq!(found["redundant"], Value::Array(Vec::new()));
}

#[test]
fn one_when_a_defect_gets_through_and_the_class_is_said_in_words() {
    let arguments = [TWO_CHANGES, "--defect", "strictly-newer-wins", "--defect", "ticket-not-keyed"];
    let (done, found) = json(&arguments);
    assert_eq!(done.code, 1, "{done}");
    assert_eq!(found["defects"][1]["caught"], false);
    assert_eq!(found["defects"][1]["by"], Value::Null);
    let done = teeth(&arguments);
    assert_eq!(done.code, 1, "{done}");
    assert!(done.stdout.contains("NOT CAUGHT"), "{done}");
    assert!(done.stdout.contains("a crash after an effect repeats it (class 34: ticket-not-keyed)"), "{done}");
    assert!(done.stdout.contains("1 of 2 defects caught by 1 scenarios"), "{done}");
}

#[test]
fn one_when_the_sound_service_fails_and_that_scenario_proves_nothing() {
    let folder = scratch();
    let wrong = written(folder.path(), "wrong", "probe_value = { name = \"purchases\", exactly = 5 }");
    let (done, found) = json(&[&wrong, "--defect", "no-dedupe"]);
    assert_eq!(done.code, 1, "{done}");
    assert_eq!((&found["sound"]["failed"], &found["defects"][0]["caught"]), (&1.into(), &false.into()));
}

#[test]
fn three_for_what_cannot_be_done() {
    let folder = scratch();
    let live = folder.path().join("live.toml");
    let text = std::fs::read_to_string(TWO_CHANGES).expect("a scenario");
    std::fs::write(&live, text.replace("body = \"simulated\"", "body = { live = \"real waits\" }")).expect("written");
    let live = live.to_str().expect("text");
    for (arguments, says) in [
        (&["no/such/file.toml"][..], "does not exist"),
        (&[TWO_CHANGES, "--defect", "no-such-defect"], "choose one of"),
        (&[TWO_CHANGES, "--defect", "commit-not-synced"], "loses its power"),
        (&[TWO_CHANGES, "--seeds", "0"], "--seeds"),
        (&[live], "nothing can be simulated"),
    ] {
        let done = teeth(arguments);
        assert_eq!(done.code, 3, "{arguments:?}: {done}");
        assert!(done.stderr.contains(says), "{arguments:?}: {done}");
    }
}

#[test]
fn what_no_plain_run_shows_a_crash_does_and_always_the_same() {
    let one = "scenarios/killed-after-acknowledging.toml";
    let arguments = ["teeth", one, "--defect", "dedupe-in-memory", "--seeds", "1", "--json"];
    let done = hookdrill(&arguments, &[]);
    assert_eq!(done.code, 0, "{done}");
    let found: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert!(found["defects"][0]["how"]["point"].is_string(), "{done}");
    assert_eq!(hookdrill(&arguments, &[]).stdout, done.stdout);
    assert_eq!(teeth(&arguments[1..4]).code, 1, "without crashes nothing shows it");
}

#[test]
fn of_two_that_show_the_same_one_can_go() {
    let folder = scratch();
    written(folder.path(), "a", "probe_value = { name = \"purchases\", exactly = 1 }");
    written(folder.path(), "b", "probe_value = { name = \"purchases\", exactly = 1 }");
    written(folder.path(), "c", "contacts_per_customer = { exactly = 1 }");
    let path = folder.path().to_str().expect("text");
    let (done, found) = json(&[path, "--defect", "no-dedupe"]);
    assert_eq!(done.code, 0, "{done}");
    let redundant = found["redundant"].as_array().expect("a list");
    assert_eq!(redundant.len(), 1, "{done}");
    assert!(redundant[0].as_str().is_some_and(|file| !file.ends_with("c.toml")), "{done}");
    let (done, found) = json(&[path, "--defect", "no-dedupe", "--quick"]);
    assert_eq!((done.code, &found["redundant"]), (0, &Value::Null), "not asked for");
}
