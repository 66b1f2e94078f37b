//! `/v1/customers`.
//!
//! Must not know: what customers buy.

use super::{Done, Stripe, form::Form, refusal::Refusal, shapes};
use serde_json::{Value, json};

const KNOWN: [&str; 5] = ["email", "name", "description", "phone", "metadata"];

impl Stripe {
    pub(super) fn create_customer(&mut self, now_ms: u64, form: &Form) -> Done {
        form.only(&KNOWN)?;
        let now = self.secs(now_ms);
        let recorded: Value = serde_json::from_str(shapes::CUSTOMER).unwrap_or_default();
        let mut customer = recorded["data"]["object"].clone();
        let id = self.fresh("cus_", 14);
        customer["id"] = id.as_str().into();
        customer["created"] = now.into();
        customer["address"] = Value::Null;
        customer["preferred_locales"] = json!([]);
        customer["invoice_prefix"] = shapes::token(&[&id], 8, "A1").into();
        for name in ["email", "name", "description", "phone"] {
            customer[name] = form.text(&[name]).into();
        }
        customer["metadata"] = json!(form.hash("metadata"));
        if form.text(&["email"]).is_some_and(|email| !email.contains('@')) {
            let message = format!("Invalid email address: {}", form.text(&["email"]).unwrap_or_default());
            return Err(Refusal::invalid("email", &message, "email_invalid"));
        }
        self.emit(now_ms, shapes::envelope("customer.created", &customer, now));
        let body = format!("{customer:#}");
        self.customers.insert(id, customer);
        Ok((body, vec![]))
    }

    pub(super) fn get_customer(&self, id: &str) -> Done {
        let found = self.customers.get(id).ok_or_else(|| Refusal::no_such(404, "customer", id, "id"))?;
        Ok((format!("{found:#}"), vec![]))
    }
}
