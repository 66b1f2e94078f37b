//! `/v1/checkout/sessions`: one plan, paid on the hosted page.
//!
//! Must not know: what the page looks like.

use super::{Done, Stripe, catalog, expand::Asked, form::Form, kinds::Kind, refusal::Refusal, shapes, shapes::Buyer};
use crate::{mock::effect::Effect, wire::Request};
use serde_json::{Value, json};

/// Bounds of `expires_at` in seconds from now, and what holds when nothing is said (Stripe's API reference, "Create a
/// Checkout Session": 30 minutes to 24 hours).
const SHORTEST: i64 = 30 * 60;
const LONGEST: i64 = 24 * 60 * 60;

const KNOWN: [&str; 13] = [
    "expand",
    "mode",
    "line_items",
    "success_url",
    "cancel_url",
    "customer",
    "customer_email",
    "client_reference_id",
    "metadata",
    "subscription_data",
    "expires_at",
    "payment_method_types",
    "locale",
];

/// A session: what callers see of it, and what the purchase will need.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    /// The object as callers see it.
    pub(super) object: Value,
    /// Who buys what.
    pub(super) buyer: Buyer,
    /// `subscription_data[metadata]`.
    pub(super) subscription_metadata: Value,
    /// Whether the last card was refused.
    pub(super) declined: bool,
}

impl Session {
    /// `open`, `complete` or `expired`.
    pub(super) fn status(&self) -> &str {
        self.object["status"].as_str().unwrap_or_default()
    }

    /// An address of it, with the session's id where the caller asked for it.
    pub(super) fn url(&self, name: &str) -> String {
        let template = self.object[name].as_str().unwrap_or_default();
        template.replace("{CHECKOUT_SESSION_ID}", &self.buyer.session)
    }
}

impl Stripe {
    pub(super) fn create_session(&mut self, now_ms: u64, request: &Request, form: &Form) -> Done {
        form.only(&KNOWN)?;
        let now = self.secs(now_ms);
        let price = catalog::bought(form)?;
        let expires = expiry(form, now)?;
        check(form)?;
        let known = match form.text(&["customer"]) {
            None => None,
            Some(id) => {
                let found = self.held(now_ms, id).filter(|held| held.object["object"] == "customer");
                Some(found.ok_or_else(|| Refusal::no_such(400, "customer", id, "customer"))?.object)
            }
        };
        let email = known.as_ref().and_then(|customer| customer["email"].as_str());
        let email = email.or(form.text(&["customer_email"])).map(str::to_owned);
        let id = self.fresh("cs_test_a1", 56);
        let buyer = Buyer {
            session: id.clone(),
            customer: form.text(&["customer"]).map(str::to_owned),
            email: email.clone().unwrap_or_default(),
            price,
        };
        let mut object = buyer.cast(shapes::SESSION, now)["data"]["object"].clone();
        for (name, value) in [("status", "open"), ("payment_status", "unpaid"), ("mode", "subscription")] {
            object[name] = value.into();
        }
        for name in ["customer", "client_reference_id", "success_url", "cancel_url", "customer_email", "locale"] {
            object[name] = form.text(&[name]).into();
        }
        for name in ["subscription", "invoice", "payment_intent"] {
            object[name] = Value::Null;
        }
        object["customer_details"] = email.map_or(Value::Null, |email| details(&email));
        object["metadata"] = json!(form.hash("metadata"));
        object["created"] = now.into();
        object["expires_at"] = expires.into();
        object["url"] = format!("http://{}/c/pay/{id}", request.header("host").unwrap_or("localhost")).into();
        let body = format!("{object:#}");
        let data = form.at("subscription_data").map(|data| data.hash("metadata")).unwrap_or_default();
        let session = Session { object, buyer, subscription_metadata: json!(data), declined: false };
        self.sessions.insert(id.clone(), session);
        Ok((body, vec![Effect::SessionOpened { session: id }]))
    }

    pub(super) fn expire_session(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["expand"])?;
        let held = self.of_kind(asked, Kind::Session, id)?.object;
        let status = held["status"].as_str().unwrap_or_default();
        if status != "open" {
            let message = format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
                 {status}."
            );
            return Err(Refusal::wrong_state(&message));
        }
        self.expire(asked.now_ms, id);
        self.shown(asked, Kind::Session, id, form)
    }

    /// An open session ends unpaid.
    pub(super) fn expire(&mut self, now_ms: u64, id: &str) {
        self.change(now_ms, id, json!({"status": "expired", "url": null}));
        self.tell(now_ms, "checkout.session.expired", id, None);
    }

    /// Open sessions whose time is over.
    pub(super) fn overdue_sessions(&self, now: i64) -> Vec<String> {
        let over = |session: &Session| {
            session.status() == "open" && session.object["expires_at"].as_i64().is_some_and(|at| at <= now)
        };
        self.sessions.iter().filter(|(_, session)| over(session)).map(|(id, _)| id.clone()).collect()
    }
}

/// What is known of the buyer before the payment.
pub(super) fn details(email: &str) -> Value {
    json!({
        "address": null, "business_name": null, "email": email, "individual_name": null, "name": null, "phone": null,
        "tax_exempt": "none", "tax_ids": null,
    })
}

fn expiry(form: &Form, now: i64) -> Result<i64, Refusal> {
    let at = form.number(&["expires_at"])?.unwrap_or(now + LONGEST);
    if (now + SHORTEST..=now + LONGEST).contains(&at) {
        return Ok(at);
    }
    let message =
        "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.";
    Err(Refusal::invalid("expires_at", message, "parameter_invalid_integer"))
}

fn check(form: &Form) -> Result<(), Refusal> {
    match form.text(&["mode"]) {
        Some("subscription") => {}
        None => return Err(Refusal::missing_parameter("mode")),
        Some(other) => {
            let message = format!("Invalid mode: {other}. This double sells subscriptions only.");
            return Err(Refusal::invalid("mode", &message, "parameter_invalid_string_enum"));
        }
    }
    if form.text(&["success_url"]).is_none() {
        return Err(Refusal::missing_parameter("success_url"));
    }
    for name in ["success_url", "cancel_url"] {
        if form.text(&[name]).is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            let message = "Not a valid URL: an explicit scheme (such as https) must be provided.";
            return Err(Refusal::invalid(name, message, "url_invalid"));
        }
    }
    if form.text(&["customer"]).is_some() && form.text(&["customer_email"]).is_some() {
        let message = "You may only specify one of these parameters: customer, customer_email.";
        return Err(Refusal::wrong_state(message));
    }
    Ok(())
}
