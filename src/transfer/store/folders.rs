//! Directories: made private while they are filled, and given their mode and time when they are offered, which is
//! after what is in them. So one that is said to be stored is finished: no sender offers it a second time, and a
//! receiver that is killed has nothing more to do about it.
//!
//! Where several sessions fill one, whoever made it finishes it, at its end at the latest: before, it could lock the
//! others out.
//!
//! At the end of a session they are looked at once more, the last one first. Something may have been made or removed in
//! one since, by a sender that offers one twice or too early, which has changed its time; and those that were never
//! offered get the mode of a new directory. What is to be looked at is kept in memory up to [`IN_MEMORY`] and beyond
//! that in an unnamed temporary file, so that a million directories cost no more memory than ten.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::transfer::entry::{Entry, ModifiedAt};
use crate::transfer::path::PeerPath;
use crate::transfer::source::positional::{read_full_at, write_all_at};
use crate::transfer::store::beneath::{Dir, Seen, Stray, What};
use crate::transfer::store::commit::{Stored, stored};
use crate::transfer::store::failure::{Failure, Reason};
use crate::transfer::store::verdict::in_the_way;
use crate::transfer::store::{Existing, Place, Session};

/// The mode of a directory under way: private, and with a sticky bit that nobody else would give a private
/// directory. A later run knows by it that the directory was made by one that was interrupted, so that it may have
/// its mode and time at last; those of other existing directories are left alone.
const UNDER_WAY: u32 = 0o1700;

/// Stands for the mode of a directory that was made only because something is in it: it gets what the umask leaves,
/// unless it was offered for itself after all, in whatever order.
const IMPLIED: u32 = u32::MAX;

/// What is done at the end, as it reads behind "cannot".
const FINISH: &str = "set mode and time of";

/// What a directory takes out of the quota, which is a block of most file systems.
const DIRECTORY: u64 = 4096;

/// Bytes of records kept in memory.
const IN_MEMORY: usize = 256 << 10;

/// How many failures of [`Session::finish`] are told one by one.
const MAX_TOLD: usize = 100;

impl Session {
    /// Makes a directory, or takes the one that is there, and finishes it: what is in it has come before.
    pub fn directory(&self, entry: &Entry) -> Result<Stored, Failure> {
        let path = &entry.path;
        let place = Place::of(path)?;
        let policy = &self.store.policy;
        let fail = |error| Failure::new("create the directory", path, error);
        let above = self.ensure(&place, path)?;
        let is_new = self.make_one(&above, place.name, path, fail)?;
        if !is_new
            && let Some(seen) = above.look(place.name).map_err(fail)?
            && seen.what != What::Directory
        {
            let reason = in_the_way(seen.what);
            return Err(Failure::refused("create the directory", path, reason));
        }
        let dir = above.child(place.name).map_err(fail)?;
        let seen = dir.identify_self().map_err(fail)?;
        let record = Record::of(entry);
        let under_way = &self.store.under_way;
        let is_ours = is_new
            || (seen.mode == UNDER_WAY && !under_way.is_left_to(seen.id, self.number, &record));
        if is_new {
            self.has_made(&dir, &seen).map_err(fail)?;
            if policy.fsync {
                above.sync().map_err(fail)?;
            }
        }
        if is_ours || policy.existing == Existing::Overwrite {
            self.finish_one(&dir, &record)
                .map_err(|error| Failure::new(FINISH, path, error))?;
            self.books().folders.push(&record).map_err(fail)?;
        }
        Ok(Stored {
            unchanged: !is_new,
            ..stored(path, false)
        })
    }

