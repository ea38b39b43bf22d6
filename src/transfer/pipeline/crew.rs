//! Worker threads with a queue each. What one is given, it does in order: what belongs together goes to one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

/// More workers than this only wait for each other at one disk and one connection.
const MAX_WORKERS: usize = 4;

/// As many as there are processors, within reason.
pub fn worker_count() -> usize {
    thread::available_parallelism().map_or(2, |count| count.get().clamp(1, MAX_WORKERS))
}

/// For so long after the end of a session files that have come whole are still stored: with a flush for each there may
/// be thousands, and the other end waits at the door again.
const GRACE: Duration = Duration::from_secs(2);

/// What all workers of a session see.
#[derive(Debug, Default)]
pub struct Shared {
    /// When the session ended: from then on only what was taken in is still to be written.
    over: OnceLock<Instant>,
    /// Bytes that were read, hashed and written.
    work: AtomicU64,
}

impl Shared {
    /// Whether the session has ended.
    pub fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    /// Whether there is still time for more than writing.
    pub fn has_time(&self) -> bool {
        self.over.get().is_none_or(|since| since.elapsed() < GRACE)
    }

    /// The session has ended.
    pub fn end(&self) {
        self.over.get_or_init(Instant::now);
    }

    /// So many more bytes were read, hashed or written.
    pub fn worked(&self, bytes: u64) {
        self.work.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many there were so far.
    pub fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct State<J> {
    jobs: Vec<J>,
    closed: bool,
    is_waiting: bool,
}

#[derive(Debug)]
pub struct Queue<J> {
    state: Mutex<State<J>>,
    filled: Condvar,
    /// Jobs that were given and are not done.
    outstanding: AtomicUsize,
}

impl<J> Queue<J> {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                jobs: Vec::new(),
                closed: false,
                is_waiting: false,
            }),
            filled: Condvar::new(),
            outstanding: AtomicUsize::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn give(&self, jobs: &mut Vec<J>) {
        self.outstanding.fetch_add(jobs.len(), Ordering::Relaxed);
        let mut state = self.state();
        state.jobs.append(jobs);
        let is_waiting = state.is_waiting;
        drop(state);
        if is_waiting {
            self.filled.notify_one();
        }
    }

    pub fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
    }

    /// Takes all the jobs that are there. Where there are none it calls `rest` and then waits. `false`: there will be
    /// none.
    pub fn take(&self, jobs: &mut Vec<J>, rest: impl FnOnce()) -> bool {
        let mut rest = Some(rest);
        let mut state = self.state();
        loop {
            if !state.jobs.is_empty() {
                std::mem::swap(&mut state.jobs, jobs);
                return true;
            }
            if let Some(rest) = rest.take() {
                drop(state);
                rest();
                state = self.state();
                continue;
            }
            if state.closed {
                return false;
            }
            state.is_waiting = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.is_waiting = false;
        }
    }

    pub fn done(&self, count: usize) {
        self.outstanding.fetch_sub(count, Ordering::Relaxed);
    }

    fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }
}

/// The workers of a session. `J` is what they are given to do.
#[derive(Debug)]
pub struct Crew<J> {
    queues: Vec<Arc<Queue<J>>>,
    /// What goes to each at the end of the turn.
    staged: Vec<Vec<J>>,
    /// Whose turn it is among equals.
    next: usize,
    /// Each worker holds one end; it is disconnected when all are gone.
    gone: mpsc::Receiver<()>,
    alive: Option<mpsc::Sender<()>>,
}

