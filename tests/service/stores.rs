//! The three stores answer alike, operation by operation, whatever is done in whatever order; and the long run is only over
//! when each operation has ended in each of its ways in each store.

use super::postgres::{private, server};
use hookdrill::{
    service::{
        job::{Job, JobState, Step, Task},
        state::Party,
        store::{ContactRow, Identity, Shelf, Store, StoreError, Tx},
    },
    stripe::event::Event,
    time::Timestamp,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// One operation of a transaction; small numbers stand for names, so that they meet.
#[derive(Clone, Copy, Debug)]
enum Operation {
    RecordEvent(usize),
    Deliveries(usize),
    EventCount,
    Party(usize),
    PutParty(usize, i64),
    PartyIds,
    Link(usize, usize, usize),
    Linked(usize, usize),
    Contact(usize),
    PutContact(usize, i64),
    ContactEmails,
    Doc(usize, usize),
    PutDoc(usize, usize, i64),
    RemoveDoc(usize, usize),
    Docs(usize, usize),
    Job(usize),
    JobByKey(usize),
    NewJob(usize, usize, i64),
    PutJob(usize, usize, usize, i64),
    FirstReady(bool),
    DeadJobs,
    JobCounts,
}

/// Every way in which an operation can end. Rows that come back as they were written are part of each.
const WAYS: &[&str] = &[
    "record_event: first",
    "record_event: again",
    "deliveries: none",
    "deliveries: some",
    "event_count: none",
    "event_count: some",
    "party: none",
    "party: some",
    "put_party: new",
    "put_party: changed",
    "party_ids: none",
    "party_ids: some",
    "link: new",
    "link: there already",
    "link: refused",
    "linked: none",
    "linked: one",
    "linked: several",
    "contact: none",
    "contact: known",
    "contact: uncertain",
    "put_contact: new",
    "put_contact: changed",
    "contact_emails: none",
    "contact_emails: some",
    "doc: none",
    "doc: some",
    "put_doc: new",
    "put_doc: changed",
    "remove_doc: absent",
    "remove_doc: there",
    "docs: none",
    "docs: all",
    "docs: those with the prefix",
    "job: none",
    "job: some",
    "job_by_key: none",
    "job_by_key: some",
    "next_job_id: fresh",
    "put_job: new",
    "put_job: changed",
    "put_job: refused",
    "first_ready: none",
    "first_ready: some",
    "first_ready: some but the running",
    "dead_jobs: none",
    "dead_jobs: some",
    "job_counts: none",
    "job_counts: some",
    "transaction: committed",
    "transaction: undone by its work",
    "transaction: undone by a refusal",
];

/// Names that collations, escapes and prefixes trip over.
const NAMES: [&str; 6] = ["a", "B", "", "a\0b", "a\u{1}", "é'\"\\%_\u{10ffff}"];
const IDENTITIES: [Identity; 4] = [Identity::User, Identity::Email, Identity::Session, Identity::Chat];
const JOBS: usize = 4;

fn operation(rng: &mut ChaCha8Rng) -> Operation {
    let (a, b, c) = (rng.random_range(0..6), rng.random_range(0..6), rng.random_range(0..6));
    let n = rng.random_range(0..9);
    match rng.random_range(0..22) {
        0 => Operation::RecordEvent(a),
        1 => Operation::Deliveries(a),
        2 => Operation::EventCount,
        3 => Operation::Party(a % 4),
        4 => Operation::PutParty(a % 4, n),
        5 => Operation::PartyIds,
        6 => Operation::Link(a % 4, b % 2, c % 4),
        7 => Operation::Linked(a % 4, b % 2),
        8 => Operation::Contact(a),
        9 => Operation::PutContact(a, n),
        10 => Operation::ContactEmails,
        11 => Operation::Doc(a % 2, b),
        12 => Operation::PutDoc(a % 2, b, n),
        13 => Operation::RemoveDoc(a % 2, b),
        14 => Operation::Docs(a % 2, b),
        15 => Operation::Job(a),
        16 => Operation::JobByKey(a),
        17 => Operation::NewJob(a, b, n),
        18 => Operation::PutJob(a, b, c, n),
        19 => Operation::FirstReady(a % 2 == 0),
        20 => Operation::DeadJobs,
        _ => Operation::JobCounts,
    }
}

fn event(number: usize) -> Event {
    let body = json!({"id": format!("evt_{}", NAMES[number]), "object": "event", "type": "invoice.paid\u{0}", "created": 1,
        "data": {"object": {"text": NAMES[number]}}});
    Event::parse(&body.to_string()).expect("an event")
}

fn shaped(mut job: Job, key: usize, state: usize, at: i64) -> Job {
    job.task = Task::Contact { email: NAMES[key].to_owned() };
    job.state = JobState::ALL[state % 5];
    job.rejected = state == 5;
    job.at = Timestamp::from_millis(at);
    job.step = if at % 2 == 0 { Step::Find } else { Step::Create };
    job
}

/// A store, and the numbers that it gave to the jobs: the first job made, the second, and so on. Numbers differ from store to
/// store (one leaves out those that were undone), their order does not.
struct Subject {
    name: &'static str,
    store: Store,
    jobs: Vec<u64>,
    seen: BTreeMap<&'static str, u64>,
}

struct Run<'r, 'a> {
    tx: &'r mut Tx<'a>,
    jobs: Vec<u64>,
    ways: Vec<&'static str>,
    answers: Vec<String>,
}

fn some<T>(there: &Option<T>, none: &'static str, some: &'static str) -> &'static str {
    if there.is_some() { some } else { none }
}

