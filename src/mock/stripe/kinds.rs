//! Kinds of objects: their paths, ids, names and the filters of their lists.
//!
//! Must not know: the double's state, what an object holds.

use super::keys::Scope;

/// A kind of object that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Customer,
    Subscription,
    SubscriptionItem,
    Invoice,
    InvoicePayment,
    InvoiceItem,
    Session,
    Charge,
    PaymentIntent,
    SetupIntent,
    PaymentMethod,
    Refund,
    Dispute,
    Price,
    Product,
    Plan,
    BalanceTransaction,
}

/// What is to be known of a kind.
pub(super) struct Row {
    /// Which.
    pub(super) kind: Kind,
    /// Path below `/v1/`.
    pub(super) path: &'static str,
    /// What its ids begin with.
    pub(super) prefixes: &'static [&'static str],
    /// `object`, and what a refusal calls it.
    pub(super) object: &'static str,
    /// What a refusal calls it.
    pub(super) noun: &'static str,
    /// The parameter that a refusal names.
    pub(super) param: &'static str,
    /// Operations: read one, list, search; empty where there is none.
    pub(super) operations: [&'static str; 3],
    /// Parameters of its list besides those of every list.
    pub(super) filters: &'static [&'static str],
    /// Who may read it.
    pub(super) scope: Scope,
}

const fn row(
    kind: Kind,
    (path, object, noun, param): (&'static str, &'static str, &'static str, &'static str),
    prefixes: &'static [&'static str],
    operations: [&'static str; 3],
    filters: &'static [&'static str],
    scope: Scope,
) -> Row {
    Row { kind, path, prefixes, object, noun, param, operations, filters, scope }
}

/// All kinds.
pub(super) static ROWS: [Row; 17] = [
    row(
        Kind::Customer,
        ("customers", "customer", "customer", "id"),
        &["cus_"],
        ["get_customer", "list_customers", "search_customers"],
        &["email", "created"],
        Scope::CustomerRead,
    ),
    row(
        Kind::Subscription,
        ("subscriptions", "subscription", "subscription", "id"),
        &["sub_"],
        ["get_subscription", "list_subscriptions", "search_subscriptions"],
        &["customer", "price", "status", "created", "collection_method", "current_period_end", "current_period_start"],
        Scope::SubscriptionRead,
    ),
    row(
        Kind::SubscriptionItem,
        ("subscription_items", "subscription_item", "subscription_item", "item"),
        &["si_"],
        ["get_subscription_item", "list_subscription_items", ""],
        &["subscription"],
        Scope::SubscriptionRead,
    ),
    row(
        Kind::Invoice,
        ("invoices", "invoice", "invoice", "invoice"),
        &["in_"],
        ["get_invoice", "list_invoices", "search_invoices"],
        &["customer", "subscription", "status", "created", "collection_method"],
        Scope::InvoiceRead,
    ),
    row(
        Kind::InvoicePayment,
        ("invoice_payments", "invoice_payment", "invoice_payment", "invoice_payment"),
        &["inpay_"],
        ["get_invoice_payment", "list_invoice_payments", ""],
        &["invoice", "payment", "status", "created"],
        Scope::InvoiceRead,
    ),
    row(
        Kind::InvoiceItem,
        ("invoiceitems", "invoiceitem", "invoiceitem", "invoiceitem"),
        &["ii_"],
        ["get_invoice_item", "list_invoice_items", ""],
        &["customer", "invoice", "created"],
        Scope::InvoiceRead,
    ),
    row(
        Kind::Session,
        ("checkout/sessions", "checkout.session", "checkout.session", "session"),
        &["cs_"],
        ["get_session", "list_sessions", ""],
        &["customer", "payment_intent", "subscription", "status", "customer_details", "created"],
        Scope::CheckoutSessionRead,
    ),
    row(
        Kind::Charge,
        ("charges", "charge", "charge", "charge"),
        &["ch_", "py_"],
        ["get_charge", "list_charges", "search_charges"],
        &["customer", "payment_intent", "created"],
        Scope::ChargeRead,
    ),
    row(
        Kind::PaymentIntent,
        ("payment_intents", "payment_intent", "payment_intent", "intent"),
        &["pi_"],
        ["get_payment_intent", "list_payment_intents", "search_payment_intents"],
        &["customer", "created"],
        Scope::PaymentIntentRead,
    ),
    row(
        Kind::SetupIntent,
        ("setup_intents", "setup_intent", "setupintent", "intent"),
        &["seti_"],
        ["get_setup_intent", "list_setup_intents", ""],
        &["customer", "payment_method", "created"],
        Scope::SetupIntentRead,
    ),
    row(
        Kind::PaymentMethod,
        ("payment_methods", "payment_method", "PaymentMethod", "payment_method"),
        &["pm_"],
        ["get_payment_method", "list_payment_methods", ""],
        &["customer", "type"],
        Scope::PaymentMethodRead,
    ),
    row(
        Kind::Refund,
        ("refunds", "refund", "refund", "refund"),
        &["re_", "pyr_"],
        ["get_refund", "list_refunds", ""],
        &["charge", "payment_intent", "created"],
        Scope::ChargeRead,
    ),
    row(
        Kind::Dispute,
        ("disputes", "dispute", "dispute", "dispute"),
        &["dp_", "du_"],
        ["get_dispute", "list_disputes", ""],
        &["charge", "payment_intent", "created"],
        Scope::DisputeRead,
    ),
    row(
        Kind::Price,
        ("prices", "price", "price", "price"),
        &["price_"],
        ["get_price", "list_prices", "search_prices"],
        &["product", "active", "currency", "type", "lookup_keys", "created"],
        Scope::PriceRead,
    ),
    row(
        Kind::Product,
        ("products", "product", "product", "id"),
        &["prod_"],
        ["get_product", "list_products", "search_products"],
        &["active", "ids", "created"],
        Scope::ProductRead,
    ),
    row(Kind::Plan, ("plans", "plan", "plan", "plan"), &["plan_"], ["get_plan", "", ""], &[], Scope::PriceRead),
    row(
        Kind::BalanceTransaction,
        ("balance_transactions", "balance_transaction", "balance transaction", "id"),
        &["txn_"],
        ["get_balance_transaction", "", ""],
        &[],
        Scope::ChargeRead,
    ),
];

