//! Peers that do not keep to the protocol: every message out of place is a violation, and no limit is
//! exceeded, whatever is said.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::transfer::digest::{ChunkDigest, FileDigest};
use crate::transfer::entry::{Entry, EntryKind, MAX_SIZE, ModifiedAt};
use crate::transfer::frame::{Frame, Violation, kind};
use crate::transfer::path::PeerPath;
use crate::transfer::receiver::{
    Finding, Receiver, ReceiverAction, ReceiverOutcome, ReceiverSettings,
};
use crate::transfer::sender::{Sender, SenderAction, SenderOutcome, SenderSettings, Source};
use crate::transfer::session::{Ending, Protocol, Shape};
use crate::transfer::table::{Abandoned, Record};
use crate::transfer::wire::{
    AbortReason, Answer, Hello, Message, Phase, Refusal, Role, VERSION, Verdict,
};

use super::SMALL;
use super::disk::judge;

const NOW: Duration = Duration::ZERO;

type TestReceiver = Receiver<Arc<[u8]>>;

fn hello(role: Role) -> Message {
    Message::Hello(Hello {
        version: VERSION,
        lowest: VERSION,
        role,
        nonce: 0,
        capabilities: Vec::new(),
    })
}

pub(super) fn hello_of_receiver() -> Message {
    hello(Role::Receiver)
}

fn file(name: &str, size: Option<u64>) -> Arc<Entry> {
    Arc::new(Entry {
        path: PeerPath::from_slashed(name.as_bytes()).expect(name),
        kind: EntryKind::File { size },
        modified: ModifiedAt::default(),
        mode: 0o644,
    })
}

fn offer(first: u32, entries: Vec<Arc<Entry>>) -> Message {
    Message::Offer { first, entries }
}

fn begin(size: Option<u64>) -> Record {
    Record::Begin {
        entry: 0,
        round: 1,
        size,
        modified: ModifiedAt::default(),
    }
}

fn data(offset: u64, len: u32) -> Record {
    Record::Data {
        entry: 0,
        offset,
        len,
    }
}

fn end(size: u64) -> Record {
    Record::End {
        entry: 0,
        size,
        sha256: FileDigest([0; 32]),
        changed: false,
    }
}

/// A receiver that has said hello, was offered one file of 200 bytes, and has this of it.
fn receiver(finding: Finding, digests: u64) -> TestReceiver {
    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    receiver.message(NOW, hello(Role::Sender));
    receiver.message(NOW, offer(0, vec![file("f", Some(200))]));
    let id = 0;
    receiver.outcome(ReceiverOutcome::Examined { id, finding });
    for chunk in 0..digests {
        let digest = ChunkDigest([0; 32]);
        let (round, offset) = (1, chunk * 64);
        receiver.outcome(ReceiverOutcome::Digest {
            id,
            round,
            offset,
            digest,
        });
    }
    while receiver.transmit(NOW).is_some() {}
    receiver
}

fn violation(receiver: &TestReceiver) -> Violation {
    match receiver.ending() {
        Some(Ending::Violated(violation)) => violation,
        other => panic!("no violation: {other:?}"),
    }
}

fn takes(receiver: &mut TestReceiver, records: &[Record]) {
    let payload: Arc<[u8]> = vec![1; 4_096].into();
    receiver.data(NOW, records, Some(&payload));
}

#[test]
fn content_out_of_order_or_beyond_its_size_is_a_violation() {
    let table: [(&[Record], Violation); 10] = [
        (&[data(0, 10)], Violation::OutOfPlace(kind::DATA)),
        (&[end(0)], Violation::OutOfPlace(kind::DATA)),
        (
            &[begin(Some(200)), begin(Some(200))],
            Violation::OutOfPlace(kind::DATA),
        ),
        (&[begin(Some(200)), data(1, 10)], Violation::Order),
        (
            &[begin(Some(200)), data(0, 10), data(0, 10)],
            Violation::Order,
        ),
        (&[begin(Some(200)), data(0, 201)], Violation::BeyondSize),
        (
            &[begin(Some(200)), data(0, 200), end(199)],
            Violation::Order,
        ),
        (
            &[Record::Begin {
                entry: 0,
                round: 2,
                size: None,
                modified: ModifiedAt { secs: 0, nanos: 0 },
            }],
            Violation::Round,
        ),
        (
            &[Record::Differs { entry: 0 }],
            Violation::OutOfPlace(kind::DATA),
        ),
        (&[Record::Differs { entry: 1 }], Violation::UnknownEntry),
    ];
    for (records, expected) in table {
        let mut receiver = receiver(Finding::Nothing, 0);
        takes(&mut receiver, records);
        assert_eq!(violation(&receiver), expected, "{records:?}");
    }
}

