//! The only terminal output of the program: data goes to stdout, talk to stderr.
//!
//! - [`json`]: events as NDJSON, for programs;
//! - [`human`]: the same for people, with colours and local times;
//! - [`progress`]: a transfer for people, and [`bars`], which keep it on the screen.
//! - [`reporter`]: what a server tells of, on a thread of its own.
//! - [`table`]: reports for people.
//!
//! Nothing here panics on a closed pipe, and nothing that came from a peer leaves here with the power to
//! command a terminal.

pub mod bars;
pub mod human;
pub mod json;
pub mod progress;
mod qr;
pub mod reporter;
pub mod table;
mod unseen;

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;
use socket2::Socket;
use zeroize::Zeroizing;

use crate::cli::{Color, Globals};
use crate::core::address::Address;
use crate::core::dial::Person;
use crate::core::options::Settings;
use crate::core::sanitise::sanitise_str;
use crate::core::secure::Fingerprint;
use crate::core::secure::code::Code;
use crate::error::{Error, Kind, Result};
use crate::inspect::report::Report;
use crate::ui::bars::Bars;

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

    /// Bars on stderr, where a person watches: not off a terminal, not for programs, not if quiet is wanted, and
    /// not if `stdout_is_content` and goes to a terminal as well.
    pub fn bars(&self, stdout_is_content: bool) -> Option<Bars> {
        let mixed = stdout_is_content && io::stdout().is_terminal();
        // It obeys nothing, not even the return to the beginning of a line.
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let watched = io::stderr().is_terminal() && !dumb && !mixed;
        (watched && !self.json() && !self.quiet()).then(|| Bars::new(self.colours.stderr))
    }

    /// Whether stderr is looked at as it is written, and not kept.
    pub fn watched(&self) -> bool {
        io::stderr().is_terminal()
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

    /// stdout as a file of its own, for data that comes from elsewhere and goes there in large pieces.
    pub fn stdout_file(&self) -> Result<std::fs::File> {
        #[cfg(unix)]
        let file = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
        #[cfg(windows)]
        let file = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
        file.map(Into::into)
            .map_err(|error| Error::new(Kind::Other, "cannot write to stdout").because(error))
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
        self.write(table::render(report, self.width(), self.colours()).as_bytes())
    }

    /// What is to stand above a report, as a line.
    pub fn title(&self, text: &str) -> String {
        table::title(text, self.width(), self.colours())
    }

    /// How many columns stdout has, if it is a terminal.
    pub fn width(&self) -> Option<usize> {
        match io::stdout().is_terminal() {
            true => terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
            false => None,
        }
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

    /// Says with `-v` what became of the options that were asked for a socket.
    pub fn granted(&self, address: &Address, settings: &Settings, socket: &Socket) {
        for granted in settings.granted(socket) {
            self.detail(1, &format!("{address}: {granted}"));
        }
    }

    /// Says something on stderr that a person should look after.
    pub fn warn(&self, text: &str) {
        if !self.quiet() {
            self.warn_though_quiet(text);
        }
    }

    /// The same of what `--quiet` must not hide: that there is no security where there seems to be.
    pub fn warn_though_quiet(&self, text: &str) {
        self.say("warning: ", YELLOW, text);
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

    /// The same, and that nothing is encrypted.
    pub fn listening_in_the_clear(&self, address: &Address) -> Result<()> {
        if self.json() {
            let address = address.to_string();
            // As above.
            let _ = self.event(&json::ListeningInTheClear::new(&address))?;
        } else {
            self.say(
                "",
                "",
                &format!("without encryption (--plain), listening on {address}"),
            );
        }
        Ok(())
    }

    /// Says what is to be typed at the other end, with the code if the user cannot know it yet, and as a QR code if
    /// that is wanted.
    pub fn invitation(&self, command: &str, new: Option<&Code>, qr: Option<&Code>) -> Result<()> {
        if self.json() {
            // As above.
            let _ = self.event(&json::Invitation::new(command, new.map(Code::expose)))?;
        } else {
            if new.is_some() || !self.quiet() {
                self.say("", "", &format!("on the other machine: {command}"));
            }
            if let Some(code) = new {
                self.say("", "", &format!("the code is {}", code.expose()));
            }
        }
        if let Some(code) = qr {
            talk(&qr::text(code.expose()));
        }
        Ok(())
    }

    /// Asks for something that is not to be seen while it is typed, at the terminal of the process, wherever stdin and
    /// stdout go. `None`: there is none, or a program reads what we print.
    pub fn ask_secret(&self, question: &str) -> Option<Zeroizing<String>> {
        if self.json() {
            return None;
        }
        unseen::ask(&format!("sockkit: {question}")).ok()
    }

    /// Asks the person at the terminal, who answers with a line. `false`: no, or no answer.
    pub fn ask(&self, question: &str) -> bool {
        let mut typed = String::new();
        talk(&format!("sockkit: {question}"));
        io::stdin().lock().read_line(&mut typed).is_ok() && is_yes(&typed)
    }

    /// Says by what certificate clients know the server, as [`Ui::listening`] says where it is.
    pub fn certificate(&self, fingerprint: Fingerprint) -> Result<()> {
        if self.json() {
            let fingerprint = fingerprint.to_string();
            // As above.
            let _ = self.event(&json::Certificate::new(&fingerprint))?;
        } else {
            self.say("", "", &format!("the certificate is {fingerprint}"));
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

impl Person for Ui {
    fn ask(&self, news: &str, question: &str) -> bool {
        // Also where quiet is wanted: there is no answer without it.
        self.say("warning: ", YELLOW, news);
        Ui::ask(self, question)
    }
}

/// Whether somebody who was asked has typed yes.
pub fn is_yes(typed: &str) -> bool {
    matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes")
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
