//! The entries beneath the arguments: lazily, in the order of their names' bytes, a directory before what is in it.
//!
//! Memory: the names of the directories on the way down, one byte and four more for each byte and name. A directory
//! of a million files takes about 30 MB, a tree of a million in many directories next to nothing.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::core::sanitise::sanitise_str;
use crate::error::IoReason;
use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::path::PeerPath;
use crate::transfer::source::Links;
use crate::transfer::source::arguments::name_of;
use crate::transfer::source::globs::Globs;
use crate::transfer::source::open::{Identity, allocated, identity};
use crate::transfer::store::naming::is_reserved;

/// What is walked over and how.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// Symbolic links beneath the arguments.
    pub links: Links,
    /// What is left out.
    pub globs: Globs,
    /// Does not descend into other file systems; their mount points are sent as empty directories.
    pub one_file_system: bool,
    /// Sends partial files that an interrupted transfer left, too.
    pub partials: bool,
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is offered.
    pub entry: Entry,
    /// Where it is here.
    pub source: PathBuf,
    /// It was reached by following a link, and is to be opened so.
    pub followed: bool,
    /// The version that was seen.
    pub identity: Identity,
    /// The bytes that it occupies.
    pub allocated: u64,
}

/// Why something is not sent.
#[derive(Debug)]
pub enum ProblemKind {
    /// The system said no.
    System(io::Error),
    /// A FIFO, socket or device. A warning: nobody expects them to be sent.
    Special,
    /// A symbolic link, with [`Links::Skip`]. A warning.
    LinkSkipped,
    /// A link that leads back to a directory above.
    Loop,
    /// A name that the protocol does not carry.
    BadName,
    /// Two different arguments would arrive under one name.
    SameName,
    /// A partial file of an interrupted transfer. A warning.
    Partial,
}

/// Something that is not sent, and why. The walk goes on.
#[derive(Debug)]
pub struct Problem {
    /// Where it is.
    pub source: PathBuf,
    /// Why.
    pub kind: ProblemKind,
}

impl Problem {
    /// Whether it was left out on purpose, so that the transfer is complete without it.
    pub fn is_warning(&self) -> bool {
        matches!(
            self.kind,
            ProblemKind::Special | ProblemKind::LinkSkipped | ProblemKind::Partial
        )
    }

    /// Why, without saying of what.
    pub fn why(&self) -> String {
        match &self.kind {
            ProblemKind::System(error) => IoReason(error).to_string(),
            ProblemKind::Special => "a fifo, socket or device".to_string(),
            ProblemKind::LinkSkipped => "a symbolic link".to_string(),
            ProblemKind::Loop => "the link leads in a circle".to_string(),
            ProblemKind::BadName => "no receiver takes that name".to_string(),
            ProblemKind::SameName => "another path has the same name".to_string(),
            ProblemKind::Partial => "a partial file".to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.source.to_string_lossy();
        let path = sanitise_str(&path);
        let what = match &self.kind {
            ProblemKind::System(_) => "cannot read",
            ProblemKind::Loop | ProblemKind::BadName | ProblemKind::SameName => "cannot send",
            ProblemKind::Special | ProblemKind::LinkSkipped | ProblemKind::Partial => "left out",
        };
        write!(f, "{what} {path}: {}", self.why())
    }
}

impl std::error::Error for Problem {}

/// The walk.
#[derive(Debug)]
pub struct Walk {
    options: WalkOptions,
    arguments: std::vec::IntoIter<PathBuf>,
    /// With several arguments: the outermost names that they have taken, and which file that was.
    taken: Option<HashMap<Vec<u8>, (u64, u64)>>,
    stack: Vec<Level>,
    /// What is to be said before the walk goes on.
    ready: VecDeque<Result<Found, Problem>>,
}

/// A directory on the way down.
#[derive(Debug)]
struct Level {
    source: PathBuf,
    components: Vec<Vec<u8>>,
    names: Names,
    device: u64,
    id: (u64, u64),
    /// The directory's own entry, while it is sent only for something in it.
    pending: Option<Box<Found>>,
}

impl Walk {
    /// Begins; nothing is read yet.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>, options: WalkOptions) -> Self {
        let arguments: Vec<PathBuf> = paths.into_iter().collect();
        Self {
            options,
            taken: (arguments.len() > 1).then(HashMap::new),
            arguments: arguments.into_iter(),
            stack: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    fn say(&mut self, source: PathBuf, kind: ProblemKind) {
        self.ready.push_back(Err(Problem { source, kind }));
    }

    fn argument(&mut self, path: PathBuf) {
        // An argument that is a link is followed: who names it means what is there.
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return self.say(path, ProblemKind::System(error)),
        };
        let Some(name) = name_of(&path) else {
            if !metadata.is_dir() {
                let error = io::ErrorKind::NotADirectory;
                return self.say(path, ProblemKind::System(error.into()));
            }
            return self.enter(path, Vec::new(), &metadata, None);
        };
        let Some(name) = name_bytes(name) else {
            return self.say(path, ProblemKind::BadName);
        };
        self.visit(path, vec![name], Some(metadata));
    }

