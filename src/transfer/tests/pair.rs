//! Two machines, their drivers and the link between them, in an order that a seed decides.

use std::time::Duration;

use crate::transfer::frame::{Frame, Protection, Violation};
use crate::transfer::receiver::{Receiver, ReceiverSettings};
use crate::transfer::sender::{Content, Sender, SenderOutcome, SenderSettings, Source};
use crate::transfer::session::{Ending, Protocol, Shape};

use super::disk::{SourceDisk, Store};
use super::link::{Fault, Link};
use super::{SMALL, Seed};

/// How a pair is set up.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) shape: Shape,
    pub(super) protection: Protection,
    /// From the sender to the receiver, and back.
    pub(super) faults: [Fault; 2],
    pub(super) carried: Vec<Source>,
    pub(super) walk_ended: bool,
    pub(super) sender: SenderSettings,
    pub(super) receiver: ReceiverSettings,
    pub(super) max_steps: usize,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            shape: SMALL,
            protection: Protection::Checksums,
            faults: [Fault::None; 2],
            carried: Vec::new(),
            walk_ended: false,
            sender: SenderSettings {
                in_flight: 512,
                read_ahead: 3,
                open_files: 4,
                batch: 32,
                ..SenderSettings::default()
            },
            receiver: ReceiverSettings {
                comparing: 2,
                hash_ahead: 3,
                ..ReceiverSettings::default()
            },
            max_steps: 200_000,
        }
    }
}

pub(super) struct Pair<'a> {
    pub(super) sender: Sender<Vec<u8>>,
    pub(super) receiver: Receiver<std::sync::Arc<[u8]>>,
    pub(super) source: &'a mut SourceDisk,
    pub(super) store: &'a mut Store,
    pub(super) there: Link,
    pub(super) back: Link,
    pub(super) now: Duration,
    seed: Seed,
    in_flight: u64,
    read_before: u64,
    released: u64,
    max_steps: usize,
    /// The largest number of bytes between a read and the link.
    pub(super) most_held: u64,
}

impl<'a> Pair<'a> {
    pub(super) fn new(plan: Plan, source: &'a mut SourceDisk, store: &'a mut Store) -> Self {
        let mut seed = Seed(plan.seed);
        let now = Duration::ZERO;
        let source_read = source.read_bytes - source.dropped;
        let sender = Sender::with_shape(
            now,
            plan.sender,
            plan.shape,
            seed.next(),
            plan.carried,
            plan.walk_ended,
        );
        let receiver = Receiver::with_shape(now, plan.receiver, plan.shape, seed.next());
        Self {
            sender,
            receiver,
            source,
            store,
            there: Link::new(plan.protection, plan.faults[0]),
            back: Link::new(plan.protection, plan.faults[1]),
            now,
            seed,
            in_flight: plan.sender.in_flight,
            read_before: source_read,
            released: 0,
            max_steps: plan.max_steps,
            most_held: 0,
        }
    }

    /// Runs until both ends are over. Says how each ended.
    pub(super) fn run(&mut self) -> (Ending, Ending) {
        for _ in 0..self.max_steps {
            self.act();
            if !self.step() && !self.pass_time() {
                break;
            }
        }
        let endings = (self.sender.ending(), self.receiver.ending());
        let (Some(sent), Some(received)) = endings else {
            panic!(
                "no end: {endings:?}\n{:#?}\n{:#?}",
                self.sender, self.receiver
            );
        };
        assert!(
            self.most_held <= self.in_flight,
            "{} bytes held",
            self.most_held
        );
        self.source.forget_session();
        self.store.forget_session();
        (sent, received)
    }

    /// Runs until `is_there`, which is asked after every step.
    pub(super) fn run_until(&mut self, mut is_there: impl FnMut(&mut Self) -> bool) {
        for _ in 0..self.max_steps {
            self.act();
            if is_there(self) {
                return;
            }
            self.step();
        }
        panic!("it never came to that");
    }

    /// Each end in turn says all that it can without an answer, as over a link with a long way. Says how many
    /// bytes of payload the sender had sent in each of its turns.
    pub(super) fn run_in_turns(&mut self) -> Vec<u64> {
        let mut turns = Vec::new();
        while self.sender.ending().is_none() && turns.len() < 100 {
            let before = self.there.payload;
            while [0, 1, 2, 4].into_iter().any(|what| {
                self.act();
                self.happen(what)
            }) {}
            turns.push(self.there.payload - before);
            while self.there.on_the_way() > 0 {
                self.carry_there();
            }
            while self.back.on_the_way() > 0 {
                self.carry_back();
            }
        }
        turns
    }

    fn act(&mut self) {
        while let Some(action) = self.sender.action() {
            self.source.act(action);
        }
        while let Some(action) = self.receiver.action() {
            self.store.act(action);
        }
        let read = self.source.read_bytes - self.source.dropped - self.read_before;
        if self.sender.ending().is_none() {
            self.most_held = self.most_held.max(read - self.released);
        }
    }

