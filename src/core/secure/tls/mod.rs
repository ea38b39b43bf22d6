//! TLS, by rustls with ring. Nothing outside this directory names them.
//!
//! - [`identity`]: a certificate and its key, read or made;
//! - [`server`], [`client`]: how a connection begins at either end, and whom it trusts;
//! - [`stream`]: a stream for the driver, which never blocks; [`agreement`]: what its handshake has led to;
//! - [`pipe`]: a stream for two threads that wait, without certificates: a code will tell who is there;
//! - `patient`: a handshake by a thread that waits, with a deadline;
//! - `trouble`: what went wrong, in our words.
//!
//! TLS 1.3, and 1.2 for clients and servers that are not ours. No session is resumed and no ticket is given out: a
//! handshake costs less than a millisecond, and a key that lives longer than its connection is one more thing to
//! steal.

pub mod agreement;
pub mod client;
pub mod identity;
mod patient;
pub mod pipe;
pub mod server;
pub mod stream;
mod trouble;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use agreement::Agreement;
pub use client::Connector;
pub use identity::Identity;
pub use server::Acceptor;
pub use stream::TlsStream;

/// The primitives: ring's, since it builds with nothing but a C compiler on every system that we know.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
