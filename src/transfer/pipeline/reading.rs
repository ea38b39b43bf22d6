//! A worker of the sending end: opens sources, reads them piece by piece, and says what it found.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::IoReason;
use crate::transfer::digest::{ChunkDigest, DigestKind, FileDigest};
use crate::transfer::entry::ModifiedAt;
use crate::transfer::frame::crc;
use crate::transfer::pipeline::crew::{Queue, Shared};
use crate::transfer::pipeline::hashing::{Companion, FileHash};
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::pool::{Buffer, LARGE, Pool};
use crate::transfer::pipeline::supply::{Input, Origin, Page, Supply};
use crate::transfer::pipeline::words::Words;
use crate::transfer::sender::{Content, SenderOutcome, SourceEnd};
use crate::transfer::source::OpenSource;
use crate::transfer::source::extents::Extent;
use crate::transfer::table::Abandoned;
use crate::transfer::wire::EntryId;

/// What one read takes in. Its checksum is computed while it is still in the cache.
const STEP: usize = 256 * 1024;

/// What a worker is to do.
#[derive(Debug)]
pub enum Job {
    /// Find entries.
    Walk { max: usize },
    /// Open a source.
    Open {
        entry: EntryId,
        round: u8,
        input: Arc<Input>,
    },
    /// Read a piece.
    Read {
        entry: EntryId,
        round: u8,
        offset: u64,
        len: u32,
        digest: Option<DigestKind>,
    },
    /// It is read no further.
    Close { entry: EntryId },
}

/// What a worker says.
#[derive(Debug)]
pub enum Word {
    /// A page of the walk.
    Page(Page),
    /// For the machine.
    Outcome(SenderOutcome<Buffer>),
    /// Why it is going to say that this failed, for a person.
    Why { entry: EntryId, text: String },
}

/// What all workers have in common.
#[derive(Clone)]
pub struct Tools {
    pub shared: Arc<Shared>,
    pub supply: Arc<Supply>,
    pub pool: Pool,
    /// Whether pieces that are large bring their checksum along.
    pub checksums: bool,
    pub inbox: Arc<Inbox<Word>>,
}

/// An open source.
struct Reading {
    round: u8,
    from: From,
    hash: FileHash,
}

enum From {
    File(OpenSource),
    /// stdin.
    Stream,
}

/// A piece that was read.
struct Piece {
    content: Content<Buffer>,
    len: usize,
    digest: Option<ChunkDigest>,
}

struct Worker {
    tools: Tools,
    open: HashMap<EntryId, Reading>,
    companion: Companion,
    words: Words<Word>,
}

/// Works until there is nothing more to do.
pub fn run(queue: &Queue<Job>, tools: Tools) {
    let mut worker = Worker {
        open: HashMap::new(),
        companion: Companion::new(Arc::clone(&tools.shared)),
        words: Words::new(Arc::clone(&tools.inbox)),
        tools,
    };
    let mut jobs = Vec::new();
    while queue.take(&mut jobs, || worker.words.rest()) {
        for job in jobs.drain(..) {
            if !worker.tools.shared.is_over() {
                worker.work(job);
            }
            queue.done(1);
        }
    }
}

impl Worker {
    fn work(&mut self, job: Job) {
        match job {
            Job::Walk { max } => {
                let shared = &self.tools.shared;
                if let Some(page) = self.tools.supply.page(max, || shared.is_over()) {
                    self.words.say(Word::Page(page));
                    self.words.flush();
                }
            }
            Job::Open {
                entry,
                round,
                input,
            } => {
                self.close(entry);
                match self.open(entry, round, &input) {
                    Ok((reading, size, modified)) => {
                        self.open.insert(entry, reading);
                        self.words.say(Word::Outcome(SenderOutcome::Opened {
                            entry,
                            round,
                            size,
                            modified,
                        }));
                    }
                    Err(error) => self.failed(entry, round, &error),
                }
            }
            Job::Read {
                entry,
                round,
                offset,
                len,
                digest,
            } => self.read(entry, round, offset, len, digest),
            Job::Close { entry } => self.close(entry),
        }
    }

    fn close(&mut self, entry: EntryId) {
        if let Some(reading) = self.open.remove(&entry) {
            self.companion.forget(reading.hash);
        }
    }

    fn open(
        &mut self,
        entry: EntryId,
        round: u8,
        input: &Input,
    ) -> io::Result<(Reading, Option<u64>, ModifiedAt)> {
        let (from, size, modified) = match &input.origin {
            Origin::Found(found) => {
                let source = OpenSource::open(found)?;
                let identity = source.identity();
                (From::File(source), Some(identity.size), identity.modified)
            }
            Origin::Stream(begun) => {
                if begun.swap(true, Ordering::Relaxed) {
                    return Err(io::Error::other("a stream can be read only once"));
                }
                (From::Stream, None, now())
            }
        };
        let hash = self.companion.begin(entry, size);
        Ok((Reading { round, from, hash }, size, modified))
    }

