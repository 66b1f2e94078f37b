//! The shipped recordings compile under every delivery fault and keep the laws.

use super::laws::keeps_laws;
use hookdrill::{
    plan::compile::compile,
    scenario::load::{Criteria, load_all, parse},
    stripe::{
        import::{self, ImportOptions},
        recording::Recording,
    },
    time::Timestamp,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const EPOCH: Timestamp = Timestamp::from_secs(1_780_315_200);

const OPTIONS: ImportOptions = ImportOptions { allow_livemode: false };

const FAULTS: &str = r#"
[[fault]]
duplicate = { of = "*", copies = 2, spacing = "30ms" }
[[fault]]
forged = { of = "*", signature = "wrong_secret" }
[[fault]]
malformed = { before = "*", body = "truncated_json" }
[[fault]]
unknown_type = { before = "*" }
[[fault]]
reorder = { shuffle = 4 }
[[fault]]
duplicate = { of = "*", copies = 2, spacing = "after everything" }
[[criterion]]
events_lost = { exactly = 0 }
"#;

fn recordings() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("fixtures").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("story.toml").exists()).collect();
    found.sort();
    assert!(!found.is_empty(), "there are shipped recordings");
    found
}

fn scenario_of(recordings: &[Arc<Recording>]) -> String {
    let mut text = "version = 1\nname = \"shipped\"\nabout = \"Made by a test.\"\n".to_owned();
    for (n, recording) in recordings.iter().enumerate() {
        text += &format!("[[story]]\nname = \"s{n}\"\nrecording = \"{}\"\ninstances = 2\n", recording.name);
        if n > 0 {
            text += "continues = \"s0\"\n";
        }
    }
    text + FAULTS
}

fn holds(recordings: &[Arc<Recording>]) {
    let text = scenario_of(recordings);
    let mut find = |name: &str| {
        recordings.iter().find(|one| one.name == name).map(Arc::clone).ok_or_else(|| format!("no recording {name}"))
    };
    let scenario = parse(&text, Path::new("shipped.toml"), &mut find).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = compile(&scenario, 11, EPOCH).expect("compiles");
    keeps_laws(&plan, recordings.iter().map(|one| one.events.len() * 2).sum());
    for instance in plan.instances.iter().filter(|instance| !instance.ghost) {
        let truth = recordings.iter().filter_map(|one| one.story.as_ref());
        assert!(!truth.into_iter().any(|truth| truth.customer.is_some() && {
            instance.customer.as_ref().map(ToString::to_string) == truth.customer
        }));
        assert!(instance.end.is_some(), "the truth comes with it");
    }
    let customers = |number: &str| -> Vec<_> {
        plan.instances.iter().filter(|i| !i.ghost && i.id.as_str().ends_with(number)).map(|i| &i.customer).collect()
    };
    assert!(customers("/1").windows(2).all(|pair| pair[0] == pair[1]), "a chain is one customer");
}

#[test]
fn every_shipped_recording_compiles_alone_and_after_the_one_it_continues() {
    for path in recordings() {
        let read = |path: &Path| Arc::new(import::load(path, OPTIONS).unwrap_or_else(|errors| panic!("{errors}")));
        let recording = read(&path);
        holds(std::slice::from_ref(&recording));
        let earlier = recording.story.as_ref().and_then(|truth| truth.continues.clone());
        if let Some(earlier) = earlier {
            holds(&[read(&path.with_file_name(earlier)), recording]);
        }
    }
}

#[test]
fn every_shipped_scenario_is_a_good_one() {
    let mut folders = vec![PathBuf::from("scenarios")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let scenarios = load_all(&path, &[PathBuf::from("fixtures")], OPTIONS, Criteria::Needed);
                for scenario in scenarios.unwrap_or_else(|errors| panic!("{errors}")) {
                    compile(&scenario, 1, EPOCH).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    count += 1;
                }
            }
        }
    }
    assert!(count > 0, "there are shipped scenarios");
}
