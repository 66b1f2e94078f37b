//! Intercom's search: one filter, or several joined by AND or OR, two deep; the rest is refused, never guessed.
//!
//! Must not know: what is searched, how far the index is behind.

use super::refusal::Refusal;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Most filters in one group, as with Intercom.
const MOST: usize = 15;

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    All(Vec<Query>),
    Any(Vec<Query>),
    One { field: String, how: How, values: Vec<String> },
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Is,
    IsNot,
    Above,
    Below,
    Contains,
    ContainsNot,
    StartsWith,
    EndsWith,
}

impl Query {
    /// Reads `query` of a body.
    pub(super) fn parse(body: &Map<String, Value>) -> Result<Self, Refusal> {
        let query = body.get("query").ok_or_else(|| Refusal::missing("query is needed"))?;
        Self::read(query, 0)
    }

    fn read(query: &Value, depth: usize) -> Result<Self, Refusal> {
        let operator = query.get("operator").and_then(Value::as_str).unwrap_or_default();
        if let ("AND" | "OR", Some(Value::Array(parts))) = (operator, query.get("value")) {
            if depth > 1 || parts.is_empty() || parts.len() > MOST {
                return Err(Refusal::invalid(format!(
                    "a query holds 1 to {MOST} filters in groups of groups, no deeper"
                )));
            }
            let parts = parts.iter().map(|part| Self::read(part, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            return Ok(if operator == "AND" { Self::All(parts) } else { Self::Any(parts) });
        }
        let field = query.get("field").and_then(Value::as_str).filter(|field| !field.is_empty());
        let field = field.ok_or_else(|| Refusal::missing("each filter needs a field"))?.to_owned();
        let how = match operator {
            "=" | "IN" => How::Is,
            "!=" | "NIN" => How::IsNot,
            ">" => How::Above,
            "<" => How::Below,
            "~" => How::Contains,
            "!~" => How::ContainsNot,
            "^" => How::StartsWith,
            "$" => How::EndsWith,
            other => return Err(Refusal::invalid(format!("the operator `{other}` is not known"))),
        };
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null => Some(String::new()),
            Value::Array(_) | Value::Object(_) => None,
        };
        let values = match query.get("value") {
            Some(Value::Array(many)) => many.iter().map(one).collect(),
            Some(value) => one(value).map(|value| vec![value]),
            None => None,
        };
        let values = values.ok_or_else(|| Refusal::invalid(format!("the filter on {field} needs a value")))?;
        Ok(Self::One { field, how, values })
    }

    /// Whether what answers `field` with its values fits; a field without values is empty.
    pub(super) fn matches(&self, field: &impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, Refusal> {
        match self {
            Self::All(parts) => Ok(parts
                .iter()
                .map(|part| part.matches(field))
                .collect::<Result<Vec<_>, _>>()?
                .iter()
                .all(|fits| *fits)),
            Self::Any(parts) => Ok(parts
                .iter()
                .map(|part| part.matches(field))
                .collect::<Result<Vec<_>, _>>()?
                .iter()
                .any(|fits| *fits)),
            Self::One { field: name, how, values } => {
                let mut own =
                    field(name).ok_or_else(|| Refusal::invalid(format!("this double does not search by {name}")))?;
                if own.is_empty() {
                    own.push(String::new());
                }
                let any = |fits: &dyn Fn(&str, &str) -> bool| {
                    own.iter().any(|own| values.iter().any(|value| fits(own, value)))
                };
                let lower = |text: &str| text.to_lowercase();
                Ok(match how {
                    How::Is => any(&|own, value| lower(own) == lower(value)),
                    How::IsNot => !any(&|own, value| lower(own) == lower(value)),
                    How::Above => any(&|own, value| compared(own, value).is_gt()),
                    How::Below => any(&|own, value| compared(own, value).is_lt()),
                    How::Contains => any(&|own, value| lower(own).contains(&lower(value))),
                    How::ContainsNot => !any(&|own, value| lower(own).contains(&lower(value))),
                    How::StartsWith => any(&|own, value| lower(own).starts_with(&lower(value))),
                    How::EndsWith => any(&|own, value| lower(own).ends_with(&lower(value))),
                })
            }
        }
    }
}

fn compared(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) | (Err(_), Err(_)) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(query: Value) -> Option<bool> {
        let body = Map::from_iter([("query".to_owned(), query)]);
        let field = |name: &str| match name {
            "email" => Some(vec!["Ada@example.com".to_owned()]),
            "created_at" => Some(vec!["1000".to_owned()]),
            "phone" => Some(Vec::new()),
            _ => None,
        };
        Query::parse(&body).ok()?.matches(&field).ok()
    }

    #[test]
    fn filters_compare_and_groups_join_them() {
        let one =
            |field: &str, operator: &str, value: Value| json!({ "field": field, "operator": operator, "value": value });
        let cases = [
            (one("email", "=", json!("ada@EXAMPLE.com")), true),
            (one("email", "IN", json!(["x", "ada@example.com"])), true),
            (one("email", "!=", json!("ada@example.com")), false),
            (one("email", "~", json!("example")), true),
            (one("email", "^", json!("example")), false),
            (one("email", "$", json!(".com")), true),
            (one("created_at", ">", json!(999)), true),
            (one("created_at", "<", json!("99")), false),
            (one("phone", "=", Value::Null), true),
        ];
        for (query, wanted) in &cases {
            assert_eq!(fits(query.clone()), Some(*wanted), "{query}");
        }
        let group = |operator: &str| json!({ "operator": operator, "value": [cases[0].0, cases[2].0] });
        assert_eq!((fits(group("AND")), fits(group("OR"))), (Some(false), Some(true)));
        let deep = json!({ "operator": "AND", "value": [group("OR")] });
        assert_eq!(fits(deep.clone()), Some(true));
        for bad in [
            json!({ "operator": "AND", "value": [deep] }),
            one("email", "LIKE", json!("x")),
            one("shoe", "=", json!("x")),
            json!({}),
        ] {
            assert_eq!(fits(bad.clone()), None, "{bad}");
        }
    }
}
