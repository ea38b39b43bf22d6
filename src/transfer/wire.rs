//! The messages: everything that the two ends say beside the content of files.
//!
//! Hand-written, little-endian, fixed layouts. A serialising library would save little: there are nine
//! messages, every length has to be held against a limit of its own before anything is allocated, and the
//! document for readers without Rust wants offsets of bytes, not the rules of an encoding.
//!
//! ```text
//! type  message   from      body
//! 0x01  HELLO     both      magic "sockkit" 0x00 (8), highest version (2), lowest version (2), role (1: 1 sender,
//!                           2 receiver), nonce (8), number of capabilities (1), each: id (2), length (1), value
//! 0x02  ABORT     both      reason (1)
//! 0x03  ALIVE     both      work (8): bytes read, hashed and written so far; phase (1)
//! 0x04  DONE      both      entries offered (8), stored or identical (8)
//! 0x05  BYE       sender    nothing
//! 0x10  OFFER     sender    number of the first entry (4), then entries, numbered on from it
//! 0x11  ANSWERS   receiver  each: entry (4), round (1), flags (1; bit 0: compare only), length to compare (8)
//! 0x12  DIGESTS   receiver  entry (4), round (1), number of the first chunk (8), then digests of 16 bytes in
//!                           round 1 and 32 in later ones
//! 0x13  VERDICTS  receiver  each: entry (4), verdict (1), reason (1)
//!
//! an entry in OFFER: kind (1: 1 file, 2 directory, 3 symbolic link), flags (1; bit 0: the size is known),
//!   mode (4), mtime seconds (8, signed), nanoseconds (4), size (8; 0 if not known or no file),
//!   number of components (1, not 0), each: length (1), bytes; for a link: length of the target (2), target
//! ```
//!
//! A body must have exactly the layout of its type: what comes later comes as a capability of the hello or as
//! a type of its own.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::sync::Arc;

use crate::transfer::digest::ChunkDigest;
use crate::transfer::entry::{Entry, EntryKind, MAX_LINK_TARGET, MAX_SIZE, MODE_BITS};
use crate::transfer::fields::Reader;
use crate::transfer::frame::{MAX_CONTROL, Violation, kind};
use crate::transfer::path::PeerPath;

/// The version that this program speaks, and the lowest.
pub const VERSION: u16 = 1;

/// In front of every hello, so that two hellos under a signature are never anything else.
pub const MAGIC: [u8; 8] = *b"sockkit\0";

/// An entry's number in its session, from 0 in the order of the offers.
pub type EntryId = u32;

/// Who sends files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends files.
    Sender,
    /// Stores them.
    Receiver,
}

/// The first frame of either end. Both are sent at once, without waiting for the other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The highest version that is spoken.
    pub version: u16,
    /// The lowest.
    pub lowest: u16,
    /// What this end wants to be; the other must want the opposite.
    pub role: Role,
    /// From a random generator. The exclusive or of both is the seed of the chunk digests.
    pub nonce: u64,
    /// What else this end can do. Unknown ones are ignored, but kept, so that the hello can be encoded again
    /// as it came: a secure channel confirms it byte for byte.
    pub capabilities: Vec<Capability>,
}

/// Something an end can do beyond the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Which.
    pub id: u16,
    /// What its id says it is; at most 255 bytes.
    pub value: Vec<u8>,
}

/// Why an end stops. The session is over with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbortReason {
    /// A person pressed Ctrl-C. What was received so far is kept.
    Interrupted,
    /// The process was asked to end.
    Terminated,
    /// The other end broke the protocol, or its bytes arrived damaged.
    Violation,
    /// No version in common.
    Incompatible,
    /// Both want to send, or both to receive.
    SameRole,
    /// The disk is full.
    NoSpace,
    /// The disk failed.
    Disk,
    /// As many sessions as allowed are running.
    Busy,
    /// Not let in.
    Denied,
    /// No progress for too long.
    Stalled,
    /// Anything else.
    Other,
}

