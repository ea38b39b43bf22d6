//! Names that exist: identical, refused, replaced, renamed, updated, and what is never replaced.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn refuse_looks_at_a_file_of_the_same_length_and_refuses_any_other_at_once() {
    let bench = Bench::new();
    bench.write("f", b"same");
    let session = bench.session();
    match session.consider(&file("f", 4)) {
        Verdict::HaveCandidate { len: 4, differs } => {
            assert_eq!(differs, Differs::Refuse(Reason::Exists));
        }
        other => panic!("{other:?}"),
    }
    let candidate = session.candidate(&file("f", 4)).unwrap().unwrap();
    let mut buf = [0; 8];
    assert_eq!(candidate.read_at(0, &mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"same");
    candidate.keep(&file("f", 4)).unwrap();
    let (class, text) = refusal(session.consider(&file("f", 5)));
    assert_eq!(class, Class::Exists);
    assert_eq!(text, "cannot store f: a different file of that name exists");
    // And nothing gets through without asking.
    assert_eq!(
        super::class(store(&session, &file("f", 3), b"new")),
        Class::Exists
    );
    assert_eq!(bench.read("f"), b"same");
    assert!(session.candidate(&file("gone", 1)).unwrap().is_none());
    assert!(session.candidate(&file("gone/too", 1)).unwrap().is_none());
}

#[test]
fn a_candidate_that_changed_while_it_was_compared_is_not_kept() {
    let bench = Bench::new();
    bench.write("f", b"same");
    let session = bench.session();
    let candidate = session.candidate(&file("f", 4)).unwrap().unwrap();
    bench.write("f", b"other");
    candidate.keep(&file("f", 4)).unwrap_err();
}

#[test]
fn the_policy_is_applied_again_at_the_commit() {
    for existing in [Existing::Refuse, Existing::Update] {
        let bench = Bench::existing(existing);
        let session = bench.session();
        let entry = file("f", 3);
        assert!(matches!(session.consider(&entry), Verdict::Want));
        let mut part = session.begin(&entry, None).unwrap();
        part.write_at(0, b"new").unwrap();
        // Somebody else makes one, which is newer too.
        bench.write("f", b"theirs");
        assert_eq!(class(part.commit(&entry)), Class::Exists);
        assert_eq!(bench.read("f"), b"theirs");
        assert_eq!(bench.read(".f.sockkit-part"), b"new", "kept to be resumed");
    }
}

#[test]
fn overwrite_replaces_the_old_one_only_at_the_commit() {
    let bench = Bench::existing(Existing::Overwrite);
    bench.write("f", b"old one");
    let session = bench.session();
    let entry = file("f", 3);
    assert!(matches!(
        session.consider(&entry),
        Verdict::HaveCandidate {
            len: 7,
            differs: Differs::Replace
        }
    ));
    let mut part = session.begin(&entry, None).unwrap();
    part.write_at(0, b"new").unwrap();
    part.set_len(3).unwrap();
    assert_eq!(bench.read("f"), b"old one");
    assert!(part.commit(&entry).unwrap().replaced);
    assert_eq!(bench.read("f"), b"new");
    assert_eq!(bench.names(), ["f"]);
}

#[test]
fn rename_finds_the_next_free_name() {
    let bench = Bench::existing(Existing::Rename);
    bench.write("f.txt", b"old");
    std::fs::create_dir(bench.at("f (1).txt")).unwrap();
    symlink("nowhere", bench.at("f (2).txt")).unwrap();
    let session = bench.session();
    assert!(matches!(
        session.consider(&file("f.txt", 3)),
        Verdict::HaveCandidate {
            differs: Differs::Rename,
            ..
        }
    ));
    let stored = store(&session, &file("f.txt", 3), b"new").unwrap();
    assert!(stored.renamed);
    assert_eq!(stored.path.to_string(), "f (3).txt");
    assert_eq!(bench.read("f.txt"), b"old");
    assert_eq!(bench.read("f (3).txt"), b"new");
    // A directory's name does not stop it either.
    std::fs::create_dir(bench.at("d")).unwrap();
    assert!(matches!(session.consider(&file("d", 3)), Verdict::Want));
    assert!(store(&session, &file("d", 3), b"new").unwrap().renamed);
    assert_eq!(bench.read("d (1)"), b"new");
}

