//! The receiving end: what to want, compare, write and commit. The module above has the contract.
//!
//! An entry's life here:
//!
//! ```text
//! Examining --a file is wanted: answer--> Taking --END--> Finishing --same SHA-256--> Committing --> settled
//!    |                                      ^                |
//!    |                                      '----another-----'  answer of the next round
//!    |--a directory or link--> Waiting --nothing below is open--> Committing --> settled
//!    '--skip, refuse--> settled      a failure while Taking --> Void --END, DIFFERS, ABANDON--> gone
//! ```
//!
//! The content of an entry comes in order, from its first byte to its last, as DATA, SAME and HOLE without
//! gaps and overlaps. So one cursor checks everything, and one SHA-256 of what is on disk can follow it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod comparing;
mod content;
mod contract;

pub use contract::{Finding, ReceivedFile, ReceiverAction, ReceiverOutcome, ReceiverSettings};

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::transfer::digest::{ChunkDigest, FileDigest};
use crate::transfer::entry::{Entry, EntryKind, MAX_SIZE};
use crate::transfer::frame::{MAX_CONTROL, Violation, kind};
use crate::transfer::outgoing::Outgoing;
use crate::transfer::session::{Ending, Protocol, Session, Shape, Tally};
use crate::transfer::table::{Abandoned, Record};
use crate::transfer::wire::{
    ANSWER_LEN, AbortReason, Answer, EntryId, Failure, Message, Phase, Refusal, Role, VERDICT_LEN,
    Verdict, entry_len,
};

#[derive(Debug)]
struct Taking {
    /// What the answer promised to compare.
    compare: u64,
    compare_only: bool,
    /// Up to where chunks were ordered to be hashed, reported, and told.
    hash_ordered: u64,
    hashed: u64,
    told: u64,
    untold: VecDeque<ChunkDigest>,
    /// `Some` after BEGIN.
    begun: Option<Option<u64>>,
    cursor: u64,
    reused: u64,
    wrote: bool,
}

#[derive(Debug)]
enum Stage {
    Examining,
    /// A directory, until what is in it is settled: its time and mode are set last.
    Waiting,
    Taking(Taking),
    Finishing {
        size: u64,
        sha256: FileDigest,
        changed: bool,
        compare_only: bool,
        /// All of it was there, under its name.
        is_all_kept: bool,
    },
    Committing {
        identical: bool,
    },
    /// It has its verdict; the sender's last word on it is under way.
    Void,
}

#[derive(Debug)]
struct Inbound {
    entry: Arc<Entry>,
    stage: Stage,
    round: u8,
    /// The length of the candidate, if it is that which is compared.
    candidate: Option<u64>,
    /// Whether there was a partial before this session, worth more than what is refused now.
    had_part: bool,
    /// Bytes of the quota that it holds.
    promised: u64,
    received: u64,
    reused: u64,
    sha256: Option<FileDigest>,
    size: Option<u64>,
    abandoned: Option<Abandoned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The sender is done; the disk is asked.
    Settling,
    /// Our DONE is next.
    Ready,
    /// It was said; the sender's BYE is next.
    Said,
}

/// The receiving end of a session. `P` is a buffer of the driver's, shared by the writes of one frame.
#[derive(Debug)]
pub struct Receiver<P> {
    session: Session,
    settings: ReceiverSettings,
    shape: Shape,
    next_entry: EntryId,
    open: BTreeMap<EntryId, Inbound>,
    open_bytes: usize,
    /// The paths of open entries. In the order of bytes, all that is below a directory stands together.
    names: BTreeMap<Box<[u8]>, Name>,
    /// Entries with existing content still to be ordered for hashing, in the order of the answers.
    comparing: VecDeque<EntryId>,
    answers: VecDeque<Answer>,
    verdicts: VecDeque<(EntryId, Verdict)>,
    /// Entries with digests to be told.
    telling: VecDeque<EntryId>,
    promised: u64,
    actions: VecDeque<ReceiverAction<P>>,
    tally: Tally,
    closing: Closing,
}

#[derive(Debug)]
struct Name {
    id: EntryId,
    is_directory: bool,
}

