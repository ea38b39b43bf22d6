//! Each limit, and the clear line that whoever meets it gets.

use std::time::Duration;

use zeroize::Zeroizing;

use super::world::{Fate, World, hello};
use crate::chat::server::report::Happening;
use crate::chat::server::{OPERATORS, Password, RECOGNITION, Rate, Slow, TURN_INTAKE};
use crate::chat::wire::{ChatEvent, Hello, Reason, encode};
use crate::core::machine::Origin;

fn goodbye(events: &[ChatEvent<'_>]) -> Option<(Reason, String)> {
    match events.last() {
        Some(ChatEvent::Goodbye { reason, text }) => Some((*reason, text.to_string())),
        _ => None,
    }
}

fn rate(per_second: f64, burst: f64) -> Option<Rate> {
    Some(Rate { per_second, burst })
}

#[test]
fn a_full_server_says_so_in_either_language_and_has_room_again_when_one_goes() {
    let mut world = World::with(|config| config.limits.max_clients = 2);
    let ann = world.nc();
    world.nc();
    let carl = world.nc();
    assert_eq!(world.received(carl), b"* the server is full: 2 clients\n");
    assert_eq!(world.fate(carl), Fate::Closed);
    let dave = world.program(&hello(1, "dave"));
    let full = (Reason::Full, "the server is full: 2 clients".to_string());
    assert_eq!(goodbye(&world.told(dave)), Some(full));
    world.ends(ann);
    let eve = world.nc();
    assert_eq!(world.fate(eve), Fate::Open);
    let refused = |h: &Happening| {
        matches!(
            h,
            Happening::Refused {
                reason: Reason::Full,
                ..
            }
        )
    };
    assert_eq!(world.happenings().iter().filter(|h| refused(h)).count(), 2);
}

#[test]
fn one_address_may_have_so_many_and_cannot_fill_the_server_with_refused_ones() {
    let mut world = World::with(|config| {
        config.limits.max_per_ip = 2;
        config.limits.max_clients = 10;
    });
    world.nc();
    world.nc();
    // They keep silent about who they are for as long as they may.
    let ghosts: Vec<_> = (0..1000)
        .map(|_| {
            let ghost = world.arrives();
            world.sends(ghost, b"{\"sockkit\":");
            ghost
        })
        .collect();
    let aborted = ghosts
        .iter()
        .filter(|&&g| world.fate(g) == Fate::Aborted)
        .count();
    assert!(aborted > 700, "only some are worth an answer: {aborted}");
    let other = world.arrives_from("198.51.100.7", Origin(0));
    world.advance(RECOGNITION);
    assert_eq!(world.fate(other), Fate::Open);
    assert!(world.sees(other)[0].contains("you are guest-"));
    world.seconds(20);
    let told = "too many clients from your address: 2";
    assert!(
        String::from_utf8_lossy(world.received(ghosts[0])).contains("sockkit")
            || !world.received(ghosts[0]).is_empty()
    );
    let third = world.nc();
    assert_eq!(world.received(third), format!("* {told}\n").as_bytes());
    assert_eq!(world.server.refused, 0, "nobody is counted for ever");
    assert_eq!(world.server.clients, 3);
}

/// Whoever has one address of IPv6 has 2^64 of them.
#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    let mut world = World::with(|config| config.limits.max_per_ip = 2);
    let fates = |world: &mut World, addresses: &[&str]| {
        let all: Vec<_> = addresses
            .iter()
            .map(|address| world.arrives_from(address, Origin(0)))
            .collect();
        world.advance(RECOGNITION);
        all.into_iter()
            .map(|peer| world.fate(peer))
            .collect::<Vec<_>>()
    };
    let open = Fate::Open;
    let ours = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:3::"];
    assert_eq!(fates(&mut world, &ours), [open, open, Fate::Closed]);
    let others = ["2001:db8:0:1::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"];
    assert_eq!(fates(&mut world, &others), [open; 4]);
}

