//! Drivers and file systems in memory, for both ends. They carry out the contract and nothing else, and
//! hold the machine to its part of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::transfer::digest::{ChunkDigest, DigestKind, FileDigest};
use crate::transfer::entry::{Entry, EntryKind, ModifiedAt};
use crate::transfer::path::PeerPath;
use crate::transfer::receiver::{Finding, ReceivedFile, ReceiverAction, ReceiverOutcome};
use crate::transfer::sender::{Content, SenderAction, SenderOutcome, SentFile, Source, SourceEnd};
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{EntryId, Failure, Refusal};

use super::Seed;

/// Stands in for SHA-256, which is slow without optimisation. The machines see only bytes.
pub(super) fn judge(bytes: &[u8]) -> FileDigest {
    FileDigest(stand_in(0, bytes))
}

fn stand_in(seed: u64, bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for half in 0..2u64 {
        let mut hasher = DefaultHasher::new();
        (seed, half, bytes).hash(&mut hasher);
        out[half as usize * 8..][..8].copy_from_slice(&hasher.finish().to_le_bytes());
    }
    out
}

/// `is_weak`: everything collides in the first round.
fn chunk_digest(kind: DigestKind, is_weak: bool, bytes: &[u8]) -> ChunkDigest {
    match kind {
        DigestKind::Fast { .. } if is_weak => ChunkDigest([0; 32]),
        DigestKind::Fast { seed } => ChunkDigest(stand_in(seed, bytes)),
        DigestKind::Strong => ChunkDigest(stand_in(1, bytes)),
    }
}

/// A file, directory or link of the sender.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) path: &'static str,
    pub(super) kind: EntryKind,
    pub(super) data: Vec<u8>,
    /// What it is from its second opening on, and that the first reading saw it change.
    pub(super) later: Option<Vec<u8>>,
    /// It changes during every reading.
    pub(super) is_restless: bool,
    /// Reading fails at this offset.
    pub(super) fails_at: Option<u64>,
}

impl Item {
    pub(super) fn file(path: &'static str, data: Vec<u8>) -> Self {
        Self {
            path,
            kind: EntryKind::File {
                size: Some(data.len() as u64),
            },
            data,
            later: None,
            is_restless: false,
            fails_at: None,
        }
    }

    pub(super) fn stream(path: &'static str, data: Vec<u8>) -> Self {
        Self {
            kind: EntryKind::File { size: None },
            ..Self::file(path, data)
        }
    }

    pub(super) fn directory(path: &'static str) -> Self {
        Self {
            kind: EntryKind::Directory,
            ..Self::file(path, Vec::new())
        }
    }

    pub(super) fn link(path: &'static str, target: &str) -> Self {
        Self {
            kind: EntryKind::Symlink {
                target: target.as_bytes().into(),
            },
            ..Self::file(path, Vec::new())
        }
    }

    /// What is there when it was opened for the last time.
    pub(super) fn final_data(&self) -> &[u8] {
        self.later.as_deref().unwrap_or(&self.data)
    }
}

#[derive(Debug)]
struct Reading {
    round: u8,
    data: Vec<u8>,
    size: Option<u64>,
    changed: bool,
    fails_at: Option<u64>,
    hashed: Vec<u8>,
    is_over: bool,
}

/// The driver of a sender.
#[derive(Debug)]
pub(super) struct SourceDisk {
    pub(super) items: Vec<Item>,
    walked: usize,
    openings: HashMap<u64, u32>,
    readings: HashMap<EntryId, Reading>,
    pub(super) is_weak: bool,
    pub(super) reports: Vec<SentFile>,
    pub(super) opens: u32,
    pub(super) read_bytes: u64,
    /// Bytes that were read and dropped at a close.
    pub(super) dropped: u64,
    outcomes: Vec<VecDeque<SenderOutcome<Vec<u8>>>>,
}

const LANES: usize = 4;

impl SourceDisk {
    pub(super) fn new(items: Vec<Item>) -> Self {
        Self {
            items,
            walked: 0,
            openings: HashMap::new(),
            readings: HashMap::new(),
            is_weak: false,
            reports: Vec::new(),
            opens: 0,
            read_bytes: 0,
            dropped: 0,
            outcomes: (0..LANES).map(|_| VecDeque::new()).collect(),
        }
    }

