//! The receiver's disk on real directories: what is stored, what is refused, and what nobody gets out of.

mod limits;
mod policy;
mod resume;
mod unnamed;
mod unsafe_names;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::transfer::entry::{Entry, EntryKind, ModifiedAt};

/// A target directory and beside it one that must never be touched.
struct Bench {
    dir: tempfile::TempDir,
    policy: Policy,
}

impl Bench {
    fn new() -> Self {
        Self::with(Policy {
            fsync: false,
            fold_case: false,
            ..Policy::default()
        })
    }

    fn with(policy: Policy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("target")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        Self { dir, policy }
    }

    fn existing(existing: Existing) -> Self {
        let mut bench = Self::new();
        bench.policy.existing = existing;
        bench
    }

    fn session(&self) -> Session {
        Store::open(&self.target(), self.policy.clone())
            .unwrap()
            .session()
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.target().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.at(path), content).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    /// The names beneath the target directory, sorted.
    fn names(&self) -> Vec<String> {
        let mut names = list(&self.target());
        names.sort();
        names
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(list(&self.outside()), [""; 0], "written outside");
        }
    }
}

fn list(dir: &Path) -> Vec<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn at((secs, nanos): (i64, u32)) -> ModifiedAt {
    ModifiedAt { secs, nanos }
}

/// A file whose size nobody knows.
fn stream(text: &str) -> Entry {
    Entry {
        kind: EntryKind::File { size: None },
        ..file(text, 0)
    }
}

const TIME: (i64, u32) = (1_700_000_000, 123_456_789);

fn path(text: &str) -> PeerPath {
    PeerPath::from_components(text.split('/').map(|c| c.as_bytes().to_vec())).unwrap()
}

fn file(text: &str, size: u64) -> Entry {
    Entry {
        path: path(text),
        kind: EntryKind::File { size: Some(size) },
        modified: at(TIME),
        mode: 0o644,
    }
}

fn directory(text: &str) -> Entry {
    Entry {
        kind: EntryKind::Directory,
        mode: 0o755,
        ..file(text, 0)
    }
}

fn link(text: &str, target: &str) -> Entry {
    Entry {
        kind: EntryKind::Symlink {
            target: target.as_bytes().into(),
        },
        ..file(text, 0)
    }
}

/// Stores `content` as a pipeline would that reuses nothing.
fn store(session: &Session, entry: &Entry, content: &[u8]) -> Result<Stored, Failure> {
    let mut part = session.begin(entry, None)?;
    part.write_at(0, content)?;
    part.set_len(content.len() as u64)?;
    part.commit(entry)
}

