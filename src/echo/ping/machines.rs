//! The two ends that send probes, as machines: one over a stream, one by datagrams.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::core::datagram::contract::{
    Answer, Arrival, Correspondent, DatagramMachine, Outgoing, Route,
};
use crate::core::machine::{ConnId, Effect, Ending, Event, Machine, Now, Pending, Signal};
use crate::echo::ping::probes::{Plan, Probes, Verdict};

/// How much of a stream is written ahead of a server that does not take it.
const MAX_UNSENT: usize = 256 * 1024;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// An answer, as an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename = "reply")]
pub struct Reply {
    /// The number of the probe, from 0; nothing if it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// How many bytes came.
    pub size: usize,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<f64>,
    /// `intact`, `corrupted`, `duplicate` or `stray`.
    pub status: &'static str,
}

impl Reply {
    fn new(seq: Option<u32>, size: usize, verdict: Verdict) -> Self {
        let (took, status) = match verdict {
            Verdict::Intact(took) => (Some(took), "intact"),
            Verdict::Damaged(took) => (seq.map(|_| took), "corrupted"),
            Verdict::Duplicate => (None, "duplicate"),
            Verdict::Stray => (None, "stray"),
        };
        Self {
            seq,
            size,
            rtt_us: took.map(|took| took.as_nanos() as f64 / 1000.0),
            status,
        }
    }
}

/// Why it ended before all was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A signal.
    Signal(Signal),
    /// The server closed the connection.
    Closed,
    /// The connection failed.
    Failed(io::ErrorKind),
}

/// Probes over a stream.
#[derive(Debug)]
pub struct StreamPinger {
    plan: Plan,
    /// There once the connection is.
    probes: Option<Probes>,
    conn: Option<ConnId>,
    outbox: Vec<u8>,
    /// How much of the outbox is on its way.
    sent: usize,
    touched: bool,
    /// What has come of the probe that is awaited.
    coming: Vec<u8>,
    awaited: u32,
    effects: VecDeque<Effect<Reply>>,
    cut: Option<Cut>,
    exiting: bool,
}

impl StreamPinger {
    /// By this plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            probes: None,
            conn: None,
            outbox: Vec::new(),
            sent: 0,
            touched: false,
            coming: Vec::new(),
            awaited: 0,
            effects: VecDeque::new(),
            cut: None,
            exiting: false,
        }
    }

    /// What became of the probes.
    pub fn probes(&self) -> Option<&Probes> {
        self.probes.as_ref()
    }

    /// Why it ended early, if it did.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    fn take(&mut self, now: Duration, mut bytes: &[u8]) {
        let Some(probes) = &mut self.probes else {
            return;
        };
        while !bytes.is_empty() {
            let missing = self.plan.size - self.coming.len();
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            self.coming.extend_from_slice(part);
            bytes = rest;
            if self.coming.len() == self.plan.size {
                let seq = self.awaited;
                self.awaited = self.awaited.wrapping_add(1);
                let intact = self.coming == self.plan.probe(seq);
                let verdict = probes.back(now, seq, intact);
                let reply = Reply::new(Some(seq), self.plan.size, verdict);
                self.effects.push_back(Effect::Act(reply));
                self.coming.clear();
            }
        }
    }

    /// Sends what is to be sent, or ends.
    fn go_on(&mut self, now: Duration) {
        let Some(probes) = &mut self.probes else {
            return;
        };
        probes.give_up(now);
        while self.outbox.len() - self.sent <= MAX_UNSENT
            && let Some(seq) = probes.next(now)
        {
            self.outbox.extend_from_slice(&self.plan.probe(seq));
            self.touched = true;
        }
        if probes.are_done() {
            self.exit(None);
        }
    }

    fn exit(&mut self, cut: Option<Cut>) {
        if !self.exiting {
            self.exiting = true;
            self.cut = cut;
            // Over TLS an end without a word is a cut.
            self.effects.extend(self.conn.map(Effect::Finish));
            self.effects.push_back(Effect::Exit);
        }
    }
}

