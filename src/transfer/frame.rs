//! Frames: how a stream of bytes becomes bounded pieces, each known to be whole before it is looked at.
//!
//! A connection begins, in each direction, with the 8 bytes of [`PREFACE`]. Then come frames. Integers are
//! little-endian.
//!
//! ```text
//! offset size  header of every frame (16 bytes)
//!      0    4  length of the body in bytes
//!      4    1  type
//!      5    3  DATA: length T of the table, at most 65,536; otherwise zero
//!      8    4  CRC32C of the body; of a DATA frame: of the payload, then of the table
//!     12    4  CRC32C of: the frame's number in its direction (8 bytes, the first is 0), then bytes 0..12
//!
//! body of a DATA frame                      body of every other frame
//!      0    T  records (`table`)                 as `wire` says, at most 65,536 bytes
//!      T    P  payload, P <= 1,048,576
//! ```
//!
//! The payload comes first in the checksum, so that whoever reads it, at either end, can sum it there and then, with the
//! bytes still in the cache. The number is not sent but counted by both ends, so that a frame that was dropped, repeated or put in
//! another place by something between does not match. The header has a checksum of its own so that a damaged
//! length is found at once and not after waiting for bytes that never come.
//!
//! In a channel that authenticates its bytes ([`Protection::Channel`]) both checksums are zero: TLS has the
//! stronger ones. Which it is, each end knows from how it was started; a peer cannot choose.
//!
//! [`Decoder`] is told bytes and says how many it wants next, so that a driver can read a payload straight
//! into a buffer of its own. It allocates at most what a frame's checked length says, one frame at a time.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

use crc_fast::CrcAlgorithm;

use crate::transfer::fields::Reader;
use crate::transfer::table::{self, Record};
use crate::transfer::wire::{self, Message};

/// What each direction begins with. The first byte is no ASCII, no UTF-8, no TLS record and no HTTP, so that
/// a port can be shared; CR LF, Ctrl-Z and LF show a connection that changes text (as in a PNG's signature).
pub const PREFACE: [u8; 8] = *b"\x89skx\r\n\x1a\n";

/// The length of a frame's header.
pub const HEADER_LEN: usize = 16;

/// The longest body of a frame without a payload, and the longest table of one with: a page of offers costs
/// a receiver this much and no more.
pub const MAX_CONTROL: usize = 64 * 1024;

/// The longest payload: one chunk. Large enough that what a frame costs is nothing beside what it carries,
/// small enough that a dozen of them fit in the memory that an end is promised to stay below.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// The types of frames. Those from 0x80 on may be skipped by who does not know them; an unknown one below is
/// a violation.
pub mod kind {
    /// [`super::Message::Hello`].
    pub const HELLO: u8 = 0x01;
    /// [`super::Message::Abort`].
    pub const ABORT: u8 = 0x02;
    /// [`super::Message::Alive`].
    pub const ALIVE: u8 = 0x03;
    /// [`super::Message::Done`].
    pub const DONE: u8 = 0x04;
    /// [`super::Message::Bye`].
    pub const BYE: u8 = 0x05;
    /// [`super::Message::Offer`].
    pub const OFFER: u8 = 0x10;
    /// [`super::Message::Answers`].
    pub const ANSWERS: u8 = 0x11;
    /// [`super::Message::Digests`].
    pub const DIGESTS: u8 = 0x12;
    /// [`super::Message::Verdicts`].
    pub const VERDICTS: u8 = 0x13;
    /// Records and their payload.
    pub const DATA: u8 = 0x20;
    /// From here on a type may be skipped.
    pub const SKIPPABLE: u8 = 0x80;
}

/// What protects the bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing else: every frame carries CRC32C.
    Checksums,
    /// A channel that authenticates what it carries: the checksums are zero.
    Channel,
}

