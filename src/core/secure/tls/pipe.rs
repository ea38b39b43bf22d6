//! An encrypted stream for two threads that wait, one that reads and one that writes.
//!
//! No certificate means anything here: the listener's is made for this one session, and the client takes any. Who is
//! there is found out by a code inside ([`crate::core::secure::channel`]), which [`Begun::binding`] ties to this very
//! session. TLS 1.3 only, and what it agrees on is a part of that binding too, so that nothing can be talked down.
//!
//! Both directions have their state in one value of rustls, behind a lock. It is held for as long as a few records
//! take, never while a thread waits for the network: what is to be sent is encrypted into a buffer first, and what
//! came is read into one. So neither direction waits for the other longer than some microseconds.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
};

use super::client::Verifier;
use super::identity::Identity;
use super::patient::Patient;
use super::{provider, trouble};
use crate::core::blocking::Stream;
use crate::core::secure::pake::{Binding, Side};
use crate::error::Kind;

/// RFC 9266 section 2: the label of `tls-exporter`, whose context is empty.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// How much is encrypted in one go, under the lock: four records of 16 KiB.
const AT_ONCE: usize = 64 * 1024;

/// How much is encrypted before it is sent, in one call.
const PORTION: usize = 256 * 1024;

/// How much ciphertext one call of the system reads.
const READ_AHEAD: usize = 256 * 1024;

/// The name that a client would ask for. It is not sent (RFC 6066 has no use for it here).
const NAME: &str = "sockkit";

/// A stream whose handshake is done and whose other end is not known yet.
pub struct Begun {
    stream: Arc<Stream>,
    connection: Connection,
    patience: Duration,
}

impl Begun {
    /// Agrees on keys with whoever is there. `greeting` makes what is to be said first: the listener says it together
    /// with the last message of its handshake, and saves a round trip.
    ///
    /// # Errors
    ///
    /// What became of the handshake; [`explain`] has the words.
    pub fn begin(
        stream: Arc<Stream>,
        side: Side,
        greeting: &[u8],
        patience: Duration,
    ) -> io::Result<Self> {
        let mut connection = match side {
            Side::Initiator => client()?,
            Side::Listener => server()?,
        };
        connection.writer().write_all(greeting)?;
        let mut patient = Patient::new(&stream, patience);
        patient.shake_hands(&mut connection)?;
        patient.send(&mut connection)?;
        Ok(Self {
            stream,
            connection,
            patience,
        })
    }

    /// What the two ends of this session, and nobody else, know of it: RFC 9266.
    pub fn binding(&self) -> io::Result<Binding> {
        self.connection
            .export_keying_material([0; 32], EXPORTER, None)
            .map_err(trouble::to_io)
    }

    /// How long each of the following may wait.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Says something, at once.
    pub fn say(&mut self, message: &[u8]) -> io::Result<()> {
        self.connection.writer().write_all(message)?;
        Patient::new(&self.stream, self.patience).send(&mut self.connection)
    }

    /// Hears a message of this length. `false`: the other end has said that there is none.
    pub fn hear(&mut self, message: &mut [u8]) -> io::Result<bool> {
        let wanted = message.len();
        Patient::new(&self.stream, self.patience)
            .read_message(&mut self.connection, message)
            .map(|count| count == wanted)
    }

    /// Ends in an orderly way, as far as there is somebody to hear it.
    pub fn end(mut self) {
        self.connection.send_close_notify();
        let _ = Patient::new(&self.stream, self.patience).send(&mut self.connection);
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The two halves, for two threads.
    pub fn split(mut self) -> io::Result<(Reader, Writer)> {
        self.connection.set_buffer_limit(Some(AT_ONCE));
        self.stream.set_read_timeout(None)?;
        let session = Arc::new(Mutex::new(self.connection));
        let reader = Reader {
            stream: Arc::clone(&self.stream),
            session: Arc::clone(&session),
            ciphertext: vec![0; READ_AHEAD],
            unread: 0..0,
        };
        let writer = Writer {
            stream: self.stream,
            session,
            ciphertext: Vec::with_capacity(PORTION + PORTION / 64),
        };
        Ok((reader, writer))
    }
}

/// What a failure of [`Begun`] was, for a message, and whose.
pub fn explain(error: &io::Error) -> (String, Kind) {
    let (text, kind, _) = trouble::of_handshake(error);
    (text.into_owned(), kind)
}

/// The half that reads.
pub struct Reader {
    stream: Arc<Stream>,
    session: Arc<Mutex<Connection>>,
    ciphertext: Vec<u8>,
    /// What of that was not worked on yet.
    unread: std::ops::Range<usize>,
}

impl Reader {
    /// Takes what is decrypted, and decrypts as long as there is room and ciphertext. How much it was; 0 is the end.
    /// `None`: there is nothing without more ciphertext.
    fn decrypt(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        while filled < buffer.len() {
            // Given up and taken again for each record, so that the other half gets its turn.
            let mut session = lock(&self.session);
            match session.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(Some(filled)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.unread.is_empty() {
                        break;
                    }
                    let mut rest = &self.ciphertext[self.unread.clone()];
                    self.unread.start += session.read_tls(&mut rest)?;
                    session.process_new_packets().map_err(trouble::to_io)?;
                }
                // What came before is told first; the error is still there the next time.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok((filled > 0).then_some(filled))
    }
}

impl Read for Reader {
    /// 0: the other end has said that it sends no more.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`]: the stream ended without that, so something may have been cut off.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(count) = self.decrypt(buffer)? {
                return Ok(count);
            }
            let mut stream = &*self.stream;
            let count = stream.read(&mut self.ciphertext)?;
            self.unread = 0..count;
            if count == 0 {
                // It has to see the end, to judge whether it is one.
                lock(&self.session).read_tls(&mut io::empty())?;
            }
        }
    }
}

