//! What the endpoint shows to everybody: errors, leaks, limits, speed, other methods, caches, its health.
//!
//! Must not know: why a delivery was refused.

use super::Found;
use crate::doctor::{
    case::{BIG_BYTES, BURST, INVOICE_BYTES, Probe},
    finding::{Cause, Severity},
    seen::{Answer, Observation, SIGNATURE, Seen},
};

/// An acknowledgement that takes longer is slow.
const SLOW_MS: u64 = 1_000;
/// One that takes longer is near to the time-outs that senders have.
const TOO_SLOW_MS: u64 = 5_000;

/// What shows on the surface. `root` says that deliveries are refused already: then what follows from that is left out.
pub(in crate::doctor) fn judge(seen: &Seen, root: bool) -> Vec<Found> {
    let mut found = Vec::new();
    if !root {
        found.extend(error_on_bad_signature(seen));
    }
    found.extend(leaks(seen));
    if !root {
        found.extend(body_limit(seen));
    }
    found.extend(rate_limit(seen));
    found.extend(slow(seen));
    found.extend(cors(seen));
    found.extend(get(seen));
    found.extend(cacheable(seen));
    found.extend(health(seen));
    found
}

fn error_on_bad_signature(seen: &Seen) -> Option<Found> {
    let failed = |probe: &Probe| {
        let observation = seen.of(*probe).map(|(_, o)| o).filter(|o| !o.limited());
        observation.and_then(Observation::status).is_some_and(|status| status >= 500)
    };
    let bad = [Probe::Forged, Probe::Unsigned, Probe::Garbage, Probe::Tampered];
    let shown: Vec<Probe> = bad.into_iter().filter(failed).collect();
    (!shown.is_empty()).then(|| Found::error(Cause::ErrorOnBadSignature, &shown))
}

/// The worst that any answer lets out.
fn leaks(seen: &Seen) -> Option<Found> {
    let kinds = [
        ("secret", Cause::SecretInAnswer),
        (SIGNATURE, Cause::SignatureInAnswer),
        ("stack trace", Cause::TraceInAnswer),
        ("internals", Cause::InternalsInAnswer),
    ];
    kinds.into_iter().find_map(|(kind, cause)| {
        let leaking = seen.observations.iter().filter(|o| o.leaks.iter().any(|leak| leak == kind));
        let shown: Vec<Probe> = leaking.map(|o| o.probe).collect();
        (!shown.is_empty()).then(|| Found::error(cause, &shown))
    })
}

fn body_limit(seen: &Seen) -> Option<Found> {
    let too_large = |probe: Probe| {
        let (_, observation) = seen.of(probe)?;
        Some(match seen.with_secret {
            // A good delivery that is refused for nothing but its size; a server may also hang up.
            true => !observation.accepted() && !observation.limited(),
            false => observation.status() == Some(413) || matches!(observation.answer, Answer::BrokenOff(_)),
        })
    };
    if too_large(Probe::Invoice)? {
        let detail = format!("{} KB", INVOICE_BYTES / 1024);
        return Some(Found::error(Cause::BodyLimit, &[Probe::Invoice]).detail(detail));
    }
    let detail = format!("{} KB", BIG_BYTES / 1024);
    too_large(Probe::Big)?.then(|| Found::warning(Cause::BodyLimit, &[Probe::Big]).detail(detail))
}

fn rate_limit(seen: &Seen) -> Option<Found> {
    let limited: Vec<Probe> = seen.observations.iter().filter(|o| o.limited()).map(|o| o.probe).collect();
    let of_the_burst = limited.iter().filter(|probe| matches!(probe, Probe::Burst(_))).count();
    let detail =
        format!("{} of {} requests, {of_the_burst} of {BURST} at once", limited.len(), seen.observations.len());
    (!limited.is_empty()).then(|| Found::error(Cause::RateLimit, &limited).detail(detail))
}

/// By the middle one of the deliveries that were acknowledged one after another.
fn slow(seen: &Seen) -> Option<Found> {
    let one_by_one = [Probe::Genuine, Probe::Again, Probe::Known];
    let probes: &[Probe] = if seen.with_secret { &one_by_one } else { &[Probe::Forged, Probe::Unsigned] };
    let mut times: Vec<(u64, Probe)> = probes
        .iter()
        .filter_map(|probe| seen.of(*probe))
        .filter(|(_, o)| o.status().is_some() && !o.limited())
        .map(|(_, o)| (o.took_ms, o.probe))
        .collect();
    times.sort();
    let (middle, probe) = *times.get(times.len() / 2)?;
    if middle < SLOW_MS {
        return None;
    }
    let severity = if middle < TOO_SLOW_MS { Severity::Warning } else { Severity::Error };
    Some(Found { severity, ..Found::error(Cause::SlowAnswer, &[probe]).detail(format!("{middle} ms")) })
}

fn cors(seen: &Seen) -> Option<Found> {
    let (_, preflight) = seen.of(Probe::Preflight)?;
    let allowed = preflight.header("access-control-allow-origin")?;
    let open = allowed == "*" || allowed.contains("doctor.example");
    open.then(|| Found::warning(Cause::CorsOpen, &[Probe::Preflight]).detail(format!("`{allowed}`")))
}

fn get(seen: &Seen) -> Option<Found> {
    (seen.accepted(Probe::Get) == Some(true)).then(|| Found::warning(Cause::GetAnswered, &[Probe::Get]))
}

fn cacheable(seen: &Seen) -> Option<Found> {
    let (probe, why) = seen.observations.iter().find_map(|o| Some((o.probe, kept_by_caches(o)?)))?;
    Some(Found::warning(Cause::Cacheable, &[probe]).detail(why))
}

/// The header that lets a cache keep an answer of the endpoint.
fn kept_by_caches(observation: &Observation) -> Option<String> {
    if matches!(observation.probe, Probe::Health(_) | Probe::Preflight) {
        return None;
    }
    let control = observation.header("cache-control").unwrap_or_default().to_lowercase();
    let seconds = |name: &str| {
        let value = control.split(',').find_map(|item| item.trim().strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.trim_matches('"').parse::<u64>().ok()).unwrap_or(0)
    };
    let forbidden = control.contains("no-store") || control.contains("private") || control.contains("no-cache");
    if !forbidden && (control.contains("public") || seconds("max-age") > 0 || seconds("s-maxage") > 0) {
        return Some(format!("`Cache-Control: {control}`"));
    }
    let from_a_cache = ["x-cache", "cf-cache-status", "x-vercel-cache"].into_iter().find_map(|name| {
        let value = observation.header(name)?;
        value.to_lowercase().starts_with("hit").then(|| format!("`{name}: {value}`"))
    });
    from_a_cache.or_else(|| observation.header("age").filter(|age| *age != "0").map(|age| format!("`Age: {age}`")))
}

fn health(seen: &Seen) -> Option<Found> {
    let asked: Vec<&Observation> = seen.observations.iter().filter(|o| matches!(o.probe, Probe::Health(_))).collect();
    let well = |o: &&Observation| o.accepted() && (seen.health_named || !o.is_page());
    if asked.is_empty() || asked.iter().any(well) {
        return None;
    }
    let shown: Vec<Probe> = asked.iter().map(|o| o.probe).collect();
    Some(match seen.health_named {
        true => Found::error(Cause::HealthMissing, &shown),
        false => Found::note(Cause::HealthMissing, &shown),
    })
}
