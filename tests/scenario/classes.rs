//! The table of bug classes in `scenarios/README.md` says what the scenarios themselves say under `covers`.
//!
//! `UPDATE=1 cargo test` writes it anew.

use hookdrill::{
    scenario::{
        classes::CLASSES,
        load::{Criteria, load_all},
    },
    stripe::import::ImportOptions,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

const README: &str = "scenarios/README.md";

const BEGIN: &str = "<!-- classes: made by a test, from `covers` -->\n";

const END: &str = "<!-- classes end -->\n";

/// Why no shipped scenario can show a class.
const REASONS: &[(u32, &str)] = &[];

/// Most classes without a scenario.
const FEW: usize = 6;

/// Classes and the files that cover them, in the order of their names.
fn covered() -> BTreeMap<u32, BTreeSet<String>> {
    let mut covered: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for path in std::fs::read_dir("scenarios").expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.ends_with(".toml") || name.ends_with(".inc.toml") {
            continue;
        }
        let options = ImportOptions { allow_livemode: false };
        let scenarios =
            load_all(&path, &[PathBuf::from("fixtures")], options, Criteria::Needed).unwrap_or_else(|e| panic!("{e}"));
        for words in scenarios.iter().flat_map(|scenario| &scenario.covers) {
            let number = words.strip_prefix("bug class ").and_then(|rest| rest.split_once(':'));
            if let Some((number, _)) = number {
                covered.entry(number.parse().expect("a number")).or_default().insert(name.clone());
            }
        }
    }
    covered
}

fn table() -> String {
    let covered = covered();
    let row = |(number, what): &(u32, &str)| {
        let files: Vec<String> = covered
            .get(number)
            .into_iter()
            .flatten()
            .map(|file| format!("[{}]({file})", file.trim_end_matches(".toml")))
            .collect();
        let reason = REASONS.iter().find(|(of, _)| of == number).map(|(_, why)| format!("none: {why}"));
        let shown = if files.is_empty() { reason.unwrap_or_default() } else { files.join(", ") };
        format!("| {number} | {what} | {shown} |\n")
    };
    let rows: String = CLASSES.iter().map(row).collect();
    format!("| | What goes wrong | Scenarios |\n|---|---|---|\n{rows}")
}

#[test]
fn every_class_has_a_scenario_or_a_reason() {
    let covered = covered();
    for (number, what) in CLASSES {
        let (files, reason) = (covered.contains_key(number), REASONS.iter().any(|(of, _)| of == number));
        assert!(files || reason, "class {number} ({what}) has neither a scenario that covers it nor a reason");
        assert!(!(files && reason), "class {number} has a scenario: its reason is not true any more");
    }
    assert!(REASONS.len() <= FEW);
}

#[test]
fn the_table_of_classes_is_that_of_the_scenarios() {
    let readme = std::fs::read_to_string(README).expect("a file");
    let (before, rest) = readme.split_once(BEGIN).expect("the table begins");
    let (shown, after) = rest.split_once(END).expect("the table ends");
    let wanted = table();
    #[expect(clippy::disallowed_methods, reason = "a test may be told to rewrite what it expects")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(README, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("written");
        return;
    }
    assert!(shown == wanted, "the table in {README} is old: UPDATE=1 cargo test --test suite scenario::classes");
}
