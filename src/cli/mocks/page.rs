//! The page of `hookdrill mocks`: what the doubles hold and what came, newest first. No script; it looks again by itself.
//!
//! Must not know: sockets, who may look.

use super::ledger::Kept;
use crate::{
    history::record::{Call, Contact, Effect, Ticket},
    scenario::fault::Double,
    time::Timestamp,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Seconds until the page looks again.
const AGAIN: u32 = 3;

/// Rows of each table: the newest.
const ROWS: usize = 100;

const STYLE: &str = include_str!("page.css");

/// What is shown.
pub(super) struct Page<'a> {
    pub(super) doubles: Vec<(Double, String)>,
    pub(super) environment: Vec<String>,
    pub(super) contacts: &'a [Contact],
    pub(super) tickets: &'a [Ticket],
    pub(super) kept: &'a Kept,
}

impl Page<'_> {
    /// The whole page.
    pub(super) fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="refresh" content=(AGAIN);
                    title { "hookdrill: doubles" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { "What the doubles have seen" }
                        form method="post" action="/reset" { button { "Reset all doubles" } }
                    }
                    main {
                        (self.addresses())
                        (self.calls())
                        (self.effects())
                        (self.contacts())
                        (self.tickets())
                        (self.variables())
                        p { a href="/ledger.json" { "The same as JSON" } }
                    }
                }
            }
        };
        page.into_string()
    }

    fn addresses(&self) -> Markup {
        let rows = self.doubles.iter().map(|(double, url)| {
            let count = self.kept.counts.get(double).copied().unwrap_or_default();
            html! { tr { td { (double.word()) } td { code { (url) } } td.n { (count) } } }
        });
        let rows: Vec<Markup> = rows.collect();
        section("Doubles", self.doubles.len(), &["Name", "Address", "n:Calls"], "There is none.", &rows)
    }

    fn calls(&self) -> Markup {
        let rows = self.kept.calls.iter().rev().take(ROWS).map(|(number, at, call)| {
            html! {
                tr {
                    td.n { (number) } td { (call.double.word()) } td.n { span class=(tone(call)) { (call.status) } }
                    td { code { (call.operation) } } td { (did(call)) } td.t { (time(*at)) }
                }
            }
        });
        let rows: Vec<Markup> = rows.collect();
        let heads = ["n:#", "Double", "n:Status", "Operation", "Effect", "Time"];
        section("Calls", self.kept.calls.len(), &heads, "Nothing has called yet.", &rows)
    }

    fn effects(&self) -> Markup {
        let rows = self.kept.effects.iter().rev().take(ROWS).filter_map(|(at, effect)| {
            let Effect::Declared { double, effect, key, fields } = effect else { return None };
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            Some(html! {
                tr { td { code { (double) "." (effect) } } td { (key) } td { (fields.join(", ")) } td.t { (time(*at)) } }
            })
        });
        let rows: Vec<Markup> = rows.collect();
        let heads = ["Effect", "Key", "Fields", "Time"];
        section("Effects of declared doubles", self.kept.effects.len(), &heads, "There is none.", &rows)
    }

    fn contacts(&self) -> Markup {
        let rows = self.contacts.iter().rev().take(ROWS).map(|contact| {
            let email = contact.properties.get("email").map_or("", String::as_str);
            let others = contact.properties.iter().filter(|(name, _)| *name != "email");
            let others: Vec<String> = others.map(|(name, value)| format!("{name}: {value}")).collect();
            html! { tr { td.n { (contact.id) } td { (email) } td { (others.join(", ")) } } }
        });
        let rows: Vec<Markup> = rows.collect();
        section("Contacts in the CRM", self.contacts.len(), &["n:Id", "E-mail", "Properties"], "There is none.", &rows)
    }

    fn tickets(&self) -> Markup {
        let rows = self.tickets.iter().rev().take(ROWS).map(|ticket| {
            html! {
                tr {
                    td.n { (ticket.id) } td { (ticket.subject) } td { (ticket.queue.as_deref().unwrap_or("")) }
                    td { (ticket.status) } td { (ticket.requester.as_deref().unwrap_or("")) }
                    td { code { (ticket.external_id.as_deref().unwrap_or("")) } }
                }
            }
        });
        let rows: Vec<Markup> = rows.collect();
        let heads = ["n:Id", "Subject", "Queue", "Status", "Requester", "Key"];
        section("Tickets at the support desk", self.tickets.len(), &heads, "There is none.", &rows)
    }

    fn variables(&self) -> Markup {
        html! {
            section {
                h2 { "For your app's environment" }
                pre { (self.environment.join("\n")) }
            }
        }
    }
}

/// A table with its title; a head that begins with `n:` is that of numbers.
fn section(title: &str, all: usize, heads: &[&str], none: &str, rows: &[Markup]) -> Markup {
    html! {
        section {
            h2 { (title) " " small { (all) @if all > rows.len() { ", the last " (rows.len()) " shown" } } }
            @if rows.is_empty() {
                p { (none) }
            } @else {
                div.wide tabindex="0" role="region" aria-label=(title) {
                    table {
                        thead { tr { @for head in heads {
                            @match head.strip_prefix("n:") {
                                Some(head) => { th.n scope="col" { (head) } }
                                None => { th scope="col" { (head) } }
                            }
                        } } }
                        tbody { @for row in rows { (row) } }
                    }
                }
            }
        }
    }
}

/// `12:03:59`
fn time(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

fn tone(call: &Call) -> &'static str {
    match call.status {
        200..400 => "good",
        _ => "bad",
    }
}

fn did(call: &Call) -> String {
    let effect = |effect: &Effect| match effect {
        Effect::ContactCreated { contact, .. } => format!("contact {contact} made"),
        Effect::ContactUpdated { contact, .. } => format!("contact {contact} changed"),
        Effect::TicketCreated { ticket, .. } => format!("ticket {ticket} opened"),
        Effect::TicketUpdated { ticket } => format!("ticket {ticket} changed"),
        Effect::TaskCreated { task, .. } => format!("task {task} made"),
        Effect::SessionOpened { session } => format!("Checkout session {session} opened"),
        Effect::SubscriptionCanceled { subscription } => format!("subscription {subscription} cancelled"),
        Effect::Declared { effect, key, .. } => format!("{effect} {key}"),
        Effect::AlertRaised { alert, .. } => format!("alert {alert}"),
    };
    call.effects.iter().map(effect).collect::<Vec<_>>().join(", ")
}
