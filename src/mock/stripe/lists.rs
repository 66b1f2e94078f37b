//! Lists of objects: filters, order, pages.
//!
//! Newest first, as with Stripe. Must not know: how an object comes about.

use super::{
    Done, Stripe,
    events::{page_limit, span},
    expand::Asked,
    form::Form,
    kinds::Kind,
    refusal::Refusal,
    view::Held,
};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// Parameters of every list.
const EVERY: [&str; 4] = ["limit", "starting_after", "ending_before", "expand"];

/// The place of an object in a list.
type Place = (Reverse<i64>, Reverse<String>);

fn place(object: &Value) -> Place {
    let id = object["id"].as_str().unwrap_or_default().to_owned();
    (Reverse(object["created"].as_i64().unwrap_or(0)), Reverse(id))
}

impl Stripe {
    /// Ids of a kind that are there; with `beside`, of those alone that have to do with that other id.
    pub(super) fn ids(&self, now_ms: u64, kind: Kind, beside: Option<&str>) -> Vec<String> {
        let timeline = self.events.timeline();
        let mut ids = match beside {
            Some(other) => timeline.ids_beside(now_ms, kind, other),
            None => timeline.ids(now_ms, kind),
        };
        match kind {
            Kind::Customer => ids.extend(self.customers.keys().cloned()),
            Kind::Subscription => ids.extend(self.subscriptions.keys().cloned()),
            Kind::Session => ids.extend(self.sessions.keys().cloned()),
            Kind::Price => ids.extend(super::PRICES.iter().map(|price| price.id.to_owned())),
            Kind::Product => ids.extend(super::PRICES.iter().map(|price| price.product.to_owned())),
            _ => {}
        }
        ids.sort();
        ids.dedup();
        ids
    }

    /// `GET /v1/<kind>`, and what stands below one object, where `fixed` says whose.
    pub(super) fn list(&self, asked: Asked<'_>, kind: Kind, form: &Form, fixed: Option<(&str, &str)>) -> Done {
        let row = kind.row();
        let known: Vec<&str> = EVERY.iter().chain(row.filters).copied().collect();
        form.only(&known)?;
        let filter = Filter::of(self, asked.now_ms, kind, form, fixed)?;
        let found = match (kind, filter.beside) {
            (Kind::InvoicePayment, Some(_)) => self.payments_beside(asked.now_ms, form),
            (Kind::SubscriptionItem, Some(subscription)) => self.items_of(asked.now_ms, subscription),
            _ => {
                let ids = self.ids(asked.now_ms, kind, filter.beside);
                ids.iter().filter_map(|id| self.held(asked.now_ms, id)).collect()
            }
        };
        let mut all: Vec<Held> = found.into_iter().filter(|held| filter.takes(&held.object)).collect();
        all.sort_by_cached_key(|held| place(&held.object));
        let (page, more) = self.page(asked, kind, all, form)?;
        let data: Vec<Value> = page.into_iter().map(|held| self.rendered(asked.now_ms, held, asked.version)).collect();
        let url = match fixed {
            Some((_, owner)) => format!("/v1/customers/{owner}/{}", row.path),
            None => format!("/v1/{}", row.path),
        };
        self.expanded(asked, json!({"object": "list", "data": data, "has_more": more, "url": url}), form)
    }

    /// One page of what fits; whether there is more in its direction.
    fn page(&self, asked: Asked<'_>, kind: Kind, all: Vec<Held>, form: &Form) -> Result<(Vec<Held>, bool), Refusal> {
        let limit = page_limit(form)?;
        let cursor = |param: &str| {
            let Some(id) = form.text(&[param]) else { return Ok(None) };
            let held = self.held(asked.now_ms, id).filter(|_| Kind::of_id(id) == Some(kind));
            let held = held.ok_or_else(|| Refusal::no_such(400, kind.row().noun, id, param))?;
            Ok(Some(place(&held.object)))
        };
        let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
        let mut rest: Vec<Held> = match (&after, &before) {
            (Some(_), Some(_)) => {
                let message = "Received both starting_after and ending_before parameters. Please pass in only one.";
                return Err(Refusal::invalid("starting_after", message, "parameter_unknown"));
            }
            (Some(after), None) => all.into_iter().filter(|held| place(&held.object) > *after).collect(),
            (None, Some(before)) => all.into_iter().filter(|held| place(&held.object) < *before).collect(),
            (None, None) => all,
        };
        let more = rest.len() > limit;
        // Going to newer ones, the page is the part that is nearest to where the caller stands.
        let mut page = if before.is_some() { rest.split_off(rest.len().saturating_sub(limit)) } else { rest };
        page.truncate(limit);
        Ok((page, more))
    }

    fn items_of(&self, now_ms: u64, subscription: &str) -> Vec<Held> {
        let Some(Held { object, version }) = self.held(now_ms, subscription) else { return Vec::new() };
        let items = object["items"]["data"].as_array().into_iter().flatten();
        items.map(|item| Held { object: item.clone(), version: version.clone() }).collect()
    }

