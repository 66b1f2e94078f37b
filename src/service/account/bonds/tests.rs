//! Who is one person: by the app's word, by an e-mail, in any order, and never less than before.

use super::super::{Account, of_party};
use super::*;
use crate::{
    service::{config::Settings, ingest, store::Store},
    time::Timestamp,
};
use proptest::prelude::*;

/// User, chat, e-mails with their times, and time of a party, drawn.
type Drawn = (usize, usize, Vec<(usize, i64)>, i64);

/// A Stripe customer: id, user and since when, e-mails and since when.
#[derive(Clone, Debug)]
struct Row {
    id: String,
    user: Option<(String, i64)>,
    chat: Option<String>,
    emails: Vec<(String, i64)>,
}

fn row(id: &str, user: Option<(&str, i64)>, emails: &[(&str, i64)]) -> Row {
    let user = user.map(|(user, at)| (user.to_owned(), at));
    Row { id: id.into(), user, chat: None, emails: emails.iter().map(|(e, at)| ((*e).to_owned(), *at)).collect() }
}

fn write(store: &mut Store, row: &Row) {
    let work = |tx: &mut Tx<'_>| {
        let mut party = tx.party(&row.id)?.map(Arc::unwrap_or_clone).unwrap_or_default();
        party.from_stripe = true;
        party.users.extend(row.user.clone());
        party.chats.extend(row.chat.clone());
        party.emails.extend(row.emails.iter().cloned());
        tx.put_party(&row.id, &party)?;
        if let Some((user, _)) = &row.user {
            tx.link(Identity::User, user, &row.id)?;
        }
        if let Some(chat) = &row.chat {
            tx.link(Identity::Chat, chat, &row.id)?;
        }
        for (email, _) in &row.emails {
            tx.link(Identity::Email, email, &row.id)?;
        }
        Ok(())
    };
    store.transact(work).expect("written");
}

fn store(rows: &[Row]) -> Store {
    let mut store = Store::memory();
    rows.iter().for_each(|row| write(&mut store, row));
    store
}

fn with(store: &mut Store, id: &str) -> Vec<String> {
    let account: Option<Account> = store.transact(|tx| of_party(tx, id)).expect("read");
    account.expect("there").parties.into_keys().collect()
}

#[test]
fn a_customer_without_a_user_keeps_to_the_person_it_was_with_first() {
    let ada = row("cus_a", Some(("ada", 10)), &[("shared@x", 10)]);
    let stray = row("cus_s", None, &[("shared@x", 20)]);
    let bob = row("cus_b", Some(("bob", 30)), &[("shared@x", 30)]);
    let late = row("cus_t", None, &[("shared@x", 40)]);
    let rows = [ada, stray, bob, late];
    let mut forward = store(&rows);
    let mut backward = store(&rows.iter().rev().cloned().collect::<Vec<_>>());
    for store in [&mut forward, &mut backward] {
        assert_eq!(with(store, "cus_a"), ["cus_a", "cus_s", "cus_t"]);
        assert_eq!(with(store, "cus_t"), ["cus_a", "cus_s", "cus_t"]);
        assert_eq!(with(store, "cus_b"), ["cus_b"], "two users are never joined by an e-mail");
    }
}

#[test]
fn a_user_who_became_known_late_had_the_email_only_since() {
    let mut all = store(&[
        row("cus_b", Some(("bob", 50)), &[("shared@x", 5)]),
        row("cus_a", Some(("ada", 10)), &[("shared@x", 10)]),
        row("cus_s", None, &[("shared@x", 20)]),
    ]);
    assert_eq!(with(&mut all, "cus_s"), ["cus_a", "cus_s"]);
    assert_eq!(with(&mut all, "cus_b"), ["cus_b"]);
}

#[test]
fn the_apps_word_wins_over_an_email_and_joins_whole_chains() {
    let mut all = store(&[
        row("cus_1", Some(("ada", 10)), &[("ada@x", 10)]),
        row("cus_2", Some(("ada", 20)), &[("work@x", 20)]),
        row("cus_3", None, &[("work@x", 30)]),
        // Ada's address in bob's Checkout: bob stays bob, although his user became known late.
        row("cus_4", Some(("bob", 50)), &[("ada@x", 15)]),
        row("cus_5", None, &[("nobody@x", 1)]),
    ]);
    assert_eq!(with(&mut all, "cus_3"), ["cus_1", "cus_2", "cus_3"]);
    assert_eq!(with(&mut all, "cus_4"), ["cus_4"]);
    assert_eq!(with(&mut all, "cus_5"), ["cus_5"]);
    assert_eq!(all.transact(|tx| of_party(tx, "cus_none")), Ok(None));
}