/// What an end is doing, for whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Waiting for the other end.
    Waiting,
    /// Hashing what is there.
    Comparing,
    /// Moving content.
    Moving,
    /// Flushing to disk and renaming.
    Storing,
}

/// The receiver wants an entry's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Which.
    pub entry: EntryId,
    /// The first is 1.
    pub round: u8,
    /// If there is a difference, only that is wanted to be known.
    pub compare_only: bool,
    /// So many bytes from the beginning are there; their digests follow. 0: all is to be sent.
    pub compare: u64,
}

/// The receiver's last word on an entry. Every entry gets exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Verified, on disk, under its name.
    Stored,
    /// Verified to be there already.
    Identical,
    /// The receiver's policy is to leave it, and that is no fault.
    Skipped(Skip),
    /// The receiver does not want it.
    Refused(Refusal),
    /// It was tried.
    Failed(Failure),
}

/// Makes an enum that is one byte on the wire, with a variant for the numbers of newer peers.
macro_rules! coded {
    ($name:ident, $other:ident, $($variant:ident = $code:literal),+) => {
        impl $name {
            fn code(self) -> u8 {
                match self { $($name::$variant => $code,)+ $name::$other => 0 }
            }
            fn from_code(code: u8) -> Self {
                match code { $($code => $name::$variant,)+ _ => $name::$other }
            }
        }
    };
}

/// Why an entry is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// What is there is not older (`--update`).
    NotOlder,
    /// Links are not kept there (`--links skip`).
    Link,
    /// Anything else.
    Other,
}

/// Why an entry is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Other content has that name.
    Exists,
    /// The name cannot be used there.
    Name,
    /// The name was offered twice.
    Duplicate,
    /// It would go through a link, or lead out of the directory.
    Unsafe,
    /// Larger than `--max-size`.
    TooLarge,
    /// More than `--max-files`.
    TooMany,
    /// More than `--quota`.
    Quota,
    /// It would not fit on the disk.
    NoSpace,
    /// The directory cannot be written to.
    Permission,
    /// A directory has that name.
    IsDirectory,
    /// A symbolic link has that name.
    IsLink,
    /// A FIFO, socket or device has that name.
    IsSpecial,
    /// A part of its path is a symbolic link there.
    LinkInPath,
    /// A part of its path is something else that is no directory.
    NoDirectoryInPath,
    /// The file system there is mounted read-only.
    ReadOnly,
    /// Anything else.
    Other,
}

/// Why an entry could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// SHA-256 did not match in any round.
    Mismatch,
    /// The source changed in every round.
    SourceChanged,
    /// The sender gave it up.
    Abandoned,
    /// The file system failed.
    Disk,
    /// No permission.
    Permission,
    /// Something else took the name meanwhile.
    Exists,
    /// The disk is full, or there is less room than the file needs.
    NoSpace,
    /// Another transfer is writing it.
    Busy,
    /// Something that is no file is in the way.
    InTheWay,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Anything else.
    Other,
}

coded!(
    AbortReason,
    Other,
    Interrupted = 1,
    Terminated = 2,
    Violation = 3,
    Incompatible = 4,
    SameRole = 5,
    NoSpace = 6,
    Disk = 7,
    Busy = 8,
    Denied = 9,
    Stalled = 10
);
coded!(Phase, Waiting, Comparing = 1, Moving = 2, Storing = 3);
coded!(Skip, Other, NotOlder = 1, Link = 2);
coded!(
    Refusal,
    Other,
    Exists = 1,
    Name = 2,
    Duplicate = 3,
    Unsafe = 4,
    TooLarge = 5,
    TooMany = 6,
    Quota = 7,
    NoSpace = 8,
    Permission = 9,
    IsDirectory = 10,
    IsLink = 11,
    IsSpecial = 12,
    LinkInPath = 13,
    NoDirectoryInPath = 14,
    ReadOnly = 15
);
coded!(
    Failure,
    Other,
    Mismatch = 1,
    SourceChanged = 2,
    Abandoned = 3,
    Disk = 4,
    Permission = 5,
    Exists = 6,
    NoSpace = 7,
    Busy = 8,
    InTheWay = 9,
    ReadOnly = 10
);

