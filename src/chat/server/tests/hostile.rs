//! What is tried to break it.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{Disk, Fate, Peer, World, hello};
use crate::chat::server::{OPERATORS, Rate, Slow, TURN_INTAKE};
use crate::chat::wire::{ChatEvent, Hello, Op, encode};
use crate::core::machine::{Event, Origin, Signal};

#[test]
fn a_megabyte_without_newline_is_one_notice_and_no_memory() {
    for rate in [
        None,
        Some(Rate {
            per_second: 10.0,
            burst: 20.0,
        }),
    ] {
        let mut world = World::with(|config| config.limits.rate = rate);
        let ann = world.nc();
        let bob = world.nc();
        world.all_have_read();
        for _ in 0..1000 {
            world.sends(bob, &[b'x'; 1000]);
            assert!(world.memory() < 20_000);
        }
        world.types(bob, "\nhello");
        assert_eq!(
            world.sees(bob),
            ["* that line is too long: the limit is 4096 bytes"]
        );
        assert_eq!(world.sees(ann), ["<guest-2> hello"]);
    }
}

#[test]
fn nothing_that_anybody_types_reaches_others_raw() {
    let attacks: [&[u8]; 8] = [
        b"\0\x01\x02\x7f",
        b"\x1b[2J\x1b[H\x1b]0;title\x07",
        b"\x1b]52;c;cm0gLXJmIC8=\x07",
        "\u{202e}gnp.exe\u{2066}x\u{2069}".as_bytes(),
        "\u{9b}31mred\u{85}next\u{2028}line".as_bytes(),
        "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".as_bytes(),
        b"\xff\xfe\xc0\x80\xed\xa0\x80",
        "\u{e0041}\u{200b}\u{feff}".as_bytes(),
    ];
    let mut world = World::new();
    let ann = world.nc_called("ann");
    let program = world.program(&hello(1, "prog"));
    let operator = world.operator();
    for attack in attacks {
        let bob = world.nc();
        for command in [
            "",
            "/me ",
            "/topic ",
            "/msg ann ",
            "/nick ",
            "/join #",
            "/ignore ",
            "/quit ",
        ] {
            world.puts(bob, command.as_bytes());
            world.puts(bob, attack);
            world.sends(bob, b"\n");
        }
        world.puts(operator, b"/say ");
        world.puts(operator, attack);
        world.sends(operator, b"\n");
        world.seconds(2);
        for peer in [ann, program, operator, bob] {
            clean(world.received(peer));
        }
    }
    for peer in [ann, program, operator] {
        assert_eq!(world.fate(peer), Fate::Open);
    }
    for report in &world.reports {
        clean(serde_json::to_string(report).unwrap().as_bytes());
    }
}

