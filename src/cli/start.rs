//! `hookdrill init`: a first scenario with its recording, and a project file. Overwrites nothing.

use super::{Failure, args::InitArgs, exit::Exit, voice::print};
use crate::scenario::schema;
use std::path::{Path, PathBuf};

macro_rules! recording {
    ($($file:literal),+ $(,)?) => {
        /// The recording that the first scenario names, file by file.
        const RECORDING: &[(&str, &str)] =
            &[$(($file, include_str!(concat!("../../fixtures/checkout-subscription/", $file)))),+];
    };
}

recording!(
    "01-charge.succeeded.json",
    "02-payment_method.attached.json",
    "03-customer.created.json",
    "04-customer.updated.json",
    "05-checkout.session.completed.json",
    "06-customer.subscription.created.json",
    "07-payment_intent.created.json",
    "08-payment_intent.succeeded.json",
    "09-invoice.created.json",
    "10-invoice.finalized.json",
    "11-invoice.paid.json",
    "12-invoice.payment_succeeded.json",
    "13-invoice_payment.paid.json",
    "story.toml",
);

const PROJECT: &str = include_str!("starter/hookdrill.toml");

const SCENARIO: &str = include_str!("starter/first.toml");

/// Writes the files, all or none.
///
/// # Errors
/// [`Failure::Usage`] with every file that is there already; [`Failure::Broken`] when one cannot be written.
pub fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let files = files(&args.folder).map_err(|error| Failure::Broken(error.to_string()))?;
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.symlink_metadata().is_ok())
        .map(|(path, _)| format!("{} exists already", path.display()))
        .collect();
    if !there.is_empty() {
        let what = there.join("\n");
        return Err(Failure::Usage(format!("{what}\nnothing was written; name a folder that has none of these")));
    }
    for (path, text) in &files {
        write(path, text).map_err(|error| Failure::Broken(format!("cannot write {}: {error}", path.display())))?;
    }
    print(&next(&args.folder)).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, serde_json::Error> {
    let schema = serde_json::to_string_pretty(&schema::scenario())? + "\n";
    let mut files = vec![
        (folder.join("hookdrill.toml"), PROJECT.to_owned()),
        (folder.join("scenarios/first.toml"), SCENARIO.to_owned()),
        (folder.join("scenarios/schema.json"), schema),
    ];
    let recording = folder.join("fixtures/checkout-subscription");
    files.extend(RECORDING.iter().map(|(name, text)| (recording.join(name), (*text).to_owned())));
    Ok(files)
}

/// A file that somebody makes meanwhile is not overwritten either.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::options().write(true).create_new(true).open(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())
}

fn next(folder: &Path) -> String {
    let cd = if folder == Path::new(".") { String::new() } else { format!("  cd {}\n", folder.display()) };
    format!(
        "written: hookdrill.toml, scenarios/first.toml with its schema, fixtures/checkout-subscription\n\nnext:\n{cd}\
         \x20 hookdrill plan scenarios/first.toml         what would be sent\n\
         \x20 hookdrill run                               against the embedded reference service\n\
         \x20 hookdrill run --target hookdrill.toml       against your app, once hookdrill.toml says where it is\n"
    )
}
