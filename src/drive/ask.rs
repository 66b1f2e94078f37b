//! What an app, its database or a command of the user's is asked or told: probes, seeds, resets. One answer is one JSON value.
//!
//! Must not know: what an answer should be.

mod command;
pub mod sql;

use super::{
    http::Sender,
    template::{Given, fill_plain, fill_url},
};
use crate::{history::record::Outcome, plan::model::Instance};
use bytes::Bytes;
use serde_json::Value;
use sql::{Database, Sql, Sqls};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Probes, queue readings and visits answer at once or count as failed.
pub(super) const SIDE_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked, with braces.
#[derive(Clone, Debug)]
pub enum Question {
    /// A request.
    Http {
        /// `GET`, `POST`, …
        method: String,
        /// Where.
        url: String,
        /// Headers besides those that it has anyway.
        headers: Headers,
        /// Its body.
        json: Option<Value>,
    },
    /// A statement.
    Sql {
        /// With named parameters.
        sql: Sql,
        /// Where.
        database: Database,
    },
    /// A command.
    Command {
        /// Program and arguments.
        arguments: Vec<String>,
        /// Where it is started.
        cwd: PathBuf,
        /// Variables beside those of this process.
        environment: Vec<(String, String)>,
        /// Variables of this process that it does not get.
        without: Vec<String>,
    },
}

/// Headers of a request. What they hold lets somebody in, so it is never shown.
#[derive(Clone, Default)]
pub struct Headers(pub(super) Vec<(http::HeaderName, String)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The database is not there: nothing can be said of the app.
    #[error("{0}")]
    Gone(String),
    /// The customer lacks what the question names.
    #[error("{0}")]
    Lacking(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// The app does not know whom it was asked about.
    Unknown,
    /// What it says: the text as it came, and as JSON.
    Known {
        /// As it came.
        text: String,
        /// What it means.
        value: Value,
    },
}

/// Asks; connections to databases are kept.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    sender: Sender,
    sqls: Arc<Sqls>,
}

impl Asker {
    /// One that sends with `sender`.
    pub fn new(sender: Sender) -> Self {
        Self { sender, sqls: Arc::default() }
    }

    /// Reads something about a customer; nothing is changed.
    ///
    /// # Errors
    /// [`AskError`] in words.
    pub async fn read(
        &self,
        question: &Question,
        given: &Given,
        instance: Option<&Instance>,
    ) -> Result<Answered, AskError> {
        match question {
            Question::Http { .. } => self.read_http(question, given, instance).await,
            Question::Sql { sql, database } => {
                let row = self.sqls.read(database, given, sql.values(given, instance)?, sql).await?;
                Ok(row.map_or(Answered::Unknown, |value| Answered::Known { text: value.to_string(), value }))
            }
            Question::Command { .. } => {
                let said = command::run(question, given, instance).await?;
                let Some(text) = said else { return Ok(Answered::Unknown) };
                match serde_json::from_str(&text) {
                    Ok(Value::Null) => Ok(Answered::Unknown),
                    Ok(value) => Ok(Answered::Known { text, value }),
                    Err(error) => Err(AskError::Failed(format!("what the command printed is no JSON: {error}"))),
                }
            }
        }
    }

    async fn read_http(
        &self,
        question: &Question,
        given: &Given,
        instance: Option<&Instance>,
    ) -> Result<Answered, AskError> {
        let answer = self.http(question, given, instance).await?;
        if answer.status == Some(404) {
            return Ok(Answered::Unknown);
        }
        if answer.outcome != Outcome::Acked {
            let status = answer.status.map(|s| format!("answered {s}"));
            return Err(AskError::Failed(answer.reason.or(status).unwrap_or_default()));
        }
        match serde_json::from_str(&answer.text) {
            Ok(value) => Ok(Answered::Known { text: answer.text, value }),
            Err(error) => Err(AskError::Failed(format!("the answer is no JSON: {error}"))),
        }
    }

