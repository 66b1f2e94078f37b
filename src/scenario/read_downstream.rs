//! Reads `downstream = { … }` and `kill = { at_call = { … } }`.
//!
//! Must not know: files, plans, how a fault is carried out.

use super::{
    downstream::{AtCall, Calls, DownstreamFault, KillAtCall, Moment, Trouble, Which},
    error::{ScenarioErrorKind as Kind, suggest},
    fault::{Double, FaultKind},
    model::Between,
    raw::{At, Fields, Mistakes, Span, between, count, duration, fields, within},
    read_doubles::{is_name, need_double},
    read_faults::{DEFAULT_RESTART, Reading},
    read_stories::ReadStory,
    read_transport::probability,
    shape::{Shape, Tie},
};
use std::{ops::Range, time::Duration};
use toml::{Spanned, de::DeValue};

/// Largest number of calls that is counted to.
const MAX_CALLS: u64 = 1_000_000;

/// Status codes of errors.
pub(super) const ERRORS: Range<u64> = 400..600;

/// What a double can do besides answering with an error.
#[derive(Clone, Copy)]
enum Does {
    Slow,
    PartialBatch,
    Hang,
    Reset,
    LostReply,
    MalformedJson,
    TruncatedAnswer,
    LaggingIndex,
    Overtaken,
    StaleRead,
}

const DOES: &[(&str, Does)] = &[
    ("slow", Does::Slow),
    ("hang", Does::Hang),
    ("reset", Does::Reset),
    ("lost_reply", Does::LostReply),
    ("malformed_json", Does::MalformedJson),
    ("truncated_answer", Does::TruncatedAnswer),
    ("lagging_index", Does::LaggingIndex),
    ("partial_batch", Does::PartialBatch),
    ("overtaken", Does::Overtaken),
    ("stale_read", Does::StaleRead),
];

/// The one operation that takes several things at once.
const BATCH: &str = "upsert_contacts";

/// Most inputs of a batch of HubSpot's (<https://developers.hubspot.com/docs/api/crm/contacts>, "limits").
const MAX_INPUTS: u64 = 100;

/// Operations of the Stripe double.
const STRIPE: &[&str] = &[
    "list_events",
    "list_subscriptions",
    "get_event",
    "create_customer",
    "get_customer",
    "create_session",
    "get_session",
    "expire_session",
    "get_subscription",
    "update_subscription",
    "cancel_subscription",
    "update_customer",
    "delete_customer",
    "list_customers",
    "search_customers",
    "search_subscriptions",
    "get_subscription_item",
    "list_subscription_items",
    "get_invoice",
    "list_invoices",
    "search_invoices",
    "list_invoice_lines",
    "pay_invoice",
    "void_invoice",
    "update_invoice",
    "get_invoice_payment",
    "list_invoice_payments",
    "get_invoice_item",
    "list_invoice_items",
    "list_sessions",
    "list_session_items",
    "get_charge",
    "list_charges",
    "search_charges",
    "update_charge",
    "get_payment_intent",
    "list_payment_intents",
    "search_payment_intents",
    "update_payment_intent",
    "get_setup_intent",
    "list_setup_intents",
    "get_payment_method",
    "list_payment_methods",
    "get_refund",
    "list_refunds",
    "create_refund",
    "get_dispute",
    "list_disputes",
    "get_price",
    "list_prices",
    "search_prices",
    "get_product",
    "list_products",
    "search_products",
    "get_plan",
    "get_balance_transaction",
    "create_portal_session",
];

/// Operations that a double tells apart, as they stand in a history.
pub(super) const fn operations(of: Double) -> &'static [&'static str] {
    match of {
        Double::Crm => &[
            "search_contacts",
            "get_contact",
            "create_contact",
            "update_contact",
            "merge_contacts",
            BATCH,
            "search_tasks",
            "create_task",
            "get_task",
            "list_contacts",
            "delete_contact",
            "create_contacts",
            "get_contacts",
            "update_contacts",
            "delete_contacts",
            "tag_contact",
            "list_tags",
            "create_tag",
            "list_properties",
            "get_property",
            "create_property",
            "list_associations",
            "create_association",
            "delete_association",
        ],
        Double::Support => &[
            "search_tickets",
            "list_tickets",
            "get_ticket",
            "create_ticket",
            "update_ticket",
            "delete_ticket",
            "get_tickets",
            "create_tickets",
            "update_tickets",
            "get_job",
            "list_comments",
            "update_tags",
            "get_user",
            "list_users",
            "search_users",
            "create_user",
            "update_user",
        ],
        Double::Stripe => STRIPE,
        Double::Alerts => &["alert"],
        Double::Declared(_) => &[],
    }
}

