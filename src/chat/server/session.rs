//! Sessions of structured clients: what survives a cut connection.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::chat::authors::Authors;
use crate::chat::nick::{Key, RoomName};
use crate::chat::room::Author;
use crate::chat::server::member::Named;
use crate::chat::token::Token;
use crate::core::machine::ConnId;

/// How long a session waits for its client to come back. Its nick is kept as long.
pub(super) const KEEP: Duration = Duration::from_secs(300);

/// How long the others are not told that a client is cut off: most are back by then.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How many private lines are kept for a client that may not have got them.
const INBOX: usize = 100;

/// How many bytes of them. What ten thousand sessions keep is then bounded by the 640 MB that it takes to fill
/// every inbox to the brim; in practice it is nothing.
const INBOX_BYTES: usize = 64 * 1024;

/// How many refusals are kept for the same reason.
const REFUSALS: usize = 100;

/// How many sessions without connection are kept. Beyond, the one that waited longest is forgotten.
const MAX_DETACHED: usize = 10_000;

/// What the server keeps of a structured client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) author: u64,
    pub(super) named: Rc<Named>,
    pub(super) room: RoomName,
    /// The connection, while there is one.
    pub(super) conn: Option<ConnId>,
    /// The number of the last line that was taken.
    pub(super) taken: u64,
    /// The number of the last line that is safe in its room's log, of those that went to a log.
    stored: u64,
    /// How many lines wait for the disk.
    waiting: u32,
    /// What was last told to the client.
    acked: u64,
    inbox: VecDeque<(u64, Box<[u8]>)>,
    inbox_bytes: usize,
    last_private: u64,
    /// The newest refusals, oldest first: whether they arrived before a cut is not known.
    refused: VecDeque<(u64, Box<str>)>,
    /// The nicks that are ignored, while there is no connection.
    pub(super) ignores: Vec<Key>,
    /// The id of the last line that was visible in the room when the session came into it.
    pub(super) entered_at: u64,
    /// Since when there is no connection.
    pub(super) detached: Duration,
    /// From where it was connected then.
    address: Option<IpAddr>,
    /// Whether the room was told that the client has left.
    pub(super) left: bool,
}

impl Session {
    pub(super) fn new(author: u64, named: Rc<Named>, room: RoomName, taken: u64) -> Self {
        Self {
            author,
            named,
            room,
            conn: None,
            taken,
            stored: taken,
            waiting: 0,
            acked: taken,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            last_private: 0,
            refused: VecDeque::new(),
            ignores: Vec::new(),
            entered_at: 0,
            detached: Duration::ZERO,
            address: None,
            left: true,
        }
    }

    /// A line of this session waits for the disk.
    pub(super) fn wait_for_disk(&mut self) {
        self.waiting += 1;
    }

    /// A line that waited is stored, or was refused.
    pub(super) fn settled(&mut self, seq: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        self.stored = self.stored.max(seq);
    }

    /// The number up to which nothing is under way any more.
    pub(super) fn safe(&self) -> u64 {
        if self.waiting == 0 {
            self.taken
        } else {
            self.stored
        }
    }

    /// The number to acknowledge, if it is news.
    pub(super) fn take_ack(&mut self) -> Option<u64> {
        let seq = self.safe();
        (seq > self.acked).then(|| {
            self.acked = seq;
            seq
        })
    }

    /// Keeps a private line until it is known to have arrived. `encode` gets its number.
    pub(super) fn post(&mut self, encode: impl FnOnce(u64) -> Vec<u8>) -> Vec<u8> {
        self.last_private += 1;
        let bytes = encode(self.last_private);
        self.inbox_bytes += bytes.len();
        self.inbox
            .push_back((self.last_private, bytes.as_slice().into()));
        while self.inbox.len() > INBOX || self.inbox_bytes > INBOX_BYTES {
            let Some((_, dropped)) = self.inbox.pop_front() else {
                break;
            };
            self.inbox_bytes -= dropped.len();
        }
        bytes
    }

