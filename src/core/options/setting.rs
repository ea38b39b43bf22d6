//! `NAME=VALUE`: what was asked of a socket, and what the kernel granted.

use std::fmt;
use std::io;

use socket2::Socket;

use crate::core::options::info::{Access, On, OptionInfo, Platform, When};
use crate::core::options::lookup::{NotFound, find};
use crate::core::options::value::{Interface, Value};
use crate::core::options::{Missing, layout, read, sys, sysctl, why};
use crate::core::resolve::interface_index;
use crate::error::{Error, Kind, Result};

/// An option of this system, and a value of its shape.
#[derive(Debug, Clone)]
pub struct Setting {
    option: &'static OptionInfo,
    value: Value,
}

impl Setting {
    /// Reads `NAME=VALUE`; of an option that is on or off, `NAME` alone means on.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`] for a name that is unknown, that several options share, or that this system does not have,
    /// for what can only be read, and for a value that is none.
    pub fn parse(text: &str) -> Result<Setting> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let option = find(name).map_err(|why| not_found(name, &why))?;
        let refuse = |why: String| {
            Error::new(Kind::Usage, format!("cannot set {}", option.name)).because(why)
        };
        if option.here().is_none() {
            let has: Vec<&str> = option.platforms().map(Platform::name).collect();
            return Err(refuse(format!(
                "it is not available on {}, but on {}",
                Platform::name_here(),
                has.join(", ")
            )));
        }
        if option.access == Access::ReadOnly {
            return Err(refuse("it can only be read".into()));
        }
        if option.pointer {
            return Err(refuse(
                "its value holds a pointer, which no text can".into(),
            ));
        }
        let value = match value {
            Some(value) => Value::parse(option.form, value).map_err(refuse)?,
            None => Value::parse(option.form, "on")
                .ok()
                .filter(|value| *value == Value::Flag(true))
                .ok_or_else(|| {
                    refuse(format!("its value is missing, {}", option.form.describe()))
                })?,
        };
        Ok(Setting { option, value })
    }

    /// The option.
    pub fn option(&self) -> &'static OptionInfo {
        self.option
    }

    /// What it is to be.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Sets it, at once and whatever kind of socket this is.
    ///
    /// # Errors
    ///
    /// As [`Settings::apply`].
    pub fn apply(&self, socket: &Socket) -> Result<()> {
        let cannot = || Error::new(Kind::Unreachable, format!("cannot set {self}"));
        let value = self.resolved().map_err(|why| cannot().because(why))?;
        let (Some(here), Some((level, number))) = (Platform::HERE, self.option.here()) else {
            return Err(cannot().because("this system does not have it"));
        };
        let Some(bytes) = layout::encode(self.option.form, &value, here, self.option.octet) else {
            return Err(cannot().because("this system cannot be told that"));
        };
        sys::set(socket, level, number, &bytes).map_err(|error| {
            let hint = self.hint(&error, socket);
            let failed = cannot().because(error);
            match hint {
                Some(hint) => failed.hint(hint),
                None => failed,
            }
        })
    }

    /// With the index of the interface that it names.
    fn resolved(&self) -> Result<Value, String> {
        let mut value = self.value.clone();
        if let Some(interface) = value.interface()
            && let Interface::Name(name) = interface
        {
            let index = interface_index(name)
                .map_err(|_| format!("there is no interface called {name}"))?;
            *interface = Interface::Index(index);
        }
        Ok(value)
    }

    fn hint(&self, error: &io::Error, socket: &Socket) -> Option<String> {
        let option = self.option;
        let here =
            |what: &str, list: &str| sysctl::text(list).map(|list| format!("{what} here: {list}"));
        match (Missing::from_error(error), option.name) {
            (Missing::Denied, "TCP_CONGESTION") => here(
                "without CAP_NET_ADMIN there are",
                "net.ipv4.tcp_allowed_congestion_control",
            ),
            (Missing::Denied, _) => option.needs.map(|needs| format!("it needs {needs}")),
            // What can be read is known, and something else is in the way.
            (Missing::Unsupported, _)
                if read(socket, super::kind_of(socket), option).is_ok()
                    && option.access == Access::Both =>
            {
                Some(self.page())
            }
            (Missing::Unsupported, _) => Some(match option.since {
                Some(since) => format!("this kernel does not know it; it is there since {since}"),
                None => "this kernel does not know it".to_owned(),
            }),
            (Missing::NotApplicable, "TCP_CONGESTION") => {
                here("available", "net.ipv4.tcp_available_congestion_control")
            }
            (Missing::NotApplicable, "TCP_ULP") => here("available", "net.ipv4.tcp_available_ulp"),
            (Missing::NotApplicable, _) if error.kind() == io::ErrorKind::NotConnected => {
                Some("it can only be set on a connected socket".into())
            }
            (Missing::NotApplicable, _) if error.kind() == io::ErrorKind::InvalidInput => {
                Some(match option.range_here() {
                    Some(range) => format!("it takes {range}"),
                    None => self.page(),
                })
            }
            (Missing::NotApplicable, _) => None,
        }
    }

    fn page(&self) -> String {
        format!("sockkit inspect --explain {} has more", self.option.name)
    }
}

