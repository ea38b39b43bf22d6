//! How other threads reach the machine: a bounded queue of notes and an unbounded one of rare control
//! messages, with a wake-up for the driver.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use crate::core::address::PeerAddr;
use crate::core::machine::{Origin, Signal};
use crate::core::transport::Transport;

/// How many notes wait before whoever posts them has to.
const NOTES: usize = 1024;

pub(super) enum Posted<N> {
    Signal(Signal),
    Adopt(Transport, PeerAddr, Origin),
    Urgent(N),
}

/// The loop is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop has ended")
    }
}

impl std::error::Error for Gone {}

/// Reaches an event loop from another thread.
pub struct Handle<N> {
    notes: SyncSender<N>,
    control: Sender<Posted<N>>,
    waker: Arc<mio::Waker>,
}

impl<N> Clone for Handle<N> {
    fn clone(&self) -> Self {
        Self {
            notes: self.notes.clone(),
            control: self.control.clone(),
            waker: Arc::clone(&self.waker),
        }
    }
}

impl<N> Handle<N> {
    /// Posts a note, and waits while the queue is full: the machine's back-pressure on its user.
    pub fn note(&self, note: N) -> Result<(), Gone> {
        self.notes.send(note).map_err(|_| Gone)?;
        self.wake()
    }

    /// Posts a note past the queue, without waiting: an answer to something that the machine asked for, which
    /// must come through while it wants no more input.
    pub fn urgent(&self, note: N) -> Result<(), Gone> {
        self.post(Posted::Urgent(note))
    }

    /// Hands a connected, non-blocking stream to the driver.
    pub fn adopt(
        &self,
        stream: impl Into<Transport>,
        peer: PeerAddr,
        origin: Origin,
    ) -> Result<(), Gone> {
        self.post(Posted::Adopt(stream.into(), peer, origin))
    }

    /// Reports a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Gone> {
        self.post(Posted::Signal(signal))
    }

    fn post(&self, posted: Posted<N>) -> Result<(), Gone> {
        self.control.send(posted).map_err(|_| Gone)?;
        self.wake()
    }

    fn wake(&self) -> Result<(), Gone> {
        self.waker.wake().map_err(|_| Gone)
    }
}

pub(super) struct Inbox<N> {
    handle: Handle<N>,
    notes: Receiver<N>,
    control: Receiver<Posted<N>>,
    /// A note that was taken out to see whether there is one.
    peeked: RefCell<Option<N>>,
}

impl<N> Inbox<N> {
    pub(super) fn new(waker: mio::Waker) -> Self {
        let (note_sender, notes) = mpsc::sync_channel(NOTES);
        let (control_sender, control) = mpsc::channel();
        Self {
            handle: Handle {
                notes: note_sender,
                control: control_sender,
                waker: Arc::new(waker),
            },
            notes,
            control,
            peeked: RefCell::new(None),
        }
    }

    pub(super) fn handle(&self) -> Handle<N> {
        self.handle.clone()
    }

    /// The loop has ended: who posts, or waits to, is told so.
    pub(super) fn close(&mut self) {
        // Who is released from waiting to post a note finds the other way closed too.
        self.control = mpsc::channel().1;
        self.notes = mpsc::sync_channel(0).1;
    }

    pub(super) fn take_control(&self) -> Option<Posted<N>> {
        self.control.try_recv().ok()
    }

    pub(super) fn take_note(&self) -> Option<N> {
        if let Some(note) = self.peeked.borrow_mut().take() {
            return Some(note);
        }
        self.notes.try_recv().ok()
    }

    /// Whether notes are waiting.
    pub(super) fn has_left_over(&self) -> bool {
        let mut peeked = self.peeked.borrow_mut();
        if peeked.is_none() {
            *peeked = self.notes.try_recv().ok();
        }
        peeked.is_some()
    }
}
