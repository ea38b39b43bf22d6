//! What a receiver's disk can do to a transfer: full, failing, read-only, and with something in the way. Both ends say
//! what it is, and once it is out of the way the same command goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::mounts::{Mounted, left_out};
use crate::support::places::{CHUNK, from_and_to};
use crate::support::proxy::Seeded;
use crate::support::{Server, sockkit, stderr};

const MIB: usize = 1 << 20;

/// A directory to send from and one to receive into.
struct Places {
    folder: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        Self {
            folder: from_and_to(),
        }
    }

    fn from(&self, name: &str) -> PathBuf {
        self.folder.path().join("from").join(name)
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    /// A source of noise.
    fn source(&self, name: &str, seed: u64, len: usize) -> Vec<u8> {
        let bytes = Seeded(seed).bytes(len);
        let path = self.from(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, &bytes).expect("written");
        bytes
    }

    fn receiver(&self, more: &[&str]) -> Command {
        let mut command = sockkit(&["recv-file", "--plain", "127.0.0.1:0", "--no-fsync"]);
        command.arg("-d").arg(self.to()).args(more);
        command
    }

    /// Sends to a receiver, and takes down what became of it.
    fn transfer(&self, receiver: &mut Command, paths: &[&str]) -> Transfer {
        let mut receiver = Server::from_command(receiver, 1);
        let mut command = sockkit(&["--json", "send-file", "--plain"]);
        command.arg(receiver.socket_address().to_string());
        command.args(paths.iter().map(|path| self.from(path)));
        let sent = command.output().expect("it ends");
        Transfer {
            received: receiver.run.ends(),
            told: receiver.run.stderr.rest(),
            sent,
        }
    }
}

/// What became of a transfer.
struct Transfer {
    sent: Output,
    received: i32,
    told: Vec<String>,
}

impl Transfer {
    #[track_caller]
    fn assert_statuses(&self, sender: i32, receiver: i32) {
        assert_eq!(
            (self.sent.status.code(), self.received),
            (Some(sender), receiver),
            "{}{:#?}",
            stderr(&self.sent),
            self.told
        );
    }

    /// The receiver says this in one line and no more.
    #[track_caller]
    fn assert_told_once(&self, part: &str) {
        let count = self.told.iter().filter(|line| line.contains(part)).count();
        assert_eq!(count, 1, "{part:?} in {:#?}", self.told);
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.sent.stdout);
        let events = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        events
            .filter(|event: &Value| event["event"] == kind)
            .collect()
    }

    /// Verdict, reason and text that the sender has of a file.
    #[track_caller]
    fn verdict(&self, path: &str) -> (String, String, String) {
        let files = self.events("file");
        let file = files.iter().find(|file| file["path"] == path);
        let file = file.unwrap_or_else(|| panic!("no {path} in {files:#?}"));
        let field = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
        (field("verdict"), field("reason"), field("text"))
    }

    fn sum(&self, field: &str) -> usize {
        let done = self.events("done").pop().expect("the last event");
        usize::try_from(done[field].as_u64().expect("a number")).expect("it fits")
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_same(path: &Path, bytes: &[u8]) {
    let found = fs::read(path).expect("it is there");
    // Not assert_eq: nobody wants to see megabytes.
    assert!(found == bytes, "{} has other content", path.display());
}

/// So many bytes of a partial file need not be sent again: whole chunks that are the source's.
fn kept(part: &Path, source: &[u8]) -> usize {
    let part = fs::read(part).expect("a partial file");
    let chunks = source.chunks(CHUNK).zip(part.chunks(CHUNK));
    chunks
        .filter(|(source, part)| source == part)
        .map(|(source, _)| source.len())
        .sum()
}

#[test]
fn a_file_that_does_not_fit_is_refused_and_arrives_once_there_is_room() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=2m", "too little room") else {
        return;
    };
    let bytes = places.source("f", 1, 5 * MIB);
    let mut receiver = disk.inside(&places.receiver(&[]));
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(1, 1);
    run.assert_told_once("not enough free space: 5242880 bytes needed, 2097152 available");
    let (verdict, reason, text) = run.verdict("f");
    assert_eq!((&*verdict, &*reason), ("refused", "no_space"));
    assert_eq!(text, "not enough free space there");
    assert!(names(&disk.seen(&places.to())).is_empty());
    disk.remount(&places.to(), "size=16m");
    places.transfer(&mut receiver, &["f"]).assert_statuses(0, 0);
    assert_same(&disk.seen(&places.to()).join("f"), &bytes);
}

