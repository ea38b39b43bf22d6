//! `chat`: the client, at a terminal and in a pipe.
//!
//! - [`machine`]: what it decides; [`raw`]: the same for servers that are not ours;
//! - `dialler`, `input`, `terminal` (with `guide`, `paste`, `screen`): what reaches the machine;
//! - `view`, `printer`, `exec`: what becomes of what it says.

mod dialler;
mod exec;
mod guide;
mod input;
pub mod machine;
mod paste;
mod printer;
pub mod raw;
mod screen;
mod terminal;
mod view;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::exec::Exec;
use self::input::Format;
use self::machine::{Action, Client, Config, Goal, Note};
use self::printer::Printing;
use self::raw::RawClient;
use self::terminal::Terminal;
use self::view::{Reader, View};
use crate::chat::command::{Command, parse};
use crate::cli::{ChatArgs, DEFAULT_RETRY};
use crate::core::address::{Address, Scheme, Use};
use crate::core::dial::Dialler;
use crate::core::event_loop::{EventLoop, Handle};
use crate::core::machine::Machine;
use crate::core::runner;
use crate::core::signal;
use crate::error::{Error, Kind, Result};
use crate::tls;
use crate::ui::Ui;

/// The port of an address without one.
const DEFAULT_PORT: u16 = 8888;

/// How many earlier lines a person is shown who does not say how many.
const DEFAULT_HISTORY: u32 = 20;

/// How long the end waits for a terminal or a reader of stdout that takes no more, when somebody or a timeout
/// ends the client.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the client until it is done.
pub fn run(ui: &Ui, args: &ChatArgs) -> Result<()> {
    let address = address(&args.address)?;
    check_sent(args)?;
    if let Some(program) = &args.exec {
        runner::must_find(program)?;
    }
    let scripted = args.raw || !args.send.is_empty() || goal(args).target().is_some();
    let interactive = ui.interactive() && !scripted;
    let config = config(args, &address, interactive)?;
    let connector = tls::connector(ui, &args.tls, &address)?;
    let options = args.dial.options(args.sockopt.settings());
    let dialler = Arc::new(Dialler::new(address, options, connector));
    if args.raw {
        let lines_matter = ui.json() || args.exec.is_some() || goal(args).target().is_some();
        let verbatim = !lines_matter && !io::stdout().is_terminal();
        let mut driver = EventLoop::new(RawClient::new(config, verbatim))?;
        let house = House::open(ui, args, false, driver.handle())?;
        return drive(&mut driver, house, &dialler, |client| {
            (client.take_result(), 0)
        });
    }
    let mut driver = EventLoop::new(Client::new(config))?;
    let house = House::open(ui, args, interactive, driver.handle())?;
    drive(&mut driver, house, &dialler, |client| {
        let unacknowledged = match client.has_failed() {
            true => client.unacknowledged(),
            // Then they are the failure.
            false => 0,
        };
        (client.take_result(), unacknowledged)
    })
}

/// What is given with `--send` behind a farewell would never be sent.
fn check_sent(args: &ChatArgs) -> Result<()> {
    let Some((_, before)) = args.send.split_last() else {
        return Ok(());
    };
    let leaves = |line: &&String| matches!(parse(line), Ok(Command::Quit(_)));
    match before.iter().find(leaves) {
        Some(line) if !args.raw => Err(Error::new(
            Kind::Usage,
            format!("nothing can be sent after {line}"),
        )),
        _ => Ok(()),
    }
}

fn address(text: &str) -> Result<Address> {
    let purpose = Use::Connect {
        default_port: Some(DEFAULT_PORT),
    };
    let address = Address::parse(text, purpose)?;
    match address.scheme() {
        Scheme::Tcp | Scheme::Tls => Ok(address),
        Scheme::Udp => Err(Error::new(
            Kind::Usage,
            format!("the chat is not for datagrams: {address}"),
        )),
    }
}

fn goal(args: &ChatArgs) -> Goal {
    Goal {
        expect: args.expect.clone(),
        count: args.count,
        follow: args.follow,
        earlier: args.history.is_some(),
    }
}

