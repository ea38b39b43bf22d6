//! Who comes in: verdicts on addresses, persons and programs, passwords, and sessions that come back.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::catch_up::CatchUp;
use super::member::{Member, Named, Seat, Stage};
use super::report::{Happening, Report, stamp};
use super::session::Session;
use super::{Holder, OPERATORS, RECOGNITION, Server};
use crate::chat::nick::{Key, Nick, RoomName};
use crate::chat::render::render;
use crate::chat::token::Token;
use crate::chat::wire::{ASKS_PASSWORD, ChatEvent, Hello, Reason, VERSION, YOU_ARE};
use crate::core::address::{PeerAddr, network};
use crate::core::machine::{ConnId, Effect, Now, Origin};

/// How many earlier lines a person is shown on entering.
pub(super) const SHOWN_HISTORY: usize = 20;

/// How often a person may try the password on one connection.
const TRIES: u8 = 3;

/// So many wrong passwords from one address, and it is not asked again for a while.
const WRONG_PASSWORDS: u32 = 10;

/// The while.
const WRONG_PASSWORDS_FOR: Duration = Duration::from_secs(60);

/// How many addresses with wrong passwords are remembered. When they are more, all are forgotten: a guesser
/// with that many addresses is not stopped by counting them.
const WRONG_PASSWORD_ADDRESSES: usize = 4096;

/// How many connections that may not come in are told so at once, which takes a moment because it has to be known
/// in which language; more are just closed. They take nobody's place.
const TOLD_WHY: usize = 256;

/// How long a person may take to type the password.
pub(super) const PASSWORD_TIME: Duration = Duration::from_secs(60);

/// How many names a client is told for completion.
const MEMBERS_TOLD: usize = 1000;

impl Server {
    pub(super) fn on_opened(&mut self, now: Now, conn: ConnId, origin: Origin, peer: &PeerAddr) {
        let operator = origin == OPERATORS;
        let verdict = match operator {
            true => None,
            false => self.verdict(now, peer.ip()),
        };
        if self.closing.is_some() || (verdict.is_some() && self.refused >= TOLD_WHY) {
            self.effects.push_back(Effect::Abort(conn));
            return;
        }
        let stage = match operator {
            true => Stage::Operator,
            false => Stage::Arriving(verdict),
        };
        let mut member = Member::new(conn, peer.clone(), stage, now.since_start);
        member.operator = operator;
        member.admitted = !operator && verdict.is_none();
        let admitted = member.admitted;
        let slot = conn.slot as usize;
        if slot >= self.members.len() {
            self.members.resize_with(slot + 1, || None);
        }
        self.members[slot] = Some(Box::new(member));
        if operator {
            self.operators += 1;
            self.notice(conn, "you are an operator here; /help lists the commands");
            return;
        }
        if admitted {
            self.clients += 1;
            if let Some(ip) = peer.ip() {
                *self.per_ip.entry(network(ip)).or_default() += 1;
            }
        } else {
            self.refused += 1;
        }
        self.set_alarm(conn, now.since_start + RECOGNITION);
    }

    /// Why a client from this address may not come in.
    fn verdict(&self, now: Now, ip: Option<IpAddr>) -> Option<Reason> {
        let limits = &self.config.limits;
        if !self.config.access.admits(ip) {
            return Some(Reason::Denied);
        }
        if let Some(ip) = ip {
            if self.banned.iter().any(|net| net.contains(&ip)) {
                return Some(Reason::Banned);
            }
            if self.guesses(now, ip) {
                return Some(Reason::Password);
            }
            let ip = network(ip);
            if self.per_ip.get(&ip).copied().unwrap_or(0) >= limits.max_per_ip {
                return Some(Reason::TooManyFromAddress);
            }
        }
        (self.clients >= limits.max_clients).then_some(Reason::Full)
    }

    /// Whether so many wrong passwords came from there that none is looked at.
    fn guesses(&self, now: Now, ip: IpAddr) -> bool {
        self.wrong_passwords
            .get(&network(ip))
            .is_some_and(|&(count, since)| {
                count >= WRONG_PASSWORDS && since + WRONG_PASSWORDS_FOR > now.since_start
            })
    }

