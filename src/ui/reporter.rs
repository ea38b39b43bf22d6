//! The operator's view on stdout, on a thread of its own: a screen that stands still must not stop a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::ui::human::{Clock, Style};
use crate::ui::{Output, Ui, json};

/// How many lines wait for a slow screen before lines are left out: a second's worth of a busy server.
const WAITING: usize = 16 * 1024;

/// How many lines are printed in one call.
const AT_ONCE: usize = 256;

/// How long the end of the program waits for a screen that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a server tells: an event for programs, a line for people.
pub trait Entry: Serialize + Send + 'static {
    /// Appends it as text, harmless to a terminal, with the end of the line.
    fn append(&self, style: &Style, out: &mut String);
}

/// Prints reports.
pub struct Reporter<R> {
    teller: Teller<R>,
    done: Receiver<()>,
}

/// By which a thread hands its reports over.
#[derive(Debug)]
pub struct Teller<R> {
    sender: SyncSender<R>,
    left_out: Arc<AtomicU64>,
}

impl<R> Clone for Teller<R> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            left_out: Arc::clone(&self.left_out),
        }
    }
}

impl<R> Teller<R> {
    /// Prints a report soon, or counts it where the screen is far behind.
    pub fn report(&self, report: R) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(report) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<R: Entry> Reporter<R> {
    /// Starts the thread.
    pub fn start(ui: &Ui) -> Self {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let (finished, done) = mpsc::channel::<()>();
        let left_out = Arc::new(AtomicU64::new(0));
        let ui = ui.clone();
        let counter = Arc::clone(&left_out);
        thread::spawn(move || {
            print_all(&ui, &receiver, &counter);
            // Its end is the message.
            drop(finished);
        });
        Self {
            teller: Teller { sender, left_out },
            done,
        }
    }

    /// For another thread.
    pub fn teller(&self) -> Teller<R> {
        self.teller.clone()
    }

    /// As [`Teller::report`].
    pub fn report(&self, report: R) {
        self.teller.report(report);
    }

    /// Prints what is waiting, once every [`Teller`] is gone.
    pub fn finish(self) {
        drop(self.teller);
        // Either the thread ends, or the screen is stuck and the program must end all the same.
        let _ = self.done.recv_timeout(LAST_WORDS);
    }
}

fn print_all<R: Entry>(ui: &Ui, reports: &Receiver<R>, left_out: &AtomicU64) {
    let style = Style {
        colours: ui.colours(),
        clock: Clock::Seconds(TimeZone::system()),
    };
    while let Ok(first) = reports.recv() {
        let mut out = Vec::new();
        let more = reports.try_iter().take(AT_ONCE - 1);
        for report in std::iter::once(first).chain(more) {
            if ui.json() {
                json::line(&mut out, &report);
            } else {
                let mut text = String::new();
                report.append(&style, &mut text);
                out.extend_from_slice(text.as_bytes());
            }
        }
        match ui.write(&out) {
            Ok(Output::Written) => {}
            // `serve-chat | head`: the server goes on without its audience.
            Ok(Output::Closed) => return,
            Err(error) => {
                ui.error(&error);
                return;
            }
        }
        let lost = left_out.swap(0, Ordering::Relaxed);
        if lost > 0 {
            ui.warn(&format!(
                "{lost} log lines were left out: stdout does not keep up"
            ));
        }
    }
}
