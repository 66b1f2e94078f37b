//! `hookdrill shim`: the file that sends an app's calls to hard-coded API hosts to doubles.
//!
//! Must not know: which hosts, which doubles: the environment variable says so where the app runs.

use super::{
    Failure,
    args::mocks::{ShimArgs, ShimOf},
    exit::Exit,
    voice::print,
};
use std::path::{Path, PathBuf};

/// Name and text of a shim.
const fn file(of: ShimOf) -> (&'static str, &'static str) {
    match of {
        ShimOf::Node => ("hookdrill-shim.cjs", include_str!("shim/hookdrill-shim.cjs")),
        // Python takes it up by this name, from any folder of PYTHONPATH.
        ShimOf::Python => ("sitecustomize.py", include_str!("shim/sitecustomize.py")),
    }
}

/// Writes a shim into a folder, which is made; gives the file.
pub(super) fn put(of: ShimOf, folder: &Path) -> std::io::Result<PathBuf> {
    let (name, text) = file(of);
    let path = folder.join(name);
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Prints a shim, or writes it and prints what the app's environment needs.
///
/// # Errors
/// [`Failure::Usage`] when another file of that name is there, [`Failure::Broken`] when it cannot be written.
pub fn shim(args: &ShimArgs) -> Result<Exit, Failure> {
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    let (name, text) = file(args.of);
    let Some(folder) = &args.to else {
        print(text).map_err(broken)?;
        return Ok(Exit::Pass);
    };
    let unwritten =
        |error: std::io::Error| Failure::Broken(format!("cannot write {}: {error}", folder.join(name).display()));
    let path = folder.join(name);
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if !there.is_empty() && !there.contains("HOOKDRILL_HOSTS") {
        let what = format!("{} is there already and is not hookdrill's; choose another folder", path.display());
        return Err(Failure::Usage(what));
    }
    put(args.of, folder).map_err(unwritten)?;
    let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
    let variable = match args.of {
        ShimOf::Node => format!("NODE_OPTIONS=--require={}", shown.join(name).display()),
        ShimOf::Python => format!("PYTHONPATH={}", shown.display()),
    };
    let hosts = "HOOKDRILL_HOSTS=api.hubapi.com=http://127.0.0.1:4101,*.zendesk.com=http://127.0.0.1:4102";
    print(&format!("{variable}\n{hosts}\n")).map_err(broken)?;
    Ok(Exit::Pass)
}
