//! What many cost together.

use std::time::Duration;

use super::world::{World, hello};
use crate::chat::server::member::Member;

#[test]
fn ten_thousand_joins_are_not_ten_thousand_times_ten_thousand_notices() {
    let mut world = World::with(|config| config.reports = false);
    let watcher = world.nc();
    world.all_have_read();
    world.written = 0;
    let step = Duration::from_micros(100);
    for _ in 0..3000 {
        let peer = world.arrives();
        world.puts(peer, b"\n");
        world.advance(step);
    }
    world.seconds(2);
    // A greeting each, and a few notices for each in the time it took.
    let each = world.written / 3000;
    assert!(each < 600, "{each} bytes for each of 3000 joins");
    let seen = world.sees(watcher);
    assert!(seen.len() < 20, "{seen:?}");
    assert!(
        seen.iter().any(|line| line.contains("more joined")),
        "{seen:?}"
    );
    let total: usize = seen.iter().map(|line| announced(line)).sum();
    assert_eq!(total, 3000, "but everybody is counted");
}

/// How many a notice is about.
fn announced(line: &str) -> usize {
    let names = line
        .strip_prefix("* ")
        .unwrap()
        .strip_suffix(" joined")
        .unwrap();
    names
        .replace(" and ", ", ")
        .split(", ")
        .map(|name| match name.strip_suffix(" more") {
            Some(count) => count.parse().unwrap(),
            None => 1,
        })
        .sum()
}

#[test]
fn many_who_leave_at_once_are_told_together() {
    let mut world = World::new();
    let watcher = world.nc();
    let all: Vec<_> = (0..200).map(|_| world.nc()).collect();
    world.seconds(2);
    world.all_have_read();
    for peer in all {
        world.ends(peer);
    }
    world.seconds(2);
    let seen = world.sees(watcher);
    assert!(seen.len() <= 10, "{seen:?}");
    assert!(seen.last().unwrap().ends_with("more left"), "{seen:?}");
}

#[test]
fn nobody_is_told_of_himself_alone() {
    let mut world = World::new();
    for _ in 0..70 {
        world.nc();
    }
    world.seconds(5);
    world.all_have_read();
    let first = world.nc();
    let second = world.nc();
    world.seconds(2);
    assert_eq!(world.sees(second), [""; 0]);
    assert_eq!(world.sees(first), ["* guest-72 joined"]);
}

#[test]
fn an_idle_member_is_small_and_leaves_nothing_pending() {
    let size = size_of::<Member>();
    assert!(size <= 512, "{size} bytes for a member");
    let mut world = World::new();
    let ann = world.nc_called("ann");
    for _ in 0..100 {
        world.nc();
    }
    world.types(ann, "hello");
    world.all_have_read();
    assert!(world.memory() < 64 * 1024, "{}", world.memory());
    for member in world.server.members.iter().flatten() {
        assert_eq!(member.outbox.own_bytes(), 0);
        assert_eq!(member.input.waiting(), 0);
    }
}

#[test]
fn a_room_that_all_left_keeps_no_encoded_lines() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.program(&hello(1, "bob"));
    for n in 0..100 {
        world.types(ann, &format!("{n}"));
    }
    world.ends(ann);
    world.cuts(bob);
    world.seconds(20);
    assert_eq!(world.memory(), 0);
}

#[test]
fn connections_come_and_go_without_a_trace() {
    let mut world = World::with(|config| {
        config.reports = false;
        config.limits.idle_timeout = Some(Duration::from_secs(300));
    });
    for round in 0..300_u64 {
        let ann = world.nc_called("ann");
        world.types(ann, "/ignore bob");
        world.types(ann, &format!("/join #room{}", round % 7));
        let bob = world.program(&hello(round, "bob"));
        world.types(ann, "hello");
        if round % 2 == 0 {
            world.ends(ann);
            world.cuts(bob);
        } else {
            world.cuts(ann);
            world.ends(bob);
        }
        world.seconds(15);
    }
    world.seconds(700);
    let server = &world.server;
    assert_eq!(
        (server.clients, server.refused, server.operators),
        (0, 0, 0)
    );
    assert!(server.members.iter().all(Option::is_none));
    assert!(server.per_ip.is_empty());
    assert!(server.nicks.is_empty());
    assert!(server.ignored_by.is_empty());
    assert!(server.held.is_empty());
    assert_eq!(server.timers.next(), None);
}
