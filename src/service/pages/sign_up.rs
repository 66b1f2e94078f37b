//! The first page: who you are, and on to Checkout.
//!
//! Must not know: storage, HTTP.

use super::{Frame, Tone, notice};
use maud::{Markup, html};

/// What was typed, and what is wrong with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed<'a> {
    /// User name.
    pub user: &'a str,
    /// E-mail.
    pub email: &'a str,
    /// Proof that the form is ours.
    pub token: &'a str,
    /// Field and words.
    pub wrong: Option<(&'a str, &'a str)>,
    /// Whether they came back from Checkout without paying.
    pub canceled: bool,
}

/// The form.
pub fn sign_up(typed: &Typed<'_>) -> String {
    let title = if typed.wrong.is_some() { "Please check your entries" } else { "Start your plan" };
    let content = html! {
        @if typed.canceled { (notice(Tone::Plain, "You left the payment page. Nothing was charged.")) }
        @if let Some((field, _)) = typed.wrong {
            div.notice role="alert" data-tone="bad" { p { a href={ "#" (field) } { "One entry needs another look." } } }
        }
        section.card {
            h1 { (title) }
            p.lead { "Two words about you, then the payment page of Stripe. We never see your card." }
            form method="post" action="/signup" {
                input type="hidden" name="token" value=(typed.token);
                (field(typed, "email", "E-mail", "email", "email", typed.email, "Where receipts go."))
                (field(typed, "user", "User name", "text", "username", typed.user, "Letters, digits and signs, no blanks."))
                div.actions { button.button type="submit" { "Continue to payment" } }
            }
        }
    };
    Frame { title, at: "/", again: None }.page(&content)
}

fn field(typed: &Typed<'_>, name: &str, label: &str, kind: &str, fill: &str, value: &str, hint: &str) -> Markup {
    let wrong = typed.wrong.filter(|(field, _)| *field == name).map(|(_, words)| words);
    let (hinted, told) = (format!("{name}-hint"), format!("{name}-wrong"));
    let described = if wrong.is_some() { format!("{hinted} {told}") } else { hinted.clone() };
    html! {
        div.field {
            label for=(name) { (label) }
            p.hint id=(hinted) { (hint) }
            input id=(name) name=(name) type=(kind) autocomplete=(fill) autocapitalize="none" spellcheck="false" required
                maxlength=(if name == "email" { 254 } else { 128 }) value=(value) aria-describedby=(described)
                aria-invalid=[wrong.map(|_| "true")];
            @if let Some(words) = wrong { p.wrong id=(told) { (words) } }
        }
    }
}
