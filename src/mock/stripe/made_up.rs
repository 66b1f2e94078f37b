//! Objects that no event carries whole, from what the events tell of them: a customer from its invoices, a card from its
//! charge, a product from its price.
//!
//! Must not know: requests, versions that were asked for.

use super::{Stripe, catalog, catalog::PRICES, kinds::Kind, shapes, timeline::Snapshot, view::Held};
use serde_json::{Value, json};

impl Stripe {
    /// An object that events name by `now_ms`; `None` for kinds of which a name tells nothing.
    pub(super) fn made_up(&self, now_ms: u64, kind: Kind, id: &str) -> Option<Held> {
        let told = self.events.timeline().naming(now_ms, id);
        let object = match kind {
            Kind::Customer => customer(id, &told),
            Kind::PaymentMethod => payment_method(id, &told),
            Kind::PaymentIntent => payment_intent(id, &told)?,
            Kind::Charge => charge(id, &told)?,
            Kind::Subscription => subscription(id, &told)?,
            Kind::Price => self.price(id, &told)?,
            Kind::Product => self.product(now_ms, id)?,
            Kind::BalanceTransaction => balance_transaction(id, &told)?,
            Kind::Invoice
            | Kind::SubscriptionItem
            | Kind::InvoicePayment
            | Kind::InvoiceItem
            | Kind::Session
            | Kind::SetupIntent
            | Kind::Refund
            | Kind::Dispute
            | Kind::Plan => return None,
        };
        Some(Held::ours(object))
    }

    fn price(&self, id: &str, told: &[Snapshot]) -> Option<Value> {
        if let Some(price) = PRICES.into_iter().find(|price| price.id == id) {
            return Some(catalog::object(price));
        }
        // A price that only lines name: what a line says of it.
        let line = told.iter().find_map(|snapshot| line_of(&snapshot.object, id))?;
        let mut price = catalog::object(PRICES[0]);
        let unit = line["pricing"]["unit_amount_decimal"].clone();
        price["id"] = id.into();
        price["product"] = line["pricing"]["price_details"]["product"].clone();
        price["currency"] = line["currency"].clone();
        price["unit_amount"] = unit.as_str().and_then(|unit| unit.parse::<i64>().ok()).into();
        price["unit_amount_decimal"] = unit;
        price["lookup_key"] = Value::Null;
        price["metadata"] = json!({});
        Some(price)
    }

    fn product(&self, now_ms: u64, id: &str) -> Option<Value> {
        let sold = PRICES.into_iter().find(|price| price.product == id).map(catalog::object);
        let told = || {
            let prices = self.events.timeline().ids(now_ms, Kind::Price).into_iter();
            let prices = prices.filter_map(|price| self.held(now_ms, &price)).map(|held| held.object);
            prices.into_iter().find(|price| price["product"] == id)
        };
        let price = sold.or_else(told)?;
        let name = PRICES.iter().find(|price| price.product == id).map(|price| price.name.to_owned());
        let name = name.or_else(|| price["nickname"].as_str().map(str::to_owned)).unwrap_or_else(|| id.to_owned());
        Some(json!({
            "id": id,
            "object": "product",
            "active": true,
            "attributes": [],
            "created": price["created"],
            "default_price": price["id"],
            "description": null,
            "images": [],
            "livemode": false,
            "marketing_features": [],
            "metadata": {},
            "name": name,
            "package_dimensions": null,
            "shippable": null,
            "statement_descriptor": null,
            "tax_code": null,
            "type": "service",
            "unit_label": null,
            "updated": price["created"],
            "url": null,
        }))
    }
}

/// The first of the places that says something, the newest event first.
fn said(told: &[Snapshot], places: &[&str]) -> Value {
    let newest = told.iter().rev().map(|snapshot| &snapshot.object);
    let found = |object: &Value| {
        let mut values = places.iter().filter_map(|place| object.pointer(place));
        values.find(|value| !value.is_null()).cloned()
    };
    newest.into_iter().find_map(found).unwrap_or_default()
}

/// When it was made: not after anything that names it.
fn made(told: &[Snapshot]) -> Value {
    told.iter().filter_map(|snapshot| snapshot.object["created"].as_i64()).min().into()
}

