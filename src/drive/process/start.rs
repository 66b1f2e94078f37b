//! How a process is started, told to stop and ended: the embedded service, or a command of somebody's app.
//!
//! Must not know: when that happens.

use super::{
    Progress,
    app::AppCommand,
    embedded::{READY_WITHIN, ServiceCommand},
    keeper::Watched,
    ports,
    signals::{self, Told},
};
use std::{path::Path, time::Duration};
use tokio::{
    process::{Child, ChildStdin},
    sync::watch,
};

/// What the embedded service is called.
pub(super) const SERVICE: &str = "the reference service";

/// What is started.
#[derive(Clone, Debug)]
pub enum Start {
    /// The reference service of this binary.
    Service(ServiceCommand),
    /// A command of the app under test.
    App(Box<AppCommand>),
}

impl From<ServiceCommand> for Start {
    fn from(command: ServiceCommand) -> Self {
        Self::Service(command)
    }
}

impl From<AppCommand> for Start {
    fn from(command: AppCommand) -> Self {
        Self::App(Box::new(command))
    }
}

/// How a start ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It answers.
    Ready,
    /// It was killed, or told to stop, before it did.
    Overtaken,
}

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be started at all.
    #[error("cannot start {name}: {what}")]
    Spawn {
        /// Which.
        name: String,
        /// Why.
        what: std::io::Error,
    },
    /// It ended, or did not get ready in time.
    #[error("{name} did not get ready {when}; it said: {said}")]
    NotReady {
        /// Which.
        name: String,
        /// In time, or before it ended.
        when: String,
        /// The end of what it said.
        said: String,
    },
    /// Another program listens where it should.
    #[error("{name} cannot be started: {what}")]
    PortTaken {
        /// Which.
        name: String,
        /// Where, and what to do.
        what: String,
    },
    /// What ends processes that are left over could not be started.
    #[error("cannot start what watches over the app's processes: {0}")]
    Keeper(std::io::Error),
}

/// A process that was just started.
pub(super) struct Spawned {
    pub(super) child: Child,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Start {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Service(_) => SERVICE,
            Self::App(app) => &app.name,
        }
    }

    /// A port for it to begin with and to come back on: an app's own, or one that is looked for now.
    pub(super) fn find_port(&self) -> u16 {
        match self {
            // 0 where none is to be had: the service asks for one, and says so itself.
            Self::Service(_) => ports::free().and_then(|held| held.local_addr()).map_or(0, |at| at.port()),
            Self::App(app) => app.port,
        }
    }

    pub(super) fn spawn(&self, port: u16) -> Result<Spawned, StartError> {
        match self {
            Self::Service(service) => service.spawn(port),
            Self::App(app) => app.spawn(),
        }
    }

    pub(super) fn ready_within(&self) -> Duration {
        match self {
            Self::Service(_) => READY_WITHIN,
            Self::App(app) => app.ready_within,
        }
    }

    pub(super) fn said(&self) -> String {
        match self {
            Self::Service(service) => service.said(),
            Self::App(app) => app.output.said(),
        }
    }

    pub(super) fn not_ready(&self, when: &str) -> StartError {
        let name = match self {
            Self::Service(_) => SERVICE.to_owned(),
            Self::App(app) => format!("`{}`", app.name),
        };
        StartError::NotReady { name, when: when.to_owned(), said: self.said() }
    }

    /// Whether it is started again when it died by itself. Nobody does that for the embedded service: that it dies is a bug.
    pub(super) fn restarts(&self) -> bool {
        match self {
            Self::Service(_) => false,
            Self::App(app) => app.restart,
        }
    }

    /// The program that ends what is left over when this process is gone; the embedded service ends by itself.
    pub(super) fn keeper(&self) -> Option<&Path> {
        match self {
            Self::Service(_) => None,
            Self::App(app) => Some(&app.keeper),
        }
    }

    pub(super) fn watched(&self, child: &Child) -> Option<Watched> {
        match self {
            Self::Service(_) => None,
            Self::App(app) => Some(app.watched(child.id()?)),
        }
    }

    pub(super) fn terminate(&self, number: u32) {
        match self {
            Self::Service(_) => signals::tell(number, Told::Terminate),
            Self::App(app) => app.terminate(number),
        }
    }

    /// Ends a child and waits until it is gone.
    pub(super) async fn kill(&self, child: &mut Child) {
        match self {
            // An error means that it is gone already, which is what is wanted.
            Self::Service(_) => drop(child.kill().await),
            Self::App(app) => app.kill(child).await,
        }
    }

    /// Ends what a process has left behind in its group.
    pub(super) fn kill_rest(&self, number: u32) {
        match self {
            Self::Service(_) => {}
            Self::App(_) => signals::tell_group(number, Told::Kill),
        }
    }
}
