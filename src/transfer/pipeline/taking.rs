//! A worker of the receiving end: looks at what is there, takes in what comes, and stores it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transfer::digest::{DigestKind, FileDigest};
use crate::transfer::entry::{Entry, EntryKind, ModifiedAt};
use crate::transfer::frame::MAX_PAYLOAD;
use crate::transfer::path::PeerPath;
use crate::transfer::pipeline::crew::{Queue, Shared};
use crate::transfer::pipeline::hashing::{Companion, FileHash, WORTH_A_THREAD};
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::pool::{Buffer, Pool};
use crate::transfer::pipeline::target::{Outlet, Target};
use crate::transfer::pipeline::telling;
use crate::transfer::pipeline::words::Words;
use crate::transfer::receiver::{Finding, ReceiverAction, ReceiverOutcome};
use crate::transfer::store::{Candidate, Cause, Class, Failure, Part, Reason, Session, Stored};
use crate::transfer::wire::{AbortReason, EntryId, Refusal};

/// Buffers for what is read to be hashed: the companion is so far behind at the most. They are not the connection's,
/// or a worker could wait for what only it can give back.
const OWN_POOL: usize = 4 * MAX_PAYLOAD;

/// What a worker says.
#[derive(Debug)]
pub enum Word {
    /// For the machine.
    Outcome(ReceiverOutcome),
    /// Why it is going to say that this is refused or failed, for a person. `key`: [`key_of`] the entry.
    Why { key: usize, text: String },
    /// Where an entry was stored.
    SavedAs {
        key: usize,
        path: PeerPath,
        renamed: bool,
    },
    /// The disk takes nothing more, of any entry.
    Full { text: String, reason: AbortReason },
    /// Something did not work out that is no entry's failure.
    Warning(String),
}

/// By what an entry is known outside of the machine, for as long as that has it.
pub fn key_of(entry: &Arc<Entry>) -> usize {
    Arc::as_ptr(entry) as usize
}

/// What all workers have in common.
#[derive(Clone)]
pub struct Tools {
    pub shared: Arc<Shared>,
    pub target: Target,
    pub inbox: Arc<Inbox<Word>>,
    pub open: Open,
}

/// The entries under way, of all workers. An entry has one worker at a time, so that its actions keep their order:
/// the one that examines it, and then the one that has the least to do when its content comes.
#[derive(Clone, Default)]
pub struct Open(Arc<Mutex<HashMap<EntryId, Taking>>>);

impl Open {
    fn entries(&self) -> MutexGuard<'_, HashMap<EntryId, Taking>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: EntryId, taking: Taking) {
        self.entries().insert(id, taking);
    }

    /// `None`: it has failed.
    fn take(&self, id: EntryId) -> Option<Taking> {
        self.entries().remove(&id)
    }
}

/// What was there when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Had {
    Nothing,
    Part,
    Candidate,
}

/// What is being filled or compared.
enum Body {
    None,
    Candidate(Candidate),
    /// And the round in which it was opened: from the next on, what counts is only what is in it.
    Part(Box<Part>, u8),
    Stream(Arc<Outlet>),
}

/// The SHA-256 of a round.
struct Hashing {
    round: u8,
    hash: FileHash,
    /// Up to where it ran ahead of what is kept, in the read that compares.
    ahead: u64,
    /// Something else came in between: what ran ahead is of no use.
    is_apart: bool,
}

impl Hashing {
    fn new(round: u8, hash: FileHash) -> Self {
        Self {
            round,
            hash,
            ahead: 0,
            is_apart: false,
        }
    }
}

struct Taking {
    key: usize,
    /// As it goes here.
    entry: Arc<Entry>,
    had: Had,
    body: Body,
    round: u8,
    size: Option<u64>,
    modified: ModifiedAt,
    hashing: Option<Hashing>,
    cursor: u64,
}

impl Taking {
    /// The entry as the sender has it now.
    fn current(&self) -> Entry {
        Entry {
            kind: match &self.entry.kind {
                EntryKind::File { .. } => EntryKind::File { size: self.size },
                other => other.clone(),
            },
            modified: self.modified,
            ..Entry::clone(&self.entry)
        }
    }

