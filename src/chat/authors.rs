//! The numbers of the sessions' last lines, by which a line that is sent again is known.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::HashMap;

use crate::chat::room::Author;

/// How many sessions are remembered: those that spoke last. Whoever makes more of them has those forgotten that were
/// silent longest, which costs somebody something only if he is cut off for all that time with a line under way.
pub const MAX_AUTHORS: usize = 100_000;

/// The last number of each session.
#[derive(Debug, Default)]
pub struct Authors {
    by_session: HashMap<u64, Last>,
    /// Counts the lines.
    clock: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Last {
    seq: u64,
    at: u64,
}

impl Authors {
    /// A session has spoken, up to this number.
    pub fn note(&mut self, author: Author) {
        // Who said nothing has nothing that could be sent again, and must not take the place of one who did.
        if author.seq == 0 {
            return;
        }
        self.clock += 1;
        let last = self.by_session.entry(author.session).or_default();
        last.seq = last.seq.max(author.seq);
        last.at = self.clock;
        // Rarely, because it looks at all of them.
        if self.by_session.len() >= 2 * MAX_AUTHORS {
            self.forget_the_silent();
        }
    }

    /// The last number of a session; 0 of one that is not known.
    pub fn last(&self, session: u64) -> u64 {
        self.by_session.get(&session).map_or(0, |last| last.seq)
    }

    /// At most [`MAX_AUTHORS`], in the order in which they spoke last.
    pub fn in_order(&mut self) -> Vec<Author> {
        self.forget_the_silent();
        let mut all: Vec<_> = self.by_session.iter().collect();
        all.sort_unstable_by_key(|(_, last)| last.at);
        all.into_iter()
            .map(|(&session, last)| Author {
                session,
                seq: last.seq,
            })
            .collect()
    }

    fn forget_the_silent(&mut self) {
        let Some(surplus) = self.by_session.len().checked_sub(MAX_AUTHORS) else {
            return;
        };
        let mut times: Vec<u64> = self.by_session.values().map(|last| last.at).collect();
        times.sort_unstable();
        if let Some(&oldest) = times.get(surplus) {
            self.by_session.retain(|_, last| last.at >= oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(session: u64, seq: u64) -> Author {
        Author { session, seq }
    }

    #[test]
    fn the_highest_number_counts_and_nobody_is_at_zero() {
        let mut authors = Authors::default();
        for seq in [0, 2, 5, 3] {
            authors.note(author(7, seq));
        }
        authors.note(author(8, 0));
        assert_eq!([7, 8].map(|session| authors.last(session)), [5, 0]);
        assert_eq!(authors.in_order(), [author(7, 5)]);
    }

    #[test]
    fn those_who_spoke_last_are_remembered_however_many_come() {
        let mut authors = Authors::default();
        authors.note(author(0, 9));
        for session in 1..3 * MAX_AUTHORS as u64 {
            authors.note(author(session, 1));
            authors.note(author(0, 9));
            assert!(authors.by_session.len() < 2 * MAX_AUTHORS);
        }
        let last = 3 * MAX_AUTHORS as u64 - 1;
        assert_eq!([0, 1, last].map(|session| authors.last(session)), [9, 0, 1]);
        let all = authors.in_order();
        assert_eq!(all.len(), MAX_AUTHORS);
        assert_eq!(all[MAX_AUTHORS - 2..], [author(last, 1), author(0, 9)]);
    }
}
