//! What is tried to break a transfer: killed ends, and a network that damages, loses, repeats, stalls and cuts.

use std::fs;

use crate::support::PATIENCE;
use crate::support::places::{CHUNK, NAME, Places, events, last};
use crate::support::proxy::{Fault, Harm, Proxy, Seeded};
#[cfg(unix)]
use crate::support::{Running, Server, sockkit};

/// How often an end is killed.
const KILLS: usize = 200;

/// Whoever is killed and wherever, the same commands again bring the file, and send only what is not there.
#[test]
fn killed_at_any_byte_the_same_command_resumes() {
    let mut random = Seeded(0x5eed);
    let places = Places::with(random.bytes(3 * CHUNK + 12_345));
    let len = places.content.len();
    for round in 0..KILLS {
        let at = random.below(len + 600);
        let of = format!("round {round}, byte {at}");
        {
            let mut receiver = places.receiver(&["--no-fsync"]);
            let proxy = Proxy::faulty(
                receiver.socket_address(),
                vec![Fault::Up(at, Harm::Silence)],
            );
            let mut sender = places.sender(proxy.address, &[]);
            proxy.strikes();
            match random.below(2) {
                0 => receiver.run.kill(),
                _ => sender.kill(),
            }
            // Dropping kills the other as well.
        }
        for name in places.names() {
            assert!(
                name == format!(".{NAME}.sockkit-part")
                    || name == format!(".{NAME}.sockkit-journal"),
                "{of}: {name}"
            );
        }
        let kept = places.kept();
        let mut receiver = places.receiver(&["--no-fsync"]);
        let mut sender = places.sender(receiver.socket_address(), &[]);
        assert_eq!(sender.ends(), 0, "{of}: {:?}", sender.stderr.rest());
        assert_eq!(receiver.run.ends(), 0, "{of}");
        places.assert_arrived(&of);
        let events = events(&sender);
        let file = last(&events, "file");
        assert_eq!(file["verdict"], "stored", "{of}");
        assert_eq!(
            (file["sent"].as_u64(), file["reused"].as_u64()),
            (Some((len - kept) as u64), Some(kept as u64)),
            "{of}"
        );
        fs::remove_file(places.to().join(NAME)).expect("it is there");
    }
}

/// What has come through is written at once, so that no kill costs more than what is in flight.
#[test]
fn a_killed_receiver_has_kept_all_but_the_chunk_in_flight() {
    let mut random = Seeded(0xf11);
    let places = Places::with(random.bytes(6 * CHUNK));
    let mut receiver = places.receiver(&["--no-fsync"]);
    // So far that four chunks have come through whole and the fifth has not.
    let proxy = Proxy::faulty(
        receiver.socket_address(),
        vec![Fault::Up(4 * CHUNK + CHUNK / 2, Harm::Silence)],
    );
    let _sender = places.sender(proxy.address, &[]);
    proxy.strikes();
    // The receiver may not have read yet what has come through; nothing else can make it.
    let begun = std::time::Instant::now();
    while places.kept() < 4 * CHUNK {
        assert!(begun.elapsed() < PATIENCE, "{} kept", places.kept());
        std::thread::yield_now();
    }
    receiver.run.kill();
    assert_eq!(places.kept(), 4 * CHUNK);
}

