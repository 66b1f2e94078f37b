//! Texts of a declared double with values in `{braces}`: what of a call, of the state or of the moment stands there.
//!
//! Must not know: TOML, calls, state.

use crate::scenario::error::{nearest, suggest};

/// A text with values in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// A value.
    Value(Source),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A parameter of the path.
    Path(String),
    /// A parameter of the query.
    Query(String),
    /// A header of the call, in lower case.
    Header(String),
    /// A field of a form.
    Form(String),
    /// A value of a JSON body, by its way from the root; all of it when the way is empty.
    Json(Vec<String>),
    /// The result of an action, by its name and the way into it.
    Result(String, Vec<String>),
    /// The items of a list.
    Items,
    /// A number of a list's page.
    Page(PageKind),
    /// How many items a collection has.
    Size(String),
    /// Something that no other call gets.
    New(NewKind),
    /// The time of the call.
    Now(NowKind),
}

/// What is known of a page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Its number, from 1.
    Number,
    /// The number of the next one; null on the last.
    Next,
    /// Whether there is a next one.
    More,
    /// Items of all pages.
    Total,
}

/// Something new in each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKind {
    /// 1, 2, 3.
    Number,
    /// A UUID.
    Uuid,
    /// 24 hexadecimal digits.
    Hex,
}

/// How the time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NowKind {
    /// `2026-06-01T12:00:00.000Z`.
    Iso,
    /// Seconds since 1970.
    Secs,
    /// Milliseconds since 1970.
    Millis,
}

const NEW: &[(&str, NewKind)] = &[("number", NewKind::Number), ("uuid", NewKind::Uuid), ("hex", NewKind::Hex)];
const NOW: &[(&str, NowKind)] = &[("iso", NowKind::Iso), ("secs", NowKind::Secs), ("ms", NowKind::Millis)];
const PAGE: &[(&str, PageKind)] =
    &[("number", PageKind::Number), ("next", PageKind::Next), ("more", PageKind::More), ("total", PageKind::Total)];

/// First words that values of the call have.
pub(super) const OF_CALL: &[&str] = &["path", "query", "header", "form", "json"];

/// First words that no result may be called by.
pub(super) const RESERVED: &[&str] =
    &["path", "query", "header", "form", "json", "items", "page", "size", "new", "now"];

/// What a template may refer to where it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Parameters of the path.
    pub(super) parameters: Vec<String>,
    /// Results of actions before it.
    pub(super) results: Vec<String>,
    /// Whether a list was made before it.
    pub(super) list: bool,
}

/// Why something in braces cannot be filled in: a sentence, and what to write.
pub(super) type Wrong = (String, String);

