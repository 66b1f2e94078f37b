//! The pages a person sees: rendered here, no script, one stylesheet.
//!
//! Must not know: storage; it is told what to show.

/// The stylesheet, served at `/style.css`.
pub const STYLE: &str = "\
:root { color-scheme: light dark; font: 1.0625rem/1.6 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f5f7; color: #1b1f27; }
main { max-width: 32rem; margin: 1rem; padding: 2rem 2.5rem; border-radius: .75rem; background: #fff; border: 1px solid #d6dae1; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: .5rem 0 0; }
[data-activation=pending] h1 { color: #7a4b00; }
[data-activation=active] h1 { color: #0b5d33; }
a { color: #1849a9; }
a:focus-visible { outline: 3px solid #1849a9; outline-offset: 3px; }
@media (prefers-color-scheme: dark) {
  body { background: #12151b; color: #e8eaef; }
  main { background: #1b1f27; border-color: #3a4150; }
  [data-activation=pending] h1 { color: #f2c46d; }
  [data-activation=active] h1 { color: #7fdca8; }
  a, a:focus-visible { color: #a8c7ff; outline-color: #a8c7ff; }
}
";

/// The page after Checkout. It only shows: access comes from the webhook, never from being here. Nothing of the request
/// stands in it.
pub fn success(active: bool) -> String {
    if active {
        page("active", "", "Your plan is active", "<p>Thank you. Everything in your plan is open to you now.</p>")
    } else {
        page(
            "pending",
            "<meta http-equiv=\"refresh\" content=\"2\">\n",
            "We are activating your plan",
            "<p>Your payment is being confirmed. This page looks again every two seconds; you need not do anything.</p>\n\
             <p>If it takes longer than a minute, you can close this page: we go on without it.</p>",
        )
    }
}

fn page(activation: &str, head: &str, title: &str, text: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{head}\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
         <main data-activation=\"{activation}\">\n<h1>{title}</h1>\n{text}\n</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_looks_again_and_active_does_not() {
        let (pending, active) = (success(false), success(true));
        assert!(pending.contains("data-activation=\"pending\"") && pending.contains("http-equiv=\"refresh\""));
        assert!(active.contains("data-activation=\"active\"") && !active.contains("refresh"));
        for page in [pending, active] {
            assert!(page.contains("lang=\"en\"") && !page.contains("<script") && !page.contains("style="));
        }
    }
}
