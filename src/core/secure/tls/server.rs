//! How a server begins: its certificate, and whose clients it lets in.

use std::path::Path;
use std::sync::{Arc, RwLock};

use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::{Connection, RootCertStore, ServerConfig, ServerConnection};

use super::identity::{self, Identity};
use super::{provider, trouble};
use crate::core::secure::Fingerprint;
use crate::core::secure::settings::{ServerIdentity, ServerSettings};
use crate::error::{Error, Kind, Result};

/// Takes connections. Those that come after [`Acceptor::reload`] see the new certificate; those that are there stay.
pub struct Acceptor {
    settings: ServerSettings,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Acceptor({})", self.fingerprint())
    }
}

impl Acceptor {
    /// Reads, or makes, what the settings say. `warn` is told what a person should look after.
    pub fn new(settings: ServerSettings, warn: &mut dyn FnMut(&str)) -> Result<Self> {
        let current = RwLock::new(load(&settings, None, warn)?);
        Ok(Self { settings, current })
    }

    /// Whether anything is from files, which may change.
    pub fn can_reload(&self) -> bool {
        self.reloads_certificate() || self.asks_clients()
    }

    /// Whether the certificate is. One of our own is what clients know the server by, and stays.
    pub fn reloads_certificate(&self) -> bool {
        matches!(self.settings.identity, ServerIdentity::Files(_))
    }

    /// Whether clients need a certificate, of somebody who is in a file.
    pub fn asks_clients(&self) -> bool {
        self.settings.client_ca.is_some()
    }

    /// Reads the files again. With an error all stays as it was.
    pub fn reload(&self, warn: &mut dyn FnMut(&str)) -> Result<Fingerprint> {
        let kept = (!self.reloads_certificate()).then(|| self.shown());
        let new = load(&self.settings, kept, warn)?;
        let fingerprint = new.fingerprint;
        let mut current = self
            .current
            .write()
            .unwrap_or_else(|error| error.into_inner());
        *current = new;
        Ok(fingerprint)
    }

    /// What clients know the server by.
    pub fn fingerprint(&self) -> Fingerprint {
        let current = self
            .current
            .read()
            .unwrap_or_else(|error| error.into_inner());
        current.fingerprint
    }

    /// The certificate, with its key, as connections show it.
    fn shown(&self) -> (Arc<dyn ResolvesServerCert>, Fingerprint) {
        let current = self
            .current
            .read()
            .unwrap_or_else(|error| error.into_inner());
        (
            Arc::clone(&current.config.cert_resolver),
            current.fingerprint,
        )
    }

    /// A connection that has not begun.
    pub(super) fn begin(&self) -> Result<Connection, rustls::Error> {
        let current = self
            .current
            .read()
            .unwrap_or_else(|error| error.into_inner());
        ServerConnection::new(Arc::clone(&current.config)).map(Connection::Server)
    }
}

/// Reads it all; with `kept` all but the certificate.
fn load(
    settings: &ServerSettings,
    kept: Option<(Arc<dyn ResolvesServerCert>, Fingerprint)>,
    warn: &mut dyn FnMut(&str),
) -> Result<Current> {
    let cannot = |error: rustls::Error| {
        let said = match &settings.identity {
            ServerIdentity::Files(files) => Error::new(
                Kind::Other,
                format!(
                    "cannot use the certificate in {}",
                    files.certificates.display()
                ),
            ),
            _ => Error::new(Kind::Other, "cannot use the certificate"),
        };
        said.because(trouble::of_own_identity(&error))
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(cannot)?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots(path)?.into(), provider())
                    .build()
                    .map_err(|error| identity::unusable("certificate", path, &error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (mut config, fingerprint) = match kept {
        Some((shown, fingerprint)) => (builder.with_cert_resolver(shown), fingerprint),
        None => {
            let identity = Identity::of_server(&settings.identity, warn)?;
            let fingerprint = identity.fingerprint();
            let config = builder
                .with_single_cert(identity.chain, identity.key)
                .map_err(cannot)?;
            (config, fingerprint)
        }
    };
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Current {
        config: Arc::new(config),
        fingerprint,
    })
}

/// The certificates of a file as those that may vouch for others.
pub(super) fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in identity::certificates(path)? {
        roots.add(certificate).map_err(|error| {
            identity::unusable("certificate", path, &trouble::of_own_identity(&error))
        })?;
    }
    Ok(roots)
}
