//! `inspect` on hosts that are not like this one: in network and mount namespaces of a test's own.
//!
//! A namespace of one's own takes root, or a kernel that lets everybody make user namespaces. Where neither is there,
//! each test says on stderr that it was left out.

#![cfg(target_os = "linux")]

use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use crate::support::{Running, run_with, sockkit, stderr, stdout};

/// What `unshare` is asked for: a user namespace in which we are root, a network and a mount namespace.
const NAMESPACES: [&str; 2] = ["--map-root-user", "-nm"];

/// To standard error itself, which the test runner does not capture.
fn left_out(what: &str, why: &str) {
    use std::io::Write;
    let why = why.lines().next().unwrap_or("it cannot be set up here");
    let _ = writeln!(std::io::stderr(), "LEFT OUT: inspect {what}: {why}");
}

/// sockkit, started by a script with this host around it; in the script it is `"$0" "$@"`.
pub fn on_a_host(setup: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(NAMESPACES)
        .args([
            "sh",
            "-c",
            &format!("{{ {setup}\n}} || exit 77; exec \"$0\" \"$@\""),
        ])
        .arg(env!("CARGO_BIN_EXE_sockkit"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null());
    command
}

/// Its output there; `None`, and words on stderr, if there can be no such host.
fn run_on(what: &str, setup: &str, arguments: &[&str]) -> Option<Output> {
    let probe = Command::new("unshare")
        .args(NAMESPACES)
        .args(["sh", "-c", "ip link show lo"])
        .output();
    match probe {
        Err(error) => {
            left_out(what, &error.to_string());
            return None;
        }
        Ok(probe) if !probe.status.success() => {
            left_out(what, &stderr(&probe));
            return None;
        }
        Ok(_) => {}
    }
    let output = on_a_host(setup, arguments).output().expect("it starts");
    if output.status.code() == Some(77) {
        left_out(what, &stderr(&output));
        return None;
    }
    Some(output)
}

#[track_caller]
fn event(output: &Output) -> Value {
    let text = stdout(output);
    let line = text.lines().next().expect("an event");
    serde_json::from_str(line).expect("JSON")
}

#[test]
fn a_host_without_a_network_is_described() {
    let what = "without a network";
    let Some(run) = run_on(what, "true", &["inspect"]) else {
        return;
    };
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let text = stdout(&run);
    for version in ["IPv4", "IPv6"] {
        let line = text.lines().find(|line| line.starts_with(version));
        let line = line.expect("a line for each IP version");
        assert!(
            line.ends_with(" no") || line.ends_with("yes, but no interface has an address"),
            "{line}"
        );
    }
    let run = run_on(what, "true", &["inspect", "--all-sockets"]).expect("as before");
    assert!(stdout(&run).contains("no sockets"), "{}", stdout(&run));
    let run = run_on(what, "true", &["--json", "inspect", "127.0.0.1:9"]).expect("as before");
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    assert_eq!(
        event(&run)["attempts"][0]["outcome"]["value"],
        "network is unreachable"
    );
}

#[test]
fn a_host_without_ipv6_has_all_the_rest() {
    let off = "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
    let what = "without IPv6";
    let Some(run) = run_on(what, off, &["inspect"]) else {
        return;
    };
    let text = stdout(&run);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let line = text.lines().find(|line| line.starts_with("IPv6"));
    assert!(
        line.is_some_and(|line| line.ends_with("no interface has an address")),
        "{text}"
    );
    let arguments = ["--json", "inspect", "--listen", "localhost:0"];
    let run = run_on(what, off, &arguments).expect("as before");
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(event(&run)["socket"]["kind"]["value"], "tcp4");
    assert_eq!(stdout(&run).lines().count(), 1, "{}", stdout(&run));
    let run = run_on(what, off, &["inspect", "[::1]:9"]).expect("as before");
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
}

#[test]
fn two_hundred_addresses_are_all_there() {
    let setup = "ip link set lo up
        for i in $(seq 1 100); do
            echo addr add 10.77.0.$i/16 dev lo; echo addr add fd77::$i/64 dev lo nodad
        done | ip -batch -";
    let arguments = ["--json", "inspect"];
    let Some(run) = run_on("of 200 addresses", setup, &arguments) else {
        return;
    };
    let event = event(&run);
    let interfaces = event["interfaces"].as_array().expect("a table");
    let lo = interfaces
        .iter()
        .find(|row| row["name"]["value"] == "lo")
        .expect("a loopback");
    let addresses = lo["addresses"]["value"].as_array().expect("addresses");
    for number in 1..=100 {
        for address in [format!("10.77.0.{number}/16"), format!("fd77::{number}/64")] {
            let found = addresses.iter().filter_map(Value::as_str);
            assert!(
                found.into_iter().any(|one| one.starts_with(&address)),
                "{address} in {addresses:?}"
            );
        }
    }
}

/// An address that somebody else may have cannot be bound yet, one whose time is over is not chosen: both are told.
#[test]
fn an_address_that_may_not_do_says_so() {
    let setup = "ip link set lo up
        ip link add here type veth peer name there && ip link set here up && ip link set there up || exit 77
        ip addr add fd78::1/64 dev here; ip addr add fd78::2/64 dev here preferred_lft 0 nodad";
    let Some(run) = run_on("an address that is old", setup, &["--json", "inspect"]) else {
        return;
    };
    let event = event(&run);
    let interfaces = event["interfaces"].as_array().expect("a table");
    let here = interfaces
        .iter()
        .find(|row| row["name"]["value"] == "here")
        .expect("one end");
    let addresses = here["addresses"]["value"].to_string();
    assert!(
        addresses.contains("\"fd78::2/64 global deprecated\""),
        "{addresses}"
    );
}

/// A hosts file of the test's own is what the resolver reads.
const HOSTS: &str = "ip link set lo up
    file=$(mktemp)
    {
        for i in $(seq 1 40); do echo 127.1.0.$i many.example; done
        for i in $(seq 1 10); do echo fd99::$i many.example; done
        printf '127.0.0.8 evil\\033[31mred.example\\n'
    } > $file
    mount --bind $file /etc/hosts; bound=$?; rm -f $file; test $bound = 0";

#[test]
fn a_name_of_fifty_addresses_keeps_both_ip_versions_and_what_was_tried_is_shown() {
    let arguments = ["--json", "inspect", "many.example:9"];
    let Some(run) = run_on("a name of 50 addresses", HOSTS, &arguments) else {
        return;
    };
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    let event = event(&run);
    let addresses = event["resolution"]["addresses"]["value"].as_array();
    let list: Vec<&str> = addresses
        .expect("addresses")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(list.len(), 32, "{list:?}");
    assert_eq!(
        list.iter().filter(|one| one.starts_with("[fd99::")).count(),
        10,
        "{list:?}"
    );
    let order = event["resolution"]["order"]["value"].as_str();
    assert!(order.is_some_and(|text| text.ends_with("no more than these are tried")));
    let attempts = event["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 32, "{attempts:?}");
}

#[test]
fn a_name_with_control_characters_is_made_visible() {
    for arguments in [
        &["inspect", "--address", "127.0.0.8"][..],
        &["--json", "inspect", "127.0.0.8:9"],
    ] {
        let Some(run) = run_on("a hostile name", HOSTS, arguments) else {
            return;
        };
        let text = stdout(&run);
        assert!(text.contains("red.example"), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}

#[test]
fn a_name_that_nobody_knows_says_so() {
    let Some(run) = run_on("an unknown name", HOSTS, &["inspect", "nothing.example:9"]) else {
        return;
    };
    assert_eq!(run.status.code(), Some(3));
    assert_eq!(stdout(&run), "");
    assert!(
        stderr(&run).starts_with("sockkit: cannot resolve nothing.example: "),
        "{}",
        stderr(&run)
    );
}

#[test]
fn a_process_in_another_network_namespace_is_seen() {
    let what = "a process in another network namespace";
    if run_on(what, "ip link set lo up", &["inspect"]).is_none() {
        return;
    }
    let echo = Running::start(&mut on_a_host(
        "ip link set lo up",
        &["echo", "127.0.0.1:4711"],
    ));
    echo.ready_on(1);
    let pid = echo.id().to_string();
    let run = run_with(&["--json", "inspect", "--pid", &pid], "");
    if run.status.code() == Some(1) && stderr(&run).contains("permission denied") {
        return left_out(what, &stderr(&run));
    }
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let text = stdout(&run);
    let found = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["socket"]["local"]["value"] == "127.0.0.1:4711");
    assert_eq!(
        found.expect("its listener")["socket"]["state"]["value"],
        "LISTEN"
    );
}

#[test]
fn a_process_of_another_user_is_refused_with_the_reason() {
    use std::os::unix::process::CommandExt;
    let what = "a process of another user";
    if !rustix::process::geteuid().is_root() {
        return left_out(what, "only root can be somebody else");
    }
    // A user that owns nothing, as many systems have one.
    let pid = std::process::id().to_string();
    let run = sockkit(&["inspect", "--pid", &pid])
        .uid(65_534)
        .gid(65_534)
        .output();
    let run = match run {
        Ok(run) => run,
        Err(error) => return left_out(what, &format!("the binary is out of its reach: {error}")),
    };
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(stdout(&run), "");
    let said = stderr(&run);
    assert!(said.contains("permission denied"), "{said}");
    assert!(said.contains("CAP_SYS_PTRACE"), "{said}");
}

/// A process that has ended is not one without sockets.
#[test]
fn a_process_that_ended_says_so() {
    let mut child = Command::new("true").spawn().expect("it starts");
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(&child)), options).expect("it ends");
    let pid = child.id().to_string();
    let run = run_with(&["inspect", "--pid", &pid], "");
    child.wait().expect("it has ended");
    assert_eq!(run.status.code(), Some(1), "{}", stdout(&run));
    assert_eq!(
        stderr(&run),
        format!("sockkit: cannot inspect process {pid}: it has ended\n")
    );
}