impl Run<'_, '_> {
    fn says(&mut self, way: &'static str, answer: impl std::fmt::Debug) {
        self.ways.push(way);
        self.answers.push(format!("{way} {answer:?}"));
    }

    fn numbered(&self, mut job: Job) -> Job {
        job.id = self.jobs.iter().position(|id| *id == job.id).map_or(999, |place| place as u64);
        job
    }

    fn rows(&mut self, operation: Operation) -> Result<(), StoreError> {
        let name = |n: usize| NAMES[n];
        match operation {
            Operation::RecordEvent(n) => {
                let count = self.tx.record_event(&event(n), Timestamp::from_millis(9))?;
                self.says(if count == 1 { "record_event: first" } else { "record_event: again" }, count);
            }
            Operation::Deliveries(n) => {
                let count = self.tx.deliveries(&format!("evt_{}", name(n)))?;
                self.says(if count == 0 { "deliveries: none" } else { "deliveries: some" }, count);
            }
            Operation::EventCount => {
                let count = self.tx.event_count()?;
                self.says(if count == 0 { "event_count: none" } else { "event_count: some" }, count);
            }
            Operation::Party(n) => {
                let party = self.tx.party(name(n))?;
                self.says(some(&party, "party: none", "party: some"), party);
            }
            Operation::PutParty(n, paid) => {
                let before = self.tx.party(name(n))?;
                let mut party = Party { deleted: Some(paid), ..Party::default() };
                party.users.insert(name(n).to_owned(), paid);
                self.tx.put_party(name(n), &party)?;
                let now = self.tx.party(name(n))?;
                self.says(some(&before, "put_party: new", "put_party: changed"), now);
            }
            Operation::PartyIds => {
                let ids = self.tx.party_ids()?;
                self.says(if ids.is_empty() { "party_ids: none" } else { "party_ids: some" }, ids);
            }
            Operation::Link(kind, key, party) => {
                let identity = IDENTITIES[kind];
                let before = self.tx.linked(identity, name(key))?.contains(&name(party).to_owned());
                self.tx.link(identity, name(key), name(party)).inspect_err(|_| self.ways.push("link: refused"))?;
                let now = self.tx.linked(identity, name(key))?;
                self.says(if before { "link: there already" } else { "link: new" }, now);
            }
            Operation::Linked(kind, key) => {
                let linked = self.tx.linked(IDENTITIES[kind], name(key))?;
                self.says(["linked: none", "linked: one", "linked: several"][linked.len().min(2)], linked);
            }
            Operation::Contact(n) => {
                let contact = self.tx.contact(name(n))?;
                let way = match &contact {
                    None => "contact: none",
                    Some(ContactRow { written: None, .. }) => "contact: uncertain",
                    Some(_) => "contact: known",
                };
                self.says(way, contact);
            }
            Operation::PutContact(n, id) => {
                let before = self.tx.contact(name(n))?;
                let written = (id % 2 == 0).then(|| BTreeMap::from([(name(n).to_owned(), id.to_string())]));
                let row = ContactRow { id: (id % 3 == 0).then(|| name(n).to_owned()), written };
                self.tx.put_contact(name(n), &row)?;
                let now = self.tx.contact(name(n))?;
                self.says(some(&before, "put_contact: new", "put_contact: changed"), now);
            }
            Operation::ContactEmails => {
                let emails = self.tx.contact_emails()?;
                self.says(if emails.is_empty() { "contact_emails: none" } else { "contact_emails: some" }, emails);
            }
            _ => self.documents_and_jobs(operation)?,
        }
        Ok(())
    }

