//! What a line asks for.

use std::borrow::Cow;

use super::member::{Member, Named};
use super::report::{Happening, Report, stamp};
use super::{Holder, Server, encoded_bytes};
use crate::chat::command::{COMMANDS, Command, parse};
use crate::chat::nick::{Key, Nick, RoomName};
use crate::chat::render::{Dialect, render};
use crate::chat::room::{Author, Kind, Receipt};
use crate::chat::wire::ChatEvent;
use crate::core::machine::{ConnId, Now};

use super::door::SHOWN_HISTORY;

/// How many names or rooms an answer lists.
const LISTED: usize = 200;

/// How many nicks one member may ignore.
const MAX_IGNORED: usize = 100;

/// How many encoded bytes of history are one answer. Well below what a member's own answers may come to above
/// the limit, so that a small limit does not make history a reason to be put out.
const MAX_ANSWER: usize = 128 * 1024;

/// The longest topic in bytes. Everybody who comes in is told it, unasked: one of a megabyte, made visible, would be
/// more than a member may have waiting, and nobody could come in any more.
const MAX_TOPIC: usize = 8 * 1024;

/// How many characters of a topic a list of rooms shows.
const TOPIC_LISTED: usize = 60;

/// How many lines [`crate::chat::wire::Op::History`] gets at the most.
const MAX_HISTORY: u32 = 10_000;

impl Server {
    /// Does what a clean line asks for. `seq` is its number in the session, 0 for a person's.
    pub(super) fn obey(&mut self, now: Now, conn: ConnId, line: &str, seq: u64) {
        let command = match parse(line) {
            Ok(command) => command,
            Err(text) => return self.decline(conn, seq, &text),
        };
        match command {
            Command::Say(text) => self.speak(now, conn, Kind::Message, text, seq),
            Command::Me(text) => self.speak(now, conn, Kind::Action, text, seq),
            Command::Topic(Some(text)) if text.len() > MAX_TOPIC => self.decline(
                conn,
                seq,
                &format!("that topic is too long: the limit is {MAX_TOPIC} bytes"),
            ),
            Command::Topic(Some(text)) => {
                self.speak(now, conn, Kind::Topic, text, seq);
                self.notice(conn, "the topic is set");
            }
            Command::Topic(None) => self.show_topic(conn),
            Command::Nick(name) => self.rename(now, conn, name, seq),
            Command::Join(name) => match RoomName::parse(name) {
                Ok(name) => self.move_to(now, conn, name, seq),
                Err(why) => {
                    self.decline(conn, seq, &format!("the room's name {why}: {name}"));
                }
            },
            Command::Part => self.move_to(now, conn, RoomName::lobby(), seq),
            Command::Rooms => self.list_rooms(conn),
            Command::Who => self.list_members(conn),
            Command::Msg { to, text } => self.speak_to(now, conn, to, text, seq),
            Command::History(count) => self.show_history(conn, count),
            Command::Ignore(nick) => self.ignore(conn, nick, seq),
            Command::Ping => self.tell(conn, &ChatEvent::Pong),
            Command::Help => self.help(conn),
            Command::Quit(text) => self.quit(now, conn, text),
        }
    }

