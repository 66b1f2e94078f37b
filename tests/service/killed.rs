//! The real process, killed (SIGKILL) at random moments under load: what was acknowledged takes effect exactly once, and
//! nothing takes effect twice.
//!
//! `HOOKDRILL_KILLS` says how often; a few times by default.

use super::child::{Connection, command, customer, email, event_id, invoice_id};
use hookdrill::{
    drive::process::Process,
    mock::{
        models::ModelOptions,
        socket::{Doubles, DoublesOptions},
    },
    rng::Streams,
    time::Timestamp,
};
use rand::RngExt;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

const SENDERS: usize = 16;

/// What the senders share.
#[derive(Default)]
struct Load {
    /// The next event that was never sent.
    fresh: AtomicU64,
    over: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    acknowledged: BTreeSet<u64>,
    /// Sent, and nobody knows what became of it.
    uncertain: BTreeSet<u64>,
}

/// Sends new events; now and then an uncertain one again, as Stripe does, or one that was acknowledged already.
async fn send(load: Arc<Load>, url: String, sender: usize) {
    let mut rng = Streams::new(7).stream(&format!("sender/{sender}"));
    let mut connection = Connection::to(&url);
    while !load.over.load(Ordering::Relaxed) {
        let number = {
            let known = load.known.lock().expect("known");
            let old = match rng.random_range(0..10) {
                0..3 => known.uncertain.first(),
                3 => known.acknowledged.last(),
                _ => None,
            };
            old.copied().unwrap_or_else(|| load.fresh.fetch_add(1, Ordering::Relaxed))
        };
        let acked = connection.deliver(number).await.is_ok_and(|status| status == 200);
        {
            let mut known = load.known.lock().expect("known");
            if acked {
                known.uncertain.remove(&number);
                known.acknowledged.insert(number);
            } else if !known.acknowledged.contains(&number) {
                known.uncertain.insert(number);
            }
        }
        // Also the pause in which a dead service is not asked in vain.
        tokio::time::sleep(Duration::from_millis(rng.random_range(2..20))).await;
    }
}

async fn doubles() -> Doubles {
    let (calls, _) = tokio::sync::mpsc::unbounded_channel();
    let options = DoublesOptions {
        listen: BTreeMap::new(),
        models: ModelOptions::at(Timestamp::from_secs(1_800_000_000)),
        outages: Vec::new(),
        now_ms: Arc::new(|| 0),
        calls,
    };
    Doubles::start(options).await.expect("doubles")
}

/// What is wrong at the end, and how many events were acknowledged.
async fn rounds(kills: u64, defects: &[&str]) -> (Vec<String>, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let doubles = doubles().await;
    let command = command(folder.path(), &doubles.crm_url(), &doubles.support_url(), defects);
    let mut service = Process::start(command).await.expect("started");
    let load = Arc::<Load>::default();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send(Arc::clone(&load), service.url(), sender));
    }
    let mut rng = Streams::new(7).stream("kills");
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..150))).await;
        service.kill().await;
        service.start_again().await.expect("started again");
    }
    load.over.store(true, Ordering::Relaxed);
    while senders.join_next().await.is_some() {}
    let mut connection = Connection::to(&service.url());
    drain(&mut connection).await;
    let load = Arc::into_inner(load).expect("all senders have ended");
    judge(&load.known.into_inner().expect("known"), &doubles, &mut connection).await
}

async fn drain(connection: &mut Connection) {
    for _ in 0..6000 {
        let (_, status) = connection.ask("GET", "/internal/status", "", "").await.expect("a status");
        let status: Value = serde_json::from_str(&status).expect("JSON");
        if status["pending"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("jobs stay");
}

async fn judge(known: &Known, doubles: &Doubles, connection: &mut Connection) -> (Vec<String>, usize) {
    let (contacts, tickets) = doubles.ledger();
    let mut effects: BTreeMap<String, u64> = BTreeMap::new();
    for contact in &contacts {
        *effects.entry(contact.properties.get("email").cloned().unwrap_or_default()).or_default() += 1;
    }
    for ticket in &tickets {
        *effects.entry(ticket.external_id.clone().unwrap_or_default()).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for (number, acked) in
        known.acknowledged.iter().map(|n| (*n, true)).chain(known.uncertain.iter().map(|n| (*n, false)))
    {
        let who = number / 2;
        let (_, view) =
            connection.ask("GET", &format!("/api/customers/{}", customer(who)), "", "").await.expect("an answer");
        let view: Value = serde_json::from_str(&view).expect("JSON");
        let contacts = effects.get(&email(who)).copied().unwrap_or(0);
        let own = match number % 2 {
            0 => view["purchases"].as_u64().unwrap_or(0),
            _ => effects.get(&format!("invoice:{}", invoice_id(who))).copied().unwrap_or(0),
        };
        let fits = |count: u64| count == 1 || (count == 0 && !acked);
        if !fits(own) || !fits(contacts) {
            let word = if acked { "acknowledged" } else { "uncertain" };
            wrong.push(format!("{word} {}: {own} effects, {contacts} contacts", event_id(number)));
        }
    }
    (wrong, known.acknowledged.len())
}

fn kills() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let told = std::env::var("HOOKDRILL_KILLS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_every_acknowledged_event_takes_effect_once() {
    let kills = kills();
    let (wrong, acknowledged) = rounds(kills, &[]).await;
    crate::loudly(&format!("killed {kills} times: {acknowledged} events acknowledged, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(acknowledged as u64 >= 3 * kills, "only {acknowledged} events were acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kills_show_what_is_promised_too_early_and_what_is_done_twice() {
    for (defect, sign) in [("ack-before-persist", ": 0 effects"), ("no-dedupe", ": 2 effects")] {
        let (wrong, _) = rounds(6, &[defect]).await;
        assert!(wrong.iter().any(|line| line.contains(sign)), "{defect}: {wrong:#?}");
    }
}
