//! With a log on disk: nobody sees a line, and nobody is told that it is safe, before it is.

use super::world::{Disk, Fate, World, hello, texts};
use crate::chat::journal;
use crate::chat::room::Author;
use crate::chat::server::report::{Happening, Report};
use crate::chat::server::{Batch, Config, MAX_UNSTORED};
use crate::chat::wire::{ChatEvent, Hello, Op, encode};
use crate::core::machine::Signal;

fn durable() -> World {
    World::with(|config| config.durable = true)
}

fn acks(events: &[ChatEvent<'_>]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Ack { seq } => Some(*seq),
            _ => None,
        })
        .collect()
}

fn refusals(events: &[ChatEvent<'_>]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Refusal { seq, .. } => Some(*seq),
            _ => None,
        })
        .collect()
}

#[test]
fn a_line_is_seen_and_acknowledged_when_it_is_stored_and_not_before() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    world.all_have_read();
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.line(ann, 2, "two");
    world.types(bob, "three");
    assert_eq!(world.sees(bob), [""; 0]);
    assert_eq!(world.told(ann), []);
    let carl = world.nc();
    assert!(!world.sees(carl).iter().any(|l| l.contains("one")));
    let ids: Vec<_> = world.batches.iter().map(|batch| batch.ids).collect();
    assert_eq!(ids, [(1, 1), (2, 2), (3, 3)]);
    world.stores();
    assert_eq!(world.sees(bob), ["<ann> one"]);
    assert_eq!(acks(&world.told(ann)), [1]);
    world.stores();
    world.stores();
    // That carl came stands behind the lines that were said before.
    assert_eq!(world.sees(bob), ["<ann> two", "* guest-2 joined"]);
    let events = world.told(ann);
    assert_eq!(texts(&events), ["three"]);
    assert_eq!(acks(&events), [2]);
}

#[test]
fn what_comes_together_is_stored_together() {
    let mut world = durable();
    let peers: Vec<_> = (0..10).map(|_| world.nc()).collect();
    world.disk = Disk::Waits;
    for &peer in &peers {
        world.puts(peer, b"hello\nthere\n");
    }
    world.run();
    assert_eq!(world.batches.len(), 1);
    let Batch { ids, bytes, .. } = &world.batches[0];
    assert_eq!(*ids, (1, 20));
    assert_eq!(bytes.iter().filter(|&&b| b == b'\n').count(), 20);
}

/// What the disk's side has to know of a batch without reading it.
#[test]
fn a_batch_says_whose_its_lines_are_and_where_the_topic_is() {
    let mut world = durable();
    let ann = world.program(&hello(1, "ann"));
    let bob = world.program(&hello(2, "bob"));
    world.disk = Disk::Waits;
    let mut put = |peer, seq, text: &str| {
        let mut line = Vec::new();
        let text = text.into();
        encode(&mut line, &Op::Line { seq, text });
        world.puts(peer, &line);
    };
    put(ann, 1, "one");
    put(ann, 2, "/topic tea");
    put(bob, 1, "/topic coffee");
    put(bob, 2, "two");
    world.run();
    let batch = &world.batches[0];
    let line = |part: &[u8]| journal::read(part.trim_ascii_end()).expect("a line");
    let topic = line(&batch.bytes[batch.topic.clone().expect("a topic")]);
    assert_eq!(&*topic.text, "coffee");
    let lines = batch.bytes.split_inclusive(|&byte| byte == b'\n');
    let mut authors: Vec<Author> = lines.filter_map(|part| line(part).author).collect();
    authors.retain(|author| author.seq == 2);
    assert_eq!(batch.authors, authors, "each once, with the last number");
    // The next has only its own.
    world.line(ann, 3, "three");
    let next = &world.batches[1];
    assert_eq!((next.authors.len(), &next.topic), (1, &None));
}

#[test]
fn what_a_person_is_told_alone_does_not_wait_for_the_disk() {
    let mut world = durable();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.disk = Disk::Waits;
    world.types(ann, "one");
    world.types(bob, "/ping");
    assert_eq!(world.sees(bob), ["* pong"]);
    world.stores();
    assert_eq!(world.sees(bob), ["<ann> one"]);
}

#[test]
fn an_acknowledgement_finds_the_session_on_its_new_connection() {
    let mut world = durable();
    let ann = world.program(&hello(1, "ann"));
    world.told(ann);
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.cuts(ann);
    let ann = world.program(&Hello {
        seen: Some(0),
        ..hello(1, "ann")
    });
    assert!(matches!(
        world.told(ann)[0],
        ChatEvent::Welcome { acked: 0, .. }
    ));
    world.line(ann, 1, "one");
    world.line(ann, 2, "two");
    world.stores();
    assert_eq!(acks(&world.told(ann)), [1]);
    world.stores();
    assert_eq!(acks(&world.told(ann)), [2]);
    assert!(
        world.batches.is_empty(),
        "the line that came again was dropped"
    );
}

