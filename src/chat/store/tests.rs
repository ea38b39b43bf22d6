use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::disk::faults::{self, Call};
use super::*;
use crate::chat::journal;
use crate::chat::room::{Author, Entry, Kind as Sort};
use crate::core::timestamp::Timestamp;

const MEMORY: Memory = Memory {
    lines: 1000,
    bytes: 1 << 20,
};
const NEVER: u64 = u64::MAX;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn open_with(path: &Path, rotate_at: u64, memory: Memory) -> (Store, Vec<Kept>, Vec<String>) {
    let (store, found) = Store::open(path, rotate_at, memory).expect("a store");
    (store, found.rooms, found.warnings)
}

/// Whose lines the logs have, and up to which number, as a start finds it out.
fn authors(path: &Path) -> Vec<(u64, u64)> {
    // Who remembers no lines reads none that the authors do not need.
    let memory = Memory { lines: 0, bytes: 0 };
    let (_, found) = Store::open(path, NEVER, memory).expect("a store");
    let authors = found.authors.iter();
    authors.map(|author| (author.session, author.seq)).collect()
}

/// Opens a directory in which nothing may be wrong.
fn open(path: &Path) -> (Store, Vec<Kept>) {
    let (store, restored, warnings) = open_with(path, NEVER, MEMORY);
    assert_eq!(warnings, Vec::<String>::new());
    (store, restored)
}

fn room(text: &str) -> RoomName {
    RoomName::parse(text).expect("a room's name")
}

fn entry(id: u64, text: &str) -> Entry {
    Entry {
        id,
        time: Timestamp::default(),
        kind: Sort::Message,
        nick: "ann".into(),
        text: text.into(),
        author: None,
    }
}

/// A line of a session's.
fn line_of(session: u64, seq: u64, id: u64, text: &str) -> Entry {
    Entry {
        author: Some(Author { session, seq }),
        time: Timestamp::from_unix_micros(id as i64),
        ..entry(id, text)
    }
}

fn batch_of(name: &str, attempt: u64, entries: &[Entry]) -> Batch {
    let mut bytes = Vec::new();
    let mut topic = None;
    for entry in entries {
        let before = bytes.len();
        journal::write(&mut bytes, entry);
        if entry.kind == Sort::Topic {
            topic = Some(before..bytes.len());
        }
    }
    Batch {
        room: usize::from(name.as_bytes()[1]),
        attempt,
        name: room(name),
        ids: (
            entries.first().map_or(0, |entry| entry.id),
            entries.last().map_or(0, |entry| entry.id),
        ),
        bytes,
        authors: entries.iter().filter_map(|entry| entry.author).collect(),
        topic,
    }
}

/// Lines that say their number.
fn batch(name: &str, attempt: u64, ids: std::ops::RangeInclusive<u64>) -> Batch {
    let entries: Vec<Entry> = ids.map(|id| entry(id, &format!("line {id}"))).collect();
    batch_of(name, attempt, &entries)
}

/// The outcomes in short: `l3` for room l stored up to 3, `l!0` for a failed attempt 0, `?` for a warning.
fn outcomes(notes: &[Note]) -> Vec<String> {
    let letter = |room: usize| char::from(room as u8);
    notes
        .iter()
        .map(|note| match note {
            Note::Stored { room, id } => format!("{}{id}", letter(*room)),
            Note::StoreFailed { room, attempt, .. } => format!("{}!{attempt}", letter(*room)),
            Note::Warning(_) => "?".into(),
        })
        .collect()
}

fn ids(restored: &[Kept], name: &str) -> Vec<u64> {
    let found = restored.iter().find(|room| room.name.as_str() == name);
    found.map_or(Vec::new(), |room| {
        room.entries.iter().map(|entry| entry.id).collect()
    })
}

fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("a directory")
        .map(|item| {
            item.expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter(|name| ![LOCK, CHECKPOINT].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_stored_is_there_after_a_restart_and_the_ids_go_on() {
    let dir = directory();
    let (mut store, restored) = open(dir.path());
    assert!(restored.is_empty());
    let author = Some(Author { session: 7, seq: 3 });
    let mine = Entry {
        author,
        kind: Sort::Topic,
        ..entry(3, "tea \"at\" five")
    };
    let notes = store.store(vec![
        batch("#lobby", 0, 1..=2),
        batch("#rust", 0, 1..=1),
        batch_of("#lobby", 0, std::slice::from_ref(&mine)),
    ]);
    assert_eq!(outcomes(&notes), ["l2", "r1", "l3"]);
    drop(store);
    let (mut store, restored) = open(dir.path());
    let lobby = &restored[0];
    assert_eq!(lobby.name, RoomName::lobby());
    assert_eq!(
        lobby.entries,
        [entry(1, "line 1"), entry(2, "line 2"), mine.clone()]
    );
    assert_eq!((lobby.last_id, &lobby.topic), (3, &Some(mine)));
    assert_eq!(ids(&restored, "#rust"), [1]);
    assert_eq!(
        outcomes(&store.store(vec![batch("#lobby", 0, 4..=4)])),
        ["l4"]
    );
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#lobby"), [1, 2, 3, 4]);
}

/// The file as kill -9 may leave it at any moment: what was stored is a beginning of it.
#[test]
fn wherever_a_write_was_torn_the_whole_lines_are_there_once_and_in_order() {
    let whole = [batch("#l", 0, 1..=2), batch("#l", 0, 3..=3)]
        .map(|batch| batch.bytes)
        .concat();
    let dir = directory();
    let path = dir.path().join("l.jsonl");
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).expect("a file");
        let (mut store, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
        let kept = whole[..length]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        let is_whole = length == 0 || whole[length - 1] == b'\n';
        // Complete but for its end.
        let completed = u64::from(whole.get(length) == Some(&b'\n') && !is_whole);
        let last = kept as u64 + completed;
        let expected: Vec<u64> = (1..=last).collect();
        assert_eq!(ids(&restored, "#l"), expected, "{length}");
        assert_eq!(
            warnings.len(),
            usize::from(!is_whole),
            "{length}: {warnings:?}"
        );
        let next = batch("#l", 0, last + 1..=last + 1);
        assert_eq!(
            outcomes(&store.store(vec![next])),
            [format!("l{}", last + 1)]
        );
        drop(store);
        let expected: Vec<u64> = (1..=last + 1).collect();
        assert_eq!(ids(&open(dir.path()).1, "#l"), expected, "{length}");
    }
}

#[test]
fn the_repair_says_what_it_did() {
    let dir = directory();
    let path = dir.path().join("l.jsonl");
    let whole = batch("#l", 0, 1..=2).bytes;
    let table = [
        (whole.len() - 1, "completed the last line"),
        (
            whole.len() - 2,
            "cut off the last 90 bytes that were no whole line",
        ),
        (3, "cut off the last 3 bytes that were no whole line"),
    ];
    for (length, what) in table {
        fs::write(&path, &whole[..length]).expect("a file");
        let (_, _, warnings) = open_with(dir.path(), NEVER, MEMORY);
        assert_eq!(warnings, [format!("{}: {what}", path.display())]);
        let repaired = fs::read(&path).expect("the log");
        assert!(repaired.is_empty() || repaired.ends_with(b"\n"), "{what}");
    }
    // A power loss may leave a place without content.
    fs::write(&path, [&whole[..], &[0; 5000]].concat()).expect("a file");
    let (_, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!((ids(&restored, "#l"), warnings.len()), (vec![1, 2], 1));
    assert_eq!(fs::read(&path).expect("the log"), whole);
}

#[test]
fn a_log_is_rotated_at_its_size_and_read_over_all_its_files() {
    let dir = directory();
    let line = batch("#l", 0, 1..=1).bytes.len() as u64;
    let (mut store, ..) = open_with(dir.path(), 2 * line, MEMORY);
    for id in 1..=7 {
        let notes = store.store(vec![batch("#l", 0, id..=id)]);
        assert_eq!(outcomes(&notes), [format!("l{id}")]);
    }
    let names = [
        "l.jsonl",
        "l@000001.jsonl",
        "l@000002.jsonl",
        "l@000003.jsonl",
    ];
    assert_eq!(files(dir.path()), names);
    drop(store);
    let (mut store, restored, warnings) = open_with(dir.path(), 2 * line, MEMORY);
    assert_eq!(ids(&restored, "#l"), [1, 2, 3, 4, 5, 6, 7]);
    assert!(warnings.is_empty(), "{warnings:?}");
    // The numbers go on as well.
    store.store(vec![batch("#l", 0, 8..=8)]);
    store.store(vec![batch("#l", 0, 9..=9)]);
    assert_eq!(files(dir.path()).len(), 5);
    drop(store);
    // A crash between the renaming and the new file leaves the old ones alone.
    fs::remove_file(dir.path().join("l.jsonl")).expect("the log");
    assert_eq!(ids(&open(dir.path()).1, "#l"), [1, 2, 3, 4, 5, 6, 7, 8]);
    // The operator may take old ones away, and no new one is taken for an old one then.
    fs::remove_file(dir.path().join("l@000001.jsonl")).expect("the oldest");
    let (mut store, ..) = open_with(dir.path(), 1, MEMORY);
    store.store(vec![batch("#l", 0, 9..=9)]);
    store.store(vec![batch("#l", 0, 10..=10)]);
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [3, 4, 5, 6, 7, 8, 9, 10]);
    // Only the file that is written can be torn by a crash; others are left as they are.
    let path = dir.path().join("l@000002.jsonl");
    let damaged = [&fs::read(&path).expect("a file")[..], b"{\"id\""].concat();
    fs::write(&path, &damaged).expect("a file");
    let (_, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!(ids(&restored, "#l").len(), 8);
    let expected = format!("{}: left out 1 line without sense", path.display());
    assert_eq!(warnings, [expected]);
    assert_eq!(fs::read(&path).expect("a file"), damaged);
}

#[test]
fn what_a_killed_server_left_in_memory_is_on_the_disk_before_it_is_shown() {
    let dir = directory();
    fs::write(dir.path().join("l.jsonl"), batch("#l", 0, 1..=1).bytes).expect("a file");
    faults::calls();
    open(dir.path());
    let calls = faults::calls();
    assert!(calls.contains(&Call::Sync));
    assert!(calls.contains(&Call::SyncDirectory) || cfg!(not(unix)));
    faults::order(0, Call::Sync);
    let (mut store, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!((restored.len(), warnings.len()), (0, 1));
    assert_eq!(outcomes(&store.store(vec![batch("#l", 0, 1..=1)])), ["l!0"]);
}

#[test]
fn rotating_never_writes_over_a_file() {
    let dir = directory();
    let (mut store, ..) = open_with(dir.path(), 1, MEMORY);
    fs::write(dir.path().join("l@000001.jsonl"), "precious").expect("a file");
    store.store(vec![batch("#l", 0, 1..=1)]);
    store.store(vec![batch("#l", 0, 2..=2)]);
    let kept = fs::read(dir.path().join("l@000001.jsonl")).expect("the file");
    assert_eq!(kept, b"precious");
    assert_eq!(
        files(dir.path()),
        ["l.jsonl", "l@000001.jsonl", "l@000002.jsonl"]
    );
}

#[test]
fn a_log_that_cannot_be_rotated_grows_on_and_says_so_once() {
    let dir = directory();
    let (mut store, ..) = open_with(dir.path(), 1, MEMORY);
    store.store(vec![batch("#l", 0, 1..=1)]);
    faults::order(0, Call::Rename);
    faults::order(0, Call::Rename);
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 0, 2..=2)])),
        ["?", "l2"]
    );
    assert_eq!(outcomes(&store.store(vec![batch("#l", 0, 3..=3)])), ["l3"]);
    assert_eq!(files(dir.path()), ["l.jsonl"]);
    assert_eq!(outcomes(&store.store(vec![batch("#l", 0, 4..=4)])), ["l4"]);
    drop(store);
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [1, 2, 3, 4]);
}

