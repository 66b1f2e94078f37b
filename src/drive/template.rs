//! Text with `{braces}` that are filled in: with what a run has made (a port, addresses of doubles), and for one customer.
//!
//! Must not know: where the text comes from or goes.

use crate::plan::model::Instance;
use std::{borrow::Cow, collections::BTreeMap};

/// What can stand in braces for one customer.
pub(crate) const PLACEHOLDERS: [&str; 6] = ["customer", "user", "email", "subscription", "session", "key"];

/// What a run has made: `port`, `scratch`, `crm_url` and the like, with their values.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<String, String>);

/// Written by hand: a secret may be among the values.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Given {
    /// The same with another value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The value of that name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text in which only values of the run stand; `Err` names what the run does not have.
    ///
    /// # Errors
    /// In words.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        fill_with(text, self, None, false)
    }
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// `{name}`.
    Name(&'a str),
    /// `{{name}}`, which stands for `{name}`.
    Escaped(&'a str),
}

/// The pieces of a text. A brace that does not hold one word of small letters is text: JSON, say.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|offset| at + offset) {
        let doubled = text[open..].starts_with("{{");
        let word_at = open + if doubled { 2 } else { 1 };
        let word = text[word_at..].split('}').next().filter(|w| is_name(w));
        let close = if doubled { "}}" } else { "}" };
        match word.filter(|word| text[word_at + word.len()..].starts_with(close)) {
            Some(word) => {
                if from < open {
                    found.push(Piece::Text(&text[from..open]));
                }
                found.push(if doubled { Piece::Escaped(word) } else { Piece::Name(word) });
                at = word_at + word.len() + close.len();
                from = at;
            }
            None => at = open + 1,
        }
    }
    if from < text.len() {
        found.push(Piece::Text(&text[from..]));
    }
    found
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Names in braces, in order.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let name = |piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) | Piece::Escaped(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

/// What a customer has of that name: `{customer}`, `{user}`, `{email}`, `{subscription}`, `{session}` and `{key}` (the
/// customer, or the user where the story has no Stripe customer).
pub(crate) fn of_instance<'i>(instance: &'i Instance, name: &str) -> Option<&'i str> {
    let customer = instance.customer.as_ref().map(|id| id.as_str());
    let user = instance.user.as_ref().map(|id| id.as_str());
    match name {
        "customer" => customer,
        "user" => user,
        "email" => instance.email.as_deref(),
        "subscription" => instance.subscription.as_ref().map(|id| id.as_str()),
        "session" => instance.session.as_deref(),
        "key" => customer.or(user),
        _ => None,
    }
}

/// What an instance lacks, in words.
pub(crate) fn lacks(instance: &Instance, name: &str) -> String {
    let hint = if name == "customer" { "; write {key}" } else { "" };
    format!("the story of {} has no {{{name}}}{hint}", instance.id)
}

/// Fills in a URL; what a customer brings is escaped. `Err` names what is lacking.
pub(crate) fn fill_url(text: &str, given: &Given, instance: Option<&Instance>) -> Result<String, String> {
    fill_with(text, given, instance, true)
}

/// The same without escaping, for text that is no URL.
pub(crate) fn fill_plain(text: &str, given: &Given, instance: Option<&Instance>) -> Result<String, String> {
    fill_with(text, given, instance, false)
}

fn fill_with(text: &str, given: &Given, instance: Option<&Instance>, escape: bool) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Escaped(name) => filled.push_str(&format!("{{{name}}}")),
            Piece::Name(name) => {
                if let Some(value) = given.0.get(name) {
                    filled.push_str(value);
                    continue;
                }
                let instance = instance.ok_or_else(|| format!("there is no {{{name}}} here"))?;
                let value = of_instance(instance, name).ok_or_else(|| lacks(instance, name))?;
                filled.push_str(&if escape { percent_encode(value) } else { Cow::Borrowed(value) });
            }
        }
    }
    Ok(filled)
}

/// Ids pass as they are; anything that could change the meaning of a URL is escaped.
fn percent_encode(value: &str) -> Cow<'_, str> {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
    if value.bytes().all(keep) {
        return Cow::Borrowed(value);
    }
    value.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_that_hold_no_word_are_text() {
        let given = Given::default().with("port", "80").with("scratch", "/there");
        for (text, wanted) in [
            ("http://a:{port}/x", "http://a:80/x"),
            ("{scratch}/{port}{port}", "/there/8080"),
            (r#"{"a": {"b": "{port}"}}"#, r#"{"a": {"b": "80"}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            ("{{level}} {port}", "{level} 80"),
            ("{ port } {Port} {} { {", "{ port } {Port} {} { {"),
            ("", ""),
        ] {
            assert_eq!(given.fill(text).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(given.fill("{prot}"), Err("there is no {prot} here".to_owned()));
        assert_eq!(names("{a} {{b}} {c} {D}"), ["a", "c"]);
    }
}
