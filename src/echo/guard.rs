//! What keeps an echo of datagrams from harming others. Anybody can write anybody's address on a datagram,
//! so a careless echo can be made to flood a third party or to talk to another one for ever:
//!
//! - A service that answers everything is not answered: [`ANSWERING_PORTS`], our own default port, and any
//!   port that we listen on, since that may be a socket of this process under any of the machine's addresses,
//!   and the same program may run elsewhere (the loops of CERT advisory CA-1996-01 and of CVE-2024-2169).
//! - One address, or one IPv6 network of 64 bits, gets so many answers per second, unless it is a loopback
//!   one, from where only root can write another's address. An echo on a port that nobody could know of is
//!   not told from a client: two of them that somebody has set on each other go on until one is lost, or
//!   comes too fast, which ends it.
//!
//! That no answer is longer than what came is [`crate::echo::datagrams`]' business.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::IpAddr;
use std::time::Duration;

use crate::core::datagram::contract::{Arrival, Correspondent};
use crate::core::random::Random;
use crate::echo::config::Rate;

/// Services over UDP that answer whatever comes, or complain about it: port 0, which is no sender's, echo,
/// systat, daytime, qotd, chargen, time, DNS, TFTP, NTP, and echo's port here.
pub const ANSWERING_PORTS: [u16; 11] = [0, 7, 11, 13, 17, 19, 37, 53, 69, 123, 8887];

/// How many senders are told apart. More share their allowance with others, by chance: memory is bounded,
/// and a flood of forged senders never gets more than this many times the rate.
const BUCKETS: usize = 4096;

/// Why a datagram is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It is from a service that would answer the answer.
    EchoPort,
    /// It is from a socket of this process.
    Ourselves,
    /// Its sender has had as many answers as it gets in this time.
    TooFast,
    /// Its sender has no address.
    NoAddress,
    /// It is longer than allowed.
    TooLong,
}

