//! The CRM: one contact for each customer, and hands off what the CRM's own people wrote.
//!
//! Must not know: which CRM it is, how the service finds a contact.

use super::{
    anomaly::Anomaly,
    case::{Case, EndState, Person},
    diagnosis,
    finding::{Finding, exceeds},
    tally::{Tally, tally, unrecorded},
    words,
};
use crate::{
    history::{
        lookup::Ledger,
        record::{Contact, Effect},
    },
    plan::model::PlannedContact,
    scenario::criterion::Bound,
};
use std::collections::BTreeMap;

/// Contacts of each customer whose story says that there is one; the others must have none.
pub(super) fn per_customer(case: &Case<'_>, bound: Bound) -> Finding {
    let finding = Finding::expecting(format!("{} for each customer", words::bound(bound, "contact")));
    let counted =
        tally(case, |tally: &mut Tally<Counts>, end, index, person| count(tally, case, end, index, person, bound));
    let Some(tally) = counted else { return unrecorded(case, finding, "the CRM") };
    let Counts { due, without } = &tally.counts;
    if due.is_empty() && *without == 0 {
        let why = "no story says how many contacts its customer has, so there is nothing to compare with";
        return finding.seeing("no customer to judge").inconclusive(why);
    }
    let untested = due.is_empty().then_some("every story here ends without a contact, so this was not put to the test");
    let finding = finding.seeing(tally.counts.words());
    tally.judged(case, finding, untested, "each customer has as many contacts as asked for")
}

/// Contacts of all people at one end.
#[derive(Default)]
struct Counts {
    /// Of each person who is due some.
    due: Vec<u64>,
    /// People whose story says that they have none.
    without: usize,
}

fn count(
    tally: &mut Tally<Counts>,
    case: &Case<'_>,
    end: &EndState<'_>,
    index: usize,
    person: &Person<'_>,
    bound: Bound,
) {
    let Some(due) = case.contacts_due(person) else { return };
    // A contact that was there before is one of theirs; where none is due, it is not the service's doing.
    let found = end.contacts[index].iter().filter(|contact| due > 0 || !contact.given);
    let ids: Vec<String> = found.map(|contact| contact.id.clone()).collect();
    let count = ids.len() as u64;
    let (bound, words) = match due {
        0 => (Bound::Exactly(0), " although their story ends without one"),
        _ => (bound, ""),
    };
    match due {
        0 => tally.counts.without += 1,
        _ => tally.counts.due.push(count),
    }
    if bound.holds(count) {
        return;
    }
    let has = words::count(ids.len(), "contact");
    let list = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) };
    let excess = exceeds(bound, count);
    tally.wrong(format!("{} has {has}{list}{words} {}", person.words(), end.words()), excess, ids);
    let anomaly = match (due, excess) {
        (0, _) => Anomaly::Premature,
        (_, true) => Anomaly::Duplicate,
        (_, false) => diagnosis::missing(case, index, Some(end)),
    };
    tally.name(anomaly, index);
}

impl Counts {
    fn words(&self) -> String {
        let spread = match self.due.is_empty() {
            true => String::new(),
            false => format!(": {}", words::spread(self.due.iter().copied())),
        };
        let without = match self.without {
            0 => String::new(),
            n => format!("; {} who must have none", words::count(n, "customer")),
        };
        format!("{}{spread}{without}", words::count(self.due.len(), "customer"))
    }
}