#[test]
fn content_cannot_be_claimed_that_was_never_compared() {
    let same = |offset, len| Record::Same {
        entry: 0,
        offset,
        len,
    };
    for (digests, records) in [
        (0, vec![same(0, 64)]),
        (1, vec![same(0, 128)]),
        (2, vec![same(0, 63)]),
        (2, vec![data(0, 10), same(10, 54)]),
        (4, vec![same(0, 64), same(64, 192)]),
    ] {
        let mut receiver = receiver(Finding::Part { len: 200 }, digests);
        takes(&mut receiver, &[begin(Some(1_000))]);
        takes(&mut receiver, &records);
        assert_eq!(violation(&receiver), Violation::NotHad, "{records:?}");
    }
    let mut receiver = receiver(Finding::Part { len: 200 }, 4);
    takes(
        &mut receiver,
        &[begin(Some(200)), same(0, 64), same(64, 136)],
    );
    assert_eq!(receiver.ending(), None);
}

#[test]
fn no_content_is_taken_where_only_a_comparison_was_asked_for() {
    let finding = Finding::Candidate {
        len: 200,
        compare_only: true,
    };
    let mut receiver = receiver(finding, 4);
    takes(&mut receiver, &[begin(Some(200)), data(0, 64)]);
    assert_eq!(violation(&receiver), Violation::OutOfPlace(kind::DATA));
}

#[test]
fn offers_beyond_the_window_and_out_of_turn_are_violations() {
    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    receiver.message(NOW, hello(Role::Sender));
    let nine = (0..9).map(|n| file(&n.to_string(), Some(1))).collect();
    receiver.message(NOW, offer(0, nine));
    assert_eq!(violation(&receiver), Violation::Window);

    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    receiver.message(NOW, hello(Role::Sender));
    let long = "x".repeat(250);
    let three = ["a", "b", "c"].map(|dir| file(&format!("{dir}/{long}"), Some(1)));
    receiver.message(NOW, offer(0, three.into()));
    assert_eq!(violation(&receiver), Violation::Window);

    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    receiver.message(NOW, hello(Role::Sender));
    receiver.message(NOW, offer(1, vec![file("f", Some(1))]));
    assert_eq!(violation(&receiver), Violation::Order);
}

#[test]
fn whoever_is_not_a_sender_or_says_more_than_hello_too_early_is_refused() {
    let new = || TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    let mut early = new();
    early.message(NOW, offer(0, vec![file("f", Some(1))]));
    assert_eq!(violation(&early), Violation::OutOfPlace(kind::OFFER));
    let mut early = new();
    takes(&mut early, &[begin(None)]);
    assert_eq!(violation(&early), Violation::OutOfPlace(kind::DATA));
    let mut twice = new();
    twice.message(NOW, hello(Role::Sender));
    twice.message(NOW, hello(Role::Sender));
    assert_eq!(violation(&twice), Violation::OutOfPlace(kind::HELLO));
    let mut same = new();
    same.message(NOW, hello(Role::Receiver));
    assert_eq!(same.ending(), Some(Ending::SameRole));
    let mut newer = new();
    newer.message(
        NOW,
        Message::Hello(Hello {
            version: 9,
            lowest: 5,
            role: Role::Sender,
            nonce: 0,
            capabilities: Vec::new(),
        }),
    );
    let (lowest, version) = (5, 9);
    assert_eq!(
        newer.ending(),
        Some(Ending::Incompatible { lowest, version })
    );
    // The last frame says why.
    assert_eq!(
        newer.transmit(NOW).map(|frame| frame.kind),
        Some(kind::HELLO)
    );
    let last = newer.transmit(NOW).expect("an abort");
    assert_eq!(
        last.head,
        Message::Abort(AbortReason::Incompatible).encode()
    );
    assert!(newer.transmit(NOW).is_none());
}

