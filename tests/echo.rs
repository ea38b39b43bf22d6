//! `echo` and `ping` end to end: the real binary, bare sockets, and each against the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::process::Output;
use std::thread;

use crate::support::{PATIENCE, Running, run_with, sockkit, stderr, stdout};

pub struct Echo {
    pub run: Running,
    /// As the ready lines say, in their order.
    pub addresses: Vec<String>,
}

impl Echo {
    fn start(addresses: &[&str], options: &[&str]) -> Self {
        Self::from_command(
            sockkit(&["echo"]).args(addresses).args(options),
            addresses.len(),
        )
    }

    pub fn from_command(command: &mut std::process::Command, addresses: usize) -> Self {
        let run = Running::start(command);
        let addresses = run.ready_on(addresses);
        Self { run, addresses }
    }

    fn tcp(options: &[&str]) -> Self {
        Self::start(&["127.0.0.1:0"], options)
    }

    fn udp(options: &[&str]) -> Self {
        Self::start(&["udp://127.0.0.1:0"], options)
    }

    pub fn socket_address(&self) -> SocketAddr {
        let (_, address) = self.addresses[0].split_once("://").expect("a scheme");
        address.parse().expect("an address")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.socket_address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    fn datagrams(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.connect(self.socket_address()).expect("an address");
        socket
    }

    fn ping(&self, options: &[&str]) -> Output {
        let mut arguments = vec!["ping", &self.addresses[0], "-i", "1ms"];
        arguments.extend(options);
        run_with(&arguments, "")
    }
}

fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the end");
    bytes
}

#[test]
fn all_comes_back_before_the_end_when_the_reader_is_slower_than_the_writer() {
    const LENGTH: usize = 100 << 20;
    let echo = Echo::tcp(&[]);
    let mut stream = echo.connect();
    let mut writer = stream.try_clone().expect("a handle");
    let block: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    let sent = block.clone();
    let writer = thread::spawn(move || {
        for _ in 0..LENGTH / sent.len() {
            writer.write_all(&sent).expect("it is read");
        }
        writer.shutdown(Shutdown::Write).expect("half-closed");
    });
    let mut buffer = vec![0; 4096];
    let mut got = 0;
    loop {
        let count = stream.read(&mut buffer).expect("it answers");
        if count == 0 {
            break;
        }
        for byte in &buffer[..count] {
            assert_eq!(*byte, block[got % block.len()], "at {got}");
            got += 1;
        }
    }
    writer.join().expect("all written");
    assert_eq!(got, LENGTH);
}

#[test]
fn one_process_serves_streams_and_datagrams_on_one_port_each() {
    let mut echo = Echo::start(&["127.0.0.1:0", "udp://127.0.0.1:0"], &[]);
    let mut stream = echo.connect();
    stream.write_all(b"hello").expect("it is read");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    assert_eq!(rest_of(&mut stream), b"hello");
    echo.addresses.remove(0);
    let socket = echo.datagrams();
    let mut buffer = vec![0; 70_000];
    for size in [0, 1, 65_507] {
        socket.send(&vec![3; size]).expect("sent");
        assert_eq!(socket.recv(&mut buffer).expect("an answer"), size);
    }
}

#[test]
fn misbehaviour_is_exact() {
    let get = |options: &[&str]| {
        let echo = Echo::tcp(options);
        let mut stream = echo.connect();
        stream.write_all(&[7; 1000]).expect("it is read");
        let _ = stream.shutdown(Shutdown::Write);
        let mut got = Vec::new();
        let ended = stream.read_to_end(&mut got);
        (got, ended.map_err(|error| error.kind()))
    };
    let (got, ended) = get(&["--reset-after", "100"]);
    assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset));
    assert!(got.len() <= 100);
    let (got, ended) = get(&["--truncate-after", "100"]);
    assert_eq!((got.len(), ended.is_ok()), (100, true));
    let (got, ended) = get(&["--close-after", "100", "--slice", "7"]);
    assert_eq!((got.len(), ended.is_ok()), (100, true));
    let (first, _) = get(&["--corrupt", "1%", "--seed", "5"]);
    let (again, _) = get(&["--corrupt", "1%", "--seed", "5", "--slice", "3"]);
    assert_eq!(first.len(), 1000);
    assert!(first.iter().any(|&byte| byte != 7));
    assert_eq!(first, again);
}

