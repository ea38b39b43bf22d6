//! The operator's view on stdout, on a thread of its own: a screen that stands still must not stop the chat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::chat::server::Report;
use crate::ui::human::{Clock, Style};
use crate::ui::{Output, Ui, json};

/// How many lines wait for a slow screen before lines are left out: a second's worth of a busy server.
const WAITING: usize = 16 * 1024;

/// How many lines are printed in one call.
const AT_ONCE: usize = 256;

/// How long the end of the program waits for a screen that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Prints reports.
pub(super) struct Reporter {
    sender: SyncSender<Report>,
    left_out: Arc<AtomicU64>,
    done: Receiver<()>,
}

impl Reporter {
    /// Starts the thread.
    pub(super) fn start(ui: &Ui) -> Self {
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
            sender,
            left_out,
            done,
        }
    }

    /// Prints a report soon, or counts it where the screen is far behind.
    pub(super) fn report(&self, report: Report) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(report) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Prints what is waiting.
    pub(super) fn finish(self) {
        drop(self.sender);
        // Either the thread ends, or the screen is stuck and the program must end all the same.
        let _ = self.done.recv_timeout(LAST_WORDS);
    }
}

fn print_all(ui: &Ui, reports: &Receiver<Report>, left_out: &AtomicU64) {
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
                style.report(&mut text, &report);
                out.extend_from_slice(text.as_bytes());
            }
        }
        match ui.write(&out) {
            Ok(Output::Written) => {}
            // `serve-chat | head`: the chat goes on without its audience.
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
