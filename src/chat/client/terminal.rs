//! The client under a person's hands: a line editor whose half-typed line stays whole while others speak.
//!
//! The editor (rustyline) has a thread of its own, and so has the forwarder of what was typed: lines that arrive
//! faster than anyone types were pasted, and are asked back. What others say goes through the editor's external
//! printer, which prints it above the line.
//!
//! The prompt looks like the lines of others, with the time of the last key: so what was typed stays on the screen
//! as one line of the talk, and need not be printed again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Context, Editor, ExternalPrinter, Helper};
use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use super::machine::Note;
use super::printer::{Printer, Sink};
use super::screen::Screen;
use crate::chat::command::{COMMANDS, Command, parse};
use crate::chat::wire::ChatEvent;
use crate::core::event_loop::Handle;
use crate::core::machine::Signal;
use crate::core::sanitise::sanitise_str;
use crate::error::{Error, Kind, Result};
use crate::ui::Output;
use crate::ui::human::Style;

/// Lines that come closer together than this were pasted on a terminal that does not say so (bracketed paste
/// does): nobody types Enter a hundred times a second.
const BURST: Duration = Duration::from_millis(10);

/// How long the next prompt waits for the answer to `/nick`, so that it shows the new one.
const RENAMING: Duration = Duration::from_millis(300);

/// How many lines the up arrow goes back.
const HISTORY: usize = 1000;

/// What is known of the room, and of the line being typed.
#[derive(Debug, Default)]
struct Known {
    nick: String,
    others: BTreeSet<String>,
    /// The line being typed is empty.
    empty: bool,
    /// The editor has the terminal.
    editing: bool,
}

struct Shared {
    known: Mutex<Known>,
    renamed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the editor is to do next.
enum Order {
    AskPassword { again: bool },
    Talk(Printer),
}

/// What was typed.
enum Typed {
    Line(String),
    Paste(Vec<String>),
    End,
}

/// The terminal.
pub(super) struct Terminal {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    screen: Screen,
}

/// Prints above the line being typed.
pub(super) struct AboveTheLine {
    printer: Box<dyn FnMut(String) -> rustyline::Result<()> + Send>,
    shared: Arc<Shared>,
}

impl Terminal {
    /// Takes over the terminal, unless it is one on which no line can be edited (`TERM=dumb`).
    pub(super) fn start(style: Style, handle: Handle<Note>) -> Option<(Self, AboveTheLine)> {
        let screen = Screen::save();
        let shared = Arc::new(Shared {
            known: Mutex::default(),
            renamed: Condvar::new(),
        });
        let (orders, received) = mpsc::channel();
        let (ready, made) = mpsc::channel();
        let typist = Typist {
            shared: Arc::clone(&shared),
            handle,
        };
        let guide = Guide {
            shared: Arc::clone(&shared),
            style,
            mask: Mask::Off,
        };
        thread::spawn(move || {
            // Made here because an editor stays on its thread.
            let Some((editor, printer)) = edit_with(guide) else {
                return;
            };
            if ready.send(printer).is_ok() {
                typist.obey(editor, &received);
            }
        });
        let printer = made.recv().ok()?;
        let above = AboveTheLine {
            printer,
            shared: Arc::clone(&shared),
        };
        let terminal = Self {
            shared,
            orders,
            screen,
        };
        Some((terminal, above))
    }

    /// Asks for the password, without showing it.
    pub(super) fn ask_password(&self, again: bool) {
        // An editor that has ended has told so.
        let _ = self.orders.send(Order::AskPassword { again });
    }

    /// Lets the person type. Once.
    pub(super) fn talk(&self, printer: Printer) {
        let _ = self.orders.send(Order::Talk(printer));
    }

    /// Learns names from an event.
    pub(super) fn learn(&self, event: &ChatEvent<'_>) {
        let mut known = self.shared.lock();
        match event {
            ChatEvent::Welcome { nick, .. } | ChatEvent::You { nick, .. } => {
                known.nick = sanitise_str(nick).into_owned();
                self.shared.renamed.notify_all();
            }
            ChatEvent::Members { nicks, .. } => {
                known.others = nicks.iter().map(|nick| clean(nick)).collect();
            }
            ChatEvent::Joined { nicks, .. } => {
                known.others.extend(nicks.iter().map(|nick| clean(nick)));
            }
            ChatEvent::Left { nicks, .. } => {
                for nick in nicks {
                    known.others.remove(sanitise_str(nick).as_ref());
                }
            }
            ChatEvent::Renamed { from, to, .. } => {
                known.others.remove(sanitise_str(from).as_ref());
                known.others.insert(clean(to));
            }
            ChatEvent::Message { nick, .. }
            | ChatEvent::Action { nick, .. }
            | ChatEvent::Private { nick, .. } => {
                known.others.insert(clean(nick));
            }
            _ => {}
        }
    }