impl Machine for StreamPinger {
    const WRITES_AT_ONCE: bool = true;

    type Note = ();
    type Action = Reply;

    fn handle(&mut self, now: Now, event: Event<'_, ()>) {
        match event {
            Event::Opened { conn, .. } => {
                self.conn = Some(conn);
                self.probes = Some(Probes::new(self.plan.clone(), now.since_start));
            }
            Event::Received { bytes, .. } => self.take(now.since_start, bytes),
            Event::EndOfInput { .. } => self.exit(Some(Cut::Closed)),
            Event::Writable { .. } => self.touched = true,
            Event::Closed { ending, .. } => self.exit(Some(match ending {
                Ending::Drained => Cut::Closed,
                Ending::Failed(kind) => Cut::Failed(kind),
            })),
            Event::Signal(signal) => self.exit(Some(Cut::Signal(signal))),
            Event::Deadline | Event::AcceptPaused(_) | Event::Note(()) => {}
        }
        self.go_on(now.since_start);
    }

    fn appetite(&self, _conn: ConnId) -> usize {
        READ
    }

    fn next_transmit(&mut self, _now: Now) -> Option<ConnId> {
        match std::mem::take(&mut self.touched) {
            true => self.conn,
            false => None,
        }
    }

    fn pending(&self, _conn: ConnId) -> Pending<'_> {
        let mut pending = Pending::new();
        pending.push(&self.outbox[self.sent..]);
        pending
    }

    fn sent(&mut self, now: Now, _conn: ConnId, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.outbox.len() {
            self.outbox.clear();
            self.sent = 0;
            self.go_on(now.since_start);
        }
    }

    fn blocked(&mut self, _now: Now, _conn: ConnId) {
        self.outbox.drain(..self.sent);
        self.sent = 0;
    }

    fn effect(&mut self) -> Option<Effect<Reply>> {
        self.effects.pop_front()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let probes = self.probes.as_ref()?;
        // A server that takes nothing makes the next probe wait, and the clock must not spin meanwhile.
        match self.outbox.len() - self.sent <= MAX_UNSENT {
            true => probes.next_deadline(),
            false => probes.next_give_up(),
        }
    }
}

/// Probes by datagrams.
#[derive(Debug)]
pub struct DatagramPinger {
    probes: Probes,
    to: Correspondent,
    actions: VecDeque<Reply>,
    cut: Option<Cut>,
    /// The last thing that the system said of the peer.
    complaint: Option<io::ErrorKind>,
}

impl DatagramPinger {
    /// By this plan, to that correspondent.
    pub fn new(plan: Plan, to: Correspondent) -> Self {
        Self {
            probes: Probes::new(plan, Duration::ZERO),
            to,
            actions: VecDeque::new(),
            cut: None,
            complaint: None,
        }
    }

    /// What became of the probes.
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Why it ended early, if it did.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// What the system says of the peer, such as that nobody listens there.
    pub fn complaint(&self) -> Option<io::ErrorKind> {
        self.complaint
    }
}

impl DatagramMachine for DatagramPinger {
    type Action = Reply;

    fn received(&mut self, now: Now, _arrival: &Arrival, bytes: &mut [u8]) -> Answer {
        let (seq, verdict) = self.probes.received(now.since_start, bytes);
        self.actions
            .push_back(Reply::new(seq, bytes.len(), verdict));
        Answer::Nothing
    }

    fn next_outgoing(&mut self, now: Now) -> Option<Outgoing> {
        let seq = self.probes.next(now.since_start)?;
        Some(Outgoing {
            route: Route {
                socket: 0,
                peer: self.to.clone(),
                local: None,
            },
            bytes: self.probes.plan().probe(seq),
        })
    }

    fn undelivered(&mut self, _now: Now, _socket: usize, why: io::ErrorKind) {
        self.complaint = Some(why);
    }

    fn signal(&mut self, _now: Now, signal: Signal) {
        self.cut.get_or_insert(Cut::Signal(signal));
    }

