//! Files that arrive whole.

pub mod entry;
pub mod path;
