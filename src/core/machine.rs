//! The contract between a protocol and the world.
//!
//! A protocol is a [`Machine`]: a value that is told what happened and says what it wants done. It
//! touches no socket, file, clock or thread, so it can be driven by a test in virtual time, with every
//! split of the byte stream, and by [`crate::core::event_loop`] with real sockets. The steps, which only
//! the driver can break:
//!
//! 1. The driver hands over one [`Event`] at a time with [`Machine::handle`], each with the time. Times
//!    never go back.
//! 2. After a batch of events it calls [`Machine::next_transmit`] until that says `None`. For each
//!    connection named it asks [`Machine::pending`], writes what it can in one gathering call, and reports
//!    the number of bytes with [`Machine::sent`]. When the transport takes no more it calls
//!    [`Machine::blocked`] and comes back with [`Event::Writable`] when there is room again.
//! 3. It then carries out [`Machine::effect`]s until there are none. A connection is gone for the machine
//!    when the driver reports [`Event::Closed`]: every [`Event::Opened`] has exactly one, with one
//!    exception: after [`Effect::Abort`] nothing more is said of that connection. One that is finished in
//!    both directions, by [`Effect::Finish`] and [`Event::EndOfInput`], still waits for [`Effect::Close`].
//! 4. It reads from a connection only while [`Machine::appetite`] is above zero, and never more than that
//!    number of bytes at once. That is the back-pressure: a machine that wants no input says zero. What is
//!    read lands in the driver's buffer and is handed over with [`Event::Received`], or, if the machine has
//!    a [`Machine::landing`], there, and is announced with [`Machine::landed`] instead.
//! 5. It sleeps until input, room for output, or [`Machine::next_deadline`], and reports that the deadline
//!    has come with [`Event::Deadline`]. There is no tick.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::io::IoSlice;
use std::time::Duration;

use crate::core::address::PeerAddr;

/// A moment, as two readings the driver took together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Monotonic time since the driver started. Deadlines are counted on it.
    pub since_start: Duration,
    /// Wall clock: microseconds since 1970-01-01T00:00:00Z. It may jump; it only labels what is shown
    /// and stored.
    pub unix_micros: i64,
}

/// Names a connection for as long as it lives. A number is used again only with another generation, so
/// a stale id never means somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// The slot: small and dense, fit for indexing a table.
    pub slot: u32,
    /// How often the slot had been used before.
    pub generation: u32,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Which of the program's listening sockets, or which dial, a connection came from. The number is given
/// by whoever set up the driver and means something only to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin(pub u32);

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The transport failed: reset, timed out by keepalive, broken pipe.
    Failed(std::io::ErrorKind),
    /// [`Effect::Close`] was carried out: all output went out and the connection was closed.
    Drained,
}

/// A request that the process should end or reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, or Ctrl-C on a Windows console.
    Interrupt,
    /// SIGTERM, or a closed console, logoff or shutdown on Windows.
    Terminate,
    /// SIGHUP.
    HangUp,
}

