//! The processes of an app that hookdrill starts: `command`, or `[[target.process]]`.
//!
//! Must not know: how a process is started, the doubles' addresses.

use super::{
    ProjectError,
    file::{ProcessTable, TargetTable},
    reader::Reader,
};
use crate::{
    drive::{
        process::{AppCommand, Output, Ready, Start, StartError, ports},
        template::{self, Given},
    },
    redact::Redactor,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::Spanned;

/// An app that is started for each scenario.
#[derive(Clone, Debug)]
pub struct App {
    /// In the order of their start.
    pub processes: Vec<ProcessSpec>,
    /// Index of the one that takes the webhooks.
    pub web: usize,
    /// Host and port of `webhook`; no port when it has one of the run.
    webhook: (String, Option<u16>),
    /// Variables that carry the signing secrets to it.
    own_secret: Option<String>,
    second_secret: Option<String>,
    /// Variables of hookdrill's that it does not get.
    pub without: Vec<String>,
}

/// A process, with braces.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// What it is called.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it is started.
    pub cwd: PathBuf,
    /// Variables besides those that it inherits.
    pub env: BTreeMap<String, String>,
    ready: Option<String>,
    ready_within: Duration,
    kill_command: Option<Vec<String>>,
    restart: bool,
    copies: u32,
    /// Whether `{port}` stands in any of it.
    has_port: bool,
}

/// Starting may mean compiling.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// More replicas than this show nothing that fewer do not.
const MOST_COPIES: u32 = 16;
/// What may stand in `env` beside what a run has made.
const IN_ENV: [&str; 1] = ["webhook_secret"];

