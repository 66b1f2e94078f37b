//! Types of events for which a defective service has no handler: it acknowledges them, and nothing follows.
//!
//! Must not know: what is in a body.

use crate::service::defects::{Defect, Defects};

/// What each defect leaves unhandled: all types that begin so.
const UNHANDLED: [(Defect, &[&str]); 6] = [
    (Defect::RefundIgnored, &["charge.refunded", "charge.refund.", "refund."]),
    (Defect::OnlyChargeRefunded, &["charge.refund.", "refund."]),
    (Defect::DisputeIgnored, &["charge.dispute."]),
    (Defect::DisputeOpenedIgnored, &["charge.dispute.created", "charge.dispute.updated", "charge.dispute.funds_"]),
    (Defect::LaterPaymentIgnored, &["checkout.session.async_payment_succeeded"]),
    (Defect::DeletionIgnored, &["customer.subscription.deleted"]),
];

/// Whether events of this type say nothing to a service with these defects.
pub(super) fn is(kind: &str, defects: &Defects) -> bool {
    let left_out = |(defect, kinds): &(Defect, &[&str])| {
        defects.has(*defect) && kinds.iter().any(|beginning| kind.starts_with(beginning))
    };
    UNHANDLED.iter().any(left_out)
}