#[test]
fn as_many_lines_are_given_back_as_the_memory_takes() {
    let dir = directory();
    let (mut store, ..) = open_with(dir.path(), 500, MEMORY);
    for id in 1..=50 {
        store.store(vec![batch("#l", 0, id..=id)]);
    }
    drop(store);
    let restored = |lines, bytes| {
        let (_, restored, _) = open_with(dir.path(), NEVER, Memory { lines, bytes });
        ids(&restored, "#l")
    };
    assert_eq!(restored(3, 1 << 20), [48, 49, 50]);
    assert_eq!(restored(1 << 20, 1), [50]);
    assert_eq!(restored(1000, 1 << 20).len(), 50);
    let some = restored(1000, 1500).len();
    assert!((5..30).contains(&some), "{some}");
}

#[test]
fn only_the_end_of_a_log_is_read_but_more_than_its_memory() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    let lines: Vec<Entry> = (1..=6000)
        .map(|id| line_of(id, 1, id, &"x".repeat(900)))
        .collect();
    store.store(vec![batch_of("#l", 0, &lines)]);
    drop(store);
    let memory = Memory {
        lines: 10,
        bytes: 1 << 20,
    };
    fs::remove_file(dir.path().join(CHECKPOINT)).expect("a checkpoint");
    let (_, found) = Store::open(dir.path(), NEVER, memory).expect("a store");
    let last: Vec<u64> = (5991..=6000).collect();
    assert_eq!(ids(&found.rooms, "#l"), last);
    let newest = found.authors.last().map(|author| author.session);
    assert_eq!(newest, Some(6000), "the newest last");
    let read = found.authors.len() as u64 * 1000;
    assert!(
        (AUTHORS_READ..6_000_000).contains(&(read + 200_000)),
        "{read}"
    );
    assert_eq!(found.warnings, Vec::<String>::new());
    // What the memory takes is read whatever the authors need.
    let memory = Memory {
        lines: 6000,
        bytes: 1 << 30,
    };
    let (_, restored, _) = open_with(dir.path(), NEVER, memory);
    assert_eq!(restored[0].entries.len(), 6000);
}

