//! Reads `[[criterion]]`: one small function for each kind.
//!
//! Must not know: files, plans, how a criterion is judged.

use super::{
    criterion::{AccessIs, Bound, Criterion},
    error::ScenarioErrorKind as Kind,
    raw::{At, Fields, Mistakes, array, choice, count, fields, text, within, word, wrong_type},
    read_doubles::{is_name, need_effect},
    read_gates,
    shape::{Shape, Tie},
};
use crate::stripe::recording::Access;
use std::{collections::BTreeSet, time::Duration};
use toml::{Spanned, de::DeValue};

type ReadCriterion = fn(&mut Fields<'_>, &mut Mistakes) -> Option<Criterion>;

const CRITERIA: &[(&str, ReadCriterion)] = &[
    ("success_rate", success_rate),
    ("events_lost", |f, m| bound(f, m).map(Criterion::EventsLost)),
    ("acked_without_effect", |f, m| bound(f, m).map(Criterion::AckedWithoutEffect)),
    ("contacts_per_customer", |f, m| bound(f, m).map(Criterion::ContactsPerCustomer)),
    ("contact_fields_overwritten", |f, m| bound(f, m).map(Criterion::ContactFieldsOverwritten)),
    ("tickets_per_failed_invoice", tickets),
    ("tickets_per_request", |f, m| bound(f, m).map(Criterion::TicketsPerRequest)),
    ("crm_tasks", |f, m| bound(f, m).map(Criterion::CrmTasks)),
    ("access", |f, m| f.need_word("is", ACCESS, m).map(|is| Criterion::Access { is })),
    ("customer_state", |f, m| f.need_word("is", AS_STORY, m).map(|()| Criterion::CustomerState)),
    ("activation", |f, m| p95(f, m).map(|p95_within| Criterion::Activation { p95_within })),
    ("ack_latency", |f, m| p95(f, m).map(|p95_within| Criterion::AckLatency { p95_within })),
    ("forgery_traces", |f, m| bound(f, m).map(Criterion::ForgeryTraces)),
    ("unsafe_errors", |f, m| bound(f, m).map(Criterion::UnsafeErrors)),
    ("manual_steps", |f, m| bound(f, m).map(Criterion::ManualSteps)),
    ("replay_effects", |f, m| bound(f, m).map(Criterion::ReplayEffects)),
    ("failed_visits", |f, m| bound(f, m).map(Criterion::FailedVisits)),
    ("probe_value", probe_value),
    ("effects_per_customer", effects),
    ("secrets_found", read_gates::secrets_found),
    ("lighthouse", read_gates::lighthouse),
    // Read by itself: what it holds is no table.
    ("alerts", |_, _| None),
    ("differences_from_clean", differences),
];

/// Kinds of alerts that the reference service raises.
const ALERTS: &[(&str, &str)] = &[
    ("webhook_failures", "webhook_failures"),
    ("activation_late", "activation_late"),
    ("duplicate_customers", "duplicate_customers"),
];

/// The word for no alert at all.
const NO_ALERT: &str = "none";

/// `alerts = "none"` or `alerts = ["activation_late"]`.
fn alerts(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Criterion> {
    if value.get_ref().as_str() == Some(NO_ALERT) {
        return Some(Criterion::Alerts(BTreeSet::new()));
    }
    let items = array(value, "`alerts`", mistakes);
    if items.is_empty() {
        let message = "`alerts` names no alert";
        mistakes.add_help(&value.span(), Kind::EmptyText, message, "write alerts = \"none\" or [\"activation_late\"]");
        return None;
    }
    let typed = items.into_iter().map(|item| text(item, "an alert", mistakes)).collect::<Vec<_>>();
    let kinds = typed.iter().map(|typed| word(typed.as_ref()?, "alerts", ALERTS, mistakes).map(str::to_owned));
    kinds.collect::<Option<BTreeSet<_>>>().map(Criterion::Alerts)
}

const ACCESS: &[(&str, AccessIs)] = &[
    ("granted", AccessIs::This(Access::Granted)),
    ("revoked", AccessIs::This(Access::Revoked)),
    ("none", AccessIs::This(Access::None)),
    ("as the story says", AccessIs::AsStory),
];

const AS_STORY: &[(&str, ())] = &[("as the story says", ())];

/// Reads one `[[criterion]]`.
pub(super) fn read_criterion(entry: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<At<Criterion>> {
    let chosen = choice("`[[criterion]]`", entry, CRITERIA, mistakes)?;
    if chosen.word == "alerts" {
        let kinds = Shape::Array { of: Box::new(Shape::words(ALERTS)), least: 1, most: None };
        let shape = Shape::Either(vec![Shape::Words(vec![NO_ALERT]), kinds]);
        mistakes.chosen_as(entry.span().start, chosen.word, shape);
        return Some(At { value: alerts(chosen.value, mistakes)?, span: chosen.span });
    }
    let mut fields = fields(chosen.value, &format!("`{}`", chosen.word), mistakes)?;
    let criterion = (chosen.meaning)(&mut fields, mistakes);
    fields.close(mistakes);
    Some(At { value: criterion?, span: chosen.span })
}

/// `exactly = 1` or `at_most = 1`.
pub(super) fn bound(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Bound> {
    fields.tie(Tie::Exactly(&["exactly", "at_most"]));
    let any = within(&(0..u64::MAX));
    match (fields.get_as("exactly", any.clone()), fields.get_as("at_most", any)) {
        (Some(value), None) => count(value, "`exactly`", 0..u64::MAX, mistakes).map(|at| Bound::Exactly(at.value)),
        (None, Some(value)) => count(value, "`at_most`", 0..u64::MAX, mistakes).map(|at| Bound::AtMost(at.value)),
        _ => {
            let message = "a bound holds either `exactly` or `at_most`";
            mistakes.add_help(fields.span(), Kind::NotOneChoice, message, "exactly = 0 or at_most = 2");
            None
        }
    }
}

fn success_rate(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let value = fields.need_as("above", Shape::Share { one: false }, mistakes)?;
    let number = match value.get_ref() {
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
        _ => {
            wrong_type(value, "`above`", "a number", mistakes);
            return None;
        }
    };
    let share = number.filter(|share| *share > 0.0 && *share < 1.0);
    if share.is_none() {
        let message = "`above` is a share between 0 and 1, both excluded";
        mistakes.add_help(&value.span(), Kind::OutOfRange, message, "for 99 % write above = 0.99");
    }
    share.map(|above| Criterion::SuccessRate { above })
}

fn tickets(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let bound = bound(fields, mistakes);
    let queue = not_empty(fields, "queue", mistakes);
    Some(Criterion::TicketsPerFailedInvoice { bound: bound?, queue: queue? })
}

fn probe_value(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let name = not_empty(fields, "name", mistakes);
    let bound = bound(fields, mistakes);
    Some(Criterion::ProbeValue { name: name?, bound: bound? })
}

fn effects(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let of = need_effect(fields, mistakes);
    let story = fields.text_as("story", Shape::Name, mistakes);
    if let Some(story) = &story
        && !is_name(story.value)
    {
        mistakes.add(&story.span, Kind::BadName, format!("`{}` is no name of a story", story.value));
    }
    let story = story.map(|story| story.value.to_owned());
    let bound = bound(fields, mistakes);
    Some(Criterion::EffectsPerCustomer { of: of?, story, bound: bound? })
}

fn differences(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Criterion> {
    let bound = bound(fields, mistakes);
    let paths = Shape::Array { of: Box::new(Shape::Said), least: 1, most: None };
    let items = fields.get_as("ignore", paths).map(|value| (value.span(), array(value, "`ignore`", mistakes)));
    let mut ignore = Vec::new();
    if let Some((span, items)) = items {
        if items.is_empty() {
            let help = "leave it out, or write ignore = [\"$.history\"]";
            mistakes.add_help(&span, Kind::EmptyText, "`ignore` names no path", help);
        }
        for item in items {
            let Some(path) = text(item, "a path", mistakes) else { continue };
            if path.value.trim().is_empty() {
                mistakes.add(&path.span, Kind::EmptyText, "a path is empty");
            }
            ignore.push(path.value.to_owned());
        }
    }
    Some(Criterion::DifferencesFromClean { bound: bound?, ignore })
}

fn p95(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Duration> {
    fields.need_positive("p95_within", mistakes)
}

pub(super) fn not_empty(fields: &mut Fields<'_>, key: &'static str, mistakes: &mut Mistakes) -> Option<String> {
    let typed = fields.need_text_as(key, Shape::Said, mistakes)?;
    if typed.value.trim().is_empty() {
        mistakes.add(&typed.span, Kind::EmptyText, format!("`{key}` is empty"));
    }
    Some(typed.value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_criterion_can_be_read_under_its_name() {
        let names: Vec<&str> = CRITERIA.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, Criterion::NAMES);
    }
}
