//! One subscription as its snapshots tell it, whatever order they arrive in.
//!
//! A join, not an overwrite: what is kept depends on the set of snapshots alone. Must not know: storage, arrival order
//! (but for the deliberate defects).

use super::{
    defects::{Defect, Defects},
    ledger::Standing,
};
use crate::id::EventId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Which kind of event carried a snapshot; later kinds win within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    /// `customer.subscription.created`
    Created,
    /// `customer.subscription.paused`, `.resumed`, `.trial_will_end`: the state without what was there before
    Notice,
    /// `customer.subscription.updated`
    Updated,
    /// `customer.subscription.deleted`
    Deleted,
}

/// A subscription object at the moment of one event.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// The event's id. Not a clock: ids do not sort by time (bug class 15).
    pub event: EventId,
    /// The event's time in Unix seconds; the object's own `created` never changes (bug class 16).
    pub created: i64,
    /// Kind of event.
    pub kind: SnapshotKind,
    /// The subscription. Shared: facts are copied with every transaction, bodies never change.
    #[serde(with = "shared")]
    pub object: Arc<Value>,
    /// `previous_attributes`, null when there are none.
    #[serde(default, with = "shared")]
    pub previous: Arc<Value>,
}

/// A shared value is written as the value.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(value: &Arc<Value>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Arc<Value>, D::Error> {
        Value::deserialize(from).map(Arc::new)
    }
}

impl Snapshot {
    /// `status`, or `none` when the body has none.
    pub fn status(&self) -> &str {
        self.object["status"].as_str().unwrap_or("none")
    }

    fn is_terminal(&self) -> bool {
        self.kind == SnapshotKind::Deleted || matches!(self.status(), "canceled" | "incomplete_expired")
    }

    /// Whether `later` was made from exactly this state: what it says was there before is here.
    fn superseded_by(&self, later: &Self) -> bool {
        later.previous.as_object().is_some_and(|previous| !previous.is_empty())
            && matches(&later.previous, &self.object)
            && later.object != self.object
    }
}

/// Hashes in `previous_attributes` are partial, arrays are whole, and an absent key is null.
fn matches(previous: &Value, object: &Value) -> bool {
    match previous {
        Value::Object(keys) => keys.iter().all(|(key, value)| matches(value, object.get(key).unwrap_or(&Value::Null))),
        other => other == object,
    }
}

/// How far along a status is; decides only when two snapshots of one second say nothing about their order. The customer
/// gets the benefit of the doubt until the next event.
fn status_rank(status: &str) -> u8 {
    match status {
        "active" => 6,
        "trialing" => 5,
        "past_due" => 4,
        "unpaid" => 3,
        "paused" => 2,
        "incomplete" => 1,
        _ => 0,
    }
}

/// What is known of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Hash, Serialize, Deserialize)]
pub struct Subscription {
    /// All snapshots of the newest second seen.
    newest: BTreeMap<EventId, Snapshot>,
    /// The end, which nothing follows.
    terminal: Option<Snapshot>,
}

impl Subscription {
    /// Takes one more snapshot in.
    pub fn observe(&mut self, snapshot: Snapshot, defects: &Defects) {
        if snapshot.is_terminal() {
            let order = |s: &Snapshot| (s.created, s.kind, s.event.clone());
            if self.terminal.as_ref().is_none_or(|held| order(held) < order(&snapshot)) {
                self.terminal = Some(snapshot);
            }
            return;
        }
        if defects.has(Defect::UpdateRevives) && self.terminal.is_some() {
            self.terminal = None;
            self.newest.clear();
        }
        if defects.has(Defect::EventIdAsClock) {
            if self.newest.keys().all(|held| held < &snapshot.event) {
                self.newest = BTreeMap::from([(snapshot.event.clone(), snapshot)]);
            }
            return;
        }
        let held = self.newest.values().next().map_or(i64::MIN, |held| held.created);
        let replace = snapshot.created > held || self.wins_wrongly(&snapshot, defects);
        if replace {
            self.newest.clear();
        } else if snapshot.created < held || defects.has(Defect::StrictlyNewerWins) {
            return;
        }
        self.newest.insert(snapshot.event.clone(), snapshot);
    }