    /// Looks at one name. `argument` has what is known of it if the user named it.
    fn visit(&mut self, source: PathBuf, components: Vec<Vec<u8>>, argument: Option<Metadata>) {
        let is_argument = argument.is_some();
        let known = match argument {
            Some(metadata) => Ok(metadata),
            None => std::fs::symlink_metadata(&source),
        };
        let mut metadata = match known {
            Ok(metadata) => metadata,
            Err(error) => return self.say(source, ProblemKind::System(error)),
        };
        let is_link = metadata.is_symlink();
        if is_link && self.options.links == Links::Follow {
            metadata = match std::fs::metadata(&source) {
                Ok(metadata) => metadata,
                Err(error) => return self.say(source, ProblemKind::System(error)),
            };
        }
        let is_directory = metadata.is_dir();
        if self.options.globs.excludes(&components, is_directory) {
            return;
        }
        let is_sent = self.options.globs.includes(&components, is_directory);
        if !is_sent && !is_directory {
            return;
        }
        let name = components.last().map_or(&[][..], Vec::as_slice);
        if !self.options.partials && !is_argument && is_reserved(name) {
            return self.say(source, ProblemKind::Partial);
        }
        if components.len() == 1
            && let Some(taken) = &mut self.taken
        {
            let id = same_as(&source, &metadata);
            match taken.insert(name.to_vec(), id) {
                None => {}
                Some(earlier) if earlier == id => return,
                Some(earlier) => {
                    taken.insert(name.to_vec(), earlier);
                    return self.say(source, ProblemKind::SameName);
                }
            }
        }
        let kind = if is_directory {
            EntryKind::Directory
        } else if metadata.is_file() {
            EntryKind::File {
                size: Some(metadata.len()),
            }
        } else if metadata.is_symlink() {
            if self.options.links == Links::Skip {
                return self.say(source, ProblemKind::LinkSkipped);
            }
            match std::fs::read_link(&source) {
                Ok(target) => match name_bytes(target.as_os_str()) {
                    Some(target) => EntryKind::Symlink {
                        target: with_slashes(target).into(),
                    },
                    None => return self.say(source, ProblemKind::BadName),
                },
                Err(error) => return self.say(source, ProblemKind::System(error)),
            }
        } else {
            return self.say(source, ProblemKind::Special);
        };
        // Without links followed there are no circles. On Windows, where nothing tells one directory from another,
        // they end at the longest path.
        let id = identity(&metadata).id;
        if is_directory
            && self.options.links == Links::Follow
            && id != (0, 0)
            && self.stack.iter().any(|level| level.id == id)
        {
            return self.say(source, ProblemKind::Loop);
        }
        let Ok(path) = PeerPath::from_components(components.iter().cloned()) else {
            return self.say(source, ProblemKind::BadName);
        };
        let seen = identity(&metadata);
        let entry = Entry {
            path,
            kind,
            modified: seen.modified,
            mode: mode(&metadata),
        };
        let found = Found {
            entry,
            source: source.clone(),
            followed: is_argument || is_link,
            identity: seen,
            allocated: allocated(&metadata),
        };
        if !is_directory {
            self.release();
            self.ready.push_back(Ok(found));
            return;
        }
        let pending = if is_sent {
            self.release();
            self.ready.push_back(Ok(found));
            None
        } else {
            Some(Box::new(found))
        };
        self.enter(source, components, &metadata, pending);
    }

    /// Says the directories that were held back until something in them is sent.
    fn release(&mut self) {
        for level in &mut self.stack {
            if let Some(found) = level.pending.take() {
                self.ready.push_back(Ok(*found));
            }
        }
    }