#[test]
fn a_disk_that_gets_full_is_said_once_at_both_ends_and_what_came_is_not_sent_again() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=2m", "a full disk") else {
        return;
    };
    let to = disk.seen(&places.to());
    let bytes = places.source("f", 2, 5 * MIB);
    let mut receiver = disk.inside(&places.receiver(&["--ignore-space"]));
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(1, 1);
    run.assert_told_once("cannot write f: no space left on device");
    let said = stderr(&run.sent);
    assert_eq!(said.matches("no space left").count(), 1, "{said}");
    assert!(
        said.contains("hint: make room at the other end, then run the same command again"),
        "{said}"
    );
    assert_eq!(names(&to), [".f.sockkit-journal", ".f.sockkit-part"]);
    let kept = kept(&to.join(".f.sockkit-part"), &bytes);
    assert!(kept >= CHUNK, "{kept}");
    disk.remount(&places.to(), "size=16m");
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(0, 0);
    assert_eq!(
        (run.sum("sent"), run.sum("reused")),
        (bytes.len() - kept, kept)
    );
    assert_same(&to.join("f"), &bytes);
    assert_eq!(names(&to), ["f"]);
}

#[test]
fn a_disk_that_many_small_files_fill_keeps_those_that_fit() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=2m", "a disk full of small files") else {
        return;
    };
    let to = disk.seen(&places.to().join("t"));
    let sources: BTreeMap<String, Vec<u8>> = (0..100)
        .map(|number| {
            let name = format!("{number:02}");
            let bytes = places.source(&format!("t/{name}"), 100 + number, 40_000);
            (name, bytes)
        })
        .collect();
    let mut receiver = disk.inside(&places.receiver(&[]));
    let run = places.transfer(&mut receiver, &["t"]);
    run.assert_statuses(1, 1);
    run.assert_told_once("no space left on device");
    let there = names(&to);
    // There is room for 51, of which each worker had one in hand at the most.
    assert!((46..=51).contains(&there.len()), "{there:?}");
    for name in &there {
        assert_same(&to.join(name), &sources[name]);
    }
    disk.remount(&places.to(), "size=16m");
    let run = places.transfer(&mut receiver, &["t"]);
    run.assert_statuses(0, 0);
    assert_eq!(run.sum("identical"), there.len());
    assert_eq!(run.sum("sent"), (sources.len() - there.len()) * 40_000);
    assert_eq!(names(&to).len(), sources.len());
}

/// The room is found to be too little only when it turns out that the existing file is another one.
#[test]
fn a_lack_of_room_that_shows_late_is_called_so_by_the_sender() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=2m", "a late lack of room") else {
        return;
    };
    places.source("f", 3, 3 * MIB / 2);
    let old = vec![b'o'; 3 * MIB / 2];
    fs::write(disk.seen(&places.to()).join("f"), &old).expect("written");
    let mut receiver = disk.inside(&places.receiver(&["--overwrite"]));
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(1, 1);
    run.assert_told_once("not enough free space: 1572864 bytes needed");
    let (verdict, reason, text) = run.verdict("f");
    assert_eq!((&*verdict, &*reason), ("failed", "no_space"));
    assert_eq!(text, "not enough free space there");
    assert_same(&disk.seen(&places.to()).join("f"), &old);
}

#[test]
fn a_disk_without_a_place_for_another_name_is_a_full_one() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=2m,nr_inodes=1", "no inodes") else {
        return;
    };
    places.source("f", 4, 1_000);
    let mut receiver = disk.inside(&places.receiver(&[]));
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(1, 1);
    run.assert_told_once("no space left on device");
    assert!(stderr(&run.sent).contains("no space left on the disk"));
}

/// Whether strace can make system calls fail here. Loud if not: `.ci/run` installs it.
fn may_trace(what: &str) -> bool {
    let probe = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let why = match probe {
        Ok(output) if output.status.success() => return true,
        Ok(output) => stderr(&output),
        Err(error) => format!("strace: {error}"),
    };
    left_out(what, why.trim_end());
    false
}

