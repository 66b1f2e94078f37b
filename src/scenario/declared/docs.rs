//! What each key of a declared double means, in a line for the editor that shows it.
//!
//! A test asks for a line for every key that a reader knows, and for none besides. Must not know: what a key may hold.

/// Table (its way from the root, with dots; `*` for any), key, and what it means.
pub(crate) const DOCS: &[(&str, &str, &str)] = &[
    ("", "version", "version of the format: 1"),
    ("", "about", "what it stands for, in a sentence"),
    ("", "auth", "a header that every call of a route must carry"),
    ("", "rate_limit", "how many calls it takes"),
    ("", "idempotency", "a repeated call gets its first answer again and does nothing"),
    ("", "unknown", "the answer to a call that no route fits (default 404)"),
    ("", "route", "a route; the first that fits a call answers it"),
    ("auth", "header", "its name"),
    ("auth", "like", "what it must look like, `*` for any text (default: any text)"),
    ("rate_limit", "calls", "so many"),
    ("rate_limit", "per", "in so long; windows follow each other from the start of the run"),
    ("idempotency", "key", "where the key stands: header.idempotency-key, json.reference"),
    ("idempotency", "keep", "for how long (default 1d)"),
    ("idempotency", "conflict", "the answer to the same key with another content (default 409)"),
    ("*", "refusal", "the answer to a call that is refused"),
    ("*", "status", "status code, 200 to 599"),
    ("*", "headers", "headers, with values in {braces}"),
    ("*", "json", "JSON, with values in {braces}; a text that is one value alone keeps its type"),
    ("*", "text", "text, with values in {braces}"),
    ("route", "name", "its name: the `operation` of faults and histories"),
    ("route", "method", "method"),
    ("route", "path", "path; {id} takes any text between two slashes"),
    ("route", "need", "values that a call must hold, like json.to; else it gets `refusal` (default 422)"),
    ("route", "idempotent", "whether [idempotency] holds here (default true; never for GET)"),
    ("route", "do", "what is done to the state, in order; the first that cannot be done ends it, and nothing is done"),
    ("route", "effect", "what is counted when all is done"),
    ("route", "answer", "the answer when all is done (default 200 without a body)"),
    ("*", "when", "values of the call and what they must be, `*` for any text: { \"json.type\" = \"receipt\" }"),
    ("*", "without", "values that must not be there"),
    ("route.do", "insert", "a new item; cannot be done when its key is taken"),
    ("route.do", "upsert", "a new item, or these fields of the one that is there"),
    ("route.do", "update", "these fields of an item; cannot be done when there is none"),
    ("route.do", "delete", "takes an item away; cannot be done when there is none"),
    ("route.do", "find", "looks an item up; cannot be done when there is none"),
    ("route.do", "list", "items in the order in which they came, page by page"),
    ("route.do", "add", "adds a whole number to a field; cannot be done when it would fall below `least`"),
    ("*", "in", "the collection"),
    ("*", "key", "key, with values in {braces}"),
    ("*", "item", "its fields"),
    ("*", "as", "name of the result in the texts that follow (default item)"),
    ("*", "otherwise", "the answer when it cannot be done"),
    (
        "route.do.list",
        "where",
        "only items whose fields have these values; one that is absent in the call asks for nothing",
    ),
    ("route.do.list", "page_size", "items of a page (default 100)"),
    ("route.do.list", "page", "which page, from 1"),
    ("route.do.list", "each", "what is shown of each, as {item.field} (default: all of it)"),
    ("route.do.add", "field", "the field that holds the number; 0 where it is missing"),
    ("route.do.add", "by", "how much, like {json.amount} or -{json.amount}"),
    ("route.do.add", "least", "what the number may not fall below"),
    ("route.do.add", "create", "whether an item that is not there is made (default true)"),
    ("route.effect", "name", "its name: mail.receipt is the effect receipt of the double mail"),
    ("route.effect", "fields", "further values; whom it is about is found in them and in the key"),
    ("route.effect", "counted", "\"always\" (default), or \"if changed\": a write that changes nothing is no effect"),
];

/// What `key` of `table` means.
pub(crate) fn describe(table: &str, key: &str) -> Option<&'static str> {
    let of = |wanted: &str| DOCS.iter().find(|(of, name, _)| *of == wanted && *name == key).map(|(.., words)| *words);
    of(table).or_else(|| of("*"))
}
