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
            Trouble::WrongCode => Kind::Refused,
            Trouble::Broken { kind, .. } => *kind,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::WrongCode => Disagreement::WrongCode.fmt(f),
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

/// The end that has connected. All together may take `patience`.
pub fn initiate(
    stream: Arc<Stream>,
    code: &Code,
    patience: Duration,
) -> Result<(Reader, Writer), Trouble> {
    agree(stream, code, Side::Initiator, patience)
}

/// The end that was connected to.
pub fn accept(
    stream: Arc<Stream>,
    code: &Code,
    patience: Duration,
) -> Result<(Reader, Writer), Trouble> {
    agree(stream, code, Side::Listener, patience)
}

fn agree(
    stream: Arc<Stream>,
    code: &Code,
    side: Side,
    patience: Duration,
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
            Ok(true) => agreement.receive(&binding, &message),
            Ok(false) => agreement.end_of_input(),
            // A listener that was told a wrong code may be gone before it can say anything.
            Err(error) if is_an_end(&error) && agreement.awaits_verdict() => {
                agreement.end_of_input()
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
