//! `serve-chat` end to end: the real binary, bare connections as `nc` makes them, signals, files and limits.

use std::fs;
use std::io::Write;

use crate::support::{Nc, Server, run_with, sockkit, stderr, text};

#[test]
fn people_with_nc_talk_to_each_other() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut bob = server.nc().called("bob");
    bob.types("hello\r\nzweite Zeile: Grüße\n");
    assert_eq!(ann.until("<bob> "), "<bob> hello");
    assert_eq!(ann.until("<bob> "), "<bob> zweite Zeile: Grüße");
    ann.types("/msg bob psst\n");
    assert_eq!(bob.until("psst"), "[ann] psst");
    ann.types("/quit\n");
    assert!(bob.until("left").contains("ann"));
    assert_eq!(ann.rest().last().map(String::as_str), Some("* goodbye"));
}

#[test]
fn what_is_typed_before_the_end_of_input_is_delivered() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut bob = server.nc();
    // As `echo hi | nc -N` does: everything is sent before anything was read.
    bob.types("hi without a line end");
    bob.half_close();
    assert!(ann.until("hi without").ends_with("> hi without a line end"));
    bob.rest();
}

#[test]
fn escape_sequences_arrive_visible() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut eve = server.nc().called("eve");
    eve.types("\x1b]52;c;cm0=\x07 \u{202e}fdp.exe\0\n");
    assert_eq!(
        ann.until("<eve>"),
        "<eve> \\x1b]52;c;cm0=\\x07 \\u{202e}fdp.exe\\x00"
    );
}

#[test]
fn localhost_is_both_families_on_one_port() {
    let server = Server::listening_on(&["localhost:0"], &[]);
    let first = server.address().to_string();
    let port = first.rsplit(':').next().expect("a port");
    let mut ann = Nc::connect(format!("127.0.0.1:{port}").parse().expect("an address"));
    ann.types("/nick ann\n");
    ann.until("you are ann now");
    // On a machine without IPv6 there is no second ready line, and nothing to try.
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let second = server.run.stderr.until("listening on");
        assert!(second.ends_with(&format!("tcp://[::1]:{port}")), "{second}");
        let bob = Nc::connect(format!("[::1]:{port}").parse().expect("an address"));
        bob.called("bob").types("hello\n");
        assert_eq!(ann.until("<bob>"), "<bob> hello");
    }
}

#[test]
fn with_json_stdout_has_events_and_stderr_nothing() {
    let mut command = sockkit(&["serve-chat", "127.0.0.1:0", "--json"]);
    let mut run = crate::support::Running::start(&mut command);
    let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect("JSON") };
    let ready = event(&run.stdout.next());
    assert_eq!(ready["event"], "listening");
    let address = ready["address"].as_str().expect("an address");
    let address = address.strip_prefix("tcp://").expect("TCP");
    let mut ann = Nc::connect(address.parse().expect("an address")).called("ann");
    ann.types("hello\n/quit\n");
    ann.rest();
    let entered = event(&run.stdout.until("entered"));
    assert!(
        entered["address"]
            .as_str()
            .is_some_and(|from| from.starts_with("127.0.0.1:"))
    );
    let renamed = event(&run.stdout.until("renamed"));
    assert_eq!(renamed["to"], "ann");
    let said = event(&run.stdout.until("hello"));
    assert_eq!(said["event"], "message");
    assert_eq!(said["id"], 1);
    assert_eq!(event(&run.stdout.until("departed"))["why"], "quit");
    #[cfg(unix)]
    {
        run.signal(rustix::process::Signal::TERM);
        assert_eq!(run.ends(), 143);
        assert_eq!(run.stderr.rest(), Vec::<String>::new());
    }
}

#[test]
fn the_operator_sees_who_says_what_and_quiet_means_quiet() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    ann.types("hello\n/me waves\n");
    assert!(
        server
            .run
            .stdout
            .until("joined")
            .contains("from 127.0.0.1:")
    );
    let line = server.run.stdout.until("hello");
    assert!(line.ends_with(" #lobby <ann> hello"), "{line}");
    let action = server.run.stdout.until("waves");
    assert!(action.ends_with(" #lobby * <ann> waves"), "{action}");

    let mut quiet = Server::start(&["-q"]);
    let mut bob = quiet.nc().called("bob");
    bob.types("hello\n/quit\n");
    bob.rest();
    quiet.run.kill();
    assert_eq!(quiet.run.stdout.rest(), Vec::<String>::new());
    assert_eq!(quiet.run.stderr.rest(), Vec::<String>::new());
}