/// How a peer broke the protocol, or its bytes were damaged. Either ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// The first bytes are not [`PREFACE`]: this is another protocol.
    Preface,
    /// A header does not match its checksum: damaged, repeated, dropped or out of place.
    HeaderChecksum,
    /// A body does not match its checksum.
    BodyChecksum,
    /// A length beyond its limit.
    TooLong,
    /// A reserved byte or flag that is not zero, or checksums where there are none.
    Reserved,
    /// A type that cannot be skipped and is not known.
    UnknownType(u8),
    /// A body that does not have the layout of its type.
    Malformed(u8),
    /// A path that is no path: see [`crate::transfer::path::BadPath`].
    Path(crate::transfer::path::BadPath),
    /// A message that has no place at this point, or not from this role.
    OutOfPlace(u8),
    /// An entry that was never offered, or is settled.
    UnknownEntry,
    /// More entries or bytes offered and not settled than the window allows.
    Window,
    /// A round that is not the current one.
    Round,
    /// Data that does not continue where the last ended, or crosses a chunk's border.
    Order,
    /// A position or length beyond the entry's size.
    BeyondSize,
    /// Digests that were not asked for, or more than the window allows.
    Digests,
    /// Content said to be there of which no digest was sent.
    NotHad,
    /// Sums that contradict what was sent.
    Totals,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Preface => f.write_str("it does not speak sockkit's transfer protocol"),
            Violation::HeaderChecksum => {
                f.write_str("a frame's header was damaged or is out of place")
            }
            Violation::BodyChecksum => f.write_str("a frame was damaged on the way"),
            Violation::TooLong => f.write_str("a length is beyond its limit"),
            Violation::Reserved => f.write_str("a reserved field is not zero"),
            Violation::UnknownType(kind) => write!(f, "unknown frame type {kind:#04x}"),
            Violation::Malformed(kind) => write!(f, "malformed frame of type {kind:#04x}"),
            Violation::Path(bad) => bad.fmt(f),
            Violation::OutOfPlace(kind) => write!(f, "frame of type {kind:#04x} out of place"),
            Violation::UnknownEntry => f.write_str("a message about an entry that is not open"),
            Violation::Window => f.write_str("more entries offered than the window allows"),
            Violation::Round => f.write_str("a message of another round"),
            Violation::Order => f.write_str("data out of order"),
            Violation::BeyondSize => f.write_str("data beyond the size of its file"),
            Violation::Digests => f.write_str("digests that were not expected"),
            Violation::NotHad => f.write_str("content is claimed that was never compared"),
            Violation::Totals => f.write_str("the totals do not agree"),
        }
    }
}

impl std::error::Error for Violation {}

/// CRC32C (Castagnoli, RFC 9260 appendix A) of `bytes`, going on from `crc`; 0 begins. The processors that
/// people have compute it by instruction, an order of magnitude faster than SHA-256.
pub fn crc(crc: u32, bytes: &[u8]) -> u32 {
    let state = u64::from(!crc);
    let mut digest = crc_fast::Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, state);
    digest.update(bytes);
    // The upper half is zero: it is a checksum of 32 bits.
    digest.finalize() as u32
}

/// A checked header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    len: usize,
    kind: u8,
    table_len: usize,
    body_crc: u32,
}

/// Numbers and seals the frames of one direction, in the order in which they are written.
#[derive(Debug)]
pub struct Encoder {
    protection: Protection,
    number: u64,
}

impl Encoder {
    /// For a direction in which nothing but [`PREFACE`] has been written.
    pub fn new(protection: Protection) -> Self {
        Self {
            protection,
            number: 0,
        }
    }

    /// The header of the next frame, whose body is `head` (a message, or a table) and `payload_len` bytes more: what a
    /// driver puts in front of them in one gathering write. `payload_crc` is the [`crc`] of those, which any thread
    /// may have computed; it is not looked at under [`Protection::Channel`].
    pub fn seal(
        &mut self,
        kind: u8,
        head: &[u8],
        payload_len: usize,
        payload_crc: u32,
    ) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        // Both are bounded far below 4 GiB by whoever made them.
        let len = u32::try_from(head.len() + payload_len).unwrap_or(u32::MAX);
        header[0..4].copy_from_slice(&len.to_le_bytes());
        header[4] = kind;
        if kind == kind::DATA {
            let table = (head.len() as u32).to_le_bytes();
            header[5..8].copy_from_slice(&table[..3]);
        }
        if self.protection == Protection::Checksums {
            header[8..12].copy_from_slice(&crc(payload_crc, head).to_le_bytes());
            let sum = header_crc(self.number, &header);
            header[12..16].copy_from_slice(&sum.to_le_bytes());
        }
        self.number = self.number.wrapping_add(1);
        header
    }

    /// Whether [`crc`]s are wanted.
    pub fn protection(&self) -> Protection {
        self.protection
    }
}

fn header_crc(number: u64, header: &[u8; HEADER_LEN]) -> u32 {
    crc(crc(0, &number.to_le_bytes()), &header[..12])
}

/// What a [`Decoder`] wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// So many bytes for [`Decoder::bytes`], never more than [`MAX_CONTROL`].
    Bytes(usize),
    /// So many bytes of payload, never more than [`MAX_PAYLOAD`], read into a buffer of the driver's; then
    /// [`Decoder::payload`].
    Payload(usize),
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Message),
    /// The records of a DATA frame. Its payload, `payload` bytes, is in the driver's hands by now.
    Data {
        /// The records, in order; they account for the payload exactly.
        records: Vec<Record>,
        /// How long the payload is.
        payload: usize,
    },
}

#[derive(Debug)]
enum Stage {
    Preface,
    Header,
    Body(Header),
    Table(Header),
    Payload {
        header: Header,
        table: Vec<u8>,
        len: usize,
    },
    Broken(Violation),
}

/// Takes one direction of a connection apart.
#[derive(Debug)]
pub struct Decoder {
    protection: Protection,
    number: u64,
    stage: Stage,
}

impl Decoder {
    /// At the first byte of a connection.
    pub fn new(protection: Protection) -> Self {
        Self {
            protection,
            number: 0,
            stage: Stage::Preface,
        }
    }

