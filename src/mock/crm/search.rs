//! Contact search: filter groups, sorting, pages, with HubSpot's limits.
//!
//! Must not know: how far the index is behind; it is given the versions that it shows.

use super::{
    properties::{View, same},
    refusal::Refusal,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// HubSpot's limits of one search: groups, filters in a group, filters in all, results on a page, results in all.
const MOST_GROUPS: usize = 5;
const MOST_FILTERS_IN_GROUP: usize = 6;
const MOST_FILTERS: usize = 18;
const MOST_ON_PAGE: usize = 200;
const MOST_RESULTS: usize = 10_000;
const DEFAULT_ON_PAGE: usize = 10;

/// Properties that a `query` looks into.
const QUERIED: [&str; 5] = ["email", "firstname", "lastname", "phone", "company"];

/// One search.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Search {
    #[serde(default)]
    filter_groups: Vec<Group>,
    #[serde(default)]
    sorts: Vec<AnySort>,
    query: Option<String>,
    #[serde(default)]
    properties: Vec<String>,
    limit: Option<usize>,
    after: Option<After>,
}

#[derive(Debug, Deserialize)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: Operator,
    value: Option<Scalar>,
    high_value: Option<Scalar>,
    #[serde(default)]
    values: Vec<Scalar>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }
}

/// Clients send a sort as an object, as its text, or as the name of the property, after a minus for the other direction.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AnySort {
    Whole(Sort),
    Text(String),
}

impl AnySort {
    fn read(&self) -> Sort {
        match self {
            Self::Whole(sort) => sort.clone(),
            Self::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| {
                let falling = text.strip_prefix('-');
                let direction = if falling.is_some() { Direction::Descending } else { Direction::Ascending };
                Sort { property_name: falling.unwrap_or(text).to_owned(), direction }
            }),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sort {
    property_name: String,
    #[serde(default)]
    direction: Direction,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// Clients send the cursor as text or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum After {
    Number(usize),
    Text(String),
}

impl Search {
    /// Reads the body of a search and holds it against HubSpot's limits.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let search: Self =
            serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("invalid input JSON: {error}")))?;
        let filters: Vec<usize> = search.filter_groups.iter().map(|group| group.filters.len()).collect();
        if filters.len() > MOST_GROUPS
            || filters.iter().sum::<usize>() > MOST_FILTERS
            || filters.iter().any(|count| !(1..=MOST_FILTERS_IN_GROUP).contains(count))
        {
            return Err(Refusal::invalid(format!(
                "at most {MOST_GROUPS} filter groups of 1 to {MOST_FILTERS_IN_GROUP} filters, {MOST_FILTERS} filters in all"
            )));
        }
        for filter in search.filter_groups.iter().flat_map(|group| &group.filters) {
            filter.has_its_value()?;
        }
        if search.limit.is_some_and(|limit| limit > MOST_ON_PAGE) {
            return Err(Refusal::invalid(format!("`limit` must be {MOST_ON_PAGE} at most")));
        }
        search.offset()?;
        Ok(search)
    }

    fn offset(&self) -> Result<usize, Refusal> {
        let offset = match &self.after {
            None => Some(0),
            Some(After::Number(offset)) => Some(*offset),
            Some(After::Text(text)) if text.is_empty() => Some(0),
            Some(After::Text(text)) => text.parse().ok(),
        };
        let wrong = || Refusal::invalid(format!("`after` must be a cursor from 0 to {MOST_RESULTS}"));
        offset.filter(|offset| *offset <= MOST_RESULTS).ok_or_else(wrong)
    }

    /// The page of `contacts` that was asked for, in HubSpot's shape; with the `default` properties when none are named.
    pub(super) fn answer<'a>(&self, contacts: impl Iterator<Item = View<'a>>, default: &[String]) -> Value {
        let mut found: Vec<View<'a>> = contacts.filter(|contact| self.matches(contact)).collect();
        for sort in self.sorts.iter().rev().map(AnySort::read) {
            found.sort_by(|a, b| {
                let (a, b) = (a.property(&sort.property_name), b.property(&sort.property_name));
                let order = a
                    .is_some()
                    .cmp(&b.is_some())
                    .then_with(|| compared(a.as_deref().unwrap_or_default(), b.as_deref().unwrap_or_default()));
                match sort.direction {
                    Direction::Ascending => order,
                    Direction::Descending => order.reverse(),
                }
            });
        }
        let wanted = if self.properties.is_empty() { default.to_vec() } else { self.properties.clone() };
        let offset = self.offset().unwrap_or(0);
        let limit = self.limit.unwrap_or(DEFAULT_ON_PAGE);
        let page: Vec<Value> = found.iter().skip(offset).take(limit).map(|contact| contact.json(&wanted)).collect();
        let mut answer = json!({ "total": found.len(), "results": page });
        let next = offset + limit;
        if limit > 0 && next < found.len() {
            answer["paging"] = json!({ "next": { "after": next.to_string(), "link": format!("?after={next}") } });
        }
        answer
    }

    fn matches(&self, contact: &View<'_>) -> bool {
        let in_group = |group: &Group| group.filters.iter().all(|filter| filter.matches(contact));
        let in_groups = self.filter_groups.is_empty() || self.filter_groups.iter().any(in_group);
        in_groups && self.query.as_deref().is_none_or(|query| has_words(contact, query))
    }
}

