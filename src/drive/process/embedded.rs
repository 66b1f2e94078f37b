//! The embedded service as a process: it says its port on a line of its own, and ends when its standard input closes.
//!
//! Must not know: what its arguments mean.

use super::{
    Progress,
    start::{Spawned, StartError},
};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::watch,
};

/// How the child is started.
#[derive(Clone)]
pub struct ServiceCommand {
    /// This binary.
    pub program: PathBuf,
    /// Arguments; no secret among them.
    pub arguments: Vec<String>,
    /// Variables; secrets are here.
    pub environment: Vec<(String, String)>,
    /// File that takes what the child prints as errors.
    pub log: PathBuf,
}

impl std::fmt::Debug for ServiceCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceCommand").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// Opening a database and a port takes milliseconds; a machine under load may need a while.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(20);

impl ServiceCommand {
    pub(super) fn spawn(&self, port: u16) -> Result<Spawned, StartError> {
        let not = |what: std::io::Error| StartError::Spawn { name: super::start::SERVICE.to_owned(), what };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(not)?;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(not)?;
        let (told, progress) = watch::channel(Progress::Starting);
        let stdout = child.stdout.take();
        tokio::spawn(async move {
            let port = match stdout {
                Some(stdout) => tokio::time::timeout(READY_WITHIN, ready_port(stdout)).await.ok().flatten(),
                None => None,
            };
            told.send_replace(port.map_or(Progress::Late, Progress::Ready));
        });
        let stdin = child.stdin.take();
        Ok(Spawned { child, stdin, progress })
    }

    pub(super) fn said(&self) -> String {
        tail(&self.log)
    }
}

/// The child prints `listening on http://127.0.0.1:<port>` once it answers.
async fn ready_port(stdout: tokio::process::ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("listening on http://") {
            // The rest is drained so that the child never blocks on a full pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return address.trim().rsplit(':').next()?.parse().ok();
        }
    }
    None
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.into_iter().rev().collect::<Vec<_>>().join(" / ") }
}
