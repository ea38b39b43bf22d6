//! Unix sockets: a file that must not outlive its server, must not be taken from a live one, and must
//! never be open to more people than was said.
//!
//! **A file that is there already.** Bind fails if anything is there. A socket that refuses a connection
//! belongs to no living server and is replaced; one that accepts is left alone; whatever is no socket is
//! never touched. A server that has bound and does not listen yet refuses connections too, so another
//! one that starts at that moment would take it for dead. Therefore everything from the first look to
//! listen(2) is done under a lock: an flock(2) on a file beside the socket, which is removed again before
//! the call returns. An advisory lock guards only against servers of our kind; against a foreign one that
//! starts in the same instant there is no protection, as there is none between any two others.
//!
//! On the BSDs and macOS a live server whose backlog is full refuses connections too (on Linux it makes
//! them wait), and would be taken for dead.
//!
//! **Permissions.** Linux creates the file with the permissions of the socket, which fchmod(2) sets
//! beforehand. Elsewhere the file is there for a moment with those of the umask, but before listen(2)
//! nobody can connect to it.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::{ListenOptions, Listening};
use crate::core::address::{Address, UnixName};
use crate::core::event_loop::ListenerSocket;
use crate::error::{Error, Kind, Result};

/// How often and how long apart a lock is tried that another starting server holds: one second, where
/// it needs milliseconds. It may be stopped, or somebody may mean ill, so this has an end.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The file of a Unix socket of ours. Dropping it removes the file, if it is still the one we made.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// What tells a file from another of the same name. Numbers of inodes are used again, hence the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            // Whoever changes the working directory must not make us remove something else.
            path: std::path::absolute(path)?,
            identity: Identity::of(&fs::symlink_metadata(path)?),
        })
    }

    fn remove_if_ours(&self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| Identity::of(&metadata) == self.identity);
        if still_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Who holds the lock is about to look at this file, will find it dead and replace it: then there
        // is nothing left to do, and between the look and the removal the file could become theirs.
        if let Ok(Some(_lock)) = Lock::try_once(&self.path) {
            self.remove_if_ours();
        }
    }
}

pub(super) fn listen(
    address: &Address,
    name: &UnixName,
    options: &ListenOptions,
) -> Result<Listening> {
    let (socket, file) = bind(address, name, options, Type::STREAM, start)?;
    Ok(Listening {
        socket: ListenerSocket::Unix(socket),
        address: address.clone(),
        file,
    })
}

/// Binds a datagram socket, non-blocking. Keep the file until the server ends.
pub(crate) fn bind_datagrams(
    address: &Address,
    name: &UnixName,
    options: &ListenOptions,
) -> Result<(UnixDatagram, Option<SocketFile>)> {
    let finish = |socket: Socket, options: &ListenOptions| {
        options.buffers.set(&socket)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bind(address, name, options, Type::DGRAM, finish)
}

/// Binds a socket of a type and makes it what `finish` says.
fn bind<S>(
    address: &Address,
    name: &UnixName,
    options: &ListenOptions,
    kind: Type,
    finish: fn(Socket, &ListenOptions) -> io::Result<S>,
) -> Result<Made<S>> {
    let result = match name {
        UnixName::Path(path) => bind_at(path, options, kind, finish),
        UnixName::Abstract(name) => bind_abstract(name, options, kind, finish),
    };
    let cannot = || Error::new(Kind::Unreachable, format!("cannot listen on {address}"));
    result.map_err(|obstacle| match obstacle {
        Obstacle::Occupied(who) => cannot().because(who),
        Obstacle::Io(error) if error.kind() == io::ErrorKind::NotFound => cannot()
            .because(error)
            .hint("the directory of a Unix socket has to exist"),
        Obstacle::Io(error) => cannot().because(error),
    })
}

/// Why there is no socket.
enum Obstacle {
    /// Something else is there.
    Occupied(&'static str),
    /// The system says no.
    Io(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Obstacle::Io(error)
    }
}

const LIVE: Obstacle = Obstacle::Occupied("a server is listening there already");

type Made<S> = (S, Option<SocketFile>);

fn bind_abstract<S>(
    name: &str,
    options: &ListenOptions,
    kind: Type,
    finish: fn(Socket, &ListenOptions) -> io::Result<S>,
) -> Result<Made<S>, Obstacle> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    match socket.bind(&SockAddr::unix(format!("\0{name}"))?) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(LIVE),
        result => result?,
    }
    Ok((finish(socket, options)?, None))
}

