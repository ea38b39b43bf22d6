//! Anyone with nothing but a way to type lines.

use proptest::prelude::*;

use super::world::{Fate, World};
use crate::chat::server::RECOGNITION;
use std::time::Duration;

#[test]
fn who_only_types_is_asked_nothing_and_gets_a_guest_nick() {
    let mut world = World::new();
    let ann = world.arrives();
    assert_eq!(world.sees(ann), [""; 0], "silence may still be a program's");
    world.advance(RECOGNITION - Duration::from_millis(1));
    assert_eq!(world.sees(ann), [""; 0]);
    world.advance(Duration::from_millis(1));
    let greeting = world.sees(ann);
    assert_eq!(greeting.len(), 1);
    assert!(greeting[0].starts_with("* you are guest-1 in #lobby, nobody else is here"));
    let bob = world.nc();
    assert_eq!(world.sees(ann), ["* guest-2 joined"]);
    world.types(bob, "hello");
    assert_eq!(world.sees(ann), ["<guest-2> hello"]);
    assert_eq!(world.sees(bob), [""; 0], "own lines are not sent back");
    world.types(ann, "hello you");
    assert_eq!(world.sees(bob), ["<guest-1> hello you"]);
    world.ends(bob);
    assert_eq!(world.fate(bob), Fate::Closed);
    assert_eq!(world.sees(ann), ["* guest-2 left"]);
}

#[test]
fn the_first_words_are_said_at_once_without_waiting_for_the_silence() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.arrives();
    world.types(bob, "hi");
    assert_eq!(world.sees(ann), ["* guest-2 joined", "<guest-2> hi"]);
}

#[test]
fn who_sends_a_line_and_closes_at_once_is_heard() {
    for typed in ["hi\n", "hi"] {
        let mut world = World::new();
        let ann = world.nc();
        let bob = world.arrives();
        world.puts(bob, typed.as_bytes());
        world.ends(bob);
        assert_eq!(
            world.sees(ann),
            ["* guest-2 joined", "<guest-2> hi", "* guest-2 left"]
        );
        assert_eq!(world.fate(bob), Fate::Closed);
        assert!(world.sees(bob)[0].contains("you are guest-2"));
    }
}

#[test]
fn who_connects_and_closes_at_once_is_greeted_and_gone() {
    let mut world = World::new();
    let bob = world.arrives();
    world.ends(bob);
    assert_eq!(world.fate(bob), Fate::Closed);
    let carl = world.arrives();
    world.cuts(carl);
    world.seconds(600);
    assert_eq!(world.server.clients, 0);
    assert!(world.server.nicks.is_empty());
}

#[test]
fn both_line_ends_pass_torn_lines_are_whole_and_several_are_several() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    let carl = world.nc();
    world.all_have_read();
    world.sends(bob, b"one\r\ntwo\nth");
    world.types(carl, "between");
    world.sends(bob, b"ree\r");
    world.sends(bob, b"\n\n\r\nfour\n");
    assert_eq!(
        world.sees(ann),
        [
            "<guest-2> one",
            "<guest-2> two",
            "<guest-3> between",
            "<guest-2> three",
            "<guest-2> four",
        ]
    );
}

#[test]
fn telnet_negotiation_is_answered_and_hidden() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.arrives();
    world.sends(bob, b"\xff\xfd\x03\xff\xfb\x1f");
    world.types(bob, "he\u{e9}llo");
    assert_eq!(world.sees(ann), ["* guest-2 joined", "<guest-2> heéllo"]);
    let out = world.received(bob);
    assert!(
        out.starts_with(b"\xff\xfc\x03\xff\xfe\x1f* you are"),
        "{out:?}"
    );
}

#[test]
fn utf8_passes_and_what_is_no_text_is_made_visible() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    world.sends(bob, "żółw 🐢\n".as_bytes());
    world.sends(bob, b"\xc3\x28 \x1b]52;c;AAAA\x07 \x00 \x1b[2J\n");
    world.sends(bob, "a\u{202e}b\u{200b}c\u{85}\n".as_bytes());
    assert_eq!(
        world.sees(ann),
        [
            "<guest-2> żółw 🐢",
            r"<guest-2> \xc3( \x1b]52;c;AAAA\x07 \x00 \x1b[2J",
            r"<guest-2> a\u{202e}b\u{200b}c\x85",
        ]
    );
}

