//! `send-file` and `recv-file` with the real binary: what arrives, what resumes, and what the exit status says.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use sha2::{Digest, Sha256};

use crate::support::places::from_and_to;
use crate::support::proxy::{Fault, Harm, Proxy, Seeded};
use crate::support::{PATIENCE, Running, sockkit, stderr, text};

const MIB: usize = 1024 * 1024;

/// Bytes that no compression or accident makes alike.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    Seeded(seed).bytes(len)
}

/// A directory for a sender and one for a receiver.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: from_and_to() }
    }

    fn from(&self, name: &str) -> PathBuf {
        self.dir.path().join("from").join(name)
    }

    fn to(&self, name: &str) -> PathBuf {
        self.dir.path().join("to").join(name)
    }

    /// A source.
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.from(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, bytes).expect("written");
        path
    }

    fn receiver(&self, arguments: &[&str]) -> Receiver {
        let mut all = vec!["-d", text(self.dir.path())];
        let to = self.to("");
        all[1] = text(&to);
        all.extend_from_slice(arguments);
        Receiver::start(&all)
    }

    /// The names in the target directory, also hidden ones.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.to(""))
            .expect("a directory")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

/// A recv-file that waits.
struct Receiver {
    run: Running,
    address: String,
}

impl Receiver {
    fn start(arguments: &[&str]) -> Self {
        let mut command = sockkit(&["recv-file", "--plain", "--no-fsync", "127.0.0.1:0"]);
        let run = Running::start(command.args(arguments));
        let address = listening(&run);
        Self { run, address }
    }

    fn socket_address(&self) -> SocketAddr {
        self.address.parse().expect("an address")
    }

    fn send(&self, arguments: &[&str]) -> Output {
        send(&self.address, arguments)
    }
}

fn listening(run: &Running) -> String {
    let line = run.stderr.until("listening on tcp://");
    let (_, address) = line.split_once("tcp://").expect("a ready line");
    address.to_string()
}

fn send(address: &str, arguments: &[&str]) -> Output {
    sockkit(&["send-file", "--plain", address])
        .args(arguments)
        .output()
        .expect("it ends")
}

#[track_caller]
fn assert_status(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{}", stderr(output));
}

#[track_caller]
fn assert_same(path: &Path, bytes: &[u8]) {
    let found = fs::read(path).expect("it is there");
    // Not assert_eq: nobody wants to see megabytes.
    assert!(found == bytes, "{} has other content", path.display());
}

#[test]
fn a_file_arrives_with_its_bytes_mode_and_time() {
    let world = World::new();
    let bytes = noise(1, 3 * MIB + 17);
    let source = world.write("data", &bytes);
    let mut receiver = world.receiver(&[]);
    let sums = world.from("sums");
    let sent = receiver.send(&[text(&source), "--sums", text(&sums)]);
    assert_status(&sent, 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("data"), &bytes);
    let (old, new) = (
        fs::metadata(&source).expect("there"),
        fs::metadata(world.to("data")).expect("there"),
    );
    assert_eq!(
        old.modified().expect("a time"),
        new.modified().expect("a time")
    );
    assert_eq!(world.names(), ["data"], "nothing else is left behind");
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let line = fs::read_to_string(sums).expect("written");
    assert_eq!(line, format!("{digest}  data\n"));
}

#[test]
fn a_tree_arrives_with_empty_and_many_small_files() {
    let world = World::new();
    for number in 0..300 {
        world.write(
            &format!("tree/many/{number}"),
            &noise(number, 100 + number as usize),
        );
    }
    world.write("tree/empty", b"");
    fs::create_dir_all(world.from("tree/a/b/c")).expect("a directory");
    world.write("tree/leave/out.o", b"x");
    let mut receiver = world.receiver(&[]);
    let tree = world.from("tree");
    assert_status(&receiver.send(&[text(&tree), "--exclude", "*.o"]), 0);
    assert_eq!(receiver.run.ends(), 0);
    for number in 0..300 {
        let bytes = noise(number, 100 + number as usize);
        assert_same(&world.to(&format!("tree/many/{number}")), &bytes);
    }
    assert_same(&world.to("tree/empty"), b"");
    assert!(world.to("tree/a/b/c").is_dir());
    assert!(!world.to("tree/leave/out.o").exists());
}

