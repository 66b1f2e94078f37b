//! Faults as data: what goes wrong, addressed to events, doubles or the process. Each says what stays owed.
//!
//! Must not know: how a fault is carried out.

use super::{
    criterion::Need,
    downstream::{DownstreamFault, KillAtCall},
    model::Between,
    transport::TransportFault,
};
use crate::time::format_duration;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// One `[[fault]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Story it is limited to; all stories when absent.
    pub story: Option<String>,
    /// What it does.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The same event again, same id, signed afresh. Owed: one effect.
    Duplicate {
        /// Which events.
        of: EventSelector,
        /// Deliveries in all, the genuine one included (2 or more).
        copies: u32,
        /// When the further copies come.
        spacing: DuplicateSpacing,
    },
    /// Other order within each instance. Everything stays owed.
    Reorder {
        /// How.
        order: Order,
    },
    /// Comes later than planned. Stays owed.
    Delay {
        /// Which events.
        of: EventSelector,
        /// By how much.
        by: Duration,
    },
    /// The first attempts never arrive; the sender's schedule tries again. Stays owed.
    Drop {
        /// Which events.
        of: EventSelector,
        /// How many attempts are lost; [`ALL_ATTEMPTS`] of an event that never arrives.
        first: u32,
    },
    /// The store of the service is busy for a while: every transaction is undone; simulated only. Stays owed.
    StoreBusy {
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// An extra delivery with the id of the genuine event, the content of a customer who does not exist, and a bad
    /// signature, just before the genuine one. Owed: nothing, and no trace; the genuine one stays owed.
    Forged {
        /// Which events are imitated.
        of: EventSelector,
        /// What is wrong with the signature.
        signature: BadSignature,
    },
    /// An extra, rightly signed delivery whose body is no event. Owed: a safe 4xx answer.
    Malformed {
        /// Before which events it comes.
        before: EventSelector,
        /// What is wrong with the body.
        body: MalformedBody,
    },
    /// An extra, rightly signed event of a type that no app knows. Owed: a 2xx answer and no effect.
    UnknownType {
        /// Before which events it comes.
        before: EventSelector,
    },
    /// The signing secret is being rolled: from `from` on, every header carries two `v1`, the good one at `good`.
    SecretRoll {
        /// From this time of the run.
        from: Duration,
        /// Where the signature of the secret that the app knows stands.
        good: Place,
    },
    /// A double answers with an error for a while.
    Outage {
        /// Which double.
        of: Double,
        /// From this time of the run, drawn when it is a range.
        from: Between,
        /// For how long.
        lasts: Duration,
        /// Status code of the answers (400–599).
        answer: u16,
        /// `Retry-After` of the answers.
        retry_after: Option<Duration>,
    },
    /// A double takes its time for a while.
    Slow {
        /// Which double.
        of: Double,
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
        /// How long each answer takes.
        by: Duration,
    },
    /// The service is killed (SIGKILL) as soon as it has acknowledged an event, and started again later. Stays owed.
    Kill {
        /// Which event's first acknowledgement.
        on_ack_of: EventSelector,
        /// Time until it is started again.
        restart_after: Duration,
    },
    /// The service is down for a while, however many processes it has. Stays owed.
    Down {
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// One process of the service is killed (SIGKILL) at moments drawn from the seed, and started again later; the others
    /// work on. Stays owed.
    RandomKills {
        /// How often.
        times: u32,
        /// From this time of the run.
        from: Duration,
        /// For how long.
        lasts: Duration,
        /// Time until the process is started again, drawn for each kill.
        restart_after: Between,
    },
    /// A service process crashes at a scheduling point drawn from the seed, and is started again later; simulated only.
    /// Stays owed.
    Crash {
        /// Time until it is started again.
        restart_after: Duration,
    },
    /// The way of some attempts is disturbed. Stays owed.
    Transport(TransportFault),
    /// Some calls of the service to a double are disturbed. Everything stays owed.
    Downstream(DownstreamFault),
    /// The service is killed while one of its calls is held, before or after it took effect. Stays owed.
    KillAtCall(KillAtCall),
}

/// So many lost attempts are all of them: the event never arrives. Nothing is owed for it then, unless Stripe's API is
/// there to be asked.
pub const ALL_ATTEMPTS: u32 = u32::MAX;

/// When further copies of a duplicate come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateSpacing {
    /// Each this long after the one before; `0s` is concurrent.
    After(Duration),
    /// Each this long after the one before, drawn for each.
    Drawn(Between),
    /// All once more after the quiet phase, in the same order: the full replay.
    AfterEverything,
}

