//! Invoices, charges, refunds and disputes. Only invoices and charges name their customer; the rest is tied to one through
//! the payments that it names.
//!
//! Must not know: storage, what was said before.

use super::{
    Fact, Reader, Reading,
    body::{amount, reference, text},
    fold_email, object, payment_party, user_party,
};
use crate::{
    id::{InvoiceId, SubscriptionId},
    service::{
        defects::{Defect, Defects},
        ledger::{ALL, Bill, Charge, Claim, Settled},
        money::Money,
    },
    stripe::event::Event,
};
use serde_json::Value;

/// What reads events about money.
pub(super) fn reader(kind: &str) -> Option<Reader> {
    Some(match kind {
        "invoice.paid" | "invoice.payment_succeeded" => {
            |event, body, defects| invoice(object(body), paid(event, object(body), defects), defects)
        }
        "invoice.payment_failed" => {
            |_, body, defects| invoice(object(body), Bill { failed: true, ..Bill::default() }, defects)
        }
        "invoice.voided" => |_, body, defects| invoice(object(body), Bill { voided: true, ..Bill::default() }, defects),
        "invoice.marked_uncollectible" => {
            |_, body, defects| invoice(object(body), Bill { uncollectible: true, ..Bill::default() }, defects)
        }
        "invoice_payment.paid" => |_, body, _| invoice_payment(object(body)),
        "payment_intent.succeeded" => |_, body, _| payment_intent(object(body)),
        "charge.succeeded" | "charge.captured" | "charge.updated" | "charge.refunded" => {
            |event, body, defects| charge(event, object(body), defects)
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => |event, body, _| {
            let state = text(&object(body)["status"]).unwrap_or_default();
            claim(event, object(body), (refund_rank(&state), state), Fact::Refund)
        },
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated" => |event, body, defects| {
            let state = dispute_state(object(body), defects);
            claim(event, object(body), (dispute_rank(&state), state), Fact::Dispute)
        },
        _ => return None,
    })
}

fn payment_intent(object: &Value) -> Option<Reading> {
    let (customer, intent) = (reference(&object["customer"])?, text(&object["id"])?);
    let payments = [Some(intent), reference(&object["latest_charge"])].into_iter().flatten().collect();
    Some(Reading { payments, ..Reading::of(customer, Vec::new()) })
}

fn paid(event: &Event, object: &Value, defects: &Defects) -> Bill {
    let nothing = object["amount_paid"].as_i64().is_some_and(|amount| amount <= 0);
    let paid = !nothing || defects.has(Defect::ZeroInvoicePays);
    let at = object["status_transitions"]["paid_at"].as_i64().unwrap_or(event.created);
    Bill {
        settled: if paid { Settled::Paid } else { Settled::Free },
        paid_at: paid.then_some(at),
        money: amount(&object["amount_paid"], object).filter(|_| paid).map(|money| in_hundredths(money, defects)),
        term: Some(is_term(object)),
        ..Bill::default()
    }
}

/// What a service makes of an amount that believes that every currency has hundredths and that Stripe sends whole units of
/// those without; the sound one changes nothing.
fn in_hundredths(money: Money, defects: &Defects) -> Money {
    if money.currency == "jpy" && defects.has(Defect::YenTimesHundred) {
        return Money { minor: money.minor.saturating_mul(100), ..money };
    }
    money
}

/// Whether an invoice pays a term: a line that is no proration says so. Without lines its reason does.
fn is_term(object: &Value) -> bool {
    let lines = object["lines"]["data"].as_array().filter(|lines| !lines.is_empty());
    let Some(lines) = lines else { return object["billing_reason"].as_str() != Some("subscription_update") };
    lines.iter().any(|line| {
        // Moved below `parent` by the 2025-03-31 version.
        let parent = &line["parent"];
        let details = [&parent["subscription_item_details"], &parent["invoice_item_details"], line];
        !details.iter().any(|details| details["proration"].as_bool() == Some(true))
    })
}

fn invoice(object: &Value, says: Bill, defects: &Defects) -> Option<Reading> {
    if defects.has(Defect::InvoiceOldPath) && object["subscription"].is_null() {
        return None;
    }
    let id = text(&object["id"]);
    // Moved below `parent` by the 2025-03-31 version (bug class 53); lines carry it too.
    let (now, before) = (&object["parent"]["subscription_details"], &object["subscription_details"]);
    let line = &object["lines"]["data"][0];
    let subscription = reference(&now["subscription"])
        .or_else(|| reference(&object["subscription"]))
        .or_else(|| reference(&line["parent"]["subscription_item_details"]["subscription"]))
        .or_else(|| reference(&line["subscription"]));
    let metadata = |key: &str| {
        text(&now["metadata"][key])
            .or_else(|| text(&before["metadata"][key]))
            .or_else(|| text(&object["metadata"][key]))
    };
    let (user, chat) = (metadata("user_id"), metadata("chat_session"));
    let party = reference(&object["customer"]).or_else(|| user.as_deref().map(user_party))?;
    let payments = payments(object);
    let names = id.iter().cloned().chain(payments.iter().cloned()).collect();
    let mut facts = Vec::new();
    if let Some(id) = id {
        facts.extend(says.failed.then(|| Fact::InvoiceFailed(InvoiceId::new(id.clone()))));
        let bill = Bill {
            subscription: subscription.map(SubscriptionId::new),
            made: object["created"].as_i64().or(says.paid_at),
            payments: payments.into_iter().collect(),
            ..says
        };
        facts.push(Fact::Bill(id, Box::new(bill)));
    }
    let email = text(&object["customer_email"]).as_deref().map(fold_email);
    Some(Reading { user, email, chat, payments: names, ..Reading::of(party, facts) })
}