    /// Whether a snapshot that is not newer takes the place of what is held; never in the sound service. Any that is newer does.
    fn wins_wrongly(&self, snapshot: &Snapshot, defects: &Defects) -> bool {
        let of_object = |snapshot: &Snapshot| snapshot.object["created"].as_i64();
        let not_older = |held: &Snapshot| of_object(held) <= of_object(snapshot);
        defects.has(Defect::LastArrivalWins)
            || defects.has(Defect::PauseForOrder)
            || (defects.has(Defect::ObjectTimeAsClock) && self.newest.values().all(not_older))
    }

    /// The snapshot that counts: the end; else the newest, where ties go by kind, then by the chain of
    /// `previous_attributes`, then by status, then by event id so that it is the same everywhere.
    pub fn current(&self) -> Option<&Snapshot> {
        if let Some(end) = &self.terminal {
            return Some(end);
        }
        let kind = self.newest.values().map(|s| s.kind).max()?;
        let latest: Vec<_> = self.newest.values().filter(|s| s.kind == kind).collect();
        let ends: Vec<_> = latest.iter().filter(|s| !latest.iter().any(|other| s.superseded_by(other))).collect();
        let candidates: Vec<_> = if ends.is_empty() { latest.iter().collect() } else { ends };
        candidates.into_iter().max_by_key(|s| (status_rank(s.status()), &s.event)).copied()
    }

    /// Stripe's status; `none` while no snapshot has been seen: a Checkout alone tells none.
    pub fn status(&self) -> &str {
        match self.current() {
            Some(current) if current.kind == SnapshotKind::Deleted => "canceled",
            Some(current) => current.status(),
            None => "none",
        }
    }

    /// Whether it has ended for good.
    pub fn is_over(&self) -> bool {
        self.terminal.is_some()
    }

    /// The plan tier: `price.metadata.plan`, else the lookup key up to its first `_`, else the plan object's words, else
    /// the price id; `none` after the end.
    pub fn plan(&self) -> String {
        if self.is_over() {
            return "none".to_owned();
        }
        self.current().and_then(|current| plan_of(&current.object)).unwrap_or_else(|| "none".to_owned())
    }

    /// End of the paid period in Unix seconds: on the items since basil, on the subscription before (bug class 52).
    pub fn period_end(&self) -> Option<i64> {
        let object = &self.current()?.object;
        let items = object["items"]["data"].as_array();
        let of_items = items.into_iter().flatten().filter_map(|item| item["current_period_end"].as_i64()).max();
        of_items.or_else(|| object["current_period_end"].as_i64())
    }

    /// Whether it opens the door, given what its money says. A trial needs none; past due keeps what was paid for; paused,
    /// unpaid and ended open nothing. A subscription whose collection is paused (`pause_collection`) stays what it is.
    pub fn grants_access(&self, standing: Standing) -> bool {
        match self.status() {
            "trialing" => true,
            "active" | "past_due" => matches!(standing, Standing::Paid | Standing::Free),
            _ => false,
        }
    }

    /// Whether invoices are made but not collected.
    pub fn is_collection_paused(&self) -> bool {
        !self.is_over() && self.current().is_some_and(|current| current.object["pause_collection"].is_object())
    }

    /// Whether it was told to end: at the end of the period, or at a time of its own.
    pub fn is_ending(&self) -> bool {
        let told = |object: &Value| {
            object["cancel_at_period_end"].as_bool() == Some(true) || object["cancel_at"].as_i64().is_some()
        };
        !self.is_over() && self.current().is_some_and(|current| told(&current.object))
    }

