//! Says of JSON that ends in the middle which event is cut, where, and what to do about it.
//!
//! Must not know: files.

/// Limits at which tools are known to cut, bytes from and to, and what helps.
const LIMITS: [(usize, usize, &str); 4] = [
    (
        4_900,
        5_100,
        "the Stripe CLI shows 5000 bytes of an answer at most; take the event with `stripe events retrieve` or `stripe listen --format JSON`",
    ),
    (
        9_900,
        10_300,
        "ngrok's traffic inspector keeps 10 kB of a body; take the event from the Dashboard or with `stripe events retrieve`",
    ),
    (65_000, 66_000, "the tool that kept it cuts at 64 kB; take the event with `stripe events retrieve`"),
    (255_000, 263_000, "a log or a queue cuts at 256 kB; take the event with `stripe events retrieve`"),
];

/// What tools write where they cut.
const MARKS: [&str; 5] = ["[truncated]", "(truncated)", "<truncated>", "...", "…"];

/// In words, of a text that begins with a value and ends before that does.
pub(super) fn words(text: &str, began_line: Option<usize>) -> String {
    let text = text.trim_end();
    let which = match (newest_event(text), began_line) {
        (Some(id), Some(line)) => format!("event {id} (its value began at line {line})"),
        (Some(id), None) => format!("event {id}"),
        (None, Some(line)) => format!("a value that began at line {line}"),
        (None, None) => "the event that begins here".to_owned(),
    };
    let known = LIMITS.iter().find(|(from, to, _)| (*from..=*to).contains(&text.len())).map(|(_, _, what)| *what);
    let helps = known.unwrap_or("export it again in full, or take it with `stripe events retrieve`");
    format!("{which} is cut off: the JSON ends inside a value, after {} bytes; {helps}", text.len())
}

/// Whether a text was cut by something that says so, instead of ending.
pub(super) fn is_marked(text: &str) -> bool {
    let text = text.trim_end();
    MARKS.iter().any(|mark| text.ends_with(mark))
}

/// The last event that begins in the text.
fn newest_event(text: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.rmatch_indices("\"evt_").map(|(at, _)| at + 1);
    starts
        .filter(|at| {
            let before = text[..at - 1].trim_end();
            before.strip_suffix(':').is_some_and(|before| before.trim_end().ends_with("\"id\""))
        })
        .map(|at| &text[at..at + text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at)])
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_and_the_tool_are_named() {
        let body =
            |length: usize| format!("{{\"id\": \"evt_9\", \"object\": \"event\", \"x\": \"{}", "y".repeat(length));
        assert!(words(&body(20), Some(3)).starts_with("event evt_9 (its value began at line 3) is cut off"));
        assert!(words(&body(20), None).contains("export it again in full"));
        assert!(words(&body(4_960), None).contains("Stripe CLI"));
        assert!(words(&body(10_200), None).contains("ngrok"));
        assert!(words("{\"a\": [", Some(1)).starts_with("a value that began at line 1 is cut off"));
        assert!(is_marked("{\"a\": 1... ") && !is_marked("{}"));
    }
}
