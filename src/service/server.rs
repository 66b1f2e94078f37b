//! Runs the service on a socket: the real clock, the listener, the worker tasks, a clean end.
//!
//! Must not know: how anything is decided.

use super::metrics::{peer, result as came_to};
use super::{
    alerts::Answered,
    client::Client,
    config::{Config, Database, Secret, Settings, Shop},
    core::Service,
    defects::{Defect, Defects},
    routes::router,
    session::Sealer,
    store::{Store, StoreError},
    writer::Writer,
};
use super::{
    job::Lease,
    listener,
    operations::Operations,
    overview, telemetry,
    upstream::{Call, CallResult},
};
use crate::time::Timestamp;
use std::{
    future::Future,
    net::SocketAddr,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinSet,
};
use tracing::Instrument;

/// Why the service did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration would not be safe.
    #[error("start the service: {0}")]
    Unsafe(&'static str),
    /// The listener is open to others, and the configuration does not say that it may be.
    #[error("start the service: {0} is not a loopback address, and `public` is not set")]
    NotLoopback(SocketAddr),
    /// The store does not open.
    #[error("start the service: cannot {0}")]
    Store(#[from] StoreError),
    /// The socket fails.
    #[error("serve: {0}")]
    Socket(#[from] std::io::Error),
}

/// What the handlers share; every request has a copy, so a copy is one count more.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What there is once in a service.
pub(super) struct Shared {
    pub(super) writer: Writer,
    /// Sees what is committed, beside the writer; none over memory, which only the writer has.
    reader: Option<Arc<Mutex<Service>>>,
    pub(super) secrets: Vec<Secret>,
    /// Deliberate defects of what stands before the core.
    pub(super) defects: Defects,
    /// Rung when there may be a job.
    pub(super) wake: Notify,
    pub(super) public: bool,
    /// Asks Stripe while a person waits.
    pub(super) client: Client,
    pub(super) shop: Shop,
    pub(super) sealer: Sealer,
    /// Where Stripe's pages may be, for the browser's leave to go there from a form.
    pub(super) stripe_url: Option<String>,
    /// What those who operate the service ask for.
    pub(super) operations: Arc<Operations>,
    /// Deliveries that were answered without the store, and which it has not heard of.
    pub(super) unheard: Unheard,
}

/// For how long something took.
#[expect(clippy::disallowed_methods, reason = "measured for metrics; nothing is decided by it")]
pub(super) fn stopwatch() -> Instant {
    Instant::now()
}

/// Deliveries that were answered before they came to the store.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    /// Their signature did not fit.
    pub(super) refused: AtomicU64,
    /// Too many waited.
    pub(super) turned_away: AtomicU64,
}

impl Unheard {
    pub(super) fn add(counter: &AtomicU64) {
        // Only counted: no other memory has to be in step.
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, service: &mut Service, now: Timestamp) {
        service.note(now, Answered::Refused, self.refused.swap(0, Ordering::Relaxed));
        service.note(now, Answered::Failed, self.turned_away.swap(0, Ordering::Relaxed));
    }
}

/// What is added to the machine's time, milliseconds.
static CLOCK_OFF: AtomicI64 = AtomicI64::new(0);

/// From now on the clock of every service in this process is off by so many milliseconds; ahead when positive.
pub fn set_clock(offset_ms: i64) {
    // One number: no other memory has to be in step.
    CLOCK_OFF.store(offset_ms, Ordering::Relaxed);
}

/// The service's clock.
#[expect(clippy::disallowed_methods, reason = "the service's clock: the one place where it reads the time")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis.saturating_add(CLOCK_OFF.load(Ordering::Relaxed)))
}

impl App {
    /// Whether browsers reach us over https.
    pub(super) fn is_https(&self) -> bool {
        self.shop.url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    pub(super) fn now(&self) -> Timestamp {
        now()
    }

    /// Runs `work` on the one writer.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Service, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.operations.noted(self.writer.with(work).await)
    }

    /// Runs `work`, which only reads, on what is committed; it does not wait for those who write.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Service, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(reader) = self.reader.clone() else { return self.with(work).await };
        let task = tokio::task::spawn_blocking(move || {
            // A panic in a reading changes nothing, so the service behind a poisoned lock is sound.
            let mut service = reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut service, now())
        });
        self.operations.noted(task.await.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string()))))
    }
}

/// The store to write to, and one to read from beside it.
fn open(database: &Database, settings: &Settings) -> Result<(Store, Option<Store>), StoreError> {
    let (mut store, beside) = match database {
        Database::Memory => (Store::memory(), None),
        Database::File(path) => (Store::sqlite(path)?, Some(Store::sqlite_reader(path)?)),
        Database::Postgres(at) => (Store::postgres(at)?, Some(Store::postgres_reader(at)?)),
    };
    if settings.defects.has(Defect::CommitNotSynced) {
        store.leave_commits_unsynced()?;
    }
    Ok((store, beside))
}

/// The key of the configuration, or one that nobody knows and that ends with the process.
fn session_key(given: &Secret) -> Result<Secret, ServiceError> {
    if !given.expose().is_empty() {
        return Ok(given.clone());
    }
    random_text().map(Secret::new).map_err(|error| ServiceError::Socket(std::io::Error::other(error)))
}

