//! Who knocks at a listening port. Nobody costs anything before they have said hello, and those who do not say it keep
//! nobody out.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::core::address::{PeerAddr, network};
use crate::core::blocking::Stream;
use crate::core::event_loop::ListenerSocket;
use crate::core::socket::{Listening, stream_options};
use crate::error::{Error, Kind, Result};
use crate::transfer::frame::{Encoder, HEADER_LEN, PREFACE};
use crate::transfer::pipeline::channel::{Channel, Line};
use crate::transfer::pipeline::guard::{Guard, Stranger};
use crate::transfer::session::{Ending, Pace, Session};
use crate::transfer::wire::{AbortReason, Message, Role};

/// Connections without a place: that have not said hello yet, or are told that there is none. Beyond that the oldest
/// goes of the network that most are from: an honest peer says hello within a round trip.
const MAX_GUESTS: usize = 256;

/// No hello is longer: three numbers and 255 capabilities of a byte or two would be less.
const MAX_HELLO: usize = 4 * 1024;

/// How long accepting rests when there is no descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(200);

/// How long one that is turned away may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A session whose peer has said nothing for so long has lost it: a healthy one says every five seconds at least that
/// it is alive. It makes room for whoever knocks, which is its own peer come back, as likely as not.
const LOST: Duration = Duration::from_secs(12);

/// A session as the hall sees it.
#[derive(Debug)]
struct Occupant {
    line: Line,
    /// When it was last heard of, in milliseconds since the hall was opened.
    heard: AtomicU64,
}

/// Somebody without a place.
#[derive(Debug)]
struct Guest {
    stream: Arc<Stream>,
    /// `None`: this machine.
    network: Option<IpAddr>,
    has_to_go: Mutex<bool>,
    told: Condvar,
}

impl Guest {
    fn has_to_go(&self) -> MutexGuard<'_, bool> {
        self.has_to_go
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn turn_out(&self) {
        *self.has_to_go() = true;
        self.told.notify_all();
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits for so long. `false`: it has to go before.
    fn wait(&self, time: Duration) -> bool {
        let waited = self
            .told
            .wait_timeout_while(self.has_to_go(), time, |has_to_go| !*has_to_go);
        let (has_to_go, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*has_to_go
    }
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first.
    guests: VecDeque<Arc<Guest>>,
    occupants: Vec<Arc<Occupant>>,
}

/// What holds at the door.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What this end is.
    pub role: Role,
    /// How long a hello may take.
    pub handshake: Duration,
    /// Sessions at once.
    pub seats: usize,
    /// Whether anybody reads [`Visit::Note`].
    pub notes: bool,
}

struct Shared {
    opened: Instant,
    rules: Rules,
    guard: Arc<Guard>,
    state: Mutex<State>,
}

/// A place that a session takes, until it is dropped.
pub struct Seat {
    shared: Arc<Shared>,
    occupant: Arc<Occupant>,
}

impl Seat {
    /// The peer was heard.
    pub fn heard(&self) {
        let now = self.shared.opened.elapsed().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.occupant.heard.store(now, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state
            .occupants
            .retain(|occupant| !Arc::ptr_eq(occupant, &self.occupant));
    }
}

/// What happens at the door.
pub enum Visit {
    /// Somebody said hello and was given a place.
    Admitted(Channel, Seat),
    /// Something that a person may want to know.
    Note(String),
    /// Something that a person has to know.
    Warning(String),
    /// What became of an attempt to connect.
    Dialled(Result<Channel>),
    /// So many wrong codes were tried that nobody may try another one.
    LockedOut,
    /// The process is to end.
    Signal,
    /// The session of this number is over.
    Ended(u32),
}

/// Opens the doors. `say` is called from threads that are never waited for: they end with the process, because
/// accept(2) has no other end.
pub fn open(
    listeners: Vec<Listening>,
    rules: Rules,
    guard: &Arc<Guard>,
    visits: &mpsc::Sender<Visit>,
) -> Result<()> {
    let shared = Arc::new(Shared {
        opened: Instant::now(),
        rules,
        guard: Arc::clone(guard),
        state: Mutex::default(),
    });
    for listening in listeners {
        let (shared, visits) = (Arc::clone(&shared), visits.clone());
        thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || {
                // The file of a Unix socket stays with whoever listens, and goes with the process.
                let _file = listening.file;
                accept_all(&listening.socket, &shared, &visits);
            })
            .map_err(|error| Error::new(Kind::Other, "cannot start a thread").because(error))?;
    }
    Ok(())
}

fn accept_all(listener: &ListenerSocket, shared: &Arc<Shared>, visits: &mpsc::Sender<Visit>) {
    loop {
        match accept(listener) {
            Ok((stream, peer)) => {
                let guest = shared.enter(stream, &peer);
                let (theirs, visits) = (Arc::clone(shared), visits.clone());
                let here = Arc::clone(&guest);
                let greeting = thread::Builder::new()
                    .name("hello".to_owned())
                    .spawn(move || {
                        theirs.greet(&here, peer, &visits);
                        theirs.leave(&here);
                    });
                if greeting.is_err() {
                    shared.leave(&guest);
                    thread::sleep(PAUSE);
                }
            }
            // The connection went again before it was accepted, or the system lacks something it may have again:
            // accept(2) lists many, and none of them is a reason to stop listening.
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    thread::sleep(PAUSE);
                }
            }
        }
    }
}