impl Reader<'_> {
    /// The app, when there is a command for it.
    pub(super) fn app(&self, table: &TargetTable) -> Result<Option<App>, ProjectError> {
        let processes = match (&table.command, table.process.as_slice()) {
            (None, []) => return self.no_app(table).map(|()| None),
            (Some(command), []) => vec![self.alone(table, command)?],
            (None, many) => many.iter().map(|process| self.process(table, process)).collect::<Result<_, _>>()?,
            (Some(command), _) => {
                let what = "`command` is one process, `[[target.process]]` are several; give one of the two";
                return Err(self.wrong(command, what.to_owned()));
            }
        };
        self.names(&table.process)?;
        let (host, port) = host_and_port(table.webhook.get_ref());
        let web = match port {
            None => processes.iter().position(|process: &ProcessSpec| process.has_port).ok_or_else(|| {
                let what = "`{port}` stands in `webhook`, and no process is told it; hand it over, as in env = { PORT = \"{port}\" }";
                self.wrong(&table.webhook, what.to_owned())
            })?,
            Some(_) => processes.iter().position(|process| process.has_port).unwrap_or(0),
        };
        self.copies(table, &processes, web, port)?;
        let variable = |name: &Option<Spanned<String>>| name.as_ref().map(|name| name.get_ref().clone());
        let old = variable(&table.old_secret_env);
        Ok(Some(App {
            processes,
            web,
            webhook: (host, port),
            own_secret: variable(&table.secret_env),
            second_secret: variable(&table.second_secret_env),
            // The app must not know the secret that was rolled away.
            without: self.surroundings.own.iter().cloned().chain(old).collect(),
        }))
    }

    /// Keys that only make sense for an app that is started.
    fn no_app(&self, table: &TargetTable) -> Result<(), ProjectError> {
        let without = |key: &str| format!("`{key}` is for an app that hookdrill starts; add `command`");
        if let Some(at) = &table.ready {
            return Err(self.wrong(at, without("ready")));
        }
        if let Some(at) = &table.ready_within {
            return Err(self.wrong(at, without("ready_within")));
        }
        if let Some(at) = &table.kill_command {
            return Err(self.wrong(at, without("kill_command")));
        }
        if let Some(at) = &table.restart {
            return Err(self.wrong(at, without("restart")));
        }
        Ok(())
    }

    fn alone(&self, table: &TargetTable, command: &Spanned<Vec<String>>) -> Result<ProcessSpec, ProjectError> {
        let env = self.env([&table.env])?;
        let spec = ProcessSpec {
            name: "app".to_owned(),
            command: self.words("command", command, &[])?,
            cwd: self.cwd(table.cwd.as_ref(), None)?,
            env,
            ready: self.ready(table.ready.as_ref())?,
            ready_within: self.within(table.ready_within.as_ref(), None)?,
            kill_command: table.kill_command.as_ref().map(|c| self.words("kill_command", c, &[])).transpose()?,
            restart: table.restart.as_ref().is_none_or(|restart| *restart.get_ref()),
            copies: 1,
            has_port: false,
        };
        Ok(with_port(spec))
    }

    fn process(&self, table: &TargetTable, process: &ProcessTable) -> Result<ProcessSpec, ProjectError> {
        if let Some(ready) = &table.ready {
            let what = "say `ready` for each `[[target.process]]` by itself";
            return Err(self.wrong(ready, what.to_owned()));
        }
        let kill_command = process.kill_command.as_ref().or(table.kill_command.as_ref());
        let copies = process.copies.as_ref().map_or(1, |copies| *copies.get_ref());
        let spec = ProcessSpec {
            name: process.name.get_ref().clone(),
            command: self.words("command", &process.command, &[])?,
            cwd: self.cwd(process.cwd.as_ref(), table.cwd.as_ref())?,
            env: self.env([&table.env, &process.env])?,
            ready: self.ready(process.ready.as_ref())?,
            ready_within: self.within(process.ready_within.as_ref(), table.ready_within.as_ref())?,
            kill_command: kill_command.map(|c| self.words("kill_command", c, &[])).transpose()?,
            restart: table.restart.as_ref().is_none_or(|restart| *restart.get_ref()),
            copies,
            has_port: false,
        };
        Ok(with_port(spec))
    }

    /// An argument list whose braces can be filled in.
    pub(super) fn words(
        &self,
        key: &str,
        words: &Spanned<Vec<String>>,
        beside: &[&str],
    ) -> Result<Vec<String>, ProjectError> {
        if words.get_ref().first().is_none_or(|program| program.trim().is_empty()) {
            let what = format!("`{key}` is empty; write a program and its arguments, as [\"node\", \"server.mjs\"]");
            return Err(self.wrong(words, what));
        }
        if let [alone] = words.get_ref().as_slice()
            && alone.contains(' ')
            && !self.folder.join(alone).exists()
        {
            let list: Vec<String> = alone.split_whitespace().map(|word| format!("\"{word}\"")).collect();
            let what = format!("no shell reads `{key}`; write a list of words, as [{}]", list.join(", "));
            return Err(self.wrong(words, what));
        }
        for word in words.get_ref() {
            self.fillable(words, word, beside)?;
        }
        Ok(words.get_ref().clone())
    }

    pub(super) fn env<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t BTreeMap<String, Spanned<String>>>,
    ) -> Result<BTreeMap<String, String>, ProjectError> {
        let mut env = BTreeMap::new();
        for (name, value) in tables.into_iter().flatten() {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(self.wrong(value, format!("`{name}` is no name of a variable")));
            }
            self.fillable(value, value.get_ref(), &IN_ENV)?;
            env.insert(name.clone(), value.get_ref().clone());
        }
        Ok(env)
    }

    pub(super) fn cwd(
        &self,
        own: Option<&Spanned<String>>,
        shared: Option<&Spanned<String>>,
    ) -> Result<PathBuf, ProjectError> {
        let folder = match own.or(shared) {
            Some(cwd) => {
                let folder = self.folder.join(cwd.get_ref());
                if !folder.is_dir() {
                    return Err(self.wrong(cwd, format!("there is no folder {}", folder.display())));
                }
                folder
            }
            None => self.folder.to_owned(),
        };
        // A relative one would be looked up again from wherever a process is.
        let whole = if folder.as_os_str().is_empty() { Path::new(".").to_owned() } else { folder };
        Ok(std::path::absolute(&whole).unwrap_or(whole))
    }

    fn ready(&self, url: Option<&Spanned<String>>) -> Result<Option<String>, ProjectError> {
        let Some(url) = url else { return Ok(None) };
        self.fillable(url, url.get_ref(), &[])?;
        self.url(url).map(Some)
    }

    fn within(
        &self,
        own: Option<&Spanned<String>>,
        shared: Option<&Spanned<String>>,
    ) -> Result<Duration, ProjectError> {
        Ok(self.duration(own.or(shared))?.unwrap_or(READY_WITHIN))
    }

    fn names(&self, processes: &[ProcessTable]) -> Result<(), ProjectError> {
        let mut seen = BTreeSet::new();
        for process in processes {
            let name = process.name.get_ref();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
                let what = format!("`{name}` is no name of a process: up to 40 of a-z, 0-9, - and _");
                return Err(self.wrong(&process.name, what));
            }
            if !seen.insert(name) {
                return Err(self.wrong(&process.name, format!("there is a process `{name}` already")));
            }
        }
        Ok(())
    }

    fn copies(
        &self,
        table: &TargetTable,
        specs: &[ProcessSpec],
        web: usize,
        port: Option<u16>,
    ) -> Result<(), ProjectError> {
        for (index, (process, spec)) in table.process.iter().zip(specs).enumerate() {
            let Some(copies) = &process.copies else { continue };
            if spec.copies == 0 || spec.copies > MOST_COPIES {
                return Err(self.wrong(copies, format!("`copies` goes from 1 to {MOST_COPIES}")));
            }
            if spec.copies > 1 && index == web && port.is_some() {
                let what = "several copies cannot share the port of `webhook`; write {port} there, and hand it over, as in env = { PORT = \"{port}\" }";
                return Err(self.wrong(copies, what.to_owned()));
            }
        }
        Ok(())
    }
}

