//! What goes into one frame.

use std::time::Duration;

use crate::transfer::digest::ChunkDigest;
use crate::transfer::frame::{Frame, MAX_PAYLOAD, kind};
use crate::transfer::outgoing::{Batch, Outgoing};
use crate::transfer::sender::{
    Content, Sender, SenderAction, SenderOutcome, SenderSettings, SourceEnd,
};
use crate::transfer::session::Protocol;
use crate::transfer::table::{self, Record};
use crate::transfer::wire::{Answer, Message};

use super::SMALL;
use super::disk::{Item, SourceDisk, judge};

const NOW: Duration = Duration::ZERO;

fn answers(entries: &[u32]) -> Frame {
    let answer = |&entry| Answer {
        entry,
        round: 1,
        compare_only: false,
        compare: 0,
    };
    Frame::Message(Message::Answers(entries.iter().map(answer).collect()))
}

/// A sender whose files of 10 bytes are offered and wanted, and all the reads that it ordered.
fn sender(names: [&'static str; 2]) -> (Sender<Vec<u8>>, Vec<u32>) {
    let disk = SourceDisk::new(names.map(|name| Item::file(name, vec![1; 10])).into());
    let carried = (0..2).map(|key| disk.source(key)).collect();
    let settings = SenderSettings::default();
    let mut sender = Sender::with_shape(NOW, settings, SMALL, 1, carried, true);
    sender.frame(NOW, Frame::Message(super::hostile::hello_of_receiver()));
    while sender.transmit(NOW).is_some() {}
    sender.frame(NOW, answers(&[0, 1]));
    let reads = std::iter::from_fn(|| sender.action())
        .filter_map(|action| match action {
            SenderAction::Read { entry, .. } => Some(entry),
            _ => None,
        })
        .collect();
    (sender, reads)
}

fn read(sender: &mut Sender<Vec<u8>>, entry: u32) {
    sender.outcome(SenderOutcome::Opened {
        entry,
        round: 1,
        size: Some(10),
        modified: Default::default(),
    });
    sender.outcome(SenderOutcome::Chunk {
        entry,
        round: 1,
        offset: 0,
        len: 10,
        content: Content::Bytes(vec![1; 10]),
        digest: None::<ChunkDigest>,
        end: Some(SourceEnd {
            sha256: judge(&[1; 10]),
            changed: false,
        }),
    });
}

#[test]
fn a_frame_of_small_files_waits_for_those_that_are_being_read() {
    let (mut sender, reads) = sender(["a", "b"]);
    assert_eq!(reads, [0, 1]);
    read(&mut sender, 0);
    assert!(sender.transmit(NOW).is_none(), "the other is under way");
    read(&mut sender, 1);
    let frame = sender.transmit(NOW).expect("a frame");
    assert_eq!((frame.kind, frame.payload_len), (kind::DATA, 20));
    let records = table::decode(&frame.head, 20).expect("records");
    assert_eq!(records.len(), 6, "begin, data and end of both");
    assert!(sender.transmit(NOW).is_none());
}

#[test]
fn same_and_hole_grow_and_nothing_else_is_joined() {
    let mut batch = Batch::<()>::new();
    let same = |entry, offset| Record::Same {
        entry,
        offset,
        len: 64,
    };
    let hole = |offset| Record::Hole {
        entry: 0,
        offset,
        len: 64,
    };
    for record in [
        same(0, 0),
        same(0, 64),
        same(0, 128),
        hole(192),
        hole(256),
        same(1, 320),
        same(1, 448),
    ] {
        batch.push(record, None);
    }
    let Outgoing { head, .. } = batch.finish();
    let joined = [
        Record::Same {
            entry: 0,
            offset: 0,
            len: 192,
        },
        Record::Hole {
            entry: 0,
            offset: 192,
            len: 128,
        },
        same(1, 320),
        same(1, 448),
    ];
    assert_eq!(table::decode(&head, 0), Ok(joined.to_vec()));
}

#[test]
fn a_chunk_fits_an_empty_frame_and_none_that_has_payload() {
    let mut batch = Batch::<()>::new();
    assert!(batch.fits(MAX_PAYLOAD));
    let (entry, offset, len) = (0, 0, 1);
    batch.push(Record::Data { entry, offset, len }, Some(()));
    assert!(!batch.fits(MAX_PAYLOAD));
    assert!(batch.fits(MAX_PAYLOAD - 1));
}
