//! How a connection ends: its last words reach the peer first, where that can be.

use std::io;
use std::time::Duration;

use super::{Alarm, EventLoop};
use crate::core::machine::{ConnId, Ending, Event, Machine, Now};

/// How long a connection that we closed may still be read (and its data thrown away) so that the last words
/// reach the peer: closing a socket with unread input makes the kernel send RST, which destroys what the
/// peer has not read yet (RFC 9293 section 3.6.1, RFC 1122 section 4.2.2.13).
const LINGER: Duration = Duration::from_secs(1);

/// How much input is thrown away in that time.
pub(super) const LINGER_BYTES: usize = 1024 * 1024;

/// How often a connection is looked at whose end waits for the peer to acknowledge what was written.
const ACKNOWLEDGING: Duration = Duration::from_millis(20);

/// How long that may take: a peer that reads slowly gets all of it, one that does not read holds a socket no longer.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

impl<M: Machine> EventLoop<M> {
    /// Begins the end of a connection: what is pending goes out first.
    pub(super) fn farewell(&mut self, now: Now, conn: ConnId, both: bool) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if let Some(kind) = connection.state.broken {
            self.fail(now, conn, kind);
            return;
        }
        connection.state.say_farewell(both);
        self.write(now, conn);
    }

    /// The outbox is empty. If a farewell was waiting for that, it goes on.
    pub(super) fn after_last_write(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        let flushed = match connection.state.leaves() {
            false => connection.transport.flush(),
            // It needs room like all before it, and a peer that does not get it takes the end for a cut.
            true => connection.transport.say_goodbye(),
        };
        match flushed {
            Ok(true) => {}
            Ok(false) => {
                connection.state.blocked = true;
                self.machine.blocked(now, conn);
                return;
            }
            Err(error) => {
                self.break_off(now, conn, error.kind());
                return;
            }
        }
        if !connection.state.takes_leave() {
            return;
        }
        let gone = connection.transport.finish().is_err();
        if !connection.state.lingering() {
            return;
        }
        if gone || connection.state.ended {
            self.drop_drained(now, conn);
        } else {
            self.linger(now, conn);
        }
    }

    /// Our last word is on its way: what still comes is thrown away until the peer closes too.
    pub(super) fn linger(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        connection.state.say_farewell(true);
        connection.state.takes_leave();
        connection.state.readable = true;
        if !connection.state.queued {
            connection.state.queued = true;
            self.ready.push_back(conn);
        }
        self.alarms
            .set(now.since_start + LINGER, Alarm::LingerOver(conn));
    }

    /// Drops a connection that the machine has done with, but not before the peer has what was written.
    pub(super) fn drop_once_acknowledged(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if connection.state.is_to_be_dropped() {
            self.drop_acknowledged(now, conn, now.since_start + UNACKNOWLEDGED);
        }
    }

    pub(super) fn drop_acknowledged(&mut self, now: Now, conn: ConnId, until: Duration) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if now.since_start < until && connection.transport.is_unacknowledged() {
            let again = now.since_start + ACKNOWLEDGING;
            self.alarms.set(again, Alarm::Acknowledged(conn, until));
            return;
        }
        if connection.state.resets {
            connection.transport.reset_on_close();
        }
        self.drop_drained(now, conn);
    }

    pub(super) fn fail(&mut self, now: Now, conn: ConnId, kind: io::ErrorKind) {
        if self.drop_connection(conn) {
            let ending = Ending::Failed(kind);
            self.machine.handle(now, Event::Closed { conn, ending });
        }
    }

    pub(super) fn drop_drained(&mut self, now: Now, conn: ConnId) {
        if self.drop_connection(conn) {
            let ending = Ending::Drained;
            self.machine.handle(now, Event::Closed { conn, ending });
        }
    }

    /// Whether it was still there, and the machine knows of it.
    pub(super) fn drop_connection(&mut self, conn: ConnId) -> bool {
        let Some(mut connection) = self.connections.remove(conn) else {
            return false;
        };
        // Closing the descriptor ends the watching on every system but a mio that counts.
        let _ = connection.transport.deregister(self.poll.registry());
        let known = connection.arriving.is_none();
        drop(connection);
        // A descriptor is free again: an accept that waits for one need not wait for its alarm.
        self.listeners.descriptor_freed();
        known
    }
}
