//! What is printed, on a thread of its own: whoever reads our output slowly must not stop the answers to pings,
//! the timeouts and the signals. When too much waits, the machine is asked to hold the connection.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::machine::Note;
use crate::core::event_loop::Handle;
use crate::error::{Error, Result};
use crate::ui::{Output, Ui};

/// How many bytes wait before the machine is asked to hold.
const HIGH: usize = 1 << 20;

/// Where the bytes go.
pub(super) trait Sink: Send + 'static {
    /// Prints them, and waits as long as that takes.
    fn print(&mut self, bytes: &[u8]) -> Result<Output>;

    /// Waits until the last of them is where it is seen.
    fn finish(&mut self) {}
}

impl Sink for Ui {
    fn print(&mut self, bytes: &[u8]) -> Result<Output> {
        self.write(bytes)
    }
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    held: bool,
    ended: bool,
    /// Why it could not be printed.
    failure: Option<Error>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    handle: Handle<Note>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What a thread that panicked left behind is still bytes to print.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints in the background. Its clones print on the same.
#[derive(Clone)]
pub(super) struct Printer {
    shared: Arc<Shared>,
}

/// Tells when all is printed.
pub(super) struct Printing {
    printer: Printer,
    done: Receiver<()>,
}

/// Starts printing to `sink`.
pub(super) fn start(mut sink: impl Sink, handle: Handle<Note>) -> Printing {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        changed: Condvar::new(),
        handle,
    });
    let (finished, done) = mpsc::channel();
    let printer = Printer {
        shared: Arc::clone(&shared),
    };
    thread::spawn(move || {
        print_all(&mut sink, &shared);
        sink.finish();
        // Its end is the message.
        drop::<mpsc::Sender<()>>(finished);
    });
    Printing { printer, done }
}

fn print_all(sink: &mut impl Sink, shared: &Shared) {
    let mut open = true;
    loop {
        let mut state = shared.lock();
        while state.waiting.is_empty() {
            if state.ended {
                return;
            }
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = std::mem::take(&mut state.waiting);
        let held = std::mem::take(&mut state.held);
        drop(state);
        // A loop that has ended has no use for the news.
        if open {
            let told = match sink.print(&bytes) {
                Ok(Output::Written) => Ok(()),
                Ok(Output::Closed) => {
                    open = false;
                    shared.handle.urgent(Note::OutputClosed)
                }
                Err(error) => {
                    open = false;
                    shared.lock().failure = Some(Error::new(error.kind(), error.to_string()));
                    shared.handle.urgent(Note::OutputFailed(error))
                }
            };
            let _ = told;
        }
        if held {
            let _ = shared.handle.urgent(Note::Hold(false));
        }
    }
}

impl Printer {
    /// Prints soon.
    pub(super) fn print(&self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        state.waiting.extend_from_slice(bytes);
        if state.waiting.len() > HIGH && !state.held {
            state.held = true;
            let _ = self.shared.handle.urgent(Note::Hold(true));
        }
        drop(state);
        self.shared.changed.notify_one();
    }
}

impl Printing {
    /// To print with.
    pub(super) fn printer(&self) -> Printer {
        self.printer.clone()
    }

    /// Waits until all is printed, at most for `patience` if that is given. Why it could not be, which the machine
    /// hears too late when it was the last that was printed.
    pub(super) fn finish(self, patience: Option<Duration>) -> Result<()> {
        self.printer.shared.lock().ended = true;
        self.printer.shared.changed.notify_one();
        match patience {
            None => {
                let _ = self.done.recv();
            }
            Some(patience) => match self.done.recv_timeout(patience) {
                Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
            },
        }
        self.printer
            .shared
            .lock()
            .failure
            .take()
            .map_or(Ok(()), Err)
    }
}
