//! What a worker says, gathered so that one lock and one wake-up carry many words.

use std::sync::Arc;

use crate::transfer::pipeline::inbox::Inbox;

/// Words are passed on at the latest when there are so many: a page of small files must not wait for its last.
const AT_ONCE: usize = 256;

/// A worker's words.
#[derive(Debug)]
pub struct Words<S> {
    inbox: Arc<Inbox<S>>,
    list: Vec<S>,
}

impl<S> Words<S> {
    /// To this inbox.
    pub fn new(inbox: Arc<Inbox<S>>) -> Self {
        Self {
            inbox,
            list: Vec::new(),
        }
    }

    /// Says something soon.
    pub fn say(&mut self, word: S) {
        self.list.push(word);
        if self.list.len() >= AT_ONCE {
            self.flush();
        }
    }

    /// Says everything now.
    pub fn flush(&mut self) {
        if !self.list.is_empty() {
            self.inbox.say(&mut self.list);
        }
    }

    /// The worker has done what it had: whoever waited for that looks again.
    pub fn rest(&mut self) {
        match self.list.is_empty() {
            true => self.inbox.nudge(),
            false => self.flush(),
        }
    }

    /// Where they go, for who says something later.
    pub fn inbox(&self) -> Arc<Inbox<S>> {
        Arc::clone(&self.inbox)
    }
}
