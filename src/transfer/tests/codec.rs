//! The codec: what goes in comes out, in pieces or whole, and nothing that comes in panics or is believed.

use std::sync::Arc;

use proptest::prelude::*;

use crate::transfer::digest::{ChunkDigest, FileDigest};
use crate::transfer::entry::{Entry, EntryKind, MAX_SIZE, ModifiedAt};
use crate::transfer::frame::{
    Decoder, Encoder, Frame, HEADER_LEN, MAX_CONTROL, MAX_PAYLOAD, Need, PREFACE, Protection,
    Violation, crc, kind,
};
use crate::transfer::path::{BadPath, PeerPath};
use crate::transfer::table::{self, Abandoned, Record};
use crate::transfer::wire::{
    self, AbortReason, Answer, Capability, Failure, Hello, Message, Phase, Refusal, Role, Skip,
    Verdict,
};

fn modified() -> impl Strategy<Value = ModifiedAt> {
    (any::<i64>(), 0..1_000_000_000u32).prop_map(|(secs, nanos)| ModifiedAt { secs, nanos })
}

fn entry() -> impl Strategy<Value = Arc<Entry>> {
    let component = prop::collection::vec(
        any::<u8>().prop_filter("a separator", |byte| *byte != b'/' && *byte != 0),
        1..20,
    );
    let path = prop::collection::vec(component, 1..6)
        .prop_filter_map("dots", |parts| PeerPath::from_components(parts).ok());
    let kind = prop_oneof![
        prop::option::of(0..=MAX_SIZE).prop_map(|size| EntryKind::File { size }),
        Just(EntryKind::Directory),
        prop::collection::vec(1..=255u8, 1..300).prop_map(|target| EntryKind::Symlink {
            target: target.into()
        }),
    ];
    (path, kind, modified(), 0..0o10000u32).prop_map(|(path, kind, modified, mode)| {
        Arc::new(Entry {
            path,
            kind,
            modified,
            mode,
        })
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Stored,
        Verdict::Identical,
        Verdict::Skipped(Skip::NotOlder),
        Verdict::Skipped(Skip::Other),
        Verdict::Refused(Refusal::Exists),
        Verdict::Refused(Refusal::Permission),
        Verdict::Refused(Refusal::ReadOnly),
        Verdict::Failed(Failure::Mismatch),
        Verdict::Failed(Failure::ReadOnly),
        Verdict::Failed(Failure::Other),
    ])
}

