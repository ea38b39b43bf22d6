//! Whether a session still gets on. It is told the time and touches nothing.
//!
//! Three things look alike from outside: a peer that is dead (silence), one that hangs (it says that it is alive and
//! does nothing), and one whose disk is slow (it works). Own progress always counts. A peer's word that it works
//! extends the patience, but only so far: words are cheap.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

use crate::transfer::session::Progress;
use crate::transfer::wire::Phase;

/// For so many times the patience a peer is believed that it works, and our own disk is waited for, without anything
/// else getting on. A flush of what a slow disk has taken into memory may take minutes.
const TRUST: u32 = 10;

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// `--stall-timeout`: without progress.
    pub stall: Option<Duration>,
    /// `--idle-timeout`: without any word.
    pub idle: Option<Duration>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The peer says nothing.
    Silent,
    /// Nothing gets on.
    Stalled,
}

/// How things are, beside the machine's count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doings {
    /// Workers of this end are at something.
    pub busy: bool,
    /// A stream is being sent, whose producer may take its time.
    pub streaming: bool,
}

/// Keeps the last signs of life.
#[derive(Debug)]
pub struct Watchdog {
    patience: Patience,
    ours: (u64, u64, u64, u64, u64),
    theirs: (u64, Duration),
    /// When this end got on, and when that or something that is believed happened.
    moved: Duration,
    believed: Duration,
}

impl Watchdog {
    /// The session begins to be watched.
    pub fn new(now: Duration, patience: Patience) -> Self {
        Self {
            patience,
            ours: (0, 0, 0, 0, 0),
            theirs: (0, Duration::ZERO),
            moved: now,
            believed: now,
        }
    }

    /// Looks.
    pub fn look(&mut self, now: Duration, progress: &Progress, doings: Doings) -> Option<Trouble> {
        let ours = (
            progress.work,
            progress.entries,
            progress.settled,
            progress.sent,
            progress.reused,
        );
        if ours != self.ours || doings.streaming {
            self.ours = ours;
            self.moved = now;
        }
        let has_worked = progress.peer_work > self.theirs.0;
        let is_storing =
            progress.heard_at > self.theirs.1 && progress.peer_phase == Some(Phase::Storing);
        self.theirs = (progress.peer_work, progress.heard_at);
        if self.moved == now || has_worked || is_storing || doings.busy {
            self.believed = now;
        }
        if let Some(idle) = self.patience.idle
            && now.saturating_sub(progress.heard_at) >= idle
        {
            return Some(Trouble::Silent);
        }
        let stall = self.patience.stall?;
        let is_stalled = now.saturating_sub(self.believed) >= stall
            || now.saturating_sub(self.moved) >= stall.saturating_mul(TRUST);
        is_stalled.then_some(Trouble::Stalled)
    }

    /// When to look again, at the latest.
    pub fn next_look(&self, now: Duration) -> Option<Duration> {
        let shortest = [self.patience.stall, self.patience.idle]
            .into_iter()
            .flatten()
            .min()?;
        // Often enough to be a little late only, seldom enough to cost nothing.
        let pause = shortest / 8;
        Some(now + pause.clamp(Duration::from_millis(20), Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// What is said of each second from 1 on; the second in which there is trouble.
    fn watch(of: impl Fn(u64) -> (Progress, Doings)) -> Option<(u64, Trouble)> {
        let patience = Patience {
            stall: Some(STALL),
            idle: Some(second(20)),
        };
        let mut watchdog = Watchdog::new(Duration::ZERO, patience);
        (1..1_000).find_map(|n| {
            let (progress, doings) = of(n);
            let trouble = watchdog.look(second(n), &progress, doings)?;
            Some((n, trouble))
        })
    }

    fn heard(n: u64) -> Progress {
        Progress {
            heard_at: second(n),
            ..Progress::default()
        }
    }

    #[test]
    fn silence_is_a_dead_peer_whatever_this_end_does() {
        let trouble = watch(|n| {
            let progress = Progress {
                work: n,
                ..heard(n.min(5))
            };
            (progress, Doings::default())
        });
        assert_eq!(trouble, Some((25, Trouble::Silent)));
    }

    #[test]
    fn a_peer_that_only_says_that_it_is_alive_stalls() {
        let trouble = watch(|n| (heard(n), Doings::default()));
        assert_eq!(trouble, Some((30, Trouble::Stalled)));
    }

    #[test]
    fn own_progress_and_a_producers_pause_are_no_stall() {
        let trouble = watch(|n| {
            let progress = Progress {
                settled: n / 20,
                ..heard(n)
            };
            (progress, Doings::default())
        });
        assert_eq!(trouble, None);
        let streaming = Doings {
            streaming: true,
            ..Doings::default()
        };
        assert_eq!(watch(|n| (heard(n), streaming)), None);
    }

    #[test]
    fn a_peer_that_works_is_believed_for_ten_times_as_long() {
        let works = |n| Progress {
            peer_work: n,
            ..heard(n)
        };
        let trouble = watch(|n| (works(n), Doings::default()));
        assert_eq!(trouble, Some((300, Trouble::Stalled)));
        let stores = |n| Progress {
            peer_phase: Some(Phase::Storing),
            ..heard(n)
        };
        let trouble = watch(|n| (stores(n), Doings::default()));
        assert_eq!(trouble, Some((300, Trouble::Stalled)));
        let busy = Doings {
            busy: true,
            ..Doings::default()
        };
        assert_eq!(watch(|n| (heard(n), busy)), Some((300, Trouble::Stalled)));
    }

    #[test]
    fn limits_that_are_off_never_end_a_session() {
        let patience = Patience {
            stall: None,
            idle: None,
        };
        let mut watchdog = Watchdog::new(Duration::ZERO, patience);
        let progress = Progress::default();
        let trouble = watchdog.look(second(100_000), &progress, Doings::default());
        assert_eq!(trouble, None);
        assert_eq!(watchdog.next_look(second(1)), None);
    }
}
