//! `chat`, `ping` and a transfer at a terminal, end to end: the real binary on a pseudo-terminal, and the screen as a person sees it.
//!
//! The pseudo-terminal is not the client's controlling terminal: that would take a call between fork and exec,
//! and only the keys' signals, which a line editor does not use, and SIGWINCH, which the tests send themselves,
//! come with it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::support::proxy::{Fault, Harm, Proxy, Seeded};
use crate::support::{Nc, PATIENCE, Running, Server, sockkit, text};

const ROWS: u16 = 40;

/// A program on a terminal of its own. It is killed with the test.
struct Tty {
    keyboard: File,
    terminal: OwnedFd,
    output: Receiver<Vec<u8>>,
    /// All that was printed, as it came.
    raw: Vec<u8>,
    screen: vt100::Parser,
    pid: Pid,
    end: Receiver<ExitStatus>,
    ended: bool,
}

impl Tty {
    fn start(command: &mut Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it can be opened");
        let path = ptsname(&master, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(path, flags, Mode::empty()).expect("its other side");
        tcsetwinsize(&terminal, size(columns)).expect("a size");
        let stdio = || Stdio::from(terminal.try_clone().expect("a handle"));
        let mut child = command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .expect("it starts");
        let pid = Pid::from_child(&child);
        let keyboard = File::from(master);
        let mut display = keyboard.try_clone().expect("a handle");
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with an error when the last handle of the other side is closed.
            while let Ok(count @ 1..) = display.read(&mut buffer) {
                // What nobody looks at is read all the same, or the client would stand still.
                let _ = sender.send(buffer[..count].to_vec());
            }
        });
        let (sender, end) = mpsc::channel();
        thread::spawn(move || {
            let _ = sender.send(child.wait().expect("it can be waited for"));
        });
        Self {
            keyboard,
            terminal,
            output,
            raw: Vec::new(),
            screen: vt100::Parser::new(cells(ROWS), cells(columns), 0),
            pid,
            end,
            ended: false,
        }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("a keyboard");
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("it is there");
    }

    /// The lines on the screen, without the times before them; one that is wrapped is one.
    fn lines(&self) -> Vec<String> {
        let contents = self.screen.screen().contents();
        contents
            .lines()
            .map(|line| without_time(line.trim_end()).to_string())
            .collect()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    fn until(&mut self, condition: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            let lines = self.lines();
            if condition(&lines) {
                return lines;
            }
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.raw.extend(bytes);
                }
                Err(_) => panic!("the screen stays\n{}", self.screen.screen().contents()),
            }
        }
    }

    /// Waits until the screen ends with these lines.
    #[track_caller]
    fn until_ends_with(&mut self, expected: &[&str]) {
        self.until(|lines| lines.ends_with(&to_strings(expected)));
    }

    /// Waits until bob is in: his prompt is there a moment before what says so, which would come between his lines.
    #[track_caller]
    fn arrives(&mut self) {
        self.until(|lines| {
            let told = lines
                .iter()
                .any(|line| line.starts_with("* you are bob in"));
            told && lines.ends_with(&to_strings(&["<bob>"]))
        });
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.terminal).expect("a terminal")
    }

    /// Waits for the end, and for all that was printed. The exit status.
    #[track_caller]
    fn ends(&mut self) -> i32 {
        let status = self.end.recv_timeout(PATIENCE).expect("it ends");
        self.ended = true;
        // A mark of our own behind the program's last byte.
        let terminal = self.terminal.try_clone().expect("a handle");
        File::from(terminal)
            .write_all(b"\r\n(end)")
            .expect("a screen");
        self.until(|lines| lines.last().is_some_and(|line| line == "(end)"));
        status
            .code()
            .or_else(|| Some(128 + status.signal()?))
            .expect("a status")
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        if !self.ended {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("some")
}

fn size(columns: u16) -> Winsize {
    Winsize {
        ws_row: ROWS,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn without_time(line: &str) -> &str {
    let bytes = line.as_bytes();
    match bytes {
        [a, b, b':', c, d, b' ', ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()) => {
            &line[6..]
        }
        _ => line,
    }
}

fn to_strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_string()).collect()
}

/// How often a part is on the screen.
fn count(lines: &[String], part: &str) -> usize {
    lines.iter().map(|line| line.matches(part).count()).sum()
}

fn chat(address: &str) -> Command {
    let mut command = sockkit(&["chat", address, "--nick", "bob"]);
    command.env("TERM", "xterm-256color");
    command
}

/// A server, ann with `nc`, and bob at a terminal.
fn room(columns: u16) -> (Server, Nc, Tty) {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut bob = Tty::start(&mut chat(server.address()), columns);
    bob.arrives();
    ann.until("bob joined");
    (server, ann, bob)
}

#[test]
fn a_line_that_is_typed_is_sent_and_stands_there_once() {
    let (_server, mut ann, mut bob) = room(80);
    bob.types("hello, ann");
    bob.until_ends_with(&["<bob> hello, ann"]);
    bob.types("\r");
    assert_eq!(ann.until("hello"), "<bob> hello, ann");
    ann.types("hello, bob\n");
    bob.until_ends_with(&["<bob> hello, ann", "<ann> hello, bob", "<bob>"]);
}

#[test]
fn a_half_typed_line_stays_whole_while_others_speak() {
    for columns in [80, 40, 20] {
        let (_server, mut ann, mut bob) = room(columns);
        let half = "this line, with 漢字, is longer than some terminals";
        bob.types(half);
        let typed = format!("<bob> {half}");
        bob.until_ends_with(&[&typed]);
        let long = "x".repeat(usize::from(columns) * 2);
        ann.types(&format!("one\n{long}\nthree\n"));
        let long = format!("<ann> {long}");
        bob.until_ends_with(&["<ann> one", &long, "<ann> three", &typed]);
        bob.types(", as this\r");
        let whole = format!("{typed}, as this");
        assert_eq!(ann.until("<bob>"), whole);
        bob.until_ends_with(&["<ann> one", &long, "<ann> three", &whole, "<bob>"]);
    }
}

#[test]
fn a_half_typed_line_survives_a_change_of_the_width() {
    let (_server, mut ann, mut bob) = room(80);
    bob.types("half a line that will not fit");
    bob.until_ends_with(&["<bob> half a line that will not fit"]);
    tcsetwinsize(&bob.terminal, size(30)).expect("a size");
    bob.screen.screen_mut().set_size(cells(ROWS), cells(30));
    bob.signal(Signal::WINCH);
    ann.types("hello\n");
    bob.until(|lines| {
        let last = lines.last().map(String::as_str);
        count(lines, "<ann> hello") == 1 && last == Some("<bob> half a line that will not fit")
    });
    bob.types(" here\r");
    assert_eq!(
        ann.until("<bob>"),
        "<bob> half a line that will not fit here"
    );
}

#[test]
fn tab_completes_commands_and_names() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("annabella");
    let mut bob = Tty::start(&mut chat(server.address()), 80);
    bob.arrives();
    ann.until("bob joined");
    bob.types("/hi\t");
    bob.until_ends_with(&["<bob> /history"]);
    bob.types("\x15/msg anna\t");
    bob.until_ends_with(&["<bob> /msg annabella"]);
    bob.types("psst\r");
    assert_eq!(ann.until("psst"), "[bob] psst");
}