/// Text with line ends and nothing that a terminal obeys, or the answers to Telnet negotiation.
fn clean(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for c in text.chars() {
        let bad = (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        assert!(!bad, "{c:?} in {text:?}");
    }
    let marks = text.chars().fold((0, 0), |(run, most), c| {
        let mark = unicode_normalization::char::is_combining_mark(c);
        let run = if mark { run + 1 } else { 0 };
        (run, run.max(most))
    });
    assert!(
        marks.1 <= crate::core::sanitise::MAX_MARKS,
        "{} marks in a row",
        marks.1
    );
}

#[test]
fn a_flood_of_connections_that_reset_leaves_nothing() {
    let mut world = World::with(|config| config.limits.max_clients = 50);
    let ann = world.nc();
    for round in 0..5000 {
        let peer = world.arrives();
        if round % 3 == 0 {
            world.sends(peer, b"hi\n");
        }
        world.cuts(peer);
    }
    world.seconds(30);
    assert_eq!((world.server.clients, world.server.refused), (1, 0));
    world.types(ann, "/who");
    assert_eq!(world.sees(ann).last().unwrap(), "* 1 in #lobby: guest-1");
}

/// Pieces of what clients say, right and wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "hello\n",
        "\n",
        "\r\n",
        "/nick ann\n",
        "/nick \u{430}nn\n",
        "/join #x\n",
        "/part\n",
        "/rooms\n",
        "/who\n",
        "/msg ann hi\n",
        "/msg guest-1 hi\n",
        "/me waves\n",
        "/topic tea\n",
        "/history 99\n",
        "/ignore ann\n",
        "/ping\n",
        "/help\n",
        "/quit bye\n",
        "//x\n",
        "/nosuch\n",
        "/kick ann\n",
        "/ban 192.0.2.1\n",
        "/set max-line 20\n",
        "/say hi\n",
        "{\"sockkit\":",
        "1,",
        "}\n",
        "{\"op\":\"line\",\"seq\":1,\"text\":\"hi\"}\n",
        "{\"op\":\"line\",\"seq\":2,\"text\":\"/nick bob\"}\n",
        "{\"op\":\"history\",\"after\":0,\"limit\":9}\n",
        "{\"op\":\"bye\"}\n",
        "{\"op\":\"ping\"}\n",
    ];
    let mut greeting = Vec::new();
    encode(&mut greeting, &hello(7, "ann"));
    let mut back = Vec::new();
    encode(
        &mut back,
        &Hello {
            seen: Some(0),
            history: 3,
            room: Some("#x".into()),
            ..hello(7, "zoe")
        },
    );
    prop_oneof![
        8 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        2 => Just(greeting),
        1 => Just(back),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (1usize..3000).prop_map(|length| vec![b'x'; length]),
        1 => Just(vec![255, 253, 1, 255, 250]),
    ]
}

#[derive(Debug, Clone)]
enum Deed {
    Arrive(bool),
    Send(usize, Vec<u8>),
    Cut(usize),
    End(usize),
    StopReading(usize, usize),
    Read(usize, usize),
    Wait(u64),
    Store,
    FailToStore,
    Signal,
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = 0usize..6;
    prop_oneof![
        3 => proptest::bool::weighted(0.1).prop_map(Deed::Arrive),
        20 => (who.clone(), piece()).prop_map(|(who, bytes)| Deed::Send(who, bytes)),
        1 => who.clone().prop_map(Deed::Cut),
        1 => who.clone().prop_map(Deed::End),
        2 => (who.clone(), 0usize..300).prop_map(|(who, window)| Deed::StopReading(who, window)),
        2 => (who, 1usize..5000).prop_map(|(who, bytes)| Deed::Read(who, bytes)),
        3 => (0u64..400_000).prop_map(Deed::Wait),
        3 => Just(Deed::Store),
        1 => Just(Deed::FailToStore),
        1 => proptest::bool::weighted(0.02).prop_map(|end| if end { Deed::Signal } else { Deed::Store }),
    ]
}

