//! A server that wants another certificate than ours, or one at all, and says so after the handshake.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io::ErrorKind;

use crate::error::{Error, Kind};

/// The error of a connection that says it: in TLS 1.3 the handshake is done for the client before it is for the server.
pub const NOT_LET_IN: ErrorKind = ErrorKind::PermissionDenied;

/// The same as an error of the command.
pub fn not_let_in(peer: &str) -> Error {
    Error::new(Kind::Refused, format!("not let in by {peer}"))
        .because("it wants a certificate, or does not take ours")
        .hint("--client-cert and --client-key show one")
}
