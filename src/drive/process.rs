//! The embedded reference service as a child process of this same binary, so that it can be killed for real.
//!
//! Must not know: plans, what the service does.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::Mutex,
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

/// The running child. It ends when this is dropped, or when this process ends in whatever way: its standard input closes.
#[derive(Debug)]
pub struct Service {
    command: ServiceCommand,
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    /// It was told to stop: that it ends is no accident.
    told: bool,
    /// What its clock is wrong by, milliseconds.
    clock_ms: i64,
    port: u16,
}

/// What begins the line on standard input with which the child is told how wrong its clock is to be, in milliseconds.
pub const CLOCK: &str = "clock ";

/// A child that was told to stop and has not ended after so long is killed: longer than it gives requests and calls.
pub const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// One place for a process of the service; whoever starts or kills it holds the lock.
pub type Slot = Arc<Mutex<Service>>;

/// All processes of the service, over one database.
#[derive(Debug)]
pub struct Fleet {
    slots: Vec<Slot>,
}

impl Fleet {
    /// Starts so many processes, one after the other.
    ///
    /// # Errors
    /// [`ServiceStartError`] of the first that does not start.
    pub async fn start(command: &ServiceCommand, processes: u32) -> Result<Self, ServiceStartError> {
        let mut slots = Vec::new();
        for _ in 0..processes {
            slots.push(Arc::new(Mutex::new(Service::start(command.clone()).await?)));
        }
        Ok(Self { slots })
    }

    /// The places, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a fleet of none is no fleet")]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Base URL of each.
    pub async fn urls(&self) -> Vec<String> {
        let mut urls = Vec::new();
        for slot in &self.slots {
            urls.push(slot.lock().await.url());
        }
        urls
    }
}

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceStartError {
    /// It could not be started at all.
    #[error("cannot start the reference service: {0}")]
    Spawn(std::io::Error),
    /// It ended, or did not say that it is ready.
    #[error("the reference service did not get ready within {} s; it said: {said}", READY_WITHIN.as_secs())]
    NotReady {
        /// End of its log.
        said: String,
    },
}

/// Opening a database and a port takes milliseconds; a machine under load may need a while.
const READY_WITHIN: Duration = Duration::from_secs(20);

impl Service {
    /// Starts the child on a free port and waits until it answers.
    ///
    /// # Errors
    /// [`ServiceStartError`] with the end of the child's log.
    pub async fn start(command: ServiceCommand) -> Result<Self, ServiceStartError> {
        let mut service = Self { command, child: None, stdin: None, told: false, clock_ms: 0, port: 0 };
        service.start_again().await?;
        Ok(service)
    }

    /// Base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the child again on the port that it had.
    ///
    /// # Errors
    /// [`ServiceStartError`] with the end of the child's log.
    pub async fn start_again(&mut self) -> Result<(), ServiceStartError> {
        if self.child.is_some() && self.ended().is_none() {
            return Ok(());
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.command.log);
        let mut child = Command::new(&self.command.program)
            .args(&self.command.arguments)
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .envs(self.command.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.map_err(ServiceStartError::Spawn)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(ServiceStartError::Spawn)?;
        self.stdin = child.stdin.take();
        self.told = false;
        let stdout = child.stdout.take();
        self.child = Some(child);
        let port = match stdout {
            Some(stdout) => tokio::time::timeout(READY_WITHIN, ready_port(stdout)).await.ok().flatten(),
            None => None,
        };
        self.port = port.ok_or_else(|| ServiceStartError::NotReady { said: tail(&self.command.log) })?;
        if self.clock_ms != 0 {
            self.set_clock(self.clock_ms).await;
        }
        Ok(())
    }

    /// Kills the child (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone already, which is what is wanted.
            drop(child.kill().await);
        }
        self.stdin = None;
    }

    /// Lets the child's clock be wrong by so many milliseconds, ahead when positive, also after it was started again.
    pub async fn set_clock(&mut self, offset_ms: i64) {
        self.clock_ms = offset_ms;
        if let Some(stdin) = &mut self.stdin {
            // An error means that the child is gone: the next one is told again.
            drop(stdin.write_all(format!("{CLOCK}{offset_ms}\n").as_bytes()).await);
        }
    }

    /// Tells the child to stop, as whoever operates it does (SIGTERM; elsewhere its standard input closes); returns the
    /// number of its process.
    pub fn terminate(&mut self) -> Option<u32> {
        let number = self.child.as_ref()?.id()?;
        self.told = true;
        #[cfg(unix)]
        if let Some(pid) = i32::try_from(number).ok().and_then(rustix::process::Pid::from_raw) {
            // An error means that it is gone already, which is what is wanted.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        #[cfg(not(unix))]
        drop(self.stdin.take());
        Some(number)
    }

    /// Whether the process of that number has ended, however it did.
    pub fn has_ended(&mut self, number: u32) -> bool {
        let Some(child) = self.child.as_mut().filter(|child| child.id() == Some(number)) else { return true };
        let ended = !matches!(child.try_wait(), Ok(None));
        if ended {
            self.child = None;
        }
        ended
    }

    /// Kills the child if it is still the process of that number.
    pub async fn kill_if(&mut self, number: u32) {
        if self.child.as_ref().and_then(Child::id) == Some(number) {
            self.kill().await;
        }
    }

    /// How the child ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut().filter(|_| !self.told)?.try_wait().ok().flatten()?;
        self.child = None;
        Some(status.to_string())
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
