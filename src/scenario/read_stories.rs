//! Reads `[[story]]`, and resolves what ties stories together.
//!
//! Must not know: faults, criteria, files.

use super::{
    error::{ScenarioErrorKind as Kind, suggest},
    model::{MAX_INSTANCES, Spacing, StoryUse},
    raw::{At, Fields, Mistakes, Span, duration, fields, text, within},
    shape::{Shape, Tie},
};
use crate::stripe::recording::{Recording, Story};
use std::{sync::Arc, time::Duration};
use toml::{Spanned, de::DeValue};

/// Gives the recording of a name, or says why not (further lines of the text are help).
pub(super) type Recordings<'r> = &'r mut dyn FnMut(&str) -> Result<Arc<Recording>, String>;

/// Default gap between the deliveries of one instance: Stripe sends the events of one Checkout within a second or two.
const DEFAULT_SPACING: Duration = Duration::from_millis(20);

/// Default gap between the starts of two instances.
const DEFAULT_STAGGER: Duration = Duration::from_millis(5);

/// The word for the gaps of the recording itself.
const RECORDED: &str = "recorded";

/// A `[[story]]` as far as it could be read.
pub(super) struct ReadStory {
    /// Its name; empty when it has none that can be used.
    pub(super) name: At<String>,
    recording: Option<Arc<Recording>>,
    instances: At<u32>,
    continues: Option<At<String>>,
    same_person_as: Option<At<String>>,
    after: Option<Duration>,
    spacing: Spacing,
    stagger: Duration,
}

/// All stories of a scenario.
pub(super) struct Stories {
    list: Vec<ReadStory>,
}

impl ReadStory {
    /// How many customers it has.
    pub(super) fn instances(&self) -> u32 {
        self.instances.value
    }
}