    /// How much it says about the customer, for choosing among several: an ended one never speaks for a living one
    /// (bug class 19).
    pub(crate) fn weight(&self, standing: Standing) -> (bool, bool, bool, u8, i64) {
        let (open, status) = (self.grants_access(standing), status_rank(self.status()));
        let seen = self.current().is_some();
        (open, seen, !self.is_over(), status, self.period_end().unwrap_or(0))
    }
}

fn plan_of(object: &Value) -> Option<String> {
    let item = &object["items"]["data"][0];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (price, old) = (&item["price"], if item["plan"].is_object() { &item["plan"] } else { &object["plan"] });
    text(&price["metadata"]["plan"])
        .or_else(|| text(&price["lookup_key"]).map(|key| key.split('_').next().unwrap_or(&key).to_owned()))
        .or_else(|| text(&old["metadata"]["plan"]))
        .or_else(|| text(&old["nickname"]))
        .or_else(|| text(&price["id"]))
        .or_else(|| text(price))
        .or_else(|| text(&old["id"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn snapshot(event: &str, created: i64, kind: SnapshotKind, object: Value, previous: Value) -> Snapshot {
        Snapshot { event: event.into(), created, kind, object: object.into(), previous: previous.into() }
    }

    fn status(snapshots: &[Snapshot], defects: &Defects) -> String {
        let mut subscription = Subscription::default();
        for snapshot in snapshots {
            subscription.observe(snapshot.clone(), defects);
        }
        subscription.status().to_owned()
    }

    /// The status after both orders; they must agree.
    fn both_ways(mut snapshots: Vec<Snapshot>) -> String {
        let forward = status(&snapshots, &Defects::none());
        snapshots.reverse();
        assert_eq!(forward, status(&snapshots, &Defects::none()));
        forward
    }

    #[test]
    fn ties_of_one_second_go_by_kind_then_by_the_chain() {
        use SnapshotKind::{Created, Updated};
        let incomplete = json!({"status": "incomplete", "pm": null});
        let halfway = json!({"status": "incomplete", "pm": "pm_1"});
        let active = json!({"status": "active", "pm": "pm_1"});
        let overdue = json!({"status": "past_due", "pm": "pm_1"});
        let created = snapshot("evt_z", 5, Created, incomplete.clone(), Value::Null);
        let first = snapshot("evt_y", 5, Updated, halfway, json!({"pm": null}));
        let second = snapshot("evt_a", 5, Updated, active, json!({"status": "incomplete"}));
        assert_eq!(both_ways(vec![created.clone(), second.clone()]), "active");
        assert_eq!(both_ways(vec![created.clone(), first.clone(), second.clone()]), "active");
        let fell = snapshot("evt_0", 5, Updated, overdue, json!({"status": "active"}));
        assert_eq!(both_ways(vec![second, fell]), "past_due");
        assert_eq!(both_ways(vec![created]), "incomplete");
    }

    #[test]
    fn the_newest_second_wins_and_the_end_is_final() {
        use SnapshotKind::{Created, Deleted, Updated};
        let made = snapshot("evt_9", 5, Created, json!({"status": "incomplete"}), Value::Null);
        let paid = snapshot("evt_1", 6, Updated, json!({"status": "active"}), json!({"status": "incomplete"}));
        let gone = snapshot("evt_0", 7, Deleted, json!({"status": "canceled"}), Value::Null);
        let late = snapshot("evt_2", 9, Updated, json!({"status": "active"}), json!({"metadata": {"a": null}}));
        assert_eq!(both_ways(vec![made.clone(), paid.clone()]), "active");
        assert_eq!(both_ways(vec![gone.clone(), paid.clone()]), "canceled");
        assert_eq!(both_ways(vec![gone.clone(), late.clone()]), "canceled");
        let odd = snapshot("evt_5", 8, Deleted, json!({"status": "active"}), Value::Null);
        assert_eq!(both_ways(vec![odd, paid.clone()]), "canceled", "the event's type says it, whatever the body");

        let with = |defect| Defects::from_iter([defect]);
        assert_eq!(status(&[gone, late], &with(Defect::UpdateRevives)), "active");
        assert_eq!(status(&[paid.clone(), made], &with(Defect::LastArrivalWins)), "incomplete");
        let same = snapshot("evt_3", 6, Updated, json!({"status": "past_due"}), json!({"status": "active"}));
        assert_eq!(status(&[paid, same], &with(Defect::StrictlyNewerWins)), "active");
    }

    #[test]
    fn plans_and_periods_are_read_in_every_shape() {
        let of = |object: Value| {
            let mut subscription = Subscription::default();
            let kind = SnapshotKind::Created;
            subscription.observe(snapshot("evt_1", 1, kind, object, Value::Null), &Defects::none());
            (subscription.plan(), subscription.period_end())
        };
        let items = |item: Value| json!({"status": "active", "items": {"data": [item]}, "current_period_end": 3});
        let full = json!({"price": {"metadata": {"plan": "pro"}, "lookup_key": "x_y"}, "current_period_end": 7});
        assert_eq!(of(items(full)), ("pro".into(), Some(7)));
        assert_eq!(of(items(json!({"price": {"lookup_key": "team_monthly"}}))), ("team".into(), Some(3)));
        assert_eq!(of(items(json!({"plan": {"nickname": "Gold"}, "price": {"id": "price_1"}}))).0, "Gold");
        assert_eq!(of(items(json!({"price": "price_2"}))).0, "price_2");
        assert_eq!(of(json!({"status": "active", "plan": {"metadata": {"plan": "old"}}})).0, "old");
        assert_eq!(of(json!({"status": 3})), ("none".into(), None));
    }

    #[test]
    fn access_needs_money_unless_on_trial() {
        let with = |status: &str| {
            let mut subscription = Subscription::default();
            let object = json!({"status": status});
            let created = SnapshotKind::Created;
            subscription.observe(snapshot("evt_1", 1, created, object, Value::Null), &Defects::none());
            subscription
        };
        for status in ["active", "past_due"] {
            for (standing, open) in [
                (Standing::Nothing, false),
                (Standing::Free, true),
                (Standing::Paid, true),
                (Standing::Returned, false),
            ] {
                assert_eq!(with(status).grants_access(standing), open, "{status} {standing:?}");
            }
        }
        assert!(with("trialing").grants_access(Standing::Nothing));
        for status in ["incomplete", "unpaid", "paused", "canceled", "something_new"] {
            assert!(!with(status).grants_access(Standing::Paid), "{status}");
        }
    }

    #[test]
    fn a_notice_of_the_same_second_gives_way_to_the_update() {
        use SnapshotKind::{Notice, Updated};
        let (trial, active) = (json!({"status": "trialing"}), json!({"status": "active"}));
        let notice = snapshot("evt_z", 5, Notice, trial, Value::Null);
        let update = snapshot("evt_a", 5, Updated, active, json!({"status": "trialing"}));
        assert_eq!(both_ways(vec![notice.clone(), update.clone()]), "active");
        let paused = snapshot("evt_b", 6, Notice, json!({"status": "paused"}), Value::Null);
        assert_eq!(both_ways(vec![notice, update, paused]), "paused", "a newer second wins, whatever told of it");
    }

    #[test]
    fn what_is_planned_is_read_and_ends_with_the_subscription() {
        let of = |object: Value, kind| {
            let mut subscription = Subscription::default();
            subscription.observe(snapshot("evt_1", 1, kind, object, Value::Null), &Defects::none());
            (subscription.is_collection_paused(), subscription.is_ending())
        };
        let (updated, deleted) = (SnapshotKind::Updated, SnapshotKind::Deleted);
        let paused = json!({"status": "active", "pause_collection": {"behavior": "void"}, "cancel_at": null});
        assert_eq!(of(paused.clone(), updated), (true, false));
        assert_eq!(of(paused, deleted), (false, false));
        assert_eq!(of(json!({"cancel_at_period_end": true}), updated), (false, true));
        assert_eq!(of(json!({"cancel_at_period_end": false, "cancel_at": 9}), updated), (false, true));
    }
}