fn bind_at<S>(
    path: &Path,
    options: &ListenOptions,
    kind: Type,
    finish: fn(Socket, &ListenOptions) -> io::Result<S>,
) -> Result<Made<S>, Obstacle> {
    let _lock = Lock::wait_for(path)?;
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    limit_permissions(&socket, options.unix_mode)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_dead(path, &address, kind)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    let file = SocketFile::new(path)?;
    let ready = || -> io::Result<S> {
        let has = fs::symlink_metadata(path)?.permissions().mode() & 0o7777;
        if has != options.unix_mode {
            fs::set_permissions(path, fs::Permissions::from_mode(options.unix_mode))?;
        }
        finish(socket, options)
    };
    match ready() {
        Ok(socket) => Ok((socket, Some(file))),
        Err(error) => {
            // Dropping the file would find the lock taken, by us.
            file.remove_if_ours();
            Err(error.into())
        }
    }
}

fn start(socket: Socket, options: &ListenOptions) -> io::Result<UnixListener> {
    options.buffers.set(&socket)?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Linux only: the file that bind(2) will make has at most these permissions.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn limit_permissions(socket: &Socket, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(
        socket,
        rustix::fs::Mode::from_raw_mode(mode),
    )?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn limit_permissions(_: &Socket, _: u32) -> io::Result<()> {
    Ok(())
}

/// Removes the socket that a dead server left at `path`. Only under the lock.
fn remove_dead(path: &Path, address: &SockAddr, kind: Type) -> Result<(), Obstacle> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        return Err(Obstacle::Occupied(
            "something that is no socket is there, and is left alone",
        ));
    }
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    // A blocking connect waits for room in a full backlog.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Ok(()) => return Err(LIVE),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {}
            io::ErrorKind::NotFound => return Ok(()),
            io::ErrorKind::WouldBlock => return Err(LIVE),
            _ if is(&error, rustix::io::Errno::INPROGRESS) => return Err(LIVE),
            _ if is(&error, rustix::io::Errno::PROTOTYPE) => {
                return Err(Obstacle::Occupied(
                    "a socket of another type is in use there",
                ));
            }
            _ => return Err(error.into()),
        },
    }
    match fs::symlink_metadata(path) {
        Ok(now) if Identity::of(&now) == Identity::of(&found) => Ok(fs::remove_file(path)?),
        // Somebody else was faster. Bind decides.
        _ => Ok(()),
    }
}

fn is(error: &io::Error, errno: rustix::io::Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// Keeps other starting servers away from a path.
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Waits a bearable time. `None` where the file system has no locks: then it goes without.
    fn wait_for(socket: &Path) -> Result<Option<Self>, Obstacle> {
        for _ in 0..LOCK_TRIES {
            match Self::try_once(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                result => return Ok(result?),
            }
        }
        Err(Obstacle::Occupied("another server is starting there"))
    }

    /// [`io::ErrorKind::WouldBlock`] if somebody else has it.
    fn try_once(socket: &Path) -> io::Result<Option<Self>> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".sockkit-lock");
        let path = PathBuf::from(path);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) if is_in_place(&file, &path) => Ok(Some(Self { path, file })),
            // Whoever had it removed the file between our open and our lock.
            Ok(()) | Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

fn is_in_place(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let ours = file.metadata()?;
        let there = fs::symlink_metadata(path)?;
        Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    };
    same().unwrap_or(false)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still locked, so that nobody can lock it in between and keep a lock on a
        // file without a name. A file with something in it is not ours, whatever it is called.
        if self.file.metadata().is_ok_and(|found| found.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
