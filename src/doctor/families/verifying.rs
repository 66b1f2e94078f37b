//! How the handler verifies: whether at all, with which secret, which bytes, which of several signatures, which time.
//!
//! A handler that refuses good deliveries cannot show the rest, and one that takes forged ones needs not: then only the root is
//! reported. Must not know: what stands in front of the handler.

use super::Found;
use crate::doctor::{
    body::Spelling,
    case::Probe,
    finding::Cause,
    seen::{Observation, Seen},
};

/// What Stripe's Node library says when it is given an object instead of bytes.
const PARSED: [&str; 2] = ["payload was provided as a parsed javascript object", "raw request body"];

/// The one thing that is wrong with the way in which good and bad deliveries are told apart, if any.
pub(in crate::doctor) fn root(seen: &Seen) -> Option<Found> {
    not_checked(seen).or_else(|| match seen.accepted(Probe::Genuine)? {
        true => None,
        false => Some(refused(seen)),
    })
}

fn not_checked(seen: &Seen) -> Option<Found> {
    let taken = |probe: &Probe| seen.accepted(*probe) == Some(true);
    let forgeries = [Probe::Forged, Probe::Unsigned, Probe::Garbage, Probe::Tampered];
    let shown: Vec<Probe> = forgeries.into_iter().filter(taken).collect();
    if shown.is_empty() {
        return None;
    }
    Some(Found::error(Cause::SignatureNotChecked, &shown))
}

/// Why a good delivery was refused.
fn refused(seen: &Seen) -> Found {
    let taken = |probe: Probe| seen.accepted(probe) == Some(true);
    let spelled: Vec<Spelling> = Spelling::OTHERS.into_iter().filter(|s| taken(Probe::Spelled(*s))).collect();
    // All of them: then it is not the spelling.
    if let Some(first) = spelled.first().filter(|_| spelled.len() < Spelling::OTHERS.len()) {
        let shown = [Probe::Genuine, Probe::Spelled(*first)];
        let by = format!("the bytes that it verifies are those of {}", first.writer());
        return Found::error(Cause::BodyReserialised, &shown).detail(by);
    }
    if taken(Probe::PlainType) {
        return Found::error(Cause::ContentTypeRefused, &[Probe::Genuine, Probe::PlainType]);
    }
    if taken(Probe::Known) {
        return Found::error(Cause::EventTypeRefused, &[Probe::Genuine, Probe::Known]);
    }
    if taken(Probe::OtherVersion) {
        return Found::error(Cause::ApiVersionRefused, &[Probe::Genuine, Probe::OtherVersion]);
    }
    let (Some((_, good)), Some((_, bad))) = (seen.of(Probe::Genuine), seen.of(Probe::Forged)) else {
        return Found::error(Cause::DeliveryRefused, &[Probe::Genuine]);
    };
    let text = good.text().to_lowercase();
    if PARSED.iter().any(|words| text.contains(words)) {
        return Found::error(Cause::BodyParsed, &[Probe::Genuine]);
    }
    if alike(good, bad) {
        return if good.status().is_some_and(|status| status >= 500) {
            Found::error(Cause::ServerError, &[Probe::Genuine, Probe::Forged])
                .detail("bad signatures are answered alike, so it fails before it verifies")
        } else {
            refused_like_a_forgery(seen)
        };
    }
    match good.status() {
        Some(500..) => Found::error(Cause::ServerError, &[Probe::Genuine, Probe::Forged]),
        Some(415) => Found::error(Cause::ContentTypeRefused, &[Probe::Genuine, Probe::Forged]),
        _ if speaks_of_the_type(&text) => Found::error(Cause::EventTypeRefused, &[Probe::Genuine, Probe::Forged]),
        _ if text.contains("api version") || text.contains("api_version") => {
            Found::error(Cause::ApiVersionRefused, &[Probe::Genuine, Probe::Forged])
        }
        _ => Found::error(Cause::DeliveryRefused, &[Probe::Genuine, Probe::Forged]),
    }
}

