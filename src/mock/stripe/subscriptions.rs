//! `/v1/subscriptions`: list, read, cancel at once, cancel at the end of the period and take that back.
//!
//! Must not know: how a subscription was bought.

use super::{Done, Stripe, events::page_limit, form::Form, refusal::Refusal, shapes};
use crate::mock::effect::Effect;
use serde_json::{Value, json};

impl Stripe {
    fn subscription(&self, id: &str) -> Result<&Value, Refusal> {
        self.subscriptions.get(id).ok_or_else(|| Refusal::no_such(404, "subscription", id, "id"))
    }

    /// Newest first, of one customer or of all; those that have ended only where `status` asks for them.
    pub(super) fn list_subscriptions(&self, form: &Form) -> Done {
        form.only(&["customer", "status", "limit", "starting_after"])?;
        let (limit, customer, status) = (page_limit(form)?, form.text(&["customer"]), form.text(&["status"]));
        if let Some(id) = customer.filter(|id| !self.customers.contains_key(*id)) {
            return Err(Refusal::no_such(400, "customer", id, "customer"));
        }
        let wanted = |subscription: &&Value| {
            let fits = match status {
                None => subscription["status"] != "canceled",
                Some("all") => true,
                Some("ended") => subscription["status"] == "canceled",
                Some(status) => subscription["status"] == status,
            };
            fits && customer.is_none_or(|customer| subscription["customer"] == customer)
        };
        let mut all: Vec<&Value> = self.subscriptions.values().filter(wanted).collect();
        all.sort_by_key(|subscription| std::cmp::Reverse(subscription["created"].as_i64()));
        let from = match form.text(&["starting_after"]) {
            None => 0,
            Some(id) => {
                let place = all.iter().position(|subscription| subscription["id"] == id);
                place.ok_or_else(|| Refusal::no_such(400, "subscription", id, "starting_after"))? + 1
            }
        };
        let page: Vec<&Value> = all[from..].iter().take(limit).copied().collect();
        let more = all.len() - from > page.len();
        let list = json!({"object": "list", "data": page, "has_more": more, "url": "/v1/subscriptions"});
        Ok((format!("{list:#}"), vec![]))
    }

    pub(super) fn get_subscription(&self, id: &str) -> Done {
        Ok((format!("{:#}", self.subscription(id)?), vec![]))
    }

    pub(super) fn update_subscription(&mut self, now_ms: u64, id: &str, form: &Form) -> Done {
        form.only(&["cancel_at_period_end"])?;
        let before = self.subscription(id)?.clone();
        if before["status"] == "canceled" {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(Refusal::wrong_state(message));
        }
        let wanted = form.flag(&["cancel_at_period_end"])?;
        let Some(ends) = wanted.filter(|ends| before["cancel_at_period_end"] != *ends) else {
            return self.get_subscription(id);
        };
        let now = self.secs(now_ms);
        let mut after = before.clone();
        after["cancel_at_period_end"] = ends.into();
        after["canceled_at"] = if ends { now.into() } else { Value::Null };
        after["cancel_at"] = if ends { before["items"]["data"][0]["current_period_end"].clone() } else { Value::Null };
        after["cancellation_details"]["reason"] = if ends { "cancellation_requested".into() } else { Value::Null };
        let mut event = shapes::envelope("customer.subscription.updated", &after, now);
        event["data"]["previous_attributes"] = json!({
            "cancel_at": before["cancel_at"],
            "cancel_at_period_end": before["cancel_at_period_end"],
            "canceled_at": before["canceled_at"],
            "cancellation_details": {"reason": before["cancellation_details"]["reason"]},
        });
        self.subscriptions.insert(id.to_owned(), after);
        self.emit(now_ms, event);
        let (body, _) = self.get_subscription(id)?;
        let effect = Effect::SubscriptionCanceled { subscription: id.to_owned() };
        Ok((body, if ends { vec![effect] } else { vec![] }))
    }

    pub(super) fn cancel_subscription(&mut self, now_ms: u64, id: &str, form: &Form) -> Done {
        form.only(&["invoice_now", "prorate"])?;
        if self.subscription(id)?["status"] == "canceled" {
            return Err(Refusal::no_such(404, "subscription", id, "id"));
        }
        self.end(now_ms, id);
        let (body, _) = self.get_subscription(id)?;
        Ok((body, vec![Effect::SubscriptionCanceled { subscription: id.to_owned() }]))
    }

    /// A subscription ends now.
    pub(super) fn end(&mut self, now_ms: u64, id: &str) {
        let now = self.secs(now_ms);
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        subscription["status"] = "canceled".into();
        subscription["ended_at"] = now.into();
        if subscription["canceled_at"].is_null() {
            subscription["canceled_at"] = now.into();
        }
        subscription["cancellation_details"]["reason"] = "cancellation_requested".into();
        let event = shapes::envelope("customer.subscription.deleted", subscription, now);
        self.emit(now_ms, event);
    }

    /// Subscriptions that were to end by now.
    pub(super) fn ended_subscriptions(&self, now: i64) -> Vec<String> {
        let over = |subscription: &Value| {
            subscription["status"] != "canceled" && subscription["cancel_at"].as_i64().is_some_and(|at| at <= now)
        };
        self.subscriptions.iter().filter(|(_, subscription)| over(subscription)).map(|(id, _)| id.clone()).collect()
    }
}