/// Who is cut off while the others say more than a start reads comes back with lines that are in the log already.
#[test]
fn who_spoke_long_ago_is_known_after_a_crash() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    let topic = Entry {
        kind: Sort::Topic,
        ..line_of(7, 1, 1, "tea")
    };
    store.store(vec![batch_of(
        "#l",
        0,
        &[topic.clone(), line_of(7, 2, 2, "here")],
    )]);
    let many = |from: u64| {
        let line = |id: u64| line_of(8, id, id, &"x".repeat(900));
        let lines: Vec<Entry> = (from..from + 1000).map(line).collect();
        batch_of("#l", 0, &lines)
    };
    for thousand in 0..12 {
        store.store(vec![many(3 + 1000 * thousand)]);
    }
    drop(store);
    assert_eq!(authors(dir.path()), [(7, 2), (8, 12_002)]);
    let (_, restored) = open(dir.path());
    assert_eq!(restored[0].topic, Some(topic));
    let read = fs::metadata(dir.path().join("l.jsonl"))
        .expect("the log")
        .len();
    assert!(read > 2 * AUTHORS_READ, "or nothing was to be forgotten");
}

#[test]
fn a_checkpoint_covers_what_was_rotated_and_a_topic_that_was_taken_away() {
    let dir = directory();
    let patient = |path: &Path| {
        let (mut store, found) = Store::open(path, 400, MEMORY).expect("a store");
        assert_eq!(found.warnings, Vec::<String>::new());
        // Between checkpoints the files are rotated some times.
        (store.checkpoint_every, store.checkpoint_at) = (0, 300);
        store
    };
    let topic = |id, text| Entry {
        kind: Sort::Topic,
        ..entry(id, text)
    };
    let mut expected = Vec::new();
    for id in 1..=40 {
        let line = match id {
            1 => topic(1, "tea"),
            20 => topic(20, ""),
            _ => {
                expected.retain(|(session, _)| *session != id % 7);
                expected.push((id % 7, id));
                line_of(id % 7, id, id, "hello")
            }
        };
        let mut store = patient(dir.path());
        store.store(vec![batch_of("#l", 0, &[line])]);
        assert_eq!(store.logs[0].topic.is_some(), id < 20, "{id}");
        drop(store);
        assert_eq!(authors(dir.path()), expected, "{id}");
    }
    let mut store = patient(dir.path());
    store.checkpoint_at = 0;
    store.store(vec![batch("#l", 0, 41..=41)]);
    drop(store);
    // What the checkpoint covers may go.
    for name in files(dir.path()) {
        if name.contains('@') {
            fs::remove_file(dir.path().join(name)).expect("a file");
        }
    }
    assert_eq!(authors(dir.path()), expected);
}

