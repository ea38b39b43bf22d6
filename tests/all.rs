//! The one test binary: a file per subcommand, `support` under all.

// A test that cannot set up what it needs has failed, in a helper as in the test itself.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod assets;
mod chat;
mod code;
mod command_line;
mod echo;
mod echo_chaos;
mod echo_datagrams;
mod echo_hostile;
mod echo_tls;
mod house;
mod inspect;
mod inspect_hosts;
mod ping;
mod serve_chat;
mod support;
mod transfer;
mod transfer_damage;
#[cfg(target_os = "linux")]
mod transfer_disk;
mod transfer_faults;
// Where rustix can make a pseudo-terminal.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod inspect_screen;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod terminal;
mod tls;
