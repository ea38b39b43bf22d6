//! A line of a room's log, which whoever may write the file can have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::chat::journal;

fuzz_target!(|bytes: &[u8]| {
    let Some(entry) = journal::read(bytes) else {
        return;
    };
    let mut line = Vec::new();
    journal::write(&mut line, &entry);
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.contains(&b'\n'));
    assert_eq!(journal::read(&line), Some(entry));
});
