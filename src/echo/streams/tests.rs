use super::*;

use std::num::{NonZeroU64, NonZeroUsize};

use crate::core::machine::Origin;
use crate::core::random::Probability;
use crate::echo::config::Tells;
use crate::echo::lines::Additions;

/// The machine under a driver in virtual time: peers that send, read and leave as a test says.
struct World {
    machine: Streams,
    door: Arc<Door>,
    tally: Arc<Tally>,
    now: Duration,
    ends: Vec<End>,
    listening: bool,
    exited: bool,
    enough: bool,
    done: bool,
    reports: Vec<Report>,
}

/// What the other end of a connection has and does.
#[derive(Default)]
struct End {
    got: Vec<u8>,
    /// The sizes of the writes.
    writes: Vec<usize>,
    /// How much more it takes before it stops reading.
    room: Option<usize>,
    blocked: bool,
    /// It does not take what the driver has for it, and cannot be closed.
    stuck: bool,
    closing: bool,
    closed: Option<&'static str>,
}

fn id(number: usize) -> ConnId {
    ConnId {
        slot: number as u32,
        generation: 0,
    }
}

impl World {
    fn new(config: Config) -> Self {
        Self::with_door(config, Door::new(100, None))
    }

    fn with_door(config: Config, door: Door) -> Self {
        let door = Arc::new(door);
        let tally = Arc::new(Tally::default());
        let machine = Streams::new(Arc::new(config), Arc::clone(&door), Arc::clone(&tally));
        Self {
            machine,
            door,
            tally,
            now: Duration::from_secs(1),
            ends: Vec::new(),
            listening: true,
            exited: false,
            enough: false,
            done: false,
            reports: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: self.now.as_micros() as i64,
        }
    }

    fn open(&mut self) -> usize {
        let number = self.ends.len();
        self.ends.push(End::default());
        let event = Event::Opened {
            conn: id(number),
            origin: Origin(0),
            peer: &PeerAddr::Unix(None),
        };
        self.machine.handle(self.now(), event);
        self.settle();
        number
    }

    /// Sends what is taken of `bytes`, at most `piece` at once. How much that is.
    fn send(&mut self, end: usize, bytes: &[u8], piece: usize) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            let appetite = self.machine.appetite(id(end));
            let count = piece.min(appetite).min(bytes.len() - sent);
            if count == 0 {
                break;
            }
            let part = &bytes[sent..sent + count];
            let now = self.now();
            let landed = match self.machine.landing(id(end)) {
                Some(landing) => {
                    assert!(landing.len() <= appetite);
                    landing[..count].copy_from_slice(part);
                    true
                }
                None => false,
            };
            match landed {
                true => self.machine.landed(now, id(end), count),
                false => {
                    let conn = id(end);
                    self.machine
                        .handle(now, Event::Received { conn, bytes: part });
                }
            }
            sent += count;
            self.settle();
        }
        sent
    }

    fn finish(&mut self, end: usize) {
        if self.ends[end].closed.is_none() {
            let conn = id(end);
            self.machine.handle(self.now(), Event::EndOfInput { conn });
            self.settle();
        }
    }

    /// The end reads so much more.
    fn reads(&mut self, end: usize, more: usize) {
        self.ends[end].room = Some(more);
        if std::mem::take(&mut self.ends[end].blocked) {
            let conn = id(end);
            self.machine.handle(self.now(), Event::Writable { conn });
        }
        self.settle();
    }

    fn write(&mut self, conn: ConnId) {
        let end = &mut self.ends[conn.slot as usize];
        if end.blocked || end.closed.is_some() {
            return;
        }
        loop {
            let pending = self.machine.pending(conn);
            let bytes: Vec<u8> = pending.slices().iter().flat_map(|s| s.to_vec()).collect();
            if bytes.is_empty() {
                return;
            }
            let end = &mut self.ends[conn.slot as usize];
            let count = bytes.len().min(end.room.unwrap_or(usize::MAX));
            let now = Now {
                since_start: self.now,
                unix_micros: self.now.as_micros() as i64,
            };
            if count == 0 {
                end.blocked = true;
                self.machine.blocked(now, conn);
                return;
            }
            end.got.extend_from_slice(&bytes[..count]);
            end.writes.push(count);
            end.room = end.room.map(|room| room - count);
            self.machine.sent(now, conn, count);
            if count == bytes.len() {
                return;
            }
        }
    }

    fn settle(&mut self) {
        loop {
            while let Some(conn) = self.machine.next_transmit(self.now()) {
                self.write(conn);
            }
            let Some(effect) = self.machine.effect() else {
                return;
            };
            match effect {
                Effect::Close(conn) => {
                    assert!(self.machine.pending(conn).byte_len() == 0 || self.machine.ending);
                    self.ends[conn.slot as usize].closing = true;
                    if self.ends[conn.slot as usize].stuck {
                        continue;
                    }
                    self.ends[conn.slot as usize].closed = Some("closed");
                    let ending = Ending::Drained;
                    self.machine
                        .handle(self.now(), Event::Closed { conn, ending });
                }
                Effect::Abort(conn) => self.ends[conn.slot as usize].closed = Some("aborted"),
                Effect::Reset(conn) => {
                    self.ends[conn.slot as usize].closed = Some("reset");
                    let ending = Ending::Drained;
                    self.machine
                        .handle(self.now(), Event::Closed { conn, ending });
                }
                Effect::Finish(_) => panic!("an echo closes both directions at once"),
                Effect::StopListening => self.listening = false,
                Effect::Exit => self.exited = true,
                Effect::Act(Action::Report(report)) => self.reports.push(report),
                Effect::Act(Action::Enough) => self.enough = true,
                Effect::Act(Action::Done) => self.done = true,
            }
        }
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.machine.next_deadline().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.machine.handle(self.now(), Event::Deadline);
            self.settle();
        }
        self.now = until;
    }
}