#[test]
fn several_lines_that_are_pasted_are_asked_back() {
    let paste = "\x1b[200~one\ntwo\nthree\x1b[201~\r";
    let (_server, mut ann, mut bob) = room(80);
    bob.types(paste);
    bob.until_ends_with(&["send 3 lines? [y/N]"]);
    bob.types("n\r");
    bob.until(|lines| count(lines, "* 3 lines not sent") == 1);
    bob.types("nothing yet\r");
    assert_eq!(ann.until("<bob>"), "<bob> nothing yet");
    bob.types(paste);
    bob.until_ends_with(&["send 3 lines? [y/N]"]);
    bob.types("y\r");
    for line in ["<bob> one", "<bob> two", "<bob> three"] {
        assert_eq!(ann.until("<bob>"), line);
    }
}

/// Forwards to a server, unless it is cut.
struct Cable {
    address: SocketAddr,
    /// `None` while it is cut.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Cable {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = Arc::clone(&streams);
        // The thread ends with the test process: accept(2) has no other end.
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("a connection");
                let mut streams = shared.lock().expect("no panic");
                let Some(streams) = streams.as_mut() else {
                    continue;
                };
                let far = TcpStream::connect(server).expect("the server listens");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let mut from = from.try_clone().expect("a handle");
                    let mut to = to.try_clone().expect("a handle");
                    thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
                streams.extend([near, far]);
            }
        });
        Self { address, streams }
    }

    fn cut(&self) {
        for stream in self
            .streams
            .lock()
            .expect("no panic")
            .take()
            .expect("whole")
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        *self.streams.lock().expect("no panic") = Some(Vec::new());
    }
}

