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
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// Requests that may wait for the writer. More than that is a service that is too slow: it says so (503, `Retry-After`)
/// while Stripe still listens, rather than answering after the sender has given up. About a tenth of a second of work.
const WAITING: usize = 1024;

type Outcome = Result<Received, StoreError>;

enum Write {
    Deliver { incoming: Arc<Incoming>, answer: oneshot::Sender<Outcome> },
    Other(Box<dyn FnOnce(&mut Service) -> Tell + Send>),
}

/// Tells who asked, once it is known whether what was done is on disk.
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What is to be told to one who waits.
type Told = Box<dyn FnOnce() + Send>;

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
        let (counts, runtime) = (Arc::clone(&written), Handle::current());
        let limit = service.settings().batch.max(1);
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            let mut taken = Vec::new();
            while waiting.blocking_recv_many(&mut taken, limit) > 0 {
                // Where all cores are busy, those that are about to hand something in run first and share this commit; where
                // one is idle, this is nothing.
                std::thread::yield_now();
                while taken.len() < limit
                    && let Ok(next) = waiting.try_recv()
                {
                    taken.push(next);
                }
                let told = write(&mut service, &mut taken, &counts);
                // Told from within: one wake-up of another thread for all of them, not one for each.
                runtime.spawn(async move { told.into_iter().for_each(|tell| tell()) });
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
        let work = move |service: &mut Service| -> Tell {
            let done = work(service, now());
            // Whoever asked may have gone away meanwhile: the work is done all the same.
            Box::new(move |committed| drop(answer.send(committed.and(done))))
        };
        self.line.send(Write::Other(Box::new(work))).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> StoreError {
    StoreError::Broken("the writer gave no answer".to_owned())
}

/// One round: what was taken from the line, the deliveries in one batch, then the others one by one, all with one commit;
/// so neither waits for the disk twice, and neither starves the other. Nobody hears of anything before the commit.
fn write(service: &mut Service, taken: &mut Vec<Write>, written: &Written) -> Vec<Told> {
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
    }
    let done = service.grouped(|service| {
        // A panic in a transaction undoes it alone; those who wait learn that there was no answer.
        let outcomes = survive(|| receive(service, &batch)).unwrap_or_default();
        let tells: Vec<Tell> = others.into_iter().filter_map(|work| survive(|| work(service))).collect();
        (outcomes, tells)
    });
    let (outcomes, tells) = match done {
        Ok(done) => done,
        // Nobody's work is kept. Who is not answered learns it from the end of the channel.
        Err(error) => (vec![Err(error); batch.len()], Vec::new()),
    };
    // Whoever hung up meanwhile is not told; what is committed stays committed.
    let delivered = answers.into_iter().zip(outcomes);
    let delivered = delivered.map(|(answer, outcome)| -> Told { Box::new(move || drop(answer.send(outcome))) });
    delivered.chain(tells.into_iter().map(|tell| -> Told { Box::new(move || tell(Ok(()))) })).collect()
}

fn receive(service: &mut Service, batch: &[Arc<Incoming>]) -> Vec<Outcome> {
    if batch.is_empty() { Vec::new() } else { service.receive_batch(now(), batch) }
}

fn survive<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        service::{config::Settings, store::Store},
        stripe::event::Event,
    };
    use std::sync::mpsc::channel;

    fn incoming(number: usize) -> Arc<Incoming> {
        let body =
            format!(r#"{{"id":"evt_{number}","object":"event","created":5,"type":"a.b","data":{{"object":{{}}}}}}"#);
        Arc::new(Incoming::new(Event::parse(&body).expect("an event")))
    }

    fn started(settings: Settings) -> (Writer, Arc<Written>) {
        let written = Arc::<Written>::default();
        let (writer, _) =
            Writer::start(Service::new(Store::memory(), settings), Arc::clone(&written)).expect("a thread");
        (writer, written)
    }

    /// Holds the writer up until the sender is used or dropped.
    async fn held_up(writer: &Writer) -> std::sync::mpsc::Sender<()> {
        let (release, held) = channel();
        let (reached, reach) = oneshot::channel();
        let other = writer.clone();
        tokio::spawn(async move {
            let hold = move |_: &mut Service, _| {
                reached.send(()).ok();
                held.recv().ok();
                Ok(())
            };
            other.with(hold).await
        });
        reach.await.expect("reached");
        release
    }

    #[tokio::test]
    async fn what_waits_shares_a_commit_and_too_many_are_turned_away() {
        let (writer, written) = started(Settings { batch: 100, ..Settings::default() });
        let release = held_up(&writer).await;
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..WAITING {
            let writer = writer.clone();
            waiting.spawn(async move { writer.deliver(incoming(number)).await });
        }
        while writer.line.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(writer.deliver(incoming(WAITING)).await.err(), Some(Full));
        drop(release);
        while let Some(outcome) = waiting.join_next().await {
            assert!(outcome.expect("no panic").expect("in the line").is_ok());
        }
        assert_eq!(written.counts(), (WAITING as u64, WAITING.div_ceil(100) as u64));
        assert!(writer.deliver(incoming(WAITING)).await.is_ok(), "there is room again");
    }

    #[tokio::test]
    async fn a_panic_is_survived_and_told() {
        let (writer, _) = started(Settings::default());
        let panics = writer.with(|_, _| -> Result<(), StoreError> { panic!("on purpose") }).await;
        assert!(matches!(panics, Err(StoreError::Broken(_))));
        assert!(writer.deliver(incoming(1)).await.is_ok_and(|outcome| outcome.is_ok()));
        assert_eq!(writer.with(|service, _| service.status()).await.map(|status| status.events), Ok(1));
    }
}
