//! Connecting, on a thread of its own because it blocks.

use std::sync::Arc;
use std::thread;

use super::machine::Note;
use super::terminal::Questioner;
use crate::core::dial::{Dialled, Dialler, Person, Step};
use crate::core::event_loop::Handle;
use crate::core::machine::Origin;

/// The only origin there is.
const ORIGIN: Origin = Origin(0);

/// Connects and reports. `detail` is told each step; `person` is asked whether to trust a server that is new, if there
/// is somebody.
pub(super) fn start(
    dialler: &Arc<Dialler>,
    handle: Handle<Note>,
    person: Option<Questioner>,
    detail: impl Fn(&str) + Send + 'static,
) {
    let dialler = Arc::clone(dialler);
    thread::spawn(move || {
        let person = person.as_ref().map(|person| person as &dyn Person);
        let mut watch = |step: Step| detail(&step.to_string());
        let told = match dialler.connect(person, &mut watch) {
            Ok(Dialled { transport, peer }) => handle.adopt(transport, peer, ORIGIN),
            Err(error) => handle.urgent(Note::DialFailed(error)),
        };
        // A loop that has ended has no use for the connection.
        let _ = told;
    });
}
