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
        (
            "secret_env = \"SECRET\"",
            "secret_env = \"SECRET\"\nrecovers_within = \"soon\"",
            "hookdrill.toml:4: `soon` is not a duration",
        ),
        (
            "access =",
            "headers_env = { Authorization = \"NOWHERE\" }\naccess =",
            "hookdrill.toml:11: `headers_env` is the name of a variable that holds the whole value, like `Bearer …`; neither \
             the environment nor `env` has NOWHERE",
        ),
        (
            "access =",
            "headers_env = { \"Author ization\" = \"SECRET\" }\naccess =",
            "hookdrill.toml:11: `Author ization` is no name of a header",
        ),
        (
            "access =",
            "headers_env = { Host = \"SECRET\" }\naccess =",
            "hookdrill.toml:11: the header `Host` is written by hookdrill; leave it out",
        ),
        (
            "http = \"http://localhost:3000/customers/{customer}\"",
            "command = [\"true\"]\nheaders_env = { Authorization = \"SECRET\" }",
            "hookdrill.toml:11: `headers_env` belongs to `http`",
        ),
        (
            "dialect = \"hubspot\"",
            "dialect = \"intercom\"\nunique_properties = [\"plan\"]",
            "hookdrill.toml:8: `unique_properties` are HubSpot's; with the dialect intercom leave them out",
        ),
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

const STARTED: &str = r#"[target]
webhook = "http://127.0.0.1:{port}/hooks"
secret_env = "NOT_SET_ANYWHERE"
env = { PORT = "{port}", CRM = "{crm_url}", JSON = '{"a": {"b": 1}}', LINE = "{{level}}" }

[[target.process]]
name = "web"
command = ["node", "server.mjs"]
ready = "http://127.0.0.1:{port}/health"
copies = 2
[[target.process]]
name = "worker"
command = ["node", "worker.mjs", "{scratch}"]

[mocks.crm]

[probe.customer]
sql = "select access from customers where id = :customer"
database = "sqlite:{scratch}/app.db"
access = "$.access == 1"

[[seed]]
http = "http://127.0.0.1:{port}/users"
json = { id = "{user}" }
"#;

#[test]
fn an_app_that_is_started_is_read() {
    let project = read(STARTED).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(project.target.abilities(), ["access_probe", "crm", "process"]);
    let app = project.app.expect("an app");
    assert_eq!(app.processes.iter().map(|process| process.name.as_str()).collect::<Vec<_>>(), ["web", "worker"]);
    assert_eq!((app.web, project.target.seeds.len()), (0, 1));
    assert!(project.target.secrets.known().starts_with("whsec_"), "made up where the environment has none");
    let by_variable = STARTED.replace("database = \"sqlite:{scratch}/app.db\"", "database_env = \"CRM\"");
    let error = read(&by_variable).expect_err("that is no database");
    assert!(error.contains("a database is sqlite:<path> or postgres://user@host/database"), "{error}");
}