    fn gone(&self, found: u64, wanted: u64) -> Failure {
        Failure::refused("read", &self.entry.path, Reason::WrongLength(found, wanted))
    }
}

struct Worker {
    tools: Tools,
    companion: Companion,
    words: Words<Word>,
    pool: Pool,
}

/// Works until there is nothing more to do.
pub fn run(queue: &Queue<ReceiverAction<Buffer>>, tools: Tools) {
    let mut worker = Worker {
        companion: Companion::new(Arc::clone(&tools.shared)),
        words: Words::new(Arc::clone(&tools.inbox)),
        pool: Pool::new(OWN_POOL),
        tools,
    };
    let mut jobs = Vec::new();
    while queue.take(&mut jobs, || worker.words.rest()) {
        for job in jobs.drain(..) {
            worker.work(job);
            queue.done(1);
        }
    }
}

impl Worker {
    fn work(&mut self, action: ReceiverAction<Buffer>) {
        let is_over = self.tools.shared.is_over();
        match action {
            // What nobody will hear of any more.
            ReceiverAction::Examine { .. }
            | ReceiverAction::HashExisting { .. }
            | ReceiverAction::Finish { expected: None, .. }
            | ReceiverAction::Settle
                if is_over => {}
            ReceiverAction::Examine { id, entry } => self.examine(id, &entry),
            ReceiverAction::HashExisting {
                id,
                round,
                offset,
                len,
                kind,
            } => self.with(id, |worker, taking| {
                worker.hash_existing(id, taking, round, (offset, len), kind)
            }),
            // What was ordered is done already; a report that comes too late does no harm.
            ReceiverAction::StopHashing { .. } | ReceiverAction::Report(_) => {}
            ReceiverAction::Begin {
                id,
                round,
                size,
                modified,
            } => self.with(id, |worker, taking| {
                worker.begin(id, taking, round, size, modified)
            }),
            ReceiverAction::Keep { id, offset, len } => {
                self.with(id, |worker, taking| worker.keep(id, taking, offset, len))
            }
            ReceiverAction::Write {
                id,
                offset,
                payload,
                range,
            } => self.with(id, |worker, taking| {
                worker.write(id, taking, offset, &payload, range)
            }),
            ReceiverAction::Hole { id, offset, len } => {
                self.with(id, |worker, taking| worker.hole(id, taking, offset, len))
            }
            ReceiverAction::Finish {
                id,
                round,
                expected,
                ..
            } => self.finish(id, round, expected),
            ReceiverAction::Commit { id, identical } => {
                self.commit(id, identical, ReceiverOutcome::Stored { id });
            }
            ReceiverAction::Discard { id, remove } => self.discard(id, remove),
            ReceiverAction::Settle => self.settle(),
        }
    }

    fn outcome(&mut self, outcome: ReceiverOutcome) {
        self.words.say(Word::Outcome(outcome));
    }

    /// Does something with an entry that is under way.
    fn with(
        &mut self,
        id: EntryId,
        work: impl FnOnce(&mut Self, &mut Taking) -> Result<(), Failure>,
    ) {
        let Some(mut taking) = self.tools.open.take(id) else {
            return;
        };
        match work(self, &mut taking) {
            Ok(()) => {
                self.tools.open.put(id, taking);
            }
            Err(failure) => {
                self.forget_hash(&mut taking);
                self.failed(id, taking.key, &failure);
            }
        }
    }

    /// What is there of it stays, to be resumed.
    fn failed(&mut self, id: EntryId, key: usize, failure: &Failure) {
        let is_system = matches!(failure.cause(), Cause::System(_));
        if is_system && failure.class() == Class::NoSpace {
            self.words.say(Word::Full {
                text: failure.to_string(),
                reason: AbortReason::NoSpace,
            });
        }
        self.words.say(Word::Why {
            key,
            text: failure.to_string(),
        });
        let failure = telling::failed(failure);
        self.outcome(ReceiverOutcome::Failed { id, failure });
        self.words.flush();
    }

