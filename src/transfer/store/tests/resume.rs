//! Partial files: resumed after a crash, shared with an existing file, locked, and never believed.

use super::*;
use proptest::prelude::*;

const MIB: usize = 1 << 20;

/// A chunk whose bytes tell which one it is.
fn chunk(number: u8) -> Vec<u8> {
    vec![number; MIB]
}

#[test]
fn a_dropped_part_is_found_again_with_its_hint() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("f", 3 * MIB as u64);
    let mut part = session.begin(&entry, None).unwrap();
    assert_eq!(part.hint(), None);
    part.write_at(0, &chunk(1)).unwrap();
    part.write_at(MIB as u64, &[2; 10]).unwrap();
    drop(part);
    assert_eq!(bench.names(), [".f.sockkit-journal", ".f.sockkit-part"]);
    let session = bench.session();
    let verdict = session.consider(&entry);
    let len = MIB as u64 + 10;
    assert!(matches!(verdict, Verdict::HavePart { len: l, differs: Differs::Replace } if l == len));
    let mut part = session.begin(&entry, None).unwrap();
    assert_eq!(part.have_len(), len);
    let hint = part.hint().unwrap();
    assert_eq!((hint.size, hint.modified), (entry.size(), entry.modified));
    let mut buf = chunk(0);
    assert_eq!(part.read_have(0, &mut buf).unwrap(), MIB);
    assert!(buf == chunk(1));
    assert_eq!(part.read_have(MIB as u64, &mut buf).unwrap(), 10);
    part.keep(0, MIB as u64).unwrap();
    part.write_at(MIB as u64, &chunk(2)).unwrap();
    part.write_at(2 * MIB as u64, &chunk(3)).unwrap();
    part.commit(&entry).unwrap();
    assert!(bench.read("f") == [chunk(1), chunk(2), chunk(3)].concat());
    assert_eq!(bench.names(), ["f"]);
}

#[test]
fn a_part_longer_than_the_source_is_cut() {
    let bench = Bench::new();
    bench.write(".f.sockkit-part", b"abcdefgh");
    let session = bench.session();
    let entry = file("f", 3);
    let mut part = session.begin(&entry, None).unwrap();
    assert_eq!(part.have_len(), 8);
    part.keep(0, 3).unwrap();
    part.commit(&entry).unwrap();
    assert_eq!(bench.read("f"), b"abc");
}

#[test]
fn a_part_that_is_too_short_is_not_committed() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("f", 3);
    let mut part = session.begin(&entry, None).unwrap();
    part.write_at(0, b"ab").unwrap();
    let failure = part.commit(&entry).unwrap_err();
    assert_eq!(failure.reason(), Some(&Reason::WrongLength(2, 3)));
    assert_eq!(bench.names(), [".f.sockkit-part"]);
}

#[test]
fn a_corrupt_journal_is_no_hint_and_no_obstacle() {
    let long = vec![b'9'; 10_000];
    for garbage in [&b""[..], b"\xff\xfe\0", b"sockkit-part 1\nsize -1\n", &long] {
        let bench = Bench::new();
        bench.write(".f.sockkit-journal", garbage);
        let session = bench.session();
        let entry = file("f", MIB as u64);
        let mut part = session.begin(&entry, None).unwrap();
        assert_eq!(part.hint(), None);
        part.write_at(0, &chunk(1)).unwrap();
        part.commit(&entry).unwrap();
        assert_eq!(bench.names(), ["f"]);
    }
    // Nor is one that is no file at all, or leads elsewhere.
    let bench = Bench::new();
    std::os::unix::fs::symlink("../outside/j", bench.at(".f.sockkit-journal")).unwrap();
    std::fs::create_dir(bench.at(".g.sockkit-journal")).unwrap();
    let session = bench.session();
    for name in ["f", "g"] {
        store(&session, &file(name, MIB as u64), &chunk(1)).unwrap();
    }
}

