//! How fast a history is judged: a simulated run of a thousand customers, read from its folder.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hookdrill::{
    check::judge, history::file::read, plan::model::Plan, scenario::load::load, stripe::import::ImportOptions,
};
use std::{
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
};

const SCENARIO: &str = r#"
version = 1
name = "judged"
about = "For measuring."
[[story]]
name = "purchase"
recording = "checkout-subscription"
instances = 300
[[fault]]
duplicate = { of = "*", copies = 2 }
[[criterion]]
events_lost = { exactly = 0 }
[[criterion]]
contacts_per_customer = { exactly = 1 }
[[criterion]]
access = { is = "open" }
"#;

/// The folder of the one run below `reports`.
fn run_folder(reports: &Path) -> PathBuf {
    let only = |folder: &Path| {
        let folders = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        folders.filter(|path| path.is_dir()).min().expect("one folder")
    };
    only(&only(reports))
}

fn check(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("judged.toml");
    std::fs::write(&file, SCENARIO).expect("written");
    let reports = folder.path().join("reports");
    let ran = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
        .current_dir(root)
        .args(["run", "--simulate", "--quiet", "--reports"])
        .args([&reports, &file])
        .status()
        .expect("started");
    assert!(ran.success(), "the run to judge");
    let run = run_folder(&reports);
    let plan = std::fs::read_to_string(run.join("plan.json")).expect("a plan");
    let plan: Plan = serde_json::from_str(&plan).expect("a plan");
    let history = read(&run.join("history.jsonl")).expect("a history");
    let scenario = load(&file, &[root.join("fixtures")], ImportOptions::default()).expect("a scenario");
    let mut group = c.benchmark_group("check");
    group.sample_size(20);
    group.throughput(Throughput::Elements(history.entries.len() as u64));
    group.bench_function(format!("{} records", history.entries.len()), |bench| {
        bench.iter(|| judge(black_box(&scenario), &plan, &history));
    });
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