    /// Has something done: a user made, tables emptied.
    ///
    /// # Errors
    /// [`AskError`] in words.
    pub async fn tell(&self, question: &Question, given: &Given, instance: Option<&Instance>) -> Result<(), AskError> {
        match question {
            Question::Http { .. } => {
                let answer = self.http(question, given, instance).await?;
                match answer.status {
                    // Whatever it was to make is there from an earlier run of the same seed.
                    Some(409) => Ok(()),
                    Some(status) if crate::stripe::retry::is_success(status) => Ok(()),
                    Some(status) => {
                        let text = answer.text.lines().next().unwrap_or_default();
                        Err(AskError::Failed(format!("answered {status}: {text}")))
                    }
                    None => Err(AskError::Failed(answer.reason.unwrap_or_default())),
                }
            }
            Question::Sql { sql, database } => {
                self.sqls.write(database, given, sql.values(given, instance)?, sql).await
            }
            Question::Command { .. } => command::run(question, given, instance).await.map(drop),
        }
    }

    /// Whether the database of a question is there; nothing where none is asked.
    ///
    /// # Errors
    /// [`AskError::Gone`] in words.
    pub async fn reach(&self, question: &Question, given: &Given) -> Result<(), AskError> {
        match question {
            Question::Sql { database, .. } => self.sqls.reach(database, given).await,
            Question::Http { .. } | Question::Command { .. } => Ok(()),
        }
    }

    async fn http(
        &self,
        question: &Question,
        given: &Given,
        instance: Option<&Instance>,
    ) -> Result<super::http::Answer, AskError> {
        let Question::Http { method, url, headers: own, json } = question else {
            return Err(AskError::Failed("no request".to_owned()));
        };
        let url = fill_url(url, given, instance).map_err(AskError::Lacking)?;
        let mut headers = vec![("accept", "application/json".to_owned())];
        headers.extend(own.0.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let mut body = Bytes::new();
        if let Some(json) = json {
            let filled = filled(json, given, instance).map_err(AskError::Lacking)?;
            headers.push(("content-type", "application/json".to_owned()));
            body = Bytes::from(filled.to_string());
        }
        let sent = self.sender.send(method, &url, &headers, body, SIDE_REQUEST_TIMEOUT).await;
        sent.map_err(|error| AskError::Failed(error.to_string()))
    }
}

impl Question {
    /// What it does with its braces filled in, to tell whether it was done already.
    pub(super) fn identity(&self, given: &Given, instance: Option<&Instance>) -> Result<String, AskError> {
        let fill = |text: &str| fill_plain(text, given, instance).map_err(AskError::Lacking);
        Ok(match self {
            Self::Http { method, url, json, .. } => {
                let json = json.as_ref().map(|json| filled(json, given, instance)).transpose();
                format!("{method} {} {:?}", fill(url)?, json.map_err(AskError::Lacking)?)
            }
            Self::Sql { sql, database } => {
                format!("{} {:?} {}", database.words(), sql.values(given, instance)?, sql.text())
            }
            Self::Command { arguments, .. } => {
                format!("{:?}", arguments.iter().map(|a| fill(a)).collect::<Result<Vec<_>, _>>()?)
            }
        })
    }

    /// In a few words, for messages.
    pub fn words(&self) -> String {
        match self {
            Self::Http { method, url, .. } => format!("{method} {url}"),
            Self::Sql { sql, .. } => {
                let text = sql.text();
                let short = text.floor_char_boundary(60);
                format!("`{}{}`", &text[..short], if short < text.len() { "…" } else { "" })
            }
            Self::Command { arguments, .. } => format!("`{}`", arguments.join(" ")),
        }
    }
}

/// JSON with the braces of its texts filled in.
fn filled(json: &Value, given: &Given, instance: Option<&Instance>) -> Result<Value, String> {
    Ok(match json {
        Value::String(text) => Value::String(fill_plain(text, given, instance)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| filled(item, given, instance)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), filled(value, given, instance)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    })
}
