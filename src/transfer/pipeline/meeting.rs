//! How both ends find each other: one connects or listens, and after a cut does so again.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Size, TransferArgs};
use crate::core::address::{Address, Scheme, Use};
use crate::core::backoff::Backoff;
use crate::core::dial::{DialOptions, Dialled, Step, dial};
use crate::core::options::Settings;
use crate::core::socket::{ListenOptions, Listening, listen};
use crate::error::{Error, Kind, Result};
use crate::transfer::frame::Violation;
use crate::transfer::pipeline::channel::Channel;
use crate::transfer::pipeline::control::Close;
use crate::transfer::pipeline::guard::Guard;
use crate::transfer::pipeline::hall::{self, Rules, Seat, Visit};
use crate::transfer::pipeline::stop::{Stop, Waking};
use crate::transfer::pipeline::watchdog::{Patience, Trouble};
use crate::transfer::report::{Event, Reporter};
use crate::transfer::screen::Screen;
use crate::transfer::session::{Ending, Pace, Progress};
use crate::transfer::wire::{AbortReason, Role};
use crate::ui::Ui;

/// The port of an address without one.
const DEFAULT_PORT: u16 = 8889;

/// What `--retry` is good for, at the end of an error.
pub const RESUMES: &str = "run the same command again: it goes on where it stopped";

/// Connects or listens.
pub struct Meeting {
    way: Way,
    guard: Arc<Guard>,
    limit: Option<Size>,
    /// Each step of connecting is told.
    verbose: bool,
    visits: mpsc::Receiver<Visit>,
    /// To be told by whoever is started.
    doorbell: mpsc::Sender<Visit>,
    stop: Stop,
    _waking: Waking,
}

enum Way {
    Dial(Address, DialOptions),
    Listen,
}

/// Somebody to talk to, and the seat that the session takes, if it came by the door.
pub type Met = (Channel, Option<Seat>);

impl Meeting {
    /// Understands what was typed, and listens if that is wanted. `seats`: how many sessions at once.
    pub fn new(
        ui: &Ui,
        address: &str,
        args: &TransferArgs,
        settings: Settings,
        guard: Guard,
        role: Role,
        seats: usize,
    ) -> Result<Self> {
        let listens = guard.listens();
        let address = parse(address, listens)?;
        let guard = Arc::new(guard);
        let (family, buffers) = (args.socket.family(), args.socket.buffers());
        refuse_what_has_no_use(args, listens)?;
        let stop = Stop::watch()?;
        let (doorbell, visits) = mpsc::channel();
        let bell = doorbell.clone();
        let waking = stop.wake(move || {
            let _ = bell.send(Visit::Signal);
        });
        let way = if listens {
            let defaults = ListenOptions::default();
            let options = ListenOptions {
                family,
                backlog: args.backlog.unwrap_or(defaults.backlog),
                reuse_port: args.reuse_port,
                unix_mode: args.unix_mode.unwrap_or(defaults.unix_mode),
                buffers,
                settings,
            };
            let listeners = listen(&address, &options)?;
            for Listening {
                socket, address, ..
            } in &listeners
            {
                ui.granted(address, &options.settings, &socket.socket());
            }
            let addresses: Vec<Address> = listeners
                .iter()
                .map(|listening| listening.address.clone())
                .collect();
            let handshake = Pace::default().handshake;
            let rules = Rules {
                role,
                handshake,
                seats,
                notes: ui.verbosity() > 0,
            };
            hall::open(listeners, rules, &guard, &doorbell)?;
            guard.announce(ui, role, &addresses)?;
            Way::Listen
        } else {
            let defaults = DialOptions::default();
            Way::Dial(
                address,
                DialOptions {
                    family,
                    timeout: args.connect_timeout.unwrap_or(defaults.timeout),
                    buffers,
                    settings,
                },
            )
        };
        Ok(Self {
            way,
            guard,
            limit: args.limit_rate,
            verbose: ui.verbosity() > 0,
            visits,
            doorbell,
            stop,
            _waking: waking,
        })
    }

    /// Signals.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether this end connects.
    pub fn dials(&self) -> bool {
        matches!(self.way, Way::Dial(..))
    }

    /// By what a session says that it has ended.
    pub fn doorbell(&self) -> mpsc::Sender<Visit> {
        self.doorbell.clone()
    }

    /// The next thing that happens, within `patience`; `None`: nothing did.
    pub fn next(&self, patience: Option<Duration>) -> Option<Visit> {
        let visit = match patience {
            None => self.visits.recv().ok(),
            Some(patience) => self.visits.recv_timeout(patience).ok(),
        };
        match visit {
            Some(Visit::Admitted(channel, seat)) => {
                Some(Visit::Admitted(self.limited(channel), seat))
            }
            other => other,
        }
    }

    fn limited(&self, channel: Channel) -> Channel {
        match self.limit {
            Some(limit) => channel.limited(limit.bytes()),
            None => channel,
        }
    }

