//! Both stores answer alike, keep all or nothing, and SQLite is set up to survive.

use super::*;
use crate::service::job::{JobState, Step, Task};
use proptest::prelude::*;
use serde_json::json;

/// One operation on a transaction, with small numbers for names.
#[derive(Clone, Debug)]
enum Operation {
    Event(u8),
    Party(u8, u8),
    Link(u8, u8, u8),
    Contact(u8, Option<u8>),
    Job(u8, u8, u8, i64),
    FirstReady(bool),
    Doc(u8, u8, Option<u8>),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (0..4_u8).prop_map(Operation::Event),
        (0..3_u8, any::<u8>()).prop_map(|(id, n)| Operation::Party(id, n)),
        (0..5_u8, 0..3_u8, 0..4_u8).prop_map(|(kind, key, party)| Operation::Link(kind, key, party)),
        (0..3_u8, proptest::option::of(any::<u8>())).prop_map(|(email, id)| Operation::Contact(email, id)),
        (1..4_u8, 0..4_u8, 0..6_u8, 0..9_i64).prop_map(|(id, key, state, at)| Operation::Job(id, key, state, at)),
        any::<bool>().prop_map(Operation::FirstReady),
        (0..8_u8, 0..4_u8, proptest::option::of(any::<u8>()))
            .prop_map(|(shelf, key, doc)| Operation::Doc(shelf, key, doc)),
    ]
}

fn event(number: u8) -> Event {
    let body = json!({"id": format!("evt_{number}"), "object": "event", "type": "invoice.paid", "created": 1,
        "data": {"object": {}}});
    Event::parse(&body.to_string()).expect("an event")
}

fn job(id: u8, key: u8, state: u8, at: i64) -> Job {
    let mut job = Job::new(u64::from(id), Task::Contact { email: format!("e{key}") }, Timestamp::from_millis(at));
    job.state = JobState::ALL[usize::from(state % 5)];
    job.rejected = state == 5;
    job.step = if at % 2 == 0 { Step::Find } else { Step::Create };
    job
}

const IDENTITIES: [Identity; 5] =
    [Identity::User, Identity::Email, Identity::Session, Identity::Chat, Identity::Payment];

fn apply(tx: &mut Tx<'_>, operation: &Operation) -> Result<String, StoreError> {
    Ok(match operation {
        Operation::Event(number) => tx.record_event(&event(*number), Timestamp::from_millis(9))?.to_string(),
        Operation::Party(id, number) => {
            let mut party = Party { deleted: Some(i64::from(*number)), ..Party::default() };
            party.users.insert(format!("u{number}"), 1);
            tx.put_party(&format!("cus_{id}"), &party)?;
            String::new()
        }
        Operation::Link(kind, key, party) => {
            let identity = IDENTITIES[usize::from(*kind)];
            tx.link(identity, &format!("k{key}"), &format!("cus_{party}"))?;
            format!("{:?}", tx.linked(identity, &format!("k{key}"))?)
        }
        Operation::Contact(email, id) => {
            let written = id.map(|id| BTreeMap::from([("plan".to_owned(), id.to_string())]));
            tx.put_contact(&format!("e{email}"), &ContactRow { id: id.map(|id| id.to_string()), written })?;
            String::new()
        }
        Operation::Job(id, key, state, at) => {
            tx.put_job(&job(*id, *key, *state, *at))?;
            format!("{}", tx.next_job_id()?)
        }
        Operation::Doc(shelf, key, document) => {
            let (shelf, key) = (Shelf::ALL[usize::from(*shelf)], format!("k{key}"));
            match document {
                Some(number) => tx.put_doc(shelf, &key, &number.to_string())?,
                None => tx.remove_doc(shelf, &key)?,
            }
            format!("{:?} {:?}", tx.doc(shelf, &key)?, tx.docs(shelf, "k")?)
        }
        Operation::FirstReady(running) => format!("{:?}", tx.first_ready(*running)?),
    })
}

fn everything(tx: &mut Tx<'_>) -> Result<String, StoreError> {
    let mut seen = format!("{} {:?} {:?}\n", tx.event_count()?, tx.job_counts()?, tx.dead_jobs()?);
    for id in tx.party_ids()? {
        seen += &format!("{id} {:?}\n", tx.party(&id)?);
    }
    for email in tx.contact_emails()? {
        seen += &format!("{email} {:?}\n", tx.contact(&email)?);
    }
    for number in 0..4 {
        let (event, key) = (format!("evt_{number}"), format!("contact:e{number}"));
        seen += &format!("{} {:?} {:?}\n", tx.deliveries(&event)?, tx.job(number)?, tx.job_by_key(&key)?);
        for shelf in Shelf::ALL {
            seen += &format!("{:?}\n", tx.docs(shelf, &format!("k{number}"))?);
        }
        for identity in IDENTITIES {
            seen += &format!("{:?}\n", tx.linked(identity, &format!("k{number}"))?);
        }
    }
    Ok(seen)
}

