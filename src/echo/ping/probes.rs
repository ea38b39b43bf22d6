//! The probes: what is in them, when they go, and what became of each.
//!
//! A probe is made of the number of the run and its own, so that what comes back is compared with what went
//! without keeping it. From 16 bytes on it begins so, in network byte order:
//!
//! | bytes | |
//! |---|---|
//! | 0-3 | the number of the run, so that answers to an earlier one are known for what they are |
//! | 4-7 | the number of the probe, from 0 |
//! | 8-15 | a hash of the two |
//!
//! The rest is random, by the two numbers. A shorter probe, which only a stream can have, is all random.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::random::Random;

/// How long a probe has to be to say which one it is.
pub const HEADER: usize = 16;

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many probes.
    pub count: u32,
    /// When they go.
    pub pace: Pace,
    /// How long one is, in bytes: at least 1.
    pub size: usize,
    /// How long one is waited for.
    pub timeout: Duration,
    /// The number of the run.
    pub run: u32,
}

/// When the next probe goes.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// One each time this has passed.
    Every(Duration),
    /// As soon as fewer than so many are on their way.
    Flood(u16),
}

impl Plan {
    /// The bytes of a probe.
    pub fn probe(&self, seq: u32) -> Vec<u8> {
        let mut bytes = vec![0; self.size];
        let mut random = Random::new(self.run.into(), seq.into());
        let hash = random.draw();
        let rest = match bytes.split_at_mut_checked(HEADER) {
            Some((header, rest)) => {
                header[..4].copy_from_slice(&self.run.to_be_bytes());
                header[4..8].copy_from_slice(&seq.to_be_bytes());
                header[8..].copy_from_slice(&hash.to_be_bytes());
                rest
            }
            None => &mut bytes[..],
        };
        random.fill(rest);
        bytes
    }

    /// Which probe `bytes` claims to be, if it has a header of this run.
    pub fn claims(&self, bytes: &[u8]) -> Option<u32> {
        let header = bytes.get(..HEADER)?;
        let run: [u8; 4] = header[..4].try_into().ok()?;
        let seq = u32::from_be_bytes(header[4..8].try_into().ok()?);
        let hash = Random::new(self.run.into(), seq.into()).draw();
        (run == self.run.to_be_bytes() && header[8..] == hash.to_be_bytes()).then_some(seq)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// On its way since then.
    Waiting(Duration),
    /// On its way since then, and given up.
    Late(Duration),
    /// It came back.
    Back,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A probe as it was sent, after this time.
    Intact(Duration),
    /// A probe that was damaged, after this time.
    Damaged(Duration),
    /// A probe that had come back already.
    Duplicate,
    /// Something else.
    Stray,
}

/// The counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Probes sent.
    pub sent: u32,
    /// Of them, those that came back, damaged or not.
    pub back: u32,
    /// Of those, the damaged ones.
    pub damaged: u32,
    /// Damaged answers that do not say to which probe.
    pub unknown: u32,
    /// Answers to probes that were answered already.
    pub duplicates: u32,
    /// Probes that came back after a later one.
    pub reordered: u32,
}

impl Counts {
    /// Probes that did not come back in any form.
    pub fn lost(&self) -> u32 {
        self.sent
            .saturating_sub(self.back)
            .saturating_sub(self.unknown)
    }

    /// Answers that were damaged.
    pub fn corrupted(&self) -> u32 {
        self.damaged + self.unknown
    }
}

/// Knows of each probe what became of it.
#[derive(Debug)]
pub struct Probes {
    plan: Plan,
    states: Vec<State>,
    /// Those on their way in the order in which they went, some of which may be back.
    queue: VecDeque<u32>,
    on_their_way: u32,
    next_at: Duration,
    highest_back: Option<u32>,
    counts: Counts,
    times: Vec<Duration>,
}

