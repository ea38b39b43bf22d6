//! A file that is being sent: its bytes, its holes, and whether it changed meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io;

use crate::transfer::entry::ModifiedAt;
use crate::transfer::source::extents::{Extent, next_extent};
use crate::transfer::source::positional::read_full_at;
use crate::transfer::source::walk::Found;

/// By what a file and its version are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Device and inode; zeros on Windows, where std does not tell.
    pub id: (u64, u64),
    /// Bytes.
    pub size: u64,
    /// The time of the content.
    pub modified: ModifiedAt,
    /// The time of the inode (ctime); that of the content on Windows.
    pub changed: ModifiedAt,
}

/// What Linux reads ahead anyhow (`read_ahead_kb`): shorter files need no advice.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const READ_AHEAD: u64 = 128 * 1024;

/// How a file differs from what it was when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has more bytes, but for all one can see the old ones are the same.
    Grew,
    /// Its size or time changed: what was sent may be a mixture of two versions.
    Content,
    /// Only the inode changed: mode, owner, another name, or content through a memory map.
    Inode,
}

/// An open regular file.
#[derive(Debug)]
pub struct OpenSource {
    file: File,
    identity: Identity,
    allocated: u64,
}

impl OpenSource {
    /// Opens what the walk found. A link that was not one then is not followed.
    pub fn open(found: &Found) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        guard(&mut options, found.followed);
        let file = options.open(&found.source)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("no longer a regular file"));
        }
        // It will be read from front to back; where that cannot be said it is no loss.
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        if metadata.len() > READ_AHEAD {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        }
        Ok(Self {
            identity: identity(&metadata),
            allocated: allocated(&metadata),
            file,
        })
    }

    /// What it was when it was opened.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The bytes that it occupies, for the receiver's reservation: less than its size if it is sparse.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// Fills `buf` from `offset`, as far as the file goes.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        read_full_at(&self.file, buf, offset)
    }

    /// The next stretch of data or hole from `offset`, up to the size that it had when it was opened. `None`: the
    /// end.
    pub fn next_extent(&self, offset: u64) -> io::Result<Option<Extent>> {
        let size = self.identity.size;
        if self.allocated >= size {
            // No holes: no need to ask.
            return Ok((offset < size).then_some(Extent::Data(offset..size)));
        }
        next_extent(&self.file, offset, size)
    }

    /// How it changed since it was opened.
    pub fn change(&self) -> io::Result<Option<Change>> {
        let now = identity(&self.file.metadata()?);
        Ok(compare(&self.identity, &now))
    }

    /// The open file, for sendfile(2) and the like.
    pub fn file(&self) -> &File {
        &self.file
    }
}

fn compare(before: &Identity, now: &Identity) -> Option<Change> {
    if now.size > before.size {
        Some(Change::Grew)
    } else if (now.size, now.modified) != (before.size, before.modified) {
        Some(Change::Content)
    } else if now.changed != before.changed {
        Some(Change::Inode)
    } else {
        None
    }
}

#[cfg(unix)]
fn guard(options: &mut OpenOptions, follow: bool) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    // O_NONBLOCK: a FIFO that has come in its place must not hold the sender up.
    let mut flags = OFlags::NONBLOCK;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    // The flags of open(2) fit into an int everywhere.
    options.custom_flags(flags.bits() as i32);
}

#[cfg(windows)]
fn guard(options: &mut OpenOptions, follow: bool) {
    use std::os::windows::fs::OpenOptionsExt;
    /// FILE_FLAG_OPEN_REPARSE_POINT, winbase.h.
    const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    if !follow {
        options.custom_flags(OPEN_REPARSE_POINT);
    }
}

#[cfg(unix)]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity {
        id: (metadata.dev(), metadata.ino()),
        size: metadata.len(),
        modified: ModifiedAt {
            secs: metadata.mtime(),
            nanos: metadata.mtime_nsec() as u32,
        },
        changed: ModifiedAt {
            secs: metadata.ctime(),
            nanos: metadata.ctime_nsec() as u32,
        },
    }
}

#[cfg(unix)]
pub(super) fn allocated(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512)
}

#[cfg(windows)]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    use std::time::UNIX_EPOCH;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|time| ModifiedAt {
            secs: time.as_secs() as i64,
            nanos: time.subsec_nanos(),
        })
        .unwrap_or_default();
    Identity {
        id: (0, 0),
        size: metadata.len(),
        modified,
        changed: modified,
    }
}

#[cfg(windows)]
pub(super) fn allocated(metadata: &Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_its_name() {
        let at = |secs| ModifiedAt { secs, nanos: 0 };
        let before = Identity {
            id: (1, 2),
            size: 10,
            modified: at(5),
            changed: at(6),
        };
        let with = |size, modified, changed| Identity {
            size,
            modified: at(modified),
            changed: at(changed),
            ..before
        };
        assert_eq!(compare(&before, &before), None);
        assert_eq!(compare(&before, &with(11, 7, 7)), Some(Change::Grew));
        assert_eq!(compare(&before, &with(9, 5, 6)), Some(Change::Content));
        assert_eq!(compare(&before, &with(10, 7, 7)), Some(Change::Content));
        assert_eq!(compare(&before, &with(10, 5, 7)), Some(Change::Inode));
    }
}
