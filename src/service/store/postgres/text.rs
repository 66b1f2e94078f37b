//! Texts as PostgreSQL can keep them: it knows no NUL, so that one is written as two other characters, and the first of these
//! as two as well. The order of keys and what is a prefix of what stay the same.
//!
//! Must not know: tables.

use std::borrow::Cow;

/// As it is kept.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
}

/// As it was.
pub(super) fn plain(text: String) -> String {
    if !text.contains('\u{1}') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut all = text.chars();
    while let Some(c) = all.next() {
        match (c, c == '\u{1}') {
            (_, true) => plain.push(if all.next() == Some('\u{1}') { '\0' } else { '\u{1}' }),
            (other, false) => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_come_back_in_order_and_without_nul(a in "[\0-\u{3}a]{0,5}", b in "[\0-\u{3}a]{0,5}") {
            let (kept_a, kept_b) = (stored(&a).into_owned(), stored(&b).into_owned());
            prop_assert!(!kept_a.contains('\0'));
            prop_assert_eq!(a.cmp(&b), kept_a.cmp(&kept_b));
            prop_assert_eq!(a.starts_with(&b), kept_a.starts_with(&kept_b));
            prop_assert_eq!(plain(kept_a), a);
        }
    }
}
