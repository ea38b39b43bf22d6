//! The chat client, as a machine: everything it decides, and nothing it touches.
//!
//! It holds the session: the token, the numbers of its lines, what the server has acknowledged and what was
//! seen. Connections come and go under it. After a cut it says so once, waits, dials, and takes up where it was:
//! what the others said is asked for by id, what was not acknowledged is sent again in order, and the server drops
//! what it had already taken.
//!
//! - `connection`: the hello, the cut, the waits; `incoming`: what the server says; `ending`: the end;
//! - `unacked`: the numbered lines; `goal`: what a script waits for;
//! - `interface`: what goes in and out beside bytes.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod connection;
mod ending;
mod goal;
mod incoming;
mod interface;
#[cfg(test)]
mod tests;
mod unacked;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use self::unacked::Unacked;
use crate::chat::command::{Command, parse};
use crate::chat::lines::LineBuffer;
use crate::chat::wire::{Op, encode};
use crate::core::backoff::Backoff;
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Pending};
use crate::core::secure::unwelcome::{NOT_LET_IN, not_let_in};
use crate::error::{Error, IoReason, Kind, Result};

pub use self::goal::Goal;
pub(super) use self::goal::{Progress, Verdict};
pub use self::interface::{Action, Config, Note, Request, Shown, Status};

/// How much is read at once.
const APPETITE: usize = 64 * 1024;

/// How many earlier lines are asked for when the server has begun its numbers anew and nobody can say which of
/// them were missed.
const AFTER_RESTART: u32 = 1000;

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// There is none; the wait for the next attempt runs.
    Down,
    /// It is being made.
    Dialling,
    /// The password is being asked for.
    Asking,
    /// The hello is on its way; the server has until then to answer.
    Greeting { conn: ConnId, until: Duration },
    /// The server has let us in, then.
    Up { conn: ConnId, since: Duration },
    /// The farewell is on its way.
    Leaving { conn: ConnId, until: Duration },
}

/// A time without connection.
#[derive(Debug)]
struct Outage {
    give_up: Option<Duration>,
    retry: Option<Duration>,
    reason: String,
}

/// An answer that is waited for.
#[derive(Debug, PartialEq, Eq)]
struct Awaited {
    answer: Answer,
    asked: Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Pong,
    HistoryEnd,
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// By the machine itself; the user is not told.
    Probe,
    /// By a typed command.
    Line(u64),
    /// By a program.
    Request(Request),
}

/// The end, once it was asked for.
#[derive(Debug)]
struct Stop {
    /// Acknowledgements are waited for until then.
    until: Duration,
    result: Result<()>,
}

/// The chat client.
#[derive(Debug)]
pub struct Client {
    config: Config,
    link: Link,
    outage: Option<Outage>,
    backoff: Backoff,
    /// Whether the server has ever let us in.
    was_in: bool,
    peer: String,

    input: LineBuffer,
    /// The hello was held up, and the server took us for a person: what it says before its welcome is not for us.
    taken_for_person: bool,
    out: Vec<u8>,
    sent: usize,
    offered: bool,
    blocked: bool,

    lines: Unacked,
    refused: u64,
    awaited: VecDeque<Awaited>,
    /// Something that was asked on this connection was answered.
    answered: bool,
    last_heard: Duration,
    probed: bool,

    nick: Option<String>,
    room: Option<String>,
    /// The last id that was seen in the room.
    seen: Option<u64>,
    /// The server's epoch in which that was.
    epoch: Option<u64>,
    /// Lines up to this id were said before the client came.
    earlier: u64,
    private: u64,
    /// What is kept until it is known how much was missed.
    unread: Option<Vec<Shown>>,
    /// How long the lines were that these came in.
    unread_bytes: usize,

    progress: Progress,
    input_ended: bool,
    quit: Option<String>,
    broken: Option<Error>,
    holds: u32,
    stop: Option<Stop>,
    result: Option<Result<()>>,
    effects: VecDeque<Effect<Action>>,
}

impl Client {
    /// A client that will dial at once.
    pub fn new(config: Config) -> Self {
        Self {
            link: Link::Dialling,
            outage: None,
            backoff: Backoff::new(config.seed),
            was_in: false,
            peer: String::new(),
            input: LineBuffer::default(),
            taken_for_person: false,
            out: Vec::new(),
            sent: 0,
            offered: false,
            blocked: false,
            lines: Unacked::default(),
            refused: 0,
            awaited: VecDeque::new(),
            answered: false,
            last_heard: Duration::ZERO,
            probed: false,
            nick: config.nick.clone(),
            room: config.room.clone(),
            seen: None,
            epoch: None,
            earlier: 0,
            private: 0,
            unread: None,
            unread_bytes: 0,
            progress: Progress::new(&config.goal),
            input_ended: false,
            quit: None,
            broken: None,
            holds: 0,
            stop: None,
            result: None,
            effects: VecDeque::from([Effect::Act(Action::Dial)]),
            config,
        }
    }