    fn examine(&mut self, id: EntryId, offered: &Arc<Entry>) {
        let key = key_of(offered);
        let (finding, had, body, entry) = match self.tools.target.place(offered) {
            None => {
                self.words.say(Word::Why {
                    key,
                    text: "there is a place for one file only".to_owned(),
                });
                let finding = Finding::Refuse(Refusal::Other);
                return self.outcome(ReceiverOutcome::Examined { id, finding });
            }
            Some(entry) => match &self.tools.target {
                Target::Stream { outlet, .. } => {
                    let body = Body::Stream(Arc::clone(outlet));
                    (Finding::Nothing, Had::Nothing, body, entry)
                }
                Target::Folder(session) | Target::File { session, .. } => {
                    let (finding, why) = telling::finding(session.consider(&entry));
                    if let Some(text) = why {
                        self.words.say(Word::Why { key, text });
                    }
                    let had = match finding {
                        Finding::Nothing => Had::Nothing,
                        Finding::Part { .. } => Had::Part,
                        Finding::Candidate { .. } => Had::Candidate,
                        Finding::Skip(_) | Finding::Refuse(_) => {
                            return self.outcome(ReceiverOutcome::Examined { id, finding });
                        }
                    };
                    (finding, had, Body::None, entry)
                }
            },
        };
        self.tools.open.put(
            id,
            Taking {
                key,
                had,
                body,
                round: 1,
                size: entry.size(),
                modified: entry.modified,
                entry,
                hashing: None,
                cursor: 0,
            },
        );
        self.outcome(ReceiverOutcome::Examined { id, finding });
    }

    fn session(&self, taking: &Taking) -> Result<Arc<Session>, Failure> {
        match self.tools.target.session() {
            Some(session) => Ok(Arc::clone(session)),
            None => Err(Failure::new(
                "store",
                &taking.entry.path,
                std::io::ErrorKind::Unsupported.into(),
            )),
        }
    }

    /// Opens what was found, unless it is open.
    fn open_existing(&self, taking: &mut Taking, round: u8) -> Result<(), Failure> {
        if !matches!(taking.body, Body::None) {
            return Ok(());
        }
        let session = self.session(taking)?;
        taking.body = match taking.had {
            Had::Candidate => match session.candidate(&taking.entry)? {
                Some(candidate) => Body::Candidate(candidate),
                None => return Err(taking.gone(0, taking.entry.size().unwrap_or(0))),
            },
            Had::Part | Had::Nothing => {
                let part = session.begin(&taking.current(), None)?;
                Body::Part(Box::new(part), round)
            }
        };
        Ok(())
    }

    /// Makes sure that there is a partial file with everything up to the cursor. What was the same in an existing
    /// file goes over into it, and is hashed again as it is there.
    fn ensure_part(&mut self, id: EntryId, taking: &mut Taking) -> Result<(), Failure> {
        if matches!(taking.body, Body::Part(..)) {
            return Ok(());
        }
        let session = self.session(taking)?;
        let mut part = match taking.had {
            Had::Nothing => session.begin_new(&taking.current())?,
            Had::Part | Had::Candidate => session.begin(&taking.current(), None)?,
        };
        if taking.cursor > 0 {
            part.keep(0, taking.cursor)?;
        }
        taking.body = Body::Part(Box::new(part), taking.round);
        if taking.cursor > 0 && taking.hashing.is_some() {
            self.begin_hash(id, taking, taking.round);
            self.hash_from_disk(taking, 0, taking.cursor)?;
        }
        Ok(())
    }

    fn begin_hash(&mut self, id: EntryId, taking: &mut Taking, round: u8) {
        self.forget_hash(taking);
        let hash = self.companion.begin(id, taking.size);
        taking.hashing = Some(Hashing::new(round, hash));
    }

    fn forget_hash(&self, taking: &mut Taking) {
        if let Some(hashing) = taking.hashing.take() {
            self.companion.forget(hashing.hash);
        }
    }

