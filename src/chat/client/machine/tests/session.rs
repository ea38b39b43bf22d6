//! Coming in, saying something, being cut off and coming back.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{World, config, message};
use crate::chat::client::machine::{Config, Note, Request, Status};
use crate::chat::wire::HELLO_PREFIX;

#[test]
fn a_line_waits_for_the_welcome_and_the_acknowledgement_and_for_nothing_else() {
    let mut world = World::new(config());
    world.line("hi");
    world.note(Note::InputEnded);
    world.open();
    assert_eq!(world.ops(), ["hello"]);
    world.welcome(0, 0, false);
    assert_eq!(world.ops(), ["line:hi"]);
    world.ack(1);
    assert_eq!(world.ops(), ["bye"]);
    world.closed();
    assert!(world.result().is_ok());
    assert_eq!(world.now, Duration::ZERO);
}

#[test]
fn the_hello_begins_with_the_prefix_and_carries_what_was_wished() {
    let mut world = World::new(Config {
        room: Some("#x".into()),
        history: 5,
        password: Some("sesame".to_string().into()),
        ..config()
    });
    world.open();
    let hello = world.hears().remove(0);
    assert!(hello.to_string().contains(r#""sockkit":1"#));
    assert_eq!(HELLO_PREFIX, b"{\"sockkit\":");
    assert_eq!(hello["session"], "0000000000000000000000000000feed");
    assert_eq!(hello["nick"], "ann");
    assert_eq!(hello["room"], "#x");
    assert_eq!(hello["history"], 5);
    assert_eq!(hello["password"], "sesame");
    assert_eq!(hello["seen"], serde_json::Value::Null);
}

#[test]
fn after_a_cut_what_was_not_acknowledged_is_sent_again_in_order_and_what_was_missed_asked_for() {
    let mut world = World::welcomed(config());
    for text in ["one", "two", "three"] {
        world.line(text);
    }
    world.message(7, "bob", "hello");
    world.says(
        r#"{"event":"private","number":3,"time":"2026-11-24T04:41:52Z","nick":"bob","text":"psst"}"#,
    );
    world.ack(1);
    world.ops();
    world.cut();
    world.line("four");
    world.wait();
    assert_eq!(world.dials, 2);
    world.open();
    let hello = world.hears().remove(0);
    assert_eq!((&hello["seen"], &hello["private"]), (&7.into(), &3.into()));
    // The server had taken one more than it could acknowledge.
    world.welcome(9, 2, true);
    assert_eq!(world.ops(), ["line:three", "line:four"]);
    for id in [7, 9] {
        world.message(id, "bob", "again");
    }
    assert_eq!(
        world.said(),
        ["hello", "psst", "again"],
        "7 was seen before"
    );
    assert_eq!(
        world.statuses(),
        [
            &Status::Disconnected {
                reason: "connection reset".into(),
                retrying: true
            },
            &Status::Connected {
                address: "127.0.0.1:8888".into(),
                again: true
            },
        ],
        "it is said once"
    );
}

#[test]
fn a_private_line_is_shown_once() {
    let mut world = World::welcomed(config());
    let private = r#"{"event":"private","number":1,"time":"2026-11-24T04:41:52Z","nick":"bob","text":"psst"}"#;
    world.says(private);
    world.says(private);
    assert_eq!(world.said(), ["psst"]);
}

#[test]
fn a_server_that_forgot_everything_is_heard_from_the_beginning() {
    let mut world = World::welcomed(config());
    world.message(50, "bob", "before");
    world.line("mine");
    world.cut();
    world.wait();
    world.open();
    world.hears();
    world.welcome(2, 0, false);
    assert_eq!(world.ops(), ["line:mine"]);
    world.message(1, "bob", "after");
    world.message(2, "bob", "the restart");
    world.says(
        r#"{"event":"private","number":1,"time":"2026-11-24T04:41:52Z","nick":"bob","text":"psst"}"#,
    );
    assert_eq!(world.said(), ["before", "after", "the restart", "psst"]);
}

#[test]
fn a_cut_within_the_history_does_not_lose_the_rest_of_it() {
    let mut world = World::new(Config {
        history: 20,
        ..config()
    });
    world.open();
    world.welcome(3, 0, false);
    world.message(1, "bob", "one");
    world.message(2, "bob", "two");
    world.cut();
    world.wait();
    world.open();
    assert_eq!(world.hears()[1..].len(), 0);
    world.welcome(4, 0, true);
    for id in 2..=4 {
        world.message(id, "bob", &id.to_string());
    }
    assert_eq!(world.messages(), ["one", "two", "3", "4"]);
}

#[test]
fn history_that_was_asked_for_is_shown_though_it_was_seen() {
    let mut world = World::welcomed(config());
    world.message(1, "bob", "one");
    world.message(1, "bob", "one");
    assert_eq!(world.messages(), ["one"]);
    world.line("/history 5");
    world.message(1, "bob", "one");
    world.message(2, "cid", "live");
    world.says(r##"{"event":"history_end","room":"#lobby"}"##);
    world.message(1, "bob", "one");
    assert_eq!(world.messages(), ["one", "one", "live"]);
    assert_eq!(world.said(), ["one", "live"], "and it counts once");
}

#[test]
fn another_room_has_numbers_of_its_own() {
    let mut world = World::welcomed(config());
    world.message(50, "bob", "here");
    world.line("/join #x");
    let there = |id, text| message(id, "cid", text).replace("#lobby", "#x");
    world.says(&there(3, "shown on entering"));
    world.says(r##"{"event":"you","nick":"ann","room":"#x","last_id":3}"##);
    world.says(&there(4, "new"));
    assert_eq!(world.messages(), ["here", "shown on entering", "new"]);
    assert_eq!(world.said(), ["here", "new"]);
    world.cut();
    world.wait();
    world.open();
    let hello = world.hears().remove(0);
    assert_eq!((&hello["room"], &hello["seen"]), (&"#x".into(), &4.into()));
}

#[test]
fn a_move_that_was_cut_off_is_taken_from_the_welcome() {
    let mut world = World::welcomed(config());
    world.message(50, "bob", "here");
    world.line("/join #x");
    world.cut();
    world.wait();
    world.open();
    world.says(
        r##"{"event":"welcome","version":1,"server":"x","nick":"ann","room":"#x","last_id":3,"acked":1,"resumed":true,"max_line":4096}"##,
    );
    let there = |id, text| message(id, "cid", text).replace("#lobby", "#x");
    world.says(&there(3, "before"));
    world.says(&there(4, "new"));
    assert_eq!(world.messages(), ["here", "before", "new"]);
    assert_eq!(world.said(), ["here", "new"]);
}

#[test]
fn a_request_that_was_not_answered_is_made_again() {
    let mut world = World::welcomed(config());
    world.note(Note::Request(Request::History {
        after: 3,
        limit: 10,
    }));
    assert_eq!(world.ops(), ["history"]);
    world.note(Note::InputEnded);
    assert!(!world.closing, "the answer is waited for");
    world.cut();
    world.wait();
    world.open();
    world.welcome(0, 0, true);
    assert_eq!(world.ops(), ["hello", "history"]);
    world.says(r##"{"event":"history_end","room":"#lobby"}"##);
    assert_eq!(world.ops(), ["bye"]);
}

#[test]
fn a_ping_of_the_server_is_answered_and_not_shown() {
    let mut world = World::welcomed(config());
    world.says(r#"{"event":"ping"}"#);
    assert_eq!(world.ops(), ["pong"]);
    assert_eq!(world.shown, []);
}

#[test]
fn input_is_held_back_while_a_thousand_lines_wait() {
    use crate::core::machine::Machine;
    let mut world = World::welcomed(config());
    for _ in 0..1000 {
        assert!(world.client.wants_notes());
        world.line("x");
    }
    assert!(!world.client.wants_notes());
    world.ack(1);
    assert!(world.client.wants_notes());
}

#[test]
fn a_printer_that_cannot_keep_up_stops_the_reading_and_the_watch_over_silence() {
    let mut world = World::welcomed(config());
    world.note(Note::Hold(true));
    world.note(Note::Hold(true));
    assert_eq!(world.appetite(), 0);
    world.pass(Duration::from_secs(1000));
    assert_eq!(world.ops(), Vec::<String>::new());
    world.note(Note::Hold(false));
    assert_eq!(world.appetite(), 0, "the other still holds");
    world.note(Note::Hold(false));
    assert!(world.appetite() > 0);
    world.pass(Duration::from_secs(149));
    assert!(world.is_connected() && world.ops().is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.ops(), ["ping"]);
}

#[test]
fn what_a_person_missed_is_counted_before_it_is_shown() {
    let mut world = World::welcomed(Config {
        interactive: true,
        retry: None,
        ..config()
    });
    world.message(1, "bob", "before");
    world.cut();
    world.line("mine");
    world.wait();
    world.open();
    world.welcome(3, 0, true);
    assert_eq!(world.ops(), ["hello", "line:mine", "ping"]);
    world.shown.clear();
    world.message(2, "bob", "missed");
    world.message(3, "bob", "too");
    assert_eq!(world.shown, [], "it is not known yet how much it is");
    world.says(r#"{"event":"pong"}"#);
    assert_eq!(world.statuses(), [&Status::Unread { lines: 2 }]);
    assert_eq!(world.said(), ["missed", "too"]);
    world.message(4, "bob", "live");
    assert_eq!(world.said(), ["missed", "too", "live"]);
}

/// A server that never says how much it is does not make the client keep it all.
#[test]
fn what_is_kept_until_it_is_counted_has_an_end_in_bytes() {
    let mut world = World::welcomed(Config {
        interactive: true,
        retry: None,
        ..config()
    });
    world.cut();
    world.wait();
    world.open();
    world.welcome(100, 0, true);
    let long = "x".repeat(1 << 20);
    for id in 1..=9 {
        world.message(id, "bob", &long);
    }
    assert!(world.said().len() >= 8, "{} shown", world.said().len());
}

#[test]
fn a_person_is_told_of_lines_that_wait() {
    let mut world = World::welcomed(Config {
        interactive: true,
        ..config()
    });
    world.cut();
    world.shown.clear();
    world.line("one");
    world.line("two");
    assert_eq!(
        world.statuses(),
        [&Status::Waiting { lines: 1 }, &Status::Waiting { lines: 2 }]
    );
}

proptest! {
    #[test]
    fn any_split_of_what_the_server_says_comes_to_the_same(cuts in proptest::collection::vec(1usize..40, 1..200)) {
        let script = [
            r##"{"event":"welcome","version":1,"server":"x","nick":"ann","room":"#lobby","last_id":2,"acked":0,"resumed":false,"max_line":4096}"##.to_string(),
            message(2, "bob", "earlier"),
            message(3, "bob", "ж\\u0000"),
            r#"{"event":"ack","seq":1}"#.to_string(),
            r#"{"event":"weather"}"#.to_string(),
            r#"{"event":"ping"}"#.to_string(),
            message(3, "bob", "twice"),
            r#"{"event":"refusal","seq":2,"text":"no"}"#.to_string(),
            message(4, "ann", "own"),
        ]
        .join("\r\n") + "\n";
        let run = |sizes: &[usize]| {
            let mut world = World::new(Config { history: 1, ..config() });
            world.line("one");
            world.line("two");
            world.open();
            let mut rest = script.as_bytes();
            for &size in sizes.iter().cycle() {
                let (piece, more) = rest.split_at(size.min(rest.len()));
                world.sends(piece);
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            (std::mem::take(&mut world.shown), world.ops())
        };
        prop_assert_eq!(run(&cuts), run(&[usize::MAX]));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 1..20)) {
        let mut world = World::welcomed(config());
        for piece in pieces {
            world.sends(&piece);
        }
    }
}
