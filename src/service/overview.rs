//! What those who operate the service look at: jobs, findings, tickets, alerts, and the steps that people took.
//!
//! Documents are shown as they are stored: who writes them decides what is in them. Must not know: HTTP, pages, clocks.

use super::{
    job::{Job, JobState},
    metrics::Standing,
    queue,
    reconcile::Progress,
    store::{Shelf, StoreError, Tx},
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Rows of each list that are shown; the number of all is shown beside them.
pub const SHOWN: usize = 100;
/// Steps by hand that are remembered one by one; older ones are only counted.
const REMEMBERED: usize = 50;
/// Key of the document about steps by hand.
const MANUAL: &str = "manual-steps";
/// Key of the document that says since when the service is watched.
const SINCE: &str = "watched-since";

/// A list that is cut to [`SHOWN`] rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows that are shown.
    pub shown: Vec<T>,
    /// How many there are.
    pub all: usize,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), all: 0 }
    }
}

impl<T> Rows<T> {
    fn of(mut shown: Vec<T>) -> Self {
        let all = shown.len();
        shown.truncate(SHOWN);
        Self { shown, all }
    }
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job's number.
    pub id: u64,
    /// What it was for.
    pub what: String,
    /// Whose it was, or about what.
    pub whom: String,
    /// The last failure.
    pub error: String,
    /// Whether the peer refused it for good; otherwise it is tried again by itself at `at`.
    pub rejected: bool,
    /// When it was given up, or will be tried again.
    pub at: Timestamp,
}

/// A document as it is stored, by its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its key.
    pub key: String,
    /// When it was made, as far as it says.
    pub at: Option<Timestamp>,
    /// Its fields; what is no text is shown as JSON.
    pub fields: Vec<(String, String)>,
}

/// Tickets of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketQueue {
    /// Not solved yet.
    pub open: u64,
    /// Solved.
    pub solved: u64,
    /// Middle of the times to resolution, of those whose times are known.
    pub median: Option<Duration>,
    /// The longest one.
    pub longest: Option<Duration>,
}

/// Steps that people took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualSteps {
    /// All of them.
    pub total: u64,
    /// The newest, newest first.
    pub newest: Vec<ManualStep>,
}

/// One step that a person took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualStep {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// Everything that the admin screen shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Numbers.
    pub standing: Standing,
    /// Jobs that were given up.
    pub dead: Rows<DeadLetter>,
    /// Customers about whom somebody disagrees.
    pub findings: Rows<Document>,
    /// Alerts, newest first.
    pub alerts: Rows<Document>,
    /// Tickets by queue.
    pub queues: BTreeMap<String, TicketQueue>,
    /// Steps that people took.
    pub manual: ManualSteps,
    /// Since when the service is watched.
    pub since: Option<Timestamp>,
    /// Newest alert of an activation that came too late.
    pub missed: Option<Timestamp>,
}

/// Notes that the service is watched from now on, unless it was before.
///
/// # Errors
/// The store's.
pub fn watch(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
    match tx.doc(Shelf::Counter, SINCE)? {
        Some(_) => Ok(()),
        None => tx.put_doc(Shelf::Counter, SINCE, &now.millis().to_string()),
    }
}

/// A person puts one job, or all that were given up, back to work; answers how many.
///
/// # Errors
/// The store's.
pub fn requeue(tx: &mut Tx<'_>, now: Timestamp, one: Option<u64>) -> Result<u64, StoreError> {
    let (done, what) = match one {
        Some(id) => (u64::from(queue::requeue_one(tx, now, id)?), format!("put job {id} back to work")),
        None => {
            let done = queue::requeue(tx, now)?;
            (done, format!("put all {done} dead letters back to work"))
        }
    };
    if done > 0 {
        step(tx, now, what)?;
    }
    Ok(done)
}

/// Counts a step that a person took.
fn step(tx: &mut Tx<'_>, now: Timestamp, what: String) -> Result<(), StoreError> {
    let mut steps = manual_steps(tx)?;
    steps.total += 1;
    steps.newest.insert(0, ManualStep { at: now, what });
    steps.newest.truncate(REMEMBERED);
    let document = serde_json::to_string(&steps).map_err(|error| StoreError::Broken(error.to_string()))?;
    tx.put_doc(Shelf::Counter, MANUAL, &document)
}

fn manual_steps(tx: &mut Tx<'_>) -> Result<ManualSteps, StoreError> {
    let document = tx.doc(Shelf::Counter, MANUAL)?;
    Ok(document.and_then(|document| serde_json::from_str(&document).ok()).unwrap_or_default())
}

