//! What the server says.

use std::borrow::Cow;

use super::goal::Verdict;
use super::{
    AFTER_RESTART, Action, Answer, Asked, Client, Link, OTHER_SERVERS, PASSWORD_SOURCES, Shown,
    Status,
};
use crate::chat::lines::Line;
use crate::chat::wire::{ChatEvent, Op, Reason, is_for_a_person, max_wire_line};
use crate::core::machine::{Effect, Now};
use crate::core::sanitise::sanitise_str;
use crate::error::{Error, Kind};

/// The longest line of a server that has let us in: a text of 1 MiB, which is the most that `--max-line` allows.
const MAX_LINE: usize = max_wire_line(1 << 20);

/// The longest line of a server that has not.
const MAX_FIRST_LINE: usize = 16 * 1024;

/// How many events are kept while it is not known how much was missed.
const MAX_UNREAD: usize = 10_000;

/// How many bytes of the server's these may take. The longest event has megabytes.
const MAX_UNREAD_BYTES: usize = 8 << 20;

/// When a line was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// While the client is there, or was cut off.
    Now,
    /// Before it came.
    Earlier,
    /// It was seen.
    Seen,
}

impl Client {
    pub(super) fn on_received(&mut self, now: Now, bytes: &[u8]) {
        self.last_heard = now.since_start;
        self.probed = false;
        self.input.push(bytes);
        // The lines are borrowed from the buffer while all the rest is at work on them.
        let mut input = std::mem::take(&mut self.input);
        let conn = self.conn();
        loop {
            let is_up = matches!(self.link, Link::Up { .. });
            let max = match is_up || self.taken_for_person {
                true => MAX_LINE,
                false => MAX_FIRST_LINE,
            };
            let event = match input.next_line(max) {
                None => break,
                Some(Line::Text(line)) if !is_up && self.is_for_a_person(line) => {
                    self.taken_for_person = true;
                    continue;
                }
                Some(Line::Text(line)) => {
                    self.unread_bytes = self.unread_bytes.saturating_add(line.len());
                    serde_json::from_slice::<ChatEvent<'_>>(line).ok()
                }
                Some(Line::TooLong) => None,
            };
            match event {
                Some(event) => self.on_event(now, event),
                None => self.on_gibberish(),
            }
            // A connection that was given up, or a farewell: the rest is of no interest.
            if self.conn() != conn || self.result.is_some() {
                break;
            }
        }
        if self.conn() == conn && self.conn().is_some() {
            self.input = input;
        }
    }

    fn is_for_a_person(&self, line: &[u8]) -> bool {
        match self.taken_for_person {
            true => !line.starts_with(b"{"),
            false => is_for_a_person(line),
        }
    }

    fn on_gibberish(&mut self) {
        let peer = &self.config.peer;
        match self.link {
            Link::Up { .. } => {
                let text = format!("{peer} sent a line that is no event of the chat's protocol");
                self.fail(Kind::Integrity, text, None);
            }
            _ => {
                let text = format!("{peer} does not speak the chat's protocol");
                self.fail(Kind::Integrity, text, Some(OTHER_SERVERS));
            }
        }
    }

