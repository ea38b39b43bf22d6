//! The rooms' logs on disk: what a server has said, it still knows after a crash.
//!
//! A directory holds a file per room (`names`), a [`journal`](crate::chat::journal) line per line. Batches are
//! written in the order in which they come and each file is then brought to the disk by one call, however many
//! batches went to it: the longer the disk takes, the more it takes at once. A batch is reported as stored after
//! that, so:
//!
//! - What was reported as stored is there after kill -9 and after a power loss.
//! - What was reported as failed is not: the file is cut back to where it was. If that fails too, nothing is added to
//!   this file until it has succeeded; only if the server ends before that, the lines may turn up after its restart.
//! - What was neither may be there or not. Lines are there in the order of their ids, whole and once.
//!
//! After a failed fsync nobody knows which pages were written (<https://lwn.net/Articles/752063/>). So the lines since
//! the last good one are cut off and the file is opened anew; they are never just fsynced again.
//!
//! The order on disk is that of the batches also between rooms, as far as kill -9 goes. A power loss may take the lines
//! of one room and leave later ones of another, where neither were reported.
//!
//! A file that was rotated away is the operator's, to compress, move or delete. The others are not to be touched while
//! the server runs.
//!
//! # How far back a log is read
//!
//! From the newest file backwards, as far as the room's memory reaches, and for the authors' numbers (by which a line
//! that is sent again is known) at least [`AUTHORS_READ`] bytes, of all rooms together [`AUTHORS_READ_ALL`]. Who
//! comes back after a crash with lines from before that is not known any more. The start thus takes
//! seconds whatever the logs' size. A topic from before that is forgotten.

mod disk;
mod load;
mod names;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use self::load::{Files, Reach};
pub use self::writer::{Writer, spawn};
use crate::chat::nick::{Key, RoomName};
use crate::chat::room::Memory;
use crate::chat::server::{Batch, Kept, Note};
use crate::error::{Error, IoReason, Kind, Result};

/// How many bytes of each log are read for the authors' sake. Not more than 1 MiB of lines can wait for an
/// acknowledgement at once; this is some twenty thousand lines.
pub const AUTHORS_READ: u64 = 4 * 1024 * 1024;

/// The same for all logs together: each gets an equal share.
pub const AUTHORS_READ_ALL: u64 = 256 * 1024 * 1024;

/// How many files are kept open. Each takes a descriptor from the clients; opening one takes less time than the
/// fsync behind it.
pub const MAX_OPEN: usize = 64;

const LOCK: &str = ".lock";

/// A directory of logs, locked so that two servers never write to it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    directory: disk::Directory,
    rotate_at: u64,
    logs: Vec<Log>,
    by_key: HashMap<Key, usize>,
    /// Counts the uses of files.
    clock: u64,
    /// The logs that were written and not yet fsynced.
    round: Vec<usize>,
    notes: Vec<Note>,
    /// Held for as long as the store lives.
    _lock: File,
}

/// A room's log.
#[derive(Debug)]
struct Log {
    stem: String,
    /// The number of the last file that was rotated away.
    rotated: u64,
    file: Option<File>,
    used: u64,
    state: State,
    /// The last attempt that failed, and why: what else comes of it fails too, or lines would be out of order.
    failed: Option<(u64, String)>,
    /// The operator was told that it cannot be written.
    is_ailing: bool,
    /// The operator was told that it cannot be rotated.
    is_stuck: bool,
    /// The directory's entry is on the disk.
    is_named: bool,
    /// Written and not yet fsynced: the length before.
    unsynced_from: Option<u64>,
    /// The batches of this round that were written.
    written: Vec<Written>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    room: usize,
    attempt: u64,
    /// Where in the notes the answer belongs.
    note: usize,
}

#[derive(Debug)]
enum State {
    Sound,
    /// Something may be behind this length that was reported as failed.
    Doubtful(u64),
    /// Nothing may be written, and why.
    Barred(String),
}

impl Log {
    fn new(stem: String) -> Self {
        Self {
            stem,
            rotated: 0,
            file: None,
            used: 0,
            state: State::Sound,
            failed: None,
            is_ailing: false,
            is_stuck: false,
            is_named: false,
            unsynced_from: None,
            written: Vec::new(),
        }
    }
}

