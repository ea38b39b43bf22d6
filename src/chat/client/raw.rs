//! `--raw`, as a machine: lines to and from any server of lines, such as `ncat --chat`. No handshake, no
//! acknowledgements, no reconnecting: what a cut takes is gone, and nobody knows what it was.
//!
//! At the end of stdin our direction is closed, and what the server says is printed until it closes too, as
//! `nc -N` does. With `--expect`, `--count` or `--follow` our direction stays open: many servers take its end for
//! the end of all.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::time::Duration;

use super::machine::{Action, Config, Goal, Note, Progress, Shown, Verdict};
use crate::chat::lines::{Line, LineBuffer};
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Pending, Signal};
use crate::core::sanitise::sanitise;
use crate::core::secure::unwelcome::{NOT_LET_IN, not_let_in};
use crate::error::{Error, IoReason, Kind, Result};

/// How much is read at once.
const APPETITE: usize = 64 * 1024;

/// The longest line that is looked at as one; a longer one is left out with a word about it.
const MAX_LINE: usize = 1 << 20;

/// How many bytes may wait to be sent before stdin is read no further.
const MAX_OUT: usize = 256 * 1024;

/// How long the last bytes may take to get out when a signal ends the client.
const PARTING: Duration = Duration::from_secs(1);

/// Talks to a server of lines.
pub struct RawClient {
    peer: String,
    goal: Goal,
    progress: Progress,
    timeout: Option<Duration>,
    /// Hand on the bytes as they come.
    verbatim: bool,

    conn: Option<ConnId>,
    opened: bool,
    input: LineBuffer,
    out: Vec<u8>,
    sent: usize,
    offered: bool,
    blocked: bool,
    holds: u32,
    input_ended: bool,
    finished: bool,
    broken: Option<Error>,
    leaving: Option<Duration>,
    result: Option<Result<()>>,
    effects: VecDeque<Effect<Action>>,
}

impl RawClient {
    /// A client that will dial at once. Of the configuration only the peer, the goal and the timeout matter.
    pub fn new(config: Config, verbatim: bool) -> Self {
        Self {
            peer: config.peer,
            progress: Progress::new(&config.goal),
            goal: config.goal,
            timeout: config.timeout,
            verbatim,
            conn: None,
            opened: false,
            input: LineBuffer::default(),
            out: Vec::new(),
            sent: 0,
            offered: false,
            blocked: false,
            holds: 0,
            input_ended: false,
            finished: false,
            broken: None,
            leaving: None,
            result: None,
            effects: VecDeque::from([Effect::Act(Action::Dial)]),
        }
    }

    /// How it ended.
    pub fn take_result(&mut self) -> Result<()> {
        self.result.take().unwrap_or(Ok(()))?;
        self.broken.take().map_or(Ok(()), Err)
    }

    fn on_note(&mut self, now: Now, note: Note) {
        match note {
            Note::Line(text) => {
                self.out.extend_from_slice(text.as_bytes());
                self.out.push(b'\n');
                self.offered = false;
            }
            Note::InputEnded => self.input_ended = true,
            Note::InputBroken(error) => {
                self.input_ended = true;
                self.broken = Some(error);
            }
            Note::DialFailed(error) => self.exit(Err(error)),
            Note::Hold(true) => self.holds += 1,
            Note::Hold(false) => self.holds = self.holds.saturating_sub(1),
            Note::OutputClosed => self.leave(now, Ok(())),
            Note::OutputFailed(error) => self.leave(now, Err(error)),
            // Nobody asks for a password here, and there is no protocol to ask in.
            Note::Password(_) | Note::Request(_) => {}
        }
    }

    fn on_received(&mut self, now: Now, bytes: &[u8]) {
        if self.verbatim {
            return self.show(Shown::Bytes(bytes.to_vec()));
        }
        self.input.push(bytes);
        let mut input = std::mem::take(&mut self.input);
        while let Some(line) = input.next_line(MAX_LINE) {
            self.on_line(now, line);
        }
        self.input = input;
    }

    fn on_line(&mut self, now: Now, line: Line<'_>) {
        if self.leaving.is_some() || self.result.is_some() {
            return;
        }
        let bytes = match line {
            Line::Text(bytes) => bytes,
            Line::TooLong => b"(a line of more than 1 MiB)",
        };
        match self.goal.judge(&sanitise(bytes)) {
            Verdict::Passes => {}
            Verdict::Counts(matched) => {
                self.progress.advance();
                let bytes = bytes.to_vec();
                self.show(Shown::Line { bytes, matched });
            }
        }
        if self.progress.is_reached() {
            self.leave(now, Ok(()));
        }
    }

    fn on_end_of_input(&mut self, now: Now) {
        let mut input = std::mem::take(&mut self.input);
        if let Some(line) = input.last_line(MAX_LINE) {
            self.on_line(now, line);
        }
        if self.leaving.is_some() {
            return;
        }
        let peer = &self.peer;
        let result = if self.progress.is_set() {
            let text = format!("{peer} closed the connection before what was waited for came");
            Err(Error::new(Kind::Other, text))
        } else if self.sent < self.out.len() {
            let text = format!("{peer} closed the connection before it had taken all");
            Err(Error::new(Kind::Other, text))
        } else {
            Ok(())
        };
        self.leave(now, result);
    }

