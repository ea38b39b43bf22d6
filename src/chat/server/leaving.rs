//! Farewells: of those who leave, of those who are put out, of the silent, and of the server.

use std::net::IpAddr;
use std::time::Duration;

use super::door::PASSWORD_TIME;
use super::member::Stage;
use super::report::{Happening, Report, stamp};
use super::session::GRACE;
use super::{Closing, Holder, Server, Timer};
use crate::chat::nick::Key;
use crate::chat::render::Dialect;
use crate::chat::room::Author;
use crate::chat::token::Token;
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::address::network;
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
        self.lose_or_depart(now, conn, "left");
        self.part(now, conn);
    }

    /// A member has to go, and is told why.
    pub(super) fn put_out(&mut self, now: Now, conn: ConnId, reason: Reason, text: &str) {
        if self
            .peek(conn)
            .is_none_or(|member| member.stage == Stage::Leaving)
        {
            return;
        }
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
        self.let_go(conn);
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
        if let Some(member) = self.member(conn)
            && member.stage != Stage::Leaving
        {
            member.stage = Stage::Leaving;
            member.input = Default::default();
            self.effects.push_back(Effect::Close(conn));
            let time = match self.closing {
                Some(_) => self.config.drain,
                None => PARTING,
            };
            self.timers
                .set(now.since_start + time, Timer::Leaving(conn));
        }
    }

    /// Closes at once: whatever is pending is not wanted.
    pub(super) fn abort(&mut self, conn: ConnId, why: &'static str) {
        self.effects.push_back(Effect::Abort(conn));
        let now = self.latest;
        self.lose_or_depart(now, conn, why);
        self.erase(conn);
    }

    fn lose_or_depart(&mut self, now: Now, conn: ConnId, why: &str) {
        match self.peek(conn).and_then(|member| member.session) {
            Some(token) => self.lose(now, conn, token),
            None => self.depart(now, conn, why),
        }
    }

    /// Takes a member out of its room and gives its nick back, and says so.
    pub(super) fn depart(&mut self, now: Now, conn: ConnId, why: &str) {
        let Some(member) = self.member(conn) else {
            return;
        };
        let nick = member.nick.take();
        let address = member.peer.to_string();
        self.drop_ignores(conn);
        let left = self.stand_up(conn);
        let Some(named) = nick else {
            return;
        };
        if self.nicks.get(&named.key) == Some(&Holder::Conn(conn)) {
            self.nicks.remove(&named.key);
        }
        let Some(index) = left else {
            return;
        };
        let room = self.places[index].room.name().to_string();
        self.report(|| {
            Report::Event(Happening::Departed {
                time: stamp(now),
                room,
                nick: named.nick.to_string(),
                address,
                why: why.to_string(),
            })
        });
        self.announce_left(now, index, named.nick.as_str());
    }

    /// What a member ignores is the business of the others' lines no more.
    fn drop_ignores(&mut self, conn: ConnId) -> Vec<Key> {
        let ignores = match self.member(conn) {
            Some(member) => std::mem::take(&mut member.ignores),
            None => Vec::new(),
        };
        for key in &ignores {
            self.forget_ignorer(key, conn);
        }
        ignores
    }

    /// Takes a connection out of its room and parts it from its session. What it ignored the session keeps.
    fn let_go(&mut self, conn: ConnId) {
        self.stand_up(conn);
        let ignores = self.drop_ignores(conn);
        let Some(member) = self.member(conn) else {
            return;
        };
        member.nick = None;
        let token = member.session.take();
        if let Some(session) = token.and_then(|token| self.sessions.get(token)) {
            session.ignores = ignores;
        }
    }

    /// The connection is gone, or (`abort`) has to go now.
    pub(super) fn forget(&mut self, now: Now, conn: ConnId, abort: bool) {
        if self.peek(conn).is_none() {
            return;
        }
        if abort {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.lose_or_depart(now, conn, "lost connection");
        self.erase(conn);
    }

    /// A structured client is cut off: its session waits for it.
    fn lose(&mut self, now: Now, conn: ConnId, token: Token) {
        self.let_go(conn);
        self.timers
            .set(now.since_start + GRACE, Timer::Grace(token));
        let ip = self.peek(conn).and_then(|member| member.peer.ip());
        let ip = ip.map(network);
        let most = self.config.limits.max_per_ip;
        if let Some(crowded_out) = self.sessions.detach(token, now.since_start, ip, most) {
            self.tell_left(now, crowded_out);
            self.end_token(crowded_out);
        }
        self.watch_sessions();
    }

    /// The room is told that a client that was cut off has not come back.
    pub(super) fn end_grace(&mut self, now: Now, token: Token) {
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        if session.detached + GRACE <= now.since_start {
            self.tell_left(now, token);
        }
    }

    /// The room is told that a client that was cut off is gone, unless it was told or the client is back.
    fn tell_left(&mut self, now: Now, token: Token) {
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        if session.conn.is_some() || session.left {
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
        self.watch_sessions();
    }

    /// One timer for all who wait: a client that comes and goes a thousand times a second must not leave one each.
    fn watch_sessions(&mut self) {
        if let Some(at) = self.sessions.next_alarm() {
            self.timers.set(at, Timer::Sessions);
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
            self.sessions.logged(Author {
                session: session.author,
                seq: session.taken,
            });
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
        match (member.operator, member.admitted) {
            (true, _) => self.operators -= 1,
            (false, false) => self.refused -= 1,
            (false, true) => self.discount(member.peer.ip().map(network)),
        }
        let nobody = self.clients + self.refused + self.operators == 0;
        if nobody && self.closing == Some(Closing::Draining) {
            self.end_drain();
        }
    }

    fn discount(&mut self, ip: Option<IpAddr>) {
        self.clients -= 1;
        if let Some(ip) = ip
            && let Some(count) = self.per_ip.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
    }

    /// Sets the timer that watches over a member's silence.
    pub(super) fn wait_for_silence(&mut self, now: Now, conn: ConnId) {
        if let Some(timeout) = self.config.limits.idle_timeout {
            let ahead = self.peek(conn).map_or(Duration::ZERO, |member| {
                notice_time(member.dialect, timeout)
            });
            self.set_alarm(conn, now.since_start + timeout - ahead);
        }
    }

    /// Wakes a member at `at` at the latest. It has one timer: one that comes too early is set again, and one
    /// that was overtaken means nothing.
    pub(super) fn set_alarm(&mut self, conn: ConnId, at: Duration) {
        let Some(member) = self.member(conn) else {
            return;
        };
        if member.alarm.is_none_or(|set| set > at) {
            member.alarm = Some(at);
            self.timers.set(at, Timer::Member(conn));
        }
    }

    /// A limit was changed: everybody's silence is to be judged anew.
    pub(super) fn wake_all(&mut self, now: Now) {
        let all: Vec<ConnId> = self.members.iter().flatten().map(|m| m.conn).collect();
        for conn in all {
            self.set_alarm(conn, now.since_start);
        }
    }

    /// A member's timer has come: recognition at first, then the password, then its silence.
    pub(super) fn on_alarm(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.member(conn) else {
            return;
        };
        if member.alarm.is_none_or(|at| at > now.since_start) {
            return;
        }
        member.alarm = None;
        match member.stage {
            Stage::Arriving(_) => self.end_recognition(now, conn),
            Stage::Password(_) => self.end_password_time(now, conn),
            Stage::In => self.judge_silence(now, conn),
            Stage::Operator | Stage::Leaving => {}
        }
    }

    fn end_password_time(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let end = member.arrived + PASSWORD_TIME;
        if now.since_start < end {
            return self.set_alarm(conn, end);
        }
        self.put_out(now, conn, Reason::Password, "no password was typed in time");
    }

    fn judge_silence(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let (dialect, warned, last_input) = (member.dialect, member.warned, member.last_input);
        let Some(timeout) = self.config.limits.idle_timeout else {
            return;
        };
        let end = last_input + timeout;
        let ahead = notice_time(dialect, timeout);
        if let Some(put_out_at) = warned {
            if now.since_start < put_out_at {
                return self.set_alarm(conn, put_out_at);
            }
            let text = format!("silent for {}", humantime::format_duration(timeout));
            return self.put_out(now, conn, Reason::Idle, &text);
        }
        if now.since_start + ahead < end {
            return self.set_alarm(conn, end - ahead);
        }
        // Whoever was already silent for too long when the limit was changed, or while this computer slept, still
        // has the time of a warning.
        let left = if now.since_start < end {
            end - now.since_start
        } else {
            ahead
        };
        if let Some(member) = self.member(conn) {
            member.warned = Some(now.since_start + left);
        }
        match dialect {
            Dialect::Structured => self.tell(conn, &ChatEvent::Ping),
            Dialect::Plain => {
                let left = Duration::from_secs(left.as_secs().max(1));
                let left = humantime::format_duration(left);
                self.notice(
                    conn,
                    &format!("you will be disconnected in {left} unless you type something"),
                );
            }
        }
        self.set_alarm(conn, now.since_start + left);
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
            // Nobody hears any more how the others go.
            self.stand_up(conn);
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
