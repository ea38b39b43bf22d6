//! From bytes to lines, in portions that are fair: at the allowed rate, and never more in one turn than can
//! be delivered before the next.

use super::member::Stage;
use super::{Server, Timer};
use crate::chat::lines::{Line, LineBuffer};
use crate::chat::render::Dialect;
use crate::chat::wire::{ChatEvent, HELLO_PREFIX, Hello, Op, Reason, max_wire_line};
use crate::core::machine::{ConnId, Now};
use crate::core::sanitise::{sanitise, sanitise_str};

/// The longest line on the operators' socket at least, in bytes.
const OPERATOR_LINE: usize = 4096;

/// An answer counts as one more line for each time that it is as long as this, in bytes: the longest line by default.
const ANSWER_PER_LINE: usize = 4096;

impl Server {
    pub(super) fn on_received(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        let Some(member) = self.member(conn) else {
            return;
        };
        let mut reply = Vec::new();
        match member.dialect {
            Dialect::Structured => member.input.push(bytes),
            Dialect::Plain => member.input.push_telnet(bytes, &mut reply),
        }
        if !reply.is_empty() {
            self.send(conn, reply);
        }
        self.work(now, conn);
    }

    pub(super) fn on_end_of_input(&mut self, now: Now, conn: ConnId) {
        if let Some(member) = self.member(conn) {
            member.ended = true;
            self.work(now, conn);
        }
    }

    /// Input that was held back may go on.
    pub(super) fn resume_input(&mut self, now: Now, conn: ConnId) {
        if let Some(member) = self.member(conn)
            && std::mem::take(&mut member.held)
        {
            self.work(now, conn);
        }
    }

    /// Takes whole lines out of a member's input until it must stop.
    fn work(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.member(conn) else {
            return;
        };
        if let Stage::Arriving(_) = member.stage
            && !self.recognise(now, conn)
        {
            return;
        }
        let Some(member) = self.member(conn) else {
            return;
        };
        // The lines are borrowed from the buffer while all the rest is at work on them.
        let mut input = std::mem::take(&mut member.input);
        self.take_lines(now, conn, &mut input);
        if let Some(member) = self.member(conn)
            && member.stage != Stage::Leaving
        {
            member.input = input;
        }
    }

    fn take_lines(&mut self, now: Now, conn: ConnId, input: &mut LineBuffer) {
        loop {
            let limits = &self.config.limits;
            let (rate, max_line) = (limits.rate, limits.max_line);
            let glut = limits.send_queue / 2;
            let full = self.intake_full();
            let closing = self.closing.is_some();
            let Some(member) = self.member(conn) else {
                return;
            };
            if member.held || member.stage == Stage::Leaving || closing {
                return;
            }
            if member.outbox.own_bytes() >= glut {
                // `sent` lets it go on.
                member.held = true;
                member.glutted = true;
                return;
            }
            let operator = member.operator;
            let max = match member.dialect {
                // An operator has to be able to undo any limit.
                Dialect::Plain if operator => max_line.max(OPERATOR_LINE),
                Dialect::Plain => max_line,
                Dialect::Structured => max_wire_line(max_line),
            };
            if input.waiting() == 0 {
                // Nothing to ask the rate for.
                input.next_line(max);
                break;
            }
            if full {
                member.held = true;
                self.held.push_back(conn);
                return;
            }
            if !input.has_line(max) && !member.ended {
                break;
            }
            if let (Some(rate), false) = (rate, operator)
                && let Err(again) = member.bucket.take(rate, now.since_start)
            {
                member.held = true;
                self.timers.set(again, Timer::Input(conn));
                return;
            }
            member.last_input = now.since_start;
            member.warned = None;
            member.answered = 0;
            let ended = member.ended;
            let line = match input.next_line(max) {
                Some(line) => line,
                None if ended => match input.last_line(max) {
                    Some(line) => line,
                    None => break,
                },
                None => break,
            };
            self.take_line(now, conn, line);
            if let Some(member) = self.member(conn) {
                // A dozen bytes can ask for a hundred thousand: they are as much work as so many lines.
                member.bucket.charge(member.answered / ANSWER_PER_LINE);
            }
        }
        if self.peek(conn).is_some_and(|member| member.ended) {
            self.hang_up(now, conn);
        }
    }