/// Everything but DATA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first frame of either end.
    Hello(Hello),
    /// The last frame of an end that stops early.
    Abort(AbortReason),
    /// Said when there is nothing else to say.
    Alive {
        /// Bytes read, hashed and written so far. While it grows, the end works.
        work: u64,
        /// At what.
        phase: Phase,
    },
    /// The sender: every entry has its verdict. The receiver's answer: so I have it, and all is on disk.
    Done {
        /// Entries offered.
        entries: u64,
        /// Verdicts [`Verdict::Stored`] and [`Verdict::Identical`] among them.
        good: u64,
    },
    /// The sender has the receiver's DONE. Without it the receiver does not know whether the sender will come back.
    Bye,
    /// A page of entries.
    Offer {
        /// The number of the first; it follows that of the last offered.
        first: EntryId,
        /// The entries.
        entries: Vec<Arc<Entry>>,
    },
    /// What the receiver wants.
    Answers(Vec<Answer>),
    /// What the receiver has of an entry.
    Digests {
        /// Which.
        entry: EntryId,
        /// The round whose answer announced them.
        round: u8,
        /// The number of the first chunk; it follows that of the last sent.
        first: u64,
        /// A digest a chunk. The last covers what is left of the announced length.
        digests: Vec<ChunkDigest>,
    },
    /// Last words.
    Verdicts(Vec<(EntryId, Verdict)>),
}

/// The bytes of an [`Answer`].
pub const ANSWER_LEN: usize = 14;

/// The bytes of a verdict with its entry.
pub const VERDICT_LEN: usize = 6;

/// The bytes of DIGESTS before the digests.
pub const DIGESTS_HEAD: usize = 13;

impl Message {
    /// The type of its frame.
    pub fn kind(&self) -> u8 {
        match self {
            Message::Hello(_) => kind::HELLO,
            Message::Abort(_) => kind::ABORT,
            Message::Alive { .. } => kind::ALIVE,
            Message::Done { .. } => kind::DONE,
            Message::Bye => kind::BYE,
            Message::Offer { .. } => kind::OFFER,
            Message::Answers(_) => kind::ANSWERS,
            Message::Digests { .. } => kind::DIGESTS,
            Message::Verdicts(_) => kind::VERDICTS,
        }
    }

    /// The body of its frame. Whoever makes a message keeps it within [`MAX_CONTROL`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Message::Hello(hello) => encode_hello(&mut out, hello),
            Message::Abort(reason) => out.push(reason.code()),
            Message::Alive { work, phase } => {
                out.extend_from_slice(&work.to_le_bytes());
                out.push(phase.code());
            }
            Message::Done { entries, good } => {
                out.extend_from_slice(&entries.to_le_bytes());
                out.extend_from_slice(&good.to_le_bytes());
            }
            Message::Bye => {}
            Message::Offer { first, entries } => {
                out.extend_from_slice(&first.to_le_bytes());
                entries
                    .iter()
                    .for_each(|entry| encode_entry(&mut out, entry));
            }
            Message::Answers(answers) => {
                for answer in answers {
                    out.extend_from_slice(&answer.entry.to_le_bytes());
                    out.extend_from_slice(&[answer.round, u8::from(answer.compare_only)]);
                    out.extend_from_slice(&answer.compare.to_le_bytes());
                }
            }
            Message::Digests {
                entry,
                round,
                first,
                digests,
            } => {
                out.extend_from_slice(&entry.to_le_bytes());
                out.push(*round);
                out.extend_from_slice(&first.to_le_bytes());
                let len = digest_len(*round);
                digests
                    .iter()
                    .for_each(|digest| out.extend_from_slice(&digest.0[..len]));
            }
            Message::Verdicts(verdicts) => {
                for (entry, verdict) in verdicts {
                    out.extend_from_slice(&entry.to_le_bytes());
                    out.extend_from_slice(&verdict_codes(*verdict));
                }
            }
        }
        debug_assert!(out.len() <= MAX_CONTROL);
        out
    }
}

