//! The grammar of addresses: what is understood is written so that it is understood again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockkit::core::address::{Address, Use};

fuzz_target!(|text: &str| {
    let uses = [
        Use::Listen { default_port: 8888 },
        Use::Connect {
            default_port: Some(8888),
        },
        Use::Connect { default_port: None },
    ];
    for purpose in uses {
        let Ok(address) = Address::parse(text, purpose) else {
            continue;
        };
        let written = address.to_string();
        let again = Address::parse(&written, purpose);
        assert_eq!(again.as_ref().ok(), Some(&address), "{written}");
    }
});
