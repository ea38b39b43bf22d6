//! The lines that the server has not acknowledged yet, with their numbers.

use std::collections::VecDeque;

/// How many lines wait for their acknowledgement before stdin is read no further.
const MAX_LINES: usize = 1000;

/// How many bytes of them.
const MAX_BYTES: usize = 1 << 20;

/// Lines in the order of their numbers, which are consecutive.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    /// The text, or nothing where the server has refused the line and those before it still wait.
    lines: VecDeque<Option<String>>,
    /// How many lines went out of the queue: the first in it has the number after this.
    settled: u64,
    bytes: usize,
}

impl Unacked {
    /// Whether more input is wanted.
    pub(super) fn has_room(&self) -> bool {
        self.lines.len() < MAX_LINES && self.bytes < MAX_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines nobody has answered for.
    pub(super) fn len(&self) -> usize {
        self.lines.iter().flatten().count()
    }

    /// The number that the next line will get.
    pub(super) fn next_number(&self) -> u64 {
        self.settled + self.lines.len() as u64 + 1
    }

    /// Adds a line and gives it its number.
    pub(super) fn push(&mut self, text: String) -> u64 {
        self.bytes += text.len();
        self.lines.push_back(Some(text));
        self.settled + self.lines.len() as u64
    }

    /// All lines up to this number are in the server's log. Says whether that is news.
    pub(super) fn settle(&mut self, seq: u64) -> bool {
        let before = self.settled;
        while self.settled < seq && !self.lines.is_empty() {
            self.pop();
        }
        self.settled > before
    }

    /// The server has refused this line: it is not sent again. Says whether it was still waiting.
    pub(super) fn refuse(&mut self, seq: u64) -> bool {
        let Some(index) = seq.checked_sub(self.settled + 1) else {
            return false;
        };
        let line = usize::try_from(index)
            .ok()
            .and_then(|index| self.lines.get_mut(index))
            .and_then(Option::take);
        let Some(text) = line else {
            return false;
        };
        self.bytes -= text.len();
        while self.lines.front().is_some_and(Option::is_none) {
            self.pop();
        }
        true
    }

    /// The lines to send again after a cut.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        (self.settled + 1..)
            .zip(&self.lines)
            .filter_map(|(seq, text)| Some((seq, text.as_deref()?)))
    }

    fn pop(&mut self) {
        if let Some(text) = self.lines.pop_front() {
            self.settled += 1;
            self.bytes -= text.map_or(0, |text| text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(unacked: &Unacked) -> Vec<(u64, &str)> {
        unacked.iter().collect()
    }

    #[test]
    fn lines_are_numbered_from_one_and_leave_in_order() {
        let mut unacked = Unacked::default();
        for (seq, text) in [(1, "a"), (2, "b"), (3, "c")] {
            assert_eq!(unacked.push(text.into()), seq);
        }
        unacked.settle(2);
        assert_eq!(waiting(&unacked), [(3, "c")]);
        unacked.settle(1);
        assert_eq!(waiting(&unacked), [(3, "c")], "an old acknowledgement");
        unacked.settle(u64::MAX);
        assert!(unacked.is_empty());
        assert_eq!(unacked.push("d".into()), 4, "a number is never used twice");
    }

    #[test]
    fn a_refused_line_is_not_sent_again_and_holds_up_nobody() {
        let mut unacked = Unacked::default();
        for text in ["a", "b", "c"] {
            unacked.push(text.into());
        }
        assert!(unacked.refuse(2));
        assert!(!unacked.refuse(2), "once");
        assert!(!unacked.refuse(0) && !unacked.refuse(9));
        assert_eq!(waiting(&unacked), [(1, "a"), (3, "c")]);
        assert_eq!(unacked.len(), 2);
        unacked.settle(1);
        assert!(unacked.refuse(3));
        assert!(unacked.is_empty());
        assert_eq!(unacked.push("d".into()), 4);
    }

    #[test]
    fn input_stops_at_a_thousand_lines_or_a_mebibyte() {
        let mut unacked = Unacked::default();
        for _ in 0..MAX_LINES {
            assert!(unacked.has_room());
            unacked.push(String::new());
        }
        assert!(!unacked.has_room());
        unacked.settle(1);
        assert!(unacked.has_room());
        unacked.push("x".repeat(MAX_BYTES));
        unacked.settle(10);
        assert!(!unacked.has_room());
        unacked.settle(u64::MAX);
        assert!(unacked.has_room() && unacked.bytes == 0);
    }
}
