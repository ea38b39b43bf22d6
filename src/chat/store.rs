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
//! the server runs. One that is moved or removed all the same is missed with the next line, and a new one is begun.
//!
//! # How far back a log is read
//!
//! From the newest file backwards, as far as the room's memory reaches, and for the authors' numbers (by which a line
//! that is sent again is known) and the topic as far as the last [`checkpoint`] reaches. There is a new one whenever
//! all logs together have grown by [`CHECKPOINT_EVERY`]. The start thus takes seconds whatever the logs' size, and
//! forgets nobody. Where there is no checkpoint, at least [`AUTHORS_READ`] bytes are read of each log, of all together
//! [`AUTHORS_READ_ALL`], and who comes back with lines from before that is not known any more.

mod checkpoint;
mod disk;
mod load;
mod names;
#[cfg(test)]
mod tests;
mod writer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use self::checkpoint::{Checkpoint, Mark};
use self::load::{Files, Reach};
pub use self::writer::{Writer, spawn};
use crate::chat::authors::Authors;
use crate::chat::journal;
use crate::chat::nick::{Key, RoomName};
use crate::chat::room::{Author, Memory};
use crate::chat::server::{Batch, Kept, Note};
use crate::error::{Error, IoReason, Kind, Result};

/// By how many bytes the logs grow between two checkpoints, if these are small. It is what a start reads for the
/// authors' sake, in a fraction of a second, and some thirty thousand lines, to which a checkpoint adds one fsync.
pub const CHECKPOINT_EVERY: u64 = 4 * 1024 * 1024;

/// A checkpoint is made when the logs have grown by at least so many times its size: what it costs to write stays a
/// small part of what the lines cost.
const CHECKPOINT_SHARE: u64 = 4;

/// Without a checkpoint: how many bytes of each log are read for the authors' sake.
pub const AUTHORS_READ: u64 = 4 * 1024 * 1024;

/// The same for all logs together: each gets an equal share. With a checkpoint: how many of one log at the most.
pub const AUTHORS_READ_ALL: u64 = 256 * 1024 * 1024;

/// How many files are kept open. Each takes a descriptor from the clients; opening one takes less time than the
/// fsync behind it.
pub const MAX_OPEN: usize = 64;

const LOCK: &str = ".lock";
const CHECKPOINT: &str = ".checkpoint";
/// What becomes the checkpoint when it is whole.
const NEXT_CHECKPOINT: &str = ".checkpoint.new";

/// What was found in a directory of logs.
#[derive(Debug)]
pub struct Found {
    /// The rooms, those in which something was said last first.
    pub rooms: Vec<Kept>,
    /// The sessions with the numbers of their last lines, in the order in which they spoke last.
    pub authors: Vec<Author>,
    /// What was wrong.
    pub warnings: Vec<String>,
}

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
    authors: Authors,
    /// By how many bytes the logs have grown since the last checkpoint, and when there is to be one.
    uncovered: u64,
    checkpoint_at: u64,
    /// [`CHECKPOINT_EVERY`]; tests have little patience.
    checkpoint_every: u64,
    /// The operator was told that there is no checkpoint.
    is_uncovered: bool,
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
    /// Written and not yet fsynced: the length before.
    unsynced_from: Option<u64>,
    /// The batches of this round that were written.
    written: Vec<Written>,
    /// Up to here the file holds what was reported as stored.
    length: u64,
    /// The line of the last topic.
    topic: Option<Box<[u8]>>,
}