impl fmt::Display for Setting {
    /// `SO_RCVBUF to 1MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {}",
            self.option.name,
            self.value.show(self.option.form)
        )
    }
}

/// What to say of a name that is none.
pub fn not_found(name: &str, why: &NotFound) -> Error {
    let name = crate::core::address::quoted(name);
    match why {
        NotFound::Unknown(near) => {
            let error = Error::new(Kind::Usage, format!("there is no socket option {name}"));
            match near.is_empty() {
                true => error.hint("sockkit inspect --explain lists all"),
                false => error.hint(format!("did you mean {}?", near.join(", "))),
            }
        }
        NotFound::Ambiguous(several) => Error::new(
            Kind::Usage,
            format!(
                "several socket options are called {name}: {}",
                several.join(", ")
            ),
        ),
    }
}

/// What was asked of the sockets of a command, in order.
#[derive(Debug, Clone, Default)]
pub struct Settings(Vec<Setting>);

/// Why a socket could not be opened.
#[derive(Debug)]
pub enum Unopened {
    /// The system says so.
    Io(io::Error),
    /// An option could not be set.
    Setting(Error),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Unopened::Io(error)
    }
}

impl From<Error> for Unopened {
    fn from(error: Error) -> Self {
        Unopened::Setting(error)
    }
}

/// An option, what was asked and what there is.
#[derive(Debug)]
pub struct Granted {
    /// The option.
    pub option: &'static OptionInfo,
    /// What was asked.
    pub asked: Value,
    /// What there is.
    pub granted: Result<Value, Missing>,
    /// It was asked again, and that holds.
    pub again: bool,
}

impl Granted {
    /// Why that is something else than was asked, where it is known.
    pub fn why(&self) -> Option<String> {
        let granted = self.granted.as_ref().ok()?;
        if self.again && self.asked != *granted {
            return Some("it was set again after that".into());
        }
        why::why(self.option, &self.asked, granted, &sysctl::number)
    }
}

