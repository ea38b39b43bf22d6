//! The chat server, as a machine: everything it decides, and nothing it touches.
//!
//! - `door`: who comes in, how a person is told from a program, passwords, sessions that come back;
//! - `input`: from bytes to lines, at the rate and in the portions that are fair;
//! - `commands`: what a line asks for; `operator`: the same on the operators' socket;
//! - `catch_up`: what a client that comes back has missed;
//! - `delivery`: what goes out, when, and what happens to those who do not take it;
//! - `comings`: notices of who joined and left, few however many they are;
//! - `leaving`: farewells, idle timeouts, the end of the server.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod catch_up;
mod comings;
mod commands;
mod config;
mod delivery;
mod door;
mod input;
mod leaving;
mod member;
mod operator;
mod past;
mod report;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use ipnet::IpNet;
use slab::Slab;

use self::comings::Comings;
use self::member::{Member, Stage};
use self::past::Past;
use self::session::Sessions;
use crate::chat::journal;
use crate::chat::nick::{Key, RoomName};
use crate::chat::render::render;
use crate::chat::room::{Author, Entry, Kind, Places, Receipt, Room};
use crate::chat::token::Token;
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

/// How many bytes a member's own answers may be above the limit. Nobody is asked for a line while half of the limit
/// waits, so that this holds the longest answers to one line, and what the server has to say in farewell.
const OVERDRAFT: usize = 256 * 1024;

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
    /// Whose they are.
    pub authors: Vec<Author>,
    /// Where in the bytes the last topic is.
    pub topic: Option<Range<usize>>,
}

/// A room as its log has it.
#[derive(Debug)]
pub struct Kept {
    /// Its name.
    pub name: RoomName,
    /// The newest lines that fit the memory, in order. Their ids grow, by one where nothing was lost.
    pub entries: Vec<Entry>,
    /// The highest id, from which the ids go on. It is the last entry's unless that is of a kind which only a newer
    /// version understands.
    pub last_id: u64,
    /// The last topic, which may be older than the entries.
    pub topic: Option<Entry>,
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
    /// Whose they are, and where the last topic among them is.
    unsaved_authors: Vec<Author>,
    unsaved_topic: Option<Range<usize>>,
    attempt: u64,
    /// The batches that the disk has not answered, each with its last id and its length in bytes.
    in_flight: VecDeque<(u64, usize)>,
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
    /// Those who count for the limits.
    clients: usize,
    /// Those who are here only to be told that they may not come in.
    refused: usize,
    operators: usize,
    per_ip: HashMap<IpAddr, usize>,
    wrong_passwords: HashMap<IpAddr, (u32, Duration)>,
    banned: Vec<IpNet>,
    places: Slab<Place>,
    places_by_key: HashMap<Key, usize>,
    past: Past,
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
    /// Input was turned away for want of room in this turn, so there has to be another.
    wants_turn: bool,
    /// Encoded bytes that wait for the disk.
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
            refused: 0,
            operators: 0,
            per_ip: HashMap::new(),
            wrong_passwords: HashMap::new(),
            banned: Vec::new(),
            places: Slab::new(),
            places_by_key: HashMap::new(),
            past: Past::default(),
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
            wants_turn: false,
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

    /// Takes up the log of a room as it stands on disk, before the server runs. Of rooms that are too many only the
    /// ids and the topic are kept: those that should be whole come first.
    pub fn restore(&mut self, kept: Kept) {
        let topic = kept.topic.as_ref().map(|topic| topic.text.clone());
        let topic = topic.filter(|topic| !topic.is_empty());
        let index = match self.places_by_key.get(&kept.name.key()) {
            Some(&index) => index,
            None if self.places.len() >= self.config.max_rooms => {
                self.past.leave(kept.name.key(), kept.last_id, topic);
                return;
            }
            None => self.make_place(kept.name),
        };
        let room = &mut self.places[index].room;
        for entry in kept.entries {
            room.restore(entry);
        }
        room.resume(kept.last_id, topic);
    }

    /// Takes up who has said what was restored, and up to which number, in the order in which they spoke last.
    pub fn remember(&mut self, authors: impl IntoIterator<Item = Author>) {
        for author in authors {
            self.sessions.logged(author);
        }
    }

    /// The signal that ended the server, if one did.
    pub fn ended_by(&self) -> Option<Signal> {
        self.ended_by
    }

