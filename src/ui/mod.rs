//! The only terminal output of the program.

pub mod human;
pub mod json;
