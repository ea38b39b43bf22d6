//! `echo` end to end: the real binary and bare sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::support::echo::{Echo, rest_of};
use crate::support::{Running, run_with, sockkit, stderr};

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

#[cfg(unix)]
mod unix {
    use super::*;

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
}