impl Store {
    /// Opens a directory, which is made if it is not there, and reads the logs in it. A file is rotated away when it
    /// has reached `rotate_at` bytes. What is wrong with a log is told in the warnings and is no error: the
    /// other rooms must not suffer from it.
    ///
    /// # Errors
    ///
    /// The directory cannot be made, read or locked.
    pub fn open(
        path: &Path,
        rotate_at: u64,
        memory: Memory,
    ) -> Result<(Self, Vec<Kept>, Vec<String>)> {
        let cannot = || {
            let path = path.display();
            Error::new(Kind::Other, format!("cannot use the log directory {path}"))
        };
        disk::make_directory(path).map_err(|error| cannot().because(error))?;
        let lock = disk::open(&path.join(LOCK)).map_err(|error| cannot().because(error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(cannot().because("another server is using it"));
            }
            Err(TryLockError::Error(error)) => return Err(cannot().because(error)),
        }
        let directory = disk::Directory::open(path).map_err(|error| cannot().because(error))?;
        // A file that a killed server had made or renamed may have its new name in memory alone.
        directory.sync().map_err(|error| cannot().because(error))?;
        let mut warnings = Vec::new();
        let found = load::list(path, &mut warnings).map_err(|error| cannot().because(error))?;
        let mut store = Self {
            path: path.into(),
            directory,
            rotate_at,
            logs: Vec::new(),
            by_key: HashMap::new(),
            clock: 0,
            round: Vec::new(),
            notes: Vec::new(),
            _lock: lock,
        };
        let share = AUTHORS_READ_ALL / (found.len() as u64).max(1);
        let reach = Reach {
            memory,
            authors: share.min(AUTHORS_READ),
        };
        let restored = store.load(found, reach, &mut warnings);
        Ok((store, restored, warnings))
    }

    fn load(
        &mut self,
        found: BTreeMap<String, Files>,
        reach: Reach,
        warnings: &mut Vec<String>,
    ) -> Vec<Kept> {
        let mut restored = Vec::new();
        for (stem, files) in found {
            let key = files.name.key();
            if let Some(&other) = self.by_key.get(&key) {
                warnings.push(format!(
                    "ignored {}: its room cannot be told from that of {}",
                    self.path.join(names::current(&stem)).display(),
                    self.log_path(other).display()
                ));
                continue;
            }
            let mut log = Log::new(stem);
            log.is_named = files.current.is_some();
            log.rotated = files.rotated.last().map_or(0, |(number, _)| *number);
            match load::load(&files, reach, warnings) {
                Ok(room) if room.last_id > 0 => restored.push(room),
                Ok(_) => {}
                Err(reason) => {
                    let room = &files.name;
                    warnings.push(format!("{reason}; nothing will be stored of {room}"));
                    log.state = State::Barred(reason);
                }
            }
            self.by_key.insert(key, self.logs.len());
            self.logs.push(log);
        }
        restored
    }

    /// Writes the batches and says what became of each, in their order. Returns after all that is reported as stored is
    /// on the disk.
    pub fn store(&mut self, batches: Vec<Batch>) -> Vec<Note> {
        for batch in batches {
            let index = self.log_of(&batch.name);
            if self.logs[index].unsynced_from.is_none() && self.round.len() == MAX_OPEN {
                self.finish_round();
            }
            let attempt = batch.attempt;
            let failed = self.logs[index].failed.as_ref();
            let stale = failed.filter(|(failed, _)| attempt <= *failed);
            if let Some((_, reason)) = stale {
                let reason = reason.clone();
                self.notes.push(failure(batch.room, attempt, reason));
                continue;
            }
            match self.append(index, &batch.bytes) {
                Ok(()) => {
                    self.logs[index].written.push(Written {
                        room: batch.room,
                        attempt,
                        note: self.notes.len(),
                    });
                    // What it says becomes true, or is replaced, at the end of the round.
                    self.notes.push(Note::Stored {
                        room: batch.room,
                        id: batch.ids.1,
                    });
                }
                Err(reason) => {
                    self.logs[index].failed = Some((attempt, reason.clone()));
                    self.notes
                        .push(failure(batch.room, attempt, reason.clone()));
                    self.complain(index, &reason);
                }
            }
        }
        self.finish_round();
        std::mem::take(&mut self.notes)
    }

    /// The room's log. Two spellings of a room are one.
    fn log_of(&mut self, name: &RoomName) -> usize {
        let logs = &mut self.logs;
        *self.by_key.entry(name.key()).or_insert_with(|| {
            logs.push(Log::new(names::stem(name)));
            logs.len() - 1
        })
    }

    fn log_path(&self, index: usize) -> PathBuf {
        self.path.join(names::current(&self.logs[index].stem))
    }

    /// Writes to a log. If that fails the file is as before.
    fn append(&mut self, index: usize, bytes: &[u8]) -> Result<(), String> {
        let reason = |error: io::Error| IoReason(&error).to_string();
        if let State::Barred(reason) = &self.logs[index].state {
            return Err(reason.clone());
        }
        let log = &self.logs[index];
        if log.unsynced_from.is_some() && log.file.is_none() {
            return Err("the file could not be cut back".into());
        }
        let mut before = self.open_log(index).map_err(reason)?;
        if before >= self.rotate_at && self.logs[index].unsynced_from.is_none() {
            self.rotate(index);
            before = self.open_log(index).map_err(reason)?;
        }
        let log = &mut self.logs[index];
        let Some(file) = &log.file else {
            return Err("the file is not open".into());
        };
        let written = disk::append(file, bytes);
        if log.unsynced_from.is_none() {
            log.unsynced_from = Some(before);
            self.round.push(index);
        }
        if written.is_err() && disk::cut(file, before).is_err() {
            // The end of the round will find it closed, and fail what was written before as well.
            log.file = None;
        }
        written.map_err(reason)
    }

