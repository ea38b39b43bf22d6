//! What a script waits for.

use std::time::Duration;

use super::world::{World, config, said};
use crate::chat::client::machine::{Config, Goal, Note, Shown};
use crate::error::Kind;

fn waiting(expect: Option<&str>, count: Option<u64>) -> Config {
    Config {
        goal: Goal {
            expect: expect.map(|text| regex::Regex::new(text).expect("a regex")),
            count,
            ..Goal::default()
        },
        ..config()
    }
}

#[test]
fn what_matches_is_given_out_and_ends_the_wait() {
    let mut world = World::welcomed(waiting(Some("v[0-9.]+"), None));
    world.note(Note::InputEnded);
    world.message(1, "bob", "deploying");
    world.message(2, "ann", "our own v0");
    assert!(!world.closing, "the end of the input is not the end");
    world.message(3, "bob", "done: v1.2!");
    assert!(world.closing);
    world.message(4, "bob", "v9");
    let matched: Vec<_> = world
        .shown
        .iter()
        .filter_map(|shown| match shown {
            Shown::Said { matched, .. } => matched.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(matched, ["v1.2"]);
    world.closed();
    assert!(world.result().is_ok());
}

#[test]
fn so_many_are_counted_and_not_one_more_though_they_come_together() {
    let mut world = World::welcomed(waiting(None, Some(2)));
    let three: Vec<String> = (1..=3)
        .map(|id| super::world::message(id, "bob", &id.to_string()))
        .collect();
    world.says(&three.join("\n"));
    assert_eq!(world.said(), ["1", "2"]);
    world.closed();
    assert!(world.result().is_ok());
}

#[test]
fn a_satisfied_script_still_waits_for_its_own_line() {
    let mut world = World::welcomed(waiting(None, Some(1)));
    world.line("question");
    let both = format!(
        "{}\n{}",
        super::world::message(1, "bob", "answer"),
        r#"{"event":"ack","seq":1}"#
    );
    world.message(1, "bob", "answer");
    assert!(!world.closing);
    world.says(&both);
    assert!(world.closing);
    world.closed();
    assert!(world.result().is_ok());
}

#[test]
fn what_was_said_before_counts_only_if_it_was_asked_for() {
    for earlier in [false, true] {
        let mut config = waiting(Some("x"), None);
        config.goal.earlier = earlier;
        config.history = 10;
        let mut world = World::new(config);
        world.open();
        world.welcome(1, 0, false);
        world.message(1, "bob", "x");
        assert_eq!(world.closing, earlier);
    }
}

#[test]
fn what_was_said_during_a_cut_counts() {
    let mut world = World::welcomed(waiting(Some("x"), None));
    world.note(Note::InputEnded);
    world.cut();
    world.wait();
    world.open();
    world.welcome(1, 0, true);
    world.message(1, "bob", "x");
    assert!(world.closing);
}

#[test]
fn time_runs_out_with_status_4_and_a_farewell() {
    let mut world = World::welcomed(Config {
        timeout: Some(Duration::from_secs(5)),
        ..waiting(Some("x"), None)
    });
    world.wait();
    assert_eq!(world.ops(), ["bye"]);
    world.closed();
    assert_eq!(
        world.failure(),
        (Kind::TimedOut, "not done within 5s".into())
    );
    assert_eq!(world.now, Duration::from_secs(5));
}

#[test]
fn following_goes_on_after_the_end_of_the_input() {
    let mut world = World::welcomed(Config {
        goal: Goal {
            follow: true,
            ..Goal::default()
        },
        ..config()
    });
    world.note(Note::InputEnded);
    world.message(1, "bob", "still here");
    assert!(!world.closing);
    assert_eq!(world.shown.iter().filter_map(said).count(), 1);
    world.line("/quit");
    assert!(!world.closing, "what was said so far is shown first");
    world.says(r#"{"event":"pong"}"#);
    assert!(world.closing);
}
