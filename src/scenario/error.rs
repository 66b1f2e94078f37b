//! What is wrong with a scenario file, and the only place where a located error is drawn.
//!
//! The drawing is plain text without colour and does not depend on the terminal, so that it can be compared exactly.
//! Must not know: what the keys of a scenario mean.

use std::{fmt, ops::Range, path::Path};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The kinds of mistakes. Each has a file in `fixtures/bad-scenarios/`; a test enumerates them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ScenarioErrorKind {
            $($(#[$doc])* $name),+
        }

        impl ScenarioErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The kind's name as it is written in the source.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }
        }
    };
}

kinds! {
    /// The file cannot be read, or is not UTF-8.
    Unreadable,
    /// Not TOML.
    Syntax,
    /// `version` is not one that this build reads.
    Version,
    /// A key that must be there is not.
    MissingKey,
    /// A key that means nothing here.
    UnknownKey,
    /// Text where a number belongs, or the like.
    WrongType,
    /// A table that holds one choice holds none or several.
    NotOneChoice,
    /// A text that must say something is empty.
    EmptyText,
    /// A name with characters that ids and folders cannot carry.
    BadName,
    /// A name given twice.
    DuplicateName,
    /// Not a span of time.
    BadDuration,
    /// Not a shortest and a longest span of time.
    BadSpan,
    /// A word that is not among the possible ones.
    UnknownWord,
    /// A double that is neither one of ours nor listed under `[doubles]`.
    UnknownDouble,
    /// An operation that a double does not tell apart.
    UnknownOperation,
    /// A number out of its range.
    OutOfRange,
    /// A story that is not in this scenario.
    UnknownStory,
    /// A story that goes on from one below it (or from itself): cycles are among these.
    StoryNotAbove,
    /// Stories tied together have different numbers of instances.
    CountMismatch,
    /// Two things that exclude each other.
    Conflict,
    /// A recording that cannot be loaded.
    BadRecording,
    /// A file of stories that cannot be included.
    BadInclude,
    /// `${…}` names no parameter of `[matrix]`.
    UnknownParameter,
    /// A parameter of `[matrix]` that nothing takes: a typing error, mostly.
    UnusedParameter,
    /// A number that is none of the known bug classes.
    UnknownClass,
    /// Recordings tied together are about different customers.
    OtherCustomer,
    /// Not a way to name events.
    BadSelector,
    /// Names events that no recording in question has.
    NoSuchEvent,
    /// Names the nth of fewer than n events.
    NoSuchPosition,
    /// A step or a contact for which the recording lacks what it takes.
    StepImpossible,
    /// More attempts are lost than the sender makes: the event would never arrive.
    NeverArrives,
    /// A fault that only a simulated run can carry out, in a scenario that may run live.
    OnlySimulated,
    /// No `[[story]]`: nothing would be sent.
    NoStories,
    /// No `[[criterion]]`: nothing would be shown.
    NoCriteria,
    /// A criterion that this scenario gives no evidence for.
    NoEvidence,
    /// More deliveries or steps than a plan may have.
    TooLarge,
}

/// One mistake, with its place when it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// What kind of mistake.
    pub kind: ScenarioErrorKind,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to type instead, or what there is to choose from; possibly several lines.
    pub help: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// How many characters are meant (1 or more), within the line.
    pub width: usize,
    /// The line's text.
    pub text: String,
}

/// All mistakes of one file, in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioErrors {
    /// The file, as it was named.
    pub file: String,
    /// The mistakes; at least one.
    pub errors: Vec<ScenarioError>,
}

/// A line longer than this is shown in part, around the mistake.
const SHOWN_CHARS: usize = 160;

/// How much of a long line is shown before the mistake.
const SHOWN_BEFORE: usize = 40;

impl Place {
    /// The place of the byte range `span` in `text`. Ranges over several lines are cut to their first line.
    pub fn of(text: &str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_boundary(text, span.end).clamp(start, line_end);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end].trim_end().chars().count().max(1),
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl ScenarioErrors {
    /// One mistake without a place.
    pub fn whole_file(path: &Path, kind: ScenarioErrorKind, message: impl Into<String>) -> Self {
        let error = ScenarioError { kind, message: message.into(), help: None, place: None };
        Self { file: path.display().to_string(), errors: vec![error] }
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            draw(f, &self.file, error)?;
        }
        Ok(())
    }
}

