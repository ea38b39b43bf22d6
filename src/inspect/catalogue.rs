//! The catalogue's pages, and the built-in profiles.

use crate::cli::ProfileName;
use crate::core::dial::DialOptions;
use crate::core::options::info::{Access, OptionInfo, Platform};
use crate::core::options::lookup::find;
use crate::core::options::setting::not_found;
use crate::core::options::{KINDS, Missing, open, read, table};
use crate::core::socket::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, ListenOptions};
use crate::error::Result;
use crate::inspect::report::{Cell, Report, Section};

/// The page of one option.
pub fn page(name: &str) -> Result<Report> {
    let option = find(name).map_err(|why| not_found(name, &why))?;
    let or_none =
        |text: Option<&str>| Cell::or_missing(text.map(Cell::text), Missing::NotApplicable);
    let names: Vec<&str> = option.form.names().iter().map(|(name, _)| *name).collect();
    let effect = match (option.once, option.only_before_bind) {
        (true, _) => Some("once, and for good"),
        (_, true) => Some("before the socket is bound"),
        _ if option.only_connected => Some("on a connected socket"),
        _ => None,
    };
    let mut facts: Vec<(String, Cell)> = vec![
        ("name".into(), Cell::text(option.name)),
        (
            "also called".into(),
            or_none(
                (!option.aliases.is_empty())
                    .then(|| option.aliases.join(", "))
                    .as_deref(),
            ),
        ),
        ("what it is".into(), Cell::text(option.about)),
        ("level".into(), Cell::text(option.level.name())),
        ("type".into(), Cell::text(option.form.type_name())),
        ("value".into(), Cell::text(option.form.describe())),
        (
            "its names".into(),
            or_none((!names.is_empty()).then(|| names.join(", ")).as_deref()),
        ),
        ("range".into(), or_none(option.range_here())),
        ("unit".into(), or_none(option.form.unit())),
        ("sockets".into(), Cell::text(option.on.names())),
        ("access".into(), Cell::text(access(option))),
        ("when".into(), or_none(effect)),
        ("privilege".into(), or_none(option.needs)),
        ("since".into(), or_none(option.since)),
        ("never read".into(), or_none(option.never)),
        ("source".into(), Cell::text(option.source)),
    ];
    facts.retain(|(_, cell)| !matches!(cell, Cell::Missing(_)));
    let numbers = Platform::ALL
        .into_iter()
        .map(|platform| {
            let number = option.number(platform).map(|number| {
                let shown = match number {
                    0..=255 | ..0 => number.to_string(),
                    _ => format!("{number:#x}"),
                };
                Cell::count(u64::from(number as u32), None).shown_as(shown)
            });
            (
                platform.name().to_owned(),
                Cell::or_missing(number, Missing::Unsupported),
            )
        })
        .collect();
    Ok(Report::new("option", option.name)
        .with(Section::facts("option", "", facts))
        .with(Section::facts(
            "defaults",
            "On a new socket here",
            defaults(option),
        ))
        .with(Section::facts("numbers", "Number", numbers)))
}

/// What this system has before anybody asks for something else.
fn defaults(option: &OptionInfo) -> Vec<(String, Cell)> {
    let kinds = KINDS.iter().filter(|(kind, _)| option.is_for(*kind));
    kinds
        .filter_map(|(kind, name)| {
            let value = read(&open(*kind).ok()?, *kind, option).ok()?;
            Some(((*name).to_owned(), Cell::of_option(option.form, &value)))
        })
        .collect()
}

fn access(option: &OptionInfo) -> &'static str {
    match option.access {
        Access::Both => "read and set",
        Access::ReadOnly => "read",
        Access::WriteOnly => "set",
    }
}

/// The whole list.
pub fn list() -> Report {
    let rows = table::all()
        .map(|option| {
            let platforms: Vec<&str> = option.platforms().map(Platform::name).collect();
            let platforms = match platforms.len() {
                7 => "all".to_owned(),
                _ => platforms.join(" "),
            };
            vec![
                Cell::text(option.name),
                Cell::text(option.level.name()),
                Cell::text(option.form.type_name()),
                Cell::text(access(option)),
                Cell::text(platforms),
            ]
        })
        .collect();
    Report::new("catalogue", "socket options").with(Section::table(
        "catalogue",
        "",
        &["name", "level", "type", "access", "systems"],
        rows,
    ))
}

/// A built-in profile: what `serve-chat` and `chat` give their TCP sockets.
pub fn profile(name: ProfileName) -> Report {
    let seconds = |time: std::time::Duration| {
        Cell::count(time.as_secs(), Some("s")).shown_as(format!("{}s", time.as_secs()))
    };
    let mut options: Vec<(String, Cell)> = vec![
        ("TCP_NODELAY".into(), Cell::flag(true).shown_as("on")),
        ("SO_KEEPALIVE".into(), Cell::flag(true).shown_as("on")),
        ("TCP_KEEPIDLE".into(), seconds(KEEPALIVE_IDLE)),
        ("TCP_KEEPINTVL".into(), seconds(KEEPALIVE_INTERVAL)),
        (
            "TCP_KEEPCNT".into(),
            Cell::count(KEEPALIVE_PROBES.into(), None),
        ),
    ];
    let mut facts: Vec<(String, Cell)> = vec![(
        "buffers".into(),
        Cell::text(
            "left to the kernel, which tunes them, unless --send-buffer or --recv-buffer is given",
        ),
    )];
    match name {
        ProfileName::Server => {
            // On Windows it would let any process take the port; the system's default has to do there.
            if cfg!(unix) {
                options.insert(0, ("SO_REUSEADDR".into(), Cell::flag(true).shown_as("on")));
            }
            let defaults = ListenOptions::default();
            let wanted = defaults.reuse_port;
            facts.push((
                "backlog".into(),
                Cell::count(defaults.backlog.into(), Some("connections")),
            ));
            facts.push((
                "SO_REUSEPORT".into(),
                Cell::flag(wanted).shown_as("off, unless --reuse-port is given"),
            ));
            facts.push((
                "idle timeout".into(),
                Cell::count(300, Some("s")).shown_as("5m"),
            ));
        }
        ProfileName::Client => {
            let timeout = DialOptions::default().timeout;
            facts.push(("connect timeout".into(), seconds(timeout)));
        }
    }
    let subject = match name {
        ProfileName::Server => "server",
        ProfileName::Client => "client",
    };
    Report::new("profile", subject)
        .with(Section::facts("options", "Options", options))
        .with(Section::facts("profile", "Beside them", facts))
}
