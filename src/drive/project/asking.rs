//! Probes, seeds and resets of a project file: a request, a statement or a command each.
//!
//! Must not know: how anything is asked.

use super::{
    ProjectError,
    file::{AskTable, CustomerProbe, EventProbe, TargetTable},
    reader::Reader,
};
use crate::{
    database,
    drive::{
        ask::{
            Headers, Question,
            sql::{Database, Sql},
        },
        probe::ProbeSpec,
        template::PLACEHOLDERS,
    },
};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use std::{collections::BTreeMap, path::PathBuf};
use toml::Spanned;

/// Methods of requests that tell an app something.
const METHODS: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];
/// Variable with a file of certificates to trust when connecting to PostgreSQL; its own tools know it too.
const ROOT_CERTIFICATES: &str = "PGSSLROOTCERT";

/// Headers that requests have anyway.
const TAKEN: [http::HeaderName; 4] = [ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST];

/// What is shorter would be cut out of words that it happens to stand in.
const SHORTEST: usize = 6;

/// The three ways to ask, as they are typed.
struct Ways<'t> {
    http: Option<&'t Spanned<String>>,
    headers_env: &'t BTreeMap<String, Spanned<String>>,
    sql: Option<&'t Spanned<String>>,
    database: Option<&'t Spanned<String>>,
    database_env: Option<&'t Spanned<String>>,
    command: Option<&'t Spanned<Vec<String>>>,
}

/// Those of a table: each kind has the same keys with words of its own.
macro_rules! ways {
    ($table:expr) => {
        Ways {
            http: $table.http.as_ref(),
            headers_env: &$table.headers_env,
            sql: $table.sql.as_ref(),
            database: $table.database.as_ref(),
            database_env: $table.database_env.as_ref(),
            command: $table.command.as_ref(),
        }
    };
}

