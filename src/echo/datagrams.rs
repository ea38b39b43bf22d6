//! The echo of datagrams as a machine.
//!
//! A datagram is answered where it came from, by the address that it was sent to, with the same bytes: an
//! empty one with an empty one. What [`crate::echo::guard`] objects to is not answered. No answer that
//! leaves this machine is longer than what came: with additions it is cut.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::core::datagram::contract::{
    Answer, Arrival, Correspondent, DatagramMachine, Outgoing, Route,
};
use crate::core::machine::{Now, Signal};
use crate::core::timestamp::Timestamp;
use crate::echo::chaos::Treatment;
use crate::echo::config::Config;
use crate::echo::door::Door;
use crate::echo::guard::{Guard, Silence};
use crate::echo::report::{Bytes, Report};
use crate::echo::streams::Action;
use crate::echo::tally::Tally;

/// How many bytes of answers wait for their time. What comes beyond is not answered.
const MAX_WAITING: usize = 16 * 1024 * 1024;

/// What a waiting answer costs beside its bytes: an empty one is not free.
const OVERHEAD: usize = 256;

/// How long an answer that was held back waits for a next one to go before it.
pub const HELD_BACK: Duration = Duration::from_millis(200);

/// Echoes datagrams.
#[derive(Debug)]
pub struct Datagrams {
    config: Arc<Config>,
    door: Arc<Door>,
    tally: Arc<Tally>,
    guard: Guard,
    is_plain: bool,
    /// Answers that wait, by their time and the order in which they came.
    waiting: BTreeMap<(Duration, u64), Outgoing>,
    waiting_bytes: usize,
    /// The answers that were held back, one for a correspondent, by their places among those that wait.
    held_back: HashMap<Route, (Duration, u64)>,
    order: u64,
    /// How many have come: the number of the next one.
    came: u64,
    actions: VecDeque<Action>,
    done_told: bool,
    ended: bool,
}

impl Datagrams {
    /// The server's datagrams.
    pub fn new(config: Arc<Config>, door: Arc<Door>, tally: Arc<Tally>, guard: Guard) -> Self {
        Self {
            is_plain: config.chaos.spares_datagrams() && config.additions.are_none(),
            config,
            door,
            tally,
            guard,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            held_back: HashMap::new(),
            order: 0,
            came: 0,
            actions: VecDeque::new(),
            done_told: false,
            ended: false,
        }
    }

    fn tell(
        &mut self,
        now: Now,
        number: u64,
        arrival: &Arrival,
        bytes: &[u8],
        answer: &'static str,
    ) {
        let tells = self.config.tells;
        if !tells.datagrams && !tells.bytes {
            return;
        }
        let micros = arrival.kernel_micros.unwrap_or(now.unix_micros);
        let time = Timestamp::from_unix_micros(micros);
        let address = arrival.route.peer.to_string();
        if tells.datagrams {
            self.actions.push_back(Action::Report(Report::Datagram {
                time,
                number,
                address: address.clone(),
                length: bytes.len(),
                answer,
            }));
        }
        if tells.bytes {
            self.actions.push_back(Action::Report(Report::Received {
                time,
                address,
                number: None,
                offset: 0,
                hex: Bytes(bytes.to_vec()),
            }));
        }
    }

    fn keep(&mut self, due: Duration, route: &Route, bytes: Vec<u8>) -> Option<(Duration, u64)> {
        let cost = bytes.len() + OVERHEAD;
        if self.waiting_bytes + cost > MAX_WAITING {
            self.tally.datagrams_undelivered.add(1);
            return None;
        }
        self.waiting_bytes += cost;
        self.order += 1;
        let place = (due, self.order);
        let route = route.clone();
        self.waiting.insert(place, Outgoing { route, bytes });
        Some(place)
    }

    /// What goes back for a datagram, in place of the same.
    fn added_to(&self, now: Now, arrival: &Arrival, wait: Duration, bytes: &[u8]) -> Vec<u8> {
        let came = arrival.kernel_micros.unwrap_or(now.unix_micros);
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        let goes = now.unix_micros.saturating_add(wait);
        let mut answer = self.config.additions.to_datagram(came, goes, bytes);
        let stays_here = match &arrival.route.peer {
            Correspondent::Inet(from) => from.ip().is_loopback(),
            _ => true,
        };
        if !stays_here {
            answer.truncate(bytes.len());
        }
        answer
    }

