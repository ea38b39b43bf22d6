//! The chat server, as a machine: everything it decides, and nothing it touches.
//!
//! - `door`: who comes in, how a person is told from a program, passwords, sessions that come back;
//! - `input`: from bytes to lines, at the rate and in the portions that are fair;
//! - `commands`: what a line asks for; `operator`: the same on the operators' socket;
//! - `delivery`: what goes out, when, and what happens to those who do not take it;
//! - `comings`: notices of who joined and left, few however many they are;
//! - `leaving`: farewells, idle timeouts, the end of the server.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod comings;
mod commands;
mod config;
mod delivery;
mod door;
mod input;
mod leaving;
mod member;
mod operator;
mod report;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use slab::Slab;

use self::comings::Comings;
use self::member::{Member, Stage};
use self::session::{Sessions, Token};
use crate::chat::feed::Feed;
use crate::chat::journal;
use crate::chat::nick::{Key, RoomName};
use crate::chat::render::{Dialect, render};
use crate::chat::room::{Entry, Receipt, Room};
use crate::chat::wire::ChatEvent;
use crate::core::machine::{ConnId, Effect, Event, Machine, Now, Origin, Pending, Signal};
use crate::core::timers::Timers;

pub use self::config::{Access, Config, Limits, Password, Rate, Slow};
pub use self::report::{Happening, Report};

/// The origin of connections on the operators' socket. Every other origin is a client's.
pub const OPERATORS: Origin = Origin(u32::MAX);

/// How long a new connection may keep silent before it is taken for a person's.
pub const RECOGNITION: Duration = Duration::from_millis(250);

/// How long a program may take to complete its hello.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many encoded bytes one turn may add to the rooms before it must be delivered: what bounds the distance
/// between the newest line and a member that takes everything.
const TURN_INTAKE: usize = 256 * 1024;

/// How many encoded bytes may wait for the disk before no more lines are taken.
const MAX_UNSTORED: usize = 1024 * 1024;

/// What the program around the machine is asked to do.
#[derive(Debug)]
pub enum Action {
    /// Store lines of a room, and answer with a [`Note`].
    Store(Batch),
    /// Tell the operator.
    Report(Report),
}

/// Lines to store.
#[derive(Debug)]
pub struct Batch {
    /// Which room, for the answer.
    pub room: usize,
    /// Counts the failures of this room: once a batch has failed, those of the same attempt fail with it.
    pub attempt: u64,
    /// The room's name.
    pub name: RoomName,
    /// The ids of the first and the last line.
    pub ids: (u64, u64),
    /// The lines, as [`journal`] writes them.
    pub bytes: Vec<u8>,
}

/// What the program around the machine reports.
#[derive(Debug)]
pub enum Note {
    /// The lines up to this id are safe.
    Stored {
        /// The batch's room.
        room: usize,
        /// The last id.
        id: u64,
    },
    /// A batch could not be stored.
    StoreFailed {
        /// The batch's room.
        room: usize,
        /// The batch's attempt.
        attempt: u64,
        /// Why.
        reason: String,
    },
    /// The descriptors' limit or something like it is worth a line to the operator.
    Warning(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Recognition, handshake, idle timeout: whatever this member waits for.
    Member(ConnId),
    /// Input that was held back for the rate.
    Input(ConnId),
    /// A member that leaves has had its time.
    Leaving(ConnId),
    /// The notices of a room that were gathered.
    Comings(usize),
    /// A session's grace is over: the room is told.
    Grace(Token),
    /// Sessions that nobody came back for.
    Sessions,
    /// The farewell has taken long enough.
    Drain,
}

/// Who has a nick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Conn(ConnId),
    Session(Token),
}

/// A room with what the server needs around it.
struct Place {
    room: Room,
    comings: Comings,
    /// Has something that members may not have been offered yet.
    dirty: bool,
    /// Lines on their way to the disk.
    unsaved: Vec<u8>,
    unsaved_from: u64,
    attempt: u64,
    /// Encoded bytes that wait for the disk.
    unstored: usize,
}

/// The end of the server, while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// Lines still wait for the disk.
    Storing,
    /// Everybody was told.
    Draining,
}

