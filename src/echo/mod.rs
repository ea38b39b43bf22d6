//! `echo` and `ping`: the server that sends back what it gets, as it came or worse, and the client that
//! measures and verifies it.
//!
//! [`streams`] and [`datagrams`] are the server's protocols as machines, with [`chaos`] between what comes
//! and what goes, [`lines`] for what is added to it, and [`guard`] to keep datagrams from harming others;
//! [`request`] is what was typed, and [`server`] puts them to work. [`ping`] is the other end. RFC 862 is all
//! that the two have in common.

pub mod chaos;
pub mod config;
pub mod datagrams;
pub mod door;
pub mod guard;
pub mod hex;
pub mod lines;
pub mod ping;
pub mod report;
pub mod request;
pub mod server;
pub mod streams;
pub mod tally;
