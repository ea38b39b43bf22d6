//! Parse, run, print the error, exit status; nothing else.

use std::process::ExitCode;

use sockkit::cli::{Cli, Globals};
use sockkit::error::Kind;
use sockkit::ui::{self, Ui};

fn main() -> ExitCode {
    let (ui, outcome) = match Cli::parse_line() {
        Ok(cli) => {
            let ui = Ui::new(&cli.globals);
            let outcome = sockkit::run(&ui, &cli.command);
            (ui, outcome)
        }
        Err(answer) if answer.use_stderr() => {
            ui::complain(&answer);
            return ExitCode::from(Kind::Usage.status());
        }
        Err(answer) => (Ui::new(&Globals::default()), ui::answer(&answer)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind().status())
        }
    }
}
