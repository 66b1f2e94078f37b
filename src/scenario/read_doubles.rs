//! Reads which doubles there are and which one is meant: `[doubles] declared`, the `of` of faults and of effects.
//!
//! Must not know: files, plans, what a declared double answers (that is in the project's own files).

use super::{
    criterion::EffectName,
    double::Double,
    error::{ScenarioErrorKind as Kind, suggest},
    raw::{At, Fields, Mistakes, array, text},
    shape::Shape,
};
use crate::id::DoubleName;

/// What a name of a double, a route or an effect is made of.
const NAME_HELP: &str = "use lower-case letters, digits, `-` and `_`";

/// `declared = ["mail"]` under `[doubles]`.
pub(super) fn read_declared(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Vec<DoubleName> {
    let Some(value) = fields.get_as("declared", Shape::array(Shape::Name)) else { return Vec::new() };
    let mut declared = Vec::new();
    for item in array(value, "`declared`", mistakes) {
        let Some(typed) = text(item, "a name in `declared`", mistakes) else { continue };
        let Some(name) = double_name(&typed, mistakes) else { continue };
        if declared.contains(&name) {
            mistakes.add(&typed.span, Kind::DuplicateName, format!("`{name}` is listed twice"));
        } else {
            declared.push(name);
        }
    }
    declared
}

/// A name that a double may be declared under: one that no double of a dialect has.
fn double_name(typed: &At<&str>, mistakes: &mut Mistakes) -> Option<DoubleName> {
    if Double::WORDS.iter().any(|(word, _)| *word == typed.value) {
        let message = format!("`{}` is no declared double: it is there without being listed", typed.value);
        mistakes.add_help(&typed.span, Kind::BadName, message, "choose another name, or leave it out");
        return None;
    }
    let name = DoubleName::new(typed.value);
    if name.is_none() {
        let message = format!("`{}` is no name for a double", typed.value);
        let help = format!("{NAME_HELP}, {} at most", DoubleName::MOST);
        mistakes.add_help(&typed.span, Kind::BadName, message, help);
    }
    name
}

/// What a key that names a double may hold.
fn any_double() -> Shape {
    Shape::Either(vec![Shape::words(Double::WORDS), Shape::Name])
}

/// The double whose word or name stands under `of`.
pub(super) fn need_double(fields: &mut Fields<'_>, declared: &[DoubleName], mistakes: &mut Mistakes) -> Option<Double> {
    let typed = fields.need_text_as("of", any_double(), mistakes)?;
    let found = Double::of_word(typed.value);
    match found {
        Some(Double::Declared(name)) if !declared.contains(&name) => {}
        Some(double) => return Some(double),
        None => {}
    }
    let names = Double::WORDS.iter().map(|(word, _)| *word).chain(declared.iter().map(DoubleName::as_str));
    let help = suggest(typed.value, &names.collect::<Vec<_>>());
    let help = format!("{help}\na double of your own is listed: declared = [\"mail\"] under [doubles]");
    mistakes.add_help(&typed.span, Kind::UnknownDouble, format!("there is no double `{}`", typed.value), help);
    None
}

/// The effect of a declared double whose name stands under `of`: `mail.receipt`.
pub(super) fn need_effect(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<EffectName> {
    let typed = fields.need_text_as("of", Shape::Effect, mistakes)?;
    let parts = typed.value.split_once('.');
    let named = parts.filter(|(_, effect)| is_name(effect));
    let read = named
        .and_then(|(double, effect)| Some(EffectName { double: DoubleName::new(double)?, effect: effect.to_owned() }));
    if read.is_none() {
        let message = format!("`{}` names no effect of a declared double", typed.value);
        mistakes.add_help(&typed.span, Kind::BadName, message, "write double and effect: of = \"mail.receipt\"");
    }
    read
}

/// Whether a word is a name as stories, doubles, routes and effects have one.
pub(super) fn is_name(word: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !word.is_empty() && word.chars().all(fine)
}
