//! The bytes of a room in one encoding, appended once and read by everybody at a position of their own.
//!
//! Positions are offsets in the endless stream of all that was ever appended. What everybody has passed is
//! dropped from the front; a reader who is further behind than the limit finds that its position is gone,
//! and is told how many lines that were.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::ops::Range;

/// A stream of encoded lines of which the newest part is kept.
#[derive(Debug, Default)]
pub struct Feed {
    bytes: Vec<u8>,
    /// Where in `bytes` the kept part begins. Moved lazily, so that dropping lines costs no copy each time.
    start: usize,
    /// The position of the first kept byte.
    base: u64,
    /// The position behind each kept line.
    ends: VecDeque<u64>,
    /// How many lines were dropped from the front.
    dropped: u64,
}

impl Feed {
    /// Appends one line, which `encode` writes. Says where it stands.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Range<u64> {
        let from = self.end();
        encode(&mut self.bytes);
        let to = self.end();
        if to > from {
            self.ends.push_back(to);
        }
        from..to
    }

    /// The position of the first byte that is still kept.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The position behind the last line.
    pub fn end(&self) -> u64 {
        self.base + self.len() as u64
    }

    /// How many bytes are kept.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether no bytes are kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, as far as they are kept.
    pub fn slice(&self, range: Range<u64>) -> &[u8] {
        let index = |position: u64| {
            let kept = position.clamp(self.base, self.end()) - self.base;
            self.start + kept as usize
        };
        let (from, to) = (index(range.start), index(range.end));
        &self.bytes[from..to.max(from)]
    }

    /// How many lines ended at or before `position`, of all that were ever appended. For a position before
    /// the base the answer is that of the base.
    pub fn lines_before(&self, position: u64) -> u64 {
        self.dropped + self.ends.partition_point(|&end| end <= position) as u64
    }

    /// The end of the line in which `position` lies; `position` itself if it is between two lines.
    pub fn line_end(&self, position: u64) -> u64 {
        if position == self.base {
            return position;
        }
        let next = self.ends.partition_point(|&end| end < position);
        self.ends.get(next).copied().unwrap_or(position)
    }

    /// Drops whole lines before `position`.
    pub fn drop_before(&mut self, position: u64) {
        while let Some(&end) = self.ends.front() {
            if end > position {
                break;
            }
            self.ends.pop_front();
            self.dropped += 1;
            self.start += (end - self.base) as usize;
            self.base = end;
        }
        self.compact();
    }

    /// Drops whole lines from the front until at most `limit` bytes are kept.
    pub fn shrink_to(&mut self, limit: usize) {
        if self.len() > limit {
            let surplus = (self.len() - limit) as u64;
            let wanted = self.base + surplus;
            let last = self.ends.partition_point(|&end| end < wanted);
            if let Some(&end) = self.ends.get(last) {
                self.drop_before(end);
            }
        }
    }

    /// Takes back everything behind `position`, which must be between two lines.
    pub fn truncate(&mut self, position: u64) {
        while self.ends.back().is_some_and(|&end| end > position) {
            self.ends.pop_back();
        }
        let keep = (position.max(self.base) - self.base) as usize;
        self.bytes.truncate(self.start + keep);
    }

    /// Moves the kept part to the front when that at least halves the memory: each byte is moved once on
    /// average.
    fn compact(&mut self) {
        if self.start >= self.bytes.len() - self.start {
            self.bytes.drain(..self.start);
            self.start = 0;
            if self.bytes.is_empty() {
                self.bytes.shrink_to(IDLE_CAPACITY);
                self.ends.shrink_to(IDLE_CAPACITY / 64);
            }
        }
    }
}

/// What an empty feed keeps of its memory, in bytes.
const IDLE_CAPACITY: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn append(feed: &mut Feed, text: &str) -> Range<u64> {
        feed.append(|out| out.extend_from_slice(text.as_bytes()))
    }

    #[test]
    fn positions_stay_when_the_front_is_dropped() {
        let mut feed = Feed::default();
        let first = append(&mut feed, "one\n");
        let second = append(&mut feed, "two\n");
        feed.drop_before(first.end);
        assert_eq!(feed.base(), first.end);
        assert_eq!(feed.slice(second.clone()), b"two\n");
        assert_eq!(feed.slice(first), b"");
        assert_eq!(feed.lines_before(second.start), 1);
        assert_eq!(feed.lines_before(second.end), 2);
    }

    #[test]
    fn only_whole_lines_are_dropped() {
        let mut feed = Feed::default();
        append(&mut feed, "one\n");
        let second = append(&mut feed, "two\n");
        feed.drop_before(second.start + 2);
        assert_eq!(feed.base(), second.start);
        feed.shrink_to(3);
        assert_eq!(feed.len(), 0);
    }

    #[test]
    fn the_end_of_a_torn_line_is_found() {
        let mut feed = Feed::default();
        let first = append(&mut feed, "one\n");
        let second = append(&mut feed, "two\n");
        assert_eq!(feed.line_end(first.start), first.start);
        assert_eq!(feed.line_end(first.start + 1), first.end);
        assert_eq!(feed.line_end(first.end), first.end);
        assert_eq!(feed.line_end(second.start + 3), second.end);
        assert_eq!(feed.line_end(second.end), second.end);
    }

    proptest! {
        #[test]
        fn a_feed_keeps_the_newest_whole_lines_of_a_plain_stream(
            steps in proptest::collection::vec((0usize..30, 0usize..100), 1..100),
        ) {
            let mut feed = Feed::default();
            let mut model: Vec<u8> = Vec::new();
            for (length, limit) in steps {
                let mut line = vec![b'a' + (length % 26) as u8; length];
                line.push(b'\n');
                feed.append(|out| out.extend_from_slice(&line));
                model.extend_from_slice(&line);
                feed.shrink_to(limit);
                prop_assert!(feed.len() <= limit);
                prop_assert_eq!(feed.end(), model.len() as u64);
                let kept = feed.slice(feed.base()..feed.end());
                prop_assert_eq!(kept, &model[feed.base() as usize..]);
                prop_assert!(feed.base() == 0 || model[feed.base() as usize - 1] == b'\n');
                let lines = model.iter().filter(|&&b| b == b'\n').count() as u64;
                prop_assert_eq!(feed.lines_before(feed.end()), lines);
            }
        }
    }
}
