//! What keeps strangers out of a transfer: a code that both ends know, or with `--plain` nothing.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{CODE_VARIABLE, CodeArgs};
use crate::core::address::{Address, Endpoint, Host, PeerAddr};
use crate::core::blocking::Stream;
use crate::core::secure::channel::{self, Doorkeeper, Trouble};
use crate::core::secure::code::{Code, RANDOM_BYTES};
use crate::core::secure::guesses::Guesses;
use crate::error::{Error, Kind, Result};
use crate::transfer::pipeline::channel::Channel;
use crate::transfer::wire::Role;
use crate::ui::Ui;

/// A connection that has to wait after wrong codes is held for so long at most, and turned away if it is longer: the
/// other end has about twice as much patience.
const HELD: Duration = Duration::from_secs(5);

/// The guard.
pub struct Guard {
    listens: bool,
    qr: bool,
    way: Way,
}

enum Way {
    Plain,
    Code {
        code: Code,
        /// We have made it up, and nobody knows it yet.
        is_new: bool,
        opened: Instant,
        guesses: Mutex<Guesses>,
    },
}

/// Why somebody is not let in.
pub enum Stranger {
    /// As something that can be said of them.
    Note(String),
    /// They have another code.
    WrongCode {
        /// That was the last that could be tried.
        is_last: bool,
    },
}

impl Guard {
    /// What was typed. An end that listens makes up a code if there is none, one that connects asks for it. `stays`:
    /// after a transfer it waits for the next.
    pub fn new(ui: &Ui, args: &CodeArgs, listens: bool, stays: bool) -> Result<Self> {
        let guard = |way| Self {
            listens,
            qr: args.qr,
            way,
        };
        if args.plain {
            return Ok(guard(Way::Plain));
        }
        let (code, is_new) = match args.read()? {
            Some(code) => (code, false),
            None if listens => (make_up()?, true),
            None => (ask(ui)?, false),
        };
        if args.qr && !listens {
            return Err(Error::new(
                Kind::Usage,
                "--qr has no use: this end connects",
            ));
        }
        Ok(guard(Way::Code {
            code,
            is_new,
            opened: Instant::now(),
            guesses: Mutex::new(Guesses::new(stays)),
        }))
    }

    /// Whether this end listens.
    pub fn listens(&self) -> bool {
        self.listens
    }

    /// Says where this end listens, and what is to be done at the other one.
    pub fn announce(&self, ui: &Ui, role: Role, addresses: &[Address]) -> Result<()> {
        if let (Way::Code { code, is_new, .. }, Some(first)) = (&self.way, addresses.first()) {
            let place = seen_from_outside(first);
            let command = match role {
                Role::Receiver => format!("sockkit send-file {place} PATH"),
                Role::Sender => format!("sockkit recv-file --connect {place}"),
            };
            ui.invitation(&command, is_new.then_some(code), self.qr.then_some(code))?;
        }
        let is_plain = matches!(self.way, Way::Plain);
        for address in addresses {
            match is_plain {
                true => ui.listening_in_the_clear(address)?,
                false => ui.listening(address)?,
            }
        }
        Ok(())
    }

    /// Makes a connection that this end has made into a channel.
    pub fn initiate(
        &self,
        stream: Arc<Stream>,
        peer: PeerAddr,
        address: &Address,
        patience: Duration,
    ) -> Result<Channel> {
        let code = match &self.way {
            Way::Plain => return Ok(Channel::plain(stream, peer)),
            Way::Code { code, .. } => code,
        };
        match channel::initiate(Arc::clone(&stream), code, patience) {
            Ok(halves) => Ok(Channel::secure(stream, halves, peer)),
            Err(trouble) => {
                let kind = trouble.kind();
                let error = Error::new(kind, format!("not let in by {address:#}"));
                let hint = match &trouble {
                    Trouble::WrongCode => {
                        "compare the code with the one that the other end shows; if it is the same, somebody is in \
                         between"
                    }
                    _ => {
                        "was the other end started with --plain, or after too many wrong codes? it says so"
                    }
                };
                Err(error.because(trouble).hint(hint))
            }
        }
    }

