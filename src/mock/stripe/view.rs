//! Objects as they stand at one moment: what the double made itself, else Stripe's timeline with what callers changed since,
//! else what the events tell of an object that none of them carries.
//!
//! Must not know: requests, lists.

use super::{
    API_VERSION, Stripe, catalog,
    kinds::Kind,
    shapes,
    timeline::Snapshot,
    versions::{self, Look},
};
use serde_json::{Value, json};

/// An object, and the version of the API that it has the shape of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    /// The object.
    pub(super) object: Value,
    /// The version.
    pub(super) version: String,
}

/// What a caller changed of an object that the timeline holds; it stays on top of what follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patch {
    /// Since when.
    pub(super) at_ms: u64,
    /// Fields and their values; a hash is changed in its entries.
    pub(super) fields: Value,
}

/// Everything that has not ended.
const FOREVER: u64 = u64::MAX;
/// An invoice and the payment of it are made within this time of each other, in seconds: an invoice is a draft for an hour.
const NEAR: i64 = 3 * 60 * 60;

impl Held {
    fn of(snapshot: Snapshot) -> Self {
        let Snapshot { object, version, event } = snapshot;
        if event == "customer.deleted" {
            let object = json!({"id": object["id"], "object": "customer", "deleted": true});
            return Self { object, version };
        }
        Self { object, version }
    }

    /// In the shape of our own version.
    pub(super) fn ours(object: Value) -> Self {
        Self { object, version: API_VERSION.to_owned() }
    }
}

impl Stripe {
    /// An object by its id, as it stands at `now_ms`.
    pub(super) fn held(&self, now_ms: u64, id: &str) -> Option<Held> {
        if let Some(own) = self.own(id) {
            return Some(Held::ours(own.clone()));
        }
        let kind = Kind::of_id(id)?;
        let mut held = self.told(now_ms, kind, id)?;
        for patch in self.patches.get(id).into_iter().flatten().filter(|patch| patch.at_ms <= now_ms) {
            apply(&mut held.object, &patch.fields);
        }
        Some(held)
    }

    /// What the double made itself.
    fn own(&self, id: &str) -> Option<&Value> {
        let session = || self.sessions.get(id).map(|session| &session.object);
        self.customers.get(id).or_else(|| self.subscriptions.get(id)).or_else(session)
    }

    fn told(&self, now_ms: u64, kind: Kind, id: &str) -> Option<Held> {
        let timeline = self.events.timeline();
        if kind == Kind::InvoicePayment {
            let invoice = timeline.to_come(id)?.object["invoice"].as_str()?.to_owned();
            let found = self.payments_of(now_ms, &invoice).into_iter().find(|payment| payment["id"] == id);
            return found.map(Held::ours);
        }
        if let Some(snapshot) = timeline.at(now_ms, id) {
            let mut held = Held::of(snapshot);
            if kind == Kind::Charge {
                self.disputed(now_ms, id, &mut held.object);
            }
            return Some(held);
        }
        if kind == Kind::Session {
            return timeline.to_come(id).map(before_the_payment);
        }
        let is_there = timeline.is_there(now_ms, id) || catalog::is_sold(id);
        is_there.then(|| self.made_up(now_ms, kind, id)).flatten()
    }

    /// A charge is disputed from the first event of its dispute on, whichever event carries the charge itself.
    fn disputed(&self, now_ms: u64, id: &str, charge: &mut Value) {
        let told = self.events.timeline().naming(now_ms, id);
        if told.iter().any(|snapshot| snapshot.object["object"] == "dispute") {
            charge["disputed"] = true.into();
        }
    }

    /// Changes an object of the timeline from now on.
    pub(super) fn patch(&mut self, now_ms: u64, id: &str, fields: Value) {
        self.patches.entry(id.to_owned()).or_default().push(Patch { at_ms: now_ms, fields });
    }

    /// An object in the shape of `version`; of the version that it has when that is `None`.
    pub(super) fn rendered(&self, now_ms: u64, held: Held, version: Option<&str>) -> Value {
        let Held { mut object, version: from } = held;
        let to = version.unwrap_or(&from);
        if object["object"] == "subscription_item" && (to < versions::BASIL) != (from.as_str() < versions::BASIL) {
            // Where the period stands is a matter between an item and its subscription.
            let whole = object["subscription"].as_str().and_then(|id| self.held(now_ms, id));
            let whole = whole.map(|whole| self.rendered(now_ms, whole, version)).unwrap_or_default();
            let items = whole["items"]["data"].as_array().into_iter().flatten();
            if let Some(item) = items.into_iter().find(|item| item["id"] == object["id"]) {
                return item.clone();
            }
        }
        versions::render(&mut object, (&from, to), &|asked| self.look(now_ms, asked));
        object
    }

