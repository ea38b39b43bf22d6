//! A TCP proxy on loopback that cuts its connections with RST, each after a number of bytes it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Forwards to a server. Connection number n is cut after `budgets[n]` bytes, both directions together; those
/// beyond the list live as long as they like.
pub struct Proxy {
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn start(target: SocketAddr, budgets: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        // The thread ends with the test process: accept(2) has no other end.
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let number = count.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(target) else {
                    return;
                };
                let budget = budgets.get(number).copied().unwrap_or(usize::MAX);
                let budget = Arc::new(AtomicUsize::new(budget));
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let from = from.try_clone().expect("a handle");
                    let to = to.try_clone().expect("a handle");
                    let budget = Arc::clone(&budget);
                    thread::spawn(move || forward(from, to, &budget));
                }
            }
        });
        Self { address, accepted }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, budget: &AtomicUsize) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            let _ = to.shutdown(std::net::Shutdown::Write);
            return;
        }
        let before = budget
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(count))
            })
            .unwrap_or(0);
        let sent = to.write_all(&buffer[..count.min(before)]);
        if count >= before || sent.is_err() {
            // What is on its way may arrive or not, as with a cable.
            for stream in [&from, &to] {
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
            return;
        }
    }
}

/// Numbers that are the same in every run: SplitMix64.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
