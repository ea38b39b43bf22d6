//! What the server counts. Each loop has a tally of its own that it alone writes, so that counting costs it
//! a store; who wants to know adds them up.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

/// A number that one thread counts up and any may read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Only for the thread that the tally belongs to.
    pub fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counts of one loop.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections that were let in.
    pub opened: Count,
    /// Of them, those that have ended.
    pub closed: Count,
    /// Connections that were turned away.
    pub refused: Count,
    /// Bytes of connections that came.
    pub bytes_received: Count,
    /// Bytes of connections that went back.
    pub bytes_sent: Count,
    /// Datagrams that came.
    pub datagrams_received: Count,
    /// Datagrams that were sent.
    pub datagrams_sent: Count,
    /// Datagrams that were not answered, for the safety of others or because there was no way back.
    pub datagrams_unanswered: Count,
    /// Answers that the system did not take.
    pub datagrams_undelivered: Count,
}

/// The counts of all loops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// How long the server has been running.
    pub seconds: f64,
    /// Connections that were let in, ever.
    pub connections: u64,
    /// Connections that are open.
    pub open: u64,
    /// Connections that were turned away.
    pub refused: u64,
    /// Bytes of connections that came.
    pub bytes_received: u64,
    /// Bytes of connections that went back.
    pub bytes_sent: u64,
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Datagrams that were sent.
    pub datagrams_sent: u64,
    /// Datagrams that were not answered.
    pub datagrams_unanswered: u64,
    /// Answers that the system did not take.
    pub datagrams_undelivered: u64,
}

impl Statistics {
    /// The sum of all tallies.
    pub fn of<'a>(tallies: impl IntoIterator<Item = &'a Tally>, running: Duration) -> Self {
        let mut sum = Self {
            // Milliseconds are as much as anybody wants to read.
            seconds: running.as_millis() as f64 / 1000.0,
            ..Self::default()
        };
        for tally in tallies {
            // Closed first: a connection that comes in between must not make the difference negative.
            let closed = tally.closed.get();
            let opened = tally.opened.get();
            sum.connections += opened;
            sum.open += opened.saturating_sub(closed);
            sum.refused += tally.refused.get();
            sum.bytes_received += tally.bytes_received.get();
            sum.bytes_sent += tally.bytes_sent.get();
            sum.datagrams_received += tally.datagrams_received.get();
            sum.datagrams_sent += tally.datagrams_sent.get();
            sum.datagrams_unanswered += tally.datagrams_unanswered.get();
            sum.datagrams_undelivered += tally.datagrams_undelivered.get();
        }
        sum
    }

    /// As a line for people.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.connections + self.refused > 0 {
            parts.push(format!(
                "{} connections ({} open, {} refused), {} bytes in, {} out",
                self.connections, self.open, self.refused, self.bytes_received, self.bytes_sent
            ));
        }
        if self.datagrams_received > 0 {
            parts.push(format!(
                "{} datagrams in, {} out ({} not answered, {} not delivered)",
                self.datagrams_received,
                self.datagrams_sent,
                self.datagrams_unanswered,
                self.datagrams_undelivered
            ));
        }
        if parts.is_empty() {
            parts.push("nothing came".into());
        }
        format!("after {:.1} s: {}", self.seconds, parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let tallies = [Tally::default(), Tally::default()];
        tallies[0].opened.add(3);
        tallies[0].closed.add(1);
        tallies[1].opened.add(2);
        tallies[1].bytes_sent.add(10);
        let sum = Statistics::of(&tallies, Duration::from_millis(1500));
        assert_eq!((sum.connections, sum.open, sum.bytes_sent), (5, 4, 10));
        assert_eq!(
            sum.text(),
            "after 1.5 s: 5 connections (4 open, 0 refused), 0 bytes in, 10 out"
        );
        let none = Statistics::of([], Duration::ZERO);
        assert_eq!(none.text(), "after 0.0 s: nothing came");
    }
}
