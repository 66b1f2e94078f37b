//! Reads `[[fault]]`: one small function for each kind.
//!
//! Must not know: files, plans, what a service does about a fault.

use super::{
    error::ScenarioErrorKind as Kind,
    fault::{ALL_ATTEMPTS, BadSignature, Double, DuplicateSpacing, Fault, FaultKind, MalformedBody, Order, Place},
    forms::{BodyForm, Expects},
    raw::{At, Fields, Mistakes, array, between, choice, count, duration, fields, text, within, wrong_type},
    read_doubles::need_double,
    read_downstream::{ERRORS, downstream, kill_at_call},
    read_extras, read_process,
    read_stories::{ReadStory, Stories},
    read_transport::transport,
    shape::{Shape, Tie},
};
use crate::{id::DoubleName, time::parse_duration};
use std::{ops::Range, time::Duration};
use toml::{Spanned, de::DeValue};

/// Most deliveries of one event: Stripe promises at least one, a hundred show any mistake that more would.
const MAX_COPIES: u64 = 100;

/// Windows of a shuffle; the largest is longer than any recording.
const WINDOWS: Range<u64> = 2..10_001;

/// Most lost attempts: longer than any schedule.
pub(super) const MAX_DROPS: u64 = 1_000;

/// Most kills of one fault: a thousand restarts take minutes.
const MAX_KILLS: u64 = 1_000;

/// How long a dead service stays dead when nothing is said.
pub(super) const DEFAULT_RESTART: Duration = Duration::from_millis(200);

/// Words for the full second replay.
const AFTER_EVERYTHING: &str = "after everything";

/// What the reader of a fault gets: its table, and the stories in which its events must be.
pub(super) struct Reading<'a, 't> {
    pub(super) fields: Fields<'t>,
    pub(super) stories: Vec<&'a ReadStory>,
    /// Declared doubles of the scenario.
    pub(super) declared: &'a [DoubleName],
    pub(super) mistakes: &'a mut Mistakes,
}

pub(super) type ReadFault = fn(&mut Reading<'_, '_>) -> Option<FaultKind>;

/// What a fault of that word may say besides what its reader asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nothing.
    Doubles,
    /// `story`.
    Deliveries,
    /// `story`, and `expects`.
    Extra,
}

pub(super) const FAULTS: &[(&str, (Scope, ReadFault))] = &[
    ("duplicate", (Scope::Deliveries, duplicate)),
    ("reorder", (Scope::Deliveries, reorder)),
    ("delay", (Scope::Deliveries, delay)),
    ("drop", (Scope::Deliveries, drop)),
    ("forged", (Scope::Extra, forged)),
    ("malformed", (Scope::Extra, malformed)),
    ("unknown_type", (Scope::Extra, unknown_type)),
    ("secret_roll", (Scope::Deliveries, secret_roll)),
    ("outage", (Scope::Doubles, outage)),
    ("slow", (Scope::Doubles, slow)),
    ("kill", (Scope::Deliveries, kill)),
    ("down", (Scope::Doubles, down)),
    ("random_kills", (Scope::Doubles, random_kills)),
    ("stop", (Scope::Doubles, read_process::stop)),
    ("clock", (Scope::Doubles, read_process::clock)),
    ("crash", (Scope::Doubles, crash)),
    ("body", (Scope::Deliveries, read_extras::body)),
    ("signed", (Scope::Deliveries, read_extras::signed)),
    ("burst", (Scope::Deliveries, read_extras::burst)),
    ("second_event", (Scope::Extra, read_extras::second_event)),
    ("second_endpoint", (Scope::Extra, read_extras::second_endpoint)),
    ("foreign", (Scope::Extra, read_extras::foreign)),
    ("store_busy", (Scope::Doubles, store_busy)),
    ("transport", (Scope::Deliveries, transport)),
    ("downstream", (Scope::Deliveries, downstream)),
];

/// Reads one `[[fault]]`.
pub(super) fn read_fault(
    entry: &Spanned<DeValue<'_>>,
    (stories, declared): (&Stories, &[DoubleName]),
    mistakes: &mut Mistakes,
) -> Option<At<Fault>> {
    let chosen = choice("`[[fault]]`", entry, FAULTS, mistakes)?;
    let mut fields = fields(chosen.value, &format!("`{}`", chosen.word), mistakes)?;
    let (limits, read) = chosen.meaning;
    let story = if limits != Scope::Doubles { fields.text_as("story", Shape::Name, mistakes) } else { None };
    let named = story.as_ref().map(|name| stories.find(name, mistakes));
    let scope = match named {
        Some(found) => found.into_iter().collect(),
        None => stories.all(),
    };
    let mut reading = Reading { fields, stories: scope, declared, mistakes };
    let kind = read(&mut reading);
    let expects = match limits {
        Scope::Extra => reading.fields.some_word("expects", Expects::WORDS, reading.mistakes),
        Scope::Doubles | Scope::Deliveries => None,
    };
    reading.fields.close(reading.mistakes);
    let fault = Fault { story: story.map(|name| name.value.to_owned()), kind: kind?, expects };
    Some(At { value: fault, span: chosen.span })
}

