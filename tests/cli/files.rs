//! What a run leaves behind, and what reads it again.

use super::{hookdrill, scratch};
use std::path::{Path, PathBuf};

fn only_run(reports: &Path, slug: &str) -> PathBuf {
    let mut runs: Vec<_> = std::fs::read_dir(reports.join(slug)).expect("a folder").flatten().collect();
    assert_eq!(runs.len(), 1);
    runs.remove(0).path()
}

#[test]
fn a_run_folder_can_be_judged_and_reported_again() {
    let folder = scratch();
    let reports = folder.path().join("reports");
    let at = reports.to_str().expect("text");
    let done = hookdrill(&["run", "scenarios/forged-webhooks-leave-no-trace.toml", "--reports", at, "--json"], &[]);
    assert_eq!(done.code, 0, "{done}");
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).expect("--json gives JSON alone on stdout");
    assert!(summary.is_object());
    let run = only_run(&reports, "forged-webhooks-leave-no-trace");
    for file in ["scenario.toml", "plan.json", "history.jsonl", "verdicts.json", "junit.xml"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    for file in ["junit.xml", "summary.json", "summary.md"] {
        assert!(reports.join(file).is_file(), "{file}");
    }
    let again = hookdrill(&["check", run.to_str().expect("text"), "--json"], &[]);
    assert_eq!(again.code, 0, "{again}");
    let stored = std::fs::read_to_string(run.join("verdicts.json")).expect("verdicts");
    assert_eq!(again.stdout.trim(), stored.trim(), "judging again gives the same verdicts");
    for format in ["text", "junit", "json", "markdown"] {
        let report = hookdrill(&["report", run.to_str().expect("text"), "--format", format], &[]);
        assert_eq!(report.code, 0, "{format}: {report}");
        if format == "junit" {
            roxmltree::Document::parse(&report.stdout).expect("XML");
        }
    }
    no_secret_in(&reports);
}

/// A history of another scenario, or a scenario of another plan, is nobody's evidence.
#[test]
fn files_of_different_runs_are_not_judged_together() {
    let folder = scratch();
    let reports = folder.path().join("reports");
    let at = reports.to_str().expect("text");
    for seed in ["1", "2"] {
        let done = hookdrill(&["run", "scenarios/secret-roll.toml", "--reports", at, "--seed", seed, "--quiet"], &[]);
        assert_eq!(done.code, 0, "{done}");
    }
    let mut runs: Vec<_> = std::fs::read_dir(reports.join("secret-roll")).expect("runs").flatten().collect();
    runs.sort_by_key(std::fs::DirEntry::path);
    let (one, two) = (runs[0].path(), runs[1].path());
    let kept = std::fs::read(one.join("history.jsonl")).expect("a history");
    std::fs::copy(two.join("history.jsonl"), one.join("history.jsonl")).expect("copied");
    let mixed = hookdrill(&["check", one.to_str().expect("text")], &[]);
    assert_eq!(mixed.code, 3, "{mixed}");
    assert!(mixed.stderr.contains("history.jsonl is of `signing secret rolled` with seed 2"), "{mixed}");
    std::fs::write(one.join("history.jsonl"), kept[..kept.len() / 2].split(|b| *b == b'\n').next().expect("a line"))
        .expect("written");
    let damaged = hookdrill(&["check", one.to_str().expect("text")], &[]);
    assert_eq!(damaged.code, 2, "cut off is inconclusive: {damaged}");
    std::fs::write(one.join("history.jsonl"), "no record\n").expect("written");
    let damaged = hookdrill(&["check", one.to_str().expect("text")], &[]);
    assert_eq!(damaged.code, 3, "{damaged}");
    assert!(damaged.stderr.contains("failed to read"), "{damaged}");
    std::fs::write(one.join("history.jsonl"), kept).expect("written");
    let text = std::fs::read_to_string(one.join("scenario.toml")).expect("a scenario");
    std::fs::write(one.join("scenario.toml"), text.replace("signing secret rolled", "another")).expect("written");
    let renamed = hookdrill(&["check", one.to_str().expect("text")], &[]);
    assert_eq!(renamed.code, 3, "{renamed}");
}

#[test]
fn an_epoch_beyond_the_calendar_is_refused() {
    for epoch in ["--epoch=253402300800", "--epoch=-1", "--epoch=9223372036854775807", "--epoch=-9223372036854775808"] {
        let refused = hookdrill(&["plan", "scenarios/any-order.toml", epoch], &[]);
        assert_eq!(refused.code, 3, "{epoch}: {refused}");
        assert!(refused.stderr.contains("253402300799"), "{refused}");
    }
}