    fn take_line(&mut self, now: Now, conn: ConnId, line: Line<'_>) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let max = self.config.limits.max_line;
        let text = match line {
            Line::Text(text) => text,
            Line::TooLong if member.dialect == Dialect::Plain => {
                self.notice(
                    conn,
                    &format!("that line is too long: the limit is {max} bytes"),
                );
                return;
            }
            Line::TooLong => {
                self.put_out(
                    now,
                    conn,
                    Reason::BadHello,
                    "a line over the limit of the protocol",
                );
                return;
            }
        };
        if member.dialect == Dialect::Plain
            && matches!(member.stage, Stage::In | Stage::Password(_))
            && text.starts_with(HELLO_PREFIX)
            && let Ok(hello) = serde_json::from_slice::<Hello>(text)
        {
            return self.greet_late(now, conn, hello);
        }
        match (member.stage, member.dialect) {
            (Stage::Password(_), _) => self.try_password(now, conn, &String::from_utf8_lossy(text)),
            (Stage::Operator, _) => self.operator_line(now, conn, &sanitise(text)),
            (Stage::In, Dialect::Plain) => {
                if !text.is_empty() {
                    self.obey(now, conn, &sanitise(text), 0);
                }
            }
            (Stage::In, Dialect::Structured) => self.take_op(now, conn, text),
            (Stage::Arriving(_) | Stage::Leaving, _) => {}
        }
    }

    fn take_op(&mut self, now: Now, conn: ConnId, line: &[u8]) {
        let op: Op<'_> = match serde_json::from_slice(line) {
            Ok(op) => op,
            Err(_) => {
                self.put_out(
                    now,
                    conn,
                    Reason::BadHello,
                    "a line that is no op of the protocol",
                );
                return;
            }
        };
        match op {
            Op::Line { seq, text } => self.take_numbered(now, conn, seq, &text),
            Op::History { after, limit } => self.send_history(conn, after, limit),
            Op::Ping => self.tell(conn, &ChatEvent::Pong),
            Op::Bye => {
                self.end_session(conn);
                self.leave(now, conn, "left");
            }
            Op::Pong | Op::Unknown => {}
        }
    }

    /// A line with a number: taken once, however often it is sent.
    fn take_numbered(&mut self, now: Now, conn: ConnId, seq: u64, text: &str) {
        let max = self.config.limits.max_line;
        let Some(token) = self.peek(conn).and_then(|member| member.session) else {
            return;
        };
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        self.unacked.push(token);
        if seq <= session.taken {
            return;
        }
        session.taken = seq;
        let refusal = if text.len() > max {
            Some(format!("that line is too long: the limit is {max} bytes"))
        } else if text.contains(['\n', '\r']) {
            Some("a line has no line ends in it".to_string())
        } else {
            None
        };
        match refusal {
            Some(text) => self.refuse_line(token, seq, &text),
            None if text.is_empty() => {}
            None => self.obey(now, conn, &sanitise_str(text), seq),
        }
    }

    /// A program's hello that was held up on its way for so long that it was taken for a person, and greeted. Its
    /// line has a secret in it that must not be said in the room.
    fn greet_late(&mut self, now: Now, conn: ConnId, hello: Hello) {
        self.depart(now, conn, "is a program");
        if let Some(member) = self.member(conn) {
            member.stage = Stage::Arriving(None);
            member.dialect = Dialect::Structured;
        }
        self.greet(now, conn, Some(hello));
    }

    /// Finds out who is at the other end of a new connection. Says whether that is known now.
    fn recognise(&mut self, now: Now, conn: ConnId) -> bool {
        let max = max_wire_line(self.config.limits.max_line);
        let Some(member) = self.member(conn) else {
            return false;
        };
        let seen = member.input.peek();
        let common = seen.len().min(HELLO_PREFIX.len());
        let ended = member.ended;
        if seen[..common] != HELLO_PREFIX[..common] || (seen.is_empty() && ended) {
            self.enter_as_person(now, conn);
            return true;
        }
        if seen.is_empty() {
            return false;
        }
        let mut input = std::mem::take(&mut member.input);
        let hello: Option<Option<Hello>> = match input.next_line(max) {
            Some(Line::Text(line)) => Some(serde_json::from_slice(line).ok()),
            Some(Line::TooLong) => Some(None),
            None if ended => Some(None),
            None => None,
        };
        if let Some(member) = self.member(conn) {
            member.input = input;
        }
        let Some(hello) = hello else {
            return false;
        };
        if let Some(member) = self.member(conn) {
            member.dialect = Dialect::Structured;
            member.last_input = now.since_start;
        }
        self.greet(now, conn, hello);
        true
    }

    /// The time to wait for a first word is over.
    pub(super) fn end_recognition(&mut self, now: Now, conn: ConnId) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        if member.input.waiting() == 0 {
            self.enter_as_person(now, conn);
        } else if now.since_start >= member.last_input + super::HANDSHAKE {
            if let Some(member) = self.member(conn) {
                member.dialect = Dialect::Structured;
            }
            self.put_out(
                now,
                conn,
                Reason::Idle,
                "the hello was not completed in time",
            );
        } else {
            let at = member.last_input + super::HANDSHAKE;
            self.set_alarm(conn, at);
        }
    }
}
