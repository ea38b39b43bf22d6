//! The records of a DATA frame: what the sender says about the content of files, in the order in which the
//! receiver carries it out.
//!
//! One frame can hold a piece of one large file or many small files from beginning to end. Each record begins
//! with its tag (1 byte) and the entry's number (4 bytes); what follows, little-endian:
//!
//! ```text
//! tag  record    fields
//!  1   BEGIN     round (1), flags (1; bit 0: the size is known), size (8), mtime seconds (8, signed), nanoseconds (4)
//!  2   DATA      offset (8), length (4, not 0): so many bytes of the payload
//!  3   SAME      offset (8), length (8, not 0): the digests matched, keep what is there
//!  4   HOLE      offset (8), length (8, not 0): zeros that need no space
//!  5   END       size (8), SHA-256 (32), flags (1; bit 0: the source changed while it was read)
//!  6   DIFFERS   nothing: the answer was "compare only", and there is a difference
//!  7   ABANDON   reason (1): the sender cannot go on, or the receiver has settled the entry
//! ```
//!
//! The payload is the bytes of the DATA records, in order and without gaps.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::digest::FileDigest;
use crate::transfer::entry::{MAX_SIZE, ModifiedAt};
use crate::transfer::fields::Reader;
use crate::transfer::frame::{Violation, kind};
use crate::transfer::wire::EntryId;

/// The longest record: END.
pub const MAX_RECORD: usize = 5 + 8 + 32 + 1;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// The content of a round begins.
    Begin {
        /// Which entry.
        entry: EntryId,
        /// The round that the receiver's answer named.
        round: u8,
        /// The size of the source as it was opened; `None` for a stream.
        size: Option<u64>,
        /// Its time as it was opened.
        modified: ModifiedAt,
    },
    /// The next bytes are in the payload.
    Data {
        /// Which entry.
        entry: EntryId,
        /// Where they go.
        offset: u64,
        /// How many.
        len: u32,
    },
    /// The next bytes are there already: the digests matched.
    Same {
        /// Which entry.
        entry: EntryId,
        /// From where.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// The next bytes are zeros.
    Hole {
        /// Which entry.
        entry: EntryId,
        /// From where.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// The content of this round is complete.
    End {
        /// Which entry.
        entry: EntryId,
        /// How many bytes it was.
        size: u64,
        /// Their SHA-256.
        sha256: FileDigest,
        /// The source changed while it was read, so what was sent may be a mixture.
        changed: bool,
    },
    /// The content differs from what the receiver only wanted compared.
    Differs {
        /// Which entry.
        entry: EntryId,
    },
    /// No more comes for this entry in this round.
    Abandon {
        /// Which entry.
        entry: EntryId,
        /// Why.
        reason: Abandoned,
    },
}

/// Why a sender gives an entry up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abandoned {
    /// It cannot be opened or read any more.
    Unreadable,
    /// It is gone.
    Vanished,
    /// The receiver has already settled it.
    Settled,
    /// Anything else.
    Other,
}

impl Record {
    /// The entry that it is about.
    pub fn entry(&self) -> EntryId {
        match *self {
            Record::Begin { entry, .. }
            | Record::Data { entry, .. }
            | Record::Same { entry, .. }
            | Record::Hole { entry, .. }
            | Record::End { entry, .. }
            | Record::Differs { entry }
            | Record::Abandon { entry, .. } => entry,
        }
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut head = |tag: u8, entry: EntryId| {
            out.push(tag);
            out.extend_from_slice(&entry.to_le_bytes());
        };
        match *self {
            Record::Begin {
                entry,
                round,
                size,
                modified,
            } => {
                head(1, entry);
                out.extend_from_slice(&[round, u8::from(size.is_some())]);
                out.extend_from_slice(&size.unwrap_or(0).to_le_bytes());
                out.extend_from_slice(&modified.secs.to_le_bytes());
                out.extend_from_slice(&modified.nanos.to_le_bytes());
            }
            Record::Data { entry, offset, len } => {
                head(2, entry);
                out.extend_from_slice(&offset.to_le_bytes());
                out.extend_from_slice(&len.to_le_bytes());
            }
            Record::Same { entry, offset, len } => {
                head(3, entry);
                out.extend_from_slice(&offset.to_le_bytes());
                out.extend_from_slice(&len.to_le_bytes());
            }
            Record::Hole { entry, offset, len } => {
                head(4, entry);
                out.extend_from_slice(&offset.to_le_bytes());
                out.extend_from_slice(&len.to_le_bytes());
            }
            Record::End {
                entry,
                size,
                sha256,
                changed,
            } => {
                head(5, entry);
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(&sha256.0);
                out.push(u8::from(changed));
            }
            Record::Differs { entry } => head(6, entry),
            Record::Abandon { entry, reason } => {
                head(7, entry);
                out.push(match reason {
                    Abandoned::Unreadable => 1,
                    Abandoned::Vanished => 2,
                    Abandoned::Settled => 3,
                    Abandoned::Other => 0,
                });
            }
        }
    }
}

/// Takes a table apart whose frame has `payload` bytes of payload, all of which it must account for. Every
/// offset with its length stays within [`MAX_SIZE`].
pub fn decode(table: &[u8], payload: usize) -> Result<Vec<Record>, Violation> {
    let mut reader = Reader::new(table, kind::DATA);
    let mut records = Vec::new();
    let mut left = payload as u64;
    while !reader.is_empty() {
        let record = decode_one(&mut reader)?;
        if let Record::Data { len, .. } = record {
            left = left.checked_sub(len.into()).ok_or(reader.malformed())?;
        }
        records.push(record);
    }
    if left != 0 {
        return Err(reader.malformed());
    }
    Ok(records)
}

fn decode_one(reader: &mut Reader<'_>) -> Result<Record, Violation> {
    let (tag, entry) = (reader.u8()?, reader.u32()?);
    let record = match tag {
        1 => {
            let (round, known, size) = (reader.u8()?, reader.flag()?, reader.u64()?);
            let modified = reader.modified()?;
            if size > MAX_SIZE || (!known && size != 0) {
                return Err(reader.malformed());
            }
            Record::Begin {
                entry,
                round,
                size: known.then_some(size),
                modified,
            }
        }
        2 => {
            let (offset, len) = (reader.u64()?, reader.u32()?);
            check_range(reader, offset, len.into())?;
            Record::Data { entry, offset, len }
        }
        3 | 4 => {
            let (offset, len) = (reader.u64()?, reader.u64()?);
            check_range(reader, offset, len)?;
            if tag == 3 {
                Record::Same { entry, offset, len }
            } else {
                Record::Hole { entry, offset, len }
            }
        }
        5 => {
            let (size, sha256, changed) = (reader.u64()?, reader.array()?, reader.flag()?);
            if size > MAX_SIZE {
                return Err(reader.malformed());
            }
            Record::End {
                entry,
                size,
                sha256: FileDigest(sha256),
                changed,
            }
        }
        6 => Record::Differs { entry },
        7 => Record::Abandon {
            entry,
            reason: match reader.u8()? {
                1 => Abandoned::Unreadable,
                2 => Abandoned::Vanished,
                3 => Abandoned::Settled,
                _ => Abandoned::Other,
            },
        },
        _ => return Err(reader.malformed()),
    };
    Ok(record)
}

fn check_range(reader: &Reader<'_>, offset: u64, len: u64) -> Result<(), Violation> {
    if len == 0 {
        return Err(reader.malformed());
    }
    match offset.checked_add(len) {
        Some(end) if end <= MAX_SIZE => Ok(()),
        _ => Err(Violation::BeyondSize),
    }
}