impl<P: Clone> Receiver<P> {
    /// A session at its first byte. `nonce` is random.
    pub fn new(now: Duration, settings: ReceiverSettings, nonce: u64) -> Self {
        Self::with_shape(now, settings, Shape::V1, nonce)
    }

    pub(super) fn with_shape(
        now: Duration,
        settings: ReceiverSettings,
        shape: Shape,
        nonce: u64,
    ) -> Self {
        Self {
            session: Session::new(now, Role::Receiver, settings.pace, nonce),
            settings,
            shape,
            next_entry: 0,
            open: BTreeMap::new(),
            open_bytes: 0,
            names: BTreeMap::new(),
            comparing: VecDeque::new(),
            answers: VecDeque::new(),
            verdicts: VecDeque::new(),
            telling: VecDeque::new(),
            promised: 0,
            actions: VecDeque::new(),
            tally: Tally::default(),
            closing: Closing::No,
        }
    }

    /// A message came.
    pub fn message(&mut self, now: Duration, message: Message) {
        let taken = match self.session.receive(now, message) {
            Ok(Some(message)) => self.take(message),
            Ok(None) => Ok(()),
            Err(violation) => Err(violation),
        };
        self.after(taken);
    }

    /// A DATA frame came whole; `payload` holds its payload, `None` if it had none.
    pub fn data(&mut self, now: Duration, records: &[Record], payload: Option<&P>) {
        if self.session.ending().is_some() {
            return;
        }
        self.session.heard(now);
        let taken = if self.session.is_open() {
            self.records(records, payload)
        } else {
            Err(Violation::OutOfPlace(kind::DATA))
        };
        self.after(taken);
    }

    fn after(&mut self, taken: Result<(), Violation>) {
        match taken {
            Ok(()) => self.pump(),
            Err(violation) => self.violated(violation),
        }
    }

    /// However it ends now, what was said to be done is done.
    fn end_unconfirmed(&mut self) {
        if self.closing == Closing::Said {
            self.session.end(Ending::Unconfirmed);
        }
    }

    /// What was taken in stays: writes that were ordered are carried out, so that the partials are as long
    /// as they can be.
    fn drop_work(&mut self) {
        self.answers.clear();
        self.verdicts.clear();
        self.telling.clear();
        self.comparing.clear();
    }

    fn phase(&self) -> Phase {
        if self.closing == Closing::Settling {
            return Phase::Storing;
        }
        // The earliest entry says it best, and a look at all of them would cost more than it tells.
        match self.open.values().next().map(|inbound| &inbound.stage) {
            Some(Stage::Taking(taking)) if taking.cursor > 0 => Phase::Moving,
            Some(Stage::Taking(_)) => Phase::Comparing,
            Some(Stage::Finishing { .. } | Stage::Committing { .. }) => Phase::Storing,
            _ => Phase::Waiting,
        }
    }

    /// The next action, in order.
    pub fn action(&mut self) -> Option<ReceiverAction<P>> {
        self.actions.pop_front()
    }

    fn next_message(&mut self) -> Option<Message> {
        if !self.answers.is_empty() {
            let count = self.answers.len().min(MAX_CONTROL / ANSWER_LEN);
            return Some(Message::Answers(self.answers.drain(..count).collect()));
        }
        if !self.verdicts.is_empty() {
            let count = self.verdicts.len().min(MAX_CONTROL / VERDICT_LEN);
            return Some(Message::Verdicts(self.verdicts.drain(..count).collect()));
        }
        while let Some(id) = self.telling.pop_front() {
            if let Some(message) = self.tell(id) {
                return Some(message);
            }
        }
        if self.closing == Closing::Ready {
            self.closing = Closing::Said;
            return Some(Message::Done {
                entries: self.tally.entries,
                good: self.tally.good(),
            });
        }
        None
    }

    /// Whether the sender has said that it has nothing more.
    pub fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    /// Answers and verdicts that the sender has not been told.
    pub fn untold(&self) -> usize {
        self.answers.len() + self.verdicts.len()
    }

    /// What became of the entries so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What it was made with.
    pub fn settings(&self) -> &ReceiverSettings {
        &self.settings
    }