#[test]
fn a_damaged_checkpoint_is_told_of_and_replaced() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    store.checkpoint_at = 0;
    store.store(vec![batch_of("#l", 0, &[line_of(7, 1, 1, "one")])]);
    drop(store);
    let path = dir.path().join(CHECKPOINT);
    let whole = fs::read(&path).expect("a checkpoint");
    fs::write(&path, &whole[..whole.len() - 1]).expect("a file");
    let (mut store, _, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("is no checkpoint of logs"),
        "{warnings:?}"
    );
    store.checkpoint_at = 0;
    store.store(vec![batch("#l", 0, 2..=2)]);
    drop(store);
    assert_eq!(authors(dir.path()), [(7, 1)]);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_of_once_and_costs_nothing_else() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    (store.checkpoint_every, store.checkpoint_at) = (0, 0);
    for (id, expected) in [(1, &["l1", "?"][..]), (2, &["l2"])] {
        // Behind the log itself, which is written first.
        faults::order(0, Call::Rename);
        let line = line_of(7, id, id, "x");
        let notes = store.store(vec![batch_of("#l", 0, &[line])]);
        store.checkpoint_at = 0;
        assert_eq!(outcomes(&notes), expected);
    }
    drop(store);
    assert_eq!(authors(dir.path()), [(7, 2)]);
}

#[test]
fn two_servers_never_share_a_directory() {
    let dir = directory();
    let (store, _) = open(dir.path());
    let error = Store::open(dir.path(), NEVER, MEMORY).expect_err("it is locked");
    let path = dir.path().display();
    let text = format!("cannot use the log directory {path}: another server is using it");
    assert_eq!((error.kind(), error.to_string()), (Kind::Other, text));
    drop(store);
    open(dir.path());
}

#[test]
fn two_spellings_of_a_room_are_one_file() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    let notes = store.store(vec![batch("#Lobby", 0, 1..=1), batch("#lobby", 0, 2..=2)]);
    assert_eq!(outcomes(&notes), ["L1", "l2"]);
    drop(store);
    let (mut store, restored) = open(dir.path());
    assert_eq!(ids(&restored, "#Lobby"), [1, 2]);
    store.store(vec![batch("#lobby", 0, 3..=3)]);
    assert_eq!(files(dir.path()), ["%4Cobby.jsonl"]);
    drop(store);
    // Two files of one room can only come from outside.
    fs::write(dir.path().join("lobby.jsonl"), "").expect("a file");
    let (_, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!((restored.len(), warnings.len()), (1, 1), "{warnings:?}");
}