fn with_port(spec: ProcessSpec) -> ProcessSpec {
    let texts = spec.command.iter().chain(spec.env.values()).chain(&spec.ready);
    let has_port = texts.clone().any(|text| template::names(text).contains(&"port"));
    ProcessSpec { has_port, ..spec }
}

/// Host and port of a URL; no port where `{port}` stands.
fn host_and_port(url: &str) -> (String, Option<u16>) {
    let of_run = url.contains("{port}");
    let parsed: Option<http::Uri> = url.replace("{port}", "1").parse().ok();
    let host = parsed.as_ref().and_then(|uri| uri.host()).unwrap_or("127.0.0.1").trim_matches(['[', ']']).to_owned();
    let secure = parsed.as_ref().is_some_and(|uri| uri.scheme_str() == Some("https"));
    let port = parsed.and_then(|uri| uri.port_u16()).unwrap_or(if secure { 443 } else { 80 });
    (host, (!of_run).then_some(port))
}

/// What an app is started with in one run.
pub struct Launch<'a> {
    /// `scratch`, addresses of doubles.
    pub given: &'a Given,
    /// The signing secret, and that of the second endpoint.
    pub secrets: (&'a str, Option<&'a str>),
    /// Where the output of each process goes.
    pub folder: &'a Path,
    /// Takes secrets out of it.
    pub redactor: &'a Redactor,
    /// This binary.
    pub keeper: &'a Path,
}

