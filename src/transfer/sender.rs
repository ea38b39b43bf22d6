//! The sending end: what to offer, read and send next. The module above has the contract.
//!
//! An entry's life here:
//!
//! ```text
//! Offered --answer--> Ready --a place is free--> Serving --END--> Ended --verdict--> settled
//!    |                  ^                           |               |
//!    |                  '---------answer of the next round---------'
//!    '--verdict--> settled      DIFFERS or ABANDON --> Closed --verdict--> settled
//! ```
//!
//! Each answer is closed by exactly one of END, DIFFERS and ABANDON, and each entry gets exactly one verdict.
//! An entry is kept until both have happened, and takes its place in the window for as long.
//!
//! A chunk that the receiver says it has is read only when its digest has come. So a buffer is never held
//! for want of a word from the peer, and no two entries can wait for each other.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::transfer::digest::{ChunkDigest, DigestKind, FileDigest};
use crate::transfer::entry::{Entry, ModifiedAt};
use crate::transfer::frame::{Frame, MAX_CONTROL, Violation, kind};
use crate::transfer::session::{Batch, Ending, Outgoing, Pace, Progress, Session, Shape, Tally};
use crate::transfer::table::{Abandoned, Record};
use crate::transfer::wire::{
    AbortReason, Answer, EntryId, Failure, Message, Phase, Role, Verdict, entry_len,
};

/// What the sender decides for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderSettings {
    /// Deadlines.
    pub pace: Pace,
    /// Bytes that are being read or wait to be written, over all entries: the memory of the pipeline. One
    /// chunk is always allowed.
    pub in_flight: u64,
    /// Chunks of one entry that are read ahead of what was decided. More than one keeps the hash busy; fewer
    /// than all of `in_flight` leaves room for a second file to be hashed beside.
    pub read_ahead: usize,
    /// Entries that are open at once.
    pub open_files: usize,
    /// A frame of small files is held back until it has this many bytes, as long as more is being read.
    pub batch: usize,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            in_flight: 16 * 1024 * 1024,
            read_ahead: 6,
            open_files: 64,
            batch: 256 * 1024,
        }
    }
}

/// Something to offer, and by what the driver knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The driver's own name for it. The machine only hands it back.
    pub key: u64,
    /// What the receiver is told.
    pub entry: Arc<Entry>,
}

/// What the driver is to do. In order; actions of different entries may overlap as the driver likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderAction {
    /// Find up to `max` more entries and report [`SenderOutcome::Walked`]. Never asked twice at once.
    Walk {
        /// How many at the most.
        max: usize,
    },
    /// Open the source from its beginning, with a fresh SHA-256, and report [`SenderOutcome::Opened`]. In a
    /// later round: once more.
    Open {
        /// Which entry.
        entry: EntryId,
        /// The driver's name for it.
        key: u64,
        /// The round.
        round: u8,
    },
    /// Read the next piece, feed it to the entry's SHA-256, and report [`SenderOutcome::Chunk`]. The pieces
    /// of an entry are in order and without gaps. Reads behind the end of the source are void.
    Read {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// At most so many; fewer only at the end of the source.
        len: u32,
        /// The digest that is wanted of it.
        digest: Option<DigestKind>,
    },
    /// The entry is not read any further in this round: outstanding reads, and buffers of those that were not
    /// reported, are to be dropped. A report that is already under way does no harm.
    Close {
        /// Which entry.
        entry: EntryId,
    },
    /// An entry has its verdict.
    Report(SentFile),
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// What was offered.
    pub source: Source,
    /// What the receiver made of it.
    pub verdict: Verdict,
    /// If the sender gave it up: why. The verdict is then [`Failure::Abandoned`].
    pub abandoned: Option<Abandoned>,
    /// The SHA-256 of what was read last, to its end.
    pub sha256: Option<FileDigest>,
    /// Bytes of it that were sent, in all rounds.
    pub sent: u64,
    /// Bytes that needed no sending in the last round.
    pub reused: u64,
    /// Rounds.
    pub rounds: u8,
}

/// The end of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceEnd {
    /// The SHA-256 of all that was read in this round.
    pub sha256: FileDigest,
    /// Whether the source is not what it was when it was opened: size, time or inode differ, or it came out
    /// shorter or longer.
    pub changed: bool,
}

