//! A TCP proxy on loopback that does to its connections what a network can do, each at the byte it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::PATIENCE;
use super::sockkit::transfer::frame;

/// What happens to a connection. Bytes are counted from 0.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is reset after so many bytes, both directions together.
    Cut(usize),
    /// Something happens at this byte from whoever connected.
    Up(usize, Harm),
    /// Something happens at this byte to whoever connected.
    Down(usize, Harm),
    /// This byte of the content that a transfer's sender who connected sends is another, and all checksums fit.
    Forge(usize),
}

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    /// A bit of the byte is another.
    Flip,
    /// This byte and those behind it, so many in all, are lost.
    Drop(usize),
    /// So many bytes from this one on arrive twice.
    Duplicate(usize),
    /// Nothing arrives until [`Proxy::release`].
    Hold,
    /// The connection is reset.
    Cut,
    /// Nothing arrives any more, and nobody says so.
    Silence,
    /// The connection ends in this direction, in an orderly way.
    End,
}

/// Forwards to a server. What happens to connection number n is `faults[n]`; nothing to those beyond the list.
pub struct Proxy {
    pub address: SocketAddr,
    #[cfg(unix)]
    target: Arc<Mutex<SocketAddr>>,
    accepted: Arc<AtomicUsize>,
    struck: Receiver<()>,
    let_go: Sender<()>,
    passed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Connection number n is cut with RST after `budgets[n]` bytes, both directions together.
    pub fn start(target: SocketAddr, budgets: Vec<usize>) -> Self {
        Self::faulty(target, budgets.into_iter().map(Fault::Cut).collect())
    }

    pub fn faulty(target: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(Mutex::new(target));
        let leads_to = Arc::clone(&target);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let (strike, struck) = mpsc::channel();
        let (let_go, held) = mpsc::channel();
        let held = Arc::new(Mutex::new(held));
        let passed = Arc::new(AtomicUsize::new(0));
        let passed_down = Arc::clone(&passed);
        // The thread ends with the test process: accept(2) has no other end.
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let number = count.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(*leads_to.lock().expect("whole")) else {
                    // As if nobody had listened here either.
                    reset(&client);
                    continue;
                };
                let fault = faults.get(number).copied().unwrap_or(Fault::None);
                let budget = match fault {
                    Fault::Cut(budget) => budget,
                    _ => usize::MAX,
                };
                let budget = Arc::new(AtomicUsize::new(budget));
                let (up, down) = match fault {
                    Fault::Up(at, harm) => (Some((at, harm)), None),
                    Fault::Down(at, harm) => (None, Some((at, harm))),
                    Fault::None | Fault::Cut(_) | Fault::Forge(_) => (None, None),
                };
                let way = |from: &TcpStream, to: &TcpStream, harm| Way {
                    from: from.try_clone().expect("a handle"),
                    to: to.try_clone().expect("a handle"),
                    budget: Arc::clone(&budget),
                    strike: strike.clone(),
                    held: Arc::clone(&held),
                    passed: Arc::new(AtomicUsize::new(0)),
                    harm,
                    at: 0,
                };
                let up = way(&client, &server, up);
                let mut down = way(&server, &client, down);
                down.passed = Arc::clone(&passed_down);
                thread::spawn(move || match fault {
                    Fault::Forge(at) => up.forge(at),
                    _ => up.forward(),
                });
                thread::spawn(move || down.forward());
            }
        });
        Self {
            address,
            #[cfg(unix)]
            target,
            accepted,
            struck,
            let_go,
            passed,
        }
    }

    /// Lets go of what a [`Harm::Hold`] holds, or of the next if none does yet.
    pub fn release(&self) {
        let _ = self.let_go.send(());
    }

    /// How many bytes have come for those who connected, over all connections.
    pub fn passed_down(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    /// Connections that come from now on are forwarded to another server.
    #[cfg(unix)]
    pub fn leads_to(&self, target: SocketAddr) {
        *self.target.lock().expect("whole") = target;
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until the next fault of a [`Harm`] has happened.
    #[track_caller]
    pub fn strikes(&self) {
        self.struck
            .recv_timeout(PATIENCE)
            .expect("the byte passes at which something happens");
    }

    /// Whether a fault of a [`Harm`] has happened that was not asked for yet.
    pub fn has_struck(&self) -> bool {
        self.struck.try_recv().is_ok()
    }
}

/// One direction of a connection.
struct Way {
    from: TcpStream,
    to: TcpStream,
    budget: Arc<AtomicUsize>,
    strike: Sender<()>,
    held: Arc<Mutex<Receiver<()>>>,
    passed: Arc<AtomicUsize>,
    harm: Option<(usize, Harm)>,
    /// How many bytes came in.
    at: usize,
}

impl Way {
    fn forward(mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count) = self.from.read(&mut buffer) {
            if count == 0 {
                let _ = self.to.shutdown(Shutdown::Write);
                return;
            }
            self.passed.fetch_add(count, Ordering::SeqCst);
            let Some(bytes) = self.harmed(&buffer[..count]) else {
                return;
            };
            let before = self
                .budget
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    Some(left.saturating_sub(count))
                })
                .unwrap_or(0);
            let sent = self.to.write_all(&bytes[..bytes.len().min(before)]);
            if count >= before || sent.is_err() {
                // What is on its way may arrive or not, as with a cable.
                reset(&self.from);
                reset(&self.to);
                return;
            }
        }
        // Reset by one end: so it is for the other.
        reset(&self.to);
    }

    /// What becomes of the next bytes; `None`: this direction is over.
    fn harmed(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (from, to) = (self.at, self.at + bytes.len());
        self.at = to;
        let mut bytes = bytes.to_vec();
        match self.harm {
            Some((at, Harm::Drop(len))) => {
                if (from..to).contains(&at) {
                    let _ = self.strike.send(());
                }
                let lost = at.clamp(from, to) - from..(at + len).clamp(from, to) - from;
                bytes.drain(lost);
            }
            Some((at, harm)) if (from..to).contains(&at) => {
                self.harm = None;
                let place = at - from;
                if !matches!(harm, Harm::Silence) {
                    let _ = self.strike.send(());
                }
                match harm {
                    Harm::Flip => bytes[place] ^= 1 << (at % 8),
                    Harm::Duplicate(len) => {
                        let end = bytes.len().min(place + len);
                        let copy = bytes[place..end].to_vec();
                        bytes.splice(place..place, copy);
                    }
                    Harm::Hold => {
                        let held = self.held.lock().expect("whole");
                        // Let go as well when the test is over.
                        let _ = held.recv();
                    }
                    Harm::Cut => {
                        reset(&self.from);
                        reset(&self.to);
                        return None;
                    }
                    Harm::Silence => {
                        let _ = self.to.write_all(&bytes[..place]);
                        let _ = self.strike.send(());
                        // The connection is not closed before the other direction is.
                        let mut rest = [0; 4096];
                        while self.from.read(&mut rest).is_ok_and(|count| count > 0) {}
                        return None;
                    }
                    Harm::End => {
                        let _ = self.to.write_all(&bytes[..place]);
                        let _ = self.to.shutdown(Shutdown::Write);
                        return None;
                    }
                    Harm::Drop(_) => {}
                }
            }
            _ => {}
        }
        Some(bytes)
    }
}