    fn make_place(&mut self, name: RoomName) -> usize {
        let key = name.key();
        let (last_id, topic) = self.past.come_back(&key);
        let mut room = Room::new(name, self.config.memory, self.config.durable);
        room.resume(last_id, topic);
        let index = self.places.insert(Place {
            room,
            comings: Comings::default(),
            dirty: false,
            unsaved: Vec::new(),
            unsaved_from: 0,
            unsaved_authors: Vec::new(),
            unsaved_topic: None,
            attempt: 0,
            in_flight: VecDeque::new(),
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
        let stream = member.stream(places);
        let feed = stream.map(|stream| (&stream.feed, stream.visible));
        member.answered += bytes.len();
        member.outbox.push(feed, bytes);
        let own = member.outbox.own_bytes();
        if own > self.config.limits.send_queue + OVERDRAFT && !member.operator {
            // No policy of skipping is owed for answers that are asked for and never read.
            self.abort(conn, "does not read what it asked for");
            return;
        }
        self.mark_member(conn);
    }

    /// Tells a room something that is no line of its log. It counts for the turn as lines do: else a flood of new
    /// nicks would push out of the feed what members who take everything were not offered yet.
    fn announce(&mut self, index: usize, event: &ChatEvent<'_>) -> Places {
        let places = self.places[index].room.announce(event);
        self.turn_bytes += encoded_bytes(&places);
        self.mark_place(index);
        places
    }

    fn mark_member(&mut self, conn: ConnId) {
        if let Some(member) = self.member(conn)
            && !member.dirty
            && !member.blocked
        {
            member.dirty = true;
            self.dirty_members.push(conn);
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
        self.wants_turn = false;
        while let Some(timer) = self.timers.pop_due(now.since_start) {
            match timer {
                Timer::Member(conn) => self.on_alarm(now, conn),
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
                while let Some(&(last, bytes)) = place.in_flight.front() {
                    if last > id {
                        break;
                    }
                    place.in_flight.pop_front();
                    self.unstored -= bytes;
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
        let token = receipt.session;
        if let Some(session) = token.and_then(|token| self.sessions.get(token)) {
            session.settled(receipt.seq);
            self.unacked.extend(token);
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
        let in_flight: usize = place.in_flight.drain(..).map(|(_, bytes)| bytes).sum();
        self.unstored -= in_flight + place.unsaved.len();
        place.unsaved.clear();
        place.unsaved_authors.clear();
        place.unsaved_topic = None;
        let mut refused = Vec::new();
        let notices = place.room.roll_back(|receipt| refused.push(receipt));
        let room = &place.room;
        for &slot in &room.members {
            if let Some(member) = &mut self.members[slot as usize]
                && member.catching_up.is_none()
            {
                let stream = room.stream(member.dialect);
                member.outbox.truncate(&stream.feed, stream.visible);
            }
        }
        place.room.repeat(notices);
        let (now, name) = (self.latest, place.room.name().to_string());
        self.report(|| Report::warning(now, format!("cannot write the log of {name}: {reason}")));
        self.mark_place(index);
        let text = format!("not delivered: the room's log cannot be written: {reason}");
        for receipt in refused {
            match receipt.session {
                Some(token) => {
                    self.refuse_line(token, receipt.seq, &text);
                    self.settle_receipt(receipt);
                }
                None => self.notice(receipt.conn, &text),
            }
        }
    }

    /// Tells a session that a line of its was not delivered, now or when it is back.
    fn refuse_line(&mut self, token: Token, seq: u64, text: &str) {
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        session.refuse(seq, text);
        if let Some(conn) = session.conn {
            let text = text.into();
            self.tell(conn, &ChatEvent::Refusal { seq, text });
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
            place.in_flight.push_back((last, place.unsaved.len()));
            let batch = Batch {
                room: index,
                attempt: place.attempt,
                name: place.room.name().clone(),
                ids: (place.unsaved_from, last),
                bytes: std::mem::take(&mut place.unsaved),
                authors: std::mem::take(&mut place.unsaved_authors),
                topic: place.unsaved_topic.take(),
            };
            self.effects.push_back(Effect::Act(Action::Store(batch)));
        }
    }

    /// Notes the newest line of a room for the disk.
    fn save_newest(&mut self, index: usize) {
        let place = &mut self.places[index];
        let Some(entry) = place.room.newest() else {
            return;
        };
        if place.unsaved.is_empty() {
            place.unsaved_from = entry.id;
            self.unsaved_places.push(index);
        }
        let before = place.unsaved.len();
        journal::write(&mut place.unsaved, entry);
        let after = place.unsaved.len();
        if entry.kind == Kind::Topic {
            place.unsaved_topic = Some(before..after);
        }
        match (place.unsaved_authors.last_mut(), entry.author) {
            // Who says much at once is named once.
            (Some(last), Some(author)) if last.session == author.session => *last = author,
            (_, author) => place.unsaved_authors.extend(author),
        }
        self.unstored += after - before;
    }

    fn intake_full(&self) -> bool {
        self.turn_bytes >= TURN_INTAKE || self.unstored >= MAX_UNSTORED
    }
}

/// How much an append made the longer of the feeds.
fn encoded_bytes(places: &Places) -> usize {
    let lengths = places
        .iter()
        .map(|range| (range.end - range.start) as usize);
    lengths.max().unwrap_or(0)
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
        let glut = self.config.limits.send_queue / 2;
        let Some(member) = self.member(conn) else {
            return;
        };
        member.outbox.sent(bytes);
        let own = member.outbox.own_bytes();
        if member.glutted && own <= glut / 2 {
            member.glutted = false;
            self.held.push_back(conn);
        }
        if self
            .peek(conn)
            .is_some_and(|member| member.catching_up.is_some())
        {
            self.mark_member(conn);
        }
    }

    fn blocked(&mut self, _now: Now, conn: ConnId) {
        let places = &self.places;
        if let Some(Some(member)) = self.members.get_mut(conn.slot as usize) {
            member.blocked = true;
            if let Some(stream) = member.stream(places) {
                member.outbox.keep_torn_line(&stream.feed);
            }
        }
    }

    fn effect(&mut self) -> Option<Effect<Action>> {
        self.hand_out_batches();
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let input_waits = self.wants_turn || !self.held.is_empty();
        if input_waits && !self.intake_full() {
            return Some(Duration::ZERO);
        }
        self.timers.next()
    }
}
