//! Files that arrive whole: `send-file` and `recv-file`.

pub mod entry;
pub mod path;
pub mod source;
pub mod store;
