//! The chat client, as a machine: everything it decides, and nothing it touches.
//!
//! It holds the session: the token, the numbers of its lines, what the server has acknowledged and what was
//! seen. Connections come and go under it. After a cut it says so once, waits, dials, and takes up where it was:
//! what the others said is asked for by id, what was not acknowledged is sent again in order, and the server drops
//! what it had already taken.
//!
//! - `unacked`: the numbered lines; `backoff`: the waits; `goal`: what a script waits for;
//! - `incoming`: what the server says.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod backoff;
mod goal;
mod incoming;
#[cfg(test)]
mod tests;
mod unacked;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use self::backoff::Backoff;
use self::unacked::Unacked;
use crate::chat::command::{Command, parse};
use crate::chat::lines::LineBuffer;
use crate::chat::wire::{ChatEvent, Hello, Op, VERSION, encode};
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Pending, Signal};
use crate::error::{Error, IoReason, Kind, Result};

pub use self::goal::Goal;
pub(super) use self::goal::{Progress, Verdict};

/// How much is read at once.
const APPETITE: usize = 64 * 1024;

/// How long the last acknowledgements are waited for when a person or a signal ends the client, and how long the
/// farewell may take to get out.
const PARTING: Duration = Duration::from_secs(1);

/// A connection that held this long was a good one: the waits begin short again after it. A server that lets in
/// and closes at once would otherwise be dialled four times a second.
const GOOD: Duration = Duration::from_secs(10);

/// How many earlier lines are asked for when the server has begun its numbers anew and nobody can say which of
/// them were missed.
const AFTER_RESTART: u32 = 1000;

/// Everything that the client is told at its start.
#[derive(Debug)]
pub struct Config {
    /// What the server is called in messages, as it was typed.
    pub peer: String,
    /// The session's token: 128 bits from a cryptographic generator.
    pub session: u128,
    /// Random bits for the waits.
    pub seed: u64,
    /// The wanted nick.
    pub nick: Option<String>,
    /// The wanted room.
    pub room: Option<String>,
    /// How many earlier lines to show.
    pub history: u32,
    /// The password.
    pub password: Option<Zeroizing<String>>,
    /// Whether there is a person to ask for a password, to tell of lines that wait, and to show what was missed
    /// apart; and who decides when to give up.
    pub interactive: bool,
    /// When the client is done.
    pub goal: Goal,
    /// How long a server may take to answer the hello.
    pub greeting: Duration,
    /// How long a connection may be silent before it is taken for dead. `None`: for ever.
    pub idle: Option<Duration>,
    /// How long to try to get a connection back. `None`: for ever; zero: never.
    pub retry: Option<Duration>,
    /// How long all may take.
    pub timeout: Option<Duration>,
}

/// What the program around the machine reports.
#[derive(Debug)]
pub enum Note {
    /// A line to send.
    Line(String),
    /// Something to ask the server for.
    Request(Request),
    /// There will be no more lines. From a person it means to leave now.
    InputEnded,
    /// The input cannot be understood from here on.
    InputBroken(Error),
    /// What [`Action::Dial`] came to, unless it was a connection.
    DialFailed(Error),
    /// The answer to [`Action::AskPassword`]; `None`: there is none.
    Password(Option<Zeroizing<String>>),
    /// Whoever prints or runs programs cannot keep up, and nothing more is wanted (`true`); or it can again. They
    /// are counted.
    Hold(bool),
    /// Nobody reads what is printed any more.
    OutputClosed,
    /// What is to be printed cannot be.
    OutputFailed(Error),
}

/// Something that a program asks the server for, beside sending lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Lines of the room with ids above `after`.
    History {
        /// The id before the first wanted one.
        after: u64,
        /// How many at most.
        limit: u32,
    },
    /// A sign of life.
    Ping,
}

/// What the program around the machine is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect, and hand the connection to the driver or report [`Note::DialFailed`].
    Dial,
    /// Ask for the password; the second time because the first was wrong.
    AskPassword {
        /// Whether one was tried.
        again: bool,
    },
    /// Tell the person or the program.
    Show(Shown),
}

