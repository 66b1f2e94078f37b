//! Text with `{braces}` that are filled in for one customer.
//!
//! Must not know: where the text comes from or goes.

use crate::plan::model::Instance;

/// What can stand in braces.
pub(crate) const PLACEHOLDERS: [&str; 6] = ["customer", "user", "email", "subscription", "session", "key"];

/// Fills in `{customer}`, `{user}`, `{email}`, `{subscription}`, `{session}` and `{key}` (the customer, or the user where
/// the story has no Stripe customer). `Err` names what the instance lacks.
pub(crate) fn fill(text: &str, instance: &Instance) -> Result<String, String> {
    fill_with(text, instance, percent_encode)
}

/// The same without escaping, for text that is no URL.
pub(crate) fn fill_plain(text: &str, instance: &Instance) -> Result<String, String> {
    fill_with(text, instance, str::to_owned)
}

fn fill_with(text: &str, instance: &Instance, escape: fn(&str) -> String) -> Result<String, String> {
    let customer = instance.customer.as_ref().map(|id| id.as_str());
    let user = instance.user.as_ref().map(|id| id.as_str());
    let values = [
        ("{customer}", customer),
        ("{user}", user),
        ("{email}", instance.email.as_deref()),
        ("{subscription}", instance.subscription.as_ref().map(|id| id.as_str())),
        ("{session}", instance.session.as_deref()),
        ("{key}", customer.or(user)),
    ];
    let mut filled = text.to_owned();
    for (name, value) in values {
        if filled.contains(name) {
            let value = value.ok_or_else(|| {
                format!(
                    "the story of {} has no {name}{}",
                    instance.id,
                    if name == "{customer}" { "; write {key}" } else { "" }
                )
            })?;
            filled = filled.replace(name, &escape(value));
        }
    }
    Ok(filled)
}

/// Ids pass as they are; anything that could change the meaning of a URL is escaped.
fn percent_encode(value: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
    value.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