impl Probes {
    /// By this plan, the first one at `start`.
    pub fn new(plan: Plan, start: Duration) -> Self {
        Self {
            plan,
            states: Vec::new(),
            queue: VecDeque::new(),
            on_their_way: 0,
            next_at: start,
            highest_back: None,
            counts: Counts::default(),
            times: Vec::new(),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The times of those that came back intact, in the order in which they did.
    pub fn times(&self) -> &[Duration] {
        &self.times
    }

    /// Whether a probe is to go now: its number.
    pub fn next(&mut self, now: Duration) -> Option<u32> {
        if self.counts.sent == self.plan.count {
            return None;
        }
        match self.plan.pace {
            Pace::Every(interval) => {
                if now < self.next_at {
                    return None;
                }
                // Who was kept from sending does not make up for it by a burst.
                self.next_at = (self.next_at + interval).max(now);
            }
            Pace::Flood(window) => {
                if self.on_their_way >= u32::from(window) {
                    return None;
                }
            }
        }
        let seq = self.counts.sent;
        self.counts.sent += 1;
        self.on_their_way += 1;
        self.states.push(State::Waiting(now));
        self.queue.push_back(seq);
        Some(seq)
    }

    /// A datagram came back. Streams keep their order, so theirs come by [`Probes::back`].
    pub fn received(&mut self, now: Duration, bytes: &[u8]) -> (Option<u32>, Verdict) {
        match self.plan.claims(bytes) {
            Some(seq) => {
                let intact = self.plan.probe(seq) == bytes;
                (Some(seq), self.back(now, seq, intact))
            }
            None => {
                // Whatever it is, it is nothing that was sent; of an earlier run, or damaged in its header.
                let of_another_run = bytes.len() >= HEADER && {
                    let run: [u8; 4] = bytes[..4].try_into().unwrap_or_default();
                    let seq: [u8; 4] = bytes[4..8].try_into().unwrap_or_default();
                    let hash: [u8; 8] = bytes[8..16].try_into().unwrap_or_default();
                    let run = u64::from(u32::from_be_bytes(run));
                    let seq = u64::from(u32::from_be_bytes(seq));
                    Random::new(run, seq).draw() == u64::from_be_bytes(hash)
                };
                if of_another_run {
                    return (None, Verdict::Stray);
                }
                self.counts.unknown += 1;
                (None, Verdict::Damaged(Duration::ZERO))
            }
        }
    }

    /// The probe with this number came back.
    pub fn back(&mut self, now: Duration, seq: u32, intact: bool) -> Verdict {
        let Some(state) = self.states.get_mut(seq as usize) else {
            return Verdict::Stray;
        };
        let since = match *state {
            State::Back => {
                self.counts.duplicates += 1;
                return Verdict::Duplicate;
            }
            State::Waiting(since) => {
                self.on_their_way -= 1;
                since
            }
            State::Late(since) => since,
        };
        *state = State::Back;
        while let Some(&first) = self.queue.front()
            && self.states[first as usize] == State::Back
        {
            self.queue.pop_front();
        }
        self.counts.back += 1;
        if self.highest_back.is_some_and(|highest| seq < highest) {
            self.counts.reordered += 1;
        }
        self.highest_back = self.highest_back.max(Some(seq));
        let took = now.saturating_sub(since);
        if intact {
            self.times.push(took);
            Verdict::Intact(took)
        } else {
            self.counts.damaged += 1;
            Verdict::Damaged(took)
        }
    }

    /// Gives up those that were waited for long enough. One that comes later still counts.
    pub fn give_up(&mut self, now: Duration) {
        while let Some(&seq) = self.queue.front() {
            let state = &mut self.states[seq as usize];
            if let State::Waiting(since) = *state {
                if since + self.plan.timeout > now {
                    return;
                }
                *state = State::Late(since);
                self.on_their_way -= 1;
            }
            self.queue.pop_front();
        }
    }

    /// When [`Probes::next`] or [`Probes::give_up`] has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        let sends = match self.plan.pace {
            Pace::Every(_) if self.counts.sent < self.plan.count => Some(self.next_at),
            _ => None,
        };
        [sends, self.next_give_up()].into_iter().flatten().min()
    }

    /// When the next one is given up.
    pub fn next_give_up(&self) -> Option<Duration> {
        // Those in front are taken out as they come back, so this does not look far.
        self.queue
            .iter()
            .find_map(|&seq| match self.states[seq as usize] {
                State::Waiting(since) => Some(since + self.plan.timeout),
                State::Late(_) | State::Back => None,
            })
    }

