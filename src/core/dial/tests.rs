use super::*;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use crate::core::address::Use;
use crate::core::socket::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};

fn address(text: &str) -> Address {
    Address::parse(text, Use::Connect { default_port: None }).unwrap()
}

/// Dials and keeps the steps.
fn dialled(text: &str, options: &DialOptions) -> (Result<Dialled>, Vec<Step>) {
    let mut steps = Vec::new();
    let result = dial(&address(text), options, &mut |step| steps.push(step));
    (result, steps)
}

/// A loopback port that is taken and on which nobody listens, for as long as the socket is kept.
fn closed_port(ip: IpAddr) -> (Socket, u16) {
    let at = SocketAddr::from((ip, 0));
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
    socket.bind(&at.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

fn tcp(transport: &Transport) -> &mio::net::TcpStream {
    match transport {
        Transport::Tcp(stream) => stream,
        #[cfg(unix)]
        Transport::Unix(_) => panic!("not TCP"),
        Transport::Tls(_) => panic!("nobody asked for TLS"),
    }
}

#[test]
fn a_server_is_reached_with_the_clients_profile() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (result, steps) = dialled(&at.to_string(), &DialOptions::default());
    let dialled = result.unwrap();
    assert_eq!(dialled.peer, PeerAddr::Inet(at));
    let socket = SockRef::from(tcp(&dialled.transport));
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(unix)]
    assert!(socket.nonblocking().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
    }
    assert!(
        matches!(&steps[..], [
            Step::Resolved { addresses, .. },
            Step::Attempt { peer, outcome: Ok(()), .. },
        ] if *addresses == [at] && *peer == PeerAddr::Inet(at)),
        "{steps:?}"
    );

    let (mut served, _) = listener.accept().unwrap();
    let mut transport = dialled.transport;
    transport.write(&[io::IoSlice::new(b"hello")]).unwrap();
    transport.finish().unwrap();
    let mut said = String::new();
    served.read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello");
}

#[test]
fn buffers_are_set_when_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = DialOptions {
        buffers: Buffers {
            send: Some(20_000),
            recv: Some(30_000),
        },
        ..DialOptions::default()
    };
    let at = listener.local_addr().unwrap().to_string();
    let dialled = dialled(&at, &options).0.unwrap();
    let socket = SockRef::from(tcp(&dialled.transport));
    assert!((20_000..=50_000).contains(&socket.send_buffer_size().unwrap()));
    assert!((30_000..=70_000).contains(&socket.recv_buffer_size().unwrap()));
}

#[test]
fn who_is_refused_is_told_and_asked_whether_the_server_runs() {
    let (_kept, port) = closed_port(Ipv4Addr::LOCALHOST.into());
    let (result, steps) = dialled(&format!("127.0.0.1:{port}"), &DialOptions::default());
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    if cfg!(unix) {
        assert_eq!(
            error.to_string(),
            format!("cannot connect to 127.0.0.1:{port}: connection refused")
        );
    }
    assert_eq!(error.advice(), Some("is the server running there?"));
    assert!(
        matches!(&steps[..], [Step::Resolved { .. }, Step::Attempt { outcome: Err(error), .. }]
            if error.kind() == ErrorKind::ConnectionRefused),
        "{steps:?}"
    );
}

#[test]
fn a_name_with_a_dead_and_a_live_address_reaches_the_live_one() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return; // A machine without IPv6 has one loopback address.
    };
    let at = listener.local_addr().unwrap();
    // Nobody else may get the port on the other address.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let other = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
    if taken.bind(&other.into()).is_err() {
        return; // Somebody has it already, so that it may be alive.
    }
    let (result, steps) = dialled(&format!("localhost:{}", at.port()), &DialOptions::default());
    assert_eq!(result.unwrap().peer, PeerAddr::Inet(at));
    assert!(
        matches!(&steps[..], [
            Step::Resolved { addresses, .. },
            Step::Attempt { peer: dead, outcome: Err(_), .. },
            Step::Attempt { peer: live, outcome: Ok(()), .. },
        ] if addresses.len() == 2
            && *dead == PeerAddr::Inet(other)
            && *live == PeerAddr::Inet(SocketAddr::from((Ipv6Addr::LOCALHOST, at.port())))),
        "{steps:?}"
    );
}

/// An address that does not answer, for as long as the rest is kept: with a full backlog Linux drops the
/// SYN.
#[cfg(target_os = "linux")]
fn silent() -> (SocketAddr, (Socket, TcpStream)) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let at = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting = TcpStream::connect(at).unwrap();
    (at, (listener, waiting))
}

