//! Load for echo servers, which verifies what it measures. `benches/echo.sh` is what calls it.
//!
//! ```text
//! echo-load tcp  ADDR [--connections N] [--size BYTES] [--seconds S]     closed loop: one message each on its way
//! echo-load udp  ADDR [--connections N] [--size BYTES] [--seconds S]     the same with so many sockets
//! echo-load idle ADDR [--connections N] [--pid PID]                      memory of a server for each connection
//! ```
//!
//! The figures go to stdout as `name=value`, with spaces around them. A message that comes back damaged is a
//! failure, and so is a connection that dies; a datagram that does not come back within a second is counted
//! as lost and sent again.

// A generator that cannot go on has failed, and says why.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

struct Options {
    mode: String,
    address: SocketAddr,
    connections: usize,
    size: usize,
    seconds: f64,
    pid: Option<u32>,
}

fn options() -> Option<Options> {
    // cargo bench adds its own.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let mode = words.next()?;
    let mut options = Options {
        mode,
        address: words.next()?.parse().ok()?,
        connections: 1,
        size: 64,
        seconds: 1.0,
        pid: None,
    };
    while let Some(name) = words.next() {
        let value = words.next()?;
        match name.as_str() {
            "--connections" => options.connections = value.parse().ok()?,
            "--size" => options.size = value.parse().ok()?,
            "--seconds" => options.seconds = value.parse().ok()?,
            "--pid" => options.pid = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(options)
}

fn main() {
    let Some(options) = options() else {
        panic!(
            "echo-load tcp|udp|idle ADDR [--connections N] [--size N] [--seconds S] [--pid PID]"
        );
    };
    match options.mode.as_str() {
        "tcp" => tcp(&options),
        "udp" => udp(&options),
        "idle" => idle(&options),
        mode => panic!("unknown mode {mode}"),
    }
}

/// A message that no other connection has.
fn message(connection: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + connection * 17 + at / 251) as u8)
        .collect()
}

/// Round trips are counted from here on, when all is warm.
const WARM_UP: f64 = 0.2;

/// Of sorted times.
fn rank(times: &[Duration], percent: usize) -> f64 {
    let place = (times.len() * percent).div_ceil(100).max(1);
    times[place - 1].as_secs_f64() * 1e6
}

struct Clock {
    started: Instant,
    from: Duration,
    until: Duration,
    times: Vec<Duration>,
}

impl Clock {
    fn new(seconds: f64) -> Self {
        Self {
            started: Instant::now(),
            from: Duration::from_secs_f64(WARM_UP),
            until: Duration::from_secs_f64(WARM_UP + seconds),
            times: Vec::with_capacity(1 << 20),
        }
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() >= self.until
    }

    fn trip(&mut self, since: Instant) {
        if since.duration_since(self.started) >= self.from {
            self.times.push(since.elapsed());
        }
    }

    fn tell(mut self, more: &str) {
        let seconds = (self.started.elapsed() - self.from).as_secs_f64();
        self.times.sort_unstable();
        assert!(!self.times.is_empty(), "not one round trip");
        println!(
            " trips_per_s={:.0} p50_us={:.1} p99_us={:.1} max_us={:.1}{more} ",
            self.times.len() as f64 / seconds,
            rank(&self.times, 50),
            rank(&self.times, 99),
            rank(&self.times, 100),
        );
    }
}

struct Caller {
    stream: mio::net::TcpStream,
    message: Vec<u8>,
    sent: usize,
    got: usize,
    since: Instant,
}

impl Caller {
    /// Goes as far as it can. Whether a round trip is complete.
    fn go(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            if self.sent < self.message.len() {
                match self.stream.write(&self.message[self.sent..]) {
                    Ok(count) => self.sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => panic!("a connection is dead: {error}"),
                }
            }
            match self.stream.read(buffer) {
                Ok(0) => panic!("a connection was closed"),
                Ok(count) => {
                    let expected = self.message.get(self.got..self.got + count);
                    assert!(
                        expected == Some(&buffer[..count]),
                        "what came back is not what was sent"
                    );
                    self.got += count;
                    if self.got == self.message.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("a connection is dead: {error}"),
            }
        }
    }

    fn begin(&mut self) {
        self.since = Instant::now();
        (self.sent, self.got) = (0, 0);
        match self.stream.write(&self.message) {
            Ok(count) => self.sent = count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("a connection is dead: {error}"),
        }
    }
}

fn tcp(options: &Options) {
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut callers: Vec<Caller> = (0..options.connections)
        .map(|number| {
            let stream = TcpStream::connect(options.address).expect("it listens");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            stream.set_nonblocking(true).expect("non-blocking");
            let mut stream = mio::net::TcpStream::from_std(stream);
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(number), both)
                .expect("watched");
            Caller {
                stream,
                message: message(number, options.size),
                sent: 0,
                got: 0,
                since: Instant::now(),
            }
        })
        .collect();
    let mut buffer = vec![0; 256 * 1024];
    let mut clock = Clock::new(options.seconds);
    for caller in &mut callers {
        caller.begin();
    }
    while !clock.is_over() {
        poll.poll(&mut events, Some(Duration::from_secs(1)))
            .expect("a wait");
        assert!(!events.is_empty(), "nothing comes back for a second");
        for event in &events {
            let caller = &mut callers[event.token().0];
            if caller.go(&mut buffer) {
                clock.trip(caller.since);
                caller.begin();
            }
        }
    }
    clock.tell("");
}

fn udp(options: &Options) {
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1024);
    let mut sockets: Vec<(mio::net::UdpSocket, Vec<u8>, Instant)> = (0..options.connections)
        .map(|number| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.connect(options.address).expect("an address");
            socket.set_nonblocking(true).expect("non-blocking");
            let mut socket = mio::net::UdpSocket::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(number), Interest::READABLE)
                .expect("watched");
            (socket, message(number, options.size), Instant::now())
        })
        .collect();
    let mut buffer = vec![0; 128 * 1024];
    let mut clock = Clock::new(options.seconds);
    let mut lost = 0;
    for (socket, message, since) in &mut sockets {
        *since = Instant::now();
        socket.send(message).expect("sent");
    }
    while !clock.is_over() {
        poll.poll(&mut events, Some(Duration::from_secs(1)))
            .expect("a wait");
        for event in &events {
            let (socket, message, since) = &mut sockets[event.token().0];
            while let Ok(count) = socket.recv(&mut buffer) {
                assert!(
                    buffer[..count] == message[..],
                    "what came back is not what was sent"
                );
                clock.trip(*since);
                *since = Instant::now();
                socket.send(message).expect("sent");
            }
        }
        if events.is_empty() {
            for (socket, message, since) in &mut sockets {
                lost += 1;
                *since = Instant::now();
                socket.send(message).expect("sent");
            }
        }
    }
    clock.tell(&format!(" lost={lost}"));
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a size");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

fn idle(options: &Options) {
    let pid = options.pid.expect("--pid");
    let before = resident_kib(pid);
    let mut streams = Vec::new();
    for number in 0..options.connections {
        let mut stream = TcpStream::connect(options.address).expect("it listens");
        // It is in, and has said something once.
        let byte = [number as u8];
        stream.write_all(&byte).expect("it is read");
        let mut back = [0];
        stream.read_exact(&mut back).expect("it answers");
        assert_eq!(back, byte);
        streams.push(stream);
    }
    let grown = resident_kib(pid).saturating_sub(before);
    let each = grown as f64 * 1024.0 / options.connections as f64;
    println!(" bytes_per_connection={each:.0} growth_kib={grown} ");
}
