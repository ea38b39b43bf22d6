//! What a transfer tells, on a thread of its own: a terminal that stands still must not stop the transfer.
//!
//! What a program reads (`--json`) or a file keeps is never left out: there the transfer waits for its reader, as
//! everything in a pipe does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::transfer::report::{Event, Progress, Report, Sink, Wanted};
use crate::ui::bars::Bars;
use crate::ui::progress::{Side, Weight, line, lines};
use crate::ui::{Output, Ui, json};

/// How many events wait for a slow reader: some hundred bytes each.
const WAITING: usize = 4 * 1024;

/// How many events are printed in one call.
const AT_ONCE: usize = 256;

/// How long the end of the program waits for a terminal that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Of how many sessions a bar is shown at once: they must fit the terminal.
const SHOWN: usize = 4;

/// Shows or prints what a transfer tells.
pub struct Screen {
    sink: To,
    done: Receiver<Result<()>>,
}

/// How events are shown.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// As NDJSON on stdout.
    json: bool,
    /// With bars.
    bars: bool,
    /// Whether somebody looks at stderr as it comes.
    watched: bool,
    quiet: bool,
    verbosity: u8,
}

impl Manner {
    /// Whether a line of this weight is printed.
    fn prints(self, weight: Weight) -> bool {
        match weight {
            Weight::Warning | Weight::Note => !self.quiet,
            // Beside a bar they would only scroll by.
            Weight::File => !self.quiet && (!self.bars || self.verbosity > 0),
            Weight::Detail => self.verbosity > 0,
            Weight::Trace => self.verbosity > 1,
        }
    }

    /// Whether an event is waited for rather than left out.
    fn keeps(self, event: &Event) -> bool {
        !event.is_passing() && (self.json || !self.watched)
    }
}

impl Screen {
    /// Starts the thread. `content_on_stdout`: `-o -`.
    pub fn start(ui: &Ui, side: Side, content_on_stdout: bool) -> Self {
        let bars = ui.bars(content_on_stdout);
        let manner = Manner {
            json: ui.json(),
            bars: bars.is_some(),
            watched: ui.watched(),
            quiet: ui.quiet(),
            verbosity: ui.verbosity(),
        };
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let (finished, done) = mpsc::channel();
        let left_out = Arc::new(AtomicU64::new(0));
        let printer = Printer {
            ui: ui.clone(),
            side,
            manner,
            bars,
            shown: BTreeMap::new(),
            left_out: Arc::clone(&left_out),
        };
        thread::spawn(move || {
            // Nobody waits for a result any more who has given up on the terminal.
            let _ = finished.send(printer.run(&receiver));
        });
        Self {
            sink: To {
                sender,
                left_out,
                manner,
            },
            done,
        }
    }

    /// Where a session's reporter sends its events.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.sink.clone())
    }

    /// Says something that belongs to no session, between the lines of the others.
    pub fn tell(&self, event: Event) {
        let session = None;
        self.sink.clone().take(Report { event, session });
    }

    /// Prints what is waiting and takes the bars away. All sinks must be gone.
    pub fn finish(self) -> Result<()> {
        let manner = self.sink.manner;
        drop(self.sink);
        let result = match manner.watched && !manner.json {
            true => self.done.recv_timeout(LAST_WORDS),
            false => self.done.recv().map_err(RecvTimeoutError::from),
        };
        match result {
            Ok(result) => result,
            // The terminal is stuck, and the program must end all the same.
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::new(Kind::Other, "the thread that prints has failed"))
            }
        }
    }
}

#[derive(Clone)]
struct To {
    sender: SyncSender<Report>,
    left_out: Arc<AtomicU64>,
    manner: Manner,
}

impl Sink for To {
    fn take(&mut self, report: Report) {
        let nobody_sees = match &report.event {
            Event::File(file) => {
                !self.manner.json && file.outcome.is_fine() && !self.manner.prints(Weight::File)
            }
            _ => false,
        };
        if nobody_sees {
            return;
        }
        if self.manner.keeps(&report.event) {
            // A printer that has ended has nobody to print for.
            let _ = self.sender.send(report);
            return;
        }
        if let Err(TrySendError::Full(report)) = self.sender.try_send(report)
            && !report.event.is_passing()
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wants(&self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Offers => self.manner.json || self.manner.prints(Weight::Trace),
            Wanted::Progress => self.manner.json || self.manner.bars,
        }
    }
}