/// Without the answers to negotiation, which are three bytes each.
fn without_telnet(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        if byte == 255 {
            rest.nth(1);
        } else {
            out.push(byte);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A thousand random streams by several clients, with everything that a network, a disk and a clock do
    /// meanwhile: it never panics or spins, leaves no input that it wants unread, keeps its limits, sends
    /// only whole clean lines, and ends when it is told to, with nothing left.
    #[test]
    fn random_streams_do_no_harm(
        deeds in proptest::collection::vec(deed(), 1..60),
        durable: bool,
        kick: bool,
        slow_rate: bool,
    ) {
        let mut world = World::with(|config| {
            config.durable = durable;
            config.limits.max_line = 200;
            config.limits.send_queue = 20_000;
            config.limits.idle_timeout = Some(Duration::from_secs(300));
            config.limits.slow = if kick { Slow::Kick } else { Slow::Skip };
            config.limits.rate = slow_rate.then_some(Rate { per_second: 5.0, burst: 10.0 });
            config.limits.max_clients = 5;
            config.max_rooms = 3;
            config.memory.lines = 20;
        });
        world.disk = Disk::Waits;
        let mut peers: Vec<Peer> = Vec::new();
        let pick = |peers: &[Peer], who: usize| peers.get(peers.len().saturating_sub(1 + who)).copied();
        for deed in deeds {
            match deed {
                Deed::Arrive(operator) => {
                    let origin = if operator { OPERATORS } else { Origin(0) };
                    peers.push(world.arrives_from("192.0.2.1", origin));
                }
                Deed::Send(who, bytes) => {
                    if let Some(peer) = pick(&peers, who) {
                        world.sends(peer, &bytes);
                    } else {
                        peers.push(world.arrives());
                    }
                }
                Deed::Cut(who) => if let Some(peer) = pick(&peers, who) { world.cuts(peer) },
                Deed::End(who) => if let Some(peer) = pick(&peers, who) { world.ends(peer) },
                Deed::StopReading(who, window) => {
                    if let Some(peer) = pick(&peers, who) { world.stops_reading(peer, window) }
                }
                Deed::Read(who, bytes) => if let Some(peer) = pick(&peers, who) { world.reads(peer, bytes) },
                Deed::Wait(millis) => world.advance(Duration::from_millis(millis)),
                Deed::Store => if !world.batches.is_empty() { world.stores() },
                Deed::FailToStore => if !world.batches.is_empty() { world.fails_to_store("broken") },
                Deed::Signal => world.signal(Signal::Terminate),
            }
            let members = world.server.members.iter().flatten().count();
            prop_assert!(world.memory() <= members * 400_000 + 3 * 200_000, "{}", world.memory());
            prop_assert!(world.server.clients <= 5);
        }
        world.disk = Disk::Prompt;
        for &peer in &peers {
            world.reads(peer, usize::MAX);
        }
        if !world.exited {
            world.signal(Signal::Terminate);
            world.seconds(2);
            prop_assert!(world.exited);
        }
        for &peer in &peers {
            let out = without_telnet(world.received(peer));
            let whole = out.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            if world.fate(peer) == Fate::Closed {
                prop_assert_eq!(whole, out.len(), "ends with a whole line");
            }
            if out.starts_with(b"{") {
                for line in out[..whole].split_inclusive(|&b| b == b'\n') {
                    let event: Result<ChatEvent<'_>, _> = serde_json::from_slice(line);
                    prop_assert!(event.is_ok(), "{}", String::from_utf8_lossy(line));
                }
            }
        }
    }
}

#[test]
fn numbers_at_the_edge_do_no_harm() {
    let mut world = World::new();
    let bob = world.nc_called("bob");
    world.types(bob, "hi");
    let ann = world.program(&Hello {
        seen: Some(u64::MAX),
        private: u64::MAX,
        history: u32::MAX,
        sockkit: u32::MAX,
        ..hello(1, "ann")
    });
    world.ops(
        ann,
        &Op::History {
            after: u64::MAX,
            limit: u32::MAX,
        },
    );
    world.line(ann, 0, "zero");
    world.line(ann, u64::MAX, "most");
    world.line(ann, 5, "then");
    assert_eq!(world.sees(bob).last().unwrap(), "<ann> most");
    assert_eq!(world.fate(ann), Fate::Open);
    world.types(bob, "/history 99999999999999999999");
    world.types(bob, "/history 4294967295");
    assert_eq!(world.fate(bob), Fate::Open);
}

/// What can be no nick was kept in its full length, a hundred times for each connection.
#[test]
fn only_what_can_be_a_nick_is_ignored() {
    let mut world = World::new();
    let ann = world.nc_called("ann");
    for n in 0..20 {
        world.types(ann, &format!("/ignore {n}{}", "\u{fdfa}".repeat(1000)));
        world.types(ann, &format!("/msg {n}{} hi", "\u{fdfa}".repeat(1000)));
    }
    assert!(world.sees(ann)[0].ends_with("is longer than 24 columns or 64 bytes"));
    world.types(ann, "/ignore");
    assert!(world.sees(ann)[0].starts_with("* you ignore 0;"));
    assert!(world.server.ignored_by.is_empty());
    world.types(ann, "/ignore bob");
    assert_eq!(world.sees(ann), ["* you ignore bob"]);
}

#[test]
fn no_topic_keeps_others_out_of_a_room() {
    let mut world = World::with(|config| config.limits.max_line = 1 << 20);
    let bob = world.nc();
    world.sends(bob, &[b"/topic ", &[0; 500_000][..], b"\n"].concat());
    assert_eq!(
        world.sees(bob),
        ["* that topic is too long: the limit is 8192 bytes"]
    );
    let ann = world.nc();
    assert_eq!(world.fate(ann), Fate::Open);
    let carl = world.program(&hello(1, "carl"));
    assert_eq!(world.fate(carl), Fate::Open);
}

/// New nicks are news for all: more in one turn than a turn takes in, and members who take everything would be too slow.
#[test]
fn a_flood_of_new_nicks_is_taken_in_portions() {
    let mut world = World::new();
    world.program(&hello(1, "prog"));
    let flood: Vec<_> = (0..100).map(|_| world.nc()).collect();
    let conns: Vec<_> = (world.server.members.iter().flatten())
        .filter(|member| member.session.is_none())
        .map(|member| member.conn)
        .collect();
    for (n, &conn) in conns.iter().enumerate() {
        let lines: String = (0..100).map(|m| format!("/nick n{n}x{m}\n")).collect();
        let bytes = lines.as_bytes();
        world.handle(Event::Received { conn, bytes });
    }
    let grown = world.server.turn_bytes;
    assert!(grown < TURN_INTAKE + 1024, "{grown} bytes in one turn");
    assert!(grown >= TURN_INTAKE, "{grown} bytes were counted");
    world.run();
    world.types(flood[0], "/who");
    let who = world.sees(flood[0]).pop().unwrap();
    assert!(who.contains("n99x99"), "the rest is taken later: {who}");
}

#[test]
fn who_asks_for_much_waits_for_it() {
    let mut world = World::with(|config| {
        config.limits.rate = Some(Rate {
            per_second: 10.0,
            burst: 20.0,
        });
    });
    let ann = world.nc_called("ann");
    let bob = world.nc_called("bob");
    for n in 0..40 {
        world.types(ann, &format!("{n} {}", "x".repeat(1000)));
        world.seconds(1);
    }
    world.all_have_read();
    world.puts(bob, "/history 40\n".repeat(20).as_bytes());
    world.run();
    let shown = world.sees(bob).len();
    assert!(shown <= 3 * 40, "{shown} lines of answers at once");
    world.seconds(30);
    assert_eq!(shown + world.sees(bob).len(), 20 * 40, "all in the end");
}

#[test]
fn making_rooms_takes_nobodys_history_away() {
    let mut world = World::with(|config| config.max_rooms = 5);
    let ann = world.nc();
    world.types(ann, "/join #tea");
    world.types(ann, "with milk");
    world.types(ann, "/part");
    let bob = world.nc();
    for n in 0..20 {
        world.types(bob, &format!("/join #r{n}"));
    }
    world.all_have_read();
    world.types(ann, "/join #tea");
    assert!(world.sees(ann).iter().any(|line| line.contains("milk")));
}

#[test]
fn a_client_that_comes_and_goes_leaves_no_crowd_of_timers() {
    let mut world = World::new();
    for _ in 0..500 {
        let program = world.program(&hello(1, "prog"));
        world.cuts(program);
        world.seconds(1);
    }
    let left = world.server.timers.count();
    assert!(left < 50, "{left} timers");
    world.seconds(400);
    assert_eq!(world.server.nicks.len(), 0, "the session was forgotten");
}

#[test]
fn a_session_that_is_crowded_out_is_said_to_have_left() {
    let mut world = World::with(|config| config.limits.max_per_ip = 2);
    let ann = world.arrives_from("198.51.100.7", Origin(0));
    world.seconds(1);
    world.sees(ann);
    for n in 1..=3 {
        let program = world.program(&hello(n, &format!("prog{n}x")));
        world.cuts(program);
    }
    world.seconds(1);
    let seen = world.sees(ann);
    assert_eq!(seen.last().unwrap(), "* prog1x left", "{seen:?}");
}
