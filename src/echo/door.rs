//! Who is let in, counted for all loops together.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The count of those inside, and of those ever let in.
#[derive(Debug)]
pub struct Door {
    max_clients: u64,
    /// How many are served before it closes for good.
    count: Option<u64>,
    clients: AtomicU64,
    served: AtomicU64,
}

/// What the door says to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Come in, as the one with this number. The first has 0.
    Welcome(u64),
    /// There are as many inside as there may be.
    Full,
    /// Enough were served.
    Closed,
}

impl Door {
    /// Lets in so many at once, and `count` in all.
    pub fn new(max_clients: u64, count: Option<u64>) -> Self {
        Self {
            max_clients,
            count,
            clients: AtomicU64::new(0),
            served: AtomicU64::new(0),
        }
    }

    /// A connection knocks. If it is let in, [`Door::leave`] follows.
    pub fn enter(&self) -> Admission {
        let room = |clients| (clients < self.max_clients).then_some(clients + 1);
        if self.clients.fetch_update(Relaxed, Relaxed, room).is_err() {
            return match self.is_closed() {
                true => Admission::Closed,
                false => Admission::Full,
            };
        }
        match self.serve() {
            Some(number) => Admission::Welcome(number),
            None => {
                self.leave();
                Admission::Closed
            }
        }
    }

    /// A datagram is to be answered: its number, unless enough were served.
    pub fn serve(&self) -> Option<u64> {
        let Some(count) = self.count else {
            return Some(self.served.fetch_add(1, Relaxed));
        };
        let more = |served| (served < count).then_some(served + 1);
        self.served.fetch_update(Relaxed, Relaxed, more).ok()
    }

    /// A connection has ended.
    pub fn leave(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }

    /// Whether enough were let in.
    pub fn is_closed(&self) -> bool {
        self.count
            .is_some_and(|count| self.served.load(Relaxed) >= count)
    }

    /// Whether enough were let in, and all have left.
    pub fn is_done(&self) -> bool {
        self.is_closed() && self.clients.load(Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_in_than_fit_and_than_are_wanted() {
        let door = Door::new(2, Some(3));
        assert_eq!(door.enter(), Admission::Welcome(0));
        assert_eq!(door.enter(), Admission::Welcome(1));
        assert_eq!(door.enter(), Admission::Full);
        door.leave();
        assert_eq!(door.enter(), Admission::Welcome(2));
        assert!(door.is_closed() && !door.is_done());
        assert_eq!(door.enter(), Admission::Closed);
        door.leave();
        assert_eq!(door.enter(), Admission::Closed);
        assert_eq!(door.serve(), None);
        door.leave();
        assert!(door.is_done());
    }

    #[test]
    fn without_a_count_it_never_closes() {
        let door = Door::new(1, None);
        for number in 0..10 {
            assert_eq!(door.enter(), Admission::Welcome(number));
            door.leave();
        }
        assert!(!door.is_done());
    }
}