/// The chat server.
pub struct Server {
    config: Config,
    members: Vec<Option<Box<Member>>>,
    clients: usize,
    per_ip: HashMap<IpAddr, usize>,
    wrong_passwords: HashMap<IpAddr, (u32, Duration)>,
    banned: Vec<IpNet>,
    places: Slab<Place>,
    places_by_key: HashMap<Key, usize>,
    nicks: HashMap<Key, Holder>,
    next_guest: u64,
    sessions: Sessions,
    /// Who ignores a nick. The members' own lists say the same from the other side.
    ignored_by: HashMap<Key, Vec<ConnId>>,
    timers: Timers<Timer>,
    effects: VecDeque<Effect<Action>>,

    dirty_members: Vec<ConnId>,
    dirty_places: Vec<usize>,
    /// The room whose members are being named for sending, and how many are still to be.
    sweep: Option<(usize, usize)>,
    unacked: Vec<Token>,
    unsaved_places: Vec<usize>,

    /// Members whose input waits for the next turn.
    held: VecDeque<ConnId>,
    turn_bytes: usize,
    unstored: usize,

    closing: Option<Closing>,
    ended_by: Option<Signal>,
    /// The time of the event at hand.
    latest: Now,
}

impl Server {
    /// A server with a lobby and nobody in it.
    pub fn new(config: Config) -> Self {
        let mut server = Self {
            config,
            members: Vec::new(),
            clients: 0,
            per_ip: HashMap::new(),
            wrong_passwords: HashMap::new(),
            banned: Vec::new(),
            places: Slab::new(),
            places_by_key: HashMap::new(),
            nicks: HashMap::new(),
            next_guest: 0,
            sessions: Sessions::default(),
            ignored_by: HashMap::new(),
            timers: Timers::new(),
            effects: VecDeque::new(),
            dirty_members: Vec::new(),
            dirty_places: Vec::new(),
            sweep: None,
            unacked: Vec::new(),
            unsaved_places: Vec::new(),
            held: VecDeque::new(),
            turn_bytes: 0,
            unstored: 0,
            closing: None,
            ended_by: None,
            latest: Now {
                since_start: Duration::ZERO,
                unix_micros: 0,
            },
        };
        server.make_place(RoomName::lobby());
        server
    }

    /// Takes up the log of a room as it stands on disk, before the server runs.
    pub fn restore(&mut self, name: RoomName, entries: impl Iterator<Item = Entry>) {
        let index = match self.places_by_key.get(&name.key()) {
            Some(&index) => index,
            None => self.make_place(name),
        };
        for entry in entries {
            if let Some(author) = entry.author {
                self.sessions.logged(author.session, author.seq);
            }
            self.places[index].room.restore(entry);
        }
    }

    /// The signal that ended the server, if one did.
    pub fn ended_by(&self) -> Option<Signal> {
        self.ended_by
    }

    fn make_place(&mut self, name: RoomName) -> usize {
        let key = name.key();
        let room = Room::new(name, self.config.memory, self.config.durable);
        let index = self.places.insert(Place {
            room,
            comings: Comings::default(),
            dirty: false,
            unsaved: Vec::new(),
            unsaved_from: 0,
            attempt: 0,
            unstored: 0,
        });
        self.places_by_key.insert(key, index);
        index
    }

    fn member(&mut self, conn: ConnId) -> Option<&mut Member> {
        self.members
            .get_mut(conn.slot as usize)?
            .as_deref_mut()
            .filter(|member| member.conn == conn)
    }

    fn peek(&self, conn: ConnId) -> Option<&Member> {
        self.members
            .get(conn.slot as usize)?
            .as_deref()
            .filter(|member| member.conn == conn)
    }

    /// Sends one event to one member.
    fn tell(&mut self, conn: ConnId, event: &ChatEvent<'_>) {
        let Some(member) = self.member(conn) else {
            return;
        };
        let mut bytes = Vec::new();
        render(member.dialect, &mut bytes, event);
        self.send(conn, bytes);
    }

    /// Sends a line of the server's own to one member.
    fn notice(&mut self, conn: ConnId, text: &str) {
        self.tell(conn, &ChatEvent::Notice { text: text.into() });
    }

