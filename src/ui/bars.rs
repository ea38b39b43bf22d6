//! Lines that stay at the bottom of the terminal on stderr, while others are written above them.
//!
//! Whoever has a [`Bars`] writes to stderr by it alone: what others write meanwhile would be torn.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use terminal_size::{Width, terminal_size_of};

/// How wide a terminal is that does not say it.
const COLUMNS: usize = 80;

/// How often the screen is drawn at most, a second.
const HERTZ: u8 = 10;

/// Lines on the screen.
#[derive(Debug)]
pub struct Bars {
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    colours: bool,
}

impl Bars {
    /// No line yet.
    pub(super) fn new(colours: bool) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(HERTZ);
        Self {
            screen: MultiProgress::with_draw_target(target),
            lines: Vec::new(),
            colours,
        }
    }

    /// Whether colours are wanted.
    pub fn colours(&self) -> bool {
        self.colours
    }

    /// How wide the terminal is now.
    pub fn columns(&self) -> usize {
        match terminal_size_of(std::io::stderr()) {
            Some((Width(columns), _)) if columns > 0 => columns.into(),
            _ => COLUMNS,
        }
    }

    /// Shows these lines instead of those before. They are safe to look at and fit.
    pub fn show(&mut self, lines: &[String]) {
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                line.finish_and_clear();
                self.screen.remove(&line);
            }
        }
        while self.lines.len() < lines.len() {
            let line = ProgressBar::no_length();
            // A constant without a mistake in it; and without it a spinner would stand there.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                line.set_style(style);
            }
            self.lines.push(self.screen.add(line));
        }
        for (line, text) in self.lines.iter().zip(lines) {
            line.set_message(text.clone());
        }
    }

    /// Has something written to stderr, above the lines.
    pub fn above(&self, write: impl FnOnce()) {
        self.screen.suspend(write);
    }

    /// Takes all lines away.
    pub fn clear(&mut self) {
        self.show(&[]);
        // Where that fails there is nobody left to see them.
        let _ = self.screen.clear();
    }
}
