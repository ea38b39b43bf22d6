//! The chat over TLS, end to end: who is trusted and who is not, what is kept, and what is tried to break it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind, StreamOwned};
use tempfile::TempDir;

#[cfg(unix)]
use crate::support::certificates::reload;
use crate::support::certificates::{Ca, Files, Flaw, fingerprint, impostor};
use crate::support::{Nc, Server, run_with, sockkit, stderr, text};

/// A server on a `tls://` and a plain address, with this certificate.
fn server(files: &Files, arguments: &[&str]) -> Server {
    let mut command = server_command(files);
    command.args(arguments);
    Server::from_command(&mut command, 2)
}

fn server_command(files: &Files) -> Command {
    sockkit(&[
        "serve-chat",
        "tls://127.0.0.1:0",
        "127.0.0.1:0",
        "--cert",
        text(&files.certificate),
        "--key",
        text(&files.key),
    ])
}

/// Its address by the name that the certificate has.
fn by_name(server: &Server) -> String {
    server.address().replace("127.0.0.1", "localhost")
}

fn socket_address(server: &Server, index: usize) -> std::net::SocketAddr {
    let (_, address) = server.addresses[index].split_once("://").expect("a scheme");
    address.parse().expect("an address")
}

/// Says a line and leaves, with more arguments.
fn say(address: &str, arguments: &[&str]) -> Output {
    let mut all = vec!["chat", address, "--send", "hello"];
    all.extend(arguments);
    run_with(&all, "")
}

/// The same with a place for what is remembered.
fn say_from(state: &TempDir, address: &str, arguments: &[&str]) -> Output {
    let mut command = sockkit(&["chat", address, "--send", "hello"]);
    command.args(arguments).env("XDG_STATE_HOME", state.path());
    command.output().expect("it runs")
}

/// A server with a certificate of its own, kept in `state`; and its fingerprint.
fn self_signed(state: &TempDir, arguments: &[&str]) -> (Server, String) {
    let mut command = sockkit(&["serve-chat", "tls://127.0.0.1:0", "--self-signed"]);
    command.args(arguments).env("XDG_STATE_HOME", state.path());
    let run = crate::support::Running::start(&mut command);
    let fingerprint = fingerprint(&run.stderr.until("the certificate is"));
    let line = run.stderr.until("listening on ");
    let (_, address) = line.split_once("listening on ").expect("a ready line");
    let addresses = vec![address.to_string()];
    (Server { run, addresses }, fingerprint)
}