    pub(super) fn source(&self, key: usize) -> Source {
        let item = &self.items[key];
        Source {
            key: key as u64,
            entry: Arc::new(Entry {
                path: PeerPath::from_slashed(item.path.as_bytes()).expect(item.path),
                kind: item.kind.clone(),
                modified: ModifiedAt::default(),
                mode: 0o644,
            }),
        }
    }

    /// What was under way in a session that has ended.
    pub(super) fn forget_session(&mut self) {
        self.readings.clear();
        self.outcomes.iter_mut().for_each(VecDeque::clear);
    }

    pub(super) fn has_outcome(&self) -> bool {
        self.outcomes.iter().any(|lane| !lane.is_empty())
    }

    /// An outcome, of whatever entry happens to be ready.
    pub(super) fn outcome(&mut self, seed: &mut Seed) -> Option<SenderOutcome<Vec<u8>>> {
        let ready: Vec<_> = (0..LANES)
            .filter(|&lane| !self.outcomes[lane].is_empty())
            .collect();
        let lane = *ready.get(seed.below(ready.len()))?;
        self.outcomes[lane].pop_front()
    }

    pub(super) fn act(&mut self, action: SenderAction) {
        match action {
            SenderAction::Walk { max } => {
                let to = (self.walked + max).min(self.items.len());
                let sources = (self.walked..to).map(|key| self.source(key)).collect();
                self.walked = to;
                self.outcomes[0].push_back(SenderOutcome::Walked {
                    sources,
                    end: to == self.items.len(),
                });
            }
            SenderAction::Open { entry, key, round } => self.open(entry, key, round),
            SenderAction::Read {
                entry,
                round,
                offset,
                len,
                digest,
            } => self.read(entry, round, offset, len, digest),
            SenderAction::Close { entry } => {
                self.readings.remove(&entry);
                let lane = &mut self.outcomes[entry as usize % LANES];
                lane.retain(|outcome| match outcome {
                    SenderOutcome::Chunk {
                        entry: other,
                        content,
                        ..
                    } if *other == entry => {
                        if let Content::Bytes(bytes) = content {
                            self.dropped += bytes.len() as u64;
                        }
                        false
                    }
                    _ => true,
                });
            }
            SenderAction::Report(report) => self.reports.push(report),
        }
    }

    fn open(&mut self, entry: EntryId, key: u64, round: u8) {
        self.opens += 1;
        let item = &self.items[key as usize];
        let opening = self.openings.entry(key).or_default();
        *opening += 1;
        let data = match &item.later {
            Some(later) if *opening > 1 => later,
            _ => &item.data,
        };
        let size = match item.kind {
            EntryKind::File { size: None } => None,
            _ => Some(data.len() as u64),
        };
        self.readings.insert(
            entry,
            Reading {
                round,
                data: data.clone(),
                size,
                changed: item.is_restless || (item.later.is_some() && *opening == 1),
                fails_at: item.fails_at,
                hashed: Vec::new(),
                is_over: false,
            },
        );
        self.outcomes[entry as usize % LANES].push_back(SenderOutcome::Opened {
            entry,
            round,
            size,
            modified: ModifiedAt::default(),
        });
    }

    fn read(
        &mut self,
        entry: EntryId,
        round: u8,
        offset: u64,
        len: u32,
        digest: Option<DigestKind>,
    ) {
        let Some(reading) = self.readings.get_mut(&entry) else {
            return;
        };
        if reading.is_over {
            return;
        }
        assert_eq!(reading.round, round);
        assert_eq!(reading.hashed.len() as u64, offset, "reads are in order");
        let lane = &mut self.outcomes[entry as usize % LANES];
        let end = (offset + u64::from(len)).min(reading.data.len() as u64);
        if reading.fails_at.is_some_and(|at| end > at) {
            reading.is_over = true;
            lane.push_back(SenderOutcome::Failed {
                entry,
                round,
                reason: Abandoned::Unreadable,
            });
            return;
        }
        let bytes = reading.data[offset as usize..end as usize].to_vec();
        let is_hole = !bytes.is_empty() && bytes.iter().all(|&byte| byte == 0);
        if !is_hole {
            self.read_bytes += bytes.len() as u64;
        }
        reading.hashed.extend_from_slice(&bytes);
        reading.is_over = match reading.size {
            Some(size) => end == size,
            None => end < offset + u64::from(len),
        };
        lane.push_back(SenderOutcome::Chunk {
            entry,
            round,
            offset,
            len: bytes.len() as u32,
            digest: digest.map(|kind| chunk_digest(kind, self.is_weak, &bytes)),
            end: reading.is_over.then(|| SourceEnd {
                sha256: judge(&reading.hashed),
                changed: reading.changed,
            }),
            content: if is_hole {
                Content::Hole
            } else {
                Content::Bytes(bytes)
            },
        });
    }
}

