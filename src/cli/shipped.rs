//! The scenarios and recordings that come with hookdrill, inside the program: whoever tests an app of their own has no clone of
//! this repository beside it.
//!
//! Must not know: what a scenario means.

use super::find::is_included;
use include_dir::{Dir, DirEntry, include_dir};
use std::{
    io,
    path::{Path, PathBuf},
};

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");
static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// What a path begins with that means them.
pub(crate) const NAME: &str = "shipped";

/// Where scenarios are looked for when no path is given.
const USUAL: &str = "scenarios";

/// Scenarios that are wrong on purpose, for the tests.
const BAD: &str = "bad-scenarios";

/// The shipped files as files, until this is dropped.
pub(crate) struct Shipped {
    folder: tempfile::TempDir,
}

impl Shipped {
    /// Writes them to a folder of their own when one of the paths means them, or when there are no recordings at `fixtures`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn needed(paths: &[PathBuf], fixtures: &Path) -> io::Result<Option<Self>> {
        if fixtures.exists() && !paths.iter().any(|path| below(path).is_some()) {
            return Ok(None);
        }
        let shipped = Self { folder: tempfile::tempdir()? };
        unpack(&SCENARIOS, &shipped.folder.path().join("scenarios"))?;
        unpack(&FIXTURES, &shipped.fixtures())?;
        Ok(Some(shipped))
    }

    /// The recordings.
    pub(crate) fn fixtures(&self) -> PathBuf {
        self.folder.path().join("fixtures")
    }

    /// Where the path really is, when it means something shipped: a scenario, with its ending or without, else a recording.
    pub(crate) fn real(&self, path: &Path) -> Option<PathBuf> {
        let rest = below(path)?;
        let [scenario, recording] = ["scenarios", "fixtures"].map(|kind| self.folder.path().join(kind).join(&rest));
        let mut named = scenario.clone().into_os_string();
        named.push(".toml");
        let there = [PathBuf::from(named), recording].into_iter().find(|path| path.exists());
        Some(if scenario.exists() { scenario } else { there.unwrap_or(scenario) })
    }

    /// What a shipped file is called: `shipped/chain.toml`.
    pub(crate) fn shown(&self, real: &Path) -> Option<PathBuf> {
        let below = real.strip_prefix(self.folder.path()).ok()?;
        Some(Path::new(NAME).join(below.components().skip(1).collect::<PathBuf>()))
    }
}

/// What is meant below the shipped scenarios; nothing when the path means a file or folder that is there.
fn below(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return None;
    }
    if path == Path::new(USUAL) {
        return Some(PathBuf::new());
    }
    path.strip_prefix(NAME).ok().map(Path::to_owned)
}

fn unpack(dir: &Dir<'_>, into: &Path) -> io::Result<()> {
    std::fs::create_dir_all(into)?;
    for entry in dir.entries() {
        let name = entry.path().file_name().unwrap_or_default();
        match entry {
            DirEntry::Dir(_) if name == BAD => {}
            DirEntry::Dir(dir) => unpack(dir, &into.join(name))?,
            DirEntry::File(file) => std::fs::write(into.join(name), file.contents())?,
        }
    }
    Ok(())
}

/// Names of all shipped scenario files, for messages.
pub(crate) fn scenarios() -> Vec<String> {
    let files = SCENARIOS.files().map(|file| file.path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == "toml") && !is_included(path));
    let mut names: Vec<String> = files.map(|path| path.display().to_string()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_disk(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true if path.ends_with(BAD) => {}
                true => on_disk(&path, into),
                false => into.push((path.clone(), std::fs::read(&path).expect("a file"))),
            }
        }
    }

    #[test]
    fn what_is_in_the_program_is_what_is_in_the_repository() {
        let shipped = Shipped::needed(&[PathBuf::from(NAME)], Path::new("fixtures")).expect("written").expect("needed");
        for kind in ["scenarios", "fixtures"] {
            let (mut there, mut here) = (Vec::new(), Vec::new());
            let (root, unpacked) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(kind), shipped.folder.path().join(kind));
            on_disk(&root, &mut there);
            on_disk(&unpacked, &mut here);
            let named = |files: Vec<(PathBuf, Vec<u8>)>, root: &Path| {
                let mut files: Vec<_> = files
                    .into_iter()
                    .map(|(path, text)| (path.strip_prefix(root).expect("below").to_owned(), text))
                    .collect();
                files.sort();
                files
            };
            let (there, here) = (named(there, &root), named(here, &unpacked));
            let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
            assert_eq!(names(&there), names(&here), "a file came or went since the build: touch src/cli/shipped.rs");
            assert!(there == here, "the text of a file in {kind} is another one");
        }
    }

    #[test]
    fn a_scenario_is_found_with_its_ending_or_without_and_a_recording_by_its_name() {
        let shipped = Shipped::needed(&[PathBuf::from(NAME)], Path::new("fixtures")).expect("written").expect("needed");
        let real = |path: &str| shipped.real(Path::new(path)).and_then(|real| shipped.shown(&real));
        for (named, found) in [
            ("shipped/chain", "shipped/chain.toml"),
            ("shipped/chain.toml", "shipped/chain.toml"),
            ("shipped/refund-full", "shipped/refund-full"),
            ("shipped/no-such-thing", "shipped/no-such-thing"),
        ] {
            assert_eq!(real(named), Some(PathBuf::from(found)), "{named}");
        }
    }

    #[test]
    fn what_is_there_is_never_hidden() {
        assert_eq!(below(Path::new("src")), None);
        assert_eq!(below(Path::new("shipped/chain.toml")), Some(PathBuf::from("chain.toml")));
        assert_eq!(below(Path::new("no-such-folder")), None);
        assert!(Shipped::needed(&[PathBuf::from("src")], Path::new("fixtures")).expect("nothing to do").is_none());
    }
}