#[test]
fn done_before_everything_is_settled_is_a_violation() {
    let mut receiver = receiver(Finding::Nothing, 0);
    receiver.message(
        NOW,
        Message::Done {
            entries: 1,
            good: 0,
        },
    );
    assert_eq!(violation(&receiver), Violation::Totals);
}

#[test]
fn totals_that_do_not_agree_are_a_violation_at_both_ends() {
    let exists = Finding::Refuse(Refusal::Exists);
    let done = |entries, good| Message::Done { entries, good };
    for (entries, good) in [(1, 1), (0, 0), (2, 0)] {
        let mut receiver = receiver(exists, 0);
        receiver.message(NOW, done(entries, good));
        assert_eq!(violation(&receiver), Violation::Totals);
        let mut sender = sender(None);
        let refused = Message::Verdicts(vec![(0, Verdict::Refused(Refusal::Exists))]);
        sender.frame(NOW, Frame::Message(refused));
        while sender.transmit(NOW).is_some() {}
        sender.frame(NOW, Frame::Message(done(entries, good)));
        let totals = Ending::Violated(Violation::Totals);
        assert_eq!(sender.ending(), Some(totals));
    }
    let mut receiver = receiver(exists, 0);
    receiver.message(NOW, done(1, 0));
    receiver.outcome(ReceiverOutcome::Settled);
    assert!(receiver.transmit(NOW).is_some());
    assert_eq!(receiver.ending(), None, "the sender may not have it yet");
    receiver.message(NOW, Message::Bye);
    assert_eq!(receiver.ending(), Some(Ending::Complete));
}

#[test]
fn digests_ahead_of_the_sender_stop_at_the_window() {
    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
    receiver.message(NOW, hello(Role::Sender));
    receiver.message(NOW, offer(0, vec![file("f", Some(100 << 30))]));
    let (id, round) = (0, 1);
    let finding = Finding::Part { len: 100 << 30 };
    receiver.outcome(ReceiverOutcome::Examined { id, finding });
    let mut ordered = 0;
    loop {
        let mut more = false;
        while let Some(action) = receiver.action() {
            if let ReceiverAction::HashExisting { offset, .. } = action {
                (ordered, more) = (ordered + 1, true);
                let digest = ChunkDigest([0; 32]);
                receiver.outcome(ReceiverOutcome::Digest {
                    id,
                    round,
                    offset,
                    digest,
                });
            }
        }
        if !more {
            break;
        }
    }
    assert_eq!(ordered, SMALL.window_digests);
}

/// A sender that has offered `f` of 200 bytes, and was answered.
fn sender(answer: Option<Answer>) -> Sender<Vec<u8>> {
    let mut sender =
        Sender::with_shape(NOW, SenderSettings::default(), SMALL, 1, Vec::new(), false);
    sender.frame(NOW, Frame::Message(hello(Role::Receiver)));
    assert_eq!(sender.action(), Some(SenderAction::Walk { max: 2 }));
    let source = Source {
        key: 7,
        entry: file("f", Some(200)),
    };
    let (sources, end) = (vec![source], true);
    sender.outcome(SenderOutcome::Walked { sources, end });
    if let Some(answer) = answer {
        sender.frame(NOW, Frame::Message(Message::Answers(vec![answer])));
        assert_eq!(sender.ending(), None);
    }
    sender
}

fn answer(entry: u32, round: u8, compare: u64) -> Answer {
    Answer {
        entry,
        round,
        compare_only: false,
        compare,
    }
}

fn digests(entry: u32, round: u8, first: u64, count: usize) -> Message {
    Message::Digests {
        entry,
        round,
        first,
        digests: vec![ChunkDigest([0; 32]); count],
    }
}