    /// Does nothing for so long; a signal ends it.
    pub fn pause(&self, wait: Duration) -> Result<()> {
        let until = Instant::now() + wait;
        while let Some(visit) = self.next(Some(until.saturating_duration_since(Instant::now()))) {
            if let (Visit::Signal, Some(signal)) = (visit, self.stop.signal()) {
                return Err(Stop::error(signal));
            }
        }
        Ok(())
    }

    /// Finds the other end: once if this end connects, and for as long as it takes, but not beyond `patience`, if it
    /// listens.
    pub fn meet(&self, patience: Option<Duration>, tell: &mut dyn FnMut(Event)) -> Result<Met> {
        if let Way::Dial(address, options) = &self.way {
            let (address, options) = (address.clone(), options.clone());
            let guard = Arc::clone(&self.guard);
            let bell = self.doorbell.clone();
            let steps = self.verbose.then(|| self.doorbell.clone());
            thread::Builder::new()
                .name("connect".to_owned())
                .spawn(move || {
                    let mut watch = |step: Step| {
                        if let Some(steps) = &steps {
                            let _ = steps.send(Visit::Note(step.to_string()));
                        }
                    };
                    let channel = connect(&address, &options, &guard, &mut watch);
                    // Nobody waits any more if this fails.
                    let _ = bell.send(Visit::Dialled(channel));
                })
                .map_err(|error| Error::new(Kind::Other, "cannot start a thread").because(error))?;
        }
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // An attempt to connect ends by itself.
            let left = left.filter(|_| !self.dials());
            match self.next(left) {
                Some(Visit::Admitted(channel, seat)) => return Ok((channel, Some(seat))),
                Some(Visit::Dialled(channel)) => return Ok((self.limited(channel?), None)),
                Some(Visit::LockedOut) => return Err(Guard::locked_out()),
                Some(Visit::Note(text)) => tell(Event::Note { text }),
                Some(Visit::Warning(text)) => tell(Event::Warning { text }),
                Some(Visit::Ended(_)) => {}
                Some(Visit::Signal) => {
                    return Err(match self.stop.signal() {
                        Some(signal) => Stop::error(signal),
                        None => Error::new(Kind::Other, "ended by a signal"),
                    });
                }
                None => return Err(Error::new(Kind::TimedOut, "nobody came back")),
            }
        }
    }

    /// Finds the other end again, which is gone because of `why`, for as long as `left` says: one that connects tries it
    /// again and again. `None`: there was no time left.
    pub fn again(
        &self,
        mut why: String,
        retry: &mut Retry,
        left: impl Fn(&mut Retry) -> Option<Duration>,
        reporter: &mut Reporter,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Option<Met>> {
        while let Some(time) = left(retry) {
            let wait = self.dials().then(|| retry.wait(time));
            reporter.disconnected(why, true, wait);
            if let Some(wait) = wait {
                self.pause(wait)?;
            }
            match self.meet(Some(time), tell) {
                Ok(met) => return Ok(Some(met)),
                // Another try does not make the code a right one.
                Err(error) if matches!(error.kind(), Kind::Signal(_) | Kind::Refused) => {
                    return Err(error);
                }
                Err(error) if self.dials() => why = error.to_string(),
                Err(_) => break,
            }
        }
        Ok(None)
    }
}

/// What is told of meeting: warnings, and the steps if they are wanted.
pub fn told(screen: &Screen, steps: bool) -> impl FnMut(Event) {
    move |event| {
        if steps || matches!(event, Event::Warning { .. }) {
            screen.tell(event);
        }
    }
}

/// Tells a person that it was stopped, and what to do then.
pub fn say_how_to_resume(screen: &Screen) {
    screen.tell(Event::Note {
        text: format!("stopped; {RESUMES}"),
    });
}

fn connect(
    address: &Address,
    options: &DialOptions,
    guard: &Guard,
    watch: &mut dyn FnMut(Step),
) -> Result<Channel> {
    let Dialled { transport, peer } = dial(address, options, watch)?;
    let stream = transport
        .into_blocking()
        .map_err(|error| Error::new(Kind::Other, "cannot use the connection").because(error))?;
    guard.initiate(Arc::new(stream), peer, address, options.timeout)
}

fn parse(text: &str, listens: bool) -> Result<Address> {
    let purpose = match listens {
        true => Use::Listen {
            default_port: DEFAULT_PORT,
        },
        false => Use::Connect {
            default_port: Some(DEFAULT_PORT),
        },
    };
    let address = Address::parse(text, purpose)?;
    match address.scheme() {
        Scheme::Tcp => Ok(address),
        Scheme::Udp => Err(Error::new(
            Kind::Usage,
            format!("files are not for datagrams: {address}"),
        )),
        Scheme::Tls => Err(Error::new(
            Kind::Usage,
            format!("a transfer is encrypted without tls://, by a code: {address}"),
        )),
    }
}

