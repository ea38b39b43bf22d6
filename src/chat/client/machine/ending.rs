//! The end: when all is done, when somebody wants it, and what it came to.

use std::time::Duration;

use super::{Asked, Client, Link, Stop};
use crate::chat::wire::Op;
use crate::core::machine::{Effect, Now, Signal};
use crate::error::{Error, Kind, Result};

/// How long the last acknowledgements are waited for when a person or a signal ends the client, and how long the
/// farewell may take to get out.
const PARTING: Duration = Duration::from_secs(1);

impl Client {
    /// Whether there is nothing left to do: nothing to say and nothing to wait for.
    pub(super) fn is_done(&self) -> bool {
        if !self.lines.is_empty() {
            return false;
        }
        if self.progress.is_reached() {
            return true;
        }
        let requests = self
            .awaited
            .iter()
            .any(|awaited| matches!(awaited.asked, Asked::Request(_)));
        let waits_on = self.progress.is_set() || self.config.goal.follow;
        let over = !waits_on || self.quit.is_some() || self.broken.is_some();
        self.input_ended && over && !requests
    }

    /// Ends soon: as soon as what was said is acknowledged, or a moment has passed.
    pub(super) fn stop(&mut self, now: Now, result: Result<()>) {
        self.stop = Some(Stop {
            until: now.since_start + PARTING,
            result,
        });
    }

    /// Draws the conclusions from what has happened.
    pub(super) fn advance(&mut self, now: Now) {
        if self.result.is_some() {
            return;
        }
        if self.quit.is_some() && self.config.interactive && self.stop.is_none() {
            self.stop(now, Ok(()));
        }
        if let Some(stop) = self.stop.take() {
            let hope = self.is_up() && !self.lines.is_empty() && now.since_start < stop.until;
            if hope {
                self.stop = Some(stop);
            } else {
                self.leave(now, stop.result);
            }
            return;
        }
        if !self.is_done() {
            return;
        }
        match self.link {
            // Whatever was said before the answer has been shown by then.
            Link::Up { .. }
                if (self.answered || self.progress.is_reached())
                    && self
                        .awaited
                        .iter()
                        .all(|awaited| awaited.asked == Asked::Probe) =>
            {
                self.leave(now, Ok(()));
            }
            Link::Up { .. } if self.awaited.is_empty() => {
                self.probe();
            }
            Link::Down | Link::Dialling | Link::Asking | Link::Greeting { .. } if self.was_in => {
                self.leave(now, Ok(()));
            }
            _ => {}
        }
    }

    /// Says goodbye, where there is somebody to say it to, and ends.
    pub(super) fn leave(&mut self, now: Now, result: Result<()>) {
        self.show_unread();
        match self.link {
            Link::Up { conn, .. } => {
                match self.quit.take().filter(|farewell| !farewell.is_empty()) {
                    Some(farewell) => self.say(&Op::Line {
                        seq: self.lines.next_number(),
                        text: format!("/quit {farewell}").into(),
                    }),
                    None => self.say(&Op::Bye),
                }
                self.effects.push_back(Effect::Close(conn));
                self.link = Link::Leaving {
                    conn,
                    until: now.since_start + PARTING,
                };
                self.result = Some(result);
            }
            _ => self.finish(result),
        }
    }

    /// Ends without a word.
    pub(super) fn finish(&mut self, result: Result<()>) {
        if self.result.is_none() {
            self.result = Some(result);
        }
        self.exit();
    }

    pub(super) fn exit(&mut self) {
        self.show_unread();
        if let Some(conn) = self.conn() {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.link = Link::Down;
        self.effects.push_back(Effect::Exit);
    }

    /// Ends because of something the server did.
    pub(super) fn fail(&mut self, kind: Kind, text: String, hint: Option<&'static str>) {
        let error = Error::new(kind, text);
        self.finish(Err(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }));
    }

    pub(super) fn on_signal(&mut self, now: Now, signal: Signal) {
        let result = Err(Error::new(
            Kind::Signal(signal.number()),
            "ended by a signal",
        ));
        if self.stop.is_some() {
            // Asked twice: no more patience.
            return self.finish(result);
        }
        self.stop(now, result);
    }

    /// Whether it ended with a failure that says nothing of the lines that were not acknowledged.
    pub fn has_failed(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }

    /// How it ended. A success with lines that nobody answered for is none.
    pub fn take_result(&mut self) -> Result<()> {
        self.result.take().unwrap_or(Ok(()))?;
        let peer = &self.config.peer;
        match (self.lines.len() as u64, self.refused) {
            (0, 0) => self.broken.take().map_or(Ok(()), Err),
            (0, refused) => Err(Error::new(
                Kind::Other,
                format!("{} not taken by {peer}", were(refused)),
            )),
            (waiting, _) => Err(Error::new(
                Kind::Other,
                format!("{} not acknowledged by {peer}", were(waiting)),
            )),
        }
    }
}

/// `1 line was`, `5 lines were`.
fn were(count: u64) -> String {
    match count {
        1 => "1 line was".to_string(),
        _ => format!("{count} lines were"),
    }
}