fn duplicate(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let copies = on.fields.count("copies", 2, 2..MAX_COPIES + 1, on.mistakes);
    let body = on.fields.some_word("body", BodyForm::WORDS, on.mistakes);
    let spacing = Shape::Either(vec![Shape::Duration, Shape::Span, Shape::Words(vec![AFTER_EVERYTHING])]);
    let range = on.fields.get_as("spacing", spacing).filter(|value| value.get_ref().is_array());
    if let Some(range) = range {
        let gap = between(range, "`spacing`", on.mistakes)?;
        let (copies, spacing) = (u32::try_from(copies).ok()?, DuplicateSpacing::Drawn(gap));
        return Some(FaultKind::Duplicate { of: of?, copies, spacing, body });
    }
    let spacing = on.fields.text_as("spacing", Shape::Any, on.mistakes);
    let spacing = match spacing {
        None => DuplicateSpacing::After(Duration::ZERO),
        Some(typed) if typed.value == AFTER_EVERYTHING => DuplicateSpacing::AfterEverything,
        Some(typed) => match parse_duration(typed.value) {
            Ok(gap) => DuplicateSpacing::After(gap),
            Err(error) => {
                let help = format!("or write \"{AFTER_EVERYTHING}\"");
                on.mistakes.add_help(&typed.span, Kind::BadDuration, format!("`spacing`: {error}"), help);
                return None;
            }
        },
    };
    Some(FaultKind::Duplicate { of: of?, copies: u32::try_from(copies).ok()?, spacing, body })
}

/// Four ways, of which a fault holds one: `first = ["invoice.paid"]`, `shuffle = 5`, `reverse = true`, `swap = ["a", "b"]`.
fn reorder(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    on.fields.tie(Tie::Exactly(&["first", "shuffle", "reverse", "swap"]));
    let events = |least, most| Shape::Array { of: Box::new(Shape::Events), least, most };
    let first = on.fields.get_as("first", events(1, None));
    let shuffle = on.fields.get_as("shuffle", within(&WINDOWS));
    let reverse = on.fields.get_as("reverse", Shape::True);
    let swap = on.fields.get_as("swap", events(2, Some(2)));
    if let (Some(swap), None, None, None) = (swap, first, shuffle, reverse) {
        return swapped(on, swap);
    }
    let order = match (first.xor(swap), shuffle, reverse) {
        (Some(first), None, None) => first_order(on, first)?,
        (None, Some(window), None) => {
            let window = count(window, "`shuffle`", WINDOWS, on.mistakes)?;
            Order::Shuffle { window: u32::try_from(window.value).ok()? }
        }
        (None, None, Some(reverse)) if reverse.get_ref().as_bool() == Some(true) => Order::Reverse,
        (None, None, Some(reverse)) => {
            wrong_type(reverse, "`reverse`", "true", on.mistakes);
            return None;
        }
        _ => {
            let help = "first = [\"invoice.paid\"], swap = [\"invoice.paid\", \"invoice.created\"], shuffle = 5 or reverse = true";
            let message = "`reorder` holds one order, neither none nor several";
            on.mistakes.add_help(on.fields.span(), Kind::NotOneChoice, message, help);
            return None;
        }
    };
    Some(FaultKind::Reorder { order })
}

fn first_order(on: &mut Reading<'_, '_>, first: &Spanned<DeValue<'_>>) -> Option<Order> {
    let items = array(first, "`first`", on.mistakes);
    if items.is_empty() && first.get_ref().is_array() {
        on.mistakes.add(&first.span(), Kind::EmptyText, "`first` names no event");
    }
    let texts: Vec<_> = items.into_iter().map(|item| text(item, "an event in `first`", on.mistakes)).collect();
    let read: Vec<_> = texts.into_iter().map(|typed| on.select(&typed?)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|first| !first.is_empty()).map(Order::First)
}

fn swapped(on: &mut Reading<'_, '_>, swap: &Spanned<DeValue<'_>>) -> Option<FaultKind> {
    let texts: Vec<_> = array(swap, "`swap`", on.mistakes).into_iter().collect();
    let [one, other] = texts.as_slice() else {
        let help = "swap = [\"invoice.paid\", \"invoice.created\"]";
        on.mistakes.add_help(&swap.span(), Kind::OutOfRange, "`swap` names two events that change places", help);
        return None;
    };
    let mut of = |value| text(value, "an event in `swap`", on.mistakes).and_then(|typed| on.select(&typed));
    let (one, other) = (of(one), of(other));
    Some(FaultKind::Reorder { order: Order::Swap(one?, other?) })
}