/// What a piece of a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<P> {
    /// Bytes, in a buffer of the driver's.
    Bytes(P),
    /// Zeros that take no space (SEEK_HOLE).
    Hole,
}

/// What the driver reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderOutcome<P> {
    /// More entries, not more than asked for.
    Walked {
        /// The entries: directories after what is in them.
        sources: Vec<Source>,
        /// There are no more.
        end: bool,
    },
    /// A source is open.
    Opened {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// Its size now; the driver reads no further. `None`: a stream.
        size: Option<u64>,
        /// Its time now.
        modified: ModifiedAt,
    },
    /// A piece was read and hashed.
    Chunk {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// From where.
        offset: u64,
        /// How many bytes; 0 only with an end.
        len: u32,
        /// What it is.
        content: Content<P>,
        /// The digest, if one was wanted.
        digest: Option<ChunkDigest>,
        /// Said with the last piece, whatever its length.
        end: Option<SourceEnd>,
    },
    /// A source cannot be opened or read.
    Failed {
        /// Which entry.
        entry: EntryId,
        /// The round.
        round: u8,
        /// Why.
        reason: Abandoned,
    },
}

/// A read that was ordered and not reported.
#[derive(Debug)]
struct Ordered {
    offset: u64,
    len: u32,
    /// What the receiver has there, and how many bytes of it.
    had: Option<(ChunkDigest, u64)>,
}

#[derive(Debug)]
struct Serving {
    answer: Answer,
    /// `Some` once opened; the size in it may still be unknown.
    opened: Option<Option<u64>>,
    /// Up to where reads were ordered, and which are outstanding.
    next: u64,
    outstanding: VecDeque<Ordered>,
    /// Up to where it was decided what is sent.
    decided: u64,
    /// Digests from the chunk at `next` on.
    digests: VecDeque<ChunkDigest>,
    digests_received: u64,
    reused: u64,
    /// Whether it stands in the list of those that want reads.
    is_listed: bool,
}

impl Serving {
    fn new(answer: Answer) -> Self {
        Self {
            answer,
            opened: None,
            next: 0,
            outstanding: VecDeque::new(),
            decided: 0,
            digests: VecDeque::new(),
            digests_received: 0,
            reused: 0,
            is_listed: false,
        }
    }
}

#[derive(Debug)]
enum Stage {
    Offered,
    Ready(Serving),
    Serving(Serving),
    Ended,
    Closed,
}

#[derive(Debug)]
struct Outbound {
    source: Source,
    stage: Stage,
    round: u8,
    /// As far as known: offered, then opened, then read to the end. What the receiver compares is no longer.
    size: Option<u64>,
    sent: u64,
    reused: u64,
    sha256: Option<FileDigest>,
    abandoned: Option<Abandoned>,
    /// END said that the source changed.
    changed: bool,
}

#[derive(Debug)]
enum Queued<P> {
    Message(Message),
    Batch(Batch<P>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    Idle,
    Asked,
    Ended,
}

/// The sending end of a session. `P` is a buffer of the driver's, which the machine hands on unseen.
#[derive(Debug)]
pub struct Sender<P> {
    session: Session,
    settings: SenderSettings,
    shape: Shape,
    walk: Walk,
    /// Entries of an earlier session that were not settled there, to be offered first.
    carried: VecDeque<Source>,
    next_entry: EntryId,
    open: BTreeMap<EntryId, Outbound>,
    open_bytes: usize,
    /// Answered, waiting for a place among the open files.
    ready: VecDeque<EntryId>,
    /// Open, and more could be ordered.
    wanting: VecDeque<EntryId>,
    serving: usize,
    /// Bytes ordered and not reported, and bytes in the queue.
    reading: u64,
    queued: u64,
    /// Reads outstanding that the batch may wait for.
    small_reads: usize,
    queue: VecDeque<Queued<P>>,
    actions: VecDeque<SenderAction>,
    tally: Tally,
    done_said: bool,
}

impl<P> Sender<P> {
    /// A session at its first byte. `carried`: what [`Sender::into_unsettled`] of the session before gave;
    /// `walk_ended`: whether that one had seen the end of the walk.
    pub fn new(
        now: Duration,
        settings: SenderSettings,
        nonce: u64,
        carried: Vec<Source>,
        walk_ended: bool,
    ) -> Self {
        Self::with_shape(now, settings, Shape::V1, nonce, carried, walk_ended)
    }

