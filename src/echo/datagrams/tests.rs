use super::*;

use crate::core::random::Probability;
use crate::echo::chaos::Chaos;
use crate::echo::lines::Additions;

struct World {
    machine: Datagrams,
    tally: Arc<Tally>,
    now: Duration,
    sent: Vec<Vec<u8>>,
}

fn arrival(from: &str) -> Arrival {
    Arrival {
        route: Route {
            socket: 0,
            peer: Correspondent::Inet(from.parse().unwrap()),
            local: None,
        },
        kernel_micros: None,
    }
}

impl World {
    fn new(config: Config) -> Self {
        Self::with_count(config, None)
    }

    fn with_count(config: Config, count: Option<u64>) -> Self {
        let tally = Arc::new(Tally::default());
        let ours = vec![Correspondent::Inet("127.0.0.1:9000".parse().unwrap())];
        let guard = Guard::new(ours, config.source_rate, 1);
        let door = Arc::new(Door::new(1, count));
        Self {
            machine: Datagrams::new(Arc::new(config), door, Arc::clone(&tally), guard),
            tally,
            now: Duration::from_secs(1),
            sent: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now {
            since_start: self.now,
            unix_micros: self.now.as_micros() as i64,
        }
    }

    fn receive_from(&mut self, from: &str, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        let now = self.now();
        match self.machine.received(now, &arrival(from), &mut buffer) {
            Answer::Nothing => {}
            Answer::Same => self.sent.push(buffer),
            Answer::Other(bytes) => self.sent.push(bytes),
        }
        self.flush();
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.receive_from("127.0.0.1:40000", bytes);
    }

    fn flush(&mut self) {
        while let Some(outgoing) = self.machine.next_outgoing(self.now()) {
            self.sent.push(outgoing.bytes);
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.machine.next_deadline().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.machine.deadline(self.now());
            self.flush();
        }
        self.now = until;
    }
}

fn chaotic(change: impl FnOnce(&mut Chaos)) -> Config {
    let mut config = Config::default();
    change(&mut config.chaos);
    config
}

fn always() -> Probability {
    Probability::new(1.0).unwrap()
}

#[test]
fn a_datagram_comes_back_as_it_was_whatever_its_size() {
    let mut world = World::new(Config::default());
    for size in [0, 1, 1472, 65_507] {
        world.receive(&vec![7; size]);
        assert_eq!(world.sent.pop(), Some(vec![7; size]));
    }
    assert_eq!(world.tally.datagrams_sent.get(), 4);
}

#[test]
fn what_the_guard_objects_to_is_counted_and_not_answered() {
    let mut world = World::new(Config::default());
    world.receive_from("192.0.2.1:7", b"x");
    world.receive_from("192.0.2.1:9000", b"x");
    assert!(world.sent.is_empty());
    assert_eq!(world.tally.datagrams_unanswered.get(), 2);
}

#[test]
fn an_answer_to_another_machine_is_never_longer_than_what_came() {
    let mut world = World::new(Config {
        additions: Additions {
            timestamp: true,
            prefix: "> ".into(),
        },
        ..Config::default()
    });
    for size in [0, 1, 10, 100] {
        world.receive_from("192.0.2.1:40000", &vec![b'x'; size]);
        assert_eq!(world.sent.pop().map(|answer| answer.len()), Some(size));
    }
    world.receive(b"hello");
    let answer = String::from_utf8(world.sent.pop().unwrap()).unwrap();
    assert_eq!(
        answer,
        "1970-01-01T00:00:01.000000Z 1970-01-01T00:00:01.000000Z > hello"
    );
}

#[test]
fn datagrams_can_be_lost_doubled_and_damaged() {
    let mut world = World::new(chaotic(|c| c.drop = always()));
    world.receive(b"x");
    assert!(world.sent.is_empty());
    let mut world = World::new(chaotic(|c| c.duplicate = always()));
    world.receive(b"x");
    assert_eq!(world.sent, [b"x", b"x"]);
    let mut world = World::new(chaotic(|c| c.corrupt = always()));
    world.receive(&[0; 10]);
    let bits: u32 = world.sent[0].iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(bits, 1);
    assert_eq!(world.tally.datagrams_sent.get(), 1);
}

#[test]
fn one_that_is_held_back_goes_after_the_next_or_when_none_comes() {
    let mut world = World::new(chaotic(|c| c.reorder = always()));
    world.receive(b"a");
    assert!(world.sent.is_empty());
    world.receive(b"b");
    assert_eq!(world.sent, [b"b", b"a"]);
    world.receive(b"c");
    world.pass(HELD_BACK);
    assert_eq!(world.sent, [b"b", b"a", b"c"]);
    assert_eq!(world.machine.waiting_bytes, 0);
}

/// What is held back for one is not let go by what another sends.
#[test]
fn each_correspondent_has_an_order_of_its_own() {
    let mut world = World::new(chaotic(|c| c.reorder = always()));
    let (one, other) = ("127.0.0.1:40000", "127.0.0.1:40001");
    world.receive_from(one, b"a");
    world.receive_from(other, b"A");
    assert!(world.sent.is_empty());
    world.receive_from(one, b"b");
    assert_eq!(world.sent, [b"b", b"a"]);
    world.receive_from(other, b"B");
    assert_eq!(world.sent[2..], [b"B", b"A"]);
    world.receive_from(one, b"c");
    world.pass(HELD_BACK);
    assert_eq!(world.sent[4..], [b"c"]);
    assert!(world.machine.held_back.is_empty());
    assert_eq!(world.machine.waiting_bytes, 0);
}

/// Whether somebody is answered may hang on the time, which must not change what is done to the others.
#[test]
fn those_that_are_not_answered_have_a_number_too() {
    let got = |silent: bool| {
        let mut world = World::new(chaotic(|c| c.drop = Probability::new(0.5).unwrap()));
        for number in 0..100 {
            match silent && number % 2 == 0 {
                true => world.receive_from("192.0.2.1:7", &[number]),
                false => world.receive(&[number]),
            }
        }
        world.sent.retain(|answer| answer[0] % 2 == 1);
        world.sent
    };
    assert_eq!(got(true), got(false));
}

#[test]
fn a_delay_is_kept_and_what_waits_is_bounded() {
    let mut world = World::new(chaotic(|c| c.delay = Duration::from_millis(50)));
    world.receive(b"a");
    world.pass(Duration::from_millis(49));
    assert!(world.sent.is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.sent, [b"a"]);
    for _ in 0..2000 {
        world.receive(&[0; 60_000]);
    }
    assert!(world.machine.waiting_bytes <= MAX_WAITING);
    assert!(world.tally.datagrams_undelivered.get() > 0);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.machine.waiting_bytes, 0);
}

