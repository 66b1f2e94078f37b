//! Whose contact or ticket is this? By e-mail (case does not matter) or by a Stripe id that a text mentions.
//!
//! Must not know: what is right.

use super::case::Person;
use crate::{
    history::record::{Contact, Ticket},
    plan::model::Instance,
};
use std::collections::{BTreeMap, BTreeSet};

/// Longest id that is looked for, in parts joined by `_`: `cs_test_…` has three.
const MOST_PARTS: usize = 3;

/// Texts that belong to one person each.
#[derive(Debug, Default)]
pub(super) struct Owners {
    emails: BTreeMap<String, usize>,
    ids: BTreeMap<String, usize>,
}

impl Owners {
    pub(super) fn new<'p, 'a: 'p>(people: impl Iterator<Item = &'p Person<'a>>) -> Self {
        let mut owners = Self::default();
        for (index, person) in people.enumerate() {
            for instance in &person.instances {
                owners.add(index, instance);
            }
        }
        owners
    }

    fn add(&mut self, person: usize, instance: &Instance) {
        if let Some(email) = &instance.email {
            self.emails.insert(email.to_lowercase(), person);
        }
        let ids = [
            instance.customer.as_ref().map(|id| id.as_str()),
            instance.subscription.as_ref().map(|id| id.as_str()),
            instance.session.as_deref(),
        ];
        let invoices = instance.failed_invoices.iter().map(|id| id.as_str());
        for id in ids.into_iter().flatten().chain(invoices) {
            self.ids.insert(id.to_owned(), person);
        }
    }

    /// People whom a contact belongs to: its `email` is theirs, or any of its properties mentions one of their ids.
    pub(super) fn of_contact(&self, contact: &Contact) -> BTreeSet<usize> {
        let email = contact.properties.get("email").and_then(|email| self.of_email(email));
        let ids = contact.properties.values().flat_map(|value| self.mentioned(value));
        ids.chain(email).collect()
    }

    /// The person whom a ticket belongs to: by an id that its key, subject or tags mention, else by its requester.
    pub(super) fn of_ticket(&self, ticket: &Ticket) -> Option<usize> {
        let texts = ticket_texts(ticket);
        texts.flat_map(|text| self.mentioned(text)).next().or_else(|| self.of_email(ticket.requester.as_deref()?))
    }

    pub(super) fn of_email(&self, email: &str) -> Option<usize> {
        self.emails.get(&email.trim().to_lowercase()).copied()
    }

    /// People whom a text names: by an id or by an address in it.
    pub(super) fn in_text(&self, text: &str) -> BTreeSet<usize> {
        let between = |c: char| !(c.is_alphanumeric() || "._+-@'".contains(c));
        let addresses = text.split(between).filter_map(|word| self.of_email(word.trim_matches(['.', '\''])));
        addresses.chain(self.mentioned(text)).collect()
    }

    /// Owners of the ids in a text, each id a run of whole parts between other characters than letters and digits.
    fn mentioned(&self, text: &str) -> Vec<usize> {
        let parts = parts(text);
        let mut owners = Vec::new();
        for (i, (from, _)) in parts.iter().enumerate() {
            for (_, to) in parts.iter().skip(i).take(MOST_PARTS) {
                owners.extend(self.ids.get(&text[*from..*to]).copied());
            }
        }
        owners
    }
}

/// Byte ranges of the runs of letters and digits.
fn parts(text: &str) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut from = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric(), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                parts.push((start, at));
                from = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    parts
}

/// Whether a text holds an id as a whole: not as a part of a longer run of letters and digits.
pub(super) fn mentions(text: &str, id: &str) -> bool {
    let bounded = |(at, found): (usize, &str)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    !id.is_empty() && text.match_indices(id).any(bounded)
}

/// Texts of a ticket in which an id may stand, the caller's key first.
pub(super) fn ticket_texts(ticket: &Ticket) -> impl Iterator<Item = &str> {
    let key = ticket.external_id.as_deref().into_iter();
    key.chain([ticket.subject.as_str()]).chain(ticket.tags.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_mentioned_as_a_whole_or_not_at_all() {
        for text in ["in_1AB", "dunning_in_1AB", "stripe:in_1AB:failed", "in_1AB_2", "(in_1AB)", "ä in_1AB é"] {
            assert!(mentions(text, "in_1AB"), "{text}");
        }
        for text in ["", "in_1ABC", "xin_1AB", "in_1A", "éin_1AB"] {
            assert!(!mentions(text, "in_1AB"), "{text}");
        }
        assert!(!mentions("anything", ""));
    }

    #[test]
    fn owners_are_found_by_id_and_by_email_in_any_case() {
        let owners = Owners {
            emails: [("a@example.com".into(), 0)].into(),
            ids: [("cus_1".into(), 1), ("cs_test_9".into(), 2)].into(),
        };
        assert_eq!(owners.of_email(" A@Example.com"), Some(0));
        assert_eq!(owners.mentioned("dunning_cus_1, cs_test_9; cus_12"), [1, 2]);
    }
}
