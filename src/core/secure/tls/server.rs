//! How a server begins: its certificate, and whose clients it lets in.

use std::path::Path;
use std::sync::{Arc, RwLock};

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
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
        let current = RwLock::new(load(&settings, warn)?);
        Ok(Self { settings, current })
    }

    /// Whether the certificate is from files, which may change. One of our own is what clients know the server by.
    pub fn can_reload(&self) -> bool {
        matches!(self.settings.identity, ServerIdentity::Files(_))
    }

    /// Reads the files again. With an error all stays as it was.
    pub fn reload(&self, warn: &mut dyn FnMut(&str)) -> Result<Fingerprint> {
        let new = load(&self.settings, warn)?;
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

    /// A connection that has not begun.
    pub(super) fn begin(&self) -> Result<Connection, rustls::Error> {
        let current = self
            .current
            .read()
            .unwrap_or_else(|error| error.into_inner());
        ServerConnection::new(Arc::clone(&current.config)).map(Connection::Server)
    }
}

fn load(settings: &ServerSettings, warn: &mut dyn FnMut(&str)) -> Result<Current> {
    let identity = Identity::of_server(&settings.identity, warn)?;
    let fingerprint = identity.fingerprint();
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
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(cannot)?;
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
