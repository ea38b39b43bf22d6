//! Our own client's mode: hello, numbers, acknowledgements, sessions that come back.

use std::time::Duration;

use super::world::{EPOCH_MICROS, Fate, Peer, World, hello, session, texts};
use crate::chat::server::{HANDSHAKE, RECOGNITION};
use crate::chat::wire::{ChatEvent, HELLO_PREFIX, Hello, Op, Reason, encode};

fn reason(events: &[ChatEvent<'_>]) -> Option<Reason> {
    match events.last() {
        Some(ChatEvent::Goodbye { reason, .. }) => Some(*reason),
        _ => None,
    }
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

fn ids(events: &[ChatEvent<'_>]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Message { id, .. } | ChatEvent::Action { id, .. } => Some(*id),
            _ => None,
        })
        .collect()
}

fn welcome(events: &[ChatEvent<'_>]) -> (String, String, u64, u64, bool) {
    match &events[0] {
        ChatEvent::Welcome {
            nick,
            room,
            last_id,
            acked,
            resumed,
            ..
        } => (
            nick.to_string(),
            room.to_string(),
            *last_id,
            *acked,
            *resumed,
        ),
        other => panic!("no welcome but {other:?}"),
    }
}

fn joined(world: &mut World, number: u64, nick: &str) -> Peer {
    let peer = world.program(&hello(number, nick));
    world.all_have_read();
    peer
}

#[test]
fn a_hello_is_welcomed_and_each_line_has_its_id_its_time_and_its_acknowledgement() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    let events = world.told(ann);
    let expected = ("ann".into(), "#lobby".into(), 0, 0, false);
    assert_eq!(welcome(&events), expected);
    let nicks = vec!["bob".into()];
    let room = "#lobby".into();
    assert_eq!(events[1], ChatEvent::Members { room, nicks });
    assert_eq!(events.len(), 2);
    assert_eq!(world.sees(bob), ["* ann joined"]);

    world.advance(Duration::from_micros(7));
    let at = EPOCH_MICROS + world.now.as_micros() as i64;
    world.types(bob, "hi ann");
    world.line(ann, 1, "hi bob");
    world.types(bob, "/me nods");
    assert_eq!(world.sees(bob), ["<ann> hi bob"]);
    let events = world.told(ann);
    assert_eq!(ids(&events), [1, 3], "ids grow by one, and 2 is its own");
    assert_eq!(acks(&events), [1]);
    let ChatEvent::Message { time, .. } = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(time.unix_micros(), at);
}

#[test]
fn several_lines_of_one_turn_get_one_acknowledgement() {
    let mut world = World::new();
    let ann = joined(&mut world, 1, "ann");
    let mut bytes = Vec::new();
    for seq in 1..=10 {
        let text = "x".into();
        encode(&mut bytes, &Op::Line { seq, text });
    }
    world.sends(ann, &bytes);
    assert_eq!(acks(&world.told(ann)), [10]);
}

#[test]
fn a_line_that_comes_again_is_dropped_and_acknowledged() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    for seq in [1, 2, 1, 2, 3] {
        world.line(ann, seq, &format!("line {seq}"));
    }
    world.cuts(ann);
    let ann = world.program(&Hello {
        seen: Some(0),
        ..hello(1, "ann")
    });
    let (_, _, last_id, acked, resumed) = welcome(&world.told(ann));
    assert_eq!((last_id, acked, resumed), (3, 3, true));
    world.line(ann, 3, "line 3");
    world.line(ann, 4, "line 4");
    let lines = [
        "<ann> line 1",
        "<ann> line 2",
        "<ann> line 3",
        "<ann> line 4",
    ];
    assert_eq!(world.sees(bob), lines);
    assert_eq!(acks(&world.told(ann)), [4]);
}