    fn look(&self, now_ms: u64, asked: Look<'_>) -> Value {
        match asked {
            Look::Price(id) => self.held(now_ms, id).map(|held| held.object).unwrap_or_default(),
            Look::Coupon(id) => json!({"id": id, "object": "coupon"}),
            Look::PaymentOf(invoice) => self.payment_of(now_ms, invoice).into(),
            Look::ChargeOf(invoice) => self.charge_of(now_ms, invoice).into(),
            Look::InvoiceOf(intent) => self.invoice_of(now_ms, intent).into(),
        }
    }

    /// The payment intent of an invoice. Since basil an invoice payment says so, which appears last; a payment that failed
    /// has none: of those of the customer with the same amount it is the nearest in time.
    pub(super) fn payment_of(&self, now_ms: u64, invoice: &str) -> Option<String> {
        let timeline = self.events.timeline();
        let named = |snapshot: Snapshot| {
            let object = snapshot.object;
            let text = |value: &Value| value.as_str().map(str::to_owned);
            match object["object"].as_str()? {
                "invoice_payment" if object["invoice"] == invoice => text(&object["payment"]["payment_intent"]),
                "invoice" if object["id"] == invoice => text(&object["payment_intent"]),
                "payment_intent" if object["invoice"] == invoice => text(&object["id"]),
                _ => None,
            }
        };
        let told = timeline.naming(FOREVER, invoice).into_iter().find_map(named);
        told.or_else(|| self.nearest_payment(now_ms, invoice)).filter(|id| timeline.is_there(now_ms, id))
    }

    fn nearest_payment(&self, now_ms: u64, invoice: &str) -> Option<String> {
        let invoice = self.held(now_ms, invoice)?.object;
        let made = invoice["status_transitions"]["finalized_at"].as_i64().or_else(|| invoice["created"].as_i64())?;
        let due = invoice["amount_due"].as_i64().filter(|due| *due > 0)?;
        let intents = self.events.timeline().ids_beside(now_ms, Kind::PaymentIntent, invoice["customer"].as_str()?);
        let far = |id: &String| {
            let intent = self.held(now_ms, id)?.object;
            let same = intent["amount"].as_i64() == Some(due) && intent["currency"] == invoice["currency"];
            intent["created"].as_i64().filter(|_| same).map(|created| (created - made).abs())
        };
        let near = intents.into_iter().filter_map(|id| Some((far(&id)?, id))).filter(|(far, _)| *far <= NEAR);
        near.min().map(|(_, id)| id)
    }

    fn charge_of(&self, now_ms: u64, invoice: &str) -> Option<String> {
        let intent = self.held(now_ms, &self.payment_of(now_ms, invoice)?)?.object;
        intent["latest_charge"].as_str().map(str::to_owned)
    }

    /// The invoice that a payment intent pays.
    pub(super) fn invoice_of(&self, now_ms: u64, intent: &str) -> Option<String> {
        let timeline = self.events.timeline();
        let named = |snapshot: Snapshot| {
            let object = snapshot.object;
            let pays = object["payment"]["payment_intent"] == intent;
            let pays = pays || object["id"] == intent || object["payment_intent"] == intent;
            object["invoice"].as_str().filter(|_| pays).map(str::to_owned)
        };
        let told = timeline.naming(FOREVER, intent).into_iter().find_map(named);
        let told = told.or_else(|| {
            let customer = self.held(now_ms, intent)?.object["customer"].as_str()?.to_owned();
            let invoices = timeline.ids_beside(now_ms, Kind::Invoice, &customer);
            invoices.into_iter().find(|invoice| self.payment_of(now_ms, invoice).as_deref() == Some(intent))
        });
        told.filter(|id| timeline.is_there(now_ms, id))
    }

