//! What wrong codes cost whoever tries them: a listener for one transfer ends after three, one that stays has them
//! wait, longer each time, each address for itself and all together.
//!
//! All together because addresses are cheap: a network of IPv6 has 2^64 of them, which count as one here, and there are
//! many networks. At one guess in ten seconds, which is what everybody together gets in the end, it would take half of
//! the codes there are 2,500 years.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::core::address::network;

/// So many wrong codes end a listener for one transfer, however long it waits. Somebody who mistypes gets two more tries;
/// somebody who guesses gets three of the 2^33.9 that there are.
const TRIES: u32 = 3;

/// The wait of an address after its first wrong code; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait of an address.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Wrong codes of all addresses together that cost the others nothing: people do mistype.
const FREE: u32 = 10;

/// The wait of everybody after those; it doubles with each, and ends at [`LONGEST_WAIT_OF_ALL`].
const FIRST_WAIT_OF_ALL: Duration = Duration::from_millis(100);

/// The longest wait of everybody. Honest ones wait with those who guess, and the first to come after it gets the try.
const LONGEST_WAIT_OF_ALL: Duration = Duration::from_secs(10);

/// After so long without a wrong code an address, and all together, begin anew, where a listener stays.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3600);

/// How many addresses are remembered. When they are more, the wait of all has long been at its longest.
const ADDRESSES: usize = 4096;

/// Counts wrong codes.
#[derive(Debug)]
pub struct Guesses {
    stays: bool,
    all: Count,
    by_address: HashMap<IpAddr, Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    wrong: u32,
    last: Duration,
}

impl Count {
    fn add(&mut self, now: Duration) {
        self.wrong = self.wrong.saturating_add(1);
        self.last = now;
    }

    fn forgive(&mut self, now: Duration) {
        if now.saturating_sub(self.last) >= FORGIVEN_AFTER {
            self.wrong = 0;
        }
    }

    /// What is left of a wait that began with the last wrong code.
    fn left(mut self, now: Duration, free: u32, first: Duration, longest: Duration) -> Duration {
        self.forgive(now);
        let Some(doublings) = self.wrong.checked_sub(free + 1) else {
            return Duration::ZERO;
        };
        let wait = first
            .checked_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .unwrap_or(longest)
            .min(longest);
        (self.last + wait).saturating_sub(now)
    }
}

impl Guesses {
    /// For a listener that stays (`--keep-open`), or for one transfer.
    pub fn new(stays: bool) -> Self {
        Self {
            stays,
            all: Count::default(),
            by_address: HashMap::new(),
        }
    }

    /// How long a connection from `address` has to wait before it may try a code; a Unix socket has none. `now` is on
    /// any scale that only grows.
    pub fn wait(&self, now: Duration, address: Option<IpAddr>) -> Duration {
        if !self.stays {
            return Duration::ZERO;
        }
        let own = address
            .and_then(|address| self.by_address.get(&network(address)))
            .map_or(Duration::ZERO, |count| {
                count.left(now, 0, FIRST_WAIT, LONGEST_WAIT)
            });
        let all = self
            .all
            .left(now, FREE, FIRST_WAIT_OF_ALL, LONGEST_WAIT_OF_ALL);
        own.max(all)
    }

    /// A code was wrong. Whether that was the last that could be tried.
    pub fn wrong(&mut self, now: Duration, address: Option<IpAddr>) -> bool {
        if self.stays {
            self.all.forgive(now);
        }
        self.all.add(now);
        if let Some(address) = address {
            if self.by_address.len() >= ADDRESSES {
                self.by_address.clear();
            }
            let count = self.by_address.entry(network(address)).or_default();
            count.forgive(now);
            count.add(now);
        }
        self.is_over()
    }

    /// Whether no code may be tried any more.
    pub fn is_over(&self) -> bool {
        !self.stays && self.all.wrong >= TRIES
    }

    /// A code was right.
    pub fn right(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.by_address.remove(&network(address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn three_wrong_codes_end_a_listener_for_one_transfer() {
        let mut guesses = Guesses::new(false);
        assert!(!guesses.wrong(at(0), ip("192.0.2.1")));
        assert_eq!(guesses.wait(at(0), ip("192.0.2.1")), Duration::ZERO);
        assert!(!guesses.wrong(at(1), None));
        assert!(guesses.wrong(at(2), ip("192.0.2.2")));
    }

    #[test]
    fn a_listener_for_one_transfer_forgets_no_wrong_code_however_long_it_waits() {
        let mut guesses = Guesses::new(false);
        for day in 0..2 {
            assert!(!guesses.wrong(at(day * 86_400), ip("192.0.2.1")));
            guesses.right(ip("192.0.2.1"));
        }
        assert!(guesses.wrong(at(2 * 86_400), ip("192.0.2.1")));
    }

    #[test]
    fn one_that_stays_has_an_address_wait_longer_each_time() {
        let mut guesses = Guesses::new(true);
        let (ann, bob) = (ip("192.0.2.1"), ip("192.0.2.2"));
        for wait in [1, 2, 4, 8] {
            assert!(!guesses.wrong(at(0), ann));
            assert_eq!(guesses.wait(at(0), ann), at(wait));
        }
        assert_eq!(guesses.wait(at(5), ann), at(3));
        assert_eq!(guesses.wait(at(8), ann), at(0));
        assert_eq!(guesses.wait(at(0), bob), at(0), "it is another's doing");
        guesses.right(ann);
        assert_eq!(guesses.wait(at(0), ann), at(0));
    }

    #[test]
    fn addresses_without_end_make_all_wait_and_no_longer_than_ten_seconds() {
        let mut guesses = Guesses::new(true);
        for number in 0..10_000u32 {
            let address = IpAddr::V4((0x0a00_0000 + number).into());
            assert!(!guesses.wrong(at(0), Some(address)));
            if number == 9 {
                assert_eq!(guesses.wait(at(0), ip("192.0.2.9")), at(0));
            }
        }
        assert_eq!(guesses.wait(at(0), ip("192.0.2.9")), at(10));
        assert!(guesses.by_address.len() <= ADDRESSES);
        assert_eq!(guesses.wait(at(3600), ip("192.0.2.9")), at(0));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let mut guesses = Guesses::new(true);
        guesses.wrong(at(0), ip("2001:db8::1"));
        assert_eq!(guesses.wait(at(0), ip("2001:db8::ffff:2")), at(1));
        assert_eq!(guesses.wait(at(0), ip("2001:db8:0:1::1")), at(0));
    }
}
