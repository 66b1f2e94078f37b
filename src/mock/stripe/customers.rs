//! `/v1/customers`: new ones.
//!
//! Must not know: what customers buy.

use super::{Done, Stripe, form::Form, refusal::Refusal, shapes};
use serde_json::{Value, json};

const KNOWN: [&str; 6] = ["email", "name", "description", "phone", "metadata", "expand"];

impl Stripe {
    pub(super) fn create_customer(&mut self, now_ms: u64, form: &Form) -> Done {
        form.only(&KNOWN)?;
        check_email(form)?;
        let now = self.secs(now_ms);
        let mut customer = shapes::mould(shapes::CUSTOMER);
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
        self.emit(now_ms, shapes::envelope("customer.created", &customer, now));
        let body = format!("{customer:#}");
        self.customers.insert(id, customer);
        Ok((body, vec![]))
    }
}

/// What is no address is refused.
pub(super) fn check_email(form: &Form) -> Result<(), Refusal> {
    match form.text(&["email"]) {
        Some(email) if !email.contains('@') => {
            Err(Refusal::invalid("email", &format!("Invalid email address: {email}"), "email_invalid"))
        }
        Some(_) | None => Ok(()),
    }
}
