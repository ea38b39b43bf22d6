//! Ends that are wished for.

use std::time::Duration;

use super::world::{World, config};
use crate::chat::client::machine::{Config, Note};
use crate::core::machine::Signal;
use crate::error::{Error, Kind};

#[test]
fn with_nothing_to_say_it_leaves_once_everything_before_is_shown() {
    let mut world = World::new(config());
    world.note(Note::InputEnded);
    world.open();
    world.welcome(0, 0, false);
    assert_eq!(world.ops(), ["hello", "ping"]);
    world.says(r#"{"event":"pong"}"#);
    assert_eq!(world.ops(), ["bye"]);
    world.closed();
    assert!(world.result().is_ok());
    assert!(
        !format!("{:?}", world.shown).contains("Pong"),
        "nobody asked for it"
    );
}

#[test]
fn a_cut_when_all_is_done_is_no_reason_to_come_back() {
    let mut world = World::welcomed(config());
    world.line("hi");
    world.ack(1);
    world.cut();
    assert!(!world.exited, "there may be more input");
    world.note(Note::InputEnded);
    assert!(world.result().is_ok());
    assert_eq!(world.dials, 1);
}

#[test]
fn a_refused_line_is_not_sent_again_and_is_no_success() {
    let mut world = World::welcomed(config());
    world.line("long");
    world.line("short");
    world.note(Note::InputEnded);
    world.says(r#"{"event":"refusal","seq":1,"text":"too long"}"#);
    world.cut();
    world.wait();
    world.open();
    world.welcome(0, 0, true);
    assert_eq!(world.ops(), ["hello", "line:short"]);
    world.ack(2);
    world.closed();
    let (kind, text) = world.failure();
    assert_eq!(kind, Kind::Other);
    assert_eq!(text, "1 line was not taken by localhost:8888");
}

#[test]
fn input_that_cannot_be_understood_ends_with_its_error_after_the_lines_before_it() {
    let mut world = World::welcomed(Config {
        goal: crate::chat::client::machine::Goal {
            count: Some(1),
            ..Default::default()
        },
        ..config()
    });
    world.line("good");
    world.note(Note::InputBroken(Error::new(Kind::Usage, "bad")));
    assert!(!world.closing);
    world.ack(1);
    world.closed();
    assert_eq!(world.failure(), (Kind::Usage, "bad".into()));
}

#[test]
fn a_signal_waits_a_moment_for_acknowledgements_and_no_longer() {
    for acked in [true, false] {
        let mut world = World::welcomed(config());
        world.line("hi");
        world.ops();
        world.signal(Signal::Terminate);
        assert!(!world.closing);
        let expected = match acked {
            true => Duration::ZERO,
            false => Duration::from_secs(1),
        };
        match acked {
            true => world.ack(1),
            false => drop(world.wait()),
        }
        assert_eq!(world.ops(), ["bye"]);
        world.closed();
        assert_eq!(world.now, expected);
        assert_eq!(world.failure().0, Kind::Signal(15));
        assert_eq!(world.client.unacknowledged(), usize::from(!acked));
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut world = World::welcomed(config());
    world.line("hi");
    world.signal(Signal::Interrupt);
    world.signal(Signal::Interrupt);
    assert_eq!(world.failure().0, Kind::Signal(2));
}

#[test]
fn a_farewell_that_does_not_come_through_is_given_up() {
    let mut world = World::welcomed(config());
    world.signal(Signal::Interrupt);
    assert!(world.closing && !world.exited);
    world.wait();
    assert_eq!(world.now, Duration::from_secs(1));
    assert_eq!(world.failure().0, Kind::Signal(2));
}

#[test]
fn quit_says_its_words_after_everything_else() {
    let mut world = World::welcomed(config());
    world.line("last words");
    world.line("/quit gone fishing");
    world.line("not this");
    world.ack(1);
    assert_eq!(world.ops(), ["line:last words", "line:/quit gone fishing"]);
    world.closed();
    assert!(world.result().is_ok());
}

#[test]
fn a_person_who_leaves_while_cut_off_is_told_what_was_not_delivered() {
    let mut world = World::welcomed(Config {
        interactive: true,
        retry: None,
        ..config()
    });
    world.cut();
    world.line("hi");
    world.note(Note::InputEnded);
    assert!(!world.client.has_failed(), "it is said once");
    let (kind, text) = world.failure();
    assert_eq!(kind, Kind::Other);
    assert_eq!(text, "1 line was not acknowledged by localhost:8888");
}

#[test]
fn a_closed_output_ends_it_quietly() {
    let mut world = World::welcomed(config());
    world.note(Note::OutputClosed);
    world.closed();
    assert!(world.result().is_ok());
}

#[test]
fn a_connection_that_comes_after_the_end_is_not_used() {
    let mut world = World::new(config());
    world.signal(Signal::Interrupt);
    assert!(world.exited);
    world.open();
    assert!(!world.is_connected());
}
