//! Faults as data: what goes wrong, addressed to events, doubles or the process. Each says what stays owed.
//!
//! Must not know: how a fault is carried out.

use super::{
    criterion::Need,
    downstream::{DownstreamFault, KillAtCall},
    forms::{BodyForm, Expects, Foreign, GoodSignature},
    model::Between,
    transport::TransportFault,
};
use crate::time::format_duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use super::{
    clock::{TOLERANCE, is_beyond_tolerance, offset},
    double::Double,
    forms::BadSignature,
    selector::{EventSelector, SelectorError},
};

/// One `[[fault]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Story it is limited to; all stories when absent.
    pub story: Option<String>,
    /// What it does.
    pub kind: FaultKind,
    /// The right reaction to the deliveries that it adds, when the scenario says another than the usual one.
    pub expects: Option<Expects>,
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
        /// In which form the further copies are written; as the genuine one when absent.
        body: Option<BodyForm>,
    },
    /// The event in another spelling or shape, rightly signed. Stays owed.
    Body {
        /// Which events.
        of: EventSelector,
        /// Which form.
        how: BodyForm,
    },
    /// A good signature of an unusual form. Stays owed.
    Signed {
        /// Which events.
        of: EventSelector,
        /// Which form.
        how: GoodSignature,
    },
    /// All leave at one moment. Stays owed.
    Burst {
        /// Which events.
        of: EventSelector,
        /// When.
        at: Duration,
    },
    /// Another event with an id of its own for the same change. Owed: one effect.
    SecondEvent {
        /// Which events.
        of: EventSelector,
        /// How much later than the genuine one.
        spacing: Duration,
    },
    /// The same event from a second endpoint with a secret of its own. Owed: one effect.
    SecondEndpoint {
        /// Which events.
        of: EventSelector,
    },
    /// An event of somebody or something else, rightly signed. Owed: no effect.
    Foreign {
        /// Before which events it comes.
        before: EventSelector,
        /// Whose.
        how: Foreign,
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
    /// The store of the service is locked by somebody else for a while: nothing can be written. Stays owed.
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
    /// Every process of the service is told to stop (SIGTERM): it finishes what it has begun and takes nothing new. When all
    /// have ended they are started again later. Stays owed.
    Stop {
        /// At this time of the run.
        at: Duration,
        /// Time from the end of the last until they are started again.
        restart_after: Duration,
    },
    /// The clock of the service is wrong for a while. Within Stripe's tolerance that must change nothing; beyond it every
    /// genuine signature looks stale, or of the future, and refusing is right. Stays owed.
    Clock {
        /// By so many milliseconds; ahead when positive.
        offset_ms: i64,
        /// From this time of the run.
        from: Duration,
        /// For how long; to the end of the run when absent.
        lasts: Option<Duration>,
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
    /// The first that each names change places.
    Swap(EventSelector, EventSelector),
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

words!(MalformedBody { TruncatedJson => "truncated_json", Empty => "empty", NotAnEvent => "not_an_event" });

words!(Place { First => "first", Last => "last" });

impl Fault {
    /// The fault in words, with what stays owed.
    pub fn describe(&self) -> String {
        let scope = self.story.as_ref().map_or(String::new(), |story| format!(" (story {story} only)"));
        let owed = self.expects.map_or_else(|| self.kind.owed(), Expects::owed);
        format!("{}{scope}; {owed}", self.kind.what())
    }

    /// The right reaction to the deliveries that it adds; `Accept` when it adds none.
    pub fn expects(&self) -> Expects {
        self.expects.unwrap_or_else(|| self.kind.expects())
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
            Self::Body { .. } => "body",
            Self::Signed { .. } => "signed",
            Self::Burst { .. } => "burst",
            Self::SecondEvent { .. } => "second_event",
            Self::SecondEndpoint { .. } => "second_endpoint",
            Self::Foreign { .. } => "foreign",
            Self::Outage { .. } => "outage",
            Self::Slow { .. } => "slow",
            Self::Kill { .. } | Self::KillAtCall(_) => "kill",
            Self::Down { .. } => "down",
            Self::RandomKills { .. } => "random_kills",
            Self::Stop { .. } => "stop",
            Self::Clock { .. } => "clock",
            Self::Crash { .. } => "crash",
            Self::Transport(_) => "transport",
            Self::Downstream(_) => "downstream",
        }
    }

    /// The events that it is about, when it is about deliveries of some.
    pub const fn of(&self) -> Option<&EventSelector> {
        match self {
            Self::Duplicate { of, .. }
            | Self::Delay { of, .. }
            | Self::Drop { of, .. }
            | Self::Forged { of, .. }
            | Self::Body { of, .. }
            | Self::Signed { of, .. }
            | Self::Burst { of, .. }
            | Self::SecondEvent { of, .. }
            | Self::SecondEndpoint { of } => Some(of),
            Self::Malformed { before, .. } | Self::UnknownType { before } | Self::Foreign { before, .. } => {
                Some(before)
            }
            Self::Transport(fault) => Some(&fault.of),
            Self::Reorder { .. }
            | Self::SecretRoll { .. }
            | Self::Outage { .. }
            | Self::Slow { .. }
            | Self::Kill { .. }
            | Self::Down { .. }
            | Self::RandomKills { .. }
            | Self::Stop { .. }
            | Self::Clock { .. }
            | Self::StoreBusy { .. }
            | Self::Crash { .. }
            | Self::Downstream(_)
            | Self::KillAtCall(_) => None,
        }
    }

    /// What the target must have so that the fault can be carried out.
    pub fn needs(&self) -> Vec<Need> {
        match self {
            Self::Duplicate { .. }
            | Self::Reorder { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::Forged { .. }
            | Self::Malformed { .. }
            | Self::UnknownType { .. }
            | Self::SecretRoll { .. }
            | Self::Body { .. }
            | Self::Signed { .. }
            | Self::Burst { .. }
            | Self::SecondEvent { .. }
            | Self::SecondEndpoint { .. }
            | Self::Foreign { .. }
            | Self::Transport(_) => Vec::new(),
            Self::Outage { of, .. } | Self::Slow { of, .. } => vec![of.needs()],
            Self::Downstream(fault) => vec![fault.calls.of.needs()],
            Self::Kill { .. }
            | Self::Down { .. }
            | Self::Crash { .. }
            | Self::StoreBusy { .. }
            | Self::RandomKills { .. }
            | Self::Stop { .. }
            | Self::Clock { .. }
            | Self::KillAtCall(_) => vec![Need::Process],
        }
    }

    /// What happens.
    fn what(&self) -> String {
        let span = |span: &Duration| format_duration(*span);
        match self {
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::AfterEverything, .. } => {
                format!("`{of}` delivered {copies} times, the further ones as a replay after everything")
            }
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::After(gap), .. } => {
                format!("`{of}` delivered {copies} times, {} apart", span(gap))
            }
            Self::Duplicate { of, copies, spacing: DuplicateSpacing::Drawn(gap), .. } => {
                format!("`{of}` delivered {copies} times, {} apart", drawn(*gap))
            }
            Self::Body { of, how } => format!("`{of}` comes with {}", how.what()),
            Self::Signed { of, how } => format!("`{of}` comes with {}", how.what()),
            Self::Burst { of, at } => format!("all `{of}` come at once at {}", span(at)),
            Self::SecondEvent { of, spacing } => {
                format!("{} after `{of}` comes another event for the same change", span(spacing))
            }
            Self::SecondEndpoint { of } => format!("`{of}` comes from a second endpoint too"),
            Self::Foreign { before, how } => format!("before `{before}` comes {}", how.what()),
            Self::Reorder { order } => order.what(),
            Self::Delay { of, by } => format!("`{of}` comes {} later", span(by)),
            Self::Stop { at, restart_after } => format!(
                "the service is told to stop at {}, started again {} after it has ended",
                span(at),
                span(restart_after)
            ),
            Self::Clock { offset_ms, from, lasts } => {
                let until = lasts.map_or(" on".to_owned(), |lasts| format!(" for {}", span(&lasts)));
                format!("the service's clock is {} from {}{until}", offset(*offset_ms), span(from))
            }
            Self::StoreBusy { from, lasts } => format!("the store is locked from {} for {}", span(from), span(lasts)),
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

    /// The usual reaction to the deliveries that it adds.
    const fn expects(&self) -> Expects {
        match self {
            Self::Forged { signature, .. } => signature.expects(),
            Self::Foreign { how, .. } => how.expects(),
            Self::Malformed { .. } => Expects::Refuse,
            Self::SecondEndpoint { .. } => Expects::Either,
            _ => Expects::Accept,
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
            | Self::Stop { .. }
            | Self::Downstream(_)
            | Self::KillAtCall(_) => "everything stays owed",
            Self::Clock { offset_ms, .. } if is_beyond_tolerance(*offset_ms) && *offset_ms > 0 => {
                "what comes meanwhile must be refused; everything stays owed"
            }
            Self::Clock { offset_ms, .. } if is_beyond_tolerance(*offset_ms) => {
                "what comes meanwhile may be accepted or refused; everything stays owed"
            }
            Self::Clock { .. } => "nothing may change; everything stays owed",
            Self::Transport(fault) => fault.owed(),
            Self::Body { .. } | Self::Signed { .. } => "to be accepted; everything stays owed",
            Self::Burst { .. } => "everything stays owed",
            Self::SecondEvent { .. } | Self::SecondEndpoint { .. } | Self::Foreign { .. } | Self::Forged { .. } => {
                self.expects().owed()
            }
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
            Self::Swap(one, other) => format!("of each customer `{one}` and `{other}` change places"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_happens_and_what_stays_owed() {
        let of = EventSelector::parse("invoice.paid").expect("a selector");
        let kind = FaultKind::Forged { of, signature: BadSignature::Stale301s };
        assert_eq!(
            Fault { story: Some("purchase".into()), kind, expects: None }.describe(),
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
