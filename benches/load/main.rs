//! Highest sustained rate of webhooks, durable SQLite and the load generator on the same cores: a server that only reads the
//! body (the ceiling), the service with group commit, and the service with one commit an event. Prints rates, ratios, mean
//! batch, and the time to the acknowledgement at half of the sustained rate.
//!
//! The three take turns, and the median of the rounds counts: other programs on the machine, and a disk whose syncs cost
//! twenty times as much from one minute to the next, would else decide. `cargo bench --bench load`;
//! `-- --seconds N --rounds N` for longer probes and more rounds. Ends with 1 when a target is missed.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod events;
mod generator;
mod servers;

use events::Events;
use generator::Probe;
use servers::{Kind, Server};
use std::time::Duration;

/// The one of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections of the load generator: twice the largest batch, so that one batch can gather while another commits.
const CONNECTIONS: usize = 512;

/// The objective for an acknowledgement; a rate at which more than a hundredth takes longer is not sustained.
const OBJECTIVE: Duration = Duration::from_millis(300);

/// Of the rate that a closed loop reaches, what is tried in turn.
const STEPS: [f64; 8] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5];

struct Found {
    sustained: f64,
    mean_batch: f64,
    half: Probe,
}

fn main() {
    let seconds = argument("--seconds").unwrap_or(3.0);
    println!("fdatasync of 8 kB, appended: {}", generator::sync_cost());
    let mut events = Events::load();
    if argument::<String>("--only").is_some_and(|what| what == "grouped") {
        // For a profiler.
        let server = Server::start(Kind::Grouped);
        println!("{}", generator::closed(&server, &mut events, CONNECTIONS, seconds));
        return;
    }
    let rounds: usize = argument("--rounds").unwrap_or(3);
    let mut found = Vec::new();
    for round in 1..=rounds {
        println!("round {round}");
        found.push([Kind::ReadsOnly, Kind::Grouped, Kind::OneByOne].map(|kind| find(kind, &mut events, seconds)));
    }
    let median = |value: fn(&[Found; 3]) -> f64| {
        let mut values: Vec<f64> = found.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(rounds / 2).copied().unwrap_or(f64::NAN)
    };
    println!("medians of {rounds} rounds:");
    let of = |kind, value: f64| println!("{kind:?}: {value:.0} a second");
    of(Kind::ReadsOnly, median(|[ceiling, ..]| ceiling.sustained));
    of(Kind::Grouped, median(|[_, grouped, _]| grouped.sustained));
    of(Kind::OneByOne, median(|[.., single]| single.sustained));
    let rate = median(|[ceiling, grouped, _]| grouped.sustained / ceiling.sustained);
    let single = median(|[_, grouped, single]| grouped.sustained / single.sustained);
    let held = [
        judge("rate, of the server that only reads", rate, 0.15, true),
        judge("rate, of one commit an event", single, 2.0, true),
        judge("mean batch at saturation", median(|[_, grouped, _]| grouped.mean_batch), 8.0, true),
        judge(
            "p95 to 200 at half the rate, ms",
            median(|[_, grouped, _]| grouped.half.p(95).as_secs_f64() * 1e3),
            30.0,
            false,
        ),
    ];
    if held.contains(&false) {
        std::process::exit(1);
    }
}

fn argument<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::args().skip_while(|argument| argument != name).nth(1)?.parse().ok()
}

fn find(kind: Kind, events: &mut Events, seconds: f64) -> Found {
    let server = Server::start(kind);
    // The first second fills caches and the write-ahead log; it is not counted.
    generator::closed(&server, events, CONNECTIONS, 1.0);
    let before = server.counts();
    let top = generator::closed(&server, events, CONNECTIONS, seconds);
    let after = server.counts();
    let mean_batch = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
    println!("{kind:?}: closed loop {top}, mean batch {mean_batch:.1}");
    let mut sustained = 0.0;
    for step in STEPS {
        let rate = top.rate() * step;
        let probe = generator::open(&server, events, CONNECTIONS, rate, seconds);
        let good = probe.refused == 0 && probe.p(99) <= OBJECTIVE && probe.rate() >= rate * 0.98;
        println!("{kind:?}: {rate:.0}/s offered: {probe}, {}", if good { "sustained" } else { "not sustained" });
        if good {
            sustained = rate;
            break;
        }
    }
    let half = generator::open(&server, events, CONNECTIONS, sustained / 2.0, seconds);
    println!("{kind:?}: half of it: {half}");
    Found { sustained, mean_batch, half }
}

fn judge(what: &str, value: f64, bound: f64, at_least: bool) -> bool {
    let held = if at_least { value >= bound } else { value <= bound };
    let (word, verdict) = (if at_least { "at least" } else { "at most" }, if held { "held" } else { "MISSED" });
    println!("{what}: {value:.3} ({word} {bound}): {verdict}");
    held
}
