//! What the documents and the files for CI systems tell people to type is tried: project files are read, YAML is parsed, the steps of
//! the action are run, the handler for Express answers.

use crate::cli::scratch;
use hookdrill::drive::project::Surroundings;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("docs")).expect("documents");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut documents: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    documents.push(root().join("README.md"));
    documents.sort();
    documents
}

/// The blocks of a document in a language.
fn blocks(document: &Path, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(document).expect("a document");
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn every_project_file_in_the_documents_is_read() {
    let known = |name: &str| match name {
        "DATABASE_URL" => Some("postgresql://app@127.0.0.1:5432/app".to_owned()),
        _ => Some("whsec_of_the_documents".to_owned()),
    };
    let mut read = 0;
    for document in documents() {
        for block in blocks(&document, "toml").into_iter().filter(|block| block.contains("\nwebhook = ")) {
            let folder = scratch();
            let file = folder.path().join("hookdrill.toml");
            std::fs::write(&file, &block).expect("written");
            // Whether the file of a declared double is there is no question of the document.
            for name in block.lines().filter_map(|line| line.strip_prefix("file = \"")?.split('"').next()) {
                std::fs::copy(root().join("docs/doubles").join(name), folder.path().join(name)).ok();
            }
            let loaded =
                hookdrill::drive::project::load(&file, &Surroundings { variable: &known, own: Vec::new(), seed: 1 });
            assert!(loaded.is_ok(), "{}: {}\n{block}", document.display(), loaded.expect_err("wrong"));
            read += 1;
        }
    }
    assert!(read >= 6, "only {read} project files were found");
}

fn yaml(text: &str) -> Yaml {
    YamlLoader::load_from_str(text).expect("YAML").into_iter().next().expect("a document")
}

#[test]
fn the_files_for_ci_systems_are_what_they_are_taken_for() {
    let action = yaml(&read(".github/actions/hookdrill/action.yml"));
    assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
    for step in action["runs"]["steps"].as_vec().expect("steps") {
        // A text of somebody else's that is pasted into a script is run.
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step:?}");
        assert!(step["run"].is_badvalue() || step["shell"].as_str() == Some("bash"), "{step:?}");
    }
    let job = &yaml(&read("ci/gitlab.yml"))[".hookdrill"];
    assert_eq!(job["artifacts"]["reports"]["junit"].as_str(), Some("hookdrill-reports/junit.xml"));
    for document in documents() {
        blocks(&document, "yaml").iter().for_each(|block| drop(yaml(block)));
    }
    for line in read("ci/Containerfile").lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let mut parts: Vec<&str> = line.split(' ').filter(|part| !part.starts_with("--from")).collect();
        parts.pop();
        let copied = parts.iter().filter(|part| !part.starts_with('/'));
        copied.for_each(|part| assert!(root().join(part).exists(), "{part} is not there to be copied"));
    }
}

/// Runs a step of the action as the runner does, with a program that notes its arguments and ends with `code`.
fn step(name: &str, code: i32, inputs: &[(&str, &str)]) -> (i32, String, BTreeMap<&'static str, String>) {
    let action = yaml(&read(".github/actions/hookdrill/action.yml"));
    let steps = action["runs"]["steps"].as_vec().expect("steps");
    let script = steps.iter().find(|step| step["name"].as_str() == Some(name)).and_then(|step| step["run"].as_str());
    let folder = scratch();
    let at = |file: &str| folder.path().join(file);
    let program = at("program");
    let text = format!(
        "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\" > '{}'\nmkdir -p \"$REPORTS\"\necho '## told' > \"$REPORTS/summary.md\"\nexit {code}\n",
        at("arguments").display()
    );
    std::fs::write(&program, text).expect("written");
    let mut command = Command::new("bash");
    command
        .args(["-eo", "pipefail", "-c", script.expect("a script")])
        .env("REPORTS", at("reports"))
        .env("GITHUB_OUTPUT", at("output"))
        .env("GITHUB_STEP_SUMMARY", at("summary"))
        .env("GITHUB_EVENT_NAME", "pull_request_target")
        .env("HOOKDRILL", &program)
        .envs(inputs.iter().copied())
        .current_dir(folder.path());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let done = command.output().expect("bash");
    let file = |name: &'static str| (name, std::fs::read_to_string(at(name)).unwrap_or_default());
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.code().unwrap_or(-1), said, ["arguments", "output", "summary"].map(file).into())
}

