//! What may go wrong with the way of a delivery to the endpoint, as data: the connection, the framing, the bytes.
//!
//! Must not know: how it is carried out, sockets.

use super::fault::EventSelector;
use crate::time::format_duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A fault of the transport family. The event stays owed, whatever becomes of the attempts that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct TransportFault {
    /// Which events.
    pub of: EventSelector,
    /// What happens to an attempt.
    pub how: Transport,
    /// The first so many attempts that are not lost otherwise; every one when absent.
    pub first: Option<u32>,
    /// Chance with which a delivery has it, above 0 and at most 1.
    pub probability: f64,
}

/// What happens to one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The body comes in pieces over a time. To be accepted.
    SlowUpload {
        /// From the first piece to the last, milliseconds.
        over_ms: u64,
    },
    /// On a connection of its own, closed afterwards. To be accepted.
    FreshConnection,
    /// `Transfer-Encoding: chunked` instead of a `Content-Length`. To be accepted.
    Chunked,
    /// `Content-Type: text/plain`. Libraries differ.
    WrongContentType,
    /// Compressed after it was signed, as a proxy might do, with `Content-Encoding: gzip`. Libraries differ.
    Gzip,
    /// To the path with a slash at its end more, or less. An app that redirects refuses by it; nobody follows.
    OtherSlash,
    /// Without TLS: to an `https` target over plain HTTP, to an `http` one with the `X-Forwarded-Proto: http` of a proxy
    /// in front of it. An app that redirects refuses by it; nobody follows.
    PlainHttp,
    /// A megabyte of blanks after the event, rightly signed. Libraries differ.
    OverSize,
    /// The body ends before its `Content-Length`, and the sender says that no more will come. To be refused.
    Truncated,
    /// No bytes under the signature of the whole body. To be refused.
    Empty,
    /// One byte that no UTF-8 has, rightly signed. To be refused.
    InvalidUtf8,
    /// The connection is reset in the middle of the body. Nobody can answer, nothing can have been processed.
    AbortMidBody,
    /// The connection is reset when the reply has arrived, but before it is read: indefinite.
    ResetBeforeReply,
    /// The sender closes the connection so long after the request has left, whatever the service does: indefinite.
    GiveUp {
        /// Milliseconds after the last byte.
        after_ms: u64,
    },
}

/// What an endpoint may do with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It must be accepted.
    Accept,
    /// It must not be accepted.
    Refuse,
    /// Either is right.
    Either,
    /// The sender does not learn it: the event may have been processed.
    Indefinite,
}

impl Transport {
    /// Every word of a scenario file, with what it stands for. Times are those that hold when none is given.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("slow_upload", Self::SlowUpload { over_ms: 1_000 }),
        ("fresh_connection", Self::FreshConnection),
        ("chunked", Self::Chunked),
        ("wrong_content_type", Self::WrongContentType),
        ("gzip", Self::Gzip),
        ("other_slash", Self::OtherSlash),
        ("plain_http", Self::PlainHttp),
        ("over_size", Self::OverSize),
        ("truncated", Self::Truncated),
        ("empty", Self::Empty),
        ("invalid_utf8", Self::InvalidUtf8),
        ("abort_mid_body", Self::AbortMidBody),
        ("reset_before_reply", Self::ResetBeforeReply),
        ("give_up", Self::GiveUp { after_ms: 0 }),
    ];

    /// The word in files and in the history.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SlowUpload { .. } => "slow_upload",
            Self::FreshConnection => "fresh_connection",
            Self::Chunked => "chunked",
            Self::WrongContentType => "wrong_content_type",
            Self::Gzip => "gzip",
            Self::OtherSlash => "other_slash",
            Self::PlainHttp => "plain_http",
            Self::OverSize => "over_size",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::AbortMidBody => "abort_mid_body",
            Self::ResetBeforeReply => "reset_before_reply",
            Self::GiveUp { .. } => "give_up",
        }
    }

    /// What the endpoint may do with such an attempt.
    pub const fn treatment(self) -> Treatment {
        match self {
            Self::SlowUpload { .. } | Self::FreshConnection | Self::Chunked => Treatment::Accept,
            Self::WrongContentType | Self::Gzip | Self::OtherSlash | Self::PlainHttp | Self::OverSize => {
                Treatment::Either
            }
            Self::Truncated | Self::Empty | Self::InvalidUtf8 | Self::AbortMidBody => Treatment::Refuse,
            Self::ResetBeforeReply | Self::GiveUp { .. } => Treatment::Indefinite,
        }
    }

    /// Whether it makes a bad payload that can be answered: a safe 4xx is the right answer.
    pub const fn is_bad_payload(self) -> bool {
        matches!(self, Self::Truncated | Self::Empty | Self::InvalidUtf8)
    }

    /// What happens, in words.
    pub fn what(self) -> String {
        let span = |ms| format_duration(Duration::from_millis(ms));
        match self {
            Self::SlowUpload { over_ms } => format!("uploaded slowly, over {}", span(over_ms)),
            Self::FreshConnection => "on a fresh connection".to_owned(),
            Self::Chunked => "in chunks, without a length".to_owned(),
            Self::WrongContentType => "with a wrong content type".to_owned(),
            Self::Gzip => "compressed with gzip".to_owned(),
            Self::OtherSlash => "to the path with or without the other slash".to_owned(),
            Self::PlainHttp => "over plain HTTP".to_owned(),
            Self::OverSize => "with a megabyte of blanks behind".to_owned(),
            Self::Truncated => "cut off before its length".to_owned(),
            Self::Empty => "without its body".to_owned(),
            Self::InvalidUtf8 => "with a byte that is not UTF-8".to_owned(),
            Self::AbortMidBody => "reset in the middle of the body".to_owned(),
            Self::ResetBeforeReply => "reset before the reply is read".to_owned(),
            Self::GiveUp { after_ms } => format!("given up {} after it has left", span(after_ms)),
        }
    }
}

impl TransportFault {
    /// What happens, in words.
    pub(super) fn what(&self) -> String {
        let attempts = match self.first {
            None => "each attempt".to_owned(),
            Some(1) => "the first attempt".to_owned(),
            Some(first) => format!("each of the first {first} attempts"),
        };
        let how = self.how.what();
        let chance = chance(self.probability);
        format!("{attempts} of `{}` goes {how}{chance}", self.of)
    }

    /// What stays owed, in words.
    pub(super) const fn owed(&self) -> &'static str {
        match self.how.treatment() {
            Treatment::Accept => "to be accepted; everything stays owed",
            Treatment::Refuse => "such an attempt must not be accepted; everything stays owed",
            Treatment::Either => "such an attempt may be accepted or refused; everything stays owed",
            Treatment::Indefinite => {
                "such an attempt is indefinite: zero or one effect until a later one is acknowledged, never two; \
                 everything stays owed"
            }
        }
    }
}

/// `, with a chance of 0.25`; nothing when it is certain.
pub(super) fn chance(probability: f64) -> String {
    if probability < 1.0 { format!(", with a chance of {probability}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_stands_for_the_fault_that_says_it() {
        for (word, how) in Transport::WORDS {
            assert_eq!(how.word(), *word);
            let saved = serde_json::to_value(how).expect("a value");
            let key = saved.as_str().map(str::to_owned).or_else(|| saved.as_object()?.keys().next().cloned());
            assert_eq!(key.as_deref(), Some(*word), "the saved plan says it in the same word");
            assert!(!how.what().is_empty());
        }
    }
}
