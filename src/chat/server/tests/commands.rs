//! Every command, as a person types it.

use super::world::{Fate, World};
use crate::chat::server::report::Happening;

#[test]
fn a_nick_is_unique_by_fold_and_by_look_and_the_old_one_is_free_again() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    world.types(ann, "/nick Ann");
    assert_eq!(world.sees(ann), ["* you are Ann now"]);
    assert_eq!(world.sees(bob), ["* guest-1 is now Ann"]);
    for alike in ["ann", "ANN", "\u{430}nn"] {
        world.types(bob, &format!("/nick {alike}"));
        let seen = world.sees(bob);
        assert_eq!(seen.len(), 1);
        let refused = seen[0].contains("taken") || seen[0].contains("mixes writing systems");
        assert!(refused, "{seen:?}");
    }
    world.types(ann, "/nick ann");
    assert_eq!(
        world.sees(ann),
        ["* you are ann now"],
        "one's own may change its case"
    );
    world.types(ann, "/nick ann");
    assert_eq!(world.sees(ann), ["* you are ann already"]);
    world.types(ann, "/nick zoe");
    world.types(bob, "/nick ANN");
    assert_eq!(world.sees(bob).last().unwrap(), "* you are ANN now");
    world.ends(ann);
    world.types(bob, "/nick Zoe");
    assert_eq!(world.sees(bob).last().unwrap(), "* you are Zoe now");
}

#[test]
fn no_nick_looks_like_a_notice_or_hides_something() {
    let mut world = World::new();
    let ann = world.nc();
    for bad in [
        "*",
        "<bob>",
        "[bob]",
        "server",
        "a\u{200b}b",
        "x\x1b[2J",
        "\u{202e}bob",
    ] {
        world.types(ann, &format!("/nick {bad}"));
        let seen = world.sees(ann);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].starts_with("* the nick "), "{seen:?}");
        assert!(seen[0].chars().all(|c| !c.is_control() && c != '\u{202e}'));
    }
}

#[test]
fn rooms_are_made_by_joining_and_have_lines_of_their_own() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.types(ann, "in the lobby");
    world.types(ann, "/join #tea");
    assert_eq!(world.sees(ann), ["* you are in #tea now"]);
    assert_eq!(world.sees(bob), ["<ann> in the lobby", "* ann left"]);
    world.types(ann, "tea?");
    assert_eq!(world.sees(bob), [""; 0]);
    world.types(bob, "/rooms");
    assert_eq!(world.sees(bob), ["*     1  #lobby", "*     1  #tea"]);
    world.types(bob, "/join #TEA");
    assert_eq!(
        world.sees(bob),
        [
            "* you are in #tea now",
            "* the last line:",
            "<ann> tea?",
            "* now:"
        ]
    );
    assert_eq!(world.sees(ann), ["* bob joined"]);
    world.types(bob, "/join #tea");
    assert_eq!(world.sees(bob), ["* you are in #tea already"]);
    world.types(bob, "/join tea");
    assert_eq!(
        world.sees(bob),
        ["* the room's name does not begin with #: tea"]
    );
    world.types(bob, "/part");
    assert_eq!(world.sees(bob)[0], "* you are in #lobby now");
    assert_eq!(world.sees(ann), ["* bob left"]);
}

#[test]
fn a_pending_line_of_the_old_room_goes_along() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.stops_reading(ann, 9);
    world.types(bob, "one line");
    world.types(bob, "another");
    world.types(ann, "/join #x");
    world.types(bob, "too late");
    world.reads(ann, usize::MAX);
    assert_eq!(
        world.sees(ann),
        ["<bob> one line", "<bob> another", "* you are in #x now"]
    );
}

#[test]
fn there_are_only_so_many_rooms_and_empty_ones_make_way() {
    let mut world = World::with(|config| config.max_rooms = 3);
    let peers: Vec<_> = (0..3).map(|_| world.nc()).collect();
    world.types(peers[0], "/join #a");
    world.types(peers[1], "/join #b");
    world.all_have_read();
    world.types(peers[2], "/join #c");
    assert_eq!(
        world.sees(peers[2]).last().unwrap(),
        "* there are too many rooms"
    );
    world.types(peers[1], "/part");
    world.types(peers[2], "/join #c");
    assert_eq!(world.sees(peers[2]).last().unwrap(), "* you are in #c now");
}

