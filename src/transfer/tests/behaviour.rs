//! What the two ends do together, a test a promise.

use crate::transfer::frame::{Protection, Violation};
use crate::transfer::receiver::ReceiverSettings;
use crate::transfer::session::{Ending, Protocol, Shape};
use crate::transfer::table::Abandoned;
use crate::transfer::wire::{AbortReason, Failure, Refusal, Verdict};

use super::disk::{Item, Node, Policy, SourceDisk, Store};
use super::link::Fault;
use super::pair::{Pair, Plan};
use super::{SMALL, Seed};

const COMPLETE: (Ending, Ending) = (Ending::Complete, Ending::Complete);

fn data(seed: u64, len: usize) -> Vec<u8> {
    Seed(seed).bytes(len)
}

fn run(seed: u64, source: &mut SourceDisk, store: &mut Store) -> (u64, u64) {
    let mut pair = Pair::new(Plan::new(seed), source, store);
    assert_eq!(pair.run(), COMPLETE);
    assert!(
        pair.sender.tally().is_all_good(),
        "{:?}",
        pair.sender.tally()
    );
    (pair.there.payload, pair.sender.progress().reused)
}

fn verdicts(source: &SourceDisk) -> Vec<(String, Verdict)> {
    let mut verdicts: Vec<_> = source
        .reports
        .iter()
        .map(|report| (report.source.entry.path.to_string(), report.verdict))
        .collect();
    verdicts.sort_by(|a, b| a.0.cmp(&b.0));
    verdicts
}

#[test]
fn everything_arrives_of_every_kind_and_at_every_border_of_a_chunk() {
    for seed in 0..60 {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let sizes = [0, 1, 63, 64, 65, 127, 128, 129, 192, 1000, 31, 32];
        let mut items: Vec<_> = names
            .into_iter()
            .zip(sizes)
            .map(|(name, size)| Item::file(name, data(seed, size)))
            .collect();
        items.push(Item::stream("stream", data(seed, 64 * 3)));
        items.push(Item::stream("empty stream", Vec::new()));
        items.push(Item::link("to", "a"));
        items.push(Item::file("dir/file", data(seed, 10)));
        items.push(Item::directory("dir"));
        items.push(Item::file(
            "sparse",
            [data(1, 64), vec![0; 640], data(2, 5)].concat(),
        ));
        let mut source = SourceDisk::new(items.clone());
        let mut store = Store::new(Policy::Refuse);
        let (payload, _) = run(seed, &mut source, &mut store);
        let total: usize = items.iter().map(|item| item.data.len()).sum();
        assert_eq!(payload as usize, total - 640, "holes are not sent");
        for item in &items {
            match item.path {
                "to" => assert_eq!(store.names[&b"to"[..]], Node::Link(b"a"[..].into())),
                "dir" => assert_eq!(store.names[&b"dir"[..]], Node::Directory),
                path => assert_eq!(store.file(path), Some(&item.data[..]), "{path}"),
            }
        }
        assert!(store.parts.is_empty());
        assert_eq!(source.reports.len(), items.len());
        assert_eq!(store.reports.len(), items.len());
    }
}

#[test]
fn of_a_partial_only_what_is_missing_is_sent() {
    let whole = data(7, 64 * 100);
    for (part, most) in [
        (whole[..64 * 90].to_vec(), 64 * 10),
        // A tail that is no whole chunk is sent again with its chunk.
        (whole[..64 * 90 + 30].to_vec(), 64 * 10),
        (whole.clone(), 0),
        ([&whole[..], b"too long"].concat(), 0),
    ] {
        let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
        let mut store = Store::new(Policy::Refuse);
        store.parts.insert(b"f".to_vec(), part);
        let (payload, reused) = run(1, &mut source, &mut store);
        assert_eq!(payload, most);
        assert_eq!(reused + payload, whole.len() as u64);
        assert_eq!(store.file("f"), Some(&whole[..]));
        assert_eq!(source.reports[0].rounds, 1, "one reading is enough");
        assert_eq!(source.read_bytes, whole.len() as u64);
    }
}

#[test]
fn a_damaged_partial_is_salvaged_chunk_by_chunk() {
    let whole = data(8, 64 * 50 + 10);
    for at in [0, 64 * 25 + 3, 64 * 50 + 9] {
        let mut part = whole.clone();
        part[at] ^= 1;
        let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
        let mut store = Store::new(Policy::Refuse);
        store.parts.insert(b"f".to_vec(), part);
        let (payload, _) = run(at as u64, &mut source, &mut store);
        assert!(payload <= 64, "{payload}");
        assert_eq!(store.file("f"), Some(&whole[..]));
    }
}

