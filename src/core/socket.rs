//! Listening sockets with the server's profile.

use crate::core::address::Address;
use crate::core::event_loop::ListenerSocket;
use crate::core::resolve::Family;
use crate::error::{Error, Kind, Result};

/// What the kernel's buffers are set to; `None` leaves them to its autotuning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Buffers {
    /// SO_SNDBUF in bytes.
    pub send: Option<usize>,
    /// SO_RCVBUF in bytes.
    pub recv: Option<usize>,
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// IP versions.
    pub family: Family,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// Permissions of a Unix socket's file.
    pub unix_mode: u32,
    /// The accepted sockets' buffers.
    pub buffers: Buffers,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    /// The socket, non-blocking.
    pub socket: ListenerSocket,
    /// Where: with the real port.
    pub address: Address,
    /// Removes the file of a Unix socket when dropped.
    pub file: Option<SocketFile>,
}

/// The file of a Unix socket of ours.
#[derive(Debug)]
pub struct SocketFile;

/// Listens on every socket address that `address` stands for.
pub fn listen(address: &Address, _options: &ListenOptions) -> Result<Vec<Listening>> {
    Err(Error::new(
        Kind::Unreachable,
        format!("cannot listen on {address:#}"),
    ))
}
