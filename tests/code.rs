//! Transfers by a code phrase, end to end: who gets in, who does not, and what it costs to guess.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::proxy::{Fault, Harm, Proxy, Seeded};
use crate::support::{Running, sockkit, stderr, text};

const CODE: &str = "417-amber-falcon-river";

/// A directory with a file, and one for what arrives.
struct World {
    dir: TempDir,
    source: PathBuf,
    target: PathBuf,
}

impl World {
    fn new(len: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("file");
        let target = dir.path().join("to");
        fs::write(&source, Seeded(7).bytes(len)).expect("written");
        fs::create_dir(&target).expect("a directory");
        Self {
            dir,
            source,
            target,
        }
    }

    /// A recv-file that waits, and its address.
    fn receiver(&self, code: Option<&str>, arguments: &[&str]) -> (Running, SocketAddr) {
        let mut command = sockkit(&["recv-file", "127.0.0.1:0", "-d", text(&self.target)]);
        if let Some(code) = code {
            command.env("SOCKKIT_CODE", code);
        }
        let run = Running::start(command.args(arguments));
        let ready = run.stderr.until("listening on tcp://");
        let (_, address) = ready.split_once("tcp://").expect("an address");
        let address = address.split(' ').next().expect("an address");
        (run, address.parse().expect("an address"))
    }

    fn sender(&self, address: SocketAddr) -> Command {
        let mut command = sockkit(&["send-file", &address.to_string(), text(&self.source)]);
        command.args(["--retry", "0s"]);
        command
    }

    fn send(&self, address: SocketAddr, code: &str) -> Output {
        let mut command = self.sender(address);
        command.env("SOCKKIT_CODE", code).output().expect("it runs")
    }

    fn has_arrived(&self) -> bool {
        let arrived = fs::read(self.target.join("file")).ok();
        arrived.is_some() && arrived == fs::read(&self.source).ok()
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.target).expect("a directory").count() == 0
    }
}

#[test]
fn the_code_that_the_listener_makes_up_lets_the_sender_in() {
    let world = World::new(3 << 20);
    let mut command = sockkit(&["recv-file", "127.0.0.1:0", "-d", text(&world.target)]);
    let mut receiver = Running::start(&mut command);
    let line = receiver.stderr.until("on the other machine: ");
    let (_, other) = line
        .split_once("on the other machine: ")
        .expect("a command");
    let line = receiver.stderr.until("the code is ");
    let (_, code) = line.split_once("the code is ").expect("a code");
    let ready = receiver.stderr.until("listening on tcp://");
    let (_, address) = ready.split_once("tcp://").expect("an address");
    assert_eq!(other, format!("sockkit send-file {address} PATH"));
    assert!(!other.contains(code), "a command line is seen by everybody");
    // As it was heard over a telephone: the first letters of each word.
    let heard: Vec<String> = code
        .split('-')
        .map(|part| part.chars().take(3).collect::<String>().to_uppercase())
        .collect();
    let output = world.send(address.parse().expect("an address"), &heard.join(" "));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    assert!(world.has_arrived());
}

#[test]
fn each_listener_has_another_code_and_json_has_it_as_an_event() {
    let world = World::new(10);
    let mut codes = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut command = sockkit(&[
            "send-file",
            "--json",
            "--listen",
            "127.0.0.1:0",
            text(&world.source),
        ]);
        let sender = Running::start(&mut command);
        let event: serde_json::Value =
            serde_json::from_str(&sender.stdout.until("\"code\"")).expect("JSON");
        assert_eq!(event["event"], "code");
        let ready: serde_json::Value = serde_json::from_str(&sender.stdout.next()).expect("JSON");
        let address = ready["address"].as_str().expect("an address");
        let address = address.trim_start_matches("tcp://");
        let command = format!("sockkit recv-file --connect {address}");
        assert_eq!(event["command"], command);
        let code = event["code"].as_str().expect("a code").to_string();
        let output = sockkit(&[
            "recv-file",
            "--connect",
            address,
            "--retry",
            "0s",
            "-d",
            text(&world.target),
        ])
        .arg("--overwrite")
        .env("SOCKKIT_CODE", &code)
        .output()
        .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(world.has_arrived());
        codes.insert(code);
    }
    assert_eq!(codes.len(), 3);
}

#[test]
fn a_code_comes_from_a_file_or_a_descriptor_and_never_from_the_command_line() {
    let world = World::new(1000);
    let file = world.dir.path().join("code");
    fs::write(&file, format!("{CODE}\n")).expect("written");
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    let output = world
        .sender(address)
        .args(["--code-file", text(&file)])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    #[cfg(unix)]
    {
        fs::remove_file(world.target.join("file")).expect("removed");
        let (mut receiver, address) = world.receiver(Some(CODE), &[]);
        let output = world
            .sender(address)
            .args(["--code-fd", "0"])
            .stdin(fs::File::open(&file).expect("readable"))
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(receiver.ends(), 0);
    }
    let output = world
        .sender(address)
        .args(["--code", CODE])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn three_wrong_codes_end_a_listener_and_leave_nothing() {
    let world = World::new(1000);
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    for _ in 0..3 {
        let output = world.send(address, "417-amber-falcon-rocket");
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("the other end has another code"), "{said}");
    }
    assert_eq!(receiver.ends(), 5);
    let said = receiver.stderr.rest().join("\n");
    assert_eq!(said.matches("tried a wrong code").count(), 3, "{said}");
    assert!(said.contains("three wrong codes were tried"), "{said}");
    assert!(world.is_empty());
}

