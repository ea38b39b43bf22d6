//! The driver's own knowledge of a connection: what the kernel said and where its end stands.

use std::io;

use slab::Slab;

use crate::core::address::PeerAddr;
use crate::core::machine::{ConnId, Origin};
use crate::core::transport::Transport;

/// How far the end of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Farewell {
    /// Not begun.
    #[default]
    None,
    /// Our direction closes when the outbox is empty.
    FinishWanted,
    /// Our direction is closed, the other is read on.
    Finished,
    /// Both directions close when the outbox is empty.
    CloseWanted,
    /// Our direction is closed; input is thrown away until the peer closes too or a moment has passed.
    Lingering,
    /// As soon as the peer has all that was written, the connection is dropped; nothing more is read.
    Dropping,
}

/// What decides whether a connection is read. Kept apart from the socket so that a test can try
/// every combination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The kernel said that there is input, and nothing has shown since that it is used up.
    pub(super) readable: bool,
    /// The kernel said that the peer's end is (half) closed: input ends only with a read of 0.
    pub(super) hung_up: bool,
    /// The peer's data has ended.
    pub(super) ended: bool,
    /// The kernel said that the peer takes no more, while our direction was open.
    pub(super) deaf: bool,
    /// A write failed, and why: the connection ends as soon as what the peer had sent is read.
    pub(super) broken: Option<io::ErrorKind>,
    /// The last write found no room, and no room was announced since.
    pub(super) blocked: bool,
    /// On the ready list or parked.
    pub(super) queued: bool,
    /// On the list of those whose outbox is written on in the next turn.
    pub(super) unwritten: bool,
    /// It is dropped with RST.
    pub(super) resets: bool,
    /// Bytes thrown away while lingering.
    discarded: usize,
    farewell: Farewell,
}

impl State {
    /// Whether to read now, given how much the machine wants: the interest, as a function of the state.
    pub(super) fn reads(&self, appetite: usize) -> bool {
        let wanted = match self.farewell {
            Farewell::None | Farewell::FinishWanted | Farewell::Finished => appetite > 0,
            // The outbox is still being written; input may wait in the kernel.
            Farewell::CloseWanted | Farewell::Dropping => false,
            Farewell::Lingering => true,
        };
        self.readable && !self.ended && wanted
    }

    /// Whether a write may be tried now.
    pub(super) fn writes(&self) -> bool {
        !self.blocked && !self.unwritten && self.broken.is_none() && !self.lingering()
    }

    /// Whether we have not said FIN yet.
    pub(super) fn our_side_open(&self) -> bool {
        !matches!(
            self.farewell,
            Farewell::Finished | Farewell::Lingering | Farewell::Dropping
        )
    }

    /// Whether a farewell waits for the outbox to be empty.
    pub(super) fn leaves(&self) -> bool {
        matches!(
            self.farewell,
            Farewell::FinishWanted | Farewell::CloseWanted
        )
    }

    /// With the input ended: whether the connection is of no more use to anyone, and why.
    pub(super) fn gone(&self) -> Option<io::ErrorKind> {
        self.broken
            .or(self.deaf.then_some(io::ErrorKind::BrokenPipe))
    }

    /// Whether input is expected at all, now or later.
    pub(super) fn input_open(&self) -> bool {
        !self.ended && !matches!(self.farewell, Farewell::CloseWanted | Farewell::Dropping)
    }

    /// Whether the machine still hears of this connection's input and room.
    pub(super) fn tells_machine(&self) -> bool {
        !self.lingering()
    }

    /// Whether the machine has done with it.
    pub(super) fn lingering(&self) -> bool {
        matches!(self.farewell, Farewell::Lingering | Farewell::Dropping)
    }

    /// It is to be dropped as soon as the peer has what was written. Says whether that is new.
    pub(super) fn is_to_be_dropped(&mut self) -> bool {
        let before = std::mem::replace(&mut self.farewell, Farewell::Dropping);
        before != Farewell::Dropping
    }

    pub(super) fn dropping(&self) -> bool {
        self.farewell == Farewell::Dropping
    }

    /// The machine said goodbye: to both directions or to ours alone.
    pub(super) fn say_farewell(&mut self, both: bool) {
        self.farewell = match (self.farewell, both) {
            (Farewell::Lingering | Farewell::Dropping, _) => self.farewell,
            (_, true) | (Farewell::CloseWanted, _) => Farewell::CloseWanted,
            (Farewell::Finished, false) => Farewell::Finished,
            (_, false) => Farewell::FinishWanted,
        };
    }

    /// The outbox is empty. Says whether our direction is to be closed now.
    pub(super) fn takes_leave(&mut self) -> bool {
        self.farewell = match self.farewell {
            Farewell::FinishWanted => Farewell::Finished,
            Farewell::CloseWanted => Farewell::Lingering,
            Farewell::None | Farewell::Finished | Farewell::Lingering | Farewell::Dropping => {
                return false;
            }
        };
        true
    }

    /// Counts input thrown away. Says whether it was more than `limit` in all.
    pub(super) fn discard(&mut self, count: usize, limit: usize) -> bool {
        self.discarded += count;
        self.discarded > limit
    }
}

/// What one read brought.
pub(super) enum Read {
    Bytes(usize),
    End,
    Nothing,
    Failed(io::ErrorKind),
}

pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) transport: Transport,
    pub(super) state: State,
    /// The handshake is under way, and the machine has not been told yet: of this.
    pub(super) arriving: Option<Box<Arrival>>,
}

/// What the machine will be told of a connection whose handshake is under way.
pub(super) struct Arrival {
    pub(super) peer: PeerAddr,
    pub(super) origin: Origin,
}

impl Connection {
    /// Reads once and keeps `state.readable` true as long as there may be more.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        loop {
            return match self.transport.read(buffer) {
                Ok(0) => {
                    self.state.readable = false;
                    self.state.ended = true;
                    Read::End
                }
                Ok(count) => {
                    let drained = count < buffer.len()
                        && super::SHORT_READ_IS_DRAINED
                        && !self.transport.buffers_input();
                    if drained && !self.state.hung_up {
                        self.state.readable = false;
                    }
                    Read::Bytes(count)
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock => {
                        self.state.readable = false;
                        Read::Nothing
                    }
                    kind => Read::Failed(kind),
                },
            };
        }
    }
}

/// The connections, by slot. A slot that is used again has a new generation.
#[derive(Default)]
pub(super) struct Connections {
    slots: Slab<Connection>,
    generations: Vec<u32>,
}

impl Connections {
    /// The slot that [`Connections::insert`] will use next.
    pub(super) fn vacant(&self) -> usize {
        self.slots.vacant_key()
    }

    pub(super) fn insert(&mut self, transport: Transport) -> ConnId {
        let entry = self.slots.vacant_entry();
        let slot = entry.key();
        if slot == self.generations.len() {
            self.generations.push(0);
        }
        let id = ConnId {
            // A process has far fewer than 2^32 descriptors.
            slot: slot as u32,
            generation: self.generations[slot],
        };
        entry.insert(Connection {
            id,
            transport,
            state: State::default(),
            arriving: None,
        });
        id
    }

    pub(super) fn at(&mut self, slot: usize) -> Option<&mut Connection> {
        self.slots.get_mut(slot)
    }

    pub(super) fn get(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots
            .get_mut(conn.slot as usize)
            .filter(|connection| connection.id == conn)
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let slot = conn.slot as usize;
        self.get(conn)?;
        self.generations[slot] = self.generations[slot].wrapping_add(1);
        Some(self.slots.remove(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interest_is_a_function_of_the_state() {
        let open = State {
            readable: true,
            ..State::default()
        };
        let with = |change: &dyn Fn(&mut State)| {
            let mut state = open;
            change(&mut state);
            state
        };
        let lingering = with(&|s| {
            s.say_farewell(true);
            s.takes_leave();
        });
        let table = [
            ("open, wanted", open, 1, true),
            ("open, not wanted", open, 0, false),
            ("nothing there", with(&|s| s.readable = false), 1, false),
            ("ended", with(&|s| s.ended = true), 1, false),
            ("no room to write", with(&|s| s.blocked = true), 1, true),
            (
                "half-closed by us",
                with(&|s| s.say_farewell(false)),
                1,
                true,
            ),
            (
                "closing, outbox not empty",
                with(&|s| s.say_farewell(true)),
                1,
                false,
            ),
            ("lingering", lingering, 0, true),
            (
                "lingering, ended",
                State {
                    ended: true,
                    ..lingering
                },
                0,
                false,
            ),
        ];
        for (name, state, appetite, reads) in table {
            assert_eq!(state.reads(appetite), reads, "{name}");
        }
    }

    #[test]
    fn writing_is_tried_unless_it_is_known_to_be_of_no_use() {
        let with = |change: &dyn Fn(&mut State)| {
            let mut state = State::default();
            change(&mut state);
            state
        };
        let table = [
            ("open", State::default(), true),
            ("the peer sends no more", with(&|s| s.ended = true), true),
            ("no room", with(&|s| s.blocked = true), false),
            ("has its turn later", with(&|s| s.unwritten = true), false),
            (
                "broken",
                with(&|s| s.broken = Some(io::ErrorKind::BrokenPipe)),
                false,
            ),
            ("closing", with(&|s| s.say_farewell(true)), true),
            (
                "lingering",
                with(&|s| {
                    s.say_farewell(true);
                    s.takes_leave();
                }),
                false,
            ),
        ];
        for (name, state, writes) in table {
            assert_eq!(state.writes(), writes, "{name}");
        }
    }

    #[test]
    fn why_it_is_of_no_more_use_is_the_first_that_was_known() {
        let mut state = State::default();
        assert_eq!(state.gone(), None);
        state.deaf = true;
        assert_eq!(state.gone(), Some(io::ErrorKind::BrokenPipe));
        state.broken = Some(io::ErrorKind::ConnectionReset);
        assert_eq!(state.gone(), Some(io::ErrorKind::ConnectionReset));
    }

    #[test]
    fn a_farewell_goes_forward_and_never_back() {
        let mut state = State::default();
        assert!(!state.takes_leave(), "nothing was said");
        state.say_farewell(false);
        assert!(state.takes_leave());
        state.say_farewell(false);
        assert!(!state.takes_leave(), "the direction is closed once");
        state.say_farewell(true);
        state.say_farewell(false);
        assert!(
            state.takes_leave() && state.lingering(),
            "a close is not undone by a half-close"
        );
        state.say_farewell(true);
        assert!(!state.takes_leave() && state.lingering());
    }
}