    /// The private lines after the one that the client has seen.
    pub(super) fn missed_private(&mut self, seen: u64) -> Vec<u8> {
        self.inbox.retain(|(number, _)| *number > seen);
        self.inbox_bytes = self.inbox.iter().map(|(_, bytes)| bytes.len()).sum();
        self.inbox
            .iter()
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect()
    }

    /// A line was not delivered, and why.
    pub(super) fn refuse(&mut self, seq: u64, text: &str) {
        if self.refused.len() == REFUSALS {
            self.refused.pop_front();
        }
        self.refused.push_back((seq, text.into()));
    }

    /// What to tell a client that is back. A refusal may have been lost with the connection, and an
    /// acknowledgement that covers it would pass for delivery: so the number stops short of the oldest, and the
    /// refusals and then the acknowledgement follow.
    pub(super) fn resume(&mut self) -> (u64, Vec<(u64, Box<str>)>) {
        let before_refusals = self.refused.iter().map(|(seq, _)| seq - 1).min();
        self.acked = self.safe().min(before_refusals.unwrap_or(u64::MAX));
        (self.acked, self.refused.iter().cloned().collect())
    }
}

/// All sessions, and what is known of the lines of those that are no more.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_token: HashMap<Token, Session>,
    /// Those without connection, the one that waits longest first.
    detached: BTreeSet<(Duration, Token)>,
    /// The same by the address that they had.
    detached_from: HashMap<Option<IpAddr>, BTreeSet<(Duration, Token)>>,
    /// When it is to be looked at who has waited too long.
    alarm: Option<Duration>,
    authors: Authors,
}

impl Sessions {
    pub(super) fn get(&mut self, token: Token) -> Option<&mut Session> {
        self.by_token.get_mut(&token)
    }

