//! A command of the user's that is asked: an argument list without a shell, within a time and a size.
//!
//! Must not know: what it prints means.

use super::{AskError, Question};
use crate::{
    drive::{
        process::{kill_group, program_in},
        template::{Given, fill_plain},
    },
    plan::model::Instance,
};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
};

/// A command that takes longer has failed.
const WITHIN: Duration = Duration::from_secs(10);
/// What it prints beyond this makes it fail.
const PRINTS: u64 = 256 * 1024;
/// What it may say of an error, the end of it.
const SAYS: usize = 300;
/// The status with which it says that the app does not know the customer.
const UNKNOWN: i32 = 44;

/// What it printed; none when it says that the app does not know the customer.
pub(super) async fn run(
    question: &Question,
    given: &Given,
    instance: Option<&Instance>,
) -> Result<Option<String>, AskError> {
    let Question::Command { arguments, cwd, environment, without } = question else { return Ok(None) };
    let fill = |text: &String| fill_plain(text, given, instance).map_err(AskError::Lacking);
    let words = arguments.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
    let program = words.first().map_or("", String::as_str);
    let mut command = Command::new(program_in(cwd, program));
    command.args(words.iter().skip(1)).current_dir(cwd);
    for name in without {
        command.env_remove(name);
    }
    for (name, value) in environment {
        command.env(name, fill(value)?);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let failed = |what: String| AskError::Failed(format!("`{program}` {what}"));
    let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
    let number = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(WITHIN, async {
        let (printed, said) = tokio::join!(all(stdout), all(stderr));
        (printed, said, child.wait().await)
    });
    let ended = ended.await;
    // Whatever it has left running goes with it.
    if let Some(number) = number {
        kill_group(number);
    }
    let Ok((printed, said, status)) = ended else {
        return Err(failed(format!("took longer than {} s", WITHIN.as_secs())));
    };
    let status = status.map_err(|error| failed(error.to_string()))?;
    match status.code() {
        Some(0) if printed.len() as u64 > PRINTS => Err(failed(format!("printed more than {} KiB", PRINTS >> 10))),
        Some(0) => Ok(Some(String::from_utf8_lossy(&printed).into_owned())),
        Some(UNKNOWN) => Ok(None),
        _ => {
            let said = String::from_utf8_lossy(&said).trim().replace('\n', " / ");
            let from = said.ceil_char_boundary(said.len().saturating_sub(SAYS));
            let said = if said.is_empty() { String::new() } else { format!(", and said: {}", &said[from..]) };
            Err(failed(format!("ended with {status}{said}")))
        }
    }
}

/// Everything, but not endlessly much.
async fn all(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let mut limited = from.take(PRINTS + 1);
        // What was read before an error is all there is.
        drop(limited.read_to_end(&mut bytes).await);
        // The rest is let through, so that the command can end.
        drop(tokio::io::copy(&mut limited.into_inner(), &mut tokio::io::sink()).await);
    }
    bytes
}
