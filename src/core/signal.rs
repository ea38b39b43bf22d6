//! Signals, as events of the machine.
//!
//! SIGINT and SIGTERM each time they come, so that the machine can tell the first, polite one from the
//! second; SIGHUP too, which a server may take for "reload" and a client for "the terminal is gone". On
//! Windows every console event (Ctrl-C, Ctrl-Break, a closed console, logoff, shutdown) is
//! [`Signal::Interrupt`]: the interface does not tell them apart. SIGPIPE stays ignored, as Rust's runtime
//! leaves it.
//!
//! Who started the process may have said that it shall not hear SIGHUP (nohup(1)) or SIGINT (a shell does
//! so for `command &` in a script, POSIX.1-2024 XCU 2.12), and catching them would undo that. On Linux
//! this is found out from `/proc/self/status` and respected. Elsewhere nothing safe tells, and they are
//! caught.

use crate::core::event_loop::Handle;
use crate::core::machine::Signal;
use crate::error::{Error, Kind, Result};

/// What somebody outside wants to say to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It should end or reload.
    Signal(Signal),
    /// SIGUSR1: it should tell how things stand. Not on Windows.
    Status,
}

/// Reports SIGINT, SIGTERM and SIGHUP (on Windows: console events) to the loop from now on, for as long
/// as the loop lives. Once per process on Windows.
pub fn watch<N: Send + 'static>(handle: Handle<N>) -> Result<()> {
    tell(move |signal| handle.signal(signal).is_ok())
}

/// Calls `listener` with each of these signals from now on, on a thread of its own, until it says `false`. Once per
/// process on Windows.
pub fn tell(mut listener: impl FnMut(Signal) -> bool + Send + 'static) -> Result<()> {
    let deliver = move |word| match word {
        Word::Signal(signal) => listener(signal),
        Word::Status => true,
    };
    system::watch(false, deliver).map_err(cannot)
}

/// As [`tell`], and with SIGUSR1.
pub fn watch_with_status(deliver: impl FnMut(Word) -> bool + Send + 'static) -> Result<()> {
    system::watch(true, deliver).map_err(cannot)
}

/// A write beyond the limit on the size of files (`ulimit -f`) fails from now on like one on a full disk, instead
/// of ending the process (SIGXFSZ, setrlimit(2)).
pub fn survive_file_limit() -> Result<()> {
    system::survive_file_limit().map_err(cannot)
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Other, "cannot watch signals").because(error)
}

#[cfg(unix)]
mod system {
    use std::ffi::c_int;
    use std::io;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
    use signal_hook::iterator::Signals;

    use super::Word;
    use crate::core::machine::Signal;

    pub(super) fn watch(
        status: bool,
        mut deliver: impl FnMut(Word) -> bool + Send + 'static,
    ) -> io::Result<()> {
        let ignored = ignored_at_start();
        let wanted = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            // Nobody starts a process deaf to SIGTERM on purpose.
            .filter(|&signal| signal == SIGTERM || !is_in(ignored, signal))
            .chain(status.then_some(SIGUSR1));
        let mut signals = Signals::new(wanted)?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for number in signals.forever() {
                    let word = match number {
                        SIGUSR1 => Word::Status,
                        SIGINT => Word::Signal(Signal::Interrupt),
                        SIGHUP => Word::Signal(Signal::HangUp),
                        _ => Word::Signal(Signal::Terminate),
                    };
                    if !deliver(word) {
                        break;
                    }
                }
            })?;
        Ok(())
    }

    /// Caught and not ignored: programs that we start shall not inherit it.
    pub(super) fn survive_file_limit() -> io::Result<()> {
        let caught = std::sync::Arc::default();
        signal_hook::flag::register(SIGXFSZ, caught).map(drop)
    }

    /// The signals that were ignored when the process began, if that can be known: one bit each.
    fn ignored_at_start() -> u64 {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            ignored_in(&status)
        } else {
            0
        }
    }

    /// The line `SigIgn` of proc_pid_status(5): a hexadecimal mask, signal 1 in the lowest bit.
    fn ignored_in(status: &str) -> u64 {
        status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0)
    }

    fn is_in(mask: u64, signal: c_int) -> bool {
        mask.checked_shr(signal.unsigned_abs().saturating_sub(1))
            .is_some_and(|rest| rest & 1 == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_the_parent_ignored_is_read_from_the_mask() {
            let status = "Name:\tx\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\n";
            let mask = ignored_in(status);
            assert!(is_in(mask, SIGHUP));
            assert!(is_in(mask, 13), "SIGPIPE, as Rust does");
            assert!(!is_in(mask, SIGINT));
            assert!(!is_in(mask, SIGTERM));
            for nonsense in ["", "SigIgn:\n", "SigIgn:\tzzz\n"] {
                assert_eq!(ignored_in(nonsense), 0);
            }
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn the_system_has_such_a_line() {
            // Rust's runtime ignores SIGPIPE before main.
            assert!(is_in(ignored_at_start(), 13));
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::Word;
    use crate::core::machine::Signal;

    /// There is no such signal.
    pub(super) fn survive_file_limit() -> std::io::Result<()> {
        Ok(())
    }

    pub(super) fn watch(
        _status: bool,
        mut deliver: impl FnMut(Word) -> bool + Send + 'static,
    ) -> Result<(), ctrlc::Error> {
        ctrlc::set_handler(move || {
            // Who listened may have ended before the process.
            let _ = deliver(Word::Signal(Signal::Interrupt));
        })
    }
}