    /// An answer that is not the plain one.
    fn treat(
        &mut self,
        now: Now,
        arrival: &Arrival,
        treatment: &Treatment,
        bytes: &[u8],
    ) -> Answer {
        let mut answer = match self.config.additions.are_none() {
            true => bytes.to_vec(),
            false => self.added_to(now, arrival, treatment.wait, bytes),
        };
        treatment.damage(&mut answer);
        let route = &arrival.route;
        let due = now.since_start + treatment.wait;
        // What was held back for the same correspondent goes right after this one.
        let freed = self.held_back.remove(route);
        if treatment.held_back && freed.is_none() {
            let until = due.max(now.since_start + HELD_BACK);
            if treatment.doubled {
                self.keep(until, route, answer.clone());
            }
            if let Some(place) = self.keep(until, route, answer) {
                self.held_back.insert(route.clone(), place);
            }
            return Answer::Nothing;
        }
        let freed = freed.and_then(|place| self.waiting.remove(&place));
        if freed.is_none() && !treatment.doubled && treatment.wait.is_zero() {
            return Answer::Other(answer);
        }
        if treatment.doubled {
            self.keep(due, route, answer.clone());
        }
        self.keep(due, route, answer);
        if let Some(freed) = freed {
            self.waiting_bytes -= freed.bytes.len() + OVERHEAD;
            self.keep(due, &freed.route, freed.bytes);
        }
        Answer::Nothing
    }
}

impl DatagramMachine for Datagrams {
    type Action = Action;

    fn received(&mut self, now: Now, arrival: &Arrival, bytes: &mut [u8]) -> Answer {
        self.tally.datagrams_received.add(1);
        // Those that are not answered count too: why they are not may hang on the time.
        let number = self.came;
        self.came += 1;
        let too_long = self
            .config
            .max_bytes
            .is_some_and(|max| bytes.len() as u64 > max);
        let admitted = match too_long {
            true => Err(Silence::TooLong),
            false => self.guard.admit(now.since_start, arrival),
        };
        if let Err(silence) = admitted {
            self.tally.datagrams_unanswered.add(1);
            self.tell(now, number, arrival, bytes, silence.word());
            return Answer::Nothing;
        }
        if !self.door.serve() {
            self.tally.datagrams_unanswered.add(1);
            return Answer::Nothing;
        }
        let mut what = "answered";
        let answer = match self.is_plain {
            true => Answer::Same,
            false => {
                let treatment = Treatment::of(&self.config.chaos, self.config.seed, number);
                match treatment.dropped {
                    true => {
                        what = "dropped";
                        Answer::Nothing
                    }
                    false => self.treat(now, arrival, &treatment, bytes),
                }
            }
        };
        if answer != Answer::Nothing {
            self.tally.datagrams_sent.add(1);
        }
        self.tell(now, number, arrival, bytes, what);
        answer
    }

    fn next_outgoing(&mut self, now: Now) -> Option<Outgoing> {
        let place = *self.waiting.keys().next()?;
        if place.0 > now.since_start {
            return None;
        }
        let outgoing = self.waiting.remove(&place)?;
        self.waiting_bytes -= outgoing.bytes.len() + OVERHEAD;
        if self.held_back.get(&outgoing.route) == Some(&place) {
            self.held_back.remove(&outgoing.route);
        }
        self.tally.datagrams_sent.add(1);
        Some(outgoing)
    }

    fn undelivered(&mut self, _now: Now, _socket: usize, _why: io::ErrorKind) {
        self.tally.datagrams_undelivered.add(1);
    }

    fn signal(&mut self, _now: Now, _signal: Signal) {
        self.ended = true;
    }

    fn deadline(&mut self, _now: Now) {
        // What is due goes with `next_outgoing`.
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.waiting.keys().next().map(|(due, _)| *due)
    }

    fn action(&mut self) -> Option<Action> {
        if self.waiting.is_empty() && !self.done_told && self.door.is_closed() {
            self.done_told = true;
            self.actions.push_back(Action::Enough);
            if self.door.is_done() {
                self.actions.push_back(Action::Done);
            }
        }
        self.actions.pop_front()
    }

    fn is_done(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests;
