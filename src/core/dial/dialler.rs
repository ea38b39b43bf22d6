//! Connecting to one server, as often as it takes, and agreeing on TLS with it if that is wanted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{DialOptions, Dialled, Step, dial};
use crate::core::address::Address;
use crate::core::secure::Fingerprint;
use crate::core::secure::tls::Connector;
use crate::core::secure::tls::client::Refusal;
use crate::core::transport::Transport;
use crate::error::{Error, Kind, Result};

/// Somebody who can be asked whether to trust a server.
pub trait Person {
    /// Says what is to be known and asks. Waits for the answer; none is a no.
    fn ask(&self, news: &str, question: &str) -> bool;
}

/// Knows where to connect and how.
#[derive(Debug)]
pub struct Dialler {
    address: Address,
    options: DialOptions,
    connector: Option<Connector>,
    /// There was a secure connection: a server of which nobody knows anything is another one from then on, and the
    /// person is in the middle of something else.
    was_connected: AtomicBool,
}

impl Dialler {
    /// With TLS if there is a connector for it.
    pub fn new(address: Address, options: DialOptions, connector: Option<Connector>) -> Self {
        Self {
            address,
            options,
            connector,
            was_connected: AtomicBool::new(false),
        }
    }

    /// Connects. Blocks as [`dial`] does, and with TLS a little longer; `watch` is told each step. `person` is asked
    /// whether to trust a server that is new, if there is somebody.
    ///
    /// # Errors
    ///
    /// What [`dial`] says, or why there is no TLS: [`Kind::Refused`] because of a certificate.
    pub fn connect(
        &self,
        person: Option<&dyn Person>,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Dialled> {
        loop {
            let began = Instant::now();
            let dialled = dial(&self.address, &self.options, watch)?;
            let Some(connector) = &self.connector else {
                return Ok(dialled);
            };
            let Transport::Tcp(stream) = dialled.transport else {
                return Ok(dialled);
            };
            // The time is for all together, but an agreement that has begun gets a moment.
            let left = self.options.timeout.saturating_sub(began.elapsed());
            let patience = left.max(self.options.timeout / 4);
            let connected = Instant::now();
            match connector.connect(stream.into(), patience) {
                Ok(stream) => {
                    self.was_connected.store(true, Ordering::Relaxed);
                    if let Some(agreement) = stream.agreement() {
                        watch(Step::Secured {
                            agreement,
                            took: connected.elapsed(),
                        });
                    }
                    return Ok(Dialled {
                        transport: Transport::Tls(Box::new(stream)),
                        peer: dialled.peer,
                    });
                }
                Err(Refusal::Failed(error)) => return Err(error),
                // It is not kept waiting for the answer: that may take longer than its patience.
                Err(Refusal::Stranger(fingerprint)) => {
                    self.introduce(connector, fingerprint, person)?;
                }
            }
        }
    }

    /// Has a person look at a new server's certificate. Without one the answer is no.
    fn introduce(
        &self,
        connector: &Connector,
        fingerprint: Fingerprint,
        person: Option<&dyn Person>,
    ) -> Result<()> {
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
