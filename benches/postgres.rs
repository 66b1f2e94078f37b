//! Events a second that the sound service takes into PostgreSQL, by one connection and by three at once: each in batches, as
//! the writer of a service process does under load, and one by one.
//!
//! `DATABASE_URL=… cargo bench --bench postgres`; without the variable it says so and measures nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and the environment")]

use hookdrill::{
    service::{
        Incoming, Process, Received, Secret, Settings,
        store::{PostgresAt, Store},
    },
    stripe::event::Event,
    time::Timestamp,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECONDS: u64 = 5;

/// The purchase of the fixtures, lived by the customer of a number.
fn purchase(bodies: &[String], number: usize) -> Vec<Arc<Incoming>> {
    let of = |body: &String| {
        // Payments and the user, too: what two customers share makes them one account, or each payment everybody's.
        let own = ["cus_", "evt_", "sub_", "cs_test_", "pi_", "in_", "ch_", "user_"];
        let body = own.iter().fold(body.to_owned(), |body, prefix| {
            body.replace(&format!("\"{prefix}"), &format!("\"{prefix}{number}x"))
        });
        let body = body.replace('@', &format!("{number}@"));
        Arc::new(Incoming::new(Event::parse(&body).expect("an event")))
    };
    bodies.iter().map(of).collect()
}

fn bodies() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/checkout-subscription");
    let files = std::fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a body")).collect()
}

/// Events that one connection took in until `end`.
fn take_in(at: &PostgresAt, first: usize, batch: usize, end: Instant) -> usize {
    let mut store = Store::postgres(at).expect("a store");
    let (mut process, bodies) = (Process::new(Settings::default()), bodies());
    let mut waiting = Vec::new();
    let mut taken = 0;
    for number in first.. {
        waiting.extend(purchase(&bodies, number));
        while waiting.len() >= batch {
            let now: Vec<_> = waiting.drain(..batch).collect();
            let done = process.receive_batch(&mut store, NOW, &now);
            taken += done.iter().filter(|one| matches!(one, Ok(Received::Settled(_)))).count();
            if Instant::now() >= end {
                return taken;
            }
        }
    }
    taken
}

fn main() {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        return println!("DATABASE_URL is not set: nothing is measured");
    };
    for (connections, batch) in [(1, 1), (3, 1), (1, 32), (3, 32), (1, 128), (3, 128)] {
        let at = PostgresAt::new(Secret::new(&url)).in_schema(format!("bench_{}", std::process::id()));
        drop(Store::postgres(&at).expect("a database"));
        let started = Instant::now();
        let end = started + Duration::from_secs(SECONDS);
        let taken: usize = std::thread::scope(|scope| {
            let at = &at;
            let all: Vec<_> =
                (0..connections).map(|n| scope.spawn(move || take_in(at, n * 1_000_000, batch, end))).collect();
            all.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        let rate = taken as f64 / started.elapsed().as_secs_f64();
        println!("{connections} connections, batches of {batch}: {rate:.0} events/s");
        at.drop_schema().expect("dropped");
    }
}
