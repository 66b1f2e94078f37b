//! One person's account: the parties (Stripe customers, sign-ups, chats) that belong together, and the one state they make.
//!
//! Nothing is stored: an account is a function of the facts, so it cannot depend on the order in which they came. Who belongs
//! together: [`bonds`].
//!
//! Must not know: downstream services, jobs.

pub(crate) mod bonds;

use super::{
    ledger::{Bill, Claim, Settled, Standing},
    money::Money,
    reading::CheckoutEnd,
    snapshot::Subscription,
    state::Party,
    store::{Identity, StoreError, Tx},
};
use crate::{
    id::{InvoiceId, SubscriptionId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The parties of one person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// By party id.
    pub parties: BTreeMap<String, Arc<Party>>,
}

/// What a person sees of their account, and the desk of them: what the audit trail records changes of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visible {
    /// Whether the door is open.
    pub access: bool,
    /// Subscription status, `none` without one.
    pub status: String,
    /// Plan tier, `none` without one.
    pub plan: String,
    /// The app's own user id.
    pub user: Option<String>,
    /// E-mail to write to.
    pub email: Option<String>,
    /// End of the period, UTC.
    pub period_end: Option<String>,
    /// What a person at the desk should know.
    pub flags: BTreeSet<Flag>,
}

/// What a person at the desk should know of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// A payment is disputed and nobody has decided yet. Access stays: most disputes are inquiries or mistakes.
    Disputed,
    /// An invoice failed and is neither paid nor given up.
    PaymentDue,
    /// An invoice was marked as uncollectible and is not paid.
    WrittenOff,
    /// Invoices are made but not collected.
    CollectionPaused,
    /// The subscription was told to end.
    Ending,
    /// The Stripe customer is deleted.
    Deleted,
}

/// The account that a party belongs to; `None` when there is no such party.
///
/// # Errors
/// The store's.
pub fn of_party(tx: &mut Tx<'_>, id: &str) -> Result<Option<Account>, StoreError> {
    let parties = bonds::members(tx, id)?;
    Ok((!parties.is_empty()).then_some(Account { parties }))
}

/// The account that an e-mail stands for. Where several users have it, the one with access, then the first.
///
/// # Errors
/// The store's.
pub fn of_email(tx: &mut Tx<'_>, email: &str) -> Result<Option<Account>, StoreError> {
    let mut best: Option<Account> = None;
    let mut seen = BTreeSet::new();
    for id in tx.linked(Identity::Email, email)? {
        if seen.contains(&id) {
            continue;
        }
        let Some(account) = of_party(tx, &id)? else { continue };
        seen.extend(account.parties.keys().cloned());
        let better = best
            .as_ref()
            .is_none_or(|held| (account.is_from_stripe(), account.access()) > (held.is_from_stripe(), held.access()));
        if better {
            best = Some(account);
        }
    }
    Ok(best)
}

/// The subscription that speaks for an account.
struct Leading<'a> {
    party: &'a str,
    id: &'a SubscriptionId,
    subscription: &'a Subscription,
    standing: Standing,
    /// Its customer is deleted.
    over: bool,
}

