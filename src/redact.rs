//! Secrets out of texts, and what a reply lets out: pure text work that knows nothing of reports.
//!
//! Must not know: any other module, so that whoever records texts from the wire can use it as well.

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// Shortest text that is taken for a secret: shorter ones would blot out ordinary words.
const SHORTEST: usize = 6;

/// Beginnings of secrets that Stripe hands out; the rest is letters, digits and the like.
const PREFIXES: [&str; 6] = ["whsec_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"];

/// Takes secrets out of texts.
#[derive(Clone)]
pub struct Redactor {
    secrets: Vec<String>,
}

/// Written by hand: a secret never reaches a log by way of `{:?}`.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor of these secrets (those of six bytes and more) and of all that looks like a key of Stripe, a bearer
    /// token, or a signature.
    pub fn new(secrets: &[&str]) -> Self {
        let mut secrets: Vec<String> =
            secrets.iter().filter(|s| s.len() >= SHORTEST).map(|s| (*s).to_owned()).collect();
        // Longest first: of two secrets, one the beginning of the other, no tail may stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The same, of one more secret.
    #[must_use]
    pub fn and(&self, secret: Option<&str>) -> Self {
        let all: Vec<&str> = self.secrets.iter().map(String::as_str).chain(secret).collect();
        Self::new(&all)
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for secret in &self.secrets {
            out = out.replace(secret.as_str(), REDACTED);
        }
        for prefix in PREFIXES {
            out = after(&out, prefix, 4, |c| c.is_ascii_alphanumeric() || "_+/=-".contains(c));
        }
        for prefix in ["Bearer ", "bearer ", "BEARER "] {
            out = after(&out, prefix, 8, |c| c.is_ascii_alphanumeric() || "._~+/=-".contains(c));
        }
        for prefix in ["v1=", "v0="] {
            out = after(&out, prefix, 64, |c| c.is_ascii_hexdigit());
        }
        out
    }

    /// What an answer lets out: `stack trace`, `secret`, `internals`. To be asked of the whole text.
    pub fn leaks(&self, text: &str) -> Vec<String> {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        leaks(text, &secrets)
    }

    /// The beginning of a text, without secrets, at most `bytes` long.
    pub fn excerpt(&self, text: &str, bytes: usize) -> String {
        let mut clean = self.text(text);
        clean.truncate(clean.floor_char_boundary(bytes));
        clean
    }

    /// Takes secrets out of a text in place.
    pub fn apply(&self, text: &mut String) {
        *text = self.text(text);
    }
}