    fn speak(&mut self, now: Now, conn: ConnId, kind: Kind, text: &str, seq: u64) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let (Some(seat), Some(named)) = (member.place, member.nick.clone()) else {
            return;
        };
        let index = seat.room;
        let session = member.session;
        let durable = self.config.durable;
        let author = session
            .and_then(|token| self.sessions.get(token))
            .map(|session| {
                if durable {
                    session.wait_for_disk();
                }
                Author {
                    session: session.author,
                    seq,
                }
            });
        let receipt = durable.then_some(Receipt { conn, session, seq });
        let nick = std::rc::Rc::clone(&named.text);
        let room = &mut self.places[index].room;
        let ranges = room.append(stamp(now), kind, nick, text, author, receipt);
        self.turn_bytes += encoded_bytes(&ranges);
        if durable {
            self.save_newest(index);
        }
        if self.config.reports {
            let room = &self.places[index].room;
            let said = room.newest().map(|entry| owned(&entry.event(room.name())));
            if let Some(said) = said {
                self.report(|| Report::Said(said));
            }
        }
        self.leave_out(conn, index, &ranges);
        // Hardly anybody ignores anybody, and then there is nothing to look up.
        if !self.ignored_by.is_empty() {
            let ignorers = self.ignored_by.get(&named.key).cloned();
            for ignorer in ignorers.into_iter().flatten() {
                self.leave_out(ignorer, index, &ranges);
            }
        }
        self.mark_place(index);
    }

    fn speak_to(&mut self, now: Now, conn: ConnId, to: &str, text: &str, seq: u64) {
        let Some(named) = self.peek(conn).and_then(|member| member.nick.clone()) else {
            return;
        };
        // The key of a text that is too long for a nick is costly, and nobody's.
        let key = Nick::parse(to).map(|nick| nick.key());
        let Some(&holder) = key.ok().and_then(|key| self.nicks.get(&key)) else {
            return self.decline(
                conn,
                seq,
                &format!("nobody here is called {to}; /who lists who is"),
            );
        };
        let (receiver, token) = match holder {
            Holder::Conn(receiver) => (Some(receiver), None),
            Holder::Session(token) => (
                self.sessions.get(token).and_then(|session| session.conn),
                Some(token),
            ),
        };
        let ignored = receiver
            .and_then(|receiver| self.peek(receiver))
            .is_some_and(|member| member.ignores(&named.key));
        if ignored {
            // To be told would be an answer, which is what the other does not want to give.
            return;
        }
        let waiting = receiver
            .and_then(|receiver| self.peek(receiver))
            .map_or(0, |member| member.outbox.own_bytes());
        if waiting + text.len() > self.config.limits.send_queue {
            return self.decline(
                conn,
                seq,
                &format!("not delivered: {to} does not read at the moment"),
            );
        }
        let time = stamp(now);
        let nick = named.nick.as_str();
        let event = |number| ChatEvent::Private {
            number,
            time,
            nick: nick.into(),
            text: text.into(),
        };
        match token.and_then(|token| self.sessions.get(token)) {
            Some(session) => {
                let bytes = session.post(|number| {
                    let mut bytes = Vec::new();
                    render(Dialect::Structured, &mut bytes, &event(number));
                    bytes
                });
                match receiver {
                    Some(receiver) => self.send(receiver, bytes),
                    None => {
                        self.notice(conn, &format!("{to} is cut off and gets it on coming back"))
                    }
                }
            }
            None => {
                if let Some(receiver) = receiver {
                    self.tell(receiver, &event(0));
                }
            }
        }
    }

    fn rename(&mut self, now: Now, conn: ConnId, name: &str, seq: u64) {
        let nick = match Nick::parse(name) {
            Ok(nick) => nick,
            Err(why) => return self.decline(conn, seq, &format!("the nick {name} {why}")),
        };
        let named = Named::new(nick);
        let Some(member) = self.peek(conn) else {
            return;
        };
        let token = member.session;
        let (Some(old), Some(seat)) = (member.nick.clone(), member.place) else {
            return;
        };
        if old.nick == named.nick {
            return self.notice(conn, &format!("you are {name} already"));
        }
        if named.key != old.key && !self.is_free(&named.key) {
            return self.decline(
                conn,
                seq,
                &format!("the nick {name} is taken, or looks like one that is"),
            );
        }
        let holder = match token {
            Some(token) => Holder::Session(token),
            None => Holder::Conn(conn),
        };
        self.nicks.remove(&old.key);
        self.nicks.insert(named.key.clone(), holder);
        if let Some(session) = token.and_then(|token| self.sessions.get(token)) {
            session.named = std::rc::Rc::clone(&named);
        }
        if let Some(member) = self.member(conn) {
            member.nick = Some(std::rc::Rc::clone(&named));
        }
        let room = self.places[seat.room].room.name().to_string();
        let event = ChatEvent::Renamed {
            room: room.as_str().into(),
            time: stamp(now),
            from: old.nick.as_str().into(),
            to: named.nick.as_str().into(),
        };
        let ranges = self.announce(seat.room, &event);
        self.leave_out(conn, seat.room, &ranges);
        self.tell_you(conn);
        self.notice(conn, &format!("you are {} now", named.nick));
        self.report(|| {
            Report::Event(Happening::Renamed {
                time: stamp(now),
                room,
                from: old.nick.to_string(),
                to: named.nick.to_string(),
            })
        });
    }

    /// Tells our client its nick and room.
    fn tell_you(&mut self, conn: ConnId) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        if let (Some(named), Some(seat)) = (member.nick.clone(), member.place) {
            let room = &self.places[seat.room].room;
            let event = ChatEvent::You {
                nick: named.nick.to_string().into(),
                room: room.name().to_string().into(),
                last_id: room.last_visible_id(),
            };
            self.tell(conn, &event);
        }
    }

    fn move_to(&mut self, now: Now, conn: ConnId, name: RoomName, seq: u64) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let Some(named) = member.nick.clone() else {
            return;
        };
        let token = member.session;
        let here = member.place.map(|seat| seat.room);
        let Some(index) = self.find_or_make(name) else {
            return self.decline(conn, seq, "there are too many rooms");
        };
        let name = self.places[index].room.name().clone();
        if here == Some(index) {
            return self.notice(conn, &format!("you are in {name} already"));
        }
        if let Some(left) = self.stand_up(conn) {
            self.announce_left(now, left, named.nick.as_str());
        }
        // What follows must stand before the first line of the new room.
        match token {
            None => {
                self.notice(conn, &format!("you are in {name} now"));
                self.show_room(conn, index, SHOWN_HISTORY);
                self.sit_down(now, conn, index, true);
            }
            Some(token) => {
                let room = &self.places[index].room;
                let last = room.last_visible_id();
                let before = room.last(SHOWN_HISTORY).next().map(|entry| entry.id - 1);
                let after = before.unwrap_or(last);
                if let Some(session) = self.sessions.get(token) {
                    session.room = name.clone();
                    session.entered_at = after;
                }
                self.tell(
                    conn,
                    &ChatEvent::You {
                        nick: named.nick.to_string().into(),
                        room: name.as_str().to_string().into(),
                        last_id: after,
                    },
                );
                self.notice(conn, &format!("you are in {name} now"));
                self.tell_members(conn, index);
                self.tell_topic(conn, index);
                self.sit_down_after(conn, after, last);
                self.sit_down(now, conn, index, true);
            }
        }
    }

    /// The last lines of a room as a member sees them, as many of `count` as fit one answer.
    pub(super) fn render_history(
        &self,
        member: &Member,
        index: usize,
        count: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let room = &self.places[index].room;
        let mut size = 0;
        let fitting = room
            .last(count)
            .rev()
            .take_while(|entry| {
                // About the size of either encoding.
                size += entry.text.len() + entry.nick.len() + 64;
                size <= MAX_ANSWER
            })
            .count();
        let mut shown = 0;
        for entry in room.last(fitting) {
            if !member.ignores_nick(&entry.nick) {
                render(member.dialect, out, &entry.event(room.name()));
                shown += 1;
            }
        }
        shown
    }

    fn list_rooms(&mut self, conn: ConnId) {
        let mut rooms: Vec<(usize, String)> = self
            .places
            .iter()
            .map(|(_, place)| {
                let room = &place.room;
                let topic = room
                    .topic()
                    .map(|topic| topic.chars().take(TOPIC_LISTED).collect())
                    .map(|topic: String| format!(": {topic}"))
                    .unwrap_or_default();
                (room.members.len(), format!("{}{topic}", room.name()))
            })
            .collect();
        rooms.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let lines = rooms
            .iter()
            .take(LISTED)
            .map(|(members, room)| format!("{members:>5}  {room}"));
        let mut lines: Vec<String> = lines.collect();
        if rooms.len() > LISTED {
            lines.push(format!("and {} more", rooms.len() - LISTED));
        }
        self.notices(conn, &lines);
    }

    fn list_members(&mut self, conn: ConnId) {
        let Some(seat) = self.peek(conn).and_then(|member| member.place) else {
            return;
        };
        let room = &self.places[seat.room].room;
        let mut nicks: Vec<String> = room
            .members
            .iter()
            .take(LISTED)
            .filter_map(|&slot| self.members[slot as usize].as_ref())
            .map(|member| member.name())
            .collect();
        nicks.sort();
        let more = room.members.len().saturating_sub(LISTED);
        let mut text = format!(
            "{} in {}: {}",
            room.members.len(),
            room.name(),
            nicks.join(", ")
        );
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        self.notice(conn, &text);
    }

    fn show_topic(&mut self, conn: ConnId) {
        let Some(seat) = self.peek(conn).and_then(|member| member.place) else {
            return;
        };
        let text = match self.places[seat.room].room.topic() {
            Some(topic) => format!("the topic: {topic}"),
            None => "there is no topic; /topic TEXT sets one".to_string(),
        };
        self.notice(conn, &text);
    }

    fn show_history(&mut self, conn: ConnId, count: Option<u32>) {
        let count = count.map_or(SHOWN_HISTORY, |count| count.min(MAX_HISTORY) as usize);
        let Some(member) = self.peek(conn) else {
            return;
        };
        let (dialect, Some(seat)) = (member.dialect, member.place) else {
            return;
        };
        let mut bytes = Vec::new();
        self.render_history(member, seat.room, count, &mut bytes);
        let name = self.places[seat.room].room.name().to_string();
        if dialect == Dialect::Structured {
            render(
                dialect,
                &mut bytes,
                &ChatEvent::HistoryEnd { room: name.into() },
            );
        } else if bytes.is_empty() {
            return self.notice(conn, "nothing was said here yet");
        }
        self.send(conn, bytes);
    }

    /// Answers [`crate::chat::wire::Op::History`].
    pub(super) fn send_history(&mut self, conn: ConnId, after: u64, limit: u32) {
        let Some(seat) = self.peek(conn).and_then(|member| member.place) else {
            return;
        };
        let room = &self.places[seat.room].room;
        let name = Cow::Borrowed(room.name().as_str());
        let mut bytes = Vec::new();
        for entry in room.since(after).take(limit.min(MAX_HISTORY) as usize) {
            render(Dialect::Structured, &mut bytes, &entry.event(room.name()));
            if bytes.len() > MAX_ANSWER {
                // The client asks again for what is after the last it got.
                break;
            }
        }
        render(
            Dialect::Structured,
            &mut bytes,
            &ChatEvent::HistoryEnd { room: name },
        );
        self.send(conn, bytes);
    }

    fn ignore(&mut self, conn: ConnId, nick: Option<&str>, seq: u64) {
        let Some(member) = self.member(conn) else {
            return;
        };
        let Some(nick) = nick else {
            let count = member.ignores.len();
            return self.notice(
                conn,
                &format!("you ignore {count}; /ignore NICK adds or removes one"),
            );
        };
        // Only what can be a nick: anything else would be kept for nothing, and in any length.
        let key = match Nick::parse(nick) {
            Ok(nick) => nick.key(),
            Err(why) => return self.decline(conn, seq, &format!("the nick {nick} {why}")),
        };
        let keys = &mut member.ignores;
        if let Some(at) = keys.iter().position(|ignored| *ignored == key) {
            keys.swap_remove(at);
            self.forget_ignorer(&key, conn);
            return self.notice(conn, &format!("you hear {nick} again"));
        }
        if keys.len() >= MAX_IGNORED {
            return self.decline(conn, seq, &format!("you ignore {MAX_IGNORED} already"));
        }
        keys.push(key.clone());
        self.ignored_by.entry(key).or_default().push(conn);
        self.notice(conn, &format!("you ignore {nick}"));
    }

    pub(super) fn forget_ignorer(&mut self, key: &Key, conn: ConnId) {
        if let Some(ignorers) = self.ignored_by.get_mut(key) {
            ignorers.retain(|&ignorer| ignorer != conn);
            if ignorers.is_empty() {
                self.ignored_by.remove(key);
            }
        }
    }

    fn help(&mut self, conn: ConnId) {
        let lines: Vec<String> = COMMANDS
            .iter()
            .map(|(name, takes, does)| format!("{:<18} {does}", format!("{name} {takes}")))
            .collect();
        self.notices(conn, &lines);
    }

    fn quit(&mut self, now: Now, conn: ConnId, text: &str) {
        self.tell(
            conn,
            &ChatEvent::Notice {
                text: "goodbye".into(),
            },
        );
        self.end_session(conn);
        let why = if text.is_empty() { "quit" } else { text };
        self.leave(now, conn, why);
    }

    /// Says that a line did not do what it asked for: a person is told so, and our client gets it with the line's
    /// number, so that a script can tell.
    fn decline(&mut self, conn: ConnId, seq: u64, text: &str) {
        match self.peek(conn).and_then(|member| member.session) {
            Some(token) => self.refuse_line(token, seq, text),
            None => self.notice(conn, text),
        }
    }

    /// Several lines of the server's own.
    pub(super) fn notices(&mut self, conn: ConnId, lines: &[String]) {
        let Some(dialect) = self.peek(conn).map(|member| member.dialect) else {
            return;
        };
        let mut bytes = Vec::new();
        for line in lines {
            render(
                dialect,
                &mut bytes,
                &ChatEvent::Notice {
                    text: line.as_str().into(),
                },
            );
        }
        self.send(conn, bytes);
    }
}

/// The event with texts of its own.
fn owned(event: &ChatEvent<'_>) -> ChatEvent<'static> {
    let own = |text: &Cow<'_, str>| Cow::Owned(text.to_string());
    match event {
        ChatEvent::Message {
            room,
            id,
            time,
            nick,
            text,
        } => ChatEvent::Message {
            room: own(room),
            id: *id,
            time: *time,
            nick: own(nick),
            text: own(text),
        },
        ChatEvent::Action {
            room,
            id,
            time,
            nick,
            text,
        } => ChatEvent::Action {
            room: own(room),
            id: *id,
            time: *time,
            nick: own(nick),
            text: own(text),
        },
        ChatEvent::Topic {
            room,
            id,
            time,
            nick,
            text,
        } => ChatEvent::Topic {
            room: own(room),
            id: *id,
            time: *time,
            nick: own(nick),
            text: own(text),
        },
        _ => ChatEvent::Unknown,
    }
}