    /// Makes a connection that came into a channel.
    pub fn accept(
        &self,
        stream: &Arc<Stream>,
        peer: &PeerAddr,
        patience: Duration,
    ) -> Result<Channel, Stranger> {
        let (code, opened, guesses) = match &self.way {
            Way::Plain => return Ok(Channel::plain(Arc::clone(stream), peer.clone())),
            Way::Code {
                code,
                opened,
                guesses,
                ..
            } => (code, opened, guesses),
        };
        let door = Door {
            opened: *opened,
            guesses,
            peer,
            was_last: Mutex::new(false),
        };
        let wait = door.wait();
        if wait > HELD {
            let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
            return Err(Stranger::Note(format!(
                "was turned away: after wrong codes nobody may try one for {wait}"
            )));
        }
        thread::sleep(wait);
        channel::accept(Arc::clone(stream), code, patience, &door)
            .map(|halves| Channel::secure(Arc::clone(stream), halves, peer.clone()))
            .map_err(|trouble| match trouble {
                Trouble::WrongCode => Stranger::WrongCode {
                    is_last: *door.was_last.lock().unwrap_or_else(PoisonError::into_inner),
                },
                other => Stranger::Note(format!("was not let in: {other}")),
            })
    }

    /// How a run ends in which too many wrong codes were tried.
    pub fn locked_out() -> Error {
        Error::new(Kind::Refused, "three wrong codes were tried").hint(
            "start again, with another code; --keep-open has whoever tries codes wait instead",
        )
    }
}

/// Counts for a connection.
struct Door<'a> {
    opened: Instant,
    guesses: &'a Mutex<Guesses>,
    peer: &'a PeerAddr,
    was_last: Mutex<bool>,
}

impl Door<'_> {
    fn wait(&self) -> Duration {
        let guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.wait(self.opened.elapsed(), self.peer.ip())
    }
}

impl Doorkeeper for Door<'_> {
    fn admit(&self, attempt: &mut dyn FnMut() -> bool) -> bool {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.opened.elapsed();
        if guesses.is_over() || !guesses.wait(now, self.peer.ip()).is_zero() {
            return false;
        }
        match attempt() {
            true => guesses.right(self.peer.ip()),
            false => {
                let mut was_last = self.was_last.lock().unwrap_or_else(PoisonError::into_inner);
                *was_last = guesses.wrong(now, self.peer.ip());
            }
        }
        true
    }
}

fn make_up() -> Result<Code> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Kind::Other, "the system has no random numbers").because(error)
    })?;
    Ok(Code::from_random(random))
}

fn ask(ui: &Ui) -> Result<Code> {
    let Some(typed) = ui.ask_secret("code: ") else {
        return Err(
            Error::new(Kind::Usage, "a transfer needs the code of the other end").hint(format!(
                "set {CODE_VARIABLE}, or give it with --code-file or --code-fd; --plain at both ends does without, \
                 on a network that you trust"
            )),
        );
    };
    Code::parse(&typed)
}

/// An address as somebody on another machine would type it. Where we listen on all of ours it is the one from which
/// this machine would speak to the world.
fn seen_from_outside(address: &Address) -> String {
    let everywhere = match address.endpoint() {
        Endpoint::Unix(_) => None,
        Endpoint::Inet { host, port } => match host {
            Host::Any => Some(port),
            Host::V4(ip) if ip.is_unspecified() => Some(port),
            Host::V6(ip, _) if ip.is_unspecified() => Some(port),
            _ => None,
        },
    };
    match everywhere {
        None => format!("{address:#}"),
        Some(port) => match own_address() {
            Some(ip) => format!("{ip}:{port}"),
            None => format!("THIS-MACHINE:{port}"),
        },
    }
}

/// The address from which a packet to the world would go. To connect a datagram socket sends none: the system only
/// looks up the way. The world is an address of RFC 5737, which nobody has.
fn own_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        std::net::IpAddr::V4(ip) if !ip.is_unspecified() => Some(ip),
        _ => None,
    }
}
