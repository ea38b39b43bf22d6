//! A partial file: `.NAME.sockkit-part`, opened or made, locked, filled, and resumed after whatever happened.
//!
//! What a partial file holds is known by comparing only; neither its length nor its journal is believed.

use std::fs::{File, TryLockError};
use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use crate::transfer::entry::Entry;
use crate::transfer::path::PeerPath;
use crate::transfer::source::extents::{Extent, next_extent};
use crate::transfer::source::positional::{read_full_at, write_all_at};
use crate::transfer::store::beneath::{Dir, Seen, What};
use crate::transfer::store::candidate;
use crate::transfer::store::failure::{Class, Failure, Reason};
use crate::transfer::store::journal::{self, Hint};
use crate::transfer::store::naming::{journal_name, part_name};
use crate::transfer::store::verdict::{in_the_way, too_large};
use crate::transfer::store::{Existing, Inner, Place, Session};

/// How often a partial file is opened again because another session finished or removed it between two calls.
const TRIES: usize = 8;

/// Reserving space costs a call and pays for files of many extents only.
pub(super) const WORTH_RESERVING: u64 = 1 << 20;

/// The step in which bytes are compared, and copied or zeroed where the system does not do it.
pub(super) const STEP: usize = 256 << 10;

/// In which steps the system is told to write out what has come: large ones for the disk, and small beside what it
/// takes in a second.
const WORTH_WRITING_OUT: u64 = 16 << 20;

/// A partial file under way. Dropped, it stays to be resumed, if it has a name.
#[derive(Debug)]
pub struct Part {
    pub(super) store: Arc<Inner>,
    pub(super) dir: Arc<Dir>,
    pub(super) path: PeerPath,
    pub(super) name: Vec<u8>,
    pub(super) named: Option<Named>,
    /// The mode that it was asked to be made with, where it is not a private one for the time being.
    pub(super) mode: Option<u32>,
    pub(super) file: File,
    /// The existing file, where its content may serve.
    pub(super) candidate: Option<(File, Seen)>,
    /// How long the partial file was when it was opened.
    pub(super) found: u64,
    pub(super) len: u64,
    /// Up to where space is reserved.
    pub(super) reserved: u64,
    /// Bytes of content that were written or kept.
    pub(super) content: u64,
    /// What was written in one go and is only in memory, as far as we know.
    pub(super) in_memory: Range<u64>,
    /// Bytes taken out of the quota.
    pub(super) charged: u64,
    /// How many of them it was left behind with before.
    pub(super) inherited: u64,
    /// It has its final name.
    pub(super) is_stored: bool,
    pub(super) hint: Option<Hint>,
}

/// What a partial file is called until it has its final name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) part: Vec<u8>,
    pub(super) journal: Option<Vec<u8>>,
    /// Which file had that name when it was opened.
    pub(super) id: (u64, u64),
}

