//! Reading a room's log at the start: as much of its end as is needed, and putting the end right.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::checkpoint::Mark;
use super::names::{self, FileName};
use super::{Kept, disk};
use crate::chat::journal;
use crate::chat::lines::{Line, LineBuffer};
use crate::chat::nick::RoomName;
use crate::chat::room::{Author, Entry, Kind, Memory, Room};
use crate::core::sanitise::sanitise_str;
use crate::core::timestamp::Timestamp;
use crate::error::IoReason;

/// The longest line that is one. The longest text is 1 MiB (`--max-line`); made visible and escaped, a byte of it takes
/// five.
const MAX_RECORD: usize = 8 * 1024 * 1024;

/// An id beyond this was not counted up to: adding one must never overflow.
const MAX_ID: u64 = u64::MAX / 2;

const CHUNK: usize = 64 * 1024;

/// How far back the log is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// What the room will remember.
    pub(super) memory: Memory,
    /// For the authors at least so many bytes, whatever the memory.
    pub(super) authors: u64,
}

impl Reach {
    /// Whether so much behind a line is enough.
    fn is_met(&self, lines: usize, bytes: u64) -> bool {
        // A line takes at most twice what it weighs in memory: `"` and `\` are two bytes in JSON, and the names of the
        // fields weigh less than twice an entry's own size.
        let whole = (self.memory.bytes as u64).saturating_mul(2);
        bytes >= self.authors && (lines >= self.memory.lines || bytes >= whole)
    }
}

/// The files of a room.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) name: RoomName,
    pub(super) current: Option<PathBuf>,
    /// With their numbers, from the oldest on.
    pub(super) rotated: Vec<(u64, PathBuf)>,
}

impl Files {
    /// How many bytes were written behind a mark. Where that cannot be told, more rather than less.
    pub(super) fn behind(&self, mark: &Mark) -> u64 {
        let size = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
        let newer = self
            .rotated
            .iter()
            .filter(|(number, _)| *number > mark.rotated);
        let rotated: u64 = newer.clone().map(|(_, path)| size(path)).sum();
        let current = self.current.as_ref().map_or(0, size);
        // The file in which the mark stands, unless it was taken away.
        let marked = match newer.clone().next() {
            Some((number, path)) if number.checked_sub(1) == Some(mark.rotated) => size(path),
            Some(_) => 0,
            None => current,
        };
        let covered = match marked >= mark.length {
            true => mark.length,
            false => 0,
        };
        rotated + current - covered
    }
}

/// What was found in a room's log.
pub(super) struct Loaded {
    pub(super) room: Kept,
    /// The highest number of each session, and when its last line was said.
    pub(super) authors: HashMap<u64, (u64, Timestamp)>,
    /// The length of the file that is written on.
    pub(super) length: u64,
}

impl Loaded {
    /// The authors with the times of their last lines.
    pub(super) fn authors(&self) -> impl Iterator<Item = (Timestamp, Author)> {
        let all = self.authors.iter();
        all.map(|(&session, &(seq, time))| (time, Author { session, seq }))
    }
}

/// The rooms' files in a directory, by the rooms' part of their names.
pub(super) fn list(path: &Path, warnings: &mut Vec<String>) -> io::Result<BTreeMap<String, Files>> {
    let mut found: BTreeMap<String, Files> = BTreeMap::new();
    for item in std::fs::read_dir(path)? {
        let item = item?;
        let file = item.file_name();
        let file = file.to_string_lossy();
        let (name, number) = match names::parse(&file) {
            FileName::Current(name) => (name, None),
            FileName::Rotated(name, number) => (name, Some(number)),
            FileName::Foreign => continue,
            FileName::Strange => {
                let path = path.display();
                let file = sanitise_str(&file);
                warnings.push(format!("ignored {path}/{file}: no room has such a name"));
                continue;
            }
        };
        let files = found.entry(names::stem(&name)).or_insert_with(|| Files {
            name,
            current: None,
            rotated: Vec::new(),
        });
        match number {
            None => files.current = Some(item.path()),
            Some(number) => files.rotated.push((number, item.path())),
        }
    }
    for files in found.values_mut() {
        files.rotated.sort_unstable();
    }
    Ok(found)
}

/// The end of a file.
struct Tail {
    path: PathBuf,
    file: File,
    /// From here on it is read: the start of a line.
    start: u64,
    /// Here ends the last line that has an end.
    whole: u64,
    length: u64,
    lines: usize,
}