    fn deadline(&mut self, now: Now) {
        self.probes.give_up(now.since_start);
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.probes.next_deadline()
    }

    fn action(&mut self) -> Option<Reply> {
        self.actions.pop_front()
    }

    fn is_done(&self) -> bool {
        self.cut.is_some() || self.probes.are_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::PeerAddr;
    use crate::core::machine::Origin;
    use crate::echo::ping::probes::Pace;

    const CONN: ConnId = ConnId {
        slot: 0,
        generation: 0,
    };

    fn plan(count: u32, size: usize) -> Plan {
        Plan {
            count,
            pace: Pace::Flood(4),
            size,
            timeout: Duration::from_millis(100),
            run: 1,
        }
    }

    fn at(millis: u64) -> Now {
        Now {
            since_start: Duration::from_millis(millis),
            unix_micros: 0,
        }
    }

    /// All that it wants to send now.
    fn written(pinger: &mut StreamPinger, now: Now) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(conn) = pinger.next_transmit(now) {
            let bytes: Vec<u8> = pinger
                .pending(conn)
                .slices()
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            pinger.sent(now, conn, bytes.len());
            out.extend(bytes);
        }
        out
    }

    fn opened(plan: Plan) -> StreamPinger {
        let mut pinger = StreamPinger::new(plan);
        let event = Event::Opened {
            conn: CONN,
            origin: Origin(0),
            peer: &PeerAddr::Unix(None),
        };
        pinger.handle(at(1), event);
        pinger
    }

    #[test]
    fn every_split_of_the_answers_is_understood() {
        for size in [1, 5, 16, 20] {
            for piece in 1..=size * 4 {
                let mut pinger = opened(plan(10, size));
                let mut exited = false;
                for turn in 2.. {
                    let bytes = written(&mut pinger, at(turn));
                    for part in bytes.chunks(piece) {
                        let event = Event::Received {
                            conn: CONN,
                            bytes: part,
                        };
                        pinger.handle(at(turn), event);
                    }
                    while let Some(effect) = pinger.effect() {
                        exited |= effect == Effect::Exit;
                    }
                    if exited {
                        break;
                    }
                    assert!(turn < 50, "{size} {piece}");
                }
                let counts = pinger.probes().unwrap().counts();
                assert_eq!((counts.back, counts.corrupted()), (10, 0), "{size} {piece}");
                assert_eq!(pinger.cut(), None);
            }
        }
    }

    #[test]
    fn a_damaged_byte_is_one_corrupted_probe() {
        let mut pinger = opened(plan(4, 32));
        let mut bytes = written(&mut pinger, at(2));
        bytes[40] ^= 0x80;
        let event = Event::Received {
            conn: CONN,
            bytes: &bytes,
        };
        pinger.handle(at(3), event);
        let counts = pinger.probes().unwrap().counts();
        assert_eq!((counts.back, counts.damaged), (4, 1));
    }

    #[test]
    fn a_server_that_takes_nothing_bounds_what_is_written_ahead() {
        let mut pinger = opened(Plan {
            pace: Pace::Every(Duration::from_millis(1)),
            ..plan(1_000_000, 10_000)
        });
        for millis in 2..1000 {
            pinger.handle(at(millis), Event::Deadline);
        }
        assert!(pinger.outbox.len() <= MAX_UNSENT + 10_000);
        let next = pinger.next_deadline();
        assert!(
            next.is_none_or(|next| next > at(999).since_start),
            "{next:?}"
        );
    }

    #[test]
    fn the_end_of_the_connection_is_the_end_of_the_run() {
        let mut pinger = opened(plan(4, 32));
        pinger.handle(at(2), Event::EndOfInput { conn: CONN });
        assert_eq!(pinger.cut(), Some(Cut::Closed));
        assert_eq!(pinger.effect(), Some(Effect::Finish(CONN)));
        assert_eq!(pinger.effect(), Some(Effect::Exit));
    }
}