#[test]
fn hostile_names_are_files_of_the_directory() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    let mut names = vec![
        "#con".to_string(),
        "#Ä".into(),
        "#a..b".into(),
        "#NUL.x".into(),
    ];
    names.push(format!("#{}", "山".repeat(12)));
    let batches = names.iter().map(|name| batch(name, 0, 1..=1)).collect();
    assert_eq!(store.store(batches).len(), names.len());
    assert_eq!(files(dir.path()).len(), names.len());
    drop(store);
    let (_, restored) = open(dir.path());
    for name in &names {
        assert_eq!(ids(&restored, name), [1], "{name}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = directory();
    let path = dir.path().join("a/b");
    let (mut store, _) = open(&path);
    store.store(vec![batch("#l", 0, 1..=1)]);
    let mode = |path: &Path| fs::metadata(path).expect("it").permissions().mode() & 0o777;
    // The umask may take more away.
    for made in [
        &dir.path().join("a"),
        &path,
        &path.join("l.jsonl"),
        &path.join(LOCK),
    ] {
        assert_eq!(mode(made) & 0o077, 0, "{}", made.display());
    }
}

#[test]
fn garbage_and_gaps_in_the_middle_are_told_and_skipped() {
    let dir = directory();
    let path = dir.path().join("l.jsonl");
    let newer = br#"{"id":10,"time":"2026-11-24T04:41:52.123456Z","kind":"poll","choices":["a"]}"#;
    let pieces = [
        &batch("#l", 0, 1..=2).bytes[..],
        b"not json\n\0\0\0\n",
        &batch("#l", 0, 5..=6).bytes,
        &batch("#l", 0, 6..=6).bytes,
        &batch("#l", 0, 9..=9).bytes,
        newer,
        b"\n",
    ];
    let before = pieces.concat();
    fs::write(&path, &before).expect("a file");
    let (mut store, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!(ids(&restored, "#l"), [1, 2, 5, 6, 9]);
    assert_eq!(
        restored[0].last_id, 10,
        "a newer version's line has an id too"
    );
    let path = path.display();
    let expected = [
        format!("{path}: left out 2 lines without sense"),
        format!("{path}: left out 1 line with ids that had been there"),
        format!("{path}: the lines 3 to 4 are missing, and 1 more such gaps follow"),
    ];
    assert_eq!(warnings, expected);
    store.store(vec![batch("#l", 0, 11..=11)]);
    drop(store);
    let (_, restored, _) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!(ids(&restored, "#l"), [1, 2, 5, 6, 9, 11]);
}

#[test]
fn a_foreign_file_is_left_alone_and_the_other_rooms_do_not_suffer() {
    let dir = directory();
    let foreign = [
        ("l.jsonl", "{\"id\":1,\"title\":\"tea\"}\n{\"id\":2"),
        ("m.jsonl", "no line end"),
        ("README.jsonl", ""),
        ("notes.txt", "x"),
    ];
    for (name, text) in foreign {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    fs::create_dir(dir.path().join("n.jsonl")).expect("a directory");
    let (mut store, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert!(restored.is_empty());
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    let batches = ["#l", "#m", "#n", "#o"].map(|name| batch(name, 0, 1..=1));
    let notes = store.store(batches.into());
    assert_eq!(outcomes(&notes), ["l!0", "m!0", "n!0", "o1"]);
    drop(store);
    for (name, text) in foreign {
        let kept = fs::read(dir.path().join(name)).expect("the file");
        assert_eq!(kept, text.as_bytes(), "{name}");
    }
}

#[test]
fn many_batches_cost_one_fsync() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    store.store(vec![batch("#l", 0, 1..=1), batch("#m", 0, 1..=1)]);
    faults::calls();
    let batches = (2..=100).flat_map(|id| [batch("#l", 0, id..=id), batch("#m", 0, id..=id)]);
    let notes = store.store(batches.collect());
    assert_eq!(notes.len(), 198);
    let calls = faults::calls();
    let count = |call| calls.iter().filter(|&&made| made == call).count();
    assert_eq!(count(Call::Sync), 2, "one a file");
    assert_eq!(count(Call::SyncDirectory) + count(Call::Open), 0);
    let last = calls.len() - 2;
    assert_eq!(
        calls[last..],
        [Call::Sync, Call::Sync],
        "behind everything that was written"
    );
}

/// Windows has no call for that.
#[cfg(unix)]
#[test]
fn a_new_file_is_in_the_directory_before_it_is_said_to_be_stored() {
    let dir = directory();
    let (mut store, ..) = open_with(dir.path(), 1, MEMORY);
    faults::order(0, Call::SyncDirectory);
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 0, 1..=1)])),
        ["l!0", "?"]
    );
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 1, 1..=1)])),
        ["l1", "?"]
    );
    faults::order(0, Call::SyncDirectory);
    let rotated = store.store(vec![batch("#l", 1, 2..=2)]);
    assert_eq!(outcomes(&rotated), ["l!1", "?"]);
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 2, 2..=2)])),
        ["l2", "?"]
    );
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [1, 2]);
}

#[test]
fn more_rooms_than_open_files_are_stored_in_portions() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    let rooms = MAX_OPEN + 10;
    for id in 1..=2 {
        let batches = (0..rooms).map(|n| batch(&format!("#room{n}"), 0, id..=id));
        let notes = store.store(batches.collect());
        assert!(notes.iter().all(|note| matches!(note, Note::Stored { .. })));
        assert_eq!(notes.len(), rooms);
        assert_eq!(
            store.logs.iter().filter(|log| log.file.is_some()).count(),
            MAX_OPEN
        );
    }
    drop(store);
    let (_, restored) = open(dir.path());
    assert_eq!(restored.len(), rooms);
    assert!(restored.iter().all(|room| room.entries.len() == 2));
}

#[test]
fn once_a_write_has_failed_the_rest_of_the_attempt_fails_unwritten() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    for part in [0, 1, 40, usize::MAX] {
        let path = dir.path().join(part.min(99).to_string());
        let (mut store, _) = open(&path);
        store.store(vec![batch("#l", 0, 1..=1)]);
        faults::order(1, Call::Write(part));
        let notes = store.store(vec![
            batch("#l", 0, 2..=2),
            batch("#l", 0, 3..=4),
            batch("#m", 0, 1..=1),
            batch("#l", 0, 5..=5),
        ]);
        assert_eq!(outcomes(&notes), ["l2", "l!0", "?", "m1", "l!0"], "{part}");
        // These were on their way when the server heard of it.
        let notes = store.store(vec![batch("#l", 0, 6..=6), batch("#l", 1, 3..=3)]);
        assert_eq!(outcomes(&notes), ["l!0", "l3", "?"], "{part}");
        drop(store);
        assert_eq!(ids(&open(&path).1, "#l"), [1, 2, 3], "{part}");
    }
    assert_eq!(faults::cancel(), 0);
    store.store(Vec::new());
}