/// A receiver was killed before anything was in it.
#[test]
fn an_empty_partial_does_not_stay_behind() {
    let world = World::new();
    for (number, size) in [1, 3_000, 3_000_000].into_iter().enumerate() {
        let name = format!("f{number}");
        let file = world.write(&name, &noise(7, size));
        let partial = world.to(&format!(".{name}.sockkit-part"));
        fs::write(&partial, "").expect("room");
        let mut receiver = world.receiver(&[]);
        assert_status(&receiver.send(&[text(&file)]), 0);
        assert_eq!(receiver.run.ends(), 0);
        assert_same(&world.to(&name), &noise(7, size));
        assert!(!partial.exists(), "{name}");
    }
}

/// Such files are read into buffers of a chunk each and said only when there are many of them, or nothing more to read.
#[test]
fn more_files_of_middle_size_than_the_memory_holds_arrive() {
    let world = World::new();
    for number in 0..60 {
        world.write(&format!("tree/{number}"), &noise(number, 300_000));
    }
    let hurry = ["--stall-timeout", "2s", "--retry", "0"];
    let mut receiver = world.receiver(&hurry);
    let tree = world.from("tree");
    let sent = receiver.send(&[&[text(&tree)][..], &hurry].concat());
    assert_status(&sent, 0);
    assert_eq!(receiver.run.ends(), 0);
    for number in 0..60 {
        assert_same(
            &world.to(&format!("tree/{number}")),
            &noise(number, 300_000),
        );
    }
}

#[cfg(unix)]
#[test]
fn links_modes_and_names_that_are_no_text_survive() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let world = World::new();
    let names: [&[u8]; 3] = [b"line\nfeed", b"not utf-8 \xff", b"\x1b[31m"];
    fs::create_dir(world.from("t")).expect("a directory");
    for name in names {
        fs::write(world.from("t").join(OsStr::from_bytes(name)), name).expect("written");
    }
    world.write("t/run", b"#!");
    fs::set_permissions(world.from("t/run"), fs::Permissions::from_mode(0o4751)).expect("a mode");
    symlink("run", world.from("t/inside")).expect("a link");
    symlink("../../etc/passwd", world.from("t/outside")).expect("a link");
    let mut receiver = world.receiver(&[]);
    let sent = receiver.send(&[text(&world.from("t"))]);
    assert_status(&sent, 7);
    assert_eq!(receiver.run.ends(), 7, "the link outside was refused");
    assert!(
        !stderr(&sent).contains('\x1b'),
        "no name commands a terminal"
    );
    for name in names {
        assert_same(&world.to("t").join(OsStr::from_bytes(name)), name);
    }
    let mode = fs::metadata(world.to("t/run"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o751, "no set-id bits");
    assert_eq!(
        fs::read_link(world.to("t/inside")).expect("a link"),
        Path::new("run")
    );
    assert!(fs::symlink_metadata(world.to("t/outside")).is_err());
}

