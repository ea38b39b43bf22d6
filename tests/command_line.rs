//! What holds for every subcommand: help, usage errors, exit statuses, output.

use std::process::Stdio;

use crate::support::{run_with, sockkit, stderr, stdout};

#[test]
fn a_usage_error_is_status_2_and_names_what_is_wrong() {
    for (arguments, part) in [
        (&["serve-chat", "--rate", "0"][..], "a rate is"),
        (
            &["serve-chat", "localhost:99999"],
            "the port is above 65535",
        ),
        (&["serve-chat", "udp://localhost:1"], "datagrams"),
        (
            &["serve-chat", "--max-line", "1MiB"],
            "does not hold a line of 1048576",
        ),
        (&["chat", "8888"], "the host is missing"),
        (&["dance"], "unrecognized subcommand"),
        (&["chat", "--expect", "("], "regex"),
        (&[], "Usage"),
    ] {
        let run = run_with(arguments, "");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&run).contains(part), "{}", stderr(&run));
        assert_eq!(stdout(&run), "", "{arguments:?}");
    }
}

#[test]
fn errors_begin_with_the_program_and_hints_have_a_line() {
    let run = run_with(&["chat", "8888"], "");
    let text = stderr(&run);
    assert!(
        text.starts_with("sockkit: cannot understand the address \"8888\": "),
        "{text}"
    );
    assert!(text.contains("\nhint: write localhost:8888\n"), "{text}");
    let run = run_with(&["chat", "--nonsense"], "");
    assert!(stderr(&run).starts_with("sockkit: "), "{}", stderr(&run));
}

#[test]
fn help_goes_to_stdout_with_status_0() {
    for arguments in [
        &["--help"][..],
        &["serve-chat", "--help"],
        &["chat", "-h"],
        &["--version"],
    ] {
        let run = run_with(arguments, "");
        assert_eq!(run.status.code(), Some(0), "{arguments:?}");
        assert!(!run.stdout.is_empty());
        assert_eq!(stderr(&run), "");
    }
}

#[test]
fn a_closed_stdout_is_no_error() {
    for arguments in [&["--help"][..], &["completions", "zsh"], &["man", "chat"]] {
        let mut child = sockkit(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let run = child.wait_with_output().expect("it ends");
        assert_eq!(run.status.code(), Some(0), "{arguments:?}");
        assert_eq!(stderr(&run), "");
    }
}

#[test]
fn every_option_of_every_subcommand_says_what_it_does() {
    for command in sockkit::cli::command().get_subcommands() {
        for option in command.get_arguments() {
            assert!(
                option.get_help().is_some(),
                "{} {}",
                command.get_name(),
                option.get_id()
            );
        }
    }
}

/// Groups of options that several commands have bring their headings along, and leave them to what follows.
#[test]
fn what_a_transfer_is_about_stands_under_no_foreign_heading() {
    for (command, own) in [
        ("send-file", ["--listen", "--name", "--sums", "--links"]),
        (
            "recv-file",
            ["--directory", "--keep-open", "--sums", "--links"],
        ),
    ] {
        let output = sockkit(&[command, "--help"]).output().expect("it runs");
        let help = stdout(&output);
        let options = help.split("\nOptions:\n").nth(1).expect("options");
        let options = options.split("\n\n").next().unwrap_or_default();
        for option in own {
            assert!(options.contains(option), "{command} {option}: {options}");
        }
    }
}
