//! The thread that reads: bytes of the connection become frames, payloads go straight into buffers of the pool.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use crate::transfer::frame::{Decoder, Frame, Need, Protection, Violation, crc};
use crate::transfer::pipeline::inbox::{Arrival, Inbox};
use crate::transfer::pipeline::pool::{Buffer, Pool};

/// What one read takes in of messages, and of the tables ahead of payloads.
const READ_AHEAD: usize = 64 * 1024;

/// What one read takes in of a payload. Its checksum is computed while it is still in the cache.
const STEP: usize = 256 * 1024;

/// Reads to the end of the connection or until nobody wants it.
pub fn run<S>(
    source: Box<dyn Read + Send>,
    protection: Protection,
    pool: &Pool,
    inbox: &Arc<Inbox<S>>,
) {
    let mut source = BufReader::with_capacity(READ_AHEAD, source);
    let mut frames = Frames {
        decoder: Decoder::new(protection),
        protection,
        scratch: Vec::new(),
    };
    loop {
        match frames.next(&mut source, pool) {
            Ok(Some((frame, payload))) => {
                if !inbox.arrive(Arrival::Frame(frame, payload)) {
                    return;
                }
            }
            Ok(None) => break,
            Err(violation) => {
                if !inbox.arrive(Arrival::Violation(violation)) {
                    return;
                }
                // Closing with something unread would reset the connection, and with it our last word.
                let _ = io::copy(&mut source, &mut io::sink());
                break;
            }
        }
    }
    let _ = inbox.arrive(Arrival::End);
}

struct Frames {
    decoder: Decoder,
    protection: Protection,
    scratch: Vec<u8>,
}

impl Frames {
    /// The next frame. `None`: the connection has ended, wherever.
    fn next(
        &mut self,
        source: &mut impl Read,
        pool: &Pool,
    ) -> Result<Option<(Frame, Option<Buffer>)>, Violation> {
        loop {
            match self.decoder.need() {
                Need::Bytes(len) => {
                    self.scratch.resize(len, 0);
                    if source.read_exact(&mut self.scratch).is_err() {
                        return Ok(None);
                    }
                    if let Some(frame) = self.decoder.bytes(&self.scratch)? {
                        return Ok(Some((frame, None)));
                    }
                }
                Need::Payload(len) => {
                    let Some(mut buffer) = pool.take(len) else {
                        return Ok(None);
                    };
                    let Some(sum) = self.fill(source, buffer.bytes_mut()) else {
                        return Ok(None);
                    };
                    if let Some(frame) = self.decoder.payload(sum)? {
                        return Ok(Some((frame, Some(buffer.filled(len, None)))));
                    }
                }
            }
        }
    }

    /// Fills it, and sums it where sums are wanted.
    fn fill(&self, source: &mut impl Read, buffer: &mut [u8]) -> Option<u32> {
        let mut sum = 0;
        for piece in buffer.chunks_mut(STEP) {
            source.read_exact(piece).ok()?;
            if self.protection == Protection::Checksums {
                sum = crc(sum, piece);
            }
        }
        Some(sum)
    }
}
