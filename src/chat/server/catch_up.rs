//! How a structured client that comes back gets what it missed: from the room's memory, a portion at a time as
//! it reads. A cut network brings all clients back at once, each with much to get; were it all encoded for
//! each at its return, that would be the room's memory times the clients.
//!
//! Until it has caught up the member does not follow the room's feed. Lines that are said meanwhile reach it from
//! the memory as well, in the order of their ids; who came and went meanwhile it does not hear, so it is
//! told at the end who is there.

use super::Server;
use crate::chat::render::{Dialect, render};
use crate::chat::wire::ChatEvent;
use crate::core::machine::ConnId;

/// How many encoded bytes are waiting for a member at the most while there is more in the memory.
const PORTION: usize = 64 * 1024;

/// Where a member stands that has not caught up.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// The id of the last line that it was given.
    pub(super) after: u64,
    /// Its own lines with greater ids are no news to it.
    pub(super) own_after: u64,
    /// Whether it took more than one portion.
    long: bool,
}

impl CatchUp {
    /// The lines behind `after`, without those of its own that are behind `own_after`.
    pub(super) fn new(after: u64, own_after: u64) -> Self {
        Self {
            after,
            own_after,
            long: false,
        }
    }
}

impl Server {
    /// Gives a member that has not caught up the next portion, if it has read the one before.
    pub(super) fn catch_up(&mut self, conn: ConnId) {
        let Some(member) = self.member(conn) else {
            return;
        };
        if member.outbox.own_bytes() >= PORTION {
            return;
        }
        let (Some(mut state), Some(seat)) = (member.catching_up.take(), member.place) else {
            return;
        };
        let token = member.session;
        let author = token
            .and_then(|token| self.sessions.get(token))
            .map(|session| session.author);
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return;
        };
        let room = &self.places[seat.room].room;
        let mut bytes = Vec::new();
        let missing = room.oldest_id().saturating_sub(state.after + 1);
        if missing > 0 && state.after < room.last_visible_id() {
            let room = room.name().as_str().into();
            render(
                Dialect::Structured,
                &mut bytes,
                &ChatEvent::Gap { room, missing },
            );
        }
        for entry in room.since(state.after) {
            if bytes.len() >= PORTION {
                break;
            }
            state.after = entry.id;
            let own = entry
                .author
                .is_some_and(|by| Some(by.session) == author && entry.id > state.own_after);
            if !own && !member.ignores_nick(&entry.nick) {
                render(Dialect::Structured, &mut bytes, &entry.event(room.name()));
            }
        }
        member.outbox.push(None, bytes);
        if state.after < room.last_visible_id() {
            state.long = true;
            member.catching_up = Some(state);
        } else {
            let stream = room.stream(member.dialect);
            member.outbox.follow(&stream.feed, stream.visible);
            if state.long {
                self.tell_members(conn, seat.room);
                self.leave_out_hidden(conn, seat.room);
            }
        }
    }

    /// A member that begins to follow a room does not want to hear, of the lines that wait for the disk, those that
    /// it said before it was cut off or left, nor those of people it ignores.
    pub(super) fn leave_out_hidden(&mut self, conn: ConnId, index: usize) {
        let room = &self.places[index].room;
        if !room.is_waiting() {
            return;
        }
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return;
        };
        if member.catching_up.is_some() {
            return;
        }
        let dialect = member.dialect;
        for (places, entry, receipt) in room.hidden() {
            let own = receipt.is_some_and(|receipt| match receipt.session {
                Some(_) => receipt.session == member.session,
                None => receipt.conn == conn,
            });
            if own || member.ignores_nick(&entry.nick) {
                let feed = &room.stream(dialect).feed;
                member.outbox.skip(feed, &places[dialect.index()]);
            }
        }
    }
}
