//! What all subcommands share. It knows none of them.

pub mod address;
pub mod backoff;
pub mod blocking;
pub mod datagram;
pub mod dial;
pub mod event_loop;
pub mod limits;
pub mod machine;
pub mod private_file;
pub mod random;
pub mod resolve;
pub mod runner;
pub mod sanitise;
pub mod secure;
pub mod signal;
pub mod socket;
pub mod timers;
pub mod timestamp;
pub mod transport;
