//! getsockopt and setsockopt of Winsock.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::AsRawSocket;

use socket2::Socket;
use windows_sys::Win32::Networking::WinSock;

/// Reads an option into `buffer` and says how many bytes it has.
pub fn get(socket: &Socket, level: i32, number: i32, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
    // SAFETY: the pointer and the length are those of one slice, which is borrowed for writing until the call
    // returns, and every pattern of bits is a valid u8. `length` is a live int. The socket is open: it is borrowed.
    let result = unsafe {
        WinSock::getsockopt(
            socket.as_raw_socket() as WinSock::SOCKET,
            level,
            number,
            buffer.as_mut_ptr(),
            &mut length,
        )
    };
    match result {
        0 => Ok(usize::try_from(length).unwrap_or(0).min(buffer.len())),
        // SAFETY: it reads a number of this thread and takes nothing.
        _ => Err(io::Error::from_raw_os_error(unsafe {
            WinSock::WSAGetLastError()
        })),
    }
}

/// Sets an option to these bytes.
pub fn set(socket: &Socket, level: i32, number: i32, value: &[u8]) -> io::Result<()> {
    let length = i32::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length are those of one slice, which is borrowed until the call returns. The socket
    // is open: it is borrowed.
    let result = unsafe {
        WinSock::setsockopt(
            socket.as_raw_socket() as WinSock::SOCKET,
            level,
            number,
            value.as_ptr(),
            length,
        )
    };
    match result {
        0 => Ok(()),
        // SAFETY: it reads a number of this thread and takes nothing.
        _ => Err(io::Error::from_raw_os_error(unsafe {
            WinSock::WSAGetLastError()
        })),
    }
}
