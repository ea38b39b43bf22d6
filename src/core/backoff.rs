//! How long to wait before the next attempt to connect.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

/// The wait before the first attempt. A server that is restarted is back after a moment.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait: a person who plugs the cable in again should not have to wait longer.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double, each shortened by up to a half at random: a thousand clients that were cut off together
/// must not come back together.
#[derive(Debug)]
pub struct Backoff {
    attempts: u32,
    random: u64,
}

impl Backoff {
    /// From random bits; the same bits give the same waits.
    pub fn new(seed: u64) -> Self {
        Self {
            attempts: 0,
            random: seed,
        }
    }

    /// The connection held, or something came through it: the next wait is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let fraction = (self.draw() >> 11) as f64 / (1u64 << 53) as f64;
        full.mul_f64(0.5 + fraction / 2.0)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): spreading waits asks for no better generator.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_seconds_with_at_most_a_half_taken_off() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            let mut full = FIRST;
            for _ in 0..40 {
                let wait = backoff.wait();
                assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
                full = (full * 2).min(LONGEST);
            }
            backoff.reset();
            assert!(backoff.wait() <= FIRST);
        }
    }

    #[test]
    fn two_clients_do_not_come_back_together() {
        let mut waits: Vec<Duration> = (0..100).map(|seed| Backoff::new(seed).wait()).collect();
        waits.sort();
        waits.dedup();
        assert_eq!(waits.len(), 100);
    }
}
