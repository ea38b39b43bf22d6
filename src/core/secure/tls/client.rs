//! How a client begins: by what it knows that the server is the right one.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct,
    Error as TlsError, SignatureScheme,
};
use rustls_platform_verifier::Verifier as PlatformVerifier;

use super::identity::{self, Identity};
use super::patient::Patient;
use super::stream::TlsStream;
use super::{provider, server, trouble};
use crate::core::address::{Address, Endpoint, Host};
use crate::core::blocking::Stream;
use crate::core::secure::Fingerprint;
use crate::core::secure::known::{Acquaintance, KnownServers};
use crate::core::secure::settings::{ClientSettings, Trust};
use crate::error::{Error, Kind, Result};

/// Begins connections to one server.
pub struct Connector {
    address: Address,
    settings: ClientSettings,
    name: ServerName<'static>,
    identity: Option<Identity>,
    /// Who vouches for certificates. The platform's is made when it is first wanted: it may read all its roots.
    authority: OnceLock<Arc<dyn ServerCertVerifier>>,
    known: Option<KnownServers>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("address", &self.address)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody vouches for the server's certificate, and it was not seen before. A person may look at it, and trust
    /// it with [`Connector::remember`].
    Stranger(Fingerprint),
    /// Anything else.
    Failed(Error),
}