/// Fields that the CRM's own people wrote and that are another now, or were in between.
pub(super) fn fields_overwritten(case: &Case<'_>, bound: Bound) -> Finding {
    let expected = format!("{} changed that the CRM's own people wrote", words::bound(bound, "field"));
    let finding = Finding::expecting(expected);
    if case.plan.given.is_empty() {
        let why = "no contact was there before the run, so no field could be overwritten";
        return finding.seeing("no given contact").inconclusive(why);
    }
    let ledgers: Vec<Ledger<'_>> = case.ends.iter().filter_map(|end| end.ledger).collect();
    if ledgers.is_empty() {
        return unrecorded(case, finding, "the CRM");
    }
    let mut changes: BTreeMap<(usize, &str), (String, u64)> = BTreeMap::new();
    for ledger in &ledgers {
        let found = matched(&case.plan.given, &case.contacts_of_the_run(ledger.contacts));
        for (index, planned) in case.plan.given.iter().enumerate() {
            in_ledger(index, planned, found[index], ledger.n, &mut changes);
        }
        in_between(case, &found, &mut changes);
    }
    let fields: usize = case.plan.given.iter().map(|planned| planned.properties.len()).sum();
    let seen = format!(
        "{} of {} in {} changed",
        changes.len(),
        words::count(fields, "field"),
        words::count(case.plan.given.len(), "given contact"),
    );
    // What people wrote is gone: a lost update.
    let whose = |index: usize| {
        let id = &case.plan.given[index].instance;
        case.people.iter().position(|person| person.instances.iter().any(|instance| instance.id == *id))
    };
    let named = changes.keys().map(|(index, _)| (Anomaly::Lost, whose(*index)));
    let finding = finding.seeing(seen).evidence(changes.values().map(|(_, n)| *n)).named(named);
    let texts: Vec<String> = changes.values().map(|(text, _)| text.clone()).collect();
    match exceeds(bound, changes.len() as u64) {
        true => finding.fail(words::few(&texts)),
        false => finding.counted(case, bound, changes.len() as u64, "fields were changed"),
    }
}

/// For each given contact the one of the ledger that it is: same e-mail first, else the most equal properties.
fn matched<'l>(given: &[PlannedContact], contacts: &[&'l Contact]) -> Vec<Option<&'l Contact>> {
    let mut free: Vec<&Contact> = contacts.iter().copied().filter(|contact| contact.given).collect();
    let mut found: Vec<Option<&Contact>> = vec![None; given.len()];
    for by_email in [true, false] {
        for (planned, found) in given.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let likeness = |contact: &Contact| {
                let equal = |(name, value): &(&String, &String)| same(name, value, contact.properties.get(*name));
                match by_email {
                    true => usize::from(planned.properties.get_key_value("email").is_some_and(|p| equal(&p))),
                    false => planned.properties.iter().filter(equal).count(),
                }
            };
            let best = (0..free.len()).rev().max_by_key(|at| likeness(free[*at]));
            if let Some(at) = best.filter(|at| likeness(free[*at]) > 0) {
                *found = Some(free.remove(at));
            }
        }
    }
    found
}

/// Whether a property still has its value. An e-mail is the same in any case, for CRMs write it in lower case.
fn same(name: &str, given: &str, now: Option<&String>) -> bool {
    now.is_some_and(|now| now == given || (name == "email" && now.eq_ignore_ascii_case(given)))
}

fn in_ledger<'p>(
    index: usize,
    planned: &'p PlannedContact,
    found: Option<&Contact>,
    n: u64,
    changes: &mut BTreeMap<(usize, &'p str), (String, u64)>,
) {
    for (name, given) in &planned.properties {
        let now = found.and_then(|contact| contact.properties.get(name));
        if same(name, given, now) {
            continue;
        }
        let text = match (found, now) {
            (None, _) => format!("the contact of {} is gone, and with it `{name}`", planned.instance),
            (Some(contact), None) => format!("`{name}` of contact {} was `{given}` and is gone", contact.id),
            (Some(contact), Some(now)) => format!("`{name}` of contact {} was `{given}` and is `{now}`", contact.id),
        };
        changes.entry((index, name)).or_insert((text, n));
    }
}

/// Changes that were taken back later count too: for a while, people worked with wrong data.
fn in_between<'p>(
    case: &Case<'p>,
    found: &[Option<&Contact>],
    changes: &mut BTreeMap<(usize, &'p str), (String, u64)>,
) {
    let index_of: BTreeMap<&str, usize> =
        found.iter().enumerate().filter_map(|(i, contact)| Some((contact.as_ref()?.id.as_str(), i))).collect();
    let updates = case.seen.calls.iter().flat_map(|call| call.what.effects.iter().map(|effect| (call.n, effect)));
    for (n, effect) in updates {
        let Effect::ContactUpdated { contact, changed } = effect else { continue };
        let Some(index) = index_of.get(contact.as_str()) else { continue };
        for (name, given) in &case.plan.given[*index].properties {
            let Some((_, now)) = changed.get(name).filter(|(_, now)| !same(name, given, now.as_ref())) else {
                continue;
            };
            let now = now.as_deref().unwrap_or("nothing");
            let text = format!("`{name}` of contact {contact} was `{given}` and was set to `{now}`");
            changes.entry((*index, name)).and_modify(|(_, first)| *first = n.min(*first)).or_insert((text, n));
        }
    }
}
