//! `echo` and `ping` over TLS: what a plain echo does is done over TLS too, and who is trusted is whom the chat trusts.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::thread;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

#[cfg(unix)]
use crate::support::certificates::reload;
use crate::support::certificates::{Ca, Files, Flaw, Tls, fingerprint};
use crate::support::echo::Echo;
use crate::support::{Running, run_with, sockkit, stderr, stdout, text};

fn command(files: &Files, options: &[&str]) -> Command {
    let mut command = sockkit(&["echo", "tls://127.0.0.1:0"]);
    command.args(["--cert", text(&files.certificate)]);
    command.args(["--key", text(&files.key)]);
    command.args(options);
    command
}

/// A server whose certificate this CA has signed.
fn echo(ca: &Ca, options: &[&str]) -> Echo {
    let files = ca.server("server", Flaw::None);
    Echo::from_command(&mut command(&files, options), 1)
}

/// Its address by the name that the certificate has.
fn by_name(echo: &Echo) -> String {
    echo.addresses[0].replace("127.0.0.1", "localhost")
}

fn ping(echo: &Echo, options: &[&str]) -> Output {
    let address = by_name(echo);
    let mut arguments = vec!["ping", &address, "-i", "1ms"];
    arguments.extend(options);
    run_with(&arguments, "")
}

#[track_caller]
fn status(output: &Output, expected: i32) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(expected), "{said}");
    said
}

#[test]
fn ping_verifies_what_comes_back_and_tells_of_the_handshake() {
    let ca = Ca::new();
    let roots = ca.path();
    for options in [&[][..], &["--threads", "3"]] {
        let echo = echo(&ca, options);
        for arguments in [
            &["-c", "20", "-s", "64K"][..],
            &["-c", "1000", "-s", "1", "--flood=64"],
        ] {
            let address = by_name(&echo);
            let mut all = vec!["ping", &address, "-v", "--ca", text(&roots)];
            all.extend(arguments);
            let run = run_with(&all, "");
            let said = status(&run, 0);
            let agreed = said.lines().find(|line| line.contains("agreed in"));
            let agreed = agreed.unwrap_or_else(|| panic!("{said}"));
            assert!(
                agreed.contains("on TLS 1.3 with TLS13_") && agreed.contains("sha256:"),
                "{agreed}"
            );
            let text = stdout(&run);
            assert!(text.contains(" 0 lost (0.0%)"), "{text}");
            let connect = text.lines().find(|line| line.starts_with("connect "));
            assert!(
                connect.is_some_and(|line| line.contains(", TLS ")),
                "{text}"
            );
            // It has said goodbye.
            echo.run.stdout.until(" left: ");
        }
    }
    let echo = echo(&ca, &[]);
    let run = ping(&echo, &["-c", "1", "--ca", text(&roots), "--json"]);
    status(&run, 0);
    let text = stdout(&run);
    let last = text.lines().last().expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(last).expect("JSON");
    for name in ["connect_us", "handshake_us"] {
        assert!(summary[name].as_f64() > Some(0.0), "{summary}");
    }
}

#[test]
fn only_a_right_certificate_is_trusted() {
    let ca = Ca::new();
    let roots = ca.path();
    for (flaw, why) in [
        (Flaw::Expired, "it has expired"),
        (Flaw::OtherName, "it is for another name"),
    ] {
        let files = ca.server("flawed", flaw);
        let echo = Echo::from_command(&mut command(&files, &[]), 1);
        let said = status(&ping(&echo, &["--ca", text(&roots)]), 5);
        assert!(said.contains(why), "{said}");
    }
    let mut echo = echo(&ca, &[]);
    let other = Ca::new();
    status(&ping(&echo, &["--ca", text(&other.path())]), 5);
    // In a script nobody is asked.
    let said = status(&ping(&echo, &["-c", "1"]), 5);
    let known = fingerprint(&said);
    status(&ping(&echo, &["-c", "1", "--fingerprint", &known]), 0);
    let wrong = format!("sha256:{}", "0".repeat(64));
    let said = status(&ping(&echo, &["--fingerprint", &wrong]), 5);
    assert!(said.contains("another fingerprint"), "{said}");
    let said = status(&ping(&echo, &["-c", "1", "--insecure"]), 0);
    assert!(said.contains("warning: --insecure"), "{said}");
    // No connection of those was one of the server's clients.
    echo.run.kill();
    let lines = echo.run.stdout.rest();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(
        (count(" connected"), count(" no TLS: ")),
        (2, 3),
        "{lines:#?}"
    );
}

