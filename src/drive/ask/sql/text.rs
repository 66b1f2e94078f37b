//! A statement's text: where its named parameters are. A colon in quotes, comments and casts (`::`) is none.
//!
//! Must not know: databases.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is.
    Text(String),
    /// `:name`.
    Parameter(String),
}

/// The pieces of a statement, without a semicolon at its end.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let text = text.trim().trim_end_matches(';').trim_end();
    if text.is_empty() {
        return Err("the statement is empty".to_owned());
    }
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if let Some(name) = parameter(rest, &text[..at]) {
            if from < at {
                parts.push(Part::Text(text[from..at].to_owned()));
            }
            parts.push(Part::Parameter(name.to_owned()));
            at += 1 + name.len();
            from = at;
        } else {
            at += opaque(rest)?;
        }
    }
    if from < text.len() {
        parts.push(Part::Text(text[from..].to_owned()));
    }
    Ok(parts)
}

fn parameter<'t>(rest: &'t str, before: &str) -> Option<&'t str> {
    let after = rest.strip_prefix(':').filter(|_| !before.ends_with(':'))?;
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
    let name = &after[..end];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
}

/// Length of what begins here and holds no parameter: a quoted text, a comment, or one character.
fn opaque(rest: &str) -> Result<usize, String> {
    for (open, close) in [("'", "'"), ("\"", "\""), ("`", "`"), ("/*", "*/")] {
        if let Some(inside) = rest.strip_prefix(open) {
            let end = inside.find(close).ok_or_else(|| format!("a {open} stays open in the statement"))?;
            return Ok(open.len() + end + close.len());
        }
    }
    if rest.starts_with("--") {
        return Ok(rest.find('\n').unwrap_or(rest.len()));
    }
    if let Some(tag) = dollar_tag(rest) {
        let end = rest[tag.len()..].find(tag).ok_or_else(|| format!("a {tag} stays open in the statement"))?;
        return Ok(tag.len() * 2 + end);
    }
    Ok(rest.chars().next().map_or(1, char::len_utf8))
}

/// `$$` or `$name$`, as PostgreSQL quotes.
fn dollar_tag(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('$')?;
    let end = inside.find('$')?;
    let name = &inside[..end];
    let is_name =
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with(|c: char| c.is_ascii_digit());
    is_name.then(|| &rest[..end + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_are_parameters() {
        for (text, names) in [
            ("select a from t where id = :customer;", vec!["customer"]),
            ("select :user, :email, :user", vec!["user", "email", "user"]),
            ("select ':a', \":b\", a::text, '10:30' -- :c\n, /* :d */ :e", vec!["e"]),
            ("select $$ :a $$, $x$ :b $x$, :c", vec!["c"]),
            ("select 'it''s :a', :b", vec!["b"]),
            ("select a[1:2], ':'", vec![]),
            ("select 'ü' || :key", vec!["key"]),
        ] {
            let parts = parts(text).expect(text);
            let found: Vec<&str> = parts
                .iter()
                .filter_map(|part| match part {
                    Part::Parameter(name) => Some(name.as_str()),
                    Part::Text(_) => None,
                })
                .collect();
            assert_eq!(found, names, "{text}");
        }
    }

    #[test]
    fn what_stays_open_is_said() {
        for text in ["", " ; ", "select 'a", "select /* a", "select $x$ a"] {
            assert!(parts(text).is_err(), "{text}");
        }
    }
}