    /// How many lines the server has neither acknowledged nor refused.
    pub fn unacknowledged(&self) -> usize {
        self.lines.len()
    }

    fn on_note(&mut self, now: Now, note: Note) {
        match note {
            Note::Line(text) => self.on_line(&text),
            Note::Request(request) => {
                if self.is_up() {
                    self.ask(request);
                } else {
                    let answer = request.answer();
                    let asked = Asked::Request(request);
                    self.awaited.push_back(Awaited { answer, asked });
                }
            }
            Note::InputEnded if self.config.interactive => self.stop(now, Ok(())),
            Note::InputEnded => self.input_ended = true,
            Note::InputBroken(error) => {
                self.input_ended = true;
                self.broken = Some(error);
            }
            Note::DialFailed(error) => self.on_dial_failed(now, error),
            Note::Password(None) => {
                let text = format!("not let in by {}: no password was given", self.config.peer);
                self.fail(Kind::Refused, text, Some(PASSWORD_SOURCES));
            }
            Note::Password(password) => {
                self.config.password = password;
                self.dial();
            }
            Note::Hold(more) => {
                self.holds = match more {
                    true => self.holds + 1,
                    false => self.holds.saturating_sub(1),
                };
                // The silence was ours.
                self.last_heard = now.since_start;
            }
            Note::OutputClosed => self.stop(now, Ok(())),
            Note::OutputFailed(error) => self.stop(now, Err(error)),
        }
    }

    fn on_line(&mut self, text: &str) {
        if text.is_empty() || self.quit.is_some() {
            return;
        }
        if let Ok(Command::Quit(farewell)) = parse(text) {
            self.quit = Some(farewell.to_string());
            self.input_ended = true;
            return;
        }
        let seq = self.lines.push(text.to_string());
        if self.is_up() {
            self.send_line(seq, text);
        } else if self.config.interactive && self.was_in {
            let lines = self.lines.len();
            self.status(Status::Waiting { lines });
        }
    }

    fn send_line(&mut self, seq: u64, text: &str) {
        self.say(&Op::Line {
            seq,
            text: text.into(),
        });
        let answer = match parse(text) {
            Ok(Command::Ping) => Answer::Pong,
            Ok(Command::History(_)) => Answer::HistoryEnd,
            _ => return,
        };
        let asked = Asked::Line(seq);
        self.awaited.push_back(Awaited { answer, asked });
    }

    fn ask(&mut self, request: Request) {
        self.say(&request.op());
        self.awaited.push_back(Awaited {
            answer: request.answer(),
            asked: Asked::Request(request),
        });
    }

    fn probe(&mut self) {
        self.say(&Op::Ping);
        self.probed = true;
        self.awaited.push_back(Awaited {
            answer: Answer::Pong,
            asked: Asked::Probe,
        });
    }

    fn say(&mut self, op: &Op<'_>) {
        encode(&mut self.out, op);
        self.offered = false;
    }

    fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    fn conn(&self) -> Option<ConnId> {
        match self.link {
            Link::Greeting { conn, .. } | Link::Up { conn, .. } | Link::Leaving { conn, .. } => {
                Some(conn)
            }
            Link::Down | Link::Dialling | Link::Asking => None,
        }
    }

    fn status(&mut self, status: Status) {
        self.show(Shown::Status(status));
    }

    fn show(&mut self, shown: Shown) {
        self.effects.push_back(Effect::Act(Action::Show(shown)));
    }

    fn on_deadline(&mut self, now: Now) {
        let at = now.since_start;
        if let Link::Leaving { until, .. } = self.link {
            if at >= until {
                self.exit();
            }
            return;
        }
        if self.config.timeout.is_some_and(|timeout| at >= timeout) {
            let timeout = self.config.timeout.unwrap_or_default();
            let error = Error::new(
                Kind::TimedOut,
                format!("not done within {}", humantime::format_duration(timeout)),
            );
            return self.leave(now, Err(error));
        }
        match self.link {
            Link::Greeting { until, .. } if at >= until => self.on_no_greeting(now),
            Link::Up { .. } => self.watch_silence(now),
            _ => {}
        }
        let Some(outage) = &mut self.outage else {
            return;
        };
        if outage.give_up.is_some_and(|give_up| at >= give_up) {
            return self.give_up();
        }
        if self.link == Link::Down && outage.retry.is_some_and(|retry| at >= retry) {
            outage.retry = None;
            self.dial();
        }
    }
}

