//! What the targets have in common: a script out of the fuzzer's bytes, and a driver that plays it to any machine and
//! holds it to the contract of `sockkit::core::machine`.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sockkit::core::address::PeerAddr;
use sockkit::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Origin, Signal};
use sockkit::transfer::frame::{
    Decoder, Frame, MAX_CONTROL, MAX_PAYLOAD, Need, PREFACE, Protection, Violation, crc,
};

/// As in `core::event_loop`.
const READ_BUDGET: usize = 64 * 1024;

/// More steps than this without time going on, or anything coming from outside, are a machine that spins.
const SPINS: usize = 100_000;

/// How many connections are there at once.
const CONNECTIONS: usize = 8;

/// The fuzzer's bytes, taken one after the other.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// From the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A number below `bound`; 0 at the end.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte().unwrap_or(0)) % bound.max(1)
    }

    /// As many bytes as the next byte says, or what is left.
    pub fn piece(&mut self) -> &'a [u8] {
        let len = self.byte().map_or(0, usize::from);
        self.take(len)
    }

    /// So many bytes, or what is left.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        piece
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }
}

/// What the world does about a machine's action.
pub enum Answer<N> {
    /// Nothing that the machine hears of.
    Nothing,
    /// It reports this, sooner or later.
    Note(N),
    /// It connects.
    Open,
}

struct Wire {
    id: ConnId,
    /// How many more bytes the transport takes.
    window: usize,
    blocked: bool,
    /// The peer has said FIN, or we want no more of it.
    ended: bool,
    leaves: bool,
}

/// A machine and the world around it.
pub struct World<M: Machine, A> {
    machine: M,
    answer: A,
    wires: Vec<Option<Wire>>,
    generation: u32,
    now: Duration,
    notes: VecDeque<M::Note>,
    listens: bool,
    exited: bool,
}

impl<M: Machine, A: FnMut(M::Action) -> Answer<M::Note>> World<M, A> {
    /// `listens`: connections come by themselves, and not only where the machine dials.
    pub fn new(machine: M, listens: bool, answer: A) -> Self {
        let mut world = Self {
            machine,
            answer,
            wires: Vec::new(),
            generation: 0,
            now: Duration::ZERO,
            notes: VecDeque::new(),
            listens,
            exited: false,
        };
        world.settle();
        world
    }

    /// A note that waits to be taken.
    pub fn note(&mut self, note: M::Note) {
        self.notes.push_back(note);
    }

    /// Plays the script to its end, or to the machine's.
    pub fn play(mut self, mut script: Script<'_>) -> M {
        if self.listens {
            self.open();
        }
        while let Some(what) = script.byte().filter(|_| !self.exited) {
            self.step(what, &mut script);
            self.settle();
        }
        self.machine
    }

    fn step(&mut self, what: u8, script: &mut Script<'_>) {
        match what % 16 {
            0..=7 => {
                let which = script.below(CONNECTIONS);
                let bytes = script.piece();
                self.receive(which, bytes);
            }
            8 if self.listens => self.open(),
            9 => {
                let which = script.below(CONNECTIONS);
                if let Some(wire) = self.wire(which)
                    && !std::mem::replace(&mut wire.ended, true)
                {
                    let conn = wire.id;
                    self.handle(Event::EndOfInput { conn });
                }
            }
            10 => {
                let which = script.below(CONNECTIONS);
                if let Some(wire) = self.wires.get_mut(which).and_then(Option::take) {
                    let ending = Ending::Failed(std::io::ErrorKind::ConnectionReset);
                    let conn = wire.id;
                    self.handle(Event::Closed { conn, ending });
                }
            }
            11 | 12 => {
                let passes = Duration::from_millis(1 << script.below(20));
                self.wait(passes);
            }
            13 => {
                let (which, window) = (script.below(CONNECTIONS), script.below(256));
                if let Some(wire) = self.wire(which) {
                    wire.window = window;
                }
            }
            14 => {
                let which = script.below(CONNECTIONS);
                if let Some(wire) = self.wire(which) {
                    wire.window = usize::MAX;
                    let conn = wire.id;
                    if std::mem::take(&mut wire.blocked) {
                        self.handle(Event::Writable { conn });
                    }
                }
            }
            // Rarely, because it is the end of most.
            15 if script.below(16) == 0 => self.handle(Event::Signal(Signal::Terminate)),
            _ => {
                if self.machine.wants_notes()
                    && let Some(note) = self.notes.pop_front()
                {
                    self.handle(Event::Note(note));
                }
            }
        }
    }

    fn wire(&mut self, which: usize) -> Option<&mut Wire> {
        self.wires.get_mut(which)?.as_mut()
    }

    fn handle(&mut self, event: Event<'_, M::Note>) {
        let now = self.clock();
        self.machine.handle(now, event);
    }

