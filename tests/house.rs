//! The rules of the house that no compiler knows, read from the source as text.
//!
//! Which modules are pure is written here and in each of them, so that neither can be dropped unnoticed. What pure
//! means is clippy's to enforce (`clippy.toml`), and `.ci/run` lets it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::root;

/// The modules that decide and touch nothing: no socket, file, clock, thread or terminal. What lies below a module
/// is pure with it.
const PURE: &[&str] = &[
    "src/chat/authors.rs",
    "src/chat/client/machine/mod.rs",
    "src/chat/client/raw.rs",
    "src/chat/command.rs",
    "src/chat/feed.rs",
    "src/chat/journal.rs",
    "src/chat/lines.rs",
    "src/chat/nick.rs",
    "src/chat/outbox.rs",
    "src/chat/render.rs",
    "src/chat/room.rs",
    "src/chat/server/mod.rs",
    "src/chat/store/checkpoint.rs",
    "src/chat/store/names.rs",
    "src/chat/token.rs",
    "src/chat/wire.rs",
    "src/core/address.rs",
    "src/core/backoff.rs",
    "src/core/datagram/contract.rs",
    "src/core/dial/race.rs",
    "src/core/machine.rs",
    "src/core/random.rs",
    "src/core/sanitise.rs",
    "src/core/secure/code/mod.rs",
    "src/core/secure/fingerprint.rs",
    "src/core/secure/guesses.rs",
    "src/core/secure/pake.rs",
    "src/core/secure/unwelcome.rs",
    "src/core/options/form.rs",
    "src/core/options/info.rs",
    "src/core/options/layout.rs",
    "src/core/options/lookup.rs",
    "src/core/options/missing.rs",
    "src/core/options/table/mod.rs",
    "src/core/options/value.rs",
    "src/core/options/why.rs",
    "src/core/sanitise.rs",
    "src/core/size.rs",
    "src/core/timers.rs",
    "src/core/timestamp.rs",
    "src/echo/chaos.rs",
    "src/echo/config.rs",
    "src/echo/datagrams.rs",
    "src/echo/door.rs",
    "src/echo/guard.rs",
    "src/echo/hex.rs",
    "src/echo/lines.rs",
    "src/echo/ping/machines.rs",
    "src/echo/ping/probes.rs",
    "src/echo/ping/summary.rs",
    "src/echo/report.rs",
    "src/echo/streams.rs",
    "src/echo/streams/peers.rs",
    "src/echo/tally.rs",
    "src/error.rs",
    "src/inspect/notation.rs",
    "src/inspect/report.rs",
    "src/inspect/tcp_info.rs",
    "src/transfer/digest.rs",
    "src/transfer/entry.rs",
    "src/transfer/fields.rs",
    "src/transfer/frame.rs",
    "src/transfer/outgoing.rs",
    "src/transfer/path.rs",
    "src/transfer/pipeline/watchdog.rs",
    "src/transfer/receiver.rs",
    "src/transfer/report.rs",
    "src/transfer/sender.rs",
    "src/transfer/session.rs",
    "src/transfer/table.rs",
    "src/transfer/wire.rs",
    "src/ui/human.rs",
    "src/ui/json.rs",
    "src/ui/qr.rs",
    "src/ui/progress.rs",
];

/// What makes clippy refuse the world to a module and to all below it.
const REFUSES_THE_WORLD: &str = "#![deny(clippy::disallowed_types, clippy::disallowed_methods)]";

/// Files outside `ui` that may write to the terminal: the line editor's screen is given back as it was, after the
/// editor itself has drawn on it.
const WRITES_TO_THE_TERMINAL: &[&str] = &["src/chat/client/screen.rs"];

/// Files in which `unsafe` is allowed: getsockopt and setsockopt take an option by its number, which no safe interface
/// does.
const UNSAFE: &[&str] = &[
    "src/core/options/sys/unix.rs",
    "src/core/options/sys/windows.rs",
];

/// A file is to be readable in one sitting: past about 500 lines look for the second reason it has to exist. Some have
/// none and are a little longer with their tests at the end; beyond this there always was one. Files of tests are
/// not bounded: one looks a test up and does not read on.
const LONGEST_FILE: usize = 800;

#[test]
fn pure_modules_have_clippy_refuse_the_world() {
    for &path in PURE {
        let text = read(path);
        assert!(
            text.lines().any(|line| line == REFUSES_THE_WORLD),
            "{path} is in the list of pure modules and lacks {REFUSES_THE_WORLD}"
        );
    }
    for (path, text) in sources() {
        assert!(
            !is_pure(&path) || !text.contains("allow(clippy::disallowed"),
            "{path} is pure and lets itself off"
        );
    }
}

