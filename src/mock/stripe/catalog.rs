//! What the account sells: the monthly plans of the recordings.
//!
//! Must not know: who buys.

use super::{form::Form, refusal::Refusal, shapes};
use serde_json::Value;

/// A monthly price in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price {
    /// Its id.
    pub id: &'static str,
    /// The tier, as in `metadata.plan`; the lookup key is this with `_monthly`.
    pub plan: &'static str,
    /// Id of the product.
    pub product: &'static str,
    /// Name of the product.
    pub name: &'static str,
    /// Amount in cents.
    pub cents: i64,
}

/// All prices; the first is what the reference service sells when nothing else is said.
pub const PRICES: [Price; 3] = [
    Price {
        id: "price_1SZSxhQmZ4vTe8RaiscJ51Xp",
        plan: "pro",
        product: "prod_TQrNBUCQQGT39B",
        name: "Hookdrill Pro",
        cents: 4900,
    },
    Price {
        id: "price_1SZSxhQmZ4vTe8RayehtEg8H",
        plan: "starter",
        product: "prod_T5iPSydx6S9Jdf",
        name: "Hookdrill Starter",
        cents: 1900,
    },
    Price {
        id: "price_1SZSxhQmZ4vTe8RaIpdCir5i",
        plan: "business",
        product: "prod_TWPlUjgedkZ9s3",
        name: "Hookdrill Business",
        cents: 9900,
    },
];

impl Price {
    /// `$49.00`
    pub(super) fn shown(self) -> String {
        format!("${}.{:02}", self.cents / 100, self.cents % 100)
    }
}

/// Whether an id is of something that is sold here.
pub(super) fn is_sold(id: &str) -> bool {
    PRICES.iter().any(|price| price.id == id || price.product == id)
}

/// A price as an object.
pub(super) fn object(price: Price) -> Value {
    let mut object = shapes::mould(shapes::PURCHASE_EVENTS[5])["items"]["data"][0]["price"].take();
    object["id"] = price.id.into();
    object["product"] = price.product.into();
    object["unit_amount"] = price.cents.into();
    object["unit_amount_decimal"] = price.cents.to_string().into();
    object["lookup_key"] = format!("{}_monthly", price.plan).into();
    object["metadata"]["plan"] = price.plan.into();
    object
}

/// The one thing that is bought: `line_items[0][price]`, once.
pub(super) fn bought(form: &Form) -> Result<Price, Refusal> {
    if form.at("line_items").and_then(|items| items.at("1")).is_some() {
        let message = "This double sells one plan at a time.";
        return Err(Refusal::invalid("line_items", message, "parameter_invalid_integer"));
    }
    let id = form.text(&["line_items", "0", "price"]);
    let id = id.ok_or_else(|| Refusal::missing_parameter("line_items[0][price]"))?;
    if form.number(&["line_items", "0", "quantity"])? != Some(1) {
        let message = "This double sells a quantity of 1.";
        return Err(Refusal::invalid("line_items[0][quantity]", message, "parameter_invalid_integer"));
    }
    let found = PRICES.into_iter().find(|price| price.id == id);
    found.ok_or_else(|| Refusal::no_such(400, "price", id, "line_items[0][price]"))
}
