//! Nothing that is typed is shown while a secret is asked for.
//!
//! rpassword prints its question and turns the echo off only then. Who types at once, or has typed ahead, would see
//! the first letters, or all of them.

/// As long as it lives the terminal of this process shows nothing that is typed. Where there is none it does nothing.
#[derive(Debug)]
pub(super) struct Unseen {
    #[cfg(unix)]
    before: Option<(std::fs::File, rustix::termios::Termios)>,
}

impl Unseen {
    /// From now on.
    #[cfg(unix)]
    pub(super) fn begin() -> Self {
        Self {
            before: hide().ok(),
        }
    }

    /// A console's echo is rpassword's business alone.
    #[cfg(not(unix))]
    pub(super) fn begin() -> Self {
        Self {}
    }
}

#[cfg(unix)]
fn hide() -> std::io::Result<(std::fs::File, rustix::termios::Termios)> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let terminal = std::fs::File::open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut hidden = before.clone();
    // The line's end is shown, so that what is printed next begins on a line of its own: termios(3).
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&terminal, OptionalActions::Now, &hidden)?;
    Ok((terminal, before))
}

#[cfg(unix)]
impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some((terminal, before)) = &self.before {
            // A terminal that is gone needs it no more.
            let _ =
                rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, before);
        }
    }
}
