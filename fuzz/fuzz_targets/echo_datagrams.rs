//! The echo of datagrams: no answer is longer than what came.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sockkit::core::datagram::contract::{
    Answer, Arrival, Correspondent, DatagramMachine, Route,
};
use sockkit::core::machine::Now;
use sockkit::core::random::Probability;
use sockkit::echo::chaos::Chaos;
use sockkit::echo::config::{Config, Rate};
use sockkit::echo::datagrams::Datagrams;
use sockkit::echo::door::Door;
use sockkit::echo::guard::Guard;
use sockkit::echo::tally::Tally;
use sockkit_fuzz::Script;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let flags = script.byte().unwrap_or(0);
    let often = |bit: u8| Probability::new(f64::from(flags >> bit & 1) / 2.0).unwrap_or_default();
    let rate = Rate {
        per_second: 10.0,
        burst: 5.0,
    };
    let config = Config {
        chaos: Chaos {
            delay: Duration::from_millis(u64::from(flags & 1) * 50),
            corrupt: often(1),
            drop: often(2),
            duplicate: often(3),
            reorder: often(4),
            ..Chaos::default()
        },
        seed: 7,
        max_bytes: (flags >> 5 & 1 == 1).then_some(100),
        ..Config::default()
    };
    let ours = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 9).into(), 8887);
    let guard = Guard::new(vec![Correspondent::Inet(ours)], Some(rate), 7);
    let door = Arc::new(Door::new(10, None));
    let mut machine = Datagrams::new(Arc::new(config), door, Arc::new(Tally::default()), guard);
    let mut at = Duration::ZERO;
    let (mut came, mut went) = (0, 0);
    while let Some(what) = script.byte() {
        at += Duration::from_millis(u64::from(what >> 4));
        let now = Now {
            since_start: at,
            unix_micros: at.as_micros() as i64,
        };
        let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, what % 4));
        let port = [40_000, 7, 8887, 0][usize::from(what >> 2 & 3)];
        let arrival = Arrival {
            route: Route {
                socket: 0,
                peer: Correspondent::Inet(SocketAddr::new(from, port)),
                local: None,
            },
            kernel_micros: None,
        };
        let mut datagram = script.piece().to_vec();
        came += datagram.len();
        went += match machine.received(now, &arrival, &mut datagram) {
            Answer::Nothing => 0,
            Answer::Same => datagram.len(),
            Answer::Other(bytes) => bytes.len(),
        };
        if machine.next_deadline().is_some_and(|due| due <= at) {
            machine.deadline(now);
        }
        while let Some(outgoing) = machine.next_outgoing(now) {
            went += outgoing.bytes.len();
        }
        while machine.action().is_some() {}
    }
    assert!(went <= 2 * came, "{went} bytes for {came}: each comes twice at most");
});