#[test]
fn a_server_that_was_trusted_is_known_and_a_change_is_refused() {
    let state = tempfile::tempdir().expect("a directory");
    let echo = Echo::from_command(
        sockkit(&["echo", "tls://127.0.0.1:0", "--self-signed"])
            .env("XDG_STATE_HOME", state.path()),
        1,
    );
    let ping = || {
        let mut command = sockkit(&["ping", &echo.addresses[0], "-c", "1"]);
        let output = command.env("XDG_STATE_HOME", state.path()).output();
        output.expect("it runs")
    };
    let known = fingerprint(&status(&ping(), 5));
    let file = state.path().join("sockkit").join("known_servers");
    let place = echo.addresses[0].trim_start_matches("tls://");
    std::fs::write(&file, format!("{place} {known}\n")).expect("written");
    status(&ping(), 0);
    let other = format!("sha256:{}", "1".repeat(64));
    std::fs::write(&file, format!("{place} {other}\n")).expect("written");
    let said = status(&ping(), 5);
    assert!(said.contains("HAS CHANGED"), "{said}");
}

#[test]
fn a_server_that_asks_for_certificates_echoes_only_to_those_of_its_ca() {
    let ca = Ca::new();
    let roots = ca.path();
    let echo = echo(&ca, &["--client-ca", text(&roots), "--once"]);
    let trust = ["-c", "1", "--ca", text(&roots)];
    let with = |files: &Files| {
        let mut all = trust.to_vec();
        all.extend(["--client-cert", text(&files.certificate)]);
        all.extend(["--client-key", text(&files.key)]);
        ping(&echo, &all)
    };
    for output in [
        ping(&echo, &trust),
        with(&Ca::new().client("stranger", Flaw::None)),
    ] {
        let said = status(&output, 5);
        assert!(said.contains("certificate"), "{said}");
        echo.run.stdout.until(" no TLS: ");
    }
    // They were not the one that is served.
    status(&with(&ca.client("right", Flaw::None)), 0);
    let mut echo = echo;
    assert_eq!(echo.run.ends(), 0);
}

#[test]
fn who_does_not_speak_tls_is_told_from_who_does() {
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let mut run = Running::start(&mut command(&files, &["--once", "--json"]));
    let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect("JSON") };
    assert_eq!(event(&run.stdout.next())["event"], "certificate");
    let ready = event(&run.stdout.next());
    let address = ready["address"]
        .as_str()
        .and_then(|text| text.strip_prefix("tls://"));
    let address: SocketAddr = address.expect("TLS").parse().expect("an address");
    let mut nonsense = TcpStream::connect(address).expect("it listens");
    nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let _ = nonsense.read_to_end(&mut Vec::new());
    let failed = event(&run.stdout.until("handshake_failed"));
    let from = failed["address"].as_str().expect("an address");
    assert!(from.starts_with("127.0.0.1:"), "{failed}");
    assert_eq!(failed["text"], "what came is no TLS");
    // It was not the one that is served, and nor is one that says nothing.
    let _silent = TcpStream::connect(address).expect("it listens");
    let mut client = ca.connect(address, &TLS13);
    client.sends(b"hello");
    assert_eq!(client.bytes(5), b"hello");
    client.says_goodbye();
    assert!(client.ending().1.is_ok());
    assert_eq!(run.ends(), 0);

    let plain = Echo::from_command(&mut sockkit(&["echo", "127.0.0.1:0"]), 1);
    let address = plain.addresses[0].replace("tcp://", "tls://");
    let run = run_with(&["ping", &address, "--insecure"], "");
    let said = status(&run, 6);
    assert!(said.contains("what came is what was sent"), "{said}");
}

