//! What a person pays for, and how to stop.
//!
//! Must not know: storage, HTTP.

use super::{Frame, Tone, badge, capital, day, notice};
use crate::service::person::Billing;
use maud::{Markup, html};

/// The status page.
pub fn billing(held: &Billing) -> String {
    let (tone, word) = state(held);
    let waits = held.awaited.is_some() || held.cancelling;
    let content = html! {
        @if held.awaited.is_some() {
            (notice(Tone::Wait, "Activation pending: a checkout was opened, and we have not heard of its payment yet. \
                                 This page looks again by itself."))
        }
        @if held.cancelling {
            (notice(Tone::Wait, "Your cancellation is with Stripe. This page shows the end date when it is confirmed."))
        }
        section.card data-billing=(word_of(held)) {
            (badge(tone, &word))
            h1 { "Your billing" }
            p.lead role="status" { (sentence(held)) }
            (facts(held))
            div.actions { (ways(held)) }
        }
    };
    Frame { title: "Your billing", at: "/billing", again: waits.then_some(3) }.page(&content)
}

fn word_of(held: &Billing) -> &'static str {
    match (held.access, held.ends, held.status.as_str()) {
        (_, _, "canceled") => "canceled",
        (true, Some(_), _) => "ending",
        (true, None, _) => "active",
        (false, _, "past_due" | "unpaid" | "incomplete") => "unpaid",
        (false, ..) if held.awaited.is_some() => "pending",
        (false, ..) => "none",
    }
}

fn state(held: &Billing) -> (Tone, String) {
    let (tone, word) = match word_of(held) {
        "active" => (Tone::Good, "Active"),
        "ending" => (Tone::Wait, "Ends soon"),
        "canceled" => (Tone::Plain, "Cancelled"),
        "unpaid" => (Tone::Bad, "Payment needed"),
        "pending" => (Tone::Wait, "Activation pending"),
        _ => (Tone::Plain, "No plan"),
    };
    let word = match held.ends.filter(|_| word_of(held) == "ending") {
        Some(at) => format!("Ends on {}", day(at)),
        None => word.to_owned(),
    };
    (tone, word)
}

fn sentence(held: &Billing) -> String {
    let end = held.ends.map(day).unwrap_or_default();
    match word_of(held) {
        "active" => "Everything in your plan is open to you.".to_owned(),
        "ending" => format!("Your plan stays open until {end} and is not renewed."),
        "canceled" => "Your plan has ended. You can start again whenever you like.".to_owned(),
        "unpaid" => "The last payment did not go through. Your plan opens again when it is paid.".to_owned(),
        "pending" => "We are waiting for Stripe to confirm your payment.".to_owned(),
        _ => "You have no plan at the moment.".to_owned(),
    }
}

fn facts(held: &Billing) -> Markup {
    let none = || "–".to_owned();
    let plan = if held.plan == "none" || held.plan.is_empty() { none() } else { capital(&held.plan) };
    let period = if held.ends.is_some() { "Ends on" } else { "Renews on" };
    let end = held.ends.or(held.period_end);
    html! {
        dl.facts {
            div { dt { "Plan" } dd { (plan) } }
            div { dt { (period) } dd { (end.map_or_else(none, day)) } }
            div { dt { "Last payment" } dd { (held.paid_at.map_or_else(none, day)) } }
            div { dt { "E-mail" } dd { (held.email.clone().unwrap_or_else(none)) } }
        }
    }
}

fn ways(held: &Billing) -> Markup {
    html! {
        @if held.access { a.button href="/chat" { "Open the chat" } }
        @if held.subscription.is_some() && !held.cancelling { a.button.quiet href="/billing/cancel" { "Cancel plan" } }
        @if !held.access && held.subscription.is_none() { a.button href="/" { "Choose a plan" } }
    }
}

/// Asks once more before the plan is cancelled.
pub fn cancel(held: &Billing, token: &str) -> String {
    let until = held.period_end.map(day);
    let content = html! {
        section.card {
            h1 { "Cancel your plan?" }
            p.lead {
                @match &until {
                    Some(day) => { "It stays open until " strong { (day) } ", and is not renewed after that." }
                    None => { "It stays open until the end of the paid period, and is not renewed after that." }
                }
            }
            div.actions {
                form method="post" action="/billing/cancel" {
                    input type="hidden" name="token" value=(token);
                    button.button.danger type="submit" { "Yes, cancel my plan" }
                }
                a.button.quiet href="/billing" { "Keep my plan" }
            }
        }
    };
    Frame { title: "Cancel your plan?", at: "/billing", again: None }.page(&content)
}

/// The browser belongs to nobody we know.
pub fn nobody() -> String {
    let content = html! {
        section.card data-billing="nobody" {
            h1 { "We do not know this browser yet" }
            p.lead { "Billing is shown in the browser in which you signed up. If you have paid, your plan is open all the same." }
            div.actions { a.button href="/" { "Start a plan" } }
        }
    };
    Frame { title: "Your billing", at: "/billing", again: None }.page(&content)
}