/// The numbers.
///
/// # Errors
/// The store's.
pub fn standing(tx: &mut Tx<'_>, now: Timestamp) -> Result<Standing, StoreError> {
    let mut alerts: BTreeMap<String, u64> = BTreeMap::new();
    for (key, document) in tx.docs(Shelf::Alert, "")? {
        *alerts.entry(alert_kind(&key, &document)).or_default() += 1;
    }
    let due = tx.first_ready(false)?.filter(|job| job.at <= now);
    Ok(Standing {
        jobs: tx.job_counts()?,
        oldest_due: due.map(|job| now.since(job.at)),
        alerts,
        reconciled: Progress::read(tx)?.repaired,
        findings: tx.docs(Shelf::Finding, "")?.len() as u64,
        manual_steps: manual_steps(tx)?.total,
    })
}

/// Everything at once.
///
/// # Errors
/// The store's.
pub fn overview(tx: &mut Tx<'_>, now: Timestamp) -> Result<Overview, StoreError> {
    let mut alerts: Vec<Document> = documents(tx, Shelf::Alert)?;
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.at));
    let missed = alerts.iter().filter(|alert| is_missed_activation(alert)).filter_map(|alert| alert.at).max();
    let since = tx.doc(Shelf::Counter, SINCE)?.and_then(|text| text.parse().ok()).map(Timestamp::from_millis);
    Ok(Overview {
        standing: standing(tx, now)?,
        dead: Rows::of(tx.dead_jobs()?.iter().map(dead_letter).collect()),
        findings: Rows::of(documents(tx, Shelf::Finding)?),
        alerts: Rows::of(alerts),
        queues: queues(tx)?,
        manual: manual_steps(tx)?,
        since,
        missed,
    })
}

fn dead_letter(job: &Job) -> DeadLetter {
    debug_assert!(job.state == JobState::Dead, "only dead jobs are dead letters");
    // `contact:ada@example.com`: what it is for, and whose or about what.
    let key = job.task.key();
    let (what, whom) = key.split_once(':').unwrap_or((&key, "everybody"));
    let (what, whom) = (what.to_owned(), whom.to_owned());
    let error = job.error.clone().unwrap_or_else(|| "no reason was noted".to_owned());
    DeadLetter { id: job.id, what, whom, error, rejected: job.rejected, at: job.at }
}

fn documents(tx: &mut Tx<'_>, shelf: Shelf) -> Result<Vec<Document>, StoreError> {
    Ok(tx.docs(shelf, "")?.into_iter().map(|(key, text)| document(key, &text)).collect())
}

/// Fields that say when a document was made, the first that there is.
const TIMES: [&str; 5] = ["at", "raised_at", "first_seen", "opened_at", "since"];

fn document(key: String, text: &str) -> Document {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let at = TIMES.iter().find_map(|name| time_of(&value[*name]));
    let fields = match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| !TIMES.contains(&name.as_str()));
            fields.map(|(name, value)| (name, plain(&value))).collect()
        }
        other => vec![("says".to_owned(), plain(&other))],
    };
    Document { key, at, fields }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Milliseconds or seconds since 1970, or RFC 3339: whoever writes a document may use any.
fn time_of(value: &Value) -> Option<Timestamp> {
    /// As seconds this is in the year 5138: nobody means that.
    const FIRST_MILLIS: i64 = 100_000_000_000;
    if let Some(number) = value.as_i64() {
        return Some(if number >= FIRST_MILLIS {
            Timestamp::from_millis(number)
        } else {
            Timestamp::from_secs(number)
        });
    }
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(value.as_str()?, format).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp::from_millis)
}

/// What kind of alert a document is about; its key begins with it when it does not say.
fn alert_kind(key: &str, text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let said = value["alert"].as_str().or(value["kind"].as_str());
    said.unwrap_or_else(|| key.split([':', '/']).next().unwrap_or_default()).to_owned()
}

fn is_missed_activation(alert: &Document) -> bool {
    let said = alert.fields.iter().find(|(name, _)| name == "alert" || name == "kind").map(|(_, value)| value.as_str());
    said.unwrap_or(&alert.key).contains("activation")
}

