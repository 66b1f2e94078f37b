//! `hookdrill secrets` by the real binary: one of each kind that is planted is found, and nothing in what holds none.

use crate::cli::{Finished, hookdrill, scratch};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{io::Write, path::Path};

/// In parts, so that no scanner takes this file for a leak.
fn planted() -> Vec<(&'static str, String)> {
    let joined = |parts: [&str; 2]| parts.concat();
    let mixed = "9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u";
    let hex = "3c9e1f70a2b84d56e7f8091a2b3c4d5e";
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(br#"{"role":"service_role","iss":"supabase"}"#);
    vec![
        ("stripe-secret-key", joined(["sk_live", "_9fK2mQ7vZx4LpR8sTb3WnY6d"])),
        ("stripe-secret-key", joined(["sk_test", "_9fK2mQ7vZx4LpR8sTb3WnY6d"])),
        ("stripe-restricted-key", joined(["rk_live", "_9fK2mQ7vZx4LpR8sTb3WnY6d"])),
        ("stripe-webhook-secret", joined(["whsec", "_9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u"])),
        ("hubspot-token", joined(["pat-", "eu1-3c9e1f70-a2b8-4d56-e7f8-091a2b3c4d5e"])),
        ("hubspot-key", joined(["https://api.example.org/?hapi", "key=3c9e1f70-a2b8-4d56-e7f8-091a2b3c4d5e"])),
        ("intercom-token", joined(["dG9rO", "jljZTlmMjBhX2I4NGRfNTZlN19mODA5XzFhMmIzYzRkNWU2ZjowOjA"])),
        ("zendesk-token", format!("ZENDESK_API_{}=\"{mixed}A1b2C3d4\"", "TOKEN")),
        ("slack-token", joined(["xoxb", "-2468013579-9fK2mQ7vZx4LpR8sTb3WnY6d"])),
        (
            "slack-webhook",
            joined(["https://hooks.slack", ".com/services/T9K2MQ7VZ/B4LPR8STB/3WnY6dCe1GhJ5u9fK2mQ7vZx"]),
        ),
        ("github-token", joined(["ghp", "_9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u2468"])),
        ("gitlab-token", joined(["glpat", "-9fK2mQ7vZx4LpR8sTb3W"])),
        ("aws-access-key", joined(["AKIA", "Z7QMX4LPRTB3WNY6"])),
        ("openai-key", joined(["sk-proj", "-9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u9fK2mQ7vZx4LpR8s"])),
        ("sendgrid-key", joined(["SG.", "9fK2mQ7vZx4LpR8sTb3WnY.6dCe1GhJ5u9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u9"])),
        ("mailchimp-key", joined([hex, "-us14"])),
        ("shopify-token", joined(["shpat_", hex])),
        ("npm-token", joined(["npm", "_9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u2468"])),
        (
            "private-key",
            joined([
                "-----BEGIN RSA PRIVATE",
                " KEY-----\nMIIEpAIBAAKCAQEA9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u9fK2mQ7vZx4LpR8s",
            ]),
        ),
        ("service-role-token", format!("eyJhbGciOiJIUzI1NiJ9.{claims}.9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u")),
        ("database-password", joined(["postgres://shop:", "q7ZxLpR8sT@db.internal:5432/shop"])),
        ("bearer-token", format!("Authorization: Bea{} {mixed}", "rer")),
        ("basic-password", format!("authorization: \"Basic {}\"", STANDARD.encode("agent/token:9fK2mQ7vZx4L"))),
        ("named-secret", format!("{{client_{}:\"{mixed}\"}}", "secret")),
    ]
}

fn looked(paths: &[&Path], more: &[&str], environment: &[(&str, &str)]) -> (Value, Finished) {
    let mut arguments = vec!["secrets", "--json"];
    arguments.extend(paths.iter().map(|path| path.to_str().expect("text")));
    arguments.extend(more);
    let done = hookdrill(&arguments, environment);
    let json = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    (json, done)
}

fn rules(found: &Value) -> Vec<&str> {
    found["hits"].as_array().expect("hits").iter().filter_map(|hit| hit["rule"].as_str()).collect()
}

#[test]
fn one_of_each_kind_is_found_at_its_place_and_shown_to_nobody() {
    let folder = scratch();
    for (rule, text) in planted() {
        let file = folder.path().join("bundle.js");
        std::fs::write(&file, format!("first line\nconst a=1; /* */ {text} \nlast")).expect("written");
        let (found, done) = looked(&[&file], &[], &[]);
        assert_eq!((rules(&found), done.code), (vec![rule], 1), "{done}");
        assert_eq!(found["hits"][0]["line"].as_u64().map(|line| line >= 2), Some(true), "{done}");
        let secret = text.split(['"', ' ', ':', '@', '\n']).max_by_key(|part| part.len()).expect("a part");
        assert!(!done.stdout.contains(secret), "{rule} is shown: {done}");
    }
}

/// Bundles, maps, lock files, pages and recordings are full of texts that look random.
#[test]
fn nothing_is_found_where_nothing_is() {
    let folder = scratch();
    let texts = [
        ("app.min.js", "!function(e,t){var token=\"\",password:\"Enter your password\",n=e.apiKey||t.api_key;const r=\"pk_live_9fK2mQ7vZx4LpR8sTb3WnY6d\"}".to_owned()),
        ("app.js.map", format!("{{\"version\":3,\"mappings\":\"{}\",\"sourcesContent\":[\"const secretKey = process.env.SECRET_KEY\"]}}", "AAAA,SAASA;EACP,OAAOC,QAAQ;".repeat(2000))),
        ("package-lock.json", "\"integrity\": \"sha512-9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u9fK2mQ7vZx4LpR8sTb3WnY6dCe1GhJ5u==\"".to_owned()),
        ("README.md", "export STRIPE_SECRET_KEY=sk_test_xxxxxxxxxxxxxxxxxxxxxxxx\nexport S=whsec_…\nAuthorization: Bearer YOUR_TOKEN_GOES_HERE_PLEASE".to_owned()),
        ("docs.html", "sk_test_4eC39HqLyjWDarjtT1zdp7dc postgres://postgres:postgres@localhost/shop postgres://user:${PASSWORD}@db/x".to_owned()),
        ("messages.json", "{\"password_reset_token\": \"reset-password-token-2-field\", \"api_key\": \"settings.integrations.v2.api-key\"}".to_owned()),
        ("log.txt", "t=1764000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd evt_1SAbcDefGhiJklMno cus_9fK2mQ7vZx4LpR8s".to_owned()),
    ];
    for (name, text) in texts {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = [
        root.join("fixtures"),
        root.join("scenarios"),
        root.join("docs"),
        root.join("README.md"),
        root.join("Cargo.lock"),
    ];
    let mut paths: Vec<&Path> = shipped.iter().map(std::path::PathBuf::as_path).collect();
    paths.push(folder.path());
    let (found, done) = looked(&paths, &[], &[]);
    assert_eq!((rules(&found), done.code), (Vec::<&str>::new(), 0), "{done}");
    assert!(found["files"].as_u64().is_some_and(|files| files > 100), "{done}");
}

#[test]
fn the_runs_own_secrets_are_found_in_every_spelling_and_in_compressed_and_binary_files() {
    let folder = scratch();
    let secret = "crm/token+of+the+shop";
    let spelled = [
        ("plain", secret.to_owned()),
        ("percent", "crm%2Ftoken%2Bof%2Bthe%2Bshop".to_owned()),
        ("hex", hex::encode(secret)),
        ("basic", STANDARD.encode(format!("shop:{secret}!"))),
        ("binary", format!("\0\0\u{1}{secret}\0")),
    ];
    for (name, text) in &spelled {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(format!("{}\n  {secret}", "x\n".repeat(300_000)).as_bytes()).expect("packed");
    std::fs::write(folder.path().join("access.log.gz"), gz.finish().expect("packed")).expect("written");
    let (found, done) = looked(&[folder.path()], &["--secret-env", "CRM"], &[("CRM", secret)]);
    let files: Vec<&str> =
        found["hits"].as_array().expect("hits").iter().filter_map(|hit| hit["file"].as_str()).collect();
    assert_eq!(files.len(), spelled.len() + 1, "{done}");
    assert!(!done.stdout.contains(secret), "{done}");
    let packed = found["hits"]
        .as_array()
        .expect("hits")
        .iter()
        .find(|hit| hit["file"].as_str().is_some_and(|f| f.ends_with(".gz")));
    assert_eq!(
        packed.map(|hit| (hit["line"].as_u64(), hit["column"].as_u64())),
        Some((Some(300_002), Some(3))),
        "{done}"
    );
    assert_eq!(looked(&[folder.path()], &[], &[]).1.code, 0, "nobody knows it but its owner");
}

#[test]
fn links_lead_nowhere_and_some_folders_are_left_out() {
    let folder = scratch();
    let outside = scratch();
    let (_, key) = planted().swap_remove(0);
    std::fs::write(outside.path().join("key"), &key).expect("written");
    std::fs::create_dir(folder.path().join("node_modules")).expect("made");
    std::fs::write(folder.path().join("node_modules/key"), &key).expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).expect("linked");
    let (found, done) = looked(&[folder.path()], &[], &[]);
    assert_eq!((rules(&found).len(), done.code), (0, 0), "{done}");
    assert_eq!(found["left_out"].as_array().map(Vec::len), Some(1), "{done}");
    let named = folder.path().join("node_modules");
    assert_eq!(looked(&[&named], &[], &[]).1.code, 1, "what is named is looked into");
}

#[test]
fn a_file_that_cannot_be_read_is_no_pass() {
    let folder = scratch();
    std::fs::write(folder.path().join("broken.gz"), b"\x1f\x8b\x08\x00 this is not packed").expect("written");
    let (found, done) = looked(&[folder.path()], &[], &[]);
    assert_eq!((found["unread"].as_array().map(Vec::len), done.code), (Some(1), 2), "{done}");
}

#[test]
fn what_is_allowed_is_passed_over_and_mistakes_are_named() {
    let folder = scratch();
    let file = folder.path().join("a");
    std::fs::write(&file, planted().swap_remove(0).1).expect("written");
    let (found, _) = looked(&[&file], &[], &[]);
    let fingerprint = found["hits"][0]["fingerprint"].as_str().expect("a fingerprint");
    let allow = folder.path().join("allow");
    std::fs::write(&allow, format!("# known\n{fingerprint} # of the sandbox\n")).expect("written");
    let allow = allow.to_str().expect("text");
    assert_eq!(looked(&[&file], &["--allow", allow], &[]).1.code, 0);
    std::fs::write(allow, "nonsense").expect("written");
    let path = file.to_str().expect("text");
    for (arguments, environment, words) in [
        (vec!["secrets", path, "--allow", allow], vec![], "allow:1"),
        (vec!["secrets", path, "--secret-env", "HOOKDRILL_NONE"], vec![], "HOOKDRILL_NONE"),
        (vec!["secrets", path, "--secret-env", "PIN"], vec![("PIN", "1234")], "less than 8"),
        (vec!["secrets", "no/such/folder"], vec![], "no/such/folder"),
        (vec!["secrets"], vec![], "PATHS"),
    ] {
        let done = hookdrill(&arguments, &environment);
        assert!(done.code == 3 && done.stderr.contains(words), "{arguments:?}: {done}");
    }
}
