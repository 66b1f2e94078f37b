//! The project file (`hookdrill.toml`) next to a user's app: where webhooks go, which secret signs them, how state is read.
//!
//! Must not know: the environment (the caller's function looks variables up), scenarios.

mod app;
mod asking;
mod declared;
mod file;
mod mocks;
mod reader;

use super::{
    target::{SignUp, Target},
    template::{Given, PLACEHOLDERS},
};
use crate::{
    id::DoubleName,
    mock::dialect::Dialects,
    redact::Redactor,
    scenario::{declared::DeclaredDouble, fault::Double},
};
use file::File;
use reader::Reader;
use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};

pub use app::{App, Launch, ProcessSpec};
pub use declared::doubles;
pub use file::schema;

/// A project file, checked.
#[derive(Clone, Debug)]
pub struct Project {
    /// The target that it describes.
    pub target: Target,
    /// The processes of the app, when hookdrill starts it.
    pub app: Option<App>,
    /// Where doubles listen; on a free port when not named.
    pub listen: BTreeMap<Double, SocketAddr>,
    /// Which APIs they speak, and how strict they are.
    pub dialects: Dialects,
    /// Secrets beside those that sign: URLs of databases with their passwords.
    pub secrets: Vec<String>,
    /// Doubles that it declares.
    pub declared: BTreeMap<DoubleName, Arc<DeclaredDouble>>,
}

/// What a project file says of the doubles alone.
#[derive(Clone, Debug, Default)]
pub struct ProjectDoubles {
    /// Where they listen; on a free port when not named.
    pub listen: BTreeMap<Double, SocketAddr>,
    /// Which APIs they speak, and how strict they are.
    pub dialects: Dialects,
    /// Those that it declares.
    pub declared: BTreeMap<DoubleName, Arc<DeclaredDouble>>,
}

/// Why a project file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// It cannot be read.
    #[error("cannot read {path}: {what}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        what: std::io::Error,
    },
    /// It is no project file.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: String,
        /// With line, column and the line itself.
        what: String,
    },
    /// A double that it declares cannot be read: every mistake with its place.
    #[error("{what}")]
    Double {
        /// The mistakes.
        what: String,
    },
    /// A value in it cannot be used.
    #[error("{path}:{line}: {what}")]
    Value {
        /// The file.
        path: String,
        /// 1-based.
        line: usize,
        /// What is wrong and what to write instead.
        what: String,
    },
}

/// What the environment has, and who this program is.
pub struct Surroundings<'a> {
    /// Looks up a variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Variables that are hookdrill's own: the app does not get them.
    pub own: Vec<String>,
    /// Seed of secrets that are made up.
    pub seed: u64,
}

/// Reads a project file.
///
/// # Errors
/// [`ProjectError`] with the place; nothing has been sent then.
pub fn load(path: &Path, surroundings: &Surroundings<'_>) -> Result<Project, ProjectError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|what| ProjectError::Read { path: shown.clone(), what })?;
    // The parser shows the line: if somebody has written the secret itself there, it must not be shown.
    let redacted = |what: String| Redactor::new(&[]).text(what.trim_end());
    let file: File = toml::from_str(&text)
        .map_err(|error| ProjectError::Format { path: shown.clone(), what: redacted(error.to_string()) })?;
    let reader = Reader {
        path: shown,
        text: &text,
        folder: path.parent().unwrap_or(Path::new("")),
        allow_hosts: file.target.allow_hosts.clone(),
        run: run_names(&file),
        surroundings,
    };
    let app = reader.app(&file.target)?;
    let secrets = reader.secrets(&file.target, app.is_some())?;
    let mut databases = Vec::new();
    let doubles = reader.doubles(&file.mocks)?;
    let target = Target {
        name: file.target.webhook.get_ref().clone(),
        webhook: reader.webhook(&file.target.webhook)?,
        secrets,
        probe: file.probe.customer.as_ref().map(|p| reader.probe(p, &file.target, &mut databases)).transpose()?,
        event_probe: file
            .probe
            .event
            .as_ref()
            .map(|p| reader.event_probe(p, &file.target, &mut databases))
            .transpose()?,
        queue: None,
        success_page: file.pages.success.as_ref().map(|p| reader.url(p)).transpose()?,
        sign_up: match &file.pages.sign_up {
            Some(table) => Some(SignUp { url: reader.url(&table.url)?, json: table.json.clone() }),
            None => None,
        },
        support_form: None,
        crm: file.mocks.crm.is_some(),
        support: file.mocks.support.is_some(),
        stripe: file.mocks.stripe.is_some(),
        recovers_within: reader.duration(file.target.recovers_within.as_ref())?.unwrap_or_default(),
        fetches_events: file.mocks.stripe.as_ref().is_some_and(|stripe| stripe.fetches_events != Some(false)),
        alerts: false,
        declared: doubles.declared.keys().copied().collect(),
        process: app.is_some(),
        clock: false,
        store: false,
        seeds: reader.told(&file.seed, &file.target, PLACEHOLDERS.as_slice(), &mut databases)?,
        resets: reader.told(&file.reset, &file.target, &[], &mut databases)?,
        given: Given::default(),
    };
    Ok(Project {
        dialects: doubles.dialects,
        target,
        app,
        secrets: databases,
        listen: doubles.listen,
        declared: doubles.declared,
    })
}

/// What a run fills in, beside what each customer brings.
fn run_names(file: &File) -> Vec<String> {
    let started = file.target.command.is_some() || !file.target.process.is_empty();
    let of_app = |names: [&'static str; 2]| names.into_iter().filter(move |_| started).map(str::to_owned);
    of_app(["port", "scratch"]).chain(file.mocks.braces()).chain(of_app(["shim_node", "shim_python"])).collect()
}
