//! The content of entries: which pieces are read next, and whether what was read is sent.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::digest::ChunkDigest;
use crate::transfer::entry::ModifiedAt;
use crate::transfer::outgoing::Batch;
use crate::transfer::table::{Abandoned, Record};
use crate::transfer::wire::EntryId;

use super::{Content, Ordered, Outbound, Queued, Sender, SenderAction, Serving, SourceEnd, Stage};

impl<P> Sender<P> {
    pub(super) fn serving_mut(&mut self, entry: EntryId, round: u8) -> Option<&mut Serving> {
        match self.open.get_mut(&entry) {
            Some(Outbound {
                stage: Stage::Serving(serving),
                ..
            }) if serving.answer.round == round && self.session.ending().is_none() => Some(serving),
            _ => None,
        }
    }

    pub(super) fn opened(
        &mut self,
        entry: EntryId,
        round: u8,
        size: Option<u64>,
        modified: ModifiedAt,
    ) {
        let Some(serving) = self.serving_mut(entry, round) else {
            return;
        };
        serving.opened = Some(size);
        let differs =
            serving.answer.compare_only && size.is_some_and(|size| size != serving.answer.compare);
        let more = size.is_none_or(|size| serving.next < size);
        let list = more && !serving.is_listed;
        serving.is_listed |= list;
        let has_nothing = serving.answer.compare == 0;
        if !self.settings.dry_run {
            self.push(
                Record::Begin {
                    entry,
                    round,
                    size,
                    modified,
                },
                None,
            );
        }
        if differs {
            self.close(entry, None);
        } else if let Some(size) = size
            && self.settings.dry_run
            && has_nothing
        {
            // All of it would be sent; there is no need to read it for that.
            self.count(entry, size, true);
            self.close(entry, Some(Abandoned::Other));
        } else if list {
            self.wanting.push_back(entry);
        }
    }

    pub(super) fn chunk(
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
        self.count(entry, bytes, is_sent);
        match content {
            _ if self.settings.dry_run => {}
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

    fn count(&mut self, entry: EntryId, bytes: u64, is_sent: bool) {
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
    }

    fn end(&mut self, entry: EntryId, size: u64, end: SourceEnd) {
        if self.settings.dry_run {
            self.close(entry, Some(Abandoned::Other));
            if let Some(outbound) = self.open.get_mut(&entry) {
                outbound.sha256 = Some(end.sha256);
            }
            return;
        }
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
    pub(super) fn close(&mut self, entry: EntryId, reason: Option<Abandoned>) {
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

    pub(super) fn serve(&mut self, entry: EntryId) {
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
    pub(super) fn order_reads(&mut self) {
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
