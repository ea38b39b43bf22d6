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

mod contract;
mod reading;

pub use contract::{
    Content, SenderAction, SenderOutcome, SenderSettings, SentFile, Source, SourceEnd,
};

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::transfer::digest::{ChunkDigest, FileDigest};
use crate::transfer::frame::{Frame, MAX_CONTROL, Violation, kind};
use crate::transfer::outgoing::{Batch, Outgoing};
use crate::transfer::session::{Ending, Protocol, Session, Shape, Tally};
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{
    AbortReason, Answer, EntryId, Failure, Message, Phase, Role, Verdict, entry_len,
};

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
        let mut sender = Self {
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
        };
        // The first offers go out with the hello.
        sender.pump();
        sender
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

    /// The next action, in order.
    pub fn action(&mut self) -> Option<SenderAction> {
        self.actions.pop_front()
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

    /// What became of the entries so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether everything there is has been offered.
    pub fn is_walked(&self) -> bool {
        self.walk == Walk::Ended && self.carried.is_empty()
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

    fn walked(&mut self, sources: Vec<Source>, end: bool) {
        // Entries that came while the session ended are still the next session's to offer.
        self.walk = if end { Walk::Ended } else { Walk::Idle };
        self.carried.extend(sources);
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
                self.session.part();
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
        if self.session.ending().is_some() {
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
        if is_over && !self.done_said && self.session.is_open() {
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
}

impl<P> Protocol<P> for Sender<P> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn violated(&mut self, violation: Violation) {
        self.session.violated(violation);
        self.drop_work();
    }

    fn cut(&mut self) {
        self.session.end(Ending::Cut);
        self.drop_work();
    }

    /// What the receiver has stays there.
    fn abort(&mut self, reason: AbortReason) {
        self.session.farewell(reason, Ending::Aborted(reason));
        self.drop_work();
    }

    fn deadline(&mut self, now: Duration) {
        let phase = if self.reading > 0 || self.queued > 0 {
            Phase::Moving
        } else {
            Phase::Waiting
        };
        self.session.deadline(now, phase);
    }

    /// What is handed out counts no longer as in flight.
    fn transmit(&mut self, now: Duration) -> Option<Outgoing<P>> {
        if let Some(message) = self.session.urgent() {
            self.session.spoke(now);
            return Some(Outgoing::message(&message));
        }
        if self.is_held() {
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
}
