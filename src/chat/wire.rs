//! The structured mode of the chat: what our client and our server say to each other.
//!
//! One JSON object a line, UTF-8, ended by LF (NDJSON). The client's first line is the [`Hello`], and must
//! begin with the bytes `{"sockkit":`, by which the server tells it from a person typing. After that the
//! client sends [`Op`]s and the server sends [`ChatEvent`]s. Unknown fields, events and ops are ignored, so
//! that either side may be newer. `docs/chat-protocol.md` is the same for readers without Rust.
//!
//! # Nothing lost, nothing twice
//!
//! - The client makes up a [`Hello::session`] token once and uses it for every reconnect.
//! - It numbers its lines 1, 2, 3, ... and keeps each until it is acknowledged. [`ChatEvent::Ack`] is
//!   cumulative and is sent after the lines are in the room's log (with `--log`: on disk). A line that was
//!   refused is answered by [`ChatEvent::Refusal`] and counts as acknowledged. A server that knows the session takes
//!   only numbers above the last it took: a line sent again is dropped and acknowledged.
//! - After a cut the client sends again what [`ChatEvent::Welcome`] does not acknowledge. Refusals may have been lost
//!   with the connection, so the server repeats them, and acknowledges past them only then: the number in the
//!   welcome may be lower than one acknowledged before. A refusal of a line that is not waited for is old news.
//! - Lines of a room carry ids that grow by one. The client names the last id it has seen in
//!   [`Hello::seen`]; the server sends what came after it, less the session's own lines, or says in
//!   [`ChatEvent::Gap`] how many are no longer kept.
//! - Private lines are numbered per session in the same way ([`Hello::private`]). When the welcome says that the
//!   server did not know the session, they begin again at 1.
//! - A session that the server knows stays in the room it was in, which the welcome names; the one in the hello may be
//!   older than a `/join` whose answer was lost. [`Hello::seen`] counts only if it is about that room; else
//!   everything comes since the session entered it.
//!
//! The hello must be under way at once: after 250 ms of silence a connection is taken for a person's, and greeted
//! in plain text. If the hello arrives after all, the server turns round; so before the welcome the client
//! passes over lines that do not begin with `{`.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::core::timestamp::Timestamp;

/// The version that this program speaks.
pub const VERSION: u32 = 1;

/// A client's first line begins with these bytes, exactly, if it wants the structured mode.
pub const HELLO_PREFIX: &[u8] = b"{\"sockkit\":";

/// How the notice begins that lets a person in.
pub const YOU_ARE: &str = "you are ";

/// The notice that asks a person for the password.
pub const ASKS_PASSWORD: &str = "this server has a password: type it as your first line";

/// Whether this is the first line of a server of ours that takes a client for a person, as it does when the hello was
/// held up for longer than it waits for one.
pub fn is_for_a_person(line: &[u8]) -> bool {
    line.strip_prefix(b"* ").is_some_and(|notice| {
        notice.starts_with(YOU_ARE.as_bytes()) || notice.starts_with(ASKS_PASSWORD.as_bytes())
    })
}

/// The longest line a server accepts before the hello is done, and beyond `max_line` for the JSON around a
/// text: every byte of a text may take six as `\u0000`, and the fields around it stay below 1 KiB.
pub const fn max_wire_line(max_text: usize) -> usize {
    max_text * 6 + 1024
}

/// The client's first line. `sockkit` must stay the first field: it serialises first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The highest version the client speaks.
    pub sockkit: u32,
    /// 32 hexadecimal digits from a cryptographic generator. Whoever has it is this client.
    pub session: String,
    /// The wanted nick; without it the server gives a guest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// The wanted room; without it the lobby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The id of the last line seen in `room`. Without it the last `history` lines are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// The epoch in which `seen` was seen: [`ChatEvent::Welcome`] had it. In another one the ids mean other lines,
    /// and `seen` counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The number of the last private line seen; 0 for none.
    #[serde(default)]
    pub private: u64,
    /// How many earlier lines to show on a first join.
    #[serde(default)]
    pub history: u32,
    /// The server's password, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// What a client sends after its hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op<'a> {
    /// A line as a person would type it: text for the room, or a command with a leading `/`.
    Line {
        /// Its number in this session, from 1.
        seq: u64,
        /// The text, without line end.
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    /// Asks for lines of the current room with ids above `after`, at most `limit`, oldest first. They come
    /// as events, ended by [`ChatEvent::HistoryEnd`].
    History {
        /// The id before the first wanted one.
        after: u64,
        /// How many at most.
        limit: u32,
    },
    /// Asks for a [`ChatEvent::Pong`].
    Ping,
    /// Answers a [`ChatEvent::Ping`].
    Pong,
    /// The session is over and will not come back.
    Bye,
    /// An op of a newer client. Ignored.
    #[serde(other)]
    Unknown,
}

