//! `chat` end to end, in a pipe: the real binary against the real server.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::thread;

use crate::support::proxy::{Proxy, Seeded};
use crate::support::{Nc, Running, Server, run_with, sockkit, stderr, stdout};

#[test]
fn a_line_in_a_pipe_is_sent_acknowledged_and_done() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let run = run_with(&["chat", server.address(), "--nick", "ci"], "build done\n");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(ann.until("<ci>"), "<ci> build done");
    assert_eq!(stderr(&run), "");

    let run = run_with(
        &["chat", server.address(), "--send", "one", "--send", "two"],
        "ignored\n",
    );
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(ann.until("one").starts_with("<guest-"));
    assert!(ann.until("two").starts_with("<guest-"));
}

#[test]
fn a_server_that_is_not_there_is_status_3() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let run = run_with(&["chat", &address, "--retry", "0s"], "hi\n");
    assert_eq!(run.status.code(), Some(3));
    let text = stderr(&run);
    assert!(
        text.contains(&format!(
            "sockkit: cannot connect to {address}: connection refused\n"
        )),
        "{text}"
    );
}

#[test]
fn a_refusal_is_status_5_in_the_servers_words() {
    let server = Server::start(&["--max-clients", "1"]);
    let _ann = server.nc().called("ann");
    let run = run_with(&["chat", server.address()], "hi\n");
    assert_eq!(run.status.code(), Some(5), "{}", stderr(&run));
    assert!(
        stderr(&run).contains("the server is full"),
        "{}",
        stderr(&run)
    );

    let server = Server::start(&[]);
    let _ann = server.nc().called("ann");
    let run = run_with(&["chat", server.address(), "--nick", "Ann"], "hi\n");
    assert_eq!(run.status.code(), Some(5));
    assert!(stderr(&run).contains("taken"), "{}", stderr(&run));
}

#[test]
fn a_command_that_is_not_obeyed_is_status_1_and_named() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    for (line, why) in [
        ("/jion #tea", "there is no /jion; did you mean /join?"),
        ("/nick ann", "the nick ann is taken"),
        ("/msg bob hello", "nobody here is called bob"),
    ] {
        let run = run_with(
            &["chat", server.address(), "--nick", "ci"],
            &format!("{line}\nbye\n"),
        );
        assert_eq!(run.status.code(), Some(1), "{line}: {}", stderr(&run));
        assert!(stderr(&run).contains(why), "{line}: {}", stderr(&run));
        // What came after it was said all the same.
        assert_eq!(ann.until("<ci>"), "<ci> bye");
    }
}

#[test]
fn something_else_than_our_server_is_status_6() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let web = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    let run = run_with(&["chat", &address], "hi\n");
    assert_eq!(run.status.code(), Some(6), "{}", stderr(&run));
    web.join().expect("it served");
}

#[test]
fn a_password_comes_from_the_environment() {
    let mut command = sockkit(&["serve-chat", "127.0.0.1:0"]);
    let server = Server::from_command(command.env("SOCKKIT_PASSWORD", "open sesame"), 1);
    let chat = |password: Option<&str>| {
        let mut command = sockkit(&["chat", server.address(), "--send", "hi"]);
        if let Some(password) = password {
            command.env("SOCKKIT_PASSWORD", password);
        }
        command.output().expect("it runs")
    };
    assert_eq!(chat(Some("open sesame")).status.code(), Some(0));
    assert_eq!(chat(Some("wrong")).status.code(), Some(5));
    let without = chat(None);
    assert_eq!(without.status.code(), Some(5));
    assert!(
        stderr(&without).contains("password"),
        "{}",
        stderr(&without)
    );
}

#[test]
fn expect_prints_the_match_and_count_counts() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut waiting = Running::start(&mut sockkit(&[
        "chat",
        server.address(),
        "--expect",
        "deploy v[0-9.]+",
        "--nick",
        "ci",
    ]));
    ann.until("ci joined");
    ann.types("nothing yet\nplease deploy v1.2.3 now\n");
    assert_eq!(waiting.stdout.next(), "deploy v1.2.3");
    assert_eq!(waiting.ends(), 0);

    let mut counting = Running::start(&mut sockkit(&[
        "chat",
        server.address(),
        "--count",
        "2",
        "--nick",
        "counter",
        "--no-history",
    ]));
    ann.until("counter joined");
    ann.types("one\ntwo\nthree\n");
    assert_eq!(counting.ends(), 0);
    assert_eq!(counting.stdout.rest(), ["<ann> one", "<ann> two"]);
}

/// The last that is printed counts as well: nobody is told of success who did not get the output.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_status_1_however_late_it_is_noticed() {
    let full = || std::fs::File::create("/dev/full").expect("a device");
    let server = Server::start(&[]);
    let chat = ["chat", server.address(), "--json", "--send", "hi"];
    for arguments in [&chat[..], &["--help"], &["man"]] {
        let run = sockkit(arguments).stdout(full()).output().expect("it runs");
        assert_eq!(run.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&run).contains("cannot write to stdout"));
    }
}

#[test]
fn a_timeout_is_status_4() {
    let server = Server::start(&[]);
    let run = run_with(
        &[
            "chat",
            server.address(),
            "--expect",
            "never",
            "--timeout",
            "200ms",
        ],
        "",
    );
    assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
}

#[test]
fn with_json_every_line_of_stdout_is_an_event() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut chat = Running::start(&mut sockkit(&[
        "chat",
        server.address(),
        "--json",
        "--follow",
        "--nick",
        "bob",
    ]));
    ann.until("bob joined");
    ann.types("hi \x1b[2J\n");
    let line = chat.stdout.until("\"message\"");
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(event["nick"], "ann");
    assert_eq!(event["text"], "hi \\x1b[2J");
    assert_eq!(event["room"], "#lobby");
    chat.kill();
    for line in chat.stdout.rest() {
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON");
    }
}

