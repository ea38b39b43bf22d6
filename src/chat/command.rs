//! What a person may type: text, or a command behind a slash.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

/// A typed line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Text for the room. `//x` says `/x`.
    Say(&'a str),
    /// `/me TEXT`
    Me(&'a str),
    /// `/nick NAME`
    Nick(&'a str),
    /// `/join #ROOM`
    Join(&'a str),
    /// `/part`: back to the lobby.
    Part,
    /// `/rooms`
    Rooms,
    /// `/who`
    Who,
    /// `/msg NICK TEXT`
    Msg {
        /// The nick.
        to: &'a str,
        /// What.
        text: &'a str,
    },
    /// `/topic [TEXT]`; without a text it is shown.
    Topic(Option<&'a str>),
    /// `/history [N]`
    History(Option<u32>),
    /// `/ignore [NICK]`; a second time undoes it, without a nick the list is shown.
    Ignore(Option<&'a str>),
    /// `/ping`
    Ping,
    /// `/help`
    Help,
    /// `/quit [TEXT]`
    Quit(&'a str),
}

/// The commands with what they take and what they do, in the order of `/help`.
pub const COMMANDS: [(&str, &str, &str); 13] = [
    ("/nick", "NAME", "take a name"),
    (
        "/join",
        "#ROOM",
        "go to a room; it is made if there is none",
    ),
    ("/part", "", "go back to #lobby"),
    ("/rooms", "", "list the rooms"),
    ("/who", "", "list who is here"),
    ("/msg", "NICK TEXT", "say something to one person"),
    ("/me", "TEXT", "say what you do"),
    ("/topic", "[TEXT]", "show or set the room's topic"),
    ("/history", "[N]", "show the last N lines"),
    (
        "/ignore",
        "[NICK]",
        "hide what somebody says; again to undo",
    ),
    ("/ping", "", "see whether the server is there"),
    ("/help", "", "show this"),
    ("/quit", "[TEXT]", "leave"),
];

/// Understands a line. The error is a sentence for the person who typed it, which may quote the line: it is
/// as clean as the line is.
pub fn parse(line: &str) -> Result<Command<'_>, String> {
    let Some(rest) = line.strip_prefix('/') else {
        return Ok(Command::Say(line));
    };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest));
    }
    let (word, rest) = match rest.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (rest, ""),
    };
    let needs = |what: &str| format!("usage: /{word} {what}");
    let some = |what: &str| match rest {
        "" => Err(needs(what)),
        text => Ok(text),
    };
    let one_word = |what: &str| {
        some(what)?
            .split_whitespace()
            .next()
            .ok_or_else(|| needs(what))
    };
    let optional = (!rest.is_empty()).then_some(rest);
    Ok(match word.to_lowercase().as_str() {
        "me" => Command::Me(some("TEXT")?),
        "nick" => Command::Nick(some("NAME")?),
        "join" => Command::Join(some("#ROOM")?),
        "part" => Command::Part,
        "rooms" => Command::Rooms,
        "who" => Command::Who,
        "msg" => {
            let to = one_word("NICK TEXT")?;
            match rest[to.len()..].trim_start() {
                "" => return Err(needs("NICK TEXT")),
                text => Command::Msg { to, text },
            }
        }
        "topic" => Command::Topic(optional),
        "history" => match optional {
            None => Command::History(None),
            Some(number) => Command::History(Some(number.parse().map_err(|_| needs("[N]"))?)),
        },
        "ignore" => Command::Ignore(optional),
        "ping" => Command::Ping,
        "help" => Command::Help,
        "quit" => Command::Quit(rest),
        other => return Err(unknown(other, COMMANDS.iter().map(|(name, ..)| *name))),
    })
}

/// A sentence about a command that does not exist, with the nearest one that does.
pub fn unknown<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// More edits than this and the guess would be a surprise.
    const NEAR: usize = 2;
    let shown: String = word.chars().take(32).collect();
    let nearest = known
        .map(|name| {
            (
                strsim::damerau_levenshtein(&shown, name.trim_start_matches('/')),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= NEAR)
        .min();
    match nearest {
        Some((_, name)) => format!("there is no /{shown}; did you mean {name}?"),
        None => format!("there is no /{shown}; /help lists the commands, // sends a slash"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        use Command::*;
        let table = [
            ("hello", Say("hello")),
            ("", Say("")),
            ("//usr/bin", Say("/usr/bin")),
            ("/me  waves ", Me("waves")),
            ("/NICK ann", Nick("ann")),
            ("/join #x", Join("#x")),
            (
                "/msg bob hi  there",
                Msg {
                    to: "bob",
                    text: "hi  there",
                },
            ),
            ("/topic", Topic(None)),
            ("/topic all things", Topic(Some("all things"))),
            ("/history 5", History(Some(5))),
            ("/ignore", Ignore(None)),
            ("/quit", Quit("")),
        ];
        for (line, command) in table {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_missing_word_is_named() {
        for (line, usage) in [
            ("/nick", "usage: /nick NAME"),
            ("/msg bob", "usage: /msg NICK TEXT"),
            ("/history many", "usage: /history [N]"),
        ] {
            assert_eq!(parse(line), Err(usage.to_string()));
        }
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        assert_eq!(
            parse("/jion #x"),
            Err("there is no /jion; did you mean /join?".into())
        );
        assert!(parse("/xyzzy").is_err_and(|text| text.contains("/help")));
        assert!(parse("/").is_err());
    }

    #[test]
    fn every_listed_command_is_known() {
        for (name, _, _) in COMMANDS {
            if let Err(text) = parse(name) {
                assert!(text.starts_with("usage:"), "{name}: {text}");
            }
        }
    }
}
