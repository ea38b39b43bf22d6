//! The memory of the pipeline: buffers from a bounded pool.
//!
//! Whoever wants a buffer waits until there is room, which is all the back-pressure there is. What is large comes
//! out of a list of buffers of one chunk each, written to once at their making and never cleared again; what is
//! small is made to measure. Both count against the same limit.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::transfer::frame::MAX_PAYLOAD;
use crate::transfer::pipeline::crew::worker_count;

/// From so many bytes on a buffer of a whole chunk is used: below, it would be mostly empty.
pub const LARGE: usize = 256 * 1024;

/// Chunks that a worker has under way: one is read, one hashed, one on its way out. With more of them no worker is
/// faster, and what one thread leaves in the processor's cache for the next is pushed out before that comes to it.
pub const CHUNKS_EACH: usize = 3;

#[derive(Debug, Default)]
struct State {
    in_use: usize,
    spare: Vec<Vec<u8>>,
    closed: bool,
    /// Somebody waits for room: waking nobody would still cost a system call.
    waiting: usize,
}

#[derive(Debug)]
struct Inner {
    limit: usize,
    state: Mutex<State>,
    freed: Condvar,
}

/// Gives out buffers up to a limit of bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

impl Pool {
    /// With room for `limit` bytes. One buffer is always given, whatever its size.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit,
            state: Mutex::default(),
            freed: Condvar::new(),
        }))
    }

    /// With room for what the workers of a session have under way, and for one chunk more each that the
    /// connection's threads fill or empty.
    pub fn for_session() -> Self {
        Self::new(worker_count() * (CHUNKS_EACH + 1) * MAX_PAYLOAD)
    }

    /// A buffer of `len` bytes, at most a chunk, with whatever is in it. Waits for room. `None`: the pool was closed.
    pub fn take(&self, len: usize) -> Option<Fresh> {
        self.take_after(len, || {})
    }

    /// The same; calls `let_go` before it waits. Whoever has buffers that only they can pass on has to do so then, or
    /// would wait for themselves.
    pub fn take_after(&self, len: usize, let_go: impl FnOnce()) -> Option<Fresh> {
        let mut let_go = Some(let_go);
        let charge = match len {
            LARGE.. => len.max(MAX_PAYLOAD),
            _ => len,
        };
        let mut state = self.0.state();
        loop {
            if state.closed {
                return None;
            }
            if state.in_use == 0 || state.in_use + charge <= self.0.limit {
                break;
            }
            if let Some(let_go) = let_go.take() {
                drop(state);
                let_go();
                state = self.0.state();
                continue;
            }
            state.waiting += 1;
            state = self
                .0
                .freed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.in_use += charge;
        let spare = (charge >= LARGE).then(|| state.spare.pop()).flatten();
        drop(state);
        Some(Fresh(Filled {
            bytes: spare.unwrap_or_else(|| vec![0; charge]),
            len,
            crc: None,
            home: Arc::clone(&self.0),
        }))
    }

    /// Gives no buffers any more; who waits for one gets none.
    pub fn close(&self) {
        self.0.state().closed = true;
        self.0.freed.notify_all();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Filled {
    bytes: Vec<u8>,
    len: usize,
    crc: Option<u32>,
    home: Arc<Inner>,
}

impl Drop for Filled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut state = self.home.state();
        state.in_use -= bytes.len();
        if bytes.len() >= LARGE && !state.closed {
            state.spare.push(bytes);
        }
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.home.freed.notify_all();
        }
    }
}

/// A buffer that is being filled.
#[derive(Debug)]
pub struct Fresh(Filled);

impl Fresh {
    /// All of it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.0.len;
        &mut self.0.bytes[..len]
    }

    /// It is filled up to `len`. `crc` is the CRC32C of that, if somebody has computed it.
    pub fn filled(mut self, len: usize, crc: Option<u32>) -> Buffer {
        self.0.len = len.min(self.0.len);
        self.0.crc = crc;
        Buffer(Arc::new(self.0))
    }
}

/// Bytes that several threads may look at. The last one gives them back.
#[derive(Debug, Clone)]
pub struct Buffer(Arc<Filled>);

impl Buffer {
    /// The CRC32C of all of it, if it is known.
    pub fn crc(&self) -> Option<u32> {
        self.0.crc
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes[..self.0.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_gives_again_what_comes_back() {
        let pool = Pool::new(2 * MAX_PAYLOAD);
        let first = pool.take(MAX_PAYLOAD).unwrap().filled(MAX_PAYLOAD, None);
        let second = pool.take(LARGE).unwrap().filled(LARGE, Some(7));
        assert_eq!((second.len(), second.crc()), (LARGE, Some(7)));
        let other = pool.clone();
        let waits = std::thread::spawn(move || other.take(10).map(|_| ()));
        let copy = first.clone();
        drop(first);
        assert!(!copy.is_empty(), "the copy still has it");
        drop(copy);
        assert_eq!(waits.join().unwrap(), Some(()));
    }

    #[test]
    fn small_buffers_are_made_to_measure_and_count() {
        let pool = Pool::new(100);
        let one = pool.take(60).unwrap();
        assert_eq!(one.0.bytes.len(), 60);
        let other = pool.clone();
        let waits = std::thread::spawn(move || other.take(60).is_none());
        pool.close();
        assert!(waits.join().unwrap(), "a closed pool gives nothing");
        drop(one);
        assert!(pool.take(1).is_none());
    }

    #[test]
    fn whoever_would_wait_lets_go_of_what_they_have_first() {
        let pool = Pool::new(100);
        let mut mine = pool.take(60);
        assert!(pool.take_after(60, || mine = None).is_some());
        assert!(mine.is_none());
    }

    #[test]
    fn one_buffer_is_always_given() {
        let pool = Pool::new(10);
        assert_eq!(pool.take(50).unwrap().bytes_mut().len(), 50);
    }
}