impl Reader<'_> {
    pub(super) fn probe(
        &self,
        table: &CustomerProbe,
        target: &TargetTable,
        secrets: &mut Vec<String>,
    ) -> Result<ProbeSpec, ProjectError> {
        let optional = |text: &Option<Spanned<String>>| text.as_ref().map(|t| self.expression(t)).transpose();
        let mut values = BTreeMap::new();
        for (name, text) in &table.values {
            values.insert(name.clone(), self.expression(text)?);
        }
        let ways = ways!(table);
        let ask = match self.question(&ways, target, PLACEHOLDERS.as_slice(), secrets)? {
            Some(question) => question,
            None => {
                let what = "say how a customer's state is read: one of `http`, `sql` and `command`";
                return Err(self.wrong(&table.access, what.to_owned()));
            }
        };
        let access = self.expression(&table.access)?;
        Ok(ProbeSpec { ask, access, status: optional(&table.status)?, plan: optional(&table.plan)?, values })
    }

    /// How it is read whether the app has stored an event.
    pub(super) fn event_probe(
        &self,
        table: &EventProbe,
        target: &TargetTable,
        secrets: &mut Vec<String>,
    ) -> Result<Question, ProjectError> {
        let ways = ways!(table);
        self.question(&ways, target, &["event"], secrets)?.ok_or_else(|| {
            let what = "[probe.event] needs one of `http`, `sql` and `command`";
            self.wrong(&target.webhook, what.to_owned())
        })
    }

    /// Seeds or resets. `beside` are the names that each customer brings.
    pub(super) fn told(
        &self,
        tables: &[AskTable],
        target: &TargetTable,
        beside: &[&str],
        secrets: &mut Vec<String>,
    ) -> Result<Vec<Question>, ProjectError> {
        tables.iter().map(|table| self.one_told(table, target, beside, secrets)).collect()
    }

    fn one_told(
        &self,
        table: &AskTable,
        target: &TargetTable,
        beside: &[&str],
        secrets: &mut Vec<String>,
    ) -> Result<Question, ProjectError> {
        let ways = ways!(table);
        let only_http = |key: &str| format!("`{key}` belongs to `http`");
        match self.question(&ways, target, beside, secrets)? {
            Some(Question::Http { url, headers, .. }) => {
                let method = table.method.as_ref().map_or("POST", |method| method.get_ref());
                if let Some(at) = table.method.as_ref().filter(|_| !METHODS.contains(&method)) {
                    return Err(self.wrong(at, format!("`{method}` is none of {}", METHODS.join(", "))));
                }
                if let Some(json) = &table.json {
                    self.fillable(json, &serde_json::Value::Object(json.get_ref().clone()).to_string(), beside)?;
                }
                let json = table.json.as_ref().map(|json| serde_json::Value::Object(json.get_ref().clone()));
                Ok(Question::Http { method: method.to_owned(), url, headers, json })
            }
            Some(question) => match (&table.method, &table.json) {
                (Some(at), _) => Err(self.wrong(at, only_http("method"))),
                (None, Some(at)) => Err(self.wrong(at, only_http("json"))),
                (None, None) => Ok(question),
            },
            None => {
                let what = "a `[[seed]]` or `[[reset]]` needs one of `http`, `sql` and `command`".to_owned();
                let at = table.database.as_ref().or(table.database_env.as_ref()).or(table.method.as_ref());
                Err(self.wrong(at.unwrap_or(&target.webhook), what))
            }
        }
    }

    fn question(
        &self,
        ways: &Ways<'_>,
        target: &TargetTable,
        beside: &[&str],
        secrets: &mut Vec<String>,
    ) -> Result<Option<Question>, ProjectError> {
        let several = || "give only one of `http`, `sql` and `command`".to_owned();
        let no_sql = || "`database` and `database_env` belong to `sql`".to_owned();
        if let (None, Some(at)) = (ways.sql, ways.database.or(ways.database_env)) {
            return Err(self.wrong(at, no_sql()));
        }
        if let (None, Some(at)) = (ways.http, ways.headers_env.values().next()) {
            return Err(self.wrong(at, "`headers_env` belongs to `http`".to_owned()));
        }
        match (ways.http, ways.sql, ways.command) {
            (None, None, None) => Ok(None),
            (Some(url), None, None) => {
                self.fillable(url, url.get_ref(), beside)?;
                let headers = self.headers(ways.headers_env, target, secrets)?;
                Ok(Some(Question::Http { method: "GET".to_owned(), url: self.address(url)?, headers, json: None }))
            }
            (None, Some(sql), None) => {
                let database = self.database(sql, ways, target, secrets)?;
                let parsed = Sql::parse(sql.get_ref(), beside).map_err(|what| self.wrong(sql, what))?;
                Ok(Some(Question::Sql { sql: parsed, database }))
            }
            (None, None, Some(command)) => Ok(Some(Question::Command {
                arguments: self.words("command", command, beside)?,
                cwd: self.cwd(target.cwd.as_ref(), None)?,
                environment: self.env([&target.env])?.into_iter().collect(),
                without: self.surroundings.own.clone(),
            })),
            (Some(at), ..) | (None, Some(at), Some(_)) => Err(self.wrong(at, several())),
        }
    }

    /// Headers with their values, each of which is kept as a secret.
    fn headers(
        &self,
        named: &BTreeMap<String, Spanned<String>>,
        target: &TargetTable,
        secrets: &mut Vec<String>,
    ) -> Result<Headers, ProjectError> {
        let mut headers = Vec::new();
        for (header, variable) in named {
            let name = http::HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| self.wrong(variable, format!("`{header}` is no name of a header")))?;
            if TAKEN.contains(&name) {
                return Err(
                    self.wrong(variable, format!("the header `{header}` is written by hookdrill; leave it out"))
                );
            }
            let what = "the name of a variable that holds the whole value, like `Bearer …`";
            let value = self.variable(variable, "headers_env", target, what)?;
            if value.trim().is_empty() || http::HeaderValue::from_str(&value).is_err() {
                let what = format!("what the variable {} holds is no value of a header", variable.get_ref());
                return Err(self.wrong(variable, what));
            }
            secrets.extend(spelt(&value));
            headers.push((name, value));
        }
        Ok(Headers(headers))
    }

    /// The value of a variable that the file names: of `env`, else of the environment.
    fn variable(
        &self,
        name: &Spanned<String>,
        key: &str,
        target: &TargetTable,
        is: &str,
    ) -> Result<String, ProjectError> {
        let table = target.env.get(name.get_ref()).map(|value| value.get_ref().clone());
        table.or_else(|| (self.surroundings.variable)(name.get_ref())).ok_or_else(|| {
            let what = format!("`{key}` is {is}; neither the environment nor `env` has {}", name.get_ref());
            self.wrong(name, what)
        })
    }

    fn database(
        &self,
        sql: &Spanned<String>,
        ways: &Ways<'_>,
        target: &TargetTable,
        secrets: &mut Vec<String>,
    ) -> Result<Database, ProjectError> {
        match (ways.database, ways.database_env) {
            (Some(at), None) => {
                let url = at.get_ref();
                if !database::passwords(url).is_empty() {
                    let what = "a password in the project file would be in every copy of it; put the URL into a variable and name that: `database_env`";
                    return Err(self.wrong(at, what.to_owned()));
                }
                self.database_at(at, url)
            }
            (None, Some(name)) => {
                let what = "the name of a variable that holds sqlite:<path> or postgres://…";
                let url = self.variable(name, "database_env", target, what)?;
                secrets.extend(database::passwords(&url));
                if url.starts_with("postgres") {
                    secrets.push(url.clone());
                }
                self.database_at(name, &url)
            }
            (None, None) | (Some(_), Some(_)) => {
                let what =
                    "say where `sql` goes: either `database` (sqlite:<path>) or `database_env` (a variable with a URL)";
                Err(self.wrong(sql, what.to_owned()))
            }
        }
    }

    fn database_at(&self, at: &Spanned<String>, url: &str) -> Result<Database, ProjectError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let config = database::config(url).map_err(|what| self.wrong(at, what))?;
            for host in database::far_hosts(&config) {
                if !self.allow_hosts.contains(&host) {
                    let what = format!(
                        "the database is on `{host}`, not on this machine; if it may be asked, write `allow_hosts = [\"{host}\"]` under [target]"
                    );
                    return Err(self.wrong(at, what));
                }
            }
            let root_certificates = (self.surroundings.variable)(ROOT_CERTIFICATES).map(PathBuf::from);
            return Ok(Database::Postgres { url: url.to_owned(), root_certificates });
        }
        let path = url.strip_prefix("sqlite:").or_else(|| url.strip_prefix("file:"));
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            let what = "a database is sqlite:<path> or postgres://user@host/database";
            return Err(self.wrong(at, what.to_owned()));
        };
        self.fillable(at, path, &[])?;
        let path = path.strip_prefix("//").unwrap_or(path).split('?').next().unwrap_or_default();
        // Paths go from the project file.
        let path = match path.starts_with("{scratch}") {
            true => path.to_owned(),
            false => self.cwd(None, None)?.join(path).display().to_string(),
        };
        Ok(Database::Sqlite(path))
    }
}

/// A header's value and, where it begins with a scheme (`Bearer …`), what stands behind it: a secret in either spelling.
fn spelt(value: &str) -> impl Iterator<Item = String> {
    let behind = value.split_once(' ').map(|(_, token)| token.trim()).filter(|token| token.len() >= SHORTEST);
    std::iter::once(value).chain(behind).map(str::to_owned)
}