impl Template {
    /// A text as it stands.
    pub fn plain(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    /// Reads a text; `{{` and `}}` stand for braces themselves.
    pub(super) fn read(text: &str, known: &Known) -> Result<Self, Wrong> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if brace.starts_with("{{") || brace.starts_with("}}") {
                plain.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let inner = brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let Some((inner, behind)) = inner.filter(|(inner, _)| !inner.contains('{')) else {
                let help = "write {{ and }} for braces that are meant as such";
                return Err((format!("a brace without the other one in `{text}`"), help.to_owned()));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Value(Source::read(inner, known)?));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The one value that it consists of.
    pub fn alone(&self) -> Option<&Source> {
        match self.0.as_slice() {
            [Piece::Value(source)] => Some(source),
            _ => None,
        }
    }
}

impl Source {
    /// Reads `json.customer.id` and the like.
    pub(super) fn read(text: &str, known: &Known) -> Result<Self, Wrong> {
        let (root, rest) = text.split_once('.').unwrap_or((text, ""));
        let way = || rest.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        if known.results.iter().any(|name| name == root) {
            return Ok(Self::Result(root.to_owned(), way()));
        }
        match (root, rest) {
            ("json", _) => Ok(Self::Json(way())),
            ("items", "") if known.list => Ok(Self::Items),
            ("path", name) => match known.parameters.iter().any(|parameter| parameter == name) {
                true => Ok(Self::Path(name.to_owned())),
                false => Err(unknown(text, "path", &known.parameters)),
            },
            ("query" | "header" | "form" | "size", "") => {
                Err((format!("`{{{text}}}` names nothing"), format!("write {{{root}.name}}")))
            }
            ("query", name) => Ok(Self::Query(name.to_owned())),
            ("header", name) => Ok(Self::Header(name.to_lowercase())),
            ("form", name) => Ok(Self::Form(name.to_owned())),
            ("size", name) => Ok(Self::Size(name.to_owned())),
            ("new", word) => kind(text, "new", word, NEW).map(Self::New),
            ("now", word) => kind(text, "now", word, NOW).map(Self::Now),
            ("page", word) if known.list => kind(text, "page", word, PAGE).map(Self::Page),
            ("items" | "page", _) => {
                let help = "it belongs to a `list` action before it";
                Err((format!("`{{{text}}}` is not there: nothing was listed"), help.to_owned()))
            }
            _ => Err(unknown_root(text, root, known)),
        }
    }
}

fn kind<T: Copy>(text: &str, root: &str, word: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
    found.ok_or_else(|| unknown(text, root, &words.iter().map(|(word, _)| (*word).to_owned()).collect::<Vec<_>>()))
}

fn unknown(text: &str, root: &str, names: &[String]) -> Wrong {
    let names: Vec<String> = names.iter().map(|name| format!("{root}.{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (format!("`{{{text}}}` cannot be filled in"), suggest(text, &names))
}

fn unknown_root(text: &str, root: &str, known: &Known) -> Wrong {
    let results = known.results.iter().map(String::as_str);
    let roots: Vec<&str> = OF_CALL.iter().copied().chain(["new", "now", "size"]).chain(results).collect();
    let message = format!("`{{{text}}}` cannot be filled in");
    let list = roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", ");
    let list = format!("a value begins with one of {list}; write {{{{ and }}}} for braces that are meant as such");
    match nearest(root, roots.iter().copied()) {
        Some(near) => (message, format!("did you mean `{near}`?\n{list}")),
        None => (message, list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known { parameters: vec!["id".to_owned()], results: vec!["item".to_owned()], list: false }
    }

    #[test]
    fn texts_are_taken_apart_and_double_braces_stay() {
        let read = Template::read("a {{b}} {json.to.0}-{item.key}{path.id}", &known()).expect("read");
        assert_eq!(
            read.0,
            [
                Piece::Text("a {b} ".to_owned()),
                Piece::Value(Source::Json(vec!["to".to_owned(), "0".to_owned()])),
                Piece::Text("-".to_owned()),
                Piece::Value(Source::Result("item".to_owned(), vec!["key".to_owned()])),
                Piece::Value(Source::Path("id".to_owned())),
            ]
        );
        assert_eq!(Template::read("{new.uuid}", &known()).expect("read").alone(), Some(&Source::New(NewKind::Uuid)));
        assert_eq!(Template::read("", &known()).expect("read"), Template::default());
    }

    #[test]
    fn what_cannot_be_filled_in_is_said_with_what_can() {
        let wrong = |text: &str| Template::read(text, &known()).expect_err(text);
        assert!(wrong("{jsn.to}").1.contains("did you mean `json`?"), "{:?}", wrong("{jsn.to}"));
        assert!(wrong("{path.idd}").1.contains("did you mean `path.id`?"));
        assert!(wrong("{now.utc}").1.contains("`now.iso`"));
        assert!(wrong("{items}").1.contains("`list`"));
        assert!(wrong("{header}").1.contains("{header.name}"));
        for text in ["{", "}", "a { b", "{a{b}}", "{json.a"] {
            assert!(wrong(text).0.contains("brace"), "{text}: {:?}", wrong(text));
        }
    }
}
