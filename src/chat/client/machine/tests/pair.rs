//! The client and the real server, joined by wires that carry a few bytes at a time and are cut at random.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{config, said};
use crate::chat::client::machine::{Action, Client, Config, Goal, Note};
use crate::chat::room::Memory;
use crate::chat::server::{self, Access, Limits, Server, Slow};
use crate::core::address::PeerAddr;
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Origin};
use crate::error::Result;

/// A generator for the wires' whims: the same seed, the same faults.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// One client with its wire.
struct End {
    client: Client,
    wire: Option<Wire>,
    dialled: bool,
    exited: bool,
    said: Vec<String>,
}

struct Wire {
    client: ConnId,
    server: ConnId,
    up: VecDeque<u8>,
    down: VecDeque<u8>,
    /// Each end closes when what it had to say is delivered.
    client_closes: bool,
    server_closes: bool,
}

struct Pair {
    server: Server,
    ends: Vec<End>,
    now: Duration,
    next: u32,
    dice: Dice,
    cuts: usize,
}

fn server() -> Server {
    Server::new(server::Config {
        limits: Limits {
            max_clients: 10,
            max_per_ip: 10,
            rate: None,
            max_line: 4096,
            idle_timeout: None,
            send_queue: 1 << 20,
            slow: Slow::Skip,
        },
        max_rooms: 10,
        memory: Memory {
            lines: 10_000,
            bytes: 1 << 22,
        },
        password: None,
        access: Access::default(),
        drain: Duration::from_secs(2),
        epoch: 1,
        durable: false,
        reports: false,
        adjust: |_, _, _| Ok(()),
    })
}

fn transmit<M: Machine>(machine: &mut M, now: Now, mut take: impl FnMut(ConnId, &[u8])) {
    while let Some(conn) = machine.next_transmit(now) {
        loop {
            let (bytes, all): (Vec<u8>, bool) = {
                let pending = machine.pending(conn);
                let bytes = pending.slices().iter().flat_map(|s| s.to_vec()).collect();
                (bytes, pending.is_all())
            };
            if bytes.is_empty() {
                break;
            }
            take(conn, &bytes);
            machine.sent(now, conn, bytes.len());
            if all {
                break;
            }
        }
    }
}

impl Pair {
    fn new(seed: u64, clients: Vec<Config>) -> Self {
        let ends = clients
            .into_iter()
            .map(|config| End {
                client: Client::new(config),
                wire: None,
                dialled: false,
                exited: false,
                said: Vec::new(),
            })
            .collect();
        Self {
            server: server(),
            ends,
            now: Duration::ZERO,
            next: 0,
            dice: Dice(seed | 1),
            cuts: 0,
        }
    }

