//! Symbolic links from a peer: stored as links, and only if nobody who follows one gets out of the target directory.

use crate::transfer::entry::{Entry, EntryKind};
use crate::transfer::store::beneath::{Dir, What};
use crate::transfer::store::commit::{Stored, publish, renamed, stored};
use crate::transfer::store::failure::{Failure, Reason};
use crate::transfer::store::naming::{MAX_RENAMES, alternative, part_name};
use crate::transfer::store::verdict::{in_the_way, replaceable};
use crate::transfer::store::{Existing, Links, Place, Session};

/// PATH_MAX of Linux, with the NUL: no longer target can be followed.
const MAX_TARGET: usize = 4_095;

/// Whether a link that lies `depth` directories beneath the target directory stays inside.
///
/// `..` may stand only at the beginning: there it goes up real directories, which were descended without following
/// a link. Behind a name it would be counted wrong as soon as that name is itself a link: with `b -> .` stored
/// before, `b/b/../..` looks as if it stayed inside and does not.
fn stays_inside(depth: usize, target: &[u8]) -> bool {
    if target.first() == Some(&b'/') {
        return false;
    }
    let mut up = 0;
    let mut named = false;
    for component in target.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." if named => return false,
            b".." => up += 1,
            _ => named = true,
        }
    }
    up <= depth
}

impl Session {
    pub(super) fn judge_link(
        &self,
        place: &Place<'_>,
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), Failure> {
        let refuse = |reason| Err(Failure::refused("store", &entry.path, reason));
        if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
            return refuse(Reason::BadLink);
        }
        if !stays_inside(place.parents.len(), target) {
            return refuse(Reason::LinkOutside);
        }
        if cfg!(not(unix)) {
            return refuse(Reason::LinksUnsupported);
        }
        Ok(())
    }

    /// Stores a symbolic link.
    pub fn link(&self, entry: &Entry) -> Result<Stored, Failure> {
        let EntryKind::Symlink { target } = &entry.kind else {
            return Err(Failure::refused("store", &entry.path, Reason::BadLink));
        };
        let policy = &self.store.policy;
        let path = &entry.path;
        if policy.links != Links::Keep {
            return Err(Failure::refused("store", path, Reason::LinksSkipped));
        }
        let place = Place::of(path)?;
        self.judge_link(&place, entry, target)?;
        let dir = self.ensure(&place, path)?;
        let stored = self.make_link(&dir, place.name, entry, target)?;
        let name = stored.path.components().last().unwrap_or(place.name);
        // Many file systems keep no time of a link, and nothing depends on it.
        let _ = dir.set_link_time(name, entry.modified);
        if policy.fsync {
            dir.sync()
                .map_err(|error| Failure::new("flush the directory of", path, error))?;
        }
        Ok(stored)
    }

    fn make_link(
        &self,
        dir: &Dir,
        name: &[u8],
        entry: &Entry,
        target: &[u8],
    ) -> Result<Stored, Failure> {
        let policy = &self.store.policy;
        let path = &entry.path;
        let fail = |error| Failure::new("store", path, error);
        let refuse = |reason| Err(Failure::refused("store", path, reason));
        if try_link(dir, target, name).map_err(fail)? {
            return Ok(stored(path, false));
        }
        let seen = dir.look(name).map_err(fail)?;
        if let Some(seen) = seen {
            if seen.what == What::Link && dir.read_link(name).is_ok_and(|is| is == target) {
                return Ok(Stored {
                    unchanged: true,
                    ..stored(path, false)
                });
            }
            match policy.existing {
                Existing::Rename => {
                    for number in 1..=MAX_RENAMES {
                        let other = alternative(name, number);
                        if try_link(dir, target, &other).map_err(fail)? {
                            return renamed(path, other);
                        }
                    }
                    return refuse(Reason::NoFreeName);
                }
                _ if !matches!(seen.what, What::File | What::Link) => {
                    return refuse(in_the_way(seen.what));
                }
                _ => {
                    if let Err(reason) = replaceable(policy, &seen, entry.modified) {
                        return refuse(reason);
                    }
                }
            }
        }
        let part = part_name(name);
        if !try_link(dir, target, &part).map_err(fail)? {
            match dir.look(&part).map_err(fail)? {
                // Left by a run that was killed between two calls.
                Some(seen) if seen.what == What::Link => dir.unlink(&part).map_err(fail)?,
                Some(_) => return refuse(Reason::Busy),
                None => {}
            }
            dir.symlink(target, &part).map_err(fail)?;
        }
        let done = publish(dir, &part, name, path, What::Link, policy, entry.modified);
        if done.is_err() {
            let _ = dir.unlink(&part);
        }
        done
    }
}

/// `false`: the name is taken.
fn try_link(dir: &Dir, target: &[u8], name: &[u8]) -> std::io::Result<bool> {
    match dir.symlink(target, name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn only_links_that_cannot_lead_out_are_inside() {
        for (depth, target) in [
            (0, "a"),
            (0, "a/b/./c"),
            (0, "./a"),
            (1, "../a"),
            (2, "../../a/b"),
            (1, ".."),
            (0, "."),
            (0, "..a"),
        ] {
            assert!(stays_inside(depth, target.as_bytes()), "{depth} {target}");
        }
        for (depth, target) in [
            (0, "/etc/passwd"),
            (0, ".."),
            (0, "../a"),
            (1, "../../a"),
            (1, ".././../a"),
            // `b` may be a link to `.`.
            (0, "b/b/../.."),
            (3, "b/../x"),
            (0, "a/.."),
        ] {
            assert!(!stays_inside(depth, target.as_bytes()), "{depth} {target}");
        }
    }
}