/// An order of the deliveries of one instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// First these, in this order; then the rest as recorded.
    First(Vec<EventSelector>),
    /// Random, but no event moves by this many places or more.
    Shuffle {
        /// Size of the window, in events (2 or more).
        window: u32,
    },
    /// Last first.
    Reverse,
}

/// Names events by type (`invoice.paid`), by glob (`customer.subscription.*`, `*`), or by either and the position
/// among the events of a recording that it matches (`invoice.paid#2`, from 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSelector {
    /// Type or glob, `*` matching any text.
    pub pattern: String,
    /// Position among the events that the pattern matches, from 1.
    pub position: Option<u32>,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadSignature {
    /// Made with another secret.
    WrongSecret,
    /// Right, but 301 s old: just outside the tolerance of 300 s.
    #[serde(rename = "stale_301s")]
    Stale301s,
    /// Right, but ten minutes old.
    #[serde(rename = "stale_10m")]
    Stale10m,
    /// Right for another body: what is sent differs in one byte from what was signed. The plan holds the body that is
    /// sent; the sender flips a byte of it before it signs.
    TamperedBody,
    /// No header at all.
    MissingHeader,
    /// A header that is no signature.
    Garbage,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MalformedBody {
    /// JSON that ends in the middle.
    TruncatedJson,
    /// No bytes.
    Empty,
    /// JSON, but not an event.
    NotAnEvent,
}

/// Which of two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The first.
    First,
    /// The last.
    Last,
}

/// A doubled downstream API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Double {
    /// The CRM.
    Crm,
    /// The support desk.
    Support,
    /// Stripe's API.
    Stripe,
    /// The receiver of alerts.
    Alerts,
}

impl EventSelector {
    /// Reads `"invoice.paid"`, `"customer.*"`, `"*"`, `"invoice.paid#2"`.
    ///
    /// # Errors
    /// Says what is wrong: empty, characters that no event type has, a position that is not a number from 1.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let (pattern, position) = match text.split_once('#') {
            None => (text, None),
            Some((pattern, digits)) => {
                let number = digits.parse().ok().filter(|number| *number > 0 && !digits.starts_with('+'));
                (pattern, Some(number.ok_or_else(|| SelectorError::Position(digits.to_owned()))?))
            }
        };
        if pattern.is_empty() {
            return Err(SelectorError::Empty);
        }
        if let Some(odd) =
            pattern.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._*".contains(*c)))
        {
            return Err(SelectorError::Character(odd));
        }
        Ok(Self { pattern: pattern.to_owned(), position })
    }

    /// Whether the pattern matches an event type; the position is not looked at.
    pub fn matches(&self, kind: &str) -> bool {
        glob(self.pattern.as_bytes(), kind.as_bytes())
    }

    /// For each event type of a recording, in order: whether that very event is named.
    pub fn picks<'k>(&self, kinds: impl IntoIterator<Item = &'k str>) -> Vec<bool> {
        let mut seen = 0;
        kinds
            .into_iter()
            .map(|kind| {
                let matched = self.matches(kind);
                seen += u32::from(matched);
                matched && self.position.is_none_or(|position| position == seen)
            })
            .collect()
    }
}

/// `*` matches any text, also none. Iterative with one point to go back to, so that no pattern takes long.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            (p, t) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

impl fmt::Display for EventSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)?;
        self.position.map_or(Ok(()), |position| write!(f, "#{position}"))
    }
}

/// Why a text names no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing before the `#`, or nothing at all.
    #[error(
        "no event type; write a type (\"invoice.paid\"), a glob (\"invoice.*\", \"*\") or a type and position (\"invoice.paid#2\")"
    )]
    Empty,
    /// A character that no event type has.
    #[error(
        "event types have no `{0}`; write a type (\"invoice.paid\"), a glob (\"invoice.*\") or a type and position (\"invoice.paid#2\")"
    )]
    Character(char),
    /// What follows `#` is no number from 1.
    #[error("`#{0}` is no position; write a number from 1, like \"invoice.paid#2\"")]
    Position(String),
}

macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value with its word in files.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word in files.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

words!(BadSignature {
    WrongSecret => "wrong_secret",
    Stale301s => "stale_301s",
    Stale10m => "stale_10m",
    TamperedBody => "tampered_body",
    MissingHeader => "missing_header",
    Garbage => "garbage",
});

