//! What a refusal says about the token's scopes, so that a dead letter names the cause.
//!
//! Must not know: what the call was for.

use serde_json::Value;

/// Most scopes that are named: more would fill a page, and the first says what to do.
const MOST_NAMED: usize = 4;

/// `: the token lacks the scope tickets:write`; nothing when the body does not speak of scopes. Of the peer's words only names
/// that look like a scope are taken over.
pub(super) fn missing(body: &Value) -> String {
    let hubspot = body["category"] == "MISSING_SCOPES";
    let zendesk = body["description"].as_str().and_then(|text| text.split_once("required scopes:"));
    let named: Vec<&str> = if hubspot {
        let contexts = body["errors"].as_array().into_iter().flatten().map(|error| &error["context"]);
        let lists = contexts.flat_map(|context| [&context["requiredGranularScopes"], &context["requiredScopes"]]);
        lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect()
    } else if let Some((_, names)) = zendesk {
        names.split([',', ' ']).collect()
    } else {
        return String::new();
    };
    let named: Vec<&str> = named.into_iter().filter(|name| is_scope(name)).take(MOST_NAMED).collect();
    match named.as_slice() {
        [] => ": the token lacks a scope".to_owned(),
        [one] => format!(": the token lacks the scope {one}"),
        several => format!(": the token lacks the scopes {}", several.join(", ")),
    }
}

fn is_scope(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | ':' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_scope_is_named_and_nothing_else_of_the_body() {
        let hubspot = json!({ "category": "MISSING_SCOPES", "message": "Bearer pat-secret",
            "errors": [{ "context": { "requiredGranularScopes": ["crm.objects.contacts.write", "<script>", "SECRET"] } }] });
        assert_eq!(missing(&hubspot), ": the token lacks the scope crm.objects.contacts.write");
        let zendesk =
            json!({ "error": "Forbidden", "description": "Missing the following required scopes: tickets:write" });
        assert_eq!(missing(&zendesk), ": the token lacks the scope tickets:write");
        assert_eq!(missing(&json!({ "category": "MISSING_SCOPES" })), ": the token lacks a scope");
        assert_eq!(missing(&json!({ "error": "Forbidden", "description": "You are not welcome" })), "");
    }
}
