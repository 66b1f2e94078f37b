//! The `stripe` room against material from outside: signature vectors, recorded events, the shipped recordings.

mod events;
mod export;
mod import;
pub(crate) mod planted;
mod rekey;
mod scrub;
mod signature_vectors;
mod story;

use std::path::{Path, PathBuf};

/// A folder outside the project; says loudly when it is not here.
fn outside(path: &str) -> Option<PathBuf> {
    crate::shared(path.trim_start_matches("shared/"), "the stripe room against outside material")
}

/// A folder of the project.
fn inside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
