//! What went wrong with TLS, in our words, and whose fault it was.

use std::borrow::Cow;
use std::io;

use rustls::{
    AlertDescription, CertificateError, Error as TlsError, HandshakeType, InvalidMessage,
};

use crate::core::secure::unwelcome::NOT_LET_IN;
use crate::error::Kind;

/// Something with a certificate or key of our own.
pub(super) fn of_own_identity(error: &TlsError) -> String {
    match error {
        TlsError::InconsistentKeys(_) => "the private key belongs to another certificate".into(),
        TlsError::InvalidCertificate(reason) => of_certificate(reason).into_owned(),
        other => other.to_string(),
    }
}

/// Why a certificate is not taken, as something that can be said of it.
pub(super) fn of_certificate(error: &CertificateError) -> Cow<'static, str> {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for this use"
        }
        CertificateError::UnknownIssuer => "nobody who is trusted has signed it",
        CertificateError::Revoked => "it was revoked",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::BadEncoding => "it is damaged",
        other if is_of_a_ca(other) => "it is a CA's, which is not to be a server's",
        // What the system's verifier says of it, which webpki has a name for.
        CertificateError::Other(why) if format!("{why:?}").contains("EkuError") => {
            "it is not meant for this use"
        }
        CertificateError::Other(why) => return why.to_string().into(),
        other => return format!("{other:?}").into(),
    }
    .into()
}

/// Whether a certificate was refused for the only reason that nobody is known who has vouched for it: then a person
/// may. `openssl req -x509` makes them in the shape of a CA's, which is refused before its signer is looked for.
pub(super) fn is_of_a_stranger(error: &CertificateError) -> bool {
    matches!(error, CertificateError::UnknownIssuer) || is_of_a_ca(error)
}

/// rustls has no name for this one: it passes on what webpki says.
fn is_of_a_ca(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(_))
        && format!("{error:?}").contains("CaUsedAsEndEntity")
}

/// What an established stream says of it.
pub(super) fn to_io(error: TlsError) -> io::Error {
    let kind = match &error {
        TlsError::AlertReceived(alert) if is_about_certificates(*alert) => NOT_LET_IN,
        TlsError::AlertReceived(_) => io::ErrorKind::ConnectionAborted,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, describe(&error).0)
}

/// Why a handshake failed, as a cause, with the kind of failure and perhaps advice.
pub(super) fn of_handshake(error: &io::Error) -> (Cow<'static, str>, Kind, Option<&'static str>) {
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsError>())
    {
        let (text, kind) = describe(tls);
        let hint = match tls {
            TlsError::InvalidMessage(_)
            | TlsError::InappropriateHandshakeMessage {
                got_type: HandshakeType::ClientHello,
                ..
            } => Some("does it speak TLS at all? without tls:// the connection is not encrypted"),
            TlsError::AlertReceived(alert) if is_about_certificates(*alert) => {
                Some("--client-cert and --client-key show a certificate")
            }
            _ => None,
        };
        return (text, kind, hint);
    }
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            ("no answer in time".into(), Kind::TimedOut, None)
        }
        io::ErrorKind::UnexpectedEof => (
            "the other end closed the connection".into(),
            Kind::Other,
            None,
        ),
        _ => (
            crate::error::IoReason(error).to_string().into(),
            Kind::Other,
            None,
        ),
    }
}

fn describe(error: &TlsError) -> (Cow<'static, str>, Kind) {
    match error {
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            ("the other end wants a certificate".into(), Kind::Refused)
        }
        TlsError::AlertReceived(alert) if is_about_certificates(*alert) => (
            format!("the other end did not take our certificate ({alert:?})").into(),
            Kind::Refused,
        ),
        TlsError::AlertReceived(alert) => {
            (format!("the other end said {alert:?}").into(), Kind::Other)
        }
        TlsError::InvalidCertificate(reason) => (of_certificate(reason), Kind::Refused),
        TlsError::NoCertificatesPresented => ("it showed no certificate".into(), Kind::Refused),
        TlsError::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => ("what came is no TLS".into(), Kind::Integrity),
        // What an echo server without TLS does.
        TlsError::InappropriateHandshakeMessage {
            got_type: HandshakeType::ClientHello,
            ..
        } => ("what came is what was sent".into(), Kind::Integrity),
        TlsError::PeerIncompatible(_) => {
            ("no version or cipher of TLS in common".into(), Kind::Other)
        }
        other => (other.to_string().into(), Kind::Integrity),
    }
}

/// RFC 8446 section 6.2. `decrypt_error` is said of a wrong signature, such as that of a CA with a right name.
fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
            | AlertDescription::DecryptError
    )
}
