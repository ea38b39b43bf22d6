//! Limits: bytes over all sessions, and names that a file system without case takes for one.

use std::collections::HashMap;
use std::collections::hash_map::{Entry as Slot, RandomState};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::transfer::path::PeerPath;
use crate::transfer::store::failure::Reason;

/// The bytes that were taken in, against the quota.
#[derive(Debug)]
pub(super) struct Ledger {
    quota: Option<u64>,
    used: AtomicU64,
    /// What partial files hold that were left behind, where there is a quota.
    left: Mutex<HashMap<PeerPath, u64>>,
}

/// How many partial files are remembered that were left behind. What is beyond counts for the rest of the run.
const MAX_LEFT: usize = 1 << 16;

impl Ledger {
    pub(super) fn new(quota: Option<u64>) -> Self {
        Self {
            quota,
            used: AtomicU64::new(0),
            left: Mutex::default(),
        }
    }

    fn left(&self) -> MutexGuard<'_, HashMap<PeerPath, u64>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partial file was left behind; so many bytes stay charged for it.
    pub(super) fn leave(&self, path: &PeerPath, bytes: u64) {
        if self.quota.is_some() && bytes > 0 {
            let mut left = self.left();
            if left.len() < MAX_LEFT {
                left.insert(path.clone(), bytes);
            }
        }
    }

    /// What counts, whatever is taken up again.
    pub(super) fn settled(&self) -> u64 {
        let left: u64 = self.left().values().sum();
        self.used().saturating_sub(left)
    }

    /// It is taken up again. How many bytes are charged for it.
    pub(super) fn take_up(&self, path: &PeerPath) -> u64 {
        match self.quota {
            Some(_) => self.left().remove(path).unwrap_or(0),
            None => 0,
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` out of the quota.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), Reason> {
        let Some(quota) = self.quota else {
            // Counted all the same, and whatever a peer says, given back the same way.
            self.used.fetch_add(bytes, Ordering::Relaxed);
            return Ok(());
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= quota)
            })
            .map(drop)
            .map_err(|_| Reason::OverQuota(quota))
    }

    /// Gives them back: the file was not stored.
    pub(super) fn refund(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// How many names are remembered: 6 MiB. Beyond that no collision is noted, and the policy for existing names is
/// what is left.
const MAX_NAMES: usize = 1 << 18;

/// Names by what they are without case. Holds keyed hashes, so that a peer can neither fill the memory with long
/// names nor make two of them collide on purpose.
#[derive(Debug, Default)]
pub(super) struct CaseMap {
    state: RandomState,
    seen: HashMap<u64, u64>,
}

impl CaseMap {
    /// Whether `path` differs from an earlier one only in case. Remembers it.
    pub(super) fn collides(&mut self, path: &PeerPath) -> bool {
        let exact: Vec<&[u8]> = path.components().collect();
        let folded: Vec<String> = exact
            .iter()
            .map(|name| String::from_utf8_lossy(name).to_lowercase())
            .collect();
        let exact = self.state.hash_one(&exact);
        let full = self.seen.len() >= MAX_NAMES;
        match self.seen.entry(self.state.hash_one(&folded)) {
            Slot::Occupied(slot) => *slot.get() != exact,
            Slot::Vacant(slot) => {
                if !full {
                    slot.insert(exact);
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_never_exceeded_and_given_back() {
        let ledger = Ledger::new(Some(10));
        ledger.charge(6).unwrap();
        assert_eq!(ledger.charge(5), Err(Reason::OverQuota(10)));
        ledger.charge(4).unwrap();
        ledger.refund(6);
        ledger.charge(u64::MAX).unwrap_err();
        ledger.charge(6).unwrap();
        assert_eq!(ledger.used(), 10);
    }

    #[test]
    fn names_that_differ_only_in_case_are_noted() {
        let path = |text: &str| {
            PeerPath::from_components(text.split('/').map(|c| c.as_bytes().to_vec())).unwrap()
        };
        let mut names = CaseMap::default();
        assert!(!names.collides(&path("a/b")));
        assert!(
            !names.collides(&path("a/b")),
            "the same name is no collision"
        );
        assert!(names.collides(&path("A/b")));
        assert!(!names.collides(&path("a/c")));
        assert!(!names.collides(&path("ärger")));
        assert!(names.collides(&path("ÄRGER")));
    }
}
