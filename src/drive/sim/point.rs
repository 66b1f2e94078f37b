//! The named moments of a service process between which anything may happen: a crash, or another process's turn.
//!
//! Must not know: what happens at them.

/// A scheduling point. It is passed when what it names has just been done, so that a crash there comes before the next
/// step. Readings by probes and the report of the queue change nothing and have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A delivery has arrived; nothing is written yet.
    DeliveryArrived,
    /// Deliveries that waited have been taken into one batch; its commit is under way.
    BatchTaken,
    /// The transaction of a batch has committed; nothing is answered yet.
    IngestCommitted,
    /// What was left over of a delivery has been committed; only a service that tears its work apart passes here.
    RestCommitted,
    /// The answer to a delivery has left.
    AnswerSent,
    /// A sign-up has committed; nothing is answered yet.
    SignUpCommitted,
    /// A request for help has committed; nothing is answered yet.
    RequestCommitted,
    /// A worker found no job that is due; jobs that needed no call are completed.
    QueueLooked,
    /// A worker's claim of a job has committed; nothing is called yet.
    JobClaimed,
    /// A call to a double has left.
    CallSent,
    /// The double has done what was asked; its answer is on the way.
    CallTookEffect,
    /// The answer of a double is here; nothing is written yet.
    CallAnswered,
    /// What the answer means for the job has committed.
    JobFinished,
}

impl Point {
    /// Every point, in the order of a delivery's life.
    pub const ALL: [Self; 13] = [
        Self::DeliveryArrived,
        Self::BatchTaken,
        Self::IngestCommitted,
        Self::RestCommitted,
        Self::AnswerSent,
        Self::SignUpCommitted,
        Self::RequestCommitted,
        Self::QueueLooked,
        Self::JobClaimed,
        Self::CallSent,
        Self::CallTookEffect,
        Self::CallAnswered,
        Self::JobFinished,
    ];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeliveryArrived => "delivery arrived",
            Self::BatchTaken => "batch taken",
            Self::IngestCommitted => "ingest committed",
            Self::RestCommitted => "rest committed",
            Self::AnswerSent => "answer sent",
            Self::SignUpCommitted => "sign-up committed",
            Self::RequestCommitted => "request committed",
            Self::QueueLooked => "queue looked",
            Self::JobClaimed => "job claimed",
            Self::CallSent => "call sent",
            Self::CallTookEffect => "call took effect",
            Self::CallAnswered => "call answered",
            Self::JobFinished => "job finished",
        }
    }
}
