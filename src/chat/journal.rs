//! A line of a room's log on disk: one JSON object, ended by LF.
//!
//! ```text
//! {"id":17,"time":"2026-11-24T04:41:52.123456Z","kind":"message","nick":"ann","text":"hi","author":{"session":"5b1c9a2fd4e60718","seq":3}}
//! ```
//!
//! `kind` is `message`, `action` or `topic`; `author` is missing for plain members. What this module does
//! touches no file: `store` does.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::chat::room::{Author, Entry, Kind};
use crate::chat::wire::encode;
use crate::core::sanitise::sanitise_str;
use crate::core::timestamp::Timestamp;

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    id: u64,
    time: Timestamp,
    kind: Kind,
    #[serde(borrow)]
    nick: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<SessionNumber<'a>>,
}

/// An [`Author`] as it is written. The session is sixteen hexadecimal digits: a JSON number of 64 bits is not safe
/// with every reader.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionNumber<'a> {
    #[serde(borrow)]
    session: Cow<'a, str>,
    seq: u64,
}

impl From<Author> for SessionNumber<'_> {
    fn from(author: Author) -> Self {
        Self {
            session: format!("{:016x}", author.session).into(),
            seq: author.seq,
        }
    }
}

impl SessionNumber<'_> {
    /// What was written, if it was one.
    pub(super) fn author(&self) -> Option<Author> {
        Some(Author {
            session: u64::from_str_radix(&self.session, 16).ok()?,
            seq: self.seq,
        })
    }
}

/// Appends the line of `entry`.
pub fn write(out: &mut Vec<u8>, entry: &Entry) {
    let record = Record {
        id: entry.id,
        time: entry.time,
        kind: entry.kind,
        nick: Cow::Borrowed(&*entry.nick),
        text: Cow::Borrowed(&*entry.text),
        author: entry.author.map(SessionNumber::from),
    };
    encode(out, &record);
}

/// Understands one line, without its end. `None` for anything else than such a line.
pub fn read(line: &[u8]) -> Option<Entry> {
    let record: Record<'_> = serde_json::from_slice(line).ok()?;
    let author = match record.author {
        None => None,
        Some(author) => Some(author.author()?),
    };
    Some(Entry {
        id: record.id,
        time: record.time,
        kind: record.kind,
        // A file can be edited by anybody who may write it, so it is a peer like others.
        nick: sanitise_str(&record.nick).into(),
        text: sanitise_str(&record.text).into(),
        author,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        for author in [
            None,
            Some(Author {
                session: u64::MAX,
                seq: 3,
            }),
        ] {
            let entry = Entry {
                id: 17,
                time: Timestamp::from_unix_micros(1_796_000_512_123_456),
                kind: Kind::Action,
                nick: "ann".into(),
                text: "says \"hi\" \\ and more".into(),
                author,
            };
            let mut line = Vec::new();
            write(&mut line, &entry);
            assert_eq!(line.pop(), Some(b'\n'));
            assert!(!line.contains(&b'\n'));
            assert_eq!(read(&line), Some(entry));
        }
    }

    #[test]
    fn anything_torn_is_no_line() {
        let mut line = Vec::new();
        let entry = Entry {
            id: 1,
            time: Timestamp::default(),
            kind: Kind::Message,
            nick: "ann".into(),
            text: "hi".into(),
            author: None,
        };
        write(&mut line, &entry);
        for end in 0..line.len() - 1 {
            assert_eq!(read(&line[..end]), None, "{end}");
        }
    }
}
