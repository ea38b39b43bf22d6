//! The sockets of running processes: those of one with all that they have, and the list of all.
//!
//! Linux gives a duplicate of another process's descriptor (pidfd_getfd(2)) to whoever may trace it (ptrace(2)), in
//! whatever network namespace it lives. What is asked of the duplicate is answered for the socket itself; nothing is
//! read from it and nothing is set.

use crate::error::Result;
use crate::inspect::report::Report;
use crate::inspect::socket::Detail;

/// A socket of a process and its number there.
pub type Numbered = (i32, Report);

/// Every socket of a process, or the one with this number.
pub fn sockets_of(pid: u32, only: Option<i32>, detail: Detail) -> Result<Vec<Numbered>> {
    system::sockets_of(pid, only, detail)
}

/// All sockets of this machine, or of this network namespace, with their processes.
pub fn all() -> Result<Report> {
    system::all()
}

/// A descriptor that sockkit was started with.
#[cfg(unix)]
pub fn inherited(number: i32, detail: Detail) -> Result<Report> {
    use crate::core::options::sys;
    use crate::error::{Error, Kind};
    use socket2::Socket;

    let cannot = || Error::new(Kind::Other, format!("cannot inspect descriptor {number}"));
    let socket = Socket::from(sys::inherited(number).map_err(|error| cannot().because(error))?);
    match socket.r#type() {
        Ok(_) => Ok(super::socket::report(
            &socket,
            format!("fd {number}"),
            detail,
        )),
        Err(error) => Err(cannot().because(error)),
    }
}

