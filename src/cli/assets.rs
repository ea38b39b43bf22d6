//! Completions and man pages, generated from the definition of the command line.

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::{Cli, EXIT_STATUS, Shell};
use crate::cli::manual::{self, Page};

/// The completion script for `shell`.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "sockkit", &mut out);
    out
}

/// The man page of a subcommand, or of the program: man(7), section 1. Empty for a name that is no subcommand's.
pub fn man_page(name: Option<&str>) -> Vec<u8> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Options that every command has are handed down to the subcommands by this.
    program.build();
    let (page_name, mut command) = match name {
        None => ("sockkit".to_string(), program),
        Some(name) => {
            let Some(command) = program.find_subcommand(name) else {
                return Vec::new();
            };
            let page_name = format!("sockkit-{name}");
            (
                page_name,
                command.clone().bin_name(format!("sockkit {name}")),
            )
        }
    };
    // What `--help` shows below the options has sections of its own here.
    let examples = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    command = command.after_help("").version(env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.display_name(&page_name))
        .title(page_name.to_uppercase())
        .source(concat!("sockkit ", env!("CARGO_PKG_VERSION")))
        .manual("sockkit manual");
    let mut out = Vec::new();
    let page = manual::page(name);
    // Writing into a Vec cannot fail.
    let _ = render(&man, name.is_none(), page, &examples, &mut out);
    out
}

fn render(
    man: &Man,
    has_subcommands: bool,
    page: Page,
    examples: &str,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman(page.synopsis)]);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, page.description);
    roff.to_writer(out)?;
    man.render_options_section(out)?;
    if has_subcommands {
        man.render_subcommands_section(out)?;
    }
    let mut roff = Roff::new();
    for (title, items) in page.lists {
        roff.control("SH", [*title]);
        for (term, meaning) in *items {
            roff.control("TP", []);
            roff.text([clap_mangen::roff::bold(*term)]);
            roff.text([roman(*meaning)]);
        }
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in EXIT_STATUS {
        roff.control("TP", []);
        roff.text([clap_mangen::roff::bold(status)]);
        roff.text([roman(meaning)]);
    }
    if let Some((_, examples)) = examples.split_once("Examples:\n") {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(page.see_also)]);
    roff.to_writer(out)
}

fn paragraphs(roff: &mut Roff, text: &[&str]) {
    for (index, paragraph) in text.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
}

/// Every generated file of the repository: its path and its content.
pub fn asset_files() -> Vec<(String, Vec<u8>)> {
    let shells = [
        (Shell::Bash, "sockkit.bash"),
        (Shell::Zsh, "_sockkit"),
        (Shell::Fish, "sockkit.fish"),
        (Shell::PowerShell, "_sockkit.ps1"),
        (Shell::Elvish, "sockkit.elv"),
    ];
    let mut files: Vec<(String, Vec<u8>)> = shells
        .into_iter()
        .map(|(shell, name)| (format!("completions/{name}"), completions(shell)))
        .collect();
    files.push(("man/sockkit.1".into(), man_page(None)));
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        files.push((format!("man/sockkit-{name}.1"), man_page(Some(name))));
    }
    files
}