#[test]
fn a_lost_connection_is_said_once_and_loses_nothing() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let cable = Cable::to(server.socket_address());
    let mut bob = Tty::start(&mut chat(&cable.address.to_string()), 100);
    bob.arrives();
    ann.until("bob joined");
    bob.types("half a line");
    bob.until_ends_with(&["<bob> half a line"]);
    cable.cut();
    bob.until(|lines| count(lines, "lost the connection") == 1);
    bob.until_ends_with(&["<bob> half a line"]);
    bob.types(" and the rest\r");
    bob.until(|lines| count(lines, "1 line waits") == 1);
    ann.types("one\ntwo\n/ping\n");
    ann.until("pong");
    cable.mend();
    assert_eq!(ann.until("<bob>"), "<bob> half a line and the rest");
    let lines = bob.until(|lines| {
        count(lines, "<ann> two") == 1 && lines.last().is_some_and(|line| line == "<bob>")
    });
    let unread = lines
        .iter()
        .position(|line| line == "--- 2 unread while disconnected ---");
    let unread = unread.expect("it is marked");
    assert_eq!(lines[unread + 1..][..2], ["<ann> one", "<ann> two"]);
    assert_eq!(count(&lines, "lost the connection"), 1);
    assert_eq!(count(&lines, "connected again"), 1);
    assert_eq!(count(&lines, "half a line and the rest"), 1);
}

/// The settings that a line editor changes.
fn modes(settings: &Termios) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        settings.input_modes, settings.output_modes, settings.control_modes, settings.local_modes
    )
}

#[test]
fn ctrl_d_leaves_with_success_and_the_terminal_as_it_was() {
    let server = Server::start(&[]);
    let mut ann = server.nc().called("ann");
    let mut bob = Tty::start(&mut chat(server.address()), 80);
    bob.arrives();
    bob.types("bye\r");
    ann.until("<bob> bye");
    bob.until_ends_with(&["<bob> bye", "<bob>"]);
    let while_typing = modes(&bob.settings());
    bob.types("\x04");
    assert_eq!(bob.ends(), 0);
    let after = modes(&bob.settings());
    assert_ne!(after, while_typing);
    assert_eq!(after, fresh_settings());
    assert!(!bob.screen.screen().bracketed_paste());
    assert!(ann.until("left").contains("bob"));
}

#[test]
fn a_signal_gives_the_terminal_back_though_a_line_is_half_typed() {
    let (_server, _ann, mut bob) = room(80);
    bob.types("half a li");
    bob.until_ends_with(&["<bob> half a li"]);
    bob.signal(Signal::TERM);
    assert_eq!(bob.ends(), 143);
    assert_eq!(modes(&bob.settings()), fresh_settings());
    assert!(!bob.screen.screen().bracketed_paste());
}

/// The settings of a terminal that nobody has used.
fn fresh_settings() -> String {
    let idle = Tty::start(Command::new("cat").stdin(Stdio::null()), 80);
    modes(&idle.settings())
}

