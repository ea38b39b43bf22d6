//! What every command with `tls://` addresses begins with: what was typed about certificates becomes a server's or a
//! client's, a person is told what to look after, and SIGHUP reads a server's files again.

use std::sync::Arc;

use crate::cli::{TlsClientArgs, TlsServerArgs};
use crate::core::address::{Address, Scheme};
use crate::core::machine::Signal;
use crate::core::secure::settings::Trust;
use crate::core::secure::tls::{Acceptor, Connector};
use crate::error::Result;
use crate::ui::Ui;

/// What a server shows on its `tls://` addresses, if it has any.
#[derive(Debug, Clone)]
pub struct Certificate {
    ui: Ui,
    acceptor: Option<Arc<Acceptor>>,
}

impl Certificate {
    /// Reads or makes it, for a server on these addresses.
    ///
    /// # Errors
    ///
    /// What [`TlsServerArgs::settings`] and [`Acceptor::new`] say.
    pub fn new(ui: &Ui, args: &TlsServerArgs, addresses: &[Address]) -> Result<Self> {
        let wanted = addresses
            .iter()
            .any(|address| address.scheme() == Scheme::Tls);
        let acceptor = args
            .settings(wanted)?
            .map(|settings| Acceptor::new(settings, &mut |text| ui.warn(text)))
            .transpose()?;
        Ok(Self {
            ui: ui.clone(),
            acceptor: acceptor.map(Arc::new),
        })
    }

    /// What shows it to those who connect to this address; `None`: nobody is shown anything there.
    pub fn acceptor(&self, address: &Address) -> Option<Arc<Acceptor>> {
        self.acceptor
            .clone()
            .filter(|_| address.scheme() == Scheme::Tls)
    }

    /// Says by what clients know it.
    pub fn tell(&self) -> Result<()> {
        match &self.acceptor {
            Some(acceptor) => self.ui.certificate(acceptor.fingerprint()),
            None => Ok(()),
        }
    }

    /// Takes SIGHUP for a request to read it again, if it is from files. `false`: it is not, or this is another signal,
    /// and the server has to do what it does.
    pub fn takes(&self, signal: Signal) -> bool {
        match &self.acceptor {
            Some(acceptor) if signal == Signal::HangUp && acceptor.can_reload() => {
                self.reload(acceptor);
                true
            }
            _ => false,
        }
    }

    fn reload(&self, acceptor: &Acceptor) {
        let ui = &self.ui;
        // --client-ca is read with it, and alone where the certificate is our own.
        match acceptor.reload(&mut |text| ui.warn(text)) {
            Ok(fingerprint) if acceptor.reloads_certificate() => ui.note(&format!(
                "the certificate was read again: it is {fingerprint}"
            )),
            Ok(_) => ui.note("the file of --client-ca was read again"),
            Err(error) => {
                ui.error(&error);
                ui.note(match acceptor.asks_clients() {
                    true => {
                        "the certificate stays the one it was, and so does whose clients come in"
                    }
                    false => "the certificate stays the one it was",
                });
            }
        }
    }
}

/// What begins secure connections, if that is what the address wants.
///
/// # Errors
///
/// What [`TlsClientArgs::settings`] and [`Connector::new`] say.
pub fn connector(ui: &Ui, args: &TlsClientArgs, address: &Address) -> Result<Option<Connector>> {
    let Some(settings) = args.settings(address.scheme() == Scheme::Tls)? else {
        return Ok(None);
    };
    if settings.trust == Trust::Anything {
        ui.warn_though_quiet(&format!(
            "--insecure: nobody knows whether this is {address}; whoever is on the way can read and change everything"
        ));
    }
    Connector::new(address, settings, &mut |text| ui.warn(text)).map(Some)
}
