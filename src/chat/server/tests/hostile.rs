//! What is tried to break it.

use std::time::Duration;

use proptest::prelude::*;

use super::world::{Disk, Fate, Peer, World, hello};
use crate::chat::server::{OPERATORS, Rate, Slow};
use crate::chat::wire::{ChatEvent, Hello, Op, encode};
use crate::core::machine::{Origin, Signal};

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
