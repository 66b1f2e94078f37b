//! State at the end, as probes read it: access, status and plan, named values.
//!
//! Must not know: where the app keeps its state.

use super::{
    anomaly::Anomaly,
    case::{Case, Chain, EndState},
    diagnosis,
    effect::{self, Took},
    finding::{Finding, exceeds},
    verdict::Validity,
    words,
};
use crate::{
    scenario::criterion::{AccessIs, Bound},
    stripe::recording::Access,
};
use std::collections::BTreeMap;

/// Access at the end: as given, or as each story says.
pub(super) fn access(case: &Case<'_>, is: AccessIs) -> Finding {
    let wanted = |chain: &Chain<'_>| match is {
        AccessIs::This(access) => Some(access),
        AccessIs::AsStory => chain.end().map(|end| end.access),
    };
    let expected = match is {
        AccessIs::This(access) => format!("access {} for every customer", effect::access_words(access)),
        AccessIs::AsStory => {
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for access in case.chains.iter().filter_map(wanted) {
                *kinds.entry(effect::access_words(access)).or_default() += 1;
            }
            let kinds: Vec<String> = kinds.iter().map(|(access, n)| format!("{n} {access}")).collect();
            format!("access as each story says ({})", kinds.join(", "))
        }
    };
    let first_sent = effect::first_sent(case);
    let judge = |chain: &Chain<'_>, end: &EndState<'_>| match wanted(chain) {
        Some(Access::Granted) if let Some(n) = effect::open_unasked(case, chain, &first_sent) => {
            let who = chain.words();
            let why = "before anything was sent (or the app still holds a run of the same seed and epoch)";
            Took::No(format!("access of {who} was open {why}"), vec![n])
        }
        // Who must never have access must not have it for a while either.
        Some(Access::None) => match effect::opened(case, chain) {
            Some(n) => Took::No(format!("access was open (record {n}) and should never have been"), vec![n]),
            None => effect::access(case, chain, end, false),
        },
        Some(access) => effect::access(case, chain, end, access.is_open()),
        None => Took::Unsaid,
    };
    let name = |chain: &Chain<'_>, end: &EndState<'_>| match wanted(chain) {
        Some(access) if chain.end().is_none_or(|truth| truth.access != access) => {
            if access.is_open() {
                Anomaly::Lost
            } else {
                Anomaly::Premature
            }
        }
        Some(Access::None) => Anomaly::Premature,
        Some(Access::Granted) if effect::open_unasked(case, chain, &first_sent).is_some() => Anomaly::Premature,
        Some(Access::Granted | Access::Revoked) | None => diagnosis::state(case, chain, end),
    };
    let finding = verdict(case, Finding::expecting(expected), judge, name, "access is as it should be");
    let revoked = case.chains.iter().filter_map(wanted).any(|access| access == Access::Revoked);
    if finding.validity == Validity::Pass && revoked && !effect::ever_open(case) {
        let why = "access is closed, but no probe ever found it open for anybody: that it was taken away is not shown";
        return finding.inconclusive(why);
    }
    finding
}

/// Status and plan at the end, as each story says.
pub(super) fn customer_state(case: &Case<'_>) -> Finding {
    let unread = match case.fields {
        (true, true) => "",
        (true, false) => " (the probe reads no plan: only the status was compared)",
        (false, true) => " (the probe reads no status: only the plan was compared)",
        (false, false) if unknown(case) => " (the app does not know the customers)",
        (false, false) => {
            let finding = Finding::expecting("status and plan as each story says").seeing("no status and no plan");
            return finding.inconclusive(case.gap.clone().unwrap_or("no probe read a status or a plan".to_owned()));
        }
    };
    let judge = |chain: &Chain<'_>, end: &EndState<'_>| match chain.end() {
        Some(expected) => effect::state(case, chain, end, expected),
        None => Took::Unsaid,
    };
    let finding = Finding::expecting(format!("status and plan as each story says{unread}"));
    let name = |chain: &Chain<'_>, end: &EndState<'_>| diagnosis::state(case, chain, end);
    let finding = verdict(case, finding, judge, name, "status and plan are as they should be");
    match empty_field(case) {
        Some(field) if finding.validity == Validity::Pass => finding.inconclusive(format!(
            "the probe read no {field} for anybody, although there should be one: does the app give it, where `{field}` \
             in the project file says?"
        )),
        Some(_) | None => finding,
    }
}

/// Whether the app said of any customer that it does not know them.
fn unknown(case: &Case<'_>) -> bool {
    let of = |chain, end| effect::reading(case, chain, end).is_ok_and(|probe| probe.what.known == Some(false));
    case.ends.iter().any(|end| case.chains.iter().any(|chain| of(chain, end)))
}

