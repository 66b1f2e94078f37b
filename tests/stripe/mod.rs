//! The `stripe` room against material from outside: signature vectors, recorded events, the shipped recordings.

mod events;
mod import;
mod rekey;
mod signature_vectors;
mod story;

use std::path::{Path, PathBuf};

/// A folder outside the project; says loudly when it is not here.
fn outside(path: &str) -> Option<PathBuf> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["..", "../.."].iter().map(|up| base.join(up).join(path)).find(|candidate| candidate.exists());
    if found.is_none() {
        eprintln!("SKIPPED: ../{path} is not here: this test has nothing to compare with");
    }
    found
}

/// A folder of the project; says loudly when it is not here.
fn inside(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if !found.exists() {
        eprintln!("SKIPPED: {path}/ is not here");
        return None;
    }
    Some(found)
}
