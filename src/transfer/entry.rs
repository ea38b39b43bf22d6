//! What is offered: a file, a directory or a symbolic link, with what is kept of it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::path::PeerPath;

/// The longest target of a symbolic link: PATH_MAX with its NUL, as for a path.
pub const MAX_LINK_TARGET: usize = 4_095;

/// The largest file: what `off_t` can hold. Every offset and length is at most this, so that the sum of any
/// two cannot overflow 64 bits.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// The mode bits that are carried: permissions, set-id and sticky. What a receiver takes of them is its own.
pub const MODE_BITS: u32 = 0o7777;

/// A time of last modification. Zero nanoseconds may be a coarse file system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ModifiedAt {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    pub secs: i64,
    /// Nanoseconds on top of them, below 1,000,000,000.
    pub nanos: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File {
        /// Its size in bytes when it was offered; `None` where only its end will tell (stdin, a pipe).
        size: Option<u64>,
    },
    /// A directory. It is offered after what is in it, so that its time and mode can be set for good.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, as bytes; not checked here, the receiver decides whether it stays inside.
        target: Box<[u8]>,
    },
}

/// One thing that a sender offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes, below the receiver's directory.
    pub path: PeerPath,
    /// What it is.
    pub kind: EntryKind,
    /// When it was last modified.
    pub modified: ModifiedAt,
    /// Its Unix mode, within [`MODE_BITS`]. A sender without modes says 0o644 or 0o755.
    pub mode: u32,
}

impl Entry {
    /// Whether content is sent for it.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::File { .. })
    }

    /// The size, of a file that has a known one.
    pub fn size(&self) -> Option<u64> {
        match self.kind {
            EntryKind::File { size } => size,
            EntryKind::Directory | EntryKind::Symlink { .. } => None,
        }
    }
}
