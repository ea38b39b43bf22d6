//! The sender's disk on real directories.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::extents::Extent;
use super::*;
use crate::transfer::entry::EntryKind;

/// What a walk says, as text: `dir/`, `file`, `link -> target`, or the problem with its path relative to `root`.
fn walk(root: &Path, paths: &[&str], options: WalkOptions) -> Vec<String> {
    let paths: Vec<PathBuf> = paths
        .iter()
        .map(|path| match path.starts_with('/') {
            true => PathBuf::from(path),
            false => PathBuf::from(format!("{}/{path}", root.display())),
        })
        .collect();
    let root = format!("{}/", root.display());
    Walk::new(paths, options)
        .map(|item| match item {
            Ok(found) => match found.entry.kind {
                EntryKind::File { .. } => found.entry.path.to_string(),
                EntryKind::Directory => format!("{}/", found.entry.path),
                EntryKind::Symlink { target } => {
                    format!(
                        "{} -> {}",
                        found.entry.path,
                        String::from_utf8_lossy(&target)
                    )
                }
            },
            Err(problem) => format!("! {}", problem.to_string().replace(&root, "")),
        })
        .collect()
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in ["t/b/deep", "t/a", "t/empty"] {
        fs::create_dir_all(dir.path().join(path)).unwrap();
    }
    for path in ["t/b/deep/x.o", "t/b/y.c", "t/a/z.c", "t/B", "t/a.c"] {
        fs::write(dir.path().join(path), path).unwrap();
    }
    dir
}

const ALL: [&str; 9] = [
    "t/",
    "t/B",
    "t/a/",
    "t/a/z.c",
    "t/a.c",
    "t/b/",
    "t/b/deep/",
    "t/b/deep/x.o",
    "t/b/y.c",
];

#[test]
fn the_order_is_stable_and_a_directory_comes_before_what_is_in_it() {
    let dir = tree();
    let mut all: Vec<&str> = ALL.to_vec();
    all.push("t/empty/");
    assert_eq!(walk(dir.path(), &["t"], WalkOptions::default()), all);
    assert_eq!(walk(dir.path(), &["t/"], WalkOptions::default()), all);
    let inner: Vec<&str> = all[1..].iter().map(|path| &path[2..]).collect();
    for contents in ["t/.", "t/b/..", "t/./"] {
        assert_eq!(
            walk(dir.path(), &[contents], WalkOptions::default()),
            inner,
            "{contents}"
        );
    }
}

#[test]
fn the_same_argument_twice_is_sent_once_and_two_of_one_name_are_an_error() {
    let dir = tree();
    let once = walk(dir.path(), &["t/a"], WalkOptions::default());
    assert_eq!(once, ["a/", "a/z.c"]);
    for again in [&["t/a", "t/a/"][..], &["t/a", "t/b/../a"]] {
        assert_eq!(walk(dir.path(), again, WalkOptions::default()), once);
    }
    // A tree's contents and something in it.
    let both = walk(dir.path(), &["t/b/y.c", "t/b/."], WalkOptions::default());
    assert_eq!(both, ["y.c", "deep/", "deep/x.o"]);
    fs::create_dir(dir.path().join("u")).unwrap();
    fs::write(dir.path().join("u/a.c"), "").unwrap();
    assert_eq!(
        walk(
            dir.path(),
            &["t/a.c", "u/a.c", "t/B"],
            WalkOptions::default()
        ),
        [
            "a.c",
            "! cannot send u/a.c: another path has the same name",
            "B"
        ]
    );
}

#[test]
fn globs_prune_and_directories_without_included_files_are_not_sent() {
    let dir = tree();
    let with = |exclude: &[&str], include: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        let globs = Globs::new(&own(exclude), &own(include)).unwrap();
        walk(
            dir.path(),
            &["t"],
            WalkOptions {
                globs,
                ..WalkOptions::default()
            },
        )
    };
    assert_eq!(
        with(&[], &["*.o"]),
        ["t/", "t/b/", "t/b/deep/", "t/b/deep/x.o"]
    );
    assert_eq!(
        with(&["b/", "B"], &[]),
        ["t/", "t/a/", "t/a/z.c", "t/a.c", "t/empty/"]
    );
    assert_eq!(with(&["t/a*"], &["*.c"]), ["t/", "t/b/", "t/b/y.c"]);
    assert_eq!(with(&["t"], &[]), [""; 0]);
}

#[test]
fn links_are_kept_skipped_or_followed_and_circles_end() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("t/d")).unwrap();
    fs::write(at("t/d/f"), "f").unwrap();
    symlink("d/f", at("t/file")).unwrap();
    symlink("nowhere", at("t/gone")).unwrap();
    symlink("..", at("t/d/up")).unwrap();
    symlink("t", at("argument")).unwrap();
    let with = |links| {
        let options = WalkOptions {
            links,
            ..WalkOptions::default()
        };
        walk(dir.path(), &["argument"], options)
    };
    assert_eq!(
        with(Links::Keep),
        [
            "argument/",
            "argument/d/",
            "argument/d/f",
            "argument/d/up -> ..",
            "argument/file -> d/f",
            "argument/gone -> nowhere"
        ]
    );
    assert_eq!(
        with(Links::Skip),
        [
            "argument/",
            "argument/d/",
            "argument/d/f",
            "! left out argument/d/up: a symbolic link",
            "! left out argument/file: a symbolic link",
            "! left out argument/gone: a symbolic link"
        ]
    );
    assert_eq!(
        with(Links::Follow),
        [
            "argument/",
            "argument/d/",
            "argument/d/f",
            "! cannot send argument/d/up: the link leads in a circle",
            "argument/file",
            "! cannot read argument/gone: no such file or directory"
        ]
    );
}

