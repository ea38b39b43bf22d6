//! The directory that was used last. The files of one come in a row, and finding it anew for each of them takes a
//! third of the system calls of a small file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::transfer::path::PeerPath;
use crate::transfer::store::beneath::Dir;
use crate::transfer::store::failure::Failure;
use crate::transfer::store::{Place, Session};

/// For so long a directory is used without being looked for again. One that was renamed meanwhile is found to be so
/// after this time; until then files still go into it, wherever it is now. One that was missing, and that somebody
/// else makes meanwhile, is taken for missing as long: what is in it is found when a new file gets its name.
pub(super) const KEPT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Recent {
    parents: Box<[u8]>,
    /// `None`: it was missing.
    dir: Option<Arc<Dir>>,
    since: Instant,
}

/// The bytes of a path without its last component.
fn parents_of(path: &PeerPath) -> &[u8] {
    let path = path.as_bytes();
    &path[..memchr::memrchr(b'/', path).unwrap_or(0)]
}

impl Session {
    /// The directory of `path`, if it was looked for just now.
    fn recent(&self, path: &PeerPath) -> Option<Option<Arc<Dir>>> {
        let books = self.books();
        let recent = books.recent.as_ref()?;
        let is_it = *recent.parents == *parents_of(path) && recent.since.elapsed() < KEPT;
        is_it.then(|| recent.dir.clone())
    }

    fn remember(&self, path: &PeerPath, dir: Option<Arc<Dir>>) {
        self.books().recent = Some(Recent {
            parents: parents_of(path).into(),
            dir,
            since: Instant::now(),
        });
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
            return Ok(dir);
        }
        let found = self.store.root.descend_if_there(&place.parents);
        let found = found.map_err(|stray| stray.into_failure("store", path, &place.parents))?;
        let dir = found.map(Arc::new);
        self.remember(path, dir.clone());
        Ok(dir)
    }

    /// The directory at `place`, made if it is missing.
    pub(super) fn ensure(&self, place: &Place<'_>, path: &PeerPath) -> Result<Arc<Dir>, Failure> {
        if let Some(Some(dir)) = self.recent(path) {
            return Ok(dir);
        }
        let dir = Arc::new(self.make(place, path)?);
        self.remember(path, Some(Arc::clone(&dir)));
        Ok(dir)
    }
}
