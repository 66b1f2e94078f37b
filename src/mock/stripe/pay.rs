//! The hosted Checkout page: a plain form, and what paying or a refused card leads to.
//!
//! No card is asked for: nothing that looks like one should ever be typed into a double.
//! Must not know: the API's parameters.

use super::{Stripe, form::Form, sessions::Session, shapes};
use crate::wire::{Request, Response};
use maud::{DOCTYPE, Markup, html};
use serde_json::{Value, json};

const STYLE: &str = include_str!("pay.css");

impl Stripe {
    /// Answers `/c/…`.
    pub(super) fn hosted(&mut self, now_ms: u64, id: &str, request: &Request) -> Response {
        if id == "style.css" {
            return page(200, "text/css; charset=utf-8", STYLE.to_owned());
        }
        let Some(session) = self.sessions.get(id) else { return shown(404, "No such checkout", &gone(None)) };
        match (session.status(), request.method.as_str()) {
            // A second click on Pay ends where the first one did.
            ("complete", "POST") => redirect(session.url("success_url")),
            ("open", "POST") => {
                let form = Form::of_body(&request.body).unwrap_or_default();
                self.attempt(now_ms, id, &form)
            }
            ("open", _) => shown(200, "Checkout", &open(session)),
            ("complete", _) => shown(200, "Paid", &paid(session)),
            _ => shown(410, "Checkout expired", &gone(Some(session))),
        }
    }

    fn attempt(&mut self, now_ms: u64, id: &str, form: &Form) -> Response {
        let Some(session) = self.sessions.get_mut(id) else { return shown(404, "No such checkout", &gone(None)) };
        let here = format!("/c/pay/{id}");
        if let Some(email) = form.text(&["email"]).filter(|email| email.contains('@')) {
            email.clone_into(&mut session.buyer.email);
        }
        if session.buyer.email.is_empty() {
            return redirect(here);
        }
        match form.text(&["card"]) {
            Some("good") => {
                self.pay(now_ms, id);
                let url = self.sessions.get(id).map(|session| session.url("success_url"));
                redirect(url.unwrap_or(here))
            }
            _ => {
                session.declined = true;
                self.decline(now_ms, id);
                redirect(here)
            }
        }
    }

    fn decline(&mut self, now_ms: u64, id: &str) {
        let now = self.secs(now_ms);
        let Some(buyer) = self.sessions.get(id).map(|session| session.buyer.clone()) else { return };
        for recorded in shapes::DECLINE_EVENTS {
            let mut event = buyer.cast(recorded, now);
            event["created"] = now.into();
            let object = &mut event["data"]["object"];
            object["created"] = now.into();
            object["description"] = "Subscription creation".into();
            // Before the payment there is no customer but one that was named.
            object["customer"] = buyer.customer.clone().into();
            self.emit(now_ms, event);
        }
    }

    /// The session is paid: everything that Stripe makes then, in its order.
    pub(super) fn pay(&mut self, now_ms: u64, id: &str) {
        let now = self.secs(now_ms);
        let Some(session) = self.sessions.get(id).cloned() else { return };
        for recorded in shapes::PURCHASE_EVENTS {
            let mut event = session.buyer.cast(recorded, now);
            let kind = event["type"].as_str().unwrap_or_default().to_owned();
            if session.buyer.customer.is_some() && kind.starts_with("customer.") && !kind.contains("subscription") {
                continue;
            }
            self.keep(&kind, &mut event["data"]["object"], &session);
            self.emit(now_ms, event);
        }
    }

    /// Gives an object what the caller said of it, and keeps it where it can be asked for.
    fn keep(&mut self, kind: &str, object: &mut Value, session: &Session) {
        match kind {
            "customer.created" | "customer.updated" => {
                self.customers.insert(session.buyer.customer_id(), object.clone());
            }
            "checkout.session.completed" => {
                let mut own = session.object.clone();
                for name in ["customer", "subscription", "invoice", "customer_details", "status", "payment_status"] {
                    own[name] = object[name].take();
                }
                own["url"] = Value::Null;
                *object = own.clone();
                if let Some(held) = self.sessions.get_mut(&session.buyer.session) {
                    held.object = own;
                }
            }
            "customer.subscription.created" => {
                object["metadata"] = session.subscription_metadata.clone();
                self.subscriptions.insert(session.buyer.subscription_id(), object.clone());
            }
            _ if kind.starts_with("invoice.") => {
                object["parent"]["subscription_details"]["metadata"] = session.subscription_metadata.clone();
            }
            _ => {}
        }
    }

    /// Adds an event that the double made: gives it an id and tells it to whoever lists or delivers.
    pub(super) fn emit(&mut self, now_ms: u64, mut event: Value) {
        let kind = event["type"].as_str().unwrap_or_default();
        // Events about payments are numbered in another row than the others.
        let of_payment = kind.starts_with("charge.") || kind.starts_with("payment_intent.");
        let id = self.fresh(if of_payment { "evt_3" } else { "evt_1" }, 23);
        event["id"] = json!(id);
        self.events.make(now_ms, &event);
    }
}

fn page(status: u16, kind: &str, text: String) -> Response {
    let headers = [
        ("content-type", kind),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Response { status, headers, body: text.into_bytes(), ..Response::default() }
}

fn redirect(to: String) -> Response {
    Response { status: 303, headers: vec![("location".into(), to)], ..Response::default() }
}

fn shown(status: u16, title: &str, content: &Markup) -> Response {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " (test mode)" }
                link rel="stylesheet" href="/c/pay/style.css";
            }
            body { main { p.mode { "Test mode: no card is asked for, no money moves." } (content) } }
        }
    };
    page(status, "text/html; charset=utf-8", text.into_string())
}

fn open(session: &Session) -> Markup {
    let price = session.buyer.price;
    html! {
        h1 { (price.name) }
        p.amount { (price.shown()) " " span { "a month" } }
        @if session.declined { p.alert role="alert" { "Your card was declined. Nothing was charged; you can try again." } }
        form method="post" {
            label for="email" { "E-mail" }
            input #email name="email" type="email" autocomplete="email" required value=(session.buyer.email);
            fieldset {
                legend { "Card" }
                label { input type="radio" name="card" value="good" checked; " A card that is accepted" }
                label { input type="radio" name="card" value="declined"; " A card that is declined" }
            }
            button type="submit" { "Pay " (price.shown()) }
        }
        @if !session.url("cancel_url").is_empty() { p { a href=(session.url("cancel_url")) { "Cancel and go back" } } }
    }
}

fn paid(session: &Session) -> Markup {
    html! {
        h1 { "This checkout is paid" }
        p { a href=(session.url("success_url")) { "Continue" } }
    }
}

fn gone(session: Option<&Session>) -> Markup {
    html! {
        h1 { @if session.is_some() { "This checkout has expired" } @else { "There is no such checkout" } }
        p { "Nothing was charged." }
        @if let Some(url) = session.map(|session| session.url("cancel_url")).filter(|url| !url.is_empty()) {
            p { a href=(url) { "Go back" } }
        }
    }
}
