//! The money of one party: what was billed and paid, what went back, what is disputed; and whether a subscription is still
//! paid for.
//!
//! Every field is a set, a maximum or the newest word by (time, rank), so that order, copies and late arrivals make no
//! difference. Amounts are in the smallest unit of their currency and are never converted.
//! Must not know: storage, subscriptions' status, other parties.

use super::money::Money;
use crate::id::SubscriptionId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far the money of a bill is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Not there yet, or never.
    #[default]
    No,
    /// Nothing is owed now: a trial, a full discount, an invoice of zero. No payment.
    Free,
    /// Paid.
    Paid,
}

/// One thing that was to be paid: an invoice, or a Checkout without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bill {
    /// Its subscription.
    pub subscription: Option<SubscriptionId>,
    /// Newest of the times (Unix seconds) at which its invoice was made and its Checkout was opened.
    pub made: Option<i64>,
    /// Whether it is settled.
    pub settled: Settled,
    /// When it was paid, Unix seconds.
    pub paid_at: Option<i64>,
    /// What was paid.
    pub money: Option<Money>,
    /// Whether it pays a term, and not only the difference between two plans; unknown when only a Checkout told of it.
    pub term: Option<bool>,
    /// PaymentIntents and charges that are known to have paid it.
    pub payments: BTreeSet<String>,
    /// An attempt to collect it failed.
    pub failed: bool,
    /// Voided: nobody owes it any more.
    pub voided: bool,
    /// Marked as uncollectible; it may still be paid.
    pub uncollectible: bool,
}

/// One charge that went through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Charge {
    /// Its PaymentIntent.
    pub intent: Option<String>,
    /// Its invoice; named before basil only.
    pub invoice: Option<String>,
    /// When it was made, Unix seconds.
    pub made: Option<i64>,
    /// What was charged.
    pub money: Option<Money>,
    /// The newest word of the charge itself on how much went back: (event's second, amount). [`ALL`] when it says "refunded"
    /// without an amount.
    pub refunded: Option<(i64, i64)>,
}

/// Everything of a charge, however much that is.
pub const ALL: i64 = i64::MAX;

/// What a refund or a dispute is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The charge.
    pub charge: Option<String>,
    /// The PaymentIntent.
    pub intent: Option<String>,
    /// How much; absent is all of it.
    pub money: Option<Money>,
    /// Its newest state: (event's second, rank within one second, Stripe's word).
    pub state: (i64, u8, String),
}

/// All money facts of one party, by Stripe id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ledger {
    /// By invoice id; by session id for a Checkout without an invoice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bills: BTreeMap<String, Bill>,
    /// By charge id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub charges: BTreeMap<String, Charge>,
    /// By refund id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Claim>,
    /// By dispute id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<String, Claim>,
}

/// What the money says about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was ever settled.
    Nothing,
    /// Only bills of zero: nothing is owed.
    Free,
    /// The latest term is paid and the money was kept.
    Paid,
    /// The latest payment went back in full, by refunds or by a lost dispute.
    Returned,
}

/// Seconds between the creation of an invoice and that of the charge which pays it at once.
const CHARGE_SLACK_SECS: i64 = 60;

impl Bill {
    /// Takes what another telling of the same bill says.
    pub fn join(&mut self, other: &Self) {
        self.subscription = self.subscription.take().max(other.subscription.clone());
        self.made = self.made.max(other.made);
        self.settled = self.settled.max(other.settled);
        self.paid_at = self.paid_at.max(other.paid_at);
        self.money = self.money.take().max(other.money.clone());
        self.term = self.term.max(other.term);
        self.payments.extend(other.payments.iter().cloned());
        self.failed |= other.failed;
        self.voided |= other.voided;
        self.uncollectible |= other.uncollectible;
    }

    /// Whether an attempt failed and somebody still has to pay.
    pub fn is_due(&self) -> bool {
        self.failed && self.settled == Settled::No && !self.voided && !self.uncollectible
    }
}

impl Charge {
    /// Takes what another telling of the same charge says.
    pub fn join(&mut self, other: &Self) {
        self.intent = self.intent.take().max(other.intent.clone());
        self.invoice = self.invoice.take().max(other.invoice.clone());
        self.made = self.made.max(other.made);
        self.money = self.money.take().max(other.money.clone());
        self.refunded = self.refunded.max(other.refunded);
    }

    fn pays(&self, id: &str, key: &str, bill: &Bill) -> bool {
        let named = |name: &str| bill.payments.contains(name);
        self.invoice.as_deref() == Some(key) || named(id) || self.intent.as_deref().is_some_and(named)
    }
}

impl Claim {
    /// Takes what another telling of the same claim says.
    pub fn join(&mut self, other: &Self) {
        self.charge = self.charge.take().max(other.charge.clone());
        self.intent = self.intent.take().max(other.intent.clone());
        self.money = self.money.take().max(other.money.clone());
        if self.state < other.state {
            self.state = other.state.clone();
        }
    }

    fn amount(&self) -> i64 {
        self.money.as_ref().map_or(ALL, |money| money.minor)
    }

    fn is_about(&self, id: &str, charge: &Charge) -> bool {
        match &self.charge {
            Some(named) => named == id,
            None => self.intent.is_some() && self.intent == charge.intent,
        }
    }

    fn names_any(&self, names: &BTreeSet<String>) -> bool {
        self.charge.iter().chain(&self.intent).any(|name| names.contains(name))
    }

    /// Of a refund: it will not reach the customer.
    fn is_off(&self) -> bool {
        matches!(self.state.2.as_str(), "failed" | "canceled")
    }

