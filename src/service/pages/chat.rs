//! The chat's door: open or closed, and why.
//!
//! Must not know: storage, HTTP.

use super::{Frame, Tone, badge};
use crate::service::person::Entitlement;
use maud::html;

/// The page for somebody who may chat, or not.
pub fn chat(entitlement: Entitlement) -> String {
    let (tone, word) = if entitlement.entitled { (Tone::Good, "Open") } else { (Tone::Plain, "Closed") };
    let text = match entitlement.reason {
        "active" => "Your plan includes the chat. Ask away.",
        "payment_failed" => "The last payment did not go through. The chat opens again when it is paid.",
        "canceled" => "Your plan has ended, and the chat with it.",
        "refunded" => "Your payment was given back, so the chat is closed.",
        "anonymous" => "The chat is part of a plan. What you ask here before you sign up stays with you afterwards.",
        _ => "The chat is part of a plan, and you have none at the moment.",
    };
    let content = html! {
        section.card data-entitled=(entitlement.entitled) {
            (badge(tone, word))
            h1 { "Chat" }
            p.lead role="status" { (text) }
            div.actions {
                @if entitlement.entitled { a.button.quiet href="/billing" { "See your billing" } }
                @else { a.button href="/" { "Choose a plan" } }
            }
        }
    };
    Frame { title: "Chat", at: "/chat", again: None }.page(&content)
}
