//! Bodies of the recordings as moulds: a mould is filled with ids, times and amounts of another purchase.
//!
//! Must not know: the double's state.

use super::catalog::{PRICES, Price};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// When the recorded purchase took place, Unix seconds, and when it began and its period ended.
const PURCHASE: i64 = 1_768_471_200;
const BEGAN: i64 = 1_768_471_000;
const PERIOD_END: i64 = 1_771_149_600;

macro_rules! recorded {
    ($file:literal) => {
        include_str!(concat!("../../../fixtures/", $file))
    };
}

/// A purchase through Checkout, in Stripe's order. Since basil the subscription is made after the payment.
pub(super) const PURCHASE_EVENTS: [&str; 13] = [
    recorded!("checkout-subscription/01-charge.succeeded.json"),
    recorded!("checkout-subscription/02-payment_method.attached.json"),
    recorded!("checkout-subscription/03-customer.created.json"),
    recorded!("checkout-subscription/04-customer.updated.json"),
    recorded!("checkout-subscription/05-checkout.session.completed.json"),
    recorded!("checkout-subscription/06-customer.subscription.created.json"),
    recorded!("checkout-subscription/07-payment_intent.created.json"),
    recorded!("checkout-subscription/08-payment_intent.succeeded.json"),
    recorded!("checkout-subscription/09-invoice.created.json"),
    recorded!("checkout-subscription/10-invoice.finalized.json"),
    recorded!("checkout-subscription/11-invoice.paid.json"),
    recorded!("checkout-subscription/12-invoice.payment_succeeded.json"),
    recorded!("checkout-subscription/13-invoice_payment.paid.json"),
];
/// A card that is refused.
pub(super) const DECLINE_EVENTS: [&str; 2] = [
    recorded!("renewal-failed-canceled/10-charge.failed.json"),
    recorded!("renewal-failed-canceled/11-payment_intent.payment_failed.json"),
];
pub(super) const CUSTOMER: &str = recorded!("checkout-subscription/03-customer.created.json");
pub(super) const SESSION: &str = recorded!("checkout-subscription/05-checkout.session.completed.json");

/// Ids and words of the recordings; the last two rows are those of the declined card.
const RECORDED: [&str; 14] = [
    "cus_TZbnffBNpdag7f",
    "sub_1SpnLRQmZ4vTe8RaIlLd2y35",
    "cs_test_a1yiBKz71b3KCchlpFzMFOsKpbqCPkYxMxIA1X4Ia8g2CP00qcnOyp1gM9",
    "in_1SpnLRQmZ4vTe8RaYlUFDbtl",
    "pi_3SpnLRQmZ4vTe8Ra1V4IMJ3n",
    "ch_3SpnLRQmZ4vTe8Ra0aHs62GG",
    "pm_1SpnLPQmZ4vTe8RaNFAhrgQT",
    "si_T6AkRxAHB3xeOU",
    "il_1SpnLRQmZ4vTe8RaDvp2eh8c",
    "inpay_1SpnLRQmZ4vTe8RaX8IGA5ck",
    "txn_3SpnLRQmZ4vTe8Ra25aJxqri",
    "pi_3T133VQmZ4vTe8Ra2Qvi7GQX",
    "ch_3T133VQmZ4vTe8Ra1Q1IIHNa",
    "7C1E9A42",
];
/// Tokens of links; whoever has one may see an invoice, so each purchase has its own.
const LINKS: [&str; 3] = [
    "BnS4kUgZrqAk1ZWnRdRMYiIixDW3DWAO3nU4B579vlaH31Zb6okHEmJqADRew60B",
    "1afcUBIfWSSoxsLi90XRurWE6L5j55f5HWfMAB3VeU0mL2WGp1bqFgx9BvrV4WTo2bi5iSui",
    "_secret_rSes3olvCZ5je757veAprbVuQ",
];

/// Who buys what, and the seed of the ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Buyer {
    /// Seed: the session's id.
    pub(super) session: String,
    /// Stripe customer, when there is one already.
    pub(super) customer: Option<String>,
    /// E-mail typed in or known.
    pub(super) email: String,
    /// What is bought.
    pub(super) price: Price,
}

impl Buyer {
    /// The customer that the purchase is for, an existing one or the one that it makes.
    pub(super) fn customer_id(&self) -> String {
        self.customer.clone().unwrap_or_else(|| self.renamed(RECORDED[0]))
    }

    /// The subscription that the purchase makes.
    pub(super) fn subscription_id(&self) -> String {
        self.renamed(RECORDED[1])
    }

    fn renamed(&self, recorded: &str) -> String {
        let cut = recorded.rfind('_').map_or(0, |at| at + 1);
        let (head, tail) = recorded.split_at(cut);
        format!("{head}{}", token(&[&self.session, recorded], tail.len(), tail))
    }

