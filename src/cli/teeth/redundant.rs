//! Which scenarios can be taken out of a suite without losing anything.
//!
//! What a scenario *shows* is: the classes and promises that it covers, and that it does so over real sockets too; the defects that it catches under the right name, in
//! a plain run; the kinds of faults, criteria and steps that it uses; the types of events and the API versions that its
//! stories deliver; that it needs real sockets. A scenario is redundant when each thing that it shows is shown by another
//! one that stays. All that are called redundant can go together: they are taken out one after the other, those that show
//! least first. The scenarios of one file (a `[matrix]`) are one.
//! Must not know: how a scenario is run.

use super::super::find::Found;
use crate::{
    scenario::{
        classes,
        downstream::Trouble,
        fault::{DuplicateSpacing, FaultKind, Order, is_beyond_tolerance},
        model::{Body, Step},
    },
    service::Defect,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The defects that a scenario catches, by its place.
pub(super) type Caught = BTreeMap<usize, BTreeSet<Defect>>;

/// What the suite is without its redundant scenarios.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Redundancy {
    /// Files that can go.
    pub(super) redundant: Vec<String>,
    /// Files that stay, each with what it alone shows among those.
    pub(super) kept: Vec<(String, Vec<String>)>,
    /// Files that stay for the sake of a promise in words alone: nothing else would be lost.
    pub(super) for_a_promise: Vec<String>,
    /// Files with a class that they cover by their own word only.
    pub(super) unproven: Vec<(String, u32)>,
}

/// Classes that a file covers by its own word, and of whose defects (`hunted`) none of its scenarios catches any. A
/// scenario that was not run proves nothing either way.
pub(super) fn unproven(found: &[Found], caught: &Caught, hunted: &[Defect]) -> Vec<(String, u32)> {
    let mut proven: BTreeMap<(&Path, u32), bool> = BTreeMap::new();
    for (place, one) in found.iter().enumerate().filter(|(_, one)| !matches!(one.scenario.body, Body::Live { .. })) {
        for class in one.scenario.covers.iter().filter_map(|text| classes::named(text)) {
            let catches = caught.get(&place).is_some_and(|defects| defects.iter().any(|d| d.class() == class));
            *proven.entry((&one.path, class)).or_default() |= catches;
        }
    }
    let planted = |class: u32| hunted.iter().any(|defect| defect.class() == class);
    let open = proven.into_iter().filter(|((_, class), proven)| !proven && planted(*class));
    open.map(|((path, class), _)| (path.display().to_string(), class)).collect()
}

/// Sorts the files of `found` out. `caught` has the defects that each scenario catches, by its place in `found`.
pub(super) fn redundancy(found: &[Found], caught: &Caught) -> Redundancy {
    let mut shows: BTreeMap<&Path, BTreeSet<String>> = BTreeMap::new();
    for (place, one) in found.iter().enumerate() {
        let shown = shows.entry(&one.path).or_default();
        shown.extend(features(one));
        shown.extend(caught.get(&place).into_iter().flatten().map(|defect| format!("catches {}", defect.name())));
    }
    sort_out(shows.into_iter().map(|(path, shown)| (path.display().to_string(), shown)).collect())
}

fn sort_out(mut shows: BTreeMap<String, BTreeSet<String>>) -> Redundancy {
    let mut least_first: Vec<String> = shows.keys().cloned().collect();
    least_first.sort_by_key(|file| shows[file].len());
    let mut redundant = Vec::new();
    for file in least_first {
        if alone(&shows, &file).is_empty() {
            shows.remove(&file);
            redundant.push(file);
        }
    }
    redundant.sort();
    let kept: Vec<_> = shows.keys().map(|file| (file.clone(), alone(&shows, file))).collect();
    let in_words = |what: &String| what.starts_with(PROMISE);
    let for_a_promise = kept.iter().filter(|(_, alone)| alone.iter().all(in_words)).map(|(file, _)| file.clone());
    Redundancy { redundant, for_a_promise: for_a_promise.collect(), kept, unproven: Vec::new() }
}

/// What `file` shows and no other does.
fn alone(shows: &BTreeMap<String, BTreeSet<String>>, file: &str) -> Vec<String> {
    let others = |what: &String| shows.iter().any(|(other, shown)| other != file && shown.contains(what));
    shows.get(file).into_iter().flatten().filter(|what| !others(what)).cloned().collect()
}

const PROMISE: &str = "promise: ";

