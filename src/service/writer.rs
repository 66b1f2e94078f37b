//! The one writer: a thread that owns the store, so that whoever writes waits in one line and nobody holds a lock.
//!
//! Deliveries that wait together share one commit. The thread never waits for company: when the first delivery comes it
//! commits at once, and what arrives meanwhile is the next batch. Under light load a commit holds one delivery and nobody
//! is slower for it; under heavy load the commit itself is the pause in which a batch gathers.
//! Must not know: HTTP, how anything is decided.

use super::{
    config::Written,
    core::{Incoming, Received, Service},
    server::now,
    store::StoreError,
};
use crate::time::Timestamp;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the writer. More than that is a service that is too slow: it says so (503, `Retry-After`)
/// while Stripe still listens, rather than answering after the sender has given up. About a tenth of a second of work.
const WAITING: usize = 1024;

type Outcome = Result<Received, StoreError>;

enum Write {
    Deliver { incoming: Arc<Incoming>, answer: oneshot::Sender<Outcome> },
    Other(Box<dyn FnOnce(&mut Service) + Send>),
}

/// The line of those who want to write; cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    line: mpsc::Sender<Write>,
    written: Arc<Written>,
}

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Writer {
    /// Starts the thread over `service`. It ends after the last [`Writer`] is gone; the receiver then hears of it.
    pub(super) fn start(mut service: Service, written: Arc<Written>) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (line, mut waiting) = mpsc::channel(WAITING);
        let (end, ended) = oneshot::channel();
        let counts = Arc::clone(&written);
        let limit = service.settings().batch.max(1);
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            let mut taken = Vec::new();
            while waiting.blocking_recv_many(&mut taken, limit) > 0 {
                write(&mut service, &mut taken, &counts);
            }
            drop(service);
            // Nobody listens any more only when the server has been dropped: then nobody has to know.
            let _ = end.send(());
        })?;
        Ok((Self { line, written }, ended))
    }

    /// Hands a genuine delivery in and waits until its commit is on disk.
    ///
    /// # Errors
    /// [`Full`] at once when too many wait; the inner one is the store's.
    pub(super) async fn deliver(&self, incoming: Arc<Incoming>) -> Result<Outcome, Full> {
        let (answer, outcome) = oneshot::channel();
        if self.line.try_send(Write::Deliver { incoming, answer }).is_err() {
            Written::add(&self.written.turned_away, 1);
            return Err(Full);
        }
        Ok(outcome.await.unwrap_or_else(|_| Err(gone())))
    }

    /// Runs `work` on the store once it is its turn.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Service, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let work = move |service: &mut Service| {
            // Whoever asked may have gone away meanwhile: the work is done all the same.
            let _ = answer.send(work(service, now()));
        };
        self.line.send(Write::Other(Box::new(work))).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> StoreError {
    StoreError::Broken("the writer gave no answer".to_owned())
}

/// One round: what was taken from the line, the deliveries in one batch, then the others one by one, so that neither
/// starves the other.
fn write(service: &mut Service, taken: &mut Vec<Write>, written: &Written) {
    let (mut batch, mut answers, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for write in taken.drain(..) {
        match write {
            Write::Deliver { incoming, answer } => {
                batch.push(incoming);
                answers.push(answer);
            }
            Write::Other(work) => others.push(work),
        }
    }
    if !batch.is_empty() {
        written.batch(batch.len());
        // A panic in a transaction undoes it; those who wait learn that there was no answer.
        let outcomes = survive(|| service.receive_batch(now(), &batch)).unwrap_or_default();
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // The sender may have hung up: what is committed stays committed.
            let _ = answer.send(outcome);
        }
    }
    for work in others {
        survive(|| work(service));
    }
}

fn survive<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
