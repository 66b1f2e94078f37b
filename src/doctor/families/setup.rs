//! What is wrong with what the app was given, not with what it does: variables, a certificate that ends soon, plain http.
//!
//! Must not know: answers.

use super::Found;
use crate::doctor::{
    finding::Cause,
    seen::{ExpectedState, Seen},
};

/// A certificate that ends within so many days is to be renewed; those that renew themselves do it 30 days before.
const SOON_DAYS: i64 = 21;
/// Then it is urgent.
const VERY_SOON_DAYS: i64 = 3;

/// Variables that the app needs and that are not there.
pub(in crate::doctor) fn environment(seen: &Seen) -> Option<Found> {
    let missing = seen.expected.iter().filter(|one| one.state != ExpectedState::Set);
    let (names, states): (Vec<_>, Vec<_>) = missing
        .map(|one| {
            let state = match one.state {
                ExpectedState::Absent => "not set",
                ExpectedState::Empty => "set to nothing",
                ExpectedState::Set => "set",
            };
            (one.name.clone(), format!("{}: {state}", one.name))
        })
        .unzip();
    if names.is_empty() {
        return None;
    }
    let found = Found::error(Cause::EnvironmentMissing, &[]).detail(names.join(", "));
    Some(found.instead("nothing: the variables that --expect-env names were looked up", states.join("; ")))
}

/// What will break, or would on the way to Stripe.
pub(in crate::doctor) fn outlook(seen: &Seen) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(expires_soon(seen));
    if seen.url.scheme_str() == Some("http") && !seen.loopback() {
        found.push(Found::error(Cause::PlainHttp, &[]).instead("the URL itself", seen.url.to_string()));
    }
    found
}

fn expires_soon(seen: &Seen) -> Option<Found> {
    let look = seen.tls.as_ref().filter(|tls| tls.trouble.is_none())?;
    // Also one between the server's own and the authority's.
    let first = look.certificates.iter().min_by_key(|one| one.not_after)?;
    let days = first.days_left(seen.now_secs);
    if days > SOON_DAYS {
        return None;
    }
    let detail = format!("on {}, in {days} days", first.last_day());
    let found = if days <= VERY_SOON_DAYS { Found::error } else { Found::warning };
    let got = format!("{} (issued by {}, until {})", first.subject, first.issuer, first.last_day());
    Some(found(Cause::TlsExpiresSoon, &[]).detail(detail).instead("a TLS handshake (1.2 or 1.3)", got))
}