    /// Whether the SHA-256 may run ahead with the chunk at `offset`: it follows what it has, and is read where it
    /// will stay.
    fn may_run_ahead(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        round: u8,
        (offset, len): (u64, u64),
    ) -> bool {
        let is_in_place = match &taking.body {
            Body::Candidate(_) => true,
            Body::Part(part, opened) => *opened != round || part.has_in_place(offset, len),
            Body::None | Body::Stream(_) => false,
        };
        let is_begun = taking
            .hashing
            .as_ref()
            .is_some_and(|hashing| hashing.round == round);
        if is_in_place && offset == 0 && !is_begun {
            self.begin_hash(id, taking, round);
        }
        is_in_place
            && taking.hashing.as_ref().is_some_and(|hashing| {
                hashing.round == round && hashing.ahead == offset && !hashing.is_apart
            })
    }

    fn hash_existing(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        round: u8,
        (offset, len): (u64, u32),
        kind: DigestKind,
    ) -> Result<(), Failure> {
        self.open_existing(taking, round)?;
        let end = offset + u64::from(len);
        let Some(mut fresh) = self.pool.take(len as usize) else {
            return Ok(());
        };
        let buffer = fresh.bytes_mut();
        let count = match &taking.body {
            Body::Candidate(candidate) => candidate.read_at(offset, buffer)?,
            Body::Part(part, opened) if *opened == round => part.read_have(offset, buffer)?,
            Body::Part(part, _) => part.read_at(offset, buffer)?,
            Body::None | Body::Stream(_) => 0,
        };
        if count < buffer.len() {
            return Err(taking.gone(offset + count as u64, end));
        }
        let buffer = fresh.filled(count, None);
        let digest = kind.of(&buffer);
        self.tools.shared.worked(u64::from(len));
        if self.may_run_ahead(id, taking, round, (offset, len.into()))
            && let Some(hashing) = &mut taking.hashing
        {
            self.companion.run_ahead(&mut hashing.hash, &buffer, end);
            hashing.ahead = end;
        }
        self.outcome(ReceiverOutcome::Digest {
            id,
            round,
            offset,
            digest,
        });
        if len as usize >= MAX_PAYLOAD / 2 {
            self.words.flush();
        }
        Ok(())
    }

    fn begin(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        round: u8,
        size: Option<u64>,
        modified: ModifiedAt,
    ) -> Result<(), Failure> {
        taking.round = round;
        taking.size = size;
        taking.modified = modified;
        taking.cursor = 0;
        // It may have run ahead already.
        if taking
            .hashing
            .as_ref()
            .is_none_or(|hashing| hashing.round != round)
        {
            self.begin_hash(id, taking, round);
        }
        // A sender may begin a hundred small ones at once: each is opened when there is something to write.
        let is_small = size.is_some_and(|size| size <= WORTH_A_THREAD);
        if taking.had == Had::Nothing && matches!(taking.body, Body::None) && !is_small {
            self.ensure_part(id, taking)?;
        }
        Ok(())
    }

    fn keep(
        &mut self,
        _id: EntryId,
        taking: &mut Taking,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        let round = taking.round;
        self.open_existing(taking, round)?;
        let end = offset + len;
        let mut at = offset;
        while at < end && !self.tools.shared.is_over() {
            let step = (end - at).min(MAX_PAYLOAD as u64);
            if let Body::Part(part, opened) = &mut taking.body
                && *opened == round
            {
                part.keep(at, step)?;
            }
            at += step;
        }
        match &mut taking.hashing {
            Some(hashing) if end <= hashing.ahead && !hashing.is_apart => {
                self.companion.keep(&mut hashing.hash, end);
            }
            _ => self.hash_from_disk(taking, offset, end)?,
        }
        taking.cursor = end;
        Ok(())
    }

