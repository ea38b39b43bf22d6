//! Nothing lost, nothing twice: a server, a few people, a few programs that keep to `wire`'s rules and no more, and
//! a network and a disk that do what networks and disks do. Each run is one seed, and repeats exactly.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::world::{Disk, Fate, Peer, World, hello};
use crate::chat::room::Entry;
use crate::chat::server::Config;
use crate::chat::wire::{ChatEvent, Hello, Op, Reason, encode};

/// A small generator of the xorshift family: the same numbers for a seed for ever.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides.max(1)
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.throw(sides) == 0
    }
}

/// The least that a client has to do.
struct Client {
    number: u64,
    nick: String,
    peer: Option<Peer>,
    welcomed: bool,
    outgoing: Vec<u8>,
    last_seq: u64,
    unacked: VecDeque<(u64, String)>,
    said: BTreeMap<u64, String>,
    refused: BTreeSet<u64>,
    seen: u64,
    got: BTreeMap<u64, String>,
    private_seen: u64,
    privates: Vec<String>,
}

impl Client {
    fn new(number: u64) -> Self {
        Client {
            number,
            nick: format!("prog{}", ["a", "b", "c", "d"][number as usize % 4]),
            peer: None,
            welcomed: false,
            outgoing: Vec::new(),
            last_seq: 0,
            unacked: VecDeque::new(),
            said: BTreeMap::new(),
            refused: BTreeSet::new(),
            seen: 0,
            got: BTreeMap::new(),
            private_seen: 0,
            privates: Vec::new(),
        }
    }

    fn connect(&mut self, world: &mut World) {
        let peer = world.arrives();
        self.peer = Some(peer);
        self.welcomed = false;
        self.outgoing.clear();
        encode(
            &mut self.outgoing,
            &Hello {
                seen: Some(self.seen),
                private: self.private_seen,
                ..hello(self.number, &self.nick)
            },
        );
        // Silence would be a person's.
        self.flush(world, 1);
    }

    fn say(&mut self, text: String) {
        self.last_seq += 1;
        let seq = self.last_seq;
        self.said.insert(seq, text.clone());
        if self.welcomed {
            let text = text.as_str().into();
            encode(&mut self.outgoing, &Op::Line { seq, text });
        }
        self.unacked.push_back((seq, text));
    }

    /// Sends so many of the bytes that are to be sent.
    fn flush(&mut self, world: &mut World, count: usize) {
        let count = count.min(self.outgoing.len());
        if let Some(peer) = self.peer {
            world.sends(peer, &self.outgoing[..count]);
        }
        self.outgoing.drain(..count);
    }

    /// Takes in so many of the lines that have arrived; the rest is as if it never had.
    fn listen(&mut self, world: &mut World, count: usize) {
        let Some(peer) = self.peer else {
            return;
        };
        for event in world.told(peer).into_iter().take(count) {
            self.take(event);
        }
    }

    fn take(&mut self, event: ChatEvent<'static>) {
        match event {
            ChatEvent::Welcome { acked, nick, .. } => {
                assert_eq!(nick, self.nick);
                self.welcomed = true;
                self.acknowledged(acked);
                for (seq, text) in &self.unacked {
                    let (seq, text) = (*seq, text.as_str().into());
                    encode(&mut self.outgoing, &Op::Line { seq, text });
                }
            }
            ChatEvent::Ack { seq } => self.acknowledged(seq),
            // One that is not waited for is old news.
            ChatEvent::Refusal { seq, .. } if self.waits_for(seq) => {
                self.refused.insert(seq);
                self.unacked.retain(|(unacked, _)| *unacked != seq);
            }
            ChatEvent::Message { id, nick, text, .. } => {
                assert!(id > self.seen, "{id} after {}", self.seen);
                assert_ne!(nick, self.nick, "its own line as news");
                self.seen = id;
                self.got.insert(id, text.into_owned());
            }
            ChatEvent::Private { number, text, .. } if number > self.private_seen => {
                assert_eq!(number, self.private_seen + 1);
                self.private_seen = number;
                self.privates.push(text.into_owned());
            }
            ChatEvent::Goodbye { reason, text } => {
                // A hello that was not completed in time.
                assert_eq!(reason, Reason::Idle, "{text}");
                self.peer = None;
            }
            ChatEvent::Gap { .. } | ChatEvent::Skipped { .. } => panic!("{event:?}"),
            _ => {}
        }
    }

