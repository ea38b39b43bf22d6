//! What carries a client's bytes: TCP, with or without TLS, or a Unix socket.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

/// The most that one read brings in. It must fit into what is left of the caller's buffer when it is decrypted.
const CIPHERTEXT: usize = 64 * 1024;

/// The greatest record: RFC 8446 section 5.2. So much may be there of one that was not whole before.
const RECORD: usize = 5 + 16 * 1024 + 256;

/// A client's connection.
pub enum Stream {
    Tcp(TcpStream),
    Tls(Box<Tls>),
    Unix(UnixStream),
}

impl Stream {
    /// Watches both directions.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, token, both),
            Self::Tls(stream) => registry.register(&mut stream.socket, token, both),
            Self::Unix(stream) => registry.register(stream, token, both),
        }
    }

    /// How much came, and whether there may be more. 0: the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        let room = into.len();
        let plain = |count| (count, count == room);
        match self {
            Self::Tcp(stream) => stream.read(into).map(plain),
            Self::Tls(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into).map(plain),
        }
    }

    /// How much was taken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// Sends on what was taken before.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }

    /// What became of connecting.
    pub fn error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Tcp(stream) => stream.take_error(),
            Self::Tls(stream) => stream.socket.take_error(),
            Self::Unix(stream) => stream.take_error(),
        }
    }
}

/// A TCP stream with TLS inside.
pub struct Tls {
    socket: TcpStream,
    connection: ClientConnection,
}

impl Tls {
    /// On a socket that may still be connecting.
    pub fn new(socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("load.test").map_err(io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self { socket, connection })
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut ciphertext = [0; CIPHERTEXT];
        let most = CIPHERTEXT.min(into.len().saturating_sub(RECORD));
        loop {
            let count = self.socket.read(&mut ciphertext[..most])?;
            let mut rest = &ciphertext[..count];
            let mut filled = 0;
            while !rest.is_empty() {
                self.connection.read_tls(&mut rest)?;
                self.connection
                    .process_new_packets()
                    .map_err(io::Error::other)?;
                filled += self.decrypted(&mut into[filled..])?;
            }
            // The handshake's next message, or an answer.
            self.flush()?;
            if filled > 0 || count == 0 {
                return Ok((filled, count == most));
            }
        }
    }

    fn decrypted(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.connection.reader().read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// What it took is kept where there is no room, and at most as much as rustls keeps. A record for each line, as
    /// people's clients send them: of 32 lines in one record ngircd 26 leaves some lying until more comes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut count = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let taken = self.connection.writer().write(line)?;
            count += taken;
            if taken < line.len() {
                break;
            }
        }
        self.flush()?;
        match count {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What TLS is spoken with: any certificate will do, and no handshake is made shorter by an earlier one.
pub fn tls() -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Anybody(Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("no TLS: {e}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Trusts whoever answers on a port of a network namespace of our own.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
