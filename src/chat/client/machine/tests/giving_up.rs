//! Ends that the server or the network makes.

use std::time::Duration;

use super::world::{World, config};
use crate::chat::client::machine::{Config, Note, Status};
use crate::error::Kind;

fn goodbye(reason: &str) -> String {
    format!(r#"{{"event":"goodbye","reason":"{reason}","text":"because\u001b[2J"}}"#)
}

#[test]
fn who_is_not_let_in_ends_with_the_servers_words_made_safe() {
    for (reason, kind) in [
        ("full", Kind::Refused),
        ("too_many_from_address", Kind::Refused),
        ("denied", Kind::Refused),
        ("banned", Kind::Refused),
        ("password", Kind::Refused),
        ("nick", Kind::Refused),
        ("room", Kind::Refused),
        ("something_new", Kind::Refused),
        ("version", Kind::Integrity),
        ("bad_hello", Kind::Integrity),
        ("shutdown", Kind::Other),
    ] {
        let mut world = World::new(config());
        world.open();
        world.says(&goodbye(reason));
        let text = "not let in by localhost:8888: because\\x1b[2J".to_string();
        assert_eq!(world.failure(), (kind, text), "{reason}");
    }
}

#[test]
fn who_is_put_out_for_good_does_not_come_back() {
    for reason in ["kicked", "banned"] {
        let mut world = World::welcomed(config());
        world.says(&goodbye(reason));
        let (kind, text) = world.failure();
        assert_eq!(kind, Kind::Refused);
        assert!(text.starts_with("put out by localhost:8888"), "{text}");
    }
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    for reason in ["shutdown", "idle", "slow"] {
        let mut world = World::welcomed(config());
        world.says(&goodbye(reason));
        assert!(!world.exited && !world.is_connected(), "{reason}");
        world.wait();
        assert_eq!(world.dials, 2);
        world.open();
        world.says(&goodbye("full"));
        assert!(!world.exited, "who was in may come again");
    }
}

#[test]
fn a_peer_that_speaks_something_else_is_told_by_its_first_line() {
    for line in ["* hello, who are you?", "{}", r#"{"event":7}"#] {
        let mut world = World::new(config());
        world.open();
        world.says(line);
        let error = world.result().expect_err("no chat");
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.advice().is_some_and(|hint| hint.contains("--raw")));
    }
    let mut world = World::new(config());
    world.open();
    world.sends(&[b'x'; 20_000]);
    assert_eq!(world.failure().0, Kind::Integrity, "a line without end");
}

/// The server that was busy for longer than it waits for a hello.
#[test]
fn what_a_server_of_ours_says_to_a_person_is_passed_over_until_the_welcome() {
    for first in [
        "* you are guest-7 in #lobby, nobody else is here; /help lists the commands",
        "* this server has a password: type it as your first line",
    ] {
        let mut world = World::new(config());
        world.line("hi");
        world.open();
        world.says(first);
        world.says("<bob> {not for us}");
        world.says(&format!("<bob> {}", "x".repeat(20_000)));
        assert_eq!(world.ops(), ["hello"]);
        world.welcome(0, 0, false);
        assert_eq!(world.ops(), ["line:hi"]);
        world.says("* now it is gibberish");
        assert_eq!(world.failure().0, Kind::Integrity);
    }
    let mut world = World::new(config());
    world.open();
    world.says("* you are alone");
    world.says("{\"not\":\"ours\"}");
    assert_eq!(world.failure().0, Kind::Integrity);
}

#[test]
fn gibberish_later_is_a_violation_too() {
    let mut world = World::welcomed(config());
    world.says("gibberish");
    assert_eq!(world.failure().0, Kind::Integrity);
}

#[test]
fn a_peer_that_says_nothing_is_given_ten_seconds() {
    let mut world = World::new(config());
    world.now = Duration::from_secs(3);
    world.open();
    world.wait();
    assert_eq!(world.now, Duration::from_secs(13));
    let (kind, text) = world.failure();
    assert_eq!(kind, Kind::TimedOut);
    assert_eq!(text, "no answer from localhost:8888 within 10s");
}

#[test]
fn a_server_that_is_not_there_is_not_waited_for() {
    let mut world = World::new(config());
    world.fail_dial();
    assert_eq!(world.failure().0, Kind::Unreachable);
}

