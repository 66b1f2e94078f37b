//! The project file: what it accepts, and where each mistake is said to be.

use hookdrill::drive::project::{Surroundings, load};

fn read(text: &str) -> Result<hookdrill::drive::project::Project, String> {
    let folder = crate::cli::scratch();
    let file = folder.path().join("hookdrill.toml");
    std::fs::write(&file, text).expect("written");
    let environment = |name: &str| (name == "SECRET").then(|| "whsec_1".to_owned());
    let surroundings = Surroundings { variable: &environment, own: Vec::new(), seed: 1 };
    load(&file, &surroundings).map_err(|error| error.to_string())
}

const GOOD: &str = r#"[target]
webhook = "http://127.0.0.1:3000/hooks"
secret_env = "SECRET"

[mocks.crm]
listen = "127.0.0.1:4101"
dialect = "hubspot"

[probe.customer]
http = "http://localhost:3000/customers/{customer}"
access = "$.status in ['active', 'trialing']"
"#;

#[test]
fn a_good_one_is_read() {
    let project = read(GOOD).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(project.target.abilities(), ["access_probe", "crm"]);
    assert_eq!(project.listen.get(&hookdrill::scenario::fault::Double::Crm).map(|a| a.port()), Some(4101));
    assert!(!format!("{project:?}").contains("whsec_1"));
    assert!(read(&GOOD.replace("127.0.0.1:3000", "[::1]:3000")).is_ok());
    let named = GOOD
        .replace("127.0.0.1:3000", "staging.example.com")
        .replace("[mocks", "allow_hosts = [\"staging.example.com\"]\n[mocks");
    assert!(read(&named).is_ok(), "a host that is named may be tested");
}

#[test]
fn doubles_speak_the_dialect_and_keep_the_limits_that_are_asked_for() {
    use hookdrill::mock::dialect::{Account, Dialects, Speaks};
    assert_eq!(read(GOOD).map(|project| project.dialects), Ok(Dialects::default()));
    let asked = GOOD.replace(
        "dialect = \"hubspot\"",
        "dialect = \"intercom\"\nrate_limit = 5\nproperties = [\"plan\"]\n[mocks.support]\ndialect = \"zendesk\"",
    );
    let wanted = Dialects {
        crm: Account { speaks: Speaks::Intercom, rate_limit: Some(5) },
        properties: Some(["plan".to_owned()].into()),
        ..Dialects::default()
    };
    assert_eq!(read(&asked).map(|project| project.dialects), Ok(wanted));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    let by_name = read(&GOOD.replace("\"SECRET\"", "\"whsec_0123456789abcdef\"")).expect_err("no such variable");
    let as_value =
        read(&GOOD.replace("secret_env = \"SECRET\"", "secret = \"whsec_0123456789abcdef\"")).expect_err("no such key");
    for error in [by_name, as_value] {
        assert!(!error.contains("0123456789abcdef"), "{error}");
    }
}

#[test]
fn each_mistake_is_located_and_says_what_to_write() {
    for (from, to, expected) in [
        (
            "127.0.0.1:3000/hooks",
            "staging.example.com/hooks",
            "hookdrill.toml:2: `staging.example.com` is not this machine",
        ),
        ("http://127.0.0.1:3000/hooks", "/hooks", "hookdrill.toml:2: `/hooks` is not an http or https URL"),
        (
            "\"SECRET\"",
            "\"OTHER\"",
            "hookdrill.toml:3: `secret_env` is the name of a variable, and the environment has no OTHER",
        ),
        ("secret_env = \"SECRET\"", "", "either `secret_env`"),
        (
            "secret_env = \"SECRET\"",
            "secret_env = \"SECRET\"\nold_secret_env = \"NOWHERE\"",
            "hookdrill.toml:4: `old_secret_env` is the name of a variable, and the environment has no NOWHERE",
        ),
        (
            "secret_env = \"SECRET\"",
            "secret_env = \"SECRET\"\nsecond_secret_env = \"SECRET\"",
            "the second or the old secret is the endpoint's own",
        ),
        (
            "secret_env = \"SECRET\"",
            "secret_env = \"SECRET\"\nold_secret_env = \"SECRET\"\nold_secret_file = \"old\"",
            "either `old_secret_env` (a variable's name) or `old_secret_file`",
        ),
        ("127.0.0.1:4101", "4101", "hookdrill.toml:6: `4101` is no address"),
        ("127.0.0.1:4101", "0.0.0.0:4101", "a double listens on this machine only"),
        ("hubspot", "salesforce", "hookdrill.toml:7: the dialect `salesforce` is not known"),
        ("dialect = \"hubspot\"", "rate_limit = 0", "hookdrill.toml:7: no call would be answered"),
        ("$.status in", "status in", "hookdrill.toml:11: `status in"),
        ("webhook =", "wehbook =", "unknown field `wehbook`"),
        ("[target]", "[target", "hookdrill.toml"),
        (
            "127.0.0.1:3000/hooks",
            "127.0.0.1:99999/hooks",
            "hookdrill.toml:2: `http://127.0.0.1:99999/hooks` has a port",
        ),
        ("127.0.0.1:3000/hooks", "user:pw@127.0.0.1:3000/hooks", "hookdrill.toml:2: a user name or password in a URL"),
        ("127.0.0.1:3000/hooks", "127.0.0.1:3000/{user}", "hookdrill.toml:2: `webhook` is one URL for everybody"),
        ("{customer}", "{custmer}", "hookdrill.toml:10: `{custmer}` cannot be filled in"),
    ] {
        let error = read(&GOOD.replacen(from, to, 1)).expect_err(expected);
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}
