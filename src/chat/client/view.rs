//! How what happens is shown: as JSON, as text in a pipe, or to a person who types.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::exec::Exec;
use super::machine::{Shown, Status};
use super::printer::Printer;
use super::terminal::{Questioner, Terminal};
use crate::chat::wire::ChatEvent;
use crate::core::sanitise::{sanitise, sanitise_str};
use crate::ui::human::{Clock, Style};
use crate::ui::{Ui, json};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A program that reads JSON.
    Program,
    /// A script, or a person who looks at what a script prints.
    Script,
    /// A person who types.
    Person,
}

/// Says what is talk and not data: on stderr, or above the line that a person types.
#[derive(Clone)]
pub(super) struct Voice {
    ui: Ui,
    style: Style,
    above: Option<Printer>,
}

impl Voice {
    /// A remark.
    pub(super) fn note(&self, text: &str) {
        match &self.above {
            Some(_) if self.ui.quiet() => {}
            Some(printer) => printer.print(self.remark(text).as_bytes()),
            None => self.ui.note(text),
        }
    }

    /// Something to look after.
    pub(super) fn warn(&self, text: &str) {
        match &self.above {
            Some(printer) => printer.print(self.remark(text).as_bytes()),
            None => self.ui.warn(text),
        }
    }

    /// What only `-v` or `-vv` asks for.
    pub(super) fn detail(&self, level: u8, text: &str) {
        match &self.above {
            Some(printer) if self.ui.verbosity() >= level => {
                printer.print(self.remark(text).as_bytes());
            }
            Some(_) => {}
            None => self.ui.detail(level, text),
        }
    }

    fn remark(&self, text: &str) -> String {
        let mut line = String::new();
        self.style
            .dim(&mut line, &format!("* {}", sanitise_str(text)));
        line.push('\n');
        line
    }
}

/// Shows.
pub(super) struct View {
    reader: Reader,
    /// Only what is waited for is printed.
    only_goal: bool,
    /// Stdout is a terminal: nothing may reach it raw.
    on_terminal: bool,
    style: Style,
    printer: Printer,
    voice: Voice,
    terminal: Option<Terminal>,
    exec: Option<Exec>,
    /// The person may type already.
    talking: bool,
    /// The next welcome is none: the person was here before.
    again: bool,
}

/// The line of a foreign server, as an event.
#[derive(Serialize)]
#[serde(tag = "event", rename = "line")]
struct ForeignLine<'a> {
    text: &'a str,
}

/// The style for a reader.
pub(super) fn style(ui: &Ui, reader: Reader) -> Style {
    let clock = match reader {
        Reader::Person => Clock::Minutes(TimeZone::system()),
        // As `nc` would show it, so that a script can do without a time.
        Reader::Script | Reader::Program => Clock::Off,
    };
    Style {
        colours: ui.colours(),
        clock,
    }
}

impl View {
    pub(super) fn new(
        ui: &Ui,
        reader: Reader,
        only_goal: bool,
        on_terminal: bool,
        printer: Printer,
        terminal: Option<Terminal>,
    ) -> Self {
        let style = style(ui, reader);
        let voice = Voice {
            ui: ui.clone(),
            style: style.clone(),
            above: terminal.as_ref().map(|_| printer.clone()),
        };
        Self {
            reader,
            only_goal,
            on_terminal,
            style,
            printer,
            voice,
            terminal,
            exec: None,
            talking: false,
            again: false,
        }
    }

    pub(super) fn voice(&self) -> Voice {
        self.voice.clone()
    }

    /// By which a person can be asked, if there is one.
    pub(super) fn questioner(&self) -> Option<Questioner> {
        let terminal = self.terminal.as_ref()?;
        Some(terminal.questioner(self.voice()))
    }

    pub(super) fn run_for_each(&mut self, exec: Exec) {
        self.exec = Some(exec);
    }

    /// Whether there is somebody to ask, unseen.
    pub(super) fn ask_password(&self, again: bool) -> bool {
        if let Some(terminal) = &self.terminal {
            terminal.ask_password(again);
        }
        self.terminal.is_some()
    }

    pub(super) fn show(&mut self, shown: Shown) {
        match shown {
            Shown::Said { event, matched } => self.said(&event, matched.as_deref()),
            Shown::Event(event) => self.event(&event),
            Shown::Status(status) => self.status(&status),
            Shown::Bytes(bytes) => self.printer.print(&bytes),
            Shown::Line { bytes, matched } => self.foreign_line(&bytes, matched.as_deref()),
        }
    }