    /// Of a dispute: the money is gone for good.
    fn is_lost(&self) -> bool {
        self.state.2 == "lost"
    }

    /// Of a dispute: nobody has decided yet. A word that nobody knows yet is open, so that a person looks.
    pub fn is_open(&self) -> bool {
        !matches!(self.state.2.as_str(), "won" | "lost" | "warning_closed" | "prevented")
    }
}

impl Ledger {
    /// Takes everything of another ledger in.
    pub fn join(&mut self, other: &Self) {
        other.bills.iter().for_each(|(id, bill)| self.bills.entry(id.clone()).or_default().join(bill));
        other.charges.iter().for_each(|(id, charge)| self.charges.entry(id.clone()).or_default().join(charge));
        other.refunds.iter().for_each(|(id, claim)| self.refunds.entry(id.clone()).or_default().join(claim));
        other.disputes.iter().for_each(|(id, claim)| self.disputes.entry(id.clone()).or_default().join(claim));
    }

    /// What the money says about one subscription. The latest term decides: a refund of an earlier term, or of the difference
    /// between two plans, does not take away what a later or the whole term has paid for.
    pub fn standing(&self, subscription: &SubscriptionId) -> Standing {
        let of = |settled| {
            let bills = self.bills.iter().filter(move |(_, bill)| bill.settled == settled);
            bills.filter(|(_, bill)| bill.subscription.as_ref() == Some(subscription))
        };
        let latest = of(Settled::Paid).max_by_key(|(key, bill)| (bill.term != Some(false), bill.made, *key));
        match latest {
            Some((key, bill)) if self.is_returned(key, bill) => Standing::Returned,
            Some(_) => Standing::Paid,
            None if of(Settled::Free).next().is_some() => Standing::Free,
            None => Standing::Nothing,
        }
    }

    /// The newest payment: when (Unix seconds) and how much.
    pub fn last_payment(&self) -> Option<(i64, Option<&Money>)> {
        let paid = self.bills.values().filter(|bill| bill.settled == Settled::Paid);
        paid.filter_map(|bill| Some((bill.paid_at?, bill.money.as_ref()))).max()
    }

    /// Whether all that was paid for a bill went back. The payments that are known to be its own decide; while none is known,
    /// the amount and then the time of a charge that is known to be no other bill's.
    fn is_returned(&self, key: &str, bill: &Bill) -> bool {
        let own: Vec<_> = self.charges.iter().filter(|(id, charge)| charge.pays(id, key, bill)).collect();
        if !own.is_empty() || !bill.payments.is_empty() {
            let of_charges = own.iter().map(|(id, charge)| self.went_back(id, charge));
            let back = of_charges.fold(self.went_back_unseen(&bill.payments), i64::saturating_add);
            let whole = bill.money.as_ref().map(|money| money.minor);
            let charged = || {
                own.iter().filter_map(|(_, c)| c.money.as_ref()).map(|money| money.minor).reduce(i64::saturating_add)
            };
            return back > 0 && whole.or_else(charged).map_or(back == ALL, |whole| back >= whole);
        }
        let stray = |id: &str, charge: &Charge| !self.bills.iter().any(|(key, bill)| charge.pays(id, key, bill));
        self.charges.iter().any(|(id, charge)| {
            let fits = bill.money.is_none() || charge.money.is_none() || bill.money == charge.money;
            let soon = |made: i64| bill.made.is_some_and(|bill| bill <= made.saturating_add(CHARGE_SLACK_SECS));
            fits && charge.made.is_some_and(soon) && self.is_all_back(id, charge) && stray(id, charge)
        })
    }

    fn is_all_back(&self, id: &str, charge: &Charge) -> bool {
        let back = self.went_back(id, charge);
        charge.money.as_ref().map_or(back == ALL, |money| back > 0 && back >= money.minor)
    }

    /// How much of a charge went back. Refunds that failed do not count, whether the charge has heard of it or not.
    fn went_back(&self, id: &str, charge: &Charge) -> i64 {
        let refunds: Vec<&Claim> = self.refunds.values().filter(|refund| refund.is_about(id, charge)).collect();
        let told = refunds.iter().filter(|refund| !refund.is_off()).map(|refund| refund.amount());
        let shown = charge.refunded.map_or(0, |(at, amount)| {
            let failed = refunds.iter().filter(|refund| refund.is_off() && refund.state.0 >= at);
            let failed = failed.map(|refund| refund.amount()).fold(0, i64::saturating_add);
            if amount == ALL && failed == 0 { ALL } else { whole(amount, charge).saturating_sub(failed) }
        });
        let lost = self.disputes.values().filter(|dispute| dispute.is_lost() && dispute.is_about(id, charge));
        let lost = lost.map(Claim::amount).fold(0, i64::saturating_add);
        told.fold(0, i64::saturating_add).max(shown).saturating_add(lost)
    }

    /// What refunds and lost disputes took from payments whose charge was never told.
    fn went_back_unseen(&self, payments: &BTreeSet<String>) -> i64 {
        let unseen = |claim: &&Claim| !self.charges.iter().any(|(id, charge)| claim.is_about(id, charge));
        let refunds = self.refunds.values().filter(|refund| !refund.is_off());
        let lost = self.disputes.values().filter(|dispute| dispute.is_lost());
        let claims = refunds.chain(lost).filter(unseen).filter(|claim| claim.names_any(payments));
        claims.map(Claim::amount).fold(0, i64::saturating_add)
    }
}

fn whole(amount: i64, charge: &Charge) -> i64 {
    if amount == ALL { charge.money.as_ref().map_or(ALL, |money| money.minor) } else { amount }
}

#[cfg(test)]
mod tests;