impl Connector {
    /// Reads what the settings say. `warn` is told what a person should look after.
    pub fn new(
        address: &Address,
        settings: ClientSettings,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let name = server_name(address, settings.server_name.as_deref())?;
        let identity = match &settings.identity {
            Some(files) => Some(Identity::load(files, warn)?),
            None => None,
        };
        let authority = OnceLock::new();
        if let Trust::Ca(path) = &settings.trust {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                server::roots(path)?.into(),
                provider(),
            )
            .build()
            .map_err(|error| identity::unusable("certificate", path, &error.to_string()))?;
            let _ = authority.set(verifier as Arc<dyn ServerCertVerifier>);
        }
        Ok(Self {
            address: address.clone(),
            settings,
            name,
            identity,
            authority,
            known: KnownServers::of_this_user(),
        })
    }

    /// Makes a connection secure. Blocks, at most for `patience`; the stream that comes out does not.
    pub fn connect(&self, socket: TcpStream, patience: Duration) -> Result<TlsStream, Refusal> {
        let finding = Arc::new(Mutex::new(None));
        let config = self.config(&finding).map_err(Refusal::Failed)?;
        let mut connection = ClientConnection::new(Arc::new(config), self.name.clone())
            .map(Connection::Client)
            .map_err(|error| Refusal::Failed(self.failure(&error.to_string(), Kind::Other)))?;
        let stream = Stream::Tcp(socket);
        let mut patient = Patient::new(&stream, patience);
        let shaken = stream
            .set_nonblocking(false)
            .and_then(|()| patient.shake_hands(&mut connection))
            .and_then(|()| stream.set_nonblocking(true));
        match (shaken, stream) {
            (Ok(()), Stream::Tcp(socket)) => Ok(TlsStream::established(
                mio::net::TcpStream::from_std(socket),
                connection,
            )),
            #[cfg(unix)]
            (Ok(()), Stream::Unix(_)) => Err(Refusal::Failed(
                self.failure("it is no TCP connection", Kind::Other),
            )),
            (Err(error), _) => {
                let finding = finding
                    .lock()
                    .unwrap_or_else(|error| error.into_inner())
                    .take();
                Err(match finding {
                    Some(finding) => self.refusal(finding),
                    None => Refusal::Failed(self.handshake_failure(&error)),
                })
            }
        }
    }

    /// Trusts a server's certificate from now on, because a person has said so.
    pub fn remember(&self, fingerprint: Fingerprint) -> Result<()> {
        match &self.known {
            Some(known) => known.remember(&self.place(), fingerprint),
            None => Err(Error::new(
                Kind::Other,
                "there is no place to remember a server in: neither HOME nor XDG_STATE_HOME is set",
            )
            .hint(format!("--fingerprint {fingerprint} does without"))),
        }
    }

    /// Whom the connection is with, as it was typed.
    pub fn peer(&self) -> String {
        self.address.to_string()
    }

    /// Why a certificate of nobody known is not taken, where nobody can be asked.
    pub fn unasked(&self, fingerprint: Fingerprint) -> Error {
        self.untrusted("nobody who is trusted has signed it", fingerprint)
    }

    fn config(&self, finding: &Arc<Mutex<Option<Finding>>>) -> Result<ClientConfig> {
        let verifier = Verifier {
            trust: self.settings.trust.clone(),
            authority: self.authority()?,
            place: self.place(),
            known: self.known.clone(),
            finding: Arc::clone(finding),
            schemes: provider().signature_verification_algorithms,
        };
        let cannot = |error: TlsError| {
            Error::new(Kind::Other, "cannot use the certificate of --client-cert")
                .because(trouble::of_own_identity(&error))
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(cannot)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(cannot)?,
        };
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    fn authority(&self) -> Result<Option<Arc<dyn ServerCertVerifier>>> {
        if matches!(
            self.settings.trust,
            Trust::Fingerprints(_) | Trust::Anything
        ) {
            return Ok(None);
        }
        if let Some(authority) = self.authority.get() {
            return Ok(Some(Arc::clone(authority)));
        }
        // A system without any root is no reason to fail: then nobody vouches for anybody.
        let verifier = match PlatformVerifier::new(provider()) {
            Ok(verifier) => verifier,
            Err(_) => return Ok(None),
        };
        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
        Ok(Some(Arc::clone(self.authority.get_or_init(|| verifier))))
    }

    /// What the server is called in the file of known servers.
    fn place(&self) -> String {
        match self.address.endpoint() {
            Endpoint::Inet { host, port } => format!("{host}:{port}"),
            Endpoint::Unix(name) => name.to_string(),
        }
    }

    fn refusal(&self, finding: Finding) -> Refusal {
        match finding {
            Finding::Stranger(fingerprint) => Refusal::Stranger(fingerprint),
            Finding::Changed { before, now } => {
                let path = self.known.as_ref().map_or_else(String::new, |known| {
                    format!(", delete its line in {}", known.path().display())
                });
                Refusal::Failed(
                    Error::new(
                        Kind::Refused,
                        format!(
                            "THE CERTIFICATE OF {} HAS CHANGED: it was {before} and is {now}; somebody may be \
                             listening in between",
                            self.address
                        ),
                    )
                    .hint(format!(
                        "ask whoever runs the server; if the change is theirs{path}, or give --fingerprint {now}"
                    )),
                )
            }
            Finding::Wrong { why, fingerprint } => {
                Refusal::Failed(self.untrusted(&why, fingerprint))
            }
            Finding::Unreadable(error) => Refusal::Failed(error),
        }
    }

    fn untrusted(&self, why: &str, fingerprint: Fingerprint) -> Error {
        let error = Error::new(
            Kind::Refused,
            format!("cannot trust {}: its certificate: {why}", self.address),
        );
        match &self.settings.trust {
            Trust::Fingerprints(_) => error.hint(format!("it is {fingerprint}")),
            _ => error.hint(format!(
                "--fingerprint {fingerprint} trusts this very one; first compare it with what the server says that \
                 it has"
            )),
        }
    }

    fn handshake_failure(&self, error: &io::Error) -> Error {
        let (cause, kind, hint) = trouble::of_handshake(error);
        let error = self.failure(&cause, kind);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn failure(&self, cause: &str, kind: Kind) -> Error {
        Error::new(kind, format!("cannot agree on TLS with {}", self.address))
            .because(cause.to_string())
    }
}

/// The name that a certificate must have.
fn server_name(address: &Address, given: Option<&str>) -> Result<ServerName<'static>> {
    let text = match (given, address.endpoint()) {
        (Some(name), _) => name.to_string(),
        (None, Endpoint::Inet { host, .. }) => match host {
            Host::Name(name) => name.strip_suffix('.').unwrap_or(name).to_string(),
            Host::V4(ip) => ip.to_string(),
            Host::V6(ip, _) => ip.to_string(),
            Host::Any => "localhost".to_string(),
        },
        (None, Endpoint::Unix(_)) => "localhost".to_string(),
    };
    ServerName::try_from(text.clone()).map_err(|_| {
        Error::new(
            Kind::Usage,
            format!(
                "a certificate cannot be for the name \"{}\"",
                text.escape_default()
            ),
        )
    })
}

/// What the verifier saw, which its error cannot carry.
#[derive(Debug)]
enum Finding {
    Stranger(Fingerprint),
    Changed {
        before: Fingerprint,
        now: Fingerprint,
    },
    Wrong {
        why: String,
        fingerprint: Fingerprint,
    },
    Unreadable(Error),
}