    fn clock(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: self.now.as_micros() as i64,
        }
    }

    fn open(&mut self) {
        let slot = match self.wires.iter().position(Option::is_none) {
            Some(slot) => slot,
            None if self.wires.len() < CONNECTIONS => {
                self.wires.push(None);
                self.wires.len() - 1
            }
            None => return,
        };
        self.generation += 1;
        let conn = ConnId {
            slot: slot as u32,
            generation: self.generation,
        };
        self.wires[slot] = Some(Wire {
            id: conn,
            window: usize::MAX,
            blocked: false,
            ended: false,
            leaves: false,
        });
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, slot as u8 / 2));
        let peer = PeerAddr::from_socket_addr(SocketAddr::new(ip, 40_000));
        self.handle(Event::Opened {
            conn,
            origin: Origin(0),
            peer: &peer,
        });
    }

    /// The machine gets what it has an appetite for, in one turn after the other; the rest never comes.
    fn receive(&mut self, which: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.exited {
            let Some(wire) = self.wire(which).filter(|wire| !wire.ended) else {
                return;
            };
            let conn = wire.id;
            let appetite = self.machine.appetite(conn).min(READ_BUDGET);
            if appetite == 0 {
                return;
            }
            let now = self.clock();
            let landing = self.machine.landing(conn).filter(|landing| !landing.is_empty());
            let count = match landing {
                Some(landing) => {
                    let count = bytes.len().min(landing.len()).min(appetite);
                    landing[..count].copy_from_slice(&bytes[..count]);
                    self.machine.landed(now, conn, count);
                    count
                }
                None => {
                    let count = bytes.len().min(appetite);
                    let bytes = &bytes[..count];
                    self.handle(Event::Received { conn, bytes });
                    count
                }
            };
            bytes = &bytes[count..];
            self.settle();
        }
    }

    fn wait(&mut self, passes: Duration) {
        let until = self.now + passes;
        let mut spins = 0;
        while let Some(at) = self.machine.next_deadline().filter(|&at| at <= until) {
            if self.exited {
                return;
            }
            spins = if at > self.now { 0 } else { spins + 1 };
            assert!(spins < SPINS, "the machine spins at {:?}", self.now);
            self.now = self.now.max(at);
            self.handle(Event::Deadline);
            self.settle();
        }
        self.now = until;
    }

    fn settle(&mut self) {
        for spins in 0.. {
            assert!(spins < SPINS, "the machine has no end of effects");
            let now = self.clock();
            while let Some(conn) = self.machine.next_transmit(now) {
                self.write(conn);
            }
            let Some(effect) = self.machine.effect() else {
                return;
            };
            match effect {
                Effect::Close(conn) => self.farewell(conn, true),
                Effect::Finish(conn) => self.farewell(conn, false),
                Effect::Abort(conn) | Effect::Reset(conn) => {
                    if let Some(slot) = self.slot(conn) {
                        self.wires[slot] = None;
                    }
                }
                Effect::StopListening => self.listens = false,
                Effect::Exit => self.exited = true,
                Effect::Act(action) => match (self.answer)(action) {
                    Answer::Nothing => {}
                    Answer::Note(note) => self.note(note),
                    Answer::Open => self.open(),
                },
            }
        }
    }

    fn slot(&self, conn: ConnId) -> Option<usize> {
        let wire = self.wires.get(conn.slot as usize)?.as_ref()?;
        (wire.id == conn).then_some(conn.slot as usize)
    }

    fn farewell(&mut self, conn: ConnId, both: bool) {
        if let Some(slot) = self.slot(conn)
            && let Some(wire) = &mut self.wires[slot]
        {
            wire.leaves |= both;
            wire.ended |= both;
            self.write(conn);
        }
    }

    fn write(&mut self, conn: ConnId) {
        let now = self.clock();
        for spins in 0.. {
            assert!(spins < SPINS, "the machine has no end of bytes");
            let Some(slot) = self.slot(conn) else {
                return;
            };
            let Some(wire) = self.wires[slot].as_mut().filter(|wire| !wire.blocked) else {
                return;
            };
            let total = self.machine.pending(conn).byte_len();
            if total == 0 {
                if wire.leaves {
                    self.wires[slot] = None;
                    let ending = Ending::Drained;
                    self.machine.handle(now, Event::Closed { conn, ending });
                }
                return;
            }
            let count = total.min(wire.window);
            if count == 0 {
                wire.blocked = true;
                self.machine.blocked(now, conn);
                return;
            }
            if wire.window != usize::MAX {
                wire.window -= count;
            }
            self.machine.sent(now, conn, count);
        }
    }
}

/// Takes one direction of a transfer apart as its driver does, and hands on what comes. A payload is as long as it is
/// said to be, whatever is left of the bytes: its content means nothing to the machines.
pub fn frames(
    bytes: &[u8],
    protection: Protection,
    mut take: impl FnMut(Frame),
) -> Result<(), Violation> {
    let mut script = Script::new(bytes);
    let mut decoder = Decoder::new(protection);
    loop {
        let taken = match decoder.need() {
            Need::Bytes(len) => {
                assert!(len <= MAX_CONTROL);
                let piece = script.take(len);
                if piece.len() < len {
                    return Ok(());
                }
                decoder.bytes(piece)
            }
            Need::Payload(len) => {
                assert!(len <= MAX_PAYLOAD);
                decoder.payload(crc(0, script.take(len)))
            }
        };
        match taken {
            Ok(frame) => frame.into_iter().for_each(&mut take),
            Err(violation) => {
                assert_eq!(decoder.bytes(&[]), Err(violation), "it is final");
                return Err(violation);
            }
        }
    }
}

/// The bytes behind the preface of a transfer in a channel, where there are no checksums to guess.
pub fn after_preface(bytes: &[u8]) -> Vec<u8> {
    [&PREFACE[..], bytes].concat()
}
