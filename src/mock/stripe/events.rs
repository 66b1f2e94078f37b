//! The log of events behind `GET /v1/events`: those that the run gives it, and those that the double makes itself.
//!
//! The list is newest first, and newest is what appeared last: with Stripe an event appears when it is made. The filters on
//! `created` read the body. Events are listed for 30 days after they appeared (Stripe's API reference, "Events").
//! Must not know: what an event means.

use super::{form::Form, refusal::Refusal, timeline::Timeline};
use serde_json::Value;
use std::{ops::RangeInclusive, sync::Arc};

/// How long an event is listed.
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Most entries on a page, and on one when nothing is said (Stripe's API reference, "Pagination").
const MOST_ON_PAGE: i64 = 100;
const ON_PAGE: i64 = 10;
/// Most entries of `types` (Stripe's API reference, "List all events").
const MOST_TYPES: usize = 20;

/// Why a text is not taken as an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give an event to the Stripe double: the body is no JSON with `id`, `type` and `created`")]
pub struct BadEvent;

/// One event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    /// When it appeared.
    pub(super) at_ms: u64,
    /// Its id.
    pub(super) id: String,
    /// Its type.
    pub(super) kind: String,
    /// Its own time, Unix seconds.
    pub(super) created: i64,
    /// The event as JSON.
    pub(super) body: Arc<str>,
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Events {
    /// In the order of appearing, the given ones of the future included.
    all: Vec<Arc<Entry>>,
    /// Those that the double made itself, in order.
    made: Vec<Arc<Entry>>,
    /// What the events carry.
    timeline: Timeline,
}

/// How many entries a page of a list has.
pub(super) fn page_limit(form: &Form) -> Result<usize, Refusal> {
    let limit = form.number(&["limit"])?.unwrap_or(ON_PAGE);
    if !(1..=MOST_ON_PAGE).contains(&limit) {
        return Err(Refusal::bad_integer("limit", &format!("{limit}; it must be between 1 and {MOST_ON_PAGE}")));
    }
    Ok(usize::try_from(limit).unwrap_or(1))
}

impl Events {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The objects that the events carry.
    pub(super) const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Adds an event that appears at `at_ms`.
    pub(super) fn give(&mut self, at_ms: u64, body: Arc<str>) -> Result<(), BadEvent> {
        let value: Value = serde_json::from_str(&body).map_err(|_| BadEvent)?;
        let entry = Arc::new(read(at_ms, body, &value).ok_or(BadEvent)?);
        self.timeline.add(&entry, &value, false);
        self.insert(entry);
        Ok(())
    }

    /// Adds an event that the double made at `at_ms`; `event` has an id, a type and a time.
    pub(super) fn make(&mut self, at_ms: u64, event: &Value) {
        // `{:#}` is JSON as Stripe writes it: indented by two, keys in their order.
        if let Some(entry) = read(at_ms, format!("{event:#}").into(), event) {
            let entry = Arc::new(entry);
            self.made.push(Arc::clone(&entry));
            self.timeline.add(&entry, event, true);
            self.insert(entry);
        }
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        let at = self.all.partition_point(|other| other.at_ms <= entry.at_ms);
        self.all.insert(at, entry);
    }

    /// Events that the double made itself, from number `from` on.
    pub(super) fn made_since(&self, from: usize) -> &[Arc<Entry>] {
        self.made.get(from..).unwrap_or_default()
    }

    fn visible(&self, now_ms: u64) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        let seen = self.all.partition_point(|entry| entry.at_ms <= now_ms);
        let kept = self.all.partition_point(|entry| entry.at_ms.saturating_add(KEPT_MS) < now_ms);
        self.all[kept.min(seen)..seen].iter()
    }

    /// The body of the newest event that a caller sees.
    pub(super) fn newest(&self, now_ms: u64) -> Option<&str> {
        self.visible(now_ms).next_back().map(|entry| &*entry.body)
    }

    /// The body of one event.
    pub(super) fn get(&self, now_ms: u64, id: &str) -> Result<String, Refusal> {
        let found = self.visible(now_ms).find(|entry| entry.id == id);
        found.map(|entry| entry.body.to_string()).ok_or_else(|| Refusal::no_such(404, "event", id, "id"))
    }

    /// One page.
    pub(super) fn list(&self, now_ms: u64, form: &Form) -> Result<String, Refusal> {
        form.only(&[
            "limit",
            "starting_after",
            "ending_before",
            "type",
            "types",
            "created",
            "delivery_success",
            "expand",
        ])?;
        let limit = page_limit(form)?;
        let filter = Filter::of(form)?;
        let all: Vec<_> = self.visible(now_ms).rev().collect();
        let place = |param: &str| {
            let Some(id) = form.text(&[param]) else { return Ok(None) };
            let found = all.iter().position(|entry| entry.id == id);
            found.map(Some).ok_or_else(|| Refusal::no_such(400, "event", id, param))
        };
        let fitting =
            |entries: &[&Arc<Entry>]| entries.iter().copied().filter(|e| filter.takes(e)).cloned().collect::<Vec<_>>();
        let (mut page, newer) = match (place("starting_after")?, place("ending_before")?) {
            (Some(_), Some(_)) => {
                let message = "Received both starting_after and ending_before parameters. Please pass in only one.";
                return Err(Refusal::invalid("starting_after", message, "parameter_unknown"));
            }
            (Some(after), None) => (fitting(&all[after + 1..]), false),
            (None, Some(before)) => (fitting(&all[..before]), true),
            (None, None) => (fitting(&all), false),
        };
        let more = page.len() > limit;
        // Going to newer ones, the page is the part that is nearest to where the caller stands.
        page = if newer { page.split_off(page.len().saturating_sub(limit)) } else { page };
        page.truncate(limit);
        let bodies: Vec<&str> = page.iter().map(|entry| &*entry.body).collect();
        let data = bodies.join(",\n");
        Ok(format!(
            "{{\n\"object\": \"list\",\n\"data\": [{data}],\n\"has_more\": {more},\n\"url\": \"/v1/events\"\n}}"
        ))
    }
}

