//! The strict verifier against the verdicts of the two official libraries that were run on the same cases.

use super::outside;
use hookdrill::stripe::signature::cases::{Verdict, judge_line};
use std::{collections::BTreeMap, fs};

#[test]
fn refuses_what_either_library_rejects_and_accepts_honest_headers() {
    let Some(path) = outside("shared/stripe/vectors/signatures.jsonl") else { return };
    let text = fs::read_to_string(path).expect("readable");
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut stricter: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let judged = judge_line(line).expect("a case");
        let both = case["verdict_node"] == "accept" && case["verdict_python"] == "accept";
        let group = case["group"].as_str().unwrap_or_default();
        let ours = judged.verdict == Verdict::Accept;
        match ours {
            true => accepted += 1,
            false => refused += 1,
        }
        let must_accept = both && matches!(group, "valid" | "rotation");
        if (ours && !both) || (!ours && must_accept) {
            wrong.push(format!("{}: {:?} {:?}", judged.name, judged.verdict, judged.reason));
        }
        if both && !ours {
            let reason = judged.reason.unwrap_or_default();
            *stricter.entry(group.to_owned()).or_default().entry(reason).or_default() += 1;
        }
    }
    println!("{} cases: {accepted} accepted, {refused} refused", accepted + refused);
    println!("accepted by both libraries, refused here: {stricter:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(accepted > 50 && refused > 200, "{accepted} accepted, {refused} refused");
}
