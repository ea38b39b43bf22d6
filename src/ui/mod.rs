//! The only terminal output of the program: data goes to stdout, talk to stderr.
//!
//! - [`json`]: events as NDJSON, for programs;
//! - [`human`]: the same for people, with colours and local times;
//! - [`table`]: reports for people.
//!
//! Nothing here panics on a closed pipe, and nothing that came from a peer leaves here with the power to
//! command a terminal.

pub mod human;
pub mod json;
pub mod table;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::cli::{Color, Globals};
use crate::core::address::Address;
use crate::core::sanitise::sanitise_str;
use crate::error::{Error, Kind, Result};
use crate::inspect::report::Report;

/// What became of something that was to be printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// It is written.
    Written,
    /// Nobody reads stdout any more (`| head`). That is no error, and no reason to go on printing.
    Closed,
}

/// What the options say about output.
#[derive(Debug, Clone)]
pub struct Ui {
    globals: Globals,
    colours: Colours,
}

/// Where colours are wanted.
#[derive(Debug, Clone, Copy)]
struct Colours {
    stdout: bool,
    stderr: bool,
}

/// SGR sequences (ECMA-48 section 8.3.117).
const BOLD_RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

impl Ui {
    /// Takes the options as they were typed, and asks what stdout and stderr are.
    pub fn new(globals: &Globals) -> Self {
        // An old Windows console has to be told that it may obey escape sequences.
        let obeys = anstyle_query::windows::enable_ansi_colors().unwrap_or(true);
        let wanted = |is_terminal| obeys && wants_colours(globals.color, is_terminal);
        Self {
            globals: *globals,
            colours: Colours {
                stdout: wanted(io::stdout().is_terminal()),
                stderr: wanted(io::stderr().is_terminal()),
            },
        }
    }

    /// Whether stdout is for programs.
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// Whether only errors and ready lines are wanted.
    pub fn quiet(&self) -> bool {
        self.globals.quiet
    }

    /// How much detail is wanted: 0, 1 or 2 and more.
    pub fn verbosity(&self) -> u8 {
        self.globals.verbose
    }

    /// Whether stdout takes colours.
    pub fn colours(&self) -> bool {
        self.colours.stdout
    }

    /// Whether a person sits at both ends: what is typed comes from a terminal and stdout is one.
    pub fn interactive(&self) -> bool {
        !self.globals.json && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Prints on stdout, in one call.
    pub fn write(&self, bytes: &[u8]) -> Result<Output> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(Output::Written),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Output::Closed),
            Err(error) => Err(Error::new(Kind::Other, "cannot write to stdout").because(error)),
        }
    }

    /// Prints an event on stdout as a line of JSON.
    pub fn event(&self, event: &impl Serialize) -> Result<Output> {
        let mut line = Vec::new();
        json::line(&mut line, event);
        self.write(&line)
    }

    /// Prints a report on stdout: as a line of JSON, as tables on a terminal, else as plain text.
    pub fn report(&self, report: &Report) -> Result<Output> {
        if self.json() {
            return self.event(report);
        }
        let width = match io::stdout().is_terminal() {
            true => terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
            false => None,
        };
        self.write(table::render(report, width).as_bytes())
    }

    /// Says something on stderr that a person may want to know.
    pub fn note(&self, text: &str) {
        if !self.quiet() {
            self.say("", "", text);
        }
    }

    /// Says something on stderr that only `-v` (`level` 1) or `-vv` (2) asks for.
    pub fn detail(&self, level: u8, text: &str) {
        if self.verbosity() >= level {
            self.say("", "", text);
        }
    }

    /// Says something on stderr that a person should look after.
    pub fn warn(&self, text: &str) {
        if !self.quiet() {
            self.say("warning: ", YELLOW, text);
        }
    }

    /// Says why the program failed. A signal is no failure: whoever sent it knows.
    pub fn error(&self, error: &Error) {
        if matches!(error.kind(), Kind::Signal(_)) {
            return;
        }
        self.say("", BOLD_RED, &error.to_string());
        if let Some(hint) = error.advice() {
            let (on, off) = self.stderr_colour(CYAN);
            talk(&format!("{on}hint:{off} {}\n", sanitise_str(hint)));
        }
    }

    /// Says that clients can connect now: on stderr, with `--json` on stdout.
    pub fn listening(&self, address: &Address) -> Result<()> {
        if self.json() {
            let address = address.to_string();
            // Whoever closed stdout does not wait for this.
            let _ = self.event(&json::Listening::new(&address))?;
        } else {
            self.say("", "", &format!("listening on {address}"));
        }
        Ok(())
    }

    fn say(&self, kind: &str, colour: &'static str, text: &str) {
        let (on, off) = self.stderr_colour(colour);
        talk(&format!("{on}sockkit:{off} {kind}{}\n", sanitise_str(text)));
    }

    fn stderr_colour(&self, colour: &'static str) -> (&'static str, &'static str) {
        match self.colours.stderr && !colour.is_empty() {
            true => (colour, PLAIN),
            false => ("", ""),
        }
    }
}

/// Writes to stderr. Where that fails there is nobody left to tell.
fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Prints what clap answers to `--help` and `--version`. A closed pipe is no error.
pub fn answer(answer: &clap::Error) -> Result<()> {
    match answer.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Other, "cannot write to stdout").because(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says what is wrong with the command line, in the form of all our errors.
pub fn complain(complaint: &clap::Error) {
    let text = complaint.render();
    let text = match wants_colours(Color::Auto, io::stderr().is_terminal()) {
        true => text.ansi().to_string(),
        false => text.to_string(),
    };
    talk(&text.replacen("error:", "sockkit:", 1));
}

/// Whether to use colours, by the conventions of <https://no-color.org> and <https://bixense.com/clicolors>.
fn wants_colours(color: Color, is_terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if anstyle_query::clicolor_force() => true,
        Color::Auto => {
            is_terminal
                && !anstyle_query::no_color()
                && anstyle_query::clicolor().unwrap_or(true)
                && anstyle_query::term_supports_ansi_color()
        }
    }
}