    fn on_event(&mut self, now: Now, event: ChatEvent<'_>) {
        match event {
            ChatEvent::Welcome { .. } => self.on_welcome(now, event),
            ChatEvent::Goodbye { reason, text } => self.on_goodbye(now, reason, text),
            ChatEvent::Message {
                ref room,
                id,
                ref nick,
                ref text,
                ..
            }
            | ChatEvent::Action {
                ref room,
                id,
                ref nick,
                ref text,
                ..
            } => {
                let when = self.when(room, id);
                let text = self.of_others(nick).then(|| text.to_string());
                self.tell(event, when, text);
            }
            ChatEvent::Topic { ref room, id, .. } => {
                let when = self.when(room, id);
                self.tell(event, when, None);
            }
            ChatEvent::Private {
                number,
                ref nick,
                ref text,
                ..
            } => {
                let when = match number > self.private {
                    true => When::Now,
                    false => When::Seen,
                };
                self.private = self.private.max(number);
                let text = self.of_others(nick).then(|| text.to_string());
                self.tell(event, when, text);
            }
            ChatEvent::You {
                ref nick,
                ref room,
                last_id,
            } => {
                self.on_you(nick, room, last_id);
                self.pass_on(event);
            }
            ChatEvent::Ack { seq } => {
                self.settle(seq);
                self.awaited
                    .retain(|awaited| !matches!(awaited.asked, Asked::Line(line) if line <= seq));
                self.answered = true;
                self.pass_on(event);
            }
            ChatEvent::Refusal { seq, .. } => {
                // A person has read it and knows better than an exit status what to do.
                if self.lines.refuse(seq) && !self.config.interactive {
                    self.refused += 1;
                }
                self.awaited
                    .retain(|awaited| awaited.asked != Asked::Line(seq));
                self.answered = true;
                self.pass_on(event);
            }
            ChatEvent::HistoryEnd { .. } => {
                self.answer(Answer::HistoryEnd);
                self.pass_on(event);
            }
            ChatEvent::Pong => {
                if self.answer(Answer::Pong) != Some(Asked::Probe) {
                    self.pass_on(event);
                } else {
                    self.show_unread();
                }
            }
            ChatEvent::Ping => self.say(&Op::Pong),
            ChatEvent::Unknown => {}
            ChatEvent::Joined { .. }
            | ChatEvent::Left { .. }
            | ChatEvent::Renamed { .. }
            | ChatEvent::Members { .. }
            | ChatEvent::Notice { .. }
            | ChatEvent::Gap { .. }
            | ChatEvent::Skipped { .. } => self.pass_on(event),
        }
    }

    fn on_welcome(&mut self, now: Now, event: ChatEvent<'_>) {
        let (
            Link::Greeting { conn, .. },
            ChatEvent::Welcome {
                nick,
                room,
                last_id,
                epoch,
                acked,
                resumed,
                ..
            },
        ) = (self.link, &event)
        else {
            return;
        };
        self.link = Link::Up {
            conn,
            since: now.since_start,
        };
        let (last_id, acked, resumed) = (*last_id, *acked, *resumed);
        let again = std::mem::replace(&mut self.was_in, true);
        self.outage = None;
        if !resumed {
            self.private = 0;
        }
        let same_room = self.room.as_deref() == Some(room);
        let before = self.epoch.replace(*epoch);
        let same_ids = before.is_none_or(|before| before == *epoch);
        let goes_on = self
            .seen
            .filter(|&seen| same_room && same_ids && seen <= last_id);
        if goes_on.is_none() {
            let asked = match self.seen {
                Some(_) => AFTER_RESTART,
                None => self.config.history,
            };
            // After a restart of the server all it has is news; of a room that it has moved us to nothing is.
            self.earlier = if again && same_room && self.seen.is_some() {
                0
            } else {
                last_id
            };
            self.seen = (asked == 0 || last_id == 0).then_some(last_id);
        }
        self.nick = Some(nick.to_string());
        self.room = Some(room.to_string());
        self.status(Status::Connected {
            address: self.peer.clone(),
            again,
        });
        self.pass_on(event);

        self.settle(acked);
        let lines: Vec<(u64, String)> = self
            .lines
            .iter()
            .map(|(seq, text)| (seq, text.to_string()))
            .collect();
        let awaited = std::mem::take(&mut self.awaited);
        for (seq, text) in lines {
            self.send_line(seq, &text);
        }
        for awaited in awaited {
            if let Asked::Request(request) = awaited.asked {
                self.ask(request);
            }
        }
        if again && self.config.interactive {
            self.unread = Some(Vec::new());
            self.unread_bytes = 0;
            self.probe();
        }
    }

