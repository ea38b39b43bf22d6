//! What a hostile peer offers, and what somebody else does on the disk meanwhile: nothing gets out.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_link_and_then_a_file_through_it_is_refused() {
    let bench = Bench::existing(Existing::Overwrite);
    let session = bench.session();
    session.directory(&directory("real")).unwrap();
    // One that leads out is not even stored.
    for target in ["/tmp", "..", "../outside", "real/../../outside", "real/.."] {
        let entry = link("l", target);
        assert_eq!(
            refusal(session.consider(&entry)).0,
            Class::Outside,
            "{target}"
        );
        assert_eq!(class(session.link(&entry)), Class::Outside, "{target}");
    }
    for target in ["", "a\0b"] {
        assert_eq!(class(session.link(&link("l", target))), Class::Name);
    }
    assert_eq!(bench.names(), ["real"]);
    // One that stays inside is, but nothing goes through it.
    session.link(&link("in", "real")).unwrap();
    let entry = file("in/f", 1);
    let (class, text) = refusal(session.consider(&entry));
    assert_eq!(class, Class::Outside);
    assert_eq!(text, "cannot store in/f: in is a symbolic link");
    assert_eq!(super::class(store(&session, &entry, b"x")), Class::Outside);
    assert_eq!(
        super::class(session.directory(&directory("in/d"))),
        Class::Outside
    );
    assert_eq!(
        super::class(session.link(&link("in/l", "x"))),
        Class::Outside
    );
    assert_eq!(super::class(session.candidate(&entry)), Class::Outside);
    assert_eq!(list(&bench.at("real")), [""; 0]);
}

#[test]
fn links_that_the_user_has_are_not_followed_either() {
    let bench = Bench::new();
    symlink(bench.outside(), bench.at("out")).unwrap();
    std::fs::create_dir(bench.at("d")).unwrap();
    symlink("../../outside/f", bench.at("d/f")).unwrap();
    symlink("../../outside/part", bench.at("d/.g.sockkit-part")).unwrap();
    let session = bench.session();
    for (entry, expected) in [
        (file("out/f", 1), Class::Outside),
        (file("out/deep/f", 1), Class::Outside),
        (file("d/f", 1), Class::InTheWay),
        (file("d/g", 1), Class::InTheWay),
    ] {
        let failure = store(&session, &entry, b"x").unwrap_err();
        assert_eq!(failure.class(), expected, "{failure}");
    }
}

#[test]
fn names_of_partial_files_are_not_for_peers() {
    let bench = Bench::new();
    let session = bench.session();
    for name in [
        ".f.sockkit-part",
        ".f.sockkit-journal",
        "d/.F.SOCKKIT-PART",
        ".d.sockkit-part/f",
    ] {
        let entry = file(name, 1);
        assert_eq!(refusal(session.consider(&entry)).0, Class::Name, "{name}");
        assert_eq!(class(session.begin(&entry, None)), Class::Name);
        assert_eq!(class(session.directory(&directory(name))), Class::Name);
        assert_eq!(class(session.link(&link(name, "x"))), Class::Name);
    }
    assert_eq!(bench.names(), [""; 0]);
}

#[test]
fn the_deepest_path_is_made_with_two_handles() {
    let bench = Bench::new();
    let session = bench.session();
    let deep = vec!["15-bytes-a-name"; 254].join("/");
    let entry = file(&format!("{deep}/file"), 4);
    assert!(matches!(session.consider(&entry), Verdict::Want));
    store(&session, &entry, b"deep").unwrap();
    let candidate = session.candidate(&entry).unwrap().unwrap();
    let mut buf = [0; 4];
    candidate.read_at(0, &mut buf).unwrap();
    assert_eq!(&buf, b"deep");
}

#[test]
fn a_name_that_is_too_long_for_the_file_system_has_its_class() {
    // The gate lets none through, but some file systems take less than it does.
    let bench = Bench::new();
    let root = beneath::Dir::open(&bench.target()).unwrap();
    let error = root.look(&[b'x'; 300]).unwrap_err();
    let failure = Failure::new("look at", &"x", error);
    assert_eq!(failure.class(), Class::Name, "{failure}");
}

#[test]
fn the_walk_by_components_and_openat2_say_the_same() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.at("a/b/c")).unwrap();
    symlink("b", bench.at("a/l")).unwrap();
    bench.write("a/f", b"");
    let root = beneath::Dir::open(&bench.target()).unwrap();
    let id = |path: &str| {
        let metadata = std::fs::metadata(bench.at(path)).unwrap();
        (metadata.dev(), metadata.ino())
    };
    for path in ["a", "a/b", "a/b/c"] {
        let components: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        for dir in [root.descend(&components), root.walk(&components)] {
            assert_eq!(dir.unwrap().identify_self().unwrap().id, id(path));
        }
    }
    for (path, expected) in [
        ("a/x/y", "Missing(1)"),
        ("a/l", "Link(1)"),
        ("a/l/c", "Link(1)"),
        ("a/f", "NoDirectory(1)"),
        ("a/f/x", "NoDirectory(1)"),
    ] {
        let components: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        for dir in [root.descend(&components), root.walk(&components)] {
            assert_eq!(format!("{:?}", dir.unwrap_err()), expected, "{path}");
        }
    }
}

#[test]
fn renaming_without_replacing_works_without_the_flag_too() {
    let bench = Bench::new();
    let root = beneath::Dir::open(&bench.target()).unwrap();
    bench.write("a", b"a");
    bench.write("b", b"b");
    let error = root.rename_new_by_link(b"a", b"b").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    root.rename_new_by_link(b"a", b"c").unwrap();
    assert_eq!(bench.names(), ["b", "c"]);
    assert_eq!(bench.read("b"), b"b");
}

/// Somebody swaps a directory for a link that leads out, over and over, while files are stored in it. Each is stored
/// inside or refused.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[test]
fn swapping_a_directory_for_a_link_leads_nobody_out() {
    let bench = Bench::existing(Existing::Overwrite);
    std::fs::create_dir_all(bench.at("d/e")).unwrap();
    std::fs::create_dir(bench.outside().join("e")).unwrap();
    // Both ways of descending, the first by `Session`.
    let root = beneath::Dir::open(&bench.target()).unwrap();
    let (stored, refused) = race(&bench, |session| {
        if let Ok(dir) = root.walk(&[b"d", b"e"]) {
            drop(dir.create_new(b"walked"));
        }
        session.directory(&directory("d/e/made"))?;
        session.link(&link("d/e/link", "x"))?;
        store(session, &file("d/e/f", 1), b"x").map(drop)
    });
    let leaked = list(&bench.outside().join("e"));
    std::fs::remove_dir_all(bench.outside().join("e")).unwrap();
    assert_eq!(leaked, [""; 0]);
    assert!(
        stored > 0 && refused > 0,
        "no race: {stored} stored, {refused} refused"
    );
}

/// Swaps until enough of both was seen, and says how often it worked and how often not.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn race(bench: &Bench, attempt: impl Fn(&Session) -> Result<(), Failure>) -> (u32, u32) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let done = AtomicBool::new(false);
    let (dir, out) = (bench.at("d"), bench.at("out"));
    symlink("../outside", &out).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &out, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let session = bench.session();
        let (mut stored, mut refused) = (0, 0);
        // Bounded, should the other thread never run at the right moment.
        for _ in 0..10_000 {
            // A directory that is kept open is not looked for.
            session.begin_again();
            match attempt(&session) {
                Ok(()) => stored += 1,
                Err(_) => refused += 1,
            }
            if stored > 200 && refused > 200 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        (stored, refused)
    })
}
