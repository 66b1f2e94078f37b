//! Which events a fault is about: by type, glob and position, and which of these by customer, count, window and chance.
//!
//! Must not know: recordings, plans, what happens to the events.

use super::downstream::Which;
use crate::time::format_duration;
use std::{fmt, time::Duration};

/// Names events by type (`invoice.paid`), by glob (`customer.subscription.*`, `*`), or by either and the position
/// among the events of a recording that it matches (`invoice.paid#2`, from 1).
#[derive(Clone, Debug, PartialEq)]
pub struct EventSelector {
    /// Type or glob, `*` matching any text.
    pub pattern: String,
    /// Position among the events that the pattern matches, from 1.
    pub position: Option<u32>,
    /// Which of these, over all customers.
    pub limits: Limits,
}

/// Which of the events that a selector names are meant; all conditions hold together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of this customer of each story alone, from 1.
    pub customer: Option<u32>,
    /// Planned to leave at this time of the run or later.
    pub from: Duration,
    /// And before so much after it.
    pub lasts: Option<Duration>,
    /// Chance of each event, drawn from the fault's own stream.
    pub probability: f64,
    /// Which of those that are left, in the order in which they would leave.
    pub which: Which,
}

impl Limits {
    /// No limits.
    pub const NONE: Self =
        Self { customer: None, from: Duration::ZERO, lasts: None, probability: 1.0, which: Which::All };

    /// `the first 3, of customer 2, from 1s for 2s, with a chance of 0.3`; nothing when there is no limit.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match self.which {
            Which::All => {}
            Which::First(first) => words.push(format!("the first {first}")),
            Which::Nth(nth) => words.push(format!("number {nth}")),
        }
        words.extend(self.customer.map(|customer| format!("of customer {customer}")));
        match (self.from, self.lasts) {
            (Duration::ZERO, None) => {}
            (from, None) => words.push(format!("from {} on", format_duration(from))),
            (from, Some(lasts)) => {
                words.push(format!("from {} for {}", format_duration(from), format_duration(lasts)));
            }
        }
        if self.probability < 1.0 {
            words.push(format!("with a chance of {}", self.probability));
        }
        words
    }
}

impl EventSelector {
    /// Reads, without limits, `"invoice.paid"`, `"customer.*"`, `"*"`, `"invoice.paid#2"`.
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
        Ok(Self { pattern: pattern.to_owned(), position, limits: Limits::NONE })
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
        self.position.map_or(Ok(()), |position| write!(f, "#{position}"))?;
        match self.limits.words().as_slice() {
            [] => Ok(()),
            words => write!(f, " ({})", words.join(", ")),
        }
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
    fn limits_are_said() {
        let limits = Limits {
            customer: Some(2),
            from: Duration::from_secs(1),
            lasts: Some(Duration::from_secs(2)),
            probability: 0.3,
            which: Which::First(3),
        };
        let selector = EventSelector { limits, ..EventSelector::parse("invoice.paid#2").expect("a selector") };
        assert_eq!(
            selector.to_string(),
            "invoice.paid#2 (the first 3, of customer 2, from 1s for 2s, with a chance of 0.3)"
        );
    }
}
