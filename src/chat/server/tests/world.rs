//! A world for one server: a clock that tests turn, connections with a window that can be shut, a disk that can be
//! slow or broken. It drives the machine as `core::event_loop` does, and no better: input that the machine
//! did not want is looked at again only when something else makes a turn. And it holds the machine to the
//! contract: it may not spin, not leave input unread that it wants, not speak of a connection that is gone.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::chat::journal;
use crate::chat::nick::RoomName;
use crate::chat::room::Entry;
use crate::chat::room::Memory;
use crate::chat::server::Kept;
use crate::chat::server::report::{Happening, Report};
use crate::chat::server::{
    Access, Action, Batch, Config, Limits, Note, OPERATORS, RECOGNITION, Server, Slow,
};
use crate::chat::wire::{ChatEvent, Hello, Op, encode};
use crate::core::address::PeerAddr;
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Origin, Signal};

/// As the driver has it.
const READ_BUDGET: usize = 64 * 1024;
const WRITE_BUDGET: usize = 8;

/// More turns than this without the clock moving are a machine that spins.
const MAX_TURNS: usize = 100_000;

/// The wall clock at the start.
pub(super) const EPOCH_MICROS: i64 = 1_796_000_000_000_000;

pub(super) struct World {
    pub(super) server: Server,
    pub(super) now: Duration,
    wires: Vec<Wire>,
    /// Slot to wire, and how often the slot was used.
    slots: Vec<(Option<usize>, u32)>,
    pub(super) reports: Vec<Report>,
    pub(super) disk: Disk,
    /// What is to be stored, oldest first.
    pub(super) batches: VecDeque<Batch>,
    /// What is on disk, by room.
    pub(super) log: BTreeMap<String, Vec<u8>>,
    pub(super) listening: bool,
    pub(super) exited: bool,
    /// Bytes that the server wrote, to everybody.
    pub(super) written: usize,
    /// Writes, each of which would be a system call.
    pub(super) writes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// Stores at once.
    Prompt,
    /// Stores when the test says so.
    Waits,
}

/// One end of a connection: the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer(usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    /// The server closed it in order, and all output had gone out.
    Closed,
    /// The server dropped it.
    Aborted,
    /// The network or the client cut it.
    Cut,
}

struct Wire {
    id: ConnId,
    input: VecDeque<u8>,
    fin: bool,
    fin_told: bool,
    /// How many more bytes the transport takes.
    window: usize,
    blocked: bool,
    farewell: bool,
    out: Vec<u8>,
    seen: usize,
    fate: Fate,
}

impl Wire {
    fn reads(&self) -> bool {
        self.fate == Fate::Open && !self.farewell
    }
}

