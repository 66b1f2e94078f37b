//! Signals to a process and to its whole group, which is all that it started unless that has left the group.
//!
//! Must not know: what the processes are.

/// What a process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To end as soon as it has finished what it has begun.
    Terminate,
    /// Nothing: it is ended.
    Kill,
}

/// Tells one process.
#[cfg(unix)]
pub(super) fn tell(number: u32, told: Told) {
    if let Some(pid) = pid(number) {
        // An error means that it is gone already, which is what is wanted.
        let _ = rustix::process::kill_process(pid, signal(told));
    }
}

/// Tells every process of the group of that number.
#[cfg(unix)]
pub(super) fn tell_group(number: u32, told: Told) {
    if let Some(pid) = pid(number) {
        // An error means that they are gone already, which is what is wanted.
        let _ = rustix::process::kill_process_group(pid, signal(told));
    }
}

/// Whether any process of the group lives. One that has ended and that nobody has asked about does not.
#[cfg(unix)]
pub(super) fn group_lives(number: u32) -> bool {
    let there = pid(number).is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok());
    there && !only_ended(number)
}

/// Where nobody collects orphans (a container without init), the ended ones of a group stay visible.
#[cfg(target_os = "linux")]
fn only_ended(group: u32) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else { return false };
    let stats = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    // After the name in parentheses: state, parent, group.
    let of_group = stats.filter_map(|stat| {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let (state, pgrp) = (words.next()?.to_owned(), words.nth(1)?.parse::<u32>().ok()?);
        (pgrp == group).then_some(state)
    });
    of_group.into_iter().all(|state| state == "Z" || state == "X")
}

#[cfg(all(unix, not(target_os = "linux")))]
fn only_ended(_group: u32) -> bool {
    false
}

#[cfg(unix)]
fn pid(number: u32) -> Option<rustix::process::Pid> {
    i32::try_from(number).ok().and_then(rustix::process::Pid::from_raw)
}

#[cfg(unix)]
fn signal(told: Told) -> rustix::process::Signal {
    match told {
        Told::Terminate => rustix::process::Signal::TERM,
        Told::Kill => rustix::process::Signal::KILL,
    }
}

// Elsewhere a child is ended through its handle; commands with processes of their own are for Unix.

#[cfg(not(unix))]
pub(super) fn tell(_number: u32, _told: Told) {}

#[cfg(not(unix))]
pub(super) fn tell_group(_number: u32, _told: Told) {}

#[cfg(not(unix))]
pub(super) fn group_lives(_number: u32) -> bool {
    false
}
