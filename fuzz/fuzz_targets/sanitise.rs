//! A peer's text on its way to a terminal: nothing invisible is left, and what is clean stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::core::sanitise::{is_hidden, sanitise, sanitise_str};

fuzz_target!(|bytes: &[u8]| {
    let clean = sanitise(bytes);
    assert!(!clean.chars().any(is_hidden), "{clean:?}");
    assert_eq!(sanitise_str(&clean), clean);
});
