//! The clients: many connections, one thread, one epoll.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpStream, UnixStream};
use mio::{Events, Poll, Token};
use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::check::{Checker, Late, PROBE};
use crate::stream::{Stream, Tls};

/// Room for what one receiver has waiting. More than a socket holds makes fewer calls only.
const READ_BUFFER: usize = 256 * 1024;

/// Events taken per call.
const EVENTS: usize = 2048;

/// A receive buffer that is soon full, for the member that stops reading: what the kernel holds for it is
/// not the server's memory.
const SMALL_BUFFER: usize = 16 * 1024;

/// How often the probe is sent until all have seen it.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Where the server is.
#[derive(Debug, Clone)]
pub enum Place {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Lines. A client is in the room when it gets its first notice.
    Plain,
    /// Lines, and the server says nothing of its own. A client is in the room when it is connected.
    Mute,
    /// IRC. A client is in the room when it has been told who is there (366).
    Irc,
}

/// How clients connect.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// To where.
    pub place: Place,
    /// And how they speak.
    pub protocol: Protocol,
    /// With TLS around it, over TCP.
    pub tls: Option<Arc<ClientConfig>>,
    /// So many may be waiting for the connection.
    pub connecting: usize,
    /// So many may be on the way into the room. Keeps a short backlog from overflowing.
    pub entering: usize,
    /// This one gets a small receive buffer.
    pub small: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Entering,
    In,
    Gone,
}

struct Client {
    stream: Stream,
    stage: Stage,
    /// The beginning of a line whose end has not come.
    torn: Vec<u8>,
    out: Vec<u8>,
    /// Notices, and those of them that tell of lines left out.
    notices: u64,
    skips: u64,
}

/// All clients.
pub struct Crowd {
    entrance: Entrance,
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// Checks what they get.
    pub checker: Checker,
    /// How many are connected but not in the room, and not even connected.
    connecting: usize,
    entering: usize,
    /// The one that does not read.
    stalled: Option<usize>,
    /// Closed connections are counted and not a failure.
    pub forgiving: bool,
    /// How many are gone.
    pub gone: usize,
    /// How long nothing may happen before that is a failure.
    pub patience: Duration,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(entrance: Entrance, checker: Checker, patience: Duration) -> Result<Self, String> {
        Ok(Self {
            entrance,
            poll: Poll::new().map_err(|e| format!("cannot make an epoll: {e}"))?,
            events: Events::with_capacity(EVENTS),
            clients: Vec::new(),
            buffer: vec![0; READ_BUFFER],
            checker,
            connecting: 0,
            entering: 0,
            stalled: None,
            forgiving: false,
            gone: 0,
            patience,
        })
    }

    /// Brings `count` clients into the room and says how long that took.
    pub fn enter(&mut self, count: usize) -> Result<Duration, String> {
        let start = Instant::now();
        let mut progress = (start, 0);
        self.clients.reserve(count);
        loop {
            while self.clients.len() < count
                && self.connecting < self.entrance.connecting
                && self.connecting + self.entering < self.entrance.entering
            {
                if !self.connect()? {
                    break;
                }
            }
            let in_room = self.clients.len() - self.connecting - self.entering - self.gone;
            if self.clients.len() == count && in_room + self.gone == count {
                return Ok(start.elapsed());
            }
            self.turn(Some(Duration::from_millis(1)))?;
            if in_room > progress.1 {
                progress = (Instant::now(), in_room);
            } else if progress.0.elapsed() > self.patience {
                return Err(format!(
                    "{in_room} of {count} clients are in the room and no more get in ({} wait for a connection, {} for a word of welcome, {} are gone)",
                    self.connecting, self.entering, self.gone
                ));
            }
        }
    }

