//! Counts, bounds and spans of time in words that a newcomer reads without a manual.
//!
//! Must not know: any criterion.

use crate::scenario::criterion::Bound;
use std::collections::BTreeMap;

/// `1 customer`, `20 customers`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {}", plural(n as u64, noun))
}

/// The noun, in the plural unless there is just one.
pub(super) fn plural(n: u64, noun: &str) -> String {
    match (n, noun.strip_suffix("ry")) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ries"),
        (_, None) if noun.ends_with('h') => format!("{noun}es"),
        (_, None) => format!("{noun}s"),
    }
}

/// `exactly 1 contact`, `at most 3 contacts`, `no contact`.
pub(super) fn bound(bound: Bound, noun: &str) -> String {
    match bound {
        Bound::Exactly(0) | Bound::AtMost(0) => format!("no {noun}"),
        Bound::Exactly(n) => format!("exactly {n} {}", plural(n, noun)),
        Bound::AtMost(n) => format!("at most {n} {}", plural(n, noun)),
    }
}

/// `19 with 1, 1 with 2`, from the counts of each.
pub(super) fn spread(counts: impl IntoIterator<Item = u64>) -> String {
    let mut by_count: BTreeMap<u64, usize> = BTreeMap::new();
    for count in counts {
        *by_count.entry(count).or_default() += 1;
    }
    let parts: Vec<String> = by_count.iter().map(|(count, how_many)| format!("{how_many} with {count}")).collect();
    parts.join(", ")
}

/// `250 ms`, `1.5 s`, `2 min 5 s`, `4 h 10 min`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => {
            let text = format!("{:.3}", ms as f64 / 1000.0);
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        60_000..3_600_000 => two(ms / 60_000, "min", ms % 60_000 / 1_000, "s"),
        3_600_000..172_800_000 => two(ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "min"),
        _ => two(ms / 86_400_000, "days", ms % 86_400_000 / 3_600_000, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big} {big_unit}") } else { format!("{big} {big_unit} {small} {small_unit}") }
}

/// Microseconds as `850 µs`, `12.3 ms` or, from a second on, as [`span`].
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => {
            let text = format!("{:.1}", us as f64 / 1000.0);
            format!("{} ms", text.trim_end_matches(".0"))
        }
        _ => span(us / 1000),
    }
}

/// The first few, joined, and how many more there are.
pub(super) fn few(items: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bounds_and_spans_read_as_words() {
        assert_eq!((count(1, "customer"), count(0, "customer")), ("1 customer".into(), "0 customers".into()));
        assert_eq!(bound(Bound::Exactly(1), "contact"), "exactly 1 contact");
        assert_eq!(bound(Bound::AtMost(2), "contact"), "at most 2 contacts");
        assert_eq!(bound(Bound::AtMost(0), "contact"), "no contact");
        assert_eq!(spread([1, 1, 2]), "2 with 1, 1 with 2");
        let spans = [0, 999, 1_500, 60_000, 125_000, 15_000_000, 259_200_000].map(span);
        assert_eq!(spans, ["0 ms", "999 ms", "1.5 s", "1 min", "2 min 5 s", "4 h 10 min", "3 days"]);
        assert_eq!([850, 12_000, 12_300, 2_500_000].map(micros), ["850 µs", "12 ms", "12.3 ms", "2.5 s"]);
        let four: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(few(&four), "a; b; c; and 1 more");
    }
}
