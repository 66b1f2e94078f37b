//! Finds every string and number of a JSON text with its byte range and path, so that single values can be replaced
//! while all other bytes stay.
//!
//! Must not know: what a value means. The text has been parsed before; of a broken one it reports what it can.

use std::ops::Range;

/// What stands for an array's place in a path.
pub(in crate::stripe) const ITEM: &str = "[]";

/// A scalar that may be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stripe) enum Scalar {
    /// A string; the range lies between its quotes, escapes as written.
    Text(Range<usize>),
    /// A number as written.
    Number(Range<usize>),
}

/// A key or a scalar, by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stripe) enum Token {
    /// A key; the range lies between its quotes.
    Key(Range<usize>),
    /// A string or a number.
    Scalar(Scalar),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Object,
    Array,
}

/// Calls `visit` with the path and place of every string and number, in order. Keys in the path are as written;
/// [`ITEM`] stands for any place of an array.
pub(in crate::stripe) fn scan<'a>(text: &'a str, mut visit: impl FnMut(&[&'a str], Scalar)) {
    walk(text, |path, _, token| match token {
        Token::Key(_) => {}
        Token::Scalar(scalar) => visit(path, scalar),
    });
}

/// As [`scan`], with keys, and with the places where the objects and arrays around a token begin. The path of a key ends
/// with it.
pub(in crate::stripe) fn walk<'a>(text: &'a str, mut visit: impl FnMut(&[&'a str], &[usize], Token)) {
    let (mut frames, mut starts): (Vec<Frame>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut path, mut key_next): (Vec<&str>, bool) = (Vec::new(), false);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let mut ended = false;
        match bytes[at] {
            b'"' => {
                let inner = at + 1..string_end(bytes, at + 1);
                at = inner.end;
                if key_next {
                    path.push(&text[inner.clone()]);
                    key_next = false;
                    visit(&path, &starts, Token::Key(inner));
                } else {
                    visit(&path, &starts, Token::Scalar(Scalar::Text(inner)));
                    ended = true;
                }
            }
            b'{' => {
                frames.push(Frame::Object);
                starts.push(at);
                key_next = true;
            }
            b'[' => {
                frames.push(Frame::Array);
                starts.push(at);
                path.push(ITEM);
            }
            b'}' | b']' => {
                key_next = false;
                starts.pop();
                if frames.pop() == Some(Frame::Array) {
                    path.pop();
                }
                ended = true;
            }
            b',' => key_next = frames.last() == Some(&Frame::Object),
            b'-' | b'0'..=b'9' => {
                let end = bytes[at..].iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
                let end = end.map_or(bytes.len(), |length| at + length);
                visit(&path, &starts, Token::Scalar(Scalar::Number(at..end)));
                at = end - 1;
                ended = true;
            }
            b't' | b'f' | b'n' => {
                let length = bytes[at..].iter().take_while(|b| b.is_ascii_lowercase()).count();
                at += length - 1;
                ended = true;
            }
            _ => {}
        }
        at += 1;
        if ended && frames.last() == Some(&Frame::Object) {
            path.pop();
        }
    }
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// A string as it reads, and where each of its bytes stands as written.
pub(in crate::stripe) struct Decoded {
    pub(in crate::stripe) text: String,
    /// For each byte of `text`, and for its end, the offset as written.
    origin: Vec<usize>,
}

impl Decoded {
    /// Undoes the escapes of `raw`, the inside of a JSON string.
    pub(in crate::stripe) fn of(raw: &str) -> Self {
        let mut decoded = Self { text: String::with_capacity(raw.len()), origin: Vec::with_capacity(raw.len() + 1) };
        let mut at = 0;
        while let Some(c) = raw[at..].chars().next() {
            let (read, length) = if c == '\\' { unescape(&raw[at..]) } else { (c, c.len_utf8()) };
            decoded.text.push(read);
            decoded.origin.resize(decoded.text.len(), at);
            at += length;
        }
        decoded.origin.push(raw.len());
        decoded
    }

    /// Where a range of `text` stands as written.
    pub(in crate::stripe) fn raw(&self, range: &Range<usize>) -> Range<usize> {
        self.origin[range.start]..self.origin[range.end]
    }
}

/// The character that `raw`, which begins with a backslash, stands for, and how many bytes it is written in.
fn unescape(raw: &str) -> (char, usize) {
    let unit = |at: usize| raw.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match raw.as_bytes().get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => match (unit(2), raw.get(6..8).filter(|next| *next == "\\u").and_then(|_| unit(8))) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            (Some(code), _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            (None, _) => ('\\', 1),
        },
        Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
        _ => ('\\', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_scalar_with_its_path() {
        let text =
            r#"{"a": "x\"y", "b": [1, {"c": -2.5e3}, [], {}, "z"], "d": {"e": null, "f": true, "g": ""}, "h": 7}"#;
        let mut found = Vec::new();
        scan(text, |path, scalar| {
            let (Scalar::Text(range) | Scalar::Number(range)) = scalar;
            found.push((path.join("."), &text[range]));
        });
        let expected = [("a", r#"x\"y"#), ("b.[]", "1"), ("b.[].c", "-2.5e3"), ("b.[]", "z"), ("d.g", ""), ("h", "7")];
        assert_eq!(found, expected.map(|(path, value)| (path.to_owned(), value)));
    }

    #[test]
    fn decodes_and_points_back() {
        let raw = r#"a\n\u00e9\ud83d\ude00cus_1\/b"#;
        let decoded = Decoded::of(raw);
        assert_eq!(decoded.text, "a\né😀cus_1/b");
        let at = decoded.text.find("cus_1").expect("there");
        assert_eq!(&raw[decoded.raw(&(at..at + 5))], "cus_1");
    }

    proptest::proptest! {
        #[test]
        fn decoding_agrees_with_serde_and_never_panics(text in ".*", junk in r#"[{}\[\]",:\\a-z0-9 -]*"#) {
            let written = serde_json::to_string(&text).expect("a string");
            proptest::prop_assert_eq!(Decoded::of(&written[1..written.len() - 1]).text, text);
            scan(&junk, |_, scalar| {
                if let Scalar::Text(range) = scalar {
                    Decoded::of(&junk[range]);
                }
            });
        }
    }
}