    fn take(&mut self, message: Message) -> Result<(), Violation> {
        if (self.closing, &message) == (Closing::Said, &Message::Bye) {
            self.session.end(Ending::Complete);
            return Ok(());
        }
        if self.closing != Closing::No {
            return Err(Violation::OutOfPlace(message.kind()));
        }
        match message {
            Message::Offer { first, entries } => self.offered(first, entries),
            Message::Done { entries, good } => {
                if !self.open.is_empty()
                    || entries != self.tally.entries
                    || good != self.tally.good()
                {
                    return Err(Violation::Totals);
                }
                self.closing = Closing::Settling;
                self.actions.push_back(ReceiverAction::Settle);
                Ok(())
            }
            other => Err(Violation::OutOfPlace(other.kind())),
        }
    }

    fn offered(&mut self, first: EntryId, entries: Vec<Arc<Entry>>) -> Result<(), Violation> {
        if first != self.next_entry {
            return Err(Violation::Order);
        }
        for entry in entries {
            let id = self.next_entry;
            self.next_entry = id.checked_add(1).ok_or(Violation::Window)?;
            let len = entry_len(&entry);
            if self.open.len() >= self.shape.window_entries
                || (self.open_bytes + len > self.shape.window_bytes && !self.open.is_empty())
            {
                return Err(Violation::Window);
            }
            self.open_bytes += len;
            self.tally.entries += 1;
            self.session.progress.entries += 1;
            let total = &mut self.session.progress.bytes;
            *total = total.saturating_add(entry.size().unwrap_or(0));
            self.admit(id, entry);
        }
        Ok(())
    }

    fn admit(&mut self, id: EntryId, entry: Arc<Entry>) {
        let refusal = self.judge(&entry);
        let promised = match refusal {
            None => entry.size().unwrap_or(0),
            Some(_) => 0,
        };
        self.promised += promised;
        if refusal.is_none() {
            self.names.insert(
                entry.path.as_bytes().into(),
                Name {
                    id,
                    is_directory: matches!(entry.kind, EntryKind::Directory),
                },
            );
        }
        self.open.insert(
            id,
            Inbound {
                entry: entry.clone(),
                stage: Stage::Examining,
                round: 0,
                candidate: None,
                had_part: false,
                promised,
                received: 0,
                reused: 0,
                sha256: None,
                size: None,
                abandoned: None,
            },
        );
        match refusal {
            Some(refusal) => self.settle(id, Verdict::Refused(refusal)),
            None => self
                .actions
                .push_back(ReceiverAction::Examine { id, entry }),
        }
    }

    /// What can be said against an entry without looking at the disk.
    fn judge(&self, entry: &Entry) -> Option<Refusal> {
        let size = entry.size().unwrap_or(0);
        if self.tally.entries > self.settings.max_entries {
            return Some(Refusal::TooMany);
        }
        if size > self.settings.max_size {
            return Some(Refusal::TooLarge);
        }
        if size > self.settings.quota.saturating_sub(self.promised) {
            return Some(Refusal::Quota);
        }
        if self.settings.windows_names && entry.path.check_for_windows().is_err() {
            return Some(Refusal::Name);
        }
        if self.names.contains_key(entry.path.as_bytes()) {
            return Some(Refusal::Duplicate);
        }
        // A file below a link or a file that is itself still under way. What is on disk already is the
        // store's to see.
        let through = |above: &[u8]| self.names.get(above).is_some_and(|name| !name.is_directory);
        entry
            .path
            .ancestors()
            .any(through)
            .then_some(Refusal::Unsafe)
    }

    /// The driver reports.
    pub fn outcome(&mut self, outcome: ReceiverOutcome) {
        match outcome {
            // Work that was done is worth saying even when the session is over.
            ReceiverOutcome::Worked(bytes) => {
                let work = &mut self.session.progress.work;
                *work = work.saturating_add(bytes);
                return;
            }
            _ if self.session.ending().is_some() => return,
            ReceiverOutcome::Examined { id, finding } => self.examined(id, finding),
            ReceiverOutcome::Digest {
                id,
                round,
                offset,
                digest,
            } => self.digest(id, round, offset, digest),
            ReceiverOutcome::Hashed { id, round, sha256 } => self.hashed(id, round, sha256),
            ReceiverOutcome::StoredAtOnce { id, round, sha256 } => {
                self.stored_at_once(id, round, sha256);
            }
            ReceiverOutcome::Stored { id } => self.stored(id),
            ReceiverOutcome::Failed { id, failure } => {
                if self
                    .open
                    .get(&id)
                    .is_some_and(|inbound| !matches!(inbound.stage, Stage::Void))
                {
                    self.settle(id, Verdict::Failed(failure));
                }
            }
            ReceiverOutcome::Settled => {
                if self.closing == Closing::Settling {
                    self.closing = Closing::Ready;
                }
            }
        }
        self.pump();
    }

