//! A sender of three files with a receiver that says what it likes.
#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::transfer::digest::{ChunkDigest, FileDigest};
use sockkit::transfer::entry::{Entry, EntryKind, ModifiedAt};
use sockkit::transfer::frame::Protection;
use sockkit::transfer::path::PeerPath;
use sockkit::transfer::sender::{
    Content, Sender, SenderAction, SenderOutcome, SenderSettings, Source, SourceEnd,
};
use sockkit::transfer::session::Protocol;
use sockkit_fuzz::{after_preface, frames};

const NOW: Duration = Duration::ZERO;

/// Sizes of the files: nothing, one chunk and a bit, one whole chunk.
const SIZES: [u64; 3] = [0, (1 << 20) + 10, 1 << 20];

fuzz_target!(|bytes: &[u8]| {
    let settings = SenderSettings::default();
    let mut sender: Sender<()> = Sender::new(NOW, settings, 7, Vec::new(), false);
    work(&mut sender);
    let taken = frames(&after_preface(bytes), Protection::Channel, |frame| {
        sender.frame(NOW, frame);
        work(&mut sender);
    });
    match taken {
        Ok(()) => sender.cut(),
        Err(violation) => sender.violated(violation),
    }
    work(&mut sender);
    assert!(sender.ending().is_some());
});

/// Does what the machine asks for until it asks for nothing more.
fn work(sender: &mut Sender<()>) {
    let mut outcomes = VecDeque::new();
    for steps in 0.. {
        assert!(steps < 100_000, "the sender has no end of work");
        while let Some(action) = sender.action() {
            outcomes.extend(carry_out(action));
        }
        let Some(outcome) = outcomes.pop_front() else {
            if sender.transmit(NOW).is_none() {
                return;
            }
            continue;
        };
        sender.outcome(outcome);
    }
}

fn carry_out(action: SenderAction) -> Option<SenderOutcome<()>> {
    Some(match action {
        SenderAction::Walk { .. } => SenderOutcome::Walked {
            sources: (0..)
                .zip(SIZES)
                .map(|(key, size)| source(key, size))
                .collect(),
            end: true,
        },
        SenderAction::Open { entry, key, round } => SenderOutcome::Opened {
            entry,
            round,
            size: SIZES.get(key as usize).copied(),
            modified: ModifiedAt::default(),
        },
        SenderAction::Read {
            entry,
            round,
            offset,
            len,
            digest,
        } => {
            // Entries are numbered in the order of the walk.
            let size = SIZES[entry as usize % SIZES.len()];
            let len = u64::from(len).min(size.saturating_sub(offset));
            SenderOutcome::Chunk {
                entry,
                round,
                offset,
                len: len as u32,
                content: Content::Bytes(()),
                digest: digest.map(|_| ChunkDigest([7; 32])),
                end: (offset + len >= size).then_some(SourceEnd {
                    sha256: FileDigest([7; 32]),
                    changed: false,
                }),
            }
        }
        SenderAction::Close { .. } | SenderAction::Report(_) => return None,
    })
}

fn source(key: u64, size: u64) -> Source {
    let path = PeerPath::from_slashed(format!("file{key}").as_bytes());
    Source {
        key,
        entry: Arc::new(Entry {
            path: path.expect("a path"),
            kind: EntryKind::File { size: Some(size) },
            modified: ModifiedAt::default(),
            mode: 0o644,
        }),
    }
}
