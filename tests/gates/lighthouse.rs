//! `hookdrill lighthouse`: reports that are read, a program that stands in for Lighthouse, and the real one where it is installed.

use crate::cli::{Finished, hookdrill, scratch};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn report(performance: Value) -> String {
    json!({
        "requestedUrl": "http://127.0.0.1/pricing",
        "categories": {
            "performance": {"score": performance}, "accessibility": {"score": 1}, "best-practices": {"score": 0.96},
        },
    })
    .to_string()
}

fn read(folder: &Path, reports: &[Value], more: &[&str]) -> Finished {
    let files: Vec<PathBuf> = (0..reports.len()).map(|n| folder.join(format!("{n}.json"))).collect();
    for (file, performance) in files.iter().zip(reports) {
        std::fs::write(file, report(performance.clone())).expect("written");
    }
    let mut arguments = vec!["lighthouse"];
    for file in &files {
        arguments.extend(["--from", file.to_str().expect("text")]);
    }
    arguments.extend(more);
    hookdrill(&arguments, &[])
}

#[test]
fn reports_are_gated_at_ninety_by_the_middle_of_several() {
    let folder = scratch();
    for (reports, more, code) in [
        (vec![json!(0.95)], vec![], 0),
        (vec![json!(0.89)], vec![], 1),
        (vec![json!(0.89)], vec!["--min", "85"], 0),
        (vec![json!(0.5), json!(0.97), json!(0.93)], vec![], 0),
        (vec![json!(0.5), json!(0.6), json!(0.93)], vec![], 1),
        (vec![json!(null)], vec![], 2),
        (vec![json!(0.2)], vec!["--category", "accessibility"], 0),
        (vec![json!(0.95)], vec!["--category", "seo"], 2),
        (vec![json!(0.95)], vec!["--category", "speed"], 3),
    ] {
        let done = read(folder.path(), &reports, &more);
        assert_eq!(done.code, code, "{reports:?} {more:?}: {done}");
    }
    let done = read(folder.path(), &[json!(0.89)], &["--json"]);
    let json: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((&json["pages"][0]["passed"], &json["pages"][0]["scores"]["performance"]), (&json!(false), &json!(89)));
}

#[test]
fn what_is_no_report_and_no_page_is_named() {
    let folder = scratch();
    let file = folder.path().join("x.json");
    std::fs::write(&file, "{}").expect("written");
    for (arguments, words) in [
        (vec!["lighthouse", "--from", file.to_str().expect("text")], "no Lighthouse report"),
        (vec!["lighthouse", "https://shop.example/"], "--allow-host shop.example"),
        (vec!["lighthouse", "http://127.0.0.1:1/", "--lighthouse", "no/such/program"], "no/such/program"),
        (vec!["lighthouse"], "URLS"),
    ] {
        let done = hookdrill(&arguments, &[]);
        assert!(done.code == 3 && done.stderr.contains(words), "{arguments:?}: {done}");
    }
}

/// A program that writes a report as Lighthouse does: with these points, or with none.
#[cfg(unix)]
pub(super) fn stand_in(folder: &Path, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let program = folder.join("lighthouse-stand-in");
    let script = format!(
        "#!/bin/sh\nfor a in \"$@\"; do case \"$a\" in --output-path=*) out=\"${{a#--output-path=}}\";; esac; done\n{body}\n"
    );
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("made runnable");
    program
}

#[cfg(unix)]
#[test]
fn the_program_is_called_for_each_run_and_its_failure_is_told() {
    let folder = scratch();
    let log = folder.path().join("calls");
    let good = format!("echo call >> {}\ncat > \"$out\" <<'X'\n{}\nX", log.display(), report(json!(0.97)));
    let program = stand_in(folder.path(), &good);
    let ask = |program: &Path, more: &[&str]| {
        let mut arguments = vec!["lighthouse", "http://127.0.0.1:1/", "--lighthouse", program.to_str().expect("text")];
        arguments.extend(more);
        hookdrill(&arguments, &[])
    };
    let done = ask(&program, &["--runs", "2"]);
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(std::fs::read_to_string(&log).expect("calls").lines().count(), 2);
    let done = ask(&stand_in(folder.path(), "echo no Chrome here >&2; exit 1"), &[]);
    assert!(done.code == 4 && done.stderr.contains("no Chrome here"), "{done}");
    let done = ask(&stand_in(folder.path(), "exec sleep 20"), &["--timeout", "200ms"]);
    assert!(done.code == 4 && done.stderr.contains("longer"), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_lighthouse_measures_a_page() {
    const NAME: &str = "hookdrill lighthouse with the npm package";
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let folder = std::env::var_os("HOOKDRILL_CLIENTS").map(PathBuf::from).unwrap_or_default();
    let program = folder.join("node_modules/lighthouse/cli/index.js");
    if !program.exists() || !Path::new("/usr/bin/chromium").exists() {
        return crate::skip(
            NAME,
            "HOOKDRILL_CLIENTS names no folder with the npm package lighthouse, or there is no Chromium",
        );
    }
    let page = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>A shop</title><h1>A shop</h1>";
    let app = axum::Router::new().fallback(move || async move { axum::response::Html(page) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let done = tokio::task::spawn_blocking(move || {
        let program = program.to_str().expect("text").to_owned();
        let arguments =
            ["lighthouse", &url, "--runs", "1", "--category", "accessibility", "--json", "--lighthouse", &program];
        hookdrill(&arguments, &[("CHROME_PATH", "/usr/bin/chromium")])
    });
    let done = done.await.expect("measured");
    let json: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    assert!(done.code == 0 && json["pages"][0]["scores"]["accessibility"].as_u64() >= Some(90), "{done}");
}
