//! The end of the server.

use std::time::Duration;

use super::world::{Fate, World, hello};
use crate::chat::server::OPERATORS;
use crate::chat::wire::{ChatEvent, Reason};
use crate::core::machine::{Origin, Signal};

#[test]
fn everybody_is_told_gets_what_is_pending_and_then_it_exits() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.program(&hello(1, "bob"));
    let operator = world.operator();
    let arriving = world.arrives();
    let torn = world.arrives();
    world.sends(torn, b"{\"sock");
    world.stops_reading(ann, 5);
    world.line(bob, 1, "hello");
    world.all_have_read();
    world.signal(Signal::Terminate);
    assert!(!world.listening);
    assert!(!world.exited, "ann has still to get something");
    let told = world.told(bob);
    assert!(matches!(
        &told[..],
        [ChatEvent::Goodbye {
            reason: Reason::Shutdown,
            ..
        }]
    ));
    assert_eq!(world.sees(operator), ["* the server is shutting down"]);
    for peer in [bob, operator, arriving, torn] {
        assert_eq!(world.fate(peer), Fate::Closed);
    }
    assert_eq!(world.received(arriving), b"", "its language is not known");
    world.types(ann, "too late");
    world.reads(ann, usize::MAX);
    let out = String::from_utf8_lossy(world.received(ann)).into_owned();
    assert!(
        out.ends_with("<bob> hello\n* the server is shutting down\n"),
        "{out}"
    );
    assert!(world.exited);
    assert_eq!(world.server.ended_by(), Some(Signal::Terminate));
}

#[test]
fn it_waits_no_longer_than_it_may_for_those_who_do_not_read() {
    let mut world = World::with(|config| config.drain = Duration::from_secs(7));
    let ann = world.nc();
    world.stops_reading(ann, 0);
    world.signal(Signal::Interrupt);
    world.advance(Duration::from_millis(6900));
    assert!(!world.exited);
    world.advance(Duration::from_millis(100));
    assert!(world.exited);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut world = World::new();
    let ann = world.nc();
    world.stops_reading(ann, 0);
    world.signal(Signal::Interrupt);
    assert!(!world.exited);
    world.signal(Signal::Interrupt);
    assert!(world.exited);
}

#[test]
fn an_empty_server_exits_at_once() {
    let mut world = World::new();
    world.signal(Signal::Terminate);
    assert!(world.exited && !world.listening);
}

#[test]
fn nobody_new_comes_in_while_it_ends() {
    let mut world = World::new();
    let ann = world.nc();
    world.stops_reading(ann, 0);
    world.signal(Signal::Terminate);
    for origin in [Origin(0), OPERATORS] {
        let late = world.arrives_from("192.0.2.9", origin);
        assert_eq!(world.fate(late), Fate::Aborted);
    }
}

#[test]
fn who_is_dropped_while_it_ends_is_not_waited_for() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.stops_reading(ann, 0);
    world.stops_reading(bob, 0);
    world.signal(Signal::Terminate);
    world.cuts(ann);
    assert!(!world.exited);
    world.cuts(bob);
    assert!(world.exited);
}

#[test]
fn who_leaves_and_does_not_read_is_dropped_after_a_moment() {
    let mut world = World::new();
    let ann = world.nc();
    world.stops_reading(ann, 0);
    world.types(ann, "/quit");
    assert_eq!(world.fate(ann), Fate::Open);
    world.seconds(5);
    assert_eq!(world.fate(ann), Fate::Aborted);
    assert_eq!(world.server.clients, 0);
}
