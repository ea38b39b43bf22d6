//! A TCP proxy on which light is slow: what goes in at one end comes out at the other after a fixed time, at any rate.
//!
//!     delay LISTEN TARGET MILLISECONDS
//!
//! Forwards one connection with so many milliseconds in each direction, and prints what benches/transfer.sh reads:
//! after how many round trips the first 64 KiB from whoever connected have come out at the target, and the seconds
//! until all has. The opening of the connection is delayed as well, by a round trip before anything is forwarded.
//!
//! The proxy acknowledges at once, so the windows of TCP do not feel the delay: what is tried here is the protocol.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// More than a hello and the names: content.
const FIRST: u64 = 64 * 1024;

/// What is on its way in one direction at the most: 10 Gbit/s for 100 ms.
const IN_FLIGHT: usize = 128 * 1024 * 1024;

/// What is on its way in one direction.
#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the end of the stream comes out.
    end: Option<Instant>,
}

impl Pipe {
    fn fill(&self, mut from: TcpStream, delay: Duration) {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            // A reset is an end as well.
            let count = from.read(&mut buffer).unwrap_or(0);
            let due = Instant::now() + delay;
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if count == 0 {
                state.end = Some(due);
                self.changed.notify_all();
                return;
            }
            while state.bytes > IN_FLIGHT {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.bytes += count;
            state.pieces.push_back((due, buffer[..count].to_vec()));
            self.changed.notify_all();
        }
    }

    /// When the first [`FIRST`] bytes were out, and when all were.
    fn drain(&self, mut to: TcpStream) -> (Option<Instant>, Instant) {
        let mut first = None;
        let mut total = 0;
        loop {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let (due, piece) = loop {
                if let Some((due, piece)) = state.pieces.pop_front() {
                    state.bytes -= piece.len();
                    self.changed.notify_all();
                    break (due, Some(piece));
                }
                if let Some(end) = state.end {
                    break (end, None);
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let Some(piece) = piece else {
                let _ = to.shutdown(Shutdown::Write);
                return (first, Instant::now());
            };
            // Whoever has gone needs no more.
            let _ = to.write_all(&piece);
            total += piece.len() as u64;
            if total >= FIRST && first.is_none() {
                first = Some(Instant::now());
            }
        }
    }
}

fn run(listen: &str, target: &str, delay: Duration) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    let (near, _) = listener.accept()?;
    let begun = Instant::now();
    thread::sleep(delay * 2);
    let far = TcpStream::connect(target)?;
    let mut directions = Vec::new();
    for (from, to) in [(&near, &far), (&far, &near)] {
        to.set_nodelay(true)?;
        let pipe = Arc::new(Pipe::default());
        let (filled, from, to) = (Arc::clone(&pipe), from.try_clone()?, to.try_clone()?);
        thread::spawn(move || filled.fill(from, delay));
        directions.push(thread::spawn(move || pipe.drain(to)));
    }
    let mut outcomes = Vec::new();
    for direction in directions {
        let outcome = direction.join();
        outcomes.push(outcome.map_err(|_| io::Error::other("a direction failed"))?);
    }
    let since = |time: Instant| (time - begun).as_secs_f64();
    let round_trip = (delay * 2).as_secs_f64();
    let (first, _) = outcomes[0];
    let first = first.map_or(f64::NAN, |first| since(first) / round_trip);
    let last = outcomes
        .iter()
        .map(|(_, last)| since(*last))
        .fold(0.0, f64::max);
    writeln!(
        io::stdout(),
        "first_round_trips={first:.2} seconds={last:.3}"
    )
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.as_slice() {
        [listen, target, millis] => match millis.parse() {
            Ok(millis) => run(listen, target, Duration::from_millis(millis)),
            Err(_) => Err(io::Error::other("the delay is no number")),
        },
        // As `cargo test --benches` calls it.
        _ => return ExitCode::SUCCESS,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "delay: {error}");
            ExitCode::FAILURE
        }
    }
}
