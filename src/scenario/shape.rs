//! What a key may hold, as data: each reader says it with the question by which it takes the value, so that the JSON Schema
//! is asked from the readers themselves.
//!
//! Must not know: which keys a scenario has, JSON.

use toml::de::DeTable;

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// The reader did not say.
    Any,
    /// Text.
    Text,
    /// Text that is not blank.
    Said,
    /// Text of lower-case letters, digits, `-` and `_`.
    Name,
    /// A span of time.
    Duration,
    /// A span of time above zero.
    Positive,
    /// An array of the shortest and the longest span.
    Span,
    /// The name of events: type, glob or position.
    Events,
    /// An effect of a declared double: two names with a dot between them.
    Effect,
    /// A whole number, both ends included.
    Count {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A number above 0 and below 1, or 1 itself too.
    Share {
        /// Whether 1 is one.
        one: bool,
    },
    /// True or false.
    Flag,
    /// True.
    True,
    /// One of these words.
    Words(Vec<&'static str>),
    /// One of these numbers.
    Numbers(Vec<u64>),
    /// Text, a number, true or false.
    Scalar,
    /// An array.
    Array {
        /// Of these.
        of: Box<Shape>,
        /// At least so many.
        least: usize,
        /// At most so many.
        most: Option<usize>,
    },
    /// A table whose keys the writer chooses; there is one at least.
    Named(Box<Shape>),
    /// A table that is read by itself.
    Inner,
    /// One of these.
    Either(Vec<Shape>),
    /// A table, as its reader asked for it.
    Table(Table),
}

/// What must hold of several keys of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tie {
    /// One of them, and one alone.
    Exactly(&'static [&'static str]),
    /// One of them at least.
    AtLeast(&'static [&'static str]),
    /// Not two of them.
    AtMost(&'static [&'static str]),
}

/// A key that a reader has asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    /// The key.
    pub(super) name: &'static str,
    /// What it may hold.
    pub(super) shape: Shape,
    /// Whether it must be there.
    pub(super) must: bool,
}

/// A table that has been read: what it may hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Where it stood in the file that was read.
    pub(super) start: usize,
    /// Whether it holds exactly one of its keys.
    pub(super) choice: bool,
    /// Its keys, in the order of the questions.
    pub(super) keys: Vec<Key>,
    /// What ties them together.
    pub(super) ties: Vec<Tie>,
}

impl Shape {
    /// One of the words of a table of words.
    pub(super) fn words<T>(words: &[(&'static str, T)]) -> Self {
        Self::Words(words.iter().map(|(word, _)| *word).collect())
    }

    /// An array of any length.
    pub(super) fn array(of: Self) -> Self {
        Self::Array { of: Box::new(of), least: 0, most: None }
    }

    /// A span of time, or the shortest and the longest.
    pub(super) fn between() -> Self {
        Self::Either(vec![Self::Duration, Self::Span])
    }

    /// Whether a table that is read by itself may stand here.
    fn has_inner(&self) -> bool {
        match self {
            Self::Inner => true,
            Self::Array { of, .. } => of.has_inner(),
            Self::Either(some) => some.iter().any(Self::has_inner),
            _ => false,
        }
    }

    /// The same with the table that its reader asked for.
    fn with(self, table: &Table) -> Self {
        match self {
            Self::Inner => Self::Table(table.clone()),
            Self::Array { of, least, most } => Self::Array { of: Box::new(of.with(table)), least, most },
            Self::Either(some) => Self::Either(some.into_iter().map(|one| one.with(table)).collect()),
            other => other,
        }
    }

    /// What is said of one key by two questions.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, one) | (one, Self::Any) => one,
            (one, other) if one == other => one,
            (Self::Either(mut some), other) => {
                if !some.contains(&other) {
                    some.push(other);
                }
                Self::Either(some)
            }
            (one, other) => Self::Either(vec![one, other]),
        }
    }
}

/// Notes a question in `keys`; of two about one key both hold.
pub(super) fn note(keys: &mut Vec<Key>, name: &'static str, shape: Shape, must: bool) {
    match keys.iter_mut().find(|key| key.name == name) {
        Some(key) => {
            let before = std::mem::replace(&mut key.shape, Shape::Any);
            key.shape = before.or(shape);
            key.must |= must;
        }
        None => keys.push(Key { name, shape, must }),
    }
}

/// A way down a file: keys, and whether an array of tables stands there.
type Path<'p> = &'p [(&'static str, bool)];

/// Asks a reader of whole documents what the table at the root may hold, and every table in it: it is given a file that
/// holds nothing but the way to one table after the other. `read` gives the tables that were read.
pub(super) fn ask(read: &mut dyn FnMut(&DeTable<'_>) -> Vec<Table>) -> Option<Table> {
    below(&[], read)
}

/// The table at the end of a way, with those below it.
fn below(path: Path<'_>, read: &mut dyn FnMut(&DeTable<'_>) -> Vec<Table>) -> Option<Table> {
    let own = document(path).1;
    let mut table = read_at(path, own, read)?;
    for n in 0..table.keys.len() {
        let (name, shape) = (table.keys[n].name, table.keys[n].shape.clone());
        if !shape.has_inner() {
            continue;
        }
        let array = matches!(shape, Shape::Array { .. });
        let further: Vec<_> = path.iter().copied().chain([(name, array)]).collect();
        let inner = below(&further, read);
        if let Some(inner) = &inner {
            table.keys[n].shape = shape.with(inner);
        }
        // What is asked only when that table is there belongs to this one too; what need not be there then is no must.
        if let Some(again) = read_at(&further, own, read) {
            // Where no table stands, its reader says there what does.
            if let (None, Some(key)) = (&inner, again.keys.iter().find(|key| key.name == name)) {
                table.keys[n].shape = key.shape.clone();
            }
            for key in &mut table.keys {
                key.must &= again.keys.iter().any(|other| other.name == key.name && other.must);
            }
            for key in again.keys {
                if !table.keys.iter().any(|known| known.name == key.name) {
                    table.keys.push(Key { must: false, ..key });
                }
            }
        }
    }
    Some(table)
}

/// What the table that starts at `start` may hold, of a file that holds the way `path`.
fn read_at(path: Path<'_>, start: usize, read: &mut dyn FnMut(&DeTable<'_>) -> Vec<Table>) -> Option<Table> {
    let (text, _) = document(path);
    let document = DeTable::parse(&text).ok()?;
    read(document.get_ref()).into_iter().find(|table| table.start == start)
}

/// A file that holds one way down, and where its last table starts (0 for the root).
fn document(path: Path<'_>) -> (String, usize) {
    let (mut text, mut behind, mut start) = ("version = 1\n".to_owned(), String::new(), 0);
    for (key, array) in path {
        let (open, close) = if *array { ("[", "]") } else { ("", "") };
        text.push_str(&format!("{key} = {open}"));
        start = text.len();
        text.push_str("{ ");
        behind.insert_str(0, &format!(" }}{close}"));
    }
    (text + &behind, start)
}