    fn failed(&mut self, entry: EntryId, round: u8, error: &io::Error) {
        self.close(entry);
        self.words.say(Word::Why {
            entry,
            text: IoReason(error).to_string(),
        });
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Abandoned::Vanished,
            _ => Abandoned::Unreadable,
        };
        self.words.say(Word::Outcome(SenderOutcome::Failed {
            entry,
            round,
            reason,
        }));
    }

    fn read(
        &mut self,
        entry: EntryId,
        round: u8,
        offset: u64,
        len: u32,
        digest: Option<DigestKind>,
    ) {
        let Some(mut reading) = self.open.remove(&entry) else {
            // Behind the end of the source.
            return;
        };
        if reading.round != round {
            self.open.insert(entry, reading);
            return;
        }
        let piece = match self.piece(&mut reading, offset, len, digest) {
            Ok(Some(piece)) => piece,
            Ok(None) => return self.companion.forget(reading.hash),
            Err(error) => {
                self.companion.forget(reading.hash);
                return self.failed(entry, round, &error);
            }
        };
        let at = offset + piece.len as u64;
        let is_last = piece.len < len as usize
            || match &reading.from {
                From::File(source) => at >= source.identity().size,
                From::Stream => false,
            };
        let chunk = move |piece: Piece, end| {
            Word::Outcome(SenderOutcome::Chunk {
                entry,
                round,
                offset,
                len: piece.len as u32,
                content: piece.content,
                digest: piece.digest,
                end,
            })
        };
        if !is_last {
            let is_large = piece.len >= LARGE;
            self.words.say(chunk(piece, None));
            if is_large {
                self.words.flush();
            }
            self.open.insert(entry, reading);
            return;
        }
        let changed = match &reading.from {
            // What cannot be asked any more may have changed.
            From::File(source) => {
                at != source.identity().size || source.change().map_or(true, |it| it.is_some())
            }
            From::Stream => false,
        };
        let end = move |sha256: FileDigest| Some(SourceEnd { sha256, changed });
        match reading.hash.now() {
            Ok(sha256) => self.words.say(chunk(piece, end(sha256))),
            Err(hash) => {
                // The companion says it, behind what was said so far.
                self.words.flush();
                let inbox = self.words.inbox();
                self.companion.finish(hash, move |sha256| {
                    inbox.say(&mut vec![chunk(piece, end(sha256))]);
                });
            }
        }
    }

    /// Reads and hashes. `None`: there is no buffer to be had any more.
    fn piece(
        &mut self,
        reading: &mut Reading,
        offset: u64,
        len: u32,
        kind: Option<DigestKind>,
    ) -> io::Result<Option<Piece>> {
        if let From::File(source) = &reading.from
            && is_hole(source, offset, len.into())?
        {
            self.companion.zeros(&mut reading.hash, len.into());
            let len = len as usize;
            return Ok(Some(Piece {
                content: Content::Hole,
                len,
                digest: kind.map(|kind| kind.of(&vec![0; len])),
            }));
        }
        // Pieces that were read and not said yet are in buffers of the same pool.
        let words = &mut self.words;
        let Some(mut fresh) = self.tools.pool.take_after(len as usize, || words.flush()) else {
            return Ok(None);
        };
        // Most of what is compared is not sent.
        let sums = self.tools.checksums && len as usize >= LARGE && kind.is_none();
        let (mut filled, mut sum) = (0, 0);
        for step in fresh.bytes_mut().chunks_mut(STEP) {
            let count = match &reading.from {
                From::File(source) => source.read_at(offset + filled as u64, step)?,
                From::Stream => read_full(&mut io::stdin(), step)?,
            };
            if sums {
                sum = crc(sum, &step[..count]);
            }
            filled += count;
            if count < step.len() {
                break;
            }
        }
        if filled == 0 {
            return Ok(Some(Piece {
                content: Content::Hole,
                len: 0,
                digest: None,
            }));
        }
        let buffer = fresh.filled(filled, sums.then_some(sum));
        self.companion.bytes(&mut reading.hash, &buffer, 0..filled);
        Ok(Some(Piece {
            digest: kind.map(|kind| kind.of(&buffer)),
            content: Content::Bytes(buffer),
            len: filled,
        }))
    }
}

/// Whether these bytes are zeros that the file system does not store.
fn is_hole(source: &OpenSource, offset: u64, len: u64) -> io::Result<bool> {
    if len == 0 {
        return Ok(true);
    }
    Ok(match source.next_extent(offset)? {
        Some(Extent::Hole(hole)) => hole.start <= offset && hole.end >= offset + len,
        _ => false,
    })
}

/// A pipe gives what is there: it is asked until the buffer is full or all has come.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// What a stream has for a time of its content.
fn now() -> ModifiedAt {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    ModifiedAt {
        secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos(),
    }
}
