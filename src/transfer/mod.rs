//! Files that arrive whole.

pub mod digest;
pub mod entry;
pub mod frame;
pub mod path;
pub mod receiver;
pub mod sender;
pub mod session;
pub mod table;
pub mod wire;

#[cfg(test)]
mod tests;