#[cfg(target_os = "linux")]
#[test]
fn who_does_not_answer_is_given_up_after_the_timeout() {
    let (at, _kept) = silent();
    let options = DialOptions {
        timeout: Duration::from_millis(50),
        ..DialOptions::default()
    };
    let error = dialled(&at.to_string(), &options).0.unwrap_err();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {at}: timed out after 50ms")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_does_not_answer_is_overtaken_by_the_next() {
    let (silent, _kept) = silent();
    let live = TcpListener::bind("127.0.0.1:0").unwrap();
    let live = live.local_addr().map(|at| (at, live)).unwrap();
    let options = DialOptions::default();
    let clock = Clock {
        started: Instant::now(),
        timeout: options.timeout,
    };
    let mut steps = Vec::new();
    let dialled = connect_any(
        &address("foo.example:80"),
        &[silent, live.0],
        &options,
        &clock,
        &mut |step| steps.push(step),
    )
    .unwrap();
    assert_eq!(dialled.peer, PeerAddr::Inet(live.0));
    assert!(
        matches!(&steps[..], [Step::Attempt { peer, outcome: Ok(()), .. }]
            if *peer == PeerAddr::Inet(live.0)),
        "of the one left behind nothing is told: {steps:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_with_itself_is_no_connection() {
    // Bound to the port that it dials: what chance does to one in many dials of an ephemeral port.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let own = socket.local_addr().unwrap();
    socket.connect(&own).unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = mio::net::TcpStream::from_std(socket.into());
    let error = outcome(&stream).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn of_several_causes_the_first_addresss_is_told() {
    let to = address("foo.example:80");
    let refused = || Some(io::Error::from(ErrorKind::ConnectionRefused));
    let unreachable = || Some(io::Error::from(ErrorKind::NetworkUnreachable));
    let timed_out = || Some(io::Error::from(ErrorKind::TimedOut));
    let table = [
        (vec![refused(), refused()], Kind::Unreachable, "refused"),
        (vec![refused(), unreachable()], Kind::Unreachable, "refused"),
        (vec![unreachable(), refused()], Kind::Unreachable, "network"),
        (vec![timed_out(), timed_out()], Kind::TimedOut, "timed out"),
    ];
    for (causes, kind, says) in table {
        let error = lost(&to, causes);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_family_without_an_address_is_said_before_anything_is_tried() {
    let options = DialOptions {
        family: Family::V6,
        ..DialOptions::default()
    };
    let (result, steps) = dialled("127.0.0.1:1", &options);
    assert_eq!(result.unwrap_err().kind(), Kind::Usage);
    assert!(steps.is_empty());
}

#[cfg(unix)]
mod files {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_unix_socket_is_reached_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let text = format!("unix:{}", path.display());
        let (result, steps) = dialled(&text, &DialOptions::default());
        let mut dialled = result.unwrap();
        assert_eq!(dialled.peer.to_string(), text);
        assert!(matches!(
            &steps[..],
            [Step::Attempt {
                outcome: Ok(()),
                ..
            }]
        ));
        let (mut served, _) = listener.accept().unwrap();
        // Non-blocking, or this would wait.
        let nothing = dialled.transport.read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        served.write_all(b"hello").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(dialled.transport.read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
    }

    #[test]
    fn a_unix_socket_that_is_missing_or_dead_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let text = format!("unix:{}", path.display());
        let error = dialled(&text, &DialOptions::default()).0.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(
            error.to_string(),
            format!("cannot connect to {text}: no such file or directory")
        );
        assert!(error.advice().is_some());
        drop(UnixListener::bind(&path).unwrap());
        let error = dialled(&text, &DialOptions::default()).0.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot connect to {text}: connection refused")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_unix_server_that_does_not_accept_is_given_up_after_the_timeout() {
        let name = format!("sockkit-test-{}-full", std::process::id());
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener
            .bind(&socket2::SockAddr::unix(format!("\0{name}")).unwrap())
            .unwrap();
        listener.listen(0).unwrap();
        let text = format!("unix:@{name}");
        let _waiting = dialled(&text, &DialOptions::default()).0.unwrap();
        let options = DialOptions {
            timeout: Duration::from_millis(50),
            ..DialOptions::default()
        };
        let error = dialled(&text, &options).0.unwrap_err();
        assert_eq!(error.kind(), Kind::TimedOut);
        assert_eq!(
            error.to_string(),
            format!("cannot connect to {text}: timed out after 50ms")
        );
    }
}
