//! An echo server that runs for as long as a test.

use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Output;

use super::{PATIENCE, Running, run_with, sockkit};

/// A running echo server on free ports of loopback.
pub struct Echo {
    pub run: Running,
    /// As the ready lines say, in their order.
    pub addresses: Vec<String>,
}

impl Echo {
    pub fn start(addresses: &[&str], options: &[&str]) -> Self {
        Self::from_command(
            sockkit(&["echo"]).args(addresses).args(options),
            addresses.len(),
        )
    }

    pub fn from_command(command: &mut std::process::Command, addresses: usize) -> Self {
        let run = Running::start(command);
        let addresses = run.ready_on(addresses);
        Self { run, addresses }
    }

    pub fn tcp(options: &[&str]) -> Self {
        Self::start(&["127.0.0.1:0"], options)
    }

    pub fn udp(options: &[&str]) -> Self {
        Self::start(&["udp://127.0.0.1:0"], options)
    }

    pub fn socket_address(&self) -> SocketAddr {
        let (_, address) = self.addresses[0].split_once("://").expect("a scheme");
        address.parse().expect("an address")
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.socket_address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    pub fn datagrams(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.connect(self.socket_address()).expect("an address");
        socket
    }

    pub fn ping(&self, options: &[&str]) -> Output {
        let mut arguments = vec!["ping", &self.addresses[0], "-i", "1ms"];
        arguments.extend(options);
        run_with(&arguments, "")
    }
}

/// What comes, to the end.
pub fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the end");
    bytes
}

/// How much memory the server has, in KiB.
#[cfg(target_os = "linux")]
pub fn resident(echo: &Echo) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", echo.run.id()))
        .expect("a running server");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.expect("a size").trim().trim_end_matches(" kB");
    size.parse().expect("a number")
}