#[test]
fn the_action_hands_on_what_it_is_given_and_what_comes_of_it() {
    let plain = [("TARGET", "a b.toml"), ("SCENARIOS", ""), ("SEED", "7"), ("COMPARE", ""), ("ARGUMENTS", "")];
    let (code, _, files) = step("Run", 1, &plain);
    assert_eq!(code, 1);
    assert!(files["arguments"].starts_with("run\n--seed\n7\n--reports\n"), "{files:?}");
    assert!(files["arguments"].ends_with("--target\na b.toml\n"), "{files:?}");
    assert!(files["output"].contains("exit-code=1\n") && files["summary"] == "## told\n", "{files:?}");
    let more = [
        ("TARGET", ""),
        ("SCENARIOS", "one.toml\ntwo $(x).toml\n"),
        ("SEED", "1"),
        ("COMPARE", "clean"),
        ("ARGUMENTS", "--filter\n*; exit 0"),
    ];
    let (code, _, files) = step("Run", 0, &more);
    assert_eq!(code, 0);
    let wanted = "--compare\nclean\n--filter\n*; exit 0\none.toml\ntwo $(x).toml\n";
    assert!(files["arguments"].ends_with(wanted), "{files:?}");
}

#[test]
fn the_action_does_not_run_a_forks_commands_beside_secrets() {
    let (code, said, _) = step("Refuse to run a fork's commands beside secrets", 0, &[]);
    assert!(code == 3 && said.contains("under pull_request_target they could be a fork's"), "{code}: {said}");
}

const FORGED: &str = r#"version = 1
name = "forged"
about = "Each event comes with a forgery of it before."

[[story]]
name = "purchase"
recording = "checkout-subscription"

[[fault]]
forged = { of = "*", signature = "wrong_secret" }

[[fault]]
forged = { of = "*", signature = "reserialised_body" }

[[criterion]]
events_lost = { exactly = 0 }

[[criterion]]
forgery_traces = { exactly = 0 }

[[criterion]]
unsafe_errors = { exactly = 0 }
"#;

#[test]
fn the_handler_of_the_express_page_takes_what_is_genuine() {
    const TEST: &str = "the handler in docs/express.md";
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let packages = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from);
    let Some(packages) = packages.filter(|folder| folder.join("node_modules/express").exists()) else {
        return crate::skip(
            TEST,
            "HOOKDRILL_CLIENTS names no folder with the npm packages express and stripe (see .ci/run)",
        );
    };
    let folder = scratch();
    let [handler] = &blocks(&root().join("docs/express.md"), "js")[..] else { panic!("one handler") };
    let store = "async function store(event) { if (!event.id) throw new Error('no event'); }\n";
    let listens = "\"127.0.0.1\", function () { console.log(`listening on ${this.address().port}`); });";
    let code = handler.replace("\"127.0.0.1\");", listens);
    std::fs::write(folder.path().join("server.mjs"), format!("{code}{store}")).expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink(packages.join("node_modules"), folder.path().join("node_modules")).expect("linked");
    let Some(app) = crate::apps::serve(Command::new("node").arg("server.mjs").current_dir(folder.path()).envs([
        ("PORT", "0"),
        ("STRIPE_WEBHOOK_SECRET", crate::apps::SECRET),
        ("STRIPE_SECRET_KEY", "sk_test_of_a_document"),
    ])) else {
        return;
    };
    let project = folder.path().join("hookdrill.toml");
    let text = format!(
        "[target]\nwebhook = \"http://127.0.0.1:{}/webhooks/stripe\"\nsecret_env = \"SHOP_SECRET\"\n",
        app.port
    );
    std::fs::write(&project, text).expect("written");
    let reports = folder.path().join("reports").display().to_string();
    let project = project.display().to_string();
    let scenario = folder.path().join("forged.toml");
    std::fs::write(&scenario, FORGED).expect("written");
    let scenario = scenario.display().to_string();
    let done = crate::cli::hookdrill(
        &["run", &scenario, "--target", &project, "--reports", &reports],
        &[("SHOP_SECRET", crate::apps::SECRET)],
    );
    assert_eq!(done.code, 0, "{done}");
}
