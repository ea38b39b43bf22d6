//! The driver: it moves bytes between sockets and a [`Machine`] and knows no protocol.
//!
//! One thread, one [`mio::Poll`], every socket registered once and edge-triggered. A turn of the loop:
//!
//! 1. sleep until something is ready, a deadline comes, or at once if work was left over;
//! 2. note what became ready; take what was posted from other threads; accept;
//! 3. read **every** ready connection, once, up to the machine's appetite and a fixed budget; who has more
//!    stays on the ready list and takes its place in the next turn, so that none starves;
//! 4. only then write, each connection at most once unless its outbox is longer than one call takes.
//!    Reading all before writing any is what lets a hundred lines that arrived together leave in one call
//!    to each member;
//! 5. carry out what the machine asked for;
//! 6. if all that took long, rest for a moment ([`lull`]).
//!
//! An edge-triggered readiness is spent only by seeing it spent: `WouldBlock`, or, where the manual page
//! promises that it means the same, a short read ([`SHORT_READ_IS_DRAINED`]).
//!
//! A connection that begins with a handshake (TLS) is shown to the machine when that is done. Until then it is
//! [`handshakes`]'s: so many at once, each for so long, and the machine hears nothing of who fails.
//!
//! A write that fails does not end a connection yet. Who says something and leaves at once, as in
//! `echo hello | nc -q0 host port`, is answered with RST by its own system if we greeted it, and what it
//! said may still wait to be read: so that is read first.

mod accept;
mod connection;
mod handshakes;
mod inbox;
mod leaving;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token};

use self::accept::Listeners;
use self::connection::{Arrival, Connections, Read};
use self::handshakes::Handshakes;
use self::inbox::{Inbox, Posted};
use self::leaving::LINGER_BYTES;
use crate::core::address::PeerAddr;
use crate::core::limits::open_file_limit;
use crate::core::machine::{ConnId, Effect, Event, Machine, Now, Origin};
use crate::core::options::Settings;
use crate::core::secure::tls::Acceptor;
use crate::core::timers::Timers;
use crate::core::transport::Transport;
use crate::error::{Error, IoReason, Kind, Result};

pub use self::accept::ListenerSocket;
pub use self::inbox::{Gone, Handle};

/// How much is read from one connection in one turn. Large enough that a flood is taken in few calls,
/// small enough that a turn over a thousand ready connections stays in the milliseconds.
const READ_BUDGET: usize = 64 * 1024;

/// How many gathering writes one connection gets in a turn.
const WRITE_BUDGET: usize = 8;

/// How many events one call of the poll takes in.
const EVENTS: usize = 1024;

/// How many notes from other threads one turn takes in.
const NOTE_BUDGET: usize = 256;

/// A turn that took at least so long is followed by a [`lull`].
const LONG_TURN: Duration = Duration::from_micros(500);
/// Which part of the turn's time that takes. Of two goes with 500 members over TLS an eighth brought less in both, and
/// a thirty-second more in one and less in the other.
const LULL_PART: u32 = 16;
/// The most that it takes, for a turn in which something stood still.
const LONGEST_LULL: Duration = Duration::from_millis(5);

/// epoll(7), question 9: for a stream, a read that returns less than was asked for has drained the socket,
/// and the next arrival raises a new edge. Not promised by mio for its other systems. There is one
/// exception that only its sender feels: a read also stops short at TCP's urgent mark, and what was sent
/// behind it waits for the next arrival.
const SHORT_READ_IS_DRAINED: bool = cfg!(any(target_os = "linux", target_os = "android"));

const WAKER: Token = Token(usize::MAX);
/// Tokens from here on are listeners; below are connections' slots.
const FIRST_LISTENER: usize = usize::MAX / 2;

/// The driver's own deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    ResumeAccept,
    LingerOver(ConnId),
    /// The peer may have acknowledged what was written to a connection that is to be dropped, or the time for that, the
    /// second value, is over.
    Acknowledged(ConnId, Duration),
    HandshakeOver(ConnId),
}

