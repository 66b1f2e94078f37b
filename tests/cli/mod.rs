//! The real binary: exit codes, what it says, what it leaves behind.

mod annotations;
mod audited;
mod declared;
mod exits;
mod files;
mod mocks;
mod operated;
mod record;
mod replay;
mod served;
mod shipped;
mod signature;
mod start;
mod teeth;

use std::{
    fmt,
    io::Write,
    process::{Command, Stdio},
};

/// How a call of the binary ended.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The reference service as it is deployed, for examinations from outside.
pub(crate) struct ForDoctor(served::Served);

impl ForDoctor {
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    pub(crate) const fn webhook_secret(&self) -> &'static str {
        served::WEBHOOK
    }
}

pub(crate) fn served_for_doctor() -> ForDoctor {
    ForDoctor(served::Served::start(&[], &[]))
}

/// A folder that goes away with the test.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Calls the binary from the repository's root.
pub(crate) fn hookdrill(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    hookdrill_reading(arguments, environment, "")
}

/// The same with a text on standard input.
pub(crate) fn hookdrill_reading(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Finished {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("STRIPE_WEBHOOK_SECRET")
        .env_remove("GITHUB_ACTIONS")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("piped");
    let text = stdin.to_owned();
    // In a thread of its own: a full pipe on one side must not block the other.
    let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