impl Way {
    /// Forwards frames of a transfer, which are taken apart for it and sealed again.
    fn forge(mut self, at: usize) {
        if self.forge_frames(at).is_err() {
            reset(&self.to);
        } else {
            let _ = self.to.shutdown(Shutdown::Write);
        }
    }

    fn forge_frames(&mut self, at: usize) -> std::io::Result<()> {
        let mut preface = [0; frame::PREFACE.len()];
        self.from.read_exact(&mut preface)?;
        self.to.write_all(&preface)?;
        let mut seal = frame::Encoder::new(frame::Protection::Checksums);
        let mut content = 0;
        let mut header = [0; frame::HEADER_LEN];
        while let Ok(()) = self.from.read_exact(&mut header) {
            let number = |bytes: &[u8]| {
                bytes
                    .iter()
                    .rev()
                    .fold(0, |sum, b| sum << 8 | usize::from(*b))
            };
            let (len, kind) = (number(&header[..4]), header[4]);
            let mut body = vec![0; len];
            self.from.read_exact(&mut body)?;
            let head = match kind {
                frame::kind::DATA => number(&header[5..8]),
                _ => len,
            };
            let (head, payload) = body.split_at_mut(head);
            if let Some(byte) = at.checked_sub(content).and_then(|at| payload.get_mut(at)) {
                *byte ^= 1;
                let _ = self.strike.send(());
            }
            content += payload.len();
            let header = seal.seal(kind, head, payload.len(), frame::crc(0, payload));
            self.to.write_all(&header)?;
            self.to.write_all(&body)?;
        }
        Ok(())
    }
}

/// Ends a connection with RST.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Both);
}

/// Numbers that are the same in every run: SplitMix64.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// Bytes that cannot be compressed or guessed.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