#[test]
fn a_closed_stdout_ends_it_without_a_word() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut child = sockkit(&["chat", server.address(), "--follow", "--nick", "bob"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    ann.until("bob joined");
    drop(child.stdout.take());
    // A child that another test is just starting may hold a copy of the pipe's end for a moment, so one line may
    // be too few.
    while child.try_wait().expect("it can be waited for").is_none() {
        ann.types("hello\n/ping\n");
        ann.until("pong");
    }
    let run = child.wait_with_output().expect("it ended");
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(stderr(&run), "");
}

/// Through a network that is cut a hundred times at random bytes: what ann says arrives once and in order, and
/// what the others say reaches her once and in order.
#[test]
fn no_line_is_lost_or_doubled_when_the_network_is_cut_a_hundred_times() {
    const CUTS: usize = 100;
    const LINES: usize = 3000;
    // What is said while ann is cut off has to fit the room's memory, or it is gone and she is told so.
    let server = Server::start(&["--rate", "off", "--history", "5000"]);
    let mut seeded = Seeded(20_261_125);
    let budgets = (0..CUTS).map(|_| seeded.below(6000)).collect();
    let proxy = Proxy::start(server.socket_address(), budgets);

    let mut bob = server.nc().called("bob");
    let mut chat = Running::start(&mut sockkit(&[
        "chat",
        &proxy.address.to_string(),
        "--nick",
        "ann",
        "--retry",
        "60s",
        "--no-history",
        "--quiet",
    ]));
    bob.until("ann joined");
    let mut stdin = chat.stdin.take().expect("piped");
    let typist = thread::spawn(move || {
        for number in 0..LINES {
            writeln!(stdin, "ann says {number} with some words to fill the line")
                .expect("it reads");
        }
    });
    let mut talker = server.nc().called("carl");
    for number in 0..LINES {
        talker.types(&format!("carl says {number}\n"));
    }
    for number in 0..LINES {
        let line = bob.until("<ann> ");
        assert_eq!(
            line,
            format!("<ann> ann says {number} with some words to fill the line")
        );
    }
    typist.join().expect("all typed");
    assert_eq!(chat.ends(), 0, "{:?}", chat.stderr.rest());
    let heard = chat.stdout.rest();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &heard {
        *times.entry(line).or_default() += 1;
    }
    let said: Vec<&String> = heard
        .iter()
        .filter(|line| line.contains("carl says"))
        .collect();
    for (number, line) in said.iter().enumerate() {
        assert_eq!(
            **line,
            format!("<carl> carl says {number}"),
            "in order, none missing"
        );
    }
    assert!(
        times
            .iter()
            .all(|(line, &n)| n == 1 || !line.contains("says")),
        "twice"
    );
    assert!(
        proxy.connections() > CUTS / 2,
        "{} connections",
        proxy.connections()
    );
}

#[cfg(unix)]
#[test]
fn messages_are_handed_to_a_program_without_a_shell() {
    use std::os::unix::fs::PermissionsExt;

    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("on message");
    let out = dir.path().join("out");
    let body = format!(
        "#!/bin/sh\nprintf '%s|%s|%s\\n' \"$SOCKKIT_NICK\" \"$SOCKKIT_ROOM\" \"$SOCKKIT_TEXT\" >> '{}'\n",
        out.display()
    );
    std::fs::write(&script, body).expect("written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).expect("a script");
    let mut chat = Running::start(&mut sockkit(&[
        "chat",
        server.address(),
        "--nick",
        "bot",
        "--count",
        "2",
        "--exec",
        crate::support::text(&script),
        "--exec-max",
        "1",
    ]));
    ann.until("bot joined");
    ann.types("$(touch /tmp/owned); `id`\nsecond\n");
    assert_eq!(chat.ends(), 0, "{:?}", chat.stderr.rest());
    let lines = std::fs::read_to_string(&out).expect("the program ran");
    assert_eq!(
        lines,
        "ann|#lobby|$(touch /tmp/owned); `id`\nann|#lobby|second\n"
    );
}

#[cfg(unix)]
#[test]
fn a_program_that_is_not_there_is_told_before_anything_is_done() {
    // Nothing listens there, which would be another status.
    let run = run_with(&["chat", "127.0.0.1:1", "--exec", "/no/such/program"], "");
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(
        stderr(&run),
        "sockkit: cannot run /no/such/program: no such file or directory\n"
    );
}

#[test]
fn what_could_not_be_sent_behind_a_farewell_is_a_mistake() {
    let quits = [
        "chat",
        "127.0.0.1:1",
        "--send",
        "/quit bye",
        "--send",
        "more",
    ];
    let run = run_with(&quits, "");
    assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
    assert!(stderr(&run).contains("nothing can be sent after /quit bye"));
    // As the last it is what it should be.
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let last = [
        "chat",
        server.address(),
        "--send",
        "hi",
        "--send",
        "/quit bye",
    ];
    let run = run_with(&last, "");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(ann.until("> hi").starts_with("<guest"));
}

#[test]
fn raw_talks_to_any_server_of_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let foreign = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut nc = Nc::from_stream(stream);
        let line = nc.line();
        nc.types("user5: welcome\n");
        line
    });
    let run = run_with(&["chat", "--raw", &address], "hello there\n");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(stdout(&run), "user5: welcome\n");
    assert_eq!(
        foreign.join().expect("served").as_deref(),
        Some("hello there")
    );
}