#[test]
fn what_is_no_file_and_what_an_interrupted_transfer_left_is_named_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir(at("t")).unwrap();
    fs::write(at("t/.x.sockkit-part"), "").unwrap();
    fs::write(at("t/.x.sockkit-journal"), "").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at("t/socket")).unwrap();
    #[cfg(target_os = "linux")]
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        at("t/fifo"),
        rustix::fs::Mode::from_bits_truncate(0o600),
    )
    .unwrap();
    let lines = walk(dir.path(), &["t", "missing"], WalkOptions::default());
    assert!(lines.contains(&"! left out t/socket: a fifo, socket or device".to_owned()));
    assert!(lines.contains(&"! left out t/.x.sockkit-part: a partial file".to_owned()));
    assert!(lines.contains(&"! left out t/.x.sockkit-journal: a partial file".to_owned()));
    assert!(lines.contains(&"! cannot read missing: no such file or directory".to_owned()));
    assert_eq!(
        lines.contains(&"! left out t/fifo: a fifo, socket or device".to_owned()),
        cfg!(target_os = "linux")
    );
    let asked = WalkOptions {
        partials: true,
        ..WalkOptions::default()
    };
    assert!(walk(dir.path(), &["t"], asked).contains(&"t/.x.sockkit-part".to_owned()));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_pass_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9 \xff");
    fs::write(dir.path().join(name), "x").unwrap();
    let found = Walk::new([dir.path().join(name)], WalkOptions::default())
        .next()
        .unwrap()
        .unwrap();
    let components: Vec<&[u8]> = found.entry.path.components().collect();
    assert_eq!(components, [&b"caf\xe9 \xff"[..]]);
    let inside = Walk::new([dir.path().join(".")], WalkOptions::default())
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(inside.entry.path, found.entry.path);
    assert_eq!(OpenSource::open(&inside).unwrap().identity().size, 1);
}

#[test]
fn an_entry_says_size_time_to_the_nanosecond_and_mode() {
    let dir = tree();
    let file = fs::File::options()
        .write(true)
        .open(dir.path().join("t/B"))
        .unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
    file.set_times(fs::FileTimes::new().set_modified(time))
        .unwrap();
    let found = Walk::new([dir.path().join("t/B")], WalkOptions::default())
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(found.entry.size(), Some(3));
    assert_eq!(found.entry.modified.secs, 1_700_000_000);
    assert_eq!(found.entry.modified.nanos, 123_456_789);
    assert_eq!(found.entry.mode, file.metadata().unwrap().mode() & 0o7777);
    assert!(found.followed, "an argument");
}

/// The first file beneath `dir`, opened.
fn open_only(dir: &Path) -> OpenSource {
    let found = Walk::new([dir.join(".")], WalkOptions::default())
        .next()
        .unwrap()
        .unwrap();
    OpenSource::open(&found).unwrap()
}

#[test]
fn a_change_while_sending_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "content").unwrap();
    let source = open_only(dir.path());
    assert_eq!(source.change().unwrap(), None);
    fs::File::options()
        .append(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b" more"))
        .unwrap();
    assert_eq!(source.change().unwrap(), Some(Change::Grew));
    fs::write(&path, "short").unwrap();
    assert_eq!(source.change().unwrap(), Some(Change::Content));
    let mut buf = [0; 10];
    assert_eq!(source.read_at(2, &mut buf).unwrap(), 3);
    assert_eq!(&buf[..3], b"ort");
}

#[test]
fn a_link_that_comes_in_the_place_of_a_file_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "mine").unwrap();
    let found = Walk::new([dir.path().join(".")], WalkOptions::default())
        .next()
        .unwrap()
        .unwrap();
    fs::remove_file(&path).unwrap();
    symlink("/etc/passwd", &path).unwrap();
    assert!(OpenSource::open(&found).is_err());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(OpenSource::open(&found).is_err());
}

#[test]
fn extents_cover_the_file_and_holes_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join("f")).unwrap();
    // Offsets beyond 4 GiB, and a hole at the end.
    const GIB: u64 = 1 << 30;
    file.write_all_at(b"x", 0).unwrap();
    file.write_all_at(b"y", 99 * GIB).unwrap();
    file.set_len(100 * GIB).unwrap();
    let source = open_only(dir.path());
    let (mut at, mut data) = (0, 0);
    let mut holes = 0;
    while let Some(extent) = source.next_extent(at).unwrap() {
        assert_eq!(extent.range().start, at);
        assert!(extent.range().end > at);
        match &extent {
            Extent::Data(range) => data += range.end - range.start,
            Extent::Hole(_) => holes += 1,
        }
        at = extent.range().end;
    }
    assert_eq!(at, 100 * GIB);
    if cfg!(target_os = "linux") {
        assert_eq!(holes, 2);
        assert!(data < GIB, "{data}");
        assert!(source.allocated() < GIB);
    }
    let mut byte = [0];
    assert_eq!(source.read_at(99 * GIB, &mut byte).unwrap(), 1);
    assert_eq!(&byte, b"y");
}

#[test]
fn an_empty_file_has_no_extent() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    assert_eq!(open_only(dir.path()).next_extent(0).unwrap(), None);
}