impl Kind {
    /// What is to be known of it.
    pub(super) fn row(self) -> &'static Row {
        // Every kind has its row: a test says so.
        ROWS.iter().find(|row| row.kind == self).unwrap_or(&ROWS[0])
    }

    /// The kind of a path below `/v1/`.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.path == path).map(|row| row.kind)
    }

    /// The kind of an id; `None` for a text that is none.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        let rest_of = |row: &Row| row.prefixes.iter().find_map(|prefix| id.strip_prefix(prefix));
        let found = ROWS.iter().find_map(|row| Some((row.kind, rest_of(row)?)));
        let sound = |rest: &str| {
            // Words such as `in_transit` are no ids: those have capitals or digits.
            rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && rest.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        // A client secret begins with the id of its intent.
        found.filter(|(_, rest)| sound(rest) && !rest.contains("_secret_")).map(|(kind, _)| kind)
    }

    /// The kind of a value's `object`.
    pub(super) fn of_object(object: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.object == object).map(|row| row.kind)
    }

    /// Whether it is part of the catalogue, which is there before everything else.
    pub(super) const fn is_catalogue(self) -> bool {
        matches!(self, Self::Price | Self::Product | Self::Plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_its_ids() {
        for row in &ROWS {
            assert!(std::ptr::eq(row, row.kind.row()), "{}", row.path);
            assert_eq!(Kind::of_path(row.path), Some(row.kind));
            assert_eq!(Kind::of_object(row.object), Some(row.kind));
            for prefix in row.prefixes {
                assert_eq!(Kind::of_id(&format!("{prefix}1SpnLR")), Some(row.kind), "{prefix}");
            }
        }
    }

    #[test]
    fn texts_that_are_no_ids_are_of_no_kind() {
        for text in
            ["subscription_items", "in_", "pi_1Abc_secret_x", "ch_ 1234", "customer", "sub_a-B-c", "in_transit", ""]
        {
            assert_eq!(Kind::of_id(text), None, "{text}");
        }
        assert_eq!(Kind::of_id("cs_test_a1yiBKz7"), Some(Kind::Session));
    }
}
