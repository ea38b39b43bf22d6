//! The driver for datagrams: it moves them between sockets and a [`DatagramMachine`] and knows no protocol.
//!
//! One thread, one poll, as [`crate::core::event_loop`]. What a socket has is taken in and answered on the spot, from
//! the buffer that it came into, many with one call where the system can do that. Room for output is watched only while
//! a socket has none: Linux announces it for UDP each time that a datagram was taken at the other end, which would wake
//! the driver twice for each.

#[cfg_attr(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd"
    ),
    path = "datagram/batch.rs"
)]
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd"
    )),
    path = "datagram/single.rs"
)]
mod batch;
pub mod contract;
pub mod open;
#[cfg_attr(unix, path = "datagram/unix.rs")]
#[cfg_attr(not(unix), path = "datagram/windows.rs")]
mod system;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use self::batch::Batch;
use self::contract::{Answer, Arrival, Correspondent, DatagramMachine, Outgoing, Route};
use crate::core::event_loop::{Gone, wall_clock};
use crate::core::machine::{Now, Signal};
use crate::error::{Error, Kind, Result};

pub use self::open::{Bound, Opened, bind, connect};
pub use self::system::{DatagramSocket, TELLS_DESTINATION};

/// Room for the largest datagram: UDP over IPv4 carries 65,507 bytes, over IPv6 65,527, and a Unix socket
/// what its sender's buffer holds, 212,992 bytes unless Linux is told otherwise (socket(7), wmem_default).
/// What does not fit is cut by the system.
const BUFFER: usize = 256 * 1024;

/// How many datagrams one socket may bring in one turn.
const BUDGET: usize = 256;

/// How many failures in a row end a socket's turn. Each takes an error off the socket, so it is rarely more
/// than one.
const FAILURES: usize = 16;

const WAKER: Token = Token(usize::MAX);

/// Reaches a loop from another thread.
#[derive(Clone)]
pub struct DatagramHandle {
    signals: Sender<Signal>,
    waker: Arc<mio::Waker>,
}

impl DatagramHandle {
    /// Reports a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Gone> {
        self.signals.send(signal).map_err(|_| Gone)?;
        self.waker.wake().map_err(|_| Gone)
    }
}

struct Watched {
    socket: DatagramSocket,
    /// There may be something to receive.
    readable: bool,
    /// The system had no room for the first of these, and has not said since that it has. Nothing is received
    /// meanwhile: its answer would find no room either. So these are no more than the answers to one batch.
    held: VecDeque<Outgoing>,
    blocked: bool,
}

/// A datagram that came, and where it is in the buffer.
struct Received {
    at: usize,
    length: usize,
    arrival: Arrival,
}

impl Received {
    /// The next datagram, alone.
    fn next(socket: &mut DatagramSocket, number: usize, buffer: &mut [u8]) -> io::Result<Self> {
        let (length, arrival) = socket.receive(number, buffer)?;
        Ok(Self {
            at: 0,
            length,
            arrival,
        })
    }
}

/// The room that datagrams and their answers take in one turn, used again in the next.
struct Desk {
    /// By socket.
    batches: Vec<Batch>,
    buffer: Vec<u8>,
    received: Vec<Received>,
}

impl Desk {
    fn new(sockets: usize) -> Self {
        Self {
            batches: (0..sockets).map(|_| Batch::new()).collect(),
            // What is never written to takes no memory.
            buffer: vec![0; BUFFER.max(Batch::BUFFER)],
            received: Vec::new(),
        }
    }
}

/// Runs a machine.
pub struct DatagramLoop<M> {
    machine: M,
    poll: Poll,
    started: Instant,
    sockets: Vec<Watched>,
    handle: DatagramHandle,
    signals: Receiver<Signal>,
}

impl<M: DatagramMachine> DatagramLoop<M> {
    /// A loop around `machine` without any socket yet.
    pub fn new(machine: M) -> Result<Self> {
        let start = || -> io::Result<_> {
            let poll = Poll::new()?;
            let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
            Ok((poll, waker))
        };
        let (poll, waker) = start().map_err(|error| {
            Error::new(Kind::Other, "cannot set up waiting for sockets").because(error)
        })?;
        let (sender, signals) = mpsc::channel();
        Ok(Self {
            machine,
            poll,
            started: Instant::now(),
            sockets: Vec::new(),
            handle: DatagramHandle {
                signals: sender,
                waker,
            },
            signals,
        })
    }

    /// A handle by which other threads reach the loop.
    pub fn handle(&self) -> DatagramHandle {
        self.handle.clone()
    }

    /// The machine.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Takes over a socket. Its number is how many there were before.
    pub fn add(&mut self, mut socket: DatagramSocket) -> Result<()> {
        let token = Token(self.sockets.len());
        socket
            .register(self.poll.registry(), token, Interest::READABLE)
            .map_err(|error| Error::new(Kind::Other, "cannot watch a socket").because(error))?;
        self.sockets.push(Watched {
            socket,
            readable: true,
            held: VecDeque::new(),
            blocked: false,
        });
        Ok(())
    }