#[test]
fn an_address_that_is_taken_is_status_3_and_says_so() {
    let server = Server::start(&[]);
    let address = server.socket_address().to_string();
    let run = run_with(&["serve-chat", &address], "");
    assert_eq!(run.status.code(), Some(3));
    let text = stderr(&run);
    assert!(
        text.starts_with(&format!("sockkit: cannot listen on {address}: ")),
        "{text}"
    );
}

#[test]
fn a_closed_stdout_does_not_stop_the_chat() {
    use std::process::Stdio;
    let mut child = sockkit(&["serve-chat", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let mut ready = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().expect("piped"));
    std::io::BufRead::read_line(&mut stderr, &mut ready).expect("a ready line");
    let address = ready.trim().rsplit("tcp://").next().expect("an address");
    let mut ann = Nc::connect(address.parse().expect("an address")).called("ann");
    let mut bob = Nc::connect(address.parse().expect("an address")).called("bob");
    for number in 0..50 {
        ann.types(&format!("line {number}\n"));
        assert_eq!(bob.until("line"), format!("<ann> line {number}"));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn a_password_is_asked_of_people_and_of_programs() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("password");
    fs::write(&file, "open sesame\n").expect("written");
    let server = Server::start(&["--password-file", text(&file)]);
    let mut ann = server.nc();
    ann.until("password");
    ann.types("wrong\nopen sesame\n/nick ann\n");
    ann.until("wrong password");
    ann.until("you are ann now");
    let mut bob = server.nc();
    bob.types("a\nb\nc\n");
    assert!(
        bob.rest()
            .last()
            .is_some_and(|line| line.contains("wrong password"))
    );

    let empty = dir.path().join("empty");
    fs::File::create(&empty)
        .and_then(|mut file| file.write_all(b"\n"))
        .expect("written");
    let run = run_with(
        &["serve-chat", "127.0.0.1:0", "--password-file", text(&empty)],
        "",
    );
    assert_eq!(
        run.status.code(),
        Some(2),
        "an empty password locks no door"
    );
}

#[test]
fn limits_are_told_to_whoever_meets_them() {
    let server = Server::start(&["--max-clients", "2", "--max-line", "100"]);
    let mut ann = server.nc().called("ann");
    let _bob = server.nc().called("bob");
    let mut eve = server.nc();
    assert_eq!(eve.rest(), ["* the server is full: 2 clients"]);
    ann.types(&format!("{}\n", "x".repeat(101)));
    ann.until("too long: the limit is 100 bytes");

    let picky = Server::start(&["--deny", "127.0.0.0/8"]);
    assert_eq!(
        picky.nc().rest(),
        ["* your address is not let in by this server"]
    );
}

/// What only Unix has: signals, Unix sockets, limits of a process.
#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::process::Signal;

    use super::*;
    use crate::support::{PATIENCE, Running};

    fn unix_address(path: &Path) -> String {
        format!("unix:{}", text(path))
    }

    #[test]
    fn a_signal_ends_the_server_after_a_notice() {
        for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
            let mut server = Server::start(&[]);
            let mut ann = server.nc().called("ann");
            server.run.signal(signal);
            let mut expected = status;
            if is_ignored_here(signal) {
                ann.types("/ping\n");
                ann.until("pong");
                server.run.signal(Signal::TERM);
                expected = 143;
            }
            assert_eq!(
                ann.rest().last().map(String::as_str),
                Some("* the server is shutting down")
            );
            assert_eq!(server.run.ends(), expected);
        }
    }

    /// Whether whoever runs the tests has a signal ignored, as nohup(1) and a script's `&` do: then it is by
    /// every child as well, and a server goes on.
    fn is_ignored_here(signal: Signal) -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))
            .map(|mask| u64::from_str_radix(mask.trim(), 16).expect("a mask"));
        mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
    }

    #[test]
    fn a_member_that_does_not_read_cannot_hold_up_the_end() {
        let mut server = Server::start(&["--drain", "100ms", "--rate", "off"]);
        let _deaf = server.nc();
        let mut ann = server.nc().called("ann");
        // More than the kernel keeps for somebody who does not read.
        for _ in 0..200 {
            ann.types(&format!("{}\n", "x".repeat(4000)).repeat(20));
        }
        server.run.signal(Signal::TERM);
        assert_eq!(server.run.ends(), 143);
    }

    #[test]
    fn a_unix_socket_is_private_and_gone_at_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("chat");
        let address = unix_address(&path);
        let mut server = Server::listening_on(&["127.0.0.1:0", &address], &[]);
        let mode = fs::metadata(&path).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut ann = server.nc().called("ann");
        let mut bob = UnixStream::connect(&path).expect("it listens");
        bob.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        bob.write_all(b"hello by the socket\n").expect("it reads");
        assert!(ann.until("by the socket").starts_with("<guest-"));
        server.run.signal(Signal::TERM);
        assert_eq!(server.run.ends(), 143);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_servers_unix_socket_is_replaced_and_a_live_ones_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("chat");
        let address = unix_address(&path);
        let mut dead = Server::listening_on(&[&address], &[]);
        dead.run.kill();
        assert!(path.exists(), "kill -9 leaves the file");
        let live = Server::listening_on(&[&address], &["--unix-mode", "660"]);
        let mode = fs::metadata(&path).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let run = run_with(&["serve-chat", &address], "");
        assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
        UnixStream::connect(&path).expect("the live one was left alone");
        drop(live);

        let file = dir.path().join("file");
        fs::write(&file, "precious").expect("written");
        let run = run_with(&["serve-chat", &unix_address(&file)], "");
        assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
        assert_eq!(fs::read(&file).expect("still there"), b"precious");
    }

    #[test]
    fn operators_rule_by_their_socket() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("admin");
        let mut server = Server::start(&["--admin-socket", text(&path)]);
        let mut ann = server.nc().called("ann");
        let mut bob = server.nc().called("bob");
        let mode = fs::metadata(&path).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut operator = UnixStream::connect(&path).expect("it listens");
        operator
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout");
        let mut answers = BufReader::new(operator.try_clone().expect("a handle")).lines();
        let mut until = |part: &str| {
            answers
                .by_ref()
                .map(|line| line.expect("a line"))
                .find(|line| line.contains(part))
                .expect("an answer")
        };
        operator.write_all(b"/who\n").expect("it reads");
        let line = until("ann ");
        assert!(
            line.contains(" 127.0.0.1:") && line.contains("bytes to send"),
            "{line}"
        );
        operator
            .write_all(b"/set max-line 64\n/set rate fast\n")
            .expect("it reads");
        until("max-line 64");
        until("a rate is");
        operator.write_all(b"/kick bob spam\n").expect("it reads");
        assert!(bob.rest().last().is_some_and(|line| line.contains("spam")));
        assert!(ann.until("left").contains("bob"));
        operator.write_all(b"/shutdown\n").expect("it reads");
        until("shutting down");
        ann.rest();
        assert_eq!(server.run.ends(), 0, "the operator's wish is no failure");
        assert!(!path.exists());
    }

    #[test]
    fn running_out_of_descriptors_is_survived() {
        let script = "ulimit -n 64; exec \"$0\" serve-chat 127.0.0.1:0";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_sockkit")]);
        let server = Server::from_command(&mut command, 1);
        let mut crowd: Vec<Nc> = (0..100).map(|_| server.nc()).collect();
        server.run.stdout.until("out of file descriptors");
        // Those who are in can talk all the while.
        crowd[0].types("/nick first\n");
        crowd[0].until("you are first now");
        crowd[1].types("hello\n");
        crowd[0].until("hello");
        crowd.truncate(1);
        server.run.stdout.until("accepted again");
        let mut late = server.nc().called("late");
        late.types("in after all\n");
        crowd[0].until("<late> in after all");
    }

    /// Three clients talk while the server is killed again and again: what was acknowledged is in the log, in order
    /// and once, and what was not is sent again.
    #[test]
    fn acknowledged_lines_survive_kill_9() {
        const TYPISTS: usize = 3;
        const KILLS: usize = 5;
        let dir = tempfile::tempdir().expect("a directory");
        let address = unix_address(&dir.path().join("chat"));
        let log = dir.path().join("log");
        let start = || {
            let arguments = ["--log", text(&log), "--rate", "off", "--quiet"];
            Server::listening_on(&[&address], &arguments)
        };
        let mut server = start();
        let mut chats = Vec::new();
        let mut writers = Vec::new();
        let enough = Arc::new(AtomicBool::new(false));
        for typist in 0..TYPISTS {
            let nick = format!("typist{typist}");
            let mut chat = Running::start(&mut sockkit(&[
                "chat", &address, "--nick", &nick, "--retry", "60s", "--quiet",
            ]));
            let mut stdin = chat.stdin.take().expect("piped");
            let enough = Arc::clone(&enough);
            writers.push(thread::spawn(move || {
                // The client takes no more than a window of lines ahead, so this goes on as long as the kills do.
                let mut written = 0;
                while !enough.load(Ordering::Relaxed) {
                    // A client that has ended says why, below.
                    if writeln!(stdin, "{typist} {written}").is_err() {
                        break;
                    }
                    written += 1;
                }
                written
            }));
            chats.push(chat);
        }
        let heard = || {
            let watcher = UnixStream::connect(dir.path().join("chat")).expect("it listens");
            watcher.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            BufReader::new(watcher).lines().map_while(Result::ok)
        };
        // A client that was never in does not try again, so all are before the first kill.
        let mut missing: Vec<String> = (0..TYPISTS).map(|n| format!("<typist{n}>")).collect();
        let mut lines = heard();
        while !missing.is_empty() {
            let line = lines.next().expect("somebody speaks");
            missing.retain(|nick| !line.contains(nick));
        }
        drop(lines);
        for _ in 0..KILLS {
            // What a member sees is safe by then.
            heard().filter(|line| line.contains("<typist")).nth(50);
            server.run.kill();
            server = start();
        }
        enough.store(true, Ordering::Relaxed);
        let written: Vec<usize> = writers
            .into_iter()
            .map(|writer| writer.join().expect("all typed"))
            .collect();
        for chat in &mut chats {
            assert_eq!(chat.ends(), 0, "{:?}", chat.stderr.rest());
        }
        drop(server);

        let text = fs::read_to_string(log.join("lobby.jsonl")).expect("a log");
        let mut next = vec![0; TYPISTS];
        for (index, line) in text.lines().enumerate() {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(entry["id"], index + 1);
            let said = entry["text"].as_str().expect("a text");
            let (typist, number) = said.split_once(' ').expect("two numbers");
            let typist: usize = typist.parse().expect("a typist");
            assert_eq!(number, next[typist].to_string(), "in order, once: {line}");
            next[typist] += 1;
        }
        assert_eq!(written, next);
    }

    /// With a log that cannot be written nobody is told a line that is not kept.
    #[test]
    fn a_full_disk_refuses_lines_and_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        // POSIX: the limit is in units of 512 bytes. With the signal ignored, write(2) fails with EFBIG.
        let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_sockkit")])
            .args(["serve-chat", "127.0.0.1:0", "--rate", "off", "--log"])
            .arg(dir.path());
        let server = Server::from_command(&mut command, 1);
        let mut bob = server.nc().called("bob");
        let text = "x".repeat(500);
        let say = |number: usize| {
            let line = format!("{number} {text}");
            run_with(&["chat", server.address(), "--send", &line], "")
        };
        let mut kept = 0;
        let refused = loop {
            let run = say(kept);
            if run.status.code() != Some(0) {
                break run;
            }
            kept += 1;
            assert!(kept < 100, "the limit was never reached");
        };
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        assert!(
            stderr(&refused).contains("not delivered"),
            "{}",
            stderr(&refused)
        );
        let log = fs::read_to_string(dir.path().join("lobby.jsonl")).expect("a log");
        assert!(log.ends_with('\n') && log.lines().count() == kept, "{log}");
        for number in 0..kept {
            assert!(bob.until("> ").contains(&format!("> {number} x")));
        }
    }

    /// One of the members never reads: the others miss nothing, memory stays within bounds, and once it reads it
    /// is told how much it missed.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_member_that_never_reads_harms_nobody() {
        let server = Server::start(&["--rate", "off", "--send-queue", "64KiB", "--quiet"]);
        let mut deaf = server.nc().called("deaf");
        let mut ann = server.nc().called("ann");
        let mut bob = server.nc().called("bob");
        let resident = || {
            let status = fs::read_to_string(format!("/proc/{}/status", server.run.id()))
                .expect("a running server");
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .expect("a size");
            line.trim()
                .trim_end_matches(" kB")
                .parse::<u64>()
                .expect("a number")
        };
        let before = resident();
        let text = "x".repeat(1000);
        let total = 20_000;
        for number in 0..total {
            ann.types(&format!("{number} {text}\n"));
            if number % 100 == 99 {
                assert!(bob.until(&format!("<ann> {number} ")).ends_with(&text));
            }
        }
        let grown = resident().saturating_sub(before);
        // The room's memory of 1,000 lines, twice the queue, and what an allocator keeps.
        assert!(grown < 8 * 1024, "{grown} KiB more for 20 MB of talk");
        let skipped = deaf.until("lines skipped");
        let count: u64 = skipped
            .split(' ')
            .nth(1)
            .and_then(|count| count.parse().ok())
            .expect("a number");
        assert!(count > 0, "{skipped}");
        deaf.until(&format!("<ann> {} ", total - 1));
    }

    #[test]
    fn a_flood_of_connections_that_are_reset_is_survived() {
        let server = Server::start(&["--rate", "off"]);
        let mut ann = server.nc().called("ann");
        for number in 0..500 {
            let guest = server.nc();
            if number % 2 == 0 {
                (&guest.stream)
                    .write_all(b"half a line")
                    .expect("it is read");
            }
            let socket = socket2::SockRef::from(&guest.stream);
            socket
                .set_linger(Some(std::time::Duration::ZERO))
                .expect("SO_LINGER");
        }
        let mut bob = server.nc().called("bob");
        bob.types("still here\n");
        ann.until("<bob> still here");
    }
}