#[test]
fn stdin_is_sent_under_a_name_and_passed_on_at_the_other_end() {
    let bytes = noise(2, 2 * MIB + 5);
    let mut receiver = sockkit(&["recv-file", "--plain", "127.0.0.1:0", "-o", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut talk = receiver.stderr.take().expect("piped");
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        talk.read_exact(&mut byte).expect("a ready line");
        line.extend(byte);
    }
    let line = String::from_utf8(line).expect("text");
    let address = line
        .trim_end()
        .split_once("tcp://")
        .expect("a ready line")
        .1;
    let mut sender = sockkit(&["send-file", "--plain", address, "-", "--name", "it"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = sender.stdin.take().expect("piped");
    let feed = bytes.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&feed).expect("it reads"));
    let drain = std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
    let got = receiver.wait_with_output().expect("it ends");
    feeder.join().expect("fed");
    drain.join().expect("drained").expect("read");
    let sent = sender.wait_with_output().expect("it ends");
    assert_status(&sent, 0);
    assert_eq!(got.status.code(), Some(0));
    assert!(got.stdout == bytes, "other bytes came out");
}

#[test]
fn either_end_listens() {
    let world = World::new();
    let bytes = noise(3, 100_000);
    let source = world.write("f", &bytes);
    let mut command = sockkit(&["send-file", "--plain", "--listen", "127.0.0.1:0"]);
    let mut sender = Running::start(command.arg(&source));
    let address = listening(&sender);
    let to = world.to("");
    let got = sockkit(&[
        "recv-file",
        "--plain",
        "--connect",
        &address,
        "-d",
        text(&to),
    ])
    .output()
    .expect("it ends");
    assert_status(&got, 0);
    assert_eq!(sender.ends(), 0);
    assert_same(&world.to("f"), &bytes);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_as_good() {
    let world = World::new();
    let bytes = noise(4, 100_000);
    let source = world.write("f", &bytes);
    let socket = format!("unix:{}", world.dir.path().join("s").display());
    let to = world.to("");
    let mut command = sockkit(&["recv-file", "--plain", &socket, "-d", text(&to)]);
    let mut receiver = Running::start(&mut command);
    receiver.stderr.until("listening on unix:");
    assert_status(&send(&socket, &[text(&source)]), 0);
    assert_eq!(receiver.ends(), 0);
    assert_same(&world.to("f"), &bytes);
}

#[test]
fn what_exists_is_kept_unless_something_else_is_said() {
    let world = World::new();
    let source = world.write("f.txt", b"new");
    for (policy, status, names, content) in [
        (&[][..], 7, &["f.txt"][..], &b"old"[..]),
        (&["--overwrite"], 0, &["f.txt"], b"new"),
        (&["--rename"], 0, &["f (1).txt", "f.txt"], b"old"),
    ] {
        for name in world.names() {
            fs::remove_file(world.to(&name)).expect("removed");
        }
        fs::write(world.to("f.txt"), b"old").expect("written");
        let mut receiver = world.receiver(policy);
        let sent = receiver.send(&[text(&source)]);
        assert_status(&sent, status);
        assert_eq!(receiver.run.ends(), status, "{policy:?}");
        assert_eq!(world.names(), names, "{policy:?}");
        assert_same(&world.to("f.txt"), content);
    }
}

#[test]
fn update_leaves_what_is_newer_and_that_is_no_failure() {
    let world = World::new();
    let source = world.write("f", b"from the sender");
    fs::write(world.to("f"), b"newer").expect("written");
    let time = |path: &Path, secs| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
        let file = fs::File::options().write(true).open(path).expect("there");
        file.set_modified(time).expect("set");
    };
    time(&source, 1_000_000);
    time(&world.to("f"), 2_000_000);
    let mut receiver = world.receiver(&["--update"]);
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), b"newer");
    time(&source, 3_000_000);
    let mut receiver = world.receiver(&["--update"]);
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), b"from the sender");
}

#[test]
fn identical_content_needs_no_sending() {
    let world = World::new();
    let bytes = noise(5, 2 * MIB + 1);
    let source = world.write("f", &bytes);
    fs::write(world.to("f"), &bytes).expect("written");
    let mut receiver = world.receiver(&[]);
    let sent = sockkit(&[
        "--json",
        "send-file",
        "--plain",
        &receiver.address,
        text(&source),
    ])
    .output()
    .expect("it ends");
    assert_status(&sent, 0);
    assert_eq!(receiver.run.ends(), 0);
    let events = String::from_utf8_lossy(&sent.stdout).into_owned();
    let file = events
        .lines()
        .find(|line| line.contains("\"event\":\"file\""))
        .expect("an event");
    assert!(file.contains("\"verdict\":\"identical\""), "{file}");
    assert!(file.contains("\"sent\":0"), "{file}");
}

/// `start` of the source are right in the partial file, then comes `tail`.
#[track_caller]
fn resumes_from(partial: &[u8], most_sent: usize) {
    let world = World::new();
    let bytes = noise(6, 5 * MIB + 100);
    let source = world.write("f", &bytes);
    fs::write(world.to(".f.sockkit-part"), partial).expect("written");
    let mut receiver = world.receiver(&[]);
    let sent = sockkit(&[
        "--json",
        "send-file",
        "--plain",
        &receiver.address,
        text(&source),
    ])
    .output()
    .expect("it ends");
    assert_status(&sent, 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), &bytes);
    assert_eq!(world.names(), ["f"]);
    let events = String::from_utf8_lossy(&sent.stdout).into_owned();
    let done = events.lines().last().expect("an event");
    let (_, count) = done.split_once("\"sent\":").expect("a count");
    let count: usize = count
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .expect("a number");
    assert!(count <= most_sent, "{count} bytes were sent");
}

