//! The records of DATA frames: each is held against what may come next before it becomes an action.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::ops::Range;

use crate::transfer::digest::FileDigest;
use crate::transfer::entry::ModifiedAt;
use crate::transfer::frame::{Violation, kind};
use crate::transfer::table::Record;
use crate::transfer::wire::{EntryId, Failure, Refusal, Verdict};

use super::{Inbound, Receiver, ReceiverAction, Stage, Taking};

/// What a stretch of content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Data,
    Same,
    Hole,
}

impl<P: Clone> Receiver<P> {
    pub(super) fn records(
        &mut self,
        records: &[Record],
        payload: Option<&P>,
    ) -> Result<(), Violation> {
        let mut at = 0;
        for record in records {
            let from = at;
            if let Record::Data { len, .. } = record {
                at += *len as usize;
            }
            self.record(*record, payload, from..at)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: Record,
        payload: Option<&P>,
        range: Range<usize>,
    ) -> Result<(), Violation> {
        let id = record.entry();
        let inbound = self.open.get_mut(&id).ok_or(Violation::UnknownEntry)?;
        let is_last = matches!(
            record,
            Record::End { .. } | Record::Differs { .. } | Record::Abandon { .. }
        );
        match &inbound.stage {
            Stage::Taking(_) => {}
            Stage::Void => {
                // It was under way when the verdict was given.
                if is_last {
                    self.forget(id);
                }
                return Ok(());
            }
            _ => return Err(Violation::OutOfPlace(kind::DATA)),
        }
        match record {
            Record::Begin {
                round,
                size,
                modified,
                ..
            } => self.begin(id, round, size, modified),
            Record::Data { offset, len, .. } => {
                self.advance(id, offset, len.into(), Piece::Data)?;
                let payload = payload.cloned().ok_or(Violation::Malformed(kind::DATA))?;
                if self.is_taking(id) {
                    self.session.progress.sent += u64::from(len);
                    self.actions.push_back(ReceiverAction::Write {
                        id,
                        offset,
                        payload,
                        range,
                    });
                }
                Ok(())
            }
            Record::Same { offset, len, .. } => {
                self.advance(id, offset, len, Piece::Same)?;
                if self.is_taking(id) {
                    self.session.progress.reuse(len);
                    self.actions
                        .push_back(ReceiverAction::Keep { id, offset, len });
                }
                Ok(())
            }
            Record::Hole { offset, len, .. } => {
                self.advance(id, offset, len, Piece::Hole)?;
                if self.is_taking(id) {
                    self.session.progress.reuse(len);
                    self.actions
                        .push_back(ReceiverAction::Hole { id, offset, len });
                }
                Ok(())
            }
            Record::End {
                size,
                sha256,
                changed,
                ..
            } => self.ended(id, size, sha256, changed),
            Record::Differs { .. } => self.differs(id),
            Record::Abandon { reason, .. } => {
                inbound.abandoned = Some(reason);
                self.settle(id, Verdict::Failed(Failure::Abandoned));
                self.forget(id);
                Ok(())
            }
        }
    }

    fn is_taking(&self, id: EntryId) -> bool {
        self.open
            .get(&id)
            .is_some_and(|inbound| matches!(inbound.stage, Stage::Taking(_)))
    }

    fn taking_mut(&mut self, id: EntryId) -> Result<(&mut Taking, u8), Violation> {
        match self.open.get_mut(&id) {
            Some(Inbound {
                stage: Stage::Taking(taking),
                round,
                ..
            }) => Ok((taking, *round)),
            _ => Err(Violation::UnknownEntry),
        }
    }

    fn begin(
        &mut self,
        id: EntryId,
        round: u8,
        size: Option<u64>,
        modified: ModifiedAt,
    ) -> Result<(), Violation> {
        let (taking, current) = self.taking_mut(id)?;
        if round != current {
            return Err(Violation::Round);
        }
        if taking.begun.is_some() {
            return Err(Violation::OutOfPlace(kind::DATA));
        }
        taking.begun = Some(size);
        if let Some(refusal) = self.promise(id, size.unwrap_or(0)) {
            self.settle(id, Verdict::Refused(refusal));
            return Ok(());
        }
        self.actions.push_back(ReceiverAction::Begin {
            id,
            round,
            size,
            modified,
        });
        Ok(())
    }

    /// Holds so much of the quota for an entry, or says why not.
    fn promise(&mut self, id: EntryId, bytes: u64) -> Option<Refusal> {
        if bytes > self.settings.max_size {
            return Some(Refusal::TooLarge);
        }
        let inbound = self.open.get_mut(&id)?;
        let more = bytes.saturating_sub(inbound.promised);
        if more > self.settings.quota.saturating_sub(self.promised) {
            return Some(Refusal::Quota);
        }
        inbound.promised += more;
        self.promised += more;
        None
    }

    /// Checks that content goes on where it ended, and moves the cursor.
    fn advance(
        &mut self,
        id: EntryId,
        offset: u64,
        len: u64,
        piece: Piece,
    ) -> Result<(), Violation> {
        let shape = self.shape;
        let (taking, _) = self.taking_mut(id)?;
        let Some(size) = taking.begun else {
            return Err(Violation::OutOfPlace(kind::DATA));
        };
        let end = offset + len;
        if offset != taking.cursor {
            return Err(Violation::Order);
        }
        if size.is_some_and(|size| end > size) {
            return Err(Violation::BeyondSize);
        }
        if taking.compare_only && piece != Piece::Same {
            return Err(Violation::OutOfPlace(kind::DATA));
        }
        if piece == Piece::Same {
            let chunk = u64::from(shape.chunk);
            let told = (taking.told * chunk).min(taking.compare);
            let is_whole = offset.is_multiple_of(chunk)
                && (end.is_multiple_of(chunk) || end == taking.compare);
            if end > told || !is_whole {
                return Err(Violation::NotHad);
            }
        } else {
            taking.wrote = true;
        }
        taking.cursor = end;
        if piece != Piece::Data {
            taking.reused += len;
        }
        // Of a stream every byte is news for the quota.
        if let Some(refusal) = self.promise(id, end) {
            self.settle(id, Verdict::Refused(refusal));
        }
        if let Some(inbound) = self.open.get_mut(&id)
            && piece == Piece::Data
        {
            inbound.received += len;
        }
        Ok(())
    }

    fn ended(
        &mut self,
        id: EntryId,
        size: u64,
        sha256: FileDigest,
        changed: bool,
    ) -> Result<(), Violation> {
        let (taking, round) = self.taking_mut(id)?;
        if taking.begun.is_none() {
            return Err(Violation::OutOfPlace(kind::DATA));
        }
        if taking.cursor != size {
            return Err(Violation::Order);
        }
        if taking.compare_only && size != taking.compare {
            return self.differs(id);
        }
        let (compare_only, wrote) = (taking.compare_only, taking.wrote);
        let (reused, is_hashing) = (taking.reused, taking.hashed < taking.hash_ordered);
        let mut expected = None;
        if let Some(inbound) = self.open.get_mut(&id) {
            let is_all_kept = !wrote && inbound.candidate == Some(size);
            expected = (!changed && !compare_only && !is_all_kept).then_some(sha256);
            inbound.reused = reused;
            inbound.size = Some(size);
            inbound.stage = Stage::Finishing {
                size,
                sha256,
                changed,
                compare_only,
                is_all_kept,
            };
        }
        if is_hashing {
            self.actions.push_back(ReceiverAction::StopHashing { id });
        }
        self.actions.push_back(ReceiverAction::Finish {
            id,
            round,
            size,
            expected,
        });
        Ok(())
    }

    fn differs(&mut self, id: EntryId) -> Result<(), Violation> {
        let (taking, _) = self.taking_mut(id)?;
        if !taking.compare_only {
            return Err(Violation::OutOfPlace(kind::DATA));
        }
        self.settle(id, Verdict::Refused(Refusal::Exists));
        self.forget(id);
        Ok(())
    }
}