/// The kind of an error and the answers of a transaction; `spoil` makes it fail at its end.
fn transact(store: &mut Store, operations: &[Operation], spoil: bool) -> Result<Vec<String>, &'static str> {
    let done = store.transact(|tx| {
        let answers = operations.iter().map(|operation| apply(tx, operation)).collect::<Result<Vec<_>, _>>()?;
        if spoil { Err(StoreError::Refuse("spoiled".into())) } else { Ok(answers) }
    });
    done.map_err(|error| match error {
        StoreError::Retry(_) => "retry",
        StoreError::Refuse(_) => "refuse",
        StoreError::Broken(_) => "broken",
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn stores_answer_alike(
        transactions in proptest::collection::vec((proptest::collection::vec(operation(), 1..6), any::<bool>()), 1..12),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut stores = [Store::memory(), Store::sqlite(&folder.path().join("service.db")).expect("a store")];
        for (operations, spoil) in &transactions {
            let [memory, sqlite] = stores.each_mut().map(|store| transact(store, operations, *spoil));
            prop_assert_eq!(memory, sqlite);
            let [memory, sqlite] = stores.each_mut().map(|store| store.transact(everything));
            prop_assert_eq!(memory, sqlite);
        }
    }
}

#[test]
fn a_failed_transaction_leaves_no_trace_in_memory() {
    let mut memory = Memory::default();
    let all = [Operation::Party(1, 1), Operation::Link(0, 0, 1), Operation::Contact(1, Some(2)), Operation::Event(1)];
    let job = [Operation::Job(1, 1, 0, 5)];
    memory.transact(&mut |tx| apply(tx, &all[0])).expect("committed");
    let before = memory.clone();
    let spoiled = memory.transact(&mut |tx: &mut Tx<'_>| {
        for operation in all.iter().chain(&job) {
            apply(tx, operation)?;
        }
        Err::<(), _>(StoreError::Refuse("spoiled".into()))
    });
    assert!(spoiled.is_err());
    assert_eq!(memory, before);
}

#[test]
fn a_busy_store_is_tried_again_a_few_times() {
    let mut memory = Memory::default();
    memory.busy_for(2);
    let mut store = Store::Memory(memory);
    let mut runs = 0;
    let count = |tx: &mut Tx<'_>| tx.record_event(&event(1), Timestamp::from_millis(1));
    let answer = store.transact(|tx| {
        runs += 1;
        count(tx)
    });
    assert_eq!((answer, runs), (Ok(1), 3), "run again, and undone each time before");
    if let Store::Memory(memory) = &mut store {
        memory.busy_for(99);
    }
    assert!(matches!(store.transact(count), Err(StoreError::Retry(_))));
}

#[test]
fn sqlite_is_set_up_to_survive_and_kept_across_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("service.db");
    let mut sqlite = Sqlite::open(&path).expect("a store");
    for (name, value) in
        [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"), ("busy_timeout", "2000")]
    {
        assert_eq!(sqlite.pragma(name).as_deref(), Ok(value), "{name}");
    }
    assert_eq!(sqlite.transact(&mut |tx| tx.record_event(&event(1), Timestamp::from_millis(1))), Ok(1));
    drop(sqlite);
    let mut again = Store::sqlite(&path).expect("the same file");
    assert_eq!(again.transact(|tx| tx.record_event(&event(1), Timestamp::from_millis(2))), Ok(2));
}

#[test]
fn another_schema_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("service.db");
    let connection = rusqlite::Connection::open(&path).expect("a file");
    connection.pragma_update(None, "user_version", 99).expect("set");
    let error = Store::sqlite(&path).expect_err("refused");
    assert!(matches!(&error, StoreError::Broken(what) if what.contains("99")), "{error}");
}

#[test]
fn a_group_shares_one_commit_and_its_transactions_stay_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("service.db");
    let mut store = Store::sqlite(&path).expect("a store");
    let mut reader = Store::sqlite_reader(&path).expect("a reader");
    let mut seen = |what: &str, events: u64| {
        assert_eq!(reader.transact(|tx| tx.event_count()), Ok(events), "{what}");
    };
    let record =
        |store: &mut Store, number| store.transact(|tx| tx.record_event(&event(number), Timestamp::from_millis(1)));
    let spoiled = |store: &mut Store, number| {
        store.transact(|tx| {
            tx.record_event(&event(number), Timestamp::from_millis(1))?;
            Err::<(), _>(StoreError::Refuse("spoiled".into()))
        })
    };
    store.begin_group().expect("begun");
    record(&mut store, 1).expect("recorded");
    spoiled(&mut store, 2).expect_err("spoiled");
    record(&mut store, 3).expect("recorded");
    seen("before the commit", 0);
    store.commit_group().expect("committed");
    seen("after it", 2);

    store.begin_group().expect("begun");
    record(&mut store, 2).expect("recorded");
    store.begin_group().expect("what was left open is undone");
    store.commit_group().expect("committed");
    seen("never committed", 2);
    record(&mut store, 2).expect("recorded");
    seen("alone again", 3);
    assert!(matches!(record(&mut reader, 1), Err(StoreError::Broken(_))), "a reader does not write");
}
