//! A port for a process that keeps it while it is dead.
//!
//! Must not know: what listens there.

use std::{io, net::TcpListener, ops::RangeInclusive};

/// Whoever asks for any port is handed one above these: on Linux from 32768, on macOS and Windows from 49152 on. A double, or
/// a client's end of a connection, could otherwise have the port of a process that was killed and is about to come back.
const KEPT: RangeInclusive<u16> = 15_000..=32_000;
/// Ports of those that are tried before any port will do.
const TRIES: usize = 64;

/// Listens on a port that nobody else has; it is free again for the process once this is dropped.
///
/// # Errors
/// When there is none at all.
pub(in crate::drive) fn free() -> io::Result<TcpListener> {
    let span = u32::from(KEPT.end() - KEPT.start()) + 1;
    for _ in 0..TRIES {
        let Ok(drawn) = getrandom::u32() else { break };
        let port = KEPT.start() + u16::try_from(drawn % span).unwrap_or_default();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener);
        }
    }
    TcpListener::bind("127.0.0.1:0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_have_the_same_and_none_is_one_that_a_system_hands_out() {
        let held: Vec<TcpListener> = (0..200).map(|_| free().expect("a port")).collect();
        let ports: Vec<u16> = held.iter().map(|held| held.local_addr().expect("an address").port()).collect();
        assert!(ports.iter().all(|port| KEPT.contains(port)), "{ports:?}");
    }
}