/// A run folder says all that judging takes: recordings by relative path, or on another machine, are not there any more.
#[test]
fn a_run_is_judged_where_its_recordings_are_not() {
    let folder = scratch();
    let here = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkout-subscription");
    std::fs::create_dir(here("checkout-subscription")).expect("made");
    for file in std::fs::read_dir(story).expect("a story").flatten() {
        std::fs::copy(file.path(), folder.path().join("checkout-subscription").join(file.file_name())).expect("copied");
    }
    let text = "version = 1\nname = \"mine\"\nabout = \"a purchase\"\n[[story]]\nname = \"purchase\"\n\
                recording = \"./checkout-subscription\"\n[[criterion]]\naccess = { is = \"as the story says\" }\n";
    std::fs::write(here("mine.toml"), text).expect("written");
    let done = hookdrill(&["run", &here("mine.toml"), "--reports", &here("reports")], &[]);
    assert_eq!(done.code, 0, "{done}");
    let run = only_run(Path::new(&here("reports")), "mine");
    std::fs::rename(here("checkout-subscription"), here("gone")).expect("renamed");
    for arguments in [vec!["check", run.to_str().expect("text")], vec!["report", run.to_str().expect("text")]] {
        let again = hookdrill(&arguments, &[]);
        assert_eq!(again.code, 0, "{again}");
        assert!(again.stdout.contains("mine"), "{again}");
    }
    let junit = hookdrill(&["report", run.to_str().expect("text"), "--format", "junit"], &[]).stdout;
    assert!(junit.contains("classname=\"mine\""), "{junit}");
    std::fs::write(run.join("scenario.toml"), "version = 1\nname = \"mine\"\nabout = \"x\"\n").expect("written");
    let refused = hookdrill(&["check", run.to_str().expect("text")], &[]);
    assert_eq!(refused.code, 3, "without a criterion nothing can be judged: {refused}");
    std::fs::remove_file(run.join("scenario.toml")).expect("removed");
    let missing = hookdrill(&["check", run.to_str().expect("text")], &[]);
    assert_eq!(missing.code, 3, "a missing scenario is no easier one: {missing}");
}

/// The made-up secrets of a run are in no file of it. They have known beginnings.
fn no_secret_in(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            no_secret_in(&path);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned();
        for word in ["whsec_", "pat-crm-", "pat-support-", "v1="] {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}

#[test]
fn the_same_seed_and_epoch_give_the_same_plan() {
    let arguments = ["plan", "scenarios/any-order.toml", "--json", "--seed", "7", "--epoch", "1800000000"];
    let (first, second) =
        (hookdrill(&arguments, &[]), hookdrill(&arguments, &[("TZ", "Pacific/Apia"), ("LC_ALL", "tr_TR.UTF-8")]));
    assert_eq!(first.code, 0, "{first}");
    assert_eq!(first.stdout, second.stdout);
    let other = hookdrill(&["plan", "scenarios/any-order.toml", "--json", "--seed", "8", "--epoch", "1800000000"], &[]);
    assert_ne!(first.stdout, other.stdout);
    let readable = hookdrill(&["plan", "scenarios/any-order.toml"], &[]);
    assert!(readable.stdout.contains("customer.subscription.created"), "{readable}");
}

#[test]
fn an_export_is_imported_and_the_recording_runs() {
    let folder = scratch();
    let export = folder.path().join("events.jsonl");
    let mut lines = String::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkout-subscription");
    let mut files: Vec<_> = std::fs::read_dir(story).expect("a story").flatten().map(|e| e.path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "json")) {
        let value: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).expect("text")).expect("JSON");
        lines.push_str(&format!("{value}\n\n"));
    }
    std::fs::write(&export, lines).expect("written");
    let to = folder.path().join("recording");
    let (export, to) = (export.to_str().expect("text"), to.to_str().expect("text"));
    let done = hookdrill(&["import", export, "--to", to], &[]);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stdout.contains("13 events"), "{done}");
    let refused = hookdrill(&["import", export, "--to", to], &[]);
    assert_eq!(refused.code, 3, "nothing is overwritten: {refused}");
    let reports = folder.path().join("reports");
    let run = hookdrill(&["run", to, "--reports", reports.to_str().expect("text")], &[]);
    assert_eq!(run.code, 0, "{run}");
}
