//! Farewells: of those who leave, of those who are put out, of the silent, and of the server.

use std::time::Duration;

use super::member::Stage;
use super::report::{Happening, Report, stamp};
use super::session::{GRACE, KEEP, Token};
use super::{Closing, Holder, Server, Timer};
use crate::chat::render::Dialect;
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::machine::{ConnId, Effect, Now, Signal};

/// How long a member that leaves may take to read what is left.
const PARTING: Duration = Duration::from_secs(5);

/// How long before the end of the idle timeout a person is warned.
const WARNING: Duration = Duration::from_secs(60);

/// How long before it our client is asked whether it is there.
const PROBE: Duration = Duration::from_secs(30);

impl Server {
    /// A member goes of its own will.
    pub(super) fn leave(&mut self, now: Now, conn: ConnId, why: &str) {
        self.depart(now, conn, why);
        self.part(now, conn);
    }

    /// A member's data has ended. A session without a farewell may come back.
    pub(super) fn hang_up(&mut self, now: Now, conn: ConnId) {
        match self.peek(conn).and_then(|member| member.session) {
            Some(token) => self.lose(now, conn, token),
            None => self.depart(now, conn, "left"),
        }
        self.part(now, conn);
    }

    /// A member has to go, and is told why.
    pub(super) fn put_out(&mut self, now: Now, conn: ConnId, reason: Reason, text: &str) {
        self.refuse_report(now, conn, reason, text);
        self.end_session(conn);
        self.tell(
            conn,
            &ChatEvent::Goodbye {
                reason,
                text: text.to_string().into(),
            },
        );
        self.depart(now, conn, text);
        self.part(now, conn);
    }

    /// The session has connected again: the connection before is a ghost.
    pub(super) fn replace(&mut self, now: Now, conn: ConnId) {
        let text = "this session has connected again".into();
        self.tell(
            conn,
            &ChatEvent::Goodbye {
                reason: Reason::Replaced,
                text,
            },
        );
        if let Some(member) = self.member(conn) {
            member.session = None;
            member.nick = None;
        }
        self.stand_up(conn);
        self.part(now, conn);
    }

    pub(super) fn refuse_report(&mut self, now: Now, conn: ConnId, reason: Reason, text: &str) {
        if let Some(member) = self.peek(conn) {
            let report = Happening::Refused {
                time: stamp(now),
                address: member.peer.to_string(),
                reason,
                text: text.to_string(),
            };
            self.report(|| Report::Event(report));
        }
    }

    /// Sends what is pending and closes.
    fn part(&mut self, now: Now, conn: ConnId) {
        if let Some(member) = self.member(conn) {
            if member.stage != Stage::Leaving {
                member.stage = Stage::Leaving;
                member.input = Default::default();
                self.effects.push_back(Effect::Close(conn));
                self.timers
                    .set(now.since_start + PARTING, Timer::Leaving(conn));
            }
        }
    }

    /// Closes at once: whatever is pending is not wanted.
    pub(super) fn abort(&mut self, conn: ConnId, why: &'static str) {
        self.effects.push_back(Effect::Abort(conn));
        let now = self.latest;
        match self.peek(conn).and_then(|member| member.session) {
            Some(token) => self.lose(now, conn, token),
            None => self.depart(now, conn, why),
        }
        self.erase(conn);
    }

    /// Takes a member out of its room and gives its nick back, and says so.
    fn depart(&mut self, now: Now, conn: ConnId, why: &str) {
        let Some(member) = self.member(conn) else {
            return;
        };
        let nick = member.nick.take();
        let address = member.peer.to_string();
        let ignores = member.ignores.take();
        let session = member.session;
        for key in ignores.into_iter().flat_map(|keys| keys.into_iter()) {
            self.forget_ignorer(&key, conn);
        }
        let Some(index) = self.stand_up(conn) else {
            return;
        };
        let Some(named) = nick else {
            return;
        };
        if session.is_none() && self.nicks.get(&named.key) == Some(&Holder::Conn(conn)) {
            self.nicks.remove(&named.key);
        }
        let report = Happening::Departed {
            time: stamp(now),
            room: self.places[index].room.name().to_string(),
            nick: named.nick.to_string(),
            address,
            why: why.to_string(),
        };
        self.report(|| Report::Event(report));
        self.announce_left(now, index, named.nick.as_str());
    }

    /// The connection is gone, or (`abort`) has to go now.
    pub(super) fn forget(&mut self, now: Now, conn: ConnId, abort: bool) {
        if self.peek(conn).is_none() {
            return;
        }
        if abort {
            self.effects.push_back(Effect::Abort(conn));
        }
        let member_left = self
            .peek(conn)
            .is_none_or(|member| member.stage == Stage::Leaving);
        let session = self.peek(conn).and_then(|member| member.session);
        match session.filter(|_| !member_left) {
            Some(token) => self.lose(now, conn, token),
            None => self.depart(now, conn, "lost connection"),
        }
        self.erase(conn);
        if self.closing == Some(Closing::Draining) && self.clients == 0 {
            self.end_drain();
        }
    }

    /// A structured client is cut off: its session waits for it.
    fn lose(&mut self, now: Now, conn: ConnId, token: Token) {
        self.stand_up(conn);
        self.timers
            .set(now.since_start + GRACE, Timer::Grace(token));
        self.timers.set(now.since_start + KEEP, Timer::Sessions);
        if let Some(crowded_out) = self.sessions.detach(token, now.since_start) {
            self.end_token(crowded_out);
        }
    }