#[test]
fn a_partial_is_never_trusted_and_only_its_bad_chunks_are_sent() {
    let bytes = noise(6, 5 * MIB + 100);
    // All of it, and the end: whole chunks only.
    resumes_from(&bytes, 0);
    resumes_from(&bytes[..3 * MIB], 2 * MIB + 100);
    // Truncated in the middle of a chunk.
    resumes_from(&bytes[..3 * MIB + 5], 2 * MIB + 100);
    for bad in [0, 2 * MIB + 1234, bytes.len() - 1] {
        let mut partial = bytes.clone();
        partial[bad] ^= 1;
        resumes_from(&partial, MIB);
    }
    // Longer than the source, and something else altogether.
    let longer = [&bytes[..], b"and more"].concat();
    resumes_from(&longer, MIB);
    resumes_from(&noise(7, 5 * MIB), bytes.len());
}

#[test]
fn a_cut_connection_is_made_again_and_the_transfer_goes_on() {
    let world = World::new();
    let bytes = noise(8, 8 * MIB);
    let source = world.write("f", &bytes);
    let mut receiver = world.receiver(&[]);
    let budgets = vec![10, 1_000, MIB, 3 * MIB / 2, 5 * MIB];
    let proxy = Proxy::start(receiver.socket_address(), budgets);
    assert_status(&send(&proxy.address.to_string(), &[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), &bytes);
    assert!(proxy.connections() >= 6);
}

#[test]
fn damage_on_the_way_is_found_and_mended() {
    let world = World::new();
    let bytes = noise(9, 4 * MIB);
    let source = world.write("f", &bytes);
    let mut receiver = world.receiver(&[]);
    let faults = vec![
        Fault::Up(2 * MIB, Harm::Flip),
        Fault::Up(MIB + 77, Harm::Drop(1)),
        Fault::Up(MIB + 5_000, Harm::Duplicate(100)),
        Fault::Down(60, Harm::Flip),
    ];
    let proxy = Proxy::faulty(receiver.socket_address(), faults);
    assert_status(&send(&proxy.address.to_string(), &[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), &bytes);
}

#[test]
fn a_peer_that_went_silent_is_given_up_and_found_again() {
    let world = World::new();
    let bytes = noise(10, 4 * MIB);
    let source = world.write("f", &bytes);
    let mut receiver = world.receiver(&["--idle-timeout", "1s"]);
    let faults = vec![Fault::Up(2 * MIB, Harm::Silence)];
    let proxy = Proxy::faulty(receiver.socket_address(), faults);
    let address = proxy.address.to_string();
    let sent = send(&address, &[text(&source), "--idle-timeout", "8s"]);
    assert_status(&sent, 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), &bytes);
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_a_resume_point_and_says_how_to_go_on() {
    use rustix::process::Signal;
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for kills_sender in [true, false] {
            let world = World::new();
            let bytes = noise(13, 6 * MIB);
            let source = world.write("f", &bytes);
            let receiver = world.receiver(&["--retry", "0s"]);
            let proxy = Proxy::faulty(
                receiver.socket_address(),
                vec![Fault::Up(4 * MIB, Harm::Silence)],
            );
            let address = proxy.address.to_string();
            let mut command = sockkit(&[
                "send-file",
                "--plain",
                "--retry",
                "0s",
                &address,
                text(&source),
            ]);
            let sender = Running::start(&mut command);
            proxy.strikes();
            let mut ended = if kills_sender { sender } else { receiver.run };
            ended.signal(signal);
            assert_eq!(ended.ends(), status);
            let talk = ended.stderr.rest().join("\n");
            assert!(talk.contains("run the same command again"), "{talk}");
            assert_eq!(world.names().iter().filter(|name| *name == "f").count(), 0);
        }
    }
}

#[test]
fn what_cannot_be_said_is_status_2_and_what_is_not_there_1_or_3() {
    let world = World::new();
    let source = world.write("f", b"x");
    let gone = world.from("gone");
    for (arguments, status) in [
        (
            &[
                "send-file",
                "--plain",
                "--backlog",
                "5",
                "127.0.0.1:1",
                text(&source),
            ][..],
            2,
        ),
        (
            &[
                "send-file",
                "--plain",
                "127.0.0.1:1",
                text(&source),
                "--name",
                "x",
            ],
            2,
        ),
        (
            &[
                "send-file",
                "--plain",
                "127.0.0.1:1",
                text(&source),
                "--exclude",
                "[",
            ],
            2,
        ),
        (&["recv-file", "--plain", "0", "--links", "follow"], 2),
        (&["recv-file", "--plain", "0", "--overwrite", "--rename"], 2),
        (&["--json", "recv-file", "--plain", "0", "-o", "-"], 2),
        (&["send-file", "--plain", "127.0.0.1:1", text(&gone)], 1),
        (&["send-file", "--plain", "127.0.0.1:1", text(&source)], 3),
        (&["recv-file", "--plain", "0", "-d", text(&gone)], 1),
    ] {
        let run = sockkit(arguments).output().expect("it ends");
        assert_eq!(
            run.status.code(),
            Some(status),
            "{arguments:?}: {}",
            stderr(&run)
        );
    }
}

#[test]
fn limits_refuse_single_files() {
    let world = World::new();
    world.write("t/small", b"x");
    world.write("t/large", &noise(14, 5_000));
    let mut receiver = world.receiver(&["--max-size", "1K"]);
    let sent = receiver.send(&[text(&world.from("t"))]);
    assert_status(&sent, 7);
    assert_eq!(receiver.run.ends(), 7);
    assert_same(&world.to("t/small"), b"x");
    assert!(!world.to("t/large").exists());
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_changes_nothing() {
    let world = World::new();
    let bytes = noise(15, 3 * MIB);
    let source = world.write("t/f", &bytes);
    world.write("t/new", b"new");
    fs::create_dir(world.to("t")).expect("a directory");
    fs::write(world.to("t/.f.sockkit-part"), &bytes[..2 * MIB]).expect("written");
    let receiver = world.receiver(&[]);
    let tree = world.from("t");
    let sent = sockkit(&[
        "--json",
        "send-file",
        "--plain",
        &receiver.address,
        "--dry-run",
        text(&tree),
    ])
    .output()
    .expect("it ends");
    assert_status(&sent, 0);
    let events = String::from_utf8_lossy(&sent.stdout).into_owned();
    let of = |name: &str| {
        let name = format!("\"path\":\"{name}\"");
        events
            .lines()
            .find(|line| line.contains("\"event\":\"file\"") && line.contains(&name))
            .unwrap_or_else(|| panic!("no {name} in {events}"))
            .to_string()
    };
    let old = of("t/f");
    assert!(old.contains("\"verdict\":\"would_send\""), "{old}");
    assert!(
        old.contains(&format!("\"sent\":{MIB},\"reused\":{}", 2 * MIB)),
        "{old}"
    );
    assert!(of("t/new").contains("\"sent\":3,"), "{events}");
    assert!(!world.to("t/f").exists() && !world.to("t/new").exists());
    drop(source);
}

#[test]
fn silent_connections_keep_no_sender_out() {
    let world = World::new();
    let source = world.write("f", b"here");
    let mut receiver = world.receiver(&[]);
    let silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(receiver.socket_address()).expect("it listens"))
        .collect();
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), b"here");
    drop(silent);
}

