//! What the values of a project file mean: URLs, secrets, expressions, each error with its line.
//!
//! Must not know: the environment (secrets are looked up by the caller's function).

use super::{
    ProjectError,
    file::{CustomerProbe, TargetTable},
};
use crate::{
    drive::{
        probe::{Expression, ProbeSpec},
        signing::SigningSecrets,
        template::PLACEHOLDERS,
    },
    redact::Redactor,
};
use std::{collections::BTreeMap, path::Path};
use toml::Spanned;

/// The name of a variable and of a file, of which one may be given.
type Places<'a> = (&'a Option<Spanned<String>>, &'a Option<Spanned<String>>);

pub(super) struct Reader<'a> {
    pub(super) path: String,
    pub(super) text: &'a str,
    pub(super) allow_hosts: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn wrong<T>(&self, at: &Spanned<T>, what: String) -> ProjectError {
        let before = self.text.get(..at.span().start).unwrap_or_default();
        let what = Redactor::new(&[]).text(&what);
        ProjectError::Value { path: self.path.clone(), line: before.matches('\n').count() + 1, what }
    }

    /// Webhooks of all customers go to one place: there is nobody whose name could be filled in.
    pub(super) fn webhook(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        if url.get_ref().contains(['{', '}']) {
            return Err(self.wrong(url, "`webhook` is one URL for everybody; write it without braces".to_owned()));
        }
        self.url(url)
    }

    /// Only this machine, unless the host is named: a test tool must not reach what it was not pointed at.
    pub(super) fn url(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        let text = url.get_ref();
        // Braces are no URL characters; a stand-in keeps the check on scheme and host.
        let plain = text.replace(['{', '}'], "x");
        let parsed: http::Uri = plain.parse().map_err(|_| self.wrong(url, format!("`{text}` is not a URL")))?;
        self.braces(url)?;
        // The library keeps a port that is none to itself; `host:99999` would quietly become port 80.
        let authority = parsed.authority().map_or("", |a| a.as_str());
        let after_host = authority.rsplit(['@', ']']).next().unwrap_or_default();
        if after_host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(self.wrong(url, format!("`{text}` has a port that is none; ports go from 1 to 65535")));
        }
        if authority.contains('@') {
            let what = "a user name or password in a URL would stand in every report; leave it out";
            return Err(self.wrong(url, what.to_owned()));
        }
        let host = parsed.host().unwrap_or_default();
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || host.is_empty() {
            return Err(self.wrong(url, format!("`{text}` is not an http or https URL; write the whole of it")));
        }
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !loopback && !self.allow_hosts.iter().any(|allowed| allowed == host) {
            let what = format!(
                "`{host}` is not this machine; if it may be tested, write `allow_hosts = [\"{host}\"]` under [target]"
            );
            return Err(self.wrong(url, what));
        }
        Ok(text.clone())
    }

    /// Every brace names something that can be filled in.
    pub(super) fn braces(&self, url: &Spanned<String>) -> Result<(), ProjectError> {
        let mut rest = url.get_ref().as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            if !PLACEHOLDERS.contains(&name) {
                let known = PLACEHOLDERS.map(|p| format!("{{{p}}}")).join(", ");
                return Err(self.wrong(url, format!("`{{{name}}}` cannot be filled in; there are {known}")));
            }
            rest = behind;
        }
        Ok(())
    }

    /// The endpoint's own secret; that of a second endpoint of the same app and the one that was rolled away, where they are
    /// named: nobody can guess whether the app knows those.
    pub(super) fn secrets(
        &self,
        table: &TargetTable,
        path: &Path,
        seed: u64,
        secret_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<SigningSecrets, ProjectError> {
        let read = |key, places| self.secret(&table.webhook, (key, places), path, secret_of);
        let Some(own) = read("secret", (&table.secret_env, &table.secret_file))? else {
            let what = "say where the signing secret is: either `secret_env` (a variable's name) or `secret_file`";
            return Err(self.wrong(&table.webhook, what.to_owned()));
        };
        let second = read("second_secret", (&table.second_secret_env, &table.second_secret_file))?;
        let old = read("old_secret", (&table.old_secret_env, &table.old_secret_file))?;
        if [&second, &old].into_iter().flatten().any(|other| *other == own) {
            let what = "the second or the old secret is the endpoint's own; give the other one, or leave it out";
            return Err(self.wrong(&table.webhook, what.to_owned()));
        }
        let mut secrets = SigningSecrets::new(own, seed);
        if let Some(second) = second {
            secrets = secrets.with_second(second);
        }
        if let Some(old) = old {
            secrets = secrets.with_old(old);
        }
        Ok(secrets)
    }

    /// One secret from a variable or a file; none when neither is named.
    pub(super) fn secret(
        &self,
        webhook: &Spanned<String>,
        (key, (env, file)): (&str, Places<'_>),
        path: &Path,
        secret_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, ProjectError> {
        let secret = match (env, file) {
            (None, None) => return Ok(None),
            (Some(name), None) => secret_of(name.get_ref()).ok_or_else(|| {
                self.wrong(
                    name,
                    format!(
                        "`{key}_env` is the name of a variable, and the environment has no {}; set it to the endpoint's whsec_… secret",
                        name.get_ref()
                    ),
                )
            })?,
            (None, Some(file)) => {
                let beside = path.parent().unwrap_or(Path::new(".")).join(file.get_ref());
                std::fs::read_to_string(&beside)
                    .map_err(|error| self.wrong(file, format!("cannot read {}: {error}", file.get_ref())))?
            }
            (Some(name), Some(_)) => {
                let what = format!("say where the secret is: either `{key}_env` (a variable's name) or `{key}_file`");
                return Err(self.wrong(name, what));
            }
        };
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            return Err(
                self.wrong(webhook, format!("the signing secret of `{key}` is empty").replace(" of `secret`", ""))
            );
        }
        Ok(Some(secret))
    }

    pub(super) fn expression(&self, text: &Spanned<String>) -> Result<Expression, ProjectError> {
        Expression::parse(text.get_ref()).map_err(|error| self.wrong(text, error.to_string()))
    }

    pub(super) fn probe(&self, table: &CustomerProbe) -> Result<ProbeSpec, ProjectError> {
        let optional = |text: &Option<Spanned<String>>| text.as_ref().map(|t| self.expression(t)).transpose();
        let mut values = BTreeMap::new();
        for (name, text) in &table.values {
            values.insert(name.clone(), self.expression(text)?);
        }
        Ok(ProbeSpec {
            http: self.url(&table.http)?,
            access: self.expression(&table.access)?,
            status: optional(&table.status)?,
            plan: optional(&table.plan)?,
            values,
        })
    }
}
