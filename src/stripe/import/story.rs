//! `story.toml`: reads the hand-written truth and holds it against the events beside it.
//!
//! Must not know: what is right for a customer. It only sees that the two fit together.

use super::error::{Errors, Place};
use crate::stripe::recording::{After, Expectation, RecordedEvent, Story};
use serde_json::Value;

/// The only format version so far.
const VERSION: u32 = 1;

/// Reads and checks a story; `None` when it cannot be read at all. Every error is pushed with its place.
pub(super) fn read(
    shown: &str,
    text: &str,
    folder: &str,
    events: &[RecordedEvent],
    errors: &mut Errors,
) -> Option<Story> {
    let story: Story = match toml::from_str(text) {
        Ok(story) => story,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            errors.push(shown, Place::of(text, at), error.message().to_owned());
            return None;
        }
    };
    let bodies_are_sound = errors.count() == 0;
    let mut check = Check { shown, text, errors };
    check.head(&story, folder);
    if !bodies_are_sound {
        return Some(story);
    }
    check.afters(&story.after, events);
    check.names_in_bodies(&story, events);
    check.end(&story);
    Some(story)
}

struct Check<'a> {
    shown: &'a str,
    text: &'a str,
    errors: &'a mut Errors,
}

impl Check<'_> {
    fn head(&mut self, story: &Story, folder: &str) {
        if story.version != VERSION {
            self.at_key("version", format!("version {} is not known here; write `version = {VERSION}`", story.version));
        }
        if story.name != folder {
            self.at_key("name", format!("`{}` is not the folder's name; write `name = \"{folder}\"`", story.name));
        }
    }

    /// Each event file has just one `[[after]]`, in the order of the files.
    fn afters(&mut self, after: &[After], events: &[RecordedEvent]) {
        for (index, entry) in after.iter().enumerate() {
            let known = events.iter().any(|recorded| recorded.file == entry.event);
            let repeated = after[..index].iter().any(|earlier| earlier.event == entry.event);
            let wanted = events.get(index).map(|recorded| recorded.file.as_str());
            if !known {
                self.at_after(index, format!("there is no event file `{}` in the folder", entry.event));
            } else if repeated {
                self.at_after(index, format!("`{}` has an [[after]] already", entry.event));
            } else if after.len() == events.len() && wanted != Some(entry.event.as_str()) {
                let what = format!("out of order: the {}. event file is `{}`", index + 1, wanted.unwrap_or_default());
                self.at_after(index, what);
            }
        }
        for recorded in events {
            if !after.iter().any(|entry| entry.event == recorded.file) {
                let what = format!("event file `{}` has no [[after]]; say what is right after it", recorded.file);
                self.errors.push(self.shown, Place::of(self.text, self.text.trim_end().len()), what);
            }
        }
    }

    /// What the story names stands in the bodies; otherwise it is a typing error, and re-keying would miss it. A story
    /// that goes on from another one may name what only the bodies of that one show.
    fn names_in_bodies(&mut self, story: &Story, events: &[RecordedEvent]) {
        let named = [
            ("user", &story.user),
            ("email", &story.email),
            ("customer", &story.customer),
            ("subscription", &story.subscription),
            ("session", &story.session),
        ];
        for (key, value) in named {
            let Some(value) = value else { continue };
            let quoted = Value::from(value.as_str()).to_string();
            if story.continues.is_none() && !events.iter().any(|recorded| recorded.event.body.contains(&quoted)) {
                self.at_key(key, format!("`{value}` stands in none of the bodies"));
            }
        }
        if let Some(file) = &story.completes_with
            && !events.iter().any(|recorded| recorded.file == *file)
        {
            self.at_key("completes_with", format!("there is no event file `{file}` in the folder"));
        }
        let objects: Vec<Value> = events.iter().map(|recorded| recorded.event.object()).collect();
        for path in &story.rekey.paths {
            if !objects.iter().any(|object| at_path(object, path).is_some_and(Value::is_string)) {
                let what = format!("`{path}` is a text in no `data.object` of the story");
                self.at_text(&format!("\"{path}\""), what);
            }
        }
    }

    /// The recorded order is one of "whatever order", so its last state is the end.
    fn end(&mut self, story: &Story) {
        let Some(last) = story.after.last() else { return };
        let After { event: _, access, status, plan, contacts, tickets } = last.clone();
        if (Expectation { access, status, plan, contacts, tickets }) != story.end {
            self.at_text(
                "[end]",
                "differs from the last [[after]], which comes at the end in recorded order".to_owned(),
            );
        }
    }

    fn at_key(&mut self, key: &str, what: String) {
        let is_it = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
        self.at_line(is_it, what);
    }

    fn at_after(&mut self, index: usize, what: String) {
        let mut heads = self.text.lines().enumerate().filter(|(_, line)| line.trim().starts_with("[[after]]"));
        let line = heads.nth(index).map_or(1, |(number, _)| number + 1);
        self.errors.push(self.shown, Place { line, column: 1 }, what);
    }

    fn at_text(&mut self, needle: &str, what: String) {
        let at = self.text.find(needle).unwrap_or(0);
        self.errors.push(self.shown, Place::of(self.text, at), what);
    }

    fn at_line(&mut self, is_it: impl FnMut(&str) -> bool, what: String) {
        let line = self.text.lines().map(str::trim).position(is_it).map_or(1, |index| index + 1);
        self.errors.push(self.shown, Place { line, column: 1 }, what);
    }
}

/// The value at a dotted path. Keys of Stripe's objects hold no dots.
fn at_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}
