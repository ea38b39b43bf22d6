//! How far a transfer is, how fast it goes and how long it will take; and when that is worth saying.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::time::Duration;

use super::{FileProgress, FileReport, Name, Offered, Progress, Stage, Totals};
use crate::transfer::entry::Entry;
use crate::transfer::session;

/// Progress is said at most five times a second: faster than anybody reads, and next to no work.
pub const EVERY: Duration = Duration::from_millis(200);

/// The rate is that of the last seconds: long enough to stand still for the eye, short enough to notice a stall.
const WINDOW: Duration = Duration::from_secs(5);

/// Before so much time has passed a rate says nothing, nor does a time that is made from it.
const FIRST: Duration = Duration::from_millis(500);

/// A longer time nobody believes: 100 days.
const LONGEST: f64 = 100.0 * 86_400.0;

/// How things are, as the control thread knows it.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// What is being done.
    pub stage: Stage,
    /// The machine's own count, of this connection.
    pub progress: session::Progress,
    /// Whether the sender may offer more. At the receiving end: until it has said DONE.
    pub more: bool,
    /// The file that is under way; of several, the one that was worked on last.
    pub at: Option<At<'a>>,
}

/// Where in a file the work is.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// Which.
    pub entry: &'a Entry,
    /// Bytes of it that are done with in this round.
    pub done: u64,
    /// So many bytes from its beginning are at the receiver and are compared; 0 if none are.
    pub present: u64,
}

/// Keeps the sums of a run over its connections.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Since the first connection, or since the program began to wait for it.
    started: Duration,
    connections: u64,
    due: Duration,
    stage: Option<Stage>,
    totals: Totals,
    /// Entries that were never offered: they are reported, and the machine knows nothing of them.
    unoffered: u64,
    /// Bytes of the entries that have their verdict.
    settled_bytes: u64,
    /// Of those settled on this connection: bytes that the machine counted as sent or reused.
    settled_moved: u64,
    /// Of those settled on this connection: bytes that the machine could not count as offered (streams).
    streamed: u64,
    /// Earlier connections.
    before: session::Progress,
    /// This connection, as last seen.
    live: session::Progress,
    /// When how much was done.
    window: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// Begins to wait at `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            started: now,
            connections: 0,
            due: now,
            stage: None,
            totals: Totals::default(),
            unoffered: 0,
            settled_bytes: 0,
            settled_moved: 0,
            streamed: 0,
            before: session::Progress::default(),
            live: session::Progress::default(),
            window: VecDeque::new(),
        }
    }

    /// A connection begins. Whether there was one before.
    pub fn connected(&mut self, now: Duration) -> bool {
        let again = self.connections > 0;
        self.connections += 1;
        if !again {
            self.started = now;
        }
        // What happened before a pause says nothing of the time behind it.
        self.window.clear();
        again
    }

    /// A connection is over. `last`: what its machine had counted.
    pub fn connection_ended(&mut self, last: &session::Progress) {
        // What was offered and not settled is offered again.
        self.before = session::Progress {
            entries: self.totals.entries - self.unoffered,
            bytes: self.settled_bytes,
            sent: self.before.sent + last.sent,
            reused: self.before.reused + last.reused,
            ..session::Progress::default()
        };
        self.live = session::Progress::default();
        self.settled_moved = 0;
        self.streamed = 0;
    }

    /// An entry has its verdict.
    pub fn file(&mut self, file: &FileReport) {
        self.totals.count(file);
        self.settled_moved += file.sent + file.reused;
        match file.offered {
            Offered::No => self.unoffered += 1,
            Offered::With(Some(size)) => self.settled_bytes += size,
            Offered::With(None) => {
                let size = file.size.unwrap_or(0);
                self.settled_bytes += size;
                self.streamed += size;
            }
        }
    }

    /// Whether progress may be said again.
    pub fn is_due(&self, now: Duration) -> bool {
        now >= self.due
    }

    /// The progress, and the stage if it is another than last time. The next is due [`EVERY`] later.
    pub fn progress(
        &mut self,
        now: Duration,
        snapshot: &Snapshot<'_>,
    ) -> (Option<Stage>, Progress) {
        self.due = now + EVERY;
        self.live = snapshot.progress;
        let news = (self.stage != Some(snapshot.stage)).then_some(snapshot.stage);
        self.stage = Some(snapshot.stage);
        let bytes = self.before.bytes + self.live.bytes + self.streamed;
        let done = self.done_bytes(bytes);
        let rate = self.rate(now, done);
        let eta = match rate {
            Some(rate) if rate > 0.0 && !snapshot.more => {
                Some((bytes - done.min(bytes)) as f64 / rate).filter(|time| *time < LONGEST)
            }
            _ => None,
        };
        let progress = Progress {
            phase: snapshot.stage,
            entries: self.before.entries + self.live.entries + self.unoffered,
            settled: self.totals.entries,
            bytes,
            more: snapshot.more,
            done,
            sent: self.before.sent + self.live.sent,
            reused: self.before.reused + self.live.reused,
            rate: rate.unwrap_or(0.0) as u64,
            eta,
            seconds: self.elapsed(now).as_secs_f64(),
            file: snapshot.at.map(|at| FileProgress {
                path: Name::from(&at.entry.path),
                size: at.entry.size(),
                done: at.done,
                present: at.present,
            }),
        };
        (news, progress)
    }

    /// Everything settled, by whatever way, and what is known of the rest. Rounds can send a byte twice, and
    /// a stream's size is not known: the sum is held against the whole where there is one.
    fn done_bytes(&self, bytes: u64) -> u64 {
        let moved = self.live.sent + self.live.reused;
        let under_way = moved.saturating_sub(self.settled_moved);
        let done = self.settled_bytes + under_way;
        if bytes == 0 { done } else { done.min(bytes) }
    }

    fn rate(&mut self, now: Duration, done: u64) -> Option<f64> {
        self.window.push_back((now, done));
        // One that is older than the window stays, so that the whole window is covered.
        while self
            .window
            .get(1)
            .is_some_and(|(time, _)| now.saturating_sub(*time) >= WINDOW)
        {
            self.window.pop_front();
        }
        let (since, from) = *self.window.front()?;
        let time = now.saturating_sub(since);
        (time >= FIRST).then(|| done.saturating_sub(from) as f64 / time.as_secs_f64())
    }

    /// The time since the first connection.
    pub fn elapsed(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }

    /// The sums so far.
    pub fn totals(&self) -> Totals {
        Totals {
            sent: self.before.sent + self.live.sent,
            reused: self.before.reused + self.live.reused,
            ..self.totals
        }
    }
}
