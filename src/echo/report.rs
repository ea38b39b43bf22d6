//! What the server tells: events for programs, lines for people.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use serde::{Serialize, Serializer};

use crate::core::address::PeerAddr;
use crate::core::machine::Now;
use crate::core::sanitise::sanitise_str;
use crate::core::timestamp::Timestamp;
use crate::echo::hex;
use crate::echo::tally::Statistics;

/// Bytes, which events have in hexadecimal.
#[derive(Debug, Clone, PartialEq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::word(&self.0))
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Report {
    /// A connection was let in.
    Opened {
        /// When.
        time: Timestamp,
        /// Its number in the order in which they came, which decides its misbehaviour.
        number: u64,
        /// From where.
        address: String,
    },
    /// A connection has ended.
    Closed {
        /// When.
        time: Timestamp,
        /// Its number.
        number: u64,
        /// From where.
        address: String,
        /// Bytes that came.
        received: u64,
        /// Bytes that went back.
        sent: u64,
        /// Why.
        why: &'static str,
    },
    /// A connection was turned away.
    Refused {
        /// When.
        time: Timestamp,
        /// From where.
        address: String,
        /// Why.
        reason: &'static str,
    },
    /// A connection to a `tls://` address came to nothing before the echo began.
    HandshakeFailed {
        /// When.
        time: Timestamp,
        /// From where.
        address: String,
        /// Why.
        text: String,
    },
    /// A datagram came.
    Datagram {
        /// When: by the kernel's clock where it tells.
        time: Timestamp,
        /// Its number in the order in which they came, which decides its misbehaviour.
        number: u64,
        /// From where.
        address: String,
        /// How many bytes.
        length: usize,
        /// Whether it is answered, or why not.
        answer: &'static str,
    },
    /// What came, byte for byte.
    Received {
        /// When.
        time: Timestamp,
        /// From where.
        address: String,
        /// The number of the connection: several Unix sockets have one address. None for a datagram.
        #[serde(skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// Position in what the connection has sent; 0 for a datagram.
        offset: u64,
        /// The bytes.
        hex: Bytes,
    },
    /// Something to look after.
    Warning {
        /// When.
        time: Timestamp,
        /// What.
        text: &'static str,
    },
    /// The counts so far.
    Statistics(Statistics),
}

impl Report {
    /// A handshake that failed.
    pub fn handshake_failed(now: Now, peer: &PeerAddr, why: &str) -> Self {
        Report::HandshakeFailed {
            time: Timestamp::from_unix_micros(now.unix_micros),
            address: peer.to_string(),
            text: why.to_string(),
        }
    }

    /// When it happened.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Report::Opened { time, .. }
            | Report::Closed { time, .. }
            | Report::Refused { time, .. }
            | Report::HandshakeFailed { time, .. }
            | Report::Datagram { time, .. }
            | Report::Received { time, .. }
            | Report::Warning { time, .. } => Some(*time),
            Report::Statistics(_) => None,
        }
    }

    /// As text: one line, and for bytes the lines of their dump.
    pub fn text(&self) -> String {
        let text = match self {
            Report::Opened { address, .. } => format!("{address} connected"),
            Report::Closed {
                address,
                received,
                sent,
                why,
                ..
            } => format!("{address} {why}: {received} bytes in, {sent} out"),
            Report::Refused {
                address, reason, ..
            } => format!("{address} refused: {reason}"),
            Report::HandshakeFailed { address, text, .. } => format!("{address} no TLS: {text}"),
            Report::Datagram {
                address,
                length,
                answer,
                ..
            } => format!("{address} datagram of {length} bytes: {answer}"),
            Report::Received {
                address,
                offset,
                hex: Bytes(bytes),
                ..
            } => {
                let mut out = format!("{} {} bytes\n", sanitise_str(address), bytes.len());
                hex::dump(&mut out, *offset, bytes);
                return out;
            }
            Report::Warning { text, .. } => format!("warning: {text}"),
            Report::Statistics(statistics) => statistics.text(),
        };
        format!("{}\n", sanitise_str(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal_for_programs_and_a_dump_for_people() {
        let report = Report::Received {
            time: Timestamp::from_unix_micros(0),
            address: "127.0.0.1:5".into(),
            number: Some(3),
            offset: 16,
            hex: Bytes(b"a\x1b".to_vec()),
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            "{\"event\":\"received\",\"time\":\"1970-01-01T00:00:00.000000Z\",\
             \"address\":\"127.0.0.1:5\",\"number\":3,\"offset\":16,\"hex\":\"611b\"}"
        );
        let text = report.text();
        assert!(
            text.starts_with("127.0.0.1:5 2 bytes\n00000010  61 1b "),
            "{text}"
        );
    }

    #[test]
    fn what_a_peer_is_called_cannot_command_the_terminal() {
        let report = Report::Opened {
            time: Timestamp::from_unix_micros(0),
            number: 0,
            address: "unix:/\x1b[2J\n".into(),
        };
        assert_eq!(report.text(), "unix:/\\x1b[2J\\x0a connected\n");
    }
}
