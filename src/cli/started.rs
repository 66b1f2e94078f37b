//! The target of one scenario, started: the embedded service, an app's own processes, or what answers at a URL already.
//!
//! Must not know: plans' contents, verdicts.

use super::{
    args::{RunArgs, mocks::ShimOf},
    embedded::{self, EmbeddedSecrets, ServedFrom},
    shim,
};
use crate::{
    drive::{
        clock::RunClock,
        process::{Fleet, Start},
        project::{App, Launch, Project},
        target::Target,
        template::Given,
    },
    history::record::Call,
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    plan::model::{Outage, Plan},
    redact::Redactor,
    scenario::{fault::Double, model::Doubles as ScenarioDoubles},
};
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc::UnboundedReceiver;

/// Doubles for the embedded service, or for the app of a project, with what comes of their calls.
pub(super) async fn doubles(
    project: Option<&Project>,
    clock: RunClock,
    outages: Vec<Outage>,
) -> Result<(Doubles, UnboundedReceiver<(u64, Call)>), String> {
    let (sender, calls) = tokio::sync::mpsc::unbounded_channel();
    let options = DoublesOptions {
        listen: project.map(|project| project.listen.clone()).unwrap_or_default(),
        models: match project {
            Some(project) => {
                let models = ModelOptions::at(clock.started()).for_any_target().speaking(&project.dialects);
                ModelOptions { declared: project.declared.clone(), ..models }
            }
            None => ModelOptions::at(clock.started()),
        },
        outages,
        now_ms: Arc::new(move || clock.now_ms()),
        calls: sender,
    };
    let doubles = Doubles::start(options).await.map_err(|error| error.to_string())?;
    Ok((doubles, calls))
}

/// Secrets that an app or its project file knows.
pub(super) fn secrets(project: &Project) -> Vec<String> {
    let own = project.target.secrets.all().into_iter().map(str::to_owned).chain(project.secrets.iter().cloned());
    own.chain(project.app.iter().flat_map(|_| super::inherited_secrets())).collect()
}

/// What a scenario is run against.
pub(super) struct Started {
    /// One for each process that takes webhooks, or the one that is not ours.
    pub(super) targets: Vec<Target>,
    /// The processes, when they are ours.
    pub(super) service: Option<Fleet>,
    /// Of each process: which target it is.
    pub(super) serves: Vec<Option<usize>>,
}

impl Started {
    /// Ends what was started.
    pub(super) async fn end(self) {
        for slot in self.service.iter().flat_map(Fleet::slots) {
            slot.lock().await.kill().await;
        }
    }
}

/// Processes of the embedded service.
pub(super) async fn embedded(
    args: &RunArgs,
    plan: &Plan,
    secrets: &EmbeddedSecrets,
    doubles: &Doubles,
    (database, folder): (&ServedFrom, &Path),
) -> Result<Started, String> {
    let given = ScenarioDoubles { stripe: plan.stripe.is_some(), alerts: plan.alerts };
    let peers = embedded::Peers {
        crm: doubles.crm_url(),
        support: doubles.support_url(),
        stripe: given.stripe.then(|| doubles.url(Double::Stripe)),
        alerts: given.alerts.then(|| doubles.url(Double::Alerts)),
    };
    let log = folder.join("service.log");
    let command = embedded::command(secrets, database, &log, &peers, &args.defect)
        .map_err(|error| format!("cannot find this program again: {error}"))?;
    let starts = (0..args.processes).map(|_| Start::from(command.clone())).collect();
    let fleet = Fleet::start(starts, folder).await.map_err(|error| error.to_string())?;
    let target = |url: &String| embedded::target(url, secrets, args.seed, given);
    let targets: Result<Vec<_>, _> = fleet.urls().await.iter().map(target).collect();
    let targets = targets.map_err(|error| error.to_string())?;
    let serves = (0..targets.len()).map(Some).collect();
    Ok(Started { targets, service: Some(fleet), serves })
}

/// Addresses of the doubles that the project uses, for braces.
fn addresses(project: &Project, doubles: &Doubles) -> Given {
    let used = [
        ("crm_url", project.target.crm, Double::Crm),
        ("support_url", project.target.support, Double::Support),
        ("stripe_api_url", project.target.stripe, Double::Stripe),
    ];
    let used = used.into_iter().filter(|(_, is, _)| *is);
    let given = used.fold(Given::default(), |given, (name, _, double)| given.with(name, doubles.url(double)));
    project.declared.keys().fold(given, |given, name| given.with(name.brace(), doubles.url(Double::Declared(*name))))
}

/// The preload shims, written for apps whose API hosts are hard-coded; they do nothing unless a variable names hosts.
fn shims(given: Given, folder: &Path) -> Result<Given, String> {
    let unwritten = |error: std::io::Error| format!("cannot write the shims: {error}");
    let node = shim::put(ShimOf::Node, folder).map_err(unwritten)?;
    shim::put(ShimOf::Python, folder).map_err(unwritten)?;
    let given = given.with("shim_node", node.display().to_string());
    Ok(given.with("shim_python", folder.display().to_string()))
}

/// What the project file describes: its app is started, or the URL taken as it is.
pub(super) async fn project(
    project: &Project,
    doubles: &Doubles,
    (scratch, folder): (&Path, &Path),
    redactor: &Redactor,
) -> Result<Started, String> {
    let given = addresses(project, doubles);
    match &project.app {
        None => {
            let target = Target { given, ..project.target.clone() };
            Ok(Started { targets: vec![target], service: None, serves: Vec::new() })
        }
        Some(app) => {
            let given = given.with("scratch", scratch.display().to_string());
            let given = shims(given, &scratch.join("hookdrill-shims"))?;
            start(app, project, &given, (scratch, folder), redactor).await
        }
    }
}

async fn start(
    app: &App,
    project: &Project,
    given: &Given,
    (scratch, folder): (&Path, &Path),
    redactor: &Redactor,
) -> Result<Started, String> {
    if !cfg!(unix) {
        return Err("an app is started and killed on Linux and macOS only; start it yourself and leave `command` out"
            .to_owned());
    }
    let keeper = std::env::current_exe().map_err(|error| format!("cannot find this program again: {error}"))?;
    let secrets = &project.target.secrets;
    let launch = Launch {
        given,
        secrets: (secrets.known(), secrets.all_known().get(1).copied()),
        folder,
        redactor,
        keeper: &keeper,
    };
    let (mut starts, mut targets, mut serves) = (Vec::new(), Vec::new(), Vec::new());
    for (start, web) in app.starts(&launch).map_err(|error| error.to_string())? {
        starts.push(start);
        serves.push(web.as_ref().map(|_| targets.len()));
        if let Some(given) = web {
            let webhook = given.fill(&project.target.webhook)?;
            let given = given.with("webhook_secret", secrets.known());
            targets.push(Target { webhook, given, ..project.target.clone() });
        }
    }
    let fleet = Fleet::start(starts, scratch).await.map_err(|error| error.to_string())?;
    Ok(Started { targets, service: Some(fleet), serves })
}
