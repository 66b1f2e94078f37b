//! A history by what one asks of it: attempts with their replies, final probes, ledgers, calls, visits, phases.
//!
//! Must not know: what is right.

use super::{
    file::History,
    record::{
        Attempt, Call, Contact, PageMeasured, Probe, ProcessEvent, Queue, Record, Reply, RunPhase, SecretsLooked,
        Start, Ticket, Visit,
    },
};
use crate::id::{DeliveryId, InstanceId};
use std::collections::BTreeMap;

/// One record and where it stands.
#[derive(Debug, PartialEq)]
pub struct Seen<'h, T> {
    /// Record number.
    pub n: u64,
    /// When it was recorded.
    pub at_ms: u64,
    /// Phase that it lies in; absent before the first.
    pub phase: Option<RunPhase>,
    /// What it says.
    pub what: &'h T,
}

impl<T> Clone for Seen<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Seen<'_, T> {}

/// An attempt and how it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent<'h> {
    /// The attempt.
    pub attempt: Seen<'h, Attempt>,
    /// Its end; absent when it was dropped, or when the run was cut short.
    pub reply: Option<Seen<'h, Reply>>,
}

/// The state of both doubles at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ledger<'h> {
    /// Record number.
    pub n: u64,
    /// CRM contacts.
    pub contacts: &'h [Contact],
    /// Support tickets.
    pub tickets: &'h [Ticket],
}

/// The last record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End<'h> {
    /// Record number.
    pub n: u64,
    /// Why the plan was not carried out to its end.
    pub incomplete: Option<&'h str>,
    /// Sender's lateness, 99th percentile.
    pub lateness_p99_us: u64,
}

/// Something that happened to the service process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessSeen<'h> {
    /// Record number.
    pub n: u64,
    /// When.
    pub at_ms: u64,
    /// What.
    pub event: ProcessEvent,
    /// Exit status or the like.
    pub detail: Option<&'h str>,
}

/// A note of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultSeen<'h> {
    /// Record number.
    pub n: u64,
    /// When.
    pub at_ms: u64,
    /// In words.
    pub what: &'h str,
    /// Planned or began, or ended.
    pub on: bool,
}

/// Indices into one history.
#[derive(Debug, Default)]
pub struct Lookup<'h> {
    /// First record.
    pub start: Option<&'h Start>,
    /// Last record; absent when the run was cut short.
    pub end: Option<End<'h>>,
    /// Phases: which, number of the record that began it, when.
    pub phases: Vec<(RunPhase, u64, u64)>,
    /// Calls of the service to the doubles, in order.
    pub calls: Vec<Seen<'h, Call>>,
    /// Those of the clean part, before the faults.
    pub clean_calls: Vec<Seen<'h, Call>>,
    /// When the last record was written.
    pub last_ms: u64,
    /// Steps of people, in order.
    pub visits: Vec<Seen<'h, Visit>>,
    /// Readings of the service's queue, in order.
    pub queues: Vec<Seen<'h, Queue>>,
    /// What became of the process, in order.
    pub processes: Vec<ProcessSeen<'h>>,
    /// Notes of faults, in order.
    pub faults: Vec<FaultSeen<'h>>,
    /// Files that were looked through for secrets, in order.
    pub secrets: Vec<Seen<'h, SecretsLooked>>,
    /// Pages that were measured, in order.
    pub pages: Vec<Seen<'h, PageMeasured>>,
    /// Whether the last line of the file was cut off.
    pub truncated: bool,
    sent: BTreeMap<&'h DeliveryId, Vec<Sent<'h>>>,
    probes: BTreeMap<&'h InstanceId, Vec<Seen<'h, Probe>>>,
    ledgers: Vec<(Option<RunPhase>, Ledger<'h>)>,
}

impl<'h> Lookup<'h> {
    /// Indexes a history.
    pub fn new(history: &'h History) -> Self {
        let mut lookup = Self { truncated: history.truncated, ..Self::default() };
        for entry in &history.entries {
            lookup.add(entry.n, entry.at_ms, &entry.record);
        }
        lookup
    }

    fn add(&mut self, n: u64, at_ms: u64, record: &'h Record) {
        let phase = self.phases.last().map(|(phase, ..)| *phase);
        self.last_ms = self.last_ms.max(at_ms);
        if phase == Some(RunPhase::Clean) {
            match record {
                Record::Call(what) => return self.clean_calls.push(Seen { n, at_ms, phase, what }),
                // Those who count steps and waiting jobs mean the run itself.
                Record::Visit(_) | Record::Queue(_) => return,
                _ => {}
            }
        }
        match record {
            Record::Start(start) => self.start = Some(start),
            Record::Phase { phase } => self.phases.push((*phase, n, at_ms)),
            Record::Attempt(what) => {
                let attempt = Seen { n, at_ms, phase, what };
                self.sent.entry(&what.delivery).or_default().push(Sent { attempt, reply: None });
            }
            Record::Reply(what) => self.add_reply(Seen { n, at_ms, phase, what }),
            Record::Call(what) => self.calls.push(Seen { n, at_ms, phase, what }),
            Record::Probe(what) => {
                self.probes.entry(&what.instance).or_default().push(Seen { n, at_ms, phase, what });
            }
            Record::Visit(what) => self.visits.push(Seen { n, at_ms, phase, what }),
            Record::Fault { what, on } => self.faults.push(FaultSeen { n, at_ms, what, on: *on }),
            Record::Process { event, detail } => {
                self.processes.push(ProcessSeen { n, at_ms, event: *event, detail: detail.as_deref() });
            }
            Record::Queue(what) => self.queues.push(Seen { n, at_ms, phase, what }),
            Record::Ledger { contacts, tickets } => self.ledgers.push((phase, Ledger { n, contacts, tickets })),
            Record::Secrets(what) => self.secrets.push(Seen { n, at_ms, phase, what }),
            Record::Page(what) => self.pages.push(Seen { n, at_ms, phase, what }),
            Record::End { incomplete, lateness_p99_us } => {
                self.end = Some(End { n, incomplete: incomplete.as_deref(), lateness_p99_us: *lateness_p99_us });
            }
        }
    }