words!(MalformedBody { TruncatedJson => "truncated_json", Empty => "empty", NotAnEvent => "not_an_event" });

words!(Place { First => "first", Last => "last" });

words!(Double { Crm => "crm", Support => "support", Stripe => "stripe", Alerts => "alerts" });

impl Double {
    /// What the target must have so that faults of this double can be carried out.
    const fn needs(self) -> &'static [Need] {
        match self {
            Self::Crm => &[Need::Crm],
            Self::Support => &[Need::Support],
            Self::Stripe => &[Need::Stripe],
            Self::Alerts => &[Need::Alerts],
        }
    }
}

impl Fault {
    /// The fault in words, with what stays owed.
    pub fn describe(&self) -> String {
        let scope = self.story.as_ref().map_or(String::new(), |story| format!(" (story {story} only)"));
        format!("{}{scope}; {}", self.kind.what(), self.kind.owed())
    }
}

impl FaultKind {
    /// The key in a scenario file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Delay { .. } => "delay",
            Self::Drop { .. } => "drop",
            Self::StoreBusy { .. } => "store_busy",
            Self::Forged { .. } => "forged",
            Self::Malformed { .. } => "malformed",
            Self::UnknownType { .. } => "unknown_type",
            Self::SecretRoll { .. } => "secret_roll",
            Self::Outage { .. } => "outage",
            Self::Slow { .. } => "slow",
            Self::Kill { .. } | Self::KillAtCall(_) => "kill",
            Self::Down { .. } => "down",
            Self::RandomKills { .. } => "random_kills",
            Self::Crash { .. } => "crash",
            Self::Transport(_) => "transport",
            Self::Downstream(_) => "downstream",
        }
    }

    /// What the target must have so that the fault can be carried out.
    pub const fn needs(&self) -> &'static [Need] {
        match self {
            Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::Forged { .. }
            | Self::Malformed { .. }
            | Self::UnknownType { .. }
            | Self::SecretRoll { .. }
            | Self::Transport(_) => &[],
            Self::Outage { of, .. } | Self::Slow { of, .. } => of.needs(),
            Self::Downstream(fault) => fault.calls.of.needs(),
            Self::Kill { .. }
            | Self::Down { .. }
            | Self::Crash { .. }
            | Self::StoreBusy { .. }
            | Self::RandomKills { .. }
            | Self::KillAtCall(_) => &[Need::Process],
        }
    }

    /// What happens.
    fn what(&self) -> String {
        let span = |span: &Duration| format_duration(*span);
        match self {
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::AfterEverything } => {
                format!("`{of}` delivered {copies} times, the further ones as a replay after everything")
            }
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::After(gap) } => {
                format!("`{of}` delivered {copies} times, {} apart", span(gap))
            }
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::Drawn(gap) } => {
                format!("`{of}` delivered {copies} times, {} apart", drawn(*gap))
            }
            Self::Reorder { order } => order.what(),
            Self::Delay { of, by } => format!("`{of}` comes {} later", span(by)),
            Self::StoreBusy { from, lasts } => format!("the store is busy from {} for {}", span(from), span(lasts)),
            Self::Drop { of, first: ALL_ATTEMPTS } => format!("every attempt of `{of}` is lost"),
            Self::Drop { of, first: 1 } => format!("the first attempt of `{of}` is lost"),
            Self::Drop { of, first } => format!("the first {first} attempts of `{of}` are lost"),
            Self::Forged { of, signature } => format!("before `{of}` a forged one comes ({})", signature.word()),
            Self::Malformed { before, body } => format!("before `{before}` a malformed body comes ({})", body.word()),
            Self::UnknownType { before } => format!("before `{before}` an event of an unknown type comes"),
            Self::SecretRoll { from, good } => {
                format!("from {} on headers carry two signatures, the good one {}", span(from), good.word())
            }
            Self::Outage { of, from, lasts, answer, retry_after } => {
                let after = retry_after.map_or(String::new(), |after| format!(" (retry after {})", span(&after)));
                format!("{} answers {answer}{after} from {} for {}", of.word(), drawn(*from), span(lasts))
            }
            Self::Slow { of, from, lasts, by } => {
                format!("{} takes {} from {} for {}", of.word(), span(by), span(from), span(lasts))
            }
            Self::Kill { on_ack_of, restart_after } => format!(
                "the service is killed when it has acknowledged the first `{on_ack_of}`, started again {} later",
                span(restart_after)
            ),
            Self::Down { from, lasts } => format!("the service is down from {} for {}", span(from), span(lasts)),
            Self::RandomKills { times, from, lasts, restart_after } => format!(
                "a process of the service is killed {times} times from {} for {}, started again {} later",
                span(from),
                span(lasts),
                drawn(*restart_after)
            ),
            Self::Crash { restart_after } => {
                format!("the service crashes at any point, started again {} later", span(restart_after))
            }
            Self::Transport(fault) => fault.what(),
            Self::Downstream(fault) => fault.what(),
            Self::KillAtCall(kill) => kill.what(),
        }
    }

    /// What stays owed.
    const fn owed(&self) -> &'static str {
        match self {
            Self::Drop { first: ALL_ATTEMPTS, .. } => "nothing stays owed, unless Stripe's API is there to be asked",
            Self::Duplicate { .. } => "owed: one effect for each event, however often it comes",
            Self::Reorder { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::StoreBusy { .. }
            | Self::SecretRoll { .. }
            | Self::Outage { .. }
            | Self::Slow { .. }
            | Self::Kill { .. }
            | Self::Down { .. }
            | Self::Crash { .. }
            | Self::RandomKills { .. }
            | Self::Downstream(_)
            | Self::KillAtCall(_) => "everything stays owed",
            Self::Transport(fault) => fault.owed(),
            Self::Forged { .. } => "owed: a refusal and no trace; the genuine one stays owed",
            Self::Malformed { .. } => "owed: a safe 4xx answer; the genuine one stays owed",
            Self::UnknownType { .. } => "owed: a 2xx answer and no effect; the genuine one stays owed",
        }
    }
}