/// A wrong secret, unless something reads the JSON before anybody verifies.
fn refused_like_a_forgery(seen: &Seen) -> Found {
    let pair = (seen.of(Probe::NotJson), seen.of(Probe::Forged));
    if let (Some((_, no_json)), Some((_, forged))) = pair
        && !alike(no_json, forged)
    {
        return Found::error(Cause::BodyParsed, &[Probe::Genuine, Probe::Forged, Probe::NotJson]);
    }
    let found = Found::error(Cause::WrongSecret, &[Probe::Genuine, Probe::Forged]);
    match seen.secret_looks_right {
        true => found,
        false => found.detail("the secret that doctor was given does not begin with whsec_"),
    }
}

fn speaks_of_the_type(text: &str) -> bool {
    let words = [
        "unhandled",
        "unknown event",
        "unsupported",
        "event type",
        "not supported",
        "unexpected event",
        "hookdrill.doctor",
    ];
    words.iter().any(|word| text.contains(word))
}

/// Whether two answers are the same but for numbers, ids and times.
pub(super) fn alike(one: &Observation, other: &Observation) -> bool {
    let plain = |o: &Observation| -> String {
        let text =
            o.text().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        text.collect::<Vec<_>>().join(" ")
    };
    one.status() == other.status() && plain(one) == plain(other)
}

/// What is wrong besides, with a handler that takes good deliveries and refuses bad ones.
pub(in crate::doctor) fn details(seen: &Seen) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(other_spelling(seen));
    found.extend(several(seen));
    found.extend(time(seen));
    found.extend(other_deliveries(seen));
    found
}

/// It was refused in no other way than that: the good one of the same moment was taken.
fn other_spelling(seen: &Seen) -> Option<Found> {
    let spelled = Probe::Spelled(Spelling::Node);
    (seen.accepted(spelled) == Some(false)).then(|| {
        let by = "the bytes that it verifies are those of a writer with two blanks a level";
        Found::error(Cause::BodyReserialised, &[spelled, Probe::Genuine]).detail(by)
    })
}

fn several(seen: &Seen) -> Option<Found> {
    let cause = match (seen.accepted(Probe::GoodFirst)?, seen.accepted(Probe::GoodLast)?) {
        (true, true) => return None,
        (true, false) => (Cause::OnlyFirstSignature, [Probe::GoodLast, Probe::GoodFirst]),
        (false, true) => (Cause::OnlyLastSignature, [Probe::GoodFirst, Probe::GoodLast]),
        (false, false) => (Cause::SeveralSignaturesRefused, [Probe::GoodFirst, Probe::GoodLast]),
    };
    Some(Found::error(cause.0, &cause.1))
}

fn time(seen: &Seen) -> Option<Found> {
    let both = [Probe::Old, Probe::Future];
    match (seen.accepted(Probe::Old)?, seen.accepted(Probe::Future)?) {
        (false, false) => None,
        (true, true) => Some(Found::error(Cause::NoTolerance, &both)),
        (true, false) => Some(Found::error(Cause::OneSidedTolerance, &both)),
        (false, true) => Some(Found::note(Cause::FutureAccepted, &[Probe::Future, Probe::Old])),
    }
}

/// Good deliveries of other kinds than the first.
fn other_deliveries(seen: &Seen) -> Vec<Found> {
    let refused = |probe: Probe| seen.accepted(probe) == Some(false);
    let mut found = Vec::new();
    if refused(Probe::Again) {
        found.push(Found::error(Cause::RedeliveryRefused, &[Probe::Again]));
    }
    if refused(Probe::Known) {
        found.push(Found::error(Cause::EventTypeRefused, &[Probe::Known, Probe::Genuine]));
    }
    if refused(Probe::OtherVersion) {
        found.push(Found::note(Cause::ApiVersionRefused, &[Probe::OtherVersion]));
    }
    found
}
