//! Bodies of real shape, 112 types in many API versions, each as its own recording: re-keyed, tripled, shuffled.

use crate::cli::{hookdrill, scratch};
use hookdrill::stripe::import::{ImportOptions, load};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn json_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            json_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "json") && !path.ends_with("SOURCES.json") {
            into.push(path);
        }
    }
}

#[test]
fn load_or_are_refused_with_their_place() {
    let Some(folder) = crate::shared("stripe/events", "bodies of real shape load") else { return };
    let mut files = Vec::new();
    json_files(&folder, &mut files);
    for (allow_livemode, wanted) in [(false, 175), (true, 187)] {
        let mut loaded = 0;
        for file in &files {
            match load(file, ImportOptions { allow_livemode }) {
                Ok(recording) => loaded += recording.events.len(),
                Err(errors) => {
                    let text = errors.to_string();
                    let name = file.file_name().and_then(|n| n.to_str()).expect("a name");
                    assert!(text.contains(name), "the refusal says where: {text}");
                    eprintln!("refused (livemode {}): {text}", if allow_livemode { "allowed" } else { "refused" });
                }
            }
        }
        eprintln!("{loaded} of {} load", files.len());
        assert!(files.len() >= 191 && loaded >= wanted, "{loaded} of {}", files.len());
    }
}

#[test]
fn are_stored_once_and_never_answered_5xx() {
    let Some(folder) = crate::shared("stripe/events", "bodies of real shape on the reference service") else { return };
    let mut files = Vec::new();
    json_files(&folder, &mut files);
    files.retain(|f| load(f, ImportOptions { allow_livemode: true }).is_ok());
    let scratch = scratch();
    let mut scenario = String::from(
        "version = 1\nname = \"real shapes\"\nabout = \"Each body once more, three times, shuffled.\"\n[quiet]\nbudget = \"60s\"\n",
    );
    for (number, file) in files.iter().enumerate() {
        let file = file.canonicalize().expect("a path");
        scenario.push_str(&format!("[[story]]\nname = \"s{number}\"\nrecording = \"{}\"\n", file.display()));
    }
    scenario.push_str(
        "[[fault]]\nduplicate = { of = \"*\", copies = 3, spacing = \"0s\" }\n[[fault]]\nreorder = { shuffle = 5 }\n",
    );
    scenario.push_str("[[criterion]]\nevents_lost = { exactly = 0 }\n");
    let file = scratch.path().join("real-shapes.toml");
    std::fs::write(&file, scenario).expect("written");
    let reports = scratch.path().join("reports");
    let (file, at) = (file.to_str().expect("text"), reports.to_str().expect("text"));
    let done = hookdrill(&["run", file, "--allow-livemode", "--reports", at], &[]);
    assert_eq!(done.code, 0, "{done}");
    let run = std::fs::read_dir(reports.join("real-shapes")).expect("runs").flatten().next().expect("a run").path();
    let plan: Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("plan.json")).expect("a plan")).expect("JSON");
    let genuine: BTreeSet<&str> =
        plan["deliveries"].as_array().into_iter().flatten().filter_map(|d| d["event"].as_str()).collect();
    let history = std::fs::read_to_string(run.join("history.jsonl")).expect("a history");
    let records: Vec<Value> = history.lines().map(|l| serde_json::from_str(l).expect("a record")).collect();
    let replies: Vec<_> = records.iter().filter(|r| r["kind"] == "reply").collect();
    assert!(replies.len() >= genuine.len() * 3);
    assert!(replies.iter().all(|r| r["status"].as_u64().is_some_and(|s| s < 500)), "no 5xx");
    let stored = records.iter().rfind(|r| r["kind"] == "queue").and_then(|r| r["events"].as_u64());
    assert_eq!(stored, Some(genuine.len() as u64), "each genuine event is stored once");
}
