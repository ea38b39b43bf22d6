//! Connecting, on a thread of its own because it blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::machine::Note;
use super::terminal::Questioner;
use crate::cli::DialArgs;
use crate::core::address::Address;
use crate::core::dial::{DialOptions, Dialled, Step, dial};
use crate::core::event_loop::Handle;
use crate::core::machine::Origin;
use crate::core::options::Settings;
use crate::core::secure::Fingerprint;
use crate::core::secure::tls::Connector;
use crate::core::secure::tls::client::Refusal;
use crate::core::transport::Transport;
use crate::error::{Error, Kind, Result};

/// The only origin there is.
const ORIGIN: Origin = Origin(0);

/// Knows where to connect and how.
#[derive(Debug, Clone)]
pub(super) struct Dialler {
    address: Address,
    options: DialOptions,
    security: Option<Arc<Security>>,
}

/// What makes a connection a secure one.
#[derive(Debug)]
struct Security {
    connector: Connector,
    /// There was a connection: a server of which nobody knows anything is another one from then on, and the person
    /// is in the middle of a line.
    was_connected: AtomicBool,
}

impl Dialler {
    /// With the options as they were typed.
    pub(super) fn new(
        address: Address,
        args: &DialArgs,
        settings: Settings,
        connector: Option<Connector>,
    ) -> Self {
        let options = args.options(settings);
        let security = connector.map(|connector| {
            Arc::new(Security {
                connector,
                was_connected: AtomicBool::new(false),
            })
        });
        Self {
            address,
            options,
            security,
        }
    }

    /// Connects and reports. `detail` is told each step; `person` is asked whether to trust a server that is new,
    /// if there is somebody.
    pub(super) fn start(
        &self,
        handle: Handle<Note>,
        person: Option<Questioner>,
        detail: impl Fn(&str) + Send + 'static,
    ) {
        let dialler = self.clone();
        thread::spawn(move || {
            let told = match dialler.connect(person.as_ref(), &detail) {
                Ok(Dialled { transport, peer }) => handle.adopt(transport, peer, ORIGIN),
                Err(error) => handle.urgent(Note::DialFailed(error)),
            };
            // A loop that has ended has no use for the connection.
            let _ = told;
        });
    }

    fn connect(&self, person: Option<&Questioner>, detail: &dyn Fn(&str)) -> Result<Dialled> {
        let mut watch = |step: Step| detail(&step.to_string());
        loop {
            let began = Instant::now();
            let dialled = dial(&self.address, &self.options, &mut watch)?;
            let Some(security) = &self.security else {
                return Ok(dialled);
            };
            let Transport::Tcp(stream) = dialled.transport else {
                return Ok(dialled);
            };
            // The time is for all together, but an agreement that has begun gets a moment.
            let left = self.options.timeout.saturating_sub(began.elapsed());
            let patience = left.max(self.options.timeout / 4);
            match security.connector.connect(stream.into(), patience) {
                Ok(stream) => {
                    security.was_connected.store(true, Ordering::Relaxed);
                    return Ok(Dialled {
                        transport: Transport::Tls(Box::new(stream)),
                        peer: dialled.peer,
                    });
                }
                Err(Refusal::Failed(error)) => return Err(error),
                // It is not kept waiting for the answer: that may take longer than its patience.
                Err(Refusal::Stranger(fingerprint)) => security.introduce(fingerprint, person)?,
            }
        }
    }
}

impl Security {
    /// Has a person look at a new server's certificate. Without one the answer is no.
    fn introduce(&self, fingerprint: Fingerprint, person: Option<&Questioner>) -> Result<()> {
        let connector = &self.connector;
        let person = match person {
            Some(person) if !self.was_connected.load(Ordering::Relaxed) => person,
            _ => return Err(connector.unasked(fingerprint)),
        };
        let peer = connector.peer();
        let news = format!(
            "{peer} is new here, and nobody who is trusted vouches for it; its certificate is {fingerprint}: \
             compare that with what the server says that it has"
        );
        if !person.ask(&news, "trust it from now on? [y/N] ") {
            return Err(Error::new(
                Kind::Refused,
                format!("the certificate of {peer} was not trusted"),
            ));
        }
        connector.remember(fingerprint)
    }
}