    /// Gives the terminal back as it was.
    pub(super) fn finish(self) {
        if self.shared.lock().editing {
            self.screen.restore();
        }
    }
}

fn clean(nick: &str) -> String {
    sanitise_str(nick).into_owned()
}

impl Sink for AboveTheLine {
    fn print(&mut self, bytes: &[u8]) -> Result<Output> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match (self.printer)(text) {
            Ok(()) => Ok(Output::Written),
            Err(error) => {
                Err(Error::new(Kind::Other, "cannot write to the terminal").because(error))
            }
        }
    }

    /// The editor takes one message while it prints another, so when the second of these has been taken, all
    /// before the first are on the screen. They move the cursor up and down again.
    fn finish(&mut self) {
        if self.shared.lock().editing {
            for _ in 0..2 {
                let _ = (self.printer)("\x1b[A\n".to_string());
            }
        }
    }
}

type Line = Editor<Guide, DefaultHistory>;
type Print = Box<dyn FnMut(String) -> rustyline::Result<()> + Send>;

fn edit_with(guide: Guide) -> Option<(Line, Print)> {
    let config = rustyline::Config::builder()
        .max_history_size(HISTORY)
        .ok()?
        .completion_type(CompletionType::List)
        .bell_style(BellStyle::None)
        // The guide draws the prompt, with colours or without.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Line::with_config(config).ok()?;
    editor.set_helper(Some(guide));
    let mut printer = editor.create_external_printer().ok()?;
    Some((editor, Box::new(move |text| printer.print(text))))
}

/// The thread that has the editor.
struct Typist {
    shared: Arc<Shared>,
    handle: Handle<Note>,
}

impl Typist {
    fn obey(&self, mut editor: Line, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::AskPassword { again } => {
                    let answer = self.read_password(&mut editor, again);
                    // A loop that has ended has no use for it.
                    let _ = self.handle.urgent(Note::Password(answer));
                }
                Order::Talk(printer) => {
                    let (sender, typed) = mpsc::channel();
                    let forwarder = Forwarder {
                        handle: self.handle.clone(),
                        printer,
                        pasted: None,
                    };
                    thread::spawn(move || forwarder.forward(&typed));
                    self.talk(&mut editor, &sender);
                    return;
                }
            }
        }
    }

    fn read_password(&self, editor: &mut Line, again: bool) -> Option<Zeroizing<String>> {
        let prompt = match again {
            true => "wrong password; try again: ",
            false => "password: ",
        };
        self.mask(editor, Mask::On);
        let answer = self.read(editor, prompt);
        self.mask(editor, Mask::Off);
        answer
            .ok()
            .map(Zeroizing::new)
            .filter(|password| !password.is_empty())
    }

    fn mask(&self, editor: &mut Line, mask: Mask) {
        if let Some(guide) = editor.helper_mut() {
            guide.mask = mask;
        }
    }

    fn read(&self, editor: &mut Line, prompt: &str) -> rustyline::Result<String> {
        let mut known = self.shared.lock();
        known.editing = true;
        known.empty = true;
        drop(known);
        let line = editor.readline(prompt);
        self.shared.lock().editing = false;
        line
    }

    fn talk(&self, editor: &mut Line, sender: &Sender<Typed>) {
        let mut question = None;
        loop {
            let prompt = match question.take() {
                Some(lines) => format!("send {lines} lines? [y/N] "),
                // The guide puts the time there.
                None => format!("00:00 <{}> ", self.shared.lock().nick),
            };
            let line = match self.read(editor, &prompt) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) if !self.shared.lock().empty => continue,
                Err(ReadlineError::Interrupted) => {
                    let _ = self.handle.signal(Signal::Interrupt);
                    return;
                }
                Err(_) => {
                    let _ = sender.send(Typed::End);
                    return;
                }
            };
            if !line.trim().is_empty() {
                // Only a history on disk can fail.
                let _ = editor.add_history_entry(line.as_str());
            }
            let lines: Vec<String> = line
                .split(['\n', '\r'])
                .filter(|line| !line.is_empty())
                .map(str::to_string)
                .collect();
            let nick = self.shared.lock().nick.clone();
            let (quits, renames) = match lines.as_slice() {
                [line] => (
                    matches!(parse(line), Ok(Command::Quit(_))),
                    matches!(parse(line), Ok(Command::Nick(_))),
                ),
                _ => (false, false),
            };
            let typed = match lines.len() {
                0 => Typed::Line(String::new()),
                1 => Typed::Line(lines.into_iter().collect()),
                count => {
                    question = Some(count);
                    Typed::Paste(lines)
                }
            };
            if sender.send(typed).is_err() || quits {
                return;
            }
            if renames {
                let known = self.shared.lock();
                // Whether it was answered or not, the prompt shows what is known then.
                let _ = self
                    .shared
                    .renamed
                    .wait_timeout_while(known, RENAMING, |known| known.nick == nick);
            }
        }
    }
}

/// The thread that decides what is sent.
struct Forwarder {
    handle: Handle<Note>,
    printer: Printer,
    /// Lines that were pasted and are asked back.
    pasted: Option<Vec<String>>,
}

