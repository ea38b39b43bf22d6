//! The receiver's disk: everything beneath one directory, whatever a peer says and whoever else works there.
//!
//! ```text
//! Store                     one target directory, its policy and quota; shared by all sessions
//!   Session                 one peer: its limit of entries, its directories
//!     begin_again()           another connection to the same peer
//!     consider(entry)         what is here already, and whether the entry may come: a Verdict
//!     directory(entry)        finishes it, which was private until now: it comes after what is in it
//!     link(entry)             stores a symbolic link that stays inside
//!     candidate(entry)        the existing file, to compare with
//!     begin(entry) -> Part    the partial file, locked
//!     begin_new(entry) -> Part  the same where nothing is there: a small one has no name yet
//!       read_have, keep         what is here, compared chunk by chunk and kept
//!       write_at, hole          what is new
//!       commit(entry)           mode, time, fsync, rename, fsync of the directory
//!     finish()                modes and times of the directories, where something has changed them since
//! ```
//!
//! A `Part` that is dropped leaves `.NAME.sockkit-part` to be resumed. Nothing appears under its final name before
//! it is whole, and an existing file is not touched before that.
//!
//! Handles: a part holds at most four (directory, part, candidate and, for an instant, the journal), a candidate
//! two, everything else at most two while a call lasts. So the number of parts under way is what bounds them.

pub mod beneath;
pub mod candidate;
mod commit;
pub mod failure;
mod folders;
mod journal;
mod ledger;
mod links;
pub mod naming;
pub mod outfile;
pub mod part;
mod recent;
mod unnamed;
mod verdict;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use candidate::Candidate;
pub use commit::Stored;
pub use failure::{Cause, Class, Failure, Reason};
pub use journal::Hint;
pub use part::Part;
pub use verdict::{Differs, Verdict};

use crate::transfer::path::PeerPath;
use beneath::Dir;
use folders::{Folders, UnderWay};
use ledger::{CaseMap, Ledger};
use recent::Recent;

/// What is done with a name that exists and whose content differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keep it and say so.
    Refuse,
    /// Replace it.
    Overwrite,
    /// Store the new one as `name (1).ext`.
    Rename,
    /// Replace it if it is older than what is offered.
    Update,
}

/// What is done with symbolic links that are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Store them as links if they stay inside of the target directory.
    Keep,
    /// Leave them out.
    Skip,
    /// The sender sends what they point at; one that comes all the same is left out.
    Follow,
}

/// The receiver's will. The sender has no say in it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Existing names.
    pub existing: Existing,
    /// Symbolic links.
    pub links: Links,
    /// The most bytes of one file.
    pub max_size: Option<u64>,
    /// The most entries of one session.
    pub max_files: Option<u64>,
    /// The most bytes that one [`Store`] takes in, over all its sessions. Bytes in holes do not count.
    pub quota: Option<u64>,
    /// Flush files and directories to the disk before they count as stored.
    pub fsync: bool,
    /// Refuse a file that does not fit into the free space.
    pub check_space: bool,
    /// Refuse names that differ only in case from an earlier one of the same session.
    pub fold_case: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            existing: Existing::Refuse,
            links: Links::Keep,
            max_size: None,
            max_files: None,
            quota: None,
            fsync: true,
            check_space: true,
            fold_case: cfg!(any(windows, target_vendor = "apple")),
        }
    }
}

#[derive(Debug)]
struct Inner {
    root: Dir,
    policy: Policy,
    ledger: Ledger,
    under_way: UnderWay,
}

/// A target directory. Cheap to clone; clones share the quota.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

impl Store {
    /// Opens an existing directory.
    pub fn open(dir: &Path, policy: Policy) -> Result<Self, Failure> {
        let shown = crate::core::sanitise::sanitise_str(&dir.to_string_lossy()).into_owned();
        let root =
            Dir::open(dir).map_err(|error| Failure::new("open the directory", &shown, error))?;
        Ok(Self(Arc::new(Inner {
            root,
            ledger: Ledger::new(policy.quota),
            policy,
            under_way: UnderWay::default(),
        })))
    }

    /// Begins with one peer.
    pub fn session(&self) -> Session {
        Session {
            number: self.0.under_way.next_session(),
            store: Arc::clone(&self.0),
            books: Mutex::new(Books::default()),
        }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The bytes that count against the quota, without those of partial files that may be taken up again.
    pub fn settled(&self) -> u64 {
        self.0.ledger.settled()
    }

    /// The bytes that count against the quota so far.
    #[cfg(test)]
    fn used(&self) -> u64 {
        self.0.ledger.used()
    }
}

/// What is remembered of one peer.
#[derive(Debug, Default)]
struct Books {
    entries: u64,
    folders: Folders,
    names: CaseMap,
    recent: Recent,
}

/// What one peer stores. May be used from several threads.
#[derive(Debug)]
pub struct Session {
    number: u64,
    store: Arc<Inner>,
    books: Mutex<Books>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is left to be told what fails.
        self.finish_for_others();
    }
}

impl Session {
    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        // Nothing in the books is left half done by a panic.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path taken apart: the directories on the way, and the name in the last of them.
struct Place<'a> {
    parents: Vec<&'a [u8]>,
    name: &'a [u8],
}

impl<'a> Place<'a> {
    fn of(path: &'a PeerPath) -> Result<Self, Failure> {
        let mut parents: Vec<&[u8]> = path.components().collect();
        if parents.iter().any(|name| naming::is_reserved(name)) {
            return Err(Failure::refused("store", path, Reason::ReservedName));
        }
        if cfg!(windows) {
            path.check_for_windows()
                .map_err(|why| Failure::refused("store", path, Reason::NotOnWindows(why)))?;
        }
        match parents.pop() {
            Some(name) => Ok(Self { parents, name }),
            // A PeerPath has a component; should that ever change, nothing is stored.
            None => Err(Failure::refused("store", path, Reason::ReservedName)),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
