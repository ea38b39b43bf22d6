use super::*;

use std::io::ErrorKind;
use std::net::TcpStream;

fn listening(text: &str, options: &ListenOptions) -> Result<Vec<Listening>> {
    listen(
        &Address::parse(text, Use::Listen { default_port: 1 }).unwrap(),
        options,
    )
}

fn listener(listening: &Listening) -> &TcpListener {
    match &listening.socket {
        ListenerSocket::Tcp(listener) => listener,
        #[cfg(unix)]
        ListenerSocket::Unix(_) => panic!("a TCP socket was asked for"),
    }
}

fn addresses(list: &[Listening]) -> Vec<SocketAddr> {
    list.iter()
        .map(|one| listener(one).local_addr().unwrap())
        .collect()
}

/// Accepts, in blocking mode.
fn accept(one: &Listening) -> TcpStream {
    let listener = listener(one);
    listener.set_nonblocking(false).unwrap();
    listener.accept().unwrap().0
}

#[test]
fn localhost_is_both_loopback_addresses_on_one_port() {
    let list = listening("localhost:0", &ListenOptions::default()).unwrap();
    let at = addresses(&list);
    assert_eq!(at[0].ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_ne!(at[0].port(), 0);
    assert_eq!(list[0].address.to_string(), format!("tcp://{}", at[0]));
    // A machine without IPv6 has one.
    if let Some(v6) = at.get(1) {
        assert_eq!(v6.ip(), IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(v6.port(), at[0].port());
        assert_eq!(list[1].address.to_string(), format!("tcp://{v6}"));
    }
    for (one, at) in list.iter().zip(&at) {
        let client = TcpStream::connect(at).unwrap();
        let served = accept(one);
        assert_eq!(served.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}

#[test]
fn every_interface_is_one_socket_for_both_versions_and_says_so() {
    let list = listening(":0", &ListenOptions::default()).unwrap();
    if cfg!(target_os = "linux") && TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(list.len(), 1);
        let port = addresses(&list)[0].port();
        assert_eq!(list[0].address.to_string(), format!("tcp://:{port}"));
        for ip in ["127.0.0.1", "::1"] {
            let ip: IpAddr = ip.parse().unwrap();
            TcpStream::connect((ip, port)).unwrap();
            accept(&list[0]);
        }
    }
}

#[test]
fn a_family_that_was_asked_for_is_the_only_one() {
    let only = |family| ListenOptions {
        family,
        ..ListenOptions::default()
    };
    let v4 = listening(":0", &only(Family::V4)).unwrap();
    assert_eq!(v4.len(), 1);
    assert!(addresses(&v4)[0].is_ipv4());
    let v4 = listening("localhost:0", &only(Family::V4)).unwrap();
    assert_eq!(v4.len(), 1);
    assert!(addresses(&v4)[0].is_ipv4());
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let v6 = listening(":0", &only(Family::V6)).unwrap();
    assert_eq!(v6.len(), 1);
    let port = addresses(&v6)[0].port();
    assert!(addresses(&v6)[0].is_ipv6());
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // So is what a written-out address says.
    let v6 = listening("[::]:0", &ListenOptions::default()).unwrap();
    assert!(SockRef::from(listener(&v6[0])).only_v6().unwrap());
}

#[test]
fn an_address_that_is_taken_is_an_error_with_advice() {
    let first = listening("127.0.0.1:0", &ListenOptions::default()).unwrap();
    let at = addresses(&first)[0];
    for text in [format!("{at}"), format!("localhost:{}", at.port())] {
        let error = listening(&text, &ListenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("cannot listen on {at}: ")),
            "{said}"
        );
        if cfg!(target_os = "linux") {
            assert!(said.ends_with("address already in use"), "{said}");
        }
        assert!(
            error
                .advice()
                .is_some_and(|h| h.contains("another program"))
        );
    }
}

#[test]
fn an_address_of_another_machine_is_an_error_with_advice() {
    // TEST-NET-3 of RFC 5737: nobody's.
    let error = listening("203.0.113.77:0", &ListenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(
        error
            .to_string()
            .starts_with("cannot listen on 203.0.113.77:0: ")
    );
    assert!(
        error
            .advice()
            .is_some_and(|h| h.contains("address of this machine"))
    );
}

#[test]
fn failures_have_hints_that_fit() {
    let v4 = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let denied = io::Error::from(ErrorKind::PermissionDenied);
    let advice = |port| failure("x", v4(port), &denied).advice().map(str::to_owned);
    assert!(advice(80).is_some_and(|hint| hint.contains("1024")));
    assert_eq!(advice(8888), None);
    assert_eq!(advice(0), None);
}

#[test]
fn only_a_missing_ipv6_is_passed_over() {
    let not_available = io::Error::from(ErrorKind::AddrNotAvailable);
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert!(means_no_ipv6(at("[::1]:1"), &not_available));
    assert!(!means_no_ipv6(at("[2001:db8::1]:1"), &not_available));
    assert!(!means_no_ipv6(at("127.0.0.1:1"), &not_available));
    let in_use = io::Error::from(ErrorKind::AddrInUse);
    assert!(!means_no_ipv6(at("[::1]:1"), &in_use));
    #[cfg(target_os = "linux")]
    {
        let no_family = io::Error::from_raw_os_error(97);
        assert!(means_no_ipv6(at("[2001:db8::1]:1"), &no_family));
        assert!(!means_no_ipv6(at("127.0.0.1:1"), &no_family));
    }
}

#[test]
fn a_server_that_comes_back_gets_its_port_although_connections_are_in_time_wait() {
    let first = listening("127.0.0.1:0", &ListenOptions::default()).unwrap();
    let at = addresses(&first)[0];
    let client = TcpStream::connect(at).unwrap();
    // Our end closes first, and is the one that waits.
    drop(accept(&first[0]));
    assert_eq!(io::Read::read(&mut &client, &mut [0]).unwrap(), 0);
    drop(client);
    drop(first);
    listening(&at.to_string(), &ListenOptions::default()).unwrap();
}

#[test]
fn accepted_sockets_have_the_profile() {
    let options = ListenOptions {
        buffers: Buffers {
            send: Some(20_000),
            recv: Some(30_000),
        },
        ..ListenOptions::default()
    };
    let list = listening("127.0.0.1:0", &options).unwrap();
    let _client = TcpStream::connect(addresses(&list)[0]).unwrap();
    let accepted = accept(&list[0]);
    let socket = SockRef::from(&accepted);
    // At least: Linux doubles it (socket(7)) for its own bookkeeping.
    assert!((20_000..=50_000).contains(&socket.send_buffer_size().unwrap()));
    assert!((30_000..=70_000).contains(&socket.recv_buffer_size().unwrap()));
    if !ACCEPTED_INHERIT {
        set_stream_options(&socket);
    }
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
    }
}

#[test]
fn without_a_wish_the_buffers_are_the_systems() {
    let list = listening("127.0.0.1:0", &ListenOptions::default()).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let (ours, plain) = (SockRef::from(listener(&list[0])), SockRef::from(&plain));
    assert_eq!(
        ours.send_buffer_size().unwrap(),
        plain.send_buffer_size().unwrap()
    );
    assert_eq!(
        ours.recv_buffer_size().unwrap(),
        plain.recv_buffer_size().unwrap()
    );
}

#[test]
fn a_port_is_shared_only_by_those_who_ask_for_it() {
    let shared = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    if !HAS_REUSE_PORT {
        let error = listening("127.0.0.1:0", &shared).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        return;
    }
    let first = listening("127.0.0.1:0", &shared).unwrap();
    let at = addresses(&first)[0].to_string();
    listening(&at, &shared).unwrap();
    listening(&at, &ListenOptions::default()).unwrap_err();
}

#[cfg(unix)]
mod files {
    use super::*;

    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::sync::Barrier;

    struct Place {
        _directory: tempfile::TempDir,
        path: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.sock");
            Self {
                _directory: directory,
                path,
            }
        }

        fn listen(&self) -> Result<Listening> {
            listen_at(&self.path, &ListenOptions::default())
        }
    }

    fn listen_at(path: &Path, options: &ListenOptions) -> Result<Listening> {
        listening(&format!("unix:{}", path.display()), options).map(|mut list| list.pop().unwrap())
    }

    fn serves(path: &Path, one: &Listening) -> bool {
        let ListenerSocket::Unix(listener) = &one.socket else {
            return false;
        };
        // Non-blocking: a connection that was made is there to be accepted.
        UnixStream::connect(path).is_ok() && listener.accept().is_ok()
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_socket_file_is_private_and_goes_with_its_server() {
        let place = Place::new();
        let one = place.listen().unwrap();
        assert_eq!(
            one.address.to_string(),
            format!("unix:{}", place.path.display())
        );
        assert!(serves(&place.path, &one));
        assert_eq!(mode(&place.path), 0o600);
        drop(one);
        let left = fs::read_dir(place.path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 0, "neither the socket nor a lock is left");
    }

    #[test]
    fn other_permissions_can_be_asked_for_whatever_the_umask() {
        for wanted in [0o666, 0o660, 0o000, 0o700] {
            let place = Place::new();
            let options = ListenOptions {
                unix_mode: wanted,
                ..ListenOptions::default()
            };
            let _one = listen_at(&place.path, &options).unwrap();
            assert_eq!(mode(&place.path), wanted);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_is_never_wider_than_asked_for_not_even_before_listen() {
        let place = Place::new();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        unix::limit_permissions(&socket, 0o600).unwrap();
        socket
            .bind(&socket2::SockAddr::unix(&place.path).unwrap())
            .unwrap();
        assert_eq!(mode(&place.path) & !0o600, 0);
    }

    #[test]
    fn what_a_dead_server_left_is_replaced() {
        let place = Place::new();
        drop(UnixListener::bind(&place.path).unwrap());
        assert!(fs::symlink_metadata(&place.path).is_ok(), "std leaves it");
        let one = place.listen().unwrap();
        assert!(serves(&place.path, &one));
        assert_eq!(mode(&place.path), 0o600);
    }

    #[test]
    fn a_live_server_keeps_its_socket() {
        let place = Place::new();
        let one = place.listen().unwrap();
        let error = place.listen().unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on unix:{}: a server is listening there already",
                place.path.display()
            )
        );
        // The look at it left a connection behind that is closed again.
        let ListenerSocket::Unix(listener) = &one.socket else {
            panic!("a Unix socket was asked for");
        };
        listener.accept().unwrap();
        assert!(serves(&place.path, &one));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_live_server_with_a_full_backlog_keeps_its_socket_too() {
        let place = Place::new();
        let options = ListenOptions {
            backlog: 0,
            ..ListenOptions::default()
        };
        let one = listen_at(&place.path, &options).unwrap();
        let _waiting = UnixStream::connect(&place.path).unwrap();
        let error = place.listen().unwrap_err().to_string();
        assert!(
            error.ends_with("a server is listening there already"),
            "{error}"
        );
        drop(one);
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let place = Place::new();
        fs::write(&place.path, "precious").unwrap();
        let error = place.listen().unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&place.path).unwrap(), "precious");

        let place = Place::new();
        let target = place.path.with_extension("target");
        drop(UnixListener::bind(&target).unwrap());
        std::os::unix::fs::symlink(&target, &place.path).unwrap();
        place.listen().unwrap_err();
        assert!(fs::symlink_metadata(&place.path).unwrap().is_symlink());
        assert!(
            fs::symlink_metadata(&target)
                .unwrap()
                .file_type()
                .is_socket()
        );
    }

    #[test]
    fn a_file_that_only_looks_like_our_lock_is_not_removed() {
        let place = Place::new();
        let lookalike = place.path.with_extension("sock.sockkit-lock");
        fs::write(&lookalike, "precious").unwrap();
        drop(place.listen().unwrap());
        assert_eq!(fs::read_to_string(&lookalike).unwrap(), "precious");
        assert!(!place.path.exists());
    }

    #[test]
    fn a_socket_of_another_type_is_left_alone() {
        let place = Place::new();
        let _datagrams = UnixDatagram::bind(&place.path).unwrap();
        place.listen().unwrap_err();
        assert!(
            fs::symlink_metadata(&place.path)
                .unwrap()
                .file_type()
                .is_socket()
        );
    }

    #[test]
    fn a_file_that_is_no_longer_ours_is_not_removed() {
        let place = Place::new();
        let one = place.listen().unwrap();
        fs::remove_file(&place.path).unwrap();
        let other = UnixListener::bind(&place.path).unwrap();
        let inode = fs::symlink_metadata(&place.path).unwrap().ino();
        drop(one);
        assert_eq!(fs::symlink_metadata(&place.path).unwrap().ino(), inode);
        drop(other);
    }

    #[test]
    fn a_directory_that_is_missing_is_an_error_with_advice() {
        let place = Place::new();
        let error = listen_at(&place.path.join("x"), &ListenOptions::default()).unwrap_err();
        assert!(
            error.advice().is_some_and(|h| h.contains("directory")),
            "{error}"
        );
    }

    #[test]
    fn of_many_that_start_at_once_one_gets_the_socket_and_keeps_it() {
        const SERVERS: usize = 8;
        for _ in 0..8 {
            let place = Place::new();
            drop(UnixListener::bind(&place.path).unwrap());
            let start = Barrier::new(SERVERS);
            let results: Vec<_> = std::thread::scope(|scope| {
                let servers: Vec<_> = (0..SERVERS)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            place.listen()
                        })
                    })
                    .collect();
                servers.into_iter().map(|s| s.join().unwrap()).collect()
            });
            let mut winners = results.into_iter().flatten();
            let winner = winners.next().unwrap();
            assert!(winners.next().is_none(), "two servers on one path");
            let ListenerSocket::Unix(listener) = &winner.socket else {
                panic!("a Unix socket was asked for");
            };
            // The losers' looks come first.
            for _ in 1..SERVERS {
                listener.accept().unwrap();
            }
            assert!(serves(&place.path, &winner));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_name_is_had_by_one() {
        let name = format!("unix:@sockkit-test-{}-abstract", std::process::id());
        let one = listening(&name, &ListenOptions::default()).unwrap();
        assert!(one[0].file.is_none());
        let error = listening(&name, &ListenOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on {name}: a server is listening there already")
        );
        drop(one);
        listening(&name, &ListenOptions::default()).unwrap();
    }
}
