//! An amount of money in its smallest unit. Nothing here multiplies or divides but to print: a yen has no hundredth
//! (bug class 62), so an amount without its currency says nothing.
//!
//! Must not know: what was bought.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount in the smallest unit of its currency, as Stripe sends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Cents, yen, fils.
    pub minor: i64,
    /// ISO code in lower case.
    pub currency: String,
}

/// Currencies without a smaller unit (Stripe's documentation, "Zero-decimal currencies").
const ZERO_DECIMAL: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Currencies with a thousandth (Stripe's documentation, "Three-decimal currencies").
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

impl Money {
    /// An amount; the currency in any case.
    pub fn new(minor: i64, currency: &str) -> Self {
        Self { minor, currency: currency.to_lowercase() }
    }

    /// Digits after the point. Stripe gives `ugx` and `isk` two, although they have no smaller unit any more.
    fn decimals(&self) -> usize {
        match self.currency.as_str() {
            zero if ZERO_DECIMAL.contains(&zero) => 0,
            three if THREE_DECIMAL.contains(&three) => 3,
            _ => 2,
        }
    }
}

/// `49.00 USD`, `4900 JPY`, `4.900 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, currency) = (if self.minor < 0 { "-" } else { "" }, self.currency.to_uppercase());
        let digits = self.minor.unsigned_abs().to_string();
        match self.decimals() {
            0 => write!(f, "{sign}{digits} {currency}"),
            decimals => {
                let digits = format!("{digits:0>width$}", width = decimals + 1);
                let (whole, part) = digits.split_at(digits.len() - decimals);
                write!(f, "{sign}{whole}.{part} {currency}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_printed_in_the_units_of_their_currency() {
        for (minor, currency, text) in [
            (4900, "usd", "49.00 USD"),
            (4900, "jpy", "4900 JPY"),
            (4900, "KWD", "4.900 KWD"),
            (5, "eur", "0.05 EUR"),
            (0, "krw", "0 KRW"),
            (-1901, "usd", "-19.01 USD"),
            (i64::MIN, "jpy", "-9223372036854775808 JPY"),
            (500, "isk", "5.00 ISK"),
        ] {
            assert_eq!(Money::new(minor, currency).to_string(), text);
        }
    }
}