/// ```text
/// error: unknown key `copys` in `duplicate`
///   --> duplicates.toml:12:26
///    |
/// 12 | duplicate = { of = "*", copys = 2 }
///    |                         ^^^^^
///    = did you mean `copies`?
/// ```
fn draw(f: &mut fmt::Formatter<'_>, file: &str, error: &ScenarioError) -> fmt::Result {
    writeln!(f, "error: {}", printable(&error.message))?;
    let margin = error.place.as_ref().map_or(1, |place| place.line.to_string().len());
    match &error.place {
        None => writeln!(f, "{:margin$}--> {file}", "")?,
        Some(place) => {
            let (shown, before) = excerpt(place);
            let carets = "^".repeat(place.width.min(shown.chars().count().saturating_sub(before)).max(1));
            writeln!(f, "{:margin$}--> {file}:{}:{}", "", place.line, place.column)?;
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{} | {shown}", place.line)?;
            writeln!(f, "{:margin$} | {:before$}{carets}", "", "")?;
        }
    }
    for line in error.help.iter().flat_map(|help| help.lines()) {
        writeln!(f, "{:margin$} = {}", "", printable(line))?;
    }
    Ok(())
}

/// The part of the line that is shown, and how many characters of it stand before the mistake.
fn excerpt(place: &Place) -> (String, usize) {
    let text = printable(&place.text);
    let before = place.column - 1;
    if text.chars().count() <= SHOWN_CHARS {
        return (text, before);
    }
    let skip = before.saturating_sub(SHOWN_BEFORE);
    (text.chars().skip(skip).take(SHOWN_CHARS).collect(), before - skip)
}

/// Control characters (tabs too) as one space each: they would move the carets or the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Fewer characters than this are no beginning of a word.
const BEGINNING: usize = 4;

/// Nearest of `words` to `typed`, when it is near enough to be meant: a few typing errors, or the beginning of a longer word.
pub fn nearest<'w>(typed: &str, words: impl IntoIterator<Item = &'w str> + Clone) -> Option<&'w str> {
    let limit = typed.chars().count().div_ceil(3).clamp(1, 4);
    let typed = typed.to_lowercase();
    let begins = |word: &&str| typed.len() >= BEGINNING && word.to_lowercase().starts_with(&typed);
    let longer = words.clone().into_iter().find(begins);
    words
        .into_iter()
        .map(|word| (strsim::osa_distance(&typed, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
        .or(longer)
}

/// Help for a wrong word: the nearest one as a question, and the list of all.
pub fn suggest(typed: &str, words: &[&str]) -> String {
    let list = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let list = if words.is_empty() { "there is none".to_owned() } else { format!("valid: {list}") };
    match nearest(typed, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?\n{list}"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>) -> String {
        let place = Some(Place::of(text, &span));
        let error = ScenarioError { kind: ScenarioErrorKind::UnknownKey, message: "x".into(), help: None, place };
        ScenarioErrors { file: "a.toml".into(), errors: vec![error] }.to_string()
    }

    #[test]
    fn carets_stand_under_the_characters_meant() {
        let text = "a = 1\nname = \"größe\" # ü\n";
        let at = text.find("größe").expect("there");
        assert_eq!(
            one(text, at..at + "größe".len()),
            "error: x\n --> a.toml:2:9\n  |\n2 | name = \"größe\" # ü\n  |         ^^^^^\n"
        );
    }

    #[test]
    fn ranges_beyond_the_end_within_a_character_and_over_lines_do_not_panic() {
        for span in [0..0, 3..900, 900..901, 1..2, 0..7] {
            let drawn = one("ä\nöü\n", span.clone());
            assert!(drawn.contains('^'), "{span:?}: {drawn}");
        }
        assert!(one("", 0..0).contains("1 | \n  | ^"));
    }

    #[test]
    fn long_lines_and_tabs_are_shown_in_part_and_in_one_width() {
        let text = format!("\t{} here {}", "x".repeat(500), "y".repeat(500));
        let at = text.find("here").expect("there");
        let drawn = one(&text, at..at + 4);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[3].find("here"), lines[4].find("^^^^"), "{drawn}");
        assert!(lines[3].len() < 200);
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("copys", ["of", "copies", "spacing"]), Some("copies"));
        assert_eq!(nearest("invoice.payed", ["invoice.paid", "invoice.created"]), Some("invoice.paid"));
        assert_eq!(nearest("restart", ["at_call", "restart_after"]), Some("restart_after"));
        assert_eq!(nearest("elephant", ["of", "copies"]), None);
    }
}