    pub(super) fn with_shape(
        now: Duration,
        settings: SenderSettings,
        shape: Shape,
        nonce: u64,
        carried: Vec<Source>,
        walk_ended: bool,
    ) -> Self {
        Self {
            session: Session::new(now, Role::Sender, settings.pace, nonce),
            settings,
            shape,
            walk: if walk_ended { Walk::Ended } else { Walk::Idle },
            carried: carried.into(),
            next_entry: 0,
            open: BTreeMap::new(),
            open_bytes: 0,
            ready: VecDeque::new(),
            wanting: VecDeque::new(),
            serving: 0,
            reading: 0,
            queued: 0,
            small_reads: 0,
            queue: VecDeque::new(),
            actions: VecDeque::new(),
            tally: Tally::default(),
            done_said: false,
        }
    }

    /// Both hellos were confirmed by the channel ([`Session::transcript`]).
    pub fn confirmed(&mut self) {
        self.session.confirm();
        self.pump();
    }

    /// A frame came.
    pub fn frame(&mut self, now: Duration, frame: Frame) {
        match frame {
            Frame::Message(message) => self.message(now, message),
            Frame::Data { .. } => self.violated(Violation::OutOfPlace(kind::DATA)),
        }
    }

    fn message(&mut self, now: Duration, message: Message) {
        let taken = match self.session.receive(now, message) {
            Ok(Some(message)) => self.take(message),
            Ok(None) => Ok(()),
            Err(violation) => Err(violation),
        };
        match taken {
            Ok(()) => self.pump(),
            Err(violation) => self.violated(violation),
        }
    }

    /// The stream could not be taken apart.
    pub fn violated(&mut self, violation: Violation) {
        self.session.violated(violation);
        self.drop_work();
    }

    /// The connection has ended.
    pub fn cut(&mut self) {
        self.session.end(Ending::Cut);
        self.drop_work();
    }

    /// Stop, and tell the peer why. What the receiver has stays there.
    pub fn abort(&mut self, reason: AbortReason) {
        self.session.farewell(reason, Ending::Aborted(reason));
        self.drop_work();
    }

    /// [`Sender::next_deadline`] has come.
    pub fn deadline(&mut self, now: Duration) {
        let phase = if self.reading > 0 || self.queued > 0 {
            Phase::Moving
        } else {
            Phase::Waiting
        };
        self.session.deadline(now, phase);
    }

    /// When to call [`Sender::deadline`].
    pub fn next_deadline(&self) -> Option<Duration> {
        self.session.next_deadline()
    }

    /// The next action, in order.
    pub fn action(&mut self) -> Option<SenderAction> {
        self.actions.pop_front()
    }

    /// The next frame. Ask only when it can be written at once: until then frames still grow, and what is
    /// handed out counts no longer as in flight.
    pub fn transmit(&mut self, now: Duration) -> Option<Outgoing<P>> {
        if let Some(message) = self.session.urgent() {
            self.session.spoke(now);
            return Some(Outgoing::message(&message));
        }
        if !self.session.is_open() || self.is_held() {
            return None;
        }
        let frame = match self.queue.pop_front()? {
            Queued::Message(message) => Outgoing::message(&message),
            Queued::Batch(batch) => {
                self.queued -= batch.payload_len as u64;
                batch.finish()
            }
        };
        self.session.spoke(now);
        self.pump();
        Some(frame)
    }

    /// Whether the only frame waits to be filled by reads that are under way.
    fn is_held(&self) -> bool {
        match self.queue.front() {
            Some(Queued::Batch(batch)) => {
                self.queue.len() == 1
                    && self.small_reads > 0
                    && batch.payload_len < self.settings.batch
                    && batch.table_len() < MAX_CONTROL / 2
            }
            _ => false,
        }
    }

    /// How the session ended. Frames that [`Sender::transmit`] still has are to be written before closing.
    pub fn ending(&self) -> Option<Ending> {
        self.session.ending()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.session.progress
    }

    /// What became of the entries so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The hellos.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What a next session has to offer again, and whether the walk had ended. What the receiver has of it
    /// is not told: it will be found there.
    pub fn into_unsettled(self) -> (Vec<Source>, bool) {
        let open = self.open.into_values().map(|outbound| outbound.source);
        (open.chain(self.carried).collect(), self.walk == Walk::Ended)
    }

