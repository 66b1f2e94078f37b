//! `/v1/<kind>/search`: Stripe's query language over an index that lags behind.
//!
//! Must not know: how an object comes about.

use super::{Done, Stripe, events::page_limit, expand::Asked, form::Form, kinds::Kind, refusal::Refusal};
use serde_json::{Value, json};

/// So long after a change a search sees it. Stripe says "under a minute" (<https://docs.stripe.com/search>, "data freshness").
const LAG_MS: u64 = 1_000;

/// `field:"value"`, `-field:"value"`, `metadata["key"]~"part"`, `created>5`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    not: bool,
    /// Path of the field.
    field: Vec<String>,
    sign: char,
    value: String,
}

impl Stripe {
    pub(super) fn search(&self, asked: Asked<'_>, kind: Kind, form: &Form) -> Done {
        form.only(&["query", "limit", "page", "expand"])?;
        let query = form.text(&["query"]).ok_or_else(|| Refusal::missing_parameter("query"))?;
        let (clauses, any) = clauses(query)?;
        let limit = page_limit(form)?;
        let from = form.number(&["page"])?.and_then(|page| usize::try_from(page).ok()).unwrap_or(0);
        let seen = Asked { now_ms: asked.now_ms.saturating_sub(LAG_MS), ..asked };
        let held = self.ids(seen.now_ms, kind, None).into_iter().filter_map(|id| self.held(seen.now_ms, &id));
        let fits = |object: &Value| {
            let mut each = clauses.iter().map(|clause| clause.fits(object));
            if any { each.any(|fits| fits) } else { each.all(|fits| fits) }
        };
        let mut found: Vec<_> = held.filter(|held| held.object["deleted"] != true && fits(&held.object)).collect();
        found.sort_by_key(|held| std::cmp::Reverse(held.object["created"].as_i64()));
        let more = found.len() > from + limit;
        let page = found.into_iter().skip(from).take(limit);
        let data: Vec<Value> = page.map(|held| self.rendered(seen.now_ms, held, asked.version)).collect();
        let next = more.then(|| (from + limit).to_string());
        let url = format!("/v1/{}/search", kind.row().path);
        let answer = json!({"object": "search_result", "data": data, "has_more": more, "next_page": next, "url": url});
        self.expanded(asked, answer, form)
    }
}

impl Clause {
    fn fits(&self, object: &Value) -> bool {
        let own = self.field.iter().try_fold(object, |at, key| at.get(key));
        let text = match own {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => None,
        };
        let fits = match (self.sign, text) {
            (':', None) => self.value == "null",
            (_, None) => false,
            (':', Some(text)) => text.eq_ignore_ascii_case(&self.value),
            ('~', Some(text)) => text.to_lowercase().contains(&self.value.to_lowercase()),
            (sign, Some(text)) => match (text.parse::<i64>(), self.value.parse::<i64>()) {
                (Ok(own), Ok(wanted)) => (sign == '>' && own > wanted) || (sign == '<' && own < wanted),
                _ => false,
            },
        };
        fits != self.not
    }
}

/// Clauses, and whether one is enough. `AND` and `OR` are not mixed, as with Stripe.
fn clauses(query: &str) -> Result<(Vec<Clause>, bool), Refusal> {
    let bad = || {
        let message = format!(
            "We were unable to parse your search query: {query}. Try using the format `metadata[\"key\"]:\"value\"` to query \
             for metadata or key:\"value\" to query for other fields."
        );
        Refusal::wrong_state(&message)
    };
    let (mut rest, mut clauses, mut words) = (query.trim(), Vec::new(), Vec::new());
    loop {
        let (clause, after) = clause(rest).ok_or_else(bad)?;
        clauses.push(clause);
        let after = after.trim_start();
        if after.is_empty() {
            break;
        }
        let (word, next) = after.split_once(' ').ok_or_else(bad)?;
        let (word, next) = match word {
            "AND" | "OR" | "and" | "or" => (word.to_ascii_uppercase(), next),
            // Clauses that only follow each other hold together.
            _ => ("AND".to_owned(), after),
        };
        words.push(word);
        rest = next.trim_start();
    }
    words.dedup();
    if words.len() > 1 {
        return Err(bad());
    }
    Ok((clauses, words.first().is_some_and(|word| word == "OR")))
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    let (not, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let at = text.find([':', '~', '>', '<'])?;
    let sign = text[at..].chars().next()?;
    let field = field(text[..at].trim())?;
    let value = text[at + 1..].trim_start().trim_start_matches('=');
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (value, rest) = match quote {
        Some(quote) => value[1..].split_once(quote)?,
        None => value.split_at(value.find(' ').unwrap_or(value.len())),
    };
    (!value.is_empty()).then(|| (Clause { not, field, sign, value: value.to_owned() }, rest))
}

/// `metadata["key"]` or `a.b`.
fn field(text: &str) -> Option<Vec<String>> {
    let path = match text.split_once('[') {
        Some((first, key)) => {
            let key = key.strip_suffix(']')?.trim_matches(['"', '\'']);
            vec![first.to_owned(), key.to_owned()]
        }
        None => text.split('.').map(str::to_owned).collect(),
    };
    path.iter().all(|part| !part.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_clause_by_clause() {
        let object = json!({"email": "Ada@example.com", "metadata": {"user id": "u1"}, "created": 10, "phone": null});
        for (query, fits) in [
            ("email:'ada@example.com'", true),
            ("email~\"example\" AND metadata[\"user id\"]:\"u1\"", true),
            ("-email:\"ada@example.com\"", false),
            ("email:\"x\" OR created>5", true),
            ("created<10", false),
            ("phone:null", true),
            ("metadata['other']:'u1'", false),
        ] {
            let (clauses, any) = clauses(query).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"));
            let mut each = clauses.iter().map(|clause| clause.fits(&object));
            assert_eq!(if any { each.any(|fits| fits) } else { each.all(|fits| fits) }, fits, "{query}");
        }
        for query in ["", "ada", "email:", "email:\"x\" OR created>5 AND created<9", "metadata[:\"x\""] {
            assert!(clauses(query).is_err(), "{query}");
        }
    }
}