fn delay(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let by = on.fields.need_duration("by", on.mistakes);
    Some(FaultKind::Delay { of: of?, by: by?.value })
}

fn drop(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let all = on
        .fields
        .get_as("first", Shape::Words(vec!["all"]))
        .is_some_and(|value| value.get_ref().as_str() == Some("all"));
    if all {
        return Some(FaultKind::Drop { of: of?, first: ALL_ATTEMPTS });
    }
    let first = on.fields.need_count("first", 1..MAX_DROPS + 1, on.mistakes);
    Some(FaultKind::Drop { of: of?, first: u32::try_from(first?.value).ok()? })
}

fn store_busy(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    Some(FaultKind::StoreBusy { from, lasts: lasts(on)? })
}

fn forged(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = on.selector("of");
    let signature = on.fields.need_word("signature", BadSignature::WORDS, on.mistakes);
    Some(FaultKind::Forged { of: of?, signature: signature? })
}

fn malformed(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let before = on.selector("before");
    let body = on.fields.need_word("body", MalformedBody::WORDS, on.mistakes);
    Some(FaultKind::Malformed { before: before?, body: body? })
}

fn unknown_type(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let before = on.selector("before");
    Some(FaultKind::UnknownType { before: before? })
}

fn secret_roll(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    let good = on.fields.need_word("good", Place::WORDS, on.mistakes);
    Some(FaultKind::SecretRoll { from, good: good? })
}

fn outage(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let of = need_double(&mut on.fields, on.declared, on.mistakes);
    let from = on.fields.between("from", Duration::ZERO.into(), on.mistakes);
    let lasts = lasts(on);
    let answer = on.fields.need_count("answer", ERRORS, on.mistakes);
    let retry_after = on.fields.get_as("retry_after", Shape::Duration);
    let retry_after_at = retry_after.and_then(|value| duration(value, "`retry_after`", on.mistakes));
    if let (Some(answer), Some(after)) = (&answer, &retry_after_at) {
        if !matches!(answer.value, 429 | 503) {
            let message = format!("`retry_after` means nothing with an answer of {}", answer.value);
            on.mistakes.add_help(&after.span, Kind::Conflict, message, "it goes with 429 and 503");
        }
        if after.value.subsec_millis() != 0 {
            on.mistakes.add(&after.span, Kind::BadDuration, "`retry_after` is sent in whole seconds");
        }
    }
    let answer = u16::try_from(answer?.value).ok()?;
    Some(FaultKind::Outage { of: of?, from, lasts: lasts?, answer, retry_after: retry_after_at.map(|at| at.value) })
}

fn slow(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let (of, from, lasts) = window(on);
    let by = on.fields.need_duration("by", on.mistakes);
    Some(FaultKind::Slow { of: of?, from, lasts: lasts?, by: by?.value })
}

fn window(on: &mut Reading<'_, '_>) -> (Option<Double>, Duration, Option<Duration>) {
    let of = need_double(&mut on.fields, on.declared, on.mistakes);
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    (of, from, lasts(on))
}

fn lasts(on: &mut Reading<'_, '_>) -> Option<Duration> {
    on.fields.need_positive("for", on.mistakes)
}

fn down(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    Some(FaultKind::Down { from, lasts: lasts(on)? })
}

fn random_kills(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let times = on.fields.need_count("times", 1..MAX_KILLS + 1, on.mistakes);
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    let lasts = lasts(on);
    let restart_after = on.fields.between("restart_after", DEFAULT_RESTART.into(), on.mistakes);
    let times = u32::try_from(times?.value).ok()?;
    Some(FaultKind::RandomKills { times, from, lasts: lasts?, restart_after })
}

/// The one value of `at`; a point by name or number may follow.
const ANY_POINT: &[(&str, ())] = &[("any point", ())];

fn crash(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let at = on.fields.need_word("at", ANY_POINT, on.mistakes);
    let restart_after = on.fields.duration("restart_after", DEFAULT_RESTART, on.mistakes);
    at.map(|()| FaultKind::Crash { restart_after })
}

/// On the acknowledgement of an event, or at a call.
fn kill(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    on.fields.tie(Tie::Exactly(&["on_ack_of", "at_call"]));
    if let Some(at_call) = on.fields.get_as("at_call", Shape::Inner) {
        if on.fields.get_as("on_ack_of", Shape::Events).is_some() {
            let message = "`kill` holds `on_ack_of` or `at_call`, but may hold only one";
            on.mistakes.add_help(&at_call.span(), Kind::NotOneChoice, message, "write one [[fault]] for each");
        }
        return kill_at_call(on);
    }
    let on_ack_of = on.plain_selector("on_ack_of");
    let restart_after = on.fields.duration("restart_after", DEFAULT_RESTART, on.mistakes);
    Some(FaultKind::Kill { on_ack_of: on_ack_of?, restart_after })
}

/// The word of every fault, as it stands in a file.
pub fn fault_words() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|(word, _)| *word)
}