/// Microseconds since 1970-01-01T00:00:00Z.
pub(crate) fn wall_clock() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        })
}

/// How long to rest after a turn that took so long, for a machine whose outboxes have what came from many. Those who
/// were written to last answer just after the turn has ended: in the next they would be too late, everyone would be
/// written to twice as often with half as much each time, and that would go on by itself.
fn lull(took: Duration) -> Option<Duration> {
    (took >= LONG_TURN).then(|| (took / LULL_PART).min(LONGEST_LULL))
}

/// What carries out [`Effect::Act`]. It may report back with the handle.
pub type Actor<'a, M> = dyn FnMut(<M as Machine>::Action, &Handle<<M as Machine>::Note>) + 'a;

/// What is told of a connection that came to nothing before the machine knew of it: when, whose, and why.
pub type Observer = dyn FnMut(Now, &PeerAddr, &str) + Send;

/// Runs a machine.
pub struct EventLoop<M: Machine> {
    machine: M,
    poll: Poll,
    started: Instant,
    listeners: Listeners,
    connections: Connections,
    /// Connections with unread input that the machine wants, in the order of their turns.
    ready: VecDeque<ConnId>,
    /// Connections with unread input that the machine does not want now.
    parked: Vec<ConnId>,
    /// Connections whose outbox was longer than a turn's budget.
    unwritten: VecDeque<ConnId>,
    handshakes: Handshakes,
    alarms: Timers<Alarm>,
    inbox: Inbox<M::Note>,
    read_buffer: Vec<u8>,
    observer: Option<Box<Observer>>,
    /// Loops on other threads that take their share of what is accepted here, and whose turn it is.
    helpers: Vec<Handle<M::Note>>,
    turn: usize,
    exiting: bool,
}

impl<M: Machine> EventLoop<M> {
    /// A loop around `machine` without any connection yet.
    pub fn new(machine: M) -> Result<Self> {
        let start = || -> io::Result<_> {
            let poll = Poll::new()?;
            let inbox = Inbox::new(mio::Waker::new(poll.registry(), WAKER)?);
            Ok((poll, inbox))
        };
        let (poll, inbox) = start().map_err(|error| {
            Error::new(Kind::Other, "cannot set up waiting for sockets").because(error)
        })?;
        Ok(Self {
            machine,
            poll,
            started: Instant::now(),
            listeners: Listeners::default(),
            connections: Connections::default(),
            ready: VecDeque::new(),
            parked: Vec::new(),
            unwritten: VecDeque::new(),
            handshakes: Handshakes::new(open_file_limit()),
            alarms: Timers::new(),
            inbox,
            read_buffer: vec![0; READ_BUDGET],
            observer: None,
            helpers: Vec::new(),
            turn: 0,
            exiting: false,
        })
    }

    /// A handle by which other threads reach the machine.
    pub fn handle(&self) -> Handle<M::Note> {
        self.inbox.handle()
    }

    /// The machine.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Accepts from `listener` from the next turn on; its connections are [`Event::Opened`] with `origin`.
    pub fn listen(&mut self, listener: ListenerSocket, origin: Origin) -> Result<()> {
        self.listen_as(listener, origin, None)
    }

    /// The same with TLS, if there is an acceptor for it.
    pub fn listen_as(
        &mut self,
        listener: ListenerSocket,
        origin: Origin,
        acceptor: Option<Arc<Acceptor>>,
    ) -> Result<()> {
        let token = Token(FIRST_LISTENER + self.listeners.len());
        self.listeners
            .add(self.poll.registry(), token, listener, origin, acceptor)
            .map_err(|error| Error::new(Kind::Other, "cannot watch a listener").because(error))
    }

    /// Tells `observer` of every handshake that fails. It must not block.
    pub fn observe_failed_handshakes(&mut self, observer: Box<Observer>) {
        self.observer = Some(observer);
    }

