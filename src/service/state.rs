//! The facts about one party (a Stripe customer, a user or a chat session without one, a payment whose customer is not
//! known) and how a reading adds to them.
//!
//! Every field is a set, a maximum or a minimum, so that order, copies and late arrivals of events make no difference.
//! Must not know: storage, other parties, downstream services.

use super::{
    defects::{Defect, Defects},
    ledger::{Ledger, Settled, Standing},
    reading::{CheckoutEnd, Fact, Profile, Reading},
    snapshot::{SnapshotKind, Subscription},
};
use crate::id::{InvoiceId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All facts about one party. Times are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Hash)]
#[serde(default)]
pub struct Party {
    /// User ids of the app that it was seen with, and since when.
    pub users: BTreeMap<String, i64>,
    /// Chat sessions of the app that it was seen with.
    pub chats: BTreeSet<String>,
    /// E-mails that it was seen with, and since when.
    pub emails: BTreeMap<String, i64>,
    /// Those of them that the person gave when signing up.
    pub own_emails: BTreeSet<String>,
    /// The newest word of Stripe's customer object.
    pub profile: Option<Profile>,
    /// Since when Stripe's customer is deleted: all its subscriptions have ended.
    pub deleted: Option<i64>,
    /// Its subscriptions.
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// Its Checkout sessions and how they ended.
    pub checkouts: BTreeMap<String, CheckoutEnd>,
    /// Purchases counted again for a copy of an event; stays zero in the sound service.
    pub recounted: u64,
    /// Invoices that could not be collected at least once.
    pub failed: BTreeSet<InvoiceId>,
    /// Its money.
    pub ledger: Ledger,
    /// Of a payment: the party that has its facts now.
    pub moved: Option<String>,
    /// Whether Stripe has told of a dealing with it: a Checkout that was finished, a subscription, an invoice.
    pub from_stripe: bool,
}

fn earliest(times: &mut BTreeMap<String, i64>, key: &str, at: i64) {
    times.entry(key.to_owned()).and_modify(|first| *first = at.min(*first)).or_insert(at);
}

impl Party {
    /// A person who signed up at second `at`, maybe after an anonymous chat.
    pub fn signed_up(&mut self, user: &str, email: &str, chat: Option<&str>, at: i64) {
        earliest(&mut self.users, user, at);
        earliest(&mut self.emails, email, at);
        self.own_emails.insert(email.to_owned());
        self.chats.extend(chat.map(str::to_owned));
    }

    /// Adds what one event says. `at` is its time in Unix seconds; `repeat` says that the very event was counted before,
    /// which only a defective service lets through.
    pub fn learn(&mut self, reading: &Reading, at: i64, repeat: bool, defects: &Defects) {
        self.from_stripe |= reading.is_dealing();
        self.chats.extend(reading.chat.clone());
        if let Some(user) = &reading.user {
            earliest(&mut self.users, user, at);
        }
        if let Some(email) = &reading.email {
            earliest(&mut self.emails, email, at);
        }
        for fact in &reading.facts {
            self.learn_fact(fact, repeat, defects);
        }
    }

    fn learn_fact(&mut self, fact: &Fact, repeat: bool, defects: &Defects) {
        if is_refund(fact) && self.ledger.bills.is_empty() && defects.has(Defect::EarlyRefundDropped) {
            return;
        }
        match fact {
            Fact::Checkout { session, end } => {
                let held = self.checkouts.entry(session.clone()).or_insert(*end);
                *held = (*held).max(*end);
                self.recounted += u64::from(repeat && is_purchase(*end));
            }
            Fact::Subscription(id, snapshot) => {
                self.subscriptions.entry(id.clone()).or_default().observe(snapshot.clone(), defects);
                if snapshot.kind == SnapshotKind::Deleted && defects.has(Defect::DeletionEndsAll) {
                    self.subscriptions.values_mut().for_each(|other| other.observe(snapshot.clone(), defects));
                }
            }
            Fact::InvoiceFailed(invoice) => {
                self.failed.insert(invoice.clone());
            }
            Fact::Bill(id, bill) => {
                self.ledger.bills.entry(id.clone()).or_default().join(bill);
                if bill.settled == Settled::Paid && id.starts_with("in_") && defects.has(Defect::InvoiceBuysToo) {
                    self.checkouts.insert(id.clone(), CheckoutEnd::Paid);
                }
            }
            Fact::Charge(id, charge) => self.ledger.charges.entry(id.clone()).or_default().join(charge),
            Fact::Refund(id, refund) => {
                let held = self.ledger.refunds.entry(id.clone()).or_default();
                held.join(refund);
                if defects.has(Defect::LastWordOnRefund) {
                    held.state = refund.state.clone();
                }
            }
            Fact::Dispute(id, dispute) => self.ledger.disputes.entry(id.clone()).or_default().join(dispute),
            Fact::Profile(profile) => self.profile = self.profile.take().max(Some(profile.clone())),
            Fact::Deleted(at) => self.deleted = Some(self.deleted.map_or(*at, |first| first.min(*at))),
        }
    }

    /// Takes in what came about a payment before its customer was known.
    pub fn adopt(&mut self, payment: &Self) {
        self.ledger.join(&payment.ledger);
    }

    /// Checkouts that are settled.
    pub fn purchases(&self) -> u64 {
        self.checkouts.values().filter(|end| is_purchase(**end)).count() as u64 + self.recounted
    }

    /// Its subscriptions with what its money says of each.
    pub fn subscribed(&self) -> impl Iterator<Item = (&SubscriptionId, &Subscription, Standing)> {
        self.subscriptions.iter().map(|(id, subscription)| (id, subscription, self.ledger.standing(id)))
    }
}

fn is_refund(fact: &Fact) -> bool {
    match fact {
        Fact::Refund(..) => true,
        Fact::Charge(_, charge) => charge.refunded.is_some_and(|(_, amount)| amount > 0),
        _ => false,
    }
}

const fn is_purchase(end: CheckoutEnd) -> bool {
    match end {
        CheckoutEnd::Free | CheckoutEnd::Paid => true,
        CheckoutEnd::Expired | CheckoutEnd::Unpaid | CheckoutEnd::Failed => false,
    }
}

#[cfg(test)]
mod tests;