#[test]
fn ping_finds_everything_in_order() {
    let echo = Echo::tcp(&[]);
    let run = echo.ping(&["-c", "20", "-s", "64K"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let text = stdout(&run);
    assert!(
        text.contains("20 probes of 65536 bytes sent, 20 received, 0 lost (0.0%)"),
        "{text}"
    );
    assert!(text.contains("connect ") && text.contains("p99 "), "{text}");
    let run = run_with(
        &[
            "ping",
            &echo.addresses[0],
            "--flood",
            "-c",
            "1000",
            "-s",
            "1",
        ],
        "",
    );
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));

    let echo = Echo::udp(&["-q"]);
    for size in ["16", "1K", "65507"] {
        // One at a time: a server that does not get a processor for some milliseconds has room for three of the
        // longest, and the system drops the next.
        let address = &echo.addresses[0];
        let run = run_with(
            &[
                "ping",
                address,
                "--flood=1",
                "-c",
                "20",
                "-s",
                size,
                "--json",
            ],
            "",
        );
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
        let text = stdout(&run);
        let last = text.lines().last().expect("a summary");
        let summary: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(summary["event"], "summary");
        assert_eq!(summary["received"], 20);
        assert!(summary["p50_us"].as_f64() > Some(0.0), "{summary}");
        assert_eq!(text.lines().count(), 21, "{text}");
    }
}

#[test]
fn ping_finds_what_is_wrong_and_its_status_says_what() {
    let echo = Echo::udp(&["--drop", "1"]);
    let run = echo.ping(&["-c", "3", "--timeout", "50ms"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        stderr(&run).contains("3 of 3 probes were lost"),
        "{}",
        stderr(&run)
    );
    let echo = Echo::udp(&["--duplicate", "1"]);
    let run = echo.ping(&["-c", "5"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(stdout(&run).contains("duplicates"), "{}", stdout(&run));
    for options in [&["--corrupt", "1"][..], &["--prefix", "x"]] {
        let echo = Echo::udp(options);
        let run = echo.ping(&["-c", "5", "--timeout", "50ms"]);
        assert_eq!(run.status.code(), Some(6), "{}", stderr(&run));
        let echo = Echo::tcp(options);
        let run = echo.ping(&["-c", "5", "-s", "100", "--timeout", "5s"]);
        assert_eq!(run.status.code(), Some(6), "{}", stderr(&run));
    }
    let echo = Echo::tcp(&["--reset-after", "200"]);
    let run = echo.ping(&["-c", "10", "-s", "100"]);
    assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
}

#[test]
fn nobody_there_is_status_3_or_a_loss_with_a_reason() {
    let address = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("an address").to_string()
    };
    let run = run_with(&["ping", &address], "");
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    let run = run_with(&["ping", "udp://127.0.0.1:0"], "");
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
}

#[test]
fn options_that_nothing_would_come_of_are_usage_errors() {
    for (arguments, part) in [
        (
            &["echo", "127.0.0.1:0", "--drop", "1%"][..],
            "--drop is for datagrams",
        ),
        (
            &["echo", "udp://127.0.0.1:0", "--slice", "1"],
            "--slice is for connections",
        ),
        (
            &["echo", "127.0.0.1:0", "--join", "239.1.2.3"],
            "--join is for datagrams",
        ),
        (&["echo", "127.0.0.1:0", "--seed", "3"], "no misbehaviour"),
        (
            &["echo", "tls://127.0.0.1:0"],
            "a tls:// address needs a certificate",
        ),
        (
            &["echo", "udp://127.0.0.1:0", "127.0.0.1:0", "--self-signed"],
            "no tls:// address to show it on",
        ),
        (
            &["echo", "tls://127.0.0.1:0", "--self-signed", "--drop", "1"],
            "--drop is for datagrams",
        ),
        (
            &["ping", "udp://127.0.0.1:1", "--insecure"],
            "the address is not a tls:// one",
        ),
        (
            &["ping", "127.0.0.1:1", "--server-name", "a.example"],
            "the address is not a tls:// one",
        ),
        (&["ping", "udp://127.0.0.1:1", "-s", "3"], "16 bytes"),
    ] {
        let run = run_with(arguments, "");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&run).contains(part), "{}", stderr(&run));
    }
}