impl Silence {
    /// As a word for events.
    pub fn word(self) -> &'static str {
        match self {
            Silence::EchoPort => "echo_port",
            Silence::Ourselves => "ourselves",
            Silence::TooFast => "too_fast",
            Silence::NoAddress => "no_address",
            Silence::TooLong => "too_long",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// Decides who is answered.
#[derive(Debug)]
pub struct Guard {
    /// The addresses and names of our sockets.
    ours: Vec<Correspondent>,
    rate: Option<Rate>,
    buckets: Vec<Bucket>,
    /// Nobody shall choose with whom he shares a bucket.
    key: u64,
}

impl Guard {
    /// For sockets at these addresses.
    pub fn new(ours: Vec<Correspondent>, rate: Option<Rate>, key: u64) -> Self {
        let full = Bucket {
            tokens: rate.map_or(0.0, |rate| rate.burst),
            at: Duration::ZERO,
        };
        Self {
            ours,
            rate,
            buckets: match rate {
                Some(_) => vec![full; BUCKETS],
                None => Vec::new(),
            },
            key,
        }
    }

    /// Whether a datagram that came may be answered.
    pub fn admit(&mut self, now: Duration, arrival: &Arrival) -> Result<(), Silence> {
        let from = match &arrival.route.peer {
            Correspondent::Inet(from) => *from,
            Correspondent::Nobody => return Err(Silence::NoAddress),
            // Nobody can take another's name there, but a name can come to lead to us by a link.
            peer @ Correspondent::Unix(_) => {
                return match self.ours.contains(peer) {
                    true => Err(Silence::Ourselves),
                    false => Ok(()),
                };
            }
            Correspondent::Connected => return Ok(()),
        };
        if ANSWERING_PORTS.contains(&from.port()) {
            return Err(Silence::EchoPort);
        }
        for ours in &self.ours {
            let Correspondent::Inet(ours) = ours else {
                continue;
            };
            if ours.port() != from.port() {
                continue;
            }
            let asked = arrival.route.local.map(|local| local.ip);
            let is_here =
                from.ip().is_loopback() || from.ip() == ours.ip() || asked == Some(from.ip());
            return Err(match is_here {
                true => Silence::Ourselves,
                false => Silence::EchoPort,
            });
        }
        match self.rate {
            Some(rate) if !from.ip().is_loopback() => self.spend(now, rate, from.ip()),
            _ => Ok(()),
        }
    }

    fn spend(&mut self, now: Duration, rate: Rate, ip: IpAddr) -> Result<(), Silence> {
        let sender = match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            // A whole network of 64 bits is one customer's (RFC 6177).
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ 1 << 63,
        };
        let at = Random::new(self.key, sender).below(BUCKETS as u64) as usize;
        let bucket = &mut self.buckets[at];
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.at = now;
        bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.burst);
        if bucket.tokens < 1.0 {
            return Err(Silence::TooFast);
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::datagram::contract::{Local, Route};

    fn arrival(socket: usize, from: &str, asked: Option<&str>) -> Arrival {
        Arrival {
            route: Route {
                socket,
                peer: Correspondent::Inet(from.parse().unwrap()),
                local: asked.map(|ip| Local {
                    ip: ip.parse().unwrap(),
                    interface: 0,
                }),
            },
            kernel_micros: None,
        }
    }

    fn guard(rate: Option<Rate>) -> Guard {
        let ours = ["127.0.0.1:9000", "0.0.0.0:9001"];
        let ours = ours.map(|text| Correspondent::Inet(text.parse().unwrap()));
        let unix = Correspondent::Unix((*b"/run/echo").into());
        Guard::new(ours.into_iter().chain([unix]).collect(), rate, 1)
    }

    #[test]
    fn who_would_answer_the_answer_is_not_answered() {
        let mut guard = guard(None);
        let mut says = |socket, from: &str, asked| {
            guard
                .admit(Duration::ZERO, &arrival(socket, from, asked))
                .err()
        };
        for port in [0, 7, 13, 17, 19, 37, 53, 69, 123, 8887] {
            let from = format!("192.0.2.1:{port}");
            assert_eq!(says(0, &from, None), Some(Silence::EchoPort), "{from}");
        }
        assert_eq!(says(0, "192.0.2.1:9000", None), Some(Silence::EchoPort));
        assert_eq!(says(0, "127.0.0.1:9001", None), Some(Silence::Ourselves));
        assert_eq!(says(1, "127.0.0.1:9000", None), Some(Silence::Ourselves));
        let here = Some("198.51.100.5");
        assert_eq!(says(1, "198.51.100.5:9000", here), Some(Silence::Ourselves));
        let elsewhere = Some(Silence::EchoPort);
        assert_eq!(says(1, "192.0.2.1:9000", here), elsewhere, "the same there");
        let another = says(1, "192.0.2.1:9001", here);
        assert_eq!(another, elsewhere, "or another address of ours");
        assert_eq!(says(0, "192.0.2.1:40000", None), None);
    }

    #[test]
    fn a_name_that_has_come_to_be_ours_is_not_answered() {
        let mut guard = guard(None);
        let mut says = |name: &[u8]| {
            let mut named = arrival(2, "192.0.2.1:1000", None);
            named.route.peer = Correspondent::Unix(name.into());
            guard.admit(Duration::ZERO, &named)
        };
        assert_eq!(says(b"/run/echo"), Err(Silence::Ourselves));
        assert_eq!(says(b"/run/client"), Ok(()));
    }

    #[test]
    fn a_sender_without_an_address_is_not_answered() {
        let mut unnamed = arrival(0, "192.0.2.1:1000", None);
        unnamed.route.peer = Correspondent::Nobody;
        let says = guard(None).admit(Duration::ZERO, &unnamed);
        assert_eq!(says, Err(Silence::NoAddress));
    }

    #[test]
    fn one_address_gets_its_rate_and_this_machine_any() {
        let rate = Rate {
            per_second: 10.0,
            burst: 5.0,
        };
        let mut guard = guard(Some(rate));
        let mut count = |from: &str, at: u64| {
            let arrival = arrival(0, from, None);
            let at = Duration::from_millis(at);
            (0..100)
                .filter(|_| guard.admit(at, &arrival).is_ok())
                .count()
        };
        assert_eq!(count("192.0.2.1:1000", 0), 5, "the burst");
        assert_eq!(count("192.0.2.1:2000", 0), 0, "the port does not matter");
        assert_eq!(count("192.0.2.1:1000", 300), 3);
        assert_eq!(
            count("192.0.2.1:1000", 100_000),
            5,
            "no more than the burst"
        );
        assert_eq!(count("127.0.0.1:1000", 100_000), 100);
        assert_eq!(count("[2001:db8::1]:1000", 100_000), 5);
        assert_eq!(count("[2001:db8::2]:1000", 100_000), 0, "the same network");
    }
}
