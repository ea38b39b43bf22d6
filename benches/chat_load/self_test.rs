//! Does the generator notice? A small chat server with a fault, and what must be said of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::check::Rules;
use crate::crowd::{Entrance, Place, Protocol};
use crate::modes::{Plan, flow};

const CLIENTS: usize = 6;
const SENDERS: usize = 3;
const LINES: u64 = 400;

/// The line in the room's log at which the fault shows, and who suffers from it.
const FAULTY_LINE: usize = 100;
const VICTIM: usize = CLIENTS - 1;

/// What the server does wrong, once, to one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Lose,
    LoseLast,
    Double,
    DoubleLast,
    Tear,
    Damage,
    OwnSequence,
    OwnOrder,
    Echo,
    WrongName,
    HangUp,
}

const FAULTS: [(Fault, &str); 12] = [
    (Fault::None, ""),
    (Fault::Lose, "too early: lines before it are lost or late"),
    (Fault::LoseLast, "lines are lost or stuck: 1 receivers"),
    (Fault::Double, "twice, or late"),
    (Fault::DoubleLast, "twice, or late"),
    (Fault::Tear, "neither a sender's line nor the server's"),
    (Fault::Damage, "damaged"),
    (
        Fault::OwnSequence,
        "too early: lines before it are lost or late",
    ),
    (Fault::OwnOrder, "another order"),
    (Fault::Echo, "its own line came back"),
    (Fault::WrongName, "is attributed to"),
    (Fault::HangUp, "client 5: "),
];

/// A server with each fault in turn; the one without must pass.
pub fn run() -> Result<String, String> {
    for (fault, expected) in FAULTS {
        let outcome = try_fault(fault);
        match (&outcome, fault) {
            (Ok(_), Fault::None) => {}
            (Err(said), _) if fault != Fault::None && said.contains(expected) => {}
            _ => {
                return Err(format!(
                    "{fault:?} was not noticed as it should: {outcome:?}"
                ));
            }
        }
    }
    Ok(format!("{} faults noticed", FAULTS.len() - 1))
}

fn try_fault(fault: Fault) -> Result<f64, String> {
    let failed = |e: std::io::Error| e.to_string();
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let addr: SocketAddr = listener.local_addr().map_err(failed)?;
    std::thread::spawn(move || serve(&listener, fault));
    let plan = Plan {
        entrance: Entrance {
            place: Place::Tcp(addr),
            protocol: Protocol::Plain,
            tls: None,
            // One after the other, so that the server's numbers are the generator's.
            connecting: 1,
            entering: 1,
            small: None,
        },
        clients: CLIENTS,
        senders: SENDERS,
        open: 4,
        warm_up: Duration::ZERO,
        time: Duration::from_secs(3600),
        patience: Duration::from_secs(match fault {
            // Only silence tells.
            Fault::LoseLast => 1,
            _ => 30,
        }),
        rules: Rules {
            // Most faults change the order in the room too, and that might be what is noticed first.
            same_order: matches!(fault, Fault::None | Fault::OwnOrder),
            same_prefix: true,
        },
        pid: None,
    };
    flow(&plan, Some(LINES))?
        .get("deliveries")
        .ok_or_else(|| "no figures".to_string())
}

struct Room {
    fault: Fault,
    members: Vec<TcpStream>,
    lines: usize,
    /// Kept back from the victim.
    held: Option<(usize, Vec<u8>)>,
}

fn serve(listener: &TcpListener, fault: Fault) {
    let room = Arc::new(Mutex::new(Room {
        fault,
        members: Vec::new(),
        lines: 0,
        held: None,
    }));
    for number in 0..CLIENTS {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let Ok(mut writer) = stream.try_clone() else {
            return;
        };
        // Small writes, each waited for. A client that is gone is noticed by its reader.
        let _ = writer.set_nodelay(true);
        let _ = writer.write_all(b"* welcome\n");
        let room = Arc::clone(&room);
        lock(&room).members.push(writer);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                lock(&room).say(number, &line);
            }
        });
    }
}

fn lock(room: &Mutex<Room>) -> std::sync::MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    fn say(&mut self, from: usize, text: &[u8]) {
        let whole = |name: usize| [format!("<{name}> ").as_bytes(), text, b"\n"].concat();
        let line = whole(from);
        let counted = text.first() == Some(&b'~');
        self.lines += usize::from(counted);
        let now = counted && self.lines == FAULTY_LINE;
        let last = counted && self.lines as u64 == LINES;
        for member in 0..self.members.len() {
            if member == from {
                if now && self.fault == Fault::Echo {
                    self.write(member, &line);
                }
                continue;
            }
            if member != VICTIM {
                self.write(member, &line);
                continue;
            }
            self.say_to_victim(from, &line, &whole(from + 1), now, last);
        }
    }

    fn say_to_victim(&mut self, from: usize, line: &[u8], misnamed: &[u8], now: bool, last: bool) {
        let (_, tail) = line.split_at(line.len() / 2);
        match self.fault {
            Fault::Lose if now => {}
            Fault::LoseLast if last => {}
            Fault::Double if now => self.write(VICTIM, &[line, line].concat()),
            Fault::DoubleLast if last => self.write(VICTIM, &[line, line].concat()),
            Fault::Tear if now => self.write(VICTIM, &[b"lost head ", tail].concat()),
            Fault::Damage if now => {
                let mut line = line.to_vec();
                let at = line.len() - 10;
                line[at] ^= 1;
                self.write(VICTIM, &line);
            }
            Fault::WrongName if now => self.write(VICTIM, misnamed),
            Fault::HangUp if now => {
                let _ = self.members[VICTIM].shutdown(std::net::Shutdown::Both);
            }
            Fault::OwnSequence | Fault::OwnOrder if now => self.held = Some((from, line.to_vec())),
            // The held line follows the next one of its sender.
            Fault::OwnSequence => match self.held.take_if(|(sender, _)| *sender == from) {
                Some((_, held)) => self.write(VICTIM, &[line, &held].concat()),
                None => self.write(VICTIM, line),
            },
            // It follows the next one of another sender, and never one of its own.
            Fault::OwnOrder => match self.held.take() {
                Some((sender, held)) if sender == from => {
                    self.write(VICTIM, &held);
                    self.held = Some((from, line.to_vec()));
                }
                Some((_, held)) => self.write(VICTIM, &[line, &held].concat()),
                None => self.write(VICTIM, line),
            },
            _ => self.write(VICTIM, line),
        }
    }

    fn write(&mut self, member: usize, bytes: &[u8]) {
        // The generator hangs up as soon as it has noticed.
        let _ = self.members[member].write_all(bytes);
    }
}