#[derive(Debug)]
struct Written {
    room: usize,
    attempt: u64,
    /// Where in the notes the answer belongs.
    note: usize,
    bytes: u64,
    authors: Vec<Author>,
    topic: Option<Box<[u8]>>,
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
            unsynced_from: None,
            written: Vec::new(),
            length: 0,
            topic: None,
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            rotated: self.rotated,
            length: self.length,
            topic: self.topic.clone(),
        }
    }

    /// What was written is on the disk.
    fn stored(&mut self, before: u64, written: &mut [Written]) {
        self.length = before + written.iter().map(|batch| batch.bytes).sum::<u64>();
        if let Some(line) = written
            .iter_mut()
            .rev()
            .find_map(|batch| batch.topic.take())
        {
            let topic = journal::read(line.trim_ascii_end());
            self.topic = topic.filter(|topic| !topic.text.is_empty()).map(|_| line);
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
    pub fn open(path: &Path, rotate_at: u64, memory: Memory) -> Result<(Self, Found)> {
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
            authors: Authors::default(),
            uncovered: 0,
            checkpoint_at: CHECKPOINT_EVERY,
            checkpoint_every: CHECKPOINT_EVERY,
            is_uncovered: false,
            _lock: lock,
        };
        let checkpoint = store.read_checkpoint(&mut warnings);
        let rooms = store.load(found, memory, checkpoint, &mut warnings);
        let authors = store.authors.in_order();
        let found = Found {
            rooms,
            authors,
            warnings,
        };
        Ok((store, found))
    }

    fn read_checkpoint(&mut self, warnings: &mut Vec<String>) -> Option<Checkpoint> {
        let path = self.path.join(CHECKPOINT);
        let less = "lines from long before that are sent again may be stored twice";
        let bytes = match disk::read(&path) {
            Ok(bytes) => bytes?,
            Err(error) => {
                let (path, reason) = (path.display(), IoReason(&error));
                warnings.push(format!("cannot read {path}: {reason}; {less}"));
                return None;
            }
        };
        let checkpoint = Checkpoint::read(&bytes);
        if checkpoint.is_none() {
            let path = path.display();
            warnings.push(format!("{path} is no checkpoint of logs; {less}"));
        }
        self.checkpoint_at = self.interval(&bytes);
        checkpoint
    }

    fn load(
        &mut self,
        found: BTreeMap<String, Files>,
        memory: Memory,
        checkpoint: Option<Checkpoint>,
        warnings: &mut Vec<String>,
    ) -> Vec<Kept> {
        let share = AUTHORS_READ.min(AUTHORS_READ_ALL / (found.len() as u64).max(1));
        let (mut marks, known) = match checkpoint {
            Some(checkpoint) => (Some(checkpoint.logs), checkpoint.authors),
            None => (None, Vec::new()),
        };
        let mut restored = Vec::new();
        let mut spoke = Vec::new();
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
            // A log of which the checkpoint says nothing is younger.
            let mark = marks
                .as_mut()
                .map(|marks| marks.remove(&stem).unwrap_or_default());
            let authors = match &mark {
                Some(mark) => files.behind(mark),
                None => share,
            };
            self.uncovered += authors;
            let reach = Reach {
                memory,
                authors: authors.min(AUTHORS_READ_ALL),
            };
            let mut log = Log::new(stem);
            log.rotated = files.rotated.last().map_or(0, |(number, _)| *number);
            match load::load(&files, reach, warnings) {
                Ok(mut loaded) => {
                    log.length = loaded.length;
                    spoke.extend(loaded.authors());
                    let older = mark.and_then(|mark| mark.topic);
                    loaded.room.topic = loaded
                        .room
                        .topic
                        .or_else(|| journal::read(older?.trim_ascii_end()));
                    let topic = loaded.room.topic.as_ref();
                    log.topic = topic.filter(|topic| !topic.text.is_empty()).map(|topic| {
                        let mut line = Vec::new();
                        journal::write(&mut line, topic);
                        line.into()
                    });
                    if loaded.room.last_id > 0 {
                        restored.push(loaded.room);
                    }
                }
                Err(reason) => {
                    let room = &files.name;
                    warnings.push(format!("{reason}; nothing will be stored of {room}"));
                    log.state = State::Barred(reason);
                }
            }
            self.by_key.insert(key, self.logs.len());
            self.logs.push(log);
        }
        spoke.sort_unstable_by_key(|(time, _)| *time);
        let spoke = spoke.into_iter().map(|(_, author)| author);
        known
            .into_iter()
            .chain(spoke)
            .for_each(|author| self.authors.note(author));
        restored.sort_by_key(|room| Reverse(room.entries.last().map(|entry| entry.time)));
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
                    let topic = batch.topic.and_then(|place| batch.bytes.get(place));
                    self.logs[index].written.push(Written {
                        room: batch.room,
                        attempt,
                        note: self.notes.len(),
                        bytes: batch.bytes.len() as u64,
                        topic: topic.map(Into::into),
                        authors: batch.authors,
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
        if self.uncovered >= self.checkpoint_at {
            self.cover();
        }
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
        let path = self.log_path(index);
        if let Some(file) = &self.logs[index].file {
            // What is half-way through a round stays together.
            if self.logs[index].unsynced_from.is_some() || disk::is_at(file, &path)? {
                return Ok(file.metadata()?.len());
            }
            let text = format!("{} was taken away; a new one is begun", path.display());
            self.notes.push(Note::Warning(text));
            self.logs[index].file = None;
        }
        self.make_room_for_a_file();
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
        if length == 0 {
            // It may be new, and so its name.
            self.directory.sync()?;
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
                log.length = 0;
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
            let mut written = std::mem::take(&mut log.written);
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
                    log.stored(before, &mut written);
                    self.uncovered += log.length.saturating_sub(before);
                    for &author in written.iter().flat_map(|batch| &batch.authors) {
                        self.authors.note(author);
                    }
                    let failed = log.failed.as_ref().map(|(attempt, _)| *attempt);
                    if written.last().map(|batch| batch.attempt) > failed {
                        self.recover(index);
                    }
                }
                Err(reason) => {
                    log.length = before;
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

    /// Makes a checkpoint. Without one the next start reads from the one before.
    fn cover(&mut self) {
        let sound = self
            .logs
            .iter()
            .filter(|log| !matches!(log.state, State::Barred(_)));
        let checkpoint = Checkpoint {
            logs: sound.map(|log| (log.stem.clone(), log.mark())).collect(),
            authors: self.authors.in_order(),
        };
        let bytes = checkpoint.write();
        match self.replace_checkpoint(&bytes) {
            Ok(()) => {
                self.uncovered = 0;
                self.checkpoint_at = self.interval(&bytes);
                self.is_uncovered = false;
            }
            Err(error) => {
                self.checkpoint_at = self.uncovered + self.interval(&bytes);
                if !std::mem::replace(&mut self.is_uncovered, true) {
                    let path = self.path.join(CHECKPOINT);
                    let (path, reason) = (path.display(), IoReason(&error));
                    let text =
                        format!("cannot write {path}: {reason}; the next start takes longer");
                    self.notes.push(Note::Warning(text));
                }
            }
        }
    }

    /// By how much the logs grow before the checkpoint after this one.
    fn interval(&self, checkpoint: &[u8]) -> u64 {
        self.checkpoint_every
            .max(CHECKPOINT_SHARE * checkpoint.len() as u64)
    }

    fn replace_checkpoint(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.join(NEXT_CHECKPOINT);
        let file = disk::open(&next)?;
        disk::cut(&file, 0)?;
        disk::append(&file, bytes)?;
        disk::sync(&file)?;
        drop(file);
        disk::rename(&next, &self.path.join(CHECKPOINT))?;
        self.directory.sync()
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