#[test]
fn once_serves_one_and_ends_with_what_was_counted() {
    let mut echo = Echo::tcp(&["--once", "--hex"]);
    let mut stream = echo.connect();
    stream.write_all(b"hello\x1b").expect("it is read");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    assert_eq!(rest_of(&mut stream), b"hello\x1b");
    assert_eq!(echo.run.ends(), 0);
    let out = echo.run.stdout.rest().join("\n");
    assert!(out.contains("00000000  68 65 6c 6c 6f 1b "), "{out}");
    assert!(out.contains("|hello.|"), "{out}");
    let said = echo.run.stderr.rest().join("\n");
    assert!(
        said.contains("1 connections (0 open, 0 refused), 6 bytes in, 6 out"),
        "{said}"
    );

    let mut echo = Echo::udp(&["--count", "2"]);
    let socket = echo.datagrams();
    for _ in 0..2 {
        socket.send(b"x").expect("sent");
        socket.recv(&mut [0; 10]).expect("an answer");
    }
    assert_eq!(echo.run.ends(), 0);
}

#[test]
fn more_than_max_clients_are_turned_away() {
    let echo = Echo::tcp(&["--max-clients", "1"]);
    let mut first = echo.connect();
    first.write_all(b"x").expect("it is read");
    first.read_exact(&mut [0]).expect("it answers");
    let mut second = echo.connect();
    assert_eq!(rest_of(&mut second), b"");
    first.write_all(b"y").expect("it is read");
    first.read_exact(&mut [0]).expect("it answers");
}

#[test]
fn threads_share_the_connections() {
    let echo = Echo::tcp(&["--threads", "3"]);
    let mut streams: Vec<TcpStream> = (0..9).map(|_| echo.connect()).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&[number as u8]).expect("it is read");
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it answers");
        assert_eq!(byte, [number as u8]);
    }
    #[cfg(target_os = "linux")]
    {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", echo.run.id())).expect("its threads");
        let streams = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.trim() == "streams")
            .count();
        assert_eq!(streams, 3);
    }
}

#[test]
fn events_tell_what_happens() {
    let mut command = sockkit(&["echo", "127.0.0.1:0", "--json", "--once"]);
    let mut run = Running::start(&mut command);
    let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect("JSON") };
    let ready = event(&run.stdout.next());
    let address = ready["address"]
        .as_str()
        .and_then(|text| text.strip_prefix("tcp://"));
    let mut stream = TcpStream::connect(address.expect("TCP")).expect("it listens");
    stream.write_all(b"abc").expect("it is read");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    assert_eq!(rest_of(&mut stream), b"abc");
    assert_eq!(run.ends(), 0);
    let lines = run.stdout.rest();
    let events: Vec<_> = lines.iter().map(|line| event(line)).collect();
    assert_eq!(events[0]["event"], "opened");
    assert_eq!(events[0]["number"], 0);
    assert_eq!(events[1]["event"], "closed");
    assert_eq!(
        (&events[1]["received"], &events[1]["sent"]),
        (&3.into(), &3.into())
    );
    assert_eq!(events[2]["event"], "statistics");
    assert_eq!(events.len(), 3, "{lines:?}");
    assert_eq!(run.stderr.rest(), Vec::<String>::new());
}

#[cfg(unix)]
mod unix {
    use super::*;

    use std::os::unix::net::{UnixDatagram, UnixStream};

    use rustix::process::Signal;

    use crate::support::text;

    #[test]
    fn unix_sockets_of_both_kinds_answer_and_are_pinged() {
        let folder = tempfile::tempdir().expect("a directory");
        for scheme in ["unix", "unixgram"] {
            let path = folder.path().join(scheme);
            let address = format!("{scheme}:{}", text(&path));
            let mut echo = Echo::start(&[&address], &[]);
            assert_eq!(echo.addresses[0], address);
            let run = echo.ping(&["-c", "5"]);
            assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
            echo.run.signal(Signal::TERM);
            assert_eq!(echo.run.ends(), 143);
            assert!(!path.exists());
        }
    }

    #[test]
    fn signals_print_statistics_and_end_it() {
        let mut echo = Echo::tcp(&[]);
        let mut stream = echo.connect();
        stream.write_all(b"x").expect("it is read");
        stream.read_exact(&mut [0]).expect("it answers");
        echo.run.signal(Signal::USR1);
        let line = echo.run.stderr.until("after ");
        assert!(line.contains("1 connections (1 open"), "{line}");
        echo.run.signal(Signal::TERM);
        assert_eq!(echo.run.ends(), 143);
        assert_eq!(rest_of(&mut stream), b"");
        assert!(
            echo.run
                .stderr
                .rest()
                .iter()
                .any(|line| line.contains("(0 open"))
        );
    }