/// 128 bits from the system as text.
pub(super) fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// Serves until `shutdown` is ready, then lets requests and calls under way end.
///
/// # Errors
/// [`ServiceError`]: an unsafe configuration, a store that does not open, a socket that fails.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServiceError> {
    if let Some(objection) = config.objection() {
        return Err(ServiceError::Unsafe(objection));
    }
    let address = listener.local_addr()?;
    if !config.public && !address.ip().is_loopback() {
        return Err(ServiceError::NotLoopback(address));
    }
    let (store, beside) = open(&config.database, &config.settings)?;
    let over = |store| Service::new(store, config.settings.clone());
    let (writer, written) = Writer::start(over(store), Arc::clone(&config.written))?;
    let mut shop = config.shop.clone();
    shop.url.get_or_insert_with(|| format!("http://{address}"));
    let app = App(Arc::new(Shared {
        writer,
        reader: beside.map(|store| Arc::new(Mutex::new(over(store)))),
        secrets: config.secrets.clone(),
        defects: config.settings.defects.clone(),
        wake: Notify::new(),
        public: config.public,
        client: Client::new(&config),
        sealer: Sealer::new(session_key(&shop.session_key)?),
        shop,
        stripe_url: config.stripe_url.clone(),
        operations: Arc::new(Operations::new(&config)),
        unheard: Unheard::default(),
    }));
    // Only the first service over these counters is measured; a second one in this process has others.
    let _ = config.written.sizes.set(app.operations.metrics.batch_sizes());
    app.with(|service, now| service.visit(|tx| overview::watch(tx, now))).await?;
    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    for number in 1..=config.workers {
        let owner = format!("{}/{number}", std::process::id());
        let (alive, working) = (app.operations.worker(), work(app.clone(), owner, stopped.clone()));
        workers.spawn(async move {
            working.await;
            drop(alive);
        });
    }
    let operations = Arc::clone(&app.operations);
    let ended = async move {
        shutdown.await;
        tracing::info!("told to stop: no more connections, work under way is finished or put back");
        operations.stopping();
        // Nobody listens any more only when the server has failed already.
        let _ = stop.send(true);
    };
    tracing::info!("serving on {address}");
    let serving = listener::serve(listener, router(app), stopped, config.header_timeout);
    tokio::join!(serving, ended);
    let grace = config.call_timeout + Duration::from_secs(1);
    if tokio::time::timeout(grace, async { while workers.join_next().await.is_some() {} }).await.is_err() {
        workers.shutdown().await;
    }
    // Connections that outlived their grace may still hold the writer; what they wait for is not worth more waiting.
    let _ = tokio::time::timeout(Duration::from_secs(1), written).await;
    Ok(())
}

/// Longest that an idle worker sleeps: another process may have written jobs into the same file.
const IDLE: Duration = Duration::from_secs(1);

/// Longest that a call under way may take to end after the service was told to stop.
const LINGER: Duration = Duration::from_secs(2);

async fn work(app: App, owner: String, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        let name = owner.clone();
        let told = app.clone();
        let begun = app.with(move |service, now| {
            told.unheard.tell(service, now);
            service.begin(now, &name)
        });
        match begun.await {
            Ok(Some((lease, call))) => {
                // There may be more: one worker wakes the next.
                app.wake.notify_one();
                let span = tracing::info_span!(
                    target: telemetry::TARGET, "job.run", job = lease.job, claim = lease.claim, call = call.name()
                );
                carry_out(&app, lease, &call, &mut stopped).instrument(span).await;
            }
            Ok(None) => rest(&app, &mut stopped).await,
            Err(error) => {
                tracing::error!("failed to claim a job: {error}");
                pause(&app, IDLE, &mut stopped).await;
            }
        }
    }
}

/// Makes the call and takes its answer in; told to stop, the claim is given back, so that nobody waits for its lease.
async fn carry_out(app: &App, lease: Lease, call: &Call, stopped: &mut watch::Receiver<bool>) {
    let answered = tokio::select! {
        biased;
        answered = measured(app, call) => Some(answered),
        () = lingered(stopped) => None,
    };
    let Some(result) = answered else {
        match app.with(move |service, now| service.release(now, &lease)).await {
            Ok(_) => tracing::info!("stopping: a job under way was put back"),
            Err(error) => tracing::error!("failed to put a job back, its lease will run out: {error}"),
        }
        return;
    };
    tracing::debug!(peer = peer(call.upstream()), result = came_to(&result), "called");
    if let Err(error) = app.with(move |service, now| service.finish(now, &lease, &result)).await {
        tracing::error!("failed to finish a job, its lease will run out: {error}");
    }
}

async fn measured(app: &App, call: &Call) -> CallResult {
    let (started, peer) = (stopwatch(), peer(call.upstream()));
    let span = tracing::info_span!(target: telemetry::TARGET, "upstream.call", peer, result = tracing::field::Empty);
    let result = app.client.send(call).instrument(span.clone()).await;
    span.record("result", came_to(&result));
    app.operations.metrics.call(call, &result, started.elapsed());
    result
}

async fn lingered(stopped: &mut watch::Receiver<bool>) {
    // The one who says stop is gone: that is the end as well.
    let _ = stopped.wait_for(|stop| *stop).await;
    tokio::time::sleep(LINGER).await;
}

async fn rest(app: &App, stopped: &mut watch::Receiver<bool>) {
    let wait = app.with(|service, now| Ok(service.next_ready()?.map(|at| at.since(now)))).await;
    let wait = wait.ok().flatten().unwrap_or(IDLE);
    pause(app, wait.clamp(Duration::from_millis(1), IDLE), stopped).await;
}

async fn pause(app: &App, wait: Duration, stopped: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = app.wake.notified() => {}
        () = tokio::time::sleep(wait) => {}
        _ = stopped.changed() => {}
    }
}
