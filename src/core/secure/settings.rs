//! What was decided about certificates, before any file of them is read.

use std::path::PathBuf;

use super::Fingerprint;

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, and behind it those that lead to a root.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where a server has its certificate from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerIdentity {
    /// From files, which are read again on request.
    Files(IdentityFiles),
    /// Made by ourselves, once, and kept in the state directory.
    SelfSigned,
    /// Made by ourselves for this run.
    Ephemeral,
}

/// What a server that speaks TLS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its certificate.
    pub identity: ServerIdentity,
    /// Those whose signature a client's certificate must have. `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// By what a client knows that a server is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// One that the system trusts has signed its certificate; or a person has looked at it.
    Platform,
    /// One of those in this file has signed its certificate.
    Ca(PathBuf),
    /// Its certificate is one of these.
    Fingerprints(Vec<Fingerprint>),
    /// Anything is taken.
    Anything,
}

/// What a client that speaks TLS expects and shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// By what it trusts.
    pub trust: Trust,
    /// The name that the certificate must have, if it is not the host's.
    pub server_name: Option<String>,
    /// Its own certificate.
    pub identity: Option<IdentityFiles>,
}