    fn examined(&mut self, id: EntryId, finding: Finding) {
        let Some(inbound) = self.open.get_mut(&id) else {
            return;
        };
        if !matches!(inbound.stage, Stage::Examining) {
            return;
        }
        let verdict = match finding {
            Finding::Skip(skip) => Some(Verdict::Skipped(skip)),
            Finding::Refuse(refusal) => Some(Verdict::Refused(refusal)),
            Finding::Candidate {
                len,
                compare_only: true,
            } if inbound.entry.size().is_some_and(|size| size != len) => {
                Some(Verdict::Refused(Refusal::Exists))
            }
            Finding::Nothing | Finding::Part { .. } | Finding::Candidate { .. } => None,
        };
        if let Some(verdict) = verdict {
            return self.settle(id, verdict);
        }
        if !inbound.entry.is_file() {
            inbound.stage = Stage::Waiting;
            return self.commit_if_ready(id);
        }
        let (len, compare_only) = match finding {
            Finding::Part { len } => {
                inbound.had_part = true;
                (len, false)
            }
            Finding::Candidate { len, compare_only } => {
                inbound.candidate = Some(len);
                (len, compare_only)
            }
            Finding::Nothing | Finding::Skip(_) | Finding::Refuse(_) => (0, false),
        };
        let compare = len.min(inbound.entry.size().unwrap_or(MAX_SIZE));
        self.answer(id, compare, compare_only);
    }

    fn answer(&mut self, id: EntryId, compare: u64, compare_only: bool) {
        let Some(inbound) = self.open.get_mut(&id) else {
            return;
        };
        inbound.round += 1;
        inbound.stage = Stage::Taking(Taking {
            compare,
            compare_only,
            hash_ordered: 0,
            hashed: 0,
            told: 0,
            untold: VecDeque::new(),
            begun: None,
            cursor: 0,
            reused: 0,
            wrote: false,
        });
        self.answers.push_back(Answer {
            entry: id,
            round: inbound.round,
            compare_only,
            compare,
        });
        if compare > 0 {
            self.comparing.push_back(id);
        }
    }

    fn hashed(&mut self, id: EntryId, round: u8, computed: FileDigest) {
        let rounds = self.settings.rounds.min(self.shape.rounds);
        let Some(inbound) = self.open.get_mut(&id) else {
            return;
        };
        let Stage::Finishing {
            size,
            sha256,
            changed,
            compare_only,
            is_all_kept,
        } = inbound.stage
        else {
            return;
        };
        if inbound.round != round {
            return;
        }
        if computed == sha256 && !changed {
            inbound.sha256 = Some(sha256);
            let identical = is_all_kept;
            inbound.stage = Stage::Committing { identical };
            self.actions
                .push_back(ReceiverAction::Commit { id, identical });
            return;
        }
        if inbound.round < rounds {
            // What was built is a partial now, or still the file under its name if only that was compared.
            if !is_all_kept {
                inbound.candidate = None;
            }
            return self.answer(id, size, compare_only);
        }
        self.settle(
            id,
            Verdict::Failed(if changed {
                Failure::SourceChanged
            } else {
                Failure::Mismatch
            }),
        );
    }

    fn stored_at_once(&mut self, id: EntryId, round: u8, computed: FileDigest) {
        let Some(inbound) = self.open.get_mut(&id).filter(|it| it.round == round) else {
            return;
        };
        if let Stage::Finishing { sha256, .. } = inbound.stage
            && sha256 == computed
        {
            inbound.sha256 = Some(sha256);
            self.settle(id, Verdict::Stored);
        }
    }

