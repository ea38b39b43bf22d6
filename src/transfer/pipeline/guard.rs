//! What keeps strangers out of a transfer: a code that both ends know, or with `--plain` nothing.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::CodeArgs;
use crate::core::address::{Address, Endpoint, Host, PeerAddr};
use crate::core::blocking::Stream;
use crate::core::secure::CODE_VARIABLE;
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
        let (code, is_new) = match args.read(&mut |text| ui.warn(text))? {
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
        let (code, opened, guesses) = match &self.way {
            Way::Plain => return Ok(Channel::plain(stream, peer)),
            Way::Code {
                code,
                opened,
                guesses,
                ..
            } => (code, opened, guesses),
        };
        match channel::initiate(Arc::clone(&stream), code, patience) {
            Ok(halves) => Ok(Channel::secure(stream, halves, peer)),
            Err(trouble) => {
                // Or whoever cuts connections and answers the next would have a guess for each that is made again.
                let is_last = matches!(trouble, Trouble::Unproved { .. })
                    && guesses
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .wrong(opened.elapsed(), None);
                let kind = match is_last {
                    true => Kind::Refused,
                    false => trouble.kind(),
                };
                let what = match &trouble {
                    Trouble::WrongCode => "not let in by",
                    _ => "cannot agree on a code with",
                };
                let error = Error::new(kind, format!("{what} {address:#}"));
                let hint = match &trouble {
                    Trouble::WrongCode => {
                        "compare the code with the one that the other end shows; if it is the same, somebody is in \
                         between, or guesses"
                    }
                    Trouble::Unproved { .. } => "if that goes on, somebody is in between",
                    _ => {
                        "was the other end started with --plain, or did it get too many wrong codes? there -v tells"
                    }
                };
                Err(error.because(trouble).hint(hint))
            }
        }
    }

    /// Makes a connection that came into a channel. `pause` waits for so long, unless the connection has to go before.
    pub fn accept(
        &self,
        stream: &Arc<Stream>,
        peer: &PeerAddr,
        patience: Duration,
        pause: &dyn Fn(Duration) -> bool,
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
        if !pause(wait) {
            return Err(Stranger::Note("had to make room".to_owned()));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::secure::pake::{Agreement, Side};
    use crate::core::secure::tls::pipe::Begun;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    /// Nothing here takes this long on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    fn guard(listens: bool, guesses: Guesses) -> Guard {
        Guard {
            listens,
            qr: false,
            way: Way::Code {
                code: code("the right code"),
                is_new: false,
                opened: Instant::now(),
                guesses: Mutex::new(guesses),
            },
        }
    }

    /// Takes what whoever connects has to show, which tells whether the guess was right, and then sends what is no TLS.
    fn guess(socket: TcpStream) {
        let mut raw = socket.try_clone().expect("a handle");
        let element = Agreement::new(Side::Listener, &code("a wrong guess")).take_output();
        let stream = Arc::new(Stream::Tcp(socket));
        let mut begun = Begun::begin(stream, Side::Listener, &element, PATIENCE).expect("TLS");
        assert!(begun.hear(&mut [0; 33 + 32]).expect("all of it"));
        raw.write_all(b"this is no TLS").expect("sent");
    }

    #[test]
    fn whoever_answers_those_that_come_back_has_three_guesses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let peer = listener.local_addr().expect("an address");
        let address = crate::core::address::Address::parse(
            &peer.to_string(),
            crate::core::address::Use::Connect { default_port: None },
        )
        .expect("an address");
        let guesser = std::thread::spawn(move || {
            for _ in 0..3 {
                guess(listener.accept().expect("accepted").0);
            }
        });
        let guard = guard(false, Guesses::new(false));
        for expected in [Kind::Integrity, Kind::Integrity, Kind::Refused] {
            let socket = TcpStream::connect(peer).expect("connected");
            let stream = Arc::new(Stream::Tcp(socket));
            let peer = PeerAddr::from_socket_addr(peer);
            let refused = guard.initiate(stream, peer, &address, PATIENCE).err();
            assert_eq!(refused.map(|error| error.kind()), Some(expected));
        }
        guesser.join().expect("it ends");
    }

    /// Who has begun before the first wrong code was seen is no better off, or a hundred at once would have a hundred
    /// guesses.
    #[test]
    fn a_code_that_comes_too_soon_or_too_late_is_not_looked_at() {
        let peer = PeerAddr::from_socket_addr(([192, 0, 2, 1], 9).into());
        for (stays, wrong) in [(true, 8), (false, 3)] {
            let guesses = Mutex::new(Guesses::new(stays));
            let door = Door {
                opened: Instant::now(),
                guesses: &guesses,
                peer: &peer,
                was_last: Mutex::new(false),
            };
            for _ in 0..wrong {
                let mut guesses = guesses.lock().expect("whole");
                guesses.wrong(Duration::ZERO, peer.ip());
            }
            let admitted = door.admit(&mut || panic!("it was looked at"));
            assert!(!admitted, "{stays}");
        }
    }

    #[test]
    fn each_wrong_code_counts_and_a_right_one_does_not() {
        let peer = PeerAddr::from_socket_addr(([192, 0, 2, 1], 9).into());
        let guesses = Mutex::new(Guesses::new(false));
        let door = Door {
            opened: Instant::now(),
            guesses: &guesses,
            peer: &peer,
            was_last: Mutex::new(false),
        };
        assert!(door.admit(&mut || true) && door.admit(&mut || true));
        for last in [false, false, true] {
            assert!(door.admit(&mut || false));
            assert_eq!(*door.was_last.lock().expect("whole"), last);
        }
        assert!(!door.admit(&mut || true));
    }
}
