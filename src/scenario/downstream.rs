//! What may go wrong with a call of the service to a double, as data: which calls, and what happens to them.
//!
//! Must not know: how it is carried out, sockets, what a double holds.

use super::{fault::Double, model::Between, transport::chance};
use crate::time::format_duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A fault of the downstream family. Everything stays owed; the state of the double is never disturbed.
#[derive(Clone, Debug, PartialEq)]
pub struct DownstreamFault {
    /// Which calls.
    pub calls: Calls,
    /// What happens to them.
    pub does: Trouble,
}

/// Which calls of the service: all conditions hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// To which double.
    pub of: Double,
    /// Of this operation only.
    pub operation: Option<String>,
    /// About the customer of this number (from 1) only; of all stories, or of the one that the fault is limited to.
    pub customer: Option<u32>,
    /// Of those that all other conditions fit.
    pub which: Which,
    /// From this time of the run.
    pub from: Duration,
    /// For how long; to the end of the faults when absent.
    pub lasts: Option<Duration>,
    /// Chance for each logical call, above 0 and at most 1.
    pub probability: f64,
}

/// Which of the logical calls that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Every one.
    All,
    /// The first so many.
    First(u32),
    /// That one alone, from 1.
    Nth(u32),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// An error instead of the double's answer. No effect.
    Answer {
        /// Status code (400–599).
        status: u16,
        /// `Retry-After`, whole seconds.
        retry_after: Option<Duration>,
    },
    /// The double works and takes its time, drawn for each call.
    Slow {
        /// How long.
        by: Between,
    },
    /// The double works and takes its time: half of the calls at most `p50`, one in a hundred `p99` or more, none ten times
    /// that.
    LongTail {
        /// Median.
        p50: Duration,
        /// 99th percentile.
        p99: Duration,
    },
    /// A batch of which some inputs fail: the double does the others, and says so (207).
    PartialBatch {
        /// So many of its last inputs fail; of a smaller batch all.
        fails: u32,
    },
    /// No answer ever. No effect.
    Hang,
    /// The connection is reset before the double does anything. No effect.
    Reset,
    /// The double works; the connection is reset instead of its answer.
    LostReply,
    /// The double works; its answer is not the JSON that it says to be.
    MalformedJson,
    /// The double works; its answer ends before its length.
    TruncatedAnswer,
    /// What is written reaches the index behind the searches so much later; reads by id see it at once.
    LaggingIndex {
        /// How far the index lags behind.
        by: Duration,
    },
    /// A read is answered with the state of when it arrived, and the answer leaves so long after the next event of what is
    /// read: what it says is out of date by then. Where no event follows soon, it does not happen.
    Overtaken {
        /// So long after that event.
        by: Duration,
    },
    /// A read is answered with the state of so long ago.
    StaleRead {
        /// How old the state is.
        by: Duration,
    },
}

/// A kill of the service while one of its calls is held: the process never sees an answer. Everything stays owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillAtCall {
    /// Which call.
    pub at: AtCall,
    /// Time until it is started again.
    pub restart_after: Duration,
}

/// One call of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtCall {
    /// To which double.
    pub of: Double,
    /// Of this operation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The logical call of that number, from 1.
    pub nth: u32,
    /// Whether the double has done what was asked.
    pub moment: Moment,
}

/// Before or after a call took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The call has arrived, nothing is done.
    Before,
    /// It is done; the answer is not out.
    After,
}

impl Moment {
    /// Every value with its word in files.
    pub const WORDS: &'static [(&'static str, Self)] = &[("before", Self::Before), ("after", Self::After)];

    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

impl Trouble {
    /// What happens, in words that follow the name of a double.
    fn what(self) -> String {
        match self {
            Self::Answer { status, retry_after } => {
                let after =
                    retry_after.map_or(String::new(), |after| format!(" (retry after {})", format_duration(after)));
                format!("answers {status}{after}")
            }
            Self::Slow { by } if by.least == by.most => format!("takes {}", format_duration(by.least)),
            Self::Slow { by } => format!("takes {} to {}", format_duration(by.least), format_duration(by.most)),
            Self::LongTail { p50, p99 } => {
                format!("takes mostly {}, rarely {}", format_duration(p50), format_duration(p99))
            }
            Self::PartialBatch { fails: 1 } => "does all inputs of a batch but the last".to_owned(),
            Self::PartialBatch { fails } => format!("does all inputs of a batch but the last {fails}"),
            Self::Hang => "never answers".to_owned(),
            Self::Reset => "resets the connection and does nothing".to_owned(),
            Self::LostReply => "does what is asked, and the reply is lost".to_owned(),
            Self::MalformedJson => "does what is asked, and answers broken JSON".to_owned(),
            Self::TruncatedAnswer => "does what is asked, and its answer is cut off".to_owned(),
            Self::LaggingIndex { by } => format!("shows it to searches {} later", format_duration(by)),
            Self::Overtaken { by } => {
                format!("answers with the state of when it was asked, {} after the next event", format_duration(by))
            }
            Self::StaleRead { by } => format!("answers with the state of {} ago", format_duration(by)),
        }
    }
}

impl Calls {
    fn what(&self) -> String {
        let operation = self.operation.as_ref().map_or("a call".to_owned(), |operation| format!("`{operation}`"));
        let customer = self.customer.map_or(String::new(), |customer| format!(" about customer {customer}"));
        let which = match self.which {
            Which::All => format!("{operation}{customer}"),
            Which::First(first) => format!("{operation}{customer}, the first {first}"),
            Which::Nth(nth) => format!("{operation}{customer}, number {nth}"),
        };
        let window = match (self.from.is_zero(), self.lasts) {
            (true, None) => String::new(),
            (false, None) => format!(", from {}", format_duration(self.from)),
            (_, Some(lasts)) => format!(", from {} for {}", format_duration(self.from), format_duration(lasts)),
        };
        format!("{which}{window}{}", chance(self.probability))
    }
}

impl DownstreamFault {
    /// What happens, in words.
    pub(super) fn what(&self) -> String {
        format!("on {}: {} {}", self.calls.what(), self.calls.of.word(), self.does.what())
    }
}

impl KillAtCall {
    /// What happens, in words.
    pub(super) fn what(&self) -> String {
        format!("the service is killed {}, started again {} later", self.at.what(), format_duration(self.restart_after))
    }
}

impl AtCall {
    /// When, in words.
    pub fn what(&self) -> String {
        let operation = self.operation.as_deref().unwrap_or("call");
        let (nth, of) = (self.nth, self.of.word());
        format!("{} `{operation}` number {nth} takes effect in {of}", self.moment.word())
    }
}
