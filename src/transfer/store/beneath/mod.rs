//! Directories as handles: every call that touches the disk names one component beneath a directory that is held
//! open, so that swapping a directory for a symbolic link leads nobody out.
//!
//! On Linux a path is descended by one `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`; where there is
//! none (before 5.6, or behind a seccomp filter) and on other Unixes component by component with
//! `openat(O_NOFOLLOW | O_DIRECTORY)`. On Windows the directories of a path are held open without sharing their
//! deletion, which keeps others from renaming or replacing them, and each is looked at through its own handle.
//!
//! A directory that is moved out of the target by somebody who may do that takes the files in it along: a handle
//! is a directory, not a name.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::Dir;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Dir;

use std::io;

use crate::transfer::entry::ModifiedAt;
use crate::transfer::store::failure::{Failure, Reason};

/// What a name is, without following it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link or, on Windows, any other reparse point.
    Link,
    /// A FIFO, socket or device.
    Special,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub what: What,
    /// Its length.
    pub len: u64,
    /// The time of its content.
    pub modified: ModifiedAt,
    /// The twelve bits of its mode; 0 on Windows.
    pub mode: u32,
    /// Device and inode; zeros on Windows, where std does not tell.
    pub id: (u64, u64),
    /// How many names it has; 1 on Windows.
    pub links: u64,
    /// The bytes that it occupies.
    pub allocated: u64,
}

/// What a file system can still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes for a user without privileges.
    pub available: u64,
    /// Whether reserving is worth a call: not in memory, where it would only delay the first byte.
    pub on_disk: bool,
}

/// Why a path was not descended.
#[derive(Debug)]
pub enum Stray {
    /// A component is missing: its index.
    Missing(usize),
    /// A component is a symbolic link.
    Link(usize),
    /// A component is neither.
    NoDirectory(usize),
    /// The system said no.
    System(io::Error),
}

impl Stray {
    /// The same for a component further down: it was found in a single step from there.
    pub(super) fn at(self, index: usize) -> Self {
        match self {
            Stray::Missing(_) => Stray::Missing(index),
            Stray::Link(_) => Stray::Link(index),
            Stray::NoDirectory(_) => Stray::NoDirectory(index),
            Stray::System(error) => Stray::System(error),
        }
    }

    /// The failure of `operation` on `path`, of which `components` were to be descended.
    pub fn into_failure(
        self,
        operation: &'static str,
        path: &impl std::fmt::Display,
        components: &[&[u8]],
    ) -> Failure {
        let upto = |index: usize| {
            let part = components.get(..=index).unwrap_or(components);
            crate::core::sanitise::sanitise(&part.join(&b'/')).into_owned()
        };
        match self {
            Stray::Missing(_) => Failure::new(operation, path, io::ErrorKind::NotFound.into()),
            Stray::Link(index) => {
                Failure::refused(operation, path, Reason::LinkInPath(upto(index)))
            }
            Stray::NoDirectory(index) => {
                Failure::refused(operation, path, Reason::NoDirectoryInPath(upto(index)))
            }
            Stray::System(error) => Failure::new(operation, path, error),
        }
    }
}
