//! Limits: ours, and those of the disk.

use super::*;

const MIB: u64 = 1 << 20;

#[test]
fn a_file_over_the_size_limit_is_refused_whether_its_size_was_said_or_not() {
    let mut bench = Bench::new();
    bench.policy.max_size = Some(10);
    let session = bench.session();
    let (class, text) = refusal(session.consider(&file("f", 11)));
    assert_eq!(class, Class::Limit);
    assert_eq!(text, "cannot store f: larger than --max-size, 10 bytes");
    session.begin(&file("f", 11), None).unwrap_err();
    let mut part = session.begin(&stream("f"), None).unwrap();
    part.write_at(0, &[0; 10]).unwrap();
    assert_eq!(super::class(part.write_at(10, b"x")), Class::Limit);
    assert_eq!(super::class(part.hole(10, 1)), Class::Limit);
    assert_eq!(super::class(part.keep(10, 1)), Class::Limit);
    assert_eq!(super::class(part.set_len(11)), Class::Limit);
}

#[test]
fn offsets_that_no_file_has_are_refused() {
    let bench = Bench::new();
    let session = bench.session();
    let mut part = session.begin(&file("f", 1), None).unwrap();
    for (offset, len) in [(u64::MAX, 1), (i64::MAX as u64, 1), (1 << 63, 0)] {
        assert_eq!(class(part.hole(offset, len)), Class::Limit, "{offset}");
        assert_eq!(class(part.keep(offset, len)), Class::Limit, "{offset}");
    }
    assert_eq!(class(part.write_at(u64::MAX, b"x")), Class::Limit);
    let huge = file("huge", u64::MAX);
    assert_eq!(class(session.begin(&huge, None)), Class::Limit);
}

#[test]
fn the_number_of_entries_is_limited_for_each_session() {
    let mut bench = Bench::new();
    bench.policy.max_files = Some(3);
    let session = bench.session();
    assert!(matches!(session.consider(&file("a", 1)), Verdict::Want));
    assert!(matches!(session.consider(&directory("b")), Verdict::Want));
    assert!(matches!(session.consider(&link("c", "a")), Verdict::Want));
    assert_eq!(refusal(session.consider(&file("d", 1))).0, Class::Limit);
    assert!(matches!(
        bench.session().consider(&file("d", 1)),
        Verdict::Want
    ));
}

#[test]
fn the_quota_counts_what_is_stored_over_all_sessions_and_gives_back_what_is_not() {
    let mut bench = Bench::new();
    bench.policy.quota = Some(10 * MIB);
    let all = Store::open(&bench.target(), bench.policy.clone()).unwrap();
    store(&all.session(), &file("a", 6 * MIB), &vec![1; 6 << 20]).unwrap();
    let session = all.session();
    let failure = session.begin(&file("b", 5 * MIB), None).unwrap_err();
    assert_eq!(failure.class(), Class::Limit);
    assert_eq!(
        failure.to_string(),
        "cannot store b: more than --quota, 10485760 bytes"
    );
    let part = session.begin(&file("c", 4 * MIB), None).unwrap();
    assert_eq!(class(session.begin(&file("d", 1), None)), Class::Limit);
    assert!(bench.names().contains(&".c.sockkit-part".to_string()));
    drop(part);
    assert_eq!(bench.names(), ["a"], "of what never came nothing stays");
    // What came of one that is left behind is on the disk, and not more than that.
    let mut part = session.begin(&file("c", 4 * MIB), None).unwrap();
    part.write_at(0, &vec![1; 3 << 20]).unwrap();
    drop(part);
    let left = fs::metadata(bench.at(".c.sockkit-part")).unwrap();
    assert!(left.blocks() * 512 < 4 * MIB && left.len() == 3 * MIB);
    assert_eq!((all.used(), all.settled()), (9 * MIB, 6 * MIB));
    assert_eq!(
        class(session.begin(&file("d", 2 * MIB), None)),
        Class::Limit
    );
    // Nor is it forgotten when it is only taken up and left again.
    for entry in [stream("c"), file("c", 4 * MIB)] {
        drop(session.begin(&entry, None).unwrap());
        assert_eq!((all.used(), all.settled()), (9 * MIB, 6 * MIB));
    }
    let too_long = session.begin(&file("c", 5 * MIB), None);
    assert_eq!(class(too_long), Class::Limit);
    assert_eq!(all.used(), 9 * MIB);
    let part = session.begin(&file("c", 4 * MIB), None).unwrap();
    assert_eq!(all.used(), 10 * MIB);
    part.discard().unwrap();
    assert_eq!(all.used(), 6 * MIB);
    // One that said nothing of its size, or too little, is charged as it comes.
    for entry in [stream("e"), file("e", 1)] {
        let mut part = session.begin(&entry, None).unwrap();
        part.write_at(0, &vec![1; 4 << 20]).unwrap();
        assert_eq!(class(part.write_at(4 * MIB, b"x")), Class::Limit);
        // The same again, after a digest that did not match, occupies nothing more.
        part.write_at(MIB, &vec![2; 2 << 20]).unwrap();
        part.hole(4 * MIB, 1 << 40).unwrap();
        part.discard().unwrap();
    }
    assert_eq!(all.used(), 6 * MIB);
}

