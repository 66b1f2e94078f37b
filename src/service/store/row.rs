//! What the rows of the stores on a disk have in common: documents as JSON text, numbers as signed ones, keys
//! in the order of their code points.
//!
//! Must not know: which database it is, what the rows mean.

use super::StoreError;
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn encode(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refuse(error.to_string()))
}

pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Broken(format!("a row does not read: {error}")))
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first text behind all that start with `prefix`, in the order of code points; `None` when there is no end.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut all: Vec<char> = prefix.chars().collect();
    while let Some(last) = all.pop() {
        let next = (last as u32 + 1..=char::MAX as u32).find_map(char::from_u32);
        if let Some(next) = next {
            all.push(next);
            return Some(all.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_starts_with_a_prefix_is_before_its_end(prefix in "\\PC{0,3}|[\u{d7ff}\u{10ffff}]{0,3}", rest in "\\PC{0,3}", other in "\\PC{0,4}") {
            let until = after_prefix(&prefix);
            let within = |text: &str| *text >= *prefix && until.as_deref().is_none_or(|until| text < until);
            let whole = format!("{prefix}{rest}");
            prop_assert!(within(&whole));
            prop_assert_eq!(within(&other), other.starts_with(&prefix));
        }
    }
}