#[test]
fn an_anonymous_chat_becomes_the_customer_who_signs_up_and_pays() {
    let now = Timestamp::from_secs(100);
    let sign_up = |store: &mut Store, chat| {
        store.transact(|tx| ingest::sign_up(tx, now, &Settings::default(), "ada", "ada@x", chat)).expect("signed up")
    };
    // By the sign-up; by the Checkout's chat session alone; by both.
    for (told, carried) in [(Some("chat_1"), false), (None, true), (Some("chat_1"), true)] {
        let mut store = Store::memory();
        assert_eq!(store.transact(|tx| ingest::chat_started(tx, now, "chat_1")), Ok(true));
        assert_eq!(store.transact(|tx| ingest::chat_started(tx, now, "chat_1")), Ok(false));
        assert!(sign_up(&mut store, told));
        assert!(!sign_up(&mut store, told));
        let mut paid = row("cus_1", Some(("ada", 120)), &[("other@x", 120)]);
        paid.chat = carried.then(|| "chat_1".to_owned());
        write(&mut store, &paid);
        for id in ["chat:chat_1", "cus_1", "user:ada"] {
            assert_eq!(with(&mut store, id), ["chat:chat_1", "cus_1", "user:ada"], "{told:?} {carried}");
        }
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let one = (0..4_usize, 0..4_usize, proptest::collection::vec((0..4_usize, 0..9_i64), 0..3), 0..9_i64);
    proptest::collection::vec(one, 1..8).prop_map(|all| {
        let make = |(n, (user, chat, emails, at)): (usize, Drawn)| Row {
            id: format!("cus_{n}"),
            user: (user > 1).then(|| (format!("u{user}"), at)),
            chat: (chat == 3).then(|| "chat_1".to_owned()),
            // In order of time when written one after another, with ties.
            emails: emails.into_iter().map(|(e, at)| (format!("e{e}@x"), at)).collect(),
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

fn partition(rows: &[Row]) -> Vec<Vec<String>> {
    let mut store = store(rows);
    let mut ids: Vec<&String> = rows.iter().map(|row| &row.id).collect();
    ids.sort();
    ids.into_iter().map(|id| with(&mut store, id)).collect()
}

proptest! {
    #[test]
    fn accounts_are_the_same_from_every_member_and_in_every_order(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let found = partition(&rows);
        for (row, all) in rows.iter().zip(&found) {
            prop_assert!(all.contains(&row.id));
            for (other, others) in rows.iter().zip(&found) {
                prop_assert_eq!(all.contains(&other.id), all == others);
            }
        }
        prop_assert_eq!(&found, &partition(&shuffled));
    }

    #[test]
    fn two_users_are_one_person_only_by_the_apps_word(rows in rows()) {
        let mut plain = rows.clone();
        plain.iter_mut().for_each(|row| row.chat = None);
        let mut store = store(&plain);
        for row in plain.iter().filter(|row| row.user.is_some()) {
            let account = store.transact(|tx| of_party(tx, &row.id)).expect("read").expect("there");
            let users: BTreeSet<&String> = account.parties.values().flat_map(|party| party.users.keys()).collect();
            prop_assert_eq!(users.len(), 1);
        }
    }

    #[test]
    fn as_things_happen_accounts_only_grow_together(rows in rows()) {
        // Each customer comes with all that is known of it, one second after the one before. No chat session: it could be
        // the app's later word that a party is somebody else's.
        let mut store = Store::memory();
        let mut before: Vec<(String, Vec<String>)> = Vec::new();
        for (second, row) in (1_i64..).zip(&rows) {
            let mut row = Row { chat: None, ..row.clone() };
            row.user.iter_mut().for_each(|(_, at)| *at = second);
            row.emails.iter_mut().for_each(|(_, at)| *at = second);
            write(&mut store, &row);
            for (id, held) in &before {
                let now = with(&mut store, id);
                prop_assert!(held.iter().all(|other| now.contains(other)), "{} left some of {:?}: {:?}", id, held, now);
            }
            let known = rows.iter().take(usize::try_from(second).unwrap_or(0));
            before = known.map(|row| (row.id.clone(), with(&mut store, &row.id))).collect();
        }
    }
}