#[test]
fn each_mistake_about_processes_is_located_and_says_what_to_write() {
    for (from, to, expected) in [
        ("[\"node\", \"server.mjs\"]", "[]", "hookdrill.toml:8: `command` is empty"),
        (
            "[\"node\", \"server.mjs\"]",
            "[\"npm run dev\"]",
            "hookdrill.toml:8: no shell reads `command`; write a list of words, as [\"npm\", \"run\", \"dev\"]",
        ),
        (
            "\"server.mjs\"",
            "\"{prot}\"",
            "hookdrill.toml:8: `{prot}` cannot be filled in; there are {port}, {scratch}, {crm_url}",
        ),
        ("\"server.mjs\"", "\"{customer}\"", "hookdrill.toml:8: `{customer}` cannot be filled in"),
        ("\"server.mjs\"", "\"{webhook_secret}\"", "it may stand in `env` alone"),
        (
            "\"{crm_url}\"",
            "\"{support_url}\"",
            "hookdrill.toml:4: `{support_url}` cannot be filled in; it needs [mocks.support]",
        ),
        ("name = \"worker\"", "name = \"web\"", "hookdrill.toml:12: there is a process `web` already"),
        ("name = \"worker\"", "name = \"../x\"", "hookdrill.toml:12: `../x` is no name of a process"),
        ("copies = 2", "copies = 0", "hookdrill.toml:10: `copies` goes from 1 to 16"),
        (
            "http://127.0.0.1:{port}/hooks",
            "http://127.0.0.1:3000/hooks",
            "several copies cannot share the port of `webhook`",
        ),
        ("copies = 2", "cwd = \"nowhere\"", "hookdrill.toml:10: there is no folder"),
        ("copies = 2", "ready_within = \"soon\"", "hookdrill.toml:10: "),
        (
            "[[target.process]]",
            "command = [\"node\"]\n[[target.process]]",
            "hookdrill.toml:6: `command` is one process",
        ),
        (":customer\"", ":custmer\"", "hookdrill.toml:18: `:custmer` cannot be bound; there are :customer, :user"),
        (":customer\"", "'\"", "hookdrill.toml:18: a ' stays open in the statement"),
        ("sqlite:{scratch}/app.db", "mysql://root@localhost/app", "hookdrill.toml:19: a database is sqlite:<path>"),
        (
            "sqlite:{scratch}/app.db",
            "postgres://app:hunter2@localhost/app",
            "hookdrill.toml:19: a password in the project file would be in every copy of it",
        ),
        (
            "sqlite:{scratch}/app.db",
            "postgres://db.example.com/app",
            "the database is on `db.example.com`, not on this machine",
        ),
        ("database = \"sqlite:{scratch}/app.db\"", "", "hookdrill.toml:18: say where `sql` goes"),
        (
            "database = \"sqlite:{scratch}/app.db\"",
            "database_env = \"NOWHERE\"",
            "neither the environment nor `env` has NOWHERE",
        ),
        (
            "[[seed]]\nhttp = \"http://127.0.0.1:{port}/users\"",
            "[[seed]]\nsql = \"select 1\"\ndatabase = \"sqlite:x\"",
            "hookdrill.toml:25: `json` belongs to `http`",
        ),
        ("[[seed]]", "[[reset]]", "hookdrill.toml:24: `{user}` cannot be filled in"),
        (
            "json = { id = \"{user}\" }",
            "method = \"GET\"",
            "hookdrill.toml:24: `GET` is none of POST, PUT, PATCH, DELETE",
        ),
        (
            "http = \"http://127.0.0.1:{port}/users\"\njson = { id = \"{user}\" }",
            "",
            "needs one of `http`, `sql` and `command`",
        ),
        (
            "access = \"$.access == 1\"",
            "access = \"$.access == 1\"\nhttp = \"http://127.0.0.1:{port}/c\"",
            "give only one of `http`, `sql` and `command`",
        ),
    ] {
        let text = STARTED.replacen(from, to, 1);
        assert_ne!(text, STARTED, "{from}");
        let error = match read(&text) {
            Ok(_) => panic!("{from} -> {to}: expected {expected}"),
            Err(error) => error,
        };
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let unused = STARTED.replace("PORT = \"{port}\"", "PORT = \"1\"").replace("ready =", "# ready =");
    let error = read(&unused).expect_err("nobody is told the port");
    assert!(error.contains("hookdrill.toml:2: `{port}` stands in `webhook`, and no process is told it"), "{error}");
    for (key, value) in [("ready", "\"http://localhost/\""), ("kill_command", "[\"x\"]"), ("restart", "false")] {
        let text = GOOD.replace("[mocks.crm]", &format!("{key} = {value}\n[mocks.crm]"));
        let error = read(&text).expect_err(key);
        assert!(error.contains(&format!("`{key}` is for an app that hookdrill starts; add `command`")), "{error}");
    }
}
