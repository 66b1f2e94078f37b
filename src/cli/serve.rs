//! `hookdrill serve`: the reference service on a port, with doubles of the CRM and the support desk where none are named.
//!
//! Secrets come from the environment; no argument holds one.

use super::{
    Failure,
    args::ServeArgs,
    embedded::{
        ADMIN_TOKEN, ALERT_URL, CRM_TOKEN, METRICS_TOKEN, POSTGRES, SESSION_KEY, STRIPE_KEY, SUPPORT_TOKEN,
        WEBHOOK_SECRET,
    },
    exit::Exit,
    voice::print,
};
use crate::{
    drive::{
        clock::RunClock,
        deliverer::{self, Deliverer},
        process::CLOCK,
    },
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    scenario::fault::Double,
    service::{
        self,
        config::{Alerting, Config, Database, SHORTEST_ADMIN_TOKEN, Secret},
        defects::{Defect, Defects},
        log,
        support::rules::Rules,
        telemetry::Traces,
    },
};
use std::{collections::BTreeMap, num::NonZeroU32, path::Path, sync::Arc};

/// A key for the double, which lets restricted keys do what the service does and nothing else.
const OF_THE_DOUBLE: &str = "rk_test_of_the_double_and_nobody_else";

/// Serves until interrupted.
///
/// # Errors
/// [`Failure::Usage`] when a setting is missing or unsafe, [`Failure::Broken`] when the port or the database cannot be had.
pub fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        let what = format!("{} is reached by other machines; pass --allow-remote if that is wanted", args.listen);
        return Err(Failure::Usage(what));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let traces = traces(runtime.handle())?;
    let done = runtime.block_on(serving(args, traces.as_ref()));
    if let Some(traces) = traces {
        traces.finish();
    }
    done.map(|()| Exit::Pass)
}

/// Traces, when the standard variables say where to.
fn traces(handle: &tokio::runtime::Handle) -> Result<Option<Traces>, Failure> {
    let asked = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    let switched_off = super::environment("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if switched_off || asked.iter().all(|name| super::environment(name).is_none()) {
        return Ok(None);
    }
    let named = super::environment("OTEL_SERVICE_NAME").is_some();
    Traces::start(handle.clone(), named).map(Some).map_err(|error| Failure::Usage(error.to_string()))
}

/// The deliberate defect of that name.
///
/// # Errors
/// [`Failure::Usage`] with the names that there are.
pub(crate) fn defect(name: &str) -> Result<Defect, Failure> {
    Defect::named(name).ok_or_else(|| {
        let names: Vec<_> = Defect::all().iter().map(|d| d.name()).collect();
        Failure::Usage(format!("there is no defect `{name}`; choose one of: {}", names.join(", ")))
    })
}

