//! `inspect` on terminals of many widths, with the real binary: no line is wider than the screen, and no word is broken
//! that has room in a line.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use unicode_width::UnicodeWidthStr;

use crate::support::sockkit;

/// What a program prints on a terminal of so many columns, until it ends.
#[track_caller]
fn printed(command: &mut Command, columns: u16) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it can be opened");
    let path = ptsname(&master, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(path, flags, Mode::empty()).expect("its other side");
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).expect("a size");
    let mut child = command
        .stdout(Stdio::from(terminal))
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The command has a handle of its own to the other side, which would keep the reader waiting.
    command.stdout(Stdio::null());
    let reader = thread::spawn(move || {
        let mut master = File::from(master);
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        // Ends with an error when the last handle of the other side is closed.
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).expect("text")
    });
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    reader.join().expect("all of it").replace("\r\n", "\n")
}

#[track_caller]
fn inspect(arguments: &[&str], columns: u16) -> String {
    printed(&mut sockkit(&[&["inspect"], arguments].concat()), columns)
}

#[track_caller]
fn check_widths(text: &str, columns: u16, what: &[&str]) {
    for line in text.lines() {
        assert!(
            line.width() <= usize::from(columns),
            "{what:?} at {columns}: {line:?} in\n{text}"
        );
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let pid = std::process::id().to_string();
    let linux: &[&[&str]] = match cfg!(target_os = "linux") {
        true => &[&["--all-sockets"], &["--pid", &pid]],
        false => &[],
    };
    let everywhere: [&[&str]; 12] = [
        &[],
        &["--all"],
        &[&address],
        &["--listen", "127.0.0.1:0", "--all"],
        &["-o", "SO_RCVBUF=64KiB", "-o", "tos=EF"],
        &["--can"],
        &["--profile", "server"],
        &["--diff", "server", "client"],
        &["--explain"],
        &["--explain", "linger"],
        &["--address", "fe80::1%eth0"],
        &["--address", "127.0.0.1"],
    ];
    for arguments in everywhere.iter().chain(linux) {
        for columns in [10, 11, 20, 39, 40, 80, 132, 250] {
            check_widths(&inspect(arguments, columns), columns, arguments);
        }
    }
}

/// Whether a line has this word, whole.
fn has(text: &str, word: &str) -> bool {
    text.lines()
        .flat_map(|line| line.split([' ', '│', '┆']))
        .any(|found| found == word)
}

#[test]
fn names_are_whole_on_a_usual_terminal() {
    for columns in [80, 40, 20] {
        let text = inspect(&[], columns);
        for word in ["SO_BROADCAST", "TCP_KEEPIDLE", "unix-datagram", "64"] {
            assert!(has(&text, word), "{word} at {columns} in\n{text}");
        }
        // What means nothing for a socket is left out where each value has a line of its own.
        let dashes = text.lines().filter(|line| line.trim() == "-").count();
        assert!(columns == 80 || dashes == 0, "{text}");
    }
    let text = inspect(&["--explain"], 80);
    for word in ["TCP_DEFER_ACCEPT", "SO_ATTACH_REUSEPORT_CBPF", "DragonFly"] {
        assert!(has(&text, word), "{word} in\n{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn addresses_in_a_list_of_sockets_are_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let pid = std::process::id().to_string();
    for columns in [80, 40, 24] {
        for arguments in [&["--all-sockets"][..], &["--pid", &pid]] {
            let text = inspect(arguments, columns);
            assert!(has(&text, &address), "{address} at {columns} in\n{text}");
        }
    }
}

#[test]
fn a_long_name_is_broken_where_it_has_a_mark() {
    if cfg!(target_os = "linux") {
        let text = inspect(&[], 40);
        assert!(
            text.contains("\nnet.ipv4.tcp_available_congestion_\ncontrol\n"),
            "{text}"
        );
    }
}

#[test]
fn titles_stand_out_where_colours_are_wanted() {
    let bold = "\x1b[1m";
    let run = |environment: (&str, &str), more: &[&str]| {
        let arguments = [&["inspect", "--profile", "server"], more].concat();
        let mut command = sockkit(&arguments);
        command
            .env("TERM", "xterm")
            .env(environment.0, environment.1);
        printed(&mut command, 80)
    };
    assert!(run(("LANG", "C"), &[]).contains("\x1b[1mOptions\x1b[0m\n"));
    assert!(!run(("NO_COLOR", "1"), &[]).contains(bold));
    assert!(run(("NO_COLOR", "1"), &["--color", "always"]).contains(bold));
    assert!(!run(("LANG", "C"), &["--color", "never"]).contains(bold));
}
