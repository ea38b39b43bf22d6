//! A receiver with a sender that says what it likes: nothing is written that was not accounted for, and every entry
//! that was opened is closed.
#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::transfer::digest::{ChunkDigest, FileDigest};
use sockkit::transfer::frame::{Frame, Protection};
use sockkit::transfer::receiver::{
    Finding, Receiver, ReceiverAction, ReceiverOutcome, ReceiverSettings,
};
use sockkit::transfer::session::Protocol;
use sockkit_fuzz::{after_preface, frames};

const NOW: Duration = Duration::ZERO;

fuzz_target!(|bytes: &[u8]| {
    let settings = ReceiverSettings {
        max_size: 1 << 30,
        max_entries: 10,
        quota: 1 << 31,
        ..ReceiverSettings::default()
    };
    let mut receiver: Receiver<()> = Receiver::new(NOW, settings, 7);
    work(&mut receiver);
    let taken = frames(&after_preface(bytes), Protection::Channel, |frame| {
        match frame {
            Frame::Message(message) => receiver.message(NOW, message),
            Frame::Data { records, payload } => {
                receiver.data(NOW, &records, (payload > 0).then_some(&()));
            }
        }
        work(&mut receiver);
    });
    match taken {
        Ok(()) => receiver.cut(),
        Err(violation) => receiver.violated(violation),
    }
    work(&mut receiver);
    assert!(receiver.ending().is_some());
    assert!(receiver.tally().entries <= settings.max_entries);
});

/// Does what the machine asks for until it asks for nothing more.
fn work(receiver: &mut Receiver<()>) {
    let mut outcomes = VecDeque::new();
    for steps in 0.. {
        assert!(steps < 100_000, "the receiver has no end of work");
        while let Some(action) = receiver.action() {
            outcomes.extend(carry_out(action));
        }
        let Some(outcome) = outcomes.pop_front() else {
            if receiver.transmit(NOW).is_none() {
                return;
            }
            continue;
        };
        receiver.outcome(outcome);
    }
}

fn carry_out(action: ReceiverAction<()>) -> Option<ReceiverOutcome> {
    Some(match action {
        ReceiverAction::Examine { id, .. } => ReceiverOutcome::Examined {
            id,
            finding: match id % 4 {
                0 => Finding::Nothing,
                1 => Finding::Part { len: 3 << 20 },
                _ => Finding::Candidate {
                    len: 100,
                    compare_only: id % 4 == 3,
                },
            },
        },
        ReceiverAction::HashExisting {
            id, round, offset, ..
        } => ReceiverOutcome::Digest {
            id,
            round,
            offset,
            digest: ChunkDigest([7; 32]),
        },
        ReceiverAction::Finish { id, round, .. } => ReceiverOutcome::Hashed {
            id,
            round,
            sha256: FileDigest([7; 32]),
        },
        ReceiverAction::Commit { id, .. } => ReceiverOutcome::Stored { id },
        ReceiverAction::Settle => ReceiverOutcome::Settled,
        _ => return None,
    })
}
