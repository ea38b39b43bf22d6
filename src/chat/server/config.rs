//! What the operator decided: the limits, who may come in, and what is kept.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::chat::room::Memory;

/// The limits that an operator may also change while the server runs.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Clients at once.
    pub max_clients: usize,
    /// Clients at once from one IP address.
    pub max_per_ip: usize,
    /// Lines per second, and how many at once after a pause. `None`: any.
    pub rate: Option<Rate>,
    /// The longest line in bytes.
    pub max_line: usize,
    /// How long a client may be silent. `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How many bytes are kept for a client that does not read.
    pub send_queue: usize,
    /// What happens when that is full.
    pub slow: Slow,
}

/// How many bytes a byte of a line may come to on its way to a member, with name and time: a NUL is `\u0000` in JSON.
const GROWTH: usize = 8;

impl Limits {
    /// Refuses limits that contradict each other. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let least = self.max_line.saturating_mul(GROWTH);
        if self.send_queue < least {
            return Err(format!(
                "a send queue of {} bytes does not hold a line of {}: it needs {least}",
                self.send_queue, self.max_line
            ));
        }
        Ok(())
    }
}

/// A token bucket's size and refill.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Lines per second.
    pub per_second: f64,
    /// Lines at once.
    pub burst: f64,
}

/// The policy for a client that is too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// Leave lines out and say how many.
    Skip,
    /// Put it out.
    Kick,
}

/// Everything that the server machine is told at its start.
pub struct Config {
    /// The limits.
    pub limits: Limits,
    /// Rooms at once.
    pub max_rooms: usize,
    /// What a room remembers.
    pub memory: Memory,
    /// What everybody must say first.
    pub password: Option<Password>,
    /// Who may come in.
    pub access: Access,
    /// How long the farewell may take.
    pub drain: Duration,
    /// In which the ids of lines count: the same after a restart where a log makes them go on, else another.
    pub epoch: u64,
    /// Whether lines are stored before they are shown.
    pub durable: bool,
    /// Whether anybody wants to see the reports.
    pub reports: bool,
    /// Understands and makes a change of a limit by its name, as the command line does.
    pub adjust: fn(&mut Limits, &str, &str) -> Result<(), String>,
}

/// A password as a digest: what is compared takes the same time whatever was typed, and is no password.
pub struct Password([u8; 32]);

impl Password {
    /// Takes the secret.
    pub fn new(secret: &Zeroizing<String>) -> Self {
        Password(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether `typed` is the password.
    pub fn is(&self, typed: &str) -> bool {
        let typed: [u8; 32] = Sha256::digest(typed.as_bytes()).into();
        let difference = self
            .0
            .iter()
            .zip(typed)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        difference == 0
    }
}

/// Which addresses may come in. What is denied stays out even if it is allowed.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Only these, if there are any.
    pub allow: Vec<IpNet>,
    /// Never these.
    pub deny: Vec<IpNet>,
}

impl Access {
    /// Whether a client from `address` may come in. Unix sockets have no address: their file's permissions
    /// decide.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else {
            return true;
        };
        let within = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_address_stays_out_even_if_it_is_allowed() {
        let nets = |texts: &[&str]| {
            texts
                .iter()
                .map(|net| net.parse().expect("a net"))
                .collect()
        };
        let access = Access {
            allow: nets(&["10.0.0.0/8", "fd00::/8"]),
            deny: nets(&["10.1.0.0/16"]),
        };
        let admits = |ip: &str| access.admits(Some(ip.parse().expect("an address")));
        assert!(admits("10.2.0.1"));
        assert!(!admits("10.1.0.1"));
        assert!(!admits("192.168.0.1"));
        assert!(admits("fd00::1"));
        assert!(access.admits(None));
        assert!(Access::default().admits(Some("192.0.2.1".parse().expect("an address"))));
    }

    #[test]
    fn a_password_is_only_itself() {
        let password = Password::new(&Zeroizing::new("open sesame".to_string()));
        assert!(password.is("open sesame"));
        assert!(!password.is("open sesame "));
        assert!(!password.is(""));
    }
}
