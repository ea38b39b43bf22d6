//! Who has connected and not finished its handshake: so many at once, each for so long.
//!
//! When there are too many the one that has taken longest has to go. An honest handshake takes a few round trips, so
//! whoever opens connections and says nothing pushes out its own.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::core::machine::ConnId;

/// How long a handshake may take: as long as a dial.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How many may be under way, where a quarter of the open files that the process may have is not fewer. A silent one
/// costs a socket and nothing more; one that has begun at most 50 KiB, so all together 200 MiB if somebody means harm,
/// and 40 MiB of honest ones.
const MOST: usize = 4096;

pub(super) struct Handshakes {
    most: usize,
    under_way: HashSet<ConnId>,
    /// In the order in which they began; some have ended since.
    order: VecDeque<ConnId>,
}

impl Handshakes {
    /// None yet. `open_files`: how many the process may have.
    pub(super) fn new(open_files: Option<u64>) -> Self {
        let quarter = open_files.map_or(MOST as u64, |limit| limit / 4);
        Self {
            most: usize::try_from(quarter).unwrap_or(MOST).clamp(1, MOST),
            under_way: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Notes one more. Who has to go for it, if anybody has.
    pub(super) fn begun(&mut self, conn: ConnId) -> Option<ConnId> {
        self.forget_ended();
        self.under_way.insert(conn);
        self.order.push_back(conn);
        (self.under_way.len() > self.most)
            .then(|| self.order.front().copied())
            .flatten()
    }

    /// It is done, or was given up.
    pub(super) fn ended(&mut self, conn: ConnId) {
        self.under_way.remove(&conn);
        self.forget_ended();
    }

    /// Keeps the front of the line alive, and the line no longer than twice what is under way.
    fn forget_ended(&mut self) {
        let under_way = &self.under_way;
        while self
            .order
            .front()
            .is_some_and(|conn| !under_way.contains(conn))
        {
            self.order.pop_front();
        }
        if self.order.len() > 2 * under_way.len() + 16 {
            self.order.retain(|conn| under_way.contains(conn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(slot: u32) -> ConnId {
        ConnId {
            slot,
            generation: 0,
        }
    }

    #[test]
    fn the_one_that_takes_longest_makes_room() {
        let mut handshakes = Handshakes::new(None);
        for slot in 0..MOST as u32 {
            assert_eq!(handshakes.begun(conn(slot)), None, "{slot}");
        }
        handshakes.ended(conn(0));
        handshakes.ended(conn(2));
        assert_eq!(handshakes.begun(conn(10_000)), None);
        assert_eq!(handshakes.begun(conn(10_001)), None);
        assert_eq!(handshakes.begun(conn(10_002)), Some(conn(1)));
        handshakes.ended(conn(1));
        assert_eq!(handshakes.begun(conn(10_003)), Some(conn(3)));
    }

    #[test]
    fn most_open_files_are_left_to_others() {
        let mut handshakes = Handshakes::new(Some(16));
        for slot in 0..4 {
            assert_eq!(handshakes.begun(conn(slot)), None);
        }
        assert_eq!(handshakes.begun(conn(4)), Some(conn(0)));
    }

    #[test]
    fn those_that_ended_are_not_remembered() {
        let mut handshakes = Handshakes::new(None);
        handshakes.begun(conn(0));
        for slot in 1..10_000 {
            handshakes.begun(conn(slot));
            handshakes.ended(conn(slot));
        }
        assert!(handshakes.order.len() < 100, "{}", handshakes.order.len());
    }
}
