//! Several connections on one PostgreSQL at once, as several service processes have: nothing is lost, nothing is done twice.

use super::{
    peers::Peers,
    postgres::server,
    stories::{completed, invoice, subscription},
};
use hookdrill::{
    service::{
        Incoming, Process, Received, Settings, status,
        store::{PostgresAt, Shelf, Store, StoreError, Tx},
        upstream::{outcome, request},
    },
    stripe::event::Event,
    time::Timestamp,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn open(at: &PostgresAt) -> Store {
    Store::postgres(at).expect("a store")
}

fn number(tx: &mut Tx<'_>, key: &str) -> Result<i64, StoreError> {
    Ok(tx.doc(Shelf::Counter, key)?.map_or(0, |text| text.parse().expect("a number")))
}

#[test]
fn no_update_is_lost() {
    let Some(server) = server("no_update_is_lost") else { return };
    let at = server.schema();
    const THREADS: i64 = 6;
    const TIMES: i64 = 40;
    let add = |_| {
        let mut store = open(&at);
        for _ in 0..TIMES {
            let added = store.transact(|tx| {
                let next = number(tx, "sum")? + 1;
                tx.put_doc(Shelf::Counter, "sum", &next.to_string())
            });
            added.expect("no failure comes to the surface");
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|n| drop(scope.spawn(move || add(n)))));
    assert_eq!(open(&at).transact(|tx| number(tx, "sum")), Ok(THREADS * TIMES));
}

/// Two rows of which each transaction reads both and writes one: locks on what is written do not help, and neither does a
/// snapshot. Nor do they when the row is not there yet.
#[test]
fn two_transactions_that_read_what_the_other_writes_do_not_both_go_on() {
    let Some(server) = server("two_transactions_that_read") else { return };
    let at = server.schema();
    let taken = AtomicU64::new(0);
    let take = |own: &str| {
        let mut store = open(&at);
        for round in 0..60 {
            let keys = [format!("{round}/left"), format!("{round}/right")];
            let won = store.transact(|tx| {
                if number(tx, &keys[0])? + number(tx, &keys[1])? > 0 {
                    return Ok(false);
                }
                tx.put_doc(Shelf::Counter, &format!("{round}/{own}"), "1").map(|()| true)
            });
            taken.fetch_add(u64::from(won.expect("no failure comes to the surface")), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| take("left"));
        scope.spawn(|| take("right"));
    });
    assert_eq!(taken.load(Ordering::Relaxed), 60, "one of the two, every time");
}

/// Customers in pairs of one person, each with the events of a purchase and a failed payment.
fn purchases(people: usize) -> Vec<Event> {
    let of = |person: usize, half: &str| {
        let (customer, email) = (format!("cus_{person}{half}"), format!("p{person}@example.com"));
        let id = |what: &str| format!("evt_{person}{half}_{what}");
        let user = format!("u{person}");
        [
            completed(&id("completed"), &customer, Some(&user), &email),
            subscription(&id("created"), "created", 100, &customer, "incomplete"),
            subscription(&id("updated"), "updated", 101, &customer, "active"),
            invoice(&id("paid"), "paid", 100, &customer, &format!("in_{person}{half}"), Some(&email)),
            invoice(&id("failed"), "payment_failed", 200, &customer, &format!("in2_{person}{half}"), Some(&email)),
        ]
    };
    (0..people).flat_map(|person| ["a", "b"].into_iter().flat_map(move |half| of(person, half))).collect()
}

/// What can be seen of every customer.
fn seen(store: &mut Store, people: usize) -> Vec<String> {
    let view = |tx: &mut Tx<'_>| {
        let mut seen = vec![format!("{} events, {:?}", tx.event_count()?, tx.party_ids()?)];
        for person in 0..people {
            let view = status::customer(tx, &format!("u{person}"))?.expect("known");
            seen.push(format!("{:?}", status::CustomerView { crm_contact: None, ..view }));
        }
        let status = status::status(tx)?;
        seen.push(format!("{} waiting, {} dead, {} drift", status.pending, status.dead, status.drift));
        Ok(seen)
    };
    store.transact(view).expect("read")
}

