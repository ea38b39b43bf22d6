//! The two system calls that take an option by its number, and one for what they do not tell. The safe interfaces
//! (socket2, rustix) have an option only where they have a function for it, and know a tenth of the catalogue.
//!
//! `unsafe` is denied in the crate and allowed in the files below this one alone, which `tests/house.rs` holds.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use unix::unsent;
#[cfg(unix)]
pub use unix::{get, inherited, set};
#[cfg(windows)]
pub use windows::{get, set};
