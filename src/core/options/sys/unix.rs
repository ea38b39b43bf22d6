//! getsockopt(2), setsockopt(2), what waits to be sent, and the duplicate of an inherited descriptor.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use socket2::Socket;

/// Reads an option into `buffer` and says how many bytes it has. The kernel cuts off what does not fit.
pub fn get(socket: &Socket, level: i32, number: i32, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(buffer.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the pointer and the length are those of one slice, which is borrowed for writing until the call
    // returns, and every pattern of bits is a valid u8. `length` is a live socklen_t.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            number,
            buffer.as_mut_ptr().cast(),
            &mut length,
        )
    };
    match result {
        0 => Ok((length as usize).min(buffer.len())),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets an option to these bytes. Options whose bytes are a pointer are not let through to here
/// ([`crate::core::options::info::OptionInfo::pointer`]).
pub fn set(socket: &Socket, level: i32, number: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length are those of one slice, which is borrowed until the call returns. The kernel
    // copies it and keeps no pointer into it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            number,
            value.as_ptr().cast(),
            length,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How many bytes the socket has to send yet, with those that nobody has acknowledged: SIOCOUTQ of tcp(7), which is the
/// same as TIOCOUTQ. Listening sockets have none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn unsent(socket: &Socket) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes one int to where the pointer says, which is a live int that nobody else uses.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } {
        0 => Ok(u64::try_from(bytes).unwrap_or(0)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A duplicate of a descriptor that this process was started with. The original stays as it is.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(2) takes any number and fails with EBADF for one that is no descriptor; no memory is passed.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