#[test]
fn a_too_long_line_is_refused_with_a_notice_and_no_piece_of_it_is_said() {
    let mut world = World::with(|config| config.limits.max_line = 10);
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    world.sends(bob, b"0123456789\r\n0123456789a\n");
    world.sends(bob, &[b'x'; 100_000]);
    world.sends(bob, b"/quit\nafter\n");
    assert_eq!(world.sees(ann), ["<guest-2> 0123456789", "<guest-2> after"]);
    let refusal = "* that line is too long: the limit is 10 bytes";
    assert_eq!(world.sees(bob), [refusal, refusal]);
}

#[test]
fn everybody_sees_the_same_order() {
    let mut world = World::new();
    let all: Vec<_> = (0..5).map(|_| world.nc()).collect();
    let watcher = world.nc();
    world.all_have_read();
    for round in 0..20 {
        for (number, &peer) in all.iter().enumerate() {
            world.puts(peer, format!("{number}:{round}\n").as_bytes());
        }
        world.run();
    }
    let order = world.sees(watcher);
    assert_eq!(order.len(), 100);
    for (number, &peer) in all.iter().enumerate() {
        let own = format!("<guest-{}>", number + 1);
        let others: Vec<_> = order.iter().filter(|l| !l.starts_with(&own)).collect();
        assert_eq!(world.sees(peer).iter().collect::<Vec<_>>(), others);
    }
}

#[test]
fn who_comes_later_is_shown_the_last_twenty_lines() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    for n in 1..=30 {
        world.types(ann, &format!("line {n}"));
    }
    world.types(ann, "/topic tea");
    let bob = world.arrives();
    world.advance(RECOGNITION);
    let seen = world.sees(bob);
    assert_eq!(seen[1], "* the topic: tea");
    assert_eq!(seen[2], "* the last lines:");
    assert_eq!(seen[3], "<ann> line 12");
    assert_eq!(seen[21], "<ann> line 30");
    assert_eq!(seen[22], "* <ann> set the topic: tea");
    assert_eq!(seen[23], "* now:");
    assert_eq!(seen.len(), 24);
}

#[test]
fn many_lines_in_one_turn_leave_in_one_write_to_each() {
    let mut world = World::new();
    let all: Vec<_> = (0..10).map(|_| world.nc()).collect();
    let watcher = world.nc();
    world.all_have_read();
    for &peer in &all {
        world.puts(peer, b"hello\n");
    }
    world.writes = 0;
    world.run();
    assert_eq!(world.sees(watcher).len(), 10);
    assert_eq!(world.writes, 11, "one for each of eleven members");
}

#[test]
fn typed_json_that_is_no_hello_is_a_line_like_others() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.arrives();
    world.types(bob, r#"{"sock": 1}"#);
    let carl = world.nc();
    world.types(carl, r#"{"sockkit":1}"#);
    let seen = world.sees(ann);
    assert!(seen.contains(&r#"<guest-2> {"sock": 1}"#.to_string()));
    assert!(seen.contains(&r#"<guest-3> {"sockkit":1}"#.to_string()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lines, commands, Telnet and junk, cut anywhere: all that anybody sees is the same.
    #[test]
    fn any_split_of_the_bytes_gives_the_same_outcome(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(b"hello\n".to_vec()),
                Just(b"two words\r\n".to_vec()),
                Just(b"/nick zoe\n".to_vec()),
                Just(b"/me waves\n".to_vec()),
                Just(b"//slash\n".to_vec()),
                Just(b"/history 3\n/who\n".to_vec()),
                Just(b"\xff\xfd\x01".to_vec()),
                Just(vec![b'x'; 150]),
                proptest::collection::vec(any::<u8>(), 0..20),
            ],
            0..12,
        ),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let input = pieces.concat();
        let outcome = |cuts: &[usize]| {
            let mut world = World::with(|config| config.limits.max_line = 100);
            let ann = world.nc();
            let bob = world.nc();
            let mut from = 0;
            for &cut in cuts.iter().chain([&input.len()]) {
                world.sends(bob, &input[from..cut.max(from)]);
                from = cut.max(from);
            }
            world.ends(bob);
            // Where answers fall between others' lines, and those to Telnet in a line, may differ; what each is
            // may not.
            let telnet = "\u{fffd}\u{fffd}\u{1}";
            let sort = |lines: Vec<String>| {
                let mut lines: Vec<_> = lines.iter().map(|l| l.replace(telnet, "")).collect();
                lines.sort();
                lines
            };
            (world.sees(ann), sort(world.sees(bob)))
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = outcome(&[]);
        prop_assert_eq!(outcome(&cuts), whole.clone());
        let each: Vec<usize> = (0..input.len()).collect();
        if input.len() < 300 {
            prop_assert_eq!(outcome(&each), whole);
        }
    }
}