    /// Whether a password is the right one. `Err`: why it is not looked at. Too many wrong ones came from there,
    /// whenever this connection was made.
    fn is_password(&self, now: Now, conn: ConnId, typed: &str) -> Result<bool, String> {
        let Some(password) = &self.config.password else {
            return Ok(true);
        };
        let ip = self.peek(conn).and_then(|member| member.peer.ip());
        match ip.is_some_and(|ip| self.guesses(now, ip)) {
            true => Err(self.verdict_text(Reason::Password)),
            false => Ok(password.is(typed)),
        }
    }

    fn verdict_text(&self, reason: Reason) -> String {
        let limits = &self.config.limits;
        match reason {
            Reason::Full => format!("the server is full: {} clients", limits.max_clients),
            Reason::TooManyFromAddress => {
                format!("too many clients from your address: {}", limits.max_per_ip)
            }
            Reason::Banned => "you are banned from this server".to_string(),
            Reason::Password => "too many wrong passwords; try again in a minute".to_string(),
            _ => "your address is not let in by this server".to_string(),
        }
    }

    /// Takes a connection for a person's.
    pub(super) fn enter_as_person(&mut self, now: Now, conn: ConnId) {
        let needs_password = self.config.password.is_some();
        let Some(member) = self.member(conn) else {
            return;
        };
        member.last_input = now.since_start;
        if let Stage::Arriving(Some(reason)) = member.stage {
            let text = self.verdict_text(reason);
            self.put_out(now, conn, reason, &text);
            return;
        }
        if needs_password {
            if let Some(member) = self.member(conn) {
                member.stage = Stage::Password(0);
            }
            self.set_alarm(conn, now.since_start + PASSWORD_TIME);
            self.notice(conn, ASKS_PASSWORD);
            return;
        }
        self.enter_as_guest(now, conn);
    }

    pub(super) fn try_password(&mut self, now: Now, conn: ConnId, typed: &str) {
        match self.is_password(now, conn, typed) {
            Ok(true) => return self.enter_as_guest(now, conn),
            Ok(false) => {}
            Err(text) => return self.put_out(now, conn, Reason::Password, &text),
        }
        self.count_wrong_password(now, conn);
        let Some(member) = self.member(conn) else {
            return;
        };
        let tries = match member.stage {
            Stage::Password(tries) => tries + 1,
            _ => TRIES,
        };
        member.stage = Stage::Password(tries);
        if tries >= TRIES {
            self.put_out(now, conn, Reason::Password, "wrong password");
            return;
        }
        self.notice(conn, "wrong password; try again");
    }

    fn count_wrong_password(&mut self, now: Now, conn: ConnId) {
        let Some(ip) = self.peek(conn).and_then(|member| member.peer.ip()) else {
            return;
        };
        if self.wrong_passwords.len() >= WRONG_PASSWORD_ADDRESSES {
            self.wrong_passwords.clear();
        }
        let entry = self
            .wrong_passwords
            .entry(network(ip))
            .or_insert((0, now.since_start));
        if entry.1 + WRONG_PASSWORDS_FOR <= now.since_start {
            *entry = (0, now.since_start);
        }
        entry.0 += 1;
    }

    fn enter_as_guest(&mut self, now: Now, conn: ConnId) {
        let named = self.new_guest();
        self.nicks.insert(named.key.clone(), Holder::Conn(conn));
        if let Some(member) = self.member(conn) {
            member.stage = Stage::In;
            member.nick = Some(named);
        }
        self.wait_for_silence(now, conn);
        let lobby = self.places_by_key.get(&RoomName::lobby().key()).copied();
        if let Some(lobby) = lobby {
            let nick = self.peek(conn).map(Member::name).unwrap_or_default();
            self.welcome_person(conn, lobby, &nick);
            self.sit_down(now, conn, lobby, true);
        }
    }

    fn welcome_person(&mut self, conn: ConnId, index: usize, nick: &str) {
        let room = &self.places[index].room;
        let others = room.members.len();
        let name = room.name().to_string();
        let company = match others {
            0 => "nobody else is here".to_string(),
            1 => "one other is here".to_string(),
            _ => format!("{others} others are here"),
        };
        self.notice(
            conn,
            &format!("{YOU_ARE}{nick} in {name}, {company}; /nick NAME takes a name, /help lists the commands"),
        );
        self.show_room(conn, index, SHOWN_HISTORY);
    }