impl App {
    /// The processes of one run, each copy by itself, with their ports; and for each that takes webhooks its port.
    ///
    /// # Errors
    /// [`StartError`] when no port is to be had, another program listens where one should, or a file cannot be made.
    pub fn starts(&self, launch: &Launch<'_>) -> Result<Vec<(Start, Option<Given>)>, StartError> {
        let mut starts = Vec::new();
        // All are held until the last one is found, so that no two are the same.
        let mut held = Vec::new();
        for (index, spec) in self.processes.iter().enumerate() {
            for copy in 1..=spec.copies {
                let name = if spec.copies > 1 { format!("{}-{copy}", spec.name) } else { spec.name.clone() };
                let web = index == self.web;
                let port = self.port(spec, web, &name, &mut held)?;
                starts.push(self.start(spec, name, port, web, launch)?);
            }
        }
        Ok(starts)
    }

    fn port(&self, spec: &ProcessSpec, web: bool, name: &str, held: &mut Vec<TcpListener>) -> Result<u16, StartError> {
        if let (true, Some(port)) = (web, self.webhook.1) {
            free(name, &self.webhook.0, port, "`webhook`")?;
            return Ok(port);
        }
        if let Some(ready) = spec.ready.as_ref().filter(|ready| !ready.contains("{port}")) {
            let (host, port) = host_and_port(ready);
            if let Some(port) = port {
                free(name, &host, port, "`ready`")?;
            }
        }
        if !spec.has_port {
            return Ok(0);
        }
        let taken = |what: std::io::Error| StartError::Spawn { name: format!("`{name}`"), what };
        let listener = ports::free().map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        held.push(listener);
        Ok(port)
    }

    fn start(
        &self,
        spec: &ProcessSpec,
        name: String,
        port: u16,
        web: bool,
        launch: &Launch<'_>,
    ) -> Result<(Start, Option<Given>), StartError> {
        let wrong = |what: String| StartError::Spawn { name: format!("`{name}`"), what: std::io::Error::other(what) };
        let given = if port == 0 { launch.given.clone() } else { launch.given.clone().with("port", port.to_string()) };
        let fill = |text: &String| given.fill(text).map_err(wrong);
        let with_secret = given.clone().with("webhook_secret", launch.secrets.0);
        let mut environment = Vec::new();
        let own = self.own_secret.iter().map(|name| (name, launch.secrets.0));
        let second = self.second_secret.iter().zip(launch.secrets.1);
        environment.extend(own.chain(second).map(|(name, secret)| (name.clone(), secret.to_owned())));
        for (name, value) in &spec.env {
            environment.push((name.clone(), with_secret.fill(value).map_err(wrong)?));
        }
        let ready = match &spec.ready {
            Some(url) => Ready::Answers(fill(url)?),
            None if port == 0 => Ready::Lives,
            None if web => Ready::Accepts(self.webhook.0.clone(), port),
            None => Ready::Accepts("localhost".to_owned(), port),
        };
        let log = launch.folder.join(format!("{name}.log"));
        let output = Output::to(&log, launch.redactor.clone());
        let output = output.map_err(|what| wrong(format!("cannot write {}: {what}", log.display())))?;
        let command = AppCommand {
            command: spec.command.iter().map(fill).collect::<Result<_, _>>()?,
            cwd: spec.cwd.clone(),
            environment,
            without: self.without.clone(),
            kill_command: spec.kill_command.as_ref().map(|c| c.iter().map(fill).collect()).transpose()?,
            ready,
            ready_within: spec.ready_within,
            restart: spec.restart,
            output,
            port,
            keeper: launch.keeper.to_owned(),
            name,
        };
        Ok((command.into(), web.then_some(given)))
    }
}

/// Whoever listens there already would be tested instead of the app.
fn free(name: &str, host: &str, port: u16, key: &str) -> Result<(), StartError> {
    let taken = match host.parse::<std::net::IpAddr>() {
        Ok(ip) => TcpListener::bind((ip, port)).is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse),
        Err(_) => TcpListener::bind(("127.0.0.1", port)).is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse),
    };
    if !taken {
        return Ok(());
    }
    let what = format!(
        "the port {port} of {key} is taken; stop what listens there (an earlier start of the app?), or write {{port}} for a free one"
    );
    Err(StartError::PortTaken { name: format!("`{name}`"), what })
}