fn has_words(contact: &View<'_>, query: &str) -> bool {
    let texts: Vec<String> =
        QUERIED.iter().filter_map(|name| contact.property(name)).map(|text| text.to_lowercase()).collect();
    query.to_lowercase().split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
}

impl Filter {
    fn has_its_value(&self) -> Result<(), Refusal> {
        let (given, field) = match self.operator {
            Operator::Eq
            | Operator::Neq
            | Operator::Lt
            | Operator::Lte
            | Operator::Gt
            | Operator::Gte
            | Operator::ContainsToken
            | Operator::NotContainsToken => (self.value.is_some(), "value"),
            Operator::Between => (self.value.is_some() && self.high_value.is_some(), "value` and `highValue"),
            Operator::In | Operator::NotIn => (!self.values.is_empty(), "values"),
            Operator::HasProperty | Operator::NotHasProperty => (true, ""),
        };
        let missing = || format!("the filter on `{}` needs `{field}`", self.property_name);
        if given { Ok(()) } else { Err(Refusal::invalid(missing())) }
    }

    /// A negative operator asks for another value: a contact without the property matches only `NOT_HAS_PROPERTY`.
    fn matches(&self, contact: &View<'_>) -> bool {
        let Some(text) = contact.property(&self.property_name) else {
            return matches!(self.operator, Operator::NotHasProperty);
        };
        let equals = |value: &Scalar| same(&self.property_name, &text, &value.text());
        let contains = |value: &Scalar| contains_token(&text, &value.text());
        let against = |value: &Option<Scalar>, fits: fn(Ordering) -> bool| {
            value.iter().any(|value| fits(compared(&text, &value.text())))
        };
        match self.operator {
            Operator::Lt => against(&self.value, Ordering::is_lt),
            Operator::Lte => against(&self.value, Ordering::is_le),
            Operator::Gt => against(&self.value, Ordering::is_gt),
            Operator::Gte => against(&self.value, Ordering::is_ge),
            Operator::Between => against(&self.value, Ordering::is_ge) && against(&self.high_value, Ordering::is_le),
            Operator::Eq => self.value.iter().any(equals),
            Operator::Neq => !self.value.iter().any(equals),
            Operator::In => self.values.iter().any(equals),
            Operator::NotIn => !self.values.iter().any(equals),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
            Operator::ContainsToken => self.value.iter().any(contains),
            Operator::NotContainsToken => !self.value.iter().any(contains),
        }
    }
}

/// Numbers by their size, times by when they are (as text or as milliseconds), all else by letters.
fn compared(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok().or_else(|| millis(text));
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) | (None, Some(_)) | (None, None) => a.cmp(b),
    }
}

fn millis(text: &str) -> Option<f64> {
    let whole = if text.len() == "2026-01-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let at = time::OffsetDateTime::parse(&whole, &time::format_description::well_known::Rfc3339).ok()?;
    Some((at.unix_timestamp_nanos() / 1_000_000) as f64)
}

/// Whether `text` contains the words of `wanted` one after the other; with `*`, whether a word fits the pattern.
fn contains_token(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    if wanted.contains('*') {
        return text.split_whitespace().any(|word| fits(word, &wanted));
    }
    let tokens = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).map(str::to_owned).collect()
    };
    let wanted = tokens(&wanted);
    !wanted.is_empty() && tokens(&text).windows(wanted.len()).any(|window| window == wanted)
}

/// Whether `word` fits `pattern`, in which `*` is any text.
fn fits(word: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = word.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    let mut rest = rest;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_whole_words_unless_a_star_opens_them() {
        assert!(contains_token("anna@example.com", "example.com"));
        assert!(contains_token("anna@example.com", "*@example.com"));
        assert!(contains_token("Anna Berg", "berg"));
        for (text, wanted) in [("anna@example.com", "exam"), ("anna", "*@example.com"), ("anna", ""), ("ab", "a*ab")] {
            assert!(!contains_token(text, wanted), "{text} {wanted}");
        }
    }

    #[test]
    fn what_hubspot_would_refuse_is_refused() {
        let groups = |count: usize, filters: usize| {
            let filter = json!({ "propertyName": "a", "operator": "HAS_PROPERTY" });
            json!({ "filterGroups": vec![json!({ "filters": vec![filter; filters] }); count] }).to_string()
        };
        assert!(Search::parse(groups(3, 6).as_bytes()).is_ok());
        let filter = |operator: &str| {
            json!({ "filterGroups": [{ "filters": [{ "propertyName": "a", "operator": operator }] }] }).to_string()
        };
        for body in [
            groups(6, 1),
            groups(1, 7),
            groups(4, 5),
            groups(1, 0),
            filter("EQ"),
            filter("IN"),
            filter("LIKE"),
            r#"{"limit":201}"#.into(),
            r#"{"after":"x"}"#.into(),
            r#"{"after":10001}"#.into(),
            "{".into(),
        ] {
            assert!(Search::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