fn message() -> impl Strategy<Value = Message> {
    let hello = (
        any::<(u16, u16, bool, u64)>(),
        prop::collection::vec(
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..5,
        ),
    )
        .prop_map(|((version, lowest, is_sender, nonce), capabilities)| {
            Message::Hello(Hello {
                version,
                lowest,
                role: if is_sender {
                    Role::Sender
                } else {
                    Role::Receiver
                },
                nonce,
                capabilities: capabilities
                    .into_iter()
                    .map(|(id, value)| Capability { id, value })
                    .collect(),
            })
        });
    let answer = (any::<(u32, u8, bool)>(), 0..=MAX_SIZE).prop_map(
        |((entry, round, compare_only), compare)| Answer {
            entry,
            round,
            compare_only,
            compare,
        },
    );
    let digests = (
        any::<(u32, bool, u64)>(),
        prop::collection::vec(any::<[u8; 32]>(), 0..9),
    )
        .prop_map(|((entry, is_strong, first), digests)| Message::Digests {
            entry,
            round: 1 + u8::from(is_strong),
            first,
            digests: digests
                .into_iter()
                .map(|mut digest| {
                    if !is_strong {
                        digest[16..].fill(0);
                    }
                    ChunkDigest(digest)
                })
                .collect(),
        });
    prop_oneof![
        hello,
        Just(Message::Abort(AbortReason::NoSpace)),
        any::<u64>().prop_map(|work| Message::Alive {
            work,
            phase: Phase::Comparing
        }),
        any::<(u64, u64)>().prop_map(|(entries, good)| Message::Done { entries, good }),
        Just(Message::Bye),
        (any::<u32>(), prop::collection::vec(entry(), 0..6))
            .prop_map(|(first, entries)| Message::Offer { first, entries }),
        prop::collection::vec(answer, 0..9).prop_map(Message::Answers),
        digests,
        prop::collection::vec((any::<u32>(), verdict()), 0..9).prop_map(Message::Verdicts),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let range = (0..=MAX_SIZE / 2, 1..=MAX_SIZE / 2);
    prop_oneof![
        (
            any::<(u32, u8)>(),
            prop::option::of(0..=MAX_SIZE),
            modified()
        )
            .prop_map(|((entry, round), size, modified)| Record::Begin {
                entry,
                round,
                size,
                modified
            }),
        (any::<u32>(), range.clone()).prop_map(|(entry, (offset, len))| Record::Same {
            entry,
            offset,
            len
        }),
        (any::<u32>(), range).prop_map(|(entry, (offset, len))| Record::Hole {
            entry,
            offset,
            len
        }),
        (any::<u32>(), 0..MAX_SIZE / 2, 1..50u32).prop_map(|(entry, offset, len)| Record::Data {
            entry,
            offset,
            len
        }),
        (any::<(u32, [u8; 32], bool)>(), 0..=MAX_SIZE).prop_map(
            |((entry, sha256, changed), size)| Record::End {
                entry,
                size,
                sha256: FileDigest(sha256),
                changed
            }
        ),
        any::<u32>().prop_map(|entry| Record::Differs { entry }),
        any::<u32>().prop_map(|entry| Record::Abandon {
            entry,
            reason: Abandoned::Vanished
        }),
    ]
}

/// A stream of frames as an encoder makes it, and what a decoder should say.
fn stream(
    protection: Protection,
    messages: &[Message],
    records: &[Record],
) -> (Vec<u8>, Vec<Frame>) {
    let mut encoder = Encoder::new(protection);
    let mut bytes = PREFACE.to_vec();
    let mut frames = Vec::new();
    for message in messages {
        let body = message.encode();
        bytes.extend(encoder.seal(message.kind(), &body, 0, 0));
        bytes.extend(body);
        frames.push(Frame::Message(message.clone()));
    }
    let mut table = Vec::new();
    let mut payload = 0;
    for record in records {
        record.encode(&mut table);
        if let Record::Data { len, .. } = record {
            payload += *len as usize;
        }
    }
    let content = vec![0x5a; payload];
    bytes.extend(encoder.seal(kind::DATA, &table, payload, crc(0, &content)));
    bytes.extend([table, content].concat());
    frames.push(Frame::Data {
        records: records.to_vec(),
        payload,
    });
    (bytes, frames)
}

/// Takes a stream apart. The largest number of bytes that was ever asked for comes with it.
fn decode(protection: Protection, mut bytes: &[u8]) -> (Result<Vec<Frame>, Violation>, usize) {
    let mut decoder = Decoder::new(protection);
    let mut frames = Vec::new();
    let mut most = 0;
    loop {
        let need = decoder.need();
        let (Need::Bytes(len) | Need::Payload(len)) = need;
        most = most.max(len);
        let Some((piece, rest)) = bytes.split_at_checked(len) else {
            return (Ok(frames), most);
        };
        bytes = rest;
        let frame = match need {
            Need::Bytes(_) => decoder.bytes(piece),
            Need::Payload(_) => decoder.payload(crc(0, piece)),
        };
        match frame {
            Ok(frame) => frames.extend(frame),
            Err(violation) => {
                assert_eq!(decoder.bytes(&[]), Err(violation), "a violation is final");
                return (Err(violation), most);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn messages_and_records_come_out_as_they_went_in(
        messages in prop::collection::vec(message(), 0..5),
        records in prop::collection::vec(record(), 1..8),
        is_plain in any::<bool>(),
    ) {
        let protection = if is_plain { Protection::Checksums } else { Protection::Channel };
        let (bytes, frames) = stream(protection, &messages, &records);
        prop_assert_eq!(decode(protection, &bytes).0, Ok(frames));
    }

    #[test]
    fn an_entry_is_as_long_as_it_is_said_to_be(entry in entry()) {
        let len = wire::entry_len(&entry);
        let body = Message::Offer { first: 0, entries: vec![entry] }.encode();
        prop_assert_eq!(body.len(), 4 + len);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found(
        messages in prop::collection::vec(message(), 1..4),
        records in prop::collection::vec(record(), 1..5),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let (mut bytes, frames) = stream(Protection::Checksums, &messages, &records);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let found = matches!(
            decode(Protection::Checksums, &bytes).0,
            Err(Violation::Preface | Violation::HeaderChecksum | Violation::BodyChecksum)
        );
        prop_assert!(found, "byte {} of {:?}", at, frames);
    }

    #[test]
    fn random_bytes_neither_panic_nor_ask_for_much(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        is_plain in any::<bool>(),
    ) {
        let protection = if is_plain { Protection::Checksums } else { Protection::Channel };
        let stream = [&PREFACE[..], &bytes].concat();
        let (_, most) = decode(protection, &stream);
        prop_assert!(most <= MAX_PAYLOAD);
        for kind in 0..=255 {
            let _ = wire::decode(kind, &bytes);
        }
        let _ = table::decode(&bytes, bytes.len());
    }

    #[test]
    fn a_body_cut_short_or_drawn_out_is_malformed(message in message(), cut in 1..40usize) {
        let body = message.encode();
        let kind = message.kind();
        let fixed = matches!(kind, kind::HELLO | kind::ABORT | kind::ALIVE | kind::DONE | kind::BYE);
        if let Some(short) = body.len().checked_sub(cut)
            && let Ok(decoded) = wire::decode(kind, &body[..short])
        {
            // A list that is cut between two of its items is a shorter list.
            prop_assert!(!fixed);
            prop_assert_ne!(decoded, Some(message.clone()));
        }
        if fixed {
            let long = [&body[..], &[0]].concat();
            prop_assert_eq!(wire::decode(kind, &long), Err(Violation::Malformed(kind)));
        }
    }
}

#[test]
fn a_frame_that_is_repeated_left_out_or_out_of_place_does_not_match() {
    // Of equal content, so that only the number tells them apart.
    let alive = Message::Alive {
        work: 1,
        phase: Phase::Moving,
    };
    let body = alive.encode();
    let mut encoder = Encoder::new(Protection::Checksums);
    let frames: Vec<_> = (0..4)
        .map(|_| {
            let header = encoder.seal(alive.kind(), &body, 0, 0);
            [&header[..], &body].concat()
        })
        .collect();
    let arrives = |order: &[usize]| {
        let frames: Vec<_> = order.iter().map(|&at| &frames[at][..]).collect();
        let bytes = [&PREFACE[..], &frames.concat()].concat();
        decode(Protection::Checksums, &bytes)
            .0
            .map(|frames| frames.len())
    };
    assert_eq!(arrives(&[0, 1, 2, 3]), Ok(4));
    for order in [&[0, 1, 1, 2][..], &[0, 2, 3], &[0, 2, 1, 3], &[1]] {
        assert_eq!(arrives(order), Err(Violation::HeaderChecksum), "{order:?}");
    }
}

#[test]
fn a_type_that_may_be_skipped_is_skipped_and_another_is_a_violation() {
    let mut encoder = Encoder::new(Protection::Checksums);
    let mut bytes = PREFACE.to_vec();
    let alive = Message::Alive {
        work: 1,
        phase: Phase::Moving,
    };
    bytes.extend(encoder.seal(0x80, b"new", 0, 0));
    bytes.extend(b"new");
    bytes.extend(encoder.seal(0xff, b"", 0, 0));
    let body = alive.encode();
    bytes.extend(encoder.seal(alive.kind(), &body, 0, 0));
    bytes.extend(body);
    let (frames, _) = decode(Protection::Checksums, &bytes);
    assert_eq!(frames, Ok(vec![Frame::Message(alive)]));
    bytes.extend(encoder.seal(0x7f, b"", 0, 0));
    let (frames, _) = decode(Protection::Checksums, &bytes);
    assert_eq!(frames, Err(Violation::UnknownType(0x7f)));
}

#[test]
fn lengths_beyond_their_limit_are_refused_before_a_byte_is_asked_for() {
    for (kind, head, payload) in [
        (kind::OFFER, MAX_CONTROL + 1, 0),
        (kind::OFFER, 0, u32::MAX as usize),
        (kind::DATA, MAX_CONTROL + 1, 0),
        (kind::DATA, 1, MAX_PAYLOAD + 1),
        (kind::DATA, 1, u32::MAX as usize - 1),
        (kind::DATA, 0, 10),
        // As many bytes as the 24 bits of the table's length can say, and a shorter body.
        (kind::DATA, 0xff_ffff, 0),
        (0xff, MAX_CONTROL + 1, 0),
    ] {
        let mut encoder = Encoder::new(Protection::Checksums);
        let header = encoder.seal(kind, &vec![0; head], payload, 0);
        let (frames, most) = decode(Protection::Checksums, &[&PREFACE[..], &header].concat());
        assert_eq!(frames, Err(Violation::TooLong), "{kind} {head} {payload}");
        assert_eq!(most, HEADER_LEN);
    }
    let mut encoder = Encoder::new(Protection::Channel);
    let mut header = encoder.seal(kind::DATA, &[0; 100], 0, 0);
    header[0] = 99;
    let (frames, _) = decode(Protection::Channel, &[&PREFACE[..], &header].concat());
    assert_eq!(
        frames,
        Err(Violation::TooLong),
        "a table longer than its frame"
    );
}

#[test]
fn the_checksum_of_a_body_is_of_the_payload_and_then_of_the_head() {
    let mut encoder = Encoder::new(Protection::Checksums);
    let header = encoder.seal(kind::DATA, b"6789", 5, crc(0, b"12345"));
    // The check value of CRC-32/ISCSI.
    assert_eq!(header[8..12], 0xe306_9283_u32.to_le_bytes());
    assert_eq!(header[..8], [9, 0, 0, 0, kind::DATA, 4, 0, 0]);
}

#[test]
fn a_table_must_account_for_its_payload_exactly() {
    let mut table = Vec::new();
    let (entry, offset, len) = (0, 0, 10);
    Record::Data { entry, offset, len }.encode(&mut table);
    assert!(table::decode(&table, 10).is_ok());
    for payload in [0, 9, 11] {
        let malformed = Err(Violation::Malformed(kind::DATA));
        assert_eq!(table::decode(&table, payload), malformed);
    }
}

#[test]
fn offsets_that_overflow_are_beyond_any_size() {
    for (offset, len) in [(1 << 63, 1), (u64::MAX, u64::MAX), (MAX_SIZE, 1)] {
        let mut table = Vec::new();
        let entry = 0;
        Record::Same { entry, offset, len }.encode(&mut table);
        assert_eq!(table::decode(&table, 0), Err(Violation::BeyondSize));
    }
}

#[test]
fn a_path_that_leaves_its_directory_is_no_offer() {
    let entry = Entry {
        path: PeerPath::from_slashed(b"aa/b").expect("path"),
        kind: EntryKind::Directory,
        modified: ModifiedAt::default(),
        mode: 0,
    };
    let body = Message::Offer {
        first: 0,
        entries: vec![Arc::new(entry)],
    }
    .encode();
    let evil: Vec<u8> = body
        .iter()
        .map(|&byte| if byte == b'a' { b'.' } else { byte })
        .collect();
    assert!(wire::decode(kind::OFFER, &body).is_ok());
    assert_eq!(
        wire::decode(kind::OFFER, &evil),
        Err(Violation::Path(BadPath::Dots))
    );
}