fn queues(tx: &mut Tx<'_>) -> Result<BTreeMap<String, TicketQueue>, StoreError> {
    let mut queues: BTreeMap<String, (TicketQueue, Vec<Duration>)> = BTreeMap::new();
    for (_, text) in tx.docs(Shelf::Ticket, "")? {
        let ticket: Value = serde_json::from_str(&text).unwrap_or_default();
        let name = ticket["queue"].as_str().filter(|name| !name.is_empty()).unwrap_or("no queue");
        let (queue, times) = queues.entry(name.to_owned()).or_default();
        match (&ticket["opened_at"], &ticket["solved_at"]) {
            (_, Value::Null) => queue.open += 1,
            (opened, solved) => {
                queue.solved += 1;
                let both = time_of(opened).zip(time_of(solved));
                times.extend(both.map(|(opened, solved)| solved.since(opened)));
            }
        }
    }
    let judged = queues.into_iter().map(|(name, (mut queue, mut times))| {
        times.sort_unstable();
        queue.median = times.get(times.len().saturating_sub(1) / 2).copied();
        queue.longest = times.last().copied();
        (name, queue)
    });
    Ok(judged.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{config::Settings, job::Task, store::Store};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn with_a_dead_letter() -> Store {
        let mut store = Store::memory();
        let task = Task::Contact { email: "ada@example.com".into() };
        store.transact(|tx| queue::enqueue(tx, at(1), task.clone())).expect("enqueued");
        let claimed = store.transact(|tx| queue::claim(tx, at(1), "w", &Settings::default())).expect("claimed");
        let (mut job, _) = claimed.expect("due");
        job.reject(at(2), "400".into());
        store.transact(|tx| tx.put_job(&job)).expect("put");
        store
    }

    #[test]
    fn what_a_person_puts_back_is_counted_and_nothing_else_is() {
        let mut store = with_a_dead_letter();
        let seen = store.transact(|tx| overview(tx, at(3))).expect("read");
        assert_eq!((seen.dead.all, seen.dead.shown[0].whom.as_str()), (1, "ada@example.com"));
        assert_eq!(store.transact(|tx| requeue(tx, at(4), Some(9))), Ok(0));
        assert_eq!(store.transact(|tx| requeue(tx, at(4), Some(1))), Ok(1));
        assert_eq!(store.transact(|tx| requeue(tx, at(5), None)), Ok(0));
        let seen = store.transact(|tx| overview(tx, at(6))).expect("read");
        assert_eq!((seen.dead.all, seen.manual.total, seen.manual.newest.len()), (0, 1, 1));
        assert_eq!((seen.manual.newest[0].at, seen.standing.oldest_due), (at(4), Some(Duration::from_secs(2))));
    }

    #[test]
    fn the_steps_that_are_remembered_are_limited_and_the_number_is_not() {
        let mut store = Store::memory();
        for n in 0..70 {
            store.transact(|tx| step(tx, at(n), "looked".into())).expect("counted");
        }
        let seen = store.transact(manual_steps).expect("read");
        assert_eq!((seen.total, seen.newest.len(), seen.newest[0].at), (70, REMEMBERED, at(69)));
    }

    #[test]
    fn documents_of_any_shape_are_shown() {
        let mut store = Store::memory();
        let puts = [
            (
                Shelf::Finding,
                "cus_1",
                r#"{"stripe": "active", "own": null, "crm": {"plan": "pro"}, "at": 1800000000000}"#,
            ),
            (Shelf::Finding, "cus_2", "not JSON"),
            (Shelf::Alert, "activation_late:cs_1", r#"{"alert": "activation_late", "raised_at": 1800000500}"#),
            (Shelf::Alert, "webhook_failures:7", r#"{"at": "2027-01-15T08:00:00Z"}"#),
            (Shelf::Ticket, "1", r#"{"queue": "billing", "opened_at": 1800000000, "solved_at": 1800000060}"#),
            (Shelf::Ticket, "2", r#"{"queue": "billing", "opened_at": 1800000000, "solved_at": 1800000600}"#),
            (Shelf::Ticket, "3", r#"{"queue": "billing", "opened_at": 1800000000, "solved_at": null}"#),
            (Shelf::Ticket, "4", r#"{"queue": "onboarding", "opened_at": 1800000000}"#),
            (Shelf::Ticket, "5", "{}"),
        ];
        for (shelf, key, text) in puts {
            store.transact(|tx| tx.put_doc(shelf, key, text)).expect("put");
        }
        store.transact(|tx| watch(tx, at(5))).expect("watched");
        store.transact(|tx| watch(tx, at(9))).expect("watched");
        let seen = store.transact(|tx| overview(tx, at(1_800_001_000))).expect("read");
        assert_eq!((seen.since, seen.missed), (Some(at(5)), Some(at(1_800_000_500))));
        assert_eq!(seen.findings.shown[0].at, Some(at(1_800_000_000)));
        let fields = &seen.findings.shown[0].fields;
        assert_eq!(fields[1], ("own".to_owned(), "none".to_owned()));
        assert_eq!(fields[2], ("crm".to_owned(), r#"{"plan":"pro"}"#.to_owned()));
        assert_eq!(seen.findings.shown[1].fields, [("says".to_owned(), "not JSON".to_owned())]);
        assert_eq!(seen.alerts.shown[0].key, "activation_late:cs_1", "newest first");
        let kinds: Vec<&str> = seen.standing.alerts.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["activation_late", "webhook_failures"]);
        let billing = &seen.queues["billing"];
        assert_eq!((billing.open, billing.solved), (1, 2));
        assert_eq!((billing.median, billing.longest), (Some(Duration::from_secs(60)), Some(Duration::from_secs(600))));
        assert_eq!((seen.queues["onboarding"].open, seen.queues["no queue"].open), (1, 1));
    }
}
