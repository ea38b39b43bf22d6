//! Where a run puts what comes: a directory, one file, or a stream such as stdout.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::transfer::entry::Entry;
use crate::transfer::path::PeerPath;
use crate::transfer::store;

/// Zeros for the holes of a stream.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The target of a session. Cheap to clone; clones are the same target.
#[derive(Debug, Clone)]
pub enum Target {
    /// Everything beneath a directory.
    Folder(Arc<store::Session>),
    /// One file, under a name that the user gave.
    File {
        session: Arc<store::Session>,
        path: PeerPath,
        only: Arc<Only>,
    },
    /// One file, written as it comes.
    Stream {
        outlet: Arc<Outlet>,
        only: Arc<Only>,
    },
}

impl Target {
    /// The store's side of it.
    pub fn session(&self) -> Option<&Arc<store::Session>> {
        match self {
            Target::Folder(session) | Target::File { session, .. } => Some(session),
            Target::Stream { .. } => None,
        }
    }

    /// The entry as it goes here. `None`: there is no place for another one.
    pub fn place(&self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        match self {
            Target::Folder(_) => Some(Arc::clone(entry)),
            Target::File { path, only, .. } => only.is(entry).then(|| {
                Arc::new(Entry {
                    path: path.clone(),
                    ..Entry::clone(entry)
                })
            }),
            Target::Stream { only, .. } => only.is(entry).then(|| Arc::clone(entry)),
        }
    }
}

/// The only file that there is a place for: the first one that is offered, also if it is offered again after a cut.
#[derive(Debug, Default)]
pub struct Only(Mutex<Option<PeerPath>>);

impl Only {
    fn is(&self, entry: &Entry) -> bool {
        if !entry.is_file() {
            return false;
        }
        let mut only = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *only.get_or_insert_with(|| entry.path.clone()) == entry.path
    }
}

/// What a stream is written to.
#[derive(Debug)]
pub struct Outlet {
    file: File,
    written: AtomicU64,
}

impl Outlet {
    /// Nothing is written yet.
    pub fn new(file: File) -> Self {
        Self {
            file,
            written: AtomicU64::new(0),
        }
    }

    /// How many bytes were written, which nobody can take back.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // Before: what is written in part cannot be taken back either.
        self.written
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        (&self.file).write_all(bytes)
    }

    /// Stops when `is_over`: a peer may have said that there are 2^62 of them.
    pub fn zeros(&self, mut len: u64, is_over: impl Fn() -> bool) -> io::Result<()> {
        while len > 0 && !is_over() {
            let step = len.min(ZEROS.len() as u64);
            self.write(&ZEROS[..step as usize])?;
            len -= step;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::entry::{EntryKind, ModifiedAt};

    #[test]
    fn the_first_file_is_the_only_one_also_when_it_comes_again() {
        let entry = |path: &str, kind| {
            Arc::new(Entry {
                path: PeerPath::from_slashed(path.as_bytes()).unwrap(),
                kind,
                modified: ModifiedAt::default(),
                mode: 0o644,
            })
        };
        let file = |path| entry(path, EntryKind::File { size: None });
        let dir = tempfile::tempdir().unwrap();
        let store = store::Store::open(dir.path(), store::Policy::default()).unwrap();
        let target = Target::File {
            session: Arc::new(store.session()),
            path: PeerPath::from_slashed(b"mine").unwrap(),
            only: Arc::default(),
        };
        assert!(target.place(&entry("d", EntryKind::Directory)).is_none());
        let place = |path| target.place(&file(path)).map(|it| it.path.to_string());
        assert_eq!(place("d/a").as_deref(), Some("mine"));
        assert_eq!(place("b"), None);
        assert_eq!(place("d/a").as_deref(), Some("mine"));
    }

    #[test]
    fn an_outlet_counts_what_nobody_can_take_back() {
        let file = tempfile::tempfile().unwrap();
        let outlet = Outlet::new(file.try_clone().unwrap());
        outlet.write(b"abc").unwrap();
        outlet.zeros(100_000, || false).unwrap();
        outlet.zeros(u64::MAX, || true).unwrap();
        assert_eq!(outlet.written(), 100_003);
        assert_eq!(file.metadata().unwrap().len(), 100_003);
    }
}
