//! `hookdrill signature`: makes a header, or says why one fails.

use super::{Failure, args::SignatureArgs, args::SignatureCommand, exit::Exit, voice::print};
use crate::{
    drive::clock::wall_now,
    stripe::signature::{Tolerance, cases, header, sign, verify},
};
use std::{
    io::{BufRead, Read},
    path::Path,
};

/// Signs or verifies.
///
/// # Errors
/// [`Failure::Usage`] when the secret or the body is not there, or a case is not of the format.
pub fn signature(args: &SignatureArgs) -> Result<Exit, Failure> {
    match &args.what {
        SignatureCommand::Sign { body, secret_env, timestamp } => {
            let (secret, body) = (secret(secret_env)?, read(body)?);
            let timestamp = timestamp.unwrap_or_else(|| wall_now().secs());
            say(&format!("{}\n", header(timestamp, &[sign(&secret, timestamp, &body)])))?;
            Ok(Exit::Pass)
        }
        SignatureCommand::Verify { jsonl: true, .. } => verify_cases(),
        SignatureCommand::Verify { body, header, secret_env, now, .. } => {
            let secret = secret(secret_env)?;
            let body = read(body.as_deref().unwrap_or(Path::new("-")))?;
            let now = now.unwrap_or_else(|| wall_now().secs());
            match verify(header.as_deref(), &body, &[&secret], Tolerance::default(), now) {
                Ok(()) => say("accept\n").map(|()| Exit::Pass),
                Err(why) => say(&format!("refuse: {why}\n")).map(|()| Exit::Fail),
            }
        }
    }
}

fn verify_cases() -> Result<Exit, Failure> {
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| Failure::Usage(format!("standard input, line {}: {error}", number + 1)))?;
        if line.trim().is_empty() {
            continue;
        }
        let verdict = cases::judge_line(&line)
            .map_err(|error| Failure::Usage(format!("standard input, line {}: {error}", number + 1)))?;
        let json = serde_json::to_string(&verdict).map_err(|error| Failure::Broken(error.to_string()))?;
        say(&format!("{json}\n"))?;
    }
    Ok(Exit::Pass)
}

fn secret(variable: &str) -> Result<String, Failure> {
    super::environment(variable).ok_or_else(|| {
        Failure::Usage(format!("the environment has no {variable}; set it to the endpoint's whsec_… secret"))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let done = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut body).map(drop)
    } else {
        std::fs::read(path).map(|bytes| body = bytes)
    };
    done.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(body)
}

fn say(text: &str) -> Result<(), Failure> {
    print(text).map_err(|error| Failure::Broken(error.to_string()))
}