#[test]
fn the_same_seed_loses_the_same_datagrams() {
    let got = |seed| {
        let mut config = chaotic(|c| {
            c.drop = Probability::new(0.3).unwrap();
            c.duplicate = Probability::new(0.3).unwrap();
            c.reorder = Probability::new(0.3).unwrap();
        });
        config.seed = seed;
        let mut world = World::new(config);
        for number in 0..200 {
            world.receive(&[number]);
        }
        world.pass(Duration::from_secs(1));
        world.sent
    };
    assert_eq!(got(1), got(1));
    assert_ne!(got(1), got(2));
}

#[test]
fn after_so_many_it_has_done_enough() {
    let mut world = World::with_count(Config::default(), Some(2));
    world.receive(b"a");
    assert_eq!(world.machine.action(), None);
    world.receive(b"b");
    world.receive(b"c");
    assert_eq!(world.sent, [b"a", b"b"]);
    assert_eq!(world.machine.action(), Some(Action::Enough));
    assert_eq!(world.machine.action(), Some(Action::Done));
    assert_eq!(world.machine.action(), None);
    assert!(!world.machine.is_done());
    world.machine.signal(world.now(), Signal::Terminate);
    assert!(world.machine.is_done());
}

#[test]
fn a_longer_one_than_allowed_is_not_answered() {
    let mut world = World::new(Config {
        max_bytes: Some(3),
        ..Config::default()
    });
    world.receive(b"abc");
    world.receive(b"abcd");
    assert_eq!(world.sent, [b"abc"]);
}
