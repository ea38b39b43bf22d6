//! Misbehaviour on purpose, decided by a seed: the same seed and the same input give the same bytes out,
//! whatever the pieces in which the input came.
//!
//! A stream's decisions hang on the number of the connection and on the position in its bytes; those about
//! time, [`Chaos::jitter`], on the count of the pieces, as they were read. A datagram's hang on its number
//! alone, and are drawn all of them whether or not they are wanted, so that an option more does not change
//! what the others do.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use crate::core::random::{Probability, Random};

/// How much of a connection is kept that may not be sent yet: so much a delay can hold back.
pub const MAX_KEPT: usize = 256 * 1024;

/// What a piece counts for beside its bytes: its place in the queue and its allocation. Whoever sends single bytes costs
/// no more than others.
const PIECE: usize = 64;

/// How often a limited rate lets something out: often enough to look even, seldom enough to cost nothing.
const RATE_STEP: Duration = Duration::from_millis(20);

/// What goes wrong. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chaos {
    /// Send back so much later.
    pub delay: Duration,
    /// And up to so much later still.
    pub jitter: Duration,
    /// Bytes per second that one connection gets back.
    pub rate: Option<NonZeroU64>,
    /// How much one write takes.
    pub slice: Option<NonZeroUsize>,
    /// Send back so many bytes of a connection, and then no more, without closing it.
    pub stall_after: Option<u64>,
    /// ... and then reset it.
    pub reset_after: Option<u64>,
    /// ... and then swallow what comes, to the end.
    pub truncate_after: Option<u64>,
    /// ... and then close it.
    pub close_after: Option<u64>,
    /// Damage each byte of a stream, and each datagram, with this probability.
    pub corrupt: Probability,
    /// Do not answer a datagram.
    pub drop: Probability,
    /// Answer a datagram twice.
    pub duplicate: Probability,
    /// Answer a datagram after the next one.
    pub reorder: Probability,
}

impl Chaos {
    /// Whether a stream is echoed as it should be.
    pub fn spares_streams(&self) -> bool {
        let datagrams_only = Chaos {
            drop: self.drop,
            duplicate: self.duplicate,
            reorder: self.reorder,
            ..Chaos::default()
        };
        *self == datagrams_only
    }

    /// Whether datagrams are answered as they should be.
    pub fn spares_datagrams(&self) -> bool {
        self.delay.is_zero()
            && self.jitter.is_zero()
            && ![self.corrupt, self.drop, self.duplicate, self.reorder]
                .iter()
                .any(|probability| probability.is_possible())
    }

    fn wait(&self, random: &mut Random) -> Duration {
        let fraction = random.fraction();
        self.delay + self.jitter.mul_f64(fraction)
    }
}

/// What a stream has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Goes,
    /// It is reset.
    Reset,
    /// It is closed.
    Close,
}

#[derive(Debug)]
struct Piece {
    due: Duration,
    bytes: Vec<u8>,
}

/// One connection's bytes on their way through.
#[derive(Debug)]
pub struct Stream {
    random: Random,
    /// The position of the next byte that is damaged, and the draws that lead to the following ones: apart
    /// from those about time, which pieces decide.
    damaged: Option<u64>,
    damage: Random,
    taken: u64,
    given: u64,
    pieces: VecDeque<Piece>,
    /// How much of the first piece is gone.
    gone: usize,
    kept: usize,
    /// How much of the first piece may be written now.
    offered: usize,
    /// When the rate lets something out again.
    rested: Duration,
}

impl Stream {
    /// The connection with this number.
    pub fn new(chaos: &Chaos, seed: u64, number: u64) -> Self {
        let mut damage = Random::new(seed, number.wrapping_mul(2).wrapping_add(1));
        Self {
            random: Random::new(seed, number.wrapping_mul(2)),
            damaged: chaos.corrupt.misses(&mut damage),
            damage,
            taken: 0,
            given: 0,
            pieces: VecDeque::new(),
            gone: 0,
            kept: 0,
            offered: 0,
            rested: Duration::ZERO,
        }
    }

    /// How much it can take in now.
    pub fn appetite(&self, chaos: &Chaos) -> usize {
        match chaos.stall_after {
            Some(limit) if self.given >= limit => 0,
            _ => MAX_KEPT.saturating_sub(self.kept + self.pieces.len() * PIECE),
        }
    }