#[test]
fn who_lists_who_is_here() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    world.nc_called("bob");
    world.types(ann, "/who");
    assert_eq!(world.sees(ann), ["* 2 in #lobby: ann, bob"]);
}

#[test]
fn a_private_line_reaches_one_person_in_whatever_room() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    let carl = world.nc_called("carl");
    world.types(bob, "/join #x");
    world.all_have_read();
    world.types(ann, "/msg BOB psst,  you");
    assert_eq!(world.sees(bob), ["[ann] psst,  you"]);
    assert_eq!(world.sees(ann), [""; 0]);
    assert_eq!(world.sees(carl), [""; 0]);
    world.types(ann, "/msg dave hi");
    assert_eq!(
        world.sees(ann),
        ["* nobody here is called dave; /who lists who is"]
    );
    world.types(ann, "/msg bob");
    assert_eq!(world.sees(ann), ["* usage: /msg NICK TEXT"]);
}

#[test]
fn what_is_done_and_what_it_is_about() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.types(ann, "/me waves");
    world.types(ann, "//me is a command");
    world.types(ann, "/topic tea");
    assert_eq!(
        world.sees(bob),
        [
            "* <ann> waves",
            "<ann> /me is a command",
            "* <ann> set the topic: tea"
        ]
    );
    assert_eq!(world.sees(ann), ["* the topic is set"]);
    world.types(bob, "/topic");
    assert_eq!(world.sees(bob), ["* the topic: tea"]);
}

#[test]
fn history_is_shown_on_demand_and_ping_and_help_answer() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    world.types(ann, "/history");
    assert_eq!(world.sees(ann), ["* nothing was said here yet"]);
    for n in 1..=5 {
        world.types(ann, &format!("line {n}"));
    }
    world.types(ann, "/history 2");
    assert_eq!(world.sees(ann), ["<ann> line 4", "<ann> line 5"]);
    world.types(ann, "/ping");
    assert_eq!(world.sees(ann), ["* pong"]);
    world.types(ann, "/help");
    assert_eq!(world.sees(ann).len(), 13);
}

#[test]
fn a_long_history_is_as_much_of_the_newest_as_one_answer_holds() {
    let mut world = World::with(|config| config.limits.send_queue = 16 * 1024);
    let ann = world.nc_called("ann");
    let long = "x".repeat(4000);
    for n in 0..100 {
        world.types(ann, &format!("{n:02} {long}"));
    }
    world.types(ann, "/history 100");
    let seen = world.sees(ann);
    assert!(seen.len() > 10 && seen.len() < 100, "{}", seen.len());
    assert!(seen.last().unwrap().starts_with("<ann> 99 "));
    assert_eq!(world.fate(ann), Fate::Open);
}

#[test]
fn who_is_ignored_is_not_heard_until_the_second_time() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.types(ann, "/ignore Bob");
    assert_eq!(world.sees(ann), ["* you ignore Bob"]);
    world.types(bob, "noise");
    world.types(bob, "/msg ann noise");
    world.types(ann, "/history");
    assert_eq!(world.sees(ann), ["* nothing was said here yet"]);
    assert_eq!(world.sees(bob), [""; 0]);
    world.types(ann, "/ignore bob");
    world.types(bob, "sorry");
    assert_eq!(world.sees(ann), ["* you hear bob again", "<bob> sorry"]);
    world.types(ann, "/ignore bob");
    world.ends(ann);
    assert!(world.server.ignored_by.is_empty(), "nothing stays behind");
}

#[test]
fn an_unknown_command_gets_the_nearest() {
    let mut world = World::new();
    let ann = world.nc();
    world.types(ann, "/jion #x");
    assert_eq!(
        world.sees(ann),
        ["* there is no /jion; did you mean /join?"]
    );
}

#[test]
fn quit_says_goodbye_and_its_text_is_for_the_operator() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.reports.clear();
    world.types(bob, "/quit home\x1b[2J");
    assert_eq!(world.fate(bob), Fate::Closed);
    assert_eq!(world.sees(bob), ["* goodbye"]);
    assert_eq!(world.sees(ann), ["* bob left"]);
    let whys: Vec<String> = (world.happenings().into_iter())
        .filter_map(|happening| match happening {
            Happening::Departed { why, .. } => Some(why),
            _ => None,
        })
        .collect();
    assert_eq!(whys, [r"home\x1b[2J"]);
}
