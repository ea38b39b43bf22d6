//! What an echo server does wrong on purpose, end to end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::support::PATIENCE;
use crate::support::echo::{Echo, rest_of};

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

/// What its own system has not taken in yet must not be lost with the connection.
#[cfg(target_os = "linux")]
#[test]
fn a_slow_reader_gets_all_before_the_end_too() {
    const LIMIT: usize = 1 << 20;
    for (option, expected) in [
        ("--reset-after", Err(ErrorKind::ConnectionReset)),
        ("--close-after", Ok(())),
        ("--max-bytes", Ok(())),
    ] {
        let echo = Echo::tcp(&[option, "1M"]);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.set_recv_buffer_size(1).expect("SO_RCVBUF");
        socket
            .connect(&echo.socket_address().into())
            .expect("it listens");
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut writer = stream.try_clone().expect("a handle");
        // More than is thrown away while the end is awaited.
        let writer = thread::spawn(move || writer.write_all(&vec![7; 8 * LIMIT]));
        let mut got = 0;
        let mut buffer = [0; 1 << 16];
        let ended = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => got += count,
                Err(error) => break Err(error.kind()),
            }
        };
        drop(stream);
        let written = writer.join().expect("it ends");
        // A reset is told once: to whoever asks first.
        let ended = match (expected, written) {
            (Err(_), Err(error)) => ended.and(Err(error.kind())),
            _ => ended,
        };
        assert_eq!((got, ended), (LIMIT, expected), "{option}");
    }
}

/// A connection's fate and a datagram's hang on their own kind alone, and with several threads on the order of coming.
#[test]
fn the_same_seed_does_the_same_whatever_else_happens() {
    let chaos = ["--corrupt", "5%", "--drop", "30%", "--seed", "9"];
    let go = |threads: &str, between: bool| {
        let mut echo = Echo::start(
            &["127.0.0.1:0", "udp://127.0.0.1:0"],
            &[&chaos[..], &["-v", "--threads", threads]].concat(),
        );
        let mut said = Vec::new();
        let streams: Vec<TcpStream> = (0..6).map(|_| echo.connect()).collect();
        for mut stream in streams {
            stream.write_all(&[7; 300]).expect("it is read");
            stream.shutdown(Shutdown::Write).expect("half-closed");
            said.push(rest_of(&mut stream));
        }
        let late = between.then(|| echo.connect());
        echo.addresses.remove(0);
        let socket = echo.datagrams();
        let mut buffer = [0; 100];
        for number in 0..60 {
            socket.send(&[number; 20]).expect("sent");
            if echo.run.stdout.until("datagram of").contains("answered") {
                let count = socket.recv(&mut buffer).expect("an answer");
                said.push(buffer[..count].to_vec());
            }
        }
        drop(late);
        said
    };
    let first = go("1", false);
    assert!(first.len() > 36 && first.len() < 60, "{}", first.len());
    assert_eq!(go("1", true), first);
    assert_eq!(go("3", false), first);
}