struct Printer {
    ui: Ui,
    side: Side,
    manner: Manner,
    bars: Option<Bars>,
    /// The sessions that have bars, and how far they are.
    shown: BTreeMap<u32, Progress>,
    left_out: Arc<AtomicU64>,
}

impl Printer {
    fn run(mut self, reports: &Receiver<Report>) -> Result<()> {
        while let Ok(first) = reports.recv() {
            let batch = std::iter::once(first).chain(reports.try_iter().take(AT_ONCE - 1));
            match self.manner.json {
                true => {
                    if self.print_json(batch)? == Output::Closed {
                        break;
                    }
                }
                false => self.print(batch),
            }
            let lost = self.left_out.swap(0, Ordering::Relaxed);
            if lost > 0 {
                self.say(
                    Weight::Warning,
                    &format!("{lost} lines were left out: the terminal does not keep up"),
                );
            }
        }
        if let Some(bars) = &mut self.bars {
            bars.clear();
        }
        // `send-file --json | head`: the transfer goes on without its audience.
        Ok(())
    }

    fn print_json(&self, batch: impl Iterator<Item = Report>) -> Result<Output> {
        let mut out = Vec::new();
        for report in batch {
            json::line(&mut out, &report);
        }
        self.ui.write(&out)
    }

    fn print(&mut self, batch: impl Iterator<Item = Report>) {
        let mut moved = false;
        for report in batch {
            if let Some((weight, text)) = line(&report, self.side)
                && self.manner.prints(weight)
            {
                self.say(weight, &text);
            }
            let key = report.session.unwrap_or(0);
            match report.event {
                Event::Progress(progress)
                    if self.shown.contains_key(&key) || self.shown.len() < SHOWN =>
                {
                    self.shown.insert(key, progress);
                    moved = true;
                }
                Event::Done { .. } | Event::Disconnected { .. } => {
                    moved |= self.shown.remove(&key).is_some();
                }
                _ => {}
            }
        }
        if let Some(bars) = &mut self.bars
            && moved
        {
            let columns = bars.columns();
            let text: Vec<String> = self
                .shown
                .values()
                .flat_map(|progress| lines(progress, columns, bars.colours()))
                .collect();
            bars.show(&text);
        }
    }

    fn say(&self, weight: Weight, text: &str) {
        let write = || match weight {
            Weight::Warning => self.ui.warn(text),
            Weight::Note | Weight::File => self.ui.note(text),
            Weight::Detail => self.ui.detail(1, text),
            Weight::Trace => self.ui.detail(2, text),
        };
        match &self.bars {
            Some(bars) => bars.above(write),
            None => write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Manner = Manner {
        json: true,
        bars: false,
        watched: true,
        quiet: false,
        verbosity: 0,
    };
    const BARS: Manner = Manner {
        json: false,
        bars: true,
        ..JSON
    };

    fn note() -> Report {
        Report {
            event: Event::Note { text: "x".into() },
            session: None,
        }
    }

    fn sink(manner: Manner) -> (To, Receiver<Report>) {
        let (sender, receiver) = mpsc::sync_channel(1);
        let left_out = Arc::new(AtomicU64::new(0));
        let sink = To {
            sender,
            left_out,
            manner,
        };
        (sink, receiver)
    }

    #[test]
    fn a_stuck_terminal_costs_lines_and_not_time() {
        let (mut sink, _receiver) = sink(BARS);
        for _ in 0..3 {
            sink.take(note());
        }
        assert_eq!(sink.left_out.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_program_gets_every_event() {
        let (mut sink, receiver) = sink(JSON);
        let reader = thread::spawn(move || receiver.iter().count());
        for _ in 0..100 {
            sink.take(note());
        }
        drop(sink);
        assert_eq!(reader.join().expect("no panic"), 100);
    }

    #[test]
    fn nothing_waits_for_a_reader_that_is_gone() {
        let (mut sink, receiver) = sink(JSON);
        drop(receiver);
        sink.take(note());
        sink.take(note());
    }

    #[test]
    fn where_there_is_a_bar_files_have_no_lines_and_quiet_has_none_at_all() {
        let quiet = Manner {
            bars: false,
            quiet: true,
            ..BARS
        };
        let log = Manner {
            bars: false,
            watched: false,
            ..BARS
        };
        for (manner, weight, prints) in [
            (BARS, Weight::File, false),
            (BARS, Weight::Warning, true),
            (log, Weight::File, true),
            (log, Weight::Detail, false),
            (quiet, Weight::File, false),
            (quiet, Weight::Note, false),
        ] {
            assert_eq!(manner.prints(weight), prints, "{manner:?} {weight:?}");
        }
    }
}
