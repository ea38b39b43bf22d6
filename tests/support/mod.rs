//! What the end-to-end tests stand on: the real binary in a clean environment, servers on port 0 that are
//! waited for by their ready line and are ended with the test, and connections that fail instead of hanging.

pub mod certificates;
pub mod echo;
#[cfg(target_os = "linux")]
pub mod mounts;
pub mod places;
pub mod proxy;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

pub use ::sockkit;

/// Nothing here takes this long on the slowest machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The binary with arguments, in an environment that no setting of this machine reaches.
pub fn sockkit<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockkit"));
    command.args(arguments).env_clear().env("TZ", "UTC");
    // Windows starts no program without it.
    for name in ["SystemRoot", "PATH", "TMPDIR", "TEMP"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Lines of a child's output as they come.
pub struct Lines {
    lines: Receiver<String>,
    /// Disconnected at the end of the output.
    end: Receiver<()>,
}

impl Lines {
    fn of(source: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        let (at_end, end) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _at_end = at_end;
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_string();
                // Lines that nobody wants are read all the same, or the child would stand still.
                let _ = sender.send(text);
                line.clear();
            }
        });
        Lines { lines, end }
    }

    /// The next line; fails the test when none comes.
    #[track_caller]
    pub fn next(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .expect("another line of output")
    }

    /// Goes on to a line that has `part` in it.
    #[track_caller]
    pub fn until(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {part:?} in {seen:#?}"),
            }
        }
    }

    /// Everything up to the end of the output.
    #[track_caller]
    pub fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return lines,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end after {lines:#?}"),
            }
        }
    }
}

/// A running sockkit. It is killed with the test.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    pub stdout: Lines,
    pub stderr: Lines,
}

impl Running {
    /// Waits until it listens on so many addresses, and says which, in the order of the ready lines.
    #[track_caller]
    pub fn ready_on(&self, addresses: usize) -> Vec<String> {
        (0..addresses)
            .map(|_| {
                let line = self.stderr.until("listening on ");
                let (_, address) = line.split_once("listening on ").expect("a ready line");
                address.to_string()
            })
            .collect()
    }

    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            stdin: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().expect("piped")),
            stderr: Lines::of(child.stderr.take().expect("piped")),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, or what comes next to it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Waits for its end. The exit status; 128 and the signal's number if one ended it.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        self.stdin = None;
        let end = self.stdout.end.recv_timeout(PATIENCE);
        assert_eq!(
            end,
            Err(mpsc::RecvTimeoutError::Disconnected),
            "it does not end"
        );
        let status = self.child.wait().expect("it can be waited for");
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            if let Some(signal) = status.signal() {
                return 128 + signal;
            }
        }
        status.code().expect("a status")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A chat server on free ports of loopback.
pub struct Server {
    pub run: Running,
    pub addresses: Vec<String>,
}

impl Server {
    /// On one TCP port, with more arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::listening_on(&["127.0.0.1:0"], arguments)
    }

    pub fn listening_on(addresses: &[&str], arguments: &[&str]) -> Self {
        let mut command = sockkit(&["serve-chat"]);
        command.args(addresses).args(arguments);
        Self::from_command(&mut command, addresses.len())
    }

    pub fn from_command(command: &mut Command, addresses: usize) -> Self {
        let run = Running::start(command);
        let addresses = run.ready_on(addresses);
        Self { run, addresses }
    }

    /// The first address as sockkit takes it.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub fn socket_address(&self) -> SocketAddr {
        let address = self.address().strip_prefix("tcp://").expect("TCP");
        address.parse().expect("an address")
    }

    /// Somebody with `nc`: a bare connection that speaks lines.
    pub fn nc(&self) -> Nc {
        Nc::connect(self.socket_address())
    }
}

/// A bare TCP connection that speaks lines.
pub struct Nc {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Nc {
    pub fn connect(address: SocketAddr) -> Self {
        Self::from_stream(TcpStream::connect(address).expect("the server listens"))
    }

    pub fn from_stream(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        Self { stream, reader }
    }

    pub fn types(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it is read");
    }

    /// The next line; `None` at the end.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(
                String::from_utf8_lossy(&line)
                    .trim_end_matches(['\r', '\n'])
                    .to_string(),
            ),
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// Goes on to a line that has `part` in it.
    #[track_caller]
    pub fn until(&mut self, part: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.line() {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part:?} in {seen:#?}");
    }

    /// The lines up to the end of the connection.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    pub fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Takes a nick and waits until it has it.
    #[track_caller]
    pub fn called(mut self, nick: &str) -> Self {
        self.types(&format!("/nick {nick}\n"));
        self.until(&format!("you are {nick} now"));
        self
    }
}

/// Runs sockkit with `input` on stdin to its end.
pub fn run_with(arguments: &[&str], input: &str) -> Output {
    let mut child = sockkit(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_string();
    let writer = thread::spawn(move || {
        // It may end before it has read all.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    output
}

/// stderr as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// stdout as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
