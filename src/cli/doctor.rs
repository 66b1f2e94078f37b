//! `hookdrill doctor`: examines a webhook endpoint and says what is wrong with it.
//!
//! Must not know: what is asked and what it means (`crate::doctor` does).

use super::{Failure, args::doctor::DoctorArgs, environment, exit::Exit, is_set_to_nothing, started, voice::print};
use crate::{
    doctor::{
        self, Case, Diagnosis, Severity, diagnose,
        finding::Outcome,
        prober::Prober,
        seen::{Expected, ExpectedState, is_loopback},
        tls,
    },
    drive::{clock::RunClock, project::Project},
    redact::Redactor,
};
use std::{collections::BTreeMap, io::IsTerminal, path::Path, time::Duration};

/// Where the secret is, when nobody says where.
const SECRET: &str = "STRIPE_WEBHOOK_SECRET";
/// Longest time that one answer is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Examines, prints, and writes the page.
///
/// # Errors
/// [`Failure::Usage`] before anything is sent, [`Failure::Broken`] when a file cannot be written.
pub fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    if args.timeout.is_zero() || args.timeout > LONGEST_WAIT {
        return Err(Failure::Usage("--timeout must be between 1ms and 60s".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let diagnosis = match &args.target {
        None => {
            let (url, secret) = endpoint(args)?;
            let redactor = Redactor::new(&secret.iter().map(String::as_str).collect::<Vec<_>>());
            runtime.block_on(examined(args, url, secret, redactor))?
        }
        Some(path) => runtime.block_on(app(args, &super::project_file(path, 1)?))?,
    };
    if let Some(path) = &args.handover {
        std::fs::write(path, doctor::page::render(&diagnosis))
            .map_err(|error| Failure::Broken(format!("cannot write {}: {error}", path.display())))?;
    }
    print(&shown(args, &diagnosis)?).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(exit(args, &diagnosis))
}

/// Asks the endpoint, and says what its answers mean.
async fn examined(
    args: &DoctorArgs,
    url: http::Uri,
    secret: Option<String>,
    redactor: Redactor,
) -> Result<Diagnosis, Failure> {
    let health = args.health.clone().map(|health| health_of(health, &url)).transpose()?;
    let expected = expected(args)?;
    let roots = tls::authorities(args.ca_file.as_deref()).map_err(|error| Failure::Usage(error.to_string()))?;
    let case = Case { url, secret, nonce: nonce()?, health, event_type: args.event_type.clone(), expected };
    let prober = Prober { roots, timeout: args.timeout, redactor };
    Ok(diagnose(&prober.examine(&case).await))
}

/// The app of a project file: one that hookdrill starts is started, with doubles for it to call, and ended afterwards.
async fn app(args: &DoctorArgs, project: &Project) -> Result<Diagnosis, Failure> {
    let broken = Failure::Broken;
    let redactor = Redactor::new(&started::secrets(project).iter().map(String::as_str).collect::<Vec<_>>());
    let secret = project.target.secrets.known().to_owned();
    if project.app.is_none() {
        // It has its doubles already, perhaps on the very ports that the file names.
        return examined(args, parsed(&project.target.webhook)?, Some(secret), redactor).await;
    }
    let (doubles, _calls) = started::doubles(Some(project), RunClock::start(), Vec::new()).await.map_err(broken)?;
    let scratch = tempfile::tempdir().map_err(|error| broken(format!("cannot make a temporary folder: {error}")))?;
    let folders = (scratch.path(), scratch.path());
    let started = started::project(project, &doubles, folders, &redactor).await.map_err(broken)?;
    let webhook = started.targets.first().map_or(&project.target.webhook, |target| &target.webhook);
    let examined = match parsed(webhook) {
        Ok(url) => examined(args, url, Some(secret), redactor).await,
        Err(error) => Err(error),
    };
    started.end().await;
    examined
}

fn shown(args: &DoctorArgs, diagnosis: &Diagnosis) -> Result<String, Failure> {
    if args.json {
        let json = serde_json::to_string_pretty(diagnosis);
        return json.map(|text| text + "\n").map_err(|error| Failure::Broken(error.to_string()));
    }
    let colour = std::io::stdout().is_terminal() && environment("NO_COLOR").is_none();
    Ok(doctor::text::render(diagnosis, colour))
}

fn exit(args: &DoctorArgs, diagnosis: &Diagnosis) -> Exit {
    let warned = args.strict && diagnosis.findings.iter().any(|finding| finding.severity == Severity::Warning);
    match diagnosis.outcome {
        Outcome::Unreachable => Exit::Broken,
        Outcome::Wrong => Exit::Fail,
        Outcome::Sound | Outcome::Inconclusive if warned => Exit::Fail,
        Outcome::Inconclusive => Exit::Inconclusive,
        Outcome::Sound => Exit::Pass,
    }
}

/// The URL and the secret, from what was typed.
fn endpoint(args: &DoctorArgs) -> Result<(http::Uri, Option<String>), Failure> {
    let url = parsed(args.url.as_deref().unwrap_or_default())?;
    let host = url.host().unwrap_or_default();
    if !is_loopback(host) && !args.allow_host.iter().any(|allowed| allowed == host) {
        let what = format!("`{host}` is not this machine; if it may be asked, add --allow-host {host}");
        return Err(Failure::Usage(what));
    }
    let secret = match &args.secret_env {
        Some(name) => Some(environment(name).ok_or_else(|| {
            Failure::Usage(format!("the environment has no {name}; set it to the endpoint's whsec_… secret"))
        })?),
        None => environment(SECRET),
    };
    Ok((url, secret.map(|secret| secret.trim().to_owned())))
}

fn parsed(text: &str) -> Result<http::Uri, Failure> {
    let wrong =
        |what: &str| Failure::Usage(format!("{what}; write the whole of it, like http://127.0.0.1:3000/webhook"));
    let url: http::Uri = text.parse().map_err(|_| wrong("that is not a URL"))?;
    let authority = url.authority().map_or("", http::uri::Authority::as_str);
    if authority.contains('@') {
        return Err(Failure::Usage(
            "a user name or password in a URL would stand in every report; leave it out".to_owned(),
        ));
    }
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    if after_host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
        return Err(wrong("the port of that URL is none"));
    }
    match url.scheme_str() {
        Some("http" | "https") if url.host().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err(wrong("that is not an http or https URL")),
    }
}

/// A path, or a URL of the same host: doctor asks nobody else.
fn health_of(health: String, url: &http::Uri) -> Result<String, Failure> {
    if !health.contains("://") {
        return Ok(health);
    }
    let other = parsed(&health)?;
    if other.host() == url.host() {
        return Ok(health);
    }
    Err(Failure::Usage(format!(
        "--health is on another host than the webhook; give a path, or a URL of {}",
        url.host().unwrap_or_default()
    )))
}

fn expected(args: &DoctorArgs) -> Result<Vec<Expected>, Failure> {
    let file = args.env_file.as_deref().map(variables).transpose()?;
    let state = |name: &String| match &file {
        Some(file) => match file.get(name) {
            Some(true) => ExpectedState::Set,
            Some(false) => ExpectedState::Empty,
            None => ExpectedState::Absent,
        },
        None if is_set_to_nothing(name) => ExpectedState::Empty,
        None if environment(name).is_some() => ExpectedState::Set,
        None => ExpectedState::Absent,
    };
    Ok(args.expect_env.iter().map(|name| Expected { name: name.clone(), state: state(name) }).collect())
}

/// The names in a file of variables, and whether each has a value. Values are not kept.
fn variables(path: &Path) -> Result<BTreeMap<String, bool>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
    Ok(pairs
        .map(|(name, value)| {
            // A comment behind nothing is no value.
            let value = value.trim();
            let value = if value.starts_with('#') { "" } else { value.trim_matches(['"', '\'', ' ']) };
            (name.trim().to_owned(), !value.is_empty())
        })
        .collect())
}

/// So that no two examinations send the same event.
fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Broken(format!("the system has no random numbers: {error}")))?;
    Ok(hex::encode(bytes))
}
