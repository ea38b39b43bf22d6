//! What the server was asked for, as values that contradict nothing.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

use crate::echo::chaos::Chaos;
use crate::echo::lines::Additions;

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What goes wrong on purpose.
    pub chaos: Chaos,
    /// What decides when.
    pub seed: u64,
    /// What is added to what is sent back.
    pub additions: Additions,
    /// A connection is closed when it got so much back; a longer datagram is not answered.
    pub max_bytes: Option<u64>,
    /// A connection on which nothing moves for so long is closed.
    pub idle_timeout: Option<Duration>,
    /// How many datagrams per second one address may send from beyond this machine.
    pub source_rate: Option<Rate>,
    /// What is told of.
    pub tells: Tells,
}

/// So many per second, once a burst is used up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// In the long run.
    pub per_second: f64,
    /// At once, after a pause.
    pub burst: f64,
}

/// What is reported, each of which costs time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tells {
    /// Connections that come and go.
    pub connections: bool,
    /// Each datagram.
    pub datagrams: bool,
    /// All that comes, byte for byte.
    pub bytes: bool,
}

impl Config {
    /// Whether a stream is sent back byte for byte as it came.
    pub fn is_plain_for_streams(&self) -> bool {
        self.additions.are_none() && self.chaos.spares_streams()
    }
}