fn customer(id: &str, told: &[Snapshot]) -> Value {
    let mut customer = shapes::mould(shapes::CUSTOMER);
    let email =
        ["/customer_email", "/customer_details/email", "/billing_details/email", "/evidence/customer_email_address"];
    let name = ["/customer_name", "/customer_details/name", "/billing_details/name", "/evidence/customer_name"];
    let address = ["/customer_address", "/customer_details/address", "/billing_details/address"];
    for (field, value) in [
        ("id", id.into()),
        ("address", said(told, &address)),
        ("created", made(told)),
        ("currency", said(told, &["/currency"])),
        ("email", said(told, &email)),
        ("invoice_prefix", shapes::token(&[id], 8, "A1").into()),
        ("metadata", json!({})),
        ("name", said(told, &name)),
        ("phone", said(told, &["/customer_phone", "/customer_details/phone", "/billing_details/phone"])),
    ] {
        customer[field] = value;
    }
    customer
}

fn payment_method(id: &str, told: &[Snapshot]) -> Value {
    let mut method = shapes::mould(shapes::PURCHASE_EVENTS[1]);
    let charges: Vec<Snapshot> = told.iter().filter(|told| told.object["payment_method"] == id).cloned().collect();
    method["id"] = id.into();
    method["created"] = made(told);
    method["customer"] = said(told, &["/customer"]);
    let billing = said(&charges, &["/billing_details"]);
    if billing.is_object() {
        method["billing_details"] = billing;
    }
    let details = said(&charges, &["/payment_method_details"]);
    if let Some(kind) = details["type"].as_str() {
        if kind != "card" {
            let fields = method.as_object_mut().map(|fields| fields.shift_remove("card"));
            drop(fields);
            method[kind] = details[kind].clone();
        }
        method["type"] = kind.into();
        for field in
            ["brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet"]
        {
            if let Some(value) = details["card"].get(field) {
                method["card"][field] = value.clone();
            }
        }
        if kind == "card" {
            method["card"]["display_brand"] = details["card"]["brand"].clone();
        }
    }
    method
}

fn payment_intent(id: &str, told: &[Snapshot]) -> Option<Value> {
    let charge = told.iter().rev().find(|told| told.object["object"] == "charge");
    let amount = said(told, &["/amount"]);
    if amount.is_null() {
        return None;
    }
    let mut intent = shapes::mould(shapes::PURCHASE_EVENTS[7]);
    let charge = charge.map(|told| told.object.clone()).unwrap_or_default();
    let failed = charge["status"] == "failed";
    for (field, value) in [
        ("id", id.into()),
        ("amount", charge.get("amount").cloned().unwrap_or(amount)),
        ("client_secret", format!("{id}_secret_{}", shapes::token(&[id], 25, "aA1")).into()),
        ("created", made(told)),
        ("currency", said(told, &["/currency"])),
        ("customer", said(told, &["/customer"])),
        ("description", charge["description"].clone()),
        ("latest_charge", charge.get("id").cloned().unwrap_or_else(|| said(told, &["/charge"]))),
        ("payment_method", charge["payment_method"].clone()),
        ("status", if failed { "requires_payment_method" } else { "succeeded" }.into()),
    ] {
        intent[field] = value;
    }
    intent["amount_received"] = if failed { 0.into() } else { intent["amount"].clone() };
    Some(intent)
}

