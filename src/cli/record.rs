//! `hookdrill record`: stands between `stripe listen` or a tunnel and the app, and keeps what passes.
//!
//! The signing secret comes from the environment; it is used to check and never kept.

use super::{
    Failure,
    args::RecordArgs,
    exit::Exit,
    import::{is_free, next_step},
    scrub::random_scrubber,
    voice::print,
};
use crate::{
    drive::record::{RecordOptions, Told, record as recording, store::Recorder},
    stripe::signature::Secret,
};
use http::Uri;
use std::net::IpAddr;

/// Records until interrupted.
///
/// # Errors
/// [`Failure::Usage`] when an address is unsafe or the folder exists, [`Failure::Broken`] when port or disk fail.
pub fn record(args: &RecordArgs) -> Result<Exit, Failure> {
    let forward_to = forward_to(args)?;
    is_free(&args.to)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let (deliveries, events) = runtime.block_on(serving(args, forward_to))?;
    let text = match deliveries {
        0 => format!("nothing came; {} holds no event\n", args.to.display()),
        _ => format!(
            "{deliveries} deliveries of {events} events recorded in {}\n{}",
            args.to.display(),
            if events > 0 { next_step(&args.to) } else { String::new() }
        ),
    };
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(if events > 0 { Exit::Pass } else { Exit::Inconclusive })
}

async fn serving(args: &RecordArgs, forward_to: Uri) -> Result<(u64, usize), Failure> {
    // The port first: one that is taken must leave no folder behind.
    let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::Broken(format!(
            "cannot listen on {}: {error}; stop what listens there, or choose --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::Broken(error.to_string()))?;
    let scrubber = if args.no_scrub { None } else { Some(random_scrubber()?) };
    let about = serde_json::json!({
        "version": 1,
        "made_by": format!("hookdrill {} record", env!("CARGO_PKG_VERSION")),
        "scrubbed": !args.no_scrub,
        "forward_to": format!("{}://{}", forward_to.scheme_str().unwrap_or("http"), forward_to.host().unwrap_or_default()),
    });
    let recorder = Recorder::create(&args.to, scrubber, args.allow_livemode, &about);
    let recorder = recorder.map_err(|error| Failure::Broken(error.to_string()))?;
    if args.no_scrub {
        eprintln!(
            "hookdrill: WARNING: --no-scrub keeps names, e-mails, addresses and tokens of everybody in {}; do not commit or \
             share it; `hookdrill scrub {} --to DIR` takes them out later",
            args.to.display(),
            args.to.display()
        );
    }
    print(&opening(args, address)).map_err(|error| Failure::Broken(error.to_string()))?;
    let quiet = args.quiet;
    let options = RecordOptions {
        forward_to,
        timeout: args.timeout,
        secrets: secrets(&args.secret_env),
        told: Box::new(move |told| tell(told, quiet)),
    };
    Ok(recording(listener, recorder, options, stop()).await)
}

fn opening(args: &RecordArgs, address: std::net::SocketAddr) -> String {
    format!(
        "listening on http://{address}\n\
         send webhooks there: stripe listen --forward-to http://{address}\n\
         they go on to {} and into {}; Ctrl-C ends the recording\n",
        args.forward_to,
        args.to.display()
    )
}

/// Ctrl-C, or SIGTERM where there is one.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}

fn tell(told: Told<'_>, quiet: bool) {
    let line = match told {
        Told::Refused(why) => {
            eprintln!("hookdrill: a request was refused: {why}");
            return;
        }
        _ if quiet => return,
        Told::Delivered(delivery, answer) => {
            let time = delivery.at.get(11..19).unwrap_or_default();
            let kind = delivery.kind.as_deref().unwrap_or("no event");
            let id = delivery.event.as_deref().unwrap_or("-");
            let again =
                delivery.attempt.filter(|attempt| *attempt > 1).map(|n| format!(", delivery {n}")).unwrap_or_default();
            let failed = answer.failed.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
            let (status, after) = (answer.status, answer.after_ms);
            format!("{time}  {kind}  {id}  [{status}] {after} ms, signature {}{again}{failed}\n", delivery.signature)
        }
        Told::Passed(what, status) => format!("{what}  [{status}] passed on, no delivery\n"),
    };
    // Whoever closed the terminal still wants the recording.
    drop(print(&line));
}

/// The secrets in the variable, with commas between.
fn secrets(name: &str) -> Vec<Secret> {
    let text = super::environment(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(Secret::new).collect()
}

fn forward_to(args: &RecordArgs) -> Result<Uri, Failure> {
    let usage = |what: String| Failure::Usage(what);
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(usage(format!(
            "{} is reached by other machines; pass --allow-remote if that is wanted",
            args.listen
        )));
    }
    let uri: Uri = args.forward_to.parse().map_err(|error| {
        usage(format!(
            "--forward-to `{}` is no address ({error}); write something like http://127.0.0.1:3000/webhooks/stripe",
            args.forward_to
        ))
    })?;
    let host = uri.host().unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || host.is_empty() {
        return Err(usage(format!(
            "--forward-to `{}` must begin with http:// or https:// and name a host",
            args.forward_to
        )));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(usage("--forward-to must not hold a user or a password".to_owned()));
    }
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || plain.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !here && !args.allow_remote {
        return Err(usage(format!("--forward-to {host} is another machine; pass --allow-remote if that is wanted")));
    }
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    if here && port == args.listen.port() {
        return Err(usage(format!(
            "--forward-to is the address that is listened on ({}): requests would go round",
            args.listen
        )));
    }
    Ok(uri)
}
