//! Reads files and folders for a scanner. A shell: it owns the file system.
//!
//! Links are not followed, so nothing outside of what was named is read; compressed files are read through.
//! Must not know: what a secret looks like.

use super::scan::{Hit, Scanner};
use flate2::read::MultiGzDecoder;
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Folders that are no part of what is shipped: left out unless they are named themselves.
const LEFT_OUT: [&str; 2] = [".git", "node_modules"];

/// How it is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Compressed files are read through up to so many bytes: a small file can hold any number.
    pub most_unpacked: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { most_unpacked: 1 << 30 }
    }
}

/// A file that was not looked through, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Which.
    pub file: String,
    /// Why.
    pub why: String,
}

/// What became of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// Files that were looked through.
    pub files: u64,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// Links that were not followed.
    pub links: u64,
    /// Folders that were left out.
    pub left_out: Vec<String>,
    /// Files that could not be looked through.
    pub unread: Vec<Unread>,
    /// What was found, by file and place.
    pub hits: Vec<Hit>,
}

/// Looks through files and folders, in the order of their names.
pub fn scan_paths(scanner: &Scanner, paths: &[PathBuf], options: Options) -> Scanned {
    let mut scanned = Scanned::default();
    for path in paths {
        // What was named is read even where it is a link: the person chose it.
        match fs::metadata(path) {
            Ok(what) if what.is_dir() => folder(scanner, path, options, &mut scanned),
            Ok(what) if what.is_file() => file(scanner, path, options, &mut scanned),
            Ok(_) => unread(&mut scanned, path, "it is neither a file nor a folder"),
            Err(error) => unread(&mut scanned, path, &error.to_string()),
        }
    }
    scanned.hits.sort();
    scanned.hits.dedup();
    scanned
}

fn folder(scanner: &Scanner, path: &Path, options: Options, scanned: &mut Scanned) {
    // A stack of our own: a deep tree must not be the end of it.
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let entries = match fs::read_dir(&path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()) {
            Ok(entries) => entries,
            Err(error) => {
                unread(scanned, &path, &error.to_string());
                continue;
            }
        };
        let mut entries: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        entries.sort();
        let mut below = Vec::new();
        for entry in entries {
            match fs::symlink_metadata(&entry) {
                Ok(what) if what.is_symlink() => scanned.links += 1,
                Ok(what) if what.is_dir() => {
                    let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    if LEFT_OUT.contains(&name.as_str()) {
                        scanned.left_out.push(entry.display().to_string());
                    } else {
                        below.push(entry);
                    }
                }
                Ok(what) if what.is_file() => file(scanner, &entry, options, scanned),
                // Sockets and pipes hold nothing that stays, and reading them might never end.
                Ok(_) => {}
                Err(error) => unread(scanned, &entry, &error.to_string()),
            }
        }
        waiting.extend(below.into_iter().rev());
    }
}

fn file(scanner: &Scanner, path: &Path, options: Options, scanned: &mut Scanned) {
    let shown = path.display().to_string();
    let done = File::open(path).and_then(|mut file| {
        let mut magic = Vec::new();
        (&mut file).take(2).read_to_end(&mut magic)?;
        let mut whole = io::Cursor::new(magic.clone()).chain(file);
        if magic != [0x1f, 0x8b] {
            return scanner.scan(&shown, &mut whole);
        }
        let mut unpacked = MultiGzDecoder::new(whole).take(options.most_unpacked);
        let done = scanner.scan(&shown, &mut unpacked)?;
        if unpacked.limit() == 0 {
            let why = format!("it unpacks to more than {} bytes; the rest was not read", options.most_unpacked);
            scanned.unread.push(Unread { file: shown.clone(), why });
        }
        Ok(done)
    });
    match done {
        Ok((hits, bytes)) => {
            scanned.files += 1;
            scanned.bytes += bytes;
            scanned.hits.extend(hits);
        }
        Err(error) => unread(scanned, path, &error.to_string()),
    }
}

fn unread(scanned: &mut Scanned, path: &Path, why: &str) {
    scanned.unread.push(Unread { file: path.display().to_string(), why: why.to_owned() });
}