    fn said(&mut self, event: &ChatEvent<'_>, matched: Option<&str>) {
        if let Some(terminal) = &self.terminal {
            terminal.learn(event);
        }
        if let Some(exec) = &mut self.exec {
            exec.run(event);
        }
        match (self.reader, matched) {
            (Reader::Program, _) => self.json(event),
            (_, Some(matched)) => {
                let line = format!("{}\n", sanitise_str(matched));
                self.printer.print(line.as_bytes());
            }
            (_, None) => self.human(event),
        }
    }

    fn event(&mut self, event: &ChatEvent<'_>) {
        if let Some(terminal) = &self.terminal {
            terminal.learn(event);
        }
        match self.reader {
            Reader::Program if !self.only_goal => self.json(event),
            Reader::Program => {}
            Reader::Person => {
                let hidden = match event {
                    // The status or the error says it.
                    ChatEvent::Goodbye { .. } => true,
                    ChatEvent::Welcome { .. } => self.again,
                    _ => false,
                };
                if !hidden {
                    self.human(event);
                }
                if let (ChatEvent::Welcome { .. }, Some(terminal), false) =
                    (event, &self.terminal, self.talking)
                {
                    self.talking = true;
                    terminal.talk(self.printer.clone());
                }
            }
            Reader::Script => match event {
                ChatEvent::Goodbye { .. } => {}
                ChatEvent::Refusal { text, .. } => {
                    self.voice.warn(&format!("a line was not taken: {text}"));
                }
                ChatEvent::Gap { .. } | ChatEvent::Skipped { .. } => {
                    let mut line = String::new();
                    self.style.chat_event(&mut line, event);
                    self.voice.warn(line.trim_end().trim_start_matches("* "));
                }
                ChatEvent::Welcome { nick, room, .. } => {
                    self.voice.detail(1, &format!("you are {nick} in {room}"));
                }
                _ if self.only_goal => {}
                _ => self.human(event),
            },
        }
    }

    fn status(&mut self, status: &Status) {
        if let Status::Connected { again, .. } = status {
            self.again = *again;
        }
        if self.reader == Reader::Program {
            if !self.only_goal {
                self.json(status);
            }
            return;
        }
        match status {
            Status::Connected {
                address,
                again: false,
            } => self.voice.detail(1, &format!("let in by {address}")),
            Status::Connected { again: true, .. } => self.voice.note("connected again"),
            // Without another attempt the error says it.
            Status::Disconnected {
                retrying: false, ..
            } => {}
            Status::Disconnected { reason, .. } => self.voice.note(&format!(
                "lost the connection: {reason}; trying to get it back"
            )),
            Status::Unread { lines } => {
                let mut line = String::new();
                let text = format!("--- {lines} unread while disconnected ---");
                self.style.dim(&mut line, &text);
                line.push('\n');
                self.printer.print(line.as_bytes());
            }
            Status::Waiting { lines: 1 } => {
                self.voice
                    .note("not connected: 1 line waits and will be sent");
            }
            Status::Waiting { lines } => self.voice.note(&format!(
                "not connected: {lines} lines wait and will be sent"
            )),
        }
    }

    fn foreign_line(&mut self, bytes: &[u8], matched: Option<&str>) {
        let text = sanitise(bytes);
        if let Some(exec) = &mut self.exec {
            exec.run_foreign(&text);
        }
        match (self.reader, matched) {
            (Reader::Program, _) => {
                let lossy = String::from_utf8_lossy(bytes);
                self.json(&ForeignLine { text: &lossy });
            }
            (_, Some(matched)) => self.printer.print(format!("{matched}\n").as_bytes()),
            (_, None) if self.on_terminal => {
                self.printer.print(format!("{text}\n").as_bytes());
            }
            (_, None) => {
                self.printer.print(&[bytes, b"\n"].concat());
            }
        }
    }

    fn human(&self, event: &ChatEvent<'_>) {
        let mut line = String::new();
        if self.style.chat_event(&mut line, event) {
            self.printer.print(line.as_bytes());
        }
    }

    fn json(&self, event: &impl Serialize) {
        let mut line = Vec::new();
        json::line(&mut line, event);
        self.printer.print(&line);
    }

    /// Waits for the programs that run; what is given back is to be given back last.
    pub(super) fn finish(self, hurry: bool) -> Option<Terminal> {
        if let Some(exec) = self.exec {
            exec.finish(hurry);
        }
        self.terminal
    }
}
