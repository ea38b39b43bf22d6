//! The echo of streams as a machine.
//!
//! A connection that is echoed as it came costs its peer one read and one write: the bytes land in a buffer
//! of the machine's and leave from there. There is one such buffer for all that are not in the middle of
//! something, so an idle connection has none. Who does not read what it gets is not read from either: what
//! it has sent waits with it, one read's worth here and the rest in the kernel, and its FIN is seen, and
//! answered, after all that came before it went back.
//!
//! A connection that is to misbehave, or gets additions, goes through [`crate::echo::chaos`], which keeps
//! pieces until they are due.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod peers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::peers::{Outbox, Peer, Peers};
use crate::core::address::PeerAddr;
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Pending};
use crate::core::timers::Timers;
use crate::core::timestamp::Timestamp;
use crate::echo::chaos::{Chaos, Fate, Stream};
use crate::echo::config::Config;
use crate::echo::door::{Admission, Door};
use crate::echo::lines::Lines;
use crate::echo::report::{Bytes, Report};
use crate::echo::tally::Tally;

/// How much one read takes: the largest usual message, and a page, so that reading it whole falls short of
/// the buffer, which tells the driver that there is no more.
pub const LANDING: usize = 68 * 1024;

/// How much is read at once from a connection that gets additions: an empty line of one byte can become
/// almost three hundred.
const ADDED_TO: usize = 2 * 1024;

/// How many buffers are kept beyond the one that is read into.
const SPARE: usize = 8;

/// How long what is under way may take when the server is told to end.
pub const GRACE: Duration = Duration::from_secs(1);

/// What the machine is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Enough were let in.
    StopListening,
}

/// What the program around it is asked for.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Tell this.
    Report(Report),
    /// Let nobody in any more, at any loop.
    Enough,
    /// All that were to be served are.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// Perhaps nothing has moved on the connection in this slot for too long. There is one of these for a
    /// slot, whoever comes and goes there.
    Idle(u32),
    /// Something may be sent to this one now.
    Due(ConnId),
    /// The grace is over.
    End,
}

/// Echoes streams.
#[derive(Debug)]
pub struct Streams {
    config: Arc<Config>,
    door: Arc<Door>,
    tally: Arc<Tally>,
    peers: Peers,
    /// Whether a slot has an alarm of kind [`Alarm::Idle`].
    watched: Vec<bool>,
    count: usize,
    touched: VecDeque<ConnId>,
    effects: VecDeque<Effect<Action>>,
    timers: Timers<Alarm>,
    landing: Vec<u8>,
    spare: Vec<Vec<u8>>,
    is_plain: bool,
    ending: bool,
    /// The number of the next connection, and by how much it grows.
    next_number: u64,
    stride: u64,
}

impl Streams {
    /// A loop's share of the server.
    pub fn new(config: Arc<Config>, door: Arc<Door>, tally: Arc<Tally>) -> Self {
        Self::sharing(config, door, tally, 0, 1)
    }

    /// The share of one of several loops, which get connections in turn, the one with this `place` first, second and so
    /// on. So a connection has the number of its turn, however fast its loop is, and the same seed does the same to it.
    pub fn sharing(
        config: Arc<Config>,
        door: Arc<Door>,
        tally: Arc<Tally>,
        place: u16,
        loops: u16,
    ) -> Self {
        Self {
            next_number: place.into(),
            stride: loops.into(),
            is_plain: config.is_plain_for_streams(),
            config,
            door,
            tally,
            peers: Peers::default(),
            watched: Vec::new(),
            count: 0,
            touched: VecDeque::new(),
            effects: VecDeque::new(),
            timers: Timers::new(),
            landing: vec![0; LANDING],
            spare: Vec::new(),
            ending: false,
        }
    }

    fn report(&mut self, report: Report) {
        self.effects.push_back(Effect::Act(Action::Report(report)));
    }