#[test]
fn two_wrong_codes_and_then_the_right_one_are_forgiven() {
    let world = World::new(1000);
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    for _ in 0..2 {
        assert_eq!(
            world.send(address, "some other code").status.code(),
            Some(5)
        );
    }
    let output = world.send(address, CODE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    assert!(world.has_arrived());
}

/// How long the waits are is for `core::secure::guesses` to test.
#[test]
fn a_listener_that_stays_is_not_ended_by_wrong_codes() {
    let world = World::new(1000);
    let (receiver, address) = world.receiver(Some(CODE), &["--keep-open"]);
    for _ in 0..3 {
        let output = world.send(address, "some other code");
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        receiver.stderr.until("tried a wrong code");
    }
    let output = world.send(address, CODE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(world.has_arrived());
}

#[cfg(unix)]
#[test]
fn a_program_for_each_file_is_not_told_the_code() {
    let world = World::new(10);
    let arguments = ["--on-receive", "/usr/bin/env"];
    let (mut receiver, address) = world.receiver(Some(CODE), &arguments);
    let output = world.send(address, CODE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    let told = receiver.stdout.rest().join("\n");
    assert!(told.contains("SOCKKIT_SHA256="), "{told}");
    assert!(
        !told.contains("SOCKKIT_CODE") && !told.contains(CODE),
        "{told}"
    );
}

#[test]
fn without_a_code_and_without_anybody_to_ask_nothing_is_sent() {
    let world = World::new(10);
    let (_receiver, address) = world.receiver(Some(CODE), &[]);
    let output = world
        .sender(address)
        .arg("--json")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("SOCKKIT_CODE") && said.contains("--code-file"),
        "{said}"
    );
}

#[test]
fn plain_is_said_and_is_no_way_in() {
    let world = World::new(1000);
    let mut command = sockkit(&[
        "recv-file",
        "127.0.0.1:0",
        "--plain",
        "-d",
        text(&world.target),
    ]);
    let plain = Running::start(&mut command);
    let ready = plain.stderr.until("listening on");
    assert!(ready.contains("without encryption (--plain)"), "{ready}");
    let address = ready
        .split("tcp://")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let address: SocketAddr = address.expect("an address").parse().expect("an address");
    // One end says --plain and the other does not: nothing passes in either direction.
    let output = world.send(address, CODE);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("--plain"), "{}", stderr(&output));
    let (secure, address) = world.receiver(Some(CODE), &["-v"]);
    let output = world
        .sender(address)
        .arg("--plain")
        .output()
        .expect("it runs");
    assert!(!output.status.success(), "{}", stderr(&output));
    secure.stderr.until("what came is no TLS");
    assert!(world.is_empty());
}

#[test]
fn a_peer_that_says_nothing_or_nonsense_keeps_nobody_out() {
    let world = World::new(1000);
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    let silent: Vec<TcpStream> = (0..500)
        .map(|_| TcpStream::connect(address).expect("accepted"))
        .collect();
    let mut nonsense = TcpStream::connect(address).expect("accepted");
    nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = nonsense.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("sockkit"), "{answer}");
    let output = world.send(address, CODE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    drop(silent);
    assert!(world.has_arrived());
}

#[test]
fn a_cut_in_the_middle_is_taken_up_again_with_the_same_code() {
    const LEN: usize = 16 << 20;
    let world = World::new(LEN);
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    let proxy = Proxy::start(address, vec![LEN / 3, LEN / 3]);
    let output = sockkit(&["send-file", &proxy.address.to_string(), text(&world.source)])
        .env("SOCKKIT_CODE", CODE)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    assert!(world.has_arrived());
}

#[test]
fn a_byte_that_is_changed_on_the_way_never_arrives() {
    const LEN: usize = 4 << 20;
    let world = World::new(LEN);
    let (mut receiver, address) = world.receiver(Some(CODE), &[]);
    let proxy = Proxy::faulty(address, vec![Fault::Up(LEN / 2, Harm::Flip)]);
    let output = sockkit(&["send-file", &proxy.address.to_string(), text(&world.source)])
        .env("SOCKKIT_CODE", CODE)
        .output()
        .expect("it runs");
    // It is noticed before anything of it is used, and what is there already is not sent again.
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(receiver.ends(), 0);
    assert!(world.has_arrived());
}
