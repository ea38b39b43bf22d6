//! A room: a log of what was said, and the same in each dialect for those who are there.
//!
//! The order of [`Room::append`] is the order for everybody. A line is visible at once, or, where there is a
//! log on disk, when [`Room::commit`] says that it is safe there: nobody ever sees a line that a crash
//! could take back.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::collections::VecDeque;
use std::collections::vec_deque::Iter;
use std::iter::Skip;
use std::ops::Range;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::chat::feed::Feed;
use crate::chat::nick::RoomName;
use crate::chat::render::{Dialect, render};
use crate::chat::token::Token;
use crate::chat::wire::ChatEvent;
use crate::core::machine::ConnId;
use crate::core::timestamp::Timestamp;

/// A feed is looked over for what everybody has passed each time it has grown by this much, in bytes. It
/// is the memory that a busy room keeps per dialect, and the walk over the members costs little beside
/// the writes that so many bytes took.
const TIDY_STEP: usize = 64 * 1024;

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Said.
    Message,
    /// Done: `/me`.
    Action,
    /// The topic, from now on.
    Topic,
}

/// Which session a line came from, and its number there. So that a line which is sent again after a crash is
/// known, and that nobody is shown his own lines as news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// A digest of the session's token: the token itself would let a reader of the log take the session over.
    pub session: u64,
    /// The line's number in the session.
    pub seq: u64,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Grows by one per room.
    pub id: u64,
    /// When the server took it.
    pub time: Timestamp,
    /// What kind.
    pub kind: Kind,
    /// Who.
    pub nick: Rc<str>,
    /// What, clean for a terminal.
    pub text: Box<str>,
    /// From which session; plain members have none.
    pub author: Option<Author>,
}

impl Entry {
    /// The entry as an event.
    pub fn event<'a>(&'a self, room: &'a RoomName) -> ChatEvent<'a> {
        let (id, time) = (self.id, self.time);
        let room = Cow::Borrowed(room.as_str());
        let nick = Cow::Borrowed(&*self.nick);
        let text = Cow::Borrowed(&*self.text);
        match self.kind {
            Kind::Message => ChatEvent::Message {
                room,
                id,
                time,
                nick,
                text,
            },
            Kind::Action => ChatEvent::Action {
                room,
                id,
                time,
                nick,
                text,
            },
            Kind::Topic => ChatEvent::Topic {
                room,
                id,
                time,
                nick,
                text,
            },
        }
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + self.nick.len() + self.text.len()
    }
}

/// How much a room remembers.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// In lines.
    pub lines: usize,
    /// In bytes.
    pub bytes: usize,
}

/// The room's lines in one dialect.
#[derive(Debug, Default)]
pub struct Stream {
    /// The bytes.
    pub feed: Feed,
    /// Up to here members may see.
    pub visible: u64,
    /// How many members read it. Without any, nothing is encoded.
    readers: usize,
    tidied_at: usize,
}

/// Where an append stands in each dialect's feed.
pub type Places = [Range<u64>; 2];

/// A line that waits for the disk.
#[derive(Debug)]
struct Uncommitted {
    id: u64,
    /// Where it stands in the feeds.
    places: Places,
    /// Where the feeds end behind it and what follows it without being a line of the log.
    ends: [u64; 2],
    receipt: Option<Receipt>,
    /// The topic before this line, if the line is a topic.
    topic_before: Option<Option<Box<str>>>,
}

/// Who is to be told when a line is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The member.
    pub conn: ConnId,
    /// Its session, which may be on another connection by then.
    pub session: Option<Token>,
    /// The number of the line in its session; 0 for a plain member.
    pub seq: u64,
}

/// The room.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    topic: Option<Box<str>>,
    entries: VecDeque<Entry>,
    weight: usize,
    last_id: u64,
    streams: [Stream; 2],
    uncommitted: VecDeque<Uncommitted>,
    memory: Memory,
    /// Whether lines wait for [`Room::commit`].
    durable: bool,
    /// The members' slots, in no order.
    pub members: Vec<u32>,
}

impl Room {
    /// A room in which nothing was said. With `durable`, lines become visible by [`Room::commit`].
    pub fn new(name: RoomName, memory: Memory, durable: bool) -> Self {
        Self {
            name,
            topic: None,
            entries: VecDeque::new(),
            weight: 0,
            last_id: 0,
            streams: Default::default(),
            uncommitted: VecDeque::new(),
            memory,
            durable,
            members: Vec::new(),
        }
    }

    /// Takes up a line from the log on disk, in order, before anybody is there.
    pub fn restore(&mut self, entry: Entry) {
        self.last_id = entry.id;
        self.remember(entry);
    }