/// Reads a room's log. `Err` says why nothing may be added to it.
pub(super) fn load(
    files: &Files,
    reach: Reach,
    warnings: &mut Vec<String>,
) -> Result<Loaded, String> {
    let mut tails = Vec::new();
    if let Some(path) = &files.current {
        tails.push(Tail::find(path, reach, 0, 0).map_err(|error| cannot("read", path, &error))?);
    }
    let current = tails.len();
    let mut lines = tails.iter().map(|tail| tail.lines).sum::<usize>();
    let mut bytes = tails.iter().map(Tail::size).sum::<u64>();
    for (_, path) in files.rotated.iter().rev() {
        if reach.is_met(lines, bytes) {
            break;
        }
        match Tail::find(path, reach, lines, bytes) {
            Ok(tail) => {
                lines += tail.lines;
                bytes += tail.size();
                tails.push(tail);
            }
            Err(error) => warnings.push(cannot("read", path, &error)),
        }
    }
    let mut reading = Reading::new(files.name.clone(), reach.memory);
    for tail in tails.drain(current..).rev() {
        match reading.read(&tail).and_then(|_| tail.rest()) {
            Ok(Some(rest)) if rest.is_empty() || reading.take(&rest) => {}
            Ok(_) => reading.garbage += 1,
            Err(error) => warnings.push(cannot("read", &tail.path, &error)),
        }
        reading.summarise(&tail.path, warnings);
    }
    let mut length = 0;
    if let Some(tail) = tails.pop() {
        let path = &tail.path;
        let understood = reading
            .read(&tail)
            .map_err(|error| cannot("read", path, &error))?;
        length = repair(&tail, understood, &mut reading, warnings)?;
        reading.summarise(path, warnings);
    }
    Ok(reading.finish(length))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {}", path.display(), IoReason(error))
}

impl Tail {
    /// Finds where to begin, from the end backwards. `lines` and `bytes` were found in newer files.
    fn find(path: &Path, reach: Reach, lines: usize, bytes: u64) -> io::Result<Self> {
        // Opening a FIFO would wait for a writer.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut tail = Self {
            path: path.into(),
            start: 0,
            whole: 0,
            length,
            lines: 0,
            file: file.try_clone()?,
        };
        let mut chunk = vec![0; CHUNK];
        let mut from = length;
        let mut ends = 0;
        while from > 0 {
            let size = from.min(CHUNK as u64);
            from -= size;
            let chunk = &mut chunk[..size as usize];
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(chunk)?;
            for at in memchr::memrchr_iter(b'\n', chunk) {
                let end = from + at as u64 + 1;
                if ends == 0 {
                    tail.whole = end;
                }
                tail.lines = ends;
                ends += 1;
                if reach.is_met(lines + tail.lines, bytes + tail.whole - end) {
                    tail.start = end;
                    return Ok(tail);
                }
            }
        }
        tail.lines = ends;
        Ok(tail)
    }

    /// How many bytes of whole lines are read.
    fn size(&self) -> u64 {
        self.whole - self.start
    }

    /// What is behind the last line end, if it can be a line.
    fn rest(&self) -> io::Result<Option<Vec<u8>>> {
        let size = self.length - self.whole;
        if size > MAX_RECORD as u64 {
            return Ok(None);
        }
        let mut rest = vec![0; size as usize];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.whole))?;
        file.read_exact(&mut rest)?;
        Ok(Some(rest))
    }
}

/// A crash in the middle of a write leaves a part of the last line. It was acknowledged to nobody, and what is
/// written next must not become one line with it. The length from then on.
fn repair(
    tail: &Tail,
    understood: bool,
    reading: &mut Reading,
    warnings: &mut Vec<String>,
) -> Result<u64, String> {
    let path = &tail.path;
    let torn = tail.length - tail.whole;
    let rest = match torn {
        0 => Some(Vec::new()),
        _ => tail.rest().map_err(|error| cannot("read", path, &error))?,
    };
    let ours = match (tail.whole, &rest) {
        // The first line of a new file; or a place for it that a power loss left without content.
        (0, Some(rest)) => begins_like_a_line(rest) || rest.iter().all(|&byte| byte == 0),
        (0, None) => false,
        _ => understood,
    };
    if !ours {
        return Err(format!("{} is not the log of a room", path.display()));
    }
    let is_whole = torn > 0 && rest.is_some_and(|rest| reading.take(&rest));
    let repaired = disk::open(path).and_then(|file| {
        if is_whole {
            disk::append(&file, b"\n")?;
        } else if torn > 0 {
            disk::cut(&file, tail.whole)?;
        }
        // What a killed server had written may still be in memory alone, and is shown from now on.
        disk::sync(&file)
    });
    repaired.map_err(|error| cannot("repair", path, &error))?;
    if is_whole {
        warnings.push(format!("{}: completed the last line", path.display()));
    } else if torn > 0 {
        let text = "that were no whole line";
        warnings.push(format!(
            "{}: cut off the last {torn} bytes {text}",
            path.display()
        ));
    }
    Ok(match is_whole {
        true => tail.length + 1,
        false => tail.whole,
    })
}

