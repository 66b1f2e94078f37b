//! One person's account: the parties (Stripe customers, sign-ups) that belong together, and the one state they make.
//!
//! Nothing is stored: an account is a function of the facts, so it cannot depend on the order in which they came.
//!
//! * Parties with a common user id belong together, always.
//! * A party without a user joins those of its e-mail, and through it the one user who has that e-mail. When two users have
//!   it, nobody gets it: an e-mail typed into a Checkout proves nothing.
//!
//! Must not know: downstream services, jobs.

use super::{
    snapshot::Subscription,
    state::Party,
    store::{Identity, StoreError, Tx},
};
use crate::{id::InvoiceId, time::Timestamp};
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

/// The account that a party belongs to; `None` when there is no such party.
///
/// # Errors
/// The store's.
pub fn of_party(tx: &mut Tx<'_>, id: &str) -> Result<Option<Account>, StoreError> {
    let mut finder = Finder { tx, known: BTreeMap::new() };
    if finder.party(id)?.is_none() {
        return Ok(None);
    }
    let members = finder.members(id)?;
    let mut parties = BTreeMap::new();
    for member in members {
        if let Some(party) = finder.party(&member)? {
            parties.insert(member, party);
        }
    }
    Ok(Some(Account { parties }))
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

struct Finder<'t, 'a> {
    tx: &'t mut Tx<'a>,
    known: BTreeMap<String, Option<Arc<Party>>>,
}

type Members = BTreeSet<String>;

impl Finder<'_, '_> {
    fn party(&mut self, id: &str) -> Result<Option<Arc<Party>>, StoreError> {
        if let Some(party) = self.known.get(id) {
            return Ok(party.clone());
        }
        let party = self.tx.party(id)?;
        self.known.insert(id.to_owned(), party.clone());
        Ok(party)
    }

    fn has_user(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(self.party(id)?.is_some_and(|party| !party.users.is_empty()))
    }

    /// Everything reached from `start` by `next`.
    fn reach(
        &mut self,
        start: &str,
        next: impl Fn(&mut Self, &str) -> Result<Vec<String>, StoreError>,
    ) -> Result<Members, StoreError> {
        let mut found = BTreeSet::from([start.to_owned()]);
        let mut open = vec![start.to_owned()];
        while let Some(id) = open.pop() {
            for other in next(self, &id)? {
                if found.insert(other.clone()) {
                    open.push(other);
                }
            }
        }
        Ok(found)
    }

    fn by_user(&mut self, id: &str) -> Result<Vec<String>, StoreError> {
        let party = self.party(id)?.unwrap_or_default();
        let mut found = Vec::new();
        for user in &party.users {
            found.extend(self.tx.linked(Identity::User, user)?);
        }
        Ok(found)
    }

    fn by_email(&mut self, id: &str, with_user: bool) -> Result<Vec<String>, StoreError> {
        let party = self.party(id)?.unwrap_or_default();
        let mut found = Vec::new();
        for email in party.emails.keys() {
            for other in self.tx.linked(Identity::Email, email)? {
                if self.has_user(&other)? == with_user {
                    found.push(other);
                }
            }
        }
        Ok(found)
    }

    /// Parties without a user that belong together with `start`, which has none.
    fn strays(&mut self, start: &str) -> Result<Members, StoreError> {
        self.reach(start, |finder, id| finder.by_email(id, false))
    }

    /// The users' groups that share an e-mail with the strays.
    fn owners(&mut self, strays: &Members) -> Result<BTreeSet<Members>, StoreError> {
        let mut owners = BTreeSet::new();
        for stray in strays {
            for owner in self.by_email(stray, true)? {
                owners.insert(self.reach(&owner, Self::by_user)?);
            }
        }
        Ok(owners)
    }

    fn members(&mut self, id: &str) -> Result<Members, StoreError> {
        let core = if self.has_user(id)? {
            self.reach(id, Self::by_user)?
        } else {
            let strays = self.strays(id)?;
            let owners = self.owners(&strays)?;
            match owners.first() {
                Some(owner) if owners.len() == 1 => owner.clone(),
                _ => return Ok(strays),
            }
        };
        let mut members = core.clone();
        for id in &core {
            for stray in self.by_email(id, false)? {
                if members.contains(&stray) {
                    continue;
                }
                let strays = self.strays(&stray)?;
                if self.owners(&strays)?.len() == 1 {
                    members.extend(strays);
                }
            }
        }
        Ok(members)
    }
}

impl Account {
    /// The subscription that speaks for the account: one that opens the door, then one that lives, then the furthest.
    fn leading(&self) -> Option<(&str, &Party, &Subscription)> {
        let all = self.parties.iter().flat_map(|(id, party)| {
            party.subscriptions.iter().map(move |(sub, subscription)| (id.as_str(), party.as_ref(), sub, subscription))
        });
        all.max_by_key(|(_, party, sub, subscription)| (subscription.weight(party.refunded_through), *sub))
            .map(|(id, party, _, subscription)| (id, party, subscription))
    }

    /// Whether the person may use what they pay for: one good subscription is enough.
    pub fn access(&self) -> bool {
        self.leading().is_some_and(|(_, party, subscription)| subscription.grants_access(party.refunded_through))
    }

    /// Stripe's status of the leading subscription, `none` without one.
    pub fn status(&self) -> &str {
        self.leading().map_or("none", |(_, _, subscription)| subscription.status())
    }

    /// Plan tier of the leading subscription, `none` without one or after its end.
    pub fn plan(&self) -> String {
        self.leading().map_or_else(|| "none".to_owned(), |(_, _, subscription)| subscription.plan())
    }

    /// End of the leading subscription's period.
    pub fn period_end(&self) -> Option<Timestamp> {
        self.leading().and_then(|(_, _, subscription)| subscription.period_end()).map(Timestamp::from_secs)
    }

    /// Newest payment.
    pub fn paid_at(&self) -> Option<Timestamp> {
        self.parties.values().filter_map(|party| party.paid_at).max().map(Timestamp::from_secs)
    }

    /// The Stripe customer of the leading subscription, else the first.
    pub fn customer(&self) -> Option<&str> {
        let leading = self.leading().map(|(id, ..)| id);
        leading.or_else(|| self.customers().next())
    }

    /// Its Stripe customers.
    pub fn customers(&self) -> impl Iterator<Item = &str> {
        self.parties.iter().filter(|(id, party)| party.from_stripe && !id.contains(':')).map(|(id, _)| id.as_str())
    }

    /// The app's user id; the first when it has several.
    pub fn user(&self) -> Option<&str> {
        self.parties.values().flat_map(|party| &party.users).min().map(String::as_str)
    }

    /// Its e-mails, the one to write to first: the person's own word, then the earliest.
    pub fn emails(&self) -> Vec<&str> {
        let mut first: BTreeMap<&str, i64> = BTreeMap::new();
        for (email, at) in self.parties.values().flat_map(|party| &party.emails) {
            first.entry(email).and_modify(|held| *held = (*held).min(*at)).or_insert(*at);
        }
        let mut emails: Vec<_> = first.into_iter().collect();
        emails.sort_by_key(|(email, at)| (*at, *email));
        emails.into_iter().map(|(email, _)| email).collect()
    }

    /// Settled Checkouts.
    pub fn purchases(&self) -> u64 {
        self.parties.values().map(|party| party.purchases.len() as u64 + party.recounted).sum()
    }

    /// Invoices that failed at least once.
    pub fn failed(&self) -> impl Iterator<Item = &InvoiceId> {
        self.parties.values().flat_map(|party| &party.failed)
    }

    /// Whether a charge was refunded in full.
    pub fn is_refunded(&self) -> bool {
        self.parties.values().any(|party| party.refunded_through.is_some())
    }

    /// Whether Stripe has told anything of it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::store::Store;
    use proptest::prelude::*;

    type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

    fn store(rows: &[Row]) -> Store {
        let mut store = Store::memory();
        let write = |tx: &mut Tx<'_>| {
            for (id, users, emails) in rows {
                let mut party = Party { from_stripe: true, ..Party::default() };
                party.users.extend(users.iter().map(|u| (*u).to_owned()));
                party.emails.extend(emails.iter().map(|e| ((*e).to_owned(), 1)));
                tx.put_party(id, &party)?;
                for user in *users {
                    tx.link(Identity::User, user, id)?;
                }
                for email in *emails {
                    tx.link(Identity::Email, email, id)?;
                }
            }
            Ok(())
        };
        store.transact(write).expect("written");
        store
    }

    fn members(store: &mut Store, id: &str) -> Vec<String> {
        let account = store.transact(|tx| of_party(tx, id)).expect("read").expect("there");
        account.parties.into_keys().collect()
    }

    const ROWS: [Row; 7] = [
        ("cus_a1", &["ada"], &["ada@x"]),
        ("cus_a2", &["ada"], &["work@x"]),
        ("cus_a3", &[], &["work@x"]),
        ("cus_b1", &["bob"], &["shared@x", "bob@x"]),
        ("cus_c1", &["cleo"], &["shared@x"]),
        ("cus_s1", &[], &["shared@x"]),
        ("cus_s2", &[], &["nobody@x"]),
    ];

    #[test]
    fn users_join_and_an_email_joins_only_when_it_is_one_users() {
        let mut store = store(&ROWS);
        for id in ["cus_a1", "cus_a2", "cus_a3"] {
            assert_eq!(members(&mut store, id), ["cus_a1", "cus_a2", "cus_a3"]);
        }
        assert_eq!(members(&mut store, "cus_b1"), ["cus_b1"], "an e-mail of two users joins nobody");
        assert_eq!(members(&mut store, "cus_s1"), ["cus_s1"]);
        assert_eq!(members(&mut store, "cus_s2"), ["cus_s2"]);
        assert_eq!(store.transact(|tx| of_party(tx, "cus_none")), Ok(None));
    }

    proptest! {
        #[test]
        fn accounts_are_the_same_from_every_member(
            parties in proptest::collection::vec((0..4_usize, 0..4_usize, 0..4_usize), 1..7),
        ) {
            const USERS: [&[&str]; 4] = [&[], &[], &["u1"], &["u2"]];
            const EMAILS: [&[&str]; 4] = [&[], &["a@x"], &["b@x"], &["a@x", "c@x"]];
            const IDS: [&str; 7] = ["cus_1", "cus_2", "cus_3", "cus_4", "cus_5", "cus_6", "cus_7"];
            let rows: Vec<Row> =
                parties.iter().zip(IDS).map(|((user, email, _), id)| (id, USERS[*user], EMAILS[*email])).collect();
            let mut store = store(&rows);
            for (id, _, _) in &rows {
                let all = members(&mut store, id);
                prop_assert!(all.iter().any(|member| member == id));
                for member in &all {
                    prop_assert_eq!(&members(&mut store, member), &all);
                }
            }
        }
    }
}