#[test]
fn the_rate_is_kept_by_reading_later_and_nothing_is_lost() {
    let mut world = World::with(|config| config.limits.rate = rate(10.0, 5.0));
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    let lines: Vec<String> = (0..100)
        .map(|n| format!("{n} {}", "x".repeat(500)))
        .collect();
    world.sends(bob, (lines.join("\n") + "\n").as_bytes());
    assert_eq!(world.sees(ann).len(), 5, "the burst");
    assert_eq!(world.appetite(bob), 0);
    assert!(
        world.unread_input(bob) > 30_000,
        "the rest waits in bob's own system"
    );
    assert!(world.memory() < 20_000);
    world.types(ann, "others are not held");
    assert_eq!(world.sees(bob), ["<guest-1> others are not held"]);
    world.seconds(1);
    assert_eq!(world.sees(ann).len(), 10);
    world.seconds(9);
    assert_eq!(world.sees(ann).len(), 85);
    assert!(world.appetite(bob) > 0);
}

#[test]
fn a_flood_that_ends_is_said_at_the_rate_before_its_sender_leaves() {
    let mut world = World::with(|config| config.limits.rate = rate(10.0, 5.0));
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    world.puts(bob, "hello\n".repeat(24).as_bytes());
    world.puts(bob, b"last");
    world.ends(bob);
    world.seconds(10);
    let seen = world.sees(ann);
    assert_eq!(seen.len(), 26);
    assert_eq!(seen[24..], ["<guest-2> last", "* guest-2 left"]);
    assert_eq!(world.fate(bob), Fate::Closed);
}

#[test]
fn without_a_rate_all_is_said_at_once() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    world.sends(bob, "hello\n".repeat(10_000).as_bytes());
    assert_eq!(world.sees(ann).len(), 10_000);
}

/// A turn takes in only so much, and the rest follows at once without anybody's help.
#[test]
fn a_flood_by_many_is_taken_in_portions_and_completely() {
    let mut world = World::new();
    let watcher = world.nc();
    let all: Vec<_> = (0..20).map(|_| world.nc()).collect();
    world.all_have_read();
    let flood = format!("{}\n", "x".repeat(1000)).repeat(200);
    for &peer in &all {
        world.puts(peer, flood.as_bytes());
    }
    world.run();
    assert_eq!(world.sees(watcher).len(), 20 * 200);
    for &peer in &all {
        assert_eq!(world.sees(peer).len(), 19 * 200);
    }
}

/// The flood of one fills the turn with its very last line, so nobody is held, but the next was not read.
#[test]
fn who_was_not_read_because_the_turn_was_full_is_read_in_the_next() {
    let mut world = World::new();
    let ann = world.nc();
    let bob = world.nc();
    world.all_have_read();
    let each = "<guest-1> x\n".len();
    world.puts(ann, "x\n".repeat(TURN_INTAKE.div_ceil(each)).as_bytes());
    world.puts(bob, b"hello\n");
    world.run();
    assert_eq!(world.sees(ann), ["<guest-2> hello"]);
}

#[test]
fn who_asks_and_does_not_read_is_not_read_and_loses_nothing() {
    let mut world = World::with(|config| config.limits.send_queue = 64 * 1024);
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.stops_reading(bob, 100);
    world.sends(bob, "/help\n".repeat(1000).as_bytes());
    assert_eq!(world.appetite(bob), 0);
    assert!(world.memory() < 64 * 1024);
    world.types(ann, "hello");
    assert_eq!(world.fate(bob), Fate::Open);
    for _ in 0..200 {
        world.reads(bob, 10_000);
        world.seconds(1);
    }
    let seen = world.sees(bob);
    assert_eq!(
        seen.iter().filter(|line| line.contains("/quit")).count(),
        1000
    );
    assert!(seen.contains(&"<ann> hello".to_string()));
    assert!(world.appetite(bob) > 0);
}

#[test]
fn answers_to_telnet_that_nobody_reads_stop_the_reading() {
    let mut world = World::new();
    let bob = world.nc();
    world.stops_reading(bob, 0);
    for _ in 0..100 {
        world.sends(bob, &b"\xff\xfd\x01".repeat(20_000));
    }
    assert_eq!(world.appetite(bob), 0);
    assert!(world.memory() < 1024 * 1024);
    world.reads(bob, usize::MAX);
    world.seconds(1);
    assert_eq!(world.unread_input(bob), 0);
}