#[test]
fn who_comes_back_gets_what_came_after_the_last_seen_line_without_its_own() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.types(bob, "one");
    world.line(ann, 1, "own");
    world.cuts(ann);
    world.types(bob, "two");
    world.types(bob, "/topic three");
    world.types(bob, "/msg ann psst");
    assert!(world.sees(bob).last().unwrap().contains("cut off"));
    let ann = world.program(&Hello {
        seen: Some(1),
        ..hello(1, "other")
    });
    let events = world.told(ann);
    assert_eq!(welcome(&events).0, "ann", "it comes back under its name");
    assert_eq!(texts(&events), ["two"]);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, ChatEvent::Topic { id: 4, .. }))
    );
    let private = |e: &ChatEvent<'_>| matches!(e, ChatEvent::Private { number: 1, text, .. } if text == "psst");
    assert_eq!(events.iter().filter(|e| private(e)).count(), 1);
    assert_eq!(world.sees(bob), [""; 0], "nobody noticed that it was away");

    // It did not say that it saw the private line, so it gets it again; once it says so, no more.
    world.cuts(ann);
    let ann = world.program(&Hello {
        seen: Some(4),
        ..hello(1, "ann")
    });
    assert!(world.told(ann).iter().any(private));
    world.cuts(ann);
    let ann = world.program(&Hello {
        seen: Some(4),
        private: 1,
        ..hello(1, "ann")
    });
    assert!(!world.told(ann).iter().any(private));
}

#[test]
fn lines_that_are_kept_no_more_are_counted() {
    let mut world = World::with(|config| config.memory.lines = 5);
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.cuts(ann);
    for n in 1..=12 {
        world.types(bob, &format!("{n}"));
    }
    let ann = world.program(&Hello {
        seen: Some(2),
        ..hello(1, "ann")
    });
    let events = world.told(ann);
    let (room, missing) = ("#lobby".into(), 5);
    assert!(events.contains(&ChatEvent::Gap { room, missing }));
    assert_eq!(ids(&events), [8, 9, 10, 11, 12]);
}

#[test]
fn a_first_join_shows_as_much_history_as_it_asks_for() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    for n in 1..=9 {
        world.types(bob, &format!("{n}"));
    }
    for (history, expected) in [(0, vec![]), (3, vec![7, 8, 9]), (99, (1..=9).collect())] {
        let ann = world.program(&Hello {
            history,
            ..hello(u64::from(history), &format!("ann{history}"))
        });
        assert_eq!(ids(&world.told(ann)), expected);
    }
}

/// However much was missed, and however small the send queue is, and however slowly it is read.
#[test]
fn a_long_absence_comes_in_portions_and_complete_while_others_talk() {
    let mut world = World::with(|config| {
        config.limits.send_queue = 100_000;
        config.memory.lines = 10_000;
    });
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.cuts(ann);
    let long = "x".repeat(1000);
    for n in 1..=2000 {
        world.types(bob, &format!("{n} {long}"));
    }
    let before = world.memory();
    let ann = world.program(&Hello {
        seen: Some(0),
        ..hello(2, "eve")
    });
    world.cuts(ann);
    let ann = world.arrives();
    world.stops_reading(ann, 1000);
    let mut line = Vec::new();
    let seen = Some(0);
    encode(
        &mut line,
        &Hello {
            seen,
            ..hello(1, "ann")
        },
    );
    world.sends(ann, &line);
    let mut said = 2000;
    while world
        .server
        .members
        .iter()
        .flatten()
        .any(|m| m.catching_up.is_some())
    {
        world.reads(ann, 10_000);
        if said < 2500 {
            said += 1;
            world.types(bob, &format!("{said} {long}"));
        }
        let more = world.memory() - before;
        assert!(more < 300_000, "{more} bytes for one who comes back");
    }
    world.reads(ann, usize::MAX);
    said += 1;
    world.types(bob, &format!("{said} {long}"));
    assert_eq!(world.fate(ann), Fate::Open);
    let events = world.told(ann);
    assert_eq!(ids(&events), (1..=said).collect::<Vec<_>>());
    let members = |e: &&ChatEvent<'_>| matches!(e, ChatEvent::Members { .. });
    assert_eq!(
        events.iter().filter(members).count(),
        2,
        "who is there is told again"
    );
}

