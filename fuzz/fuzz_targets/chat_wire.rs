//! The lines of the structured mode, in both directions, and names: what is understood is written so that it is
//! understood again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::chat::nick::{Nick, RoomName};
use sockkit::chat::wire::{ChatEvent, Hello, Op, encode};

macro_rules! there_and_back {
    ($type:ty, $bytes:expr) => {
        if let Ok(message) = serde_json::from_slice::<$type>($bytes) {
            let mut line = Vec::new();
            encode(&mut line, &message);
            assert_eq!(line.pop(), Some(b'\n'));
            assert!(!line.contains(&b'\n'));
            assert_eq!(serde_json::from_slice::<$type>(&line).ok(), Some(message));
        }
    };
}

fuzz_target!(|bytes: &[u8]| {
    there_and_back!(Hello, bytes);
    there_and_back!(Op<'_>, bytes);
    there_and_back!(ChatEvent<'_>, bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(nick) = Nick::parse(text) {
        assert_eq!(Nick::parse(nick.as_str()).map(|nick| nick.key()), Ok(nick.key()));
    }
    if let Ok(room) = RoomName::parse(text) {
        assert_eq!(RoomName::parse(room.as_str()).map(|room| room.key()), Ok(room.key()));
    }
});
