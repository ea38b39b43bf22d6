//! Events as NDJSON: one JSON object a line (RFC 8259), UTF-8, ended by LF. `docs/json-events.md` lists them.
//!
//! What a terminal would obey, or what a person would not see, is written as `\uXXXX`: that is the same
//! text for a program, and harmless where the output is looked at.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::core::sanitise::is_hidden;

/// Clients can connect.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "listening")]
pub struct Listening<'a> {
    address: &'a str,
}

impl<'a> Listening<'a> {
    /// On this address, in canonical form and with the real port.
    pub fn new(address: &'a str) -> Self {
        Self { address }
    }
}

/// Clients can connect, and nothing is encrypted, as it was wanted.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "listening")]
pub struct ListeningInTheClear<'a> {
    address: &'a str,
    plain: bool,
}

impl<'a> ListeningInTheClear<'a> {
    /// On this address.
    pub fn new(address: &'a str) -> Self {
        Self {
            address,
            plain: true,
        }
    }
}

/// What is to be done at the other end.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "code")]
pub struct Invitation<'a> {
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> Invitation<'a> {
    /// To type this, and the code if it was made up here.
    pub fn new(command: &'a str, code: Option<&'a str>) -> Self {
        Self { command, code }
    }
}

/// A server's certificate: what clients know it by.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "certificate")]
pub struct Certificate<'a> {
    fingerprint: &'a str,
}

impl<'a> Certificate<'a> {
    /// With this fingerprint, as it is printed everywhere.
    pub fn new(fingerprint: &'a str) -> Self {
        Self { fingerprint }
    }
}

/// Appends an event as a line.
pub fn line(out: &mut Vec<u8>, event: &impl Serialize) {
    let before = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Visible);
    // Only a map with other than string keys or a failing writer can fail here, and neither exists.
    if event.serialize(&mut serializer).is_err() {
        out.truncate(before);
        return;
    }
    out.push(b'\n');
}

/// Compact, with everything invisible escaped.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = CompactFormatter;
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            plain.write_string_fragment(writer, &rest[..at])?;
            // RFC 8259 section 7: beyond the basic plane, a pair of surrogates.
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        plain.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: &impl Serialize) -> String {
        let mut out = Vec::new();
        line(&mut out, event);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_reads_back_the_same() {
        let hostile = "a\u{9b}2J\u{202e}\x1b[\u{feff}\u{e0041}\tü🙂";
        let line = text(&hostile);
        assert_eq!(
            line,
            "\"a\\u009b2J\\u202e\\u001b[\\ufeff\\udb40\\udc41\\tü🙂\"\n"
        );
        assert_eq!(
            serde_json::from_str::<String>(&line).ok().as_deref(),
            Some(hostile)
        );
    }

    #[test]
    fn the_ready_event_is_as_documented() {
        assert_eq!(
            text(&Listening::new("tcp://127.0.0.1:8888")),
            "{\"event\":\"listening\",\"address\":\"tcp://127.0.0.1:8888\"}\n"
        );
    }
}
