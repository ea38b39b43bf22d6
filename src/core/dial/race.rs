//! Which address is tried when: the timetable of RFC 8305 ("Happy Eyeballs"), without the sockets.
//!
//! The driver asks [`Race::next`] what to do, does it, and reports each attempt that fails. An attempt
//! that succeeds ends the race, and the driver has no more use for it.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::Duration;

/// How long an attempt runs alone before the next one joins it: RFC 8305 section 5 recommends this.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// What the driver has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Begin the attempt with this number, counted from 0.
    Start(usize),
    /// Wait for an attempt to end, at most until this time.
    Wait(Duration),
    /// All attempts have failed.
    Lost,
    /// The time is over.
    TimedOut,
}

/// A race of attempts. All times are on one scale, which begins wherever the driver likes.
#[derive(Debug)]
pub(super) struct Race {
    attempts: usize,
    started: usize,
    failed: usize,
    next_start: Duration,
    deadline: Duration,
}

impl Race {
    /// A race of so many `attempts` from `now` to `deadline`.
    pub(super) fn new(attempts: usize, now: Duration, deadline: Duration) -> Self {
        Self {
            attempts,
            started: 0,
            failed: 0,
            next_start: now,
            deadline,
        }
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: Duration) -> Move {
        if self.failed == self.attempts {
            return Move::Lost;
        }
        if now >= self.deadline {
            return Move::TimedOut;
        }
        if self.started == self.attempts {
            return Move::Wait(self.deadline);
        }
        if now < self.next_start {
            return Move::Wait(self.next_start.min(self.deadline));
        }
        self.next_start = now + ATTEMPT_DELAY;
        self.started += 1;
        Move::Start(self.started - 1)
    }

    /// One of the started attempts has failed: the next need not wait for its time.
    pub(super) fn failed(&mut self, now: Duration) {
        self.failed = (self.failed + 1).min(self.started);
        self.next_start = now;
    }
}

/// The addresses with the IP versions taking turns, beginning with the one that is preferred, else in
/// their order: RFC 8305 section 4, with a First Address Family Count of 1.
pub(super) fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(preferred.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What happens, and what is to be done then.
    enum Step {
        At(u64, Move),
        FailAt(u64),
    }
    use Move::{Lost, Start, TimedOut, Wait};
    use Step::{At, FailAt};

    #[test]
    fn attempts_start_a_quarter_second_apart_or_when_one_fails() {
        let table: [(&str, usize, Vec<Step>); 6] = [
            (
                "three silent addresses",
                3,
                vec![
                    At(0, Start(0)),
                    At(0, Wait(ms(250))),
                    At(249, Wait(ms(250))),
                    At(250, Start(1)),
                    At(250, Wait(ms(500))),
                    At(600, Start(2)),
                    At(600, Wait(ms(10_000))),
                    At(9_999, Wait(ms(10_000))),
                    At(10_000, TimedOut),
                ],
            ),
            (
                "the first is refused at once",
                2,
                vec![
                    At(0, Start(0)),
                    FailAt(1),
                    At(1, Start(1)),
                    At(1, Wait(ms(10_000))),
                ],
            ),
            (
                "a failure counts the delay anew",
                3,
                vec![
                    At(0, Start(0)),
                    FailAt(100),
                    At(100, Start(1)),
                    At(250, Wait(ms(350))),
                    At(350, Start(2)),
                ],
            ),
            (
                "all fail",
                2,
                vec![
                    At(0, Start(0)),
                    FailAt(0),
                    At(0, Start(1)),
                    FailAt(5),
                    At(5, Lost),
                ],
            ),
            (
                "that all have failed is more telling than that the time is over",
                1,
                vec![At(0, Start(0)), FailAt(10_001), At(10_001, Lost)],
            ),
            ("nothing to try", 0, vec![At(0, Lost)]),
        ];
        for (name, attempts, steps) in table {
            let mut race = Race::new(attempts, ms(0), ms(10_000));
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    At(at, expected) => {
                        assert_eq!(race.next(ms(at)), expected, "{name}, step {number}");
                    }
                    FailAt(at) => race.failed(ms(at)),
                }
            }
        }
    }

    #[test]
    fn no_attempt_starts_after_the_deadline_and_no_wait_is_longer() {
        let mut race = Race::new(3, ms(50), ms(200));
        assert_eq!(race.next(ms(50)), Start(0));
        assert_eq!(race.next(ms(50)), Wait(ms(200)));
        assert_eq!(race.next(ms(200)), TimedOut);
    }

    proptest! {
        /// Whatever fails when: each is started once, in order, no two closer than the delay unless one
        /// failed in between, and the race ends by the deadline.
        #[test]
        fn every_race_keeps_the_timetable(
            attempts in 0..6_usize,
            turns in prop::collection::vec((0..400_u64, any::<bool>()), 0..60),
        ) {
            let deadline = ms(5_000);
            let mut race = Race::new(attempts, ms(0), deadline);
            let (mut now, mut started, mut failed) = (ms(0), 0, 0);
            let mut may_start = ms(0);
            for (pause, fails) in turns {
                now += ms(pause);
                if fails && failed < started {
                    failed += 1;
                    race.failed(now);
                    may_start = now;
                }
                match race.next(now) {
                    Start(number) => {
                        prop_assert_eq!(number, started);
                        prop_assert!(now >= may_start && now < deadline);
                        started += 1;
                        may_start = now + ATTEMPT_DELAY;
                    }
                    Wait(until) => {
                        prop_assert!(now < until && until <= deadline);
                        prop_assert!(started == attempts || until == may_start.min(deadline));
                    }
                    Lost => prop_assert_eq!(failed, attempts),
                    TimedOut => prop_assert!(now >= deadline),
                }
            }
        }
    }

    #[test]
    fn the_versions_take_turns_from_the_preferred_one_on() {
        let addresses = |text: &str| -> Vec<SocketAddr> {
            text.split_whitespace()
                .map(|one| format!("{one}:1").parse().unwrap())
                .collect()
        };
        let table = [
            ("", ""),
            ("1.1.1.1", "1.1.1.1"),
            ("[::1] [::2] 1.1.1.1", "[::1] 1.1.1.1 [::2]"),
            ("[::1] [::2] [::3]", "[::1] [::2] [::3]"),
            (
                "1.1.1.1 2.2.2.2 3.3.3.3 [::1]",
                "1.1.1.1 [::1] 2.2.2.2 3.3.3.3",
            ),
            (
                "[::1] [::2] 1.1.1.1 2.2.2.2 3.3.3.3",
                "[::1] 1.1.1.1 [::2] 2.2.2.2 3.3.3.3",
            ),
        ];
        for (given, expected) in table {
            assert_eq!(
                interleaved(&addresses(given)),
                addresses(expected),
                "{given}"
            );
        }
    }
}