    /// Shows a person the topic and the last lines of a room.
    pub(super) fn show_room(&mut self, conn: ConnId, index: usize, lines: usize) {
        let room = &self.places[index].room;
        let mut bytes = Vec::new();
        let Some(member) = self.peek(conn) else {
            return;
        };
        let dialect = member.dialect;
        let notice = |bytes: &mut Vec<u8>, text: String| {
            render(dialect, bytes, &ChatEvent::Notice { text: text.into() });
        };
        if let Some(topic) = room.topic() {
            notice(&mut bytes, format!("the topic: {topic}"));
        }
        let mut history = Vec::new();
        let shown = self.render_history(member, index, lines, &mut history);
        if shown > 0 {
            let what = match shown {
                1 => "the last line:",
                _ => "the last lines:",
            };
            notice(&mut bytes, what.to_string());
            bytes.append(&mut history);
            notice(&mut bytes, "now:".to_string());
        }
        self.send(conn, bytes);
    }

    fn new_guest(&mut self) -> Rc<Named> {
        loop {
            self.next_guest += 1;
            let named = Named::new(Nick::guest(self.next_guest));
            if !self.nicks.contains_key(&named.key) {
                return named;
            }
        }
    }

    /// Whether nobody has this nick. Who was cut off, and of whom the others know that he is gone, has to give it
    /// up: most often it is he who wants it, with a new session.
    pub(super) fn is_free(&mut self, key: &Key) -> bool {
        let token = match self.nicks.get(key) {
            None => return true,
            Some(Holder::Conn(_)) => return false,
            Some(Holder::Session(token)) => *token,
        };
        let gone = self
            .sessions
            .get(token)
            .is_none_or(|session| session.conn.is_none() && session.left);
        if gone {
            let guest = self.new_guest();
            self.nicks.remove(key);
            if let Some(session) = self.sessions.get(token) {
                self.nicks.insert(guest.key.clone(), Holder::Session(token));
                session.named = guest;
            }
        }
        gone
    }

    /// Prepares a member to get the lines of a room behind `after` from its memory; of its own lines only those
    /// up to `own_after`.
    pub(super) fn sit_down_after(&mut self, conn: ConnId, after: u64, own_after: u64) {
        if let Some(member) = self.member(conn) {
            member.catching_up = Some(Box::new(CatchUp::new(after, own_after)));
        }
    }

