//! Same scenario and seed, same bytes: in another process, time zone and locale, and in a release build.

use crate::cli::scratch;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

const SCENARIOS: [&str; 4] = [
    "scenarios/random-schedule.toml",
    "scenarios/killed-after-acknowledging.toml",
    "scenarios/forged-webhooks-leave-no-trace.toml",
    "scenarios/three-days-of-retries.toml",
];

fn files(folder: &Path, root: &Path, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, root, into);
        } else {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            into.insert(name, std::fs::read_to_string(&path).expect("text"));
        }
    }
}

/// Every file that a run of `program` leaves, by its path.
fn artefacts(program: &Path, environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    let folder = scratch();
    let done = Command::new(program)
        .args(["run", "--simulate", "--quiet", "--seed", "5", "--reports"])
        .arg(folder.path())
        .args(SCENARIOS)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .envs(environment.iter().copied())
        .output()
        .expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut all = BTreeMap::new();
    files(folder.path(), folder.path(), &mut all);
    assert!(all.len() >= SCENARIOS.len() * 5, "{:?}", all.keys());
    let here = folder.path().to_string_lossy().into_owned();
    let host: Vec<_> = all.iter().filter(|(_, text)| text.contains(&here)).map(|(name, _)| name).collect();
    assert!(host.is_empty(), "these name the folder of this machine: {host:?}");
    all
}

/// Where two runs part: file and record.
fn parting(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Option<String> {
    if !one.keys().eq(other.keys()) {
        return Some(format!("other files: {:?} and {:?}", one.keys(), other.keys()));
    }
    let (name, text) = one.iter().find(|(name, text)| other.get(*name) != Some(text))?;
    let rest = other.get(name).map_or("", String::as_str);
    let line = text.lines().zip(rest.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| text.lines().count().min(rest.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(ends)").to_owned();
    Some(format!("{name}, record or line {}:\n  {}\n  {}", line + 1, at(text), at(rest)))
}

fn assert_same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>, what: &str) {
    if let Some(place) = parting(one, other) {
        panic!("{what} parts at {place}");
    }
}

#[test]
fn two_processes_two_zones_two_locales_and_a_release_build_write_the_same_bytes() {
    let debug = PathBuf::from(env!("CARGO_BIN_EXE_hookdrill"));
    let here = artefacts(&debug, &[("TZ", "UTC"), ("LC_ALL", "C")]);
    let there = artefacts(&debug, &[("TZ", "Pacific/Auckland"), ("LC_ALL", "de_DE.UTF-8"), ("LANG", "tr_TR.UTF-8")]);
    assert_same(&here, &there, "another process");
    let release = debug.with_file_name("").join("../release/hookdrill");
    let time = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    match (time(&release), newest(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")))) {
        (Some(built), Some(written)) if built >= written => {
            assert_same(&here, &artefacts(&release, &[]), "the release build");
        }
        _ => crate::skip("the release build writes the same bytes", "it is not built, or older than the sources"),
    }
}

fn newest(folder: &Path) -> Option<std::time::SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries
        .filter_map(|entry| {
            let path = entry.path();
            if path.is_dir() { newest(&path) } else { entry.metadata().ok()?.modified().ok() }
        })
        .max()
}

#[test]
fn the_first_difference_is_named() {
    let run = |text: &str| BTreeMap::from([("history.jsonl".to_owned(), text.to_owned())]);
    assert_eq!(parting(&run("a\nb\n"), &run("a\nb\n")), None);
    let place = parting(&run("a\nb\n"), &run("a\nc\n")).expect("they differ");
    assert!(place.starts_with("history.jsonl, record or line 2:"), "{place}");
    assert!(parting(&run("a\n"), &run("a\nb\n")).is_some_and(|place| place.contains("line 2")));
}
