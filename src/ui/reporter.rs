//! The operator's view on stdout, on a thread of its own: a screen that stands still must not stop a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::ui::human::{Clock, Style};
use crate::ui::{Output, Ui, json};

/// How many lines wait for a slow screen before lines are left out: a second's worth of a busy server.
const WAITING: usize = 16 * 1024;

/// How many bytes may wait in reports that weigh something: a hex dump of all that comes is no longer than this behind.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// How many lines are printed in one call.
const AT_ONCE: usize = 256;

/// Beyond so much text the next report has to wait for the next call.
const ENOUGH_AT_ONCE: usize = 256 * 1024;

/// How long the end of the program waits for a screen that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a server tells: an event for programs, a line for people.
pub trait Entry: Serialize + Send + 'static {
    /// Appends it as text, harmless to a terminal, with the end of the line.
    fn append(&self, style: &Style, out: &mut String);

    /// How many bytes of others' data it carries: what could be so many that they have to be counted.
    fn weight(&self) -> usize {
        0
    }
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
    waiting: Arc<AtomicUsize>,
}

impl<R> Clone for Teller<R> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            left_out: Arc::clone(&self.left_out),
            waiting: Arc::clone(&self.waiting),
        }
    }
}

impl<R: Entry> Teller<R> {
    /// Prints a report soon, or counts it where the screen is far behind.
    pub fn report(&self, report: R) {
        self.is_heard(report);
    }

    /// The same. `false`: nobody reads what is printed any more.
    pub fn is_heard(&self, report: R) -> bool {
        let weight = report.weight();
        let waiting = self.waiting.fetch_add(weight, Ordering::Relaxed);
        let outcome = match weight > 0 && waiting + weight > WAITING_BYTES {
            true => Err(TrySendError::Full(report)),
            false => self.sender.try_send(report),
        };
        let Err(error) = outcome else {
            return true;
        };
        self.waiting.fetch_sub(weight, Ordering::Relaxed);
        let full = matches!(error, TrySendError::Full(_));
        if full {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        full
    }
}

impl<R: Entry> Reporter<R> {
    /// Starts the thread.
    pub fn start(ui: &Ui) -> Self {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let (finished, done) = mpsc::channel::<()>();
        let teller = Teller {
            sender,
            left_out: Arc::default(),
            waiting: Arc::default(),
        };
        let ui = ui.clone();
        let (left_out, waiting) = (Arc::clone(&teller.left_out), Arc::clone(&teller.waiting));
        thread::spawn(move || {
            print_all(&ui, &receiver, &left_out, &waiting);
            // Its end is the message.
            drop(finished);
        });
        Self { teller, done }
    }

    /// For another thread.
    pub fn teller(&self) -> Teller<R> {
        self.teller.clone()
    }

    /// As [`Teller::report`].
    pub fn report(&self, report: R) {
        self.teller.report(report);
    }

    /// As [`Teller::is_heard`].
    pub fn is_heard(&self, report: R) -> bool {
        self.teller.is_heard(report)
    }

    /// Prints what is waiting, once every [`Teller`] is gone.
    pub fn finish(self) {
        drop(self.teller);
        // Either the thread ends, or the screen is stuck and the program must end all the same.
        let _ = self.done.recv_timeout(LAST_WORDS);
    }

    /// The same, for as long as it takes: what is printed is what the program was run for.
    pub fn finish_all(self) {
        drop(self.teller);
        let _ = self.done.recv();
    }
}

fn print_all<R: Entry>(
    ui: &Ui,
    reports: &Receiver<R>,
    left_out: &AtomicU64,
    waiting: &AtomicUsize,
) {
    let style = Style {
        colours: ui.colours(),
        clock: Clock::Seconds(TimeZone::system()),
    };
    while let Ok(first) = reports.recv() {
        let mut out = Vec::new();
        let mut next = Some(first);
        let mut count = 0;
        while let Some(report) = next {
            waiting.fetch_sub(report.weight(), Ordering::Relaxed);
            if ui.json() {
                json::line(&mut out, &report);
            } else {
                let mut text = String::new();
                report.append(&style, &mut text);
                out.extend_from_slice(text.as_bytes());
            }
            count += 1;
            next = match count < AT_ONCE && out.len() < ENOUGH_AT_ONCE {
                true => reports.try_recv().ok(),
                false => None,
            };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Heavy(usize);

    impl Entry for Heavy {
        fn append(&self, _style: &Style, _out: &mut String) {}

        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_weight_and_the_rest_is_counted() {
        let (sender, receiver) = mpsc::sync_channel(4);
        let teller = Teller {
            sender,
            left_out: Arc::default(),
            waiting: Arc::default(),
        };
        let left_out = || teller.left_out.load(Ordering::Relaxed);
        teller.report(Heavy(WAITING_BYTES));
        teller.report(Heavy(1));
        assert_eq!(left_out(), 1, "too heavy");
        for _ in 0..3 {
            teller.report(Heavy(0));
        }
        assert_eq!(left_out(), 1, "what weighs nothing is let in");
        teller.report(Heavy(0));
        assert_eq!(left_out(), 2, "too many");
        assert_eq!(teller.waiting.load(Ordering::Relaxed), WAITING_BYTES);
        drop(receiver);
        assert!(!teller.is_heard(Heavy(0)), "nobody prints");
        assert_eq!(left_out(), 2);
    }
}
