//! Which texts are ids, and whose: the customer's are exchanged, those of the catalogue and the account stay.
//!
//! An enum value or a field name can look like an id (`card_present`, `us_bank_account`, `subscription_items`). Ids
//! have digits or capitals behind the prefix; only prefixes that are no English word may have any text there.
//! Must not know: how a text is exchanged.

/// First parts of ids that stay: catalogue, account, configuration, keys.
const KEPT: [&str; 25] = [
    "acct", "bpc", "ca", "coupon", "feat", "inrtem", "mtr", "pk", "plan", "plink", "pmc", "pr", "price", "prod",
    "promo", "rk", "shr", "sk", "sku", "taxrate", "txcd", "txr", "we", "whsec", "wh",
];

/// Prefixes of the customer's objects that are no words: whatever follows is an id, as in `evt_customer_created`.
const UNMISTAKABLE: [&str; 7] = ["ch", "cs_live", "cs_test", "cus", "evt", "pi", "seti"];

/// Further prefixes. Some begin ordinary words too (`in_progress`, `card_present`, `pm_card_visa`), so an id has a
/// digit or a capital behind them.
const FURTHER: [&str; 53] = [
    "ba",
    "bps",
    "btok",
    "card",
    "cbtxn",
    "cc",
    "ccsbtxn",
    "cn",
    "cnli",
    "dp",
    "du",
    "ent",
    "fee",
    "file",
    "iauth",
    "ic",
    "ich",
    "idp",
    "ii",
    "il",
    "in",
    "inpay",
    "inpmt",
    "ipi",
    "issfr",
    "li",
    "link",
    "mandate",
    "or",
    "pm",
    "po",
    "prv",
    "py",
    "pyr",
    "qt",
    "rcpt",
    "re",
    "req",
    "setatt",
    "si",
    "src",
    "sub",
    "sub_item",
    "sub_sched",
    "taxcalc",
    "tok",
    "tr",
    "trr",
    "tu",
    "txi",
    "txn",
    "vr",
    "vs",
];

/// Characters behind an unknown prefix from which on a text with digits is taken for an id.
const UNKNOWN_BODY: usize = 8;
/// The same within `metadata`, where apps keep words of their own (`tier_Premium1`).
const UNKNOWN_BODY_IN_METADATA: usize = 14;

/// Values under these keys are Stripe's or the catalogue's words and never the customer's.
const STILL: [&str; 14] = [
    "object",
    "type",
    "status",
    "api_version",
    "currency",
    "country",
    "lookup_key",
    "nickname",
    "interval",
    "brand",
    "routing_number",
    "swift_code",
    "doc_url",
    "algorithm",
];

/// Values under these keys are opaque texts of the customer although they have no prefix.
const OPAQUE: [&str; 14] = [
    "fingerprint",
    "client_secret",
    "idempotency_key",
    "receipt_number",
    "network_transaction_id",
    "authorization_code",
    "account_number",
    "server_transaction_id",
    "trace_id",
    "reference",
    "phone",
    "address",
    "verification_token",
    "transaction_id",
];

/// Pages that Stripe hosts for one customer: long opaque parts of their URLs are the customer's.
const HOSTED: [&str; 6] =
    ["hosted_invoice_url", "invoice_pdf", "receipt_url", "pdf", "hosted_instructions_url", "hosted_voucher_url"];

/// Objects of the catalogue, by their `object`.
const CATALOGUE: [&str; 12] = [
    "billing.meter",
    "billing_portal.configuration",
    "coupon",
    "entitlements.feature",
    "payment_link",
    "plan",
    "price",
    "product",
    "promotion_code",
    "shipping_rate",
    "sku",
    "tax_rate",
];

/// Objects of the account, whose ids stay as those of the catalogue do.
const ACCOUNT: [&str; 2] = ["account", "application"];

/// Keys that refer to the catalogue.
const CATALOGUE_KEYS: [&str; 9] =
    ["coupon", "plan", "price", "product", "promotion_code", "sku", "tax_rate", "tax_rates", "default_tax_rates"];

/// Keys under `metadata` that by their name hold the app's own id of the person.
const USER_KEYS: [&str; 4] = ["user", "userid", "uid", "accountuserid"];