/// Each call on the way to the disk fails once, with the error of a device that is broken.
#[test]
fn a_failing_device_is_said_at_both_ends_and_the_transfer_can_go_on() {
    if !may_trace("a failing device") {
        return;
    }
    for (call, when, size) in [
        ("pwrite64", 3, 5 * MIB),
        ("fsync", 1, 5 * MIB),
        ("pwrite64", 1, 1_000),
        ("fsync", 1, 1_000),
        ("linkat", 1, 1_000),
    ] {
        let of = format!("{call} number {when} of {size} bytes");
        let places = Places::new();
        let bytes = places.source("f", 5, size);
        let with_fsync = || {
            let mut command = sockkit(&["recv-file", "--plain", "127.0.0.1:0"]);
            command.arg("-d").arg(places.to());
            command
        };
        let whole = with_fsync();
        let mut traced = Command::new("strace");
        traced.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
        ]);
        traced.args(["-e", &format!("inject={call}:error=EIO:when={when}")]);
        traced.arg(whole.get_program()).args(whole.get_args());
        let run = places.transfer(&mut traced, &["f"]);
        assert_eq!(
            (run.sent.status.code(), run.received),
            (Some(1), 1),
            "{of}: {}{:#?}",
            stderr(&run.sent),
            run.told
        );
        run.assert_told_once("input/output error");
        let (verdict, reason, text) = run.verdict("f");
        assert_eq!((&*verdict, &*reason), ("failed", "disk"), "{of}");
        assert_eq!(text, "the receiver's disk failed", "{of}");
        assert!(!places.to().join("f").exists(), "{of}");
        let part = places.to().join(".f.sockkit-part");
        let kept = if part.exists() {
            kept(&part, &bytes)
        } else {
            0
        };
        let run = places.transfer(&mut with_fsync(), &["f"]);
        run.assert_statuses(0, 0);
        assert_eq!(run.sum("sent"), size - kept, "{of}");
        assert_eq!(kept > 0, size > MIB, "{of}");
        assert_same(&places.to().join("f"), &bytes);
        assert_eq!(names(&places.to()), ["f"], "{of}");
    }
}

/// A large file is on its way to the disk while it is on its way here: the flush at the end is no long wait.
#[test]
fn a_large_file_is_written_out_while_it_comes() {
    if !may_trace("writing out early") {
        return;
    }
    for (flags, calls) in [(&[][..], 2), (&["--no-fsync"], 0)] {
        let places = Places::new();
        let bytes = places.source("f", 6, 40 * MIB);
        let trace = places.folder.path().join("trace");
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=fadvise64", "-o"]);
        traced.arg(&trace).arg(env!("CARGO_BIN_EXE_sockkit"));
        traced
            .args(["recv-file", "--plain", "127.0.0.1:0"])
            .args(flags);
        traced.arg("-d").arg(places.to());
        places.transfer(&mut traced, &["f"]).assert_statuses(0, 0);
        assert_same(&places.to().join("f"), &bytes);
        let seen = fs::read_to_string(trace).expect("a trace");
        let seen: Vec<&str> = seen
            .lines()
            .filter(|line| line.contains("DONTNEED"))
            .collect();
        assert_eq!(seen.len(), calls, "{flags:?} {seen:#?}");
    }
}

