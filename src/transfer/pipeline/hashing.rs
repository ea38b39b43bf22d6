//! SHA-256 beside the reading and writing: a companion thread of a worker hashes what the worker reads or writes
//! meanwhile. Small files are not worth the hop and are hashed where they are.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::{io, thread};

use sha2::{Digest as _, Sha256};

use crate::transfer::digest::FileDigest;
use crate::transfer::pipeline::crew::Shared;
use crate::transfer::pipeline::pool::Buffer;
use crate::transfer::wire::EntryId;

/// Files up to this size are hashed by the worker itself.
pub const WORTH_A_THREAD: u64 = 512 * 1024;

/// Zeros for holes.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// What is called with the digest.
type Sink = Box<dyn FnOnce(FileDigest) + Send>;

enum Job {
    Begin(EntryId),
    Bytes(EntryId, Buffer, Range<usize>),
    Zeros(EntryId, u64),
    Ahead(EntryId, Buffer, u64),
    Keep(EntryId, u64),
    Finish(EntryId, Sink),
    Forget(EntryId),
}

/// A SHA-256 that may run ahead of what is settled: what is there already is hashed in the same read that compares it.
#[derive(Default)]
pub struct Running {
    settled: Sha256,
    /// With what may come next, up to each of these ends. A state is a hundred bytes.
    ahead: VecDeque<(u64, Sha256)>,
}

impl Running {
    fn update(&mut self, bytes: &[u8]) {
        self.ahead.clear();
        self.settled.update(bytes);
    }

    fn run_ahead(&mut self, bytes: &[u8], end: u64) {
        let last = self.ahead.back().map_or(&self.settled, |(_, sha)| sha);
        let mut sha = last.clone();
        sha.update(bytes);
        self.ahead.push_back((end, sha));
    }

    fn keep(&mut self, end: u64) {
        while let Some((_, sha)) = self.ahead.pop_front_if(|(until, _)| *until <= end) {
            self.settled = sha;
        }
    }

    /// Hashes zeros; stops when the session has ended, since a peer may have said that there are 2^62 of them.
    fn zeros(&mut self, mut len: u64, shared: &Shared) {
        while len > 0 && !shared.is_over() {
            let step = len.min(ZEROS.len() as u64);
            self.update(&ZEROS[..step as usize]);
            shared.worked(step);
            len -= step;
        }
    }

    fn digest(self) -> FileDigest {
        FileDigest(self.settled.finalize().into())
    }
}

/// A worker's companion. The thread starts when it is first needed and ends with this.
pub struct Companion {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The SHA-256 of an entry that is under way.
pub enum FileHash {
    /// In the worker.
    Here(Box<Running>),
    /// At the companion's.
    There(EntryId),
}

impl FileHash {
    /// The digest, if it is to be had without waiting.
    pub fn now(self) -> Result<FileDigest, Self> {
        match self {
            FileHash::Here(hash) => Ok(hash.digest()),
            there => Err(there),
        }
    }
}

impl Companion {
    /// Nothing is started yet.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            jobs: None,
            thread: None,
        }
    }

    /// Begins a digest. `size`: how much is to come, if that is known.
    pub fn begin(&mut self, id: EntryId, size: Option<u64>) -> FileHash {
        let is_small = size.is_some_and(|size| size <= WORTH_A_THREAD);
        // Where no thread can be had, it goes without.
        if is_small || self.start().is_err() {
            return FileHash::Here(Box::default());
        }
        self.send(Job::Begin(id));
        FileHash::There(id)
    }

    fn start(&mut self) -> io::Result<()> {
        if self.jobs.is_some() {
            return Ok(());
        }
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new()
            .name("hash".to_owned())
            .spawn(move || run(&receiver, &shared))?;
        self.jobs = Some(sender);
        self.thread = Some(thread);
        Ok(())
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // It ends only with us.
            let _ = jobs.send(job);
        }
    }

    /// Bytes that follow.
    pub fn bytes(&self, hash: &mut FileHash, buffer: &Buffer, range: Range<usize>) {
        match hash {
            FileHash::Here(hash) => {
                hash.update(&buffer[range.clone()]);
                self.shared.worked(range.len() as u64);
            }
            FileHash::There(id) => self.send(Job::Bytes(*id, buffer.clone(), range)),
        }
    }

    /// Zeros that follow.
    pub fn zeros(&self, hash: &mut FileHash, len: u64) {
        match hash {
            FileHash::Here(hash) => hash.zeros(len, &self.shared),
            FileHash::There(id) => self.send(Job::Zeros(*id, len)),
        }
    }

    /// Bytes up to `end` of the file that may follow, if [`Companion::keep`] says so. Anything else that follows
    /// takes their place.
    pub fn run_ahead(&self, hash: &mut FileHash, buffer: &Buffer, end: u64) {
        match hash {
            FileHash::Here(hash) => {
                hash.run_ahead(buffer, end);
                self.shared.worked(buffer.len() as u64);
            }
            FileHash::There(id) => self.send(Job::Ahead(*id, buffer.clone(), end)),
        }
    }

    /// What it ran ahead up to `end`, which is the end of such bytes, does follow.
    pub fn keep(&self, hash: &mut FileHash, end: u64) {
        match hash {
            FileHash::Here(hash) => hash.keep(end),
            FileHash::There(id) => self.send(Job::Keep(*id, end)),
        }
    }

    /// That was all. `sink` is called with the digest, by whichever thread has it.
    pub fn finish(&self, hash: FileHash, sink: impl FnOnce(FileDigest) + Send + 'static) {
        match hash {
            FileHash::Here(hash) => sink(hash.digest()),
            FileHash::There(id) => self.send(Job::Finish(id, Box::new(sink))),
        }
    }

    /// It is wanted no more.
    pub fn forget(&self, hash: FileHash) {
        if let FileHash::There(id) = hash {
            self.send(Job::Forget(id));
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It holds buffers; a panic in it has been told by the panic itself.
            let _ = thread.join();
        }
    }
}