    /// Something that can happen happens.
    fn step(&mut self) -> bool {
        let first = self.seed.below(8);
        (0..8).any(|at| self.happen((first + at) % 8))
    }

    fn happen(&mut self, what: usize) -> bool {
        match what {
            0 => {
                if !self.source.has_outcome() {
                    return false;
                }
                if let Some(outcome) = self.source.outcome(&mut self.seed) {
                    let len = match &outcome {
                        SenderOutcome::Chunk {
                            content: Content::Bytes(bytes),
                            ..
                        } => bytes.len() as u64,
                        _ => 0,
                    };
                    let before = self.sender.progress().sent;
                    self.sender.outcome(outcome);
                    // What will not be sent has been let go.
                    if self.sender.progress().sent == before {
                        self.released += len;
                    }
                }
                true
            }
            1 => {
                if !self.store.has_outcome() {
                    return false;
                }
                if let Some(outcome) = self.store.outcome(&mut self.seed) {
                    self.receiver.outcome(outcome);
                }
                true
            }
            2 | 3 => match self.sender.transmit(self.now) {
                Some(frame) => {
                    self.released += frame.payload_len as u64;
                    self.there.send(frame);
                    true
                }
                None => false,
            },
            4 => match self.receiver.transmit(self.now) {
                Some(frame) => {
                    let message = frame.payload.is_empty();
                    assert!(message);
                    self.back.send(crate::transfer::outgoing::Outgoing {
                        kind: frame.kind,
                        head: frame.head,
                        payload: Vec::new(),
                        payload_len: 0,
                    });
                    true
                }
                None => false,
            },
            5 | 6 => self.carry_there(),
            _ => self.carry_back(),
        }
    }

    fn carry_there(&mut self) -> bool {
        let was_cut = self.there.is_cut;
        if was_cut || (self.there.on_the_way() == 0 && !self.sender_is_gone()) {
            return false;
        }
        if self.there.on_the_way() == 0 {
            return self.close_receiver();
        }
        let len = 1 + self.seed.below(100) + self.there.on_the_way() / 4;
        self.there.deliver(len);
        loop {
            match self.there.frame() {
                Ok(Some((Frame::Message(message), _))) => self.receiver.message(self.now, message),
                Ok(Some((
                    Frame::Data {
                        records,
                        payload: _,
                    },
                    payload,
                ))) => {
                    self.receiver.data(self.now, &records, payload.as_ref());
                }
                Ok(None) => break,
                Err(violation) => {
                    self.receiver_violated(violation);
                    break;
                }
            }
            self.act();
        }
        if self.there.is_cut {
            self.cut();
        }
        true
    }

    fn receiver_violated(&mut self, violation: Violation) {
        self.receiver.violated(violation);
        self.there.is_cut = true;
    }

    fn carry_back(&mut self) -> bool {
        if self.back.is_cut || (self.back.on_the_way() == 0 && !self.receiver_is_gone()) {
            return false;
        }
        if self.back.on_the_way() == 0 {
            if self.sender.ending().is_none() {
                self.sender.cut();
                return true;
            }
            return false;
        }
        let len = 1 + self.seed.below(60);
        self.back.deliver(len);
        loop {
            match self.back.frame() {
                Ok(Some((frame, _))) => self.sender.frame(self.now, frame),
                Ok(None) => break,
                Err(violation) => {
                    self.sender.violated(violation);
                    self.back.is_cut = true;
                    break;
                }
            }
        }
        if self.back.is_cut {
            self.cut();
        }
        true
    }

    /// A sender that is over and has written its last frame has closed the connection.
    fn sender_is_gone(&mut self) -> bool {
        let is_over = self.sender.ending().is_some();
        is_over && !self.happen(2)
    }

    fn receiver_is_gone(&mut self) -> bool {
        let is_over = self.receiver.ending().is_some();
        is_over && !self.happen(4)
    }

    fn close_receiver(&mut self) -> bool {
        if self.receiver.ending().is_none() {
            self.receiver.cut();
            return true;
        }
        false
    }

    /// The connection is gone in both directions; last frames are lost with it.
    fn cut(&mut self) {
        self.there.is_cut = true;
        self.back.is_cut = true;
        self.sender.cut();
        self.receiver.cut();
    }

    /// Nothing can happen but a deadline.
    fn pass_time(&mut self) -> bool {
        let due = [self.sender.next_deadline(), self.receiver.next_deadline()];
        let Some(next) = due.into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.sender.deadline(self.now);
        self.receiver.deadline(self.now);
        // A link that lost a frame would go on for ever; a watchdog ends it.
        if self.now > Duration::from_secs(60) {
            self.cut();
        }
        true
    }
}