    /// Runs until the machine is done. `act` carries out what is the program's and not the driver's; it must
    /// not block.
    pub fn run(&mut self, act: &mut dyn FnMut(M::Action)) -> Result<()> {
        let cannot = |error| Error::new(Kind::Other, "cannot wait for sockets").because(error);
        let mut events = Events::with_capacity(64);
        let mut desk = Desk::new(self.sockets.len());
        self.settle(self.now(), act);
        while !self.machine.is_done() {
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot(error)),
            }
            let now = self.now();
            for event in &events {
                if let Some(watched) = self.sockets.get_mut(event.token().0) {
                    watched.readable |= event.is_readable() || event.is_error();
                    if event.is_writable() && watched.blocked {
                        watched.blocked = false;
                        let token = event.token();
                        watched
                            .socket
                            .reregister(self.poll.registry(), token, Interest::READABLE)
                            .map_err(cannot)?;
                    }
                }
            }
            while let Ok(signal) = self.signals.try_recv() {
                self.machine.signal(now, signal);
            }
            if self
                .machine
                .next_deadline()
                .is_some_and(|at| at <= now.since_start)
            {
                self.machine.deadline(now);
            }
            for socket in 0..self.sockets.len() {
                self.serve(socket, &mut desk)?;
            }
            self.settle(self.now(), act);
        }
        Ok(())
    }

    fn now(&self) -> Now {
        Now {
            since_start: self.started.elapsed(),
            unix_micros: wall_clock(),
        }
    }

    fn patience(&self) -> Option<Duration> {
        if self
            .sockets
            .iter()
            .any(|watched| watched.readable && !watched.blocked)
        {
            return Some(Duration::ZERO);
        }
        let next = self.machine.next_deadline()?;
        Some(next.saturating_sub(self.started.elapsed()))
    }

    /// Takes in what one socket has, and answers it. The time is taken behind each receipt: a datagram that comes during
    /// the turn would else be answered before the kernel has taken it in.
    fn serve(&mut self, socket: usize, desk: &mut Desk) -> Result<()> {
        if !self.sockets[socket].blocked {
            for held in std::mem::take(&mut self.sockets[socket].held) {
                self.send(self.now(), &held.route, &held.bytes)?;
            }
        }
        let mut failures = 0;
        let mut count = 0;
        while count < BUDGET && failures < FAILURES {
            let watched = &mut self.sockets[socket];
            if !watched.readable || watched.blocked || self.machine.is_done() {
                break;
            }
            desk.received.clear();
            let received = desk.batches[socket].receive(
                &mut watched.socket,
                socket,
                &mut desk.buffer,
                &mut desk.received,
            );
            let now = self.now();
            match received {
                Ok(had_no_more) => self.sockets[socket].readable = !had_no_more,
                Err(error) => {
                    match error.kind() {
                        io::ErrorKind::WouldBlock => self.sockets[socket].readable = false,
                        io::ErrorKind::Interrupted => {}
                        // The report of a host that did not take an earlier datagram: the socket is as good
                        // as before.
                        kind => {
                            failures += 1;
                            self.machine.undelivered(now, socket, kind);
                        }
                    }
                    continue;
                }
            }
            count += desk.received.len();
            self.answer(now, socket, desk)?;
        }
        Ok(())
    }

    /// Hands over what came in, and sends what goes back.
    fn answer(&mut self, now: Now, socket: usize, desk: &mut Desk) -> Result<()> {
        let mut answers: Vec<(&Route, Answer, usize, usize)> = Vec::new();
        for one in &desk.received {
            let bytes = &mut desk.buffer[one.at..one.at + one.length];
            match self.machine.received(now, &one.arrival, bytes) {
                Answer::Nothing => {}
                answer => answers.push((&one.arrival.route, answer, one.at, one.length)),
            }
        }
        let answers: Vec<(&Route, &[u8])> = answers
            .iter()
            .map(|(route, answer, at, length)| match answer {
                Answer::Other(bytes) => (*route, &**bytes),
                Answer::Same | Answer::Nothing => (*route, &desk.buffer[*at..*at + *length]),
            })
            .collect();
        let mut rest = &answers[..];
        while !rest.is_empty() {
            if !self.sockets[socket].blocked {
                let sent = desk.batches[socket].send(&self.sockets[socket].socket, rest);
                rest = &rest[sent..];
            }
            // One that was not taken with the others is looked at alone.
            if let Some((route, bytes)) = rest.split_off_first() {
                self.send(now, route, bytes)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, now: Now, route: &Route, bytes: &[u8]) -> Result<()> {
        let Some(watched) = self.sockets.get_mut(route.socket) else {
            return Ok(());
        };
        loop {
            if watched.blocked {
                watched.held.push_back(Outgoing {
                    route: route.clone(),
                    bytes: bytes.to_vec(),
                });
                return Ok(());
            }
            let Err(error) = watched.socket.send(route, bytes) else {
                return Ok(());
            };
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                // A Unix socket whose receiver does not read would keep all others waiting.
                io::ErrorKind::WouldBlock
                    if watched.socket.is_unix() && route.peer != Correspondent::Connected =>
                {
                    self.machine.undelivered(now, route.socket, error.kind());
                    return Ok(());
                }
                io::ErrorKind::WouldBlock => {
                    watched.blocked = true;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    watched
                        .socket
                        .reregister(self.poll.registry(), Token(route.socket), both)
                        .map_err(|error| {
                            Error::new(Kind::Other, "cannot wait for sockets").because(error)
                        })?;
                }
                kind => {
                    self.machine.undelivered(now, route.socket, kind);
                    return Ok(());
                }
            }
        }
    }

    /// Sends and carries out what the machine wants, as far as there is room.
    fn settle(&mut self, now: Now, act: &mut dyn FnMut(M::Action)) {
        while self.sockets.iter().all(|watched| !watched.blocked) {
            let Some(outgoing) = self.machine.next_outgoing(now) else {
                break;
            };
            if self.send(now, &outgoing.route, &outgoing.bytes).is_err() {
                self.machine
                    .undelivered(now, outgoing.route.socket, io::ErrorKind::Other);
            }
        }
        while let Some(action) = self.machine.action() {
            act(action);
        }
    }
}

#[cfg(test)]
mod tests;
