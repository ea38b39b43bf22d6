//! The directory that was used last, and which ones are new. The files of one come in a row, and finding it anew for
//! each of them takes a third of the system calls of a small file; looking for what cannot be there, another third.

use std::collections::HashSet;
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

/// How many directories are known to be new: 16 bytes each. Beyond that they are looked into as others are.
const MAX_NEW: usize = 4_096;

/// A directory that was found.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub dir: Arc<Dir>,
    /// It was made for this connection, and nobody else can enter it until it is finished: what is in it was stored
    /// through this connection, or put there by its owner meanwhile, which is found when a new file gets its name.
    pub is_new: bool,
}

#[derive(Debug)]
struct Last {
    parents: Box<[u8]>,
    /// `None`: it was missing.
    folder: Option<Folder>,
    since: Instant,
}

/// What is known of directories without looking.
#[derive(Debug, Default)]
pub(super) struct Recent {
    last: Option<Last>,
    /// Device and number of those that were made.
    made: HashSet<(u64, u64)>,
}

impl Recent {
    /// One was made just now. A system that tells no numbers says zeros.
    pub fn made(&mut self, id: (u64, u64)) {
        if self.made.len() < MAX_NEW && id != (0, 0) {
            self.made.insert(id);
        }
    }

    /// The last one is gone: the next is looked for.
    pub fn forget_last(&mut self) {
        self.last = None;
    }
}

/// The bytes of a path without its last component.
fn parents_of(path: &PeerPath) -> &[u8] {
    let path = path.as_bytes();
    &path[..memchr::memrchr(b'/', path).unwrap_or(0)]
}

impl Session {
    /// The directory of `path`, if it was looked for just now.
    fn recent(&self, path: &PeerPath) -> Option<Option<Folder>> {
        let books = self.books();
        let last = books.recent.last.as_ref()?;
        let is_it = *last.parents == *parents_of(path) && last.since.elapsed() < KEPT;
        is_it.then(|| last.folder.clone())
    }

    fn remember(&self, path: &PeerPath, folder: Option<Folder>) {
        self.books().recent.last = Some(Last {
            parents: parents_of(path).into(),
            folder,
            since: Instant::now(),
        });
    }

    fn folder(&self, dir: Dir) -> Folder {
        // One that cannot be asked is looked into.
        let seen = dir.identify_self();
        Folder {
            dir: Arc::new(dir),
            is_new: seen.is_ok_and(|seen| self.books().recent.made.contains(&seen.id)),
        }
    }

    /// Another connection begins: what came through the one before is to be found again, and is not counted twice.
    pub fn begin_again(&self) {
        let mut books = self.books();
        books.recent = Recent::default();
        books.entries = 0;
    }

    /// The directory at `place`, if it is there.
    pub(super) fn find(
        &self,
        place: &Place<'_>,
        path: &PeerPath,
    ) -> Result<Option<Folder>, Failure> {
        if let Some(folder) = self.recent(path) {
            return Ok(folder);
        }
        let found = self.store.root.descend_if_there(&place.parents);
        let found = found.map_err(|stray| stray.into_failure("store", path, &place.parents))?;
        let folder = found.map(|dir| self.folder(dir));
        self.remember(path, folder.clone());
        Ok(folder)
    }

    /// The directory at `place`, made if it is missing.
    pub(super) fn ensure(&self, place: &Place<'_>, path: &PeerPath) -> Result<Arc<Dir>, Failure> {
        if let Some(Some(folder)) = self.recent(path) {
            return Ok(folder.dir);
        }
        let folder = self.folder(self.make(place, path)?);
        let dir = Arc::clone(&folder.dir);
        self.remember(path, Some(folder));
        Ok(dir)
    }
}
