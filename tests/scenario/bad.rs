//! Every file of `fixtures/bad-scenarios/` gives exactly the message beside it, and every kind of mistake has a file.
//!
//! `UPDATE=1 cargo test` writes the messages anew; read the difference before it is committed.

use super::recordings::find;
use hookdrill::{
    scenario::{
        error::{ScenarioErrorKind, ScenarioErrors},
        fault::SelectorError,
        load::{load, parse},
    },
    stripe::import::ImportOptions,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const FOLDER: &str = "fixtures/bad-scenarios";

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn errors_of(path: &Path) -> ScenarioErrors {
    let bytes = std::fs::read(path).expect("a file");
    match String::from_utf8(bytes) {
        Ok(text) => {
            let name = Path::new(path.file_name().expect("a name"));
            parse(&text, name, &mut find).expect_err(&format!("{} is bad", path.display()))
        }
        Err(_) => {
            let options = ImportOptions { allow_livemode: false };
            load(path, &[], options).expect_err(&format!("{} is bad", path.display()))
        }
    }
}

fn updating() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test may be told to rewrite what it expects")]
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn every_bad_scenario_gives_its_message() {
    let mut different = Vec::new();
    for path in files() {
        let shown = errors_of(&path).to_string();
        let expected = path.with_extension("stderr");
        if updating() {
            std::fs::write(&expected, &shown).expect("written");
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        if wanted != shown {
            different.push(format!("{}\n--- expected\n{wanted}--- shown\n{shown}", path.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_kind_of_mistake_has_a_file_of_its_name() {
    let mut kinds: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for path in files() {
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        kinds.insert(stem, errors_of(&path).errors.iter().map(|error| error.kind.name()).collect());
    }
    for kind in ScenarioErrorKind::ALL {
        let name = dashed(kind.name());
        let shown = kinds.iter().any(|(stem, kinds)| stem.starts_with(&name) && kinds.contains(kind.name()));
        assert!(shown, "no file {name}*.toml in {FOLDER} shows {}", kind.name());
    }
}

/// A new way to name events wrongly does not compile here until it has a line in the corpus.
#[test]
fn every_way_to_name_events_wrongly_is_shown() {
    let shown = std::fs::read_to_string(Path::new(FOLDER).join("bad-selector.stderr")).expect("a file");
    let bad = [SelectorError::Empty, SelectorError::Character('I'), SelectorError::Position("two".to_owned())];
    let mut seen = BTreeSet::new();
    for error in bad {
        assert!(shown.contains(&error.to_string()), "bad-selector.toml does not show: {error}");
        seen.insert(match error {
            SelectorError::Empty => 0,
            SelectorError::Character(_) => 1,
            SelectorError::Position(_) => 2,
        });
    }
    assert_eq!(seen.len(), 3);
}

fn dashed(name: &str) -> String {
    let mut dashed = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(c.to_ascii_lowercase());
    }
    dashed
}

#[test]
fn every_mistake_of_a_file_is_reported_at_once() {
    let errors = errors_of(&Path::new(FOLDER).join("many-at-once.toml")).errors;
    assert!(errors.len() >= 10, "{errors:?}");
    let lines: Vec<usize> = errors.iter().filter_map(|error| error.place.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines.len(), errors.len(), "each has its place");
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_its_name() {
    let options = ImportOptions { allow_livemode: false };
    let errors = load(Path::new("nowhere.toml"), &[], options).expect_err("there is none");
    assert!(errors.to_string().contains("nowhere.toml"), "{errors}");
    assert_eq!(errors.errors[0].kind, ScenarioErrorKind::Unreadable);
}