/// Sends all, reads as slowly as it may, and looks at every byte.
fn round_trip(ca: &Ca, echo: &Echo, version: &'static SupportedProtocolVersion, length: usize) {
    let mut connection = ca.client_connection(version);
    let mut socket = TcpStream::connect(echo.socket_address()).expect("it listens");
    socket.set_nonblocking(true).expect("non-blocking");
    let byte = |at: usize| (at % 251) as u8;
    let (mut sent, mut got, mut ended) = (0, 0, false);
    let mut buffer = [0; 4096];
    while !ended {
        while connection.wants_write() {
            match connection.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error} after {sent} sent, {got} back"),
            }
        }
        if !connection.is_handshaking() && !connection.wants_write() && sent < length {
            let more: Vec<u8> = (sent..length.min(sent + 16 * 1024)).map(byte).collect();
            sent += connection.writer().write(&more).expect("room");
            if sent == length {
                connection.send_close_notify();
            }
        }
        match connection.read_tls(&mut socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("{error} after {sent} sent, {got} back"),
        }
        connection.process_new_packets().expect("TLS");
        loop {
            match connection.reader().read(&mut buffer) {
                Ok(0) => ended = true,
                Ok(count) => {
                    for byte_back in &buffer[..count] {
                        assert_eq!(*byte_back, byte(got), "at {got}");
                        got += 1;
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error} after {sent} sent, {got} back"),
            }
            break;
        }
    }
    assert_eq!((sent, got), (length, length));
}

#[test]
fn all_comes_back_before_the_end_in_both_versions_of_tls() {
    let ca = Ca::new();
    let echo = echo(&ca, &[]);
    for version in [&TLS13, &TLS12] {
        round_trip(&ca, &echo, version, 16 << 20);
        echo.run
            .stdout
            .until("left: 16777216 bytes in, 16777216 out");
    }
}

/// Nobody reads before all is sent and the server's buffers are full, so that its last word has to wait for room.
#[test]
fn the_end_is_a_clean_one_however_full_the_buffers_are() {
    let ca = Ca::new();
    let echo = echo(&ca, &["-q", "-o", "SO_SNDBUF=4K"]);
    for length in (0..64).map(|number| 90_000 + number * 1021) {
        let mut client = ca.connect(echo.socket_address(), &TLS13);
        let socket = socket2::SockRef::from(&*client.socket());
        // What is sent fits in here, whatever the server does.
        socket.set_send_buffer_size(256 << 10).expect("a size");
        client.sends(&vec![7; length]);
        client.says_goodbye();
        let (bytes, ending) = client.ending();
        assert_eq!(bytes.len(), length);
        assert!(ending.is_ok(), "{length}: {ending:?}");
    }
}

#[test]
fn an_abrupt_end_is_told_from_a_clean_one() {
    let ca = Ca::new();
    let echo = echo(&ca, &[]);
    for (clean, why) in [(true, " left: 5 "), (false, " was cut off: 5 ")] {
        let mut client = ca.connect(echo.socket_address(), &TLS13);
        client.sends(b"hello");
        assert_eq!(client.bytes(5), b"hello");
        let from = client.socket().local_addr().expect("an address");
        match clean {
            true => client.says_goodbye(),
            false => client.socket().shutdown(Shutdown::Write).expect("closed"),
        }
        assert_eq!(client.ending().1.is_ok(), clean);
        let told = echo.run.stdout.until(&format!("{from}{why}"));
        assert!(told.ends_with("bytes in, 5 out"), "{told}");
    }
}