impl Session {
    /// Opens or makes the partial file of an entry. `allocated` is what the source occupies, where the sender says
    /// so: a sparse file needs no more room than that. It is believed only for what is reserved.
    pub fn begin(&self, entry: &Entry, allocated: Option<u64>) -> Result<Part, Failure> {
        let store = &self.store;
        let policy = &store.policy;
        let path = &entry.path;
        let place = Place::of(path)?;
        let need = allocated
            .unwrap_or(u64::MAX)
            .min(entry.size().unwrap_or_default());
        if let Some(size) = entry.size() {
            end_of(0, size).map_err(|error| Failure::new("store", path, error))?;
            too_large(policy, size).map_err(|reason| Failure::refused("store", path, reason))?;
        }
        let part_name = part_name(place.name);
        let mut dir = self.ensure(&place, path)?;
        let (file, seen) = match open_locked(&dir, &part_name, path) {
            Err(failure) if failure.class() == Class::Vanished => {
                // Somebody has removed the directory since it was used last.
                self.books().recent.forget(path);
                dir = self.ensure(&place, path)?;
                open_locked(&dir, &part_name, path)?
            }
            done => done?,
        };
        let candidate = match policy.existing {
            Existing::Refuse => None,
            // One that cannot be read is of no use, which is no reason not to replace it.
            _ => candidate::open(&dir, place.name, path).unwrap_or_default(),
        };
        let is_small = entry
            .size()
            .is_some_and(|size| size < journal::WORTH_A_JOURNAL);
        // A resumed one may have a journal from when it was larger, which must not stay behind.
        let journal = (!is_small || seen.len > 0).then(|| journal_name(place.name));
        let hint = journal
            .as_ref()
            .filter(|_| !is_small)
            .and_then(|name| journal::renew(&dir, name, entry));
        let inherited = store.ledger.take_up(path);
        let mut part = Part {
            store: Arc::clone(store),
            dir,
            path: path.clone(),
            name: place.name.to_vec(),
            named: Some(Named {
                part: part_name,
                journal,
                id: seen.id,
            }),
            mode: None,
            file,
            candidate,
            found: seen.len,
            len: seen.len,
            // What an earlier run reserved beyond the end is not told by the length: up to anywhere, then.
            reserved: if seen.allocated > seen.len {
                u64::MAX
            } else {
                0
            },
            content: 0,
            in_memory: 0..0,
            charged: inherited,
            inherited,
            is_stored: false,
            hint,
        };
        part.charge(need.saturating_sub(inherited))?;
        let is_sparse = entry.size().is_some_and(|size| need < size);
        part.make_room(need, need.saturating_sub(seen.allocated), is_sparse)?;
        if part.found == 0 {
            part.clone_candidate()?;
        }
        Ok(part)
    }
}

/// Opens the partial file and makes sure that nobody else has it and that it is still the one of that name: the
/// session that held it before may have given it its final name since.
fn open_locked(dir: &Dir, name: &[u8], path: &PeerPath) -> Result<(File, Seen), Failure> {
    let fail = |error| Failure::new("open the partial file of", path, error);
    let busy = || Failure::refused("store", path, Reason::Busy);
    for _ in 0..TRIES {
        let file = match dir.open_or_create(name) {
            Ok(file) => file,
            Err(error) if is_held(&error) => return Err(busy()),
            Err(error) => {
                return Err(match dir.look(name) {
                    Ok(Some(seen)) if seen.what != What::File => {
                        Failure::refused("open the partial file of", path, in_the_way(seen.what))
                    }
                    _ => fail(error),
                });
            }
        };
        let seen = Dir::identify(&file).map_err(fail)?;
        if seen.what != What::File {
            let reason = in_the_way(seen.what);
            return Err(Failure::refused("open the partial file of", path, reason));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            // A file system without locks (some NFS): two senders of one name are then kept apart by the digest
            // and the rename only.
            Err(TryLockError::Error(_)) => {}
        }
        let named = dir.look(name).map_err(fail)?;
        if named.is_none_or(|named| named.id != seen.id) {
            continue;
        }
        if seen.links > 1 {
            // Another name leads to it: writing here would change a file elsewhere. Ours begins anew.
            dir.unlink(name).map_err(fail)?;
            continue;
        }
        // Another session may have written between `identify` and the lock.
        let seen = Dir::identify(&file).map_err(fail)?;
        return Ok((file, seen));
    }
    Err(busy())
}

/// ERROR_SHARING_VIOLATION: the other session's handle shares no writing.
fn is_held(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error() == Some(32)
}

impl Part {
    /// How many bytes there are to compare: of the partial file or the existing one, whichever is longer.
    pub fn have_len(&self) -> u64 {
        self.found.max(self.candidate_len())
    }

    /// How many bytes the partial file has now.
    #[allow(clippy::len_without_is_empty)] // a length in bytes, not a collection
    pub fn len(&self) -> u64 {
        self.len
    }

    /// What the journal of an earlier run says about the version it was for. A hint.
    pub fn hint(&self) -> Option<Hint> {
        self.hint
    }

    /// Where it goes, as it was offered.
    pub fn path(&self) -> &PeerPath {
        &self.path
    }