/// Operations of all doubles.
fn every_operation() -> Vec<&'static str> {
    Double::WORDS.iter().flat_map(|(_, of)| operations(*of)).copied().collect()
}

pub(super) fn downstream(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let calls = calls(on);
    let does = trouble(&mut on.fields, on.mistakes);
    let (calls, does) = (calls?, does?);
    if let Trouble::PartialBatch { .. } = does
        && (calls.of != Double::Crm || calls.operation.as_deref().is_some_and(|operation| operation != BATCH))
    {
        let message = "only a batch can be done in part";
        let help = format!("of = \"crm\", operation = \"{BATCH}\" is one");
        on.mistakes.add_help(on.fields.span(), Kind::Conflict, message, help);
    }
    if let Trouble::LaggingIndex { .. } = does
        && !matches!(calls.of, Double::Crm | Double::Support)
    {
        let message = format!("`{}` has no search index", calls.of.word());
        on.mistakes.add_help(on.fields.span(), Kind::Conflict, message, "`crm` and `support` have one");
    }
    reads_of_stripe(on, &calls, does);
    Some(FaultKind::Downstream(DownstreamFault { calls, does }))
}

/// What is about reads of a timeline is about Stripe's: the other doubles have none.
fn reads_of_stripe(on: &mut Reading<'_, '_>, calls: &Calls, does: Trouble) {
    if !matches!(does, Trouble::Overtaken { .. } | Trouble::StaleRead { .. }) {
        return;
    }
    if calls.of != Double::Stripe {
        let message = format!("`{}` has no timeline of its own", calls.of.word());
        on.mistakes.add_help(on.fields.span(), Kind::Conflict, message, "`stripe` has one");
    } else if calls.operation.as_deref().is_some_and(|operation| !is_read(operation)) {
        let message = "only a read can be answered with an older state";
        on.mistakes.add_help(on.fields.span(), Kind::Conflict, message, "operation = \"get_subscription\" is one");
    }
}

/// Whether an operation of the Stripe double reads.
pub(super) fn is_read(operation: &str) -> bool {
    ["get_", "list_", "search_"].iter().any(|start| operation.starts_with(start))
}

fn calls(on: &mut Reading<'_, '_>) -> Option<Calls> {
    let of = need_double(&mut on.fields, on.declared, on.mistakes);
    let operation = operation(&mut on.fields, of, on.mistakes);
    let customer = customer(&mut on.fields, &on.stories, on.mistakes);
    let which = which(&mut on.fields, on.mistakes);
    let from = on.fields.duration("from", Duration::ZERO, on.mistakes);
    let lasts = lasting(&mut on.fields, on.mistakes);
    let probability = probability(&mut on.fields, on.mistakes);
    Some(Calls { of: of?, operation, customer, which: which?, from, lasts, probability })
}

/// The number of a customer, which some story in question has.
pub(super) fn customer(fields: &mut Fields<'_>, stories: &[&ReadStory], mistakes: &mut Mistakes) -> Option<u32> {
    let most = stories.iter().map(|story| story.instances()).max().unwrap_or(u32::MAX);
    let number = fields.some_count("customer", 1..u64::from(most) + 1, mistakes)?;
    u32::try_from(number.value).ok()
}

