//! Which texts of an event are somebody's, told by key, place and looks. What is not known to be harmless is exchanged:
//! ids, words of the API and the catalogue stay, names, sentences and whatever looks like a person go.
//!
//! Must not know: what stands for a value.

use super::vocabulary;
use crate::stripe::rekey::{recognise, scan::ITEM};

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A word of the API, an id: stays as it is.
    Keep,
    /// Stays but for addresses, numbers of telephones and cards, tokens, and what is known to be somebody's.
    Loose,
    /// A sentence: every word goes that is not one of billing's own.
    Sentence,
    /// A name or an address: every word and number goes.
    Words,
    /// Every letter and digit goes.
    Opaque,
    /// A telephone number.
    Phone,
    /// A page that is hosted for one customer: its tokens go.
    Hosted,
    /// An address on the web that is the customer's own: its host goes too.
    Site,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Keys from the body's root; [`ITEM`] for places of arrays.
    pub(super) path: &'a [&'a str],
    /// `object` of the nearest object around it that has one.
    pub(super) object: &'a str,
    /// Whether it is a text of the app's own: below `metadata`, or in a text that holds JSON.
    pub(super) own: bool,
}

/// Values under these keys are words of the API.
const API: &[&str] = &[
    "object",
    "type",
    "status",
    "api_version",
    "currency",
    "country",
    "interval",
    "brand",
    "network",
    "funding",
    "lookup_key",
    "reason",
    "billing_reason",
    "collection_method",
    "mode",
    "payment_status",
    "ui_mode",
    "locale",
    "timezone",
    "payment_method_types",
    "capture_method",
    "confirmation_method",
    "setup_future_usage",
    "usage",
    "billing_scheme",
    "tax_behavior",
    "proration_behavior",
    "customer_creation",
    "submit_type",
    "account_country",
    "risk_level",
    "network_status",
    "decline_code",
    "doc_url",
    "url_type",
    "display_brand",
    "tax_exempt",
    "usage_type",
    "aggregate_usage",
    "trial_end_behavior",
    "preferred_locales",
    "unit_amount_decimal",
    "amount_decimal",
    "version",
    "key",
    "address_line1_check",
    "address_postal_code_check",
    "cvc_check",
    "verified",
    "advice_code",
    "result",
    "source",
    "default_currency",
    "taxability_reason",
    "jurisdiction_level",
    "presentment_currency",
];

/// Texts that Stripe says to everybody in the same words.
const STANDARD: &[&str] = &["seller_message", "failure_message", "decline_message"];

/// Keys under which every letter and digit is the customer's.
const OPAQUE: &[&str] = &[
    "fingerprint",
    "account_number",
    "iban",
    "bban",
    "authorization_code",
    "network_transaction_id",
    "receipt_number",
    "routing_number",
    "bsb_number",
    "sort_code",
    "institution_number",
    "transit_number",
    "branch_code",
    "bank_code",
    "bic",
    "swift_code",
    "verification_token",
    "server_transaction_id",
    "trace_id",
    "reference",
    "cashtag",
    "buyer_id",
    "payer_id",
    "tax_id",
    "vat_id",
    "vat",
    "business_vat_id",
    "eu_vat",
    "ssn",
    "ssn_last_4",
    "id_number",
    "passport",
    "last4",
    "dynamic_last4",
    "iban_last4",
    "last_4",
    "card_last4",
    "iin",
    "account_holder_id",
    "secret",
    "password",
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "session",
    "session_id",
    "sid",
    "jwt",
    "cookie",
    "pin",
    "national_id",
    "license",
    "electronic_commerce_indicator_token",
    "cryptogram",
    "dob",
    "birthday",
    "birthdate",
    "born",
    "birth_date",
    "date_of_birth",
    "location",
    "latitude",
    "longitude",
    "geo",
    "device_id",
    "serial_number",
    "reference_number",
    "mandate_reference",
    "acquirer_reference_number",
    "taxid",
    "vatnumber",
    "vat_number",
    "tax_number",
    "order_phone_last4",
    "tracking_number",
    "plate",
];