fn work(
    process: &mut Process,
    store: &mut Store,
    owner: &str,
    peers: &Mutex<Peers>,
    held: &Mutex<BTreeMap<u64, String>>,
    now: Timestamp,
) -> bool {
    let Some((lease, call)) = process.begin(store, now, owner).expect("no failure comes to the surface") else {
        return false;
    };
    let before = held.lock().expect("held").insert(lease.job, owner.to_owned());
    assert_eq!(before, None, "job {} is claimed by two at once", lease.job);
    let answer = peers.lock().expect("peers").call(&request(&call, "secret"));
    let result = outcome(&call, answer.as_ref().map_err(|error| *error));
    // Free before the commit, or the next one to claim it would look like a second holder.
    held.lock().expect("held").remove(&lease.job);
    process.finish(store, now, &lease, &result).expect("no failure comes to the surface");
    true
}

/// Until nothing is left, jobs that wait for another one's work among it.
fn drain(
    process: &mut Process,
    store: &mut Store,
    owner: &str,
    peers: &Mutex<Peers>,
    held: &Mutex<BTreeMap<u64, String>>,
) {
    for minute in 0..10 {
        while work(process, store, owner, peers, held, NOW + Duration::from_secs(60 * minute)) {}
    }
}

#[test]
fn deliveries_and_workers_at_once_end_like_one_after_the_other() {
    let Some(server) = server("deliveries_and_workers_at_once") else { return };
    const PEOPLE: usize = 12;
    let (at, events) = (server.schema(), purchases(PEOPLE));
    let (peers, held) = (Mutex::new(Peers::default()), Mutex::new(BTreeMap::new()));
    let (delivering, counted) = (AtomicU64::new(4), AtomicU64::new(0));
    let deliver = |thread: usize| {
        let (mut process, mut store) = (Process::new(Settings::default()), open(&at));
        // Everyone delivers everything, each from another place on: most meet a delivery of the same or a related event.
        for n in 0..events.len() {
            let incoming = Arc::new(Incoming::new(events[(n + thread * 7) % events.len()].clone()));
            let received = process.receive(&mut store, NOW, &incoming).expect("no failure comes to the surface");
            let Received::Settled(accepted) = received else { panic!("the sound service tears nothing apart") };
            counted.fetch_add(u64::from(!accepted.duplicate), Ordering::Relaxed);
        }
        delivering.fetch_sub(1, Ordering::Relaxed);
    };
    let worker = |thread: usize| {
        let (mut process, mut store) = (Process::new(Settings::default()), open(&at));
        loop {
            let over = delivering.load(Ordering::Relaxed) == 0;
            if !work(&mut process, &mut store, &thread.to_string(), &peers, &held, NOW) && over {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let (deliver, worker) = (&deliver, &worker);
        (0..4).for_each(|n| drop(scope.spawn(move || deliver(n))));
        (0..3).for_each(|n| drop(scope.spawn(move || worker(n))));
    });
    assert_eq!(counted.load(Ordering::Relaxed), events.len() as u64, "each event is new exactly once");
    let mut store = open(&at);
    drain(&mut Process::new(Settings::default()), &mut store, "last", &peers, &held);

    let (mut process, mut memory) = (Process::new(Settings::default()), Store::memory());
    for event in &events {
        process.receive(&mut memory, NOW, &Arc::new(Incoming::new(event.clone()))).expect("received");
    }
    let alone = Mutex::new(Peers::default());
    drain(&mut process, &mut memory, "alone", &alone, &held);
    for (together, alone) in seen(&mut store, PEOPLE).iter().zip(seen(&mut memory, PEOPLE)) {
        assert_eq!(*together, alone);
    }
    let (peers, alone) = (peers.into_inner().expect("peers"), alone.into_inner().expect("peers"));
    assert_eq!(
        (peers.contacts.len(), peers.tickets.len(), peers.tasks.len()),
        (alone.contacts.len(), alone.tickets.len(), alone.tasks.len())
    );
    let by_email =
        |peers: &Peers| peers.contacts.iter().map(|c| (c["email"].clone(), c.clone())).collect::<BTreeMap<_, _>>();
    assert_eq!(by_email(&peers), by_email(&alone));
}
