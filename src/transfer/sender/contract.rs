//! What a sender and its driver tell each other.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::sync::Arc;

use crate::transfer::digest::{ChunkDigest, DigestKind, FileDigest};
use crate::transfer::entry::{Entry, ModifiedAt};
use crate::transfer::session::Pace;
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{EntryId, Verdict};

/// What the sender decides for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderSettings {
    /// Deadlines.
    pub pace: Pace,
    /// Bytes that are being read or wait to be written, over all entries: the memory of the pipeline. One
    /// chunk is always allowed.
    pub in_flight: u64,
    /// Chunks of one entry that are read ahead of what was decided. More than one keeps the hash busy; fewer
    /// than all of `in_flight` leaves room for a second file to be hashed beside.
    pub read_ahead: usize,
    /// Entries that are open at once.
    pub open_files: usize,
    /// A frame of small files is held back until it has this many bytes, as long as more is being read.
    pub batch: usize,
    /// Everything is offered and compared and nothing is sent: each answer is closed by an ABANDON, and what would
    /// have been sent is counted as if it had been.
    pub dry_run: bool,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            in_flight: 16 * 1024 * 1024,
            read_ahead: 6,
            open_files: 64,
            batch: 256 * 1024,
            dry_run: false,
        }
    }
}

/// Something to offer, and by what the driver knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The driver's own name for it. The machine only hands it back.
    pub key: u64,
    /// What the receiver is told.
    pub entry: Arc<Entry>,
}

/// What the driver is to do. In order; actions of different entries may overlap as the driver likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderAction {
    /// Find up to `max` more entries and report [`SenderOutcome::Walked`]. Never asked twice at once.
    Walk {
        /// How many at the most.
        max: usize,
    },
    /// Open the source from its beginning, with a fresh SHA-256, and report [`SenderOutcome::Opened`]. In a
    /// later round: once more.
    Open {
        /// Which entry.
        entry: EntryId,
        /// The driver's name for it.
        key: u64,
        /// The round.
        round: u8,
    },
    /// Read the next piece, feed it to the entry's SHA-256, and report [`SenderOutcome::Chunk`]. The pieces
    /// of an entry are in order and without gaps. Reads behind the end of the source are void.
    Read {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// At most so many; fewer only at the end of the source.
        len: u32,
        /// The digest that is wanted of it.
        digest: Option<DigestKind>,
    },
    /// The entry is not read any further in this round: outstanding reads, and buffers of those that were not
    /// reported, are to be dropped. A report that is already under way does no harm.
    Close {
        /// Which entry.
        entry: EntryId,
    },
    /// An entry has its verdict.
    Report(SentFile),
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// What was offered.
    pub source: Source,
    /// What the receiver made of it.
    pub verdict: Verdict,
    /// If the sender gave it up: why. The verdict is then [`crate::transfer::wire::Failure::Abandoned`].
    pub abandoned: Option<Abandoned>,
    /// The SHA-256 of what was read last, to its end.
    pub sha256: Option<FileDigest>,
    /// Bytes of it that were sent, in all rounds.
    pub sent: u64,
    /// Bytes that needed no sending in the last round.
    pub reused: u64,
    /// Rounds.
    pub rounds: u8,
}

/// The end of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceEnd {
    /// The SHA-256 of all that was read in this round.
    pub sha256: FileDigest,
    /// Whether the source is not what it was when it was opened: size, time or inode differ, or it came out
    /// shorter or longer.
    pub changed: bool,
}

/// What a piece of a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<P> {
    /// Bytes, in a buffer of the driver's.
    Bytes(P),
    /// Zeros that take no space (SEEK_HOLE).
    Hole,
}

/// What the driver reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderOutcome<P> {
    /// More entries, not more than asked for.
    Walked {
        /// The entries: directories after what is in them.
        sources: Vec<Source>,
        /// There are no more.
        end: bool,
    },
    /// A source is open.
    Opened {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// Its size now; the driver reads no further. `None`: a stream.
        size: Option<u64>,
        /// Its time now.
        modified: ModifiedAt,
    },
    /// A piece was read and hashed.
    Chunk {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// How many bytes; 0 only with an end.
        len: u32,
        /// What it is.
        content: Content<P>,
        /// The digest, if one was wanted.
        digest: Option<ChunkDigest>,
        /// Said with the last piece, whatever its length.
        end: Option<SourceEnd>,
    },
    /// A source cannot be opened or read.
    Failed {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// Why.
        reason: Abandoned,
    },
}
