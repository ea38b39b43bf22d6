//! `inspect` and `-o`, with the real binary.

use std::net::{TcpListener, UdpSocket};

use serde_json::Value;

use crate::support::{Running, run_with, sockkit, stderr, stdout, text};

/// Runs `inspect --json` and reads its events.
#[track_caller]
fn inspect(arguments: &[&str]) -> Vec<Value> {
    let run = run_with(&[&["--json", "inspect"], arguments].concat(), "");
    assert_eq!(
        run.status.code(),
        Some(0),
        "{arguments:?}: {}",
        stderr(&run)
    );
    stdout(&run)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect()
}

/// Every value has a value or a reason, whatever the section.
#[track_caller]
fn check_schema(event: &Value) {
    assert_eq!(event["event"], "inspect");
    for (section, body) in event.as_object().expect("an object") {
        let rows: Vec<&Value> = match body {
            Value::Object(_) => vec![body],
            Value::Array(rows) if section != "remarks" => rows.iter().collect(),
            _ => continue,
        };
        for (name, cell) in rows.iter().flat_map(|row| row.as_object().expect("a row")) {
            let missing = cell.get("missing").and_then(Value::as_str);
            let known = ["unsupported", "not_applicable", "denied"];
            let is_right = match (cell.get("value"), missing) {
                (Some(_), None) => true,
                (None, Some(reason)) => known.contains(&reason),
                _ => false,
            };
            assert!(is_right, "{section}.{name}: {cell}");
        }
    }
}

#[test]
fn the_host_is_described_with_one_schema() {
    for arguments in [&[][..], &["--all"]] {
        let events = inspect(arguments);
        assert_eq!(events.len(), 1);
        check_schema(&events[0]);
        assert_eq!(events[0]["kind"], "host");
        let defaults = events[0]["defaults"].as_array().expect("a table");
        let nodelay = defaults
            .iter()
            .find(|row| row["option"]["value"] == "TCP_NODELAY");
        assert_eq!(nodelay.expect("in the matrix")["tcp4"]["value"], false);
    }
}

#[test]
fn an_address_is_resolved_connected_and_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let events = inspect(&[&address, "-o", "linger=5s"]);
    check_schema(&events[0]);
    assert_eq!(events[0]["socket"]["remote"]["value"], address.as_str());
    assert_eq!(
        events[0]["options"]["TCP_NODELAY"]["value"], true,
        "the client's profile"
    );
    assert_eq!(events[0]["options"]["SO_LINGER"]["value"], 5);
    assert_eq!(events[0]["attempts"][0]["outcome"]["value"], "connected");
    assert_eq!(events[0]["asked"][0]["granted"]["unit"], "s");
    if cfg!(target_os = "linux") {
        assert_eq!(events[0]["tcp_info"]["state"]["value"], "ESTABLISHED");
    }
}