    /// Takes up what is known beyond the lines that were restored: the highest id that was ever given, and the last
    /// topic, which may be older than they are.
    pub fn resume(&mut self, last_id: u64, topic: Option<Box<str>>) {
        self.last_id = self.last_id.max(last_id);
        if topic.is_some() {
            self.topic = topic;
        }
    }

    /// The name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// The topic.
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The id of the last line that members may see; 0 if there is none.
    pub fn last_visible_id(&self) -> u64 {
        self.uncommitted
            .front()
            .map_or(self.last_id, |first| first.id - 1)
    }

    /// The id of the newest line, visible or not; 0 if there is none.
    pub fn newest_id(&self) -> u64 {
        self.last_id
    }

    /// Whether lines wait for the disk.
    pub fn is_waiting(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    /// The lines in one dialect.
    pub fn stream(&self, dialect: Dialect) -> &Stream {
        &self.streams[dialect.index()]
    }

    /// One more or one less reads a dialect.
    pub fn count_reader(&mut self, dialect: Dialect, joins: bool) {
        let readers = &mut self.streams[dialect.index()].readers;
        *readers = if joins {
            *readers + 1
        } else {
            readers.saturating_sub(1)
        };
        if *readers == 0 {
            // Nobody is left who could need what was shown.
            let stream = &mut self.streams[dialect.index()];
            stream.feed.drop_before(stream.visible);
            stream.tidied_at = stream.feed.len();
        }
    }

    /// Puts a line into the log, where [`Room::newest`] has it. Says where it stands in the feeds.
    pub fn append(
        &mut self,
        time: Timestamp,
        kind: Kind,
        nick: Rc<str>,
        text: &str,
        author: Option<Author>,
        receipt: Option<Receipt>,
    ) -> Places {
        self.last_id += 1;
        let entry = Entry {
            id: self.last_id,
            time,
            kind,
            nick,
            text: text.into(),
            author,
        };
        let event = entry.event(&self.name);
        let places = append_event(&mut self.streams, self.durable, &event);
        if self.durable {
            self.uncommitted.push_back(Uncommitted {
                id: self.last_id,
                places: places.clone(),
                ends: [places[0].end, places[1].end],
                receipt,
                topic_before: (kind == Kind::Topic).then(|| self.topic.clone()),
            });
        } else {
            self.show_all();
        }
        self.remember(entry);
        places
    }

    /// The newest line, visible or not.
    pub fn newest(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// Tells the members something that is no line of the log: who comes and goes.
    pub fn announce(&mut self, event: &ChatEvent<'_>) -> Places {
        let places = append_event(&mut self.streams, self.durable, event);
        match self.uncommitted.back_mut() {
            // It follows a line that waits, so it waits with it.
            Some(last) => last.ends = [places[0].end, places[1].end],
            None => self.show_all(),
        }
        places
    }

    /// The lines up to `id` are safe on disk. Calls `receipt` for each that somebody waits for.
    pub fn commit(&mut self, id: u64, mut receipt: impl FnMut(Receipt)) {
        while let Some(first) = self.uncommitted.front() {
            if first.id > id {
                break;
            }
            for (stream, end) in self.streams.iter_mut().zip(first.ends) {
                stream.visible = end;
            }
            if let Some(done) = first.receipt {
                receipt(done);
            }
            self.uncommitted.pop_front();
        }
    }

    /// The lines that wait cannot be stored: they were never said. Calls `receipt` for each that somebody
    /// waits for. The outboxes of the members are to be truncated to [`Stream::visible`]. Who came and went meanwhile
    /// did so all the same: those notices are given back, in each dialect, for [`Room::repeat`].
    pub fn roll_back(&mut self, mut receipt: impl FnMut(Receipt)) -> [Vec<Vec<u8>>; 2] {
        let Some(first) = self.uncommitted.front() else {
            return Default::default();
        };
        self.last_id = first.id - 1;
        let topic = self
            .uncommitted
            .iter_mut()
            .find_map(|lost| lost.topic_before.take());
        if let Some(topic) = topic {
            self.topic = topic;
        }
        let mut notices: [Vec<Vec<u8>>; 2] = Default::default();
        for lost in self.uncommitted.drain(..) {
            for (dialect, stream) in self.streams.iter().enumerate() {
                let range = lost.places[dialect].end..lost.ends[dialect];
                let lost = stream.feed.copy(range);
                let lines = lost.split_inclusive(|&byte| byte == b'\n');
                notices[dialect].extend(lines.map(<[u8]>::to_vec));
            }
            if let Some(lost) = lost.receipt {
                receipt(lost);
            }
        }
        while self
            .entries
            .back()
            .is_some_and(|entry| entry.id > self.last_id)
        {
            if let Some(entry) = self.entries.pop_back() {
                self.weight -= entry.weight();
            }
        }
        for stream in &mut self.streams {
            stream.feed.truncate(stream.visible);
        }
        notices
    }

    /// Tells the members again what had followed lines that were taken back. Once their outboxes are truncated.
    pub fn repeat(&mut self, notices: [Vec<Vec<u8>>; 2]) {
        for (stream, notices) in self.streams.iter_mut().zip(notices) {
            for notice in notices {
                stream.feed.append(|out| out.extend_from_slice(&notice));
            }
        }
        if self.uncommitted.is_empty() {
            self.show_all();
        }
    }

    /// The lines that wait for the disk, oldest first: where they stand in the feeds, from whom they are, and who is
    /// to be told.
    pub fn hidden(&self) -> impl Iterator<Item = (&Places, &Entry, Option<Receipt>)> {
        // The memory holds at least the newest, but not always as many as wait.
        let known = self.entries.len().min(self.uncommitted.len());
        let waiting = self.uncommitted.range(self.uncommitted.len() - known..);
        let entries = self.entries.range(self.entries.len() - known..);
        waiting
            .zip(entries)
            .map(|(line, entry)| (&line.places, entry, line.receipt))
    }

    /// The visible lines with ids above `after`, oldest first.
    pub fn since(&self, after: u64) -> Iter<'_, Entry> {
        let last = self.last_visible_id();
        let end = self.entries.partition_point(|entry| entry.id <= last);
        let start = self
            .entries
            .partition_point(|entry| entry.id <= after)
            .min(end);
        self.entries.range(start..end)
    }

    /// The last `count` visible lines, oldest first.
    pub fn last(&self, count: usize) -> Skip<Iter<'_, Entry>> {
        let all = self.since(0);
        let surplus = all.len().saturating_sub(count);
        all.skip(surplus)
    }

