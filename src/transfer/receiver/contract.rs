//! What a receiver and its driver tell each other.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::ops::Range;
use std::sync::Arc;

use crate::transfer::digest::{ChunkDigest, DigestKind, FileDigest};
use crate::transfer::entry::{Entry, MAX_SIZE, ModifiedAt};
use crate::transfer::session::{Pace, Shape};
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{EntryId, Failure, Refusal, Skip, Verdict};

/// What the receiver decides for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverSettings {
    /// Deadlines.
    pub pace: Pace,
    /// `--max-size`: the largest file.
    pub max_size: u64,
    /// `--max-files`: the most entries of a session.
    pub max_entries: u64,
    /// `--quota`: the most bytes of a session.
    pub quota: u64,
    /// Whether names are refused that Windows cannot store.
    pub windows_names: bool,
    /// Entries whose existing content is hashed at once.
    pub comparing: usize,
    /// Chunks of one of them that are ordered ahead.
    pub hash_ahead: u64,
    /// Rounds, at most those of the protocol. 1 where what was written cannot be read again (stdout).
    pub rounds: u8,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            max_size: MAX_SIZE,
            max_entries: u64::MAX,
            quota: u64::MAX,
            windows_names: cfg!(windows),
            comparing: 4,
            hash_ahead: 16,
            rounds: Shape::V1.rounds,
        }
    }
}

/// What is on disk where an entry is to go, and what the policy makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing to build on: all of it is wanted.
    Nothing,
    /// A partial of an earlier session, of this length. It is built on in place.
    Part {
        /// Bytes.
        len: u64,
    },
    /// A file of that name. What matches is copied out of it; it stays untouched until the commit.
    Candidate {
        /// Bytes.
        len: u64,
        /// Only identical content will do: anything else is refused with [`Refusal::Exists`].
        compare_only: bool,
    },
    /// Leave it.
    Skip(Skip),
    /// Do not take it.
    Refuse(Refusal),
}

/// What the driver is to do. The actions of one entry are carried out in this order; those of different
/// entries may overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverAction<P> {
    /// See what is there and report [`ReceiverOutcome::Examined`].
    Examine {
        /// Which entry.
        id: EntryId,
        /// What was offered.
        entry: Arc<Entry>,
    },
    /// Read a chunk of the partial, or of the candidate if there is no partial, and report
    /// [`ReceiverOutcome::Digest`]. In order.
    HashExisting {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// How many bytes.
        len: u32,
        /// The digest that is wanted.
        kind: DigestKind,
    },
    /// Digests ordered and not reported are wanted no more.
    StopHashing {
        /// Which entry.
        id: EntryId,
    },
    /// Content follows from the beginning: begin a fresh SHA-256. Preallocate if the size is known. In a later
    /// round what is there stays and is built on.
    Begin {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// The size.
        size: Option<u64>,
        /// The time to set at the commit.
        modified: ModifiedAt,
    },
    /// These bytes of the partial or candidate are right: feed them to the SHA-256. Of a candidate they go
    /// into the partial too; that may be put off until a first [`ReceiverAction::Write`] or
    /// [`ReceiverAction::Hole`], or a commit that is not of identical content, makes a partial necessary.
    Keep {
        /// Which entry.
        id: EntryId,
        /// From where.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// Write these bytes of the frame's payload and feed them to the SHA-256.
    Write {
        /// Which entry.
        id: EntryId,
        /// Where to.
        offset: u64,
        /// The buffer.
        payload: P,
        /// Which part of it.
        range: Range<usize>,
    },
    /// Make these bytes zeros, without space where that can be, and feed them to the SHA-256.
    Hole {
        /// Which entry.
        id: EntryId,
        /// From where.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// That was all of this round. Report [`ReceiverOutcome::Hashed`] when everything before is done. If the SHA-256
    /// is the `expected` one, what [`ReceiverAction::Commit`] asks for may be done right away, also when the session
    /// has ended meanwhile; then report [`ReceiverOutcome::StoredAtOnce`]. Of many small files each is so kept as
    /// soon as it is whole, and not only when all that came with it have been written.
    Finish {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// How many bytes there were.
        size: u64,
        /// The SHA-256 with which it is to be committed. `None`: something speaks against it, or there is nothing to
        /// commit.
        expected: Option<FileDigest>,
    },
    /// It is right. A file: truncate to the size, set mode and time, fsync, rename by the policy, fsync the
    /// directory. A directory or link: make it and set what is known of it. Then report
    /// [`ReceiverOutcome::Stored`].
    Commit {
        /// Which entry.
        id: EntryId,
        /// The candidate was identical and nothing was written: it only has to be safe on disk.
        identical: bool,
    },
    /// The entry is not committed. The partial stays as a resume point and its place is given up; `remove`:
    /// nothing in it is worth keeping.
    Discard {
        /// Which entry.
        id: EntryId,
        /// Whether the partial is removed too.
        remove: bool,
    },
    /// All entries are settled: fsync what is not yet, then report [`ReceiverOutcome::Settled`].
    Settle,
    /// An entry is settled.
    Report(ReceivedFile),
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedFile {
    /// What was offered.
    pub entry: Arc<Entry>,
    /// What was made of it.
    pub verdict: Verdict,
    /// If the sender gave it up: why.
    pub abandoned: Option<Abandoned>,
    /// The SHA-256 that both ends agree on.
    pub sha256: Option<FileDigest>,
    /// Its size, of content that came to its end.
    pub size: Option<u64>,
    /// Bytes of it that came over the connection, in all rounds.
    pub received: u64,
    /// Bytes that did not have to, in the last round.
    pub reused: u64,
}

/// What the driver reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverOutcome {
    /// What is there.
    Examined {
        /// Which entry.
        id: EntryId,
        /// What.
        finding: Finding,
    },
    /// A chunk of what is there.
    Digest {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// Its digest.
        digest: ChunkDigest,
    },
    /// Everything up to [`ReceiverAction::Finish`] is done.
    Hashed {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// The SHA-256 over all of it.
        sha256: FileDigest,
    },
    /// The SHA-256 over all of it is the one that [`ReceiverAction::Finish`] expects, and the commit is done too.
    StoredAtOnce {
        /// Which entry.
        id: EntryId,
        /// The round.
        round: u8,
        /// The SHA-256.
        sha256: FileDigest,
    },
    /// The commit is done, and on disk.
    Stored {
        /// Which entry.
        id: EntryId,
    },
    /// Something about this entry failed.
    Failed {
        /// Which entry.
        id: EntryId,
        /// What.
        failure: Failure,
    },
    /// [`ReceiverAction::Settle`] is done.
    Settled,
    /// So many more bytes were read, hashed or written. From time to time, for the watchdogs of both ends.
    Worked(u64),
}
