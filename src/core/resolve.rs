//! From an address to socket addresses.

use std::net::SocketAddr;

use crate::core::address::Address;
use crate::error::{Error, Kind, Result};

/// Which IP versions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Every socket address of an internet address, in the order of preference. Blocks.
pub fn resolve(address: &Address, _family: Family) -> Result<Vec<SocketAddr>> {
    Err(Error::new(
        Kind::Unreachable,
        format!("cannot resolve {address:#}"),
    ))
}