#[test]
fn an_update_takes_equal_chunks_from_the_old_file_which_stays_until_the_commit() {
    let bench = Bench::existing(Existing::Overwrite);
    let old = [chunk(1), chunk(2), chunk(3), vec![4; 100]].concat();
    bench.write("f", &old);
    let session = bench.session();
    let entry = file("f", 4 * MIB as u64);
    let mut part = session.begin(&entry, None).unwrap();
    assert_eq!(part.have_len(), old.len() as u64);
    let mut buf = chunk(0);
    assert_eq!(part.read_have(2 * MIB as u64, &mut buf).unwrap(), MIB);
    assert!(buf == chunk(3));
    assert_eq!(part.read_have(3 * MIB as u64, &mut buf).unwrap(), 100);
    part.keep(0, MIB as u64).unwrap();
    part.write_at(MIB as u64, &chunk(9)).unwrap();
    part.keep(2 * MIB as u64, MIB as u64).unwrap();
    // Killed here: the next run finds what was done in the part, and the rest still in the old file.
    drop(part);
    assert!(bench.read("f") == old);
    let mut part = session.begin(&entry, None).unwrap();
    for (number, has) in [(0, 1), (1, 9), (2, 3)] {
        assert_eq!(part.read_have(number * MIB as u64, &mut buf).unwrap(), MIB);
        assert!(buf == chunk(has), "{number}");
        part.keep(number * MIB as u64, MIB as u64).unwrap();
    }
    part.write_at(3 * MIB as u64, &chunk(8)).unwrap();
    assert!(bench.read("f") == old);
    assert!(part.commit(&entry).unwrap().replaced);
    assert!(bench.read("f") == [chunk(1), chunk(9), chunk(3), chunk(8)].concat());
    assert_eq!(bench.names(), ["f"]);
}

#[test]
fn a_hole_of_the_old_file_stays_one() {
    let bench = Bench::existing(Existing::Overwrite);
    let old = std::fs::File::create(bench.at("f")).unwrap();
    old.set_len(64 * MIB as u64).unwrap();
    let session = bench.session();
    let entry = file("f", 64 * MIB as u64);
    let mut part = session.begin(&entry, Some(0)).unwrap();
    for number in 0..64 {
        part.keep(number * MIB as u64, MIB as u64).unwrap();
    }
    part.commit(&entry).unwrap();
    let metadata = std::fs::metadata(bench.at("f")).unwrap();
    assert_eq!(metadata.len(), 64 * MIB as u64);
    if cfg!(target_os = "linux") {
        assert!(metadata.blocks() * 512 < MIB as u64);
    }
}

#[test]
fn two_senders_of_one_name_do_not_write_one_part() {
    let bench = Bench::new();
    let (one, two) = (bench.session(), bench.session());
    let entry = file("f", 3);
    let mut first = one.begin(&entry, None).unwrap();
    first.write_at(0, b"one").unwrap();
    let failure = two.begin(&entry, None).unwrap_err();
    assert_eq!(failure.class(), Class::Busy);
    assert_eq!(
        failure.to_string(),
        "cannot store f: another transfer is writing it"
    );
    first.commit(&entry).unwrap();
    // The lock is gone with it, and what the first stored is not touched.
    assert_eq!(class(store(&two, &entry, b"two")), Class::Exists);
    assert_eq!(bench.read("f"), b"one");
}

#[test]
fn many_senders_of_one_name_leave_one_whole_file() {
    let mut bench = Bench::new();
    bench.policy.existing = Existing::Overwrite;
    let store_ = Store::open(&bench.target(), bench.policy.clone()).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let session = store_.session();
            scope.spawn(move || {
                for _ in 0..500 {
                    match store(&session, &file("f", 5000), &[number; 5000]) {
                        Ok(_) => {}
                        // Vanished would mean that one had the lock on what another gave its final name.
                        Err(failure) => assert_eq!(failure.class(), Class::Busy, "{failure}"),
                    }
                }
            });
        }
    });
    let content = bench.read("f");
    assert_eq!(content.len(), 5000);
    assert!(content.iter().all(|&b| b == content[0]), "a mixture");
}

#[test]
fn a_part_that_is_replaced_or_removed_under_way_is_not_committed() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = file("f", 3);
    for replace in [false, true] {
        let mut part = session.begin(&entry, None).unwrap();
        part.write_at(0, b"new").unwrap();
        std::fs::remove_file(bench.at(".f.sockkit-part")).unwrap();
        if replace {
            bench.write(".f.sockkit-part", b"bad");
        }
        assert_eq!(class(part.commit(&entry)), Class::Vanished);
        assert!(!bench.at("f").exists());
    }
}

#[test]
fn a_part_that_has_a_second_name_is_begun_anew() {
    let bench = Bench::new();
    std::fs::write(bench.dir.path().join("victim"), b"precious").unwrap();
    std::fs::hard_link(bench.dir.path().join("victim"), bench.at(".f.sockkit-part")).unwrap();
    let session = bench.session();
    store(&session, &file("f", 3), b"new").unwrap();
    let victim = std::fs::read(bench.dir.path().join("victim")).unwrap();
    assert_eq!(victim, b"precious");
    assert_eq!(bench.read("f"), b"new");
}

#[test]
fn discarding_leaves_nothing() {
    let bench = Bench::new();
    let session = bench.session();
    let mut part = session.begin(&file("f", 3 * MIB as u64), None).unwrap();
    part.write_at(0, b"x").unwrap();
    part.discard().unwrap();
    assert_eq!(bench.names(), [""; 0]);
}

