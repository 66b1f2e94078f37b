//! `/v1/subscriptions`: change, cancel at once, cancel at the end of the period and take that back.
//!
//! Must not know: how a subscription was bought.

use super::{Done, Stripe, catalog, expand::Asked, form::Form, kinds::Kind, refusal::Refusal, versions, writes::words};
use crate::mock::effect::Effect;
use serde_json::{Value, json};

const KNOWN: [&str; 8] = [
    "cancel_at_period_end",
    "default_payment_method",
    "description",
    "items",
    "metadata",
    "payment_behavior",
    "proration_behavior",
    "expand",
];

impl Stripe {
    pub(super) fn update_subscription(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&KNOWN)?;
        let before = self.of_kind(asked, Kind::Subscription, id)?.object;
        if before["status"] == "canceled" {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(Refusal::wrong_state(message));
        }
        let mut fields = Value::Object(words(form, &["default_payment_method", "description"]));
        let ends = form.flag(&["cancel_at_period_end"])?.filter(|ends| before["cancel_at_period_end"] != *ends);
        if let Some(ends) = ends {
            let period_end = before["items"]["data"][0]["current_period_end"].as_i64();
            let period_end = period_end.or_else(|| before["current_period_end"].as_i64());
            let of = |value: Option<i64>| if ends { value.into() } else { Value::Null };
            fields["cancel_at_period_end"] = ends.into();
            fields["canceled_at"] = of(Some(self.secs(asked.now_ms)));
            fields["cancel_at"] = of(period_end);
            let reason = ends.then_some("cancellation_requested");
            fields["cancellation_details"] = json!({ "reason": reason });
        }
        if let Some(price) = form.text(&["items", "0", "price"]) {
            fields["items"] = self.other_price(asked, &before, price)?;
            fields["plan"] = fields["items"]["data"][0]["plan"].clone();
        }
        self.change(asked.now_ms, id, fields);
        if self.held(asked.now_ms, id).is_some_and(|held| held.object != before) {
            self.tell(asked.now_ms, "customer.subscription.updated", id, Some(&before));
        }
        let (body, _) = self.shown(asked, Kind::Subscription, id, form)?;
        let effect = Effect::SubscriptionCanceled { subscription: id.to_owned() };
        Ok((body, if ends == Some(true) { vec![effect] } else { vec![] }))
    }

    /// The items with another price on the first one.
    fn other_price(&self, asked: Asked<'_>, subscription: &Value, id: &str) -> Result<Value, Refusal> {
        let held = self.held(asked.now_ms, id).filter(|_| Kind::of_id(id) == Some(Kind::Price) || catalog::is_sold(id));
        let price = held.ok_or_else(|| Refusal::no_such(400, "price", id, "items[0][price]"))?.object;
        let mut items = subscription["items"].clone();
        items["data"][0]["plan"] = versions::plan(&price);
        items["data"][0]["price"] = price;
        Ok(items)
    }

    pub(super) fn cancel_subscription(&mut self, asked: Asked<'_>, id: &str, form: &Form) -> Done {
        form.only(&["invoice_now", "prorate", "cancellation_details", "expand"])?;
        if self.of_kind(asked, Kind::Subscription, id)?.object["status"] == "canceled" {
            return Err(Refusal::no_such(404, "subscription", id, "id"));
        }
        self.end(asked.now_ms, id);
        let (body, _) = self.shown(asked, Kind::Subscription, id, form)?;
        Ok((body, vec![Effect::SubscriptionCanceled { subscription: id.to_owned() }]))
    }

    /// A subscription ends now.
    pub(super) fn end(&mut self, now_ms: u64, id: &str) {
        let now = self.secs(now_ms);
        let Some(held) = self.held(now_ms, id) else { return };
        let canceled_at = held.object["canceled_at"].as_i64().unwrap_or(now);
        let fields = json!({
            "canceled_at": canceled_at, "cancellation_details": {"reason": "cancellation_requested"},
            "ended_at": now, "status": "canceled",
        });
        self.change(now_ms, id, fields);
        self.tell(now_ms, "customer.subscription.deleted", id, None);
    }

    /// Subscriptions of the double's own that were to end by now. Those of a story end when the story says so.
    pub(super) fn ended_subscriptions(&self, now: i64) -> Vec<String> {
        let over = |subscription: &Value| {
            subscription["status"] != "canceled" && subscription["cancel_at"].as_i64().is_some_and(|at| at <= now)
        };
        self.subscriptions.iter().filter(|(_, subscription)| over(subscription)).map(|(id, _)| id.clone()).collect()
    }
}