    /// Opens a log if it is not open, and says its length.
    fn open_log(&mut self, index: usize) -> io::Result<u64> {
        self.clock += 1;
        self.logs[index].used = self.clock;
        if let Some(file) = &self.logs[index].file {
            return Ok(file.metadata()?.len());
        }
        self.make_room_for_a_file();
        let path = self.log_path(index);
        let log = &mut self.logs[index];
        let file = disk::open(&path)?;
        let mut length = file.metadata()?.len();
        if let State::Doubtful(good) = log.state {
            if length > good {
                disk::cut(&file, good)?;
                disk::sync(&file)?;
                length = good;
            }
            log.state = State::Sound;
        }
        if !log.is_named {
            self.directory.sync()?;
            log.is_named = true;
        }
        // Somebody may have edited it. A line of ours must not become one with what he left.
        if !disk::ends_with_a_line(&file, length)? {
            disk::append(&file, b"\n")?;
            length += 1;
        }
        log.file = Some(file);
        Ok(length)
    }

    /// Closes the file that was not used for the longest time. Those of this round are fewer than may be open.
    fn make_room_for_a_file(&mut self) {
        let open = self.logs.iter().filter(|log| log.file.is_some());
        if open.count() < MAX_OPEN {
            return;
        }
        let idle = self
            .logs
            .iter_mut()
            .filter(|log| log.file.is_some() && log.unsynced_from.is_none());
        if let Some(log) = idle.min_by_key(|log| log.used) {
            log.file = None;
        }
    }

    /// Gives the file a number. If that cannot be done the log just grows on.
    fn rotate(&mut self, index: usize) {
        let path = self.log_path(index);
        let log = &mut self.logs[index];
        // Windows renames no file that another handle without FILE_SHARE_DELETE has open; ours is no obstacle then.
        log.file = None;
        let mut number = log.rotated + 1;
        let mut target = self.path.join(names::rotated(&log.stem, number));
        // Not even a dangling link is written over.
        while target.symlink_metadata().is_ok() {
            number += 1;
            target = self.path.join(names::rotated(&log.stem, number));
        }
        match disk::rename(&path, &target) {
            Ok(()) => {
                log.rotated = number;
                log.is_named = false;
                log.is_stuck = false;
            }
            Err(error) if !log.is_stuck => {
                log.is_stuck = true;
                let (path, reason) = (path.display(), IoReason(&error));
                let text = format!("cannot rotate {path}: {reason}; it grows on");
                self.notes.push(Note::Warning(text));
            }
            Err(_) => {}
        }
    }

    /// Brings to the disk what was written, and corrects the notes of what could not be.
    fn finish_round(&mut self) {
        for index in std::mem::take(&mut self.round) {
            let log = &mut self.logs[index];
            let written = std::mem::take(&mut log.written);
            let Some(before) = log.unsynced_from.take() else {
                continue;
            };
            let synced = match &log.file {
                Some(file) => disk::sync(file).map_err(|error| IoReason(&error).to_string()),
                None => Err(match &log.failed {
                    Some((_, reason)) => reason.clone(),
                    None => "the file was closed".into(),
                }),
            };
            match synced {
                Ok(()) => {
                    let failed = log.failed.as_ref().map(|(attempt, _)| *attempt);
                    if written.last().map(|batch| batch.attempt) > failed {
                        self.recover(index);
                    }
                }
                Err(reason) => {
                    let file = log.file.take();
                    let cut = file.is_some_and(|file| {
                        disk::cut(&file, before).is_ok() && disk::sync(&file).is_ok()
                    });
                    if !cut {
                        log.state = State::Doubtful(before);
                    }
                    let last = written.last().map(|batch| batch.attempt);
                    if let Some(attempt) = last.max(log.failed.as_ref().map(|(at, _)| *at)) {
                        log.failed = Some((attempt, reason.clone()));
                    }
                    for batch in written {
                        self.notes[batch.note] = failure(batch.room, batch.attempt, reason.clone());
                    }
                    self.complain(index, &reason);
                }
            }
        }
    }

    /// Tells the operator, once.
    fn complain(&mut self, index: usize, reason: &str) {
        if !std::mem::replace(&mut self.logs[index].is_ailing, true) {
            let path = self.log_path(index);
            let text = match &self.logs[index].state {
                // Here the reason names the file, and the start has told it.
                State::Barred(_) => return,
                _ => format!("cannot write {}: {reason}", path.display()),
            };
            self.notes.push(Note::Warning(text));
        }
    }

    fn recover(&mut self, index: usize) {
        if std::mem::take(&mut self.logs[index].is_ailing) {
            let path = self.log_path(index);
            let text = format!("{} can be written again", path.display());
            self.notes.push(Note::Warning(text));
        }
    }
}

fn failure(room: usize, attempt: u64, reason: String) -> Note {
    Note::StoreFailed {
        room,
        attempt,
        reason,
    }
}
