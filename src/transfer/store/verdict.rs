//! What is here already of an entry, and whether it may come.

use crate::transfer::entry::{Entry, EntryKind, ModifiedAt};
use crate::transfer::store::beneath::{Dir, Seen, What};
use crate::transfer::store::failure::{Failure, Reason};
use crate::transfer::store::journal::WORTH_A_JOURNAL;
use crate::transfer::store::naming::part_name;
use crate::transfer::store::part::WORTH_RESERVING;
use crate::transfer::store::recent::Folder;
use crate::transfer::store::{Existing, Links, Place, Policy, Session};

/// What is done when a candidate turns out to differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// The new content takes its place.
    Replace,
    /// The new content gets another name.
    Rename,
    /// The existing file stays, and the entry is refused for this reason.
    Refuse(Reason),
}

/// The answer to an entry.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing is here. For a directory or a link: call [`Session::directory`] or [`Session::link`].
    Want,
    /// A partial file is here, and perhaps an existing one too.
    HavePart {
        /// The bytes that can be compared, of the longer of both.
        len: u64,
        /// What happens to an existing file.
        differs: Differs,
    },
    /// A file of that name is here, whose content may be the same or serve in part.
    HaveCandidate {
        /// Its length.
        len: u64,
        /// What happens if it is not the same.
        differs: Differs,
    },
    /// Left out by the policy.
    Skip(Reason),
    /// Cannot or must not be stored.
    Refuse(Failure),
}

impl Session {
    /// Judges an entry; touches nothing. An admitted one counts against `max_files`.
    pub fn consider(&self, entry: &Entry) -> Verdict {
        let verdict = self.judge(entry).unwrap_or_else(Verdict::Refuse);
        if matches!(verdict, Verdict::Refuse(_) | Verdict::Skip(_)) {
            return verdict;
        }
        let mut books = self.books();
        match self.store.policy.max_files {
            Some(max) if books.entries >= max => {
                let reason = Reason::TooMany(max);
                Verdict::Refuse(Failure::refused("store", &entry.path, reason))
            }
            _ => {
                books.entries += 1;
                verdict
            }
        }
    }

    fn judge(&self, entry: &Entry) -> Result<Verdict, Failure> {
        let policy = &self.store.policy;
        let refuse = |reason| Failure::refused("store", &entry.path, reason);
        let place = Place::of(&entry.path)?;
        if matches!(entry.kind, EntryKind::Symlink { .. }) && policy.links != Links::Keep {
            return Ok(Verdict::Skip(Reason::LinksSkipped));
        }
        if policy.fold_case && self.books().names.collides(&entry.path) {
            return Err(refuse(Reason::OnlyCaseDiffers));
        }
        match &entry.kind {
            EntryKind::File { .. } => {
                if let Some(size) = entry.size() {
                    too_large(policy, size).map_err(refuse)?;
                }
                let Some(Folder { dir, is_new }) = self.find(&place, &entry.path)? else {
                    no_room(policy, &self.store.root, entry, 0)?;
                    return Ok(Verdict::Want);
                };
                // A larger one may have a part from another connection, which is worth looking for.
                if is_new && entry.size().is_some_and(|size| size < WORTH_A_JOURNAL) {
                    return Ok(Verdict::Want);
                }
                let verdict = judge_file(policy, &dir, place.name, entry)?;
                match verdict {
                    Verdict::Want => no_room(policy, &dir, entry, 0)?,
                    Verdict::HavePart { len, .. } => no_room(policy, &dir, entry, len)?,
                    // It may be the same, and is asked for again if not.
                    _ => {}
                }
                Ok(verdict)
            }
            EntryKind::Directory => {
                if let Some(Folder { dir, .. }) = self.find(&place, &entry.path)?
                    && let Some(seen) = look(&dir, place.name, entry)?
                    && seen.what != What::Directory
                {
                    return Err(refuse(in_the_way(seen.what)));
                }
                Ok(Verdict::Want)
            }
            EntryKind::Symlink { target } => {
                self.judge_link(&place, entry, target)?;
                Ok(Verdict::Want)
            }
        }
    }
}