    fn documents_and_jobs(&mut self, operation: Operation) -> Result<(), StoreError> {
        let (name, shelf) = (|n: usize| NAMES[n], |n: usize| Shelf::ALL[n]);
        match operation {
            Operation::Doc(s, n) => {
                let doc = self.tx.doc(shelf(s), name(n))?;
                self.says(some(&doc, "doc: none", "doc: some"), doc);
            }
            Operation::PutDoc(s, n, text) => {
                let before = self.tx.doc(shelf(s), name(n))?;
                self.tx.put_doc(shelf(s), name(n), &format!("{text}{}", name(n)))?;
                let now = self.tx.doc(shelf(s), name(n))?;
                self.says(some(&before, "put_doc: new", "put_doc: changed"), now);
            }
            Operation::RemoveDoc(s, n) => {
                let before = self.tx.doc(shelf(s), name(n))?;
                self.tx.remove_doc(shelf(s), name(n))?;
                let now = self.tx.doc(shelf(s), name(n))?;
                self.says(some(&before, "remove_doc: absent", "remove_doc: there"), now);
            }
            Operation::Docs(s, n) => {
                let (found, all) = (self.tx.docs(shelf(s), name(n))?, self.tx.docs(shelf(s), "")?);
                let way = match (found.len(), all.len()) {
                    (0, _) => "docs: none",
                    (some, all) if some < all => "docs: those with the prefix",
                    _ => "docs: all",
                };
                self.says(way, found);
            }
            Operation::JobByKey(n) => {
                let job = self.tx.job_by_key(&format!("contact:{}", name(n)))?.map(|job| self.numbered(job));
                self.says(some(&job, "job_by_key: none", "job_by_key: some"), job);
            }
            Operation::FirstReady(running) => {
                let (first, any) = (self.tx.first_ready(running)?, self.tx.first_ready(true)?);
                let way = match &first {
                    None => "first_ready: none",
                    Some(_) if first != any => "first_ready: some but the running",
                    Some(_) => "first_ready: some",
                };
                self.says(way, first.map(|job| self.numbered(job)));
            }
            Operation::DeadJobs => {
                let dead: Vec<_> = self.tx.dead_jobs()?.into_iter().map(|job| self.numbered(job)).collect();
                self.says(if dead.is_empty() { "dead_jobs: none" } else { "dead_jobs: some" }, dead);
            }
            Operation::JobCounts => {
                let counts = self.tx.job_counts()?;
                let none = counts == hookdrill::service::job::JobCounts::default();
                self.says(if none { "job_counts: none" } else { "job_counts: some" }, counts);
            }
            _ => self.one_job(operation)?,
        }
        Ok(())
    }