fn read(at_ms: u64, body: Arc<str>, value: &Value) -> Option<Entry> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Entry { at_ms, id: text("id")?, kind: text("type")?, created: value["created"].as_i64()?, body })
}

/// The span of a parameter such as `created`: one time, or `gt`, `gte`, `lt`, `lte`.
pub(super) fn span(form: &Form, name: &str) -> Result<RangeInclusive<i64>, Refusal> {
    let exact = form.number(&[name])?;
    let bound = |bound: &str| form.number(&[name, bound]);
    let lower = [exact, bound("gte")?, bound("gt")?.map(|at| at.saturating_add(1))];
    let upper = [exact, bound("lte")?, bound("lt")?.map(|at| at.saturating_sub(1))];
    let from = lower.into_iter().flatten().max().unwrap_or(i64::MIN);
    Ok(from..=upper.into_iter().flatten().min().unwrap_or(i64::MAX))
}

struct Filter {
    /// Any of these; `*` at the end stands for everything that follows.
    types: Vec<String>,
    times: RangeInclusive<i64>,
}

impl Filter {
    fn of(form: &Form) -> Result<Self, Refusal> {
        let mut types: Vec<String> = form.texts("types").into_iter().map(str::to_owned).collect();
        if let Some(one) = form.text(&["type"]) {
            if !types.is_empty() {
                return Err(Refusal::invalid(
                    "types",
                    "You may pass type or types, but not both.",
                    "parameter_unknown",
                ));
            }
            types.push(one.to_owned());
        }
        if types.len() > MOST_TYPES {
            return Err(Refusal::invalid("types", "types has at most 20 entries", "parameter_invalid_string"));
        }
        let times = span(form, "created")?;
        Ok(Self { types, times })
    }

    fn takes(&self, entry: &Entry) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => entry.kind.starts_with(start),
            None => entry.kind == *wanted,
        };
        (self.types.is_empty() || self.types.iter().any(fits)) && self.times.contains(&entry.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Events {
        let mut events = Events::default();
        for n in [3_u64, 1, 2, 5, 4] {
            let kind = if n % 2 == 0 { "invoice.paid" } else { "customer.updated" };
            let body = format!(r#"{{"id": "evt_{n}", "type": "{kind}", "created": {}}}"#, n * 10);
            events.give(n * 1000, body.into()).expect("an event");
        }
        events
    }

    fn page(now_ms: u64, query: &str) -> (Vec<String>, bool) {
        let form = Form::of_body(query.as_bytes()).expect("a form");
        let text = log().list(now_ms, &form).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"));
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let ids = list["data"].as_array().expect("a list").iter();
        (ids.map(|event| event["id"].as_str().expect("an id")[4..].to_owned()).collect(), list["has_more"] == true)
    }

    #[test]
    fn pages_go_from_new_to_old_and_back() {
        assert_eq!(page(9000, ""), (vec!["5".into(), "4".into(), "3".into(), "2".into(), "1".into()], false));
        assert_eq!(page(9000, "limit=2"), (vec!["5".into(), "4".into()], true));
        assert_eq!(page(9000, "limit=2&starting_after=evt_4"), (vec!["3".into(), "2".into()], true));
        assert_eq!(page(9000, "limit=2&starting_after=evt_3"), (vec!["2".into(), "1".into()], false));
        assert_eq!(page(9000, "limit=2&ending_before=evt_1"), (vec!["3".into(), "2".into()], true));
        assert_eq!(page(9000, "limit=2&ending_before=evt_4"), (vec!["5".into()], false));
    }

    #[test]
    fn an_event_appears_in_its_time_and_goes_after_thirty_days() {
        assert_eq!(page(2999, "").0, ["2", "1"]);
        assert_eq!(page(3000, "").0, ["3", "2", "1"]);
        assert_eq!(page(KEPT_MS + 3001, "").0, ["5", "4"]);
        assert!(log().get(4999, "evt_5").is_err() && log().get(5000, "evt_5").is_ok());
    }

    #[test]
    fn filters_hold_together() {
        assert_eq!(page(9000, "type=invoice.*").0, ["4", "2"]);
        assert_eq!(page(9000, "types[]=invoice.paid&created[gt]=20").0, ["4"]);
        assert_eq!(page(9000, "created[gte]=20&created[lt]=40").0, ["3", "2"]);
        assert_eq!(page(9000, "created[lte]=20").0, ["2", "1"]);
        assert_eq!(page(9000, "created=30").0, ["3"]);
    }

    #[test]
    fn wrong_questions_are_refused() {
        for query in [
            "limit=0",
            "limit=101",
            "limit=x",
            "starting_after=evt_9",
            "starting_after=evt_1&ending_before=evt_2",
            "type=a&types[]=b",
            "colour=red",
            "created[gte]=soon",
        ] {
            let form = Form::of_body(query.as_bytes()).expect("a form");
            assert!(log().list(9000, &form).is_err(), "{query}");
        }
        assert!(Events::default().give(0, "{}".into()).is_err());
    }
}