#[test]
fn strangers_are_turned_away_and_do_no_harm() {
    let world = World::new();
    let source = world.write("f", b"here");
    let mut receiver = world.receiver(&[]);
    let preface = b"\x89skx\r\n\x1a\n";
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &noise(16, 10_000),
        &[&preface[..], &[0xff; 100]].concat(),
        &[&preface[..], &noise(17, 5_000)].concat(),
    ] {
        let mut stranger = TcpStream::connect(receiver.socket_address()).expect("it listens");
        stranger
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout");
        // It may hang up before it has read all.
        let _ = stranger.write_all(bytes);
        let _ = stranger.shutdown(std::net::Shutdown::Write);
        let _ = stranger.read_to_end(&mut Vec::new());
    }
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), b"here");
}

#[test]
fn several_senders_at_once_each_get_their_files_stored() {
    let world = World::new();
    let receiver = world.receiver(&["--keep-open"]);
    let sources: Vec<(String, Vec<u8>)> = (0..4)
        .map(|number| (format!("f{number}"), noise(20 + number, 2 * MIB)))
        .collect();
    let senders: Vec<_> = sources
        .iter()
        .map(|(name, bytes)| {
            let source = world.write(name, bytes);
            sockkit(&["send-file", "--plain", &receiver.address, text(&source)])
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for sender in senders {
        assert_status(&sender.wait_with_output().expect("it ends"), 0);
    }
    for (name, bytes) in &sources {
        assert_same(&world.to(name), bytes);
    }
}

#[cfg(unix)]
#[test]
fn a_receiver_that_stays_outlives_any_number_of_sessions() {
    let world = World::new();
    let source = world.write("f", b"x");
    let mut receiver = world.receiver(&["--keep-open"]);
    for _ in 0..70 {
        assert_status(&receiver.send(&[text(&source)]), 0);
    }
    receiver.run.signal(rustix::process::Signal::TERM);
    assert_eq!(receiver.run.ends(), 143);
}

#[cfg(unix)]
#[test]
fn a_full_disk_says_so_and_leaves_what_has_come() {
    let world = World::new();
    let bytes = noise(30, 6 * MIB);
    let source = world.write("f", &bytes);
    // A limit on the size of files is a disk that is full at that size, without a file system of its own.
    let to = world.to("");
    let script = format!(
        "ulimit -f 4096; exec '{}' recv-file --plain --no-fsync 127.0.0.1:0 -d '{}'",
        env!("CARGO_BIN_EXE_sockkit"),
        text(&to)
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]);
    let mut run = Running::start(&mut command);
    let address = listening(&run);
    let sent = send(&address, &["--retry", "0s", text(&source)]);
    assert_ne!(sent.status.code(), Some(0));
    assert_ne!(run.ends(), 0);
    assert_eq!(
        world.names(),
        [".f.sockkit-journal", ".f.sockkit-part"],
        "SIGXFSZ did not end it, and nothing has the final name"
    );
    let mut receiver = world.receiver(&[]);
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.to("f"), &bytes);
}