fn run(jobs: &mpsc::Receiver<Job>, shared: &Shared) {
    let mut files: HashMap<EntryId, Running> = HashMap::new();
    for job in jobs {
        match job {
            Job::Begin(id) => {
                files.insert(id, Running::default());
            }
            Job::Bytes(id, buffer, range) => {
                if let Some(hash) = files.get_mut(&id).filter(|_| !shared.is_over()) {
                    shared.worked(range.len() as u64);
                    hash.update(&buffer[range]);
                }
            }
            Job::Zeros(id, len) => {
                if let Some(hash) = files.get_mut(&id) {
                    hash.zeros(len, shared);
                }
            }
            Job::Ahead(id, buffer, end) => {
                if let Some(hash) = files.get_mut(&id).filter(|_| !shared.is_over()) {
                    shared.worked(buffer.len() as u64);
                    hash.run_ahead(&buffer, end);
                }
            }
            Job::Keep(id, end) => {
                if let Some(hash) = files.get_mut(&id) {
                    hash.keep(end);
                }
            }
            Job::Finish(id, sink) => {
                if let Some(hash) = files.remove(&id).filter(|_| !shared.is_over()) {
                    sink(hash.digest());
                }
            }
            Job::Forget(id) => {
                files.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::pipeline::pool::Pool;

    #[test]
    fn both_ways_give_the_digest_of_all_that_came_in_order() {
        let pool = Pool::new(1 << 20);
        let mut fresh = pool.take(10).unwrap();
        fresh.bytes_mut().copy_from_slice(b"0123456789");
        let buffer = fresh.filled(10, None);
        let mut expected = Sha256::new();
        expected.update(b"3456");
        expected.update(vec![0; 100_000]);
        expected.update(b"0123456789");
        let expected = FileDigest(expected.finalize().into());
        for size in [Some(100_014), None] {
            let mut companion = Companion::new(Arc::default());
            let mut hash = companion.begin(1, size);
            assert_eq!(matches!(hash, FileHash::There(_)), size.is_none());
            let other = companion.begin(2, size);
            companion.bytes(&mut hash, &buffer, 3..7);
            companion.zeros(&mut hash, 100_000);
            companion.bytes(&mut hash, &buffer, 0..10);
            let (sender, receiver) = mpsc::channel();
            companion.finish(hash, move |digest| sender.send(digest).unwrap());
            assert_eq!(receiver.recv().unwrap(), expected);
            companion.forget(other);
            drop(companion);
        }
    }

    #[test]
    fn what_ran_ahead_counts_as_far_as_it_is_kept() {
        let pool = Pool::new(1 << 20);
        let chunk = |byte| {
            let mut fresh = pool.take(10).unwrap();
            fresh.bytes_mut().fill(byte);
            fresh.filled(10, None)
        };
        let (a, b, c) = (chunk(b'a'), chunk(b'b'), chunk(b'c'));
        for size in [Some(40), None] {
            // Kept; how far; what follows.
            for (kept, expected) in [
                (&[][..], ""),
                (&[10], "a"),
                (&[10, 20], "ab"),
                (&[20], "ab"),
            ] {
                let mut companion = Companion::new(Arc::default());
                let mut hash = companion.begin(1, size);
                for (at, buffer) in [(10, &a), (20, &b), (30, &c)] {
                    companion.run_ahead(&mut hash, buffer, at);
                }
                for end in kept {
                    companion.keep(&mut hash, *end);
                }
                companion.bytes(&mut hash, &c, 0..10);
                // It was forgotten when something else came.
                companion.keep(&mut hash, 30);
                let mut sha = Sha256::new();
                for letter in expected.bytes().chain(*b"c") {
                    sha.update([letter; 10]);
                }
                let (sender, receiver) = mpsc::channel();
                companion.finish(hash, move |digest| sender.send(digest).unwrap());
                let expected = FileDigest(sha.finalize().into());
                assert_eq!(receiver.recv().unwrap(), expected, "{size:?} {kept:?}");
            }
        }
    }
}