    /// The id of the oldest line that is still kept, or the next id.
    pub fn oldest_id(&self) -> u64 {
        self.entries
            .front()
            .map_or(self.last_id + 1, |entry| entry.id)
    }

    /// When the last line was said that is still kept.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.entries.back().map(|entry| entry.time)
    }

    /// Whether a feed has grown so much that it is worth looking for what can be dropped.
    pub fn wants_tidying(&self) -> bool {
        self.streams
            .iter()
            .any(|stream| stream.feed.len() >= stream.tidied_at + TIDY_STEP)
    }

    /// Drops what nobody needs, and what is beyond `limit` bytes whoever needs it. `needed[d]` is the
    /// first position that a member of dialect `d` still needs.
    pub fn tidy(&mut self, needed: [u64; 2], limit: usize) {
        for (stream, needed) in self.streams.iter_mut().zip(needed) {
            stream.feed.drop_before(needed.min(stream.visible));
            let hidden = (stream.feed.end() - stream.visible) as usize;
            stream.feed.shrink_to(limit + hidden);
            stream.tidied_at = stream.feed.len();
        }
    }

    fn show_all(&mut self) {
        for stream in &mut self.streams {
            stream.visible = stream.feed.end();
        }
    }

    fn set_topic(&mut self, entry: &Entry) {
        self.topic = (!entry.text.is_empty()).then(|| entry.text.clone());
    }

    fn remember(&mut self, entry: Entry) {
        if entry.kind == Kind::Topic {
            self.set_topic(&entry);
        }
        self.weight += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > 1
            && (self.entries.len() > self.memory.lines || self.weight > self.memory.bytes)
        {
            if let Some(oldest) = self.entries.pop_front() {
                self.weight -= oldest.weight();
            }
        }
    }
}