/// What has paid an invoice: named by it before basil, since then only where `payments` is expanded.
fn payments(object: &Value) -> Vec<String> {
    let mut found: Vec<String> =
        [&object["payment_intent"], &object["charge"]].into_iter().filter_map(reference).collect();
    for payment in object["payments"]["data"].as_array().into_iter().flatten() {
        let payment = &payment["payment"];
        found.extend([&payment["payment_intent"], &payment["charge"]].into_iter().filter_map(reference));
    }
    found
}

/// Since basil the only tie between an invoice and its payment. It names no customer.
fn invoice_payment(object: &Value) -> Option<Reading> {
    let invoice = reference(&object["invoice"])?;
    let payment = &object["payment"];
    let paid: Vec<String> =
        [&payment["payment_intent"], &payment["charge"]].into_iter().filter_map(reference).collect();
    let payments: Vec<String> = std::iter::once(invoice.clone()).chain(paid.iter().cloned()).collect();
    let bill = Bill { payments: paid.into_iter().collect(), ..Bill::default() };
    let facts = vec![Fact::Bill(invoice.clone(), Box::new(bill))];
    Some(Reading { payments, ..Reading::of(payment_party(&invoice), facts) })
}

fn charge(event: &Event, object: &Value, defects: &Defects) -> Option<Reading> {
    if object["status"].as_str() == Some("failed") || object["paid"].as_bool() == Some(false) {
        return None;
    }
    let id = text(&object["id"])?;
    let refunded = object["amount_refunded"].as_i64();
    let part = refunded.is_some_and(|amount| amount > 0) && defects.has(Defect::PartialRefundRevokes);
    let whole = part || object["refunded"].as_bool() == Some(true);
    let charge = Charge {
        intent: reference(&object["payment_intent"]),
        invoice: reference(&object["invoice"]),
        made: Some(object["created"].as_i64().unwrap_or(event.created)),
        money: amount(&object["amount"], object),
        refunded: if whole { Some((event.created, ALL)) } else { refunded.map(|amount| (event.created, amount)) },
    };
    let payments: Vec<String> =
        [Some(id.clone()), charge.intent.clone(), charge.invoice.clone()].into_iter().flatten().collect();
    let party = reference(&object["customer"]).unwrap_or_else(|| payment_party(&id));
    Some(Reading { payments, ..Reading::of(party, vec![Fact::Charge(id, Box::new(charge))]) })
}

fn dispute_state(object: &Value, defects: &Defects) -> String {
    let state = text(&object["status"]).unwrap_or_default();
    let undecided = !matches!(state.as_str(), "won" | "warning_closed" | "prevented");
    if undecided && defects.has(Defect::OpenDisputeRevokes) { "lost".to_owned() } else { state }
}

fn claim(event: &Event, object: &Value, state: (u8, String), fact: fn(String, Box<Claim>) -> Fact) -> Option<Reading> {
    let id = text(&object["id"])?;
    let claim = Claim {
        charge: reference(&object["charge"]),
        intent: reference(&object["payment_intent"]),
        money: amount(&object["amount"], object),
        state: (event.created, state.0, state.1),
    };
    let payments: Vec<String> = claim.charge.iter().chain(&claim.intent).cloned().collect();
    // Expanded, the charge names the customer.
    let customer = reference(&object["charge"]["customer"]).or_else(|| reference(&object["customer"]));
    let party = customer.or_else(|| payments.first().map(|payment| payment_party(payment)))?;
    Some(Reading { payments, ..Reading::of(party, vec![fact(id, Box::new(claim))]) })
}

/// Which state of a refund comes later within one second.
fn refund_rank(status: &str) -> u8 {
    match status {
        "failed" | "canceled" => 3,
        "succeeded" => 2,
        "requires_action" => 1,
        _ => 0,
    }
}

/// Which state of a dispute comes later within one second.
fn dispute_rank(status: &str) -> u8 {
    match status {
        "won" | "lost" | "warning_closed" | "prevented" => 2,
        "under_review" | "warning_under_review" | "appeal_under_review" => 1,
        _ => 0,
    }
}
