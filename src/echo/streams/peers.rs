//! Who is connected, and what each of them gets back.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

use crate::core::address::PeerAddr;
use crate::core::machine::ConnId;
use crate::echo::chaos::Stream;
use crate::echo::lines::Lines;

/// What is to go back.
#[derive(Debug)]
pub(super) enum Outbox {
    Empty,
    Plain {
        bytes: Vec<u8>,
        from: usize,
        to: usize,
    },
    Through(Box<Stream>),
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) conn: ConnId,
    pub(super) number: u64,
    pub(super) address: PeerAddr,
    pub(super) outbox: Outbox,
    pub(super) lines: Lines,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) last_moved: Duration,
    /// The peer's FIN came.
    pub(super) ended: bool,
    /// The end is on its way, for this reason.
    pub(super) leaving: Option<&'static str>,
    /// It was never let in, and is not to be seen off.
    pub(super) refused: bool,
    /// An alarm of kind [`Alarm::Due`] is set for then.
    pub(super) due: Option<Duration>,
}

/// The peers by slot, apart from the rest of the machine so that this can be read meanwhile.
#[derive(Debug, Default)]
pub(super) struct Peers(pub(super) Vec<Option<Peer>>);

impl Peers {
    pub(super) fn get(&self, conn: ConnId) -> Option<&Peer> {
        self.0
            .get(conn.slot as usize)?
            .as_ref()
            .filter(|peer| peer.conn == conn)
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.0
            .get_mut(conn.slot as usize)?
            .as_mut()
            .filter(|peer| peer.conn == conn)
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Peer> {
        self.0.get(slot as usize)?.as_ref()
    }

    pub(super) fn insert(&mut self, peer: Peer) {
        let slot = peer.conn.slot as usize;
        if slot >= self.0.len() {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some(peer);
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Peer> {
        self.get(conn)?;
        self.0[conn.slot as usize].take()
    }
}
