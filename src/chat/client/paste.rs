//! From what was typed to what is sent: several lines at once were pasted, perhaps by mistake, and are asked back.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::machine::Note;
use super::printer::Printer;
use crate::core::event_loop::Handle;

/// Lines that come closer together than this were pasted on a terminal that does not say so (bracketed paste
/// does): nobody types Enter a hundred times a second.
const BURST: Duration = Duration::from_millis(10);

/// What was typed.
pub(super) enum Typed {
    Line(String),
    Paste(Vec<String>),
    End,
}

/// The thread that decides what is sent.
pub(super) struct Forwarder {
    handle: Handle<Note>,
    printer: Printer,
    /// Lines that were pasted and are asked back.
    pasted: Option<Vec<String>>,
}

impl Forwarder {
    pub(super) fn new(handle: Handle<Note>, printer: Printer) -> Self {
        Self {
            handle,
            printer,
            pasted: None,
        }
    }

    pub(super) fn forward(mut self, typed: &Receiver<Typed>) {
        while let Ok(next) = typed.recv() {
            let mut lines = Vec::new();
            let mut ended = false;
            let mut asked = false;
            match next {
                Typed::Line(answer) if self.pasted.is_some() => {
                    self.answer(&answer);
                    continue;
                }
                Typed::Line(line) => lines.push(line),
                Typed::Paste(more) => {
                    lines = more;
                    asked = true;
                }
                Typed::End => ended = true,
            }
            while !ended && !asked {
                match typed.recv_timeout(BURST) {
                    Ok(Typed::Line(line)) => lines.push(line),
                    Ok(Typed::Paste(more)) => lines.extend(more),
                    Ok(Typed::End) | Err(RecvTimeoutError::Disconnected) => ended = true,
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
            lines.retain(|line| !line.is_empty());
            if lines.len() > 1 {
                if !asked {
                    let text = format!("send {} lines? [y/N]\n", lines.len());
                    self.printer.print(text.as_bytes());
                }
                self.pasted = Some(lines);
            } else {
                self.send(lines);
            }
            if ended {
                // A loop that has ended has no use for it.
                let _ = self.handle.urgent(Note::InputEnded);
                return;
            }
        }
    }

    fn answer(&mut self, answer: &str) {
        let lines = self.pasted.take().unwrap_or_default();
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            self.send(lines);
        } else {
            let text = format!("* {} lines not sent\n", lines.len());
            self.printer.print(text.as_bytes());
        }
    }

    /// Past the queue: what a person types is bounded by the person, and a queue that is full would take the
    /// keyboard away.
    fn send(&self, lines: Vec<String>) {
        for line in lines {
            let _ = self.handle.urgent(Note::Line(line));
        }
    }
}
