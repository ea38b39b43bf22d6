//! Signals for threads: the first asks everything to come to a clean end, the second ends the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::machine::Signal;
use crate::core::signal;
use crate::error::{Error, Kind, Result};

type Waker = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    signal: Option<Signal>,
    /// By number, in the order in which they came.
    wakers: BTreeMap<u64, Waker>,
    next: u64,
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
        state.wakers.values().for_each(|wake| wake());
        true
    }

    /// The signal, if one has come.
    pub fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// Has `wake` called when one comes, and at once if one has come, until what it returns is dropped.
    pub fn wake(&self, wake: impl Fn() + Send + 'static) -> Waking {
        let mut state = self.state();
        if state.signal.is_some() {
            wake();
        }
        let number = state.next;
        state.next += 1;
        state.wakers.insert(number, Box::new(wake));
        Waking {
            stop: self.clone(),
            number,
        }
    }

    /// How a run ends that a signal ended.
    pub fn error(signal: Signal) -> Error {
        Error::new(Kind::Signal(signal.number()), "ended by a signal")
    }
}

/// That somebody is woken by a signal.
#[must_use]
pub struct Waking {
    stop: Stop,
    number: u64,
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.stop.state().wakers.remove(&self.number);
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
        let waker = || {
            let counter = Arc::clone(&count);
            stop.wake(move || {
                counter.fetch_add(1, Ordering::Relaxed);
            })
        };
        let _waking = waker();
        // However many come and go, nobody is woken by that.
        for _ in 0..1000 {
            drop(waker());
        }
        assert_eq!((stop.signal(), count.load(Ordering::Relaxed)), (None, 0));
        assert!(stop.ask(Signal::Terminate));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(!stop.ask(Signal::Interrupt));
        assert_eq!(stop.signal(), Some(Signal::Terminate));
        let _late = waker();
        assert_eq!(count.load(Ordering::Relaxed), 2, "who comes late is told");
    }
}