    /// Reads what is here for the chunk of `buf.len()` bytes at `offset`, from the partial file or the existing
    /// one. Less than asked for: there is no more of it.
    pub fn read_have(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        let file = match self.source_of(offset, buf.len() as u64) {
            Some((file, _)) => file,
            None => &self.file,
        };
        read_full_at(file, buf, offset).map_err(|error| self.failed("read", error))
    }

    /// Whether [`Part::read_have`] reads the chunk from the partial file itself.
    pub fn has_in_place(&self, offset: u64, len: u64) -> bool {
        self.source_of(offset, len).is_none()
    }

    /// The chunk was the same: the partial file has it from now on, copied from the existing file if need be, by
    /// the file system itself where it can.
    pub fn keep(&mut self, offset: u64, len: u64) -> Result<(), Failure> {
        let end = end_of(offset, len).map_err(|error| self.failed("write", error))?;
        self.admit(end, len)?;
        if self.source_of(offset, len).is_some() {
            self.copy_from_candidate(offset, end)
                .map_err(|error| self.failed("write", error))?;
        }
        self.len = self.len.max(end);
        Ok(())
    }

    /// Writes new content.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let end =
            end_of(offset, bytes.len() as u64).map_err(|error| self.failed("write", error))?;
        self.admit(end, bytes.len() as u64)?;
        write_all_at(&self.file, bytes, offset).map_err(|error| self.failed("write", error))?;
        self.len = self.len.max(end);
        if self.store.policy.fsync {
            self.write_out(offset, end);
        }
        Ok(())
    }

    /// Lets the disk begin with what has come, so that the flush before the final name has little to wait for. That one
    /// still tells of all that failed meanwhile.
    fn write_out(&mut self, offset: u64, end: u64) {
        if self.in_memory.end != offset {
            self.in_memory.start = offset;
        }
        self.in_memory.end = end;
        if end - self.in_memory.start >= WORTH_WRITING_OUT {
            begin_writing_out(&self.file, &self.in_memory);
            self.in_memory.start = end;
        }
    }

    /// Reads from the partial file alone.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        read_full_at(&self.file, buf, offset).map_err(|error| self.failed("read", error))
    }

    /// Makes `len` bytes at `offset` zeros that occupy no space, where the file system can.
    pub fn hole(&mut self, offset: u64, len: u64) -> Result<(), Failure> {
        let end = end_of(offset, len).map_err(|error| self.failed("write", error))?;
        self.admit(end, 0)?;
        self.make_hole(offset, end)
            .map_err(|error| self.failed("write", error))
    }

    /// Cuts the partial file, or extends it by a hole.
    pub fn set_len(&mut self, len: u64) -> Result<(), Failure> {
        self.admit(len, 0)?;
        self.file
            .set_len(len)
            .map_err(|error| self.failed("write", error))?;
        self.len = len;
        self.reserved = self.reserved.min(len);
        Ok(())
    }

    /// Removes the partial file and its journal.
    pub fn discard(mut self) -> Result<(), Failure> {
        self.remove()
    }

    fn remove(&mut self) -> Result<(), Failure> {
        if let Some(named) = &self.named {
            self.check(named)?;
            self.dir
                .unlink(&named.part)
                .map_err(|error| self.failed("remove", error))?;
            self.forget_journal(named);
            (self.content, self.inherited) = (0, 0);
        }
        Ok(())
    }

    /// Frees the space that is reserved beyond what has come, and removes what is empty: a peer may announce more than
    /// it ever sends. How many bytes stay.
    fn leave_behind(&mut self) -> u64 {
        if self
            .named
            .as_ref()
            .is_none_or(|named| self.check(named).is_err())
        {
            return 0;
        }
        if self.len == 0 && self.content == 0 {
            let _ = self.remove();
        } else if self.reserved != u64::MAX && self.reserved > self.len {
            // Blocks beyond the end go with the end, and with nothing else on every file system.
            let _ = self
                .file
                .set_len(self.len + 1)
                .and_then(|()| self.file.set_len(self.len));
        }
        self.content.min(self.len).max(self.inherited)
    }

    pub(super) fn forget_journal(&self, named: &Named) {
        if let Some(name) = &named.journal {
            // It may never have been written.
            let _ = self.dir.unlink(name);
        }
    }

    /// Whether the partial file's name still means the file that was filled.
    pub(super) fn check(&self, named: &Named) -> Result<(), Failure> {
        let seen = self
            .dir
            .look(&named.part)
            .map_err(|error| self.failed("look at", error))?;
        match seen {
            Some(seen) if seen.what == What::File && seen.id == named.id => Ok(()),
            _ => Err(Failure::refused("store", &self.path, Reason::PartReplaced)),
        }
    }

    pub(super) fn failed(&self, operation: &'static str, error: io::Error) -> Failure {
        Failure::new(operation, &self.path, error)
    }

    fn candidate_len(&self) -> u64 {
        self.candidate.as_ref().map_or(0, |(_, seen)| seen.len)
    }

    /// The existing file, if the chunk comes from there: where the partial file does not have it whole and the
    /// existing file has more than the partial one had.
    fn source_of(&self, offset: u64, len: u64) -> Option<&(File, Seen)> {
        let in_part = offset.saturating_add(len) <= self.found;
        self.candidate
            .as_ref()
            .filter(|(_, seen)| !in_part && seen.len > self.found)
    }

    /// Limits of what may be written: the file's size and the quota.
    fn admit(&mut self, end: u64, content: u64) -> Result<(), Failure> {
        too_large(&self.store.policy, end)
            .map_err(|reason| Failure::refused("write", &self.path, reason))?;
        if content == 0 {
            return Ok(());
        }
        // An upper bound without asking the system: content that is written twice counts twice, but no file occupies
        // more than it is long.
        let written = self.content.saturating_add(content);
        let bound = written.min(self.len.max(end));
        match self.charge(bound.saturating_sub(self.charged)) {
            Ok(()) => self.content = written,
            Err(failure) => {
                // Close to the quota it is worth asking.
                let occupied = Dir::identify(&self.file)
                    .map_err(|error| self.failed("read", error))?
                    .allocated
                    .saturating_add(content);
                if occupied >= bound {
                    return Err(failure);
                }
                self.charge(occupied.saturating_sub(self.charged))?;
                self.content = occupied;
            }
        }
        Ok(())
    }

    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), Failure> {
        if bytes > 0 {
            self.store
                .ledger
                .charge(bytes)
                .map_err(|reason| Failure::refused("store", &self.path, reason))?;
            self.charged += bytes;
        }
        Ok(())
    }

    /// Checks for free space and reserves it. `missing` is what is not yet on the disk.
    fn make_room(&mut self, need: u64, missing: u64, is_sparse: bool) -> Result<(), Failure> {
        if missing < WORTH_RESERVING {
            return Ok(());
        }
        let Some(space) = self.dir.space() else {
            return Ok(());
        };
        if self.store.policy.check_space && missing > space.available {
            let reason = Reason::NoRoom(missing, space.available);
            return Err(Failure::refused("store", &self.path, reason));
        }
        if space.on_disk && !is_sparse && missing <= space.available {
            reserve(&self.file, need).map_err(|error| self.failed("reserve space for", error))?;
            self.reserved = self.reserved.max(need);
        }
        Ok(())
    }

    /// Begins as a copy of the existing file that shares its blocks, where the file system has that (Btrfs, XFS):
    /// then what is the same needs no copying at all.
    fn clone_candidate(&mut self) -> Result<(), Failure> {
        #[cfg(target_os = "linux")]
        if let Some((file, seen)) = &self.candidate
            && seen.len > 0
            && too_large(&self.store.policy, seen.len).is_ok()
            && rustix::fs::ioctl_ficlone(&self.file, file).is_ok()
        {
            let cloned = Dir::identify(&self.file).map_err(|error| self.failed("read", error))?;
            self.found = cloned.len;
            self.len = cloned.len;
        }
        Ok(())
    }

    fn copy_from_candidate(&self, offset: u64, end: u64) -> io::Result<()> {
        let Some((from, seen)) = &self.candidate else {
            return Ok(());
        };
        let mut at = offset;
        while let Some(extent) = next_extent(from, at, end)? {
            match &extent {
                Extent::Hole(range) if range.end <= seen.len => {
                    self.zero(range.start, range.end)?;
                }
                Extent::Data(range) | Extent::Hole(range) => {
                    copy_range(from, &self.file, range.start, range.end)?;
                }
            }
            at = extent.range().end;
        }
        Ok(())
    }

    fn make_hole(&mut self, offset: u64, end: u64) -> io::Result<()> {
        self.zero(offset, end)?;
        self.len = self.len.max(end);
        Ok(())
    }

    /// Zeros from `start` to `end`, without space where it can be had.
    fn zero(&self, start: u64, end: u64) -> io::Result<()> {
        let len = Dir::identify(&self.file)?.len;
        if end > len {
            self.file.set_len(end)?;
        }
        // Beyond the old end only a reservation can be in the way.
        let dirty = len.max(self.reserved).min(end);
        if start < dirty && punch(&self.file, start, dirty).is_err() {
            let zeros = vec![0; STEP];
            let mut at = start;
            while at < len.min(end) {
                let step = (STEP as u64).min(len.min(end) - at);
                write_all_at(&self.file, &zeros[..step as usize], at)?;
                at += step;
            }
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_stored {
            let stays = self.leave_behind().min(self.charged);
            self.store.ledger.refund(self.charged - stays);
            self.store.ledger.leave(&self.path, stays);
        }
        // Closing is not enough: a process that is being started (`--on-receive`) has a copy of every handle until
        // it executes its program, and would hold the lock for that long.
        if self.named.is_some() {
            let _ = self.file.unlock();
        }
    }
}