/// What is there is not written through or over, and the sender is told what it is.
#[test]
fn what_is_in_the_way_is_called_by_its_name_at_both_ends() {
    use std::os::unix::fs::symlink;
    type Obstacle = fn(&Path);
    let cases: [(&str, Obstacle, &str, &str, &str); 8] = [
        (
            "f",
            |to| fs::create_dir(to.join("f")).expect("made"),
            "is_directory",
            "a directory has that name",
            "a directory has that name there",
        ),
        (
            "f",
            |to| symlink("elsewhere", to.join("f")).expect("made"),
            "is_link",
            "a symbolic link has that name",
            "a symbolic link has that name there",
        ),
        (
            "f",
            |to| {
                fs::write(to.join("elsewhere"), "mine").expect("written");
                symlink("elsewhere", to.join("f")).expect("made");
            },
            "is_link",
            "a symbolic link has that name",
            "a symbolic link has that name there",
        ),
        (
            "f",
            |to| drop(std::os::unix::net::UnixListener::bind(to.join("f")).expect("made")),
            "is_special",
            "a fifo, socket or device has that name",
            "a fifo, socket or device has that name there",
        ),
        (
            "t",
            |to| symlink(".", to.join("t")).expect("made"),
            "link_in_path",
            "t is a symbolic link",
            "a part of its path is a symbolic link there",
        ),
        (
            "t",
            |to| fs::write(to.join("t"), "mine").expect("written"),
            "no_directory_in_path",
            "t is not a directory",
            "a part of its path is no directory there",
        ),
        (
            "f",
            |to| fs::create_dir(to.join(".f.sockkit-part")).expect("made"),
            "in_the_way",
            "a directory has that name",
            "something that is no file is in the way there",
        ),
        (
            "f",
            |to| symlink("elsewhere", to.join(".f.sockkit-part")).expect("made"),
            "in_the_way",
            "a symbolic link has that name",
            "something that is no file is in the way there",
        ),
    ];
    for (sent, obstacle, reason, told, said) in cases {
        for policy in [&[][..], &["--overwrite"]] {
            let places = Places::new();
            // Large enough to have a partial file.
            places.source("f", 6, MIB);
            places.source("t/f", 7, MIB);
            obstacle(&places.to());
            let before = listing(&places.to());
            let run = places.transfer(&mut places.receiver(policy), &[sent]);
            run.assert_statuses(7, 7);
            let path = if sent == "t" { "t/f" } else { sent };
            let (_, is, text) = run.verdict(path);
            assert_eq!((&*is, &*text), (reason, said));
            let of = |line: &&String| line.contains(&format!("{path}: ")) && line.contains(told);
            assert_eq!(run.told.iter().filter(of).count(), 1, "{:#?}", run.told);
            assert_eq!(listing(&places.to()), before, "{reason}");
        }
    }
}

/// Names, what they are, and what links and files hold.
fn listing(folder: &Path) -> Vec<(String, String)> {
    let of = |name: &String| {
        let path = folder.join(name);
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        match fs::read_link(&path) {
            Ok(target) => format!("-> {}", target.display()),
            Err(_) if metadata.is_file() => fs::read_to_string(&path).expect("text"),
            Err(_) => format!("{:?}", metadata.file_type()),
        }
    };
    names(folder)
        .into_iter()
        .map(|name| (name.clone(), of(&name)))
        .collect()
}

#[test]
fn a_read_only_file_system_is_called_so_at_both_ends() {
    let places = Places::new();
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=8m", "a read-only file system") else {
        return;
    };
    disk.remount(&places.to(), "ro");
    for size in [1_000, MIB] {
        places.source("f", 8, size);
        let mut receiver = disk.inside(&places.receiver(&[]));
        let run = places.transfer(&mut receiver, &["f"]);
        run.assert_statuses(1, 1);
        run.assert_told_once("read-only file");
        let (_, reason, text) = run.verdict("f");
        assert_eq!(
            (&*reason, &*text),
            ("read_only", "the file system there is read-only")
        );
    }
}

/// Root may write everywhere, save without its capabilities.
fn without_capabilities(command: &Command, what: &str) -> Option<Command> {
    let may_do_all = rustix::process::geteuid().is_root();
    let mut bare = Command::new("setpriv");
    bare.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    let probe = Command::new("setpriv")
        .args(["--bounding-set=-all", "true"])
        .output();
    match probe {
        Ok(output) if output.status.success() => {}
        _ if !may_do_all => bare = Command::new("env"),
        Ok(output) => {
            left_out(what, stderr(&output).trim_end());
            return None;
        }
        Err(error) => {
            left_out(what, &format!("setpriv: {error}"));
            return None;
        }
    }
    bare.arg(command.get_program()).args(command.get_args());
    Some(bare)
}

#[test]
fn a_directory_that_may_not_be_written_to_is_said_at_both_ends() {
    use std::os::unix::fs::PermissionsExt;
    let places = Places::new();
    let what = "a directory that may not be written to";
    let Some(mut receiver) = without_capabilities(&places.receiver(&[]), what) else {
        return;
    };
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(places.to(), mode).expect("it is ours");
    };
    for size in [1_000, MIB] {
        let bytes = places.source("f", 9, size);
        mode(0o500);
        let run = places.transfer(&mut receiver, &["f"]);
        run.assert_statuses(1, 1);
        run.assert_told_once("permission denied");
        let (_, reason, text) = run.verdict("f");
        assert_eq!(
            (&*reason, &*text),
            ("permission", "no permission to write there")
        );
        mode(0o700);
        places.transfer(&mut receiver, &["f"]).assert_statuses(0, 0);
        assert_same(&places.to().join("f"), &bytes);
        fs::remove_file(places.to().join("f")).expect("it is there");
    }
}

