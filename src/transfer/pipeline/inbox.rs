//! What the control thread waits for: frames from the connection, words from its workers, room for output.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transfer::frame::{Frame, Violation};
use crate::transfer::pipeline::pool::Buffer;

/// How many frames wait before the connection is read no further. Their payloads are bounded by the pool; this
/// bounds what has none.
const MAX_FRAMES: usize = 32;

/// What comes from the connection.
#[derive(Debug)]
pub enum Arrival {
    /// A whole frame and its payload.
    Frame(Frame, Option<Buffer>),
    /// It cannot be taken apart any further.
    Violation(Violation),
    /// There is nothing more.
    End,
}

#[derive(Debug)]
struct State<S> {
    arrivals: VecDeque<Arrival>,
    said: Vec<S>,
    /// Something else is to be looked at: room, a signal.
    nudged: bool,
    closed: bool,
    is_waiting: bool,
    reader_waits: bool,
}

/// Where everything comes together. `S` is what the workers say.
#[derive(Debug)]
pub struct Inbox<S> {
    state: Mutex<State<S>>,
    filled: Condvar,
    drained: Condvar,
}

impl<S> Inbox<S> {
    /// Empty.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                arrivals: VecDeque::new(),
                said: Vec::new(),
                nudged: false,
                closed: false,
                is_waiting: false,
                reader_waits: false,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the control thread if it sleeps.
    fn wake(&self, state: MutexGuard<'_, State<S>>) {
        let is_waiting = state.is_waiting;
        drop(state);
        if is_waiting {
            self.filled.notify_one();
        }
    }

    /// From the connection. Waits while too many are there. `false`: nobody wants it any more.
    pub fn arrive(&self, arrival: Arrival) -> bool {
        let mut state = self.state();
        while state.arrivals.len() >= MAX_FRAMES && !state.closed {
            state.reader_waits = true;
            state = self
                .drained
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.arrivals.push_back(arrival);
        self.wake(state);
        true
    }

    /// From a worker: everything in `words`, which is left empty.
    pub fn say(&self, words: &mut Vec<S>) {
        let mut state = self.state();
        if state.said.is_empty() {
            std::mem::swap(&mut state.said, words);
        } else {
            state.said.append(words);
        }
        self.wake(state);
    }

    /// Something is to be looked at.
    pub fn nudge(&self) {
        let mut state = self.state();
        state.nudged = true;
        self.wake(state);
    }

    /// Sleeps until there is something or `until` has come, and takes what there is. Frames are left waiting unless
    /// they are wanted. `arrivals` and `said` are to be empty.
    pub fn wait(
        &self,
        until: Option<Instant>,
        wants_frames: bool,
        arrivals: &mut VecDeque<Arrival>,
        said: &mut Vec<S>,
    ) {
        let mut state = self.state();
        loop {
            let has_frames = wants_frames && !state.arrivals.is_empty();
            if has_frames || !state.said.is_empty() || state.nudged {
                break;
            }
            let left = match until {
                None => Duration::MAX,
                Some(until) => until.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                break;
            }
            state.is_waiting = true;
            state = match until {
                None => self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(_) => {
                    self.filled
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.is_waiting = false;
        }
        state.nudged = false;
        std::mem::swap(&mut state.said, said);
        if wants_frames {
            std::mem::swap(&mut state.arrivals, arrivals);
            if std::mem::take(&mut state.reader_waits) {
                self.drained.notify_all();
            }
        }
    }

    /// Takes nothing from the connection any more.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.arrivals.clear();
        drop(state);
        self.drained.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn take(inbox: &Inbox<u32>, wants_frames: bool) -> (usize, Vec<u32>) {
        let (mut arrivals, mut said) = (VecDeque::new(), Vec::new());
        inbox.wait(Some(Instant::now()), wants_frames, &mut arrivals, &mut said);
        (arrivals.len(), said)
    }

    #[test]
    fn frames_wait_until_they_are_wanted_and_words_do_not() {
        let inbox = Inbox::new();
        assert!(inbox.arrive(Arrival::End));
        inbox.say(&mut vec![1]);
        inbox.say(&mut vec![2, 3]);
        assert_eq!(take(&inbox, false), (0, vec![1, 2, 3]));
        assert_eq!(take(&inbox, true), (1, vec![]));
        inbox.nudge();
        // Without a deadline: only the nudge ends this.
        inbox.wait(None, true, &mut VecDeque::new(), &mut Vec::new());
    }

    #[test]
    fn a_reader_that_is_ahead_waits_and_is_let_go_at_the_end() {
        let inbox: Arc<Inbox<u32>> = Arc::new(Inbox::new());
        let other = Arc::clone(&inbox);
        let reader = std::thread::spawn(move || {
            let mut taken = 0;
            while other.arrive(Arrival::End) {
                taken += 1;
            }
            taken
        });
        let mut seen = 0;
        while seen < 10 * MAX_FRAMES {
            let mut arrivals = VecDeque::new();
            inbox.wait(None, true, &mut arrivals, &mut Vec::new());
            assert!(arrivals.len() <= MAX_FRAMES);
            seen += arrivals.len();
        }
        inbox.close();
        assert!(reader.join().unwrap() >= seen);
    }
}