#[test]
fn a_hostile_receiver_is_found_out() {
    let have = Some(answer(0, 1, 200));
    let stored = |entry| Message::Verdicts(vec![(entry, Verdict::Stored)]);
    let table = [
        (
            None,
            Message::Answers(vec![answer(1, 1, 0)]),
            Violation::UnknownEntry,
        ),
        (
            None,
            Message::Answers(vec![answer(0, 2, 0)]),
            Violation::Round,
        ),
        (
            None,
            Message::Answers(vec![answer(0, 1, 201)]),
            Violation::BeyondSize,
        ),
        (
            None,
            Message::Answers(vec![answer(0, 1, 0), answer(0, 2, 0)]),
            Violation::OutOfPlace(kind::ANSWERS),
        ),
        // Nothing is stored before its content was sent.
        (None, stored(0), Violation::OutOfPlace(kind::VERDICTS)),
        (have, stored(0), Violation::OutOfPlace(kind::VERDICTS)),
        (None, stored(1), Violation::UnknownEntry),
        (
            None,
            digests(0, 0, 0, 1),
            Violation::OutOfPlace(kind::DIGESTS),
        ),
        (have, digests(1, 1, 0, 1), Violation::UnknownEntry),
        (have, digests(0, 2, 0, 1), Violation::Round),
        (have, digests(0, 1, 1, 1), Violation::Digests),
        (have, digests(0, 1, u64::MAX, 1), Violation::Digests),
        // The window of 4, and 200 bytes are 4 chunks.
        (have, digests(0, 1, 0, 5), Violation::Digests),
        (
            Some(answer(0, 1, 64)),
            digests(0, 1, 0, 2),
            Violation::Digests,
        ),
        (
            None,
            Message::Done {
                entries: 1,
                good: 0,
            },
            Violation::OutOfPlace(kind::DONE),
        ),
        (
            None,
            offer(0, Vec::new()),
            Violation::OutOfPlace(kind::OFFER),
        ),
        (
            None,
            hello(Role::Receiver),
            Violation::OutOfPlace(kind::HELLO),
        ),
    ];
    for (before, message, expected) in table {
        let mut sender = sender(before);
        sender.frame(NOW, Frame::Message(message.clone()));
        assert_eq!(
            sender.ending(),
            Some(Ending::Violated(expected)),
            "{message:?}"
        );
        let (unsettled, walk_ended) = sender.into_unsettled();
        assert_eq!((unsettled.len(), walk_ended), (1, true));
    }
    let mut sender = sender(None);
    let (records, payload) = (Vec::new(), 0);
    sender.frame(NOW, Frame::Data { records, payload });
    let out_of_place = Violation::OutOfPlace(kind::DATA);
    assert_eq!(sender.ending(), Some(Ending::Violated(out_of_place)));
}

#[test]
fn a_verdict_while_content_is_under_way_ends_the_reading() {
    let mut sender = sender(Some(answer(0, 1, 0)));
    let refused = Message::Verdicts(vec![(0, Verdict::Refused(Refusal::NoSpace))]);
    sender.frame(NOW, Frame::Message(refused));
    let actions: Vec<_> = std::iter::from_fn(|| sender.action()).collect();
    assert!(
        actions.contains(&SenderAction::Close { entry: 0 }),
        "{actions:?}"
    );
    // An outcome that was under way is let go.
    sender.outcome(SenderOutcome::Failed {
        entry: 0,
        round: 1,
        reason: Abandoned::Unreadable,
    });
    assert_eq!(sender.ending(), None);
    assert_eq!(sender.tally().refused, 1);
}

/// Offsets that only 64 bits hold, to a receiver, without the bytes.
pub(super) fn far_offsets(shape: Shape) {
    let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), shape, 1);
    receiver.message(NOW, hello(Role::Sender));
    let size = 100 << 30;
    receiver.message(NOW, offer(0, vec![file("f", Some(size))]));
    let (id, finding) = (0, Finding::Nothing);
    receiver.outcome(ReceiverOutcome::Examined { id, finding });
    let (entry, offset, len) = (0, 10, size - 20);
    let hole = Record::Hole { entry, offset, len };
    let last = data(size - 10, 10);
    takes(&mut receiver, &[begin(Some(size)), data(0, 10), hole, last]);
    takes(&mut receiver, &[end(size)]);
    assert_eq!(receiver.ending(), None);
    let actions: Vec<_> = std::iter::from_fn(|| receiver.action()).collect();
    assert!(actions.contains(&ReceiverAction::Hole { id, offset, len }));
    let last = actions.last();
    assert!(
        matches!(last, Some(ReceiverAction::Finish { id: 0, round: 1, size: is, .. }) if *is == size),
        "{last:?}"
    );
}

