//! Parameters as Stripe takes them: form-encoded, with brackets for what is nested (`line_items[0][price]=…`, `types[]=…`).
//!
//! Must not know: which parameters there are.

use super::refusal::Refusal;
use std::collections::BTreeMap;

/// Deepest nesting; Stripe's own parameters stay well below.
const DEEPEST: usize = 8;
/// Most parameters of one request.
const MOST: usize = 1000;

/// Parameters of one request: a tree, whose leaves are texts. List entries are keyed by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Form {
    leaf: Option<String>,
    /// In the order of the list where the keys are numbers.
    below: BTreeMap<Key, Form>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Number(usize),
    Name(String),
}

impl Key {
    fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number)
    }
}

impl Form {
    /// Reads `a=1&b[c]=2` of a body.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        Self::of_pairs(form_urlencoded::parse(body))
    }

    /// Reads the pairs of a query.
    pub(super) fn of_query(query: &[(String, String)]) -> Result<Self, Refusal> {
        Self::of_pairs(query.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())))
    }

    fn of_pairs<'a>(
        pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    ) -> Result<Self, Refusal> {
        let mut form = Self::default();
        for (count, (name, value)) in pairs.enumerate() {
            let path = path(&name).filter(|path| count < MOST && path.len() <= DEEPEST);
            let Some(path) = path else { return Err(Refusal::unknown_parameter(&name)) };
            form.put(&path, &value);
        }
        Ok(form)
    }

    fn put(&mut self, path: &[&str], value: &str) {
        let mut at = self;
        for part in path {
            let key = if part.is_empty() { Key::Number(at.below.len()) } else { Key::of(part) };
            at = at.below.entry(key).or_default();
        }
        at.leaf = Some(value.to_owned());
    }

    /// What stands under a name or a number.
    pub(super) fn at(&self, name: &str) -> Option<&Self> {
        self.below.get(&Key::of(name))
    }

    /// The text under a path; an empty text is none, as with Stripe, where it takes a value away.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        let end = path.iter().try_fold(self, |at, name| at.at(name))?;
        end.leaf.as_deref().filter(|text| !text.is_empty())
    }

    /// A whole number under a path.
    pub(super) fn number(&self, path: &[&str]) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(path) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::bad_integer(&shown(path), text))
    }

    /// `true` or `false` under a path.
    pub(super) fn flag(&self, path: &[&str]) -> Result<Option<bool>, Refusal> {
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                Err(Refusal::invalid(&shown(path), &format!("Invalid boolean: {other}"), "parameter_invalid_boolean"))
            }
        }
    }

    /// The texts of a list, in its order.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.at(name).into_iter().flat_map(|list| list.below.values());
        list.filter_map(|entry| entry.leaf.as_deref()).collect()
    }

    /// Names and texts of a hash, such as `metadata`.
    pub(super) fn hash(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.at(name).into_iter().flat_map(|hash| &hash.below);
        let text = |(key, entry): (&Key, &Self)| {
            let name = match key {
                Key::Number(number) => number.to_string(),
                Key::Name(name) => name.clone(),
            };
            entry.leaf.as_ref().filter(|text| !text.is_empty()).map(|text| (name, text.clone()))
        };
        entries.filter_map(text).collect()
    }

    /// Names and texts of a hash; `None` for an empty text, which takes the entry away.
    pub(super) fn entries(&self, name: &str) -> Vec<(String, Option<String>)> {
        let entries = self.at(name).into_iter().flat_map(|hash| &hash.below);
        let entry = |(key, entry): (&Key, &Self)| {
            let name = match key {
                Key::Number(number) => number.to_string(),
                Key::Name(name) => name.clone(),
            };
            (name, entry.leaf.clone().filter(|text| !text.is_empty()))
        };
        entries.map(entry).collect()
    }

    /// Refuses any parameter on the outside that is not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        for key in self.below.keys() {
            match key {
                Key::Name(name) if known.contains(&name.as_str()) => {}
                Key::Name(name) => return Err(Refusal::unknown_parameter(name)),
                Key::Number(number) => return Err(Refusal::unknown_parameter(&number.to_string())),
            }
        }
        Ok(())
    }
}

/// `a[b][]` is `a`, `b` and an empty part; `None` when the brackets do not close.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let mut path = vec![first];
    path.extend(inner.split("]["));
    let sound = !first.is_empty() && path.iter().all(|part| !part.contains(['[', ']']));
    sound.then_some(path)
}

fn shown(path: &[&str]) -> String {
    let mut parts = path.iter();
    let first = parts.next().copied().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| format!("{shown}[{part}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_make_a_tree() {
        let form = Form::of_body(
            b"line_items[0][price]=price_1&line_items[0][quantity]=2&types[]=a&types[]=b&metadata[user]=u+1&email=",
        )
        .expect("a form");
        assert_eq!(form.text(&["line_items", "0", "price"]), Some("price_1"));
        assert_eq!(form.number(&["line_items", "0", "quantity"]).ok().flatten(), Some(2));
        assert_eq!(form.texts("types"), ["a", "b"]);
        assert_eq!(form.hash("metadata"), BTreeMap::from([("user".to_owned(), "u 1".to_owned())]));
        assert_eq!(form.text(&["email"]), None, "an empty text takes a value away");
        assert!(form.only(&["line_items", "types", "metadata", "email"]).is_ok());
        assert!(form.only(&["types"]).is_err());
    }

    #[test]
    fn long_lists_keep_their_order() {
        let body: String = (0..12).map(|n| format!("types[{n}]={n}&")).collect();
        let form = Form::of_body(body.trim_end_matches('&').as_bytes()).expect("a form");
        assert_eq!(form.texts("types").last(), Some(&"11"));
    }

    #[test]
    fn broken_brackets_and_wrong_values_are_refused() {
        for body in ["a[b=1", "[a]=1", "a]b[=1", "a[b][c][d][e][f][g][h][i]=1"] {
            assert!(Form::of_body(body.as_bytes()).is_err(), "{body}");
        }
        let form = Form::of_body(b"limit=many&flag=yes").expect("a form");
        assert!(form.number(&["limit"]).is_err() && form.flag(&["flag"]).is_err());
    }
}
