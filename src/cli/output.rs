//! What an app wrote while a run did not pass: where it stands, and the errors that it repeats most.
//!
//! Must not know: verdicts, how the app was started.

use regex::Regex;
use std::{collections::BTreeMap, fs::File, io::Read, path::Path, sync::LazyLock};

/// So much of an output is looked at: the errors that matter come again.
const LOOKED_AT: u64 = 8 * 1024 * 1024;
/// Different errors that are told of one process.
const TOLD: usize = 2;
/// Letters of an error that are shown.
const SHOWN: usize = 200;

/// A word that says that something went wrong, as languages and loggers write it: `TypeError`, `OperationalError`, `ERROR`,
/// `NullPointerException`, `panicked`.
static WRONG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b((?i:[a-z0-9]*error|[a-z0-9]*exception|fatal|panic|panicked)|[A-Z_]+_ERROR)\b").ok()
});
/// What differs from one time to the next: numbers, ids.
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\w*\d\w*").ok());
/// Colours.
static COLOUR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("\u{1b}\\[[0-9;]*[A-Za-z]").ok());

/// A note for each process that wrote something into `folder`.
pub(super) fn notes(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut logs: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect();
    logs.sort();
    logs.iter().filter_map(|log| Some(note(&log.display().to_string(), &read(log)?))).collect()
}

/// Nothing when there is nothing to read.
fn read(log: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(log).ok()?.take(LOOKED_AT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|text| lines(text).next().is_some())
}

/// What the app wrote, without the remarks that stand between.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("[hookdrill]") && !line.trim().is_empty())
}

fn note(log: &str, text: &str) -> String {
    let errors: Vec<String> = errors(text)
        .into_iter()
        .map(|(line, times)| if times == 1 { format!("“{line}”") } else { format!("{times} times “{line}”") })
        .collect();
    match errors.is_empty() {
        true => format!("what the app wrote is in {log}"),
        false => format!("the app wrote {} (all of it is in {log})", errors.join(" and ")),
    }
}

/// The errors that come most often, each as it came first, and how often.
fn errors(text: &str) -> Vec<(String, usize)> {
    let (Some(wrong), Some(variable), Some(colour)) = (&*WRONG, &*VARIABLE, &*COLOUR) else { return Vec::new() };
    let mut found: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    for (at, line) in lines(text).enumerate() {
        let line = colour.replace_all(line, "");
        // Frames of a stack are indented.
        if !line.starts_with(char::is_whitespace) && wrong.is_match(&line) {
            let kind = variable.replace_all(line.trim(), "0").into_owned();
            let shown = || line.trim().chars().take(SHOWN).collect();
            found.entry(kind).or_insert_with(|| (0, at, shown())).0 += 1;
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(times, first, _)| (std::cmp::Reverse(*times), *first));
    found.into_iter().take(TOLD).map(|(times, _, line)| (line, times)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_that_come_most_often_are_told_once_each() {
        let text = "[hookdrill] started\nlistening on 3000, 0 errors\n\u{1b}[31mTypeError\u{1b}[0m: id 17 is undefined\n\
                    sqlite3.OperationalError: database is locked\n  raise TypeError(17)\nrv = self.handle_user_exception(e)\n\
                    [2026-11-28 10:00:01] ERROR in app: TypeError: id 18 is undefined\nTypeError: id 4a is undefined\n";
        let expected = [
            ("TypeError: id 17 is undefined".to_owned(), 2),
            ("sqlite3.OperationalError: database is locked".to_owned(), 1),
        ];
        assert_eq!(errors(text), expected);
        let told = note("reports/app.log", text);
        assert!(told.starts_with("the app wrote 2 times “TypeError: id 17 is undefined” and “sqlite3"), "{told}");
        assert_eq!(note("app.log", "listening\n"), "what the app wrote is in app.log");
    }

    #[test]
    fn an_app_that_wrote_nothing_is_not_spoken_of() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.log"), "[hookdrill] started\n\n").expect("written");
        std::fs::write(folder.path().join("history.jsonl"), "error").expect("written");
        assert_eq!(notes(folder.path()), Vec::<String>::new());
        std::fs::write(folder.path().join("web.log"), b"panicked at \xff\n").expect("written");
        assert_eq!(notes(folder.path()).len(), 1);
    }
}
