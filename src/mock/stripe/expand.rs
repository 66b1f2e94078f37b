//! `expand[]`: ids that become the objects themselves, and what is only there when it is asked for.
//!
//! Must not know: lists and their filters, who asks.

use super::{Done, Stripe, form::Form, kinds::Kind, refusal::Refusal};
use serde_json::{Value, json};

/// Deepest expansion (Stripe's API reference, "Expanding Responses").
const DEEPEST: usize = 4;

/// What one question is about: when, and in which version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The moment whose state is answered.
    pub(super) now_ms: u64,
    /// The version that was asked for; each object's own when `None`.
    pub(super) version: Option<&'a str>,
}

impl Stripe {
    /// The answer with an object, expanded as the caller wishes.
    pub(super) fn expanded(&self, asked: Asked<'_>, mut object: Value, form: &Form) -> Done {
        for full in form.texts("expand") {
            let path: Vec<&str> = full.split('.').collect();
            if path.len() > DEEPEST {
                let message = format!("You cannot expand more than 4 levels of a property. Property: {full}");
                return Err(Refusal::wrong_state(&message));
            }
            self.expand(asked, &mut object, &path, full)?;
        }
        Ok((format!("{object:#}"), Vec::new()))
    }

    fn expand(&self, asked: Asked<'_>, value: &mut Value, path: &[&str], full: &str) -> Result<(), Refusal> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        if let Value::Array(items) = value {
            return items.iter_mut().try_for_each(|item| self.expand(asked, item, path, full));
        }
        // What an object of a payment is not of stays `null`, and nothing is below it.
        if value.is_null() {
            return Ok(());
        }
        if value.get(*name).is_none_or(|field| field.is_null() && *name == "line_items")
            && let Some(included) = self.included(asked, value, name)
        {
            value[*name] = included;
            return self.expand(asked, &mut value[*name], rest, full);
        }
        let Some(field) = value.get_mut(*name) else { return Err(no_expansion(full)) };
        self.whole(asked, field);
        let ends_in_nothing = rest.is_empty() && !(field.is_object() || field.is_array() || field.is_null());
        if ends_in_nothing { Err(no_expansion(full)) } else { self.expand(asked, field, rest, full) }
    }

    /// An id becomes the object; so do those of a list.
    fn whole(&self, asked: Asked<'_>, field: &mut Value) {
        if let Value::Array(items) = field {
            items.iter_mut().for_each(|item| self.whole(asked, item));
        }
        let found = field.as_str().and_then(|id| self.held(asked.now_ms, id));
        if let Some(held) = found {
            *field = self.rendered(asked.now_ms, held, asked.version);
        }
    }

    /// What is only there when it is asked for.
    fn included(&self, asked: Asked<'_>, object: &Value, name: &str) -> Option<Value> {
        let id = object["id"].as_str().unwrap_or_default();
        let listed = |data: Vec<Value>, url: String| {
            Some(json!({"object": "list", "data": data, "has_more": false, "total_count": data.len(), "url": url}))
        };
        match (object["object"].as_str()?, name) {
            ("checkout.session", "line_items") => {
                listed(self.bought(asked, object), format!("/v1/checkout/sessions/{id}/line_items"))
            }
            ("invoice", "payments") => {
                listed(self.payments_of(asked.now_ms, id), format!("/v1/invoice_payments?invoice={id}"))
            }
            ("invoice", "confirmation_secret") => {
                let intent = self.payment_of(asked.now_ms, id).and_then(|id| self.held(asked.now_ms, &id));
                let secret = intent.map(|held| held.object["client_secret"].clone());
                Some(secret.map_or(Value::Null, |secret| json!({"client_secret": secret, "type": "payment_intent"})))
            }
            ("charge", "refunds") => {
                listed(self.beside(asked, Kind::Refund, ("charge", id)), format!("/v1/charges/{id}/refunds"))
            }
            ("customer", "subscriptions") => {
                let all = self.beside(asked, Kind::Subscription, ("customer", id)).into_iter();
                let running = all.filter(|subscription| subscription["status"] != "canceled").collect();
                listed(running, format!("/v1/customers/{id}/subscriptions"))
            }
            ("customer", "sources" | "tax_ids") => listed(Vec::new(), format!("/v1/customers/{id}/{name}")),
            _ => None,
        }
    }

    /// Objects of a kind whose field holds an id, newest first.
    pub(super) fn beside(&self, asked: Asked<'_>, kind: Kind, (field, id): (&str, &str)) -> Vec<Value> {
        let ids = self.ids(asked.now_ms, kind, Some(id));
        let held = ids.iter().filter_map(|id| self.held(asked.now_ms, id)).filter(|held| held.object[field] == id);
        let mut found: Vec<Value> = held.map(|held| self.rendered(asked.now_ms, held, asked.version)).collect();
        found.sort_by_key(|object| std::cmp::Reverse(object["created"].as_i64()));
        found
    }

    /// What a session sells: the items of its subscription, else the lines of its invoice.
    pub(super) fn bought(&self, asked: Asked<'_>, session: &Value) -> Vec<Value> {
        let of = |name: &str| {
            // What is not paid yet is known from what is bought in the end.
            let id = session[name].as_str().map(str::to_owned).or_else(|| {
                let own = session["id"].as_str()?;
                let to_come = self.events.timeline().to_come(own)?.object;
                to_come[name].as_str().map(str::to_owned)
            })?;
            self.events.timeline().to_come(&id).map(|snapshot| snapshot.object)
        };
        let subscription = of("subscription").unwrap_or_default();
        let own = session["id"].as_str().and_then(|id| self.sessions.get(id));
        let of_items = subscription["items"]["data"].as_array().into_iter().flatten();
        let mut bought: Vec<(Value, Value)> =
            of_items.map(|item| (item["price"].clone(), item["quantity"].clone())).collect();
        if bought.is_empty()
            && let Some(own) = own
        {
            bought.push((super::catalog::object(own.buyer.price), 1.into()));
        }
        let seed = session["id"].as_str().unwrap_or_default();
        let item = |(n, (price, quantity)): (usize, (Value, Value))| {
            let amount = price["unit_amount"].as_i64().zip(quantity.as_i64()).map(|(unit, count)| unit * count);
            let name = price["product"].as_str().and_then(|id| self.held(asked.now_ms, id));
            json!({
                "id": format!("li_{}", super::shapes::token(&[seed, &n.to_string()], 24, "aA1")),
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": amount,
                "amount_tax": 0,
                "amount_total": amount,
                "currency": session["currency"],
                "description": name.map(|product| product.object["name"].clone()),
                "metadata": {},
                "price": price,
                "quantity": quantity,
            })
        };
        bought.into_iter().enumerate().map(item).collect()
    }
}

fn no_expansion(path: &str) -> Refusal {
    Refusal::invalid("expand", &format!("This property cannot be expanded ({path})."), "property_not_expandable")
}