#[test]
fn a_failed_fsync_takes_everything_back_that_it_was_for() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    store.store(vec![batch("#l", 0, 1..=1)]);
    faults::calls();
    faults::order(0, Call::Sync);
    let notes = store.store(vec![
        batch("#l", 0, 2..=2),
        batch("#m", 0, 1..=1),
        batch("#l", 0, 3..=3),
    ]);
    assert_eq!(outcomes(&notes), ["l!0", "m1", "l!0", "?"]);
    assert_eq!(
        fs::read(dir.path().join("l.jsonl")).expect("the log"),
        batch("#l", 0, 1..=1).bytes
    );
    faults::calls();
    let notes = store.store(vec![batch("#l", 1, 2..=2)]);
    assert_eq!(outcomes(&notes), ["l2", "?"]);
    assert!(
        faults::calls().contains(&Call::Open),
        "the old descriptor is not trusted"
    );
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [1, 2]);
}

#[test]
fn a_file_that_cannot_be_cut_back_takes_nothing_until_it_can() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    store.store(vec![batch("#l", 0, 1..=1)]);
    faults::order(1, Call::Write(30));
    for _ in 0..2 {
        faults::order(0, Call::Cut);
    }
    let notes = store.store(vec![
        batch("#l", 0, 2..=2),
        batch("#l", 0, 3..=3),
        batch("#l", 1, 3..=3),
    ]);
    assert_eq!(
        outcomes(&notes),
        ["l!0", "l!0", "?", "l!1"],
        "what was written before has no fsync"
    );
    assert_eq!(outcomes(&store.store(vec![batch("#l", 2, 2..=2)])), ["l!2"]);
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 3, 2..=2)])),
        ["l2", "?"]
    );
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [1, 2]);
}