    /// Gives each of these loops, on other threads, as many of the connections that are accepted here as it
    /// keeps itself, in turn. One listener for all works with every kind of socket on every system, and
    /// shares out more evenly than SO_REUSEPORT, which goes by a hash of the addresses.
    pub fn share_with(&mut self, helpers: Vec<Handle<M::Note>>) {
        self.helpers = helpers;
    }

    /// Socket options of accepted sockets: those of [`crate::core::socket::ListenOptions`], as far as a listener
    /// cannot hand them down.
    pub fn set_on_accept(&mut self, settings: Settings) {
        self.listeners.set(settings);
    }

    /// Runs until the machine says [`Effect::Exit`]. `act` carries out what is the program's and not the
    /// driver's; it must not block.
    pub fn run(&mut self, act: &mut Actor<'_, M>) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        // What the machine wanted before anything happened: a first dial, for instance.
        self.settle(self.now(), act);
        while !self.exiting {
            self.unpark();
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.inbox.close();
                    return Err(Error::new(Kind::Other, "cannot wait for sockets").because(error));
                }
            }
            let now = self.now();
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(token) if token >= FIRST_LISTENER => {
                        self.listeners.mark_ready(token - FIRST_LISTENER);
                    }
                    Token(slot) => self.note_readiness(now, slot, event),
                }
            }
            self.take_posted(now);
            self.ring_alarms(now);
            self.accept(now);
            if self
                .machine
                .next_deadline()
                .is_some_and(|at| at <= now.since_start)
            {
                self.machine.handle(now, Event::Deadline);
            }
            self.read_all(now);
            self.settle(now, act);
            if !M::WRITES_AT_ONCE
                && let Some(rest) = lull(self.started.elapsed() - now.since_start)
            {
                thread::sleep(rest);
            }
        }
        // Whoever waits for room in the queue of notes would wait for ever.
        self.inbox.close();
        Ok(())
    }

    fn now(&self) -> Now {
        Now {
            since_start: self.started.elapsed(),
            unix_micros: wall_clock(),
        }
    }

    /// How long to sleep: not at all with work at hand, else until the next deadline of anyone.
    fn patience(&self) -> Option<Duration> {
        let work_left = !self.ready.is_empty()
            || !self.unwritten.is_empty()
            || self.listeners.has_work()
            || (self.inbox.has_left_over() && self.machine.wants_notes());
        if work_left {
            return Some(Duration::ZERO);
        }
        let next = [self.machine.next_deadline(), self.alarms.next()]
            .into_iter()
            .flatten()
            .min()?;
        // mio rounds up to what the system counts in, so this does not wake too early and spin.
        Some(next.saturating_sub(self.started.elapsed()))
    }

    fn note_readiness(&mut self, now: Now, slot: usize, event: &mio::event::Event) {
        let Some(connection) = self.connections.at(slot) else {
            return;
        };
        let conn = connection.id;
        if connection.arriving.is_some() && !connection.state.lingering() {
            self.shake_hands(now, conn);
            return;
        }
        if connection.state.dropping() && event.is_error() {
            // It acknowledges nothing any more.
            self.drop_drained(now, conn);
            return;
        }
        if event.is_writable()
            && let Err(error) = connection.transport.flush()
        {
            self.break_off(now, conn, error.kind());
            return;
        }
        if event.is_write_closed() && connection.state.our_side_open() {
            connection.state.deaf = true;
            if connection.state.ended {
                // It had finished sending and now it does not hear us any more either: reset, or a Unix
                // socket whose other end is closed.
                let kind = connection.transport.error_kind();
                self.fail(now, conn, kind);
                return;
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            connection.state.readable = true;
            connection.state.hung_up |= event.is_read_closed() || event.is_error();
            if !connection.state.queued {
                connection.state.queued = true;
                self.ready.push_back(conn);
            }
        }
        if (event.is_writable() || event.is_write_closed()) && connection.state.blocked {
            connection.state.blocked = false;
            if connection.state.leaves() {
                // The rest of the outbox is the driver's business now.
                connection.state.unwritten = true;
                self.unwritten.push_back(conn);
            }
            if connection.state.tells_machine() {
                self.machine.handle(now, Event::Writable { conn });
            }
        }
    }

    fn take_posted(&mut self, now: Now) {
        while let Some(posted) = self.inbox.take_control() {
            match posted {
                Posted::Signal(signal) => self.machine.handle(now, Event::Signal(signal)),
                Posted::Urgent(note) => self.machine.handle(now, Event::Note(note)),
                Posted::Adopt(transport, peer, origin) => {
                    self.open(now, transport, &peer, origin);
                }
            }
        }
        for _ in 0..NOTE_BUDGET {
            if !self.machine.wants_notes() {
                break;
            }
            let Some(note) = self.inbox.take_note() else {
                break;
            };
            self.machine.handle(now, Event::Note(note));
        }
    }

    fn ring_alarms(&mut self, now: Now) {
        while let Some(alarm) = self.alarms.pop_due(now.since_start) {
            match alarm {
                Alarm::ResumeAccept => self.listeners.pause_is_over(),
                Alarm::LingerOver(conn) => self.drop_once_acknowledged(now, conn),
                Alarm::Acknowledged(conn, until) => self.drop_acknowledged(now, conn, until),
                Alarm::HandshakeOver(conn) => self.reject(now, conn, "no TLS handshake in time"),
            }
        }
    }

    fn accept(&mut self, now: Now) {
        let mut budget = accept::BUDGET;
        while budget > 0 {
            let accepted = self.listeners.accept();
            if let Some(paused) = self.listeners.changed() {
                self.machine.handle(now, Event::AcceptPaused(paused));
            }
            match accepted {
                accept::Accepted::Connection(transport, peer, origin) => {
                    budget -= 1;
                    self.turn = (self.turn + 1) % (self.helpers.len() + 1);
                    match self
                        .turn
                        .checked_sub(1)
                        .and_then(|turn| self.helpers.get(turn))
                    {
                        // A loop that has ended takes nobody any more, and nor will this one for long.
                        Some(helper) => drop(helper.adopt(transport, peer, origin)),
                        None => self.open(now, transport, &peer, origin),
                    }
                }
                accept::Accepted::Exhausted { set_alarm } => {
                    if set_alarm {
                        self.alarms
                            .set(now.since_start + accept::PAUSE, Alarm::ResumeAccept);
                    }
                    return;
                }
                accept::Accepted::None => return,
            }
        }
    }

    fn open(&mut self, now: Now, mut transport: Transport, peer: &PeerAddr, origin: Origin) {
        let token = Token(self.connections.vacant());
        let watched = transport.register(self.poll.registry(), token);
        let handshaking = transport.is_handshaking();
        let conn = self.connections.insert(transport);
        if handshaking {
            self.begin_handshake(now, conn, peer, origin);
        } else {
            self.show(now, conn, peer, origin);
        }
        if let Err(error) = watched {
            // The kernel has no memory for one more (epoll_ctl(2): ENOMEM, ENOSPC). This connection
            // alone is the loser, and the machine is told: it may wait for a dial of its own.
            match handshaking {
                true => self.reject(now, conn, &IoReason(&error).to_string()),
                false => self.fail(now, conn, error.kind()),
            }
        }
    }

    /// Tells the machine of a connection that is ready for it.
    fn show(&mut self, now: Now, conn: ConnId, peer: &PeerAddr, origin: Origin) {
        self.machine
            .handle(now, Event::Opened { conn, origin, peer });
        if let Some(connection) = self.connections.get(conn)
            && connection.transport.buffers_input()
        {
            // The peer's first bytes may have come with the end of its handshake: no edge tells of them.
            connection.state.readable = true;
            connection.state.queued = true;
            self.ready.push_back(conn);
        }
    }

    /// The handshake itself goes on when the peer has said something, or has room for what we say.
    fn begin_handshake(&mut self, now: Now, conn: ConnId, peer: &PeerAddr, origin: Origin) {
        if let Some(oldest) = self.handshakes.begun(conn) {
            self.reject(now, oldest, "too many TLS handshakes at once");
        }
        if let Some(connection) = self.connections.get(conn) {
            connection.arriving = Some(Box::new(Arrival {
                peer: peer.clone(),
                origin,
            }));
        }
        self.alarms.set(
            now.since_start + handshakes::PATIENCE,
            Alarm::HandshakeOver(conn),
        );
    }

    fn shake_hands(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        match connection.transport.shake_hands() {
            Ok(false) => {}
            Ok(true) => {
                if let Some(arrival) = connection.arriving.take() {
                    self.handshakes.ended(conn);
                    self.show(now, conn, &arrival.peer, arrival.origin);
                }
            }
            Err(error) => {
                self.observe(now, conn, &IoReason(&error).to_string());
                self.linger(now, conn);
            }
        }
    }

    /// Ends a connection that the machine knows nothing of.
    fn reject(&mut self, now: Now, conn: ConnId, why: &str) {
        if self.observe(now, conn, why) {
            self.drop_connection(conn);
        }
    }

    /// The handshake of a connection has failed. Whether there is one that was under way.
    fn observe(&mut self, now: Now, conn: ConnId, why: &str) -> bool {
        let Some(connection) = self.connections.get(conn) else {
            return false;
        };
        let Some(arrival) = &connection.arriving else {
            return false;
        };
        if connection.state.lingering() {
            return false;
        }
        if let Some(observer) = &mut self.observer {
            observer(now, &arrival.peer, why);
        }
        self.handshakes.ended(conn);
        true
    }

    /// Those whose input was not wanted get their turn again once it is, and before those who came later: where
    /// room for one more comes now and then, whoever talks all the time would take it each time. This is asked
    /// before each sleep, after everything that can have changed the machine's mind, since no edge will come for
    /// what is already there.
    fn unpark(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let later = std::mem::take(&mut self.ready);
        let ready = &mut self.ready;
        let (connections, machine) = (&mut self.connections, &self.machine);
        self.parked.retain(|&conn| {
            let Some(connection) = connections.get(conn) else {
                return false;
            };
            let wanted =
                connection.state.broken.is_some() || connection.state.reads(machine.appetite(conn));
            if wanted {
                ready.push_back(conn);
            }
            !wanted
        });
        self.ready.extend(later);
    }

    fn read_all(&mut self, now: Now) {
        for _ in 0..self.ready.len() {
            let Some(conn) = self.ready.pop_front() else {
                break;
            };
            self.read_one(now, conn);
            if M::WRITES_AT_ONCE {
                self.write_all(now);
            }
        }
    }

    fn write_all(&mut self, now: Now) {
        while let Some(conn) = self.machine.next_transmit(now) {
            self.write(now, conn);
        }
    }

    fn read_one(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        let tells_machine = connection.state.tells_machine();
        let appetite = if tells_machine {
            self.machine.appetite(conn)
        } else {
            READ_BUDGET
        };
        if !connection.state.reads(appetite) {
            if let Some(kind) = connection.state.broken {
                self.fail(now, conn, kind);
            } else if connection.state.readable && connection.state.input_open() {
                self.parked.push(conn);
            } else {
                connection.state.queued = false;
            }
            return;
        }
        let landing = tells_machine
            .then(|| self.machine.landing(conn))
            .flatten()
            .filter(|landing| !landing.is_empty());
        let landed = landing.is_some();
        let read = match landing {
            Some(landing) => connection.read(landing),
            None => connection.read(&mut self.read_buffer[..appetite.min(READ_BUDGET)]),
        };
        match read {
            Read::Bytes(count) => {
                if landed {
                    self.machine.landed(now, conn, count);
                } else if tells_machine {
                    let bytes = &self.read_buffer[..count];
                    self.machine.handle(now, Event::Received { conn, bytes });
                } else if connection.state.discard(count, LINGER_BYTES) {
                    self.drop_once_acknowledged(now, conn);
                    return;
                }
                self.requeue(conn);
            }
            Read::End | Read::Failed(_) if connection.state.lingering() => {
                self.drop_drained(now, conn);
            }
            Read::End => {
                connection.state.queued = false;
                let state = connection.state;
                if state.broken.is_none() {
                    self.machine.handle(now, Event::EndOfInput { conn });
                }
                if let Some(kind) = state.gone() {
                    self.fail(now, conn, kind);
                }
            }
            Read::Nothing => {
                connection.state.queued = false;
                if let Some(kind) = connection.state.broken {
                    self.fail(now, conn, kind);
                }
            }
            Read::Failed(kind) => {
                let kind = connection.state.broken.unwrap_or(kind);
                self.fail(now, conn, kind);
            }
        }
    }

    /// Gives a connection that may have more input another place on the ready list.
    fn requeue(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get(conn) {
            if connection.state.readable {
                self.ready.push_back(conn);
            } else {
                connection.state.queued = false;
            }
        }
    }

    /// Writes and carries out until the machine wants nothing more.
    fn settle(&mut self, now: Now, act: &mut Actor<'_, M>) {
        for _ in 0..self.unwritten.len() {
            let Some(conn) = self.unwritten.pop_front() else {
                break;
            };
            if let Some(connection) = self.connections.get(conn) {
                connection.state.unwritten = false;
                self.write(now, conn);
            }
        }
        loop {
            self.write_all(now);
            let Some(effect) = self.machine.effect() else {
                return;
            };
            match effect {
                Effect::Close(conn) => self.farewell(now, conn, true),
                Effect::Finish(conn) => self.farewell(now, conn, false),
                Effect::Abort(conn) => {
                    self.drop_connection(conn);
                }
                Effect::Reset(conn) => {
                    if let Some(connection) = self.connections.get(conn) {
                        connection.state.resets = true;
                    }
                    self.drop_once_acknowledged(now, conn);
                }
                Effect::StopListening => self.listeners.close(self.poll.registry()),
                Effect::Exit => self.exiting = true,
                Effect::Act(action) => {
                    let handle = self.inbox.handle();
                    act(action, &handle);
                }
            }
        }
    }

    fn write(&mut self, now: Now, conn: ConnId) {
        for _ in 0..WRITE_BUDGET {
            let Some(connection) = self.connections.get(conn) else {
                return;
            };
            if !connection.state.writes() {
                return;
            }
            let pending = self.machine.pending(conn);
            let total = pending.byte_len();
            if total == 0 {
                self.after_last_write(now, conn);
                return;
            }
            match connection.transport.write(pending.slices()) {
                Ok(count) => {
                    let more = count < total || !pending.is_all();
                    self.machine.sent(now, conn, count);
                    if !more {
                        self.after_last_write(now, conn);
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.state.blocked = true;
                    self.machine.blocked(now, conn);
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.break_off(now, conn, error.kind());
                    return;
                }
            }
        }
        if let Some(connection) = self.connections.get(conn) {
            connection.state.unwritten = true;
            self.unwritten.push_back(conn);
        }
    }

    /// Nothing can be written any more. What the peer said before is still told, if it is wanted.
    fn break_off(&mut self, now: Now, conn: ConnId, kind: io::ErrorKind) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        let state = &mut connection.state;
        if !state.input_open() {
            self.fail(now, conn, kind);
            return;
        }
        state.broken = Some(kind);
        state.readable = true;
        state.hung_up = true;
        if !state.queued {
            state.queued = true;
            self.ready.push_back(conn);
        }
    }
}

#[cfg(test)]
mod tests;