#[test]
fn datagram_and_listening_sockets_are_shown_too() {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = format!("udp://{}", peer.local_addr().expect("an address"));
    let events = inspect(&[&address]);
    check_schema(&events[0]);
    assert_eq!(events[0]["socket"]["kind"]["value"], "udp4");
    let events = inspect(&["--listen", "127.0.0.1:0"]);
    check_schema(&events[0]);
    assert_ne!(events[0]["socket"]["local"]["value"], "127.0.0.1:0");
    if cfg!(target_os = "linux") {
        assert_eq!(events[0]["tcp_info"]["backlog"]["value"], 1024);
        assert_eq!(events[0]["tcp_info"]["backlog"]["unit"], "connections");
    }
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_shown_by_their_names() {
    use std::os::unix::net::{UnixDatagram, UnixListener};
    let folder = tempfile::tempdir().expect("a folder");
    let (stream, datagram) = (folder.path().join("s"), folder.path().join("d"));
    let _stream = UnixListener::bind(&stream).expect("a listener");
    let _datagram = UnixDatagram::bind(&datagram).expect("a socket");
    for (address, kind) in [
        (format!("unix:{}", text(&stream)), "unix"),
        (format!("unix:{}", text(&datagram)), "unix-datagram"),
        (format!("unixgram:{}", text(&datagram)), "unix-datagram"),
    ] {
        let events = inspect(&[&address]);
        check_schema(&events[0]);
        assert_eq!(events[0]["socket"]["kind"]["value"], kind, "{address}");
        assert_eq!(events[0]["socket"]["local"]["value"], "unnamed");
    }
    let ours = folder.path().join("ours");
    for scheme in ["unix", "unixgram"] {
        let events = inspect(&["--listen", &format!("{scheme}:{}", text(&ours))]);
        let local = events[0]["socket"]["local"]["value"].as_str();
        assert_eq!(local, Some(format!("unix:{}", text(&ours)).as_str()));
        assert!(!ours.exists(), "it goes with the program");
    }
    let run = run_with(&["inspect", &format!("unixgram:{}", text(&ours))], "");
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
}

#[test]
fn tls_is_for_others_to_speak() {
    for arguments in [
        &["tls://127.0.0.1:9"][..],
        &["--listen", "tls://127.0.0.1:0"],
    ] {
        let run = run_with(&[&["inspect"], arguments].concat(), "");
        assert_eq!(run.status.code(), Some(2));
        assert!(
            stderr(&run).contains("inspect does not speak TLS"),
            "{}",
            stderr(&run)
        );
    }
}

/// A listener whose backlog is full: to whoever connects now Linux is silent, as the other side of the world may be.
#[cfg(target_os = "linux")]
fn silent() -> (std::net::SocketAddr, [socket2::Socket; 2]) {
    use socket2::{Domain, Socket, Type};
    let open = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let (listener, first) = (open(), open());
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    listener.bind(&any.into()).expect("a port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().expect("an address");
    first.connect(&address).expect("there is room for one");
    (address.as_socket().expect("of IP"), [listener, first])
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_nobody_has_answered_tells_where_it_goes() {
    let (address, _kept) = silent();
    let open = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let waiting = open.expect("a socket");
    waiting.set_nonblocking(true).expect("it does not wait");
    waiting.connect(&address.into()).expect_err("no answer");
    let local = waiting.local_addr().expect("an address").as_socket();
    let local = local.expect("of IP").to_string();
    let events = inspect(&["--pid", &std::process::id().to_string()]);
    let ours = events
        .iter()
        .find(|event| event["socket"]["local"]["value"] == local.as_str())
        .expect("it is among them");
    assert_eq!(ours["socket"]["state"]["value"], "SYN-SENT");
    assert_eq!(
        ours["socket"]["remote"]["value"],
        address.to_string().as_str()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_attempt_that_nobody_answers_is_shown() {
    let (address, _kept) = silent();
    let port = address.port();
    let address = address.to_string();
    let arguments = ["--json", "inspect", &address, "--connect-timeout", "50ms"];
    let run = run_with(&arguments, "");
    assert_eq!(run.status.code(), Some(4), "{}", stderr(&run));
    let event: Value = serde_json::from_str(&stdout(&run)).expect("an event");
    assert_eq!(event["attempts"][0]["address"]["value"], address.as_str());
    assert_eq!(event["attempts"][0]["outcome"]["value"], "timed out");
    assert_eq!(event["resolution"]["port"]["value"], port);
}

#[test]
fn what_was_granted_is_told_with_the_reason() {
    let run = run_with(&["inspect", "-o", "SO_RCVBUF=64KiB", "-o", "nodelay"], "");
    let shown = stdout(&run);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(shown.contains("TCP_NODELAY"), "{shown}");
    if cfg!(target_os = "linux") {
        let row = shown.lines().find(|line| line.starts_with("SO_RCVBUF"));
        assert!(
            row.is_some_and(|row| row.contains("128KiB") && row.contains("doubled by Linux")),
            "{shown}"
        );
    }
}

#[test]
fn options_that_cannot_be_set_say_why() {
    for (setting, status, says) in [
        ("SO_RCVBUFF=1", 2, "did you mean SO_RCVBUF"),
        ("SO_RCVBUF=-1", 2, "its value is between"),
        ("SO_RCVBUF=5s", 2, "a number of bytes"),
        ("SO_TYPE=1", 2, "it can only be read"),
        ("IPV6_V6ONLY=on", 2, "it is for IPv6, not for this socket"),
    ] {
        let run = run_with(&["inspect", "--listen", "127.0.0.1:0", "-o", setting], "");
        assert_eq!(
            run.status.code(),
            Some(status),
            "{setting}: {}",
            stderr(&run)
        );
        assert!(stderr(&run).contains(says), "{setting}: {}", stderr(&run));
        assert_eq!(stdout(&run), "");
    }
    if cfg!(target_os = "linux") {
        let run = run_with(&["inspect", "-o", "TCP_CONGESTION=nosuch"], "");
        assert_eq!(run.status.code(), Some(3));
        assert!(
            stderr(&run).contains("hint: available here: "),
            "{}",
            stderr(&run)
        );
        let run = run_with(&["inspect", "-o", "TCP_KEEPIDLE=0"], "");
        assert_eq!(run.status.code(), Some(3));
        assert!(
            stderr(&run).contains("hint: it takes 1s to 32767s"),
            "{}",
            stderr(&run)
        );
    }
}

/// As with a program that sets both: the class of service decides the priority.
#[cfg(target_os = "linux")]
#[test]
fn options_that_are_asked_together_are_set_on_one_socket() {
    let events = inspect(&["-o", "SO_PRIORITY=1", "-o", "IP_TOS=CS4", "-o", "UDP_GRO"]);
    let asked = events[0]["asked"].as_array().expect("a table");
    let row = |name: &str| {
        let found = asked.iter().find(|row| row["option"]["value"] == name);
        found.expect("it was asked")
    };
    assert_ne!(row("SO_PRIORITY")["granted"]["value"], 1);
    assert_eq!(row("UDP_GRO")["granted"]["value"], true);
    let events = inspect(&["-o", "keepalive=on", "-o", "keepalive=off"]);
    let first = &events[0]["asked"][0];
    assert_eq!(first["granted"]["value"], false);
    assert_eq!(first["why"]["value"], "it was set again after that");
}

#[test]
fn a_server_and_a_client_take_options_and_tell_what_was_granted() {
    let mut server = sockkit(&["-v", "serve-chat", "127.0.0.1:0", "-o", "nodelay=off"]);
    let run = Running::start(&mut server);
    run.stderr.until("TCP_NODELAY: asked off, granted off");
    let line = run.stderr.until("listening on ");
    let (_, address) = line.split_once("tcp://").expect("an address");
    let client = run_with(
        &["-v", "chat", address, "-o", "keepidle=33s", "--send", "hi"],
        "",
    );
    assert_eq!(client.status.code(), Some(0), "{}", stderr(&client));
    // OpenBSD has none per socket, and refuses.
    assert!(
        stderr(&client).contains("TCP_KEEPIDLE: asked 33s, granted 33s"),
        "{}",
        stderr(&client)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_sockets_of_a_process_are_shown_as_it_has_them() {
    let server = crate::support::Server::start(&["-o", "SO_RCVBUF=64KiB", "-o", "tos=AF41"]);
    let pid = server.run.id().to_string();
    let local = server.socket_address().to_string();
    let events = inspect(&["--pid", &pid]);
    events.iter().for_each(check_schema);
    let ours = events
        .iter()
        .find(|event| event["socket"]["local"]["value"] == local.as_str());
    let ours = ours.expect("the listener");
    assert_eq!(ours["socket"]["state"]["value"], "LISTEN");
    assert_eq!(ours["options"]["SO_RCVBUF"]["value"], 131_072);
    assert_eq!(ours["options"]["IP_TOS"]["value"], "AF41");
    let all = inspect(&["--all-sockets"]);
    check_schema(&all[0]);
    let rows = all[0]["sockets"].as_array().expect("a table");
    let row = rows
        .iter()
        .find(|row| row["local"]["value"] == local.as_str())
        .expect("listed");
    let process = row["process"]["value"].as_str().expect("its process");
    assert!(process.contains(&pid), "{process}");
    assert_eq!(row["unsent"]["unit"], "connections", "how many may wait");
    let run = run_with(&["inspect", "--pid", &pid, "--fd", "0"], "");
    assert!(stderr(&run).contains("is no socket"), "{}", stderr(&run));
    let run = run_with(&["inspect", "--pid", &pid, "--fd", "9999"], "");
    assert!(
        stderr(&run).contains("has no descriptor 9999"),
        "{}",
        stderr(&run)
    );
}

/// What is remarked of one socket does not make the table of all wide.
#[cfg(target_os = "linux")]
#[test]
fn remarks_on_the_sockets_of_a_process_stand_below_the_list() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let _waits = std::net::TcpStream::connect(address).expect("it connects");
    let pid = std::process::id().to_string();
    let run = run_with(&["inspect", "--pid", &pid], "");
    let shown = stdout(&run);
    let row = shown
        .lines()
        .find(|line| line.contains(&address.to_string()));
    let fd = row.and_then(|row| row.split(' ').next()).expect("its row");
    let remark = format!("note: fd {fd}: 1 of 128 connections wait to be accepted");
    assert!(
        shown.lines().any(|line| line == remark),
        "{remark} in\n{shown}"
    );
}

/// A client's socket has no name of its own; the other end's is that of the server.
#[cfg(target_os = "linux")]
#[test]
fn the_other_end_of_a_unix_socket_is_named_where_it_has_a_name() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("server");
    let listener = UnixListener::bind(&path).expect("a listener");
    let _client = UnixStream::connect(&path).expect("it connects");
    let _server = listener.accept().expect("it is accepted");
    let events = inspect(&["--all-sockets"]);
    let rows = events[0]["sockets"].as_array().expect("a table");
    let name = format!("unix:{}", text(&path));
    let client = rows
        .iter()
        .find(|row| row["remote"]["value"] == name.as_str())
        .expect("the client");
    assert_eq!(client["state"]["value"], "connected");
    let listening = rows
        .iter()
        .find(|row| row["local"]["value"] == name.as_str() && row["state"]["value"] == "listening");
    assert!(listening.is_some());
}

#[test]
fn a_process_that_is_not_there_says_so() {
    let run = run_with(&["inspect", "--pid", "2147483647"], "");
    assert_ne!(run.status.code(), Some(0));
    assert_eq!(stdout(&run), "");
    if cfg!(target_os = "linux") {
        assert_eq!(
            stderr(&run),
            "sockkit: cannot inspect process 2147483647: there is no such process\n"
        );
    }
}

#[test]
fn an_option_has_a_page_and_the_catalogue_a_list() {
    let run = run_with(&["inspect", "--explain", "linger"], "");
    assert!(stdout(&run).contains("SO_LINGER"), "{}", stdout(&run));
    let run = run_with(&["inspect", "--explain", "lingre"], "");
    assert_eq!(run.status.code(), Some(2));
    assert!(
        stderr(&run).contains("did you mean SO_LINGER"),
        "{}",
        stderr(&run)
    );
    let events = inspect(&["--explain", "SO_LINGER"]);
    assert_eq!(events[0]["defaults"]["tcp4"]["value"], "off", "here");
    let events = inspect(&["--explain"]);
    assert!(
        events[0]["catalogue"]
            .as_array()
            .is_some_and(|list| list.len() > 350)
    );
}

#[test]
fn a_saved_report_is_compared_with_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for (path, setting) in [(&a, "SO_KEEPALIVE=on"), (&b, "SO_KEEPALIVE=off")] {
        let run = run_with(
            &[
                "--json",
                "inspect",
                "-4",
                "--listen",
                "localhost:0",
                "-o",
                setting,
            ],
            "",
        );
        std::fs::write(path, run.stdout).expect("written");
    }
    let run = run_with(&["inspect", "--diff", text(&a), text(&b)], "");
    let shown = stdout(&run);
    let row = shown
        .lines()
        .find(|line| line.starts_with("options.SO_KEEPALIVE "));
    let words: Vec<&str> = row.expect("it differs").split_whitespace().collect();
    assert_eq!(words[1..], ["true", "false"], "{shown}");
    let run = run_with(&["inspect", "--diff", "server", "nosuchfile"], "");
    assert_eq!(run.status.code(), Some(2));
    assert!(
        stderr(&run).contains("a file that inspect --json wrote"),
        "{}",
        stderr(&run)
    );
    let run = run_with(&["inspect", "--diff", "server", "server"], "");
    assert_eq!(stdout(&run), "note: no differences\n");
}

#[test]
fn an_ip_address_is_shown_in_every_notation() {
    let events = inspect(&["--address", "0xc0000201"]);
    assert_eq!(events[0]["address"]["dotted"]["value"], "192.0.2.1");
    let run = run_with(&["inspect", "--address", "256.1.1.1"], "");
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn what_this_user_may_do_is_listed() {
    check_schema(&inspect(&["--can"])[0]);
    for profile in ["server", "client"] {
        check_schema(&inspect(&["--profile", profile])[0]);
    }
}

#[cfg(unix)]
#[test]
fn a_watch_ends_clean_and_takes_its_socket_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let address = format!("unix:{}", text(&path));
    let mut run = Running::start(&mut sockkit(&[
        "inspect", "--listen", &address, "--watch", "1h",
    ]));
    run.stdout.until("SO_SNDBUF");
    assert!(path.exists());
    run.signal(rustix::process::Signal::TERM);
    assert_eq!(run.ends(), 143);
    assert!(!path.exists());
}

/// A pipe, as a shell's <(...) gives one, has no length.
#[cfg(target_os = "linux")]
#[test]
fn what_a_program_prints_is_compared_as_it_comes() {
    let saved = run_with(&["--json", "inspect", "--profile", "client"], "");
    let run = run_with(
        &["inspect", "--diff", "client", "/dev/stdin"],
        &stdout(&saved),
    );
    assert_eq!(stdout(&run), "note: no differences\n", "{}", stderr(&run));
}

/// Clocks go on whatever happens, and would bury what does.
#[cfg(target_os = "linux")]
#[test]
fn a_watch_shows_what_changes_and_when() {
    use std::io::Write;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut run = Running::start(&mut sockkit(&["inspect", &address, "--watch", "20ms"]));
    let (mut peer, _) = listener.accept().expect("it connects");
    run.stdout.until("snd_cwnd");
    peer.write_all(b"hello").expect("written");
    let line = run.stdout.until("socket.unread");
    assert!(line.ends_with("5 bytes"), "{line}");
    run.signal(rustix::process::Signal::INT);
    assert_eq!(run.ends(), 130);
}

#[cfg(unix)]
#[test]
fn an_inherited_descriptor_is_shown() {
    use std::os::fd::OwnedFd;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let local = listener.local_addr().expect("an address").to_string();
    let run = sockkit(&["--json", "inspect", "--fd", "0"])
        .stdin(OwnedFd::from(listener))
        .output()
        .expect("it runs");
    let event: Value = serde_json::from_str(&stdout(&run)).expect("an event");
    check_schema(&event);
    assert_eq!(event["socket"]["local"]["value"], local.as_str());
    let run = run_with(&["inspect", "--fd", "9999"], "");
    assert_eq!(run.status.code(), Some(1));
}
