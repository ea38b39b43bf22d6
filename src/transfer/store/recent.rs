//! The directories that were used last, and which ones are new. The files of one come in a row, while another worker is
//! still at the one before; finding it anew for each of them takes a third of the system calls of a small file; looking
//! for what cannot be there, another third.

use std::collections::{HashSet, VecDeque};
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

/// How many directories are kept open: as many as workers can be at, and as many whose files are being asked for.
pub(super) const MAX_KEPT: usize = 16;

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
struct Used {
    parents: Box<[u8]>,
    /// `None`: it was missing.
    folder: Option<Folder>,
    since: Instant,
}

/// What is known of directories without looking.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The newest at the end.
    used: VecDeque<Used>,
    /// Device and number of those that were made.
    made: HashSet<(u64, u64)>,
}

impl Recent {
    /// One was made just now, and what was missing may be there with it. A system that tells no numbers says zeros.
    /// Whether it is remembered.
    pub fn made(&mut self, id: (u64, u64)) -> bool {
        self.used.retain(|used| used.folder.is_some());
        let is_known = self.made.len() < MAX_NEW && id != (0, 0);
        is_known && self.made.insert(id)
    }

    /// The directory of `path` is gone: it is looked for again.
    pub fn forget(&mut self, path: &PeerPath) {
        let parents = parents_of(path);
        self.used.retain(|used| *used.parents != *parents);
    }

    /// All that are open, the one that was found last at the end.
    #[cfg(test)]
    pub fn dirs(&self) -> Vec<Arc<Dir>> {
        let folders = self.used.iter().filter_map(|used| used.folder.as_ref());
        folders.map(|folder| Arc::clone(&folder.dir)).collect()
    }

    /// The directory of `path`, if it was looked for just now.
    fn of(&self, path: &PeerPath) -> Option<&Used> {
        let parents = parents_of(path);
        let mut used = self.used.iter().rev();
        used.find(|used| *used.parents == *parents && used.since.elapsed() < KEPT)
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
        books.recent.of(path).map(|used| used.folder.clone())
    }

    fn remember(&self, path: &PeerPath, folder: Option<Folder>) {
        let recent = &mut self.books().recent;
        recent.forget(path);
        if recent.used.len() >= MAX_KEPT {
            recent.used.pop_front();
        }
        recent.used.push_back(Used {
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