fn config(args: &ChatArgs, address: &Address, interactive: bool) -> Result<Config> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)
        .map_err(|error| Error::new(Kind::Other, "no random numbers").because(error.to_string()))?;
    let (session, seed) = random.split_at(16);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0u128, |sum, &byte| sum << 8 | u128::from(byte))
    };
    let password = match args.raw {
        true => None,
        false => args.password.read()?,
    };
    let default_history = if interactive { DEFAULT_HISTORY } else { 0 };
    let history = match args.no_history {
        true => 0,
        false => args.history.unwrap_or(default_history),
    };
    let default_retry = (!interactive).then_some(DEFAULT_RETRY);
    Ok(Config {
        peer: format!("{address:#}"),
        session: number(session),
        seed: number(seed) as u64,
        nick: args.nick.clone(),
        room: args.room.clone(),
        history,
        password: password.map(|password| Zeroizing::new(password.expose().to_string())),
        interactive,
        goal: goal(args),
        greeting: args.dial.connect_timeout,
        idle: args.idle_timeout.get(),
        retry: args.retry.or(default_retry),
        timeout: args.timeout,
    })
}

/// What stands around the machine.
struct House {
    view: View,
    printing: Printing,
    ui: Ui,
}

impl House {
    fn open(ui: &Ui, args: &ChatArgs, interactive: bool, handle: Handle<Note>) -> Result<Self> {
        signal::watch(handle.clone())?;
        let reader = match (ui.json(), interactive) {
            (true, _) => Reader::Program,
            (false, true) => Reader::Person,
            (false, false) => Reader::Script,
        };
        let terminal = match interactive {
            true => Terminal::start(view::style(ui, reader), handle.clone()),
            false => None,
        };
        let (terminal, printing) = match terminal {
            Some((terminal, above)) => (Some(terminal), printer::start(above, handle.clone())),
            None => (None, printer::start(ui.clone(), handle.clone())),
        };
        let format = match ui.json() {
            true => Format::Json,
            false => Format::Text,
        };
        if !args.send.is_empty() {
            input::send(args.send.clone(), handle.clone());
        } else if terminal.is_none() {
            input::read(format, handle.clone());
        }
        let quiet = terminal.is_some();
        let only_goal = goal(args).target().is_some();
        let on_terminal = io::stdout().is_terminal();
        let mut view = View::new(
            ui,
            reader,
            only_goal,
            on_terminal,
            printing.printer(),
            terminal,
        );
        if let Some(program) = &args.exec {
            let voice = view.voice();
            let complain = Box::new(move |text: &str| voice.warn(text));
            view.run_for_each(Exec::new(
                program.clone(),
                args.exec_max,
                quiet,
                handle,
                complain,
            ));
        }
        Ok(Self {
            view,
            printing,
            ui: ui.clone(),
        })
    }

    /// Prints what is left and gives the terminal back. The result, which is no success when something could not
    /// be printed.
    fn close(self, result: Result<()>) -> Result<()> {
        let hurry = match &result {
            Ok(()) => false,
            Err(error) => matches!(error.kind(), Kind::Signal(_) | Kind::TimedOut),
        };
        let terminal = self.view.finish(hurry);
        let patience = (hurry || terminal.is_some()).then_some(LAST_WORDS);
        let printed = self.printing.finish(patience);
        if let Some(terminal) = terminal {
            terminal.finish(&self.ui);
        }
        result.and(printed)
    }
}

/// Runs a machine to its end. `end` is asked for the result and for how many lines nobody answered for.
fn drive<M: Machine<Note = Note, Action = Action>>(
    driver: &mut EventLoop<M>,
    mut house: House,
    dialler: &Arc<Dialler>,
    end: impl FnOnce(&mut M) -> (Result<()>, usize),
) -> Result<()> {
    let voice = house.view.voice();
    driver.run(&mut |action, handle| match action {
        Action::Dial => {
            let voice = voice.clone();
            let person = house.view.questioner();
            dialler::start(dialler, handle.clone(), person, move |step| {
                voice.detail(1, step);
            });
        }
        Action::AskPassword { again } => {
            if !house.view.ask_password(again) {
                // The loop is there: it has just asked.
                let _ = handle.urgent(Note::Password(None));
            }
        }
        Action::Show(shown) => house.view.show(shown),
    })?;
    let (result, unacknowledged) = end(driver.machine());
    let ui = house.ui.clone();
    let result = house.close(result);
    if unacknowledged > 0 {
        let text = match unacknowledged {
            1 => "1 line was not acknowledged".to_string(),
            count => format!("{count} lines were not acknowledged"),
        };
        ui.warn(&text);
    }
    result
}
