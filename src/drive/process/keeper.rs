//! What ends the app's processes when the run is gone, however it ended: a process of its own, this binary again, whose standard
//! input closes with the run.
//!
//! It stands in a group of its own, where Ctrl-C does not reach it. Must not know: runs.

use super::signals::{self, Told};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The subcommand that does it.
pub const KEEP: &str = "keep";

/// A line to the keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A process was started.
    Watch(Watched),
    /// It is gone.
    Gone(u32),
    /// A folder that goes with the run.
    Scratch(PathBuf),
}

/// A process that must not outlive the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Number of the process and of its group.
    pub number: u32,
    /// What kills it, before its group is killed.
    pub kill_command: Option<Vec<String>>,
    /// Where that is started.
    pub cwd: PathBuf,
}

/// The running keeper.
#[derive(Debug)]
pub struct Keeper {
    child: Child,
    stdin: Mutex<Option<ChildStdin>>,
}

impl Keeper {
    pub(super) fn start(program: &Path, scratch: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(KEEP).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let stdin = Mutex::new(child.stdin.take());
        let keeper = Self { child, stdin };
        keeper.tell(&Line::Scratch(scratch.to_owned()));
        Ok(keeper)
    }

    fn tell(&self, line: &Line) {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(stdin), Ok(text)) = (stdin.as_mut(), serde_json::to_string(line)) {
            // A keeper that was killed keeps nothing: the processes are ended by their owner all the same.
            drop(writeln!(stdin, "{text}"));
        }
    }

    /// A process was started.
    pub(super) fn watch(&self, watched: &Watched) {
        self.tell(&Line::Watch(watched.clone()));
    }

    /// It is gone.
    pub(super) fn gone(&self, number: u32) {
        self.tell(&Line::Gone(number));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stdin.lock().unwrap_or_else(PoisonError::into_inner).take());
        // It ends what is left and then itself.
        drop(self.child.wait());
    }
}

/// What the keeper does: reads until the run is gone, then ends what is left of it.
pub fn keep(input: impl BufRead) {
    let mut left: BTreeMap<u32, Watched> = BTreeMap::new();
    let mut scratch = None;
    for line in input.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Line::Watch(watched)) => drop(left.insert(watched.number, watched)),
            Ok(Line::Gone(number)) => drop(left.remove(&number)),
            Ok(Line::Scratch(folder)) => scratch = Some(folder),
            Err(_) => {}
        }
    }
    for watched in left.values() {
        if let Some([program, arguments @ ..]) = watched.kill_command.as_deref() {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(&watched.cwd);
            // What it could not do is done below.
            drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
        }
        signals::tell_group(watched.number, Told::Kill);
    }
    if let Some(folder) = scratch {
        // Nobody is left to be told.
        drop(std::fs::remove_dir_all(folder));
    }
}