#[test]
fn plain_members_and_those_of_both_versions_of_tls_talk_to_each_other() {
    let ca = Ca::new();
    let server = server(&ca.server("server", Flaw::None), &[]);
    let mut ann = Nc::connect(socket_address(&server, 1)).called("ann");
    let mut bob = ca.connect(socket_address(&server, 0), &TLS13).called("bob");
    let mut eve = ca.connect(socket_address(&server, 0), &TLS12).called("eve");
    bob.types("hello from TLS 1.3\n");
    assert_eq!(ann.until("<bob>"), "<bob> hello from TLS 1.3");
    assert_eq!(eve.until("<bob>"), "<bob> hello from TLS 1.3");
    eve.types("hello from TLS 1.2\n");
    assert_eq!(bob.until("<eve>"), "<eve> hello from TLS 1.2");
    let long = "x".repeat(4000);
    ann.types(&format!("{long}\n"));
    assert_eq!(bob.until("<ann>"), format!("<ann> {long}"));
    let output = say(
        &by_name(&server),
        &["--ca", text(&ca.path()), "--nick", "ci", "-v"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    let agreed = said.lines().find(|line| line.contains("agreed in"));
    assert!(
        agreed.is_some_and(|line| line.contains("on TLS 1.3 with TLS13_")),
        "{said}"
    );
    assert_eq!(bob.until("<ci>"), "<ci> hello");
}

#[test]
fn only_a_right_certificate_of_the_ca_is_trusted() {
    let ca = Ca::new();
    for (flaw, status, why) in [
        (Flaw::None, 0, ""),
        (Flaw::Expired, 5, "it has expired"),
        (Flaw::NotValidYet, 5, "it is not valid yet"),
        (Flaw::OtherName, 5, "it is for another name"),
        (Flaw::OtherUse, 5, "it is not meant for this use"),
    ] {
        let server = server(&ca.server("server", flaw), &[]);
        let output = say(&by_name(&server), &["--ca", text(&ca.path())]);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{flaw:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(why),
            "{flaw:?}: {}",
            stderr(&output)
        );
    }
    let server = server(&ca.server("server", Flaw::None), &[]);
    let other = Ca::new();
    let output = say(&by_name(&server), &["--ca", text(&other.path())]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    // The name is the host's unless another one is expected.
    let elsewhere = self::server(&ca.server("elsewhere", Flaw::OtherName), &[]);
    let roots = ca.path();
    let name = ["--ca", text(&roots), "--server-name", "elsewhere.example"];
    let output = say(&by_name(&elsewhere), &name);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// What everybody may have is the certificate; the server has to show that it has the key.
#[test]
fn a_certificate_without_its_key_is_worth_nothing_by_whatever_it_is_trusted() {
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let roots = ca.path();
    let pem = std::fs::read(&files.certificate).expect("readable");
    let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    let known = sockkit::core::secure::Fingerprint::of(&der).to_string();
    for version in [&TLS13, &TLS12] {
        let address = impostor(&files, version);
        let address = format!("tls://localhost:{}", address.port());
        for trust in [
            &["--ca", text(&roots)][..],
            &["--fingerprint", &known],
            &["--insecure"],
        ] {
            let output = say(&address, trust);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(5), "{trust:?}: {said}");
            assert!(said.contains("its signature is wrong"), "{trust:?}: {said}");
        }
    }
}

/// On Linux and the BSDs the system's roots are in a file, of which SSL_CERT_FILE says where it is.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[test]
fn the_roots_of_the_system_are_as_strict() {
    let ca = Ca::new();
    for (flaw, status, why) in [
        (Flaw::None, 0, ""),
        (Flaw::Expired, 5, "it has expired"),
        (Flaw::NotValidYet, 5, "it is not valid yet"),
        (Flaw::OtherName, 5, "it is for another name"),
        (Flaw::OtherUse, 5, "it is not meant for this use"),
    ] {
        let server = server(&ca.server("server", flaw), &[]);
        let mut command = sockkit(&["chat", &by_name(&server), "--send", "hello"]);
        command.env("SSL_CERT_FILE", ca.path());
        let output = command.output().expect("it runs");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{flaw:?}: {said}");
        assert!(said.contains(why), "{flaw:?}: {said}");
    }
}

/// A ticket or a session that is kept would be one more secret to steal.
#[test]
fn no_session_is_taken_up_again() {
    let ca = Ca::new();
    let server = server(&ca.server("server", Flaw::None), &[]);
    for version in [&TLS13, &TLS12] {
        let config = ca.client_config(version);
        for _ in 0..2 {
            let name = ServerName::try_from("localhost").expect("a name");
            let connection = ClientConnection::new(Arc::clone(&config), name).expect("a client");
            let socket = TcpStream::connect(socket_address(&server, 0)).expect("it listens");
            let mut stream = StreamOwned::new(connection, socket);
            // Tickets come before what is said.
            stream.read_exact(&mut [0]).expect("a greeting");
            assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(stream.conn.tls13_tickets_received(), 0);
        }
    }
}

#[test]
fn a_self_signed_server_is_trusted_by_its_fingerprint_which_stays_the_same() {
    let state = tempfile::tempdir().expect("a directory");
    let (first, known) = self_signed(&state, &[]);
    let output = say(first.address(), &["--fingerprint", &known]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // As `openssl x509 -fingerprint` writes it.
    let digits = known.trim_start_matches("sha256:").to_uppercase();
    let pairs: Vec<&str> = (0..64).step_by(2).map(|at| &digits[at..at + 2]).collect();
    let output = say(first.address(), &["--fingerprint", &pairs.join(":")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let other = format!("sha256:{}", "0".repeat(64));
    let output = say(first.address(), &["--fingerprint", &other]);
    assert_eq!(output.status.code(), Some(5));
    assert!(
        stderr(&output).contains("another fingerprint"),
        "{}",
        stderr(&output)
    );
    drop(first);

    let (_second, again) = self_signed(&state, &[]);
    assert_eq!(again, known);
    let (_third, ephemeral) = self_signed(&state, &["--ephemeral"]);
    assert_ne!(ephemeral, known);
    let (_fourth, kept) = self_signed(&state, &[]);
    assert_eq!(kept, known, "an ephemeral one is not kept");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = state.path().join("sockkit").join("self-signed.pem");
        let mode = std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn in_a_script_a_server_that_nobody_vouches_for_is_refused_and_nothing_is_remembered() {
    let state = tempfile::tempdir().expect("a directory");
    let (server, known) = self_signed(&state, &[]);
    let client = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let output = say_from(&client, server.address(), &[]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert!(stderr(&output).contains("nobody who is trusted has signed it"));
        assert!(stderr(&output).contains(&format!("--fingerprint {known}")));
    }
    assert_eq!(client.path().read_dir().expect("read").count(), 0);
}

#[test]
fn a_server_that_was_trusted_is_known_and_a_change_is_refused_loudly() {
    let state = tempfile::tempdir().expect("a directory");
    let (server, known) = self_signed(&state, &[]);
    let client = tempfile::tempdir().expect("a directory");
    let file = client.path().join("sockkit").join("known_servers");
    std::fs::create_dir(file.parent().expect("a directory")).expect("made");
    let place = server.address().trim_start_matches("tls://").to_string();
    std::fs::write(&file, format!("{place} {known}\n")).expect("written");
    let output = say_from(&client, server.address(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let before = format!("sha256:{}", "1".repeat(64));
    std::fs::write(&file, format!("{place} {before}\n")).expect("written");
    let output = say_from(&client, server.address(), &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("HAS CHANGED"), "{said}");
    assert!(said.contains(&before) && said.contains(&known), "{said}");
    assert!(said.contains("known_servers"), "{said}");
}

#[test]
fn insecure_works_and_warns_each_time() {
    let state = tempfile::tempdir().expect("a directory");
    let (server, _) = self_signed(&state, &[]);
    for arguments in [
        ["--insecure"].as_slice(),
        &["--insecure"],
        &["--insecure", "-q"],
    ] {
        let output = say(server.address(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("warning: --insecure"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_server_that_asks_for_certificates_lets_in_only_those_of_its_ca() {
    let ca = Ca::new();
    let server = server(
        &ca.server("server", Flaw::None),
        &["--client-ca", text(&ca.path())],
    );
    let address = by_name(&server);
    let roots = ca.path();
    let trust = ["--ca", text(&roots)];
    let with = |files: &Files| {
        let mut all = trust.to_vec();
        all.extend(["--client-cert", text(&files.certificate)]);
        all.extend(["--client-key", text(&files.key)]);
        say(&address, &all)
    };
    let output = with(&ca.client("right", Flaw::None));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let stranger = Ca::new();
    for output in [
        say(&address, &trust),
        with(&ca.client("late", Flaw::Expired)),
        with(&ca.client("other", Flaw::OtherUse)),
        with(&stranger.client("stranger", Flaw::None)),
    ] {
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
    assert!(server.run.stdout.until("no TLS").contains("127.0.0.1:"));
}

#[cfg(unix)]
#[test]
fn a_hang_up_reads_the_certificate_again_and_a_broken_file_changes_nothing() {
    use rustix::process::Signal;
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let mut server = server(&files, &[]);
    let mut bob = ca.connect(socket_address(&server, 0), &TLS13).called("bob");
    let address = socket_address(&server, 0);
    let now = reload(&mut server.run, &ca, &files, || {
        ca.connect(address, &TLS13).called("eve");
    });
    let output = say(server.address(), &["--fingerprint", &now]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // Who was in stays in.
    assert_eq!(
        bob.until("hello").split_once(' ').map(|(_, said)| said),
        Some("hello")
    );
    server.run.signal(Signal::TERM);
    bob.until("shutting down");
    bob.rest();
    assert_eq!(server.run.ends(), 143);
}

/// A server with a certificate of its own, whose fingerprint stays, asks clients for theirs: of a CA whose file changes.
#[cfg(unix)]
#[test]
fn a_hang_up_reads_the_clients_ca_again_when_it_alone_has_changed() {
    use rustix::process::Signal;
    let state = tempfile::tempdir().expect("a directory");
    let (before, after) = (Ca::new(), Ca::new());
    let path = state.path().join("clients.pem");
    std::fs::copy(before.path(), &path).expect("copied");
    let (server, known) = self_signed(&state, &["--ephemeral", "--client-ca", text(&path)]);
    let (old, new) = (
        before.client("old", Flaw::None),
        after.client("new", Flaw::None),
    );
    let status = |files: &Files| {
        let output = say(
            server.address(),
            &[
                "--fingerprint",
                &known,
                "--client-cert",
                text(&files.certificate),
                "--client-key",
                text(&files.key),
            ],
        );
        (output.status.code(), stderr(&output))
    };
    assert_eq!(status(&old).0, Some(0));
    assert_eq!(status(&new).0, Some(5));
    std::fs::write(&path, "no certificate").expect("written");
    server.run.signal(Signal::HUP);
    let said = server.run.stderr.until("clients.pem");
    assert!(said.contains("there is none in it"), "{said}");
    server.run.stderr.until("whose clients come in");
    assert_eq!(status(&old).0, Some(0));
    std::fs::copy(after.path(), &path).expect("copied");
    server.run.signal(Signal::HUP);
    server.run.stderr.until("--client-ca was read again");
    let (code, said) = status(&new);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(status(&old).0, Some(5));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).expect("set");
    let run = crate::support::Running::start(&mut server_command(&files));
    let warning = run.stderr.until("warning: ");
    assert!(
        warning.contains("others than its owner may read"),
        "{warning}"
    );
    assert!(warning.contains(text(&files.key)), "{warning}");
}

#[test]
fn files_that_are_no_certificates_are_said_to_be_none() {
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let (certificate, key) = (text(&files.certificate), text(&files.key));
    let missing = ca.dir.path().join("missing");
    for (arguments, status, why) in [
        (
            vec!["--cert", text(&missing), "--key", key],
            1,
            "cannot read the certificate in",
        ),
        (
            vec!["--cert", certificate, "--key", text(&missing)],
            1,
            "cannot read the private key in",
        ),
        (vec!["--cert", key, "--key", key], 1, "there is none in it"),
        (
            vec!["--cert", certificate, "--key", certificate],
            1,
            "cannot use the private key in",
        ),
        (vec![], 2, "a tls:// address needs a certificate"),
    ] {
        let mut all = vec!["serve-chat", "tls://127.0.0.1:0"];
        all.extend(arguments);
        let output = run_with(&all, "");
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(why), "{why}: {}", stderr(&output));
    }
}

#[test]
fn clients_that_say_nothing_or_nonsense_keep_nobody_out() {
    let ca = Ca::new();
    let server = server(&ca.server("server", Flaw::None), &[]);
    let address = socket_address(&server, 0);
    let silent: Vec<TcpStream> = (0..500)
        .map(|_| TcpStream::connect(address).expect("accepted"))
        .collect();
    let mut bob = ca.connect(address, &TLS13).called("bob");
    // The first record says that it is a handshake of 60,000 bytes, and goes on without end.
    let mut giant = TcpStream::connect(address).expect("accepted");
    let mut hello = Vec::new();
    for number in 0..8u32 {
        hello.extend([22, 3, 1, 0x40, 0]);
        let mut body = vec![7; 0x4000];
        if number == 0 {
            body[..6].copy_from_slice(&[1, 0, 0xea, 0x60, 3, 3]);
        }
        hello.extend(body);
    }
    // It is closed in the middle.
    let _ = giant.write_all(&hello);
    let mut rest = Vec::new();
    let _ = giant.read_to_end(&mut rest);
    assert!(rest.len() < 100, "{rest:?}");
    let mut nonsense = TcpStream::connect(address).expect("accepted");
    nonsense.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let _ = nonsense.read_to_end(&mut rest);
    let refused = server.run.stdout.until("no TLS");
    assert!(refused.contains("127.0.0.1:"), "{refused}");
    server.run.stdout.until("no TLS");
    let mut eve = ca.connect(address, &TLS12).called("eve");
    bob.types("still here\n");
    assert_eq!(eve.until("<bob>"), "<bob> still here");
    drop(silent);
}

#[test]
fn an_abrupt_end_is_told_from_a_clean_one() {
    let ca = Ca::new();
    let server = server(&ca.server("server", Flaw::None), &[]);
    let address = socket_address(&server, 0);
    let mut bob = ca.connect(address, &TLS13).called("bob");
    let mut eve = ca.connect(address, &TLS13).called("eve");
    bob.types("the last words without a line end");
    bob.says_goodbye();
    let heard = eve.until("<bob>");
    assert_eq!(heard, "<bob> the last words without a line end");
    // The server closes its direction in the same way.
    bob.rest();
    eve.types("these are cut off");
    eve.socket()
        .shutdown(std::net::Shutdown::Write)
        .expect("closed");
    let left = server.run.stdout.until("bob from");
    assert!(left.ends_with("left: left"), "{left}");
    let left = server.run.stdout.until("eve from");
    assert!(left.ends_with("left: lost connection"), "{left}");
    // In the middle of a record: it says 100 bytes and has three.
    let mut zoe = ca.connect(address, &TLS13).called("zoe");
    let socket = zoe.socket();
    socket
        .write_all(&[23, 3, 3, 0, 100, 1, 2, 3])
        .expect("sent");
    socket.shutdown(std::net::Shutdown::Write).expect("closed");
    let left = server.run.stdout.until("zoe from");
    assert!(left.ends_with("left: lost connection"), "{left}");
}

#[test]
fn tls_and_plain_that_meet_each_other_say_so() {
    let ca = Ca::new();
    let server = server(&ca.server("server", Flaw::None), &[]);
    let plain = server.addresses[1].replace("tcp://", "tls://");
    let output = say(&plain, &["--insecure"]);
    let said = stderr(&output);
    assert!(matches!(output.status.code(), Some(6 | 1 | 4)), "{said}");
    assert!(said.contains("cannot agree on TLS with"), "{said}");
    let secure = server.address().replace("tls://", "tcp://");
    let output = say(&secure, &[]);
    assert!(!output.status.success());
}

#[test]
fn a_password_is_hidden_by_tls_and_its_absence_is_told() {
    let ca = Ca::new();
    let files = ca.server("server", Flaw::None);
    let mut command = sockkit(&["serve-chat", "0.0.0.0:0"]);
    command.env("SOCKKIT_PASSWORD", "open sesame");
    let run = crate::support::Running::start(&mut command);
    let warning = run.stderr.until("warning: ");
    assert!(warning.contains("sent in the clear"), "{warning}");
    drop(run);
    let mut command = sockkit(&[
        "serve-chat",
        "tls://0.0.0.0:0",
        "--cert",
        text(&files.certificate),
        "--key",
        text(&files.key),
    ]);
    command.env("SOCKKIT_PASSWORD", "open sesame");
    let run = crate::support::Running::start(&mut command);
    assert!(run.stderr.next().contains("the certificate is"));
    assert!(run.stderr.next().contains("listening on"));
}
