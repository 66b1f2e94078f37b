//! `hookdrill mocks`: the doubles alone on fixed ports, for an app that runs elsewhere, with a page that shows what came.
//!
//! Must not know: scenarios, what a double answers.

mod ledger;
mod page;
mod server;

use super::{Failure, args::mocks::MocksArgs, exit::Exit, voice::print};
use crate::{
    drive::{
        clock::RunClock,
        project::{self, ProjectDoubles},
    },
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    scenario::fault::Double,
};
use ledger::Ledger;
use std::{
    collections::BTreeMap,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// Ports when nothing is said: the page has the one before.
const PORTS: &[(Double, u16)] =
    &[(Double::Crm, 4101), (Double::Support, 4102), (Double::Stripe, 4103), (Double::Alerts, 4104)];

/// Declared doubles, in the order of their names, from here on.
const FIRST_DECLARED: u16 = 4105;

/// Calls until the doubles must be reset: what they hold and what is kept of calls stays in memory.
const MOST_CALLS: u64 = 100_000;

/// Runs the doubles until interrupted.
///
/// # Errors
/// [`Failure::Usage`] when the project file cannot be read, [`Failure::Broken`] when a port is taken.
pub fn mocks(args: &MocksArgs) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        let what = format!("{} is reached by other machines; the page has no login: choose 127.0.0.1", args.listen);
        return Err(Failure::Usage(what));
    }
    let project = match &args.target {
        Some(path) => project::doubles(path).map_err(|error| Failure::Usage(error.to_string()))?,
        None => ProjectDoubles::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    runtime.block_on(running(args, project)).map(|()| Exit::Pass)
}

async fn running(args: &MocksArgs, project: ProjectDoubles) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    let taken = |error: std::io::Error| {
        let address = args.listen;
        Failure::Broken(format!(
            "cannot listen on {address} for the page: {error}; stop what listens there, or choose --listen"
        ))
    };
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(taken)?;
    let clock = RunClock::start();
    let (sender, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let models = ModelOptions::at(clock.started()).for_any_target().speaking(&project.dialects);
    let declared: Vec<Double> = project.declared.keys().map(|name| Double::Declared(*name)).collect();
    let options = DoublesOptions {
        listen: listen(&declared, &project.listen, args.free_ports),
        models: ModelOptions { declared: project.declared, ..models },
        outages: Vec::new(),
        now_ms: Arc::new(move || clock.now_ms()),
        calls: sender,
    };
    let doubles = Doubles::start(options).await.map_err(|error| Failure::Broken(format!("cannot {error}")))?;
    doubles.limit(MOST_CALLS);
    let ledger = Arc::new(Ledger::new(clock.started()));
    let mut tasks = tokio::task::JoinSet::new();
    let kept = Arc::clone(&ledger);
    tasks.spawn(async move {
        while let Some((at_ms, call)) = calls.recv().await {
            kept.add(at_ms, call);
        }
    });
    let at = listener.local_addr().map_err(broken)?;
    let stopped = stopped().map_err(broken)?;
    print(&told(at, &doubles)).map_err(broken)?;
    let doubles = Arc::new(doubles);
    server::serve(listener, Arc::clone(&doubles), ledger, stopped).await.map_err(broken)?;
    Ok(())
}

/// Where each double listens: as the project file says, else on its usual port.
fn listen(declared: &[Double], said: &BTreeMap<Double, SocketAddr>, free: bool) -> BTreeMap<Double, SocketAddr> {
    let declared = declared.iter().copied().zip(FIRST_DECLARED..);
    let usual = PORTS.iter().copied().chain(declared);
    let port = |port: u16| if free { 0 } else { port };
    usual
        .map(|(double, usual)| {
            let address = said.get(&double).copied();
            (double, address.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, port(usual)))))
        })
        .collect()
}

/// Variables that an app is told addresses by, as the libraries of the vendors and most apps call them.
const VARIABLES: &[(&str, &str)] = &[
    ("crm_url", "HUBSPOT_BASE_URL"),
    ("support_url", "ZENDESK_URL"),
    ("stripe_api_url", "STRIPE_API_BASE"),
    ("alerts_url", "ALERT_URL"),
];

/// Hosts that an app may have hard-coded, for the preload shims.
const HOSTS: &[(&str, &[&str])] =
    &[("crm_url", &["api.hubapi.com"]), ("support_url", &["*.zendesk.com"]), ("stripe_api_url", &["api.stripe.com"])];

/// The lines of environment to paste.
fn environment(doubles: &Doubles) -> Vec<String> {
    let addresses = doubles.addresses();
    let variable = |name: &str| {
        let known = VARIABLES.iter().find(|(of, _)| *of == name).map(|(_, variable)| (*variable).to_owned());
        known.unwrap_or_else(|| name.to_uppercase().replace('-', "_"))
    };
    let mut lines: Vec<String> = addresses.iter().map(|(name, url)| format!("{}={url}", variable(name))).collect();
    let hosts = HOSTS.iter().flat_map(|(name, hosts)| {
        addresses.get(*name).into_iter().flat_map(move |url| hosts.iter().map(move |host| format!("{host}={url}")))
    });
    lines.push(format!("HOOKDRILL_HOSTS={}", hosts.collect::<Vec<_>>().join(",")));
    lines
}

fn told(page: SocketAddr, doubles: &Doubles) -> String {
    let mut text = format!("what comes is shown on http://{page}/ (as JSON on http://{page}/ledger.json)\n");
    for (double, url) in doubles.listening() {
        text.push_str(&format!("{:>10}  {url}\n", double.word()));
    }
    text.push_str("\nfor your app's environment (rename as it calls them):\n");
    for line in environment(doubles) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("\nCtrl-C ends\n");
    text
}

/// Waits until somebody ends it: Ctrl-C, or SIGTERM where there is one. Both are heard from this call on, not only once the
/// wait begins: whoever has read the addresses may end it at once.
fn stopped() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async { drop(tokio::signal::ctrl_c().await) })
    }
}
