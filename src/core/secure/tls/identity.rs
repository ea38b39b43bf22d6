//! A certificate and its private key: read from PEM files, or made and signed by ourselves.

use std::io;
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::core::private_file;
use crate::core::secure::Fingerprint;
use crate::core::secure::settings::{IdentityFiles, ServerIdentity};
use crate::error::{Error, Kind, Result};

/// Where a server's own certificate and key are kept, in the state directory.
const SELF_SIGNED: &str = "self-signed.pem";

/// The largest PEM file that is read: a chain has a few KiB, a bundle of all public roots about 250 KiB.
const MAX_PEM: u64 = 4 << 20;

/// The name in a certificate of ours. It is known by its fingerprint, not by its name.
const NAME: &str = "sockkit";

/// A certificate, those that lead to a root, and its private key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

impl Identity {
    /// What a server was told to be. `warn` is told what a person should look after.
    pub fn of_server(identity: &ServerIdentity, warn: &mut dyn FnMut(&str)) -> Result<Self> {
        match identity {
            ServerIdentity::Files(files) => Self::load(files, warn),
            ServerIdentity::SelfSigned => Self::kept(warn),
            ServerIdentity::Ephemeral => Self::throwaway(),
        }
    }

    /// Reads PEM files. The key may be PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), not encrypted.
    ///
    /// # Errors
    ///
    /// [`Kind::Other`]: `cannot read the certificate in chat.pem: no such file or directory`.
    pub fn load(files: &IdentityFiles, warn: &mut dyn FnMut(&str)) -> Result<Self> {
        let key_bytes = read(&files.key, "private key")?;
        if private_file::is_readable_by_others(&files.key) == Some(true) {
            warn(&format!(
                "others than its owner may read the private key in {}: chmod 600 it, and think of making a new one",
                files.key.display()
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|_| {
            unusable("private key", &files.key, "there is none in it").hint(
                "what is wanted is PEM, not encrypted: PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY",
            )
        })?;
        Ok(Self {
            chain: certificates(&files.certificates)?,
            key,
        })
    }

    /// The server's own, kept from the first time on, so that its fingerprint stays the same.
    fn kept(warn: &mut dyn FnMut(&str)) -> Result<Self> {
        let Some(directory) = private_file::state_directory() else {
            return Err(Error::new(
                Kind::Other,
                "there is no place to keep a self-signed certificate in: neither HOME nor XDG_STATE_HOME is set",
            )
            .hint("--ephemeral makes one for this run alone"));
        };
        let path = directory.join(SELF_SIGNED);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = make()?;
                let write = || {
                    private_file::create_directory(&directory)?;
                    private_file::create(&path, made.as_bytes())
                };
                match write() {
                    Ok(()) => {}
                    // Another server was started at the same moment.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => {
                        let text = format!("cannot keep a certificate in {}", path.display());
                        return Err(Error::new(Kind::Other, text).because(error));
                    }
                }
            }
            _ => {}
        }
        let files = IdentityFiles {
            certificates: path.clone(),
            key: path,
        };
        Self::load(&files, warn)
    }

    /// One for a single run or session, which is never stored.
    pub fn throwaway() -> Result<Self> {
        let pem = make()?;
        let unusable = |_| Error::new(Kind::Other, "cannot make a certificate");
        Ok(Self {
            chain: vec![CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unusable)?],
            key: PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(unusable)?,
        })
    }

    /// What the certificate is known by.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.chain.first().map_or(&[], |certificate| certificate))
    }
}

/// Every certificate of a PEM file: at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path, "certificate")?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable("certificate", path, "it is not PEM"))?;
    match found.is_empty() {
        true => Err(unusable("certificate", path, "there is none in it")),
        false => Ok(found),
    }
}

/// Overwritten in memory when it is dropped: a file of certificates may have the key in it too, as our own has.
fn read(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let size = std::fs::metadata(path)
        .map_err(|error| failure(what, path).because(error))?
        .len();
    if size > MAX_PEM {
        return Err(failure(what, path).because("it is too large for one"));
    }
    std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| failure(what, path).because(error))
}

fn failure(what: &str, path: &Path) -> Error {
    Error::new(
        Kind::Other,
        format!("cannot read the {what} in {}", path.display()),
    )
}

pub(super) fn unusable(what: &str, path: &Path, why: &str) -> Error {
    Error::new(
        Kind::Other,
        format!("cannot use the {what} in {}", path.display()),
    )
    .because(why.to_string())
}

/// A new key (ECDSA on P-256, the one that every TLS library has) and a certificate that it signs, as PEM.
///
/// The certificate says that it is a server's and a client's and no CA's, and its time runs out in 4096: whoever trusts
/// it has compared its fingerprint, and a date adds nothing to that.
fn make() -> Result<Zeroizing<String>> {
    let make = || -> Result<_, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["localhost".to_string()])?;
        params.distinguished_name.push(DnType::CommonName, NAME);
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.self_signed(&key)?;
        let mut pem = Zeroizing::new(certificate.pem());
        pem.push_str(&Zeroizing::new(key.serialize_pem()));
        Ok(pem)
    };
    make().map_err(|error| Error::new(Kind::Other, "cannot make a certificate").because(error))
}