/// Fails if what is missing of an entry cannot fit. Small ones are not worth the call.
fn no_room(policy: &Policy, dir: &Dir, entry: &Entry, have: u64) -> Result<(), Failure> {
    let missing = entry.size().unwrap_or(0).saturating_sub(have);
    if !policy.check_space || missing < WORTH_RESERVING {
        return Ok(());
    }
    match dir.space() {
        Some(space) if missing > space.available => {
            let reason = Reason::NoRoom(missing, space.available);
            Err(Failure::refused("store", &entry.path, reason))
        }
        _ => Ok(()),
    }
}

fn look(dir: &Dir, name: &[u8], entry: &Entry) -> Result<Option<Seen>, Failure> {
    dir.look(name)
        .map_err(|error| Failure::new("look at", &entry.path, error))
}

fn judge_file(policy: &Policy, dir: &Dir, name: &[u8], entry: &Entry) -> Result<Verdict, Failure> {
    let part = look(dir, &part_name(name), entry)?
        .filter(|seen| seen.what == What::File)
        .map(|seen| seen.len);
    // One that is empty has nothing to compare, but is to be gone on with all the same, or it would stay.
    let part_or_nothing = |differs| match part {
        Some(len) => Verdict::HavePart { len, differs },
        None => Verdict::Want,
    };
    let Some(seen) = look(dir, name, entry)? else {
        return Ok(part_or_nothing(Differs::Replace));
    };
    if seen.what != What::File {
        return match policy.existing {
            Existing::Rename => Ok(part_or_nothing(Differs::Rename)),
            _ => Err(Failure::refused(
                "store",
                &entry.path,
                in_the_way(seen.what),
            )),
        };
    }
    let differs = match replaceable(policy, &seen, entry.modified) {
        Ok(()) if policy.existing == Existing::Rename => Differs::Rename,
        Ok(()) => Differs::Replace,
        Err(Reason::Newer) => return Ok(Verdict::Skip(Reason::Newer)),
        // Of another length it cannot be the same.
        Err(reason) if entry.size().is_some_and(|size| size != seen.len) => {
            return Err(Failure::refused("store", &entry.path, reason));
        }
        Err(reason) => Differs::Refuse(reason),
    };
    if let Some(part) = part
        && !matches!(differs, Differs::Refuse(_))
    {
        let len = part.max(seen.len);
        return Ok(Verdict::HavePart { len, differs });
    }
    Ok(Verdict::HaveCandidate {
        len: seen.len,
        differs,
    })
}

/// Whether the policy lets the existing file `seen` be replaced (or stand aside, for `Rename`) by one of the time
/// `modified`.
pub(super) fn replaceable(
    policy: &Policy,
    seen: &Seen,
    modified: ModifiedAt,
) -> Result<(), Reason> {
    match policy.existing {
        Existing::Overwrite | Existing::Rename => Ok(()),
        Existing::Refuse => Err(Reason::Exists),
        Existing::Update => match seen.modified.cmp(&modified) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => Err(Reason::NotOlder),
            std::cmp::Ordering::Greater => Err(Reason::Newer),
        },
    }
}

/// Why something of this kind is not replaced.
pub(super) fn in_the_way(what: What) -> Reason {
    match what {
        What::File => Reason::Exists,
        What::Directory => Reason::IsDirectory,
        What::Link => Reason::IsLink,
        What::Special => Reason::IsSpecial,
    }
}

/// Whether `size` is over the limit for one file.
pub(super) fn too_large(policy: &Policy, size: u64) -> Result<(), Reason> {
    match policy.max_size {
        Some(max) if size > max => Err(Reason::TooLarge(max)),
        _ => Ok(()),
    }
}