    fn on_goodbye(&mut self, now: Now, reason: Reason, text: Cow<'_, str>) {
        let was_in = self.is_up();
        let peer = self.config.peer.clone();
        let text = sanitise_str(&text).into_owned();
        self.pass_on(ChatEvent::Goodbye {
            reason,
            text: text.clone().into(),
        });
        let temporary = match reason {
            Reason::Shutdown | Reason::Idle | Reason::Slow => true,
            // Those who were put out by the same cut may be counted still.
            Reason::Full | Reason::TooManyFromAddress => self.was_in,
            _ => false,
        };
        if temporary && self.was_in {
            return self.lose(now, &text);
        }
        if reason == Reason::Password && !self.was_in && self.config.interactive {
            let again = self.config.password.take().is_some();
            if let Some(conn) = self.conn() {
                self.effects.push_back(Effect::Abort(conn));
            }
            self.forget_connection();
            self.link = Link::Asking;
            self.effects
                .push_back(Effect::Act(Action::AskPassword { again }));
            return;
        }
        let kind = match reason {
            Reason::Version | Reason::BadHello => Kind::Integrity,
            Reason::Replaced | Reason::Shutdown => Kind::Other,
            _ => Kind::Refused,
        };
        let error = match was_in {
            true => Error::new(kind, format!("put out by {peer}")),
            false => Error::new(kind, format!("not let in by {peer}")),
        };
        let error = error.because(text);
        let error = match reason {
            Reason::Password => error.hint(PASSWORD_SOURCES),
            Reason::Nick => error.hint("--nick takes another"),
            _ => error,
        };
        self.finish(Err(error));
    }

    fn on_you(&mut self, nick: &str, room: &str, last_id: u64) {
        let moved = self.room.as_deref() != Some(room);
        self.nick = Some(nick.to_string());
        self.room = Some(room.to_string());
        self.seen = match self.seen {
            Some(seen) if !moved => Some(seen.max(last_id)),
            _ => Some(last_id),
        };
        if moved {
            self.earlier = last_id;
        }
    }

    /// When a line was said, by its room and id.
    fn when(&mut self, room: &str, id: u64) -> When {
        if self.room.as_deref() != Some(room) {
            // What is shown of a room before the server says that we are in it.
            return When::Earlier;
        }
        if self.seen.is_none_or(|seen| id > seen) {
            self.seen = Some(id);
            return match id > self.earlier {
                true => When::Now,
                false => When::Earlier,
            };
        }
        let asked = self
            .awaited
            .iter()
            .any(|awaited| awaited.answer == Answer::HistoryEnd);
        match asked {
            true => When::Earlier,
            false => When::Seen,
        }
    }

    fn of_others(&self, nick: &str) -> bool {
        self.nick.as_deref() != Some(nick)
    }

    /// The server has taken the lines up to this number.
    fn settle(&mut self, seq: u64) {
        if self.lines.settle(seq) {
            self.backoff.reset();
        }
    }

    /// Shows a line, and looks whether it is what was waited for.
    fn tell(&mut self, event: ChatEvent<'_>, when: When, said: Option<String>) {
        let counts = match when {
            When::Seen => return,
            When::Now => {
                self.backoff.reset();
                true
            }
            When::Earlier => self.config.goal.earlier,
        };
        if self.progress.is_reached() {
            return;
        }
        let verdict = match said.filter(|_| counts) {
            Some(text) => self.config.goal.judge(&text),
            None => Verdict::Passes,
        };
        match verdict {
            Verdict::Passes => self.pass_on(event),
            Verdict::Counts(matched) => {
                self.progress.advance();
                self.keep_or_show(Shown::Said {
                    event: event.into_owned(),
                    matched,
                });
            }
        }
    }

    fn pass_on(&mut self, event: ChatEvent<'_>) {
        if self.progress.is_reached() {
            return;
        }
        self.keep_or_show(Shown::Event(event.into_owned()));
    }

    fn keep_or_show(&mut self, shown: Shown) {
        match &mut self.unread {
            None => self.show(shown),
            Some(unread) => {
                unread.push(shown);
                if unread.len() >= MAX_UNREAD || self.unread_bytes >= MAX_UNREAD_BYTES {
                    self.show_unread();
                }
            }
        }
    }

    /// Shows what was missed, with how much it is.
    pub(super) fn show_unread(&mut self) {
        let Some(unread) = self.unread.take() else {
            return;
        };
        let lines = unread
            .iter()
            .filter(|shown| matches!(shown, Shown::Said { .. }))
            .count();
        if lines > 0 {
            self.status(Status::Unread { lines });
        }
        for shown in unread {
            self.show(shown);
        }
    }

    /// Takes the first question with this kind of answer off the list.
    fn answer(&mut self, answer: Answer) -> Option<Asked> {
        self.answered = true;
        let at = self
            .awaited
            .iter()
            .position(|awaited| awaited.answer == answer)?;
        self.awaited.remove(at).map(|awaited| awaited.asked)
    }
}
