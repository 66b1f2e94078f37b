//! What a handler changes: customers, invoices, refunds, words on objects, sessions of the customer portal.
//!
//! An object of the double's own is changed where it is kept; one of the timeline by a patch that stays on top of what the
//! story says later. Each change makes the events that Stripe makes. Must not know: how a purchase is made.

use super::{
    Done, Stripe,
    expand::Asked,
    form::Form,
    kinds::Kind,
    refusal::Refusal,
    shapes,
    view::{Held, apply},
};
use serde_json::{Map, Value, json};

const REFUND: &str = include_str!("../../../fixtures/refund-full/01-refund.created.json");

impl Stripe {
    /// Changes an object from now on.
    pub(super) fn change(&mut self, now_ms: u64, id: &str, fields: Value) {
        let own = self.customers.get_mut(id).or_else(|| self.subscriptions.get_mut(id));
        let own = own.or_else(|| self.sessions.get_mut(id).map(|session| &mut session.object));
        match own {
            Some(object) => apply(object, &fields),
            None => self.patch(now_ms, id, fields),
        }
    }

    /// Makes the event of a change; `before` holds what was there, for `previous_attributes`.
    pub(super) fn tell(&mut self, now_ms: u64, kind: &str, id: &str, before: Option<&Value>) {
        let Some(Held { object, version }) = self.held(now_ms, id) else { return };
        let now = self.secs(now_ms);
        let mut event = shapes::envelope(kind, &object, now);
        event["api_version"] = version.into();
        if let Some(before) = before {
            event["data"]["previous_attributes"] = differences(before, &object);
        }
        self.emit(now_ms, event);
    }

    /// Changes an object as a caller asks, and tells of it where anything is another now.
    fn amended(
        &mut self,
        asked: Asked<'_>,
        (kind, id): (Kind, &str),
        fields: Value,
        event: Option<&str>,
    ) -> Result<(), Refusal> {
        let before = self.of_kind(asked, kind, id)?.object;
        self.change(asked.now_ms, id, fields);
        let is_other = self.held(asked.now_ms, id).is_some_and(|held| held.object != before);
        if let Some(event) = event.filter(|_| is_other) {
            self.tell(asked.now_ms, event, id, Some(&before));
        }
        Ok(())
    }

    pub(super) fn update_customer(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        let texts = ["email", "name", "description", "phone"];
        form.only(&["email", "name", "description", "phone", "metadata", "invoice_settings", "expand"])?;
        super::customers::check_email(form)?;
        if self.of_kind(asked, Kind::Customer, id)?.object["deleted"] == true {
            return Err(Refusal::no_such(404, "customer", id, "id"));
        }
        let mut fields = words(form, &texts);
        if let Some(method) = form.text(&["invoice_settings", "default_payment_method"]) {
            if self.held(asked.now_ms, method).is_none() {
                let param = "invoice_settings[default_payment_method]";
                return Err(Refusal::no_such(400, "PaymentMethod", method, param));
            }
            fields.insert("invoice_settings".to_owned(), json!({ "default_payment_method": method }));
        }
        self.amended(asked, (Kind::Customer, id), Value::Object(fields), Some("customer.updated"))?;
        self.shown(asked, Kind::Customer, id, form)
    }