#[test]
fn history_is_given_by_id() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    for n in 1..=9 {
        world.types(bob, &format!("{n}"));
    }
    world.all_have_read();
    world.ops(ann, &Op::History { after: 3, limit: 4 });
    let events = world.told(ann);
    assert_eq!(ids(&events), [4, 5, 6, 7]);
    assert!(matches!(events.last(), Some(ChatEvent::HistoryEnd { .. })));
}

#[test]
fn a_replaced_connection_is_told_and_its_session_goes_on() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.all_have_read();
    let again = world.program(&Hello {
        seen: Some(0),
        ..hello(1, "ann")
    });
    assert_eq!(reason(&world.told(ann)), Some(Reason::Replaced));
    assert_eq!(world.fate(ann), Fate::Closed);
    world.types(bob, "hi");
    let events = world.told(again);
    assert!(welcome(&events).4);
    assert_eq!(texts(&events), ["hi"]);
    assert_eq!(world.sees(bob), [""; 0]);
    assert_eq!(world.server.clients, 2);
}

/// The half-closed ghost must not take the session along when it goes.
#[test]
fn a_ghost_that_goes_late_leaves_the_new_connection_alone() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.stops_reading(ann, 3);
    world.types(bob, "one");
    world.ends(ann);
    assert_eq!(world.fate(ann), Fate::Open, "it is still owed a line");
    let again = world.program(&Hello {
        seen: Some(0),
        ..hello(1, "ann")
    });
    world.seconds(600);
    assert_eq!(world.fate(ann), Fate::Aborted);
    world.types(bob, "two");
    assert_eq!(texts(&world.told(again)), ["one", "two"]);
    assert_eq!(world.sees(bob), [""; 0]);
}

