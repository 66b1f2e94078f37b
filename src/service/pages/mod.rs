//! The pages a person sees: rendered here, no script, one stylesheet. Texts are escaped by the template language.
//!
//! Must not know: storage, HTTP; they are told what to show.

pub mod admin;
mod billing;
mod chat;
mod checkout;
mod sign_up;

use maud::{DOCTYPE, Markup, html};

pub use billing::{billing, cancel, nobody};
pub use chat::chat;
pub use checkout::success;
pub use sign_up::{Typed, sign_up};

/// The stylesheet, served at `/style.css`. Other screens of the service use its classes too.
pub const STYLE: &str = include_str!("style.css");

/// How a state looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Not yet.
    Wait,
    /// Something is wrong.
    Bad,
    /// Neither.
    Plain,
}

impl Tone {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// What surrounds a page.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Title, and where one is: the path in the navigation.
    pub title: &'a str,
    /// Path of the entry of the navigation that is current.
    pub at: &'a str,
    /// Seconds after which the page looks again by itself.
    pub again: Option<u32>,
}

const NAVIGATION: [(&str, &str); 3] = [("/", "Plan"), ("/billing", "Billing"), ("/chat", "Chat")];

impl Frame<'_> {
    /// The whole page around `content`.
    pub fn page(&self, content: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="description" content="Your plan, its billing and the chat that comes with it.";
                    @if let Some(seconds) = self.again { meta http-equiv="refresh" content=(seconds); }
                    title { (self.title) }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href="/style.css";
                }
                body.narrow {
                    a.skip href="#content" { "Skip to content" }
                    header {
                        a.brand href="/" { "Hookdrill" }
                        nav aria-label="Main" {
                            @for (path, name) in NAVIGATION {
                                a href=(path) aria-current=[(path == self.at).then_some("page")] { (name) }
                            }
                        }
                    }
                    main #content { (content) }
                    footer { "Reference service. What you may use follows your subscription, and nothing else." }
                }
            }
        };
        page.into_string()
    }
}

fn badge(tone: Tone, words: &str) -> Markup {
    html! { span.badge data-tone=(tone.name()) { (words) } }
}

fn notice(tone: Tone, words: &str) -> Markup {
    html! { div.notice role="status" data-tone=(tone.name()) { p { (words) } } }
}

/// A page of words and one way on.
pub fn words(title: &str, text: &str, way: (&str, &str)) -> String {
    let content = html! {
        section.card {
            h1 { (title) }
            p.lead { (text) }
            div.actions { a.button href=(way.0) { (way.1) } }
        }
    };
    Frame { title, at: "", again: None }.page(&content)
}

/// Stripe does not answer: nothing is lost, and the same form can be sent again.
pub fn outage(action: &str, fields: &[(&str, &str)]) -> String {
    let content = html! {
        section.card {
            (badge(Tone::Wait, "Please try again"))
            h1 { "The payment page does not answer" }
            p.lead role="status" {
                "Nothing was charged and nothing was changed. It usually takes a moment; please try again."
            }
            div.actions {
                form method="post" action=(action) {
                    @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                    button.button type="submit" { "Try again" }
                }
                a.button.quiet href="/" { "Go back" }
            }
        }
    };
    Frame { title: "The payment page does not answer", at: "", again: None }.page(&content)
}

/// `2026-01-15T…` as `15 January 2026`.
fn day(at: crate::time::Timestamp) -> String {
    let written = time::OffsetDateTime::from_unix_timestamp(at.secs());
    let form = time::macros::format_description!("[day padding:none] [month repr:long] [year]");
    written.ok().and_then(|at| at.format(&form).ok()).unwrap_or_else(|| at.to_string())
}

/// `pro` as `Pro`.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        service::person::{Activation, Billing},
        time::Timestamp,
    };

    fn all() -> Vec<String> {
        let states =
            [Activation::Active, Activation::Pending, Activation::Failed, Activation::Expired, Activation::Unknown];
        let mut pages: Vec<String> = states.into_iter().map(success).collect();
        let typed = Typed { user: "<b>", email: "\"><script>", wrong: Some(("email", "no")), ..Typed::default() };
        let held = Billing { access: true, subscription: Some("sub_1".into()), ..Billing::default() };
        pages.extend([sign_up(&typed), billing(&held), billing(&Billing::default()), cancel(&held, "t"), nobody()]);
        pages.push(outage("/signup", &[("user", "<i>")]));
        pages
    }

    #[test]
    fn every_page_has_a_language_a_heading_and_nothing_inline() {
        for page in all() {
            assert!(page.contains("<html lang=\"en\">") && page.matches("<h1").count() == 1, "{page}");
            for never in ["<script", "style=\"", "<style", "onclick", "<b>", "<i>"] {
                assert!(!page.contains(never), "{never} in {page}");
            }
        }
    }

    #[test]
    fn pending_looks_again_and_active_does_not() {
        let (pending, active) = (success(Activation::Pending), success(Activation::Active));
        assert!(pending.contains("data-activation=\"pending\"") && pending.contains("http-equiv=\"refresh\""));
        assert!(active.contains("data-activation=\"active\"") && !active.contains("http-equiv=\"refresh\""));
    }

    #[test]
    fn days_and_words() {
        assert_eq!(day(Timestamp::from_secs(1_768_471_200)), "15 January 2026");
        assert_eq!(capital("pro"), "Pro");
    }
}
