//! The terminal's settings, to be put back when the program ends while the editor still has it: the editor sits
//! in a read on its own thread and cannot be called off.

#[cfg(unix)]
use std::io;
use std::io::Write;

/// Erases the rest of the line with what was being typed, and ends bracketed paste (xterm's private mode 2004).
const GIVE_BACK: &[u8] = b"\r\x1b[J\x1b[?2004l";

/// What the terminal was like.
pub(super) struct Screen {
    #[cfg(unix)]
    settings: Option<rustix::termios::Termios>,
}

impl Screen {
    /// Remembers.
    pub(super) fn save() -> Self {
        Self {
            #[cfg(unix)]
            settings: rustix::termios::tcgetattr(io::stdin()).ok(),
        }
    }

    /// Puts back. On Windows the console's programs set its modes themselves when they get it back.
    pub(super) fn restore(&self) {
        // A terminal that is gone needs nothing.
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(GIVE_BACK).and_then(|()| stdout.flush());
        #[cfg(unix)]
        if let Some(settings) = &self.settings {
            let now = rustix::termios::OptionalActions::Drain;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, settings);
        }
    }
}