#[test]
fn a_line_that_cannot_be_stored_was_never_said_and_its_sender_is_told() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let carl = world.nc_called("carl");
    let ann = world.program(&hello(1, "ann"));
    world.all_have_read();
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.types(bob, "two");
    world.line(ann, 2, "/ping");
    world.line(ann, 3, "three");
    world.types(carl, "/topic tea");
    world.reports.clear();
    world.fails_to_store("no space left on device");
    let text = "not delivered: the room's log cannot be written: no space left on device";
    assert_eq!(world.sees(bob), [format!("* {text}")]);
    assert_eq!(
        world.sees(carl),
        ["* the topic is set".to_string(), format!("* {text}")]
    );
    let events = world.told(ann);
    assert_eq!(refusals(&events), [1, 3]);
    assert_eq!(acks(&events), [3]);
    assert!(events.contains(&ChatEvent::Pong));
    assert_eq!(texts(&events), [""; 0]);
    let warning =
        |h: &Happening| matches!(h, Happening::Warning { text, .. } if text.contains("#lobby"));
    assert_eq!(world.happenings().iter().filter(|h| warning(h)).count(), 1);
    // The other batches of the attempt fail with it, which is no news.
    while !world.batches.is_empty() {
        world.fails_to_store("no space left on device");
    }
    assert_eq!(world.sees(bob), [""; 0]);
    world.disk = Disk::Prompt;
    world.line(ann, 4, "four");
    world.types(bob, "/topic");
    assert_eq!(
        world.sees(bob),
        ["<ann> four", "* there is no topic; /topic TEXT sets one"]
    );
    assert!(
        world.log["#lobby"].starts_with(br#"{"id":1,"#),
        "the ids were given back"
    );
}

#[test]
fn a_refusal_waits_for_a_sender_who_was_cut_off() {
    let mut world = durable();
    let ann = world.program(&hello(1, "ann"));
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.cuts(ann);
    world.fails_to_store("broken");
    world.disk = Disk::Prompt;
    let ann = world.program(&hello(1, "ann"));
    let events = world.told(ann);
    assert!(matches!(
        events[0],
        ChatEvent::Welcome {
            acked: 0,
            resumed: true,
            ..
        }
    ));
    assert_eq!(refusals(&events), [1]);
    assert_eq!(acks(&events), [1]);
}

#[test]
fn a_member_that_changes_rooms_takes_no_unsafe_line_along() {
    let mut world = durable();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.disk = Disk::Waits;
    world.types(ann, "one");
    world.types(bob, "/join #x");
    world.fails_to_store("broken");
    world.types(bob, "/part");
    assert!(!world.sees(bob).iter().any(|line| line.contains("<ann>")));
}

#[test]
fn a_slow_disk_stops_the_reading_and_goes_on_as_it_stores() {
    let mut world = durable();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.disk = Disk::Waits;
    let flood = format!("{}\n", "x".repeat(1000));
    let mut offered = 0;
    while world.unread_input(ann) == 0 {
        world.sends(ann, flood.repeat(50).as_bytes());
        offered += 50;
        assert!(offered < 10_000);
    }
    assert!(world.server.unstored >= MAX_UNSTORED);
    assert!(world.memory() < 4 * MAX_UNSTORED);
    world.puts(ann, flood.repeat(3000).as_bytes());
    offered += 3000;
    world.run();
    let mut rounds = 0;
    while world.unread_input(ann) > 0 || !world.batches.is_empty() {
        // One batch at a time, with others always in flight.
        world.stores();
        rounds += 1;
        assert!(rounds < 10_000);
    }
    assert_eq!(world.server.unstored, 0);
    assert_eq!(world.sees(bob).len(), offered);
}

#[test]
fn after_a_crash_ids_go_on_and_lines_that_come_again_are_known() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    world.line(ann, 1, "one");
    world.types(bob, "two");
    world.types(bob, "/topic tea");
    world.disk = Disk::Waits;
    world.line(ann, 2, "lost with the crash");
    world.crash(|config| config.durable = true);
    world.disk = Disk::Prompt;
    let ann = world.program(&Hello {
        seen: Some(1),
        ..hello(1, "ann")
    });
    let events = world.told(ann);
    assert!(matches!(
        events[0],
        ChatEvent::Welcome {
            last_id: 3,
            acked: 1,
            resumed: false,
            ..
        }
    ));
    assert_eq!(texts(&events), ["two"]);
    world.line(ann, 1, "one");
    world.line(ann, 2, "lost with the crash");
    assert_eq!(acks(&world.told(ann)), [2]);
    let carl = world.nc();
    world.types(carl, "/topic");
    let topic = world.sees(carl);
    assert_eq!(topic, ["* the topic: tea"]);
    world.types(carl, "/history");
    let history = [
        "<ann> one",
        "<bob> two",
        "* <bob> set the topic: tea",
        "<ann> lost with the crash",
    ];
    assert_eq!(world.sees(carl), history);
}