/// Damage on the way is found at once and mended by trying again, at any byte and in both directions.
#[test]
fn damaged_lost_and_repeated_bytes_are_found_and_mended() {
    let mut random = Seeded(0xda3a9e);
    let places = Places::with(random.bytes(CHUNK + 4_321));
    let len = places.content.len();
    // Behind the preface, which says what is spoken at all; ahead of the last frames, behind whose loss comes
    // nothing that would show it.
    let mut faults = Vec::new();
    for _ in 0..4 {
        let at = 8 + random.below(len);
        for harm in [
            Harm::Flip,
            Harm::Drop(1 + random.below(3)),
            Harm::Duplicate(1 + random.below(64)),
        ] {
            faults.push(Fault::Up(at, harm));
        }
    }
    let behind_the_hello = faults.len();
    for at in [8, 20, 70] {
        faults.push(Fault::Up(at, Harm::Flip));
        faults.push(Fault::Down(at, Harm::Flip));
    }
    for (number, fault) in faults.into_iter().enumerate() {
        let of = format!("{fault:?}");
        let mut receiver = places.receiver(&["--no-fsync", "--stall-timeout", "5s"]);
        let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
        let mut sender = places.sender(proxy.address, &["--stall-timeout", "5s"]);
        assert_eq!(sender.ends(), 0, "{of}: {:?}", sender.stderr.rest());
        assert_eq!(
            receiver.run.ends(),
            0,
            "{of}: {:?}",
            receiver.run.stderr.rest()
        );
        assert!(proxy.has_struck(), "{of}");
        assert!(proxy.connections() > 1, "{of}: it went unnoticed");
        places.assert_arrived(&of);
        let events = events(&sender);
        assert_eq!(last(&events, "file")["verdict"], "stored", "{of}");
        // Who has not said hello has not been met.
        if number < behind_the_hello {
            assert_eq!(last(&events, "connected")["again"], true, "{of}");
        }
        fs::remove_file(places.to().join(NAME)).expect("it is there");
    }
}

#[test]
fn a_stall_is_waited_for_and_costs_no_connection() {
    let places = Places::with(Seeded(7).bytes(2 * CHUNK));
    let mut receiver = places.receiver(&["--no-fsync"]);
    let fault = Fault::Up(CHUNK, Harm::Hold);
    let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
    let mut sender = places.sender(proxy.address, &[]);
    proxy.strikes();
    proxy.release();
    assert_eq!(sender.ends(), 0, "{:?}", sender.stderr.rest());
    assert_eq!(receiver.run.ends(), 0);
    assert_eq!(proxy.connections(), 1);
    places.assert_arrived("a stall");
}

/// Nobody says that the connection is dead: the watchdogs of both ends have to find it out.
#[test]
fn a_dead_connection_is_given_up_and_the_transfer_goes_on_over_another() {
    // How much of it had come through whole, and how many connections die.
    for (faults, kept) in [
        (vec![Fault::Up(5 * CHUNK / 2, Harm::Silence)], 2 * CHUNK),
        (vec![Fault::Down(60, Harm::Silence)], 0),
        (vec![Fault::Up(3 * CHUNK / 2, Harm::Silence); 2], 2 * CHUNK),
    ] {
        let of = format!("{faults:?}");
        let deaths = faults.len();
        let places = Places::with(Seeded(8).bytes(4 * CHUNK));
        let mut receiver = places.receiver(&["--no-fsync", "--stall-timeout", "1s"]);
        let proxy = Proxy::faulty(receiver.socket_address(), faults);
        let mut sender = places.sender(proxy.address, &["--stall-timeout", "1s"]);
        assert_eq!(sender.ends(), 0, "{of}: {:?}", sender.stderr.rest());
        assert_eq!(
            receiver.run.ends(),
            0,
            "{of}: {:?}",
            receiver.run.stderr.rest()
        );
        assert_eq!(proxy.connections(), deaths + 1, "{of}");
        places.assert_arrived(&of);
        let events = events(&sender);
        // Who has not said hello has not been met.
        assert_eq!(last(&events, "connected")["again"], kept > 0, "{of}");
        let reused = last(&events, "file")["reused"].as_u64().expect("a number");
        assert!(reused >= kept as u64, "{of}: {reused}");
    }
}

