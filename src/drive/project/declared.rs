//! `[mocks.<name>] file = …` of a project file: doubles that are declared in files of their own.
//!
//! Must not know: what a double answers, what is in its file.

use super::{ProjectDoubles, ProjectError, Surroundings, mocks::Mocks, reader::Reader};
use crate::{
    id::DoubleName,
    redact::Redactor,
    scenario::{
        declared::{self, DeclaredDouble},
        error::nearest,
        fault::Double,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc};
use toml::Spanned;

/// A double that a file of its own declares: routes, state, effects.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredTable {
    /// The file that declares it (docs/declared-doubles.md), by its path from this one.
    #[schemars(with = "String", required)]
    pub(super) file: Option<Spanned<String>>,
    /// Address on this machine, like 127.0.0.1:4105; a free port when absent.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Option<Spanned<String>>,
}

/// A project file of which the doubles alone are asked for.
#[derive(Deserialize)]
struct Only {
    #[serde(default)]
    mocks: Mocks,
}

/// Reads what a project file says of its doubles; the rest of it may need what is not there.
///
/// # Errors
/// [`ProjectError`] with the place.
pub fn doubles(path: &Path) -> Result<ProjectDoubles, ProjectError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|what| ProjectError::Read { path: shown.clone(), what })?;
    let redacted = |what: String| Redactor::new(&[]).text(what.trim_end());
    let only: Only = toml::from_str(&text)
        .map_err(|error| ProjectError::Format { path: shown.clone(), what: redacted(error.to_string()) })?;
    let surroundings = Surroundings { variable: &|_| None, own: Vec::new(), seed: 0 };
    let folder = path.parent().unwrap_or(Path::new(""));
    let (run, allow_hosts) = (Vec::new(), Vec::new());
    let reader = Reader { path: shown, text: &text, folder, allow_hosts, run, surroundings: &surroundings };
    reader.doubles(&only.mocks)
}

impl Reader<'_> {
    /// All that is said of doubles.
    pub(super) fn doubles(&self, mocks: &Mocks) -> Result<ProjectDoubles, ProjectError> {
        let listen = [
            (Double::Crm, self.listen(mocks.crm.as_ref().and_then(|crm| crm.listen.as_ref()))?),
            (Double::Support, self.listen(mocks.support.as_ref().and_then(|desk| desk.listen.as_ref()))?),
            (Double::Stripe, self.listen(mocks.stripe.as_ref().and_then(|stripe| stripe.listen.as_ref()))?),
        ]
        .into_iter()
        .filter_map(|(double, address)| Some((double, address?)))
        .chain(self.declared_listen(mocks)?)
        .collect();
        Ok(ProjectDoubles { listen, dialects: self.dialects(mocks)?, declared: self.declared(mocks)? })
    }

    /// Declared doubles, read from their files.
    fn declared(&self, mocks: &Mocks) -> Result<BTreeMap<DoubleName, Arc<DeclaredDouble>>, ProjectError> {
        let folder = Path::new(&self.path).parent().unwrap_or(Path::new("")).to_owned();
        let mut read = BTreeMap::new();
        for (name, table) in &mocks.declared {
            let known = self.declared_name(name, table)?;
            let Some(file) = &table.get_ref().file else {
                let words = Double::WORDS.iter().map(|(word, _)| *word);
                let near = nearest(name, words).map_or(String::new(), |near| format!("; or is [mocks.{near}] meant?"));
                let what = format!("[mocks.{name}] declares a double; write file = \"{name}.toml\"{near}");
                return Err(self.wrong(table, what));
            };
            let double = declared::load(&folder.join(file.get_ref())).map_err(|errors| ProjectError::Double {
                what: Redactor::new(&[]).text(errors.to_string().trim_end()),
            })?;
            read.insert(known, Arc::new(double));
        }
        Ok(read)
    }

    /// Where declared doubles listen, when that is said.
    fn declared_listen(&self, mocks: &Mocks) -> Result<Vec<(Double, SocketAddr)>, ProjectError> {
        let mut listen = Vec::new();
        for (name, table) in &mocks.declared {
            let double = Double::Declared(self.declared_name(name, table)?);
            listen.extend(self.listen(table.get_ref().listen.as_ref())?.map(|address| (double, address)));
        }
        Ok(listen)
    }

    fn declared_name<T>(&self, name: &str, at: &Spanned<T>) -> Result<DoubleName, ProjectError> {
        let taken = Double::WORDS.iter().any(|(word, _)| *word == name);
        DoubleName::new(name).filter(|_| !taken).ok_or_else(|| {
            let most = DoubleName::MOST;
            let help = format!("lower-case letters, digits, `-` and `_`, {most} at most, and none of hookdrill's own");
            self.wrong(at, format!("`{name}` is no name for a declared double: {help}"))
        })
    }
}
