//! What a criterion needs to be told of the target before it can be judged: without it there is no verdict.
//!
//! Must not know: how a criterion is judged.

use super::{case::Case, finding::Finding};
use crate::scenario::criterion::Criterion;

/// The refusal to judge, when the target lacks what the criterion needs.
pub(super) fn missing(criterion: &Criterion, case: &Case<'_>) -> Option<Finding> {
    let refusal = |why: String| {
        let expected = format!("{} to be judged", criterion.name());
        Some(Finding::expecting(expected).seeing("nothing that could be judged").inconclusive(why))
    };
    if case.seen.start.is_none() {
        return refusal("the history has no start record: nothing is known of the run".to_owned());
    }
    let by_acks_alone = matches!(criterion, Criterion::SuccessRate { .. }) && case.nothing_is_written();
    let lacking = criterion.needs().into_iter().find(|need| !case.seen.able(&need.word()));
    match lacking {
        Some(need) if !by_acks_alone => refusal(format!("the target has no {}", need.describe())),
        _ => None,
    }
}
