//! Completions and man pages, generated from the definition of the command line.

pub use super::Shell;

/// The completion script for `shell`.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "sockkit", &mut out);
    out
}

/// Todo.
pub fn man_page(_command: Option<&str>) -> Vec<u8> {
    Vec::new()
}

/// Todo.
pub fn asset_files() -> Vec<(String, Vec<u8>)> {
    Vec::new()
}