#[test]
fn a_stream_of_unknown_length_is_resumed_too() {
    let bench = Bench::new();
    let session = bench.session();
    let entry = stream("stdin");
    let mut part = session.begin(&entry, None).unwrap();
    part.write_at(0, b"half of it").unwrap();
    drop(part);
    assert!(matches!(
        session.consider(&entry),
        Verdict::HavePart { len: 10, .. }
    ));
    let mut part = session.begin(&entry, None).unwrap();
    assert_eq!(part.hint().unwrap().size, None);
    part.keep(0, 10).unwrap();
    part.write_at(10, b", and the rest").unwrap();
    part.commit(&file("stdin", 24)).unwrap();
    assert_eq!(bench.read("stdin"), b"half of it, and the rest");
}

#[cfg(target_os = "linux")]
#[test]
fn what_an_interrupted_run_reserved_is_given_back_by_the_next() {
    let bench = Bench::new();
    let session = bench.session();
    let mut part = session.begin(&file("f", 64 * MIB as u64), None).unwrap();
    part.write_at(0, &chunk(1)).unwrap();
    drop(part);
    // The source became shorter meanwhile.
    let entry = file("f", 2 * MIB as u64);
    let mut part = session.begin(&entry, None).unwrap();
    part.keep(0, MIB as u64).unwrap();
    part.hole(MIB as u64, MIB as u64).unwrap();
    part.commit(&entry).unwrap();
    let metadata = std::fs::metadata(bench.at("f")).unwrap();
    assert_eq!(metadata.len(), 2 * MIB as u64);
    assert!(
        metadata.blocks() * 512 <= MIB as u64 + 65536,
        "{}",
        metadata.blocks()
    );
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, usize, u8),
    Hole(usize, usize),
    SetLen(usize),
    Keep(usize),
    Interrupt,
}

/// A page and a half: steps begin and end within pages and beyond the end.
const SPAN: usize = 6 << 10;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..SPAN, 1..SPAN, 1..255u8).prop_map(|(at, len, byte)| Step::Write(at, len, byte)),
        (0..SPAN, 1..SPAN).prop_map(|(at, len)| Step::Hole(at, len)),
        (0..SPAN).prop_map(Step::SetLen),
        (0..4usize).prop_map(Step::Keep),
        Just(Step::Interrupt),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is written, cut, left out, kept and interrupted: the part holds what a vector would, and the old
    /// file is as it was.
    #[test]
    fn a_part_holds_what_was_put_into_it(
        old in proptest::collection::vec(any::<u8>(), 0..SPAN),
        steps in proptest::collection::vec(step(), 0..12),
    ) {
        const CHUNK: usize = 2 << 10;
        let bench = Bench::existing(Existing::Overwrite);
        bench.write("f", &old);
        let session = bench.session();
        let entry = stream("f");
        let mut model: Vec<u8> = Vec::new();
        let mut part = session.begin(&entry, None).unwrap();
        if part.len() > 0 {
            // A file system that shares blocks.
            model.clone_from(&old);
        }
        let put = |model: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            model.resize(model.len().max(at + bytes.len()), 0);
            model[at..at + bytes.len()].copy_from_slice(bytes);
        };
        for step in steps {
            match step {
                Step::Write(at, len, byte) => {
                    part.write_at(at as u64, &vec![byte; len]).unwrap();
                    put(&mut model, at, &vec![byte; len]);
                }
                Step::Hole(at, len) => {
                    part.hole(at as u64, len as u64).unwrap();
                    put(&mut model, at, &vec![0; len]);
                }
                Step::SetLen(len) => {
                    part.set_len(len as u64).unwrap();
                    model.resize(len, 0);
                }
                Step::Keep(number) => {
                    // What is read as being here is what is there when it is kept.
                    let mut buf = vec![0; CHUNK];
                    let at = number * CHUNK;
                    let has = part.read_have(at as u64, &mut buf).unwrap();
                    if has > 0 {
                        part.keep(at as u64, has as u64).unwrap();
                        put(&mut model, at, &buf[..has]);
                    }
                }
                Step::Interrupt => {
                    drop(part);
                    part = session.begin(&entry, None).unwrap();
                    if model.is_empty() && part.len() > 0 {
                        model.clone_from(&old);
                    }
                }
            }
            prop_assert_eq!(part.len(), model.len() as u64);
            prop_assert!(bench.read("f") == old);
        }
        let mut all = vec![0; 4 * SPAN];
        let len = part.read_at(0, &mut all).unwrap();
        prop_assert!(all[..len] == model);
        part.commit(&entry).unwrap();
        prop_assert!(bench.read("f") == model);
        prop_assert_eq!(bench.names(), ["f"]);
    }
}