#[test]
fn what_a_peer_sends_never_reaches_the_terminal_raw() {
    let (_server, mut ann, mut bob) = room(80);
    ann.types("a\x1b[2Jb\x1b]52;c;AAAA\x07c\u{9b}31md\u{202e}e\x08\x0e\n");
    bob.until(|lines| count(lines, r"a\x1b[2Jb\x1b]52;c;AAAA\x07c") == 1);
    bob.arrives();
    let printed = String::from_utf8(bob.raw.clone()).expect("UTF-8");
    for (at, _) in printed.match_indices('\x1b') {
        let sequence = &printed[at + 1..];
        let end = sequence[1..]
            .find(|c: char| !c.is_ascii_digit() && c != ';' && c != '?')
            .map_or(sequence.len(), |end| end + 2);
        let sequence = &sequence[..end];
        // Colours, erasing, moving; bracketed paste and synchronised output.
        let ours = sequence.starts_with('[') && sequence.ends_with(['m', 'K', 'J', 'A', 'B', 'C'])
            || ["[?2004h", "[?2004l", "[?2026h", "[?2026l"].contains(&sequence);
        assert!(ours && sequence != "[2J", "{sequence:?} in {printed:?}");
    }
    let strange = |c: char| c.is_control() && !matches!(c, '\x1b' | '\r' | '\n');
    assert!(!printed.contains(strange), "{printed:?}");
    assert!(!printed.contains('\u{202e}'), "{printed:?}");
}

#[test]
fn no_color_is_obeyed() {
    let sgr = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a pattern");
    for (variable, coloured) in [("NO_COLOR", false), ("SOMETHING_ELSE", true)] {
        let server = Server::start(&[]);
        let mut ann = server.nc().called("ann");
        let mut bob = Tty::start(chat(server.address()).env(variable, "1"), 80);
        bob.arrives();
        ann.until("bob joined");
        ann.types("hello\n");
        bob.until_ends_with(&["<ann> hello", "<bob>"]);
        let printed = String::from_utf8_lossy(&bob.raw).into_owned();
        assert_eq!(sgr.is_match(&printed), coloured, "{printed:?}");
    }
}

/// A server with a certificate of its own, and where it and the client remember things.
fn secure_server(command: &str) -> (Running, String, String, tempfile::TempDir) {
    let state = tempfile::tempdir().expect("a directory");
    let arguments = [command, "tls://127.0.0.1:0", "--self-signed", "--ephemeral"];
    let run = Running::start(&mut sockkit(&arguments));
    let line = run.stderr.until("the certificate is ");
    let (_, fingerprint) = line.split_once("the certificate is ").expect("one");
    let fingerprint = fingerprint.to_string();
    let line = run.stderr.until("listening on ");
    let (_, address) = line.split_once("listening on ").expect("a ready line");
    let address = address.to_string();
    (run, address, fingerprint, state)
}

fn secure_chat(address: &str, state: &tempfile::TempDir) -> Command {
    let mut command = chat(address);
    command.env("XDG_STATE_HOME", state.path());
    command
}

#[test]
fn a_new_server_is_shown_asked_about_and_then_known() {
    let (_server, address, fingerprint, state) = secure_server("serve-chat");
    let mut bob = Tty::start(&mut secure_chat(&address, &state), 200);
    // What is to be known comes above the question, and may come a moment after it.
    let shown = bob.until(|lines| {
        count(lines, &fingerprint) > 0
            && lines
                .last()
                .is_some_and(|line| line.starts_with("trust it from now on? [y/N]"))
    });
    assert_eq!(count(&shown, &fingerprint), 1, "{shown:#?}");
    bob.types("y\r");
    bob.arrives();
    bob.types("/quit\r");
    assert_eq!(bob.ends(), 0);
    // The next time nobody is asked.
    let mut bob = Tty::start(&mut secure_chat(&address, &state), 200);
    let lines = bob.until(|lines| lines.last().is_some_and(|line| line == "<bob>"));
    assert_eq!(count(&lines, "trust it"), 0);
    bob.types("/quit\r");
    assert_eq!(bob.ends(), 0);
    // Another one at the same place is refused, whoever sits there.
    let known = state.path().join("sockkit").join("known_servers");
    let text = std::fs::read_to_string(&known).expect("read");
    let other = text.replace(&fingerprint, &format!("sha256:{}", "1".repeat(64)));
    std::fs::write(&known, other).expect("written");
    let mut bob = Tty::start(&mut secure_chat(&address, &state), 200);
    assert_eq!(bob.ends(), 5);
    assert_eq!(count(&bob.lines(), "HAS CHANGED"), 1);
}