/// Any message, more often than not about something that exists.
fn any_message() -> impl Strategy<Value = Message> {
    let id = || prop_oneof![4 => 0..4u32, 1 => any::<u32>()];
    let len = || prop_oneof![3 => 0..300u64, 1 => 0..=MAX_SIZE];
    let round = || prop_oneof![4 => 0..4u8, 1 => any::<u8>()];
    let path = prop::sample::select(vec!["f", "g", "f/x", "d/e", "l"]);
    let kind = prop_oneof![
        prop::option::of(len()).prop_map(|size| EntryKind::File { size }),
        Just(EntryKind::Directory),
        Just(EntryKind::Symlink {
            target: b"x"[..].into()
        }),
    ];
    let entry = (path, kind).prop_map(|(path, kind)| {
        let entry = file(path, None);
        Arc::new(Entry {
            kind,
            ..Entry::clone(&entry)
        })
    });
    let answer =
        (id(), round(), any::<bool>(), len()).prop_map(|(entry, round, compare_only, compare)| {
            Answer {
                entry,
                round,
                compare_only,
                compare,
            }
        });
    let verdict = prop::sample::select(vec![
        Verdict::Stored,
        Verdict::Identical,
        Verdict::Refused(Refusal::Exists),
    ]);
    prop_oneof![
        Just(hello(Role::Sender)),
        Just(hello(Role::Receiver)),
        (id(), prop::collection::vec(entry, 0..4))
            .prop_map(|(first, entries)| offer(first, entries)),
        prop::collection::vec(answer, 0..3).prop_map(Message::Answers),
        (id(), round(), 0..6u64, 0..6usize)
            .prop_map(|(entry, round, first, count)| digests(entry, round, first, count)),
        prop::collection::vec((id(), verdict), 0..3).prop_map(Message::Verdicts),
        (0..4u64, 0..4u64).prop_map(|(entries, good)| Message::Done { entries, good }),
        any::<u64>().prop_map(|work| Message::Alive {
            work,
            phase: Phase::Waiting
        }),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let id = || prop_oneof![6 => 0..3u32, 1 => any::<u32>()];
    let offset =
        || prop_oneof![3 => (0..5u64).prop_map(|n| n * 64), 1 => 0..300u64, 1 => 0..MAX_SIZE / 2];
    prop_oneof![
        3 => (id(), 0..4u8, prop::option::of(0..300u64)).prop_map(|(entry, round, size)| Record::Begin {
            entry, round, size, modified: ModifiedAt::default(),
        }),
        3 => (id(), offset(), 1..130u32).prop_map(|(entry, offset, len)| Record::Data { entry, offset, len }),
        2 => (id(), offset(), 1..130u64).prop_map(|(entry, offset, len)| Record::Same { entry, offset, len }),
        1 => (id(), offset(), 1..MAX_SIZE / 2).prop_map(|(entry, offset, len)| Record::Hole { entry, offset, len }),
        2 => (id(), offset(), any::<bool>()).prop_map(|(entry, size, changed)| Record::End {
            entry, size, sha256: judge(b""), changed,
        }),
        1 => id().prop_map(|entry| Record::Differs { entry }),
        1 => id().prop_map(|entry| Record::Abandon { entry, reason: Abandoned::Other }),
    ]
}

#[derive(Debug, Clone)]
enum Poke {
    Message(Message),
    Data(Vec<Record>),
    Driver(u8),
    Deadline,
}

fn pokes() -> impl Strategy<Value = Vec<Poke>> {
    let poke = prop_oneof![
        4 => any_message().prop_map(Poke::Message),
        4 => prop::collection::vec(any_record(), 0..4).prop_map(Poke::Data),
        6 => any::<u8>().prop_map(Poke::Driver),
        1 => Just(Poke::Deadline),
    ];
    prop::collection::vec(poke, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The limits are checked where they are kept: in the number of verdicts and orders that come out.
    #[test]
    fn a_receiver_survives_any_sender(pokes in pokes(), hello_first in prop::bool::weighted(0.9)) {
        let mut receiver = TestReceiver::with_shape(NOW, ReceiverSettings::default(), SMALL, 1);
        if hello_first {
            receiver.message(NOW, hello(Role::Sender));
            receiver.message(NOW, offer(0, vec![file("f", Some(200)), file("s", None)]));
        }
        let payload: Arc<[u8]> = vec![1; 4_096].into();
        let mut orders = std::collections::VecDeque::new();
        let (mut hashing, mut finished) = (0u64, 0u32);
        for poke in pokes {
            match poke {
                Poke::Message(message) => receiver.message(NOW, message),
                Poke::Data(records) => receiver.data(NOW, &records, Some(&payload)),
                Poke::Deadline => receiver.deadline(Duration::from_secs(20)),
                Poke::Driver(choice) => {
                    let Some(action) = orders.pop_front() else { continue };
                    match action {
                        ReceiverAction::Examine { id, .. } => {
                            let findings = [
                                Finding::Nothing,
                                Finding::Part { len: u64::from(choice) },
                                Finding::Candidate { len: 200, compare_only: choice & 1 == 0 },
                                Finding::Refuse(Refusal::Exists),
                            ];
                            let finding = findings[choice as usize % 4];
                            receiver.outcome(ReceiverOutcome::Examined { id, finding });
                        }
                        ReceiverAction::HashExisting { id, round, offset, .. } => {
                            hashing += 1;
                            let digest = ChunkDigest([choice; 32]);
                            receiver.outcome(ReceiverOutcome::Digest { id, round, offset, digest });
                        }
                        ReceiverAction::Finish { id, round, expected: Some(sha256), .. } if choice & 2 == 0 => {
                            receiver.outcome(ReceiverOutcome::StoredAtOnce { id, round, sha256 });
                        }
                        ReceiverAction::Finish { id, round, .. } => {
                            finished += 1;
                            let sha256 = if choice & 1 == 0 { judge(b"") } else { judge(b"x") };
                            receiver.outcome(ReceiverOutcome::Hashed { id, round, sha256 });
                        }
                        ReceiverAction::Commit { id, .. } => receiver.outcome(ReceiverOutcome::Stored { id }),
                        ReceiverAction::Settle => receiver.outcome(ReceiverOutcome::Settled),
                        _ => {}
                    }
                }
            }
            while let Some(action) = receiver.action() {
                if let ReceiverAction::Write { range, .. } = &action {
                    prop_assert!(range.end <= 4_096);
                }
                orders.push_back(action);
            }
            while let Some(frame) = receiver.transmit(NOW) {
                prop_assert!(frame.head.len() <= crate::transfer::frame::MAX_CONTROL);
            }
        }
        let tally = receiver.tally();
        let settled = tally.stored + tally.identical + tally.skipped + tally.refused + tally.failed;
        prop_assert!(settled <= tally.entries);
        prop_assert!(tally.entries - settled <= SMALL.window_entries as u64);
        let _ = (hashing, finished);
    }

    #[test]
    fn a_sender_survives_any_receiver(pokes in pokes()) {
        let mut sender = sender(None);
        let mut orders = std::collections::VecDeque::new();
        for poke in pokes {
            match poke {
                Poke::Message(message) => sender.frame(NOW, Frame::Message(message)),
                Poke::Data(records) => {
                    if records.len() == 3 {
                        sender.frame(NOW, Frame::Data { records, payload: 0 });
                    }
                }
                Poke::Deadline => sender.deadline(Duration::from_secs(20)),
                Poke::Driver(choice) => {
                    let Some(action) = orders.pop_front() else { continue };
                    match action {
                        SenderAction::Open { entry, round, .. } => sender.outcome(SenderOutcome::Opened {
                            entry,
                            round,
                            size: (choice & 1 == 0).then_some(u64::from(choice)),
                            modified: ModifiedAt::default(),
                        }),
                        SenderAction::Read { entry, round, offset, len, digest } => {
                            let end = choice & 3 == 0;
                            sender.outcome(SenderOutcome::Chunk {
                                entry,
                                round,
                                offset,
                                len,
                                content: crate::transfer::sender::Content::Bytes(vec![0; len as usize]),
                                digest: digest.map(|_| ChunkDigest([0; 32])),
                                end: end.then(|| crate::transfer::sender::SourceEnd {
                                    sha256: judge(b""),
                                    changed: choice & 4 == 0,
                                }),
                            });
                        }
                        _ => {}
                    }
                }
            }
            while let Some(action) = sender.action() {
                orders.push_back(action);
            }
            while sender.transmit(NOW).is_some() {}
        }
    }
}
