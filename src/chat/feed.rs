//! The bytes of a room in one encoding, appended once and read by everybody at a position of their own.
//!
//! Positions are offsets in the endless stream of all that was ever appended. What everybody has passed is
//! dropped from the front; a reader who is further behind than the limit finds that its position is gone,
//! and is told how many lines that were.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::ops::Range;

/// How many bytes stand together. What is dropped from the front is given back in pieces of this size, without
/// moving what stays, so that a feed costs what it keeps and at most one piece more.
const PIECE: usize = 64 * 1024;

/// How many bytes of a piece are left to the line that goes beyond it, so that usually it need not be enlarged.
const SPARE: usize = 4 * 1024;

/// What an empty feed keeps of its memory, in bytes.
const IDLE_CAPACITY: usize = 16 * 1024;

/// A stream of encoded lines of which the newest part is kept.
#[derive(Debug, Default)]
pub struct Feed {
    /// Together they are all that is kept, without gaps; of the first one the front may have been dropped. A
    /// line stands in one piece.
    pieces: VecDeque<Piece>,
    /// The position of the first kept byte.
    base: u64,
    /// The position behind the last line.
    end: u64,
    /// The position behind each kept line.
    ends: VecDeque<u64>,
    /// How many lines were dropped from the front.
    dropped: u64,
}

#[derive(Debug)]
struct Piece {
    /// The position of its first byte.
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Feed {
    /// Appends one line, which `encode` writes. Says where it stands.
    pub fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Range<u64> {
        let from = self.end;
        let is_full = |piece: &Piece| piece.bytes.len() + SPARE > PIECE;
        if self.pieces.back().is_none_or(is_full) {
            self.pieces.push_back(Piece {
                start: from,
                // The first one grows with the room; where there was one before, there is much to say.
                bytes: Vec::with_capacity(if self.pieces.is_empty() { 0 } else { PIECE }),
            });
        }
        if let Some(piece) = self.pieces.back_mut() {
            encode(&mut piece.bytes);
            self.end = piece.end();
        }
        if self.end > from {
            self.ends.push_back(self.end);
        }
        from..self.end
    }

    /// The position of the first byte that is still kept.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The position behind the last line.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes are kept.
    pub fn len(&self) -> usize {
        (self.end - self.base) as usize
    }

    /// Whether no bytes are kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range, as far as they are kept, in order.
    pub fn slices(&self, range: Range<u64>) -> impl Iterator<Item = &[u8]> {
        let range = range.start.max(self.base)..range.end.min(self.end);
        let first = self
            .pieces
            .partition_point(|piece| piece.end() <= range.start);
        self.pieces
            .range(first..)
            .take_while({
                let end = range.end;
                move |piece| piece.start < end
            })
            .map(move |piece| {
                let index = |position: u64| {
                    let inside = position.clamp(piece.start, piece.end()) - piece.start;
                    inside as usize
                };
                let (from, to) = (index(range.start), index(range.end));
                &piece.bytes[from..to.max(from)]
            })
    }

    /// The same as a copy of its own.
    pub fn copy(&self, range: Range<u64>) -> Box<[u8]> {
        let mut bytes = Vec::new();
        for slice in self.slices(range) {
            bytes.extend_from_slice(slice);
        }
        bytes.into()
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
            self.base = end;
        }
        while self.pieces.len() > 1 && self.pieces[0].end() <= self.base {
            self.pieces.pop_front();
        }
        if let Some(last) = self.pieces.front_mut()
            && last.end() <= self.base
        {
            last.start = self.base;
            last.bytes.clear();
            last.bytes.shrink_to(IDLE_CAPACITY);
            self.ends.shrink_to(IDLE_CAPACITY / 64);
        }
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
        self.end = position.clamp(self.base, self.end);
        while self.pieces.len() > 1
            && self
                .pieces
                .back()
                .is_some_and(|piece| piece.start >= self.end)
        {
            self.pieces.pop_back();
        }
        if let Some(piece) = self.pieces.back_mut() {
            let keep = self.end.saturating_sub(piece.start) as usize;
            piece.bytes.truncate(keep);
        }
    }
}

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
        assert_eq!(*feed.copy(second.clone()), *b"two\n");
        assert_eq!(*feed.copy(first), *b"");
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

    #[test]
    fn a_long_feed_gives_back_what_it_drops() {
        let mut feed = Feed::default();
        let line = "x".repeat(1000) + "\n";
        for _ in 0..10_000 {
            append(&mut feed, &line);
            feed.shrink_to(4 * PIECE);
        }
        let held: usize = feed.pieces.iter().map(|piece| piece.bytes.capacity()).sum();
        assert!(held <= 6 * PIECE, "{held}");
        let whole = feed.base()..feed.end();
        assert_eq!(feed.copy(whole.clone()).len(), feed.len());
        assert!(feed.slices(whole).count() <= 6);
        feed.drop_before(feed.end());
        assert!(feed.pieces[0].bytes.capacity() <= IDLE_CAPACITY);
    }

    proptest! {
        #[test]
        fn a_feed_keeps_the_newest_whole_lines_of_a_plain_stream(
            // Some lines are so long that a few of them fill a piece.
            steps in proptest::collection::vec((0usize..30, 1usize..2000, 0usize..200_000, any::<bool>()), 1..100),
        ) {
            let mut feed = Feed::default();
            let mut model: Vec<u8> = Vec::new();
            for (number, (letters, times, limit, takes_back)) in steps.into_iter().enumerate() {
                let mut line = vec![b'a' + (number % 26) as u8; letters * times];
                line.push(b'\n');
                let range = feed.append(|out| out.extend_from_slice(&line));
                if takes_back && range.start >= feed.base() {
                    feed.truncate(range.start);
                    continue;
                }
                model.extend_from_slice(&line);
                feed.shrink_to(limit);
                prop_assert!(feed.len() <= limit);
                prop_assert_eq!(feed.end(), model.len() as u64);
                let base = feed.base() as usize;
                let kept = feed.copy(feed.base()..feed.end());
                prop_assert!(*kept == model[base..]);
                prop_assert!(base == 0 || model[base - 1] == b'\n');
                let middle = base + (model.len() - base) / 2;
                prop_assert!(*feed.copy(middle as u64..u64::MAX) == model[middle..]);
                let lines = model.iter().filter(|&&b| b == b'\n').count() as u64;
                prop_assert_eq!(feed.lines_before(feed.end()), lines);
            }
        }
    }
}
