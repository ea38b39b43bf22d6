//! Connecting: all addresses of a name, by RFC 8305.
//!
//! The timetable is [`race::Race`]'s; here are the sockets: non-blocking connects under a poll of their
//! own, the first that succeeds wins and the others are closed. Resolving cannot be interrupted, so it
//! gets a thread, which is left behind when the time is over. [`Dialler`] does so for one server, and goes on with
//! TLS.

mod dialler;
mod race;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use self::race::{Move, Race, interleaved};
#[cfg(unix)]
use crate::core::address::UnixName;
use crate::core::address::{Address, Endpoint, PeerAddr};
use crate::core::options::info::{On, When};
use crate::core::options::{Granted, Settings, Unopened};
use crate::core::resolve::{self, Family, resolve};
use crate::core::secure::tls::Agreement;
use crate::core::socket::{Buffers, set_stream_options, tcp_kind};
use crate::core::transport::Transport;
use crate::error::{Error, IoReason, Kind, Result};

pub use self::dialler::{Dialler, Person};

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// IP versions.
    pub family: Family,
    /// For resolving and all attempts together.
    pub timeout: Duration,
    /// The socket's buffers.
    pub buffers: Buffers,
    /// Socket options, which go above all of the profile.
    pub settings: Settings,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            family: Family::Any,
            timeout: Duration::from_secs(10),
            buffers: Buffers::default(),
            settings: Settings::default(),
        }
    }
}

/// A step on the way, for whoever wants to watch (`-v`).
#[derive(Debug)]
pub enum Step {
    /// The name was resolved.
    Resolved {
        /// To these, in the order in which they are tried.
        addresses: Vec<SocketAddr>,
        /// How long it took.
        took: Duration,
    },
    /// One attempt has ended.
    Attempt {
        /// To where.
        peer: PeerAddr,
        /// How.
        outcome: std::io::Result<()>,
        /// How long it took.
        took: Duration,
    },
    /// What became of an option that was asked for.
    Granted(Granted),
    /// Both ends have agreed on TLS.
    Secured {
        /// How.
        agreement: Agreement,
        /// How long it took.
        took: Duration,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Resolved { addresses, took } => {
                let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                write!(f, "resolved to {} in {took:.1?}", list.join(", "))
            }
            Step::Attempt {
                peer,
                outcome: Ok(()),
                took,
            } => write!(f, "connected to {peer} in {took:.1?}"),
            Step::Attempt {
                peer,
                outcome: Err(error),
                took,
            } => write!(
                f,
                "cannot connect to {peer}: {} after {took:.1?}",
                IoReason(error)
            ),
            Step::Granted(granted) => granted.fmt(f),
            Step::Secured { agreement, took } => {
                write!(f, "agreed in {took:.1?} on {agreement}")
            }
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Dialled {
    /// The stream, non-blocking, with the client's profile.
    pub transport: Transport,
    /// The other end.
    pub peer: PeerAddr,
}

/// Connects. Blocks, at most for the timeout. Of attempts that were still running when another one
/// succeeded nothing is reported to `watch`.
///
/// # Errors
///
/// [`Kind::Unreachable`]: `cannot connect to host:port: connection refused`, with the cause that all
/// attempts share, else that of the first address; or what [`resolve`] says. [`Kind::TimedOut`]:
/// `cannot connect to host:port: timed out after 10s`. Of either kind, or [`Kind::Usage`]: what [`Settings`] says.
pub fn dial(
    address: &Address,
    options: &DialOptions,
    watch: &mut dyn FnMut(Step),
) -> Result<Dialled> {
    let clock = Clock {
        started: Instant::now(),
        timeout: options.timeout,
    };
    let dialled = match address.endpoint() {
        Endpoint::Inet { .. } => {
            let found = resolve_in_time(address, options, &clock)?;
            let order = interleaved(&found);
            let kinds: Vec<On> = order.iter().copied().map(tcp_kind).collect();
            options.settings.check(&kinds)?;
            watch(Step::Resolved {
                addresses: order.clone(),
                took: clock.now(),
            });
            connect_any(address, &order, options, &clock, watch)
        }
        #[cfg(unix)]
        Endpoint::Unix(name) => {
            options.settings.check(&[On::UNIX_STREAM])?;
            connect_unix(address, name, options, &clock, watch)
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(Error::new(
            Kind::Usage,
            format!("cannot connect to {address}: Unix sockets are not available on this system"),
        )),
    }?;
    for granted in options.settings.granted(&dialled.transport.socket()) {
        watch(Step::Granted(granted));
    }
    Ok(dialled)
}

/// The time since the dial began, and how much it has.
struct Clock {
    started: Instant,
    timeout: Duration,
}

impl Clock {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.now())
    }

    fn is_over(&self, address: &Address) -> Error {
        let timeout = humantime::format_duration(self.timeout);
        Error::new(Kind::TimedOut, format!("cannot connect to {address:#}"))
            .because(format!("timed out after {timeout}"))
    }
}

fn resolve_in_time(
    address: &Address,
    options: &DialOptions,
    clock: &Clock,
) -> Result<Vec<SocketAddr>> {
    if !resolve::is_slow(address) {
        return resolve(address, options.family);
    }
    let (answer, answered) = mpsc::sync_channel(1);
    let (question, family) = (address.clone(), options.family);
    std::thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = answer.send(resolve(&question, family));
        })
        .map_err(|error| Error::new(Kind::Other, "cannot start a thread").because(error))?;
    match answered.recv_timeout(clock.left()) {
        Ok(result) => result,
        Err(_) => Err(clock
            .is_over(address)
            .hint("the name was not resolved in that time")),
    }
}

