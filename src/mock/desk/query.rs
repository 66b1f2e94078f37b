//! The part of Zendesk's search language that the double understands; the rest is refused, never guessed.
//!
//! Must not know: how far the index is behind.

use super::{
    fields::{Fields, STATUSES},
    refusal::Refusal,
};

const UNDERSTOOD: &str = "this double understands type:, external_id:, tags:, status: (also status<, status>), subject:, \
                          requester:, each with a leading - for not, and values in quotes";

/// A search: all of its terms must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    field: Field,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Type,
    ExternalId,
    Tags,
    Status,
    StatusBelow,
    StatusAbove,
    Subject,
    Requester,
}

impl Query {
    /// Reads `type:ticket external_id:"in_1"`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let terms = words(text)?.iter().map(|word| Term::parse(word)).collect::<Result<Vec<_>, _>>()?;
        if terms.is_empty() { Err(Refusal::bad_query("the query is empty")) } else { Ok(Self(terms)) }
    }

    /// Whether a ticket holds all terms.
    pub(super) fn matches(&self, ticket: &Fields) -> bool {
        self.0.iter().all(|term| term.matches(ticket) != term.negated)
    }
}

/// Splits at blanks outside quotes; quotes are dropped.
fn words(text: &str) -> Result<Vec<String>, Refusal> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    if quoted { Err(Refusal::bad_query("a quote is not closed")) } else { Ok(words) }
}

impl Term {
    fn parse(word: &str) -> Result<Self, Refusal> {
        let (negated, word) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
        let not_understood = || Refusal::bad_query(&format!("`{word}`: {UNDERSTOOD}"));
        let at = word.find([':', '<', '>']).ok_or_else(not_understood)?;
        let (name, value) = (&word[..at], &word[at + 1..]);
        let field = match (name, &word[at..=at]) {
            ("type", ":") => Field::Type,
            ("external_id", ":") => Field::ExternalId,
            ("tags", ":") => Field::Tags,
            ("status", ":") => Field::Status,
            ("status", "<") => Field::StatusBelow,
            ("status", ">") => Field::StatusAbove,
            ("subject", ":") => Field::Subject,
            ("requester", ":") => Field::Requester,
            _ => return Err(not_understood()),
        };
        if value.is_empty() || (name == "status" && rank(value).is_none()) {
            return Err(not_understood());
        }
        Ok(Self { negated, field, value: value.to_owned() })
    }

    fn matches(&self, ticket: &Fields) -> bool {
        let value = self.value.as_str();
        match self.field {
            Field::Type => value == "ticket" || ticket.kind.as_deref() == Some(value),
            Field::ExternalId => ticket.external_id.as_deref() == Some(value),
            Field::Tags => ticket.tags.iter().any(|tag| *tag == value.to_lowercase()),
            Field::Status => ticket.status == value,
            Field::StatusBelow => rank(&ticket.status) < rank(value),
            Field::StatusAbove => rank(&ticket.status) > rank(value),
            Field::Subject => ticket.subject.to_lowercase().contains(&value.to_lowercase()),
            Field::Requester => ticket.requester.as_deref() == Some(value.to_lowercase().as_str()),
        }
    }
}

fn rank(status: &str) -> Option<usize> {
    STATUSES.iter().position(|known| *known == status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_a_value_together() {
        let query = Query::parse(r#"type:ticket  external_id:"in 1:x" -status:solved"#).ok();
        let term = |negated, field, value: &str| Term { negated, field, value: value.into() };
        let wanted = vec![
            term(false, Field::Type, "ticket"),
            term(false, Field::ExternalId, "in 1:x"),
            term(true, Field::Status, "solved"),
        ];
        assert_eq!(query, Some(Query(wanted)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in
            ["", "printer", "assignee:me", "status:lost", "external_id:", "external_id:\"a", "created>2026", "-"]
        {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
