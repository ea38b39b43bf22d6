//! A channel between two ends that know the same code: TLS 1.3 with a throwaway certificate, then the code ([`pake`])
//! tied to that session. Before both have proved that they know it nothing else is said: no name, no version, nothing
//! that tells one program from another.
//!
//! ```text
//! initiator                              listener
//!   | ClientHello  ------------------------>  |
//!   | <--  ServerHello ... Finished, element  |
//!   | Finished, element, confirmation  ---->  |
//!   | <------------------------ confirmation  |
//! ```
//!
//! So the initiator may speak after two round trips, the listener half a one earlier.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::code::Code;
use super::pake::{Agreement, Disagreement, Side};
use super::tls::pipe::{self, Begun, Reader, Writer};
use crate::core::blocking::Stream;
use crate::error::Kind;

/// Why there is no channel.
#[derive(Debug)]
pub enum Trouble {
    /// The other end has another code, or somebody is in between.
    WrongCode,
    /// Too many wrong codes were tried, and this one was not looked at.
    NotNow,
    /// The other end was shown that this one knows the code, which tells whoever guesses whether that was right, and has
    /// not shown the same. Or the connection failed at that very moment.
    Unproved {
        /// What came instead, for a message.
        why: String,
        /// What kind of failure that is.
        kind: Kind,
    },
    /// The other end does not do what an honest one does, or the connection failed.
    Broken {
        /// Why, for a message.
        why: String,
        /// What kind of failure that is.
        kind: Kind,
    },
}

