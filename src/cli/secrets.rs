//! `hookdrill secrets`: looks for keys and passwords where none may be.
//!
//! Must not know: what a secret looks like.

use super::{Failure, args::gates::SecretsArgs, environment, exit::Exit, voice::print};
use crate::secrets::{Options, Own, SHORTEST, Scanned, Scanner, scan_paths};
use std::{collections::BTreeSet, fmt::Write, path::Path};

/// Looks, and prints what was found.
///
/// # Errors
/// [`Failure::Usage`] when a path, a variable or the file of allowed ones is not there.
pub fn secrets(args: &SecretsArgs) -> Result<Exit, Failure> {
    for path in &args.paths {
        if let Err(error) = std::fs::metadata(path) {
            return Err(Failure::Usage(format!("cannot look into {}: {error}", path.display())));
        }
    }
    let own = args.secret_env.iter().map(|name| own(name)).collect::<Result<Vec<_>, _>>()?;
    let allowed = args.allow.as_deref().map(fingerprints).transpose()?.unwrap_or_default();
    let scanned = scan_paths(&Scanner::new(&own, allowed), &args.paths, Options::default());
    let text = match args.json {
        true => serde_json::to_string_pretty(&scanned).map(|text| text + "\n"),
        false => Ok(words(&scanned)),
    };
    let text = text.map_err(|error| Failure::Broken(error.to_string()))?;
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(match (scanned.hits.is_empty(), scanned.unread.is_empty()) {
        (false, _) => Exit::Fail,
        (true, false) => Exit::Inconclusive,
        (true, true) => Exit::Pass,
    })
}

fn own(name: &str) -> Result<Own, Failure> {
    let value = environment(name).ok_or_else(|| {
        Failure::Usage(format!("the environment has no {name}; set it to the secret that must be nowhere"))
    })?;
    Own::new(name, value.trim()).ok_or_else(|| {
        Failure::Usage(format!("{name} has less than {SHORTEST} characters: it would be found in every text"))
    })
}

fn fingerprints(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut all = BTreeSet::new();
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        if line.len() != 16 || !line.bytes().all(|b| b.is_ascii_hexdigit()) {
            let what = "is no fingerprint; write the 16 hex digits that the report shows";
            return Err(Failure::Usage(format!("{}:{}: `{line}` {what}", path.display(), number + 1)));
        }
        all.insert(line.to_lowercase());
    }
    Ok(all)
}

fn words(scanned: &Scanned) -> String {
    let mut out = String::new();
    for hit in &scanned.hits {
        // Writing to a String cannot fail. A name of a file may hold anything.
        let file: String = hit.file.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let _ = writeln!(
            out,
            "{file}:{}:{}: {} ({}) {} fingerprint {}",
            hit.line, hit.column, hit.rule, hit.about, hit.shown, hit.fingerprint
        );
    }
    for unread in &scanned.unread {
        let _ = writeln!(out, "{}: not looked through: {}", unread.file, unread.why);
    }
    for folder in &scanned.left_out {
        let _ = writeln!(out, "{folder}: left out; name it to look into it");
    }
    let counted = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let found = if scanned.hits.is_empty() {
        "nothing found".to_owned()
    } else {
        counted(scanned.hits.len(), "secret") + " found"
    };
    let links = if scanned.links == 0 {
        String::new()
    } else {
        format!(", {} not followed", counted(scanned.links as usize, "link"))
    };
    let _ = writeln!(
        out,
        "{found} in {} ({} KB){links}",
        counted(scanned.files as usize, "file"),
        scanned.bytes.div_ceil(1024)
    );
    out
}