/// An attempt under way.
struct Attempt {
    stream: mio::net::TcpStream,
    began: Duration,
}

fn connect_any(
    address: &Address,
    order: &[SocketAddr],
    options: &DialOptions,
    clock: &Clock,
    watch: &mut dyn FnMut(Step),
) -> Result<Dialled> {
    let cannot_wait = |error: io::Error| {
        Error::new(Kind::Other, "cannot set up waiting for sockets").because(error)
    };
    let mut poll = Poll::new().map_err(cannot_wait)?;
    let mut events = Events::with_capacity(order.len().max(1));
    let mut running: Vec<Option<Attempt>> = order.iter().map(|_| None).collect();
    let mut causes: Vec<Option<io::Error>> = order.iter().map(|_| None).collect();
    let mut race = Race::new(order.len(), clock.now(), options.timeout);
    let mut ended = |number: usize, began: Duration, outcome: io::Result<()>| {
        watch(Step::Attempt {
            peer: PeerAddr::from_socket_addr(order[number]),
            outcome,
            took: clock.now().saturating_sub(began),
        });
    };
    loop {
        match race.next(clock.now()) {
            Move::Start(number) => {
                let began = clock.now();
                match start(order[number], options, number, &poll) {
                    Ok(stream) => running[number] = Some(Attempt { stream, began }),
                    // It would fail on the next address as well.
                    Err(Unopened::Setting(error)) => return Err(error),
                    Err(Unopened::Io(error)) => {
                        ended(number, began, Err(copy(&error)));
                        causes[number] = Some(error);
                        race.failed(clock.now());
                    }
                }
                continue;
            }
            Move::Wait(until) => {
                let wait = until.saturating_sub(clock.now());
                match poll.poll(&mut events, Some(wait)) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => result.map_err(cannot_wait)?,
                }
            }
            Move::Lost => return Err(lost(address, causes)),
            Move::TimedOut => {
                for (number, attempt) in running.iter().enumerate() {
                    if let Some(attempt) = attempt {
                        let silence = io::Error::from(io::ErrorKind::TimedOut);
                        ended(number, attempt.began, Err(silence));
                    }
                }
                return Err(clock.is_over(address));
            }
        }
        for event in &events {
            let number = event.token().0;
            let Some(attempt) = running.get_mut(number).and_then(Option::as_mut) else {
                continue;
            };
            let began = attempt.began;
            match outcome(&attempt.stream) {
                None => {}
                Some(Ok(())) => {
                    let Some(mut won) = running[number].take() else {
                        continue;
                    };
                    // It will be watched by another poll.
                    poll.registry()
                        .deregister(&mut won.stream)
                        .map_err(cannot_wait)?;
                    ended(number, began, Ok(()));
                    options.settings.apply(
                        &SockRef::from(&won.stream),
                        tcp_kind(order[number]),
                        When::Connected,
                    )?;
                    return Ok(Dialled {
                        transport: Transport::Tcp(won.stream),
                        peer: PeerAddr::from_socket_addr(order[number]),
                    });
                }
                Some(Err(error)) => {
                    running[number] = None;
                    ended(number, began, Err(copy(&error)));
                    causes[number] = Some(error);
                    race.failed(clock.now());
                }
            }
        }
    }
}