    #[test]
    fn an_interrupted_ping_tells_what_it_has() {
        let echo = Echo::tcp(&[]);
        let mut ping = Running::start(&mut sockkit(&["ping", &echo.addresses[0], "-c", "1M"]));
        ping.stdout.until("seq 1,");
        ping.signal(Signal::INT);
        assert_eq!(ping.ends(), 130);
        let rest = ping.stdout.rest().join("\n");
        assert!(rest.contains("probes of 64 bytes sent"), "{rest}");
    }

    #[test]
    fn running_out_of_descriptors_is_survived() {
        let script = "ulimit -n 64; exec \"$0\" echo 127.0.0.1:0";
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_sockkit")]);
        let echo = Echo::from_command(&mut command, 1);
        let mut crowd: Vec<TcpStream> = (0..100).map(|_| echo.connect()).collect();
        echo.run.stdout.until("out of file descriptors");
        for stream in &mut crowd[..2] {
            stream.write_all(b"x").expect("it is read");
            stream.read_exact(&mut [0]).expect("it answers");
        }
        crowd.truncate(1);
        let mut late = echo.connect();
        late.write_all(b"x").expect("it is read");
        late.read_exact(&mut [0]).expect("it answers");
    }

    #[test]
    fn storms_of_resets_and_of_datagrams_are_survived() {
        let mut echo = Echo::start(&["127.0.0.1:0", "udp://127.0.0.1:0"], &["-q"]);
        for number in 0..300_usize {
            let stream = echo.connect();
            if number % 2 == 0 {
                (&stream).write_all(&[0; 1000]).expect("it is read");
            }
            let socket = socket2::SockRef::from(&stream);
            socket
                .set_linger(Some(std::time::Duration::ZERO))
                .expect("SO_LINGER");
        }
        let mut stream = echo.connect();
        stream.write_all(b"x").expect("it is read");
        stream.read_exact(&mut [0]).expect("it answers");
        echo.addresses.remove(0);
        let socket = echo.datagrams();
        for number in 0..500_usize {
            let bytes: Vec<u8> = (0..number * 37 % 9000)
                .map(|at| (at * number) as u8)
                .collect();
            socket.send(&bytes).expect("sent");
            let mut buffer = [0; 9000];
            let count = socket.recv(&mut buffer).expect("an answer");
            assert!(buffer[..count] == bytes);
        }
    }