    /// The customer goes, and with it every subscription.
    pub(super) fn delete_customer(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&[])?;
        let held = self.of_kind(asked, Kind::Customer, id)?;
        let gone = json!({"id": id, "object": "customer", "deleted": true});
        if held.object["deleted"] != true {
            for subscription in self.beside(asked, Kind::Subscription, ("customer", id)) {
                if let Some(id) = subscription["id"].as_str().filter(|_| subscription["status"] != "canceled") {
                    self.end(asked.now_ms, id);
                }
            }
            self.tell(asked.now_ms, "customer.deleted", id, None);
            self.customers.insert(id.to_owned(), gone.clone());
        }
        Ok((format!("{gone:#}"), Vec::new()))
    }

    /// Words on an object: description and metadata.
    pub(super) fn amend(&mut self, asked: Asked<'_>, kind: Kind, id: &str, form: &Form) -> Done {
        form.only(&["description", "metadata", "expand"])?;
        let event = match kind {
            Kind::Invoice => Some("invoice.updated"),
            Kind::Charge => Some("charge.updated"),
            // Stripe tells nobody of a change to an intent's words.
            _ => None,
        };
        self.amended(asked, (kind, id), Value::Object(words(form, &["description"])), event)?;
        self.shown(asked, kind, id, form)
    }

    pub(super) fn pay_invoice(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["paid_out_of_band", "payment_method", "off_session", "forgive", "expand"])?;
        let invoice = self.of_kind(asked, Kind::Invoice, id)?.object;
        match invoice["status"].as_str() {
            Some("open") => {}
            Some("paid") => return Err(Refusal::invalid("invoice", "Invoice is already paid", "invoice_already_paid")),
            other => {
                let message = format!("Invoices with a status of {} cannot be paid.", other.unwrap_or("draft"));
                return Err(Refusal::wrong_state(&message));
            }
        }
        let outside = form.flag(&["paid_out_of_band"])?.unwrap_or(false);
        let now = self.secs(asked.now_ms);
        let mut fields = json!({
            "amount_paid": invoice["amount_due"], "amount_remaining": 0, "attempted": true, "next_payment_attempt": null,
            "status": "paid", "status_transitions": {"paid_at": now},
        });
        if invoice.get("paid").is_some() {
            apply(&mut fields, &json!({"paid": true, "paid_out_of_band": outside}));
        }
        self.change(asked.now_ms, id, fields);
        self.tell(asked.now_ms, "invoice.paid", id, None);
        if !outside {
            self.tell(asked.now_ms, "invoice.payment_succeeded", id, None);
        }
        self.shown(asked, Kind::Invoice, id, form)
    }

    pub(super) fn void_invoice(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["expand"])?;
        let invoice = self.of_kind(asked, Kind::Invoice, id)?.object;
        if !matches!(invoice["status"].as_str(), Some("open" | "uncollectible")) {
            let message = "You can only pass in open or uncollectible invoices to be voided.";
            return Err(Refusal::wrong_state(message));
        }
        let now = self.secs(asked.now_ms);
        self.change(asked.now_ms, id, json!({"status": "void", "status_transitions": {"voided_at": now}}));
        self.tell(asked.now_ms, "invoice.voided", id, None);
        self.shown(asked, Kind::Invoice, id, form)
    }

    pub(super) fn create_refund(&mut self, asked: Asked<'_>, form: &Form) -> Done {
        form.only(&["charge", "payment_intent", "amount", "reason", "metadata", "expand"])?;
        let charge = self.charge_to_refund(asked, form)?;
        let number = |name: &str| charge[name].as_i64().unwrap_or(0);
        let (whole, back) = (number("amount"), number("amount_refunded"));
        if back >= whole {
            let message = format!("Charge {} has already been refunded.", charge["id"].as_str().unwrap_or_default());
            return Err(Refusal::invalid("charge", &message, "charge_already_refunded"));
        }
        let amount = form.number(&["amount"])?.unwrap_or(whole - back);
        if !(1..=whole - back).contains(&amount) {
            let message =
                format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({})", whole - back);
            return Err(Refusal::invalid("amount", &message, "parameter_invalid_integer"));
        }
        let now = self.secs(asked.now_ms);
        let mut refund = shapes::mould(REFUND);
        let id = self.fresh("re_3", 23);
        for (name, value) in [
            ("id", id.as_str().into()),
            ("amount", amount.into()),
            ("balance_transaction", self.fresh("txn_3", 23).into()),
            ("charge", charge["id"].clone()),
            ("created", now.into()),
            ("currency", charge["currency"].clone()),
            ("metadata", json!(form.hash("metadata"))),
            ("payment_intent", charge["payment_intent"].clone()),
            ("reason", form.text(&["reason"]).into()),
        ] {
            refund[name] = value;
        }
        self.emit(asked.now_ms, shapes::envelope("refund.created", &refund, now));
        let charge = charge["id"].as_str().unwrap_or_default().to_owned();
        let refunded = json!({"amount_refunded": back + amount, "refunded": back + amount == whole});
        self.change(asked.now_ms, &charge, refunded);
        self.tell(asked.now_ms, "charge.refunded", &charge, None);
        self.shown(asked, Kind::Refund, &id, form)
    }

    fn charge_to_refund(&self, asked: Asked<'_>, form: &Form) -> Result<Value, Refusal> {
        let missing = |kind: Kind, id: &str| Refusal::no_such(404, kind.row().noun, id, kind.row().param);
        if let Some(id) = form.text(&["charge"]) {
            return self.of_kind(asked, Kind::Charge, id).map(|held| held.object);
        }
        let Some(intent) = form.text(&["payment_intent"]) else {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::wrong_state(message));
        };
        let object = self.of_kind(asked, Kind::PaymentIntent, intent)?.object;
        let charge = object["latest_charge"].as_str().and_then(|id| self.held(asked.now_ms, id));
        charge.map(|held| held.object).ok_or_else(|| missing(Kind::PaymentIntent, intent))
    }

    pub(super) fn open_portal(&mut self, asked: Asked<'_>, form: &Form) -> Done {
        form.only(&["customer", "return_url", "configuration", "flow_data", "locale", "on_behalf_of", "expand"])?;
        let customer = form.text(&["customer"]).ok_or_else(|| Refusal::missing_parameter("customer"))?;
        if self.held(asked.now_ms, customer).is_none() {
            return Err(Refusal::no_such(400, "customer", customer, "customer"));
        }
        let id = self.fresh("bps_1", 23);
        let session = json!({
            "id": id,
            "object": "billing_portal.session",
            "configuration": form.text(&["configuration"]).unwrap_or("bpc_1SOafFQmZ4vTe8RaPortalOf"),
            "created": self.secs(asked.now_ms),
            "customer": customer,
            "flow": null,
            "livemode": false,
            "locale": form.text(&["locale"]),
            "on_behalf_of": null,
            "return_url": form.text(&["return_url"]),
            "url": format!("https://billing.stripe.com/p/session/test_{}", shapes::token(&[&id], 40, "aA1")),
        });
        Ok((format!("{session:#}"), Vec::new()))
    }
}

/// Texts that the caller names, `null` where they are empty, and entries of `metadata`.
pub(super) fn words(form: &Form, names: &[&str]) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in names.iter().filter(|name| form.at(name).is_some()) {
        fields.insert((*name).to_owned(), form.text(&[name]).into());
    }
    if form.at("metadata").is_some() {
        let entries = form.entries("metadata").into_iter().map(|(name, text)| (name, text.into()));
        fields.insert("metadata".to_owned(), Value::Object(entries.collect()));
    }
    fields
}

/// What stood in the fields that are another now.
fn differences(before: &Value, after: &Value) -> Value {
    let fields = after.as_object().into_iter().flatten();
    let other = fields.filter(|(name, value)| before.get(*name).is_none_or(|old| old != *value));
    let old = |name: &String, value: &Value| match (before.get(name), value) {
        (Some(old @ Value::Object(_)), Value::Object(_)) => differences(old, value),
        (old, _) => old.cloned().unwrap_or_default(),
    };
    Value::Object(other.map(|(name, value)| (name.clone(), old(name, value))).collect())
}
