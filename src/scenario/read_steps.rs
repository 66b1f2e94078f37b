//! Reads `[[step]]` and `[[given]]`: what people do, and which contacts exist before the run.
//!
//! Must not know: faults, criteria, files.

use super::{
    error::{ScenarioErrorKind as Kind, suggest},
    model::{Agent, GivenContact, Page, Step},
    raw::{At, Fields, Mistakes, Span, choice, fields, table, text},
    read_stories::{ReadStory, Stories},
    shape::Shape,
};
use crate::stripe::recording::Story;
use std::{collections::BTreeMap, time::Duration};
use toml::{Spanned, de::DeValue};

/// Most looks at a page by one person: a page that polls does so for minutes, not days.
const MAX_TIMES: u64 = 1_000;

const AGENTS: &[(&str, Agent)] = &[("desktop", Agent::Desktop), ("mobile", Agent::Mobile)];

const PAGES: &[(&str, Page)] = &[("success", Page::Success)];

/// What can be put into the property of a contact, in braces.
const PLACEHOLDERS: &[&str] = &["email", "user"];

type ReadStep = fn(&mut Fields<'_>, &Stories, &mut Mistakes) -> Option<Step>;

const STEPS: &[(&str, ReadStep)] = &[("sign_up", sign_up), ("visit", visit), ("ask", ask)];

/// Reads one `[[step]]`.
pub(super) fn read_step(entry: &Spanned<DeValue<'_>>, stories: &Stories, mistakes: &mut Mistakes) -> Option<At<Step>> {
    let chosen = choice("`[[step]]`", entry, STEPS, mistakes)?;
    let mut fields = fields(chosen.value, &format!("`{}`", chosen.word), mistakes)?;
    let step = (chosen.meaning)(&mut fields, stories, mistakes);
    fields.close(mistakes);
    Some(At { value: step?, span: chosen.span })
}

fn sign_up(fields: &mut Fields<'_>, stories: &Stories, mistakes: &mut Mistakes) -> Option<Step> {
    let story = story_with(fields, stories, "sign up", "e-mail", |truth| truth.email.is_some(), mistakes);
    let at = fields.duration("at", Duration::ZERO, mistakes);
    let agent = fields.word("agent", Agent::default(), AGENTS, mistakes);
    let ticket = queue(fields.text_as("ticket", Shape::Said, mistakes), mistakes);
    Some(Step::SignUp { story: story?, at, agent, ticket })
}

/// Longest message that a person types here; an app may well take less.
const LONGEST_MESSAGE: usize = 2_000;

fn ask(fields: &mut Fields<'_>, stories: &Stories, mistakes: &mut Mistakes) -> Option<Step> {
    let story = story_with(fields, stories, "ask for help", "e-mail", |truth| truth.email.is_some(), mistakes);
    let message = fields.need_text_as("message", Shape::Said, mistakes);
    if let Some(message) = &message {
        let length = message.value.chars().count();
        if message.value.trim().is_empty() || length > LONGEST_MESSAGE {
            let words = format!("`message` is 1 to {LONGEST_MESSAGE} characters of text");
            mistakes.add(&message.span, Kind::OutOfRange, words);
        }
    }
    let category = fields.text("category", mistakes).map(|category| category.value.to_owned());
    let typed = fields.need_text_as("queue", Shape::Said, mistakes);
    let queue = queue(typed, mistakes);
    let at = fields.duration("at", Duration::ZERO, mistakes);
    let times = fields.count("times", 1, 1..MAX_TIMES + 1, mistakes);
    let every = fields.duration("every", Duration::from_millis(200), mistakes);
    let agent = fields.word("agent", Agent::default(), AGENTS, mistakes);
    let (story, message, times) = (story?, message?.value.to_owned(), u32::try_from(times).unwrap_or(1));
    Some(Step::Ask { story, message, category, queue: queue?, at, times, every, agent })
}

fn queue(typed: Option<At<&str>>, mistakes: &mut Mistakes) -> Option<String> {
    let typed = typed?;
    if typed.value.trim().is_empty() {
        mistakes.add(&typed.span, Kind::EmptyText, "the name of a queue is empty");
    }
    Some(typed.value.to_owned())
}

fn visit(fields: &mut Fields<'_>, stories: &Stories, mistakes: &mut Mistakes) -> Option<Step> {
    let story =
        story_with(fields, stories, "visit a page", "Checkout session", |truth| truth.session.is_some(), mistakes);
    let page = fields.need_word("page", PAGES, mistakes);
    let at = fields.duration("at", Duration::ZERO, mistakes);
    let times = fields.count("times", 1, 1..MAX_TIMES + 1, mistakes);
    let every = fields.duration("every", Duration::from_millis(200), mistakes);
    let agent = fields.word("agent", Agent::default(), AGENTS, mistakes);
    Some(Step::Visit { story: story?, page: page?, at, times: u32::try_from(times).unwrap_or(1), every, agent })
}

/// The story of a step, when its recording has what the step takes.
fn story_with(
    fields: &mut Fields<'_>,
    stories: &Stories,
    what: &str,
    needed: &str,
    has: impl Fn(&Story) -> bool,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let name = fields.need_text_as("story", Shape::Name, mistakes)?;
    let story = stories.find(&name, mistakes)?;
    require(story, &name.span, what, needed, has, mistakes);
    Some(story.name.value.clone())
}

fn require(
    story: &ReadStory,
    span: &Span,
    what: &str,
    needed: &str,
    has: impl Fn(&Story) -> bool,
    mistakes: &mut Mistakes,
) {
    let Some(recording) = story.recording() else { return };
    if !recording.story.as_ref().is_some_and(has) {
        let message = format!("nobody can {what} here: the recording `{}` names no {needed}", recording.name);
        let help = "story.toml beside the recording says whose it is";
        mistakes.add_help(span, Kind::StepImpossible, message, help);
    }
}

const GIVEN: &[(&str, ())] = &[("contact", ())];

/// Reads one `[[given]]`.
pub(super) fn read_given(
    entry: &Spanned<DeValue<'_>>,
    stories: &Stories,
    mistakes: &mut Mistakes,
) -> Option<GivenContact> {
    let chosen = choice("`[[given]]`", entry, GIVEN, mistakes)?;
    let mut fields = fields(chosen.value, "`contact`", mistakes)?;
    let story = fields.need_text_as("story", Shape::Name, mistakes).and_then(|name| stories.find(&name, mistakes));
    let properties = fields.need_as("properties", Shape::Named(Box::new(Shape::Text)), mistakes);
    fields.close(mistakes);
    let properties = read_properties(properties?, story, mistakes)?;
    Some(GivenContact { story: story?.name.value.clone(), properties })
}

fn read_properties(
    value: &Spanned<DeValue<'_>>,
    story: Option<&ReadStory>,
    mistakes: &mut Mistakes,
) -> Option<BTreeMap<String, String>> {
    let entries = table(value, "`properties`", mistakes)?;
    if entries.is_empty() {
        mistakes.add(&value.span(), Kind::EmptyText, "`properties` holds nothing: a contact has at least an e-mail");
    }
    let mut properties = BTreeMap::new();
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        let Some(text) = text(value, &format!("`{name}`"), mistakes) else { continue };
        check_placeholders(&text, story, mistakes);
        properties.insert(name.to_owned(), text.value.to_owned());
    }
    Some(properties)
}

fn check_placeholders(text: &At<&str>, story: Option<&ReadStory>, mistakes: &mut Mistakes) {
    for part in text.value.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or(part);
        match (name, part.contains('}')) {
            (_, false) => mistakes.add(&text.span, Kind::UnknownWord, "a `{` without its `}`"),
            ("email", true) => needs_of(story, text, "e-mail", |truth| truth.email.is_some(), mistakes),
            ("user", true) => needs_of(story, text, "user", |truth| truth.user.is_some(), mistakes),
            (_, true) => {
                let message = format!("`{{{name}}}` is nothing that can be filled in");
                mistakes.add_help(&text.span, Kind::UnknownWord, message, suggest(name, PLACEHOLDERS));
            }
        }
    }
}

fn needs_of(
    story: Option<&ReadStory>,
    text: &At<&str>,
    needed: &str,
    has: impl Fn(&Story) -> bool,
    mistakes: &mut Mistakes,
) {
    if let Some(story) = story {
        require(story, &text.span, "be given a contact", needed, has, mistakes);
    }
}
