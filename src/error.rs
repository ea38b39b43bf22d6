//! What went wrong, in one type, and the exit status that it becomes.
//!
//! An [`Error`] is printed in one place (`main.rs`, through `ui`), as
//! `sockkit: CONTEXT: CAUSE` with an optional `hint:` line. Its [`Kind`] alone decides the exit
//! status, so that a script can act on what happened without reading the text.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::fmt;

/// What kind of failure it was. Each kind is one exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any failure without a status of its own: a file, the network in mid-flight. Status 1.
    Other,
    /// The command line cannot be understood or contradicts itself. Status 2.
    Usage,
    /// An address cannot be listened on, resolved or connected to. Status 3.
    Unreachable,
    /// A time limit ran out: connect, idle, stalled, `--timeout`. Status 4.
    TimedOut,
    /// Not let in: wrong code, password or certificate, banned, or over a limit. Status 5.
    Refused,
    /// The peer violated the protocol, or data arrived damaged. Status 6.
    Integrity,
    /// Some of several things were done and some were not. Status 7.
    Partial,
    /// Ended by a signal after a clean stop. Status 128 + the signal's number.
    Signal(u8),
}

impl Kind {
    /// The process exit status of this kind, as the manual page documents it.
    pub const fn status(self) -> u8 {
        match self {
            Kind::Other => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
            Kind::TimedOut => 4,
            Kind::Refused => 5,
            Kind::Integrity => 6,
            Kind::Partial => 7,
            Kind::Signal(number) => 128 + number,
        }
    }
}

/// A failure with what was being attempted, why it failed, and what may help.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    context: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of anything that can end a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure described by `context` alone: lower case, no final period.
    pub fn new(kind: Kind, context: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            context: context.into(),
            hint: None,
            source: None,
        }
    }

    /// Adds the cause, printed behind the context and a colon.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds advice, printed on a line of its own behind `hint:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The kind, which decides the exit status.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The cause, if there is one.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    /// The advice, if there is any.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    /// The context and every cause below it, joined by colons, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        let mut cause = self.source.as_deref().map(|e| e as &dyn std::error::Error);
        while let Some(error) = cause {
            match error.downcast_ref::<std::io::Error>() {
                Some(io) => write!(f, ": {}", IoReason(io))?,
                None => write!(f, ": {error}")?,
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An I/O error in our voice: lower case and without std's `(os error 111)`.
pub struct IoReason<'a>(pub &'a std::io::Error);

impl fmt::Display for IoReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = known(self.0) {
            return f.write_str(text);
        }
        let text = self.0.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let text = text.trim_end_matches('.');
        let mut chars = text.chars();
        match (chars.next(), chars.clone().next()) {
            // "Connection refused" becomes "connection refused"; "I/O error" stays.
            (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
                write!(f, "{}{}", first.to_lowercase(), chars.as_str())
            }
            _ => f.write_str(text),
        }
    }
}

/// What Windows says in sentences and in the user's language, as the other systems say it: for who reads the messages
/// of several, and for scripts.
fn known(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind as Io;
    if cfg!(not(windows)) {
        return None;
    }
    error.raw_os_error()?;
    Some(match error.kind() {
        Io::NotFound => "no such file or directory",
        Io::PermissionDenied => "permission denied",
        Io::AlreadyExists => "file exists",
        Io::ConnectionRefused => "connection refused",
        Io::ConnectionReset => "connection reset by peer",
        Io::ConnectionAborted => "software caused connection abort",
        Io::BrokenPipe => "broken pipe",
        Io::TimedOut => "connection timed out",
        Io::AddrInUse => "address already in use",
        Io::AddrNotAvailable => "cannot assign requested address",
        Io::HostUnreachable => "no route to host",
        Io::NetworkUnreachable => "network is unreachable",
        Io::StorageFull => "no space left on device",
        Io::ReadOnlyFilesystem => "read-only file system",
        Io::DirectoryNotEmpty => "directory not empty",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_reads_as_context_then_cause_in_lower_case() {
        let refused = io::Error::from_raw_os_error(if cfg!(windows) { 10061 } else { 111 });
        let error = Error::new(Kind::Unreachable, "cannot connect to 10.0.0.9:8888")
            .because(refused)
            .hint("is the server running?");
        let text = error.to_string();
        assert!(
            text.starts_with("cannot connect to 10.0.0.9:8888: "),
            "{text}"
        );
        assert!(!text.contains("os error"), "{text}");
        if cfg!(target_os = "linux") {
            assert_eq!(text, "cannot connect to 10.0.0.9:8888: connection refused");
        }
        assert_eq!(error.advice(), Some("is the server running?"));
    }

    #[test]
    fn every_kind_has_the_documented_status() {
        let table = [
            (Kind::Other, 1),
            (Kind::Usage, 2),
            (Kind::Unreachable, 3),
            (Kind::TimedOut, 4),
            (Kind::Refused, 5),
            (Kind::Integrity, 6),
            (Kind::Partial, 7),
            (Kind::Signal(2), 130),
            (Kind::Signal(15), 143),
        ];
        for (kind, status) in table {
            assert_eq!(kind.status(), status, "{kind:?}");
        }
    }
}
