//! A file system of a test's own, in a mount namespace that goes with it. Linux only, and not everywhere there: who
//! may make no namespace is told so, and the test says loudly that it was left out.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::text;

/// Says that a check was left out: to stderr itself, which the test runner does not capture.
pub fn left_out(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}: {why}");
}

/// A tmpfs on a directory, seen only inside of a namespace, which a waiting shell keeps.
pub struct Mounted {
    keeper: Child,
    has_users: bool,
}

impl Mounted {
    /// `options` are those of tmpfs, such as `size=2m`. `None`: it cannot be had here, which has been said.
    pub fn tmpfs(on: &Path, options: &str, what: &str) -> Option<Self> {
        let mut why = String::new();
        // The first is for anybody, the second for root where users have no namespaces.
        for flags in ["-rm", "-m"] {
            let script = format!(
                "mount -t tmpfs -o '{options}' none '{}' && echo mounted && read line",
                text(on)
            );
            let keeper = Command::new("unshare")
                .args([flags, "sh", "-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut keeper = match keeper {
                Ok(keeper) => keeper,
                Err(error) => {
                    why = format!("unshare: {error}");
                    continue;
                }
            };
            let mut line = String::new();
            let mut output = BufReader::new(keeper.stdout.take().expect("piped"));
            output.read_line(&mut line).expect("text");
            if line.trim_end() == "mounted" {
                return Some(Self {
                    keeper,
                    has_users: flags.contains('r'),
                });
            }
            let output = keeper.wait_with_output().expect("it ends");
            why = super::stderr(&output);
        }
        left_out(what, why.trim_end());
        None
    }

    /// The same command, inside.
    pub fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["--target", &self.keeper.id().to_string(), "--mount"]);
        if self.has_users {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside.arg("--").arg(command.get_program());
        inside.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Runs a line of shell inside.
    #[track_caller]
    pub fn shell(&self, line: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        let output = self.inside(&command).output().expect("it starts");
        assert!(
            output.status.success(),
            "{line}: {}",
            super::stderr(&output)
        );
    }

    /// Changes the options of what is mounted there. Naming what it is keeps mount(8) from adding those that it has
    /// already, of which a user's namespace may not repeat all.
    #[track_caller]
    pub fn remount(&self, on: &Path, options: &str) {
        self.shell(&format!("mount -o 'remount,{options}' none '{}'", text(on)));
    }

    /// A path inside as it is seen from outside.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The end of its input ends it, and with it the namespace.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
