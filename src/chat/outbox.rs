//! What one member has still to get: stretches of its room's feed and bytes of its own in between, and then
//! everything that the feed will ever have.
//!
//! A member costs a position, not a copy. A line of its own is left out by closing the stretch before it
//! and opening the next behind it; when nothing is pending, as is usual, the position just moves on.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::ops::Range;

use crate::chat::feed::Feed;
use crate::core::machine::Pending;

/// How many segments a member may pile up before the oldest stretches are given up: one that floods
/// the room and never reads adds one with each of its own lines.
const MAX_SEGMENTS: usize = 4096;

#[derive(Debug)]
enum Segment {
    /// A closed stretch of the feed.
    Stretch {
        range: Range<u64>,
        /// The feed's line count at both ends.
        lines: Range<u64>,
    },
    /// Bytes for this member alone, of which some are sent.
    Own { bytes: Box<[u8]>, sent: usize },
}

/// A member's position and what stands before it.
#[derive(Debug, Default)]
pub struct Outbox {
    segments: VecDeque<Segment>,
    /// Where the open stretch begins: from here to the visible end of the feed.
    tail: u64,
    /// The feed's line count at `tail`, as of the last time it was looked up.
    tail_line: u64,
    own_bytes: usize,
}

impl Outbox {
    /// Begins to follow a feed at `position`. Whatever was pending stays before it.
    pub fn follow(&mut self, feed: &Feed, position: u64) {
        self.tail = position;
        self.tail_line = feed.lines_before(position);
    }

    /// Adds bytes for this member alone, behind all that is visible in the feed now: what the server says to one
    /// need not wait for the disk because others have said something.
    pub fn push(&mut self, feed: Option<(&Feed, u64)>, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut place = self.segments.len();
        if let Some((feed, visible)) = feed {
            self.close_stretch(feed, visible);
            place = self.segments.len();
            while let Some(Segment::Stretch { range, lines }) = place
                .checked_sub(1)
                .and_then(|at| self.segments.get_mut(at))
            {
                if range.end <= visible {
                    break;
                }
                if range.start < visible {
                    let line = feed.lines_before(visible);
                    let hidden = Segment::Stretch {
                        range: visible..range.end,
                        lines: line..lines.end,
                    };
                    range.end = visible;
                    lines.end = line;
                    self.segments.insert(place, hidden);
                    break;
                }
                place -= 1;
            }
        }
        self.own_bytes += bytes.len();
        let own = Segment::Own {
            bytes: bytes.into_boxed_slice(),
            sent: 0,
        };
        self.segments.insert(place, own);
    }

    /// Leaves out a range that was just appended to the feed.
    pub fn skip(&mut self, feed: &Feed, range: &Range<u64>) {
        self.close_stretch(feed, range.start);
        self.tail = range.end;
        self.tail_line = feed.lines_before(range.end);
    }

    /// Sending moves the position without asking the feed for its line.
    fn look_up_line(&mut self, feed: &Feed) {
        if self.tail >= feed.base() {
            self.tail_line = feed.lines_before(self.tail);
        }
    }

    fn close_stretch(&mut self, feed: &Feed, end: u64) {
        if self.tail >= end {
            return;
        }
        self.look_up_line(feed);
        let lines = self.tail_line..feed.lines_before(end);
        self.segments.push_back(Segment::Stretch {
            range: self.tail..end,
            lines: lines.clone(),
        });
        self.tail = end;
        self.tail_line = lines.end;
    }

    /// Takes what is pending out of the feed into bytes of its own: the member goes to another room. What is
    /// not yet visible there it never gets: it was not said before the member went.
    pub fn detach(&mut self, feed: &Feed, visible: u64) {
        self.close_stretch(feed, visible);
        for segment in &mut self.segments {
            if let Segment::Stretch { range, .. } = segment {
                let bytes = feed.copy(range.start..range.end.min(visible));
                self.own_bytes += bytes.len();
                *segment = Segment::Own { bytes, sent: 0 };
            }
        }
        self.segments
            .retain(|segment| !matches!(segment, Segment::Own { bytes, .. } if bytes.is_empty()));
        self.tail = 0;
        self.tail_line = 0;
    }

