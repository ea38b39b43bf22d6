//! What goes in and out of the machine beside bytes.

use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::goal::Goal;
use crate::chat::wire::ChatEvent;
use crate::error::Error;

/// Everything that the client is told at its start.
#[derive(Debug)]
pub struct Config {
    /// What the server is called in messages, as it was typed.
    pub peer: String,
    /// The session's token: 128 bits from a cryptographic generator.
    pub session: u128,
    /// Random bits for the waits.
    pub seed: u64,
    /// The wanted nick.
    pub nick: Option<String>,
    /// The wanted room.
    pub room: Option<String>,
    /// How many earlier lines to show.
    pub history: u32,
    /// The password.
    pub password: Option<Zeroizing<String>>,
    /// Whether there is a person to ask for a password, to tell of lines that wait, and to show what was missed
    /// apart; and who decides when to give up.
    pub interactive: bool,
    /// When the client is done.
    pub goal: Goal,
    /// How long a server may take to answer the hello.
    pub greeting: Duration,
    /// How long a connection may be silent before it is taken for dead. `None`: for ever.
    pub idle: Option<Duration>,
    /// How long to try to get a connection back. `None`: for ever; zero: never.
    pub retry: Option<Duration>,
    /// How long all may take.
    pub timeout: Option<Duration>,
}

/// What the program around the machine reports.
#[derive(Debug)]
pub enum Note {
    /// A line to send.
    Line(String),
    /// Something to ask the server for.
    Request(Request),
    /// There will be no more lines. From a person it means to leave now.
    InputEnded,
    /// The input cannot be understood from here on.
    InputBroken(Error),
    /// What [`Action::Dial`] came to, unless it was a connection.
    DialFailed(Error),
    /// The answer to [`Action::AskPassword`]; `None`: there is none.
    Password(Option<Zeroizing<String>>),
    /// Whoever prints or runs programs cannot keep up, and nothing more is wanted (`true`); or it can again. They
    /// are counted.
    Hold(bool),
    /// Nobody reads what is printed any more.
    OutputClosed,
    /// What is to be printed cannot be.
    OutputFailed(Error),
}

/// Something that a program asks the server for, beside sending lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Lines of the room with ids above `after`.
    History {
        /// The id before the first wanted one.
        after: u64,
        /// How many at most.
        limit: u32,
    },
    /// A sign of life.
    Ping,
}

/// What the program around the machine is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect, and hand the connection to the driver or report [`Note::DialFailed`].
    Dial,
    /// Ask for the password; the second time because the first was wrong.
    AskPassword {
        /// Whether one was tried.
        again: bool,
    },
    /// Tell the person or the program.
    Show(Shown),
}

/// What is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// Somebody else said something that counts.
    Said {
        /// The event.
        event: ChatEvent<'static>,
        /// What of its text matched, where something had to.
        matched: Option<String>,
    },
    /// Anything else that the server said.
    Event(ChatEvent<'static>),
    /// How the client itself fares.
    Status(Status),
    /// What a server that is not ours sent, as it came.
    Bytes(Vec<u8>),
    /// A line of a server that is not ours.
    Line {
        /// The line, without its end.
        bytes: Vec<u8>,
        /// What of its text matched, where something had to.
        matched: Option<String>,
    },
}

/// How the client fares. As JSON it is an event of the program's one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Status {
    /// The server has let the client in.
    Connected {
        /// The address that answered.
        address: String,
        /// Whether it was in before.
        again: bool,
    },
    /// The connection is lost.
    Disconnected {
        /// Why.
        reason: String,
        /// Whether it is tried again.
        retrying: bool,
    },
    /// What others said meanwhile follows.
    Unread {
        /// How many.
        lines: usize,
    },
    /// Lines are kept until there is a connection.
    Waiting {
        /// How many.
        lines: usize,
    },
}