#[test]
fn a_line_does_not_become_one_with_what_an_editor_left() {
    let dir = directory();
    let (mut store, ..) = open_with(dir.path(), NEVER, MEMORY);
    store.store(vec![batch("#l", 0, 1..=1)]);
    store.logs[0].file = None;
    let path = dir.path().join("l.jsonl");
    let edited = [&fs::read(&path).expect("the log")[..], b"a note"].concat();
    fs::write(&path, edited).expect("the log");
    store.store(vec![batch("#l", 0, 2..=2)]);
    drop(store);
    let (_, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert_eq!((ids(&restored, "#l"), warnings.len()), (vec![1, 2], 1));
}

#[test]
fn the_writer_stores_what_waits_before_it_ends() {
    let dir = directory();
    let (store, _) = open(dir.path());
    let (report, reports) = std::sync::mpsc::channel();
    let writer = spawn(store, move |note| drop(report.send(note))).expect("a thread");
    for id in 1..=20 {
        assert!(writer.store(batch("#l", 0, id..=id)).is_ok());
    }
    writer.join();
    let expected: Vec<String> = (1..=20).map(|id| format!("l{id}")).collect();
    assert_eq!(outcomes(&reports.try_iter().collect::<Vec<_>>()), expected);
    assert_eq!(
        ids(&open(dir.path()).1, "#l").len(),
        20,
        "and gives the lock back"
    );
}

#[cfg(unix)]
#[test]
fn a_log_that_was_taken_away_is_missed_and_a_new_one_begun() {
    let dir = directory();
    let (mut store, _) = open(dir.path());
    store.store(vec![batch("#l", 0, 1..=1)]);
    let path = dir.path().join("l.jsonl");
    fs::rename(&path, dir.path().join("taken")).expect("a log");
    faults::calls();
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 0, 2..=2)])),
        ["?", "l2"]
    );
    assert!(faults::calls().contains(&Call::SyncDirectory));
    fs::remove_file(&path).expect("a log");
    assert_eq!(
        outcomes(&store.store(vec![batch("#l", 0, 3..=3)])),
        ["?", "l3"]
    );
    drop(store);
    assert_eq!(ids(&open(dir.path()).1, "#l"), [3]);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_to_another_file() {
    let dir = directory();
    let outside = directory();
    let target = outside.path().join("precious");
    fs::write(&target, batch("#l", 0, 1..=1).bytes).expect("a file");
    for (room, to) in [("l", &target), ("m", &outside.path().join("none"))] {
        let link = dir.path().join(format!("{room}.jsonl"));
        std::os::unix::fs::symlink(to, link).expect("a link");
    }
    let (mut store, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
    assert!(restored.is_empty());
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let link = dir.path().join("n.jsonl");
    std::os::unix::fs::symlink(outside.path().join("none"), link).expect("a link");
    let batches = ["#l", "#m", "#n"].map(|name| batch(name, 0, 2..=2));
    let notes = store.store(batches.into());
    assert_eq!(outcomes(&notes), ["l!0", "m!0", "n!0", "?"]);
    assert!(!outside.path().join("none").exists());
    let kept = fs::read(&target).expect("the file");
    assert_eq!(kept, batch("#l", 0, 1..=1).bytes);
}

/// What the server knows of a room: `chat::server` in short.
#[derive(Default)]
struct Model {
    attempt: u64,
    handed_out: u64,
    stored: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever fails and whenever: after a restart each line that was reported as stored is there, once and in
    /// order, and nothing else.
    #[test]
    fn whatever_fails_the_log_holds_what_was_reported_as_stored(
        rounds in proptest::collection::vec(
            (
                proptest::collection::vec((0..3usize, 1..4u64), 1..6),
                proptest::collection::vec((0..4usize, 0..6usize, 0..200usize), 0..4),
                any::<bool>(),
            ),
            1..10,
        ),
    ) {
        let names = ["#l", "#m", "#n"];
        let dir = directory();
        let (mut store, ..) = open_with(dir.path(), 400, MEMORY);
        (store.checkpoint_every, store.checkpoint_at) = (0, 500);
        let mut rooms: [Model; 3] = Default::default();
        let mut run = |store: &mut Store, batches: &[(usize, u64)]| {
            let batches = batches.iter().map(|&(n, lines)| {
                let room = &mut rooms[n];
                let first = room.handed_out + 1;
                room.handed_out += lines;
                // Each room's lines are one session's.
                let line = |id| line_of(n as u64, id, id, "line");
                let entries: Vec<Entry> = (first..=room.handed_out).map(line).collect();
                batch_of(names[n], room.attempt, &entries)
            });
            for note in store.store(batches.collect()) {
                match note {
                    Note::Stored { room, id } => {
                        let room = &mut rooms[room - usize::from(b'l')];
                        assert!(id > room.stored && id <= room.handed_out);
                        room.stored = id;
                    }
                    Note::StoreFailed { room, attempt, .. } => {
                        let room = &mut rooms[room - usize::from(b'l')];
                        if attempt == room.attempt {
                            room.attempt += 1;
                            room.handed_out = room.stored;
                        }
                    }
                    Note::Warning(_) => {}
                }
            }
            [rooms[0].stored, rooms[1].stored, rooms[2].stored]
        };
        for (batches, failures, ends_well) in rounds {
            for (passing, call, part) in failures {
                let calls = [
                    Call::Open, Call::Write(part), Call::Cut, Call::Sync, Call::SyncDirectory, Call::Rename,
                ];
                faults::order(passing, calls[call]);
            }
            run(&mut store, &batches);
            if ends_well {
                faults::cancel();
            }
        }
        faults::cancel();
        let stored = run(&mut store, &[(0, 1), (1, 1), (2, 1)]);
        drop(store);
        let (_, restored, warnings) = open_with(dir.path(), NEVER, MEMORY);
        prop_assert_eq!(warnings, Vec::<String>::new());
        for (name, stored) in names.into_iter().zip(stored) {
            prop_assert_eq!(ids(&restored, name), (1..=stored).collect::<Vec<u64>>());
        }
        let mut known = authors(dir.path());
        known.sort_unstable();
        prop_assert_eq!(known, (0..).zip(stored).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_in_a_log_are_survived(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), any::<u8>()], 0..300),
    ) {
        let dir = directory();
        let path = dir.path().join("l.jsonl");
        let good = batch("#l", 0, 1..=1).bytes;
        fs::write(&path, [&good[..], &bytes].concat()).expect("a file");
        let (mut store, restored, _) = open_with(dir.path(), NEVER, MEMORY);
        prop_assert_eq!(ids(&restored, "#l"), [1]);
        prop_assert_eq!(outcomes(&store.store(vec![batch("#l", 0, 2..=2)])), ["l2"]);
        drop(store);
        let (_, restored, _) = open_with(dir.path(), NEVER, MEMORY);
        prop_assert_eq!(ids(&restored, "#l"), [1, 2]);
    }
}
