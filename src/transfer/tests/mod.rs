//! The machines against each other, over a simulated link, in virtual time, with file systems in memory.

mod batches;
mod behaviour;
mod codec;
mod disk;
mod faults;
mod hostile;
mod link;
mod pair;

use crate::transfer::session::Shape;

/// Small enough to come to every border with some hundred bytes.
pub(super) const SMALL: Shape = Shape {
    chunk: 64,
    window_entries: 8,
    window_bytes: 512,
    window_digests: 4,
    rounds: 3,
};

/// A small generator, so that a seed says everything (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Seed(pub u64);

impl Seed {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(super) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// None of them zero, so that only what is meant to be a hole is one.
    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8 | 2).collect()
    }
}
