//! Rooms that had to make way. Should one of them be made again its ids go on: a client that was there may be back,
//! and what it names as the last line that it has seen must not be another one by then.

use std::collections::HashMap;

use crate::chat::nick::Key;

/// How many are remembered each by its own. When they are more, all are forgotten, and every room that is made from
/// then on begins above all of them: ids need not begin at 1, they only must not mean two lines.
const MAX_PAST: usize = 10_000;

/// What is left of them.
#[derive(Debug, Default)]
pub(super) struct Past {
    rooms: HashMap<Key, (u64, Option<Box<str>>)>,
    /// No id of those that were forgotten is above this.
    floor: u64,
}

impl Past {
    /// A room goes. `last_id` is the highest id that it gave.
    pub(super) fn leave(&mut self, key: Key, last_id: u64, topic: Option<Box<str>>) {
        if last_id == 0 {
            return;
        }
        if self.rooms.len() >= MAX_PAST {
            let highest = self.rooms.drain().map(|(_, (last_id, _))| last_id).max();
            self.floor = self.floor.max(highest.unwrap_or(0));
        }
        self.rooms.insert(key, (last_id, topic));
    }

    /// A room is made. The id above which it begins, and its topic.
    pub(super) fn come_back(&mut self, key: &Key) -> (u64, Option<Box<str>>) {
        self.rooms.remove(key).unwrap_or((self.floor, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_on_even_of_rooms_that_were_forgotten() {
        let mut past = Past::default();
        let key = |n: usize| Key::of(&format!("#room{n}"));
        assert_eq!(past.come_back(&key(0)), (0, None));
        past.leave(key(0), 7, Some("tea".into()));
        assert_eq!(past.come_back(&key(0)), (7, Some("tea".into())));
        for n in 0..=MAX_PAST {
            past.leave(key(n), 10 + n as u64, None);
        }
        assert!(past.rooms.len() <= MAX_PAST);
        assert_eq!(past.come_back(&key(MAX_PAST)).0, 10 + MAX_PAST as u64);
        assert_eq!(past.come_back(&key(0)).0, 9 + MAX_PAST as u64);
    }
}
