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
    Store::open(path, rotate_at, memory).expect("a store")
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

fn batch_of(name: &str, attempt: u64, entries: &[Entry]) -> Batch {
    let mut bytes = Vec::new();
    for entry in entries {
        journal::write(&mut bytes, entry);
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
        .filter(|name| name != LOCK)
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
    assert_eq!(lobby.authors, [(7, 3)]);
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
    assert!(calls.contains(&Call::Sync) && calls.contains(&Call::SyncDirectory));
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
    let line = |id: u64| Entry {
        author: Some(Author {
            session: id,
            seq: 1,
        }),
        ..entry(id, &"x".repeat(900))
    };
    let lines: Vec<Entry> = (1..=6000).map(line).collect();
    store.store(vec![batch_of("#l", 0, &lines)]);
    drop(store);
    let memory = Memory {
        lines: 10,
        bytes: 1 << 20,
    };
    let (_, restored, warnings) = open_with(dir.path(), NEVER, memory);
    assert_eq!(ids(&restored, "#l"), (5991..=6000).collect::<Vec<u64>>());
    let authors = &restored[0].authors;
    assert_eq!(authors[0], (6000, 1), "the newest first");
    let read = authors.len() as u64 * 1000;
    assert!(
        (AUTHORS_READ..6_000_000).contains(&(read + 200_000)),
        "{read}"
    );
    assert!(warnings.is_empty(), "{warnings:?}");
    // What the memory takes is read whatever the authors need.
    let memory = Memory {
        lines: 6000,
        bytes: 1 << 30,
    };
    let (_, restored, _) = open_with(dir.path(), NEVER, memory);
    assert_eq!(restored[0].entries.len(), 6000);
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
        let mut rooms: [Model; 3] = Default::default();
        let mut run = |store: &mut Store, batches: &[(usize, u64)]| {
            let batches = batches.iter().map(|&(n, lines)| {
                let room = &mut rooms[n];
                let first = room.handed_out + 1;
                room.handed_out += lines;
                batch(names[n], room.attempt, first..=room.handed_out)
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
