//! The events that are sent, and the spellings of one event that different languages write.
//!
//! All are harmless: a type or ids that nobody has, `livemode` false. Must not know: signatures, sockets.

use serde_json::{Value, json};
use std::fmt::Write;

/// How a JSON text is spelled. A body that was read and written anew comes out in the spelling of its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// As Stripe sends it: two blanks a level.
    Stripe,
    /// `JSON.stringify` and Ruby's `JSON.generate`: nothing between the tokens.
    Node,
    /// Python's `json.dumps`: blanks after `,` and `:`, only ASCII.
    Python,
    /// PHP's `json_encode`: `/` and all but ASCII escaped.
    Php,
    /// Rails' `to_json`: `<`, `>` and `&` escaped.
    Rails,
    /// Go's `json.Marshal` of a map: keys in order, `<`, `>` and `&` escaped.
    Go,
}

impl Spelling {
    /// All but Stripe's own.
    pub const OTHERS: [Self; 5] = [Self::Node, Self::Python, Self::Php, Self::Rails, Self::Go];

    /// What writes JSON like that.
    pub const fn writer(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe itself",
            Self::Node => "`JSON.stringify` (Node) or `JSON.generate` (Ruby)",
            Self::Python => "`json.dumps` (Python)",
            Self::Php => "`json_encode` (PHP)",
            Self::Rails => "`to_json` (Rails)",
            Self::Go => "`json.Marshal` of a map (Go)",
        }
    }

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe",
            Self::Node => "Node",
            Self::Python => "Python",
            Self::Php => "PHP",
            Self::Rails => "Rails",
            Self::Go => "Go",
        }
    }

    /// The value in this spelling.
    pub fn write(self, value: &Value) -> Vec<u8> {
        if self == Self::Stripe {
            return format!("{value:#}").into_bytes();
        }
        let mut out = String::new();
        self.value(value, &mut out);
        out.into_bytes()
    }

    fn value(self, value: &Value, out: &mut String) {
        let (comma, colon) = if self == Self::Python { (", ", ": ") } else { (",", ":") };
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if self == Self::Go {
                    members.sort_by_key(|(name, _)| name.as_str());
                }
                out.push('{');
                for (n, (name, member)) in members.into_iter().enumerate() {
                    out.push_str(if n > 0 { comma } else { "" });
                    self.string(name, out);
                    out.push_str(colon);
                    self.value(member, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { comma } else { "" });
                    self.value(item, out);
                }
                out.push(']');
            }
            Value::String(text) => self.string(text, out),
            Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        }
    }

    fn string(self, text: &str, out: &mut String) {
        let ascii = matches!(self, Self::Python | Self::Php);
        let html = matches!(self, Self::Rails | Self::Go);
        out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '/' if self == Self::Php => out.push_str("\\/"),
                c if (ascii && !c.is_ascii()) || (html && "<>&".contains(c)) || c < ' ' => escape(c, out),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

fn escape(c: char, out: &mut String) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// A type that no app knows.
pub const UNKNOWN_TYPE: &str = "hookdrill.doctor.ping";

/// A type of Stripe's that is about no customer: an app that knows it changes nothing for anybody.
pub const KNOWN_TYPE: &str = "balance.available";

/// The newest version of Stripe's API that events are written in here.
pub const API_VERSION: &str = "2026-10-28.endive";

/// A version of years ago: libraries that compare versions refuse one of the two.
pub const OLD_API_VERSION: &str = "2020-08-27";

/// An event. `id` and the ids in it are made up; the text in it tells spellings apart.
pub fn event(id: &str, kind: &str, api_version: &str, created: i64) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": {
            "id": format!("{id}_object"),
            "object": kind.split('.').next().unwrap_or(kind),
            "description": "Sent by hookdrill doctor: <no customer> & no money / schöne Grüße ✓",
            "livemode": false,
        }},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": kind,
    })
}

/// The same with so many bytes of lines, as a long invoice has them.
pub fn padded(mut event: Value, bytes: usize) -> Value {
    let line = json!({"id": "il_doctor", "object": "line_item", "amount": 0, "description": "x".repeat(180)});
    let each = format!("{line:#}").len() + 60;
    event["data"]["object"]["lines"] = json!({"object": "list", "data": vec![line; bytes / each + 1]});
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_is_spelled_as_it_writes() {
        let value = json!({"b": "é/<&", "a": [1, null]});
        let text = |spelling: Spelling| String::from_utf8(spelling.write(&value)).expect("UTF-8");
        assert_eq!(text(Spelling::Node), r#"{"b":"é/<&","a":[1,null]}"#);
        assert_eq!(text(Spelling::Python), r#"{"b": "\u00e9/<&", "a": [1, null]}"#);
        assert_eq!(text(Spelling::Php), r#"{"b":"\u00e9\/<&","a":[1,null]}"#);
        assert_eq!(text(Spelling::Rails), r#"{"b":"é/\u003c\u0026","a":[1,null]}"#);
        assert_eq!(text(Spelling::Go), r#"{"a":[1,null],"b":"é/\u003c\u0026"}"#);
        assert!(text(Spelling::Stripe).starts_with("{\n  \"b\": \"é/<&\",\n"));
    }

    #[test]
    fn no_two_spellings_of_an_event_are_the_same() {
        let event = event("evt_1", UNKNOWN_TYPE, API_VERSION, 1);
        let all = [Spelling::Stripe].into_iter().chain(Spelling::OTHERS).map(|s| s.write(&event));
        assert_eq!(all.collect::<std::collections::BTreeSet<_>>().len(), 6);
    }

    #[test]
    fn padding_reaches_its_size_and_not_much_more() {
        for bytes in [24 * 1024, 256 * 1024] {
            let size = Spelling::Stripe.write(&padded(event("evt_1", "invoice.paid", API_VERSION, 1), bytes)).len();
            assert!((bytes..bytes + 20_000).contains(&size), "{size} of {bytes}");
        }
    }
}