    fn waits_for(&self, seq: u64) -> bool {
        self.unacked.iter().any(|(unacked, _)| *unacked == seq)
    }

    fn acknowledged(&mut self, seq: u64) {
        assert!(seq <= self.last_seq);
        self.unacked.retain(|(unacked, _)| *unacked > seq);
    }

    /// The connection is gone, and with it what had not been sent or read.
    fn cut(&mut self, world: &mut World, dice: &mut Dice) {
        let count = dice.throw(self.outgoing.len() + 1);
        self.flush(world, count);
        let read = dice.throw(30);
        self.listen(world, read);
        if let Some(peer) = self.peer.take() {
            world.cuts(peer);
        }
        self.welcomed = false;
        self.outgoing.clear();
    }
}

#[derive(Clone, Copy)]
struct Weather {
    durable: bool,
    crashes: bool,
    disk_fails: bool,
}

fn set_up(weather: Weather) -> impl Fn(&mut Config) {
    move |config| {
        config.durable = weather.durable;
        config.reports = false;
        config.limits.send_queue = 4 * 1024 * 1024;
        config.memory.lines = 100_000;
        config.memory.bytes = 64 * 1024 * 1024;
    }
}

fn simulate(seed: u64, weather: Weather) {
    let mut dice = Dice::new(seed);
    let change = set_up(weather);
    let mut world = World::with(&change);
    world.disk = match weather.durable {
        true => Disk::Waits,
        false => Disk::Prompt,
    };
    let mut clients: Vec<Client> = (0..3).map(|n| Client::new(n + 4 * (seed + 1))).collect();
    let mut people: Vec<Peer> = Vec::new();
    let mut everyone: Vec<Peer> = Vec::new();
    let mut said_by_people = 0;
    let mut whispered: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for step in 0..200 {
        let which = dice.throw(clients.len());
        let client = &mut clients[which];
        match dice.throw(26) {
            0..=5 => {
                let long = "x".repeat(dice.throw(120));
                client.say(format!("{which}:{step} {long}"));
            }
            6..=9 => {
                let count = dice.throw(200);
                client.flush(&mut world, count);
            }
            10..=11 => client.flush(&mut world, usize::MAX),
            12..=13 => client.listen(&mut world, usize::MAX),
            14 => client.cut(&mut world, &mut dice),
            15 if client.peer.is_none() || dice.one_in(4) => client.connect(&mut world),
            16 if client.peer.is_none() => client.connect(&mut world),
            17 => {
                if people.len() < 4 {
                    let peer = world.arrives();
                    people.push(peer);
                    everyone.push(peer);
                }
            }
            18..=19 => {
                if let Some(&peer) = people.get(dice.throw(people.len())) {
                    said_by_people += 1;
                    let text = format!("person {said_by_people}\n");
                    let torn = dice.throw(text.len());
                    world.sends(peer, &text.as_bytes()[..torn]);
                    world.sends(peer, &text.as_bytes()[torn..]);
                }
            }
            20 => {
                if !people.is_empty() && dice.one_in(3) {
                    let gone = people.swap_remove(dice.throw(people.len()));
                    match dice.one_in(2) {
                        true => world.ends(gone),
                        false => world.cuts(gone),
                    }
                }
            }
            21 => {
                let peer = client.peer.or(people.first().copied());
                if let Some(peer) = peer {
                    match dice.one_in(2) {
                        true => world.stops_reading(peer, dice.throw(500)),
                        false => world.reads(peer, dice.throw(2000)),
                    }
                }
            }
            22 => world.advance(Duration::from_millis(dice.throw(20_000) as u64)),
            23..=24 => {
                if !world.batches.is_empty() {
                    match weather.disk_fails && dice.one_in(4) {
                        true => world.fails_to_store("broken"),
                        false => world.stores(),
                    }
                }
            }
            _ => {
                if weather.crashes && dice.one_in(3) {
                    // Some of what was on its way got to the disk, and nobody was told.
                    for _ in 0..dice.throw(world.batches.len() + 1) {
                        let batch = world.batches.pop_front().expect("a batch");
                        let name = batch.name.to_string();
                        world.log.entry(name).or_default().extend(batch.bytes);
                    }
                    for client in &mut clients {
                        client.listen(&mut world, dice.throw(30));
                        client.peer = None;
                        client.welcomed = false;
                        client.outgoing.clear();
                    }
                    world.crash(&change);
                    people.clear();
                } else if !weather.crashes {
                    // Private lines are not in the log, so a crash may take them.
                    if let Some(&peer) = people.first() {
                        let known = (world.server.nicks).len();
                        let text = format!("psst {step}");
                        world.types(peer, &format!("/msg {} {text}", client.nick));
                        if client.welcomed && known > 0 && world.fate(peer) == Fate::Open {
                            whispered.entry(which).or_default().push(text);
                        }
                    }
                }
            }
        }
    }
    // The storm is over.
    world.disk = Disk::Prompt;
    for &peer in &everyone {
        world.reads(peer, usize::MAX);
    }
    for round in 0..10 {
        for client in &mut clients {
            if round == 0 || client.peer.is_none() {
                client.cut(&mut world, &mut dice);
                client.connect(&mut world);
            }
            client.flush(&mut world, usize::MAX);
            client.listen(&mut world, usize::MAX);
        }
        world.seconds(1);
    }
    judge(&world, &clients, &whispered, weather);
    for &peer in &everyone {
        judge_person(&world, peer, weather);
    }
}