    /// Takes in what came.
    pub fn take(&mut self, chaos: &Chaos, now: Duration, mut bytes: Vec<u8>) {
        let start = self.taken;
        self.taken += bytes.len() as u64;
        while let Some(at) = self.damaged.filter(|&at| at < self.taken) {
            let byte = &mut bytes[(at - start) as usize];
            // One bit: never the same byte as before.
            *byte ^= 1 << self.damage.below(8);
            let misses = chaos.corrupt.misses(&mut self.damage);
            self.damaged = misses.and_then(|misses| at.checked_add(misses)?.checked_add(1));
        }
        if let Some(limit) = chaos.truncate_after {
            let left = usize::try_from(limit.saturating_sub(start)).unwrap_or(usize::MAX);
            bytes.truncate(left);
        }
        let due = now + chaos.wait(&mut self.random);
        // A stream keeps its order, however late a piece is.
        let due = self.pieces.back().map_or(due, |last| last.due.max(due));
        if !bytes.is_empty() {
            self.kept += bytes.len();
            self.pieces.push_back(Piece { due, bytes });
        }
    }

    /// Makes ready what may be written now. Whether there is something.
    pub fn prepare(&mut self, chaos: &Chaos, now: Duration) -> bool {
        self.offered = 0;
        let Some(piece) = self.pieces.front() else {
            return false;
        };
        if piece.due > now || self.rested > now {
            return false;
        }
        let mut offered = piece.bytes.len() - self.gone;
        if let Some(slice) = chaos.slice {
            offered = offered.min(slice.get());
        }
        if let Some(rate) = chaos.rate {
            let step = (rate.get() as f64 * RATE_STEP.as_secs_f64()) as usize;
            offered = offered.min(step.max(1));
        }
        let limit = [chaos.stall_after, chaos.reset_after, chaos.close_after]
            .into_iter()
            .flatten()
            .min();
        if let Some(limit) = limit {
            let left = limit.saturating_sub(self.given);
            offered = offered.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        self.offered = offered;
        offered > 0
    }

    /// What [`Stream::prepare`] made ready.
    pub fn pending(&self) -> &[u8] {
        match self.pieces.front() {
            Some(piece) => &piece.bytes[self.gone..self.gone + self.offered],
            None => &[],
        }
    }

    /// So much of it is on its way.
    pub fn sent(&mut self, chaos: &Chaos, now: Duration, count: usize) {
        self.given += count as u64;
        self.kept -= count;
        self.offered -= count;
        self.gone += count;
        if self
            .pieces
            .front()
            .is_some_and(|piece| piece.bytes.len() == self.gone)
        {
            self.pieces.pop_front();
            self.gone = 0;
        }
        if let Some(rate) = chaos.rate {
            let took = Duration::from_secs_f64(count as f64 / rate.get() as f64);
            self.rested = self.rested.max(now) + took;
        }
    }

    /// What has become of it.
    pub fn fate(&self, chaos: &Chaos) -> Fate {
        let reached = |limit: Option<u64>| limit.is_some_and(|limit| self.given >= limit);
        if reached(chaos.stall_after) {
            Fate::Goes
        } else if reached(chaos.reset_after) {
            Fate::Reset
        } else if reached(chaos.close_after) {
            Fate::Close
        } else {
            Fate::Goes
        }
    }

    /// Whether nothing is left to send, and nothing will be kept back for ever.
    pub fn is_drained(&self, chaos: &Chaos) -> bool {
        let stalled = chaos.stall_after.is_some_and(|limit| self.given >= limit);
        self.pieces.is_empty() && !stalled
    }

    /// When there will be something to write that may not be written yet.
    pub fn next_due(&self, chaos: &Chaos) -> Option<Duration> {
        if chaos.stall_after.is_some_and(|limit| self.given >= limit) {
            return None;
        }
        self.pieces.front().map(|piece| piece.due.max(self.rested))
    }
}

/// What is done to one datagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Treatment {
    /// It is not answered.
    pub dropped: bool,
    /// It is answered twice.
    pub doubled: bool,
    /// It is answered after the next one.
    pub held_back: bool,
    /// How much later it is answered.
    pub wait: Duration,
    /// A number that decides which bit is flipped.
    damage: Option<u64>,
}

impl Treatment {
    /// For the datagram with this number.
    pub fn of(chaos: &Chaos, seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, number);
        let dropped = chaos.drop.happens(&mut random);
        let doubled = chaos.duplicate.happens(&mut random);
        let held_back = chaos.reorder.happens(&mut random);
        let damaged = chaos.corrupt.happens(&mut random);
        let where_to = random.draw();
        Self {
            dropped,
            doubled,
            held_back,
            wait: chaos.wait(&mut random),
            damage: damaged.then_some(where_to),
        }
    }

    /// Damages the datagram if that is its fate. An empty one has nothing to damage.
    pub fn damage(&self, bytes: &mut [u8]) {
        let Some(number) = self.damage else {
            return;
        };
        let bit = Random::new(number, 0).below(bytes.len() as u64 * 8);
        if let Some(byte) = bytes.get_mut((bit / 8) as usize) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests;
