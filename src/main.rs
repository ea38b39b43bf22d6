//! Parse, run, print the error, exit status; nothing else.

use std::process::ExitCode;

use sockkit::cli::Cli;
use sockkit::error::Kind;
use sockkit::ui::{self, Ui};

fn main() -> ExitCode {
    let cli = match Cli::parse_line() {
        Ok(cli) => cli,
        Err(answer) if answer.use_stderr() => {
            ui::complain(&answer);
            return ExitCode::from(Kind::Usage.status());
        }
        Err(answer) => {
            ui::answer(&answer);
            return ExitCode::SUCCESS;
        }
    };
    let ui = Ui::new(&cli.globals);
    match sockkit::run(&ui, &cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind().status())
        }
    }
}
