//! Small files that are new: filled without a name and given their final one in a single step, where the system has
//! that (`O_TMPFILE` and `linkat(2)` on Linux).
//!
//! Such a file is shorter than a chunk, so that there is nothing to resume, and has its name as soon as it is whole:
//! whoever fills it hashes it too, so that a worker has one without a name at a time. Nobody else can open it, so it
//! needs no lock, and nobody can put another in its place: of the dozen calls that a partial file costs, five are left.

use std::sync::Arc;

use crate::transfer::entry::Entry;
use crate::transfer::store::beneath::Dir;
use crate::transfer::store::failure::{Class, Failure, Reason};
use crate::transfer::store::naming::part_name;
use crate::transfer::store::part::{Named, Part};
use crate::transfer::store::verdict::too_large;
use crate::transfer::store::{Place, Session};

/// Files from this size on have a partial name. They are hashed beside the writing, so that some may be waiting for
/// their digest, and there would be a chunk to lose.
const WORTH_A_NAME: u64 = 512 << 10;

impl Session {
    /// Begins an entry of which nothing is here.
    pub fn begin_new(&self, entry: &Entry) -> Result<Part, Failure> {
        let path = &entry.path;
        let Some(size) = entry.size().filter(|&size| size < WORTH_A_NAME) else {
            return self.begin(entry, None);
        };
        too_large(&self.store.policy, size)
            .map_err(|reason| Failure::refused("store", path, reason))?;
        let place = Place::of(path)?;
        let dir = self.ensure(&place, path)?;
        let Ok(Some(file)) = dir.create_unnamed(entry.mode) else {
            // Whatever is wrong, it is told there.
            return self.begin(entry, None);
        };
        let mut part = Part {
            store: Arc::clone(&self.store),
            dir,
            path: path.clone(),
            name: place.name.to_vec(),
            named: None,
            mode: Some(entry.mode),
            file,
            candidate: None,
            found: 0,
            len: 0,
            reserved: 0,
            content: 0,
            in_memory: 0..0,
            charged: 0,
            inherited: 0,
            is_stored: false,
            hint: None,
        };
        part.charge(size)?;
        Ok(part)
    }
}

impl Part {
    /// Takes its final name, if that is free and it has none. Otherwise it becomes a partial file as any other, for
    /// the policy to decide.
    pub(super) fn take_name(&mut self) -> Result<bool, Failure> {
        if self.named.is_some() {
            return Ok(false);
        }
        match self.dir.name_new(&self.file, &self.name) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.failed("store", error)),
        }
        let part = part_name(&self.name);
        // Ours before anybody can see it.
        let _ = self.file.try_lock();
        self.dir.name_new(&self.file, &part).map_err(|error| {
            match self.failed("store", error) {
                failure if failure.class() == Class::Exists => {
                    Failure::refused("store", &self.path, Reason::Busy)
                }
                failure => failure,
            }
        })?;
        let seen = Dir::identify(&self.file).map_err(|error| self.failed("read", error))?;
        self.named = Some(Named {
            part,
            journal: None,
            id: seen.id,
        });
        Ok(false)
    }
}
