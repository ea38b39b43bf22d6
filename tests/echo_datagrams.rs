//! Groups, broadcasts and senders without a name, end to end.

#![cfg(unix)]

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};

use crate::support::echo::Echo;
use crate::support::{PATIENCE, run_with, stderr, stdout, text};

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

/// A client's name that leads to the server itself, where its answers would be answered for ever.
#[test]
fn a_name_that_leads_to_the_server_itself_is_no_loop() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("echo");
    let echo = Echo::start(&[&format!("unixgram:{}", text(&path))], &["-v"]);
    let name = folder.path().join("client");
    let client = UnixDatagram::bind(&name).expect("a socket");
    std::fs::remove_file(&name).expect("it is there");
    std::os::unix::fs::symlink(&path, &name).expect("a link");
    client.send_to(b"x", &path).expect("sent");
    echo.run
        .stdout
        .until("client datagram of 1 bytes: answered");
    echo.run.stdout.until("echo datagram of 1 bytes: ourselves");
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

/// No loopback carries groups of IPv6, so they get a pair of interfaces in a network namespace of their own. The group is
/// pinged: whoever has joined answers, from an address of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_multicast_group_of_ipv6_is_joined() {
    use crate::inspect_hosts::on_a_host;
    use crate::support::Running;
    use crate::support::mounts::left_out;
    let setup = "ip link set lo up && ip link add va type veth peer name vb \
        && ip link set va addrgenmode none && ip link set vb up && ip link set va up \
        && ip addr add fe80::5/64 dev va nodad";
    let probe = on_a_host(setup, &["--version"]).output();
    match probe {
        Ok(probe) if probe.status.success() => {}
        Ok(probe) => return left_out("groups of IPv6", stderr(&probe).trim_end()),
        Err(error) => return left_out("groups of IPv6", &error.to_string()),
    }
    let arguments = ["echo", "udp://[::]:7777", "--join", "ff12::77%va", "-v"];
    let mut echo = Running::start(&mut on_a_host(setup, &arguments));
    echo.ready_on(1);
    let run = std::process::Command::new("nsenter")
        .args(["--target", &echo.id().to_string()])
        .args(["--user", "--net", "--preserve-credentials", "--"])
        .args([env!("CARGO_BIN_EXE_sockkit"), "ping"])
        .args(["udp://[ff12::77%va]:7777", "-c", "3", "-i", "1ms"])
        .output()
        .expect("it starts");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(stdout(&run).contains(" 3 received"), "{}", stdout(&run));
    echo.stdout.until("[fe80::5%");
    echo.kill();
}

/// Whoever pings a network or a group hears from addresses that it did not write to.
#[cfg(target_os = "linux")]
#[test]
fn a_network_and_a_group_are_pinged() {
    let echo = Echo::start(&["udp://0.0.0.0:0"], &["--join", "239.255.77.8%lo"]);
    let port = echo.socket_address().port();
    for (host, option) in [
        ("239.255.77.8", "IP_MULTICAST_IF=127.0.0.1"),
        ("127.255.255.255", "SO_BROADCAST=1"),
    ] {
        let address = format!("udp://{host}:{port}");
        let arguments = ["ping", &address, "-c", "3", "-i", "1ms", "-o", option];
        let run = run_with(&arguments, "");
        assert_eq!(run.status.code(), Some(0), "{host}: {}", stderr(&run));
        assert!(stdout(&run).contains(" 3 received"), "{}", stdout(&run));
    }
    let run = run_with(&["ping", &format!("udp://127.255.255.255:{port}")], "");
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    assert!(
        stderr(&run).contains("-o SO_BROADCAST=1"),
        "{}",
        stderr(&run)
    );
}

/// It may be named twice, also on all addresses together.
#[cfg(target_os = "linux")]
#[test]
fn a_group_that_no_address_hears_is_a_mistake() {
    for (address, group) in [
        ("udp://127.0.0.1:0", "239.255.77.7%lo"),
        ("udp://0.0.0.0:0", "ff12::7%lo"),
    ] {
        let run = run_with(&["echo", address, "--join", group], "");
        assert_eq!(run.status.code(), Some(2), "{}", stderr(&run));
        assert!(
            stderr(&run).contains("none of the addresses hears the group"),
            "{}",
            stderr(&run)
        );
    }
    let twice = ["--join", "239.255.77.9%lo", "--join", "239.255.77.9%lo"];
    let mut echo = Echo::start(&["udp://127.0.0.1:0", "udp://0.0.0.0:0"], &twice);
    echo.run.kill();
}