fn refusal(verdict: Verdict) -> (Class, String) {
    match verdict {
        Verdict::Refuse(failure) => (failure.class(), failure.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

fn class(result: Result<impl std::fmt::Debug, Failure>) -> Class {
    result.unwrap_err().class()
}

#[test]
fn a_file_arrives_under_its_name_with_its_time_to_the_nanosecond_and_a_masked_mode() {
    let mut bench = Bench::new();
    bench.policy.fsync = true;
    let session = bench.session();
    let mut entry = file("a/b/c.txt", 5);
    entry.mode = 0o7777;
    assert!(matches!(session.consider(&entry), Verdict::Want));
    let stored = store(&session, &entry, b"hello").unwrap();
    assert_eq!(stored.path, entry.path);
    assert!(!stored.renamed && !stored.replaced && !stored.unchanged);
    assert_eq!(bench.read("a/b/c.txt"), b"hello");
    let metadata = fs::metadata(bench.at("a/b/c.txt")).unwrap();
    assert_eq!(
        (metadata.mtime(), metadata.mtime_nsec()),
        (TIME.0, 123_456_789)
    );
    // No set-user-ID, set-group-ID or sticky bit, and what the umask says.
    let plain = fs::File::create(bench.at("plain"))
        .unwrap()
        .metadata()
        .unwrap();
    let umask = 0o666 & !(plain.mode() & 0o777);
    assert_eq!(metadata.mode() & 0o7777 & 0o7666, 0o666 & !umask);
    assert_eq!(metadata.mode() & 0o7000, 0);
    assert_eq!(list(&bench.at("a/b")), ["c.txt"], "no stray file");
}

#[test]
fn nothing_is_under_the_final_name_before_the_commit_and_the_part_is_private() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("f", 4);
    let mut part = session.begin(&entry, None).unwrap();
    part.write_at(0, b"full").unwrap();
    assert_eq!(bench.names(), [".f.sockkit-part"]);
    let mode = fs::metadata(bench.at(".f.sockkit-part")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o600);
    part.commit(&entry).unwrap();
    assert_eq!(bench.names(), ["f"]);
}

#[test]
fn empty_files_and_times_before_1970_and_beyond_2038_arrive() {
    let bench = Bench::new();
    let session = bench.session();
    for (name, time) in [
        ("old", (-1, 5)),
        ("new", (5_000_000_000, 0)),
        ("odd", (i64::MIN, u32::MAX)),
    ] {
        let entry = Entry {
            modified: at(time),
            ..file(name, 0)
        };
        store(&session, &entry, b"").unwrap();
        let metadata = fs::metadata(bench.at(name)).unwrap();
        assert_eq!(metadata.len(), 0);
        if name != "odd" {
            assert_eq!((metadata.mtime(), metadata.mtime_nsec() as u32), time);
        }
    }
}

#[test]
fn directories_are_private_until_they_are_offered_and_finished_then() {
    let bench = Bench::new();
    let session = bench.session();
    // One that its owner may not write to, in one that he may not enter: what is in them comes first.
    store(&session, &file("d/locked/f", 1), b"x").unwrap();
    for name in ["d", "d/locked"] {
        assert_eq!(fs::metadata(bench.at(name)).unwrap().mode() & 0o777, 0o700);
    }
    for (name, mode) in [
        ("d/e", 0o755),
        ("d/locked", 0o500),
        ("d", 0o600),
        ("empty", 0o755),
    ] {
        let offered = Entry {
            mode,
            ..directory(name)
        };
        assert!(matches!(session.consider(&offered), Verdict::Want));
        session.directory(&offered).unwrap();
        let metadata = fs::metadata(bench.at(name)).unwrap();
        assert_eq!(metadata.mode() & 0o7700, mode & 0o700, "{name}");
        assert_eq!(metadata.mtime(), TIME.0, "{name}");
    }
    // Whoever sends something else into one does not leave it with another time.
    store(&session, &file("empty/late", 1), b"x").unwrap();
    assert_ne!(fs::metadata(bench.at("empty")).unwrap().mtime(), TIME.0);
    let failures = session.finish();
    assert!(failures.is_empty(), "{failures:?}");
    for (name, mode) in [
        ("empty", 0o700),
        ("d", 0o600),
        ("d/e", 0o700),
        ("d/locked", 0o500),
    ] {
        let metadata = fs::metadata(bench.at(name)).unwrap();
        assert_eq!(
            (metadata.mtime(), metadata.mtime_nsec()),
            (TIME.0, 123_456_789),
            "{name}"
        );
        assert_eq!(metadata.mode() & 0o7700, mode, "{name}");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(bench.at(name), open).unwrap();
    }
}

#[test]
fn a_directory_may_be_offered_after_what_is_in_it_or_not_at_all() {
    let bench = Bench::new();
    let session = bench.session();
    store(&session, &file("offered/implied/f", 1), b"x").unwrap();
    for name in ["offered", "offered/implied"] {
        let mode = fs::metadata(bench.at(name)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700, "private until it is finished");
    }
    let mut late = directory("offered");
    late.mode = 0o751;
    assert!(session.directory(&late).unwrap().unchanged);
    assert!(session.finish().is_empty());
    fs::create_dir(bench.at("plain")).unwrap();
    let plain = fs::metadata(bench.at("plain")).unwrap().mode();
    let implied = fs::metadata(bench.at("offered/implied")).unwrap();
    assert_eq!(implied.mode(), plain, "as mkdir would have made it");
    assert_ne!(implied.mtime(), TIME.0);
    let offered = fs::metadata(bench.at("offered")).unwrap();
    assert_eq!(offered.mtime(), TIME.0);
    assert_eq!(offered.mode() & 0o7777, 0o751 & plain & 0o777);
}

#[test]
fn an_interrupted_directory_is_finished_by_the_next_run_and_others_are_left_alone() {
    let bench = Bench::new();
    fs::create_dir(bench.at("mine")).unwrap();
    let mine = fs::metadata(bench.at("mine")).unwrap();
    store(&bench.session(), &file("theirs/f", 1), b"x").unwrap();
    // Killed here. The same again:
    let session = bench.session();
    assert!(session.directory(&directory("theirs")).unwrap().unchanged);
    assert!(session.directory(&directory("mine")).unwrap().unchanged);
    assert!(session.finish().is_empty());
    let theirs = fs::metadata(bench.at("theirs")).unwrap();
    assert_eq!(theirs.mtime(), TIME.0);
    assert_eq!(theirs.mode() & 0o1000, 0);
    let after = fs::metadata(bench.at("mine")).unwrap();
    assert_eq!((after.mtime(), after.mode()), (mine.mtime(), mine.mode()));
}

#[test]
fn a_directory_that_one_session_fills_is_not_finished_by_another() {
    let bench = Bench::new();
    let all = Store::open(&bench.target(), bench.policy.clone()).unwrap();
    let (one, other) = (all.session(), all.session());
    store(&one, &file("photos/1", 1), b"1").unwrap();
    let closed = Entry {
        mode: 0,
        ..directory("photos")
    };
    assert!(other.directory(&closed).unwrap().unchanged);
    let mode = || fs::metadata(bench.at("photos")).unwrap().mode() & 0o7777;
    assert_eq!(mode(), 0o1700);
    // Whoever made it finishes it for the other, also if it is cut off.
    drop(one);
    assert_eq!(mode(), 0);
}

#[test]
fn a_session_that_ends_anyhow_has_finished_what_was_offered_and_leaves_the_rest_to_the_next() {
    let bench = Bench::new();
    let session = bench.session();
    store(&session, &file("t/settled/f", 1), b"x").unwrap();
    session.directory(&directory("t/settled")).unwrap();
    // Killed here.
    drop(session);
    let settled = fs::metadata(bench.at("t/settled")).unwrap();
    assert_eq!((settled.mtime(), settled.mode() & 0o1000), (TIME.0, 0));
    // The sender comes back, and offers only what it had no verdict of.
    let session = bench.session();
    session.directory(&directory("t")).unwrap();
    assert!(session.finish().is_empty());
    let above = fs::metadata(bench.at("t")).unwrap();
    assert_eq!((above.mtime(), above.mode() & 0o1000), (TIME.0, 0));
}

#[test]
fn sparse_files_stay_sparse_and_offsets_beyond_4_gib_work() {
    const GIB: u64 = 1 << 30;
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("big", 100 * GIB);
    let mut part = session.begin(&entry, Some(2 << 20)).unwrap();
    part.write_at(0, &[1; 4096]).unwrap();
    part.hole(4096, 50 * GIB - 4096).unwrap();
    part.write_at(50 * GIB, &[2; 4096]).unwrap();
    part.hole(50 * GIB + 4096, 50 * GIB - 4096).unwrap();
    let mut buf = [0; 4];
    assert_eq!(part.read_at(50 * GIB + 4094, &mut buf).unwrap(), 4);
    assert_eq!(buf, [2, 2, 0, 0]);
    part.commit(&entry).unwrap();
    let metadata = fs::metadata(bench.at("big")).unwrap();
    assert_eq!(metadata.len(), 100 * GIB);
    if cfg!(target_os = "linux") {
        assert!(metadata.blocks() * 512 < 1 << 20, "{}", metadata.blocks());
    }
}

#[test]
fn a_hole_replaces_what_was_there_and_what_was_reserved() {
    const MIB: usize = 1 << 20;
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("f", 4 * MIB as u64);
    let mut part = session.begin(&entry, None).unwrap();
    part.write_at(0, &vec![7; 2 * MIB]).unwrap();
    part.hole(MIB as u64, 3 * MIB as u64).unwrap();
    part.commit(&entry).unwrap();
    let content = bench.read("f");
    assert_eq!(content.len(), 4 * MIB);
    assert!(content[..MIB].iter().all(|&b| b == 7));
    assert!(content[MIB..].iter().all(|&b| b == 0));
    if cfg!(target_os = "linux") {
        let blocks = fs::metadata(bench.at("f")).unwrap().blocks();
        assert!(blocks * 512 < 2 * MIB as u64, "{blocks}");
    }
}

#[test]
fn names_of_255_bytes_and_such_that_are_not_utf8_are_stored_and_resumed() {
    let bench = Bench::new();
    let session = bench.session();
    let mut names = vec![vec![b'x'; 255], [vec![b'x'; 254], vec![b'y']].concat()];
    if cfg!(target_os = "linux") {
        names.push(b"caf\xe9 \xff".to_vec());
        names.push([vec![0xff; 255]].concat());
    }
    for name in names {
        let entry = Entry {
            path: PeerPath::from_components([name.clone()]).unwrap(),
            ..file("x", 3)
        };
        let mut part = session.begin(&entry, None).unwrap();
        part.write_at(0, b"ab").unwrap();
        drop(part);
        let verdict = session.consider(&entry);
        assert!(
            matches!(verdict, Verdict::HavePart { len: 2, .. }),
            "{verdict:?}"
        );
        store(&session, &entry, b"abc").unwrap();
        use std::os::unix::ffi::OsStrExt;
        let stored = bench.target().join(std::ffi::OsStr::from_bytes(&name));
        assert_eq!(fs::read(stored).unwrap(), b"abc");
    }
    assert!(bench.names().iter().all(|name| !name.contains("sockkit")));
}

#[test]
fn an_outfile_is_found_wherever_it_is_and_a_device_is_a_stream() {
    use super::outfile::Outfile;
    let bench = Bench::new();
    bench.write("real", b"old");
    std::os::unix::fs::symlink("real", bench.at("link")).unwrap();
    let policy = Policy {
        existing: Existing::Overwrite,
        ..bench.policy.clone()
    };
    for name in ["new", "link"] {
        match Outfile::open(&bench.at(name), policy.clone()).unwrap() {
            Outfile::Stored { store: there, path } => {
                let entry = Entry {
                    path,
                    ..file("offered", 3)
                };
                store(&there.session(), &entry, b"abc").unwrap();
            }
            stream => panic!("{stream:?}"),
        }
    }
    assert_eq!(bench.read("new"), b"abc");
    assert_eq!(bench.read("real"), b"abc");
    assert!(fs::symlink_metadata(bench.at("link")).unwrap().is_symlink());
    assert!(matches!(
        Outfile::open(Path::new("/dev/null"), policy.clone()),
        Ok(Outfile::Stream(_))
    ));
    let failure = Outfile::open(&bench.target(), policy).unwrap_err();
    assert_eq!(failure.class(), Class::InTheWay);
}

#[test]
fn a_target_that_is_missing_or_no_directory_is_said_so() {
    let bench = Bench::new();
    bench.write("f", b"");
    for (name, says) in [
        ("gone", "no such file or directory"),
        ("f", "not a directory"),
    ] {
        let failure = Store::open(&bench.at(name), Policy::default()).unwrap_err();
        let text = failure.to_string();
        assert!(text.starts_with("cannot open the directory /"), "{text}");
        assert!(text.ends_with(says), "{text}");
    }
}
