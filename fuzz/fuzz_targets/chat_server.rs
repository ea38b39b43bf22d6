//! The chat server among up to eight clients that say, read and break off what they like, with a disk and without.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::chat::room::Memory;
use sockkit::chat::server::{Access, Action, Config, Limits, Note, Rate, Server, Slow};
use sockkit_fuzz::{Answer, Script, World};

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let flags = script.byte().unwrap_or(0);
    let is = |bit: u8| flags >> bit & 1 == 1;
    let server = Server::new(Config {
        limits: Limits {
            max_clients: 6,
            max_per_ip: 4,
            rate: is(0).then_some(Rate {
                per_second: 20.0,
                burst: 3.0,
            }),
            max_line: 200,
            idle_timeout: is(1).then_some(Duration::from_secs(300)),
            send_queue: 4096,
            slow: if is(2) { Slow::Kick } else { Slow::Skip },
        },
        max_rooms: 3,
        memory: Memory {
            lines: 5,
            bytes: 2000,
        },
        password: None,
        access: Access::default(),
        drain: Duration::from_secs(2),
        epoch: 1,
        durable: is(3),
        reports: true,
        adjust: |_, _, _| Err("no".into()),
    });
    let disk_fails = is(4);
    let answer = move |action| match action {
        Action::Report(_) => Answer::Nothing,
        Action::Store(batch) if disk_fails && batch.ids.1 % 3 == 0 => {
            Answer::Note(Note::StoreFailed {
                room: batch.room,
                attempt: batch.attempt,
                reason: "broken".into(),
            })
        }
        Action::Store(batch) => Answer::Note(Note::Stored {
            room: batch.room,
            id: batch.ids.1,
        }),
    };
    World::new(server, true, answer).play(script);
});