    /// Whether all went, and none is waited for.
    pub fn are_done(&self) -> bool {
        self.counts.sent == self.plan.count && self.on_their_way == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn plan(count: u32, pace: Pace) -> Plan {
        Plan {
            count,
            pace,
            size: 64,
            timeout: MS * 100,
            run: 7,
        }
    }

    fn sent(count: u32) -> Probes {
        let mut probes = Probes::new(plan(count, Pace::Flood(1000)), Duration::ZERO);
        while probes.next(Duration::ZERO).is_some() {}
        probes
    }

    #[test]
    fn probes_go_at_their_times_and_not_in_bursts() {
        let mut probes = Probes::new(plan(4, Pace::Every(MS * 10)), MS);
        assert_eq!(probes.next(Duration::ZERO), None);
        assert_eq!(probes.next_deadline(), Some(MS));
        assert_eq!(probes.next(MS), Some(0));
        assert_eq!(probes.next(MS), None);
        assert_eq!(probes.next_deadline(), Some(MS * 11));
        assert_eq!(probes.next(MS * 50), Some(1));
        assert_eq!(probes.next(MS * 50), Some(2), "the one whose time it is");
        assert_eq!(probes.next(MS * 50), None);
    }

    #[test]
    fn a_flood_keeps_its_window() {
        let mut probes = Probes::new(plan(10, Pace::Flood(3)), Duration::ZERO);
        let go = |probes: &mut Probes, now| std::iter::from_fn(|| probes.next(now)).count();
        assert_eq!(go(&mut probes, MS), 3);
        probes.back(MS * 2, 1, true);
        assert_eq!(go(&mut probes, MS * 2), 1);
        probes.give_up(MS * 101);
        assert_eq!(go(&mut probes, MS * 101), 2, "two are given up, one is not");
    }

    #[test]
    fn what_comes_back_is_what_went_or_is_found_out() {
        let mut probes = sent(5);
        let plan = probes.plan().clone();
        let now = MS * 3;
        assert_eq!(
            probes.received(now, &plan.probe(0)),
            (Some(0), Verdict::Intact(now))
        );
        assert_eq!(
            probes.received(now, &plan.probe(0)),
            (Some(0), Verdict::Duplicate)
        );
        assert_eq!(
            probes.received(now, &plan.probe(3)),
            (Some(3), Verdict::Intact(now))
        );
        assert_eq!(
            probes.received(now, &plan.probe(2)),
            (Some(2), Verdict::Intact(now))
        );
        let mut damaged = plan.probe(1);
        damaged[63] ^= 1;
        assert_eq!(
            probes.received(now, &damaged),
            (Some(1), Verdict::Damaged(now))
        );
        let mut headless = plan.probe(4);
        headless[5] ^= 1;
        assert_eq!(probes.received(now, &headless).0, None);
        let other = Plan {
            run: 8,
            ..plan.clone()
        };
        assert_eq!(
            probes.received(now, &other.probe(0)),
            (None, Verdict::Stray)
        );
        assert_eq!(probes.received(now, &plan.probe(99)).1, Verdict::Stray);
        let counts = probes.counts();
        assert_eq!(
            counts,
            Counts {
                sent: 5,
                back: 4,
                damaged: 1,
                unknown: 1,
                duplicates: 1,
                reordered: 2,
            }
        );
        assert_eq!((counts.lost(), counts.corrupted()), (0, 2));
    }

    #[test]
    fn a_cut_or_lengthened_answer_is_damaged() {
        let mut probes = sent(2);
        let mut longer = probes.plan().probe(0);
        let shorter = probes.plan().probe(1)[..30].to_vec();
        longer.push(0);
        assert!(matches!(
            probes.received(MS, &longer).1,
            Verdict::Damaged(_)
        ));
        assert!(matches!(
            probes.received(MS, &shorter).1,
            Verdict::Damaged(_)
        ));
        assert!(matches!(probes.received(MS, b"").1, Verdict::Damaged(_)));
    }

    #[test]
    fn one_that_comes_after_it_was_given_up_is_not_lost() {
        let mut probes = sent(2);
        assert!(!probes.are_done());
        assert_eq!(probes.next_deadline(), Some(MS * 100));
        probes.give_up(MS * 99);
        assert!(!probes.are_done());
        probes.give_up(MS * 100);
        assert!(probes.are_done());
        assert_eq!(probes.counts().lost(), 2);
        assert_eq!(probes.back(MS * 150, 0, true), Verdict::Intact(MS * 150));
        assert_eq!(probes.counts().lost(), 1);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_or_miscount(
            answers in prop::collection::vec((0..20_u32, prop::collection::vec(any::<u8>(), 0..70)), 0..50)
        ) {
            let mut probes = sent(10);
            for (seq, mut bytes) in answers {
                if bytes.len() % 2 == 0 {
                    let probe = probes.plan().probe(seq);
                    bytes.splice(.., probe);
                }
                probes.received(MS, &bytes);
            }
            let counts = probes.counts();
            prop_assert!(counts.back <= counts.sent);
            prop_assert!(counts.lost() + counts.back <= counts.sent);
        }
    }
}
