//! What a delivery may look like: signatures good and bad, spellings and shapes of bodies, events of others; each with the
//! reaction that is right.
//!
//! Must not know: how a signature is made, how a body is changed.

use serde::{Deserialize, Serialize};

/// The right reaction to an extra delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// A 2xx.
    Accept,
    /// A 4xx, and no trace.
    Refuse,
    /// Either: libraries, or apps, differ.
    Either,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal => $what:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        impl $type {
            /// Every value with its word in files.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word in files.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// What it is, in words.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$variant => $what),+
                }
            }
        }
    };
}

words!(
    /// What is wrong with a signature.
    BadSignature {
        /// Made with another secret.
        WrongSecret = "wrong_secret" => "another secret",
        /// Made with the secret of another endpoint of the same account, which the app does not know.
        OtherEndpoint = "other_endpoint" => "another endpoint's secret",
        /// Made with the secret that was replaced, after both were good.
        OldSecret = "old_secret" => "the secret that was rolled away",
        /// Right, but 301 s old: just outside the tolerance of 300 s.
        Stale301s = "stale_301s" => "301 s old",
        /// Right, but ten minutes old.
        Stale10m = "stale_10m" => "ten minutes old",
        /// Right, but of a time ten minutes ahead. The official libraries for Node and Python take it; others do not.
        Future10m = "future_10m" => "ten minutes ahead",
        /// Right for another body: what is sent differs in one byte from what was signed.
        TamperedBody = "tampered_body" => "a body that was changed afterwards",
        /// Right for the same JSON in another spelling.
        ReserialisedBody = "reserialised_body" => "a body that was written anew afterwards",
        /// No header at all.
        MissingHeader = "missing_header" => "no header",
        /// A header without a value.
        EmptyHeader = "empty_header" => "an empty header",
        /// A header that is no signature.
        Garbage = "garbage" => "a header that is no signature",
        /// Twelve kilobytes of signatures, none of them good.
        VeryLongHeader = "very_long_header" => "a header of twelve kilobytes",
        /// Without `t`.
        NoT = "no_t" => "no `t`",
        /// Without any signature.
        NoV1 = "no_v1" => "no `v1`",
        /// With the good signature as `v0`, a scheme that proves nothing.
        OnlyV0 = "only_v0" => "only a `v0`",
        /// With two digits less.
        TruncatedHex = "truncated_hex" => "a signature that is cut off",
        /// Right, in upper-case digits: whoever compares text refuses it, whoever decodes it does not.
        UpperCaseHex = "upper_case_hex" => "upper-case digits",
        /// Two header lines, the second one good: frameworks take the first, the last or both.
        DuplicateHeader = "duplicate_header" => "two header lines, the second good",
    }
);

words!(
    /// A good signature of a form that an app may not have met.
    GoodSignature {
        /// Two `v1`, the first one good.
        TwoFirst = "two_v1_good_first" => "two signatures, the first good",
        /// Two `v1`, the last one good.
        TwoLast = "two_v1_good_last" => "two signatures, the last good",
        /// With a `v0` besides, as events of test mode have it.
        WithV0 = "with_v0" => "a `v0` besides",
        /// With a scheme that does not exist yet.
        UnknownScheme = "unknown_scheme" => "an unknown scheme besides",
        /// 290 s old, as after a slow proxy: just within the tolerance.
        Age290s = "age_290s" => "signed 290 s ago",
    }
);

words!(
    /// Another spelling or shape of a body, rightly signed. The event means the same.
    BodyForm {
        /// Carriage returns, tabs and blank lines between values.
        WhiteSpace = "white_space" => "unusual white space",
        /// Characters written as `\u0040`, slashes as `\/`.
        UnicodeEscapes = "unicode_escapes" => "unicode escapes",
        /// Keys in the opposite order.
        KeyOrder = "key_order" => "keys in the opposite order",
        /// Further numbers beyond 2^53 and 2^63.
        BigIntegers = "big_integers" => "big integers",
        /// A further field of 200 kB.
        Large = "large" => "200 kB",
        /// A subscription's period on its items (since 2025-03-31.basil).
        PeriodOnItems = "period_on_items" => "the period on the items",
        /// A subscription's period at its top (before 2025-03-31.basil).
        PeriodOnTop = "period_on_top" => "the period on the subscription",
        /// An invoice's subscription under `parent` (since 2025-03-31.basil).
        InvoiceParent = "invoice_parent" => "the subscription under the invoice's parent",
        /// An invoice's subscription at its top (before 2025-03-31.basil).
        InvoiceSubscription = "invoice_subscription" => "the subscription on the invoice",
        /// Objects where ids stood.
        Expanded = "expanded" => "expanded references",
        /// Ids where objects stood.
        References = "references" => "references not expanded",
        /// Values that no enumeration has yet.
        UnknownValues = "unknown_values" => "unknown enum values",
        /// Without fields that may be absent.
        MissingOptional = "missing_optional" => "optional fields missing",
        /// With fields that do not exist yet.
        ExtraFields = "extra_fields" => "unknown further fields",
    }
);

words!(
    /// An event of somebody or something else, rightly signed.
    Foreign {
        /// Of a product of Stripe's that the app does not use.
        OtherProduct = "other_product" => "an event of another product",
        /// Of a connected account's customer.
        ConnectAccount = "connect_account" => "an event of a connected account",
        /// Of the other mode: live for test, test for live.
        OtherMode = "other_mode" => "an event of the other mode",
        /// A thin event of API v2, which names an object and does not hold it.
        Thin = "thin_event" => "a thin event",
        /// The genuine event in the envelope in which Amazon EventBridge carries it.
        EventBridge = "eventbridge" => "the event in an EventBridge envelope",
    }
);

impl Expects {
    /// Every value with its word in files.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("accept", Self::Accept), ("refuse", Self::Refuse), ("either", Self::Either)];

    /// What is owed, in words.
    pub(super) const fn owed(self) -> &'static str {
        match self {
            Self::Accept => "owed: a 2xx answer and no further effect; the genuine one stays owed",
            Self::Refuse => "owed: a refusal and no trace; the genuine one stays owed",
            Self::Either => "owed: any answer and no further effect; the genuine one stays owed",
        }
    }
}

impl BadSignature {
    /// The right reaction when a scenario says no other.
    pub const fn expects(self) -> Expects {
        match self {
            Self::Future10m | Self::UpperCaseHex | Self::DuplicateHeader => Expects::Either,
            Self::WrongSecret
            | Self::OtherEndpoint
            | Self::OldSecret
            | Self::Stale301s
            | Self::Stale10m
            | Self::TamperedBody
            | Self::ReserialisedBody
            | Self::MissingHeader
            | Self::EmptyHeader
            | Self::Garbage
            | Self::VeryLongHeader
            | Self::NoT
            | Self::NoV1
            | Self::OnlyV0
            | Self::TruncatedHex => Expects::Refuse,
        }
    }
}

impl Foreign {
    /// The right reaction when a scenario says no other.
    pub const fn expects(self) -> Expects {
        match self {
            Self::OtherProduct | Self::ConnectAccount | Self::OtherMode => Expects::Accept,
            Self::Thin | Self::EventBridge => Expects::Either,
        }
    }

    /// Whether its content is of a customer who does not exist, of whom there must be no trace.
    pub const fn is_of_nobody(self) -> bool {
        matches!(self, Self::ConnectAccount | Self::OtherMode)
    }
}
