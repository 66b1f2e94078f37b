//! What a person's browser calls itself.
//!
//! Must not know: what they do with it.

use crate::scenario::model::Agent;

/// The `User-Agent` of a browser.
pub(super) const fn user_agent(agent: Agent) -> &'static str {
    match agent {
        Agent::Desktop => {
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
        }
        Agent::Mobile => {
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.6 Mobile/15E148 Safari/604.1"
        }
    }
}