    fn add_reply(&mut self, reply: Seen<'h, Reply>) {
        let sent = self.sent.get_mut(&reply.what.delivery);
        let open = sent.and_then(|all| {
            all.iter_mut().rev().find(|s| s.attempt.what.attempt == reply.what.attempt && s.reply.is_none())
        });
        if let Some(open) = open {
            open.reply = Some(reply);
        }
    }

    /// Attempts of a delivery with their replies, in order.
    pub fn sent(&self, delivery: &DeliveryId) -> &[Sent<'h>] {
        self.sent.get(delivery).map_or(&[], Vec::as_slice)
    }

    /// All probes of an instance, in order.
    pub fn probes(&self, instance: &InstanceId) -> &[Seen<'h, Probe>] {
        self.probes.get(instance).map_or(&[], Vec::as_slice)
    }

    /// The final probe of an instance at the end of `phase`.
    pub fn last_probe(&self, instance: &InstanceId, phase: RunPhase) -> Option<Seen<'h, Probe>> {
        self.probes(instance).iter().rev().find(|probe| probe.what.last && probe.phase == Some(phase)).copied()
    }

    /// State of the doubles at the end of `phase`.
    pub fn ledger(&self, phase: RunPhase) -> Option<Ledger<'h>> {
        self.ledgers.iter().rev().find(|(of, _)| *of == Some(phase)).map(|(_, ledger)| *ledger)
    }

    /// Record number with which `phase` began.
    pub fn began(&self, phase: RunPhase) -> Option<u64> {
        self.phases.iter().find(|(of, ..)| *of == phase).map(|(_, n, _)| *n)
    }

    /// The quiet phases that this run reached, in order: where end states can be read.
    pub fn quiet_phases(&self) -> Vec<RunPhase> {
        [RunPhase::Quiet, RunPhase::QuietAfterReplay].into_iter().filter(|p| self.began(*p).is_some()).collect()
    }

    /// Whether the target can be asked for this (`access_probe`, `crm`, …).
    pub fn able(&self, ability: &str) -> bool {
        self.start.is_some_and(|start| start.abilities.iter().any(|a| a == ability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::record::{Entry, Outcome};

    fn history(records: Vec<Record>) -> History {
        let entries =
            records.into_iter().enumerate().map(|(i, record)| Entry { n: i as u64 + 1, at_ms: i as u64 * 10, record });
        History { entries: entries.collect(), truncated: false }
    }

    fn attempt(attempt: u32, dropped: bool) -> Record {
        Record::Attempt(Attempt {
            delivery: "d1".into(),
            attempt,
            planned_ms: 0,
            late_us: 0,
            dropped,
            fault: None,
            faults: Vec::new(),
        })
    }

    fn reply(attempt: u32, outcome: Outcome) -> Record {
        Record::Reply(Reply {
            delivery: "d1".into(),
            attempt,
            outcome,
            status: None,
            latency_us: 1,
            reason: None,
            text: None,
            leaks: Vec::new(),
        })
    }

    fn probe(last: bool, access: bool) -> Record {
        Record::Probe(Probe {
            instance: "a/1".into(),
            last,
            known: Some(true),
            access: Some(access),
            status: None,
            plan: None,
            values: BTreeMap::new(),
            digest: None,
            answer: None,
            error: None,
        })
    }

    #[test]
    fn pairs_replies_that_come_out_of_order_with_their_attempts() {
        let history = history(vec![
            attempt(1, true),
            attempt(2, false),
            attempt(3, false),
            reply(3, Outcome::Acked),
            reply(2, Outcome::Indefinite),
        ]);
        let lookup = Lookup::new(&history);
        let ends: Vec<_> = lookup.sent(&"d1".into()).iter().map(|s| s.reply.map(|r| (r.n, r.what.outcome))).collect();
        assert_eq!(ends, [None, Some((5, Outcome::Indefinite)), Some((4, Outcome::Acked))]);
        assert!(lookup.sent(&"d2".into()).is_empty());
    }

    #[test]
    fn final_probes_and_ledgers_belong_to_their_phase() {
        let ledger = || Record::Ledger { contacts: Vec::new(), tickets: Vec::new() };
        let history = history(vec![
            Record::Phase { phase: RunPhase::Quiet },
            probe(false, true),
            probe(true, false),
            ledger(),
            Record::Phase { phase: RunPhase::Replay },
            Record::Phase { phase: RunPhase::QuietAfterReplay },
            probe(true, true),
            ledger(),
        ]);
        let lookup = Lookup::new(&history);
        let id = InstanceId::from("a/1");
        assert_eq!(lookup.last_probe(&id, RunPhase::Quiet).map(|p| p.n), Some(3));
        assert_eq!(lookup.last_probe(&id, RunPhase::QuietAfterReplay).map(|p| p.n), Some(7));
        assert_eq!(lookup.last_probe(&id, RunPhase::Faults), None);
        assert_eq!(lookup.ledger(RunPhase::Quiet).map(|l| l.n), Some(4));
        assert_eq!(lookup.ledger(RunPhase::QuietAfterReplay).map(|l| l.n), Some(8));
        assert_eq!(lookup.quiet_phases(), [RunPhase::Quiet, RunPhase::QuietAfterReplay]);
        assert_eq!(lookup.probes(&id).len(), 3);
    }
}
