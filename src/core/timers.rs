//! Deadlines by the thousand, without a tick and without touching them on every packet.
//!
//! An entry is set once and looked at when it comes up. Its owner then decides whether it still means
//! anything: an idle timeout, for one, is compared with the last activity and set again for the rest. So
//! traffic costs the timers nothing, and a connection has one entry however much it says.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A heap of deadlines with a key each. The same key may be in it several times.
#[derive(Debug)]
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<(Duration, K)>>,
}

impl<K: Ord> Timers<K> {
    /// No deadlines.
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
        }
    }

    /// Asks to be given `key` at `at`, on the scale of [`crate::core::machine::Now::since_start`].
    pub fn set(&mut self, at: Duration, key: K) {
        self.heap.push(Reverse((at, key)));
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one entry that is due at `now`, the earliest first.
    pub fn pop_due(&mut self, now: Duration) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key))| key)
    }
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_up_in_order_and_not_before_their_time() {
        let mut timers = Timers::new();
        timers.set(Duration::from_secs(3), 'c');
        timers.set(Duration::from_secs(1), 'a');
        timers.set(Duration::from_secs(2), 'b');
        assert_eq!(timers.next(), Some(Duration::from_secs(1)));
        assert_eq!(timers.pop_due(Duration::from_millis(999)), None);
        assert_eq!(timers.pop_due(Duration::from_secs(2)), Some('a'));
        assert_eq!(timers.pop_due(Duration::from_secs(2)), Some('b'));
        assert_eq!(timers.pop_due(Duration::from_secs(2)), None);
        assert_eq!(timers.next(), Some(Duration::from_secs(3)));
    }
}
