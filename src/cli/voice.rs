//! What `run` says while it runs. Progress goes to stderr with `--json`, to stdout otherwise.
//!
//! Must not know: how verdicts come about.

use super::{
    args::{Annotations, RunArgs},
    find::Found,
};
use crate::{
    drive::project::Project,
    report::{self, RunReport, ScenarioReport, annotations, terminal::Style},
    scenario::model::Scenario,
};
use std::{
    io::{IsTerminal, Write},
    path::Path,
};

/// Speaks as the arguments ask.
pub(crate) struct Voice {
    json: bool,
    quiet: bool,
    colour: bool,
    live_line: bool,
    github: bool,
}

impl Voice {
    pub(crate) fn new(args: &RunArgs) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let github = args.annotations.map_or_else(on_github, |system| system == Annotations::Github);
        let colour = terminal && super::environment("NO_COLOR").is_none() && !args.json;
        Self { json: args.json, quiet: args.quiet, colour, live_line: terminal && !args.json && !args.quiet, github }
    }

    pub(crate) fn opening(&self, found: &[Found], project: Option<&Project>) {
        let target = project.map_or("the embedded reference service", |p| p.target.name.as_str());
        let scenarios = if found.len() == 1 { "scenario" } else { "scenarios" };
        self.progress(&format!("{} {scenarios} against {target}\n\n", found.len()));
    }

    pub(crate) fn begin(&self, scenario: &Scenario) {
        if self.live_line {
            self.progress(&format!("  …  {}\r", scenario.name));
        }
    }

    pub(crate) fn end(&self, report: &ScenarioReport) {
        let clear = if self.live_line { "\u{1b}[2K" } else { "" };
        self.progress(&format!("{clear}{}\n", report::terminal::line(report)));
    }

    pub(crate) fn closing(&self, whole: &RunReport, reports: &Path) -> std::io::Result<()> {
        self.report(whole, reports)?;
        let marks = if self.github { annotations::github(whole) } else { String::new() };
        // The runner reads both streams; with --json the one holds JSON alone.
        if self.json { write_to(&mut std::io::stderr(), &marks) } else { print(&marks) }
    }

    fn report(&self, whole: &RunReport, reports: &Path) -> std::io::Result<()> {
        if self.json {
            return print(&report::json::render(whole));
        }
        let mut text = String::from("\n");
        let style = Style { colour: self.colour, ..Style::default() };
        if self.quiet && report::exit_code(whole) == 0 {
            return print(&self.said(format!("{}\n", report::terminal::summary(whole, style))));
        }
        text.push_str(&report::terminal::table(whole, style));
        text.push_str(&format!("\nReports: {} (junit.xml, summary.json, summary.md)\n", reports.display()));
        print(&self.said(text))
    }

    /// What an app has answered is part of the text, and must not give a CI system commands.
    fn said(&self, text: String) -> String {
        if self.github { annotations::harmless(&text) } else { text }
    }

    pub(crate) fn progress(&self, text: &str) {
        if self.quiet {
            return;
        }
        let text = self.said(text.to_owned());
        // Progress that nobody reads is no reason to stop.
        drop(if self.json { write_to(&mut std::io::stderr(), &text) } else { print(&text) });
    }
}

/// Whether GitHub Actions runs this.
pub(crate) fn on_github() -> bool {
    super::environment("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Writes to standard output; a reader that went away is not an error of the run.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    write_to(&mut std::io::stdout(), text)
}

fn write_to(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