    fn open(&mut self, now: Now, conn: ConnId, address: &PeerAddr) {
        let number = self.next_number;
        self.next_number += self.stride;
        let admission = match self.ending {
            true => Admission::Closed,
            false => self.door.enter(),
        };
        let mut peer = Peer {
            conn,
            number,
            address: address.clone(),
            outbox: Outbox::Empty,
            lines: Lines::default(),
            received: 0,
            sent: 0,
            last_moved: now.since_start,
            ended: false,
            leaving: None,
            refused: false,
            due: None,
        };
        match admission {
            Admission::Welcome => {
                self.tally.opened.add(1);
                if self.config.tells.connections {
                    self.report(Report::Opened {
                        time: Timestamp::from_unix_micros(now.unix_micros),
                        number,
                        address: address.to_string(),
                    });
                }
                if !self.is_plain {
                    let stream = Stream::new(&self.config.chaos, self.config.seed, number);
                    peer.outbox = Outbox::Through(Box::new(stream));
                }
                if self.door.is_closed() {
                    self.effects.push_back(Effect::Act(Action::Enough));
                }
            }
            Admission::Full => {
                peer.refused = true;
                peer.leaving = Some("refused");
                self.tally.refused.add(1);
                if self.config.tells.connections {
                    self.report(Report::Refused {
                        time: Timestamp::from_unix_micros(now.unix_micros),
                        address: address.to_string(),
                        reason: "as many clients as --max-clients allows are connected",
                    });
                }
                self.effects.push_back(Effect::Close(conn));
            }
            Admission::Closed => {
                // It was in the queue when enough had come. No more is heard of it.
                self.effects.push_back(Effect::Abort(conn));
                return;
            }
        }
        self.peers.insert(peer);
        self.count += 1;
        let slot = conn.slot as usize;
        if slot >= self.watched.len() {
            self.watched.resize(slot + 1, false);
        }
        if let Some(timeout) = self.config.idle_timeout
            && !self.watched[slot]
        {
            self.watch(conn.slot, now.since_start + timeout);
        }
        self.go_on(now, conn, false);
    }

    /// The connection is no more.
    fn forget(&mut self, now: Now, conn: ConnId, why: &'static str) {
        let Some(peer) = self.peers.remove(conn) else {
            return;
        };
        self.count -= 1;
        if let Outbox::Plain { bytes, .. } = peer.outbox {
            self.keep_for_later(bytes);
        }
        if !peer.refused {
            self.tally.closed.add(1);
            self.door.leave();
            if self.config.tells.connections {
                self.report(Report::Closed {
                    time: Timestamp::from_unix_micros(now.unix_micros),
                    number: peer.number,
                    address: peer.address.to_string(),
                    received: peer.received,
                    sent: peer.sent,
                    why: peer.leaving.unwrap_or(why),
                });
            }
        }
        if self.ending {
            if self.count == 0 {
                self.effects.push_back(Effect::Exit);
            }
        } else if self.door.is_done() {
            self.effects.push_back(Effect::Act(Action::Done));
        }
    }

    fn keep_for_later(&mut self, bytes: Vec<u8>) {
        // One that was cut to what a slow peer had not read yet is too short.
        if bytes.len() == LANDING && self.spare.len() < SPARE {
            self.spare.push(bytes);
        }
    }

    /// How many bytes the connection may still send.
    fn allowance(&self, peer: &Peer) -> usize {
        match self.config.max_bytes {
            Some(max) => usize::try_from(max.saturating_sub(peer.received)).unwrap_or(usize::MAX),
            None => usize::MAX,
        }
    }

    fn count_received(&mut self, now: Now, conn: ConnId, bytes: usize) {
        self.tally.bytes_received.add(bytes as u64);
        if let Some(peer) = self.peers.get_mut(conn) {
            peer.received += bytes as u64;
            peer.last_moved = now.since_start;
        }
    }

    fn tell_bytes(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        if let Some(peer) = self.peers.get(conn) {
            let report = Report::Received {
                time: Timestamp::from_unix_micros(now.unix_micros),
                address: peer.address.to_string(),
                number: Some(peer.number),
                offset: peer.received,
                hex: Bytes(bytes.to_vec()),
            };
            self.report(report);
        }
    }

    /// Bytes of a connection that is not echoed as it is.
    fn take(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        if self.config.tells.bytes {
            self.tell_bytes(now, conn, bytes);
        }
        self.count_received(now, conn, bytes.len());
        let Config {
            chaos, additions, ..
        } = &*self.config;
        if let Some(peer) = self.peers.get_mut(conn)
            && let Outbox::Through(stream) = &mut peer.outbox
        {
            let bytes = match additions.are_none() {
                true => bytes.to_vec(),
                false => peer.lines.rewrite(additions, now.unix_micros, bytes),
            };
            stream.take(chaos, now.since_start, bytes);
        }
        self.go_on(now, conn, false);
    }