/// What may help where the other end does not talk as our server does.
const OTHER_SERVERS: &str = "--raw talks to servers that are not sockkit's";

/// Where a password comes from when nobody can be asked.
const PASSWORD_SOURCES: &str = "set SOCKKIT_PASSWORD, or give a file with --password-file";

impl Request {
    fn op(&self) -> Op<'static> {
        match *self {
            Request::History { after, limit } => Op::History { after, limit },
            Request::Ping => Op::Ping,
        }
    }

    fn answer(&self) -> Answer {
        match self {
            Request::History { .. } => Answer::HistoryEnd,
            Request::Ping => Answer::Pong,
        }
    }
}

impl Machine for Client {
    type Note = Note;
    type Action = Action;

    fn handle(&mut self, now: Now, event: Event<'_, Note>) {
        let leaving = matches!(self.link, Link::Leaving { .. });
        if self.result.is_some() && !leaving {
            if let Event::Opened { conn, .. } = event {
                self.effects.push_back(Effect::Abort(conn));
            }
            return;
        }
        match event {
            Event::Opened { conn, peer, .. } => self.on_opened(now, conn, peer.to_string()),
            Event::Received { conn, bytes } if self.conn() == Some(conn) && !leaving => {
                self.on_received(now, bytes);
            }
            Event::EndOfInput { conn } if self.conn() == Some(conn) && !leaving => {
                self.lose(now, "closed by the server");
            }
            Event::Writable { conn } if self.conn() == Some(conn) => {
                self.blocked = false;
                self.offered = false;
            }
            Event::Closed { conn, ending } if self.conn() == Some(conn) => {
                let reason = match ending {
                    Ending::Drained => "closed".to_string(),
                    Ending::Failed(kind) => reason_of(kind),
                };
                if leaving {
                    // The driver has nothing left of it.
                    self.link = Link::Down;
                    self.exit();
                } else if ending == Ending::Failed(NOT_LET_IN) {
                    self.link = Link::Down;
                    self.finish(Err(not_let_in(&self.config.peer)));
                } else {
                    self.lost(now, &reason);
                }
            }
            Event::Deadline => self.on_deadline(now),
            Event::Signal(signal) if leaving => {
                self.result = None;
                self.on_signal(now, signal);
            }
            Event::Signal(signal) => self.on_signal(now, signal),
            Event::Note(note) if !leaving => self.on_note(now, note),
            _ => {}
        }
        self.advance(now);
    }

    fn appetite(&self, conn: ConnId) -> usize {
        match self.conn() == Some(conn) && self.holds == 0 {
            true => APPETITE,
            false => 0,
        }
    }

    fn wants_notes(&self) -> bool {
        self.lines.has_room()
            && self.result.is_none()
            && self.stop.is_none()
            && !self.progress.is_reached()
    }

    fn next_transmit(&mut self, _now: Now) -> Option<ConnId> {
        if self.offered || self.blocked || self.sent == self.out.len() {
            return None;
        }
        self.offered = true;
        self.conn()
    }

    fn pending(&self, conn: ConnId) -> Pending<'_> {
        let mut pending = Pending::new();
        if self.conn() == Some(conn) {
            pending.push(&self.out[self.sent..]);
        }
        pending
    }

    fn sent(&mut self, _now: Now, conn: ConnId, bytes: usize) {
        if self.conn() == Some(conn) {
            self.sent += bytes;
            if self.sent >= self.out.len() {
                self.out.clear();
                self.sent = 0;
            }
        }
    }

    fn blocked(&mut self, _now: Now, conn: ConnId) {
        if self.conn() == Some(conn) {
            self.blocked = true;
        }
    }

    fn effect(&mut self) -> Option<Effect<Action>> {
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        if let Link::Leaving { until, .. } = self.link {
            return Some(until);
        }
        if self.result.is_some() {
            return None;
        }
        let link = match self.link {
            Link::Greeting { until, .. } => Some(until),
            Link::Up { .. } if self.holds == 0 => self.config.idle.map(|idle| {
                let wait = if self.probed { idle } else { idle / 2 };
                self.last_heard + wait
            }),
            _ => None,
        };
        let (give_up, retry) = self.outage.as_ref().map_or((None, None), |outage| {
            (
                outage.give_up,
                outage.retry.filter(|_| self.link == Link::Down),
            )
        });
        let stop = self.stop.as_ref().map(|stop| stop.until);
        [link, give_up, retry, stop, self.config.timeout]
            .into_iter()
            .flatten()
            .min()
    }
}

fn reason_of(kind: ErrorKind) -> String {
    IoReason(&kind.into()).to_string()
}