/// A file system that begins beneath the target directory, one that a link of the user's leads to, and a file that
/// is itself a mount point.
#[test]
fn other_file_systems_are_written_to_and_a_mount_point_is_not_replaced() {
    use std::os::unix::fs::symlink;
    let places = Places::new();
    let mount = places.to().join("t");
    fs::create_dir(&mount).expect("made");
    let Some(disk) = Mounted::tmpfs(&mount, "size=16m", "other file systems") else {
        return;
    };
    let there = disk.seen(&mount);
    for size in [1_000, 2 * MIB] {
        let bytes = places.source("t/f", 10, size);
        let mut receiver = disk.inside(&places.receiver(&["--overwrite"]));
        places.transfer(&mut receiver, &["t"]).assert_statuses(0, 0);
        assert_same(&there.join("f"), &bytes);
        assert_eq!(names(&there), ["f"]);
    }

    let bytes = places.source("g", 11, 2 * MIB);
    fs::write(there.join("g"), "old").expect("written");
    let link = places.to().join("link");
    symlink(mount.join("g"), &link).expect("made");
    let mut outfile = sockkit(&["recv-file", "--plain", "127.0.0.1:0", "--overwrite", "-o"]);
    let mut receiver = disk.inside(outfile.arg(&link));
    places.transfer(&mut receiver, &["g"]).assert_statuses(0, 0);
    assert_same(&there.join("g"), &bytes);
    assert_eq!(
        fs::read_link(&link).expect("it is a link still"),
        mount.join("g")
    );

    let target = places.to().join("f");
    fs::write(&target, "mine").expect("written");
    disk.shell(&format!(
        "mount --bind {}/f {}",
        mount.display(),
        target.display()
    ));
    places.source("f", 12, MIB);
    let mut receiver = disk.inside(&places.receiver(&["--overwrite"]));
    let run = places.transfer(&mut receiver, &["f"]);
    run.assert_statuses(7, 7);
    run.assert_told_once("resource busy");
    let (_, reason, _) = run.verdict("f");
    assert_eq!(reason, "in_the_way");
    assert_eq!(fs::read_to_string(&target).expect("it is there"), "mine");
}

#[test]
fn an_output_file_that_is_a_link_to_nothing_is_said_to_be_one() {
    let places = Places::new();
    let link = places.to().join("link");
    std::os::unix::fs::symlink("no\x1bwhere", &link).expect("made");
    let mut command = sockkit(&["recv-file", "--plain", "127.0.0.1:0", "-o"]);
    let output = command.arg(&link).output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let expected = "link: it is a symbolic link to no\\x1bwhere, which does not exist";
    assert!(said.contains(expected), "{said}");
}

/// What is whole has its name before the next one is begun, so that no kill and no full disk costs more than what a
/// worker has in hand.
#[test]
fn small_files_get_their_names_one_after_the_other() {
    const COUNT: usize = 300;
    /// Of `crew.rs`.
    const MAX_WORKERS: isize = 4;
    let what = "names of small files";
    let places = Places::new();
    // Not every file system has files without a name.
    let Some(disk) = Mounted::tmpfs(&places.to(), "size=16m", what).filter(|_| may_trace(what))
    else {
        return;
    };
    for number in 0..COUNT {
        places.source(&format!("t/{number}"), 200 + number as u64, 1_000);
    }
    let trace = places.folder.path().join("trace");
    let bare = places.receiver(&["-q"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=openat,linkat", "-o"]);
    traced.arg(&trace).arg(bare.get_program());
    traced.args(bare.get_args());
    let mut receiver = disk.inside(&traced);
    places.transfer(&mut receiver, &["t"]).assert_statuses(0, 0);
    assert_eq!(names(&disk.seen(&places.to().join("t"))).len(), COUNT);
    let (mut unnamed, mut most, mut named) = (0, 0, 0);
    for line in fs::read_to_string(trace).expect("a trace").lines() {
        if line.contains("O_TMPFILE") {
            unnamed += 1;
            most = most.max(unnamed);
        } else if line.contains("linkat(") {
            unnamed -= 1;
            named += 1;
        }
    }
    assert!(named >= COUNT, "{named}");
    assert!(most <= MAX_WORKERS, "{most} at once");
}
