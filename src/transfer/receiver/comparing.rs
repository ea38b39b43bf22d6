//! The have-list: existing chunks are hashed and told, no further ahead of the sender than the window.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::transfer::digest::ChunkDigest;
use crate::transfer::frame::MAX_CONTROL;
use crate::transfer::wire::{DIGESTS_HEAD, EntryId, Message, digest_len};

use super::{Inbound, Receiver, ReceiverAction, Stage};

impl<P: Clone> Receiver<P> {
    pub(super) fn tell(&mut self, id: EntryId) -> Option<Message> {
        let inbound = self.open.get_mut(&id)?;
        let Stage::Taking(taking) = &mut inbound.stage else {
            return None;
        };
        let most = (MAX_CONTROL - DIGESTS_HEAD) / digest_len(inbound.round);
        let count = taking.untold.len().min(most);
        if count == 0 {
            return None;
        }
        let first = taking.told;
        taking.told += count as u64;
        let digests = taking.untold.drain(..count).collect();
        if !taking.untold.is_empty() {
            self.telling.push_front(id);
        }
        Some(Message::Digests {
            entry: id,
            round: inbound.round,
            first,
            digests,
        })
    }

    pub(super) fn digest(&mut self, id: EntryId, round: u8, offset: u64, digest: ChunkDigest) {
        let shape = self.shape;
        let Some(Inbound {
            stage: Stage::Taking(taking),
            round: current,
            ..
        }) = self.open.get_mut(&id)
        else {
            return;
        };
        if *current != round || offset != taking.hashed || offset >= taking.hash_ordered {
            return;
        }
        taking.hashed = shape.chunk_end(offset, taking.compare);
        taking.untold.push_back(digest);
        if taking.untold.len() == 1 {
            self.telling.push_back(id);
        }
    }

    pub(super) fn order_hashing(&mut self) {
        let mut at = 0;
        while at < self.settings.comparing.max(1) {
            let Some(&id) = self.comparing.get(at) else {
                return;
            };
            if self.hash_more(id) {
                at += 1;
            } else {
                self.comparing.remove(at);
            }
        }
    }

    /// Orders what may be ordered; says whether more is to come.
    fn hash_more(&mut self, id: EntryId) -> bool {
        let (shape, ahead) = (self.shape, self.settings.hash_ahead.max(1));
        let Some(Inbound {
            stage: Stage::Taking(taking),
            round,
            ..
        }) = self.open.get_mut(&id)
        else {
            return false;
        };
        let chunk = u64::from(shape.chunk);
        while taking.hash_ordered < taking.compare {
            let offset = taking.hash_ordered;
            let is_far = (offset - taking.hashed) / chunk >= ahead
                || (offset / chunk).saturating_sub(taking.cursor / chunk) >= shape.window_digests;
            if is_far {
                return true;
            }
            let end = shape.chunk_end(offset, taking.compare);
            taking.hash_ordered = end;
            self.actions.push_back(ReceiverAction::HashExisting {
                id,
                round: *round,
                offset,
                len: (end - offset) as u32,
                kind: self.session.digest_kind(*round),
            });
        }
        false
    }
}
