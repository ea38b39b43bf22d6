//! The sender's disk: what there is to send, and the bytes of it.
//!
//! A PATH argument is named in the target directory by its last component: `dir`, `dir/` and `some/dir` all arrive
//! as `dir/...` (`dir/` is not special, unlike with rsync). A path that ends in `.` or `..`, and `/`, has no name of
//! its own: its contents arrive without a directory around them. A symbolic link that is named as an argument is
//! followed and keeps its name, whatever `--links` says about those beneath.
//!
//! Two arguments that would arrive under one name are one if they are the same file, and an error otherwise.
//! Whatever else a tree holds twice (hard links, an argument beneath another) is sent as often as it is named.

mod arguments;
pub mod extents;
pub mod globs;
pub mod open;
pub mod positional;
pub mod walk;

pub use globs::Globs;
pub use open::{Change, Identity, OpenSource};
pub use walk::{Found, Problem, ProblemKind, Walk, WalkOptions};

/// What is done with symbolic links beneath the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// Sent as links.
    #[default]
    Keep,
    /// Left out, and said so.
    Skip,
    /// What they point at is sent.
    Follow,
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