    /// Whether the stream may end here without cutting anything.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.stage, Stage::Header)
    }

    /// What is wanted next. After a violation: nothing.
    pub fn need(&self) -> Need {
        match &self.stage {
            Stage::Preface => Need::Bytes(PREFACE.len()),
            Stage::Header => Need::Bytes(HEADER_LEN),
            Stage::Body(header) => Need::Bytes(header.len),
            Stage::Table(header) => Need::Bytes(header.table_len),
            Stage::Payload { len, .. } => Need::Payload(*len),
            Stage::Broken(_) => Need::Bytes(0),
        }
    }

    /// Takes exactly the bytes that [`Decoder::need`] asked for. Says a frame when one is complete. A
    /// violation is final.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        if self.need() != Need::Bytes(bytes.len()) {
            return Err(self.break_with(Violation::Malformed(0)));
        }
        self.advance(bytes)
            .map_err(|violation| self.break_with(violation))
    }

    /// The payload has been read, and this is its [`crc`]; it is not looked at under [`Protection::Channel`].
    pub fn payload(&mut self, payload_crc: u32) -> Result<Option<Frame>, Violation> {
        match std::mem::replace(&mut self.stage, Stage::Header) {
            Stage::Payload { header, table, len } => {
                self.check_body(header, payload_crc, &table)
                    .map_err(|violation| self.break_with(violation))?;
                let records = table::decode(&table, len).map_err(|bad| self.break_with(bad))?;
                Ok(Some(Frame::Data {
                    records,
                    payload: len,
                }))
            }
            Stage::Broken(violation) => Err(self.break_with(violation)),
            _ => Err(self.break_with(Violation::Malformed(kind::DATA))),
        }
    }

    fn break_with(&mut self, violation: Violation) -> Violation {
        self.stage = Stage::Broken(violation);
        violation
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        match &self.stage {
            Stage::Preface => {
                if bytes != PREFACE {
                    return Err(Violation::Preface);
                }
                self.stage = Stage::Header;
                Ok(None)
            }
            Stage::Header => self.header(bytes),
            &Stage::Body(header) => {
                self.check_body(header, 0, bytes)?;
                self.stage = Stage::Header;
                wire::decode(header.kind, bytes).map(|message| message.map(Frame::Message))
            }
            &Stage::Table(header) => self.table(header, bytes),
            Stage::Payload { .. } => Err(Violation::Malformed(kind::DATA)),
            Stage::Broken(violation) => Err(*violation),
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        let raw: &[u8; HEADER_LEN] = bytes.try_into().map_err(|_| Violation::Malformed(0))?;
        let mut reader = Reader::new(raw, 0);
        let (len, kind) = (reader.u32()? as usize, reader.u8()?);
        let [low, middle, high] = reader.array()?;
        let table_len = u32::from_le_bytes([low, middle, high, 0]) as usize;
        let (body_crc, sum) = (reader.u32()?, reader.u32()?);
        match self.protection {
            Protection::Checksums if sum != header_crc(self.number, raw) => {
                return Err(Violation::HeaderChecksum);
            }
            Protection::Channel if sum != 0 || body_crc != 0 => return Err(Violation::Reserved),
            Protection::Checksums | Protection::Channel => {}
        }
        self.number = self.number.wrapping_add(1);
        let header = Header {
            len,
            kind,
            table_len,
            body_crc,
        };
        if kind == kind::DATA {
            // A table of no records accounts for no payload, so it is never empty.
            let payload = len.checked_sub(table_len).ok_or(Violation::TooLong)?;
            if !(1..=MAX_CONTROL).contains(&table_len) || payload > MAX_PAYLOAD {
                return Err(Violation::TooLong);
            }
            self.stage = Stage::Table(header);
            return Ok(None);
        }
        if table_len != 0 {
            return Err(Violation::Reserved);
        }
        if len > MAX_CONTROL {
            return Err(Violation::TooLong);
        }
        if len == 0 {
            self.check_body(header, 0, &[])?;
            return wire::decode(kind, &[]).map(|message| message.map(Frame::Message));
        }
        self.stage = Stage::Body(header);
        Ok(None)
    }

    fn table(&mut self, header: Header, bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        let len = header.len - header.table_len;
        if len == 0 {
            self.check_body(header, 0, bytes)?;
            let records = table::decode(bytes, len)?;
            self.stage = Stage::Header;
            return Ok(Some(Frame::Data {
                records,
                payload: 0,
            }));
        }
        // The records are looked at when the checksum over all of the body is known to match.
        self.stage = Stage::Payload {
            header,
            table: bytes.to_vec(),
            len,
        };
        Ok(None)
    }

    fn check_body(&self, header: Header, payload_crc: u32, head: &[u8]) -> Result<(), Violation> {
        if self.protection == Protection::Checksums && crc(payload_crc, head) != header.body_crc {
            return Err(Violation::BodyChecksum);
        }
        Ok(())
    }
}
