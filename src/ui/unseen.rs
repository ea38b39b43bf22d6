//! Asks for something that is not to be seen while it is typed, at the terminal of the process.
//!
//! On Unix as readpassphrase(3) does it: the echo is off before the question is there, so that nothing of what is typed
//! at once, or was typed ahead, is shown; and a signal that ends the process leaves the terminal as it was. rpassword does
//! neither: it turns the echo off after its question, and Ctrl-C leaves a terminal that shows nothing any more.

use std::io;

use zeroize::Zeroizing;

/// The line that was typed, without its end.
///
/// # Errors
///
/// There is no terminal, or nothing was typed before it ended (Ctrl-D).
#[cfg(unix)]
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    terminal::ask(question)
}

/// As above.
#[cfg(not(unix))]
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(question).map(Zeroizing::new)
}

#[cfg(unix)]
mod terminal {
    use std::ffi::c_int;
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::sync::mpsc;
    use std::thread;

    use rustix::termios::{
        InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;
    use zeroize::Zeroizing;

    /// The longest line of a terminal: N_TTY_BUF_SIZE on Linux, MAX_INPUT (1024) elsewhere.
    const LONGEST_LINE: usize = 4096;

    /// What ends the process while it asks. SIGHUP says that there is no terminal any more.
    const SIGNALS: [c_int; 2] = [SIGINT, SIGTERM];

    enum News {
        Typed(io::Result<Zeroizing<String>>),
        Signal(c_int),
    }

    pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let (tell, news) = mpsc::channel();
        let mut signals = Signals::new(SIGNALS)?;
        let watch = signals.handle();
        let caught = tell.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                // Until it is closed.
                for signal in signals.forever() {
                    let _ = caught.send(News::Signal(signal));
                }
            })?;
        let hidden = Hidden::begin(&terminal)?;
        (&terminal).write_all(question.as_bytes())?;
        let mut keyboard = terminal.try_clone()?;
        // Reading a terminal cannot be interrupted, and macOS cannot wait for one with poll(2): a thread waits, and ends
        // with the process if need be.
        thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || {
                let _ = tell.send(News::Typed(line(&mut keyboard)));
            })?;
        let first = news.recv();
        drop(hidden);
        watch.close();
        match first {
            Ok(News::Typed(line)) => line,
            Ok(News::Signal(signal)) => {
                emulate_default_handler(signal)?;
                Err(io::ErrorKind::Interrupted.into())
            }
            Err(mpsc::RecvError) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// What a terminal gives when a line is complete, or at its end.
    fn line(keyboard: &mut impl Read) -> io::Result<Zeroizing<String>> {
        let mut bytes = Zeroizing::new(vec![0; LONGEST_LINE]);
        let mut filled = 0;
        let end = loop {
            match keyboard.read(&mut bytes[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
                Ok(0) if filled == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => break filled,
                Ok(count) => filled += count,
            }
            if let Some(end) = memchr::memchr(b'\n', &bytes[..filled]) {
                break end;
            }
        };
        let text = std::str::from_utf8(&bytes[..end])
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// As long as it lives the terminal shows nothing that is typed.
    struct Hidden<'a> {
        terminal: &'a File,
        before: Termios,
    }

    impl<'a> Hidden<'a> {
        fn begin(terminal: &'a File) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // Lines, their keys and Ctrl-C, whatever a program before us has left. The line's end is shown, so that what
            // is printed next begins on a line of its own: termios(3).
            hidden
                .local_modes
                .insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
            hidden.input_modes.insert(InputModes::ICRNL);
            // A shell would have the terminal meanwhile, and give it back in another state.
            for stops in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
                hidden.special_codes[stops] = libc::_POSIX_VDISABLE;
            }
            // What was typed ahead stays.
            tcsetattr(terminal, OptionalActions::Now, &hidden)?;
            Ok(Self { terminal, before })
        }
    }

    impl Drop for Hidden<'_> {
        fn drop(&mut self) {
            // A terminal that is gone needs it no more.
            let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Gives its pieces one by one.
        struct Pieces(Vec<&'static [u8]>);

        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.is_empty() {
                    true => Ok(0),
                    false => self.0.remove(0).read(buffer),
                }
            }
        }

        fn typed(pieces: &[&'static [u8]]) -> Result<String, io::ErrorKind> {
            line(&mut Pieces(pieces.to_vec()))
                .map(|line| line.to_string())
                .map_err(|error| error.kind())
        }

        #[test]
        fn a_line_goes_up_to_its_end_or_the_terminals() {
            assert_eq!(typed(&[b"one\n"]).as_deref(), Ok("one"));
            assert_eq!(typed(&[b"on", b"e\ntwo\n"]).as_deref(), Ok("one"));
            assert_eq!(typed(&[b"one"]).as_deref(), Ok("one"));
            assert_eq!(typed(&[b"\n"]).as_deref(), Ok(""));
            assert_eq!(typed(&[]), Err(io::ErrorKind::UnexpectedEof));
            assert_eq!(typed(&[b"\xff\n"]), Err(io::ErrorKind::InvalidData));
        }

        #[test]
        fn a_line_without_end_is_cut() {
            let typed = typed(&[&[b'x'; 3000][..]; 2]);
            assert_eq!(typed.map(|line| line.len()), Ok(LONGEST_LINE));
        }
    }
}
