//! Reads which events a fault is about, and whether there are any.
//!
//! Must not know: files, plans, what happens to the events.

use super::{
    error::{ScenarioErrorKind as Kind, suggest},
    raw::{At, Fields, fields, text},
    read_downstream::{customer, lasting, which},
    read_faults::Reading,
    read_transport::probability,
    selector::{EventSelector, Limits},
    shape::Shape,
};
use std::{collections::BTreeSet, time::Duration};

impl Reading<'_, '_> {
    /// A name of events, or a table of a name and limits: `{ type = "invoice.*", first = 3 }`.
    pub(super) fn selector(&mut self, key: &'static str) -> Option<EventSelector> {
        let shape = Shape::Either(vec![Shape::Events, Shape::Inner]);
        let value = self.fields.need_as(key, shape, self.mistakes)?;
        if !value.get_ref().is_table() {
            let typed = text(value, &format!("`{key}`"), self.mistakes)?;
            return self.select(&typed);
        }
        let mut inner = fields(value, &format!("`{key}`"), self.mistakes)?;
        let typed = inner.need_text_as("type", Shape::Events, self.mistakes);
        let selector = typed.and_then(|typed| self.select(&typed));
        let limits = self.limits(&mut inner);
        inner.close(self.mistakes);
        Some(EventSelector { limits: limits?, ..selector? })
    }

    /// A name of events without limits.
    pub(super) fn plain_selector(&mut self, key: &'static str) -> Option<EventSelector> {
        let typed = self.fields.need_text_as(key, Shape::Events, self.mistakes)?;
        self.select(&typed)
    }

    fn limits(&mut self, inner: &mut Fields<'_>) -> Option<Limits> {
        let customer = customer(inner, &self.stories, self.mistakes);
        let from = inner.duration("from", Duration::ZERO, self.mistakes);
        let lasts = lasting(inner, self.mistakes);
        let probability = probability(inner, self.mistakes);
        let which = which(inner, self.mistakes);
        Some(Limits { customer, from, lasts, probability, which: which? })
    }

    /// A selector that names at least one event of the stories in question.
    pub(super) fn select(&mut self, typed: &At<&str>) -> Option<EventSelector> {
        let selector = match EventSelector::parse(typed.value) {
            Ok(selector) => selector,
            Err(error) => {
                self.mistakes.add(&typed.span, Kind::BadSelector, format!("`{}`: {error}", typed.value));
                return None;
            }
        };
        self.check_named(&selector, typed);
        Some(selector)
    }

    fn check_named(&mut self, selector: &EventSelector, typed: &At<&str>) {
        let recordings: Option<Vec<_>> = self.stories.iter().map(|story| story.recording()).collect();
        // A recording that could not be loaded has been reported; what it holds is not known.
        let Some(recordings) = recordings.filter(|all| !all.is_empty()) else { return };
        let kinds = |n: usize| recordings[n].events.iter().map(|recorded| recorded.event.kind.as_str());
        let most = (0..recordings.len()).map(|n| kinds(n).filter(|kind| selector.matches(kind)).count()).max();
        match (most.unwrap_or(0), selector.position) {
            (0, _) => {
                let types: BTreeSet<&str> = (0..recordings.len()).flat_map(kinds).collect();
                let message = format!("no event is `{}`", selector.pattern);
                let help = suggest(&selector.pattern, &types.into_iter().collect::<Vec<_>>());
                self.mistakes.add_help(&typed.span, Kind::NoSuchEvent, message, help);
            }
            (most, Some(position)) if most < usize::try_from(position).unwrap_or(usize::MAX) => {
                let message = format!("`{selector}` names event {position} of {most}");
                self.mistakes.add(&typed.span, Kind::NoSuchPosition, message);
            }
            _ => {}
        }
    }
}
