//! A connection as the pipeline sees it: two halves, each for a thread of its own, and a way to hang up.
//!
//! Either plain TCP and Unix sockets, or the same with a secure channel inside: what that decrypts, what it encrypts,
//! and the stream below, which ends it.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::address::PeerAddr;
use crate::core::blocking::Stream;
use crate::core::secure::tls::pipe::{Reader, Writer};
use crate::transfer::frame::Protection;

/// The sending half.
pub trait WriteHalf: Write + Send {
    /// No more will be written; the other direction stays.
    fn finish(&mut self) -> io::Result<()>;
}

/// A connection.
pub struct Channel {
    /// What comes.
    pub reader: Box<dyn Read + Send>,
    /// What goes.
    pub writer: Box<dyn WriteHalf>,
    /// To hang up.
    pub line: Line,
    /// Whether it authenticates its bytes itself.
    pub protection: Protection,
    /// The other end.
    pub peer: PeerAddr,
}

impl Channel {
    /// Without encryption.
    pub fn plain(stream: Arc<Stream>, peer: PeerAddr) -> Self {
        Self {
            reader: Box::new(Shared(Arc::clone(&stream))),
            writer: Box::new(Shared(Arc::clone(&stream))),
            line: Line(stream),
            protection: Protection::Checksums,
            peer,
        }
    }

    /// With the halves of a secure channel in this stream.
    pub fn secure(stream: Arc<Stream>, (reader, writer): (Reader, Writer), peer: PeerAddr) -> Self {
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            line: Line(stream),
            protection: Protection::Channel,
            peer,
        }
    }

    /// Gives back what was already read from it.
    pub fn preceded_by(self, first: Vec<u8>) -> Self {
        Self {
            reader: Box::new(io::Cursor::new(first).chain(self.reader)),
            ..self
        }
    }

    /// Lets no more than so many bytes a second through, in each direction.
    pub fn limited(self, bytes_per_second: u64) -> Self {
        Self {
            reader: Box::new(Limited::new(self.reader, bytes_per_second)),
            writer: Box::new(Limited::new(self.writer, bytes_per_second)),
            ..self
        }
    }
}

/// Hangs up, from any thread.
#[derive(Debug, Clone)]
pub struct Line(Arc<Stream>);

impl Line {
    /// Of this stream.
    pub fn new(stream: Arc<Stream>) -> Self {
        Self(stream)
    }

    /// Both directions end; who waits in one of them returns.
    pub fn hang_up(&self) {
        // It may have ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

struct Shared(Arc<Stream>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteHalf for Writer {
    fn finish(&mut self) -> io::Result<()> {
        Writer::finish(self)
    }
}

impl WriteHalf for Shared {
    fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// `--limit-rate`: sleeps as long as what went through was too much for the time that has passed.
struct Limited<T> {
    inner: T,
    bytes_per_second: u64,
    /// When everything that went through so far was due.
    due: Instant,
}

/// The longest sleep, so that whoever ends the connection is noticed.
const LONGEST_NAP: Duration = Duration::from_millis(200);

/// What a pause may save up: a burst of so long.
const BURST: Duration = Duration::from_millis(100);

impl<T> Limited<T> {
    fn new(inner: T, bytes_per_second: u64) -> Self {
        Self {
            inner,
            bytes_per_second,
            due: Instant::now(),
        }
    }

    /// How much may go through in one call: a tenth of a second's worth.
    fn portion(&self, len: usize) -> usize {
        len.min(usize::try_from(self.bytes_per_second / 10 + 1).unwrap_or(usize::MAX))
    }

    fn rest(&mut self, passed: usize) {
        let now = Instant::now();
        let cost = Duration::from_secs_f64(passed as f64 / self.bytes_per_second as f64);
        self.due = self.due.max(now.checked_sub(BURST).unwrap_or(now)) + cost;
        loop {
            let left = self.due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LONGEST_NAP));
        }
    }
}

impl<T: Read> Read for Limited<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let portion = self.portion(buffer.len());
        let count = self.inner.read(&mut buffer[..portion])?;
        self.rest(count);
        Ok(count)
    }
}

impl<T: Write> Write for Limited<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(&bytes[..self.portion(bytes.len())])?;
        self.rest(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: WriteHalf> WriteHalf for Limited<T> {
    fn finish(&mut self) -> io::Result<()> {
        self.inner.finish()
    }
}

impl WriteHalf for Box<dyn WriteHalf> {
    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}