#[test]
fn directories_count_that_are_made_only_because_something_is_in_them() {
    let mut bench = Bench::new();
    bench.policy.quota = Some(3 * 4096);
    let all = Store::open(&bench.target(), bench.policy.clone()).unwrap();
    let session = all.session();
    store(&session, &file("a/b/c", 0), b"").unwrap();
    store(&session, &file("a/b/d", 0), b"").unwrap();
    assert_eq!(all.used(), 2 * 4096);
    session.directory(&directory("a")).unwrap();
    session.directory(&directory("x")).unwrap();
    session.directory(&directory("x")).unwrap();
    let failure = session.directory(&directory("y")).unwrap_err();
    assert_eq!(failure.class(), Class::Limit);
    assert_eq!(class(session.begin(&file("z/f", 0), None)), Class::Limit);
    assert_eq!(bench.names(), ["a", "x"]);
}

#[test]
fn names_that_differ_only_in_case_are_refused_where_they_are_one() {
    let mut bench = Bench::new();
    bench.policy.fold_case = true;
    let session = bench.session();
    assert!(matches!(
        session.consider(&file("Readme", 1)),
        Verdict::Want
    ));
    let (class, text) = refusal(session.consider(&file("README", 1)));
    assert_eq!(class, Class::Name);
    assert_eq!(
        text,
        "cannot store README: differs only in case from another name of this transfer"
    );
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_a_byte_is_written_unless_told_otherwise() {
    let mut bench = Bench::new();
    let entry = file("f", 1 << 60);
    let failure = bench.session().begin(&entry, None).unwrap_err();
    assert_eq!(failure.class(), Class::NoSpace);
    let text = failure.to_string();
    assert!(
        text.starts_with(
            "cannot store f: not enough free space: 1152921504606846976 bytes needed, "
        ),
        "{text}"
    );
    assert!(failure.hint().is_some());
    bench.policy.check_space = false;
    bench.session().begin(&entry, None).unwrap();
    bench.policy.check_space = true;
    bench.session().begin(&entry, Some(4096)).unwrap();
}

/// Runs one of the ignored tests below in a process of its own, started through `sh` with `prelude`.
#[cfg(target_os = "linux")]
fn in_child(prelude: &str, test: &str, dir: &Path) {
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{prelude} && exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--test-threads=1"])
        .arg(format!("transfer::store::tests::limits::{test}"))
        .env("SOCKKIT_TEST_DIR", dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(target_os = "linux")]
fn child_bench() -> Bench {
    let dir = std::env::var("SOCKKIT_TEST_DIR").expect("run by the test of the same purpose");
    Bench {
        dir: tempfile::tempdir_in(dir).unwrap(),
        policy: Policy {
            fsync: false,
            ..Policy::default()
        },
    }
    .made()
}

#[cfg(target_os = "linux")]
impl Bench {
    fn made(self) -> Self {
        fs::create_dir(self.target()).unwrap();
        fs::create_dir(self.outside()).unwrap();
        self
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_size_limit_of_the_system_is_said_and_what_is_there_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    // 1 MiB, in blocks of 512 or 1,024 bytes as the shell has it; without the signal that would end us.
    in_child(
        "trap '' XFSZ && ulimit -f 1024",
        "beyond_the_file_size_limit",
        dir.path(),
    );
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs a limit on the size of files: run by the test above"]
fn beyond_the_file_size_limit() {
    let bench = child_bench();
    let session = bench.session();
    let entry = stream("f");
    let mut part = session.begin(&entry, None).unwrap();
    let chunk = vec![1; 128 << 10];
    let failure = (0..100)
        .find_map(|n| part.write_at(n * chunk.len() as u64, &chunk).err())
        .unwrap();
    assert_eq!(failure.class(), Class::Limit);
    assert_eq!(failure.to_string(), "cannot write f: file too large");
    drop(part);
    assert!(matches!(session.consider(&entry), Verdict::HavePart { len, .. } if len >= 512 << 10));
}

/// Says loudly that a test was left out: to standard error itself, which the test runner does not capture.
fn left_out(what: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "LEFT OUT: the test of {what}: {why}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_what_is_there_is_resumed() {
    // A file system of its own needs a mount namespace, which root has, and others may have.
    let probe = std::process::Command::new("unshare")
        .args(["-m", "--map-root-user", "true"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return left_out("a full disk", "no mount namespace may be made here");
    }
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("unshare")
        .args(["-m", "--map-root-user", "sh", "-c"])
        .arg("mount -t tmpfs -o size=2m none \"$SOCKKIT_TEST_DIR\" || exit 77; exec \"$0\" \"$@\"")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--test-threads=1"])
        .arg("transfer::store::tests::limits::on_a_full_disk")
        .env("SOCKKIT_TEST_DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        return left_out("a full disk", &errors);
    }
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{errors}"
    );
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs a small file system: run by the test above"]
fn on_a_full_disk() {
    let bench = child_bench();
    let session = bench.session();
    // What is said is checked first.
    let failure = session.begin(&file("said", 3 << 20), None).unwrap_err();
    assert!(
        matches!(failure.reason(), Some(Reason::NoRoom(..))),
        "{failure}"
    );
    // What was not is found out.
    let entry = stream("f");
    let mut part = session.begin(&entry, None).unwrap();
    let chunk = vec![1; 128 << 10];
    let failure = (0..100)
        .find_map(|n| part.write_at(n * chunk.len() as u64, &chunk).err())
        .unwrap();
    assert_eq!(failure.class(), Class::NoSpace);
    assert_eq!(
        failure.to_string(),
        "cannot write f: no space left on device"
    );
    drop(part);
    let Verdict::HavePart { len, .. } = session.consider(&entry) else {
        panic!("nothing is left");
    };
    assert!(len >= 1 << 20, "{len}");
    // With what is there and less to come, it is done.
    let mut part = session.begin(&entry, None).unwrap();
    part.keep(0, len).unwrap();
    part.commit(&file("f", len)).unwrap();

    let mount = |args: &[&str]| {
        let mut command = std::process::Command::new("mount");
        command.args(args).current_dir(bench.target());
        command.status().is_ok_and(|status| status.success())
    };
    fs::remove_file(bench.at("f")).unwrap();
    // A mount point under the final name, which no rename replaces.
    bench.write("other", b"other");
    bench.write("mounted", b"");
    assert!(mount(&["--bind", "other", "mounted"]));
    let overwriting = Policy {
        existing: Existing::Overwrite,
        ..bench.policy.clone()
    };
    let session = Store::open(&bench.target(), overwriting).unwrap().session();
    let failure = store(&session, &file("mounted", 1), b"x").unwrap_err();
    assert_eq!(failure.class(), Class::InTheWay, "{failure}");
    assert_eq!(bench.read("other"), b"other");
    // And a file system that became read-only.
    let top = std::env::var("SOCKKIT_TEST_DIR").unwrap();
    if !mount(&["-o", "remount,ro", &top]) {
        return left_out(
            "a file system that became read-only",
            "it may not be remounted",
        );
    }
    let failure = session.begin(&file("late", 1), None).unwrap_err();
    assert_eq!(failure.class(), Class::ReadOnly);
    let text = failure.to_string();
    assert_eq!(
        text,
        "cannot open the partial file of late: read-only file system"
    );
    let failure = session.directory(&directory("late")).unwrap_err();
    assert_eq!(failure.class(), Class::ReadOnly);
}

#[test]
fn a_directory_that_may_not_be_written_is_said_so() {
    if rustix::process::geteuid().is_root() {
        return left_out("a directory without permission", "root may write to all");
    }
    let bench = Bench::new();
    fs::create_dir(bench.at("d")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    fs::set_permissions(bench.at("d"), mode).unwrap();
    let failure = store(&bench.session(), &file("d/f", 1), b"x").unwrap_err();
    assert_eq!(failure.class(), Class::Permission);
}
