//! The secrets that a run knows, in the spellings in which they get out: as they are, in hex, base64, percent and JSON escapes.
//!
//! Must not know: files, where the secrets come from.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use std::fmt::Write;

/// Shorter ones are in every text.
pub const SHORTEST: usize = 8;

/// A secret by the name under which it is told about.
#[derive(Clone)]
pub struct Own {
    name: String,
    secret: String,
}

/// Written by hand: a secret never reaches a log by way of `{:?}`.
impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Own({})", self.name)
    }
}

impl Own {
    /// A secret under a name. `None` when it is too short to be looked for.
    pub fn new(name: impl Into<String>, secret: impl Into<String>) -> Option<Self> {
        let (name, secret) = (name.into(), secret.into());
        (secret.len() >= SHORTEST).then_some(Self { name, secret })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Every spelling, and what it is called.
    pub(super) fn spellings(&self) -> Vec<(&'static str, String)> {
        let bytes = self.secret.as_bytes();
        let mut all = vec![("as it is", self.secret.clone())];
        let mut also = |how, text: String| {
            if !all.iter().any(|(_, known)| *known == text) {
                all.push((how, text));
            }
        };
        also("in hex", hex::encode(bytes));
        also("in hex", hex::encode_upper(bytes));
        also("percent-encoded", percent(bytes, false));
        also("percent-encoded", percent(bytes, true));
        let json = serde_json::Value::String(self.secret.clone()).to_string();
        also("escaped as JSON", json.trim_matches('"').to_owned());
        for offset in 0..3 {
            also("in base64", inside(bytes, offset, &STANDARD));
            also("in base64", inside(bytes, offset, &URL_SAFE));
        }
        all
    }
}

/// What a text that holds the secret, so many bytes after a multiple of three, shows in base64 whatever stands around it.
fn inside(bytes: &[u8], offset: usize, engine: &impl Engine) -> String {
    let padded = [&[0; 2][..offset], bytes].concat();
    let text = engine.encode(&padded);
    // Characters that also hold bits of what stands before or behind.
    let before = [0, 2, 3][offset];
    let whole = padded.len() * 8 / 6;
    text[before..whole].to_owned()
}

fn percent(bytes: &[u8], upper: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                write!(text, "{}", char::from(*byte))
            }
            _ if upper => write!(text, "%{byte:02X}"),
            _ => write!(text, "%{byte:02x}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_stands() {
        let own = Own::new("X", "hunter2/hunter2+").expect("long enough");
        let spellings = own.spellings();
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "z", "zz", ":more"] {
                let text = STANDARD.encode(format!("{before}hunter2/hunter2+{after}"));
                let found = spellings.iter().any(|(how, spelled)| *how == "in base64" && text.contains(spelled));
                assert!(found, "{before}…{after}: {text}");
            }
        }
        assert!(spellings.iter().any(|(_, text)| text == "hunter2%2Fhunter2%2B"));
        assert_eq!(format!("{own:?}"), "Own(X)");
        assert!(Own::new("X", "short").is_none());
    }
}