/// What is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// Somebody else said something that counts.
    Said {
        /// The event.
        event: ChatEvent<'static>,
        /// What of its text matched, where something had to.
        matched: Option<String>,
    },
    /// Anything else that the server said.
    Event(ChatEvent<'static>),
    /// How the client itself fares.
    Status(Status),
    /// What a server that is not ours sent, as it came.
    Bytes(Vec<u8>),
    /// A line of a server that is not ours.
    Line {
        /// The line, without its end.
        bytes: Vec<u8>,
        /// What of its text matched, where something had to.
        matched: Option<String>,
    },
}

/// How the client fares. As JSON it is an event of the program's one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Status {
    /// The server has let the client in.
    Connected {
        /// The address that answered.
        address: String,
        /// Whether it was in before.
        again: bool,
    },
    /// The connection is lost.
    Disconnected {
        /// Why.
        reason: String,
        /// Whether it is tried again.
        retrying: bool,
    },
    /// What others said meanwhile follows.
    Unread {
        /// How many.
        lines: usize,
    },
    /// Lines are kept until there is a connection.
    Waiting {
        /// How many.
        lines: usize,
    },
}

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
    /// Lines up to this id were said before the client came.
    earlier: u64,
    private: u64,
    /// What is kept until it is known how much was missed.
    unread: Option<Vec<Shown>>,

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
            earlier: 0,
            private: 0,
            unread: None,
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
                let error = Error::new(
                    Kind::Refused,
                    format!("not let in by {}: no password", self.config.peer),
                );
                self.finish(Err(error));
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

    fn dial(&mut self) {
        self.link = Link::Dialling;
        self.effects.push_back(Effect::Act(Action::Dial));
    }

    fn on_opened(&mut self, now: Now, conn: ConnId, peer: String) {
        if self.link != Link::Dialling {
            self.effects.push_back(Effect::Abort(conn));
            return;
        }
        self.peer = peer;
        self.forget_connection();
        self.link = Link::Greeting {
            conn,
            until: now.since_start + self.config.greeting,
        };
        self.last_heard = now.since_start;
        let hello = Hello {
            sockkit: VERSION,
            session: format!("{:032x}", self.config.session),
            nick: self.nick.clone(),
            room: self.room.clone(),
            seen: self.seen.filter(|_| self.was_in),
            private: self.private,
            history: match self.seen {
                Some(_) => AFTER_RESTART,
                None => self.config.history,
            },
            password: self
                .config
                .password
                .as_ref()
                .map(|password| password.to_string()),
        };
        encode(&mut self.out, &hello);
    }

    /// What belongs to one connection is no more.
    fn forget_connection(&mut self) {
        self.input = LineBuffer::default();
        self.out = Vec::new();
        self.sent = 0;
        self.offered = false;
        self.blocked = false;
        self.answered = false;
        self.probed = false;
    }

    fn on_dial_failed(&mut self, now: Now, error: Error) {
        if self.link != Link::Dialling {
            return;
        }
        if !self.was_in {
            return self.finish(Err(error));
        }
        self.wait(now, error.to_string());
    }

    /// The connection is gone, without our wish.
    fn lose(&mut self, now: Now, reason: &str) {
        if let Some(conn) = self.conn() {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.lost(now, reason);
    }

    /// The same where the driver knows already.
    fn lost(&mut self, now: Now, reason: &str) {
        self.show_unread();
        self.forget_connection();
        if !self.was_in {
            let error = Error::new(
                Kind::Other,
                format!(
                    "lost the connection to {} before it answered",
                    self.config.peer
                ),
            );
            return self.finish(Err(error.because(reason.to_string())));
        }
        if let Link::Up { since, .. } = self.link
            && now.since_start >= since + GOOD {
                self.backoff.reset();
            }
        self.link = Link::Down;
        if self.is_done() {
            return self.finish(Ok(()));
        }
        self.wait(now, reason.to_string());
    }

    /// Waits for the next attempt, or gives up.
    fn wait(&mut self, now: Now, reason: String) {
        self.link = Link::Down;
        let now = now.since_start;
        let never = self.config.retry == Some(Duration::ZERO);
        if self.outage.is_none() {
            self.status(Status::Disconnected {
                reason: reason.clone(),
                retrying: !never,
            });
        }
        let give_up = match &self.outage {
            Some(outage) => outage.give_up,
            None => self.config.retry.map(|retry| now.saturating_add(retry)),
        };
        let retry = now + self.backoff.next();
        self.outage = Some(Outage {
            give_up,
            retry: Some(retry),
            reason,
        });
        if never {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        let peer = &self.config.peer;
        let text = match self.config.retry {
            Some(retry) if !retry.is_zero() => format!(
                "lost the connection to {peer} and did not get it back within {}",
                humantime::format_duration(retry)
            ),
            _ => format!("lost the connection to {peer}"),
        };
        let error = Error::new(Kind::Other, text);
        let error = match self.outage.take() {
            Some(outage) => error.because(outage.reason),
            None => error,
        };
        self.finish(Err(error));
    }

    /// Whether there is nothing left to do: nothing to say and nothing to wait for.
    fn is_done(&self) -> bool {
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
    fn stop(&mut self, now: Now, result: Result<()>) {
        self.stop = Some(Stop {
            until: now.since_start + PARTING,
            result,
        });
    }

    /// Draws the conclusions from what has happened.
    fn advance(&mut self, now: Now) {
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
            Link::Up { .. } if (self.answered || self.progress.is_reached())
                && self
                    .awaited
                    .iter()
                    .all(|awaited| awaited.asked == Asked::Probe)
                => {
                    self.leave(now, Ok(()));
                }
            Link::Up { .. }
                if self.awaited.is_empty() => {
                    self.probe();
                }
            Link::Down | Link::Dialling | Link::Asking | Link::Greeting { .. } if self.was_in => {
                self.leave(now, Ok(()));
            }
            _ => {}
        }
    }

    /// Says goodbye, where there is somebody to say it to, and ends.
    fn leave(&mut self, now: Now, result: Result<()>) {
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
    fn finish(&mut self, result: Result<()>) {
        if self.result.is_none() {
            self.result = Some(result);
        }
        self.exit();
    }

    fn exit(&mut self) {
        self.show_unread();
        if let Some(conn) = self.conn() {
            self.effects.push_back(Effect::Abort(conn));
        }
        self.link = Link::Down;
        self.effects.push_back(Effect::Exit);
    }

    /// Ends because of something the server did.
    fn fail(&mut self, kind: Kind, text: String, hint: Option<&'static str>) {
        let error = Error::new(kind, text);
        self.finish(Err(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }));
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

    fn on_no_greeting(&mut self, now: Now) {
        let waited = humantime::format_duration(self.config.greeting);
        if self.was_in {
            return self.lose(now, &format!("no answer within {waited}"));
        }
        let text = format!("no answer from {} within {waited}", self.config.peer);
        self.fail(Kind::TimedOut, text, Some(OTHER_SERVERS));
    }

    fn watch_silence(&mut self, now: Now) {
        let Some(idle) = self.config.idle.filter(|_| self.holds == 0) else {
            return;
        };
        let silent = now.since_start.saturating_sub(self.last_heard);
        if silent >= idle {
            let text = format!("nothing came for {}", humantime::format_duration(idle));
            self.lose(now, &text);
        } else if silent >= idle / 2 && !self.probed {
            self.probe();
        }
    }

    fn on_signal(&mut self, now: Now, signal: Signal) {
        // By the conventions of the shells: 128 and the signal's number.
        let number = match signal {
            Signal::HangUp => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
        };
        let result = Err(Error::new(Kind::Signal(number), "ended by a signal"));
        if self.stop.is_some() {
            // Asked twice: no more patience.
            return self.finish(result);
        }
        self.stop(now, result);
    }
}

/// What may help where the other end does not talk as our server does.
const OTHER_SERVERS: &str = "--raw talks to servers that are not sockkit's";

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

/// `1 line was`, `5 lines were`.
fn were(count: u64) -> String {
    match count {
        1 => "1 line was".to_string(),
        _ => format!("{count} lines were"),
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
            Event::Received { conn, bytes } if self.conn() == Some(conn)
                && !leaving => {
                    self.on_received(now, bytes);
                }
            Event::EndOfInput { conn } if self.conn() == Some(conn)
                && !leaving => {
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