/// The connection ends with the last byte of the receiver's last word missing.
#[test]
fn a_sender_that_did_not_get_the_last_word_comes_back_for_it() {
    let content = Seeded(10).bytes(1000);
    let all = {
        let places = Places::with(content.clone());
        let mut receiver = places.receiver(&["--no-fsync"]);
        let proxy = Proxy::start(receiver.socket_address(), vec![]);
        assert_eq!(places.sender(proxy.address, &[]).ends(), 0);
        assert_eq!(receiver.run.ends(), 0);
        proxy.passed_down()
    };
    // It may come back, or not.
    for (patience, status, connections) in [("5m", 0, 2), ("0", 1, 1)] {
        let places = Places::with(content.clone());
        let mut receiver = places.receiver(&["--no-fsync", "--retry", "2s"]);
        let faults = vec![Fault::Down(all - 1, Harm::End)];
        let proxy = Proxy::faulty(receiver.socket_address(), faults);
        let mut sender = places.sender(proxy.address, &["--retry", patience]);
        assert_eq!(sender.ends(), status, "{:?}", sender.stderr.rest());
        let ended = receiver.run.ends();
        assert_eq!(ended, 0, "{:?}", receiver.run.stderr.rest());
        assert_eq!(proxy.connections(), connections);
        places.assert_arrived(patience);
    }
}

#[test]
fn cut_again_and_again_it_arrives_and_sends_nothing_for_the_second_time() {
    let mut random = Seeded(9);
    let places = Places::with(random.bytes(5 * CHUNK + 99));
    let cuts = (0..6)
        .map(|_| Fault::Cut(CHUNK + random.below(CHUNK)))
        .chain([Fault::Up(CHUNK / 3, Harm::End)])
        .collect();
    let mut receiver = places.receiver(&["--no-fsync"]);
    let proxy = Proxy::faulty(receiver.socket_address(), cuts);
    let mut sender = places.sender(proxy.address, &[]);
    assert_eq!(sender.ends(), 0, "{:?}", sender.stderr.rest());
    assert_eq!(receiver.run.ends(), 0);
    places.assert_arrived("cuts");
    let events = events(&sender);
    let done = last(&events, "done");
    let sent = done["sent"].as_u64().expect("a number");
    // Each cut loses the chunk that was in flight, and what the kernel had taken of those behind it.
    let bound = places.content.len() + proxy.connections() * 8 * CHUNK;
    assert!(sent <= bound as u64, "{sent} sent");
}