impl Account {
    /// The subscription that speaks for the account: one that opens the door, then one that lives, then the furthest. Those of
    /// a deleted customer have ended.
    fn leading(&self) -> Option<Leading<'_>> {
        let all = self.parties.iter().flat_map(|(id, party)| {
            let over = party.deleted.is_some();
            party.subscribed().map(move |(name, subscription, standing)| {
                let (open, seen, lives, status, end) = subscription.weight(standing);
                let weight = if over { (false, seen, false, 0, end) } else { (open, seen, lives, status, end) };
                (weight, name, Leading { party: id, id: name, subscription, standing, over })
            })
        });
        all.max_by_key(|(weight, name, _)| (*weight, *name)).map(|(_, _, leading)| leading)
    }

    /// The subscription that speaks for the account, with its id.
    pub fn subscription(&self) -> Option<(&SubscriptionId, &Subscription)> {
        self.leading().map(|leading| (leading.id, leading.subscription))
    }

    /// Whether all that was paid for the leading subscription's term went back.
    pub fn is_refunded(&self) -> bool {
        self.leading().is_some_and(|leading| leading.standing == Standing::Returned)
    }

    /// Whether the person may use what they pay for: one good subscription is enough.
    pub fn access(&self) -> bool {
        self.leading().is_some_and(|leading| !leading.over && leading.subscription.grants_access(leading.standing))
    }

    /// Stripe's status of the leading subscription, `none` without one.
    pub fn status(&self) -> &str {
        self.leading().map_or("none", |leading| if leading.over { "canceled" } else { leading.subscription.status() })
    }

    /// Plan tier of the leading subscription, `none` without one or after its end.
    pub fn plan(&self) -> String {
        let living = self.leading().filter(|leading| !leading.over);
        living.map_or_else(|| "none".to_owned(), |leading| leading.subscription.plan())
    }

    /// End of the leading subscription's period.
    pub fn period_end(&self) -> Option<Timestamp> {
        self.leading().and_then(|leading| leading.subscription.period_end()).map(Timestamp::from_secs)
    }

    /// Newest payment: when and how much.
    pub fn last_payment(&self) -> Option<(Timestamp, Option<&Money>)> {
        let newest = self.parties.values().filter_map(|party| party.ledger.last_payment()).max();
        newest.map(|(at, money)| (Timestamp::from_secs(at), money))
    }

    /// Newest payment.
    pub fn paid_at(&self) -> Option<Timestamp> {
        self.last_payment().map(|(at, _)| at)
    }

    /// What a person at the desk should know.
    pub fn flags(&self) -> BTreeSet<Flag> {
        let bills = || self.parties.values().flat_map(|party| party.ledger.bills.values());
        let owed = || bills().filter(|bill| bill.settled == Settled::No && !bill.voided);
        let disputes = || self.parties.values().flat_map(|party| party.ledger.disputes.values());
        let leads = |what: fn(&Subscription) -> bool| {
            self.leading().is_some_and(|leading| !leading.over && what(leading.subscription))
        };
        let raised = [
            (Flag::Disputed, disputes().any(Claim::is_open)),
            (Flag::PaymentDue, bills().any(Bill::is_due)),
            (Flag::WrittenOff, owed().any(|bill| bill.uncollectible)),
            (Flag::CollectionPaused, leads(Subscription::is_collection_paused)),
            (Flag::Ending, leads(Subscription::is_ending)),
            (Flag::Deleted, self.parties.values().any(|party| party.deleted.is_some())),
        ];
        raised.into_iter().filter(|(_, raised)| *raised).map(|(flag, _)| flag).collect()
    }

    /// What a person sees of it.
    pub fn visible(&self) -> Visible {
        Visible {
            access: self.access(),
            status: self.status().to_owned(),
            plan: self.plan(),
            user: self.user().map(str::to_owned),
            email: self.emails().first().map(|email| (*email).to_owned()),
            period_end: self.period_end().map(|at| at.to_string()),
            flags: self.flags(),
        }
    }

    /// The Stripe customer of the leading subscription, else the first.
    pub fn customer(&self) -> Option<&str> {
        let leading = self.leading().map(|leading| leading.party).filter(|party| !party.contains(':'));
        leading.or_else(|| self.customers().next())
    }

    /// Its Stripe customers.
    pub fn customers(&self) -> impl Iterator<Item = &str> {
        self.parties.keys().filter(|id| !id.contains(':')).map(String::as_str)
    }

    /// The app's user id; the first when it has several.
    pub fn user(&self) -> Option<&str> {
        self.parties.values().flat_map(|party| party.users.keys()).min().map(String::as_str)
    }

    /// Its e-mails, the one to write to first: what the person gave when signing up, then what Stripe's customer object says
    /// now, then the earliest.
    pub fn emails(&self) -> Vec<&str> {
        let mut all: BTreeMap<&str, (u8, i64)> = BTreeMap::new();
        let mut add = |email, rank: (u8, i64)| {
            all.entry(email).and_modify(|held| *held = rank.min(*held)).or_insert(rank);
        };
        let now = self.billing_email();
        for party in self.parties.values() {
            for (email, at) in &party.emails {
                let own = party.own_emails.contains(email);
                let rank = if own { 0 } else { 1 + u8::from(now != Some(email.as_str())) };
                add(email.as_str(), (rank, *at));
            }
        }
        let mut emails: Vec<_> = all.into_iter().collect();
        emails.sort_by_key(|(email, rank)| (*rank, *email));
        emails.into_iter().map(|(email, _)| email).collect()
    }

    /// The e-mail of Stripe's customer object, as it is now; of several customers, the newest word.
    fn billing_email(&self) -> Option<&str> {
        self.parties.values().filter_map(|party| party.profile.as_ref()).max().map(|profile| profile.email.as_str())
    }

    /// Settled Checkouts.
    pub fn purchases(&self) -> u64 {
        self.parties.values().map(|party| party.purchases()).sum()
    }

    /// How one of its Checkout sessions ended, if it has.
    pub fn checkout(&self, session: &str) -> Option<CheckoutEnd> {
        self.parties.values().filter_map(|party| party.checkouts.get(session)).max().copied()
    }

    /// Invoices that failed at least once.
    pub fn failed(&self) -> impl Iterator<Item = &InvoiceId> {
        self.parties.values().flat_map(|party| &party.failed)
    }

    /// Disputes of its payments, by Stripe's id.
    pub fn disputes(&self) -> impl Iterator<Item = (&str, &Claim)> {
        let all = self.parties.values().flat_map(|party| &party.ledger.disputes);
        all.map(|(id, dispute)| (id.as_str(), dispute))
    }

    /// Whether Stripe has told of a dealing with it.
    pub fn is_from_stripe(&self) -> bool {
        self.parties.values().any(|party| party.from_stripe)
    }

    /// The CRM fields that are ours, as they should be. Fields that others own are not among them.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::from([
            ("subscription_status".to_owned(), self.status().to_owned()),
            ("plan".to_owned(), self.plan()),
            ("access".to_owned(), self.access().to_string()),
        ]);
        let mut add = |name: &str, value: Option<String>| fields.extend(value.map(|value| (name.to_owned(), value)));
        add("stripe_customer_id", self.customer().map(str::to_owned));
        add("app_user_id", self.user().map(str::to_owned));
        // The contact keeps the e-mail that it was made with, which others may have changed; what Stripe writes to is ours.
        let changed = self.billing_email().filter(|_| self.emails().len() > 1);
        add("billing_email", changed.map(str::to_owned));
        add("last_paid_date", self.paid_at().map(|at| at.to_string().chars().take(10).collect()));
        fields
    }

    /// The e-mails whose CRM contact is this account's: those that have a contact row, else the one to write to.
    ///
    /// # Errors
    /// The store's.
    pub fn contact_emails(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let emails = self.emails();
        let mut rows = Vec::new();
        for email in &emails {
            if tx.contact(email)?.is_some() {
                rows.push((*email).to_owned());
            }
        }
        if rows.is_empty() {
            rows.extend(emails.first().map(|email| (*email).to_owned()));
        }
        Ok(rows)
    }
}