/// Decides on a server's certificate. Whatever is trusted, the server has to prove that it has the key to it: the
/// signature over the handshake is always verified.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    authority: Option<Arc<dyn ServerCertVerifier>>,
    place: String,
    known: Option<KnownServers>,
    finding: Arc<Mutex<Option<Finding>>>,
    schemes: rustls::crypto::WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Takes any certificate: something else tells who is there.
    pub(super) fn of_nothing() -> Self {
        Self {
            trust: Trust::Anything,
            authority: None,
            place: String::new(),
            known: None,
            finding: Arc::default(),
            schemes: provider().signature_verification_algorithms,
        }
    }

    /// Asks who vouches for certificates; where nobody does, what was trusted before.
    fn judge(
        &self,
        fingerprint: Fingerprint,
        vouched: Result<(), CertificateError>,
    ) -> Result<(), Finding> {
        let Err(reason) = vouched else {
            return Ok(());
        };
        let wrong = Finding::Wrong {
            why: trouble::of_certificate(&reason).into_owned(),
            fingerprint,
        };
        let (Trust::Platform, Some(known)) = (&self.trust, &self.known) else {
            return Err(wrong);
        };
        match known
            .look_up(&self.place, fingerprint)
            .map_err(Finding::Unreadable)?
        {
            Acquaintance::Known => Ok(()),
            Acquaintance::Changed { before } => Err(Finding::Changed {
                before,
                now: fingerprint,
            }),
            Acquaintance::New if trouble::is_of_a_stranger(&reason) => {
                Err(Finding::Stranger(fingerprint))
            }
            Acquaintance::New => Err(wrong),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let fingerprint = Fingerprint::of(end_entity);
        let verdict = match &self.trust {
            Trust::Anything => Ok(()),
            Trust::Fingerprints(wanted) if wanted.contains(&fingerprint) => Ok(()),
            Trust::Fingerprints(_) => Err(Finding::Wrong {
                why: "it has another fingerprint".into(),
                fingerprint,
            }),
            Trust::Platform | Trust::Ca(_) => {
                let vouched = match &self.authority {
                    None => Err(CertificateError::UnknownIssuer),
                    Some(authority) => {
                        match authority.verify_server_cert(
                            end_entity,
                            intermediates,
                            server_name,
                            ocsp_response,
                            now,
                        ) {
                            Ok(_) => Ok(()),
                            Err(TlsError::InvalidCertificate(reason)) => Err(reason),
                            Err(other) => return Err(other),
                        }
                    }
                };
                self.judge(fingerprint, vouched)
            }
        };
        match verdict {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(finding) => {
                let mut slot = self
                    .finding
                    .lock()
                    .unwrap_or_else(|error| error.into_inner());
                *slot = Some(finding);
                Err(TlsError::InvalidCertificate(
                    CertificateError::ApplicationVerificationFailure,
                ))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(trust: Trust, known: Option<KnownServers>) -> Verifier {
        Verifier {
            trust,
            place: "here:1".to_owned(),
            known,
            ..Verifier::of_nothing()
        }
    }

    /// What nobody vouches for is asked about, what was accepted before is taken, and nothing else is.
    #[test]
    fn a_person_is_asked_only_about_what_is_new_and_has_no_other_fault() {
        let dir = tempfile::tempdir().expect("a directory");
        let known = KnownServers::at(dir.path().join("known_servers"));
        let (here, other) = (Fingerprint::of(b"here"), Fingerprint::of(b"other"));
        let judge = |trust: Trust, fingerprint, vouched| {
            verifier(trust, Some(known.clone())).judge(fingerprint, vouched)
        };
        let stranger = Err(CertificateError::UnknownIssuer);
        let seen = judge(Trust::Platform, here, stranger.clone());
        assert!(matches!(seen, Err(Finding::Stranger(seen)) if seen == here));
        let faults = [
            CertificateError::Expired,
            CertificateError::NotValidYet,
            CertificateError::NotValidForName,
            CertificateError::InvalidPurpose,
            CertificateError::Revoked,
            CertificateError::BadSignature,
        ];
        for fault in faults {
            let seen = judge(Trust::Platform, here, Err(fault.clone()));
            assert!(matches!(seen, Err(Finding::Wrong { .. })), "{fault:?}");
        }
        known.remember("here:1", here).expect("written");
        assert!(judge(Trust::Platform, here, stranger.clone()).is_ok());
        let seen = judge(Trust::Platform, other, stranger.clone());
        assert!(
            matches!(seen, Err(Finding::Changed { before, now }) if (before, now) == (here, other))
        );
        assert!(judge(Trust::Platform, other, Ok(())).is_ok());
        // Whoever gives a file of authorities wants no other.
        let seen = judge(Trust::Ca("ca.pem".into()), here, stranger.clone());
        assert!(matches!(seen, Err(Finding::Wrong { .. })));
        // Where nothing can be remembered nothing is asked.
        let seen = verifier(Trust::Platform, None).judge(here, stranger);
        assert!(matches!(seen, Err(Finding::Wrong { .. })));
    }
}
