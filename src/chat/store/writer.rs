//! The store on a thread of its own: the disk never keeps the chat waiting.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{Builder, JoinHandle};

use super::{Store, failure};
use crate::chat::server::{Batch, Note};
use crate::error::{Error, Kind, Result};

/// Hands batches to the thread. When it is dropped, what waits is stored and reported first.
#[derive(Debug)]
pub struct Writer {
    batches: Option<Sender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread. It gathers the batches that wait while it is busy, stores them together, and calls `report`
/// with the outcome of each. `report` may wait for room in the machine's inbox; it must not once nobody reads that,
/// or the [`Writer`] is dropped for ever.
///
/// # Errors
///
/// The system gives no more threads.
pub fn spawn(store: Store, report: impl Fn(Note) + Send + 'static) -> Result<Writer> {
    let (batches, waiting) = mpsc::channel();
    let thread = Builder::new()
        .name("chat-log".into())
        .spawn(move || run(store, &waiting, &report))
        .map_err(|error| {
            Error::new(Kind::Other, "cannot start the thread of the log").because(error)
        })?;
    Ok(Writer {
        batches: Some(batches),
        thread: Some(thread),
    })
}

fn run(mut store: Store, waiting: &Receiver<Batch>, report: &impl Fn(Note)) {
    while let Ok(first) = waiting.recv() {
        // The machine stops taking lines when much waits: that bounds this.
        let batches = std::iter::once(first).chain(waiting.try_iter()).collect();
        for note in store.store(batches) {
            report(note);
        }
    }
}

impl Writer {
    /// Takes a batch. Does not wait for the disk.
    ///
    /// # Errors
    ///
    /// The thread has died; the note is what it would have reported.
    pub fn store(&self, batch: Batch) -> Result<(), Note> {
        let (room, attempt) = (batch.room, batch.attempt);
        let sent = match &self.batches {
            Some(batches) => batches.send(batch).is_ok(),
            None => false,
        };
        match sent {
            true => Ok(()),
            false => Err(failure(room, attempt, "the log's thread has ended".into())),
        }
    }

    /// Waits until everything is stored and reported. The directory is free for another server then.
    pub fn join(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}
