//! What secrets look like: the formats that their issuers publish (prefix, alphabet, length), each rule written for this table
//! from the issuer's own documentation; no other scanner's rules are in it.
//!
//! Keys that are made to be public (`pk_live_…`, Google's browser keys, the anonymous key of Supabase) are not in it.
//! Must not know: files.

/// How a match becomes a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The format alone says so.
    Format,
    /// A name that speaks of a secret, and a value; the value must look like one.
    Named,
    /// A JSON web token; its claims must name the role.
    Jwt,
}

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// Whose it is, and what it opens.
    pub about: &'static str,
    /// A regular expression over bytes; the group `s` is the secret, else the whole match is.
    pub pattern: &'static str,
    /// How a match becomes a hit.
    pub kind: Kind,
}

const fn format(id: &'static str, about: &'static str, pattern: &'static str) -> Rule {
    Rule { id, about, pattern, kind: Kind::Format }
}

/// Every rule. Of two that match at one place the first counts.
pub const RULES: &[Rule] = &[
    format(
        "stripe-secret-key",
        "Stripe API key: charges and reads everything",
        r"\bsk_(?:live|test)_[0-9A-Za-z]{16,250}",
    ),
    format("stripe-restricted-key", "restricted Stripe API key", r"\brk_(?:live|test)_[0-9A-Za-z]{16,250}"),
    format(
        "stripe-organisation-key",
        "Stripe API key of an organisation",
        r"\bsk_org_(?:live|test)_[0-9A-Za-z]{16,250}",
    ),
    format("stripe-webhook-secret", "signs webhook events", r"\bwhsec_[0-9A-Za-z+/]{20,100}={0,2}"),
    format(
        "hubspot-token",
        "HubSpot private app: reads and writes the CRM",
        r"\bpat-(?:na|eu|ap)[0-9]{1,2}-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    ),
    format(
        "hubspot-key",
        "HubSpot API key in a URL",
        r"(?i)\bhapikey=(?P<s>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b",
    ),
    format("intercom-token", "Intercom access token", r"\bdG9rO[A-Za-z0-9+/]{45,80}={0,2}"),
    Rule {
        id: "zendesk-token",
        about: "Zendesk API token",
        pattern: r#"(?i)zendesk[a-z0-9_.\- ]{0,20}(?:token|secret|key|password)["'`]?\s{0,3}(?:=>|[:=,])\s{0,3}["'`]?(?P<s>[A-Za-z0-9]{40})\b"#,
        kind: Kind::Named,
    },
    format("salesforce-token", "Salesforce session", r"\b00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{60,200}"),
    format(
        "pipedrive-token",
        "Pipedrive API token in a URL",
        r"(?i)\bpipedrive\.com/[^\s]{0,200}[?&]api_token=(?P<s>[0-9a-f]{40})\b",
    ),
    format("slack-token", "Slack token", r"\bxox[abeprs]-[0-9A-Za-z-]{20,250}"),
    format(
        "slack-webhook",
        "posts to a Slack channel",
        r"\bhttps://hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/_-]{30,100}",
    ),
    format("github-token", "GitHub token", r"\b(?:gh[opusr]_[0-9A-Za-z]{36,250}|github_pat_[0-9A-Za-z_]{70,250})"),
    format("gitlab-token", "GitLab token", r"\bgl(?:pat|rt|dt|ptt)-[0-9A-Za-z_-]{20,250}"),
    format("aws-access-key", "AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    format("openai-key", "OpenAI API key", r"\bsk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{40,250}"),
    format("anthropic-key", "Anthropic API key", r"\bsk-ant-[a-z0-9]{3,10}-[0-9A-Za-z_-]{60,250}"),
    format("sendgrid-key", "SendGrid API key: sends mail", r"\bSG\.[0-9A-Za-z_-]{20,24}\.[0-9A-Za-z_-]{39,50}"),
    format("mailchimp-key", "Mailchimp API key", r"\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    format("resend-key", "Resend API key: sends mail", r"\bre_[0-9A-Za-z]{8}_[0-9A-Za-z]{20,40}\b"),
    format("shopify-token", "Shopify token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    format("npm-token", "publishes npm packages", r"\bnpm_[0-9A-Za-z]{36}\b"),
    format("pypi-token", "publishes Python packages", r"\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,250}"),
    format("digitalocean-token", "DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    format("supabase-secret", "Supabase secret key", r"\bsb_secret_[0-9A-Za-z_-]{20,100}"),
    format("linear-key", "Linear API key", r"\blin_api_[0-9A-Za-z]{40}\b"),
    format(
        "private-key",
        "private key",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s){1,6}(?P<s>[0-9A-Za-z+/=]{40,100})",
    ),
    Rule {
        id: "service-role-token",
        about: "JSON web token of a service role: passes by row level security",
        pattern: r"\beyJ[0-9A-Za-z_-]{10,500}\.(?P<s>eyJ[0-9A-Za-z_-]{10,2000})\.[0-9A-Za-z_-]{20,500}",
        kind: Kind::Jwt,
    },
    Rule {
        id: "database-password",
        about: "password in the URL of a database or a queue",
        pattern: r#"(?i)\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql)://[^\s:/@"'<>{}$]{0,60}:(?P<s>[^\s/@"'<>{}$]{6,100})@[0-9A-Za-z._-]{1,200}"#,
        kind: Kind::Named,
    },
    Rule {
        id: "bearer-token",
        about: "token in an Authorization header",
        pattern: r#"(?i)\bauthorization["'`]?\s{0,3}[:=,]\s{0,3}["'`]?(?:bearer|token)\s{1,3}(?P<s>[0-9A-Za-z._~+/=-]{20,1000})"#,
        kind: Kind::Named,
    },
    Rule {
        id: "basic-password",
        about: "user and password in an Authorization header",
        pattern: r#"(?i)\bauthorization["'`]?\s{0,3}[:=,]\s{0,3}["'`]?basic\s{1,3}(?P<s>[0-9A-Za-z+/]{16,500}={0,2})"#,
        kind: Kind::Named,
    },
    Rule {
        id: "named-secret",
        about: "a value under a name that speaks of a secret",
        pattern: r#"(?i)(?:api[_-]?key|api[_-]?token|access[_-]?token|auth[_-]?token|client[_-]?secret|signing[_-]?secret|webhook[_-]?secret|secret[_-]?key|private[_-]?key|passw(?:or)?d)["'`]?\s{0,3}(?:=>|[:=])\s{0,3}["'`](?P<s>[0-9A-Za-z_\-+/=.]{20,120})["'`]"#,
        kind: Kind::Named,
    },
];

/// Keys that their issuers print in their documentation for everybody to try.
pub(super) const PUBLISHED: [&str; 3] =
    ["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_test_BQokikJOvBiI2HlWgH4olfQ2", "AKIAIOSFODNN7EXAMPLE"];
