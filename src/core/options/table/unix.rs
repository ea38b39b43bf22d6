//! Unix sockets of the BSDs and macOS; those of Linux are at `SOL_SOCKET`.

use crate::core::options::form::Form::{Flag, Int, Struct};
use crate::core::options::form::Unit;
use crate::core::options::info::Level::Local;
use crate::core::options::info::{On, OptionInfo, option};

/// The rows, a paragraph each.
#[rustfmt::skip]
pub(super) static UNIX: &[OptionInfo] = &[
    option("LOCAL_PEERCRED", Local, Struct("xucred"))
        .macos(1).freebsd(1).dragonfly(1).on(On::UNIX_STREAM).read_only()
        .says("User and groups of the peer.", "unix(4)"),
    option("LOCAL_PEERPID", Local, Int(Unit::None))
        .macos(2).on(On::UNIX_STREAM).read_only()
        .says("The process at the other end.", "sys/un.h of macOS"),
    option("LOCAL_PEEREPID", Local, Int(Unit::None))
        .macos(3).on(On::UNIX_STREAM).read_only()
        .says("The process on whose behalf the other end acts.", "sys/un.h of macOS"),
    option("LOCAL_PEERUUID", Local, Struct("uuid_t"))
        .macos(4).on(On::UNIX_STREAM).read_only()
        .says("The program at the other end.", "sys/un.h of macOS"),
    option("LOCAL_PEEREUUID", Local, Struct("uuid_t"))
        .macos(5).on(On::UNIX_STREAM).read_only()
        .says("The program on whose behalf the other end acts.", "sys/un.h of macOS"),
    option("LOCAL_PEERTOKEN", Local, Struct("audit_token_t"))
        .macos(6).on(On::UNIX_STREAM).read_only()
        .says("The audit token of the peer.", "sys/un.h of macOS"),
    option("LOCAL_PEEREID", Local, Struct("unpcbid"))
        .netbsd(3).on(On::UNIX_STREAM).read_only()
        .says("Process, user and group of the peer.", "unix(4) of NetBSD"),
    option("LOCAL_CREDS", Local, Flag)
        .freebsd(2).netbsd(4).on(On::UNIX)
        .says("Receives the sender's credentials beside the first message.", "unix(4)"),
    option("LOCAL_CREDS_PERSISTENT", Local, Flag)
        .freebsd(3).on(On::UNIX)
        .says("Receives the sender's credentials beside every message.", "unix(4) of FreeBSD"),
    option("LOCAL_CONNWAIT", Local, Flag)
        .freebsd(4).netbsd(2).on(On::UNIX_STREAM)
        .says("Connect waits until the server accepts.", "unix(4)"),
];
