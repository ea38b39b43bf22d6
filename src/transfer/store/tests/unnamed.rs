//! Small new files, which have no name before they are whole.

use super::*;
use crate::transfer::store::recent::MAX_KEPT;

fn filled(session: &Session, entry: &Entry, content: &[u8]) -> Part {
    let mut part = session.begin_new(entry).unwrap();
    part.write_at(0, content).unwrap();
    part
}

/// What `taken` becomes if somebody makes the name while a file of that name is filled.
fn overtaken(existing: Existing) -> (Bench, Result<Stored, Failure>) {
    let bench = Bench::existing(existing);
    let session = bench.session();
    let entry = file("f", 3);
    let part = filled(&session, &entry, b"new");
    bench.write("f", b"made meanwhile");
    let done = part.commit(&entry);
    (bench, done)
}

#[test]
fn a_small_file_shows_itself_only_when_it_is_whole_and_a_large_one_may_be_resumed() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = Entry {
        mode: 0o640,
        ..file("a/small", 5)
    };
    let part = filled(&session, &entry, b"small");
    #[cfg(target_os = "linux")]
    assert_eq!(list(&bench.at("a")), [""; 0]);
    drop(part);
    #[cfg(target_os = "linux")]
    assert_eq!(list(&bench.at("a")), [""; 0], "nothing stays behind");
    filled(&session, &entry, b"small").commit(&entry).unwrap();
    assert_eq!(bench.read("a/small"), b"small");
    let metadata = fs::metadata(bench.at("a/small")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert_eq!(
        (metadata.mtime(), metadata.mtime_nsec()),
        (TIME.0, 123_456_789)
    );
    let mut part = session.begin_new(&file("a/large", 1 << 20)).unwrap();
    part.write_at(0, b"large").unwrap();
    drop(part);
    let mut names = list(&bench.at("a"));
    names.sort();
    assert_eq!(
        names,
        [".large.sockkit-journal", ".large.sockkit-part", "small"]
    );
}

#[test]
fn a_name_that_was_taken_meanwhile_is_the_policys_to_judge() {
    let (bench, done) = overtaken(Existing::Refuse);
    assert_eq!(class(done), Class::Exists);
    assert_eq!(bench.read("f"), b"made meanwhile");

    let (bench, done) = overtaken(Existing::Overwrite);
    assert!(done.unwrap().replaced);
    assert_eq!(bench.read("f"), b"new");
    assert_eq!(bench.names(), ["f"], "no stray file");

    let (bench, done) = overtaken(Existing::Rename);
    assert_eq!(done.unwrap().path, path("f (1)"));
    assert_eq!(bench.read("f"), b"made meanwhile");
    assert_eq!(bench.read("f (1)"), b"new");

    let (bench, done) = overtaken(Existing::Update);
    assert_eq!(class(done), Class::Exists, "it is newer");
    assert_eq!(bench.read("f"), b"made meanwhile");
}

#[test]
fn two_that_fill_the_same_name_do_not_meet_and_the_first_one_has_it() {
    let bench = Bench::new();
    let (one, two) = (bench.session(), bench.session());
    let entry = file("f", 3);
    let first = filled(&one, &entry, b"one");
    let second = filled(&two, &entry, b"two");
    first.commit(&entry).unwrap();
    assert_eq!(class(second.commit(&entry)), Class::Exists);
    assert_eq!(bench.read("f"), b"one");
}

#[test]
fn what_another_session_has_stored_meanwhile_with_the_same_content_is_no_obstacle() {
    for size in [3, 2 << 20] {
        for existing in [Existing::Refuse, Existing::Update] {
            let bench = Bench::existing(existing);
            let session = bench.session();
            let entry = file("f", size);
            let content = vec![7; size as usize];
            let part = filled(&session, &entry, &content);
            bench.write("f", &content);
            let done = part.commit(&entry).unwrap();
            assert!(done.unchanged && !done.replaced && !done.renamed);
            assert_eq!(bench.names(), ["f"], "no stray file");
        }
    }
}

#[test]
fn a_short_one_is_not_given_its_name() {
    let bench = Bench::new();
    let entry = file("f", 3);
    let part = filled(&bench.session(), &entry, b"on");
    part.commit(&entry).unwrap_err();
    assert!(!bench.names().contains(&"f".to_owned()));
}

#[test]
fn a_directory_that_is_removed_and_made_again_gets_what_comes_then() {
    let bench = Bench::new();
    let session = bench.session();
    store(&session, &file("a/1", 1), b"1").unwrap();
    fs::remove_dir_all(bench.at("a")).unwrap();
    for (name, size) in [("a/2", 1), ("a/3", 2 << 20)] {
        let entry = file(name, size);
        let mut part = session.begin(&entry, None).unwrap();
        part.write_at(0, &vec![1; size as usize]).unwrap();
        part.commit(&entry).unwrap();
    }
    let mut names = list(&bench.at("a"));
    names.sort();
    assert_eq!(names, ["2", "3"]);
}

#[test]
fn a_directory_that_was_renamed_is_soon_found_to_be_so() {
    let bench = Bench::new();
    let session = bench.session();
    store(&session, &file("a/1", 1), b"1").unwrap();
    fs::rename(bench.at("a"), bench.at("b")).unwrap();
    std::thread::sleep(crate::transfer::store::recent::KEPT);
    store(&session, &file("a/2", 1), b"2").unwrap();
    assert_eq!(list(&bench.at("a")), ["2"]);
    assert_eq!(list(&bench.at("b")), ["1"]);
}

#[test]
fn what_is_put_into_a_new_directory_meanwhile_is_found_when_the_name_is_taken() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("a/f", 3);
    session.directory(&directory("a")).unwrap();
    bench.write("a/f", b"made meanwhile");
    let verdict = session.consider(&entry);
    assert!(matches!(verdict, Verdict::Want), "{verdict:?}");
    let part = filled(&session, &entry, b"new");
    assert_eq!(class(part.commit(&entry)), Class::Exists);
    assert_eq!(bench.read("a/f"), b"made meanwhile");
}

#[test]
fn another_connection_finds_what_came_through_the_one_before_and_does_not_count_it_twice() {
    let mut bench = Bench::new();
    bench.policy.max_files = Some(2);
    let session = bench.session();
    let entry = file("a/f", 3);
    session.directory(&directory("a")).unwrap();
    store(&session, &entry, b"one").unwrap();
    for _ in 0..2 {
        session.begin_again();
        let verdict = session.consider(&entry);
        assert!(
            matches!(verdict, Verdict::HaveCandidate { len: 3, .. }),
            "{verdict:?}"
        );
    }
}

#[test]
fn the_directories_that_were_used_last_stay_open() {
    let bench = Bench::new();
    let session = bench.session();
    let all: Vec<_> = (0..MAX_KEPT + 1)
        .map(|dir| {
            let entry = file(&format!("{dir}/f"), 1);
            let place = Place::of(&entry.path).unwrap();
            session.ensure(&place, &entry.path).unwrap()
        })
        .collect();
    let kept = session.books().recent.dirs();
    assert_eq!(kept.len(), MAX_KEPT);
    for (dir, kept) in all[1..].iter().zip(&kept) {
        assert!(Arc::ptr_eq(dir, kept), "the first has made room");
    }
}