#[test]
fn a_new_server_that_is_not_trusted_is_left_and_forgotten() {
    for answer in ["\r", "n\r", "\x03", "\x04"] {
        let (_server, address, _, state) = secure_server("serve-chat");
        let mut bob = Tty::start(&mut secure_chat(&address, &state), 200);
        bob.until(|lines| {
            lines
                .last()
                .is_some_and(|line| line.starts_with("trust it from now on? [y/N]"))
        });
        bob.types(answer);
        assert_eq!(bob.ends(), 5, "{answer:?}");
        assert!(!state.path().join("sockkit").exists(), "{answer:?}");
    }
}

/// Somebody listens with a code, and who fetches types it: the first time a wrong one. What is asked is asked at the
/// terminal itself, so that it has to be the program's own: setsid(1) of util-linux makes it that.
#[cfg(target_os = "linux")]
#[test]
fn a_code_is_asked_for_and_typed_without_being_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let (source, target) = (dir.path().join("file"), dir.path().join("to"));
    std::fs::write(&source, "what is sent").expect("written");
    std::fs::create_dir(&target).expect("a directory");
    let (source, target) = (text(&source), text(&target));
    let mut command = sockkit(&["send-file", "--listen", "127.0.0.1:0", source]);
    command.env("SOCKKIT_CODE", "42-abacus-acorn-zebra");
    let mut sender = Running::start(&mut command);
    let line = sender.stderr.until("listening on tcp://");
    let (_, address) = line.split_once("tcp://").expect("an address");
    let address = address.split(' ').next().expect("an address");
    let fetch = ["recv-file", "--connect", address, "-d", target];
    for (typed, status) in [("41-abacus-acorn-zebra", 5), ("42-abacus-acorn-zebra", 0)] {
        let mut command = with_terminal_of_its_own(&sockkit(&fetch));
        let mut terminal = Tty::start(&mut command, 200);
        let lines =
            terminal.until(|lines| lines.last().is_some_and(|line| line.ends_with("code:")));
        assert_eq!(count(&lines, "code:"), 1, "{lines:#?}");
        // With the question on the screen it is too late to hide anything.
        let modes = terminal.settings().local_modes;
        assert!(!modes.contains(rustix::termios::LocalModes::ECHO));
        terminal.types(&format!("{typed}\n"));
        assert_eq!(terminal.ends(), status, "{:#?}", terminal.lines());
        let printed = String::from_utf8_lossy(&terminal.raw).into_owned();
        assert!(!printed.contains("abacus"), "{printed}");
        let modes = terminal.settings().local_modes;
        assert!(modes.contains(rustix::termios::LocalModes::ECHO));
    }
    let arrived = std::fs::read(dir.path().join("to").join("file")).expect("it is there");
    assert_eq!(arrived, b"what is sent");
    assert_eq!(sender.ends(), 0);
}

/// Whoever thinks better of it has a terminal that shows what is typed.
#[cfg(target_os = "linux")]
#[test]
fn a_question_for_the_code_that_is_not_answered_leaves_the_terminal_as_it_was() {
    let send = ["send-file", "127.0.0.1:1", "/dev/null"];
    // Ctrl-C, Ctrl-D, and a signal from elsewhere.
    for (keys, signal, status) in [
        ("41-aba\x03", None, 130),
        ("\x04", None, 2),
        ("41-aba", Some(Signal::TERM), 143),
    ] {
        let mut command = with_terminal_of_its_own(&sockkit(&send));
        let mut terminal = Tty::start(&mut command, 200);
        let before = terminal.settings();
        terminal.until(|lines| lines.last().is_some_and(|line| line.ends_with("code:")));
        terminal.types(keys);
        if let Some(signal) = signal {
            terminal.signal(signal);
        }
        assert_eq!(terminal.ends(), status, "{keys:?}: {:#?}", terminal.lines());
        let after = terminal.settings();
        assert_eq!(after.local_modes, before.local_modes, "{keys:?}");
        assert_eq!(after.input_modes, before.input_modes, "{keys:?}");
    }
}