#[test]
fn update_replaces_older_ones_only() {
    let bench = Bench::existing(Existing::Update);
    let session = bench.session();
    let with_time = |seconds: u64, nanos: u32| {
        bench.write("f", b"here");
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(seconds, nanos);
        std::fs::File::options()
            .write(true)
            .open(bench.at("f"))
            .and_then(|file| file.set_modified(time))
            .unwrap();
    };
    let seconds = TIME.0 as u64;
    with_time(seconds, TIME.1 + 1);
    assert!(matches!(
        session.consider(&file("f", 3)),
        Verdict::Skip(Reason::Newer)
    ));
    assert_eq!(class(store(&session, &file("f", 3), b"new")), Class::Exists);
    // Of the same time, it may be the same, and if not, that is said.
    with_time(seconds, TIME.1);
    assert!(
        matches!(
            session.consider(&file("f", 4)),
            Verdict::HaveCandidate {
                differs: Differs::Refuse(Reason::NotOlder),
                ..
            }
        ) || matches!(session.consider(&file("f", 4)), Verdict::HavePart { .. })
    );
    assert_eq!(class(store(&session, &file("f", 3), b"new")), Class::Exists);
    with_time(seconds, TIME.1 - 1);
    assert!(store(&session, &file("f", 3), b"new").unwrap().replaced);
    assert_eq!(bench.read("f"), b"new");
}

#[test]
fn what_is_no_file_is_never_replaced_by_one() {
    let bench = Bench::existing(Existing::Overwrite);
    std::fs::create_dir(bench.at("dir")).unwrap();
    symlink("nowhere", bench.at("dangling")).unwrap();
    symlink("dir", bench.at("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.at("socket")).unwrap();
    let session = bench.session();
    for (name, says) in [
        ("dir", "a directory has that name"),
        ("dangling", "a symbolic link has that name"),
        ("link", "a symbolic link has that name"),
        ("socket", "a fifo, socket or device has that name"),
    ] {
        let entry = file(name, 3);
        let (class, text) = refusal(session.consider(&entry));
        assert_eq!(class, Class::InTheWay);
        assert_eq!(text, format!("cannot store {name}: {says}"));
        let failure = store(&session, &entry, b"new").unwrap_err();
        assert_eq!(failure.class(), Class::InTheWay, "{failure}");
        assert_eq!(failure.to_string(), text);
    }
    // Nor a file by a directory.
    bench.write("f", b"x");
    let (class, _) = refusal(session.consider(&directory("f")));
    assert_eq!(class, Class::Exists);
    session.directory(&directory("f")).unwrap_err();
    session.directory(&directory("link")).unwrap_err();
    // Nor does anything go through what is no directory.
    let (class, text) = refusal(session.consider(&file("f/g/h", 1)));
    assert_eq!(class, Class::InTheWay);
    assert_eq!(text, "cannot store f/g/h: f is not a directory");
}

#[test]
fn links_follow_the_policy_too() {
    let bench = Bench::existing(Existing::Overwrite);
    let session = bench.session();
    let entry = link("d/l", "../x");
    assert!(matches!(session.consider(&entry), Verdict::Want));
    assert!(!session.link(&entry).unwrap().unchanged);
    assert!(session.link(&entry).unwrap().unchanged);
    assert!(session.link(&link("d/l", "y")).unwrap().replaced);
    assert_eq!(std::fs::read_link(bench.at("d/l")).unwrap(), Path::new("y"));
    assert_eq!(list(&bench.at("d")), ["l"]);
    // A temporary link that a killed run left is no obstacle.
    symlink("left", bench.at("d/.l.sockkit-part")).unwrap();
    assert!(session.link(&link("d/l", "z")).unwrap().replaced);
    assert_eq!(list(&bench.at("d")), ["l"]);

    let bench = Bench::new();
    let session = bench.session();
    session.link(&link("l", "x")).unwrap();
    assert_eq!(class(session.link(&link("l", "y"))), Class::Exists);
    let bench = Bench::existing(Existing::Rename);
    let session = bench.session();
    session.link(&link("l", "x")).unwrap();
    assert_eq!(
        session.link(&link("l", "y")).unwrap().path.to_string(),
        "l (1)"
    );

    for links in [Links::Skip, Links::Follow] {
        let mut bench = Bench::new();
        bench.policy.links = links;
        let session = bench.session();
        let verdict = session.consider(&link("l", "x"));
        assert!(matches!(verdict, Verdict::Skip(Reason::LinksSkipped)));
        session.link(&link("l", "x")).unwrap_err();
        assert_eq!(bench.names(), [""; 0]);
    }
}
