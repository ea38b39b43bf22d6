//! Certificates of every kind, made for a test, and somebody with `openssl s_client`: a bare TLS connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};
use tempfile::TempDir;

#[cfg(unix)]
use super::Running;
use super::{PATIENCE, text};

/// `sha256:...`, wherever it is in the line.
pub fn fingerprint(line: &str) -> String {
    let at = line.find("sha256:").expect("a fingerprint");
    line[at..at + 7 + 64].to_string()
}

/// A server that shows `files` is told to read them again: first when the new certificate is there and the key still the
/// old one, which changes nothing and is said, then when both are. `meanwhile` looks at it in between. The fingerprint
/// that it has then.
#[cfg(unix)]
#[track_caller]
pub fn reload(run: &mut Running, ca: &Ca, files: &Files, meanwhile: impl FnOnce()) -> String {
    use rustix::process::Signal;
    let new = ca.server("new", Flaw::None);
    std::fs::copy(&new.certificate, &files.certificate).expect("copied");
    run.signal(Signal::HUP);
    let said = run.stderr.until("belongs to another certificate");
    assert!(said.contains(text(&files.certificate)), "{said}");
    run.stderr.until("stays the one it was");
    meanwhile();
    std::fs::copy(&new.key, &files.key).expect("copied");
    run.signal(Signal::HUP);
    fingerprint(&run.stderr.until("was read again"))
}

/// What may be wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    NotValidYet,
    OtherName,
    /// A client's, shown by a server; or the other way round.
    OtherUse,
}

/// Somebody who vouches for certificates, and a directory with what was made.
pub struct Ca {
    pub dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Files of a certificate and its key.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Ca {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a CA");
        let ca = Self { dir, issuer };
        std::fs::write(ca.path(), ca.issuer.pem()).expect("written");
        ca
    }

    /// Its certificate.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A server's for `localhost`, with a flaw or without.
    pub fn server(&self, name: &str, flaw: Flaw) -> Files {
        self.issue(name, flaw, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's.
    pub fn client(&self, name: &str, flaw: Flaw) -> Files {
        self.issue(name, flaw, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, flaw: Flaw, usage: ExtendedKeyUsagePurpose) -> Files {
        let host = match flaw {
            Flaw::OtherName => "elsewhere.example",
            _ => "localhost",
        };
        let mut params = CertificateParams::new([host.to_string()]).expect("a name");
        params.extended_key_usages = vec![match flaw {
            Flaw::OtherUse => ExtendedKeyUsagePurpose::CodeSigning,
            _ => usage,
        }];
        match flaw {
            Flaw::Expired => {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            }
            Flaw::NotValidYet => params.not_before = date_time_ymd(4000, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let files = Files {
            certificate: self.dir.path().join(format!("{name}.pem")),
            key: self.dir.path().join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        std::fs::write(&files.key, key.serialize_pem()).expect("written");
        only_mine(&files.key);
        files
    }

    /// A connection like `openssl s_client`'s, which trusts this CA.
    pub fn connect(&self, address: SocketAddr, version: &'static SupportedProtocolVersion) -> Tls {
        let connection = self.client_connection(version);
        let socket = TcpStream::connect(address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Tls(BufReader::new(StreamOwned::new(connection, socket)))
    }

    /// The same without a socket.
    pub fn client_connection(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> ClientConnection {
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(self.client_config(version), name).expect("a client")
    }

    /// What its connections know, and may have in common.
    pub fn client_config(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

/// A server that shows a certificate without having its key, to one client after the other. Its address.
pub fn impostor(files: &Files, version: &'static SupportedProtocolVersion) -> SocketAddr {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .expect("certificates");
    let another = KeyPair::generate().expect("a key");
    let another = PrivateKeyDer::from_pem_slice(another.serialize_pem().as_bytes()).expect("PEM");
    let key = rustls::crypto::ring::sign::any_supported_type(&another).expect("ECDSA");
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a server");
            let mut stream = StreamOwned::new(connection, socket.expect("accepted"));
            // Whoever is taken in says something, and is answered.
            let mut word = [0; 1];
            if stream.read_exact(&mut word).is_ok() {
                let _ = stream.write_all(&word);
            }
        }
    });
    address
}

#[cfg(unix)]
fn only_mine(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("set");
}

#[cfg(not(unix))]
fn only_mine(_: &Path) {}

/// A TLS connection that speaks lines.
pub struct Tls(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Tls {
    pub fn types(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("read");
    }

    /// Goes on to a line that has `part` in it.
    #[track_caller]
    pub fn until(&mut self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(1..) if line.contains(part) => return line.trim_end().to_string(),
                Ok(1..) => seen.push(line),
                end => panic!("no line with {part:?} but {end:?} after {seen:#?}"),
            }
        }
    }

    /// Takes a nick and waits until it has it.
    #[track_caller]
    pub fn called(mut self, nick: &str) -> Self {
        self.types(&format!("/nick {nick}\n"));
        self.until(&format!("you are {nick} now"));
        self
    }

    /// Writes these bytes.
    pub fn sends(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("sent");
    }

    /// Reads so many bytes.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// What comes up to the end, and what the end is: of kind `UnexpectedEof` if it is none of TLS.
    pub fn ending(&mut self) -> (Vec<u8>, std::io::Result<()>) {
        let mut bytes = Vec::new();
        let ending = self.0.read_to_end(&mut bytes);
        (bytes, ending.map(drop))
    }

    /// Says that no more will come, as TLS does.
    pub fn says_goodbye(&mut self) {
        let stream = self.0.get_mut();
        stream.conn.send_close_notify();
        stream.flush().expect("sent");
    }

    /// Everything to the end, which must be a clean one.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("a clean end");
        text
    }

    /// The socket below.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.0.get_mut().sock
    }
}