impl fmt::Display for Granted {
    /// `SO_RCVBUF: asked 1MiB, granted 416KiB: capped ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = self.option.form;
        write!(f, "{}: asked {}, ", self.option.name, self.asked.show(form))?;
        match &self.granted {
            Ok(granted) => write!(f, "granted {}", granted.show(form))?,
            Err(_) => f.write_str("granted, and cannot be read back")?,
        }
        match self.why() {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// In the order in which they are set. Of two for the same option the last one holds.
    pub fn new(list: Vec<Setting>) -> Self {
        Self(list)
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was asked.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// Whether this option is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|setting| setting.option.name == name)
    }

    /// Refuses what is for none of the sockets of a command. A name may stand for IPv4 and IPv6: what is for one of
    /// them is set there and left out elsewhere.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`]: `cannot set IPV6_V6ONLY: it is for IPv6, not for this socket`.
    pub fn check(&self, sockets: &[On]) -> Result<()> {
        for setting in &self.0 {
            let option = setting.option;
            if !sockets.iter().any(|&socket| option.is_for(socket)) {
                let is_for = format!("it is for {}", option.on.names());
                return Err(
                    Error::new(Kind::Usage, format!("cannot set {}", option.name)).because(
                        match option.on == On::NONE {
                            true => is_for,
                            false => format!("{is_for}, not for this socket"),
                        },
                    ),
                );
            }
        }
        Ok(())
    }

    /// Those that are for a socket of these kinds.
    pub fn limited_to(&self, kinds: On) -> Settings {
        let list = self.0.iter().filter(|setting| setting.option.is_for(kinds));
        Settings(list.cloned().collect())
    }

    /// Refuses what could only be set on a connection, and for good: whether it can shows too late on a server.
    pub fn check_listener(&self) -> Result<()> {
        let unfit =
            |setting: &&Setting| setting.option.when == When::Connected && setting.option.once;
        match self.0.iter().find(unfit) {
            Some(setting) => Err(Error::new(
                Kind::Usage,
                format!("cannot set {}", setting.option.name),
            )
            .because("it is for a connected socket, not for one that listens")),
            None => Ok(()),
        }
    }

    /// Sets those that are for a socket of this kind at this time.
    ///
    /// # Errors
    ///
    /// [`Kind::Unreachable`]: `cannot set SO_MARK to 5: operation not permitted`, with the privilege as a hint.
    pub fn apply(&self, socket: &Socket, kind: On, when: When) -> Result<()> {
        self.0
            .iter()
            .filter(|setting| setting.option.when == when && setting.option.is_for(kind))
            .try_for_each(|setting| setting.apply(socket))
    }

    /// Sets on an accepted socket what it has not got from its listener. The listener took it, so what fails here
    /// fails because the peer is gone already, and reading will tell.
    pub fn apply_to_accepted(&self, socket: &Socket, inherits: bool) {
        if self.0.is_empty() {
            return;
        }
        let kind = super::kind_of(socket);
        for setting in &self.0 {
            let option = setting.option;
            let wanted = option.when == When::Connected || !inherits && !option.only_before_bind;
            if wanted && option.is_for(kind) {
                let _ = setting.apply(socket);
            }
        }
    }

    /// What became of those that are for a socket of this kind.
    pub fn granted(&self, socket: &Socket) -> Vec<Granted> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let kind = super::kind_of(socket);
        self.0
            .iter()
            .enumerate()
            .filter(|(_, setting)| setting.option.is_for(kind))
            .map(|(number, setting)| Granted {
                option: setting.option,
                asked: setting.value.clone(),
                granted: read(socket, kind, setting.option),
                again: self.0[number + 1..]
                    .iter()
                    .any(|later| later.option.name == setting.option.name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use rustix::io::Errno;

    use super::*;
    use crate::core::options::open;

    fn refusal(text: &str) -> (Kind, String, Option<String>) {
        let error = Setting::parse(text).expect_err("refused");
        (
            error.kind(),
            error.to_string(),
            error.advice().map(Into::into),
        )
    }

    #[test]
    fn what_cannot_be_set_says_why() {
        let (kind, says, hint) = refusal("SO_RCVBUFF=1M");
        assert_eq!(kind, Kind::Usage);
        assert_eq!(says, "there is no socket option \"SO_RCVBUFF\"");
        assert!(hint.is_some_and(|hint| hint.contains("SO_RCVBUF")));
        let (_, says, _) = refusal("SO_TYPE=1");
        assert_eq!(says, "cannot set SO_TYPE: it can only be read");
        let (_, says, _) = refusal("SO_RCVBUF=much");
        assert!(
            says.starts_with("cannot set SO_RCVBUF: its value is a number of bytes"),
            "{says}"
        );
        let (_, says, _) = refusal("SO_RCVBUF");
        assert!(says.contains("its value is missing"), "{says}");
        if Platform::HERE == Some(Platform::Linux) {
            let (kind, says, _) = refusal("SO_SETFIB=1");
            assert_eq!(kind, Kind::Usage);
            assert_eq!(
                says,
                "cannot set SO_SETFIB: it is not available on Linux, but on FreeBSD"
            );
        }
    }

    #[test]
    fn a_flag_alone_is_on() {
        assert_eq!(Setting::parse("nodelay").unwrap().value, Value::Flag(true));
        assert_eq!(
            Setting::parse("NoDelay=off").unwrap().value,
            Value::Flag(false)
        );
    }

    #[test]
    fn what_is_asked_is_set_and_read_back() {
        let list = ["nodelay", "linger=5s", "SO_KEEPALIVE=on", "linger=7s"];
        let settings = Settings::new(
            list.iter()
                .map(|text| Setting::parse(text).unwrap())
                .collect(),
        );
        let socket = open(On::TCP4).unwrap();
        settings.check(&[On::TCP4]).unwrap();
        settings.apply(&socket, On::TCP4, When::Before).unwrap();
        let granted = settings.granted(&socket);
        assert_eq!(granted.len(), 4);
        assert_eq!(granted[0].to_string(), "TCP_NODELAY: asked on, granted on");
        assert_eq!(
            granted[3].granted,
            Ok(Value::Linger(Some(7))),
            "the last one holds"
        );
        assert_eq!(
            granted[1].to_string(),
            "SO_LINGER: asked 5s, granted 7s: it was set again after that"
        );
    }

    #[test]
    fn an_option_for_no_socket_of_a_command_is_refused() {
        let settings = Settings::new(vec![Setting::parse("IPV6_UNICAST_HOPS=3").unwrap()]);
        assert!(settings.check(&[On::TCP4, On::TCP6]).is_ok());
        let error = settings.check(&[On::TCP4]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(
            error.to_string(),
            "cannot set IPV6_UNICAST_HOPS: it is for IPv6, not for this socket"
        );
        let socket = open(On::TCP4).unwrap();
        settings
            .apply(&socket, On::TCP4, When::Before)
            .expect("left out there");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_interface_that_is_not_there_says_so() {
        let setting = Setting::parse("SO_BINDTOIFINDEX=nosuch0").unwrap();
        let error = setting.apply(&open(On::UDP4).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(
            error.to_string(),
            "cannot set SO_BINDTOIFINDEX to nosuch0: there is no interface called nosuch0"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_kernel_refuses_is_told_with_what_it_takes() {
        for (text, hint) in [
            ("TCP_KEEPIDLE=0", "it takes 1s to 32767s"),
            ("IP_TTL=256", "it takes 1 to 255, or -1"),
            ("TCP_MAXSEG=1", "it takes 88 to 32767 bytes, or 0"),
            (
                "TCP_MD5SIG=0x00",
                "sockkit inspect --explain TCP_MD5SIG has more",
            ),
        ] {
            let setting = Setting::parse(text).unwrap();
            let socket = open(On::TCP4).unwrap();
            let error = setting.apply(&socket).unwrap_err();
            assert_eq!(error.advice(), Some(hint), "{text}: {error}");
        }
    }

    /// Not every kernel has the option.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_needs_a_connection_is_told_so() {
        let setting = Setting::parse("IPV6_ADDRFORM=2").unwrap();
        let socket = open(On::TCP4).unwrap();
        let hint = |error: Errno| setting.hint(&io::Error::from(error), &socket);
        assert_eq!(
            hint(Errno::NOTCONN).as_deref(),
            Some("it can only be set on a connected socket")
        );
        assert_eq!(
            hint(Errno::NOPROTOOPT).as_deref(),
            Some("this kernel does not know it")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_congestion_control_that_is_not_there_names_those_that_are() {
        let setting = Setting::parse("TCP_CONGESTION=nosuch").unwrap();
        let error = setting.apply(&open(On::TCP4).unwrap()).unwrap_err();
        assert!(error.to_string().contains("no such file"), "{error}");
        assert!(
            error
                .advice()
                .is_some_and(|hint| hint.starts_with("available here: "))
        );
    }
}
