//! Frames on their way out, and the DATA frame that is still being filled.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::entry::MAX_SIZE;
use crate::transfer::frame::{MAX_CONTROL, MAX_PAYLOAD, kind};
use crate::transfer::table::{MAX_RECORD, Record};
use crate::transfer::wire::Message;

/// What is written next: [`crate::transfer::frame::Encoder::seal`]'s header, then `head`, then the payload,
/// in one gathering write.
#[derive(Debug)]
pub struct Outgoing<P> {
    /// The frame's type.
    pub kind: u8,
    /// The body of a message, or the table of a DATA frame.
    pub head: Vec<u8>,
    /// The driver's buffers, in order.
    pub payload: Vec<P>,
    /// The sum of their lengths.
    pub payload_len: usize,
}

impl<P> Outgoing<P> {
    pub(super) fn message(message: &Message) -> Self {
        Self {
            kind: message.kind(),
            head: message.encode(),
            payload: Vec::new(),
            payload_len: 0,
        }
    }
}

/// A DATA frame that is being filled.
#[derive(Debug)]
pub(super) struct Batch<P> {
    head: Vec<u8>,
    last: Option<(usize, Record)>,
    payload: Vec<P>,
    pub(super) payload_len: usize,
}

impl<P> Batch<P> {
    pub(super) fn new() -> Self {
        Self {
            head: Vec::new(),
            last: None,
            payload: Vec::new(),
            payload_len: 0,
        }
    }

    /// Whether a record with `payload` more bytes has room.
    pub(super) fn fits(&self, payload: usize) -> bool {
        self.head.len() + MAX_RECORD <= MAX_CONTROL && self.payload_len + payload <= MAX_PAYLOAD
    }

    /// How many bytes its table has.
    pub(super) fn table_len(&self) -> usize {
        self.head.len()
    }

    /// Appends a record. SAME and HOLE that go on from the last record make it longer.
    pub(super) fn push(&mut self, record: Record, payload: Option<P>) {
        let record = match self.last.and_then(|(at, last)| {
            let joined = join(last, record)?;
            self.head.truncate(at);
            Some(joined)
        }) {
            Some(joined) => joined,
            None => record,
        };
        self.last = Some((self.head.len(), record));
        record.encode(&mut self.head);
        if let Record::Data { len, .. } = record {
            self.payload_len += len as usize;
        }
        self.payload.extend(payload);
    }

    pub(super) fn finish(self) -> Outgoing<P> {
        Outgoing {
            kind: kind::DATA,
            head: self.head,
            payload: self.payload,
            payload_len: self.payload_len,
        }
    }
}

/// Two records as one, if the second continues the first.
fn join(first: Record, second: Record) -> Option<Record> {
    match (first, second) {
        (
            Record::Same { entry, offset, len },
            Record::Same {
                entry: other,
                offset: next,
                len: more,
            },
        ) if entry == other && offset + len == next && next + more <= MAX_SIZE => {
            Some(Record::Same {
                entry,
                offset,
                len: len + more,
            })
        }
        (
            Record::Hole { entry, offset, len },
            Record::Hole {
                entry: other,
                offset: next,
                len: more,
            },
        ) if entry == other && offset + len == next && next + more <= MAX_SIZE => {
            Some(Record::Hole {
                entry,
                offset,
                len: len + more,
            })
        }
        _ => None,
    }
}