#[test]
fn unknown_fields_and_ops_are_ignored() {
    let mut world = World::new();
    let ann = world.arrives();
    let token = session(1);
    world.types(
        ann,
        &format!(r#"{{"sockkit":1,"mood":"good","session":"{token}","nick":"ann"}}"#),
    );
    world.types(ann, r#"{"op":"dance","tempo":3}"#);
    world.types(ann, r#"{"op":"line","seq":1,"text":"hi","colour":"red"}"#);
    let events = world.told(ann);
    assert_eq!(welcome(&events).0, "ann");
    assert_eq!(acks(&events), [1]);
}

#[test]
fn versions_meet_at_the_lower_one() {
    let mut world = World::new();
    let newer = world.program(&Hello {
        sockkit: 7,
        ..hello(1, "ann")
    });
    assert!(matches!(
        world.told(newer)[0],
        ChatEvent::Welcome { version: 1, .. }
    ));
    let older = world.program(&Hello {
        sockkit: 0,
        ..hello(2, "bob")
    });
    assert_eq!(reason(&world.told(older)), Some(Reason::Version));
}

#[test]
fn a_bad_hello_is_answered_in_its_own_language_and_the_connection_ends() {
    let cases = [
        (r#"{"sockkit":1}"#.to_string(), Reason::BadHello),
        (r#"{"sockkit":1,"#.to_string(), Reason::BadHello),
        (
            r#"{"sockkit":1,"session":"short"}"#.to_string(),
            Reason::BadHello,
        ),
        (
            format!(r#"{{"sockkit":1,"session":"{}","nick":"*"}}"#, session(1)),
            Reason::Nick,
        ),
        (
            format!(r#"{{"sockkit":1,"session":"{}","nick":"bob"}}"#, session(1)),
            Reason::Nick,
        ),
        (
            format!(r#"{{"sockkit":1,"session":"{}","room":"x"}}"#, session(1)),
            Reason::Room,
        ),
        (
            format!(r#"{{"sockkit":{}"#, "1".repeat(100_000)),
            Reason::BadHello,
        ),
    ];
    let mut world = World::new();
    world.nc_called("bob");
    for (line, why) in cases {
        let ann = world.arrives();
        world.types(ann, &line);
        assert_eq!(reason(&world.told(ann)), Some(why), "{line:.60}");
        assert_eq!(world.fate(ann), Fate::Closed);
    }
    assert_eq!(world.server.clients, 1);
    assert_eq!(world.server.nicks.len(), 1);
}

#[test]
fn a_line_that_is_no_op_ends_the_connection() {
    let mut world = World::new();
    let ann = joined(&mut world, 1, "ann");
    world.types(ann, "hello?");
    assert_eq!(reason(&world.told(ann)), Some(Reason::BadHello));
    assert_eq!(world.fate(ann), Fate::Closed);
}

#[test]
fn a_hello_torn_byte_by_byte_is_a_hello_however_slow_within_the_time() {
    let mut world = World::new();
    let mut line = Vec::new();
    encode(&mut line, &hello(1, "ann"));
    let ann = world.arrives();
    let pause = (HANDSHAKE - Duration::from_millis(100)) / line.len() as u32;
    for byte in line {
        world.sends(ann, &[byte]);
        world.advance(pause);
    }
    assert_eq!(welcome(&world.told(ann)).0, "ann");
}

#[test]
fn every_prefix_that_turns_out_to_be_typing_is_a_line() {
    for end in 1..HELLO_PREFIX.len() {
        let mut world = World::new();
        let ann = world.nc();
        let bob = world.arrives();
        world.sends(bob, &HELLO_PREFIX[..end]);
        world.seconds(3);
        world.sends(bob, b"?\n");
        let text = String::from_utf8_lossy(&HELLO_PREFIX[..end]).into_owned();
        assert_eq!(world.sees(ann)[1], format!("<guest-2> {text}?"));
    }
}

/// The packet with the hello was lost, and came when silence had been taken for a person's.
#[test]
fn a_late_hello_is_no_line_and_its_secrets_are_not_said() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = world.nc();
    let mut bytes = Vec::new();
    encode(&mut bytes, &hello(1, "ann"));
    let (seq, text) = (1, "hi".into());
    encode(&mut bytes, &Op::Line { seq, text });
    world.sends(ann, &bytes);
    let events = world.told(ann);
    assert_eq!(welcome(&events).0, "ann");
    assert_eq!(acks(&events), [1]);
    assert_eq!(
        world.sees(bob),
        [
            "* guest-2 joined",
            "* guest-2 left",
            "* ann joined",
            "<ann> hi"
        ]
    );
    assert_eq!(world.server.nicks.len(), 2);
}

#[test]
fn an_unfinished_hello_is_put_out_in_time() {
    let mut world = World::new();
    let ann = world.arrives();
    world.sends(ann, HELLO_PREFIX);
    world.advance(HANDSHAKE - Duration::from_millis(1));
    assert_eq!(world.fate(ann), Fate::Open);
    world.advance(Duration::from_millis(1));
    assert_eq!(reason(&world.told(ann)), Some(Reason::Idle));
    assert_eq!(world.fate(ann), Fate::Closed);
    let bob = world.arrives();
    world.advance(RECOGNITION / 2);
    world.sends(bob, HELLO_PREFIX);
    world.ends(bob);
    assert_eq!(reason(&world.told(bob)), Some(Reason::BadHello));
}

#[test]
fn a_bad_line_is_refused_counts_as_acknowledged_and_the_refusal_outlives_a_cut() {
    let mut world = World::with(|config| config.limits.max_line = 10);
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.line(ann, 1, "fits");
    world.told(ann);
    world.line(ann, 2, "does not fit");
    world.line(ann, 3, "two\nlines");
    world.line(ann, 4, "fits");
    let events = world.told(ann);
    let refused = |events: &[ChatEvent<'_>]| -> Vec<u64> {
        (events.iter())
            .filter_map(|event| match event {
                ChatEvent::Refusal { seq, .. } => Some(*seq),
                _ => None,
            })
            .collect()
    };
    assert_eq!(refused(&events), [2, 3]);
    assert_eq!(acks(&events), [2, 3, 4]);
    assert_eq!(world.sees(bob), ["<ann> fits", "<ann> fits"]);
    // Whether they arrived is not known, so they come again before anything acknowledges them.
    world.cuts(ann);
    let ann = world.program(&hello(1, "ann"));
    let events = world.told(ann);
    assert_eq!(welcome(&events).3, 1);
    assert_eq!(refused(&events), [2, 3]);
    assert_eq!(acks(&events), [4]);
}

#[test]
fn a_session_stays_in_the_room_it_went_to_even_if_its_client_never_heard_so() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.types(bob, "two lines");
    world.types(bob, "in the lobby");
    world.types(bob, "/join #tea");
    world.types(bob, "old");
    world.stops_reading(ann, 0);
    world.line(ann, 1, "/join #tea");
    world.types(bob, "new");
    world.cuts(ann);
    let ann = world.program(&Hello {
        room: Some("#lobby".into()),
        seen: Some(2),
        ..hello(1, "ann")
    });
    world.line(ann, 1, "/join #tea");
    world.line(ann, 2, "is it for tea?");
    let events = world.told(ann);
    assert_eq!(welcome(&events).1, "#tea");
    assert_eq!(texts(&events), ["old", "new"]);
    assert_eq!(world.sees(bob).last().unwrap(), "<ann> is it for tea?");
}

#[test]
fn a_change_of_room_tells_where_before_what() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    world.types(bob, "/join #tea");
    for n in 1..=25 {
        world.types(bob, &format!("{n}"));
    }
    let ann = joined(&mut world, 1, "ann");
    world.line(ann, 1, "/join #tea");
    world.types(bob, "26");
    let events = world.told(ann);
    let (nick, room, last_id) = ("ann".into(), "#tea".into(), 5);
    assert_eq!(
        events[0],
        ChatEvent::You {
            nick,
            room,
            last_id
        }
    );
    assert_eq!(ids(&events), (6..=26).collect::<Vec<_>>());
    assert!(
        events
            .iter()
            .any(|e| matches!(e, ChatEvent::Members { nicks, .. } if nicks == &["bob"]))
    );
    assert_eq!(acks(&events), [1]);
}

#[test]
fn others_hear_of_a_cut_after_a_grace_and_of_a_bye_at_once() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.cuts(ann);
    world.seconds(9);
    assert_eq!(world.sees(bob), [""; 0]);
    world.seconds(2);
    assert_eq!(world.sees(bob), ["* ann left"]);
    let ann = world.program(&hello(1, "ann"));
    assert!(welcome(&world.told(ann)).4);
    assert_eq!(world.sees(bob), ["* ann joined"]);
    world.ops(ann, &Op::Bye);
    assert_eq!(world.sees(bob), ["* ann left"]);
    assert_eq!(world.fate(ann), Fate::Closed);
    assert!(world.server.nicks.len() == 1, "its nick is free");
}

#[test]
fn a_ghost_keeps_its_nick_only_until_the_others_know_that_it_is_gone() {
    let mut world = World::new();
    let ann = joined(&mut world, 1, "ann");
    world.cuts(ann);
    let other = world.program(&hello(2, "ann"));
    assert_eq!(reason(&world.told(other)), Some(Reason::Nick));
    world.seconds(11);
    let other = world.program(&hello(2, "ann"));
    assert_eq!(welcome(&world.told(other)).0, "ann");
    let back = world.program(&hello(1, "ann"));
    let (nick, .., resumed) = welcome(&world.told(back));
    assert!(nick.starts_with("guest-") && resumed, "{nick}");
}

#[test]
fn a_session_that_nobody_comes_back_for_is_forgotten_with_its_nick() {
    let mut world = World::new();
    let ann = joined(&mut world, 1, "ann");
    world.line(ann, 1, "hi");
    world.cuts(ann);
    world.seconds(301);
    assert!(world.server.nicks.is_empty());
    let ann = world.program(&Hello {
        seen: Some(1),
        ..hello(1, "ann")
    });
    let (_, _, _, acked, resumed) = welcome(&world.told(ann));
    assert_eq!(
        (acked, resumed),
        (1, false),
        "but what it said is not taken again"
    );
}

#[test]
fn what_was_ignored_stays_ignored_after_a_cut() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.line(ann, 1, "/ignore bob");
    world.cuts(ann);
    world.types(bob, "noise");
    let ann = world.program(&Hello {
        seen: Some(0),
        ..hello(1, "ann")
    });
    world.types(bob, "noise");
    assert_eq!(texts(&world.told(ann)), [""; 0]);
    world.line(ann, 2, "/ignore bob");
    world.types(bob, "sorry");
    assert_eq!(texts(&world.told(ann)), ["sorry"]);
}

#[test]
fn ping_is_answered() {
    let mut world = World::new();
    let ann = joined(&mut world, 1, "ann");
    world.ops(ann, &Op::Ping);
    assert_eq!(world.told(ann), [ChatEvent::Pong]);
}

/// Ids of another life of the server: a log that was deleted, or none.
#[test]
fn a_seen_id_beyond_the_last_is_of_another_life() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    world.types(bob, "one");
    let ann = world.program(&Hello {
        seen: Some(500),
        history: 10,
        ..hello(1, "ann")
    });
    assert_eq!(texts(&world.told(ann)), ["one"]);
}

#[test]
fn texts_of_programs_are_as_clean_as_those_of_persons() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    let ann = joined(&mut world, 1, "ann");
    world.line(ann, 1, "\u{1b}]52;c;AAAA\u{7}\u{202e}x\u{0}");
    assert_eq!(world.sees(bob), [r"<ann> \x1b]52;c;AAAA\x07\u{202e}x\x00"]);
}

#[test]
fn ids_of_another_life_of_the_server_hide_nothing() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    for number in 0..3 {
        world.types(ann, &format!("line {number}"));
    }
    let came_back = |world: &mut World, number: u64, epoch: Option<u64>| {
        let peer = world.program(&Hello {
            seen: Some(2),
            epoch,
            history: 10,
            ..hello(number, &format!("client{number}"))
        });
        ids(&world.told(peer))
    };
    assert_eq!(came_back(&mut world, 1, Some(1)), [3], "the same life");
    assert_eq!(
        came_back(&mut world, 2, None),
        [3],
        "a client that knows no epochs"
    );
    assert_eq!(came_back(&mut world, 3, Some(7)), [1, 2, 3], "another life");
}

/// A room that had to make way and was made again is not the one in which the client saw its last line.
#[test]
fn who_comes_back_into_a_room_that_was_made_again_misses_no_line_of_it() {
    let mut world = World::with(|config| config.max_rooms = 2);
    let bob = world.nc_called("bob");
    let in_x = |seen| Hello {
        room: Some("#x".to_string()),
        seen,
        epoch: Some(1),
        ..hello(1, "ann")
    };
    let ann = world.program(&in_x(None));
    world.types(bob, "/join #x");
    for text in ["one", "two", "three"] {
        world.types(bob, text);
    }
    assert_eq!(texts(&world.told(ann)), ["one", "two", "three"]);
    world.types(bob, "/part");
    world.cuts(ann);
    for room in ["#y", "#lobby", "#x"] {
        world.types(bob, &format!("/join {room}"));
    }
    for text in ["four", "five", "six", "seven"] {
        world.types(bob, text);
    }
    let ann = world.program(&in_x(Some(3)));
    assert_eq!(texts(&world.told(ann)), ["four", "five", "six", "seven"]);
}

#[test]
fn whose_room_had_to_make_way_comes_back_into_the_lobby_with_all_that_is_its_own() {
    let mut world = World::with(|config| config.max_rooms = 3);
    let to_x = Hello {
        room: Some("#x".to_string()),
        ..hello(1, "ann")
    };
    let (ann, bob) = (world.program(&to_x), world.nc_called("bob"));
    world.cuts(ann);
    world.types(bob, "/msg ann for you");
    for (name, room) in [("carl", "#y"), ("dora", "#z")] {
        let filler = world.nc_called(name);
        world.types(filler, &format!("/join {room}"));
    }
    let ann = world.program(&to_x);
    let told = world.told(ann);
    let ChatEvent::Welcome { room, resumed, .. } = &told[0] else {
        panic!("{told:?}");
    };
    assert_eq!((&room[..], *resumed), ("#lobby", true));
    let is_private =
        |event: &ChatEvent| matches!(event, ChatEvent::Private { text, .. } if text == "for you");
    assert!(told.iter().any(is_private), "{told:?}");
}
