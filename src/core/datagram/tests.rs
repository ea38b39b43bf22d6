//! The driver with real sockets, under a machine that sends everything back.

use super::*;

use std::net::UdpSocket;
use std::thread::{self, JoinHandle};

use super::contract::Arrival;
use super::open::BindOptions;
use crate::core::address::{Address, Use};

/// After this long a test has failed instead of hanging. No verdict hangs on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Probe {
    arrivals: Vec<Arrival>,
    undelivered: usize,
    /// What is sent once the deadline has come.
    later: Option<Outgoing>,
    deadline: Option<Duration>,
    done: bool,
    /// Sends one more on each that comes, until so many have.
    chain: Option<(UdpSocket, usize)>,
    /// How many came before the time that went with them.
    before_their_time: usize,
}

impl DatagramMachine for Probe {
    type Action = ();

    fn received(&mut self, now: Now, arrival: &Arrival, bytes: &mut [u8]) -> Answer {
        self.arrivals.push(arrival.clone());
        self.before_their_time += usize::from(arrival.kernel_micros > Some(now.unix_micros));
        if let Some((socket, count)) = &self.chain
            && self.arrivals.len() < *count
        {
            socket.send(b"more").unwrap();
        }
        if bytes == b"later" {
            self.deadline = Some(now.since_start);
            self.later = Some(Outgoing {
                route: arrival.route.clone(),
                bytes: b"now".to_vec(),
            });
            return Answer::Nothing;
        }
        match &*bytes {
            b"other" => Answer::Other(b"another".to_vec()),
            b"too long" => Answer::Other(vec![0; 70_000]),
            _ => Answer::Same,
        }
    }

    fn next_outgoing(&mut self, _now: Now) -> Option<Outgoing> {
        match self.deadline {
            Some(_) => None,
            None => self.later.take(),
        }
    }

    fn undelivered(&mut self, _now: Now, _socket: usize, _why: io::ErrorKind) {
        self.undelivered += 1;
    }

    fn signal(&mut self, _now: Now, _signal: Signal) {
        self.done = true;
    }

    fn deadline(&mut self, _now: Now) {
        self.deadline = None;
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn action(&mut self) -> Option<()> {
        None
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

struct Running {
    handle: DatagramHandle,
    thread: JoinHandle<Probe>,
    address: Address,
}

impl Running {
    fn on(text: &str, options: &BindOptions) -> Self {
        Self::after(text, options, |_| {})
    }

    /// Something is done between binding and running, so that what is sent then is there all at once.
    fn after(text: &str, options: &BindOptions, before: impl FnOnce(u16)) -> Self {
        Self::with_machine(text, options, |port| {
            before(port);
            Probe::default()
        })
    }

    fn with_machine(text: &str, options: &BindOptions, make: impl FnOnce(u16) -> Probe) -> Self {
        let address = Address::parse(text, Use::Listen { default_port: 0 }).unwrap();
        let mut bound = bind(&address, options).unwrap();
        assert_eq!(bound.len(), 1);
        let Bound {
            socket,
            address,
            file,
        } = bound.remove(0);
        let mut driver = DatagramLoop::new(make(port_of(&address))).unwrap();
        driver.add(socket).unwrap();
        let handle = driver.handle();
        let thread = thread::spawn(move || {
            let _file = file;
            driver.run(&mut |()| {}).unwrap();
            driver.machine
        });
        Self {
            handle,
            thread,
            address,
        }
    }

    fn port(&self) -> u16 {
        port_of(&self.address)
    }

    fn end(self) -> Probe {
        self.handle.signal(Signal::Terminate).unwrap();
        self.thread.join().unwrap()
    }
}

fn port_of(address: &Address) -> u16 {
    let text = address.to_string();
    let port = text.rsplit(':').next();
    port.and_then(|port| port.parse().ok()).unwrap_or(0)
}

fn client(at: &str) -> UdpSocket {
    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn datagrams_of_every_size_come_back_whole() {
    let server = Running::on("udp://127.0.0.1:0", &BindOptions::default());
    let client = client("127.0.0.1:0");
    client.connect(("127.0.0.1", server.port())).unwrap();
    let mut buffer = vec![0; 70_000];
    for size in [0, 1, 1500, 65_507, 0] {
        let bytes: Vec<u8> = (0..size).map(|at| at as u8).collect();
        client.send(&bytes).unwrap();
        let count = client.recv(&mut buffer).unwrap();
        assert!(buffer[..count] == bytes, "{size} {count}");
    }
    assert_eq!(server.end().arrivals.len(), 5);
}

#[test]
fn an_answer_can_be_another_and_can_come_later() {
    let server = Running::on("udp://127.0.0.1:0", &BindOptions::default());
    let client = client("127.0.0.1:0");
    client.connect(("127.0.0.1", server.port())).unwrap();
    let mut buffer = [0; 100];
    for (says, hears) in [("other", "another"), ("later", "now")] {
        client.send(says.as_bytes()).unwrap();
        let count = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], hears.as_bytes());
    }
    server.end();
}

/// So many that several calls take them in where one call takes many, of all sizes, and one whose answer cannot be sent.
#[test]
fn those_that_come_at_once_are_answered_each_and_in_order() {
    let client = client("127.0.0.1:0");
    let message = |number: usize| match number {
        40 => b"too long".to_vec(),
        41 => b"other".to_vec(),
        _ => vec![number as u8; number * 13 % 1400],
    };
    let server = Running::after("udp://127.0.0.1:0", &BindOptions::default(), |port| {
        for number in 0..100 {
            client
                .send_to(&message(number), ("127.0.0.1", port))
                .unwrap();
        }
    });
    let mut buffer = [0; 2000];
    for number in (0..100).filter(|number| *number != 40) {
        let count = client.recv(&mut buffer).unwrap();
        match number {
            41 => assert_eq!(&buffer[..count], b"another"),
            _ => assert!(buffer[..count] == message(number), "{number} {count}"),
        }
    }
    let probe = server.end();
    assert_eq!((probe.arrivals.len(), probe.undelivered), (100, 1));
}

/// All of 127.0.0.0/8 is this machine on Linux.
#[cfg(target_os = "linux")]
#[test]
fn those_that_come_at_once_are_answered_from_the_address_that_each_asked() {
    let options = BindOptions {
        times: true,
        ..BindOptions::default()
    };
    let asked = |number: usize| std::net::Ipv4Addr::new(127, 0, 0, 1 + (number / 3 % 5) as u8);
    let client = client("127.0.0.1:0");
    let server = Running::after("udp://0.0.0.0:0", &options, |port| {
        for number in 0..100 {
            client
                .send_to(&[number as u8], (asked(number), port))
                .unwrap();
        }
    });
    let mut buffer = [0; 10];
    for number in 0..100 {
        let (count, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..count], [number as u8]);
        assert_eq!(from, (asked(number), server.port()).into(), "{number}");
    }
    let probe = server.end();
    assert_eq!(probe.undelivered, 0);
    assert!(
        probe
            .arrivals
            .iter()
            .all(|arrival| arrival.kernel_micros > Some(1_600_000_000_000_000))
    );
}

/// All of 127.0.0.0/8 is this machine on Linux.
#[cfg(target_os = "linux")]
#[test]
fn the_answer_comes_from_the_address_that_was_asked_and_tells_the_time() {
    let options = BindOptions {
        times: true,
        ..BindOptions::default()
    };
    let server = Running::on("udp://0.0.0.0:0", &options);
    let client = client("127.0.0.1:0");
    let mut buffer = [0; 10];
    for ip in ["127.0.0.1", "127.0.0.2", "127.5.6.7"] {
        let to: std::net::SocketAddr =
            (ip.parse::<std::net::IpAddr>().unwrap(), server.port()).into();
        client.send_to(b"hello", to).unwrap();
        let (count, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..count], from), (&b"hello"[..], to));
    }
    let probe = server.end();
    assert!(
        probe
            .arrivals
            .iter()
            .all(|arrival| arrival.kernel_micros > Some(1_600_000_000_000_000))
    );
    assert_eq!(probe.undelivered, 0);
}

