//! The first steps of somebody new: `init`, `schema`, `completions`, `man`.

use hookdrill::drive::project::Surroundings;

use super::{hookdrill, scratch};
use std::{collections::BTreeSet, path::Path};

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn surroundings(variable: &dyn Fn(&str) -> Option<String>) -> Surroundings<'_> {
    Surroundings { variable, own: Vec::new(), seed: 1 }
}

#[test]
fn what_init_writes_is_good_and_runs_at_once() {
    let folder = scratch();
    let app = folder.path().join("app");
    let written = hookdrill(&["init", text(&app)], &[]);
    assert_eq!(written.code, 0, "{written}");
    assert_eq!(names(&app), BTreeSet::from(["hookdrill.toml", "scenarios", "fixtures"].map(str::to_owned)));
    let recording = "fixtures/checkout-subscription";
    assert_eq!(names(&app.join(recording)), names(Path::new(recording)), "the whole recording");
    let schema = hookdrill(&["schema"], &[]);
    assert_eq!(std::fs::read_to_string(app.join("scenarios/schema.json")).expect("a schema"), schema.stdout);
    let (scenarios, fixtures) = (app.join("scenarios"), app.join("fixtures"));
    let reports = folder.path().join("reports");
    let ran = hookdrill(
        &["run", "--simulate", text(&scenarios), "--fixtures", text(&fixtures), "--reports", text(&reports)],
        &[],
    );
    assert_eq!(ran.code, 0, "{ran}");
    let secret = |name: &str| (name == "STRIPE_WEBHOOK_SECRET").then(|| "whsec_of_a_test".to_owned());
    let project =
        hookdrill::drive::project::load(&app.join("hookdrill.toml"), &surroundings(&secret)).expect("a project file");
    assert_eq!(project.target.webhook, "http://127.0.0.1:3000/api/webhooks/stripe");
}

#[test]
fn what_init_shows_in_comments_is_good_too() {
    let folder = scratch();
    assert_eq!(hookdrill(&["init", text(folder.path())], &[]).code, 0);
    let uncommented = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a file");
        let shown = |line: &str| {
            line.starts_with("# [") || line.starts_with("# ") && line.contains(" = ") && !line.contains('`')
        };
        let line = |line: &str| if shown(line) { line[2..].to_owned() } else { line.to_owned() };
        std::fs::write(path, text.lines().map(line).collect::<Vec<_>>().join("\n")).expect("written");
    };
    let (project, scenario) = (folder.path().join("hookdrill.toml"), folder.path().join("scenarios/first.toml"));
    uncommented(&project);
    uncommented(&scenario);
    let secret = |_: &str| Some("whsec_of_a_test".to_owned());
    let loaded = hookdrill::drive::project::load(&project, &surroundings(&secret)).expect("a project file");
    assert!(loaded.target.crm && loaded.target.support && loaded.target.probe.is_some());
    let fixtures = folder.path().join("fixtures");
    let reports = folder.path().join("reports");
    let ran = hookdrill(
        &["run", "--simulate", text(&scenario), "--fixtures", text(&fixtures), "--reports", text(&reports)],
        &[],
    );
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stdout.contains("contact"), "{ran}");
}

#[test]
fn init_overwrites_nothing_and_says_what_is_in_the_way() {
    let folder = scratch();
    std::fs::write(folder.path().join("hookdrill.toml"), "mine").expect("written");
    let refused = hookdrill(&["init", text(folder.path())], &[]);
    assert_eq!(refused.code, 3, "{refused}");
    assert!(refused.stderr.contains("hookdrill.toml exists already"), "{refused}");
    assert_eq!(std::fs::read_to_string(folder.path().join("hookdrill.toml")).expect("there"), "mine");
    assert_eq!(names(folder.path()), BTreeSet::from(["hookdrill.toml".to_owned()]), "nothing else was written");
}

#[test]
fn schemas_completions_and_manual_are_printed() {
    for of in ["scenario", "stories", "project"] {
        let schema = hookdrill(&["schema", "--of", of], &[]);
        assert_eq!(schema.code, 0, "{schema}");
        let json: serde_json::Value = serde_json::from_str(&schema.stdout).expect("JSON");
        assert_eq!(json["additionalProperties"], false);
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let words = hookdrill(&["completions", shell], &[]);
        assert!(words.code == 0 && words.stdout.contains("crash-everywhere"), "{shell}: {words}");
    }
    assert_eq!(hookdrill(&["completions", "cobol"], &[]).code, 3);
    let manual = hookdrill(&["man"], &[]);
    assert_eq!(manual.code, 0);
    for page in ["hookdrill\\-run", "hookdrill\\-signature\\-verify", ".SH OPTIONS", "\\-\\-seed"] {
        assert!(manual.stdout.contains(page), "lacks {page}");
    }
    assert!(!manual.stdout.contains("until\\-stdin"), "what is hidden stays hidden");
}

#[test]
fn a_file_of_stories_lies_beside_the_scenarios_and_is_none() {
    let folder = scratch();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let stories = "version = 1\n[[story]]\nname = \"purchase\"\nrecording = \"checkout-subscription\"\n";
    let scenario = "version = 1\nname = \"one\"\nabout = \"Its story is elsewhere.\"\ninclude = [\"buys.inc.toml\"]\n\
        [[criterion]]\nevents_lost = { exactly = 0 }\n";
    write("buys.inc.toml", stories);
    write("one.toml", scenario);
    write("two.toml", &scenario.replace("\"one\"", "\"two\""));
    let linted = hookdrill(&["lint", text(folder.path())], &[]);
    assert!(linted.code == 0 && linted.stdout.contains("2 scenarios"), "{linted}");
    let alone = hookdrill(&["run", "--simulate", text(&folder.path().join("buys.inc.toml"))], &[]);
    assert!(alone.code == 3 && alone.stderr.contains("is no scenario"), "{alone}");
    write("buys.inc.toml", &stories.replace("checkout", "chekout"));
    let wrong = hookdrill(&["lint", text(folder.path())], &[]);
    assert_eq!(wrong.code, 3, "{wrong}");
    assert!(wrong.stderr.contains("one.toml:4:12") && wrong.stderr.contains("`checkout-subscription`"), "{wrong}");
}