fn input(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 253) as u8).collect()
}

fn chaotic(change: impl FnOnce(&mut Chaos)) -> Config {
    let mut config = Config::default();
    change(&mut config.chaos);
    config
}

#[test]
fn every_split_comes_back_the_same_and_then_the_end() {
    let input = input(20);
    for config in [
        Config::default(),
        chaotic(|c| c.slice = NonZeroUsize::new(3)),
        chaotic(|c| c.delay = Duration::from_millis(5)),
        chaotic(|c| c.rate = NonZeroU64::new(100)),
    ] {
        for first in 1..input.len() {
            for piece in 1..=input.len() {
                let mut world = World::new(config.clone());
                let end = world.open();
                assert_eq!(world.send(end, &input[..first], piece), first);
                assert_eq!(world.send(end, &input[first..], piece), input.len() - first);
                world.finish(end);
                world.pass(Duration::from_secs(1));
                assert_eq!(world.ends[end].got, input, "{first} {piece} {config:?}");
                assert_eq!(world.ends[end].closed, Some("closed"));
            }
        }
    }
}

#[test]
fn a_message_costs_one_write_and_one_buffer_serves_all() {
    let mut world = World::new(Config::default());
    for _ in 0..50 {
        let end = world.open();
        for _ in 0..3 {
            world.send(end, &input(64 * 1024), usize::MAX);
        }
        assert_eq!(world.ends[end].writes, [64 * 1024; 3]);
    }
    assert!(
        world.machine.spare.len() <= 1,
        "{}",
        world.machine.spare.len()
    );
}

#[test]
fn who_does_not_read_is_not_read_from_and_costs_what_it_has_not_read() {
    let mut world = World::new(Config::default());
    let end = world.open();
    world.reads(end, 60_000);
    let all = input(1_000_000);
    let taken = world.send(end, &all, usize::MAX);
    assert!(taken <= LANDING, "{taken}");
    assert_eq!(world.machine.appetite(id(end)), 0);
    let Some(Outbox::Plain { bytes, .. }) = world.machine.peers.get(id(end)).map(|p| &p.outbox)
    else {
        panic!("something is left");
    };
    assert_eq!(bytes.len(), taken - 60_000, "not the whole buffer is kept");
    // Its FIN waits behind what it has sent; all of that comes back first.
    let last = all.len() - 10;
    let mut sent = taken;
    while sent < last {
        world.reads(end, 50_000);
        sent += world.send(end, &all[sent..last], usize::MAX);
    }
    world.reads(end, usize::MAX);
    world.reads(end, 0);
    assert_eq!(world.send(end, &all[last..], usize::MAX), 10);
    world.finish(end);
    assert_eq!(world.ends[end].closed, None, "not before all is back");
    world.reads(end, usize::MAX);
    assert!(world.ends[end].got == all);
    assert_eq!(world.ends[end].closed, Some("closed"));
    assert_eq!(world.tally.bytes_sent.get(), 1_000_000);
}

#[test]
fn what_a_misbehaving_connection_keeps_is_bounded() {
    let mut world = World::new(chaotic(|c| c.delay = Duration::from_secs(10)));
    let end = world.open();
    let taken = world.send(end, &input(10_000_000), 1000);
    let most = crate::echo::chaos::MAX_KEPT;
    assert!((most * 9 / 10..=most).contains(&taken), "{taken}");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.ends[end].got.len(), taken);
    assert!(world.machine.appetite(id(end)) > 0);
    // Single bytes cost more than a byte each.
    let taken = world.send(end, &input(100_000), 1);
    assert!(taken < most / 50, "{taken}");
}

