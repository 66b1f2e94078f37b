//! A declared double as data: routes, state and effects of an API that has no dialect, read from a TOML file.
//!
//! The language is described in `docs/declared-doubles.md`. Must not know: how a call is answered (`mock/declared` does),
//! sockets, clocks.

mod answers;
mod docs;
mod read;
mod routes;
mod template;

use super::{
    error::{ScenarioErrorKind as Kind, ScenarioErrors},
    raw::Mistakes,
    shape::{self, Table},
};
use std::{path::Path, time::Duration};
use toml::de::DeTable;

#[cfg(test)]
pub(super) use docs::DOCS;
pub(super) use docs::describe;
pub use template::{NewKind, NowKind, PageKind, Piece, Source, Template};

/// Largest file that is read: a declared double is written by hand.
const MAX_FILE_BYTES: u64 = 1_000_000;

/// A declared double.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredDouble {
    /// What it stands for.
    pub about: String,
    /// What every call must carry.
    pub auth: Option<Auth>,
    /// How many calls it takes.
    pub rate_limit: Option<RateLimit>,
    /// How a repeated call is known.
    pub idempotency: Option<Idempotency>,
    /// The answer to a call that no route fits.
    pub unknown: Answer,
    /// Routes; the first that fits a call answers it.
    pub routes: Vec<Route>,
}

/// A header that every call of a route must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Its name, in lower case.
    pub header: String,
    /// What it must look like, `*` for any text; any text that is not blank when absent.
    pub like: Option<String>,
    /// The answer without it.
    pub refusal: Answer,
}

/// A limit on calls, in windows that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many.
    pub calls: u64,
    /// In so long.
    pub per: Duration,
    /// The answer above it.
    pub refusal: Answer,
}

/// How a repeated call is known: it gets the first answer again, and does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Where its key stands.
    pub key: Source,
    /// For how long the first answer is kept.
    pub keep: Duration,
    /// The answer to the same key with another content.
    pub conflict: Answer,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name: the operation in a history.
    pub name: String,
    /// Method, in upper case.
    pub method: String,
    /// Its path, part by part.
    pub path: Vec<Part>,
    /// What else must hold of a call.
    pub when: Vec<Condition>,
    /// What a call must hold; else it is refused.
    pub need: Vec<Source>,
    /// The answer to a call that lacks something.
    pub refusal: Answer,
    /// Whether a repeated call is known here.
    pub idempotent: bool,
    /// What it does, in order; the first that cannot be done ends it, and nothing is done.
    pub actions: Vec<Action>,
    /// What is counted.
    pub effects: Vec<EffectRule>,
    /// The answer when all is done.
    pub answer: Answer,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Literal(String),
    /// Any text, under this name.
    Parameter(String),
}

/// What must hold of a value of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which value.
    pub of: Source,
    /// What must hold.
    pub test: Test,
}

/// What must hold of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is this text, number or truth.
    Is(serde_json::Value),
    /// Its text looks like this, with `*` for any text.
    Like(String),
    /// It is there, and not null; or the opposite.
    Present(bool),
}