#[test]
fn private_lines_to_one_who_does_not_read_are_refused_to_the_sender() {
    let mut world = World::with(|config| config.limits.send_queue = 64 * 1024);
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    world.stops_reading(bob, 0);
    for _ in 0..1000 {
        world.types(ann, &format!("/msg bob {}", "x".repeat(1000)));
    }
    assert_eq!(world.fate(bob), Fate::Open);
    assert!(world.memory() < 100_000);
    let refused = "* not delivered: bob does not read at the moment";
    let refusals = world
        .sees(ann)
        .iter()
        .filter(|line| *line == refused)
        .count();
    assert!(refusals > 900, "{refusals}");
    world.reads(bob, usize::MAX);
    assert_eq!(world.sees(bob).len(), 1000 - refusals);
}

#[test]
fn a_slow_member_is_told_exactly_how_many_lines_it_missed() {
    let mut world = World::with(|config| config.limits.send_queue = 100_000);
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    let carl = world.nc_called("carl");
    world.stops_reading(bob, 1003);
    let text = "x".repeat(90);
    for n in 0..10_000 {
        world.types(ann, &format!("{n:05} {text}"));
        assert!(world.memory() < 100_000 + 2 * 64 * 1024 + 10_000);
    }
    assert_eq!(world.sees(carl).len(), 10_000, "others are not held up");
    world.reads(bob, usize::MAX);
    world.types(ann, "the end");
    let seen = world.sees(bob);
    let mut next = 0;
    let mut notices = 0;
    for line in &seen[..seen.len() - 1] {
        match line.strip_prefix("* ") {
            Some(notice) => {
                let count = notice.strip_suffix(" lines skipped").expect("a count");
                next += count.parse::<usize>().unwrap();
                notices += 1;
            }
            None => {
                assert_eq!(*line, format!("<ann> {next:05} {text}"));
                next += 1;
            }
        }
    }
    assert_eq!((next, notices), (10_000, 1));
    assert_eq!(seen.last().unwrap(), "<ann> the end");
}

#[test]
fn a_slow_member_is_put_out_where_that_is_the_policy_and_told_why_if_it_reads_at_last() {
    let mut world = World::with(|config| {
        config.limits.send_queue = 100_000;
        config.limits.slow = Slow::Kick;
    });
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    let carl = world.nc_called("carl");
    world.stops_reading(bob, 1003);
    world.stops_reading(carl, 1003);
    for n in 0..5000 {
        world.types(ann, &format!("{n:05} {}", "x".repeat(90)));
    }
    let seen = world.sees(ann);
    assert!(seen.contains(&"* bob left".to_string()), "{seen:?}");
    world.reads(bob, usize::MAX);
    let seen = world.sees(bob);
    assert_eq!(
        seen.last().unwrap(),
        "* too far behind: you read too slowly"
    );
    assert_eq!(world.fate(bob), Fate::Closed);
    world.seconds(6);
    assert_eq!(world.fate(carl), Fate::Aborted, "no longer than a moment");
}

#[test]
fn a_member_that_never_reads_costs_a_bounded_amount_and_its_own_lines_are_heard() {
    let mut world = World::with(|config| config.limits.send_queue = 100_000);
    let ann = world.nc_called("ann");
    let bot = world.nc_called("bot");
    world.stops_reading(bot, 0);
    for n in 0..20_000 {
        world.types(ann, &format!("{n}"));
        world.types(bot, &format!("{n}"));
        assert!(world.memory() < 100_000 + 2 * 64 * 1024 + 10_000);
    }
    assert_eq!(world.sees(ann).len(), 20_000);
}