fn accept(listener: &ListenerSocket) -> io::Result<(Stream, PeerAddr)> {
    match listener {
        ListenerSocket::Tcp(listener) => accept_tcp(listener),
        #[cfg(unix)]
        ListenerSocket::Unix(listener) => accept_unix(listener),
    }
}

fn accept_tcp(listener: &TcpListener) -> io::Result<(Stream, PeerAddr)> {
    listener.set_nonblocking(false)?;
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(false)?;
    stream_options(&stream);
    Ok((Stream::Tcp(stream), PeerAddr::from_socket_addr(peer)))
}

#[cfg(unix)]
fn accept_unix(listener: &UnixListener) -> io::Result<(Stream, PeerAddr)> {
    listener.set_nonblocking(false)?;
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(false)?;
    Ok((Stream::Unix(stream), PeerAddr::from_unix(&peer)))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody came. Another makes room if there are too many.
    fn enter(&self, stream: Stream, peer: &PeerAddr) -> Arc<Guest> {
        let guest = Arc::new(Guest {
            stream: Arc::new(stream),
            network: peer.ip().map(network),
            has_to_go: Mutex::new(false),
            told: Condvar::new(),
        });
        let mut state = self.state();
        if state.guests.len() >= MAX_GUESTS {
            let networks = state.guests.iter().map(|guest| guest.network);
            let goes = who_goes(networks).and_then(|at| state.guests.remove(at));
            goes.iter().for_each(|guest| guest.turn_out());
        }
        state.guests.push_back(Arc::clone(&guest));
        guest
    }

    /// `false`: it had to make room already.
    fn leave(&self, guest: &Arc<Guest>) -> bool {
        let mut state = self.state();
        let before = state.guests.len();
        state.guests.retain(|other| !Arc::ptr_eq(other, guest));
        state.guests.len() < before
    }

    fn note(&self, visits: &mpsc::Sender<Visit>, text: String) {
        if self.rules.notes {
            let _ = visits.send(Visit::Note(text));
        }
    }

    /// Waits for the hello, within one deadline however it trickles in.
    fn greet(self: &Arc<Self>, guest: &Arc<Guest>, peer: PeerAddr, visits: &mpsc::Sender<Visit>) {
        let (stream, handshake) = (&guest.stream, self.rules.handshake);
        let until = Instant::now() + handshake;
        let arrival = self
            .guard
            .accept(stream, &peer, handshake, &|time| guest.wait(time))
            .and_then(|mut channel| {
                let hello = read_hello(stream, &mut channel.reader, until)
                    .map_err(|why| Stranger::Note(format!("said no hello: {why}")))?;
                Ok((channel, hello))
            });
        let (mut channel, hello) = match arrival {
            // It counts whoever had to make room.
            Err(Stranger::WrongCode { is_last }) => {
                let _ = visits.send(Visit::Warning(format!("{peer} tried a wrong code")));
                if is_last {
                    let _ = visits.send(Visit::LockedOut);
                }
                return;
            }
            _ if *guest.has_to_go() => return,
            Err(Stranger::Note(why)) => return self.note(visits, format!("{peer} {why}")),
            Ok(arrival) => arrival,
        };
        if stream.set_read_timeout(None).is_err() {
            return;
        }
        match self.sit_down(stream) {
            Some(seat) if self.leave(guest) => {
                let _ = visits.send(Visit::Admitted(channel.preceded_by(hello), seat));
            }
            Some(_) => {}
            None => {
                self.note(visits, format!("{peer} was turned away: busy"));
                turn_away(stream, &mut channel, self.rules.role);
            }
        }
    }

    fn sit_down(self: &Arc<Self>, stream: &Arc<Stream>) -> Option<Seat> {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state();
        if state.occupants.len() >= self.rules.seats {
            let lost = LOST.as_millis() as u64;
            let silent = state.occupants.iter().position(|occupant| {
                now.saturating_sub(occupant.heard.load(Ordering::Relaxed)) >= lost
            })?;
            // Its session notices, and lets its files go, before the newcomer gets that far.
            state.occupants.remove(silent).line.hang_up();
        }
        let occupant = Arc::new(Occupant {
            line: Line::new(Arc::clone(stream)),
            heard: AtomicU64::new(now),
        });
        state.occupants.push(Arc::clone(&occupant));
        Some(Seat {
            shared: Arc::clone(self),
            occupant,
        })
    }
}

