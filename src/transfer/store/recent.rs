//! The directory that was used last. The files of one come in a row, and finding it anew for each of them takes a
//! third of the system calls of a small file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::transfer::path::PeerPath;
use crate::transfer::store::beneath::{Dir, Stray};
use crate::transfer::store::failure::Failure;
use crate::transfer::store::{Place, Session};

/// For so long a directory is used without being looked for again. One that was renamed meanwhile is found to be so
/// after this time; until then files still go into it, wherever it is now.
pub(super) const KEPT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Recent {
    parents: Box<[u8]>,
    dir: Arc<Dir>,
    since: Instant,
}

/// The bytes of a path without its last component.
fn parents_of(path: &PeerPath) -> &[u8] {
    let path = path.as_bytes();
    &path[..memchr::memrchr(b'/', path).unwrap_or(0)]
}

impl Session {
    /// The directory of `path`, if it was used just now.
    pub(super) fn recent(&self, path: &PeerPath) -> Option<Arc<Dir>> {
        let books = self.books();
        let recent = books.recent.as_ref()?;
        let is_it = *recent.parents == *parents_of(path) && recent.since.elapsed() < KEPT;
        is_it.then(|| Arc::clone(&recent.dir))
    }

    /// `dir` is the directory of `path`.
    pub(super) fn remember(&self, path: &PeerPath, dir: Dir) -> Arc<Dir> {
        let dir = Arc::new(dir);
        self.books().recent = Some(Recent {
            parents: parents_of(path).into(),
            dir: Arc::clone(&dir),
            since: Instant::now(),
        });
        dir
    }

    /// It is gone: the next one is looked for.
    pub(super) fn forget_recent(&self) {
        self.books().recent = None;
    }

    /// The directory at `place`, if it is there.
    pub(super) fn find(
        &self,
        place: &Place<'_>,
        path: &PeerPath,
    ) -> Result<Option<Arc<Dir>>, Failure> {
        if let Some(dir) = self.recent(path) {
            return Ok(Some(dir));
        }
        match self.store.root.descend_if_there(&place.parents) {
            Ok(Some(dir)) => Ok(Some(self.remember(path, dir))),
            Ok(None) | Err(Stray::Missing(_)) => Ok(None),
            Err(stray) => Err(stray.into_failure("store", path, &place.parents)),
        }
    }
}