/// The half that writes. All that [`Write::write`] took is with the kernel when it returns.
pub struct Writer {
    stream: Arc<Stream>,
    session: Arc<Mutex<Connection>>,
    ciphertext: Vec<u8>,
}

impl Writer {
    /// No more will be written; the other direction stays.
    pub fn finish(&mut self) -> io::Result<()> {
        {
            let mut session = lock(&self.session);
            session.send_close_notify();
            drain(&mut session, &mut self.ciphertext)?;
        }
        self.send()?;
        self.stream.shutdown(Shutdown::Write)
    }

    fn send(&mut self) -> io::Result<()> {
        let mut stream = &*self.stream;
        let result = stream.write_all(&self.ciphertext);
        self.ciphertext.clear();
        result
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut slices = slices.to_vec();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        let mut taken = 0;
        while !rest.is_empty() && taken < PORTION {
            let mut session = lock(&self.session);
            let count = session.writer().write_vectored(rest)?;
            drain(&mut session, &mut self.ciphertext)?;
            drop(session);
            if count == 0 {
                break;
            }
            taken += count;
            IoSlice::advance_slices(&mut rest, count);
        }
        self.send()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock(session: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drain(session: &mut Connection, out: &mut Vec<u8>) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(out)?;
    }
    Ok(())
}

fn client() -> io::Result<Connection> {
    let mut provider = (*provider()).clone();
    if !has_aes_instructions() {
        // The initiator's order decides. Without AES in the processor ChaCha20 is several times as fast.
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    } else {
        // 128 bits are enough for anybody who cannot break the key agreement, which is as strong, and faster than 256.
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(trouble::to_io)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::of_nothing()))
        .with_no_client_auth();
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name)
        .map(Connection::Client)
        .map_err(trouble::to_io)
}

fn server() -> io::Result<Connection> {
    let identity = Identity::throwaway().map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(trouble::to_io)?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .map_err(trouble::to_io)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // The greeting, with the end of the handshake: whoever reads it may be anybody, and it tells nobody anything.
    config.send_half_rtt_data = true;
    ServerConnection::new(Arc::new(config))
        .map(Connection::Server)
        .map_err(trouble::to_io)
}

/// Whether the processor does AES by itself.
fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        std::arch::is_x86_feature_detected!("aes")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("aes")
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::version::TLS12;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    #[test]
    fn nobody_is_talked_down_to_tls_1_2() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let one =
            TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (other, _) = listener.accept().expect("accepted");
        let old = std::thread::spawn(move || {
            let config = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&TLS12])
                .expect("a version")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier::of_nothing()))
                .with_no_client_auth();
            let name = ServerName::try_from(NAME).expect("a name");
            let client = ClientConnection::new(Arc::new(config), name).expect("a client");
            let stream = Stream::Tcp(one);
            Patient::new(&stream, Duration::from_secs(60))
                .shake_hands(&mut Connection::Client(client))
        });
        let stream = Arc::new(Stream::Tcp(other));
        let begun = Begun::begin(stream, Side::Listener, b"element", Duration::from_secs(60));
        let error = begun.err().expect("refused");
        assert_eq!(explain(&error).0, "no version or cipher of TLS in common");
        assert!(old.join().expect("it ends").is_err());
    }

    #[test]
    fn nobody_who_answers_talks_us_down_to_tls_1_2() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let one =
            TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (other, _) = listener.accept().expect("accepted");
        let old = std::thread::spawn(move || {
            let identity = Identity::throwaway().expect("a certificate");
            let config = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&TLS12])
                .expect("a version")
                .with_no_client_auth()
                .with_single_cert(identity.chain, identity.key)
                .expect("a server");
            let server = ServerConnection::new(Arc::new(config)).expect("a server");
            let stream = Stream::Tcp(other);
            Patient::new(&stream, Duration::from_secs(60))
                .shake_hands(&mut Connection::Server(server))
        });
        let stream = Arc::new(Stream::Tcp(one));
        let begun = Begun::begin(stream, Side::Initiator, b"", Duration::from_secs(60));
        assert!(begun.is_err());
        assert!(old.join().expect("it ends").is_err());
    }
}