fn refuse_what_has_no_use(args: &TransferArgs, listens: bool) -> Result<()> {
    let only_listening = [
        ("--backlog", args.backlog.is_some()),
        ("--reuse-port", args.reuse_port),
        ("--unix-mode", args.unix_mode.is_some()),
    ];
    let only_connecting = [("--connect-timeout", args.connect_timeout.is_some())];
    let (useless, why): (&[_], _) = match listens {
        true => (&only_connecting, "this end listens"),
        false => (&only_listening, "this end connects"),
    };
    match useless.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Error::new(Kind::Usage, format!("{name} has no use: {why}"))),
        None => Ok(()),
    }
}

const MAKE_ROOM_THERE: &str =
    "make room at the other end, then run the same command again: it goes on where it stopped";

/// What counts as a stall.
pub fn patience(args: &TransferArgs) -> Patience {
    Patience {
        stall: args.stall_timeout.get(),
        idle: args.idle_timeout.get(),
    }
}

/// Random bits.
pub fn random() -> Result<u64> {
    getrandom::u64()
        .map_err(|error| Error::new(Kind::Other, "the system has no random numbers").because(error))
}

/// Time for a sender to see that the connection is lost, and to try a few times.
const LAST_WORD: Duration = Duration::from_secs(10);

/// How long is tried again.
#[derive(Debug)]
pub struct Retry {
    limit: Duration,
    backoff: Backoff,
    /// Since when nothing has got on.
    since: Option<Duration>,
    /// The other end was understood at least once.
    has_met: bool,
    /// It said no hello the last time.
    was_mute: bool,
}

impl Retry {
    /// `--retry`, and random bits.
    pub fn new(limit: Duration, seed: u64) -> Self {
        Self {
            limit,
            backoff: Backoff::new(seed),
            since: None,
            has_met: false,
            was_mute: false,
        }
    }

    /// A session has ended at `now`: whether it is to be tried again.
    pub fn is_due(&mut self, now: Duration, close: &Close, progress: &Progress) -> bool {
        if progress.sent > 0 || progress.reused > 0 || progress.settled > 0 {
            self.since = None;
            self.backoff.reset();
        }
        let may_end_better = close.trouble.is_some() || close.ending.is_worth_a_retry();
        // What has never said hello, and does not when it is asked again, is most likely something else.
        self.has_met |= close.was_open;
        let is_mute = !self.has_met && close.ending == Ending::HandshakeTimeout;
        let is_stranger = is_mute && self.was_mute;
        self.was_mute = is_mute;
        let is_over = close.signal.is_some() || !may_end_better || is_stranger;
        !is_over && self.left(now).is_some()
    }

    /// How much of the time is left.
    pub fn left(&mut self, now: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let left = self.limit.saturating_sub(now.saturating_sub(since));
        (!left.is_zero()).then_some(left)
    }

    /// How long to wait for a sender that may not know that everything is stored.
    pub fn last_word(&self) -> Duration {
        self.limit.min(LAST_WORD)
    }

    /// How long to wait before connecting again.
    pub fn wait(&mut self, left: Duration) -> Duration {
        self.backoff.wait().min(left)
    }
}

/// What ended a session, for a person.
pub fn reason(close: &Close, patience: Patience) -> String {
    let time =
        |limit: Option<Duration>| humantime::format_duration(limit.unwrap_or_default()).to_string();
    match close.trouble {
        Some(Trouble::Silent) => format!("nothing was heard for {}", time(patience.idle)),
        Some(Trouble::Stalled) => format!("nothing got on for {}", time(patience.stall)),
        None => close.ending.to_string(),
    }
}

/// How a run fails whose last session ended so.
pub fn failure(close: &Close, patience: Patience) -> Error {
    if let Some(signal) = close.signal {
        return Stop::error(signal);
    }
    let kind = match close.trouble {
        Some(_) => Kind::TimedOut,
        None => close.ending.failure().unwrap_or(Kind::Other),
    };
    let (what, why) = match close.ending {
        _ if close.trouble.is_some() => ("the transfer is not complete", None),
        Ending::Violated(Violation::Preface) | Ending::HandshakeTimeout => (
            "cannot transfer",
            Some("is a send-file or recv-file at the other end?"),
        ),
        Ending::Cut if !close.was_open => (
            "cannot transfer",
            Some("it said nothing: perhaps it wants a code, and this end was started with --plain"),
        ),
        Ending::SameRole => (
            "cannot transfer",
            Some("one end is a send-file, the other a recv-file"),
        ),
        Ending::Incompatible { .. } => ("cannot transfer", None),
        Ending::PeerAborted(AbortReason::Busy) => (
            "cannot transfer",
            Some("try again later, or say --max-sessions there"),
        ),
        Ending::PeerAborted(AbortReason::NoSpace) => {
            ("the transfer is not complete", Some(MAKE_ROOM_THERE))
        }
        _ => ("the transfer is not complete", Some(RESUMES)),
    };
    let error = Error::new(kind, what).because(reason(close, patience));
    match why {
        Some(hint) => error.hint(hint),
        None if close.trouble.is_some() => error.hint(RESUMES),
        None => error,
    }
}