    fn enter(
        &mut self,
        source: PathBuf,
        components: Vec<Vec<u8>>,
        metadata: &Metadata,
        pending: Option<Box<Found>>,
    ) {
        let id = identity(metadata).id;
        let above = self.stack.last().map(|level| level.device);
        if self.options.one_file_system && above.is_some_and(|above| above != id.0) {
            return;
        }
        let mut names = Names::default();
        let listing = match std::fs::read_dir(&source) {
            Ok(listing) => listing,
            Err(error) => return self.say(source, ProblemKind::System(error)),
        };
        for item in listing {
            match item {
                Ok(item) => match name_bytes(&item.file_name()) {
                    Some(name) if names.push(&name) => {}
                    _ => self.say(item.path(), ProblemKind::BadName),
                },
                Err(error) => {
                    self.say(source.clone(), ProblemKind::System(error));
                    break;
                }
            }
        }
        names.sort();
        self.stack.push(Level {
            source,
            components,
            names,
            device: id.0,
            id,
            pending,
        });
    }
}

impl Iterator for Walk {
    type Item = Result<Found, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let Some(level) = self.stack.last_mut() else {
                let path = self.arguments.next()?;
                self.argument(path);
                continue;
            };
            let Some(name) = level.names.next() else {
                self.stack.pop();
                continue;
            };
            let source = level.source.join(os_name(name));
            let mut components = level.components.clone();
            components.push(name.to_vec());
            self.visit(source, components, None);
        }
    }
}

/// The names in a directory, packed: a `Vec<OsString>` would take three to five times the memory.
#[derive(Debug, Default)]
struct Names {
    /// Each name behind its length in two bytes.
    bytes: Vec<u8>,
    starts: Vec<u32>,
    next: usize,
}

impl Names {
    /// `false`: there is no room for another (4 GiB of names), or the name is longer than any system has.
    fn push(&mut self, name: &[u8]) -> bool {
        let (Ok(start), Ok(len)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len()))
        else {
            return false;
        };
        self.starts.push(start);
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(name);
        true
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.starts
            .sort_unstable_by(|&a, &b| name_at(bytes, a).cmp(name_at(bytes, b)));
    }

    fn next(&mut self) -> Option<&[u8]> {
        let start = *self.starts.get(self.next)?;
        self.next += 1;
        Some(name_at(&self.bytes, start))
    }
}

fn name_at(bytes: &[u8], start: u32) -> &[u8] {
    let rest = bytes.get(start as usize..).unwrap_or_default();
    match rest.split_first_chunk() {
        Some((len, rest)) => rest
            .get(..usize::from(u16::from_le_bytes(*len)))
            .unwrap_or_default(),
        None => &[],
    }
}

/// By what it is known that two paths lead to one file.
#[cfg(unix)]
fn same_as(_source: &Path, metadata: &Metadata) -> (u64, u64) {
    identity(metadata).id
}

/// std tells no file number: the canonical path stands for the file.
#[cfg(not(unix))]
fn same_as(source: &Path, _metadata: &Metadata) -> (u64, u64) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    source.canonicalize().ok().hash(&mut hasher);
    (0, hasher.finish())
}

/// A name as the protocol has it. `None`: not valid Unicode, on Windows.
#[cfg(unix)]
fn name_bytes(name: &OsStr) -> Option<Vec<u8>> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec())
}

#[cfg(not(unix))]
fn name_bytes(name: &OsStr) -> Option<Vec<u8>> {
    Some(name.to_str()?.as_bytes().to_vec())
}

/// The target of a link as other systems read it.
fn with_slashes(mut target: Vec<u8>) -> Vec<u8> {
    if cfg!(windows) {
        for byte in target.iter_mut().filter(|byte| **byte == b'\\') {
            *byte = b'/';
        }
    }
    target
}

#[cfg(unix)]
fn os_name(name: &[u8]) -> &Path {
    Path::new(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name))
}

#[cfg(not(unix))]
fn os_name(name: &[u8]) -> &Path {
    // `name_bytes` made it from a str.
    Path::new(std::str::from_utf8(name).unwrap_or_default())
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

/// What Windows files would have on Unix.
#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    match (metadata.is_dir(), metadata.permissions().readonly()) {
        (true, _) => 0o755,
        (false, true) => 0o444,
        (false, false) => 0o644,
    }
}