/// `for`, longer than nothing, which may be absent.
pub(super) fn lasting(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Duration> {
    fields.some_positive("for", mistakes)
}

fn operation(fields: &mut Fields<'_>, of: Option<Double>, mistakes: &mut Mistakes) -> Option<String> {
    // The routes of a declared double are its operations; the project's own file says which there are.
    let shape = Shape::Either(vec![Shape::Words(every_operation()), Shape::Name]);
    let At { value: typed, span } = fields.text_as("operation", shape, mistakes)?;
    if let Some(Double::Declared(_)) = of {
        return is_route(&At { value: typed, span }, mistakes);
    }
    let known = operations(of?);
    if !known.contains(&typed) {
        let message = format!("`{typed}` is no operation of `{}`", of?.word());
        mistakes.add_help(&span, Kind::UnknownOperation, message, suggest(typed, known));
    }
    Some(typed.to_owned())
}

/// A word that a route of a declared double may have for its name.
fn is_route(typed: &At<&str>, mistakes: &mut Mistakes) -> Option<String> {
    if !is_name(typed.value) {
        let message = format!("`{}` is no name of a route", typed.value);
        mistakes.add(&typed.span, Kind::UnknownOperation, message);
    }
    Some(typed.value.to_owned())
}

pub(super) fn which(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Which> {
    fields.tie(Tie::AtMost(&["first", "nth"]));
    let calls = within(&(1..MAX_CALLS + 1));
    let (first, nth) = (fields.get_as("first", calls.clone()), fields.get_as("nth", calls));
    let number = |at: At<u64>| u32::try_from(at.value).ok();
    match (first, nth) {
        (None, None) => Some(Which::All),
        (Some(first), None) => count(first, "`first`", 1..MAX_CALLS + 1, mistakes).and_then(number).map(Which::First),
        (None, Some(nth)) => count(nth, "`nth`", 1..MAX_CALLS + 1, mistakes).and_then(number).map(Which::Nth),
        (Some(_), Some(nth)) => {
            let message = "`first` and `nth` exclude each other";
            mistakes.add_help(&nth.span(), Kind::Conflict, message, "first = 2 or nth = 2");
            None
        }
    }
}

/// One of two: `answer = 503`, or `does = "hang"`.
fn trouble(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<Trouble> {
    fields.tie(Tie::Exactly(&["answer", "does"]));
    let answer = fields.get_as("answer", within(&ERRORS));
    let does = fields.text_as("does", Shape::words(DOES), mistakes);
    let retry_after = retry_after(fields, mistakes);
    let times = Shape::Either(vec![Shape::Duration, Shape::Span, Shape::Inner]);
    let by = fields.get_as("by", times).map(|value| (by(value, mistakes), value.span()));
    let fails = fields.some_count("fails", 1..MAX_INPUTS + 1, mistakes);
    let in_part = matches!(&does, Some(does) if does.value == "partial_batch");
    if !in_part {
        means_nothing("fails", fails.as_ref().map(|at| &at.span), "does = \"partial_batch\"", mistakes);
    }
    match (answer, does) {
        (Some(answer), None) => {
            let status = count(answer, "`answer`", ERRORS, mistakes)?;
            if let Some(after) = retry_after.as_ref().filter(|_| !matches!(status.value, 429 | 503)) {
                let message = format!("`retry_after` means nothing with an answer of {}", status.value);
                mistakes.add_help(&after.span, Kind::Conflict, message, "it goes with 429 and 503");
            }
            means_nothing("by", by.as_ref().map(|(_, span)| span), "does = \"slow\"", mistakes);
            let status = u16::try_from(status.value).ok()?;
            Some(Trouble::Answer { status, retry_after: retry_after.map(|at| at.value) })
        }
        (None, Some(does)) => {
            means_nothing("retry_after", retry_after.as_ref().map(|at| &at.span), "answer = 429", mistakes);
            let does = super::raw::word(&does, "does", DOES, mistakes)?;
            done(does, (by, fails.map_or(1, |at| at.value)), fields, mistakes)
        }
        _ => {
            let message = "`downstream` holds one trouble, neither none nor several";
            let help = "answer = 503 or does = \"lost_reply\"";
            mistakes.add_help(fields.span(), Kind::NotOneChoice, message, help);
            None
        }
    }
}

/// How long an answer takes.
enum By {
    Between(Between),
    LongTail { p50: Duration, p99: Duration },
}

/// `"1s"`, `["10ms", "2s"]`, or `{ p50 = "20ms", p99 = "2s" }`.
fn by(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<By> {
    if !value.get_ref().is_table() {
        return between(value, "`by`", mistakes).map(By::Between);
    }
    let mut inner = super::raw::fields(value, "`by`", mistakes)?;
    let (p50, p99) = (inner.need_duration("p50", mistakes), inner.need_duration("p99", mistakes));
    inner.close(mistakes);
    let (p50, p99) = (p50?.value, p99?.value);
    if p50 > p99 {
        mistakes.add(&value.span(), Kind::BadSpan, "the median is above the 99th percentile");
        return None;
    }
    Some(By::LongTail { p50, p99 })
}

fn means_nothing(key: &str, span: Option<&Span>, owner: &str, mistakes: &mut Mistakes) {
    if let Some(span) = span {
        mistakes.add_help(span, Kind::Conflict, format!("`{key}` means nothing here"), format!("it goes with {owner}"));
    }
}

fn done(
    does: Does,
    (by, fails): (Option<(Option<By>, Span)>, u64),
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Option<Trouble> {
    let trouble = match (does, by) {
        (Does::Slow | Does::LaggingIndex | Does::Overtaken | Does::StaleRead, None) => {
            mistakes.add(fields.span(), Kind::MissingKey, "`downstream` lacks the key `by`");
            return None;
        }
        (Does::Slow, Some((by, _))) => {
            return by.map(|by| match by {
                By::Between(by) => Trouble::Slow { by },
                By::LongTail { p50, p99 } => Trouble::LongTail { p50, p99 },
            });
        }
        (Does::LaggingIndex | Does::Overtaken | Does::StaleRead, Some((Some(By::LongTail { .. }), span))) => {
            let message = "an index lags by one span";
            let message = if matches!(does, Does::LaggingIndex) { message } else { "`by` is one span here" };
            mistakes.add_help(&span, Kind::WrongType, message, "by = \"5s\"");
            return None;
        }
        (Does::LaggingIndex, Some((by, _))) => return one_span(by?).map(|by| Trouble::LaggingIndex { by }),
        (Does::Overtaken, Some((by, _))) => return one_span(by?).map(|by| Trouble::Overtaken { by }),
        (Does::StaleRead, Some((by, _))) => return one_span(by?).map(|by| Trouble::StaleRead { by }),
        (Does::PartialBatch, by) => (Trouble::PartialBatch { fails: u32::try_from(fails).unwrap_or(1) }, by),
        (Does::Hang, by) => (Trouble::Hang, by),
        (Does::Reset, by) => (Trouble::Reset, by),
        (Does::LostReply, by) => (Trouble::LostReply, by),
        (Does::MalformedJson, by) => (Trouble::MalformedJson, by),
        (Does::TruncatedAnswer, by) => (Trouble::TruncatedAnswer, by),
    };
    means_nothing("by", trouble.1.as_ref().map(|(_, span)| span), "does = \"slow\"", mistakes);
    Some(trouble.0)
}

fn one_span(by: By) -> Option<Duration> {
    match by {
        By::Between(by) => Some(by.most),
        By::LongTail { .. } => None,
    }
}

fn retry_after(fields: &mut Fields<'_>, mistakes: &mut Mistakes) -> Option<At<Duration>> {
    let value = fields.get_as("retry_after", Shape::Duration)?;
    let after = duration(value, "`retry_after`", mistakes)?;
    if after.value.subsec_millis() != 0 {
        mistakes.add(&after.span, Kind::BadDuration, "`retry_after` is sent in whole seconds");
    }
    Some(after)
}

/// `at_call = { of = "crm", operation = "create_contact", nth = 1, moment = "after" }`
pub(super) fn kill_at_call(on: &mut Reading<'_, '_>) -> Option<FaultKind> {
    let value = on.fields.get_as("at_call", Shape::Inner)?;
    let mut inner = fields(value, "`at_call`", on.mistakes)?;
    let of = need_double(&mut inner, on.declared, on.mistakes);
    let operation = operation(&mut inner, of, on.mistakes);
    let nth = inner.count("nth", 1, 1..MAX_CALLS + 1, on.mistakes);
    let moment = inner.need_word("moment", Moment::WORDS, on.mistakes);
    inner.close(on.mistakes);
    let restart_after = on.fields.duration("restart_after", DEFAULT_RESTART, on.mistakes);
    let at = AtCall { of: of?, operation, nth: u32::try_from(nth).ok()?, moment: moment? };
    Some(FaultKind::KillAtCall(KillAtCall { at, restart_after }))
}

/// The word of everything that can happen to a call: `answer`, and each of `does`.
pub fn trouble_words() -> impl Iterator<Item = &'static str> {
    ["answer"].into_iter().chain(DOES.iter().map(|(word, _)| *word))
}