/// Why a server does not let a client in, or puts it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// `--max-clients` is reached.
    Full,
    /// `--max-per-ip` is reached.
    TooManyFromAddress,
    /// `--allow`/`--deny`.
    Denied,
    /// An operator banned the address or nick.
    Banned,
    /// The password is missing or wrong.
    Password,
    /// The nick is not allowed or is taken.
    Nick,
    /// The room's name is not allowed, or there are too many rooms.
    Room,
    /// The server speaks no version the client speaks.
    Version,
    /// The hello cannot be understood.
    BadHello,
    /// The same session connected again; this connection is the older.
    Replaced,
    /// An operator put the client out.
    Kicked,
    /// Silent for longer than `--idle-timeout`.
    Idle,
    /// Too far behind, and the policy is `--slow kick`.
    Slow,
    /// The server is going down.
    Shutdown,
    /// A reason of a newer server.
    #[serde(other)]
    Other,
}

/// What a server says, and what `--json` prints: the same events with the same fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ChatEvent<'a> {
    /// The answer to a hello: the client is in.
    Welcome {
        /// The version that both speak.
        version: u32,
        /// The server's program and version.
        #[serde(borrow)]
        server: Cow<'a, str>,
        /// The client's nick.
        nick: Cow<'a, str>,
        /// The client's room.
        room: Cow<'a, str>,
        /// The id of the last line of the room; 0 for none.
        last_id: u64,
        /// In which epoch the ids of this server's lines count. Without a log they begin anew with each start of
        /// the server, in an epoch of their own; with one it is the same epoch for good.
        #[serde(default)]
        epoch: u64,
        /// All lines of this session up to this number are in the log of their room or were refused, and the client
        /// need not wait for a refusal of one of them; 0 for none.
        acked: u64,
        /// Whether the server knew the session.
        resumed: bool,
        /// The longest text in bytes.
        max_line: usize,
    },
    /// Not let in, or put out. The connection ends.
    Goodbye {
        /// Why, for a program.
        reason: Reason,
        /// Why, for a person.
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    /// A line in a room.
    Message {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// Its id.
        id: u64,
        /// When the server took it.
        time: Timestamp,
        /// Who.
        nick: Cow<'a, str>,
        /// What.
        text: Cow<'a, str>,
    },
    /// `/me`.
    Action {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// Its id, of the same row of numbers as messages.
        id: u64,
        /// When the server took it.
        time: Timestamp,
        /// Who.
        nick: Cow<'a, str>,
        /// What.
        text: Cow<'a, str>,
    },
    /// The room's topic was set.
    Topic {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// Its id, of the same row of numbers as messages.
        id: u64,
        /// When the server took it.
        time: Timestamp,
        /// Who.
        nick: Cow<'a, str>,
        /// The topic; empty when it was taken away.
        text: Cow<'a, str>,
    },
    /// A private line to this client.
    Private {
        /// Its number in this session, from 1.
        number: u64,
        /// When the server took it.
        time: Timestamp,
        /// From whom.
        #[serde(borrow)]
        nick: Cow<'a, str>,
        /// What.
        text: Cow<'a, str>,
    },
    /// Others came into the room.
    Joined {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// When, or for several: when this was said.
        time: Timestamp,
        /// Who.
        nicks: Vec<Cow<'a, str>>,
        /// How many more who are not named.
        #[serde(default)]
        more: u64,
    },
    /// Others left the room.
    Left {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// When, or for several: when this was said.
        time: Timestamp,
        /// Who.
        nicks: Vec<Cow<'a, str>>,
        /// How many more who are not named.
        #[serde(default)]
        more: u64,
    },
    /// Somebody in the room has another nick now.
    Renamed {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// When.
        time: Timestamp,
        /// The nick before.
        from: Cow<'a, str>,
        /// The nick now.
        to: Cow<'a, str>,
    },
    /// The client's own nick or room changed, by a command of its own.
    You {
        /// The nick now.
        #[serde(borrow)]
        nick: Cow<'a, str>,
        /// The room now.
        room: Cow<'a, str>,
        /// The id of the last line of that room that the client is taken to have seen, if it has not seen later
        /// ones. Lines with greater ids follow.
        last_id: u64,
    },
    /// Who is in the room, for completion: at most 1,000 names.
    Members {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// Who.
        nicks: Vec<Cow<'a, str>>,
    },
    /// The server speaks: the answer to a command, or news for all.
    Notice {
        /// What.
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    /// All lines of this session up to this number are in the log of their room.
    Ack {
        /// The number.
        seq: u64,
    },
    /// A line was not delivered, or is a command that was not obeyed. It need not be sent again.
    Refusal {
        /// Its number.
        seq: u64,
        /// Why.
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    /// Lines after the last seen one are no longer kept by the server.
    Gap {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// How many.
        missing: u64,
    },
    /// The client was too slow, and lines were left out.
    Skipped {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
        /// How many lines, of any kind.
        lines: u64,
    },
    /// All that [`Op::History`] asked for has been sent.
    HistoryEnd {
        /// The room.
        #[serde(borrow)]
        room: Cow<'a, str>,
    },
    /// Asks for an [`Op::Pong`].
    Ping,
    /// Answers an [`Op::Ping`].
    Pong,
    /// An event of a newer server. Ignored.
    #[serde(other)]
    Unknown,
}

impl ChatEvent<'_> {
    /// The same event with texts of its own.
    pub fn into_owned(self) -> ChatEvent<'static> {
        use ChatEvent::*;
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        fn all(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
            texts.into_iter().map(own).collect()
        }
        match self {
            Welcome {
                version,
                server,
                nick,
                room,
                last_id,
                epoch,
                acked,
                resumed,
                max_line,
            } => Welcome {
                version,
                server: own(server),
                nick: own(nick),
                room: own(room),
                last_id,
                epoch,
                acked,
                resumed,
                max_line,
            },
            Goodbye { reason, text } => Goodbye {
                reason,
                text: own(text),
            },
            Message {
                room,
                id,
                time,
                nick,
                text,
            } => Message {
                room: own(room),
                id,
                time,
                nick: own(nick),
                text: own(text),
            },
            Action {
                room,
                id,
                time,
                nick,
                text,
            } => Action {
                room: own(room),
                id,
                time,
                nick: own(nick),
                text: own(text),
            },
            Topic {
                room,
                id,
                time,
                nick,
                text,
            } => Topic {
                room: own(room),
                id,
                time,
                nick: own(nick),
                text: own(text),
            },
            Private {
                number,
                time,
                nick,
                text,
            } => Private {
                number,
                time,
                nick: own(nick),
                text: own(text),
            },
            Joined {
                room,
                time,
                nicks,
                more,
            } => Joined {
                room: own(room),
                time,
                nicks: all(nicks),
                more,
            },
            Left {
                room,
                time,
                nicks,
                more,
            } => Left {
                room: own(room),
                time,
                nicks: all(nicks),
                more,
            },
            Renamed {
                room,
                time,
                from,
                to,
            } => Renamed {
                room: own(room),
                time,
                from: own(from),
                to: own(to),
            },
            You {
                nick,
                room,
                last_id,
            } => You {
                nick: own(nick),
                room: own(room),
                last_id,
            },
            Members { room, nicks } => Members {
                room: own(room),
                nicks: all(nicks),
            },
            Notice { text } => Notice { text: own(text) },
            Ack { seq } => Ack { seq },
            Refusal { seq, text } => Refusal {
                seq,
                text: own(text),
            },
            Gap { room, missing } => Gap {
                room: own(room),
                missing,
            },
            Skipped { room, lines } => Skipped {
                room: own(room),
                lines,
            },
            HistoryEnd { room } => HistoryEnd { room: own(room) },
            Ping => Ping,
            Pong => Pong,
            Unknown => Unknown,
        }
    }
}

/// Appends `message` as one line.
pub fn encode<T: Serialize>(out: &mut Vec<u8>, message: &T) {
    // Only a map with other than string keys or a failing writer can fail here, and neither exists.
    let before = out.len();
    if serde_json::to_writer(&mut *out, message).is_err() {
        out.truncate(before);
        return;
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_begins_with_the_prefix_that_tells_it_from_typing() {
        let mut line = Vec::new();
        encode(
            &mut line,
            &Hello {
                sockkit: VERSION,
                ..Hello::default()
            },
        );
        assert!(line.starts_with(HELLO_PREFIX));
    }

    #[test]
    fn unknown_fields_ops_and_events_are_ignored() {
        let op: Op = serde_json::from_str(r#"{"op":"dance","tempo":3}"#).expect("an op");
        assert_eq!(op, Op::Unknown);
        let event: ChatEvent = serde_json::from_str(r#"{"event":"weather"}"#).expect("an event");
        assert_eq!(event, ChatEvent::Unknown);
        let ack: ChatEvent =
            serde_json::from_str(r#"{"event":"ack","seq":3,"x":[1]}"#).expect("an ack");
        assert_eq!(ack, ChatEvent::Ack { seq: 3 });
    }
}
