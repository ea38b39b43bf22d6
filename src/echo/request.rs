//! From what was typed to what the server is: addresses, and a [`Config`] that contradicts nothing.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};

use crate::cli::{self, EchoArgs, Size};
use crate::core::address::{Address, Endpoint, Host, Port, Scheme, UnixName, Use};
use crate::core::datagram::contract::Correspondent;
use crate::core::datagram::open;
use crate::echo::chaos::Chaos;
use crate::echo::config::{Config, Rate, Tells};
use crate::echo::lines::Additions;
use crate::error::{Error, Kind, Result};
use crate::ui::Ui;

/// The port of an address without one. Echo's own, 7, is for privileged users.
const DEFAULT_PORT: u16 = 8887;

/// Those of streams, and those of datagrams.
pub fn parse_addresses(texts: &[String]) -> Result<(Vec<Address>, Vec<Address>)> {
    let purpose = Use::Listen {
        default_port: DEFAULT_PORT,
    };
    let mut streams = Vec::new();
    let mut datagrams = Vec::new();
    for text in texts {
        let address = Address::parse(text, purpose)?;
        match address.scheme() {
            Scheme::Tcp | Scheme::Tls => streams.push(address),
            Scheme::Udp => datagrams.push(address),
        }
    }
    Ok((streams, datagrams))
}

/// What would be asked for in vain is a mistake.
pub fn check(
    args: &EchoArgs,
    config: &Config,
    streams: &[Address],
    datagrams: &[Address],
) -> Result<()> {
    let for_nothing = |option: &str, what: &str| {
        Err(Error::new(
            Kind::Usage,
            format!("{option} is for {what}, and there is no such address"),
        ))
    };
    let chaos = &args.chaos;
    let of_datagrams = [
        ("--drop", chaos.drop.is_some()),
        ("--duplicate", chaos.duplicate.is_some()),
        ("--reorder", chaos.reorder.is_some()),
        ("--join", !args.join.is_empty()),
    ];
    let of_streams = [
        ("--rate", chaos.rate.is_some()),
        ("--slice", chaos.slice.is_some()),
        ("--stall-after", chaos.stall_after.is_some()),
        ("--reset-after", chaos.reset_after.is_some()),
        ("--truncate-after", chaos.truncate_after.is_some()),
        ("--close-after", chaos.close_after.is_some()),
        ("--threads", args.threads > 1),
    ];
    for (option, given) in of_datagrams {
        if given && datagrams.is_empty() {
            return for_nothing(option, "datagrams");
        }
    }
    for (option, given) in of_streams {
        if given && streams.is_empty() {
            return for_nothing(option, "connections");
        }
    }
    if !args.join.is_empty() && datagrams.iter().all(Address::is_unix) {
        return for_nothing("--join", "UDP");
    }
    if chaos.seed.is_some() && config.chaos == Chaos::default() {
        return Err(Error::new(
            Kind::Usage,
            "--seed decides how to misbehave, and no misbehaviour is asked for",
        ));
    }
    Ok(())
}

/// A group that none of the sockets hears would be waited for in vain.
pub fn check_groups<'a>(
    args: &EchoArgs,
    bound: impl Iterator<Item = &'a Address> + Clone,
) -> Result<()> {
    for group in &args.join {
        let heard = bound
            .clone()
            .filter_map(socket_address)
            .any(|at| open::hears(at, group));
        if !heard {
            let version = if group.ip.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "none of the addresses hears the group {}: it takes a socket of {version} on every interface",
                    group.ip
                ),
            )
            .hint("listen on udp://:PORT"));
        }
    }
    Ok(())
}

/// What the server was asked for.
pub fn config(ui: &Ui, args: &EchoArgs) -> Result<Config> {
    Ok(Config {
        chaos: chaos(&args.chaos),
        seed: match args.chaos.seed {
            Some(seed) => seed,
            // Small enough for readers of JSON whose numbers are doubles, and to be typed again.
            None => random_number()? >> 32,
        },
        additions: Additions {
            timestamp: args.timestamp,
            prefix: args.prefix.clone(),
        },
        max_bytes: args.max_bytes.map(Size::bytes),
        idle_timeout: args.idle_timeout.get(),
        source_rate: args.source_rate.get().map(|rate| {
            let number = |number: NonZeroU32| f64::from(number.get());
            Rate {
                per_second: number(rate.per_second),
                burst: number(rate.burst),
            }
        }),
        tells: Tells {
            connections: !ui.quiet(),
            // By the thousand a second, so a person has to ask for it.
            datagrams: !ui.quiet() && (ui.json() || ui.verbosity() > 0),
            bytes: args.hex,
        },
    })
}

fn chaos(args: &cli::ChaosArgs) -> Chaos {
    let bytes = |size: Option<Size>| size.map(Size::bytes);
    Chaos {
        delay: args.delay.unwrap_or_default(),
        jitter: args.jitter.unwrap_or_default(),
        rate: bytes(args.rate).and_then(NonZeroU64::new),
        slice: args
            .slice
            .and_then(|size| NonZeroUsize::new(size.as_usize())),
        stall_after: bytes(args.stall_after),
        reset_after: bytes(args.reset_after),
        truncate_after: bytes(args.truncate_after),
        close_after: bytes(args.close_after),
        corrupt: args.corrupt.unwrap_or_default(),
        drop: args.drop.unwrap_or_default(),
        duplicate: args.duplicate.unwrap_or_default(),
        reorder: args.reorder.unwrap_or_default(),
    }
}

/// A number from the system.
pub fn random_number() -> Result<u64> {
    getrandom::u64()
        .map_err(|error| Error::new(Kind::Other, "the system has no random numbers").because(error))
}

/// Who a bound datagram socket is to whom it answers.
pub fn correspondent(address: &Address) -> Option<Correspondent> {
    match address.endpoint() {
        #[cfg(unix)]
        Endpoint::Unix(UnixName::Path(path)) => {
            use std::os::unix::ffi::OsStrExt;
            Some(Correspondent::Unix(path.as_os_str().as_bytes().into()))
        }
        Endpoint::Unix(UnixName::Abstract(name)) => {
            let name = [b"\0", name.as_bytes()].concat();
            Some(Correspondent::Unix(name.into()))
        }
        _ => socket_address(address).map(Correspondent::Inet),
    }
}

/// The address of a bound UDP socket.
fn socket_address(address: &Address) -> Option<std::net::SocketAddr> {
    match address.endpoint() {
        Endpoint::Inet {
            host,
            port: Port::Number(port),
        } => match host {
            Host::V4(ip) => Some((*ip, *port).into()),
            Host::V6(ip, _) => Some((*ip, *port).into()),
            Host::Any | Host::Name(_) => None,
        },
        _ => None,
    }
}
