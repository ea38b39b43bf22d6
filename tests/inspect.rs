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
        ("SO_RCVBUF=-1", 2, "its value is within"),
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
    }
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