/// Replaces what follows `prefix`, as far as its characters are of the kind and when there are enough of them.
fn after(text: &str, prefix: &str, at_least: usize, kind: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(prefix) {
        let (head, tail) = rest.split_at(at + prefix.len());
        let end = tail.find(|c| !kind(c)).unwrap_or(tail.len());
        out.push_str(head);
        if end >= at_least {
            out.push_str(REDACTED);
        } else {
            out.push_str(&tail[..end]);
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// What an answer lets out that nobody outside should see: `stack trace`, `secret`, `internals`, in this order. To be
/// asked of the whole text, before it is cut or redacted.
pub fn leaks(text: &str, secrets: &[&str]) -> Vec<String> {
    let plain = unescaped(text);
    let found = [
        ("stack trace", plain.lines().any(is_trace_line)),
        ("secret", Redactor::new(secrets).text(text) != *text || Redactor::new(secrets).text(&plain) != plain),
        ("internals", has_sql_error(&plain) || has_source_path(&plain)),
    ];
    found.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned()).collect()
}

/// Traces come inside JSON strings and HTML pages too.
fn unescaped(text: &str) -> String {
    let pairs = [
        ("\\n", "\n"),
        ("\\t", " "),
        ("\\\"", "\""),
        ("\\/", "/"),
        ("<br>", "\n"),
        ("<br/>", "\n"),
        ("<br />", "\n"),
        ("&nbsp;", " "),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#x2F;", "/"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A line as Node, Python, Ruby, Java, Go, Rust, PHP or .NET write it in a trace.
fn is_trace_line(line: &str) -> bool {
    let line = line.trim();
    let heads = ["Traceback (most recent call last)", "stack backtrace:", "Stack trace:", "PHP Fatal error"];
    if heads.iter().any(|head| line.contains(head)) {
        return true;
    }
    let frame = line.strip_prefix("at ").is_some_and(is_frame);
    let python = line.contains("File \"") && line.contains("\", line ");
    let ruby = line.contains(".rb:") && line.contains(":in ");
    let go = line.starts_with("goroutine ") && line.contains('[') && line.ends_with(':');
    let rust = line.starts_with("thread '") && line.contains("panicked at");
    let php = line.starts_with('#') && line.contains(".php(");
    frame || python || ruby || go || rust || php
}

/// What follows `at ` in a trace of Node (`… x.js:10:5`), Java (`… (X.java:10)`), .NET (`… in X.cs:line 10`).
fn is_frame(rest: &str) -> bool {
    let java = [".java:", ".kt:", ".scala:", "(Native Method)", "(Unknown Source)", ".cs:line "];
    java.iter().any(|mark| rest.contains(mark))
        || ends_in_line_and_column(rest.trim_end_matches(|c: char| !c.is_ascii_digit()))
}

fn ends_in_line_and_column(text: &str) -> bool {
    let mut parts = text.rsplitn(3, ':');
    let number = |part: Option<&str>| part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    // A time of the day (`at 10:30:05`) has a number before both: a file has not.
    number(parts.next()) && number(parts.next()) && parts.next().is_some_and(|file| file.contains(['/', '.', '\\']))
}

/// Words that only a database says.
fn has_sql_error(text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "SQLSTATE",
        "syntax error at or near",
        "SQL syntax",
        "SQLITE_",
        "sqlite3.",
        "no such table",
        "no such column",
        "UNIQUE constraint failed",
        "violates unique constraint",
        "violates foreign key constraint",
        "violates not-null constraint",
        "ER_DUP_ENTRY",
        "ORA-0",
        "psycopg2.",
        "PG::",
        "PrismaClient",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// An absolute path of a source file or of installed packages. What a page loads (`src="/app/x.js"`) is none.
fn has_source_path(text: &str) -> bool {
    const ROOTS: [&str; 8] = ["/app/", "/usr/", "/home/", "/var/", "/srv/", "/opt/", "/Users/", "file:///"];
    const ENDS: [&str; 15] = [
        ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".py", ".rb", ".go", ".rs", ".java", ".php", ".cs", ".kt", ".ex",
    ];
    let is_source = |at: usize| {
        let path = text[at..].split(|c: char| c.is_whitespace() || "\"'()<>,;:?#`".contains(c)).find(|p| p.len() > 5);
        path.is_some_and(|path| ENDS.iter().any(|end| path.ends_with(end)))
    };
    let starts = |at: usize| {
        let before = &text[..at];
        let inside = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "/.-_".contains(c));
        !inside && !["=\"", "='", "url(", "url(\""].iter().any(|mark| before.ends_with(mark))
    };
    let installed = ["/node_modules/", "/site-packages/", "/dist-packages/", "/.cargo/registry/"];
    ROOTS.iter().any(|root| text.match_indices(root).any(|(at, _)| starts(at) && is_source(at)))
        || installed.iter().any(|mark| text.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_what_looks_like_one_go() {
        let redactor = Redactor::new(&["topsecret", "topsecretlonger", "short", "über-geheim"]);
        for (text, wanted) in [
            ("a topsecret b", "a [redacted] b"),
            ("topsecretlonger!", "[redacted]!"),
            ("short stays", "short stays"),
            ("das ist über-geheim.", "das ist [redacted]."),
            ("whsec_abc123DEF/+= end", "whsec_[redacted] end"),
            ("key=sk_test_51Abc, rk_live_9xyz", "key=sk_test_[redacted], rk_live_[redacted]"),
            ("Authorization: Bearer ey.Abc-123_4\n", "Authorization: Bearer [redacted]\n"),
            ("whsec_ alone, Bearer of news", "whsec_ alone, Bearer of news"),
        ] {
            assert_eq!(redactor.text(text), wanted);
        }
        let signature = format!("t=1,v1={}", "ab".repeat(32));
        assert_eq!(redactor.text(&signature), "t=1,v1=[redacted]");
        assert_eq!(format!("{redactor:?}"), "Redactor(3 secrets)");
        let twice = redactor.text(&redactor.text("whsec_abc123 topsecret"));
        assert_eq!(twice, "whsec_[redacted] [redacted]");
    }

    #[test]
    fn traces_of_eight_languages_are_found() {
        for trace in [
            "Error: x\n    at handler (/app/src/hook.js:10:5)",
            "{\"stack\":\"TypeError: x\\n    at Object.<anonymous> (server.mjs:3:1)\"}",
            "<pre>Error<br> &nbsp; &nbsp;at next (index.js:280:10)</pre>",
            "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>",
            "app/models/user.rb:12:in `find'",
            "\tat com.acme.Hook.run(Hook.java:42)",
            "goroutine 17 [running]:",
            "thread 'main' panicked at src/main.rs:2:5",
            "#0 index.php(12): run()",
            "   at Acme.Hook.Run() in Hook.cs:line 42",
        ] {
            assert!(leaks(trace, &[]).contains(&"stack trace".to_owned()), "{trace}");
        }
    }

    #[test]
    fn secrets_and_internals_are_found() {
        assert_eq!(leaks("got whsec_abc123", &[]), ["secret"]);
        assert_eq!(leaks("expected hunter2hunter2", &["hunter2hunter2"]), ["secret"]);
        for text in [
            "duplicate key value violates unique constraint \"events_pkey\"",
            "SQLITE_BUSY: database is locked",
            "cannot open /srv/shop/lib/hook.py",
            "{\"file\":\"\\/var\\/www\\/hook.php\"}",
            "in file:///app/dist/x.mjs",
            "x/node_modules/stripe/lib",
        ] {
            assert_eq!(leaks(text, &[]), ["internals"], "{text}");
        }
    }

    #[test]
    fn ordinary_answers_are_clean() {
        for text in [
            "",
            "{\"error\":\"invalid signature\"}",
            "No signatures found matching the expected signature for payload",
            "<script src=\"/app/main.js\"></script><link href='/usr/x.ts'>",
            "see https://example.com/app/docs.js",
            "arrived at 10:30:05, at https://example.com:443",
            "Basic plan, look at item 3:4:5",
            "Stripe-Signature header is missing",
        ] {
            assert!(leaks(text, &["hunter2hunter2"]).is_empty(), "{text}: {:?}", leaks(text, &[]));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_secret_never_survives(before in ".{0,20}", after in ".{0,20}", secret in "[a-zA-Z0-9]{6,20}") {
            proptest::prop_assume!(!REDACTED.contains(&secret));
            let text = format!("{before}{secret}{after}");
            proptest::prop_assert!(!Redactor::new(&[&secret]).text(&text).contains(&secret));
        }
    }
}
