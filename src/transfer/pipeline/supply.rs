//! What a run has to send, over all its connections: the walk, and by what the driver knows each source.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::sender::Source;
use crate::transfer::source::{Found, Problem, Walk, WalkOptions};

/// The walk is given back after this long with what it has found: the first byte is not to wait for a slow directory.
const PAGE_TIME: Duration = Duration::from_millis(20);

/// An entry and where its content comes from.
#[derive(Debug)]
pub struct Input {
    /// As it is offered.
    pub entry: Arc<Entry>,
    /// Where from.
    pub origin: Origin,
}

/// Where content comes from.
#[derive(Debug)]
pub enum Origin {
    /// What the walk found.
    Found(Box<Found>),
    /// stdin, which can be read once in a run: whether it was begun.
    Stream(AtomicBool),
}

impl Input {
    /// Whether this is a stream of which something was read: it cannot be begun again.
    pub fn is_spent(&self) -> bool {
        matches!(&self.origin, Origin::Stream(begun) if begun.load(Ordering::Relaxed))
    }
}

/// A page of the walk.
#[derive(Debug, Default)]
pub struct Page {
    /// Entries, directories after what is in them.
    pub found: Vec<(Source, Arc<Input>)>,
    /// What is not sent.
    pub problems: Vec<Problem>,
    /// There is no more.
    pub end: bool,
}

struct Walking {
    stream: Option<Entry>,
    walk: Walk,
    /// Directories whose content is still being found, the outermost first.
    above: Vec<Found>,
    /// Found and not yet given out: a deep tree may end all at once.
    ready: VecDeque<Found>,
    has_ended: bool,
    next_key: u64,
    /// Was found when the session that wanted it was over.
    undelivered: Option<Page>,
}

/// The sources of a run.
pub struct Supply {
    walking: Mutex<Walking>,
    has_stream: bool,
}

impl Supply {
    /// `stream`: what stdin is offered as, if it is sent.
    pub fn new(paths: Vec<PathBuf>, options: WalkOptions, stream: Option<Entry>) -> Self {
        Self {
            has_stream: stream.is_some(),
            walking: Mutex::new(Walking {
                stream,
                walk: Walk::new(paths, options),
                above: Vec::new(),
                ready: VecDeque::new(),
                has_ended: false,
                next_key: 0,
                undelivered: None,
            }),
        }
    }

    /// Whether stdin is sent.
    pub fn has_stream(&self) -> bool {
        self.has_stream
    }

    /// The next entries: at least one, or the end. Where it `is_over` by the time that they are found nobody takes them
    /// any more: then they are kept for the next session.
    pub fn page(&self, max: usize, is_over: impl Fn() -> bool) -> Option<Page> {
        let mut walking = self.walking();
        let page = match walking.undelivered.take() {
            Some(page) => page,
            None => walking.page(max),
        };
        if is_over() {
            walking.undelivered = Some(page);
            return None;
        }
        Some(page)
    }

    fn walking(&self) -> MutexGuard<'_, Walking> {
        self.walking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walking {
    fn page(&mut self, max: usize) -> Page {
        let mut page = Page::default();
        let until = Instant::now() + PAGE_TIME;
        if let Some(entry) = self.stream.take() {
            let origin = Origin::Stream(AtomicBool::new(false));
            self.give(&mut page, Arc::new(entry), origin);
        }
        while page.found.len() < max {
            if let Some(found) = self.ready.pop_front() {
                let entry = Arc::new(found.entry.clone());
                self.give(&mut page, entry, Origin::Found(Box::new(found)));
                continue;
            }
            if self.has_ended {
                page.end = true;
                break;
            }
            // A problem is news too: a tree of nothing else must not keep anybody waiting.
            let has_something = !page.found.is_empty() || page.problems.len() >= max;
            if has_something && Instant::now() >= until {
                break;
            }
            match self.walk.next() {
                Some(Ok(found)) => self.found(found),
                Some(Err(problem)) => page.problems.push(problem),
                None => {
                    self.has_ended = true;
                    self.ready.extend(self.above.drain(..).rev());
                }
            }
        }
        page
    }

    /// Holds a directory back until the walk has left it.
    fn found(&mut self, found: Found) {
        while let Some(above) = self.above.last() {
            let above = above.entry.path.as_bytes();
            let path = found.entry.path.as_bytes();
            if path
                .strip_prefix(above)
                .is_some_and(|rest| rest.starts_with(b"/"))
            {
                break;
            }
            self.ready.extend(self.above.pop());
        }
        if matches!(found.entry.kind, EntryKind::Directory) {
            self.above.push(found);
        } else {
            self.ready.push_back(found);
        }
    }

    fn give(&mut self, page: &mut Page, entry: Arc<Entry>, origin: Origin) {
        let key = self.next_key;
        self.next_key += 1;
        let input = Input {
            entry: Arc::clone(&entry),
            origin,
        };
        page.found.push((Source { key, entry }, Arc::new(input)));
    }
}

/// The sources that have no verdict yet, by key.
pub type Inputs = HashMap<u64, Arc<Input>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_after_what_is_in_them_however_small_the_pages() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["t/a/b", "t/c"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for path in ["t/a/b/1", "t/a/2", "t/d"] {
            std::fs::write(dir.path().join(path), path).unwrap();
        }
        for max in [1, 2, 100] {
            let paths = vec![dir.path().join("t")];
            let supply = Supply::new(paths, WalkOptions::default(), None);
            let mut names = Vec::new();
            loop {
                let page = supply.page(max, || false).unwrap();
                assert!(page.found.len() <= max && page.problems.is_empty());
                assert!(page.end || !page.found.is_empty());
                for (source, _) in &page.found {
                    assert_eq!(source.key, names.len() as u64, "keys are given in order");
                    names.push(source.entry.path.to_string());
                }
                if page.end {
                    break;
                }
            }
            let expected = ["t/a/2", "t/a/b/1", "t/a/b", "t/a", "t/c", "t/d", "t"];
            assert_eq!(names, expected, "{max}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("there"), "x").unwrap();
        let paths = vec![dir.path().join("gone"), dir.path().join("there")];
        let page = Supply::new(paths, WalkOptions::default(), None).page(10, || false);
        let page = page.unwrap();
        assert_eq!(page.found.len(), 1);
        assert_eq!(page.problems.len(), 1);
        assert!(page.end);
    }

    #[test]
    fn a_page_that_comes_too_late_is_the_next_sessions() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let paths = ["gone", "a", "b"].map(|name| dir.path().join(name));
        let supply = Supply::new(paths.to_vec(), WalkOptions::default(), None);
        assert!(supply.page(1, || true).is_none());
        assert!(supply.page(1, || true).is_none(), "nor does another get it");
        let (mut names, mut problems) = (Vec::new(), 0);
        loop {
            let page = supply.page(1, || false).unwrap();
            problems += page.problems.len();
            names.extend(page.found.iter().map(|(it, _)| it.entry.path.to_string()));
            if page.end {
                break;
            }
        }
        assert_eq!((names, problems), (vec!["a".into(), "b".into()], 1));
    }
}