    /// Bytes held for this member alone.
    pub fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Bytes of any kind that could be sent when the feed is visible up to `visible`.
    pub fn backlog(&self, visible: u64) -> u64 {
        let stretches: u64 = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Stretch { range, .. } => range.end - range.start,
                Segment::Own { .. } => 0,
            })
            .sum();
        stretches + self.own_bytes as u64 + visible.saturating_sub(self.tail)
    }

    /// Whether nothing can be sent when the feed is visible up to `visible`.
    pub fn is_empty(&self, visible: u64) -> bool {
        self.segments.is_empty() && self.tail >= visible
    }

    /// The first position in the feed that this member still needs.
    pub fn needs_from(&self) -> u64 {
        self.segments
            .iter()
            .find_map(|segment| match segment {
                Segment::Stretch { range, .. } => Some(range.start),
                Segment::Own { .. } => None,
            })
            .unwrap_or(self.tail)
    }

    /// Gives up what the feed no longer has. Says how many lines that were; `notice` then makes the bytes
    /// that tell the member, and they are sent in place of the lines.
    pub fn give_up_lost(
        &mut self,
        feed: &Feed,
        visible: u64,
        notice: impl FnOnce(u64) -> Vec<u8>,
    ) -> u64 {
        let crowded = self.segments.len() > MAX_SEGMENTS;
        if self.needs_from() >= feed.base() && !crowded {
            return 0;
        }
        let cut = if crowded { visible } else { feed.base() };
        self.give_up(feed, cut.max(feed.base()), notice)
    }

    /// Gives up every line of the feed before `cut`, which must be between two lines, except the rest of one
    /// that is half sent.
    pub fn give_up(&mut self, feed: &Feed, cut: u64, notice: impl FnOnce(u64) -> Vec<u8>) -> u64 {
        self.keep_torn_line(feed);
        let cut_line = feed.lines_before(cut);
        let mut lost = 0;
        let mut place = None;
        let mut kept: VecDeque<Segment> = VecDeque::new();
        for segment in self.segments.drain(..) {
            match segment {
                Segment::Stretch { range, lines } if range.start < cut => {
                    place.get_or_insert(kept.len());
                    lost += lines.end.min(cut_line).saturating_sub(lines.start);
                    if range.end > cut {
                        kept.push_back(Segment::Stretch {
                            range: cut..range.end,
                            lines: cut_line..lines.end,
                        });
                    }
                }
                other => kept.push_back(other),
            }
        }
        self.segments = kept;
        if self.tail < cut {
            lost += cut_line.saturating_sub(self.tail_line);
            self.tail = cut;
            self.tail_line = cut_line;
        }
        if lost > 0 {
            let bytes = notice(lost).into_boxed_slice();
            self.own_bytes += bytes.len();
            let place = place.unwrap_or(self.segments.len());
            self.segments.insert(place, Segment::Own { bytes, sent: 0 });
        }
        lost
    }

    /// What to write next, in order, as far as it fits one call.
    pub fn pending<'a>(&'a self, feed: Option<(&'a Feed, u64)>) -> Pending<'a> {
        let mut pending = Pending::new();
        for segment in &self.segments {
            let room = match (segment, feed) {
                (Segment::Own { bytes, sent }, _) => pending.push(&bytes[*sent..]),
                (Segment::Stretch { range, .. }, Some((feed, visible))) => {
                    let shown = feed.slices(range.start..range.end.min(visible));
                    let room = pending.push_all(shown);
                    if range.end > visible {
                        // What stands behind must wait for what is not yet visible.
                        return pending;
                    }
                    room
                }
                (Segment::Stretch { .. }, None) => true,
            };
            if !room {
                return pending;
            }
        }
        if let Some((feed, visible)) = feed
            && self.tail < visible
        {
            pending.push_all(feed.slices(self.tail..visible));
        }
        pending
    }

    /// The first `count` bytes of what was pending are sent.
    pub fn sent(&mut self, mut count: usize) {
        while count > 0 {
            match self.segments.front_mut() {
                Some(Segment::Own { bytes, sent }) => {
                    let left = bytes.len() - *sent;
                    if count < left {
                        *sent += count;
                        return;
                    }
                    count -= left;
                    self.own_bytes -= bytes.len();
                    self.segments.pop_front();
                }
                Some(Segment::Stretch { range, .. }) => {
                    let left = (range.end - range.start) as usize;
                    if count < left {
                        range.start += count as u64;
                        return;
                    }
                    count -= left;
                    self.segments.pop_front();
                }
                None => {
                    self.tail += count as u64;
                    return;
                }
            }
        }
        if self.segments.is_empty() && self.segments.capacity() > 4 {
            self.segments = VecDeque::new();
        }
    }

    /// Brings the position to the end of a line, with the rest of a torn line kept as bytes of its own, so that
    /// giving up lines never tears one. To be called when the transport is full, and before the feed drops
    /// what this member needs.
    pub fn keep_torn_line(&mut self, feed: &Feed) {
        self.look_up_line(feed);
        let from = match self.segments.front() {
            Some(Segment::Stretch { range, .. }) => range.start,
            Some(Segment::Own { .. }) => return,
            None => self.tail,
        };
        if from < feed.base() {
            // Already lost; the count of what is lost begins where it was then.
            return;
        }
        let end = feed.line_end(from);
        let end_line = feed.lines_before(end);
        match self.segments.front_mut() {
            Some(Segment::Stretch { range, lines }) => {
                range.start = end;
                lines.start = end_line;
                if range.is_empty() {
                    self.segments.pop_front();
                }
            }
            _ => {
                self.tail = end;
                self.tail_line = end_line;
            }
        }
        if end > from {
            let bytes = feed.copy(from..end);
            self.own_bytes += bytes.len();
            self.segments.push_front(Segment::Own { bytes, sent: 0 });
        }
    }

    /// Everything in the feed behind `end` was taken back.
    pub fn truncate(&mut self, feed: &Feed, end: u64) {
        for segment in &mut self.segments {
            if let Segment::Stretch { range, lines } = segment {
                range.start = range.start.min(end);
                range.end = range.end.min(end);
                lines.end = lines.end.min(feed.lines_before(end)).max(lines.start);
            }
        }
        self.segments.retain(|segment| match segment {
            Segment::Stretch { range, .. } => !range.is_empty(),
            Segment::Own { .. } => true,
        });
        if self.tail > end {
            self.tail = end;
            self.tail_line = feed.lines_before(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes up to `room` bytes as a kernel would.
    fn drain(outbox: &mut Outbox, feed: &Feed, visible: u64, mut room: usize, out: &mut Vec<u8>) {
        loop {
            let pending = outbox.pending(Some((feed, visible)));
            let mut count = 0;
            for slice in pending.slices() {
                let take = slice.len().min(room - count);
                out.extend_from_slice(&slice[..take]);
                count += take;
            }
            let total = pending.byte_len();
            outbox.sent(count);
            room -= count;
            if total == 0 {
                return;
            }
            if room == 0 {
                outbox.keep_torn_line(feed);
                return;
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Line(usize),
        OwnLine(usize),
        Private(usize),
        Write(usize),
        Shrink(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0usize..20).prop_map(Step::Line),
            (0usize..20).prop_map(Step::OwnLine),
            (0usize..20).prop_map(Step::Private),
            (1usize..80).prop_map(Step::Write),
            (0usize..200).prop_map(Step::Shrink),
        ]
    }

    proptest! {
        /// Against a model: the member gets every line but its own, whole and in order, and where some are
        /// missing, a notice says exactly how many.
        #[test]
        fn every_line_arrives_whole_or_is_counted(steps in proptest::collection::vec(step(), 1..200)) {
            let mut feed = Feed::default();
            let mut outbox = Outbox::default();
            let mut expected: Vec<String> = Vec::new();
            let mut out = Vec::new();
            let mut number = 0;
            for step in steps.into_iter().chain([Step::Write(1 << 20)]) {
                number += 1;
                match step {
                    Step::Line(length) => {
                        let line = format!("line {number} {}", "x".repeat(length));
                        feed.append(|out| out.extend(format!("{line}\n").bytes()));
                        expected.push(line);
                    }
                    Step::OwnLine(length) => {
                        let line = format!("mine {number} {}\n", "x".repeat(length));
                        let range = feed.append(|out| out.extend(line.bytes()));
                        outbox.skip(&feed, &range);
                    }
                    Step::Private(length) => {
                        let line = format!("private {number} {}", "x".repeat(length));
                        outbox.push(Some((&feed, feed.end())), format!("{line}\n").into_bytes());
                        expected.push(line);
                    }
                    Step::Write(room) => {
                        outbox.give_up_lost(&feed, feed.end(), |lost| format!("lost {lost}\n").into_bytes());
                        drain(&mut outbox, &feed, feed.end(), room, &mut out);
                    }
                    Step::Shrink(limit) => {
                        // The server never shrinks past what a member without a full socket has not seen.
                        outbox.keep_torn_line(&feed);
                        feed.shrink_to(limit);
                    }
                }
            }
            prop_assert!(outbox.is_empty(feed.end()));
            prop_assert_eq!(outbox.own_bytes(), 0);
            let text = String::from_utf8(out).expect("text");
            let mut expected = expected.into_iter();
            for line in text.lines() {
                if let Some(lost) = line.strip_prefix("lost ") {
                    let mut lost: u64 = lost.parse().expect("a number");
                    // Private lines are never lost, so the lost ones are the next that are of the room.
                    let rest: Vec<String> = expected.collect();
                    let mut kept = Vec::new();
                    for candidate in rest {
                        if lost > 0 && candidate.starts_with("line") {
                            lost -= 1;
                        } else {
                            kept.push(candidate);
                        }
                    }
                    prop_assert_eq!(lost, 0);
                    expected = kept.into_iter();
                } else {
                    let want = expected.next();
                    prop_assert_eq!(Some(line), want.as_deref());
                }
            }
            prop_assert_eq!(expected.next(), None);
        }
    }

    #[test]
    fn what_is_not_yet_visible_waits_and_what_is_for_one_alone_does_not() {
        let mut feed = Feed::default();
        let mut outbox = Outbox::default();
        let first = feed.append(|out| out.extend(b"one\n"));
        feed.append(|out| out.extend(b"two\n"));
        let own = feed.append(|out| out.extend(b"own\n"));
        outbox.skip(&feed, &own);
        feed.append(|out| out.extend(b"three\n"));
        outbox.push(Some((&feed, first.end)), b"to you\n".to_vec());
        outbox.push(Some((&feed, first.end)), b"and you\n".to_vec());
        let mut out = Vec::new();
        drain(&mut outbox, &feed, first.end, 100, &mut out);
        assert_eq!(out, b"one\nto you\nand you\n");
        drain(&mut outbox, &feed, feed.end(), 100, &mut out);
        assert_eq!(out, b"one\nto you\nand you\ntwo\nthree\n");
        assert!(outbox.is_empty(feed.end()));
    }

    #[test]
    fn lines_taken_back_are_never_sent() {
        let mut feed = Feed::default();
        let mut outbox = Outbox::default();
        let first = feed.append(|out| out.extend(b"one\n"));
        feed.append(|out| out.extend(b"two\n"));
        outbox.push(Some((&feed, feed.end())), b"mine\n".to_vec());
        feed.truncate(first.end);
        outbox.truncate(&feed, first.end);
        feed.append(|out| out.extend(b"three\n"));
        let mut out = Vec::new();
        drain(&mut outbox, &feed, feed.end(), 100, &mut out);
        assert_eq!(out, b"one\nmine\nthree\n");
    }

    #[test]
    fn a_change_of_room_takes_the_pending_lines_along() {
        let mut feed = Feed::default();
        let mut outbox = Outbox::default();
        feed.append(|out| out.extend(b"one\n"));
        outbox.detach(&feed, feed.end());
        let other = Feed::default();
        outbox.follow(&other, 0);
        let mut out = Vec::new();
        drain(&mut outbox, &other, 0, 100, &mut out);
        assert_eq!(out, b"one\n");
    }
}