    /// Feeds the SHA-256 with what is on disk.
    fn hash_from_disk(&mut self, taking: &mut Taking, from: u64, end: u64) -> Result<(), Failure> {
        let mut at = from;
        while at < end && !self.tools.shared.is_over() {
            let step = (end - at).min(MAX_PAYLOAD as u64) as usize;
            let Some(mut fresh) = self.pool.take(step) else {
                return Ok(());
            };
            let count = match &taking.body {
                Body::Candidate(candidate) => candidate.read_at(at, fresh.bytes_mut())?,
                Body::Part(part, _) => part.read_at(at, fresh.bytes_mut())?,
                Body::None | Body::Stream(_) => 0,
            };
            if count < step {
                return Err(taking.gone(at + count as u64, end));
            }
            let buffer = fresh.filled(step, None);
            self.hash_bytes(taking, &buffer, 0..step);
            self.tools.shared.worked(step as u64);
            at += step as u64;
        }
        Ok(())
    }

    fn hash_bytes(&self, taking: &mut Taking, buffer: &Buffer, range: Range<usize>) {
        if let Some(hashing) = &mut taking.hashing {
            hashing.is_apart = true;
            self.companion.bytes(&mut hashing.hash, buffer, range);
        }
    }

    fn write(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        offset: u64,
        payload: &Buffer,
        range: Range<usize>,
    ) -> Result<(), Failure> {
        let len = range.len() as u64;
        if let Body::Stream(outlet) = &taking.body {
            let outlet = Arc::clone(outlet);
            self.hash_bytes(taking, payload, range.clone());
            outlet
                .write(&payload[range])
                .map_err(|error| Failure::new("write", &taking.entry.path, error))?;
        } else {
            self.ensure_part(id, taking)?;
            // The companion hashes while this thread writes.
            self.hash_bytes(taking, payload, range.clone());
            if let Body::Part(part, _) = &mut taking.body {
                part.write_at(offset, &payload[range])?;
            }
        }
        self.tools.shared.worked(len);
        taking.cursor = offset + len;
        Ok(())
    }

    fn hole(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        if let Body::Stream(outlet) = &taking.body {
            outlet
                .zeros(len, || self.tools.shared.is_over())
                .map_err(|error| Failure::new("write", &taking.entry.path, error))?;
        } else {
            self.ensure_part(id, taking)?;
            if let Body::Part(part, _) = &mut taking.body {
                part.hole(offset, len)?;
            }
        }
        if let Some(hashing) = &mut taking.hashing {
            hashing.is_apart = true;
            self.companion.zeros(&mut hashing.hash, len);
        }
        taking.cursor = offset + len;
        Ok(())
    }

    fn finish(&mut self, id: EntryId, round: u8, expected: Option<FileDigest>) {
        let Some(mut taking) = self.tools.open.take(id) else {
            return;
        };
        let Some(Hashing { hash, .. }) = taking.hashing.take() else {
            return self.tools.open.put(id, taking);
        };
        let hashed = move |sha256| Word::Outcome(ReceiverOutcome::Hashed { id, round, sha256 });
        let hash = hash.now();
        if let Ok(sha256) = hash
            && expected == Some(sha256)
            && self.tools.shared.has_time()
        {
            let stored = ReceiverOutcome::StoredAtOnce { id, round, sha256 };
            return self.conclude(id, taking, false, stored);
        }
        self.tools.open.put(id, taking);
        match hash {
            // There is no time for it any more.
            Ok(sha256) if expected == Some(sha256) => {}
            Ok(sha256) => self.words.say(hashed(sha256)),
            Err(hash) => {
                self.words.flush();
                let inbox = self.words.inbox();
                self.companion
                    .finish(hash, move |sha256| inbox.say(&mut vec![hashed(sha256)]));
            }
        }
    }

    fn commit(&mut self, id: EntryId, identical: bool, outcome: ReceiverOutcome) {
        if let Some(taking) = self.tools.open.take(id) {
            self.conclude(id, taking, identical, outcome);
        }
    }