    pub(super) fn insert(&mut self, token: Token, session: Session) {
        self.by_token.insert(token, session);
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<Session> {
        self.stop_waiting(token);
        self.by_token.remove(&token)
    }

    /// The session has this connection from now on.
    pub(super) fn attach(&mut self, token: Token, conn: ConnId) {
        self.stop_waiting(token);
        if let Some(session) = self.by_token.get_mut(&token) {
            session.conn = Some(conn);
        }
    }

    fn stop_waiting(&mut self, token: Token) {
        let Some(session) = self.by_token.get(&token) else {
            return;
        };
        let place = (session.detached, token);
        self.detached.remove(&place);
        if let Some(neighbours) = self.detached_from.get_mut(&session.address) {
            neighbours.remove(&place);
            if neighbours.is_empty() {
                self.detached_from.remove(&session.address);
            }
        }
    }

    /// The number of the last line of this author that was taken, or is in the log on disk.
    pub(super) fn last_logged(&self, author: u64) -> u64 {
        self.authors.last(author)
    }

    /// The lines of this author up to this number are not to be taken again.
    pub(super) fn logged(&mut self, author: Author) {
        self.authors.note(author);
    }

    /// The connection of this session is gone; it may come back until [`KEEP`] is over. A token that has to go
    /// to make room is returned: one of the same address if that has more than `most`, which is as many as it may
    /// have connections, so that nobody takes the sessions of others away by coming and going.
    pub(super) fn detach(
        &mut self,
        token: Token,
        now: Duration,
        address: Option<IpAddr>,
        most: usize,
    ) -> Option<Token> {
        self.stop_waiting(token);
        let session = self.by_token.get_mut(&token)?;
        session.conn = None;
        session.detached = now;
        session.address = address;
        self.detached.insert((now, token));
        let neighbours = self.detached_from.entry(address).or_default();
        neighbours.insert((now, token));
        // Behind a Unix socket there are no addresses and no limit for each.
        let most = address.map_or(MAX_DETACHED, |_| most);
        let crowd = if neighbours.len() > most {
            &*neighbours
        } else if self.detached.len() > MAX_DETACHED {
            &self.detached
        } else {
            return None;
        };
        crowd.first().map(|&(_, oldest)| oldest)
    }

    /// The next session whose time is over. It is to be removed.
    pub(super) fn pop_expired(&mut self, now: Duration) -> Option<Token> {
        self.alarm = self.alarm.filter(|&alarm| alarm > now);
        let &(at, token) = self.detached.first()?;
        if at + KEEP > now {
            return None;
        }
        self.stop_waiting(token);
        Some(token)
    }

    /// When [`Sessions::pop_expired`] is to be asked next, unless that was said before.
    pub(super) fn next_alarm(&mut self) -> Option<Duration> {
        let &(at, _) = self.detached.first()?;
        if self.alarm.is_some() {
            return None;
        }
        self.alarm = Some(at + KEEP);
        self.alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::nick::Nick;

    fn session() -> Session {
        Session::new(1, Named::new(Nick::guest(1)), RoomName::lobby(), 0)
    }

    #[test]
    fn a_line_is_acknowledged_when_nothing_before_it_waits() {
        let mut session = session();
        session.taken = 1;
        session.wait_for_disk();
        assert_eq!(session.take_ack(), None, "the first waits for the disk");
        session.taken = 2; // A command, which has nothing to wait for.
        assert_eq!(
            session.take_ack(),
            None,
            "the second may not overtake the first"
        );
        session.taken = 3;
        session.wait_for_disk();
        session.settled(1);
        assert_eq!(session.take_ack(), Some(1));
        session.settled(3);
        assert_eq!(session.take_ack(), Some(3));
        assert_eq!(session.take_ack(), None, "once");
    }

    #[test]
    fn private_lines_are_kept_until_they_were_seen() {
        let mut session = session();
        for _ in 0..3 {
            session.post(|number| vec![number as u8]);
        }
        assert_eq!(session.missed_private(1), [2, 3]);
        assert_eq!(session.missed_private(3), Vec::<u8>::new());
    }

    #[test]
    fn a_session_expires_unless_it_came_back() {
        let mut sessions = Sessions::default();
        let token = |n: u8| Token::parse(&format!("{n:032x}")).unwrap();
        for n in [1, 2] {
            sessions.insert(token(n), session());
            sessions.detach(token(n), Duration::from_secs(u64::from(n)), None, 10);
        }
        let conn = ConnId {
            slot: 0,
            generation: 0,
        };
        sessions.attach(token(1), conn);
        assert_eq!(sessions.pop_expired(KEEP), None);
        assert_eq!(
            sessions.pop_expired(KEEP + Duration::from_secs(2)),
            Some(token(2))
        );
        assert_eq!(sessions.pop_expired(KEEP * 2), None);
    }

    #[test]
    fn coming_and_going_takes_nobody_elses_session_away() {
        let mut sessions = Sessions::default();
        let token = |n: u64| Token::parse(&format!("{n:032x}")).unwrap();
        let ip = |text: &str| Some(text.parse().unwrap());
        let conn = ConnId {
            slot: 0,
            generation: 0,
        };
        sessions.insert(token(0), session());
        sessions.detach(token(0), Duration::ZERO, ip("192.0.2.1"), 100);
        // One that is cut off again and again takes one place.
        sessions.insert(token(1), session());
        for n in 0..=MAX_DETACHED as u64 {
            let now = Duration::from_millis(n);
            assert_eq!(sessions.detach(token(1), now, ip("192.0.2.2"), 100), None);
            sessions.attach(token(1), conn);
        }
        // Many from one address take each other's.
        for n in 2..=MAX_DETACHED as u64 + 2 {
            sessions.insert(token(n), session());
            let now = Duration::from_secs(20) + Duration::from_millis(n);
            let gone = sessions.detach(token(n), now, ip("192.0.2.2"), 100);
            assert_eq!(gone, (n >= 102).then(|| token(n - 100)), "{n}");
            gone.map(|token| sessions.remove(token));
        }
        assert!(sessions.get(token(0)).is_some());
        let all: usize = sessions.detached_from.values().map(BTreeSet::len).sum();
        assert_eq!((all, sessions.detached.len()), (101, 101));
    }
}