/// Keys under which a name, an address or the like stands.
const WORDS: &[&str] = &[
    "line1",
    "line2",
    "line_1",
    "line_2",
    "city",
    "town",
    "state",
    "postal_code",
    "zip",
    "zipcode",
    "zip_code",
    "postcode",
    "street",
    "address",
    "addr",
    "district",
    "region",
    "province",
    "county",
    "building",
    "suite",
    "apartment",
    "dependent_locality",
    "sorting_code",
    "surname",
    "firstname",
    "lastname",
    "fullname",
    "company",
    "organization",
    "organisation",
    "employer",
    "business",
    "recipient",
    "attention",
    "care_of",
    "cardholder",
    "account_holder_name",
    "username",
    "nick",
    "handle",
    "twitter",
    "instagram",
    "telegram",
    "slack",
    "discord",
    "facebook",
    "tiktok",
    "github",
    "skype",
    "linkedin",
    "contact",
    "salutation",
    "greeting",
    "gift_to",
    "gift_from",
    "bank_name",
    "issuer",
    "maiden",
    "alias",
    "signature",
    "delivery_to",
    "ship_to",
    "bill_to",
    "shipping_to",
    "author",
    "owner",
    "buyer",
    "seller",
    "payer",
    "payee",
    "guest",
    "attendee",
    "patient",
    "student",
    "parent_name",
    "referrer_name",
    "job_title",
    "gender",
    "nationality",
];

/// Keys under which people write.
const SENTENCES: &[&str] = &[
    "description",
    "footer",
    "memo",
    "note",
    "notes",
    "comment",
    "comments",
    "message",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "statement_descriptor_prefix",
    "calculated_statement_descriptor",
    "customer_message",
    "feedback_text",
    "gift_message",
    "instructions",
    "uncategorized_text",
    "product_description",
    "customer_communication",
    "cancellation_rebuttal",
    "subject",
    "title",
    "user_agent",
    "custom_text",
    "header",
];

/// What stands before `name` when it is no person's.
const THINGS: &[&str] = &[
    "plan",
    "product",
    "tier",
    "price",
    "event",
    "file",
    "feature",
    "coupon",
    "template",
    "campaign",
    "field",
    "type",
    "key",
    "class",
    "app",
    "package",
    "sku",
    "env",
    "environment",
    "queue",
    "service",
    "source",
    "variant",
    "module",
];

/// Words of a key that tell of ids and of the catalogue: the app's own, which its code acts on.
const IDS: &[&str] = &[
    "id",
    "ids",
    "uid",
    "uuid",
    "key",
    "plan",
    "tier",
    "product",
    "price",
    "sku",
    "source",
    "kind",
    "type",
    "env",
    "version",
    "lookup",
    "code",
    "ref",
    "reference",
    "flag",
    "feature",
    "interval",
    "currency",
    "locale",
    "role",
];

/// Decides about one text, escapes undone.
pub(super) fn class(place: Place<'_>, text: &str) -> Class {
    let key = place.path.iter().rev().find(|key| **key != ITEM).copied().unwrap_or_default();
    let plain = is_plain(text);
    if text.is_empty() || !place.own && plain && API.contains(&key) {
        return Class::Keep;
    }
    if let Some(secret) = secret(key, text) {
        return secret;
    }
    if plain && is_id(text) && !is_word_key(key) {
        return Class::Keep;
    }
    if let Some(class) = of_web(key, text, place) {
        return class;
    }
    // Names and descriptions of what is sold are nobody's.
    if recognise::is_of_catalogue(place.object) {
        return Class::Loose;
    }
    by_key(key, place, text).unwrap_or_else(|| by_looks(key, text))
}

