//! The known bug classes of webhook handlers, by the numbers under which they were gathered from public issue threads; the
//! gaps are classes that were merged into others.
//!
//! Must not know: which scenario covers which.

/// Number and what goes wrong, in rising order.
pub const CLASSES: &[(u32, &str)] = &[
    (1, "an event delivered twice takes effect twice"),
    (2, "what was seen is remembered in memory only"),
    (3, "seen is checked and stored in two steps"),
    (4, "an event counts as seen before it was applied"),
    (6, "a retry with another signature or spelling counts as new"),
    (7, "two event types cause one effect twice"),
    (9, "what was seen is forgotten before the retries end"),
    (10, "the endpoint is registered twice"),
    (11, "an older state replaces a newer one"),
    (12, "a pause stands in for an order"),
    (13, "of two events of one second the newer is dropped"),
    (15, "event ids are taken for a clock"),
    (16, "the age of the object is taken for that of the event"),
    (18, "a late update revives what was deleted"),
    (19, "the end of an old subscription ends the new one"),
    (21, "a child that comes before its parent fails"),
    (22, "only one event tells whose purchase it is"),
    (23, "stale flags take an ability away"),
    (25, "two events create the same row at once"),
    (26, "the loser of a race goes on without its row"),
    (28, "two related events lock each other out"),
    (29, "a job is visible before its data"),
    (30, "a crash between commit and queue loses the job"),
    (31, "work is in memory only when it is acknowledged"),
    (32, "a claim of a dead worker is never freed"),
    (34, "a crash after an effect repeats it"),
    (36, "what failed for good can never be tried again"),
    (37, "errors are answered with success"),
    (38, "what can never succeed is refused for ever"),
    (39, "unknown event types are refused"),
    (41, "slow calls are made before the answer"),
    (42, "the endpoint redirects"),
    (43, "something in front refuses genuine deliveries"),
    (44, "a missing secret fails late or lets everything in"),
    (45, "the body is written anew before it is verified"),
    (46, "only one of several signatures is looked at"),
    (47, "old signatures are taken"),
    (48, "signatures of the future are taken"),
    (50, "a forgery makes the genuine event look seen"),
    (51, "another API version is refused"),
    (52, "the period is read where it no longer is"),
    (53, "the invoice's subscription is read where it no longer is"),
    (54, "an invoice without a subscription fails"),
    (55, "unknown values fail the whole event"),
    (57, "a refund takes nothing back"),
    (59, "an open dispute goes unnoticed"),
    (60, "an unpaid checkout is provisioned, or a late payment ignored"),
    (61, "access follows the price and not the status"),
    (62, "amounts and times are misread"),
    (63, "test and live mode or two accounts are mixed up"),
    (64, "one customer gets several contacts"),
    (66, "a missed event is never made good"),
];

/// The number of the class that an entry of `covers` names, once it was read: `bug class 3: …`.
pub fn named(covered: &str) -> Option<u32> {
    let number = covered.strip_prefix("bug class ")?.split_once(": ")?.0.parse().ok()?;
    CLASSES.iter().any(|(known, _)| *known == number).then_some(number)
}

/// What goes wrong in a class.
pub fn title(number: u32) -> Option<&'static str> {
    CLASSES.iter().find(|(known, _)| *known == number).map(|(_, title)| *title)
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, named, title};

    #[test]
    fn there_are_52_each_once() {
        assert_eq!(CLASSES.len(), 52);
        assert!(CLASSES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn an_entry_of_covers_is_known_again() {
        assert_eq!(named("bug class 66: a missed event is never made good"), Some(66));
        assert_eq!([named("bug class 5: none"), named("no duplicate contact"), named("bug class 66")], [None; 3]);
        assert_eq!(title(66), Some("a missed event is never made good"));
    }
}
