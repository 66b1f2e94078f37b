//! Cuts a link into what stands between its signs, and undoes and redoes percent signs.
//!
//! Must not know: what is personal.

use std::ops::Range;

/// Where a part of a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// User, password, host, port.
    Authority,
    /// Between slashes.
    Path,
    /// Behind a key of the query.
    Value(&'a str),
    /// A key of the query.
    Key,
    /// Behind `#`.
    Fragment,
}

/// The parts of a link, or of a text with percent signs.
pub(super) fn parts(text: &str) -> Vec<(Range<usize>, Part<'_>)> {
    let mut found = Vec::new();
    let mut at = 0;
    if let Some(scheme) = text.find("://") {
        let start = scheme + 3;
        let end = end_of(text, start, &['/', '?', '#']);
        found.push((start..end, Part::Authority));
        at = end;
    }
    let (mut in_query, mut key) = (false, None);
    let mut fragment = false;
    while at < text.len() {
        match text.as_bytes()[at] {
            b'?' => (in_query, key) = (true, None),
            b'#' => (fragment, in_query, key) = (true, false, None),
            b'/' => key = None,
            b'&' if in_query => key = None,
            b'=' => {}
            _ => {
                let end = end_of(text, at, &['/', '?', '#', '&', '=']);
                let part = match key {
                    _ if fragment => Part::Fragment,
                    Some(key) if text[..at].ends_with('=') => Part::Value(key),
                    _ if in_query && text[end..].starts_with('=') => Part::Key,
                    _ if in_query => Part::Value(""),
                    _ => Part::Path,
                };
                if part == Part::Key {
                    key = Some(&text[at..end]);
                }
                found.push((at..end, part));
                at = end;
                continue;
            }
        }
        at += 1;
    }
    found
}

fn end_of(text: &str, from: usize, signs: &[char]) -> usize {
    // The sign at `from` itself may be one that means nothing here.
    let first = text[from..].chars().next().map_or(0, char::len_utf8);
    text.get(from + first..).and_then(|rest| rest.find(signs)).map_or(text.len(), |length| from + first + length)
}

/// The text with percent signs (and, in a query, plus signs) undone; `None` when there is nothing to undo.
pub(super) fn decoded(text: &str, plus: bool) -> Option<String> {
    if !(text.contains('%') || plus && text.contains('+')) {
        return None;
    }
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    let raw = text.as_bytes();
    while at < raw.len() {
        let hex = raw.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (raw[at], hex.filter(|_| raw[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (_, Some(byte)) => {
                bytes.push(byte);
                at += 2;
            }
            (b'+', None) if plus => bytes.push(b' '),
            (byte, None) => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != text)
}

/// With percent signs again.
pub(super) fn encoded(text: &str, plus: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_falls_into_its_parts() {
        let text = "https://a.b:1/p/q%20r?name=Ada+L&x&y=/z=#f?g";
        let found: Vec<_> = parts(text).into_iter().map(|(range, part)| (&text[range], part)).collect();
        let expected = [
            ("a.b:1", Part::Authority),
            ("p", Part::Path),
            ("q%20r", Part::Path),
            ("name", Part::Key),
            ("Ada+L", Part::Value("name")),
            ("x", Part::Value("")),
            ("y", Part::Key),
            ("z", Part::Key),
            ("f", Part::Fragment),
            ("g", Part::Value("")),
        ];
        assert_eq!(found[..9], expected[..9], "{found:?}");
        assert_eq!(decoded("Ada+L%C3%A9", true).as_deref(), Some("Ada Lé"));
        assert_eq!(decoded("Ada+L", false), None);
        assert_eq!(encoded("Ada Lé@", true), "Ada+L%C3%A9%40");
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in ".*", odd in "[a-z%?&=#/+:é]*") {
            for text in [text, odd] {
                let mut at = 0;
                for (range, _) in parts(&text) {
                    proptest::prop_assert!(range.start >= at && range.end > range.start);
                    at = range.end;
                }
                proptest::prop_assert_eq!(decoded(&encoded(&text, true), true).unwrap_or(text.clone()), text);
            }
        }
    }
}
