//! Every fault of a scenario is in the history and in the timeline, with what stays owed, and in the story of whom it hit.

use super::simulate;
use crate::cli::{hookdrill, scratch};
use hookdrill::{
    check::verdict::Verdicts,
    history::{
        file::{History, read},
        record::Record,
    },
};
use std::path::Path;

const TEXT: &str = r#"
version = 1
name = "many faults"
about = "One fault of each family on one customer."
body = "simulated"

[[story]]
name = "purchase"
recording = "checkout-subscription"

[[fault]]
drop = { of = "invoice.paid", first = 1 }

[[fault]]
transport = { of = "checkout.session.completed", how = "reset_before_reply", first = 1 }

[[fault]]
downstream = { of = "crm", operation = "create_contact", answer = 503, first = 2 }

[[fault]]
outage = { of = "crm", from = "0s", for = "1s", answer = 500 }

[[fault]]
store_busy = { from = "150ms", for = "40ms" }

[[fault]]
kill = { on_ack_of = "customer.created", restart_after = "50ms" }

[[criterion]]
contacts_per_customer = { exactly = 2 }
"#;

fn history(reports: &Path) -> History {
    let only = |folder: &Path| {
        let folders = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        folders.filter(|path| path.is_dir()).min().expect("one folder")
    };
    read(&only(&only(reports)).join("history.jsonl")).expect("a history")
}

#[test]
fn every_fault_is_in_the_history_the_timeline_and_the_chain() {
    let folder = scratch();
    let file = folder.path().join("many-faults.toml");
    std::fs::write(&file, TEXT).expect("written");
    let file = file.to_str().expect("text");
    let timeline = hookdrill(&["plan", file], &[]);
    let words = [
        "[0]  the first attempt of `invoice.paid` is lost; everything stays owed",
        "[1]  the first attempt of `checkout.session.completed` goes reset before the reply is read; such an attempt is indefinite",
        "[2]  on `create_contact`, the first 2: crm answers 503; everything stays owed",
        "[3]  crm answers 500 from 0s for 1s; everything stays owed",
        "[4]  the store is locked from 150ms for 40ms; everything stays owed",
        "[5]  the service is killed when it has acknowledged the first `customer.created`, started again 50ms later; everything",
        "0.150s to 0.190s  the store is locked",
    ];
    words.iter().for_each(|words| assert!(timeline.stdout.contains(words), "{words}: {timeline}"));
    let reports = folder.path().join("reports");
    let done = hookdrill(&["run", "--simulate", file, "--reports", reports.to_str().expect("text")], &[]);
    assert_eq!(done.code, 1, "{done}");
    let history = history(&reports);
    let records = || history.entries.iter().map(|entry| &entry.record);
    for words in &words[..6] {
        let note = words.replacen("]  ", "] ", 1);
        let noted = |record: &Record| matches!(record, Record::Fault { what, on: true } if what.starts_with(&note));
        assert!(records().any(noted), "{note}");
    }
    for number in [0, 1] {
        let touched = |record: &Record| matches!(record, Record::Attempt(a) if a.faults.contains(&number));
        assert!(records().any(touched), "[{number}]");
    }
    for words in ["answers 500", "answers 503"] {
        let said = |fault: &Option<String>| fault.as_deref().is_some_and(|fault| fault.contains(words));
        let hit = |record: &Record| matches!(record, Record::Call(c) if said(&c.fault) && !c.about.is_empty());
        assert!(records().any(hit), "{words}");
    }
    let (_, summary) = simulate(&[file]);
    let verdicts: Verdicts = serde_json::from_value(summary["scenarios"][0]["verdicts"].clone()).expect("verdicts");
    let chain = verdicts.verdicts[0].chain.join("\n");
    let told = ["was killed, as planned", "made contact", "fault [", "everything stays owed", "owed: access open"];
    told.iter().for_each(|words| assert!(chain.contains(words), "{words}:\n{chain}"));
    assert!(verdicts.verdicts[0].chain.len() <= 12, "{chain}");
}
