//! The part of Zendesk's search language that the double understands; the rest is refused, never guessed.
//!
//! Must not know: how far the index is behind.

use super::{
    fields::{Fields, STATUSES},
    refusal::Refusal,
};

const UNDERSTOOD: &str = "this double understands words of subject and description, type:, ticket_type:, external_id:, tags:, \
                          status: (also status<, status>), priority:, subject:, description:, requester:, created and updated with \
                          : < > and a date, each with a leading - for not, and values in quotes; and order_by:, sort:";

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
    Word,
    Type,
    TicketType,
    Priority,
    Description,
    Created(Side),
    Updated(Side),
    /// Of the order: nothing is looked for.
    Nothing,
    ExternalId,
    Tags,
    Status,
    StatusBelow,
    StatusAbove,
    Subject,
    Requester,
}

/// On which side of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    On,
    Before,
    After,
    NotAfter,
    NotBefore,
}

impl Side {
    fn of(sign: &str) -> Self {
        match sign {
            "<" => Self::Before,
            ">" => Self::After,
            "<=" => Self::NotAfter,
            ">=" => Self::NotBefore,
            _ => Self::On,
        }
    }

    /// Dates and times of one form compare as text; one that says less is compared as far as it says.
    fn fits(self, at: &str, wanted: &str) -> bool {
        let at = at.get(..wanted.len()).unwrap_or(at);
        match self {
            Self::On => at == wanted,
            Self::Before => at < wanted,
            Self::After => at > wanted,
            Self::NotAfter => at <= wanted,
            Self::NotBefore => at >= wanted,
        }
    }
}

impl Query {
    /// Reads `type:ticket external_id:"in_1"`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let terms = words(text)?.iter().map(|word| Term::parse(word)).collect::<Result<Vec<_>, _>>()?;
        if terms.is_empty() { Err(Refusal::bad_query("the query is empty")) } else { Ok(Self(terms)) }
    }

    /// Whether a ticket holds all terms.
    pub(super) fn matches(&self, ticket: &Fields, created: &str, updated: &str) -> bool {
        self.0.iter().all(|term| term.matches(ticket, created, updated) != term.negated)
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
        let Some(at) = word.find([':', '<', '>']) else {
            let value = word.to_lowercase();
            return if value.is_empty() {
                Err(not_understood())
            } else {
                Ok(Self { negated, field: Field::Word, value })
            };
        };
        let signs = word[at..].chars().take_while(|c| matches!(c, ':' | '<' | '>' | '=')).count();
        let (name, sign, value) = (&word[..at], &word[at..at + signs], &word[at + signs..]);
        let field = match (name, sign) {
            ("type", ":") => Field::Type,
            ("ticket_type", ":") => Field::TicketType,
            ("priority", ":") => Field::Priority,
            ("external_id", ":") => Field::ExternalId,
            ("tags", ":") => Field::Tags,
            ("status", ":") => Field::Status,
            ("status", "<") => Field::StatusBelow,
            ("status", ">") => Field::StatusAbove,
            ("subject", ":") => Field::Subject,
            ("description", ":") => Field::Description,
            ("requester", ":") => Field::Requester,
            ("created", ":" | "<" | ">" | "<=" | ">=") if is_date(value) => Field::Created(Side::of(sign)),
            ("updated", ":" | "<" | ">" | "<=" | ">=") if is_date(value) => Field::Updated(Side::of(sign)),
            ("order_by" | "sort", ":") => Field::Nothing,
            _ => return Err(not_understood()),
        };
        if value.is_empty() || (name == "status" && rank(value).is_none()) {
            return Err(not_understood());
        }
        Ok(Self { negated, field, value: value.to_owned() })
    }

    fn matches(&self, ticket: &Fields, created: &str, updated: &str) -> bool {
        let value = self.value.as_str();
        let within = |text: &str| text.to_lowercase().contains(&value.to_lowercase());
        match self.field {
            Field::Word => within(&ticket.subject) || within(&ticket.description),
            Field::TicketType => ticket.kind.as_deref() == Some(value),
            Field::Priority => ticket.priority.as_deref() == Some(value),
            Field::Description => within(&ticket.description),
            Field::Created(side) => side.fits(created, value),
            Field::Updated(side) => side.fits(updated, value),
            Field::Nothing => true,
            Field::Type => value == "ticket" || ticket.kind.as_deref() == Some(value),
            Field::ExternalId => ticket.external_id.as_deref() == Some(value),
            Field::Tags => ticket.tags.iter().any(|tag| *tag == value.to_lowercase()),
            Field::Status => ticket.status == value,
            Field::StatusBelow => rank(&ticket.status) < rank(value),
            Field::StatusAbove => rank(&ticket.status) > rank(value),
            Field::Subject => within(&ticket.subject),
            Field::Requester => {
                let by_id = ticket.requester_id.to_string() == value;
                by_id || ticket.requester.as_deref() == Some(value.to_lowercase().as_str())
            }
        }
    }
}

/// A date, alone or with a time, in the form that the API writes.
fn is_date(text: &str) -> bool {
    let (day, rest) = text.split_at_checked("2026-01-01".len()).unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = day.split('-').collect();
    matches!(parts.as_slice(), [y, m, d] if y.len() == 4 && m.len() == 2 && d.len() == 2 && digits(y) && digits(m) && digits(d))
        && (rest.is_empty() || rest.starts_with('T'))
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
        for text in ["", "assignee:me", "status:lost", "external_id:", "external_id:\"a", "created>yesterday", "-"] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
