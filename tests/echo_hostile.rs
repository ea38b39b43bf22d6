//! Peers that mean harm, and as many as there can be.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::echo::Echo;
#[cfg(target_os = "linux")]
use crate::support::echo::resident;

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
