//! What a handshake has led to, for whoever wants to know.

use std::fmt;

use rustls::{CommonState, ProtocolVersion};

use crate::core::secure::Fingerprint;

/// What both ends have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    version: &'static str,
    /// How the data is encrypted, in the words of IANA's registry.
    suite: &'static str,
    /// In what the keys were exchanged.
    group: Option<&'static str>,
    /// What the other end has shown.
    certificate: Option<Fingerprint>,
}

impl Agreement {
    /// Of a connection; `None` before its handshake is done.
    pub(super) fn of(connection: &CommonState) -> Option<Self> {
        if connection.is_handshaking() {
            return None;
        }
        Some(Self {
            version: match connection.protocol_version()? {
                ProtocolVersion::TLSv1_3 => "TLS 1.3",
                ProtocolVersion::TLSv1_2 => "TLS 1.2",
                _ => "another TLS",
            },
            suite: connection.negotiated_cipher_suite()?.suite().as_str()?,
            group: connection
                .negotiated_key_exchange_group()
                .and_then(|group| group.name().as_str()),
            certificate: connection
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| Fingerprint::of(certificate)),
        })
    }
}

impl fmt::Display for Agreement {
    /// `TLS 1.3 with TLS13_AES_256_GCM_SHA384 and X25519; the certificate is sha256:...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.version, self.suite)?;
        if let Some(group) = self.group {
            write!(f, " and {group}")?;
        }
        match self.certificate {
            Some(certificate) => write!(f, "; the certificate is {certificate}"),
            None => Ok(()),
        }
    }
}
