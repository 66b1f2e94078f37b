//! Deliberate defects, each changing one decision of the service. They exist to prove that a suite would notice.
//!
//! Must not know: how a defect is found.

use std::collections::BTreeSet;

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:literal, $anomaly:literal;)+) => {
        /// One deliberate defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Defect {
            $($(#[$doc])* $variant,)+
        }

        impl Defect {
            /// Every defect, by class number.
            pub const fn all() -> &'static [Self] {
                &[$(Self::$variant),+]
            }

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The number of the bug class that it stands for.
            pub const fn class(self) -> u32 {
                match self {
                    $(Self::$variant => $class,)+
                }
            }

            /// The name of the anomaly that a sound judge should give what it does.
            pub const fn anomaly(self) -> &'static str {
                match self {
                    $(Self::$variant => $anomaly,)+
                }
            }
        }
    };
}

defects! {
    /// Every delivery is handled as a new event: a copy opens another ticket and counts another purchase.
    NoDedupe = "no-dedupe", 1, "duplicate";
    /// Event ids are remembered by the process only: a restart forgets them.
    DedupeInMemory = "dedupe-in-memory", 2, "duplicate";
    /// Whether the event is known is asked first and written later, in another transaction.
    CheckThenInsert = "check-then-insert", 3, "duplicate";
    /// The event is marked as seen first and applied later, in another transaction; a retry is answered 200.
    SeenIsApplied = "seen-is-applied", 4, "lost";
    /// The subscription snapshot that arrives last wins, however old it is.
    LastArrivalWins = "last-arrival-wins", 11, "stale";
    /// Of two snapshots of one second, the one that arrives first stays.
    StrictlyNewerWins = "strictly-newer-wins", 13, "stale";
    /// An update that arrives after the deletion revives the subscription.
    UpdateRevives = "update-revives", 18, "resurrected";
    /// Jobs are committed before the state they need; a worker that finds no state drops its job.
    JobBeforeCommit = "job-before-commit", 29, "lost";
    /// Jobs are written in a transaction after the one of the state.
    JobAfterCommit = "job-after-commit", 30, "lost";
    /// 200 first; the event waits in memory and is persisted a moment later.
    AckBeforePersist = "ack-before-persist", 31, "lost";
    /// 200 once the commit is written but before it is on disk: a power cut takes back what was promised.
    CommitNotSynced = "commit-not-synced", 31, "lost";
    /// A lease that has run out is never taken over.
    LeaseNeverReclaimed = "lease-never-reclaimed", 32, "lost";
    /// A ticket is opened without a key and without looking for one after an uncertain attempt.
    TicketNotKeyed = "ticket-not-keyed", 34, "duplicate";
    /// After an uncertain attempt the task in the CRM is made again, without looking for it.
    TaskNotSearched = "task-not-searched", 34, "duplicate";
    /// A request to support that no rule speaks for is opened in no queue.
    NoDefaultQueue = "no-default-queue", 39, "lost";
    /// Every event creates a contact: no search, no stored id, the e-mail in another field so that the CRM cannot object.
    ContactOnEveryEvent = "contact-on-every-event", 64, "duplicate";
    /// Reconciliation stops at the first event that it knows: one that was lost before it stays lost.
    ReconcileStopsEarly = "reconcile-stops-early", 66, "lost";
}

impl Defect {
    /// The defect of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|defect| defect.name() == name)
    }
}

/// The defects that are switched on; none in the sound service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defects(BTreeSet<Defect>);

impl Defects {
    /// No defect: the sound service.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `defect` is switched on.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_again() {
        let names: BTreeSet<_> = Defect::all().iter().map(|d| d.name()).collect();
        assert_eq!(names.len(), Defect::all().len());
        for defect in Defect::all() {
            assert_eq!(Defect::named(defect.name()), Some(*defect));
        }
        assert_eq!(Defect::named("none"), None);
    }
}