    /// The room is told that a client that was cut off has not come back.
    pub(super) fn end_grace(&mut self, now: Now, token: Token) {
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        let due = session.detached + GRACE <= now.since_start;
        if session.conn.is_some() || session.left || !due {
            return;
        }
        session.left = true;
        let (key, nick) = (session.room.key(), session.named.nick.to_string());
        if let Some(&index) = self.places_by_key.get(&key) {
            let report = Happening::Departed {
                time: stamp(now),
                room: self.places[index].room.name().to_string(),
                nick: nick.clone(),
                address: String::new(),
                why: "lost connection".to_string(),
            };
            self.report(|| Report::Event(report));
            self.announce_left(now, index, &nick);
        }
    }

    pub(super) fn expire_sessions(&mut self, now: Now) {
        while let Some(token) = self.sessions.pop_expired(now.since_start) {
            self.end_token(token);
        }
    }

    /// A client says that it will not come back, or is not wanted back.
    pub(super) fn end_session(&mut self, conn: ConnId) {
        if let Some(token) = self.member(conn).and_then(|member| member.session.take()) {
            self.end_token(token);
        }
    }

    /// Forgets a session and frees its nick.
    pub(super) fn end_token(&mut self, token: Token) {
        if let Some(session) = self.sessions.remove(token) {
            // What it said is not to be taken again should the same token turn up.
            self.sessions.logged(session.author, session.taken);
            if self.nicks.get(&session.named.key) == Some(&Holder::Session(token)) {
                self.nicks.remove(&session.named.key);
            }
        }
    }

    fn erase(&mut self, conn: ConnId) {
        let Some(member) = self
            .members
            .get_mut(conn.slot as usize)
            .filter(|member| member.as_ref().is_some_and(|member| member.conn == conn))
            .and_then(Option::take)
        else {
            return;
        };
        if member.operator {
            return;
        }
        self.clients -= 1;
        if let Some(ip) = member.peer.ip() {
            if let Some(count) = self.per_ip.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    self.per_ip.remove(&ip);
                }
            }
        }
    }

    /// Sets the timer that watches over a member's silence.
    pub(super) fn wait_for_silence(&mut self, now: Now, conn: ConnId) {
        if let Some(timeout) = self.config.limits.idle_timeout {
            let ahead = self.peek(conn).map_or(Duration::ZERO, |member| {
                notice_time(member.dialect, timeout)
            });
            self.timers
                .set(now.since_start + timeout - ahead, Timer::Member(conn));
        }
    }

    /// A member's timer has come: recognition at first, then its silence.
    pub(super) fn on_member_timer(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.member(conn) else {
            return;
        };
        match member.stage {
            Stage::Arriving(_) => return self.end_recognition(now, conn),
            Stage::Password(_) | Stage::In => {}
            Stage::Operator | Stage::Leaving => return,
        }
        let (dialect, warned, last_input) = (member.dialect, member.warned, member.last_input);
        let Some(timeout) = self.config.limits.idle_timeout else {
            return;
        };
        let end = last_input + timeout;
        let notice = end - notice_time(dialect, timeout).min(end);
        if now.since_start >= end && warned {
            let text = format!("silent for {}", humantime::format_duration(timeout));
            return self.put_out(now, conn, Reason::Idle, &text);
        }
        if now.since_start < notice {
            self.timers.set(notice, Timer::Member(conn));
            return;
        }
        if let Some(member) = self.member(conn) {
            member.warned = true;
        }
        let left = end
            .saturating_sub(now.since_start)
            .max(Duration::from_secs(1));
        match dialect {
            Dialect::Structured => self.tell(conn, &ChatEvent::Ping),
            Dialect::Plain => {
                let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
                self.notice(
                    conn,
                    &format!("you will be disconnected in {left} unless you type something"),
                );
            }
        }
        self.timers.set(now.since_start + left, Timer::Member(conn));
    }

    pub(super) fn on_signal(&mut self, now: Now, signal: Signal) {
        if self.closing.is_some() {
            // Asked twice: no more patience.
            self.end_drain();
            return;
        }
        self.ended_by = Some(signal);
        self.shut_down(now);
    }

    /// Begins the end: no new clients, no more input; what was said is stored and delivered.
    pub(super) fn shut_down(&mut self, now: Now) {
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(Closing::Storing);
        self.effects.push_back(Effect::StopListening);
        self.timers
            .set(now.since_start + self.config.drain, Timer::Drain);
        self.say_goodbye_to_all(now);
    }

    /// Once nothing waits for the disk any more, everybody is told.
    pub(super) fn say_goodbye_to_all(&mut self, now: Now) {
        if self.places.iter().any(|(_, place)| place.room.is_waiting()) {
            return;
        }
        self.closing = Some(Closing::Draining);
        self.acknowledge();
        let all: Vec<ConnId> = self
            .members
            .iter()
            .flatten()
            .map(|member| member.conn)
            .collect();
        for conn in all {
            let arriving = self
                .peek(conn)
                .is_some_and(|member| matches!(member.stage, Stage::Arriving(_) | Stage::Leaving));
            if !arriving {
                let text = "the server is shutting down".into();
                self.tell(
                    conn,
                    &ChatEvent::Goodbye {
                        reason: Reason::Shutdown,
                        text,
                    },
                );
            }
            self.part(now, conn);
        }
        if self.members.iter().flatten().next().is_none() {
            self.end_drain();
        }
    }

    /// Leaves, whoever is still there.
    pub(super) fn end_drain(&mut self) {
        self.closing = Some(Closing::Draining);
        self.effects.push_back(Effect::Exit);
    }
}

/// How long before the end of its time a silent member is told.
fn notice_time(dialect: Dialect, timeout: Duration) -> Duration {
    let wanted = match dialect {
        Dialect::Plain => WARNING,
        Dialect::Structured => PROBE,
    };
    wanted.min(timeout / 2)
}
