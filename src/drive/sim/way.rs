//! The way of a delivery in the simulated world: what a transport fault makes of its arrival, and of what the sender sees.
//!
//! The refusals are those of the shell of the service (its HTTP library and the limits of its routes), which has no
//! simulated twin. Must not know: what is right.

use super::world::Answer;
use crate::{history::record::Outcome, scenario::transport::Transport, service::door::Knock};

/// How an attempt goes.
pub(super) struct OnTheWay {
    /// How much longer than the network takes the whole of it is on its way; `None` when it never arrives.
    pub(super) arrives_us: Option<u64>,
    /// When the sender stops waiting, after it began.
    pub(super) ends_us: u64,
    /// How it ends then.
    pub(super) answer: Answer,
}

/// The way of an attempt whose sender would wait `timeout_ms`, on a network that takes `network_us`.
pub(super) fn on_the_way(how: Option<Transport>, timeout_ms: u64, network_us: u64) -> OnTheWay {
    let timeout = |more_ms: u64| {
        let answer = Answer::none(Outcome::Indefinite, format!("no answer within {} ms", timeout_ms + more_ms));
        OnTheWay { arrives_us: Some(network_us), ends_us: (timeout_ms + more_ms).saturating_mul(1000), answer }
    };
    match how {
        Some(Transport::SlowUpload { over_ms }) => {
            let over_us = over_ms.saturating_mul(1000);
            OnTheWay { arrives_us: Some(network_us.saturating_add(over_us)), ..timeout(over_ms) }
        }
        Some(Transport::AbortMidBody) => {
            let answer = Answer::none(Outcome::Refused, "reset in the middle of the body, by a fault".to_owned());
            OnTheWay { arrives_us: None, ends_us: network_us, answer }
        }
        Some(Transport::GiveUp { after_ms }) => {
            let reason = format!("given up {after_ms} ms after it had left, by a fault");
            let ends_us = after_ms.saturating_mul(1000);
            OnTheWay { ends_us, answer: Answer::none(Outcome::Indefinite, reason), ..timeout(0) }
        }
        Some(
            Transport::FreshConnection
            | Transport::Chunked
            | Transport::WrongContentType
            | Transport::Gzip
            | Transport::OtherSlash
            | Transport::PlainHttp
            | Transport::OverSize
            | Transport::Truncated
            | Transport::Empty
            | Transport::InvalidUtf8
            | Transport::ResetBeforeReply,
        )
        | None => timeout(0),
    }
}

/// What the service answers to what has arrived, when it does not get as far as its core.
pub(super) const fn refusal(how: Option<Transport>) -> Option<(u16, &'static str)> {
    match how {
        Some(Transport::Truncated) => Some((400, "the body cannot be read")),
        Some(Transport::OverSize) => Some((413, "the body cannot be read")),
        Some(Transport::Empty | Transport::Gzip) => Some((400, "the signature does not fit")),
        Some(Transport::InvalidUtf8) => Some((400, "the body is not an event")),
        Some(
            Transport::SlowUpload { .. }
            | Transport::FreshConnection
            | Transport::Chunked
            | Transport::WrongContentType
            | Transport::OtherSlash
            | Transport::PlainHttp
            | Transport::AbortMidBody
            | Transport::ResetBeforeReply
            | Transport::GiveUp { .. },
        )
        | None => None,
    }
}

/// What the door of the service sees of a delivery.
pub(super) fn knock(how: Option<Transport>, body: &str) -> Knock<'_> {
    Knock {
        path: if how == Some(Transport::OtherSlash) { "/webhooks/stripe/" } else { "/webhooks/stripe" },
        forwarded_proto: (how == Some(Transport::PlainHttp)).then_some("http"),
        cookie: false,
        length: body.len(),
    }
}

/// What the sender sees of an answer that has come.
pub(super) fn seen(how: Option<Transport>, answer: &Answer) -> Option<Answer> {
    let reset = how == Some(Transport::ResetBeforeReply) && answer.status.is_some();
    reset.then(|| Answer::none(Outcome::Indefinite, "reset before the reply was read, by a fault".to_owned()))
}