fn end_of(offset: u64, len: u64) -> io::Result<u64> {
    // Offsets are signed to the system.
    offset
        .checked_add(len)
        .filter(|&end| end <= i64::MAX as u64)
        .ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

/// Reserves blocks without changing the length. A file system that cannot is as good.
#[cfg(target_os = "linux")]
fn reserve(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Elsewhere reserving would change the length, or there is no such call.
#[cfg(not(target_os = "linux"))]
fn reserve(_file: &File, _len: u64) -> io::Result<()> {
    Ok(())
}

/// Begins, and does not wait. posix_fadvise(2): what is dirty is written out first, and is still needed no less; the
/// kernel drops only what was clean.
#[cfg(target_os = "linux")]
fn begin_writing_out(file: &File, range: &Range<u64>) {
    use rustix::fs::{Advice, fadvise};
    let len = NonZeroU64::new(range.end - range.start);
    // A file system without it writes when it likes, or in the flush.
    let _ = fadvise(file, range.start, len, Advice::DontNeed);
}

/// Elsewhere the same advice means something else, or there is none.
#[cfg(not(target_os = "linux"))]
fn begin_writing_out(_file: &File, _range: &Range<u64>) {}

#[cfg(target_os = "linux")]
fn punch(file: &File, start: u64, end: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, start, end - start)?)
}

#[cfg(not(target_os = "linux"))]
fn punch(_file: &File, _start: u64, _end: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies a stretch from one file to the same place in another.
fn copy_range(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    let mut at = start;
    #[cfg(target_os = "linux")]
    while at < end {
        let (mut input, mut output) = (at, at);
        let len = usize::try_from(end - at).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut input), to, Some(&mut output), len) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => at += n as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error @ (rustix::io::Errno::NOSPC | rustix::io::Errno::IO)) => {
                return Err(error.into());
            }
            // Across file systems, or none of this system's: by hand.
            Err(_) => break,
        }
    }
    let mut buf = vec![0; STEP];
    while at < end {
        let step = (STEP as u64).min(end - at) as usize;
        let n = read_full_at(from, &mut buf[..step], at)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(to, &buf[..n], at)?;
        at += n as u64;
    }
    Ok(())
}