    /// Makes a directory, within the quota. Whether it was not there.
    fn make_one(
        &self,
        above: &Dir,
        name: &[u8],
        path: &PeerPath,
        fail: impl Fn(io::Error) -> Failure,
    ) -> Result<bool, Failure> {
        let ledger = &self.store.ledger;
        if let Err(reason) = ledger.charge(DIRECTORY) {
            return match above.look(name).map_err(fail)? {
                Some(_) => Ok(false),
                None => Err(Failure::refused("create the directory of", path, reason)),
            };
        }
        let made = match above.make_dir(name, UNDER_WAY) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(fail(error)),
        };
        ledger.refund(DIRECTORY);
        made
    }

    /// The directory was made just now, by this session.
    fn has_made(&self, dir: &Dir, seen: &Seen) -> io::Result<()> {
        if self.books().recent.made(seen.id) {
            self.store.under_way.made(seen.id, self.number);
        }
        match seen.mode {
            UNDER_WAY => Ok(()),
            // What the umask left of it, or a system that gives no sticky bit with the name.
            _ => dir.set_mode(UNDER_WAY),
        }
    }

    /// Finishes what this session has made and others have offered.
    pub(super) fn finish_for_others(&self) -> Vec<Failure> {
        let records = self.store.under_way.left_by(self.number);
        let done = records.iter().map(|record| self.dress(record));
        done.filter_map(Result::err).take(MAX_TOLD).collect()
    }

    /// Makes the directory at `place` unless it is there.
    pub(super) fn make(&self, place: &Place<'_>, path: &PeerPath) -> Result<Dir, Failure> {
        let parents = &place.parents;
        let fail = |stray: Stray| stray.into_failure("create the directory of", path, parents);
        let root = &self.store.root;
        let missing = match root.descend(parents) {
            Ok(dir) => return Ok(dir),
            Err(Stray::Missing(index)) => index,
            Err(stray) => return Err(fail(stray)),
        };
        let mut here = root.descend(&parents[..missing]).map_err(fail)?;
        for (index, name) in parents.iter().enumerate().skip(missing) {
            // Where another session was faster, whether it is a directory is seen below.
            let is_new = self.make_one(&here, name, path, |error| fail(Stray::System(error)))?;
            let next = here
                .descend(&[name])
                .map_err(|stray| fail(stray.at(index)))?;
            if is_new {
                next.identify_self()
                    .and_then(|seen| self.has_made(&next, &seen))
                    .and_then(|()| match self.store.policy.fsync {
                        true => here.sync(),
                        false => Ok(()),
                    })
                    .and_then(|()| {
                        let implied = Record::implied(&parents[..=index]);
                        self.books().folders.push(&implied)
                    })
                    .map_err(|error| fail(Stray::System(error)))?;
            }
            here = next;
        }
        Ok(here)
    }

    /// The last look at the directories, the last one first: to be called when every entry is stored. Goes on behind
    /// a failure; the first hundred are returned.
    pub fn finish(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        loop {
            let record = self.books().folders.pop();
            let failure = match record {
                Ok(None) => {
                    failures.extend(self.finish_for_others());
                    return failures;
                }
                Ok(Some(record)) => match self.dress(&record) {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
                Err(error) => {
                    failures.push(Failure::new("finish", &"the directories", error));
                    return failures;
                }
            };
            if failures.len() < MAX_TOLD {
                failures.push(failure);
            }
        }
    }

    fn dress(&self, record: &Record) -> Result<(), Failure> {
        // It passed the gate when it came.
        let path = PeerPath::from_components(record.components.iter().cloned())
            .map_err(|_| Failure::refused(FINISH, &"a directory", Reason::ReservedName))?;
        let components: Vec<&[u8]> = path.components().collect();
        let dir = match self.store.root.descend(&components) {
            Ok(dir) => dir,
            // It has its mode already, and that or one above keeps everybody out.
            Err(Stray::System(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(());
            }
            Err(stray) => return Err(stray.into_failure(FINISH, &path, &components)),
        };
        self.finish_one(&dir, record)
            .map_err(|error| Failure::new(FINISH, &path, error))
    }

    fn finish_one(&self, dir: &Dir, record: &Record) -> io::Result<()> {
        match record.mode {
            IMPLIED if dir.identify_self()?.mode != UNDER_WAY => return Ok(()),
            IMPLIED => dir.open_up()?,
            mode if dir.is_dressed(mode, record.modified)? => return Ok(()),
            mode => dir.dress(mode, record.modified)?,
        }
        match self.store.policy.fsync {
            true => dir.sync(),
            false => Ok(()),
        }
    }
}

/// Which sessions have made which directories and are still there, as far as they remember it.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    sessions: AtomicU64,
    /// By device and number of the directory.
    made: Mutex<HashMap<(u64, u64), Made>>,
}

#[derive(Debug)]
struct Made {
    /// The session that has made it.
    by: u64,
    /// As what another one has offered it.
    offered: Option<Record>,
}

impl UnderWay {
    fn all(&self) -> MutexGuard<'_, HashMap<(u64, u64), Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a session.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    fn made(&self, id: (u64, u64), session: u64) {
        let made = Made {
            by: session,
            offered: None,
        };
        self.all().insert(id, made);
    }

    /// Whether it is for a session to finish that is another than this one. That gets the record.
    fn is_left_to(&self, id: (u64, u64), session: u64, record: &Record) -> bool {
        match self.all().get_mut(&id) {
            Some(made) if made.by != session => {
                made.offered = Some(record.clone());
                true
            }
            _ => false,
        }
    }

    /// What others have offered of what the session has made, the deepest first. It makes nothing more.
    fn left_by(&self, session: u64) -> Vec<Record> {
        let all = &mut *self.all();
        let its = all.extract_if(|_, made| made.by == session);
        let mut records: Vec<Record> = its.filter_map(|(_, made)| made.offered).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.components.len()));
        records
    }
}