pub(super) fn is_still(key: &str) -> bool {
    STILL.contains(&key)
}

/// Whether `text` under `key` is opaque. A reference or an address without digits may be somebody's words.
pub(super) fn is_opaque_key(key: &str, text: &str) -> bool {
    let needs_digit = matches!(key, "reference" | "address" | "phone");
    OPAQUE.contains(&key)
        && !text.contains(char::is_whitespace)
        && (!needs_digit || text.bytes().any(|byte| byte.is_ascii_digit()))
}

pub(in crate::stripe) fn is_hosted(key: &str, text: &str) -> bool {
    HOSTED.contains(&key) || text.contains("stripe.com/")
}

/// Whether an object is what the shop sells and how, so that its words are the shop's own.
pub(in crate::stripe) fn is_of_catalogue(object: &str) -> bool {
    CATALOGUE.contains(&object)
}

/// Whether the id of such an object is the same for all customers.
pub(super) fn keeps_its_id(object: &str) -> bool {
    is_of_catalogue(object) || ACCOUNT.contains(&object)
}

pub(super) fn is_catalogue_key(key: &str) -> bool {
    CATALOGUE_KEYS.contains(&key)
}

pub(super) fn is_user_key(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    USER_KEYS.contains(&plain.as_str())
}

/// Whether a text can be looked for anywhere: short or plain words would be found where they mean something else.
pub(super) fn is_distinctive(text: &str) -> bool {
    text.len() >= 6 && text.chars().any(|c| !c.is_ascii_lowercase())
}

/// A word that is an id: where its own part begins, behind prefix and underscore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stripe) struct Id<'a> {
    /// What the id is kept apart by: its prefix.
    pub(in crate::stripe) kind: &'a str,
    /// Offset of the part that is exchanged.
    pub(in crate::stripe) body: usize,
    /// Whether the prefix is one of Stripe's; otherwise it only looks like an id.
    pub(in crate::stripe) stripes: bool,
}

/// Reads a word (letters, digits, underscores) as the id of an object of the customer.
pub(in crate::stripe) fn id(word: &str, in_metadata: bool) -> Option<Id<'_>> {
    let first = word.split('_').next().unwrap_or_default();
    if KEPT.contains(&first) {
        return None;
    }
    known(word).or_else(|| unknown(word, in_metadata))
}

/// Whether a word is an id that stays.
pub(in crate::stripe) fn is_kept(word: &str) -> bool {
    word.split_once('_').is_some_and(|(first, rest)| KEPT.contains(&first) && !rest.is_empty())
}

/// The longest known prefix. It may stand behind other words: `group_pi_…` is the transfer group of `pi_…`.
fn known(word: &str) -> Option<Id<'_>> {
    let ends = word.match_indices('_').map(|(end, _)| end);
    let prefixes = ends.take_while(|end| word[..*end].bytes().all(is_small));
    prefixes
        .filter_map(|end| Some(Id { kind: kind(&word[..end], &word[end + 1..])?, body: end + 1, stripes: true }))
        .last()
}

/// The known prefix that `prefix` is or ends with, when `body` can stand behind it.
fn kind<'a>(prefix: &'a str, body: &str) -> Option<&'a str> {
    let has_digit = body.bytes().any(|b| b.is_ascii_digit());
    let telling = has_digit || body.bytes().any(|b| b.is_ascii_uppercase());
    let some = body.bytes().any(|b| b.is_ascii_alphanumeric());
    // `tr_TR` is a language.
    if body.len() == 2 && prefix.len() == 2 && body.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let base = prefix.strip_suffix("_test").or(prefix.strip_suffix("_live")).unwrap_or(prefix);
    if some && (UNMISTAKABLE.contains(&prefix) || telling && FURTHER.contains(&base)) {
        return Some(prefix);
    }
    if body.len() < UNKNOWN_BODY || !has_digit {
        return None;
    }
    let tails = prefix.match_indices('_').map(|(at, _)| &prefix[at + 1..]);
    tails.into_iter().find(|tail| UNMISTAKABLE.contains(tail) || FURTHER.contains(tail))
}

fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'_'
}

