//! The integration tests, one binary.

mod apps;
mod check;
mod cli;
mod contract;
mod docs;
mod doctor;
mod drive;
mod fixtures;
mod gates;
mod house;
pub(crate) mod mock;
mod pages;
mod scenario;
pub(crate) mod service;
mod shipped;
mod simulate;
pub(crate) mod stripe;

/// A test that cannot run here says so loudly; where everything must be there (`HOOKDRILL_NO_SKIP=1`, as in CI) it fails,
/// unless what is missing is the material beside the repository.
fn skip(test: &str, why: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let strict = std::env::var("HOOKDRILL_NO_SKIP").is_ok_and(|v| v == "1");
    assert!(!strict, "SKIPPED, though nothing may be skipped here: {test}: {why}");
    loudly(&format!("SKIPPED: {test}: {why}"));
}

/// Past the test runner, which hides what a passing test prints with the macros.
fn loudly(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A file or folder of the material beside the repository, or `None` with a loud line.
fn shared(path: &str, test: &str) -> Option<std::path::PathBuf> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if here.exists() {
        return Some(here);
    }
    loudly(&format!("SKIPPED: {test}: ../shared/{path} is not here"));
    None
}