fn drawn(span: Between) -> String {
    match (format_duration(span.least), format_duration(span.most)) {
        (least, most) if least == most => least,
        (least, most) => format!("{least} to {most}"),
    }
}

impl Order {
    fn what(&self) -> String {
        match self {
            Self::First(first) => {
                let list: Vec<String> = first.iter().map(|selector| format!("`{selector}`")).collect();
                format!("of each customer first {}, then the rest as recorded", list.join(", "))
            }
            Self::Shuffle { window } => format!("events of each customer shuffled within a window of {window}"),
            Self::Reverse => "events of each customer last first".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_parse_show_and_match() {
        for (text, yes, no) in [
            ("invoice.paid", "invoice.paid", "invoice.paid2"),
            ("invoice.*", "invoice.paid", "invoice_payment.paid"),
            ("*", "anything", "\u{0}never"),
            ("*.subscription.*d", "customer.subscription.updated", "customer.subscription.updates"),
            ("invoice.*paid*", "invoice.paid", "invoice.pai"),
        ] {
            let selector = EventSelector::parse(text).expect(text);
            assert_eq!(selector.to_string(), text);
            assert!(selector.matches(yes), "{text} {yes}");
            assert!(text == "*" || !selector.matches(no), "{text} {no}");
        }
        for text in
            ["", "#1", "invoice.paid#", "invoice.paid#0", "invoice.paid#x", "invoice.paid#+1", "Invoice.paid", "a b"]
        {
            assert!(EventSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_position_counts_only_what_the_pattern_matches() {
        let kinds = ["invoice.created", "invoice.paid", "charge.succeeded", "invoice.paid"];
        let picks = |text: &str| EventSelector::parse(text).expect(text).picks(kinds);
        assert_eq!(picks("invoice.paid#2"), [false, false, false, true]);
        assert_eq!(picks("invoice.*#2"), [false, true, false, false]);
        assert_eq!(picks("charge.succeeded#2"), [false; 4]);
        assert_eq!(picks("*"), [true; 4]);
    }

    #[test]
    fn a_fault_says_what_happens_and_what_stays_owed() {
        let of = EventSelector::parse("invoice.paid").expect("a selector");
        let kind = FaultKind::Forged { of, signature: BadSignature::Stale301s };
        assert_eq!(
            Fault { story: Some("purchase".into()), kind }.describe(),
            "before `invoice.paid` a forged one comes (stale_301s) (story purchase only); \
             owed: a refusal and no trace; the genuine one stays owed"
        );
    }

    #[test]
    fn words_are_those_of_the_saved_plan() {
        for (word, value) in BadSignature::WORDS {
            assert_eq!(serde_json::to_value(value).expect("a word"), *word);
        }
        for (word, value) in MalformedBody::WORDS {
            assert_eq!(serde_json::to_value(value).expect("a word"), *word);
        }
    }
}