#[test]
fn limits_of_misbehaviour_end_a_connection_as_they_say() {
    let after = |change: fn(&mut Chaos), length| {
        let mut world = World::new(chaotic(change));
        let end = world.open();
        world.send(end, &input(length), 7);
        world.finish(end);
        world.pass(Duration::from_secs(1));
        (world.ends[end].got.len(), world.ends[end].closed)
    };
    assert_eq!(after(|c| c.reset_after = Some(0), 0), (0, Some("reset")));
    assert_eq!(after(|c| c.reset_after = Some(10), 50), (10, Some("reset")));
    assert_eq!(
        after(|c| c.close_after = Some(10), 50),
        (10, Some("closed"))
    );
    assert_eq!(
        after(|c| c.truncate_after = Some(10), 50),
        (10, Some("closed"))
    );
    assert_eq!(after(|c| c.stall_after = Some(10), 50), (10, None));
    assert_eq!(
        after(|c| c.reset_after = Some(60), 50),
        (50, Some("closed"))
    );
}

#[test]
fn the_same_seed_damages_the_same_bytes_of_the_same_connection() {
    let got = |seed| {
        let mut config = chaotic(|c| c.corrupt = Probability::new(0.1).unwrap());
        config.seed = seed;
        let mut world = World::new(config);
        let ends = [world.open(), world.open()];
        for end in ends {
            world.send(end, &input(1000), 13);
        }
        ends.map(|end| world.ends[end].got.clone())
    };
    assert_eq!(got(1), got(1));
    assert_ne!(got(1), got(2));
    assert_ne!(got(1)[0], got(1)[1]);
}

/// Three loops that get connections in turn, of which some are refused and some loops are slow.
#[test]
fn the_numbers_of_several_loops_are_the_order_of_coming() {
    let config = Config {
        tells: Tells {
            connections: true,
            ..Tells::default()
        },
        ..Config::default()
    };
    let config = Arc::new(config);
    let numbers = |max_clients| {
        let door = Arc::new(Door::new(max_clients, None));
        [2, 0, 1].map(|place| {
            let tally = Arc::new(Tally::default());
            let mut machine =
                Streams::sharing(Arc::clone(&config), Arc::clone(&door), tally, place, 3);
            for slot in 0..3 {
                let event = Event::Opened {
                    conn: id(slot),
                    origin: Origin(0),
                    peer: &PeerAddr::Unix(None),
                };
                let now = Now {
                    since_start: Duration::ZERO,
                    unix_micros: 0,
                };
                machine.handle(now, event);
            }
            let mut numbers = Vec::new();
            while let Some(effect) = machine.effect() {
                if let Effect::Act(Action::Report(Report::Opened { number, .. })) = effect {
                    numbers.push(number);
                }
            }
            numbers
        })
    };
    assert_eq!(numbers(9), [[2, 5, 8], [0, 3, 6], [1, 4, 7]]);
    assert_eq!(numbers(4), [vec![2, 5, 8], vec![0], vec![]]);
}

#[test]
fn slices_take_one_turn_each() {
    let mut world = World::new(chaotic(|c| c.slice = NonZeroUsize::new(4)));
    let end = world.open();
    world.send(end, &input(10), usize::MAX);
    assert_eq!(world.ends[end].writes, [4], "the others have their turn");
    world.pass(Duration::ZERO);
    assert_eq!(world.ends[end].writes, [4, 4, 2]);
}

#[test]
fn additions_stand_before_each_line() {
    let mut world = World::new(Config {
        additions: Additions {
            timestamp: true,
            prefix: "> ".into(),
        },
        ..Config::default()
    });
    let end = world.open();
    world.send(end, b"one\ntwo\n", 5);
    let text = String::from_utf8(world.ends[end].got.clone()).unwrap();
    assert_eq!(
        text,
        "1970-01-01T00:00:01.000000Z > one\n1970-01-01T00:00:01.000000Z > two\n"
    );
}

#[test]
fn a_connection_gets_what_max_bytes_allows_to_the_byte() {
    let mut world = World::new(Config {
        max_bytes: Some(100),
        ..Config::default()
    });
    let end = world.open();
    assert_eq!(world.send(end, &input(250), 70), 100);
    assert_eq!(world.ends[end].got, input(250)[..100]);
    assert_eq!(world.ends[end].closed, Some("closed"));
}