/// Secrets of Stripe's, whatever the key.
fn secret(key: &str, text: &str) -> Option<Class> {
    let is_key = ["sk_", "rk_", "whsec_"].iter().any(|start| text.starts_with(start));
    let is_token = text.starts_with("eyJ") && text.matches('.').count() == 2;
    if is_key || is_token || key == "client_secret" && !text.contains("_secret_") {
        return Some(Class::Opaque);
    }
    // Apps read the id before it: only the secret part goes.
    text.split_once("_secret_").is_some_and(|(id, _)| is_id(id)).then_some(Class::Loose)
}

fn of_web(key: &str, text: &str, place: Place<'_>) -> Option<Class> {
    // A sentence with a link in it is a sentence.
    if text.contains(|c: char| c.is_whitespace() || "<>()[]|".contains(c)) {
        return None;
    }
    let is_url = text.contains("://");
    if is_url && !place.own && recognise::is_hosted(key, text) {
        return Some(Class::Hosted);
    }
    let site = matches!(key, "website" | "homepage" | "site" | "url" | "support_url" | "avatar" | "blog");
    let personal = place.own || place.path.iter().any(|key| key.starts_with("business"));
    (is_url || text.starts_with("www.")).then_some(if site && personal { Class::Site } else { Class::Loose })
}

fn is_word_key(key: &str) -> bool {
    WORDS.contains(&key) || OPAQUE.contains(&key)
}

/// By the words of the key.
fn by_key(key: &str, place: Place<'_>, text: &str) -> Option<Class> {
    let words = words(key);
    let whole = words.join("_");
    let has = |word: &str| words.iter().any(|found| found == word);
    if STANDARD.contains(&key) && !place.own || has("email") && text.contains('@') {
        return Some(Class::Loose);
    }
    // What a shop asks for is its own wording, what is answered is somebody's.
    let answered = place.path.contains(&"custom_fields") && !place.own;
    if place.path.contains(&"label") && !place.own || answered && key == "name" {
        return Some(Class::Loose);
    }
    if answered && key == "value" {
        return Some(Class::Words);
    }
    let tax = place.object == "tax_id" || place.path.iter().any(|key| matches!(*key, "tax_ids" | "customer_tax_ids"));
    if key == "value" && tax
        || OPAQUE.contains(&&*whole)
        || words.last().is_some_and(|last| OPAQUE.contains(&&**last) && !IDS.contains(&&**last))
    {
        return Some(Class::Opaque);
    }
    if has("phone") || has("mobile") || has("telephone") || has("tel") || has("cell") || has("fax") || has("whatsapp") {
        return Some(Class::Phone);
    }
    if has("name") && !words.iter().any(|word| THINGS.contains(&&**word)) {
        return Some(Class::Words);
    }
    if WORDS.contains(&&*whole) || words.last().is_some_and(|last| WORDS.contains(&&**last)) || has("email") {
        return Some(Class::Words);
    }
    if SENTENCES.contains(&key) || place.own && words.last().is_some_and(|last| SENTENCES.contains(&&**last)) {
        return Some(Class::Sentence);
    }
    None
}

/// By the value alone.
fn by_looks(key: &str, text: &str) -> Class {
    if text.chars().any(|c| c.is_whitespace() || !c.is_ascii()) {
        return Class::Sentence;
    }
    // A handle, as chats have them.
    if text.strip_prefix('@').is_some_and(|rest| rest.starts_with(char::is_alphanumeric)) {
        return Class::Words;
    }
    let of_code = words(key).iter().any(|word| IDS.contains(&&**word) || THINGS.contains(&&**word));
    let capital = text.starts_with(|c: char| c.is_ascii_uppercase());
    let name = capital && text.chars().all(|c| c.is_ascii_alphabetic() || "-'.".contains(c));
    if name && text.len() > 1 && text.chars().any(|c| c.is_ascii_lowercase()) && !of_code && !vocabulary::holds(text) {
        return Class::Words;
    }
    Class::Loose
}

