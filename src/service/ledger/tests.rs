//! What money says about a subscription: terms, differences, refunds whole, in parts and failed, disputes, zero.

use super::*;

fn usd(minor: i64) -> Option<Money> {
    Some(Money::new(minor, "usd"))
}

fn sub() -> SubscriptionId {
    SubscriptionId::new("sub_1")
}

/// A bill of a term, paid, made at `made`, by `payments`.
fn bill(made: i64, minor: i64, payments: &[&str]) -> Bill {
    Bill {
        subscription: Some(sub()),
        made: Some(made),
        settled: Settled::Paid,
        paid_at: Some(made),
        money: usd(minor),
        term: Some(true),
        payments: payments.iter().map(|payment| (*payment).to_owned()).collect(),
        ..Bill::default()
    }
}

fn charge(made: i64, minor: i64, intent: &str) -> Charge {
    Charge { intent: Some(intent.into()), made: Some(made), money: usd(minor), ..Charge::default() }
}

fn claim(charge: &str, minor: i64, state: &str, at: i64) -> Claim {
    Claim { charge: Some(charge.into()), intent: None, money: usd(minor), state: (at, 2, state.into()) }
}

fn one(payments: &[&str]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.bills.insert("in_1".into(), bill(100, 4900, payments));
    ledger.charges.insert("ch_1".into(), charge(101, 4900, "pi_1"));
    ledger
}

#[test]
fn partial_refunds_add_up_to_a_full_one_and_a_failed_one_gives_back() {
    for payments in [&["pi_1"][..], &["ch_1"], &[]] {
        let mut ledger = one(payments);
        assert_eq!(ledger.standing(&sub()), Standing::Paid);
        ledger.refunds.insert("re_1".into(), claim("ch_1", 1000, "succeeded", 200));
        assert_eq!(ledger.standing(&sub()), Standing::Paid, "a part");
        ledger.refunds.insert("re_2".into(), claim("ch_1", 3900, "pending", 300));
        assert_eq!(ledger.standing(&sub()), Standing::Returned, "all of it");
        ledger.refunds.insert("re_2".into(), claim("ch_1", 3900, "failed", 400));
        assert_eq!(ledger.standing(&sub()), Standing::Paid, "the second failed");
    }
}

#[test]
fn the_charges_own_word_counts_less_what_failed_after_it() {
    let mut ledger = one(&["pi_1"]);
    let tell = |ledger: &mut Ledger, at, amount| {
        let told = Charge { refunded: Some((at, amount)), ..charge(101, 4900, "pi_1") };
        ledger.charges.entry("ch_1".into()).or_default().join(&told);
    };
    tell(&mut ledger, 200, ALL);
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "no refund object is needed");
    ledger.refunds.insert("re_1".into(), claim("ch_1", 4900, "failed", 250));
    assert_eq!(ledger.standing(&sub()), Standing::Paid);
    tell(&mut ledger, 200, 4900);
    assert_eq!(ledger.standing(&sub()), Standing::Paid);
    tell(&mut ledger, 300, ALL);
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "a second refund, told by the charge alone");
}

#[test]
fn a_lost_dispute_is_a_refund_and_a_won_one_is_none() {
    for (state, standing) in [
        ("needs_response", Standing::Paid),
        ("under_review", Standing::Paid),
        ("warning_closed", Standing::Paid),
        ("won", Standing::Paid),
        ("appeal_under_review", Standing::Paid),
        ("lost", Standing::Returned),
    ] {
        let mut ledger = one(&["pi_1"]);
        ledger.disputes.insert("dp_1".into(), claim("ch_1", 4900, state, 300));
        assert_eq!(ledger.standing(&sub()), standing, "{state}");
    }
    let mut ledger = one(&["pi_1"]);
    ledger.refunds.insert("re_1".into(), claim("ch_1", 1000, "succeeded", 200));
    ledger.disputes.insert("dp_1".into(), claim("ch_1", 3900, "lost", 300));
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "refunded in part, the rest disputed");
    ledger.disputes.insert("dp_1".into(), claim("ch_1", 3900, "won", 300));
    assert_eq!(ledger.standing(&sub()), Standing::Paid);
}