impl Forwarder {
    fn forward(mut self, typed: &Receiver<Typed>) {
        while let Ok(next) = typed.recv() {
            let mut lines = Vec::new();
            let mut ended = false;
            let mut asked = false;
            match next {
                Typed::Line(answer) if self.pasted.is_some() => {
                    self.answer(&answer);
                    continue;
                }
                Typed::Line(line) => lines.push(line),
                Typed::Paste(more) => {
                    lines = more;
                    asked = true;
                }
                Typed::End => ended = true,
            }
            while !ended && !asked {
                match typed.recv_timeout(BURST) {
                    Ok(Typed::Line(line)) => lines.push(line),
                    Ok(Typed::Paste(more)) => lines.extend(more),
                    Ok(Typed::End) | Err(RecvTimeoutError::Disconnected) => ended = true,
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
            lines.retain(|line| !line.is_empty());
            if lines.len() > 1 {
                if !asked {
                    let text = format!("send {} lines? [y/N]\n", lines.len());
                    self.printer.print(text.as_bytes());
                }
                self.pasted = Some(lines);
            } else {
                self.send(lines);
            }
            if ended {
                // A loop that has ended has no use for it.
                let _ = self.handle.urgent(Note::InputEnded);
                return;
            }
        }
    }

    fn answer(&mut self, answer: &str) {
        let lines = self.pasted.take().unwrap_or_default();
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            self.send(lines);
        } else {
            let text = format!("* {} lines not sent\n", lines.len());
            self.printer.print(text.as_bytes());
        }
    }

    /// Past the queue: what a person types is bounded by the person, and a queue that is full would take the
    /// keyboard away.
    fn send(&self, lines: Vec<String>) {
        for line in lines {
            let _ = self.handle.urgent(Note::Line(line));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mask {
    On,
    Off,
}

/// Draws the prompt and completes names.
struct Guide {
    shared: Arc<Shared>,
    style: Style,
    mask: Mask,
}

impl Helper for Guide {}
impl Hinter for Guide {
    type Hint = String;
}
impl Validator for Guide {}

impl Highlighter for Guide {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        self.shared.lock().empty = line.is_empty();
        match self.mask {
            Mask::On => Cow::Owned("*".repeat(line.width())),
            Mask::Off => Cow::Borrowed(line),
        }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        default: bool,
    ) -> Cow<'b, str> {
        let nick = prompt
            .strip_prefix("00:00 <")
            .and_then(|rest| rest.strip_suffix("> "));
        let Some(nick) = nick.filter(|_| default) else {
            return Cow::Borrowed(prompt);
        };
        let mut drawn = String::new();
        self.style.dim(&mut drawn, &self.style.clock.now());
        drawn.push('<');
        self.style.nick(&mut drawn, nick);
        drawn.push_str("> ");
        Cow::Owned(drawn)
    }

    /// Always: the time in the prompt is that of the last key, and whether the line is empty must be known.
    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        true
    }
}

impl Completer for Guide {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.mask == Mask::On {
            return Ok((pos, Vec::new()));
        }
        let known = self.shared.lock();
        Ok(complete(line.get(..pos).unwrap_or_default(), &known.others))
    }
}

/// What the word before the cursor may become: where it begins, and the candidates.
fn complete(before: &str, nicks: &BTreeSet<String>) -> (usize, Vec<Pair>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let word = before[start..].to_lowercase();
    let pair = |display: &str, replacement: String| Pair {
        display: display.to_string(),
        replacement,
    };
    let candidates = if start == 0 && word.starts_with('/') {
        COMMANDS
            .iter()
            .filter(|(name, ..)| name.starts_with(&word))
            .map(|(name, takes, _)| {
                let space = if takes.is_empty() { "" } else { " " };
                pair(name, format!("{name}{space}"))
            })
            .collect()
    } else if word.is_empty() {
        Vec::new()
    } else {
        let behind = if start == 0 { ": " } else { " " };
        nicks
            .iter()
            .filter(|nick| nick.to_lowercase().starts_with(&word))
            .map(|nick| pair(nick, format!("{nick}{behind}")))
            .collect()
    };
    (start, candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_nicks_are_completed() {
        let nicks: BTreeSet<String> = ["Ann", "anton", "bob", "Ольга"].map(Into::into).into();
        let texts = |before: &str| {
            let (start, pairs) = complete(before, &nicks);
            let texts: Vec<String> = pairs.into_iter().map(|pair| pair.replacement).collect();
            (start, texts)
        };
        let table: [(&str, usize, &[&str]); 8] = [
            ("an", 0, &["Ann: ", "anton: "]),
            ("hello AN", 6, &["Ann ", "anton "]),
            ("/msg ол", 5, &["Ольга "]),
            ("/jo", 0, &["/join "]),
            ("/h", 0, &["/history ", "/help"]),
            ("see /h", 4, &[]),
            ("", 0, &[]),
            ("hello\u{3000}b", 8, &["bob "]),
        ];
        for (before, start, candidates) in table {
            let (at, texts) = texts(before);
            assert_eq!(
                (at, texts.as_slice()),
                (
                    start,
                    &candidates.iter().map(|c| c.to_string()).collect::<Vec<_>>()[..]
                ),
                "{before:?}"
            );
        }
    }
}