    fn stamp(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: self.now.as_micros() as i64,
        }
    }

    fn wire_of(&mut self, conn: ConnId) -> Option<&mut Wire> {
        self.ends
            .iter_mut()
            .filter_map(|end| end.wire.as_mut())
            .find(|wire| wire.server == conn)
    }

    fn settle(&mut self) {
        let now = self.stamp();
        loop {
            let mut sent = Vec::new();
            transmit(&mut self.server, now, |conn, bytes| {
                sent.push((conn, bytes.to_vec()));
            });
            for (conn, bytes) in sent {
                if let Some(wire) = self.wire_of(conn) {
                    wire.down.extend(bytes);
                }
            }
            match self.server.effect() {
                None => break,
                Some(Effect::Close(conn)) => {
                    if let Some(wire) = self.wire_of(conn) {
                        wire.server_closes = true;
                    }
                }
                Some(Effect::Abort(conn)) => panic!("the server gave {conn} up"),
                Some(_) => {}
            }
        }
        for end in &mut self.ends {
            loop {
                let End { client, wire, .. } = end;
                transmit(client, now, |conn, bytes| {
                    if let Some(wire) = wire.as_mut().filter(|wire| wire.client == conn) {
                        wire.up.extend(bytes);
                    }
                });
                match end.client.effect() {
                    None => break,
                    Some(Effect::Act(Action::Dial)) => end.dialled = true,
                    Some(Effect::Act(Action::Show(shown))) => end.said.extend(said(&shown)),
                    Some(Effect::Exit) => end.exited = true,
                    Some(Effect::Close(_)) => {
                        if let Some(wire) = &mut end.wire {
                            wire.client_closes = true;
                        }
                    }
                    Some(Effect::Abort(_)) => {
                        // The server hears of it as of any cut.
                        if let Some(wire) = end.wire.take() {
                            let ending = Ending::Failed(std::io::ErrorKind::ConnectionReset);
                            let conn = wire.server;
                            self.server.handle(now, Event::Closed { conn, ending });
                        }
                    }
                    Some(effect) => panic!("{effect:?}"),
                }
            }
        }
    }

    fn open(&mut self, index: usize) {
        let now = self.stamp();
        let id = |slot| ConnId {
            slot,
            generation: self.next,
        };
        let (client, server) = (id(0), id(index as u32));
        self.next += 1;
        let end = &mut self.ends[index];
        end.dialled = false;
        end.wire = Some(Wire {
            client,
            server,
            up: VecDeque::new(),
            down: VecDeque::new(),
            client_closes: false,
            server_closes: false,
        });
        let peer = PeerAddr::from_socket_addr(([127, 0, 0, 1], 8888).into());
        let opened = |conn| Event::Opened {
            conn,
            origin: Origin(0),
            peer: &peer,
        };
        self.server.handle(now, opened(server));
        let opened = Event::Opened {
            conn: client,
            origin: Origin(0),
            peer: &peer,
        };
        end.client.handle(now, opened);
    }

    fn cut(&mut self, index: usize) {
        let now = self.stamp();
        let end = &mut self.ends[index];
        let Some(wire) = end.wire.take() else {
            return;
        };
        self.cuts += 1;
        let ending = Ending::Failed(std::io::ErrorKind::ConnectionReset);
        let conn = wire.server;
        self.server.handle(now, Event::Closed { conn, ending });
        let conn = wire.client;
        end.client.handle(now, Event::Closed { conn, ending });
    }

    /// Carries a few bytes of one wire in both directions.
    fn carry(&mut self, index: usize, most: usize) {
        let now = self.stamp();
        let Some(wire) = &mut self.ends[index].wire else {
            return;
        };
        let (client, server) = (wire.client, wire.server);
        let count = self.dice.below(most).min(wire.up.len());
        let up: Vec<u8> = wire.up.drain(..count).collect();
        let count = self.dice.below(most).min(wire.down.len());
        let down: Vec<u8> = wire.down.drain(..count).collect();
        let client_closed = wire.client_closes && wire.up.is_empty();
        let server_closed = wire.server_closes && wire.down.is_empty();
        let appetite = self.server.appetite(server);
        assert!(up.len() <= appetite.max(most));
        if !up.is_empty() {
            let (conn, bytes) = (server, up.as_slice());
            self.server.handle(now, Event::Received { conn, bytes });
        }
        if !down.is_empty() {
            let (conn, bytes) = (client, down.as_slice());
            let end = &mut self.ends[index];
            end.client.handle(now, Event::Received { conn, bytes });
        }
        self.settle();
        if client_closed || server_closed {
            let ending = Ending::Drained;
            if let Some(wire) = self.ends[index].wire.take() {
                let conn = wire.server;
                self.server.handle(now, Event::Closed { conn, ending });
                let conn = wire.client;
                let client = &mut self.ends[index].client;
                client.handle(now, Event::Closed { conn, ending });
            }
        }
    }

    fn step(&mut self, cut_one_in: usize, most: usize) {
        self.now += Duration::from_millis(self.dice.below(50) as u64);
        let now = self.stamp();
        if self.server.next_deadline().is_some_and(|at| at <= self.now) {
            self.server.handle(now, Event::Deadline);
        }
        for index in 0..self.ends.len() {
            let end = &mut self.ends[index];
            if end.exited {
                continue;
            }
            if end.client.next_deadline().is_some_and(|at| at <= self.now) {
                end.client.handle(now, Event::Deadline);
            }
            if end.dialled {
                self.open(index);
            }
            self.settle();
            self.carry(index, most);
            if self.dice.below(cut_one_in) == 0 {
                self.cut(index);
            }
            self.settle();
        }
    }

    fn result(&mut self, index: usize) -> Result<()> {
        self.ends[index].client.take_result()
    }
}

fn client(session: u128, nick: &str, goal: Goal) -> Config {
    Config {
        session,
        seed: session as u64,
        nick: Some(nick.into()),
        goal,
        ..config()
    }
}

/// Two who speak and one who listens, cut off again and again.
fn converse(seed: u64, cut_one_in: usize, most: usize) -> usize {
    const LINES: usize = 40;
    let listens = Goal {
        count: Some(2 * LINES as u64),
        ..Goal::default()
    };
    let mut pair = Pair::new(
        seed,
        vec![
            client(1, "listener", listens),
            client(2, "ann", Goal::default()),
            client(3, "bob", Goal::default()),
        ],
    );
    // Who listens is there first.
    while pair.ends[0].said.is_empty() && pair.now < Duration::from_secs(600) {
        pair.step(usize::MAX, 1000);
        if pair.ends[0].client.was_in {
            break;
        }
    }
    let now = pair.stamp();
    for (index, nick) in [(1, "ann"), (2, "bob")] {
        for number in 0..LINES {
            let text = format!("{nick} {number}");
            let note = Event::Note(Note::Line(text));
            pair.ends[index].client.handle(now, note);
        }
        let ended = Event::Note(Note::InputEnded);
        pair.ends[index].client.handle(now, ended);
    }
    let mut steps = 0;
    while pair.ends.iter().any(|end| !end.exited) {
        pair.step(cut_one_in, most);
        steps += 1;
        assert!(steps < 200_000, "it comes to an end");
    }
    for index in 0..3 {
        if let Err(error) = pair.result(index) {
            panic!("{index}: {error}");
        }
    }
    let heard = &pair.ends[0].said;
    assert_eq!(heard.len(), 2 * LINES, "none lost, none twice");
    for nick in ["ann", "bob"] {
        let lines: Vec<String> = heard
            .iter()
            .filter(|line| line.starts_with(nick))
            .cloned()
            .collect();
        let expected: Vec<String> = (0..LINES)
            .map(|number| format!("{nick} {number}"))
            .collect();
        assert_eq!(lines, expected, "in order");
    }
    pair.cuts
}

#[test]
fn a_hundred_cuts_at_random_bytes_lose_no_line_and_double_none() {
    let mut cuts = 0;
    for seed in 1..40u64 {
        cuts += converse(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 15, 600);
    }
    assert!(cuts >= 100, "{cuts} cuts");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_the_wire_does_the_talk_is_whole(seed in 1u64.., cut_one_in in 8usize..60, most in 50usize..3000) {
        converse(seed, cut_one_in, most.max(400));
    }
}
