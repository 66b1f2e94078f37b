//! How far reconciliation with Stripe's list of events has come, and what a page of it means.
//!
//! The list is newest first. A round walks it from its newest event to the newest one of the round before (the cursor), and
//! on through an overlap, since an event may be listed a little late. It goes by the list's own order and times, never by
//! the wall clock. The first round of an empty database only sets the cursor, unless everything that is listed is wanted.
//! Must not know: HTTP, clocks, what an event means.

use super::{
    store::{Shelf, StoreError, Tx},
    upstream::{EventPage, Listed},
};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far beyond the cursor a round goes, in seconds of the events' own time.
const OVERLAP_SECS: i64 = 600;

/// Most pages of one round: Stripe lists 30 days, and a hundred thousand events in one go are a broken list.
const MOST_PAGES: u32 = 1_000;

/// Key of the document.
const KEY: &str = "reconcile";

/// An event of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// `evt_…`
    pub id: String,
    /// Unix seconds.
    pub created: i64,
}

impl From<&Listed> for Mark {
    fn from(listed: &Listed) -> Self {
        Self { id: listed.id.clone(), created: listed.created }
    }
}

/// A round under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    /// The newest event when it began: the next cursor.
    head: Option<Mark>,
    /// Where its next page begins.
    after: Option<String>,
    /// Once the cursor was passed: the oldest time that is still looked at.
    floor: Option<i64>,
    pages: u32,
}

/// How far it has come, and what it has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether a first round has ended.
    looked: bool,
    /// The newest event of the last round that ended.
    cursor: Option<Mark>,
    round: Option<Round>,
    /// Failed calls since the last good one.
    pub failures: u32,
    /// When the last round ended.
    pub ended: Option<Timestamp>,
    /// Events that had not arrived and were taken from the list.
    pub repaired: u64,
    /// Entries that were passed over: no events, another mode's or a connected account's.
    pub skipped: u64,
    /// What was made before this Unix second is taken for known; absent in the sound service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub believed: Option<i64>,
}

/// What a page means.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<'p> {
    /// What to look at, newest first.
    pub look_at: &'p [Listed],
    /// Whether the round is over.
    pub over: bool,
}

impl Progress {
    /// As it stands in the store.
    ///
    /// # Errors
    /// The store's.
    pub fn read(tx: &mut Tx<'_>) -> Result<Self, StoreError> {
        let text = tx.doc(Shelf::Cursor, KEY)?;
        // A document that no longer reads (an older or newer version's) begins anew: the overlap covers what is missed.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The store's.
    pub fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).map_err(|error| StoreError::Refuse(error.to_string()))?;
        tx.put_doc(Shelf::Cursor, KEY, &text)
    }

    /// After which event the next page begins; absent at the start of a round.
    pub fn after(&self) -> Option<String> {
        self.round.as_ref().and_then(|round| round.after.clone())
    }

    /// The round begins anew: its place in the list is gone.
    pub fn give_up_round(&mut self) {
        self.round = None;
    }

    /// Takes the next page of the round in.
    pub fn take<'p>(&mut self, page: &'p EventPage, backfill: bool) -> Taken<'p> {
        let head = page.events.first().map(Mark::from);
        if !self.looked && !backfill {
            self.end_round(head);
            return Taken { look_at: &[], over: true };
        }
        let mut round = self.round.take().unwrap_or(Round { head, after: None, floor: None, pages: 0 });
        let beyond = page.events.iter().position(|listed| {
            if round.floor.is_none() && self.cursor.as_ref().is_some_and(|cursor| cursor.id == listed.id) {
                round.floor = Some(listed.created.saturating_sub(OVERLAP_SECS));
            }
            round.floor.is_some_and(|floor| listed.created < floor)
        });
        let look_at = &page.events[..beyond.unwrap_or(page.events.len())];
        let last = page.events.last().map(|listed| listed.id.clone());
        round.pages += 1;
        // A list that does not move on has no end either.
        let stuck = last.is_none() || last == round.after;
        let over = beyond.is_some() || !page.more || stuck || round.pages >= MOST_PAGES;
        if over {
            self.end_round(round.head);
        } else {
            round.after = last;
            self.round = Some(round);
        }
        Taken { look_at, over }
    }

    /// Takes it that everything up to now was seen.
    pub fn believe(&mut self, now: Timestamp) {
        self.believed = Some(now.secs());
        self.ended = Some(now);
    }

    /// Ends the round early.
    pub fn stop(&mut self) {
        if let Some(round) = self.round.take() {
            self.end_round(round.head);
        }
    }

    fn end_round(&mut self, head: Option<Mark>) {
        self.looked = true;
        self.round = None;
        self.cursor = head.or_else(|| self.cursor.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events by number, newest first: `evt_<n>`, made at second `n * 100`.
    fn page(numbers: &[i64], more: bool) -> EventPage {
        let listed = |n: &i64| Listed { id: format!("evt_{n}"), created: n * 100, body: "".into() };
        EventPage { events: numbers.iter().map(listed).collect(), malformed: 0, more }
    }

    fn took(progress: &mut Progress, numbers: &[i64], more: bool) -> (Vec<String>, bool) {
        let page = page(numbers, more);
        let taken = progress.take(&page, false);
        (taken.look_at.iter().map(|listed| listed.id[4..].to_owned()).collect(), taken.over)
    }

    #[test]
    fn the_first_round_only_sets_the_cursor() {
        let mut progress = Progress::default();
        assert_eq!(took(&mut progress, &[9, 8], true), (vec![], true));
        assert_eq!(progress.cursor.as_ref().map(|cursor| cursor.id.as_str()), Some("evt_9"));
        let mut wanted = Progress::default();
        let all = page(&[9, 8], true);
        assert_eq!((wanted.take(&all, true).look_at.len(), wanted.after()), (2, Some("evt_8".into())));
    }

    #[test]
    fn a_round_walks_past_the_cursor_through_the_overlap() {
        let mut progress = Progress::default();
        took(&mut progress, &[20, 19], true);
        assert_eq!(took(&mut progress, &[23, 22], true), (vec!["23".into(), "22".into()], false));
        assert_eq!(progress.after().as_deref(), Some("evt_22"));
        assert_eq!(took(&mut progress, &[21, 20], true), (vec!["21".into(), "20".into()], false));
        let (looked, over) = took(&mut progress, &[19, 15, 14, 13, 12], true);
        assert_eq!(
            (looked, over),
            (vec!["19".into(), "15".into(), "14".into()], true),
            "ten minutes before the cursor"
        );
        assert_eq!(progress.cursor.as_ref().map(|cursor| cursor.id.as_str()), Some("evt_23"));
        assert_eq!(progress.after(), None);
    }

    #[test]
    fn nothing_at_first_means_that_all_which_follows_is_new() {
        let mut progress = Progress::default();
        assert_eq!(took(&mut progress, &[], false), (vec![], true));
        // Payload times may lie anywhere: an old event that appears last is newest.
        assert_eq!(took(&mut progress, &[-50, 7, 6], false).0.len(), 3);
    }

    #[test]
    fn lists_that_do_not_move_on_end_the_round() {
        let mut progress = Progress::default();
        took(&mut progress, &[], false);
        assert!(!took(&mut progress, &[5], true).1);
        assert!(took(&mut progress, &[5], true).1, "the same page again");
        assert!(took(&mut progress, &[], true).1, "a page of nothing");
        // The cursor is gone from the list: to its end.
        assert_eq!(took(&mut progress, &[90, 80], false).0.len(), 2);
    }
}
