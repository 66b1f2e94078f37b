//! Child processes of a run: started, killed (SIGKILL) at a fault, stopped (SIGTERM), started again on the same port. What a
//! process is (the embedded service, or a command of somebody's app) is a value, [`Start`].
//!
//! The embedded service is the same binary: `hookdrill serve` with a database of its own, so that a kill is real.
//! Must not know: plans, what the processes do.

mod app;
mod embedded;
pub mod keeper;
mod output;
pub(in crate::drive) mod ports;
mod signals;
mod start;

pub(crate) use app::program_in;
pub use app::{AppCommand, Ready};
pub use embedded::ServiceCommand;
pub use output::Output;
pub use start::{Came, Start, StartError};

use keeper::Keeper;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin},
    sync::{Mutex, watch},
};

/// What begins the line on standard input with which the embedded service is told how wrong its clock is to be, in
/// milliseconds.
pub const CLOCK: &str = "clock ";

/// A child that was told to stop and has not ended after so long is killed: longer than it gives requests and calls.
pub const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// Longest gap between two looks whether a process that is starting has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Deaths in a row after which a process is not started again by itself.
const MOST_FALLS: u32 = 5;

/// Pause before the first start after a death; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A process that has lived for so long since it was ready has recovered.
const RECOVERED: Duration = Duration::from_secs(10);

/// One place for a process; whoever starts or kills it holds the lock.
pub type Slot = Arc<Mutex<Process>>;

/// How far a start has come, as the watcher beside the process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Not known yet.
    Starting,
    /// It answers, on this port (0: on none).
    Ready(u16),
    /// It did not get ready in time, or closed its output.
    Late,
}

/// A child process, running or not. It and all that it started ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    start: Start,
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    keeper: Option<Arc<Keeper>>,
    /// It was told to stop: that it ends is no accident.
    told: bool,
    /// What its clock is wrong by, milliseconds.
    clock_ms: i64,
    port: u16,
    /// Counts starts and ends that were meant, so that a start that was overtaken is noticed.
    life: u64,
    progress: watch::Receiver<Progress>,
    /// When it got ready.
    ready_at: Option<tokio::time::Instant>,
    falls: u32,
}

/// All processes of a run.
#[derive(Debug)]
pub struct Fleet {
    slots: Vec<Slot>,
}

impl Fleet {
    /// Starts them one after the other, each when the one before is ready. Should this process end in whatever way, those of
    /// an app and their folder `scratch` go with it.
    ///
    /// # Errors
    /// [`StartError`] of the first that does not start; then none is left running.
    pub async fn start(starts: Vec<Start>, scratch: &Path) -> Result<Self, StartError> {
        let keeper = match starts.iter().find_map(Start::keeper) {
            Some(program) => Some(Arc::new(Keeper::start(program, scratch).map_err(StartError::Keeper)?)),
            None => None,
        };
        let mut slots = Vec::new();
        for start in starts {
            let mut process = Process::new(start);
            process.keeper = keeper.clone();
            process.start_again().await?;
            slots.push(Arc::new(Mutex::new(process)));
        }
        Ok(Self { slots })
    }

    /// The places, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a fleet of none is no fleet")]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Base URL of each.
    pub async fn urls(&self) -> Vec<String> {
        let mut urls = Vec::new();
        for slot in &self.slots {
            urls.push(slot.lock().await.url());
        }
        urls
    }
}

impl Process {
    fn new(start: Start) -> Self {
        let port = start.find_port();
        let (_, progress) = watch::channel(Progress::Starting);
        Self {
            start,
            child: None,
            stdin: None,
            keeper: None,
            told: false,
            clock_ms: 0,
            port,
            life: 0,
            progress,
            ready_at: None,
            falls: 0,
        }
    }

    /// Starts a process by itself and waits until it answers.
    ///
    /// # Errors
    /// [`StartError`] with the end of what it said.
    pub async fn start(start: impl Into<Start>) -> Result<Self, StartError> {
        let mut process = Self::new(start.into());
        process.start_again().await?;
        Ok(process)
    }

