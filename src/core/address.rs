//! (being written)

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The address at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// TCP or UDP. An IPv4 address that came through an IPv6 socket is stored as IPv4.
    Inet(SocketAddr),
    /// A Unix socket; the path or abstract name if the peer has bound one.
    Unix(Option<String>),
}

impl PeerAddr {
    /// An address as the kernel gives it.
    pub fn from_socket_addr(address: SocketAddr) -> Self {
        PeerAddr::Inet(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// The IP address, for limits and rules per address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            PeerAddr::Inet(address) => Some(address.ip()),
            PeerAddr::Unix(_) => None,
        }
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddr::Inet(address) => write!(f, "{address}"),
            PeerAddr::Unix(Some(name)) => write!(f, "unix:{name}"),
            PeerAddr::Unix(None) => f.write_str("unix:"),
        }
    }
}
