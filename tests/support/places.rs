//! A file to send and a directory to receive it into.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::{Running, Server, sockkit};

/// What is compared and sent as a whole.
pub const CHUNK: usize = 1 << 20;

/// A source and a target directory, with one file in the source.
pub struct Places {
    pub folder: tempfile::TempDir,
    pub content: Vec<u8>,
}

/// The file's name.
pub const NAME: &str = "data.bin";

/// A folder with one to send from and one to receive into.
pub fn from_and_to() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for place in ["from", "to"] {
        fs::create_dir(folder.path().join(place)).expect("a folder");
    }
    folder
}

impl Places {
    pub fn with(content: Vec<u8>) -> Self {
        let folder = from_and_to();
        let places = Self { folder, content };
        fs::write(places.source(), &places.content).expect("a file");
        places
    }

    pub fn source(&self) -> PathBuf {
        self.folder.path().join("from").join(NAME)
    }

    pub fn to(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    /// The names in the target directory, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.to())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Bytes in chunks of the partial file that are the source's.
    pub fn kept(&self) -> usize {
        let part = self.to().join(format!(".{NAME}.sockkit-part"));
        let part = fs::read(part).unwrap_or_default();
        let chunks = self.content.chunks(CHUNK).zip(part.chunks(CHUNK));
        chunks
            .filter(|(source, part)| source == part)
            .map(|(source, _)| source.len())
            .sum()
    }

    #[track_caller]
    pub fn assert_arrived(&self, of: &str) {
        assert_eq!(self.names(), [NAME], "{of}");
        let there = fs::read(self.to().join(NAME)).expect("it is there");
        assert!(there == self.content, "{of}: the content differs");
    }

    pub fn receiver(&self, more: &[&str]) -> Server {
        let mut command = sockkit(&["recv-file", "127.0.0.1:0", "--plain", "-d"]);
        command.arg(self.to()).args(more);
        Server::from_command(&mut command, 1)
    }

    pub fn sender(&self, to: SocketAddr, more: &[&str]) -> Running {
        let mut command = sockkit(&["--json", "send-file", "--plain"]);
        command.arg(to.to_string()).arg(self.source()).args(more);
        Running::start(&mut command)
    }
}

/// The events of a sender that has ended.
pub fn events(sender: &Running) -> Vec<Value> {
    let lines = sender.stdout.rest();
    let event = |line: &String| serde_json::from_str(line).expect("JSON");
    lines.iter().map(event).collect()
}

/// The last event of a kind.
#[track_caller]
pub fn last<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    let found = events.iter().rev().find(|event| event["event"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {events:#?}"))
}
