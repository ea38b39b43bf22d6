//! What goes out: who has something to send, what it is, and those who do not take it.

use super::config::Slow;
use super::member::Member;
use super::{Server, TURN_INTAKE};
use crate::chat::nick::RoomName;
use crate::chat::render::{Dialect, render};
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::machine::{ConnId, Now, Pending};

impl Server {
    /// Names one member that can be sent something. Rooms come first, so that one write carries a room's
    /// lines and the member's own.
    pub(super) fn next_to_send(&mut self, now: Now) -> Option<ConnId> {
        if !self.unacked.is_empty() {
            self.acknowledge();
        }
        loop {
            if let Some((index, left)) = self.sweep {
                // From the end to the front: a member that goes is replaced by the last in the list, which
                // has had its turn.
                let Some(next) = left.checked_sub(1) else {
                    self.sweep = None;
                    self.tidy(now, index);
                    continue;
                };
                self.sweep = Some((index, next));
                let Some(place) = self.places.get(index) else {
                    continue;
                };
                let Some(&slot) = place.room.members.get(next) else {
                    continue;
                };
                if let Some(conn) = self.offer(slot) {
                    return Some(conn);
                }
                continue;
            }
            if let Some(index) = self.dirty_places.pop() {
                let Some(place) = self.places.get_mut(index) else {
                    continue;
                };
                place.dirty = false;
                self.sweep = Some((index, place.room.members.len()));
                continue;
            }
            let Some(conn) = self.dirty_members.pop() else {
                // Who was not read for want of room may be read now, but only in another turn.
                self.wants_turn |= self.turn_bytes >= TURN_INTAKE;
                self.turn_bytes = 0;
                return None;
            };
            if let Some(member) = self.member(conn) {
                member.dirty = false;
                if let Some(conn) = self.offer(conn.slot) {
                    return Some(conn);
                }
            }
        }
    }

    /// The member in this slot if there is something it can be sent now.
    fn offer(&mut self, slot: u32) -> Option<ConnId> {
        let member = self.members[slot as usize].as_deref_mut()?;
        if member.blocked {
            return None;
        }
        if member.catching_up.is_some() {
            let conn = member.conn;
            self.catch_up(conn);
        }
        let member = self.members[slot as usize].as_deref_mut()?;
        let mut visible = 0;
        if let (Some(seat), None) = (member.place, &member.catching_up) {
            let room = &self.places[seat.room].room;
            let stream = room.stream(member.dialect);
            visible = stream.visible;
            let dialect = member.dialect;
            member.outbox.give_up_lost(&stream.feed, visible, |lines| {
                skipped(dialect, room.name(), lines)
            });
        }
        (!member.outbox.is_empty(visible)).then_some(member.conn)
    }

    pub(super) fn pending_of(&self, conn: ConnId) -> Pending<'_> {
        let Some(member) = self.peek(conn) else {
            return Pending::new();
        };
        let stream = member.stream(&self.places);
        member
            .outbox
            .pending(stream.map(|stream| (&stream.feed, stream.visible)))
    }

    /// Tells each session once a turn up to where its lines are safe.
    pub(super) fn acknowledge(&mut self) {
        for token in std::mem::take(&mut self.unacked) {
            let Some(session) = self.sessions.get(token) else {
                continue;
            };
            if let (Some(conn), Some(seq)) = (session.conn, session.take_ack()) {
                self.tell(conn, &ChatEvent::Ack { seq });
            }
        }
    }

    /// Drops from a room's feeds what everybody has, and then what is over the limit. Who still needs that is
    /// too slow.
    fn tidy(&mut self, now: Now, index: usize) {
        let limit = self.config.limits.send_queue;
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        if !place.room.wants_tidying() {
            return;
        }
        let mut needed = Dialect::ALL.map(|dialect| place.room.stream(dialect).feed.end());
        for &slot in &place.room.members {
            let Some(member) = &mut self.members[slot as usize] else {
                continue;
            };
            if member.catching_up.is_some() {
                continue;
            }
            let feed = &place.room.stream(member.dialect).feed;
            if feed.end() - member.outbox.needs_from() > limit as u64 {
                member.outbox.keep_torn_line(feed);
            }
            let needed = &mut needed[member.dialect.index()];
            *needed = member.outbox.needs_from().min(*needed);
        }
        place.room.tidy(needed, limit);
        if self.config.limits.slow == Slow::Skip {
            return;
        }
        let room = &place.room;
        let is_lost = |member: &&Member| {
            let base = room.stream(member.dialect).feed.base();
            member.catching_up.is_none() && member.outbox.needs_from() < base
        };
        let slow: Vec<ConnId> = room
            .members
            .iter()
            .filter_map(|&slot| self.members[slot as usize].as_deref())
            .filter(is_lost)
            .map(|member| member.conn)
            .collect();
        for conn in slow {
            self.put_out(
                now,
                conn,
                Reason::Slow,
                "too far behind: you read too slowly",
            );
        }
    }

    /// Before a member leaves a room or the server: what it still has to get becomes its own, and when that would
    /// be too much it is told how many lines it does not get.
    pub(super) fn lighten(&mut self, conn: ConnId) {
        let most = (self.config.limits.send_queue / 2) as u64;
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return;
        };
        let (Some(seat), None) = (member.place, &member.catching_up) else {
            return;
        };
        let room = &self.places[seat.room].room;
        let stream = room.stream(member.dialect);
        let lost = member.outbox.needs_from() < stream.feed.base();
        if !lost && member.outbox.backlog(stream.visible) <= most {
            return;
        }
        let dialect = member.dialect;
        member
            .outbox
            .give_up(&stream.feed, stream.visible, |lines| {
                skipped(dialect, room.name(), lines)
            });
    }

    /// How much a member has still to get, in bytes.
    pub(super) fn backlog(&self, member: &Member) -> u64 {
        let stream = member.stream(&self.places);
        member
            .outbox
            .backlog(stream.map_or(0, |stream| stream.visible))
    }
}

fn skipped(dialect: Dialect, room: &RoomName, lines: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let room = room.as_str().into();
    render(dialect, &mut bytes, &ChatEvent::Skipped { room, lines });
    bytes
}