#[cfg(target_os = "linux")]
fn with_terminal_of_its_own(command: &Command) -> Command {
    let mut wrapped = Command::new("setsid");
    wrapped.args(["--ctty", "--wait"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    if let Some(path) = std::env::var_os("PATH") {
        wrapped.env("PATH", path);
    }
    wrapped
}

#[test]
fn ping_asks_about_a_new_server_once_and_its_report_fits_a_narrow_screen() {
    let (_server, address, fingerprint, state) = secure_server("echo");
    let ping = || {
        let mut command = sockkit(&["ping", &address, "-c", "3", "-i", "1ms", "-q"]);
        command.env("XDG_STATE_HOME", state.path());
        Tty::start(&mut command, 40)
    };
    let question = |lines: &[String]| {
        lines
            .last()
            .is_some_and(|line| line.starts_with("sockkit: trust it from now on? [y/N]"))
    };
    for answer in ["\r", "n\r", "\x04"] {
        let mut terminal = ping();
        let lines = terminal.until(question);
        assert!(lines.concat().contains(&fingerprint), "{lines:#?}");
        terminal.types(answer);
        assert_eq!(terminal.ends(), 5, "{answer:?}");
        assert!(!state.path().join("sockkit").exists(), "{answer:?}");
    }
    let mut terminal = ping();
    terminal.until(question);
    terminal.types("y\r");
    assert_eq!(terminal.ends(), 0);
    let mut again = ping();
    assert_eq!(again.ends(), 0);
    let lines = again.lines();
    assert_eq!(count(&lines, "trust it"), 0, "{lines:#?}");
    assert_eq!(count(&lines, "3 received,"), 1, "{lines:#?}");
    assert_eq!(count(&lines, ", TLS "), 1, "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 40),
        "{lines:#?}"
    );
}

#[test]
fn a_transfer_is_shown_while_it_runs_and_leaves_one_line() {
    const LEN: usize = 4 << 20;
    for (colour, coloured) in [("auto", true), ("never", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder
            .path()
            .join("a name that is longer than there is room for.bin");
        std::fs::write(&source, Seeded(1).bytes(LEN)).expect("a file");
        let target = folder.path().join("to");
        std::fs::create_dir(&target).expect("a folder");
        let mut command = sockkit(&["recv-file", "127.0.0.1:0", "--plain", "--no-fsync", "-d"]);
        command.arg(&target);
        let mut receiver = Server::from_command(&mut command, 1);
        // Until the screen is drawn in the middle of it.
        let fault = Fault::Up(LEN / 2, Harm::Hold);
        let proxy = Proxy::faulty(receiver.socket_address(), vec![fault]);
        let mut command = sockkit(&["send-file", "--plain", "--color", colour]);
        command.arg(proxy.address.to_string()).arg(&source);
        let mut terminal = Tty::start(command.env("TERM", "xterm-256color"), 40);
        // A screen may be looked at while it is half drawn.
        let lines = terminal.until(|lines| {
            let bar = lines
                .iter()
                .position(|line| line.contains("[#") && line.contains('%'));
            bar.is_some_and(|bar| lines[bar..].concat().contains("sending"))
        });
        let bar = lines.iter().position(|line| line.contains("[#"));
        let bar = bar.expect("a bar");
        assert!(lines[bar].starts_with('…'), "{lines:#?}");
        // A line that is filled up to the edge runs on into the next.
        assert!(lines[bar..].concat().contains("sending"), "{lines:#?}");
        proxy.release();
        assert_eq!(terminal.ends(), 0);
        assert_eq!(receiver.run.ends(), 0);
        let lines = terminal.lines();
        // What is longer than the terminal is wrapped by it.
        let text = lines.concat();
        assert!(
            text.starts_with("sockkit: 1 stored; 4.00 MiB sent in "),
            "{lines:#?}"
        );
        assert!(!text.contains('%'), "{lines:#?}");
        let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
        assert_eq!(raw.contains("\x1b[36m"), coloured, "{raw:?}");
    }
}
