//! House rules as tests: who may import whom, how long files and functions may be, what must never be in the repository.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Rooms and what each may import of the crate; a file's room is the longest prefix of its path that is listed.
/// Shells (files that own a socket, a clock or a process) are listed by themselves.
const ROOMS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("rng", &[]),
    ("id", &[]),
    ("wire", &[]),
    ("redact", &[]),
    ("database", &[]),
    ("stripe", &["time", "rng", "id", "stripe"]),
    ("scenario", &["time", "rng", "id", "stripe", "scenario"]),
    ("plan", &["time", "rng", "id", "stripe", "scenario", "plan"]),
    ("mock", &["time", "rng", "id", "wire", "mock"]),
    ("mock/declared", &["id", "time", "wire", "scenario", "mock"]),
    ("mock/outage", &["wire", "scenario", "plan", "mock"]),
    ("mock/models", &["id", "time", "wire", "mock", "scenario"]),
    ("mock/script", &["id", "wire", "rng", "scenario", "plan", "mock"]),
    ("mock/subject", &["id", "wire", "scenario", "plan", "mock"]),
    ("mock/socket", &["id", "time", "wire", "mock", "scenario", "plan", "history"]),
    ("service", &["time", "rng", "id", "wire", "redact", "database", "stripe", "service"]),
    ("history", &["time", "id", "redact", "mock", "scenario", "plan", "history"]),
    ("check", &["time", "id", "scenario", "plan", "history", "check", "stripe"]),
    (
        "drive",
        &["time", "rng", "id", "wire", "redact", "database", "stripe", "scenario", "plan", "history", "mock", "drive"],
    ),
    (
        "drive/sim",
        &["time", "rng", "id", "wire", "redact", "stripe", "scenario", "plan", "history", "mock", "service", "drive"],
    ),
    ("report", &["time", "id", "redact", "scenario", "plan", "history", "check", "report"]),
    ("doctor", &["time", "wire", "stripe", "doctor"]),
    ("doctor/prober", &["redact", "drive", "doctor"]),
    ("doctor/tls", &["doctor"]),
    ("secrets", &["secrets"]),
    ("lighthouse", &[]),
    (
        "cli",
        &[
            "time",
            "rng",
            "id",
            "wire",
            "redact",
            "database",
            "stripe",
            "scenario",
            "plan",
            "mock",
            "service",
            "history",
            "check",
            "drive",
            "report",
            "doctor",
            "secrets",
            "lighthouse",
            "cli",
        ],
    ),
    ("lib", &["cli"]),
    ("main", &[]),
];

/// Words that must not occur in the code of a room, and why.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("stripe", &["tokio", "hyper", "Instant::now", "SystemTime"]),
    ("scenario", &["tokio", "hyper", "Instant::now", "SystemTime"]),
    ("plan", &["tokio", "hyper", "Instant::now", "SystemTime", "std::fs"]),
    (
        "check",
        &["tokio", "hyper", "Instant::now", "SystemTime", "std::fs", "crate::service", "crate::mock", "crate::drive"],
    ),
    (
        "drive/sim",
        &[
            "tokio",
            "hyper",
            "wiremock",
            "Instant::now",
            "SystemTime",
            "std::fs",
            "std::thread",
            "Defect",
            "crate::check",
        ],
    ),
    ("doctor", &["tokio", "hyper", "rustls", "Instant::now", "SystemTime", "std::fs", "crate::redact"]),
    ("doctor/prober", &[]),
    ("doctor/tls", &[]),
    ("secrets", &["tokio", "hyper", "std::fs"]),
    ("secrets/walk", &[]),
    ("lighthouse", &["tokio", "hyper", "std::fs", "std::process"]),
    ("mock/declared", &["tokio", "hyper", "wiremock", "Instant::now", "SystemTime"]),
    ("mock/crm", &["tokio", "hyper", "wiremock", "Instant::now", "SystemTime"]),
    ("mock/desk", &["tokio", "hyper", "wiremock", "Instant::now", "SystemTime"]),
    ("mock/intercom", &["tokio", "hyper", "wiremock", "Instant::now", "SystemTime"]),
];

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

struct Source {
    /// Path below `src` without the ending, `/mod` cut off.
    place: String,
    path: PathBuf,
    /// Without its unit tests.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod ").next().expect("text").to_owned();
            let below = path.strip_prefix(root().join("src")).expect("below src").with_extension("");
            let place = below.to_string_lossy().replace('\\', "/");
            Source { place: place.strip_suffix("/mod").unwrap_or(&place).to_owned(), path, code }
        })
        .collect()
}