impl<J: Send + 'static> Crew<J> {
    /// Without anybody.
    pub fn new() -> Self {
        let (alive, gone) = mpsc::channel();
        Self {
            queues: Vec::new(),
            staged: Vec::new(),
            next: 0,
            gone,
            alive: Some(alive),
        }
    }

    /// One more. `work` takes from the queue until that says that there is nothing more.
    pub fn hire(
        &mut self,
        name: &str,
        work: impl FnOnce(&Queue<J>) + Send + 'static,
    ) -> io::Result<usize> {
        let queue = Arc::new(Queue::new());
        let (theirs, alive) = (Arc::clone(&queue), self.alive.clone());
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _alive = alive;
                work(&theirs);
            })?;
        self.queues.push(queue);
        self.staged.push(Vec::new());
        Ok(self.queues.len() - 1)
    }

    /// The one of the first `among` with the least to do.
    pub fn least_busy(&mut self, among: usize) -> usize {
        let among = among.clamp(1, self.queues.len().max(1));
        self.next += 1;
        (0..among)
            .map(|at| (self.next + at) % among)
            .min_by_key(|&at| self.load(at))
            .unwrap_or(0)
    }

    fn load(&self, at: usize) -> usize {
        let staged = self.staged.get(at).map_or(0, Vec::len);
        staged + self.queues.get(at).map_or(0, |queue| queue.outstanding())
    }

    /// Gives a job to the worker that has what it is about. What nobody has goes to the one with the least to do.
    pub fn assign(&mut self, whose: &mut Option<usize>, job: J) {
        let worker = whose.unwrap_or_else(|| self.least_busy(self.queues.len()));
        *whose = Some(worker);
        self.stage(worker, job);
    }

    /// Gives a job to a worker, at the next [`Crew::send`].
    pub fn stage(&mut self, worker: usize, job: J) {
        if let Some(staged) = self.staged.get_mut(worker) {
            staged.push(job);
        }
    }

    /// Hands out what was staged, with one wake-up for each worker at the most.
    pub fn send(&mut self) {
        for (queue, staged) in self.queues.iter().zip(&mut self.staged) {
            if !staged.is_empty() {
                queue.give(staged);
            }
        }
    }

    /// Jobs that are not done.
    pub fn outstanding(&self) -> usize {
        (0..self.queues.len()).map(|at| self.load(at)).sum()
    }

    /// Lets the workers finish what they have and go. Waits for them, but not for ever: one may hang at a disk or a
    /// pipe, and is left behind. Says whether all went.
    pub fn dismiss(&mut self, patience: Duration) -> bool {
        self.send();
        for queue in self.queues.drain(..) {
            queue.close();
        }
        self.alive = None;
        matches!(
            self.gone.recv_timeout(patience),
            Err(mpsc::RecvTimeoutError::Disconnected)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_does_its_jobs_in_order_and_all_are_done_at_the_end() {
        let mut crew = Crew::new();
        let (sender, done) = mpsc::channel();
        for worker in 0..3 {
            let sender = sender.clone();
            crew.hire("test", move |queue: &Queue<u32>| {
                let mut jobs = Vec::new();
                while queue.take(&mut jobs, || {}) {
                    for job in jobs.drain(..) {
                        sender.send((worker, job)).unwrap();
                        queue.done(1);
                    }
                }
            })
            .unwrap();
        }
        drop(sender);
        for job in 0..300 {
            let worker = crew.least_busy(3);
            crew.stage(worker, job);
        }
        assert_eq!(crew.outstanding(), 300);
        crew.send();
        assert!(crew.dismiss(Duration::from_secs(60)));
        let mut last = [None; 3];
        let mut count = [0; 3];
        for (worker, job) in done.iter() {
            assert!(last[worker] < Some(job), "{worker} {job}");
            last[worker] = Some(job);
            count[worker] += 1;
        }
        assert_eq!(count, [100; 3], "nobody had more to do than another");
    }

    #[test]
    fn what_nobody_has_goes_to_the_one_with_the_least_to_do_and_stays_there() {
        let mut crew = Crew::new();
        for _ in 0..2 {
            // They take nothing.
            crew.hire("test", |_: &Queue<&str>| {}).unwrap();
        }
        let [mut long, mut short, mut late] = [None; 3];
        for whose in [&mut long, &mut short] {
            crew.assign(whose, "begin");
        }
        assert_ne!(long, short);
        let had = long;
        for _ in 0..5 {
            crew.assign(&mut long, "more");
        }
        crew.send();
        assert_eq!(long, had);
        for _ in 0..3 {
            crew.assign(&mut late, "begin");
            assert_eq!(late.take(), short);
        }
    }

    #[test]
    fn a_worker_rests_only_where_there_is_nothing_to_do() {
        let queue = Queue::new();
        queue.give(&mut vec![1, 2]);
        let (mut jobs, mut rests) = (Vec::new(), 0);
        assert!(queue.take(&mut jobs, || rests += 1));
        assert_eq!((jobs.drain(..).count(), rests), (2, 0));
        // What comes while it rests is taken without waiting.
        assert!(queue.take(&mut jobs, || queue.give(&mut vec![3])));
        assert_eq!(jobs, [3]);
        queue.close();
        jobs.clear();
        assert!(!queue.take(&mut jobs, || rests += 1));
        assert_eq!(rests, 1, "also before it goes");
    }
}
