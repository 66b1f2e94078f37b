//! What keeps a delivery from the handler: the network, TLS, redirects, what stands in front. One of them hides all that is
//! behind it, so the first one is the only one that is reported.
//!
//! Must not know: signatures.

use super::Found;
use crate::doctor::{
    case::Probe,
    finding::Cause,
    seen::{Answer, NoConnection, Observation, Seen, TlsTrouble},
};

/// Words by which an answer of a handler that does verify can be told from that of a gate.
const OF_A_VERIFIER: [&str; 7] = ["signature", "webhook", "stripe", "payload", "timestamp", "secret", "hmac"];
const OF_CSRF: [&str; 6] = ["csrf", "xsrf", "authenticitytoken", "authenticity token", "page expired", "forgery"];
const OF_A_LOGIN: [&str; 8] = ["login", "log-in", "signin", "sign-in", "sign_in", "auth", "sso", "session/new"];
const OF_BOT_PROTECTION: [&str; 5] = ["cf-chl", "just a moment", "captcha", "are you a robot", "access denied"];

/// Whether nothing behind the first answer can be seen.
pub(in crate::doctor) fn blocked(seen: &Seen) -> bool {
    network(seen).is_some() || redirect(seen).is_some() || absent(seen).is_some()
}

/// Whether a gate answers instead of the handler. To be asked when a good and two bad deliveries were answered.
pub(in crate::doctor) fn gated(seen: &Seen) -> bool {
    gate(seen).is_some()
}

/// The one thing that keeps deliveries out.
pub(in crate::doctor) fn judge(seen: &Seen) -> Option<Found> {
    tls(seen).or_else(|| network(seen)).or_else(|| redirect(seen)).or_else(|| absent(seen)).or_else(|| gate(seen))
}

fn tls(seen: &Seen) -> Option<Found> {
    let look = seen.tls.as_ref()?;
    let cause = match look.trouble? {
        TlsTrouble::SelfSigned => Cause::TlsSelfSigned,
        TlsTrouble::Expired => Cause::TlsExpired,
        TlsTrouble::NotYetValid => Cause::TlsNotYetValid,
        TlsTrouble::WrongName => Cause::TlsWrongName,
        TlsTrouble::IncompleteChain => Cause::TlsIncompleteChain,
        TlsTrouble::UnknownAuthority => Cause::TlsUnknownAuthority,
        TlsTrouble::TooOld => Cause::TlsTooOld,
        TlsTrouble::Broken => Cause::TlsBroken,
    };
    let chain: Vec<String> = look
        .certificates
        .iter()
        .map(|one| format!("{} (issued by {}, until {})", one.subject, one.issuer, one.last_day()))
        .collect();
    let got = if chain.is_empty() { look.words.clone() } else { format!("{}; {}", look.words, chain.join(", then ")) };
    let found = Found::error(cause, &[]).instead("a TLS handshake (1.2 or 1.3)", got);
    let detail = match (cause, look.certificates.first()) {
        (Cause::TlsExpired, Some(first)) => {
            Some(format!("on {}, {} days ago", first.last_day(), -first.days_left(seen.now_secs)))
        }
        (Cause::TlsIncompleteChain, Some(first)) => Some(format!("the certificate of {}", first.issuer)),
        _ => None,
    };
    Some(Found { detail, ..found })
}

fn network(seen: &Seen) -> Option<Found> {
    let first = seen.first()?;
    let cause = match &first.answer {
        Answer::NoConnection(NoConnection::Refused | NoConnection::Other, _) => Cause::ConnectionRefused,
        Answer::NoConnection(NoConnection::NoSuchHost, _) => Cause::HostNotFound,
        Answer::NoConnection(NoConnection::TimedOut, _) | Answer::Silent(_) => Cause::NoAnswer,
        Answer::BrokenOff(_) => Cause::BrokenOff,
        Answer::Answered { .. } if first.limited() => Cause::RateLimit,
        Answer::Answered { .. } => return None,
    };
    Some(Found::error(cause, &[first.probe]))
}

fn redirect(seen: &Seen) -> Option<Found> {
    let first = seen.first()?;
    if !first.status().is_some_and(|status| (300..400).contains(&status)) {
        return None;
    }
    let to = first.header("location").unwrap_or_default();
    let found = |cause| Some(Found::error(cause, &[first.probe]).detail(to));
    let path_is_a_login = |path: &str| OF_A_LOGIN.iter().any(|word| path.to_lowercase().contains(word));
    let Ok(target) = to.parse::<http::Uri>() else { return found(Cause::Redirect) };
    let (here, there) = (seen.url.path(), target.path());
    if path_is_a_login(there) && !path_is_a_login(here) {
        return found(Cause::AuthInFront);
    }
    let same_host = target.host().is_none_or(|host| Some(host) == seen.url.host());
    let to_https = target.scheme_str() == Some("https") && seen.url.scheme_str() == Some("http");
    if !same_host {
        return found(Cause::RedirectToHost);
    }
    if to_https {
        return found(Cause::RedirectToHttps);
    }
    if here != there && here.trim_end_matches('/') == there.trim_end_matches('/') {
        return found(Cause::RedirectSlash);
    }
    found(Cause::Redirect)
}

fn absent(seen: &Seen) -> Option<Found> {
    let first = seen.first()?;
    let cause = match first.status()? {
        404 | 410 => Cause::NotFound,
        405 => Cause::PostRefused,
        _ => return None,
    };
    Some(Found::error(cause, &[first.probe]))
}

/// A gate gives one answer to good and to bad deliveries, and it is not that of somebody who looks at signatures.
fn gate(seen: &Seen) -> Option<Found> {
    let posts: Vec<&Observation> = [Probe::Genuine, Probe::Forged, Probe::Unsigned]
        .into_iter()
        .filter_map(|p| seen.of(p))
        .map(|(_, o)| o)
        .collect();
    let first = posts.first()?;
    if posts.iter().any(|post| post.status() != first.status()) {
        return None;
    }
    let status = first.status()?;
    let text = first.text().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let found = |cause| Some(Found::error(cause, &[first.probe, Probe::Unsigned]));
    let from_a_guard = first.header("cf-mitigated").is_some() || first.header("x-vercel-mitigated").is_some();
    match status {
        401 | 403 | 429 | 503 if from_a_guard || (first.is_page() && says(&OF_BOT_PROTECTION)) => {
            found(Cause::BotProtection)
        }
        419 => found(Cause::CsrfInFront),
        400 | 403 | 422 if says(&OF_CSRF) => found(Cause::CsrfInFront),
        401 if first.header("www-authenticate").is_some() => found(Cause::AuthInFront),
        401 | 403 | 407 | 511 if !says(&OF_A_VERIFIER) || first.is_page() => found(Cause::AuthInFront),
        200..=299 if first.is_page() && says(&["type=\"password\"", "type='password'", "type=password"]) => {
            found(Cause::AuthInFront)
        }
        200..=299 if first.is_page() => found(Cause::PageAnswers),
        _ => None,
    }
}