impl Signal {
    /// The number of the signal on Unix, which the exit status tells: POSIX, kill(1).
    pub const fn number(self) -> u8 {
        match self {
            Signal::HangUp => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a, N> {
    /// A connection is there: accepted, or dialled.
    Opened {
        /// Its name from now on.
        conn: ConnId,
        /// Where it came from.
        origin: Origin,
        /// The address at the other end.
        peer: &'a PeerAddr,
    },
    /// Bytes arrived, at most as many as the appetite allowed, at least one.
    Received {
        /// From whom.
        conn: ConnId,
        /// The bytes. The machine keeps what it cannot use yet.
        bytes: &'a [u8],
    },
    /// The peer has finished sending (FIN). Output is still possible.
    EndOfInput {
        /// Who.
        conn: ConnId,
    },
    /// There is room for output again after [`Machine::blocked`].
    Writable {
        /// Where.
        conn: ConnId,
    },
    /// The connection is no more.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        ending: Ending,
    },
    /// [`Machine::next_deadline`] has come.
    Deadline,
    /// The process was asked to end or to reload.
    Signal(Signal),
    /// The listeners could not accept for want of file descriptors and pause; or they go on.
    AcceptPaused(bool),
    /// Word from outside the protocol: typed lines, a disk thread's report.
    Note(N),
}

/// What the machine wants done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<A> {
    /// Write out what is pending, then close both directions, then report [`Event::Closed`].
    /// Nothing more is read. A peer that stops reading is the machine's to bound, with [`Effect::Abort`].
    Close(ConnId),
    /// Write out what is pending, then close our direction (FIN) and go on reading: half-close.
    Finish(ConnId),
    /// Close at once and drop what is pending. No [`Event::Closed`] follows.
    Abort(ConnId),
    /// Drop what is pending, and close with RST (RFC 9293 section 3.10.5) where the transport is TCP, whether or not
    /// everything was read; then report [`Event::Closed`]. What was sent before reaches the peer first, where the system
    /// tells when it has.
    Reset(ConnId),
    /// Accept no more, on any listener, and close them.
    StopListening,
    /// Leave the loop.
    Exit,
    /// Something only the program around the driver knows how to do.
    Act(A),
}

/// How many slices one gathering write takes at the most. A member's outbox is one slice in the common
/// case and three around a line of its own; more would need a wider array on the stack of every write.
pub const MAX_SLICES: usize = 16;

/// The slices that are to be written next, in order.
pub struct Pending<'a> {
    slices: [IoSlice<'a>; MAX_SLICES],
    len: usize,
}

impl<'a> Pending<'a> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            slices: [IoSlice::new(&[]); MAX_SLICES],
            len: 0,
        }
    }

    /// Appends `bytes` if they are not empty. Says whether another slice would still fit.
    pub fn push(&mut self, bytes: &'a [u8]) -> bool {
        if !bytes.is_empty() && self.len < MAX_SLICES {
            self.slices[self.len] = IoSlice::new(bytes);
            self.len += 1;
        }
        self.len < MAX_SLICES
    }

    /// Appends `slices` as far as there is room. Says whether another slice would still fit.
    pub fn push_all(&mut self, slices: impl IntoIterator<Item = &'a [u8]>) -> bool {
        slices.into_iter().all(|slice| self.push(slice))
    }

    /// What was pushed.
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.len]
    }

    /// Whether there was room for every slice, so that a complete write leaves nothing behind.
    pub fn is_all(&self) -> bool {
        self.len < MAX_SLICES
    }

    /// The sum of the lengths.
    pub fn byte_len(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }
}

impl Default for Pending<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A protocol without I/O. The module documentation has the order of the calls.
pub trait Machine {
    /// Whether the driver writes after each read, before it reads the next connection. By default it reads
    /// every ready connection first, so that what arrived together leaves together; where each answer goes
    /// to who asked, that would only let the data grow cold in the processor's cache.
    /// By default it also rests for a moment after a long turn, so that the answers to it arrive together.
    const WRITES_AT_ONCE: bool = false;

    /// What the program around the driver may report to it.
    type Note;
    /// What it may ask of the program around the driver.
    type Action;

    /// Takes in one event.
    fn handle(&mut self, now: Now, event: Event<'_, Self::Note>);

    /// How many bytes it will take from `conn` in one [`Event::Received`]; 0 stops the reading.
    fn appetite(&self, conn: ConnId) -> usize;

    /// Where the next bytes from `conn` shall land, at most as many as the appetite: spares the machine that
    /// keeps them a copy. `None`: in the driver's buffer.
    fn landing(&mut self, conn: ConnId) -> Option<&mut [u8]> {
        let _ = conn;
        None
    }

    /// So many bytes, at least one, came to lie in what [`Machine::landing`] gave.
    fn landed(&mut self, now: Now, conn: ConnId, bytes: usize) {
        let _ = (now, conn, bytes);
    }

    /// Whether [`Event::Note`]s are wanted now; while not, whoever posts them waits.
    fn wants_notes(&self) -> bool {
        true
    }

    /// The next connection that has something to send which was not offered since the last time it was
    /// named. `None` when all have been named.
    fn next_transmit(&mut self, now: Now) -> Option<ConnId>;

    /// What `conn` would send now, as slices that the driver writes in one call. Empty when nothing is.
    fn pending(&self, conn: ConnId) -> Pending<'_>;

    /// `bytes` of what [`Machine::pending`] offered are on their way.
    fn sent(&mut self, now: Now, conn: ConnId, bytes: usize);

    /// The transport takes no more; [`Event::Writable`] will follow.
    fn blocked(&mut self, now: Now, conn: ConnId);

    /// The next effect, in order.
    fn effect(&mut self) -> Option<Effect<Self::Action>>;

    /// When to be called with [`Event::Deadline`], on the scale of [`Now::since_start`].
    fn next_deadline(&self) -> Option<Duration>;
}