fn room_of<'t, T>(place: &str, table: &'t [(&'static str, T)]) -> Option<&'t (&'static str, T)> {
    let within = |room: &str| place == room || place.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'));
    table.iter().filter(|(room, _)| within(room)).max_by_key(|(room, _)| room.len())
}

/// Crate modules that a line of code names: `use crate::a::…`, `crate::a::…`, and all of `use crate::{a::…, b::…}`.
fn imports(code: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let plain: String = code.lines().map(|l| l.split("//").next().unwrap_or("").to_owned() + "\n").collect();
    for (at, _) in plain.match_indices("crate::") {
        let line = plain[..at].matches('\n').count() + 1;
        let rest = &plain[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut word, mut at_start) = (0, String::new(), true);
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => at_start = true,
                    c if depth == 0 && at_start && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ if depth == 0 && at_start && !word.is_empty() => {
                        found.entry(std::mem::take(&mut word)).or_insert(line);
                        at_start = false;
                    }
                    _ => {}
                }
            }
            if !word.is_empty() {
                found.entry(word).or_insert(line);
            }
        } else {
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.entry(word).or_insert(line);
        }
    }
    found
}

fn import_errors(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let Some((room, allowed)) = room_of(&source.place, ROOMS) else {
            wrong.push(format!("{}: in no room of the table", source.path.display()));
            continue;
        };
        for (module, line) in imports(&source.code) {
            if !allowed.contains(&module.as_str()) && module != *room {
                wrong.push(format!("{}:{line}: `{room}` must not import `{module}`", source.path.display()));
            }
        }
        if let Some((room, words)) = room_of(&source.place, FORBIDDEN) {
            for word in *words {
                let code: String = source.code.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
                if code.contains(word) {
                    wrong.push(format!("{}: `{room}` must not contain `{word}`", source.path.display()));
                }
            }
        }
    }
    wrong
}

#[test]
fn rooms_import_only_what_they_may() {
    let wrong = import_errors(&sources());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_rule_catches_what_it_forbids() {
    let planted = |place: &str, code: &str| {
        import_errors(&[Source { place: place.into(), path: place.into(), code: code.into() }]).len()
    };
    assert_eq!(planted("check/delivery", "use crate::service::state;"), 2);
    assert_eq!(planted("plan/compile", "use crate::{time::Timestamp, drive::{a, b}};"), 1);
    assert_eq!(planted("plan/compile", "use crate::{time::Timestamp, stripe::{a, b}};"), 0);
    assert_eq!(planted("nowhere/x", ""), 1);
    assert_eq!(planted("plan/compile", "let now = Instant::now();"), 1);
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let shown = source.path.display();
        if !source.code.starts_with("//!") {
            wrong.push(format!("{shown}: does not open with what it is for"));
        }
        let lines = source.code.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{shown}: {lines} lines before its tests, at most {FILE_LINES}"));
        }
        for (name, length) in functions(&source.code) {
            if length > FUNCTION_LINES {
                wrong.push(format!("{shown}: `{name}` has {length} lines, at most {FUNCTION_LINES}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names and lengths of functions: from the `fn` line to the line that closes its indentation.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let Some(at) = trimmed.find("fn ").filter(|at| trimmed[..*at].split(' ').all(is_qualifier)) else { continue };
        let indent = &line[..line.len() - trimmed.len()];
        let closing = format!("{indent}}}");
        let length = lines[start..].iter().position(|l| *l == closing).map_or(1, |n| n + 1);
        let name = trimmed[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.push((name, length));
    }
    found
}

fn is_qualifier(word: &str) -> bool {
    matches!(word, "" | "pub" | "pub(crate)" | "pub(super)" | "async" | "const")
}

/// The files at the top level.
const TOP_LEVEL: [&str; 14] = [
    ".gitignore",
    ".taplo.toml",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "justfile",
    "rustfmt.toml",
];

#[test]
fn nothing_is_tracked_that_must_not_be() {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let Ok(listed) = listed else {
        return super::skip("house rules on tracked files", "git is not here");
    };
    if !listed.status.success() {
        return super::skip("house rules on tracked files", "this is no git checkout");
    }
    let mut wrong = Vec::new();
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|n| !n.is_empty()) {
        // A stray file at the top level belongs to somebody's afternoon, not to the product.
        if !name.contains('/') && !TOP_LEVEL.contains(&name) {
            wrong.push(format!(
                "{name}: is no file of the top level; move it below a folder, or name it in `TOP_LEVEL`"
            ));
        }
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        let this = name.ends_with("house/mod.rs");
        for word in [
            "/wo\u{72}k/",
            "/ro\u{6f}t/",
            "sk_liv\u{65}_51",
            "rk_liv\u{65}_51",
            "crates\u{2e}io/",
            "registry\u{2e}npmjs",
        ] {
            if !this && text.contains(word) {
                wrong.push(format!("{name}: contains `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