    fn drop_work(&mut self) {
        self.queue.clear();
        self.queued = 0;
        self.actions
            .retain(|action| matches!(action, SenderAction::Report(_)));
    }

    /// The driver reports.
    pub fn outcome(&mut self, outcome: SenderOutcome<P>) {
        match outcome {
            SenderOutcome::Walked { sources, end } => self.walked(sources, end),
            SenderOutcome::Opened {
                entry,
                round,
                size,
                modified,
            } => self.opened(entry, round, size, modified),
            SenderOutcome::Chunk {
                entry,
                round,
                offset,
                len,
                content,
                digest,
                end,
            } => self.chunk(entry, round, (offset, len), content, digest, end),
            SenderOutcome::Failed {
                entry,
                round,
                reason,
            } => {
                if self.serving_mut(entry, round).is_some() {
                    self.close(entry, Some(reason));
                }
            }
        }
        self.pump();
    }

    fn serving_mut(&mut self, entry: EntryId, round: u8) -> Option<&mut Serving> {
        match self.open.get_mut(&entry) {
            Some(Outbound {
                stage: Stage::Serving(serving),
                ..
            }) if serving.answer.round == round && self.session.ending().is_none() => Some(serving),
            _ => None,
        }
    }

    fn walked(&mut self, sources: Vec<Source>, end: bool) {
        // Entries that came while the session ended are still the next session's to offer.
        self.walk = if end { Walk::Ended } else { Walk::Idle };
        self.carried.extend(sources);
    }

    fn opened(&mut self, entry: EntryId, round: u8, size: Option<u64>, modified: ModifiedAt) {
        let Some(serving) = self.serving_mut(entry, round) else {
            return;
        };
        serving.opened = Some(size);
        let differs =
            serving.answer.compare_only && size.is_some_and(|size| size != serving.answer.compare);
        let more = size.is_none_or(|size| serving.next < size);
        let list = more && !serving.is_listed;
        serving.is_listed |= list;
        self.push(
            Record::Begin {
                entry,
                round,
                size,
                modified,
            },
            None,
        );
        if differs {
            self.close(entry, None);
        } else if list {
            self.wanting.push_back(entry);
        }
    }

    fn chunk(
        &mut self,
        entry: EntryId,
        round: u8,
        (offset, len): (u64, u32),
        content: Content<P>,
        digest: Option<ChunkDigest>,
        end: Option<SourceEnd>,
    ) {
        self.session.progress.work += u64::from(len);
        let Some(serving) = self.serving_mut(entry, round) else {
            return;
        };
        let Some(ordered) = serving.outstanding.pop_front() else {
            return;
        };
        let answer = serving.answer;
        serving.decided = offset + u64::from(len);
        let had = ordered.had;
        self.unread(&ordered, entry);
        debug_assert_eq!(ordered.offset, offset);
        let is_same = match (had, digest) {
            (Some((theirs, covered)), Some(ours)) => theirs == ours && covered == u64::from(len),
            _ => false,
        };
        if len > 0 && !is_same && answer.compare_only {
            return self.close(entry, None);
        }
        if len > 0 {
            self.decide(entry, (offset, len), content, is_same);
        }
        match end {
            None => {}
            Some(_) if answer.compare_only && offset + u64::from(len) != answer.compare => {
                self.close(entry, None);
            }
            Some(end) => self.end(entry, offset + u64::from(len), end),
        }
    }

    fn decide(
        &mut self,
        entry: EntryId,
        (offset, len): (u64, u32),
        content: Content<P>,
        is_same: bool,
    ) {
        let bytes = u64::from(len);
        let is_sent = !is_same && matches!(content, Content::Bytes(_));
        let progress = &mut self.session.progress;
        let total = if is_sent {
            &mut progress.sent
        } else {
            &mut progress.reused
        };
        *total += bytes;
        if let Some(outbound) = self.open.get_mut(&entry) {
            match &mut outbound.stage {
                _ if is_sent => outbound.sent += bytes,
                Stage::Serving(serving) => serving.reused += bytes,
                _ => {}
            }
        }
        match content {
            _ if is_same => self.push(
                Record::Same {
                    entry,
                    offset,
                    len: bytes,
                },
                None,
            ),
            Content::Hole => self.push(
                Record::Hole {
                    entry,
                    offset,
                    len: bytes,
                },
                None,
            ),
            Content::Bytes(payload) => {
                self.queued += bytes;
                self.push(Record::Data { entry, offset, len }, Some(payload));
            }
        }
    }