#[cfg(target_os = "linux")]
#[test]
fn holes_stay_holes_beyond_four_gigabytes() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    let world = World::new();
    let path = world.from("sparse");
    let file = fs::File::create(&path).expect("a file");
    let size = 4 * 1024 * MIB as u64 + 12_345;
    file.set_len(size).expect("a hole");
    file.write_all_at(b"end", size - 3).expect("written");
    let mut receiver = world.receiver(&["--ignore-space"]);
    assert_status(&receiver.send(&[text(&path)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    let metadata = fs::metadata(world.to("sparse")).expect("there");
    assert_eq!(metadata.len(), size);
    assert!(
        metadata.blocks() * 512 < 64 * MIB as u64,
        "{} blocks",
        metadata.blocks()
    );
    let mut tail = [0; 3];
    let copy = fs::File::open(world.to("sparse")).expect("there");
    copy.read_exact_at(&mut tail, size - 3).expect("read");
    assert_eq!(&tail, b"end");
}

#[cfg(unix)]
#[test]
fn a_program_is_run_for_each_stored_file_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let source = world.write("f", b"abc");
    let hook = world.dir.path().join("hook");
    fs::write(&hook, "#!/bin/sh\ncat \"$SOCKKIT_PATH\" >\"$0.out\"\n").expect("written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut receiver = world.receiver(&["--on-receive", text(&hook)]);
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&world.dir.path().join("hook.out"), b"abc");
}

#[test]
fn one_file_goes_where_it_is_told() {
    let world = World::new();
    let bytes = noise(31, MIB + 3);
    let source = world.write("f", &bytes);
    let target = world.dir.path().join("other");
    let mut receiver = Receiver::start(&["-o", text(&target)]);
    assert_status(&receiver.send(&[text(&source)]), 0);
    assert_eq!(receiver.run.ends(), 0);
    assert_same(&target, &bytes);
    assert!(world.names().is_empty());
}
