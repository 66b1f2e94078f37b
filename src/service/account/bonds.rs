//! Which parties are one person.
//!
//! **The app's word** joins for ever: parties with a common user id, or with a common chat session, are one person. More
//! facts only add to what is joined.
//!
//! **An e-mail** is a guess: anybody can type it into a Checkout. So it joins parties only while they do not have two
//! different users, and never two users. Guesses are made in the order in which things happened, not in which they became
//! known: all holders of an e-mail are lined up by when they had it (a party with a user: since when both were known), and
//! each in turn joins the first of the line unless both have a user by then. So a customer without a user keeps to the
//! person whom it was with first, whoever turns up with that e-mail later; and since the times are those of the events, the
//! order of arrival makes no difference.
//!
//! What never splits: what the app's word has joined; and a guess, as things happen, until the app's word gives that very
//! party to another user. A guess that arrival alone could not shake would have to join two users who share an e-mail:
//! stranger to stranger. That price is not paid.
//!
//! Must not know: what an account is worth.

use crate::service::{
    reading::PAYMENT_PARTY,
    state::Party,
    store::{Identity, StoreError, Tx},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) type Parties = BTreeMap<String, Arc<Party>>;

/// The party that the facts about `payments` are with, and the parties that had some of them and give them up to it. That is
/// the customer as soon as anything has told whose they are, else the first payment that was told of. `named` is whom the
/// event itself names.
pub(crate) fn home(
    tx: &mut Tx<'_>,
    payments: &[String],
    named: &str,
) -> Result<(String, BTreeSet<String>), StoreError> {
    let (mut strays, mut real) = (BTreeSet::new(), BTreeSet::new());
    for payment in payments {
        for party in tx.linked(Identity::Payment, payment)? {
            let now = moved(tx, party)?;
            if now.starts_with(PAYMENT_PARTY) { &mut strays } else { &mut real }.insert(now);
        }
    }
    let home = if named.starts_with(PAYMENT_PARTY) {
        real.into_iter().next().or_else(|| strays.first().cloned()).unwrap_or_else(|| named.to_owned())
    } else {
        named.to_owned()
    };
    strays.remove(&home);
    Ok((home, strays))
}

/// Where a payment's facts are now.
fn moved(tx: &mut Tx<'_>, mut party: String) -> Result<String, StoreError> {
    while let Some(next) = tx.party(&party)?.and_then(|held| held.moved.clone()) {
        party = next;
    }
    Ok(party)
}

/// The parties that are one person with `id`; none when there is no such party.
pub(super) fn members(tx: &mut Tx<'_>, id: &str) -> Result<Parties, StoreError> {
    let id = match id.strip_prefix(PAYMENT_PARTY) {
        // Also where no party was made for this very payment.
        Some(payment) => home(tx, &[payment.to_owned()], id)?.0,
        None => id.to_owned(),
    };
    let mut circle = Circle::around(tx, &id)?;
    if !circle.parties.contains_key(&id) {
        return Ok(Parties::new());
    }
    circle.join_by_word();
    circle.join_by_email();
    let root = circle.root(&id);
    let ids: Vec<String> = circle.parties.keys().cloned().collect();
    let members: BTreeSet<String> = ids.into_iter().filter(|other| circle.root(other) == root).collect();
    circle.parties.retain(|id, _| members.contains(id));
    Ok(circle.parties)
}

/// Everybody who could be the same person, and who is.
struct Circle {
    parties: Parties,
    /// Of each party, one that it is joined with; a root is joined with itself.
    joined: BTreeMap<String, String>,
    /// Of each root, since when (Unix seconds) it has a user.
    users: BTreeMap<String, i64>,
}

impl Circle {
    /// Everybody reached through any common user, chat session or e-mail.
    fn around(tx: &mut Tx<'_>, start: &str) -> Result<Self, StoreError> {
        let mut parties = Parties::new();
        let (mut open, mut asked) = (vec![start.to_owned()], BTreeSet::new());
        while let Some(id) = open.pop() {
            if parties.contains_key(&id) {
                continue;
            }
            let Some(party) = tx.party(&id)? else { continue };
            let users = party.users.keys().map(|user| (Identity::User, user));
            let chats = party.chats.iter().map(|chat| (Identity::Chat, chat));
            let emails = party.emails.keys().map(|email| (Identity::Email, email));
            for (identity, key) in users.chain(chats).chain(emails) {
                if asked.insert((identity, key.clone())) {
                    open.extend(tx.linked(identity, key)?);
                }
            }
            parties.insert(id, party);
        }
        let joined = parties.keys().map(|id| (id.clone(), id.clone())).collect();
        let since = |party: &Party| party.users.values().min().copied();
        let users = parties.iter().filter_map(|(id, party)| Some((id.clone(), since(party)?))).collect();
        Ok(Self { parties, joined, users })
    }

    fn root(&self, id: &str) -> String {
        let mut at = id;
        while let Some(next) = self.joined.get(at).filter(|next| *next != at) {
            at = next;
        }
        at.to_owned()
    }

    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        if let Some(since) = self.users.remove(&other) {
            let held = self.users.get(&one).copied();
            self.users.insert(one.clone(), held.map_or(since, |held| held.min(since)));
        }
        self.joined.insert(other, one);
    }

    fn join_by_word(&mut self) {
        let mut first: BTreeMap<(Identity, String), String> = BTreeMap::new();
        for (id, party) in self.parties.clone() {
            let users = party.users.keys().map(|user| (Identity::User, user.clone()));
            let chats = party.chats.iter().map(|chat| (Identity::Chat, chat.clone()));
            for key in users.chain(chats) {
                let other = first.entry(key).or_insert_with(|| id.clone()).clone();
                self.join(&other, &id);
            }
        }
    }

    fn join_by_email(&mut self) {
        let mut lines: BTreeMap<String, BTreeSet<(i64, String)>> = BTreeMap::new();
        for (id, party) in &self.parties {
            let user = party.users.values().min().or_else(|| self.users.get(&self.root(id))).copied();
            for (email, at) in &party.emails {
                let since = user.map_or(*at, |user| user.max(*at));
                lines.entry(email.clone()).or_default().insert((since, id.clone()));
            }
        }
        let mut guesses: BTreeSet<(i64, String, String, String)> = BTreeSet::new();
        for (email, line) in lines {
            let mut line = line.into_iter();
            let Some((_, first)) = line.next() else { continue };
            guesses.extend(line.map(|(at, id)| (at, email.clone(), id, first.clone())));
        }
        for (_, _, id, first) in guesses {
            let (one, other) = (self.root(&first), self.root(&id));
            if !(self.users.contains_key(&one) && self.users.contains_key(&other)) {
                self.join(&one, &other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