fn begins_like_a_line(bytes: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"id\":";
    let length = bytes.len().min(BEGINNING.len());
    bytes[..length] == BEGINNING[..length]
}

/// What any version of this program gives a line.
#[derive(Deserialize)]
struct Numbered {
    id: u64,
    #[serde(rename = "time")]
    _time: Timestamp,
    #[serde(rename = "kind")]
    _kind: String,
}

/// What was read so far.
struct Reading {
    room: Room,
    last_id: u64,
    topic: Option<Entry>,
    authors: HashMap<u64, (u64, Timestamp)>,
    /// Lines that are none.
    garbage: usize,
    /// Lines whose id was there before.
    stale: usize,
    /// The first gap, and how many there are.
    gap: Option<(u64, u64)>,
    gaps: usize,
}

impl Reading {
    fn new(name: RoomName, memory: Memory) -> Self {
        Self {
            room: Room::new(name, memory, false),
            last_id: 0,
            topic: None,
            authors: HashMap::new(),
            garbage: 0,
            stale: 0,
            gap: None,
            gaps: 0,
        }
    }

    /// Reads the lines that have an end. Says whether any was understood, or there were none.
    fn read(&mut self, tail: &Tail) -> io::Result<bool> {
        let mut buffer = LineBuffer::default();
        let mut chunk = vec![0; CHUNK];
        let mut file = &tail.file;
        let mut left = tail.size();
        let mut understood = left == 0;
        file.seek(SeekFrom::Start(tail.start))?;
        while left > 0 {
            let size = left.min(CHUNK as u64) as usize;
            file.read_exact(&mut chunk[..size])?;
            left -= size as u64;
            buffer.push(&chunk[..size]);
            while let Some(line) = buffer.next_line(MAX_RECORD) {
                let taken = match line {
                    Line::Text(line) => self.take(line),
                    Line::TooLong => false,
                };
                understood |= taken;
                self.garbage += usize::from(!taken);
            }
        }
        Ok(understood)
    }

    /// Takes a line. Says whether it is one.
    fn take(&mut self, line: &[u8]) -> bool {
        let entry = journal::read(line);
        let id = match &entry {
            Some(entry) => entry.id,
            // Of a kind that a newer version knows: its id is taken all the same.
            None => match serde_json::from_slice::<Numbered>(line) {
                Ok(numbered) => numbered.id,
                Err(_) => return false,
            },
        };
        if !(1..MAX_ID).contains(&id) {
            return false;
        }
        if let Some(entry) = &entry
            && let Some(author) = entry.author
        {
            let (seq, time) = self.authors.entry(author.session).or_default();
            *seq = author.seq.max(*seq);
            *time = entry.time;
        }
        if id <= self.last_id {
            self.stale += 1;
            return true;
        }
        if self.last_id != 0 && id != self.last_id + 1 {
            self.gap.get_or_insert((self.last_id + 1, id - 1));
            self.gaps += 1;
        }
        self.last_id = id;
        if let Some(entry) = entry {
            if entry.kind == Kind::Topic {
                self.topic = Some(entry.clone());
            }
            self.room.restore(entry);
        }
        true
    }

    /// Says what was wrong with a file.
    fn summarise(&mut self, path: &Path, warnings: &mut Vec<String>) {
        let path = path.display();
        let count = |number: usize| match number {
            1 => "1 line".to_string(),
            _ => format!("{number} lines"),
        };
        if self.garbage > 0 {
            let garbage = count(std::mem::take(&mut self.garbage));
            warnings.push(format!("{path}: left out {garbage} without sense"));
        }
        if self.stale > 0 {
            let stale = count(std::mem::take(&mut self.stale));
            warnings.push(format!(
                "{path}: left out {stale} with ids that had been there"
            ));
        }
        if let Some((first, last)) = self.gap.take() {
            let more = match std::mem::take(&mut self.gaps) - 1 {
                0 => String::new(),
                more => format!(", and {more} more such gaps follow"),
            };
            warnings.push(format!(
                "{path}: the lines {first} to {last} are missing{more}"
            ));
        }
    }

    fn finish(self, length: u64) -> Loaded {
        Loaded {
            room: Kept {
                name: self.room.name().clone(),
                entries: self.room.since(0).cloned().collect(),
                last_id: self.last_id,
                topic: self.topic,
            },
            authors: self.authors,
            length,
        }
    }
}