fn charge(id: &str, told: &[Snapshot]) -> Option<Value> {
    let amount = said(told, &["/amount_received", "/amount"]);
    if amount.is_null() {
        return None;
    }
    let mut charge = shapes::mould(shapes::PURCHASE_EVENTS[0]);
    let disputed = told.iter().any(|told| told.object["object"] == "dispute");
    let refunds = told.iter().filter(|told| told.object["object"] == "refund");
    let mut refunded = std::collections::BTreeMap::new();
    for refund in refunds {
        let amount = if refund.object["status"] == "failed" { Some(0) } else { refund.object["amount"].as_i64() };
        refunded.insert(refund.object["id"].to_string(), amount.unwrap_or(0));
    }
    let back: i64 = refunded.values().sum();
    for (field, value) in [
        ("id", id.into()),
        ("amount", amount.clone()),
        ("amount_captured", amount.clone()),
        ("amount_refunded", back.into()),
        ("created", made(told)),
        ("currency", said(told, &["/currency"])),
        ("customer", said(told, &["/customer"])),
        ("disputed", disputed.into()),
        ("payment_intent", said(told, &["/payment_intent"])),
        ("payment_method", said(told, &["/payment_method"])),
        ("refunded", amount.as_i64().is_some_and(|amount| back >= amount).into()),
        ("receipt_url", Value::Null),
    ] {
        charge[field] = value;
    }
    let own = told.iter().find(|told| told.object["object"] == "payment_intent" && told.object["latest_charge"] == id);
    if let Some(intent) = own {
        charge["payment_intent"] = intent.object["id"].clone();
    }
    charge["billing_details"]["email"] = said(told, &["/evidence/customer_email_address", "/receipt_email"]);
    charge["billing_details"]["name"] = said(told, &["/evidence/customer_name"]);
    Some(charge)
}

fn subscription(id: &str, told: &[Snapshot]) -> Option<Value> {
    let invoice = told.iter().rev().find(|told| told.object["object"] == "invoice")?;
    let lines = invoice.object["lines"]["data"].as_array()?;
    let line = lines.iter().find(|line| line["parent"]["type"] == "subscription_item_details").or(lines.first())?;
    let details = &line["parent"]["subscription_item_details"];
    let price = line["pricing"]["price_details"]["price"].as_str();
    let price = PRICES.into_iter().find(|known| Some(known.id) == price).unwrap_or(PRICES[0]);
    let mut subscription = shapes::mould(shapes::PURCHASE_EVENTS[5]);
    for (field, value) in [
        ("id", id.into()),
        ("created", made(told)),
        ("currency", invoice.object["currency"].clone()),
        ("customer", invoice.object["customer"].clone()),
        ("default_payment_method", said(told, &["/default_payment_method"])),
        ("latest_invoice", invoice.object["id"].clone()),
        ("metadata", said(told, &["/parent/subscription_details/metadata"])),
        ("start_date", made(told)),
        ("billing_cycle_anchor", line["period"]["start"].clone()),
    ] {
        subscription[field] = value;
    }
    subscription["plan"] = super::versions::plan(&catalog::object(price));
    subscription["items"]["url"] = format!("/v1/subscription_items?subscription={id}").into();
    let item = &mut subscription["items"]["data"][0];
    if let Some(own) = details["subscription_item"].as_str() {
        item["id"] = own.into();
    }
    item["subscription"] = id.into();
    item["price"] = catalog::object(price);
    item["plan"] = super::versions::plan(&catalog::object(price));
    item["current_period_start"] = line["period"]["start"].clone();
    item["current_period_end"] = line["period"]["end"].clone();
    Some(subscription)
}

fn line_of(object: &Value, price: &str) -> Option<Value> {
    let lines = object["lines"]["data"].as_array().into_iter().flatten().chain([object]);
    lines.into_iter().find(|line| line["pricing"]["price_details"]["price"] == price).cloned()
}

/// What a charge or a refund moves, with the fee that Stripe takes of a card: 2.9 % and 30 cents.
fn balance_transaction(id: &str, told: &[Snapshot]) -> Option<Value> {
    let source = told.iter().rev().find(|told| told.object["balance_transaction"] == id)?;
    let source = &source.object;
    let back = source["object"] == "refund";
    let amount = source["amount"].as_i64()?;
    let (amount, fee) = if back { (-amount, 0) } else { (amount, amount * 29 / 1000 + 30) };
    Some(json!({
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": source["created"].as_i64().map(|at| at + 2 * 24 * 60 * 60),
        "created": source["created"],
        "currency": source["currency"],
        "description": source["description"],
        "exchange_rate": null,
        "fee": fee,
        "fee_details": if back { json!([]) } else {
            json!([{"amount": fee, "application": null, "currency": source["currency"],
                "description": "Stripe processing fees", "type": "stripe_fee"}])
        },
        "net": amount - fee,
        "reporting_category": source["object"],
        "source": source["id"],
        "status": "pending",
        "type": if back { "refund" } else { "charge" },
    }))
}