/// The length of a digest on the wire: fast in the first round, strong in later ones.
pub fn digest_len(round: u8) -> usize {
    if round <= 1 { 16 } else { 32 }
}

/// The bytes that an entry takes in an OFFER.
pub fn entry_len(entry: &Entry) -> usize {
    let target = match &entry.kind {
        EntryKind::Symlink { target } => 2 + target.len(),
        EntryKind::File { .. } | EntryKind::Directory => 0,
    };
    // One byte of length a component stands where the joined path has a separator, and one more.
    27 + 1 + entry.path.as_bytes().len() + target
}

fn encode_hello(out: &mut Vec<u8>, hello: &Hello) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&hello.version.to_le_bytes());
    out.extend_from_slice(&hello.lowest.to_le_bytes());
    out.push(match hello.role {
        Role::Sender => 1,
        Role::Receiver => 2,
    });
    out.extend_from_slice(&hello.nonce.to_le_bytes());
    let capabilities = &hello.capabilities[..hello.capabilities.len().min(255)];
    out.push(capabilities.len() as u8);
    for capability in capabilities {
        let value = &capability.value[..capability.value.len().min(255)];
        out.extend_from_slice(&capability.id.to_le_bytes());
        out.push(value.len() as u8);
        out.extend_from_slice(value);
    }
}

fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    let (kind, size) = match entry.kind {
        EntryKind::File { size } => (1, size),
        EntryKind::Directory => (2, None),
        EntryKind::Symlink { .. } => (3, None),
    };
    out.extend_from_slice(&[kind, u8::from(size.is_some())]);
    out.extend_from_slice(&entry.mode.to_le_bytes());
    out.extend_from_slice(&entry.modified.secs.to_le_bytes());
    out.extend_from_slice(&entry.modified.nanos.to_le_bytes());
    out.extend_from_slice(&size.unwrap_or(0).to_le_bytes());
    // PeerPath keeps both within a byte.
    out.push(entry.path.components().count() as u8);
    for component in entry.path.components() {
        out.push(component.len() as u8);
        out.extend_from_slice(component);
    }
    if let EntryKind::Symlink { target } = &entry.kind {
        out.extend_from_slice(&(target.len() as u16).to_le_bytes());
        out.extend_from_slice(target);
    }
}

fn verdict_codes(verdict: Verdict) -> [u8; 2] {
    match verdict {
        Verdict::Stored => [1, 0],
        Verdict::Identical => [2, 0],
        Verdict::Skipped(skip) => [3, skip.code()],
        Verdict::Refused(refusal) => [4, refusal.code()],
        Verdict::Failed(failure) => [5, failure.code()],
    }
}

/// Takes a body apart. `None`: a type that may be skipped.
pub fn decode(kind: u8, body: &[u8]) -> Result<Option<Message>, Violation> {
    let mut reader = Reader::new(body, kind);
    let message = match kind {
        kind::HELLO => Message::Hello(decode_hello(&mut reader)?),
        kind::ABORT => Message::Abort(AbortReason::from_code(reader.u8()?)),
        kind::ALIVE => Message::Alive {
            work: reader.u64()?,
            phase: Phase::from_code(reader.u8()?),
        },
        kind::DONE => Message::Done {
            entries: reader.u64()?,
            good: reader.u64()?,
        },
        kind::BYE => Message::Bye,
        kind::OFFER => Message::Offer {
            first: reader.u32()?,
            entries: reader.until_empty(|reader| decode_entry(reader).map(Arc::new))?,
        },
        kind::ANSWERS => Message::Answers(reader.until_empty(decode_answer)?),
        kind::DIGESTS => decode_digests(&mut reader)?,
        kind::VERDICTS => Message::Verdicts(reader.until_empty(decode_verdict)?),
        kind::SKIPPABLE.. => return Ok(None),
        _ => return Err(Violation::UnknownType(kind)),
    };
    if !reader.is_empty() {
        return Err(reader.malformed());
    }
    Ok(Some(message))
}

