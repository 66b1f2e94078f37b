//! The page after Checkout. It only shows: access comes from the webhook, never from being here. Nothing of the request
//! stands in it.
//!
//! Must not know: storage, HTTP.

use super::{Frame, Tone, badge};
use crate::service::person::Activation;
use maud::{Markup, html};

/// The page of a session in that state.
pub fn success(state: Activation) -> String {
    let (word, tone, short, title, again) = match state {
        Activation::Active => ("active", Tone::Good, "Active", "Your plan is active", None),
        Activation::Pending => ("pending", Tone::Wait, "Activation pending", "We are activating your plan", Some(2)),
        Activation::Failed => ("failed", Tone::Bad, "Not paid", "Your payment did not go through", Some(15)),
        Activation::Expired => ("expired", Tone::Plain, "Expired", "This checkout has expired", None),
        Activation::Unknown => ("unknown", Tone::Plain, "Unknown", "We do not know this checkout", None),
    };
    let content = html! {
        section.card data-activation=(word) {
            (badge(tone, short))
            h1 { (title) }
            div role="status" { (words(state)) }
            div.actions { (ways(state)) }
        }
    };
    Frame { title, at: "", again }.page(&content)
}

fn words(state: Activation) -> Markup {
    match state {
        Activation::Active => html! { p.lead { "Thank you. Everything in your plan is open to you now." } },
        Activation::Pending => html! {
            p.lead { "Your payment is being confirmed. This page looks again every two seconds; you need not do anything." }
            p { "If it takes longer than a minute, you can close this page: we go on without it, and your billing page \
                 shows where it stands." }
        },
        Activation::Failed => html! {
            p.lead { "The bank refused the payment, so nothing was opened. When it is paid after all, your plan opens by \
                      itself." }
        },
        Activation::Expired => {
            html! { p.lead { "It was not paid in time. Nothing was charged; you can begin again." } }
        }
        Activation::Unknown => html! {
            p.lead { "The link is not complete, or it is not one of ours. If you have paid, your billing page shows it." }
        },
    }
}

fn ways(state: Activation) -> Markup {
    match state {
        Activation::Active => html! {
            a.button href="/chat" { "Open the chat" }
            a.button.quiet href="/billing" { "See your billing" }
        },
        Activation::Pending => html! { a.button.quiet href="/billing" { "See your billing" } },
        Activation::Failed | Activation::Expired | Activation::Unknown => html! {
            a.button href="/" { "Choose a plan" }
            a.button.quiet href="/billing" { "See your billing" }
        },
    }
}
