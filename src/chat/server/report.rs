//! What the operator is told.

use serde::Serialize;

use crate::chat::wire::{ChatEvent, Reason};
use crate::core::address::PeerAddr;
use crate::core::machine::Now;
use crate::core::timestamp::Timestamp;

/// One line of the operator's view. As JSON it is an event of the program's one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Something was said in a room: the same event as the members get.
    Said(ChatEvent<'static>),
    /// Somebody came, went, was refused, or the server has something to say.
    Event(Happening),
}

/// What happened beside the talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// Somebody entered a room.
    Entered {
        /// When.
        time: Timestamp,
        /// The room.
        room: String,
        /// Who.
        nick: String,
        /// From where.
        address: String,
    },
    /// Somebody left a room.
    Departed {
        /// When.
        time: Timestamp,
        /// The room.
        room: String,
        /// Who.
        nick: String,
        /// From where.
        address: String,
        /// Why: `quit`, `lost connection`, ...
        why: String,
    },
    /// A nick changed.
    Renamed {
        /// When.
        time: Timestamp,
        /// The room.
        room: String,
        /// The nick before.
        from: String,
        /// The nick now.
        to: String,
    },
    /// A connection was not let in or was put out.
    Refused {
        /// When.
        time: Timestamp,
        /// From where.
        address: String,
        /// Why, for a program.
        reason: Reason,
        /// Why, for a person.
        text: String,
    },
    /// A connection to a `tls://` address came to nothing before the chat began.
    HandshakeFailed {
        /// When.
        time: Timestamp,
        /// From where.
        address: String,
        /// Why.
        text: String,
    },
    /// An operator did something.
    Operator {
        /// When.
        time: Timestamp,
        /// What was typed.
        text: String,
    },
    /// Something the operator should look after.
    Warning {
        /// When.
        time: Timestamp,
        /// What.
        text: String,
    },
}

impl Report {
    /// A warning.
    pub fn warning(now: Now, text: String) -> Self {
        Report::Event(Happening::Warning {
            time: stamp(now),
            text,
        })
    }

    /// A handshake that failed.
    pub fn handshake_failed(now: Now, peer: &PeerAddr, why: &str) -> Self {
        Report::Event(Happening::HandshakeFailed {
            time: stamp(now),
            address: peer.to_string(),
            text: why.to_string(),
        })
    }
}

/// The wall clock's reading.
pub(super) fn stamp(now: Now) -> Timestamp {
    Timestamp::from_unix_micros(now.unix_micros)
}