    /// Base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.start.name()
    }

    /// Starts the child again on the port that it had, and waits until it answers.
    ///
    /// # Errors
    /// [`StartError`] with the end of what it said.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        let (life, mut progress) = self.begin()?;
        loop {
            match self.look(life).await {
                Some(done) => return done.map(|_| ()),
                None => next(&mut progress).await,
            }
        }
    }

    /// The same for a process that others may kill meanwhile.
    ///
    /// # Errors
    /// [`StartError`] with the end of what it said.
    pub async fn bring_up(slot: &Slot) -> Result<Came, StartError> {
        let (life, mut progress) = slot.lock().await.begin()?;
        loop {
            if let Some(done) = slot.lock().await.look(life).await {
                return done;
            }
            next(&mut progress).await;
        }
    }

    /// Starts a process that died by itself again after a pause, unless somebody else has done anything to it meanwhile.
    ///
    /// # Errors
    /// [`StartError`] with the end of what it said.
    pub async fn revive(slot: &Slot, life: u64, pause: Duration) -> Result<Came, StartError> {
        tokio::time::sleep(pause).await;
        if slot.lock().await.life != life {
            return Ok(Came::Overtaken);
        }
        Self::bring_up(slot).await
    }

    /// Starts the child unless it runs; answers which life it is and where its progress is told.
    fn begin(&mut self) -> Result<(u64, watch::Receiver<Progress>), StartError> {
        if self.child.is_some() && self.has_died().is_none() {
            return Ok((self.life, self.progress.clone()));
        }
        let started = self.start.spawn(self.port)?;
        if let (Some(keeper), Some(watched)) = (&self.keeper, self.start.watched(&started.child)) {
            keeper.watch(&watched);
        }
        (self.child, self.stdin, self.progress) = (Some(started.child), started.stdin, started.progress);
        (self.told, self.ready_at) = (false, None);
        self.life += 1;
        Ok((self.life, self.progress.clone()))
    }

    /// Whether a start has come to its end, and how.
    async fn look(&mut self, life: u64) -> Option<Result<Came, StartError>> {
        if self.life != life {
            return Some(Ok(Came::Overtaken));
        }
        let progress = *self.progress.borrow();
        if let Some(how) = self.has_died() {
            return Some(Err(self.start.not_ready(&format!("and ended ({how})"))));
        }
        match progress {
            Progress::Starting => None,
            Progress::Late => {
                self.kill().await;
                let within = self.start.ready_within().as_secs();
                Some(Err(self.start.not_ready(&format!("within {within} s"))))
            }
            Progress::Ready(port) => {
                self.port = port;
                self.ready_at.get_or_insert(now());
                if self.clock_ms != 0 {
                    self.set_clock(self.clock_ms).await;
                }
                Some(Ok(Came::Ready))
            }
        }
    }

    /// Kills the child (SIGKILL), with all that it started, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.life += 1;
        if let Some(mut child) = self.child.take() {
            let number = child.id();
            self.start.kill(&mut child).await;
            self.gone(number);
        }
        self.stdin = None;
    }

    /// Lets the child's clock be wrong by so many milliseconds, ahead when positive, also after it was started again.
    pub async fn set_clock(&mut self, offset_ms: i64) {
        self.clock_ms = offset_ms;
        if let Some(stdin) = &mut self.stdin {
            // An error means that the child is gone: the next one is told again.
            drop(stdin.write_all(format!("{CLOCK}{offset_ms}\n").as_bytes()).await);
        }
    }

    /// Tells the child to stop, as whoever operates it does (SIGTERM; elsewhere its standard input closes); returns the
    /// number of its process.
    pub fn terminate(&mut self) -> Option<u32> {
        let number = self.child.as_ref()?.id()?;
        self.told = true;
        self.life += 1;
        self.start.terminate(number);
        #[cfg(not(unix))]
        drop(self.stdin.take());
        Some(number)
    }

    /// Whether the process of that number has ended, however it did.
    pub fn has_ended(&mut self, number: u32) -> bool {
        let Some(child) = self.child.as_mut().filter(|child| child.id() == Some(number)) else { return true };
        let ended = !matches!(child.try_wait(), Ok(None));
        if ended {
            self.child = None;
            self.start.kill_rest(number);
            self.gone(Some(number));
        }
        ended
    }

    /// Kills the child if it is still the process of that number.
    pub async fn kill_if(&mut self, number: u32) {
        if self.child.as_ref().and_then(Child::id) == Some(number) {
            self.kill().await;
        }
    }

    /// How the child ended by itself once it was ready, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.ready_at?;
        self.has_died()
    }

    fn has_died(&mut self) -> Option<String> {
        let child = self.child.as_mut().filter(|_| !self.told)?;
        let number = child.id();
        let status = child.try_wait().ok().flatten()?;
        self.child = None;
        if let Some(number) = number {
            self.start.kill_rest(number);
        }
        self.gone(number);
        Some(status.to_string())
    }

    /// After a death: which life it was, and the pause before it is started again. None when nobody starts it again.
    pub fn falls(&mut self) -> Option<(u64, Duration)> {
        if self.ready_at.take().is_some_and(|at| now().duration_since(at) >= RECOVERED) {
            self.falls = 0;
        }
        self.falls += 1;
        let again = self.start.restarts() && self.falls <= MOST_FALLS;
        again.then(|| (self.life, FIRST_PAUSE * 2_u32.pow(self.falls - 1)))
    }

    /// The end of what it said.
    pub fn said(&self) -> String {
        self.start.said()
    }

    fn gone(&self, number: Option<u32>) {
        if let (Some(keeper), Some(number)) = (&self.keeper, number) {
            keeper.gone(number);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child itself is killed when it is dropped; what it started is not.
        if let Some(number) = self.child.as_ref().and_then(Child::id) {
            self.start.kill_rest(number);
        }
    }
}

/// Ends every process of a group.
pub(crate) fn kill_group(number: u32) {
    signals::tell_group(number, signals::Told::Kill);
}

/// Until something was told, or it is time to look.
async fn next(progress: &mut watch::Receiver<Progress>) {
    tokio::select! {
        Ok(()) = progress.changed() => {}
        () = tokio::time::sleep(LOOK) => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a child has lived is read off the real clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
