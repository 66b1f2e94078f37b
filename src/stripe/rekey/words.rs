//! Cuts a text into words and addresses, and puts it together again after the exchange.
//!
//! Must not know: which words are exchanged.

use serde_json::Value;
use std::ops::Range;

/// One exchange within a text: where, and what stands there then.
pub(in crate::stripe) type Edit = (Range<usize>, String);

pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn is_address_byte(byte: u8) -> bool {
    is_word_byte(byte) || matches!(byte, b'.' | b'%' | b'+' | b'-')
}

pub(super) fn run_end(text: &str, from: usize, holds: fn(u8) -> bool) -> usize {
    text.as_bytes()[from..].iter().position(|byte| !holds(*byte)).map_or(text.len(), |length| from + length)
}

/// Maximal runs within `range` of bytes for which `holds`.
pub(super) fn pieces(text: &str, range: Range<usize>, holds: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in range.filter(|at| holds(text.as_bytes()[*at])) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

/// The e-mail address whose name is `run`, when `@` and a domain follow.
pub(super) fn address(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let name = text[run.clone()].trim_start_matches(['.', '%', '+', '-']);
    let domain = text[run.end..].strip_prefix('@')?;
    let domain = &domain[..run_end(domain, 0, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))];
    let domain = domain.trim_end_matches(['.', '-']);
    let inner_dot = domain.find('.').is_some_and(|dot| dot > 0);
    (!name.is_empty() && inner_dot).then(|| run.end - name.len()..run.end + 1 + domain.len())
}

/// `text` with the edits done; they are in order and do not overlap.
pub(in crate::stripe) fn splice(text: &str, edits: Vec<Edit>) -> String {
    let mut new = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (range, replacement) in edits {
        new.push_str(&text[at..range.start]);
        new.push_str(&replacement);
        at = range.end;
    }
    new.push_str(&text[at..]);
    new
}

/// As it is written inside a JSON string.
pub(in crate::stripe) fn escaped(text: String) -> String {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b'\\') || byte < b' ') {
        return text;
    }
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_whole() {
        for (text, expected) in [
            ("ada@example.com", Some("ada@example.com")),
            ("mail .ada.b+c@ex-ample.co.uk. now", Some("ada.b+c@ex-ample.co.uk")),
            ("ada@localhost", None),
            ("ada@.com", None),
            ("@example.com", None),
            ("ada@", None),
        ] {
            let start = text.find(|c: char| c == '.' || c == 'a' && !text.starts_with("mail")).unwrap_or(0);
            let run = start..run_end(text, start, is_address_byte);
            assert_eq!(address(text, &run).map(|range| &text[range]), expected, "{text}");
        }
    }

    #[test]
    fn pieces_and_edits() {
        let text = "a-b_1 é c";
        let found: Vec<_> = pieces(text, 0..text.len(), is_word_byte).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["a", "b_1", "c"]);
        assert_eq!(splice(text, vec![(0..1, "xy".to_owned()), (2..5, String::new())]), "xy- é c");
        assert_eq!(escaped("a\"\n".to_owned()), "a\\\"\\n");
    }
}