    fn stored(&mut self, id: EntryId) {
        let Some(inbound) = self.open.get(&id) else {
            return;
        };
        if let Stage::Committing { identical } = inbound.stage {
            self.settle(
                id,
                if identical {
                    Verdict::Identical
                } else {
                    Verdict::Stored
                },
            );
        }
    }

    /// Gives an entry its verdict. One whose content was asked for stays, void, until the sender's last word.
    fn settle(&mut self, id: EntryId, verdict: Verdict) {
        let Some(inbound) = self.open.get_mut(&id) else {
            return;
        };
        let is_asked = matches!(inbound.stage, Stage::Taking(_));
        let is_touched = !matches!(inbound.stage, Stage::Examining | Stage::Waiting);
        if let Stage::Taking(taking) = &inbound.stage {
            inbound.reused = taking.reused;
        }
        inbound.stage = Stage::Void;
        self.tally.count(verdict);
        self.session.progress.settled += 1;
        self.verdicts.push_back((id, verdict));
        let is_good = matches!(verdict, Verdict::Stored | Verdict::Identical);
        if verdict != Verdict::Stored {
            self.promised -= inbound.promised;
            inbound.promised = 0;
        }
        if !is_good && is_touched {
            let remove = matches!(verdict, Verdict::Refused(_)) && !inbound.had_part;
            self.actions
                .push_back(ReceiverAction::Discard { id, remove });
        }
        self.actions.push_back(ReceiverAction::Report(ReceivedFile {
            entry: inbound.entry.clone(),
            verdict,
            abandoned: inbound.abandoned,
            sha256: inbound.sha256,
            size: inbound.size,
            received: inbound.received,
            reused: inbound.reused,
        }));
        if !is_asked {
            self.forget(id);
        }
    }

    /// The last was said on both sides.
    fn forget(&mut self, id: EntryId) {
        let Some(inbound) = self.open.remove(&id) else {
            return;
        };
        self.open_bytes -= entry_len(&inbound.entry);
        let path = inbound.entry.path.as_bytes();
        if self.names.get(path).is_none_or(|name| name.id != id) {
            return;
        }
        self.names.remove(path);
        let above = inbound.entry.path.ancestors();
        let waiting: Vec<_> = above
            .filter_map(|above| self.names.get(above).map(|name| name.id))
            .collect();
        for id in waiting {
            self.commit_if_ready(id);
        }
    }

    /// Starts whatever may start now.
    fn pump(&mut self) {
        if !self.session.is_open() {
            return;
        }
        self.order_hashing();
    }

    /// Commits a directory or link if nothing below it is under way.
    fn commit_if_ready(&mut self, id: EntryId) {
        let Some(inbound) = self.open.get_mut(&id) else {
            return;
        };
        if !matches!(inbound.stage, Stage::Waiting) {
            return;
        }
        let below = [inbound.entry.path.as_bytes(), b"/"].concat();
        let from = (Bound::Included(&below[..]), Bound::Unbounded);
        let next = self.names.range::<[u8], _>(from).next();
        if next.is_some_and(|(path, _)| path.starts_with(&below)) {
            return;
        }
        let identical = false;
        inbound.stage = Stage::Committing { identical };
        self.actions
            .push_back(ReceiverAction::Commit { id, identical });
    }
}

impl<P: Clone> Protocol<P> for Receiver<P> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn violated(&mut self, violation: Violation) {
        self.end_unconfirmed();
        self.session.violated(violation);
        self.drop_work();
    }

    fn cut(&mut self) {
        self.end_unconfirmed();
        self.session.end(Ending::Cut);
        self.drop_work();
    }

    fn abort(&mut self, reason: AbortReason) {
        self.end_unconfirmed();
        self.session.farewell(reason, Ending::Aborted(reason));
        self.drop_work();
    }

    fn deadline(&mut self, now: Duration) {
        let phase = self.phase();
        self.session.deadline(now, phase);
    }

    fn transmit(&mut self, now: Duration) -> Option<Outgoing<P>> {
        let message = match self.session.urgent() {
            Some(message) => message,
            None if self.session.is_open() => self.next_message()?,
            None => return None,
        };
        self.session.spoke(now);
        Some(Outgoing::message(&message))
    }
}
