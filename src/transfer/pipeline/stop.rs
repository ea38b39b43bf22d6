//! Signals for threads: the first asks everything to come to a clean end, the second ends the process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::machine::Signal;
use crate::core::signal;
use crate::error::{Error, Kind, Result};

type Waker = Box<dyn Fn() -> bool + Send>;

#[derive(Default)]
struct State {
    signal: Option<Signal>,
    wakers: Vec<Waker>,
}

/// Knows whether the process is to end. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({:?})", self.signal())
    }
}

impl Stop {
    /// Listens to signals from now on. Once per process.
    pub fn watch() -> Result<Self> {
        let stop = Self::default();
        let theirs = stop.clone();
        signal::tell(move |signal| {
            if !theirs.ask(signal) {
                // Whoever says it twice does not want to wait for anything. What is on disk can be resumed anyway.
                std::process::exit(i32::from(Kind::Signal(signal.number()).status()));
            }
            true
        })?;
        Ok(stop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks everything to end. `false`: that had been asked already.
    pub fn ask(&self, signal: Signal) -> bool {
        let mut state = self.state();
        if state.signal.is_some() {
            return false;
        }
        state.signal = Some(signal);
        state.wakers.retain(|wake| wake());
        true
    }

    /// The signal, if one has come.
    pub fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// Has `wake` called when one comes, and at once if one has come. It says whether it is still worth calling.
    pub fn wake(&self, wake: impl Fn() -> bool + Send + 'static) {
        let mut state = self.state();
        if state.signal.is_some() {
            wake();
        }
        // Those of earlier sessions go when there are many.
        if state.wakers.len() >= 64 {
            state.wakers.retain(|wake| wake());
        }
        state.wakers.push(Box::new(wake));
    }

    /// How a run ends that a signal ended.
    pub fn error(signal: Signal) -> Error {
        Error::new(Kind::Signal(signal.number()), "ended by a signal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_first_signal_wakes_everybody_and_the_second_is_another_matter() {
        let stop = Stop::default();
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        stop.wake(move || counter.fetch_add(1, Ordering::Relaxed) < 100);
        assert_eq!(stop.signal(), None);
        assert!(stop.ask(Signal::Terminate));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(!stop.ask(Signal::Interrupt));
        assert_eq!(stop.signal(), Some(Signal::Terminate));
        let counter = Arc::clone(&count);
        stop.wake(move || counter.fetch_add(1, Ordering::Relaxed) < 100);
        assert_eq!(count.load(Ordering::Relaxed), 2, "who comes late is told");
    }
}