impl Trouble {
    /// What kind of failure it is, for the exit status.
    pub fn kind(&self) -> Kind {
        match self {
            Trouble::WrongCode | Trouble::NotNow => Kind::Refused,
            Trouble::Unproved { kind, .. } | Trouble::Broken { kind, .. } => *kind,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::WrongCode => Disagreement::WrongCode.fmt(f),
            Trouble::NotNow => f.write_str("too many wrong codes were tried"),
            Trouble::Unproved { why, .. } => {
                write!(f, "it has not shown that it knows the code: {why}")
            }
            Trouble::Broken { why, .. } => f.write_str(why),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let (why, kind) = pipe::explain(&error);
        Trouble::Broken { why, kind }
    }
}

/// Counts wrong codes, and decides whether another one may be tried. One at a time, or whoever tries a hundred at once
/// would have tried them all before the first is counted.
pub trait Doorkeeper {
    /// Calls `attempt`, which says whether the code was right; or does not, and says `false`.
    fn admit(&self, attempt: &mut dyn FnMut() -> bool) -> bool;
}

/// The end that has connected. All together may take `patience`.
pub fn initiate(
    stream: Arc<Stream>,
    code: &Code,
    patience: Duration,
) -> Result<(Reader, Writer), Trouble> {
    agree(stream, code, Side::Initiator, patience, None)
}

/// The end that was connected to.
pub fn accept(
    stream: Arc<Stream>,
    code: &Code,
    patience: Duration,
    door: &dyn Doorkeeper,
) -> Result<(Reader, Writer), Trouble> {
    agree(stream, code, Side::Listener, patience, Some(door))
}

fn agree(
    stream: Arc<Stream>,
    code: &Code,
    side: Side,
    patience: Duration,
    door: Option<&dyn Doorkeeper>,
) -> Result<(Reader, Writer), Trouble> {
    let until = Instant::now() + patience;
    let mut agreement = Agreement::new(side, code);
    // The initiator's first word goes together with its second.
    let greeting = match side {
        Side::Listener => agreement.take_output(),
        Side::Initiator => Vec::new(),
    };
    let mut begun = Begun::begin(stream, side, &greeting, patience)?;
    let binding = begun.binding()?;
    loop {
        let wanted = agreement.wanted();
        if wanted == 0 {
            break;
        }
        let mut message = vec![0; wanted];
        begun.set_patience(until.saturating_duration_since(Instant::now()));
        let outcome = match begun.hear(&mut message) {
            Ok(true) => match door.filter(|_| agreement.judges()) {
                None => agreement.receive(&binding, &message),
                Some(door) => {
                    let mut outcome = None;
                    door.admit(&mut || {
                        outcome
                            .insert(agreement.receive(&binding, &message))
                            .is_ok()
                    });
                    match outcome {
                        Some(outcome) => outcome,
                        None => {
                            begun.end();
                            return Err(Trouble::NotNow);
                        }
                    }
                }
            },
            Ok(false) => agreement.end_of_input(),
            // A listener that was told a wrong code may be gone before it can say anything.
            Err(error) if is_an_end(&error) && agreement.awaits_verdict() => {
                agreement.end_of_input()
            }
            Err(error) if agreement.awaits_verdict() => {
                let (why, kind) = pipe::explain(&error);
                return Err(Trouble::Unproved { why, kind });
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(disagreement) = outcome {
            begun.end();
            return Err(match disagreement {
                Disagreement::WrongCode => Trouble::WrongCode,
                Disagreement::Malformed => Trouble::Broken {
                    why: disagreement.to_string(),
                    kind: Kind::Integrity,
                },
            });
        }
        let output = agreement.take_output();
        if !output.is_empty() {
            begun.say(&output)?;
        }
    }
    begun.split().map_err(Trouble::from)
}

fn is_an_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
    use std::thread;

    /// Nothing here takes this long on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Lets everybody try.
    struct Open;

    impl Doorkeeper for Open {
        fn admit(&self, attempt: &mut dyn FnMut() -> bool) -> bool {
            attempt();
            true
        }
    }

    /// Lets nobody try.
    struct Shut;

    impl Doorkeeper for Shut {
        fn admit(&self, _: &mut dyn FnMut() -> bool) -> bool {
            false
        }
    }

    type Halves = Result<(Reader, Writer), Trouble>;

    fn code(text: &str) -> Code {
        Code::parse(text).expect("a code")
    }

    /// Two ends of a TCP connection.
    fn wire() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let one = TcpStream::connect(address).expect("connected");
        (one, listener.accept().expect("accepted").0)
    }

    fn shared(stream: TcpStream) -> Arc<Stream> {
        Arc::new(Stream::Tcp(stream))
    }

    fn both(initiator: &str, listener: &str) -> (Halves, Halves) {
        let (one, other) = wire();
        let (initiator, listener) = (code(initiator), code(listener));
        let other = thread::spawn(move || accept(shared(other), &listener, PATIENCE, &Open));
        let one = initiate(shared(one), &initiator, PATIENCE);
        (one, other.join().expect("it ends"))
    }

    fn pair() -> ((Reader, Writer), (Reader, Writer)) {
        let (one, other) = both("417-amber-falcon-river", "417 amber falcon river");
        (one.expect("a channel"), other.expect("a channel"))
    }

    #[test]
    fn both_directions_carry_everything_at_once_and_end_cleanly() {
        let ((mut ann_reads, mut ann_writes), (mut bob_reads, mut bob_writes)) = pair();
        // More than all buffers between them hold, so that each needs the other to read while it writes.
        let data: Vec<u8> = (0..8 << 20).map(|at: u32| (at % 251) as u8).collect();
        let (for_bob, for_ann) = (
            data.clone(),
            data.iter().rev().copied().collect::<Vec<u8>>(),
        );
        let expected = for_ann.clone();
        let send = |mut writer: Writer, data: Vec<u8>| {
            thread::spawn(move || {
                writer.write_all(&data).expect("sent");
                writer.finish().expect("finished");
            })
        };
        ann_writes.write_all(b"first").expect("sent");
        bob_writes.write_all(b"first").expect("sent");
        let threads = [send(ann_writes, for_bob), send(bob_writes, for_ann)];
        let bob = thread::spawn(move || {
            let mut got = Vec::new();
            bob_reads.read_to_end(&mut got).expect("a clean end");
            got
        });
        let mut got = Vec::new();
        ann_reads.read_to_end(&mut got).expect("a clean end");
        assert!(got.strip_prefix(b"first") == Some(&expected));
        assert!(bob.join().expect("it ends").strip_prefix(b"first") == Some(&data));
        for thread in threads {
            thread.join().expect("it ends");
        }
    }

    #[test]
    fn another_code_is_known_to_both_as_that() {
        let (one, other) = both("417-amber-falcon-river", "417-amber-falcon-rocket");
        assert!(matches!(one, Err(Trouble::WrongCode)), "{:?}", one.err());
        assert!(
            matches!(other, Err(Trouble::WrongCode)),
            "{:?}",
            other.err()
        );
    }

    #[test]
    fn where_no_code_may_be_tried_the_right_one_is_of_no_use() {
        let (one, other) = wire();
        let other = thread::spawn(move || {
            accept(shared(other), &code("the right code"), PATIENCE, &Shut).map(drop)
        });
        let one = initiate(shared(one), &code("the right code"), PATIENCE);
        assert!(one.is_err());
        let other = other.join().expect("it ends");
        assert!(matches!(other, Err(Trouble::NotNow)), "{other:?}");
    }

    /// Passes bytes on, and keeps them.
    fn relay(mut from: TcpStream, mut to: TcpStream) -> thread::JoinHandle<Vec<u8>> {
        thread::spawn(move || {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                seen.extend_from_slice(&buffer[..count]);
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
            seen
        })
    }

    #[test]
    fn nothing_of_the_code_or_of_what_is_said_is_on_the_wire() {
        let (one, left) = wire();
        let (right, other) = wire();
        let seen = [
            relay(
                left.try_clone().expect("a handle"),
                right.try_clone().expect("a handle"),
            ),
            relay(right, left),
        ];
        let other = thread::spawn(move || {
            let (mut reader, mut writer) =
                accept(shared(other), &code("the right code"), PATIENCE, &Open).expect("a channel");
            let mut got = String::new();
            reader.read_to_string(&mut got).expect("a clean end");
            writer.finish().expect("finished");
            got
        });
        let (_reader, mut writer) =
            initiate(shared(one), &code("the right code"), PATIENCE).expect("a channel");
        writer
            .write_all(b"/home/ann/secret plans.odt")
            .expect("sent");
        writer.finish().expect("finished");
        assert_eq!(other.join().expect("it ends"), "/home/ann/secret plans.odt");
        drop((_reader, writer));
        for seen in seen {
            let seen = String::from_utf8_lossy(&seen.join().expect("it ends")).to_lowercase();
            for part in [
                "right",
                "secret",
                "/home",
                "sockkit",
                env!("CARGO_PKG_VERSION"),
            ] {
                assert!(!seen.contains(part), "{part}");
            }
        }
    }

    #[test]
    fn a_man_in_the_middle_of_two_sessions_of_his_own_is_seen_by_both() {
        let (one, left) = wire();
        let (right, other) = wire();
        let other =
            thread::spawn(move || accept(shared(other), &code("the right code"), PATIENCE, &Open));
        // He has TLS with both and passes on what is inside, message by message.
        let middle = thread::spawn(move || {
            let mut to_bob =
                Begun::begin(shared(right), Side::Initiator, &[], PATIENCE).expect("TLS");
            let mut element = vec![0; 33];
            assert!(to_bob.hear(&mut element).expect("bob's element"));
            let mut to_ann =
                Begun::begin(shared(left), Side::Listener, &element, PATIENCE).expect("TLS");
            let mut both = vec![0; 33 + 32];
            assert!(
                to_ann
                    .hear(&mut both)
                    .expect("ann's element and confirmation")
            );
            to_bob.say(&both).expect("passed on");
            let mut confirmation = vec![0; 32];
            let answered = to_bob.hear(&mut confirmation).expect("an end");
            to_ann.end();
            answered
        });
        let one = initiate(shared(one), &code("the right code"), PATIENCE);
        assert!(!middle.join().expect("it ends"), "bob confirms nothing");
        assert!(matches!(one, Err(Trouble::WrongCode)), "{:?}", one.err());
        let other = other.join().expect("it ends");
        assert!(
            matches!(other, Err(Trouble::WrongCode)),
            "{:?}",
            other.err()
        );
    }

    /// What the initiator shows tells whoever answers whether a guess was right.
    #[test]
    fn who_was_shown_the_confirmation_and_does_not_answer_it_has_proved_nothing() {
        for hangs_up in [true, false] {
            let (one, other) = wire();
            let guesser = thread::spawn(move || {
                let mut raw = other.try_clone().expect("a handle");
                let mut guess = Agreement::new(Side::Listener, &code("a wrong guess"));
                let element = guess.take_output();
                let mut begun =
                    Begun::begin(shared(other), Side::Listener, &element, PATIENCE).expect("TLS");
                assert!(begun.hear(&mut [0; 33 + 32]).expect("all of it"));
                if !hangs_up {
                    raw.write_all(b"this is no TLS").expect("sent");
                }
            });
            let one = initiate(shared(one), &code("the right code"), PATIENCE);
            match hangs_up {
                true => assert!(matches!(one, Err(Trouble::WrongCode)), "{:?}", one.err()),
                false => assert!(
                    matches!(one, Err(Trouble::Unproved { .. })),
                    "{:?}",
                    one.err()
                ),
            }
            guesser.join().expect("it ends");
        }
    }

    /// What the code costs beside a plain connection, on which the initiator speaks at once.
    #[test]
    fn the_initiator_may_speak_after_two_round_trips() {
        let (one, left) = wire();
        let (right, other) = wire();
        let turns = Arc::new(std::sync::Mutex::new(Vec::new()));
        let note = |mut from: TcpStream, mut to: TcpStream, name: char| {
            let turns = Arc::clone(&turns);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    {
                        let mut turns = turns.lock().expect("whole");
                        if turns.last() != Some(&name) {
                            turns.push(name);
                        }
                    }
                    to.write_all(&buffer[..count]).expect("passed on");
                }
            })
        };
        note(
            left.try_clone().expect("a handle"),
            right.try_clone().expect("a handle"),
            'i',
        );
        note(right, left, 'l');
        let other =
            thread::spawn(move || accept(shared(other), &code("the right code"), PATIENCE, &Open));
        let one = initiate(shared(one), &code("the right code"), PATIENCE).expect("a channel");
        assert_eq!(*turns.lock().expect("whole"), ['i', 'l', 'i', 'l']);
        drop((one, other.join().expect("it ends")));
    }

    #[test]
    fn a_stream_that_is_cut_is_no_end() {
        let (one, left) = wire();
        let (right, other) = wire();
        // Cuts in the middle of a record, after the handshake and some data.
        let cutter = thread::spawn(move || {
            let back = relay(
                right.try_clone().expect("a handle"),
                left.try_clone().expect("a handle"),
            );
            let mut from = left;
            let mut to = right;
            let mut passed = 0;
            let mut buffer = [0; 1000];
            while passed < 100_000 {
                let count = from.read(&mut buffer).expect("more");
                to.write_all(&buffer[..count]).expect("passed on");
                passed += count;
            }
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            back.join().expect("it ends");
        });
        let bob = thread::spawn(move || {
            let (mut reader, _writer) =
                accept(shared(other), &code("the right code"), PATIENCE, &Open).expect("a channel");
            let mut got = Vec::new();
            (
                reader.read_to_end(&mut got).map_err(|error| error.kind()),
                got,
            )
        });
        let (_reader, mut writer) =
            initiate(shared(one), &code("the right code"), PATIENCE).expect("a channel");
        let data = vec![7; 4 << 20];
        let _ = writer.write_all(&data);
        let (end, got) = bob.join().expect("it ends");
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
        assert!(!got.is_empty() && got.iter().all(|&byte| byte == 7));
        cutter.join().expect("it ends");
    }

    #[test]
    fn a_byte_that_is_changed_on_the_way_is_noticed_and_nothing_of_it_is_read() {
        let (one, left) = wire();
        let (right, other) = wire();
        let back = relay(
            right.try_clone().expect("a handle"),
            left.try_clone().expect("a handle"),
        );
        let forger = thread::spawn(move || {
            let (mut from, mut to) = (left, right);
            let mut buffer = [0; 1000];
            let mut passed = 0;
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if (50_000..51_000).contains(&passed) {
                    buffer[count / 2] ^= 1;
                }
                passed += count;
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
        let bob = thread::spawn(move || {
            let (mut reader, _writer) =
                accept(shared(other), &code("the right code"), PATIENCE, &Open).expect("a channel");
            let mut got = Vec::new();
            let end = reader.read_to_end(&mut got).map_err(|error| error.kind());
            (end, got)
        });
        let (reader, mut writer) =
            initiate(shared(one), &code("the right code"), PATIENCE).expect("a channel");
        let _ = writer.write_all(&vec![7; 1 << 20]);
        let (end, got) = bob.join().expect("it ends");
        assert_eq!(end, Err(io::ErrorKind::InvalidData));
        assert!(got.len() < 64 * 1024 && got.iter().all(|&byte| byte == 7));
        drop((reader, writer));
        forger.join().expect("it ends");
        drop(back);
    }

    #[test]
    fn who_says_nothing_or_nonsense_is_given_up() {
        let (one, other) = wire();
        let said = accept(
            shared(other),
            &code("the right code"),
            Duration::from_millis(50),
            &Open,
        );
        assert!(
            matches!(&said, Err(trouble) if trouble.kind() == Kind::TimedOut),
            "{:?}",
            said.err()
        );
        drop(one);
        let (mut one, other) = wire();
        one.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        let said = accept(shared(other), &code("the right code"), PATIENCE, &Open);
        assert!(
            matches!(&said, Err(trouble) if trouble.kind() == Kind::Integrity),
            "{:?}",
            said.err()
        );
        let (one, other) = wire();
        drop(one);
        let said = accept(shared(other), &code("the right code"), PATIENCE, &Open);
        assert!(matches!(said, Err(Trouble::Broken { .. })));
    }

    #[test]
    fn who_has_no_code_and_leaves_gets_no_channel() {
        let (one, other) = wire();
        let leaves = thread::spawn(move || {
            Begun::begin(shared(one), Side::Initiator, &[], PATIENCE).map(Begun::end)
        });
        let said = accept(shared(other), &code("the right code"), PATIENCE, &Open);
        assert!(
            matches!(&said, Err(trouble) if trouble.kind() == Kind::Integrity),
            "{:?}",
            said.err()
        );
        leaves.join().expect("it ends").expect("TLS");
    }
}