    /// Puts a member into a room: from now on it gets what is said there.
    pub(super) fn sit_down(&mut self, now: Now, conn: ConnId, index: usize, announce: bool) {
        let place = &mut self.places[index];
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return;
        };
        place.room.members.push(conn.slot);
        member.place = Some(Seat {
            room: index,
            index: place.room.members.len() - 1,
        });
        place.room.count_reader(member.dialect, true);
        let stream = place.room.stream(member.dialect);
        member.outbox.follow(&stream.feed, stream.visible);
        self.catch_up(conn);
        self.leave_out_hidden(conn, index);
        let Some(member) = self.peek(conn).filter(|_| announce) else {
            return self.mark_member(conn);
        };
        let (nick, address) = (member.name(), member.peer.to_string());
        let room = self.places[index].room.name().to_string();
        self.report(|| {
            Report::Event(Happening::Entered {
                time: stamp(now),
                room,
                nick: nick.clone(),
                address,
            })
        });
        self.announce_joined(now, index, &nick, conn);
        self.mark_member(conn);
    }

    /// Takes a member out of its room. What is pending it takes along.
    pub(super) fn stand_up(&mut self, conn: ConnId) -> Option<usize> {
        self.lighten(conn);
        let Some(Some(member)) = self.members.get_mut(conn.slot as usize) else {
            return None;
        };
        let seat = member.place.take()?;
        let room = &mut self.places[seat.room].room;
        if member.catching_up.take().is_none() {
            let stream = room.stream(member.dialect);
            member.outbox.detach(&stream.feed, stream.visible);
        }
        room.count_reader(member.dialect, false);
        room.members.swap_remove(seat.index);
        if let Some(&moved) = room.members.get(seat.index)
            && let Some(moved) = &mut self.members[moved as usize]
            && let Some(place) = &mut moved.place
        {
            place.index = seat.index;
        }
        Some(seat.room)
    }

    /// The room of this name, made if there is none and room for one more.
    pub(super) fn find_or_make(&mut self, name: RoomName) -> Option<usize> {
        if let Some(&index) = self.places_by_key.get(&name.key()) {
            return Some(index);
        }
        if self.places.len() >= self.config.max_rooms && !self.drop_an_empty_room() {
            return None;
        }
        Some(self.make_place(name))
    }

    /// An empty room is only memory, and makes way, unless something of it is on its way to the disk or was when that
    /// failed.
    fn drop_an_empty_room(&mut self) -> bool {
        let lobby = RoomName::lobby();
        let empty = self.places.iter().filter(|&(index, place)| {
            place.room.members.is_empty()
                && *place.room.name() != lobby
                && !place.dirty
                && place.unsaved.is_empty()
                && place.in_flight.is_empty()
                && place.attempt == 0
                && self.sweep.is_none_or(|(swept, _)| swept != index)
        });
        // Rooms in which nothing was said go first, so that making rooms alone takes nobody's history away.
        let Some((index, _)) = empty.min_by_key(|(_, place)| place.room.last_time()) else {
            return false;
        };
        let room = self.places.remove(index).room;
        let key = room.name().key();
        self.places_by_key.remove(&key);
        self.past
            .leave(key, room.newest_id(), room.topic().map(Into::into));
        true
    }

    /// A program has said hello.
    pub(super) fn greet(&mut self, now: Now, conn: ConnId, hello: Option<Hello>) {
        let Some(member) = self.peek(conn) else {
            return;
        };
        let verdict = match member.stage {
            Stage::Arriving(verdict) => verdict,
            _ => return,
        };
        if let Some(reason) = verdict {
            let text = self.verdict_text(reason);
            return self.put_out(now, conn, reason, &text);
        }
        let Some(hello) = hello else {
            return self.put_out(
                now,
                conn,
                Reason::BadHello,
                "the hello cannot be understood",
            );
        };
        if hello.sockkit < VERSION {
            let text = format!("this server speaks version {VERSION} of the protocol");
            return self.put_out(now, conn, Reason::Version, &text);
        }
        let Some(token) = Token::parse(&hello.session) else {
            return self.put_out(
                now,
                conn,
                Reason::BadHello,
                "the session is not 32 hexadecimal digits",
            );
        };
        if self.config.password.is_some() {
            let refusal = match &hello.password {
                None => Some("this server has a password".to_string()),
                Some(typed) => match self.is_password(now, conn, typed) {
                    Ok(true) => None,
                    Ok(false) => {
                        self.count_wrong_password(now, conn);
                        Some("wrong password".to_string())
                    }
                    Err(text) => Some(text),
                },
            };
            if let Some(text) = refusal {
                return self.put_out(now, conn, Reason::Password, &text);
            }
        }
        self.let_in(now, conn, token, &hello);
    }

    fn let_in(&mut self, now: Now, conn: ConnId, token: Token, hello: &Hello) {
        let known = self.sessions.get(token).map(|session| session.room.clone());
        let resumed = known.is_some();
        let wanted = match &hello.room {
            None => Ok(known.clone().unwrap_or_else(RoomName::lobby)),
            Some(name) => RoomName::parse(name),
        };
        let wanted = match wanted {
            Ok(room) => room,
            Err(why) => {
                return self.put_out(now, conn, Reason::Room, &format!("the room's name {why}"));
            }
        };
        // A session stays where it was: its client may have been cut off before it heard that it had moved, and
        // what it types next was meant for the new room.
        let moved = known.as_ref().is_some_and(|room| *room != wanted);
        let room = known.unwrap_or_else(|| wanted.clone());
        if let Err((reason, text)) = self.ensure_session(token, hello, &room) {
            return self.put_out(now, conn, reason, &text);
        }
        let older = self.sessions.get(token).and_then(|session| session.conn);
        if let Some(older) = older {
            self.replace(now, older);
        }
        let lobby = self.places_by_key.get(&RoomName::lobby().key()).copied();
        let (index, made_way) = match (self.find_or_make(room), lobby) {
            (Some(index), _) => (index, false),
            // Its room made way meanwhile. What else it has here is not lost with that.
            (None, Some(lobby)) if resumed => (lobby, true),
            (None, _) => {
                self.end_token(token);
                return self.put_out(now, conn, Reason::Room, "there are too many rooms");
            }
        };
        self.sessions.attach(token, conn);
        let room = &self.places[index].room;
        let last = room.last_visible_id();
        let Some(session) = self.sessions.get(token) else {
            return;
        };
        if made_way {
            session.room = RoomName::lobby();
            session.entered_at = last;
        }
        let moved = moved || made_way;
        let was_away = session.left;
        session.left = false;
        let named = Rc::clone(&session.named);
        let ignores = std::mem::take(&mut session.ignores);
        let (acked, refusals) = session.resume();
        let private = session.missed_private(if resumed { hello.private } else { 0 });
        let same_epoch = hello.epoch.is_none_or(|epoch| epoch == self.config.epoch);
        let seen = match moved {
            true => Some(session.entered_at),
            false => hello.seen.filter(|_| same_epoch),
        };
        // More than was ever said: a client that does not know its epoch, and another life of the server.
        let seen = seen.filter(|&seen| seen <= last);
        let after = seen.unwrap_or_else(|| {
            let first = room.last(hello.history as usize).next();
            first.map_or(last, |entry| entry.id - 1)
        });
        if !resumed {
            session.entered_at = after;
        }
        self.nicks.insert(named.key.clone(), Holder::Session(token));
        for key in &ignores {
            let ignorers = self.ignored_by.entry(key.clone()).or_default();
            ignorers.push(conn);
        }
        if let Some(member) = self.member(conn) {
            member.stage = Stage::In;
            member.session = Some(token);
            member.nick = Some(Rc::clone(&named));
            member.ignores = ignores;
        }
        self.wait_for_silence(now, conn);

        let room = &self.places[index].room;
        let welcome = ChatEvent::Welcome {
            version: VERSION,
            server: concat!("sockkit ", env!("CARGO_PKG_VERSION")).into(),
            nick: named.nick.to_string().into(),
            room: room.name().to_string().into(),
            last_id: last,
            epoch: self.config.epoch,
            acked,
            resumed,
            max_line: self.config.limits.max_line,
        };
        self.tell(conn, &welcome);
        for (seq, text) in refusals {
            let text = text.to_string().into();
            self.tell(conn, &ChatEvent::Refusal { seq, text });
        }
        self.unacked.push(token);
        self.tell_members(conn, index);
        if !resumed {
            self.tell_topic(conn, index);
        }
        self.send(conn, private);
        let own_after = if seen.is_some() { after } else { last };
        self.sit_down_after(conn, after, own_after);
        self.sit_down(now, conn, index, !resumed || was_away);
    }

    /// Tells a member the topic of a room, if there is one.
    pub(super) fn tell_topic(&mut self, conn: ConnId, index: usize) {
        let topic = self.places[index].room.topic();
        if let Some(text) = topic.map(|topic| format!("the topic: {topic}")) {
            self.notice(conn, &text);
        }
    }

    /// Finds the session of a hello, or makes one.
    fn ensure_session(
        &mut self,
        token: Token,
        hello: &Hello,
        room: &RoomName,
    ) -> Result<(), (Reason, String)> {
        let wanted = match hello.nick.as_deref().map(Nick::parse) {
            None => None,
            Some(Ok(nick)) => Some(Named::new(nick)),
            Some(Err(why)) => return Err((Reason::Nick, format!("the nick {why}"))),
        };
        if self.sessions.get(token).is_some() {
            // It comes back under the name it has here: the one in the hello may be older.
            return Ok(());
        }
        let named = match wanted {
            None => self.new_guest(),
            Some(named) if self.is_free(&named.key) => named,
            // A guest's number may have been given to another since the server was started.
            Some(named) if named.nick.is_guest() => self.new_guest(),
            Some(named) => {
                return Err((Reason::Nick, format!("the nick {} is taken", named.nick)));
            }
        };
        let author = token.author();
        let taken = self.sessions.last_logged(author);
        let session = Session::new(author, Rc::clone(&named), room.clone(), taken);
        self.nicks.insert(named.key.clone(), Holder::Session(token));
        self.sessions.insert(token, session);
        Ok(())
    }

    fn nicks_in(&self, index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        self.places[index]
            .room
            .members
            .iter()
            .take(MEMBERS_TOLD)
            .filter_map(|&slot| self.members[slot as usize].as_ref()?.nick.as_ref())
            .map(|named| named.nick.to_string().into())
            .collect()
    }

    /// Tells our client who is in its room.
    pub(super) fn tell_members(&mut self, conn: ConnId, index: usize) {
        let nicks = self.nicks_in(index);
        let room = self.places[index].room.name().to_string().into();
        self.tell(conn, &ChatEvent::Members { room, nicks });
    }
}