fn unknown(word: &str, in_metadata: bool) -> Option<Id<'_>> {
    let (prefix, body) = word.rsplit_once('_')?;
    let least = if in_metadata { UNKNOWN_BODY_IN_METADATA } else { UNKNOWN_BODY };
    let telling =
        body.bytes().any(|b| b.is_ascii_digit()) || !in_metadata && body.bytes().any(|b| b.is_ascii_uppercase());
    let fits = !prefix.is_empty()
        && prefix.bytes().all(is_small)
        && body.len() >= least
        && body.bytes().all(|b| b.is_ascii_alphanumeric())
        && telling;
    fits.then_some(Id { kind: prefix, body: prefix.len() + 1, stripes: false })
}

/// Whether a whole number under `key` is a time. Its size decides too, see the caller.
pub(super) fn is_time_key(key: &str) -> bool {
    const NAMES: [&str; 13] = [
        "created",
        "updated",
        "date",
        "start",
        "end",
        "billing_cycle_anchor",
        "available_on",
        "next_payment_attempt",
        "arrival_date",
        "cancel_at",
        "timestamp",
        "frozen_time",
        "phase_start",
    ];
    const ENDS: [&str; 8] = ["_at", "_start", "_end", "_date", "_by", "_until", "_time", "_on"];
    NAMES.contains(&key)
        || ENDS.iter().any(|end| key.ends_with(end))
        || key.starts_with("period_")
        || key.starts_with("trial_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_ids_are_none() {
        for word in [
            "subscription_items",
            "card_present",
            "payment_method",
            "us_bank_account",
            "sepa_debit",
            "per_unit",
            "in_progress",
            "in_transit",
            "pm_card_visa",
            "charge_automatically",
            "requires_payment_method",
            "past_due",
            "stripe_3ds2_fingerprint",
            "off_session",
            "credit_note_line_item",
            "ssl2",
            "address_line1_check",
            "tok_visa",
            "create_prorations",
            "default_incomplete",
            "ach_credit_transfer",
            "in",
            "in_",
            "_",
            "",
        ] {
            assert_eq!(id(word, false), None, "{word}");
        }
        for word in
            ["price_1IDQm5JDPojXS6LNM31hxKzp", "prod_IsRLOp58Z7V4XN", "acct_1GThseJDPojXS6LN", "txr_1Gn1g6xwdsmO8fm1rg"]
        {
            assert!(id(word, false).is_none() && is_kept(word), "{word}");
        }
        assert_eq!(id("tier_Premium1", true), None);
    }

    #[test]
    fn ids_of_the_customer_are_found_with_their_prefix() {
        for (word, kind, body) in [
            ("cus_TZbnffBNpdag7f", "cus", "TZbnffBNpdag7f"),
            ("cs_test_a1yiBKz71b3K", "cs_test", "a1yiBKz71b3K"),
            ("sub_NORMALIZED_1", "sub", "NORMALIZED_1"),
            ("sub_sched_000000000000", "sub_sched", "000000000000"),
            ("evt_customer_created", "evt", "customer_created"),
            ("evt_00000000000000", "evt", "00000000000000"),
            ("group_pi_00000000000000", "pi", "00000000000000"),
            ("in_NORMALIZED", "in", "NORMALIZED"),
            ("card_VALID", "card", "VALID"),
            ("pi_abc", "pi", "abc"),
            ("ent_test_61SzbY9Pui5KGP", "ent_test", "61SzbY9Pui5KGP"),
            ("test_YWNjdF8xR1Roc2VKRF", "test", "YWNjdF8xR1Roc2VKRF"),
        ] {
            let found = id(word, false).unwrap_or_else(|| panic!("{word}"));
            assert_eq!((found.kind, &word[found.body..]), (kind, body), "{word}");
        }
    }

    #[test]
    fn times_are_known_by_their_keys() {
        for key in ["created", "canceled_at", "current_period_end", "due_date", "evidence_due_by", "trial_end", "start"]
        {
            assert!(is_time_key(key), "{key}");
        }
        for key in ["amount", "unit_amount", "up_to", "quantity", "total", "amount_capturable", "exp_year"] {
            assert!(!is_time_key(key), "{key}");
        }
    }
}