async fn serving(args: &ServeArgs, traces: Option<&Traces>) -> Result<(), Failure> {
    let doubles = doubles(args).await?.map(Arc::new);
    let config = config(args, doubles.as_deref())?;
    let level = args.log_level.clone().or_else(|| super::environment("RUST_LOG")).unwrap_or_else(|| "info".to_owned());
    log::install(&level, args.log, &config, traces).map_err(|error| Failure::Usage(error.to_string()))?;
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::Broken(format!(
            "cannot listen on {}: {error}; stop what listens there, or choose --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::Broken(error.to_string()))?;
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    print(&format!("listening on http://{address}\n")).map_err(broken)?;
    if !args.until_stdin_closes {
        print(&addresses(address, &config)).map_err(broken)?;
    }
    // Dropped with the service: then nothing is delivered any more.
    let _deliveries =
        doubles.clone().filter(|_| args.stripe_url.is_none() && !args.until_stdin_closes).map(|doubles| {
            let url = format!("http://{address}/webhooks/stripe");
            let deliverer = Deliverer { url, secret: config.secrets[0].clone(), retries: deliverer::patient() };
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(deliverer.run(move |from| doubles.made_events(from)));
            tasks
        });
    service::run(listener, config, stop(args.until_stdin_closes))
        .await
        .map_err(|error| Failure::Broken(error.to_string()))
}

/// What a newcomer opens, and who is called.
fn addresses(address: std::net::SocketAddr, config: &Config) -> String {
    let open = config.shop.url.clone().unwrap_or_else(|| format!("http://{address}"));
    let stripe = config.stripe_url.as_deref().unwrap_or_default();
    format!(
        "open {open}/ to buy a plan, {open}/billing to see it\n\
         webhooks at http://{address}/webhooks/stripe, CRM at {}, support at {}, Stripe's API at {stripe}\n",
        config.crm_url, config.support_url
    )
}

async fn doubles(args: &ServeArgs) -> Result<Option<Doubles>, Failure> {
    // As a child of a run the service is told every address that it may call.
    let told = args.stripe_url.is_some() || args.until_stdin_closes;
    if args.crm_url.is_some() && args.support_url.is_some() && told {
        return Ok(None);
    }
    let clock = RunClock::start();
    // Nobody counts here: calls go nowhere.
    let (calls, _) = tokio::sync::mpsc::unbounded_channel();
    let options = DoublesOptions {
        listen: BTreeMap::new(),
        models: ModelOptions::at(clock.started()),
        outages: Vec::new(),
        now_ms: Arc::new(move || clock.now_ms()),
        calls,
    };
    Doubles::start(options).await.map(Some).map_err(|error| Failure::Broken(error.to_string()))
}

fn config(args: &ServeArgs, doubles: Option<&Doubles>) -> Result<Config, Failure> {
    let secret = super::environment(WEBHOOK_SECRET).ok_or_else(|| {
        Failure::Usage(format!(
            "the environment has no {WEBHOOK_SECRET}; set it to the secret that `stripe listen` prints"
        ))
    })?;
    let url = |named: &Option<String>, double: Option<String>| named.clone().or(double).unwrap_or_default();
    let crm_url = url(&args.crm_url, doubles.map(Doubles::crm_url));
    let support_url = url(&args.support_url, doubles.map(Doubles::support_url));
    // Several while a secret is rolled, or for several endpoints.
    let mut secrets = secret.split(',').map(|secret| Secret::new(secret.trim()));
    let first = secrets.next().unwrap_or_else(|| Secret::new(""));
    let mut config = Config::new(first, crm_url, support_url);
    config.secrets.extend(secrets);
    config.stripe_url = args.stripe_url.clone().or_else(|| doubles.map(|doubles| doubles.url(Double::Stripe)));
    config.shop.price.clone_from(&args.stripe_price);
    config.shop.url = args.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    // A real key goes to the address that it is meant for, never to a double.
    config.stripe_key = Secret::new(match (&args.stripe_url, super::environment(STRIPE_KEY)) {
        (None, _) => OF_THE_DOUBLE.to_owned(),
        (Some(_), Some(key)) => key,
        (Some(url), None) => {
            let what = format!("--stripe-url {url} needs a key: the environment has no {STRIPE_KEY}");
            return Err(Failure::Usage(what));
        }
    });
    no_empty_secret(args)?;
    no_missing_token(args)?;
    for (variable, token) in [
        (CRM_TOKEN, &mut config.crm_token),
        (SUPPORT_TOKEN, &mut config.support_token),
        (SESSION_KEY, &mut config.shop.session_key),
    ] {
        if let Some(value) = super::environment(variable) {
            *token = Secret::new(value);
        }
    }
    if let Some(path) = &args.database {
        config.database = match path.to_str() {
            Some(POSTGRES) => Database::Postgres(super::embedded::postgres(&args.database_schema)?),
            _ => Database::File(path.clone()),
        };
    }
    config.alert_url = super::environment(ALERT_URL).map(Secret::new);
    let asks = config.stripe_url.is_some();
    let within = Alerting { activation_within: args.activation_alert };
    config.settings.stripe = asks;
    config.settings.reconcile = asks.then_some(args.reconcile);
    config.settings.backfill = args.backfill;
    config.settings.audit = (!args.audit.is_zero()).then_some(args.audit);
    config.settings.alerting = config.alert_url.is_some().then_some(within);
    if asks && args.reconcile.is_zero() {
        return Err(Failure::Usage("--reconcile must be longer than 0s".to_owned()));
    }
    config.public = args.allow_remote;
    operated(args, &mut config)?;
    config.settings.lease = args.lease;
    config.call_timeout = args.lease / 2;
    config.settings.onboarding_after = args.onboarding_after;
    if let Some(path) = &args.rules {
        config.settings.rules = Arc::new(rules(path)?);
    }
    config.settings.defects = args.defect.iter().map(|name| defect(name)).collect::<Result<Defects, _>>()?;
    Ok(config)
}

/// What those who operate the service have set.
fn operated(args: &ServeArgs, config: &mut Config) -> Result<(), Failure> {
    config.admin_token = super::environment(ADMIN_TOKEN).map(Secret::new);
    config.metrics_token = super::environment(METRICS_TOKEN).map(Secret::new);
    if config.admin_token.as_ref().is_some_and(|token| token.expose().trim().len() < SHORTEST_ADMIN_TOKEN) {
        let what = format!("{ADMIN_TOKEN} has less than {SHORTEST_ADMIN_TOKEN} characters: it could be guessed");
        return Err(Failure::Usage(what));
    }
    config.rate_limit = NonZeroU32::new(args.rate_limit);
    config.trust_proxy = args.trust_proxy;
    Ok(())
}

/// A real peer would refuse every call without a token; a double takes any.
fn no_missing_token(args: &ServeArgs) -> Result<(), Failure> {
    let peers = [(&args.crm_url, CRM_TOKEN, "--crm-url"), (&args.support_url, SUPPORT_TOKEN, "--support-url")];
    let missing =
        |(url, variable, _): &(&Option<String>, &str, &str)| url.is_some() && super::environment(variable).is_none();
    match peers.into_iter().find(missing) {
        Some((_, variable, flag)) => {
            Err(Failure::Usage(format!("{flag} needs a token: the environment has no {variable}")))
        }
        None => Ok(()),
    }
}

/// A variable that is there and empty is a mistake of whoever deploys: a secret that got lost on the way.
fn no_empty_secret(args: &ServeArgs) -> Result<(), Failure> {
    let variables = [CRM_TOKEN, SUPPORT_TOKEN, SESSION_KEY, STRIPE_KEY, ADMIN_TOKEN, METRICS_TOKEN, ALERT_URL];
    // A run sets the variable of alerts to nothing where it wants none, whatever its own environment says.
    let meant = |variable: &&str| args.until_stdin_closes && **variable == *ALERT_URL;
    match variables.into_iter().filter(|name| !meant(name)).find(|variable| super::is_set_to_nothing(variable)) {
        Some(variable) => {
            Err(Failure::Usage(format!("{variable} is set to nothing; give it a value, or take it away")))
        }
        None => Ok(()),
    }
}

/// Ends when the system or a person asks for it.
async fn interrupted() {
    #[cfg(unix)]
    {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        let terminated = async {
            match &mut terminated {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = terminated => {}
            Ok(()) = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn rules(path: &Path) -> Result<Rules, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read the rules {}: {error}", path.display())))?;
    Rules::parse(&path.display().to_string(), &text).map_err(|error| Failure::Usage(error.to_string()))
}

/// Ends on an interrupt; as a child also when standard input closes, so that it never outlives its parent.
async fn stop(until_stdin_closes: bool) {
    if !until_stdin_closes {
        return interrupted().await;
    }
    // A thread of its own: the runtime would not end before a reading of its own is over.
    let (close, closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            // What a run tells its child meanwhile: how wrong its clock is to be.
            if let Some(offset_ms) = line.strip_prefix(CLOCK).and_then(|offset_ms| offset_ms.trim().parse().ok()) {
                service::set_clock(offset_ms);
            }
        }
        drop(close);
    });
    tokio::select! {
        () = interrupted() => {}
        _ = closed => {}
    }
}