    fn end(&mut self, entry: EntryId, size: u64, end: SourceEnd) {
        self.push(
            Record::End {
                entry,
                size,
                sha256: end.sha256,
                changed: end.changed,
            },
            None,
        );
        self.retire(entry, Stage::Ended);
        if let Some(outbound) = self.open.get_mut(&entry) {
            outbound.size = Some(size);
            outbound.sha256 = Some(end.sha256);
            outbound.changed = end.changed;
        }
    }

    /// Says the last of this round without an END: `None` for a difference.
    fn close(&mut self, entry: EntryId, reason: Option<Abandoned>) {
        self.push(
            match reason {
                None => Record::Differs { entry },
                Some(reason) => Record::Abandon { entry, reason },
            },
            None,
        );
        self.retire(entry, Stage::Closed);
        self.actions.push_back(SenderAction::Close { entry });
        if let Some(outbound) = self.open.get_mut(&entry) {
            outbound.abandoned = reason;
        }
    }

    /// Leaves the stage in which an entry is read.
    fn retire(&mut self, entry: EntryId, stage: Stage) {
        let Some(outbound) = self.open.get_mut(&entry) else {
            return;
        };
        let before = std::mem::replace(&mut outbound.stage, stage);
        match before {
            Stage::Serving(serving) => {
                outbound.reused = serving.reused;
                self.serving -= 1;
                if serving.is_listed {
                    self.wanting.retain(|&wanting| wanting != entry);
                }
                for ordered in &serving.outstanding {
                    self.unread(ordered, entry);
                }
            }
            Stage::Ready(_) => self.ready.retain(|&ready| ready != entry),
            Stage::Offered | Stage::Ended | Stage::Closed => {}
        }
    }

    /// A read is outstanding no more.
    fn unread(&mut self, ordered: &Ordered, entry: EntryId) {
        self.reading -= u64::from(ordered.len);
        if self.is_small(entry) {
            self.small_reads -= 1;
        }
    }

    /// Whether all of an entry comes with one short read, for which a batch may wait.
    fn is_small(&self, entry: EntryId) -> bool {
        self.open
            .get(&entry)
            .and_then(|outbound| outbound.source.entry.size())
            .is_some_and(|size| {
                size < self.settings.batch as u64 && size <= self.shape.chunk.into()
            })
    }

