//! The frames of a transfer: whatever comes is taken apart within its limits, and a message that is understood is
//! written so that it is understood again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::transfer::frame::Protection;
use sockkit::transfer::wire::decode;
use sockkit_fuzz::{after_preface, frames};

fuzz_target!(|bytes: &[u8]| {
    if let Some((&kind, body)) = bytes.split_first()
        && let Ok(Some(message)) = decode(kind, body)
    {
        let written = message.encode();
        assert_eq!(decode(message.kind(), &written), Ok(Some(message)));
    }
    let _ = frames(bytes, Protection::Checksums, drop);
    let _ = frames(&after_preface(bytes), Protection::Channel, drop);
});