#[test]
fn modules_that_say_they_are_pure_are_in_the_list() {
    for (path, text) in sources() {
        assert!(
            is_pure(&path) || !text.lines().any(|line| line == REFUSES_THE_WORLD),
            "{path} belongs in the list of pure modules"
        );
    }
}

/// What it must not touch, it must not have touched by another.
#[test]
fn pure_modules_use_only_pure_ones() {
    for (path, text) in sources().filter(|(path, _)| is_pure(path) && !is_tests(path)) {
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for module in modules_used(&path, code) {
                assert!(
                    is_pure(&module),
                    "{path}:{}: a pure module uses {module}, which is not in the list of pure ones",
                    number + 1
                );
            }
        }
    }
}

/// The contract says so (`core::machine`), and virtual time depends on it.
#[test]
fn every_machine_is_pure() {
    let mut machines = 0;
    for (path, text) in sources().filter(|(path, _)| !is_tests(path)) {
        let is_machine = text
            .lines()
            .any(|line| line.starts_with("impl") && line.contains("Machine for "));
        assert!(
            !is_machine || is_pure(&path),
            "{path} has a machine and is not in the list of pure modules"
        );
        machines += usize::from(is_machine);
    }
    assert!(machines > 0, "the machines are not recognised any more");
}

#[test]
fn clippy_knows_what_a_pure_module_must_not_touch() {
    let settings = read("clippy.toml");
    for (list, known) in [
        ("disallowed-types", "std::net::TcpStream"),
        ("disallowed-methods", "std::time::Instant::now"),
    ] {
        let entries = settings
            .split_once(&format!("{list} = ["))
            .and_then(|(_, rest)| rest.split_once("\n]"))
            .map(|(entries, _)| entries)
            .unwrap_or_default();
        assert!(
            entries.contains(&format!("\"{known}\"")),
            "clippy.toml: {list} has no {known}"
        );
        for entry in entries.lines().filter(|line| line.contains("path =")) {
            assert!(
                entry.contains("reason ="),
                "clippy.toml: no reason: {entry}"
            );
        }
    }
}

/// `println!` panics on a closed pipe, and a peer's text has to be made harmless on the way.
#[test]
fn only_ui_writes_to_the_terminal() {
    const MACROS: [&str; 5] = ["print!", "println!", "eprint!", "eprintln!", "dbg!"];
    const STREAMS: [&str; 2] = ["stdout()", "stderr()"];
    for (path, text) in sources() {
        if path.starts_with("src/ui/")
            || is_tests(&path)
            || WRITES_TO_THE_TERMINAL.contains(&&*path)
        {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // Whether somebody is there to read may be asked anywhere.
            let code = code
                .replace("stdout().is_terminal()", "")
                .replace("stderr().is_terminal()", "");
            for output in MACROS.iter().chain(&STREAMS) {
                assert!(
                    !has_word(&code, output),
                    "{path}:{}: {output} is for ui alone",
                    number + 1
                );
            }
        }
    }
}

/// The map in `lib.rs`: the core is what all rooms share, and knows none of them.
#[test]
fn the_core_knows_no_room() {
    for (path, text) in sources().filter(|(path, _)| path.starts_with("src/core/")) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for room in ["crate::chat", "crate::echo", "crate::cli", "crate::ui"] {
                assert!(
                    !has_word(code, room),
                    "{path}:{}: the core knows {room}",
                    number + 1
                );
            }
        }
    }
}

/// What they are good for is decided in one place, and a reviewer has to look at one.
#[test]
fn cryptography_is_named_in_one_place() {
    for (path, text) in sources().filter(|(path, _)| !is_tests(path)) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (name, place) in [
                ("rustls", "src/core/secure/tls/"),
                ("rustls_platform_verifier", "src/core/secure/tls/"),
                ("rcgen", "src/core/secure/tls/"),
                ("spake2", "src/core/secure/pake.rs"),
                ("hmac", "src/core/secure/pake.rs"),
            ] {
                assert!(
                    path.starts_with(place) || !has_word(code, name),
                    "{path}:{}: {name} is for {place} alone",
                    number + 1
                );
            }
        }
    }
}

/// Denied in `Cargo.toml`, so that whoever wants it has to write it down, and here too.
#[test]
fn unsafe_is_allowed_in_few_files_and_with_reasons() {
    assert!(read("Cargo.toml").contains("\nunsafe_code = \"deny\"\n"));
    let allows = ["allow(unsafe_code)", "expect(unsafe_code)"];
    let mut found = Vec::new();
    for (path, text) in sources() {
        if allows.iter().any(|allow| text.contains(allow)) {
            assert!(UNSAFE.contains(&&*path), "{path} allows itself unsafe code");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for (at, _) in lines
                .iter()
                .enumerate()
                .filter(|(_, line)| line.contains("unsafe {"))
            {
                let reason = lines[..at]
                    .iter()
                    .rev()
                    .take(3)
                    .any(|line| line.contains("SAFETY:"));
                assert!(reason, "{path}:{}: no SAFETY comment", at + 1);
            }
            found.push(path);
        }
    }
    assert_eq!(found.len(), UNSAFE.len(), "{found:?}");
}