    /// After something has changed: sends what may be sent, waits for what may not yet, or ends it.
    /// `just_sent`: it has had a turn.
    fn go_on(&mut self, now: Now, conn: ConnId, just_sent: bool) {
        let chaos: &Chaos = &self.config.chaos;
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        if peer.leaving.is_some() {
            return;
        }
        let over_limit = self
            .config
            .max_bytes
            .is_some_and(|max| peer.received >= max);
        let drained = match &mut peer.outbox {
            Outbox::Empty => true,
            Outbox::Plain { .. } => false,
            Outbox::Through(stream) => {
                match stream.fate(chaos) {
                    Fate::Goes => {}
                    Fate::Reset => {
                        peer.leaving = Some("was reset, as asked");
                        peer.last_moved = now.since_start;
                        self.effects.push_back(Effect::Reset(conn));
                        return;
                    }
                    Fate::Close => {
                        self.close(now, conn, "was closed, as asked");
                        return;
                    }
                }
                if let Some(due) = stream.next_due(chaos) {
                    // One slice a turn: thousands of tiny writes must not keep the others waiting.
                    let waits = due > now.since_start || (just_sent && chaos.slice.is_some());
                    if !waits {
                        self.touched.push_back(conn);
                    } else if peer.due.is_none_or(|set| due < set) {
                        let due = due.max(now.since_start);
                        peer.due = Some(due);
                        self.timers.set(due, Alarm::Due(conn));
                    }
                }
                stream.is_drained(chaos)
            }
        };
        let ended = peer.ended;
        if drained && over_limit {
            self.close(now, conn, "had all that --max-bytes allows");
        } else if drained && ended {
            self.close(now, conn, "left");
        }
    }

    /// Closes a connection whose outbox is empty.
    fn close(&mut self, now: Now, conn: ConnId, why: &'static str) {
        if let Some(peer) = self.peers.get_mut(conn) {
            peer.leaving = Some(why);
            peer.last_moved = now.since_start;
            self.effects.push_back(Effect::Close(conn));
        }
    }

    fn ring(&mut self, now: Now) {
        while let Some(alarm) = self.timers.pop_due(now.since_start) {
            match alarm {
                Alarm::End => self.effects.push_back(Effect::Exit),
                Alarm::Due(conn) => {
                    if let Some(peer) = self.peers.get_mut(conn) {
                        peer.due = None;
                        self.touched.push_back(conn);
                    }
                }
                Alarm::Idle(slot) => self.look_whether_idle(now, slot),
            }
        }
    }

    fn watch(&mut self, slot: u32, until: Duration) {
        self.watched[slot as usize] = true;
        self.timers.set(until, Alarm::Idle(slot));
    }

    fn look_whether_idle(&mut self, now: Now, slot: u32) {
        self.watched[slot as usize] = false;
        let Some(timeout) = self.config.idle_timeout else {
            return;
        };
        let Some(peer) = self.peers.at(slot) else {
            return;
        };
        let conn = peer.conn;
        // The driver sees off who leaves within a moment, unless it has to wait for room: over TLS for the last records.
        let parting = timeout.max(2 * GRACE);
        let is_leaving = peer.leaving.is_some();
        let until = peer.last_moved + if is_leaving { parting } else { timeout };
        if until > now.since_start {
            self.watch(slot, until);
            return;
        }
        match peer.outbox {
            Outbox::Empty if !is_leaving => {
                self.close(now, conn, "was idle");
                self.watch(slot, now.since_start + parting);
            }
            // It does not read what it has asked for, or was made to wait for it.
            _ => {
                if let Some(peer) = self.peers.get_mut(conn) {
                    peer.leaving = None;
                }
                self.effects.push_back(Effect::Abort(conn));
                self.forget(now, conn, "was idle");
            }
        }
    }

    fn end(&mut self, now: Now) {
        if self.ending {
            self.effects.push_back(Effect::Exit);
            return;
        }
        self.ending = true;
        self.effects.push_back(Effect::StopListening);
        if self.count == 0 {
            self.effects.push_back(Effect::Exit);
            return;
        }
        for peer in self.peers.0.iter_mut().flatten() {
            if peer.leaving.is_none() {
                peer.leaving = Some("was there to the end");
                self.effects.push_back(Effect::Close(peer.conn));
            }
        }
        self.timers.set(now.since_start + GRACE, Alarm::End);
    }
}

impl Machine for Streams {
    const WRITES_AT_ONCE: bool = true;

    type Note = Note;
    type Action = Action;

