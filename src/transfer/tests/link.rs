//! One direction of a connection: bytes that come in pieces, and what can go wrong with them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::transfer::frame::{Decoder, Encoder, Frame, Need, PREFACE, Protection, Violation, crc};
use crate::transfer::outgoing::Outgoing;

/// Something between the ends that does what TCP never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The bit of the byte at this place.
    Flip(u64),
    /// The connection is cut after so many bytes.
    Cut(u64),
    /// The frame with this number is repeated.
    Repeat(u64),
    /// The frame with this number is left out.
    Drop(u64),
    /// The frame with this number changes places with the next.
    Swap(u64),
}

/// A frame and its payload.
pub(super) type Arrival = (Frame, Option<Arc<[u8]>>);

#[derive(Debug)]
pub(super) struct Link {
    encoder: Encoder,
    decoder: Decoder,
    fault: Fault,
    frames: u64,
    passed: u64,
    delayed: Option<Vec<u8>>,
    way: VecDeque<u8>,
    arrived: Vec<u8>,
    pub(super) is_cut: bool,
    /// Bytes of payload that were put on the way.
    pub(super) payload: u64,
    pub(super) largest_gather: usize,
}

impl Link {
    pub(super) fn new(protection: Protection, fault: Fault) -> Self {
        Self {
            encoder: Encoder::new(protection),
            decoder: Decoder::new(protection),
            fault,
            frames: 0,
            passed: 0,
            delayed: None,
            way: PREFACE.iter().copied().collect(),
            arrived: Vec::new(),
            is_cut: false,
            payload: 0,
            largest_gather: 0,
        }
    }

    pub(super) fn send(&mut self, frame: Outgoing<Vec<u8>>) {
        let payload = frame.payload.concat();
        assert_eq!(payload.len(), frame.payload_len);
        self.payload += payload.len() as u64;
        self.largest_gather = self.largest_gather.max(frame.payload.len());
        let sum = crc(0, &payload);
        let header = self
            .encoder
            .seal(frame.kind, &frame.head, payload.len(), sum);
        let bytes = [&header[..], &frame.head, &payload].concat();
        let number = self.frames;
        self.frames += 1;
        match self.fault {
            Fault::Repeat(n) if n == number => {
                self.way.extend(&bytes);
                self.way.extend(&bytes);
            }
            Fault::Drop(n) if n == number => {}
            Fault::Swap(n) if n == number => self.delayed = Some(bytes),
            _ => {
                self.way.extend(&bytes);
                if let Some(delayed) = self.delayed.take() {
                    self.way.extend(&delayed);
                }
            }
        }
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn on_the_way(&self) -> usize {
        if self.is_cut { 0 } else { self.way.len() }
    }

    /// Delivers up to `len` bytes.
    pub(super) fn deliver(&mut self, len: usize) {
        for _ in 0..len {
            if self.fault == Fault::Cut(self.passed) {
                self.is_cut = true;
            }
            if self.is_cut {
                return;
            }
            let Some(mut byte) = self.way.pop_front() else {
                return;
            };
            if let Fault::Flip(at) = self.fault
                && at / 8 == self.passed
            {
                byte ^= 1 << (at % 8);
            }
            self.passed += 1;
            self.arrived.push(byte);
        }
    }

    /// The next frame that has arrived whole, with its payload.
    pub(super) fn frame(&mut self) -> Result<Option<Arrival>, Violation> {
        loop {
            let need = self.decoder.need();
            let (Need::Bytes(len) | Need::Payload(len)) = need;
            if self.arrived.len() < len {
                return Ok(None);
            }
            let bytes: Vec<u8> = self.arrived.drain(..len).collect();
            let (frame, payload) = match need {
                Need::Bytes(_) => (self.decoder.bytes(&bytes)?, None),
                Need::Payload(_) => {
                    let frame = self.decoder.payload(crc(0, &bytes))?;
                    (frame, Some(bytes.into()))
                }
            };
            if let Some(frame) = frame {
                return Ok(Some((frame, payload)));
            }
        }
    }
}
