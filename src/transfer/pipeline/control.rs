//! The control thread of a session: the only one that calls the machine. [`crate::transfer`] has the contract whose
//! steps are marked here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::core::machine::Signal;
use crate::error::{Error, Kind, Result};
use crate::transfer::frame::Frame;
use crate::transfer::pipeline::channel::{Channel, Line};
use crate::transfer::pipeline::hall::Seat;
use crate::transfer::pipeline::inbox::{Arrival, Inbox};
use crate::transfer::pipeline::pool::{Buffer, Pool};
use crate::transfer::pipeline::stop::Stop;
use crate::transfer::pipeline::watchdog::{Doings, Patience, Trouble, Watchdog};
use crate::transfer::pipeline::writer::Outbox;
use crate::transfer::pipeline::{reader, writer};
use crate::transfer::session::{Ending, Protocol};
use crate::transfer::wire::AbortReason;

/// How long the last words may take to be written, and then the peer to hang up: closing with something unread makes
/// the kernel send RST, which destroys what the peer has not read yet (RFC 9293 section 3.6.1).
const FAREWELL: Duration = Duration::from_secs(2);

/// How often is looked whether frames may come again.
const HELD: Duration = Duration::from_millis(20);

/// How often a person is told how far it is.
const TICK: Duration = Duration::from_millis(200);

/// A machine of either role with its workers.
pub trait End {
    /// What its workers say.
    type Word: Send + 'static;
    /// The machine.
    type Machine: Protocol<Buffer>;

    /// Decides.
    fn machine(&self) -> &Self::Machine;
    /// Is told.
    fn machine_mut(&mut self) -> &mut Self::Machine;

    /// A frame came.
    fn frame(&mut self, now: Duration, frame: Frame, payload: Option<Buffer>);
    /// A worker said something.
    fn word(&mut self, word: Self::Word);
    /// Carries out what the machine wants: gives it to the workers.
    fn act(&mut self);
    /// Whether frames may come: not while the workers are far behind.
    fn takes_frames(&self) -> bool;
    /// The peer was understood: tell who.
    fn opened(&mut self, now: Duration);
    /// It is over, and [`End::opened`] had been said.
    fn closed(&mut self);
    /// What is being done.
    fn doings(&self) -> Doings;
    /// Tells a person how far it is.
    fn tell(&mut self, now: Duration);
    /// Whether anybody wants to be told.
    fn is_watched(&self) -> bool;
    /// The session has ended: no more is read, what was taken in is still written.
    fn wind_up(&mut self);
}

/// The time of a run, from its beginning.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    pub fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn at(&self, time: Duration) -> Option<Instant> {
        self.0.checked_add(time)
    }
}

/// What a session is run with.
pub struct Setting<'a> {
    /// The run's time.
    pub clock: Clock,
    /// Signals.
    pub stop: &'a Stop,
    /// What counts as a stall.
    pub patience: Patience,
    /// Where payloads that come are put.
    pub pool: Pool,
    /// What the session sits on, if it came by the door.
    pub seat: Option<&'a Seat>,
}

/// Why a session ended that the machine calls a cut or an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The machine's word.
    pub ending: Ending,
    /// What the watchdog saw.
    pub trouble: Option<Trouble>,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// Whether the peer was understood.
    pub was_open: bool,
}

/// The threads around a connection.
struct Wires<S> {
    inbox: Arc<Inbox<S>>,
    outbox: Arc<Outbox>,
    line: Line,
    pool: Pool,
    threads: Vec<thread::JoinHandle<()>>,
}

impl<S: Send + 'static> Wires<S> {
    fn start(channel: Channel, inbox: Arc<Inbox<S>>, pool: Pool) -> Result<Self> {
        let Channel {
            reader: source,
            writer: sink,
            line,
            protection,
            ..
        } = channel;
        let outbox = Arc::new(Outbox::default());
        let cannot_start =
            |error: std::io::Error| Error::new(Kind::Other, "cannot start a thread").because(error);
        let mut wires = Self {
            inbox: Arc::clone(&inbox),
            outbox: Arc::clone(&outbox),
            line,
            pool: pool.clone(),
            threads: Vec::new(),
        };
        let (words, room) = (Arc::clone(&inbox), inbox);
        let reading = thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || reader::run(source, protection, &pool, &words))
            .map_err(cannot_start)?;
        wires.threads.push(reading);
        let writing = thread::Builder::new()
            .name("write".to_owned())
            .spawn(move || writer::run(sink, protection, &outbox, &room))
            .map_err(cannot_start)?;
        wires.threads.push(writing);
        Ok(wires)
    }
}

impl<S> Drop for Wires<S> {
    fn drop(&mut self) {
        self.inbox.close();
        self.outbox.finish();
        self.line.hang_up();
        self.pool.close();
        for thread in self.threads.drain(..) {
            // A panic in it has been told by the panic itself.
            let _ = thread.join();
        }
    }
}

/// Runs a session to its end. The workers are still there afterwards.
pub fn run<E: End>(
    end: &mut E,
    channel: Channel,
    inbox: &Arc<Inbox<E::Word>>,
    setting: &Setting<'_>,
) -> Result<Close> {
    let woken = Arc::clone(inbox);
    let _waking = setting.stop.wake(move || woken.nudge());
    let wires = Wires::start(channel, Arc::clone(inbox), setting.pool.clone())?;
    let mut turns = Turns {
        setting,
        wires: &wires,
        watchdog: Watchdog::new(setting.clock.now(), setting.patience),
        arrivals: VecDeque::new(),
        words: Vec::new(),
        was_open: false,
        trouble: None,
        signal: None,
        has_ended: false,
    };
    let ending = turns.until_ending(end);
    end.wind_up();
    turns.say_farewell(end);
    let Turns {
        trouble,
        signal,
        was_open,
        ..
    } = turns;
    if was_open {
        end.closed();
    }
    drop(wires);
    Ok(Close {
        ending,
        trouble,
        signal,
        was_open,
    })
}

