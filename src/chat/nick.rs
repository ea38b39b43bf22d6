//! Names of people and rooms that cannot be mistaken for another.
//!
//! A name is what UTS #39 calls an identifier (section 3, "General Security Profile"), so it holds no
//! invisible, control, white or unassigned character, of one writing system (section 5.1, resolved script
//! set not empty). Two names are the same name when their [`Key`]s are equal: the confusable skeleton
//! (section 4) of the NFKC form in lower case, lowered once more. `Ann`, `ann`, `аnn` with a Cyrillic
//! letter and `aпп` thus never sit in one room.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_security::GeneralSecurityProfile;
use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;
use unicode_width::UnicodeWidthStr;

/// The longest nick in bytes. Four scripts out of five fit 16 letters in it.
pub const MAX_NICK_BYTES: usize = 64;

/// The widest nick in terminal columns.
pub const MAX_NICK_COLUMNS: usize = 24;

/// The longest room name in bytes, with its `#`. Percent-encoded it still fits a file name of 255 bytes.
pub const MAX_ROOM_BYTES: usize = 64;

/// Nicks that would read as the server speaking.
const RESERVED: [&str; 8] = [
    "server", "sockkit", "system", "operator", "admin", "root", "notice", "everyone",
];

/// What the server calls those who do not say their name, with a number behind it.
const GUEST: &str = "guest-";

/// Why a name is not allowed. Displayed as the end of a sentence that begins with the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// Nothing there.
    Empty,
    /// Too many bytes or columns.
    TooLong,
    /// A character that is no letter, digit or `-`, `_`, `.`, or is not for identifiers.
    Character(char),
    /// Begins or ends with punctuation.
    Edge,
    /// Letters of several writing systems.
    MixedScripts,
    /// Would read as the server speaking.
    Reserved,
    /// A room's name begins with `#`.
    NoHash,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Empty => f.write_str("is empty"),
            BadName::TooLong => write!(
                f,
                "is longer than {MAX_NICK_COLUMNS} columns or {MAX_NICK_BYTES} bytes"
            ),
            BadName::Character(c) => {
                write!(f, "has U+{:04X}, which is not allowed in names", *c as u32)
            }
            BadName::Edge => f.write_str("begins or ends with punctuation"),
            BadName::MixedScripts => f.write_str("mixes writing systems"),
            BadName::Reserved => f.write_str("is reserved"),
            BadName::NoHash => f.write_str("does not begin with #"),
        }
    }
}

/// Equal for names that look the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// Of any text, a name or not.
    pub fn of(name: &str) -> Self {
        let folded: String = name.nfkc().flat_map(char::to_lowercase).nfkc().collect();
        // Lower case parts I from l, which look the same; so i, I, l and 1 are one letter here.
        let looks: String = skeleton(&folded)
            .flat_map(char::to_lowercase)
            .map(|c| if c == 'i' { 'l' } else { c })
            .collect();
        Key(looks.into())
    }
}

/// A person's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nick(Box<str>);