#[test]
fn no_file_is_too_long_for_one_sitting() {
    for (path, text) in sources().filter(|(path, _)| !is_tests(path)) {
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{path} has {lines} lines, more than {LONGEST_FILE}: which is its second reason to exist?"
        );
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let used = dependencies(&read("Cargo.toml"));
    let explained: BTreeSet<String> = read("CONTRIBUTING.md")
        .split_once("\n## Dependencies\n")
        .expect("CONTRIBUTING.md has a section on dependencies")
        .1
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("- `")?.split_once("`: "))
        .map(|(name, _)| name.to_string())
        .collect();
    assert!(used.contains("mio"), "Cargo.toml is not understood");
    for name in &used {
        assert!(
            explained.contains(name),
            "CONTRIBUTING.md gives no reason for {name}: - `{name}`: ..."
        );
    }
    for name in &explained {
        assert!(
            used.contains(name),
            "CONTRIBUTING.md explains {name}, which Cargo.toml does not have"
        );
    }
}

/// Every dependency of a manifest, of whatever kind and for whatever target.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut among_them = false;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            among_them = table.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=')
            && among_them
            && !line.starts_with(char::is_whitespace)
        {
            names.insert(name.trim().to_string());
        }
    }
    names
}

/// Every file of `src/`: its path from the root, with slashes, and its text.
fn sources() -> impl Iterator<Item = (String, String)> {
    let mut paths = Vec::new();
    let mut folders = vec!["src".to_string()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().expect("a type").is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                paths.push(path);
            }
        }
    }
    assert!(paths.len() > 10, "the source is not found");
    paths.into_iter().map(|path| {
        let text = read(&path);
        (path, text)
    })
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(Path::new(path)))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        // As git may leave it on Windows.
        .replace('\r', "")
}

/// The files of the modules that a line of the file `path` names, by `crate::` or by `super::`.
fn modules_used(path: &str, code: &str) -> Vec<String> {
    // Who may see a thing is not what it rests on.
    let code = code.replace("pub(in crate::", "");
    let of_crate = code
        .match_indices("crate::")
        .map(|(at, name)| module_in("src", &code[at + name.len()..]));
    let beside = code.match_indices(" super::").map(|(at, name)| {
        let module = path.strip_suffix("/mod.rs").unwrap_or(path);
        let mut folder = parent(module);
        let mut rest = &code[at + name.len()..];
        while let Some(further) = rest.strip_prefix("super::") {
            (folder, rest) = (parent(folder), further);
        }
        module_in(folder, rest)
    });
    of_crate.chain(beside).collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The file of the module that a path leads into from a folder of modules, as far down as there are files:
/// from `src`, `core::machine::Now` is in `src/core/machine.rs`.
fn module_in(folder: &str, path: &str) -> String {
    let file_of = |folder: &str| {
        [format!("{folder}.rs"), format!("{folder}/mod.rs")]
            .into_iter()
            .find(|file| root().join(file).is_file())
    };
    let mut folder = folder.to_string();
    let mut file = file_of(&folder).unwrap_or_else(|| "src/lib.rs".to_string());
    for name in path.split("::") {
        let name: String = name
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        folder = format!("{folder}/{name}");
        match file_of(&folder) {
            Some(found) => file = found,
            None => break,
        }
    }
    file
}

/// Whether a module or one that it lies below is in the list.
fn is_pure(path: &str) -> bool {
    PURE.iter().any(|pure| {
        let below = pure
            .strip_suffix("/mod.rs")
            .or_else(|| pure.strip_suffix(".rs"))
            .expect("a file of Rust");
        path == *pure
            || path
                .strip_prefix(below)
                .is_some_and(|rest| rest.starts_with('/'))
    })
}

/// Whether a file holds nothing but tests.
fn is_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// A file up to its module of tests.
fn without_tests(text: &str) -> &str {
    // Where another module's tests need its strategies, they are seen in the crate.
    [
        "\n#[cfg(test)]\nmod tests {",
        "\n#[cfg(test)]\npub(crate) mod tests {",
    ]
    .iter()
    .find_map(|begins| text.split_once(begins))
    .map_or(text, |(code, _)| code)
}

/// Whether `word` stands in a line of code as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            && !code[at + word.len()..]
                .starts_with(|after: char| after.is_alphanumeric() || after == '_')
    })
}
