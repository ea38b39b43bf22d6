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
    /// Come in.
    Welcome,
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
            true => Admission::Welcome,
            false => {
                self.leave();
                Admission::Closed
            }
        }
    }

    /// A datagram is to be answered. Whether it may be: not if enough were served.
    pub fn serve(&self) -> bool {
        let Some(count) = self.count else {
            return true;
        };
        let more = |served| (served < count).then_some(served + 1);
        self.served.fetch_update(Relaxed, Relaxed, more).is_ok()
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
        assert_eq!(door.enter(), Admission::Welcome);
        assert_eq!(door.enter(), Admission::Welcome);
        assert_eq!(door.enter(), Admission::Full);
        door.leave();
        assert_eq!(door.enter(), Admission::Welcome);
        assert!(door.is_closed() && !door.is_done());
        assert_eq!(door.enter(), Admission::Closed);
        door.leave();
        assert_eq!(door.enter(), Admission::Closed);
        assert!(!door.serve());
        door.leave();
        assert!(door.is_done());
    }

    #[test]
    fn without_a_count_it_never_closes() {
        let door = Door::new(1, None);
        for _ in 0..10 {
            assert_eq!(door.enter(), Admission::Welcome);
            door.leave();
        }
        assert!(!door.is_done());
    }
}