impl Stories {
    /// Reads every `[[story]]` and checks what ties them together.
    pub(super) fn read(entries: &[&Spanned<DeValue<'_>>], recordings: Recordings<'_>, mistakes: &mut Mistakes) -> Self {
        let mut list: Vec<ReadStory> = Vec::new();
        for entry in entries {
            let Some(story) = fields(entry, "`[[story]]`", mistakes).map(|f| read_story(f, recordings, mistakes))
            else {
                continue;
            };
            if !story.name.value.is_empty() && list.iter().any(|other| other.name.value == story.name.value) {
                let message = format!("there is a story `{}` already", story.name.value);
                mistakes.add(&story.name.span, Kind::DuplicateName, message);
            }
            list.push(story);
        }
        for n in 0..list.len() {
            check_ties(&list, n, mistakes);
        }
        Self { list }
    }

    /// Names that can be referred to.
    pub(super) fn names(&self) -> Vec<&str> {
        self.list.iter().map(|story| story.name.value.as_str()).filter(|name| !name.is_empty()).collect()
    }

    /// The story of a name, or a located error.
    pub(super) fn find(&self, name: &At<&str>, mistakes: &mut Mistakes) -> Option<&ReadStory> {
        let found = self.list.iter().find(|story| story.name.value == name.value);
        if found.is_none() {
            unknown_story(name.value, &name.span, &self.names(), mistakes);
        }
        found
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<&ReadStory> {
        self.list.iter().collect()
    }

    /// The stories, when every one could be read; checks over all of them wait until then.
    pub(super) fn complete(&self) -> Option<Vec<StoryUse>> {
        self.list.iter().map(ReadStory::complete).collect()
    }

    /// Where the story with the most events to send stands.
    pub(super) fn largest(&self) -> Option<&Span> {
        let size = |story: &ReadStory| {
            let events = story.recording.as_ref().map_or(0, |recording| recording.events.len());
            u64::from(story.instances.value) * events as u64
        };
        self.list.iter().max_by_key(|story| size(story)).map(|story| &story.instances.span)
    }
}

impl ReadStory {
    /// The recording, when it could be loaded.
    pub(super) fn recording(&self) -> Option<&Recording> {
        self.recording.as_deref()
    }

    fn truth(&self) -> Option<&Story> {
        self.recording()?.story.as_ref()
    }

    fn complete(&self) -> Option<StoryUse> {
        let default_after = match (&self.continues, self.spacing) {
            (Some(_), Spacing::Every(gap)) => gap,
            (Some(_), Spacing::Recorded) => DEFAULT_SPACING,
            (None, _) => Duration::ZERO,
        };
        Some(StoryUse {
            name: self.name.value.clone(),
            recording: Arc::clone(self.recording.as_ref()?),
            instances: self.instances.value,
            continues: self.continues.as_ref().map(|name| name.value.clone()),
            same_person_as: self.same_person_as.as_ref().map(|name| name.value.clone()),
            after: self.after.unwrap_or(default_after),
            spacing: self.spacing,
            stagger: self.stagger,
        })
    }
}

fn read_story(mut fields: Fields<'_>, recordings: Recordings<'_>, mistakes: &mut Mistakes) -> ReadStory {
    let name = read_name(&mut fields, mistakes);
    // Taken out before stories are read: see `document`.
    fields.get_as("like", Shape::Name);
    fields.tie(Tie::AtLeast(&["recording", "like"]));
    let recording = fields
        .need_text_as("recording", Shape::Said, mistakes)
        .and_then(|name| read_recording(&name, recordings, mistakes));
    let header = fields.span().clone();
    let range = 1..u64::from(MAX_INSTANCES) + 1;
    let instances = fields.get_as("instances", within(&range));
    let instances_at = instances.map_or_else(|| header.clone(), Spanned::span);
    let instances = instances.and_then(|value| {
        super::raw::count(value, "`instances`", range, mistakes).and_then(|count| u32::try_from(count.value).ok())
    });
    let owned = |at: At<&str>| At { value: at.value.to_owned(), span: at.span };
    let continues = fields.text_as("continues", Shape::Name, mistakes).map(owned);
    let same_person_as = fields.text_as("same_person_as", Shape::Name, mistakes).map(owned);
    let after = fields
        .get_as("after", Shape::Duration)
        .and_then(|value| duration(value, "`after`", mistakes))
        .map(|at| at.value);
    let spacing = Shape::Either(vec![Shape::Duration, Shape::Words(vec![RECORDED])]);
    let spacing = fields.get_as("spacing", spacing).and_then(|value| read_spacing(value, mistakes));
    let stagger = fields.get_as("stagger", Shape::Duration);
    fields.tie(Tie::AtMost(&["continues", "same_person_as"]));
    fields.tie(Tie::AtMost(&["continues", "stagger"]));
    if let (Some(_), Some(value)) = (&continues, stagger) {
        let message =
            "`stagger` means nothing for a story that continues another: each customer goes on when theirs ends";
        mistakes.add(&value.span(), Kind::Conflict, message);
    }
    let stagger = stagger.and_then(|value| duration(value, "`stagger`", mistakes)).map(|at| at.value);
    fields.close(mistakes);
    ReadStory {
        name,
        recording,
        instances: At { value: instances.unwrap_or(1), span: instances_at },
        continues,
        same_person_as,
        after,
        spacing: spacing.unwrap_or(Spacing::Every(DEFAULT_SPACING)),
        stagger: stagger.unwrap_or(DEFAULT_STAGGER),
    }
}

/// Instances are called `<story>/<number>`, and folders and probes are given that: few characters, on purpose.
fn read_name(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> At<String> {
    let Some(name) = fields.need_text_as("name", Shape::Name, mistakes) else {
        return At { value: String::new(), span: fields.span().clone() };
    };
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.value.is_empty() {
        mistakes.add(&name.span, Kind::EmptyText, "the name of a story is empty");
    } else if !name.value.chars().all(fine) {
        let message = format!("`{}` is no name for a story", name.value);
        mistakes.add_help(&name.span, Kind::BadName, message, "use lower-case letters, digits, `-` and `_`");
    }
    At { value: name.value.to_owned(), span: name.span }
}

fn read_recording(name: &At<&str>, recordings: Recordings<'_>, mistakes: &mut Mistakes) -> Option<Arc<Recording>> {
    match recordings(name.value) {
        Ok(recording) if recording.events.is_empty() => {
            let message = format!("the recording `{}` has no events", name.value);
            mistakes.add(&name.span, Kind::BadRecording, message);
            None
        }
        Ok(recording) => Some(recording),
        Err(why) => {
            match why.trim_end().split_once('\n') {
                Some((why, help)) => mistakes.add_help(&name.span, Kind::BadRecording, why, help),
                None => mistakes.add(&name.span, Kind::BadRecording, why.trim_end()),
            }
            None
        }
    }
}

fn read_spacing(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Spacing> {
    let typed = text(value, "`spacing`", mistakes)?;
    if typed.value == RECORDED {
        return Some(Spacing::Recorded);
    }
    match crate::time::parse_duration(typed.value) {
        Ok(gap) => Some(Spacing::Every(gap)),
        Err(error) => {
            mistakes.add_help(&typed.span, Kind::BadDuration, format!("`spacing`: {error}"), "or write \"recorded\"");
            None
        }
    }
}

fn unknown_story(name: &str, span: &Span, names: &[&str], mistakes: &mut Mistakes) {
    mistakes.add_help(span, Kind::UnknownStory, format!("there is no story `{name}`"), suggest(name, names));
}

fn check_ties(list: &[ReadStory], n: usize, mistakes: &mut Mistakes) {
    let story = &list[n];
    if let (Some(_), Some(person)) = (&story.continues, &story.same_person_as) {
        let message = "`continues` and `same_person_as` exclude each other: a story that continues has the same person";
        mistakes.add(&person.span, Kind::Conflict, message);
    }
    for (key, tie) in [("continues", &story.continues), ("same_person_as", &story.same_person_as)] {
        let Some(tie) = tie else { continue };
        let Some(earlier) = story_above(list, n, key, tie, mistakes) else { continue };
        if earlier.instances.value != story.instances.value {
            let message = format!(
                "`{}` must have as many instances as `{}` ({}), not {}",
                story.name.value, earlier.name.value, earlier.instances.value, story.instances.value
            );
            mistakes.add_help(
                &story.instances.span,
                Kind::CountMismatch,
                message,
                format!("write instances = {}", earlier.instances.value),
            );
        }
        check_same(key, tie, earlier, story, mistakes);
    }
}

fn story_above<'l>(
    list: &'l [ReadStory],
    n: usize,
    key: &str,
    tie: &At<String>,
    mistakes: &mut Mistakes,
) -> Option<&'l ReadStory> {
    let found = list[..n].iter().find(|other| other.name.value == tie.value);
    if found.is_none() {
        if list[n..].iter().any(|other| other.name.value == tie.value) {
            let message = format!("`{key}` names `{}`, which does not stand above", tie.value);
            let help = "a story goes on from one above it, never from itself or one below";
            mistakes.add_help(&tie.span, Kind::StoryNotAbove, message, help);
        } else {
            let above: Vec<&str> = list[..n].iter().map(|other| other.name.value.as_str()).collect();
            unknown_story(&tie.value, &tie.span, &above, mistakes);
        }
    }
    found
}

/// Ids are re-keyed word for word: only recordings of one customer stay recordings of one customer.
fn check_same(key: &str, tie: &At<String>, earlier: &ReadStory, story: &ReadStory, mistakes: &mut Mistakes) {
    let (Some(before), Some(now)) = (earlier.truth(), story.truth()) else { return };
    let pairs = match key {
        "continues" => vec![("customer", &before.customer, &now.customer), ("user", &before.user, &now.user)],
        _ => vec![("user", &before.user, &now.user), ("email", &before.email, &now.email)],
    };
    for (what, then, now) in pairs {
        if let (Some(then), Some(now)) = (then, now)
            && then != now
        {
            let message = format!(
                "the recordings of `{}` and `{}` are about different people: {what} is `{then}` and `{now}`",
                earlier.name.value, story.name.value
            );
            mistakes.add(&tie.span, Kind::OtherCustomer, message);
            return;
        }
    }
}