    fn push(&mut self, record: Record, payload: Option<P>) {
        let len = match record {
            Record::Data { len, .. } => len as usize,
            _ => 0,
        };
        match self.queue.back_mut() {
            Some(Queued::Batch(batch)) if batch.fits(len) => batch.push(record, payload),
            _ => {
                let mut batch = Batch::new();
                batch.push(record, payload);
                self.queue.push_back(Queued::Batch(batch));
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Violation> {
        match message {
            Message::Answers(answers) => answers.into_iter().try_for_each(|one| self.answer(one)),
            Message::Digests {
                entry,
                round,
                first,
                digests,
            } => self.digests(entry, round, first, digests),
            Message::Verdicts(verdicts) => verdicts
                .into_iter()
                .try_for_each(|(entry, verdict)| self.verdict(entry, verdict)),
            Message::Done { entries, good } => {
                if !self.done_said || !self.queue.is_empty() {
                    return Err(Violation::OutOfPlace(kind::DONE));
                }
                if entries != self.tally.entries || good != self.tally.good() {
                    return Err(Violation::Totals);
                }
                self.session.end(Ending::Complete);
                Ok(())
            }
            other => Err(Violation::OutOfPlace(other.kind())),
        }
    }

    fn answer(&mut self, answer: Answer) -> Result<(), Violation> {
        let outbound = self
            .open
            .get_mut(&answer.entry)
            .ok_or(Violation::UnknownEntry)?;
        let is_due = match outbound.stage {
            Stage::Offered => outbound.source.entry.is_file(),
            Stage::Ended => outbound.round < self.shape.rounds,
            Stage::Ready(_) | Stage::Serving(_) | Stage::Closed => false,
        };
        if !is_due {
            return Err(Violation::OutOfPlace(kind::ANSWERS));
        }
        if answer.round != outbound.round + 1 {
            return Err(Violation::Round);
        }
        if outbound.size.is_some_and(|size| answer.compare > size) {
            return Err(Violation::BeyondSize);
        }
        outbound.round = answer.round;
        outbound.stage = Stage::Ready(Serving::new(answer));
        self.ready.push_back(answer.entry);
        Ok(())
    }

    fn digests(
        &mut self,
        entry: EntryId,
        round: u8,
        first: u64,
        digests: Vec<ChunkDigest>,
    ) -> Result<(), Violation> {
        let shape = self.shape;
        let outbound = self.open.get_mut(&entry).ok_or(Violation::UnknownEntry)?;
        if outbound.round != round {
            return Err(Violation::Round);
        }
        let serving = match &mut outbound.stage {
            Stage::Ready(serving) | Stage::Serving(serving) => serving,
            // They were under way when the source came to its end, or was given up.
            Stage::Ended | Stage::Closed => return Ok(()),
            Stage::Offered => return Err(Violation::OutOfPlace(kind::DIGESTS)),
        };
        let received = serving.digests_received + digests.len() as u64;
        let settled = serving.decided / u64::from(shape.chunk);
        if first != serving.digests_received
            || received > shape.chunks(serving.answer.compare)
            || received - settled.min(received) > shape.window_digests
        {
            return Err(Violation::Digests);
        }
        serving.digests_received = received;
        serving.digests.extend(digests);
        Ok(())
    }

    fn verdict(&mut self, entry: EntryId, verdict: Verdict) -> Result<(), Violation> {
        let outbound = self.open.get(&entry).ok_or(Violation::UnknownEntry)?;
        let claims_content = matches!(verdict, Verdict::Stored | Verdict::Identical);
        let may_claim = match outbound.stage {
            Stage::Offered => !outbound.source.entry.is_file(),
            Stage::Ended => !outbound.changed,
            Stage::Ready(_) | Stage::Serving(_) | Stage::Closed => false,
        };
        if claims_content && !may_claim {
            return Err(Violation::OutOfPlace(kind::VERDICTS));
        }
        if matches!(outbound.stage, Stage::Ready(_) | Stage::Serving(_)) {
            self.close(entry, Some(Abandoned::Settled));
        }
        let Some(outbound) = self.open.remove(&entry) else {
            return Err(Violation::UnknownEntry);
        };
        self.open_bytes -= entry_len(&outbound.source.entry);
        self.tally.count(verdict);
        self.session.progress.settled += 1;
        self.actions.push_back(SenderAction::Report(SentFile {
            source: outbound.source,
            verdict,
            abandoned: match verdict {
                Verdict::Failed(Failure::Abandoned) => outbound.abandoned,
                _ => None,
            },
            sha256: outbound.sha256,
            sent: outbound.sent,
            reused: outbound.reused,
            rounds: outbound.round,
        }));
        Ok(())
    }

    /// Starts whatever may start now.
    fn pump(&mut self) {
        if !self.session.is_open() {
            return;
        }
        self.offer();
        while self.serving < self.settings.open_files.max(1) {
            let Some(entry) = self.ready.pop_front() else {
                break;
            };
            self.serve(entry);
        }
        self.order_reads();
        let is_over = self.walk == Walk::Ended && self.carried.is_empty() && self.open.is_empty();
        if is_over && !self.done_said {
            self.done_said = true;
            self.queue.push_back(Queued::Message(Message::Done {
                entries: self.tally.entries,
                good: self.tally.good(),
            }));
        }
    }

    fn offer(&mut self) {
        let mut page = Vec::new();
        let (first, mut page_len) = (self.next_entry, 4);
        while let Some(source) = self.carried.front() {
            let len = entry_len(&source.entry);
            let has_room = self.open.len() < self.shape.window_entries
                && (self.open_bytes + len <= self.shape.window_bytes || self.open.is_empty());
            if !has_room || page_len + len > MAX_CONTROL || self.next_entry == EntryId::MAX {
                break;
            }
            let Some(source) = self.carried.pop_front() else {
                break;
            };
            page.push(source.entry.clone());
            page_len += len;
            self.open_bytes += len;
            self.tally.entries += 1;
            self.session.progress.entries += 1;
            self.session.progress.bytes = self
                .session
                .progress
                .bytes
                .saturating_add(source.entry.size().unwrap_or(0));
            let size = source.entry.size();
            self.open.insert(
                self.next_entry,
                Outbound {
                    source,
                    stage: Stage::Offered,
                    round: 0,
                    size,
                    sent: 0,
                    reused: 0,
                    sha256: None,
                    abandoned: None,
                    changed: false,
                },
            );
            self.next_entry += 1;
        }
        if !page.is_empty() {
            self.queue.push_back(Queued::Message(Message::Offer {
                first,
                entries: page,
            }));
            return self.offer();
        }
        if self.carried.is_empty() && self.walk == Walk::Idle {
            // By quarters of the window: neither an entry at a time nor a long wait for the first page.
            let room = self.shape.window_entries.saturating_sub(self.open.len());
            let max = (self.shape.window_entries / 4).max(1);
            if room >= max {
                self.walk = Walk::Asked;
                self.actions.push_back(SenderAction::Walk { max });
            }
        }
    }

    fn serve(&mut self, entry: EntryId) {
        let Some(outbound) = self.open.get_mut(&entry) else {
            return;
        };
        let Stage::Ready(serving) = std::mem::replace(&mut outbound.stage, Stage::Closed) else {
            return;
        };
        let (round, key) = (serving.answer.round, outbound.source.key);
        outbound.stage = Stage::Serving(Serving {
            is_listed: true,
            ..serving
        });
        self.serving += 1;
        self.wanting.push_back(entry);
        self.actions
            .push_back(SenderAction::Open { entry, key, round });
    }

    /// Orders reads in the order of the answers, as far as memory goes.
    fn order_reads(&mut self) {
        let mut at = 0;
        while let Some(&entry) = self.wanting.get(at) {
            match self.order(entry) {
                Order::Full => return,
                Order::Waits => at += 1,
                Order::Complete => {
                    self.wanting.remove(at);
                    if let Some(Outbound {
                        stage: Stage::Serving(serving),
                        ..
                    }) = self.open.get_mut(&entry)
                    {
                        serving.is_listed = false;
                    }
                }
            }
        }
    }

    fn order(&mut self, entry: EntryId) -> Order {
        let (is_small, shape) = (self.is_small(entry), self.shape);
        loop {
            let kind = match self.open.get(&entry) {
                Some(Outbound {
                    stage: Stage::Serving(serving),
                    ..
                }) => self.session.digest_kind(serving.answer.round),
                _ => return Order::Complete,
            };
            let in_flight = self.reading + self.queued;
            let is_full =
                in_flight > 0 && in_flight + u64::from(shape.chunk) > self.settings.in_flight;
            let Some(Outbound {
                stage: Stage::Serving(serving),
                size: known,
                ..
            }) = self.open.get_mut(&entry)
            else {
                return Order::Complete;
            };
            // Until it is open only the first piece is ordered, by the size that was offered.
            let size = serving.opened.unwrap_or(*known);
            let is_first =
                serving.next == 0 && serving.outstanding.is_empty() && serving.decided == 0;
            if !is_first
                && (serving.opened.is_none() || size.is_some_and(|size| serving.next >= size))
            {
                return Order::Complete;
            }
            if is_full {
                return Order::Full;
            }
            if serving.outstanding.len() >= self.settings.read_ahead.max(1) {
                return Order::Waits;
            }
            let (offset, compare) = (serving.next, serving.answer.compare);
            let had = if offset < compare {
                match serving.digests.pop_front() {
                    Some(digest) => Some((digest, shape.chunk_end(offset, compare) - offset)),
                    None => return Order::Waits,
                }
            } else {
                None
            };
            let end = shape.chunk_end(offset, size.unwrap_or(u64::MAX));
            // At most a chunk.
            let len = (end - offset) as u32;
            serving.next = end;
            serving.outstanding.push_back(Ordered { offset, len, had });
            let action = SenderAction::Read {
                entry,
                round: serving.answer.round,
                offset,
                len,
                digest: had.map(|_| kind),
            };
            self.reading += u64::from(len);
            self.small_reads += usize::from(is_small);
            self.actions.push_back(action);
            if len == 0 {
                return Order::Complete;
            }
        }
    }
}

/// What came of trying to order reads for an entry.
enum Order {
    /// No memory for more, of any entry.
    Full,
    /// More when a digest or a chunk has come.
    Waits,
    /// All that can be ordered for now, or ever.
    Complete,
}