#[test]
fn a_session_token_is_not_in_the_log() {
    let mut world = durable();
    let ann = world.program(&hello(0xfeed, "ann"));
    world.line(ann, 1, "one");
    let log = String::from_utf8(world.log["#lobby"].clone()).unwrap();
    assert!(
        log.contains(r#""author""#) && !log.contains("feed"),
        "{log}"
    );
}

#[test]
fn the_farewell_comes_after_the_last_lines_are_stored() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    world.all_have_read();
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.signal(Signal::Terminate);
    world.types(bob, "too late");
    assert_eq!(world.sees(bob), [""; 0]);
    assert!(!world.exited);
    world.stores();
    assert_eq!(
        world.sees(bob),
        ["<ann> one", "* the server is shutting down"]
    );
    let events = world.told(ann);
    assert_eq!(acks(&events), [1]);
    assert!(
        matches!(events.last(), Some(ChatEvent::Goodbye { .. })),
        "{events:?}"
    );
    assert!(world.exited);
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    world.disk = Disk::Waits;
    world.types(bob, "one");
    world.signal(Signal::Terminate);
    world.seconds(2);
    assert!(world.exited);
}

/// With a log and without: what was said in it is on disk or is gone, but no id means two lines.
#[test]
fn an_empty_room_makes_way_and_goes_on_where_it_was() {
    for durable in [true, false] {
        let mut world = World::with(|config| {
            config.durable = durable;
            config.max_rooms = 2;
        });
        let ann = world.nc_called("ann");
        world.types(ann, "/join #a");
        world.types(ann, "/join #b");
        let full = "* there are too many rooms";
        assert_eq!(world.sees(ann).last().unwrap(), full, "she is in one");
        world.types(ann, "/topic tea");
        world.types(ann, "one");
        world.types(ann, "/part");
        world.types(ann, "/join #b");
        assert_eq!(world.sees(ann).last().unwrap(), "* you are in #b now");
        world.types(ann, "/part");
        world.types(ann, "/join #a");
        assert_eq!(
            world.sees(ann)[1..],
            ["* you are in #a now", "* the topic: tea"]
        );
        world.types(ann, "three");
        let last = world.reports.iter().rev().find_map(|report| match report {
            Report::Said(ChatEvent::Message { id, .. }) => Some(*id),
            _ => None,
        });
        assert_eq!(last, Some(3));
    }
}

#[test]
fn a_room_with_lines_on_their_way_to_the_disk_does_not_make_way() {
    let mut world = World::with(|config| {
        config.durable = true;
        config.max_rooms = 2;
    });
    let ann = world.nc_called("ann");
    world.types(ann, "/join #a");
    world.disk = Disk::Waits;
    world.types(ann, "one");
    world.types(ann, "/part");
    world.types(ann, "/join #b");
    assert_eq!(
        world.sees(ann).last().unwrap(),
        "* there are too many rooms"
    );
    world.stores();
    world.types(ann, "/join #b");
    assert_eq!(world.sees(ann).last().unwrap(), "* you are in #b now");
}

#[test]
fn more_rooms_in_the_log_than_may_be_open_keep_nobody_out() {
    let change = |config: &mut Config| {
        config.durable = true;
        config.max_rooms = 3;
    };
    let mut world = World::with(change);
    let ann = world.nc_called("ann");
    for room in 0..10 {
        world.types(ann, &format!("/join #room{room}"));
        world.types(ann, "one");
    }
    assert_eq!(world.log.len(), 10);
    world.crash(change);
    assert_eq!(world.server.places.len(), 3);
    let ann = world.nc_called("ann");
    for room in 0..10 {
        world.types(ann, &format!("/join #room{room}"));
        world.types(ann, "two");
        let log = String::from_utf8_lossy(&world.log[&format!("#room{room}")]);
        let ids: Vec<_> = log.lines().map(|line| &line[..8]).collect();
        assert_eq!(ids, ["{\"id\":1,", "{\"id\":2,"]);
    }
}

#[test]
fn bye_after_the_last_line_does_not_lose_it() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    world.all_have_read();
    world.disk = Disk::Waits;
    world.line(ann, 1, "one");
    world.ops(ann, &Op::Bye);
    assert_eq!(world.fate(ann), Fate::Closed);
    world.stores();
    assert_eq!(world.sees(bob), ["<ann> one", "* ann left"]);
}

/// The lines were never said, but who came meanwhile is there.
#[test]
fn who_comes_while_a_lost_line_waits_is_told_of_all_the_same() {
    let mut world = durable();
    let bob = world.nc_called("bob");
    let prog = world.program(&hello(1, "prog"));
    let ann = world.nc_called("ann");
    world.seconds(5);
    world.all_have_read();
    world.disk = Disk::Waits;
    world.types(bob, "lost");
    world.types(ann, "/nick anna");
    world.sees(ann);
    assert_eq!(world.sees(bob), [""; 0]);
    world.fails_to_store("no space left on device");
    let seen = world.sees(bob);
    assert!(seen.contains(&"* ann is now anna".to_string()), "{seen:?}");
    let told = world.told(prog);
    assert!(matches!(&told[..], [ChatEvent::Renamed { .. }]), "{told:?}");
    world.types(bob, "kept");
    world.stores();
    assert_eq!(world.sees(ann).last().unwrap(), "<bob> kept");
}