/// The file system's own limit stands in for a full disk, which takes root to make; what the store makes of ENOSPC
/// and EIO has its tests there.
#[cfg(unix)]
#[test]
fn where_the_disk_takes_no_more_both_ends_say_so_and_it_can_be_resumed() {
    let places = Places::with(Seeded(10).bytes(3 * CHUNK));
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    let sockkit = sockkit::<&str>(&[]);
    command.args(["-c", script]).arg(sockkit.get_program());
    command.args(["recv-file", "127.0.0.1:0", "--plain", "--no-fsync", "-d"]);
    command.arg(places.to());
    let mut receiver = Server::from_command(&mut command, 1);
    let mut sender = places.sender(receiver.socket_address(), &["--retry", "0s"]);
    let (sent, received) = (sender.ends(), receiver.run.ends());
    let said = receiver.run.stderr.rest();
    assert!(
        said.iter().any(|line| line.contains("file too large")),
        "{said:?}"
    );
    assert!([1, 7].contains(&received), "{received}: {said:?}");
    assert!([1, 7].contains(&sent), "{sent}: {:?}", sender.stderr.rest());
    assert!(!places.names().contains(&NAME.to_string()));
    let mut receiver = places.receiver(&["--no-fsync"]);
    let mut sender = places.sender(receiver.socket_address(), &[]);
    assert_eq!(sender.ends(), 0, "{:?}", sender.stderr.rest());
    assert_eq!(receiver.run.ends(), 0);
    places.assert_arrived("resumed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_the_receivers_failure_and_the_senders() {
    let places = Places::with(Seeded(11).bytes(2 * CHUNK));
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = sockkit(&["recv-file", "127.0.0.1:0", "--plain", "-o", "-"]);
    let mut child = command
        .stdout(full.expect("a device"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("piped")));
    let ready = lines.next().expect("a line").expect("text");
    let (_, address) = ready.split_once("tcp://").expect("a ready line");
    let address = address.parse().expect("an address");
    let mut sender = places.sender(address, &["--retry", "0s"]);
    assert_ne!(sender.ends(), 0);
    let said: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{said:?}");
    assert!(
        said.iter()
            .any(|line| line.contains("no space left") || line.contains("no storage space")),
        "{said:?}"
    );
}

/// Two people send a file of the same name at once.
#[test]
fn two_senders_of_one_name_do_not_mix() {
    let mut random = Seeded(12);
    let first = Places::with(random.bytes(2 * CHUNK + 1));
    let second = Places::with(random.bytes(2 * CHUNK + 1));
    let receiver = first.receiver(&["--no-fsync", "--keep-open"]);
    let proxy = Proxy::faulty(
        receiver.socket_address(),
        vec![Fault::Up(CHUNK + CHUNK / 2, Harm::Hold)],
    );
    let mut slow = first.sender(proxy.address, &[]);
    proxy.strikes();
    // A chunk has been written: it has the partial file.
    let begun = std::time::Instant::now();
    while first.kept() == 0 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    let mut fast = second.sender(receiver.socket_address(), &[]);
    assert_eq!(fast.ends(), 7);
    let events = events(&fast);
    let refused = last(&events, "file");
    assert_eq!(refused["reason"], "busy", "{refused}");
    assert_eq!(refused["text"], "another transfer is writing it there");
    proxy.release();
    assert_eq!(slow.ends(), 0);
    first.assert_arrived("two senders");
}

/// A directory that is said to be stored is not offered again, so it must not need anything more by then.
#[cfg(unix)]
#[test]
fn directories_that_a_killed_receiver_had_stored_are_as_they_should_be() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let places = Places::with(Seeded(14).bytes(3 * CHUNK));
    let tree = places.folder.path().join("from/t");
    for (name, mode) in [("", 0o755), ("done", 0o751), ("done/deeper", 0o711)] {
        let folder = tree.join(name);
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("a mode");
        fs::write(folder.join("small"), "x").expect("written");
    }
    fs::rename(places.source(), tree.join("large")).expect("moved");
    let umask = {
        let plain = places.folder.path().join("plain");
        fs::create_dir(&plain).expect("a folder");
        0o777 & !fs::metadata(plain).expect("it is there").mode()
    };
    let assert_same = |name: &str| {
        let source = fs::metadata(tree.join(name)).expect("it is there");
        let stored = fs::metadata(places.to().join("t").join(name)).expect("it is there");
        assert_eq!(
            stored.mode() & 0o7777,
            source.mode() & 0o777 & !umask,
            "{name}"
        );
        assert_eq!(
            (stored.mtime(), stored.mtime_nsec()),
            (source.mtime(), source.mtime_nsec()),
            "{name}"
        );
    };

    let mut receiver = places.receiver(&["--no-fsync"]);
    let fault = Fault::Up(2 * CHUNK, Harm::Silence);
    let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
    let mut command = sockkit(&["--json", "send-file", "--plain"]);
    command.arg(proxy.address.to_string()).arg(&tree);
    let mut sender = Running::start(&mut command);
    sender.stdout.until(r#""event":"file","path":"t/done""#);
    proxy.strikes();
    receiver.run.kill();
    assert_same("done");
    assert_same("done/deeper");
    let mut receiver = places.receiver(&["--no-fsync"]);
    proxy.leads_to(receiver.socket_address());
    assert_eq!(sender.ends(), 0, "{:?}", sender.stderr.rest());
    assert_eq!(receiver.run.ends(), 0);
    for name in ["", "done", "done/deeper"] {
        assert_same(name);
    }
}
