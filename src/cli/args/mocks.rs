//! What is typed behind `mocks` and `shim`.
//!
//! Must not know: files, the environment.

use clap::{Args as ClapArgs, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// `mocks`
#[derive(Clone, Debug, ClapArgs)]
pub struct MocksArgs {
    /// Project file whose [mocks] are run (dialects, addresses, declared doubles)
    #[arg(long, value_name = "FILE")]
    pub target: Option<PathBuf>,
    /// Where the page listens, on this machine
    #[arg(long, default_value = "127.0.0.1:4100")]
    pub listen: SocketAddr,
    /// Take free ports instead of 4101 to 4105 and on, where the project file says none
    #[arg(long)]
    pub free_ports: bool,
}

/// `shim`
#[derive(Clone, Debug, ClapArgs)]
pub struct ShimArgs {
    /// For which runtime
    #[arg(value_enum)]
    pub of: ShimOf,
    /// Folder to write it into, which is made; printed when absent
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// Runtimes that a shim is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShimOf {
    /// Node 18 or newer.
    Node,
    /// CPython 3.8 or newer.
    Python,
}
