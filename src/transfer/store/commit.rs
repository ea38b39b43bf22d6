//! The last step: what was filled and verified gets its mode, its time and its final name, and is on the disk
//! before that is said.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::transfer::entry::{Entry, ModifiedAt};
use crate::transfer::path::PeerPath;
use crate::transfer::source::positional::read_full_at;
use crate::transfer::store::beneath::{Dir, What};
use crate::transfer::store::candidate;
use crate::transfer::store::failure::{Class, Failure, Reason};
use crate::transfer::store::naming::{MAX_RENAMES, alternative};
use crate::transfer::store::part::{Part, STEP};
use crate::transfer::store::verdict::{in_the_way, replaceable};
use crate::transfer::store::{Existing, Policy};

/// How often the final name is judged again because somebody made or removed it between two calls.
const TRIES: usize = 16;

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it is. The last component differs from what was offered if it was renamed.
    pub path: PeerPath,
    /// The policy `Rename` gave it another name.
    pub renamed: bool,
    /// It took the place of an older one.
    pub replaced: bool,
    /// Nothing had to be done: it was here, the same.
    pub unchanged: bool,
}

impl Part {
    /// Gives the verified content its final name. `entry` is what the sender says at the end; if its size is known,
    /// the file is cut to it (an older partial file may have been longer), and one that is shorter is refused. The
    /// policy for existing names is applied to what is there at this moment.
    ///
    /// On a failure the partial file stays.
    pub fn commit(mut self, entry: &Entry) -> Result<Stored, Failure> {
        let store = Arc::clone(&self.store);
        let policy = &store.policy;
        let len = match self.named {
            Some(_) => {
                Dir::identify(&self.file)
                    .map_err(|error| self.failed("read", error))?
                    .len
            }
            // Nobody else can write it.
            None => self.len,
        };
        let size = entry.size().unwrap_or(len);
        if len < size {
            let reason = Reason::WrongLength(len, size);
            return Err(Failure::refused("store", &self.path, reason));
        }
        if self.reserved > size || len > size {
            // This also gives back what was reserved beyond the end.
            self.file
                .set_len(size)
                .map_err(|error| self.failed("write", error))?;
        }
        let dressed = match self.mode == Some(entry.mode) {
            true => Dir::date_file(&self.file, entry.modified),
            false => Dir::dress_file(&self.file, entry.mode, entry.modified),
        };
        dressed.map_err(|error| self.failed("set mode and time of", error))?;
        if policy.fsync {
            flush(&self.file).map_err(|error| self.failed("flush", error))?;
        }
        let stored = self.take_final_name(policy, entry.modified)?;
        // The quota keeps it.
        self.is_stored = true;
        if policy.fsync {
            self.dir
                .sync()
                .map_err(|error| self.failed("flush the directory of", error))?;
        }
        Ok(stored)
    }

    fn take_final_name(
        &mut self,
        policy: &Policy,
        modified: ModifiedAt,
    ) -> Result<Stored, Failure> {
        if self.take_name()? {
            return Ok(stored(&self.path, false));
        }
        let Some(named) = &self.named else {
            return Err(Failure::refused("store", &self.path, Reason::PartReplaced));
        };
        self.check(named)?;
        // It has served. Windows before 10 replaces no file that is open.
        self.candidate = None;
        let (dir, path) = (&self.dir, &self.path);
        let what = What::File;
        let stored = match publish(dir, &named.part, &self.name, path, what, policy, modified) {
            Err(failure) if failure.class() == Class::Exists && self.is_there() => {
                dir.unlink(&named.part)
                    .map_err(|error| self.failed("remove the partial file of", error))?;
                Stored {
                    unchanged: true,
                    ..stored(path, false)
                }
            }
            done => done?,
        };
        self.forget_journal(named);
        Ok(stored)
    }

    /// Whether the file that has the name by now has the same content. It is an earlier session's of the same sender,
    /// as a rule, which had been cut and was still storing what it had when this one was asked what is there.
    fn is_there(&self) -> bool {
        let Ok(Some((there, seen))) = candidate::open(&self.dir, &self.name, &self.path) else {
            return false;
        };
        let Ok(ours) = Dir::identify(&self.file) else {
            return false;
        };
        seen.len == ours.len && have_same_content(&there, &self.file, ours.len).unwrap_or(false)
    }
}

fn have_same_content(one: &File, other: &File, len: u64) -> io::Result<bool> {
    let (mut ours, mut theirs) = (vec![0; STEP], vec![0; STEP]);
    let mut at = 0;
    while at < len {
        let count = read_full_at(one, &mut ours, at)?;
        if read_full_at(other, &mut theirs, at)? != count || ours[..count] != theirs[..count] {
            return Ok(false);
        }
        if count == 0 {
            break;
        }
        at += count as u64;
    }
    Ok(at == len)
}

/// After a failed fsync the kernel may count the lost pages as clean, and a later read would find in memory what is
/// not on the disk. They are dropped, so that the next run compares what the disk really has.
fn flush(file: &File) -> io::Result<()> {
    let done = file.sync_all();
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if done.is_err() {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
    done
}

/// Renames `from` to `name` as the policy has it. `what` is a file or a link.
pub(super) fn publish(
    dir: &Dir,
    from: &[u8],
    name: &[u8],
    path: &PeerPath,
    what: What,
    policy: &Policy,
    modified: ModifiedAt,
) -> Result<Stored, Failure> {
    let fail = |error| Failure::new("store", path, error);
    for _ in 0..TRIES {
        match dir.rename_new(from, name) {
            Ok(()) => return Ok(stored(path, false)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fail(error)),
        }
        if policy.existing == Existing::Rename {
            return rename_aside(dir, from, name, path);
        }
        // Gone again: once more.
        let Some(seen) = dir.look(name).map_err(fail)? else {
            continue;
        };
        let reason = match seen.what {
            What::File => replaceable(policy, &seen, modified).err(),
            What::Link if what == What::Link => replaceable(policy, &seen, modified).err(),
            other => Some(in_the_way(other)),
        };
        if let Some(reason) = reason {
            return Err(Failure::refused("store", path, reason));
        }
        // A directory that comes between is not replaced: rename(2) of a file fails then.
        dir.rename_over(from, name).map_err(fail)?;
        return Ok(stored(path, true));
    }
    Err(Failure::refused("store", path, Reason::Busy))
}

fn rename_aside(dir: &Dir, from: &[u8], name: &[u8], path: &PeerPath) -> Result<Stored, Failure> {
    for number in 1..=MAX_RENAMES {
        let other = alternative(name, number);
        match dir.rename_new(from, &other) {
            Ok(()) => return renamed(path, other),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::new("store", path, error)),
        }
    }
    Err(Failure::refused("store", path, Reason::NoFreeName))
}

/// The result for another last component.
pub(super) fn renamed(path: &PeerPath, name: Vec<u8>) -> Result<Stored, Failure> {
    let mut components: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
    components.pop();
    components.push(name);
    // `name (1)` of a path that passed the gate passes it too.
    let path = PeerPath::from_components(components)
        .map_err(|_| Failure::refused("store", path, Reason::NoFreeName))?;
    Ok(Stored {
        path,
        renamed: true,
        replaced: false,
        unchanged: false,
    })
}

pub(super) fn stored(path: &PeerPath, replaced: bool) -> Stored {
    Stored {
        path: path.clone(),
        renamed: false,
        replaced,
        unchanged: false,
    }
}