struct Turns<'a, S> {
    setting: &'a Setting<'a>,
    wires: &'a Wires<S>,
    watchdog: Watchdog,
    arrivals: VecDeque<Arrival>,
    words: Vec<S>,
    was_open: bool,
    trouble: Option<Trouble>,
    signal: Option<Signal>,
    /// The connection has been read to its end.
    has_ended: bool,
}

impl<S: Send + 'static> Turns<'_, S> {
    fn until_ending<E: End<Word = S>>(&mut self, end: &mut E) -> Ending {
        loop {
            let now = self.setting.clock.now();
            self.deadlines(end, now);
            end.act();
            self.transmit(end, now);
            if end.is_watched() {
                end.tell(now);
            }
            if let Some(ending) = end.machine().ending() {
                return ending;
            }
            let until = self.next_deadline(end, now);
            self.take_in(end, until.and_then(|time| self.setting.clock.at(time)));
        }
    }

    /// Steps 2 and 3: what has come, and what the workers say.
    fn take_in<E: End<Word = S>>(&mut self, end: &mut E, until: Option<Instant>) {
        self.wires.inbox.wait(
            until,
            end.takes_frames(),
            &mut self.arrivals,
            &mut self.words,
        );
        let now = self.setting.clock.now();
        for word in self.words.drain(..) {
            end.word(word);
        }
        // Where this end takes nothing because it has enough to do, the peer cannot be heard.
        if let Some(seat) = self.setting.seat
            && (!self.arrivals.is_empty() || end.doings().busy)
        {
            seat.heard();
        }
        while let Some(arrival) = self.arrivals.pop_front() {
            match arrival {
                Arrival::Frame(frame, payload) => end.frame(now, frame, payload),
                Arrival::Violation(violation) => end.machine_mut().violated(violation),
                Arrival::End => {
                    self.has_ended = true;
                    end.machine_mut().cut();
                }
            }
            // Its actions hold the payload now, or nobody does.
            end.act();
        }
        if end.machine().session().is_open() && !self.was_open {
            self.was_open = true;
            self.watchdog = Watchdog::new(now, self.setting.patience);
            end.opened(now);
        }
    }

    /// Steps 4 and 6.
    fn deadlines<E: End<Word = S>>(&mut self, end: &mut E, now: Duration) {
        if end.machine().next_deadline().is_some_and(|due| now >= due) {
            end.machine_mut().deadline(now);
        }
        if let Some(signal) = self.setting.stop.signal()
            && end.machine().ending().is_none()
        {
            self.signal = Some(signal);
            end.machine_mut().abort(match signal {
                Signal::Interrupt => AbortReason::Interrupted,
                Signal::Terminate | Signal::HangUp => AbortReason::Terminated,
            });
        }
        if end.machine().session().is_open()
            && let Some(trouble) = self
                .watchdog
                .look(now, &end.machine().progress(), end.doings())
        {
            self.trouble = Some(trouble);
            match trouble {
                Trouble::Silent => end.machine_mut().cut(),
                Trouble::Stalled => end.machine_mut().abort(AbortReason::Stalled),
            }
        }
    }

    fn next_deadline<E: End<Word = S>>(&self, end: &E, now: Duration) -> Option<Duration> {
        let look = end
            .machine()
            .session()
            .is_open()
            .then(|| self.watchdog.next_look(now))
            .flatten();
        let tick = (end.is_watched() && end.machine().session().is_open()).then(|| now + TICK);
        // Whoever holds frames back does not say when that is over.
        let held = (!end.takes_frames()).then(|| now + HELD);
        [end.machine().next_deadline(), look, tick, held]
            .into_iter()
            .flatten()
            .min()
    }

    /// Step 1: only what can go out is asked for, so that frames fill up meanwhile.
    fn transmit<E: End<Word = S>>(&mut self, end: &mut E, now: Duration) {
        while self.wires.outbox.has_room() {
            let Some(frame) = end.machine_mut().transmit(now) else {
                return;
            };
            self.wires.outbox.push(frame);
            end.act();
        }
    }

    /// Step 5: the frames that are left, then the end of our direction, then the end of the peer's.
    fn say_farewell<E: End<Word = S>>(&mut self, end: &mut E) {
        let until = Instant::now() + FAREWELL;
        let mut is_finished = false;
        while Instant::now() < until {
            if !is_finished && self.wires.outbox.has_room() {
                match end.machine_mut().transmit(self.setting.clock.now()) {
                    Some(frame) => {
                        self.wires.outbox.push(frame);
                        continue;
                    }
                    None => {
                        self.wires.outbox.finish();
                        is_finished = true;
                    }
                }
            }
            // Who has the last word needs nothing more. Otherwise the other end has to read one, and then hangs up.
            let is_heard = self.has_ended || end.machine().ending() == Some(Ending::Complete);
            if is_finished && is_heard && self.wires.outbox.is_over() {
                return;
            }
            self.wires
                .inbox
                .wait(Some(until), true, &mut self.arrivals, &mut self.words);
            for word in self.words.drain(..) {
                end.word(word);
            }
            end.act();
            self.has_ended |= self
                .arrivals
                .drain(..)
                .any(|arrival| matches!(arrival, Arrival::End));
        }
    }
}
