//! `ping` end to end, against our echo server.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use crate::support::echo::Echo;
use crate::support::{PATIENCE, run_with, sockkit, stderr, stdout};

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

/// `ping | head`: it ends with its audience, and that is no error.
#[test]
fn ping_ends_with_its_audience() {
    for echo in [Echo::tcp(&[]), Echo::udp(&[])] {
        let mut ping = sockkit(&["ping", &echo.addresses[0], "-c", "1M", "-i", "1ms"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut reader = BufReader::new(ping.stdout.take().expect("piped"));
        reader.read_line(&mut line).expect("a line");
        assert!(line.contains("seq 0"), "{line}");
        drop(reader);
        let mut errors = ping.stderr.take().expect("piped");
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            let _ = sender.send(text);
        });
        let said = said.recv_timeout(PATIENCE);
        if said.is_err() {
            ping.kill().expect("it is there");
        }
        let status = ping.wait().expect("it ends");
        assert_eq!((said.as_deref(), status.code()), (Ok(""), Some(0)));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_ping_tells_what_it_has() {
    let echo = Echo::tcp(&[]);
    let mut ping =
        crate::support::Running::start(&mut sockkit(&["ping", &echo.addresses[0], "-c", "1M"]));
    ping.stdout.until("seq 1,");
    ping.signal(rustix::process::Signal::INT);
    assert_eq!(ping.ends(), 130);
    let rest = ping.stdout.rest().join("\n");
    assert!(rest.contains("probes of 64 bytes sent"), "{rest}");
}
