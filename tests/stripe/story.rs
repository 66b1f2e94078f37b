//! Stories: the shipped ones load; what does not fit together is refused at its place.

use super::inside;
use hookdrill::stripe::import::{ImportOptions, load};
use std::{fs, path::Path};

const EVENT: &str = r#"{"id":"evt_1Abc","object":"event","created":1768471200,"livemode":false,"type":"customer.created","data":{"object":{"id":"cus_1Abc","email":"ada@example.com","metadata":{"user_id":"u-1"}}}}"#;

const STORY: &str = r#"version = 1
name = "small"
about = "One customer."
provenance = "synthetic"
api_version = "2025-09-30.clover"
source = "by hand"
customer = "cus_1Abc"
[rekey]
paths = ["metadata.user_id"]
[[after]]
event = "01.json"
access = "none"
status = "none"
plan = "none"
contacts = 1
[[after]]
event = "02.json"
access = "granted"
status = "active"
plan = "pro"
contacts = 1
tickets = { billing = 1 }
[end]
access = "granted"
status = "active"
plan = "pro"
contacts = 1
tickets = { billing = 1 }
"#;

fn write(folder: &Path, story: &str) {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("story.toml"), story).expect("written");
    fs::write(folder.join("01.json"), EVENT).expect("written");
    fs::write(folder.join("02.json"), EVENT.replace("evt_1Abc", "evt_2Abc")).expect("written");
}

/// The errors of the small story after `change`, without the folder in front.
fn errors_after(change: impl FnOnce(&str) -> String) -> Vec<String> {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("small");
    write(&folder, &change(STORY));
    let errors = load(&folder, ImportOptions::default()).expect_err("refused");
    let prefix = format!("{}/", folder.display());
    errors.to_string().lines().map(|line| line.replace(&prefix, "")).collect()
}

#[test]
fn a_story_loads_with_its_events_in_order() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("small");
    write(&folder, STORY);
    let recording = load(&folder, ImportOptions::default()).expect("loads");
    let files: Vec<_> = recording.events.iter().map(|recorded| recorded.file.as_str()).collect();
    assert_eq!((recording.name.as_str(), files), ("small", vec!["01.json", "02.json"]));
    assert_eq!(recording.story.expect("a story").after[1].tickets["billing"], 1);
    assert_eq!(&*recording.events[0].event.body, EVENT);
}

#[test]
fn unknown_and_missing_keys_are_located() {
    let unknown = errors_after(|story| story.replace("about =", "abuot ="));
    assert!(unknown[0].starts_with("story.toml:3:1: unknown field `abuot`"), "{unknown:?}");
    let value = errors_after(|story| story.replace("\"granted\"", "\"given\""));
    assert!(value[0].starts_with("story.toml:18:10: unknown variant `given`"), "{value:?}");
    let version = errors_after(|story| story.replace("version = 1", "version = 2"));
    assert_eq!(version, ["story.toml:1:1: version 2 is not known here; write `version = 1`"]);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let name = errors_after(|story| story.replace("\"small\"", "\"other\""));
    assert_eq!(name, ["story.toml:2:1: `other` is not the folder's name; write `name = \"small\"`"]);
    let customer = errors_after(|story| story.replace("cus_1Abc", "cus_1Abd"));
    assert_eq!(customer, ["story.toml:7:1: `cus_1Abd` stands in none of the bodies"]);
    let path = errors_after(|story| story.replace("metadata.user_id", "metadata.uid"));
    assert_eq!(path, ["story.toml:9:10: `metadata.uid` is a text in no `data.object` of the story"]);
    let gone = errors_after(|story| story.replace("02.json", "03.json"));
    assert_eq!(gone[0], "story.toml:16:1: there is no event file `03.json` in the folder");
    assert_eq!(gone[1], "story.toml:28:26: event file `02.json` has no [[after]]; say what is right after it");
    let swapped = errors_after(|story| {
        story.replace("01.json", "x").replace("02.json", "01.json").replace("\"x\"", "\"02.json\"")
    });
    assert!(swapped[0].starts_with("story.toml:10:1: out of order: the 1. event file is `01.json`"), "{swapped:?}");
    let end = errors_after(|story| story.replacen("billing = 1", "billing = 2", 1));
    assert_eq!(end, ["story.toml:23:1: differs from the last [[after]], which comes at the end in recorded order"]);
}

#[test]
fn every_shipped_recording_loads() {
    let root = inside("fixtures");
    let mut stories = 0;
    for entry in fs::read_dir(root).expect("readable") {
        let folder = entry.expect("readable").path();
        if folder.join("story.toml").is_file() {
            let recording = load(&folder, ImportOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(recording.story.is_some_and(|story| story.after.len() == recording.events.len()));
            stories += 1;
        }
    }
    println!("{stories} stories load");
    assert!(stories > 0, "fixtures/ holds no story");
}
