//! What the logs say further back than a start reads them: the authors' numbers and the topics.
//!
//! A file beside the logs, which is replaced as a whole. It says of each log up to where it covers it, so that a start
//! has to read only what came after:
//!
//! ```text
//! {"checkpoint":1,"logs":2,"authors":1}
//! {"log":"lobby","rotated":1,"length":70000,"topic":true}
//! {"id":3,"time":"2026-11-24T04:41:52.123456Z","kind":"topic","nick":"ann","text":"tea"}
//! {"log":"rust","rotated":0,"length":90,"topic":false}
//! {"session":"5b1c9a2fd4e60718","seq":3}
//! ```
//!
//! `rotated` is the number of the last file that had been rotated away, `length` that of the current one in bytes. A
//! topic's line stands behind its log's. Of the authors, who spoke last comes last.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::journal::{self, SessionNumber};
use crate::chat::room::Author;
use crate::chat::wire::encode;

/// The version of the form.
const VERSION: u32 = 1;

/// What was covered at some moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// By the rooms' part of their files' names.
    pub(super) logs: BTreeMap<String, Mark>,
    /// In the order in which they spoke last.
    pub(super) authors: Vec<Author>,
}

/// Up to where a log is covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number of the last file that had been rotated away.
    pub(super) rotated: u64,
    /// So many bytes of the next one.
    pub(super) length: u64,
    /// The line of the topic up to there.
    pub(super) topic: Option<Box<[u8]>>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    checkpoint: u32,
    logs: usize,
    authors: usize,
}

#[derive(Serialize, Deserialize)]
struct LogLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    rotated: u64,
    length: u64,
    topic: bool,
}

impl Checkpoint {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        encode(
            &mut out,
            &Head {
                checkpoint: VERSION,
                logs: self.logs.len(),
                authors: self.authors.len(),
            },
        );
        for (stem, mark) in &self.logs {
            let line = LogLine {
                log: stem.into(),
                rotated: mark.rotated,
                length: mark.length,
                topic: mark.topic.is_some(),
            };
            encode(&mut out, &line);
            if let Some(topic) = &mark.topic {
                out.extend_from_slice(topic);
            }
        }
        for &author in &self.authors {
            encode(&mut out, &SessionNumber::from(author));
        }
        out
    }

    /// Understands the file. `None` for anything else than a whole one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.strip_suffix(b"\n")?.split(|&byte| byte == b'\n');
        let head: Head = serde_json::from_slice(lines.next()?).ok()?;
        if head.checkpoint != VERSION {
            return None;
        }
        let mut checkpoint = Self::default();
        for _ in 0..head.logs {
            let log: LogLine<'_> = serde_json::from_slice(lines.next()?).ok()?;
            let topic = match log.topic {
                true => {
                    let line = lines.next()?;
                    journal::read(line)?;
                    Some([line, b"\n"].concat().into())
                }
                false => None,
            };
            let mark = Mark {
                rotated: log.rotated,
                length: log.length,
                topic,
            };
            checkpoint.logs.insert(log.log.into_owned(), mark);
        }
        for line in lines {
            let author: SessionNumber<'_> = serde_json::from_slice(line).ok()?;
            checkpoint.authors.push(author.author()?);
        }
        (checkpoint.authors.len() == head.authors).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::room::{Entry, Kind};
    use crate::core::timestamp::Timestamp;

    fn sample() -> Checkpoint {
        let mut topic = Vec::new();
        let entry = Entry {
            id: 3,
            time: Timestamp::default(),
            kind: Kind::Topic,
            nick: "ann".into(),
            text: "tea".into(),
            author: None,
        };
        journal::write(&mut topic, &entry);
        let with_topic = Mark {
            rotated: 1,
            length: 70_000,
            topic: Some(topic.into()),
        };
        Checkpoint {
            logs: BTreeMap::from([
                ("lobby".to_string(), with_topic),
                ("rust".to_string(), Mark::default()),
            ]),
            authors: [(u64::MAX, 3), (7, 1)]
                .map(|(session, seq)| Author { session, seq })
                .into(),
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for checkpoint in [Checkpoint::default(), sample()] {
            assert_eq!(Checkpoint::read(&checkpoint.write()), Some(checkpoint));
        }
    }

    #[test]
    fn a_part_of_one_is_none() {
        let whole = sample().write();
        for end in 0..whole.len() {
            assert_eq!(Checkpoint::read(&whole[..end]), None, "{end}");
        }
        assert_eq!(Checkpoint::read(&[&whole[..], b"{}\n"].concat()), None);
    }
}
