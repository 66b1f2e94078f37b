//! What came back: answers, the look at TLS, variables. Texts are redacted before they get here.
//!
//! Must not know: what any of it means.

use super::case::Probe;
use crate::time::Timestamp;

/// Everything that was seen of one endpoint.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The endpoint.
    pub url: http::Uri,
    /// Whether a signing secret was given.
    pub with_secret: bool,
    /// Whether it begins as Stripe's secrets do.
    pub secret_looks_right: bool,
    /// Whether the health endpoint was named, not guessed.
    pub health_named: bool,
    /// Variables that the app needs.
    pub expected: Vec<Expected>,
    /// The handshake, for an https URL.
    pub tls: Option<TlsLook>,
    /// When it was looked.
    pub now_secs: i64,
    /// Requests and answers, in order.
    pub observations: Vec<Observation>,
}

/// What [`Observation::leaks`] calls the signature that a delivery lacked.
pub const SIGNATURE: &str = "signature";

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was tried.
    pub probe: Probe,
    /// The same in words.
    pub sent: String,
    /// What came back.
    pub answer: Answer,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// What the text lets out that nobody outside should see, as [`crate::redact::leaks`] names it, or [`SIGNATURE`].
    pub leaks: Vec<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer.
    Answered {
        /// Status code.
        status: u16,
        /// Names in lower case, with their values.
        headers: Vec<(String, String)>,
        /// The beginning of the body, redacted.
        text: String,
    },
    /// Nobody could be connected to.
    NoConnection(NoConnection, String),
    /// Connected, and no answer within so many milliseconds.
    Silent(u64),
    /// Connected, and broken off.
    BrokenOff(String),
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoConnection {
    /// Nobody listens.
    Refused,
    /// The name is not known.
    NoSuchHost,
    /// Nothing came back in time.
    TimedOut,
    /// Anything else.
    Other,
}

/// A variable that the app needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub state: ExpectedState,
}

/// Whether a variable is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedState {
    /// With a value.
    Set,
    /// With nothing in it.
    Empty,
    /// Not at all.
    Absent,
}

/// A handshake, looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsLook {
    /// As it was agreed on.
    pub version: Option<String>,
    /// As they were sent, the server's own first.
    pub certificates: Vec<Certificate>,
    /// Why the sender would hang up.
    pub trouble: Option<TlsTrouble>,
    /// The same in the library's words.
    pub words: String,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// From when, Unix seconds.
    pub not_before: i64,
    /// Until when, Unix seconds.
    pub not_after: i64,
}

/// What is wrong with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsTrouble {
    /// Nobody but itself vouches for the certificate.
    SelfSigned,
    /// It is over.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// An authority is missing between it and those that are known.
    IncompleteChain,
    /// An authority that nobody knows.
    UnknownAuthority,
    /// Only versions before TLS 1.2.
    TooOld,
    /// It speaks no TLS, or breaks off.
    Broken,
}

impl Seen {
    /// The observation of a probe, with its number from 1.
    pub fn of(&self, probe: Probe) -> Option<(usize, &Observation)> {
        self.observations.iter().enumerate().find(|(_, o)| o.probe == probe).map(|(at, o)| (at + 1, o))
    }

    /// Whether it was acknowledged. `None` when it was not asked, or a limit on the rate answered.
    pub fn accepted(&self, probe: Probe) -> Option<bool> {
        let (_, observation) = self.of(probe)?;
        (!observation.limited()).then(|| observation.accepted())
    }

    /// The status of a probe's answer.
    pub fn status(&self, probe: Probe) -> Option<u16> {
        self.of(probe).and_then(|(_, o)| o.status())
    }

    /// The first observation, the one that decides whether anything else is worth asking.
    pub fn first(&self) -> Option<&Observation> {
        self.observations.first()
    }

    /// Whether the endpoint is this machine.
    pub fn loopback(&self) -> bool {
        is_loopback(self.url.host().unwrap_or_default())
    }
}

/// Whether a host is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Observation {
    /// Whether it was acknowledged.
    pub fn accepted(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether a limit on the rate answered.
    pub fn limited(&self) -> bool {
        self.status() == Some(429) || (self.status() == Some(503) && self.header("retry-after").is_some())
    }

    /// Status code.
    pub const fn status(&self) -> Option<u16> {
        match &self.answer {
            Answer::Answered { status, .. } => Some(*status),
            Answer::NoConnection(..) | Answer::Silent(_) | Answer::BrokenOff(_) => None,
        }
    }

    /// The beginning of the answer's body.
    pub fn text(&self) -> &str {
        match &self.answer {
            Answer::Answered { text, .. } => text,
            Answer::NoConnection(..) | Answer::Silent(_) | Answer::BrokenOff(_) => "",
        }
    }

    /// First value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        match &self.answer {
            Answer::Answered { headers, .. } => headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()),
            Answer::NoConnection(..) | Answer::Silent(_) | Answer::BrokenOff(_) => None,
        }
    }

    /// Whether the answer is a page for people. Frameworks call any text `text/html` (Flask, Django, PHP): it needs markup too.
    pub fn is_page(&self) -> bool {
        let text = self.text().trim_start().to_lowercase();
        let markup = || {
            text.match_indices('<')
                .any(|(at, _)| text[at + 1..].starts_with(|c: char| c == '!' || c.is_ascii_lowercase()))
        };
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) && markup()
            || text.starts_with("<!doctype html")
            || text.starts_with("<html")
    }

    /// What came back, in a line.
    pub fn got(&self) -> String {
        match &self.answer {
            Answer::Answered { status, text, .. } => {
                let to = self.header("location").map_or(String::new(), |to| format!(" to {to}"));
                let says = one_line(text, 160);
                let says = if says.is_empty() { String::new() } else { format!(": {says}") };
                format!("{status}{to} in {} ms{says}", self.took_ms)
            }
            Answer::NoConnection(_, words) => format!("no connection: {words}"),
            Answer::Silent(after) => format!("no answer within {after} ms"),
            Answer::BrokenOff(words) => format!("broken off: {words}"),
        }
    }
}

/// A text in one line of at most so many characters, without what a terminal would obey.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

impl Certificate {
    /// Days that are left at this time; negative when it is over.
    pub const fn days_left(&self, now_secs: i64) -> i64 {
        (self.not_after - now_secs).div_euclid(86_400)
    }

    /// Whether it vouches for itself.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// The day on which it ends.
    pub fn last_day(&self) -> String {
        Timestamp::from_secs(self.not_after).to_string().chars().take(10).collect()
    }
}
