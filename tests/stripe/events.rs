//! Recorded events of public projects, each loaded as a recording of its own.

use super::outside;
use hookdrill::stripe::import::{ImportOptions, load};
use std::path::{Path, PathBuf};

/// All event files under the folder of public recordings.
pub(super) fn event_files() -> Vec<PathBuf> {
    let Some(root) = outside("shared/stripe/events") else { return Vec::new() };
    let mut files: Vec<PathBuf> = folders(&root).iter().flat_map(|folder| folders(folder)).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn nearly_all_public_events_load_and_every_refusal_is_located() {
    let files = event_files();
    let count = |allow_livemode| {
        let mut loaded = 0;
        for file in &files {
            match load(file, ImportOptions { allow_livemode }) {
                Ok(recording) => {
                    let text = std::fs::read_to_string(file).expect("readable");
                    assert_eq!(recording.events.len(), 1, "{}", file.display());
                    assert!(text.contains(&*recording.events[0].event.body), "the body is a slice of the file");
                    assert_eq!(text.trim(), &*recording.events[0].event.body);
                    loaded += 1;
                }
                Err(errors) => {
                    assert!(errors.0.iter().all(|error| error.line > 0 && error.column > 0), "{errors}");
                    println!("{errors}");
                }
            }
        }
        loaded
    };
    if files.is_empty() {
        return;
    }
    let (strict, with_live) = (count(false), count(true));
    println!("{} files: {strict} load as they are, {with_live} with live mode allowed", files.len());
    assert!(strict >= 175 && with_live >= 187, "{strict}, {with_live} of {}", files.len());
}