/// Something that a route does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub does: Does,
    /// Which collection.
    pub collection: String,
    /// Name of its result in templates.
    pub result: String,
    /// The answer when it cannot be done.
    pub otherwise: Answer,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// A new item; cannot be done when the key is taken.
    Insert {
        /// Key of the item.
        key: Template,
        /// Its fields.
        item: Vec<(String, Json)>,
    },
    /// A new item, or these fields of the one that is there.
    Upsert {
        /// Key of the item.
        key: Template,
        /// Its fields.
        item: Vec<(String, Json)>,
    },
    /// These fields of an item; cannot be done when there is none.
    Update {
        /// Key of the item.
        key: Template,
        /// The fields.
        item: Vec<(String, Json)>,
    },
    /// Takes an item away; cannot be done when there is none.
    Delete {
        /// Key of the item.
        key: Template,
    },
    /// Looks an item up; cannot be done when there is none.
    Find {
        /// Key of the item.
        key: Template,
    },
    /// Items in the order in which they came.
    List {
        /// Only those whose fields have these values; a value that is absent in the call asks for nothing.
        filter: Vec<(String, Template)>,
        /// Items of a page.
        page_size: u64,
        /// Which page, from 1; the first when absent in the call.
        page: Option<Template>,
        /// What is shown of each; all of it when absent.
        each: Option<Json>,
    },
    /// Adds to a number of an item, which is made with zero where it is missing.
    Add {
        /// Key of the item.
        key: Template,
        /// Field that holds the number.
        field: String,
        /// How much; less than nothing takes away.
        by: Template,
        /// It cannot be done when the number would fall below this.
        least: Option<i64>,
        /// Whether an item that is not there is made.
        create: bool,
    },
}

/// An effect that a route counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRule {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Template,
    /// Further values.
    pub fields: Vec<(String, Template)>,
    /// What must hold of the call.
    pub when: Vec<Condition>,
    /// Only when the state changed: an equal write is no effect.
    pub if_changed: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers in lower case.
    pub headers: Vec<(String, Template)>,
    /// Body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// Text.
    Text(Template),
    /// JSON.
    Json(Json),
}

/// JSON with values to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// As it stands: a number, a truth.
    Plain(serde_json::Value),
    /// Text; of one value alone it has that value's type.
    Text(Template),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of one text.
    pub fn said(key: &str, text: &str) -> Self {
        Self::Object(vec![(key.to_owned(), Self::Plain(text.into()))])
    }
}

impl Answer {
    /// JSON without headers.
    pub const fn json(status: u16, json: Json) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(json) }
    }
}

impl DeclaredDouble {
    /// Names of its routes.
    pub fn route_names(&self) -> Vec<&str> {
        self.routes.iter().map(|route| route.name.as_str()).collect()
    }

    /// Names of its effects, each once.
    pub fn effect_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.routes.iter().flat_map(|route| &route.effects).map(|effect| effect.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads a declared double from `text`; `path` names it in messages.
///
/// # Errors
/// Every mistake in the file, each with its place; only the first one when the file is not TOML.
pub fn parse(text: &str, path: &Path) -> Result<DeclaredDouble, ScenarioErrors> {
    let mut mistakes = Mistakes::default();
    let (document, syntax) = DeTable::parse_recoverable(text);
    if let Some(error) = syntax.first() {
        let span = error.span().unwrap_or(0..0);
        mistakes.add(&span, Kind::Syntax, format!("not TOML: {}", error.message().replace('\n', ", ")));
        return Err(mistakes.located(text, path));
    }
    match read::read(document.get_ref(), &mut mistakes) {
        Some(double) if mistakes.is_empty() => Ok(double),
        _ => Err(mistakes.located(text, path)),
    }
}

/// Reads a declared double from a file.
///
/// # Errors
/// As [`parse`], and one without a place when the file cannot be read.
pub fn load(path: &Path) -> Result<DeclaredDouble, ScenarioErrors> {
    let unreadable = |why: String| ScenarioErrors::whole_file(path, Kind::Unreadable, why);
    let length = std::fs::metadata(path).map_err(|error| unreadable(format!("cannot read the file: {error}")))?.len();
    if length > MAX_FILE_BYTES {
        return Err(unreadable(format!("the file has {length} bytes, more than {MAX_FILE_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(format!("cannot read the file: {error}")))?;
    parse(&text, path)
}

/// What a file may hold, as the readers ask for it.
pub(super) fn asked() -> Option<Table> {
    shape::ask(&mut |document| {
        let mut mistakes = Mistakes::default();
        // A file of one key is no double: what is asked is what counts.
        let _ = read::read(document, &mut mistakes);
        mistakes.asked()
    })
}