#[test]
fn a_refund_takes_away_only_what_it_paid_for() {
    // The difference of an upgrade, then a renewal; the charge of the difference goes back, late.
    let mut ledger = one(&["pi_1"]);
    ledger.bills.insert("in_2".into(), Bill { term: Some(false), ..bill(500, 3252, &["pi_2"]) });
    ledger.charges.insert("ch_2".into(), charge(501, 3252, "pi_2"));
    ledger.refunds.insert("re_1".into(), claim("ch_2", 3252, "succeeded", 900));
    assert_eq!(ledger.standing(&sub()), Standing::Paid, "a proration");
    ledger.bills.insert("in_3".into(), bill(800, 9900, &["pi_3"]));
    ledger.charges.insert("ch_3".into(), charge(801, 9900, "pi_3"));
    ledger.refunds.insert("re_2".into(), claim("ch_1", 4900, "succeeded", 900));
    assert_eq!(ledger.standing(&sub()), Standing::Paid, "the term before");
    ledger.refunds.insert("re_3".into(), claim("ch_3", 9900, "succeeded", 900));
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "the term that is");
}

#[test]
fn without_a_tie_the_amount_and_then_the_time_decide() {
    let refunded = |made, minor| Charge { refunded: Some((900, ALL)), ..charge(made, minor, "pi_x") };
    for (made, minor, bill_made, standing) in [
        (100, 4900, 100, Standing::Returned),
        (40, 4900, 100, Standing::Returned),
        (39, 4900, 100, Standing::Paid),
        (500, 4900, 100, Standing::Returned),
        (500, 3252, 100, Standing::Paid),
    ] {
        let mut ledger = Ledger::default();
        ledger.bills.insert("in_1".into(), bill(bill_made, 4900, &[]));
        ledger.charges.insert("ch_x".into(), refunded(made, minor));
        assert_eq!(ledger.standing(&sub()), standing, "{made} {minor}");
        // Once it is known to be another bill's, it is not this one's.
        ledger.bills.insert("in_0".into(), Bill { subscription: None, ..bill(1, minor, &["pi_x"]) });
        assert_eq!(ledger.standing(&sub()), Standing::Paid);
    }
}

#[test]
fn zero_is_free_but_buys_back_nothing() {
    let free = || Bill { settled: Settled::Free, money: None, paid_at: None, ..bill(700, 0, &[]) };
    let mut ledger = Ledger::default();
    assert_eq!(ledger.standing(&sub()), Standing::Nothing);
    ledger.bills.insert("in_0".into(), free());
    assert_eq!((ledger.standing(&sub()), ledger.last_payment()), (Standing::Free, None));
    let mut ledger = one(&["pi_1"]);
    ledger.refunds.insert("re_1".into(), claim("ch_1", 4900, "succeeded", 200));
    ledger.bills.insert("in_2".into(), free());
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "an invoice of zero after a refund");
    assert_eq!(ledger.last_payment(), Some((100, usd(4900).as_ref())));
}

#[test]
fn a_refund_whose_charge_was_never_told_still_counts() {
    let mut ledger = Ledger::default();
    ledger.bills.insert("in_1".into(), bill(100, 4900, &["pi_1"]));
    let refund =
        Claim { charge: Some("ch_1".into()), intent: Some("pi_1".into()), ..claim("", 4900, "succeeded", 200) };
    ledger.refunds.insert("re_1".into(), refund);
    assert_eq!(ledger.standing(&sub()), Standing::Returned);
    ledger.charges.insert("ch_1".into(), charge(101, 4900, "pi_1"));
    assert_eq!(ledger.standing(&sub()), Standing::Returned, "and is not counted twice");
    let half = Claim { money: usd(2450), ..ledger.refunds["re_1"].clone() };
    ledger.refunds.insert("re_1".into(), half);
    assert_eq!(ledger.standing(&sub()), Standing::Paid);
}

#[test]
fn a_failed_bill_is_due_until_somebody_ends_it() {
    let failed = Bill { failed: true, ..Bill::default() };
    assert!(failed.is_due());
    for over in [
        Bill { voided: true, ..Bill::default() },
        Bill { uncollectible: true, ..Bill::default() },
        Bill { settled: Settled::Paid, ..Bill::default() },
    ] {
        let mut bill = failed.clone();
        bill.join(&over);
        assert!(!bill.is_due(), "{over:?}");
    }
}