/// A field that was read for nobody, although a story says that somebody has one.
fn empty_field(case: &Case<'_>) -> Option<&'static str> {
    let ends = || case.chains.iter().filter_map(|chain| chain.end());
    match case.fields {
        (false, _) if ends().any(|end| end.status != "none") => Some("status"),
        (_, false) if ends().any(|end| end.plan != "none") => Some("plan"),
        (true | false, true | false) => None,
    }
}

/// A number that the probe reads for each customer.
pub(super) fn probe_value(case: &Case<'_>, name: &str, bound: Bound) -> Finding {
    let wanted = match bound {
        Bound::Exactly(n) => format!("exactly {n}"),
        Bound::AtMost(n) => format!("at most {n}"),
    };
    let judge = |chain: &Chain<'_>, end: &EndState<'_>| {
        if effect::nobody_to_ask(case, chain, end) {
            return Took::Unsaid;
        }
        let probe = match effect::reading(case, chain, end) {
            Ok(probe) => probe,
            Err(why) => return Took::Unreadable(why),
        };
        let unknown = probe.what.known == Some(false);
        match probe.what.values.get(name) {
            Some(value) if u64::try_from(*value).is_ok_and(|value| bound.holds(value)) => Took::Yes,
            Some(value) => {
                Took::No(format!("`{name}` is {value} and should be {wanted} {}", end.words()), vec![probe.n])
            }
            None if unknown && chain.end().is_some_and(|end| end.access == Access::None) => Took::Unsaid,
            None => Took::Unreadable(format!("the probe of {} read no `{name}`", chain.words())),
        }
    };
    let too_many = |chain: &Chain<'_>, end: &EndState<'_>| {
        let probe = effect::reading(case, chain, end).ok();
        let value = probe.and_then(|probe| probe.what.values.get(name));
        value.is_some_and(|value| u64::try_from(*value).is_ok_and(|value| exceeds(bound, value)))
    };
    let named = |chain: &Chain<'_>, end: &EndState<'_>| match too_many(chain, end) {
        true => Anomaly::Duplicate,
        false => diagnosis::missing(case, chain.person, Some(end)),
    };
    verdict(
        case,
        Finding::expecting(format!("`{name}` {wanted} for each customer")),
        judge,
        named,
        "every value is as asked for",
    )
}

/// Judges each customer at the end of each quiet phase, and names what is wrong. A wrong end fails only a whole run: it
/// might still have come right.
fn verdict(
    case: &Case<'_>,
    finding: Finding,
    judge: impl Fn(&Chain<'_>, &EndState<'_>) -> Took,
    name: impl Fn(&Chain<'_>, &EndState<'_>) -> Anomaly,
    why: &str,
) -> Finding {
    let (mut right, mut wrong, mut unread) = (0, Vec::new(), Vec::new());
    let (mut evidence, mut named) = (Vec::new(), Vec::new());
    for chain in &case.chains {
        let mut answers = case.ends.iter().map(|end| (judge(chain, end), end)).collect::<Vec<_>>();
        answers.sort_by_key(|(took, _)| rank(took));
        match answers.into_iter().next() {
            Some((Took::No(what, records), end)) => {
                wrong.push(format!("{}: {what}", chain.words()));
                evidence.extend(records);
                named.push((name(chain, end), Some(chain.person)));
            }
            Some((Took::Unreadable(why), _)) => unread.push(why),
            Some((Took::Yes, _)) => right += 1,
            Some((Took::Unsaid, _)) | None => {}
        }
    }
    let judged = right + wrong.len() + unread.len();
    let not_read = if unread.is_empty() { String::new() } else { format!(", {} not read", unread.len()) };
    let seen = format!("{}: {right} right, {} wrong{not_read}", words::count(judged, "customer"), wrong.len());
    let finding = finding.seeing(seen).evidence(evidence).named(named);
    if !wrong.is_empty() {
        return finding.fail_if_whole(case, words::few(&wrong));
    }
    if let Some(why) = unread.first() {
        return finding.inconclusive(case.gap.clone().unwrap_or_else(|| why.clone()));
    }
    match right {
        0 => finding.inconclusive(case.gap.clone().unwrap_or("no customer could be judged".to_owned())),
        _ => finding.pass_if_whole(case, why),
    }
}

/// What counts first when the ends after the quiet phase and after the replay differ.
fn rank(took: &Took) -> u8 {
    match took {
        Took::No(..) => 0,
        Took::Unreadable(_) => 1,
        Took::Yes => 2,
        Took::Unsaid => 3,
    }
}
