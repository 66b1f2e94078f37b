//! Reads what an app says of a customer: a JSON answer and a few paths into it. The reading is pure; `live` makes the request.
//!
//! Must not know: what the state should be.

use super::ask::Question;
use serde_json::Value;
use serde_json_path::JsonPath;
use std::collections::BTreeMap;

/// `[probe.customer]` of a project file, checked.
#[derive(Clone, Debug)]
pub struct ProbeSpec {
    /// What is asked.
    pub ask: Question,
    /// Whether access is open.
    pub access: Expression,
    /// Subscription status.
    pub status: Option<Expression>,
    /// Plan.
    pub plan: Option<Expression>,
    /// Named numbers.
    pub values: BTreeMap<String, Expression>,
}

impl ProbeSpec {
    /// Reads an app's answer for a customer that it knows into `probe`.
    pub fn read(&self, body: &Value, probe: &mut crate::history::record::Probe) {
        probe.known = Some(true);
        probe.access = Some(self.access.is_true(body));
        probe.status = self.status.as_ref().and_then(|e| e.text(body));
        probe.plan = self.plan.as_ref().and_then(|e| e.text(body));
        probe.values = self
            .values
            .iter()
            .filter_map(|(name, e)| e.evaluate(body).as_i64().map(|number| (name.clone(), number)))
            .collect();
    }
}

/// A JSONPath, alone or compared: `$.a.b`, `$.a == 'x'`, `$.a != 3`, `$.a in ['x', 'y']`.
#[derive(Clone, Debug)]
pub struct Expression {
    path: JsonPath,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Value,
    Equals(Value),
    Differs(Value),
    In(Vec<Value>),
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an expression: {what}; write a JSONPath, alone or compared, as `$.status in ['active', 'trialing']`"
)]
pub struct ExpressionError {
    text: String,
    what: String,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`ExpressionError`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let wrong = |what: String| ExpressionError { text: text.to_owned(), what };
        let (path, test) = match split_operator(text) {
            None => (text.trim(), Test::Value),
            Some((path, operator, right)) => {
                let right = literal(right).map_err(&wrong)?;
                let test = match (operator, right) {
                    ("==", value) => Test::Equals(value),
                    ("!=", value) => Test::Differs(value),
                    (_, Value::Array(values)) => Test::In(values),
                    _ => return Err(wrong("`in` needs a list, as ['a', 'b']".to_owned())),
                };
                (path, test)
            }
        };
        let path = JsonPath::parse(path).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { path, test })
    }

    /// The value in `body`: of a comparison a boolean, else the first node, or null when there is none.
    pub fn evaluate(&self, body: &Value) -> Value {
        let found = self.path.query(body).first().cloned().unwrap_or(Value::Null);
        match &self.test {
            Test::Value => found,
            Test::Equals(value) => Value::Bool(found == *value),
            Test::Differs(value) => Value::Bool(found != *value),
            Test::In(values) => Value::Bool(values.contains(&found)),
        }
    }

    /// Whether the value in `body` says yes: `true`, or any text or number but an empty one, zero or "false".
    pub fn is_true(&self, body: &Value) -> bool {
        match self.evaluate(body) {
            Value::Bool(yes) => yes,
            Value::Null => false,
            Value::Number(n) => n.as_f64() != Some(0.0),
            Value::String(s) => !s.is_empty() && s != "false",
            Value::Array(_) | Value::Object(_) => true,
        }
    }

    /// The value as text; none for null.
    pub fn text(&self, body: &Value) -> Option<String> {
        match self.evaluate(body) {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
}

/// Splits at the first operator outside brackets and quotes.
fn split_operator(text: &str) -> Option<(&str, &'static str, &str)> {
    let (mut depth, mut quote) = (0_i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth -= 1,
            (None, _) if depth == 0 => {
                for operator in [" in ", "==", "!="] {
                    if let Some(right) = text[at..].strip_prefix(operator) {
                        return Some((text[..at].trim(), operator.trim(), right));
                    }
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// JSON, with single quotes allowed around texts.
fn literal(text: &str) -> Result<Value, String> {
    let text = text.trim();
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&text.replace('\'', "\"")))
        .map_err(|_| format!("`{text}` is no value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_read_and_compare() {
        let body = json!({"subscription": {"status": "trialing"}, "n": 2, "list": [{"id": "a", "on": true}]});
        for (text, yes) in [
            ("$.subscription.status in ['active', 'trialing']", true),
            ("$.subscription.status == 'active'", false),
            ("$.subscription.status != \"active\"", true),
            ("$.n == 2", true),
            ("$.nothing", false),
            ("$.list[?(@.id == 'a')].on", true),
        ] {
            let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(expression.is_true(&body), yes, "{text}");
        }
        assert_eq!(Expression::parse("$.n").expect("a path").text(&body), Some("2".to_owned()));
    }

    #[test]
    fn what_is_no_expression_is_said() {
        for text in ["", "status", "$.a in 3", "$.a == "] {
            let error = Expression::parse(text).expect_err(text).to_string();
            assert!(error.contains("is not an expression"), "{error}");
        }
    }
}
