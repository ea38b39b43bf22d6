//! The exchange over the code phrase with an end that does not know it: there is never an agreement.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::core::secure::code::Code;
use sockkit::core::secure::pake::{Agreement, Side};
use sockkit_fuzz::Script;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let side = match script.below(2) {
        0 => Side::Initiator,
        _ => Side::Listener,
    };
    let code = Code::from_random([7; _]);
    let mut agreement = Agreement::new(side, &code);
    // Our own words come back to us, as a mirror would have it.
    let element = agreement.take_output();
    let binding = [7; 32];
    loop {
        let wanted = agreement.wanted();
        let message = match script.below(4) {
            0 if element.len() == wanted => element.as_slice(),
            1 => script.piece(),
            _ => script.take(wanted),
        };
        if agreement.receive(&binding, message).is_err() || message.is_empty() {
            break;
        }
        assert!(!agreement.is_agreed());
    }
    assert!(agreement.end_of_input().is_err());
    assert!(!agreement.is_agreed());
});