#[test]
fn a_connection_that_closes_before_the_welcome_is_an_error() {
    for half in [true, false] {
        let mut world = World::new(config());
        world.open();
        match half {
            true => world.end_of_input(),
            false => world.cut(),
        }
        assert_eq!(world.failure().0, Kind::Other);
        assert_eq!(world.dials, 1);
    }
}

#[test]
fn after_a_cut_it_tries_for_thirty_seconds_with_growing_waits() {
    let mut world = World::welcomed(config());
    world.line("hi");
    world.end_of_input();
    let mut waits = Vec::new();
    loop {
        waits.push(world.wait());
        if world.exited {
            break;
        }
        world.fail_dial();
    }
    assert_eq!(world.now, Duration::from_secs(30));
    assert!(waits[0] <= Duration::from_millis(250));
    assert!((5..15).contains(&waits.len()), "{waits:?}");
    let (kind, text) = world.failure();
    assert_eq!(kind, Kind::Other);
    assert_eq!(
        text,
        "lost the connection to localhost:8888 and did not get it back within 30s: cannot connect to localhost:8888"
    );
    assert_eq!(world.client.unacknowledged(), 1);
    let cuts = world.statuses().len();
    assert_eq!(cuts, 1, "it is said once");
}

#[test]
fn without_retries_a_cut_is_the_end() {
    let mut world = World::welcomed(Config {
        retry: Some(Duration::ZERO),
        ..config()
    });
    world.cut();
    assert_eq!(
        world.statuses(),
        [&Status::Disconnected {
            reason: "connection reset".into(),
            retrying: false
        }]
    );
    assert_eq!(
        world.failure(),
        (
            Kind::Other,
            "lost the connection to localhost:8888: connection reset".into()
        )
    );
}

#[test]
fn a_person_decides_when_to_give_up() {
    let mut world = World::welcomed(Config {
        interactive: true,
        retry: None,
        ..config()
    });
    world.cut();
    for _ in 0..1000 {
        let wait = world.wait();
        assert!(wait <= Duration::from_secs(10));
        world.fail_dial();
    }
    assert!(!world.exited);
}

#[test]
fn the_time_to_retry_begins_anew_with_each_cut_but_the_waits_do_not() {
    let mut world = World::welcomed(config());
    let mut waits = Vec::new();
    for _ in 0..6 {
        world.cut();
        waits.push(world.wait());
        world.open();
        world.welcome(0, 0, true);
    }
    assert!(
        waits[5] > Duration::from_secs(3),
        "a server that lets in and closes is not dialled in a hurry: {waits:?}"
    );
    world.pass(Duration::from_secs(20));
    world.cut();
    assert!(world.wait() <= Duration::from_millis(250), "it held");
    world.open();
    world.welcome(0, 0, true);
    world.message(1, "bob", "hi");
    world.cut();
    assert!(
        world.wait() <= Duration::from_millis(250),
        "it brought something"
    );
}

#[test]
fn silence_is_asked_about_and_then_taken_for_the_end() {
    let mut world = World::welcomed(config());
    world.wait();
    assert_eq!(world.now, Duration::from_secs(150));
    assert_eq!(world.ops(), ["ping"]);
    world.says(r#"{"event":"pong"}"#);
    assert_eq!(world.shown, [], "nobody asked for it");
    world.wait();
    assert_eq!(world.now, Duration::from_secs(300));
    world.wait();
    assert_eq!(world.now, Duration::from_secs(450));
    assert!(!world.is_connected());
    assert_eq!(
        world.statuses(),
        [&Status::Disconnected {
            reason: "nothing came for 5m".into(),
            retrying: true
        }]
    );
}

#[test]
fn a_person_is_asked_for_the_password_and_asked_again() {
    let mut world = World::new(Config {
        interactive: true,
        ..config()
    });
    world.open();
    world.says(&goodbye("password"));
    assert_eq!(world.asked, [false]);
    world.note(Note::Password(Some("wrong".to_string().into())));
    assert_eq!(world.dials, 2);
    world.open();
    assert_eq!(world.hears()[0]["password"], "wrong");
    world.says(&goodbye("password"));
    assert_eq!(world.asked, [false, true]);
    world.note(Note::Password(None));
    assert_eq!(world.failure().0, Kind::Refused);
}