    /// Sends bytes to one member alone, behind everything that it was sent before.
    fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let places = &self.places;
        let Some(member) = self
            .members
            .get_mut(conn.slot as usize)
            .and_then(|member| member.as_deref_mut())
            .filter(|member| member.conn == conn)
        else {
            return;
        };
        let feed: Option<&Feed> = member
            .place
            .map(|seat| &places[seat.room].room.stream(member.dialect).feed);
        member.outbox.push(feed, bytes);
        if member.outbox.own_bytes() > self.config.limits.send_queue {
            // Answers that are asked for and never read: no policy of skipping is owed for those.
            self.abort(conn, "does not read what it asked for");
            return;
        }
        self.mark_member(conn);
    }

    fn mark_member(&mut self, conn: ConnId) {
        if let Some(member) = self.member(conn) {
            if !member.dirty && !member.blocked {
                member.dirty = true;
                self.dirty_members.push(conn);
            }
        }
    }

    fn mark_place(&mut self, index: usize) {
        let place = &mut self.places[index];
        if !place.dirty {
            place.dirty = true;
            self.dirty_places.push(index);
        }
    }

    fn report(&mut self, make: impl FnOnce() -> Report) {
        if self.config.reports {
            self.effects.push_back(Effect::Act(Action::Report(make())));
        }
    }

    fn on_deadline(&mut self, now: Now) {
        while let Some(timer) = self.timers.pop_due(now.since_start) {
            match timer {
                Timer::Member(conn) => self.on_member_timer(now, conn),
                Timer::Input(conn) => self.resume_input(now, conn),
                Timer::Leaving(conn) => self.forget(now, conn, true),
                Timer::Comings(place) => self.say_comings(now, place),
                Timer::Grace(token) => self.end_grace(now, token),
                Timer::Sessions => self.expire_sessions(now),
                Timer::Drain => self.end_drain(),
            }
        }
        for _ in 0..self.held.len() {
            if self.intake_full() {
                break;
            }
            if let Some(conn) = self.held.pop_front() {
                self.resume_input(now, conn);
            }
        }
    }

    fn on_note(&mut self, now: Now, note: Note) {
        match note {
            Note::Stored { room, id } => {
                let Some(place) = self.places.get_mut(room) else {
                    return;
                };
                let mut receipts = Vec::new();
                place.room.commit(id, |receipt| receipts.push(receipt));
                if place.room.last_visible_id() >= id && place.unsaved.is_empty() {
                    self.unstored = self.unstored.saturating_sub(place.unstored);
                    place.unstored = 0;
                }
                self.mark_place(room);
                for receipt in receipts {
                    self.settle_receipt(receipt);
                }
            }
            Note::StoreFailed {
                room,
                attempt,
                reason,
            } => self.on_store_failed(room, attempt, &reason),
            Note::Warning(text) => {
                self.report(|| Report::warning(now, text));
                return;
            }
        }
        if self.closing == Some(Closing::Storing) {
            self.say_goodbye_to_all(now);
        }
    }

    fn settle_receipt(&mut self, receipt: Receipt) {
        if let Some(token) = self.peek(receipt.conn).and_then(|member| member.session) {
            if let Some(session) = self.sessions.get(token) {
                session.settled(receipt.seq);
                self.unacked.push(token);
            }
        }
    }

    fn on_store_failed(&mut self, index: usize, attempt: u64, reason: &str) {
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        if attempt != place.attempt {
            return;
        }
        place.attempt += 1;
        place.unsaved.clear();
        self.unstored = self.unstored.saturating_sub(place.unstored);
        place.unstored = 0;
        let mut refused = Vec::new();
        place.room.roll_back(|receipt| refused.push(receipt));
        let room = &place.room;
        for &slot in &room.members {
            if let Some(member) = &mut self.members[slot as usize] {
                let stream = room.stream(member.dialect);
                member.outbox.truncate(&stream.feed, stream.visible);
            }
        }
        let text = format!("not delivered: the room's log cannot be written: {reason}");
        for receipt in refused {
            let seq = receipt.seq;
            let structured = self
                .peek(receipt.conn)
                .is_some_and(|member| member.dialect == Dialect::Structured);
            if structured {
                let text = text.as_str().into();
                self.tell(receipt.conn, &ChatEvent::Refusal { seq, text });
                self.settle_receipt(receipt);
            } else {
                self.notice(receipt.conn, &text);
            }
        }
    }

    /// Hands the lines of this turn to the disk.
    fn hand_out_batches(&mut self) {
        for index in std::mem::take(&mut self.unsaved_places) {
            let Some(place) = self.places.get_mut(index) else {
                continue;
            };
            if place.unsaved.is_empty() {
                continue;
            }
            let last = place.room.newest_id();
            let batch = Batch {
                room: index,
                attempt: place.attempt,
                name: place.room.name().clone(),
                ids: (place.unsaved_from, last),
                bytes: std::mem::take(&mut place.unsaved),
            };
            self.effects.push_back(Effect::Act(Action::Store(batch)));
        }
    }

    /// Notes a line of the log for the disk.
    fn save(&mut self, index: usize, entry: &Entry) {
        let place = &mut self.places[index];
        if place.unsaved.is_empty() {
            place.unsaved_from = entry.id;
            self.unsaved_places.push(index);
        }
        let before = place.unsaved.len();
        journal::write(&mut place.unsaved, entry);
        let written = place.unsaved.len() - before;
        place.unstored += written;
        self.unstored += written;
    }

    fn intake_full(&self) -> bool {
        self.turn_bytes >= TURN_INTAKE || self.unstored >= MAX_UNSTORED
    }
}

