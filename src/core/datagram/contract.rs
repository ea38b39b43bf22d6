//! What a protocol of datagrams and its driver tell each other: [`crate::core::machine`]'s idea, where
//! there are no connections.
//!
//! 1. Every datagram that arrives is handed over with [`DatagramMachine::received`], with the time, and may
//!    be answered on the spot: what the machine leaves in the buffer goes back to where it came from, and
//!    from the address that was asked.
//! 2. After a batch of them the driver calls [`DatagramMachine::next_outgoing`] until that says `None`, and
//!    then [`DatagramMachine::action`] in the same way.
//! 3. A datagram that the system does not take is [`DatagramMachine::undelivered`]. One that it does take
//!    may be lost all the same: that is what datagrams are.
//! 4. It sleeps until something arrives or [`DatagramMachine::next_deadline`], and ends when
//!    [`DatagramMachine::is_done`].

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::core::machine::{Now, Signal};
use crate::core::sanitise::sanitise;

/// Who is at the other end of a datagram.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Correspondent {
    /// UDP.
    Inet(SocketAddr),
    /// A Unix datagram socket: its path, or a NUL and its abstract name.
    Unix(Box<[u8]>),
    /// A Unix datagram socket without a name, to which nothing can be sent.
    Nobody,
    /// Whoever the socket is connected to.
    Connected,
}

impl Correspondent {
    /// Its port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Correspondent::Inet(address) => Some(address.port()),
            _ => None,
        }
    }
}

impl fmt::Display for Correspondent {
    /// As [`crate::core::address::PeerAddr`]; a name that a peer has chosen is made visible.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Correspondent::Inet(address) => write!(f, "{address}"),
            Correspondent::Unix(name) => match name.split_first() {
                Some((0, name)) => write!(f, "unixgram:@{}", sanitise(name)),
                _ => write!(f, "unixgram:{}", sanitise(name)),
            },
            Correspondent::Nobody => f.write_str("unixgram:"),
            Correspondent::Connected => f.write_str("peer"),
        }
    }
}

/// The address of ours that somebody sent to, and so expects the answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Local {
    /// The address.
    pub ip: IpAddr,
    /// The index of the interface, where the address alone does not say it; else 0.
    pub interface: u32,
}

/// The way between a socket of ours and somebody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Which of the driver's sockets, in the order in which they were given to it.
    pub socket: usize,
    /// The other end.
    pub peer: Correspondent,
    /// Our end, where the socket has several addresses and the system tells which it was.
    pub local: Option<Local>,
}

/// A datagram that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// From whom and to which address; backwards it is the way of the answer.
    pub route: Route,
    /// When the kernel took it in, in microseconds since 1970, if it was asked and knows.
    pub kernel_micros: Option<i64>,
}

/// What to do about a datagram at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// Send back what is in the buffer.
    Same,
    /// Send back something else.
    Other(Vec<u8>),
}

/// A datagram that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which way.
    pub route: Route,
    /// What.
    pub bytes: Vec<u8>,
}

/// A protocol of datagrams without I/O. The module documentation has the order of the calls.
pub trait DatagramMachine {
    /// What it may ask of the program around the driver.
    type Action;

    /// A datagram came; it may be empty.
    fn received(&mut self, now: Now, arrival: &Arrival, bytes: &mut [u8]) -> Answer;

    /// The next datagram to send.
    fn next_outgoing(&mut self, now: Now) -> Option<Outgoing>;

    /// A datagram was not sent, or a socket reports that an earlier one did not arrive.
    fn undelivered(&mut self, now: Now, socket: usize, why: io::ErrorKind);

    /// The process was asked to end.
    fn signal(&mut self, now: Now, signal: Signal);

    /// [`DatagramMachine::next_deadline`] has come.
    fn deadline(&mut self, now: Now);

    /// When to be called with [`DatagramMachine::deadline`], on the scale of [`Now::since_start`].
    fn next_deadline(&self) -> Option<Duration>;

    /// The next thing that only the program around the driver knows how to do.
    fn action(&mut self) -> Option<Self::Action>;

    /// Whether to leave the loop.
    fn is_done(&self) -> bool;
}