/// What a scenario shows whatever service it runs against.
fn features(found: &Found) -> BTreeSet<String> {
    let scenario = &found.scenario;
    let live = !matches!(scenario.body, Body::Simulated);
    let covers = scenario.covers.iter().flat_map(|text| {
        let covered = match classes::named(text) {
            Some(_) => text.clone(),
            None => format!("{PROMISE}{text}"),
        };
        live.then(|| format!("{covered} (over real sockets)")).into_iter().chain([covered])
    });
    let faults = scenario.faults.iter().map(|fault| format!("fault {}", variety(&fault.kind)));
    let criteria = scenario.criteria.iter().map(|criterion| format!("criterion {}", criterion.name()));
    let steps = scenario.steps.iter().map(|step| format!("step {}", activity(step)));
    let events = scenario.stories.iter().flat_map(|story| &story.recording.events).map(|recorded| &recorded.event);
    let events = events.flat_map(|event| {
        let version = event.api_version.as_ref().map(|version| format!("API version {version}"));
        std::iter::once(format!("event {}", event.kind)).chain(version)
    });
    let sockets = matches!(scenario.body, Body::Live { .. }).then(|| "real sockets".to_owned());
    covers.chain(faults).chain(criteria).chain(steps).chain(events).chain(sockets).collect()
}

const fn activity(step: &Step) -> &'static str {
    match step {
        Step::SignUp { ticket: None, .. } => "sign_up",
        Step::SignUp { ticket: Some(_), .. } => "sign_up that opens a ticket",
        Step::Ask { .. } => "ask",
        Step::Visit { .. } => "visit",
    }
}

/// A fault's key, and the word that says which of its kind.
fn variety(kind: &FaultKind) -> String {
    let how = match kind {
        FaultKind::Duplicate { spacing, body, .. } => match (spacing, body) {
            (_, Some(form)) => form.word(),
            (DuplicateSpacing::After(gap), None) if gap.is_zero() => "at once",
            (DuplicateSpacing::After(_), None) => "apart",
            (DuplicateSpacing::Drawn(_), None) => "drawn",
            (DuplicateSpacing::AfterEverything, None) => "after everything",
        },
        FaultKind::Body { how, .. } => how.word(),
        FaultKind::Signed { how, .. } => how.word(),
        FaultKind::Foreign { how, .. } => how.word(),
        FaultKind::Forged { signature, .. } => signature.word(),
        FaultKind::Malformed { body, .. } => body.word(),
        FaultKind::SecretRoll { good, .. } => good.word(),
        FaultKind::Outage { of, .. } | FaultKind::Slow { of, .. } => of.word(),
        FaultKind::Transport(fault) => fault.how.word(),
        FaultKind::Downstream(fault) => return format!("downstream {} {}", fault.calls.of.word(), trouble(fault.does)),
        FaultKind::KillAtCall(kill) => kill.at.moment.word(),
        FaultKind::Reorder { order } => match order {
            Order::First(_) => "first",
            Order::Shuffle { .. } => "shuffle",
            Order::Reverse => "reverse",
            Order::Swap(..) => "swap",
        },
        FaultKind::Clock { offset_ms, .. } => match (*offset_ms < 0, is_beyond_tolerance(*offset_ms)) {
            (false, false) => "ahead",
            (true, false) => "behind",
            (false, true) => "far ahead",
            (true, true) => "far behind",
        },
        FaultKind::Stop { .. }
        | FaultKind::SecondEvent { .. }
        | FaultKind::SecondEndpoint { .. }
        | FaultKind::Burst { .. }
        | FaultKind::Delay { .. }
        | FaultKind::Drop { .. }
        | FaultKind::StoreBusy { .. }
        | FaultKind::UnknownType { .. }
        | FaultKind::Kill { .. }
        | FaultKind::Down { .. }
        | FaultKind::RandomKills { .. }
        | FaultKind::Crash { .. } => return kind.name().to_owned(),
    };
    format!("{} {how}", kind.name())
}

const fn trouble(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Answer { .. } => "answer",
        Trouble::Slow { .. } => "slow",
        Trouble::LongTail { .. } => "long tail",
        Trouble::PartialBatch { .. } => "partial_batch",
        Trouble::Hang => "hang",
        Trouble::Reset => "reset",
        Trouble::LostReply => "lost_reply",
        Trouble::MalformedJson => "malformed_json",
        Trouble::TruncatedAnswer => "truncated_answer",
        Trouble::LaggingIndex { .. } => "lagging_index",
        Trouble::Overtaken { .. } => "overtaken",
        Trouble::StaleRead { .. } => "stale_read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(shows: &[(&str, &[&str])]) -> Redundancy {
        let set = |shown: &[&str]| shown.iter().map(|what| (*what).to_owned()).collect();
        sort_out(shows.iter().map(|(file, shown)| ((*file).to_owned(), set(shown))).collect())
    }

    #[test]
    fn what_others_show_can_go_but_not_two_that_stand_in_for_each_other() {
        let found = sorted(&[("a", &["x", "y"]), ("b", &["x"]), ("c", &["z"]), ("d", &["z"])]);
        assert_eq!(found.redundant, ["b", "c"]);
        assert_eq!(found.kept, [("a".into(), vec!["x".into(), "y".into()]), ("d".into(), vec!["z".into()])]);
    }

    #[test]
    fn one_that_shows_nothing_alone_stays_for_nothing_but_its_promise() {
        let found = sorted(&[("a", &["x", "promise: it works"]), ("b", &["x"]), ("c", &["x", "y"])]);
        assert_eq!((found.redundant, found.for_a_promise), (vec!["b".to_owned()], vec!["a".to_owned()]));
    }
}