#[test]
fn a_structured_client_that_is_too_slow_is_told_in_numbers() {
    let mut world = World::with(|config| config.limits.send_queue = 100_000);
    let bob = world.nc_called("bob");
    let ann = world.program(&hello(1, "ann"));
    world.told(ann);
    world.stops_reading(ann, 0);
    for n in 0..5000 {
        world.types(bob, &format!("{n}"));
    }
    world.reads(ann, usize::MAX);
    let mut told = 0;
    for event in world.told(ann) {
        match event {
            ChatEvent::Message { id, .. } => {
                told += 1;
                assert_eq!(id, told);
            }
            ChatEvent::Skipped { lines, .. } => told += lines,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, 5000);
}

#[test]
fn a_password_is_asked_for_and_may_be_tried_three_times() {
    let secret = Zeroizing::new("open sesame".to_string());
    let mut world = World::with(|config| config.password = Some(Password::new(&secret)));
    let ann = world.arrives();
    world.advance(RECOGNITION);
    let asked = "* this server has a password: type it as your first line";
    assert_eq!(world.sees(ann), [asked]);
    world.types(ann, "open");
    assert_eq!(world.sees(ann), ["* wrong password; try again"]);
    world.types(ann, "open sesame");
    assert!(world.sees(ann)[0].starts_with("* you are guest-1"));

    let bob = world.arrives();
    world.sends(bob, b"a\r\nb\r\nc\r\nopen sesame\r\n");
    assert_eq!(
        world.sees(bob),
        [
            asked,
            "* wrong password; try again",
            "* wrong password; try again",
            "* wrong password"
        ]
    );
    assert_eq!(world.fate(bob), Fate::Closed);
    assert_eq!(
        world.sees(ann),
        [""; 0],
        "nobody hears of those who did not get in"
    );

    let carl = world.program(&hello(1, "carl"));
    assert_eq!(goodbye(&world.told(carl)).unwrap().0, Reason::Password);
    let carl = world.program(&Hello {
        password: Some("open sesame".into()),
        ..hello(1, "carl")
    });
    assert!(matches!(world.told(carl)[0], ChatEvent::Welcome { .. }));
}

#[test]
fn who_guesses_passwords_is_not_asked_for_a_while_and_others_are() {
    let secret = Zeroizing::new("open sesame".to_string());
    let mut world = World::with(|config| config.password = Some(Password::new(&secret)));
    let (early, early_program) = (world.arrives(), world.arrives());
    world.advance(RECOGNITION / 2);
    for _ in 0..4 {
        let guesser = world.arrives();
        world.sends(guesser, b"a\nb\nc\n");
    }
    let guesser = world.arrives();
    world.types(guesser, "open sesame");
    let refused = ["* too many wrong passwords; try again in a minute"];
    assert_eq!(world.sees(guesser), refused);
    // Nor is one that was there before.
    world.types(early, "open sesame");
    assert_eq!(world.sees(early)[1..], refused);
    assert_eq!(world.fate(early), Fate::Closed);
    let right = Hello {
        password: Some("open sesame".into()),
        ..hello(1, "ann")
    };
    let mut bytes = Vec::new();
    encode(&mut bytes, &right);
    world.sends(early_program, &bytes);
    assert_eq!(
        goodbye(&world.told(early_program)).unwrap().0,
        Reason::Password
    );
    let other = world.arrives_from("198.51.100.7", Origin(0));
    world.types(other, "open sesame");
    assert!(world.sees(other)[1].starts_with("* you are"));
    world.seconds(61);
    let guesser = world.arrives();
    world.types(guesser, "open sesame");
    assert!(world.sees(guesser)[1].starts_with("* you are"));
}

#[test]
fn who_does_not_type_the_password_does_not_stay() {
    let secret = Zeroizing::new("open sesame".to_string());
    let mut world = World::with(|config| config.password = Some(Password::new(&secret)));
    let ann = world.nc();
    world.seconds(59);
    assert_eq!(world.fate(ann), Fate::Open);
    world.seconds(1);
    assert_eq!(world.sees(ann), ["* no password was typed in time"]);
    assert_eq!(world.fate(ann), Fate::Closed);
}

#[test]
fn addresses_are_let_in_or_not() {
    let mut world = World::with(|config| {
        config.access.allow = vec!["192.0.2.0/24".parse().unwrap()];
        config.access.deny = vec!["192.0.2.66/32".parse().unwrap()];
    });
    for (address, admitted) in [
        ("192.0.2.1", true),
        ("192.0.2.66", false),
        ("198.51.100.1", false),
        ("2001:db8::1", false),
        ("unix", true),
    ] {
        let peer = world.arrives_from(address, Origin(0));
        world.advance(RECOGNITION);
        let seen = world.sees(peer);
        assert_eq!(
            seen[0].contains("you are guest"),
            admitted,
            "{address} {seen:?}"
        );
        if !admitted {
            assert_eq!(seen, ["* your address is not let in by this server"]);
            assert_eq!(world.fate(peer), Fate::Closed);
        }
    }
    let denied = world.arrives_from("192.0.2.66", Origin(0));
    let mut line = Vec::new();
    crate::chat::wire::encode(&mut line, &hello(1, "ann"));
    world.sends(denied, &line);
    assert_eq!(goodbye(&world.told(denied)).unwrap().0, Reason::Denied);
    let operator = world.arrives_from("unix", OPERATORS);
    assert!(world.sees(operator)[0].contains("operator"));
}

#[test]
fn a_silent_person_is_warned_a_minute_before_and_then_put_out() {
    let mut world = World::with(|config| {
        config.limits.idle_timeout = Some(Duration::from_secs(300));
    });
    // One that kept silent at first and one that did not: their timers began differently.
    let ann = world.nc();
    let bob = world.arrives();
    world.types(bob, "hi");
    world.all_have_read();
    world.seconds(239);
    assert_eq!(world.sees(ann), [""; 0]);
    world.seconds(2);
    let warning = "* you will be disconnected in 1m unless you type something";
    assert_eq!(world.sees(ann), [warning]);
    assert_eq!(world.sees(bob), [warning]);
    world.types(ann, "still here");
    assert_eq!(world.sees(bob), ["<guest-1> still here"]);
    world.seconds(60);
    assert_eq!(world.sees(bob), ["* silent for 5m"]);
    assert_eq!(world.fate(bob), Fate::Closed);
    assert_eq!(world.sees(ann), ["* guest-2 left"]);
    world.seconds(178);
    assert_eq!(world.sees(ann), [""; 0]);
    world.seconds(3);
    assert_eq!(world.sees(ann), [warning], "once");
    world.seconds(60);
    assert_eq!(world.fate(ann), Fate::Closed);
}

#[test]
fn a_silent_program_is_pinged_first_and_stays_as_long_as_it_answers() {
    let mut world = World::with(|config| {
        config.limits.idle_timeout = Some(Duration::from_secs(300));
    });
    let ann = world.program(&hello(1, "ann"));
    world.told(ann);
    for _ in 0..10 {
        world.seconds(271);
        assert_eq!(world.told(ann), [ChatEvent::Ping]);
        world.ops(ann, &crate::chat::wire::Op::Pong);
    }
    world.seconds(271);
    assert_eq!(world.told(ann), [ChatEvent::Ping]);
    world.seconds(30);
    assert_eq!(goodbye(&world.told(ann)).unwrap().0, Reason::Idle);
    assert_eq!(world.fate(ann), Fate::Closed);
}

#[test]
fn a_computer_that_slept_does_not_put_out_who_was_awake() {
    let mut world = World::with(|config| {
        config.limits.idle_timeout = Some(Duration::from_secs(300));
    });
    let ann = world.program(&hello(1, "ann"));
    world.told(ann);
    world.now += Duration::from_secs(3600);
    world.run();
    assert_eq!(world.told(ann), [ChatEvent::Ping]);
    world.seconds(5);
    world.ops(ann, &crate::chat::wire::Op::Pong);
    world.seconds(100);
    assert_eq!(world.fate(ann), Fate::Open);
}

#[test]
fn five_hundred_that_send_a_byte_a_second_hold_nobody_up() {
    let mut world = World::with(|config| config.limits.rate = rate(10.0, 20.0));
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    let slow: Vec<_> = (0..500).map(|_| world.arrives()).collect();
    let unfinished = world.arrives();
    world.sends(unfinished, b"{\"sockkit\":");
    for second in 0..60 {
        for &peer in &slow {
            world.puts(peer, b"x");
        }
        world.puts(unfinished, b" ");
        world.seconds(1);
        world.types(ann, &format!("{second}"));
        let seen = world.sees(bob);
        assert_eq!(texts_of(&seen), [format!("<ann> {second}")]);
        assert!(world.memory() < 200_000);
    }
    assert_eq!(world.fate(unfinished), Fate::Closed);
    assert!(slow.iter().all(|&peer| world.fate(peer) == Fate::Open));
}

fn texts_of(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .filter(|l| l.starts_with('<'))
        .cloned()
        .collect()
}
