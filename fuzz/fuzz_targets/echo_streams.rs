//! The echo of streams, with everything that can go wrong on purpose.
#![no_main]

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::core::random::Probability;
use sockkit::echo::chaos::Chaos;
use sockkit::echo::config::{Config, Tells};
use sockkit::echo::door::Door;
use sockkit::echo::lines::Additions;
use sockkit::echo::streams::{Action, Note, Streams};
use sockkit::echo::tally::Tally;
use sockkit_fuzz::{Answer, Script, World};

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let flags = script.byte().unwrap_or(0);
    let is = |bit: u8| flags >> bit & 1 == 1;
    let mut some = |wanted: bool| wanted.then(|| script.byte().map_or(1, u64::from));
    let chaos = Chaos {
        delay: Duration::from_millis(some(is(0)).unwrap_or(0)),
        jitter: Duration::from_millis(some(is(0)).unwrap_or(0)),
        rate: some(is(1)).and_then(NonZeroU64::new),
        slice: some(is(2)).and_then(|slice| NonZeroUsize::new(slice as usize)),
        stall_after: some(is(3)),
        reset_after: some(is(4)),
        truncate_after: some(is(5)),
        close_after: some(is(6)),
        corrupt: Probability::new(f64::from(is(7)) / 2.0).unwrap_or_default(),
        ..Chaos::default()
    };
    let limits = script.byte().unwrap_or(0);
    let config = Config {
        chaos,
        seed: 7,
        additions: Additions::default(),
        max_bytes: (limits & 1 == 1).then_some(100),
        idle_timeout: (limits & 2 == 2).then_some(Duration::from_secs(10)),
        tells: Tells {
            connections: true,
            bytes: true,
            ..Tells::default()
        },
        ..Config::default()
    };
    let door = Arc::new(Door::new(6, (limits & 4 == 4).then_some(10)));
    let machine = Streams::new(Arc::new(config), door, Arc::new(Tally::default()));
    let answer = |action| match action {
        Action::Enough => Answer::Note(Note::StopListening),
        Action::Report(_) | Action::Done => Answer::Nothing,
    };
    World::new(machine, true, answer).play(script);
});