    fn one_job(&mut self, operation: Operation) -> Result<(), StoreError> {
        let none = u64::MAX >> 1;
        match operation {
            Operation::Job(n) => {
                let job = self.tx.job(self.jobs.get(n).copied().unwrap_or(none))?.map(|job| self.numbered(job));
                self.says(some(&job, "job: none", "job: some"), job);
            }
            Operation::NewJob(key, state, at) if self.jobs.len() < JOBS => {
                let id = self.tx.next_job_id()?;
                self.says(if self.jobs.iter().all(|held| *held < id) { "next_job_id: fresh" } else { "stale" }, ());
                let job =
                    shaped(Job::new(id, Task::Contact { email: String::new() }, Timestamp::default()), key, state, at);
                self.tx.put_job(&job).inspect_err(|_| self.ways.push("put_job: refused"))?;
                self.jobs.push(id);
                let now = self.tx.job(id)?.map(|job| self.numbered(job));
                self.says("put_job: new", now);
            }
            Operation::PutJob(n, key, state, at) => {
                let Some(id) = self.jobs.get(n).copied() else { return Ok(()) };
                let Some(job) = self.tx.job(id)? else { return Ok(()) };
                self.tx.put_job(&shaped(job, key, state, at)).inspect_err(|_| self.ways.push("put_job: refused"))?;
                let now = self.tx.job(id)?.map(|job| self.numbered(job));
                self.says("put_job: changed", now);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What one transaction answers: every answer of its operations, then how it ended.
fn transact(subject: &mut Subject, operations: &[Operation], spoil: bool) -> (Vec<String>, String) {
    let (mut ways, mut answers, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    let ended = subject.store.transact(|tx| {
        let mut run = Run { tx, jobs: subject.jobs.clone(), ways: Vec::new(), answers: Vec::new() };
        let done = operations.iter().try_for_each(|operation| run.rows(*operation));
        (ways, answers, jobs) = (run.ways, run.answers, run.jobs);
        done.and(if spoil { Err(StoreError::Refuse("spoiled".into())) } else { Ok(()) })
    });
    ways.push(match &ended {
        Ok(()) => "transaction: committed",
        Err(StoreError::Refuse(why)) if why == "spoiled" => "transaction: undone by its work",
        Err(StoreError::Refuse(_)) => "transaction: undone by a refusal",
        Err(error) => panic!("{}: {error}", subject.name),
    });
    if ended.is_ok() {
        subject.jobs = jobs;
    }
    for way in &ways {
        *subject.seen.entry(way).or_default() += 1;
    }
    (answers, ways.join(", "))
}

/// Every row, by every way of reading it.
fn everything(subject: &mut Subject) -> Vec<String> {
    let mut all = vec![Operation::EventCount, Operation::PartyIds, Operation::ContactEmails, Operation::DeadJobs];
    all.extend([Operation::JobCounts, Operation::FirstReady(true), Operation::FirstReady(false)]);
    for n in 0..NAMES.len() {
        all.extend([Operation::Deliveries(n), Operation::Party(n), Operation::Contact(n), Operation::Job(n)]);
        all.push(Operation::JobByKey(n));
        all.extend((0..4).filter(|_| n < 2).map(|kind| Operation::Linked(kind, n)));
        all.extend((0..2).flat_map(|s| [Operation::Docs(s, n), Operation::Doc(s, n)]));
    }
    let before = subject.seen.clone();
    let answers = transact(subject, &all, false).0;
    // What is looked at for comparison is not what the run was to reach.
    subject.seen = before;
    answers
}

/// Empties no store: a new round has new ones.
fn round(seed: u64, subjects: &mut [Subject], wanted: &BTreeSet<&str>) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for transaction in 1..=60 {
        let operations: Vec<_> = (0..rng.random_range(1..7)).map(|_| operation(&mut rng)).collect();
        let spoil = rng.random_range(0..5) == 0;
        let answers: Vec<_> = subjects.iter_mut().map(|subject| transact(subject, &operations, spoil)).collect();
        // The rows of a few transactions at a time: what one of them spoilt is still there.
        let look = transaction % 5 == 0;
        let rows: Vec<_> =
            subjects.iter_mut().map(|subject| if look { everything(subject) } else { Vec::new() }).collect();
        for place in 1..subjects.len() {
            let which = format!("{} and {}, seed {seed}, {operations:?}", subjects[0].name, subjects[place].name);
            assert_eq!(answers[0].1, answers[place].1, "{which}");
            let both = |all: &[Vec<String>]| all[0].iter().cloned().zip(all[place].clone()).collect::<Vec<_>>();
            let said: Vec<_> = answers.iter().map(|(said, _)| said.clone()).collect();
            for (one, other) in both(&said).into_iter().chain(both(&rows)) {
                assert_eq!(one, other, "{which}");
            }
        }
        let reached = |subject: &Subject| wanted.iter().all(|way| subject.seen.contains_key(way));
        if subjects.iter().all(reached) {
            return transaction;
        }
    }
    60
}

#[test]
fn stores_answer_alike_until_every_operation_has_ended_in_every_way() {
    let server = server("stores_answer_alike");
    let folder = tempfile::tempdir().expect("a folder");
    let wanted: BTreeSet<&str> = WAYS.iter().copied().collect();
    let mut seen: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
    let (mut rounds, mut transactions) = (0, 0);
    while rounds < 4 || seen.values().any(|ways| wanted.iter().any(|way| !ways.contains_key(way))) {
        rounds += 1;
        assert!(rounds < 30, "not reached: {seen:#?}");
        let sqlite = Store::sqlite(&folder.path().join(format!("{rounds}.db"))).expect("a store");
        let mut stores = vec![("memory", Store::memory()), ("SQLite", sqlite)];
        stores.extend(server.as_ref().map(|server| ("PostgreSQL", server.store())));
        let subject = |(name, store)| Subject { name, store, jobs: Vec::new(), seen: BTreeMap::new() };
        let mut subjects: Vec<Subject> = stores.into_iter().map(subject).collect();
        transactions += round(rounds, &mut subjects, &wanted);
        for subject in subjects {
            assert!(!subject.seen.contains_key("stale"), "{}: a job number came twice", subject.name);
            let all = seen.entry(subject.name).or_default();
            subject.seen.into_iter().for_each(|(way, count)| *all.entry(way).or_default() += count);
        }
    }
    for (store, ways) in &seen {
        assert_eq!(ways.keys().copied().collect::<BTreeSet<_>>(), wanted, "{store}");
    }
    println!("{rounds} rounds, {transactions} transactions; how often each operation ended in each way: {seen:#?}");
}

#[test]
fn a_server_that_may_forget_is_refused() {
    for (setting, word) in [("fsync=off", "fsync = off"), ("full_page_writes=off", "full_page_writes = off")] {
        let Some(server) = private("a_server_that_may_forget", &[setting, "synchronous_commit=off"]) else { return };
        let error = Store::postgres(&server.schema()).expect_err("refused").to_string();
        assert!(error.contains(word) && error.contains("confirmed") | error.contains("pages"), "{error}");
    }
    let Some(server) = private("a_server_that_may_forget", &["synchronous_commit=off"]) else { return };
    let Store::Postgres(mut store) = server.store() else { panic!("PostgreSQL") };
    assert_eq!(store.setting("synchronous_commit").as_deref(), Ok("on"), "set for the session");
}

/// The log writer of this server rests for ten seconds: what nobody waits for stays in memory.
#[test]
fn a_commit_is_on_disk_before_it_is_answered() {
    let settings = ["wal_writer_delay=10s", "autovacuum=off", "bgwriter_lru_maxpages=0"];
    let Some(server) = private("a_commit_is_on_disk", &settings) else { return };
    let mut client = server.client().expect("a client");
    let mut on_disk = |store: &mut Store| {
        store.transact(|tx| tx.record_event(&event(0), Timestamp::from_millis(1))).expect("committed");
        let sql = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()";
        client.query_one(sql, &[]).expect("an answer").get::<_, bool>(0)
    };
    let mut store = server.store();
    assert!((0..20).all(|_| on_disk(&mut store)));
    store.leave_commits_unsynced().expect("told");
    assert!((0..20).any(|_| !on_disk(&mut store)), "the check sees a commit that is not on disk");
}

#[test]
fn many_processes_may_make_the_schema_at_once_and_another_version_is_left_alone() {
    let Some(server) = server("many_processes_may_make_the_schema") else { return };
    let at = server.schema();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::postgres(&at).map(drop))).collect();
        started.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(opened, vec![Ok(()); 8]);
    let Store::Postgres(mut store) = Store::postgres(&at).expect("once more") else { panic!("PostgreSQL") };
    let schema = store.setting("search_path").expect("set");
    let mut client = server.client().expect("a client");
    client.batch_execute(&format!("UPDATE {schema}.hookdrill_schema SET version = 99")).expect("changed");
    let error = Store::postgres(&at).expect_err("refused");
    assert!(matches!(&error, StoreError::Broken(what) if what.contains("99")), "{error}");
    at.drop_schema().expect("dropped");
    assert!(Store::postgres(&at).is_ok(), "made anew");
}

#[test]
fn a_store_goes_on_after_its_connection_broke_and_a_reader_writes_nothing() {
    let Some(server) = server("a_store_goes_on") else { return };
    let at = server.schema();
    let mut store = Store::postgres(&at).expect("a store");
    let mut client = server.client().expect("a client");
    let record = |tx: &mut Tx<'_>| tx.record_event(&event(0), Timestamp::from_millis(1));
    assert_eq!(store.transact(record), Ok(1));
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1";
    let own = |store: &mut Store| {
        let Store::Postgres(store) = store else { panic!("PostgreSQL") };
        store.backend().expect("a connection")
    };
    let number = own(&mut store);
    client.execute(kill, &[&number]).expect("killed");
    assert_eq!(store.transact(record), Ok(2), "on a new connection");
    let mut killed = false;
    let number = own(&mut store);
    let again = store.transact(|tx| {
        let count = record(tx)?;
        if !std::mem::replace(&mut killed, true) {
            client.execute(kill, &[&number]).map_err(|error| StoreError::Broken(error.to_string()))?;
            std::thread::sleep(std::time::Duration::from_millis(100));
            tx.event_count()?;
        }
        Ok(count)
    });
    assert_eq!(again, Ok(3), "run again from its beginning, counted once");
    let mut reader = Store::postgres_reader(&at).expect("a reader");
    assert_eq!(reader.transact(|tx| tx.deliveries(event(0).id.as_str())), Ok(3));
    assert!(reader.transact(record).is_err());
}