    fn show(&mut self, shown: Shown) {
        self.effects.push_back(Effect::Act(Action::Show(shown)));
    }

    /// Closes when what is pending has gone out.
    fn leave(&mut self, now: Now, result: Result<()>) {
        if self.leaving.is_some() {
            return;
        }
        match self.conn {
            Some(conn) => {
                self.result = Some(result);
                self.leaving = Some(now.since_start + PARTING);
                self.effects.push_back(Effect::Close(conn));
            }
            None => self.exit(Err(match result {
                Err(error) => error,
                Ok(()) => return self.exit(Ok(())),
            })),
        }
    }

    fn exit(&mut self, result: Result<()>) {
        if self.result.is_none() {
            self.result = Some(result);
        }
        if let Some(conn) = self.conn.take() {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.leaving = None;
        self.effects.push_back(Effect::Exit);
    }

    fn on_signal(&mut self, now: Now, signal: Signal) {
        let number = match signal {
            Signal::HangUp => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
        };
        let result = Err(Error::new(Kind::Signal(number), "ended by a signal"));
        match self.leaving {
            None => self.leave(now, result),
            Some(_) => {
                self.result = Some(result);
                self.exit(Ok(()));
            }
        }
    }

    fn on_deadline(&mut self, now: Now) {
        if let Some(until) = self.leaving {
            if now.since_start >= until {
                self.exit(Ok(()));
            }
        } else if let Some(timeout) = self.timeout.filter(|&timeout| now.since_start >= timeout) {
            let text = format!("not done within {}", humantime::format_duration(timeout));
            self.leave(now, Err(Error::new(Kind::TimedOut, text)));
        }
    }

    /// The input has ended: our direction closes, unless something is waited for.
    fn half_close(&mut self) {
        let stays = self.goal.follow || self.progress.is_set();
        if let (true, false, false, Some(conn)) =
            (self.input_ended, stays, self.finished, self.conn)
        {
            self.finished = true;
            self.effects.push_back(Effect::Finish(conn));
        }
    }
}

impl Machine for RawClient {
    type Note = Note;
    type Action = Action;

    fn handle(&mut self, now: Now, event: Event<'_, Note>) {
        let is_ours = |conn| self.conn == Some(conn);
        match event {
            Event::Opened { conn, .. } if !self.opened && self.result.is_none() => {
                self.opened = true;
                self.conn = Some(conn);
            }
            Event::Opened { conn, .. } => self.effects.push_back(Effect::Abort(conn)),
            Event::Received { conn, bytes } if is_ours(conn) && self.leaving.is_none() => {
                self.on_received(now, bytes);
            }
            Event::EndOfInput { conn } if is_ours(conn) => self.on_end_of_input(now),
            Event::Writable { conn } if is_ours(conn) => {
                self.blocked = false;
                self.offered = false;
            }
            Event::Closed { conn, ending } if is_ours(conn) => {
                self.conn = None;
                match ending {
                    Ending::Failed(NOT_LET_IN) if self.leaving.is_none() => {
                        self.exit(Err(not_let_in(&self.peer)));
                    }
                    Ending::Failed(kind) if self.leaving.is_none() => {
                        let text = format!("lost the connection to {}", self.peer);
                        let reason = IoReason(&kind.into()).to_string();
                        self.exit(Err(Error::new(Kind::Other, text).because(reason)));
                    }
                    _ => self.exit(Ok(())),
                }
            }
            Event::Deadline => self.on_deadline(now),
            Event::Signal(signal) => self.on_signal(now, signal),
            Event::Note(note) if self.result.is_none() => self.on_note(now, note),
            _ => {}
        }
        if self.result.is_none() {
            self.half_close();
        }
    }

    fn appetite(&self, conn: ConnId) -> usize {
        let wanted = self.conn == Some(conn) && self.holds == 0 && self.leaving.is_none();
        if wanted { APPETITE } else { 0 }
    }

    fn wants_notes(&self) -> bool {
        self.out.len() - self.sent < MAX_OUT && self.result.is_none()
    }

    fn next_transmit(&mut self, _now: Now) -> Option<ConnId> {
        if self.offered || self.blocked || self.sent == self.out.len() {
            return None;
        }
        let conn = self.conn?;
        self.offered = true;
        Some(conn)
    }

    fn pending(&self, conn: ConnId) -> Pending<'_> {
        let mut pending = Pending::new();
        if self.conn == Some(conn) {
            pending.push(&self.out[self.sent..]);
        }
        pending
    }

    fn sent(&mut self, _now: Now, _conn: ConnId, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
    }

    fn blocked(&mut self, _now: Now, _conn: ConnId) {
        self.blocked = true;
    }

    fn effect(&mut self) -> Option<Effect<Action>> {
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        match (self.leaving, &self.result) {
            (Some(until), _) => Some(until),
            (None, None) => self.timeout,
            (None, Some(_)) => None,
        }
    }
}
