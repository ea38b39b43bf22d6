//! (being written)

use crate::cli::ChatArgs;
use crate::error::{Error, Kind, Result};
use crate::ui::Ui;

/// Runs the client.
pub fn run(_ui: &Ui, _args: &ChatArgs) -> Result<()> {
    Err(Error::new(Kind::Other, "not yet"))
}