/// Each one comes while the one before it is looked at: the time that goes with it is not that of the turn's beginning.
#[cfg(target_os = "linux")]
#[test]
fn none_comes_later_than_it_is_handed_over() {
    let options = BindOptions {
        times: true,
        ..BindOptions::default()
    };
    let client = client("127.0.0.1:0");
    const COUNT: usize = 100;
    let server = Running::with_machine("udp://127.0.0.1:0", &options, |port| {
        client.connect(("127.0.0.1", port)).unwrap();
        client.send(b"first").unwrap();
        Probe {
            chain: Some((client.try_clone().unwrap(), COUNT)),
            ..Probe::default()
        }
    });
    for _ in 0..COUNT {
        client.recv(&mut [0; 10]).unwrap();
    }
    let probe = server.end();
    assert_eq!(probe.arrivals.len(), COUNT);
    assert_eq!(probe.before_their_time, 0);
}

#[cfg(unix)]
#[test]
fn ipv6_tells_the_address_too() {
    // On a machine without IPv6 there is nothing to ask.
    if UdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    let server = Running::on("udp://[::]:0", &BindOptions::default());
    let client = client("[::1]:0");
    client.connect(("::1", server.port())).unwrap();
    client.send(b"hello").unwrap();
    let mut buffer = [0; 10];
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    let probe = server.end();
    let local = probe.arrivals[0]
        .route
        .local
        .map(|local| local.ip.to_string());
    assert_eq!(local.as_deref(), Some("::1"));
}

#[cfg(unix)]
mod unix {
    use super::*;

    use std::os::unix::net::UnixDatagram;

    #[test]
    fn unix_datagrams_are_answered_where_there_is_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        let text = format!("unixgram:{}", path.display());
        let server = Running::on(&text, &BindOptions::default());
        assert_eq!(server.address.to_string(), text);
        let client = UnixDatagram::bind(folder.path().join("client")).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(&path).unwrap();
        let mut buffer = vec![0; 100_000];
        for size in [0, 5, 70_000] {
            client.send(&vec![1; size]).unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), size);
        }
        // One without a name comes, and cannot be answered.
        UnixDatagram::unbound()
            .unwrap()
            .send_to(b"x", &path)
            .unwrap();
        client.send(b"last").unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        let probe = server.end();
        assert_eq!(probe.arrivals.len(), 5);
        assert_eq!(probe.arrivals[3].route.peer, Correspondent::Nobody);
        assert_eq!(probe.undelivered, 1);
        assert!(!path.exists(), "the file goes with the server");
    }

    #[test]
    fn a_dead_servers_file_is_replaced_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        drop(UnixDatagram::bind(&path).unwrap());
        let text = format!("unixgram:{}", path.display());
        let server = Running::on(&text, &BindOptions::default());
        let address = Address::parse(&text, Use::Listen { default_port: 0 }).unwrap();
        let error = bind(&address, &BindOptions::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        server.end();
    }
}