/// A descriptor that sockkit was started with.
#[cfg(not(unix))]
pub fn inherited(_: i32, _: Detail) -> Result<Report> {
    use crate::error::{Error, Kind};
    Err(Error::new(
        Kind::Usage,
        "--fd is not available on this system: it hands down no descriptors by number",
    ))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::collections::HashMap;
    use std::fs;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::OwnedFd;

    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    use socket2::Socket;

    use super::Numbered;
    use crate::core::options::Missing;
    use crate::error::{Error, Kind, Result};
    use crate::inspect::netlink::{Attributes, SOCK_DIAG, dump, u32_at};
    use crate::inspect::report::{Cell, Report, Section};
    use crate::inspect::socket::{self, Detail};
    use crate::inspect::tcp_info::state_name;

    pub(super) fn sockets_of(pid: u32, only: Option<i32>, detail: Detail) -> Result<Vec<Numbered>> {
        let cannot = |error: io::Error| {
            let failed = Error::new(Kind::Other, format!("cannot inspect process {pid}"));
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => Some("it needs to be yours, or CAP_SYS_PTRACE"),
                _ => None,
            };
            let failed = match is_gone(&error) {
                true => failed.because("there is no such process"),
                false => failed.because(error),
            };
            match hint {
                Some(hint) => failed.hint(hint),
                None => failed,
            }
        };
        let id = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| cannot(io::Error::from(io::ErrorKind::NotFound)))?;
        let process = pidfd_open(id, PidfdFlags::empty()).map_err(|error| cannot(error.into()))?;
        let name = process_name(pid);
        let mut found = Vec::new();
        let mut refused = None;
        let mut ended = has_ended(pid);
        let mut connecting = Connecting::default();
        for (number, inode) in descriptors(pid).map_err(cannot)? {
            if only.is_some_and(|only| only != number) {
                continue;
            }
            match duplicate(&process, number) {
                Ok(socket) => {
                    let subject = format!("fd {number} of {name} ({pid})");
                    let mut report = socket::report(&socket, subject, detail);
                    if report.value("socket", "state") == Some("SYN-SENT")
                        && let Some(remote) = connecting.remote_of(inode)
                    {
                        report.replace("socket", "remote", Cell::text(remote));
                    }
                    found.push((number, report));
                }
                // Closed in the meantime.
                Err(error) if error.raw_os_error() == Some(EBADF) => {}
                Err(error) if is_gone(&error) => ended = true,
                Err(error) => refused = Some(error),
            }
        }
        // What was read before the end is worth showing; nothing at all is not the same as no sockets.
        let nothing = found.is_empty();
        match (refused, only) {
            (Some(error), _) if nothing => Err(cannot(error)),
            _ if nothing && (ended || has_ended(pid)) => Err(Error::new(
                Kind::Other,
                format!("cannot inspect process {pid}"),
            )
            .because("it has ended")),
            (_, Some(number)) if nothing => {
                // Reading the link says whether it is there, whatever it leads to.
                let is_there = fs::read_link(format!("/proc/{pid}/fd/{number}")).is_ok();
                Err(Error::new(
                    Kind::Other,
                    match is_there {
                        true => format!("descriptor {number} of process {pid} is no socket"),
                        false => format!("process {pid} has no descriptor {number}"),
                    },
                ))
            }
            _ => Ok(found),
        }
    }

    /// Where the connections go that nobody has answered yet: getpeername(2) knows no peer then, sock_diag(7) does. It
    /// is asked once, and only where there is such a connection.
    #[derive(Default)]
    struct Connecting(Option<HashMap<u32, String>>);

    impl Connecting {
        fn remote_of(&mut self, inode: u32) -> Option<String> {
            let known = self.0.get_or_insert_with(|| {
                let mut found = HashMap::new();
                for family in [2, 10] {
                    let request = inet_request(family, 6, 1 << SYN_SENT);
                    let bodies = dump(SOCK_DIAG, BY_FAMILY, &request).unwrap_or_default();
                    for one in bodies.iter().filter_map(|body| inet(body, "tcp")) {
                        found.insert(one.inode, one.remote);
                    }
                }
                found
            });
            known.get(&inode).cloned()
        }
    }

    /// `TCP_SYN_SENT` of net/tcp_states.h.
    const SYN_SENT: u8 = 2;

    const EBADF: i32 = rustix::io::Errno::BADF.raw_os_error();

    fn is_gone(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound
            || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
    }

    /// Whether a process is no more, or only waits to be buried: then it has no descriptors left, which is not to be
    /// taken for a process without sockets. The state stands behind the name, which may hold anything: proc_pid_stat(5).
    fn has_ended(pid: u32) -> bool {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => matches!(state_of(&stat), Some('Z' | 'X')),
            Err(error) => is_gone(&error),
        }
    }

    fn state_of(stat: &str) -> Option<char> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.trim_start().chars().next()
    }

    fn duplicate(process: &OwnedFd, number: i32) -> io::Result<Socket> {
        Ok(Socket::from(pidfd_getfd(
            process,
            number,
            PidfdGetfdFlags::empty(),
        )?))
    }

    /// The sockets among the descriptors of a process, and their inodes: proc_pid_fd(5).
    fn descriptors(pid: u32) -> io::Result<Vec<(i32, u32)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let Ok(entry) = entry else { continue };
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            let inode = target.to_str().and_then(inode_of);
            if let (Some(number), Some(inode)) = (number, inode) {
                found.push((number, inode));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn inode_of(link: &str) -> Option<u32> {
        link.strip_prefix("socket:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    fn process_name(pid: u32) -> String {
        fs::read_to_string(format!("/proc/{pid}/comm"))
            .map(|name| name.trim_end().to_owned())
            .unwrap_or_default()
    }

    /// A socket as sock_diag(7) tells of it.
    pub(super) struct Found {
        kind: &'static str,
        state: &'static str,
        local: String,
        remote: String,
        /// Bytes, and of a listener connections that wait.
        receive_queue: u32,
        /// Bytes, and of a listener how many may wait.
        send_queue: u32,
        inode: u32,
        /// That of a Unix socket's other end, if it has no name.
        peer: Option<u32>,
    }

    impl Found {
        fn listens(&self) -> bool {
            matches!(self.state, "LISTEN" | "listening")
        }
    }

    pub(super) fn all() -> Result<Report> {
        let cannot =
            |error: io::Error| Error::new(Kind::Other, "cannot list the sockets").because(error);
        let mut sockets = Vec::new();
        // IPPROTO_TCP, IPPROTO_UDP over AF_INET, AF_INET6.
        for (family, protocol, kind) in [
            (2, 6, "tcp"),
            (10, 6, "tcp"),
            (2, 17, "udp"),
            (10, 17, "udp"),
        ] {
            let request = inet_request(family, protocol, u32::MAX);
            let bodies = match dump(SOCK_DIAG, BY_FAMILY, &request) {
                // A kernel without udp_diag or IPv6 lacks that part alone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result.map_err(cannot)?,
            };
            sockets.extend(bodies.iter().filter_map(|body| inet(body, kind)));
        }
        match dump(SOCK_DIAG, BY_FAMILY, &unix_request()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => sockets.extend(result.map_err(cannot)?.iter().filter_map(|body| unix(body))),
        }
        name_peers(&mut sockets);
        let (owners, hidden) = owners();
        let none = sockets.is_empty();
        let rows = sockets
            .iter()
            .map(|one| {
                let owner = match owners.get(&one.inode) {
                    Some(owner) => Cell::text(&**owner),
                    // The kernel keeps what is left of a closed connection without a process.
                    None if one.inode == 0 => Cell::Missing(Missing::NotApplicable),
                    None if hidden => Cell::Missing(Missing::Denied),
                    None => Cell::Missing(Missing::NotApplicable),
                };
                let unit = match one.listens() {
                    true => "connections",
                    false => "bytes",
                };
                let queue = |n: u32| Cell::count(n.into(), Some(unit)).shown_as(n.to_string());
                vec![
                    Cell::text(one.kind),
                    Cell::text(one.state),
                    queue(one.receive_queue),
                    queue(one.send_queue),
                    Cell::text(&*one.local),
                    Cell::text(&*one.remote),
                    owner,
                ]
            })
            .collect();
        let mut report = Report::new("sockets", "all sockets").with(Section::table(
            "sockets",
            "",
            &[
                "kind", "state", "unread", "unsent", "local", "remote", "process",
            ],
            rows,
        ));
        if none {
            report
                .remarks
                .push("there are no sockets in this network namespace".into());
        } else if sockets.iter().any(Found::listens) {
            report.remarks.push(
                "of a listener, unread are the connections that wait to be accepted, and unsent is how many may wait"
                    .into(),
            );
        }
        Ok(report)
    }

    /// A connected Unix socket goes by the name of its other end; most have none, and then the inode is all there is.
    fn name_peers(sockets: &mut [Found]) {
        let names: HashMap<u32, String> = sockets
            .iter()
            .filter(|one| one.local.starts_with("unix:"))
            .map(|one| (one.inode, one.local.clone()))
            .collect();
        for one in sockets {
            if let Some(peer) = one.peer {
                one.remote = match names.get(&peer) {
                    Some(name) => name.clone(),
                    None => format!("inode {peer}"),
                };
            }
        }
    }

    /// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
    const BY_FAMILY: u16 = 20;

    /// `struct inet_diag_req_v2`: family, protocol, no extensions, these states, and no address in particular.
    fn inet_request(family: u8, protocol: u8, states: u32) -> Vec<u8> {
        let mut request = vec![family, protocol, 0, 0];
        request.extend(states.to_ne_bytes());
        request.resize(56, 0);
        request
    }

    /// `struct unix_diag_req`: every state; name, peer and queues.
    fn unix_request() -> Vec<u8> {
        let mut request = vec![1, 0, 0, 0];
        request.extend(u32::MAX.to_ne_bytes());
        request.extend(0_u32.to_ne_bytes());
        request.extend(0b1_0101_u32.to_ne_bytes());
        request.resize(24, 0);
        request
    }

    /// `struct inet_diag_msg`.
    pub(super) fn inet(body: &[u8], kind: &'static str) -> Option<Found> {
        let (family, state) = (*body.first()?, *body.get(1)?);
        let address = |port_at: usize, at: usize| {
            let port = u16::from_be_bytes(body.get(port_at..port_at + 2)?.try_into().ok()?);
            let ip = match family {
                2 => IpAddr::from(Ipv4Addr::from(*body.get(at..)?.first_chunk::<4>()?)),
                _ => IpAddr::from(Ipv6Addr::from(*body.get(at..)?.first_chunk::<16>()?)),
            };
            Some(match port {
                0 if ip.is_unspecified() => "-".into(),
                _ => SocketAddr::new(ip, port).to_string(),
            })
        };
        Some(Found {
            kind,
            state: match (kind, state) {
                ("udp", 1) => "connected",
                ("udp", _) => "not connected",
                _ => state_name(state),
            },
            local: address(4, 8)?,
            remote: address(6, 24)?,
            receive_queue: u32_at(body, 56)?,
            send_queue: u32_at(body, 60)?,
            inode: u32_at(body, 68)?,
            peer: None,
        })
    }

    /// `struct unix_diag_msg`, `UNIX_DIAG_*` of linux/unix_diag.h.
    pub(super) fn unix(body: &[u8]) -> Option<Found> {
        let (kind, state) = (*body.get(1)?, *body.get(2)?);
        let mut found = Found {
            kind: match kind {
                2 => "unix-datagram",
                5 => "unix-seqpacket",
                _ => "unix",
            },
            // Of datagrams it tells less than whether there is another end.
            state: match state {
                10 => "listening",
                1 if kind != 2 => "connected",
                _ => "not connected",
            },
            local: "-".into(),
            remote: "-".into(),
            receive_queue: 0,
            send_queue: 0,
            inode: u32_at(body, 4)?,
            peer: None,
        };
        for (kind, value) in Attributes(body.get(16..)?) {
            match kind {
                0 => {
                    let name = String::from_utf8_lossy(value);
                    found.local = match name.strip_prefix('\0') {
                        Some(name) => format!("unix:@{name}"),
                        None => format!("unix:{}", name.trim_end_matches('\0')),
                    };
                }
                2 if u32_at(value, 0)? != 0 => {
                    found.peer = u32_at(value, 0);
                    found.state = "connected";
                }
                4 => {
                    (found.receive_queue, found.send_queue) = (u32_at(value, 0)?, u32_at(value, 4)?)
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// Which process has which socket, by inode; and whether some processes did not let us look.
    fn owners() -> (HashMap<u32, String>, bool) {
        let mut owners: HashMap<u32, String> = HashMap::new();
        let mut hidden = false;
        let pids = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids {
            match descriptors(pid) {
                Ok(sockets) if sockets.is_empty() => {}
                Ok(sockets) => {
                    let name = process_name(pid);
                    for (number, inode) in sockets {
                        let owner = format!("{name} ({pid}, fd {number})");
                        owners
                            .entry(inode)
                            .and_modify(|known| *known = format!("{known}, {owner}"))
                            .or_insert(owner);
                    }
                }
                Err(error) => hidden |= error.kind() == io::ErrorKind::PermissionDenied,
            }
        }
        (owners, hidden)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;

        #[test]
        fn a_link_to_a_socket_has_its_inode() {
            assert_eq!(inode_of("socket:[4711]"), Some(4711));
            for other in ["pipe:[4711]", "socket:[x]", "/dev/null", "socket:4711"] {
                assert_eq!(inode_of(other), None, "{other}");
            }
        }

        #[test]
        fn the_state_stands_behind_a_name_that_may_hold_anything() {
            assert_eq!(state_of("7 (a) R) Z 1 7"), Some('Z'));
            assert_eq!(state_of("7 (sh) S 1"), Some('S'));
            assert_eq!(state_of("7 (sh"), None);
            assert!(!has_ended(std::process::id()));
        }

        #[test]
        fn this_process_sees_its_own_socket() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let local = listener.local_addr().unwrap().to_string();
            let found = sockets_of(std::process::id(), None, Detail::Short).unwrap();
            let ours = found
                .iter()
                .find(|(_, report)| report.flat()["socket.local"] == local);
            let (_, report) = ours.expect("it is among them");
            assert_eq!(report.flat()["socket.state"], "LISTEN");
        }

        proptest! {
            #[test]
            fn any_bytes_are_a_socket_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                let _ = (inet(&bytes, "tcp"), unix(&bytes));
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::{Detail, Numbered, Report, Result};
    use crate::error::{Error, Kind};

    fn unavailable(option: &str) -> Error {
        Error::new(
            Kind::Usage,
            format!(
                "{option} is not available on this system: it gives no other process's sockets"
            ),
        )
    }

    pub(super) fn sockets_of(_: u32, _: Option<i32>, _: Detail) -> Result<Vec<Numbered>> {
        Err(unavailable("--pid"))
    }

    pub(super) fn all() -> Result<Report> {
        Err(unavailable("--all-sockets"))
    }
}
