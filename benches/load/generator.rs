//! The load generator: one thread, keep-alive connections, requests made and signed before the clock starts.

use super::{events::Events, servers::Server};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

/// What one stretch of load showed.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Sorted; from the planned moment on in an open loop, so that a late sender hides nothing.
    latencies: Vec<Duration>,
    /// Answers other than 2xx.
    pub(crate) refused: u64,
    took: Duration,
}

impl Probe {
    /// Answers of 2xx a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// A percentile.
    pub(crate) fn p(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.p(percent).as_secs_f64() * 1e3;
        write!(f, "{:.0}/s, p50 {:.1} p95 {:.1} p99 {:.1} ms", self.rate(), ms(50), ms(95), ms(99))?;
        if self.refused > 0 { write!(f, ", {} refused", self.refused) } else { Ok(()) }
    }
}

struct Load {
    requests: Vec<Vec<u8>>,
    again: bool,
    next: Cell<usize>,
    /// Between two planned requests; zero in a closed loop.
    gap: Duration,
    started: Instant,
    until: Duration,
    latencies: RefCell<Vec<Duration>>,
    refused: Cell<u64>,
}

/// More than a service does in a second, so that a closed loop does not run out of events.
const MOST_A_SECOND: f64 = 60_000.0;

/// As fast as `connections` that each wait for their answer go.
pub(crate) fn closed(server: &Server, events: &mut Events, connections: usize, seconds: f64) -> Probe {
    let requests =
        if server.looks() { events.requests((seconds * MOST_A_SECOND) as usize) } else { events.requests(10_000) };
    drive(server, requests, connections, Duration::ZERO, seconds)
}

/// At `rate` requests a second, whether the server keeps up or not.
pub(crate) fn open(server: &Server, events: &mut Events, connections: usize, rate: f64, seconds: f64) -> Probe {
    let count = (rate * seconds) as usize;
    let requests = events.requests(if server.looks() { count } else { count.min(10_000) });
    drive(server, requests, connections, Duration::from_secs_f64(1.0 / rate), seconds)
}

fn drive(server: &Server, requests: Vec<Vec<u8>>, connections: usize, gap: Duration, seconds: f64) -> Probe {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    let address = server.address();
    local.block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.expect("connected");
            stream.set_nodelay(true).expect("set");
            streams.push(stream);
        }
        let load = Rc::new(Load {
            requests,
            again: !server.looks(),
            next: Cell::new(0),
            gap,
            started: Instant::now(),
            until: Duration::from_secs_f64(seconds),
            latencies: RefCell::default(),
            refused: Cell::new(0),
        });
        let senders: Vec<_> =
            streams.into_iter().map(|stream| tokio::task::spawn_local(send(Rc::clone(&load), stream))).collect();
        for sender in senders {
            sender.await.expect("no panic");
        }
        let took = load.started.elapsed();
        let mut latencies = load.latencies.take();
        latencies.sort_unstable();
        Probe { latencies, refused: load.refused.get(), took }
    })
}

async fn send(load: Rc<Load>, mut stream: TcpStream) {
    let mut answer = [0_u8; 4096];
    loop {
        let number = load.next.get();
        // A server that does not look at them may get the same ones again.
        let place = if load.again { number % load.requests.len() } else { number };
        let Some(request) = load.requests.get(place) else { return };
        if load.started.elapsed() > load.until {
            return;
        }
        load.next.set(number + 1);
        let planned = load.started + load.gap * u32::try_from(number).unwrap_or(u32::MAX);
        let now = Instant::now();
        if planned > now {
            tokio::time::sleep(planned - now).await;
        }
        let from = if load.gap.is_zero() { now } else { planned };
        stream.write_all(request).await.expect("sent");
        let read = stream.read(&mut answer).await.expect("answered");
        // All answers fit into one segment; a cut one would show as a refusal.
        if answer[..read].starts_with(b"HTTP/1.1 2") {
            load.latencies.borrow_mut().push(from.elapsed());
        } else {
            load.refused.set(load.refused.get() + 1);
        }
    }
}

/// What a commit costs on this disk: median and 95th percentile of one appended page and its `fdatasync`.
pub(crate) fn sync_cost() -> String {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    let mut spent: Vec<Duration> = (0..200)
        .map(|_| {
            file.write_all(&[7; 8192]).expect("written");
            let from = Instant::now();
            file.sync_data().expect("synced");
            from.elapsed()
        })
        .collect();
    spent.sort_unstable();
    format!("p50 {:?}, p95 {:?}", spent[100], spent[190])
}