    /// The payments of an invoice: open from when it is final, paid with it.
    pub(super) fn payments_of(&self, now_ms: u64, invoice: &str) -> Vec<Value> {
        let Some(held) = self.held(now_ms, invoice) else { return Vec::new() };
        let is_paid = held.object["status"] == "paid";
        if !is_paid && held.object["status"] != "open" {
            return Vec::new();
        }
        let told = self.events.timeline().naming(FOREVER, invoice).into_iter();
        let mut carried: Vec<Snapshot> = told.filter(|told| told.object["object"] == "invoice_payment").collect();
        let known = carried.pop().map(|snapshot| snapshot.object);
        let Some(mut payment) = known.or_else(|| self.payment_made_up(now_ms, invoice, &held.object)) else {
            return Vec::new();
        };
        if !is_paid {
            payment["status"] = "open".into();
            payment["amount_paid"] = Value::Null;
            payment["status_transitions"]["paid_at"] = Value::Null;
        }
        vec![payment]
    }

    fn payment_made_up(&self, now_ms: u64, id: &str, invoice: &Value) -> Option<Value> {
        let intent = self.payment_of(now_ms, id)?;
        Some(json!({
            "id": format!("inpay_{}", shapes::token(&[id], 24, "aA1")),
            "object": "invoice_payment",
            "amount_paid": invoice["amount_paid"],
            "amount_requested": invoice["amount_due"],
            "created": invoice["status_transitions"]["finalized_at"],
            "currency": invoice["currency"],
            "invoice": id,
            "is_default": true,
            "livemode": false,
            "payment": {"payment_intent": intent, "type": "payment_intent"},
            "status": "paid",
            "status_transitions": {"canceled_at": null, "paid_at": invoice["status_transitions"]["paid_at"]},
        }))
    }

    /// Time of the next event after `now_ms` of what a read is about: of the object that its path or its query names, of the
    /// customer whose it is where nothing more of the object itself is to come. `None` where none follows soon.
    pub fn next_event_ms(&self, now_ms: u64, request: &crate::wire::Request) -> Option<u64> {
        if request.method != "GET" {
            return None;
        }
        let timeline = self.events.timeline();
        let segments = super::segments(&request.path);
        let named = segments.iter().chain(request.query.iter().map(|(_, value)| value));
        let ids: Vec<&String> = named.filter(|text| Kind::of_id(text).is_some()).collect();
        let own = ids.iter().filter_map(|id| timeline.next_ms(now_ms, id)).min();
        let customer = || {
            let object = self.held(now_ms, ids.first()?)?.object;
            timeline.next_ms(now_ms, object["customer"].as_str()?)
        };
        own.or_else(customer).map(|at_ms| at_ms - now_ms).filter(|wait_ms| *wait_ms <= LONGEST_WAIT_MS)
    }
}

/// Longest time for which an answer waits for an event: Stripe's libraries give up after 80 s, an endpoint is given less.
const LONGEST_WAIT_MS: u64 = 20_000;

/// A session as its buyer has it before anything is paid.
fn before_the_payment(to_come: Snapshot) -> Held {
    let mut held = Held { object: to_come.object, version: to_come.version };
    let session = &mut held.object;
    session["status"] = "open".into();
    session["payment_status"] = "unpaid".into();
    for name in ["invoice", "payment_intent", "setup_intent", "subscription"] {
        session[name] = Value::Null;
    }
    if session["customer_creation"] == "always" {
        session["customer"] = Value::Null;
    }
    session["customer_details"] = match session["customer_email"].as_str() {
        Some(email) => super::sessions::details(email),
        None => Value::Null,
    };
    let id = session["id"].as_str().unwrap_or_default();
    session["url"] = format!("https://checkout.stripe.com/c/pay/{id}").into();
    held
}

/// Changes fields; of hashes their entries. `null` takes an entry of the metadata away.
pub(super) fn apply(object: &mut Value, fields: &Value) {
    let Value::Object(fields) = fields else { return };
    for (name, value) in fields {
        match (value, object.get(name)) {
            (Value::Object(entries), Some(Value::Object(_))) if name == "metadata" => {
                entries.iter().for_each(|(key, value)| entry(&mut object[name], key, value));
            }
            (Value::Object(_), Some(Value::Object(_))) => apply(&mut object[name], value),
            _ => object[name] = value.clone(),
        }
    }
}

fn entry(metadata: &mut Value, key: &str, value: &Value) {
    if value.is_null() {
        drop(metadata.as_object_mut().map(|metadata| metadata.shift_remove(key)));
    } else {
        metadata[key] = value.clone();
    }
}
