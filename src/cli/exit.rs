//! Exit codes: stable, documented, and the only way out.
//!
//! Must not know: what leads to which code.

use std::process::{ExitCode, Termination};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: every criterion passed.
    Pass,
    /// 1: a criterion failed, the service is wrong.
    Fail,
    /// 2: not enough evidence, or the planned load was not delivered.
    Inconclusive,
    /// 3: bad usage, scenario or recording; nothing was sent.
    Usage,
    /// 4: the run broke.
    Broken,
    /// 70: a bug in hookdrill.
    Bug,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Inconclusive => 2,
            Self::Usage => 3,
            Self::Broken => 4,
            Self::Bug => 70,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// clap's own words and our codes: help and version are 0, everything else is 3 (clap's 2 means inconclusive here).
pub(crate) fn of_clap(error: &clap::Error) -> Exit {
    // A closed pipe is the only way this fails; there is nobody left to tell.
    drop(error.print());
    if error.use_stderr() { Exit::Usage } else { Exit::Pass }
}

/// Runs `body`; a panic is a bug of ours and ends with 70 and a line that says so.
pub(crate) fn catching_panics(body: impl FnOnce() -> Exit + std::panic::UnwindSafe) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // A reader that went away (`| head`) is no bug.
        if panic.to_string().contains("Broken pipe") {
            std::process::exit(0);
        }
        eprintln!("hookdrill: this is a bug in hookdrill, not in your service: {panic}");
        eprintln!("hookdrill: please report it with the command that you typed");
    }));
    let exit = std::panic::catch_unwind(body).unwrap_or(Exit::Bug);
    ExitCode::from(exit.code())
}