impl Nick {
    /// Checks a wanted nick.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let nick = check(text)?;
        let key = Key::of(nick);
        if RESERVED.iter().any(|reserved| Key::of(reserved) == key) {
            return Err(BadName::Reserved);
        }
        Ok(Nick(nick.into()))
    }

    /// The nick of the guest with this number.
    pub fn guest(number: u64) -> Self {
        Nick(format!("{GUEST}{number}").into())
    }

    /// Whether this is a name of the kind that the server gives.
    pub fn is_guest(&self) -> bool {
        self.0
            .strip_prefix(GUEST)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// What makes it unique.
    pub fn key(&self) -> Key {
        Key::of(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A room's name, with its `#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomName(Box<str>);

impl RoomName {
    /// Where everybody begins.
    pub fn lobby() -> Self {
        RoomName("#lobby".into())
    }

    /// Checks a wanted name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let name = text.strip_prefix('#').ok_or(BadName::NoHash)?;
        if text.len() > MAX_ROOM_BYTES {
            return Err(BadName::TooLong);
        }
        check(name)?;
        Ok(RoomName(text.into()))
    }

    /// What makes it unique.
    pub fn key(&self) -> Key {
        Key::of(&self.0)
    }

    /// The text, with the `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '-' | '_' | '.')
}

fn check(name: &str) -> Result<&str, BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.len() > MAX_NICK_BYTES || name.width() > MAX_NICK_COLUMNS {
        return Err(BadName::TooLong);
    }
    let bad = |&c: &char| {
        !(c.is_alphanumeric() || is_combining(c) || is_punctuation(c)) || !c.identifier_allowed()
    };
    if let Some(c) = name.chars().find(bad) {
        return Err(BadName::Character(c));
    }
    let edge = |c: Option<char>| c.is_some_and(|c| is_punctuation(c) || is_combining(c));
    if edge(name.chars().next()) || name.chars().next_back().is_some_and(is_punctuation) {
        return Err(BadName::Edge);
    }
    let flood = name.chars().try_fold(0, |run, c| match is_combining(c) {
        true if run == MAX_COMBINING => Err(c),
        true => Ok(run + 1),
        false => Ok(0),
    });
    if let Err(c) = flood {
        return Err(BadName::Character(c));
    }
    if !name.is_single_script() {
        return Err(BadName::MixedScripts);
    }
    Ok(name)
}

/// More marks than this on one letter climb over the lines above. No orthography in use needs more than three.
const MAX_COMBINING: usize = 3;

fn is_combining(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_many_scripts_pass() {
        for name in [
            "ann",
            "Ann-Marie",
            "bob_2",
            "x.y",
            "Łukasz",
            "Ольга",
            "山田太郎",
            "किरण",
            "ναι",
        ] {
            assert_eq!(
                Nick::parse(name).map(|n| n.to_string()),
                Ok(name.to_string())
            );
        }
    }

    #[test]
    fn names_that_look_the_same_have_one_key() {
        let same = [
            ("ann", "ANN"),
            ("ann", "аnn"),       // Cyrillic а
            ("paypal", "раураӏ"), // all Cyrillic
            ("bill", "biII"),     // capital i for l
            ("l0l", "lol"),
            ("modern", "rnodern"),
            ("ian", "lan"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("ﬁn", "fin"),
            ("guest-1", "guest-l"),
        ];
        for (one, other) in same {
            assert_eq!(Key::of(one), Key::of(other), "{one} {other}");
        }
        assert_ne!(Key::of("ann"), Key::of("anna"));
    }

    #[test]
    fn names_that_hide_or_pretend_are_refused() {
        use BadName::*;
        let table = [
            ("", Empty),
            ("a b", Character(' ')),
            ("a\u{200b}b", Character('\u{200b}')),
            ("\u{202e}nna", Character('\u{202e}')),
            ("a\x1b[2J", Character('\x1b')),
            ("a\u{ad}b", Character('\u{ad}')),
            ("*", Character('*')),
            ("<ann>", Character('<')),
            ("[ann]", Character('[')),
            ("#ann", Character('#')),
            ("-ann", Edge),
            ("ann.", Edge),
            ("\u{301}ann", Edge),
            ("annа", MixedScripts),
            ("server", Reserved),
            ("SeRvEr", Reserved),
            ("abcdefghijklmnopqrstuvwxy", TooLong),
        ];
        for (name, why) in table {
            assert_eq!(Nick::parse(name), Err(why), "{name:?}");
        }
        let zalgo = format!("a{}", "\u{301}".repeat(20));
        assert_eq!(Nick::parse(&zalgo), Err(Character('\u{301}')));
    }

    #[test]
    fn a_room_needs_its_hash() {
        assert!(RoomName::parse("#rust").is_ok());
        assert_eq!(RoomName::parse("rust"), Err(BadName::NoHash));
        assert_eq!(RoomName::parse("#"), Err(BadName::Empty));
        assert_eq!(RoomName::parse("#../x"), Err(BadName::Character('/')));
    }

    #[test]
    fn a_guest_is_told_by_its_name() {
        assert!(Nick::guest(17).is_guest());
        assert!(Nick::parse("guest-17").is_ok_and(|nick| nick.is_guest()));
        assert!(Nick::parse("guest-x").is_ok_and(|nick| !nick.is_guest()));
    }
}