/// The words of a key: `customerEmail`, `customer_email`, `Customer E-Mail`.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut small_before = false;
    for c in key.replace("E-Mail", "email").replace("e-mail", "email").chars() {
        let new = c.is_uppercase() && small_before;
        small_before = c.is_lowercase() || c.is_ascii_digit();
        if !c.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        if new {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    for word in &mut words {
        if let Some(single) = word.strip_suffix('s').filter(|single| matches!(*single, "email" | "name" | "phone")) {
            *word = single.to_owned();
        }
        if word == "mail" {
            "email".clone_into(word);
        }
    }
    words
}

/// One word as identifiers have it.
fn is_plain(text: &str) -> bool {
    text.len() <= 96 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte))
}

/// An id of Stripe's.
pub(super) fn is_id(text: &str) -> bool {
    let word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word && !text.contains("_secret_")
        && (recognise::is_kept(text) && !["sk_", "rk_", "whsec_"].iter().any(|start| text.starts_with(start))
            || recognise::id(text, false).is_some_and(|id| id.stripes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &[&str], object: &str, text: &str) -> Class {
        class(Place { path, object, own: path.contains(&"metadata") }, text)
    }

    #[test]
    fn what_code_acts_on_stays() {
        for (path, object, text) in [
            (&["type"][..], "event", "invoice.paid"),
            (&["data", "object", "id"], "customer", "cus_TZbnffBNpdag7f"),
            (&["data", "object", "status"], "subscription", "active"),
            (&["data", "object", "address", "country"], "customer", "DE"),
            (&["data", "object", "card", "brand"], "payment_method", "visa"),
        ] {
            assert_eq!(of(path, object, text), Class::Keep, "{path:?} {text}");
        }
        for (path, object, text) in [
            (&["data", "object", "name"][..], "product", "Pro Plan"),
            (&["data", "object", "metadata", "plan"], "subscription", "Pro"),
            (&["data", "object", "metadata", "plan_name"], "subscription", "pro"),
            (&["data", "object", "metadata", "user_id"], "subscription", "user_81"),
            (&["data", "object", "client_reference_id"], "checkout.session", "user_81"),
            (&["data", "object", "outcome", "seller_message"], "charge", "Payment complete."),
        ] {
            assert_eq!(of(path, object, text), Class::Loose, "{path:?} {text}");
        }
    }

    #[test]
    fn what_is_somebodys_goes() {
        for (path, object, text, class) in [
            (&["data", "object", "name"][..], "customer", "Ada", Class::Words),
            (&["data", "previous_attributes", "name"], "customer", "Ada", Class::Words),
            (&["data", "object", "address", "line1"], "customer", "12 High St", Class::Words),
            (&["data", "object", "phone"], "customer", "030 12", Class::Phone),
            (&["data", "object", "card", "last4"], "payment_method", "4242", Class::Opaque),
            (&["data", "object", "customer_tax_ids", "[]", "value"], "invoice", "DE123", Class::Opaque),
            (&["data", "object", "metadata", "firstName"], "customer", "ada", Class::Words),
            (&["data", "object", "metadata", "referrer"], "customer", "Lovelace", Class::Words),
            (&["data", "object", "metadata", "hint"], "customer", "likes tea", Class::Sentence),
            (&["data", "object", "unheard_of"], "charge", "Ada L.", Class::Sentence),
            (&["data", "object", "metadata", "x"], "charge", "sk_test_abc", Class::Opaque),
        ] {
            assert_eq!(of(path, object, text), class, "{path:?} {text}");
        }
    }

    #[test]
    fn keys_are_read_by_their_words() {
        assert_eq!(words("customerEMail_2"), ["customer", "email", "2"].map(str::to_owned).to_vec().as_slice());
        assert_eq!(words("shipping-phones"), ["shipping", "phone"]);
    }
}
