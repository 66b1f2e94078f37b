//! What `teeth` found, as a table with sentences and as JSON.
//!
//! Must not know: how anything was run.

use super::{
    super::find::Found,
    Sound,
    hunt::{Ground, How, Hunt},
    out_of_reach,
    redundant::Redundancy,
};
use crate::{
    check::anomaly::Anomaly,
    scenario::{classes, model::Body},
    service::Defect,
    time::format_duration,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write, time::Duration};

/// Widest name of a scenario in the table; longer ones are cut.
const WIDEST_NAME: usize = 52;

/// Everything that was found.
pub(super) struct Told<'a> {
    /// The scenarios that were run.
    pub(super) grounds: &'a [Ground<'a>],
    /// One for each defect.
    pub(super) hunts: &'a [Hunt],
    /// Defects that no simulated run can show.
    pub(super) beyond: &'a [Defect],
    /// The sound service.
    pub(super) sound: Sound,
    /// Which scenarios can go, when that was asked.
    pub(super) redundancy: Option<&'a Redundancy>,
    /// Scenarios that were not run.
    pub(super) live: &'a [&'a Found],
}

impl Told<'_> {
    /// Table and sentences; the run took `ms`.
    pub(super) fn text(&self, ms: u64) -> String {
        let mut text = String::from("What catches each deliberate defect of the embedded service:\n\n");
        self.matrix(&mut text);
        self.not_run(&mut text);
        self.missed(&mut text);
        self.on_the_sound_service(&mut text);
        self.redundant(&mut text);
        let caught = self.hunts.iter().filter(|hunt| hunt.catch.is_some()).count();
        let deliveries: u64 = self.hunts.iter().map(|hunt| hunt.deliveries).sum();
        let took = format_duration(Duration::from_secs(ms.div_ceil(1000)));
        let (all, scenarios) = (self.hunts.len(), self.grounds.len());
        let _ = writeln!(
            text,
            "\n{caught} of {all} defects caught by {scenarios} scenarios, with {deliveries} deliveries, in {took}."
        );
        text
    }

    fn matrix(&self, text: &mut String) {
        let wide = |rows: &mut dyn Iterator<Item = usize>, least: usize| rows.max().unwrap_or(0).max(least);
        let rows: Vec<[String; 6]> = self.hunts.iter().map(|hunt| self.row(hunt)).collect();
        let heads = ["class", "defect", "caught by", "criterion", "anomaly", "deliveries"].map(str::to_owned);
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| wide(&mut rows.iter().map(|row| row[column].chars().count()), heads[column].len()))
            .collect();
        for row in std::iter::once(&heads).chain(&rows) {
            let [class, defect, by, criterion, anomaly, deliveries] = row;
            let line = format!(
                "  {class:>a$}  {defect:<b$}  {by:<c$}  {criterion:<d$}  {anomaly:<e$}  {deliveries:>f$}",
                a = widths[0],
                b = widths[1],
                c = widths[2],
                d = widths[3],
                e = widths[4],
                f = widths[5],
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }

    fn row(&self, hunt: &Hunt) -> [String; 6] {
        let (class, defect) = (hunt.defect.class().to_string(), hunt.defect.name().to_owned());
        let deliveries = hunt.deliveries.to_string();
        let Some(catch) = &hunt.catch else {
            return [class, defect, "NOT CAUGHT".to_owned(), String::new(), String::new(), deliveries];
        };
        let anomaly = match &catch.failed.anomaly {
            Some(name) if catch.failed.is_rightly_named(hunt.defect) => name.to_string(),
            Some(other) => format!("{other} (not {})", hunt.defect.anomaly()),
            None => String::new(),
        };
        let name = cut(&self.grounds[catch.ground].scenario().name);
        let by = match &catch.how {
            How::Plain => name,
            How::Seed(seed) => format!("{name}, seed {seed}"),
            How::Crash { at_point, point } => format!("{name}, crashed at point {at_point}: {point}"),
        };
        [class, defect, by, catch.failed.criterion.clone(), anomaly, deliveries]
    }

    fn not_run(&self, text: &mut String) {
        for defect in self.beyond {
            let why = out_of_reach(*defect).unwrap_or_default();
            let _ = writeln!(text, "\nNot hunted: {} (class {}): {why}.", defect.name(), defect.class());
        }
        for found in self.live {
            if let Body::Live { reason } = &found.scenario.body {
                let _ = writeln!(text, "\nNot run: {}, which needs real sockets: {reason}.", found.scenario.name);
            }
        }
    }

    /// In words, so that a user knows what kind of bug would get through.
    fn missed(&self, text: &mut String) {
        let missed: Vec<Defect> = self.hunts.iter().filter(|h| h.catch.is_none()).map(|h| h.defect).collect();
        if missed.is_empty() {
            return;
        }
        let classes: BTreeSet<u32> = missed.iter().map(|defect| defect.class()).collect();
        let _ = writeln!(text, "\nThese scenarios would miss that");
        for class in classes {
            let of: Vec<&str> = missed.iter().filter(|d| d.class() == class).map(|d| d.name()).collect();
            let known = self.hunts.iter().filter(|h| h.defect.class() == class && h.catch.is_some()).count();
            let partly = if known > 0 { " in some of its forms" } else { "" };
            let title = classes::title(class).unwrap_or("something goes wrong that has no name");
            let _ = writeln!(text, "  - {title}{partly} (class {class}: {})", of.join(", "));
        }
    }

    fn on_the_sound_service(&self, text: &mut String) {
        let Sound { runs, failed, inconclusive } = self.sound;
        let _ = writeln!(text, "\nThe sound service: {runs} runs, {failed} failed, {inconclusive} inconclusive.");
        for ground in self.grounds {
            let failed = ground.sound(crate::check::verdict::Validity::Fail);
            if failed > 0 {
                let name = &ground.scenario().name;
                let _ = writeln!(text, "  - it fails {failed} of its runs of {name}, which therefore prove nothing");
            }
        }
    }

    fn redundant(&self, text: &mut String) {
        let Some(Redundancy { redundant, for_a_promise, unproven, .. }) = self.redundancy else { return };
        if redundant.is_empty() {
            let _ = writeln!(text, "\nNo scenario is redundant: each shows something that no other one does.");
        } else {
            let _ = writeln!(text, "\nNothing would be lost without");
            list(text, redundant);
        }
        if !for_a_promise.is_empty() {
            let _ = writeln!(text, "\nNothing but a promise in words (`covers`) would be lost without");
            list(text, for_a_promise);
        }
        if !unproven.is_empty() {
            let _ =
                writeln!(text, "\nThese say that they cover a class, and catch none of its defects in a plain run:");
            for (file, class) in unproven {
                let _ = writeln!(text, "  - {file}: {} (class {class})", classes::title(*class).unwrap_or_default());
            }
        }
    }

    /// One object: `defects`, `not_hunted`, `sound`, `redundant`, `kept`, `for_a_promise`, `unproven`, `not_run`.
    pub(super) fn json(&self) -> String {
        let mut whole = json!({
            "defects": self.hunts.iter().map(|hunt| self.hunted(hunt)).collect::<Vec<_>>(),
            "not_hunted": self.beyond.iter().map(|defect| json!({
                "name": defect.name(), "class": defect.class(), "why": out_of_reach(*defect),
            })).collect::<Vec<_>>(),
            "sound": {
                "runs": self.sound.runs, "failed": self.sound.failed, "inconclusive": self.sound.inconclusive,
            },
            "redundant": null,
            "not_run": self.live.iter().map(|found| &found.scenario.name).collect::<Vec<_>>(),
        });
        if let Some(Redundancy { redundant, kept, for_a_promise, unproven }) = self.redundancy {
            let unproven = unproven.iter().map(|(file, class)| json!({ "scenario": file, "class": class }));
            whole["unproven"] = unproven.collect();
            let kept = kept.iter().map(|(file, alone)| json!({ "scenario": file, "alone": alone }));
            whole["redundant"] = json!(redundant);
            whole["for_a_promise"] = json!(for_a_promise);
            whole["kept"] = kept.collect();
        }
        format!("{whole:#}\n")
    }

    fn hunted(&self, hunt: &Hunt) -> Value {
        let catch = hunt.catch.as_ref();
        let how = catch.map(|catch| match &catch.how {
            How::Plain => json!("plain"),
            How::Seed(seed) => json!({ "seed": seed }),
            How::Crash { at_point, point } => json!({ "crashed_at": at_point, "point": point }),
        });
        json!({
            "name": hunt.defect.name(),
            "class": hunt.defect.class(),
            "caught": catch.is_some(),
            "by": catch.map(|catch| &self.grounds[catch.ground].scenario().name),
            "covered": catch.map(|catch| self.grounds[catch.ground].covers(hunt.defect)),
            "how": how,
            "deliveries": hunt.deliveries,
            "criterion": catch.map(|catch| &catch.failed.criterion),
            "anomaly": catch.and_then(|catch| catch.failed.anomaly).map(Anomaly::word),
            "expected_anomaly": hunt.defect.anomaly(),
        })
    }
}

fn list(text: &mut String, files: &[String]) {
    for file in files {
        let _ = writeln!(text, "  - {file}");
    }
}

fn cut(name: &str) -> String {
    if name.chars().count() <= WIDEST_NAME {
        return name.to_owned();
    }
    name.chars().take(WIDEST_NAME - 1).chain(['…']).collect()
}