#[test]
fn only_so_many_come_in_at_once_and_in_all() {
    let mut world = World::with_door(Config::default(), Door::new(2, Some(3)));
    let [one, two, three] = [world.open(), world.open(), world.open()];
    assert_eq!(world.ends[three].closed, Some("closed"), "there is no room");
    assert_eq!(world.tally.refused.get(), 1);
    world.finish(one);
    assert!(!world.enough);
    let four = world.open();
    assert!(world.enough && !world.done);
    let late = world.open();
    assert!(world.ends[late].closed.is_some());
    assert_eq!(world.send(four, b"x", 1), 1);
    world.finish(two);
    assert!(!world.done);
    world.finish(four);
    assert!(world.done && world.door.is_done());
}

#[test]
fn who_is_idle_is_closed_and_who_is_not_stays() {
    let mut world = World::new(Config {
        idle_timeout: Some(Duration::from_secs(10)),
        ..Config::default()
    });
    let [idle, busy, deaf] = [world.open(), world.open(), world.open()];
    world.reads(deaf, 5);
    world.send(deaf, &input(10), usize::MAX);
    for _ in 0..3 {
        world.pass(Duration::from_secs(4));
        world.send(busy, b"x", 1);
    }
    assert_eq!(world.ends[idle].closed, Some("closed"));
    assert_eq!(world.ends[deaf].closed, Some("aborted"));
    assert_eq!(world.ends[busy].closed, None);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.ends[busy].closed, Some("closed"));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.machine.next_deadline(), None);
}

/// Over TLS: the driver holds the last records of a connection whose outbox is empty.
#[test]
fn who_does_not_let_itself_be_closed_is_put_out() {
    for (timeout, patience) in [(10, 10), (1, 2)] {
        let mut world = World::new(Config {
            idle_timeout: Some(Duration::from_secs(timeout)),
            ..Config::default()
        });
        let [ended, idle] = [world.open(), world.open()];
        for end in [ended, idle] {
            world.ends[end].stuck = true;
            world.send(end, b"x", 1);
        }
        world.finish(ended);
        assert!(world.ends[ended].closing);
        world.pass(Duration::from_millis(patience * 1000 - 1));
        assert_eq!(world.ends[ended].closed, None);
        world.pass(Duration::from_millis(1));
        assert_eq!(world.ends[ended].closed, Some("aborted"));
        assert!(world.ends[idle].closing);
        world.pass(Duration::from_secs(patience));
        assert_eq!(world.ends[idle].closed, Some("aborted"));
        assert_eq!(world.tally.closed.get(), 2);
        assert_eq!(world.machine.next_deadline(), None);
    }
}

#[test]
fn coming_and_going_does_not_pile_up_alarms() {
    let mut world = World::new(Config {
        idle_timeout: Some(Duration::from_secs(300)),
        ..Config::default()
    });
    for generation in 0..1000 {
        let conn = ConnId {
            slot: 0,
            generation,
        };
        let now = world.now();
        let (origin, peer) = (Origin(0), &PeerAddr::Unix(None));
        world
            .machine
            .handle(now, Event::Opened { conn, origin, peer });
        let ending = Ending::Drained;
        world.machine.handle(now, Event::Closed { conn, ending });
    }
    assert_eq!(world.machine.timers.count(), 1);
    assert_eq!(world.tally.closed.get(), 1000);
}

#[test]
fn told_to_end_it_closes_all_and_leaves_after_the_grace() {
    let mut world = World::new(Config::default());
    let (reader, deaf) = (world.open(), world.open());
    world.send(reader, b"x", 1);
    world.reads(deaf, 0);
    world.send(deaf, b"x", 1);
    world.machine.handle(
        world.now(),
        Event::Signal(crate::core::machine::Signal::Terminate),
    );
    world.settle();
    assert!(!world.listening && world.exited);
    assert_eq!(world.ends[reader].closed, Some("closed"));
    let late = world.open();
    assert_eq!(world.ends[late].closed, Some("aborted"));
}

#[test]
fn everything_is_told_when_it_is_asked_for() {
    let mut world = World::new(Config {
        tells: Tells {
            connections: true,
            datagrams: false,
            bytes: true,
        },
        ..Config::default()
    });
    let end = world.open();
    world.send(end, b"abc", 2);
    world.finish(end);
    let texts: Vec<String> = world.reports.iter().map(Report::text).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert_eq!(texts[0], "unix: connected\n");
    assert!(texts[2].contains("00000002  63 "), "{texts:?}");
    assert_eq!(texts[3], "unix: left: 3 bytes in, 3 out\n");
}
