//! `hookdrill lighthouse`: measures pages with Lighthouse, or reads its reports, and gates them.
//!
//! Must not know: how points come about.

use super::{Failure, args::gates::LighthouseArgs, environment, exit::Exit, voice::print};
use crate::{
    doctor::seen::is_loopback,
    lighthouse::{CATEGORIES, KNOWN, Page, PageReport, Standing, parse},
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

/// Variable that names the program.
const PROGRAM: &str = "HOOKDRILL_LIGHTHOUSE";

/// Measures or reads, and prints.
///
/// # Errors
/// [`Failure::Usage`] for what was typed, [`Failure::Broken`] when Lighthouse cannot be run.
pub fn lighthouse(args: &LighthouseArgs) -> Result<Exit, Failure> {
    let categories = categories(&args.category)?;
    let pages = if args.from.is_empty() { measured(args, &categories)? } else { read(&args.from, &categories)? };
    let text = if args.json { json(&pages, args.min)? } else { words(&pages, args.min) };
    print(&text).map_err(|error| Failure::Broken(error.to_string()))?;
    let standing = |page: &Page| page.standing(args.min);
    Ok(match () {
        () if pages.iter().any(|page| standing(page) == Standing::TooLittle) => Exit::Fail,
        () if pages.iter().any(|page| standing(page) == Standing::Unknown) => Exit::Inconclusive,
        () => Exit::Pass,
    })
}

fn categories(named: &[String]) -> Result<Vec<String>, Failure> {
    if let Some(wrong) = named.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::Usage(format!("there is no category `{wrong}`; choose among {}", KNOWN.join(", "))));
    }
    Ok(if named.is_empty() { CATEGORIES.map(str::to_owned).to_vec() } else { named.to_vec() })
}

fn read(files: &[PathBuf], categories: &[String]) -> Result<Vec<Page>, Failure> {
    let mut by_page: BTreeMap<String, Vec<PageReport>> = BTreeMap::new();
    for path in files {
        let wrong = |what: String| Failure::Usage(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let report = parse(&text).map_err(|error| wrong(error.to_string()))?;
        by_page.entry(report.url.clone()).or_default().push(report);
    }
    Ok(by_page.values().filter_map(|reports| Page::of(reports, categories)).collect())
}

fn measured(args: &LighthouseArgs, categories: &[String]) -> Result<Vec<Page>, Failure> {
    for url in &args.urls {
        let parsed: http::Uri = url.parse().map_err(|_| Failure::Usage(format!("`{url}` is not a URL")))?;
        let host = parsed.host().unwrap_or_default();
        if !matches!(parsed.scheme_str(), Some("http" | "https")) || host.is_empty() {
            return Err(Failure::Usage(format!("`{url}` is not an http or https URL; write the whole of it")));
        }
        if !is_loopback(host) && !args.allow_host.iter().any(|allowed| allowed == host) {
            let what = format!("`{host}` is not this machine; if it may be measured, add --allow-host {host}");
            return Err(Failure::Usage(what));
        }
    }
    let program = Program::find(args.lighthouse.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Broken(format!("cannot start: {error}")))?;
    let each = args.urls.iter().map(|url| {
        let measuring = program.measure(url, categories, args.runs, args.timeout);
        runtime.block_on(measuring).map_err(Failure::Broken)
    });
    each.collect()
}

/// How Lighthouse is called.
#[derive(Clone, Debug)]
pub(super) struct Program {
    words: Vec<String>,
}

impl Program {
    /// As it was typed, as the environment says, or as it is installed.
    pub(super) fn find(typed: Option<&Path>) -> Result<Self, Failure> {
        let named = typed.map(|path| path.display().to_string()).or_else(|| environment(PROGRAM));
        if let Some(named) = named {
            let script = [".js", ".mjs", ".cjs"].iter().any(|end| named.ends_with(end));
            if !Path::new(&named).exists() {
                return Err(Failure::Usage(format!("there is no Lighthouse at {named}")));
            }
            let words = if script { vec!["node".to_owned(), named] } else { vec![named] };
            return Ok(Self { words });
        }
        let path = environment("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).map(|folder| folder.join("lighthouse")).find(|file| file.is_file());
        let words = match found {
            Some(file) => vec![file.display().to_string()],
            // Only one that is installed: nothing is fetched behind anybody's back.
            None => ["npx", "--no-install", "lighthouse"].map(str::to_owned).to_vec(),
        };
        Ok(Self { words })
    }

    /// Measures a page so often, one after the other.
    pub(super) async fn measure(
        &self,
        url: &str,
        categories: &[String],
        runs: u32,
        timeout: Duration,
    ) -> Result<Page, String> {
        let mut reports = Vec::new();
        for _ in 0..runs {
            reports.push(self.once(url, categories, timeout).await?);
        }
        Page::of(&reports, categories).ok_or_else(|| "nothing was measured".to_owned())
    }

    async fn once(&self, url: &str, categories: &[String], timeout: Duration) -> Result<PageReport, String> {
        let scratch = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let output = scratch.path().join("report.json");
        let mut command = tokio::process::Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .args([url, "--quiet", "--output=json"])
            .arg(format!("--only-categories={}", categories.join(",")))
            .arg(format!("--output-path={}", output.display()))
            .arg(format!("--chrome-flags={} --user-data-dir={}", chrome(), scratch.path().join("profile").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let how = self.words.join(" ");
        let install = "install it with `npm install -g lighthouse`, or name it with --lighthouse";
        let started = command.spawn().map_err(|error| format!("cannot run `{how}`: {error}; {install}"))?;
        let done = tokio::time::timeout(timeout, started.wait_with_output()).await;
        let done =
            done.map_err(|_| format!("`{how} {url}` took longer than {} s; give --timeout more", timeout.as_secs()))?;
        let done = done.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&done.stderr).trim().chars().take(600).collect::<String>();
        let text = std::fs::read_to_string(&output)
            .map_err(|_| format!("`{how} {url}` wrote no report ({install}): {said}"))?;
        parse(&text).map_err(|error| format!("the report of {url}: {error}"))
    }
}

/// Nothing that Chromium does for itself may disturb a measurement. As root it refuses to start with its sandbox.
fn chrome() -> String {
    let quiet = "--headless=new --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync";
    #[cfg(unix)]
    if rustix::process::getuid().is_root() {
        return format!("{quiet} --no-sandbox");
    }
    quiet.to_owned()
}

fn json(pages: &[Page], least: u8) -> Result<String, Failure> {
    let pages: Vec<serde_json::Value> = pages
        .iter()
        .map(|page| {
            serde_json::json!({
                "url": page.url, "runs": page.runs, "scores": page.scores, "error": page.error,
                "passed": page.standing(least) == Standing::Enough,
            })
        })
        .collect();
    let whole = serde_json::json!({"version": 1, "least": least, "pages": pages});
    serde_json::to_string_pretty(&whole).map(|text| text + "\n").map_err(|error| Failure::Broken(error.to_string()))
}

fn words(pages: &[Page], least: u8) -> String {
    let mut out = String::new();
    for page in pages {
        let word = match page.standing(least) {
            Standing::Enough => "PASSED",
            Standing::TooLittle => "FAILED",
            Standing::Unknown => "INCONCLUSIVE",
        };
        let runs = if page.runs == 1 { "1 run".to_owned() } else { format!("the middle of {} runs", page.runs) };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{word:<12} {} — {} ({runs}, at least {least})", page.url, page.words());
        if let Some(error) = &page.error {
            let _ = writeln!(out, "             {}", error.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    out
}
