//! Notices of who joined and who left: at once while they are few, together when they are many.
//!
//! A notice goes to every member, so if each of ten thousand who join were announced alone, that would be
//! fifty million deliveries. Here a room says at most one notice a second beyond the first few, so the cost
//! grows with the time and not with the square of the crowd.

use std::time::Duration;

use super::report::stamp;
use super::{Server, Timer};
use crate::chat::room::Places;
use crate::chat::wire::ChatEvent;
use crate::core::machine::{ConnId, Now};

/// How often a room with much coming and going says so.
const PERIOD: Duration = Duration::from_secs(1);

/// So many notices are said at once in each period, in rooms of a size where that costs nothing.
const AT_ONCE: u32 = 8;

/// The size.
const SMALL_ROOM: usize = 64;

/// How many names a gathered notice has.
const NAMES: usize = 5;

/// What a room has still to say.
#[derive(Debug, Default)]
pub(super) struct Comings {
    joined: Crowd,
    left: Crowd,
    /// The period that runs, and how many notices it has had.
    period: Option<Duration>,
    said: u32,
    timer_set: bool,
}

#[derive(Debug, Default)]
struct Crowd {
    names: Vec<String>,
    more: u64,
    /// The first of them: nobody is told of himself alone.
    first: Option<ConnId>,
}

impl Crowd {
    fn add(&mut self, nick: &str, conn: Option<ConnId>) {
        if self.is_empty() {
            self.first = conn;
        }
        if self.names.len() < NAMES {
            self.names.push(nick.to_string());
        } else {
            self.more += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The only one.
    fn sole(&self) -> Option<ConnId> {
        self.first.filter(|_| self.names.len() == 1)
    }
}

impl Comings {
    /// Whether a notice may be said at once; if not, when the next may be.
    fn admit(&mut self, now: Duration, room_size: usize) -> Result<(), Duration> {
        let begun = match self.period {
            Some(begun) if begun + PERIOD > now => begun,
            _ => {
                self.period = Some(now);
                self.said = 0;
                now
            }
        };
        let allowed = if room_size <= SMALL_ROOM { AT_ONCE } else { 1 };
        let waiting = !self.joined.is_empty() || !self.left.is_empty();
        if self.said < allowed && !waiting {
            self.said += 1;
            return Ok(());
        }
        Err(begun + PERIOD)
    }
}

impl Server {
    /// Tells a room that somebody came. `newcomer` is not told of itself.
    pub(super) fn announce_joined(&mut self, now: Now, index: usize, nick: &str, newcomer: ConnId) {
        if self.gather(now, index, nick, Some(newcomer)) {
            return;
        }
        let event = ChatEvent::Joined {
            room: self.places[index].room.name().as_str().to_string().into(),
            time: stamp(now),
            nicks: vec![nick.into()],
            more: 0,
        };
        let places = self.announce(index, &event);
        self.leave_out(newcomer, index, &places);
    }

    /// Tells a room that somebody went.
    pub(super) fn announce_left(&mut self, now: Now, index: usize, nick: &str) {
        if self.gather(now, index, nick, None) {
            return;
        }
        let event = ChatEvent::Left {
            room: self.places[index].room.name().as_str().to_string().into(),
            time: stamp(now),
            nicks: vec![nick.into()],
            more: 0,
        };
        self.announce(index, &event);
    }

    /// Whether the news was put aside to be told later. Without a newcomer it is that somebody left.
    fn gather(&mut self, now: Now, index: usize, nick: &str, newcomer: Option<ConnId>) -> bool {
        let place = &mut self.places[index];
        let size = place.room.members.len();
        let comings = &mut place.comings;
        let Err(later) = comings.admit(now.since_start, size) else {
            return false;
        };
        match newcomer {
            Some(_) => comings.joined.add(nick, newcomer),
            None => comings.left.add(nick, None),
        }
        if !std::mem::replace(&mut comings.timer_set, true) {
            self.timers.set(later, Timer::Comings(index));
        }
        true
    }

    /// Says what was gathered.
    pub(super) fn say_comings(&mut self, now: Now, index: usize) {
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        place.comings.timer_set = false;
        place.comings.period = Some(now.since_start);
        place.comings.said = 1;
        let joined = std::mem::take(&mut place.comings.joined);
        let left = std::mem::take(&mut place.comings.left);
        let room = place.room.name().as_str().to_string();
        let time = stamp(now);
        let cows = |names: Vec<String>| names.into_iter().map(Into::into).collect();
        let sole = joined.sole();
        let mut news = None;
        if !joined.is_empty() {
            let places = place.room.announce(&ChatEvent::Joined {
                room: room.as_str().into(),
                time,
                nicks: cows(joined.names),
                more: joined.more,
            });
            news = sole.map(|newcomer| (newcomer, places));
        }
        if !left.is_empty() {
            place.room.announce(&ChatEvent::Left {
                room: room.as_str().into(),
                time,
                nicks: cows(left.names),
                more: left.more,
            });
        }
        if let Some((newcomer, places)) = news {
            self.leave_out(newcomer, index, &places);
        }
        self.mark_place(index);
    }

    /// Leaves a range of the room's feeds out for one member.
    pub(super) fn leave_out(&mut self, conn: ConnId, index: usize, ranges: &Places) {
        let places = &self.places;
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return;
        };
        if member.conn != conn || member.place.is_none_or(|seat| seat.room != index) {
            return;
        }
        if let Some(stream) = member.stream(places) {
            let range = &ranges[member.dialect.index()];
            member.outbox.skip(&stream.feed, range);
        }
    }
}
