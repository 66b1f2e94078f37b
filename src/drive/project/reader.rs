//! What the values of a project file mean: URLs, secrets, expressions, each error with its line.
//!
//! Must not know: the environment (secrets are looked up by the caller's function).

use super::{ProjectError, Surroundings, file::TargetTable};
use crate::{
    drive::{
        probe::Expression,
        signing::{SigningSecrets, made_up_secret},
        template::{self, PLACEHOLDERS},
    },
    redact::Redactor,
    time::parse_duration,
};
use std::{path::Path, time::Duration};
use toml::Spanned;

/// The name of a variable and of a file, of which one may be given.
type Places<'a> = (&'a Option<Spanned<String>>, &'a Option<Spanned<String>>);

pub(super) struct Reader<'a> {
    pub(super) path: String,
    pub(super) text: &'a str,
    /// Where the project file lies.
    pub(super) folder: &'a Path,
    pub(super) allow_hosts: Vec<String>,
    /// What a run fills in: `port`, `crm_url` and the like.
    pub(super) run: Vec<String>,
    pub(super) surroundings: &'a Surroundings<'a>,
}

impl Reader<'_> {
    pub(super) fn wrong<T>(&self, at: &Spanned<T>, what: String) -> ProjectError {
        let before = self.text.get(..at.span().start).unwrap_or_default();
        let what = Redactor::new(&[]).text(&what);
        ProjectError::Value { path: self.path.clone(), line: before.matches('\n').count() + 1, what }
    }

    /// A span of time, like 30s.
    pub(super) fn duration(&self, text: Option<&Spanned<String>>) -> Result<Option<Duration>, ProjectError> {
        let read = |text: &Spanned<String>| {
            parse_duration(text.get_ref()).map_err(|error| self.wrong(text, error.to_string()))
        };
        text.map(read).transpose()
    }

    /// Webhooks of all customers go to one place: there is nobody whose name could be filled in.
    pub(super) fn webhook(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        let port = self.run.iter().any(|name| name == "port");
        let text = if port { url.get_ref().replace("{port}", "") } else { url.get_ref().clone() };
        if text.contains(['{', '}']) {
            let what = match port {
                true => "`webhook` is one URL for everybody; only {port} is filled in",
                false => "`webhook` is one URL for everybody; write it without braces",
            };
            return Err(self.wrong(url, what.to_owned()));
        }
        self.url(url)
    }

    /// Only this machine, unless the host is named: a test tool must not reach what it was not pointed at.
    pub(super) fn url(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        let text = self.address(url)?;
        self.braces(url)?;
        Ok(text)
    }

    /// The same, whatever stands in braces.
    pub(super) fn address(&self, url: &Spanned<String>) -> Result<String, ProjectError> {
        let text = url.get_ref();
        // Braces are no URL characters; a stand-in keeps the check on scheme and host.
        let plain = text.replace("{port}", "1").replace(['{', '}'], "x");
        let parsed: http::Uri = plain.parse().map_err(|_| self.wrong(url, format!("`{text}` is not a URL")))?;
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
            if !PLACEHOLDERS.contains(&name) && !self.run.iter().any(|known| known == name) {
                return Err(self.unfilled(url, name, PLACEHOLDERS.as_slice()));
            }
            rest = behind;
        }
        Ok(())
    }

    /// A name in braces that stands for nothing.
    pub(super) fn unfilled<T>(&self, at: &Spanned<T>, name: &str, beside: &[&str]) -> ProjectError {
        let run = self.run.iter().map(String::as_str);
        let known: Vec<String> = beside.iter().copied().chain(run).map(|known| format!("{{{known}}}")).collect();
        let hint = match name {
            "crm_url" => "; it needs [mocks.crm]".to_owned(),
            "support_url" => "; it needs [mocks.support]".to_owned(),
            "stripe_api_url" => "; it needs [mocks.stripe]".to_owned(),
            "port" | "scratch" => "; it needs a `command`".to_owned(),
            "webhook_secret" => "; it may stand in `env` alone, since everybody can read a command line".to_owned(),
            _ if known.is_empty() => String::new(),
            _ => format!("; there are {}", known.join(", ")),
        };
        self.wrong(at, format!("`{{{name}}}` cannot be filled in{hint}"))
    }

    /// A text that is no URL: only a word in braces is one to be filled in.
    pub(super) fn fillable<T>(&self, at: &Spanned<T>, text: &str, beside: &[&str]) -> Result<(), ProjectError> {
        let unknown = |name: &&str| !beside.contains(name) && !self.run.iter().any(|known| known == name);
        match template::names(text).into_iter().find(unknown) {
            Some(name) => Err(self.unfilled(at, name, beside)),
            None => Ok(()),
        }
    }

    /// The endpoint's own secret; that of a second endpoint of the same app and the one that was rolled away, where they are
    /// named: nobody can guess whether the app knows those. An app that is started for the run gets made-up ones where the
    /// environment has none.
    pub(super) fn secrets(&self, table: &TargetTable, started: bool) -> Result<SigningSecrets, ProjectError> {
        let seed = self.surroundings.seed;
        let made_up = |what: &str| started.then(|| made_up_secret(seed, what));
        let read = |key, places, made_up| self.secret(&table.webhook, (key, places), made_up);
        let Some(own) = read("secret", (&table.secret_env, &table.secret_file), made_up("webhook"))? else {
            let what = "say where the signing secret is: either `secret_env` (a variable's name) or `secret_file`";
            return Err(self.wrong(&table.webhook, what.to_owned()));
        };
        let second = (&table.second_secret_env, &table.second_secret_file);
        let second = read("second_secret", second, made_up("webhook of a second endpoint"))?;
        let old = read("old_secret", (&table.old_secret_env, &table.old_secret_file), made_up("rolled away"))?;
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
    fn secret(
        &self,
        webhook: &Spanned<String>,
        (key, (env, file)): (&str, Places<'_>),
        made_up: Option<String>,
    ) -> Result<Option<String>, ProjectError> {
        let secret = match (env, file) {
            (None, None) => return Ok(None),
            (Some(name), None) => (self.surroundings.variable)(name.get_ref()).or(made_up).ok_or_else(|| {
                self.wrong(
                    name,
                    format!(
                        "`{key}_env` is the name of a variable, and the environment has no {}; set it to the endpoint's whsec_… secret",
                        name.get_ref()
                    ),
                )
            })?,
            (None, Some(file)) => std::fs::read_to_string(self.folder.join(file.get_ref()))
                .map_err(|error| self.wrong(file, format!("cannot read {}: {error}", file.get_ref())))?,
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
}