/// `--overwrite` or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Refuse,
    Overwrite,
}

/// What a name of the receiver's disk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    File(Vec<u8>),
    Directory,
    Link(Box<[u8]>),
}

#[derive(Debug)]
struct Taking {
    entry: Arc<Entry>,
    is_candidate: bool,
    /// What is compared and kept from.
    base: Vec<u8>,
    fed: Vec<u8>,
}

/// The driver of a receiver. Its disk outlives sessions.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) names: BTreeMap<Vec<u8>, Node>,
    pub(super) parts: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) policy: Policy,
    pub(super) is_weak: bool,
    /// The next so many writes are damaged on their way to the disk.
    pub(super) bad_writes: u32,
    /// Writing to this path fails.
    pub(super) fails: Option<&'static str>,
    /// The paths in the order of their commits.
    pub(super) commits: Vec<String>,
    pub(super) hashed_chunks: u64,
    pub(super) reports: Vec<ReceivedFile>,
    taking: HashMap<EntryId, Taking>,
    outcomes: Vec<VecDeque<ReceiverOutcome>>,
}

type Action = ReceiverAction<Arc<[u8]>>;

impl Store {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            names: BTreeMap::new(),
            parts: BTreeMap::new(),
            policy,
            is_weak: false,
            bad_writes: 0,
            fails: None,
            commits: Vec::new(),
            hashed_chunks: 0,
            reports: Vec::new(),
            taking: HashMap::new(),
            outcomes: (0..LANES).map(|_| VecDeque::new()).collect(),
        }
    }

    pub(super) fn file(&self, path: &str) -> Option<&[u8]> {
        match self.names.get(path.as_bytes()) {
            Some(Node::File(data)) => Some(data),
            _ => None,
        }
    }

    pub(super) fn forget_session(&mut self) {
        self.taking.clear();
        self.outcomes.iter_mut().for_each(VecDeque::clear);
    }

    pub(super) fn has_outcome(&self) -> bool {
        self.outcomes.iter().any(|lane| !lane.is_empty())
    }

    pub(super) fn outcome(&mut self, seed: &mut Seed) -> Option<ReceiverOutcome> {
        let ready: Vec<_> = (0..LANES)
            .filter(|&lane| !self.outcomes[lane].is_empty())
            .collect();
        let lane = *ready.get(seed.below(ready.len()))?;
        self.outcomes[lane].pop_front()
    }

    fn report(&mut self, id: EntryId, outcome: ReceiverOutcome) {
        self.outcomes[id as usize % LANES].push_back(outcome);
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            ReceiverAction::Examine { id, entry } => {
                let finding = self.examine(id, entry);
                self.report(id, ReceiverOutcome::Examined { id, finding });
            }
            ReceiverAction::HashExisting {
                id,
                round,
                offset,
                len,
                kind,
            } => {
                let Some(taking) = self.taking.get(&id) else {
                    return;
                };
                let chunk = &taking.base[offset as usize..][..len as usize];
                let digest = chunk_digest(kind, self.is_weak, chunk);
                self.hashed_chunks += 1;
                self.report(
                    id,
                    ReceiverOutcome::Digest {
                        id,
                        round,
                        offset,
                        digest,
                    },
                );
            }
            ReceiverAction::StopHashing { .. } => {}
            ReceiverAction::Begin { id, .. } => {
                if let Some(taking) = self.taking.get_mut(&id) {
                    taking.fed.clear();
                }
            }
            ReceiverAction::Keep { id, offset, len } => {
                let kept = self.taking[&id].base[offset as usize..][..len as usize].to_vec();
                self.write(id, offset, &kept, false);
            }
            ReceiverAction::Write {
                id,
                offset,
                payload,
                range,
            } => self.write(id, offset, &payload[range], true),
            ReceiverAction::Hole { id, offset, len } => {
                self.write(id, offset, &vec![0; len as usize], true);
            }
            ReceiverAction::Finish {
                id,
                round,
                size,
                expected,
            } => {
                let Some(taking) = self.taking.get_mut(&id) else {
                    return;
                };
                assert_eq!(taking.fed.len() as u64, size);
                let sha256 = judge(&taking.fed);
                let path = taking.entry.path.as_bytes().to_vec();
                if let Some(part) = self.parts.get(&path) {
                    taking.base = part.clone();
                }
                // Either is allowed.
                if expected == Some(sha256) && id % 2 == 0 {
                    self.put_in_place(id, false);
                    return self.report(id, ReceiverOutcome::StoredAtOnce { id, round, sha256 });
                }
                self.report(id, ReceiverOutcome::Hashed { id, round, sha256 });
            }
            ReceiverAction::Commit { id, identical } => self.commit(id, identical),
            ReceiverAction::Discard { id, remove } => {
                if let Some(taking) = self.taking.remove(&id)
                    && remove
                {
                    self.parts.remove(taking.entry.path.as_bytes());
                }
            }
            ReceiverAction::Settle => self.outcomes[0].push_back(ReceiverOutcome::Settled),
            ReceiverAction::Report(report) => self.reports.push(report),
        }
    }

    fn examine(&mut self, id: EntryId, entry: Arc<Entry>) -> Finding {
        let path = entry.path.as_bytes().to_vec();
        let finding = match (&entry.kind, self.parts.get(&path), self.names.get(&path)) {
            (EntryKind::File { .. }, Some(part), _) => Finding::Part {
                len: part.len() as u64,
            },
            (EntryKind::File { .. }, None, Some(Node::File(data))) => Finding::Candidate {
                len: data.len() as u64,
                compare_only: self.policy == Policy::Refuse,
            },
            (EntryKind::Directory, _, Some(Node::Directory)) | (_, _, None) => Finding::Nothing,
            _ => Finding::Refuse(Refusal::Exists),
        };
        let base = match finding {
            Finding::Part { .. } => self.parts.get(&path).cloned().unwrap_or_default(),
            Finding::Candidate { .. } => self
                .file(&String::from_utf8_lossy(&path))
                .unwrap_or_default()
                .to_vec(),
            _ => Vec::new(),
        };
        self.taking.insert(
            id,
            Taking {
                entry,
                is_candidate: matches!(finding, Finding::Candidate { .. }),
                base,
                fed: Vec::new(),
            },
        );
        finding
    }

    fn write(&mut self, id: EntryId, offset: u64, bytes: &[u8], is_new: bool) {
        let Some(taking) = self.taking.get_mut(&id) else {
            return;
        };
        assert_eq!(taking.fed.len() as u64, offset, "content comes in order");
        let mut bytes = bytes.to_vec();
        if is_new && self.bad_writes > 0 && !bytes.is_empty() {
            self.bad_writes -= 1;
            bytes[0] ^= 0x80;
        }
        taking.fed.extend_from_slice(&bytes);
        let path = taking.entry.path.clone();
        if self
            .fails
            .is_some_and(|fails| fails.as_bytes() == path.as_bytes())
        {
            let failure = Failure::Disk;
            return self.report(id, ReceiverOutcome::Failed { id, failure });
        }
        // A candidate's content goes into a partial only when something differs.
        if taking.is_candidate && !is_new && !self.parts.contains_key(path.as_bytes()) {
            return;
        }
        let so_far = &taking.fed[..offset as usize];
        let part = self
            .parts
            .entry(path.as_bytes().to_vec())
            .or_insert_with(|| so_far.to_vec());
        let end = offset as usize + bytes.len();
        if part.len() < end {
            part.resize(end, 0);
        }
        part[offset as usize..end].copy_from_slice(&bytes);
    }

    fn commit(&mut self, id: EntryId, identical: bool) {
        if self.put_in_place(id, identical) {
            self.report(id, ReceiverOutcome::Stored { id });
        }
    }

    fn put_in_place(&mut self, id: EntryId, identical: bool) -> bool {
        let Some(taking) = self.taking.remove(&id) else {
            return false;
        };
        let path = taking.entry.path.as_bytes().to_vec();
        self.commits.push(taking.entry.path.to_string());
        if !identical {
            let part = self.parts.remove(&path);
            let node = match &taking.entry.kind {
                EntryKind::Directory => Node::Directory,
                EntryKind::Symlink { target } => Node::Link(target.clone()),
                EntryKind::File { .. } => {
                    // A shorter source leaves the end of a longer partial behind; and a candidate of which
                    // only the beginning was right never got a partial.
                    let mut data = part.unwrap_or_else(|| taking.fed.clone());
                    data.truncate(taking.fed.len());
                    Node::File(data)
                }
            };
            self.names.insert(path, node);
        }
        true
    }
}
