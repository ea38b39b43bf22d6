//! What is offered. (A stand-in until the wire's branch is merged.)

use crate::transfer::path::PeerPath;

/// What kind of thing an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, byte for byte.
        target: Vec<u8>,
    },
}

/// One thing that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes.
    pub path: PeerPath,
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes; `None` for a stream.
    pub size: Option<u64>,
    /// Seconds and nanoseconds since 1970.
    pub modified: (i64, u32),
    /// The permission bits.
    pub mode: u32,
}
