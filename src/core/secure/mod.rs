//! Connections that nobody on the way can read, change or take over.
//!
//! - [`tls`]: the only place that names rustls, rcgen and the platform's verifier: servers, clients, streams;
//! - [`fingerprint`], [`known`]: how a certificate is recognised that nobody has vouched for;
//! - [`settings`]: what the command line says about certificates; [`unwelcome`]: a server that does not take ours;
//! - [`code`], [`pake`]: the code phrase, and how two ends find out that they have the same;
//! - [`channel`]: both together: what a transfer runs in; [`guesses`]: what wrong codes cost.
//!
//! `docs/security.md` has what all this promises against whom, and what not.

pub mod channel;
pub mod code;
pub mod fingerprint;
pub mod guesses;
pub mod known;
pub mod pake;
pub mod settings;
pub mod tls;
pub mod unwelcome;

pub use fingerprint::Fingerprint;

/// The environment variable that may hold a code phrase.
pub const CODE_VARIABLE: &str = "SOCKKIT_CODE";

/// The environment variable that may hold a password.
pub const PASSWORD_VARIABLE: &str = "SOCKKIT_PASSWORD";