    fn conclude(
        &mut self,
        id: EntryId,
        mut taking: Taking,
        identical: bool,
        outcome: ReceiverOutcome,
    ) {
        match self.store(id, &mut taking, identical) {
            Ok(stored) => {
                if let Some(stored) = stored {
                    self.words.say(Word::SavedAs {
                        key: taking.key,
                        path: stored.path,
                        renamed: stored.renamed,
                    });
                }
                self.outcome(outcome);
            }
            Err(failure) => self.failed(id, taking.key, &failure),
        }
    }

    fn store(
        &mut self,
        id: EntryId,
        taking: &mut Taking,
        identical: bool,
    ) -> Result<Option<Stored>, Failure> {
        if matches!(taking.body, Body::Stream(_)) {
            return Ok(None);
        }
        let session = self.session(taking)?;
        match taking.entry.kind {
            EntryKind::Directory => return session.directory(&taking.entry).map(Some),
            EntryKind::Symlink { .. } => return session.link(&taking.entry).map(Some),
            EntryKind::File { .. } => {}
        }
        let current = taking.current();
        if identical {
            self.open_existing(taking, taking.round)?;
            if let Body::Candidate(candidate) = std::mem::replace(&mut taking.body, Body::None) {
                candidate.keep(&current)?;
            }
            return Ok(None);
        }
        self.ensure_part(id, taking)?;
        match std::mem::replace(&mut taking.body, Body::None) {
            Body::Part(part, _) => part.commit(&current).map(Some),
            _ => Ok(None),
        }
    }

    fn discard(&mut self, id: EntryId, remove: bool) {
        let Some(mut taking) = self.tools.open.take(id) else {
            return;
        };
        self.forget_hash(&mut taking);
        if let Body::Part(part, _) = taking.body
            && remove
            && let Err(failure) = part.discard()
        {
            self.words.say(Word::Warning(failure.to_string()));
        }
    }

    /// Modes and times of directories, when nothing comes any more.
    fn settle(&mut self) {
        let failures = match self.tools.target.session() {
            Some(session) => session.finish(),
            None => Vec::new(),
        };
        for failure in failures {
            match failure.class() {
                Class::NoSpace | Class::Device => self.words.say(Word::Full {
                    text: failure.to_string(),
                    reason: AbortReason::Disk,
                }),
                _ => self.words.say(Word::Warning(failure.to_string())),
            }
        }
        self.outcome(ReceiverOutcome::Settled);
        self.words.flush();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::transfer::pipeline::pool::Pool;
    use crate::transfer::store::{Policy, Store};

    #[test]
    fn what_one_worker_examined_another_may_store() {
        let dir = tempfile::tempdir().unwrap();
        let session = Store::open(dir.path(), Policy::default())
            .unwrap()
            .session();
        let tools = Tools {
            shared: Arc::default(),
            target: Target::Folder(Arc::new(session)),
            inbox: Arc::new(Inbox::new()),
            open: Open::default(),
        };
        let mut fresh = Pool::new(MAX_PAYLOAD).take(5).unwrap();
        fresh.bytes_mut().copy_from_slice(b"hello");
        let payload = fresh.filled(5, None);
        let expected = FileDigest(Sha256::digest(b"hello").into());
        let entry = Entry {
            path: PeerPath::from_components([b"name".to_vec()]).unwrap(),
            kind: EntryKind::File { size: Some(5) },
            modified: ModifiedAt::default(),
            mode: 0o644,
        };
        let (id, round) = (7, 1);
        for mut actions in [
            vec![ReceiverAction::Examine {
                id,
                entry: Arc::new(entry),
            }],
            vec![
                ReceiverAction::Begin {
                    id,
                    round,
                    size: Some(5),
                    modified: ModifiedAt::default(),
                },
                ReceiverAction::Write {
                    id,
                    offset: 0,
                    payload,
                    range: 0..5,
                },
            ],
            vec![ReceiverAction::Finish {
                id,
                round,
                size: 5,
                expected: Some(expected),
            }],
        ] {
            let queue = Queue::new();
            queue.give(&mut actions);
            queue.close();
            run(&queue, tools.clone());
        }
        assert_eq!(std::fs::read(dir.path().join("name")).unwrap(), b"hello");
    }
}