/// What is to be done with a directory at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    mode: u32,
    modified: ModifiedAt,
    components: Vec<Vec<u8>>,
}

impl Record {
    fn of(entry: &Entry) -> Self {
        Self {
            // Twelve bits; the rest would be a mark of ours.
            mode: entry.mode & 0o7777,
            modified: entry.modified,
            components: entry.path.components().map(<[u8]>::to_vec).collect(),
        }
    }

    fn implied(components: &[&[u8]]) -> Self {
        Self {
            mode: IMPLIED,
            modified: ModifiedAt::default(),
            components: components.iter().map(|name| name.to_vec()).collect(),
        }
    }

    /// Mode (4), seconds (8), nanoseconds (4), the components each ended by NUL, and at the end the length of all
    /// that (4): records are read from the last to the first.
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.mode.to_le_bytes());
        out.extend_from_slice(&self.modified.secs.to_le_bytes());
        out.extend_from_slice(&self.modified.nanos.to_le_bytes());
        for component in &self.components {
            out.extend_from_slice(component);
            out.push(0);
        }
        // A path has an upper limit far below 4 GiB.
        let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (mode, rest) = bytes.split_first_chunk()?;
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanos, rest) = rest.split_first_chunk()?;
        let names = rest.strip_suffix(&[0])?;
        Some(Self {
            mode: u32::from_le_bytes(*mode),
            modified: ModifiedAt {
                secs: i64::from_le_bytes(*seconds),
                nanos: u32::from_le_bytes(*nanos),
            },
            components: names.split(|&b| b == 0).map(<[u8]>::to_vec).collect(),
        })
    }
}

/// The length at the end of a record.
const TRAILER: usize = 4;

/// A stack of records, of which the lower part may lie in a file.
#[derive(Debug, Default)]
pub(super) struct Folders {
    top: Vec<u8>,
    spilled: Option<File>,
    spilled_len: u64,
}

impl Folders {
    fn push(&mut self, record: &Record) -> io::Result<()> {
        record.encode(&mut self.top);
        if self.top.len() > IN_MEMORY {
            let file = match self.spilled.take() {
                Some(file) => file,
                None => tempfile::tempfile()?,
            };
            let written = write_all_at(&file, &self.top, self.spilled_len);
            self.spilled = Some(file);
            written?;
            self.spilled_len += self.top.len() as u64;
            self.top.clear();
        }
        Ok(())
    }

    fn pop(&mut self) -> io::Result<Option<Record>> {
        let torn = || io::Error::from(io::ErrorKind::InvalidData);
        if self.top.is_empty() {
            let Some(file) = self.spilled.as_ref().filter(|_| self.spilled_len > 0) else {
                return Ok(None);
            };
            // One block back, and of it what begins with a whole record: found from its end.
            let block = (IN_MEMORY as u64).min(self.spilled_len);
            let start = self.spilled_len - block;
            let mut bytes = vec![0; block as usize];
            if read_full_at(file, &mut bytes, start)? != bytes.len() {
                return Err(torn());
            }
            let mut first = bytes.len();
            while let Some(len) = record_len(&bytes[..first]) {
                first -= len;
            }
            if first == bytes.len() {
                return Err(torn());
            }
            self.top = bytes.split_off(first);
            self.spilled_len = start + first as u64;
        }
        let len = record_len(&self.top).ok_or_else(torn)?;
        let start = self.top.len() - len;
        let record = Record::decode(&self.top[start..self.top.len() - TRAILER]);
        self.top.truncate(start);
        record.map(Some).ok_or_else(torn)
    }
}

/// The length, with its trailer, of the record that `bytes` end with; `None` if it is not whole.
fn record_len(bytes: &[u8]) -> Option<usize> {
    let (_, trailer) = bytes.split_last_chunk::<TRAILER>()?;
    let len = u32::from_le_bytes(*trailer) as usize + TRAILER;
    (len <= bytes.len()).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_directories_come_back_last_first_from_bounded_memory() {
        let record = |n: u32| Record {
            mode: n,
            modified: ModifiedAt {
                secs: -i64::from(n),
                nanos: n,
            },
            components: vec![b"some directory".to_vec(), n.to_string().into_bytes()],
        };
        let mut folders = Folders::default();
        const COUNT: u32 = 100_000;
        for n in 0..COUNT {
            folders.push(&record(n)).unwrap();
            assert!(folders.top.len() <= IN_MEMORY);
        }
        for n in (0..COUNT).rev() {
            assert_eq!(folders.pop().unwrap(), Some(record(n)));
        }
        assert_eq!(folders.pop().unwrap(), None);
        // And again, above what was there.
        folders.push(&record(1)).unwrap();
        assert_eq!(folders.pop().unwrap(), Some(record(1)));
    }
}
