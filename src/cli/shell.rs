//! `hookdrill completions` and `hookdrill man`: what a shell and a reader of manuals want to know of the command line.

use super::{
    Failure,
    args::{Args, CompletionsArgs},
    exit::Exit,
    voice::print,
};
use clap::CommandFactory;

/// Prints completions for a shell.
///
/// # Errors
/// [`Failure::Broken`] when they cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "hookdrill", &mut text);
    printed(&text)
}

/// Prints the manual: a page for hookdrill and a page for each command, one after the other.
///
/// # Errors
/// [`Failure::Broken`] when it cannot be written.
pub fn man() -> Result<Exit, Failure> {
    let mut command = Args::command().disable_help_subcommand(true);
    // Names of commands with what stands before them, as they are typed.
    command.build();
    let mut text = Vec::new();
    pages(&command, &mut text).map_err(|error| Failure::Broken(error.to_string()))?;
    printed(&text)
}

fn pages(command: &clap::Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(text)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| pages(below, text))
}

fn printed(text: &[u8]) -> Result<Exit, Failure> {
    print(&String::from_utf8_lossy(text)).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}
