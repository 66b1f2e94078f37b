//! A command of the app under test as a process: in a group of its own, with its output kept, ready when it answers.
//!
//! Must not know: what the app is.

use super::{
    Progress,
    keeper::Watched,
    output::Output,
    signals::{self, Told},
    start::{Spawned, StartError},
};
use crate::drive::http::Sender;
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    sync::watch,
};

/// How a command is started; everything is filled in.
#[derive(Clone)]
pub struct AppCommand {
    /// What it is called in reports; its output goes to a file of that name.
    pub name: String,
    /// Program and arguments; no secret among them.
    pub command: Vec<String>,
    /// Where it is started.
    pub cwd: PathBuf,
    /// Variables beside those of this process; secrets are here.
    pub environment: Vec<(String, String)>,
    /// Variables of this process that it does not get.
    pub without: Vec<String>,
    /// What kills it, instead of SIGKILL to its group.
    pub kill_command: Option<Vec<String>>,
    /// When it is ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_within: Duration,
    /// Whether it is started again when it died by itself.
    pub restart: bool,
    /// Where what it prints goes.
    pub output: Output,
    /// Its port; 0 when it has none.
    pub port: u16,
    /// This binary, which ends what is left over when this process is gone.
    pub keeper: PathBuf,
}

impl std::fmt::Debug for AppCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("AppCommand");
        shown.field("name", &self.name).field("command", &self.command).finish_non_exhaustive()
    }
}

/// When a process is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// When this URL is answered with anything below 500.
    Answers(String),
    /// When connections to host and port are accepted.
    Accepts(String, u16),
    /// When it has lived for a moment.
    Lives,
}

/// A process that is nowhere to be asked is ready when it has not ended after so long.
const LIVES: Duration = Duration::from_millis(250);
/// Gap between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(25);
/// One look at most.
const ONE_LOOK: Duration = Duration::from_secs(2);
/// A `kill_command` has so long; then the group is killed all the same.
const KILL_COMMAND: Duration = Duration::from_secs(15);
/// What was killed is gone in milliseconds; a machine under load may need a while.
const GONE_WITHIN: Duration = Duration::from_secs(5);

impl AppCommand {
    pub(super) fn spawn(&self) -> Result<Spawned, StartError> {
        let mut command = self.prepared(&self.command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let program = self.command.first().map_or("", String::as_str);
        let mut child =
            command.spawn().map_err(|what| StartError::Spawn { name: format!("`{}` ({program})", self.name), what })?;
        self.output.note("started");
        self.output.take(child.stdout.take(), child.stderr.take());
        let (told, progress) = watch::channel(Progress::Starting);
        let (ready, within, port) = (self.ready.clone(), self.ready_within, self.port);
        tokio::spawn(async move {
            // Nobody waits any more when this life is over: then the look ends too.
            tokio::select! {
                came = tokio::time::timeout(within, ready.is()) => {
                    told.send_replace(if came.is_ok() { Progress::Ready(port) } else { Progress::Late });
                }
                () = told.closed() => {}
            }
        });
        Ok(Spawned { child, stdin: None, progress })
    }

    /// A command in the app's place and environment, in a group of its own.
    fn prepared(&self, words: &[String]) -> Command {
        let program = words.first().map_or("", String::as_str);
        let mut command = Command::new(program_in(&self.cwd, program));
        command.args(words.iter().skip(1)).current_dir(&self.cwd);
        for name in &self.without {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    pub(super) fn watched(&self, number: u32) -> Watched {
        let kill_command = self.kill_command.clone().map(|mut words| {
            if let Some(program) = words.first_mut() {
                *program = program_in(&self.cwd, program).display().to_string();
            }
            words
        });
        Watched { number, kill_command, cwd: self.cwd.clone() }
    }

    /// As a supervisor does it: every process of the group is told.
    pub(super) fn terminate(&self, number: u32) {
        self.output.note("told to stop");
        signals::tell_group(number, Told::Terminate);
    }

    pub(super) async fn kill(&self, child: &mut Child) {
        let number = child.id();
        if let Some(words) = &self.kill_command {
            let mut command = self.prepared(words);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            // What it could not do is done below.
            drop(tokio::time::timeout(KILL_COMMAND, command.status()).await);
            drop(tokio::time::timeout(GONE_WITHIN, child.wait()).await);
        }
        if let Some(number) = number {
            signals::tell_group(number, Told::Kill);
        }
        drop(child.kill().await);
        self.output.note("killed");
        let gone = async {
            while number.is_some_and(signals::group_lives) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        drop(tokio::time::timeout(GONE_WITHIN, gone).await);
    }
}

/// A path is one from where the command is started; a bare name is looked up as ever.
pub(crate) fn program_in(cwd: &Path, program: &str) -> PathBuf {
    let path = Path::new(program);
    if path.is_relative() && path.components().count() > 1 { cwd.join(path) } else { path.to_owned() }
}

impl Ready {
    /// Returns when it is.
    async fn is(&self) {
        match self {
            Self::Lives => tokio::time::sleep(LIVES).await,
            Self::Accepts(host, port) => {
                while !accepts(host, *port).await {
                    tokio::time::sleep(LOOK).await;
                }
            }
            Self::Answers(url) => {
                let sender = Sender::new();
                loop {
                    let asked = sender.send("GET", url, &[], Bytes::new(), ONE_LOOK).await;
                    if asked.is_ok_and(|answer| answer.status.is_some_and(|status| status < 500)) {
                        return;
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}

/// Whether connections are accepted there.
async fn accepts(host: &str, port: u16) -> bool {
    let connecting = TcpStream::connect((host, port));
    matches!(tokio::time::timeout(ONE_LOOK, connecting).await, Ok(Ok(_)))
}