    fn handle(&mut self, now: Now, event: Event<'_, Note>) {
        match event {
            Event::Opened { conn, peer, .. } => self.open(now, conn, peer),
            Event::Received { conn, bytes } => self.take(now, conn, bytes),
            Event::EndOfInput { conn } => {
                if let Some(peer) = self.peers.get_mut(conn) {
                    peer.ended = true;
                }
                self.go_on(now, conn, false);
            }
            Event::Writable { conn } => self.touched.push_back(conn),
            Event::Closed { conn, ending } => {
                let why = match ending {
                    Ending::Drained => "left",
                    Ending::Failed(_) => "was cut off",
                };
                self.forget(now, conn, why);
            }
            Event::Deadline => self.ring(now),
            Event::Signal(_) => self.end(now),
            Event::AcceptPaused(paused) => {
                if self.config.tells.connections {
                    self.report(Report::Warning {
                        time: Timestamp::from_unix_micros(now.unix_micros),
                        text: match paused {
                            true => "out of file descriptors: new clients have to wait",
                            false => "clients are accepted again",
                        },
                    });
                }
            }
            Event::Note(Note::StopListening) => self.effects.push_back(Effect::StopListening),
        }
    }

    fn appetite(&self, conn: ConnId) -> usize {
        let Some(peer) = self.peers.get(conn) else {
            return 0;
        };
        if peer.leaving.is_some() {
            return 0;
        }
        let room = match &peer.outbox {
            Outbox::Empty => LANDING,
            Outbox::Plain { .. } => 0,
            Outbox::Through(stream) => {
                let room = stream.appetite(&self.config.chaos);
                match self.config.additions.are_none() {
                    true => room,
                    false => room.min(ADDED_TO),
                }
            }
        };
        room.min(self.allowance(peer))
    }

    fn landing(&mut self, conn: ConnId) -> Option<&mut [u8]> {
        if !self.is_plain {
            return None;
        }
        let room = self.appetite(conn).min(LANDING);
        Some(&mut self.landing[..room])
    }

    fn landed(&mut self, now: Now, conn: ConnId, count: usize) {
        let fresh = self.spare.pop().unwrap_or_else(|| vec![0; LANDING]);
        let bytes = std::mem::replace(&mut self.landing, fresh);
        if self.config.tells.bytes {
            self.tell_bytes(now, conn, &bytes[..count]);
        }
        self.count_received(now, conn, count);
        if let Some(peer) = self.peers.get_mut(conn) {
            peer.outbox = Outbox::Plain {
                bytes,
                from: 0,
                to: count,
            };
            self.touched.push_back(conn);
        }
    }

    fn next_transmit(&mut self, now: Now) -> Option<ConnId> {
        while let Some(conn) = self.touched.pop_front() {
            match self.peers.get_mut(conn).map(|peer| &mut peer.outbox) {
                None | Some(Outbox::Empty) => {}
                Some(Outbox::Plain { .. }) => return Some(conn),
                Some(Outbox::Through(stream)) => {
                    if stream.prepare(&self.config.chaos, now.since_start) {
                        return Some(conn);
                    }
                }
            }
        }
        None
    }

    fn pending(&self, conn: ConnId) -> Pending<'_> {
        let mut pending = Pending::new();
        if let Some(peer) = self.peers.get(conn) {
            match &peer.outbox {
                Outbox::Empty => {}
                Outbox::Plain { bytes, from, to } => {
                    pending.push(&bytes[*from..*to]);
                }
                Outbox::Through(stream) => {
                    pending.push(stream.pending());
                }
            }
        }
        pending
    }

    fn sent(&mut self, now: Now, conn: ConnId, count: usize) {
        self.tally.bytes_sent.add(count as u64);
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        peer.sent += count as u64;
        peer.last_moved = now.since_start;
        match &mut peer.outbox {
            Outbox::Empty => {}
            Outbox::Plain { bytes, from, to } => {
                *from += count;
                if from != to {
                    return;
                }
                let bytes = std::mem::take(bytes);
                peer.outbox = Outbox::Empty;
                self.keep_for_later(bytes);
            }
            Outbox::Through(stream) => {
                stream.sent(&self.config.chaos, now.since_start, count);
                if !stream.pending().is_empty() {
                    return;
                }
            }
        }
        self.go_on(now, conn, true);
    }

    fn blocked(&mut self, _now: Now, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        // A peer that reads slowly is to cost what it has not read, and not a whole buffer.
        if let Outbox::Plain { bytes, from, to } = &mut peer.outbox
            && (*to - *from) * 2 < bytes.len()
        {
            let rest = bytes[*from..*to].to_vec();
            let whole = std::mem::replace(bytes, rest);
            (*from, *to) = (0, *to - *from);
            self.keep_for_later(whole);
        }
    }

    fn effect(&mut self) -> Option<Effect<Action>> {
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }
}

#[cfg(test)]
mod tests;