    /// Whether that was possible: a Unix socket says at once that its backlog is full.
    fn connect(&mut self) -> Result<bool, String> {
        let number = self.clients.len();
        let failed = |e: io::Error| format!("client {number} cannot connect: {e}");
        let mut stream = match &self.entrance.place {
            Place::Tcp(addr) => {
                let socket =
                    Socket::new(Domain::for_address(*addr), Type::STREAM, None).map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                socket.set_tcp_nodelay(true).map_err(failed)?;
                if self.entrance.small == Some(number) {
                    socket.set_recv_buffer_size(SMALL_BUFFER).map_err(failed)?;
                }
                match socket.connect(&(*addr).into()) {
                    Err(e) if e.raw_os_error() != Some(EINPROGRESS) => return Err(failed(e)),
                    _ => {}
                }
                let socket = TcpStream::from_std(socket.into());
                match &self.entrance.tls {
                    None => Stream::Tcp(socket),
                    Some(config) => {
                        Stream::Tls(Box::new(Tls::new(socket, config).map_err(failed)?))
                    }
                }
            }
            Place::Unix(path) => match UnixStream::connect(path) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                stream => Stream::Unix(stream.map_err(failed)?),
            },
        };
        stream
            .register(self.poll.registry(), Token(number))
            .map_err(failed)?;
        self.clients.push(Client {
            stream,
            stage: Stage::Connecting,
            torn: Vec::new(),
            out: Vec::new(),
            notices: 0,
            skips: 0,
        });
        self.connecting += 1;
        Ok(true)
    }

    /// Makes sure that each hears the first one, and so that each is really in the room.
    pub fn gather(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let mut last: Option<Instant> = None;
        while self.checker.present.iter().skip(1).any(|seen| !seen) {
            if last.is_none_or(|last| last.elapsed() > PROBE_INTERVAL) {
                last = Some(Instant::now());
                self.say(0, &[PROBE]);
                self.flush(0)?;
            }
            self.turn(Some(Duration::from_millis(5)))?;
            if start.elapsed() > self.patience {
                let deaf = self.checker.present.iter().skip(1).filter(|seen| !**seen);
                return Err(format!(
                    "{} clients do not hear the first one",
                    deaf.count()
                ));
            }
        }
        Ok(())
    }

    /// Waits for input and takes it in. `None`: until there is some.
    pub fn turn(&mut self, timeout: Option<Duration>) -> Result<(), String> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let polled = self.poll.poll(&mut events, timeout);
        let taken = match polled {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(format!("cannot wait: {e}")),
            _ => events.iter().try_for_each(|event| {
                let client = event.token().0;
                if event.is_writable() {
                    self.writable(client)?;
                }
                if event.is_readable() && self.stalled != Some(client) {
                    self.read(client, event.is_read_closed())?;
                }
                Ok(())
            }),
        };
        self.events = events;
        taken
    }

    fn writable(&mut self, number: usize) -> Result<(), String> {
        let client = &mut self.clients[number];
        if client.stage != Stage::Connecting {
            return self.flush(number);
        }
        match client.stream.error() {
            Ok(None) => {}
            Ok(Some(e)) | Err(e) => return self.lose(number, &e.to_string()),
        }
        self.connecting -= 1;
        if self.entrance.protocol == Protocol::Mute {
            client.stage = Stage::In;
            return Ok(());
        }
        client.stage = Stage::Entering;
        self.entering += 1;
        if self.entrance.protocol == Protocol::Irc {
            let hello = format!("NICK c{number}\r\nUSER c{number} 0 * :load\r\n");
            client.out.extend_from_slice(hello.as_bytes());
        }
        self.flush(number)
    }

    /// Edge-triggered: reads until less came than there was room for, or until the end where there is one.
    fn read(&mut self, number: usize, to_the_end: bool) -> Result<(), String> {
        loop {
            let Self {
                clients,
                buffer,
                checker,
                entrance,
                ..
            } = self;
            let client = &mut clients[number];
            if client.stage == Stage::Gone {
                return Ok(());
            }
            let kept = client.torn.len();
            if kept > buffer.len() / 2 {
                return Err(format!("receiver {number}: a line without end"));
            }
            buffer[..kept].copy_from_slice(&client.torn);
            let (filled, more) = match client.stream.read(&mut buffer[kept..]) {
                Ok((0, _)) => return self.lose(number, "the server closed the connection"),
                Ok((count, more)) => (kept + count, more),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return self.lose(number, &e.to_string()),
            };
            let before = client.stage;
            let Client {
                stage,
                out,
                notices,
                skips,
                ..
            } = client;
            let protocol = entrance.protocol;
            let used = checker.feed(number, &buffer[..filled], Instant::now(), |line| {
                *notices += 1;
                *skips += u64::from(tells_of_skipping(line));
                heard(protocol, line, stage, out).map_err(str::to_string)
            })?;
            client.torn.clear();
            client.torn.extend_from_slice(&buffer[used..filled]);
            if before == Stage::Entering && client.stage == Stage::In {
                self.entering -= 1;
            }
            if !client.out.is_empty() {
                self.flush(number)?;
            }
            if !more && !to_the_end {
                return Ok(());
            }
        }
    }

    fn lose(&mut self, number: usize, why: &str) -> Result<(), String> {
        let client = &mut self.clients[number];
        match client.stage {
            Stage::Connecting => self.connecting -= 1,
            Stage::Entering => self.entering -= 1,
            Stage::In => {}
            Stage::Gone => return Ok(()),
        }
        client.stage = Stage::Gone;
        self.gone += 1;
        if self.forgiving {
            return Ok(());
        }
        Err(format!("client {number}: {why}"))
    }

    fn say(&mut self, number: usize, parts: &[&[u8]]) {
        let out = &mut self.clients[number].out;
        let irc = self.entrance.protocol == Protocol::Irc;
        if irc {
            out.extend_from_slice(b"PRIVMSG #load :");
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(if irc { b"\r\n" } else { b"\n" });
    }

    fn flush(&mut self, number: usize) -> Result<(), String> {
        let client = &mut self.clients[number];
        // As below: what the server said is read first.
        let _ = client.stream.flush();
        while !client.out.is_empty() {
            match client.stream.write(&client.out) {
                Ok(count) => {
                    client.out.drain(..count);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // What the server said before it hung up is read first.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Lets `sender` send as many lines as it may, but at most `most`, in one write.
    pub fn send(&mut self, sender: usize, most: usize, now: Instant) -> Result<usize, String> {
        let lines = self.checker.room(sender).min(most);
        for _ in 0..lines {
            let text = *self.checker.send(sender, now);
            self.say(sender, &[&text]);
        }
        self.flush(sender)?;
        Ok(lines)
    }

    /// Waits until all lines are with all, and then makes sure that no more come.
    pub fn settle(&mut self, quiet: Duration) -> Result<(), String> {
        let mut progress = (Instant::now(), self.checker.deliveries);
        while !self.checker.settled() {
            self.turn(Some(Duration::from_millis(100)))?;
            if self.checker.deliveries > progress.1 {
                progress = (Instant::now(), self.checker.deliveries);
            } else if progress.0.elapsed() > self.patience {
                return Err(format!(
                    "lines are lost or stuck: {}",
                    self.checker.what_is_missing()
                ));
            }
        }
        // A line too many is an error by itself.
        self.listen_for(quiet)?;
        self.checker.finish()
    }

    /// Takes in what comes for so long.
    pub fn listen_for(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(Some(left))?;
        }
    }

    /// From now on `number` does not read. Only while all is settled.
    pub fn stall(&mut self, number: usize) {
        self.stalled = Some(number);
        self.checker.excuse_one();
    }

    /// The stalled one reads what there is for it until nothing comes for `quiet`, or to the end. Says what
    /// it got, how many notices of skipped lines, and whether it was put out.
    pub fn resume(&mut self, quiet: Duration) -> Result<(Late, u64, bool), String> {
        let Some(number) = self.stalled else {
            return Err("nobody is stalled".to_string());
        };
        let mut late = Late::default();
        let mut last = Instant::now();
        loop {
            let Self {
                clients,
                buffer,
                checker,
                ..
            } = self;
            let client = &mut clients[number];
            let kept = client.torn.len();
            buffer[..kept].copy_from_slice(&client.torn);
            match client.stream.read(&mut buffer[kept..]) {
                Ok((0, _)) => return Ok((late, client.skips, true)),
                Ok((count, _)) => {
                    last = Instant::now();
                    let skips = &mut client.skips;
                    let bytes = &buffer[..kept + count];
                    let used = checker.feed_late(number, bytes, &mut late, |line| {
                        *skips += u64::from(tells_of_skipping(line));
                        Ok(())
                    })?;
                    client.torn.clear();
                    client.torn.extend_from_slice(&bytes[used..]);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let skips = client.skips;
                    if last.elapsed() > quiet {
                        return Ok((late, skips, false));
                    }
                    self.turn(Some(Duration::from_millis(5)))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok((late, client.skips, true)),
            }
        }
    }

    /// All notices that all clients got.
    pub fn notices(&self) -> u64 {
        self.clients.iter().map(|client| client.notices).sum()
    }
}

/// connect(2) on a socket that does not wait.
const EINPROGRESS: i32 = 115;

/// `* 132 lines skipped`.
fn tells_of_skipping(line: &[u8]) -> bool {
    line.starts_with(b"* ") && line.ends_with(b" skipped")
}

/// Takes in a line that is not a sender's, and answers it if need be.
fn heard(
    protocol: Protocol,
    line: &[u8],
    stage: &mut Stage,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    if protocol != Protocol::Irc {
        // What the server says; anything else is a torn line.
        if !line.starts_with(b"* ") && !line.starts_with(b"<announce> ") {
            return Err("neither a sender's line nor the server's");
        }
        if *stage == Stage::Entering {
            *stage = Stage::In;
        }
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix(b"PING") {
        out.extend_from_slice(b"PONG");
        out.extend_from_slice(rest);
        out.extend_from_slice(b"\r\n");
        return Ok(());
    }
    let mut words = line.split(|&byte| byte == b' ');
    let (prefix, command) = (words.next().unwrap_or(b""), words.next().unwrap_or(b""));
    match command {
        b"001" => out.extend_from_slice(b"JOIN #load\r\n"),
        b"366" if *stage == Stage::Entering => *stage = Stage::In,
        b"PRIVMSG" => return Err("a damaged line"),
        // Nick in use, channel full, flooding and the like.
        [b'4' | b'5', ..] if command != b"422" => return Err("an error of the server"),
        _ if prefix == b"ERROR" => return Err("the server hangs up"),
        // ngircd and inspircd give notices before a client has a name, without a prefix too.
        _ if !line.starts_with(b":") && prefix != b"NOTICE" => {
            return Err("neither a sender's line nor the server's");
        }
        _ => {}
    }
    Ok(())
}
