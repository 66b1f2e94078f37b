//! What the interpreter says and is told: directives for a body, and inputs from it.
//!
//! Must not know: how anything is carried out.

use crate::history::record::{Outcome, RunPhase};

/// Something to do now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Directive {
    /// A phase begins; at [`RunPhase::Quiet`] all faults go off.
    Enter(RunPhase),
    /// Send an attempt.
    Send(Sending),
    /// An attempt is lost before it arrives: record it, send nothing.
    Lose(Sending),
    /// Do step number `0` of [`Plan::steps`].
    Step(usize),
    /// A fault begins or ends: record it.
    Note {
        /// In words.
        what: String,
        /// Begins (true) or ends.
        on: bool,
    },
    /// Kill the service.
    Kill,
    /// Start the service again.
    Restart,
    /// Tell every process of the service to stop; [`Input::Stopped`] when the last has ended.
    Stop,
    /// From now on nobody but the fault may write to the service's store, or it is over.
    LockStore(bool),
    /// From now on the service's clock is wrong by so many milliseconds; ahead when positive.
    SetClock(i64),
    /// Kill one process of the service; the others work on.
    KillOne(usize),
    /// Start that process again.
    StartOne(usize),
    /// Read the state of instance number `instance`; `last` at the end of a quiet phase.
    Probe {
        /// Index in [`Plan::instances`].
        instance: usize,
        /// Whether it is the reading that is judged.
        last: bool,
    },
    /// Ask the service for its queue.
    ReadQueue {
        /// Whether it is the reading that is judged.
        last: bool,
    },
    /// Record the state of the doubles.
    Ledger,
    /// Nothing to do before this time, unless an input comes.
    Wait {
        /// Milliseconds after the start of the run.
        until_ms: u64,
    },
    /// The run is over.
    Done {
        /// Why the plan was not carried out to its end; absent when it was.
        incomplete: Option<String>,
    },
}

/// An attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    /// Index in [`Plan::deliveries`].
    pub delivery: usize,
    /// From 1.
    pub attempt: u32,
    /// When it should leave.
    pub planned_ms: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// An attempt that was sent ended.
    Ended {
        /// Index in [`Plan::deliveries`].
        delivery: usize,
        /// How.
        outcome: Outcome,
    },
    /// A probe ended.
    Probed {
        /// Index in [`Plan::instances`].
        instance: usize,
        /// Whether access is open; absent when there was no reading.
        access: Option<bool>,
        /// Whether it was a last reading.
        last: bool,
    },
    /// The service reported its queue, or did not answer.
    Queue {
        /// Jobs waiting or running; absent when it did not answer.
        pending: Option<u64>,
        /// Whether it was a last reading.
        last: bool,
    },
    /// A step ended.
    Stepped,
    /// The service called a double.
    Called,
    /// Every process that was told to stop has ended.
    Stopped,
    /// The service answers (again).
    Up,
    /// One process answers again.
    OneUp(usize),
    /// A call of the service is held until the service is dead.
    Held {
        /// It is to be started again after this long.
        restart_after_ms: u64,
    },
    /// The service crashed by itself at a point where the run wanted it to; it is to be started again.
    Crashed {
        /// After this long.
        restart_after_ms: u64,
    },
}

/// What the interpreter must know of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abilities {
    /// It has a probe for customer state.
    pub probe: bool,
    /// It reports its queue.
    pub queue: bool,
    /// How many processes it has that can be killed one by one.
    pub processes: usize,
}