    fn payments_beside(&self, now_ms: u64, form: &Form) -> Vec<Held> {
        let of_payment = || self.invoice_of(now_ms, form.text(&["payment", "payment_intent"])?);
        let invoice = form.text(&["invoice"]).map(str::to_owned).or_else(of_payment);
        invoice.map(|id| self.payments_of(now_ms, &id)).unwrap_or_default().into_iter().map(Held::ours).collect()
    }
}

/// What a list takes.
struct Filter<'a> {
    kind: Kind,
    form: &'a Form,
    fixed: Option<(&'a str, &'a str)>,
    /// The id that narrows the search.
    beside: Option<&'a str>,
    created: std::ops::RangeInclusive<i64>,
    period_end: std::ops::RangeInclusive<i64>,
    period_start: std::ops::RangeInclusive<i64>,
}

/// Filters by the id of another object.
const OTHERS: [(&str, Kind); 6] = [
    ("customer", Kind::Customer),
    ("subscription", Kind::Subscription),
    ("payment_intent", Kind::PaymentIntent),
    ("charge", Kind::Charge),
    ("invoice", Kind::Invoice),
    ("payment_method", Kind::PaymentMethod),
];

impl<'a> Filter<'a> {
    fn of(
        stripe: &Stripe,
        now_ms: u64,
        kind: Kind,
        form: &'a Form,
        fixed: Option<(&'a str, &'a str)>,
    ) -> Result<Self, Refusal> {
        let mut beside = fixed.map(|(_, id)| id);
        for (name, of) in OTHERS.iter().filter(|(name, _)| kind.row().filters.contains(name)) {
            let Some(id) = form.text(&[name]) else { continue };
            if stripe.held(now_ms, id).is_none() || Kind::of_id(id) != Some(*of) {
                return Err(Refusal::no_such(400, of.row().noun, id, name));
            }
            beside = beside.or(Some(id));
        }
        if kind == Kind::SubscriptionItem && beside.is_none() {
            return Err(Refusal::missing_parameter("subscription"));
        }
        if kind == Kind::InvoicePayment {
            beside = beside.or_else(|| form.text(&["payment", "payment_intent"]));
        }
        Ok(Self {
            kind,
            form,
            fixed,
            beside,
            created: span(form, "created")?,
            period_end: span(form, "current_period_end")?,
            period_start: span(form, "current_period_start")?,
        })
    }

    fn takes(&self, object: &Value) -> bool {
        // What is deleted is read by its id alone.
        if object["deleted"] == true {
            return false;
        }
        let in_span = |name: &str, span: &std::ops::RangeInclusive<i64>| {
            let own = object[name].as_i64().or_else(|| object["items"]["data"][0][name].as_i64());
            *span == (i64::MIN..=i64::MAX) || own.is_some_and(|at| span.contains(&at))
        };
        let fixed = self.fixed.is_none_or(|(name, id)| object[name] == id);
        fixed
            && in_span("created", &self.created)
            && in_span("current_period_end", &self.period_end)
            && in_span("current_period_start", &self.period_start)
            && self.kind.row().filters.iter().all(|name| self.fits(name, object))
    }

    /// Whether one parameter takes the object; spans are read elsewhere.
    fn fits(&self, name: &str, object: &Value) -> bool {
        let wanted = self.form.text(&[name]);
        match (name, wanted) {
            ("created" | "current_period_end" | "current_period_start", _) => true,
            ("status", wanted) if self.kind == Kind::Subscription => subscription_status(wanted, object),
            ("price", Some(price)) => {
                object["items"]["data"].as_array().is_some_and(|items| items.iter().any(|i| i["price"]["id"] == price))
            }
            ("subscription", Some(id)) if self.kind == Kind::Invoice => {
                object["subscription"] == id || object["parent"]["subscription_details"]["subscription"] == id
            }
            ("payment", None) => {
                let intent = self.form.text(&["payment", "payment_intent"]);
                intent.is_none_or(|id| object["payment"]["payment_intent"] == id)
            }
            ("customer_details", None) => {
                let email = self.form.text(&["customer_details", "email"]);
                email.is_none_or(|email| object["customer_details"]["email"] == email)
            }
            ("lookup_keys" | "ids", None) => {
                let any = self.form.texts(name);
                let field = if name == "ids" { "id" } else { "lookup_key" };
                any.is_empty() || any.iter().any(|wanted| object[field] == *wanted)
            }
            ("active", Some(flag)) => object["active"].as_bool() == Some(flag == "true"),
            (_, None) => true,
            (_, Some(wanted)) => object[name] == wanted,
        }
    }
}

/// Those that have ended are shown only where `status` asks for them.
fn subscription_status(wanted: Option<&str>, object: &Value) -> bool {
    let is = |status: &str| object["status"] == status;
    match wanted {
        None => !is("canceled") && !is("incomplete_expired"),
        Some("all") => true,
        Some("ended") => is("canceled") || is("incomplete_expired"),
        Some(status) => is(status),
    }
}
