//! An existing file under the final name, whose content may be the same or serve in part.

use std::fs::File;
use std::sync::Arc;

use crate::transfer::entry::Entry;
use crate::transfer::path::PeerPath;
use crate::transfer::source::positional::read_full_at;
use crate::transfer::store::beneath::{Dir, Seen, What};
use crate::transfer::store::failure::{Failure, Reason};
use crate::transfer::store::recent::Folder;
use crate::transfer::store::verdict::in_the_way;
use crate::transfer::store::{Existing, Place, Session};

/// An existing file, opened for reading. It is never written.
#[derive(Debug)]
pub struct Candidate {
    dir: Arc<Dir>,
    path: PeerPath,
    pub(super) file: File,
    pub(super) seen: Seen,
    fsync: bool,
    takes_attributes: bool,
}

impl Session {
    /// Opens the existing file of an entry, to be compared with. `None`: there is none.
    pub fn candidate(&self, entry: &Entry) -> Result<Option<Candidate>, Failure> {
        let place = Place::of(&entry.path)?;
        let Some(Folder { dir, .. }) = self.find(&place, &entry.path)? else {
            return Ok(None);
        };
        let policy = &self.store.policy;
        let opened = open(&dir, place.name, &entry.path)?;
        Ok(opened.map(|(file, seen)| Candidate {
            dir,
            path: entry.path.clone(),
            file,
            seen,
            fsync: policy.fsync,
            takes_attributes: matches!(policy.existing, Existing::Overwrite | Existing::Update),
        }))
    }
}

/// Opens the regular file `name`.
pub(super) fn open(
    dir: &Dir,
    name: &[u8],
    path: &PeerPath,
) -> Result<Option<(File, Seen)>, Failure> {
    let fail = |error| Failure::new("read the existing", path, error);
    match dir.look(name).map_err(fail)? {
        None => return Ok(None),
        Some(seen) if seen.what == What::File => {}
        Some(seen) => return Err(Failure::refused("read", path, in_the_way(seen.what))),
    }
    let file = match dir.open_read(name) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let seen = Dir::identify(&file).map_err(fail)?;
    match seen.what {
        What::File => Ok(Some((file, seen))),
        what => Err(Failure::refused("read", path, in_the_way(what))),
    }
}

impl Candidate {
    /// Its length when it was opened.
    #[allow(clippy::len_without_is_empty)] // a length in bytes, not a collection
    pub fn len(&self) -> u64 {
        self.seen.len
    }

    /// Fills `buf` from `offset`, as far as the file goes.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        read_full_at(&self.file, buf, offset)
            .map_err(|error| Failure::new("read the existing", &self.path, error))
    }

    /// The content is the same: the existing file counts as stored. It is flushed as a new one would be, and where
    /// the policy replaces files it takes the time and mode that were offered.
    pub fn keep(self, entry: &Entry) -> Result<(), Failure> {
        let path = &self.path;
        let fail = |operation| move |error| Failure::new(operation, path, error);
        let now = Dir::identify(&self.file).map_err(fail("read the existing"))?;
        if (now.len, now.modified) != (self.seen.len, self.seen.modified) {
            // It was compared while somebody wrote it.
            let reason = Reason::WrongLength(now.len, self.seen.len);
            return Err(Failure::refused("use the existing", path, reason));
        }
        if self.takes_attributes {
            // Somebody else's file may be read and still not be changed; its content is what counts.
            let _ = Dir::dress_file(&self.file, entry.mode, entry.modified);
        }
        if self.fsync {
            flush(&self.file).map_err(fail("flush"))?;
            self.dir.sync().map_err(fail("flush the directory of"))?;
        }
        Ok(())
    }
}

/// Windows flushes only through a handle that may write; the file was on the disk before we came.
fn flush(file: &File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(error) if cfg!(windows) && error.kind() == std::io::ErrorKind::PermissionDenied => {
            Ok(())
        }
        done => done,
    }
}
