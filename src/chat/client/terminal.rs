//! The client under a person's hands: a line editor whose half-typed line stays whole while others speak.
//!
//! The editor (rustyline) has a thread of its own, and so has the forwarder of what was typed: lines that arrive
//! faster than anyone types were pasted, and are asked back. What others say goes through the editor's external
//! printer, which prints it above the line.
//!
//! The prompt looks like the lines of others, with the time of the last key: so what was typed stays on the screen
//! as one line of the talk, and need not be printed again.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{ColorMode, CompletionType, Editor, ExternalPrinter};
use zeroize::Zeroizing;

use super::guide::{self, Guide, Mask, Shared};
use super::machine::Note;
use super::paste::{Forwarder, Typed};
use super::printer::{Printer, Sink};
use super::screen::Screen;
use super::view::Voice;
use crate::chat::command::{Command, parse};
use crate::chat::wire::ChatEvent;
use crate::core::dial::Person;
use crate::core::event_loop::Handle;
use crate::core::machine::Signal;
use crate::error::{Error, Kind, Result};
use crate::ui::human::Style;
use crate::ui::{Output, Ui, is_yes};

/// How long the next prompt waits for the answer to `/nick`, so that it shows the new one.
const RENAMING: Duration = Duration::from_millis(300);

/// How many lines the up arrow goes back.
const HISTORY: usize = 1000;

/// What the editor is to do next.
enum Order {
    AskPassword {
        again: bool,
    },
    Ask {
        question: String,
        answer: Sender<bool>,
    },
    Talk(Printer),
}

/// The terminal.
pub(super) struct Terminal {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    screen: Screen,
}

/// Asks the person, from any thread, before the talk begins.
pub(super) struct Questioner {
    orders: Sender<Order>,
    voice: Voice,
}

impl Person for Questioner {
    fn ask(&self, news: &str, question: &str) -> bool {
        let (answer, answered) = mpsc::channel();
        self.voice.warn(news);
        let order = Order::Ask {
            question: question.to_string(),
            answer,
        };
        self.orders.send(order).is_ok() && answered.recv().unwrap_or(false)
    }
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

    /// By which the person can be asked something else.
    pub(super) fn questioner(&self, voice: Voice) -> Questioner {
        Questioner {
            orders: self.orders.clone(),
            voice,
        }
    }

    /// Lets the person type. Once.
    pub(super) fn talk(&self, printer: Printer) {
        let _ = self.orders.send(Order::Talk(printer));
    }

    /// Learns names from an event.
    pub(super) fn learn(&self, event: &ChatEvent<'_>) {
        self.shared.learn(event);
    }

    /// Gives the terminal back as it was.
    pub(super) fn finish(self, ui: &Ui) {
        if self.shared.lock().editing {
            self.screen.restore(ui);
        }
    }
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
        // Between a first Tab and a second the editor would let nobody else speak.
        .completion_show_all_if_ambiguous(true)
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
                Order::Ask { question, answer } => {
                    let typed = self.read(&mut editor, &question).unwrap_or_default();
                    // Who asked waits for it.
                    let _ = answer.send(is_yes(&typed));
                }
                Order::Talk(printer) => {
                    let (sender, typed) = mpsc::channel();
                    let forwarder = Forwarder::new(self.handle.clone(), printer);
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
                None => guide::prompt(&self.shared.lock().nick),
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
