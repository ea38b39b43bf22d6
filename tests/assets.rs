//! Files that are made from the definition of the command line are in the tree as they are made.
//! `SOCKKIT_BLESS=1 cargo test` rewrites them.

use std::fs;
use std::path::Path;

use crate::support::{root, sockkit};

/// Where the README shows `sockkit --help`.
const USAGE_BEGINS: &str = "<!-- usage: made by SOCKKIT_BLESS=1 cargo test -->\n```text\n";
const USAGE_ENDS: &str = "```\n<!-- end of usage -->";

fn blessing() -> bool {
    std::env::var_os("SOCKKIT_BLESS").is_some()
}

fn compare(path: &Path, expected: &[u8]) {
    if blessing() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, expected).expect("writable");
    }
    let found = fs::read(path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not what the program makes: run SOCKKIT_BLESS=1 cargo test",
        path.display()
    );
}

/// The tree has those of Unix: a few options are not there on Windows.
#[cfg(unix)]
#[test]
fn completions_and_man_pages_in_the_tree_are_what_the_program_makes() {
    for (name, content) in sockkit::cli::asset_files() {
        assert!(!content.is_empty(), "{name}");
        compare(&root().join(name), &content);
    }
}

#[test]
fn nothing_else_lies_beside_them() {
    let made: Vec<String> = sockkit::cli::asset_files()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for folder in ["completions", "man"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let name = format!("{folder}/{}", name.to_string_lossy());
            assert!(made.contains(&name), "{name} is made by nothing");
        }
    }
}

#[test]
fn the_program_prints_them() {
    for (name, content) in sockkit::cli::asset_files() {
        let file = name.rsplit('/').next().expect("a name");
        let arguments: Vec<&str> = match file {
            "sockkit.bash" => vec!["completions", "bash"],
            "_sockkit" => vec!["completions", "zsh"],
            "sockkit.fish" => vec!["completions", "fish"],
            "_sockkit.ps1" => vec!["completions", "powershell"],
            "sockkit.elv" => vec!["completions", "elvish"],
            "sockkit.1" => vec!["man"],
            page => {
                let name = page
                    .strip_prefix("sockkit-")
                    .and_then(|name| name.strip_suffix(".1"));
                vec!["man", name.expect("a page of a subcommand")]
            }
        };
        let run = sockkit(&arguments).output().expect("it runs");
        assert_eq!(run.status.code(), Some(0), "{arguments:?}");
        assert!(run.stdout == content, "{arguments:?}");
    }
}

/// The tree has those of Unix: a few options are not there on Windows.
#[cfg(unix)]
#[test]
fn the_readme_shows_the_help_as_it_is() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).expect("a README");
    let (before, rest) = readme.split_once(USAGE_BEGINS).expect("a usage block");
    let (_, after) = rest.split_once(USAGE_ENDS).expect("its end");
    let help = sockkit(&["--help"]).output().expect("it runs").stdout;
    let help = String::from_utf8(help).expect("text");
    let expected = format!("{before}{USAGE_BEGINS}{help}{USAGE_ENDS}{after}");
    compare(&path, expected.as_bytes());
}
