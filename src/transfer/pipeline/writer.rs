//! The thread that writes: frames are summed, numbered and put out, each in one gathering write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::transfer::frame::{Encoder, PREFACE, Protection, crc};
use crate::transfer::outgoing::Outgoing;
use crate::transfer::pipeline::channel::WriteHalf;
use crate::transfer::pipeline::inbox::Inbox;
use crate::transfer::pipeline::pool::Buffer;

/// Frames that wait for the thread: one is being written, one is ready behind it, and the machine keeps the rest,
/// which still fills up.
const DEPTH: usize = 2;

/// Slices of one gathering write: IOV_MAX is 1,024 on the systems there are, and 16 at the least (POSIX).
const MAX_SLICES: usize = if cfg!(unix) { 1_000 } else { 16 };

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Outgoing<Buffer>>,
    /// Nothing more is to come.
    finishing: bool,
    /// Nothing more can be written.
    broken: bool,
    /// Everything was written and the direction closed, or broken.
    is_over: bool,
    is_waiting: bool,
    /// The control thread has a frame and no room for it.
    wants_room: bool,
}

/// Frames on their way to the writing thread.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Condvar,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a frame can go out. If not, the inbox is nudged when one can.
    pub fn has_room(&self) -> bool {
        let mut state = self.state();
        state.wants_room = state.frames.len() >= DEPTH;
        !state.wants_room
    }

    /// Writes a frame soon.
    pub fn push(&self, frame: Outgoing<Buffer>) {
        let mut state = self.state();
        if state.broken {
            // The end of the connection will be read soon; what the peer said before that comes first.
            return;
        }
        state.frames.push_back(frame);
        self.wake(state);
    }

    /// That was the last.
    pub fn finish(&self) {
        let mut state = self.state();
        state.finishing = true;
        self.wake(state);
    }

    /// Whether all was written that could be.
    pub fn is_over(&self) -> bool {
        self.state().is_over
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let is_waiting = state.is_waiting;
        drop(state);
        if is_waiting {
            self.filled.notify_one();
        }
    }

    /// The next frame, and whether somebody waits for its place. `None`: that was all.
    fn next(&self) -> Option<(Outgoing<Buffer>, bool)> {
        let mut state = self.state();
        loop {
            if let Some(frame) = state.frames.pop_front() {
                return Some((frame, std::mem::take(&mut state.wants_room)));
            }
            if state.finishing {
                return None;
            }
            state.is_waiting = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.is_waiting = false;
        }
    }

    fn break_down(&self) {
        let mut state = self.state();
        state.broken = true;
        state.frames.clear();
    }

    fn is_broken(&self) -> bool {
        self.state().broken
    }
}

/// Writes until the outbox is finished.
pub fn run<S>(
    mut sink: Box<dyn WriteHalf>,
    protection: Protection,
    outbox: &Outbox,
    inbox: &Arc<Inbox<S>>,
) {
    let mut encoder = Encoder::new(protection);
    let mut preface: &[u8] = &PREFACE;
    while let Some((frame, is_awaited)) = outbox.next() {
        if is_awaited {
            inbox.nudge();
        }
        if outbox.is_broken() {
            continue;
        }
        let sum = match protection {
            Protection::Checksums => checksum(&frame.payload),
            Protection::Channel => 0,
        };
        let header = encoder.seal(frame.kind, &frame.head, frame.payload_len, sum);
        let mut slices = Vec::with_capacity(3 + frame.payload.len());
        slices.extend([
            IoSlice::new(preface),
            IoSlice::new(&header),
            IoSlice::new(&frame.head),
        ]);
        slices.extend(frame.payload.iter().map(|buffer| IoSlice::new(buffer)));
        if write_all(&mut *sink, &mut slices).is_err() {
            outbox.break_down();
            inbox.nudge();
        }
        preface = &[];
    }
    let _ = sink.flush().and_then(|()| sink.finish());
    outbox.state().is_over = true;
    inbox.nudge();
}

/// Over the payload. A large buffer brings its own sum along, which is what there is of it so far if it is the first;
/// to put two sums together would take longer than to sum it again.
fn checksum(payload: &[Buffer]) -> u32 {
    let mut sum = 0;
    for (at, buffer) in payload.iter().enumerate() {
        sum = match buffer.crc() {
            Some(own) if at == 0 => own,
            _ => crc(sum, buffer),
        };
    }
    sum
}

fn write_all(sink: &mut dyn WriteHalf, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Slices of no bytes at the front would look like the end of the connection.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let count = slices.len().min(MAX_SLICES);
        match sink.write_vectored(&slices[..count]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::pipeline::pool::Pool;

    #[test]
    fn a_sum_that_was_brought_along_is_the_sum_over_the_bytes() {
        let pool = Pool::new(1 << 20);
        let buffer = |bytes: &[u8], sum: Option<u32>| {
            let mut fresh = pool.take(bytes.len()).unwrap();
            fresh.bytes_mut().copy_from_slice(bytes);
            fresh.filled(bytes.len(), sum)
        };
        let payload = |known: bool| {
            [&b"some"[..], b"", b"payload"].map(|bytes| buffer(bytes, known.then(|| crc(0, bytes))))
        };
        let whole = crc(0, b"somepayload");
        assert_eq!(checksum(&payload(false)), whole);
        assert_eq!(checksum(&payload(true)), whole);
        assert_eq!(checksum(&[]), crc(0, b""));
    }
}
