//! What is the same in two lives of one story: the ids of one customer as those of another. Both lived through the same events, so
//! what differs between two bodies of one event is what each is called.
//!
//! Must not know: how re-keying works, what is compared.

use crate::{id, plan::model::Instance};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Shortest word that names somebody.
const SHORTEST: usize = 4;

/// One customer's names as another's.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Whole texts.
    whole: BTreeMap<String, String>,
    /// Words within texts; nothing where one stands for two.
    words: BTreeMap<String, Option<String>>,
}

impl Names {
    /// Learns from two bodies of one event, `mine` and that of the customer as whom I am called.
    pub(super) fn learn(&mut self, mine: &Value, theirs: &Value) {
        match (mine, theirs) {
            (Value::Object(a), Value::Object(b)) => {
                a.iter().filter_map(|(key, a)| Some((a, b.get(key)?))).for_each(|(a, b)| self.learn(a, b));
            }
            (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| self.learn(a, b)),
            (Value::String(a), Value::String(b)) => self.call(a, b),
            _ => {}
        }
    }

    /// Learns what the plan itself says of two customers.
    pub(super) fn learn_instance(&mut self, mine: &Instance, theirs: &Instance) {
        let of = |i: &Instance| {
            [
                i.customer.as_ref().map(ToString::to_string),
                i.subscription.as_ref().map(ToString::to_string),
                i.user.as_ref().map(ToString::to_string),
                i.session.clone(),
                i.email.clone(),
            ]
        };
        of(mine).iter().zip(&of(theirs)).for_each(|(a, b)| {
            if let (Some(a), Some(b)) = (a, b) {
                self.call(a, b);
            }
        });
    }

    /// Of a person with several customers, each stands for the first: which one an app takes for theirs may hang on its id.
    pub(super) fn one_customer(&mut self, all: &[&str]) {
        let Some((first, others)) = all.split_first() else { return };
        let mine: Vec<String> =
            self.whole.iter().filter(|(_, as_)| others.contains(&as_.as_str())).map(|(m, _)| m.clone()).collect();
        for id in mine.into_iter().chain(others.iter().map(|id| (*id).to_owned())) {
            self.words.insert(id.clone(), Some((*first).to_owned()));
            self.whole.insert(id, (*first).to_owned());
        }
    }

    /// Learns the ids of two events.
    pub(super) fn learn_event(&mut self, mine: &id::EventId, theirs: &id::EventId) {
        self.call(mine.as_str(), theirs.as_str());
    }

    fn call(&mut self, mine: &str, theirs: &str) {
        if mine == theirs {
            return;
        }
        self.whole.insert(mine.to_owned(), theirs.to_owned());
        if mine.contains('@') {
            self.whole.insert(mine.to_lowercase(), theirs.to_lowercase());
        }
        let (a, b) = (pieces(mine), pieces(theirs));
        if a.len() != b.len() {
            return;
        }
        for (a, b) in a.iter().zip(&b).filter(|(a, b)| a != b && a.len() >= SHORTEST && is_word(a)) {
            let known = self.words.entry((*a).to_owned()).or_insert_with(|| Some((*b).to_owned()));
            if known.as_deref() != Some(*b) {
                *known = None;
            }
        }
    }

    /// A text in the other's names.
    pub(super) fn text(&self, text: &str) -> String {
        if let Some(whole) = self.whole.get(text) {
            return whole.clone();
        }
        let named = |piece: &str| self.words.get(piece).and_then(Option::as_deref).unwrap_or(piece).to_owned();
        pieces(text).into_iter().map(named).collect()
    }

    /// A value in the other's names.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (self.text(key), self.value(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

fn is_word(piece: &str) -> bool {
    piece.chars().next().is_some_and(is_word_char)
}

const fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Words, and what stands between them.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut before: Option<bool> = None;
    for (at, c) in text.char_indices() {
        let word = is_word_char(c);
        if before.is_some_and(|before| before != word) {
            pieces.push(&text[from..at]);
            from = at;
        }
        before = Some(word);
    }
    if from < text.len() {
        pieces.push(&text[from..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_customer_is_called_as_the_other_wherever_the_name_stands() {
        let mut names = Names::default();
        let body = |id: &str, mail: &str| json!({"customer": id, "mail": mail, "plan": "pro", "url": format!("https://x/{id}/a")});
        names.learn(&body("cus_AAAA1", "ann@example.com"), &body("cus_BBBB2", "bob@example.com"));
        let read = json!({"cus_AAAA1": {"note": "key:cus_AAAA1-2", "mail": "Ann@example.com", "plan": "pro", "of": "cus_CCCC3"}});
        let named = json!({"cus_BBBB2": {"note": "key:cus_BBBB2-2", "mail": "Ann@example.com", "plan": "pro", "of": "cus_CCCC3"}});
        assert_eq!(names.value(&read), named);
        assert_eq!(names.text("ann@example.com"), "bob@example.com");
    }

    #[test]
    fn a_word_that_stands_for_two_stands_for_none() {
        let mut names = Names::default();
        names.learn(&json!(["word one_a", "word two_a"]), &json!(["else one_b", "thing two_b"]));
        assert_eq!(names.text("a word two_a"), "a word two_b");
    }
}