    /// Its memory stays within bounds, and the others are served.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_peer_that_never_reads_costs_little_and_harms_nobody() {
        let echo = Echo::tcp(&[]);
        let before = resident(&echo);
        let deaf = echo.connect();
        deaf.set_nonblocking(true).expect("non-blocking");
        let mut stream = echo.connect();
        let mut written = 0_u64;
        // Until both kernels' buffers are full, and stay so while another one is served.
        let mut full_in_a_row = 0;
        while full_in_a_row < 100 {
            match (&deaf).write(&[0; 65536]) {
                Ok(count) => {
                    written += count as u64;
                    full_in_a_row = 0;
                }
                Err(_) => full_in_a_row += 1,
            }
            stream.write_all(b"x").expect("it is read");
            stream.read_exact(&mut [0]).expect("it answers");
        }
        assert!(written > 100_000, "{written}");
        let grown = resident(&echo).saturating_sub(before);
        assert!(grown < 4096, "{grown} KiB more");
    }

    #[test]
    fn a_unix_client_without_a_name_gets_no_answer_and_others_do() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("echo");
        let _echo = Echo::start(&[&format!("unixgram:{}", text(&path))], &[]);
        let nobody = UnixDatagram::unbound().expect("a socket");
        nobody.send_to(b"x", &path).expect("sent");
        let client = UnixDatagram::bind(folder.path().join("client")).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        client.send_to(b"hello", &path).expect("sent");
        let mut buffer = [0; 10];
        assert_eq!(client.recv(&mut buffer).expect("an answer"), 5);
        assert!(UnixStream::connect(&path).is_err());
    }

    /// A group on loopback: it is heard by who has joined, and the answer comes from an address of its own.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_multicast_group_is_joined() {
        let echo = Echo::start(&["udp://0.0.0.0:0"], &["--join", "239.255.77.7%lo"]);
        let port = echo.socket_address().port();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket2::SockRef::from(&socket)
            .set_multicast_if_v4(&std::net::Ipv4Addr::LOCALHOST)
            .expect("an interface");
        socket
            .send_to(b"hello", ("239.255.77.7", port))
            .expect("sent");
        let mut buffer = [0; 10];
        let (count, from) = socket.recv_from(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..count], b"hello");
        assert_eq!(from.port(), port);
        assert!(!from.ip().is_multicast());
    }

    /// All of loopback is asked; the answer comes from an address of one.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_broadcast_is_answered_from_an_address_of_its_own() {
        let echo = Echo::start(&["udp://0.0.0.0:0"], &[]);
        let port = echo.socket_address().port();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_broadcast(true).expect("SO_BROADCAST");
        socket
            .send_to(b"hello", ("127.255.255.255", port))
            .expect("sent");
        let mut buffer = [0; 10];
        let (count, from) = socket.recv_from(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..count], b"hello");
        assert_eq!(from, SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// No loopback carries groups of IPv6, so the kernel is asked whether it belongs to this one (/proc/net/igmp6).
    #[cfg(target_os = "linux")]
    #[test]
    fn a_multicast_group_of_ipv6_is_joined() {
        use std::io::Write;
        if UdpSocket::bind("[::1]:0").is_err() {
            let _ = writeln!(
                std::io::stderr(),
                "LEFT OUT: groups of IPv6: there is no IPv6 here"
            );
            return;
        }
        // Of this run alone.
        let own = std::process::id();
        let group = format!("ff12::{:x}:{:x}%lo", own >> 16, own & 0xffff);
        let echo = Echo::start(&["udp://[::]:0"], &["--join", &group]);
        let groups = std::fs::read_to_string(format!("/proc/{}/net/igmp6", echo.run.id()))
            .expect("the groups");
        let wanted = format!("ff12{:028x}", own);
        let line = groups.lines().find(|line| line.contains(&wanted));
        let line = line.unwrap_or_else(|| panic!("{wanted} in {groups}"));
        assert_eq!(line.split_whitespace().nth(1), Some("lo"), "{line}");
    }
}

/// What the kernel and a program have of an idle connection is a few hundred bytes of the program: no buffer of its own.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_costs_less_than_a_kibibyte() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("as many files as are allowed");
    let echo = Echo::tcp(&["-q", "--max-clients", "5000"]);
    let talked = |count: usize| -> Vec<TcpStream> {
        let mut streams: Vec<TcpStream> = (0..count).map(|_| echo.connect()).collect();
        for stream in &mut streams {
            stream.write_all(&[7; 1000]).expect("it is read");
            stream.read_exact(&mut [0; 1000]).expect("it answers");
        }
        streams
    };
    // What is there once for all is there then.
    let _first = talked(100);
    let before = resident(&echo);
    const COUNT: usize = 800;
    let _crowd = talked(COUNT);
    let grown = resident(&echo).saturating_sub(before);
    assert!(grown < COUNT as u64, "{grown} KiB for {COUNT} connections");
}

/// How much memory the server has, in KiB.
#[cfg(target_os = "linux")]
fn resident(echo: &Echo) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", echo.run.id()))
        .expect("a running server");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.expect("a size").trim().trim_end_matches(" kB");
    size.parse().expect("a number")
}

/// An option that is for no socket of the command is a mistake, and what became of the others is told with -v.
#[test]
fn socket_options_are_told_of_or_refused_over_datagrams_too() {
    let echo = Echo::from_command(
        &mut sockkit(&[
            "echo",
            "-v",
            "-o",
            "rcvbuf=64K",
            "udp://127.0.0.1:0",
            "127.0.0.1:0",
        ]),
        2,
    );
    let addresses = echo.addresses.clone();
    for address in &addresses {
        let run = run_with(&["ping", address, "-c", "1", "-v", "-o", "rcvbuf=64K"], "");
        assert_eq!(run.status.code(), Some(0), "{address}: {}", stderr(&run));
        let said = stderr(&run);
        assert!(
            said.contains("SO_RCVBUF: asked 64KiB, granted"),
            "{address}: {said}"
        );
    }
    let datagrams = addresses.iter().find(|address| address.starts_with("udp"));
    let run = run_with(
        &["ping", datagrams.expect("one"), "-o", "TCP_NODELAY=1"],
        "",
    );
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
    assert!(
        stderr(&run).contains("it is for TCP, not for this socket"),
        "{}",
        stderr(&run)
    );
}
