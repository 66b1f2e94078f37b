//! Effects of declared doubles: so many of one kind for each customer.
//!
//! Counted by what the double did, so a lost answer hides none. Must not know: what was declared besides names, keys and fields.

use super::{
    anomaly::Anomaly,
    case::{Case, Person},
    diagnosis,
    finding::{Finding, exceeds},
    words,
};
use crate::{
    history::{
        lookup::Seen,
        record::{Call, Effect},
    },
    scenario::{
        criterion::{Bound, EffectName},
        fault::Double,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// An effect of the kind in question.
struct Made<'a> {
    /// Its key, or the record that shows it.
    name: String,
    n: u64,
    about: BTreeSet<usize>,
    effect: &'a Effect,
}

/// Effects of one kind for each customer; of one story's customers where a story is named.
pub(super) fn per_customer(case: &Case<'_>, of: &EffectName, story: Option<&str>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} for each customer", words::bound(bound, &of.to_string())));
    let called = case.seen.calls.iter().any(|call| call.what.double == Double::Declared(of.double));
    let made = made(case, of);
    let in_story =
        |person: &Person<'_>| story.is_none_or(|story| person.instances.iter().any(|instance| instance.story == story));
    let (mut counts, mut wrong, mut evidence, mut named) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut positive = false;
    for (index, person) in case.real_people().filter(|(_, person)| in_story(person)) {
        let theirs: Vec<&Made<'_>> = made.iter().filter(|made| made.about.contains(&index)).collect();
        let count = theirs.len() as u64;
        counts.push(count);
        if bound.holds(count) {
            continue;
        }
        let excess = exceeds(bound, count);
        positive |= excess;
        let list = theirs.iter().map(|made| made.name.clone()).collect::<Vec<_>>().join(", ");
        let list = if list.is_empty() { list } else { format!(" ({list})") };
        wrong.push(format!("{} has {}{list}", person.words(), words::count(theirs.len(), &of.to_string())));
        evidence.extend(theirs.iter().map(|made| made.n));
        named.push((anomaly(case, bound, excess, index), Some(index)));
    }
    let nobodys: Vec<&Made<'_>> = made.iter().filter(|made| made.about.is_empty()).collect();
    let finding = finding.seeing(seen(&counts, nobodys.len())).evidence(evidence).named(named);
    let mut reasons = words::few(&wrong);
    if !wrong.is_empty() && !nobodys.is_empty() {
        let names: Vec<String> = nobodys.iter().map(|made| made.name.clone()).collect();
        reasons.push_str(&format!("; about no customer of this run: {}", words::few(&names)));
    }
    match (positive, wrong.is_empty()) {
        (true, _) => finding.fail(reasons),
        (false, false) => finding.fail_if_whole(case, reasons),
        (false, true) if counts.is_empty() => finding.inconclusive("there is no customer to judge"),
        (false, true) if !called => finding.inconclusive(case.gap.clone().unwrap_or(format!(
            "nothing ever called `{}`, so this was not put to the test; is the app given its address?",
            of.double
        ))),
        (false, true) if made.is_empty() && bound != Bound::Exactly(0) => finding.inconclusive(
            case.gap.clone().unwrap_or(format!("no {of} ever happened, so this was not put to the test")),
        ),
        (false, true) => finding.pass_if_whole(case, "each customer has as many as asked for"),
    }
}

fn anomaly(case: &Case<'_>, bound: Bound, excess: bool, person: usize) -> Anomaly {
    match (excess, bound) {
        (true, Bound::Exactly(0) | Bound::AtMost(0)) => Anomaly::Premature,
        (true, _) => Anomaly::Duplicate,
        (false, _) => diagnosis::missing(case, person, case.ends.last()),
    }
}

fn seen(counts: &[u64], nobodys: usize) -> String {
    let customers = words::count(counts.len(), "customer");
    let spread = if counts.is_empty() { String::new() } else { format!(": {}", words::spread(counts.iter().copied())) };
    let nobodys = if nobodys == 0 { String::new() } else { format!("; {nobodys} about nobody of this run") };
    format!("{customers}{spread}{nobodys}")
}

fn made<'c>(case: &'c Case<'_>, of: &EffectName) -> Vec<Made<'c>> {
    let mut made = Vec::new();
    for call in &case.seen.calls {
        for effect in &call.what.effects {
            let Effect::Declared { double, effect: name, key, .. } = effect else { continue };
            if *double != of.double || *name != of.effect {
                continue;
            }
            let name = if key.is_empty() { format!("#{}", call.n) } else { key.clone() };
            made.push(Made { name, n: call.n, about: BTreeSet::new(), effect });
        }
    }
    let about: BTreeMap<u64, &Seen<'_, Call>> = case.seen.calls.iter().map(|call| (call.n, call)).collect();
    for one in &mut made {
        one.about = about.get(&one.n).map(|call| people(case, one.effect, call.what)).unwrap_or_default();
    }
    made
}

/// Whose a declared effect is: the people whom its key and fields name, else those whom its call names.
pub(super) fn people(case: &Case<'_>, effect: &Effect, call: &Call) -> BTreeSet<usize> {
    let Effect::Declared { key, fields, .. } = effect else { return BTreeSet::new() };
    let said: BTreeSet<usize> = fields.values().chain([key]).flat_map(|text| case.owners.in_text(text)).collect();
    if !said.is_empty() {
        return said;
    }
    let of = |person: &Person<'_>| person.instances.iter().any(|instance| call.about.contains(&instance.id));
    case.people.iter().enumerate().filter(|(_, person)| of(person)).map(|(index, _)| index).collect()
}