impl Machine for Server {
    type Note = Note;
    type Action = Action;

    fn handle(&mut self, now: Now, event: Event<'_, Note>) {
        self.latest = now;
        match event {
            Event::Opened { conn, origin, peer } => self.on_opened(now, conn, origin, peer),
            Event::Received { conn, bytes } => self.on_received(now, conn, bytes),
            Event::EndOfInput { conn } => self.on_end_of_input(now, conn),
            Event::Writable { conn } => {
                if let Some(member) = self.member(conn) {
                    member.blocked = false;
                    self.mark_member(conn);
                }
            }
            Event::Closed { conn, .. } => self.forget(now, conn, false),
            Event::Deadline => self.on_deadline(now),
            Event::Signal(signal) => self.on_signal(now, signal),
            Event::AcceptPaused(paused) => {
                let text = match paused {
                    true => "out of file descriptors: new connections wait (ulimit -n)",
                    false => "new connections are accepted again",
                };
                self.report(|| Report::warning(now, text.into()));
            }
            Event::Note(note) => self.on_note(now, note),
        }
    }

    fn appetite(&self, conn: ConnId) -> usize {
        /// Without a limit on the rate: as much as the driver gives in one turn.
        const WHOLE: usize = 64 * 1024;
        /// With one, what is read ahead of the rate is memory that a flood costs: a line and a little.
        const AHEAD: usize = 4 * 1024;
        let Some(member) = self.peek(conn) else {
            return 0;
        };
        if member.held
            || member.stage == Stage::Leaving
            || self.closing.is_some()
            || self.intake_full()
        {
            return 0;
        }
        match self.config.limits.rate {
            None => WHOLE,
            Some(_) => AHEAD + self.config.limits.max_line,
        }
    }

    fn next_transmit(&mut self, now: Now) -> Option<ConnId> {
        self.next_to_send(now)
    }

    fn pending(&self, conn: ConnId) -> Pending<'_> {
        self.pending_of(conn)
    }

    fn sent(&mut self, _now: Now, conn: ConnId, bytes: usize) {
        if let Some(member) = self.member(conn) {
            member.outbox.sent(bytes);
        }
    }

    fn blocked(&mut self, _now: Now, conn: ConnId) {
        let places = &self.places;
        if let Some(Some(member)) = self.members.get_mut(conn.slot as usize) {
            member.blocked = true;
            if let Some(seat) = member.place {
                let feed = &places[seat.room].room.stream(member.dialect).feed;
                member.outbox.blocked(feed);
            }
        }
    }

    fn effect(&mut self) -> Option<Effect<Action>> {
        self.hand_out_batches();
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        if !self.held.is_empty() && !self.intake_full() {
            return Some(Duration::ZERO);
        }
        self.timers.next()
    }
}