    fn words(&self) -> Vec<(String, String)> {
        let mut words: Vec<(String, String)> =
            RECORDED.iter().map(|old| ((*old).to_owned(), self.renamed(old))).collect();
        words[0].1 = self.customer_id();
        words[2].1.clone_from(&self.session);
        // A declined attempt and the payment that follows belong to one payment intent.
        words[11].1 = words[4].1.clone();
        words.extend(LINKS.iter().map(|old| ((*old).to_owned(), self.renamed(old))));
        let pro = PRICES[0];
        let mut say = |old: &str, new: &str| words.push((old.to_owned(), new.to_owned()));
        say("ada@example.com", &self.email);
        say("Ada Lovelace", self.email.split('@').next().unwrap_or_default());
        say(pro.id, self.price.id);
        say(pro.product, self.price.product);
        say("pro_monthly", &format!("{}_monthly", self.price.plan));
        say(pro.name, self.price.name);
        say(&pro.shown(), &self.price.shown());
        words
    }

    /// One recorded event as it is for this buyer at `now` (Unix seconds), without an id.
    pub(super) fn cast(&self, recorded: &str, now: i64) -> Value {
        let mut event: Value = serde_json::from_str(recorded).unwrap_or_default();
        let shift = now - PURCHASE;
        fill(&mut event, &self.words(), shift, self.price);
        event["created"] = now.into();
        event["request"]["idempotency_key"] = match &event["request"]["idempotency_key"] {
            Value::Null => Value::Null,
            _ => uuid(&[&self.session]).into(),
        };
        event
    }
}

fn fill(value: &mut Value, words: &[(String, String)], shift: i64, price: Price) {
    match value {
        Value::String(text) => {
            if *text == PRICES[0].cents.to_string() {
                *text = price.cents.to_string();
            }
            for (old, new) in words {
                if text.contains(old) {
                    *text = text.replace(old, new);
                }
            }
        }
        Value::Number(number) => match number.as_i64() {
            Some(at) if (BEGAN..=PERIOD_END + 86_400).contains(&at) => *value = (at + shift).into(),
            Some(amount) if amount == PRICES[0].cents => *value = price.cents.into(),
            _ => {}
        },
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, words, shift, price)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "plan" && *field == PRICES[0].plan {
                    *field = price.plan.into();
                } else {
                    fill(field, words, shift, price);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The object of a recorded event.
pub(super) fn mould(recorded: &str) -> Value {
    serde_json::from_str::<Value>(recorded).map(|mut event| event["data"]["object"].take()).unwrap_or_default()
}

/// An envelope around an object, without an id.
pub(super) fn envelope(kind: &str, object: &Value, now: i64) -> Value {
    json!({
        "id": null,
        "object": "event",
        "api_version": super::API_VERSION,
        "created": now,
        "data": {"object": object},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "type": kind,
    })
}

/// `length` letters and digits from `seed`; where `like` has nothing but capitals and digits, so has the token.
pub(super) fn token(seed: &[&str], length: usize, like: &str) -> String {
    const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let signs = if like.bytes().any(|b| b.is_ascii_lowercase()) { 62 } else { 36 };
    let mut text = String::with_capacity(length);
    let mut round = 0_u32;
    while text.len() < length {
        let hash = Sha256::new().chain_update(seed.join("\n")).chain_update(round.to_be_bytes()).finalize();
        let rest = length - text.len();
        text.extend(hash.iter().take(rest).map(|byte| char::from(SIGNS[usize::from(*byte) % signs])));
        round += 1;
    }
    text
}

fn uuid(seed: &[&str]) -> String {
    let text = hex::encode(Sha256::digest(seed.join("\n")));
    format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_recorded_purchase_is_left() {
        let buyer =
            Buyer { session: "cs_test_b1".into(), customer: None, email: "grace@example.com".into(), price: PRICES[2] };
        for recorded in PURCHASE_EVENTS.iter().chain(&DECLINE_EVENTS) {
            let text = buyer.cast(recorded, 1_800_000_000).to_string();
            for old in
                RECORDED.iter().chain(&LINKS).chain(&["ada@", "Ada", "4900", "49.00", "17684", "pro_monthly", "Pro"])
            {
                assert!(!text.contains(old), "{old} in {text}");
            }
        }
        let subscription = buyer.cast(PURCHASE_EVENTS[5], 1_800_000_000)["data"]["object"].clone();
        assert_eq!(subscription["id"], buyer.subscription_id());
        let item = &subscription["items"]["data"][0];
        assert_eq!(item["current_period_end"].as_i64().map(|end| end - 1_800_000_000), Some(31 * 86_400));
        assert_eq!(item["price"]["metadata"]["plan"], "business");
    }

    #[test]
    fn tokens_are_long_enough_and_their_own() {
        assert_eq!(token(&["a"], 70, "aB1").len(), 70);
        assert_ne!(token(&["a"], 20, "a"), token(&["b"], 20, "a"));
        assert!(token(&["a"], 40, "7C").bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    }
}