/// Who makes room: the oldest of the network that most are from, so that whoever comes often pushes out its own.
fn who_goes(networks: impl Iterator<Item = Option<IpAddr>> + Clone) -> Option<usize> {
    let mut counts: HashMap<_, usize> = HashMap::new();
    for network in networks.clone() {
        *counts.entry(network).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    networks
        .into_iter()
        .position(|network| counts.get(&network) == Some(&most))
}

/// The preface and the first frame, as far as has to be seen to know that this is a peer. The decoder looks at them
/// properly.
fn read_hello(stream: &Stream, source: &mut dyn Read, until: Instant) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; PREFACE.len() + HEADER_LEN];
    read_until(stream, source, &mut bytes[..1], until)?;
    // Other protocols are not waited for.
    if bytes[0] != PREFACE[0] {
        return Err("it speaks another protocol".to_owned());
    }
    read_until(stream, source, &mut bytes[1..], until)?;
    let len = bytes[PREFACE.len()..]
        .first_chunk()
        .map_or(0, |len| u32::from_le_bytes(*len)) as usize;
    if !bytes.starts_with(&PREFACE) || len > MAX_HELLO {
        return Err("it speaks another protocol".to_owned());
    }
    let start = bytes.len();
    bytes.resize(start + len, 0);
    read_until(stream, source, &mut bytes[start..], until)?;
    Ok(bytes)
}

fn read_until(
    stream: &Stream,
    source: &mut dyn Read,
    mut buffer: &mut [u8],
    until: Instant,
) -> Result<(), String> {
    while !buffer.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        // 0 would be no limit.
        let wait = left.max(Duration::from_millis(1));
        if left.is_zero() || stream.set_read_timeout(Some(wait)).is_err() {
            return Err("the time for it is over".to_owned());
        }
        match source.read(buffer) {
            Ok(0) => return Err("it hung up".to_owned()),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut => {}
                _ => return Err(crate::error::IoReason(&error).to_string()),
            },
        }
    }
    Ok(())
}

/// Says hello and that there is no place.
fn turn_away(stream: &Stream, channel: &mut Channel, role: Role) {
    let mut session = Session::new(Duration::ZERO, role, Pace::default(), 0);
    let reason = AbortReason::Busy;
    session.farewell(reason, Ending::Aborted(reason));
    let mut encoder = Encoder::new(channel.protection);
    let mut bytes = PREFACE.to_vec();
    while let Some(message) = session.urgent() {
        bytes.extend(sealed(&mut encoder, &message));
    }
    let sink = &mut channel.writer;
    if sink.write_all(&bytes).is_err() || sink.finish().is_err() {
        return;
    }
    // Closing with something unread would reset the connection, and the peer might not see why.
    let until = Instant::now() + LAST_WORDS;
    let mut rest = vec![0; 64 * 1024];
    while Instant::now() < until
        && stream.set_read_timeout(Some(LAST_WORDS)).is_ok()
        && channel.reader.read(&mut rest).is_ok_and(|count| count > 0)
    {}
}

fn sealed(encoder: &mut Encoder, message: &Message) -> Vec<u8> {
    let body = message.encode();
    let mut frame = encoder.seal(message.kind(), &body, 0, 0).to_vec();
    frame.extend(body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_often_pushes_out_its_own() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let (quiet, loud) = (ip("192.0.2.1"), ip("192.0.2.9"));
        let who = |networks: &[Option<IpAddr>]| who_goes(networks.iter().copied());
        assert_eq!(who(&[quiet, None, loud, loud]), Some(2));
        assert_eq!(who(&[quiet, None, loud]), Some(0), "the oldest of equals");
        assert_eq!(who(&[]), None);
    }
}