/// Encodes an event for every dialect that somebody reads.
fn append_event(streams: &mut [Stream; 2], durable: bool, event: &ChatEvent<'_>) -> Places {
    Dialect::ALL.map(|dialect| {
        let stream = &mut streams[dialect.index()];
        if stream.readers == 0 && !durable {
            let end = stream.feed.end();
            return end..end;
        }
        stream.feed.append(|out| render(dialect, out, event))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Memory = Memory {
        lines: 3,
        bytes: 10_000,
    };

    fn room(durable: bool) -> Room {
        let mut room = Room::new(RoomName::lobby(), MEMORY, durable);
        room.count_reader(Dialect::Plain, true);
        room
    }

    fn say(room: &mut Room, text: &str) -> u64 {
        let receipt = Receipt {
            conn: ConnId {
                slot: 1,
                generation: 0,
            },
            session: None,
            seq: room.last_id + 1,
        };
        room.append(
            Timestamp::default(),
            Kind::Message,
            "ann".into(),
            text,
            None,
            Some(receipt),
        );
        room.newest_id()
    }

    fn shown(room: &Room) -> String {
        let stream = room.stream(Dialect::Plain);
        let bytes = stream.feed.copy(0..stream.visible);
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[test]
    fn ids_grow_by_one_and_memory_has_an_end() {
        let mut room = room(false);
        let ids: Vec<u64> = ["a", "b", "c", "d"].map(|text| say(&mut room, text)).into();
        assert_eq!(ids, [1, 2, 3, 4]);
        let kept: Vec<u64> = room.since(0).map(|entry| entry.id).collect();
        assert_eq!(kept, [2, 3, 4]);
        assert_eq!(room.oldest_id(), 2);
        assert_eq!(
            room.last(2).map(|entry| entry.id).collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!(room.since(3).map(|entry| entry.id).collect::<Vec<_>>(), [4]);
        assert_eq!(room.since(9).count(), 0);
    }

    #[test]
    fn with_a_log_nobody_sees_a_line_before_it_is_safe() {
        let mut room = room(true);
        say(&mut room, "one");
        room.announce(&ChatEvent::Notice {
            text: "news".into(),
        });
        say(&mut room, "two");
        assert_eq!(shown(&room), "");
        assert_eq!(room.last_visible_id(), 0);
        assert_eq!(room.since(0).count(), 0);
        let mut receipts = Vec::new();
        room.commit(1, |receipt| receipts.push(receipt.seq));
        assert_eq!(shown(&room), "<ann> one\n* news\n");
        room.commit(2, |receipt| receipts.push(receipt.seq));
        assert_eq!(shown(&room), "<ann> one\n* news\n<ann> two\n");
        assert_eq!(receipts, [1, 2]);
    }

    #[test]
    fn a_line_that_cannot_be_stored_was_never_said() {
        let mut room = room(true);
        say(&mut room, "one");
        room.commit(1, |_| ());
        say(&mut room, "two");
        let (nick, time) = ("ann".into(), Timestamp::default());
        room.append(time, Kind::Topic, nick, "tea", None, None);
        let mut refused = Vec::new();
        room.roll_back(|receipt| refused.push(receipt.seq));
        assert_eq!(refused, [2]);
        assert_eq!(room.topic(), None);
        assert_eq!(say(&mut room, "three"), 2, "the id was given back");
        room.commit(2, |_| ());
        assert_eq!(shown(&room), "<ann> one\n<ann> three\n");
    }

    #[test]
    fn who_came_while_a_line_waited_is_told_even_if_the_line_is_lost() {
        let mut room = room(true);
        say(&mut room, "one");
        for news in ["bob joined", "carl left"] {
            room.announce(&ChatEvent::Notice { text: news.into() });
        }
        say(&mut room, "two");
        let notices = room.roll_back(|_| ());
        assert_eq!(shown(&room), "");
        room.repeat(notices);
        assert_eq!(shown(&room), "* bob joined\n* carl left\n");
        let id = say(&mut room, "three");
        room.commit(id, |_| ());
        assert_eq!(shown(&room), "* bob joined\n* carl left\n<ann> three\n");
    }

    #[test]
    fn the_newest_topic_counts_also_after_a_restart() {
        let mut room = room(false);
        room.append(
            Timestamp::default(),
            Kind::Topic,
            "ann".into(),
            "tea",
            None,
            None,
        );
        assert_eq!(room.topic(), Some("tea"));
        let entry = room.since(0).next().expect("the topic").clone();
        let mut again = Room::new(RoomName::lobby(), MEMORY, true);
        again.restore(entry);
        assert_eq!(again.topic(), Some("tea"));
        assert_eq!(again.last_visible_id(), 1);
    }

    #[test]
    fn tidying_drops_what_all_have_passed_and_what_is_over_the_limit() {
        let mut room = room(false);
        for _ in 0..10 {
            say(&mut room, "0123456789");
        }
        let line = "<ann> 0123456789\n".len();
        room.tidy([2 * line as u64, u64::MAX], 1 << 20);
        assert_eq!(room.stream(Dialect::Plain).feed.base(), 2 * line as u64);
        room.tidy([0, 0], 3 * line);
        assert_eq!(room.stream(Dialect::Plain).feed.len(), 3 * line);
    }
}