fn lobby(world: &World) -> Vec<Entry> {
    let (_, place) = world.server.places.iter().next().expect("the lobby");
    place.room.since(0).cloned().collect()
}

fn judge(
    world: &World,
    clients: &[Client],
    whispered: &BTreeMap<usize, Vec<String>>,
    weather: Weather,
) {
    let log = lobby(world);
    let ids: Vec<u64> = log.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (1..=log.len() as u64).collect::<Vec<_>>());
    for (which, client) in clients.iter().enumerate() {
        assert_eq!(client.unacked, [], "everything is acknowledged in the end");
        let own = |entry: &&Entry| &*entry.nick == client.nick.as_str();
        let others: BTreeMap<u64, String> = (log.iter())
            .filter(|entry| !own(entry))
            .map(|entry| (entry.id, entry.text.to_string()))
            .collect();
        assert_eq!(client.got, others, "every line of the others, once");
        let in_log: Vec<&str> = log.iter().filter(own).map(|entry| &*entry.text).collect();
        let said: Vec<&str> = (client.said.iter())
            .filter(|(seq, _)| !client.refused.contains(seq))
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(in_log, said, "every line of its own, once and in order");
        assert!(weather.disk_fails || client.refused.is_empty());
        if let Some(whispered) = whispered.get(&which) {
            for text in whispered {
                let count = client.privates.iter().filter(|got| *got == text).count();
                assert!(count <= 1, "{text} came {count} times");
            }
        }
    }
}

/// A person sees whole lines in the order of the log, with none left out between the first and the last.
fn judge_person(world: &World, peer: Peer, weather: Weather) {
    let out = world.received(peer);
    let whole = out.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let text = std::str::from_utf8(&out[..whole]).expect("text");
    let nick = text
        .strip_prefix("* you are ")
        .and_then(|rest| rest.split(' ').next());
    let Some(nick) = nick else {
        assert_eq!(text, "");
        return;
    };
    let seen: Vec<&str> = text.lines().filter(|line| line.starts_with('<')).collect();
    if weather.crashes {
        // A person has no session: after a crash another may have the same nick.
        return;
    }
    let log: Vec<String> = (lobby(world).iter())
        .filter(|entry| &*entry.nick != nick)
        .map(|entry| format!("<{}> {}", entry.nick, entry.text))
        .collect();
    let Some(first) = seen.first() else {
        return;
    };
    let from = log
        .iter()
        .position(|line| line == first)
        .expect("a line that was said");
    assert_eq!(seen, log[from..from + seen.len()]);
}

#[test]
fn in_fair_weather_and_with_cuts() {
    for seed in 0..100 {
        simulate(
            seed,
            Weather {
                durable: false,
                crashes: false,
                disk_fails: false,
            },
        );
    }
}

#[test]
fn with_a_log_on_disk() {
    for seed in 1000..1100 {
        simulate(
            seed,
            Weather {
                durable: true,
                crashes: false,
                disk_fails: false,
            },
        );
    }
}

#[test]
fn with_crashes() {
    for seed in 2000..2100 {
        simulate(
            seed,
            Weather {
                durable: true,
                crashes: true,
                disk_fails: false,
            },
        );
    }
}

#[test]
fn with_a_disk_that_fails() {
    for seed in 3000..3100 {
        simulate(
            seed,
            Weather {
                durable: true,
                crashes: false,
                disk_fails: true,
            },
        );
    }
}
