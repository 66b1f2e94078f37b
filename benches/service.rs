//! What the service does with one event and one job: ingest (both stores, one event or many a commit), the change of a
//! customer's state, the lease of a job. Verifying is in `signature`.
//!
//! The database is below `target`: its commits cost what this disk asks for an `fdatasync`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookdrill::{
    service::{
        Backoff, Defects, Incoming, Service, Settings, account,
        reading::read,
        state::Party,
        store::{Identity, Store},
        upstream::CallResult,
    },
    stripe::{event::Event, import::ImportOptions, recording::Recording},
    time::Timestamp,
};
use std::{hint::black_box, path::Path, sync::Arc, time::Duration};

const NOW: Timestamp = Timestamp::from_secs(1_768_471_200);

fn purchase() -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkout-subscription");
    let recording = Recording::load(&folder, ImportOptions::default()).expect("a recording");
    recording.events.into_iter().map(|recorded| recorded.event).collect()
}

/// The events of a purchase by customer number `n`, read as the handlers do before the writer has them.
fn bought(templates: &[Event], n: u64) -> Vec<Arc<Incoming>> {
    let of = |event: &Event| {
        // Payments and the user, too: what two customers share makes them one account, or each payment everybody's.
        let own = ["cus_", "evt_", "sub_", "cs_test_", "pi_", "in_", "ch_", "user_"];
        let body = own.iter().fold(event.body.to_string(), |body, prefix| {
            body.replace(&format!("\"{prefix}"), &format!("\"{prefix}{n:08}"))
        });
        let body = body.replace("@example", &format!("{n}@example"));
        let incoming = Arc::new(Incoming::new(Event::parse(&body).expect("an event")));
        incoming.reading(&Defects::none());
        incoming
    };
    templates.iter().map(of).collect()
}

fn ingest(c: &mut Criterion) {
    let templates = purchase();
    let mut group = c.benchmark_group("ingest");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut customer = 0;
    for customers in [1_usize, 8] {
        let events = customers * templates.len();
        group.throughput(Throughput::Elements(events as u64));
        let sqlite = Store::sqlite(&folder.path().join(format!("{customers}.db"))).expect("a store");
        for (name, store) in [("memory", Store::memory()), ("sqlite", sqlite)] {
            let mut service = Service::new(store, Settings::default());
            group.bench_function(BenchmarkId::new(name, format!("{events} a commit")), |bench| {
                let batch = || {
                    customer += customers as u64;
                    (0..customers as u64).flat_map(|n| bought(&templates, customer + n)).collect::<Vec<_>>()
                };
                bench.iter_batched(batch, |batch| service.receive_batch(NOW, &batch), BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

fn state(c: &mut Criterion) {
    let purchase = purchase();
    let readings: Vec<_> =
        purchase.iter().filter_map(|event| Some((read(event, &Defects::none())?, event.created))).collect();
    let mut group = c.benchmark_group("state");
    group.bench_function("read", |bench| {
        bench.iter(|| purchase.iter().filter_map(|e| read(black_box(e), &Defects::none())).count())
    });
    let learn = || {
        let mut party = Party::default();
        for (reading, created) in &readings {
            party.learn(black_box(reading), *created, false, &Defects::none());
        }
        party
    };
    group.bench_function("learn a purchase", |bench| bench.iter(learn));
    let (party, id) = (learn(), readings[0].0.party.clone());
    let mut store = Store::memory();
    let kept = store.transact(|tx| {
        tx.put_party(&id, &party)?;
        party.emails.keys().try_for_each(|email| tx.link(Identity::Email, email, &id))
    });
    kept.expect("kept");
    group.bench_function("account of a party", |bench| {
        bench
            .iter(|| store.transact(|tx| account::of_party(tx, black_box(&id))).expect("read").map(|all| all.access()));
    });
    group.finish();
}

fn lease(c: &mut Criterion) {
    let templates = purchase();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut group = c.benchmark_group("lease");
    let sqlite = Store::sqlite(&folder.path().join("service.db")).expect("a store");
    for (name, store) in [("memory", Store::memory()), ("sqlite", sqlite)] {
        // Every answer is "later", and later is now: the queue stays as it is.
        let backoff = Backoff { first: Duration::ZERO, attempts: u32::MAX, ..Backoff::default() };
        let mut service = Service::new(store, Settings { backoff, ..Settings::default() });
        for customer in 0..200 {
            let taken = service.receive_batch(NOW, &bought(&templates, customer));
            assert!(taken.iter().all(Result::is_ok));
        }
        group.bench_function(BenchmarkId::new(name, "claim and finish"), |bench| {
            bench.iter(|| {
                let (lease, call) = service.begin(NOW, "bench").expect("claimed").expect("a job");
                black_box(call);
                let later = CallResult::Later { what: "503".to_owned(), after: None };
                service.finish(NOW, &lease, &later).expect("finished")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ingest, state, lease);
criterion_main!(benches);
