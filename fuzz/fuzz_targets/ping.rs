//! `ping` with a server that echoes something else.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::echo::ping::machines::StreamPinger;
use sockkit::echo::ping::probes::{Pace, Plan};
use sockkit_fuzz::{Answer, Script, World};

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let plan = Plan {
        count: 5,
        pace: match script.below(2) {
            0 => Pace::Every(Duration::from_millis(100)),
            _ => Pace::Flood(3),
        },
        size: 1 + script.below(63),
        timeout: Duration::from_secs(1),
        run: 7,
    };
    World::new(StreamPinger::new(plan), true, |_| Answer::Nothing).play(script);
});