pub(super) fn config() -> Config {
    Config {
        limits: Limits {
            max_clients: 100_000,
            max_per_ip: 100_000,
            rate: None,
            max_line: 4096,
            idle_timeout: None,
            send_queue: 1024 * 1024,
            slow: Slow::Skip,
        },
        max_rooms: 100,
        memory: Memory {
            lines: 1000,
            bytes: 4 * 1024 * 1024,
        },
        password: None,
        access: Access::default(),
        drain: Duration::from_secs(2),
        epoch: 1,
        durable: false,
        reports: true,
        adjust: |limits, name, value| match name {
            "max-line" => {
                limits.max_line = value.parse().map_err(|_| "not a size".to_string())?;
                Ok(())
            }
            "idle-timeout" => {
                let seconds = value.parse().map_err(|_| "not a time".to_string())?;
                limits.idle_timeout = Some(Duration::from_secs(seconds));
                Ok(())
            }
            _ => Err(format!("there is no limit {name}")),
        },
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A world around a server that is set up as `change` says.
    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        Self::around(Server::new(config))
    }

    fn around(server: Server) -> Self {
        Self {
            server,
            now: Duration::ZERO,
            wires: Vec::new(),
            slots: Vec::new(),
            reports: Vec::new(),
            disk: Disk::Prompt,
            batches: VecDeque::new(),
            log: BTreeMap::new(),
            listening: true,
            exited: false,
            written: 0,
            writes: 0,
        }
    }

    /// kill -9 and a new start from what is on disk. Every connection is gone.
    pub(super) fn crash(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = config();
        change(&mut config);
        let mut server = Server::new(config);
        for (name, bytes) in &self.log {
            let lines = bytes.split(|&b| b == b'\n');
            let entries: Vec<Entry> = lines.filter_map(journal::read).collect();
            server.remember(entries.iter().filter_map(|entry| entry.author));
            server.restore(Kept {
                name: RoomName::parse(name).unwrap(),
                last_id: entries.last().map_or(0, |entry| entry.id),
                topic: None,
                entries,
            });
        }
        self.server = server;
        self.batches.clear();
        self.listening = true;
        self.exited = false;
        for wire in &mut self.wires {
            if wire.fate == Fate::Open {
                wire.fate = Fate::Cut;
            }
        }
        for slot in &mut self.slots {
            slot.0 = None;
        }
    }

    fn clock(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: EPOCH_MICROS + self.now.as_micros() as i64,
        }
    }

    pub(super) fn handle(&mut self, event: Event<'_, Note>) {
        let now = self.clock();
        self.server.handle(now, event);
    }

    // Connections.

    /// A connection of which nothing is known yet.
    pub(super) fn arrives_from(&mut self, address: &str, origin: Origin) -> Peer {
        let peer = match address {
            "unix" => PeerAddr::Unix(None),
            address => {
                let port = 40_000 + (self.wires.len() % 20_000) as u16;
                PeerAddr::Inet(SocketAddr::new(address.parse().unwrap(), port))
            }
        };
        let slot = match self.slots.iter().position(|(wire, _)| wire.is_none()) {
            Some(slot) => slot,
            None => {
                self.slots.push((None, 0));
                self.slots.len() - 1
            }
        };
        let (holder, generation) = &mut self.slots[slot];
        *holder = Some(self.wires.len());
        *generation += 1;
        let id = ConnId {
            slot: slot as u32,
            generation: *generation,
        };
        self.wires.push(Wire {
            id,
            input: VecDeque::new(),
            fin: false,
            fin_told: false,
            window: usize::MAX,
            blocked: false,
            farewell: false,
            out: Vec::new(),
            seen: 0,
            fate: Fate::Open,
        });
        let here = Peer(self.wires.len() - 1);
        self.handle(Event::Opened {
            conn: id,
            origin,
            peer: &peer,
        });
        self.run();
        here
    }

    pub(super) fn arrives(&mut self) -> Peer {
        self.arrives_from("192.0.2.1", Origin(0))
    }

    /// Somebody with nothing but nc, who has read the greeting.
    pub(super) fn nc(&mut self) -> Peer {
        let peer = self.arrives();
        self.advance(RECOGNITION);
        self.sees(peer);
        peer
    }

    /// The same with a nick. Everybody has read that it was taken.
    pub(super) fn nc_called(&mut self, nick: &str) -> Peer {
        let peer = self.nc();
        self.types(peer, &format!("/nick {nick}"));
        self.all_have_read();
        peer
    }

    pub(super) fn operator(&mut self) -> Peer {
        let peer = self.arrives_from("unix", OPERATORS);
        self.sees(peer);
        peer
    }

    /// A program that says this hello.
    pub(super) fn program(&mut self, hello: &Hello) -> Peer {
        let peer = self.arrives();
        let mut line = Vec::new();
        encode(&mut line, hello);
        self.sends(peer, &line);
        peer
    }

    pub(super) fn sends(&mut self, peer: Peer, bytes: &[u8]) {
        self.puts(peer, bytes);
        self.run();
    }

    /// Bytes that are there together with others when the server looks next.
    pub(super) fn puts(&mut self, peer: Peer, bytes: &[u8]) {
        if self.wires[peer.0].fate == Fate::Open {
            self.wires[peer.0].input.extend(bytes);
        }
    }

    pub(super) fn types(&mut self, peer: Peer, line: &str) {
        self.sends(peer, format!("{line}\n").as_bytes());
    }

    /// What a structured client sends.
    pub(super) fn ops(&mut self, peer: Peer, op: &Op<'_>) {
        let mut line = Vec::new();
        encode(&mut line, op);
        self.sends(peer, &line);
    }

    pub(super) fn line(&mut self, peer: Peer, seq: u64, text: &str) {
        let text = text.into();
        self.ops(peer, &Op::Line { seq, text });
    }

    /// The client has nothing more to send (FIN).
    pub(super) fn ends(&mut self, peer: Peer) {
        self.wires[peer.0].fin = true;
        self.run();
    }

    /// The connection is cut.
    pub(super) fn cuts(&mut self, peer: Peer) {
        if self.wires[peer.0].fate == Fate::Open {
            self.gone(peer.0, Fate::Cut);
            let conn = self.wires[peer.0].id;
            let ending = Ending::Failed(std::io::ErrorKind::ConnectionReset);
            self.handle(Event::Closed { conn, ending });
            self.run();
        }
    }

    /// From now on the transport takes only so many bytes.
    pub(super) fn stops_reading(&mut self, peer: Peer, window: usize) {
        self.wires[peer.0].window = window;
    }

    /// The client has read so many bytes more.
    pub(super) fn reads(&mut self, peer: Peer, bytes: usize) {
        let wire = &mut self.wires[peer.0];
        wire.window = wire.window.saturating_add(bytes);
        if bytes > 0 && std::mem::take(&mut wire.blocked) && wire.fate == Fate::Open {
            let conn = wire.id;
            if wire.farewell {
                self.write(peer.0);
            } else {
                self.handle(Event::Writable { conn });
            }
        }
        self.run();
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.handle(Event::Signal(signal));
        self.run();
    }

    // The disk.

    /// The oldest batch is stored.
    pub(super) fn stores(&mut self) {
        let batch = self.batches.pop_front().expect("a batch");
        let (room, id) = (batch.room, batch.ids.1);
        let name = batch.name.to_string();
        self.log.entry(name).or_default().extend(batch.bytes);
        self.handle(Event::Note(Note::Stored { room, id }));
        self.run();
    }

    /// The oldest batch cannot be stored, and neither can what was tried with it.
    pub(super) fn fails_to_store(&mut self, reason: &str) {
        let batch = self.batches.pop_front().expect("a batch");
        let (room, attempt) = (batch.room, batch.attempt);
        let reason = reason.to_string();
        self.handle(Event::Note(Note::StoreFailed {
            room,
            attempt,
            reason,
        }));
        self.run();
    }

    // Time.

    pub(super) fn advance(&mut self, by: Duration) {
        let target = self.now + by;
        self.run();
        let mut turns = 0;
        while let Some(at) = self.server.next_deadline().filter(|&at| at <= target) {
            if self.exited {
                break;
            }
            turns = if at > self.now { 0 } else { turns + 1 };
            assert!(turns < MAX_TURNS, "the machine spins at {:?}", self.now);
            self.now = self.now.max(at);
            self.run();
        }
        self.now = target;
        self.run();
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// Turns of the driver until it would sleep.
    pub(super) fn run(&mut self) {
        let mut turns = 0;
        while !self.exited && self.turn() {
            turns += 1;
            assert!(turns < MAX_TURNS, "the machine spins at {:?}", self.now);
        }
        if self.exited {
            return;
        }
        for wire in &self.wires {
            let unread = wire.reads() && !wire.input.is_empty();
            assert!(
                !unread || self.server.appetite(wire.id) == 0,
                "input of {} is wanted, but nothing would wake the driver",
                wire.id
            );
        }
    }

    /// Whether there is reason for another at once.
    fn turn(&mut self) -> bool {
        let mut again = false;
        if self.disk == Disk::Prompt && !self.batches.is_empty() {
            let batch = self.batches.pop_front().expect("a batch");
            let (room, id) = (batch.room, batch.ids.1);
            let name = batch.name.to_string();
            self.log.entry(name).or_default().extend(batch.bytes);
            self.handle(Event::Note(Note::Stored { room, id }));
            again = true;
        }
        if self.is_due() {
            self.handle(Event::Deadline);
        }
        for index in 0..self.wires.len() {
            again |= self.read(index);
        }
        self.settle();
        again || self.is_due() || (self.disk == Disk::Prompt && !self.batches.is_empty())
    }

    fn is_due(&self) -> bool {
        self.server.next_deadline().is_some_and(|at| at <= self.now)
    }

    fn read(&mut self, index: usize) -> bool {
        let wire = &mut self.wires[index];
        let idle = wire.input.is_empty() && (!wire.fin || wire.fin_told);
        if !wire.reads() || idle {
            return false;
        }
        let conn = wire.id;
        let appetite = self.server.appetite(conn).min(READ_BUDGET);
        if appetite == 0 {
            return false;
        }
        let take = appetite.min(wire.input.len());
        if take == 0 {
            wire.fin_told = true;
            self.handle(Event::EndOfInput { conn });
            return false;
        }
        let bytes: Vec<u8> = wire.input.drain(..take).collect();
        self.handle(Event::Received {
            conn,
            bytes: &bytes,
        });
        let wire = &self.wires[index];
        !wire.input.is_empty() || wire.fin
    }

    fn settle(&mut self) {
        loop {
            let now = self.clock();
            while let Some(conn) = self.server.next_transmit(now) {
                if let Some(index) = self.index(conn) {
                    self.write(index);
                }
            }
            let Some(effect) = self.server.effect() else {
                return;
            };
            match effect {
                Effect::Close(conn) => {
                    let index = self.index(conn).expect("closes what is open");
                    self.wires[index].farewell = true;
                    self.write(index);
                }
                Effect::Finish(_) => panic!("a server has no use for half-close"),
                Effect::Reset(_) => panic!("a chat resets nobody"),
                Effect::Abort(conn) => {
                    let index = self.index(conn).expect("aborts what is open");
                    self.gone(index, Fate::Aborted);
                }
                Effect::StopListening => self.listening = false,
                Effect::Exit => self.exited = true,
                Effect::Act(Action::Store(batch)) => {
                    assert!(!batch.bytes.is_empty());
                    self.batches.push_back(batch);
                }
                Effect::Act(Action::Report(report)) => self.reports.push(report),
            }
        }
    }

    fn index(&self, conn: ConnId) -> Option<usize> {
        self.slots[conn.slot as usize]
            .0
            .filter(|&index| self.wires[index].id == conn)
    }

    fn gone(&mut self, index: usize, fate: Fate) {
        self.wires[index].fate = fate;
        let slot = self.wires[index].id.slot as usize;
        self.slots[slot].0 = None;
    }

    fn write(&mut self, index: usize) {
        for _ in 0..WRITE_BUDGET {
            let wire = &mut self.wires[index];
            if wire.blocked || wire.fate != Fate::Open {
                return;
            }
            let conn = wire.id;
            let now = Now {
                since_start: self.now,
                unix_micros: EPOCH_MICROS + self.now.as_micros() as i64,
            };
            let pending = self.server.pending(conn);
            let (total, all) = (pending.byte_len(), pending.is_all());
            if total == 0 {
                return self.after_last_write(index);
            }
            let count = total.min(wire.window);
            if count == 0 {
                wire.blocked = true;
                self.server.blocked(now, conn);
                return;
            }
            let mut left = count;
            for slice in pending.slices() {
                let take = left.min(slice.len());
                wire.out.extend_from_slice(&slice[..take]);
                left -= take;
            }
            if wire.window != usize::MAX {
                wire.window -= count;
            }
            self.written += count;
            self.writes += 1;
            self.server.sent(now, conn, count);
            if count == total && all {
                return self.after_last_write(index);
            }
        }
        // The driver would come back in its next turn.
        self.write(index);
    }

    fn after_last_write(&mut self, index: usize) {
        if self.wires[index].farewell {
            self.gone(index, Fate::Closed);
            let (conn, ending) = (self.wires[index].id, Ending::Drained);
            self.handle(Event::Closed { conn, ending });
        }
    }

    // What the clients have.

    /// The whole lines that came since the last look.
    pub(super) fn sees(&mut self, peer: Peer) -> Vec<String> {
        let wire = &mut self.wires[peer.0];
        let new = &wire.out[wire.seen..];
        let whole = new.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        // Answers to Telnet negotiation are no text.
        let text = String::from_utf8_lossy(&new[..whole]);
        let lines = text.lines().map(str::to_string).collect();
        wire.seen += whole;
        lines
    }

    /// The same, understood.
    pub(super) fn told(&mut self, peer: Peer) -> Vec<ChatEvent<'static>> {
        self.sees(peer)
            .into_iter()
            .map(|line| serde_json::from_str(String::leak(line)).expect("an event"))
            .collect()
    }

    /// Everything that was sent to this client, from the beginning.
    pub(super) fn received(&self, peer: Peer) -> &[u8] {
        &self.wires[peer.0].out
    }

    pub(super) fn all_have_read(&mut self) {
        for wire in &mut self.wires {
            wire.seen = wire.out.len();
        }
    }

    pub(super) fn fate(&self, peer: Peer) -> Fate {
        self.wires[peer.0].fate
    }

    pub(super) fn unread_input(&self, peer: Peer) -> usize {
        self.wires[peer.0].input.len()
    }

    pub(super) fn appetite(&self, peer: Peer) -> usize {
        self.server.appetite(self.wires[peer.0].id)
    }

    /// What the operator was told beside the talk, and forgets.
    pub(super) fn happenings(&mut self) -> Vec<Happening> {
        self.reports
            .drain(..)
            .filter_map(|report| match report {
                Report::Event(happening) => Some(happening),
                Report::Said(_) => None,
            })
            .collect()
    }

    /// The bytes that the server holds for its members and rooms, beside the history.
    pub(super) fn memory(&self) -> usize {
        let members: usize = (self.server.members.iter().flatten())
            .map(|member| member.outbox.own_bytes() + member.input.waiting())
            .sum();
        let feeds: usize = (self.server.places.iter())
            .flat_map(|(_, place)| {
                crate::chat::render::Dialect::ALL.map(|d| place.room.stream(d).feed.len())
            })
            .sum();
        members + feeds
    }
}

/// A session's token out of a small number.
pub(super) fn session(number: u64) -> String {
    format!("{number:032x}")
}

pub(super) fn hello(number: u64, nick: &str) -> Hello {
    Hello {
        sockkit: 1,
        session: session(number),
        nick: Some(nick.to_string()),
        ..Hello::default()
    }
}

/// The texts of the messages.
pub(super) fn texts(events: &[ChatEvent<'_>]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Message { text, .. } => Some(text.to_string()),
            _ => None,
        })
        .collect()
}
