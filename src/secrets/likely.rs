//! Whether a text that looks like a secret may be one: not a placeholder, and as mixed as random text is.
//!
//! Must not know: rules, files.

/// Parts of texts that stand where a secret is to be put.
const PLACEHOLDERS: [&str; 22] = [
    "example",
    "placeholder",
    "your",
    "redacted",
    "changeme",
    "change_me",
    "dummy",
    "sample",
    "insert",
    "replace",
    "xxxx",
    "....",
    "****",
    "0000000",
    "1234567",
    "abcdefg",
    "test_secret",
    "fake",
    "process.env",
    "undefined",
    "lorem",
    "notreal",
];

/// Whether a text of a published format may be a real one: no placeholder, and no pattern that a person types.
pub(super) fn of_a_format(text: &str) -> bool {
    let lower = text.to_lowercase();
    // The prefix says `test` or `live` and repeats itself in no key.
    let tail = lower.rsplit('_').next().unwrap_or(&lower);
    !PLACEHOLDERS.iter().any(|word| lower.contains(word)) && distinct(tail) >= 7 && longest_run(tail) < 6
}

/// Whether a value under a telling name looks random: letters and digits, no words, enough of entropy.
pub(super) fn of_a_name(text: &str) -> bool {
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    of_a_format(text) && mixed && entropy(text) >= 3.5 && !is_words(text) && !is_for_the_browser(text)
}

/// Stripe's client secrets (`pi_…_secret_…`) are handed to the buyer's browser: they open one payment, and are in every event of it.
fn is_for_the_browser(text: &str) -> bool {
    ["pi_", "seti_", "cs_", "ek_"].iter().any(|prefix| text.starts_with(prefix)) && text.contains("_secret_")
}

/// Whether a password inside a URL may be a real one: they are short, and words.
pub(super) fn of_a_url(text: &str) -> bool {
    let lower = text.to_lowercase();
    let usual = [
        "password", "passwd", "pass", "postgres", "secret", "root", "admin", "user", "guest", "mysql", "test", "dev",
        "redis",
    ];
    !usual.contains(&lower.as_str()) && !PLACEHOLDERS.iter().any(|word| lower.contains(word)) && distinct(&lower) >= 5
}

/// Bits for each character.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let all = text.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / all).map(|share| -share * share.log2()).sum()
}

fn distinct(text: &str) -> usize {
    text.chars().collect::<std::collections::BTreeSet<_>>().len()
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, None);
    for c in text.chars() {
        run = if Some(c) == last { run + 1 } else { 1 };
        last = Some(c);
        longest = longest.max(run);
    }
    longest
}

/// Names such as `some-name-of-3-words`, paths, versions, dates: parts that are all letters or all digits.
fn is_words(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '_', '.', '/', '+', '=']).filter(|part| !part.is_empty()).collect();
    let plain = |part: &&str| {
        part.chars().all(|c| c.is_ascii_digit())
            || part.chars().all(|c| c.is_ascii_lowercase())
            || part.chars().all(|c| c.is_ascii_uppercase())
    };
    parts.len() > 2 && parts.iter().filter(|part| plain(part)).count() * 4 >= parts.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_patterns_are_no_secrets() {
        for text in [
            "sk_test_xxxxxxxxxxxxxxxxxxxxxxxx",
            "whsec_your_secret_goes_here_now",
            "sk_live_1234567890abcdefghij",
            "sk_test_aaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!of_a_format(text), "{text}");
        }
        assert!(of_a_format("sk_test_9fK2mQ7vZx4LpR8sTb3WnY6d"));
    }

    #[test]
    fn names_paths_and_versions_are_no_secrets() {
        for text in [
            "some-component-name-of-3-words",
            "com.example.app.module.v2.thing",
            "reset-password-token-2-field",
            "aaaaaaaaaaaaaaaaaaaa1",
        ] {
            assert!(!of_a_name(text), "{text}");
        }
        assert!(!of_a_name("pi_3SAbcDefGhiJklMno1x2y3z4_secret_9fK2mQ7vZx4LpR8sTb3WnY6d"));
        for text in ["9fK2mQ7vZx4LpR8sTb3WnY6d", "3c9e1f70a2b84d56e7f8091a2b3c4d5e"] {
            assert!(of_a_name(text), "{text}: {}", entropy(text));
        }
    }
}