/// Begins to connect, with the client's profile: buffers first, since they decide the window scale that
/// the SYN carries (tcp(7)).
fn start(
    to: SocketAddr,
    options: &DialOptions,
    number: usize,
    poll: &Poll,
) -> Result<mio::net::TcpStream, Unopened> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    options.buffers.set(&socket)?;
    set_stream_options(&SockRef::from(&socket));
    options
        .settings
        .apply(&socket, tcp_kind(to), When::Before)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let mut stream = mio::net::TcpStream::from_std(TcpStream::from(socket));
    poll.registry()
        .register(&mut stream, Token(number), Interest::WRITABLE)?;
    Ok(stream)
}

/// EINPROGRESS, or on Windows WSAEWOULDBLOCK.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let under_way = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let under_way = false;
    under_way || error.kind() == io::ErrorKind::WouldBlock
}

/// How an attempt ended; `None`: it has not, the readiness was a false alarm.
fn outcome(stream: &mio::net::TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
    }
    let peer = match stream.peer_addr() {
        Ok(peer) => peer,
        Err(error) if error.kind() == io::ErrorKind::NotConnected || is_under_way(&error) => {
            return None;
        }
        Err(error) => return Some(Err(error)),
    };
    if stream.local_addr().is_ok_and(|local| local == peer) {
        // The system gave us the very port that we dial, nobody listens there, and TCP's simultaneous
        // open (RFC 9293 section 3.5) joined the socket with itself. Without lingering it would also
        // keep a server from that port for a minute.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return Some(Err(io::ErrorKind::ConnectionRefused.into()));
    }
    Some(Ok(()))
}

/// An error twice: for who watches, and for the end.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

/// The most telling of the causes: the first address is the preferred one, and if all share one cause it
/// is its too.
fn lost(address: &Address, causes: Vec<Option<io::Error>>) -> Error {
    match causes.into_iter().flatten().next() {
        Some(cause) => failure(address, cause),
        None => Error::new(Kind::Unreachable, format!("cannot connect to {address:#}")),
    }
}

fn failure(address: &Address, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::TimedOut => Kind::TimedOut,
        _ => Kind::Unreachable,
    };
    let hint = match cause.kind() {
        io::ErrorKind::ConnectionRefused => Some("is the server running there?"),
        io::ErrorKind::NotFound if address.is_unix() => {
            Some("is the server running? it makes this file when it starts")
        }
        io::ErrorKind::PermissionDenied if address.is_unix() => {
            Some("the socket's file is there, but this user may not write to it")
        }
        io::ErrorKind::NetworkUnreachable => Some("is this machine connected to a network?"),
        _ => None,
    };
    let error = Error::new(kind, format!("cannot connect to {address:#}")).because(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A Unix socket is connected at once, or waits for room in the backlog, for which there is no readiness
/// to wait for: so it is done in blocking mode, which SO_SNDTIMEO bounds (socket(7)).
#[cfg(unix)]
fn connect_unix(
    address: &Address,
    name: &UnixName,
    options: &DialOptions,
    clock: &Clock,
    watch: &mut dyn FnMut(Step),
) -> Result<Dialled> {
    let peer = PeerAddr::Unix(Some(name.to_string()));
    let connect = || -> Result<Socket, Unopened> {
        let at = match name {
            UnixName::Path(path) => socket2::SockAddr::unix(path)?,
            UnixName::Abstract(name) => socket2::SockAddr::unix(format!("\0{name}"))?,
        };
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        options.buffers.set(&socket)?;
        options
            .settings
            .apply(&socket, On::UNIX_STREAM, When::Before)?;
        let patience = socket.write_timeout()?;
        // 0 would be no limit.
        socket.set_write_timeout(Some(clock.left().max(Duration::from_millis(1))))?;
        loop {
            match socket.connect(&at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        }
        // What was asked for with SO_SNDTIMEO, or none.
        socket.set_write_timeout(patience)?;
        options
            .settings
            .apply(&socket, On::UNIX_STREAM, When::Connected)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let result = match connect() {
        Ok(socket) => Ok(socket),
        Err(Unopened::Io(error)) => Err(error),
        Err(Unopened::Setting(error)) => return Err(error),
    };
    watch(Step::Attempt {
        peer: peer.clone(),
        outcome: result.as_ref().map(drop).map_err(copy),
        took: clock.now(),
    });
    match result {
        Ok(socket) => Ok(Dialled {
            transport: Transport::from_unix(socket.into()),
            peer,
        }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(clock
            .is_over(address)
            .hint("the server is there, but does not accept")),
        Err(error) => Err(failure(address, error)),
    }
}

#[cfg(test)]
mod tests;