#[test]
fn a_stream_resumes_like_a_file() {
    let whole = data(9, 64 * 30 + 5);
    let mut source = SourceDisk::new(vec![Item::stream("f", whole.clone())]);
    let mut store = Store::new(Policy::Refuse);
    store.parts.insert(b"f".to_vec(), whole[..64 * 20].to_vec());
    let (payload, _) = run(3, &mut source, &mut store);
    assert_eq!(payload, 64 * 10 + 5);
    assert_eq!(store.file("f"), Some(&whole[..]));
}

#[test]
fn identical_content_is_skipped_and_other_content_refused_without_sending_any() {
    let (same, old) = (data(1, 500), data(2, 500));
    let mut source = SourceDisk::new(vec![
        Item::file("same", same.clone()),
        Item::file("other", data(3, 500)),
        Item::file("longer", data(4, 501)),
        Item::stream("stream", same.clone()),
        Item::stream("shorter stream", same[..400].to_vec()),
        Item::stream("longer stream", [&same[..], b"more"].concat()),
    ]);
    let mut store = Store::new(Policy::Refuse);
    for name in ["same", "stream", "shorter stream", "longer stream"] {
        let node = Node::File(same.clone());
        store.names.insert(name.as_bytes().to_vec(), node);
    }
    for name in ["other", "longer"] {
        let node = Node::File(old.clone());
        store.names.insert(name.as_bytes().to_vec(), node);
    }
    let before = store.names.clone();
    let mut pair = Pair::new(Plan::new(1), &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    assert_eq!(pair.there.payload, 0);
    assert_eq!(pair.receiver.tally(), pair.sender.tally());
    let exists = Verdict::Refused(Refusal::Exists);
    let expected = [
        ("longer", exists),
        ("longer stream", exists),
        ("other", exists),
        ("same", Verdict::Identical),
        ("shorter stream", exists),
        ("stream", Verdict::Identical),
    ];
    assert_eq!(
        verdicts(&source),
        expected.map(|(name, v)| (name.to_owned(), v))
    );
    assert_eq!(store.names, before);
}

#[test]
fn an_old_version_is_updated_in_place_with_the_chunks_that_differ() {
    let old = data(5, 64 * 40);
    let mut new = old.clone();
    new[64 * 11] ^= 1;
    new.extend_from_slice(b"and more");
    for (new, most) in [(new, 64 + 8), (old[..64 * 7 + 1].to_vec(), 0)] {
        let mut source = SourceDisk::new(vec![Item::file("f", new.clone())]);
        let mut store = Store::new(Policy::Overwrite);
        store.names.insert(b"f".to_vec(), Node::File(old.clone()));
        let (payload, _) = run(2, &mut source, &mut store);
        assert_eq!(payload, most);
        assert_eq!(store.file("f"), Some(&new[..]));
        assert_eq!(source.reports[0].verdict, Verdict::Stored);
    }
}

#[test]
fn a_collision_of_fast_digests_costs_a_round_and_no_byte() {
    let whole = data(6, 64 * 20);
    let mut part = whole.clone();
    part[64 * 3] ^= 1;
    let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
    let mut store = Store::new(Policy::Refuse);
    (source.is_weak, store.is_weak) = (true, true);
    store.parts.insert(b"f".to_vec(), part);
    let (payload, _) = run(2, &mut source, &mut store);
    assert_eq!((payload, source.reports[0].rounds), (64, 2));
    assert_eq!(store.file("f"), Some(&whole[..]));
}

#[test]
fn a_collision_does_not_make_an_existing_file_identical() {
    let mut source = SourceDisk::new(vec![Item::file("f", data(1, 640))]);
    let mut store = Store::new(Policy::Refuse);
    (source.is_weak, store.is_weak) = (true, true);
    store.names.insert(b"f".to_vec(), Node::File(data(2, 640)));
    let mut pair = Pair::new(Plan::new(2), &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    let exists = Verdict::Refused(Refusal::Exists);
    assert_eq!(verdicts(&source), [("f".to_owned(), exists)]);
    assert_eq!(store.file("f"), Some(&data(2, 640)[..]));
}

#[test]
fn damage_on_the_way_to_the_disk_is_repaired_by_sending_only_bad_chunks() {
    let whole = data(6, 64 * 20);
    let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
    let mut store = Store::new(Policy::Refuse);
    store.bad_writes = 1;
    let (payload, _) = run(2, &mut source, &mut store);
    assert_eq!(payload, 64 * 21);
    assert_eq!(store.file("f"), Some(&whole[..]));
}

#[test]
fn rounds_are_bounded_and_what_never_matches_is_not_stored() {
    let mut source = SourceDisk::new(vec![
        Item::file("bad", data(6, 64 * 4)),
        Item::file("good", data(7, 64)),
    ]);
    let mut store = Store::new(Policy::Refuse);
    store.bad_writes = u32::MAX;
    let mut pair = Pair::new(Plan::new(2), &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    assert_eq!(pair.sender.tally().failed, 2);
    assert!(source.reports.iter().all(|report| report.rounds == 3));
    assert_eq!(
        source.reports[0].verdict,
        Verdict::Failed(Failure::Mismatch)
    );
    assert!(store.names.is_empty());
}

#[test]
fn a_source_that_changed_once_arrives_as_it_is_in_the_end() {
    for later in [data(2, 1000), data(2, 10), Vec::new(), data(2, 3000)] {
        for seed in 0..10 {
            let item = Item {
                later: Some(later.clone()),
                ..Item::file("f", data(1, 1000))
            };
            let mut source = SourceDisk::new(vec![item]);
            let mut store = Store::new(Policy::Refuse);
            run(seed, &mut source, &mut store);
            assert_eq!(store.file("f"), Some(source.items[0].final_data()));
            assert_eq!(source.reports[0].rounds, 2);
        }
    }
}

#[test]
fn a_source_that_never_rests_is_said_to_have_changed() {
    let mut source = SourceDisk::new(vec![Item {
        is_restless: true,
        ..Item::file("f", data(1, 300))
    }]);
    let mut store = Store::new(Policy::Refuse);
    let mut pair = Pair::new(Plan::new(1), &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    let changed = Verdict::Failed(Failure::SourceChanged);
    assert_eq!(verdicts(&source), [("f".to_owned(), changed)]);
    assert!(store.names.is_empty());
}

#[test]
fn one_file_that_cannot_be_read_or_written_does_not_stop_the_others() {
    for seed in 0..50 {
        let mut source = SourceDisk::new(vec![
            Item::file("a", data(1, 300)),
            Item {
                fails_at: Some(200),
                ..Item::file("unreadable", data(2, 300))
            },
            Item {
                fails_at: Some(0),
                ..Item::file("unopenable", data(2, 3))
            },
            Item::file("unwritable", data(2, 900)),
            Item::file("z", data(3, 300)),
        ]);
        let mut store = Store::new(Policy::Refuse);
        store.fails = Some("unwritable");
        let mut pair = Pair::new(Plan::new(seed), &mut source, &mut store);
        assert_eq!(pair.run(), COMPLETE);
        assert_eq!(pair.receiver.tally(), pair.sender.tally());
        let abandoned = Verdict::Failed(Failure::Abandoned);
        let expected = [
            ("a", Verdict::Stored),
            ("unopenable", abandoned),
            ("unreadable", abandoned),
            ("unwritable", Verdict::Failed(Failure::Disk)),
            ("z", Verdict::Stored),
        ];
        assert_eq!(
            verdicts(&source),
            expected.map(|(name, v)| (name.to_owned(), v))
        );
        for report in &source.reports {
            let why = matches!(report.verdict, Verdict::Failed(Failure::Abandoned));
            assert_eq!(report.abandoned, why.then_some(Abandoned::Unreadable));
        }
    }
}

#[test]
fn the_same_name_twice_and_a_file_through_a_link_are_refused() {
    let mut source = SourceDisk::new(vec![
        Item::file("twice", data(1, 300)),
        Item::file("twice", data(2, 300)),
        Item::link("link", "/etc"),
        Item::file("link/passwd", data(3, 30)),
    ]);
    let mut store = Store::new(Policy::Overwrite);
    let mut pair = Pair::new(Plan::new(1), &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    let found: Vec<_> = verdicts(&source)
        .into_iter()
        .map(|(_, verdict)| verdict)
        .collect();
    assert!(
        found.contains(&Verdict::Refused(Refusal::Duplicate)),
        "{found:?}"
    );
    assert!(
        found.contains(&Verdict::Refused(Refusal::Unsafe)),
        "{found:?}"
    );
    assert_eq!(store.names.len(), 2);
}

#[test]
fn a_directory_is_finished_after_what_is_in_it_and_waits_for_nothing_else() {
    for seed in 0..50 {
        let mut source = SourceDisk::new(vec![
            Item::file("huge", data(1, 64 * 400)),
            Item::file("d/a", data(2, 500)),
            Item::file("d/e/b", data(3, 300)),
            Item::directory("d/e"),
            Item::directory("d"),
            Item::file("d-not", data(4, 100)),
            Item::directory("empty"),
        ]);
        let mut store = Store::new(Policy::Refuse);
        run(seed, &mut source, &mut store);
        let at = |path| store.commits.iter().position(|one| one == path);
        assert!(at("d/a") < at("d") && at("d/e/b") < at("d/e") && at("d/e") < at("d"));
        assert_eq!(at("huge"), Some(6), "{:?}", store.commits);
    }
}

#[test]
fn the_receivers_limits_are_kept_for_files_and_streams() {
    let settings = ReceiverSettings {
        max_size: 250,
        quota: 700,
        max_entries: 6,
        windows_names: true,
        ..Plan::new(0).receiver
    };
    let mut source = SourceDisk::new(vec![
        Item::file("large", data(1, 251)),
        Item::stream("large stream", data(1, 600)),
        Item::file("a", data(1, 250)),
        Item::file("b", data(2, 250)),
        Item::file("over quota", data(3, 250)),
        Item::file("nul.txt", data(3, 10)),
        Item::file("too many", data(3, 10)),
    ]);
    let mut store = Store::new(Policy::Refuse);
    let plan = Plan {
        receiver: settings,
        ..Plan::new(4)
    };
    let mut pair = Pair::new(plan, &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    let expected = [
        ("a", Verdict::Stored),
        ("b", Verdict::Stored),
        ("large", Verdict::Refused(Refusal::TooLarge)),
        ("large stream", Verdict::Refused(Refusal::TooLarge)),
        ("nul.txt", Verdict::Refused(Refusal::Name)),
        ("over quota", Verdict::Refused(Refusal::Quota)),
        ("too many", Verdict::Refused(Refusal::TooMany)),
    ];
    assert_eq!(
        verdicts(&source),
        expected.map(|(name, v)| (name.to_owned(), v))
    );
    assert!(store.parts.is_empty(), "nothing refused stays behind");
}

#[test]
fn small_files_share_frames_and_need_no_round_trip_each() {
    let names: Vec<&'static str> = (0..2_000)
        .map(|n| &*Box::leak(format!("dir/{n}").into_boxed_str()))
        .collect();
    let items = names.iter().map(|name| Item::file(name, data(1, 4_096)));
    let mut source = SourceDisk::new(items.collect());
    let mut store = Store::new(Policy::Refuse);
    let plan = Plan {
        shape: Shape::V1,
        sender: crate::transfer::sender::SenderSettings::default(),
        receiver: ReceiverSettings::default(),
        ..Plan::new(3)
    };
    // A whole direction at a time: what one end says without an answer from the other.
    let mut pair = Pair::new(plan, &mut source, &mut store);
    let turns = pair.run_in_turns();
    assert!(turns.len() <= 8, "{turns:?}");
    assert_eq!(pair.sender.ending(), Some(Ending::Complete));
    assert!(pair.there.frames() < 100, "{} frames", pair.there.frames());
    assert_eq!(store.names.len(), 2_000);
}

#[test]
fn the_first_data_leaves_one_round_trip_after_the_hello_and_before_the_walk_ends() {
    let mut source = SourceDisk::new(
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
            .map(|name| Item::file(name, data(1, 200)))
            .into(),
    );
    let mut store = Store::new(Policy::Refuse);
    let mut pair = Pair::new(Plan::new(3), &mut source, &mut store);
    let turns = pair.run_in_turns();
    // A turn is one way of the link: the hellos and the first offer, the answer, the data.
    assert_eq!(turns[..2], [0, 0]);
    assert!(turns[2] > 0);
    assert_eq!(pair.sender.ending(), Some(Ending::Complete));
}

#[test]
fn an_abort_says_why_and_leaves_a_resume_point() {
    let whole = data(1, 6_400);
    let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
    let mut store = Store::new(Policy::Refuse);
    let mut pair = Pair::new(Plan::new(5), &mut source, &mut store);
    pair.run_until(|pair| pair.there.payload > 2_000);
    pair.sender.abort(AbortReason::Interrupted);
    assert_eq!(
        pair.run(),
        (
            Ending::Aborted(AbortReason::Interrupted),
            Ending::PeerAborted(AbortReason::Interrupted)
        )
    );
    let (carried, walk_ended) = pair.sender.into_unsettled();
    assert_eq!(carried.len(), 1);
    let have = store.parts[&b"f"[..]].len();
    assert!(have > 0 && store.names.is_empty());
    let plan = Plan {
        carried,
        walk_ended,
        ..Plan::new(6)
    };
    let mut pair = Pair::new(plan, &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    assert_eq!(pair.there.payload as usize, 6_400 - have / 64 * 64);
    assert_eq!(store.file("f"), Some(&whole[..]));
}

#[test]
fn a_silent_peer_is_left_at_the_handshake_deadline_and_a_busy_one_is_heard() {
    let (mut source, mut store) = (SourceDisk::new(Vec::new()), Store::new(Policy::Refuse));
    let plan = Plan {
        faults: [Fault::Drop(0), Fault::None],
        ..Plan::new(1)
    };
    let pace = plan.receiver.pace;
    let mut pair = Pair::new(plan, &mut source, &mut store);
    // The sender's hello is lost; nothing that follows is taken for one.
    let (_, received) = pair.run();
    assert_eq!(received, Ending::Violated(Violation::HeaderChecksum));

    let (mut source, mut store) = (SourceDisk::new(Vec::new()), Store::new(Policy::Refuse));
    let mut pair = Pair::new(Plan::new(1), &mut source, &mut store);
    assert_eq!(pair.receiver.next_deadline(), Some(pace.handshake));
    pair.receiver.deadline(pace.handshake);
    assert_eq!(pair.receiver.ending(), Some(Ending::HandshakeTimeout));
}

#[test]
fn an_end_that_has_nothing_to_say_tells_what_it_works_at() {
    let mut source = SourceDisk::new(vec![Item::file("f", data(1, 300))]);
    let mut store = Store::new(Policy::Refuse);
    let mut pair = Pair::new(Plan::new(5), &mut source, &mut store);
    pair.run_until(|pair| pair.receiver.progress().entries == 1);
    let work = crate::transfer::receiver::ReceiverOutcome::Worked(77);
    pair.receiver.outcome(work);
    let due = pair.receiver.next_deadline().expect("a keepalive");
    pair.receiver.deadline(due);
    pair.run_until(|pair| pair.sender.progress().peer_work > 0);
    assert_eq!(pair.sender.progress().peer_work, 77);
    assert_eq!(pair.run(), COMPLETE);
}

#[test]
fn in_a_channel_that_authenticates_its_bytes_a_transfer_does_without_checksums() {
    let mut source = SourceDisk::new(vec![Item::file("name", data(1, 300))]);
    let mut store = Store::new(Policy::Refuse);
    let plan = Plan {
        protection: Protection::Channel,
        ..Plan::new(5)
    };
    let mut pair = Pair::new(plan, &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    assert!(store.file("name").is_some());
}

#[test]
fn version_1_carries_whole_chunks_in_a_frame_each() {
    let whole = data(1, 2 * 1024 * 1024 + 1);
    let mut source = SourceDisk::new(vec![Item::file("f", whole.clone())]);
    let mut store = Store::new(Policy::Refuse);
    store
        .parts
        .insert(b"f".to_vec(), whole[..1024 * 1024].to_vec());
    let plan = Plan {
        shape: Shape::V1,
        sender: crate::transfer::sender::SenderSettings::default(),
        receiver: ReceiverSettings::default(),
        ..Plan::new(3)
    };
    let mut pair = Pair::new(plan, &mut source, &mut store);
    assert_eq!(pair.run(), COMPLETE);
    assert_eq!(pair.there.payload, 1024 * 1024 + 1);
    assert_eq!(store.file("f"), Some(&whole[..]));
}

#[test]
fn a_file_beyond_4_gib_of_holes_costs_a_frame_and_not_a_byte() {
    // By talking to the receiver directly.
    super::hostile::far_offsets(SMALL);
}
