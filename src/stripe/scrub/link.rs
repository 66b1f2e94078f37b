//! Finds links in a text, cuts them into what stands between their signs, and undoes and redoes percent signs.
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

/// A text cut at its links: `true` stands for a link, or for a run with percent signs.
pub(super) fn cut(text: &str) -> Vec<(Range<usize>, bool)> {
    let mut found: Vec<(Range<usize>, bool)> = Vec::new();
    let mut text_from = 0;
    for run in runs(text) {
        let within = &text[run.clone()];
        let Some(link) = beginning(within).map(|at| run.start + at..run.end) else { continue };
        found.extend((text_from < link.start).then_some((text_from..link.start, false)));
        text_from = link.end;
        found.push((link, true));
    }
    found.extend((text_from < text.len()).then_some((text_from..text.len(), false)));
    found
}

/// What stands between the signs that no link has: spaces, quotes, brackets (as Markdown and chats put around them).
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_between = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>()[]{}|\\^".contains(c);
    let mut from = 0;
    let ends = text.char_indices().filter(move |(_, c)| is_between(*c)).map(|(at, c)| (at, at + c.len_utf8()));
    let runs = ends.chain([(text.len(), text.len())]).map(move |(end, next)| std::mem::replace(&mut from, next)..end);
    runs.filter(|run| !run.is_empty())
}

/// Where the link of a run begins: at its scheme; at the first letter of what is a query or has percent signs.
fn beginning(run: &str) -> Option<usize> {
    let escaped = |at: usize| run.get(at + 1..at + 3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let query = run.find('=').is_some_and(|sign| run[..sign].contains(['?', '&']) || run[sign..].contains('&'));
    if query || run.match_indices('%').any(|(at, _)| escaped(at)) {
        return Some(0);
    }
    let scheme = run.find("://")?;
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    Some(scheme - run[..scheme].chars().rev().take_while(|c| is_of_scheme(*c)).count())
}

/// The parts of a link, or of a text with percent signs.
pub(super) fn parts(text: &str) -> Vec<(Range<usize>, Part<'_>)> {
    let mut found = Vec::new();
    let mut at = 0;
    if let Some(start) = authority(text) {
        at = text[start..].find(['/', '?', '#']).map_or(text.len(), |length| start + length);
        // `file:///etc` has none.
        found.extend((at > start).then_some((start..at, Part::Authority)));
    }
    let (mut in_query, mut key) = (at == 0 && is_form(text), None);
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

/// Where the authority begins: behind the scheme that the text begins with.
fn authority(text: &str) -> Option<usize> {
    let scheme = text.find("://")?;
    let signs_before = text[..scheme].contains(['/', '?', '#', '&', '=', '%']);
    (!signs_before).then_some(scheme + 3)
}

/// `name=Ada&plan=pro`, as forms are sent.
fn is_form(text: &str) -> bool {
    text.find('=').is_some_and(|sign| !text[..sign].contains(['/', '?', '#']) && text[sign..].contains('&'))
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

    #[test]
    fn odd_links_have_parts_too() {
        let of = |text: &'static str| -> Vec<_> {
            parts(text).into_iter().map(|(range, part)| (&text[range], part)).collect()
        };
        assert_eq!(of("://"), []);
        assert_eq!(of("file:///etc"), [("etc", Part::Path)]);
        assert_eq!(of("x://?a=b"), [("a", Part::Key), ("b", Part::Value("a"))]);
        let form = [("a", Part::Key), ("b", Part::Value("a")), ("c", Part::Key), ("d", Part::Value("c"))];
        assert_eq!(of("a=b&c=d"), form);
        assert_eq!(of("YWJj=="), [("YWJj", Part::Path)]);
        let next = of("/p?mail=b&next=https://h/o");
        assert_eq!(next[1..3], [("mail", Part::Key), ("b", Part::Value("mail"))], "{next:?}");
    }

    #[test]
    fn links_are_cut_out_of_a_text() {
        for (text, expected) in [
            ("Ada: https://a.b/c, or not", vec![("Ada: ", false), ("https://a.b/c,", true), (" or not", false)]),
            ("(https://a.b)", vec![("(", false), ("https://a.b", true), (")", false)]),
            ("50% off, a = b", vec![("50% off, a = b", false)]),
            ("Ada%20L", vec![("Ada%20L", true)]),
            ("see:https://a.b", vec![("see:", false), ("https://a.b", true)]),
            ("/p?a=b&next=https://a.b", vec![("/p?a=b&next=https://a.b", true)]),
            ("", vec![]),
        ] {
            let found: Vec<_> = cut(text).into_iter().map(|(range, link)| (&text[range], link)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in ".*", odd in "[a-z%?&=#/+:é ]*", link in "[a-z]{0,2}://[a-z%?&=#/:é ]{0,6}") {
            for text in [text, odd, link] {
                let mut at = 0;
                for (range, _) in cut(&text) {
                    proptest::prop_assert!(range.start == at && range.end > range.start);
                    at = range.end;
                }
                proptest::prop_assert_eq!(at, text.len());
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
