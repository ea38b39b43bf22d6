//! Certificates: the options that every command with `tls://` addresses has.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::core::secure::Fingerprint;
use crate::core::secure::settings::{
    ClientSettings, IdentityFiles, ServerIdentity, ServerSettings, Trust,
};
use crate::error::{Error, Kind, Result};

/// Options of every command that listens on `tls://` addresses.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsServerArgs {
    /// Show this certificate on tls:// addresses: PEM, with those behind it that lead to a root; SIGHUP reads it again
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key", conflicts_with = "self_signed")]
    pub cert: Option<PathBuf>,
    /// Its private key: PEM, not encrypted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cert")]
    pub key: Option<PathBuf>,
    /// Make a certificate, keep it, and say its fingerprint, by which clients know the server
    #[arg(long)]
    pub self_signed: bool,
    /// Make a new one each time instead of keeping it
    #[arg(long, requires = "self_signed")]
    pub ephemeral: bool,
    /// Let in only clients with a certificate that one in this file has signed; SIGHUP reads it again
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub client_ca: Option<PathBuf>,
}

impl TlsServerArgs {
    /// What was typed, for a command that has `tls://` addresses or has none.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`]: an address needs a certificate and there is none, or the other way round.
    pub fn settings(&self, has_addresses: bool) -> Result<Option<ServerSettings>> {
        let identity = match (&self.cert, &self.key) {
            (Some(certificates), Some(key)) => Some(ServerIdentity::Files(IdentityFiles {
                certificates: certificates.clone(),
                key: key.clone(),
            })),
            _ if self.ephemeral => Some(ServerIdentity::Ephemeral),
            _ if self.self_signed => Some(ServerIdentity::SelfSigned),
            _ => None,
        };
        match (has_addresses, identity) {
            (true, Some(identity)) => Ok(Some(ServerSettings {
                identity,
                client_ca: self.client_ca.clone(),
            })),
            (true, None) => Err(
                Error::new(Kind::Usage, "a tls:// address needs a certificate")
                    .hint("give one with --cert and --key, or let --self-signed make one"),
            ),
            (false, None) if self.client_ca.is_none() => Ok(None),
            (false, _) => Err(Error::new(
                Kind::Usage,
                "there is a certificate and no tls:// address to show it on",
            )),
        }
    }
}

/// Options of every command that connects to a `tls://` address.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsClientArgs {
    /// Trust a tls:// server whose certificate one in this file has signed, and no other
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["fingerprint", "insecure"])]
    pub ca: Option<PathBuf>,
    /// Trust a server with this very certificate, whoever has signed it; may be repeated
    #[arg(long, value_name = "sha256:HEX", conflicts_with = "insecure")]
    pub fingerprint: Vec<Fingerprint>,
    /// Expect this name in the certificate instead of the host's
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname)]
    pub server_name: Option<String>,
    /// Show this certificate to a server that asks for one: PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Its private key: PEM, not encrypted
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Trust any certificate: whoever is on the way can read and change everything. Warns each time, with --quiet too
    #[arg(long)]
    pub insecure: bool,
}

impl TlsClientArgs {
    /// What was typed, for a command whose address is `tls://` or is not.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`]: options of TLS and an address without it.
    pub fn settings(&self, has_address: bool) -> Result<Option<ClientSettings>> {
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificates), Some(key)) => Some(IdentityFiles {
                certificates: certificates.clone(),
                key: key.clone(),
            }),
            _ => None,
        };
        let trust = match &self.ca {
            Some(path) => Trust::Ca(path.clone()),
            None if self.insecure => Trust::Anything,
            None if !self.fingerprint.is_empty() => Trust::Fingerprints(self.fingerprint.clone()),
            None => Trust::Platform,
        };
        let settings = ClientSettings {
            trust,
            server_name: self.server_name.clone(),
            identity,
        };
        let nothing = ClientSettings {
            trust: Trust::Platform,
            server_name: None,
            identity: None,
        };
        match has_address {
            true => Ok(Some(settings)),
            false if settings == nothing => Ok(None),
            false => Err(Error::new(
                Kind::Usage,
                "options of TLS are given, and the address is not a tls:// one",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_an_address_to_show_it_on_need_each_other() {
        let none = TlsServerArgs::default();
        assert_eq!(none.settings(false).expect("plain"), None);
        assert_eq!(none.settings(true).expect_err("none").kind(), Kind::Usage);
        let own = TlsServerArgs {
            self_signed: true,
            ..TlsServerArgs::default()
        };
        assert_eq!(own.settings(false).expect_err("unused").kind(), Kind::Usage);
        let settings = own.settings(true).expect("right").expect("TLS");
        assert_eq!(settings.identity, ServerIdentity::SelfSigned);
        let ca = TlsServerArgs {
            client_ca: Some("ca.pem".into()),
            ..TlsServerArgs::default()
        };
        assert_eq!(ca.settings(false).expect_err("unused").kind(), Kind::Usage);
    }

    #[test]
    fn a_client_trusts_the_platform_unless_it_was_told_otherwise() {
        let none = TlsClientArgs::default();
        assert_eq!(none.settings(false).expect("plain"), None);
        let settings = none.settings(true).expect("right").expect("TLS");
        assert_eq!(settings.trust, Trust::Platform);
        let insecure = TlsClientArgs {
            insecure: true,
            ..TlsClientArgs::default()
        };
        assert_eq!(
            insecure.settings(false).expect_err("unused").kind(),
            Kind::Usage
        );
        let settings = insecure.settings(true).expect("right").expect("TLS");
        assert_eq!(settings.trust, Trust::Anything);
    }
}