fn decode_hello(reader: &mut Reader<'_>) -> Result<Hello, Violation> {
    if reader.array()? != MAGIC {
        return Err(reader.malformed());
    }
    let (version, lowest) = (reader.u16()?, reader.u16()?);
    let role = match reader.u8()? {
        1 => Role::Sender,
        2 => Role::Receiver,
        _ => return Err(reader.malformed()),
    };
    let nonce = reader.u64()?;
    let mut capabilities = Vec::new();
    for _ in 0..reader.u8()? {
        let (id, len) = (reader.u16()?, reader.u8()?);
        let value = reader.take(len.into())?.to_vec();
        capabilities.push(Capability { id, value });
    }
    Ok(Hello {
        version,
        lowest,
        role,
        nonce,
        capabilities,
    })
}

fn decode_entry(reader: &mut Reader<'_>) -> Result<Entry, Violation> {
    let (kind, known, mode) = (reader.u8()?, reader.flag()?, reader.u32()?);
    let (modified, size) = (reader.modified()?, reader.u64()?);
    let count = reader.u8()?;
    // The gate is asked only for components that are there, so a count alone allocates nothing.
    let mut components = Vec::new();
    for _ in 0..count {
        let len = reader.u8()?;
        components.push(reader.take(len.into())?.to_vec());
    }
    let path = PeerPath::from_components(components).map_err(Violation::Path)?;
    if mode & !MODE_BITS != 0 || size > MAX_SIZE || (!known && size != 0) || (known && kind != 1) {
        return Err(reader.malformed());
    }
    let kind = match kind {
        1 => EntryKind::File {
            size: known.then_some(size),
        },
        2 => EntryKind::Directory,
        3 => {
            let len = reader.u16()?;
            if !(1..=MAX_LINK_TARGET).contains(&len.into()) {
                return Err(reader.malformed());
            }
            let target = reader.take(len.into())?;
            if target.contains(&0) {
                return Err(reader.malformed());
            }
            EntryKind::Symlink {
                target: target.into(),
            }
        }
        _ => return Err(reader.malformed()),
    };
    Ok(Entry {
        path,
        kind,
        modified,
        mode,
    })
}

fn decode_answer(reader: &mut Reader<'_>) -> Result<Answer, Violation> {
    let (entry, round) = (reader.u32()?, reader.u8()?);
    let (compare_only, compare) = (reader.flag()?, reader.u64()?);
    if compare > MAX_SIZE {
        return Err(reader.malformed());
    }
    Ok(Answer {
        entry,
        round,
        compare_only,
        compare,
    })
}

fn decode_digests(reader: &mut Reader<'_>) -> Result<Message, Violation> {
    let (entry, round, first) = (reader.u32()?, reader.u8()?, reader.u64()?);
    let len = digest_len(round);
    let digests = reader.until_empty(|reader| {
        let mut digest = [0; 32];
        digest[..len].copy_from_slice(reader.take(len)?);
        Ok(ChunkDigest(digest))
    })?;
    Ok(Message::Digests {
        entry,
        round,
        first,
        digests,
    })
}

fn decode_verdict(reader: &mut Reader<'_>) -> Result<(EntryId, Verdict), Violation> {
    let (entry, verdict, reason) = (reader.u32()?, reader.u8()?, reader.u8()?);
    let verdict = match verdict {
        1 => Verdict::Stored,
        2 => Verdict::Identical,
        3 => Verdict::Skipped(Skip::from_code(reason)),
        4 => Verdict::Refused(Refusal::from_code(reason)),
        5 => Verdict::Failed(Failure::from_code(reason)),
        _ => return Err(reader.malformed()),
    };
    Ok((entry, verdict))
}
