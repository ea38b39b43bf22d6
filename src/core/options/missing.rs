//! Why a socket has no value for an option.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io;

/// Why a socket has no value for an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// This system or its kernel does not know it.
    Unsupported,
    /// It means nothing for this socket, or not in this state.
    NotApplicable,
    /// This user may not read it.
    Denied,
}

impl Missing {
    /// As `--json` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Missing::Unsupported => "unsupported",
            Missing::NotApplicable => "not_applicable",
            Missing::Denied => "denied",
        }
    }

    /// What an error of the system means for one who asks.
    pub fn from_error(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Missing::Denied,
            io::ErrorKind::Unsupported => Missing::Unsupported,
            _ if is_unknown_option(error) => Missing::Unsupported,
            _ => Missing::NotApplicable,
        }
    }
}

#[cfg(unix)]
fn is_unknown_option(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error
        .raw_os_error()
        .map(Errno::from_raw_os_error)
        .is_some_and(|errno| [Errno::NOPROTOOPT, Errno::OPNOTSUPP, Errno::NOSYS].contains(&errno))
}

/// WSAENOPROTOOPT and WSAEOPNOTSUPP.
#[cfg(not(unix))]
fn is_unknown_option(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(10042 | 10045))
}