#[test]
fn misbehaviour_is_what_it_is_without_tls() {
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let get = |options: &[&str]| {
        let echo = Echo::from_command(&mut command(&files, options), 1);
        let mut client = ca.connect(echo.socket_address(), &TLS13);
        client.sends(&[7; 1000]);
        client.says_goodbye();
        let (got, ended) = client.ending();
        (got, ended.map_err(|error| error.kind()))
    };
    let (got, ended) = get(&["--reset-after", "100"]);
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    assert!(got.len() <= 100);
    for options in [
        &["--truncate-after", "100"][..],
        &["--close-after", "100", "--slice", "7"],
    ] {
        let (got, ended) = get(options);
        assert_eq!((got.len(), ended), (100, Ok(())), "{options:?}");
    }
    for options in [
        &["--delay", "5ms", "--jitter", "5ms", "--slice", "99"][..],
        &["--rate", "10K"],
        &["--prefix", "", "--max-bytes", "1000"],
    ] {
        let (got, ended) = get(options);
        assert_eq!((got, ended), (vec![7; 1000], Ok(())), "{options:?}");
    }
    let (damaged, _) = get(&["--corrupt", "1%", "--seed", "5"]);
    let plain = Echo::from_command(
        &mut sockkit(&["echo", "127.0.0.1:0", "--corrupt", "1%", "--seed", "5"]),
        1,
    );
    let mut stream = TcpStream::connect(plain.socket_address()).expect("it listens");
    stream.write_all(&[7; 1000]).expect("sent");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    let mut same = Vec::new();
    stream.read_to_end(&mut same).expect("the end");
    assert!(damaged.iter().any(|&byte| byte != 7));
    assert_eq!(damaged, same);
}

#[test]
fn ping_finds_what_is_wrong_inside_tls() {
    let ca = Ca::new();
    let roots = ca.path();
    let roots = text(&roots);
    for (options, expected) in [
        (&["--corrupt", "1"][..], 6),
        (&["--stall-after", "150"], 1),
        (&["--close-after", "150"], 1),
        (&["--reset-after", "150"], 1),
    ] {
        let echo = echo(&ca, options);
        let probes = ["-c", "4", "-s", "100", "--timeout", "2s", "--ca", roots];
        status(&ping(&echo, &probes), expected);
    }
    let echo = echo(&ca, &["--delay", "20ms"]);
    let run = ping(&echo, &["-c", "2", "--ca", roots, "--json"]);
    status(&run, 0);
    let text = stdout(&run);
    let last = text.lines().last().expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert!(summary["min_us"].as_f64() >= Some(20_000.0), "{summary}");
}

#[test]
fn more_than_max_clients_are_turned_away_in_an_orderly_way() {
    let ca = Ca::new();
    let echo = echo(&ca, &["--max-clients", "1"]);
    let speaks = |client: &mut Tls| {
        client.sends(b"x");
        client.bytes(1) == b"x"
    };
    let mut first = ca.connect(echo.socket_address(), &TLS13);
    assert!(speaks(&mut first));
    let mut second = ca.connect(echo.socket_address(), &TLS13);
    // The handshake is done with the first that is read.
    let (bytes, ending) = second.ending();
    assert_eq!((bytes.len(), ending.is_ok()), (0, true));
    assert!(speaks(&mut first));
}

#[cfg(unix)]
#[test]
fn a_hang_up_reads_the_certificate_again_and_a_broken_file_changes_nothing() {
    use rustix::process::Signal;
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let mut echo = Echo::from_command(&mut command(&files, &["--threads", "2"]), 1);
    let mut client = ca.connect(echo.socket_address(), &TLS13);
    client.sends(b"a");
    assert_eq!(client.bytes(1), b"a");
    let (address, roots) = (by_name(&echo), ca.path());
    let now = reload(&mut echo.run, &ca, &files, || {
        let arguments = ["ping", &address, "-c", "1", "--ca", text(&roots)];
        status(&run_with(&arguments, ""), 0);
    });
    for _ in 0..2 {
        status(&ping(&echo, &["-c", "1", "--fingerprint", &now]), 0);
    }
    // Who was in stays in.
    client.sends(b"b");
    assert_eq!(client.bytes(1), b"b");
    echo.run.signal(Signal::TERM);
    assert!(client.ending().1.is_ok());
    assert_eq!(echo.run.ends(), 143);
}

/// There is nothing that could be read again.
#[cfg(unix)]
#[test]
fn a_hang_up_ends_a_server_whose_certificate_is_its_own() {
    use rustix::process::Signal;
    let options = ["echo", "tls://127.0.0.1:0", "--self-signed", "--ephemeral"];
    let mut echo = Echo::from_command(&mut sockkit(&options), 1);
    echo.run.signal(Signal::HUP);
    assert_eq!(echo.run.ends(), 129);
}
