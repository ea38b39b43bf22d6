//! What a script waits for.

use regex::Regex;

/// When the client is done.
#[derive(Debug, Clone, Default)]
pub struct Goal {
    /// Only words that match count.
    pub expect: Option<Regex>,
    /// So many have to come. With `expect` and without this it is one.
    pub count: Option<u64>,
    /// Without the two above: the end of the input is not the end.
    pub follow: bool,
    /// What was said before the client came counts too.
    pub earlier: bool,
}

impl Goal {
    /// How many words of others have to come; `None` where that decides nothing.
    pub fn target(&self) -> Option<u64> {
        self.count.or(self.expect.as_ref().map(|_| 1))
    }

    /// Whether a text counts, and what of it matched where only a part has to.
    pub(in crate::chat::client) fn judge(&self, text: &str) -> Verdict {
        match &self.expect {
            None => Verdict::Counts(None),
            Some(expect) => match expect.find(text) {
                Some(found) => Verdict::Counts(Some(found.as_str().to_string())),
                None => Verdict::Passes,
            },
        }
    }
}

/// What a goal says of a text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::chat::client) enum Verdict {
    /// It counts. The part that matched, if there is something to match.
    Counts(Option<String>),
    /// It does not.
    Passes,
}

/// How far the goal is.
#[derive(Debug)]
pub(in crate::chat::client) struct Progress {
    left: Option<u64>,
}

impl Progress {
    pub(in crate::chat::client) fn new(goal: &Goal) -> Self {
        Self {
            left: goal.target(),
        }
    }

    /// One more that counts.
    pub(in crate::chat::client) fn advance(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    pub(in crate::chat::client) fn is_reached(&self) -> bool {
        self.left == Some(0)
    }

    pub(in crate::chat::client) fn is_set(&self) -> bool {
        self.left.is_some()
    }
}
