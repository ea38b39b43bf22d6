//! One connection and what the server knows of whoever is at its other end.

use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

use crate::chat::lines::LineBuffer;
use crate::chat::nick::{Key, Nick};
use crate::chat::outbox::Outbox;
use crate::chat::render::Dialect;
use crate::chat::room::Stream;
use crate::chat::server::Place;
use crate::chat::server::catch_up::CatchUp;
use crate::chat::server::config::Rate;
use crate::chat::token::Token;
use crate::chat::wire::Reason;
use crate::core::address::PeerAddr;
use crate::core::machine::ConnId;

/// How far a member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is not known yet whether a person or a program is there, or the verdict is that it may not stay and
    /// only the language to say so in is missing.
    Arriving(Option<Reason>),
    /// A person who has still to say the password, with the number of tries.
    Password(u8),
    /// In a room.
    In,
    /// On the operators' socket.
    Operator,
    /// What is pending is sent, and then the connection closes.
    Leaving,
}

/// A connection.
pub(super) struct Member {
    pub(super) conn: ConnId,
    pub(super) peer: PeerAddr,
    pub(super) stage: Stage,
    /// Came by the operators' socket.
    pub(super) operator: bool,
    pub(super) dialect: Dialect,
    pub(super) session: Option<Token>,
    /// Set from the first moment in a room on.
    pub(super) nick: Option<Rc<Named>>,
    pub(super) place: Option<Seat>,
    pub(super) input: LineBuffer,
    /// The peer's data has ended.
    pub(super) ended: bool,
    /// Input waits for something else than the peer: for the rate, for the turn, for the disk, or for the answers
    /// to what was asked before to be read.
    pub(super) held: bool,
    /// It is the answers.
    pub(super) glutted: bool,
    pub(super) outbox: Outbox,
    /// Gets its lines from the room's memory and does not follow the feed yet.
    pub(super) catching_up: Option<Box<CatchUp>>,
    pub(super) blocked: bool,
    /// Named in the list of those with something to send.
    pub(super) dirty: bool,
    pub(super) last_input: Duration,
    /// When its timer comes up. Others of its timers that come up are of the past.
    pub(super) alarm: Option<Duration>,
    /// One of the clients that the limits count, and not only here to be told that it may not come in.
    pub(super) admitted: bool,
    pub(super) arrived: Duration,
    /// When it is put out, once it was told that the idle timeout is near (plain) or pinged (structured).
    pub(super) warned: Option<Duration>,
    pub(super) bucket: Bucket,
    pub(super) ignores: Vec<Key>,
    /// How many bytes the line at hand has been answered with.
    pub(super) answered: usize,
}

/// A nick with its key, which is costly to make.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) nick: Nick,
    pub(super) key: Key,
    /// For the log's entries, which share it.
    pub(super) text: Rc<str>,
}

impl Named {
    pub(super) fn new(nick: Nick) -> Rc<Self> {
        let key = nick.key();
        let text = nick.as_str().into();
        Rc::new(Self { nick, key, text })
    }
}

/// A place in a room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    /// The room.
    pub(super) room: usize,
    /// The index in the room's list of members.
    pub(super) index: usize,
}

impl Member {
    pub(super) fn new(conn: ConnId, peer: PeerAddr, stage: Stage, now: Duration) -> Self {
        Self {
            conn,
            peer,
            stage,
            operator: false,
            dialect: Dialect::Plain,
            session: None,
            nick: None,
            place: None,
            input: LineBuffer::default(),
            ended: false,
            held: false,
            glutted: false,
            outbox: Outbox::default(),
            catching_up: None,
            blocked: false,
            dirty: false,
            last_input: now,
            alarm: None,
            admitted: false,
            arrived: now,
            warned: None,
            bucket: Bucket::new(now),
            ignores: Vec::new(),
            answered: 0,
        }
    }

    /// The feed of the member's room as far as it may see it, if it follows it.
    pub(super) fn stream<'a>(&self, places: &'a Slab<Place>) -> Option<&'a Stream> {
        let seat = self.place.filter(|_| self.catching_up.is_none())?;
        Some(places[seat.room].room.stream(self.dialect))
    }

    /// The nick, or the address of somebody who has none yet.
    pub(super) fn name(&self) -> String {
        match &self.nick {
            Some(named) => named.nick.to_string(),
            None => self.peer.to_string(),
        }
    }

    pub(super) fn ignores(&self, key: &Key) -> bool {
        self.ignores.contains(key)
    }

    /// The same for a nick whose key is not at hand: making it is costly, and hardly anybody ignores anybody.
    pub(super) fn ignores_nick(&self, nick: &str) -> bool {
        !self.ignores.is_empty() && self.ignores(&Key::of(nick))
    }
}

/// The right to send lines: so many at once, refilled at a rate.
#[derive(Debug)]
pub(super) struct Bucket {
    spent: f64,
    at: Duration,
}

impl Bucket {
    fn new(now: Duration) -> Self {
        Self {
            spent: 0.0,
            at: now,
        }
    }

    /// Takes the right to send so many lines beyond the last: they are waited for before the next.
    pub(super) fn charge(&mut self, lines: usize) {
        self.spent += lines as f64;
    }

    /// Takes the right to send one line, or says when to ask again.
    pub(super) fn take(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let refilled = now.saturating_sub(self.at).as_secs_f64() * rate.per_second;
        self.spent = (self.spent - refilled).max(0.0);
        self.at = now;
        let left = rate.burst - self.spent;
        // A nanosecond's worth of rounding must not make us come back for nothing.
        if left >= 1.0 - 1e-6 {
            self.spent += 1.0;
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - left) / rate.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_a_rate() {
        let rate = Rate {
            per_second: 10.0,
            burst: 3.0,
        };
        let mut now = Duration::from_secs(5);
        let mut bucket = Bucket::new(now);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        for _ in 0..100 {
            let again = bucket.take(rate, now).expect_err("the burst is spent");
            assert!(again > now && again <= now + Duration::from_millis(101));
            now = again;
            assert_eq!(bucket.take(rate, now), Ok(()), "at the time it named");
        }
        now += Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        assert!(
            bucket.take(rate, now).is_err(),
            "a long pause saves up no more than a burst"
        );
    }
}
